"""Show what one weight multiplies and what it feeds, in words and as a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.trace import Feed, WeightTrace
from convviz.compute.feature_maps import LayerRun
from convviz.render.contrast import DEFAULT
from convviz.render.drawings import panels
from convviz.render.drawings.cells import ORANGE, PURPLE, framed, signed_fills
from convviz.render.drawings.drawing import Colour, Drawing, Label, Lines, Shape
from convviz.render.drawings.explanation import exact, span_of
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER
from convviz.render.words.matrices import ELLIPSIS, elided
from convviz.spec.geometry import HW
from convviz.spec.settings import ContrastSettings
from convviz.text import channel_label, number, plural
from convviz.typing import Floats

# In units: the margin, the top of the panels, and the longest side of a channel or a map.
_GAP, _TOP, _SIDE = 30.0, 92.0, 300.0


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
    return _draw(
        heading,
        run,
        _Panel(f"{channel_label(found.channel_name)}: shaded where multiplied", found.channel, met),
        kernel=run.filters.weight[index, kernel_index],
        taps=[found.tap],
        made=_Panel(f"{found.name}: shaded where fed", index, fed),
        colour=ORANGE if found.weight >= 0 else PURPLE,
        looks=looks,
    )


def _padded_cells(run: LayerRun) -> NDArray[np.bool_]:
    """Make a mask for a channel with its padding, with no cell marked."""
    size = run.picture.size
    return np.zeros(tuple(run.layer.edges(size).around(size)), bool)


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
        The channel with the pixel and its copies shaded, the kernel with the weights framed that
        multiply it, the map with the outputs shaded.
    """
    layer, picture = run.layer, run.picture
    edges = layer.edges(picture.size)
    channel = layer.channels_of(index)[0]
    chosen = [feed for feed in feeds if (feed.index, feed.channel) == (index, channel)]
    met, fed = _padded_cells(run), np.zeros(run.maps.shape[1:], bool)
    for cell in (at, *(feed.cell for feed in chosen)):
        met[cell.h + edges.top, cell.w + edges.left] = True
    for feed in chosen:
        fed[tuple(feed.output)] = True
    name = run.names[index]
    heading = f"pixel {at.h},{at.w} feeds {plural(int(fed.sum()), 'value')} of {name}"
    copies = sum(feed.cell != at for feed in chosen)
    if copies:
        heading += f", {copies} of {plural(len(chosen), 'product')} through copies in the padding"
    return _draw(
        heading,
        run,
        _Panel(channel_label(picture.channels[channel]), channel, met, framed=not copies),
        kernel=run.filters.weight[index, 0],
        taps=[feed.tap for feed in chosen],
        made=_Panel(f"{name}: shaded where fed", index, fed, framed=not copies),
        colour=ORANGE,
        looks=looks,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """Hold a channel or a map under a heading, with some of its values marked."""

    heading: str
    index: int
    marked: NDArray[np.bool_]
    framed: bool = False

    def frame(self, x: float, y: float, scale: float) -> list[Shape]:
        """Frame the marked cells, which may otherwise be too small to see."""
        rows, columns = (np.flatnonzero(self.marked.any(axis=axis)) for axis in (1, 0))
        if not self.framed or not rows.size:
            return []
        w, h = (float(places[-1] - places[0] + 1) * scale for places in (columns, rows))
        return framed(x + float(columns[0]) * scale, y + float(rows[0]) * scale, w, h=h, least=9)


def _draw(
    heading: str,
    run: LayerRun,
    read: _Panel,
    *,
    kernel: Floats,
    taps: Sequence[HW],
    made: _Panel,
    colour: Colour,
    looks: ContrastSettings,
) -> Drawing:
    """Draw a channel, a kernel with some values framed, and a map, from the left."""
    size = run.picture.size
    around, scale = run.layer.edges(size).around(size), panels.channel_scale(run, _SIDE)
    shapes: list[Shape] = [
        Label(_GAP, 34, heading, INK, 18),
        Label(_GAP, _TOP - 10, read.heading, INPUT_BLUE, 14),
        *panels.channel(run, read.index, _GAP, y=_TOP, side=_SIDE, marked=read.marked, colour=colour),
        *read.frame(_GAP, _TOP, scale),
    ]
    x_kernel = _GAP + max(around.w * scale, font(14).getlength(read.heading)) + 60
    wide, high = panels.window_size(kernel.shape)
    w, h = wide / kernel.shape[1], high / kernel.shape[0]
    fills = signed_fills(kernel, float(np.abs(kernel).max()))
    shapes += [
        Label(x_kernel, _TOP - 10, "kernel", FAINT, 14),
        *panels.window(kernel, fills, x_kernel, y=_TOP),
    ]
    for tap in dict.fromkeys(taps):
        shapes += framed(x_kernel + tap.w * w, _TOP + tap.h * h, w, h=h)
    x_end = x_kernel + max(wide, font(14).getlength("kernel"))
    x_map = x_end + 60
    made_map = panels.MapPanel.of(run, made.index, _SIDE, looks=looks)
    middle = _TOP + panels.MOST_CELL / 2
    shapes += [
        Label(x_map, _TOP - 10, made.heading, OUTPUT_TEAL, 14),
        *made_map.shapes(x_map, _TOP, marked=made.marked, colour=colour),
        *made.frame(x_map, _TOP, made_map.scale),
        Lines(((_GAP + around.w * scale + 8, middle), (x_kernel - 8, middle)), colour, 1.6),
        Lines(((x_end + 8, middle), (x_map - 8, middle)), colour, 1.6),
    ]
    right = max(
        x_map + max(made_map.width, font(14).getlength(made.heading)),
        font(18).getlength(heading) + _GAP,
    )
    bottom = _TOP + max(around.h * scale, high, made_map.height)
    return Drawing(right + _GAP, bottom + _GAP, PAPER, tuple(shapes), title=heading)
