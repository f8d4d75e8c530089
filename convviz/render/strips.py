"""The sheet of a net: the input, and a strip of maps for every layer."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from convviz.geometry import HW
from convviz.images import Picture
from convviz.modules import Flatten, shape_text
from convviz.net import Placed
from convviz.render import grid, overview
from convviz.render.tone import Floats, colours, tones_between
from convviz.survey import Field, survey
from convviz.text import plural

# Tiles in one strip, and their longest side where nothing else is asked for.
MOST, TILE = 8, 160
# A row of values is drawn as cells, at most so many side by side, each with its number where there is room.
_CELLS = 64


def draw(
    picture: Picture,
    title: str,
    placed: Sequence[Placed],
    made: Mapping[str, Floats],
    *,
    only: str | None = None,
    tile: int | None = TILE,
    columns: int | None = None,
    colormap: str = "gray",
    scale: str = "map",
) -> grid.Sheet:
    """Draw what the layers of a net make of a picture.

    Parameters
    ----------
    picture : Picture
        The input.
    title : str
        What to call the net.
    placed : sequence of Placed
        The layers.
    made : dict of ndarray, shape (C, H, W) or (N,), float32
        What each makes, by its name.
    only : str, optional
        One layer, in full.
    tile : int or None
        Longest side of a map, in pixels; None keeps every pixel.
    columns : int, optional
        Maps in one row; of a strip `MOST` by default, and no more are drawn then.
    colormap : str
        As for `convviz.render.tone.colours`.
    scale : {"map", "global"}
        Whether each map, or each layer, has its own black and white.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    table = colours(colormap)
    planes = picture.x
    factor = grid.fit(picture.size, tile)
    sections = [overview.input_section(picture, survey(planes, min(factor, 1), moments=False), factor)]
    strips: list[tuple[Placed, int, float, list[Field]]] = []
    for one in placed:
        # What is flattened was seen before.
        if (only is None and isinstance(one.layer, Flatten)) or (only is not None and one.name != only):
            continue
        values = _as_planes(made[one.name])
        drawn = values if only is not None else values[: columns or MOST]
        factor = grid.fit(HW(*values.shape[1:]), tile)
        fields = survey(np.ascontiguousarray(drawn), min(factor, 1), moments=False)
        strips.append((one, len(values), factor, fields))
    # All are toned alike, so that 0 is the same everywhere.
    ends = []
    for *_, fields in strips:
        low, high = min(field.low for field in fields), max(field.high for field in fields)
        ends += [(low, high) if scale == "global" else (field.low, field.high) for field in fields]
    tones = tones_between(ends, scale="map", signed=colormap == "signed")
    left = iter(tones)
    for one, count, factor, fields in strips:
        of = f" of {count}" if len(fields) < count else ""
        tiles = [
            grid.map_tile(_caption(one, index, of), field, next(left), scale=factor, colours=table)
            for index, field in enumerate(fields)
        ]
        wide = columns or (MOST if only is None else grid.columns_for(len(tiles)))
        sections.append(grid.Section(tiles, wide, grid.OUTPUT_TEAL))
    parameters = sum(one.layer.parameters for one in placed)
    heading = (
        f"{title}: {plural(len(placed), 'layer')}, {plural(parameters, 'parameter')}",
        f"{shape_text(picture.shape)} -> {shape_text(placed[-1].output_shape)}",
        *overview.normalization_lines(picture),
    )
    return grid.sheet(
        heading, sections, grid.legend_for(tones, table, what="layer" if scale == "global" else "map")
    )


def _as_planes(values: Floats) -> Floats:
    """Lay a row of values out in lines of equal length, as one plane."""
    if values.ndim == 3:
        return values
    count = values.size
    wide = max(side for side in range(1, _CELLS + 1) if count % side == 0) if count > _CELLS else count
    return values.reshape(1, count // wide, wide)


def _caption(one: Placed, index: int, of: str) -> str:
    """Name a map by its layer, and say once how many there are."""
    if len(one.output_shape) == 1:
        return f"{one.name}: {plural(math.prod(one.output_shape), 'value')}"
    return f"{one.name}: {index}{of}" if index == 0 else f"{one.name}: {index}"
