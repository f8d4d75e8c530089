"""Numbers from and to files: nested lists, tables, and the formats of numpy and safetensors."""

import codecs
import contextlib
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
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from convviz.errors import InputError
from convviz.files.marks import MARK
from convviz.files.writing import read_bytes, shown, split_member
from convviz.machine import memory
from convviz.text import amount, because, plural, printable
from convviz.typing import Floats

READABLE = (".json", ".csv", ".npy", ".npz")
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

# A file of a few kilobytes may unpack to any size, and a text may name any number: what is larger than this
# belongs into a .npy, whose size tells what it holds. A number of a text takes some 60 bytes at first.
# The largest weights of a convolution in use have 150 MiB.
_MOST_UNPACKED, _MOST_UNPACKED_WEIGHTS, _MOST_WRITTEN = 1 << 30, 1 << 28, 1 << 24
_PIECE_BYTES = 1 << 20

_LARGEST = float(np.finfo(np.float32).max)


def read_array(path: Path) -> Floats:
    """Read numbers from a file.

    Parameters
    ----------
    path : Path
        A ``.json`` file of nested lists, a ``.csv`` file, or a ``.npy`` file, where
        truth values count as 0 and 1; or one array of a ``.npz`` file, which is named
        behind a colon if there are several.

    Returns
    -------
    ndarray, shape of the file, float32
        Finite numbers, at least one, on at most four axes.

    Raises
    ------
    InputError
        If the file cannot be read or holds anything else; the message names the place.
    """
    file, member = split_member(path)
    return parse_array(read_bytes(file), shown(file), file.suffix.lower(), member=member)


def parse_array(data: bytes, name: str, suffix: str, *, member: str | None = None) -> Floats:
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
    member : str, optional
        Which array of a .npz; by default its only one.

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
        ".npy": _from_npy,
        ".npz": partial(_one_of_npz, member=member),
    }
    if suffix not in parsers:
        raise InputError(f"cannot read numbers from {name}; its name must end in {', '.join(READABLE)}.")
    array = finite(parsers[suffix](data, name), name)
    if array.ndim > _MOST_AXES:
        raise InputError(f"{name} has {array.ndim} axes; expected at most {_MOST_AXES}.")
    return array


def finite(values: Any, name: str) -> Floats:
    """Bring numbers to float32, and refuse what that cannot hold; messages call them `name`."""
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {array.dtype} values; expected real numbers.")
    if not array.size:
        raise InputError(f"{name} holds no numbers (shape {array.shape}).")
    # As float32, and as the float64 that layers are laid out in; an array may repeat what it stores.
    memory.need(16 * array.size, f"the numbers of {name}", "make them fewer", error=InputError)
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large becomes infinite, and is refused
        found: Floats = np.asarray(array, np.float32, order="C")
        if np.isfinite(found.sum(dtype=np.float64)):  # that of finite float32 numbers is finite
            return found
    bad = ~np.isfinite(found)
    if bad.any():
        place = "".join(f"[{index}]" for index in np.argwhere(bad)[0])
        what = f"{array[tuple(np.argwhere(bad)[0])]} is not a finite number of float32"
        raise InputError(f"{name}: {what}, at {place or 'its one value'}.")
    return found


