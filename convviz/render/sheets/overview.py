"""Draw the sheet of one run: the input, its channels, and the maps of the layer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from convviz.compute.spread import Spread
from convviz.compute.survey import ArraySummary, reduced
from convviz.compute.weights import LayerWeights
from convviz.images.finite import NONE
from convviz.images.picture import RGBA, Picture
from convviz.render import palette, toned
from convviz.render.contrast import DEFAULT, Contrast, Drawn, contrasts, differs, rule
from convviz.render.palette import colours
from convviz.render.sheets import layout
from convviz.render.sheets.kernels import MOST, Filter, Kernels
from convviz.render.sheets.receptive_field import NOTHING, Panel
from convviz.render.sheets.tile import Section, Tile, brief_extent, extent, map_tile
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.scales import is_whole
from convviz.spec.settings import Look
from convviz.text import channel_label, listed, plural

# The title of a sheet of flipped kernels, and the note below it.
FLIPPED = "with flipped kernels (true convolution)"
TRIPLES = (
    "for each filter: its map, the map of its kernels rotated by 180 degrees, and the difference (the second "
    "minus the first)"
)
# Pictures of a receptive field stand beside at most this many channels, else above them.
_MOST_BESIDE = 8

# Tiles that share one scale: the name and the values of each, or None if there is nothing to draw.
_Row = list[tuple[str, ArraySummary | None]]


def draw(
    picture: Picture,
    layer: Conv2d,
    filters: LayerWeights,
    *,
    channels: Mapping[int, ArraySummary],
    maps: Mapping[int, ArraySummary],
    parts: Sequence[Sequence[ArraySummary]] | None = None,
    flips: Sequence[tuple[ArraySummary, ArraySummary]] | None = None,
    kernels: Sequence[Filter] | None = None,
    scale: tuple[float, float],
    columns: int | None = None,
    look: Look = DEFAULT,
    seen: Panel = NOTHING,
) -> layout.Sheet:
    """Draw a run on one sheet.

    Parameters
    ----------
    picture : Picture
        The input; the first row shows it and its channels.
    layer : Conv2d
        The layer, for the heading.
    filters : LayerWeights
        Its weights: names for the captions, and the bias.
    channels : mapping of int to ArraySummary
        The channels of the picture to draw, by their indices, reduced by `convviz.spec.scales.fit_both`.
    maps : mapping of int to ArraySummary
        The feature maps to draw, by their indices, reduced in the same way.
    parts : sequence of sequence of ArraySummary, optional
        Partial maps of every filter: with these, every filter has its own row, with
        the part of each channel, the bias and their sum.
    flips : sequence of (ArraySummary, ArraySummary), optional
        For every filter, the map of the kernels before they were rotated, and the difference of the map from
        it: with these, every filter shows all three.
    kernels : sequence of Filter, optional
        The kernels to draw above the maps, or above their partial maps, which need all of them.
    scale : (float, float)
        The scales of the channels and of the maps, as that function gives them.
    columns : int, optional
        Maps in one row; chosen to leave few places empty by default.
    look : Look
        How values become brightness, where a row of partial maps counts as one map; its other fields are as
        for `convviz.render.sheets.layout.sheet`.
    seen : Panel
        The pictures to put beside the input, or above its channels if these are many, and lines for the
        heading.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    table = colours(look.colormap)
    size = layer.output_size(picture.size)
    input_scale, map_scale = scale
    # The values of a row add up, so they share one scale.
    below = [] if flips is None else _flip_rows(filters, list(maps.values()), flips)
    wide, together = columns, 1
    if parts is not None:
        rows = _partial_rows(picture, layer, filters, maps=maps, parts=parts)
        if _in_colour(picture):  # the maps stand below the picture, and partial maps below their channels
            rows = [[*row[-1:], *row[:-1]] for row in rows]
        together = len(rows[0])
        wide = _multiple(columns, together)
    elif below:
        rows, below = below, []
        wide, together = _multiple(columns, 3), 3
    else:
        rows = [[(name, one)] for name, one in zip(filters.names, maps.values(), strict=True)]
    drawn = [
        [None if one is None else Drawn.of(one, size, layer=number, adds=parts is not None) for _, one in row]
        for number, part in enumerate((rows, below))
        for row in part
    ]
    said = differs(look, whole=is_whole(size), shared=look.scale != "map" or max(map(len, rows)) > 1)
    shared = [Drawn.joined([one for one in row if one is not None]) for row in drawn]
    shown = contrasts(shared, look)
    tiles = [
        _unread_tile(name, size, map_scale)
        if one is None or values is None
        else map_tile(
            name,
            one,
            replace(
                Contrast.between(contrast.tone, values, said=said),
                only=contrast.only,
                almost_zero=contrast.almost_zero,
            ),
            scale=map_scale,
            colours=table,
        )
        for row, summed, contrast in zip((*rows, *below), drawn, shown, strict=True)
        for (name, one), values in zip(row, summed, strict=True)
    ]
    count = sum(map(len, rows))
    above = None
    if kernels:
        above = _kernels(
            kernels,
            layer,
            parted=parts is not None,
            flipped=flips is not None,
            whole_first=_in_colour(picture),
        )
    # In narrow columns, what a value sees would be too small, and its words would be cut.
    apart = len(channels) > _MOST_BESIDE and bool(seen.tiles)
    sections = [
        *([Section(seen.tiles, None, palette.INPUT_BLUE)] if apart else []),
        input_section(
            picture,
            list(channels.values()),
            input_scale,
            read=list(channels),
            seen=NOTHING if apart else seen,
            look=look,
        ),
        Section(tiles[:count], wide, palette.OUTPUT_TEAL, together, above),
        *([Section(tiles[count:], _multiple(columns, 3), palette.OUTPUT_TEAL, together=3)] if below else []),
    ]
    heading = (
        *seen.first,
        repr(layer) if flips is None else f"{layer!r} {FLIPPED}",
        f"{layer.sentence};  {layer.in_channels}x{picture.size} -> {layer.out_channels}x{size}"
        + _strongest(len(maps), len(channels), layer),
        *([TRIPLES] if flips is not None else []),
        *normalization_lines(picture),
        *seen.words,
    )
    what = "map" if parts is None and flips is None else "filter"
    note = rule(
        look,
        whole=[is_whole(size)],
        what=what,
        adds=parts is not None,
        maps=shared,
    )
    if picture.activations:
        note += ". Each channel of the input has its own scale too"
        if any(_is_dead(one) for one in channels.values()):
            note += "; a dead channel is 0 everywhere"
    return layout.sheet(heading, sections, note, look=look)


