"""Draw rectangles, words and pictures in whole pixels, painted band by band when the file is written."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from convviz.render.drawings.drawing import Bitmap, Colour, Label, Rectangle, Shape
from convviz.render.fonts import font, stamp
from convviz.typing import Bytes

Paint = Callable[[int, int], Bytes]

# The length of a row of one colour, in numbers.
_LONG = 6000
# Words of at most this many pixels are kept as they are drawn on paper.
_MOST_KEPT = 1 << 19

# The shapes of a sheet: their edges lie along the pixels, so nothing needs smoothing.
Flat = Rectangle | Label | Bitmap


class Bands:
    """Hold shapes on paper, and paint them from the top down without ever holding all pixels.

    Parameters
    ----------
    height, width : int
        Size, in pixels.
    shapes : sequence
        Filled rectangles, labels and pictures, one unit per pixel; the first one
        undermost. Width and height of a picture are whole multiples of its columns and rows.

    Examples
    --------
    >>> bands = Bands(2, 3, [Rectangle(1, 0, 2, 1, fill=(9, 9, 9))])
    >>> bands.paint(0, 2)[:, :, 0].tolist()
    [[255, 9, 9], [255, 255, 255]]
    """

    def __init__(self, height: int, width: int, shapes: Sequence[Shape]) -> None:
        self._height, self._width = height, width
        self._shapes = [shape for shape in shapes if _is_flat(shape)]
        reach = np.array([_rows(shape) for shape in self._shapes], np.int64).reshape(-1, 2)
        self._tops, self._bottoms = reach[:, 0], reach[:, 1]

    def strips(self) -> Iterator[tuple[int, Paint]]:
        """Return the whole height with the function that paints its rows; several threads may call this."""
        yield self._height, self.paint

    def paint(self, top: int, bottom: int) -> Bytes:
        """Paint some rows, shape (bottom - top, width, 3)."""
        # Three numbers per pixel lie in one row: copying and mixing rows is many times faster than doing so
        # with three numbers for every pixel.
        pixels = np.full((bottom - top, 3 * self._width), 255, np.uint8)
        for index in np.flatnonzero((self._tops < bottom) & (self._bottoms > top)):
            shape = self._shapes[index]
            if isinstance(shape, Rectangle):
                _fill(pixels, shape, top)
            elif isinstance(shape, Label):
                _write(pixels, shape, top)
            else:
                _show(pixels, shape, top)
        return pixels.reshape(len(pixels), -1, 3)


def _is_flat(shape: Shape) -> TypeGuard[Flat]:
    """Return whether a shape lies along the pixels."""
    return isinstance(shape, Flat)


def _rows(shape: Flat) -> tuple[int, int]:
    """Return the rows that a shape may reach."""
    if isinstance(shape, Label):
        return int(shape.y) - 2 * shape.size, int(shape.y) + shape.size
    return round(shape.y), round(shape.y + shape.h)


def _part(pixels: Bytes, rows: tuple[int, int], columns: tuple[int, int]) -> Bytes:
    """Take the part of a band between rows and columns, as far as it lies in the band."""
    (y0, y1), (x0, x1) = rows, columns
    return pixels[max(y0, 0) : max(y1, 0), 3 * max(x0, 0) : 3 * max(x1, 0)]


def _fill(pixels: Bytes, shape: Rectangle, top: int) -> None:
    """Fill a rectangle."""
    if shape.fill is None:
        return
    first, last = _rows(shape)
    target = _part(pixels, (first - top, last - top), (round(shape.x), round(shape.x + shape.w)))
    target[:] = _row(shape.fill, target.shape[1])


def _row(colour: Colour, length: int) -> Bytes:
    """Return a row of pixels of one colour, with `length` numbers."""
    return _long_row(colour, -(-length // _LONG))[:length]


@functools.lru_cache(maxsize=64)
def _long_row(colour: Colour, times: int) -> Bytes:
    """Return a row of pixels of one colour, with `times` times `_LONG` numbers."""
    return np.tile(np.array(colour, np.uint8), times * _LONG // 3)


def _write(pixels: Bytes, shape: Label, top: int) -> None:
    """Draw a text over the pixels."""
    cover, above, left = stamp(shape.text, shape.size)
    x = shape.x
    if shape.anchor != "start":
        x -= font(shape.size).getlength(shape.text) / (2 if shape.anchor == "middle" else 1)
    y0, x0 = round(shape.y) + above - top, round(x) + left
    target = _part(pixels, (y0, y0 + cover.shape[0]), (x0, x0 + cover.shape[1]))
    if not target.size:
        return
    rows = slice(max(-y0, 0), max(-y0, 0) + len(target))
    first = max(-x0, 0)
    if cover.size <= _MOST_KEPT and target.min() == 255:
        target[:] = _on_paper(shape.text, shape.size, shape.colour)[rows, 3 * first :][:, : target.shape[1]]
    else:
        target[:] = _mixed(target, shape.colour, cover[rows, first : first + target.shape[1] // 3])


@functools.lru_cache(maxsize=512)
def _on_paper(text: str, size: int, colour: Colour) -> Bytes:
    """Draw a text on paper; most words of a sheet are those of the next sheet too."""
    cover, _, _ = stamp(text, size)
    return _mixed(_row((255, 255, 255), 3 * cover.shape[1]), colour, cover)


def _mixed(under: Bytes, colour: Colour, cover: Bytes) -> Bytes:
    """Mix a colour with the colours under it: `cover`, shape (H, W), gives its share, out of 255."""
    part = np.empty((*cover.shape, 3), np.uint16)
    _repeat(cover, part)
    part = part.reshape(len(cover), -1)
    mixed: Bytes = (under * (255 - part) + _row(colour, part.shape[1]) * part + 127) // 255
    return mixed.astype(np.uint8)


def _show(pixels: Bytes, shape: Bitmap, top: int) -> None:
    """Draw the rows of a picture that lie in the band, each element as a rectangle."""
    first, last = _rows(shape)
    tall, wide = (round(shape.h) // shape.levels.shape[0], round(shape.w) // shape.levels.shape[1])
    start, end = max(first, top) - first, min(last, top + len(pixels)) - first
    inner = shape.levels[start // tall : -(-end // tall)]
    if wide > 1:
        inner = inner.repeat(wide, axis=1)
    if tall > 1:
        inner = inner.repeat(tall, axis=0)[start % tall :][: end - start]
    x = 3 * round(shape.x)
    target = pixels[first + start - top : first + end - top, x : x + 3 * inner.shape[1]]
    if inner.ndim == 2:
        _repeat(inner, target.reshape(*inner.shape, 3))
    else:
        target[:] = inner.reshape(len(inner), -1)


def _repeat(levels: Bytes, target: NDArray[np.unsignedinteger]) -> None:
    """Repeat levels, shape (H, W), as red, green and blue; one after another takes a quarter of the time."""
    for channel in range(3):
        target[:, :, channel] = levels
