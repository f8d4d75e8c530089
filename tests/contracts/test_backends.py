"""What every backend must do, by definition, by hand and against torch."""

import importlib.util
import itertools
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import convviz
from convviz.compute import backends
from convviz.compute.backends import numpy_, torch_
from convviz.errors import BackendError, ShapeError, UnknownNameError
from convviz.machine import parallel
from convviz.spec.geometry import HW


@pytest.fixture(params=backends.names())
def backend(request):
    return request.param


def by_loops(x, weight, stride, dilation, groups):
    """Add up the products of every window, one after the other, in float64."""
    filters, channels, kh, kw = weight.shape
    h = (x.shape[1] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    w = (x.shape[2] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((filters, h, w))
    for o, i, r, c in itertools.product(range(filters), range(channels), range(kh), range(kw)):
        channel = x[o // (filters // groups) * channels + i].astype(np.float64)
        for y, z in itertools.product(range(h), range(w)):
            out[o, y, z] += (
                channel[y * stride[0] + r * dilation[0], z * stride[1] + c * dilation[1]] * weight[o, i, r, c]
            )
    return out


def test_an_impulse_draws_the_kernel_turned_half_round(backend):
    """Cross-correlation of an impulse is the kernel rotated by 180 degrees; true convolution is not."""
    x = np.zeros((1, 5, 5), np.float32)
    x[0, 2, 2] = 1
    weight = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    y = convviz.conv2d(x, weight, backend=backend)
    np.testing.assert_array_equal(y[0], [[9, 8, 7], [6, 5, 4], [3, 2, 1]])


CLASSIC = np.array([[[1, 1, 1]] * 3, [[0, 1, 0]] * 3, [[1, 0, 1]] * 3], np.float32)


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        pytest.param(0, [[18]], id="nine ones, three and six add up to eighteen"),
        # The channels add up to columns 2 2 2; a window of 2x2 has 4 of them, of 2x3 has 6, of 3x3 has 9.
        pytest.param(1, [[8, 12, 8], [12, 18, 12], [8, 12, 8]], id="padding of one keeps the size"),
        pytest.param(
            2,
            [[2, 4, 6, 4, 2], [4, 8, 12, 8, 4], [6, 12, 18, 12, 6], [4, 8, 12, 8, 4], [2, 4, 6, 4, 2]],
            id="padding of two sees every pixel nine times",
        ),
    ],
)
def test_the_classic_numbers_under_a_filter_of_ones(backend, padding, expected):
    """R is all ones, the columns of G are 0 1 0, those of B 1 0 1: everywhere the channels add up to 2."""
    y = convviz.conv2d(CLASSIC, np.ones((1, 3, 3, 3)), padding=padding, backend=backend)
    np.testing.assert_array_equal(y[0], expected)


def test_a_bias_is_added_to_its_own_map(backend):
    y = convviz.conv2d(np.zeros((1, 2, 2)), np.ones((2, 1, 1, 1)), [0.5, -3], backend=backend)
    np.testing.assert_array_equal(y, [np.full((2, 2), 0.5), np.full((2, 2), -3)])


def test_groups_keep_planes_apart(backend):
    """Two groups of one channel: the first filter sees only ones, the second only twos."""
    x = np.stack([np.ones((3, 3)), np.full((3, 3), 2)])
    y = convviz.conv2d(x, np.ones((2, 1, 3, 3)), groups=2, backend=backend)
    np.testing.assert_array_equal(y.ravel(), [9, 18])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zeros", [0, 0, 1, 2, 3, 0]),
        ("reflect", [3, 2, 1, 2, 3, 2]),
        ("replicate", [1, 1, 1, 2, 3, 3]),
        ("circular", [2, 3, 1, 2, 3, 1]),
    ],
)
def test_the_border_holds_what_its_mode_says(backend, mode, expected):
    """An identity kernel on 1 2 3 with two pixels before and one after shows the padded row itself."""
    y = convviz.conv2d([[[1, 2, 3]]], [[[[1]]]], padding=((0, 0), (2, 1)), padding_mode=mode, backend=backend)
    np.testing.assert_array_equal(y[0, 0], expected)


