"""Tiles with captions on one sheet: what `run` writes as a picture."""

import functools
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from convviz.compute.survey import ArraySummary
from convviz.errors import SpecError
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, OUTPUT_TEAL, PAPER, RULE, ZERO_LEVEL, Tone
from convviz.render.toned import Toned
from convviz.render.words.matrices import cell_words
from convviz.spec.geometry import HW
from convviz.text import number
from convviz.typing import Bytes, Floats

FRAME = 2  # pixels of the line round a tile

# The most pixels that one sheet may have: 4 GiB in colour.
MAX_SHEET_PIXELS = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture on the sheet.

    Parameters
    ----------
    name : str
        First line of the caption.
    note : str
        Second line.
    levels : Toned or ndarray, shape (H, W) or (H, W, 3), uint8
        The picture, one element per pixel or cell.
    cell : int
        Side of the square that each element is drawn as, in pixels.
    numbers : ndarray, shape (H, W), float32, optional
        Values to write into the cells, where they fit.
    """

    name: str
    note: str
    levels: Bytes | Toned
    cell: int = 1
    numbers: Floats | None = None

    @property
    def size(self) -> HW:
        """Size on the sheet, in pixels."""
        return HW(self.levels.shape[0] * self.cell, self.levels.shape[1] * self.cell)


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Tiles that are laid out together, with frames of one colour.

    Parameters
    ----------
    tiles : sequence of Tile
        At least one.
    columns : int
        Tiles in one row.
    frame : (int, int, int)
        Colour of the frames.
    """

    tiles: Sequence[Tile]
    columns: int
    frame: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Legend:
    """A bar of all levels with words under its ends and its middle.

    Parameters
    ----------
    colours : ndarray, shape (256, 3), uint8, or None
        The colour of each level; None for grey.
    marks : sequence of (int, str)
        Levels to mark, with what they mean.
    note : str
        What holds for the whole sheet.
    """

    colours: Bytes | None
    marks: Sequence[tuple[int, str]]
    note: str


def extent(low: float, high: float) -> str:
    """Write the minimum and the maximum, the second line of a caption.

    Examples
    --------
    >>> extent(-1, 0.5)
    '-1 to 0.5'
    """
    return f"{number(low)} to {number(high)}"


def map_tile(name: str, one: ArraySummary, tone: Tone, *, scale: float, colours: Bytes | None = None) -> Tile:
    """Draw one map.

    Parameters
    ----------
    name : str
        What to call it.
    one : ArraySummary
        The map; reduced before it is toned, so that brightness shows the mean of
        an area.
    tone : Tone
        How values become levels.
    scale : float
        As `fit` gives it.
    colours : ndarray, shape (256, 3), uint8, optional
        The colour of each level.

    Returns
    -------
    Tile
        With the numbers, where it is enlarged.
    """
    return Tile(
        name,
        extent(one.low, one.high),
        Toned([one.small], [tone], colours),
        cell=max(1, int(scale)),
        numbers=one.small[:] if scale > 1 else None,
    )


def columns_for(count: int, *, least: int = 4) -> int:
    """Choose how many tiles stand in one row.

    Parameters
    ----------
    count : int
        Tiles to lay out.
    least : int
        Columns that are there anyway.

    Returns
    -------
    int
        Columns that leave few places empty, on a sheet that is not much taller than wide.

    Examples
    --------
    >>> [columns_for(count) for count in (1, 6, 10, 64)]
    [4, 6, 5, 8]
    """
    root = math.ceil(math.sqrt(count))
    choices = range(max(least, root), max(least, root) + 3)
    return min(choices, key=lambda columns: (-count % columns, columns))


