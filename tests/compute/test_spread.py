"""Percentiles of values that come in parts, beside those of numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convviz.compute import survey as module
from convviz.compute.spread import Histogram, Spread
from convviz.compute.survey import Survey, survey, typical_rows
from convviz.spec.geometry import HW

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
    looking = Survey(1, HW(*values.shape), some=values[None, typical_rows(len(values))])
    for top in reversed(range(0, len(values), rows)):
        looking.look(0, top, values[top : top + rows])
    (field,) = looking.summaries(list(values[None]))
    return field.spread


def keeps_its_promise(spread, values):
    """Compare percentiles with those of all values: they lie outside, by 1/128 of the way from the centre."""
    exact = values.astype(np.float64)
    centre = float(np.percentile(exact[typical_rows(len(values))], 50, method="higher"))
    for percent in (0, 0.5, 1, 5, 25, 50, 75, 95, 99, 99.5, 100):
        below, true, above = (
            float(np.percentile(exact, percent, method=method)) for method in ("lower", "linear", "higher")
        )
        slack = 1e-6 * max(abs(below - centre), abs(above - centre))  # float32 of the differences
        bound = max(abs(below - centre), abs(above - centre)) / 128 + slack
        assert true - bound <= spread.least(percent) <= true + slack, percent
        assert true - slack <= spread.most(percent) <= true + bound, percent
        size = float(np.percentile(np.abs(exact), percent))
        wide = (np.abs(np.percentile(np.abs(exact), percent, method="higher")) + abs(centre)) / 128
        found = spread.magnitude(percent)
        assert (0 if size <= wide else size - 1e-6 * size) <= found <= size + wide + 1e-6 * size, percent
        # The share beyond an end that was chosen is exact: no bin is cut.
        least, most = spread.least(percent), spread.most(percent)
        if least == below or least < values.min():
            continue
        shares = spread.beyond(least, most)
        assert shares[0] <= percent / 100 + 1 / values.size
        assert shares[1] <= 1 - percent / 100 + 1 / values.size


@pytest.mark.parametrize("few", [True, False], ids=["all values", "bins"])
@pytest.mark.parametrize("name", shapes_of_values(np.random.default_rng(0)))
def test_percentiles_of_bands_keep_the_promised_distance(monkeypatch, name, few):
    monkeypatch.setattr(module, "FEW", 1 << 20 if few else 0)
    values = shapes_of_values(np.random.default_rng(0))[name]
    spread = of_bands(values, 24)
    keeps_its_promise(spread, values)
    if few:
        for percent in (0, 1, 33, 99, 100):
            true = np.percentile(values.astype(np.float64), percent)
            assert spread.least(percent) == spread.most(percent) == pytest.approx(true, rel=1e-12)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 300), st.floats(-1e4, 1e4, width=32))
def test_any_size_in_any_bands_keeps_the_promised_distance(seed, height, width, offset):
    rng = np.random.default_rng(seed)
    values = (offset + rng.normal(size=(height, width)) ** 3).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", 0)
        spread = of_bands(values, int(rng.integers(1, height + 1)))
    keeps_its_promise(spread, values)


def test_bins_are_the_same_however_the_values_arrive(monkeypatch):
    """Rows in bands of any height, a map in one piece, in several threads."""
    monkeypatch.setattr(module, "FEW", 0)
    values = np.random.default_rng(3).normal(size=(300, 700)).astype(np.float32)
    first, *others = [of_bands(values, 7), of_bands(values, 300), survey(values[None], spread=True)[0].spread]
    for other in others:
        for one in ("lows", "highs", "counts"):
            assert (getattr(first, one) == getattr(other, one)).all()


def test_values_that_are_not_finite_are_not_counted(monkeypatch):
    monkeypatch.setattr(module, "FEW", 0)
    values = np.array([[np.nan, -np.inf, 3e38, np.inf, -3e38, 0, -np.nan]], np.float32)
    spread = of_bands(values, 1)
    assert spread.counts.sum() == 3
    assert (spread.least(0), spread.most(100)) == (float(values[0, 4]), float(values[0, 2]))


def test_the_order_of_the_parts_changes_nothing():
    rng = np.random.default_rng(2)
    parts = [Spread.of(rng.integers(0, 5, size).astype(np.float32)) for size in (3000, 10, 70_000)]
    first, second = Spread.joined(parts), Spread.joined(reversed(parts))
    assert first.least(37) == second.least(37)
    assert first.beyond(1, 3) == second.beyond(1, 3)


@pytest.mark.parametrize("percent", [0, 1, 37.5, 99, 100])
def test_percentiles_of_kept_values_are_those_of_numpy(percent):
    """Of one map, and of maps that share a scale, whose values lie among each other."""
    rng = np.random.default_rng(6)
    one, other = (rng.normal(size=size).astype(np.float32) for size in ((30, 40), 700))
    for spread, values in (
        (Spread.of(one), one.ravel()),
        (Spread.joined([Spread.of(one), Spread.of(other)]), np.concatenate([one.ravel(), other])),
    ):
        exact = np.percentile(values.astype(np.float64), percent)
        assert spread.least(percent) == spread.most(percent) == pytest.approx(exact, abs=1e-12)
        assert spread.magnitude(percent) == pytest.approx(
            np.percentile(np.abs(values).astype(np.float64), percent), abs=1e-12
        )
        assert spread.beyond(-0.5, 1.25) == (np.mean(values < -0.5), np.mean(values > 1.25))


def test_maps_that_share_a_scale_share_their_values():
    """Of 0 to 99 in bins about 0 and 100 to 199 kept, 2 of 200 values are at most 1 % of all, each side."""
    counted = Histogram(0)
    counted.add(np.arange(100, dtype=np.float32))
    both = Spread.joined([counted.spread(0, 99), Spread.of(np.arange(100, 200, dtype=np.float32))])
    assert (both.least(0), both.most(100)) == (0, 199)
    assert both.least(50) <= 99.5 <= both.most(50)
    assert both.beyond(2, 197) == (2 / 200, 2 / 200)


def test_the_share_beyond_the_ends_leaves_the_ends_out():
    """Of 0 to 9, 0 and 1 are less than 2; 8 and 9 are greater than 7.5."""
    assert Spread.of(np.arange(10, dtype=np.float32)).beyond(2, 7.5) == (0.2, 0.2)
    assert Spread.of(np.arange(10, dtype=np.float32)).beyond(0, 9) == (0.0, 0.0)


def test_the_share_beyond_an_end_within_a_bin_is_that_part_of_the_bin():
    """The values 1 and 1.004 lie in the bin from 1 to 1 + 1/128, of which an eighth is below 1 + 1/1024."""
    counted = Histogram(0)
    counted.add(np.array([0, 1, 1.004, 2], np.float32))
    assert counted.spread(0, 2).beyond(1 + 1 / 1024, 3)[0] == (1 + 2 / 8) / 4


def test_a_lone_outlier_is_beyond_the_ends():
    values = np.zeros(100_000, np.float32)
    values[777] = 5
    assert Spread.of(values).beyond(-1, 1) == (0.0, 1 / 100_000)


def test_a_scale_far_from_the_centre_is_off_by_a_128th_of_its_distance_from_it():
    """A bin at 1000 is 4 wide, as 512 to 1024 has 128 of them: more than a 128th of a scale 2 long."""
    counted = Histogram(0)
    values = np.linspace(999, 1001, 1001, dtype=np.float32)
    counted.add(values)
    spread = counted.spread(-5000, 5000)
    low, high = spread.least(1), spread.most(99)
    assert (low, high) == (996, 1004)
    assert high - low > (1 + 1 / 128) * (np.percentile(values, 99) - np.percentile(values, 1))
    for end, exact in ((low, np.percentile(values, 1)), (high, np.percentile(values, 99))):
        assert abs(end - exact) <= abs(exact) / 128
