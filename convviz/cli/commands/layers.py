"""``convviz layers``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import OPTIONS, Json
from convviz.cli.settings import with_settings
from convviz.errors import InputError, SpecError
from convviz.spec import parsing
from convviz.spec.layers import shape_text
from convviz.spec.settings import LayerSettings
from convviz.spec.wanted import NetworkSettings
from convviz.text import listed, plural

if TYPE_CHECKING:
    from convviz.compute.networks.sources import NetworkSource, Opened


InputShape = Annotated[
    Any,  # Typer would take a tuple for three words
    typer.Option(
        "--input",
        parser=parsing.input_shape,
        metavar="CxHxW",
        rich_help_panel="Layer",
        help="Shape of the input of the network [default: as the network declares it, or 3x224x224].",
    ),
]


@with_settings
def layers(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Weights: .safetensors, .npz, .pt, .pth or .onnx.")
    ] = None,
    *,
    network: NetworkSettings,
    weights: Annotated[Path | None, OPTIONS["weights"]] = None,
    input: InputShape = None,
    json: Json = False,
) -> None:
    """List the layers of a network, or the convolutions inside weights, by the names for --layer.

    Nothing in the file is run: of a file of PyTorch only the tensors of a state dict are read.
    A --model is code, and is run.

    For example:

        convviz layers samples/digits.safetensors

        convviz layers --net resnet18

        convviz layers --model torchvision.models:resnet50 --input 3x224x224
    """
    if network.given == (file is not None):
        raise SpecError("give FILE, or a network with --net, --model or --layers, and not both.")
    if network.given:
        _of_network(network, weights, input, json=json)
        return
    if alone := [name for name, given in (("input", input), ("weights", weights)) if given is not None]:
        raise SpecError(f"{listed(alone)} can only be used with a network; give --net, --model or --layers.")
    assert file is not None
    _of_weights(file, json=json)


def _of_network(
    network: NetworkSettings, weights: Path | None, shape: tuple[int, int, int] | None, *, json: bool
) -> None:
    """List the steps of a network."""
    from convviz.compute import networks
    from convviz.render.words import layers as drawn
    from convviz.render.words.tables import console

    if shape is not None and (doubt := parsing.channels_last(shape)):
        remark(doubt)
    source = networks.source_of(network, LayerSettings(weights=weights))
    opened, shape = _opened(source, shape)
    engine = opened.engine
    steps = engine.steps(shape)
    parameters, macs = sum(one.parameters for one in steps), sum(one.macs or 0 for one in steps)
    if json:
        answer_json(
            {
                "network": engine.name,
                "input_shape": list(shape),
                "parameters": parameters,
                "macs": macs,
                "layers": [drawn.step_document(one) for one in steps],
            }
        )
        return
    screen = console()
    screen.print(drawn.steps_table(steps, width=screen.width))
    answer()
    count = sum(1 for one in steps if one.convolution)
    answer(
        f"{plural(len(steps), 'layer')}, {plural(count, 'convolution')}, "
        f"{plural(parameters, 'parameter')}, {macs:,} MACs for an input of {shape_text(shape)}"
    )
    for text in dict.fromkeys(one.remark for one in steps if one.remark):
        named = [one.name for one in steps if one.remark == text]
        remark(f"{', '.join(named[:3])}{' …' if len(named) > 3 else ''}: {text}")


def _opened(
    source: "NetworkSource", shape: tuple[int, int, int] | None
) -> tuple["Opened", tuple[int, int, int]]:
    """Open a network for an input of the shape that is wanted, that it declares, or of photographs."""
    if shape is not None:
        return source.open(shape), shape
    shape = source.usual_shape
    return source.open(shape), shape


def _of_weights(file: Path, *, json: bool) -> None:
    """List the convolutions in a file of weights."""
    from convviz.files.checkpoints import read_checkpoint
    from convviz.render.words import layers as drawn
    from convviz.render.words.tables import console

    found = read_checkpoint(file)
    total = found.count
    inside = sum(layer.parameters for layer in found.convolutions)
    rows = [drawn.statistics_of(layer) for layer in found.convolutions]
    if json:
        document: dict[str, Any] = {
            "path": str(file),
            "layers": [
                drawn.stored_document(layer, row) for layer, row in zip(found.convolutions, rows, strict=True)
            ],
            "numbers": total,
            "left_out": dict(found.left_out),
        }
        answer_json(document)
    for text in found.remarks:
        remark(text)
    if json:
        return
    if found.convolutions:
        screen = console()
        screen.print(drawn.stored_table(found.convolutions, rows, width=screen.width))
        answer()
    count = len(found.convolutions)
    parts = f"{inside:,} of {plural(total, 'number')} in the file"
    answer(f"{plural(count, 'convolution')}: {parts}")
    if bad := drawn.not_finite(rows):
        answer(bad)
    if not count and not found.left_out:
        answer("no array in it has four axes; a network reads the others by their names (--net, --weights)")
    usable = [layer for layer in found.convolutions if _is_finite(found, layer)]
    if usable:
        answer(f"convviz filters {file} --layer {usable[0].name} draws one", whole=True)
    # A transposed one is applied with the network around it.
    if name := next((layer.name for layer in usable if not layer.transposed), None):
        answer(f"convviz run INPUT --weights {file} --layer {name} applies one", whole=True)


def _is_finite(file: Any, layer: Any) -> bool:
    """Return whether a layer of a checkpoint can be drawn and applied."""
    try:
        file.weights(layer)
    except InputError:
        return False
    return True
