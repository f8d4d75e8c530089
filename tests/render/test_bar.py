"""The colour bar of a map: what stands where."""

import pytest

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
    mark = shapes[-2]
    assert isinstance(mark, Rectangle)
    assert mark.x + mark.w / 2 == 110
    assert words_of(shapes) == ["-1", "3", "0"]


def test_0_at_an_end_or_outside_has_no_mark_of_its_own():
    assert words_of(of(0, 3).shapes(0, 0, width=200, size=12)) == ["0", "3"]
    assert words_of(of(1, 3).shapes(0, 0, width=200, size=12)) == ["1", "3"]


def test_the_word_0_gives_way_to_the_ends_but_the_mark_stays():
    shapes = of(-3, 0.01).shapes(0, 0, width=200, size=12)
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
