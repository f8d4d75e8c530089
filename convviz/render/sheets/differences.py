"""Draw pairs of maps and their signed difference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convviz.compute.survey import ArraySummary, reduced, survey
from convviz.render import palette
from convviz.render.contrast import DEFAULT, Drawn, contrasts, rule
from convviz.render.palette import colours
from convviz.render.sheets import layout
from convviz.render.sheets.bar import percent
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
    differences = [_difference(row) for row in rows]
    # A mean would hide the few pixels that differ.
    found = [
        replace(_summary(values, fit), small=largest_of_areas(values, min(fit, 1)))
        for values, fit in zip(differences, fits, strict=True)
    ]
    drawn = [Drawn.of(one, size) for one, size in zip(found, sizes, strict=True)]
    own = contrasts(drawn, signed)
    table, between = colours(look.colormap), colours(signed.colormap)
    sections: list[Section] = []
    for index, (row, fit) in enumerate(zip(rows, fits, strict=True)):
        three = (
            ("A", maps[2 * index][0], shared[2 * index], table),
            ("B", maps[2 * index + 1][0], shared[2 * index + 1], table),
            (f"B - A, {_share(differences[index])}", found[index], own[index], between),
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
    if any(of.ends[1] == one.magnitude and not one.whole for of, one in zip(own, drawn, strict=True)):
        ends += ", or at the largest where that is 0"
    if any(fit < 1 for fit in fits):
        ends += "; a pixel shows the largest difference of its area"
    note = f"{rule(look, whole=whole)}. {ends}; orange: B is larger"
    return layout.sheet(heading, sections, note, look=look)


def _summary(values: Floats, fit: float) -> ArraySummary:
    """Summarize one map, reduced to the size at which it is drawn."""
    return survey(values[None], min(fit, 1), moments=False, spread=True)[0]


def largest_of_areas(values: Floats, fit: float) -> Floats:
    """Reduce a map to the value of the largest magnitude in every area.

    Examples
    --------
    >>> largest_of_areas(np.float32([[0, 0, 0, 5], [0, -7, 1, 2]]), 0.5).tolist()
    [[-7.0, 5.0]]
    """
    size = HW(*values.shape)
    starts = [
        np.arange(count) * pixels // count for count, pixels in zip(reduced(size, fit), size, strict=True)
    ]
    greatest, least = (
        of.reduceat(of.reduceat(values, starts[0], axis=0), starts[1], axis=1)
        for of in (np.maximum, np.minimum)
    )
    return np.where(greatest >= -least, greatest, least)


def _share(difference: Floats) -> str:
    """Say how many values differ."""
    share = float(np.count_nonzero(difference)) / difference.size
    return f"{percent(share)} differ" if share else "equal"


def _difference(row: Row) -> Floats:
    """Subtract A from B; values that are not finite in both, and equal, do not differ."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.subtract(row.second, row.first)
    same = (row.first == row.second) | (np.isnan(row.first) & np.isnan(row.second))
    return np.where(same, np.float32(0), found)
