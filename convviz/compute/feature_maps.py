"""The feature maps of one layer: kept in memory or computed band by band, and summarized."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from convviz.compute.conv import SMALLER, apply, convolved, padded_rows, partial_maps
from convviz.compute.survey import ArraySummary, Rows, Survey, survey, typical_rows
from convviz.compute.weights import LayerWeights
from convviz.errors import ShapeError
from convviz.images.finite import apart, place_of_largest
from convviz.images.picture import Picture
from convviz.machine import memory, parallel
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.text import plural
from convviz.typing import Floats

if TYPE_CHECKING:
    from convviz.compute.networks.engine import Rounding
    from convviz.spec.layers import Transposed

# The most bytes of a band of rows, with the input rows that it needs: it must fit into a shared cache.
_BAND_BYTES = 1 << 23
# The limit for very wide rows; a band has at least one row.
_MOST_BAND_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class MapStatistics:
    """The statistics of one feature map.

    Parameters
    ----------
    index : int
        The index of the map.
    name : str
        The name of the map.
    min, max, mean, std : float
        Statistics of all its finite values; NaN if there are none. The deviation is that of
        the values themselves, not an estimate.
    nan, inf : int
        The number of NaN values, and of infinite values.
    """

    index: int
    name: str
    min: float
    max: float
    mean: float
    std: float
    nan: int = 0
    inf: int = 0

    @property
    def energy(self) -> float:
        """The mean of the squares of all finite values."""
        return self.mean**2 + self.std**2


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """The statistics of the channels and maps of a run, with copies reduced to the size of a sheet.

    Parameters
    ----------
    tile : int or None
        The longest side of a map on the sheet, as for `FeatureMaps.sheet`.
    moments : bool
        Whether they include means and deviations.
    channels, maps : list of ArraySummary
        The summaries of every channel of the input, and of every map.
    """

    tile: int | None
    moments: bool
    channels: list[ArraySummary]
    maps: list[ArraySummary]


@dataclass(frozen=True, slots=True, eq=False)
class LayerRun:
    """The output of a layer for a picture, with everything that it depends on.

    Parameters
    ----------
    values : ndarray, shape (O, H', W'), float32, optional
        The feature maps, which may hold NaN and infinity. Without `values` the maps are computed band by
        band on demand, because all maps of a large picture may not fit into memory.
    layer : Conv2d
        The layer.
    filters : LayerWeights
        Its weights.
    picture : Picture
        The input.
    backend : str
        The backend that computed.
    seconds : float
        The time that the computation took.
    device : str
        The device that computed.
    origin : str
        The network that the layer belongs to, in words; empty for a single layer.
    transposed : Transposed, optional
        The transposed convolution that the layer is equal to.
    rounding : Rounding, optional
        How the network that the layer belongs to rounds its maps, if it does; `clipped` clips `values`.

    Raises
    ------
    ShapeError
        If the shape of `values` is not the output shape of the layer.
    """

    values: Floats | None
    layer: Conv2d
    filters: LayerWeights
    picture: Picture
    backend: str
    seconds: float = field(default=0.0)
    device: str = "cpu"
    origin: str = ""
    transposed: "Transposed | None" = None
    rounding: "Rounding | None" = None
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.values is not None:
            self._check(self.values)

    def _check(self, values: Floats) -> None:
        """Refuse maps that do not have the output shape of the layer."""
        if values.shape != self.shape:
            raise ShapeError(
                f"the {self.backend} backend made maps of shape {values.shape}, not {self.shape}."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of maps, rows and columns."""
        size = self.layer.output_size(self.picture.size)
        return self.layer.out_channels, size.h, size.w

    @property
    def maps(self) -> Floats:
        """All maps, shape (O, H', W'), float32; maps that are not in memory are computed now and kept."""
        if self.values is not None:
            return self.values
        if "maps" not in self._made:
            maps = apply(self.layer, self.picture.x, self.filters, backend=self.backend, device=self.device)
            self._check(maps)
            self._made["maps"] = maps
        return cast("Floats", self._made["maps"])

    def clipped(self, rounding: "Rounding | None") -> Self:
        """Clip the maps as a network does that rounds them; without `rounding`, return the same run."""
        if rounding is None:
            return self
        return replace(self, values=rounding.clip(self.maps), rounding=rounding)

    @property
    def kept(self) -> bool:
        """Whether all maps are in memory."""
        return self.values is not None or "maps" in self._made

    def rows(self, top: int, bottom: int, chosen: slice = slice(None)) -> Floats:
        """Return the rows from `top` to `bottom` of the chosen maps, shape (maps, bottom - top, W')."""
        if self.kept:
            return self.maps[chosen, top:bottom]
        layer, weights = self.layer, self.filters
        padded = padded_rows(layer, self.picture, top=top, bottom=bottom)
        if layer.groups == 1 and chosen != slice(None):
            weights = weights.chosen(chosen)
            layer = replace(layer, out_channels=len(weights.names))
            chosen = slice(None)
        values = convolved(layer, padded, weights, backend=self.backend, device=self.device)
        return values[chosen]

    def bands(self, chosen: slice = slice(None)) -> Iterator[Floats]:
        """Yield bands of rows of the chosen maps from the top down, each of shape (maps, rows, W')."""
        for top in self._tops():
            yield self._band(top, chosen)

    def _band(self, top: int, chosen: slice = slice(None)) -> Floats:
        """Return the rows of one band."""
        return self.rows(top, min(top + self._tops().step, self.shape[1]), chosen)

    def _tops(self) -> range:
        """Split the rows into bands, and return the first row of each."""
        # A multiple of the rows that the numpy backend makes with one product, if there is room for it.
        step = max(24, _BAND_BYTES // self._row_bytes // 24 * 24)
        step = max(1, min(step, _MOST_BAND_BYTES // self._row_bytes))
        return range(0, self.shape[1], step)

    @property
    def _row_bytes(self) -> int:
        """The bytes of one row of all maps, with the input rows that it needs, before and after padding."""
        channels, _, width = self.picture.shape
        maps, _, columns = self.shape
        padded = width + sum(self.layer.edges(self.picture.size).width)
        return 4 * (maps * columns + channels * (width + padded) * self.layer.stride.h)

    def summary(
        self,
        tile: int | None = 320,
        *,
        moments: bool = True,
        advance: Callable[[int], None] = lambda rows: None,
    ) -> Summary:
        """Read channels and maps once, and keep everything that `statistics` and `sheet` need.

        Parameters
        ----------
        tile : int or None
            The longest side of a map on the sheet, as for `sheet`.
        moments : bool
            Whether to compute the mean and the deviation of every map.
        advance : callable
            A function that receives the number of output rows as they are done; the
            numbers add up to the rows in `shape`.

        Returns
        -------
        Summary
            The summary; later calls return the same object until `tile` changes.
        """
        known: Summary | None = self._made.get("summary")
        if known is not None and known.tile == tile and known.moments >= moments:
            return known
        count, *size = self.shape
        before, after = self.fit(tile)
        tiles = count * math.prod(after * side for side in size) if after < 1 else 0
        # Allow half as much again for the buffers of the backend.
        bands = 0 if self.kept else 1.5 * parallel.threads() * self._tops().step * self._row_bytes
        memory.need(4 * tiles + bands, f"the tiles of {plural(count, 'map')}", SMALLER)
        channels = self._channel_summaries(before)
        some = np.concatenate([self.rows(row, row + 1) for row in typical_rows(size[0])], axis=1)
        looking = Survey(count, HW(*size), after, moments=moments, some=some)

        def work(mine: Iterator[int]) -> None:
            for top in mine:
                band = self._band(top)
                for index, values in enumerate(band):
                    looking.look(index, top, values)
                advance(band.shape[1])

        # torch uses its own threads.
        if self.backend == "numpy" or self.kept:
            parallel.share(self._tops(), work)
        else:
            work(iter(self._tops()))
        maps = looking.summaries(self._whole(count) if after >= 1 else None)
        self._made["summary"] = Summary(tile, moments, channels, maps)
        return cast("Summary", self._made["summary"])

    def fit(self, tile: int | None) -> tuple[float, float]:
        """Choose the scales at which the channels and the maps are drawn in tiles of a side."""
        count, *size = self.shape
        apart = self.picture.activations and scales.are_many(count)
        return scales.fit_both(self.picture.size, HW(*size), tile, apart=apart)

    def _channel_summaries(self, scale: float) -> list[ArraySummary]:
        """Summarize the channels of the input."""
        picture = self.picture
        if isinstance(picture.values, np.ndarray):
            return survey(picture.values, scale, moments=False, spread=picture.activations)
        count, height, width = picture.shape
        looking = Survey(count, HW(height, width), scale, moments=False)
        step = max(1, _BAND_BYTES // (4 * count * width))

        def work(mine: Iterator[int]) -> None:
            for top in mine:
                for index, channel in enumerate(picture.rows(top, min(top + step, height))):
                    looking.look(index, top, channel)

        parallel.share(range(0, height, step), work)
        if scale < 1:
            return looking.summaries()
        shared = _Shared(picture.rows)
        return looking.summaries([_RowsOf(shared, index, (height, width)) for index in range(count)])

    def _whole(self, together: int) -> list[Rows]:
        """List the maps as rows; maps that are not kept are computed `together` at a time."""
        count, *size = self.shape
        if self.kept:
            return list(self.maps)
        groups = [
            _Shared(partial(self.rows, chosen=slice(first, first + together)))
            for first in range(0, count, together)
        ]
        return [
            _RowsOf(groups[index // together], index % together, (size[0], size[1])) for index in range(count)
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each map."""
        return self.filters.names

    def statistics(self) -> list[MapStatistics]:
        """Return the statistics of every map."""
        known: Summary | None = self._made.get("summary")
        summaries = (known if known is not None and known.moments else self.summary()).maps
        return [
            MapStatistics(index, name, of.low, of.high, of.mean, of.std, of.others.nan, of.others.infinite)
            for index, (name, of) in enumerate(zip(self.names, summaries, strict=True))
        ]

    def sparsity(self) -> list[float]:
        """Return the share of zeros in every map."""
        zeros = sum((band == 0).sum(axis=(1, 2)) for band in self.bands())
        return [float(count) / math.prod(self.shape[1:]) for count in np.asarray(zeros)]

    def strongest(self, count: int) -> list[int]:
        """List the maps with the highest energy, the strongest first."""
        energies = [-row.energy for row in self.statistics()]
        return [int(index) for index in np.argsort(energies, kind="stable")[:count]]

    def partial(self) -> Floats:
        """Compute the partial maps, shape (O, I / groups, H', W')."""
        return partial_maps(self.layer, self.picture.x, self.filters)

    def apart(self, parts: Floats) -> float:
        """Return the largest difference between the maps and the sums of partial maps and bias."""
        with np.errstate(invalid="ignore"):
            total = parts.sum(axis=1, dtype=np.float64)
        if self.filters.bias is not None:
            total += self.filters.bias[:, None, None]
        if self.rounding is not None:
            total = self.rounding.clip(total)
        return float(apart(total, self.maps).max())

    def named(
        self, parts: Floats | None = None, *, chosen: Sequence[int] | None = None
    ) -> list[tuple[str, Floats]]:
        """List maps, all by default, with their names, each after its partial maps if `parts` are given."""
        found: list[tuple[str, Floats]] = []
        for index in range(len(self.names)) if chosen is None else chosen:
            name = self.names[index]
            if parts is not None:
                found += [
                    (f"{name}: {self.picture.channels[channel]} partial map", part)
                    for channel, part in zip(self.layer.channels_of(index), parts[index], strict=True)
                ]
            found.append((name, self.maps[index]))
        return found

    def flip_difference(self) -> Floats:
        """Compute these maps minus the maps of kernels rotated by 180 degrees.

        Returns
        -------
        ndarray, shape (O, H', W'), float32
            The differences; with flipped kernels they are convolution minus cross-correlation.
        """
        turned = self.filters.turned()
        with np.errstate(invalid="ignore"):
            return np.subtract(self.maps, apply(self.layer, self.picture.x, turned, backend=self.backend))

    def largest(self, values: Floats) -> tuple[float, str, HW]:
        """Find the largest finite magnitude in an array shaped like the maps, its map and its position."""
        index, row, column = np.unravel_index(place_of_largest(values), values.shape)
        return float(abs(values[index, row, column])), self.names[int(index)], HW(int(row), int(column))


class _Shared:
    """Rows of several arrays that are made together; each thread keeps the rows that it made last."""

    def __init__(self, make: Callable[[int, int], Floats]) -> None:
        self._make, self._last = make, threading.local()

    def rows(self, top: int, bottom: int) -> Floats:
        """Make the rows from `top` to `bottom` of all arrays, or return the kept ones."""
        if getattr(self._last, "place", None) != (top, bottom):
            self._last.values, self._last.place = self._make(top, bottom), (top, bottom)
        return cast("Floats", self._last.values)


@dataclass(frozen=True, slots=True, eq=False)
class _RowsOf:
    """One of several arrays that are made together."""

    shared: _Shared
    index: int
    shape: tuple[int, int]

    def __getitem__(self, rows: slice) -> Floats:
        top, bottom, _ = rows.indices(self.shape[0])
        values: Floats = self.shared.rows(top, bottom)[self.index]
        return values
