"""Draw filters, in colour if they read three channels, else kernel by kernel; and write them as numbers."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convviz.compute.spread import Spread
from convviz.compute.weights import LayerWeights
from convviz.render import palette
from convviz.render.contrast import DEFAULT, Drawn, contrasts, rule
from convviz.render.palette import Tone, colours
from convviz.render.sheets import layout
from convviz.render.sheets.bar import Bar
from convviz.render.sheets.tile import Section, Tile, extent
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.limits import Limits
from convviz.spec.settings import Look
from convviz.text import number, plural
from convviz.typing import Bytes, Floats

# The number of frequencies along each axis at which the response is computed.
_FREQUENCIES = 64
# The colour between the channels of one filter: not grey, and not in any of the colour scales.
_BETWEEN = (196, 219, 238)
# The most weights to print: six filters of 3x3 on three channels have 162.
_MOST_PRINTED = 200
# The number of characters between two kernels: more than between two columns of one kernel.
_GAP = 4


def response(weight: Floats) -> Floats:
    """Return the strength of the response of one filter to waves of every frequency.

    Parameters
    ----------
    weight : ndarray, shape (channels, kh, kw), float32
        The filter.

    Returns
    -------
    ndarray, shape (64, 64), float32
        The magnitude of the discrete Fourier transform: the root of the sum of squares
        over the channels. Frequency 0 is in the middle, at row and column 32,
        and half a cycle per pixel is at the edges.

    Examples
    --------
    >>> box = response(np.full((1, 2, 2), 0.25, np.float32))
    >>> float(box[32, 32]), round(float(box[0, 32]), 6)
    (1.0, 0.0)
    """
    # A kernel longer than the transform wraps round, which does not change it at these frequencies.
    turns = [-(-side // _FREQUENCIES) for side in weight.shape[1:]]
    widths = [(0, n * _FREQUENCIES - side) for n, side in zip(turns, weight.shape[1:], strict=True)]
    whole = np.pad(weight.astype(np.float64), [(0, 0), *widths])
    folded = whole.reshape(-1, turns[0], _FREQUENCIES, turns[1], _FREQUENCIES).sum(axis=(1, 3))
    squares = np.square(np.abs(np.fft.fft2(folded))).sum(axis=0)
    return np.fft.fftshift(np.sqrt(squares)).astype(np.float32)


def draw(
    title: str,
    weight: Floats,
    *,
    chosen: Sequence[int],
    frequency: bool = False,
    tile: int = 96,
    columns: int | None = None,
    look: Look = DEFAULT,
) -> layout.Sheet:
    """Draw the filters of one layer.

    Parameters
    ----------
    title : str
        The name of the layer.
    weight : ndarray, shape (O, I / groups, kh, kw), float32
        The filters. Filters of three channels are drawn in colour; the
        2-D kernels of other filters are drawn side by side.
    chosen : sequence of int
        The filters to draw, in order.
    frequency : bool
        Whether to draw the `response` beside each filter.
    tile : int
        Longest side of a filter, in pixels.
    columns : int, optional
        Filters in one row.
    look : Look
        How weights become brightness, by default with 0 in the middle of the scale of each filter;
        its other fields are as for `convviz.render.sheets.layout.sheet`.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    table = colours(look.colormap)
    limits = Limits("symmetric") if look.limits == DEFAULT.limits else look.limits
    filters, kernels, kh, kw = weight.shape
    drawn = [Drawn(float(one.min()), float(one.max()), Spread.of(one), whole=True) for one in weight]
    centred = replace(look, limits=limits)
    shown = contrasts(drawn, centred)
    tiles = []
    for index in chosen:
        one = weight[index]
        name, note = f"filter {index}", extent(float(one.min()), float(one.max()))
        if kernels == 3:
            levels = np.stack([shown[index].tone.levels(channel) for channel in one], axis=-1)
        else:
            levels = _mosaic([shown[index].tone.levels(channel) for channel in one], table)
        cell = max(1, tile // max(levels.shape[:2]))
        numbers = one[0] if kernels == 1 else None
        scale = Bar(shown[index], None if kernels == 3 else table)
        tiles.append(Tile(name, note, levels, cell, numbers, scale))
        if frequency:
            answer = response(one)
            peak = float(answer.max()) or 1.0
            low = Tone(0.0, peak, "unit").levels(answer)
            side = max(1, tile // _FREQUENCIES)
            ends = extent(float(answer.min()), float(answer.max()))
            tiles.append(Tile("response", ends, low, side))
    kinds = (
        "in colour: red, green and blue of each kernel value"
        if kernels == 3
        else ("every channel by itself" if kernels > 1 else "one channel")
    )
    heading = (
        f"{title}: {plural(filters, 'filter')} x {plural(kernels, 'channel')} of {HW(kh, kw)}",
        kinds
        + ("; beside each its frequency response, lowest frequencies in the middle" if frequency else ""),
    )
    together = 2 if frequency else 1
    wide = None if columns is None else columns * together
    section = Section(tiles, wide, palette.OUTPUT_TEAL, together)
    said = rule(centred, whole=[True], what="filter")
    if frequency:
        said += "; of a response, 0 is black and its maximum white"
    return layout.sheet(heading, [section], said, look=look)


def _mosaic(kernels: Sequence[Bytes], table: Bytes | None) -> NDArray[np.uint8]:
    """Arrange the channels of one filter in a square, with one cell of paper between them."""
    if len(kernels) == 1:
        return kernels[0] if table is None else table[kernels[0]]
    wide = math.ceil(math.sqrt(len(kernels)))
    h, w = kernels[0].shape
    tall = -(-len(kernels) // wide)
    found = np.full((tall * (h + 1) - 1, wide * (w + 1) - 1, 3), _BETWEEN, np.uint8)
    for index, channel in enumerate(kernels):
        top, left = index // wide * (h + 1), index % wide * (w + 1)
        shown = channel[..., None] if table is None else table[channel]
        found[top : top + h, left : left + w] = shown
    return found


def lines(layer: Conv2d, weights: LayerWeights, channels: Sequence[str], *, width: int) -> list[str]:
    r"""Write the kernels of every filter as numbers, with its bias, if there are few enough to read.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    weights : LayerWeights
        Its weights and biases.
    channels : sequence of str
        The names of the input channels.
    width : int
        Characters per line; kernels that do not fit follow below.

    Returns
    -------
    list of str
        Empty for more than 200 numbers. A kernel that is the same in every channel is written once.

    Examples
    --------
    >>> weight = np.array([[[[1, 2]], [[3, -0.5]]], [[[4, 5]], [[4, 5]]]], np.float32)
    >>> weights = LayerWeights(weight, np.array([0.25, 0], np.float32), ("a", "b"))
    >>> print(*lines(Conv2d(2, 2, (1, 2)), weights, "RG", width=80), sep="\n")
    a, bias 0.25
      R                   G
       1.0000   2.0000     3.0000  -0.5000
    b, bias 0, in every channel
      4  5
    """
    kh, kw = layer.kernel_size
    alike = (weights.weight == weights.weight[:, :1]).all(axis=(1, 2, 3))
    shown = [1 if same else layer.weight_shape[1] for same in alike]
    if sum(shown) * kh * kw > _MOST_PRINTED:
        return []
    made = []
    for index, (name, kernels) in enumerate(zip(weights.names, weights.weight, strict=True)):
        words = [name] if weights.bias is None else [name, f"bias {number(float(weights.bias[index]))}"]
        read = [channels[channel] for channel in layer.channels_of(index)]
        if alike[index] and len(read) > 1:
            words.append("in every channel")
        made.append(", ".join(words))
        heads = read[: shown[index]] if shown[index] > 1 else []
        made += _beside(kernels[: shown[index]], heads, width)
    return made


def _beside(kernels: Floats, heads: Sequence[str], width: int) -> list[str]:
    """Write the kernels of one filter side by side, each below its heading, in as many rows as necessary."""
    for places in (4, 3):
        texts = [[[_written(float(tap), kernels, places) for tap in row] for row in one] for one in kernels]
        cell = max(len(text) for one in texts for row in one for text in row)
        block = max([cell * kernels.shape[2] + 2 * (kernels.shape[2] - 1), *map(len, heads)])
        if len(kernels) * (block + _GAP) + 2 - _GAP <= width:
            break
    blocks = [["  ".join(text.rjust(cell) for text in row) for row in one] for one in texts]
    if heads:
        blocks = [[head, *rows] for head, rows in zip(heads, blocks, strict=True)]
    made = []
    # At least one kernel per row, however narrow the line: digits are never cut.
    count = max(1, (width - 2 + _GAP) // (block + _GAP))
    for first in range(0, len(blocks), count):
        for row in zip(*blocks[first : first + count], strict=True):
            made.append("  " + (" " * _GAP).join(part.ljust(block) for part in row).rstrip())
    return made


def _written(tap: float, kernels: Floats, places: int) -> str:
    """Write one weight, with the decimals of the whole filter unless they would round it to 0."""
    sizes = np.abs(kernels[kernels != 0])
    whole = bool((kernels == np.round(kernels)).all())
    if whole or not sizes.size or sizes.min() < 0.5 * 10.0**-places or sizes.max() >= 1000:
        return number(tap)
    return f"{tap + 0.0:.{places}f}"
