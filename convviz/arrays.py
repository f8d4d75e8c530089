"""Numbers from and to files: nested lists, tables, and the formats of numpy and safetensors."""

import io
import json
import lzma
import math
import re
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from convviz import memory
from convviz.errors import InputError
from convviz.files import read_bytes, shown
from convviz.marks import MARK
from convviz.text import plural, printable

Floats = NDArray[np.float32]

READABLE = (".json", ".csv", ".npy")
ARCHIVES = (".npz", ".safetensors")
WRITABLE = (".npz", ".npy", ".safetensors")

# What numpy's readers raise on damaged files and archives.
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    SyntaxError,
    RuntimeError,
    MemoryError,
    OverflowError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
)

# A picture has three axes and a weight has four.
_MOST_AXES = 4

_LARGEST = float(np.finfo(np.float32).max)


def read_array(path: Path) -> Floats:
    """Read numbers from a file.

    Parameters
    ----------
    path : Path
        A ``.json`` file of nested lists, a ``.csv`` file, or a ``.npy`` file, where
        truth values count as 0 and 1.

    Returns
    -------
    ndarray, shape of the file, float32
        Finite numbers, at least one, on at most four axes.

    Raises
    ------
    InputError
        If the file cannot be read or holds anything else; the message names the place.
    """
    return parse_array(read_bytes(path), shown(path), path.suffix.lower())


def parse_array(data: bytes, name: str, suffix: str) -> Floats:
    r"""Read numbers from the bytes of a file.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What messages call it.
    suffix : str
        One of `READABLE`. In a CSV numbers are parted by commas, semicolons or
        blanks; an empty line begins the next plane.

    Returns
    -------
    ndarray, shape of the file, float32
        A CSV gives (H, W), with more than one plane (C, H, W).

    Raises
    ------
    InputError
        As for `read_array`.

    Examples
    --------
    >>> parse_array(b"1,2\n3,4\n", "numbers", ".csv")
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    parsers: dict[str, Callable[[bytes, str], Any]] = {
        ".json": _from_json,
        ".csv": _from_csv,
        ".npy": lambda data, name: _from_npy(io.BytesIO(data), name),
    }
    if suffix not in parsers:
        raise InputError(f"cannot read numbers from {name}; its name must end in {', '.join(READABLE)}.")
    array = finite(parsers[suffix](data, name), name)
    if array.ndim > _MOST_AXES:
        raise InputError(f"{name} has {array.ndim} axes; expected at most {_MOST_AXES}.")
    return array


def finite(values: Any, name: str) -> Floats:
    """Bring numbers to float32, and refuse what that cannot hold; messages call them `name`."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {array.dtype} values; expected real numbers.")
    if not array.size:
        raise InputError(f"{name} holds no numbers (shape {array.shape}).")
    # As float32, and as the float64 that layers are laid out in; an array may repeat what it stores.
    memory.need(16 * array.size, f"the numbers of {name}", "make them fewer", error=InputError)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        numbers: Floats = np.asarray(array, np.float32, order="C")
    if not np.isfinite(numbers).all():
        first = tuple(np.argwhere(~np.isfinite(numbers))[0])
        place = "".join(f"[{index}]" for index in first)
        what = f"{array[first]} is not a finite number of float32"
        raise InputError(f"{name}: {what}, at {place or 'its one value'}.")
    return numbers


