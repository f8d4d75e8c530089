"""Show what one weight or one pixel meets and feeds, in words and as a drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.trace import Feed, WeightTrace
from convviz.compute.feature_maps import LayerRun
from convviz.render.contrast import DEFAULT
from convviz.render.drawings import panels
from convviz.render.drawings.cells import ORANGE, PURPLE, framed, level_fills, signed_fills, tiny
from convviz.render.drawings.drawing import Colour, Drawing, Label, Lines, Point, Rectangle, Shape
from convviz.render.drawings.explanation import exact, span_of
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER
from convviz.render.words.matrices import ELLIPSIS, elided
from convviz.spec.geometry import HW
from convviz.spec.reach import Box
from convviz.spec.settings import ContrastSettings
from convviz.text import channel_label, listed, number, plural
from convviz.typing import Floats

# In units: the margin, the top of the panels, the longest side of a channel or a map, and between them.
_GAP, _TOP, _SIDE, _BETWEEN = 30.0, 104.0, 300.0, 60.0
# In units: the least side of a frame, and the length from which the cells in it are seen without a magnifier.
_LEAST_FRAME, _SEEN = 9.0, 105.0
# More channels are counted, not named.
_MOST_NAMED = 4

Mask = NDArray[np.bool_]


def lines(found: WeightTrace, run: LayerRun) -> list[str]:
    """Describe what one weight multiplies and what it feeds, without the single products."""
    size = run.picture.size
    h, w = found.values.shape
    text = [
        f"weight {','.join(map(str, found.indices))} = {exact(found.weight)}: "
        f"row {found.tap.h}, column {found.tap.w} of the kernel of {found.name} on the "
        + channel_label(found.channel_name),
        f"multiplies {span_of(found.rows, size.h, 'rows')}, {span_of(found.columns, size.w, 'columns')}",
        f"feeds all {plural(h * w, 'value')} of {found.name}",
    ]
    outside = int(found.values.size - found.inside.sum())
    if outside:
        text[-1] += f"; for {outside:,} of them it meets padding"
    return text


def rows_of(found: WeightTrace, *, most: int = 16) -> list[tuple[str, str, str, str]]:
    """Write the single products as rows: output, input, its value, product; elide the middle of many."""
    w = found.values.shape[1]
    rows = []
    for index in elided(found.values.size, most):
        if index is None:
            rows.append((ELLIPSIS,) * 4)
            continue
        at = divmod(index, w)
        value = exact(float(found.values[at]))
        rows.append(
            (
                f"{at[0]},{at[1]}",
                f"{found.rows[at[0]]},{found.columns[at[1]]}",
                value if found.inside[at] else f"({value})",
                number(float(found.products[at]), digits=6),
            )
        )
    return rows


def rows_of_feeds(feeds: Sequence[Feed], run: LayerRun, *, at: HW) -> list[tuple[str, ...]]:
    """Write what a pixel feeds as the rows of a table (`words.tables.feeds`); copies are in brackets."""
    return [
        (
            run.names[feed.index],
            run.picture.channels[feed.channel],
            f"{feed.output.h},{feed.output.w}",
            f"{feed.tap.h},{feed.tap.w}",
            number(feed.weight, digits=6),
            f"{feed.cell.h},{feed.cell.w}" if feed.cell == at else f"({feed.cell.h},{feed.cell.w})",
        )
        for feed in feeds
    ]


def draw_weight(found: WeightTrace, run: LayerRun, looks: ContrastSettings = DEFAULT) -> Drawing:
    """Draw the channel and the map, with everything that one weight connects.

    Parameters
    ----------
    found : WeightTrace
        The weight.
    run : LayerRun
        The run that the weight belongs to.
    looks : ContrastSettings
        How the values of the map become brightness.

    Returns
    -------
    Drawing
        The channel with the multiplied pixels shaded, the kernel with the weight framed, the map with
        the outputs shaded to which the weight adds more than padding.
    """
    met = _padded_cells(run)
    edges = run.layer.edges(run.picture.size)
    met[np.ix_([row + edges.top for row in found.rows], [one + edges.left for one in found.columns])] = True
    heading = (
        f"weight {exact(found.weight)}: row {found.tap.h}, column {found.tap.w} of the kernel of "
        f"{found.name} on the {channel_label(found.channel_name)}"
    )
    index, kernel_index = found.indices[:2]
    # Zero padding feeds nothing; copies of pixels do.
    fed = found.inside if run.layer.padding_mode == "zeros" else np.ones_like(found.inside)
    colour = ORANGE if found.weight >= 0 else PURPLE
    panels_of = _Connection(
        run,
        looks,
        _Panel(f"{channel_label(found.channel_name)}: shaded where multiplied", found.channel, met),
        run.filters.weight[index, kernel_index],
        _Panel(f"{found.name}: shaded where fed", index, fed),
        _mask(run.filters.weight.shape[2:], [found.tap]),
        shade=colour,
    )
    return panels_of.drawing(heading, ["framed: the weight; shaded in the colour of its sign"])


def _padded_cells(run: LayerRun) -> Mask:
    """Make a mask for a channel with its padding, with no cell marked."""
    size = run.picture.size
    return np.zeros(tuple(run.layer.edges(size).around(size)), bool)


def _mask(shape: Sequence[int], places: Sequence[HW]) -> Mask:
    """Mark places of an array."""
    marked = np.zeros(shape, bool)
    for place in places:
        marked[place.h, place.w] = True
    return marked


def draw_pixel(
    at: HW, feeds: Sequence[Feed], run: LayerRun, *, index: int, looks: ContrastSettings = DEFAULT
) -> Drawing:
    """Draw one pixel, and what it feeds in one map through the kernel of the first channel that it reads.

    Parameters
    ----------
    at : HW
        The pixel.
    feeds : sequence of Feed
        The result of `convviz.analysis.trace.trace_pixel`.
    run : LayerRun
        The run that the pixel belongs to.
    index : int
        The index of the map.
    looks : ContrastSettings
        How the values of the map become brightness.

    Returns
    -------
    Drawing
        Frames around the pixel and its copies, the weights that multiply it, and the outputs; these are
        enlarged where they are small.
    """
    layer, picture = run.layer, run.picture
    edges = layer.edges(picture.size)
    channel, *others = layer.channels_of(index)
    chosen = [feed for feed in feeds if (feed.index, feed.channel) == (index, channel)]
    cells = [at, *(feed.cell for feed in chosen)]
    met = _mask(_padded_cells(run).shape, [HW(one.h + edges.top, one.w + edges.left) for one in cells])
    fed = _mask(run.maps.shape[1:], [feed.output for feed in chosen])
    name = run.names[index]
    heading = f"pixel {at.h},{at.w} feeds {plural(int(fed.sum()), 'value')} of {name}"
    copies = sum(feed.cell != at for feed in chosen)
    if copies:
        heading += f", {copies} of {plural(len(chosen), 'product')} through copies in the padding"
    pixel = "the pixel and its copies" if copies else "the pixel"
    notes = [f"framed: {pixel}, the weights that multiply it, and the values that it feeds"]
    if others:
        names = [channel_label(picture.channels[one]) for one in others]
        which = listed(names) if len(names) < _MOST_NAMED else plural(len(names), "other channel")
        feed = "feeds" if len(names) == 1 else "feed"
        notes.append(f"{which} {feed} the same values through kernels of their own")
    panels_of = _Connection(
        run,
        looks,
        _Panel(channel_label(picture.channels[channel]), channel, met),
        run.filters.weight[index, 0],
        _Panel(f"{name}: framed where fed", index, fed),
        _mask(layer.kernel_size, [feed.tap for feed in chosen]),
        start=HW(at.h + edges.top, at.w + edges.left),
    )
    return panels_of.drawing(heading, notes)


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """Hold a channel or a map under a heading, with some of its values marked."""

    heading: str
    index: int
    marked: Mask


@dataclass(frozen=True, slots=True)
class _Frame:
    """Place a part of an array on paper."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def around(cls, box: Box, x: float, y: float, *, cell: tuple[float, float]) -> "_Frame":
        """Place rows and columns of an array whose corner lies at a point; a small part is enlarged."""
        w, h = box.size.w * cell[0], box.size.h * cell[1]
        wide, high = max(w, _LEAST_FRAME), max(h, _LEAST_FRAME)
        return cls(
            x + box.left * cell[0] - (wide - w) / 2, y + box.top * cell[1] - (high - h) / 2, wide, high
        )

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + self.h

    def shapes(self) -> list[Shape]:
        """Draw it."""
        return framed(self.x, self.y, self.w, h=self.h)


