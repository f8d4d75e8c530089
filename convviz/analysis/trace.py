"""One output value taken apart: what was multiplied by what, and how it adds up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.compute.feature_maps import LayerRun
from convviz.errors import BackendError, SpecError
from convviz.images import finite
from convviz.spec.geometry import HW, Axis, check_inside, source_of
from convviz.spec.layers import Conv2d
from convviz.text import plural
from convviz.typing import Floats

# A float32 sum of n products may round n times, each time by at most this part of the sum of magnitudes.
_ROUNDING = 2.0**-24


def rounding(terms: int, magnitude: float) -> float:
    """Bound how far float32 may be from a sum of `terms` products and a bias, whose magnitudes add up so."""
    return (terms + 1) * _ROUNDING * magnitude


@dataclass(frozen=True, slots=True)
class Product:
    """One product.

    Parameters
    ----------
    tap : HW
        Row and column of the weight in the kernel.
    value : float
        What it multiplies.
    weight : float
        The weight.
    """

    tap: HW
    value: float
    weight: float

    @property
    def product(self) -> float:
        """The two multiplied; exact in float64."""
        return self.value * self.weight


@dataclass(frozen=True, slots=True, eq=False)
class ChannelTrace:
    """What one channel adds to one output value.

    Parameters
    ----------
    channel : int
        Index of the channel.
    name : str
        What it is called.
    patch : ndarray, shape (kh, kw), float32
        The values under the taps.
    kernel : ndarray, shape (kh, kw), float32
        The weights.
    """

    channel: int
    name: str
    patch: Floats
    kernel: Floats

    @property
    def products(self) -> NDArray[np.float64]:
        """Product of every tap, shape (kh, kw); exact in float64."""
        return self.patch.astype(np.float64) * self.kernel

    @property
    def total(self) -> float:
        """The partial sum, correctly rounded."""
        return finite.total(self.products.ravel())

    def largest(self, count: int) -> list[Product]:
        """List the products of the largest magnitudes, the largest first; of equal ones the first in order.

        NaN comes first, as infinity does.

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
        Row and column of the value in its map.
    index : int
        The map.
    name : str
        What the map is called.
    rows, columns : tuple of int
        Input rows and columns under the taps; outside of the input in the padding.
    channels : tuple of ChannelTrace
        One per channel that the filter reads.
    bias : float or None
        The bias of the map.
    backend : str
        What computed the map.
    computed : float
        The value that it computed.
    inside : ndarray, shape (kh, kw), bool
        Whether a tap meets the input, not padding.
    largest : bool
        Whether the value was taken because its magnitude is the largest of the map, of finite ones.
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

    @property
    def total(self) -> float:
        """All products and the bias, added up in float64."""
        products = [product for channel in self.channels for product in channel.products.ravel()]
        return finite.total([*products, self.bias or 0.0])

    @property
    def difference(self) -> float:
        """What the backend computed less their sum; 0 where both are NaN or infinite alike."""
        if np.isfinite(self.computed) and np.isfinite(self.total):
            return self.computed - self.total
        return float(finite.apart(np.array(self.computed), np.array(self.total)))

    @property
    def tolerance(self) -> float:
        """How far float32 rounding may take the two apart, by the products that are finite."""
        sizes = np.abs([channel.products for channel in self.channels]).ravel()
        products = np.where(np.isfinite(sizes), sizes, 0).tolist()
        return rounding(len(products), math.fsum([*products, abs(self.bias or 0.0)]))


