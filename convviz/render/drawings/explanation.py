"""One output value in words and numbers, and as a drawing."""

from collections.abc import Sequence

import numpy as np

from convviz.explain.trace import Trace
from convviz.images.picture import Picture
from convviz.render.drawings.cells import ORANGE, WINDOW, cells, signed_fills
from convviz.render.drawings.drawing import Drawing, Label, Lines, Rectangle, Shape
from convviz.render.drawings.drawing import Picture as Bitmap
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, tones
from convviz.render.toned import picture_levels
from convviz.render.words.matrices import ELLIPSIS, Block, elided, picked, side_by_side, words_of
from convviz.spec.geometry import HW
from convviz.text import channel_label, number
from convviz.typing import Floats


def exact(value: float) -> str:
    """Write a float32 value with the digits that tell it from its neighbours.

    Examples
    --------
    >>> exact(18.0), exact(0.1)
    ('18', '0.1')
    """
    return number(value, digits=9)


def span_of(indices: Sequence[int], length: int, what: str) -> str:
    """Say which rows or columns a window covers, and which of them are padding."""
    outside = sum(not 0 <= index < length for index in indices)
    if len(indices) == 1:
        text = f"{what[:-1]} {indices[0]}"
    else:
        step = indices[1] - indices[0]
        text = f"{what} {indices[0]} to {indices[-1]}" + (f" in steps of {step}" if step > 1 else "")
    return text + (f" ({outside} in the padding)" if outside else "")


def lines(found: Trace, size: HW, *, width: int) -> list[str]:
    """Write the arithmetic of one output value.

    Parameters
    ----------
    found : Trace
        The value, taken apart.
    size : HW
        Size of the input, in pixels.
    width : int
        Characters in one line; matrices that do not fit are elided in the middle.

    Returns
    -------
    list of str
        Lines without markup.
    """
    named = f"map {found.index}"
    text = [
        f"{named}{'' if found.name == named else f' ({found.name})'}, row {found.at.h}, column {found.at.w}",
        f"window: {span_of(found.rows, size.h, 'rows')}, {span_of(found.columns, size.w, 'columns')}",
    ]
    if not found.inside.all():
        text.append("values in brackets are padding")
    for channel in found.channels:
        blocks = (
            Block(f"{channel.name} patch", words_of(channel.patch, ~found.inside)),
            Block("kernel", words_of(channel.kernel), "x"),
            Block("products", words_of(channel.products), "="),
        )
        text += ["", *side_by_side(blocks, width=width), f"sum {exact(channel.total)}"]
    parts = [exact(channel.total) for channel in found.channels]
    if found.bias is not None:
        parts.append(f"{exact(found.bias)} (bias)")
    text += ["", f"{' + '.join(parts).replace('+ -', '- ')} = {exact(found.total)}"]
    text.append(
        f"{found.backend} computed {exact(found.computed)}; difference {found.difference:.2g}"
        f" (float32 rounding may make {found.tolerance:.2g})"
    )
    return text


