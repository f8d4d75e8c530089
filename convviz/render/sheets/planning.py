"""Measure a sheet: which columns, rows and type sizes make its tiles largest on a slide."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from convviz.render.sheets import branches, captions
from convviz.render.sheets.captions import measured, wrapped
from convviz.render.sheets.kernels import Fit, Kernels
from convviz.render.sheets.tile import Section, Tile, Words
from convviz.render.words.matrices import TOO_SMALL, has_too_small
from convviz.spec.geometry import HW
from convviz.spec.scales import CELL
from convviz.spec.settings import Look

# The height of letters is at least this share of the slide height, or the page width, that the sheet fills.
_LEGIBLE = 1 / 60
# Width and height of a slide, and of an A4 page, in multiples of the length that letters are compared with.
_SLIDE, _PAGE = (16 / 9, 1.0), (1.0, math.sqrt(2))
# The type size, in pixels: the least, its least share of the largest tile, and its greatest share of the
# mean tile.
_LEAST_TYPE, _OF_TILE, _MOST_OF_TILE = 13, 22, 4.7
# A column is at least this many times as wide as the type size; it may be this many times as wide as it
# has to be, so that the minimum and the maximum of a map stand in one line.
_LEAST_COLUMN, _WIDER = 5, 1.12
# The scale of the kernels is this many times as long as the type size, and as high as so many lines.
KEY, SCALE_LINES = 9, 2
# The least width of a legend, in multiples of the type size; one beside the scale is wider.
_NARROW = 18
# What the legend says of the sign for such a number, and the least cell that has room for numbers, in
# multiples of the type size.
_TINY, _LEAST_CELL = f"{TOO_SMALL} is not quite 0", 1.2
# Layouts of at least this share of the largest are as good.
_NEAR = 0.92
# Columns of at least this share of the widest become as wide; stacks of sections are this many gaps apart.
_SIMILAR, APART = 0.75, 2


@dataclass(frozen=True, eq=False)
class _Measured:
    """A section with what the size of type does not change."""

    section: Section
    words: Words
    size: HW
    heights: list[int]  # of each place
    cell: int  # the largest cell of a tile with numbers
    rows: dict[tuple[int, int, bool], "Rows"] = field(default_factory=dict)  # results of `_rows`

    @classmethod
    def of(cls, section: Section) -> "_Measured":
        """Look at every tile once."""
        tiles = section.tiles
        sizes = [tile.size for tile in tiles]
        heights = [size.h for size in sizes]
        return cls(
            section,
            section.words or Words.of(tiles),
            HW(max(heights), max(size.w for size in sizes)),
            [0] * section.skipped + heights,
            cell=max((tile.cell for tile in tiles if tile.numbers is not None), default=0),
        )

    @cached_property
    def tiny(self) -> int:
        """The largest cell of a tile with numbers that would be written as 0."""
        return max((tile.cell for tile in self.section.tiles if _holds_tiny(tile)), default=0)

    def form(self, text: int, width: int) -> int:
        """Choose the form of the notes, the first in `Tile.notes` that fits, or nearly fits."""
        whole, brief, spread, _ = self.words.notes
        if measured(" ".join(whole), text) <= width:
            return 0
        for form, words, room in ((1, brief, width), (2, spread, _WIDER * width)):
            if all(measured(word, text) <= room for word in words):
                return form
        return 3


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """What stands on a sheet, however it is laid out."""

    heading: Sequence[str]
    known: Sequence[_Measured]
    lanes: branches.Lanes
    note: str
    look: Look


@dataclass(frozen=True, eq=False)
class Rows:
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
    title: HW  # the room for a line above the tiles

    @cached_property
    def height(self) -> int:
        """Pixels from the top of the first frame to the end of the last caption."""
        return self.title.h + sum(self.heights) + len(self.heights) * self.under

    @property
    def under(self) -> int:
        """The room for what belongs to the tiles of a row: kernels, bars and captions."""
        return self.above + self.bar.h + self.caption

    @property
    def last(self) -> int:
        """The number of places of the last row that are filled, or stay empty before the first tile."""
        places = self.section.skipped + len(self.section.tiles)
        return places - (len(self.heights) - 1) * self.columns

    def taken(self, gap: int) -> float:
        """Return the area of all tiles with what belongs to them, in pixels."""
        return len(self.section.tiles) * (self.cell + gap) * self.height / len(self.heights)

    @property
    def above(self) -> int:
        """The room for kernels above each tile."""
        return self.kernels.height if self.kernels else 0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Hold a measured sheet."""

    text: int
    look: Look
    lines: list[tuple[int, str]]
    stacks: list[list[Rows]]
    lanes: branches.Lanes
    key: Kernels | None
    notes: Sequence[str]  # beside the scale of the kernels, if there are any
    corner: HW | None  # where these stand, from the first tile; below everything by default
    under: bool  # whether they stand below that scale
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
    def empty(self) -> float:
        """Share of the sheet on which no tile stands with its words, in tenths."""
        taken = sum(one.taken(gap_of(self.text)) for stack in self.stacks for one in stack)
        return round(1 - taken / (self.width * self.height), 1)


