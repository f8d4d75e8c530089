"""One output value taken apart: what was multiplied by what, and how it adds up."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.errors import BackendError, SpecError
from convviz.geometry import HW, check_inside, source_of
from convviz.images import Picture
from convviz.layers import Conv2d
from convviz.text import plural
from convviz.weights import FilterBank

Floats = NDArray[np.float32]

# A float32 sum of n products may round n times, each time by at most this part of the sum of magnitudes.
_ROUNDING = 2.0**-24


@dataclass(frozen=True, slots=True, eq=False)
class ChannelTrace:
    """What one plane adds to one output value.

    Parameters
    ----------
    channel : int
        Index of the plane.
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
        return math.fsum(self.products.ravel())


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
    sources : tuple of (tuple of int or None)
        Input row, then input column, that each of those shows; None for zeros.
    channels : tuple of ChannelTrace
        One per plane that the filter reads.
    bias : float or None
        The bias of the map.
    backend : str
        What computed the map.
    computed : float
        The value that it computed.
    inside : ndarray, shape (kh, kw), bool
        Whether a tap meets the input, not padding.
    """

    at: HW
    index: int
    name: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    sources: tuple[tuple[int | None, ...], tuple[int | None, ...]]
    channels: tuple[ChannelTrace, ...]
    bias: float | None
    backend: str
    computed: float
    inside: NDArray[np.bool_]

    @property
    def total(self) -> float:
        """All products and the bias, added up in float64."""
        products = [product for channel in self.channels for product in channel.products.ravel()]
        return math.fsum([*products, self.bias or 0.0])

    @property
    def difference(self) -> float:
        """What the backend computed less what the parts add up to."""
        return self.computed - self.total

    @property
    def tolerance(self) -> float:
        """How far float32 rounding may take the two apart."""
        products = [abs(product) for channel in self.channels for product in channel.products.ravel()]
        return (len(products) + 1) * _ROUNDING * math.fsum([*products, abs(self.bias or 0.0)])


def trace(
    layer: Conv2d,
    picture: Picture,
    filters: FilterBank,
    maps: Floats,
    at: HW,
    index: int = 0,
    *,
    backend: str,
) -> Trace:
    """Take one output value apart.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    picture : Picture
        Its input.
    filters : FilterBank
        Its numbers.
    maps : ndarray, shape (O, H', W'), float32
        What a backend made of them.
    at : HW
        Row and column of the value, counted from 0.
    index : int
        The map.
    backend : str
        The name of that backend.

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
    >>> from convviz.images import as_picture
    >>> layer, picture = Conv2d(1, 1, 2, bias=False), as_picture(np.eye(2))
    >>> filters = FilterBank.of(layer, [[[[1, 2], [3, 4]]]])
    >>> found = trace(layer, picture, filters, np.array([[[5]]], np.float32), HW(0, 0), backend="hand")
    >>> found.channels[0].products.tolist(), found.total
    ([[1.0, 0.0], [0.0, 4.0]], 5.0)
    """
    count, h, w = maps.shape
    if not 0 <= index < count:
        raise SpecError(f"map: there are {plural(count, 'map')}, 0 to {count - 1}, so none is {index}.")
    check_inside("at", at, HW(h, w), "the maps")
    size = picture.size
    height, width = layer.axes(size)
    rows, columns = height.reads(at.h), width.reads(at.w)
    row_sources = tuple(source_of(row, size.h, layer.padding_mode) for row in rows)
    column_sources = tuple(source_of(column, size.w, layer.padding_mode) for column in columns)
    # A padding cell that copies nothing is a zero: clip the index, then put the zero in its place.
    filled = np.array(
        [[row is not None and column is not None for column in column_sources] for row in row_sources]
    )
    place = np.ix_([row or 0 for row in row_sources], [column or 0 for column in column_sources])
    planes = layer.weight_shape[1]
    first = index // (layer.out_channels // layer.groups) * planes
    channels = tuple(
        ChannelTrace(
            channel,
            picture.channels[channel],
            np.where(filled, picture.x[channel][place], np.float32(0)),
            filters.weight[index, channel - first],
        )
        for channel in range(first, first + planes)
    )
    found = Trace(
        at,
        index,
        filters.names[index],
        rows,
        columns,
        (row_sources, column_sources),
        channels,
        None if filters.bias is None else float(filters.bias[index]),
        backend,
        float(maps[index, at.h, at.w]),
        np.array([[0 <= row < size.h and 0 <= column < size.w for column in columns] for row in rows]),
    )
    if not abs(found.difference) <= found.tolerance:
        raise BackendError(
            f"the products add up to {found.total!r}, but {backend} computed {found.computed!r}, "
            f"which is more than float32 rounding ({found.tolerance:.1e})."
        )
    return found
