"""``convviz pad``."""

from typing import Annotated

import typer

from convviz.cli.console import remark
from convviz.cli.options import LAYER, OPTIONS, DrawingFile, Force, InputFiles, Json, check_picture
from convviz.cli.settings import with_settings
from convviz.cli.writing import stdout_for
from convviz.errors import SpecError
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.layers import PADDING_MODES
from convviz.spec.settings import InputSettings

KernelSize = Annotated[
    HW | None,
    typer.Option(
        "-k",
        "--kernel-size",
        parser=parsing.pair("kernel_size"),
        metavar="HxW",
        rich_help_panel=LAYER,
        help="Kernel size of the layer [default: 3]; the padding of --padding same depends on it.",
    ),
]
AllModes = Annotated[
    bool,
    typer.Option("--all-modes", rich_help_panel=LAYER, help="Show all four padding modes below each other."),
]


@with_settings
def pad(
    input: InputFiles,
    reading: InputSettings,
    padding: Annotated[str, OPTIONS["padding"]] = "1",
    *,
    padding_mode: Annotated[str, OPTIONS["padding_mode"]] = "zeros",
    kernel_size: KernelSize = None,
    all_modes: AllModes = False,
    output: DrawingFile = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Show the padding around the channels, as numbers and as a drawing.

    Values of the padding are in brackets. The drawing tints the padding and frames the input.

    For example:

        convviz pad numbers.csv --padding 1,0,2,1 --padding-mode reflect

        convviz pad cat.jpg --padding 40 --all-modes -o padding.png
    """
    if all_modes and padding_mode != "zeros":
        raise SpecError("all-modes: shows every mode; leave out --padding-mode.")
    target = stdout_for("output", output, ".png", json=json)
    check_picture(target)

    from convviz.cli.reading import input_files, read_input
    from convviz.cli.reports import drawings
    from convviz.cli.reports import pad as report
    from convviz.results import padded

    picture = read_input(input, reading)
    modes = PADDING_MODES if all_modes else (padding_mode,)
    found = padded.pad(picture, padding, modes=modes, kernel_size=kernel_size or 3)
    for text in picture.remarks:
        remark(text)
    drawings.write(found, target, found.description(reading), force=force, inputs=input_files(input))
    report.show(found, target, json=json)
