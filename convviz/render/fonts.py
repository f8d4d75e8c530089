"""Provide the typeface of captions and drawings: DejaVu Sans Condensed, and others for the rest."""

import functools
import math
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from convviz.errors import SpecError
from convviz.machine.typefaces import Typeface, candidates, undrawn
from convviz.text import printable
from convviz.typing import Bytes

# It has Latin, Greek, Cyrillic and mathematical signs, and is as wide as Helvetica, which SVG readers have.
OURS = Typeface(Path(__file__).parent / "typeface" / "DejaVuSansCondensed.ttf")

# No typeface has this character, so it is drawn like any missing character.
_MISSING = "\uffff"
_TEST_SIZE = 24
# The digits of our typeface are equally wide, whatever stands beside them: numbers of one form are measured
# once.
_SAME_WIDTH = str.maketrans("123456789", "000000000")


@functools.lru_cache(maxsize=256)
def _face(typeface: Typeface, size: int) -> ImageFont.FreeTypeFont:
    """Load a typeface, `size` pixels high."""
    try:
        return ImageFont.truetype(typeface.path, size, index=typeface.number)
    except ImportError:
        raise SpecError(
            "captions need a Pillow with FreeType, as its wheels are: pip install --force-reinstall pillow"
        ) from None


def _drawn(typeface: Typeface, character: str) -> tuple[tuple[int, int], bytes]:
    """Draw one character, for comparison."""
    mask = _face(typeface, _TEST_SIZE).getmask(character)
    return mask.size, bytes(mask)


@functools.cache
def has(typeface: Typeface, character: str) -> bool:
    """Return whether a typeface has a character, not just the sign for a missing one.

    Examples
    --------
    >>> has(OURS, "λ"), has(OURS, "中")
    (True, False)
    """
    try:
        return _drawn(typeface, character) != _drawn(typeface, _MISSING)
    except OSError:  # no typeface, or one with pictures of only one size
        return False


@functools.cache
def _found(character: str) -> Typeface | None:
    """Find a typeface for a character: ours if it has the character."""
    return next((one for one in (OURS, *_others(character)) if has(one, character)), None)


def _others(character: str) -> list[Typeface]:
    """Look for other typefaces if ours is not enough."""
    return [] if has(OURS, character) else list(candidates(character))


@functools.lru_cache(maxsize=4096)
def drawable(text: str) -> str:
    r"""Replace characters that no typeface has by characters that ours has.

    Parameters
    ----------
    text : str
        Any text, such as a file name.

    Returns
    -------
    str
        The text; a character that no typeface has is replaced by the letters that it
        is made of, else by an escape. No character is drawn as a box.

    Examples
    --------
    >>> drawable("λ ≤ ½"), drawable("\ufb01lter"), drawable("\U000f0000")
    ('λ ≤ ½', 'ﬁlter', '\\U000f0000')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_substitute(c) for c in printable(unicodedata.normalize("NFC", text)))


def _substitute(character: str) -> str:
    """Return a character, or its substitute."""
    if character.isascii() or _found(character) is not None:
        return character
    letters = unicodedata.normalize("NFKD", character)
    if letters != character and all(has(OURS, letter) for letter in letters):
        return letters
    undrawn[character] = None
    return character.encode("unicode_escape").decode("ascii")


def runs(text: str) -> list[tuple[Typeface, str]]:
    """Split a `drawable` text into pieces of one typeface each."""
    if text.isascii():
        return [(OURS, text)]
    return [(face, "".join(part)) for face, part in groupby(text, lambda c: _found(c) or OURS)]


@dataclass(frozen=True, slots=True)
class Font:
    """Hold the typeface in one size.

    Parameters
    ----------
    size : int
        Height, in pixels.
    """

    size: int

    @property
    def ascent(self) -> int:
        """Pixels from the top of a line to its baseline."""
        return _face(OURS, self.size).getmetrics()[0]

    def getlength(self, text: str) -> float:
        """Measure a text, in pixels."""
        return _length(text.translate(_SAME_WIDTH), self.size)

    def draw(
        self,
        draw: ImageDraw.ImageDraw,
        at: tuple[float, float],
        text: str,
        *,
        colour: tuple[int, int, int],
        anchor: Literal["start", "middle", "end"] = "start",
    ) -> None:
        """Draw a text with the start, the middle or the end of its baseline at a point."""
        x, y = at
        x -= {"start": 0, "middle": 0.5, "end": 1}[anchor] * self.getlength(text)
        for typeface, part in runs(drawable(text)):
            face = _face(typeface, self.size)
            draw.text((x, y), part, fill=colour, font=face, anchor="ls")
            x += face.getlength(part)


def font(size: int) -> Font:
    """Return the typeface, `size` pixels high."""
    return Font(max(size, 1))


@functools.lru_cache(maxsize=16384)
def _length(text: str, size: int) -> float:
    """Measure a text, in pixels."""
    return sum(_face(typeface, size).getlength(part) for typeface, part in runs(drawable(text)))


@functools.lru_cache(maxsize=4096)
def stamp(text: str, size: int) -> tuple[Bytes, int, int]:
    """Draw a text as the share of each pixel that it covers.

    Parameters
    ----------
    text : str
        The text.
    size : int
        Height of the typeface, in pixels.

    Returns
    -------
    (ndarray, shape (H, W), uint8; int; int)
        0 to 255; and the position of its top left corner relative to the start of the
        baseline: rows, columns.
    """
    made, x = [], 0.0
    parts = runs(drawable(text))
    for typeface, part in parts:
        face = _face(typeface, size)
        mask, (left, top) = face.getmask2(part, "L", anchor="ls")
        w, h = mask.size
        if w and h:
            # A mask gives its bytes one by one, which takes three times as long as to draw it.
            drawn = Image.new("L", mask.size)
            drawn.im.paste(mask, (0, 0, w, h))
            made.append((np.asarray(drawn), top, round(x) + left))
        # Measuring a part takes as long as drawing it.
        x += face.getlength(part) if len(parts) > 1 else 0
    if not made:
        return np.zeros((0, 0), np.uint8), 0, 0
    if len(made) == 1:
        return made[0]
    top, left = min(at[1] for at in made), min(at[2] for at in made)
    bottom = max(at[1] + at[0].shape[0] for at in made)
    right = max(at[2] + at[0].shape[1] for at in made)
    whole = np.zeros((math.ceil(bottom - top), math.ceil(right - left)), np.uint8)
    for pixels, y, x_of in made:
        target = whole[y - top : y - top + pixels.shape[0], x_of - left : x_of - left + pixels.shape[1]]
        np.maximum(target, pixels, out=target)
    return whole, top, left
