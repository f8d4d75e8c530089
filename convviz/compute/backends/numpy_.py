"""Cross-correlation as matrix products over windows that overlap in memory."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from convviz.images.finite import all_finite
from convviz.machine import parallel
from convviz.spec.geometry import HW
from convviz.typing import Floats

# One band of rows is laid out at a time; this many bytes stay in a second-level cache with the result.
_BAND_BYTES = 1 << 20

# A second thread pays from this many MACs on: about 0.4 ms of work, measured on two cores in 2026.
_MACS_TO_SHARE = 1.2e7

# What a product does in a nanosecond, in MACs, by the rows of its left matrix: measured with
# OpenBLAS and AVX2 in 2026 on 576 columns by 512. One row is a product with a vector; from 32 rows on
# there is no more to gain.
_MACS_PER_NS = {1: 20, 2: 10, 3: 9, 4: 24, 6: 21, 8: 34, 12: 41, 16: 43, 24: 47, 32: 48}
# What an output value costs that goes through a block of its own, in nanoseconds.
_COPY_NS = 0.5


class _Band(NamedTuple):
    """Some output rows of some groups: what to read, what to multiply with, where to write."""

    x: Floats  # (groups, C / groups, H, W)
    matrix: Floats  # (groups, 1, filters of a group times rows at once, taps)
    out: Floats  # (groups, filters of a group, rows, W')


def cross_correlate(
    x: Floats, weight: Floats, *, stride: HW, dilation: HW, groups: int, device: str = "cpu"
) -> Floats:
    """Cross-correlate a padded input with filters.

    Parameters
    ----------
    x : ndarray, shape (C, H, W), float32
        The input, padded already.
    weight : ndarray, shape (O, C / groups, kh, kw), float32
        The filters.
    stride, dilation : HW
        Pixels between neighbouring windows, and between neighbouring taps.
    groups : int
        Parts into which channels and filters are split.
    device : str
        Always "cpu".

    Returns
    -------
    ndarray, shape (O, H', W'), float32
        The feature maps, without bias.

    Notes
    -----
    For every output row, the columns of windows are a matrix of shape (kh * kw * C,
    W'). A buffer laid out (row, kernel column, channel, output column) holds all
    of these matrices as overlapping views, so that each input row is copied kw
    times and not kh * kw times.

    A product with few rows on the left is slow, so several output rows are made by
    one: the filters stand below each other once more, one stride lower, with
    zeros round them. Bands of rows go to the threads of `convviz.machine.parallel`.

    Examples
    --------
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    >>> cross_correlate(x, np.ones((1, 1, 2, 2), np.float32), stride=HW(1, 1), dilation=HW(1, 1), groups=1)[0]
    array([[ 8., 12.],
           [20., 24.]], dtype=float32)
    """
    filters, channels, kh, kw = weight.shape
    h = (x.shape[1] - dilation.h * (kh - 1) - 1) // stride.h + 1
    w = (x.shape[2] - dilation.w * (kw - 1) - 1) // stride.w + 1
    out = np.empty((filters, h, w), np.float32)
    # Output rows whose windows start at the same remainder by the dilation read only input rows of that
    # remainder: taken apart, each part is a layer without dilation along the height.
    shared = math.gcd(stride.h, dilation.h)
    step = HW(stride.h // shared, stride.w)
    parts = dilation.h // shared

    at_once = _rows_at_once(filters // groups, channels, HW(kh, kw), stride=step.h)
    if at_once > 1 and not all_finite(x):
        at_once = 1  # a zero below or above the filter would make a NaN of what is not its own
    matrix = _stacked(weight.reshape(groups, -1, channels, kh, kw), at_once, step.h)
    x, out = x.reshape(groups, channels, *x.shape[1:]), out.reshape(groups, -1, h, w)

    share = h * w * weight.size >= _MACS_TO_SHARE and parallel.threads() > 1
    bands = []
    together, rows = _band_size(groups, channels * kw * w * x.itemsize, kh, stride=step.h)
    for first in range(min(parts, h)):
        start = first * stride.h
        lines = x[:, :, start % dilation.h :: dilation.h][:, :, start // dilation.h :]
        maps = out[:, :, first::parts]
        height = maps.shape[2]
        each = min(rows, -(-height // (2 * parallel.threads()))) if share else rows
        each = -(-each // at_once) * at_once
        for low in range(0, groups, together):
            some = slice(low, low + together)
            for top in range(0, height, each):
                part = maps[some, :, top : top + each]
                read = slice(top * step.h, (top + part.shape[2] - 1) * step.h + kh)
                bands.append(_Band(lines[some, :, read], matrix[some], part))

    def work(mine: Iterator[_Band]) -> None:
        buffer = np.empty(0, np.float32)
        # As in torch, what float32 cannot hold becomes infinite without a word.
        with np.errstate(over="ignore", invalid="ignore"):
            for band in mine:
                buffer = _fill(band, HW(kh, kw), step, dilation_w=dilation.w, at_once=at_once, buffer=buffer)

    if share:
        parallel.share(bands, work)
    else:
        work(iter(bands))
    return out.reshape(filters, h, w)


def _rows_at_once(filters: int, channels: int, kernel: HW, *, stride: int) -> int:
    """Choose how many output rows one product makes, by what an output value would cost in nanoseconds."""

    def cost(rows: int) -> float:
        height = filters * rows
        rate = _MACS_PER_NS[max(known for known in _MACS_PER_NS if known <= height)]
        taps = channels * kernel.w * (kernel.h + (rows - 1) * stride)
        return taps / rate + (_COPY_NS if rows > 1 else 0)

    return min((1, 2, 3, 4, 6, 8), key=cost)


def _stacked(weight: Floats, at_once: int, stride: int) -> Floats:
    """Make the left matrices (groups, 1, at_once * filters, taps) of filters (groups, filters, C, kh, kw)."""
    groups, filters, channels, kh, kw = weight.shape
    tall = kh + (at_once - 1) * stride
    matrix = np.zeros((groups, at_once, filters, tall, kw, channels), np.float32)
    for row in range(at_once):
        matrix[:, row, :, row * stride : row * stride + kh] = weight.transpose(0, 1, 3, 4, 2)
    return matrix.reshape(groups, 1, at_once * filters, tall * kw * channels)


def _band_size(groups: int, row_bytes: int, kh: int, *, stride: int) -> tuple[int, int]:
    """Choose how many groups and output rows are laid out together: all groups, where 8 rows of them fit."""
    together = max(1, min(groups, _BAND_BYTES // (row_bytes * (kh + 7 * stride))))
    return together, max(1, (_BAND_BYTES // (row_bytes * together) - kh) // stride + 1)


def _fill(band: _Band, kernel: HW, stride: HW, *, dilation_w: int, at_once: int, buffer: Floats) -> Floats:
    """Compute the output rows of a band; gives the buffer for the next one."""
    groups, channels, _, _ = band.x.shape
    filters, rows, w = band.out.shape[1:]
    products = -(-rows // at_once)
    read = (rows - 1) * stride.h + kernel.h
    need = (products * at_once - 1) * stride.h + kernel.h
    shape = (groups, need, kernel.w, channels, w)
    if buffer.size < math.prod(shape):
        buffer = np.empty(math.prod(shape), np.float32)
    laid = buffer[: math.prod(shape)].reshape(shape)
    by_group, by_channel, by_row, by_column = band.x.strides
    laid[:, :read] = as_strided(
        band.x,
        (groups, read, kernel.w, channels, w),
        (by_group, by_row, by_column * dilation_w, by_channel, by_column * stride.w),
        writeable=False,
    )
    laid[:, read:] = 0
    taps = band.matrix.shape[3]
    windows = as_strided(
        laid,
        (groups, products, taps, w),
        (laid.strides[0], at_once * stride.h * laid.strides[1], laid.strides[3], laid.strides[4]),
        writeable=False,
    )
    if at_once == 1:
        np.matmul(band.matrix, windows, out=band.out.swapaxes(1, 2))
        return buffer
    made = np.matmul(band.matrix, windows).reshape(groups, products * at_once, filters, w)
    band.out[:] = made[:, :rows].swapaxes(1, 2)
    return buffer