def _strongest(maps: int, channels: int, layer: Conv2d) -> str:
    """Describe which maps and channels are drawn, if these are not all.

    Examples
    --------
    >>> layer = Conv2d(32, 64, 3)
    >>> _strongest(9, 32, layer), _strongest(64, 9, layer)
    (';  the 9 of most energy', ';  the 9 channels of most energy')
    >>> _strongest(9, 9, layer)
    ';  the 9 maps and the 9 channels of most energy'
    """
    fewer = maps < layer.out_channels
    if channels == layer.in_channels:
        return f";  the {maps} of most energy" if fewer else ""
    words = [f"the {maps} maps"] if fewer else []
    return f";  {listed([*words, f'the {channels} channels'])} of most energy"


def _kernels(
    filters: Sequence[Filter], layer: Conv2d, *, parted: bool, flipped: bool, whole_first: bool
) -> Kernels:
    """Place kernels above their tiles."""
    if parted:
        rows = [one.parted(unread=_has_unread(layer)) for one in filters]
        if whole_first:
            rows = [[*row[-1:], *row[:-1]] for row in rows]
        return Kernels([tile for row in rows for tile in row], "Above each partial map: its kernel")
    what, read = "Above each map: the kernels of its filter", layer.weight_shape[1]
    if layer.in_channels == 1:
        what = "Above each map: its kernel"
    elif layer.in_channels <= MOST:
        what += f" on {_channels([name for name, _ in filters[0].kernels])}"
    elif read <= MOST:
        what += f" on {plural(read, 'channel')}"
    else:
        what += f" on the {MOST} of {plural(read, 'channel')} where they are largest (L2 norm)"
    what += ", and its bias" if layer.bias else ""
    if flipped:
        return Kernels([tile for one in filters for tile in (one.turned(), one, None)], what)
    return Kernels(filters, what)


def _channels(names: Sequence[str]) -> str:
    """Name channels, which have a number if they have no name of their own.

    Examples
    --------
    >>> _channels(["R", "G", "B"]), _channels(["0", "1", "2", "3"]), _channels(["0", "1"])
    ('R, G and B', 'channels 0 to 3', 'channels 0 and 1')
    """
    if list(names) != [str(index) for index in range(len(names))]:
        return listed(names)
    return "channels " + (f"0 to {names[-1]}" if len(names) > 2 else listed(names))


def _flip_rows(
    filters: LayerWeights, maps: Sequence[ArraySummary], flips: Sequence[tuple[ArraySummary, ArraySummary]]
) -> list[_Row]:
    """List for every filter the map before the kernels are rotated, the map after it, and the difference."""
    return [
        [(turned, before), (name, one), ("difference", difference)]
        for turned, name, one, (before, difference) in zip(
            filters.turned().names, filters.names, maps, flips, strict=True
        )
    ]


