"""Show padded channels: the padding that a layer adds, as numbers and as a drawing."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from convviz.compute.survey import reduce
from convviz.images.finite import NotFinite
from convviz.images.picture import Picture
from convviz.render.contrast import channel_ends, channel_title
from convviz.render.drawings.cells import cells, level_fills, tinted
from convviz.render.drawings.drawing import Bitmap, Drawing, Label, Rectangle, Shape
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, PAPER, key
from convviz.render.toned import picture_levels
from convviz.render.words.matrices import Block, cell_words, elided_words, side_by_side
from convviz.spec.geometry import HW, Edges
from convviz.text import channel_label
from convviz.typing import Floats

# The most rows and columns to print.
_MOST_ROWS, _MOST_COLUMNS = 12, 24


def padding_mask(edges: Edges, size: HW) -> NDArray[np.bool_]:
    """Mark the cells that padding adds, shape (H + top + bottom, W + left + right)."""
    marked = np.ones(tuple(edges.around(size)), bool)
    marked[edges.top : edges.top + size.h, edges.left : edges.left + size.w] = False
    return marked


def lines(picture: Picture, padded: Floats, edges: Edges, *, width: int) -> list[str]:
    """Write padded channels as numbers; numbers of the padding are in brackets.

    Parameters
    ----------
    picture : Picture
        The input.
    padded : ndarray, shape (C, H + top + bottom, W + left + right), float32
        Its channels with the padding.
    edges : Edges
        Widths of the padding, in pixels.
    width : int
        Characters per line; if there is more, or more than 12 rows or 24 columns, the middle is
        elided.

    Returns
    -------
    list of str
        Lines without markup.
    """
    marked = padding_mask(edges, picture.size)
    text = []
    for name, channel in zip(picture.channels, padded, strict=True):
        words = elided_words(channel, marked, most_rows=_MOST_ROWS, most_columns=_MOST_COLUMNS)
        text += ["", *side_by_side([Block(channel_label(name), words)], width=width)]
    return text[1:]


def draw(picture: Picture, padded: Mapping[str, Floats], edges: Edges, *, side: int = 260) -> Drawing:
    """Draw the input with its padding, one row per padding mode.

    Parameters
    ----------
    picture : Picture
        The input.
    padded : mapping of str to ndarray, shape (C, H + top + bottom, W + left + right), float32
        The padded channels for every padding mode.
    edges : Edges
        Widths of the padding, in pixels.
    side : int
        Longest side of a channel, in units.

    Returns
    -------
    Drawing
        Tinted padding, a dashed line around the input; small channels have values in their cells.
    """
    size, around = picture.size, edges.around(picture.size)
    scale = side / max(around)
    colour = picture.x.shape[0] in (3, 4) and not picture.activations
    every = range(len(picture.channels))
    ends = [channel_ends(picture, index) for index in every]
    names = (["input"] if colour else []) + [channel_title(picture, index) for index in every]
    gap, head = 28.0, 56.0
    tile_w, tile_h = around.w * scale, around.h * scale
    column = max(tile_w, font(15).getlength("replicate padding") + 20) + gap
    heading = f"{size} with padding {edges} (top, bottom, left, right) is {around}"
    shapes: list[Shape] = [Label(gap, 30, heading, INK, 17)]
    marked = padding_mask(edges, size)
    pitch = tile_h + 72
    for row, (mode, channels) in enumerate(padded.items()):
        y = head + row * pitch + 26
        shapes.append(Label(gap, y - 10, f"{mode} padding", INK, 15))
        views = [(channels[:3], ends[:3], None)] if colour else []
        views += [(channel[None], [own], channel) for channel, own in zip(channels, ends, strict=True)]
        for index, (view, own, numbers) in enumerate(views):
            x = gap + index * column
            # More than twice the resolution of the drawing would not be visible.
            small = [reduce(channel, min(1.0, 2 * scale)) for channel in view]
            levels = tinted(picture_levels(small, own)[:], marked, INPUT_BLUE)
            shapes.append(Bitmap(x, y, tile_w, tile_h, levels))
            if numbers is not None and scale >= 12:
                words = cell_words(numbers, marked)
                shapes += cells(words, level_fills(levels), x, y=y, cell=scale, dashed=marked)
            inner = (x + edges.left * scale, y + edges.top * scale, size.w * scale, size.h * scale)
            shapes.append(Rectangle(*inner, None, INPUT_BLUE, 2))
            shapes.append(Rectangle(x, y, tile_w, tile_h, None, FAINT, 1.2, dashed=True))
            others = NotFinite.of(np.asarray(view))
            name = "; ".join([names[index], *key(others)])
            shapes.append(Label(x, y + tile_h + 18, name, INPUT_BLUE, 14))
    width = max(gap + len(names) * column, font(17).getlength(heading) + 2 * gap)
    return Drawing(width, head + len(padded) * pitch, PAPER, tuple(shapes), title=heading)
