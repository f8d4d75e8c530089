"""Layers against torch's own modules."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convviz.errors import ShapeError, SpecError, UnknownNameError
from convviz.spec.geometry import HW, Edges
from convviz.spec.layers import Conv2d
from convviz.spec.settings import LayerSettings

small = st.integers(1, 4)
pairs = st.tuples(small, small)


@given(
    groups=st.integers(1, 3),
    channels=small,
    filters=small,
    kernel=pairs,
    stride=pairs,
    dilation=pairs,
    padding=st.one_of(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.just("valid")),
    bias=st.booleans(),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
)
def test_a_layer_prints_counts_and_measures_as_torch_does(
    groups, channels, filters, kernel, stride, dilation, padding, bias, mode
):
    arguments = (groups * channels, groups * filters, kernel, stride, padding, dilation, groups, bias, mode)
    ours, theirs = Conv2d(*arguments), torch.nn.Conv2d(*arguments)
    size = HW(14, 17)  # larger than the span of any kernel above
    assert repr(ours) == repr(theirs)
    assert ours.torch_repr(size) == repr(theirs)
    assert ours.weight_shape == tuple(theirs.weight.shape)
    assert ours.parameters == sum(p.numel() for p in theirs.parameters())
    out = theirs(torch.zeros(1, groups * channels, *size))
    assert (ours.out_channels, *ours.output_size(size)) == tuple(out.shape[1:])


@given(kernel=pairs, dilation=pairs)
def test_same_padding_at_stride_one_is_that_of_torch(kernel, dilation):
    ours = Conv2d(2, 2, kernel, padding="same", dilation=dilation)
    theirs = torch.nn.Conv2d(2, 2, kernel, padding="same", dilation=dilation)
    assert ours.torch_repr(HW(14, 17)) == repr(theirs)
    # torch keeps the resolved padding as (left, right, top, bottom).
    left, right, top, bottom = theirs._reversed_padding_repeated_twice
    assert ours.edges(HW(14, 17)) == Edges(top, bottom, left, right)


@pytest.mark.parametrize(
    ("size", "stride", "expected"),
    [
        pytest.param(7, 2, 4, id="odd size"),
        pytest.param(8, 2, 4, id="even size"),
        pytest.param(10, 3, 4, id="stride that does not divide"),
    ],
)
def test_same_padding_above_stride_one_gives_the_size_by_the_stride_rounded_up(size, stride, expected):
    layer = Conv2d(1, 1, 3, stride=stride, padding="same")
    assert layer.output_size(HW(size, size)) == HW(expected, expected)


def test_padding_that_torch_has_no_argument_for_is_printed_as_a_module_before_the_layer():
    text = Conv2d(1, 2, 3, padding=((1, 0), (2, 1)), padding_mode="reflect").torch_repr(HW(8, 8))
    pad, conv = torch.nn.ReflectionPad2d((2, 1, 1, 0)), torch.nn.Conv2d(1, 2, 3)
    assert text == repr(torch.nn.Sequential(pad, conv))


def test_filters_times_planes_are_the_kernels_and_filters_are_the_maps():
    """The question the tool exists for: 64 filters on RGB are 192 kernels and 64 maps."""
    assert Conv2d(3, 64, 3).sentence == (
        "64 filters x 3 channels = 192 two-dimensional kernels -> 64 feature maps"
    )
    assert Conv2d(3, 1, 3).sentence == "1 filter x 3 channels = 3 two-dimensional kernels -> 1 feature map"


def test_groups_say_what_a_filter_reads():
    assert "3 groups, each filter reads 1 of 3 channels" in Conv2d(3, 6, 3, groups=3).sentence


def test_the_first_layer_of_alexnet_has_its_known_numbers():
    """96 x 3 x 11 x 11 + 96 parameters; every weight is used at 55 x 55 positions."""
    layer = Conv2d(3, 96, 11, 4)
    assert layer.parameters == 34_944
    assert layer.output_size(HW(227, 227)) == HW(55, 55)
    assert layer.macs((3, 227, 227)) == 34_848 * 55 * 55


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"out_channels": 0}, "out_channels must be a whole number of at least 1", id="no filters"
        ),
        pytest.param({"in_channels": True}, "in_channels must be a whole number", id="a truth value"),
        pytest.param({"kernel_size": 0}, "kernel_size must be at least 1", id="no values"),
        pytest.param({"stride": (1, 0)}, "stride must be at least 1 on both axes, not 1x0", id="no stride"),
        pytest.param({"dilation": -1}, "dilation must be at least 1", id="negative dilation"),
        pytest.param({"padding": -1}, "padding must be at least 0", id="negative padding"),
        pytest.param({"padding": "full"}, "padding: expected", id="unknown padding"),
        pytest.param({"groups": 2}, "groups must divide in_channels, but 3 / 2 leaves 1", id="uneven groups"),
        pytest.param(
            {"groups": 3, "out_channels": 4}, "groups must divide out_channels", id="uneven filters"
        ),
    ],
)
def test_a_layer_that_torch_would_refuse_is_refused_with_the_numbers(arguments, message):
    legal = {"in_channels": 3, "out_channels": 6, "kernel_size": 3}
    with pytest.raises(SpecError, match=message):
        Conv2d(**{**legal, **arguments})


@pytest.mark.parametrize(
    ("channels", "filters", "legal"),
    [
        pytest.param(3, 3, "1, 3.", id="three of both"),
        pytest.param(3, 9, "1, 3.", id="nine is none, for it does not divide the channels"),
        pytest.param(None, 9, "1, 3, 9, where they divide the channels of the input too.", id="no input yet"),
    ],
)
def test_all_numbers_of_groups_are_listed_that_divide_the_channels_as_far_as_these_are_known(
    channels, filters, legal
):
    with pytest.raises(SpecError, match=f"valid values: {legal}$"):
        LayerSettings(out_channels=filters, groups=2).conv2d(channels)


def test_a_filter_reads_the_planes_of_its_own_group():
    """Two groups halve six channels and four filters: the first two filters read channels 0 to 2."""
    layer = Conv2d(6, 4, 3, groups=2)
    assert [list(layer.channels_of(index)) for index in range(4)] == 2 * [[0, 1, 2]] + 2 * [[3, 4, 5]]
    assert list(Conv2d(3, 6, 3).channels_of(5)) == [0, 1, 2]


def test_an_unknown_padding_mode_is_met_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'reflect'"):
        Conv2d(3, 6, 3, padding_mode="reflct")


@pytest.mark.parametrize(
    ("mode", "width", "legal"),
    [
        pytest.param("reflect", 4, 3, id="reflect leaves out the edge itself"),
        pytest.param("circular", 5, 4, id="circular takes every pixel once"),
    ],
)
def test_padding_beyond_the_pixels_there_are_names_the_largest_legal(mode, width, legal):
    with pytest.raises(ShapeError, match=f"width: {mode} padding of {width}.*at most {legal}"):
        Conv2d(1, 1, 3, padding=(0, width), padding_mode=mode).output_size(HW(9, 4))
    assert Conv2d(1, 1, 3, padding=(0, legal), padding_mode=mode).output_size(HW(9, 4)).w == 4 + 2 * legal - 2


def test_a_kernel_larger_than_the_input_names_the_axis():
    with pytest.raises(ShapeError, match="width: a kernel of size 5 spans 5 pixels"):
        Conv2d(1, 1, 5).output_size(HW(9, 4))
