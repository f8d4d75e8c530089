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

# The length of a line of words, in pixels, from which its channels are mixed one by one; and the least
# length of a row of one colour.
_LONG = 2000

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
        pixels = np.full((bottom - top, self._width, 3), 255, np.uint8)
        for index in np.flatnonzero((self._tops < bottom) & (self._bottoms > top)):
            shape = self._shapes[index]
            if isinstance(shape, Rectangle):
                _fill(pixels, shape, top)
            elif isinstance(shape, Label):
                _write(pixels, shape, top)
            else:
                _show(pixels, shape, top)
        return pixels


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
    return pixels[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]


def _fill(pixels: Bytes, shape: Rectangle, top: int) -> None:
    """Fill a rectangle."""
    if shape.fill is None:
        return
    first, last = _rows(shape)
    x0, x1 = round(shape.x), round(shape.x + shape.w)
    target = _part(pixels, (first - top, last - top), (x0, x1))
    # Copying a whole row at once is many times faster than copying three numbers for every pixel.
    target[:] = _row(shape.fill, -(-target.shape[1] // _LONG))[: target.shape[1]]


@functools.lru_cache(maxsize=64)
def _row(colour: Colour, times: int) -> Bytes:
    """Return a row of pixels of one colour, `times` times `_LONG` pixels long."""
    return np.tile(np.array(colour, np.uint8), (times * _LONG, 1))


def _write(pixels: Bytes, shape: Label, top: int) -> None:
    """Draw a text over the pixels."""
    cover, above, left = stamp(shape.text, shape.size)
    x = shape.x
    if shape.anchor != "start":
        x -= font(shape.size).getlength(shape.text) / (2 if shape.anchor == "middle" else 1)
    y0, x0 = round(shape.y) + above - top, round(x) + left
    target = _part(pixels, (y0, y0 + cover.shape[0]), (x0, x0 + cover.shape[1]))
    y, x_of = max(-y0, 0), max(-x0, 0)
    part = cover[y : y + target.shape[0], x_of : x_of + target.shape[1], None]
    if part.size:
        on_paper = target.min() == 255
        target[:] = _on_paper(shape.colour)[part[:, :, 0]] if on_paper else _mixed(target, shape.colour, part)


@functools.lru_cache(maxsize=64)
def _on_paper(colour: Colour) -> Bytes:
    """Mix a colour with white for every cover from 0 to 255, shape (256, 3)."""
    return _mixed(np.full((256, 1, 3), 255, np.uint8), colour, np.arange(256, dtype=np.uint8)[:, None, None])[
        :, 0
    ]


def _mixed(under: Bytes, colour: Colour, cover: Bytes) -> NDArray[np.uint8]:
    """Mix a colour with the colour under it: `cover` gives its share, out of 255."""
    part = cover.astype(np.uint16)
    ink = np.array(colour, np.uint16)
    if part.size < _LONG:
        return ((under * (255 - part) + ink * part + 127) // 255).astype(np.uint8)
    # Mix the channels of a long line one after another: this takes a quarter of the time.
    part, mixed = part[:, :, 0], np.empty_like(under)
    for channel in range(3):
        mixed[:, :, channel] = (under[:, :, channel] * (255 - part) + ink[channel] * part + 127) // 255
    return mixed


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
    x = round(shape.x)
    target = pixels[first + start - top : first + end - top, x : x + inner.shape[1]]
    # Copying one channel after another takes a quarter of the time of all three at once.
    for channel in range(3):
        target[:, :, channel] = inner if inner.ndim == 2 else inner[:, :, channel]