def _multiple(columns: int | None, together: int) -> int | None:
    """Choose the number of tiles in one row, so that the tiles of a filter stay together."""
    return None if columns is None else together * max(1, columns // together)


def _partial_rows(
    picture: Picture,
    layer: Conv2d,
    filters: LayerWeights,
    *,
    maps: Mapping[int, ArraySummary],
    parts: Sequence[Sequence[ArraySummary]],
) -> list[_Row]:
    """List the partial maps of every filter, one per channel; None for an unread channel of a picture."""
    rows: list[_Row] = []
    size = layer.output_size(picture.size)
    for index, (place, one) in enumerate(maps.items()):
        read = layer.channels_of(place)
        row: _Row = [
            (f"{_short(channel)} partial map", parts[index][position - read.start])
            if position in read
            else (f"{_short(channel)}: not read", None)
            for position, channel in enumerate(picture.channels)
            if position in read or _has_unread(layer)
        ]
        if filters.bias is not None:
            bias = float(filters.bias[index])
            spread = Spread.repeated(bias, size.h * size.w)
            small = np.full(one.small.shape, bias, np.float32)
            row.append(("bias", ArraySummary(bias, bias, bias, 0.0, small, spread)))
        rows.append([*row, (f"sum = {filters.names[index]}", one)])
    return rows


def _short(channel: str) -> str:
    """Name a channel before other words."""
    return channel_label(channel) if channel.isdecimal() else channel


def _has_unread(layer: Conv2d) -> bool:
    """Return whether a row of partial maps has places for channels of other groups: those of a picture."""
    return layer.in_channels <= len(RGBA)


def _unread_tile(name: str, size: HW, scale: float) -> Tile:
    """Draw a hatched tile for a partial map that does not exist."""
    h, w = reduced(size, scale) if scale < 1 else HW(round(size.h * scale), round(size.w * scale))
    return Tile(name, "in another group", toned.hatched(HW(h, w)))


def normalization_lines(picture: Picture) -> list[str]:
    """Explain in the heading why captions of channels differ from the drawing; empty if they do not."""
    if picture.normalized is None:
        return []
    return [
        f"input normalised with {picture.normalized.sentence}; its channels are drawn as they were before"
    ]


def input_section(
    picture: Picture,
    summaries: Sequence[ArraySummary],
    scale: float,
    *,
    read: Sequence[int] | None = None,
    seen: Panel = NOTHING,
    look: Look = DEFAULT,
) -> Section:
    """Draw the input and its channels, if it has several, then the pictures beside them.

    `read` are the indices of the channels whose summaries are given; by default they are the first ones.

    Channels that are activations are drawn like maps, as `look` says, each on a scale of its own.
    """
    indices = range(len(summaries)) if read is None else read
    count = len(summaries) if read is None else len(picture.channels)
    named = [(picture.channels[index], one) for index, one in zip(indices, summaries, strict=True)]
    if picture.activations:
        tiles = _activations(picture, named, scale, look=look)
        return Section([*tiles, *seen.tiles], None, palette.INPUT_BLUE)
    cell = max(1, int(scale))

    tiles = []
    if count <= 4 and count != 2:
        others = sum((one.others for one in summaries), NONE)
        levels = toned.picture_levels([one.small for one in summaries], picture.ends, finite=not others)
        # The extremes of a channel without finite values are NaN, which these functions ignore.
        low, high = (
            float(np.fmin.reduce([one.low for one in summaries])),
            float(np.fmax.reduce([one.high for one in summaries])),
        )
        numbers = summaries[0].small[:] if count == 1 and scale > 1 else None
        brief = brief_extent(low, high, others)
        tiles.append(
            Tile("input", extent(low, high, others), levels, cell, numbers, brief=brief, others=others)
        )
    if count > 1:
        ends = [picture.ends[index] for index in indices]
        for (name, one), drawn in zip(named, ends, strict=True):
            levels = toned.picture_levels([one.small], [drawn], finite=not one.others)
            note = extent(one.low, one.high, one.others)
            numbers = one.small[:] if scale > 1 else None
            brief = brief_extent(one.low, one.high, one.others)
            tiles.append(
                Tile(channel_label(name), note, levels, cell, numbers, brief=brief, others=one.others)
            )
    tiles += seen.tiles
    return Section(tiles, None, palette.INPUT_BLUE)


def _in_colour(picture: Picture) -> bool:
    """Return whether the whole picture stands before its channels."""
    return len(picture.channels) in (3, 4) and not picture.activations


def _activations(
    picture: Picture, named: Sequence[tuple[str, ArraySummary]], scale: float, *, look: Look
) -> list[Tile]:
    """Draw the channels of a deep layer."""
    drawn = [Drawn.of(one, picture.size) for _, one in named]
    tiles = [
        map_tile(channel_label(name), one, contrast, scale=scale, colours=colours(look.colormap))
        for (name, one), contrast in zip(named, contrasts(drawn, replace(look, scale="map")), strict=True)
    ]
    return [
        replace(tile, note="dead: 0 everywhere", brief="dead") if _is_dead(one) else tile
        for tile, (_, one) in zip(tiles, named, strict=True)
    ]


def _is_dead(one: ArraySummary) -> bool:
    """Return whether a channel is 0 everywhere."""
    return one.low == one.high == 0 and not one.others