@dataclass(frozen=True, slots=True, eq=False)
class _Connection:
    """Draw a channel, a kernel and a map from the left, with what a weight or a pixel connects.

    Parameters
    ----------
    run, looks
        The run, and how the values of the map become brightness.
    read : _Panel
        The channel, and the cells that are read.
    kernel : ndarray, shape (kh, kw), float32
        The kernel.
    made : _Panel
        The map, and the values that are fed.
    taps : ndarray, shape (kh, kw), bool
        The weights to frame.
    shade : colour, optional
        The colour that shades marked cells; without it they are framed.
    start : HW, optional
        The cell with its padding from which lines lead to the kernel.
    """

    run: LayerRun
    looks: ContrastSettings
    read: _Panel
    kernel: Floats
    made: _Panel
    taps: Mask
    shade: Colour | None = None
    start: HW | None = None

    def drawing(self, heading: str, notes: Sequence[str]) -> Drawing:
        """Combine the panels under a heading and a line of notes."""
        channel, right_of_channel, bottom = self._channel()
        x = max(right_of_channel, _GAP + font(14).getlength(self.read.heading)) + _BETWEEN
        wide, high = panels.window_size(self.kernel.shape)
        kernel = _Frame(x, _TOP, wide, high)
        x_map = kernel.x + max(wide, font(14).getlength("kernel")) + _BETWEEN
        made = panels.MapPanel.of(self.run, self.made.index, _SIDE, looks=self.looks)
        shapes = [*channel, *self._kernel(kernel), *self._map(made, x_map)]
        right, bottom = x_map + made.width, max(bottom, _TOP + high, _TOP + made.height)
        if self.shade is None:
            shapes += self._leaders(kernel, made, x_map)
            patch = self._patch(made, x_map)
            shapes += patch
            right = max([right, *(shape.x + shape.w for shape in patch if isinstance(shape, Rectangle))])
        else:
            row = int(np.flatnonzero(self.taps.any(axis=1))[0])
            y = _TOP + (row + 0.5) * high / len(self.kernel)
            for start, end in ((right_of_channel, kernel.x), (kernel.right, x_map)):
                shapes.append(Lines(((start + 8, y), (end - 8, y)), self.shade, 1.6))
        notes = [*notes, *self._legend(), *tiny(shapes)]
        texts = [Label(_GAP, 34, heading, INK, 18), Label(_GAP, 56, "; ".join(notes), FAINT, 13)]
        widest = max(
            right,
            x_map + font(14).getlength(self.made.heading),
            *(_GAP + font(text.size).getlength(text.text) for text in texts),
        )
        return Drawing(widest + _GAP, bottom + _GAP, PAPER, (*texts, *shapes), title=heading)

    def _legend(self) -> list[str]:
        """Describe the colours, and the padding."""
        words = ["orange is positive, purple negative"]
        if any(self.run.layer.edges(self.run.picture.size)):
            words.append(f"dashed: padding ({self.run.layer.padding_mode})")
        return words

    def _channel(self) -> tuple[list[Shape], float, float]:
        """Draw the channel; return its right and its lower edge too."""
        size, scale = self.run.picture.size, panels.channel_scale(self.run, _SIDE)
        around = self.run.layer.edges(size).around(size)
        marked = None if self.shade is None else self.read.marked
        shapes: list[Shape] = [
            Label(_GAP, _TOP - 10, self.read.heading, INPUT_BLUE, 14),
            *panels.channel(
                self.run, self.read.index, _GAP, y=_TOP, side=_SIDE, marked=marked, colour=self.shade or INK
            ),
        ]
        if self.shade is None:
            shapes += _framed(self.read.marked, _GAP, _TOP, cell=(scale, scale))
        return shapes, _GAP + around.w * scale, _TOP + around.h * scale

    def _kernel(self, at: _Frame) -> list[Shape]:
        """Draw the kernel, with the weights framed."""
        cell = at.w / self.kernel.shape[1], at.h / self.kernel.shape[0]
        fills = signed_fills(self.kernel, float(np.abs(self.kernel).max()))
        return [
            Label(at.x, _TOP - 10, "kernel", FAINT, 14),
            *panels.window(self.kernel, fills, at.x, y=_TOP),
            *_framed(self.taps, at.x, _TOP, cell=cell),
        ]

    def _map(self, made: panels.MapPanel, x: float) -> list[Shape]:
        """Draw the map."""
        marked = None if self.shade is None else self.made.marked
        shapes: list[Shape] = [
            Label(x, _TOP - 10, self.made.heading, OUTPUT_TEAL, 14),
            *made.shapes(x, _TOP, marked=marked, colour=self.shade or INK),
        ]
        if self.shade is None:
            shapes += _framed(self.made.marked, x, _TOP, cell=(made.scale, made.scale))
        return shapes

    def _leaders(self, kernel: _Frame, made: panels.MapPanel, x_map: float) -> list[Shape]:
        """Draw lines from the pixel to the kernel, and from the kernel to the values that are fed."""
        scale, target = panels.channel_scale(self.run, _SIDE), _largest(self.made.marked, made.scale)
        if self.start is None or target is None:
            return []
        pixel = _Frame.around(
            Box(self.start.h, self.start.h, self.start.w, self.start.w), _GAP, _TOP, cell=(scale, scale)
        )
        fed = _Frame.around(target, x_map, _TOP, cell=(made.scale, made.scale))
        # Lines follow the edges of cells with numbers, so that they cross none of them.
        out = _GAP + self.read.marked.shape[1] * scale if scale >= panels.LEAST_CELL else pixel.right
        into = x_map if made.scale >= panels.LEAST_CELL else fed.x
        ends = [
            ((pixel.right, start), (out, start), (kernel.x, middle), (kernel.right, middle), (into, end),
             (fed.x, end))
            for start, middle, end in ((pixel.y, kernel.y, fed.y), (pixel.bottom, kernel.bottom, fed.bottom))
        ]  # fmt: skip
        return [shape for points in ends for part in (points[:3], points[3:]) for shape in _leader(part)]

    def _patch(self, made: panels.MapPanel, x_map: float) -> list[Shape]:
        """Enlarge the values that are fed, if they are too small to see."""
        box = _largest(self.made.marked, made.scale)
        if box is None or max(box.size) * made.scale >= _SEEN or made.scale >= panels.LEAST_CELL:
            return []
        rows, columns = slice(box.top, box.bottom + 1), slice(box.left, box.right + 1)
        values = made.values[rows, columns]
        alone = len(_boxes(self.made.marked, made.scale)) == 1
        what = "fed, enlarged" if alone else "the largest frame, enlarged"
        wide, high = panels.window_size(values.shape)
        x = x_map + made.width + _BETWEEN
        frame = _Frame.around(box, x_map, _TOP, cell=(made.scale, made.scale))
        return [
            *_leader(((frame.right, frame.y), (x, _TOP))),
            *_leader(((frame.right, frame.bottom), (x, _TOP + high))),
            Label(x, _TOP - 10, what, OUTPUT_TEAL, 14),
            *panels.window(values, level_fills(made.levels(values)), x, y=_TOP),
            *_framed(self.made.marked[rows, columns], x, _TOP, cell=(wide / box.size.w, high / box.size.h)),
        ]


