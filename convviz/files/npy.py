"""Read arrays in numpy's own format, and check arrays of numbers."""

import io
import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import InputError
from convviz.machine import memory
from convviz.text import plural
from convviz.typing import Floats

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


def finite(values: Any, name: str) -> Floats:
    """Convert numbers as `floats` does, but refuse NaN and infinity."""
    found = floats(values, name)
    with np.errstate(invalid="ignore"):
        if np.isfinite(found.sum(dtype=np.float64)):  # finite float32 numbers have a finite sum
            return found
    bad = ~np.isfinite(found)
    if bad.any():
        remedy = "replace it by a finite number, as numpy.nan_to_num does"
        raise InputError(f"{name}: {_first(found, bad, 'is not a finite number of float32')}; {remedy}.")
    return found


def floats(values: Any, name: str) -> Floats:
    """Convert numbers, including NaN and infinity, to float32; messages call them `name`.

    Raises
    ------
    InputError
        If there are none, they are not real numbers, memory is too small, or float32 cannot hold one of them.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {array.dtype} values; expected real numbers.")
    if not array.size:
        raise InputError(f"{name} holds no numbers (shape {array.shape}).")
    # For float32 and for the float64 of the layout of layers; an array may repeat what it stores.
    memory.need(16 * array.size, f"the numbers of {name}", "make them fewer", error=InputError)
    return converted(array, name)


def converted(array: NDArray[Any], name: str) -> Floats:
    """Convert real numbers to float32.

    Raises
    ------
    InputError
        If a finite number is too large for float32; infinity would be a different number.
    """
    with np.errstate(over="ignore"):
        found: Floats = np.asarray(array, np.float32, order="C")
    # Only wider floats can hold larger values than float32.
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        too_large = np.isinf(found)
        if too_large.any() and (too_large := too_large & np.isfinite(array)).any():
            raise InputError(
                f"{name}: {_first(array, too_large, 'is too large for float32')}; divide the numbers."
            )
    return found


def _first(array: NDArray[Any], bad: NDArray[np.bool_], what: str) -> str:
    """Describe the first of the marked numbers and its place."""
    place = np.argwhere(bad)[0]
    where = "".join(f"[{index}]" for index in place) or "its one value"
    return f"{array[tuple(place)]} {what}, at {where}"


def from_npy(data: bytes, name: str) -> NDArray[Any]:
    """Read one array in numpy's own format without a copy; refuse an array that would run code."""
    try:
        kind, shape, by_columns, start = _npy_header(data)
        if kind.hasobject:
            raise InputError(
                f"cannot read {name}: it holds Python objects, and loading those could run any code."
            )
        count = math.prod(shape)
        left = len(data) - start - count * kind.itemsize
        if left > 0:
            raise InputError(f"cannot read {name}: more data follows the array ({plural(left, 'byte')}).")
        # Checked before allocation: a header can declare any number of values.
        if left < 0:
            raise ValueError("cut off")
        values = np.frombuffer(data, kind, count, start) if count else np.empty(0, kind)
        return values.reshape(shape, order="F" if by_columns else "C")
    except BROKEN:
        raise InputError(f"cannot read {name}: it is damaged or not in numpy's format.") from None


def _npy_header(data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Read the header of a .npy: type, shape, whether the order is Fortran's, and where the values start."""
    file = io.BytesIO(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files from Python 2
        version = np.lib.format.read_magic(file)
        # The third version exists for field names, which arrays of numbers do not have.
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, by_columns, kind = read(file)
    return kind, shape, by_columns, file.tell()
