"""Parameters and multiply-accumulate operations (MACs) of ONNX operations."""

import math
import re
from collections.abc import Mapping
from typing import Any

from convviz.compute.networks.onnx_graph import Graph, Value, dtype_of
from convviz.compute.networks.onnx_names import CONVOLUTIONS
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
    for at in _PARAMETERS.get(node.op_type, ()):
        value = node.input[at] if at < len(node.input) else ""
        if not value or value in graph.live:
            continue
        for name in set(graph.leaves(value)) - counted:
            tensor = graph.tensors[name]
            whole = node.op_type in ("QLinearConv", "ConvInteger", "MatMulInteger", "QLinearMatMul", "QGemm")
            if not whole and dtype_of(tensor.data_type).kind not in "fV" and tensor.data_type not in _SMALL:
                continue
            if node.op_type in _PERHAPS and _NAMELESS.fullmatch(name):
                continue
            counted.add(name)
            total += math.prod(tensor.dims)
    return total


# Integers of at most 8 bits, such as the weights that a DequantizeLinear reads.
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
