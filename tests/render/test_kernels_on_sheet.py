"""The kernels above the maps that they make: which, where, in which colours and with which numbers."""

from itertools import pairwise

import numpy as np
import pytest

import convviz
from convviz.images.picture import Picture
from convviz.render.drawings.drawing import Bitmap, Label
from convviz.render.toned import hatched
from convviz.spec.geometry import HW

PURPLE, NEUTRAL, ORANGE = (0x5E, 0x3C, 0x99), (0xF7, 0xF7, 0xF7), (0xE6, 0x61, 0x01)
PICTURE = np.arange(3 * 400 * 300, dtype=np.float32).reshape(3, 400, 300) % 101 / 100


def run(layer, weight=None, bias=None, *, x=PICTURE):
    return convviz.run(x, layer, weight if bias is None else (weight, bias), backend="numpy")


def kernels_of(sheet):
    """List the kernels by their alternative texts."""
    found = [shape for shape in sheet.drawing.shapes if isinstance(shape, Bitmap)]
    return {shape.alt: shape for shape in found if shape.alt.startswith("weight[")}


def hatched_on(sheet):
    """List the places of channels that a filter does not read."""
    return [
        shape
        for shape in sheet.drawing.shapes
        if isinstance(shape, Bitmap)
        and not shape.alt
        and np.array_equal(shape.levels[:], hatched(HW(*shape.levels.shape[:2])))
    ]


def maps_of(sheet):
    """List the maps from the first to the last."""
    tiles = {id(tile.levels) for tile in sheet.maps}
    return [s for s in sheet.drawing.shapes if isinstance(s, Bitmap) and id(s.levels) in tiles]


def words_on(sheet):
    return [shape.text for shape in sheet.drawing.shapes if isinstance(shape, Label)]


@pytest.mark.parametrize("look", ["auto", "wide", "tall"])
def test_the_kernels_can_be_counted_each_filter_has_one_per_channel_above_its_map(look):
    sheet = run(convviz.Conv2d(3, 6, 3)).sheet(layout=look)
    found, maps = kernels_of(sheet), maps_of(sheet)
    assert list(found) == [f"weight[{filter}] {channel}" for filter in range(6) for channel in "RGB"]
    assert len(maps) == 6
    for index, below in enumerate(maps):
        lefts = []
        for channel in "RGB":
            one = found[f"weight[{index}] {channel}"]
            # In the column of its map, over it, and nearer to it than it is high.
            assert below.x <= one.x
            assert one.x + one.w <= below.x + below.w
            assert 0 <= below.y - (one.y + one.h) < one.h
            lefts.append(one.x)
        assert lefts == sorted(lefts)


# Level 192 of 128 to 255: 64 of 127 steps.
HALF = tuple(round(247 + (end - 247) * 64 / 127) for end in ORANGE)


def colours_of(kernel):
    """List the colours of a kernel of one row."""
    return [tuple(cell) for cell in kernel.levels[:][0].tolist()]


def test_orange_is_the_largest_value_purple_its_negative_and_neutral_0_on_one_scale_per_filter():
    """The first filter has 2, 0, -2 and 1; the second, of a hundredth or so, has the same colours."""
    weight = np.array([[[[2, 0, -2]], [[1, 0, 0]]], [[[0.01, 0, -0.01]], [[0.005, 0, 0]]]], np.float32)
    for more in ({}, {"parts": np.zeros((2, 2, 400, 298), np.float32)}):
        sheet = run(convviz.Conv2d(2, 2, (1, 3), bias=False), weight, x=PICTURE[:2]).sheet(**more)
        found = list(kernels_of(sheet).values())
        assert len(found) == 4
        for first, second in (found[:2], found[2:]):
            assert colours_of(first) == [ORANGE, NEUTRAL, PURPLE]
            assert colours_of(second) == [HALF, NEUTRAL, NEUTRAL]
        words = words_on(sheet)
        assert ("-max", "max") in pairwise(words)
        assert "largest magnitude: 2 (map 0), 0.01 (map 1)" in " ".join(words)


def test_filters_of_one_largest_magnitude_have_its_value_at_the_ends_of_their_scale():
    weight = np.array([[[[2, 0, -2]]], [[[1, 0, -2]]]], np.float32)
    sheet = run(convviz.Conv2d(1, 2, (1, 3), bias=False), weight, x=PICTURE[:1]).sheet()
    assert colours_of(list(kernels_of(sheet).values())[1]) == [HALF, NEUTRAL, PURPLE]
    assert ("-2", "2") in pairwise(words_on(sheet))
    assert "own scale" not in " ".join(words_on(sheet))


