"""Cross-correlate with matrix products over windows that overlap in memory."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from convviz.images.finite import all_finite
from convviz.machine import parallel
from convviz.spec.geometry import HW
from convviz.typing import Floats

# The bytes of one band of rows, which is laid out at a time; with the result it fits into a second-level
# cache.
_BAND_BYTES = 1 << 20

# A second thread pays off from this number of MACs: about 0.4 ms of work, measured on two cores in 2026.
_MACS_TO_SHARE = 1.2e7

# The MACs per nanosecond of a product, by the rows of its left matrix: measured with OpenBLAS and AVX2
# in 2026 on 576 columns by 512. One row is a product with a vector; more than 32 rows bring no further
# gain.
_MACS_PER_NS = {1: 20, 2: 10, 3: 9, 4: 24, 6: 21, 8: 34, 12: 41, 16: 43, 24: 47, 32: 48}
# The extra nanoseconds of an output value that passes through a separate block.
_COPY_NS = 0.5


class _Band(NamedTuple):
    """Some output rows of some groups: the input, the left matrix and the output."""

    x: Floats  # (groups, C / groups, H, W)
    matrix: Floats  # (groups, 1, filters of a group times rows at once, kernel values)
    out: Floats  # (groups, filters of a group, rows, W')


def cross_correlate(
    x: Floats, weight: Floats, *, stride: HW, dilation: HW, groups: int, device: str = "cpu"
) -> Floats:
    """Cross-correlate a padded input with filters.

    Parameters
    ----------
    x : ndarray, shape (C, H, W), float32
        The padded input.
    weight : ndarray, shape (O, C / groups, kh, kw), float32
        The filters.
    stride, dilation : HW
        The distances in pixels between neighbouring windows, and between neighbouring kernel values.
    groups : int
        The number of groups into which channels and filters are split.
    device : str
        Always "cpu".

    Returns
    -------
    ndarray, shape (O, H', W'), float32
        The feature maps, without bias.

    Notes
    -----
    For every output row, the windows are the columns of a matrix of shape (kh * kw * C, W').
    A buffer with the layout (row, kernel column, channel, output column) holds all these
    matrices as overlapping views, so each input row is copied kw times, not kh * kw times.

    A product with few rows in the left matrix is slow, so one product makes several output
    rows: the matrix repeats the filters, each time one stride lower, with zeros around them.
    A kernel of 1x1 reads the input where it is: its windows need no layout.
    The threads of `convviz.machine.parallel` share the bands of rows.

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
    # Output rows whose windows start at the same remainder modulo the dilation read only input rows of that
    # remainder: for each remainder, the layer has no dilation along the height.
    single = kh == kw == 1
    dilation = HW(1, 1) if single else dilation
    shared = math.gcd(stride.h, dilation.h)
    step = HW(stride.h // shared, stride.w)
    parts = dilation.h // shared

    at_once = 1 if single else _rows_at_once(filters // groups, channels, HW(kh, kw), stride=step.h)
    if at_once > 1 and not all_finite(x):
        at_once = 1  # zero times an infinity outside the window would be NaN
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
        # The last bits of a product may depend on its width, so that of a 1x1 kernel ignores the threads.
        each = min(rows, -(-height // (2 * parallel.threads()))) if share and not single else rows
        each = -(-each // at_once) * at_once
        for low in range(0, groups, together):
            some = slice(low, low + together)
            for top in range(0, height, each):
                part = maps[some, :, top : top + each]
                read = slice(top * step.h, (top + part.shape[2] - 1) * step.h + kh)
                bands.append(_Band(lines[some, :, read], matrix[some], part))

    def work(mine: Iterator[_Band]) -> None:
        buffer = np.empty(0, np.float32)
        # As in torch, a value too large for float32 becomes infinite silently.
        with np.errstate(over="ignore", invalid="ignore"):
            for band in mine:
                if single:
                    _weigh(band, step)
                    continue
                buffer = _fill(band, HW(kh, kw), step, dilation_w=dilation.w, at_once=at_once, buffer=buffer)

    if share:
        parallel.share(bands, work)
    else:
        work(iter(bands))
    return out.reshape(filters, h, w)


def _rows_at_once(filters: int, channels: int, kernel: HW, *, stride: int) -> int:
    """Choose how many output rows one product makes, by the cost of an output value in nanoseconds."""

    def cost(rows: int) -> float:
        height = filters * rows
        rate = _MACS_PER_NS[max(known for known in _MACS_PER_NS if known <= height)]
        taps = channels * kernel.w * (kernel.h + (rows - 1) * stride)
        return taps / rate + (_COPY_NS if rows > 1 else 0)

    return min((1, 2, 3, 4, 6, 8), key=cost)


def _stacked(weight: Floats, at_once: int, stride: int) -> Floats:
    """Make left matrices (groups, 1, at_once * filters, values) from filters (groups, filters, C, kh, kw)."""
    groups, filters, channels, kh, kw = weight.shape
    tall = kh + (at_once - 1) * stride
    matrix = np.zeros((groups, at_once, filters, tall, kw, channels), np.float32)
    for row in range(at_once):
        matrix[:, row, :, row * stride : row * stride + kh] = weight.transpose(0, 1, 3, 4, 2)
    return matrix.reshape(groups, 1, at_once * filters, tall * kw * channels)


def _band_size(groups: int, row_bytes: int, kh: int, *, stride: int) -> tuple[int, int]:
    """Choose how many groups and output rows to lay out together: all groups if 8 of their rows fit."""
    together = max(1, min(groups, _BAND_BYTES // (row_bytes * (kh + 7 * stride))))
    return together, max(1, (_BAND_BYTES // (row_bytes * together) - kh) // stride + 1)


def _weigh(band: _Band, stride: HW) -> None:
    """Compute the output rows of a band for kernels of 1x1."""
    groups, filters, rows, w = band.out.shape
    x = band.x[:, :, :: stride.h, :: stride.w][..., :w]
    by_group, by_filter, _, by_column = band.out.strides  # row after row
    out = as_strided(band.out, (groups, filters, rows * w), (by_group, by_filter, by_column))
    np.matmul(band.matrix[:, 0], x.reshape(groups, -1, rows * w), out=out)


def _fill(band: _Band, kernel: HW, stride: HW, *, dilation_w: int, at_once: int, buffer: Floats) -> Floats:
    """Compute the output rows of a band, and return the buffer for the next band."""
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
