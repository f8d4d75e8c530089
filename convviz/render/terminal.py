"""Draw pictures in a terminal: with half blocks in colour, or with characters of rising darkness."""

import functools
from itertools import zip_longest

import numpy as np
from PIL import Image
from rich.color import Color
from rich.segment import Segment, Segments
from rich.style import Style

from convviz.spec.geometry import HW
from convviz.typing import Bytes

# From white to black, like ink on paper.
DARKNESS = " .:-=+*#%@"
HALF_BLOCK = "▀"


def fitted(levels: Bytes, room: HW, *, wide: int = 1) -> Bytes:
    """Resize a picture to the largest size that fits.

    Parameters
    ----------
    levels : ndarray, shape (H, W) or (H, W, 3), uint8
        The picture.
    room : HW
        The free rows and columns.
    wide : int
        The number of columns that are as wide as one row is high.

    Returns
    -------
    ndarray, shape (H', W') or (H', W', 3), uint8
        Enlarged by a whole number without smoothing, or reduced by area averaging.

    Examples
    --------
    >>> fitted(np.zeros((2, 3), np.uint8), HW(9, 10)).shape
    (6, 9)
    """
    h, w = levels.shape[:2]
    times = min(room.h // h, room.w // (wide * w))
    if times:
        return levels.repeat(times, axis=0).repeat(wide * times, axis=1)
    scale = min(room.h / h, room.w / (wide * w))
    size = (max(1, round(wide * w * scale)), max(1, round(h * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(levels)).resize(size, Image.Resampling.BOX))


def in_half_blocks(levels: Bytes, room: HW) -> Segments:
    """Draw a picture in colour, two pixels to a character.

    Parameters
    ----------
    levels : ndarray, shape (H, W) or (H, W, 3), uint8
        The picture.
    room : HW
        Lines, and characters per line.

    Returns
    -------
    rich.segment.Segments
        For rich to print, which converts the colours to those of the terminal.
    """
    pixels = fitted(levels, HW(2 * room.h, room.w))
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    rows = [[_colour(*pixel) for pixel in row] for row in pixels.tolist()]
    segments = []
    # If the number of rows is odd, the lower halves of the last line stay unchanged.
    for above, below in zip_longest(rows[::2], rows[1::2], fillvalue=[None] * len(rows[0])):
        segments += [_half_block(*pair) for pair in zip(above, below, strict=True)]
        segments.append(Segment.line())
    return Segments(Segment.simplify(segments))


@functools.lru_cache(maxsize=1 << 16)
def _colour(red: int, green: int, blue: int) -> Color:
    """Make each colour only once: many pixels share the 256 greys."""
    return Color.from_rgb(red, green, blue)


@functools.lru_cache(maxsize=1 << 16)
def _half_block(upper: Color | None, lower: Color | None) -> Segment:
    """Draw two pixels, one above the other."""
    return Segment(HALF_BLOCK, Style(color=upper, bgcolor=lower))


def in_characters(levels: Bytes, room: HW) -> list[str]:
    """Draw a picture in characters of rising darkness.

    Parameters
    ----------
    levels : ndarray, shape (H, W) or (H, W, 3), uint8
        The picture; its brightness is drawn.
    room : HW
        Lines, and characters per line.

    Returns
    -------
    list of str
        Lines of ASCII; two characters are about as wide as one is high.

    Examples
    --------
    >>> in_characters(np.array([[0, 128, 255]], np.uint8), HW(1, 6))
    ['@@==  ']
    """
    pixels = fitted(levels, room, wide=2)
    if pixels.ndim == 3:
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))
    signs = np.array(list(DARKNESS))[(255 - pixels.astype(int)) * len(DARKNESS) // 256]
    return ["".join(row) for row in signs.tolist()]
