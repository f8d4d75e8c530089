"""Summarize channels and maps that arrive in bands of rows: extremes, moments, a small copy."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from convviz.compute.spread import FEW, Histogram, Spread
from convviz.images.finite import NONE, NotFinite, finite_of
from convviz.machine import parallel
from convviz.spec.geometry import HW
from convviz.typing import Floats, Wide

# The number of values that are summed together, while they are in a second-level cache.
_TOGETHER = 1 << 16
# Fewer rows or columns than this are added one by one for all areas, more in one call for each area.
_FEW = 4
# A second thread pays off from this number of values.
_VALUES_TO_SHARE = 1 << 19


class Rows(Protocol):
    """An array (H, W) that supports slices of rows, such as a `numpy` array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The numbers of rows and columns."""
        ...

    def __getitem__(self, rows: slice, /) -> Floats: ...


@dataclass(frozen=True, slots=True, eq=False)
class ArraySummary:
    """The summary of one channel or map.

    Parameters
    ----------
    low, high : float
        The extremes of its finite values; NaN if there are none.
    mean, std : float
        Mean and deviation of its finite values; the deviation is that of the values, not an
        estimate. NaN if they were not requested.
    small : ndarray or Rows, shape (h, w), float32
        The values, reduced to the size at which they are drawn.
    spread : Spread, optional
        The spread of all its finite values, if requested.
    others : NotFinite
        The number of values that are not finite.
    """

    low: float
    high: float
    mean: float
    std: float
    small: Rows
    spread: Spread | None = None
    others: NotFinite = NONE


class Survey:
    """Summarizes arrays of equal size whose rows arrive in parts, in any order and from any thread.

    Parameters
    ----------
    count : int
        The number of arrays.
    size : HW
        Rows and columns of each array.
    scale : float
        The fraction to which area averaging reduces them; there are no small copies from 1 on.
    moments : bool
        Whether to compute mean and deviation, which take most of the time.
    some : ndarray, shape (count, rows, W), float32, optional
        Some values of each array, such as those in the rows `typical_rows`. With them the spread of all
        values is found, most finely near the median of these.

    Examples
    --------
    >>> survey = Survey(1, HW(4, 2), 0.5)
    >>> survey.look(0, 3, np.array([[-2, -2]], np.float32))
    >>> survey.look(0, 0, np.array([[1, 3], [5, 7], [0, 0]], np.float32))
    >>> one = survey.summaries()[0]
    >>> one.low, one.high, round(one.mean, 6), one.small.tolist()
    (-2.0, 7.0, 1.5, [[4.0], [-1.0]])
    """

    def __init__(
        self,
        count: int,
        size: HW,
        scale: float = 1,
        *,
        moments: bool = True,
        some: Floats | None = None,
    ) -> None:
        self._moments = moments
        few = size.h * size.w <= FEW
        self._spread = some is not None and few
        self._histograms = [] if some is None or few else [Histogram(_median(row)) for row in some]
        small = reduced(size, scale)
        self._edges = _edges(size.h, small.h), _edges(size.w, small.w)
        self._reduces = scale < 1
        # The parts found so far, by their first row. The order in which they are joined does not depend on
        # their time of arrival, so the last bits do not depend on it either.
        self._parts: list[dict[int, _Part]] = [{} for _ in range(count)]

    def look(self, index: int, top: int, values: Floats) -> None:
        """Read some rows of one array, shape (rows, columns); the first is row `top`."""
        if self._histograms:
            self._histograms[index].add(values)
        step = max(1, _TOGETHER // values.shape[1])
        for first in range(0, len(values), step):
            part = values[first : first + step]
            self._parts[index][top + first] = _Part.of(
                part,
                self._sums(top + first, part) if self._reduces else (0, None),
                self._moments,
                spread=self._spread,
            )

    def _sums(self, top: int, values: Floats) -> tuple[int, Floats]:
        """Sum the values of each element of the small array; return the first row and the sums."""
        rows, columns = self._edges
        first = int(rows.searchsorted(top, side="right")) - 1
        last = int(rows.searchsorted(top + len(values)))
        cuts = np.append(np.maximum(rows[first:last] - top, 0), len(values))

        def sums(kind: type[np.floating]) -> Any:
            if len(values) < _FEW * (last - first):
                by_row = _few_together(values, cuts, kind, axis=0)
            else:
                ends = pairwise(cuts.tolist())
                by_row = np.stack([values[low:high].sum(axis=0, dtype=kind) for low, high in ends])
            if values.shape[1] < _FEW * (len(columns) - 1):
                return _few_together(by_row, columns, kind, axis=1)
            return np.add.reduceat(by_row, columns[:-1], axis=1)

        return first, _without_overflow(sums)

    def summaries(self, whole: Sequence[Rows] | None = None) -> list[ArraySummary]:
        """Return one summary per array; needs all rows, and the `whole` arrays if nothing is reduced."""
        return [
            self._summary(index, whole[index] if whole is not None else None)
            for index in range(len(self._parts))
        ]

    def _summary(self, index: int, whole: Rows | None) -> ArraySummary:
        """Join the parts of one array."""
        found = self._parts[index]
        parts = [found[top] for top in sorted(found)]
        all_of_it = parts[0]
        for part in parts[1:]:
            all_of_it = all_of_it.joined(part)
        if whole is None:
            whole = _without_overflow(lambda kind: self._means(parts, kind))
        deviation = math.sqrt(all_of_it.squares / max(all_of_it.count, 1))
        low, high = all_of_it.low, all_of_it.high
        spreads = [part.spread for part in parts if part.spread is not None]
        if self._histograms:
            spreads = [self._histograms[index].spread(low, high)]
        spread = Spread.joined(spreads) if spreads else None
        return ArraySummary(low, high, all_of_it.mean, deviation, whole, spread, all_of_it.others)

    def _means(self, parts: Sequence["_Part"], kind: type[np.floating]) -> Any:
        """Join the sums of areas, and divide."""
        rows, columns = self._edges
        small = np.zeros((len(rows) - 1, len(columns) - 1), kind)
        for part in parts:
            if part.sums is not None:
                small[part.first : part.first + len(part.sums)] += part.sums
        small /= np.outer(np.diff(rows), np.diff(columns)).astype(kind)
        return small


def _few_together(
    values: Floats, cuts: NDArray[np.intp], kind: type[np.floating], *, axis: Literal[0, 1]
) -> Any:
    """Sum the rows or columns between neighbouring cuts, as ``np.add.reduceat`` does, many at a time."""
    starts, lengths = cuts[:-1], np.diff(cuts)
    first = values.take(starts, axis=axis)
    others = np.zeros((), kind)
    for place in range(1, lengths.max()):
        following = values.take(starts + place, axis=axis, mode="clip").astype(kind, copy=False)
        if place >= lengths.min():
            following.swapaxes(0, axis)[lengths <= place] = 0
        others = np.add(following, others, out=following)
    return first + others


def _without_overflow(sums: Callable[[type[np.floating]], Any]) -> Any:
    """Sum in float32, or in float64 if a sum overflows or a number is not finite; return float32.

    An area with a NaN becomes NaN, and an area with an infinity becomes infinite; all others stay finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        found = sums(np.float32)
        return found if np.isfinite(found).all() else sums(np.float64)


