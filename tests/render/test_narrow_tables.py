"""Tables and matrices where there is little room: a number is shown whole or not at all, and that is said."""

import re

import pytest

from convviz.render.words import layers, tables
from convviz.render.words.matrices import Block, side_by_side
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.network import alone

ROWS = [
    (0, "sobel-x", -10.18, 9.412, 0.004449, 1.314),
    (1, "layer1.0.conv1", -1.234e-05, 0.0944, 2.5e6, 123456),
    (11, "two words", 0.0, 1.0, -0.3333333, 0.25),
]
WIDTHS = [20, 28, 36, 44, 59, 60, 80, 120]


def printed(table, width):
    screen = tables.console(width=width)
    with screen.capture() as shown:
        screen.print(table)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.get()).splitlines()
    assert max(map(len, lines)) <= width
    return " ".join(lines).split()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_number_of_a_table_is_cut(width):
    """-10.18 is -10.18, or with one digit less -10.2; never -10 or -10. as what fits of it."""
    four = {"-10.18", "9.412", "0.004449", "1.314", "-1.234e-05", "0.0944", "2500000", "123456", "-0.3333"}
    three = {"-10.2", "9.41", "0.00445", "1.31", "-1.23e-05", "0.0944", "2500000", "123456", "-0.333"}
    shown = printed(tables.statistics(ROWS, width=width), width)
    assert (four if width >= 60 else three) <= set(shown)
    # Nor is a word broken.
    assert {"sobel-x", "layer1.0.conv1", "two", "words"} <= set(shown)
    assert {"min", "max", "mean", "std"} <= set(shown)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_column_that_is_left_out_of_a_table_is_named(width):
    steps = [alone(Conv2d(3, 64, 7, stride=2, padding=3), HW(224, 224))]
    shown = [word.rstrip(",") for word in printed(layers.network_table(steps, width=width), width)]
    assert "64x112x112" in shown
    assert {
        "layer",
        "output",
        "kernel",
        "stride",
        "padding",
        "parameters",
        "field",
        "memory",
        "centre",
    } <= set(shown)
    assert ("narrow:" in shown) == (width < 120)


def test_a_file_has_no_width_so_everything_is_printed(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    steps = [alone(Conv2d(3, 64, 7, stride=2, padding=3), HW(224, 224))]
    width = tables.console().width  # stdout is none of a terminal here
    shown = printed(layers.network_table(steps, width=width), width)
    assert "narrow:" not in shown
    assert {"centre", "begins", "every", "memory", "MACs"} <= set(shown)


@pytest.mark.parametrize("width", [20, 36, 60])
def test_no_number_of_a_matrix_is_cut(width):
    words = [["-0.000135608", "0.00971658", "-0.0149078", "1.5"], ["1", "2", "3", "4"]]
    lines = side_by_side([Block("patch", words), Block("kernel", words, "x")], width=width)
    assert max(map(len, lines)) <= width
    shown = " ".join(lines).split()
    # Of four columns the ends are shown; the others are elided where there is no room.
    assert {"-0.000135608", "1.5"} <= set(shown)
    assert set(shown) <= {word for row in words for word in row} | {"patch", "x", "kernel", "…"}


def test_columns_of_a_matrix_stay_beside_each_other_where_they_fit():
    lines = side_by_side([Block("a", [["1", "2"]]), Block("b", [["3", "4"]], "x")], width=20)
    assert lines == ["a        b", "1  2  x  3  4"]


def test_moments_that_rounding_hides_are_not_written_as_numbers():
    """One step of float32 at 4 is 4 * 2**-23 = 4.8e-07: less than that is hidden, a bit more is not."""
    rows = [(0, "a", -4.0, 4.0, -1.9e-8, 4.7e-7), (1, "b", -4.0, 4.0, 4.9e-7, 0.0)]
    table = tables.statistics(rows, width=80)
    mean, std = (list(column.cells) for column in table.columns[4:6])
    assert [str(cell) for cell in (*mean, *std)] == ["~0", "4.9e-07", "~0", "0"]
