"""``convviz shape``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import Json
from convviz.cli.settings import Typed, with_settings
from convviz.errors import SpecError
from convviz.spec import parsing
from convviz.spec.counts import CONVENTIONS, counts
from convviz.spec.geometry import HW, Axis, Edges, padding_shares
from convviz.spec.kernels import could_be_size, resolve
from convviz.spec.layers import Conv2d, Layer, Shape, shape_text
from convviz.spec.network import SizedStep
from convviz.spec.preparation import crop_corner, resized_size
from convviz.spec.settings import InputSettings, LayerSettings, typed
from convviz.spec.stacks import find_net, parse_layers
from convviz.spec.suggest import suggest
from convviz.spec.wanted import NetworkSettings
from convviz.text import plural

if TYPE_CHECKING:
    from convviz.compute.networks.engine import NetworkStep


Given = Annotated[
    str | None,
    typer.Argument(
        metavar="[SHAPE|IMAGE]",
        help="3x224x224, channels x height x width; or a picture, whose shape is taken. A network has a "
        "shape of its own: the one that it declares, or 3x224x224.",
        show_default=False,
    ),
]


@with_settings
def shape(
    input: Given = None,
    *,
    layer: LayerSettings,
    typed_options: Typed,
    reading: InputSettings,
    target: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.pair("target"),
            metavar="HxW",
            rich_help_panel="Output",
            help="List the settings nearest to this output; what you set yourself is kept.",
        ),
    ] = None,
    counting: Annotated[
        bool,
        typer.Option(
            "--counts",
            rich_help_panel="Output",
            help="Count by every convention, with the tools that use it.",
        ),
    ] = False,
    network: NetworkSettings,
    json: Json = False,
) -> None:
    """Calculate the output shape of a layer, step by step.

    Needs no image and computes no convolution: padded size, span of the dilated kernel, what the stride
    never reads, parameters, MACs, memory. Of several layers, a table. The options of the input
    change the shape as they would change a picture of that shape.

    For example:

        convviz shape 3x227x227 --out-channels 96 --kernel-size 11 --stride 4

        convviz shape 3x224x224 --target 112x112

        convviz shape 3x375x500 --resize short:256 --crop 224 --net vgg16

        convviz shape --net resnet18
    """
    if target is not None and counting:
        raise SpecError("counts describes one layer, and --target lists several; leave one of them out.")
    _check_network(network, layer, alone=target is not None)
    channels, size = _input_shape(_usual(network) if input is None else input, reading)
    if target is not None:
        _show_targets(size, target, layer, given=typed_options, json=json)
    elif network.given and layer.layer_name is not None:
        _show_one((channels, *size), network, layer.layer_name, counting=counting, json=json)
    elif network.given:
        _show_network((channels, *size), network, counting=counting, json=json)
    else:
        _show_layer((channels, *size), layer, counting=counting, json=json)


def _check_network(network: NetworkSettings, layer: LayerSettings, *, alone: bool) -> None:
    """Refuse a network beside what is for one layer."""
    if network.until is not None and network == NetworkSettings(until=network.until):
        raise SpecError("until: names the last layer of a network; give --net or --layers too.")
    if layer.layer_name is not None and layer.weights is None and not network.given:
        raise SpecError("layer can only be used with --weights or with a network.")
    if network.given:
        network.check(layer)
        if alone or layer.weights is not None:
            raise SpecError("target and weights cannot be used with a network; leave them out.")


def _show_layer(shape: Shape, settings: LayerSettings, *, counting: bool, json: bool) -> None:
    """Show the shape arithmetic of one layer."""
    from convviz.render.words.shapes import shape_report

    layer, size = _layer(settings, shape[0]), HW(*shape[1:])
    for request in settings.kernel:
        if text := could_be_size(request):
            remark(text)
    document = _document(layer, size)
    found = counts([(layer, shape)])
    if json:
        answer_json(document | ({"counts": found} if counting else {}))
    elif counting:
        _show_counts(found)
    else:
        for line in shape_report(layer, size):
            answer(line)


def _show_counts(found: dict[str, int]) -> None:
    """Print the conventions below each other."""
    width = max(len(f"{number:,}") for number in found.values())
    for convention in CONVENTIONS:
        answer(f"{found[convention.key]:>{width},}  {convention.about}")
        answer(f"{'':{width}}  {convention.tools}")
    answer("convolutions and linear layers are counted")


def _show_network(shape: Shape, network: NetworkSettings, *, counting: bool, json: bool) -> None:
    """Tabulate several layers."""
    from convviz.render.words.layers import document, network_lines, network_table
    from convviz.render.words.tables import console

    if network.foreign:
        _show_foreign(shape, network, counting=counting, json=json)
        return
    steps = _placed(network, shape)
    counted = counts((one.layer, one.input_shapes[0]) for one in steps)
    if json:
        answer_json(
            ({"counts": counted} if counting else {})
            | {
                "input_shape": list(shape),
                "output_shape": list(steps[-1].output_shape),
                "parameters": {"total": sum(one.layer.parameters for one in steps)},
                "macs": sum(one.macs for one in steps),
                "receptive_field": document(steps[-1:])[0]["receptive_field"],
                "layers": document(steps),
            }
        )
    elif counting:
        _show_counts(counted)
    else:
        screen = console()
        screen.print(network_table(steps, width=screen.width))
        answer()
        for line in network_lines(steps):
            answer(line)


def _show_foreign(shape: Shape, network: NetworkSettings, *, counting: bool, json: bool) -> None:
    """Tabulate the steps of a network that onnxruntime or torch runs."""
    from convviz.compute import networks
    from convviz.render.words.layers import step_document, steps_table
    from convviz.render.words.tables import console

    if counting:
        raise SpecError("counts: is of layers of our own; leave it out.")
    steps = networks.source_of(network).open(shape).engine.steps(shape)
    parameters, macs = sum(one.parameters for one in steps), sum(one.macs or 0 for one in steps)
    documents = [step_document(one) for one in steps]
    if json:
        answer_json(
            {
                "input_shape": list(shape),
                "output_shape": documents[-1]["output_shape"],
                "parameters": {"total": parameters},
                "macs": macs,
                "receptive_field": documents[-1]["receptive_field"],
                "layers": documents,
            }
        )
        return
    screen = console()
    screen.print(steps_table(steps, width=screen.width))
    answer()
    answer(f"{plural(len(steps), 'layer')}: {plural(parameters, 'parameter')}, {macs:,} MACs")


def _show_one(shape: Shape, network: NetworkSettings, name: str, *, counting: bool, json: bool) -> None:
    """Show one layer of a network: for a convolution the same lines as for a layer by itself."""
    from convviz.render.words.layers import step_lines
    from convviz.render.words.shapes import shape_report

    if counting and network.foreign:
        raise SpecError("counts: is of layers of our own; leave it out.")
    step, layer = _find_step(shape, network, name)
    conv = layer if isinstance(layer, Conv2d) else None
    size = HW(*(step.input_shapes[0] or ())[-2:]) if conv is not None else None
    if json:
        answer_json(_step_document(step, conv, size, counted=layer if counting else None))
    elif counting and layer is not None:
        _show_counts(counts([(layer, step.input_shapes[0] or ())]))
    else:
        for line in step_lines(step, () if conv is None or size is None else shape_report(conv, size)):
            answer(line)


def _find_step(shape: Shape, network: NetworkSettings, name: str) -> tuple["NetworkStep", Layer | None]:
    """Find a step of a network, with its layer if we can describe that."""
    from convviz.compute.networks.sources import Opened, check_layer, source_of, stack_of
    from convviz.compute.networks.stack import StackEngine
    from convviz.results.network_runs import steps_of

    if network.foreign:
        opened = source_of(network).open(shape)
    else:  # without weights, which would take seconds to make
        opened = Opened(StackEngine(stack_of(network).network, shape, {}))
    steps = {one.name: one for one in steps_of(opened, shape)}
    name = opened.engine.step_name(name)
    check_layer(name, list(steps))
    if network.foreign:
        return steps[name], opened.engine.conv(name).layer if steps[name].convolution else None
    return steps[name], next(one.layer for one in _placed(network, shape) if one.name == name)


def _step_document(
    step: "NetworkStep", conv: Conv2d | None, size: HW | None, *, counted: Layer | None
) -> dict[str, Any]:
    """Return one layer of a network as plain values."""
    from convviz.render.words.layers import step_document

    plain = step_document(step)
    found = {
        "input_shape": plain["input_shapes"][0] if plain["input_shapes"] else None,
        "output_shape": plain["output_shape"],
        "parameters": {"total": step.parameters},
        "macs": step.macs,
    }
    if conv is not None and size is not None:
        found = _document(conv, size)
    if counted is not None:
        found["counts"] = counts([(counted, step.input_shapes[0] or ())])
    return found | {"receptive_field": plain["receptive_field"], "layers": [plain]}


def _placed(network: NetworkSettings, shape: Shape) -> Sequence[SizedStep]:
    """Build the layers of a network of our own, without numpy."""
    found = find_net(network.net) if network.net is not None else parse_layers(network.layers or "")
    return (found if network.until is None else found.until(network.until)).sized(shape)


# Channels of a picture that is read in a mode.
_CHANNELS = {"gray": 1, "rgb": 3, "rgba": 4}


def _usual(network: NetworkSettings) -> str:
    """Return the shape that a network declares, or that of photographs, as text."""
    if not network.given:
        raise SpecError("give a shape, such as 3x224x224, or a picture; only a network has one of its own.")
    from convviz.compute.networks import source_of

    return shape_text(source_of(network).usual_shape)


def _input_shape(text: str, reading: InputSettings) -> tuple[int, HW]:
    """Take channels and size from ``CxHxW`` or from a picture, as they are once it is prepared."""
    sizes = parsing.chw(text)
    if sizes is None:
        from convviz.cli.reading import read_input

        picture = read_input([text], reading)
        for done in picture.remarks:
            remark(done)
        return picture.shape[0], picture.size
    if reading.page != 1:
        raise SpecError("page: a shape has no pages; leave it out.")
    if doubt := parsing.channels_last(sizes):
        remark(doubt)
    channels, size = _CHANNELS.get(reading.mode or "", sizes[0]), HW(*sizes[1:])
    if reading.resize is not None:
        size = resized_size(reading.resize, size)
    if reading.crop is not None:
        crop_corner(size, reading.crop)
        size = reading.crop
    if reading.normalize is not None:
        reading.normalize.of(channels)
    return channels, size


def _layer(settings: LayerSettings, channels: int) -> Conv2d:
    """Build the layer; only kernels in files need numpy to tell their size."""
    if settings.files:
        from convviz.compute.filters import build

        return build(settings, channels)[0]
    filters = [one for request in settings.kernel for one in resolve(request)]
    maps = sum(settings.groups if len(one.kernels) == 1 else 1 for one in filters)
    layer = settings.conv2d(channels, sizes=[one.size for one in filters], maps=maps)
    for one in filters:
        one.check(layer.weight_shape[1])
    return layer


def _document(layer: Conv2d, size: HW) -> dict[str, Any]:
    """Everything as plain values."""
    height, width = layer.axes(size)
    return {
        "input_shape": [layer.in_channels, *size],
        "output_shape": [layer.out_channels, height.output, width.output],
        "parameters": {
            "weight": layer.weight_parameters,
            "bias": layer.bias_parameters,
            "total": layer.parameters,
        },
        "macs": layer.macs((layer.in_channels, *size)),
        "receptive_field": list(layer.receptive_field()),
        "axes": {"height": _axis(height), "width": _axis(width)},
        "padding_shares": dict(zip(("outputs", "products"), padding_shares(height, width), strict=True)),
        "layers": [
            {
                "layer": repr(layer),
                "output_shape": [layer.out_channels, height.output, width.output],
                "parameters": layer.parameters,
                "macs": layer.macs((layer.in_channels, *size)),
            }
        ],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    """One axis as plain values."""
    from convviz.render.words.shapes import never_read

    return {
        "input": axis.input,
        "padded": axis.padded,
        "span": axis.span,
        "output": axis.output,
        "unread": axis.unread,
        "never_read": never_read(axis),
    }


def _show_targets(size: HW, target: HW, settings: LayerSettings, *, given: Typed, json: bool) -> None:
    """List the settings nearest to a wanted output."""
    edges = settings.padding
    if not isinstance(edges, Edges) or (edges.top, edges.left) != (edges.bottom, edges.right):
        raise SpecError(
            f"target searches paddings with equal sides, so {typed(edges)} cannot be kept; "
            "leave out --padding, or give one number or HxW."
        )
    kernel_size = settings.kernel_size
    if settings.kernel:
        kernel_size = _layer(settings, settings.groups).kernel_size
    found = suggest(
        size,
        target,
        kernel_size=kernel_size,
        stride=settings.stride if "stride" in given else None,
        padding=HW(edges.top, edges.left) if "padding" in given else None,
        dilation=settings.dilation,
    )
    rows = [
        {
            "kernel_size": list(row.kernel_size),
            "stride": list(row.stride),
            "padding": list(row.padding),
            "output": list(row.output),
            "options": f"-k {typed(row.kernel_size)} -s {typed(row.stride)} -p {typed(row.padding)}",
        }
        for row in found
    ]
    reached = any(row.output == target for row in found)
    if json:
        answer_json({"input": list(size), "target": list(target), "reached": reached, "suggestions": rows})
        return
    from convviz.render.words import tables

    if reached:
        answer(f"settings for {size} -> {target}, the nearest first")
    else:
        answer(f"no setting that convviz tried makes {target} of {size}; these come nearest")
    shown = [
        (str(row.kernel_size), str(row.stride), str(row.padding), str(row.output), str(plain["options"]))
        for row, plain in zip(found, rows, strict=True)
    ]
    tables.console().print(tables.targets(shown))