def draw(found: Trace, picture: Picture, maps: Floats) -> Drawing:
    """Draw the arithmetic of one output value, from the window to the output cell.

    Parameters
    ----------
    found : Trace
        The value, taken apart.
    picture : Picture
        The input.
    maps : ndarray, shape (O, H', W'), float32
        The feature maps.

    Returns
    -------
    Drawing
        Planes with the window, patches, kernels, products, sums, and the map.
    """
    kh, kw = found.inside.shape
    rows, columns = elided(kh, 7), elided(kw, 7)
    shown = elided(len(found.channels), 6)
    cell, plane_side, gap = 46.0, 190.0, 26.0
    block_w, block_h = cell * len(columns), cell * len(rows)
    row_h = max(plane_side, block_h) + 52
    x_plane, x_patch = gap, gap + plane_side + 64
    x_kernel = x_patch + block_w + 38
    x_products = x_kernel + block_w + 38
    x_sum = x_products + block_w + 24
    x_map = x_sum + 180
    shapes: list[Shape] = [
        Label(gap, 30, f"{found.name}, row {found.at.h}, column {found.at.w}", INK, 18),
    ]
    top = 64.0
    product_peak = max(float(np.abs(channel.products).max()) for channel in found.channels)
    kernel_peak = max(float(np.abs(channel.kernel).max()) for channel in found.channels)
    ends = []
    for place, slot in enumerate(shown):
        y = top + place * row_h
        if slot is None:
            shapes.append(
                Label(
                    x_patch,
                    y + 20,
                    f"{ELLIPSIS} {len(found.channels) - len(shown) + 1} more channels",
                    FAINT,
                    15,
                )
            )
            continue
        channel = found.channels[slot]
        shapes += _plane(
            picture, found, channel.channel, x=x_plane, y=y, side=plane_side, x_patch=x_patch, block_h=block_h
        )
        shapes.append(Label(x_plane, y - 8, channel_label(channel.name), INPUT_BLUE, 14))
        padded = np.array(picked((~found.inside).tolist(), rows, columns, gap=False))
        paper = [[WINDOW if inside else PAPER for inside in row] for row in found.inside.tolist()]
        for x, heading, values, fills, dashed in (
            (x_patch, "patch", channel.patch, paper, padded),
            (x_kernel, "kernel", channel.kernel, signed_fills(channel.kernel, kernel_peak), None),
            (x_products, "products", channel.products, signed_fills(channel.products, product_peak), None),
        ):
            shapes.append(Label(x, y - 8, heading, FAINT, 14))
            words = picked(words_of(values, digits=3), rows, columns, gap=ELLIPSIS)
            shapes += cells(words, picked(fills, rows, columns, gap=None), x, y=y, cell=cell, dashed=dashed)
        for x, sign in ((x_kernel - 19, "x"), (x_products - 19, "=")):
            shapes.append(Label(x, y + block_h / 2 + 6, sign, INK, 20, anchor="middle"))
        middle = y + block_h / 2
        shapes.append(Label(x_sum, middle - 8, "sum", FAINT, 14))
        word = number(channel.total, digits=6)
        shapes.append(Label(x_sum, middle + 12, word, INK, 17))
        ends.append((x_sum + font(17).getlength(word) + 10, middle + 6))
    values = maps[found.index]
    map_scale = plane_side / max(values.shape)
    map_y = top
    tone = tones([values])[0]
    map_h, map_w = values.shape[0] * map_scale, values.shape[1] * map_scale
    shapes.append(Label(x_map, map_y - 8, f"map {found.index}", OUTPUT_TEAL, 14))
    shapes.append(Bitmap(x_map, map_y, map_w, map_h, tone.levels(values)))
    shapes.append(Rectangle(x_map, map_y, map_w, map_h, None, OUTPUT_TEAL, 2))
    side = max(map_scale, 7.0)
    cx, cy = x_map + (found.at.w + 0.5) * map_scale, map_y + (found.at.h + 0.5) * map_scale
    shapes.append(Rectangle(cx - side / 2, cy - side / 2, side, side, None, ORANGE, 2.5))
    total_y = map_y + map_h + 40
    # The sums meet beside the map, so that their lines cross no text below it.
    node = (x_map - 26, map_y + map_h / 2)
    shapes += [Lines(((x, y), node), OUTPUT_TEAL, 1.2) for x, y in ends]
    shapes.append(Lines((node, (cx, cy)), OUTPUT_TEAL, 2))
    parts = [(f"{channel.name} sum", channel.total) for channel in found.channels]
    if len(parts) > 6:
        parts = [("sum of all channels", sum(value for _, value in parts))]
    if found.bias is not None:
        parts.append(("bias", found.bias))
    for index, (name, value) in enumerate(parts):
        y = total_y + index * 24
        shapes.append(Label(x_map, y, name, FAINT, 14))
        shapes.append(Label(x_map + plane_side, y, number(value, digits=6), INK, 16, anchor="end"))
    y = total_y + len(parts) * 24
    shapes.append(Lines(((x_map, y - 14), (x_map + plane_side, y - 14)), INK, 1.2))
    shapes.append(Label(x_map, y + 6, "value", FAINT, 14))
    shapes.append(Label(x_map + plane_side, y + 6, number(found.total, digits=6), INK, 18, anchor="end"))
    note = f"{found.backend} computed {exact(found.computed)}"
    shapes.append(Label(x_map, y + 34, note, FAINT, 13))
    height = max(top + len(shown) * row_h, y + 56)
    return Drawing(x_map + plane_side + 60, height, PAPER, tuple(shapes))


def _plane(
    picture: Picture,
    found: Trace,
    channel: int,
    *,
    x: float,
    y: float,
    side: float,
    x_patch: float,
    block_h: float,
) -> list[Shape]:
    """Draw a plane with the window on it, and lines that lead to the patch."""
    size = picture.size
    # Room for the window where it lies in the padding.
    low_y, high_y = min(0, found.rows[0]), max(size.h, found.rows[-1] + 1)
    low_x, high_x = min(0, found.columns[0]), max(size.w, found.columns[-1] + 1)
    scale = side / max(high_y - low_y, high_x - low_x)
    left, top = x - low_x * scale, y - low_y * scale
    levels = picture_levels([picture.x[channel]], [picture.ends[channel]])[:]
    w_x, w_y = left + found.columns[0] * scale, top + found.rows[0] * scale
    w_w = (found.columns[-1] - found.columns[0] + 1) * scale
    w_h = (found.rows[-1] - found.rows[0] + 1) * scale
    shapes: list[Shape] = [
        Bitmap(left, top, size.w * scale, size.h * scale, levels),
        Rectangle(left, top, size.w * scale, size.h * scale, None, INPUT_BLUE, 2),
    ]
    if (low_y, low_x, high_y, high_x) != (0, 0, size.h, size.w):
        width, height = (high_x - low_x) * scale, (high_y - low_y) * scale
        shapes.append(Rectangle(x, y, width, height, None, FAINT, 1, dashed=True))
    right = w_x + w_w
    # A window of a few screen pixels is drawn a little larger, so that it can be seen.
    more_w, more_h = max(9 - w_w, 0), max(9 - w_h, 0)
    shapes += [
        Rectangle(w_x - more_w / 2, w_y - more_h / 2, w_w + more_w, w_h + more_h, None, ORANGE, 2.5),
        Lines(((right, w_y), (x_patch, y)), ORANGE, 1.2),
        Lines(((right, w_y + w_h), (x_patch, y + block_h)), ORANGE, 1.2),
    ]
    return shapes
