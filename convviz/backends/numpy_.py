"""Cross-correlation as matrix products over windows that overlap in memory."""

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convviz.geometry import HW

Floats = NDArray[np.float32]

# One band of rows is laid out at a time; this many bytes stay in a second-level cache with the result.
_BAND_BYTES = 1 << 20


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
        Parts into which planes and filters are split.
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

    Examples
    --------
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    >>> cross_correlate(x, np.ones((1, 1, 2, 2), np.float32), stride=HW(1, 1), dilation=HW(1, 1), groups=1)[0]
    array([[ 8., 12.],
           [20., 24.]], dtype=float32)
    """
    filters, planes, kh, kw = weight.shape
    h = (x.shape[1] - dilation.h * (kh - 1) - 1) // stride.h + 1
    w = (x.shape[2] - dilation.w * (kw - 1) - 1) // stride.w + 1
    out = np.empty((filters, h, w), np.float32)
    per_group = filters // groups
    for group in range(groups):
        rows = slice(group * per_group, (group + 1) * per_group)
        _one_group(x[group * planes : (group + 1) * planes], weight[rows], stride, dilation, out[rows])
    return out


def _one_group(x: Floats, weight: Floats, stride: HW, dilation: HW, out: Floats) -> None:
    """Fill `out` (O, H', W') from all planes of `x` (C, H, W)."""
    # Output rows whose windows start at the same remainder by the dilation read only input rows of that
    # remainder: taken apart, each part is a layer without dilation along the height.
    shared = math.gcd(stride.h, dilation.h)
    for first in range(min(dilation.h // shared, out.shape[1])):
        start = first * stride.h
        _undilated_rows(
            x[:, start % dilation.h :: dilation.h],
            weight,
            start // dilation.h,
            HW(stride.h // shared, stride.w),
            dilation.w,
            out[:, first :: dilation.h // shared],
        )


def _undilated_rows(x: Floats, weight: Floats, start: int, stride: HW, dilation_w: int, out: Floats) -> None:
    """Fill `out` from windows of neighbouring rows, the first one beginning at row `start`."""
    planes = x.shape[0]
    filters, _, kh, kw = weight.shape
    _, h, w = out.shape
    matrix = weight.transpose(0, 2, 3, 1).reshape(filters, kh * kw * planes)
    row_bytes = kw * planes * w * x.itemsize
    band = max(1, min(h, (_BAND_BYTES // row_bytes - kh) // stride.h + 1))
    buffer = np.empty(((band - 1) * stride.h + kh, kw, planes, w), np.float32)
    windows = as_strided(
        buffer,
        (band, kh * kw * planes, w),
        (stride.h * row_bytes, w * x.itemsize, x.itemsize),
        writeable=False,
    )
    for top in range(0, h, band):
        rows = min(band, h - top)
        low = start + top * stride.h
        read = (rows - 1) * stride.h + kh
        for column in range(kw):
            left = column * dilation_w
            source = x[:, low : low + read, left : left + (w - 1) * stride.w + 1 : stride.w]
            buffer[:read, column] = source.transpose(1, 0, 2)
        np.matmul(matrix, windows[:rows], out=out[:, top : top + rows].transpose(1, 0, 2))