# Editors and spreadsheets on Windows write such texts, and say so by their first bytes.
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # it begins as UTF-16 does, so it comes before
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def text_of(data: bytes, name: str) -> str:
    """Decode a text file: UTF-8, or what its byte order mark says.

    Raises
    ------
    InputError
        If it is no such text.

    Examples
    --------
    >>> text_of("1 2".encode("utf-16"), "numbers")
    '1 2'
    """
    encoding = next((known for mark, known in _ENCODINGS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        word = encoding.removesuffix("-sig").upper()
        raise InputError(f"{name} is not text in {word} (byte {error.start}).") from None


def _from_json(data: bytes, name: str) -> NDArray[np.float64]:
    """Read nested lists of numbers."""
    text = text_of(data, name)
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
    """Refuse a text with more numbers than there is memory for, or than any text has to hold."""
    if numbers > _MOST_WRITTEN:
        raise InputError(
            f"{name} has up to {plural(numbers, 'number')}; the limit for text is {_MOST_WRITTEN:,}: "
            "store them as .npy."
        )
    what = f"the {plural(numbers, 'number')} of {name}"
    memory.need_objects(numbers, what, "store them as .npy", error=InputError)


def _check_lists(document: list[Any], name: str) -> None:
    """Refuse lists that are not the same length throughout, and what is no number."""
    level: list[tuple[str, list[Any]]] = [("", document)]
    depth = 1
    while True:
        first, length = level[0][0], len(level[0][1])
        for place, one in level:
            if len(one) != length:
                raise InputError(
                    f"{name}: the list at {place} has {plural(len(one), 'item')}, "
                    f"but the one at {first} has {length}."
                )
        if not any(isinstance(item, list) for _, one in level for item in one):
            break
        depth += 1
        if depth > _MOST_AXES:
            raise InputError(
                f"{name}: at {first}[0] begins a list on axis {depth}; expected at most {_MOST_AXES}."
            )
        below = []
        for place, one in level:
            for index, item in enumerate(one):
                if not isinstance(item, list):
                    raise InputError(
                        f"{name}: {_json_word(item)} stands at {place}[{index}], where others have lists."
                    )
                below.append((f"{place}[{index}]", item))
        level = below
    # The place of a number is made only where it is wanted: there may be millions.
    for place, one in level:
        for index, item in enumerate(one):
            if wrong := _wrong_number(item):
                raise InputError(f"{name}: {wrong[0]} at {place}[{index}] {wrong[1]}.")


def _wrong_number(item: Any) -> tuple[str, str] | None:
    """Tell what is wrong with an item of JSON that should be a number: its name, and why."""
    if isinstance(item, bool) or not isinstance(item, int | float):
        return _json_word(item), "is not a number"
    if item != item:  # as NaN alone is
        return "NaN", "is not a finite number"
    # Whole numbers of any length compare with floats exactly.
    return None if abs(item) <= _LARGEST else ("the number", "is infinite or too large for float32")


def _json_word(item: Any) -> str:
    """Write an item of JSON, shortened."""
    word = json.dumps(item)
    return word if len(word) <= 40 else word[:37] + "..."


def _from_csv(data: bytes, name: str) -> list[Any]:
    """Read planes of numbers with an empty line between them."""
    planes: list[list[list[float]]] = [[]]
    text = text_of(data, name)
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


def _from_npy(data: bytes, name: str) -> NDArray[Any]:
    """Take one array of numpy's own format, without a copy; what would run code is refused."""
    try:
        kind, shape, by_columns, start = _npy_header(data)
        if kind.hasobject:
            raise InputError(
                f"cannot read {name}: it holds Python objects, and loading those could run any code."
            )
        count = math.prod(shape)
        left = len(data) - start - count * kind.itemsize
        if left > 0:
            raise InputError(f"cannot read {name}: there is more behind the array ({plural(left, 'byte')}).")
        # Before anything is made: a header can announce any number of values.
        if left < 0:
            raise ValueError("cut off")
        values = np.frombuffer(data, kind, count, start) if count else np.empty(0, kind)
        return values.reshape(shape, order="F" if by_columns else "C")
    except BROKEN:
        raise InputError(f"cannot read {name}: it is damaged or not in numpy's format.") from None


def _npy_header(data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Read what a .npy begins with: type, shape, whether columns come first, and where the values start."""
    file = io.BytesIO(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Python 2 wrote it
        version = np.lib.format.read_magic(file)
        # The third version is for names of fields, which no array of numbers has.
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, by_columns, kind = read(file)
    return kind, shape, by_columns, file.tell()


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
        of 8 bits of safetensors, which numpy lacks, become float32 exactly. A .npz may
        hold at most 256 MiB in all, for a small file can unpack to any size.

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
    if suffix == ".npz":
        with _opened_npz(data, name) as (archive, members):
            size = sum(archive.getinfo(member).file_size for member in members.values())
            _check_unpacked(size, f"the arrays of {name} unpack", _MOST_UNPACKED_WEIGHTS)
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


@contextlib.contextmanager
def _opened_npz(data: bytes, name: str) -> Iterator[tuple[zipfile.ZipFile, dict[str, str]]]:
    """Open an archive of numpy; give it with its members by the names of their arrays."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield (
                archive,
                {
                    member.removesuffix(".npy"): member
                    for member in archive.namelist()
                    if member.endswith(".npy")
                },
            )
    except BROKEN as error:
        raise InputError(f"cannot read {name}: it is no archive of numpy{because(error).lower()}.") from None


def _check_unpacked(size: int, what: str, most: int) -> None:
    """Refuse what is larger than any file of this kind has to be."""
    if size > most:
        raise InputError(f"{what} to {amount(size)}; the limit is {amount(most)}: store the numbers as .npy.")


def _unpacked(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    """Unpack a member of an archive, and no more of it than it announces."""
    info = archive.getinfo(member)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("compressed in a way that numpy does not write")
    memory.need(info.file_size, f"the bytes of {name}", "make it smaller", error=InputError)
    # Read at once, zipfile unpacks all that there is before it cuts off what was not announced.
    with archive.open(info) as file:
        return b"".join(iter(partial(file.read, _PIECE_BYTES), b""))


def _from_npz(data: bytes, name: str) -> Iterator[tuple[str, NDArray[Any] | str]]:
    """Read every array of a numpy archive."""
    with _opened_npz(data, name) as (archive, members):
        for key, member in members.items():
            place = f"{name}, array {key!r}"
            yield key, _from_npy(_unpacked(archive, member, place), place)


def _one_of_npz(data: bytes, name: str, *, member: str | None) -> NDArray[Any]:
    """Read one array of a numpy archive: the one that is named, or its only one."""
    with _opened_npz(data, name) as (archive, members):
        if member is None and len(members) == 1:
            (member,) = members
        if member not in members:
            held = ", ".join(printable(key) for key in list(members)[:20]) or "none"
            more = f" and {len(members) - 20:,} more" if len(members) > 20 else ""
            what = f"holds {plural(len(members), 'array')}" if member is None else f"has no array {member!r}"
            raise InputError(
                f"{name} {what}; name one behind a colon, as in FILE.npz:NAME; it holds {held}{more}."
            )
        place = f"{name}, array {member!r}"
        _check_unpacked(archive.getinfo(members[member]).file_size, f"{place} unpacks", _MOST_UNPACKED)
        return _from_npy(_unpacked(archive, members[member], place), place)


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
        reason = because(error).replace("Error while deserializing: ", "")
        raise InputError(f"cannot read {name}: it is no safetensors file{reason}.") from None
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
        As `convviz.files.marks.signed_text` gives it; a .npy file has no place for it.
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
