"""From an input and a layer to feature maps: padding, backend, bias, and nothing else."""

import io
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convviz import __version__, backends, images, memory, outputs, parallel, settings
from convviz.errors import BackendError, ShapeError, SpecError
from convviz.geometry import HW, Edges, source_of, span
from convviz.images import Picture
from convviz.layers import Conv2d, PaddingLike
from convviz.render import overview
from convviz.render.field import NOTHING, Panel
from convviz.render.grid import Sheet, columns_for
from convviz.survey import Field, Rows, Survey, survey
from convviz.text import plural
from convviz.weights import FilterBank, map_names, seeded

Floats = NDArray[np.float32]

_NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}

# Maps of at most so many values, 64 MiB, are kept once they are computed. Of more, memory that was not
# touched before costs about a nanosecond a byte (measured in 2026), and most maps take less to compute again:
# those of at most so many multiply-adds a value are not kept, nor are maps of more than 1 GiB.
_VALUES_TO_KEEP, _MACS_TO_REPEAT, _MOST_VALUES_TO_KEEP = 1 << 24, 150, 1 << 28
# What a band of rows may take, with the rows of the input that it is made from: it stays in a shared cache.
_BAND_BYTES = 1 << 23
# Of very wide rows so much is taken at most, and one row at least.
_MOST_BAND_BYTES = 1 << 26
_SMALLER = "ask for fewer or smaller maps: less padding, a larger stride"
# A second thread pays from this many values on.
_VALUES_TO_SHARE = 1 << 19

# Two backends add up in different orders; this is what they may differ by, as a part of the largest sum of
# products that a map could have. float32 carries 6e-8.
AGREEMENT = 1e-5


def pad(x: Floats, edges: Edges, padding_mode: str = "zeros") -> Floats:
    """Put a border round the last two axes.

    Parameters
    ----------
    x : ndarray, shape (..., H, W), float32
        The input.
    edges : Edges
        Widths of the border, in pixels.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the border holds.

    Returns
    -------
    ndarray, shape (..., H + top + bottom, W + left + right), float32
        `x` itself where there is nothing to add.

    Examples
    --------
    >>> pad(np.array([[1, 2, 3]], np.float32), Edges(0, 0, 1, 2), "circular")
    array([[3., 1., 2., 3., 1., 2.]], dtype=float32)
    """
    if not any(edges):
        return x
    *others, h, w = x.shape
    size = math.prod(others) * (h + sum(edges.height)) * (w + sum(edges.width)) * x.itemsize
    memory.need(size, "the padded planes", "make the padding smaller")
    widths = [(0, 0)] * (x.ndim - 2) + [edges.height, edges.width]
    return cast("Floats", np.pad(x, widths, mode=cast("Any", _NUMPY_MODES[padding_mode])))


def apply(layer: Conv2d, x: Floats, bank: FilterBank, *, backend: str, device: str = "cpu") -> Floats:
    """Compute the feature maps of one layer with a backend of the table.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    x : ndarray, shape (C, H, W), float32
        The input.
    bank : FilterBank
        The numbers of `layer`.
    backend : str
        A name of `convviz.backends`; not "auto".
    device : str
        Where to compute.

    Returns
    -------
    ndarray, shape (O, H', W'), float32
        The feature maps, with the bias added.
    """
    size = HW(*x.shape[1:])
    h, w = layer.output_size(size)
    memory.need(4 * layer.out_channels * h * w, f"{plural(layer.out_channels, 'map')} of {h}x{w}", _SMALLER)
    padded = pad(x, layer.edges(size), layer.padding_mode)
    return _convolved(layer, padded, bank, backend=backend, device=device)


