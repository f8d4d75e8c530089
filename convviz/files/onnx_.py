"""Read the contents of ONNX files through the package onnx: numbers, nodes and their attributes."""

import functools
import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import InputError, importing
from convviz.machine import memory
from convviz.text import because, in_quotes, plural, printable


def parse(data: bytes, name: str) -> Any:
    """Read a model.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What messages call it.

    Returns
    -------
    onnx.ModelProto
        The model.

    Raises
    ------
    BackendError
        If the package onnx is not installed.
    InputError
        If this is not a model.
    """
    with importing("onnx", f"reading {name}"):
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot read {name}: it is damaged, or not ONNX{because(error)}.") from None
    if not model.graph.node:
        raise InputError(f"cannot read {name}: it is not an ONNX model: it does not contain a graph.")
    _sort(model.graph, name)
    return model


def _sort(graph: Any, name: str) -> None:
    """Put every operation behind those whose values it reads, as ONNX demands and converters forget."""
    nodes = list(graph.node)
    makers = {output: index for index, node in enumerate(nodes) for output in node.output if output}
    before = [{makers[one] for one in reads(node) if one in makers} for node in nodes]
    if all(index > max(sources, default=-1) for index, sources in enumerate(before)):
        return
    after: dict[int, list[int]] = {}
    for index, sources in enumerate(before):
        for source in sources:
            after.setdefault(source, []).append(index)
    waiting = [len(sources) for sources in before]
    ready = [index for index, count in enumerate(waiting) if not count]
    order = []
    while ready:  # of those that can be next, the first of the file
        order.append(heapq.heappop(ready))
        for index in after.get(order[-1], ()):
            waiting[index] -= 1
            if not waiting[index]:
                heapq.heappush(ready, index)
    if len(order) < len(nodes):
        raise InputError(f"cannot read {name}: it is damaged: its operations read each other in a circle.")
    copies = [type(nodes[index]).FromString(nodes[index].SerializeToString()) for index in order]
    del graph.node[:]
    graph.node.extend(copies)


def graphs_of(node: Any) -> Iterator[Any]:
    """List the inner graphs that an operation runs."""
    import onnx

    for one in node.attribute:
        if one.type == onnx.AttributeProto.GRAPH:
            yield one.g
        yield from one.graphs


def reads(node: Any) -> set[str]:
    """List the values that an operation reads, and those that its inner graphs take from outside."""
    found = {one for one in node.input if one}
    for inner in graphs_of(node):
        own = {one.name for one in (*inner.input, *inner.initializer)}
        for other in inner.node:
            found |= reads(other) - own
            own.update(other.output)
        found |= {one.name for one in inner.output} - own
    return found


def attributes(node: Any) -> dict[str, Any]:
    """Return the attributes of a node as plain values: numbers, lists, bytes, tensors."""
    import onnx

    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def numbers(model: Any, name: str, folder: Path) -> dict[str, NDArray[Any]]:
    """Read every array of a model, by name.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.
    name : str
        What messages call it.
    folder : Path
        The folder of the file; numbers stored beside it are read only from there.

    Returns
    -------
    dict of ndarray
        The stored arrays, and those that simple operations compute from stored arrays alone,
        such as the weights after a DequantizeLinear or a Cast.

    Raises
    ------
    InputError
        If an array is damaged, or lies outside of `folder`.
    """
    found: dict[str, NDArray[Any]] = {}
    for tensor in model.graph.initializer:
        found[tensor.name] = array(tensor, name, folder)
    for node in model.graph.node:
        if node.op_type == "Constant":
            chosen = attributes(node)
            if "value" in chosen:
                found[node.output[0]] = array(chosen["value"], name, folder)
            for key in ("value_float", "value_floats", "value_int", "value_ints"):
                if key in chosen:
                    found[node.output[0]] = np.array(chosen[key])
        elif node.op_type == "ConstantOfShape" and node.input[0] in found:
            value = attributes(node).get("value")
            filled = np.zeros(1, np.float32) if value is None else array(value, name, folder)
            shape = tuple(int(side) for side in found[node.input[0]].ravel())
            memory.need(
                8 * math.prod(shape), f"the numbers of {name}", "store them as they are", error=InputError
            )
            try:  # one number, repeated in every place
                found[node.output[0]] = np.broadcast_to(filled.reshape(-1)[:1], shape)
            except ValueError:
                raise InputError(f"{name}: {node.output[0]!r} cannot have the shape {shape}.") from None
        elif (
            node.op_type in ("Cast", "DequantizeLinear", "Identity")
            and node.input[0] in found
            and all(one in found for one in node.input if one)
        ):
            made = _folded(node, [found[one] if one else None for one in node.input], name)
            if made is not None:
                found[node.output[0]] = made
    # numpy has neither bfloat16 nor 8-bit floats.
    return {key: value.astype(np.float32) if _is_foreign(value) else value for key, value in found.items()}


