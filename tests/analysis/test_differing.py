"""How far two arrays are apart, against figures by hand and by numpy."""

import math

import numpy as np
import pytest

from convviz.analysis import differing
from convviz.analysis.differing import difference


def test_the_figures_are_those_by_hand():
    """A = 3, 4 and B = 3, 3: one difference of 1; peak 4, mean square 1/2, so 10 log10(16 / 0.5) dB.

    The product is 9 + 12 = 21, the lengths are 5 and the root of 18.
    """
    found = difference(np.array([3, 4], np.float32), np.array([3, 3], np.float32))
    assert (found.largest, found.mean, found.peak, found.relative) == (1, 0.5, 4, 0.25)
    assert found.cosine == pytest.approx(21 / (5 * math.sqrt(18)), rel=1e-12)
    assert found.psnr == pytest.approx(10 * math.log10(32), rel=1e-12)


def test_arrays_at_right_angles_and_opposite_ones():
    """1, 0 and 0, 1 have the cosine 0; 2, 2 and -2, -2 the cosine -1, and differ by twice 2."""
    assert difference(np.array([1.0, 0]), np.array([0, 1.0])).cosine == 0
    found = difference(np.array([2.0, 2]), np.array([-2.0, -2]))
    assert (found.cosine, found.relative) == (pytest.approx(-1), 2)
    # The root mean square of the differences is 4, twice the peak: 20 log10(1 / 2) dB.
    assert found.psnr == pytest.approx(-20 * math.log10(2))


def test_equal_arrays_have_no_difference_at_all():
    for values in (np.zeros(3), np.array([1e30, -2.0]), np.array([], float)):
        found = difference(values, values)
        assert (found.largest, found.relative, found.mean, found.cosine) == (0, 0, 0, 1)
        assert found.psnr == math.inf


def test_beside_zeros_every_difference_is_infinite_in_relation():
    found = difference(np.zeros(2), np.array([0, 1e-9]))
    assert (found.relative, found.cosine, found.psnr) == (math.inf, 0, -math.inf)


def test_nan_in_both_is_equal_and_nan_in_one_is_a_difference_that_is_counted():
    nan, inf = math.nan, math.inf
    same = np.array([nan, 1, inf, -inf], np.float32)
    assert (difference(same, same).largest, difference(same, same).not_finite) == (0, 3)
    other = np.array([0, 1, inf, inf], np.float32)
    for found in (difference(same, other), difference(other, same)):
        assert (found.largest, found.lone, found.not_finite) == (inf, 2, 1)
        assert (found.mean, found.cosine) == (0, 1)  # of the one value that is finite in both


def test_without_a_value_that_is_finite_in_both_there_is_no_mean_cosine_or_ratio():
    found = difference(np.array([1.0, 2.0]), np.array([math.nan, math.inf]))
    assert (found.largest, found.lone, found.relative) == (math.inf, 2, math.inf)
    assert all(math.isnan(one) for one in (found.mean, found.cosine, found.psnr))


def test_long_arrays_are_compared_in_parts_with_the_figures_of_the_whole(monkeypatch):
    """Against numpy's own sums of the whole, with parts that do not divide the length."""
    monkeypatch.setattr(differing, "_TOGETHER", 7)
    chance = np.random.default_rng(5)
    a, b = chance.normal(size=(2, 3, 17)).astype(np.float32)
    found = difference(a, b)
    wide = a.astype(float).ravel(), b.astype(float).ravel()
    apart = np.abs(wide[0] - wide[1])
    assert found.largest == apart.max()
    assert found.mean == pytest.approx(apart.mean(), rel=1e-12)
    lengths = np.linalg.norm(wide[0]) * np.linalg.norm(wide[1])
    assert found.cosine == pytest.approx(wide[0] @ wide[1] / lengths, rel=1e-12)
    peak = np.abs(wide[0]).max()
    assert found.psnr == pytest.approx(20 * np.log10(peak / np.sqrt(np.square(apart).mean())), rel=1e-12)
