"""The spread of values between their extremes: percentiles of arrays that arrive in parts."""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.typing import Floats, Wide

# Arrays of at most this many values keep all of them; values of larger ones are counted in bins.
FEW = 1 << 16
# The sign, the exponent and the first 7 bits of a float32 select its bin, one of this many.
_BINS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Some finite values, or bins between whose edges numbers of values lie.

    A percentile of bins is an edge, `least` the lower and `most` the upper one of the bin that holds it, so
    at most the given share of the values lies beyond. See `Histogram` for the width of bins.

    Parameters
    ----------
    lows, highs : ndarray, shape (N,), float64 or float32
        The edges of every bin; both are the value itself where values are known.
    counts : ndarray, shape (N,), int64
        The number of values in each bin.

    Examples
    --------
    >>> spread = Spread.of(np.arange(101, dtype=np.float32))
    >>> spread.least(1), spread.most(99), spread.beyond(98, 200)
    (1.0, 99.0, (0.9702970297029703, 0.0))
    """

    lows: Floats | Wide
    highs: Floats | Wide
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: Floats) -> "Spread":
        """Keep finite values in any shape."""
        return _Values.of(values)

    @classmethod
    def repeated(cls, value: float, times: int) -> "Spread":
        """Take a finite value several times."""
        found = np.array([value] if math.isfinite(value) else [])
        return cls(found, found, np.full(found.shape, times, np.int64))

    @classmethod
    def joined(cls, parts: Iterable["Spread"]) -> "Spread":
        """Join parts; percentiles and shares do not depend on their order."""
        found = list(parts)
        if len(found) == 1:
            return found[0]
        lows = np.concatenate([part.lows for part in found])
        if all(isinstance(part, _Values) for part in found):
            return _Values.of(lows)
        highs = np.concatenate([part.highs for part in found])
        return cls(lows, highs, np.concatenate([part.counts for part in found]))

    def least(self, percent: float) -> float:
        """Return a percentile or a value less than it; of known values, as `numpy.percentile` does."""
        return self._at(self.lows, percent)

    def most(self, percent: float) -> float:
        """Return a percentile or a value greater than it; of known values, as `numpy.percentile` does."""
        return self._at(self.highs, percent)

    def magnitude(self, percent: float) -> float:
        """Return a percentile of the magnitudes, or a value greater than it; 0 if it may be 0."""
        sizes = np.abs(self.lows), np.abs(self.highs)
        around = (self.lows <= 0) & (self.highs >= 0)
        least = self._at(np.where(around, 0, np.minimum(*sizes)), percent)
        return self._at(np.maximum(*sizes), percent) if least else 0.0

    def _at(self, edges: Floats | Wide, percent: float) -> float:
        """Interpolate between edges in ascending order, of which each has the ranks of its values."""
        if not edges.size:
            return math.nan
        order = np.argsort(edges, kind="stable")
        ends = np.cumsum(self.counts[order])
        rank = percent / 100 * float(ends[-1] - 1)
        first = math.floor(rank)
        places = np.searchsorted(ends, [first, min(first + 1, int(ends[-1]) - 1)], side="right")
        low, high = edges[order[places]].tolist()
        return float(low + (high - low) * (rank - first))

    def beyond(self, low: float, high: float) -> tuple[float, float]:
        """Return the share of values less than `low`, and the share greater than `high`.

        Values are taken as evenly spaced within a bin; at the edges of bins, the shares are exact.
        """
        total = int(self.counts.sum()) or 1
        below = self._shares(np.subtract(low, self.lows, dtype=np.float64), self.lows < low)
        above = self._shares(np.subtract(self.highs, high, dtype=np.float64), self.highs > high)
        return float(self.counts @ below) / total, float(self.counts @ above) / total

    def _shares(self, inside: Wide, known: NDArray[np.bool_]) -> Wide:
        """Return the share of every bin beyond an end, `inside` the bin from its edge; or whether it is."""
        width = self.highs - self.lows
        return np.where(width > 0, np.clip(inside / np.where(width > 0, width, 1), 0, 1), known)


class _Values(Spread):
    """Finite values in ascending order: each answer is found by its place."""

    @classmethod
    def of(cls, values: Floats | Wide) -> "_Values":
        """Keep finite values in any shape."""
        found = values.flatten()
        found.sort()
        return cls(found, found, np.broadcast_to(np.int64(1), found.shape))

    def magnitude(self, percent: float) -> float:
        """Return a percentile of the magnitudes."""
        return self.of(np.abs(self.lows)).most(percent)

    def _at(self, edges: Floats | Wide, percent: float) -> float:
        """Interpolate between neighbours."""
        if not edges.size:
            return math.nan
        rank = percent / 100 * (edges.size - 1)
        first = math.floor(rank)
        low, high = edges[[first, min(first + 1, edges.size - 1)]].tolist()
        return float(low + (high - low) * (rank - first))

    def beyond(self, low: float, high: float) -> tuple[float, float]:
        """Return the share of values less than `low`, and the share greater than `high`."""
        count = self.lows.size
        with np.errstate(over="ignore"):
            ends = np.array([low, high]).astype(self.lows.dtype)
        below, above = self.lows.searchsorted(ends[0]), count - self.lows.searchsorted(ends[1], side="right")
        return int(below) / max(count, 1), int(above) / max(count, 1)


class Histogram:
    """Counts values that arrive in any order and from any thread, at the same memory for any number.

    The bins are finest at a centre, a value that is typical of the array: a value v lies in a bin that is at
    most abs(v - centre) / 128 wide. A scale from `Spread.least` to `Spread.most` of two percentiles with the
    centre between them is therefore at most 1/128 longer than the scale between the true percentiles.

    Parameters
    ----------
    centre : float
        The value.

    Examples
    --------
    >>> counted = Histogram(1000)
    >>> counted.add(np.array([999, 1000, 1000, 1003, np.nan], np.float32))
    >>> spread = counted.spread(999, 1003)
    >>> spread.least(0), spread.most(50), spread.most(100), spread.beyond(1000, 1001)
    (999.0, 1000.0, 1003.0, (0.25, 0.25))
    """

    def __init__(self, centre: float) -> None:
        # Half of the difference of two numbers is always finite.
        self._half = np.float32(centre / 2)
        self._counts = np.zeros(_BINS, np.int64)
        self._lock = threading.Lock()

    def add(self, values: Floats) -> None:
        """Count the finite ones of some values."""
        with np.errstate(invalid="ignore"):
            half = np.multiply(values, np.float32(0.5), order="C")
            half -= self._half
        bits = half.reshape(-1).view(np.uint32)
        bits >>= 16
        found = np.bincount(bits, minlength=_BINS)
        with self._lock:
            self._counts += found

    def spread(self, low: float, high: float) -> Spread:
        """Return the bins with values, given the extremes of all values."""
        bins = np.flatnonzero(self._counts)
        bits = bins & 0x7FFF
        bins, bits = bins[bits < 0x7F80], bits[bits < 0x7F80]  # others hold NaN and infinity
        inner, outer = 2 * _starts(bits), 2 * _starts(bits + 1)
        outer[bits == 0] = 0  # the centre itself; to float32, smaller differences are hardly numbers
        negative, centre = bins >> 15 == 1, 2.0 * float(self._half)
        edges = centre + np.where(negative, -outer, inner), centre + np.where(negative, -inner, outer)
        lows, highs = (np.clip(edge, low, high) for edge in edges)
        return Spread(lows, highs, self._counts[bins])


def _starts(bits: NDArray[np.intp]) -> Wide:
    """Return the smallest float32 whose upper half is given, for every one."""
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
