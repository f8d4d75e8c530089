"""One output value taken apart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import positions

import convviz
from convviz.analysis.trace import trace, trace_pixel, trace_weight
from convviz.errors import BackendError, SpecError
from convviz.spec.geometry import HW


def traced(result, at, index=0):
    return trace(result, at=HW(*at), index=index)


def test_the_corner_of_a_padded_map_is_worked_by_hand():
    """A 3x3 filter 1..9 on a 2x2 picture 1 2 / 3 4 with a border: 5*1 + 6*2 + 8*3 + 9*4 = 77."""
    layer = convviz.Conv2d(1, 1, 3, padding=1, bias=False)
    result = convviz.run([[1, 2], [3, 4]], layer, np.arange(1, 10).reshape(1, 1, 3, 3))
    found = traced(result, (0, 0))
    assert found.rows == (-1, 0, 1)
    np.testing.assert_array_equal(found.channels[0].patch, [[0, 0, 0], [0, 1, 2], [0, 3, 4]])
    np.testing.assert_array_equal(found.channels[0].products, [[0, 0, 0], [0, 5, 12], [0, 24, 36]])
    np.testing.assert_array_equal(found.inside, [[False] * 3, [False, True, True], [False, True, True]])
    assert (found.total, found.computed, found.difference) == (77, 77, 0)


@settings(max_examples=150)
@given(positions())
def test_every_value_of_every_layer_adds_up_within_rounding(case):
    """The patches are read from the input by the rule of the padding mode, the maps come from the backend."""
    result, at, index = case
    found = traced(result, at, index)
    assert abs(found.difference) <= found.tolerance
    assert found.tolerance < 1e-4
    assert len(found.channels) == result.layer.weight_shape[1]


@settings(max_examples=60)
@given(positions())
def test_the_products_of_all_weights_of_a_filter_add_up_to_its_map(case):
    result, _, index = case
    _, channels, kh, kw = result.layer.weight_shape
    total = np.zeros(result.maps.shape[1:])
    for place in np.ndindex(channels, kh, kw):
        total += trace_weight(result, indices=(index, *place)).products
    if result.filters.bias is not None:
        total += result.filters.bias[index]
    np.testing.assert_allclose(total, result.maps[index], atol=1e-4)


@settings(max_examples=60)
@given(positions())
def test_a_pixel_changes_exactly_the_values_that_it_is_said_to_feed(case):
    """In every padding mode: copies in the padding change with the pixel."""
    result, at, _ = case
    layer = result.layer
    at = HW(min(at[0], 7), min(at[1], 8))
    changed = result.picture.x.copy()
    changed[:, at.h, at.w] += 1
    after = convviz.run(changed, layer, result.filters)
    expected = np.zeros_like(result.maps, np.float64)
    for feed in trace_pixel(result, at=at):
        expected[feed.index, feed.output.h, feed.output.w] += feed.weight
    np.testing.assert_allclose(after.maps - result.maps, expected, atol=1e-5)


def test_a_pixel_feeds_through_its_copies_in_the_padding():
    """Reflected by 1, row 1 is copied to row -1: output 0,0 meets pixel 1,1 with all four corners."""
    layer = convviz.Conv2d(1, 1, 3, padding=1, bias=False, padding_mode="reflect")
    taps = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    result = convviz.run(np.arange(25.0).reshape(5, 5), layer, taps)
    feeds = [feed for feed in trace_pixel(result, at=HW(1, 1)) if feed.output == HW(0, 0)]
    assert [(tuple(feed.tap), tuple(feed.cell), feed.weight) for feed in feeds] == [
        ((0, 0), (-1, -1), 1),
        ((0, 2), (-1, 1), 3),
        ((2, 0), (1, -1), 7),
        ((2, 2), (1, 1), 9),
    ]


def test_without_a_place_the_largest_magnitude_is_taken_and_of_equal_ones_the_first():
    layer = convviz.Conv2d(1, 2, 1, bias=False)
    result = convviz.run([[1, -7, 3], [7, 2, -7]], layer, np.array([1, 0.5]).reshape(2, 1, 1, 1))
    found = trace(result, index=1)
    assert (found.at, found.total, found.largest) == (HW(0, 1), -3.5, True)
    assert not trace(result, at=HW(0, 1), index=1).largest


def test_a_map_that_does_not_add_up_is_an_error():
    result = convviz.run(np.ones((1, 3, 3)), convviz.Conv2d(1, 1, 3))
    with pytest.raises(BackendError, match="more than float32 rounding"):
        traced(replace(result, values=result.maps + np.float32(0.001)), (0, 0))


def test_a_changed_weight_is_seen():
    layer = convviz.Conv2d(1, 1, 2, bias=False)
    weight = np.ones((1, 1, 2, 2))
    before = traced(convviz.run(np.ones((2, 2)), layer, weight), (0, 0))
    weight[0, 0, 1, 0] = 5
    after = traced(convviz.run(np.ones((2, 2)), layer, weight), (0, 0))
    assert (before.total, after.total) == (4, 8)
    assert after.channels[0].kernel[1, 0] == 5


@pytest.mark.parametrize(
    ("at", "index", "message"),
    [((3, 0), 0, "rows go to 2, columns to 1"), ((0, 2), 0, "outside of the maps"), ((0, 0), 4, "0 to 3")],
    ids=["a row too far", "a column too far", "a map too far"],
)
def test_a_place_outside_names_the_legal_range(at, index, message):
    result = convviz.run(np.ones((1, 5, 4)), convviz.Conv2d(1, 4, 3))
    with pytest.raises(SpecError, match=message):
        traced(result, at, index)
