"""Find and count values that are not finite: NaN and the infinities."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NotFinite:
    """Counts of the values of an array that are not finite; true if there are any.

    Parameters
    ----------
    nan : int
        Number of NaN values.
    above, below : int
        Numbers of positive and of negative infinities.

    Examples
    --------
    >>> NotFinite.of(np.array([np.nan, 1, -np.inf, np.nan])).words
    '2 NaN, 1 -inf'
    """

    nan: int = 0
    above: int = 0
    below: int = 0

    @classmethod
    def of(cls, values: "NDArray[Any]") -> "NotFinite":
        """Count the values that are not finite; if there are none, one sum is enough."""
        if all_finite(values):
            return cls()
        nan, above, below = (int(np.count_nonzero(places)) for places in places_of(values))
        return cls(nan, above, below)

    @property
    def infinite(self) -> int:
        """Number of infinite values."""
        return self.above + self.below

    @property
    def words(self) -> str:
        """The counts in words; empty if all are zero."""
        counts = ((self.nan, "NaN"), (self.above, "inf"), (self.below, "-inf"))
        return ", ".join(f"{count:,} {what}" for count, what in counts if count)

    def __bool__(self) -> bool:
        return bool(self.nan or self.above or self.below)

    def __add__(self, other: "NotFinite") -> "NotFinite":
        return NotFinite(self.nan + other.nan, self.above + other.above, self.below + other.below)


NONE = NotFinite()


def all_finite(values: "NDArray[Any]") -> bool:
    """Return whether all values are finite; one sum is faster than a check of each value."""
    # A sum of finite numbers may overflow, but a sum that includes NaN or infinity is never finite.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum())) or bool(np.isfinite(values).all())


def finite_of(values: "NDArray[Any]") -> "NDArray[Any]":
    """Return the finite values in one row, or the array itself if all values are finite.

    Examples
    --------
    >>> finite_of(np.array([[1, np.nan], [np.inf, 2]]))
    array([1., 2.])
    """
    return values if all_finite(values) else values[np.isfinite(values)]


def places_of(values: "NDArray[Any]") -> "tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]":
    """Return where values are NaN, positive infinity and negative infinity."""
    return np.isnan(values), np.isposinf(values), np.isneginf(values)


def largest(values: "NDArray[Any]") -> float:
    """Return the largest magnitude of the finite values; 0 if there are none.

    Examples
    --------
    >>> largest(np.array([1, np.nan, -3, np.inf]))
    3.0
    """
    known = finite_of(values)
    return float(np.abs(known).max()) if known.size else 0.0


def place_of_largest(values: "NDArray[Any]") -> int:
    """Return the index of the largest finite magnitude in the flattened array.

    Examples
    --------
    >>> place_of_largest(np.array([[1, np.nan], [-3, np.inf]]))
    2
    """
    sizes = np.abs(values)
    return int(np.where(np.isfinite(sizes), sizes, -1).argmax())


def apart(first: "NDArray[Any]", second: "NDArray[Any]") -> "NDArray[np.float64]":
    """Return how far two arrays are apart, value by value, in float64.

    Two NaN values are equal, and so are two infinities of the same sign; any other pair that
    includes one of these is infinitely far apart. A distance that float32 cannot hold is infinite.

    Examples
    --------
    >>> apart(np.array([1, np.nan, np.inf, np.nan]), np.array([3, np.nan, np.inf, 0]))
    array([ 2.,  0.,  0., inf])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        found: NDArray[np.float64] = np.abs(np.subtract(first, second, dtype=np.float64))
        if not all_finite(found):
            one, other = (np.asarray(values, np.float32) for values in (first, second))
            found = np.where(np.isfinite(found), found, np.inf)
            found[(one == other) | (np.isnan(one) & np.isnan(other))] = 0
    return found


def total(values: Iterable[float]) -> float:
    """Return the sum of numbers, rounded once; NaN if both infinities occur.

    Examples
    --------
    >>> total([1e300, 1, -1e300]), total([math.inf, -math.inf])
    (1.0, nan)
    """
    try:
        return math.fsum(values)
    except ValueError:
        return math.nan
