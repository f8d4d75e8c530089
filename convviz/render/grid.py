"""Tiles with captions on one sheet: what `run` writes as a picture."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from convviz.errors import SpecError
from convviz.geometry import HW
from convviz.render.tone import ZERO_LEVEL, Bytes, Floats, Tone
from convviz.text import number

PAPER, INK, FAINT, RULE = (255, 255, 255), (31, 35, 40), (101, 109, 118), (140, 149, 159)
INPUT_BLUE, OUTPUT_TEAL = (31, 111, 178), (15, 133, 124)

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
    levels : ndarray, shape (H, W) or (H, W, 3), uint8
        The picture, one element per pixel or cell.
    cell : int
        Side of the square that each element is drawn as, in pixels.
    numbers : ndarray, shape (H, W), float32, optional
        Values to write into the cells, where they fit.
    """

    name: str
    note: str
    levels: Bytes
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


def fit(size: HW, longest: int | None) -> float:
    """Choose the scale that brings an array to at most `longest` pixels.

    Parameters
    ----------
    size : HW
        Rows and columns of the array.
    longest : int or None
        Pixels of the longest side; None keeps the array as it is.

    Returns
    -------
    float
        A whole number to enlarge by, or a fraction to reduce by.

    Examples
    --------
    >>> fit(HW(3, 5), 320), fit(HW(640, 480), 320), fit(HW(640, 480), None)
    (64, 0.5, 1)
    """
    side = max(size)
    if longest is None:
        return 1
    # Cells of more than 96 pixels say no more than smaller ones.
    return min(longest // side, 96) if side <= longest else longest / side


def reduce(values: Floats, scale: float) -> Floats:
    """Bring an array (H, W) to a fraction of its size by area averaging; enlarging is left to the cells."""
    if scale >= 1:
        return values
    h, w = (max(1, round(side * scale)) for side in values.shape)
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize((w, h), Image.Resampling.BOX))


def extent(values: Floats) -> str:
    """Write the minimum and the maximum, the second line of a caption.

    Examples
    --------
    >>> extent(np.array([[-1, 0.5]], np.float32))
    '-1 to 0.5'
    """
    return f"{number(float(values.min()))} to {number(float(values.max()))}"


