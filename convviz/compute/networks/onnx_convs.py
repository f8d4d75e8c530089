"""ONNX convolutions as the layers that convviz explains."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.compute.networks import onnx_quantized
from convviz.compute.networks.engine import Convolution, Rounding
from convviz.compute.networks.onnx_graph import Graph
from convviz.errors import ConvvizError, SpecError
from convviz.files import onnx_
from convviz.files.onnx_ import dequantized
from convviz.spec.geometry import HW
from convviz.spec.layers import AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d
from convviz.text import printable

Look = Callable[[str], NDArray[Any]]

_ROUNDED = (
    "stored as whole numbers (QLinearConv): the weight is (q - zero point) * scale; the network clips and "
    "rounds the maps to what their {bits} bits hold: {held}"
)
_UNSCALED = "stored as whole numbers (ConvInteger): the weight is q - zero point, without a scale"


def convolution(
    graph: Graph, node: Any, look: Look, *, name: str, what: str, remark: str = ""
) -> Convolution:
    """Describe one convolution.

    Parameters
    ----------
    graph : Graph
        Its graph.
    node : onnx.NodeProto
        The operation.
    look : callable
        The function that returns the array of a value that does not depend on the input.
    name : str
        The name of the convolution.
    what : str
        The name of the convolution in messages.
    remark : str
        Remarks that are already known.

    Raises
    ------
    SpecError
        If it is not a 2-D convolution, or if no layer of convviz describes it.
    """
    weight, bias, more = _numbers(graph, node, look)
    if weight.ndim != 4:
        raise SpecError(f"{what} convolves along {weight.ndim - 2} axes; expected 2.")
    arguments = onnx_.conv_arguments(_attributes_of(node), weight.shape, what)
    arguments["bias"] = bias is not None
    transposed = node.op_type == "ConvTranspose"
    try:
        layer = _transposed(node, weight.shape, arguments) if transposed else _conv(weight.shape, arguments)
    except ConvvizError as error:
        raise SpecError(f"{what} is none of torch: {printable(str(error))}") from None
    if bias is not None and bias.shape != (layer.out_channels,):
        raise SpecError(f"{what} has a bias of shape {bias.shape}; expected ({layer.out_channels},).")
    rounding = None
    if node.op_type == "QLinearConv":
        rounding, more = _rounding(node, look)
    remark = "; ".join(filter(None, (remark, more)))
    floats = None if bias is None else np.ascontiguousarray(bias, np.float32)
    return Convolution(name, layer, np.ascontiguousarray(weight, np.float32), floats, remark, rounding)


def _rounding(node: Any, look: Look) -> tuple[Rounding, str]:
    """Return how the output of a QLinearConv is rounded, and a remark on it.

    A quantizer leaves out a Relu after it where the smallest number that can be stored is 0.
    """
    step = float(look(node.input[6]).reshape(()))
    zero = look(node.input[7]).reshape(()) if node.input[7] else np.uint8(0)
    ends = np.iinfo(zero.dtype)
    low, high = ((end - int(zero)) * step for end in (ends.min, ends.max))
    found = Rounding(low, high, step)
    return found, _ROUNDED.format(bits=ends.bits, held=found.words)


def _attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes that all convolutions share."""
    found = onnx_.attributes(node)
    if node.op_type == "ConvTranspose":
        found.pop("output_padding", None)
        found.pop("output_shape", None)
    return found


def _conv(shape: tuple[int, ...], arguments: dict[str, Any]) -> Conv2d:
    """Build the layer of a convolution."""
    groups = arguments.get("groups", 1)
    return Conv2d(shape[1] * groups, shape[0], HW(*shape[2:]), **arguments)