def _convolved(layer: Conv2d, padded: Floats, bank: FilterBank, *, backend: str, device: str) -> Floats:
    """Cross-correlate what is padded already, and add the bias."""
    # A step beyond the input leaves one window or one tap, like one as long as the input; and machines do
    # not count as far as a user may.
    stride, dilation = (
        HW(*(min(step, length) for step, length in zip(steps, padded.shape[1:], strict=True)))
        for steps in (layer.stride, layer.dilation)
    )
    maps: Floats = backends.load(backend)(
        padded,
        bank.weight,
        stride=stride,
        dilation=dilation,
        groups=layer.groups,
        device=device,
    )
    bias = bank.bias
    if bias is None:
        return maps

    def work(mine: Iterator[int]) -> None:
        # As in torch, what float32 cannot hold becomes infinite without a word; FeatureMaps refuses it.
        with np.errstate(over="ignore", invalid="ignore"):
            for index in mine:
                maps[index] += bias[index]

    if maps.size >= _VALUES_TO_SHARE:
        parallel.share(range(len(maps)), work)
    else:
        work(iter(range(len(maps))))
    return maps


def _padded_rows(layer: Conv2d, picture: Picture, top: int, bottom: int) -> Floats:
    """Read the rows of a padded picture that output rows from `top` to `bottom` see."""
    edges, h = layer.edges(picture.size), picture.size.h
    first = top * layer.stride.h - edges.top
    last = (bottom - 1) * layer.stride.h + span(layer.kernel_size.h, dilation=layer.dilation.h) - edges.top

    def line(row: int) -> Floats:
        source = source_of(row, h, layer.padding_mode)
        if source is None:
            return np.zeros((picture.shape[0], 1, picture.size.w), np.float32)
        return picture.rows(source, source + 1)

    rows = [line(row) for row in range(first, min(last, 0))]
    if max(first, 0) < min(last, h):
        rows.append(picture.rows(max(first, 0), min(last, h)))
    rows += [line(row) for row in range(max(first, h), last)]
    x = rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)
    return pad(x, Edges(0, 0, edges.left, edges.right), layer.padding_mode)


