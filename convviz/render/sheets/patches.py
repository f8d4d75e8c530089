"""Draw patches of pictures in rows, one row per map."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from convviz.compute.survey import survey
from convviz.images.picture import Picture
from convviz.render import palette, toned
from convviz.render.contrast import Contrast
from convviz.render.palette import Tone, signed_colours
from convviz.render.sheets import layout
from convviz.render.sheets.tile import Section, Tile, map_tile
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.reach import Area, Box
from convviz.spec.settings import Look
from convviz.typing import Bytes, Floats

# From this factor on, the pixels of an enlarged patch are squares.
_SQUARES = 4
# A file name in a caption has at most so many characters.
_LETTERS = 20


class Row(NamedTuple):
    """Hold the patches of one map.

    Parameters
    ----------
    title : str
        The line above the patches.
    tiles : sequence of Tile
        The patches, from left to right.
    kernels : sequence of Tile
        The kernels of the filter, before the patches.
    """

    title: str
    tiles: Sequence[Tile]
    kernels: Sequence[Tile] = ()


def draw(
    heading: Sequence[str], rows: Iterable[Row], note: str, *, columns: int | None, look: Look
) -> layout.Sheet:
    """Draw rows of patches.

    Parameters
    ----------
    heading : sequence of str
        Lines above the rows; the first one is larger.
    rows : iterable of Row
        The rows.
    note : str
        The line below the rows.
    columns : int, optional
        Patches in one row; by default all of a map.
    look : Look
        As for `convviz.render.sheets.layout.sheet`.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    sections = [
        Section(
            [*row.kernels, *row.tiles],
            columns or len(row.kernels) + len(row.tiles),
            palette.INPUT_BLUE,
            title=row.title,
        )
        for row in rows
    ]
    return layout.sheet(heading, sections, note, look=look)


def kernel_tiles(kernels: Floats, channels: Sequence[str], *, tile: int | None) -> list[Tile]:
    """Draw the kernels of a filter, shape (I, kh, kw), on one signed scale."""
    peak = float(np.abs(kernels).max()) or 1.0
    contrast = Contrast(Tone(-peak, peak, "signed"), said=False)
    table = signed_colours()
    factor = scales.fit(HW(*kernels.shape[1:]), tile)
    found = survey(kernels, min(factor, 1), moments=False)
    return [
        replace(map_tile(name, one, contrast, scale=factor, colours=table), frame=palette.RULE)
        for name, one in zip(channels, found, strict=True)
    ]


def shown(around: Area, seen: Area, size: HW) -> Area:
    """Choose what to draw of a receptive field.

    It is all of it; along an axis on which it is longer than the picture, it is only what it sees there.

    Examples
    --------
    >>> shown(Area(-2, 3, -9, 21), Area(0, 3, 0, 8), HW(8, 8))
    Area(top=-2, bottom=3, left=0, right=8)
    """
    rows = around if around.height <= size.h else seen
    columns = around if around.width <= size.w else seen
    return Area(rows.top, rows.bottom, columns.left, columns.right)


def levels_of(picture: Picture, around: Area, seen: Area, *, tile: int | None) -> Bytes:
    """Draw what a value sees of a picture, shape (h, w, 3); padding is hatched.

    Parameters
    ----------
    picture : Picture
        The original picture.
    around, seen : Area
        What the value sees, with padding and without.
    tile : int or None
        The longest side, in pixels; None keeps every pixel.
    """
    covered = seen.pixels
    if tile is None:
        around, seen = (Area(box.top, box.bottom + 1, box.left, box.right + 1)
                        for box in (around.pixels, covered))  # fmt: skip
    drawn, cut = shown(around, seen, picture.size), cut_from(picture, covered)
    factor = 1.0 if tile is None else tile / max(drawn.height, drawn.width)
    size = HW(*(max(1, round(side * factor)) for side in (drawn.height, drawn.width)))
    levels = np.repeat(toned.hatched(size)[:, :, None], 3, axis=2)
    if cut.size:
        part = toned.picture_levels(list(cut), picture.ends)[:]
        top, bottom = (round((edge - drawn.top) * factor) for edge in (seen.top, seen.bottom))
        left, right = (round((edge - drawn.left) * factor) for edge in (seen.left, seen.right))
        top, left = min(top, size.h - 1), min(left, size.w - 1)
        bottom, right = max(bottom, top + 1), max(right, left + 1)
        how = Image.Resampling.NEAREST if factor >= _SQUARES else Image.Resampling.LANCZOS
        inner = (
            seen.left - covered.left,
            seen.top - covered.top,
            seen.right - covered.left,
            seen.bottom - covered.top,
        )
        resized = np.asarray(Image.fromarray(part).resize((right - left, bottom - top), how, inner))
        levels[top:bottom, left:right] = resized if resized.ndim == 3 else resized[:, :, None]
    return levels


def cut_from(picture: Picture, inside: Box) -> Floats:
    """Cut rows and columns of all channels out of a picture."""
    if min(inside.size) < 1:  # a value that sees only padding
        return np.empty((picture.shape[0], 0, 0), np.float32)
    return picture.rows(inside.top, inside.bottom + 1)[:, :, inside.left : inside.right + 1]


def short_name(name: str) -> str:
    """Shorten the name of a file in its middle; the folders are left out.

    Examples
    --------
    >>> short_name("birds/owl.jpg"), short_name("ILSVRC2012_val_00000293.JPEG")
    ('owl.jpg', 'ILSVRC201…00293.JPEG')
    """
    last = name.rpartition("/")[2]
    if len(last) <= _LETTERS:
        return last
    tail = _LETTERS // 2
    return f"{last[: _LETTERS - 1 - tail]}…{last[-tail:]}"