def _leader(points: tuple[Point, ...]) -> list[Shape]:
    """Draw a thin line that is visible on any value."""
    return [Lines(points, PAPER, 2.6), Lines(points, INK, 1.2)]


def _boxes(marked: Mask, scale: float) -> list[Box]:
    """Group marked cells into boxes: neighbours, or what lies closer together than the least frame is long.

    What a pixel meets or feeds is the same in every row that it meets, so that a box has no other cells.
    """
    apart = max(1, math.ceil(_LEAST_FRAME / scale))
    rows, columns = (_runs(np.flatnonzero(marked.any(axis=axis)), apart) for axis in (1, 0))
    return [Box(*row, *column) for row in rows for column in columns]


def _runs(places: NDArray[np.intp], apart: int) -> list[tuple[int, int]]:
    """Group places: the first and the last of each group, in which neighbours are at most `apart` apart."""
    if not places.size:
        return []
    groups = np.split(places, np.flatnonzero(np.diff(places) > apart) + 1)
    return [(int(group[0]), int(group[-1])) for group in groups]


def _largest(marked: Mask, scale: float) -> Box | None:
    """Return the largest group of marked cells."""
    return max(_boxes(marked, scale), key=lambda box: box.size.h * box.size.w, default=None)


def _framed(marked: Mask, x: float, y: float, *, cell: tuple[float, float]) -> list[Shape]:
    """Frame the marked cells of an array whose corner lies at a point."""
    return [
        shape for box in _boxes(marked, min(cell)) for shape in _Frame.around(box, x, y, cell=cell).shapes()
    ]
