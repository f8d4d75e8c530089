"""Write matrices of numbers as text: side by side if there is room, else with their middle elided."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from convviz.images.finite import largest
from convviz.text import number, wrapped

ELLIPSIS = "…"
# The text of a value that is not 0, but too small for the digits; the typeface has no sign for "about".
TOO_SMALL = "~0"
# Fewer decimals than this are tried; and the share of the largest number that float32 may round off.
_MOST_DECIMALS, _ROUNDING = 12, 1e-7
# The most decimals that distinguish two float32 numbers; below this magnitude, decimals are mostly zeros.
_MOST_APART, _TINY = 9, 1e-4

T = TypeVar("T")
G = TypeVar("G")


def elided(count: int, room: int) -> list[int | None]:
    """Choose which of `count` places to show in `room` places: all, or the ends with a gap between.

    Parameters
    ----------
    count : int
        Number of places.
    room : int
        Number of places to show; at least 3 are used.

    Returns
    -------
    list of int or None
        Indices in order; None stands for the gap.

    Examples
    --------
    >>> elided(4, 9), elided(9, 5)
    ([0, 1, 2, 3], [0, 1, None, 7, 8])
    """
    room = max(room, 3)
    if count <= room:
        return list(range(count))
    head = room // 2
    return [*range(head), None, *range(count - (room - 1 - head), count)]


def picked(
    table: Sequence[Sequence[T]], rows: Sequence[int | None], columns: Sequence[int | None], *, gap: G
) -> list[list[T | G]]:
    """Take the rows and columns of a table that `elided` chose, with `gap` for those that are left out.

    Examples
    --------
    >>> picked([["a", "b", "c"]], [0], [0, None, 2], gap="…")
    [['a', '…', 'c']]
    """
    return [
        [gap if row is None or column is None else table[row][column] for column in columns] for row in rows
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Hold a matrix with a heading, as rows of words.

    Parameters
    ----------
    heading : str
        The line above the matrix.
    words : sequence of sequence of str
        One word per number.
    before : str
        The sign between this block and the block to its left, such as "x".
    """

    heading: str
    words: Sequence[Sequence[str]]
    before: str = ""

    def lines(self, rows: Sequence[int | None], columns: Sequence[int | None]) -> list[str]:
        """Write the chosen rows and columns, with all lines of one length."""
        shown = picked(self.words, rows, columns, gap=ELLIPSIS)
        wide = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = ["  ".join(word.rjust(w) for word, w in zip(line, wide, strict=True)) for line in shown]
        length = max(len(self.heading), *map(len, lines))
        return [self.heading.ljust(length), *(line.ljust(length) for line in lines)]


def words_of(
    values: NDArray[np.floating], marked: NDArray[np.bool_] | None = None, *, digits: int = 6
) -> list[list[str]]:
    """Write numbers with enough digits to add them up again; marked numbers are in brackets."""
    return [
        [
            f"({number(float(value), digits=digits)})"
            if marked is not None and marked[row, column]
            else number(float(value), digits=digits)
            for column, value in enumerate(line)
        ]
        for row, line in enumerate(values)
    ]


def elided_words(
    values: NDArray[np.floating], marked: NDArray[np.bool_], *, most_rows: int, most_columns: int
) -> list[list[str]]:
    """Write numbers as `words_of` does, but leave out the middle of many rows or columns.

    Examples
    --------
    >>> elided_words(np.arange(5.0)[None], np.zeros((1, 5), bool), most_rows=3, most_columns=3)
    [['0', '…', '4']]
    """
    rows, columns = elided(values.shape[0], most_rows), elided(values.shape[1], most_columns)
    # Only the shown numbers are converted to words.
    place = np.ix_([row or 0 for row in rows], [column or 0 for column in columns])
    words = words_of(values[place], marked[place])
    return [
        [ELLIPSIS if None in (row, column) else word for column, word in zip(columns, line, strict=True)]
        for row, line in zip(rows, words, strict=True)
    ]


