"""Lay out tiles with captions on one sheet: the picture that `run` writes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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
from convviz.render.sheets.bar import Bar
from convviz.render.sheets.captions import measured, wrapped
from convviz.render.sheets.kernels import Fit, Kernels, cell_lines
from convviz.render.sheets.tile import Section, Tile
from convviz.render.words.matrices import cell_words
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.settings import Look
from convviz.text import listed

# The most pixels of one sheet: 4 GiB in colour.
MAX_SHEET_PIXELS = 1 << 30

# The height of letters is at least this share of the slide height, or the page width, that the sheet fills.
_LEGIBLE = 1 / 60
# Width and height of a slide, and of an A4 page, in multiples of the length that letters are compared with.
_SLIDE, _PAGE = (16 / 9, 1.0), (1.0, math.sqrt(2))
# The type size, in pixels: the least, its least share of the largest tile, and its greatest share of the
# mean tile.
_LEAST_TYPE, _OF_TILE, _MOST_OF_TILE = 13, 22, 6
# A column is at least this many times as wide as the type size.
_LEAST_COLUMN = 5
# The width of the line round a tile, in pixels, for small words; it grows with them.
_FRAME = 2
# The scale of the kernels is this many times as long as the type size.
_KEY = 9
# The least size of a number in a cell: in pixels, and as a share of the type size.
_LEAST_NUMBER, _LEGIBLE_NUMBER = 8, 0.4
# Columns of at least this share of the widest become as wide; stacks of sections are this many gaps apart.
_SIMILAR, _APART = 0.75, 2

# The words in the cells of a tile, and their size; none are written if there are none.
_Cells = tuple[list[list[str]], int]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Hold a picture that is painted band by band, from the top down, when it is written or shown.

    Parameters
    ----------
    drawing : Drawing
        The content of the sheet, one unit per pixel, for every format.
    maps : sequence of Tile
        The tiles of the output, which a terminal shows one by one.
    """

    drawing: Drawing
    maps: Sequence[Tile] = ()

    channels = 3

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return round(self.drawing.height)

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return round(self.drawing.width)

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
    plan = _best(lines, sections, ". ".join(filter(None, (note, _key(sections)))), look=look)
    if plan.width * plan.height > MAX_SHEET_PIXELS:
        raise SpecError(
            f"the picture would be {plan.width}x{plan.height} pixels, more than {MAX_SHEET_PIXELS:,}; "
            "lower --tile, or write the maps one by one with --maps."
        )
    maps = [tile for section in sections if section.frame == OUTPUT_TEAL for tile in section.tiles]
    return Sheet(Drawing(plan.width, plan.height, PAPER, tuple(_shapes(plan)), title=lines[0]), maps)


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


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """A section with what the size of type does not change: widest name, items of notes, and widest bar."""

    section: Section
    size: HW
    heights: list[int]  # of each tile
    name: str
    words: list[list[str]]  # of each form of the notes
    bar: float
    bars: list[Bar]  # one for each height of bars
    numbered: bool  # whether numbers may stand in the cells of a tile
    rows: dict[tuple[int, int, bool], "_Rows"] = field(default_factory=dict)  # results of `_rows`

    @classmethod
    def of(cls, section: Section) -> "_Measured":
        """Look at every tile once."""
        tiles = section.tiles
        sizes = [tile.size for tile in tiles]
        heights = [size.h for size in sizes]
        names = {captions.shortest(tile.caption) for tile in tiles}
        words = [captions.widest_words(form) for form in zip(*(tile.notes for tile in tiles), strict=True)]
        name = max(sorted(names), key=lambda name: measured(name, 1))
        bars = [tile.bar for tile in tiles if tile.bar]
        return cls(
            section,
            HW(max(heights), max(size.w for size in sizes)),
            heights,
            name,
            words,
            bar=max((one.least for one in bars), default=0.0),
            bars=list({one.height(_LEAST_TYPE): one for one in bars}.values()),
            numbered=any(tile.numbers is not None for tile in tiles),
        )

    def form(self, text: int, width: int) -> int:
        """Choose the form of the notes: all digits in one line, items in brief, or ranges in two lines."""
        whole, brief, _ = self.words
        if measured(" ".join(whole), text) <= width:
            return 0
        return 1 if all(measured(word, text) <= width for word in brief) else 2


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Hold a measured section: the height of each row, the width of a column, the lines of a note."""

    section: Section
    columns: int
    cell: int
    heights: list[int]
    notes: list[int]  # items in each line of a note; the last line takes the rest
    form: int  # that of the notes
    bar: HW  # the room that a bar takes, and the least width of one
    caption: int
    kernels: Fit | None
    title: int  # the room for a line above the tiles

    @property
    def height(self) -> int:
        """Pixels from the top of the first frame to the end of the last caption."""
        return self.title + sum(self.heights) + len(self.heights) * (self.above + self.bar.h + self.caption)

    @property
    def above(self) -> int:
        """The room for kernels above each tile."""
        return self.kernels.height if self.kernels else 0


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Hold a measured sheet."""

    text: int
    look: Look
    lines: list[tuple[int, str]]
    stacks: list[list[_Rows]]
    lanes: branches.Lanes
    key: Kernels | None
    told: list[str]  # notes on the kernels, beside their scale
    notes: list[str]
    content: HW
    height: int
    width: int

    @property
    def share(self) -> float:
        """Share of a slide, or a page, that one pixel takes when the sheet fills it."""
        across, down = _PAGE if self.look.layout == "tall" else _SLIDE
        return min(across / self.width, down / self.height)

    @property
    def legible(self) -> int:
        """Type size that is legible then."""
        return math.ceil(_LEGIBLE / self.share)

    @property
    def empty(self) -> int:
        """Number of places without a tile in the sections whose columns were chosen."""
        rows = [one for stack in self.stacks for one in stack if one.section.columns is None]
        return sum(len(one.heights) * one.columns - len(one.section.tiles) for one in rows)


