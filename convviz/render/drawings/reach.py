"""What one weight multiplies and what it feeds, in words and as a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.compute.survey import reduce
from convviz.compute.weights import FilterBank
from convviz.explain.trace import Feed, WeightTrace
from convviz.images.picture import Picture
from convviz.render.drawings.cells import ORANGE, PURPLE, cells, level_fills, signed_fills, tinted
from convviz.render.drawings.drawing import Colour, Drawing, Label, Lines, Rectangle, Shape
from convviz.render.drawings.drawing import Picture as Bitmap
from convviz.render.drawings.explanation import exact, span_of
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, Tone, tones
from convviz.render.words.matrices import ELLIPSIS, cell_words, elided, picked, words_of
from convviz.spec.geometry import HW, Edges
from convviz.spec.layers import Conv2d
from convviz.text import channel_label, number, plural
from convviz.typing import Floats

# Longest side of a plane, in units, and the least side of a cell that shows a number.
_SIDE, _LEAST_CELL = 300.0, 18.0


def lines(found: WeightTrace, size: HW) -> list[str]:
    """Write what one weight multiplies and what it feeds, without the single products."""
    h, w = found.values.shape
    text = [
        f"weight {','.join(map(str, found.place))} = {exact(found.weight)}: "
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
    """Write the single products as rows: output, input, its value, product; the middle of many left out."""
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


def draw_weight(
    found: WeightTrace, layer: Conv2d, picture: Picture, *, filters: FilterBank, maps: Floats
) -> Drawing:
    """Draw the plane and the map with everything that one weight connects.

    Parameters
    ----------
    found : WeightTrace
        The weight.
    layer, picture, filters, maps
        What it was taken from.

    Returns
    -------
    Drawing
        The plane with what is multiplied shaded, the kernel with the weight framed, the map with
        the outputs shaded that get more than padding.
    """
    size = picture.size
    met = np.zeros(tuple(size), bool)
    met[np.ix_(_within(found.rows, size.h), _within(found.columns, size.w))] = True
    heading = (
        f"weight {exact(found.weight)}: row {found.tap.h}, column {found.tap.w} of the kernel of "
        f"{found.name} on the {channel_label(found.channel_name)}"
    )
    index, plane = found.place[:2]
    kernel = filters.weight[index, plane]
    plane_panel = _Panel(
        f"{channel_label(found.channel_name)}: shaded where multiplied", picture.x[found.channel], met
    )
    # Padding of zeros feeds nothing; copies of pixels do.
    fed = found.inside if layer.padding_mode == "zeros" else np.ones_like(found.inside)
    map_panel = _Panel(f"{found.name}: shaded where fed", maps[index], fed)
    colour = ORANGE if found.weight >= 0 else PURPLE
    return _draw(
        heading,
        picture.ends[found.channel],
        size,
        edges=layer.edges(size),
        plane=plane_panel,
        kernel=kernel,
        taps=[found.tap],
        made=map_panel,
        colour=colour,
    )


def draw_pixel(
    at: HW,
    feeds: Sequence[Feed],
    layer: Conv2d,
    *,
    picture: Picture,
    filters: FilterBank,
    maps: Floats,
    index: int,
) -> Drawing:
    """Draw one pixel, and what it feeds of one map through the kernel of the first plane that the map reads.

    Parameters
    ----------
    at : HW
        The pixel.
    feeds : sequence of Feed
        What `convviz.explain.trace.trace_pixel` found.
    layer, picture, filters, maps
        What it was taken from.
    index : int
        The map.

    Returns
    -------
    Drawing
        The plane with the pixel shaded, the kernel with the taps framed that meet it, the map with
        the outputs shaded.
    """
    size = picture.size
    channel = layer.planes_of(index)[0]
    chosen = [feed for feed in feeds if (feed.index, feed.channel) == (index, channel)]
    met, fed = np.zeros(tuple(size), bool), np.zeros(maps.shape[1:], bool)
    met[tuple(at)] = True
    for feed in chosen:
        fed[tuple(feed.output)] = True
    name = filters.names[index]
    heading = f"pixel {at.h},{at.w} feeds {plural(int(fed.sum()), 'value')} of {name}"
    copies = sum(feed.cell != at for feed in chosen)
    if copies:
        heading += f", {copies} of {plural(len(chosen), 'product')} through copies in the padding"
    plane_panel = _Panel(channel_label(picture.channels[channel]), picture.x[channel], met)
    map_panel = _Panel(f"{name}: shaded where fed", maps[index], fed)
    taps = [feed.tap for feed in chosen]
    kernel = filters.weight[index, 0]
    ends = picture.ends[channel]
    return _draw(
        heading,
        ends,
        size,
        edges=layer.edges(size),
        plane=plane_panel,
        kernel=kernel,
        taps=taps,
        made=map_panel,
        colour=ORANGE,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """An array under a heading, with some of its values marked."""

    heading: str
    values: Floats
    marked: NDArray[np.bool_]


def _draw(
    heading: str,
    ends: tuple[float, float],
    size: HW,
    *,
    edges: Edges,
    plane: _Panel,
    kernel: Floats,
    taps: Sequence[HW],
    made: _Panel,
    colour: Colour,
) -> Drawing:
    """Draw a plane, a kernel with some taps framed, and a map, from the left."""
    gap, top, cell = 30.0, 92.0, 46.0
    around = edges.around(size)
    scale = min(_SIDE / max(around), cell)
    shapes: list[Shape] = [Label(gap, 34, heading, INK, 18)]

    left, upper = gap + edges.left * scale, top + edges.top * scale
    tone = Tone(*ends, "unit")
    shapes += [
        Label(gap, top - 10, plane.heading, INPUT_BLUE, 14),
        *_array(plane, tone, colour, x=left, y=upper, scale=scale),
        Rectangle(left, upper, size.w * scale, size.h * scale, None, INPUT_BLUE, 2),
    ]
    if any(edges):
        shapes.append(Rectangle(gap, top, around.w * scale, around.h * scale, None, FAINT, 1.2, dashed=True))

    rows, columns = elided(kernel.shape[0], 7), elided(kernel.shape[1], 7)
    x_kernel = gap + max(around.w * scale, font(14).getlength(plane.heading)) + 60
    fills = signed_fills(kernel, float(np.abs(kernel).max()))
    shapes.append(Label(x_kernel, top - 10, "kernel", FAINT, 14))
    words = picked(words_of(kernel, digits=3), rows, columns, gap=ELLIPSIS)
    shapes += cells(words, picked(fills, rows, columns, gap=None), x_kernel, y=top, cell=cell)
    # A tap that is elided is framed where the ellipsis stands.
    slots = {HW(_slot(rows, tap.h), _slot(columns, tap.w)) for tap in taps}
    shapes += [
        Rectangle(x_kernel + slot.w * cell, top + slot.h * cell, cell, cell, None, INK, 3) for slot in slots
    ]

    h, w = made.values.shape
    map_scale = min(_SIDE / max(h, w), cell)
    x_end = x_kernel + max(cell * len(columns), font(14).getlength("kernel"))
    x_map = x_end + 60
    shapes += [
        Label(x_map, top - 10, made.heading, OUTPUT_TEAL, 14),
        *_array(made, tones([made.values])[0], colour, x=x_map, y=top, scale=map_scale),
        Rectangle(x_map, top, w * map_scale, h * map_scale, None, OUTPUT_TEAL, 2),
    ]
    middle = top + cell / 2
    shapes += [
        Lines(((gap + around.w * scale + 8, middle), (x_kernel - 8, middle)), colour, 1.6),
        Lines(((x_end + 8, middle), (x_map - 8, middle)), colour, 1.6),
    ]
    right = max(
        x_map + max(w * map_scale, font(14).getlength(made.heading)), font(18).getlength(heading) + gap
    )
    bottom = top + max(around.h * scale, cell * len(rows), h * map_scale)
    return Drawing(right + gap, bottom + gap, PAPER, tuple(shapes))


def _within(indices: tuple[int, ...], length: int) -> list[int]:
    """Keep what lies inside of the input."""
    return [index for index in indices if 0 <= index < length]


def _slot(shown: list[int | None], index: int) -> int:
    """Find the place at which an index is shown, or that of the gap it is left out in."""
    return shown.index(index) if index in shown else shown.index(None)


def _array(panel: _Panel, tone: Tone, colour: Colour, *, x: float, y: float, scale: float) -> list[Shape]:
    """Draw an array with its marked values shaded: as cells with numbers, or as pixels where it is large."""
    if scale >= _LEAST_CELL:
        levels = tinted(tone.levels(panel.values), panel.marked, colour)
        return cells(cell_words(panel.values), level_fills(levels), x, y=y, cell=scale)
    levels = tinted(tone.levels(reduce(panel.values, min(1.0, 2 * scale))), panel.marked, colour)
    return [Bitmap(x, y, panel.values.shape[1] * scale, panel.values.shape[0] * scale, levels)]
