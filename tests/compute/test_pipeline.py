"""Runs in Python: what comes out, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import convviz
from convviz.analysis import compare
from convviz.compute import conv
from convviz.errors import BackendError, OutputError, ShapeError, SpecError
from convviz.results import feature_maps
from convviz.spec.geometry import HW


@pytest.fixture
def result():
    x = np.random.default_rng(0).standard_normal((4, 9, 8), np.float32)
    return convviz.run(x, convviz.Conv2d(4, 6, 3, padding=1, groups=2))


def test_a_run_makes_the_maps_of_torch_with_the_weights_of_torch():
    x = np.random.default_rng(1).random((3, 20, 30), np.float32)
    torch.manual_seed(0)
    theirs = torch.nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect")
    expected = theirs(torch.from_numpy(x)[None])[0].detach().numpy()
    for backend in ("numpy", "torch"):
        ours = convviz.run(x, convviz.Conv2d(3, 6, 3, padding=1, padding_mode="reflect"), backend=backend)
        assert ours.backend == backend
        np.testing.assert_allclose(ours.maps, expected, rtol=0, atol=1e-6)


def test_statistics_are_those_of_the_maps(result):
    for row, values in zip(result.statistics(), result.maps.astype(np.float64), strict=True):
        assert (row.min, row.max) == (values.min(), values.max())
        assert row.mean == pytest.approx(values.mean())
        assert row.std == pytest.approx(values.std())


@settings(max_examples=40)
@given(
    groups=st.integers(1, 3), channels=st.integers(1, 3), filters=st.integers(1, 3), seed=st.integers(0, 99)
)
def test_partial_maps_and_the_bias_add_up_to_the_maps(groups, channels, filters, seed):
    layer = convviz.Conv2d(
        groups * channels, groups * filters, (3, 2), stride=(1, 2), padding=1, groups=groups
    )
    x = np.random.default_rng(seed).standard_normal((groups * channels, 7, 6), np.float32)
    result = convviz.run(x, layer, convviz.seeded(layer, seed))
    parts = result.partial()
    assert parts.shape == (groups * filters, channels, *result.maps.shape[1:])
    total = parts.sum(axis=1) + result.filters.bias[:, None, None]
    np.testing.assert_allclose(total, result.maps, rtol=0, atol=1e-5)


def test_a_partial_map_is_one_kernel_on_one_plane(result):
    """The second filter of the second group on that group's first channel, as a layer of its own."""
    alone = convviz.conv2d(result.picture.x[2:3], result.filters.weight[4:5, :1], padding=1)
    np.testing.assert_allclose(result.partial()[4, 0], alone[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".npz", ".npy", ".safetensors"])
def test_a_result_is_saved_by_the_ending_of_the_name(result, tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    result.save(path)
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load(path), result.maps)
    elif suffix == ".npz":
        with np.load(path) as stored:
            np.testing.assert_array_equal(stored["maps"], result.maps)
            assert tuple(stored["names"]) == result.names
    elif suffix == ".png":
        with Image.open(path) as image:
            assert image.size == result.sheet().image().size
    else:
        assert path.stat().st_size > result.maps.nbytes


def test_another_ending_is_refused(result, tmp_path):
    with pytest.raises(OutputError, match=r"end the name with \.npz"):
        result.save(tmp_path / "out.mat")


def test_a_notebook_shows_the_picture(result):
    assert result._repr_png_().startswith(b"\x89PNG")


def test_a_file_an_image_and_an_array_are_inputs(tmp_path):
    levels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    Image.fromarray(levels).save(tmp_path / "x.png")
    layer = convviz.Conv2d(3, 1, 1)
    maps = [
        convviz.run(source, layer).maps
        for source in (tmp_path / "x.png", str(tmp_path / "x.png"), Image.fromarray(levels))
    ]
    maps.append(convviz.run(levels.transpose(2, 0, 1) / np.float32(255), layer).maps)
    for other in maps[1:]:
        np.testing.assert_array_equal(maps[0], other)


