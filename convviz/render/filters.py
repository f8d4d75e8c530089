"""Trained filters as pictures: in colour where they read three planes, else every 2-D kernel by itself."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convviz.geometry import HW
from convviz.render import grid
from convviz.render.tone import Bytes, Floats, Tone, colours
from convviz.text import number

# The response is computed at so many frequencies along each axis.
_FREQUENCIES = 64
# Between the planes of one filter: no grey, and none of the colours of the scales.
_BETWEEN = (196, 219, 238)


def response(weight: Floats) -> Floats:
    """Tell how strongly one filter answers to waves of every frequency.

    Parameters
    ----------
    weight : ndarray, shape (planes, kh, kw), float32
        The filter.

    Returns
    -------
    ndarray, shape (64, 64), float32
        The magnitude of the discrete Fourier transform, the root of the sum of squares
        over the planes; no variation at all is in the middle, at row and column 32,
        half a cycle per pixel at the edges.

    Examples
    --------
    >>> box = response(np.full((1, 2, 2), 0.25, np.float32))
    >>> float(box[32, 32]), round(float(box[0, 32]), 6)
    (1.0, 0.0)
    """
    # A kernel longer than that wraps round, which leaves the transform at these frequencies as it is.
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
    colormap: str = "gray",
    scale: str = "map",
) -> grid.Sheet:
    """Draw the filters of one layer.

    Parameters
    ----------
    title : str
        What to call the layer.
    weight : ndarray, shape (O, I / groups, kh, kw), float32
        The filters. Those of three planes are drawn in colour, zero at mid grey; the
        2-D kernels of others side by side.
    chosen : sequence of int
        Which filters, in which order.
    frequency : bool
        Whether to put the `response` beside each.
    tile : int
        Longest side of a filter, in pixels.
    columns : int, optional
        Filters in one row.
    colormap : str
        As for `convviz.render.tone.colours`.
    scale : {"map", "global"}
        Whether each filter has its own scale.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    table = colours(colormap)
    filters, planes, kh, kw = weight.shape
    peaks = np.abs(weight).max(axis=(1, 2, 3))
    if scale == "global":
        peaks = np.full_like(peaks, peaks.max())
    tones = [Tone(-float(peak) or -1.0, float(peak) or 1.0, "signed") for peak in peaks]
    tiles = []
    for index in chosen:
        one = weight[index]
        name, note = f"filter {index}", grid.extent(float(one.min()), float(one.max()))
        if planes == 3:
            levels = np.stack([tones[index].levels(plane) for plane in one], axis=-1)
        else:
            levels = _mosaic([tones[index].levels(plane) for plane in one], table)
        cell = max(1, tile // max(levels.shape[:2]))
        numbers = one[0] if planes == 1 else None
        tiles.append(grid.Tile(name, note, levels, cell, numbers))
        if frequency:
            answer = response(one)
            peak = float(answer.max()) or 1.0
            low = Tone(0.0, peak, "unit").levels(answer)
            side = max(1, tile // _FREQUENCIES)
            tiles.append(grid.Tile("response", f"0 to {number(peak)}", low, side))
    wide = columns or grid.columns_for(len(chosen))
    kinds = (
        "in colour: red, green and blue of each tap, 0 at mid grey"
        if planes == 3
        else ("every plane by itself" if planes > 1 else "one plane")
    )
    heading = (
        f"{title}: {filters} filters x {planes} planes of {HW(kh, kw)}",
        kinds + ("; beside each its response, no variation in the middle" if frequency else ""),
    )
    section = grid.Section(tiles, wide * (2 if frequency else 1), grid.OUTPUT_TEAL)
    legend = grid.legend_for([tones[index] for index in chosen], table, what="filter")
    return grid.sheet(heading, [section], legend)


def _mosaic(planes: Sequence[Bytes], table: Bytes | None) -> NDArray[np.uint8]:
    """Lay the planes of one filter out in a square, with one cell of paper between them."""
    if len(planes) == 1:
        return planes[0] if table is None else table[planes[0]]
    wide = math.ceil(math.sqrt(len(planes)))
    h, w = planes[0].shape
    tall = -(-len(planes) // wide)
    found = np.full((tall * (h + 1) - 1, wide * (w + 1) - 1, 3), _BETWEEN, np.uint8)
    for index, plane in enumerate(planes):
        top, left = index // wide * (h + 1), index % wide * (w + 1)
        shown = plane[..., None] if table is None else table[plane]
        found[top : top + h, left : left + w] = shown
    return found
