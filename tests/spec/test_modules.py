"""The layers beside Conv2d tell what torch's modules do: shape, parameters, and how they print."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convviz.errors import ShapeError, SpecError
from convviz.spec import layers

sides = st.tuples(st.integers(1, 9), st.integers(1, 9))
numbers = st.integers(1, 4) | st.tuples(st.integers(1, 4), st.integers(1, 4))
edges = st.integers(0, 2) | st.tuples(st.integers(0, 2), st.integers(0, 2))


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def agree(layer, module, shape):
    """Hold a layer to a module of torch: both refuse, or both give the same."""
    try:
        with torch.no_grad():
            expected = tuple(module.eval()(torch.zeros(1, *shape)).shape[1:])
    except RuntimeError:
        expected = (0,)
    if 0 in expected:  # which torch takes for a shape
        with pytest.raises((ShapeError, SpecError)):
            layer.output_shape(shape)
        return
    assert layer.output_shape(shape) == expected
    assert layer.parameters == parameters(module)
    assert repr(layer) == repr(module)


@settings(max_examples=200)
@given(sides, numbers, numbers | st.none(), edges, numbers, st.booleans())
def test_max_pooling(size, kernel, stride, padding, dilation, ceil_mode):
    theirs = torch.nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    try:
        ours = layers.MaxPool2d(kernel, stride, padding, dilation, ceil_mode)
    except SpecError:
        with pytest.raises(RuntimeError, match="pad"):
            theirs(torch.zeros(1, 2, *size))
        return
    same = repr(ours)
    try:
        expected = tuple(theirs(torch.zeros(1, 2, *size)).shape[1:])
    except RuntimeError:
        with pytest.raises(ShapeError):
            ours.output_shape((2, *size))
        return
    assert ours.output_shape((2, *size)) == expected
    if all(isinstance(value, int) for value in (kernel, stride or kernel, padding, dilation)):
        assert same == repr(theirs)


@settings(max_examples=200)
@given(sides, numbers, numbers | st.none(), edges, st.booleans(), st.booleans())
def test_mean_pooling(size, kernel, stride, padding, ceil_mode, include):
    theirs = torch.nn.AvgPool2d(kernel, stride, padding, ceil_mode, include)
    try:
        ours = layers.AvgPool2d(kernel, stride, padding, ceil_mode, include)
    except SpecError:
        with pytest.raises(RuntimeError, match="pad"):
            theirs(torch.zeros(1, 2, *size))
        return
    try:
        expected = tuple(theirs(torch.zeros(1, 2, *size)).shape[1:])
    except RuntimeError:
        with pytest.raises(ShapeError):
            ours.output_shape((2, *size))
        return
    assert ours.output_shape((2, *size)) == expected


@settings(max_examples=200)
@given(st.data(), sides, numbers, numbers, edges, edges, numbers, st.sampled_from([1, 2]), st.booleans())
def test_transposed_convolution(data, size, kernel, stride, padding, added, dilation, groups, bias):
    arguments = (2, 4, kernel, stride, padding, added, groups, bias, dilation)
    theirs = torch.nn.ConvTranspose2d(*arguments)
    try:
        ours = layers.ConvTranspose2d(*arguments)
    except SpecError:
        with pytest.raises(RuntimeError, match="output padding"):
            theirs(torch.zeros(1, 2, *size))
        return
    agree(ours, theirs, (2, *size))


def test_the_multiply_adds_of_transposed_convolution_are_those_of_its_convolution():
    """Each of 2 x 5 x 6 pixels meets 3 x 3 weights for every one of 4 maps; in two groups, for 2 of them."""
    layer = layers.ConvTranspose2d(2, 4, 3, stride=2)
    assert layer.macs((2, 5, 6)) == 2 * 5 * 6 * 9 * 4
    assert layers.ConvTranspose2d(2, 4, 3, stride=2, groups=2).macs((2, 5, 6)) == 2 * 5 * 6 * 9 * 2


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (layers.AdaptiveAvgPool2d(3), torch.nn.AdaptiveAvgPool2d(3), (2, 7, 5)),
        (layers.AdaptiveAvgPool2d((2, 9)), torch.nn.AdaptiveAvgPool2d((2, 9)), (2, 7, 5)),
        (layers.ReLU(), torch.nn.ReLU(), (2, 3, 4)),
        (layers.SiLU(), torch.nn.SiLU(), (5,)),
        (layers.Sigmoid(), torch.nn.Sigmoid(), (5,)),
        (layers.LeakyReLU(), torch.nn.LeakyReLU(), (2, 3, 4)),
        (layers.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2), (2, 3, 4)),
        (layers.Softmax(1), torch.nn.Softmax(1), (7,)),
        (layers.Linear(7, 3), torch.nn.Linear(7, 3), (7,)),
        (layers.Linear(7, 3, False), torch.nn.Linear(7, 3, False), (7,)),
        (layers.Linear(7, 3), torch.nn.Linear(7, 3), (8,)),
        (layers.ConvTranspose2d(2, 3, 3), torch.nn.ConvTranspose2d(2, 3, 3), (3, 5, 5)),
    ],
    ids=repr,
)
def test_the_other_layers(ours, theirs, shape):
    agree(ours, theirs, shape)


def test_what_torch_prints_otherwise_has_the_same_shapes_and_parameters():
    """torch prints settings of training there that do nothing here."""
    for ours, theirs, shape in (
        (layers.BatchNorm2d(4), torch.nn.BatchNorm2d(4), (4, 3, 2)),
        (layers.BatchNorm2d(4, affine=False), torch.nn.BatchNorm2d(4, affine=False), (4, 3, 2)),
        (layers.Flatten(), torch.nn.Flatten(), (4, 3, 2)),
        (layers.Dropout(0.3), torch.nn.Dropout(0.3), (5,)),
    ):
        assert ours.output_shape(shape) == tuple(theirs.eval()(torch.zeros(1, *shape)).shape[1:])
        assert ours.parameters == parameters(theirs)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: layers.MaxPool2d(0), "kernel_size must be at least 1"),
        (lambda: layers.MaxPool2d(3, padding=2), "padding must be at most half of the window 3x3, not 2x2"),
        (lambda: layers.BatchNorm2d(0), "num_features must be a whole number of at least 1"),
        (lambda: layers.BatchNorm2d(2, eps=math.nan), "eps must be a finite number"),
        (lambda: layers.Linear(2, -1), "out_features must be a whole number of at least 1"),
        (lambda: layers.ConvTranspose2d(2, 4, 3, 2, 0, 2), "output_padding must be smaller"),
        (lambda: layers.ConvTranspose2d(3, 4, 3, groups=2), "groups must divide in_channels"),
    ],
)
def test_arguments_that_no_input_makes_legal_are_refused(build, message):
    with pytest.raises(SpecError, match=message):
        build()
