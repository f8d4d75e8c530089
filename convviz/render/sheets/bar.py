"""Draw the colour bar of one map: the values at its ends, the position of 0, and the shares beyond."""

from dataclasses import dataclass

import numpy as np

from convviz.render.contrast import Contrast
from convviz.render.drawings.drawing import Bitmap, Label, Rectangle, Shape
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, RULE, Mark, counted
from convviz.render.sheets.captions import measured, told_apart
from convviz.typing import Bytes


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """Hold the colour bar of a map.

    Parameters
    ----------
    contrast : Contrast
        How the map is drawn.
    colours : ndarray, shape (256, 3), uint8, optional
        The colour of each level; grey by default.
    named : (str, str), optional
        Words in place of the values at the ends.
    told : str
        How the ends were chosen, in place of the shares beyond them, if there is room.
    """

    contrast: Contrast
    colours: Bytes | None = None
    named: tuple[str, str] | None = None
    told: str = ""

    @property
    def beyond(self) -> str:
        """Shares beyond the ends in words; empty if there are none, or if the legend gives them."""
        if not self.contrast.said:
            return ""
        if self.told:
            return self.told
        shares = ((self.contrast.below, "below"), (self.contrast.above, "above"))
        return ", ".join(f"{percent(share)} {where}" for share, where in shares if share)

    @property
    def words(self) -> str:
        """The whole bar in words."""
        low, high = self.ends
        keys = "".join(f"; {words} {mark.name}" for mark, words in self._keys)
        return f"scale {low} to {high}" + (f" ({self.beyond})" if self.beyond else "") + keys

    @property
    def _keys(self) -> list[tuple[Mark, str]]:
        """Colours of the values that are not finite, with the number of each kind."""
        found = counted(self.contrast.others, self.colours)
        return [(mark, f"{count:,} {mark.kind}") for mark, count in found]

    @property
    def ends(self) -> tuple[str, str]:
        """Values at the ends, with three digits or as many as distinguish them."""
        return self.named or told_apart(*self.contrast.ends, digits=3)

    @property
    def brief(self) -> tuple[str, str]:
        """The same with two digits, for a narrow bar."""
        return self.named or told_apart(*self.contrast.ends, digits=2)

    @property
    def least(self) -> float:
        """Least width with room for its shortest words, in multiples of the type size."""
        keys = [1.25 + measured(words, 1) for _, words in self._keys]
        return max(_apart(self.brief), measured(self._shortest, 1) if self.beyond else 0.0, *keys)

    @property
    def _shortest(self) -> str:
        """Share beyond both ends together."""
        return f"{percent(self.contrast.below + self.contrast.above)} beyond"

    def height(self, size: int) -> int:
        """Return its height, in units, with words of `size`."""
        return round((2.95 if self.contrast.said else 1.7) * size) + len(self._keys) * round(1.25 * size)

    def shapes(self, x: float, y: float, width: float, *, size: int) -> list[Shape]:
        """Draw the bar with its words.

        Parameters
        ----------
        x, y : float
            The corner at the top left, in units.
        width : float
            Length of the bar, in units.
        size : int
            Size of the words, in units.

        Returns
        -------
        list of Shape
            The bar, the ends below it, a mark and a word at 0, the shares beyond the ends, and the
            colours of values that are not finite.
        """
        low, high = self.contrast.ends
        first, last = self.ends if _apart(self.ends) * size <= width else self.brief
        steps = np.linspace(low, high, max(round(width), 2), dtype=np.float64).astype(np.float32)
        levels = self.contrast.tone.levels(steps)[None]
        thick, line = size // 2 + 1, round(size * 1.25)
        below = round(y + thick + size * 1.15)
        drawn: list[Shape] = [
            Rectangle(x - 1, y - 1, width + 2, thick + 2, RULE),
            Bitmap(
                x, y, width, thick, levels if self.colours is None else self.colours[levels], ends=(low, high)
            ),
            Label(x, below, first, FAINT, size),
            Label(x + width, below, last, FAINT, size, anchor="end"),
        ]
        if low < 0 < high:
            at = x + width * (0 - low) / (high - low)
            drawn.append(Rectangle(round(at) - 1, y - 1, 2, thick + size // 3, INK))
            face = font(size)
            half, gap = face.getlength("0") / 2, size / 2
            left = x + face.getlength(first) + gap
            right = x + width - face.getlength(last) - gap
            if left <= at - half and at + half <= right:
                drawn.append(Label(at, below, "0", FAINT, size, anchor="middle"))
        if self.beyond:
            fits = font(size).getlength(self.beyond) <= width
            drawn.append(Label(x, below + line, self.beyond if fits else self._shortest, FAINT, size))
        base = below + (line if self.contrast.said else 0)
        for mark, words in self._keys:
            base += line
            side = round(0.75 * size)
            drawn.append(Rectangle(x, base - side, side, side, mark.colour))
            drawn.append(Label(x + round(1.25 * size), base, words, FAINT, size))
        return drawn


def _apart(ends: tuple[str, str]) -> float:
    """Measure the ends with some room between them, in multiples of the type size."""
    return sum(measured(word, 1) for word in ends) + 0.5


def percent(share: float) -> str:
    """Write a share from 0 to 1 as percent.

    Examples
    --------
    >>> percent(0.0104), percent(0.2), percent(0.00001)
    ('1%', '20%', '<0.1%')
    """
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{100 * share:.{1 if share < 0.0995 else 0}f}".removesuffix(".0") + "%"
