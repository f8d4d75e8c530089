"""Networks in ONNX files, which onnxruntime runs; every activation has the name of its step."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.compute.networks import onnx_quantized
from convviz.compute.networks.engine import (
    KEPT_APART,
    POOLINGS,
    Activation,
    Convolution,
    Declared,
    Engine,
    Fed,
    Linear,
    NetworkStep,
    See,
    check_memory,
    no_convolution,
    of_last_shape,
    unbatched,
    unbatched_shape,
)
from convviz.compute.networks.onnx_convs import convolution, pooling
from convviz.compute.networks.onnx_costs import macs, parameters
from convviz.compute.networks.onnx_graph import Graph, Value, inner_convolutions, opened
from convviz.compute.networks.onnx_names import CONVOLUTIONS, Names, names_of, part_name
from convviz.compute.networks.onnx_quantized import Fetch
from convviz.compute.networks.onnx_reaches import fields_of
from convviz.compute.networks.onnx_session import Session, refused
from convviz.compute.networks.reaches import told
from convviz.errors import SpecError
from convviz.files import onnx_
from convviz.files.onnx_ import dequantized
from convviz.machine import memory
from convviz.spec.layers import AvgPool2d, MaxPool2d, Shape
from convviz.spec.network import INPUT
from convviz.text import plural, printable
from convviz.typing import Floats

FOLDED = f"the batch normalization after it is folded into its weights; {KEPT_APART}"
_WIDENED = "computed in float32, not in the bfloat16 of the file"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One array to show: its name, how to compute it, and how to compute the input of its step."""

    name: str
    fetch: Fetch
    read: Fetch | None

    @property
    def values(self) -> tuple[str, ...]:
        """All values that must be computed."""
        return self.fetch.names + (() if self.read is None else self.read.names)


