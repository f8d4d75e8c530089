"""Whole numbers in ONNX graphs: the real numbers that they stand for."""

from dataclasses import dataclass
from typing import Any

from convviz.compute.networks.onnx_graph import Graph

# At which inputs of an operation scale and zero point of its output stand.
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
# What these give are values of their first input.
_ONLY_MOVED = (
    *("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather"),
    *("Concat", "Resize", "Upsample", "Identity", "Expand", "Tile", "Pad", "DepthToSpace", "SpaceToDepth"),
)


@dataclass(frozen=True, slots=True)
class Fetch:
    """How the real numbers of a value are had.

    Parameters
    ----------
    value : str
        What to compute.
    scale, zero : str
        The values that tell scale and zero point; empty where there are none.
    """

    value: str
    scale: str = ""
    zero: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that is to be computed."""
        return tuple(filter(None, (self.value, self.scale, self.zero)))


def fetch(graph: Graph, value: str) -> Fetch:
    """Find out how a value stands for real numbers; what is real stands for itself."""
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
    """Find where the sum of a ConvInteger becomes real.

    Returns
    -------
    tuple of str, or None
        The value with the scale, and with the bias where there is one; the scale; and the
        bias or nothing. None where the sum goes another way.
    """
    made, whole_bias = node.output[0], ""
    cast = _only_reader(graph, made)
    if cast is not None and cast.op_type == "Add":
        # The bias may be added before, as a whole number that depends on the scale of the input.
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
    """Find the stored numbers that became whole by a division; empty where a value is made otherwise."""
    while (index := graph.makers.get(value)) is not None:
        node = graph.nodes[index]
        if node.op_type == "Div":
            return node.input[0] if node.input[0] not in graph.live else ""
        if node.op_type not in ("Reshape", "Cast", "Floor", "Round", "Unsqueeze"):
            return ""
        value = node.input[0]
    return ""


def scale_of_weight(graph: Graph, scale: str) -> str:
    """Find the scale of the weight of a ConvInteger within its whole scale; empty if there is none."""
    index = graph.makers.get(scale)
    if index is None or graph.nodes[index].op_type != "Mul":
        return ""
    parts = [one for one in graph.nodes[index].input if one not in graph.live]
    return parts[0] if len(parts) == 1 else ""


def _only_reader(graph: Graph, value: str) -> Any:
    """Return the one operation that reads a value."""
    found = graph.takers(value)
    return graph.nodes[found[0]] if len(found) == 1 and value not in graph.outputs else None
