"""Draw arrays inside a drawing: small ones as cells with their numbers, large ones as pixels."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convviz.render.drawings.drawing import Colour, Label, Rectangle, Shape
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, PAPER, RULE, SIGNED_STOPS, marks
from convviz.render.words.matrices import TOO_SMALL
from convviz.typing import Bytes

PURPLE, NEUTRAL, ORANGE = SIGNED_STOPS


def type_size(words: Iterable[str], room: float, *, most: int = 16, least: int = 7) -> int:
    """Choose the type size at which every word fits, or 0 if even the smallest size is too large.

    Examples
    --------
    >>> type_size(["1", "2"], 46), type_size(["-0.123456"], 12)
    (16, 0)
    """
    widest = max((font(most).getlength(word) for word in words), default=0.0)
    size = min(most, int(0.86 * room / widest * most)) if widest else most
    return size if size >= least else 0


def mixed(first: Colour, second: Colour, part: float) -> Colour:
    """Mix two colours: `part` of the second, from 0 to 1."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


def signed_fill(part: float) -> Colour:
    """Mix purple, neutral and orange by the sign and the size of a value, from -1 to 1; mark NaN."""
    if not math.isfinite(part):
        of_nan, above, below = marks()
        return (of_nan if math.isnan(part) else above if part > 0 else below).colour
    return mixed(NEUTRAL, ORANGE if part > 0 else PURPLE, min(abs(part), 1))


def signed_fills(values: NDArray[np.floating], peak: float) -> list[list[Colour]]:
    """Colour every value of a matrix by its sign and its share of `peak`, the largest finite magnitude."""
    return [[signed_fill(value / (peak or 1.0)) for value in row] for row in values.tolist()]


def level_fills(levels: Bytes) -> list[list[Colour]]:
    """List the colours of a picture, shape (H, W, 3), as fills of cells."""
    return [[(red, green, blue) for red, green, blue in row] for row in levels.tolist()]


def ink_on(fill: Colour) -> Colour:
    """Choose black or white, whichever is easier to read."""
    red, green, blue = fill
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else PAPER


def centred(word: str, x: float, y: float, *, ink: Colour, size: int) -> Label:
    """Place a word with its middle at a point."""
    # A label stands on its baseline, and digits are about 0.72 of the type size high.
    return Label(x, y + 0.36 * size, word, ink, size, anchor="middle")


def cells(
    words: Sequence[Sequence[str]],
    fills: Sequence[Sequence[Colour | None]],
    x: float,
    *,
    y: float,
    cell: float,
    dashed: NDArray[np.bool_] | None = None,
    size: int | None = None,
) -> list[Shape]:
    """Draw a matrix as squares with a word in each.

    Parameters
    ----------
    words : sequence of sequence of str
        The words in the cells; they are left out if one does not fit.
    fills : sequence of sequence of colour or None
        The colour of each cell; None draws only the word, as for an ellipsis.
    x, y : float
        The corner at the top left, in units.
    cell : float
        Side of a cell, in units.
    dashed : ndarray, shape (H, W), bool, optional
        Cells with a dashed outline, such as padding.
    size : int, optional
        Height of the type; by default the largest size at which every word fits.

    Returns
    -------
    list of Shape
        Rectangles first, then labels, so that no cell covers a number.
    """
    if size is None:
        # The frame of a cell also takes three units of its neighbours.
        size = type_size((word for row in words for word in row), min(cell, (cell - 6) / 0.86))
    squares: list[Shape] = []
    labels: list[Shape] = []
    for row, (line, colours) in enumerate(zip(words, fills, strict=True)):
        for column, (word, fill) in enumerate(zip(line, colours, strict=True)):
            left, top = x + column * cell, y + row * cell
            if fill is not None:
                is_dashed = dashed is not None and bool(dashed[row, column])
                squares.append(Rectangle(left, top, cell, cell, fill, RULE, 1, dashed=is_dashed))
            if word and size:
                ink = FAINT if fill is None else ink_on(fill)
                labels.append(centred(word, left + cell / 2, top + cell / 2, ink=ink, size=size))
    return [*squares, *labels]


def tiny(shapes: Iterable[Shape]) -> list[str]:
    """Say for a legend what the sign of tiny numbers means, if a cell has it.

    Examples
    --------
    >>> tiny([Label(0, 0, "(~0)", INK, 12)]), tiny([Label(0, 0, "0", INK, 12)])
    (['~0 is not quite 0'], [])
    """
    words = (shape.text.strip("()") for shape in shapes if isinstance(shape, Label))
    return [f"{TOO_SMALL} is not quite 0"] if TOO_SMALL in words else []


def framed(x: float, y: float, w: float, *, h: float, least: float = 0.0) -> list[Shape]:
    """Frame a window in black and white, so that the frame is visible on any value.

    Parameters
    ----------
    x, y, w, h : float
        The window, in units.
    least : float
        A smaller window is framed as if its sides had this length, so that it stays visible.

    Returns
    -------
    list of Shape
        A white frame, and a black one on it.
    """
    more_w, more_h = max(least - w, 0), max(least - h, 0)
    box = (x - more_w / 2, y - more_h / 2, w + more_w, h + more_h)
    return [Rectangle(*box, None, PAPER, 5), Rectangle(*box, None, INK, 2)]


def tinted(levels: Bytes, marked: NDArray[np.bool_], colour: Colour, *, cover: float = 0.38) -> Bytes:
    """Mix the marked pixels of a picture with a colour.

    Parameters
    ----------
    levels : ndarray, shape (H, W) or (H, W, 3), uint8
        The picture, perhaps reduced.
    marked : ndarray, shape of the picture before it was reduced, bool
        The pixels to tint.
    colour : (int, int, int)
        The colour to mix in.
    cover : float
        The share of the colour: enough to be visible on black and on white.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        The picture in colour.
    """
    rgb = np.repeat(levels[:, :, None], 3, axis=2) if levels.ndim == 2 else levels
    h, w = levels.shape[:2]
    share = Image.fromarray(marked.astype(np.float32)).resize((w, h), Image.Resampling.BOX)
    part = np.asarray(share)[:, :, None] * cover
    return np.asarray(rgb * (1 - part) + np.array(colour) * part).round().astype(np.uint8)
