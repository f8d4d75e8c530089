"""Integers in ONNX graphs: the real numbers that they represent."""

from dataclasses import dataclass
from typing import Any

from convviz.compute.networks.onnx_graph import Graph

# The inputs of an operation that are the scale and the zero point of its output.
_SCALED_BY = {
    "QuantizeLinear": 1,
    "QLinearConv": 6,
    "QLinearMatMul": 6,
    "QLinearAdd": 6,
    "QLinearMul": 6,
    "QGemm": 7,
    "QLinearGlobalAveragePool": 3,
    "QLinearAveragePool": 3,
    "QLinearLeakyRelu": 3,
    "QLinearSigmoid": 3,
    "QLinearSoftmax": 3,
    "QLinearReduceMean": 3,
    "QLinearConcat": 0,
}
# The outputs of these are values of their first input.
_ONLY_MOVED = (
    *("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather"),
    *("Concat", "Resize", "Upsample", "Identity", "Expand", "Tile", "Pad", "DepthToSpace", "SpaceToDepth"),
)


@dataclass(frozen=True, slots=True)
class Fetch:
    """How to compute the real numbers of a value.

    Parameters
    ----------
    value : str
        The value to compute.
    scale, zero : str
        The values that hold scale and zero point; empty if there are none.
    """

    value: str
    scale: str = ""
    zero: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All values that must be computed."""
        return tuple(filter(None, (self.value, self.scale, self.zero)))


def fetch(graph: Graph, value: str) -> Fetch:
    """Find how a value represents real numbers; a real value represents itself."""
    index = graph.makers.get(value)
    if index is None:
        return Fetch(value)
    node = graph.nodes[index]
    if node.op_type in _SCALED_BY:
        at = _SCALED_BY[node.op_type]
        scale, zero = (*node.input[at : at + 2], "")[:2]
        return Fetch(value, scale, zero)
    if node.op_type == "DynamicQuantizeLinear" and value == node.output[0]:
        return Fetch(value, node.output[1], node.output[2])
    if node.op_type == "ConvInteger":
        scaled = scaled_sum(graph, node)
        return Fetch(scaled[0] if scaled else value)
    if node.op_type in _ONLY_MOVED and node.input:
        before = fetch(graph, node.input[0])
        return Fetch(value, before.scale, before.zero) if before.scale else Fetch(value)
    return Fetch(value)


def scaled_sum(graph: Graph, node: Any) -> tuple[str, str, str] | None:
    """Find the operation that turns the sum of a ConvInteger or a MatMulInteger into real numbers.

    Returns
    -------
    tuple of str, or None
        Three names: the scaled value, with the bias added if there is one; the scale; the bias,
        or an empty text. None if the sum takes another path.
    """
    made, whole_bias = node.output[0], ""
    cast = _only_reader(graph, made)
    if cast is not None and cast.op_type == "Add":
        # The bias may be added before, as an integer that depends on the scale of the input.
        other = next((one for one in cast.input if one != made), "")
        whole_bias = _divided(graph, other)
        cast = _only_reader(graph, cast.output[0]) if whole_bias else None
    if cast is None or cast.op_type != "Cast":
        return None
    scaled = _only_reader(graph, cast.output[0])
    if scaled is None or scaled.op_type != "Mul":
        return None
    scale = next((one for one in scaled.input if one != cast.output[0]), "")
    if whole_bias:
        return scaled.output[0], scale, whole_bias
    added = _only_reader(graph, scaled.output[0])
    if added is not None and added.op_type == "Add":
        bias = next((one for one in added.input if one != scaled.output[0]), "")
        if bias and bias not in graph.live:
            return added.output[0], scale, bias
    return scaled.output[0], scale, ""


def _divided(graph: Graph, value: str) -> str:
    """Return the stored numbers that a division quantizes; empty if the value is made differently."""
    while (index := graph.makers.get(value)) is not None:
        node = graph.nodes[index]
        if node.op_type == "Div":
            return node.input[0] if node.input[0] not in graph.live else ""
        if node.op_type not in ("Reshape", "Cast", "Floor", "Round", "Unsqueeze"):
            return ""
        value = node.input[0]
    return ""


def scale_of_weight(graph: Graph, scale: str) -> str:
    """Return the weight's part of the total scale of a ConvInteger; empty if there is none."""
    index = graph.makers.get(scale)
    if index is None or graph.nodes[index].op_type != "Mul":
        return ""
    parts = [one for one in graph.nodes[index].input if one not in graph.live]
    return parts[0] if len(parts) == 1 else ""


def is_scale(graph: Graph, value: str) -> bool:
    """Return whether a value is the scale of an array that is quantized while the network runs."""
    index = graph.makers.get(value)
    if index is None or graph.nodes[index].op_type != "DynamicQuantizeLinear":
        return False
    return bool(graph.nodes[index].output[1] == value)


def _only_reader(graph: Graph, value: str) -> Any:
    """Return the operation that reads a value, if exactly one does."""
    found = graph.takers(value)
    return graph.nodes[found[0]] if len(found) == 1 and value not in graph.outputs else None
