"""The graph of an ONNX file: its operations, their dependence on the input, and shapes for an input."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from numpy.typing import NDArray

from convviz.compute.networks.engine import Declared
from convviz.errors import InputError, ShapeError
from convviz.files import onnx_
from convviz.files.outline import LARGE, outline
from convviz.files.paths import quoted
from convviz.spec.geometry import same_padding
from convviz.spec.layers import Shape, shape_text
from convviz.spec.layers.base import by_mode
from convviz.text import because, plural, printable

# These return the shape of their input; its values do not matter.
_SHAPES = ("Shape", "Size")
_TENSOR = onnx.TensorProto
# How many inputs of an operation are numbers of its output; the others say what it does with them.
_NUMBERS = {
    **dict.fromkeys(("ConstantOfShape", "Range", *_SHAPES), 0),
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear", "Cast", "CastLike", "Identity", "Transpose"), 1),
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze", "Expand", "Tile", "Pad", "Slice", "Split"), 1),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND", "Resize"), 1),
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceL2", "ReduceSumSquare", "ReduceMax"), 1),
}
# The largest number of channels of a picture.
_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class Value:
    """The result of shape inference for one value of a graph.

    Parameters
    ----------
    dtype : int
        The ONNX number of its type; 0 if it is not known.
    dims : tuple of int, or None
        Its shape, with the batch; None if it is not known.
    """

    dtype: int
    dims: Shape | None

    @property
    def bytes(self) -> int:
        """Its size in memory; 0 if it is not known."""
        if self.dims is None or not self.dtype:
            return 0
        return int(np.prod(self.dims, dtype=np.int64)) * dtype_of(self.dtype).itemsize


@dataclass(eq=False)  # it caches its results
class Graph:
    """The graph of a file.

    Parameters
    ----------
    path : Path
        The file.
    model : onnx.ModelProto
        The model; its large arrays are references to the file.
    widened : bool
        Whether its bfloat16 arrays became float32, because onnxruntime cannot convolve bfloat16.
    channels_last : bool
        Whether the input is (H, W, C), where the graph does not say it.
    """

    path: Path
    model: Any
    widened: bool = False
    channels_last: bool = False
    nodes: list[Any] = field(default_factory=list)
    read_by: list[set[str]] = field(default_factory=list)
    tensors: dict[str, Any] = field(default_factory=dict)
    makers: dict[str, int] = field(default_factory=dict)
    readers: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = list(self.model.graph.node)
        self.read_by = [onnx_.reads(node) for node in self.nodes]
        self.tensors = {one.name: one for one in self.model.graph.initializer}
        for index, node in enumerate(self.nodes):
            self.makers.update((output, index) for output in node.output if output)
            for value in self.read_by[index]:
                self.readers.setdefault(value, []).append(index)

    @property
    def name(self) -> str:
        """The name of the file in messages."""
        return quoted(self.path)

    @property
    def outputs(self) -> set[str]:
        """The outputs of the whole network."""
        return {one.name for one in self.model.graph.output}

    @cached_property
    def image(self) -> Any:
        """The input for the picture: the first numeric input with three or four axes."""
        inputs = [one for one in self.model.graph.input if one.name not in self.tensors]
        for one in inputs:
            kind = one.type.tensor_type
            if len(kind.shape.dim) in (3, 4) and kind.elem_type in _READABLE:
                return one
        listed = ", ".join(
            f"{printable(one.name)!r} ({len(one.type.tensor_type.shape.dim)} axes)" for one in inputs[:6]
        )
        raise InputError(
            f"{self.name} reads no picture: it declares {listed or 'no input'}; "
            "expected one of numbers on 3 or 4 axes."
        )

    @cached_property
    def live(self) -> set[str]:
        """The values that depend on the pixels of the picture."""
        return self._after_image(_SHAPES)

    @cached_property
    def dependent(self) -> set[str]:
        """The values that cannot be computed without a picture, even if only its size matters."""
        return self._after_image(())

    def _after_image(self, but: Sequence[str]) -> set[str]:
        """Return the values that the picture reaches through all operations except those in `but`."""
        found = {self.image.name}
        for node, read in zip(self.nodes, self.read_by, strict=True):
            if node.op_type not in but and not found.isdisjoint(read):
                found.update(one for one in node.output if one)
        return found

    @cached_property
    def declared(self) -> Declared:
        """What the graph declares about its input."""
        dims = [one.dim_value or None for one in self.image.type.tensor_type.shape.dim][-3:]
        last = self._channels_last(dims)
        channels, height, width = (dims[2], dims[0], dims[1]) if last else dims
        dtype = str(dtype_of(self.image.type.tensor_type.elem_type))
        return Declared(channels, height, width, last, dtype)

    def _channels_last(self, dims: Sequence[int | None]) -> bool:
        """Return whether the input is (H, W, C): by its short axis, the first operations, or as declared."""
        first, last = (one is not None and one <= _CHANNELS for one in (dims[0], dims[2]))
        if first != last:
            return last
        turned = [[0, 3, 1, 2], [2, 0, 1]]
        value = self.image.name
        # A change of type or a scaling may come first.
        while len(indices := self.readers.get(value, [])) == 1:
            node = self.nodes[indices[0]]
            if node.op_type == "Transpose":
                return onnx_.attributes(node).get("perm") in turned
            if node.op_type in ("Conv", "ConvInteger", "QLinearConv"):
                return False
            if node.op_type not in ("Cast", "Sub", "Mul", "Div", "Add", "Identity"):
                break
            value = node.output[0]
        return self.channels_last

    def check(self, shape: Shape) -> None:
        """Refuse an input that the graph does not accept.

        Raises
        ------
        ShapeError
            If it differs from the declared input; the message says which input fits.
        """
        told = self.declared
        wanted = (told.channels, told.height, told.width)
        if len(shape) != 3:
            raise ShapeError(f"a network reads channels (C, H, W), not {shape_text(shape)}.")
        if all(one in (None, given) for one, given in zip(wanted, shape, strict=True)):
            return
        remedies = []
        if told.channels not in (None, shape[0]):
            mode = by_mode(told.channels or 0)
            remedies.append(plural(told.channels or 0, "channel") + (f" ({mode})" if mode else ""))
        if any(one not in (None, given) for one, given in zip(wanted[1:], shape[1:], strict=True)):
            size = "x".join("any" if one is None else str(one) for one in wanted[1:])
            option = "" if "any" in size else f" (--resize {size}, or --crop)"
            remedies.append(f"{size} pixels{option}")
        text = "x".join("any" if one is None else str(one) for one in wanted)
        raise ShapeError(
            f"{self.name} reads {text}, but the input is {shape_text(shape)}; give {' and '.join(remedies)}."
        )

    def dims(self, shape: Shape) -> Shape:
        """Return the shape of the array that the graph reads for an input (C, H, W)."""
        own = (*shape[1:], shape[0]) if self.declared.channels_last else shape
        declared = self.image.type.tensor_type.shape.dim
        return (declared[0].dim_value or 1, *own) if len(declared) == 4 else own

    def needed(self, values: Iterable[str]) -> list[int]:
        """List in order the operations that `values` depend on."""
        wanted = {self.makers[one] for one in values if one in self.makers}
        waiting = list(wanted)
        while waiting:
            more = {self.makers[one] for one in self.read_by[waiting.pop()] if one in self.makers}
            waiting.extend(more - wanted)
            wanted |= more
        return sorted(wanted)

    def takers(self, value: str) -> list[int]:
        """List the operations that read the numbers of a value, not only its shape."""
        return [one for one in self.readers.get(value, ()) if self.nodes[one].op_type not in _SHAPES]

    def leaves(self, value: str) -> Iterator[str]:
        """List the stored numbers behind a value: no scales, zero points, sizes, axes or indices."""
        waiting, found = [value], {value}
        while waiting:
            one = waiting.pop()
            if one in self.tensors:
                yield one
            elif one in self.makers:
                node, read = self.nodes[self.makers[one]], self.read_by[self.makers[one]]
                kept = read.intersection(node.input[: _NUMBERS.get(node.op_type, len(node.input))])
                waiting.extend(sorted(kept - found))
                found |= kept

    def array(self, name: str) -> NDArray[Any]:
        """Read a stored array."""
        found = onnx_.array(self.tensors[name], self.name, self.path.parent)
        return _wide(found)

    @cached_property
    def sized(self) -> bool:
        """Whether parts of the graph are made for one size of the input, as `part` does."""
        return any(_dilated_same(node) for node in self.nodes)

    def part(self, values: Sequence[str], known: Mapping[str, Value] = MappingProxyType({})) -> Any:
        """Make a model of only the operations that some values depend on.

        With `known` shapes, dilated convolutions get the numbers of ``auto_pad``, which onnxruntime refuses
        for them.
        """
        model = onnx.ModelProto(ir_version=self.model.ir_version)
        model.opset_import.extend(self.model.opset_import)
        model.graph.name = "part"
        needed = self.needed(values)
        read = {one for index in needed for one in self.read_by[index]} | set(values)
        model.graph.node.extend(self.nodes[index] for index in needed)
        for node in filter(_dilated_same, model.graph.node):
            _write_pads(node, known)
        model.graph.initializer.extend(_reference(one) for name, one in self.tensors.items() if name in read)
        sparse = self.model.graph.sparse_initializer
        model.graph.sparse_initializer.extend(one for one in sparse if one.values.name in read)
        model.graph.input.extend(
            one for one in self.model.graph.input if one.name in read and one.name not in self.tensors
        )
        model.graph.output.extend(onnx.ValueInfoProto(name=one) for one in values)
        return model

    def settled(self, values: Mapping[str, Value]) -> "Graph":
        """Replace the operations that query shapes by numbers, where the shapes for one input are known."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for node in model.graph.node:
            known = values.get(node.input[0]) if node.op_type in _SHAPES and node.input else None
            if known is None or known.dims is None:
                continue
            chosen = onnx_.attributes(node)
            dims = known.dims[chosen.get("start", 0) : chosen.get("end")]
            told = np.array(dims if node.op_type == "Shape" else np.prod(known.dims), np.int64)
            tensor = onnx.numpy_helper.from_array(told)
            node.CopyFrom(onnx.helper.make_node("Constant", [], node.output, node.name, value=tensor))
        return Graph(self.path, model, self.widened, self.channels_last)

    def values(self, shape: Shape) -> dict[str, Value]:
        """Infer types and shapes for an input (C, H, W), as far as possible without computing values."""
        model = self.part([one for node in self.nodes for one in node.output if one])
        del model.graph.output[:]
        for one in model.graph.input:
            if one.name == self.image.name:
                for dim, side in zip(one.type.tensor_type.shape.dim, self.dims(shape), strict=True):
                    dim.dim_value = side
        try:
            inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
            raise InputError(
                f"cannot read {self.name}: its graph contradicts itself{because(error)}."
            ) from None
        found = {one.name: _value(one.type) for one in (*inferred.input, *inferred.value_info)}
        stored = {name: Value(one.data_type, tuple(one.dims)) for name, one in self.tensors.items()}
        return found | stored


