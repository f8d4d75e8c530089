"""``convviz explain``."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convviz.cli.options import DrawingFile, Force, InputFiles, Json, Quiet, check_picture, map_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import stdout_for
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.settings import ComputeSettings, ContrastSettings, InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings

if TYPE_CHECKING:
    from convviz.results.feature_maps import FeatureMaps

At = Annotated[
    HW | None,
    typer.Option(
        parser=parsing.position("at"),
        metavar="Y,X",
        rich_help_panel="What",
        help="The output value to take apart [default: the largest magnitude of the map].",
    ),
]
Pixel = Annotated[
    HW | None,
    typer.Option(
        parser=parsing.position("pixel"),
        metavar="Y,X",
        rich_help_panel="What",
        help="The other direction: every output that this input pixel feeds.",
    ),
]
Weight = Annotated[
    Any,  # Typer would take a tuple for four words
    typer.Option(
        parser=parsing.weight_index("weight"),
        metavar="O,I,Y,X",
        rich_help_panel="What",
        help="One weight: every input that it multiplies, every output that it feeds.",
    ),
]
Map = Annotated[
    Any,  # Typer does not take int | str
    map_option("What", "The map that holds the value, by its number or its name.", named=True),
]
AsMatrix = Annotated[
    bool,
    typer.Option(
        "--as-matrix",
        rich_help_panel="What",
        help="Show the layer as matrix products: im2col, and one matrix for a map.",
    ),
]

GroupMap = Annotated[
    bool,
    typer.Option(
        "--group-map",
        rich_help_panel="What",
        help="Which channels feed which maps, and what --groups saves.",
    ),
]


@with_settings
def explain(
    input: InputFiles,
    layer: LayerSettings,
    reading: InputSettings,
    *,
    compute: ComputeSettings,
    looks: ContrastSettings,
    network: NetworkSettings,
    at: At = None,
    map: Map = None,
    pixel: Pixel = None,
    weight: Weight = None,
    as_matrix: AsMatrix = False,
    group_map: GroupMap = False,
    output: DrawingFile = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Take one output value apart: what is multiplied by what, and how it adds up.

    For every channel the patch under the window, the kernel, the products and their sum; then the sums and
    the bias, beside the value that the backend computed. Padding is in brackets. The default of --at
    is the value of the largest magnitude of the map.

    For example:

        convviz explain cat.jpg --kernel sobel-x --map 0

        convviz explain cat.jpg --at 10,20 --kernel sobel-x --padding 1

        convviz explain cat.jpg --pixel 0,0 --padding 1

        convviz explain cat.jpg --weight 0,2,1,1 --padding 1 -o weight.png

        convviz explain cat.jpg --net resnet18 --layer layer1.0.conv1

        convviz explain cat.jpg --as-matrix --resize 6 --out-channels 2

        convviz explain cat.jpg --group-map --groups 3 -o groups.svg
    """
    from convviz.cli.reading import input_files
    from convviz.cli.reports import drawings
    from convviz.cli.reports import explain as report
    from convviz.results.explanations import Question

    question = Question(at, map, pixel, weight, as_matrix, group_map)
    target = stdout_for("output", output, ".png", json=json)
    check_picture(target)
    found = question.about(_run(input, layer, reading, network=network, compute=compute, quiet=quiet), looks)
    inputs = [*layer.files, *network.files, *input_files(input)]
    drawings.write(
        found,
        target,
        found.description(network, layer, reading, looks),
        force=force,
        inputs=inputs,
        quiet=quiet,
    )
    report.show(found, target, json=json, quiet=quiet)


def _run(
    names: Sequence[str],
    layer: LayerSettings,
    reading: InputSettings,
    *,
    network: NetworkSettings,
    compute: ComputeSettings,
    quiet: bool,
) -> "FeatureMaps":
    """Compute the maps of the layer."""
    from convviz.cli.reading import read_layer
    from convviz.results import feature_maps

    about = read_layer(names, layer, reading, network=network, quiet=quiet)
    made = feature_maps.run(
        about.picture, about.layer, about.weights, backend=compute.backend, device=compute.device
    )
    if about.network is None:
        return made
    return replace(made, transposed=about.network.transposed, rounding=about.network.rounding)
