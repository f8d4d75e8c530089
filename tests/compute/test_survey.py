"""Sums over channels that come in bands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convviz.compute import survey as module
from convviz.compute.survey import Survey, by_energy, reduce, survey
from convviz.machine import parallel
from convviz.spec.geometry import HW


@settings(max_examples=150)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 60), st.integers(1, 60)),
    st.floats(0.02, 1.5),
    st.lists(st.integers(1, 30)),
    st.integers(0, 99),
    st.sampled_from([1, 50, 1 << 16]),
)
def test_bands_and_threads_change_nothing(shape, scale, bands, seed, together):
    values = np.random.default_rng(seed).normal(3, 2, shape).astype(np.float32)
    whole = survey(values, scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "_limit", 2)
        patch.setattr(module, "_VALUES_TO_SHARE", 0)
        patch.setattr(module, "_TOGETHER", together)
        looking, top, tops = Survey(shape[0], HW(*shape[1:]), scale), 0, []
        for rows in [*bands, shape[1]]:
            if top < shape[1]:
                tops.append((top, top + rows))
            top += rows
        for top, bottom in reversed(tops):
            for index, channel in enumerate(values):
                looking.look(index, top, channel[top:bottom])
        summaries = looking.summaries(values if scale >= 1 else None)
    for field, other, channel in zip(summaries, whole, values, strict=True):
        assert (field.low, field.high) == (channel.min(), channel.max())
        assert field.mean == pytest.approx(channel.mean(dtype=np.float64), abs=1e-9)
        assert field.std == pytest.approx(channel.std(dtype=np.float64), abs=1e-9)
        np.testing.assert_allclose(field.small, other.small, rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_whole_factor_gives_the_mean_of_squares(factor):
    values = np.random.default_rng(factor).normal(size=(30, 60)).astype(np.float32)
    squares = values.reshape(30 // factor, factor, 60 // factor, factor).mean(axis=(1, 3))
    np.testing.assert_allclose(reduce(values, 1 / factor), squares, rtol=0, atol=1e-6)


def test_other_factors_give_what_pillow_gives():
    """At odd sizes, where no row or column is parted in its middle: those may count to either side."""
    values = np.random.default_rng(1).normal(size=(103, 70)).astype(np.float32)
    small = reduce(values, 0.3)
    theirs = Image.fromarray(values).resize((21, 31), Image.Resampling.BOX)
    np.testing.assert_allclose(small, np.asarray(theirs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True], ids=["columns", "rows"])
def test_areas_of_one_and_two_values_take_nothing_from_their_neighbours(turned):
    """Of 5 values in 3 areas, each goes to the area that holds its middle: 2, 1 and 2 of them."""
    values = np.array([[1, 2, 4, np.nan, 8]], np.float32)
    small = reduce(values.T if turned else values, 0.6)
    np.testing.assert_array_equal(small.reshape(-1), [1.5, 4, np.nan])


def test_a_deviation_keeps_its_digits_far_from_zero():
    """Values 1e6 and 1e6 + 1: the mean of squares less the square of the mean would lose this in float32."""
    values = np.tile(np.array([1e6, 1e6 + 1], np.float32), (1, 100, 50))
    assert survey(values)[0].std == pytest.approx(0.5, rel=1e-9)


def test_what_is_not_a_number_is_not_lost():
    values = np.zeros((1, 4, 4), np.float32)
    values[0, 2, 2] = np.nan
    (one,) = survey(values, 0.5)
    assert (one.low, one.high, one.mean, one.others.words) == (0, 0, 0, "1 NaN")
    np.testing.assert_array_equal(one.small, [[0, 0], [0, np.nan]])


def test_an_area_with_large_numbers_is_finite():
    """The sum of four of 3e38 is beyond float32, their mean is not; infinity stays in its area."""
    values = np.full((1, 4, 4), 3e38, np.float32)
    values[0, 0, 3] = -np.inf
    (one,) = survey(values, 0.5)
    np.testing.assert_array_equal(one.small, np.float32([[3e38, -np.inf], [3e38, 3e38]]))
    assert (one.low, one.high, one.others.words) == (np.float32(3e38), np.float32(3e38), "1 -inf")


def test_an_array_without_finite_values_has_no_numbers():
    (one,) = survey(np.full((1, 2, 3), np.nan, np.float32))
    assert np.isnan([one.low, one.high, one.mean]).all()
    assert one.others.words == "6 NaN"


@pytest.mark.parametrize("together", [1, 7, 1 << 16])
def test_energy_does_not_count_what_is_not_finite(monkeypatch, together):
    """The sums of squares are 2, 25, 0, 9 and 2: of equal ones, the first comes first."""
    monkeypatch.setattr(module, "_TOGETHER", together)
    values = [[1, -1, 0], [np.nan, 3, 4], [np.inf, -np.inf, np.nan], [3, 0, np.inf], [0, 1, 1]]
    assert by_energy(np.array(values, np.float32)) == [1, 3, 0, 4, 2]
