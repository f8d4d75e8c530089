"""``convviz filters``."""

from pathlib import Path
from typing import Annotated

import typer

from convviz.cli.options import OUTPUT, Force, Json, Quiet, check_picture, offering, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import announce, stdout_for, tell_replaced
from convviz.files.paths import fitting
from convviz.files.writing import check_path
from convviz.spec import parsing
from convviz.spec.settings import TileSettings

Weights = Annotated[
    Path, typer.Argument(metavar="FILE", help="Weights: .safetensors, .npz, .pt, .pth or .onnx.")
]
LayerName = Annotated[
    str | None,
    typer.Option(
        "--layer", metavar="NAME", rich_help_panel=OUTPUT, help="As convviz layers FILE lists them."
    ),
]
Sort = Annotated[
    str,
    typer.Option(
        parser=parsing.choice("sort", ("stored", "energy")),
        metavar="stored|energy",
        autocompletion=offering(("stored", "energy")),
        rich_help_panel=OUTPUT,
        help="As they are stored, or the greatest sum of squares first.",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(parser=parsing.whole("top"), metavar="N", rich_help_panel=OUTPUT, help="Only the first N."),
]
Frequency = Annotated[
    bool,
    typer.Option("--frequency", rich_help_panel=OUTPUT, help="Beside each, its answer to every frequency."),
]


@with_settings
def filters(
    file: Weights,
    picture: TileSettings,
    layer_name: LayerName = None,
    *,
    sort: Sort = "stored",
    top: Top = None,
    frequency: Frequency = False,
    output: Annotated[
        Path | None,
        output_option("The picture: .png, .svg, .pdf, .webp or .jpg; - for stdout.", "NAME-filters.png"),
    ] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Draw the filters of one layer of trained weights.

    Filters that read three channels are drawn in colour, of others every 2-D kernel by itself.

    For example:

        convviz filters samples/digits.safetensors --layer conv1 --frequency
    """
    target = stdout_for("output", output, ".png", json=json) or Path(fitting(file.stem, "-filters.png"))
    check_picture(target)
    from convviz.cli.reports import filters as report
    from convviz.files import marks
    from convviz.results import outputs
    from convviz.results.stored_filters import read_filters

    check_path(target, force=force, is_ours=marks.is_ours, inputs=[file])
    found = read_filters(file, layer_name, sort=sort, top=top)
    sheet = found.sheet(picture, frequency=frequency)
    more = {"sort": sort, "top": str(top) if top else "", "frequency": "true" if frequency else ""}
    description = found.description(picture) | {
        key: text for key, text in more.items() if text not in ("", "stored")
    }
    announce(sheet, force=force, quiet=quiet)
    tell_replaced(target, description, quiet=quiet)
    outputs.write_sheet(sheet, target, description, force=force, inputs=[file])
    report.show(found, target, json=json, quiet=quiet)
