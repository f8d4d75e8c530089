"""Hold the maps that a layer makes of a picture, as a value that shows and saves itself."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convviz import __version__
from convviz.compute import backends
from convviz.compute.conv import apply
from convviz.compute.feature_maps import LayerRun
from convviz.compute.survey import ArraySummary, survey
from convviz.compute.weights import LayerWeights, map_names, of_module, seeded
from convviz.errors import ShapeError, SpecError
from convviz.images import decode
from convviz.images.finite import all_finite
from convviz.images.picture import RGBA
from convviz.render.contrast import Contrast, Drawn, contrasts
from convviz.render.sheets import overview
from convviz.render.sheets.kernels import MOST, Filter
from convviz.render.sheets.layout import MAX_SHEET_PIXELS, Sheet
from convviz.render.sheets.planning import least_area
from convviz.render.sheets.receptive_field import NOTHING, Panel, panel
from convviz.results import outputs
from convviz.spec import scales, settings
from convviz.spec.geometry import HW, check_inside
from convviz.spec.layers import Conv2d
from convviz.spec.network import SizedStep, alone
from convviz.spec.reach import Box
from convviz.text import plural
from convviz.typing import Floats

if TYPE_CHECKING:
    from convviz.results.pages import Page

# Maps of at most this many values, 64 MiB, are kept after they are computed. For larger maps, fresh
# memory costs about a nanosecond per byte (measured in 2026), and most maps are quicker to compute again:
# maps of at most this many MACs per value are not kept, nor are maps of more than 1 GiB.
_VALUES_TO_KEEP, _MACS_TO_REPEAT, _MOST_VALUES_TO_KEEP = 1 << 24, 150, 1 << 28
_NO_PROGRAM = "# this layer was made in Python: no file holds its weights"
# The input in colour and pictures of a receptive field, at most, stand beside the channels.
_BESIDE = 8
# The number of full-size maps to compute together while the sheet is painted.
_TOGETHER = 8


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMaps(LayerRun):
    """Hold a run of one layer that draws, stores and shows itself; it has the parameters of `LayerRun`."""

    def __repr__(self) -> str:
        h, w = self.shape[1:]
        return f"<FeatureMaps: {self.shape[0]} maps of {h}x{w} by {self.layer}, computed by {self.backend}>"

    def grid(
        self, *, parts: Floats | None = None, differences: Floats | None = None, **looks: Any
    ) -> Image.Image:
        """Draw the input, its channels and all maps on one sheet.

        Parameters
        ----------
        parts : ndarray, shape (O, I / groups, H', W'), float32, optional
            The result of `partial`: with it, every filter has its own row, with the
            part of every channel, the bias and the sum.
        differences : ndarray, shape (O, H', W'), float32, optional
            The result of `flip_difference`: with it, every filter shows its map before the kernels were
            rotated, its map, and the difference.
        **looks
            Fields of `convviz.spec.settings.SheetSettings`: `tile`, the longest side of a map in
            pixels, or None to keep every pixel; `columns`; `colormap`; `limits`, such as
            "percentile" (the 1st and the 99th of each map), "percentile:5", "minmax",
            "symmetric" or "-1,1"; `scale`, "map", "layer" or "global"; `kernels`, whether the kernels of
            the filter stand above every map; `title`, `captions`, `font_size` and `layout`.

        Returns
        -------
        PIL.Image.Image
            Mode RGB.

        Raises
        ------
        SpecError, UnknownNameError
            If `tile` or `columns` is not a whole number of at least 1, or a name is not known.
        """
        return self.sheet(parts=parts, differences=differences, **looks).image()

    def sheet(
        self,
        *,
        parts: Floats | None = None,
        differences: Floats | None = None,
        chosen: Sequence[int] | None = None,
        seen: Panel = NOTHING,
        **looks: Any,
    ) -> Sheet:
        """Lay out the sheet of `grid`, which is painted when it is written; take the parameters of `grid`.

        `chosen` lists the maps to draw, all by default; then no more channels than maps are drawn.
        `seen` is the panel beside the input.
        """
        look = settings.SheetSettings.of(**looks)
        tile, columns = look.tile, look.columns
        found = self.summary(tile, moments=False)
        _, after = self.fit(tile)
        maps = found.maps
        if after >= 1:
            # The maps of one row of tiles, or of a part of a row, are painted at the same time.
            whole = self._whole(columns or _TOGETHER)
            maps = [replace(one, small=rows) for one, rows in zip(maps, whole, strict=True)]
        filters = self.filters
        if self.origin:  # which names the layer
            filters = replace(filters, names=map_names(len(filters.names)))
        order = range(len(maps)) if chosen is None else chosen
        filters = filters.chosen(order)
        read: Sequence[int] = range(self.layer.in_channels)
        # The channels of a picture, and those above partial maps, are all drawn.
        if chosen is not None and parts is None and self.layer.in_channels > max(len(chosen), len(RGBA)):
            read = self.picture.strongest(len(chosen))
        kernels = None
        if look.kernels:
            kernels = Filter.all_of(
                self.layer,
                filters,
                self.picture.channels,
                indices=order,
                most=MOST if parts is None else self.layer.in_channels,
            )
        # Maps that are enlarged are summarized whole, whatever their size on the sheet.
        size = HW(*self.shape[1:])
        tile = look.tile_or(scales.usual(len(read) + len(order), self.picture.size, size))
        return overview.draw(
            self.picture,
            self.layer,
            filters,
            channels={index: found.channels[index] for index in read},
            maps={index: maps[index] for index in order},
            parts=None if parts is None else [_summaries(parts[index], after) for index in order],
            flips=None if differences is None else self._flips(differences, after, order),
            kernels=kernels,
            scale=self.fit(tile),
            columns=columns,
            look=look,
            seen=replace(
                seen,
                words=(*filter(None, [self.origin]), *seen.words),
                first=(self.transposed.sentence,) if self.transposed else (),
            ),
        )

    def receptive_field(self, at: HW) -> Box:
        """Find the rows and columns of the input on which the output value at a position depends.

        Raises
        ------
        SpecError
            If the position does not exist in the maps.
        """
        check_inside("field", at, HW(*self.shape[1:]), what="the maps")
        step = self._step
        assert step.height is not None
        assert step.width is not None
        return Box.of(step.height, step.width, at)

    def seen(self, at: HW, *, tile: int | None = 320, effective: bool = False) -> Panel:
        """Draw the receptive field of the output value at a position, for the sheet.

        Parameters
        ----------
        at : HW
            Row and column.
        tile : int or None
            Longest side of a map on the sheet, in pixels.
        effective : bool
            Whether to draw the gradient, which torch computes, over the receptive field.
        """
        box = self.receptive_field(at)
        before, _ = self.fit(tile)
        gradient = None
        if effective:
            own = self.filters
            weights = {"map": {"weight": own.weight} | ({} if own.bias is None else {"bias": own.bias})}
            torch_networks = backends.load_torch_networks()
            gradient = torch_networks.gradient([self._step], self.picture.x, weights, name="map", at=at)
        channels = self.summary(tile, moments=False).channels
        cell = max(1, int(before))
        return panel(self.picture, channels, "the output", at=at, box=box, cell=cell, gradient=gradient)

    @property
    def _step(self) -> SizedStep:
        """The layer as a network of one step."""
        return alone(self.layer, self.picture.size)

    def _flips(
        self, differences: Floats, scale: float, order: Sequence[int]
    ) -> list[tuple[ArraySummary, ArraySummary]]:
        """Summarize the maps before the kernels were rotated, and the differences of the maps from them."""
        if all_finite(differences):
            before = np.subtract(self.maps, differences)
        else:  # infinity minus infinity cannot be reversed
            before = apply(self.layer, self.picture.x, self.filters.turned(), backend=self.backend)
        both = (_summaries(values[list(order)], scale) for values in (before, differences))
        return list(zip(*both, strict=True))

    def contrasts(self, picture: settings.SheetSettings) -> list[Contrast]:
        """Choose how every map is drawn, on the sheet and as a separate picture."""
        found = self.summary(picture.tile, moments=False)
        size = HW(*self.shape[1:])
        return contrasts([Drawn.of(one, size) for one in found.maps], picture)

    def explore(self, path: str = "input.npy", **looks: Any) -> "Page":
        """Make an interactive page of the layer on its input.

        Parameters
        ----------
        path : str
            The name of the input in the command on the page.
        **looks
            The initial colours for the values of maps: `colormap`, `limits` and `scale`, as for `grid`.

        Returns
        -------
        Page
            It shows itself in a notebook, and has ``save(path)``.

        Raises
        ------
        SpecError
            If the input or the layer is too large for a page.

        Examples
        --------
        >>> run(np.ones((1, 4, 4)), Conv2d(1, 2, 3)).explore().text.startswith("<!doctype html>")
        True
        """
        from convviz.page.page import MOST_FILTERS, page
        from convviz.page.stored import Told, stored_page
        from convviz.results.pages import Page, of_layer

        colours = settings.PageSettings.of(**looks)
        if self.layer.out_channels > MOST_FILTERS:  # on a page with settings each filter is a choice
            stored = of_layer(self.picture, self.layer, weights=self.filters, maps=self.maps)
            told = Told(repr(self.layer), self.backend, code=_NO_PROGRAM)
            return Page(stored_page(path, stored.stored, stored.chain, told=told, looks=colours))
        text = page(
            path,
            self.picture,
            self.layer,
            weights=self.filters,
            settings=settings.LayerSettings(),
            looks=colours,
            words=self._kernels(),
        )
        return Page(text)

    def _kernels(self) -> list[str]:
        """Name the weights as options of ``convviz run``; none if they are those of a new layer."""
        new, own = seeded(self.layer), self.filters
        if np.array_equal(new.weight, own.weight) and np.array_equal(
            [] if new.bias is None else new.bias, [] if own.bias is None else own.bias
        ):
            return []
        biases = [] if own.bias is None else [f"--bias-values={','.join(map(str, own.bias.tolist()))}"]
        return ["-K kernels.json", *biases]

    def arrays(
        self, *, parts: Floats | None = None, differences: Floats | None = None
    ) -> dict[str, NDArray[Any]]:
        """Gather the arrays for `save`: input, weight, bias if any, maps, names, and other given arrays."""
        stored: dict[str, NDArray[Any]] = {"input": self.picture.x, "weight": self.filters.weight}
        if self.filters.bias is not None:
            stored["bias"] = self.filters.bias
        stored |= {"maps": self.maps, "names": np.array(self.names)}
        more = {"partial": parts, "flip_difference": differences}
        return stored | {name: array for name, array in more.items() if array is not None}

    def save_maps(
        self,
        folder: Path,
        description: dict[str, Any],
        *,
        picture: settings.SheetSettings | None = None,
        **more: Any,
    ) -> list[Path]:
        """Write every map as a separate PNG, one pixel per value.

        Parameters
        ----------
        folder : Path
            The folder to write to; it is made if it does not exist.
        description : dict
            The metadata of each file.
        picture : SheetSettings, optional
            How values become brightness; summaries for a sheet with the same settings are used again.
        **more
            As for `convviz.results.outputs.write_maps`: force, inputs, advance.

        Returns
        -------
        list of Path
            The files, in the order of the maps.
        """
        picture = picture or settings.SheetSettings()
        return outputs.write_maps(
            self.names,
            HW(*self.shape[1:]),
            self.contrasts(picture),
            bands=self.bands,
            folder=folder,
            description=description,
            colormap=picture.colormap,
            **more,
        )

    def save(self, path: str | Path, *, force: bool = False, partial: bool = False) -> None:
        """Write the sheet (.png, .svg, .pdf, .webp, .jpg) or the exact numbers (.npz, .npy, .safetensors).

        Parameters
        ----------
        path : str or Path
            The file to write; its ending sets the format.
        force : bool
            Replace a file that convviz did not write.
        partial : bool
            Draw or store the partial maps too.

        Raises
        ------
        OutputError
            If the file cannot be written, or exists and was not written by convviz.
        """
        parts = self.partial() if partial else None
        outputs.save_answer(
            Path(path),
            lambda: self.sheet(parts=parts),
            lambda: self.arrays(parts=parts),
            description=self.description(),
            force=force,
        )

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the run for the metadata of a file: version, layer and settings."""
        made = {"version": __version__, "layer": repr(self.layer), "backend": self.backend}
        if self.device != "cpu":
            made["device"] = self.device
        return made | settings.as_text(*chosen)

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.grid())


