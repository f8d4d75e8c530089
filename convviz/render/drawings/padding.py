"""Show padded channels: the padding that a layer adds, as numbers and as a drawing."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from convviz.compute.survey import reduce
from convviz.images.finite import NotFinite
from convviz.images.picture import Picture
from convviz.render.contrast import channel_ends, channel_title
from convviz.render.drawings.cells import cells, level_fills, tinted, tiny
from convviz.render.drawings.drawing import Bitmap, Drawing, Label, Rectangle, Shape, side_by_side
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, PAPER, key
from convviz.render.toned import picture_levels
from convviz.render.words import matrices
from convviz.render.words.matrices import Block, cell_words, elided_words
from convviz.spec.geometry import HW, Edges
from convviz.text import channel_label
from convviz.typing import Floats

# The most rows and columns to print.
_MOST_ROWS, _MOST_COLUMNS = 12, 24
# In units: padding that is narrower has thinner lines around it, down to this share of the usual thickness.
_THICK, _HAIRLINE = 8.0, 0.25
# The most channels to show, and the most side by side; an input with transparency has five tiles.
MOST, _ACROSS = 8, 5


def left_out(picture: Picture) -> str:
    """Describe which channels are shown, if these are not all."""
    count = len(picture.channels)
    if count <= MOST:
        return ""
    return f"shown are the {MOST} of {count} channels of most energy (mean of the squares)"


def padding_mask(edges: Edges, size: HW) -> NDArray[np.bool_]:
    """Mark the cells that padding adds, shape (H + top + bottom, W + left + right)."""
    marked = np.ones(tuple(edges.around(size)), bool)
    marked[edges.top : edges.top + size.h, edges.left : edges.left + size.w] = False
    return marked


def edge_line(edges: Edges, scale: float) -> float:
    """Return the share of the usual thickness at which lines around padding leave most of it visible.

    Examples
    --------
    >>> edge_line(Edges(1, 1, 1, 1), 40.0), edge_line(Edges(2, 20, 0, 2), 1.0)
    (1.0, 0.25)
    """
    narrowest = min((width for width in edges if width), default=0)
    return min(max(narrowest * scale / _THICK, _HAIRLINE), 1.0) if narrowest else 1.0


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
    for index in picture.strongest(MOST):
        name = picture.channels[index]
        words = elided_words(padded[index], marked, most_rows=_MOST_ROWS, most_columns=_MOST_COLUMNS)
        text += ["", *matrices.side_by_side([Block(channel_label(name), words)], width=width)]
    return text[1:]


def draw(picture: Picture, padded: Mapping[str, Floats], edges: Edges, *, side: int = 260) -> Drawing:
    """Draw the input with its padding, in each padding mode.

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
        Tinted padding, a dashed line around the input; small channels have values in their cells. Of more
        than eight channels, the strongest are drawn.
    """
    size, around = picture.size, edges.around(picture.size)
    scale = side / max(around)
    colour = picture.x.shape[0] in (3, 4) and not picture.activations
    chosen = picture.strongest(MOST)
    ends = [channel_ends(picture, index) for index in chosen]
    names = (["input"] if colour else []) + [channel_title(picture, index) for index in chosen]
    gap, head = 28.0, 76.0
    across = len(names) if len(names) <= _ACROSS else -(-len(names) // 2)
    tile_w, tile_h = around.w * scale, around.h * scale
    column = max(tile_w, font(15).getlength("replicate padding") + 20) + gap
    heading = f"{size} with padding {edges} (top, bottom, left, right) is {around}"
    shapes: list[Shape] = []
    marked = padding_mask(edges, size)
    line = tile_h + 40
    # Rows of several tiles stand further apart than their tiles.
    apart = gap if across > 1 else 0.0
    high, wide = -(-len(names) // across) * line + 32, across * column + apart
    modes = side_by_side(len(padded), wide, high)
    thin = edge_line(edges, scale)
    for place, (mode, channels) in enumerate(padded.items()):
        start, left = head + place // modes * high + 26, gap + place % modes * wide
        shapes.append(Label(left, start - 10, f"{mode} padding", INK, 15))
        views = [(channels[:3], ends[:3], None)] if colour else []
        views += [
            (channels[index][None], [own], channels[index]) for index, own in zip(chosen, ends, strict=True)
        ]
        for index, (view, own, numbers) in enumerate(views):
            x, y = left + index % across * column, start + index // across * line
            # More than twice the resolution of the drawing would not be visible.
            small = [reduce(channel, min(1.0, 2 * scale)) for channel in view]
            levels = tinted(picture_levels(small, own)[:], marked, INPUT_BLUE)
            shapes.append(Bitmap(x, y, tile_w, tile_h, levels))
            if numbers is not None and scale >= 12:
                words = cell_words(numbers, marked)
                shapes += cells(words, level_fills(levels), x, y=y, cell=scale, dashed=marked)
            inner = (x + edges.left * scale, y + edges.top * scale, size.w * scale, size.h * scale)
            shapes.append(Rectangle(*inner, None, INPUT_BLUE, 2 * thin))
            shapes.append(Rectangle(x, y, tile_w, tile_h, None, FAINT, 1.2 * thin, dashed=True))
            others = NotFinite.of(np.asarray(view))
            name = "; ".join([names[index], *key(others)])
            shapes.append(Label(x, y + tile_h + 18, name, INPUT_BLUE, 14))
    note = "; ".join(filter(None, (left_out(picture), "blue: padding", *tiny(shapes))))
    texts = [Label(gap, 30, heading, INK, 17), Label(gap, 52, note, FAINT, 14)]
    widest = max(font(17).getlength(heading), font(14).getlength(note))
    width = max(gap + modes * wide - apart, widest + 2 * gap)
    rows = -(-len(padded) // modes)
    return Drawing(width, head + rows * high, PAPER, (*texts, *shapes), title=heading)
