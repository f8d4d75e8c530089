"""The sheet of one run: the input, its planes, and what the layer makes of them."""

from collections.abc import Sequence

import numpy as np

from convviz.compute.survey import Field, reduced
from convviz.compute.weights import FilterBank
from convviz.images.picture import Picture
from convviz.render import palette, toned
from convviz.render.palette import colours, tones_between
from convviz.render.sheets import layout
from convviz.render.sheets.field import NOTHING, Panel
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.scales import fit_both
from convviz.text import channel_label

# Tiles that share one scale: what each is called, and its values, or None where there is nothing to draw.
_Row = list[tuple[str, Field | None]]


def draw(
    picture: Picture,
    layer: Conv2d,
    filters: FilterBank,
    *,
    planes: Sequence[Field],
    maps: Sequence[Field],
    parts: Sequence[Sequence[Field]] | None = None,
    differences: Sequence[Field] | None = None,
    tile: int | None = 320,
    columns: int | None = None,
    colormap: str = "gray",
    scale: str = "map",
    seen: Panel = NOTHING,
) -> layout.Sheet:
    """Draw a run on one sheet.

    Parameters
    ----------
    picture : Picture
        The input; it and its planes stand in the first row.
    layer : Conv2d
        The layer, for the heading.
    filters : FilterBank
        Its numbers: names for the captions, and the bias.
    planes, maps : sequence of Field
        The planes of the picture and the feature maps, reduced by `fit_both`.
    parts : sequence of sequence of Field, optional
        Partial maps of every filter: then every filter has a row of its own, with
        the part of each plane, the bias and their sum.
    differences : sequence of Field, optional
        What turning the kernels changes: a section of its own below the maps.
    tile : int or None
        Longest side of a map, in pixels; None keeps every pixel.
    columns : int, optional
        Maps in one row; chosen to leave few places empty by default.
    colormap : str
        As for `convviz.render.palette.colours`.
    scale : {"map", "global"}
        Whether each map (or row of parts) has its own black and white.
    seen : Panel
        What to put beside the input.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    table = colours(colormap)
    size = layer.output_size(picture.size)
    input_scale, map_scale = fit_both(picture.size, size, tile)
    # The values of a row add up, so they share one scale.
    if parts is None:
        rows: list[_Row] = [[(name, field)] for name, field in zip(filters.names, maps, strict=True)]
        wide = columns or layout.columns_for(len(rows))
    else:
        rows = _partial_rows(picture, layer, filters, maps=maps, parts=parts)
        wide = len(rows[0])
    below: list[_Row] = []
    if differences is not None:
        below = [
            [(f"{name}: flip changes", field)] for name, field in zip(filters.names, differences, strict=True)
        ]
    ends = [
        (
            min(field.low for _, field in row if field is not None),
            max(field.high for _, field in row if field is not None),
        )
        for row in (*rows, *below)
    ]
    chosen = tones_between(ends, scale=scale, signed=colormap == "signed")
    tiles = [
        _unread_tile(name, size, map_scale)
        if field is None
        else layout.map_tile(name, field, tone, scale=map_scale, colours=table)
        for row, tone in zip((*rows, *below), chosen, strict=True)
        for name, field in row
    ]
    count = sum(map(len, rows))
    sections = [
        input_section(picture, planes, input_scale, seen=seen),
        layout.Section(tiles[:count], wide, palette.OUTPUT_TEAL),
        *(
            [layout.Section(tiles[count:], columns or layout.columns_for(len(below)), palette.FAINT)]
            if below
            else []
        ),
    ]
    heading = (
        repr(layer),
        f"{layer.sentence};  {len(planes)}x{picture.size} -> {layer.out_channels}x{size}"
        + (f";  the {len(maps)} of most energy" if len(maps) < layer.out_channels else ""),
        *normalization_lines(picture),
        *seen.words,
    )
    return layout.sheet(
        heading, sections, layout.legend_for(chosen, table, what="map" if parts is None else "row")
    )


def _partial_rows(
    picture: Picture,
    layer: Conv2d,
    filters: FilterBank,
    *,
    maps: Sequence[Field],
    parts: Sequence[Sequence[Field]],
) -> list[_Row]:
    """List the parts of every filter: one per plane, with nothing for a plane that it does not read."""
    rows: list[_Row] = []
    for index, (name, field) in enumerate(zip(filters.names, maps, strict=True)):
        read = layer.planes_of(index)
        row: _Row = [
            (f"{channel} part", parts[index][plane - read.start])
            if plane in read
            else (f"{channel}: not read", None)
            for plane, channel in enumerate(picture.channels)
        ]
        if filters.bias is not None:
            bias = float(filters.bias[index])
            row.append(("bias", Field(bias, bias, bias, 0.0, np.full(field.small.shape, bias, np.float32))))
        rows.append([*row, (f"sum = {name}", field)])
    return rows


def _unread_tile(name: str, size: HW, scale: float) -> layout.Tile:
    """Hatch the place of a part that is not there."""
    h, w = reduced(size, scale) if scale < 1 else HW(round(size.h * scale), round(size.w * scale))
    return layout.Tile(name, "in another group", toned.hatched(HW(h, w)))


def normalization_lines(picture: Picture) -> list[str]:
    """Say in the heading why the captions of the planes do not fit what is seen; nothing if they do."""
    if picture.normalized is None:
        return []
    return [f"input normalised with {picture.normalized.sentence}; its planes are drawn as before"]


def input_section(
    picture: Picture, fields: Sequence[Field], scale: float, *, seen: Panel = NOTHING
) -> layout.Section:
    """Draw the input and, where it has several, its planes; then what shall stand beside them."""
    count = len(fields)
    cell = max(1, int(scale))

    tiles = []
    if count <= 4 and count != 2:
        levels = toned.picture_levels([field.small for field in fields], picture.ends)
        ends = layout.extent(min(field.low for field in fields), max(field.high for field in fields))
        numbers = fields[0].small[:] if count == 1 and scale > 1 else None
        tiles.append(layout.Tile(f"input {picture.size}", ends, levels, cell, numbers))
    if count > 1:
        for name, field, drawn in zip(picture.channels, fields, picture.ends, strict=True):
            levels = toned.picture_levels([field.small], [drawn])
            ends = layout.extent(field.low, field.high)
            numbers = field.small[:] if scale > 1 else None
            tiles.append(layout.Tile(channel_label(name), ends, levels, cell, numbers))
    tiles += seen.tiles
    return layout.Section(tiles, layout.columns_for(len(tiles)), palette.INPUT_BLUE)
