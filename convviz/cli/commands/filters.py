"""``convviz filters``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convviz.cli.console import remark
from convviz.cli.options import OPTIONS, OUTPUT, Force, Json, Quiet, check_picture, offering, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import announce, stdout_for, tell_replaced
from convviz.errors import SpecError
from convviz.files.paths import fitting
from convviz.files.writing import check_path
from convviz.spec import parsing
from convviz.spec.settings import LayerSettings, TileSettings
from convviz.spec.wanted import NetworkSettings

if TYPE_CHECKING:
    from convviz.results.stored_filters import StoredFilters

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Weights: .safetensors, .npz, .pt, .pth or .onnx.")
]
LayerName = Annotated[
    str | None,
    typer.Option("--layer", metavar="NAME", rich_help_panel=OUTPUT, help="As convviz layers lists them."),
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
    file: File = None,
    *,
    picture: TileSettings,
    network: NetworkSettings,
    weights: Annotated[Path | None, OPTIONS["weights"]] = None,
    layer_name: LayerName = None,
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
    """Draw the filters of one layer of trained weights or of a network.

    Filters that read three channels are drawn in colour, of others every 2-D kernel by itself.

    For example:

        convviz filters samples/digits.safetensors --layer conv1 --frequency

        convviz filters --model torchvision.models:resnet18 --weights resnet18.pth --layer conv1
    """
    if network.given == (file is not None):
        raise SpecError("give FILE, or a network with --net, --model or --layers, and not both.")
    layer = LayerSettings(weights=weights)
    inputs = [*network.files, *layer.files, *filter(None, [file])]
    default = Path(fitting(_stem(file, network), "-filters.png"))
    target = stdout_for("output", output, ".png", json=json) or default
    check_picture(target)
    from convviz.cli.reports import filters as report
    from convviz.files import marks
    from convviz.results import outputs
    from convviz.results.stored_filters import read_filters

    check_path(target, force=force, is_ours=marks.is_ours, inputs=inputs)
    if file is not None:
        found = read_filters(file, layer_name, sort=sort, top=top)
    else:
        found = _of_network(network, layer, layer_name, sort=sort, top=top, quiet=quiet)
    sheet = found.sheet(picture, frequency=frequency)
    more = {"sort": sort, "top": str(top) if top else "", "frequency": "true" if frequency else ""}
    description = found.description(network, layer, picture) | {
        key: text for key, text in more.items() if text not in ("", "stored")
    }
    announce(sheet, force=force, quiet=quiet)
    tell_replaced(target, description, quiet=quiet)
    outputs.write_sheet(sheet, target, description, force=force, inputs=inputs)
    report.show(found, target, json=json, quiet=quiet)


def _stem(file: Path | None, network: NetworkSettings) -> str:
    """Name the picture after the file, or after the network."""
    if file is not None:
        return file.stem
    if network.model is not None:
        return network.model.rpartition(":")[2]
    return "layers" if network.net is None else Path(network.net).stem


def _of_network(
    network: NetworkSettings,
    layer: LayerSettings,
    name: str | None,
    *,
    sort: str,
    top: int | None,
    quiet: bool,
) -> "StoredFilters":
    """Open a network, and take the filters of one of its convolutions."""
    from convviz.compute import networks
    from convviz.results.stored_filters import filters_of

    source = networks.source_of(network, layer)
    shape = source.usual_shape
    opened = source.open(shape)
    found = filters_of(opened, shape, name, sort=sort, top=top)
    for text in () if quiet else (*opened.remarks, *filter(None, [opened.engine.conv(found.layer).remark])):
        remark(text)
    return found