def _best(heading: Sequence[str], sections: Sequence[Section], note: str, *, look: Look) -> _Plan:
    """Choose the columns that make the tiles largest on the page, and the matching type size."""
    most = max((len(one.tiles) for one in sections if one.columns is None), default=1)
    known = [_Measured.of(section) for section in sections]
    rows = range(1, math.isqrt(4 * most) + 2)
    least = 1 if look.layout == "tall" else 4
    choices = sorted({max(least, -(-most // count)) for count in rows})
    # Two sections may stand side by side; many sections may stand in several stacks.
    most_stacks = {1: 1, 2: 2, 3: 1}.get(len(sections), len(sections) // 2)
    stacks = range(1, 1 + (1 if look.layout == "tall" else most_stacks))
    plans = [
        _fitted(heading, known, note, look=look, columns=columns, stacks=together)
        for together in stacks
        for columns in choices
    ]
    plans = [plan for plan in plans if plan.legible <= plan.text] or plans
    largest = max(plan.share for plan in plans)
    # Of layouts of nearly the same size, take the easiest to follow with the fewest empty places.
    near = [plan for plan in plans if plan.share >= 0.92 * largest]
    return min(near, key=lambda plan: (len(plan.stacks), plan.empty, -plan.share))


def _fitted(
    heading: Sequence[str],
    known: Sequence[_Measured],
    note: str,
    *,
    look: Look,
    columns: int,
    stacks: int,
) -> _Plan:
    """Measure a sheet with the least type size that is legible on it."""
    sides = [math.isqrt(math.prod(one.size)) for one in known]
    counts = [len(one.section.tiles) for one in known]
    text = look.font_size or max(_LEAST_TYPE, max(sides) // _OF_TILE)
    mean = sum(side * count for side, count in zip(sides, counts, strict=True)) // sum(counts)
    most = max(text, mean // _MOST_OF_TILE)
    while True:
        plan = _planned(heading, known, note, look=look, columns=columns, stacks=stacks, text=text)
        if look.font_size or plan.legible <= text or text >= most:
            return plan
        # Larger type makes the sheet larger, so it takes a few rounds to settle.
        text = min(max(plan.legible, text + 1), most)


def _planned(
    heading: Sequence[str],
    known: Sequence[_Measured],
    note: str,
    *,
    look: Look,
    columns: int,
    stacks: int,
    text: int,
) -> _Plan:
    """Measure a sheet with one type size."""
    gap = _gap(text)
    rows = [_rows(one, columns, text, captioned=look.captions) for one in known]
    if len(rows) == stacks == 2:
        rows[0] = _beside(known[0], rows[1], text, captioned=look.captions)
    stacked = [_aligned(stack) for stack in _stacked(rows, stacks)]
    lanes = branches.lanes([one.section for one in known])
    across = sum(_width(stack, gap, text) + branches.width(lanes, text) for stack in stacked)
    across += (1 + _APART * (len(stacked) - 1)) * gap
    down = max(sum(one.height for one in stack) for stack in stacked)
    room = max(across - 2 * gap, 30 * text)
    lines = [
        (size, row)
        for index, words in enumerate(heading)
        for size in [round(text * 1.25) if index == 0 else text]
        for row in wrapped(words, size, room)
    ]
    width = max(across, *(math.ceil(measured(row, size)) + 2 * gap for size, row in lines))
    down += gap + sum(round(size * 1.35) for size, _ in lines) + gap // 2
    key = next((one.section.kernels for one in known if one.section.kernels), None)
    told = []
    if key:
        width = max(width, 30 * text)
        told = wrapped(key.sentence, text, width - 3 * gap - _KEY * text)
        down += max(len(told), 2) * round(text * 1.3) + gap // 2
    notes = []
    if note:
        width = max(width, 24 * text)
        notes = wrapped(note, text, width - 2 * gap)
        down += len(notes) * round(text * 1.3)
    down += gap // 2
    content = HW(down, width)
    if look.layout == "wide":
        down, width = max(down, math.ceil(width * 9 / 16)), max(width, math.ceil(down * 16 / 9))
    elif look.layout == "tall":
        ratio = _PAGE[1] / _PAGE[0]
        down, width = max(down, math.ceil(width * ratio)), max(width, math.ceil(down / ratio))
    return _Plan(text, look, lines, stacked, lanes, key, told, notes, content, down, width)


def _gap(text: int) -> int:
    """Return the distance of tiles from each other and from the edges of the sheet, for a type size."""
    return max(text * 2 // 3, 12)


def _rows(known: _Measured, columns: int, text: int, *, captioned: bool) -> _Rows:
    """Measure a section, once for every number of columns and size of type."""
    section, count = known.section, len(known.heights)
    # Tiles that stay together are as many columns, at least.
    columns = max(1, columns // section.together) * section.together
    columns = min(section.columns or columns, count)
    key = (columns, text, captioned)
    if key not in known.rows:
        known.rows[key] = _in_rows(known, columns, text, captioned=captioned)
    return known.rows[key]


def _in_rows(known: _Measured, columns: int, text: int, *, captioned: bool) -> _Rows:
    """Measure a section in rows of a given length."""
    section = known.section
    least = math.ceil(known.bar * text)
    cell = max(known.size.w, least)
    notes: list[int] = []
    form = 0
    if captioned:
        cell = max(cell, _LEAST_COLUMN * text, math.ceil(measured(known.name, text)))
    kernels = None
    if section.kernels:
        kernels = section.kernels.fit(cell, known.size.h, text, widen=known.numbered)
        cell = max(cell, kernels.width)
    if captioned:
        form = known.form(text, cell)
        words = known.words[form]
        cell = max(cell, *(math.ceil(measured(word, text)) for word in words))
        notes = captions.words_in_lines(words, text, cell)
    line = round(text * 1.3)
    bars = [text // 2 + bar.height(text) for bar in known.bars]
    starts = range(0, len(known.heights), columns)
    heights = [max(known.heights[start : start + columns]) for start in starts]
    caption = _gap(text) + (text // 3 + (1 + len(notes)) * line if captioned else 0)
    bar = HW(max(bars, default=0), least)
    title = line + text // 3 if section.title else 0
    return _Rows(section, columns, cell, heights, notes, form, bar, caption, kernels, title)


def _beside(known: _Measured, other: _Rows, text: int, *, captioned: bool) -> _Rows:
    """Measure a section in the columns that make it and the section beside it largest on a slide."""
    across, down = _SLIDE
    every = [
        _rows(known, columns, text, captioned=captioned) for columns in range(1, len(known.section.tiles) + 1)
    ]

    def size(rows: _Rows) -> float:
        wide = _width([rows], _gap(text), text) + _width([other], _gap(text), text)
        return max(wide / across, max(rows.height, other.height) / down)

    return min(every, key=size)


def _stacked(rows: Sequence[_Rows], count: int) -> list[list[_Rows]]:
    """Divide sections into stacks of about the same height, to stand side by side."""
    share = sum(one.height for one in rows) / count
    stacks: list[list[_Rows]] = [[]]
    for one in rows:
        filled = sum(of.height for of in stacks[-1])
        if stacks[-1] and len(stacks) < count and filled + one.height / 2 > share:
            stacks.append([])
        stacks[-1].append(one)
    return stacks


def _aligned(stack: Sequence[_Rows]) -> list[_Rows]:
    """Give sections that stand below each other the same columns if these have similar widths."""
    cell = max((one.cell for one in stack if one.columns > 1), default=0)
    return [replace(one, cell=cell) if _SIMILAR * cell <= one.cell < cell else one for one in stack]


def _width(stack: Sequence[_Rows], gap: int, text: int) -> int:
    """Measure a stack, including the gap after its last column."""
    tiles = max(one.columns * (one.cell + gap) for one in stack)
    titles = (one.section.title for one in stack if one.section.title)
    return max(tiles, *(math.ceil(measured(title, text)) + gap for title in titles), 0)


def _shapes(plan: _Plan) -> Iterator[Shape]:
    """Draw a measured sheet."""
    text, gap = plan.text, _gap(plan.text)
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
                branches.Rung(rows.section, title, top + rows.title + rows.above + rows.heights[0] // 2)
            )
            top += rows.height
        yield from branches.lines(rungs, plan.lanes, HW(y, x), bottom=top, text=text)
        x += _width(stack, gap, text) + _APART * gap
    y += max(sum(one.height for one in stack) for stack in plan.stacks)
    if plan.key:
        yield from plan.key.bar.shapes(left, y + text // 3, _KEY * text, size=text)
        for index, row in enumerate(plan.told):
            at = y + font(text).ascent + index * round(text * 1.3)
            yield Label(left + _KEY * text + gap, at, row, FAINT, text)
        y += max(len(plan.told), 2) * round(text * 1.3) + gap // 2
    y += font(text).ascent
    for index, row in enumerate(plan.notes):
        yield Label(left, y + index * round(text * 1.3), row, FAINT, text)


def _tiles(rows: _Rows, left: int, top: int, *, text: int, captioned: bool) -> Iterator[Shape]:
    """Draw the tiles of a section with their frames, and the captions below them."""
    line, ascent, edge = round(text * 1.3), font(text).ascent, max(_FRAME, text // 12)
    if rows.section.title:
        yield Label(left, top + ascent, rows.section.title, INK, text)
        top += rows.title
    cells = _cells(rows.section.tiles, text)
    for index, tile in enumerate(rows.section.tiles):
        row, column = divmod(index, rows.columns)
        x = left + column * (rows.cell + _gap(text))
        y = top + sum(rows.heights[:row]) + row * (rows.above + rows.bar.h + rows.caption)
        h, w = tile.size
        if rows.kernels and rows.section.kernels:
            yield from rows.section.kernels.shapes(index, rows.kernels, x, y=y)
            y += rows.above
        yield Rectangle(x - edge, y - edge, w + 2 * edge, h + 2 * edge, fill=rows.section.frame)
        yield Bitmap(x, y, w, h, tile.levels, alt=f"{tile.name}: {tile.note}")
        yield from _in_cells(tile, cells[index], x=x, y=y)
        under = y + h
        if tile.bar:
            yield from tile.bar.shapes(x, under + text // 2, max(w, rows.bar.w), size=text)
        if captioned:
            under += rows.bar.h + text // 3 + ascent
            yield Label(x, under, captions.shortened(tile.caption, text, rows.cell), INK, text)
            note = captions.in_lines(tile.notes[rows.form], rows.notes)
            for number_of, words in enumerate(note, start=1):
                yield Label(x, under + number_of * line, words, FAINT, text)


def _cells(tiles: Sequence[Tile], text: int) -> list[_Cells]:
    """Write the numbers of tiles in one size; where the longest would not be legible, none are written."""
    words = [
        cell_words(tile.numbers) if tile.numbers is not None and tile.cell >= scales.CELL else []
        for tile in tiles
    ]
    sizes = [_number_size(of, tile.cell, text) for of, tile in zip(words, tiles, strict=True) if of]
    size = min(sizes, default=0)
    return [(of, size) if size else ([], 0) for of in words]


def _number_size(words: list[list[str]], cell: int, text: int) -> int:
    """Choose the largest size of type in which numbers fit into cells; 0 if it is too small to read."""
    # All digits have one width, points and signs half of it: measuring every word would take too long.
    widest = max(
        (word for row in words for word in row),
        key=lambda word: 2 * len(word) - word.count(".") - word.count("-"),
    )
    least = max(_LEAST_NUMBER, math.ceil(_LEGIBLE_NUMBER * text))
    sizes = range(min(cell * 2 // 5, 28), least - 1, -1)
    return next((one for one in sizes if font(one).getlength(widest) <= 0.9 * cell), 0)


def _in_cells(tile: Tile, cells: _Cells, *, x: int, y: int) -> Iterator[Shape]:
    """Draw lines between the cells of a tile, and its numbers."""
    yield from cell_lines(x, y, tile.size, cell=tile.cell)
    words, size = cells
    if not words:
        return
    levels, cell = tile.levels[:].astype(float), tile.cell
    bright = levels @ (0.299, 0.587, 0.114) if levels.ndim == 3 else levels
    for row, column in np.ndindex(bright.shape):
        yield Label(
            x + (column + 0.5) * cell,
            # Digits are 0.73 of the type size high.
            round(y + (row + 0.5) * cell + 0.365 * size),
            words[row][column],
            (0, 0, 0) if bright[row, column] > 127 else (255, 255, 255),
            size,
            "middle",
        )
