"""Weights: torch's numbers without torch, and kernels laid out for a layer."""

import json

import numpy as np
import pytest
import torch

from convviz.compute import filters, weights
from convviz.errors import InputError, SpecError
from convviz.spec.kernels import parse_request
from convviz.spec.layers import Conv2d
from convviz.spec.settings import LayerSettings


def built(*kernels, channels=3, names=("R", "G", "B"), **settings):
    requests = tuple(parse_request(text) for text in kernels)
    return filters.build(LayerSettings(kernel=requests, **settings), channels, channels=names)


@pytest.mark.parametrize("seed", [0, 1, 42, 12345, 2**32 - 1, 2**32, 2**40 + 7, 2**64 - 1])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((3, 6, 3), id="the first layer anybody types"),
        pytest.param((1, 1, 1), id="one weight"),
        pytest.param((3, 64, 7, 2), id="9,408 weights"),
        pytest.param((4, 8, (2, 5), 1, 0, 1, 4), id="groups"),
        pytest.param((64, 128, 3), id="73,728 weights"),
        pytest.param((3, 5, (1, 11), 1, 0, 1, 1, False), id="no bias"),
        pytest.param((2, 3, (31, 31)), id="large kernels"),
    ],
)
def test_seeded_weights_are_bit_for_bit_those_of_torch(arguments, seed):
    torch.manual_seed(seed)
    theirs = torch.nn.Conv2d(*arguments)
    ours = weights.seeded(Conv2d(*arguments), seed)
    np.testing.assert_array_equal(ours.weight.view(np.uint32), theirs.weight.detach().numpy().view(np.uint32))
    if theirs.bias is None:
        assert ours.bias is None
    else:
        np.testing.assert_array_equal(ours.bias.view(np.uint32), theirs.bias.detach().numpy().view(np.uint32))


