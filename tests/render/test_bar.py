"""The colour bar of a map: what stands where."""

import numpy as np
import pytest

import convviz
from convviz.render.contrast import Contrast
from convviz.render.drawings.drawing import Bitmap, Label, Rectangle
from convviz.render.palette import Tone, colours
from convviz.render.sheets.bar import Bar


def of(low, high, *, below=0.0, above=0.0, kind="unit"):
    return Bar(Contrast(Tone(low, high, kind), below, above))


def words_of(shapes):
    return [shape.text for shape in shapes if isinstance(shape, Label)]


def test_0_is_marked_where_it_is_on_the_bar():
    """-1 to 3 on 400 units: 0 is a quarter of the way, at 10 + 100."""
    shapes = of(-1, 3).shapes(10, 20, width=400, size=12)
    mark = next(shape for shape in shapes if isinstance(shape, Rectangle) and shape.x > 10)
    assert mark.x + mark.w / 2 == 110
    assert words_of(shapes)[:3] == ["-1", "3", "0"]


def test_0_at_an_end_or_outside_has_no_mark_of_its_own():
    assert words_of(of(0, 3).shapes(0, 0, width=50, size=12)) == ["0", "3"]
    assert words_of(of(1, 3).shapes(0, 0, width=50, size=12)) == ["1", "3"]


def test_round_values_between_the_ends_are_marked_where_their_names_have_room():
    """0.5 to 3.7 on 320 units: 1, 2 and 3 are 50, 150 and 250 from the left; on 45 they would meet."""
    shapes = of(0.5, 3.7).shapes(10, 0, width=320, size=12)
    found = {shape.text: shape.x for shape in shapes if isinstance(shape, Label)}
    assert {word: found[word] for word in "123"} == pytest.approx({"1": 60, "2": 160, "3": 260})
    assert words_of(of(0.5, 3.7).shapes(10, 0, width=45, size=12)) == ["0.5", "3.7"]
    # The value in the middle has the digit that distinguishes it from the ends.
    close = words_of(of(0.125, 0.1251).shapes(0, 0, width=400, size=12))
    assert close == ["0.125", "0.1251", "0.12505"]


def test_the_two_sides_of_a_symmetric_scale_have_the_same_values():
    """-1 has no room beside the longer end, so 1 is not named either."""
    for width in range(40, 200, 4):
        found = words_of(of(-2, 2).shapes(0, 0, width=width, size=12))[2:]
        assert ("1" in found) == ("-1" in found)
    assert {"-1", "1"} <= set(words_of(of(-2, 2).shapes(0, 0, width=300, size=12)))


def test_a_map_of_one_value_has_no_scale_and_says_so():
    def shapes(only, width):
        return Bar(Contrast(Tone(0, 1, "unit"), only=only)).shapes(0, 0, width=width, size=10)

    assert [words_of(shapes(only, 200)) for only in (0.0, -0.5206)] == [
        ["all values are 0"],
        ["one value: -0.521"],
    ]
    assert [words_of(shapes(only, 20)) for only in (0.0, -0.5206)] == [["only 0"], ["only -0.52"]]
    assert all(isinstance(shape, Label) for shape in shapes(0.0, 200))


def test_a_map_of_one_value_on_a_scale_of_its_own_is_known_as_such():
    x = np.ones((1, 4, 4), np.float32)
    kernels = np.stack([np.zeros((1, 3, 3)), np.ones((1, 3, 3))]).astype(np.float32)
    result = convviz.run(x, convviz.Conv2d(1, 2, 3, bias=False), kernels)
    own, shared = (
        [(tile.note, tile.bar.drawn) for tile in result.sheet(scale=of).maps] for of in ("map", "layer")
    )
    assert own == [("all values are 0", False), ("one value: 9", False)]
    assert shared == [("0", True), ("9", True)]


def test_the_word_0_gives_way_to_the_ends_but_the_mark_stays():
    shapes = of(-3, 0.01).shapes(0, 0, width=60, size=12)
    assert words_of(shapes) == ["-3", "0.01"]
    assert sum(isinstance(shape, Rectangle) for shape in shapes) == 2


def test_the_bar_goes_from_the_first_colour_to_the_last():
    shapes = of(-2, 2).shapes(0, 0, width=200, size=12)
    (picture,) = (shape for shape in shapes if isinstance(shape, Bitmap))
    assert picture.levels[0, [0, -1]].tolist() == [0, 255]
    signed = Bar(Contrast(Tone(-2, 2, "signed")), colours("signed"))
    (picture,) = (shape for shape in signed.shapes(0, 0, width=200, size=12) if isinstance(shape, Bitmap))
    assert picture.levels[0, [0, -1]].tolist() == [[0x5E, 0x3C, 0x99], [0xE6, 0x61, 0x01]]


@pytest.mark.parametrize(
    ("below", "above", "width", "said"),
    [
        (0.01, 0.02, 300, "1% below, 2% above"),
        (0.01, 0.02, 60, "3% beyond"),
        (0, 0.00001, 300, "<0.1% above"),
        (0.123, 0, 300, "12% below"),
    ],
    ids=["both", "little room", "one pixel", "one side"],
)
def test_the_shares_beyond_the_ends_are_said(below, above, width, said):
    shapes = of(1, 2, below=below, above=above).shapes(0, 0, width=width, size=12)
    assert words_of(shapes)[-1] == said


def test_nothing_is_said_where_nothing_lies_beyond_or_the_legend_says_it():
    told = Bar(Contrast(Tone(1, 2, "unit"), 0.01, 0.02, said=False))
    assert (of(1, 2).beyond, told.beyond) == ("", "")
    assert told.height(12) < of(1, 2, below=0.01, above=0.02).height(12) == of(1, 2).height(12)


def test_ends_close_together_have_the_digits_that_tell_them_apart():
    assert of(0.5, 0.500004).ends == ("0.5", "0.500004")
    assert of(-1 / 3, 2 / 3).ends == ("-0.333", "0.667")