def _dilated_same(node: Any) -> bool:
    """Return whether an operation is a convolution with dilation whose padding depends on its input."""
    if node.op_type != "Conv":
        return False
    chosen = onnx_.attributes(node)
    dilated = any(step != 1 for step in chosen.get("dilations", ()))
    return dilated and chosen.get("auto_pad") in (b"SAME_UPPER", b"SAME_LOWER")


def _write_pads(node: Any, known: Mapping[str, Value]) -> None:
    """Replace ``auto_pad`` of a convolution by its numbers, if the shapes that it reads are known."""
    read, weight = (known[one].dims if one in known else None for one in node.input[:2])
    if read is None or weight is None:
        return
    chosen = onnx_.attributes(node)
    strides = chosen.get("strides", [1] * (len(read) - 2))
    pairs = [
        same_padding(length, kernel, stride=stride, dilation=dilation)
        for length, kernel, stride, dilation in zip(
            read[2:], weight[2:], strides, chosen["dilations"], strict=True
        )
    ]
    if chosen["auto_pad"] == b"SAME_LOWER":
        pairs = [pair[::-1] for pair in pairs]
    kept = [one for one in node.attribute if one.name not in ("auto_pad", "pads")]
    del node.attribute[:]
    pads = [before for before, _ in pairs] + [after for _, after in pairs]
    node.attribute.extend([*kept, onnx.helper.make_attribute("pads", pads)])