def _text(data: bytes, name: str) -> str:
    """Decode a text file."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not text in UTF-8 (byte {error.start}).") from None


def _from_json(data: bytes, name: str) -> NDArray[np.float64]:
    """Read nested lists of numbers."""
    text = _text(data, name)
    _check_count(data.count(b",") + 1, name)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} is not JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise InputError(f"{name} has lists in lists without end; expected at most {_MOST_AXES}.") from None
    except ValueError:  # Python converts no number of thousands of digits
        raise InputError(
            f"{name} has a whole number of thousands of digits, too large for float32."
        ) from None
    if not isinstance(document, list):
        raise InputError(f"{name}: expected nested lists of numbers, not {type(document).__name__}.")
    _check_lists(document, name)
    return np.array(document, np.float64)  # whole numbers of any length among them


def _check_count(numbers: int, name: str) -> None:
    """Refuse a text with more numbers than there is memory for."""
    what = f"the {plural(numbers, 'number')} of {name}"
    memory.need_objects(numbers, what, "store them as .npy", error=InputError)


def _check_lists(document: list[Any], name: str) -> None:
    """Refuse lists that are not the same length throughout, and what is no number."""
    level: list[tuple[str, Any]] = [("", document)]
    depth = 0
    while any(isinstance(item, list) for _, item in level):
        depth += 1
        if depth > _MOST_AXES:
            raise InputError(
                f"{name}: at {level[0][0]} begins a list on axis {depth}; expected at most {_MOST_AXES}."
            )
        length: int | None = None
        below = []
        for place, item in level:
            if not isinstance(item, list):
                raise InputError(f"{name}: {_json_word(item)} stands at {place}, where others have lists.")
            if length is not None and len(item) != length:
                raise InputError(
                    f"{name}: the list at {place} has {plural(len(item), 'item')}, "
                    f"but the one at {level[0][0]} has {length}."
                )
            length = len(item)
            below += [(f"{place}[{index}]", one) for index, one in enumerate(item)]
        level = below
    for place, item in level:
        if isinstance(item, bool) or not isinstance(item, int | float):
            raise InputError(f"{name}: {_json_word(item)} at {place} is not a number.")
        try:
            fits = math.isfinite(item) and abs(item) <= _LARGEST
        except OverflowError:
            fits = False
        if item != item:  # as NaN alone is
            raise InputError(f"{name}: NaN at {place} is not a finite number.")
        if not fits:
            raise InputError(f"{name}: the number at {place} is infinite or too large for float32.")


def _json_word(item: Any) -> str:
    """Write an item of JSON, shortened."""
    word = json.dumps(item)
    return word if len(word) <= 40 else word[:37] + "..."


def _from_csv(data: bytes, name: str) -> list[Any]:
    """Read planes of numbers with an empty line between them."""
    planes: list[list[list[float]]] = [[]]
    text = _text(data, name)
    _check_count(sum(map(data.count, (b",", b";", b" ", b"\t", b"\n"))) + 1, name)
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if "," in line and ";" in line:
            raise InputError(
                f"{name}: line {number} has commas and semicolons; write numbers with points, and part them "
                "by one of both."
            )
        if not line.strip():
            if planes[-1]:
                planes.append([])
            continue
        row = []
        for column, word in enumerate(
            re.split(r"\s*[,;]\s*|\s+", re.sub(r"\s*[,;]?\s*$", "", line).lstrip()), 1
        ):
            row.append(_csv_number(word, f"{name}, line {number}, number {column}"))
        first = planes[0][0] if planes[0] else row
        if len(row) != len(first):
            raise InputError(
                f"{name}: line {number} has {plural(len(row), 'number')}, "
                f"but the first line has {len(first)}."
            )
        planes[-1].append(row)
    if not planes[-1] and len(planes) > 1:
        planes.pop()
    for index, plane in enumerate(planes[1:], 2):
        if len(plane) != len(planes[0]):
            raise InputError(
                f"{name}: plane {index} has {plural(len(plane), 'line')}, but the first has {len(planes[0])}."
            )
    return planes if len(planes) > 1 else planes[0]


def _csv_number(word: str, place: str) -> float:
    """Read one number of a table."""
    try:
        value = float(word) if "_" not in word and word.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise InputError(f"{place}: {_json_word(word)} is not a finite number.")
    return value


def _from_npy(file: Any, name: str) -> NDArray[Any]:
    """Read one array of numpy's own format; what would run code is refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Python 2 wrote it
            array = np.lib.format.read_array(file, allow_pickle=False)
            left = len(file.read())
    except BROKEN as error:
        if "Object arrays" in str(error):
            reason = "it holds Python objects, and loading those could run any code"
        else:
            reason = "it is damaged or not in numpy's format"
        raise InputError(f"cannot read {name}: {reason}.") from None
    if left:
        raise InputError(f"cannot read {name}: there is more behind the array ({plural(left, 'byte')}).")
    return array


def read_archive(path: Path) -> dict[str, Floats]:
    """Read the arrays of numbers in a ``.npz`` or ``.safetensors`` file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of ndarray, float32
        By name; arrays of text, such as names, are left out. The bfloat16 and the floats
        of 8 bits of safetensors, which numpy lacks, become float32 exactly.

    Raises
    ------
    InputError
        If the file cannot be read, or an array is none of finite numbers.
    """
    return parse_archive(read_bytes(path), shown(path), path.suffix.lower())


def parse_archive(data: bytes, name: str, suffix: str) -> dict[str, Floats]:
    """Read the arrays of numbers in the bytes of an archive.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What messages call it.
    suffix : str
        One of `ARCHIVES`.

    Returns
    -------
    dict of ndarray, float32
        As `read_archive` gives them.

    Raises
    ------
    InputError
        As for `read_archive`.
    """
    found = {}
    for key, value in stored_arrays(data, name, suffix):
        if isinstance(value, str):
            raise InputError(f"{name}, array {key!r} {value}.")
        if value.dtype.kind not in "US":
            found[key] = finite(value, f"{name}, array {key!r}")
    return found


def stored_arrays(data: bytes, name: str, suffix: str) -> Iterator[tuple[str, NDArray[Any] | str]]:
    """Give names and arrays of an archive as they are stored, with the parameters of `parse_archive`.

    In place of an array that cannot be had comes the reason, as what follows its name.
    """
    return _from_safetensors(data, name) if suffix == ".safetensors" else _from_npz(data, name)


