"""The feature maps of one layer as numbers: kept, or computed band by band, and summed up."""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np

from convviz.compute.conv import SMALLER, apply, convolved, padded_rows, partial_maps
from convviz.compute.survey import ArraySummary, Rows, Survey, survey
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

# What a band of rows may take, with the rows of the input that it is made from: it stays in a shared cache.
_BAND_BYTES = 1 << 23
# Of very wide rows so much is taken at most, and one row at least.
_MOST_BAND_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class MapStatistics:
    """One feature map in numbers.

    Parameters
    ----------
    index : int
        Its place among the maps.
    name : str
        What it is called.
    min, max, mean, std : float
        Over all of its finite values, not a number where there are none; the deviation is that of
        the values, not an estimate.
    nan, inf : int
        How many values are NaN, and how many infinite.
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
        """Mean of the squares of all finite values."""
        return self.mean**2 + self.std**2


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Planes and maps of a run in a few numbers, and brought to the size of a sheet.

    Parameters
    ----------
    tile : int or None
        Longest side on the sheet; as for `FeatureMaps.sheet`.
    moments, spread : bool
        Whether means and deviations are among them, and how all values of the maps are spread.
    channels, maps : list of ArraySummary
        Of every channel of the input, and of every map.
    """

    tile: int | None
    moments: bool
    spread: bool
    channels: list[ArraySummary]
    maps: list[ArraySummary]