def opened(path: Path, *, channels_last: bool = False) -> Graph:
    """Read the graph of a file; `channels_last` is that of `Graph`.

    Raises
    ------
    InputError
        If the file is damaged, or refers to a file outside its folder.
    """
    model = onnx_.parse(outline(path), quoted(path))
    if model.functions:
        try:
            model = onnx.inliner.inline_local_functions(model)
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"cannot read {quoted(path)}: its functions are damaged{because(error)}."
            ) from None
    widened = _settle(model, path)
    return Graph(path, model, widened, channels_last)


def _settle(model: Any, path: Path) -> bool:
    """Check where all arrays lie, load small ones, widen bfloat16; return whether any was bfloat16."""
    name, folder = quoted(path), path.parent
    wide = False
    _store_constants(model.graph)
    for tensor in model.graph.initializer:
        if _size(tensor, name, folder) < LARGE:
            wide |= _take_in(tensor, name, folder)
        else:  # it is read and widened on demand
            wide |= tensor.data_type == _TENSOR.BFLOAT16
    for node in _all_nodes(model.graph):
        for tensor in _tensors_of(node):
            _size(tensor, name, folder)
            wide |= _take_in(tensor, name, folder)
        for one in node.attribute:
            if one.name in ("to", "dtype") and one.i == _TENSOR.BFLOAT16:
                one.i, wide = _TENSOR.FLOAT, True
    return _declare(model.graph.input) or wide


