"""Draw the colour bar of one map: the values at its ends, the position of 0, and the shares beyond."""

import math
from dataclasses import dataclass

import numpy as np

from convviz.render.contrast import Contrast
from convviz.render.drawings.drawing import Bitmap, Label, Rectangle, Shape
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, RULE, Mark, counted
from convviz.render.sheets.captions import measured, rounded, told_apart
from convviz.render.words.matrices import TOO_SMALL
from convviz.text import number
from convviz.typing import Bytes

# The most round values between the ends that are named, and the least room between two names, in multiples
# of the type size.
_MOST_TICKS, _TICK_ROOM = 4, 1.25


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
    def drawn(self) -> bool:
        """Whether it says more than a caption: that of a map of one value gives this value."""
        return self.contrast.only is None or bool(self.contrast.others)

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
        if self.contrast.only is not None:
            return self.only[0] + keys
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
        """The same with two digits, for a narrow bar; of a map that is almost 0, without digits."""
        if self.contrast.almost_zero:
            return TOO_SMALL, TOO_SMALL
        return self.named or told_apart(*self.contrast.ends, digits=2)

    @property
    def ends_width(self) -> float:
        """Least width for the ends with all digits, in multiples of the type size."""
        return _apart(self.ends)

    @property
    def least(self) -> float:
        """Least width with room for its shortest words, in multiples of the type size."""
        keys = [1.25 + measured(words, 1) for _, words in self._keys]
        if self.contrast.only is not None:
            return max(measured(self.only[1], 1), *keys, 0.0)
        return max(_apart(self.brief), measured(self._shortest, 1) if self.beyond else 0.0, *keys)

    @property
    def only(self) -> tuple[str, str]:
        """What is said of a map of one value, or of none, which has no scale; and the same in brief."""
        value = self.contrast.only or 0.0
        brief = f"only {TOO_SMALL}" if self.contrast.almost_zero else one_value(value, brief=True)
        return one_value(value), brief

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
            colours of values that are not finite. Where there is room, round values are marked too. Of a map
            of one value, words say so.
        """
        line, below = round(size * 1.25), round(y + size // 2 + 1 + size * 1.15)
        if self.contrast.only is None:
            drawn = self._scale(x, y, width, size=size)
        else:
            whole, brief = self.only
            words = whole if measured(whole, size) <= width else brief
            drawn = [Label(x, below, words, FAINT, size)]
        base = below + (line if self.contrast.said else 0)
        for mark, words in self._keys:
            base += line
            side = round(0.75 * size)
            drawn.append(Rectangle(x, base - side, side, side, mark.colour))
            drawn.append(Label(x + round(1.25 * size), base, words, FAINT, size))
        return drawn

    def _scale(self, x: float, y: float, width: float, *, size: int) -> list[Shape]:
        """Draw the scale with its ends, the values between them, and the shares beyond."""
        low, high = self.contrast.ends
        first, last = self.ends if self.ends_width * size <= width else self.brief
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
        face = font(size)
        left, right = x + face.getlength(first), x + width - face.getlength(last)
        if low < 0 < high:
            at = x + width * (0 - low) / (high - low)
            drawn.append(Rectangle(round(at) - 1, y - 1, 2, thick + size // 3, INK))
            half, gap = face.getlength("0") / 2, size / 2
            if left + gap <= at - half and at + half <= right - gap:
                drawn.append(Label(at, below, "0", FAINT, size, anchor="middle"))
        if not self.named:
            ticks = {}
            for value in filter(None, _between(low, high, width / size)):
                at = x + width * (value - low) / (high - low)
                half = face.getlength(_exact(value)) / 2 + _TICK_ROOM * size
                if left + half <= at <= right - half:
                    ticks[value] = at
            if low == -high:  # the sides look alike
                ticks = {value: at for value, at in ticks.items() if -value in ticks}
            for value, at in ticks.items():
                drawn.append(Rectangle(round(at), y + thick, 1, size // 4, FAINT))
                drawn.append(Label(at, below, _exact(value), FAINT, size, anchor="middle"))
        if self.beyond:
            fits = font(size).getlength(self.beyond) <= width
            drawn.append(Label(x, below + line, self.beyond if fits else self._shortest, FAINT, size))
        return drawn


def one_value(value: float, *, brief: bool = False) -> str:
    """Describe a map of one value, with three digits or in brief with two; NaN stands for none.

    Examples
    --------
    >>> one_value(-0.5206), one_value(-0.5206, brief=True), one_value(0), one_value(math.nan)
    ('one value: -0.521', 'only -0.52', 'all values are 0', 'no finite value')
    """
    if math.isnan(value):
        return "none finite" if brief else "no finite value"
    if brief:
        return f"only {rounded(value, digits=2)}"
    return f"one value: {rounded(value, digits=3)}" if value else "all values are 0"


def _apart(ends: tuple[str, str]) -> float:
    """Measure the ends with some room between them, in multiples of the type size."""
    return sum(measured(word, 1) for word in ends) + 0.5


def _between(low: float, high: float, width: float) -> list[float]:
    """Choose a few round values between the ends: the smallest step of 1, 2 or 5 units at which names fit.

    `width` is the length of the scale, in multiples of the type size.

    Examples
    --------
    >>> _between(-0.437, 0.316, 20), _between(0.5, 3.7, 20), _between(0, 3.7, 3)
    ([-0.4, -0.2, 0.0, 0.2], [1.0, 2.0, 3.0], [])
    """
    if not (math.isfinite(span := high - low) and span > 0):
        return []
    exponent = math.floor(math.log10(span)) - 1
    for power, unit in ((power, unit) for power in (exponent, exponent + 1) for unit in (1, 2, 5)):
        step = unit * 10.0**power
        first, last = math.floor(low / step) + 1, math.ceil(high / step) - 1
        if last - first < _MOST_TICKS:
            found = [float(f"{of * unit}e{power}") for of in range(first, last + 1)]
            widest = max((measured(_exact(value), 1) for value in found), default=0.0)
            if widest + _TICK_ROOM <= step / span * width:
                return found
    return []


def _exact(value: float) -> str:
    """Write a round value with all of its digits, so that no two look alike.

    Examples
    --------
    >>> _exact(0.2), _exact(0.12504)
    ('0.2', '0.12504')
    """
    return number(value, digits=9)


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
