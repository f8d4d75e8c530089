"""``convviz code``."""

from typing import Annotated

import typer

from convviz.cli.console import answer_text, remark
from convviz.cli.settings import with_settings
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings


@with_settings
def code(
    input: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="An image, or numbers (.json .csv .npy .npz). Several of one size are stacked: their "
            "channels are those of one input.",
        ),
    ],
    layer: LayerSettings,
    reading: InputSettings,
    *,
    network: NetworkSettings,
) -> None:
    """Print a short PyTorch program with the same layer, the same weights and the same maps.

    For example:

        convviz code cat.jpg --out-channels 6 --padding 1

        convviz code cat.jpg -K sobel --stride 2 > edges.py

        convviz code cat.jpg --model torchvision.models:resnet18 --layer layer1.0.conv1
    """
    from convviz.cli.reading import in_network, read_input, refuse_stdin
    from convviz.compute import filters
    from convviz.render.words.network_program import check_has_program
    from convviz.results.program import network_program, program_of

    refuse_stdin(input)
    if network.given:
        check_has_program(network)
        found = in_network(input, layer, reading, network=network)
        for text in found.remarks:
            remark(text)
        answer_text(
            network_program(
                input, found.about, found.picture, reading=found.reading, network=network, layer=layer
            )
        )
        return
    named = filters.prepare(layer)
    picture = read_input(input, reading)
    conv, weights, remarks = filters.build(layer, picture.x.shape[0], named=named, channels=picture.channels)
    for text in (*picture.remarks, *remarks):
        remark(text)
    answer_text(
        program_of(input, picture, conv, weights=weights, settings=layer, reading=reading, named=named)
    )
