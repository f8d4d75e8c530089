"""A layer as a matrix product in both textbook forms: im2col, and one matrix for the whole layer."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.trace import check_index, inside, read, rounding
from convviz.compute.feature_maps import LayerRun
from convviz.errors import BackendError, SpecError
from convviz.images import finite
from convviz.spec.geometry import source_of
from convviz.typing import Floats

# The most entries of one matrix: 32 MiB in float64, which is more than anybody reads.
MOST_ENTRIES = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Unfolded:
    """One map of a layer as two matrix products.

    Parameters
    ----------
    index : int
        The index of the map.
    name : str
        The name of the map.
    filters : ndarray, shape (F, K), float32
        One row per filter of the map's group; one column per channel, row and column of the kernel.
    row : int
        The row of `filters` that makes the map.
    windows : ndarray, shape (K, N), float32
        The input values under the kernel; one column per output position, row by row.
    padding : ndarray, shape (K, N), bool
        Whether each entry of `windows` is padding.
    matrix : ndarray, shape (N, I), float64
        One row per output position, row by row; one column per input value, channel by channel and
        row by row.
    stored : ndarray, shape (N, I), bool
        Whether an entry of `matrix` is a weight; all other entries are 0 for any weights.
    inputs : ndarray, shape (I,), float32
        The channels that the map reads, flattened.
    bias : ndarray, shape (F,), float32
        The bias of each row of `filters`; zeros for a layer without bias.
    backend : str
        The backend that computed the map.
    difference : float
        The largest difference between the two products and the computed map.
    tolerance : float
        The largest difference that float32 rounding may cause.
    """

    index: int
    name: str
    filters: Floats
    row: int
    windows: Floats
    padding: NDArray[np.bool_]
    matrix: NDArray[np.float64]
    stored: NDArray[np.bool_]
    inputs: Floats
    bias: Floats
    backend: str
    difference: float
    tolerance: float

    @property
    def maps(self) -> NDArray[np.float64]:
        """``filters @ windows + bias``, shape (F, N)."""
        with np.errstate(invalid="ignore"):
            return self.filters.astype(np.float64) @ self.windows + self.bias[:, None]

    @property
    def values(self) -> NDArray[np.float64]:
        """``matrix @ inputs + bias``, shape (N,); an entry without a weight adds 0 even for a NaN input."""
        known = np.isfinite(self.inputs)
        made = np.asarray(self.matrix @ np.where(known, self.inputs, 0) + self.bias[self.row])
        with np.errstate(invalid="ignore"):
            for column in np.flatnonzero(~known):
                rows = self.stored[:, column]
                made[rows] += self.matrix[rows, column] * self.inputs[column]
        return made


def unfold(run: LayerRun, *, index: int = 0) -> Unfolded:
    """Write one map of a layer as matrix products.

    Parameters
    ----------
    run : LayerRun
        The output of a layer for a picture.
    index : int
        The index of the map.

    Returns
    -------
    Unfolded
        The matrices, checked against the map.

    Raises
    ------
    SpecError
        If the map does not exist, or a matrix would have more than `MOST_ENTRIES` entries.
    BackendError
        If a product differs from the map that the backend computed.

    Notes
    -----
    im2col is the method of Chellapilla et al. (2006) and of Caffe. The other matrix is doubly
    blocked Toeplitz for stride 1 and zero padding (Dumoulin and Visin 2016, section 4.1). With
    circular padding it is doubly blocked circulant. A larger stride keeps some of its rows.

    Examples
    --------
    >>> from convviz.results.feature_maps import run
    >>> from convviz.spec.layers import Conv2d
    >>> found = unfold(run([[5, 6, 7]], Conv2d(1, 1, (1, 2), bias=False), [[[[1, 2]]]]))
    >>> found.windows.tolist(), found.matrix.tolist()
    ([[5.0, 6.0], [6.0, 7.0]], [[1.0, 2.0, 0.0], [0.0, 1.0, 2.0]])
    """
    layer, filters, maps = run.layer, run.filters, run.maps
    count = layer.out_channels
    check_index("map", index, count)
    _check_entries(run)
    per_group = count // layer.groups
    group = index // per_group
    own = slice(group * per_group, (group + 1) * per_group)
    inputs = run.picture.x[layer.channels_of(index)]
    height, width = layer.axes(run.picture.size)
    # The input row under every (output row, kernel row), and the same for columns.
    under_rows = np.array([height.reads(window) for window in range(height.output)])
    under_columns = np.array([width.reads(window) for window in range(width.output)])
    windows, padding = _windows(run, inputs, under_rows, under_columns=under_columns)
    matrix, stored = _matrix(run, filters.weight[index], under_rows, under_columns=under_columns)
    bias = np.zeros(count, np.float32) if filters.bias is None else filters.bias
    found = Unfolded(
        index,
        filters.names[index],
        filters.weight[own].reshape(per_group, -1),
        index - own.start,
        windows,
        padding,
        matrix,
        stored,
        inputs.ravel(),
        bias[own],
        run.backend,
        0.0,
        0.0,
    )
    sizes = np.where(np.isfinite(found.windows), np.abs(found.windows), 0)
    magnitude = np.abs(found.filters).astype(np.float64) @ sizes + np.abs(bias[own])[:, None]
    tolerance = rounding(layer.fan_in, float(magnitude.max()))
    apart = max(
        float(finite.apart(found.maps, maps[own].reshape(per_group, -1)).max()),
        float(finite.apart(found.values, maps[index].ravel()).max()),
    )
    if not apart <= tolerance:
        raise BackendError(
            f"the matrix product differs from what {run.backend} computed by {apart:.3g}, "
            f"which is more than float32 rounding ({tolerance:.1e})."
        )
    return replace(found, difference=apart, tolerance=tolerance)


def _check_entries(run: LayerRun) -> None:
    """Refuse matrices that are too large to read."""
    _, channels, kh, kw = run.layer.weight_shape
    _, h, w = run.shape
    size = run.picture.size
    for high, wide, what in (
        (channels * kh * kw, h * w, "windows"),
        (h * w, channels * size.h * size.w, "the layer"),
    ):
        if high * wide > MOST_ENTRIES:
            raise SpecError(
                f"as-matrix: the matrix of {what} would be {high:,} x {wide:,}, more than "
                f"{MOST_ENTRIES:,} entries; make the input smaller with --resize, or raise the stride."
            )


def _windows(
    run: LayerRun, inputs: Floats, under_rows: NDArray[np.int_], *, under_columns: NDArray[np.int_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Put every window into a column, and mark the padding."""
    flat = (under_rows.ravel().tolist(), under_columns.ravel().tolist())
    patches = np.stack([read(run.layer, channel, flat[0], columns=flat[1]) for channel in inputs])
    outside = np.broadcast_to(~inside(run.picture.size, *flat), patches.shape)
    (h, kh), (w, kw) = under_rows.shape, under_columns.shape

    def columns(array: NDArray[Any]) -> NDArray[Any]:
        """Reorder (channel, y, kernel row, x, kernel column) to (channel, kernel row and column; y, x)."""
        split = array.reshape(len(inputs), h, kh, w, kw).transpose(0, 2, 4, 1, 3)
        return split.reshape(len(inputs) * kh * kw, h * w)

    return columns(patches), columns(outside)