@pytest.mark.parametrize(
    ("activations", "count", "sides"),
    [(True, 32, (112, 112)), (True, 31, (112, 56)), (False, 32, (112, 56))],
)
def test_many_maps_of_a_deep_layer_are_as_large_as_its_channels(activations, count, sides):
    """Of 112x112 values a stride of 2 makes 56x56: on twice the scale, else on the same."""
    x = np.random.default_rng(1).random((5, 112, 112), np.float32)
    arriving = Picture(x, tuple("01234"), activations=activations)
    sheet = run(convviz.Conv2d(5, count, 1, stride=2), x=arriving).sheet()
    channel = next(one for one in sheet.drawing.shapes if isinstance(one, Bitmap) and "channel 0" in one.alt)
    assert (channel.w, maps_of(sheet)[0].w) == sides


def test_filters_of_one_value_each_share_a_scale():
    """Of 1, 0.5 and -1 in three groups, the second has half of the way from neutral to orange."""
    weight = np.float32([1, 0.5, -1]).reshape(3, 1, 1, 1)
    sheet = run(convviz.Conv2d(3, 3, 1, groups=3, bias=False), weight).sheet()
    found = [tuple(shape.levels[0, 0].tolist()) for shape in kernels_of(sheet).values()]
    half = tuple(round(near + (far - near) * 64 / 127) for near, far in zip(NEUTRAL, ORANGE, strict=True))
    assert found == [ORANGE, half, PURPLE]
    assert {"-1", "1"} <= set(words_on(sheet))


def test_the_cells_of_a_kernel_have_their_numbers_and_the_bias_stands_below_them():
    weight = np.array([[[[0.25, -1], [0.001, 0]]]], np.float32)
    sheet = run(convviz.Conv2d(1, 1, 2), weight, [-0.125], x=PICTURE[:1]).sheet()
    (kernel,) = kernels_of(sheet).values()
    inside = [
        shape.text
        for shape in sheet.drawing.shapes
        if isinstance(shape, Label)
        and kernel.x < shape.x < kernel.x + kernel.w
        and kernel.y < shape.y < kernel.y + kernel.h
    ]
    assert inside == ["0.250", "-1.000", "0.001", "0"]
    (bias,) = [
        shape for shape in sheet.drawing.shapes if isinstance(shape, Label) and shape.text == "bias -0.125"
    ]
    assert bias.x == kernel.x
    assert kernel.y + kernel.h < bias.y < maps_of(sheet)[0].y


def test_of_small_maps_of_many_channels_kernels_are_seen_and_numbers_are_read_or_left_out():
    """The second layer of a network for digits: 16 filters of 8 channels, 12x12 -> 8x8."""
    x = np.arange(8 * 12 * 12, dtype=np.float32).reshape(8, 12, 12) / 1000
    sheet = run(convviz.Conv2d(8, 16, 5), x=x).sheet()
    words = words_on(sheet)
    text = sorted(s.size for s in sheet.drawing.shapes if isinstance(s, Label))[-3]
    assert all(one.h >= 1.5 * text for one in kernels_of(sheet).values())
    assert len(kernels_of(sheet)) == 128
    assert all(s.size >= 0.4 * text for s in sheet.drawing.shapes if isinstance(s, Label))
    assert sum(word.startswith("bias ") for word in words) == 16
    assert "the kernels of its filter on channels 0 to 7" in " ".join(words)


def test_a_filter_of_a_group_has_kernels_on_the_channels_of_its_group_and_hatching_elsewhere():
    sheet = run(convviz.Conv2d(3, 3, 3, groups=3)).sheet()
    found, empty, maps = kernels_of(sheet), hatched_on(sheet), maps_of(sheet)
    assert list(found) == ["weight[0] R", "weight[1] G", "weight[2] B"]
    assert len(empty) == 6
    for index, below in enumerate(maps):
        column = [one for one in empty if below.x <= one.x < below.x + below.w]
        (own,) = [one for one in found.values() if below.x <= one.x < below.x + below.w]
        assert len(column) == 2
        assert sum(one.x < own.x for one in column) == index
    assert "another group" in " ".join(words_on(sheet))