class OnnxEngine(Engine):
    """The network of an ONNX file; `convviz.compute.networks.open_onnx` describes it."""

    runner = "onnxruntime"

    def __init__(self, path: Path, *, channels_last: bool = False) -> None:
        self._path = path
        self._graph: Graph = opened(path, channels_last=channels_last)
        self._names: Names = names_of(self._graph)
        self._session: Session | None = None
        self._constants: dict[str, NDArray[Any]] = {}

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._graph.name

    @property
    def title(self) -> str:
        """The name of the file without its folder."""
        return printable(self._path.name)

    @property
    def declared(self) -> Declared:
        """What the graph declares about its input."""
        return self._graph.declared

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of classes, if the metadata of the file holds them as a dict by number, as for detectors."""
        noted = {one.key: one.value for one in self._graph.model.metadata_props}
        try:
            found = ast.literal_eval(noted.get("names", ""))
            return tuple(str(found[number]) for number in range(len(found)))
        except (ValueError, SyntaxError, TypeError, KeyError, IndexError, RecursionError, MemoryError):
            return ()

    @cached_property
    def _stated_batch(self) -> int:
        """The number of pictures that the graph reads at once."""
        dims = self._graph.image.type.tensor_type.shape.dim
        return int(dims[0].dim_value) or 1 if len(dims) == 4 else 1

    # --- the steps

    @cached_property
    def joint(self) -> dict[str, str]:
        """The modules of torch that consist of several operations and make one array."""
        values = self._names.values
        makers = {values[name]: name for name in self._names.own.values()}
        return {
            name: makers[values[name]]
            for name in self._names.outer
            if values[name] in makers and not all(map(self._is_quantized, values[name]))
        }

    def step_name(self, name: str) -> str:
        """Return the name of the step that makes a value of the file, or the output of a module of torch."""
        if name in self._names.own.values():
            return name
        values = self._names.find(name)
        return self._makers.get(values[0], name) if len(values) == 1 else name

    @cached_property
    def _makers(self) -> dict[str, str]:
        """The step that makes each value."""
        values = self._names.values
        return {
            one: part_name(name, at) if len(values[name]) > 1 else name
            for name in self._names.own.values()
            for at, one in enumerate(values[name])
        }

    def _is_quantized(self, value: str) -> bool:
        """Return whether a value is only read as integers: a quantizer may leave out a layer there."""
        kinds = {str(self._graph.nodes[index].op_type) for index in self._graph.takers(value)}
        return kinds == {"QuantizeLinear"}

    @of_last_shape
    def steps(self, shape: Shape) -> tuple[NetworkStep, ...]:
        """List the operations that depend on the picture."""
        self._graph.check(shape)
        values = self._complete(shape)
        fields = fields_of(self._graph, values)
        counted: set[str] = set()
        found: list[NetworkStep] = []
        makers = {self._graph.image.name: INPUT, **self._makers}
        for index, name in self._names.own.items():
            node, outputs = self._graph.nodes[index], self._names.values[name]
            read = [one for one in node.input if one in self._graph.live]
            inputs = tuple(makers[one] for one in read if one in makers)
            for at, output in enumerate(outputs):
                made = self._shape(values, output)
                dims = values[output].dims if output in values else None
                found.append(
                    NetworkStep(
                        makers[output],
                        str(node.op_type),
                        tuple(self._shape(values, one) for one in read),
                        made,
                        0 if at else parameters(self._graph, node, counted),
                        0 if at else macs(node, values),
                        self._convolution(index, values),
                        remark=self._remark(index),
                        inputs=inputs,
                        folded=index in self._names.folded,
                        **told(fields.get(output), len(dims or ()), made),
                    )
                )
        return tuple(found)

    def _shape(self, values: Mapping[str, Value], value: str) -> Shape | None:
        """Return a shape without the batch axis."""
        dims = values[value].dims if value in values else None
        if dims is None:
            return None
        if self._stated_batch > 1 and dims[:1] == (self._stated_batch,):
            return dims[1:]
        return unbatched_shape(dims)

    def _convolution(self, index: int, values: Mapping[str, Value]) -> str:
        """Return the kind of layer that a 2-D convolution is; empty for other operations."""
        node = self._graph.nodes[index]
        if node.op_type not in CONVOLUTIONS:
            return ""
        weight = values.get(node.input[CONVOLUTIONS[node.op_type]])
        if weight is None or weight.dims is None or len(weight.dims) != 4:
            return ""
        return "ConvTranspose2d" if node.op_type == "ConvTranspose" else "Conv2d"

    def _remark(self, index: int) -> str:
        """Return how a step differs from what its name says."""
        remarks = [FOLDED] if index in self._names.folded else []
        remarks += [_WIDENED] if self._graph.widened else []
        if count := inner_convolutions(self._graph.nodes[index]):
            remarks.append(f"{plural(count, 'convolution')} inside its graphs run with it and are not listed")
        return "; ".join(remarks)

    @of_last_shape
    def _values(self, shape: Shape) -> dict[str, Value]:
        """Infer the shapes of all values."""
        return self._graph.values(shape)

    def _complete(self, shape: Shape) -> dict[str, Value]:
        """Compute the shapes that inference could not find, if they can be computed."""
        values = self._values(shape)
        never = refused(self._graph)
        unknown = [
            one
            for name in self._names.own.values()
            for one in self._names.values[name]
            if (one not in values or values[one].dims is None) and one not in never
        ]
        if unknown:
            x = np.zeros(shape, np.float32)
            for group in self._groups([_Wanted(one, Fetch(one), None) for one in unknown], shape, kept=False):
                made = self._run([one.name for one in group], x)
                for name, array in made.items():
                    number = values[name].dtype if name in values else 0
                    values[name] = Value(number, tuple(array.shape))
        return values

    def value_names(self, name: str) -> tuple[str, str]:
        """Return the names in the file of the input and the output of a step."""
        (value, *_) = self._names.find(name)
        index = self._graph.makers.get(value)
        node = None if index is None else self._graph.nodes[index]
        # What a convolution of whole numbers reads is not what `visit` gives.
        whole = node is not None and node.op_type in ("ConvInteger", "QLinearConv")
        return ("" if node is None or whole else str(node.input[0])), value

    # --- activations

    def visit(
        self, x: Floats, names: Sequence[str], see: See, *, reads: bool = False, kept: bool = False
    ) -> None:
        """Compute the steps with onnxruntime, in groups that fit into memory."""
        self._graph.check(x.shape)
        wanted = [one for name in dict.fromkeys(names) for one in self._wanted(name, reads=reads)]
        for group in self._groups(wanted, x.shape, kept=kept):
            made = self._run(list(dict.fromkeys(value for one in group for value in one.values)), x)
            last = {value: at for at, one in enumerate(group) for value in one.values}
            for at, one in enumerate(group):
                read = None if one.read is None else self._real(one.read, made)
                see(Activation(one.name, self._real(one.fetch, made), read))
                for value in one.values:
                    if last[value] == at:
                        made.pop(value, None)

    def _wanted(self, name: str, *, reads: bool) -> Iterator[_Wanted]:
        """Find the arrays that a name refers to."""
        values = self._names.find(name)
        for at, value in enumerate(values):
            index = self._graph.makers.get(value)
            read = None
            if reads and index is not None and name not in self._names.outer:
                live = [one for one in self._graph.nodes[index].input if one in self._graph.live]
                if len(live) == 1 or self._graph.nodes[index].op_type in CONVOLUTIONS:
                    read = onnx_quantized.fetch(self._graph, live[0])
            label = part_name(name, at) if len(values) > 1 else name
            yield _Wanted(label, onnx_quantized.fetch(self._graph, value), read)

    def _groups(self, wanted: Sequence[_Wanted], shape: Shape, *, kept: bool) -> Iterator[list[_Wanted]]:
        """Split the wanted arrays into groups that fit into memory; refuse an array that never fits."""
        values = self._values(shape)
        sizes = [sum(values[value].bytes for value in one.values if value in values) for one in wanted]
        base = self._needed_without_outputs([value for one in wanted for value in one.values], values)
        # One array takes its memory twice while it is copied.
        most = max(sizes, default=0)
        check_memory(base + (sum(sizes) if kept else most) + most, self.name)
        if memory.fits(base + sum(sizes) + most):
            yield list(wanted)
            return
        room = max(memory.share() - base - most, most)
        group: list[_Wanted] = []
        held = 0
        for one, size in zip(wanted, sizes, strict=True):
            if group and held + size > room:
                yield group
                group, held = [], 0
            group.append(one)
            held += size
        yield group

    def _needed_without_outputs(self, wanted: Sequence[str], values: Mapping[str, Value]) -> int:
        """Count the bytes of the weights, plus the largest total of activations needed at one time."""
        graph = self._graph
        order = graph.needed(wanted)
        read = {value for index in order for value in graph.read_by[index]}
        weights = sum(values[name].bytes for name in graph.tensors if name in read)
        last = {value: at for at, index in enumerate(order) for value in graph.read_by[index]}
        ends: dict[int, list[str]] = {}
        for value, at in last.items():
            ends.setdefault(at, []).append(value)
        held = most = 0
        alive: dict[str, int] = {}
        for at, index in enumerate(order):
            for value in graph.nodes[index].output:
                alive[value] = values[value].bytes if value in values else 0
                held += alive[value]
            most = max(most, held)
            for value in (*ends.get(at, ()), *graph.nodes[index].output):
                if last.get(value, at) <= at:
                    held -= alive.pop(value, 0)
        return weights + most

    def _real(self, fetch: Fetch, made: Mapping[str, NDArray[Any]]) -> Floats:
        """Return the real numbers of an array without the batch axis."""
        values = made[fetch.value]
        if self._stated_batch > 1 and values.shape[:1] == (self._stated_batch,):
            values = values[:1]
        if fetch.scale:
            scale, zero = (made[one] if one else None for one in (fetch.scale, fetch.zero))
            assert scale is not None
            values = dequantized(values, zero, scale, axis=1 if scale.size > 1 else None)
        return unbatched(values)

    def _run(self, values: Sequence[str], x: Floats) -> dict[str, NDArray[Any]]:
        """Compute values of the graph for a picture; values that do not depend on it are computed once."""
        graph = self._graph
        made = {one: self._constant(one) for one in values if one not in graph.dependent}
        image = self._as_declared(x)
        if graph.image.name in values:
            made[graph.image.name] = image
        rest = [one for one in values if one not in made]
        if rest:
            known = self._values(x.shape) if graph.sized else None
            kept = self._session
            if kept is None or kept.values != tuple(rest) or (known is not None and kept.known is not known):
                self._session = kept = None  # free its memory before the next one is made
                self._session = kept = Session(graph, rest, known)
            made |= kept.run({graph.image.name: image})
        return made

    def fed(self, shape: Shape) -> Fed:
        """Describe the array that the graph reads for a picture of this shape."""
        declared = self.declared
        return Fed(
            self._graph.image.name, tuple(self._graph.dims(shape)), declared.dtype, declared.channels_last
        )

    def _as_declared(self, x: Floats) -> NDArray[Any]:
        """Arrange the axes of a picture as the graph declares them."""
        dtype = np.dtype(self.declared.dtype)
        laid = x.transpose(1, 2, 0) if self.declared.channels_last else x
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            laid = np.clip(np.rint(laid), limits.min, limits.max)
        shape = self._graph.dims(x.shape)
        return np.ascontiguousarray(np.broadcast_to(laid, shape), dtype)

    # --- convolutions

    def _constant(self, value: str) -> NDArray[Any]:
        """Compute a value that does not depend on the picture: a stored array, or one made from those."""
        if value in self._graph.tensors:
            return self._graph.array(value)
        if value not in self._constants:
            self._constants[value] = Session(self._graph, [value]).run({})[value]
        return self._constants[value]

    def pooling(self, name: str) -> MaxPool2d | AvgPool2d | None:
        """Describe an operation that is a pooling of windows."""
        index = self._graph.makers.get(self._names.find(name)[0])
        node = None if index is None else self._graph.nodes[index]
        if node is None or node.op_type not in POOLINGS:
            return None
        return pooling(node, f"{self.name}: the layer {printable(name)!r}")

    def conv(self, name: str) -> Convolution:
        """Describe a convolution with its weights, which may be computed from stored arrays."""
        values = self._names.find(name)
        index = self._graph.makers.get(values[0])
        node = None if index is None else self._graph.nodes[index]
        what = f"{self.name}: the layer {printable(name)!r}"
        if node is None or index is None or node.op_type not in CONVOLUTIONS:
            raise no_convolution(what, "" if node is None else printable(node.op_type))
        for value in node.input[1:]:
            if value in self._graph.dependent and value != self._scale_of_input(node):
                raise SpecError(
                    f"{what} has a weight that is computed from the input; it has no weight of its own."
                )
        return convolution(
            self._graph, node, self._constant, name=name, what=what, remark=self._remark(index)
        )

    def linear(self, name: str) -> Linear | None:
        """Return the numbers of a Gemm, or of a product with a stored matrix."""
        values = self._names.find(name)
        index = self._graph.makers.get(values[0])
        node = None if index is None else self._graph.nodes[index]
        if node is None or node.op_type not in ("Gemm", "MatMul"):
            return None
        if any(value in self._graph.dependent for value in node.input[1:]):
            return None
        chosen = onnx_.attributes(node)
        weight = self._constant(node.input[1]).astype(np.float32) * np.float32(chosen.get("alpha", 1))
        if weight.ndim != 2 or chosen.get("transA"):
            return None
        bias = None
        if len(node.input) > 2 and node.input[2]:
            bias = self._constant(node.input[2]).astype(np.float32) * np.float32(chosen.get("beta", 1))
        return Linear(weight if chosen.get("transB") else np.ascontiguousarray(weight.T), bias)

    def convolves(self, name: str) -> bool:
        """Return whether an operation is a 2-D convolution with its own weights."""
        self._names.find(name)
        try:
            self.conv(name)
        except SpecError:
            return False
        return True

    @staticmethod
    def _scale_of_input(node: Any) -> str:
        """Name the zero point of the input of a ConvInteger, which may depend on the picture."""
        return node.input[2] if node.op_type == "ConvInteger" and len(node.input) > 2 else ""