def check_room(layer: Conv2d, size: HW, look: settings.SheetSettings, *, count: int | None = None) -> int:
    """Refuse a layer whose maps, all or `count` of them, make too large a sheet, before it is computed.

    Returns
    -------
    int
        A number of pixels that the sheet for an input of `size` has at least.

    Raises
    ------
    SpecError
        If that is more than `MAX_SHEET_PIXELS`.

    Examples
    --------
    >>> check_room(Conv2d(1, 1 << 20, 1), HW(8, 8), settings.SheetSettings())
    Traceback (most recent call last):
    ...
    convviz.errors.SpecError: the picture of 1,048,576 maps would have at least ...
    """
    count = layer.out_channels if count is None else count
    maps = layer.output_size(size)
    tile = look.tile_or(scales.usual(layer.in_channels + count, size, maps))
    _, scale = scales.fit_both(size, maps, tile)
    drawn = HW(*(max(1, int(side * scale)) for side in maps))
    pixels = least_area(count, drawn, others=layer.in_channels + _BESIDE, look=look)
    if pixels > MAX_SHEET_PIXELS:
        raise SpecError(
            f"the picture of {plural(count, 'map')} would have at least {pixels:,} pixels, more than "
            f"{MAX_SHEET_PIXELS:,}; lower --tile, or draw fewer maps."
        )
    return pixels


