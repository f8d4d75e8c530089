"""Arrays in numpy's own format, and checks of arrays of numbers."""

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
    """Do what `floats` does, and refuse NaN and infinity."""
    found = floats(values, name)
    with np.errstate(invalid="ignore"):
        if np.isfinite(found.sum(dtype=np.float64)):  # that of finite float32 numbers is finite
            return found
    bad = ~np.isfinite(found)
    if bad.any():
        remedy = "replace it by a finite number, as numpy.nan_to_num does"
        raise InputError(f"{name}: {_first(found, bad, 'is not a finite number of float32')}; {remedy}.")
    return found


def floats(values: Any, name: str) -> Floats:
    """Bring numbers to float32, NaN and infinity among them; messages call them `name`.

    Raises
    ------
    InputError
        If there are none, they are no real numbers, there is no room for them, or float32 cannot hold one.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {array.dtype} values; expected real numbers.")
    if not array.size:
        raise InputError(f"{name} holds no numbers (shape {array.shape}).")
    # As float32, and as the float64 that layers are laid out in; an array may repeat what it stores.
    memory.need(16 * array.size, f"the numbers of {name}", "make them fewer", error=InputError)
    return converted(array, name)


def converted(array: NDArray[Any], name: str) -> Floats:
    """Bring real numbers to float32.

    Raises
    ------
    InputError
        If a finite one is too large for float32: infinity in its place would be another number.
    """
    with np.errstate(over="ignore"):
        found: Floats = np.asarray(array, np.float32, order="C")
    # Of the types of numbers only wider floats hold more than float32.
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        too_large = np.isinf(found)
        if too_large.any() and (too_large := too_large & np.isfinite(array)).any():
            raise InputError(
                f"{name}: {_first(array, too_large, 'is too large for float32')}; divide the numbers."
            )
    return found


def _first(array: NDArray[Any], bad: NDArray[np.bool_], what: str) -> str:
    """Say what is wrong with the first of the marked numbers, and where it stands."""
    place = np.argwhere(bad)[0]
    where = "".join(f"[{index}]" for index in place) or "its one value"
    return f"{array[tuple(place)]} {what}, at {where}"


def from_npy(data: bytes, name: str) -> NDArray[Any]:
    """Read one array in numpy's own format without a copy; refuse one that would run code."""
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
    """Read the header of a .npy: type, shape, whether columns come first, where the values start."""
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