Paint = Callable[[int, int], Bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A picture that is painted strip by strip, from the top down, when it is written or shown.

    Parameters
    ----------
    height, width : int
        Size, in pixels.
    parts : sequence of (int, callable)
        The height of each strip, with what begins to paint it: a callable that
        gives the pixels of some of its rows, from ``top`` to ``bottom``, as an
        array (rows, width, 3) of uint8. It may be called from several threads.
    maps : sequence of Tile
        The tiles of the output, which a terminal shows one by one.
    """

    height: int
    width: int
    parts: Sequence[tuple[int, Callable[[], Paint]]]
    maps: Sequence[Tile] = ()

    channels = 3

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as Pillow has them."""
        return self.width, self.height

    def strips(self) -> Iterator[tuple[int, Paint]]:
        """Return the height of each strip with what paints its rows."""
        for height, begin in self.parts:
            yield height, begin()

    def image(self) -> Image.Image:
        """Paint the whole; mode RGB."""
        return Image.fromarray(np.concatenate([paint(0, height) for height, paint in self.strips()]))


def sheet(heading: Sequence[str], sections: Sequence[Section], legend: Legend | None = None) -> Sheet:
    """Lay out sections of tiles under a heading.

    Parameters
    ----------
    heading : sequence of str
        Lines above the tiles; the first one is larger.
    sections : sequence of Section
        From the top down.
    legend : Legend, optional
        How values became brightness, below all tiles.

    Returns
    -------
    Sheet
        Nothing is painted yet.

    Raises
    ------
    SpecError
        If the sheet would have more than `MAX_SHEET_PIXELS`.
    """
    # One size of type for the sheet, read at the size at which the largest tile is looked at.
    largest = max(max(tile.size) for section in sections for tile in section.tiles)
    text = min(max(13, largest // 22), 120)
    gap, line = text, round(text * 1.3)
    least = text * 9  # the width of a caption such as "-0.1234 to 0.1234"

    plans = [_plan(section, least) for section in sections]
    lines = [
        (size, row)
        for index, words in enumerate(heading)
        for size in [round(text * 1.25) if index == 0 else text]
        for row in _wrap(words, size, max(max(width * columns for _, width, columns in plans), 36 * text))
    ]
    width = max(
        *(columns * (cell + gap) + gap for _, cell, columns in plans),
        *(math.ceil(_length(row, size)) + 2 * gap for size, row in lines),
        (30 * text if legend else 0),
    )
    legend_rows = _wrap(legend.note, text, width - 2 * gap) if legend else []

    top, headings = gap, []
    for index, (size, row) in enumerate(lines):
        headings.append(_Words(gap, top, row, size, INK if index == 0 else FAINT))
        top += round(size * 1.35)
    top += gap // 2
    parts = [(top - FRAME, functools.partial(_written, width, top - FRAME, headings))]
    for section, (heights, cell, columns) in zip(sections, plans, strict=True):
        places = [gap + column * (cell + gap) for column in range(columns)]
        for index, height in enumerate(heights):
            tiles = list(zip(places, section.tiles[index * columns : (index + 1) * columns], strict=False))
            parts.append((height + 2 * FRAME, functools.partial(_tiles, width, tiles, section.frame)))
            y, below = text // 3 - FRAME, 2 * line + gap - 2 * FRAME
            captions = [
                _Words(x, y + offset, _cut(words, text, cell), text, colour)
                for x, tile in tiles
                for words, offset, colour in ((tile.name, 0, INK), (tile.note, line, FAINT))
            ]
            parts.append((below, functools.partial(_written, width, below, captions)))
    below = gap // 2 + FRAME
    if legend:
        below += 3 * text + round(text * 1.3) * len(legend_rows) + gap
        draw_legend = functools.partial(
            _legend, width, below, legend=legend, rows=legend_rows, x=gap, text=text
        )
        parts.append((below, draw_legend))
    else:
        parts.append((below, functools.partial(_written, width, below, [])))
    height = sum(rows for rows, _ in parts)
    if width * height > MAX_SHEET_PIXELS:
        raise SpecError(
            f"the picture would be {width}x{height} pixels, more than {MAX_SHEET_PIXELS:,}; "
            "lower --tile, or write the maps one by one with --maps."
        )
    maps = [tile for section in sections if section.frame == OUTPUT_TEAL for tile in section.tiles]
    return Sheet(height, width, parts, maps)


class _Words(NamedTuple):
    """A line of words on a strip, by its top left corner."""

    x: int
    y: int
    text: str
    size: int
    colour: tuple[int, int, int]


def _written(width: int, height: int, lines: Sequence[_Words]) -> Paint:
    """Begin a strip of words."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    for words in lines:
        image, left = _image_of(words.text, words.size, words.colour)
        x, right = words.x - left, min(words.x - left + image.shape[1], width)
        bottom = min(words.y + image.shape[0], height)
        pixels[words.y : bottom, x:right] = image[: bottom - words.y, : right - x]
    return lambda top, bottom: pixels[top:bottom]


# The sheets of a folder share most of their words.
@functools.lru_cache(maxsize=1024)
def _image_of(text: str, size: int, colour: tuple[int, int, int]) -> tuple[Bytes, int]:
    """Draw words on paper; with the columns that letters may reach to the left of where they begin."""
    left = size // 4
    image = Image.new("RGB", (math.ceil(_length(text, size)) + 2 * left, size * 3 // 2), PAPER)
    ImageDraw.Draw(image).text((left, 0), text, fill=colour, font=font(size))
    return np.asarray(image), left


def _plan(section: Section, least: int) -> tuple[list[int], int, int]:
    """Measure a section: the height of each row, the width of a column, the number of columns."""
    columns = min(section.columns, len(section.tiles))
    cell = max(least, *(tile.size.w for tile in section.tiles))
    heights = [
        max(tile.size.h for tile in section.tiles[start : start + columns])
        for start in range(0, len(section.tiles), columns)
    ]
    return heights, cell, columns


def _tiles(width: int, tiles: Sequence[tuple[int, Tile]], frame: tuple[int, int, int]) -> Paint:
    """Begin a strip of tiles with their frames round them; small ones with their numbers in them."""
    drawn = [(x, tile.size, tile.levels if tile.cell == 1 else _enlarged(tile)) for x, tile in tiles]

    def paint(top: int, bottom: int) -> Bytes:
        pixels = np.full((bottom - top, width, 3), 255, np.uint8)
        for x, (h, w), levels in drawn:
            left, right, end = x - FRAME, x + w + FRAME, h + 2 * FRAME
            for first, last, columns in (
                (0, FRAME, slice(left, right)),
                (end - FRAME, end, slice(left, right)),
                (0, end, slice(left, x)),
                (0, end, slice(x + w, right)),
            ):
                pixels[max(first - top, 0) : max(min(last, bottom) - top, 0), columns] = frame
            first, last = max(top, FRAME), min(bottom, h + FRAME)
            if first < last:
                inner = levels[first - FRAME : last - FRAME]
                target = pixels[first - top : last - top, x : x + w]
                # One channel after the other: a quarter of the time of all three at once.
                for channel in range(3):
                    target[:, :, channel] = inner if inner.ndim == 2 else inner[:, :, channel]
        return pixels

    return paint


def _enlarged(tile: Tile) -> Bytes:
    """Draw every element as a cell, with lines between and numbers in them where they fit."""
    levels = tile.levels[:]
    image = Image.fromarray(levels.repeat(tile.cell, axis=0).repeat(tile.cell, axis=1)).convert("RGB")
    draw = ImageDraw.Draw(image)
    if tile.cell < 12:
        return np.asarray(image)
    h, w = tile.size
    for x in range(tile.cell, w, tile.cell):
        draw.line((x, 0, x, h - 1), fill=RULE)
    for y in range(tile.cell, h, tile.cell):
        draw.line((0, y, w - 1, y), fill=RULE)
    if tile.numbers is None:
        return np.asarray(image)
    words = cell_words(tile.numbers)
    # All digits are of one width, points and signs of half: to measure every word would take too long.
    widest = max(
        (word for row in words for word in row),
        key=lambda word: 2 * len(word) - word.count(".") - word.count("-"),
    )
    size = next(
        (
            s
            for s in range(min(tile.cell * 2 // 5, 28), 7, -1)
            if font(s).getlength(widest) <= 0.9 * tile.cell
        ),
        0,
    )
    if not size:
        return np.asarray(image)
    for row_index, row in enumerate(words):
        for column, word in enumerate(row):
            colour = np.asarray(levels[row_index, column], float)
            bright = colour @ (0.299, 0.587, 0.114) if colour.ndim else float(colour)
            draw.text(
                ((column + 0.5) * tile.cell, (row_index + 0.5) * tile.cell),
                word,
                fill=(0, 0, 0) if bright > 127 else (255, 255, 255),
                font=font(size),
                anchor="mm",
            )
    return np.asarray(image)


def _legend(width: int, height: int, *, legend: Legend, rows: Sequence[str], x: int, text: int) -> Paint:
    """Begin the strip with the bar of levels, its marks and the note below."""
    y = text // 2 + FRAME
    length, thick = min(width - 2 * x, 44 * text), text
    image = Image.new("RGB", (min(width, length + 3 * x), y + 2 * thick + text), PAPER)
    draw = ImageDraw.Draw(image)
    levels = np.round(np.linspace(0, 255, length)).astype(np.uint8)
    bar = np.broadcast_to(levels, (thick, length))
    image.paste(
        Image.fromarray(np.ascontiguousarray(bar if legend.colours is None else legend.colours[bar])), (x, y)
    )
    draw.rectangle((x - 1, y - 1, x + length, y + thick), outline=FAINT)
    for level, words in legend.marks:
        at = x + level * (length - 1) // 255
        anchor = "lt" if level < 64 else "rt" if level > 191 else "mt"
        draw.line((at, y + thick, at, y + thick + text // 3), fill=FAINT)
        draw.text((at, y + thick + text // 2), words, fill=INK, font=font(text), anchor=anchor)
    notes = [
        _Words(x, y + 2 * thick + text + index * round(text * 1.3), row, text, FAINT)
        for index, row in enumerate(rows)
    ]
    pixels = _written(width, height, notes)(0, height)
    pixels[: image.height, : image.width] = np.asarray(image)
    return lambda top, bottom: pixels[top:bottom]


@functools.lru_cache(maxsize=4096)
def _length(words: str, size: int) -> float:
    """Measure words, in pixels."""
    return font(size).getlength(words)


def _cut(words: str, size: int, width: int) -> str:
    """Shorten a caption to its column, with an ellipsis; what follows a colon, such as an index, stays."""
    if _length(words, size) <= width:
        return words
    head, colon, tail = words.rpartition(": ")
    if colon and (room := width - _length(f": {tail}", size)) > width / 2:
        return _cut(head, size, int(room)) + f": {tail}"
    fits = bisect_right(range(len(words)), width, key=lambda end: math.ceil(_length(words[:end] + "…", size)))
    return words[: max(fits - 1, 0)] + "…"


def _wrap(words: str, size: int, width: int) -> list[str]:
    """Break a line between words."""
    rows: list[str] = []
    for word in words.split(" "):
        if rows and _length(f"{rows[-1]} {word}", size) <= width:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    return rows


def legend_for(tones: Sequence[Tone], colours: Bytes | None, *, what: str = "map") -> Legend:
    """Describe the legend of maps drawn with `tones`.

    Examples
    --------
    >>> legend_for([Tone(-2, 2, "signed")], None).marks[1]
    (128, '0')
    """
    signed = tones[0].kind == "signed"
    one = len({(tone.low, tone.high) for tone in tones}) == 1
    ends = (number(tones[0].low), number(tones[0].high))
    if not one:
        ends = ("-peak", "+peak") if signed else ("minimum", "maximum")
    marks = [(0, ends[0]), (255, ends[1])]
    if signed:
        marks.insert(1, (ZERO_LEVEL, "0"))
    shares = f"all {what}s share this scale" if len(tones) > 1 else ""
    if not one:
        shares = f"each {what} has a scale of its own"
        shares += f": the peak is its largest magnitude, and 0 is the same in every {what}" if signed else ""
    words = [shares, "captions give the minimum and the maximum"]
    return Legend(colours, marks, "; ".join(word for word in words if word))
