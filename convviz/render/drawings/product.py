"""Show matrix products in words and numbers, and as a drawing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.trace import rounding_words
from convviz.analysis.unfold import Unfolded
from convviz.images.finite import largest
from convviz.render.drawings.cells import cells, mixed, signed_fills, tiny
from convviz.render.drawings.drawing import Bitmap, Colour, Drawing, Label, Rectangle, Shape
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, RULE, Tone, signed_colours
from convviz.render.toned import Toned
from convviz.render.words.matrices import ELLIPSIS, Block, cell_words, elided, side_by_side, words_of

Values = NDArray[np.floating]

# The most rows of a matrix to print.
_MOST_ROWS = 12
# In units: room for a sign between two matrices, and the least side of a cell that shows a number.
_SIGN, _LEAST_CELL = 40.0, 22.0
# The colour of what is 0 for any weights; a weight of 0 is nearly white.
_NOTHING = mixed(PAPER, RULE, 0.4)


@dataclass(frozen=True, slots=True, eq=False)
class _Factor:
    """Hold one matrix of a product, after a sign: its numbers, and which are padding or have a weight."""

    sign: str
    name: str
    values: Values
    colour: Colour
    padding: NDArray[np.bool_] | None = None
    stored: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> str:
        """Rows and columns."""
        return f"{self.values.shape[0]}x{self.values.shape[1]}"

    def at(self, place: Any) -> "_Factor":
        """Take a part of the matrix."""
        padding, stored = (None if mask is None else mask[place] for mask in (self.padding, self.stored))
        return replace(self, values=self.values[place], padding=padding, stored=stored)

    def words(
        self, write: Callable[[Values, NDArray[np.bool_] | None], list[list[str]]], *, nothing: str
    ) -> list[list[str]]:
        """Write the numbers: padding in brackets, and `nothing` where there is no weight."""
        words = write(self.values, self.padding)
        for row, column in () if self.stored is None else np.argwhere(~self.stored).tolist():
            words[row][column] = nothing
        return words


def _products(found: Unfolded) -> dict[str, list[_Factor]]:
    """Name the factors, the bias if there is one, and the result of each product."""
    biases = (found.bias, np.full(len(found.values), found.bias[found.row]))
    added = [[_Factor("+", "bias", bias[:, None], FAINT)] if found.bias.any() else [] for bias in biases]
    return {
        "im2col": [
            _Factor("", "filters", found.filters, FAINT),
            _Factor("x", "windows", found.windows, INPUT_BLUE, padding=found.padding),
            *added[0],
            _Factor("=", "maps", found.maps, OUTPUT_TEAL),
        ],
        f"one matrix for {_called(found)}": [
            _Factor("", "matrix", found.matrix, FAINT, stored=found.stored),
            _Factor("x", "input", found.inputs[:, None], INPUT_BLUE),
            *added[1],
            _Factor("=", _called(found), found.values[:, None], OUTPUT_TEAL),
        ],
    }


def _called(found: Unfolded) -> str:
    """Name the map by its index, and by a name that says more."""
    named = f"map {found.index}"
    return named if found.name == named else f"{named} ({found.name})"


def lines(found: Unfolded, *, width: int) -> list[str]:
    """Write both matrix products.

    Parameters
    ----------
    found : Unfolded
        The matrices.
    width : int
        Characters per line; matrices that do not fit are elided in the middle.

    Returns
    -------
    list of str
        Lines without markup.
    """
    bias = " + bias" if found.bias.any() else ""
    text = []
    for heading, factors in _products(found).items():
        left, right, *_, result = factors
        text.append(f"{heading}: {left.shape} times {right.shape}{bias} is {result.shape}")
        if right.padding is not None and right.padding.any():
            text.append("values in brackets are padding")
        if left.stored is not None and not left.stored.all():
            text.append("a dot is a 0 outside of the kernel")
        for factor in factors:
            if factor.values.shape[1] == 1 < factor.values.shape[0]:
                name = f"{factor.name}, one column printed as a row"
                text += ["", *_block(replace(factor, name=name, values=factor.values.T), width)]
            else:
                text += ["", *_block(factor, width)]
        text.append("")
    if found.difference:
        text.append(
            f"both differ from what {found.backend} computed by {found.difference:.2g} at most "
            f"({rounding_words(found.filters.shape[1], found.tolerance)})"
        )
    else:
        text.append(f"both are equal to what {found.backend} computed")
    return text


def _block(factor: _Factor, width: int) -> list[str]:
    """Write one matrix; convert only the numbers that may be shown."""
    h, w = factor.values.shape
    rows, columns = elided(h, _MOST_ROWS), elided(w, width // 3 + 2)
    place = np.ix_([row or 0 for row in rows], [column or 0 for column in columns])
    words = [
        [ELLIPSIS if None in (row, column) else word for column, word in zip(columns, line, strict=True)]
        for row, line in zip(rows, factor.at(place).words(words_of, nothing="."), strict=True)
    ]
    sign = "times" if factor.sign == "x" else factor.sign
    return side_by_side([Block(f"{sign} {factor.name}".strip(), words)], width=width, most_rows=_MOST_ROWS)


def draw(found: Unfolded) -> Drawing:
    """Draw both matrix products: as numbers in cells if there is room, else as colours.

    Parameters
    ----------
    found : Unfolded
        The matrices.

    Returns
    -------
    Drawing
        Positive is orange, negative is purple; grey has no weight. Every matrix has its own scale.
    """
    gap, width = 32.0, 1160.0
    bias = " + bias" if found.bias.any() else ""
    shapes: list[Shape] = []
    y, right = 40.0, 0.0
    for heading, factors in _products(found).items():
        shapes.append(Label(gap, y, f"{heading}: {factors[0].name} times {factors[1].name}{bias}", INK, 18))
        y += 44
        across = sum(factor.values.shape[1] for factor in factors)
        tallest = max(factor.values.shape[0] for factor in factors)
        cell = min(38.0, (width - len(factors) * _SIGN) / across, 900 / tallest)
        x, bottom = gap, y
        for factor in factors:
            if factor.sign:
                shapes.append(Label(x + _SIGN / 2, y + 22, factor.sign, INK, 18, anchor="middle"))
                x += _SIGN
            label = f"{factor.name} {factor.shape}"
            wide, high = _sides(factor.values, cell)
            shapes += [
                Label(x, y - 10, label, factor.colour, 13),
                *_matrix(factor, x, y, cell=cell),
                Rectangle(x, y, wide, high, None, factor.colour, 2),
            ]
            x += max(wide, font(13).getlength(label))
            bottom = max(bottom, y + high)
        right, y = max(right, x), bottom + 56
    legend = ["orange is positive, purple negative, white zero"]
    if not found.stored.all():
        legend.append("grey has no weight")
    if found.padding.any():
        legend.append("dashed cells are padding")
    note = "; ".join([*legend, "every matrix has its own scale", *tiny(shapes)])
    shapes.append(Label(gap, y - 8, note, FAINT, 13))
    width = max(right, gap + font(13).getlength(note)) + gap
    title = f"{_called(found)} as matrix products"
    return Drawing(width, y + 16, PAPER, tuple(shapes), title=title)


def _sides(values: Values, cell: float) -> tuple[float, float]:
    """Choose the size of a matrix on paper; a few columns of many rows stay visible."""
    h, w = (max(count * cell, min(10.0 * count, 70.0)) for count in values.shape)
    return w, h


def _matrix(factor: _Factor, x: float, y: float, *, cell: float) -> list[Shape]:
    """Draw a matrix, with numbers if its cells are large enough."""
    values, stored = factor.values, factor.stored
    peak = largest(values) or 1.0
    if cell >= _LEAST_CELL:
        fills = signed_fills(values, peak)
        for row, column in () if stored is None else np.argwhere(~stored).tolist():
            fills[row][column] = _NOTHING
        return cells(factor.words(cell_words, nothing=""), fills, x, y=y, cell=cell, dashed=factor.padding)
    levels = Toned([values.astype(np.float32)], [Tone(-peak, peak, "signed")], signed_colours())[:]
    if stored is not None:
        levels[~stored] = _NOTHING
    return [Bitmap(x, y, *_sides(values, cell), levels)]