def map_tile(name: str, values: Floats, tone: Tone, *, scale: float, colours: Bytes | None = None) -> Tile:
    """Draw one map.

    Parameters
    ----------
    name : str
        What to call it.
    values : ndarray, shape (H, W), float32
        The map.
    tone : Tone
        How values become levels.
    scale : float
        As `fit` gives it.
    colours : ndarray, shape (256, 3), uint8, optional
        The colour of each level.

    Returns
    -------
    Tile
        Reduced before it is toned, so that brightness shows the mean of an area.
    """
    levels = tone.levels(reduce(values, scale))
    return Tile(
        name,
        extent(values),
        levels if colours is None else colours[levels],
        cell=max(1, int(scale)),
        numbers=values if scale > 1 else None,
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


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Load the typeface that comes with Pillow, `size` pixels high."""
    face = ImageFont.load_default(size)
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise SpecError(
            "captions need a Pillow with FreeType, as its wheels are: pip install --force-reinstall pillow"
        )
    return face


def sheet(heading: Sequence[str], sections: Sequence[Section], legend: Legend | None = None) -> Image.Image:
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
    PIL.Image.Image
        Mode RGB.

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
        for row in _wrap(
            words, font(size), max(max(width * columns for _, width, columns in plans), 36 * text)
        )
    ]
    width = max(
        *(columns * (cell + gap) + gap for _, cell, columns in plans),
        *(math.ceil(font(size).getlength(row)) + 2 * gap for size, row in lines),
        (30 * text if legend else 0),
    )
    legend_rows = _wrap(legend.note, font(text), width - 2 * gap) if legend else []
    top = gap + sum(round(size * 1.35) for size, _ in lines) + gap // 2
    rows_height = [sum(height + 2 * line + gap for height in heights) for heights, _, _ in plans]
    legend_height = 3 * text + round(text * 1.3) * len(legend_rows) + gap if legend else 0
    height = top + sum(rows_height) + legend_height + gap // 2
    if width * height > MAX_SHEET_PIXELS:
        raise SpecError(
            f"the picture would be {width}x{height} pixels, more than {MAX_SHEET_PIXELS:,}; "
            "lower --tile, or write the maps one by one with --maps."
        )

    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    y = gap
    for index, (size, row) in enumerate(lines):
        draw.text((gap, y), row, fill=INK if index == 0 else FAINT, font=font(size))
        y += round(size * 1.35)
    y = top
    for section, (heights, cell, columns) in zip(sections, plans, strict=True):
        for row_index, row_height in enumerate(heights):
            row_tiles = section.tiles[row_index * columns : (row_index + 1) * columns]
            for column, tile in enumerate(row_tiles):
                x = gap + column * (cell + gap)
                _place(image, draw, tile, x, y, section.frame)
                below = y + row_height + text // 3
                draw.text((x, below), _cut(tile.name, font(text), cell), fill=INK, font=font(text))
                draw.text((x, below + line), _cut(tile.note, font(text), cell), fill=FAINT, font=font(text))
            y += row_height + 2 * line + gap
    if legend:
        _draw_legend(
            image, draw, legend, legend_rows, x=gap, y=y + gap // 2, text=text, width=width - 2 * gap
        )
    return image


def _plan(section: Section, least: int) -> tuple[list[int], int, int]:
    """Measure a section: the height of each row, the width of a column, the number of columns."""
    columns = min(section.columns, len(section.tiles))
    cell = max(least, *(tile.size.w for tile in section.tiles))
    heights = [
        max(tile.size.h for tile in section.tiles[start : start + columns])
        for start in range(0, len(section.tiles), columns)
    ]
    return heights, cell, columns


def _place(
    image: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, x: int, y: int, frame: tuple[int, int, int]
) -> None:
    """Draw one tile with its frame round it and, where they fit, the numbers in it."""
    levels = tile.levels
    if tile.cell > 1:
        levels = levels.repeat(tile.cell, axis=0).repeat(tile.cell, axis=1)
    h, w = tile.size
    draw.rectangle((x - 2, y - 2, x + w + 1, y + h + 1), outline=frame, width=2)
    image.paste(Image.fromarray(levels), (x, y))
    if tile.cell < 12:
        return
    for line in range(x + tile.cell, x + w, tile.cell):
        draw.line((line, y, line, y + h - 1), fill=RULE)
    for line in range(y + tile.cell, y + h, tile.cell):
        draw.line((x, line, x + w - 1, line), fill=RULE)
    if tile.numbers is None:
        return
    words = [[number(float(value), digits=3) for value in row] for row in tile.numbers]
    longest = max((word for row in words for word in row), key=len)
    size = next(
        (
            s
            for s in range(min(tile.cell * 2 // 5, 28), 7, -1)
            if font(s).getlength(longest) <= 0.9 * tile.cell
        ),
        0,
    )
    if not size:
        return
    for row_index, row in enumerate(words):
        for column, word in enumerate(row):
            colour = np.asarray(tile.levels[row_index, column], float)
            bright = colour @ (0.299, 0.587, 0.114) if colour.ndim else float(colour)
            centre = (x + (column + 0.5) * tile.cell, y + (row_index + 0.5) * tile.cell)
            draw.text(
                centre,
                word,
                fill=(0, 0, 0) if bright > 127 else (255, 255, 255),
                font=font(size),
                anchor="mm",
            )


def _draw_legend(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    legend: Legend,
    rows: Sequence[str],
    *,
    x: int,
    y: int,
    text: int,
    width: int,
) -> None:
    """Draw the bar of levels, its marks and the note below."""
    length, thick = min(width, 44 * text), text
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
    for index, row in enumerate(rows):
        draw.text((x, y + 2 * thick + text + index * round(text * 1.3)), row, fill=FAINT, font=font(text))


def _cut(words: str, face: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a caption to its column, with an ellipsis."""
    if face.getlength(words) <= width:
        return words
    while words and face.getlength(words + "…") > width:
        words = words[:-1]
    return words + "…"


def _wrap(words: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a line between words."""
    rows: list[str] = []
    for word in words.split(" "):
        if rows and face.getlength(f"{rows[-1]} {word}") <= width:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    return rows


def legend_for(tones: Sequence[Tone], colours: Bytes | None, *, what: str = "map") -> Legend:
    """Word the legend of maps drawn with `tones`.

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


def picture_levels(x: NDArray[np.float32], low: float, high: float) -> Bytes:
    """Turn planes (C, H, W) into grey (H, W) or colour (H, W, 3); the planes after the third are left out."""
    tone = Tone(low, high, "unit")
    return tone.levels(x[0]) if x.shape[0] < 3 else np.stack([tone.levels(plane) for plane in x[:3]], axis=-1)