def best(heading: Sequence[str], sections: Sequence[Section], note: str, *, look: Look) -> Plan:
    """Choose the columns that make the tiles largest on the page, and the matching type size."""
    most = max((len(one.tiles) for one in sections if one.columns is None), default=1)
    known = [_Measured.of(section) for section in sections]
    content = _Content(heading, known, branches.lanes(sections), note, look)
    rows = range(1, math.isqrt(4 * most) + 2)
    least = 1 if look.layout == "tall" else 4  # in one stack
    choices = {-(-most // count) for count in rows} | ({*range(1, 5)} if look.layout == "tall" else set())
    # Two sections may stand side by side; many sections may stand in several stacks.
    most_stacks = {1: 1, 2: 2, 3: 1}.get(len(sections), len(sections) // 2)
    if any(one.skipped for one in sections):
        most_stacks = 1  # these stand below the others
    stacks = range(1, 1 + (1 if look.layout == "tall" else most_stacks))
    plans: list[Plan] = []
    enough = 0.0
    for together in stacks:
        for columns in sorted({max(least if together == 1 else 1, columns) for columns in choices}):
            plan = _fitted(content, columns=columns, stacks=together, enough=enough)
            plans.append(plan)
            if plan.legible <= plan.text:
                enough = max(enough, _NEAR * plan.share)
    plans = [plan for plan in plans if plan.legible <= plan.text] or plans
    largest = max(plan.share for plan in plans)
    # Of layouts of nearly the same size, take one that is full, then the easiest to follow.
    near = [plan for plan in plans if plan.share >= _NEAR * largest]
    return min(near, key=lambda plan: (plan.empty, len(plan.stacks), -plan.share))


def _fitted(content: _Content, *, columns: int, stacks: int, enough: float) -> Plan:
    """Measure a sheet with the least type size that is legible on it; give up if its share is not enough."""
    known, look = content.known, content.look
    sides = [math.isqrt(math.prod(one.size)) for one in known]
    counts = [len(one.section.tiles) for one in known]
    text = look.font_size or max(_LEAST_TYPE, max(sides) // _OF_TILE)
    mean = sum(side * count for side, count in zip(sides, counts, strict=True)) // sum(counts)
    most = max(text, int(mean / _MOST_OF_TILE))
    while True:
        plan = _planned(content, columns=columns, stacks=stacks, text=text)
        if look.font_size or plan.legible <= text or text >= most or plan.share < enough:
            return plan
        # Larger type makes the sheet larger, so it takes a few rounds to settle.
        text = min(max(plan.legible, text + 1), most)


def _planned(content: _Content, *, columns: int, stacks: int, text: int) -> Plan:
    """Measure a sheet with one type size."""
    known, note, look = content.known, content.note, content.look
    gap, left = gap_of(text), branches.width(content.lanes, text)
    # No section is folded where another is as wide.
    columns = max(columns, *(one.section.columns or one.section.together for one in known))
    rows = [_rows(one, columns, text, captioned=look.captions) for one in known]
    if len(rows) == stacks == 2:
        rows[0] = _beside(known[0], rows[1], text, captioned=look.captions)
    stacked = [_aligned(stack) for stack in _stacked(rows, stacks)]
    across = sum(width_of(stack, gap) + left for stack in stacked)
    across += (1 + APART * (len(stacked) - 1)) * gap
    down = max(sum(one.height for one in stack) for stack in stacked)
    room = max(across - 2 * gap, 30 * text)
    lines = [
        (size, row)
        for index, words in enumerate(content.heading)
        for size in [round(text * 1.25) if index == 0 else text]
        for row in wrapped(words, size, room)
    ]
    width = max(across, *(math.ceil(measured(row, size)) + 2 * gap for size, row in lines))
    down += gap + sum(round(size * 1.35) for size, _ in lines) + gap // 2
    key, fit = next(((one.section.kernels, one.kernels) for one in rows if one.section.kernels), (None, None))
    least = 30 * text if key else _NARROW * text if note else 0
    width = max(width, least)
    tiny = _TINY if any(map(_writes_tiny, known, rows, [text] * len(rows))) else ""
    of_kernels = key.legend(fit) if key and fit else ""
    sentences = [one for one in (of_kernels, ". ".join(filter(None, (note, tiny)))) if one]
    corner, under = None, False
    for at, free in _corners(stacked, left, text):
        if sentences and free.w >= _NARROW * text and free.h >= 2 * text:
            under = key is not None and free.w < least
            notes, high = _legend(sentences, free.w, text, scale=key is not None and not under)
            if high + under * SCALE_LINES * round(text * 1.3) <= free.h:
                corner = at
                break
    else:
        under = False
        notes, high = _legend(sentences, width - 2 * gap, text, scale=key is not None)
        down += high
    down += gap // 2
    filled = HW(down, width)
    if look.layout == "wide":
        down, width = max(down, math.ceil(width * 9 / 16)), max(width, math.ceil(down * 16 / 9))
    elif look.layout == "tall":
        ratio = _PAGE[1] / _PAGE[0]
        down, width = max(down, math.ceil(width * ratio)), max(width, math.ceil(down / ratio))
    return Plan(text, look, lines, stacked, content.lanes, key, notes, corner, under, filled, down, width)


def _holds_tiny(tile: Tile) -> bool:
    """Return whether a number of a tile would be written as 0, but is not."""
    return tile.numbers is not None and tile.cell >= CELL and has_too_small(tile.numbers)


def _writes_tiny(known: _Measured, rows: Rows, text: int) -> bool:
    """Return whether such a number stands in a cell of a section, beside a map, or in a kernel."""
    kernels = known.section.kernels
    least = _LEAST_CELL * text
    fits = known.cell >= least and known.tiny >= least
    vague = known.words.vague
    brief = vague > 0 and (rows.form > 0 or vague * text > rows.cell)
    return (
        fits
        or brief
        or (kernels is not None and rows.kernels is not None and kernels.has_too_small(rows.kernels))
    )


def _legend(sentences: Sequence[str], width: int, text: int, *, scale: bool) -> tuple[list[str], int]:
    """Break the legend into lines, beside the scale of the kernels if there is one; return its height too."""
    room = width - (KEY * text + gap_of(text) if scale else 0)
    lines = [row for one in sentences for row in wrapped(one, text, room)]
    return lines, max(len(lines), SCALE_LINES if scale else 0) * round(text * 1.3)


def _corners(stacks: Sequence[Sequence[Rows]], lanes: int, text: int) -> Iterator[tuple[HW, HW]]:
    """Find where no tile stands: below shorter stacks, before a section, after the first or the last one.

    Each is the distance from the top left of all stacks, and the size; `lanes` is the room at the left of a
    stack.
    """
    gap, left = gap_of(text), lanes
    most = max(sum(one.height for one in stack) for stack in stacks)
    after = []
    for stack in stacks:
        top, wide = 0, width_of(stack, gap)
        for one in stack:
            last = HW(one.heights[-1] + one.under - gap, one.cell + gap)
            if one is stack[0] or one is stack[-1]:  # between others, words would break the columns
                start, filled = top + one.height - last.h - gap, one.last * last.w
                after.append((HW(start, left + filled + gap), HW(last.h, wide - filled - 2 * gap)))
            if one.section.skipped:
                yield HW(top + one.title.h, left), HW(last.h, one.section.skipped * last.w - gap)
            top += one.height
        yield HW(top + gap, left), HW(most - top - gap, wide - gap)
        left += wide + APART * gap + lanes
    yield from after


def gap_of(text: int) -> int:
    """Return the distance of tiles from each other and from the edges of the sheet, for a type size."""
    return max(text * 5 // 9, 12)


def above_bar(text: int) -> int:
    """Return the distance of a bar from the tile above it, for a type size."""
    return text * 2 // 5


def _rows(known: _Measured, columns: int, text: int, *, captioned: bool) -> Rows:
    """Measure a section, once for every number of columns and size of type."""
    section, count = known.section, len(known.heights)
    # Tiles that stay together are as many columns, at least.
    columns = max(1, columns // section.together) * section.together
    columns = min(section.columns or columns, count)
    key = (columns, text, captioned)
    if key not in known.rows:
        known.rows[key] = _in_rows(known, columns, text, captioned=captioned)
    return known.rows[key]


def _in_rows(known: _Measured, columns: int, text: int, *, captioned: bool) -> Rows:
    """Measure a section in rows of a given length."""
    section = known.section
    least = math.ceil(known.words.bar * text)
    cell = max(known.size.w, least)
    notes: list[int] = []
    form = 0
    if captioned:
        cell = max(cell, _LEAST_COLUMN * text, math.ceil(measured(known.words.name, text)))
    kernels = None
    if section.kernels:
        kernels = section.kernels.fit(cell, known.size.h, text, widen=known.cell > 0)
        cell = max(cell, kernels.width)
    if captioned:
        form = known.form(text, cell)
        words = known.words.notes[form]
        cell = max(cell, *(math.ceil(measured(word, text)) for word in words))
        notes = captions.words_in_lines(words, text, cell)
    line = round(text * 1.3)
    bars = [above_bar(text) + bar.height(text) for bar in known.words.bars]
    starts = range(0, len(known.heights), columns)
    heights = [max(known.heights[start : start + columns]) for start in starts]
    caption = gap_of(text) + (text // 3 + (1 + len(notes)) * line if captioned else 0)
    bar = HW(max(bars, default=0), least)
    title = HW(0, 0)
    if section.title:
        title = HW(line + text // 3, math.ceil(measured(section.title, text)) + gap_of(text))
    return Rows(section, columns, cell, heights, notes, form, bar, caption, kernels, title)


def _beside(known: _Measured, other: Rows, text: int, *, captioned: bool) -> Rows:
    """Measure a section in the columns that make it and the section beside it largest on a slide."""
    across, down = _SLIDE
    every = [
        _rows(known, columns, text, captioned=captioned) for columns in range(1, len(known.section.tiles) + 1)
    ]

    def size(rows: Rows) -> float:
        wide = width_of([rows], gap_of(text)) + width_of([other], gap_of(text))
        return max(wide / across, max(rows.height, other.height) / down)

    return min(every, key=size)


def _stacked(rows: Sequence[Rows], count: int) -> list[list[Rows]]:
    """Divide sections into stacks of about the same height, to stand side by side."""
    share = sum(one.height for one in rows) / count
    stacks: list[list[Rows]] = [[]]
    filled = 0
    for one in rows:
        if stacks[-1] and len(stacks) < count and filled + one.height / 2 > share:
            stacks.append([])
            filled = 0
        stacks[-1].append(one)
        filled += one.height
    return stacks


def _aligned(stack: Sequence[Rows]) -> list[Rows]:
    """Give sections that stand below each other the same columns if these are similar, or tiles equal."""
    others = [one for one in stack if one.columns > 1] or stack[:1]

    def belongs(one: Rows, other: Rows) -> bool:
        equal = (one.columns, max(one.heights)) == (other.columns, max(other.heights))
        return equal or one.cell >= _SIMILAR * other.cell

    cells = [max([one.cell, *(other.cell for other in others if belongs(one, other))]) for one in stack]
    return [replace(one, cell=cell) for one, cell in zip(stack, cells, strict=True)]


def width_of(stack: Sequence[Rows], gap: int) -> int:
    """Measure a stack, including the gap after its last column."""
    return max(max(one.columns * (one.cell + gap), one.title.w) for one in stack)


def least_area(count: int, tile: HW, *, others: int, look: Look) -> int:
    """Return a number of pixels that a sheet has at least: maps with their captions.

    Parameters
    ----------
    count : int
        The number of maps.
    tile : HW
        The least size of each, in pixels.
    others : int
        The most tiles that stand beside them, of any size.
    look : Look
        The size of type, and the shape of the page.

    Notes
    -----
    The type that `best` takes is legible on the sheet, or as large as tiles allow; so it is at least what is
    legible on a sheet of the area that it needs itself.
    """
    across, down = _PAGE if look.layout == "tall" else _SLIDE
    most = int(count * math.isqrt(tile.h * tile.w) // (count + others) / _MOST_OF_TILE)
    text = look.font_size or _LEAST_TYPE
    while True:
        gap, line = gap_of(text), round(text * 1.3)
        w = max(tile.w, _LEAST_COLUMN * text) if look.captions else tile.w
        # A map of one value has no bar.
        under = gap + (text // 3 + 2 * line if look.captions else 0)
        area = count * (w + gap) * (tile.h + under)
        legible = min(math.ceil(_LEGIBLE * math.sqrt(area / (across * down))), most)
        if look.font_size or legible <= text:
            return area
        text = legible