def test_weights_come_as_an_array_or_a_pair(result):
    x, layer, weights = result.picture.x, result.layer, result.filters
    again = convviz.run(x, layer, (weights.weight, weights.bias))
    np.testing.assert_array_equal(again.maps, result.maps)
    tensors = (torch.from_numpy(weights.weight), torch.from_numpy(weights.bias))
    np.testing.assert_array_equal(convviz.run(x, layer, tensors).maps, result.maps)
    with pytest.raises(SpecError, match="has a bias; give one"):
        convviz.run(x, layer, weights.weight)


def test_an_input_with_other_channels_is_refused():
    with pytest.raises(ShapeError, match=r"the input has 1 channel, but .* reads 3"):
        convviz.run(np.zeros((4, 4)), convviz.Conv2d(3, 6, 3))


def test_backends_that_agree_say_by_how_much(result):
    agreement = compare.check(result)
    assert agreement.backends == ("numpy", "torch")
    assert agreement.relative <= 1e-6


def test_backends_that_disagree_are_found_out(result):
    """A map that is off by a hundredth is no rounding."""
    maps = result.maps.copy()
    maps[3, 2, 2] += 0.01
    wrong = feature_maps.FeatureMaps(maps, result.layer, result.filters, result.picture, "numpy")
    with pytest.raises(BackendError, match=r"numpy and torch disagree on .map 3. by 0\.01"):
        compare.check(wrong)


def test_maps_of_another_shape_than_the_arithmetic_says_are_found_out(result):
    with pytest.raises(ShapeError, match=r"made maps of shape \(6, 9, 7\), not \(6, 9, 8\)"):
        feature_maps.FeatureMaps(result.maps[:, :, 1:], result.layer, result.filters, result.picture, "numpy")


def test_the_input_is_not_changed_by_a_run():
    x = np.ones((1, 4, 4), np.float32)
    x.flags.writeable = False
    for backend in ("numpy", "torch"):
        convviz.run(x, convviz.Conv2d(1, 2, 1), backend=backend)
    assert (x == 1).all()


def test_the_result_does_not_depend_on_the_memory_layout_of_the_input():
    x = np.random.default_rng(2).random((5, 6, 3)).astype(np.float32)
    layer = convviz.Conv2d(3, 2, 3)
    turned = x.transpose(2, 0, 1)
    for backend in ("numpy", "torch"):
        first = convviz.conv2d(turned, convviz.seeded(layer).weight, backend=backend)
        second = convviz.conv2d(np.ascontiguousarray(turned), convviz.seeded(layer).weight, backend=backend)
        np.testing.assert_array_equal(first, second)


def test_padding_nothing_copies_nothing():
    x = np.ones((1, 2, 2), np.float32)
    assert conv.pad(x, convviz.Edges(0, 0, 0, 0)) is x
    assert HW(*conv.pad(x, convviz.Edges(1, 0, 0, 2)).shape[1:]) == HW(3, 4)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_step_beyond_all_machines_leaves_one_window(backend):
    """No whole number of 64 bits holds it. The one window begins at the top left."""
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4) + 5
    ones = np.ones((1, 1, 2, 2), np.float32)
    found = convviz.conv2d(x, ones, stride=10**20, backend=backend)
    assert found.tolist() == [[[5 + 6 + 9 + 10]]]
    found = convviz.conv2d(x, np.ones((1, 1, 1, 1)), stride=(10**20, 2), dilation=10**20, backend=backend)
    assert found.tolist() == [[[5, 7]]]


@pytest.mark.parametrize(
    "options", [{}, {"padding": "same", "padding_mode": "reflect"}, {"groups": 3, "stride": (2, 1)}]
)
def test_a_module_of_torch_brings_its_numbers(options):
    torch.manual_seed(4)
    module = torch.nn.Conv2d(3, 6, (3, 5), **options)
    x = np.random.default_rng(2).normal(size=(3, 12, 13)).astype(np.float32)
    result = feature_maps.run(x, module)
    with torch.no_grad():
        np.testing.assert_allclose(result.maps, module(torch.from_numpy(x)[None])[0].numpy(), atol=1e-5)


def test_what_is_no_layer_is_named():
    with pytest.raises(SpecError, match="not Linear"):
        feature_maps.run(np.zeros((3, 4, 4)), torch.nn.Linear(3, 3))
