"""Take one output value apart into its products and their sum."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convviz.compute.feature_maps import LayerRun
from convviz.errors import BackendError, SpecError
from convviz.images import finite
from convviz.spec.geometry import HW, Axis, check_inside, source_of
from convviz.spec.layers import Conv2d
from convviz.text import plural
from convviz.typing import Floats

if TYPE_CHECKING:
    from convviz.compute.networks.engine import Rounding

# A float32 sum of n products may round n times, each time by at most this fraction of the sum of
# magnitudes.
_ROUNDING = 2.0**-24


def rounding(terms: int, magnitude: float) -> float:
    """Bound the float32 error of a sum of `terms` products and a bias; `magnitude` sums their magnitudes."""
    return (terms + 1) * _ROUNDING * magnitude


def rounding_words(terms: int, tolerance: float) -> str:
    """Explain the bound of `rounding`, which is far larger than a usual error.

    Examples
    --------
    >>> rounding_words(4608, 0.0019)
    'float32 rounding of 4,608 products makes at most 0.0019, if all errors have the same sign'
    """
    return (
        f"float32 rounding of {plural(terms, 'product')} makes at most {tolerance:.2g}, "
        "if all errors have the same sign"
    )


@dataclass(frozen=True, slots=True)
class Product:
    """One product of a value and a weight.

    Parameters
    ----------
    tap : HW
        The row and column of the weight in the kernel.
    value : float
        The value that the weight multiplies.
    weight : float
        The weight.
    """

    tap: HW
    value: float
    weight: float

    @property
    def product(self) -> float:
        """Value times weight; exact in float64."""
        return self.value * self.weight


@dataclass(frozen=True, slots=True, eq=False)
class ChannelTrace:
    """The contribution of one channel to one output value.

    Parameters
    ----------
    channel : int
        The index of the channel.
    name : str
        The name of the channel.
    patch : ndarray, shape (kh, kw), float32
        The input values under the kernel.
    kernel : ndarray, shape (kh, kw), float32
        The weights.
    """

    channel: int
    name: str
    patch: Floats
    kernel: Floats

    @property
    def products(self) -> NDArray[np.float64]:
        """The product of every kernel value, shape (kh, kw); exact in float64."""
        return self.patch.astype(np.float64) * self.kernel

    @property
    def total(self) -> float:
        """The partial sum, correctly rounded."""
        return finite.total(self.products.ravel())

    def largest(self, count: int) -> list[Product]:
        """List the products with the largest magnitudes, the largest first; equal ones keep their order.

        NaN and infinity come first.

        Examples
        --------
        >>> patch, kernel = np.array([[1, 2, 3]], np.float32), np.array([[9, 0, -4]], np.float32)
        >>> [(one.tap.w, one.product) for one in ChannelTrace(0, "R", patch, kernel).largest(2)]
        [(2, -12.0), (0, 9.0)]
        """
        sizes = np.nan_to_num(np.abs(self.products.ravel()), nan=np.inf)
        order = np.argsort(-sizes, kind="stable")[:count].tolist()
        taps = [HW(*divmod(place, self.kernel.shape[1])) for place in order]
        return [
            Product(tap, float(self.patch[tap.h, tap.w]), float(self.kernel[tap.h, tap.w])) for tap in taps
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The arithmetic of one output value.

    Parameters
    ----------
    at : HW
        The row and column of the value in its map.
    index : int
        The index of the map.
    name : str
        The name of the map.
    rows, columns : tuple of int
        The input rows and columns under the kernel values; in the padding they lie outside the input.
    channels : tuple of ChannelTrace
        One trace per channel that the filter reads.
    bias : float or None
        The bias of the map.
    backend : str
        The backend that computed the map.
    computed : float
        The value that the backend computed.
    inside : ndarray, shape (kh, kw), bool
        Whether each kernel value lies on the input, not on padding.
    largest : bool
        Whether the value was chosen because it has the largest finite magnitude of the map.
    held : Rounding, optional
        The numbers that the network around the layer can store, if these are few.
    """

    at: HW
    index: int
    name: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    channels: tuple[ChannelTrace, ...]
    bias: float | None
    backend: str
    computed: float
    inside: NDArray[np.bool_]
    largest: bool = False
    held: "Rounding | None" = None

    @property
    def stored(self) -> float | None:
        """What the network stores for the sum, where it clips and rounds; else None."""
        return None if self.held is None else self.held.stored(self.total)

    @property
    def total(self) -> float:
        """The sum of all products and the bias in float64."""
        products = [product for channel in self.channels for product in channel.products.ravel()]
        return finite.total([*products, self.bias or 0.0])

    @property
    def rounding(self) -> str:
        """The largest difference that float32 rounding may cause, in words."""
        return rounding_words(sum(channel.products.size for channel in self.channels), self.tolerance)

    @property
    def difference(self) -> float:
        """The computed value minus the sum; 0 if both are NaN or the same infinity."""
        if np.isfinite(self.computed) and np.isfinite(self.total):
            return self.computed - self.total
        return float(finite.apart(np.array(self.computed), np.array(self.total)))

    @property
    def tolerance(self) -> float:
        """The largest difference that float32 rounding may cause, from the finite products."""
        sizes = np.abs([channel.products for channel in self.channels]).ravel()
        products = np.where(np.isfinite(sizes), sizes, 0).tolist()
        return rounding(len(products), math.fsum([*products, abs(self.bias or 0.0)]))


