"""The sheet of one run: the input, its planes, and what the layer makes of them."""

import numpy as np
from PIL import Image

from convviz.geometry import HW
from convviz.images import Picture
from convviz.layers import Conv2d
from convviz.render import grid
from convviz.render.tone import Bytes, Floats, Tone, colours, tones
from convviz.weights import FilterBank


def draw(
    picture: Picture,
    layer: Conv2d,
    filters: FilterBank,
    maps: Floats,
    *,
    parts: Floats | None = None,
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
    table, signed = colours(colormap), colormap == "signed"
    input_scale, map_scale = _scales(picture.size, HW(*maps.shape[1:]), tile)
    first = _input_section(picture, input_scale)
    if parts is None:
        chosen = tones(list(maps), scale=scale, signed=signed)
        tiles = [
            grid.map_tile(name, values, tone, scale=map_scale, colours=table)
            for name, values, tone in zip(filters.names, maps, chosen, strict=True)
        ]
        wide = columns or grid.columns_for(len(tiles))
    else:
        tiles, chosen = _partial_tiles(picture, layer, filters, maps, parts, scale, signed, map_scale, table)
        wide = len(tiles) // len(maps)
    heading = (
        repr(layer),
        f"{layer.sentence};  {picture.x.shape[0]}x{picture.size} -> {'x'.join(map(str, maps.shape))}",
    )
    legend = grid.legend_for(chosen, table, what="map" if parts is None else "row")
    return grid.sheet(heading, [first, grid.Section(tiles, wide, grid.OUTPUT_TEAL)], legend)


def _partial_tiles(
    picture: Picture,
    layer: Conv2d,
    filters: FilterBank,
    maps: Floats,
    parts: Floats,
    scale: str,
    signed: bool,
    map_scale: float,
    table: Bytes | None,
) -> tuple[list[grid.Tile], list[Tone]]:
    """Draw one row per filter; the values of a row add up, so they share one scale."""
    planes = parts.shape[1]
    rows = []
    for index, (name, values) in enumerate(zip(filters.names, maps, strict=True)):
        start = index // (layer.out_channels // layer.groups) * planes
        row = [(f"{picture.channels[start + plane]} part", parts[index, plane]) for plane in range(planes)]
        if filters.bias is not None:
            row.append(("bias", np.full_like(values, filters.bias[index])))
        rows.append([*row, (f"sum = {name}", values)])
    pools = [np.stack([values for _, values in row]) for row in rows]
    chosen = tones(pools, scale=scale, signed=signed)
    tiles = [
        grid.map_tile(name, values, tone, scale=map_scale, colours=table)
        for row, tone in zip(rows, chosen, strict=True)
        for name, values in row
    ]
    return tiles, chosen


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
