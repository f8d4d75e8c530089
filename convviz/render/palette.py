"""Convert float values to brightness and colour, with zero kept in its place."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from convviz.errors import SpecError, UnknownNameError
from convviz.images.finite import NotFinite, all_finite, places_of
from convviz.typing import Bytes, Floats

# ColorBrewer's purple and orange (PuOr, safe for colour-blind readers): negative, zero, positive.
SIGNED_STOPS = ((0x5E, 0x3C, 0x99), (0xF7, 0xF7, 0xF7), (0xE6, 0x61, 0x01))

ZERO_LEVEL = 128


@dataclass(frozen=True, slots=True)
class Tone:
    """Convert values to brightness.

    Parameters
    ----------
    low, high : float
        The values drawn as level 0 and level 255.
    kind : {"unit", "signed"}
        "signed" keeps zero at mid grey, level 128, with ``low == -high``.

    Raises
    ------
    SpecError
        If `low` is not below `high`, or a signed tone is not symmetric.
    """

    low: float
    high: float
    kind: Literal["unit", "signed"]

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise SpecError(f"a tone needs low below high, not {self.low} and {self.high}.")
        if self.kind == "signed" and self.low != -self.high:
            raise SpecError(f"a signed tone needs low == -high, not {self.low} and {self.high}.")

    def levels(self, values: Floats) -> Bytes:
        """Convert values to levels.

        Parameters
        ----------
        values : ndarray, any shape, float32
            Values; those outside the tone are cut to its ends. NaN may have any level,
            because `marked` covers it.

        Returns
        -------
        ndarray, same shape, uint8
            0 to 255 for "unit"; 1 to 255 with zero at 128 for "signed".

        Examples
        --------
        >>> Tone(-2, 2, "signed").levels(np.array([-2, 0, 1, 2], np.float32))
        array([  1, 128, 192, 255], dtype=uint8)
        """
        if self.kind == "signed":
            base, scale, middle, least = 0.0, 127 / self.high, ZERO_LEVEL, 1
        else:
            base, scale, middle, least = self.low, 255 / (self.high - self.low), 0, 0
        # Subtracting first keeps the digits of values that lie close together far from 0. float32 has enough
        # digits for 256 levels, but not the range for a scale that spreads numbers near its smallest.
        wide = np.float64 if scale > 1e30 else np.float32
        with np.errstate(over="ignore", invalid="ignore"):  # NaN does not have a level
            if base:
                scaled = np.subtract(values, np.float32(base), dtype=wide)
                scaled *= wide(scale)
            else:
                scaled = np.multiply(values, wide(scale), dtype=wide)
            scaled += wide(middle + 0.5)
            return scaled.clip(least, 255, out=scaled).astype(np.uint8)


@functools.cache
def signed_colours() -> Bytes:
    """Return the colour of each level of a signed tone, shape (256, 3)."""
    levels = np.arange(256)
    stops = np.array(SIGNED_STOPS, float)
    curves = [np.interp(levels, (1, ZERO_LEVEL, 255), stops[:, channel]) for channel in range(3)]
    return np.stack(curves, axis=1).round().astype(np.uint8)


@functools.cache
def colours(name: str) -> Bytes | None:
    """Look up a colour scale.

    Parameters
    ----------
    name : str
        "gray", "signed" (purple, neutral, orange), or a name that the cmap
        package knows, such as "viridis".

    Returns
    -------
    ndarray, shape (256, 3), uint8, or None
        The colour of each level; None for plain grey.

    Raises
    ------
    UnknownNameError
        If the scale does not exist.

    Examples
    --------
    >>> colours("signed")[ZERO_LEVEL].tolist()
    [247, 247, 247]
    """
    if name in ("gray", "grey"):
        return None
    if name == "signed":
        return signed_colours()
    import logging

    import cmap  # 0.1 s, and only some pictures need it

    # cmap logs a remark about names that several collections have; the first collection is used.
    logging.getLogger("cmap").addHandler(logging.NullHandler())
    try:
        table = cmap.Colormap(name).lut(256)
    except (ValueError, TypeError):
        known = {"gray", "signed", *cmap.Catalog().short_keys()}
        raise UnknownNameError("colormap", name, known) from None
    # In a scale of separate colours, each colour covers an equal share of the levels.
    table = table[np.arange(256) * len(table) // 256]
    return np.asarray((table[:, :3] * 255).round(), np.uint8)


# The levels of plain grey as colours.
GREYS: Bytes = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(256, 3)

PAPER, INK, FAINT, RULE = (255, 255, 255), (31, 35, 40), (101, 109, 118), (140, 149, 159)
INPUT_BLUE, OUTPUT_TEAL = (31, 111, 178), (15, 133, 124)
# The colour of values that are not computed yet.
EMPTY = (246, 248, 250)

# For values that are not finite: colours that hardly any scale has, the most visible ones first.
_MARKS = {
    "magenta": (255, 0, 255),
    "red": (255, 0, 0),
    "cyan": (0, 225, 255),
    "lime": (0, 255, 0),
    "yellow": (255, 235, 0),
    "blue": (0, 0, 255),
    "brown": (120, 60, 0),
    "dark green": (0, 95, 0),
    "grey": (128, 128, 128),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
# In levels of a channel: colours that differ this much are distinguished at a glance.
_APART = 90


@dataclass(frozen=True, slots=True)
class Mark:
    """Hold the colour of one kind of values that are not finite.

    Parameters
    ----------
    kind : {"NaN", "inf", "-inf"}
        The kind of values.
    name : str
        The name of the colour.
    colour : (int, int, int)
        Red, green and blue.
    """

    kind: str
    name: str
    colour: tuple[int, int, int]


def marks(table: Bytes | None = None) -> tuple[Mark, Mark, Mark]:
    """Choose the colours of NaN, infinity and minus infinity beside a colour scale.

    Parameters
    ----------
    table : ndarray, shape (256, 3), uint8, optional
        The scale; grey by default.

    Returns
    -------
    tuple of Mark
        Magenta, red and cyan; if one of these is near a colour of the scale, another colour
        that is not, or else the farthest colours.

    Examples
    --------
    >>> [mark.name for mark in marks()], [mark.name for mark in marks(colours("spring"))]
    (['magenta', 'red', 'cyan'], ['red', 'cyan', 'lime'])
    """
    return _farthest((GREYS if table is None else table).tobytes())


@functools.lru_cache(maxsize=16)
def _farthest(table: bytes) -> tuple[Mark, Mark, Mark]:
    """Choose the mark colours for a scale, which is given as the bytes of its colours."""
    scale = np.frombuffer(table, np.uint8).reshape(-1, 3).astype(int)

    def distance(name: str) -> float:
        return float(np.sqrt(np.square(scale - _MARKS[name]).sum(axis=1).min()))

    # Sorting keeps the order of the colours that are far enough.
    chosen = sorted(_MARKS, key=lambda name: -min(distance(name), _APART))[:3]
    one, two, three = (
        Mark(kind, name, _MARKS[name]) for kind, name in zip(("NaN", "inf", "-inf"), chosen, strict=True)
    )
    return one, two, three


def counted(others: NotFinite, table: Bytes | None = None) -> list[tuple[Mark, int]]:
    """List the marks of the values that occur, each with their number."""
    if not others:
        return []
    counts = zip(marks(table), (others.nan, others.above, others.below), strict=True)
    return [(mark, count) for mark, count in counts if count]


def key(others: NotFinite, table: Bytes | None = None) -> list[str]:
    """Describe for a legend the colours of values that are not finite.

    Examples
    --------
    >>> key(NotFinite(2, below=1))
    ['NaN is magenta', '-inf is cyan']
    """
    return [f"{mark.kind} is {mark.name}" for mark, _ in counted(others, table)]


def marked(levels: Bytes, values: Sequence[Floats], table: Bytes | None = None) -> Bytes:
    """Colour the pixels of values that are not finite.

    Parameters
    ----------
    levels : ndarray, shape (H, W) or (H, W, 3), uint8
        The levels of the values.
    values : sequence of ndarray, shape (H, W), float32
        One channel, or the channels of one colour picture.
    table : ndarray, shape (256, 3), uint8, optional
        The colour scale that `levels` come from.

    Returns
    -------
    ndarray, shape (H, W) or (H, W, 3), uint8
        `levels` unchanged if all values are finite, else a copy in colour.

    Examples
    --------
    >>> marked(np.array([[0, 9]], np.uint8), [np.array([[np.nan, 1]], np.float32)]).tolist()
    [[[255, 0, 255], [9, 9, 9]]]
    """
    for channel in values:
        if all_finite(channel):
            continue
        levels = np.repeat(levels[:, :, None], 3, axis=2) if levels.ndim == 2 else levels.copy()
        for mark, places in zip(marks(table), places_of(channel), strict=True):
            levels[places] = mark.colour
    return levels
