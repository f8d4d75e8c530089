"""``convviz run``."""

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from convviz.cli.console import answer_json, answer_path, answer_text, remark
from convviz.cli.options import Force, InputFiles, Json, Quiet, check_picture, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import announce, refuse_stdout, stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files import paths, writing
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.spec.wanted import NetworkSettings, RunSettings
from convviz.text import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convviz.images.picture import Picture
    from convviz.render.sheets.layout import Sheet
    from convviz.results.feature_maps import FeatureMaps
    from convviz.results.outcome import LayerOutcome


@with_settings
def run(
    input: InputFiles,
    layer: LayerSettings,
    *,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: SheetSettings,
    output: Annotated[
        Path | None,
        output_option("The picture: .png, .svg, .pdf, .webp or .jpg; - for stdout.", "NAME-maps.png"),
    ] = None,
    wanted: RunSettings,
    network: NetworkSettings,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Convolve INPUT with the chosen filters and write the feature maps as one picture.

    Without --kernel the filters are those of a new torch.nn.Conv2d. The bar below each map says which
    values are black and white, and where 0 is. Captions give the minimum and the maximum.

    For example:

        convviz run cat.jpg --out-channels 6 --padding 1

        convviz run cat.jpg -K sobel -K gaussian:sigma=2 --stride 2 -o small.png
    """
    refuse_stdout(maps=wanted.maps)
    request = RunRequest(
        tuple(input),
        layer,
        reading,
        compute,
        picture,
        wanted,
        network,
        target=stdout_for("output", output, ".png", json=json) or default_output(input),
        saved=stdout_for("save", wanted.save, ".npz", json=json),
        json=json,
        force=force,
        quiet=quiet,
    )
    sheet = _run_network(request) if network.given else _run_layer(request)
    if wanted.show:
        from convviz.cli.show import show_maps

        show_maps(sheet)


def default_output(names: Sequence[str]) -> Path:
    """Name the picture after its first input, in the current folder."""
    return Path(paths.fitting(stem_of(names[0]), "-maps.png"))


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

    def __post_init__(self) -> None:
        check_picture(self.target)
        if self.quiet and self.wanted.verbose:
            raise SpecError("verbose: leave out --quiet, which prints paths alone.")
        (self._check_network if self.network.given else self._check_layer)()

    def _check_network(self) -> None:
        """Refuse options that only one layer can have."""
        self.network.check(self.layer)
        wanted = self.wanted
        if wanted.maps is not None or wanted.partial or wanted.table or wanted.code or wanted.check:
            raise SpecError(
                "layers, net: leave out --maps, --partial, --table, --at, --code and --check, "
                "which are for one layer."
            )

    def _check_layer(self) -> None:
        """Refuse options of one layer that contradict each other."""
        wanted = self.wanted
        if wanted.partial and self.picture.columns is not None:
            raise SpecError(
                "columns: with --partial every filter has a row of its own; leave one of them out."
            )
        if wanted.top is not None and (wanted.partial or self.layer.flip):
            raise SpecError("top: leave out --partial and --flip, which are drawn for every map.")
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
    def files(self) -> list[Path]:
        """The files that are read, which are never replaced."""
        from convviz.cli.reading import input_files

        return [*self.layer.files, *self.network.files, *input_files(self.names)]

    def check_outputs(self, endings: Sequence[str]) -> None:
        """Refuse what could not be written in the end, before anything is computed."""
        from convviz.files import marks
        from convviz.render.palette import colours

        colours(self.picture.colormap)
        saved = self.saved
        if saved is not None and saved.suffix.lower() not in endings:
            of = " of a network" if self.network.given else ""
            raise SpecError(
                f"save: exact numbers{of} are written to {', '.join(endings)}, not {saved.suffix!r}."
            )
        for place in (self.target, *([saved] if saved else [])):
            writing.check_path(place, force=self.force, is_ours=marks.is_ours, inputs=self.files)
        if self.wanted.maps is not None:
            writing.check_folder(self.wanted.maps)

    def read(self, reading: InputSettings) -> "Picture":
        """Read INPUT."""
        from convviz.cli.progress import progress
        from convviz.cli.reading import read_input

        with progress(None, "reading", wanted=not self.quiet):
            return read_input(self.names, reading)


def _run_layer(request: RunRequest) -> "Sheet":
    """Run one layer, write what is wanted and report it."""
    from convviz.cli.progress import progress
    from convviz.cli.reading import refuse_stdin
    from convviz.compute import filters
    from convviz.files import archives
    from convviz.results.outcome import run_layer

    layer, wanted = request.layer, request.wanted
    if wanted.code:
        refuse_stdin(request.names)
    request.check_outputs(archives.WRITABLE)
    named = filters.prepare(layer)
    times = [time.perf_counter()]
    image = request.read(request.reading)
    times.append(time.perf_counter())
    built = filters.build(layer, image.shape[0], named=named, channels=image.channels)
    rows = built[0].output_size(image.size).h
    with progress(rows, "rows", wanted=not request.quiet) as advance:
        outcome = run_layer(
            image,
            built,
            wanted,
            flipped=layer.flip,
            compute=request.compute,
            picture=request.picture,
            moments=not request.quiet or request.json,
            advance=advance,
        )
    program = _program(request, outcome, named) if wanted.code else ""
    times.append(time.perf_counter())
    sheet = outcome.sheet(request.picture)
    description = outcome.result.description(layer, request.reading, request.picture, wanted)
    _write_sheet(request, sheet, description)
    written = [request.target, *_write_maps(request, outcome.result, description)]
    written += _write_arrays(request, outcome.arrays, description)
    times.append(time.perf_counter())
    seconds = {"read": times[1] - times[0], "compute": outcome.seconds, "write": times[3] - times[2]}
    _remark_layer(request, outcome, written)
    if request.quiet and not request.json:
        _answer_paths(written)
        return sheet
    from convviz.cli.reading import input_document
    from convviz.cli.reports import run as reports

    if request.json:
        of = input_document(request.names, image, request.reading)
        files = [str(path) for path in written]
        more = {"code": program} if wanted.code else {}
        answer_json(
            reports.document(
                outcome, wanted, input=of, scales=sheet.scales, files=files, seconds=seconds, **more
            )
        )
    else:
        reports.report(outcome, wanted, auto=request.compute.backend == "auto", written=written)
        if wanted.code:
            answer_text("\n" + program)
    return sheet


def _program(request: RunRequest, outcome: "LayerOutcome", named: Any) -> str:
    """Write the PyTorch program of the run."""
    from convviz.results.program import program_of

    result = outcome.result
    return program_of(
        request.names,
        result.picture,
        result.layer,
        weights=result.filters,
        settings=request.layer,
        reading=request.reading,
        named=named,
    )


def _run_network(request: RunRequest) -> "Sheet":
    """Run a network, write what is wanted and report it."""
    from convviz.compute.networks.sources import NetworkSource, check_layer
    from convviz.files import archives
    from convviz.render.sheets import strips
    from convviz.results import network

    wanted, picture, only = request.wanted, request.picture, request.layer.layer_name
    request.check_outputs(archives.ARCHIVES)
    source = NetworkSource.of(request.network, request.layer)
    if only is not None and source.names:
        check_layer(only, source.names)
    reading, asked = source.reading(request.reading)
    image = request.read(reading)
    filled = source.fill(image.shape)
    if only is not None:
        check_layer(only, [one.name for one in filled.steps])
    seen = None if wanted.field is None else network.see(filled.steps, wanted.field, layer=only)
    result = network.apply(
        filled,
        image,
        backend=request.compute.backend,
        device=request.compute.device,
        title=request.network.layers or "",
    )
    if only is None and picture.tile == SheetSettings().tile:
        picture = replace(picture, tile=strips.TILE)
    sheet = result.sheet(
        only=only, seen=seen, effective=wanted.effective, top=wanted.top, **picture.arguments
    )
    description = result.description(request.network, request.layer, reading, request.picture, wanted)
    _write_sheet(request, sheet, description)
    written = [request.target, *_write_arrays(request, result.arrays, description)]
    if not request.quiet:
        for text in (*asked, *image.remarks, *result.remarks):
            remark(text)
    if request.quiet and not request.json:
        _answer_paths(written)
        return sheet
    from convviz.cli.reading import input_document
    from convviz.cli.reports.network import NetworkReport

    report = NetworkReport(result, only, seen, wanted.top, wanted.stat or ())
    if request.json:
        of = input_document(request.names, image, reading)
        answer_json(report.document(input=of, scales=sheet.scales, files=[str(path) for path in written]))
    else:
        report.show(written=written, verbose=wanted.verbose)
    return sheet


def _write_sheet(request: RunRequest, sheet: "Sheet", description: dict[str, Any]) -> None:
    """Write the sheet."""
    from convviz.cli.progress import progress
    from convviz.results import outputs

    announce(sheet, force=request.force, quiet=request.quiet)
    tell_replaced(request.target, description, quiet=request.quiet)
    with progress(sheet.height, "rows of the sheet", wanted=not request.quiet) as advance:
        outputs.write_sheet(
            sheet, request.target, description, force=request.force, inputs=request.files, advance=advance
        )


def _write_maps(request: RunRequest, result: "FeatureMaps", description: dict[str, Any]) -> list[Path]:
    """Write every map as a picture of its own, where that is wanted."""
    from convviz.cli.progress import progress

    folder = request.wanted.maps
    if folder is None:
        return []
    total = result.shape[0] * result.shape[1]
    with progress(total, "rows of maps", wanted=not request.quiet) as advance:
        return result.save_maps(
            folder,
            description,
            picture=request.picture,
            force=request.force,
            inputs=request.files,
            advance=advance,
        )


def _write_arrays(
    request: RunRequest, arrays: Callable[[], dict[str, "NDArray[Any]"]], description: dict[str, Any]
) -> list[Path | writing.Stream]:
    """Write the exact numbers, where that is wanted."""
    from convviz.results import outputs

    if request.saved is None:
        return []
    outputs.save_arrays(arrays(), request.saved, description, force=request.force, inputs=request.files)
    return [request.saved]


def _answer_paths(written: Sequence[Path | writing.Stream]) -> None:
    """Print what was written, and nothing else."""
    for path in written:
        answer_path(path, quiet=True)


def _remark_layer(
    request: RunRequest, outcome: "LayerOutcome", written: Sequence[Path | writing.Stream]
) -> None:
    """Print the remarks on the input, the filters and the files."""
    from convviz.results import outputs

    if request.quiet:
        return
    result, folder = outcome.result, request.wanted.maps
    for text in (*result.picture.remarks, *outcome.remarks):
        remark(text)
    if folder is not None and (older := outputs.older_maps(folder, written)):
        first = ", ".join(path.name for path in older[:3]) + (", …" if len(older) > 3 else "")
        remark(
            f"{paths.quoted(folder)} also has {plural(len(older), 'map')} of an earlier run ({first}); "
            "delete them, or choose another folder."
        )
    if outcome.agreement is not None:
        remark(f"check: {outcome.agreement}")
