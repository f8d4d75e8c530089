"""Explain one output value in words and numbers, and as a drawing."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from convviz.analysis.trace import ChannelTrace, Trace
from convviz.compute.feature_maps import LayerRun
from convviz.images import finite
from convviz.images.finite import NONE, NotFinite
from convviz.render.contrast import DEFAULT, channel_ends, channel_title
from convviz.render.drawings import panels
from convviz.render.drawings.cells import framed, level_fills, signed_fills, tinted, tiny
from convviz.render.drawings.drawing import SLIDE, Colour, Drawing, Label, Lines, Shape
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, key
from convviz.render.toned import picture_levels
from convviz.render.words.matrices import Block, side_by_side, words_of
from convviz.spec.settings import ContrastSettings
from convviz.text import equation, number, plural, sum_words

if TYPE_CHECKING:
    from convviz.compute.networks.engine import Rounding

# The number of products that are listed for a window drawn as a picture.
_WRITTEN_OUT = 5
# If there are more channels, only those with the largest sums are drawn, or written in the terminal.
_MOST_CHANNELS, _MOST_WRITTEN = 6, 9
# In units: the margin, the longest side of a channel or a map, and the least one of a channel.
_GAP, _SIDE, _LEAST_SIDE = 26.0, 210.0, 64.0
# In units: the top of the first row of channels, and the room below each row.
_TOP, _BELOW = 88.0, 40.0


def exact(value: float) -> str:
    """Write a float32 value with enough digits to distinguish it from its neighbours.

    Examples
    --------
    >>> exact(18.0), exact(0.1)
    ('18', '0.1')
    """
    return number(value, digits=9)


def span_of(indices: Sequence[int], length: int, what: str) -> str:
    """Describe which rows or columns a window covers, and which of them are padding."""
    outside = sum(not 0 <= index < length for index in indices)
    if len(indices) == 1:
        text = f"{what[:-1]} {indices[0]}"
    else:
        step = indices[1] - indices[0]
        text = f"{what} {indices[0]} to {indices[-1]}" + (f" in steps of {step}" if step > 1 else "")
    return text + (f" ({outside} in the padding)" if outside else "")


def _strongest(found: Trace, most: int) -> list[ChannelTrace]:
    """List all channels; of more than `most`, the `most` - 1 with the largest sums, in their order."""
    if len(found.channels) <= most:
        return list(found.channels)
    order = sorted(found.channels, key=lambda one: -abs(one.total) if math.isfinite(one.total) else -math.inf)
    return [channel for channel in found.channels if channel in order[: most - 1]]


def _terms(found: Trace, shown: Sequence[ChannelTrace]) -> list[tuple[str, float]]:
    """List the terms of the sum with their names: channels that are shown, all others together, the bias."""
    terms = [(_called(channel, "sum"), channel.total) for channel in shown]
    others = [channel for channel in found.channels if channel not in shown]
    if others:
        rest = finite.total(product for channel in others for product in channel.products.ravel())
        terms.append((plural(len(others), "other channel"), rest))
    if found.bias is not None:
        terms.append(("bias", found.bias))
    return terms


def _called(channel: ChannelTrace, what: str) -> str:
    """Name something of a channel; a channel without its own name is called by its index."""
    if channel.name.isdigit():
        return f"channel {channel.name}" if what == "channel" else f"channel {channel.name} {what}"
    return f"{channel.name} {what}"


def _written_out(channel: ChannelTrace) -> list[tuple[str, str]]:
    """List the largest products of a channel, and the sum of the rest, each with its name and arithmetic."""
    largest = channel.largest(_WRITTEN_OUT)
    written = [one.tap.h * channel.kernel.shape[1] + one.tap.w for one in largest]
    rows = [
        (
            f"{one.tap.h},{one.tap.w}",
            f"{number(one.value, digits=3)} x {number(one.weight, digits=3)}"
            f" = {number(one.product, digits=3)}",
        )
        for one in largest
    ]
    others = channel.products.size - len(largest)
    rest = finite.total(np.delete(channel.products.ravel(), written))
    return [*rows, (plural(others, "other"), number(rest, digits=3))]


def lines(found: Trace, run: LayerRun, *, width: int) -> list[str]:
    """Write the arithmetic of one output value.

    Parameters
    ----------
    found : Trace
        The trace of the value.
    run : LayerRun
        The run that the value comes from.
    width : int
        Characters per line; matrices that do not fit are elided in the middle.

    Returns
    -------
    list of str
        Lines without markup.
    """
    size = run.picture.size
    text = [
        _heading(found),
        f"window: {span_of(found.rows, size.h, 'rows')}, {span_of(found.columns, size.w, 'columns')}",
    ]
    shown = _strongest(found, _MOST_WRITTEN)
    terms = _terms(found, shown)
    words, total, adds_up = sum_words([value for _, value in terms], found.total, digits=9)
    if len(shown) < len(found.channels):
        text.append(f"{len(shown)} of {plural(len(found.channels), 'channel')}: those with the largest sums")
    if not found.inside.all():
        text.append("values in brackets are padding")
    for channel, word in zip(shown, words, strict=False):
        blocks = (
            Block(_called(channel, "patch"), words_of(channel.patch, ~found.inside)),
            Block("kernel", words_of(channel.kernel), "x"),
            Block("products", words_of(channel.products), "="),
        )
        text += ["", *side_by_side(blocks, width=width)]
        if panels.is_large(found.inside.shape):
            text.append("largest products, by row and column of the kernel:")
            text += [f"  {what}: {product}" for what, product in _written_out(channel)]
        if len(terms) > 1:
            text.append(f"sum {word}")
    parts = [
        word if place < len(shown) else f"{word} ({name})"
        for place, (word, (name, _)) in enumerate(zip(words, terms, strict=True))
    ]
    text += ["", equation(parts, total, exact=adds_up)]
    text.append(f"{found.backend} computed {exact(found.computed)}{_agreement(found)}")
    if found.held is not None:
        text.append(_stored(found, found.held))
    return text


def _stored(found: Trace, held: "Rounding") -> str:
    """Say what a network of whole numbers stores for the sum."""
    return f"the network stores {number(held.stored(found.total), digits=6)}: its maps hold {held.words}"


def _heading(found: Trace) -> str:
    """Name the value, by the index of its map and by the name that says more."""
    named = f"map {found.index}"
    words = named if found.name == named else f"{named} ({found.name})"
    chosen = ": the largest magnitude of the map" if found.largest else ""
    return f"{words}, row {found.at.h}, column {found.at.w}{chosen}"


def _agreement(found: Trace) -> str:
    """Compare what the backend computed with the sum; more than rounding was refused before."""
    if found.difference == 0:
        return ", the same value"
    return f"; the difference, {found.difference:.2g}, is rounding ({found.rounding})"


def draw(found: Trace, run: LayerRun, looks: ContrastSettings = DEFAULT) -> Drawing:
    """Draw the arithmetic of one output value, from the window to the output cell.

    Parameters
    ----------
    found : Trace
        The trace of the value.
    run : LayerRun
        The run that the value comes from.
    looks : ContrastSettings
        How the values of the map become brightness.

    Returns
    -------
    Drawing
        Channels with the window, patches, kernels, products, sums, and the map.
    """
    return _Explanation(found, run, looks).drawing()


class _Explanation:
    """Draw one value, and hold what all parts of the drawing share."""

    def __init__(self, found: Trace, run: LayerRun, looks: ContrastSettings) -> None:
        self.found, self.run, self.map = found, run, panels.MapPanel.of(run, found.index, _SIDE, looks=looks)
        # The channels that are drawn: all, or those with the largest sums, in their order.
        self.shown = _strongest(found, _MOST_CHANNELS)
        self.sums, self.total, self.adds_up = self._sums()
        # Width and height of a patch, a kernel, or the products.
        self.block = panels.window_size(found.inside.shape)
        columns = self._columns()
        # The longest side of a channel, in units: as long as a slide has room for.
        sides = np.arange(self._least_side(), _SIDE + 1)
        fits = [side for side in sides.tolist() if self._fits(side, columns["map"] + side + _SIDE)]
        self.side = max(fits, default=self._least_side())
        self.pitch = self._pitch(self.side)
        self.columns = {name: left + self.side for name, left in columns.items()}

    def _least_side(self) -> float:
        """Return the least side of a channel: that of the patch beside it, and of cells with numbers."""
        around = self.run.layer.edges(self.run.picture.size).around(self.run.picture.size)
        sides = [_LEAST_SIDE, self.block[1]]
        if panels.channel_scale(self.run, _SIDE) >= panels.LEAST_CELL:
            sides.append(panels.LEAST_CELL * max(around))
        return min(max(sides), _SIDE)

    def _fits(self, side: float, width: float) -> bool:
        """Return whether rows with channels of this side are no higher than a slide of this width."""
        return _TOP + len(self.shown) * self._pitch(side) <= width / SLIDE

    def _pitch(self, side: float) -> float:
        """Return the distance of two rows."""
        size = self.run.picture.size
        channel = self.run.layer.edges(size).around(size).h * panels.channel_scale(self.run, side)
        listed = 20.0 * (_WRITTEN_OUT + 1) if panels.is_large(self.found.inside.shape) else 0.0
        return max(channel, self.block[1], listed) + _BELOW

    def _sums(self) -> tuple[list[tuple[str, str]], str, bool]:
        """List the terms with their names, and write the sum, and whether what is written adds up."""
        rows = _terms(self.found, self.shown)
        words, whole, adds_up = sum_words([value for _, value in rows], self.found.total, digits=6)
        return [(name, word) for (name, _), word in zip(rows, words, strict=True)], whole, adds_up

    def _columns(self) -> dict[str, float]:
        """Return the left edge of each part of a row, beside a channel of no width."""
        step = max(self.block[0], font(14).getlength("products")) + 38
        patch = _GAP + 64
        places = {"patch": patch, "kernel": patch + step, "products": patch + 2 * step}
        after = patch + 3 * step - 14
        if panels.is_large(self.found.inside.shape):
            words = [row for channel in self.shown for row in _written_out(channel)]
            places["list"] = after
            places["written"] = after + max(font(13).getlength(what) for what, _ in words) + 14
            after = places["written"] + max(font(13).getlength(text) for _, text in words) + 28
        widest = max(font(17).getlength(word) for _, word in self.sums)
        return places | {"sum": after, "bus": after + widest + 24, "map": after + widest + 74}

    def drawing(self) -> Drawing:
        """Combine all parts."""
        found = self.found
        heading = _heading(found)
        shapes: list[Shape] = []
        for place, channel in enumerate(self.shown):
            shapes += self._row(channel, _TOP + place * self.pitch)
        bottom = _TOP + len(self.shown) * self.pitch
        if len(self.shown) < len(found.channels):
            words = (
                f"drawn are {len(self.shown)} of {len(found.channels)} channels: those of the largest sums"
            )
            shapes.append(Label(_GAP, bottom - 14, words, FAINT, 14))
            bottom += 14
        right = self.columns["map"] + _SIDE
        shapes += self._map()
        note = "; ".join([*self._notes(), *tiny(shapes)])
        shapes = [Label(_GAP, 32, heading, INK, 18), Label(_GAP, 54, note, FAINT, 13), *shapes]
        arithmetic, end = self._arithmetic(_TOP + self.map.height + 40)
        widest = max(
            right, *(_right_of(shape) for shape in (*shapes, *arithmetic) if isinstance(shape, Label))
        )
        return Drawing(widest + _GAP, max(bottom, end), PAPER, (*shapes, *arithmetic), title=heading)

    def _notes(self) -> list[str]:
        """Describe how to read the colours, and which cells are padding."""
        words = [] if self.run.transposed is None else [self.run.transposed.sentence]
        words.append("orange is positive, purple negative")
        if not self.found.inside.all():
            mode = self.run.layer.padding_mode
            words.append(f"dashed cells are padding ({mode})")
        others = sum((NotFinite.of(one.patch) + NotFinite.of(one.products) for one in self.shown), NONE)
        return [*words, *key(others)]

    def _row(self, channel: ChannelTrace, y: float) -> list[Shape]:
        """Draw the contribution of one channel."""
        columns, (width, height) = self.columns, self.block
        shapes = self._channel(channel, y)
        peaks = [max(finite.largest(getattr(one, of)) for one in self.shown) for of in ("kernel", "products")]
        for name, values, fills, padding in (
            ("patch", channel.patch, self._patch_fills(channel), ~self.found.inside),
            ("kernel", channel.kernel, signed_fills(channel.kernel, peaks[0]), None),
            ("products", channel.products, signed_fills(channel.products, peaks[1]), None),
        ):
            shapes.append(Label(columns[name], y - 8, name, FAINT, 14))
            shapes += panels.window(values, fills, columns[name], y=y, padding=padding)
        shapes += framed(columns["patch"], y, width, h=height)
        middle = y + height / 2
        for name, sign in (("kernel", "x"), ("products", "=")):
            shapes.append(Label(columns[name] - 19, middle + 6, sign, INK, 20, anchor="middle"))
        if "list" in columns:
            shapes += self._list(channel, y)
        word = self.sums[self.shown.index(channel)][1]
        shapes += [
            Label(columns["sum"], middle - 14, "sum", FAINT, 14),
            Label(columns["sum"], middle + 6, word, INK, 17),
        ]
        start = columns["sum"] + font(17).getlength(word) + 8
        return [*shapes, Lines(((start, middle), (columns["bus"], middle)), OUTPUT_TEAL, 1.6)]

    def _patch_fills(self, channel: ChannelTrace) -> list[list[Colour]]:
        """Colour the patch as in the picture, with padding tinted."""
        levels = picture_levels([channel.patch], [channel_ends(self.run.picture, channel.channel)])[:]
        return level_fills(tinted(levels, ~self.found.inside, INPUT_BLUE, cover=0.2))

    def _channel(self, channel: ChannelTrace, y: float) -> list[Shape]:
        """Draw a channel with the window on it, and lines that lead to the patch."""
        rows, columns, edges = (
            self.found.rows,
            self.found.columns,
            self.run.layer.edges(self.run.picture.size),
        )
        scale = panels.channel_scale(self.run, self.side)
        x, top = _GAP + (columns[0] + edges.left) * scale, y + (rows[0] + edges.top) * scale
        w, h = (columns[-1] - columns[0] + 1) * scale, (rows[-1] - rows[0] + 1) * scale
        # The lines follow the edges of cells with numbers, so that they cross none of them.
        around = edges.around(self.run.picture.size)
        corner = _GAP + around.w * scale if scale >= panels.LEAST_CELL else x + w
        ends = tuple(
            ((x + w, start), (corner, start), (self.columns["patch"], end))
            for start, end in ((top, y), (top + h, y + self.block[1]))
        )
        return [
            Label(_GAP, y - 8, channel_title(self.run.picture, channel.channel), INPUT_BLUE, 14),
            *panels.channel(self.run, channel.channel, _GAP, y=y, side=self.side),
            *(line for end in ends for line in (Lines(end, PAPER, 2.6), Lines(end, INK, 1.2))),
            *framed(x, top, w, h=h, least=9),
        ]

    def _list(self, channel: ChannelTrace, y: float) -> list[Shape]:
        """Write the largest products, and frame them."""
        columns, (width, height) = self.columns, self.block
        kh, kw = self.found.inside.shape
        shapes: list[Shape] = []
        for one in channel.largest(_WRITTEN_OUT):
            corner = (columns["products"] + one.tap.w * width / kw, y + one.tap.h * height / kh)
            shapes += framed(*corner, width / kw, h=height / kh)
        shapes.append(Label(columns["list"], y - 8, "largest products (row,column)", FAINT, 14))
        for place, (what, words) in enumerate(_written_out(channel)):
            line = y + 14 + 20 * place
            shapes += [
                Label(columns["list"], line, what, FAINT, 13),
                Label(columns["written"], line, words, INK, 13),
            ]
        return shapes

    def _map(self) -> list[Shape]:
        """Draw the map with the output cell framed, and the line on which the sums meet."""
        found, x, bus = self.found, self.columns["map"], self.columns["bus"]
        scale = self.map.scale
        left, top = x + found.at.w * scale, _TOP + found.at.h * scale
        # The line ends at the map, so that it crosses none of its numbers.
        row = top + scale / 2
        sums = [_TOP + place * self.pitch + self.block[1] / 2 for place in range(len(self.shown))]
        return [
            Label(x, _TOP - 8, f"map {found.index}", OUTPUT_TEAL, 14),
            *self.map.shapes(x, _TOP),
            Lines(((bus, min(*sums, row)), (bus, max(*sums, row))), OUTPUT_TEAL, 1.6),
            Lines(((bus, row), (x - 8, row)), OUTPUT_TEAL, 1.6),
            Lines(((x - 16, row - 5), (x - 8, row), (x - 16, row + 5)), OUTPUT_TEAL, 1.6),
            *framed(left, top, scale, h=scale, least=9),
        ]

    def _arithmetic(self, y: float) -> tuple[list[Shape], float]:
        """Add up the sums and the bias below the map; return the bottom edge too."""
        found, x, rows = self.found, self.columns["map"], self.sums
        names = max(font(14).getlength(name) for name, _ in rows)
        numbers = max(font(18).getlength(word) for word in (*(word for _, word in rows), self.total))
        end = x + max(_SIDE, names + 16 + numbers)
        shapes: list[Shape] = []
        for name, word in rows:
            shapes += [Label(x, y, name, FAINT, 14), Label(end, y, word, INK, 16, anchor="end")]
            y += 24
        notes = [f"{found.backend} computed {exact(found.computed)}"]
        if found.held is not None:
            notes.append(_stored(found, found.held))
        return [
            *shapes,
            Lines(((x, y - 14), (end, y - 14)), INK, 1.2),
            Label(x, y + 8, "value" if self.adds_up else "value (terms rounded)", FAINT, 14),
            Label(end, y + 8, self.total, INK, 18, anchor="end"),
            *(Label(x, y + 36 + 20 * place, note, FAINT, 13) for place, note in enumerate(notes)),
        ], y + 38 + 20 * len(notes)


def _right_of(label: Label) -> float:
    """Return the right edge of a label."""
    wide = font(label.size).getlength(label.text)
    return label.x + {"start": wide, "middle": wide / 2, "end": 0.0}[label.anchor]
