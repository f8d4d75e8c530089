"""Read the layers of trained weights: state dicts of PyTorch, archives of arrays, ONNX."""

import io
import math
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import InputError, SpecError, UnknownNameError, importing
from convviz.files import archives, npy, onnx_, parametrized
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.machine import memory
from convviz.text import because, in_quotes, plural, printable
from convviz.typing import Floats

# The usual endings of files from torch.save, which has no fixed one.
_TORCH = (".pt", ".pth", ".ckpt", ".bin")
READABLE = (".safetensors", ".npz", *_TORCH, ".onnx")

# The only callable that torch.load gives a length from the file, which then fills that much memory.
_BYTES_OF_ANY_LENGTH = re.compile(rb"c(__builtin__|builtins)\nbytearray\n")

# What torch.load raises on damaged files, besides the errors of all readers.
_BROKEN = (*npy.BROKEN, AttributeError, AssertionError)


@dataclass(frozen=True, slots=True, eq=False)
class StoredLayer:
    """A layer as a file holds it.

    Parameters
    ----------
    name : str
        Its name in the file.
    weight : ndarray
        As stored: (O, I / groups, kh, kw) for a convolution, (I, O / groups, kh, kw) for a transposed one.
    bias : ndarray, shape (O,), or None
        As stored.
    arguments : dict
        What the file specifies besides the numbers, as arguments of `Conv2d`: nothing in
        a state dict; stride, padding, dilation and groups in ONNX.
    transposed : bool
        Whether it is a transposed convolution.
    keys : tuple of tuple
        Where the file holds the weight and the bias: for each, the keys from the top of
        its dicts, in order. Empty for ONNX, and if the file holds them in parts.
    remark : str
        How these numbers differ from those that the file computes with.
    """

    name: str
    weight: NDArray[Any]
    bias: NDArray[Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    transposed: bool = False
    keys: tuple[tuple[Any, ...], ...] = ()
    remark: str = ""

    @property
    def type(self) -> str:
        """The name of the kind in torch."""
        return "ConvTranspose2d" if self.transposed else "Conv2d"

    @property
    def filters(self) -> NDArray[Any]:
        """The weight by filter: (O, I / groups, kh, kw), also for a transposed convolution."""
        if not self.transposed:
            return self.weight
        channels, maps, kh, kw = self.weight.shape
        groups = self.arguments.get("groups", 1)
        parts = self.weight.reshape(groups, channels // groups, maps, kh, kw)
        return parts.swapaxes(1, 2).reshape(groups * maps, channels // groups, kh, kw)

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return self.weight.size + (0 if self.bias is None else self.bias.size)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a file of trained weights holds.

    Parameters
    ----------
    name : str
        The file, as messages call it.
    arrays : dict of ndarray
        Every array, by its name, in the order of the file.
    convolutions : tuple of StoredLayer
        The layers with four axes of weights, including transposed ones.
    graph : object, optional
        The model, if the file is ONNX.
    left_out : dict of str
        Why an array or a layer could not be read, by its name.
    count : int
        How many numbers the file stores.
    places : dict of tuple
        The keys from the top of the file's dicts to each array, by its name; empty for an
        array that is computed from others.
    parts : dict of ndarray
        The stored parts of arrays that `arrays` holds combined.
    """

    name: str
    arrays: Mapping[str, NDArray[Any]]
    convolutions: tuple[StoredLayer, ...]
    graph: Any = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    count: int = 0
    places: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    parts: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __repr__(self) -> str:
        held = f"{plural(len(self.arrays), 'array')}, {plural(len(self.convolutions), 'convolution')}"
        return f"<Checkpoint: {self.name}, {held}>"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks on what the table of convolutions leaves out."""
        found: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            found.setdefault(f"left out: {reason}", []).append(name)
        for layer in self.convolutions:
            if layer.remark:
                found.setdefault(layer.remark, []).append(layer.name)
        return tuple(f"{_named(names)}: {text}" for text, names in found.items())

    def find(self, name: str | None) -> StoredLayer:
        """Find a convolution by its name or by a unique end of it; without a name, return the only one.

        Raises
        ------
        UnknownNameError, SpecError, InputError
            If nothing has that name, what has it is not a convolution or could not be read, or the
            choice is ambiguous.
        """
        known = {layer.name: layer for layer in self.convolutions}
        for missing in (name, f"{name}.weight"):
            if name not in known and missing in self.left_out:
                raise InputError(f"{self.name}, {in_quotes(missing)}: {self.left_out[str(missing)]}.")
        if not known and self.left_out:
            first, reason = next(iter(self.left_out.items()))
            raise InputError(
                f"{self.name} holds no convolution that can be read; {in_quotes(first)}: {reason}."
            )
        if not known:
            raise InputError(f"{self.name} holds no convolution: no array in it has four axes.")
        if name is None and len(known) == 1:
            return self.convolutions[0]
        if name is None:
            raise InputError(
                f"{self.name} holds {plural(len(known), 'convolution')}; "
                f"choose one with --layer, such as --layer {printable(next(iter(known)))}."
            )
        if name not in known and f"{name}.weight" in self.arrays:
            raise SpecError(
                f"layer: {in_quotes(name)} in {self.name} is not a convolution: its weight needs four axes."
            )
        ending = [one for one in known if one.endswith(f".{name}")]
        if name not in known and len(ending) == 1:  # e.g. after the "module." of a wrapper
            return known[ending[0]]
        if name not in known:
            raise UnknownNameError("convolution", name, known)
        return known[name]

    def weights(self, layer: StoredLayer) -> tuple[Floats, Floats | None]:
        """Return the filters of a layer and its bias as finite float32 numbers.

        Raises
        ------
        InputError
            If one of them is not finite; the message names the place.
        """
        weight = npy.finite(layer.filters, f"{self.name}, the weight of {layer.name!r}")
        if layer.bias is None:
            return weight, None
        return weight, npy.finite(layer.bias, f"{self.name}, the bias of {layer.name!r}")


def _named(names: Sequence[str], most: int = 6) -> str:
    """List names for a message: the first few, and the number of the others."""
    some = ", ".join(map(printable, names[:most]))
    return some if len(names) <= most else f"{some} … ({len(names)} in all)"


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read the layers of a file of trained weights without running anything in it.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` or ``.npz`` file; a state dict that ``torch.save`` wrote, ``.pt``
        or ``.pth``; or a model ``.onnx``, for which the package onnx is needed.

    Returns
    -------
    Checkpoint
        Its arrays and convolutions. An array ``NAME.weight`` with four axes is the weight of
        the convolution ``NAME``; its bias is ``NAME.bias``. If the number of biases differs from
        the number of filters, it is a transposed convolution, whose first axis counts channels.
        A weight that is stored in parts (weight norm, spectral norm, pruning) is combined.

    Raises
    ------
    InputError
        If the file cannot be read, or holds anything that loading would have to run.
    BackendError
        If the package for its format is not installed.
    """
    path = Path(path)
    suffix, name = path.suffix.lower(), quoted(path)
    if suffix not in READABLE:
        raise InputError(f"cannot read weights from {name}; its name must end in {', '.join(READABLE)}.")
    data = read_bytes(path)
    if suffix == ".onnx":
        return _from_onnx(data, name, path.parent)
    places: dict[str, tuple[Any, ...]] = {}
    given: dict[str, NDArray[Any] | str] = {}
    if suffix in _TORCH:
        for key, places[key], values in _from_torch(data, name):
            given[key] = values
    else:
        given = dict(archives.stored_arrays(data, name, suffix))
        if suffix == ".safetensors":  # safetensors orders them by size
            given = dict(sorted(given.items(), key=lambda item: _natural(item[0])))
    left_out = {key: f"it {value}" for key, value in given.items() if isinstance(value, str)}
    found = {key: value for key, value in given.items() if not isinstance(value, str)}
    found = {key: value for key, value in found.items() if value.dtype.kind in "biuf"}
    if left_out and not found:
        key, reason = next(iter(left_out.items()))
        raise InputError(f"{name}, array {in_quotes(key)}: {reason}.")
    count = sum(map(_stored, found.values()))
    whole = parametrized.joined(found, name)
    left_out |= whole.left_out | {
        key: "it has four axes, but only arrays named NAME.weight are taken for weights of layers"
        for key, value in whole.arrays.items()
        if value.ndim == 4 and not _is_weight(key, whole.arrays)
    }
    layers = tuple(_convolutions(whole.arrays, places, whole.made_of))
    kept = {
        key: () if key in whole.made_of else places.get(key, () if places else (key,)) for key in whole.arrays
    }
    parts = {key: value for key, value in found.items() if key not in whole.arrays}
    return Checkpoint(name, whole.arrays, layers, left_out=left_out, count=count, places=kept, parts=parts)


def _is_weight(key: str, found: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether an array with four axes is a layer's weight, by its name or as the only array."""
    # Files from `run --save` also hold the input and the maps.
    return key.endswith("weight") or len(found) == 1


def _stored(values: NDArray[Any]) -> int:
    """Count the numbers that are stored; an array may repeat one of them in many places."""
    return math.prod(n for n, step in zip(values.shape, values.strides, strict=True) if step)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that orders names as people do: 2.weight before 10.weight.

    Examples
    --------
    >>> sorted(["10.bias", "2.bias"], key=_natural)
    ['2.bias', '10.bias']
    """
    return [
        (int(part), "") if part.isascii() and part.isdigit() and len(part) < 19 else (-1, part)
        for part in re.split(r"([0-9]+)", name)
    ]


def _convolutions(
    found: Mapping[str, NDArray[Any]], places: Mapping[str, tuple[Any, ...]], made_of: Mapping[str, str]
) -> Iterator[StoredLayer]:
    """Yield the weights with four axes; `places` locates nested ones, and `made_of` lists combined ones."""
    for key, weight in found.items():
        if weight.ndim != 4 or not weight.size or not _is_weight(key, found):
            continue
        name = key.removesuffix("weight").removesuffix(".") or key
        beside = f"{key.removesuffix('weight')}bias" if key.endswith("weight") else ""
        bias = found.get(beside)
        arguments, transposed = {}, False
        if bias is not None and (bias.ndim != 1 or not bias.size):
            bias = None
        elif bias is not None and len(bias) != len(weight):
            groups, more = divmod(len(bias), weight.shape[1])
            if more or len(weight) % groups:
                bias = None
            else:
                transposed, arguments = True, {"groups": groups} if groups > 1 else {}
        stored_as = [key] if bias is None else [key, beside]
        keys = tuple(places.get(one, (one,)) for one in stored_as)
        if any(one in made_of or not places.get(one, one) for one in stored_as):
            keys = ()
        parted = made_of.get(key)
        remark = f"its weight is computed from the parts that the file stores ({parted})" if parted else ""
        yield StoredLayer(name, weight, bias, arguments, transposed, keys, remark)


def _from_torch(data: bytes, name: str) -> Iterator[tuple[str, tuple[Any, ...], NDArray[Any] | str]]:
    """Read only the tensors of a state dict: name, keys from the top, values.

    The reason replaces the values of a tensor that cannot be read. Empty keys mean that
    no program can load the tensor as stored.
    """
    if _is_torchscript(data):
        raise InputError(
            f"cannot read {name}: it is TorchScript, a program with its weights, and loading one runs it; "
            "save the state_dict() of the model instead."
        )
    unpacked = _unpacked(data)
    memory.need(len(data) + unpacked, f"the tensors of {name}", "make the file smaller", error=InputError)
    if _BYTES_OF_ANY_LENGTH.search(_pickled(data)):
        raise _more_than_tensors(name, "bytearray")
    with importing("torch", f"{name} is a file of PyTorch, and reading it"):
        import torch
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old protocols, and tensor types that are refused below
            document = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        culprit = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise _more_than_tensors(name, culprit[1] if culprit else None) from None
    except _BROKEN as error:
        what = "it is damaged, or was not written by torch.save"
        raise InputError(f"cannot read {name}: {what}{because(error)}.") from None
    found = _state_dict(document, torch.Tensor)
    if not found:
        raise InputError(f"{name} holds no tensors by name; save the state_dict() of the model.")
    for key, (place, tensor) in found.items():
        dense = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not dense or tensor.is_complex():
            yield key, place, "is not a plain tensor of real numbers"
        elif tensor.is_quantized:
            # A program would have to do the same before loading the numbers into a layer.
            yield key, (), _numbers(tensor.detach().dequantize(), f"{name}, tensor {key!r}")
        else:
            yield key, place, _numbers(tensor.detach().resolve_neg(), f"{name}, tensor {key!r}")


def _numbers(tensor: Any, name: str) -> NDArray[Any]:
    """Return the numbers of a plain tensor, without using memory for repeated ones."""
    # A tensor may repeat one stored number in many places, and so can a numpy array.
    memory.need(8 * tensor.numel(), f"the numbers of {name}", "store them as they are", error=InputError)
    stored = tensor[tuple(slice(0, 1) if step == 0 else slice(None) for step in tensor.stride())]
    # numpy has neither bfloat16 nor 8-bit floats.
    values = (stored.float() if stored.is_floating_point() else stored).numpy()
    return np.broadcast_to(values, tuple(tensor.shape))


def _more_than_tensors(name: str, culprit: str | None) -> InputError:
    """Return an error that names the code that torch.load would have to run."""
    what = f"it holds more than tensors ({culprit})" if culprit else "it is damaged, or no state dict"
    return InputError(
        f"cannot read {name}: {what}, and loading that could run any code; "
        'save its tensors instead: torch.save(model.state_dict(), "weights.pt").'
    )


def _pickled(data: bytes) -> bytes:
    """Return the part that describes how the file is assembled."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return b"".join(archive.read(one) for one in archive.namelist() if one.endswith("/data.pkl"))
    except _BROKEN:
        return data


def _unpacked(data: bytes) -> int:
    """Count the bytes of an archive after unpacking, or of any other file as it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sum(one.file_size for one in archive.infolist())
    except _BROKEN:
        return len(data)


def _is_torchscript(data: bytes) -> bool:
    """Return whether an archive is a program, not a state dict."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(re.fullmatch(r"[^/]+/(constants\.pkl|code/.*)", one) for one in archive.namelist())
    except _BROKEN:
        return False


def _state_dict(
    document: Any, tensor: type, at: tuple[Any, ...] = ()
) -> dict[str, tuple[tuple[Any, ...], Any]]:
    """Find the tensors by name: at the top, or in dicts below, as in ``{"state_dict": ..., "epoch": 3}``.

    Each tensor comes with the keys that lead to it, after those in `at`.
    """
    if not isinstance(document, Mapping):
        return {}
    top: dict[str, tuple[tuple[Any, ...], Any]] = {
        str(key): ((*at, key), value) for key, value in document.items() if isinstance(value, tensor)
    }
    if any(one.ndim > 0 for _, one in top.values()):
        return top
    # An optimizer's state has tensors of the same shapes.
    below = {
        str(key): found
        for key, value in document.items()
        if "optim" not in str(key) and (found := _state_dict(value, tensor, (*at, key)))
    }
    if len(below) == 1:
        return next(iter(below.values()))
    return {f"{key}.{name}": value for key, found in below.items() for name, value in found.items()}


def _from_onnx(data: bytes, name: str, folder: Path) -> Checkpoint:
    """Read the numbers of an ONNX model, and its convolutions with their arguments."""
    model = onnx_.parse(data, name)
    found = onnx_.numbers(model, name, folder)
    held, left_out = onnx_.convolutions(model, found, name)
    layers = (
        StoredLayer(one.name, one.weight, one.bias, one.arguments, one.transposed, remark=one.remark)
        for one in held
    )
    made = {one for node in model.graph.node if node.op_type != "Constant" for one in node.output}
    count = sum(_stored(value) for key, value in found.items() if key not in made)
    return Checkpoint(name, found, tuple(layers), model, left_out, count)
