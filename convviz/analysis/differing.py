"""Measure how far two arrays of one shape are apart."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.images.finite import apart, largest

# The number of values that are compared at once, in float64.
_TOGETHER = 1 << 18


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an array B is from an array A of the same shape.

    Values that are NaN in both, or the same infinity in both, are equal; any other pair with one of these is
    infinitely far apart, and counted. Mean, cosine and PSNR are those of the values that are finite in both,
    and NaN if others differ and there are none.

    Parameters
    ----------
    count : int
        The number of values.
    largest : float
        The largest absolute difference.
    mean : float
        The mean absolute difference.
    peak : float
        The largest finite magnitude of A.
    cosine : float
        The cosine of the angle between A and B; 1 if both are zero, 0 if one is.
    psnr : float
        ``20 log10(peak / rms of the differences)`` in dB; infinite if no value differs.
    not_finite : int
        The number of values that are NaN, or the same infinity, in both.
    lone : int
        The number of values that are NaN or infinite in one array only, or infinite with other signs.

    Examples
    --------
    >>> found = difference(np.array([3.0, 4.0]), np.array([3.0, 3.0]))
    >>> found.largest, found.mean, found.relative, round(found.cosine, 4), round(found.psnr, 4)
    (1.0, 0.5, 0.25, 0.9899, 15.0515)
    """

    count: int
    largest: float
    mean: float
    peak: float
    cosine: float
    psnr: float
    not_finite: int = 0
    lone: int = 0

    @property
    def relative(self) -> float:
        """The largest difference, divided by the largest magnitude of A."""
        if self.largest == 0:
            return 0.0
        return self.largest / self.peak if self.peak else math.inf


def difference(first: NDArray[Any], second: NDArray[Any]) -> Difference:
    """Measure how far two arrays are apart.

    Parameters
    ----------
    first, second : ndarray
        A and B, of one shape.

    Returns
    -------
    Difference
        All sums are in float64.
    """
    one, other = np.ascontiguousarray(first).reshape(-1), np.ascontiguousarray(second).reshape(-1)
    most = total = squares = product = 0.0
    of_one = of_other = 0.0
    known = same = lone = 0
    for at in range(0, one.size, _TOGETHER):
        a, b = one[at : at + _TOGETHER], other[at : at + _TOGETHER]
        distance = apart(a, b)
        most = max(most, float(distance.max()))
        finite = np.isfinite(a) & np.isfinite(b)
        if not finite.all():
            same += int(np.count_nonzero(~finite & (distance == 0)))
            lone += int(np.count_nonzero(~finite & (distance > 0)))
            a, b, distance = a[finite], b[finite], distance[finite]
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        known += a.size
        total += float(distance.sum())
        squares += float(distance @ distance)
        product += float(wide_a @ wide_b)
        of_one += float(wide_a @ wide_a)
        of_other += float(wide_b @ wide_b)
    peak = largest(one) if one.size else 0.0
    return Difference(
        one.size,
        most,
        total / known if known else math.nan if lone else 0.0,
        peak,
        _cosine(product, of_one, of_other, equal=squares == 0) if known or not lone else math.nan,
        _psnr(peak, squares / known if known else math.nan if lone else 0.0),
        same,
        lone,
    )


def _cosine(product: float, of_one: float, of_other: float, *, equal: bool) -> float:
    """Return the cosine from three sums of products."""
    if equal:
        return 1.0
    if not of_one or not of_other:
        return 0.0
    return max(-1.0, min(1.0, product / (math.sqrt(of_one) * math.sqrt(of_other))))


def _psnr(peak: float, square: float) -> float:
    """Return the peak signal-to-noise ratio from the mean square of the differences."""
    if square == 0:
        return math.inf
    return 20 * math.log10(peak) - 10 * math.log10(square) if peak else -math.inf
