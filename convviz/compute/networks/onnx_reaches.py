"""Receptive fields in an ONNX graph, found from the type of each operation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.compute.networks import reaches
from convviz.compute.networks.onnx_graph import Graph, Value
from convviz.compute.networks.onnx_names import CONVOLUTIONS
from convviz.compute.networks.onnx_session import Session, refused
from convviz.compute.networks.reaches import Along, Field, Operand, Unclear
from convviz.errors import ConvvizError
from convviz.files import onnx_
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d, ConvTranspose2d, Layer, Shape, Upsample


@dataclass(frozen=True, slots=True)
class _Call:
    """One operation, with the known facts about its inputs."""

    node: Any
    attributes: Mapping[str, Any]
    fields: Mapping[str, Field]
    values: Mapping[str, Value]
    look: Callable[[str], NDArray[Any] | None]
    opset: int

    def shape(self, name: str) -> Shape:
        """Return a shape if it is known."""
        dims = self.values[name].dims if name in self.values else None
        if dims is None:
            raise Unclear
        return dims

    @property
    def made(self) -> Shape:
        """The shape of the first output."""
        return self.shape(self.node.output[0])

    def operand(self, at: int) -> Operand | None:
        """Return an input if it depends on the picture."""
        name = self.node.input[at] if at < len(self.node.input) else ""
        return Operand(self.fields[name], self.shape(name)) if name in self.fields else None

    @property
    def first(self) -> Operand:
        """The first input, which must be the only one that depends on the picture."""
        found = self.operand(0)
        if found is None or len(self.operands) > 1:
            raise Unclear
        return found

    @property
    def operands(self) -> list[Operand]:
        """All inputs that depend on the picture."""
        found = [self.operand(at) for at in range(len(self.node.input))]
        return [one for one in found if one is not None]

    def numbers(self, at: int, name: str = "") -> list[Any] | None:
        """Return an input, or the attribute that older versions use for it; None if both are missing."""
        if name in self.attributes:
            return list(np.ravel(self.attributes[name]))
        if at >= len(self.node.input) or not self.node.input[at]:
            return None
        found = self.look(self.node.input[at])
        if found is None:
            raise Unclear
        return [one.item() for one in found.ravel()]

    def axis(self, default: int) -> int:
        """Return the attribute ``axis``."""
        return int(self.attributes.get("axis", default))

    def word(self, name: str, default: str) -> str:
        """Return a text attribute."""
        found = self.attributes.get(name, default)
        return found.decode(errors="replace") if isinstance(found, bytes) else str(found)


def fields_of(graph: Graph, values: Mapping[str, Value]) -> dict[str, Field]:
    """Find the receptive field of every value of a graph.

    Parameters
    ----------
    graph : Graph
        The graph.
    values : dict of Value
        The shapes of its values for one input.
    """
    axes = len(graph.image.type.tensor_type.shape.dim)
    first = axes - (3 if graph.declared.channels_last else 2)
    fields = {graph.image.name: reaches.picture(first, first + 1)}
    opset = next((one.version for one in graph.model.opset_import if one.domain in ("", "ai.onnx")), 1)

    settled = cache(lambda: graph.settled(values))
    together = cache(lambda whole: _small_numbers(whole, values))

    @cache
    def look(name: str) -> NDArray[Any] | None:
        if name in graph.tensors:
            return graph.array(name)
        whole = settled() if name in graph.dependent else graph
        if name in whole.dependent:
            return None
        known = together(whole)
        return known[name] if name in known else Session(whole, [name]).run({})[name]

    for index, node in enumerate(graph.nodes):
        live = [one for one in graph.read_by[index] if one in fields]
        if live and node.op_type not in _INDEPENDENT:
            call = _Call(node, onnx_.attributes(node), fields, values, look, opset)
            fields |= _followed(call, live)
    return fields


# Settings of operations, such as the start of a slice, are at most this many values.
_MOST_SETTINGS = 64


def _small_numbers(graph: Graph, values: Mapping[str, Value]) -> dict[str, NDArray[Any]]:
    """Compute all small inputs of operations that are computed, but not from the picture, in one session.

    A session of onnxruntime takes a hundredth of a second to begin, and a network may have hundreds of them.
    """
    never = refused(graph)
    wanted = [
        one
        for one in dict.fromkeys(name for node in graph.nodes for name in node.input)
        if one in graph.makers and one not in graph.dependent and one not in never
        if (known := values.get(one)) is not None and known.dims is not None
        if math.prod(known.dims) <= _MOST_SETTINGS
    ]
    try:
        return Session(graph, wanted).run({}) if wanted else {}
    except ConvvizError:  # one of them cannot be computed: each by itself
        return {}


def _followed(call: _Call, live: Sequence[str]) -> dict[str, Field]:
    """Follow one operation by the rule for its type, if there is such a rule."""
    known = call.node.domain in ("", "ai.onnx", "com.microsoft")
    rule = _RULES.get(call.node.op_type, _unclear) if known else _unclear
    try:
        found = rule(call)
    except (Unclear, ConvvizError, *_CONTRADICTIONS):
        found = reaches.unknown([Operand(call.fields[one], ()) for one in live])
    outputs = call.node.output
    return dict(zip(outputs, [found] * len(outputs) if isinstance(found, Field) else found, strict=False))


# The errors that an operation raises here if it does not have the attributes of its type.
_CONTRADICTIONS = (LookupError, TypeError, ValueError)
# The outputs of these do not depend on the values that they read. For DynamicQuantizeLinear see
# `_rounded`.
_INDEPENDENT = ("Shape", "Size", "EyeLike", "RandomNormalLike", "RandomUniformLike")


def _unclear(call: _Call) -> Field:
    raise Unclear


def _elementwise(call: _Call) -> Field:
    return reaches.elementwise(call.operands, call.made)


def _batch_norm(call: _Call) -> Field:
    if call.attributes.get("training_mode"):
        return reaches.mixed(call.first, [axis for axis in range(len(call.made)) if axis != 1])
    return reaches.elementwise([call.first], call.made)


def _rounded(call: _Call) -> list[Field]:
    """Follow the numbers only; scale and zero point depend on all values, but only affect rounding."""
    return [reaches.elementwise([call.first], call.made)]


def _windows(call: _Call, kernel: Sequence[int], kind: type[Layer]) -> Layer:
    """Build a layer with the windows of an operation."""
    if len(kernel) != 2:
        raise Unclear
    arguments = onnx_.conv_arguments(call.attributes)
    arguments.pop("groups", None)
    if kind is Conv2d:
        return Conv2d(1, 1, HW(*kernel), **arguments)
    padding = arguments.pop("padding", ((0, 0), (0, 0)))
    if isinstance(padding, str) or "output_shape" in call.attributes:
        raise Unclear
    (top, _), (left, _) = padding
    return ConvTranspose2d(1, 1, HW(*kernel), padding=(top, left), **arguments)


def _conv(call: _Call) -> Field:
    kernel = call.shape(call.node.input[CONVOLUTIONS[call.node.op_type]])[2:]
    kind = ConvTranspose2d if call.node.op_type == "ConvTranspose" else Conv2d
    layer = _windows(call, kernel, kind)
    return reaches.windowed(call.first, layer, summed=call.attributes.get("group", 1) == 1)


def _pool(call: _Call) -> Field:
    return reaches.windowed(call.first, _windows(call, call.attributes["kernel_shape"], Conv2d))


def _global(call: _Call) -> Field:
    return reaches.reduced(call.first, range(2, len(call.first.shape)), kept=True)


def _reduce(call: _Call) -> Field:
    axes = call.numbers(1, "axes")
    if not axes and call.attributes.get("noop_with_empty_axes"):
        return call.first.field
    every = range(len(call.first.shape))
    return reaches.reduced(call.first, axes or every, kept=bool(call.attributes.get("keepdims", 1)))


def _arg(call: _Call) -> Field:
    return reaches.reduced(call.first, [call.axis(0)], kept=bool(call.attributes.get("keepdims", 1)))


def _softmax(call: _Call) -> Field:
    if call.opset >= 13:
        return reaches.mixed(call.first, [call.axis(-1)])
    return _from_axis(call, 1)


def _from_axis(call: _Call, default: int) -> Field:
    count = len(call.first.shape)
    return reaches.mixed(call.first, range(call.axis(default) % count, count))


def _layer_norm(call: _Call) -> list[Field]:
    return [_from_axis(call, -1)]


def _instance_norm(call: _Call) -> Field:
    return reaches.mixed(call.first, range(2, len(call.first.shape)))


def _concat(call: _Call) -> Field:
    return reaches.concatenated(call.operands, call.axis(1))


def _split(call: _Call) -> list[Field]:
    axis, start, found = call.axis(0), 0, []
    for output in call.node.output:
        length = call.shape(output)[axis]
        found.append(reaches.sliced(call.first, axis, length, start=start))
        start += length
    return found


def _slice(call: _Call) -> Field:
    starts = call.numbers(1, "starts")
    axes, steps = call.numbers(3, "axes"), call.numbers(4)
    if starts is None:
        raise Unclear
    x = call.first
    for at, start in enumerate(starts):
        axis = (axes[at] if axes else at) % len(x.shape)
        n = x.shape[axis]
        begin = min(max(start + n if start < 0 else start, 0), n)
        field = reaches.sliced(x, axis, call.made[axis], start=begin, step=steps[at] if steps else 1)
        x = Operand(field, x.shape)
    return x.field


def _gather(call: _Call) -> Field:
    axis = call.axis(0) % len(call.first.shape)
    count = len(call.shape(call.node.input[1]))
    chosen = reaches.selected(call.first, axis)

    def behind(along: Along) -> Along:
        return along if along.axis is None or along.axis < axis else along.at(along.axis + count)

    return chosen.each(behind)


def _pad(call: _Call) -> Field:
    pads, axes = call.numbers(1, "pads"), call.numbers(3)
    if pads is None:
        raise Unclear
    count = len(call.first.shape)
    before, after = [0] * count, [0] * count
    half = len(pads) // 2
    for at, axis in enumerate(axes or range(count)):
        before[axis], after[axis] = pads[at], pads[at + half]
    return reaches.padded(call.first, before, after)


def _resize(call: _Call) -> Field:
    before, made = call.first.shape, call.made
    factors = [after // n for n, after in zip(before, made, strict=True)]
    exact = all(n * factor == after for n, factor, after in zip(before, factors, made, strict=True))
    if not exact or factors[:-2] != [1, 1]:
        raise Unclear
    scales = _scales(call)
    if scales and scales != factors:
        raise Unclear
    if factors == [1, 1, 1, 1]:
        return call.first.field
    return reaches.windowed(call.first, Upsample(HW(*factors[2:]), _resize_mode(call)))


def _scales(call: _Call) -> list[Any] | None:
    """Return the factors of the resize, if they are given."""
    if call.node.op_type == "Upsample" or call.opset < 11:
        return call.numbers(1, "scales")
    sizes = len(call.node.input) > 3 and call.node.input[3]
    return None if sizes else call.numbers(2)


def _resize_mode(call: _Call) -> str:
    """Return the mode of our `Upsample` that reads the same pixels."""
    mode = call.word("mode", "nearest")
    if call.node.op_type == "Upsample" or call.opset < 11:
        place, rounding = "asymmetric", "floor"
    else:
        place = call.word("coordinate_transformation_mode", "half_pixel")
        rounding = call.word("nearest_mode", "round_prefer_floor")
    halves = place in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
    if call.attributes.get("antialias"):
        raise Unclear
    if mode == "nearest" and (
        (place, rounding) == ("asymmetric", "floor") or (halves and rounding.startswith("round"))
    ):
        return "nearest"
    if mode == "linear" and halves:
        return "bilinear"
    raise Unclear


def _transpose(call: _Call) -> Field:
    order = call.attributes.get("perm", list(range(len(call.first.shape)))[::-1])
    return reaches.permuted(call.first, order)


def _reshape(call: _Call) -> Field:
    return reaches.reshaped(call.first, call.made)


def _matmul(call: _Call, second: int = 1) -> Field:
    return reaches.product(call.operand(0), call.operand(second), call.made)


def _gemm(call: _Call) -> Field:
    turned = [call.attributes.get(name, 0) for name in ("transA", "transB")]
    operands = [call.operand(at) for at in (0, 1)]
    first, second = (
        Operand(reaches.permuted(one, (1, 0)), one.shape[::-1]) if one and turn else one
        for one, turn in zip(operands, turned, strict=True)
    )
    found = Operand(reaches.product(first, second, call.made), call.made)
    added = call.operand(2)
    return reaches.elementwise([found, *([added] if added else [])], call.made)


def _depth_to_space(call: _Call) -> Field:
    return reaches.windowed(call.first, Upsample(int(call.attributes["blocksize"])))


def _space_to_depth(call: _Call) -> Field:
    size = int(call.attributes["blocksize"])
    return reaches.windowed(call.first, Conv2d(1, 1, size, size))


_Rule = Callable[[_Call], Field | list[Field]]
_ELEMENTWISE = (
    *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BiasGelu", "BitShift"),
    *("BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Celu", "Clip"),
    *("Cos", "Cosh", "DequantizeLinear", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Expand"),
    *("FastGelu", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity"),
    *("IsInf", "IsNaN", "LRN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish"),
    *("Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QLinearAdd", "QLinearLeakyRelu", "QLinearMul"),
    *("QLinearSigmoid", "QuantizeLinear", "QuickGelu", "Reciprocal", "Relu", "Round", "Selu", "Shrink"),
    *("Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh"),
    *("ThresholdedRelu", "Where", "Xor"),
)
_REDUCING = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(CONVOLUTIONS, _conv),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool"), _pool),
    **dict.fromkeys(
        ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"), _global
    ),
    **dict.fromkeys((f"Reduce{name}" for name in _REDUCING), _reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _softmax),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    **dict.fromkeys(("Concat", "QLinearConcat"), _concat),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    **dict.fromkeys(("MatMul", "MatMulInteger"), _matmul),
    "QLinearMatMul": lambda call: _matmul(call, 3),
    "BatchNormalization": _batch_norm,
    "DepthToSpace": _depth_to_space,
    "DynamicQuantizeLinear": _rounded,
    "Gather": _gather,
    "Gemm": _gemm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LpNormalization": lambda call: reaches.mixed(call.first, [call.axis(-1)]),
    "Pad": _pad,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Transpose": _transpose,
}