def test_of_more_than_eight_channels_the_strongest_are_shown_by_their_names_and_the_sheet_says_so():
    """Channel c has the norm c: channels 2 to 9 of 10 are left."""
    weight = np.arange(10, dtype=np.float32).reshape(1, 10, 1, 1)
    x = np.ones((10, 300, 300), np.float32)
    sheet = run(convviz.Conv2d(10, 1, 1, bias=False), weight, x=x).sheet()
    assert list(kernels_of(sheet)) == [f"weight[0] {channel}" for channel in range(2, 10)]
    assert "on the 8 of 10 channels where they are largest (L2 norm)" in " ".join(words_on(sheet))


def test_a_sheet_without_kernels_has_none_and_says_nothing_of_them():
    sheet = run(convviz.Conv2d(3, 2, 3)).sheet(kernels=False)
    assert kernels_of(sheet) == {}
    assert not any("kernels of its filter" in word for word in words_on(sheet))


def test_above_a_partial_map_stands_its_kernel_and_none_above_bias_and_sum():
    result = run(convviz.Conv2d(3, 2, 3))
    sheet = result.sheet(parts=result.partial())
    found = list(kernels_of(sheet).values())
    assert len(found) == 6
    for number, below in enumerate(maps_of(sheet)):
        above = [one for one in found if one.x == below.x and one.y < below.y < one.y + 3 * one.h]
        assert len(above) == (1 if 1 <= number % 5 <= 3 else 0)


def test_a_flip_shows_the_kernels_before_and_after_and_none_above_the_difference():
    layer = convviz.Conv2d(1, 1, (1, 3), bias=False)
    result = run(layer, [[[[1, 0.5, 0]]]], x=PICTURE[:1])
    sheet = result.sheet(differences=result.flip_difference())
    drawn = [s for s in sheet.drawing.shapes if isinstance(s, Bitmap) and s.alt.startswith("weight[")]
    before, after = (shape.levels[:][0].tolist() for shape in drawn)
    # The filters of a run are those after the rotation.
    assert tuple(after[0]) == ORANGE
    assert before == after[::-1]
    assert [shape.x for shape in drawn] == [tile.x for tile in maps_of(sheet)[:2]]


def test_chosen_filters_keep_their_places_and_their_groups():
    sheet = run(convviz.Conv2d(3, 3, 3, groups=3)).sheet(chosen=[2])
    assert list(kernels_of(sheet)) == ["weight[2] B"]
    assert len(hatched_on(sheet)) == 2


def test_a_kernel_of_more_values_than_pixels_is_reduced():
    x = np.ones((1, 400, 400), np.float32)
    sheet = run(convviz.Conv2d(1, 1, 390), np.ones((1, 1, 390, 390)), [0], x=x).sheet()
    (kernel,) = kernels_of(sheet).values()
    assert (kernel.w, kernel.h) == kernel.levels.shape[1::-1]
    assert kernel.w <= 320 / 3
    assert tuple(kernel.levels[:][0, 0].tolist()) == ORANGE


@pytest.mark.parametrize("shape", [(1, 1, 3, 1), (3, 64, 7, 1), (8, 4, 3, 2), (16, 20, 3, 1), (9, 9, 5, 9)])
@pytest.mark.parametrize("look", ["auto", "wide", "tall"])
def test_kernels_meet_nothing_and_stay_on_the_sheet(shape, look):
    channels, count, size, groups = shape
    x = np.ones((channels, 40, 30), np.float32)
    sheet = run(convviz.Conv2d(channels, count, size, groups=groups), x=x).sheet(tile=200, layout=look)
    boxes = [
        (shape.x, shape.y, shape.x + shape.w, shape.y + shape.h)
        for shape in sheet.drawing.shapes
        if isinstance(shape, Bitmap)
    ]
    covered = np.zeros((sheet.height, sheet.width), np.uint8)
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= sheet.width
        assert bottom <= sheet.height
        covered[round(top) : round(bottom), round(left) : round(right)] += 1
    assert covered.max() == 1


def test_maps_dominate_a_sheet_of_64_maps():
    """No row of kernels is higher than a third of the maps below it."""
    sheet = run(convviz.Conv2d(3, 64, 3)).sheet()
    height = max(one.h for one in kernels_of(sheet).values())
    assert height <= maps_of(sheet)[0].h / 3
    assert sheet.width <= 1.4 * 17 * 320


def test_words_below_64_maps_with_kernels_are_legible_and_the_maps_stay_large():
    """On a slide, words are 1/61 of its height, and each of the 4 rows of maps 1/13."""
    x = np.sin(np.arange(3 * 512 * 512, dtype=np.float32)).reshape(3, 512, 512)
    sheet = run(convviz.Conv2d(3, 64, 3, padding=1), x=x).sheet(layout="wide")
    assert sheet.width / sheet.height == pytest.approx(16 / 9, abs=0.01)
    sizes = [shape.size for shape in sheet.drawing.shapes if isinstance(shape, Label)]
    assert min(sizes) >= sheet.height / 61
    assert maps_of(sheet)[0].h >= sheet.height / 13.2


