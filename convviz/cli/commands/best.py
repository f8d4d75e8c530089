"""``convviz best``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from convviz.cli.console import remark
from convviz.cli.options import OPTIONS, Force, Json, Quiet, check_picture, output_option
from convviz.cli.settings import with_settings_told
from convviz.cli.signals import asking
from convviz.cli.writing import announce, check_saved, stdout_for, tell_replaced
from convviz.errors import SpecError
from convviz.files.paths import fitting
from convviz.files.writing import Stream, check_path
from convviz.spec.best import BestSettings, PatchSettings
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import BatchSettings, NetworkSettings

if TYPE_CHECKING:
    from convviz.batch import BestBatch, Tally
    from convviz.render.sheets.layout import Sheet
    from convviz.results.best import Best


@with_settings_told(
    top="Instead of --maps: the N maps with the largest values over all pictures [default: 6].",
    tile="Longest side of a patch on the sheet, in pixels.",
    columns="Patches in one row [default: all of a map].",
    captions="Write the file and the value below every patch.",
)
def best(
    folder: Annotated[
        str,
        typer.Argument(metavar="FOLDER", help="Where the pictures are, at any depth: a path or an address."),
    ],
    layer: LayerSettings,
    *,
    reading: InputSettings,
    network: NetworkSettings,
    asked: BestSettings,
    picture: PatchSettings,
    running: BatchSettings,
    work: Annotated[str | None, OPTIONS["work"]] = None,
    save: Annotated[Any, OPTIONS["save"]] = None,
    output: Annotated[
        Path | None,
        output_option("The sheet: .png, .svg, .pdf, .webp or .jpg; - for stdout.", "NAME-best.png"),
    ] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show the pictures in FOLDER in which maps of a layer are largest, with what each value sees.

    Rows are maps; a patch is the receptive field of the largest value, cut from the original picture.
    Another run reads only pictures that are new, failed or changed.

    For example:

        convviz best photos --model torchvision.models:resnet18 --layer layer2.0.conv1 --prepare imagenet

        convviz best photos --kernel sobel-x --mode gray --count 4
    """
    files = [*layer.files, *network.files]
    answer = _Answer.of(folder, output, save, json=json, force=force, quiet=quiet)
    answer.check(running, files)
    from convviz.batch import BestBatch, PeaksRequest
    from convviz.cli.reports import batch as reports

    kept = work or str(answer.kept)
    request = PeaksRequest(folder, kept, layer, reading, network=network, batch=running, force=force)
    made = BestBatch(request, most_named=None if json else reports.MOST_NAMED)
    tally = _run(made, quiet=quiet)
    found = made.best(asked)
    description = found.description(network, layer, reading, asked, picture)
    answer.write(found, found.sheet(**picture.arguments), description, inputs=files, tally=tally)
    reports.check_failures(tally)


class _Answer(NamedTuple):
    """Hold where the answer goes."""

    folder: str
    target: Path | Stream
    saved: Path | Stream | None
    json: bool
    force: bool
    quiet: bool

    @classmethod
    def of(cls, folder: str, output: Path | None, save: Path | None, **how: bool) -> "_Answer":
        """Choose the names of the files."""
        target = stdout_for("output", output, ".png", json=how["json"])
        saved = stdout_for("save", save, ".npz", json=how["json"])
        name = Path(folder).resolve().name or "pictures"
        return cls(folder, target or Path(fitting(name, "-best.png")), saved, **how)

    @property
    def written(self) -> list[Path | Stream]:
        """The files."""
        return [self.target, *([self.saved] if self.saved else [])]

    @property
    def kept(self) -> Path:
        """The folder for the largest values: beside the sheet, under its name."""
        if isinstance(self.target, Stream):
            return Path(".convviz", "stdout-best")
        return self.target.parent / ".convviz" / self.target.stem

    def check(self, running: BatchSettings, inputs: Sequence[Path]) -> None:
        """Refuse names that cannot be written, before a picture is read."""
        from convviz.files import marks

        check_picture(self.target)
        check_saved(self.saved, (".npz",), of=" and the names of files")
        if str(running.report) == "-":
            raise SpecError("report: - is stdout, where the answer is printed; give a file.")
        for path in self.written:
            check_path(path, force=self.force, is_ours=marks.is_ours, inputs=inputs)

    def write(
        self,
        found: "Best",
        sheet: "Sheet",
        description: dict[str, Any],
        *,
        inputs: Sequence[Path],
        tally: "Tally",
    ) -> None:
        """Write the sheet and the numbers, and print the answer."""
        from convviz.cli.reports import best as reports
        from convviz.results import outputs

        announce(sheet, force=self.force, quiet=self.quiet)
        tell_replaced(self.target, description, quiet=self.quiet)
        outputs.write_sheet(sheet, self.target, description, force=self.force, inputs=inputs)
        if self.saved is not None:
            outputs.save_arrays(found.arrays(), self.saved, description, force=self.force, inputs=inputs)
        reports.show(found, self.written, tally, folder=self.folder, json=self.json, quiet=self.quiet)


def _run(made: "BestBatch", *, quiet: bool) -> "Tally":
    """Read the pictures that are left; leave if that was stopped, or if none could be read."""
    from convviz.cli.progress import progress
    from convviz.cli.reports import batch as reports

    total = made.plan.total if made.plan.counted else None
    with asking(made.stop.ask) as signals, progress(total, "files", wanted=not quiet) as advance:
        tally = made.run(advance=advance, tell=(lambda text: None) if quiet else remark)
    reports.name_failures(tally)
    reports.check_complete(tally, signals)
    if tally.rest or tally.counts["failed"] == tally.counts.total():
        reports.check_failures(tally)
    return tally