def trace(run: LayerRun, *, at: HW | None = None, index: int = 0) -> Trace:
    """Take one output value apart.

    Parameters
    ----------
    run : LayerRun
        The output of a layer for a picture.
    at : HW, optional
        The row and column of the value, counted from 0; by default the place of the largest finite
        magnitude of the map.
    index : int
        The index of the map.

    Returns
    -------
    Trace
        Every product, read from the arrays of the computation.

    Raises
    ------
    SpecError
        If the map or the position does not exist.
    BackendError
        If the sum of the products differs from the value that the backend computed.

    Examples
    --------
    >>> from convviz.results.feature_maps import run
    >>> made = run(np.eye(2), Conv2d(1, 1, 2, bias=False), [[[[1, 2], [3, 4]]]])
    >>> found = trace(made, at=HW(0, 0))
    >>> found.channels[0].products.tolist(), found.total
    ([[1.0, 0.0], [0.0, 4.0]], 5.0)
    """
    layer, picture, filters = run.layer, run.picture, run.filters
    count, h, w = run.shape
    check_index("map", index, count)
    largest = at is None
    if at is None:
        shown = run.maps[index] if run.rounding is None else run.rounding.clip(run.maps[index])
        at = HW(*divmod(finite.place_of_largest(shown), w))
    check_inside("at", at, HW(h, w), what="the maps")
    size = picture.size
    height, width = layer.axes(size)
    rows, columns = height.reads(at.h), width.reads(at.w)
    channels = tuple(
        ChannelTrace(
            channel,
            picture.channels[channel],
            read(layer, picture.x[channel], rows, columns=columns),
            kernel,
        )
        for channel, kernel in zip(layer.channels_of(index), filters.weight[index], strict=True)
    )
    found = Trace(
        at,
        index,
        filters.names[index],
        rows,
        columns,
        channels,
        None if filters.bias is None else float(filters.bias[index]),
        run.backend,
        float(run.maps[index, at.h, at.w]),
        inside(size, rows, columns),
        largest,
        run.rounding,
    )
    if not abs(found.difference) <= found.tolerance:
        raise BackendError(
            f"the products add up to {found.total!r}, but {run.backend} computed {found.computed!r}, "
            f"which is more than float32 rounding ({found.tolerance:.1e})."
        )
    return found


@dataclass(frozen=True, slots=True)
class Feed:
    """One product that has a pixel as a factor.

    Parameters
    ----------
    index : int
        The map that the product feeds.
    channel : int
        The channel of the pixel.
    output : HW
        The row and column of the output value.
    tap : HW
        The row and column of the weight in the kernel.
    weight : float
        The weight.
    cell : HW
        The row and column of the cell under the kernel value: the pixel itself, or a padding cell
        that copies it, which lies outside the input.
    """

    index: int
    channel: int
    output: HW
    tap: HW
    weight: float
    cell: HW


def trace_pixel(run: LayerRun, *, at: HW) -> list[Feed]:
    """List every output that an input pixel feeds, directly or through its copies in the padding.

    Parameters
    ----------
    run : LayerRun
        The output of a layer for a picture.
    at : HW
        The row and column of the pixel.

    Returns
    -------
    list of Feed
        The products in order of map, channel and output position. An output whose window holds
        copies of the pixel has several products.

    Raises
    ------
    SpecError
        If the pixel does not exist.

    Examples
    --------
    >>> from convviz.results.feature_maps import run
    >>> made = run(np.eye(2), Conv2d(1, 1, 2, bias=False), [[[[1, 2], [3, 4]]]])
    >>> [(str(feed.output), feed.weight) for feed in trace_pixel(made, at=HW(1, 0))]
    [('0x0', 3.0)]
    """
    layer, size = run.layer, run.picture.size
    check_inside("pixel", at, size, what="the input")
    height, width = layer.axes(size)
    rows, columns = (
        sorted(
            (window, tap, cell)
            for cell in _cells_of(pixel, axis, layer.padding_mode)
            for window, tap in axis.read_by(cell)
        )
        for pixel, axis in ((at.h, height), (at.w, width))
    )
    places = [(HW(y, x), HW(row, column), HW(i, j)) for y, row, i in rows for x, column, j in columns]
    places.sort(key=lambda place: tuple(place[0]))
    return [
        Feed(index, channel, output, tap, float(run.filters.weight[index, slot, tap.h, tap.w]), cell)
        for index in range(layer.out_channels)
        for slot, channel in enumerate(layer.channels_of(index))
        for output, tap, cell in places
    ]