def _is_foreign(values: NDArray[Any]) -> bool:
    """Return whether the values have a type that numpy itself does not have."""
    return values.dtype.kind == "V" and values.dtype.names is None


def _folded(node: Any, inputs: list[NDArray[Any] | None], name: str) -> NDArray[Any] | None:
    """Compute a node that exporters put between a stored weight and its convolution; None for other nodes."""
    import onnx

    values, *others = inputs
    assert values is not None
    if node.op_type == "Identity":
        return values
    memory.need(8 * values.size, f"the numbers of {name}", "make them fewer", error=InputError)
    chosen = attributes(node)
    try:
        with np.errstate(all="ignore"):
            if node.op_type == "Cast":
                return values.astype(onnx.helper.tensor_dtype_to_np_dtype(chosen["to"]))
            scale, zero = (*others, None)[:2]
            along = chosen.get("axis", 1) if scale is not None and scale.size > 1 else None
            return None if chosen.get("block_size") else dequantized(values, zero, scale, axis=along)
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def dequantized(
    values: NDArray[Any], zero: NDArray[Any] | None, scale: NDArray[Any] | None, *, axis: int | None = None
) -> NDArray[np.float32]:
    """Return (q - zero point) * scale in float32, with one pair for all values or for each index on an axis.

    Examples
    --------
    >>> dequantized(np.array([[-1, 3]], np.int8), np.int8([1]), np.float32([0.5])).tolist()
    [[-1.0, 1.0]]
    """
    sides = [1] * values.ndim
    if axis is not None:
        sides[axis] = -1
    # Differences of 8-bit numbers are exact in float32.
    real = values.astype(np.float32)
    if zero is not None:
        real -= zero.astype(np.float32).reshape(sides)
    if scale is not None:
        real *= scale.astype(np.float32).reshape(sides)
    return real


def array(tensor: Any, name: str, folder: Path) -> NDArray[Any]:
    """Read one array, which may be stored in a separate file.

    Parameters
    ----------
    tensor : onnx.TensorProto
        The array; it is not changed.
    name : str
        What messages call the model.
    folder : Path
        The folder of the model; nothing outside it is read.

    Returns
    -------
    ndarray
        Its values, of the type nearest to the stored one.

    Raises
    ------
    InputError
        If it is damaged, or lies outside of `folder`.
    """
    import onnx

    what = f"{name}, array {in_quotes(tensor.name)}"
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        tensor = _with_external_data(tensor, what, folder)
        if isinstance(tensor, np.ndarray):
            return tensor
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError) as error:
        raise InputError(f"cannot read {what}: it is damaged{because(error)}.") from None


def _with_external_data(tensor: Any, what: str, folder: Path) -> Any:
    """Read data from a separate file: as an array, or as a tensor if numpy lacks its type."""
    import onnx

    place, offset, length = external_data(tensor, what, folder)
    memory.need(length, f"the numbers of {what}", "make it smaller", error=InputError)
    try:
        values = np.fromfile(place, np.uint8, length, offset=offset)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if dtype.itemsize * math.prod(tensor.dims) == values.size:
            return values.view(dtype).reshape(tuple(tensor.dims))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"cannot read {what}{because(error)}.") from None
    return onnx.TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=values.tobytes())


@functools.lru_cache(maxsize=16)  # most of a model's hundreds of arrays are in one file
def _resolved(path: Path) -> Path:
    """Resolve the links of an absolute path."""
    return path.resolve()


