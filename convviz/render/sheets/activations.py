"""Draw the sheet of maps alone, without the layer that made them."""

from collections.abc import Sequence

from convviz.compute.survey import survey
from convviz.render import palette
from convviz.render.contrast import DEFAULT, Drawn, contrasts, rule
from convviz.render.palette import colours
from convviz.render.sheets import layout
from convviz.render.sheets.tile import Section, map_tile
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.settings import Look
from convviz.typing import Floats


def draw(
    heading: Sequence[str],
    maps: Floats,
    names: Sequence[str],
    *,
    tile: int | None = 320,
    columns: int | None = None,
    look: Look = DEFAULT,
) -> layout.Sheet:
    """Draw maps.

    Parameters
    ----------
    heading : sequence of str
        Lines above the maps; the first one is larger.
    maps : ndarray, shape (C, H, W), float32
        The maps.
    names : sequence of str
        The name of each map.
    tile : int or None
        Longest side of a map, in pixels; None keeps every pixel.
    columns : int, optional
        Maps in one row.
    look : Look
        How values become brightness; its other fields are as for `convviz.render.sheets.layout.sheet`.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    table = colours(look.colormap)
    size = HW(*maps.shape[1:])
    scale = scales.fit(size, tile)
    found = survey(maps, min(scale, 1), moments=False, spread=True)
    drawn = [Drawn.of(one, size) for one in found]
    tiles = [
        map_tile(name, one, contrast, scale=scale, colours=table)
        for name, one, contrast in zip(names, found, contrasts(drawn, look), strict=True)
    ]
    note = rule(look, whole=[one.whole for one in drawn], maps=drawn)
    return layout.sheet(heading, [Section(tiles, columns, palette.OUTPUT_TEAL)], note, look=look)
