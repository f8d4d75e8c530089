"""Numbers in the cells of pictures: each right to the digits it shows, whatever stands beside it."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import convviz
from convviz.analysis.trace import trace, trace_weight
from convviz.analysis.unfold import unfold
from convviz.render.drawings import explanation, padding, product, reach
from convviz.render.drawings.animation import Animation
from convviz.render.drawings.drawing import Bitmap, Label
from convviz.render.fonts import OURS, has
from convviz.render.palette import OUTPUT_TEAL
from convviz.render.sheets.layout import sheet
from convviz.render.sheets.tile import Section, Tile
from convviz.render.words import tables
from convviz.render.words.matrices import TOO_SMALL, cell_words, has_too_small
from convviz.results import scene
from convviz.spec.geometry import HW
from convviz.spec.settings import Look

# Float32 of any magnitude, subnormal ones too, and whole numbers as pictures have them.
ANY = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.builds(lambda sign, digits, power: np.float32(sign * digits * 10.0**power).item(),
              st.sampled_from([-1, 1]), st.floats(1, 10), st.integers(-12, 12)),
    st.integers(-70000, 70000).map(float),
)  # fmt: skip
ARRAYS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=4), elements=ANY)


def half_a_step(word):
    """What a number may be off that is rounded to the digits written: half of the last one's worth."""
    return Decimal(5).scaleb(Decimal(word).as_tuple().exponent - 1)


@given(ARRAYS)
def test_every_number_in_a_cell_is_right_to_its_digits_or_says_that_it_is_too_small(values):
    peak = Decimal(float(np.abs(values).max()))
    for row, line in zip(values.tolist(), cell_words(values), strict=True):
        for value, word in zip(row, line, strict=True):
            exact = Decimal(value)
            if word == TOO_SMALL:
                assert 0 < abs(exact) < peak / 1000
                continue
            assert abs(Decimal(word) - exact) <= half_a_step(word)
            assert (Decimal(word) == 0) == (exact == 0)
            # The largest has three digits.
            assert abs(Decimal(word) - exact) <= peak * Decimal("0.005")


@given(ARRAYS)
def test_numbers_in_the_cells_of_one_grid_have_the_same_decimals(values):
    """But 0 has none, and one that would be written as 0 has one more; from 1e7 on they have an exponent."""
    words = [word for line in cell_words(values) for word in line]
    plain = [word for word in words if word not in (TOO_SMALL, "0") and "e" not in word]
    found = [-Decimal(word).as_tuple().exponent for word in plain]
    assert not found or max(found) - min(found) <= 1
    assert has_too_small(values) == (TOO_SMALL in words)


@given(ARRAYS)
def test_a_table_of_values_never_writes_zero_for_what_is_not(values):
    table, _ = tables.values(values, width=10_000)
    for index, column in enumerate(list(table.columns)[1:]):
        for row, text in enumerate(column.cells):
            word, exact = str(text), Decimal(float(values[row, index]))
            if word == TOO_SMALL:
                assert exact != 0
            else:
                assert abs(Decimal(word) - exact) <= half_a_step(word)
                assert (Decimal(word) == 0) == (exact == 0)


def test_the_typeface_has_every_sign_that_a_cell_may_hold():
    assert [sign for sign in "0123456789.-+e()…" + TOO_SMALL if not has(OURS, sign)] == []


def test_the_widest_word_of_a_tile_stays_within_its_cell():
    """-1234 has as many characters as 65536, which is wider."""
    values = np.array([[-1234, 65536]], np.float32)
    cell = 48
    tile = Tile("", "", np.zeros((1, 2), np.uint8), cell, values)
    assert cell_words(values) == [["-1234", "65536"]]
    made = sheet([""], [Section([tile], None, OUTPUT_TEAL)], look=Look(captions=False))
    (picture,) = [shape for shape in made.drawing.shapes if isinstance(shape, Bitmap)]
    x, y = int(picture.x), int(picture.y)
    drawn = np.asarray(made.image())[y : y + cell, x : x + 2 * cell]
    # White on black; the line between the cells is column 48.
    inked = np.flatnonzero((drawn[6:-6, cell + 1 :] > 200).any(axis=(0, 2)))
    assert inked.min() >= 1
    assert inked.max() <= cell - 3


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([[20000, 100], [7, 30]], id="large whole numbers"),
        pytest.param([[65535.5, 1e-9], [0.25, -3e6]], id="large and small ones"),
        pytest.param([[1e30, 1], [-1e-30, 0]], id="the ends of float32"),
    ],
)
def test_every_view_draws_numbers_of_any_magnitude(values):
    x = np.array([values], np.float32)
    layer, weights = convviz.layer_of_kernels("1", in_channels=1)
    result = convviz.run(x, layer, weights)
    np.testing.assert_array_equal(result.maps, x)
    result.sheet().image()
    found = trace(result, at=HW(0, 0))
    weight = trace_weight(result, indices=(0, 0, 0, 0))
    unfolded = unfold(result)
    edges = layer.edges(result.picture.size)
    drawings = (
        explanation.draw(found, result),
        reach.draw_weight(weight, result),
        product.draw(unfolded),
        padding.draw(result.picture, {"zeros": x}, edges),
    )
    frames = Animation(scene.direct(layer, HW(2, 2), picture=result.picture, weights=result.filters))
    words = [word for line in cell_words(x[0]) for word in line]
    assert [frames.word(0, *at) for at in np.ndindex(2, 2)] == words
    assert len(list(frames.film().images())) == 4
    for drawing in drawings[1:]:
        assert set(words) <= {shape.text for shape in drawing.shapes if isinstance(shape, Label)}


def test_large_whole_numbers_stand_in_the_cells_as_they_are():
    """The case of EnergyPlus #8830: digits chosen for small numbers fail for large ones."""
    assert cell_words(np.array([[20000, 100], [7, 30]], np.float32)) == [["20000", "100"], ["7", "30"]]


def test_the_least_and_the_greatest_number_of_a_map_are_told_apart():
    """Of 1, 1.0001 and 5 everywhere, only the first two differ; 5 keeps its single digit."""
    near = np.float32([[1, 1.0001], [1, 1]])
    assert cell_words(near, apart=True) == [["1.0000", "1.0001"], ["1.0000", "1.0000"]]
    assert cell_words(near) == [["1.00", "1.00"], ["1.00", "1.00"]]
    assert cell_words(np.full((1, 2), 5, np.float32), apart=True) == [["5", "5"]]
    assert cell_words(np.float32([[np.nan, 1]]), apart=True) == [["nan", "1"]]


def test_tiny_numbers_have_an_exponent_and_none_is_said_to_be_too_small():
    tiny = np.float32([[-1.19e-7, 0], [2e-8, np.inf]])
    assert cell_words(tiny) == [["-1.19e-07", "0"], ["2e-08", "inf"]]
    assert not has_too_small(tiny)
    assert cell_words(np.float32([[2e-4, 1e-8]])) == [["0.000200", "~0"]]