def external_data(tensor: Any, what: str, folder: Path) -> tuple[Path, int, int]:
    """Find where the numbers of a tensor are stored: the file, the first byte, and the number of bytes.

    Raises
    ------
    InputError
        If they are not part of a file in `folder`.
    """
    stored = {entry.key: entry.value for entry in tensor.external_data}
    location = stored.get("location", "")
    folder = folder.absolute()  # the current folder may be another one next time
    try:
        place = _resolved(folder / location)
        beside = place.is_relative_to(_resolved(folder)) and place.is_file()
        size = place.stat().st_size if beside else 0
        offset = int(stored.get("offset", 0))
        length = int(stored.get("length", size - offset))
    except (OSError, ValueError):  # a name with a null character, an invalid number
        beside = False
    if not beside:
        raise InputError(f"{what} lies in a file {in_quotes(location)} that is not beside it.")
    if not 0 <= offset <= offset + length <= size:
        raise InputError(
            f"{what} should be {length} bytes from byte {offset} on of {in_quotes(location)}, "
            f"but that file has only {size}; download the whole file."
        )
    return place, offset, length


def node_name(node: Any, found: Mapping[str, NDArray[Any]]) -> str:
    """Return the usual name of a node: that of its weight if torch named the weight, else its own."""
    for given in node.input[1:2]:
        if given in found and given.endswith(".weight"):
            return str(given.removesuffix(".weight"))
    return str(node.name or node.output[0])


# Which inputs of a convolution are its weight, the weight's zero point and scale, and its bias.
_PLACES = {
    "Conv": (1, None, None, 2),
    "ConvTranspose": (1, None, None, 2),
    "QLinearConv": (3, 5, 4, 8),
    "ConvInteger": (1, 3, None, None),
}
# How the numbers of integer convolutions differ from those that the graph computes with.
_REMARKS = {
    "QLinearConv": "stored as whole numbers (QLinearConv); its weight is (q - zero point) * scale here, and "
    "the rounding of its input and output is left out",
    "ConvInteger": "stored as whole numbers (ConvInteger); its weight is q - zero point here, without the "
    "scale that a later operation multiplies in",
}


@dataclass(frozen=True, slots=True, eq=False)
class StoredConvolution:
    """A convolution of a graph.

    Parameters
    ----------
    name : str
        The name of the convolution.
    weight, bias : ndarray or None
        The stored numbers.
    arguments : dict
        As `conv_arguments` returns them.
    transposed : bool
        Whether it is a transposed convolution.
    remark : str
        How these numbers differ from those that the graph computes with.
    """

    name: str
    weight: NDArray[Any]
    bias: NDArray[Any] | None
    arguments: dict[str, Any]
    transposed: bool
    remark: str = ""


def convolutions(
    model: Any, found: Mapping[str, NDArray[Any]], where: str
) -> tuple[list[StoredConvolution], dict[str, str]]:
    """List the convolutions of a graph.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.
    found : dict of ndarray
        As `numbers` returns them.
    where : str
        What messages call the file.

    Returns
    -------
    convolutions : list of StoredConvolution
        The two-dimensional ones, in the order of the graph.
    left_out : dict of str
        Why the weights of the others are not available, by name.

    Raises
    ------
    InputError
        If a node contradicts itself; the message names it.
    """
    made_by = {output: node.op_type for node in model.graph.node for output in node.output}
    held: list[StoredConvolution] = []
    left_out: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type not in _PLACES:
            continue
        name = node_name(node, found)
        what = f"{where}: the convolution {in_quotes(name)}"
        try:
            weight, bias = _weight_and_bias(node, found)
        except KeyError as error:
            made = made_by.get(error.args[0])
            source = f"is made by the operation {printable(made)}" if made else "is not stored in the file"
            left_out[name] = f"the convolution reads {in_quotes(error.args[0])}, which {source}"
            continue
        except ValueError:
            raise InputError(
                f"{what}: its weight, scale, zero point and bias do not fit each other."
            ) from None
        if weight is None or weight.ndim != 4 or not weight.size:
            continue
        if weight.dtype.kind not in "biuf":
            left_out[name] = f"the weight holds {weight.dtype} values; expected real numbers"
            continue
        arguments = conv_arguments(attributes(node), weight.shape, what)
        transposed = node.op_type == "ConvTranspose"
        maps = weight.shape[1] * arguments.get("groups", 1) if transposed else weight.shape[0]
        if bias is not None and bias.shape != (maps,):
            raise InputError(f"{what} has a bias of shape {bias.shape}; expected ({maps},), one per map.")
        held.append(
            StoredConvolution(name, weight, bias, arguments, transposed, _REMARKS.get(node.op_type, ""))
        )
    return held, left_out


