"""Draw arrays inside an animation: grids of cells with colours, numbers and marks, and the signs between."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.images.finite import finite_of
from convviz.render.drawings.cells import centred, ink_on, level_fills, signed_fill, type_size
from convviz.render.drawings.drawing import Bitmap, Colour, Label, Lines, Polygon, Rectangle, Shape
from convviz.render.fonts import font
from convviz.render.palette import EMPTY, FAINT, INK, PAPER, RULE
from convviz.spec.geometry import HW
from convviz.text import number
from convviz.typing import Bytes

# For 960 units of width, so that the type is about 10 pixels high in a picture of 640 pixels.
TYPE, NOTE, LEAST_TYPE = 16, 15, 14
# The cell side from which borders between cells are drawn, and the side of the smallest frame.
LEAST_LINED, _LEAST_FRAME = 12.0, 9.0

Parameters = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Grid:
    """Place an array: its corner, its rows and columns, and the side of a cell."""

    x: float
    y: float
    size: HW
    cell: float

    @property
    def w(self) -> float:
        """Width on paper."""
        return self.size.w * self.cell

    @property
    def h(self) -> float:
        """Height on paper."""
        return self.size.h * self.cell

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def middle(self) -> float:
        """Vertical middle."""
        return self.y + self.h / 2

    def frame(self, colour: Colour, line: float = 2, *, dashed: bool = False) -> Rectangle:
        """Outline the whole array."""
        return Rectangle(self.x, self.y, self.w, self.h, None, colour, line, dashed=dashed)

    def lines(self) -> list[Shape]:
        """Draw the borders between cells, if there is room for them."""
        if self.cell < LEAST_LINED:
            return []
        rows = [self.y + row * self.cell for row in range(1, self.size.h)]
        columns = [self.x + column * self.cell for column in range(1, self.size.w)]
        return [
            *(Lines(((self.x, y), (self.right, y)), RULE, 0.8) for y in rows),
            *(Lines(((x, self.y), (x, self.y + self.h)), RULE, 0.8) for x in columns),
        ]

    def filled(self, levels: Bytes) -> list[Shape]:
        """Show levels (H, W, 3), one cell each: as squares if their borders are drawn, else as a picture."""
        if self.cell < LEAST_LINED:
            return [Bitmap(self.x, self.y, self.w, self.h, levels)]
        return [
            Rectangle(self.x + j * self.cell, self.y + i * self.cell, self.cell, self.cell, colour)
            for i, line in enumerate(level_fills(levels))
            for j, colour in enumerate(line)
        ]

    def labels(self, words: Sequence[Sequence[str]], levels: Bytes, size: int) -> list[Shape]:
        """Write a word into every cell, in black or white; write nothing if the size is 0."""
        if not size:
            return []
        half = self.cell / 2
        return [
            centred(word, self.x + j * self.cell + half, self.y + i * self.cell + half, ink=ink, size=size)
            for i, line in enumerate(words)
            for j, word in enumerate(line)
            for ink in (ink_on(tuple(levels[i, j].tolist())),)
            if word
        ]

    def inset(self, row: int, column: int, margin: float) -> Rectangle:
        """Return the inside of a cell."""
        side = self.cell - 2 * margin
        x, y = self.x + column * self.cell + margin, self.y + row * self.cell + margin
        return Rectangle(x, y, side, side)

    def marked(self, row: float, column: float, size: tuple[float, float] = (1, 1)) -> list[Shape]:
        """Frame cells in white and black, which is visible on any value, and make the frame large enough."""
        h, w = (max(side * self.cell, _LEAST_FRAME) for side in size)
        x = self.x + (column + size[1] / 2) * self.cell - w / 2
        y = self.y + (row + size[0] / 2) * self.cell - h / 2
        return [Rectangle(x, y, w, h, None, PAPER, 5), Rectangle(x, y, w, h, None, INK, 2.4)]


def are_whole(*arrays: Parameters) -> bool:
    """Return whether all finite numbers are whole; masked ones do not count."""
    known = (finite_of(np.ma.compressed(values)) for values in arrays)
    return all(bool((of == np.round(of)).all()) for of in known)


def short_words(
    values: Parameters, *, peak: float, fewer: int = 0, whole: bool | None = None
) -> list[list[str]]:
    """Write numbers in few characters; all numbers of a matrix have the same decimals.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        The numbers to write; masked ones give empty words.
    peak : float
        The largest magnitude that such a matrix may hold; that number has two or three digits.
    fewer : int
        The number of decimals to leave out.
    whole : bool, optional
        Whether all such matrices hold whole numbers; by default whether this one does.

    Returns
    -------
    list of list of str
        "~0" for a number that is not 0 but would be written as 0.

    Examples
    --------
    >>> short_words(np.array([[0.1234, -0.5, 0, 0.001]]), peak=0.5)
    [['0.12', '-0.50', '0', '~0']]
    >>> short_words(np.array([[255.0, -3]]), peak=255)
    [['255', '-3']]
    """
    decimals = 0
    if not (are_whole(values) if whole is None else whole) and peak < 1000:
        decimals = 1 if peak >= 10 else 2 if peak >= 0.1 else 1 - math.floor(math.log10(peak))
        decimals = max(decimals - fewer, 0)

    def word(value: float | None) -> str:
        if value is None or value == 0 or not math.isfinite(value):
            return "" if value is None else number(value)
        text = f"{value:.{decimals}f}" if abs(value) < 1e5 else f"{value:.1e}"
        return text if text.strip("-0.") else "~0"

    return [[word(value) for value in line] for line in values.tolist()]


def fitting_words(
    arrays: Iterable[Parameters], cell: float, *, peak: float
) -> tuple[list[list[list[str]]], int]:
    """Write the numbers of arrays for cells, with the same decimals, and choose the type size.

    The size is 0 if nobody could read them.
    """
    arrays = list(arrays)
    whole = are_whole(*arrays)
    if cell >= LEAST_TYPE:
        for fewer in (0, 1):
            words = [short_words(values, peak=peak, fewer=fewer, whole=whole) for values in arrays]
            flat = [word for matrix in words for line in matrix for word in line]
            if size := type_size(flat, cell, most=TYPE, least=LEAST_TYPE):
                return words, size
    return [[] for _ in arrays], 0


def signed_grid(
    grid: Grid, values: Parameters, *, peak: float, all_of: Parameters | None = None
) -> list[Shape]:
    """Draw numbers with their signs as colours; masked numbers are not computed yet.

    `all_of` are numbers that the type must fit too, so that size and decimals stay the same in every frame.
    """
    rows = [[EMPTY if value is None else signed_fill(value / peak) for value in line]
            for line in values.tolist()]  # fmt: skip
    levels = np.array(rows, np.uint8)
    (words, *_), size = fitting_words([values, *([] if all_of is None else [all_of])], grid.cell, peak=peak)
    return [*grid.filled(levels), *grid.lines(), grid.frame(RULE, 1.4), *grid.labels(words, levels, size)]


def colours_of(levels: Bytes) -> Bytes:
    """Convert grey levels to colours, shape (H, W, 3)."""
    return np.repeat(levels[:, :, None], 3, axis=2)


def fitted(at: tuple[float, float], text: str, colour: Colour, *, size: int, room: float) -> Label:
    """Write a line in smaller type if it does not fit, and cut its middle if that type is too small."""
    while size > NOTE and font(size).getlength(text) > room:
        size -= 1
    whole, kept = text, len(text)
    while kept > 8 and font(size).getlength(text) > room:
        kept -= 2
        text = f"{whole[: kept // 2]}\N{HORIZONTAL ELLIPSIS}{whole[len(whole) - kept // 2 :]}"
    return Label(*at, text, colour, size)


def arrow(x0: float, x1: float, y: float) -> list[Shape]:
    """Draw an arrow to the right."""
    head = Polygon(((x1, y), (x1 - 8, y - 4.5), (x1 - 8, y + 4.5)), FAINT)
    return [Lines(((x0, y), (x1 - 7, y)), FAINT, 1.4), head]


def sign(which: str, x: float, y: float) -> list[Shape]:
    """Draw x, + or = as strokes: the typeface has no multiplication sign."""
    strokes = {
        "x": ((-6, -6, 6, 6), (-6, 6, 6, -6)),
        "+": ((-6, 0, 6, 0), (0, -6, 0, 6)),
        "=": ((-7, -3.5, 7, -3.5), (-7, 3.5, 7, 3.5)),
    }
    return [Lines(((x + a, y + b), (x + c, y + d)), INK, 2) for a, b, c, d in strokes[which]]
