"""Read TIFF pages far into a file, and kinds of floats that Pillow does not read."""

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import InputError
from convviz.text import plural

# Tags, by their names in the specification of TIFF 6.0.
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _STRIP_OFFSETS, _SAMPLES = 256, 257, 258, 259, 273, 277
_ROWS, _STRIP_BYTES, _PLANAR, _PREDICTOR, _EXTRA, _FORMAT = 278, 279, 284, 317, 338, 339
_READ = {_WIDTH, _LENGTH, _BITS, _COMPRESSION, _STRIP_OFFSETS, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANAR}
_READ |= {_PREDICTOR, _EXTRA, _FORMAT}

_FLOAT = 3
_PLAIN, _DEFLATED = (1,), (8, 32946)

# Types of numbers in a directory: 16 and 32 bits, and 64 bits in a BigTIFF.
_TYPES = {3: "H", 4: "I", 16: "Q"}


def directories(data: bytes) -> Iterator[int]:
    """Yield the offsets of the directories of a TIFF, one per page.

    Parameters
    ----------
    data : bytes
        The file.

    Yields
    ------
    int
        Where each directory begins, in bytes. An offset outside the file, or one that points
        back, ends the list.

    Notes
    -----
    For every page, Pillow goes through all earlier pages, so 200,000 small pages take
    hours.
    """
    found = _layout(data)
    if found is None:
        return
    order, word, counter, entry, start = found
    seen = set()
    (place,) = struct.unpack_from(order + word, data, start)
    while place and place not in seen and place + struct.calcsize(counter) <= len(data):
        seen.add(place)
        yield place
        (count,) = struct.unpack_from(order + counter, data, place)
        behind = place + struct.calcsize(counter) + count * entry
        if behind + struct.calcsize(word) > len(data):
            return
        (place,) = struct.unpack_from(order + word, data, behind)


def beginning_at(data: bytes, place: int) -> bytes:
    """Return a file whose first page is the one with its directory at `place`."""
    found = _layout(data)
    assert found is not None
    order, word, _, _, start = found
    return data[:start] + struct.pack(order + word, place) + data[start + struct.calcsize(word) :]


def _layout(data: bytes) -> tuple[str, str, str, int, int] | None:
    """Return byte order, type of offsets, type of counts, bytes per entry, and place of the first offset."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    (version,) = struct.unpack_from(order + "H", data, 2)
    return {42: (order, "I", "H", 12, 4), 43: (order, "Q", "Q", 20, 8)}.get(version)


@dataclass(frozen=True, slots=True)
class FloatPage:
    """A page of floats in a TIFF.

    Parameters
    ----------
    height, width, samples : int
        Size, in pixels, and number of values per pixel.
    alpha : bool
        Whether the last value is alpha.
    """

    height: int
    width: int
    samples: int
    alpha: bool
    _kind: np.dtype[Any]
    _tags: Mapping[int, tuple[int, ...]]

    def read(self, data: bytes) -> NDArray[np.float32]:
        """Read its samples.

        Parameters
        ----------
        data : bytes
            The file.

        Returns
        -------
        ndarray, shape (H, W, C), float32
            The values as stored, including NaN and infinity.

        Raises
        ------
        OSError
            If there are too few values, or float32 cannot hold one of them.
        """
        tags = self._tags
        compression = tags.get(_COMPRESSION, (1,))[0]
        row = self.width * self.samples * self._kind.itemsize
        rows = min(tags.get(_ROWS, (self.height,))[0], self.height) or self.height
        places, sizes = tags.get(_STRIP_OFFSETS, ()), tags.get(_STRIP_BYTES, ())
        if not row or not self.height:
            raise OSError("it has no pixels")
        if len(places) != len(sizes) or len(places) < math.ceil(self.height / rows):
            raise OSError("it has too few strips")
        found = np.empty((self.height, self.width, self.samples), np.float32)
        for index, top in enumerate(range(0, self.height, rows)):
            bottom = min(top + rows, self.height)
            wanted = (bottom - top) * row
            strip = data[places[index] : places[index] + sizes[index]]
            if compression in _DEFLATED:
                strip = zlib.decompressobj().decompress(strip, wanted)
            if len(strip) < wanted:
                raise OSError(f"{len(strip):,} of {plural(wanted, 'byte')}")
            values = np.frombuffer(strip, self._kind, wanted // self._kind.itemsize)
            part = found[top:bottom]
            with np.errstate(over="ignore"):
                part[:] = values.reshape(part.shape)
            if self._kind.itemsize > 4 and np.isinf(part).sum() > np.isinf(values).sum():
                raise OSError("it has a value that is too large for float32")
        return found


def float_page(data: bytes, name: str) -> FloatPage | None:
    """Return the first page of a TIFF if it holds floats that are read here.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What messages call it.

    Returns
    -------
    FloatPage or None
        The page: 16, 32 or 64 bits, 1 to 4 values per pixel, in strips; None if it
        holds something else.

    Raises
    ------
    InputError
        If it holds floats that are arranged or compressed in another way.
    """
    place = next(directories(data), None)
    tags = {} if place is None else _tags(data, place)
    bits, samples = set(tags.get(_BITS, (1,))), tags.get(_SAMPLES, (1,))[0]
    if set(tags.get(_FORMAT, (1,))) != {_FLOAT} or len(bits) != 1 or not bits <= {16, 32, 64}:
        return None
    compression = tags.get(_COMPRESSION, (1,))[0]
    if (
        compression not in (*_PLAIN, *_DEFLATED)
        or tags.get(_PREDICTOR, (1,))[0] != 1
        or (tags.get(_PLANAR, (1,))[0] != 1 and samples > 1)
        or _STRIP_OFFSETS not in tags
        or samples not in (1, 2, 3, 4)
    ):
        raise InputError(
            f"cannot read {name}: floats in a TIFF are read where they stand in strips, pixel by pixel, not "
            "compressed or deflated; store it so, or save the values as .npy."
        )
    order = "<" if data.startswith(b"II") else ">"
    return FloatPage(
        tags.get(_LENGTH, (0,))[0],
        tags.get(_WIDTH, (0,))[0],
        samples,
        samples in (2, 4),
        np.dtype(f"{order}f{bits.pop() // 8}"),
        tags,
    )


def _tags(data: bytes, place: int) -> dict[int, tuple[int, ...]]:
    """Read the entries of a directory that hold whole numbers and are needed here."""
    found = _layout(data)
    assert found is not None
    order, word, counter, entry, _ = found
    inline = struct.calcsize(word)
    (count,) = struct.unpack_from(order + counter, data, place)
    tags = {}
    at = place + struct.calcsize(counter)
    for start in range(at, min(at + count * entry, len(data) - entry + 1), entry):
        tag, kind, length = struct.unpack_from(f"{order}HH{word}", data, start)
        if tag not in _READ or kind not in _TYPES:
            continue
        size = length * struct.calcsize(_TYPES[kind])
        behind = start + entry - inline
        values = behind if size <= inline else struct.unpack_from(order + word, data, behind)[0]
        if values + size <= len(data):  # an entry cannot claim more values than the file has
            tags[tag] = struct.unpack_from(f"{order}{length}{_TYPES[kind]}", data, values)
    return tags