def _transposed(node: Any, shape: tuple[int, ...], arguments: dict[str, Any]) -> ConvTranspose2d:
    """Build a transposed layer; a smaller cut at the end than at the start becomes output padding."""
    chosen = onnx_.attributes(node)
    if isinstance(arguments.get("padding"), str) or "output_shape" in chosen:
        raise SpecError("its padding depends on the size of its output.")
    (top, bottom), (left, right) = arguments.pop("padding", ((0, 0), (0, 0)))
    more = chosen.get("output_padding", [0, 0])
    added = (more[0] + top - bottom, more[1] + left - right)
    if min(added) < 0:
        raise SpecError(
            "its output is cropped more at the end than at the start; torch does not support this."
        )
    groups = arguments.get("groups", 1)
    return ConvTranspose2d(
        shape[0], shape[1] * groups, HW(*shape[2:]), padding=(top, left), output_padding=added, **arguments
    )


def _numbers(graph: Graph, node: Any, look: Look) -> tuple[NDArray[Any], NDArray[Any] | None, str]:
    """Return weight and bias as real numbers, and a remark on how the network's numbers differ."""

    def given(at: int) -> NDArray[Any] | None:
        return look(node.input[at]) if at < len(node.input) and node.input[at] else None

    if node.op_type == "QLinearConv":
        stored, scale, zero = given(3), given(4), given(5)
        assert stored is not None
        assert scale is not None
        weight = dequantized(stored, zero, scale, axis=0 if scale.size > 1 else None)
        bias, of_input = given(8), given(1)
        if bias is not None and of_input is not None:
            bias = dequantized(
                bias,
                None,
                (of_input.astype(np.float32) * scale).reshape(-1),
                axis=0 if scale.size > 1 else None,
            )
        return weight, bias, ""
    if node.op_type == "ConvInteger":
        stored, zero = look(node.input[1]), given(3)
        scaled = onnx_quantized.scaled_sum(graph, node)
        name = "" if scaled is None else onnx_quantized.scale_of_weight(graph, scaled[1])
        if scaled is None or not name:
            return (
                dequantized(stored, zero, None, axis=0 if zero is not None and zero.size > 1 else None),
                None,
                _UNSCALED,
            )
        scale = look(name).reshape(-1)
        apart = scale.size > 1 or (zero is not None and zero.size > 1)
        weight = dequantized(stored, zero, scale, axis=0 if apart else None)
        return weight, look(scaled[2]).reshape(-1) if scaled[2] else None, ""
    weight = look(node.input[1])
    return weight, given(2), ""


def pooling(node: Any, what: str) -> MaxPool2d | AvgPool2d:
    """Describe a MaxPool or an AveragePool.

    Parameters
    ----------
    node : onnx.NodeProto
        The operation.
    what : str
        Its name in messages.

    Raises
    ------
    SpecError
        If it has no windows of two axes, or a padding that torch's layers do not have.

    Examples
    --------
    >>> import onnx
    >>> pads = {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 1, 0]}
    >>> pooling(onnx.helper.make_node("MaxPool", ["x"], ["y"], **pads), "pool")
    MaxPool2d(kernel_size=3, stride=(2, 1), padding=(1, 0), dilation=1, ceil_mode=False)
    """
    given = onnx_.attributes(node)
    kernel = tuple(given.pop("kernel_shape", ()))
    if len(kernel) != 2:
        raise SpecError(f"{what} has windows along {len(kernel)} axes; expected 2.")
    ceil, count = bool(given.pop("ceil_mode", 0)), bool(given.pop("count_include_pad", 0))
    found = onnx_.conv_arguments(given, what=what)
    padding = found.get("padding", 0)
    if isinstance(padding, str) or (padding and any(before != after for before, after in padding)):
        raise SpecError(f"{what} has a padding that differs between opposite sides; run draws what it makes.")
    edge = tuple(before for before, _ in padding) if padding else 0
    stride, dilation = found.get("stride", 1), found.get("dilation", 1)
    try:
        if node.op_type == "MaxPool":
            return MaxPool2d(kernel, stride, edge, dilation, ceil)
        if dilation == 1:
            return AvgPool2d(kernel, stride, edge, ceil, count)
    except ConvvizError as error:
        raise SpecError(f"{what} is none of torch: {printable(str(error))}") from None
    raise SpecError(f"{what} takes means of windows with gaps, which torch does not have.")