def partial_maps(
    layer: Conv2d, x: Floats, bank: FilterBank, *, backend: str = "numpy", device: str = "cpu"
) -> Floats:
    """Compute what every 2-D kernel makes of its plane, before the sum over planes and the bias.

    Returns
    -------
    ndarray, shape (O, I / groups, H', W'), float32
        Partial maps; with the bias they add up to the feature maps.
    """
    filters, planes, kh, kw = layer.weight_shape
    per_group = filters // layer.groups
    # One group per input plane, with every filter that reads it: then no two planes are ever added up.
    apart = Conv2d(
        layer.in_channels,
        layer.in_channels * per_group,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        groups=layer.in_channels,
        bias=False,
        padding_mode=layer.padding_mode,
    )
    by_group = bank.weight.reshape(layer.groups, per_group, planes, kh, kw)
    weight = np.ascontiguousarray(by_group.swapaxes(1, 2)).reshape(apart.weight_shape)
    parts = apply(
        apart, x, FilterBank(weight, None, map_names(apart.out_channels)), backend=backend, device=device
    )
    h, w = parts.shape[1:]
    return parts.reshape(layer.groups, planes, per_group, h, w).swapaxes(1, 2).reshape(filters, planes, h, w)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: PaddingLike = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    backend: str = "numpy",
) -> Floats:
    """Convolve as ``torch.nn.functional.conv2d`` does, with any padding.

    Parameters
    ----------
    x : array_like, shape (C, H, W) or (N, C, H, W), float32
        The input, or N of them.
    weight : array_like, shape (O, C / groups, kh, kw), float32
        The filters.
    bias : array_like, shape (O,), float32, optional
        Added to every map.
    stride, dilation : int or (int, int)
        Pixels between neighbouring windows; pixels between neighbouring taps.
    padding : int, (int, int), ((int, int), (int, int)), "same", "same-lower" or "valid"
        Pixels on all sides; for (height, width); or ``((top, bottom), (left, right))``.
    groups : int
        Parts into which planes and filters are split.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding holds.
    backend : {"numpy", "torch", "auto"}
        What computes.

    Returns
    -------
    ndarray, shape (O, H', W') or (N, O, H', W'), float32
        The feature maps.

    Raises
    ------
    SpecError, ShapeError
        If the arguments do not fit each other.

    Examples
    --------
    >>> conv2d([[[1, 2], [3, 4]]], [[[[1, 1]]]], padding="same")
    array([[[3., 2.],
            [7., 4.]]], dtype=float32)
    """
    x, weight = np.asarray(x, np.float32), np.asarray(weight, np.float32)
    if x.ndim not in (3, 4):
        raise ShapeError(f"an input is (C, H, W) or (N, C, H, W), not {x.shape}.")
    if weight.ndim != 4:
        raise ShapeError(f"a weight is (O, C/groups, kh, kw), not {weight.shape}.")
    if x.shape[-3] != weight.shape[1] * groups:
        raise ShapeError(
            f"the weight {weight.shape} with groups={groups} reads {weight.shape[1] * groups} channels, "
            f"but the input {x.shape} has {x.shape[-3]}."
        )
    layer = Conv2d(
        x.shape[-3],
        weight.shape[0],
        HW(*weight.shape[2:]),
        stride,
        padding,
        dilation,
        groups,
        bias is not None,
        padding_mode,
    )
    size = HW(*x.shape[-2:])
    bank = FilterBank.of(layer, weight, bias)
    chosen = backends.choose(backend, macs=layer.macs(size))
    if x.ndim == 3:
        return apply(layer, x, bank, backend=chosen)
    out = np.empty((x.shape[0], layer.out_channels, *layer.output_size(size)), np.float32)
    for index, one in enumerate(x):
        out[index] = apply(layer, one, bank, backend=chosen)
    return out


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
        Over all of its values; the deviation is that of the values, not an estimate.
    """

    index: int
    name: str
    min: float
    max: float
    mean: float
    std: float

    @property
    def energy(self) -> float:
        """Mean of the squares of all values."""
        return self.mean**2 + self.std**2


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Planes and maps of a run in a few numbers, and brought to the size of a sheet.

    Parameters
    ----------
    tile : int or None
        Longest side on the sheet; as for `FeatureMaps.grid`.
    moments : bool
        Whether means and deviations are among them.
    planes, maps : list of Field
        Of every plane of the input, and of every map.
    """

    tile: int | None
    moments: bool
    planes: list[Field]
    maps: list[Field]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMaps:
    """What a layer makes of a picture, with everything it was made from.

    Parameters
    ----------
    values : ndarray, shape (O, H', W'), float32, optional
        The feature maps. Without them the maps are computed band by band, when
        they are asked for: all maps of a large picture may be more than there is
        memory for.
    layer : Conv2d
        The layer.
    filters : FilterBank
        Its numbers.
    picture : Picture
        The input.
    backend : str
        What computed.
    seconds : float
        How long it took.
    device : str
        Where it computed.

    Raises
    ------
    ShapeError
        If the shape is not that of the shape arithmetic.
    SpecError
        If a value is not finite: the sum was too large for float32.
    """

    values: Floats | None
    layer: Conv2d
    filters: FilterBank
    picture: Picture
    backend: str
    seconds: float = field(default=0.0)
    device: str = "cpu"
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.values is not None:
            self._check(self.values)

    def _check(self, values: Floats) -> None:
        """Refuse maps of another shape, and what is not a finite number."""
        if values.shape != self.shape:
            raise ShapeError(
                f"the {self.backend} backend made maps of shape {values.shape}, not {self.shape}."
            )
        self._check_finite(values, 0)

    def _check_finite(self, values: Floats, top: int) -> None:
        """Refuse rows, from `top` on, that hold what is not a finite number."""
        # A sum of finite numbers may overflow, but a sum with others never comes out finite.
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(values.sum())
        if not finite and not np.isfinite(values).all():
            index, row, column = np.argwhere(~np.isfinite(values))[0]
            raise SpecError(
                f"map {index} overflows float32 at row {top + row}, column {column}; "
                "scale the input or the weights."
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
        """Give the rows from `top` to `bottom` of the chosen maps, shape (maps, bottom - top, W')."""
        if self.kept:
            return self.maps[chosen, top:bottom]
        layer, bank = self.layer, self.filters
        padded = _padded_rows(layer, self.picture, top, bottom)
        if layer.groups == 1 and chosen != slice(None):
            bank = bank.chosen(chosen)
            layer = replace(layer, out_channels=len(bank.names))
            chosen = slice(None)
        values = _convolved(layer, padded, bank, backend=self.backend, device=self.device)
        return values[chosen]

    def bands(self, chosen: slice = slice(None)) -> Iterator[Floats]:
        """Give the rows of the chosen maps from the top down, some at a time, shape (maps, rows, W')."""
        for top in self._tops():
            yield self._band(top, chosen)

    def _band(self, top: int, chosen: slice = slice(None)) -> Floats:
        """Give the rows of one band."""
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
        planes, _, width = self.picture.shape
        maps, _, columns = self.shape
        padded = width + sum(self.layer.edges(self.picture.size).width)
        return 4 * (maps * columns + planes * (width + padded) * self.layer.stride.h)

    def summary(
        self,
        tile: int | None = 320,
        *,
        moments: bool = True,
        advance: Callable[[int], None] = lambda rows: None,
    ) -> Summary:
        """Look through planes and maps once; what `statistics` and `grid` need is kept.

        Parameters
        ----------
        tile : int or None
            Longest side of a map on the sheet, as for `grid`.
        moments : bool
            Whether to sum up the mean and the deviation of every map.
        advance : callable
            Told how many output rows were done, as they are; all together there
            are as many as `shape` says.

        Returns
        -------
        Summary
            The same again, until another `tile` is asked for.
        """
        known: Summary | None = self._made.get("summary")
        if known is not None and known.tile == tile and known.moments >= moments:
            return known
        count, *size = self.shape
        before, after = overview.scales(self.picture.size, HW(*size), tile)
        tiles = count * math.prod(after * side for side in size) if after < 1 else 0
        # Half as much again for what the backend lays out.
        bands = 0 if self.kept else 1.5 * parallel.threads() * self._tops().step * self._row_bytes
        memory.need(4 * tiles + bands, f"the tiles of {plural(count, 'map')}", _SMALLER)
        planes = self._plane_fields(before)
        looking = Survey(count, HW(*size), after, moments=moments)

        def work(mine: Iterator[int]) -> None:
            for top in mine:
                band = self._band(top)
                self._check_finite(band, top)
                for index, values in enumerate(band):
                    looking.look(index, top, values)
                advance(band.shape[1])

        # torch has threads of its own.
        if self.backend == "numpy" or self.kept:
            parallel.share(self._tops(), work)
        else:
            work(iter(self._tops()))
        maps = looking.fields(self._whole(count) if after >= 1 else None)
        self._made["summary"] = Summary(tile, moments, planes, maps)
        return cast("Summary", self._made["summary"])

    def _plane_fields(self, scale: float) -> list[Field]:
        """Sum up the planes of the input."""
        picture = self.picture
        if isinstance(picture.planes, np.ndarray):
            return survey(picture.planes, scale, moments=False)
        count, height, width = picture.shape
        looking = Survey(count, HW(height, width), scale, moments=False)
        step = max(1, _BAND_BYTES // (4 * count * width))

        def work(mine: Iterator[int]) -> None:
            for top in mine:
                for index, plane in enumerate(picture.rows(top, min(top + step, height))):
                    looking.look(index, top, plane)

        parallel.share(range(0, height, step), work)
        if scale < 1:
            return looking.fields()
        shared = _Shared(picture.rows)
        return looking.fields([_RowsOf(shared, index, (height, width)) for index in range(count)])

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
        fields = (known if known is not None and known.moments else self.summary()).maps
        return [
            MapStatistics(index, name, of.low, of.high, of.mean, of.std)
            for index, (name, of) in enumerate(zip(self.names, fields, strict=True))
        ]

    def sparsity(self) -> list[float]:
        """Tell the share of zeros in every map."""
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
        """Tell how far the sums of partial maps and the bias are from the maps, at most."""
        total = parts.sum(axis=1, dtype=np.float64)
        if self.filters.bias is not None:
            total += self.filters.bias[:, None, None]
        return float(np.abs(total - self.maps).max())

    def named(self, parts: Floats | None = None) -> list[tuple[str, Floats]]:
        """List the maps with their names, each after its parts where those are given."""
        if parts is None:
            return list(zip(self.names, self.maps, strict=True))
        found: list[tuple[str, Floats]] = []
        for index, (name, values) in enumerate(zip(self.names, self.maps, strict=True)):
            found += [
                (f"{name}: {self.picture.channels[plane]} part", part)
                for plane, part in zip(self.layer.planes_of(index), parts[index], strict=True)
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
        return np.subtract(self.maps, apply(self.layer, self.picture.x, turned, backend=self.backend))

    def largest(self, values: Floats) -> tuple[float, str, HW]:
        """Find the largest magnitude in an array of the shape of the maps, its map and its position."""
        index, row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
        return float(abs(values[index, row, column])), self.names[int(index)], HW(int(row), int(column))

    def grid(
        self,
        *,
        tile: int | None = 320,
        columns: int | None = None,
        colormap: str = "gray",
        scale: str = "map",
        parts: Floats | None = None,
        differences: Floats | None = None,
    ) -> Image.Image:
        """Draw the input, its planes and all maps on one sheet.

        Parameters
        ----------
        tile : int or None
            Longest side of a map, in pixels; None keeps every pixel.
        columns : int, optional
            Maps in one row; chosen to leave few places empty by default.
        colormap : str
            As for `convviz.render.tone.colours`.
        scale : {"map", "global"}
            Whether each map has its own black and white.
        parts : ndarray, shape (O, I / groups, H', W'), float32, optional
            What `partial` gives: then every filter has a row of its own, with the
            part of every plane, the bias and the sum.
        differences : ndarray, shape (O, H', W'), float32, optional
            What `flip_difference` gives: drawn below the maps.

        Returns
        -------
        PIL.Image.Image
            Mode RGB.
        """
        return self.sheet(
            tile=tile, columns=columns, colormap=colormap, scale=scale, parts=parts, differences=differences
        ).image()

    def sheet(
        self,
        *,
        tile: int | None = 320,
        columns: int | None = None,
        colormap: str = "gray",
        scale: str = "map",
        parts: Floats | None = None,
        differences: Floats | None = None,
        chosen: Sequence[int] | None = None,
        seen: Panel = NOTHING,
    ) -> Sheet:
        """Lay out what `grid` draws, to be painted while it is written; with the parameters of `grid`.

        `chosen` lists the maps to draw, all by default; `seen` is to be put beside the input.
        """
        found = self.summary(tile, moments=False)
        _, after = overview.scales(self.picture.size, HW(*self.shape[1:]), tile)
        maps = found.maps
        if after >= 1:
            # The maps of one row of tiles are painted at the same time.
            whole = self._whole(columns or columns_for(len(maps)))
            maps = [replace(field, small=rows) for field, rows in zip(maps, whole, strict=True)]
        filters = self.filters
        if chosen is not None:
            maps, filters = [maps[index] for index in chosen], filters.chosen(chosen)
        return overview.draw(
            self.picture,
            self.layer,
            filters,
            found.planes,
            maps,
            parts=None if parts is None else [survey(row, after, moments=False) for row in parts],
            differences=None if differences is None else survey(differences, after, moments=False),
            tile=tile,
            columns=columns,
            colormap=colormap,
            scale=scale,
            seen=seen,
        )

    def arrays(
        self, *, parts: Floats | None = None, differences: Floats | None = None
    ) -> dict[str, NDArray[Any]]:
        """Gather what `save` stores: input, weight, bias if any, maps, names, and what else is given."""
        stored: dict[str, NDArray[Any]] = {"input": self.picture.x, "weight": self.filters.weight}
        if self.filters.bias is not None:
            stored["bias"] = self.filters.bias
        stored |= {"maps": self.maps, "names": np.array(self.names)}
        more = {"partial": parts, "flip_difference": differences}
        return stored | {name: array for name, array in more.items() if array is not None}

    def save(self, path: str | Path, *, force: bool = False, partial: bool = False) -> None:
        """Write the sheet (.png) or the exact numbers (.npz, .npy, .safetensors).

        Parameters
        ----------
        path : str or Path
            The file to write; its ending says what.
        force : bool
            Replace a file that convviz did not write.
        partial : bool
            Draw or store the partial maps too.

        Raises
        ------
        OutputError
            If the file cannot be written, or is not ours to replace.
        """
        path = Path(path)
        parts = self.partial() if partial else None
        if path.suffix.lower() == ".png":
            outputs.write_sheet(self.sheet(parts=parts), path, self.description(), force=force)
        else:
            outputs.save_arrays(self.arrays(parts=parts), path, self.description(), force=force)

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the run for the metadata of a file: version, layer and settings."""
        made = {"version": __version__, "layer": repr(self.layer), "backend": self.backend}
        if self.device != "cpu":
            made["device"] = self.device
        return made | settings.as_text(*chosen)

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        buffer = io.BytesIO()
        self.grid().save(buffer, "PNG")
        return buffer.getvalue()


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


def of_module(module: Any) -> tuple[Conv2d, FilterBank]:
    """Take a ``torch.nn.Conv2d`` as a layer with its numbers.

    Parameters
    ----------
    module : torch.nn.Conv2d
        The module, on any device.

    Returns
    -------
    layer : Conv2d
        The same layer.
    bank : FilterBank
        Copies of its weight and its bias.

    Raises
    ------
    SpecError
        If it is no such module.

    Examples
    --------
    >>> import torch
    >>> layer, bank = of_module(torch.nn.Conv2d(3, 6, 3, padding=1, bias=False))
    >>> layer, bank.weight.shape
    (Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False), (6, 3, 3, 3))
    """
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    if type(module).__name__ != "Conv2d" or not all(hasattr(module, name) for name in (*names, "weight")):
        raise SpecError(f"a layer is a Conv2d of convviz or of torch.nn, not {type(module).__name__}.")
    bias = module.bias
    arguments = {name: getattr(module, name) for name in names}
    layer = Conv2d(**arguments, bias=bias is not None, padding_mode=module.padding_mode)
    weight, bias = (
        None if tensor is None else tensor.detach().cpu().float().numpy().copy()
        for tensor in (module.weight, bias)
    )
    return layer, FilterBank.of(layer, weight, bias)


def run(
    image: Any,
    layer: Any,
    weights: Any = None,
    backend: str = "auto",
    *,
    device: str = "cpu",
    keep: bool = True,
) -> FeatureMaps:
    """Run one layer on one picture.

    Parameters
    ----------
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture already read, or numbers; (H, W, C) where only that can be meant.
    layer : Conv2d or torch.nn.Conv2d
        The layer; a module of torch brings its numbers.
    weights : FilterBank, array_like or (array_like, array_like), optional
        The numbers of the layer: a bank, a weight, or a weight and a bias. By
        default those that torch draws with seed 0.
    backend : {"auto", "numpy", "torch"}
        What computes; "auto" takes torch where that makes up for the time to load it.
    device : {"cpu", "cuda", "mps"}
        Where torch computes.
    keep : bool
        Whether the maps are computed now and kept, if they are less than 1 GiB.
        Otherwise they are computed in bands of rows, when they are asked for, where
        that is quicker than to keep them.

    Returns
    -------
    FeatureMaps
        The maps with all they were made from; a notebook shows them as a picture.

    Raises
    ------
    InputError
        If the file cannot be read.
    SpecError, ShapeError
        If input, layer and weights do not fit each other.
    BackendError
        If the backend or the device is not there.

    Examples
    --------
    >>> ones = np.ones((1, 3, 3, 3), np.float32)
    >>> result = run(np.ones((3, 4, 4)), Conv2d(3, 1, 3, bias=False), ones)
    >>> result.maps.tolist()
    [[[27.0, 27.0], [27.0, 27.0]]]
    """
    if not isinstance(layer, Conv2d):
        layer, own = of_module(layer)
        weights = own if weights is None else weights
    picture = images.as_picture(image, planes=layer.in_channels)
    planes = picture.shape[0]
    if planes != layer.in_channels:
        raise ShapeError(f"the input has {plural(planes, 'channel')}, but {layer} reads {layer.in_channels}.")
    if weights is None:
        bank = seeded(layer)
    elif isinstance(weights, FilterBank):
        bank = FilterBank.of(layer, weights.weight, weights.bias, weights.names)
    else:
        weight, bias = weights if isinstance(weights, tuple) else (weights, None)
        bank = FilterBank.of(layer, weight, bias)
    chosen = backends.choose(backend, macs=layer.macs(picture.size), device=device)
    backends.load(chosen)  # importing is not computing
    size = layer.output_size(picture.size)
    values = layer.out_channels * size.h * size.w
    repeat = not keep and layer.macs(picture.size) <= _MACS_TO_REPEAT * values
    if values > (_VALUES_TO_KEEP if repeat else _MOST_VALUES_TO_KEEP):
        return FeatureMaps(None, layer, bank, picture, chosen, device=device)
    start = time.perf_counter()
    maps = apply(layer, picture.x, bank, backend=chosen, device=device)
    return FeatureMaps(maps, layer, bank, picture, chosen, time.perf_counter() - start, device)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two backends are apart on one run.

    Parameters
    ----------
    backends : (str, str)
        Which were compared.
    difference : float
        The largest absolute difference between two values.
    relative : float
        The largest difference as a part of the largest sum of products that
        the map could have had.
    """

    backends: tuple[str, str]
    difference: float
    relative: float


def check(result: FeatureMaps, *, device: str = "cpu") -> Agreement:
    """Compute once more with the other backend and compare.

    Parameters
    ----------
    result : FeatureMaps
        What one backend made.
    device : str
        Where torch computes.

    Returns
    -------
    Agreement
        The largest differences.

    Raises
    ------
    BackendError
        If they are larger than `AGREEMENT`, or the other backend is not there.
    """
    other = next(name for name in backends.names() if name != result.backend)
    maps = apply(
        result.layer,
        result.picture.x,
        result.filters,
        backend=other,
        device=device if other == "torch" else "cpu",
    )
    apart = np.abs(maps.astype(np.float64) - result.maps).max(axis=(1, 2))
    weight = np.abs(result.filters.weight.astype(np.float64)).sum(axis=(1, 2, 3))
    largest = weight * float(np.abs(result.picture.x).max())
    if result.filters.bias is not None:
        largest += np.abs(result.filters.bias)
    relative = apart / np.maximum(largest, np.finfo(np.float32).tiny)
    agreement = Agreement((result.backend, other), float(apart.max()), float(relative.max()))
    if not agreement.relative <= AGREEMENT:
        worst = int(relative.argmax())
        raise BackendError(
            f"{result.backend} and {other} disagree on {result.names[worst]!r} by {apart[worst]:.3g}, "
            f"{agreement.relative:.1e} of its largest possible value; {AGREEMENT:g} is allowed."
        )
    return agreement
