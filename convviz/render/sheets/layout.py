"""Lay out tiles with captions on one sheet: the picture that `run` writes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from convviz.errors import SpecError
from convviz.render.contrast import DEFAULT
from convviz.render.drawings.bands import Bands, Paint
from convviz.render.drawings.drawing import Bitmap, Drawing, Label, Rectangle, Shape
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, OUTPUT_TEAL, PAPER, key
from convviz.render.sheets import branches, captions
from convviz.render.sheets.kernels import cell_lines
from convviz.render.sheets.planning import (
    APART,
    KEY,
    SCALE_LINES,
    Plan,
    Rows,
    above_bar,
    best,
    gap_of,
    width_of,
)
from convviz.render.sheets.tile import Section, Tile
from convviz.render.words.matrices import cell_words
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.settings import Look
from convviz.text import listed

# The most pixels of one sheet: 4 GiB in colour.
MAX_SHEET_PIXELS = 1 << 30

# The width of the line round a tile, in pixels, for small words; it grows with them.
_FRAME = 2
# The least size of a number in a cell: in pixels, and as a share of the type size.
_LEAST_NUMBER, _LEGIBLE_NUMBER = 8, 0.4

# A caption stands at most this many lines below its picture.
_FAR = 2
# The middle of a name and of its value, as shares of the height of a cell.
_NAME, _VALUE = 0.3, 0.7
# What is written into the cells of a tile: words, their size, and their middle as a share of the cell.
_Cells = list[tuple[list[list[str]], int, float]]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Hold a picture that is painted band by band, from the top down, when it is written or shown.

    Parameters
    ----------
    plan : Plan
        Where everything is.
    title : str
        Title, for programs that show it or read it aloud.
    maps : sequence of Tile
        The tiles of the output, which a terminal shows one by one.
    """

    plan: Plan
    title: str
    maps: Sequence[Tile] = ()

    channels = 3

    @cached_property
    def drawing(self) -> Drawing:
        """The content of the sheet, one unit per pixel, for every format; made when it is first needed."""
        return Drawing(self.width, self.height, PAPER, tuple(_shapes(self.plan)), title=self.title)

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.plan.height

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.plan.width

    @property
    def scales(self) -> list[dict[str, Any]]:
        """Name of every map with a scale, its ends, and the shares of its pixels beyond them."""
        return [
            {
                "name": tile.name,
                "ends": list(tile.bar.contrast.ends),
                "beyond": [tile.bar.contrast.below, tile.bar.contrast.above],
            }
            for tile in self.maps
            if tile.bar is not None
        ]

    @property
    def ends(self) -> list[tuple[float, float]]:
        """Values at the ends of every scale, in the order of the maps."""
        return [tile.bar.contrast.ends for tile in self.maps if tile.bar is not None]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in the order of Pillow."""
        return self.width, self.height

    def strips(self) -> Iterator[tuple[int, Paint]]:
        """Return the height of each strip with the function that paints its rows; several threads paint."""
        return Bands(self.height, self.width, self.drawing.shapes).strips()

    def image(self) -> Image.Image:
        """Paint the whole sheet; mode RGB."""
        return Image.fromarray(np.concatenate([paint(0, height) for height, paint in self.strips()]))


def sheet(
    heading: Sequence[str],
    sections: Sequence[Section],
    note: str = "",
    *,
    look: Look = DEFAULT,
) -> Sheet:
    """Lay out sections of tiles under a heading.

    Parameters
    ----------
    heading : sequence of str
        Lines above the tiles; the first one is larger.
    sections : sequence of Section
        From the top down.
    note : str
        How values became brightness; it stands below all tiles, with the colours of values that are not
        finite, if any.
    look : Look
        The title above the heading, the type size, and the shape of the page.

    Returns
    -------
    Sheet
        It is not painted yet.

    Raises
    ------
    SpecError
        If the sheet would have more than `MAX_SHEET_PIXELS`.
    """
    lines = [look.title, *heading] if look.title else list(heading)
    plan = best(lines, sections, ". ".join(filter(None, (note, _key(sections)))), look=look)
    if plan.width * plan.height > MAX_SHEET_PIXELS:
        raise SpecError(
            f"the picture would be {plan.width}x{plan.height} pixels, more than {MAX_SHEET_PIXELS:,}; "
            "lower --tile, or draw fewer maps."
        )
    maps = [tile for section in sections if section.frame == OUTPUT_TEAL for tile in section.tiles]
    return Sheet(plan, lines[0], maps)


def _key(sections: Sequence[Section]) -> str:
    """Name the colours of the values that are not finite; empty if all values are finite."""
    found: dict[str, list[str]] = {}
    for section in sections:
        whose = "the maps" if section.frame == OUTPUT_TEAL else "the input"
        for tile in section.tiles:
            table = tile.bar.colours if tile.bar else None
            names = key(tile.others, table)
            found.setdefault(whose, []).extend(names)
    named = {whose: listed(list(dict.fromkeys(words))) for whose, words in found.items() if words}
    if len(set(named.values())) == 1:
        return f"Not finite: {next(iter(named.values()))}"
    return ". ".join(f"Not finite in {whose}: {words}" for whose, words in named.items())


def _shapes(plan: Plan) -> Iterator[Shape]:
    """Draw a measured sheet."""
    text, gap = plan.text, gap_of(plan.text)
    left, y = (plan.width - plan.content.w) // 2 + gap, (plan.height - plan.content.h) // 2 + gap
    for size, row in plan.lines:
        yield Label(left, y + font(size).ascent, row, INK if size == plan.lines[0][0] else FAINT, size)
        y += round(size * 1.35)
    y += gap // 2
    x = left
    for stack in plan.stacks:
        x += branches.width(plan.lanes, text)
        top = y
        rungs = []
        for rows in stack:
            yield from _tiles(rows, x, top, text=text, captioned=plan.look.captions)
            title = top + round(text * 0.65)
            rungs.append(
                branches.Rung(rows.section, title, top + rows.title.h + rows.above + rows.heights[0] // 2)
            )
            top += rows.height
        yield from branches.lines(rungs, plan.lanes, HW(y, x), bottom=top, text=text)
        x += width_of(stack, gap) + APART * gap
    if plan.corner:
        left, y = left + plan.corner.w, y + plan.corner.h
    else:
        y += max(sum(one.height for one in stack) for stack in plan.stacks)
    if plan.key:
        yield from plan.key.bar.shapes(left, y + text // 3, KEY * text, size=text)
        if plan.under:
            y += SCALE_LINES * round(text * 1.3)
        else:
            left += KEY * text + gap
    y += font(text).ascent
    for index, row in enumerate(plan.notes):
        yield Label(left, y + index * round(text * 1.3), row, FAINT, text)


def _tiles(rows: Rows, left: int, top: int, *, text: int, captioned: bool) -> Iterator[Shape]:
    """Draw the tiles of a section with their frames, and the captions below them."""
    line, ascent, edge = round(text * 1.3), font(text).ascent, max(_FRAME, text // 12)
    if rows.section.title:
        yield Label(left, top + ascent, rows.section.title, INK, text)
        top += rows.title.h
    cells = _cells(rows.section.tiles, text)
    names = captions.all_shortened([tile.caption for tile in rows.section.tiles], text, rows.cell)
    for index, tile in enumerate(rows.section.tiles):
        row, column = divmod(rows.section.skipped + index, rows.columns)
        x = left + column * (rows.cell + gap_of(text))
        y = top + sum(rows.heights[:row]) + row * (rows.above + rows.bar.h + rows.caption)
        h, w = tile.size
        if rows.kernels and rows.section.kernels:
            yield from rows.section.kernels.shapes(index, rows.kernels, x, y=y)
            y += rows.above
        yield Rectangle(x - edge, y - edge, w + 2 * edge, h + 2 * edge, fill=tile.frame or rows.section.frame)
        yield Bitmap(x, y, w, h, tile.levels, alt=f"{tile.name}: {tile.note}")
        yield from _in_cells(tile, cells[index], x=x, y=y)
        under = y + h
        wide = max(w, rows.bar.w)
        if tile.bar and tile.bar.drawn:
            yield from tile.bar.shapes(x, under + above_bar(text), wide, size=text)
        if captioned:
            # The captions of a row stand in one line, unless they would be far from their pictures.
            lowest = h if rows.heights[row] - h > _FAR * line else rows.heights[row]
            under = y + lowest + rows.bar.h + text // 3 + ascent
            yield Label(x, under, names[index], INK, text)
            note = captions.in_lines(tile.notes[rows.form], rows.notes)
            for words in note:
                under += line
                start, _, end = words.partition(captions.APART)
                yield Label(x, under, start, FAINT, text)
                if end:
                    yield Label(x + max(wide, captions.measured(words, text)), under, end, FAINT, text, "end")


def _cells(tiles: Sequence[Tile], text: int) -> list[_Cells]:
    """Write the numbers of tiles in one size; where the longest would not be legible, none are written."""
    numbers = [tile.numbers if tile.cell >= scales.CELL else None for tile in tiles]
    room = all(_sizes(tile.cell, text) for tile, of in zip(tiles, numbers, strict=True) if of is not None)
    words = [cell_words(of, apart=True) if room and of is not None else [] for of in numbers]
    sizes = [_number_size(of, tile.cell, text) for of, tile in zip(words, tiles, strict=True) if of]
    size = min(sizes, default=0)
    return [_in_lines(tile, of, size, text=text) for tile, of in zip(tiles, words, strict=True)]


def _in_lines(tile: Tile, words: list[list[str]], size: int, *, text: int) -> _Cells:
    """Place the numbers in the cells of a tile, and the keys above them, where they fit."""
    keys: list[list[str]] = []
    tall = 0
    if tile.keys:
        for names in (tile.keys, [str(index) for index in range(len(tile.keys))]):
            wide = tile.levels.shape[1]
            keys = [list(names[at : at + wide]) for at in range(0, len(names), wide)]
            tall = _number_size(keys, tile.cell, text)
            if tall:
                break
    if not (words and size and tall):
        return [(of, found, 0.5) for of, found in ((words, size), (keys, tall)) if of and found]
    return [(keys, tall, _NAME), (words, size, _VALUE)]


def _sizes(cell: int, text: int) -> range:
    """Return the sizes of type for numbers in cells, from the largest to the least that can be read."""
    least = max(_LEAST_NUMBER, math.ceil(_LEGIBLE_NUMBER * text))
    return range(min(cell * 2 // 5, 28), least - 1, -1)


def _number_size(words: list[list[str]], cell: int, text: int) -> int:
    """Choose the largest size of type in which numbers fit into cells; 0 if it is too small to read."""
    sizes = _sizes(cell, text)
    if not sizes:
        return 0
    # All digits have one width, points and signs half of it: measuring every word would take too long.
    widest = max(
        (word for row in words for word in row),
        key=lambda word: 2 * len(word) - word.count(".") - word.count("-"),
    )
    return next((one for one in sizes if font(one).getlength(widest) <= 0.9 * cell), 0)


def _in_cells(tile: Tile, cells: _Cells, *, x: int, y: int) -> Iterator[Shape]:
    """Draw lines between the cells of a tile, and its numbers."""
    yield from cell_lines(x, y, tile.size, cell=tile.cell)
    if not cells:
        return
    levels, cell = tile.levels[:].astype(float), tile.cell
    bright = levels @ (0.299, 0.587, 0.114) if levels.ndim == 3 else levels
    for words, size, middle in cells:
        for row, column in np.ndindex(bright.shape):
            yield Label(
                x + (column + 0.5) * cell,
                # Digits are 0.73 of the type size high.
                round(y + (row + middle) * cell + 0.365 * size),
                words[row][column],
                (0, 0, 0) if bright[row, column] > 127 else (255, 255, 255),
                size,
                "middle",
            )