def test_a_named_kernel_stands_in_every_channel_and_makes_one_map():
    layer, weights, _ = built("sobel-x")
    assert layer.out_channels == 1
    for channel in range(3):
        np.testing.assert_array_equal(weights.weight[0, channel], [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def test_a_kernel_for_one_channel_leaves_the_others_at_zero():
    _, weights, _ = built("1 2; 3 4@G")
    np.testing.assert_array_equal(weights.weight[0], [np.zeros((2, 2)), [[1, 2], [3, 4]], np.zeros((2, 2))])
    assert weights.names[0].endswith("@G")


def test_with_groups_a_kernel_makes_one_map_in_every_group():
    layer, weights, _ = built("sobel", groups=3)
    assert layer.out_channels == 6
    assert weights.names == (
        "sobel-x @R",
        "sobel-y @R",
        "sobel-x @G",
        "sobel-y @G",
        "sobel-x @B",
        "sobel-y @B",
    )


def test_filters_without_a_kernel_are_those_of_a_new_layer_at_their_places():
    """As in a tutorial: a new layer, `weight[0] = 1`, and nothing else is touched."""
    torch.manual_seed(5)
    theirs = torch.nn.Conv2d(3, 6, 3, bias=False)
    with torch.no_grad():
        theirs.weight[0] = 1
    settings = LayerSettings(kernel=(parse_request("ones=box:size=3"),), out_channels=6, seed=5)
    layer, weights, remarks = filters.build(settings, 3)
    assert (layer.out_channels, weights.bias) == (6, None)
    assert weights.weight[1:].tobytes() == theirs.weight[1:].detach().numpy().tobytes()
    assert np.unique(weights.weight[0]).tolist() == [np.float32(1 / 9)]
    assert weights.names == ("ones", "map 1", "map 2", "map 3", "map 4", "map 5")
    assert remarks == (
        "the other 5 filters are those of a new layer (seed 5), without its bias (--bias adds it)",
    )


def test_an_asked_for_bias_is_that_of_the_new_layer():
    """As in a tutorial: `weight[0] = 1` touches no bias, neither of the first filter nor of the others."""
    torch.manual_seed(5)
    theirs = torch.nn.Conv2d(3, 6, 3)
    settings = LayerSettings(kernel=(parse_request("box"),), out_channels=6, seed=5, bias=True)
    layer, weights, remarks = filters.build(settings, 3)
    assert layer.bias
    assert weights.bias.tobytes() == theirs.bias.detach().numpy().tobytes()
    assert weights.weight[1:].tobytes() == theirs.weight[1:].detach().numpy().tobytes()
    assert remarks == ("the other 5 filters are those of a new layer (seed 5), with its bias",)


def test_a_stored_bias_stands_beside_those_of_the_new_layer_where_they_are_asked_for(tmp_path):
    torch.manual_seed(0)
    theirs = torch.nn.Conv2d(1, 2, 1).bias.detach().numpy()
    np.savez(tmp_path / "one.npz", weight=np.ones((1, 1, 1, 1)), bias=[3.0])
    settings = LayerSettings(kernel=(parse_request(str(tmp_path / "one.npz")),), out_channels=2, bias=True)
    assert filters.build(settings, 1)[1].bias.tolist() == [3, theirs[1]]


def test_with_groups_a_kernel_is_the_first_filter_of_every_group():
    torch.manual_seed(0)
    theirs = torch.nn.Conv2d(2, 4, 1, groups=2).weight.detach().numpy()
    settings = LayerSettings(kernel=(parse_request("7"),), out_channels=4, groups=2)
    _, weights, _ = filters.build(settings, 2, channels="RG")
    assert weights.weight[:, 0, 0, 0].tolist() == [7, theirs[1, 0, 0, 0], 7, theirs[3, 0, 0, 0]]
    assert weights.names == ("7 @R", "map 1", "7 @G", "map 3")


def test_flipping_turns_the_filters_without_a_kernel_too():
    torch.manual_seed(0)
    theirs = torch.nn.Conv2d(1, 2, 2).weight.detach().numpy()
    settings = LayerSettings(kernel=(parse_request("1 2; 3 4"),), out_channels=2, flip=True)
    weight = filters.build(settings, 1)[1].weight
    assert weight[0, 0].tolist() == [[4, 3], [2, 1]]
    np.testing.assert_array_equal(weight[1, 0], theirs[1, 0, ::-1, ::-1])


def test_a_stored_bias_is_that_of_its_filter_and_a_seeded_filter_has_none(tmp_path):
    np.savez(tmp_path / "one.npz", weight=np.ones((1, 1, 1, 1)), bias=[3.0])
    settings = LayerSettings(kernel=(parse_request(str(tmp_path / "one.npz")),), out_channels=2)
    _, weights, remarks = filters.build(settings, 1)
    assert weights.bias.tolist() == [3, 0]
    assert remarks[0] == "the other filter is that of a new layer (seed 0), with bias 0"


def test_a_typed_filter_has_a_kernel_for_every_channel():
    layer, weights, _ = filters.build(LayerSettings(kernel=(parse_request("w=1 2 | 3 4 / 2"),)), 2)
    assert (str(layer.kernel_size), weights.names) == ("1x2", ("w",))
    assert weights.weight.tolist() == [[[[1, 2]], [[1.5, 2]]]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("3", "for kernels of 3x3 give --kernel-size 3 ([3] is one weight)", id="one number"),
        pytest.param(
            "3,5", "for kernels of 3x5 give --kernel-size 3,5 ([3, 5] is one row)", id="two numbers"
        ),
        pytest.param("[3]", None, id="in brackets"),
        pytest.param("three=3", None, id="named"),
        pytest.param("1 2", None, id="with a blank"),
        pytest.param("0.5", None, id="no size"),
    ],
)
def test_a_kernel_that_could_be_a_size_is_remarked_on(text, told):
    remarks = built(text)[2]
    assert [remark for remark in remarks if told and told in remark] == list(remarks)
    assert len(remarks) == (told is not None)


def test_a_smaller_kernel_is_centred_in_zeros_and_a_remark_says_so():
    """1x3 values among 3x3 stand in the middle row; 2x2 have their spare row below, column right."""
    _, weights, remarks = built("1 2 3", "1 2; 3 4", "box:size=3", channels=1, names=("gray",))
    np.testing.assert_array_equal(weights.weight[0, 0], [[0, 0, 0], [1, 2, 3], [0, 0, 0]])
    np.testing.assert_array_equal(weights.weight[1, 0], [[1, 2, 0], [3, 4, 0], [0, 0, 0]])
    assert any("enlarged to 3x3 with zeros all around" in remark for remark in remarks)


def test_a_divided_kernel_is_rounded_once():
    _, weights, _ = built("1 2 1; 2 4 2; 1 2 1 / 10", channels=1, names=("gray",))
    assert weights.weight[0, 0, 0, 0] == np.float32(0.1)


def test_flipping_turns_every_kernel_half_round():
    _, weights, _ = built("1 2 3; 4 5 6", channels=1, names=("gray",), flip=True)
    np.testing.assert_array_equal(weights.weight[0, 0], [[6, 5, 4], [3, 2, 1]])


def test_a_file_of_one_filter_has_a_kernel_for_every_plane(tmp_path):
    path = tmp_path / "filter.json"
    path.write_text(json.dumps([[[1, 0]], [[0, 2]], [[3, 3]]]))
    layer, weights, _ = built(str(path))
    assert layer.weight_shape == (1, 3, 1, 2)
    np.testing.assert_array_equal(weights.weight[0], [[[1, 0]], [[0, 2]], [[3, 3]]])


def test_a_file_of_weights_brings_its_bias_along(tmp_path):
    path = tmp_path / "layer.npz"
    weight = np.arange(2 * 3 * 2 * 2, dtype=np.float32).reshape(2, 3, 2, 2)
    np.savez(path, weight=weight, bias=np.array([0.5, -0.5], np.float32))
    layer, weights, remarks = built(str(path))
    np.testing.assert_array_equal(weights.weight, weight)
    np.testing.assert_array_equal(weights.bias, [0.5, -0.5])
    assert layer.bias
    assert any("bias" in remark for remark in remarks)


def test_an_archive_without_a_weight_lists_what_it_holds(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, first=np.zeros(3), second=np.zeros(3))
    with pytest.raises(InputError, match="no array named 'weight'; it holds first, second"):
        built(str(path))


@pytest.mark.parametrize(
    ("kernels", "settings", "message"),
    [
        pytest.param(("sobel-x@3",), {}, "no alpha channel, only R, G and B", id="no alpha"),
        pytest.param(("sobel-x@4",), {}, "no channel 4; the input has 3", id="a channel that is not there"),
        pytest.param(("sobel-x@R",), {"groups": 3}, "needs groups to be 1", id="a channel and groups"),
    ],
)
def test_a_channel_that_cannot_be_read_is_refused(kernels, settings, message):
    with pytest.raises(SpecError, match=message):
        built(*kernels, **settings)


def test_typed_kernels_for_other_channels_are_refused():
    with pytest.raises(
        SpecError, match=r"'w' has kernels for 2 channels, but a filter of this layer reads 3"
    ):
        filters.build(LayerSettings(kernel=(parse_request("w=1 | 2"),)), 3)


def test_kernels_for_other_planes_are_refused(tmp_path):
    path = tmp_path / "two.json"
    path.write_text(json.dumps([[[1]], [[1]]]))
    with pytest.raises(SpecError, match="kernels for 2 channels, but a filter of this layer reads 3"):
        built(str(path))


@pytest.mark.parametrize(
    ("weight", "bias", "names", "message"),
    [
        pytest.param(np.zeros((1, 1, 1, 1)), None, ("a",), "float32", id="double precision"),
        pytest.param(np.zeros((1, 1, 1), "f"), None, ("a",), r"\(O, I/groups, kh, kw\)", id="three axes"),
        pytest.param(
            np.zeros((1, 1, 1, 1), "f"), np.zeros(2, "f"), ("a",), "one number per map", id="two biases"
        ),
        pytest.param(np.zeros((1, 1, 1, 1), "f"), None, (), "0 names for 1 filter;", id="no name"),
        pytest.param(
            np.full((1, 1, 1, 1), np.nan, "f"),
            None,
            ("a",),
            r"weight\[0, 0, 0, 0\] is not",
            id="not a number",
        ),
    ],
)
def test_a_bank_that_contradicts_itself_cannot_be_made(weight, bias, names, message):
    with pytest.raises(SpecError, match=message):
        weights.LayerWeights(weight, bias, names)


def test_a_bank_for_another_layer_is_refused():
    with pytest.raises(SpecError, match=r"has a weight of shape \(6, 3, 3, 3\)"):
        weights.LayerWeights.of(Conv2d(3, 6, 3), np.zeros((6, 1, 3, 3)), np.zeros(6))
    with pytest.raises(SpecError, match="has a bias; give one"):
        weights.LayerWeights.of(Conv2d(3, 6, 3), np.zeros((6, 3, 3, 3)))