def _median(values: Floats) -> float:
    """Return the median of finite values, the upper one of two; 0 if there are none."""
    known = np.sort(finite_of(values).reshape(-1))
    return float(known[known.size // 2]) if known.size else 0.0


def typical_rows(height: int) -> list[int]:
    """Choose three rows that are seldom alike, as the middle of a picture and its borders may be.

    Examples
    --------
    >>> typical_rows(512), typical_rows(1)
    ([73, 219, 365], [0, 0, 0])
    """
    return [height * place // 7 for place in (1, 3, 5)]


def survey(
    values: Floats, scale: float = 1, *, moments: bool = True, spread: bool = False
) -> list[ArraySummary]:
    """Summarize whole arrays, in several threads.

    Parameters
    ----------
    values : ndarray, shape (N, H, W), float32
        The arrays.
    scale, moments
        As for `Survey`.
    spread : bool
        Whether to find the spread of all values.

    Returns
    -------
    list of ArraySummary
        One summary per array.

    Examples
    --------
    >>> one = survey(np.array([[[1, 2], [3, 6]]], np.float32))[0]
    >>> one.mean, round(one.std, 4)
    (3.0, 1.8708)
    """
    count, height, width = values.shape
    some = values[:, typical_rows(height)] if spread else None
    looking = Survey(count, HW(height, width), scale, moments=moments, some=some)
    step = max(1, 8 * _TOGETHER // width)

    def work(mine: Iterator[tuple[int, int]]) -> None:
        for index, top in mine:
            looking.look(index, top, values[index, top : top + step])

    items = [(index, top) for index in range(count) for top in range(0, height, step)]
    if values.size >= _VALUES_TO_SHARE:
        parallel.share(items, work)
    else:
        work(iter(items))
    return looking.summaries(list(values) if scale >= 1 else None)


@dataclass(frozen=True, slots=True)
class Statistics:
    """The summary of numbers of any kind.

    Parameters
    ----------
    low, high, mean, std : float
        Statistics of the finite numbers; NaN if there are none.
    nan, infinite : int
        The number of NaN values, and of infinite values.
    """

    low: float
    high: float
    mean: float
    std: float
    nan: int
    infinite: int


def summed_up(values: NDArray[Any]) -> Statistics:
    """Summarize an array with any values, without copying it.

    Parameters
    ----------
    values : ndarray
        Real numbers, in any layout; one stored number may appear in many places.

    Returns
    -------
    Statistics
        The statistics, from sums in float64.

    Examples
    --------
    >>> summed_up(np.array([1, np.nan, 3, -np.inf]))
    Statistics(low=1.0, high=3.0, mean=2.0, std=1.0, nan=1, infinite=1)
    """
    # An axis that only repeats the values changes nothing but the counts.
    once = values[tuple(slice(0, 1) if step == 0 else slice(None) for step in values.strides)]
    times = values.size // max(once.size, 1)
    all_of_it = _NOTHING
    pieces = np.nditer(
        once,
        ["external_loop", "buffered", "zerosize_ok"],
        op_dtypes=["f8"],
        casting="unsafe",
        buffersize=_TOGETHER,
    )
    with np.errstate(over="ignore", invalid="ignore"):
        for piece in pieces:
            all_of_it = all_of_it.joined(_Part.of(np.asarray(piece)[None], (0, None), True))
    others = all_of_it.others
    std = math.sqrt(all_of_it.squares / all_of_it.count) if all_of_it.count else math.nan
    return Statistics(
        all_of_it.low, all_of_it.high, all_of_it.mean, std, times * others.nan, times * others.infinite
    )


def share_of_zeros(values: NDArray[Any]) -> float:
    """Return the share of the values that are 0.

    Examples
    --------
    >>> share_of_zeros(np.array([[0, 2], [np.nan, -0.0]]))
    0.5
    """
    return int(np.count_nonzero(values == 0)) / values.size


def by_energy(values: NDArray[Any]) -> list[int]:
    """Order arrays (N, ...) by their sum of squares, the greatest first; equal arrays keep their order.

    Values that are not finite count as 0.

    Examples
    --------
    >>> by_energy(np.array([[1], [-3], [2]], np.float32))
    [1, 2, 0]
    """
    energy = _energy(values)
    if not np.isfinite(energy).all():
        energy = _energy(np.where(np.isfinite(values), values, 0))
    return [int(index) for index in np.argsort(-energy, kind="stable")]


def _energy(values: NDArray[Any]) -> Wide:
    """Sum the squares of every array, of as many arrays together as stay in a cache."""
    rows = values.reshape(len(values), math.prod(values.shape[1:]))
    energy = np.empty(len(rows))
    step = max(1, _TOGETHER // max(rows.shape[1], 1))
    with np.errstate(invalid="ignore", over="ignore"):
        for at in range(0, len(rows), step):
            np.square(rows[at : at + step], dtype=np.float64).sum(axis=1, out=energy[at : at + step])
    return energy


def reduced(size: HW, scale: float) -> HW:
    """Return the size of an array after `reduce`.

    Examples
    --------
    >>> reduced(HW(640, 3), 0.5), reduced(HW(640, 3), 7)
    (HW(h=320, w=2), HW(h=640, w=3))
    """
    return size if scale >= 1 else HW(*(max(1, round(side * scale)) for side in size))


def reduce(values: Floats, scale: float) -> Floats:
    """Reduce an array (H, W) to a fraction of its size by area averaging; the cells do any enlargement."""
    return np.asarray(survey(values[None], scale, moments=False)[0].small) if scale < 1 else values


class Reduced:
    """An array (H, W), reduced to a fraction of its size when its rows are first needed.

    Examples
    --------
    >>> small = Reduced(np.array([[1, 3], [5, 7]], np.float32), 0.5)
    >>> small.shape, small[:].tolist()
    ((1, 1), [[4.0]])
    """

    def __init__(self, values: Rows, scale: float) -> None:
        self._values, self._scale = values, scale
        self.shape: tuple[int, ...] = tuple(reduced(HW(*values.shape), scale))

    def __getitem__(self, rows: slice, /) -> Floats:
        return self._small[rows]

    @cached_property
    def _small(self) -> Floats:
        return reduce(self._values[:], self._scale)


def reduced_copies(found: Sequence[ArraySummary], scale: float) -> list[ArraySummary]:
    """Replace the values of whole arrays by reduced ones; a `scale` from 1 on leaves them as they are."""
    return [replace(one, small=Reduced(one.small, scale)) if scale < 1 else one for one in found]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Some rows of one array: extremes, mean, squared deviations, sums for the small array, spread."""

    low: float
    high: float
    count: int
    mean: float
    squares: float
    first: int = 0
    sums: Floats | None = None
    spread: Spread | None = None
    others: NotFinite = NONE

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        sums: tuple[int, Floats | None],
        moments: bool,
        *,
        spread: bool = False,
    ) -> "_Part":
        """Read values, few enough to stay in a cache; `spread` says whether to keep them all."""
        low, high = float(values.min()), float(values.max())
        others = NotFinite()
        if not (math.isfinite(low) and math.isfinite(high)):
            others, values = NotFinite.of(values), finite_of(values)
            low, high = (float(values.min()), float(values.max())) if values.size else (math.nan, math.nan)
        kept = Spread.of(values) if spread else None
        if not (moments and values.size):
            return cls(low, high, values.size, math.nan, math.nan, *sums, kept, others)
        # Take deviations from one of the values: small differences keep the digits of their squares.
        first = float(values.flat[0])
        wide = np.subtract(values, first, dtype=np.float64).reshape(-1)
        mean = float(wide.sum()) / wide.size
        squares = max(float(wide @ wide) - wide.size * mean**2, 0.0)
        return cls(low, high, wide.size, first + mean, squares, *sums, kept, others)

    def joined(self, other: "_Part") -> "_Part":
        """Join two parts, after Chan, Golub and LeVeque, "Updating formulae", 1979."""
        others = self.others + other.others
        if not (self.count and other.count):
            return replace(other if other.count else self, others=others)
        count, apart = self.count + other.count, other.mean - self.mean
        return _Part(
            min(self.low, other.low),
            max(self.high, other.high),
            count,
            self.mean + apart * other.count / count,
            self.squares + other.squares + apart**2 * self.count * other.count / count,
            others=others,
        )


_NOTHING = _Part(math.nan, math.nan, 0, math.nan, math.nan)


def _edges(before: int, after: int) -> NDArray[np.intp]:
    """Distribute rows over fewer rows: every row goes as a whole to the row that holds its middle."""
    return (2 * before * np.arange(after + 1) + after) // (2 * after)
