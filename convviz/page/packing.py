"""Arrays as text inside a page: rounded to fit, compressed, and with the error that rounding made."""

import base64
import hashlib
import zlib
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from convviz.typing import Floats

# As they are; half floats; one byte per value, between the least and the greatest of each channel.
Kind = Literal["f32", "f16", "u8"]
BYTES: dict[Kind, int] = {"f32": 4, "f16": 2, "u8": 1}

# zlib's quickest level: most bytes of a fraction are noise, which no level compresses.
_LEVEL = 1
_TO_TEXT = 4 / 3  # base64


class Stored(NamedTuple):
    """An array in the page.

    Parameters
    ----------
    kind : {"f32", "f16", "u8"}
        How its values are stored.
    shape : tuple of int
        Its shape.
    digest : bytes
        The key of its bytes in `Store`.
    error : float
        The largest error of a stored value, relative to the range of its channel (to the largest
        weight, for weights); 0 if the values are exact.
    """

    kind: Kind
    shape: tuple[int, ...]
    digest: bytes
    error: float


def packed(values: Floats, kind: Kind) -> bytes:
    """Write an array as the bytes that the page reads, before they are compressed.

    Parameters
    ----------
    values : ndarray, shape (C, ...), float32
        The array.
    kind : {"f32", "f16", "u8"}
        Floats in little-endian order, all first bytes before all second ones, because the bytes of an
        exponent resemble each other; or the least value of each channel, the greatest, and levels.

    Examples
    --------
    >>> list(packed(np.float32([[0, 1, 2]]), "u8")[8:])
    [0, 128, 255]
    """
    if kind != "u8":
        floats = np.ascontiguousarray(values, "<f4" if kind == "f32" else "<f2")
        return np.ascontiguousarray(floats.reshape(-1, 1).view(np.uint8).T).tobytes()
    flat = values.reshape(len(values), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    step = (high.astype(np.float64) - low) / 255
    levels = np.rint((flat - low[:, None]) / np.where(step > 0, step, 1)[:, None]).astype(np.uint8)
    ends = np.stack([low, high]).astype("<f4")
    return bytes(ends.tobytes() + levels.tobytes())


def unpacked(data: bytes, kind: Kind, shape: tuple[int, ...]) -> Floats:
    """Read the bytes of `packed`, as the page does.

    Examples
    --------
    >>> unpacked(packed(np.float32([[0, 1, 255]]), "u8"), "u8", (1, 3))
    array([[  0.,   1., 255.]], dtype=float32)
    """
    if kind != "u8":
        dtype = "<f4" if kind == "f32" else "<f2"
        bytes_ = np.frombuffer(data, np.uint8).reshape(BYTES[kind], -1).T
        return np.ascontiguousarray(bytes_).view(dtype).astype(np.float32).reshape(shape)
    count = shape[0]
    low, high = np.frombuffer(data, "<f4", 2 * count).astype(np.float64).reshape(2, count, 1)
    levels = np.frombuffer(data, np.uint8, offset=8 * count).reshape(count, -1)
    return (low + levels * ((high - low) / 255)).astype(np.float32).reshape(shape)


@dataclass(slots=True)
class Store:
    """The arrays of a page; equal arrays are stored once.

    Parameters
    ----------
    blobs : dict of str
        The compressed arrays as base64, by the digest of their bytes.
    """

    blobs: dict[bytes, str] = field(default_factory=dict)

    def add(self, values: Floats, kind: Kind) -> Stored:
        """Store an array; values that `kind` cannot hold are stored as they are."""
        fits = np.isfinite(values).all() and (kind != "f16" or np.abs(values).max(initial=0) < 65504)
        kind = kind if fits else "f32"
        data = packed(values, kind)
        digest = hashlib.blake2b(data, digest_size=16, person=kind.encode()).digest()
        if digest not in self.blobs:
            self.blobs[digest] = base64.b64encode(zlib.compress(data, _LEVEL)).decode("ascii")
        error = 0.0 if kind == "f32" else _error(values, unpacked(data, kind, values.shape), kind)
        return Stored(kind, values.shape, digest, error)

    def size(self, stored: Stored) -> int:
        """Count the characters of a stored array."""
        return len(self.blobs[stored.digest])


def text_bytes(count: int, kind: Kind) -> int:
    """Estimate the characters of so many values in a page, as if nothing were compressed."""
    return int(count * BYTES[kind] * _TO_TEXT)


def _error(values: Floats, rounded: Floats, kind: Kind) -> float:
    """Compare stored values with the values themselves."""
    flat, found = (one.reshape(len(one), -1).astype(np.float64) for one in (values, rounded))
    ranges = np.ptp(flat, axis=1)
    if kind == "f16":
        ranges = np.maximum(ranges, np.abs(flat).max(axis=1))
    worst = np.abs(found - flat).max(axis=1)
    return float((worst / np.where(ranges > 0, ranges, 1)).max())