def test_several_inputs_are_done_one_by_one(backend):
    x = np.arange(2 * 1 * 3 * 3, dtype=np.float32).reshape(2, 1, 3, 3)
    weight = np.ones((1, 1, 2, 2))
    y = convviz.conv2d(x, weight, backend=backend)
    assert y.shape == (2, 1, 2, 2)
    np.testing.assert_array_equal(y[1], convviz.conv2d(x[1], weight, backend=backend))


small = st.integers(1, 3)
pairs = st.tuples(small, small)


@st.composite
def layers(draw):
    """Any legal layer with an input of at least one window, and numbers for it."""
    groups, channels, filters = draw(small), draw(small), draw(small)
    kernel, stride, dilation = draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(pairs), draw(pairs)
    edges = draw(st.tuples(*[st.integers(0, 3)] * 4))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    size = [
        max(4, d * (k - 1) + 1) + draw(st.integers(0, 12))  # reflecting 3 pixels takes 4
        for k, d in zip(kernel, dilation, strict=True)
    ]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal((groups * channels, *size), np.float32)
    weight = rng.standard_normal((groups * filters, channels, *kernel), np.float32)
    bias = rng.standard_normal(groups * filters, np.float32) if draw(st.booleans()) else None
    return x, weight, bias, stride, dilation, groups, edges, mode


@settings(max_examples=300)
@given(layers())
def test_all_backends_equal_torch_in_double_precision_on_300_random_layers(case):
    """Within 1e-5 of the largest sum of products that the layer could have had."""
    x, weight, bias, stride, dilation, groups, (top, bottom, left, right), mode = case
    wide = torch.from_numpy(x).double()
    torch_mode = "constant" if mode == "zeros" else mode
    padded = torch.nn.functional.pad(wide[None], (left, right, top, bottom), mode=torch_mode)
    exact = torch.nn.functional.conv2d(
        padded,
        torch.from_numpy(weight).double(),
        None if bias is None else torch.from_numpy(bias).double(),
        stride,
        0,
        dilation,
        groups,
    )[0].numpy()
    largest = np.abs(weight).sum(axis=(1, 2, 3)).max() * np.abs(x).max() + 1
    for name in backends.names():
        ours = convviz.conv2d(
            x,
            weight,
            bias,
            stride=stride,
            padding=((top, bottom), (left, right)),
            dilation=dilation,
            groups=groups,
            padding_mode=mode,
            backend=name,
        )
        assert ours.dtype == np.float32
        assert ours.shape == exact.shape
        assert np.abs(ours - exact).max() <= 1e-5 * largest


@settings(max_examples=30)
@given(layers())
def test_the_numpy_backend_equals_plain_loops(case):
    x, weight, _, stride, dilation, groups, _, _ = case
    y = backends.load("numpy")(x, weight, stride=HW(*stride), dilation=HW(*dilation), groups=groups)
    np.testing.assert_allclose(y, by_loops(x, weight, stride, dilation, groups), rtol=0, atol=1e-4)


def test_a_map_of_several_bands_has_no_seam():
    """An output of 700 rows is computed in several bands; sums that rise row by row show a wrong one."""
    x = np.broadcast_to(np.arange(702, dtype=np.float32)[:, None], (1, 702, 402))
    y = backends.load("numpy")(
        x, np.ones((1, 1, 3, 3), np.float32), stride=HW(1, 1), dilation=HW(1, 1), groups=1
    )
    np.testing.assert_array_equal(y[0], np.broadcast_to(9 * np.arange(1, 701)[:, None], (700, 400)))


