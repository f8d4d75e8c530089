"""Draw the kernels of every filter above its map: signed, on one scale per filter, with their numbers."""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convviz.compute.survey import reduce, reduced
from convviz.compute.weights import LayerWeights
from convviz.render import toned
from convviz.render.contrast import Contrast
from convviz.render.drawings.cells import ink_on
from convviz.render.drawings.drawing import Bitmap, Colour, Label, Rectangle, Shape
from convviz.render.palette import FAINT, INK, RULE, Tone, signed_colours
from convviz.render.sheets.bar import Bar
from convviz.render.sheets.captions import measured, told_apart
from convviz.render.words.matrices import TOO_SMALL, cell_words
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.scales import CELL
from convviz.text import number
from convviz.typing import Bytes, Floats

# If there are more channels, only those with the strongest kernels of a filter are drawn.
MOST = 8
# A kernel is at most this share of the column, or of the map, wide and high.
_LARGEST = 3
# The size of numbers in cells, in multiples of the type size: the least, and the least for three digits;
# in pixels: the least, and the size for which columns of small maps are widened, up to this width in
# pixels.
_LEAST, _FULL, _LEAST_PIXELS, _WANTED_PIXELS, _WIDEST = 0.4, 0.8, 8, 11, 360
# A number takes at most this share of its cell.
_OF_CELL = 0.92
# Of more kernels than half of `MOST`, those of a filter stand in two rows if they were less than this high in
# one row, in multiples of the type size.
_SEEN = 2
# Names stand above kernels if a map and its kernels are at least this many times as high as words.
_LABELLED = 10
# From this number on, the legend says in which order the kernels of a filter stand, if they have no names.
_NAMELESS = 4
# The largest magnitudes of up to this many filters are listed in the legend.
_LISTED = 4
# Kernels are divided by the largest magnitude of their filter.
_UNIT = Tone(-1.0, 1.0, "signed")
# Digits are 0.73 of the type size high.
_DIGIT = 0.73


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Hold the drawn kernels of one filter.

    Parameters
    ----------
    name : str
        The name of the filter, such as ``weight[0]``.
    kernels : sequence of (str, ndarray or None)
        For every place, the channel and the kernel, shape (kh, kw), float32; None for a channel of
        another group.
    bias : float, optional
        The bias of the filter.
    title : str
        The name of the map that the filter makes.
    peak : float
        The largest magnitude in all kernels of the filter, the end of their scale.
    """

    name: str
    kernels: Sequence[tuple[str, Floats | None]]
    bias: float | None = None
    title: str = ""
    peak: float = 1.0

    @classmethod
    def all_of(
        cls,
        layer: Conv2d,
        weights: LayerWeights,
        channels: Sequence[str],
        *,
        indices: Sequence[int],
        most: int = MOST,
    ) -> "list[Filter]":
        """Choose the kernels to draw for each filter of a layer.

        Parameters
        ----------
        layer : Conv2d
            The layer.
        weights : LayerWeights
            The weights of the filters to draw.
        channels : sequence of str
            The names of the input channels.
        indices : sequence of int
            The index of each filter in the layer.
        most : int
            If there are more channels, only those with the strongest kernels of a filter are drawn.

        Returns
        -------
        list of Filter
            Each with a place for every channel, or for the strongest ones.
        """
        # For maps of another layer, the number is enough.
        names = [name.rpartition(": ")[2] for name in channels] if len(channels) > 1 else ["kernel"]
        # Filters of one value each would all have the full colour on a scale of their own.
        common = float(np.abs(weights.weight).max()) if weights.weight[0].size == 1 else None
        found = []
        for place, index in enumerate(indices):
            read, own = layer.channels_of(index), weights.weight[place]
            if len(names) <= most:
                chosen = [
                    (name, own[at - read.start] if at in read else None) for at, name in enumerate(names)
                ]
            else:
                strength = np.square(own, dtype=np.float64).sum(axis=(1, 2))
                strongest = sorted(np.argsort(-strength, kind="stable")[:most].tolist())
                chosen = [(names[read[at]], own[at]) for at in strongest]
            bias = None if weights.bias is None else float(weights.bias[place])
            peak = float(np.abs(own).max()) if common is None else common
            found.append(cls(f"weight[{index}]", chosen, bias, weights.names[place], peak))
        return found

    def turned(self) -> "Filter":
        """Rotate every kernel by 180 degrees."""
        kernels = [(name, None if one is None else one[::-1, ::-1]) for name, one in self.kernels]
        return replace(self, kernels=kernels)

    def parted(self, *, unread: bool) -> "list[Filter | None]":
        """Take every kernel by itself, for a row of partial maps, the bias and the sum.

        `unread` says whether channels of other groups have places in it.
        """
        each = [
            None
            if one is None
            else replace(self, name=f"{self.name} {name}", kernels=[("kernel", one)], bias=None)
            for name, one in self.kernels
            if unread or one is not None
        ]
        return [*each, *([] if self.bias is None else [None]), None]


@dataclass(frozen=True, slots=True)
class Fit:
    """Describe how large the kernels of a section are drawn.

    Parameters
    ----------
    cell : int
        Side of the square that each value is drawn as, in pixels.
    scale : float
        Below 1, the factor by which kernels with more values than pixels are reduced.
    kernel : HW
        Size of one kernel, in pixels.
    gap : int
        Pixels between kernels.
    across, rows : int
        Kernels in one row, and rows of kernels above one map.
    text : int
        Type size of the names of channels and of the bias.
    labelled : bool
        Whether there are such names.
    bias : int
        Width of the line below the kernels that tells the bias, in pixels; 0 if there is none.
    brief : bool
        Whether biases have two significant digits instead of three.
    words, digits : int
        Size of the numbers in cells, and their significant digits; 0 if there are no numbers.
    """

    cell: int
    scale: float
    kernel: HW
    gap: int
    across: int
    rows: int
    text: int
    labelled: bool
    bias: int
    brief: bool
    words: int = 0
    digits: int = 0

    @property
    def line(self) -> int:
        """Height of the names above a row of kernels."""
        return round(self.text * 1.25) if self.labelled else 0

    @property
    def width(self) -> int:
        """Least width of a column: that of the bias, and of a row of kernels with numbers."""
        return max(self.bias, self.across * (self.kernel.w + self.gap) - self.gap if self.words else 0)

    @property
    def height(self) -> int:
        """Height of kernels, their names and the bias above a map, in pixels."""
        bias = round(self.text * 1.1) if self.bias else 0
        return self.rows * (self.line + self.kernel.h + self.gap) + bias + self.text // 4


@dataclass(frozen=True, slots=True)
class _Written:
    """Hold all kernels in words, with the width of the widest in multiples of the type size."""

    kernels: list[list[list[str]]]
    widest: float
    tiny: bool  # whether a number is written as almost 0


class Kernels:
    """Hold the kernels of a section, those of a filter on one scale.

    Parameters
    ----------
    filters : sequence of Filter or None
        The filter above each tile; None for no filter, but not for every tile.
    what : str
        A sentence for the legend about the area above the tiles.
    """

    def __init__(self, filters: Sequence[Filter | None], what: str) -> None:
        self._filters = filters
        self._in_words: dict[int, _Written] = {}
        some = [one for one in filters if one is not None]
        places = [(kernel, one.peak or 1.0) for one in some for _, kernel in one.kernels]
        self._drawn = [kernel for kernel, _ in places if kernel is not None]
        self._peaks = np.array([peak for kernel, peak in places if kernel is not None], np.float32)
        self._biases = [one.bias for one in some if one.bias is not None]
        self._size = HW(*self._drawn[0].shape)
        self._most = max(len(one.kernels) for one in some)
        self._label = max(measured(name, 1) for one in some for name, _ in one.kernels)
        peaks = {one.title: one.peak for one in some}
        self._peak = self._peaks[0].item() if len(set(peaks.values())) == 1 else None
        self.sentence = f"{what}; orange is above 0, purple below"
        if self._peak is None:
            self.sentence += f"; each filter has its own scale, up to its largest magnitude: {_ends(peaks)}"
        if len(self._drawn) < len(places):
            self.sentence += "; hatched: a channel of another group, which the filter does not read"

    @property
    def bar(self) -> Bar:
        """The scale of a filter, with its ends if all filters have the same."""
        peak, named = (1.0, ("-max", "max")) if self._peak is None else (self._peak, None)
        return Bar(Contrast(Tone(-peak, peak, "signed"), said=False), signed_colours(), named)

    def _written(self, digits: int) -> _Written:
        """Write all kernels with `digits` digits, once."""
        if digits not in self._in_words:
            self._in_words[digits] = self._write(digits)
        return self._in_words[digits]

    def _write(self, digits: int) -> _Written:
        """Write all kernels with `digits` digits."""
        # Those of one filter have the same decimals, as they have one scale.
        some = [one.kernels for one in self._filters if one]
        filters = [[kernel for _, kernel in kernels if kernel is not None] for kernels in some]
        every = (cell_words(np.concatenate(own), digits=digits, spare=0) for own in filters if own)
        rows = [row for of_filter in every for row in of_filter]
        kernels = [rows[at : at + self._size.h] for at in range(0, len(rows), self._size.h)]
        words = {word for row in rows for word in row}
        return _Written(kernels, max(measured(word, 1) for word in words), TOO_SMALL in words)

    def legend(self, fit: Fit) -> str:
        """Describe the area above the tiles; where kernels have no names, the order of the channels."""
        if fit.labelled or self._most < _NAMELESS:
            return self.sentence
        rows = ", row by row" if fit.rows > 1 else ""
        return f"{self.sentence}; kernels stand in the order of their channels{rows}"

    def has_too_small(self, fit: Fit) -> bool:
        """Return whether a number that is drawn would be written as 0, but is not."""
        return bool(fit.words) and self._written(fit.digits).tiny

    @functools.cached_property
    def _bias_words(self) -> dict[bool, dict[float, str]]:
        """Write all biases: with three digits, and in brief with two."""
        if not self._biases:
            return {False: {}, True: {}}
        found = {}
        for brief, digits in ((False, 3), (True, 2)):
            (words,) = cell_words(np.array([self._biases]), digits=digits)
            found[brief] = {bias: f"bias {word}" for bias, word in zip(self._biases, words, strict=True)}
        return found

    @property
    def _cells(self) -> int:
        """Width of a row of kernels, in cells."""
        return self._most * self._size.w

    def fit(self, room: int, height: int, text: int, *, widen: bool) -> Fit:
        """Choose how large the kernels are drawn.

        Parameters
        ----------
        room : int
            Width of a column, in pixels.
        height : int
            Height of a map, in pixels.
        text : int
            Size of type, in pixels.
        widen : bool
            Whether the column may become wider to make numbers fit.

        Returns
        -------
        Fit
            It has numbers if they fit.
        """
        found = self._with_numbers(room, height, text)
        if found is None and widen:
            cell = math.ceil(_WANTED_PIXELS * self._written(2).widest / _OF_CELL)
            wanted = self._cells * cell + self._most * _gap(text)
            found = self._with_numbers(wanted, height, text) if wanted <= _WIDEST else None
        return found or self._without_numbers(room, height, text)

    def _with_numbers(self, room: int, height: int, text: int) -> Fit | None:
        """Choose the largest cells that fit; return None if numbers do not fit into them."""
        gap, least = _gap(text), max(_LEAST_PIXELS, math.ceil(_LEAST * text))
        cell = min((room - self._most * gap) // self._cells, room // _LARGEST // max(self._size))
        # A number is at least half as wide as it is high, and with more digits it is wider.
        if 2 * cell <= least or self._number_size(cell, 2, text) < min(least, _FULL * text):
            return None
        for digits in (3, 2):
            words = self._number_size(cell, digits, text)
            if words >= (_FULL * text if digits == 3 else least):
                kernel = HW(self._size.h * cell, self._size.w * cell)
                labelled = self._are_labelled(kernel, height, text)
                bias = self._bias_line(room, text)
                return Fit(cell, 1.0, kernel, gap, self._most, 1, text, labelled, *bias, words, digits)
        return None

    def _number_size(self, cell: int, digits: int, text: int) -> int:
        """Return the largest size at which numbers of so many digits fit into cells."""
        return min(int(_OF_CELL * cell / self._written(digits).widest), text)

    def _without_numbers(self, room: int, height: int, text: int) -> Fit:
        """Choose the largest kernels that fit."""
        gap, across = _gap(text), self._most
        side = (room + gap) // across - gap
        if across > MOST // 2 and side < _SEEN * text:
            # The kernels stand in two rows.
            across = -(-across // 2)
            side = (room + gap) // across - gap
        # A flat map does not limit its kernels.
        most = height if 4 * height > 3 * room else room
        side = max(1, min(side, room // _LARGEST, most // _LARGEST))
        cell = max(1, side // max(self._size))
        scale = min(1.0, side / max(self._size))
        size = reduced(self._size, scale)
        kernel = HW(size.h * cell, size.w * cell)
        rows = -(-self._most // across)
        labelled = self._are_labelled(kernel, height, text)
        return Fit(cell, scale, kernel, gap, across, rows, text, labelled, *self._bias_line(room, text))

    def _bias_line(self, room: int, text: int) -> tuple[int, bool]:
        """Measure the line of the bias, and whether it is in brief."""
        wide, brief = (
            math.ceil(max((measured(word, text) for word in self._bias_words[brief].values()), default=0))
            for brief in (False, True)
        )
        return (wide, False) if wide <= room else (brief, True)

    def _are_labelled(self, kernel: HW, height: int, text: int) -> bool:
        """Return whether there is room for the names of the channels."""
        return height + kernel.h >= _LABELLED * text and self._label * text <= kernel.w

    def shapes(self, index: int, fit: Fit, x: int, *, y: int) -> Iterator[Shape]:
        """Draw the area above one tile, from its left edge and the top of that area."""
        one = self._filters[index]
        if one is None:
            return
        for place, (name, kernel) in enumerate(one.kernels):
            row, column = divmod(place, fit.across)
            left = x + column * (fit.kernel.w + fit.gap)
            top = y + row * (fit.line + fit.kernel.h + fit.gap) + fit.line
            if fit.labelled:
                yield Label(left, top - round(0.4 * fit.text), name, FAINT, fit.text)
            if kernel is None:
                yield Bitmap(left, top, fit.kernel.w, fit.kernel.h, toned.hatched(fit.kernel))
            else:
                yield from self._kernel(kernel, f"{one.name} {name}", x=left, y=top, fit=fit)
        if one.bias is not None:
            under = y + fit.rows * (fit.line + fit.kernel.h + fit.gap) + round(0.8 * fit.text)
            yield Label(x, under, self._bias_words[fit.brief][one.bias], INK, fit.text)

    def _kernel(self, kernel: Floats, alt: str, *, x: int, y: int, fit: Fit) -> Iterator[Shape]:
        """Draw one kernel."""
        h, w = fit.kernel
        place = self._place_of[id(kernel)]
        levels = self._levels[place]
        if fit.scale < 1:
            levels = signed_colours()[_UNIT.levels(reduce(kernel, fit.scale) / self._peaks[place])]
        yield Rectangle(x - 1, y - 1, w + 2, h + 2, fill=RULE)
        yield Bitmap(x, y, w, h, levels, alt=alt)
        yield from cell_lines(x, y, fit.kernel, cell=fit.cell)
        if not fit.words:
            return
        words = self._written(fit.digits).kernels[place]
        for row, column in np.ndindex(*self._size):
            red, green, blue = levels[row, column].tolist()
            middle = x + (column + 0.5) * fit.cell, y + (row + 0.5) * fit.cell
            yield _number(words[row][column], *middle, ink=ink_on((red, green, blue)), size=fit.words)

    @functools.cached_property
    def _levels(self) -> Bytes:
        """Colours of all kernels as they are, shape (kernels, kh, kw, 3)."""
        return signed_colours()[_UNIT.levels(np.stack(self._drawn) / self._peaks[:, None, None])]

    @functools.cached_property
    def _place_of(self) -> dict[int, int]:
        """Map each kernel to its index among all kernels."""
        return {id(kernel): place for place, kernel in enumerate(self._drawn)}


def _ends(peaks: Mapping[str, float]) -> str:
    """Write the ends of the scales of filters: each, or the least and the greatest of many.

    Examples
    --------
    >>> _ends({"sobel-x": 2, "box": 0.25}), _ends(dict(zip("abcde", (3, 1, 2, 2, 2))))
    ('2 (sobel-x), 0.25 (box)', '1 to 3')
    """
    if len(peaks) <= _LISTED:
        return ", ".join(f"{number(peak, digits=3)} ({name})" for name, peak in peaks.items())
    return " to ".join(told_apart(min(peaks.values()), max(peaks.values()), digits=3))


def _gap(text: int) -> int:
    """Return the distance between kernels for a type size."""
    return max(4, text // 3)


def _number(words: str, x: float, y: float, *, ink: Colour, size: int) -> Label:
    """Write a number with its middle at a point."""
    return Label(x, round(y + _DIGIT / 2 * size), words, ink, size, "middle")


def cell_lines(x: int, y: int, size: HW, *, cell: int) -> Iterator[Shape]:
    """Draw lines between the cells of a picture, if they are large enough."""
    if cell < CELL:
        return
    for at in range(cell, size.w, cell):
        yield Rectangle(x + at, y, 1, size.h, fill=RULE)
    for at in range(cell, size.h, cell):
        yield Rectangle(x, y + at, size.w, 1, fill=RULE)