def cell_words(
    values: NDArray[np.floating],
    marked: NDArray[np.bool_] | None = None,
    *,
    digits: int = 3,
    spare: int = 1,
    apart: bool = False,
) -> list[list[str]]:
    """Write numbers for the cells of a drawing, which have room for a few characters.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        The numbers in the cells.
    marked : ndarray, shape (H, W), bool, optional
        The numbers to put in brackets.
    digits : int
        Significant digits of the largest number.
    spare : int
        The decimals that a number may have beyond those of the others, lest it be written as 0.
    apart : bool
        Whether the least and the greatest number have as many decimals as distinguish them.

    Returns
    -------
    list of list of str
        All numbers with the same decimals, so that they can be compared: as many as `digits` leave for the
        largest one, or fewer if these say all of it. 0 has none. A number that would be written as 0, but
        is not, has up to `spare` more; it is `TOO_SMALL` if that is not enough. If all are tiny, each has
        an exponent.

    Examples
    --------
    >>> cell_words(np.array([[8.5149, -0.03168, 4e-5, 0]])), cell_words(np.array([[1, 0.5, 2]]))
    ([['8.51', '-0.03', '~0', '0']], [['1.0', '0.5', '2.0']])
    >>> cell_words(np.array([[20000.5, 100.4, 0.3]]), np.array([[False, False, True]]))
    [['20000', '100', '(0.3)']]
    >>> cell_words(np.array([[-1.19e-7, 2e-8, 0]])), cell_words(np.array([[0.13761, 0.13764]]), apart=True)
    ([['-1.19e-07', '2e-08', '0']], [['0.13761', '0.13764']])
    """
    decimals = _decimals(values, digits)
    tiny = _are_tiny(values)
    if apart:
        known = values[np.isfinite(values)].tolist() or [0.0]
        low, high = min(known), max(known)
        while low < high and decimals < _MOST_APART and f"{low:.{decimals}f}" == f"{high:.{decimals}f}":
            decimals += 1

    def word(value: float) -> str:
        if tiny:
            return number(value, digits=digits)
        if value == 0 or not abs(value) < 1e7:
            return number(value, digits=digits)
        for of in range(decimals, decimals + spare + 1):
            text = f"{value:.{of}f}"
            if text.strip("-0."):
                return text
        return TOO_SMALL

    return [
        [
            f"({word(float(value))})" if marked is not None and marked[row, column] else word(float(value))
            for column, value in enumerate(line)
        ]
        for row, line in enumerate(values)
    ]


def has_too_small(values: NDArray[np.floating], *, digits: int = 3, spare: int = 1) -> bool:
    """Return whether `cell_words` writes a number as `TOO_SMALL`.

    Examples
    --------
    >>> has_too_small(np.array([[8.5149, 4e-5, 0]])), has_too_small(np.array([[8.5149, 0.01, 0]]))
    (True, False)
    """
    if _are_tiny(values):
        return False
    least = 0.5 * 10.0 ** -(_decimals(values, digits) + spare)
    return bool(((values != 0) & (np.abs(values) <= least)).any())


def _are_tiny(values: NDArray[np.floating]) -> bool:
    """Return whether all numbers need an exponent."""
    return 0 < largest(values[np.isfinite(values)].astype(np.float64)) < _TINY


def _decimals(values: NDArray[np.floating], digits: int) -> int:
    """Count the decimals of all numbers: those of the largest, or fewer where no number loses a digit."""
    known = values[np.isfinite(values)].astype(np.float64)
    known = known[np.abs(known) < 1e7]
    peak = largest(known)
    if not peak:
        return 0
    # 1 has three decimals beside 0.627, as 0.999 does.
    most = max(digits - math.ceil(math.log10(peak)), 0)
    if most > _MOST_DECIMALS:
        return most
    exact = (of for of in range(most) if np.abs(np.round(known, of) - known).max() <= _ROUNDING * peak)
    return next(exact, most)


def side_by_side(blocks: Sequence[Block], *, width: int, most_rows: int = 12) -> list[str]:
    """Write matrices of one shape in lines.

    Parameters
    ----------
    blocks : sequence of Block
        From the left.
    width : int
        Characters per line. If the matrices do not fit side by side,
        they stand below each other; if even one does not fit, its columns are elided.
    most_rows : int
        The most rows to show.

    Returns
    -------
    list of str
        Lines without trailing blanks.
    """
    h, w = len(blocks[0].words), len(blocks[0].words[0])
    rows = elided(h, most_rows)
    everything = [block.lines(rows, range(w)) for block in blocks]
    total = sum(len(lines[0]) for lines in everything) + sum(len(block.before) + 4 for block in blocks[1:])
    if total <= width:
        joined = []
        middle = 1 + len(rows) // 2
        for index in range(len(rows) + 1):
            line = everything[0][index]
            for block, lines in zip(blocks[1:], everything[1:], strict=True):
                sign = block.before if index == middle else " " * len(block.before)
                line += f"  {sign}  {lines[index]}"
            joined.append(line.rstrip())
        return joined
    stacked: list[str] = []
    for block in blocks:
        # A word and the space after it take at least three characters.
        for room in range(max(min(w, width // 3 + 2), 3), 2, -1):
            lines = block.lines(rows, elided(w, room))
            if max(map(len, lines)) <= width:
                break
        stacked += [
            f"{block.before} {line}".strip() if index == 0 else line for index, line in enumerate(lines)
        ]
    # A number is never cut: if columns still do not fit, they continue below.
    return [row for line in stacked for row in wrapped(line.rstrip(), width)]
