"""What ``convviz run`` is asked for, checked before anything is read."""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convviz.cli.console import remark
from convviz.cli.options import check_picture
from convviz.cli.progress import progress
from convviz.cli.reading import input_files, read_input
from convviz.cli.writing import check_saved
from convviz.errors import SpecError
from convviz.files import marks, paths, writing
from convviz.images.picture import Picture
from convviz.render.palette import colours
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.spec.wanted import NetworkSettings, RunSettings

# Characters of the name of a layer in the name of a file.
_LONGEST_PART = 80


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The options of a run, checked as far as possible before anything is read.

    Parameters
    ----------
    names : tuple of str
        INPUT, as the user typed it.
    layer, reading, compute, picture, wanted, network
        The settings.
    target : Path or Stream
        Where the sheet goes.
    saved : Path or Stream, optional
        Where the exact numbers go.
    json, force, quiet : bool
        As the options.
    told : set of str
        The remarks that were printed; the requests for several layers of a network share them.

    Raises
    ------
    SpecError
        If options contradict each other.
    """

    names: tuple[str, ...]
    layer: LayerSettings
    reading: InputSettings
    compute: ComputeSettings
    picture: SheetSettings
    wanted: RunSettings
    network: NetworkSettings
    target: Path | writing.Stream
    saved: Path | writing.Stream | None
    json: bool
    force: bool
    quiet: bool
    told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        check_picture(self.target)
        if self.quiet and self.wanted.verbose:
            raise SpecError("verbose: leave out --quiet, which prints paths alone.")
        if self.wanted.token is not None and not (self.network.given and self.layer.layer_name):
            raise SpecError("token can only be used with --layer NAME of a network.")
        if self.wanted.all and (not self.network.given or self.layer.layer_name is not None):
            raise SpecError("all is for a whole network; leave it out, or give a network without --layer.")
        (self._check_network if self.network.given else self._check_layer)()

    def _check_network(self) -> None:
        """Refuse options that only one layer can have."""
        self.network.check(self.layer)
        if self.layer.layer_name is None and (told := self.for_one_layer):
            raise SpecError(f"{told}: is for one layer; choose one of the network with --layer NAME.")

    def _check_layer(self) -> None:
        """Refuse options of one layer that contradict each other."""
        wanted = self.wanted
        if wanted.partial and self.picture.columns is not None:
            raise SpecError(
                "columns: with --partial every filter has a row of its own; leave one of them out."
            )
        if (
            wanted.maps is not None
            and isinstance(self.target, Path)
            and os.path.realpath(self.target.parent) == os.path.realpath(wanted.maps)
            and re.match("[0-9]+-", self.target.name)
        ):
            raise SpecError(
                f"output: --maps writes files with such names into {paths.quoted(wanted.maps)}; "
                "choose another."
            )

    @property
    def for_one_layer(self) -> str:
        """Which of the options that need a convolution is given, if one is."""
        wanted = self.wanted
        asked = {
            "maps": wanted.maps is not None,
            "partial": wanted.partial,
            "table": wanted.table,
            "code": wanted.code,
            "check": wanted.check,
        }
        return next((name for name, given in asked.items() if given), "")

    @property
    def files(self) -> list[Path]:
        """The files that are read, which are never replaced."""
        return [*self.layer.files, *self.network.files, *input_files(self.names)]

    def for_layers(self, names: Sequence[str]) -> Iterator["RunRequest"]:
        """Ask for each of several layers, with files of its own even where names differ only in case."""
        taken: set[str] = set()
        for name in names:
            one = replace(self, layer=replace(self.layer, layer_name=name))
            if len(names) > 1:
                part = first = re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_PART]
                for number in itertools.count(2):
                    if part.casefold() not in taken:
                        break
                    part = f"{first}-{number}"
                taken.add(part.casefold())
                one = one.for_part(part)
            yield one

    def for_part(self, part: str) -> "RunRequest":
        """Ask for one of several sheets, each of which gets files of its own."""

        def own(path: Any) -> Any:
            if not isinstance(path, Path):
                return path
            return path.with_name(paths.fitting(path.stem, f"-{part}{path.suffix}"))

        maps = self.wanted.maps and self.wanted.maps / paths.fitting(part, "")
        wanted = replace(self.wanted, maps=maps)
        return replace(self, target=own(self.target), saved=own(self.saved), wanted=wanted)

    def check_outputs(self, endings: Sequence[str]) -> None:
        """Refuse what could not be written in the end, before anything is computed."""
        colours(self.picture.colormap)
        saved = self.saved
        check_saved(saved, endings, of=" of a network" if self.network.given else "")
        for place in (self.target, *([saved] if saved else [])):
            writing.check_path(place, force=self.force, is_ours=marks.is_ours, inputs=self.files)
        if self.wanted.maps is not None:
            writing.check_folder(self.wanted.maps)

    def remark(self, text: str) -> None:
        """Print a remark, unless it was printed for another layer."""
        if text not in self.told:
            self.told.add(text)
            remark(text)

    def read(self, reading: InputSettings) -> Picture:
        """Read INPUT."""
        with progress(None, "reading", wanted=not self.quiet):
            return read_input(self.names, reading)
