"""Rows of values: every cell says which value it is, and what these values are."""

import numpy as np
import pytest

import convviz
from convviz.compute.networks.engine import NetworkStep
from convviz.images.picture import Picture
from convviz.render.drawings.drawing import Label
from convviz.render.sheets import differences, strips


def labels(sheet):
    return [one for one in sheet.drawing.shapes if isinstance(one, Label)]


def drawn(values, *, only="fc", **of):
    step = NetworkStep("fc", of.pop("kind", "Linear"), (None,), values.shape, **of)
    picture = Picture(np.zeros((1, 4, 4), np.float32), ("gray",))
    return labels(strips.draw(picture, ["title"], [step], made={"fc": values}, only=only))


def words_above(found, value):
    """The words in the cell of a value, above it."""
    found = [one for one in found if one.anchor == "middle"]
    (below,) = [one for one in found if one.text == value]
    near = [one for one in found if one.x == below.x and below.y - 60 < one.y < below.y]
    return [one.text for one in near]


def test_each_cell_has_its_index_above_its_value():
    found = drawn(np.array([0, -2, 7], np.float32))
    assert words_above(found, "-2") == ["1"]
    assert "3 values" in [one.text for one in found]


def test_each_cell_of_a_row_of_scores_has_the_name_of_its_class():
    found = drawn(np.array([0, -2, 7], np.float32), classes=("cat", "dog", "owl"))
    assert words_above(found, "7") == ["owl"]
    assert "3 scores" in [one.text for one in found]


def test_a_name_without_room_gives_way_to_the_index():
    found = drawn(np.array([0, -2], np.float32), classes=("cat", "a name as long as a whole sentence"))
    assert words_above(found, "-2") == ["1"]


def test_values_that_add_up_to_1_are_probabilities_and_others_are_only_after_a_softmax():
    for values, kind, said in (
        ([0.25, 0.75], "Linear", "2 probabilities"),
        ([0.25, 0.5], "Linear", "2 scores"),
        ([-0.25, 1.25], "Linear", "2 scores"),
        ([0.25, 0.75], "Softmax", "2 probabilities"),
    ):
        found = drawn(np.array(values, np.float32), kind=kind, classes=("a", "b"))
        assert said in [one.text for one in found]


def test_a_layer_of_values_shows_them_before_the_input():
    found = drawn(np.array([0, -2, 7], np.float32))
    words = [one.text for one in found]
    assert words.index("3 values") < words.index("input")


def test_the_layers_of_a_difference_stand_apart_each_under_its_name():
    rows = [
        differences.Row("conv1, map 2", np.eye(4, dtype=np.float32), np.ones((4, 4), np.float32)),
        differences.Row(
            "head", np.array([[1, 2, 3]], np.float32), np.array([[1, 2, 5]], np.float32), vector=True
        ),
    ]
    found = labels(differences.draw(["title"], rows))
    words = [one.text for one in found]
    assert [words.count(one) for one in ("conv1, map 2", "head", "A", "B")] == [1, 1, 2, 2]
    # 12 of 16 values differ, and 1 of 3.
    assert [word for word in words if word.startswith("B -")] == ["B - A, 75% differ", "B - A, 33% differ"]
    assert words_above(found, "5") == ["2"]


@pytest.mark.parametrize(("ones", "said"), [(1, True), (0, False)])
def test_the_legend_says_what_colour_a_map_of_one_value_has(ones, said):
    """A map that is 0 everywhere is black, as its minimum is on any scale."""
    kernel = np.full((1, 1, 3, 3), ones, np.float32)
    sheet = convviz.run(np.ones((1, 5, 5), np.float32), convviz.Conv2d(1, 1, 3, bias=False), kernel).sheet()
    assert ("white above 0, else black" in " ".join(one.text for one in labels(sheet))) == said


def test_the_bar_of_a_large_map_says_that_it_goes_from_percentile_to_percentile():
    image = np.random.default_rng(1).random((1, 60, 60))
    found = convviz.explain(image, convviz.Conv2d(1, 1, 3), at=(3, 3))
    words = [one.text for one in found.drawing().shapes if isinstance(one, Label)]
    assert "percentile 1 to 99" in words


def test_a_drawing_of_padding_names_its_colour():
    words = [
        one.text
        for one in convviz.pad(np.ones((1, 4, 4)), padding=1).drawing().shapes
        if isinstance(one, Label)
    ]
    assert "blue: padding" in words


def test_the_first_tiles_are_taken_that_make_a_sheet_of_at_most_2000_pixels():
    """Ten rows of eight maps: with tiles of 400 pixels, eight of them are wider than the sheet may be."""
    rng = np.random.default_rng(3)
    made = {f"layer{at}": rng.normal(size=(8, 40, 40)).astype(np.float32) for at in range(10)}
    steps = [NetworkStep(name, "Conv", (None,), (8, 40, 40)) for name in made]
    picture = Picture(np.zeros((1, 40, 40), np.float32), ("gray",))

    def sheet(*tiles):
        return strips.draw(picture, ["title"], steps, made=made, tiles=tiles)

    fitting, alone = sheet(400, 80, 40), sheet(80)
    assert max(alone.size) <= 2000 < max(sheet(400).size)
    np.testing.assert_array_equal(fitting.image(), alone.image())
    # None fits: the first that is at most a tenth larger than the smallest.
    assert max(sheet(240).size) > 2000
    assert sheet(400, 240).size == sheet(240).size
    assert sheet(480, 440).size == sheet(480).size