def _store_constants(graph: Any) -> None:
    """Turn the operations that only hold an array into stored arrays."""
    kept = []
    for node in graph.node:
        tensor = _constant(node) if node.op_type == "Constant" and not node.domain else None
        if tensor is None:
            kept.append(node)
        else:
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
    if len(kept) < len(graph.node):
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(kept)


def _constant(node: Any) -> Any:
    """Return the tensor that a Constant holds; None if it holds texts or a sparse array."""
    for key, value in onnx_.attributes(node).items():
        if key == "value":
            return value
        if key in _TYPES:
            return onnx.numpy_helper.from_array(np.array(value, _TYPES[key]))
    return None


def _declare(inputs: Sequence[Any]) -> bool:
    """Clear unknown sizes in the inputs, and widen bfloat16; return whether any was bfloat16."""
    wide = False
    for one in inputs:
        kind = one.type.tensor_type
        if kind.elem_type == _TENSOR.BFLOAT16:
            kind.elem_type, wide = _TENSOR.FLOAT, True
        if len(inputs) == 1 and kind.elem_type in _READABLE and not kind.HasField("shape"):
            kind.shape.dim.extend(onnx.TensorShapeProto.Dimension() for _ in range(4))
        for dim in kind.shape.dim:
            if dim.dim_value <= 0:  # some exporters write an unknown size so
                dim.ClearField("dim_value")
    return wide


def _size(tensor: Any, name: str, folder: Path) -> int:
    """Count the bytes of an array, here or in another file; refuse a file outside the folder."""
    if tensor.data_location != _TENSOR.EXTERNAL:
        return 0
    return onnx_.external_data(tensor, f"{name}, array {printable(tensor.name)!r}", folder)[2]


def _reference(tensor: Any) -> Any:
    """Declare a large array in the form in which it will be passed."""
    if tensor.data_location != _TENSOR.EXTERNAL or tensor.data_type != _TENSOR.BFLOAT16:
        return tensor
    found = onnx.TensorProto()
    found.CopyFrom(tensor)
    found.data_type = _TENSOR.FLOAT
    return found


def _take_in(tensor: Any, name: str, folder: Path) -> bool:
    """Load an array into the graph, as float32 if it is bfloat16; return whether it was bfloat16."""
    is_wide = bool(tensor.data_type == _TENSOR.BFLOAT16)
    if is_wide or tensor.data_location == _TENSOR.EXTERNAL:
        values = _wide(onnx_.array(tensor, name, folder))
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return is_wide


def _wide(values: NDArray[Any]) -> NDArray[Any]:
    """Convert bfloat16 to float32, exactly."""
    return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


def _all_nodes(graph: Any) -> Iterator[Any]:
    """List the operations of a graph and of the graphs inside them, such as branches and loops."""
    for node in graph.node:
        yield node
        for inner in onnx_.graphs_of(node):
            yield from _all_nodes(inner)


def inner_convolutions(node: Any) -> int:
    """Count the convolutions in the branches or the loop that an operation runs."""
    inner = (other for graph in onnx_.graphs_of(node) for other in _all_nodes(graph))
    return sum(other.op_type in ("Conv", "ConvTranspose") for other in inner)


def _tensors_of(node: Any) -> Iterator[Any]:
    """List the arrays that an operation holds in its attributes."""
    for one in node.attribute:
        if one.type == onnx.AttributeProto.TENSOR:
            yield one.t
        yield from one.tensors
        for sparse in (one.sparse_tensor, *one.sparse_tensors):
            yield from (sparse.values, sparse.indices)
    for inner in onnx_.graphs_of(node):
        yield from inner.initializer


def dtype_of(number: int) -> np.dtype[Any]:
    """Return the numpy type for an ONNX type number; bytes for a type that numpy does not have."""
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number))
    except KeyError:
        return np.dtype(np.uint8)


def _value(kind: Any) -> Value:
    """Convert the result of shape inference for one value."""
    tensor = kind.tensor_type
    known = tensor.HasField("shape") and all(one.HasField("dim_value") for one in tensor.shape.dim)
    return Value(tensor.elem_type, tuple(one.dim_value for one in tensor.shape.dim) if known else None)


# The types of the numbers in a Constant that holds no tensor.
_TYPES = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
_READABLE = {
    getattr(_TENSOR, name)
    for name in (
        "FLOAT",
        "FLOAT16",
        "DOUBLE",
        "BFLOAT16",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
    )
}