def _weight_and_bias(
    node: Any, found: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Return a convolution's numbers as real ones; raise KeyError with the name of what is not stored."""

    def given(index: int) -> NDArray[Any] | None:
        return found[node.input[index]] if index < len(node.input) and node.input[index] else None

    at, zero_at, scale_at, bias_at = _PLACES[node.op_type]
    weight, bias = given(at), None if bias_at is None else given(bias_at)
    if weight is None or weight.ndim != 4 or zero_at is None:
        return weight, bias
    zero, scale = given(zero_at), None if scale_at is None else given(scale_at)
    apart = any(one is not None and one.size > 1 for one in (zero, scale))
    weight = dequantized(weight, zero, scale, axis=0 if apart else None)
    if bias is not None and scale is not None:
        # The scale of the bias is the input's scale times the weight's scale.
        bias = dequantized(bias, None, np.asarray(given(1), np.float32) * scale, axis=0)
    return weight, bias


# For each attribute of a convolution that is a list: the number of whole numbers, and their minimum.
_LISTS = {"strides": (2, 1), "dilations": (2, 1), "pads": (4, 0)}
_AUTO_PADS = {"NOTSET": None, "VALID": None, "SAME_UPPER": "same", "SAME_LOWER": "same-lower"}


def conv_arguments(
    chosen: Mapping[str, Any], weight_shape: Sequence[int] | None = None, what: str = "the convolution"
) -> dict[str, Any]:
    """Convert the attributes of a convolution to arguments of `Conv2d`, without defaults.

    Parameters
    ----------
    chosen : dict
        The attributes.
    weight_shape : sequence of int, optional
        Shape of the weight, which the attributes must not contradict.
    what : str
        What messages call the convolution.

    Raises
    ------
    InputError
        If ONNX does not define an attribute, or an attribute contradicts the weight.

    Examples
    --------
    >>> conv_arguments({"strides": [2, 2], "pads": [1, 1, 0, 1], "group": 1})
    {'stride': (2, 2), 'padding': ((1, 0), (1, 1))}
    >>> conv_arguments({"auto_pad": b"SAME_LOWER"})
    {'padding': 'same-lower'}
    """
    _check_lists(chosen, what)
    group = chosen.get("group", 1)
    if not isinstance(group, int) or group < 1:
        raise InputError(f"{what} has group = {_shown(group)}; expected a whole number of at least 1.")
    auto_pad = chosen.get("auto_pad", b"NOTSET")
    word = auto_pad.decode(errors="replace") if isinstance(auto_pad, bytes) else auto_pad
    if word not in _AUTO_PADS:
        raise InputError(f"{what} has auto_pad = {_shown(word)}; expected one of {', '.join(_AUTO_PADS)}.")
    if weight_shape is not None:
        _check_weight(chosen, weight_shape, what)
    found: dict[str, Any] = {}
    if any(step != 1 for step in chosen.get("strides", ())):
        found["stride"] = tuple(chosen["strides"])
    if any(step != 1 for step in chosen.get("dilations", ())):
        found["dilation"] = tuple(chosen["dilations"])
    if group != 1:
        found["groups"] = group
    if _AUTO_PADS[word] is not None:
        found["padding"] = _AUTO_PADS[word]
    elif any(chosen.get("pads", ())) and word == "NOTSET":
        top, left, bottom, right = chosen["pads"]
        found["padding"] = ((top, bottom), (left, right))
    return found


def _check_lists(chosen: Mapping[str, Any], what: str) -> None:
    """Refuse attributes per axis that are not lists of whole numbers of the right length."""
    for key, (count, least) in _LISTS.items():
        value = chosen.get(key)
        if value is not None and (
            not isinstance(value, list)
            or len(value) != count
            or not all(isinstance(one, int) and one >= least for one in value)
        ):
            raise InputError(
                f"{what} has {key} = {_shown(value)}; expected {count} whole numbers of at least {least}."
            )


def _check_weight(chosen: Mapping[str, Any], weight_shape: Sequence[int], what: str) -> None:
    """Refuse attributes that contradict the shape of the weight."""
    kernel, group = chosen.get("kernel_shape"), chosen.get("group", 1)
    if kernel is not None and kernel != list(weight_shape[2:]):
        raise InputError(
            f"{what} has kernel_shape = {_shown(kernel)}, but its weight has kernels of "
            f"{'x'.join(map(str, weight_shape[2:]))}."
        )
    if weight_shape[0] % group:
        raise InputError(
            f"{what} has group = {group}, which does not divide {plural(weight_shape[0], 'filter')}."
        )


def _shown(value: Any) -> str:
    """Format an attribute for a message, shortened."""
    word = printable(str(value))
    return word if len(word) <= 40 else word[:37] + "..."