def _summaries(maps: Floats, scale: float) -> list[ArraySummary]:
    """Summarize maps of one filter, or one map of each filter."""
    return survey(maps, scale, moments=False, spread=True)


def run(
    image: Any,
    layer: Any,
    weights: Any = None,
    *,
    backend: str = "auto",
    device: str = "cpu",
    keep: bool = True,
) -> FeatureMaps:
    """Run one layer on one picture.

    Parameters
    ----------
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture that is already read, or numbers; (H, W, C) if no other order is possible.
    layer : Conv2d or torch.nn.Conv2d
        The layer; a torch module brings its own weights.
    weights : LayerWeights, array_like or (array_like, array_like), optional
        The weights of the layer: `LayerWeights`, a weight, or a weight and a bias. By
        default the weights that torch draws with seed 0.
    backend : {"auto", "numpy", "torch"}
        The library that computes; "auto" uses torch if that makes up for the time to load it.
    device : {"cpu", "cuda", "mps"}
        The device on which torch computes.
    keep : bool
        Whether to compute the maps now and keep them, if they are smaller than 1 GiB.
        Otherwise, if that is quicker than keeping them, they are computed in bands of rows
        when they are needed.

    Returns
    -------
    FeatureMaps
        The maps with everything that they were made from; a notebook shows them as a picture.

    Raises
    ------
    InputError
        If the file cannot be read.
    SpecError, ShapeError
        If input, layer and weights do not fit each other.
    BackendError
        If the backend or the device is not available.

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
    picture = decode.as_picture(image, channels=layer.in_channels)
    channels = picture.shape[0]
    if channels != layer.in_channels:
        raise ShapeError(
            f"the input has {plural(channels, 'channel')}, but {layer} reads {layer.in_channels}."
        )
    if weights is None:
        weights = seeded(layer)
    elif isinstance(weights, LayerWeights):
        weights = LayerWeights.of(layer, weights.weight, weights.bias, names=weights.names)
    else:
        weight, bias = weights if isinstance(weights, tuple) else (weights, None)
        weights = LayerWeights.of(layer, weight, bias)
    chosen = backends.choose(backend, macs=layer.macs(picture.shape), device=device)
    backends.load(chosen)  # the time to import is not time to compute
    size = layer.output_size(picture.size)
    values = layer.out_channels * size.h * size.w
    repeat = not keep and layer.macs(picture.shape) <= _MACS_TO_REPEAT * values
    if values > (_VALUES_TO_KEEP if repeat else _MOST_VALUES_TO_KEEP):
        return FeatureMaps(None, layer, weights, picture, chosen, device=device)
    start = time.perf_counter()
    maps = apply(layer, picture.x, weights, backend=chosen, device=device)
    return FeatureMaps(maps, layer, weights, picture, chosen, time.perf_counter() - start, device)
