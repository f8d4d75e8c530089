"""The sheet of one run: the input, its planes, and what the layer makes of them."""

import numpy as np
from PIL import Image

from convviz.geometry import HW
from convviz.images import Picture
from convviz.layers import Conv2d
from convviz.render import grid
from convviz.render.tone import Floats, colours, tones
from convviz.weights import FilterBank

# Tiles that share one scale: what each is called, and its values, or None where there is nothing to draw.
_Row = list[tuple[str, Floats | None]]


def draw(
    picture: Picture,
    layer: Conv2d,
    filters: FilterBank,
    maps: Floats,
    *,
    parts: Floats | None = None,
    differences: Floats | None = None,
    tile: int | None = 320,
    columns: int | None = None,
    colormap: str = "gray",
    scale: str = "map",
) -> Image.Image:
    """Draw a run on one sheet.

    Parameters
    ----------
    picture : Picture
        The input; it and its planes stand in the first row.
    layer : Conv2d
        The layer, for the heading.
    filters : FilterBank
        Its numbers: names for the captions, and the bias.
    maps : ndarray, shape (O, H', W'), float32
        The feature maps.
    parts : ndarray, shape (O, I / groups, H', W'), float32, optional
        Partial maps: then every filter has a row of its own, with the part of
        each plane, the bias and their sum.
    differences : ndarray, shape (O, H', W'), float32, optional
        What turning the kernels changes: a section of its own below the maps.
    tile : int or None
        Longest side of a map, in pixels; None keeps every pixel.
    columns : int, optional
        Maps in one row; chosen to leave few places empty by default.
    colormap : str
        As for `convviz.render.tone.colours`.
    scale : {"map", "global"}
        Whether each map (or row of parts) has its own black and white.

    Returns
    -------
    PIL.Image.Image
        Mode RGB.
    """
    table = colours(colormap)
    input_scale, map_scale = _scales(picture.size, HW(*maps.shape[1:]), tile)
    # The values of a row add up, so they share one scale.
    if parts is None:
        rows: list[_Row] = [[(name, values)] for name, values in zip(filters.names, maps, strict=True)]
        wide = columns or grid.columns_for(len(rows))
    else:
        rows = _partial_rows(picture, layer, filters, maps, parts)
        wide = len(rows[0])
    below: list[_Row] = []
    if differences is not None:
        below = [
            [(f"{name}: flip changes", values)]
            for name, values in zip(filters.names, differences, strict=True)
        ]
    pools = [np.stack([values for _, values in row if values is not None]) for row in (*rows, *below)]
    chosen = tones(pools, scale=scale, signed=colormap == "signed")
    tiles = [
        _unread_tile(name, HW(*maps.shape[1:]), map_scale)
        if values is None
        else grid.map_tile(name, values, tone, scale=map_scale, colours=table)
        for row, tone in zip((*rows, *below), chosen, strict=True)
        for name, values in row
    ]
    count = sum(map(len, rows))
    sections = [
        _input_section(picture, input_scale),
        grid.Section(tiles[:count], wide, grid.OUTPUT_TEAL),
        *(
            [grid.Section(tiles[count:], columns or grid.columns_for(len(below)), grid.FAINT)]
            if below
            else []
        ),
    ]
    heading = (
        repr(layer),
        f"{layer.sentence};  {picture.x.shape[0]}x{picture.size} -> {'x'.join(map(str, maps.shape))}",
    )
    return grid.sheet(
        heading, sections, grid.legend_for(chosen, table, what="map" if parts is None else "row")
    )


def _partial_rows(
    picture: Picture, layer: Conv2d, filters: FilterBank, maps: Floats, parts: Floats
) -> list[_Row]:
    """List the parts of every filter: one per plane, with nothing for a plane that it does not read."""
    planes, per_group = parts.shape[1], layer.out_channels // layer.groups
    rows: list[_Row] = []
    for index, (name, values) in enumerate(zip(filters.names, maps, strict=True)):
        first = index // per_group * planes
        row: _Row = [
            (f"{channel} part", parts[index, plane - first])
            if first <= plane < first + planes
            else (f"{channel}: not read", None)
            for plane, channel in enumerate(picture.channels)
        ]
        if filters.bias is not None:
            row.append(("bias", np.full_like(values, filters.bias[index])))
        rows.append([*row, (f"sum = {name}", values)])
    return rows


def _unread_tile(name: str, size: HW, scale: float) -> grid.Tile:
    """Hatch the place of a part that is not there."""
    h, w = (max(1, round(side * scale)) for side in size)
    stripes = np.add.outer(np.arange(h), np.arange(w)) // 6 % 2 == 0
    return grid.Tile(name, "in another group", np.where(stripes, 238, 255).astype(np.uint8))


def _scales(before: HW, after: HW, tile: int | None) -> tuple[float, float]:
    """Choose the scales of input and maps: the same, where both are of similar size."""
    first, second = grid.fit(before, tile), grid.fit(after, tile)
    if max(first, second) <= 2 * min(first, second):
        return min(first, second), min(first, second)
    return first, second


def _input_section(picture: Picture, scale: float) -> grid.Section:
    """Draw the input and, where it has several, its planes."""
    count = picture.x.shape[0]
    planes = [np.asarray(grid.reduce(plane, scale)) for plane in picture.x]
    cell = max(1, int(scale))

    tiles = []
    if count <= 4 and count != 2:
        levels = grid.picture_levels(np.stack(planes[:3]), picture.low, picture.high)
        numbers = picture.x[0] if count == 1 and scale > 1 else None
        tiles.append(grid.Tile(f"input {picture.size}", grid.extent(picture.x), levels, cell, numbers))
    if count > 1:
        for name, plane, values in zip(picture.channels, planes, picture.x, strict=True):
            levels = grid.picture_levels(plane[None], picture.low, picture.high)
            tiles.append(
                grid.Tile(f"{name} plane", grid.extent(values), levels, cell, values if scale > 1 else None)
            )
    return grid.Section(tiles, grid.columns_for(len(tiles)), grid.INPUT_BLUE)
