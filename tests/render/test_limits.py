"""Which values become black and white, derived by hand from the percentiles of small sets of numbers."""

from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convviz.compute.survey import survey, typical_rows
from convviz.render.contrast import Drawn, contrast_of, contrasts, rule
from convviz.results.feature_maps import run
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.scales import MOST_WHOLE, is_whole
from convviz.spec.settings import Look, SheetSettings

# The values 0 to 100, of which percentile P is the value P.
HUNDRED = np.arange(101, dtype=np.float32).reshape(1, 101)


def looks(limits="percentile", scale="map", colormap="gray"):
    return Look(colormap, parsing.limits(limits), scale)


def drawn(values, *, whole=False, layer=0):
    (field,) = survey(np.asarray(values, np.float32)[None], spread=True)
    return Drawn.of(field, HW(26, 26) if whole else HW(26, 27), layer=layer)


def ends(values, chosen=None, **more):
    return contrasts([drawn(values, **more)], chosen or looks())[0].ends


@pytest.mark.parametrize(
    ("values", "limits", "expected"),
    [
        pytest.param(HUNDRED - 50, "percentile", (-49, 49), id="percentiles 1 and 99"),
        pytest.param(HUNDRED - 50, "percentile:10", (-40, 40), id="other percentiles"),
        pytest.param(HUNDRED - 50, "minmax", (-50, 50), id="minimum and maximum"),
        pytest.param(HUNDRED - 20, "symmetric", (-80, 80), id="the largest magnitude"),
        pytest.param(HUNDRED, "-3,7.5", (-3, 7.5), id="two values"),
        pytest.param(HUNDRED, "percentile", (0, 99), id="from 0 where no value is negative"),
        pytest.param(HUNDRED + 9, "percentile", (0, 108), id="from 0 for at most a tenth of the scale"),
        pytest.param(HUNDRED + 10, "percentile", (11, 109), id="else from percentile 1"),
        pytest.param(-HUNDRED, "percentile", (-99, -1), id="negative values go to percentile 99"),
    ],
)
def test_the_ends_are_those_of_the_definition(values, limits, expected):
    assert ends(values, looks(limits)) == pytest.approx(expected)


def test_small_maps_go_from_the_minimum_to_the_maximum():
    assert ends(HUNDRED + 5, whole=True) == (5, 105)
    assert ends(HUNDRED - 20, looks(colormap="signed"), whole=True) == (-80, 80)


def test_signed_colours_end_at_percentile_99_of_the_magnitude():
    """The magnitudes of -20 to 80 are 80, 79, ...: percentile 99 of 101 values leaves out the largest one."""
    contrast = contrasts([drawn(HUNDRED - 20)], looks(colormap="signed"))[0]
    assert contrast.ends == (-79, 79)
    assert contrast.tone.kind == "signed"
    assert (contrast.below, contrast.above) == (0, pytest.approx(1 / 101))


def test_what_lies_beyond_is_told():
    contrast = contrasts([drawn(HUNDRED - 50)])[0]
    assert (contrast.below, contrast.above) == (pytest.approx(1 / 101), pytest.approx(1 / 101))
    contrast = contrasts([drawn(HUNDRED - 50)], looks("minmax"))[0]
    assert (contrast.below, contrast.above) == (0, 0)


def test_one_outlier_does_not_darken_the_rest():
    values = np.linspace(-1, 1, 1001, dtype=np.float32)[None].copy()
    values[0, 77] = 1000
    low, high = ends(values)
    assert low == pytest.approx(-0.98, abs=0.005)
    assert high == pytest.approx(0.98, abs=0.005)


def test_a_map_that_is_nearly_everywhere_the_same_is_drawn_between_its_extremes():
    values = np.zeros((1, 1000), np.float32)
    values[0, 3] = 0.5
    assert ends(values) == (0, 0.5)
    assert ends(-values) == (-0.5, 0)
    assert ends(values, looks(colormap="signed")) == (-0.5, 0.5)


