"""A layer as matrix products."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from strategies import positions

import convviz
from convviz.analysis.unfold import unfold
from convviz.compute.weights import LayerWeights
from convviz.errors import BackendError, SpecError
from convviz.render.drawings import product
from convviz.render.drawings.drawing import Label, Rectangle


def test_a_small_layer_is_worked_by_hand():
    """The values 1 2 / 3 4 on a 2x3 picture, as in every lecture: two rows, each window one step further."""
    layer = convviz.Conv2d(1, 1, 2, bias=False)
    found = unfold(convviz.run(np.arange(6).reshape(2, 3), layer, [[[[1, 2], [3, 4]]]]))
    np.testing.assert_array_equal(found.filters, [[1, 2, 3, 4]])
    np.testing.assert_array_equal(found.windows, [[0, 1], [1, 2], [3, 4], [4, 5]])
    np.testing.assert_array_equal(found.matrix, [[1, 2, 0, 3, 4, 0], [0, 1, 2, 0, 3, 4]])
    np.testing.assert_array_equal(found.stored, [[1, 1, 0, 1, 1, 0], [0, 1, 1, 0, 1, 1]])
    np.testing.assert_array_equal(found.values, [27, 37])


def test_copied_pixels_add_up_their_weights():
    """Columns 5 7 replicated, under the kernel values 1 2 4: first 5 5 7, then 5 7 7."""
    layer = convviz.Conv2d(1, 1, (1, 3), padding=(0, 1), bias=False, padding_mode="replicate")
    found = unfold(convviz.run([[5, 7]], layer, [[[[1, 2, 4]]]]))
    np.testing.assert_array_equal(found.matrix, [[3, 4], [1, 6]])
    np.testing.assert_array_equal(found.padding, [[1, 0], [0, 0], [0, 1]])


def test_the_windows_are_those_of_torch():
    layer = convviz.Conv2d(2, 3, (3, 2), (2, 1), (1, 2), (1, 2))
    x = np.random.default_rng(0).standard_normal((2, 7, 6), np.float32)
    columns = torch.nn.functional.unfold(
        torch.from_numpy(x)[None], (3, 2), dilation=(1, 2), padding=(1, 2), stride=(2, 1)
    )
    np.testing.assert_array_equal(unfold(convviz.run(x, layer)).windows, columns[0].numpy())


@settings(max_examples=100)
@given(positions())
def test_both_products_are_the_map_for_every_kind_of_layer(case):
    result, _, index = case
    found = unfold(result, index=index)
    np.testing.assert_allclose(found.values, result.maps[index].ravel(), atol=1e-5)
    np.testing.assert_allclose(found.maps[found.row], result.maps[index].ravel(), atol=1e-5)
    assert (found.matrix[~found.stored] == 0).all()
    assert found.difference <= found.tolerance < 1e-4


def test_a_map_that_is_not_the_product_is_an_error():
    result = convviz.run(np.ones((1, 3, 3)), convviz.Conv2d(1, 1, 3))
    with pytest.raises(BackendError, match="more than float32 rounding"):
        unfold(replace(result, values=result.maps + np.float32(0.001)))


def test_a_matrix_that_nobody_could_read_is_refused():
    result = convviz.run(np.ones((1, 200, 200)), convviz.Conv2d(1, 1, 3))
    with pytest.raises(SpecError, match=r"39,204 x 40,000, more than 4,194,304 entries; .* --resize"):
        unfold(result)


def test_what_is_drawn_adds_up_with_the_bias():
    """Numbers of the cells, matrix by matrix: two filters on 1 2 3, with the biases 10 and 20."""
    layer = convviz.Conv2d(1, 2, (1, 2))
    weights = LayerWeights.of(layer, np.array([[[[1, 1]]], [[[2, 0]]]]), np.array([10, 20]))
    run = convviz.run([[1, 2, 3]], layer, weights)
    shapes = product.draw(unfold(run, index=1)).shapes
    words = [shape.text for shape in shapes if isinstance(shape, Label)]
    lower = words[words.index("matrix 2x3") :]
    cut = [words[words.index(name) + 1 :] for name in ("filters 2x2", "windows 2x2", "bias 2x1", "maps 2x2")]
    assert [one[:count] for one, count in zip(cut, (4, 4, 2, 4), strict=True)] == [
        ["1", "1", "2", "0"],
        ["1", "2", "2", "3"],
        ["10", "20"],
        ["13", "15", "22", "24"],
    ]
    cut = [lower[lower.index(name) + 1 :] for name in ("matrix 2x3", "input 3x1", "bias 2x1", "map 1 2x1")]
    assert [one[:count] for one, count in zip(cut, (4, 3, 2, 2), strict=True)] == [
        ["2", "0", "2", "0"],
        ["1", "2", "3"],
        ["20", "20"],
        ["22", "24"],
    ]
    assert "one matrix for map 1: matrix times input + bias" in words
    assert [word for word in words if word in ("x", "+", "=")] == ["x", "+", "="] * 2


def test_a_weight_of_zero_is_told_from_no_weight():
    """Of 2 x 3 entries, two are weights of 0, and two are no weights."""
    run = convviz.run([[1, 2, 3]], convviz.Conv2d(1, 1, (1, 2), bias=False), np.array([[[[2, 0]]]]))
    shapes = product.draw(unfold(run)).shapes
    matrix = [shape.fill for shape in shapes if isinstance(shape, Rectangle) and shape.fill is not None][
        -11:-5
    ]
    assert matrix[1] == matrix[5]
    assert matrix[2] == matrix[3]
    assert max(abs(a - b) for a, b in zip(matrix[1], matrix[2], strict=True)) >= 30
