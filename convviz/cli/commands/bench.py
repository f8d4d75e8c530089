"""``convviz bench``."""

from typing import Annotated

import typer

from convviz.cli.options import OUTPUT, InputFiles, Json
from convviz.cli.settings import with_settings
from convviz.spec import parsing
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings


@with_settings
def bench(
    input: InputFiles,
    layer: LayerSettings,
    reading: InputSettings,
    *,
    network: NetworkSettings,
    seconds: Annotated[
        int,
        typer.Option(
            parser=parsing.whole("seconds", most=600),
            metavar="S",
            rich_help_panel=OUTPUT,
            help="Seconds to time each backend.",
        ),
    ] = "1",  # type: ignore[assignment]  # Typer parses a default as it parses what is typed
    json: Json = False,
) -> None:
    """Time a layer on INPUT with every backend, device and number of threads of this machine.

    Padding, products and bias are timed; reading and drawing are not. The last line says what
    --backend auto takes.

    For example:

        convviz bench photo.jpg --out-channels 64 --kernel-size 7 --stride 2 --padding 3
    """
    from convviz.analysis import measure
    from convviz.cli.reading import read_layer
    from convviz.cli.reports import bench as report

    about = read_layer(input, layer, reading, network=network)
    found = measure.benchmark(about.layer, about.picture, about.weights, seconds=seconds)
    report.show(found, json=json)
