"""What the functions for Python take and refuse, as docs/howto/python.md promises."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convviz

ONE = np.ones((1, 1, 1, 1))


@pytest.fixture
def picture(tmp_path):
    """Twelve rows and sixteen columns of colours."""
    pixels = np.random.default_rng(5).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    return tmp_path / "x.png"


IMAGENET = convviz.Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("plain", "checked"),
    [
        pytest.param({"resize": 8}, {"resize": convviz.HW(8, 8)}, id="one number"),
        pytest.param({"resize": (8, 4)}, {"resize": convviz.HW(8, 4)}, id="a pair"),
        pytest.param({"resize": "short:6"}, {"resize": convviz.ShortSide(6)}, id="short side as text"),
        pytest.param({"crop": 5}, {"crop": convviz.HW(5, 5)}, id="crop"),
        pytest.param({"crop": (5, 7)}, {"crop": convviz.HW(5, 7)}, id="crop of a pair"),
        pytest.param({"normalize": "imagenet"}, {"normalize": IMAGENET}, id="normalization by name"),
        pytest.param({"mode": "grey"}, {"mode": "gray"}, id="British grey"),
    ],
)
def test_plain_values_read_what_checked_values_read(picture, plain, checked):
    found, expected = convviz.read(picture, **plain), convviz.read(picture, **checked)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.x, expected.x)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resize": "a"}, "^resize: expected N, HxW or short:N"),
        ({"resize": 2.5}, "^resize: expected a whole number or a pair"),
        ({"crop": "a"}, "^crop: expected a whole number or a pair"),
        ({"crop": 0}, "^crop must be at least 1"),
        ({"normalize": "a"}, "^normalize: expected imagenet"),
        ({"mode": "x"}, "^no mode named 'x'"),
        ({"value_range": "x"}, "^no value range named 'x'"),
    ],
)
def test_what_a_reader_cannot_use_is_refused_by_the_name_of_the_argument(picture, options, words):
    with pytest.raises(convviz.ConvvizError, match=words):
        convviz.read(picture, **options)


@pytest.mark.parametrize("function", [convviz.conv2d, convviz.conv_transpose2d])
@pytest.mark.parametrize(
    ("x", "weight", "bias", "name"),
    [
        pytest.param([[[1, 2], [3]]], ONE, None, "x", id="rows of two lengths"),
        pytest.param("a", ONE, None, "x", id="a word"),
        pytest.param(1j * np.ones((1, 2, 2)), ONE, None, "x", id="complex numbers"),
        pytest.param(np.ones((1, 2, 2)), [[1], [1, 2]], None, "weight", id="a ragged weight"),
        pytest.param(np.ones((1, 2, 2)), ONE, "a", "bias", id="a word as bias"),
    ],
)
def test_arrays_that_hold_no_real_numbers_are_refused_by_name(function, x, weight, bias, name):
    with pytest.raises(convviz.SpecError, match=f"^{name}: expected an array of real numbers"):
        function(x, weight, bias)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tile": "a"}, "^tile must be a whole number of at least 1, not 'a'"),
        ({"tile": -4}, "^tile must be .* not -4"),
        ({"columns": 0}, "^columns must be .* not 0"),
        ({"scale": "x"}, "^no scale named 'x'"),
    ],
)
def test_a_sheet_that_cannot_be_drawn_is_refused(options, words):
    result = convviz.run(np.ones((1, 3, 3)), convviz.Conv2d(1, 1, 3))
    with pytest.raises(convviz.ConvvizError, match=words):
        result.grid(**options)


def test_every_error_is_public_and_documented():
    """The classes of the module of errors, each beside the sentence in the document that lists them."""
    with Path("docs/howto/python.md").open(encoding="utf-8") as file:
        told = file.read()
    errors = [one for one in vars(convviz.errors).values() if isinstance(one, type)]
    for one in errors:
        if issubclass(one, convviz.ConvvizError):
            assert getattr(convviz, one.__name__) is one
            assert f"`{one.__name__}`" in told