def _cells_of(pixel: int, axis: Axis, padding_mode: str) -> list[int]:
    """List the cells along an axis that hold a pixel: its own cell, and padding cells that copy it."""
    cells = range(-axis.before, axis.input + axis.after)
    return [cell for cell in cells if source_of(cell, axis.input, padding_mode) == pixel]


@dataclass(frozen=True, slots=True, eq=False)
class WeightTrace:
    """All values that one weight multiplies, and the outputs of the products.

    Parameters
    ----------
    indices : (int, int, int, int)
        The indices of the weight in the array (O, I / groups, kh, kw).
    name : str
        The name of the map that the weight feeds.
    channel : int
        The channel that the weight reads.
    channel_name : str
        The name of the channel.
    weight : float
        The value of the weight.
    rows, columns : tuple of int
        The input row that the weight multiplies for every output row, and the input column
        for every output column; in the padding they lie outside the input.
    values : ndarray, shape (H', W'), float32
        The values that the weight multiplies, by output position.
    inside : ndarray, shape (H', W'), bool
        Whether each value is a pixel of the input, not padding.
    """

    indices: tuple[int, int, int, int]
    name: str
    channel: int
    channel_name: str
    weight: float
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    values: Floats
    inside: NDArray[np.bool_]

    @property
    def tap(self) -> HW:
        """The row and column of the weight in the kernel."""
        return HW(*self.indices[2:])

    @property
    def products(self) -> NDArray[np.float64]:
        """The products that the weight adds to the output values, shape (H', W'); exact in float64."""
        return self.values.astype(np.float64) * self.weight


def trace_weight(run: LayerRun, *, indices: tuple[int, int, int, int]) -> WeightTrace:
    """List the values that one weight multiplies, and the outputs that it feeds.

    Parameters
    ----------
    run : LayerRun
        The output of a layer for a picture.
    indices : (int, int, int, int)
        The indices of the weight in the array (O, I / groups, kh, kw).

    Returns
    -------
    WeightTrace
        One product per output position of map ``indices[0]``.

    Raises
    ------
    SpecError
        If the weight does not exist.

    Examples
    --------
    >>> from convviz.results.feature_maps import run
    >>> made = run(np.arange(6).reshape(2, 3), Conv2d(1, 1, 2, bias=False), [[[[1, 2], [3, 4]]]])
    >>> trace_weight(made, indices=(0, 0, 1, 1)).products.tolist()  # 4 times 4 and 5
    [[16.0, 20.0]]
    """
    layer, picture, filters = run.layer, run.picture, run.filters
    maps, channels, kh, kw = layer.weight_shape
    index, channel, tap = indices[0], indices[1], HW(*indices[2:])
    check_index("weight: map", index, maps)
    check_index("weight: channel", channel, channels)
    check_inside("weight", tap, HW(kh, kw), what="the kernel")
    channel = layer.channels_of(index)[channel]
    height, width = layer.axes(picture.size)
    rows = tuple(height.reads(window)[tap.h] for window in range(height.output))
    columns = tuple(width.reads(window)[tap.w] for window in range(width.output))
    return WeightTrace(
        indices,
        filters.names[index],
        channel,
        picture.channels[channel],
        float(filters.weight[indices]),
        rows,
        columns,
        read(layer, picture.x[channel], rows, columns=columns),
        inside(picture.size, rows, columns),
    )


def check_index(field: str, index: int, count: int) -> None:
    """Refuse an index outside 0 to `count` - 1."""
    if not 0 <= index < count:
        what = field.split(": ")[-1]
        known = f"choose from 0 to {count - 1}" if count > 1 else "the only one is 0"
        raise SpecError(f"{field}: there is no {what} {index}; {known}.")


def read(layer: Conv2d, channel: Floats, rows: Sequence[int], *, columns: Sequence[int]) -> Floats:
    """Return the values of a channel at rows and columns; the padding mode determines padding values."""
    h, w = channel.shape
    row_sources = [source_of(row, h, layer.padding_mode) for row in rows]
    column_sources = [source_of(column, w, layer.padding_mode) for column in columns]
    # A padding cell that copies no pixel is zero: clip the index, then write the zero.
    values = channel[np.ix_([row or 0 for row in row_sources], [column or 0 for column in column_sources])]
    values[[row is None for row in row_sources], :] = 0
    values[:, [column is None for column in column_sources]] = 0
    return values


def inside(size: HW, rows: Sequence[int], columns: Sequence[int]) -> NDArray[np.bool_]:
    """Mark the places of a grid of rows and columns that are pixels, not padding."""
    return np.outer([0 <= row < size.h for row in rows], [0 <= column < size.w for column in columns])