def _from_npz(data: bytes, name: str) -> Iterator[tuple[str, NDArray[Any] | str]]:
    """Read every array of a numpy archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                if not member.endswith(".npy"):
                    continue
                key = member.removesuffix(".npy")
                # zipfile unpacks no more than is announced here.
                size = archive.getinfo(member).file_size
                memory.need(
                    size, f"the bytes of array {key!r} in {name}", "make it smaller", error=InputError
                )
                with archive.open(member) as file:
                    yield key, _from_npy(file, f"{name}, array {key!r}")
    except BROKEN as error:
        reason = printable(str(error))[:80].lower()
        raise InputError(f"cannot read {name}: it is no archive of numpy ({reason}).") from None


# Of safetensors; its other types are complex, or floats of less than 8 bits.
_TENSOR_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "BF16": "<u2",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "F8_E4M3": "u1",
    "F8_E4M3FNUZ": "u1",
    "F8_E5M2": "u1",
    "F8_E5M2FNUZ": "u1",
    "F8_E8M0": "u1",
}


def _from_safetensors(data: bytes, name: str) -> Iterator[tuple[str, NDArray[Any] | str]]:
    """Read every array of a safetensors file; of one that cannot be had, say why."""
    memory.need(len(data), f"the arrays of {name}", "make the file smaller", error=InputError)
    try:
        tensors = safetensors.deserialize(data)  # type: ignore[no-untyped-call]  # it ships no types
    except safetensors.SafetensorError as error:
        reason = printable(str(error))[:100].removeprefix("Error while deserializing: ")
        raise InputError(f"cannot read {name}: it is no safetensors file ({reason}).") from None
    for key, tensor in tensors:
        kind = tensor["dtype"]
        if kind not in _TENSOR_TYPES:
            yield key, f"holds {kind} values; expected one of {', '.join(_TENSOR_TYPES)}"
            continue
        values = np.frombuffer(tensor["data"], _TENSOR_TYPES[kind]).reshape(tensor["shape"])
        if kind == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        elif kind.startswith("F8"):
            values = _floats_of_a_byte(kind)[values]
        yield key, values


def _floats_of_a_byte(kind: str) -> Floats:
    """List the 256 values of a float of 8 bits, by the byte that stands for each.

    Notes
    -----
    E4M3 has a sign, 4 bits of exponent and 3 of fraction, and no infinity; E8M0 is an
    exponent alone. FNUZ has neither infinity nor -0, and a bias that is 1 greater.
    Open Compute Project, "OCP 8-bit Floating Point Specification", 2023; the FNUZ types are
    those of Noune et al., "8-bit Numerical Formats for Deep Neural Networks", 2022.

    Examples
    --------
    >>> table = _floats_of_a_byte("F8_E4M3")
    >>> table[[0x01, 0x38, 0xC0, 0x7E]].tolist(), float(table[0x7F])
    ([0.001953125, 1.0, -2.0, 448.0], nan)
    """
    codes = np.arange(256)
    if kind == "F8_E8M0":
        size = np.where(codes == 255, np.nan, np.exp2(codes - 127.0))
        return np.asarray(size, np.float32)
    bits = 3 if "E4M3" in kind else 2
    bias = {3: 7, 2: 15}[bits] + ("FNUZ" in kind)
    exponent, fraction = (codes & 0x7F) >> bits, (codes & (1 << bits) - 1) / (1 << bits)
    size = np.where(exponent > 0, 1 + fraction, 2 * fraction) * np.exp2(exponent - float(bias))
    if "FNUZ" in kind:
        size[0x80] = np.nan
    elif bits == 3:
        size[[0x7F, 0xFF]] = np.nan
    else:  # the greatest exponent is that of infinity and of what is not a number
        size[exponent == 31] = np.where(fraction[exponent == 31] == 0, np.inf, np.nan)
    return np.asarray(np.where(codes & 0x80, -size, size), np.float32)


def write_arrays(file: BinaryIO, suffix: str, stored: dict[str, NDArray[Any]], text: dict[str, str]) -> None:
    """Write arrays, always with the same bytes for the same arrays.

    Parameters
    ----------
    file : binary file
        Where to write.
    suffix : str
        ``.npz``; ``.npy`` for the array ``maps`` alone; ``.safetensors``, where arrays of
        text become metadata.
    stored : dict of ndarray
        What to write, by name.
    text : dict of str
        As `convviz.marks.signed_text` gives it; a .npy file has no place for it.
    """
    if suffix == ".npy":
        # Into a file numpy writes by itself, and of a full disk it says no more than how much is missing.
        through = SimpleNamespace(write=file.write)
        np.lib.format.write_array(through, stored["maps"], allow_pickle=False)
    elif suffix == ".npz":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for key, array in stored.items():
                # The date is fixed, so that equal results are equal files.
                with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            archive.comment = f"{MARK} {text[MARK]}".encode()[:65_000]
    else:
        words = {key: array.tolist() for key, array in stored.items() if array.dtype.kind == "U"}
        tensors = {
            key: np.ascontiguousarray(array) for key, array in stored.items() if array.dtype.kind != "U"
        }
        # One entry alone: safetensors writes several in an order that differs between runs.
        mark = json.dumps(json.loads(text[MARK]) | words, ensure_ascii=False)
        file.write(safetensors.numpy.save(tensors, metadata={MARK: mark}))
