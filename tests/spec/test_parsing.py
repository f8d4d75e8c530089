"""Text from the command line."""

import pytest

from convviz.errors import SpecError, UnknownNameError
from convviz.spec import parsing
from convviz.spec.geometry import HW, Edges


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", HW(3, 3)),
        ("3x5", HW(3, 5)),
        ("3X5", HW(3, 5)),
        ("3,5", HW(3, 5)),
        (" 3, 5", HW(3, 5)),
        ("(3, 5)", HW(3, 5)),
        ("[3, 5]", HW(3, 5)),
    ],
)
def test_a_pair_is_one_number_or_height_by_width(text, expected):
    assert parsing.pair("stride")(text) == expected


@pytest.mark.parametrize(
    "text",
    ["2x", "x2", "1x2x3", "2.5", "", "two", "1,2,3", "1,", "٣", "1e3", "0x", "(3, 5]", "((3, 5))", "(", "()"],
)
def test_what_is_no_pair_is_shown_one(text):
    with pytest.raises(SpecError, match=r"stride: expected N or HxW, such as 3 or 3x5, not"):
        parsing.pair("stride")(text)


def test_a_pair_as_it_is_printed_is_read_again():
    for pair in (HW(1, 1), HW(3, 5)):
        assert parsing.pair("stride")(str(pair)) == pair
        assert parsing.padding(",".join(map(str, pair))) == Edges(pair.h, pair.h, pair.w, pair.w)


def test_a_pair_below_the_least_is_refused():
    with pytest.raises(SpecError, match="stride must be at least 1 on both axes, not 1x0"):
        parsing.pair("stride")("1x0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", Edges(1, 1, 1, 1)),
        ("1x2", Edges(1, 1, 2, 2)),
        ("1,2", Edges(1, 1, 2, 2)),
        ("1,0,2,1", Edges(1, 0, 2, 1)),
        ("(1, 2)", Edges(1, 1, 2, 2)),
        ("[1, 2]", Edges(1, 1, 2, 2)),
        ("(1, 0, 2, 1)", Edges(1, 0, 2, 1)),
        ("same", "same"),
        ("same-lower", "same-lower"),
        ("valid", "valid"),
    ],
)
def test_padding_is_written_in_many_ways(text, expected):
    assert parsing.padding(text) == expected


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "Same ", "full", "1.5", ""])
def test_other_padding_is_shown_the_ways(text):
    with pytest.raises(
        SpecError, match=r"padding: expected N, HxW, top,bottom,left,right, same, same-lower or valid"
    ):
        parsing.padding(text)


def test_negative_padding_is_refused_by_its_side():
    with pytest.raises(SpecError, match="top is -1"):
        parsing.padding("-1")


@pytest.mark.parametrize(
    ("parser", "text", "message"),
    [
        (parsing.whole("seed", least=0), "1.5", "seed: expected a whole number"),
        (parsing.whole("seed", least=0), "-1", "seed must be at least 0, not -1"),
        (parsing.whole("seed", least=0, most=9), "10", "seed must be at most 9, not 10"),
        (parsing.position("at"), "1", "at: expected Y,X"),
        (parsing.position("at"), "-1,0", "counted from 0"),
        (parsing.numbers("bias-values"), "1,nan", "bias-values: expected numbers"),
        (parsing.numbers("bias-values"), "", "bias-values: expected numbers"),
        (parsing.tile, "large", "tile: expected a number of pixels or full"),
        (parsing.tile, "2", "tile must be at least 16"),
        (parsing.chw, "3x224", "channels x height x width"),
        (parsing.chw, "3x0x4", "at least 1"),
    ],
)
def test_every_message_names_its_field_and_what_is_legal(parser, text, message):
    with pytest.raises(SpecError, match=message):
        parser(text)


def test_a_wrong_word_is_met_with_the_nearest():
    with pytest.raises(UnknownNameError, match="no mode named 'grai'; did you mean 'gray'"):
        parsing.choice("mode", ("rgb", "gray"))("grai")


def test_a_file_name_is_no_shape():
    assert parsing.chw("3x224x224.png") is None
    assert parsing.chw("3x224x224") == (3, 224, 224)