@dataclass(frozen=True, slots=True, eq=False)
class LayerRun:
    """What a layer makes of a picture, with everything it was made from.

    Parameters
    ----------
    values : ndarray, shape (O, H', W'), float32, optional
        The feature maps, NaN and infinity among them. Without them the maps are computed band by band, when
        they are asked for: all maps of a large picture may be more than there is
        memory for.
    layer : Conv2d
        The layer.
    filters : LayerWeights
        Its numbers.
    picture : Picture
        The input.
    backend : str
        What computed.
    seconds : float
        How long it took.
    device : str
        Where it computed.
    origin : str
        In which network the layer stands, in words; empty for a layer by itself.

    Raises
    ------
    ShapeError
        If the shape is not that of the shape arithmetic.
    """

    values: Floats | None
    layer: Conv2d
    filters: LayerWeights
    picture: Picture
    backend: str
    seconds: float = field(default=0.0)
    device: str = "cpu"
    origin: str = ""
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.values is not None:
            self._check(self.values)

    def _check(self, values: Floats) -> None:
        """Refuse maps of another shape."""
        if values.shape != self.shape:
            raise ShapeError(
                f"the {self.backend} backend made maps of shape {values.shape}, not {self.shape}."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Maps, rows and columns."""
        size = self.layer.output_size(self.picture.size)
        return self.layer.out_channels, size.h, size.w

    @property
    def maps(self) -> Floats:
        """All maps, shape (O, H', W'), float32; where they were not kept, they are computed now, and kept."""
        if self.values is not None:
            return self.values
        if "maps" not in self._made:
            maps = apply(self.layer, self.picture.x, self.filters, backend=self.backend, device=self.device)
            self._check(maps)
            self._made["maps"] = maps
        return cast("Floats", self._made["maps"])

    @property
    def kept(self) -> bool:
        """Whether all maps are in memory."""
        return self.values is not None or "maps" in self._made

    def rows(self, top: int, bottom: int, chosen: slice = slice(None)) -> Floats:
        """Return the rows from `top` to `bottom` of the chosen maps, shape (maps, bottom - top, W')."""
        if self.kept:
            return self.maps[chosen, top:bottom]
        layer, weights = self.layer, self.filters
        padded = padded_rows(layer, self.picture, top, bottom)
        if layer.groups == 1 and chosen != slice(None):
            weights = weights.chosen(chosen)
            layer = replace(layer, out_channels=len(weights.names))
            chosen = slice(None)
        values = convolved(layer, padded, weights, backend=self.backend, device=self.device)
        return values[chosen]

    def bands(self, chosen: slice = slice(None)) -> Iterator[Floats]:
        """Return the rows of the chosen maps from the top down, some at a time, shape (maps, rows, W')."""
        for top in self._tops():
            yield self._band(top, chosen)

    def _band(self, top: int, chosen: slice = slice(None)) -> Floats:
        """Return the rows of one band."""
        return self.rows(top, min(top + self._tops().step, self.shape[1]), chosen)

    def _tops(self) -> range:
        """Part the rows into bands; gives the first row of each."""
        # A whole number of all that the numpy backend makes by one product, if there is room for it.
        step = max(24, _BAND_BYTES // self._row_bytes // 24 * 24)
        step = max(1, min(step, _MOST_BAND_BYTES // self._row_bytes))
        return range(0, self.shape[1], step)

    @property
    def _row_bytes(self) -> int:
        """What a row of all maps takes, with the rows of the input that it needs, as they are and padded."""
        channels, _, width = self.picture.shape
        maps, _, columns = self.shape
        padded = width + sum(self.layer.edges(self.picture.size).width)
        return 4 * (maps * columns + channels * (width + padded) * self.layer.stride.h)

    def summary(
        self,
        tile: int | None = 320,
        *,
        moments: bool = True,
        spread: bool = False,
        advance: Callable[[int], None] = lambda rows: None,
    ) -> Summary:
        """Look through channels and maps once; what `statistics` and `sheet` need is kept.

        Parameters
        ----------
        tile : int or None
            Longest side of a map on the sheet, as for `sheet`.
        moments : bool
            Whether to sum up the mean and the deviation of every map.
        spread : bool
            Whether to find out how all values of every map are spread; done anyway
            where none is reduced.
        advance : callable
            Told how many output rows were done, as they are; all together there
            are as many as `shape` says.

        Returns
        -------
        Summary
            The same again, until another `tile` is asked for.
        """
        known: Summary | None = self._made.get("summary")
        if known is not None and known.tile == tile and known.moments >= moments and known.spread >= spread:
            return known
        count, *size = self.shape
        before, after = scales.fit_both(self.picture.size, HW(*size), tile)
        spread = spread or after >= 1
        tiles = count * math.prod(after * side for side in size) if after < 1 else 0
        # Half as much again for what the backend lays out.
        bands = 0 if self.kept else 1.5 * parallel.threads() * self._tops().step * self._row_bytes
        memory.need(4 * tiles + bands, f"the tiles of {plural(count, 'map')}", SMALLER)
        channels = self._channel_summaries(before)
        looking = Survey(count, HW(*size), after, moments=moments, spread=spread)

        def work(mine: Iterator[int]) -> None:
            for top in mine:
                band = self._band(top)
                for index, values in enumerate(band):
                    looking.look(index, top, values)
                advance(band.shape[1])

        # torch has threads of its own.
        if self.backend == "numpy" or self.kept:
            parallel.share(self._tops(), work)
        else:
            work(iter(self._tops()))
        maps = looking.summaries(self._whole(count) if after >= 1 else None)
        self._made["summary"] = Summary(tile, moments, spread, channels, maps)
        return cast("Summary", self._made["summary"])

    def _channel_summaries(self, scale: float) -> list[ArraySummary]:
        """Sum up the channels of the input."""
        picture = self.picture
        if isinstance(picture.values, np.ndarray):
            return survey(picture.values, scale, moments=False)
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
        """List the maps row by row; so many are computed together where they are not kept."""
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
        """What each map is called."""
        return self.filters.names

    def statistics(self) -> list[MapStatistics]:
        """Sum up every map."""
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
        """List the maps of the most energy, the strongest first."""
        energies = [-row.energy for row in self.statistics()]
        return [int(index) for index in np.argsort(energies, kind="stable")[:count]]

    def partial(self) -> Floats:
        """Compute the partial maps, shape (O, I / groups, H', W')."""
        return partial_maps(self.layer, self.picture.x, self.filters)

    def apart(self, parts: Floats) -> float:
        """Return how far the sums of partial maps and the bias are from the maps, at most."""
        with np.errstate(invalid="ignore"):
            total = parts.sum(axis=1, dtype=np.float64)
        if self.filters.bias is not None:
            total += self.filters.bias[:, None, None]
        return float(apart(total, self.maps).max())

    def named(self, parts: Floats | None = None) -> list[tuple[str, Floats]]:
        """List the maps with their names, each after its parts where those are given."""
        if parts is None:
            return list(zip(self.names, self.maps, strict=True))
        found: list[tuple[str, Floats]] = []
        for index, (name, values) in enumerate(zip(self.names, self.maps, strict=True)):
            found += [
                (f"{name}: {self.picture.channels[channel]} partial map", part)
                for channel, part in zip(self.layer.channels_of(index), parts[index], strict=True)
            ]
            found.append((name, values))
        return found

    def flip_difference(self) -> Floats:
        """Compute what turning every kernel half round changes: these maps less those of the turned kernels.

        Returns
        -------
        ndarray, shape (O, H', W'), float32
            With flipped kernels: convolution less cross-correlation.
        """
        turned = self.filters.turned()
        with np.errstate(invalid="ignore"):
            return np.subtract(self.maps, apply(self.layer, self.picture.x, turned, backend=self.backend))

    def largest(self, values: Floats) -> tuple[float, str, HW]:
        """Find the largest finite magnitude in an array shaped as the maps, its map and its position."""
        index, row, column = np.unravel_index(place_of_largest(values), values.shape)
        return float(abs(values[index, row, column])), self.names[int(index)], HW(int(row), int(column))


class _Shared:
    """Rows of several arrays that are made together; each thread keeps those that it asked for last."""

    def __init__(self, make: Callable[[int, int], Floats]) -> None:
        self._make, self._last = make, threading.local()

    def rows(self, top: int, bottom: int) -> Floats:
        """Make the rows from `top` to `bottom` of all arrays, or give them again."""
        if getattr(self._last, "place", None) != (top, bottom):
            self._last.values, self._last.place = self._make(top, bottom), (top, bottom)
        return cast("Floats", self._last.values)


@dataclass(frozen=True, slots=True, eq=False)
class _RowsOf:
    """One of the arrays that are made together."""

    shared: _Shared
    index: int
    shape: tuple[int, int]

    def __getitem__(self, rows: slice) -> Floats:
        top, bottom, _ = rows.indices(self.shape[0])
        values: Floats = self.shared.rows(top, bottom)[self.index]
        return values
