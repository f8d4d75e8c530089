"""Names for the operations of an ONNX graph: those of the torch modules, if they are known."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from convviz.compute.networks.onnx_graph import Graph
from convviz.errors import UnknownNameError

# The endings of array names after the name of a module, by torch and by onnxruntime's quantization.
_WEIGHT = re.compile(r"(.+)\.weight(?:_quantized|_q)?", re.DOTALL)
# The input of a convolution that is its weight.
CONVOLUTIONS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3}
_WEIGHTED = CONVOLUTIONS | {"Gemm": 1, "MatMul": 1}
# The metadata that the newer exporter stores with an operation.
_SCOPES, _RULES = "pkg.torch.onnx.name_scopes", "pkg.onnxscript.rewriter.rule_name"


@dataclass(slots=True)
class Names:
    """The names of operations.

    Parameters
    ----------
    own : dict of str
        The name of each operation, by its number; every name is unique.
    values : dict of (tuple of str)
        The values that a name refers to, for every name that a user may give.
    outer : set of str
        The names of modules that consist of several operations.
    folded : set of int
        The convolutions into which the exporter folded a batch normalization.
    """

    own: dict[int, str] = field(default_factory=dict)
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    outer: set[str] = field(default_factory=set)
    folded: set[int] = field(default_factory=set)

    def find(self, name: str) -> tuple[str, ...]:
        """Find the values that a name refers to.

        Raises
        ------
        UnknownNameError
            If no operation or value has that name.
        """
        # The older exporter writes relu_1 for the second call of relu.
        again = re.fullmatch(r"(.+):([0-9]{1,6})", name)
        other = f"{again[1]}_{int(again[2]) - 1}" if again else name
        for one in (name, other):
            if one in self.values:
                return self.values[one]
        raise UnknownNameError("layer", name, self.own.values())


@dataclass(frozen=True, slots=True)
class _Origin:
    """The module that an operation comes from, and its role in the module."""

    module: str
    label: str


def names_of(graph: Graph) -> Names:
    """Name the operations of a graph that depend on its input.

    Returns
    -------
    Names
        If a module consists of one operation, the operation has the name of the module, so that
        a user of torch finds it. If a module consists of several, its name refers to their joint
        output, and each operation is ``MODULE.OPERATION``. The names that the file itself gives
        to operations and values are accepted too.
    """
    found = Names()
    live = [
        index
        for index, node in enumerate(graph.nodes)
        if not graph.live.isdisjoint(one for one in node.output if one)
    ]
    origins = {index: origin for index in live if (origin := _origin(graph, index, found))}
    modules = _modules(graph, live, origins)
    exits = {values[0]: module for module, values in modules.items() if len(values) == 1}
    # A convolution takes the name of its module before what quantization puts around it.
    for index in sorted(live, key=lambda index: graph.nodes[index].op_type not in CONVOLUTIONS):
        node = graph.nodes[index]
        origin = origins.get(index)
        if origin is None or index in found.folded:
            name = _of_weight(graph, node) or (origin and origin.module) or node.name or node.output[0]
        elif node.op_type in CONVOLUTIONS and origin.module:
            name = origin.module
        else:
            own = [exits[one] for one in node.output if one in exits]
            of_module = [one for one in own if re.sub(r":[0-9]+$", "", one) == origin.module]
            name = of_module[0] if of_module else ".".join(filter(None, (origin.module, origin.label)))
        outputs = [one for one in node.output if one and (one in graph.readers or one in graph.outputs)]
        found.own[index] = name = _free(name, found.values)
        found.values[name] = tuple(outputs or node.output[:1])
        if len(outputs) > 1:
            found.values |= {part_name(name, at): (one,) for at, one in enumerate(outputs)}
    found.own = dict(sorted(found.own.items()))
    found.outer = modules.keys() - found.values.keys()
    found.values |= {name: modules[name] for name in found.outer}
    for index in live:
        node = graph.nodes[index]
        for name in (node.name, *node.output):
            if name:
                values = found.values[found.own[index]] if name == node.name else (name,)
                found.values.setdefault(name, values)
    return found


def part_name(name: str, at: int | str) -> str:
    """Return the name of one of several arrays that a step makes."""
    return f"{name}[{at}]"


def _free(name: str, taken: Any) -> str:
    """Return a name that is not taken: calls of one module get different names."""
    if name not in taken:
        return name
    again = 2
    while f"{name}:{again}" in taken:
        again += 1
    return f"{name}:{again}"


def _modules(graph: Graph, live: Sequence[int], origins: dict[int, _Origin]) -> dict[str, tuple[str, ...]]:
    """Find the outputs of each call of each module: values made inside it and read outside.

    A call is a run of operations with no operation of another module between them.
    """
    calls: dict[str, list[set[int]]] = {}
    open_: dict[str, set[int]] = {}
    for index in live:
        if index not in origins:
            continue
        module = origins[index].module
        parts = module.split(".") if module else []
        inside = {".".join(parts[: n + 1]) for n in range(len(parts))}
        for ended in open_.keys() - inside:
            del open_[ended]
        for name in inside:
            if name not in open_:
                open_[name] = set()
                calls.setdefault(name, []).append(open_[name])
            open_[name].add(index)
    found: dict[str, tuple[str, ...]] = {}
    for name, runs in calls.items():
        for number, run in enumerate(_split(graph, runs), 1):
            exits = tuple(
                value
                for index in sorted(run)
                for value in graph.nodes[index].output
                if value in graph.outputs or not run.issuperset(graph.takers(value))
            )
            if exits:
                found[name if number == 1 else f"{name}:{number}"] = exits
    return found


def _split(graph: Graph, runs: Sequence[set[int]]) -> list[set[int]]:
    """Split single operations that do not read each other: they are several calls of one module."""
    found: list[set[int]] = []
    for run in runs:
        kinds = {graph.nodes[index].op_type for index in run}
        made = {value for index in run for value in graph.nodes[index].output}
        apart = all(made.isdisjoint(graph.read_by[index]) for index in run)
        found.extend([{index} for index in sorted(run)] if len(kinds) == 1 and apart else [run])
    return found


def _origin(graph: Graph, index: int, found: Names) -> _Origin | None:
    """Return the origin of an operation, from the metadata of torch's exporters."""
    node = graph.nodes[index]
    noted = {one.key: one.value for one in node.metadata_props}
    if _SCOPES in noted:
        if "FuseBatchNorm" in noted.get(_RULES, ""):
            found.folded.add(index)
        scopes = _listed(noted[_SCOPES])
        if len(scopes) > 1:
            return _Origin(scopes[-2], scopes[-1] if scopes[-1] in node.output else node.op_type)
    if not node.name.startswith("/"):
        return None
    *path, label = node.name[1:].split("/")
    # Weights that do not belong to a module do not have the name of one.
    renamed = len(node.input) > 2 and all(one.startswith("onnx::") for one in node.input[1:3])
    if path and renamed and node.op_type in ("Conv", "ConvTranspose"):
        found.folded.add(index)
    direct = _WEIGHT.fullmatch(node.input[1]) if len(node.input) > 1 else None
    if direct and path:
        # The name of a second call of a module ends in a number.
        last = re.sub(r"_[0-9]+$", "", path[-1].rpartition(".")[2])
        if re.sub(r"_[0-9]+$", "", direct[1].rpartition(".")[2]) == last:
            return _Origin(direct[1], label)
    return _Origin(_joined(path), label)


def _joined(path: Sequence[str]) -> str:
    """Join scopes to the name of a module; the parts of a Sequential repeat its name.

    Examples
    --------
    >>> _joined(["features", "features.1", "block", "block.0"])
    'features.1.block.0'
    """
    found = before = ""
    for part in path:
        if before and part.startswith(f"{before}."):
            found = found[: len(found) - len(before)] + part
        else:
            found = f"{found}.{part}" if found else part
        before = part
    return found


def _listed(text: str) -> list[str]:
    """Read a list of texts in Python's notation."""
    try:
        found = json.loads(text.replace("'", '"'))
    except ValueError:
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


def _of_weight(graph: Graph, node: Any) -> str:
    """Return the module whose weight an operation reads; empty if the weight has no torch name."""
    at = _WEIGHTED.get(node.op_type)
    for value in node.input[at : at + 1] if at else ():
        if value and value not in graph.live:
            for name in (value, *graph.leaves(value)):
                if part := _WEIGHT.fullmatch(name):
                    return part[1]
    return ""