@pytest.mark.parametrize("stride", [(1, 1), (2, 3), (5, 1)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_kernel_of_one_value_weighs_the_channels(stride, threads, monkeypatch):
    """Several bands, four channels in two groups, a dilation without effect, and one infinity."""
    monkeypatch.setattr(parallel, "threads", lambda: threads)
    x = np.random.default_rng(4).normal(size=(4, 701, 403)).astype(np.float32)
    x[1, 10, 12] = np.inf
    weight = np.array([[1, 0.5], [-2, 3], [0.25, 1]], np.float32).repeat(2, axis=0).reshape(6, 2, 1, 1)
    y = numpy_.cross_correlate(x, weight, stride=HW(*stride), dilation=HW(3, 2), groups=2)
    read = x[:, :: stride[0], :: stride[1]].astype(np.float64)
    expected = [
        a * read[low] + b * read[low + 1]
        for low, pairs in ((0, [(1, 0.5), (1, 0.5), (-2, 3)]), (2, [(-2, 3), (0.25, 1), (0.25, 1)]))
        for a, b in pairs
    ]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_by_name_is_that_of_torch(backend, padding):
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal((2, 9, 8), np.float32), rng.standard_normal((3, 2, 4, 3), np.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Using padding='same' with even kernel lengths"
        )  # speed only
        theirs = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight), padding=padding)
    ours = convviz.conv2d(x, weight, padding=padding, backend=backend)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "weight", "message"),
    [
        pytest.param((4, 4), (1, 1, 3, 3), r"an input is \(C, H, W\)", id="no channels"),
        pytest.param((1, 4, 4), (1, 3, 3), r"a weight is \(O, C/groups, kh, kw\)", id="no filters"),
        pytest.param((2, 4, 4), (1, 3, 3, 3), "reads 3 channels.*has 2", id="other channels"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_their_shapes(x, weight, message):
    with pytest.raises(ShapeError, match=message):
        convviz.conv2d(np.zeros(x), np.zeros(weight))


def test_auto_takes_a_faster_backend_where_that_makes_up_for_its_import(monkeypatch):
    """One core: 0.02 less 0.011 ns per MAC saved; 0.3 s are made up for from 3.4e10 MACs on."""
    monkeypatch.setattr(parallel, "_limit", 1)
    assert backends.choose("auto", macs=33 * 10**9) == "numpy"
    assert backends.choose("auto", macs=34 * 10**9) == "onnxruntime"
    monkeypatch.setattr(parallel, "_limit", 2)
    assert backends.choose("auto", macs=34 * 10**9) == "numpy"


def test_auto_takes_torch_without_onnxruntime_where_that_makes_up_for_its_import(monkeypatch):
    """The same for 1.5 s: from 1.7e11 MACs on."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else find(name))
    monkeypatch.setattr(parallel, "_limit", 1)
    assert backends.choose("auto", macs=160 * 10**9) == "numpy"
    assert backends.choose("auto", macs=180 * 10**9) == "torch"
    monkeypatch.setattr(parallel, "_limit", 2)
    assert backends.choose("auto", macs=180 * 10**9) == "numpy"
    assert backends.choose("auto", macs=10**6) == "numpy"
    assert backends.choose("auto", macs=10**13) == "torch"
    assert backends.choose("auto", macs=1, device="cuda") == "torch"


def test_a_backend_that_is_not_there_is_named_with_its_remedy():
    with pytest.raises(UnknownNameError, match="no backend named 'nunpy'; did you mean 'numpy'"):
        backends.choose("nunpy", macs=1)
    with pytest.raises(BackendError, match="numpy backend does not run on cuda"):
        backends.choose("numpy", macs=1, device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without the device")
def test_a_device_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(BackendError, match="finds no cuda device here; it has: cpu"):
        backends.load("torch")(
            np.zeros((1, 2, 2), "f"),
            np.zeros((1, 1, 1, 1), "f"),
            stride=HW(1, 1),
            dilation=HW(1, 1),
            groups=1,
            device="cuda",
        )


def test_no_two_rows_of_the_table_share_a_name():
    assert len(set(backends.names())) == len(backends.BACKENDS)


@st.composite
def layers_of_many_rows(draw):
    """Padded inputs and filters of kinds for which the numpy backend has ways of its own."""
    groups, channels = draw(st.sampled_from([1, 1, 2, 5])), draw(st.integers(1, 4))
    filters = draw(st.sampled_from([1, 2, 3, 6, 9]))
    kh, kw = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    stride, dilation = (HW(*draw(st.tuples(st.integers(1, 4), st.integers(1, 3)))) for _ in range(2))
    height = dilation.h * (kh - 1) + 1 + draw(st.integers(0, 60))
    width = dilation.w * (kw - 1) + 1 + draw(st.integers(0, 9))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.standard_normal((groups * channels, height, width), np.float32)
    weight = rng.standard_normal((groups * filters, channels, kh, kw), np.float32)
    return x, weight, stride, dilation, groups


@settings(max_examples=150)
@given(layers_of_many_rows(), st.integers(1, 3), st.sampled_from([1, 3000, 1 << 20]))
def test_bands_threads_and_rows_at_once_change_no_value(case, threads, band):
    x, weight, stride, dilation, groups = case
    wide = torch.nn.functional.conv2d(
        torch.from_numpy(x).double()[None],
        torch.from_numpy(weight).double(),
        None,
        tuple(stride),
        0,
        tuple(dilation),
        groups,
    )[0].numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "_limit", threads)
        patch.setattr(numpy_, "_BAND_BYTES", band)
        patch.setattr(numpy_, "_MACS_TO_SHARE", 0)
        made = numpy_.cross_correlate(x, weight, stride=stride, dilation=dilation, groups=groups)
    largest = np.abs(weight).sum(axis=(1, 2, 3)).max() * np.abs(x).max()
    assert np.abs(made - wide).max() <= 2e-6 * largest


@settings(max_examples=60)
@given(layers_of_many_rows())
def test_bands_change_no_value_of_torch(case):
    x, weight, stride, dilation, groups = case
    whole = torch.nn.functional.conv2d(
        torch.from_numpy(x), torch.from_numpy(weight), None, tuple(stride), 0, tuple(dilation), groups
    ).numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_, "_BAND_VALUES", 1)
        made = torch_.cross_correlate(x, weight, stride=stride, dilation=dilation, groups=groups)
    assert made.shape == whole.shape
    np.testing.assert_allclose(made, whole, rtol=0, atol=1e-5 * np.abs(weight).sum() * np.abs(x).max())


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 6, 8])
def test_any_number_of_rows_at_once_makes_the_same_map(monkeypatch, rows):
    """Sums of small whole numbers are exact in any order, so equal means equal."""
    rng = np.random.default_rng(rows)
    x = rng.integers(-9, 9, (3, 45, 17)).astype(np.float32)
    weight = rng.integers(-9, 9, (4, 3, 5, 4)).astype(np.float32)
    monkeypatch.setattr(numpy_, "_rows_at_once", lambda *_, **__: rows)
    made = numpy_.cross_correlate(x, weight, stride=HW(2, 1), dilation=HW(3, 2), groups=1)
    np.testing.assert_array_equal(made, by_loops(x, weight, (2, 1), (3, 2), 1))


def test_infinity_stays_in_the_windows_that_hold_it():
    """Large kernels make several rows at once; zero times infinity must not reach the other rows."""
    x = np.zeros((3, 40, 20), np.float32)
    x[1, 20, 10] = np.inf
    weight = np.ones((6, 3, 11, 11), np.float32)
    for name in backends.names():
        made = backends.load(name)(x, weight, stride=HW(1, 1), dilation=HW(1, 1), groups=1)
        expected = np.zeros((6, 30, 10), np.float32)
        expected[:, 10:21, 0:10] = np.inf
        np.testing.assert_array_equal(made, expected)