def test_columns_of_small_maps_have_room_for_the_numbers_of_their_kernels():
    """The tutorial's maps are of one value, 96 pixels wide; 18 kernels of 9 values are written out."""
    x = np.array([[[1, 1, 1]] * 3, [[0, 1, 0]] * 3, [[1, 0, 1]] * 3], np.float32)
    weight = np.arange(6 * 27, dtype=np.float32).reshape(6, 3, 3, 3)
    sheet = run(convviz.Conv2d(3, 6, 3, bias=False), weight, x=x).sheet()
    assert {str(value) for value in range(162)} <= set(words_on(sheet))


@pytest.mark.parametrize(("least", "said"), [(0.0001, True), (0.01, False)])
def test_the_legend_says_what_a_number_is_that_rounds_to_0(least, said):
    """Three decimals beside -1: 0.0001 would be 0.000."""
    weight = np.array([[[[0.25, -1], [least, 0]]]], np.float32)
    words = words_on(run(convviz.Conv2d(1, 1, 2, bias=False), weight, x=PICTURE[:1]).sheet())
    assert ("~0" in words) == said
    assert ("~0 is not quite 0" in " ".join(words)) == said


@pytest.mark.parametrize(("share", "said"), [(2e-6, False), (5e-7, True)])
def test_a_filter_that_training_left_unused_does_not_widen_64_columns(share, said):
    """Its values have an exponent; beside maps of a million times its magnitude, they are almost 0."""
    x = np.sin(np.arange(3 * 320 * 320, dtype=np.float32)).reshape(3, 320, 320)
    weight = np.zeros((64, 3, 1, 1), np.float32)
    weight[:, 0] = 1
    plain = run(convviz.Conv2d(3, 64, 1, bias=False), weight, x=x).sheet()
    weight[5] *= np.float32(share)
    sheet = run(convviz.Conv2d(3, 64, 1, bias=False), weight, x=x).sheet()
    words = words_on(sheet)
    assert ("~0" in words) == said
    assert ("~0 is not quite 0" in " ".join(words)) == said
    assert (sheet.width < 1.01 * plain.width) == said


def test_a_filter_that_training_left_unused_has_its_numbers_where_they_fit():
    weight = np.array([1, 5e-7], np.float32).reshape(2, 1, 1, 1)
    words = words_on(run(convviz.Conv2d(1, 2, 1, bias=False), weight, x=PICTURE[:1]).sheet(kernels=False))
    assert "0 to 5e-07" in words
    assert "~0" not in words


@pytest.mark.parametrize(
    ("maps", "size", "side"), [(32, 40, 160), (16, 40, 320), (32, 20, 320), (32, 200, 200)]
)
def test_many_maps_that_are_enlarged_without_numbers_are_drawn_smaller(maps, size, side):
    """Four of 40 pixels are 160; a map of 20 pixels has its numbers; one of 200 is not enlarged at all."""
    x = np.sin(np.arange(size * size, dtype=np.float32)).reshape(1, size, size)
    layer = convviz.Conv2d(1, maps, 3, padding=1)
    assert maps_of(run(layer, x=x).sheet())[0].h == side
    assert maps_of(run(layer, x=x).sheet(tile=80))[0].h == 80


@pytest.mark.parametrize(("channels", "said"), [(3, False), (8, True)])
def test_the_legend_gives_the_order_of_kernels_without_names(channels, said):
    """16 maps of 40 pixels leave no room for names above their kernels."""
    x = np.sin(np.arange(channels * 1600, dtype=np.float32)).reshape(channels, 40, 40)
    words = words_on(run(convviz.Conv2d(channels, 16, 5, padding=2), x=x).sheet(tile=40))
    assert ("in the order of their channels" in " ".join(words)) == said


def test_the_numbers_of_each_filter_have_decimals_of_their_own():
    """0.04 has two, beside a filter of whole numbers, which needs none."""
    weight = np.array([[[[0.04, 0.04], [0.04, 0.04]]], [[[-2, 0], [1, 2]]]], np.float32)
    words = words_on(run(convviz.Conv2d(1, 2, 2, bias=False), weight, x=PICTURE[:1]).sheet())
    assert words.count("0.04") == 4
    assert {"-2", "1", "2"} <= set(words)
