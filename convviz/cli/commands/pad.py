"""``convviz pad``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convviz.cli.console import remark
from convviz.cli.options import (
    LAYER,
    OPTIONS,
    DrawingFile,
    Force,
    InputFiles,
    Json,
    Quiet,
    check_picture,
    offering,
)
from convviz.cli.settings import with_settings
from convviz.cli.writing import stdout_for
from convviz.errors import SpecError
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.layers import PADDING_MODES
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings
from convviz.text import listed

if TYPE_CHECKING:
    from convviz.images.picture import Picture
    from convviz.spec.layers import Conv2d, Transposed

Padding = Annotated[
    Any,  # a word, or the widths of the sides
    typer.Option(
        "-p",
        "--padding",
        parser=parsing.padding,
        metavar="N|HxW|t,b,l,r|same|valid",
        rich_help_panel=LAYER,
        help="Pixels added to all sides, to height and width, or to each side [default: 1, or that of the "
        "layer of the network].",
    ),
]
PaddingMode = Annotated[
    str | None,
    typer.Option(
        parser=parsing.choice("padding-mode", PADDING_MODES),
        metavar="|".join(PADDING_MODES),
        autocompletion=offering(PADDING_MODES),
        rich_help_panel=LAYER,
        help="What the padding contains [default: zeros, or as the layer of the network].",
    ),
]
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
    typer.Option("--all-modes", rich_help_panel=LAYER, help="Show all four padding modes."),
]


@with_settings
def pad(
    input: InputFiles,
    reading: InputSettings,
    network: NetworkSettings,
    *,
    weights: Annotated[Path | None, OPTIONS["weights"]] = None,
    layer_name: Annotated[str | None, OPTIONS["layer_name"]] = None,
    padding: Padding = None,
    padding_mode: PaddingMode = None,
    kernel_size: KernelSize = None,
    all_modes: AllModes = False,
    output: DrawingFile = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show the padding around the channels, as numbers and as a drawing.

    Values of the padding are in brackets. The drawing tints the padding and frames the input. With a network
    the channels are the maps that arrive at the layer.

    For example:

        convviz pad numbers.csv --padding 1,0,2,1 --padding-mode reflect

        convviz pad cat.jpg --padding 40 --all-modes -o padding.png

        convviz pad cat.jpg --net resnet18 --layer layer2.0.conv1
    """
    if all_modes and padding_mode is not None:
        raise SpecError("all-modes: shows every mode; leave out --padding-mode.")
    layer = LayerSettings(weights=weights, layer_name=layer_name)
    alone = [name for name, given in (("weights", weights), ("layer", layer_name)) if given]
    if alone and not network.given:
        raise SpecError(f"{listed(alone)} can only be used with a network; give --net or --model too.")
    target = stdout_for("output", output, ".png", json=json)
    check_picture(target)

    from convviz.cli.reading import input_files
    from convviz.cli.reports import drawings
    from convviz.cli.reports import pad as report
    from convviz.results import padded

    picture, own, transposed = _read(input, layer, reading, network=network, quiet=quiet)
    modes = PADDING_MODES if all_modes else (padding_mode or (own.padding_mode if own else "zeros"),)
    found = padded.pad(
        picture,
        padding or (own.edges(picture.size) if own else 1),
        modes=modes,
        kernel_size=kernel_size or (own.kernel_size if own else 3),
    )
    found = replace(found, transposed=transposed)
    inputs = [*network.files, *input_files(input)]
    drawings.write(
        found, target, found.description(network, layer, reading), force=force, inputs=inputs, quiet=quiet
    )
    report.show(found, target, json=json, quiet=quiet)


def _read(
    names: Sequence[str],
    layer: LayerSettings,
    reading: InputSettings,
    *,
    network: NetworkSettings,
    quiet: bool,
) -> "tuple[Picture, Conv2d | None, Transposed | None]":
    """Read the input, or what arrives at a layer of a network, that layer, and what it is equal to."""
    from convviz.cli.reading import read_input, read_layer

    if network.given:
        about = read_layer(names, layer, reading, network=network, quiet=quiet)
        return about.picture, about.layer, about.network.transposed if about.network else None
    picture = read_input(names, reading)
    for text in () if quiet else picture.remarks:
        remark(text)
    return picture, None, None