@pytest.mark.parametrize(
    ("value", "level"),
    [(0, 0), (18, 255), (-18, 0)],
    ids=["nothing is black", "something is white", "less than nothing is black"],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_map_of_one_value_is_drawn_by_its_sign(value, level, whole):
    values = np.full((2, 2), value, np.float32)
    tone = contrasts([drawn(values, whole=whole)])[0].tone
    assert set(tone.levels(values).ravel()) == {level}


def test_a_scale_is_that_of_a_map_of_a_layer_or_of_all():
    """Of 0 to 100 twice and 100 to 200, percentile 0 and 100 are the extremes of what shares a scale."""
    maps = [drawn(HUNDRED), drawn(2 * HUNDRED), drawn(HUNDRED + 300, layer=1)]
    found = {
        scale: [contrast.ends for contrast in contrasts(maps, looks("minmax", scale))]
        for scale in ("map", "layer", "global")
    }
    assert found["map"] == [(0, 100), (0, 200), (300, 400)]
    assert found["layer"] == [(0, 200), (0, 200), (300, 400)]
    assert found["global"] == [(0, 400)] * 3


def test_percentiles_of_a_shared_scale_are_those_of_all_values():
    """0 to 100 and 101 to 201 are 0 to 201, of which percentile 1 is 2.01 and percentile 99 is 198.99."""
    maps = [drawn(HUNDRED - 100), drawn(HUNDRED + 1)]
    for contrast in contrasts(maps, looks(scale="layer")):
        assert contrast.ends == pytest.approx((-100 + 2.01, -100 + 198.99))


finite = st.floats(-1e6, 1e6, width=32)


@given(
    arrays(np.float32, (2, 3, 3), elements=finite),
    st.sampled_from(["map", "layer", "global"]),
    st.sampled_from(["percentile", "percentile:20", "minmax", "symmetric"]),
    st.sampled_from(["gray", "signed"]),
    st.booleans(),
)
def test_brighter_means_larger_and_signed_zero_is_neutral(maps, scale, limits, colormap, whole):
    chosen = looks(limits, scale, colormap)
    found = contrasts([drawn(values, whole=whole) for values in maps], chosen)
    for values, contrast in zip(maps, found, strict=True):
        levels = contrast.tone.levels(values).ravel()
        order = values.ravel().argsort(kind="stable")
        assert (np.diff(levels[order].astype(int)) >= 0).all()
        if colormap == "signed":
            assert set(levels[values.ravel() == 0]) <= {128}


@pytest.mark.parametrize(
    ("chosen", "whole", "words"),
    [
        pytest.param(looks(), [False], "each map goes from percentile 1 to 99, or", id="percentiles"),
        pytest.param(looks(), [True], "each map goes from its minimum to its maximum", id="small"),
        pytest.param(
            looks(), [True, False], "; maps of at most 26x26 values: from minimum to maximum", id="both"
        ),
        pytest.param(looks("-1,2"), [False], "The scale goes from -1 to 2; bars", id="two values"),
        pytest.param(looks(scale="global"), [False], "that all maps share goes from", id="shared"),
        pytest.param(
            looks(colormap="signed"), [False], "centred on 0 and ends at percentile 99 of its", id="signed"
        ),
    ],
)
def test_the_legend_says_the_rule(chosen, whole, words):
    assert words in rule(chosen, whole=whole)


def test_a_large_map_of_nearly_one_value_is_drawn_between_its_extremes():
    """Two rows of 300 are 5 in 90,000 values, which are counted in bins; percentiles in one bin are equal."""
    values = np.ones((300, 300), np.float32)
    values[typical_rows(300)[:2]] = 5
    assert ends(values) == (1, 5)
    assert ends(np.where(values == 5, values, 0), looks(colormap="signed")) == (-5, 5)
    values[0, 0] = 0.999
    assert ends(-values, looks("percentile:5")) == pytest.approx((-5, -0.999))


@pytest.mark.parametrize("side", [26, 27])
def test_the_ends_of_a_map_are_the_same_at_every_size_of_a_tile(side):
    """One of `side` x `side` values is -9 and one is 99; the others are 0 to 10 in turn."""
    values = (np.arange(side * side, dtype=np.float32) % 11).reshape(side, side)
    values[0, :2] = -9, 99
    found = run(values, Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1), np.float32))
    expected = (-9, 99) if side == 26 else (0, 10)
    for tile in (100, 320, 640):
        assert found.contrasts(SheetSettings.of(tile=tile))[0].ends == pytest.approx(expected, abs=0.2)
    assert contrast_of(found.maps, 0).ends == pytest.approx(expected, abs=0.2)


def test_the_page_has_the_same_limit_for_small_maps():
    script = (files("convviz.page") / "looks.js").read_text()
    assert f"const MOST_WHOLE = {MOST_WHOLE};" in script
    assert [is_whole(HW(MOST_WHOLE + more, 5)) for more in (0, 1)] == [True, False]
