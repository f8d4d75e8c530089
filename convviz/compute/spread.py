"""How values are spread between their extremes: percentiles of arrays that arrive in parts."""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.typing import Floats, Wide

# Of each part so many values are kept, evenly spaced in their order.
_KEPT = 1024
# To sort all values of an array takes about as long as to compute them; of so many the error is small.
FEW = 1 << 18
# Drawing at random takes longer than looking, so some draws are used again and again.
_DRAWS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Some finite values of an array in ascending order, each standing for a number of values.

    Nothing is assumed of the values. A part of n values is sorted and cut into runs of at most ceil(n / 1024)
    values; the middle value stands for the run, and the extremes for themselves. So the rank of a value is
    wrong by half a run in every part at most, and between two kept values lies one run at most: what is
    given as percentile P lies between the percentiles P - 0.2 and P + 0.2 of all values. Of at most 1026
    values it is exact. Of arrays with more than `FEW` values only that number or more is looked at, chosen
    at random: that adds an error with a standard deviation of 0.02 for P = 1 and 0.1 for P = 50 at most.

    Parameters
    ----------
    values : ndarray, shape (N,), float32
        In ascending order.
    counts : ndarray, shape (N,), float64
        For how many values each of them stands.

    Examples
    --------
    >>> spread = Spread.of(np.arange(101, dtype=np.float32))
    >>> spread.percentile(1), spread.percentile(99), spread.beyond(98, 200)
    (1.0, 99.0, (0.9702970297029703, 0.0))
    """

    values: Floats
    counts: Wide

    @classmethod
    def of(cls, values: Floats, *, every: int = 1, seed: int = 0) -> "Spread":
        """Look at finite values in any shape, or at one of `every` neighbouring values, drawn by `seed`."""
        flat = values.reshape(-1)
        if every > 1 and flat.size:
            # The extremes are always among them.
            some = flat[_places(flat.size, every, seed % _DRAWS)]
            found = cls.of(np.concatenate((some, [flat.min(), flat.max()])))
            return cls(found.values, found.counts * (flat.size / found.counts.sum()))
        middles, counts = _runs(flat.size)
        return cls(np.sort(flat)[middles], counts)

    @classmethod
    def joined(cls, parts: Iterable["Spread"]) -> "Spread":
        """Put parts together; the result does not depend on their order."""
        found = list(parts)
        if len(found) == 1:
            return found[0]
        values = np.concatenate([part.values for part in found])
        counts = np.concatenate([part.counts for part in found])
        # Of equal values any order gives the same percentiles, but not the same last bits: so by count too.
        order = np.lexsort((counts, values))
        return cls(values[order], counts[order])

    def percentile(self, percent: float) -> float:
        """Give a percentile as `numpy.percentile` does, interpolated between neighbouring values."""
        return self._at(self.values, self.counts, percent)

    def magnitude(self, percent: float) -> float:
        """Give a percentile of the magnitudes of the values."""
        sizes = np.abs(self.values)
        order = np.argsort(sizes, kind="stable")
        return self._at(sizes[order], self.counts[order], percent)

    @staticmethod
    def _at(values: Floats, counts: Wide, percent: float) -> float:
        """Interpolate between values at the middles of the ranks that they stand for."""
        if not values.size:
            return math.nan
        ends = np.cumsum(counts)
        rank = 0.5 + percent / 100 * (ends[-1] - 1)
        return float(np.interp(rank, ends - counts / 2, values))

    def beyond(self, low: float, high: float) -> tuple[float, float]:
        """Return which share of the values is less than `low`, and which is greater than `high`."""
        total = float(self.counts.sum()) or 1.0
        first = np.searchsorted(self.values, low, side="left")
        last = np.searchsorted(self.values, high, side="right")
        return float(self.counts[:first].sum()) / total, float(self.counts[last:].sum()) / total


# Parts of one size are cut alike.
@functools.lru_cache(maxsize=16)
def _runs(size: int) -> tuple[NDArray[np.intp], Wide]:
    """Cut so many values in their order into runs: which is the middle of each, and how many it has."""
    if size <= _KEPT + 2:
        return np.arange(size), np.ones(size)
    # The extremes stand for themselves.
    inner = np.linspace(1, size - 1, _KEPT + 1).round().astype(np.intp)
    edges = np.concatenate(([0], inner, [size]))
    return (edges[:-1] + edges[1:] - 1) // 2, np.diff(edges).astype(np.float64)


@functools.lru_cache(maxsize=2 * _DRAWS)
def _places(size: int, every: int, seed: int) -> NDArray[np.intp]:
    """Draw one place of `every` neighbouring ones."""
    first = np.arange(0, size - every + 1, every)
    return first + np.random.default_rng(seed).integers(0, every, first.size)
