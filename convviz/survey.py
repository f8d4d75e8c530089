"""What there is to know of planes and maps that arrive in bands of rows: extremes, moments, a small copy."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz import parallel
from convviz.geometry import HW

Floats = NDArray[np.float32]

# So many values are looked at together, as often as is needed, while they are in a second-level cache.
_TOGETHER = 1 << 16
# A second thread pays from this many values on.
_VALUES_TO_SHARE = 1 << 19


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One plane or map, summed up.

    Parameters
    ----------
    low, high : float
        Its extremes.
    mean, std : float
        Mean and deviation of its values; the deviation is no estimate.
    small : ndarray, shape (h, w), float32
        The values, brought to the size at which they are drawn.
    """

    low: float
    high: float
    mean: float
    std: float
    small: Floats


class Survey:
    """Sums up arrays of one size of which some rows come at a time.

    Parameters
    ----------
    count : int
        How many arrays.
    size : HW
        Rows and columns of each.
    scale : float
        A fraction to reduce them by, averaging areas; from 1 on there are no small copies.

    Examples
    --------
    >>> survey = Survey(1, HW(4, 2), 0.5)
    >>> survey.take(np.array([[[1, 3], [5, 7], [0, 0]]], np.float32))
    >>> survey.take(np.array([[[-2, -2]]], np.float32))
    >>> field = survey.fields()[0]
    >>> field.low, field.high, field.mean, field.small.tolist()
    (-2.0, 7.0, 1.5, [[4.0], [-1.0]])
    """

    def __init__(self, count: int, size: HW, scale: float = 1) -> None:
        self._size = size
        self._rows = [_Rows(size, reduced(size, scale)) for _ in range(count)] if scale < 1 else []
        self._moments = [_Moments() for _ in range(count)]

    def take(self, values: Floats) -> None:
        """Add rows, shape (count, rows, columns), below those already there."""
        step = max(1, _TOGETHER // self._size.w)

        def work(mine: Iterator[int]) -> None:
            for index in mine:
                for top in range(0, values.shape[1], step):
                    part = values[index, top : top + step]
                    self._moments[index].take(part)
                    if self._rows:
                        self._rows[index].take(part)

        if values.size >= _VALUES_TO_SHARE and len(values) > 1:
            parallel.share(range(len(values)), work)
        else:
            work(iter(range(len(values))))

    def fields(self, whole: Floats | None = None) -> list[Field]:
        """Give one summary per array; all rows must be there, and `whole` arrays where nothing is reduced."""
        small = [rows.made for rows in self._rows] if whole is None else whole
        return [
            Field(moments.low, moments.high, moments.mean, moments.std, values)
            for moments, values in zip(self._moments, small, strict=True)
        ]


def survey(values: Floats, scale: float = 1) -> list[Field]:
    """Sum up whole arrays.

    Parameters
    ----------
    values : ndarray, shape (N, H, W), float32
        The arrays.
    scale : float
        As for `Survey`.

    Returns
    -------
    list of Field
        One per array.

    Examples
    --------
    >>> field = survey(np.array([[[1, 2], [3, 6]]], np.float32))[0]
    >>> field.mean, round(field.std, 4)
    (3.0, 1.8708)
    """
    taking = Survey(len(values), HW(*values.shape[1:]), scale)
    taking.take(values)
    return taking.fields(values if scale >= 1 else None)


def reduced(size: HW, scale: float) -> HW:
    """Tell the size of an array after `reduce`.

    Examples
    --------
    >>> reduced(HW(640, 3), 0.5), reduced(HW(640, 3), 7)
    (HW(h=320, w=2), HW(h=640, w=3))
    """
    return size if scale >= 1 else HW(*(max(1, round(side * scale)) for side in size))


def reduce(values: Floats, scale: float) -> Floats:
    """Bring an array (H, W) to a fraction of its size by area averaging; enlarging is left to the cells."""
    if scale >= 1:
        return values
    size = HW(*values.shape)
    rows = _Rows(size, reduced(size, scale))
    rows.take(values)
    return rows.made


class _Moments:
    """Extremes, mean and sum of squared deviations of values that come in parts."""

    def __init__(self) -> None:
        self.low, self.high, self.mean = math.inf, -math.inf, 0.0
        self._count, self._squares = 0, 0.0

    @property
    def std(self) -> float:
        return math.sqrt(self._squares / self._count)

    def take(self, values: Floats) -> None:
        """Add values."""
        # Not min() and max() of Python: these would lose what is not a number.
        self.low = float(np.minimum(self.low, values.min()))
        self.high = float(np.maximum(self.high, values.max()))
        wide = values.astype(np.float64).reshape(-1)
        mean = float(wide.mean())
        wide -= mean
        # Two parts in one: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
        # computing sample variances", 1979.
        both, apart = self._count + wide.size, mean - self.mean
        self._squares += float(wide @ wide) + apart**2 * self._count * wide.size / both
        self.mean += apart * wide.size / both
        self._count = both


class _Rows:
    """Rows of one array, averaged down to fewer as they come."""

    def __init__(self, before: HW, after: HW) -> None:
        self._rows, self._columns = _edges(before.h, after.h), np.array(_edges(before.w, after.w))
        self.made = np.empty((after.h, after.w), np.float32)
        self._taken = self._done = 0  # rows of the large array, and whole ones of the small
        self._sum = np.zeros(before.w, np.float32)  # of the rows so far that go into the next small row

    def take(self, values: Floats) -> None:
        """Add rows."""
        top, self._taken = self._taken, self._taken + len(values)
        while self._done < len(self.made) and self._rows[self._done] < self._taken:
            first, last = self._rows[self._done : self._done + 2]
            self._sum += values[max(first - top, 0) : last - top].sum(axis=0)
            if last > self._taken:
                return
            self.made[self._done] = np.add.reduceat(self._sum, self._columns[:-1])
            self.made[self._done] /= np.diff(self._columns) * (last - first)
            self._sum[:] = 0
            self._done += 1


def _edges(before: int, after: int) -> list[int]:
    """Part so many rows into fewer: every row goes whole to where its middle lies."""
    return [(2 * index * before + after) // (2 * after) for index in range(after + 1)]
