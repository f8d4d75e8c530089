"""What an ONNX file holds, read through the package onnx: numbers, nodes and their attributes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz import memory
from convviz.errors import BackendError, InputError
from convviz.text import because, printable


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
        If this is no model.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
    except ImportError:
        raise BackendError(
            f"reading {name} needs the package onnx; install it with: pip install 'convviz[onnx]'"
        ) from None
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot read {name}: it is damaged, or no ONNX{because(error)}.") from None
    if not model.graph.node:
        raise InputError(f"cannot read {name}: it is no ONNX model, for there is no graph in it.")
    return model


def attributes(node: Any) -> dict[str, Any]:
    """Take the attributes of a node as plain values: numbers, lists, bytes, tensors."""
    import onnx

    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def numbers(model: Any, name: str, folder: Path) -> dict[str, NDArray[Any]]:
    """Read every array of a model, by its name.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.
    name : str
        What messages call it.
    folder : Path
        Where the file lies; numbers stored beside it are read from there alone.

    Raises
    ------
    InputError
        If an array is damaged, or lies outside of `folder`.
    """
    found: dict[str, NDArray[Any]] = {}
    for tensor in model.graph.initializer:
        found[tensor.name] = _array(tensor, name, folder)
    for node in model.graph.node:
        if node.op_type == "Constant":
            chosen = attributes(node)
            if "value" in chosen:
                found[node.output[0]] = _array(chosen["value"], name, folder)
            for key in ("value_float", "value_floats", "value_int", "value_ints"):
                if key in chosen:
                    found[node.output[0]] = np.array(chosen[key])
        elif node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
        elif node.op_type == "ConstantOfShape" and node.input[0] in found:
            value = attributes(node).get("value")
            filled = np.zeros(1, np.float32) if value is None else _array(value, name, folder)
            shape = tuple(int(side) for side in found[node.input[0]].ravel())
            try:  # one number, seen in every place
                found[node.output[0]] = np.broadcast_to(filled.reshape(-1)[:1], shape)
            except ValueError:
                raise InputError(f"{name}: {node.output[0]!r} cannot have the shape {shape}.") from None
    return found


def _array(tensor: Any, name: str, folder: Path) -> NDArray[Any]:
    """Read one array, which may lie in a file of its own."""
    import onnx

    what = f"{name}, array {printable(tensor.name)!r}"
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        stored = {entry.key: entry.value for entry in tensor.external_data}
        place = (folder / stored.get("location", "")).resolve()
        if not place.is_relative_to(folder.resolve()) or not place.is_file():
            raise InputError(
                f"{what} lies in a file {printable(stored.get('location', ''))!r} that is not beside it."
            )
        memory.need(place.stat().st_size, f"the numbers of {name}", "make it smaller", error=InputError)
        try:
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
            raise InputError(f"cannot read {what}{because(error)}.") from None
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError) as error:
        raise InputError(f"cannot read {what}: it is damaged{because(error)}.") from None


def node_name(node: Any, found: Mapping[str, NDArray[Any]]) -> str:
    """Call a node as people do: like its weight if that has the name of a torch module, else by its own."""
    for given in node.input[1:2]:
        if given in found and given.endswith(".weight"):
            return str(given.removesuffix(".weight"))
    return str(node.name or node.output[0])


def convolutions(
    model: Any, found: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, Any, Any, dict[str, Any], bool]]:
    """Give what is stored of every convolution: name, weight, bias, arguments, and if it is transposed."""
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose") or len(node.input) < 2 or node.input[1] not in found:
            continue
        weight = found[node.input[1]]
        if weight.ndim == 4 and weight.size:
            bias = found.get(node.input[2]) if len(node.input) > 2 else None
            transposed = node.op_type == "ConvTranspose"
            yield node_name(node, found), weight, bias, conv_arguments(attributes(node)), transposed


def conv_arguments(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Word the attributes of a convolution as arguments of ``torch.nn.Conv2d``, the defaults left out.

    Padding that depends on the size of the input is not among them: see `same_padding`.

    Examples
    --------
    >>> conv_arguments({"strides": [2, 2], "pads": [1, 1, 0, 1], "group": 1})
    {'stride': (2, 2), 'padding': ((1, 0), (1, 1))}
    """
    found: dict[str, Any] = {}
    if any(step != 1 for step in chosen.get("strides", ())):
        found["stride"] = tuple(chosen["strides"])
    if any(step != 1 for step in chosen.get("dilations", ())):
        found["dilation"] = tuple(chosen["dilations"])
    if chosen.get("group", 1) != 1:
        found["groups"] = chosen["group"]
    if any(chosen.get("pads", ())) and chosen.get("auto_pad", b"NOTSET") == b"NOTSET":
        top, left, bottom, right = chosen["pads"]
        found["padding"] = ((top, bottom), (left, right))
    return found
