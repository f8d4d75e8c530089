"""Scenes of animations, direct and transposed."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convviz
from convviz.errors import InputError, ShapeError, SpecError
from convviz.images.decode import as_picture
from convviz.results.scene import direct, gallery, transposed, transposed_weight
from convviz.spec.geometry import HW, transposed_axis
from convviz.spec.settings import LayerSettings


def test_the_gallery_has_the_classic_cases_with_one_frame_per_output():
    """Sizes of the outputs in the captions of Dumoulin and Visin's figures."""
    frames = [scene.frames for scene in gallery().values()]
    assert frames[:8] == [4, 36, 25, 49, 4, 9, 9, 9]
    assert frames[8:] == [4 * 4, 5 * 5, 5 * 5, 5 * 5, 5 * 5, 5 * 5, 6 * 6]


@settings(max_examples=200)
@given(*(st.integers(1, 4) for _ in range(4)), st.integers(0, 3), st.integers(0, 3))
def test_a_transposed_axis_has_the_length_of_torch(n, k, stride, dilation, padding, more):
    assume(more < max(stride, dilation))
    layer = torch.nn.ConvTranspose1d(1, 1, k, stride, padding, more, dilation=dilation)
    assume((n - 1) * stride - 2 * padding + dilation * (k - 1) + more + 1 > 0)
    axis = transposed_axis(n, k, stride=stride, padding=padding, output_padding=more, dilation=dilation)
    assert axis.output == layer(torch.zeros(1, 1, n)).shape[-1]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more", "dilation"),
    [
        (3, 1, 0, 0, 1),
        (3, 2, 1, 1, 1),
        ((2, 3), (3, 2), (1, 0), (2, 1), (1, 2)),
        (1, 2, 0, 1, 1),
        (2, 2, 1, 0, 1),
        (1, 1, 1, 0, 1),
    ],
    ids=["plain", "odd", "all axes differ", "one kernel value", "padding below 0", "cropped"],
)
def test_a_transposed_scene_has_the_values_of_torch(kernel, stride, padding, more, dilation):
    torch.manual_seed(7)
    theirs = torch.nn.ConvTranspose2d(2, 3, kernel, stride, padding, more, 1, bias=False, dilation=dilation)
    x = np.random.default_rng(0).standard_normal((2, 4, 3), np.float32)
    layer = convviz.Conv2d(2, 3, kernel, stride, padding, dilation, bias=False)
    weight = transposed_weight(layer, LayerSettings(seed=7), convviz.seeded(layer))
    np.testing.assert_array_equal(weight, theirs.weight.detach().numpy())
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    for index in range(3):
        scene = transposed(
            layer, HW(4, 3), output_padding=HW.of(more), picture=as_picture(x), weight=weight, index=index
        )
        assert scene.values.shape == expected.shape[1:]
        np.testing.assert_allclose(scene.values, expected[index], atol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_the_numbers_under_the_taps_make_the_value(mode):
    """Every frame adds up, from the cells that it shows."""
    layer = convviz.Conv2d(2, 2, (2, 3), (2, 1), ((1, 2), (0, 1)), (1, 2), 2, padding_mode=mode)
    picture = as_picture(np.random.default_rng(1).standard_normal((2, 5, 6), np.float32))
    weights = convviz.seeded(layer, 3)
    scene = direct(layer, picture.size, picture=picture, weights=weights, index=1)
    assert scene.channels == ("channel 1",)
    for y, x in np.ndindex(scene.height.output, scene.width.output):
        total = float(weights.bias[1])
        for (row, a), (column, b) in (
            (r, c)
            for r in zip(scene.height.reads(y), range(2), strict=True)
            for c in zip(scene.width.reads(x), range(3), strict=True)
        ):
            source = scene.source(row, column)
            total += 0 if source is None else float(scene.inputs[(0, *source)] * weights.weight[1, 0, a, b])
        assert total == pytest.approx(float(scene.values[y, x]), abs=1e-5)


def test_zeros_between_pixels_are_no_pixels():
    scene = transposed(convviz.Conv2d(1, 1, 3, 2), HW(2, 2))
    assert [[scene.inside(row, column) for column in range(3)] for row in range(3)] == [
        [True, False, True],
        [False, False, False],
        [True, False, True],
    ]
    assert scene.source(0, 2) == (0, 1)
    assert scene.source(-1, 0) is None


@pytest.mark.parametrize(
    ("layer", "more", "error", "message"),
    [
        (convviz.Conv2d(1, 1, 3), HW(0, 1), ShapeError, "width: output_padding must be smaller than stride"),
        (convviz.Conv2d(1, 1, 3, padding="same"), HW(0, 0), SpecError, "a number, or one for each axis"),
        (convviz.Conv2d(1, 1, 3, padding=((0, 1), (0, 0))), HW(0, 0), SpecError, "a number, or one for each"),
        (convviz.Conv2d(2, 2, 3, groups=2), HW(0, 0), SpecError, "one group"),
        (
            convviz.Conv2d(1, 1, 1, padding=2),
            HW(0, 0),
            ShapeError,
            r"height: the padding leaves nothing: .* = -1; pad by at most 1",
        ),
    ],
)
def test_what_torch_has_not_is_refused(layer, more, error, message):
    with pytest.raises(error, match=message):
        transposed(layer, HW(3, 3), output_padding=more)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nstride = '2'", "needs a size"),
        ("[a]\nsize = '5'\nwidth = 3", "knows dilation, kernel-size"),
        ("a = ", "it is not TOML"),
        ("a = 3", "needs a size"),
    ],
)
def test_a_gallery_that_cannot_be_read_names_the_case(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        gallery(path)


def test_a_gallery_of_ones_own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("[mine]\nsize = '5x3'\nkernel-size = '3x2'\nstride = 2\n")
    (scene,) = gallery(path).values()
    assert (scene.height.output, scene.width.output) == (2, 1)
