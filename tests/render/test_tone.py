"""From values to brightness."""

import numpy as np
import pytest

from convviz.errors import SpecError, UnknownNameError
from convviz.render.palette import Tone, colours


def test_a_signed_tone_keeps_zero_at_mid_grey_and_the_ends_at_black_and_white():
    levels = Tone(-4, 4, "signed").levels(np.array([-4, -2, 0, 2, 4], np.float32))
    np.testing.assert_array_equal(levels, [1, 65, 128, 192, 255])  # 128 + 127 * v / 4, halves upwards


def test_a_unit_tone_goes_from_black_to_white():
    np.testing.assert_array_equal(Tone(2, 4, "unit").levels(np.array([2, 3, 4], np.float32)), [0, 128, 255])


def test_values_outside_of_the_tone_are_cut_to_its_ends():
    np.testing.assert_array_equal(Tone(0, 1, "unit").levels(np.array([-5, 9], np.float32)), [0, 255])


@pytest.mark.parametrize(
    ("low", "high", "kind", "message"),
    [(1, 1, "unit", "low below high"), (-1, 2, "signed", "low == -high")],
)
def test_a_tone_that_contradicts_itself_cannot_be_made(low, high, kind, message):
    with pytest.raises(SpecError, match=message):
        Tone(low, high, kind)


def test_the_signed_scale_is_purple_neutral_orange():
    table = colours("signed").astype(int)
    red, _, blue = table[1]
    assert blue > red
    assert len(set(table[128])) == 1
    red, _, blue = table[255]
    assert red > blue


def test_published_scales_come_by_name_and_grey_needs_none():
    assert colours("gray") is None
    assert colours("viridis").shape == (256, 3)
    # The ends of viridis as its authors publish them: #440154 and #fde725.
    assert colours("viridis")[[0, 255]].tolist() == [[0x44, 0x01, 0x54], [0xFD, 0xE7, 0x25]]


def test_an_unknown_scale_is_met_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'viridis'"):
        colours("viridia")


def test_values_close_together_far_from_zero_keep_their_steps():
    """Three values one float32 step apart at 4096 (2**-11): black, mid grey, white."""
    values = np.array([4096, 4096 + 2**-11, 4096 + 2**-10], np.float32)
    np.testing.assert_array_equal(
        Tone(float(values[0]), float(values[-1]), "unit").levels(values), [0, 128, 255]
    )


@pytest.mark.parametrize("size", [1e-44, 1e-37, 3e38])
def test_the_smallest_and_the_largest_numbers_have_levels(size):
    values = np.array([0, size], np.float32)
    np.testing.assert_array_equal(Tone(0, float(values[1]), "unit").levels(values), [0, 255])
    values = np.array([-size, 0, size], np.float32)
    np.testing.assert_array_equal(
        Tone(-float(values[2]), float(values[2]), "signed").levels(values), [1, 128, 255]
    )


def test_a_scale_of_separate_colours_shares_the_levels_among_them():
    """tab10 has ten colours, as Tableau publishes them: the first is #1f77b4, the last #17becf."""
    table = colours("tab10")
    assert table.shape == (256, 3)
    assert table[[0, 25, 231, 255]].tolist() == [[0x1F, 0x77, 0xB4]] * 2 + [[0x17, 0xBE, 0xCF]] * 2
    assert len({tuple(colour) for colour in table.tolist()}) == 10
