"""Hold one map of a sheet with its caption and its bar, and sections of maps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from convviz.compute.survey import ArraySummary
from convviz.images.finite import NONE, NotFinite
from convviz.render.contrast import Contrast
from convviz.render.drawings.drawing import Colour
from convviz.render.sheets.bar import Bar
from convviz.render.sheets.captions import measured, parted, shortest, spread, told_apart, widest_words
from convviz.render.sheets.kernels import Kernels
from convviz.render.toned import Toned
from convviz.render.words.matrices import TOO_SMALL
from convviz.spec.geometry import HW
from convviz.text import number
from convviz.typing import Bytes, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Hold one picture on the sheet.

    Parameters
    ----------
    name : str
        First line of the caption.
    note : str
        The text after the name.
    levels : Toned or ndarray, shape (H, W) or (H, W, 3), uint8
        The picture, one element per pixel or cell.
    cell : int
        Side of the square that each element is drawn as, in pixels.
    numbers : ndarray, shape (H, W), float32, optional
        Values to write into the cells, if they fit.
    keys : sequence of str
        For a row of values, the name of each, to write above it; where names do not fit, the index.
    bar : Bar, optional
        The colour bar between the picture and its caption.
    brief : str
        The note in fewer characters, for a narrow column.
    label : str
        The caption in place of the name, if the title of the section says the rest.
    others : NotFinite
        The number of values that are not finite.
    frame : (int, int, int), optional
        Colour of the frame, if it is not that of the section.
    """

    name: str
    note: str
    levels: Bytes | Toned
    cell: int = 1
    numbers: Floats | None = None
    bar: Bar | None = None
    others: NotFinite = NONE
    brief: str = ""
    label: str = ""
    frame: Colour | None = None
    keys: Sequence[str] = ()

    @property
    def caption(self) -> str:
        """First line of the caption."""
        return self.label or self.name

    @property
    def notes(self) -> tuple[str, str, str, str]:
        """The note with all digits, in brief, with the ends of a range at two sides, and in two lines."""
        brief = self.brief or self.note
        return self.note, brief, spread(brief), parted(brief)

    @property
    def size(self) -> HW:
        """Size on the sheet, in pixels."""
        return HW(self.levels.shape[0] * self.cell, self.levels.shape[1] * self.cell)

    def at(self, scale: float) -> "Tile":
        """Return the tile of a whole map at the scale that `fit` returns; its caption and bar stay."""
        assert isinstance(self.levels, Toned)
        numbers = self.levels.channels[0][:] if scale > 1 else None
        return replace(self, levels=self.levels.at(scale), cell=max(1, int(scale)), numbers=numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Hold the widest words below the tiles of a section, and its widest bar: the same at every scale.

    Parameters
    ----------
    name : str
        The widest name, shortened.
    notes : list of list of str
        Of each form of the notes, the widest of the first words, of the second words, and so on.
    bar : float
        Least width of the bars, in multiples of the type size.
    bars : list of Bar
        One for each height of bars.
    vague : float
        Least width, in the same unit, at which every bar has the ends of its scale, not only ``~0``.
    """

    name: str
    notes: list[list[str]]
    bar: float
    bars: list[Bar]
    vague: float = 0.0

    @classmethod
    def of(cls, tiles: Sequence[Tile]) -> "Words":
        """Look at every tile once."""
        names = sorted({shortest(tile.caption) for tile in tiles})
        bars = [tile.bar for tile in tiles if tile.bar and tile.bar.drawn]
        return cls(
            max(names, key=lambda name: measured(name, 1)),
            [widest_words(form) for form in zip(*(tile.notes for tile in tiles), strict=True)],
            max((one.least for one in bars), default=0.0),
            list({one.height(100): one for one in bars}.values()),
            max((one.ends_width for one in bars if one.contrast.almost_zero), default=0.0),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Hold tiles that are laid out together, with frames of one colour.

    Parameters
    ----------
    tiles : sequence of Tile
        At least one.
    columns : int or None
        Tiles in one row; None lets the layout choose.
    frame : (int, int, int)
        Colour of the frames.
    together : int
        This many consecutive tiles stay in one row.
    kernels : Kernels, optional
        The kernels above the tiles.
    title : str
        A line above the tiles.
    place : int
        The number of the section among the rows of a network.
    reads : sequence of int
        The places of the sections from which lines lead to this one.
    skipped : int
        The number of places that stay empty before the first tile, so that tiles stand below those of the
        section above.
    words : Words, optional
        What its tiles say, if that is known already.
    """

    tiles: Sequence[Tile]
    columns: int | None
    frame: Colour
    together: int = 1
    kernels: Kernels | None = None
    title: str = ""
    place: int = 0
    reads: Sequence[int] = ()
    skipped: int = 0
    words: Words | None = None

    def at(self, scale: float) -> "Section":
        """Return the section with its tiles at a scale, as `Tile.at` does."""
        return replace(self, tiles=[tile.at(scale) for tile in self.tiles])


def extent(low: float, high: float, others: NotFinite | None = None) -> str:
    """Write the finite minimum and maximum and the count of other values, the second line of a caption.

    Of a map of one value, this is written once.

    Examples
    --------
    >>> extent(-1, 0.5), extent(-1, 0.5, NotFinite(3)), extent(math.nan, math.nan, NotFinite(2, 1))
    ('-1 to 0.5', '-1 to 0.5, 3 NaN', '2 NaN, 1 inf')
    """
    ends = "" if math.isnan(low) else number(low) if low == high else f"{number(low)} to {number(high)}"
    return ", ".join(filter(None, (ends, others.words if others else "")))


def brief_extent(
    low: float, high: float, others: NotFinite | None = None, *, almost_zero: bool = False
) -> str:
    """Write the same as `extent`, with two digits or as many as distinguish the ends.

    Of a map that is `almost_zero` beside others, it says no more than that.

    Examples
    --------
    >>> brief_extent(-0.71264, 0.5), brief_extent(1, 1), brief_extent(0, 1, NotFinite(3))
    ('-0.71 to 0.5', '1', '0 to 1, 3 NaN')
    >>> brief_extent(-5.19e-8, -4.95e-8, NotFinite(3), almost_zero=True)
    '~0, 3 NaN'
    """
    if almost_zero:
        ends = TOO_SMALL
    else:
        ends = "" if math.isnan(low) else " to ".join(dict.fromkeys(told_apart(low, high, digits=2)))
    return ", ".join(filter(None, (ends, others.words if others else "")))


def map_tile(
    name: str, one: ArraySummary, contrast: Contrast, *, scale: float, colours: Bytes | None = None
) -> Tile:
    """Draw one map.

    Parameters
    ----------
    name : str
        The name of the map.
    one : ArraySummary
        The map; it is reduced before it is toned, so that brightness shows the mean of
        an area.
    contrast : Contrast
        How values become levels.
    scale : float
        The scale that `fit` returns.
    colours : ndarray, shape (256, 3), uint8, optional
        The colour of each level.

    Returns
    -------
    Tile
        It has a colour bar, which is drawn unless the map holds one value, and numbers if it is enlarged.
    """
    bar = Bar(contrast, colours)
    note = extent(one.low, one.high, one.others)
    brief = brief_extent(one.low, one.high, one.others, almost_zero=contrast.almost_zero)
    if not bar.drawn:
        note, brief = bar.only
    return Tile(
        name,
        note,
        Toned([one.small], [contrast.tone], colours, finite=not one.others),
        cell=max(1, int(scale)),
        numbers=one.small[:] if scale > 1 else None,
        bar=bar,
        brief=brief,
        others=one.others,
    )