def _matrix(
    run: LayerRun, weight: Floats, under_rows: NDArray[np.int_], *, under_columns: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Put every weight into the row of its output and the column of its input."""
    size = run.picture.size
    channels, kh, kw = weight.shape
    (h, _), (w, _) = under_rows.shape, under_columns.shape

    def sources(under: NDArray[np.int_], length: int) -> NDArray[np.int_]:
        """Return the input index under every kernel value; -1 for a zero of the padding."""
        found = [source_of(index, length, run.layer.padding_mode) for index in under.ravel().tolist()]
        return np.array([-1 if index is None else index for index in found]).reshape(under.shape)

    rows, columns = sources(under_rows, size.h), sources(under_columns, size.w)
    matrix = np.zeros((h * w, channels * size.h * size.w))
    stored = np.zeros(matrix.shape, bool)
    outputs = np.arange(h * w).reshape(h, w)
    for channel, a, b in np.ndindex(channels, kh, kw):
        from_row, from_column = rows[:, a], columns[:, b]
        met = np.outer(from_row >= 0, from_column >= 0)
        at = (channel * size.h + from_row[:, None]) * size.w + from_column
        # Copies in the padding may lead two kernel values of a window to one pixel, but none appears twice.
        matrix[outputs[met], at[met]] += weight[channel, a, b]
        stored[outputs[met], at[met]] = True
    return matrix, stored
