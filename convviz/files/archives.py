"""Read archives of arrays, .npz and .safetensors, within limits, and write them."""

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator
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
from convviz.files.npy import BROKEN, finite, from_npy
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.machine import memory
from convviz.text import amount, because, plural, printable
from convviz.typing import Floats

ARCHIVES = (".npz", ".safetensors")
WRITABLE = (".npz", ".npy", ".safetensors")

# A file of a few kilobytes may unpack to any size: larger arrays belong in a .npy, whose size shows
# what it holds. The largest convolution weights in use have 150 MiB.
_MOST_UNPACKED, _MOST_UNPACKED_WEIGHTS = 1 << 30, 1 << 28

_PIECE_BYTES = 1 << 20


def read_archive(path: Path) -> dict[str, Floats]:
    """Read the arrays of numbers in a ``.npz`` or ``.safetensors`` file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of ndarray, float32
        By name; arrays of text, such as names, are left out. The bfloat16 and 8-bit floats
        of safetensors, which numpy lacks, become float32 exactly. A .npz may hold at most
        256 MiB in all, because a small file can unpack to any size.

    Raises
    ------
    InputError
        If the file cannot be read, or an array does not hold finite numbers.
    """
    return parse_archive(read_bytes(path), quoted(path), path.suffix.lower())


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
        As `read_archive` returns them.

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
    """Yield the names and arrays of an archive as stored; the parameters are those of `parse_archive`.

    The reason, worded to follow the name, replaces an array that cannot be read.
    """
    return _from_safetensors(data, name) if suffix == ".safetensors" else _from_npz(data, name)


@contextlib.contextmanager
def _opened_npz(data: bytes, name: str) -> Iterator[tuple[zipfile.ZipFile, dict[str, str]]]:
    """Open a numpy archive; yield it with its members by array name."""
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
        raise InputError(f"cannot read {name}: it is not a numpy archive{because(error).lower()}.") from None


def _check_unpacked(size: int, what: str, most: int) -> None:
    """Refuse a file that is larger than any file of its kind needs to be."""
    if size > most:
        raise InputError(f"{what} to {amount(size)}; the limit is {amount(most)}: store the numbers as .npy.")


def _unpacked(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    """Unpack a member of an archive, but no more bytes than it declares."""
    info = archive.getinfo(member)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("compressed in a way that numpy does not write")
    memory.need(info.file_size, f"the bytes of {name}", "make it smaller", error=InputError)
    # In a single read, zipfile would unpack everything before it cuts off bytes beyond the declared size.
    with archive.open(info) as file:
        return b"".join(iter(partial(file.read, _PIECE_BYTES), b""))


def _from_npz(data: bytes, name: str) -> Iterator[tuple[str, NDArray[Any] | str]]:
    """Read every array of a numpy archive."""
    with _opened_npz(data, name) as (archive, members):
        for key, member in members.items():
            place = f"{name}, array {key!r}"
            yield key, from_npy(_unpacked(archive, member, place), place)


def one_of_npz(data: bytes, name: str, *, member: str | None) -> NDArray[Any]:
    """Read one array of a numpy archive: the named one, or the only one."""
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
        return from_npy(_unpacked(archive, members[member], place), place)


# Types of safetensors; its other types are complex, or floats of less than 8 bits.
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
    """Yield every array of a safetensors file, or the reason why it cannot be read."""
    memory.need(len(data), f"the arrays of {name}", "make the file smaller", error=InputError)
    try:
        tensors = safetensors.deserialize(data)  # type: ignore[no-untyped-call]  # it ships no types
    except safetensors.SafetensorError as error:
        reason = because(error).replace("Error while deserializing: ", "")
        raise InputError(f"cannot read {name}: it is not a safetensors file{reason}.") from None
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
    """List the 256 values of an 8-bit float type, indexed by byte.

    Notes
    -----
    E4M3 has a sign, 4 bits of exponent and 3 of fraction, and no infinity; E8M0 has only
    an exponent. FNUZ has neither infinity nor -0, and its bias is greater by 1.
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
    else:  # the greatest exponent marks infinity and NaN
        size[exponent == 31] = np.where(fraction[exponent == 31] == 0, np.inf, np.nan)
    return np.asarray(np.where(codes & 0x80, -size, size), np.float32)


def write_arrays(
    file: BinaryIO, suffix: str, stored: dict[str, NDArray[Any]], *, text: dict[str, str]
) -> None:
    """Write arrays; the same arrays always give the same bytes.

    Parameters
    ----------
    file : binary file
        Where to write.
    suffix : str
        ``.npz``; ``.npy`` for only the array ``maps``; ``.safetensors``, where arrays of
        text become metadata.
    stored : dict of ndarray
        What to write, by name.
    text : dict of str
        As `convviz.files.marks.signed_text` returns it; a .npy file has no place for it.
    """
    if suffix == ".npy":
        # numpy would write to a real file itself, and its error for a full disk lacks the reason.
        through = SimpleNamespace(write=file.write)
        np.lib.format.write_array(through, stored["maps"], allow_pickle=False)
    elif suffix == ".npz":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for key, array in stored.items():
                # The date is fixed, so that equal results give equal files.
                with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            archive.comment = f"{MARK} {text[MARK]}".encode()[:65_000]
    else:
        words = {key: array.tolist() for key, array in stored.items() if array.dtype.kind == "U"}
        tensors = {
            key: np.ascontiguousarray(array) for key, array in stored.items() if array.dtype.kind != "U"
        }
        # Only one entry: safetensors writes several entries in an order that differs between runs.
        mark = json.dumps(json.loads(text[MARK]) | words, ensure_ascii=False)
        file.write(safetensors.numpy.save(tensors, metadata={MARK: mark}))
