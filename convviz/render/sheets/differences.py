"""Draw pairs of maps and their signed difference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convviz.compute.survey import ArraySummary, survey
from convviz.render import palette
from convviz.render.contrast import DEFAULT, Drawn, contrasts, rule
from convviz.render.palette import colours
from convviz.render.sheets import layout
from convviz.render.sheets.tile import Section, Tile, map_tile
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.limits import Limits
from convviz.spec.settings import Look
from convviz.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Hold one map of A and of B.

    Parameters
    ----------
    title : str
        The layer and the map.
    first, second : ndarray, shape (H, W), float32
        The map in A, and in B.
    vector : bool
        Whether it is a row of values, which have an index each.
    """

    title: str
    first: Floats
    second: Floats
    vector: bool = False


def draw(
    heading: Sequence[str],
    rows: Sequence[Row],
    *,
    tile: int | None = 320,
    look: Look = DEFAULT,
) -> layout.Sheet:
    """Draw for each row the map of A, the map of B, and the signed difference.

    Parameters
    ----------
    heading : sequence of str
        Lines above the maps; the first one is larger.
    rows : sequence of Row
        The maps.
    tile : int or None
        Longest side of a map, in pixels; None keeps every pixel.
    look : Look
        How the values of A and B become colours; its other fields are as for
        `convviz.render.sheets.layout.sheet`.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    # Ends that are given are those of the maps.
    limits = Limits() if look.limits.kind == "fixed" else look.limits
    signed = replace(look, colormap="signed", limits=limits, scale="map")
    fits = [scales.fit(HW(*row.first.shape), tile) for row in rows]
    maps = [
        (_summary(values, fit), index)
        for index, (row, fit) in enumerate(zip(rows, fits, strict=True))
        for values in (row.first, row.second)
    ]
    sizes = [HW(*row.first.shape) for row in rows]
    shared = contrasts([Drawn.of(one, sizes[index], layer=index) for one, index in maps], look)
    found = [_summary(_difference(row), fit) for row, fit in zip(rows, fits, strict=True)]
    own = contrasts([Drawn.of(one, size) for one, size in zip(found, sizes, strict=True)], signed)
    table, between = colours(look.colormap), colours(signed.colormap)
    sections: list[Section] = []
    for index, (row, fit) in enumerate(zip(rows, fits, strict=True)):
        three = (
            ("A", maps[2 * index][0], shared[2 * index], table),
            ("B", maps[2 * index + 1][0], shared[2 * index + 1], table),
            ("B - A", found[index], own[index], between),
        )
        keys = [str(at) for at in range(row.first.size)] if row.vector else []
        tiles: list[Tile] = [
            replace(
                map_tile(f"{row.title}: {label}", one, contrast, scale=fit, colours=of),
                label=label,
                keys=keys,
            )
            for label, one, contrast, of in three
        ]
        sections.append(Section(tiles, 3, palette.OUTPUT_TEAL, title=row.title))
    whole = [scales.is_whole(size) for size in sizes]
    ends = rule(signed, whole=whole, what="difference").partition("; ")[0]
    note = f"{rule(look, whole=whole)}. {ends}; orange: B is larger"
    return layout.sheet(heading, sections, note, look=look)


def _summary(values: Floats, fit: float) -> ArraySummary:
    """Summarize one map, reduced to the size at which it is drawn."""
    return survey(values[None], min(fit, 1), moments=False, spread=True)[0]


def _difference(row: Row) -> Floats:
    """Subtract A from B; values that are not finite in both, and equal, do not differ."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.subtract(row.second, row.first)
    same = (row.first == row.second) | (np.isnan(row.first) & np.isnan(row.second))
    return np.where(same, np.float32(0), found)
