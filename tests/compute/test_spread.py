"""Percentiles of values that come in parts, beside those of numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convviz.compute import survey as module
from convviz.compute.spread import Spread
from convviz.compute.survey import Survey
from convviz.spec.geometry import HW

# What `Spread` promises: the percentile P that it gives lies between the percentiles P - 0.2 and P + 0.2.
PROMISED = 0.2

SIZE = HW(90, 700)


def shapes_of_values(rng):
    """Give maps whose values are spread in very different ways."""
    normal = rng.normal(size=tuple(SIZE)).astype(np.float32)
    outlier = normal.copy()
    outlier[40, 3] = 1000 * np.abs(normal).max()
    sparse = np.where(rng.random(tuple(SIZE)) < 0.03, np.abs(normal), 0).astype(np.float32)
    return {
        "normal": normal,
        "one outlier of 1000 times the rest": outlier,
        "constant": np.full(tuple(SIZE), 0.3, np.float32),
        "a tiny range far from 0": (4096 + 2**-11 * rng.integers(0, 4, tuple(SIZE))).astype(np.float32),
        "two values": (rng.random(tuple(SIZE)) < 0.3).astype(np.float32),
        "heavy tails": rng.standard_cauchy(tuple(SIZE)).astype(np.float32),
        "mostly 0": sparse,
        "a ramp": np.linspace(0, 1, SIZE.h * SIZE.w, dtype=np.float32).reshape(SIZE),
        "a ramp upside down": np.linspace(1, 0, SIZE.h * SIZE.w, dtype=np.float32).reshape(SIZE),
        "both signs, many decades": (np.sign(normal) * 10 ** (5 * normal)).astype(np.float32),
    }


def of_bands(values, rows):
    """Find out how the values are spread that come in bands, the last one first."""
    looking = Survey(1, HW(*values.shape), spread=True)
    for top in reversed(range(0, len(values), rows)):
        looking.look(0, top, values[top : top + rows])
    (field,) = looking.summaries(list(values[None]))
    return field.drawn


def is_within(found, values, percent):
    """Return whether a percentile lies between two of numpy's, beside it on both sides."""
    low, high = np.percentile(values, [max(percent - PROMISED, 0), min(percent + PROMISED, 100)])
    slack = 1e-6 * max(abs(low), abs(high))  # float32 of numpy
    return low - slack <= found <= high + slack


@pytest.mark.parametrize("rows", [7, 24, 90], ids=["narrow bands", "bands", "one band"])
@pytest.mark.parametrize("name", shapes_of_values(np.random.default_rng(0)))
def test_percentiles_of_bands_keep_the_promised_distance(name, rows):
    values = shapes_of_values(np.random.default_rng(0))[name]
    spread = of_bands(values, rows)
    for percent in (0, 0.5, 1, 5, 25, 50, 95, 99, 100):
        assert is_within(spread.percentile(percent), values, percent), percent
        assert is_within(spread.magnitude(percent), np.abs(values), percent), percent


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 300), st.sampled_from([1, 2000, 1 << 16])
)
def test_any_size_in_any_bands_keeps_the_promised_distance(seed, height, width, together):
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=(height, width)) ** 3).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TOGETHER", together)
        spread = of_bands(values, int(rng.integers(1, height + 1)))
    for percent in (0, 1, 50, 99, 100):
        assert is_within(spread.percentile(percent), values, percent)


def test_of_many_values_a_quarter_is_enough():
    """Within five standard deviations, sqrt(p (1 - p) / n), of a sample of n = 2**18 values."""
    rng = np.random.default_rng(3)
    values = np.where(
        rng.random((1024, 1024)) < 0.5, rng.normal(size=(1024, 1024)), 100 * rng.random((1024, 1024))
    )
    values = values.astype(np.float32)
    values[500, 500] = 1e6
    spread = of_bands(values, 100)
    for percent in (1, 50, 99):
        share = percent / 100
        error = PROMISED + 100 * 5 * (share * (1 - share) / 2**18) ** 0.5
        low, high = np.percentile(values, [percent - error, percent + error])
        assert low <= spread.percentile(percent) <= high
    assert (spread.percentile(0), spread.percentile(100)) == (values.min(), values.max())
    assert 0 < spread.beyond(-1000, 1000)[1] < 1e-5
    assert (of_bands(values, 100).values == spread.values).all()


def test_few_values_have_the_percentiles_of_numpy():
    values = np.random.default_rng(1).normal(size=(25, 40)).astype(np.float32)
    for percent in (0, 1, 33, 99, 100):
        assert Spread.of(values).percentile(percent) == pytest.approx(
            np.percentile(values, percent), rel=1e-6
        )


def test_the_order_of_the_parts_changes_nothing():
    rng = np.random.default_rng(2)
    parts = [Spread.of(rng.integers(0, 5, size).astype(np.float32)) for size in (3000, 10, 70_000)]
    first, second = Spread.joined(parts), Spread.joined(reversed(parts))
    assert first.percentile(37) == second.percentile(37)
    assert first.beyond(1, 3) == second.beyond(1, 3)


def test_the_share_beyond_the_ends_leaves_the_ends_out():
    """Of 0 to 9, 0 and 1 are less than 2; 8 and 9 are greater than 7.5."""
    assert Spread.of(np.arange(10, dtype=np.float32)).beyond(2, 7.5) == (0.2, 0.2)
    assert Spread.of(np.arange(10, dtype=np.float32)).beyond(0, 9) == (0.0, 0.0)


def test_a_lone_outlier_is_beyond_the_ends():
    values = np.zeros(100_000, np.float32)
    values[777] = 5
    assert Spread.of(values).beyond(-1, 1) == (0.0, 1 / 100_000)
