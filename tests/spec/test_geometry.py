"""Window arithmetic against its definition: count the windows one by one."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convviz.errors import ShapeError, SpecError
from convviz.spec.geometry import HW, Axis, Edges, output_length, padding_shares, same_padding, source_of

lengths = st.integers(1, 40)
taps = st.integers(1, 7)
steps = st.integers(1, 5)
borders = st.integers(0, 6)


def windows_counted_one_by_one(n, k, stride, before, after, dilation):
    """Slide a window over the padded pixels and list where it fits."""
    padded = list(range(n + before + after))
    starts = []
    for start in range(0, len(padded), stride):
        if start + dilation * (k - 1) < len(padded):
            starts.append(start)
    return starts


@given(lengths, taps, steps, borders, borders, steps)
def test_the_output_length_is_the_number_of_windows_that_fit(n, k, stride, before, after, dilation):
    starts = windows_counted_one_by_one(n, k, stride, before, after, dilation)
    if not starts:
        with pytest.raises(ShapeError, match="spans"):
            output_length(n, k, stride=stride, before=before, after=after, dilation=dilation)
        return
    axis = Axis(n, k, stride, dilation, before, after)
    assert axis.output == len(starts)
    read = {start + tap * dilation - before for start in starts for tap in range(k)}
    assert axis.skipped == tuple(pixel for pixel in range(n) if pixel not in read)
    last = starts[-1] + dilation * (k - 1)
    assert axis.unread == n + before + after - 1 - last


def test_an_input_before_which_the_last_window_ends_is_read_by_none():
    """With four pixels of padding before one of input, the only window of three reads padding alone."""
    assert Axis(1, 3, 3, 1, 4, 0).skipped == (0,)
    assert Axis(2, 3, 3, 1, 7, 0).skipped == ()
    assert Axis(3, 2, 2, 1, 5, 0).skipped == ()
    assert Axis(2, 4, 4, 1, 5, 0).skipped == (0, 1)


@pytest.mark.parametrize(
    ("n", "k", "stride", "padding", "dilation", "expected"),
    [
        pytest.param(4, 3, 1, 0, 1, 2, id="no padding, unit strides"),
        pytest.param(5, 4, 1, 2, 1, 6, id="arbitrary padding, unit strides"),
        pytest.param(5, 3, 1, 1, 1, 5, id="half padding, unit strides"),
        pytest.param(5, 3, 1, 2, 1, 7, id="full padding, unit strides"),
        pytest.param(5, 3, 2, 0, 1, 2, id="no padding, strides"),
        pytest.param(5, 3, 2, 1, 1, 3, id="padding, strides"),
        pytest.param(6, 3, 2, 1, 1, 3, id="padding, strides, one column left over"),
        pytest.param(7, 3, 1, 0, 2, 3, id="no padding, dilation"),
        pytest.param(227, 11, 4, 0, 1, 55, id="first layer of AlexNet"),
    ],
)
def test_the_worked_cases_of_the_convolution_guide(n, k, stride, padding, dilation, expected):
    """The eight direct cases of Dumoulin and Visin (2016), whose sizes the captions of the guide state."""
    assert output_length(n, k, stride=stride, before=padding, after=padding, dilation=dilation) == expected


@pytest.mark.parametrize(
    ("n", "k", "dilation", "padding", "remedy"),
    [
        pytest.param(4, 3, 2, 1, "a dilation of at most 1", id="one pixel is missing"),
        pytest.param(4, 5, 1, 1, "a kernel size of at most 4", id="smaller kernel"),
        pytest.param(4, 3, 9, 8, "a dilation of at most 1", id="less dilation"),
        pytest.param(7, 9, 2, 5, "a kernel size of at most 4", id="no dilation lets this kernel fit"),
        pytest.param(20, 600, 1, 290, "a kernel size of at most 20", id="both sides share what is missing"),
    ],
)
def test_the_remedy_for_a_long_window_is_the_smallest_change(n, k, dilation, padding, remedy):
    """A kernel of size 4 with dilation 2 spans 7 pixels; the padding is half of what the span exceeds."""
    words = (
        f"spans {dilation * (k - 1) + 1} pixels, .* only {n} .* at least {padding} on each side, or {remedy}"
    )
    with pytest.raises(ShapeError, match=words):
        output_length(n, k, dilation=dilation)


@given(lengths, taps, steps, borders, borders)
def test_each_remedy_for_a_long_window_works_and_one_less_does_not(n, k, dilation, before, after):
    def fits(**changed):
        found = {"k": k, "dilation": dilation, "before": before, "after": after} | changed
        return len(windows_counted_one_by_one(n, stride=1, **found)) > 0

    if fits():
        return
    with pytest.raises(ShapeError) as refused:
        output_length(n, k, dilation=dilation, before=before, after=after)
    words = r"padding of at least (\d+) on each side, or a (kernel size|dilation) of at most (\d+)"
    padding, what, most = re.search(words, str(refused.value)).groups()
    name = {"kernel size": "k"}.get(what, what)
    for less in (0, 1):
        assert fits(before=int(padding) - less, after=int(padding) - less) == (not less)
        assert fits(**{name: int(most) + less}) == (not less)


@given(lengths, taps, steps, steps)
def test_same_padding_gives_one_window_per_stride(n, k, stride, dilation):
    before, after = same_padding(n, k, stride=stride, dilation=dilation)
    assert 0 <= after - before <= 1
    assert output_length(n, k, stride=stride, before=before, after=after, dilation=dilation) == -(
        -n // stride
    )


def test_same_padding_is_never_more_than_it_needs():
    """Six pixels, windows of three, stride two: windows at 0, 2, 4 of which the last lacks one pixel."""
    assert same_padding(6, 3, stride=2) == (0, 1)


def test_a_pair_is_height_before_width():
    assert tuple(HW.of((3, 5))) == (3, 5)
    assert str(HW.of((3, 5))) == "3x5"
    assert HW.of(4) == HW(4, 4)


@pytest.mark.parametrize("value", [True, 1.5, "3", (1,), (1, 2, 3), (1, 2.0), None])
def test_what_is_no_pair_of_whole_numbers_is_refused(value):
    with pytest.raises(SpecError, match="whole number or a pair"):
        HW.of(value)


def test_negative_padding_names_the_side():
    with pytest.raises(SpecError, match="left is -2"):
        Edges(0, 0, -2, 0)


def test_edges_grow_a_size_on_all_sides():
    assert Edges(1, 2, 3, 4).around(HW(10, 20)) == HW(13, 27)


@given(lengths, taps, steps, borders, borders, steps)
def test_what_a_window_reads_and_who_reads_a_pixel_are_one_relation(n, k, stride, before, after, dilation):
    try:
        axis = Axis(n, k, stride, dilation, before, after)
    except ShapeError:
        return
    read = {
        (window, tap, index) for window in range(axis.output) for tap, index in enumerate(axis.reads(window))
    }
    back = {(window, tap, pixel) for pixel in range(n) for window, tap in axis.read_by(pixel)}
    assert back == {triple for triple in read if 0 <= triple[2] < n}
    assert axis.met == len(back)
    # By definition: slide over an array that is 1 in the padding.
    padded = np.pad(np.zeros(n, int), (before, after), constant_values=1)
    touched = [
        padded[w * stride : w * stride + dilation * (k - 1) + 1 : dilation].any() for w in range(axis.output)
    ]
    assert axis.clean == touched.count(False)


@pytest.mark.parametrize(
    ("mode", "name"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
@given(n=st.integers(2, 9), before=st.integers(0, 8), after=st.integers(0, 8))
def test_a_padding_cell_copies_the_pixel_that_numpy_puts_there(mode, name, n, before, after):
    before, after = min(before, n - 1), min(after, n - 1)
    padded = np.pad(np.arange(n), (before, after), mode=name)
    assert [source_of(index - before, n, mode) for index in range(n + before + after)] == padded.tolist()


def test_the_shares_of_padding_are_counted_by_hand():
    """2x2 windows on 2x2 pixels and a row above: one of two windows meets padding, with half of it."""
    outputs, products = padding_shares(Axis(2, 2, 1, 1, 1, 0), Axis(2, 2, 1, 1, 0, 0))
    assert (outputs, products) == (1 / 2, 1 / 4)


def test_an_empty_axis_is_refused_in_words():
    with pytest.raises(ShapeError, match="a kernel of size 1 spans 1 pixel, but the padded input has only 0"):
        output_length(0, 1)
