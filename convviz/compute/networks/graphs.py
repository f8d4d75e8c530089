"""From the graph of an ONNX model to a `Network`, as far as its operations are layers of convviz."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import ConvvizError, InputError, UnknownNameError
from convviz.files import onnx_
from convviz.files.checkpoints import Checkpoint
from convviz.spec.geometry import span
from convviz.spec.layers import Shape, Sigmoid, shape_text
from convviz.spec.network import BY_NAME, INPUT, Network, Step, built_layer
from convviz.text import in_quotes, printable

Parameters = dict[str, NDArray[Any]]


def network_of_graph(
    checkpoint: Checkpoint, shape: Shape, *, until: str | None = None
) -> tuple[Network, dict[str, Parameters]]:
    """Make a network of an ONNX graph for an input.

    Parameters
    ----------
    checkpoint : Checkpoint
        An ONNX file.
    shape : tuple of int
        Channels, height and width of the input; some operations mean another layer for
        another size.
    until : str, optional
        The last node, by its name, its output or the name that ``convviz layers`` prints;
        the last of the graph by default. Nodes that it does not depend on are left out.

    Returns
    -------
    network : Network
        The layers.
    parameters : dict of dict of ndarray
        What they hold, by the name of the layer.

    Raises
    ------
    UnknownNameError
        If there is no such node.
    InputError
        If an operation on the way is no layer of convviz; the message names it.
    """
    graph, stored = checkpoint.graph.graph, checkpoint.arrays
    inputs = [one.name for one in graph.input if one.name not in stored]
    builder = _Builder(checkpoint.name, stored, shape)
    if inputs:
        builder.made[inputs[0]] = INPUT
    nodes = [node for node in graph.node if not all(one in stored for one in node.output)]
    needed = _needed(nodes, _last(nodes, stored, until, graph))
    builder.uses = {name: sum(list(node.input).count(name) for node in needed) for name in _read(needed)}
    for node in needed:
        builder.add(node)
    if not builder.steps:
        raise InputError(f"{checkpoint.name}: there is no layer before {until!r}.")
    return Network(tuple(builder.steps), "ONNX"), builder.parameters


def _read(nodes: list[Any]) -> set[str]:
    """Collect what nodes read."""
    return {name for node in nodes for name in node.input}


def _last(nodes: list[Any], stored: Mapping[str, Any], until: str | None, graph: Any) -> Any:
    """Find the node to end with."""
    if until is None:
        outputs = {one.name for one in graph.output}
        return next((node for node in nodes if outputs & set(node.output)), nodes[-1])
    known: dict[str, Any] = {}
    for node in nodes:
        for name in (*node.output, node.name, onnx_.node_name(node, stored)):
            if name:
                known.setdefault(name, node)
    if until not in known:
        raise UnknownNameError("node", until, {onnx_.node_name(node, stored) for node in nodes})
    return known[until]


def _needed(nodes: list[Any], last: Any) -> list[Any]:
    """Leave out what the last node does not depend on; the order stays."""
    wanted = set(last.output)
    found = []
    for node in reversed(nodes):
        if wanted & set(node.output):
            found.append(node)
            wanted |= set(node.input)
    return found[::-1]


class _No(Exception):
    """Why a node is no layer."""


@dataclass(slots=True)
class _Builder:
    """The network so far."""

    where: str
    stored: Mapping[str, NDArray[Any]]
    shape: Shape
    steps: list[Step] = field(default_factory=list)
    parameters: dict[str, Parameters] = field(default_factory=dict)
    # The step that makes each value of the graph, and the shape of what each step makes.
    made: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shapes[INPUT] = self.shape

    def add(self, node: Any) -> None:
        """Add one node; say which it is if it is none of ours."""
        convert = _CONVERT.get(node.op_type, _no_layer)
        name = onnx_.node_name(node, self.stored)
        try:
            convert(self, node, onnx_.attributes(node), name)
        except (_No, ConvvizError) as error:
            before = f"; --until {self.steps[-1].name!r} is as far as it goes" if self.steps else ""
            raise InputError(
                f"{self.where}: the operation {printable(node.op_type)} ({in_quotes(name)}) "
                f"on the way {printable(str(error)).rstrip('.')}{before}."
            ) from None

    def step(self, node: Any, name: str, kind: str, inputs: list[str], **arguments: Any) -> str:
        """Add one layer, which makes the first output of a node; gives its name."""
        taken = {step.name for step in self.steps}
        if name in taken:
            name = next(
                f"{name}.{index}" for index in range(2, len(taken) + 3) if f"{name}.{index}" not in taken
            )
        step = Step(name, BY_NAME[kind], arguments, tuple(inputs))
        _, output, _ = built_layer(step, tuple(self.shapes[one] for one in inputs))
        self.steps.append(step)
        self.shapes[name] = output
        self.made[node.output[0]] = name
        return name

    def source(self, node: Any, index: int = 0) -> str:
        """Name the step whose result a node reads."""
        value = node.input[index] if index < len(node.input) else ""
        if value not in self.made:
            raise _No(f"reads {value!r}, which is not the result of a layer")
        return self.made[value]

    def constant(self, node: Any, index: int) -> NDArray[Any] | None:
        """Return the numbers that a node reads; None where it reads none."""
        if index >= len(node.input) or not node.input[index]:
            return None
        if node.input[index] not in self.stored:
            raise _No(f"reads {node.input[index]!r}, which is not stored in the file")
        return self.stored[node.input[index]]


def _same(builder: _Builder, source: str, chosen: Mapping[str, Any], kernel: tuple[int, ...]) -> Any:
    """Work out padding that keeps ceil(n / stride) positions; an odd pixel comes last, or first for LOWER."""
    strides, dilations = chosen.get("strides", (1, 1)), chosen.get("dilations", (1, 1))
    sides = []
    for n, k, s, d in zip(builder.shapes[source][1:], kernel, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + span(k, dilation=d) - n, 0)
        small, large = total // 2, total - total // 2
        sides.append((large, small) if chosen["auto_pad"] == b"SAME_LOWER" else (small, large))
    return tuple(sides)


def _conv(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    source, weight, bias = builder.source(node), builder.constant(node, 1), builder.constant(node, 2)
    if weight is None or weight.ndim != 4:
        raise _No("is not a convolution of channels")
    arguments = onnx_.conv_arguments(chosen)
    if chosen.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        arguments["padding"] = _same(builder, source, chosen, weight.shape[2:])
    _with_parameters(
        builder,
        node,
        name,
        "Conv2d",
        source,
        {"weight": weight, "bias": bias},
        out_channels=weight.shape[0],
        kernel_size=weight.shape[2:],
        bias=bias is not None,
        **arguments,
    )


def _with_parameters(
    builder: _Builder,
    node: Any,
    name: str,
    kind: str,
    source: str,
    parameters: Mapping[str, NDArray[Any] | None],
    **arguments: Any,
) -> None:
    """Add a layer with its numbers."""
    name = builder.step(node, name, kind, [source], **arguments)
    builder.parameters[name] = {key: value for key, value in parameters.items() if value is not None}


def _conv_transpose(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    source, weight, bias = builder.source(node), builder.constant(node, 1), builder.constant(node, 2)
    if weight is None or weight.ndim != 4 or "output_shape" in chosen:
        raise _No("is not a transposed convolution of channels with explicit padding")
    arguments = onnx_.conv_arguments(chosen) | {"padding": _symmetric(chosen)}
    if any(chosen.get("output_padding", ())):
        arguments["output_padding"] = tuple(chosen["output_padding"])
    _with_parameters(
        builder,
        node,
        name,
        "ConvTranspose2d",
        source,
        {"weight": weight, "bias": bias},
        out_channels=weight.shape[1] * chosen.get("group", 1),
        kernel_size=weight.shape[2:],
        bias=bias is not None,
        **arguments,
    )


def _symmetric(chosen: Mapping[str, Any]) -> tuple[int, int]:
    """Take padding that is the same on opposite sides, as torch has it."""
    if chosen.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise _No(f"has the padding {chosen['auto_pad'].decode()}, which torch does not support")
    top, left, bottom, right = chosen.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        raise _No(f"pads by {top},{bottom},{left},{right} (top, bottom, left, right), which torch does not")
    return top, left


def _pool(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    source = builder.source(node)
    arguments: dict[str, Any] = {
        "kernel_size": tuple(chosen["kernel_shape"]),
        "stride": tuple(chosen.get("strides", (1, 1))),
        "padding": _symmetric(chosen),
        "ceil_mode": bool(chosen.get("ceil_mode", 0)),
    }
    dilations = tuple(chosen.get("dilations", (1, 1)))
    if node.op_type == "AveragePool":
        if dilations != (1, 1):
            raise _No("has a dilation, which torch does not support")
        arguments["count_include_pad"] = bool(chosen.get("count_include_pad", 0))
        builder.step(node, name, "AvgPool2d", [source], **arguments)
    else:
        builder.step(node, name, "MaxPool2d", [source], dilation=dilations, **arguments)


def _global_pool(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    builder.step(node, name, "AdaptiveAvgPool2d", [builder.source(node)], output_size=1)


def _mean(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    axes = chosen.get("axes")
    if axes is None:
        axes = builder.constant(node, 1)
    if axes is None or sorted(int(axis) % 4 for axis in axes) != [2, 3]:
        raise _No("takes a mean over other axes than height and width")
    _global_pool(builder, node, chosen, name)
    if not chosen.get("keepdims", 1):
        builder.step(node, f"{name}.flat", "Flatten", [builder.made[node.output[0]]])


def _batch_norm(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    if chosen.get("training_mode", 0):
        raise _No("normalises as in training")
    values = [builder.constant(node, index) for index in range(1, 5)]
    parameters = dict(zip(("weight", "bias", "running_mean", "running_var"), values, strict=True))
    _with_parameters(
        builder,
        node,
        name,
        "BatchNorm2d",
        builder.source(node),
        parameters,
        eps=float(chosen.get("epsilon", 1e-5)),
    )


def _pointwise(kind: str) -> Callable[[_Builder, Any, Mapping[str, Any], str], None]:
    """Make what converts an operation without numbers."""

    def convert(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
        arguments = {"negative_slope": float(chosen.get("alpha", 0.01))} if kind == "LeakyReLU" else {}
        builder.step(node, name, kind, [builder.source(node)], **arguments)

    return convert


def _softmax(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    source = builder.source(node)
    axes = len(builder.shapes[source]) + 1
    axis = chosen.get("axis", 1 if axes == 2 else -1) % axes
    if axis == 0:
        raise _No("goes over the batch")
    builder.step(node, name, "Softmax", [source], dim=axis)


def _flatten(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    source = builder.source(node)
    count = math.prod(builder.shapes[source])
    if node.op_type == "Flatten" and chosen.get("axis", 1) not in (1, -3):
        raise _No(f"flattens from axis {chosen['axis']}")
    if node.op_type == "Reshape":
        target = builder.constant(node, 1)
        shape = [] if target is None else [int(side) for side in target]
        if len(shape) != 2 or shape[1] not in (-1, count) or shape[0] not in (-1, 0, 1):
            raise _No(f"makes the shape {shape}, which is not a flattening")
    if len(builder.shapes[source]) == 1:
        builder.made[node.output[0]] = source
    else:
        builder.step(node, name, "Flatten", [source])


def _gemm(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    source, weight, bias = builder.source(node), builder.constant(node, 1), builder.constant(node, 2)
    if weight is None or weight.ndim != 2 or chosen.get("transA", 0):
        raise _No("is not a linear layer")
    weight = weight if node.op_type == "Gemm" and chosen.get("transB", 0) else weight.T
    weight = np.ascontiguousarray(weight * np.float32(chosen.get("alpha", 1.0)))
    if bias is not None:
        bias = np.broadcast_to(bias.ravel(), weight.shape[:1]) * np.float32(chosen.get("beta", 1.0))
    parameters = {"weight": weight, "bias": bias}
    arguments = {"out_features": weight.shape[0], "bias": bias is not None}
    _with_parameters(builder, node, name, "Linear", source, parameters, **arguments)


def _add(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    constants = [index for index, one in enumerate(node.input) if one in builder.stored]
    if not constants:
        builder.step(node, name, "Add", [builder.source(node, index) for index in range(len(node.input))])
        return
    # Exporters split a bias off: then it is that of the layer before, if nothing else reads what that makes.
    other = 1 - constants[0]
    bias = builder.constant(node, constants[0])
    source = builder.source(node, other)
    last = builder.steps[-1] if builder.steps else None
    if bias is None or last is None or last.name != source or builder.uses[node.input[other]] > 1:
        raise _No("adds stored numbers to something else than a layer without a bias")
    count = builder.shapes[source][0]
    fits = bias.size == count and (bias.ndim == 1) == (len(builder.shapes[source]) == 1)
    if last.arguments.get("bias", True) or "weight" not in builder.parameters.get(source, {}) or not fits:
        raise _No(f"adds stored numbers {shape_text(bias.shape)}, which are not the bias of a layer")
    builder.steps[-1] = Step(last.name, last.kind, {**last.arguments, "bias": True}, last.inputs)
    builder.parameters[source]["bias"] = bias.ravel()
    builder.made[node.output[0]] = source


def _multiply(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    """Take a value times its sigmoid for SiLU; no other product is a layer."""
    for own, gate in ((0, 1), (1, 0)):
        last = builder.steps[-1] if builder.steps else None
        if (
            last is not None
            and last.kind is Sigmoid
            and builder.made.get(node.input[gate]) == last.name
            and last.inputs == (builder.made.get(node.input[own]),)
            and builder.uses[node.input[gate]] == 1
        ):
            builder.steps.pop()
            builder.step(node, name, "SiLU", list(last.inputs))
            return
    raise _No("multiplies what is not a value and its sigmoid")


def _nothing(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    builder.made[node.output[0]] = builder.source(node)


def _no_layer(builder: _Builder, node: Any, chosen: Mapping[str, Any], name: str) -> None:
    raise _No(f"is none of {', '.join(sorted(_CONVERT))}")


# One row per operation of ONNX.
_CONVERT: dict[str, Callable[[_Builder, Any, Mapping[str, Any], str], None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "ReduceMean": _mean,
    "BatchNormalization": _batch_norm,
    "Relu": _pointwise("ReLU"),
    "LeakyRelu": _pointwise("LeakyReLU"),
    "Sigmoid": _pointwise("Sigmoid"),
    "Softmax": _softmax,
    "Flatten": _flatten,
    "Reshape": _flatten,
    "Gemm": _gemm,
    "MatMul": _gemm,
    "Add": _add,
    "Sum": _add,
    "Mul": _multiply,
    "Identity": _nothing,
    "Dropout": _nothing,
}
