"""``convviz batch``."""

import sys
from typing import Annotated

import typer

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import Force, Json, Quiet
from convviz.cli.settings import with_settings
from convviz.cli.signals import asking
from convviz.errors import SpecError
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.spec.wanted import BatchSettings, NetworkSettings


@with_settings
def batch(
    folder: Annotated[
        str,
        typer.Argument(metavar="FOLDER", help="Where the pictures are, at any depth: a path or an address."),
    ],
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="Where the same tree is made: a path or an address.")
    ],
    layer: LayerSettings,
    *,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: SheetSettings,
    network: NetworkSettings,
    running: BatchSettings,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Run a layer on every picture in FOLDER, and write the results into OUT.

    OUT mirrors the tree of FOLDER: a/cat.jpg becomes a/cat.jpg.png. A file that cannot be read is named
    at the end and never stops the others. What an earlier run did is left as it is: done are the files
    that are missing or failed, those that changed, and all of them where the settings did.

    For example:

        convviz batch photos maps -K sobel-x

        convviz batch photos maps --net resnet18 --layer layer1.0.conv1 --report report.jsonl

        convviz batch photos maps --out-channels 6 --padding 1 --pattern '*.jpg' --workers 2
    """
    piped = str(running.report) == "-"
    if piped and json:
        raise SpecError("report: - and --json both write to stdout; choose one of them.")

    from convviz.batch import Batch, BatchRequest
    from convviz.cli.progress import progress
    from convviz.cli.reports import batch as reports

    if out.startswith("memory://"):
        remark("memory:// is gone when its process ends; choose another output to keep it.")
    request = BatchRequest(folder, out, layer, reading, compute, picture, network, running, force)
    made = Batch(
        request, most_named=None if json else reports.MOST_NAMED, say=_answer_at_once if piped else None
    )
    total = made.plan.total if made.plan.counted else None
    with asking(made.stop.ask) as signals, progress(total, "files", wanted=not quiet) as advance:
        tally = made.run(advance=advance, tell=(lambda text: None) if quiet else remark)
    if json:
        answer_json(reports.document(tally))
    elif not quiet:
        reports.show(tally, out, piped=piped)
    reports.name_failures(tally)
    reports.check_complete(tally, signals)
    reports.check_failures(tally)


def _answer_at_once(line: str) -> None:
    """Print a line of the report, for whoever reads it as it comes."""
    answer(line)
    sys.stdout.flush()