def trace(run: LayerRun, *, at: HW | None = None, index: int = 0) -> Trace:
    """Take one output value apart.

    Parameters
    ----------
    run : LayerRun
        What a layer made of a picture.
    at : HW, optional
        Row and column of the value, counted from 0; by default those of the largest finite magnitude of
        the map.
    index : int
        The map.

    Returns
    -------
    Trace
        Every product, read from the arrays that were computed with.

    Raises
    ------
    SpecError
        If there is no such map or position.
    BackendError
        If the parts do not add up to what the backend computed.

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
        at = HW(*divmod(finite.place_of_largest(run.maps[index]), w))
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
    )
    if not abs(found.difference) <= found.tolerance:
        raise BackendError(
            f"the products add up to {found.total!r}, but {run.backend} computed {found.computed!r}, "
            f"which is more than float32 rounding ({found.tolerance:.1e})."
        )
    return found


@dataclass(frozen=True, slots=True)
class Feed:
    """One product that a pixel is a factor of.

    Parameters
    ----------
    index : int
        The map that it feeds.
    channel : int
        The channel that the pixel is taken from.
    output : HW
        Row and column of the output value.
    tap : HW
        Row and column of the weight in the kernel.
    weight : float
        The weight.
    cell : HW
        Row and column of the cell that the tap meets: the pixel, or a cell of the
        padding that copies it, whose row or column is outside of the input.
    """

    index: int
    channel: int
    output: HW
    tap: HW
    weight: float
    cell: HW


def trace_pixel(run: LayerRun, *, at: HW) -> list[Feed]:
    """List every output that an input pixel feeds, where it stands and through its copies in the padding.

    Parameters
    ----------
    run : LayerRun
        What a layer made of a picture.
    at : HW
        Row and column of the pixel.

    Returns
    -------
    list of Feed
        By map, then channel, then output position; one entry per product, so several
        for an output whose window holds copies of the pixel.

    Raises
    ------
    SpecError
        If there is no such pixel.

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
    """List the cells along an axis that hold a pixel: its own, and those of the padding that copy it."""
    cells = range(-axis.before, axis.input + axis.after)
    return [cell for cell in cells if source_of(cell, axis.input, padding_mode) == pixel]


@dataclass(frozen=True, slots=True, eq=False)
class WeightTrace:
    """Everything that one weight is multiplied with, and where the products go.

    Parameters
    ----------
    indices : (int, int, int, int)
        Its indices in the array (O, I / groups, kh, kw).
    name : str
        What the map is called that it feeds.
    channel : int
        The channel that it reads.
    channel_name : str
        What the channel is called.
    weight : float
        Its value.
    rows, columns : tuple of int
        For every output row the input row that it multiplies, for every output
        column the input column; outside of the input in the padding.
    values : ndarray, shape (H', W'), float32
        What it multiplies, by output position.
    inside : ndarray, shape (H', W'), bool
        Whether that is a pixel of the input, not padding.
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
        """Its row and column in the kernel."""
        return HW(*self.indices[2:])

    @property
    def products(self) -> NDArray[np.float64]:
        """What it adds to every output value, shape (H', W'); exact in float64."""
        return self.values.astype(np.float64) * self.weight


def trace_weight(run: LayerRun, *, indices: tuple[int, int, int, int]) -> WeightTrace:
    """List what one weight multiplies and which outputs it feeds.

    Parameters
    ----------
    run : LayerRun
        What a layer made of a picture.
    indices : (int, int, int, int)
        Indices of the weight in the array (O, I / groups, kh, kw).

    Returns
    -------
    WeightTrace
        One product per output position of map ``indices[0]``.

    Raises
    ------
    SpecError
        If there is no such weight.

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
    """Refuse an index that is not among `count`."""
    if not 0 <= index < count:
        what = field.split(": ")[-1]
        raise SpecError(f"{field}: there are {plural(count, what)}, 0 to {count - 1}, so none is {index}.")


def read(layer: Conv2d, channel: Floats, rows: Sequence[int], *, columns: Sequence[int]) -> Floats:
    """Take the values of a channel at rows and columns, those in the padding by the rule of its mode."""
    h, w = channel.shape
    row_sources = [source_of(row, h, layer.padding_mode) for row in rows]
    column_sources = [source_of(column, w, layer.padding_mode) for column in columns]
    # A padding cell that copies nothing is a zero: clip the index, then put the zero in its place.
    values = channel[np.ix_([row or 0 for row in row_sources], [column or 0 for column in column_sources])]
    values[[row is None for row in row_sources], :] = 0
    values[:, [column is None for column in column_sources]] = 0
    return values


def inside(size: HW, rows: Sequence[int], columns: Sequence[int]) -> NDArray[np.bool_]:
    """Mark the places of a grid of rows and columns that are pixels, not padding."""
    return np.outer([0 <= row < size.h for row in rows], [0 <= column < size.w for column in columns])
