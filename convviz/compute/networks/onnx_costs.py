"""Parameters and multiply-accumulate operations (MACs) of ONNX operations."""

import math
import re
from collections.abc import Mapping
from typing import Any

from convviz.compute.networks.onnx_graph import Graph, Value, dtype_of
from convviz.compute.networks.onnx_names import CONVOLUTIONS
from convviz.compute.networks.onnx_quantized import is_scale, scaled_sum
from convviz.files import onnx_

# The inputs of an operation that are parameters. Batch normalization trains only the first two.
_PARAMETERS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1),
    "MatMulInteger": (1,),
    "QLinearMatMul": (3,),
    "QGemm": (3, 6),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "PRelu": (1,),
    "LSTM": (1, 2, 3),
    "DynamicQuantizeLSTM": (1, 2, 3),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
    "Add": (0, 1),
    "Mul": (0, 1),
    "Concat": (0, 1),
}
# In these operations a stored array is a parameter only if it has a name; others are constants.
_PERHAPS = ("Add", "Mul", "Concat")
_NAMELESS = re.compile(
    r"onnx::.*|val_[0-9]+|/.*|_.*|[0-9]+|.*(Constant|const|scalar|mask|mean|std).*", re.DOTALL
)

_PRODUCTS = ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "QGemm")
# Operations with multiplications that are not counted here.
_UNDEFINED = (
    "Einsum",
    "LSTM",
    "DynamicQuantizeLSTM",
    "GRU",
    "RNN",
    "Attention",
    "MultiHeadAttention",
    "If",
    "Loop",
    "Scan",
    "DeformConv",
)


def parameters(graph: Graph, node: Any, counted: set[str]) -> int:
    """Count the stored numbers that an operation multiplies or adds and that no earlier one uses.

    Weights and biases are counted, and the factors and offsets of a normalization: as they are stored, or
    as the file makes them of stored numbers, for example with a DequantizeLinear, a Cast, a Transpose or
    a Reshape. Means and variances, scales and zero points, sizes, axes and indices are not counted.

    Parameters
    ----------
    graph : Graph
        The graph.
    node : onnx.NodeProto
        The operation.
    counted : set of str
        The arrays that were counted before; this function adds those that it counts.
    """
    total = 0
    for value in _read(graph, node):
        if value in graph.live:
            continue
        for name in set(graph.leaves(value)) - counted:
            tensor = graph.tensors[name]
            if node.op_type in _PERHAPS and (_NAMELESS.fullmatch(name) or not _is_real(tensor)):
                continue
            counted.add(name)
            total += math.prod(tensor.dims)
    return total


def _read(graph: Graph, node: Any) -> list[str]:
    """List the inputs of an operation that are parameters if they are stored."""
    found = [node.input[at] for at in _PARAMETERS.get(node.op_type, ()) if at < len(node.input)]
    if node.op_type in ("ConvInteger", "MatMulInteger") and (scaled := scaled_sum(graph, node)):
        found.append(scaled[2])  # the bias, which a later operation adds
    if node.op_type == "Mul" and any(is_scale(graph, one) for one in node.input):
        return []  # the product of two scales
    return list(filter(None, found))


def _is_real(tensor: Any) -> bool:
    """Return whether numbers are real, or integers of at most 8 bits that stand for real ones."""
    return tensor.data_type in _SMALL or dtype_of(tensor.data_type).kind in "fV"


# The ONNX numbers of integers of at most 8 bits.
_SMALL = (2, 3, 21, 22)


def macs(node: Any, values: Mapping[str, Value]) -> int | None:
    """Count the multiply-accumulate operations for one picture; None if the number is not defined."""
    if node.op_type in _UNDEFINED or node.domain not in ("", "ai.onnx", "com.microsoft"):
        return None
    if node.op_type in CONVOLUTIONS:
        weight = _dims(values, node.input[CONVOLUTIONS[node.op_type]])
        maps = _dims(values, node.input[0] if node.op_type == "ConvTranspose" else node.output[0])
        return None if weight is None or maps is None else math.prod(maps) * math.prod(weight[1:])
    if node.op_type in _PRODUCTS:
        first, made = _dims(values, node.input[0]), _dims(values, node.output[0])
        if not first or made is None:
            return None
        summed = first[0] if onnx_.attributes(node).get("transA") else first[-1]
        return math.prod(made) * summed
    return 0


def _dims(values: Mapping[str, Value], name: str) -> tuple[int, ...] | None:
    """Look up a shape."""
    return values[name].dims if name in values else None
