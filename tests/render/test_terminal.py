"""Pictures made of characters."""

import numpy as np

from convviz.render.terminal import DARKNESS, HALF_BLOCK, fitted, in_characters, in_half_blocks
from convviz.spec.geometry import HW

SQUARES = np.array([[0, 255], [255, 0]], np.uint8)


def test_a_small_map_is_enlarged_by_the_largest_whole_number_that_fits():
    """2x2 cells fit three times into 9 rows and 7 columns; where two columns make a cell, once."""
    np.testing.assert_array_equal(fitted(SQUARES, HW(9, 7)), np.kron(SQUARES, np.ones((3, 3), np.uint8)))
    np.testing.assert_array_equal(fitted(SQUARES, HW(9, 7), wide=2), SQUARES.repeat(2, axis=1))


def test_a_large_map_fills_the_room_in_one_direction_and_keeps_its_proportions():
    assert fitted(np.zeros((400, 800), np.uint8), HW(22, 80)).shape == (22, 44)
    assert fitted(np.zeros((400, 800, 3), np.uint8), HW(22, 80), wide=2).shape == (20, 80, 3)


def test_characters_are_the_darker_the_darker_the_pixel():
    ramp = np.linspace(255, 0, len(DARKNESS)).astype(np.uint8)[None]
    assert in_characters(ramp, HW(1, 2 * len(DARKNESS))) == ["".join(sign * 2 for sign in DARKNESS)]
    assert DARKNESS.isascii()


def test_a_half_block_holds_two_pixels_one_above_the_other():
    levels = np.array([[[255, 0, 0]], [[0, 0, 255]], [[0, 255, 0]]], np.uint8)
    upper, end, last, _ = in_half_blocks(levels, HW(2, 1)).segments
    assert (upper.text, end.text, last.text) == (HALF_BLOCK, "\n", HALF_BLOCK)
    assert (upper.style.color.triplet.hex, upper.style.bgcolor.triplet.hex) == ("#ff0000", "#0000ff")
    # There is nothing below the third row.
    assert (last.style.color.triplet.hex, last.style.bgcolor) == ("#00ff00", None)
