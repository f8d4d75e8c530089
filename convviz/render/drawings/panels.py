"""Draw channels and maps: as cells with numbers if there is room, else as pictures."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.trace import read
from convviz.compute.feature_maps import LayerRun
from convviz.compute.survey import reduce
from convviz.render.contrast import Contrast, channel_ends, contrast_of
from convviz.render.drawings.cells import cells, level_fills, tinted
from convviz.render.drawings.drawing import Bitmap, Colour, Rectangle, Shape
from convviz.render.drawings.padding import edge_line, padding_mask
from convviz.render.palette import FAINT, INPUT_BLUE, OUTPUT_TEAL, RULE, colours
from convviz.render.sheets.bar import Bar
from convviz.render.toned import Toned, picture_levels
from convviz.render.words.matrices import cell_words
from convviz.spec.limits import exact
from convviz.spec.settings import ContrastSettings
from convviz.typing import Bytes, Floats

# In units: the largest cell, and the least one that shows a number.
MOST_CELL, LEAST_CELL = 46.0, 18.0
# A window with more values, or with a longer side, is drawn as a picture of this length and least thickness.
_MOST_WRITTEN, _LONGEST_WRITTEN = 25, 7
_WINDOW, _THINNEST = 210.0, 12.0
# In units: the distance from a map to its bar, and the size of the words of the bar.
_BAR, _WORDS = 10, 12

Mask = NDArray[np.bool_]


def is_large(shape: Sequence[int]) -> bool:
    """Return whether a window has too many numbers to read."""
    return math.prod(shape) > _MOST_WRITTEN or max(shape) > _LONGEST_WRITTEN


def window_size(shape: Sequence[int]) -> tuple[float, float]:
    """Choose width and height of a window on paper."""
    cell = _WINDOW / max(shape) if is_large(shape) else MOST_CELL
    return max(cell * shape[1], _THINNEST), max(cell * shape[0], _THINNEST)


def window(
    values: NDArray[np.floating],
    fills: Sequence[Sequence[Colour]],
    x: float,
    *,
    y: float,
    padding: Mask | None = None,
) -> list[Shape]:
    """Draw a patch, a kernel or products: as cells with their numbers, or as a picture if there are many.

    Parameters
    ----------
    values : ndarray, shape (kh, kw)
        The numbers.
    fills : sequence of sequence of colour
        The colour of each number.
    x, y : float
        The corner at the top left, in units.
    padding : ndarray, shape (kh, kw), bool, optional
        Cells with a dashed outline.

    Returns
    -------
    list of Shape
        They have the size that `window_size` returns.
    """
    if not is_large(values.shape):
        return cells(cell_words(values), fills, x, y=y, cell=MOST_CELL, dashed=padding)
    width, height = window_size(values.shape)
    w, h = width / values.shape[1], height / values.shape[0]
    shapes: list[Shape] = [Bitmap(x, y, width, height, np.array(fills, np.uint8))]
    if padding is not None:
        shapes += [
            Rectangle(x + column * w, y + row * h, w, h, None, RULE, 1, dashed=True)
            for row, column in np.argwhere(padding).tolist()
        ]
    return [*shapes, Rectangle(x, y, width, height, None, RULE, 1)]


def scale_of(shape: Iterable[int], side: float) -> float:
    """Choose the side of a cell, in units, at which the longest side of an array is at most `side`."""
    return min(side / max(shape), MOST_CELL)


def channel_scale(run: LayerRun, side: float) -> float:
    """Choose the side of a cell at which a channel with its padding is at most `side` long."""
    size = run.picture.size
    return scale_of(run.layer.edges(size).around(size), side)


def channel(
    run: LayerRun,
    index: int,
    x: float,
    *,
    y: float,
    side: float,
    marked: Mask | None = None,
    colour: Colour = INPUT_BLUE,
) -> list[Shape]:
    """Draw a channel of the input with the values of its padding.

    Parameters
    ----------
    run : LayerRun
        The run.
    index : int
        The index of the channel.
    x, y : float
        The corner at the top left of the padding, in units.
    side : float
        Its longest side, in units.
    marked : ndarray, shape (H + top + bottom, W + left + right), bool, optional
        Cells to shade.
    colour : (int, int, int)
        The colour for shading.

    Returns
    -------
    list of Shape
        The input in a blue frame; the padding tinted and dashed.
    """
    size = run.picture.size
    edges = run.layer.edges(size)
    around, scale = edges.around(size), channel_scale(run, side)
    rows, columns = range(-edges.top, size.h + edges.bottom), range(-edges.left, size.w + edges.right)
    values = read(run.layer, run.picture.x[index], rows, columns=columns)
    border = padding_mask(edges, size)
    small = reduce(values, min(1.0, 2 * scale))
    levels: Bytes = picture_levels([small], [channel_ends(run.picture, index)])[:]
    if any(edges):
        levels = tinted(levels, border, INPUT_BLUE, cover=0.2)
    if marked is not None:
        levels = tinted(levels, marked, colour)
    shapes = _array(values, levels, x, y=y, scale=scale, padding=border)
    thin = edge_line(edges, scale)
    if any(edges):
        box = (x, y, around.w * scale, around.h * scale)
        shapes.append(Rectangle(*box, None, FAINT, 1.2 * thin, dashed=True))
    inner = (x + edges.left * scale, y + edges.top * scale, size.w * scale, size.h * scale)
    return [*shapes, Rectangle(*inner, None, INPUT_BLUE, 2 * thin)]


@dataclass(frozen=True, slots=True, eq=False)
class MapPanel:
    """A feature map in a drawing, in a teal frame, with its colour bar.

    Parameters
    ----------
    values : ndarray, shape (H', W'), float32
        The map.
    scale : float
        Side of a cell, in units.
    bar : Bar
        How its values become brightness.
    """

    values: Floats
    scale: float
    bar: Bar

    @classmethod
    def of(cls, run: LayerRun, index: int, side: float, *, looks: ContrastSettings) -> "MapPanel":
        """Take a map of a run; its longest side is at most `side` units."""
        scale = scale_of(run.maps.shape[1:], side)
        contrast = contrast_of(run.maps, index, looks=looks)
        if contrast.below or contrast.above:
            contrast = replace(contrast, said=True)
        return cls(
            run.maps[index], scale, Bar(contrast, colours(looks.colormap), told=_told(contrast, looks))
        )

    @property
    def width(self) -> float:
        """Width with the bar, in units."""
        return max(float(self.values.shape[1]) * self.scale, math.ceil(self.bar.least * _WORDS))

    @property
    def height(self) -> float:
        """Height with the bar, in units."""
        return float(self.values.shape[0]) * self.scale + _BAR + self.bar.height(_WORDS)

    def levels(self, values: Floats) -> Bytes:
        """Colour some of the values as in the map, shape (h, w, 3)."""
        return colours_of(Toned([values], [self.bar.contrast.tone], self.bar.colours)[:])

    def shapes(
        self, x: float, y: float, *, marked: Mask | None = None, colour: Colour = OUTPUT_TEAL
    ) -> list[Shape]:
        """Draw the map with its top left corner at a point; `marked` and `colour` are as for `channel`."""
        w, h = self.values.shape[1] * self.scale, self.values.shape[0] * self.scale
        small = reduce(self.values, min(1.0, 2 * self.scale))
        levels = Toned([small], [self.bar.contrast.tone], self.bar.colours)[:]
        if marked is not None:
            levels = tinted(levels, marked, colour)
        return [
            *_array(self.values, levels, x, y=y, scale=self.scale),
            Rectangle(x, y, w, h, None, OUTPUT_TEAL, 2),
            *self.bar.shapes(x, y + h + _BAR, self.width, size=_WORDS),
        ]


def _told(contrast: Contrast, looks: ContrastSettings) -> str:
    """Return which percentiles the ends of a scale are; empty if they are none, or of magnitudes."""
    if looks.limits.kind != "percentile" or contrast.tone.kind == "signed" or not contrast.above:
        return ""
    first = f"percentile {exact(looks.limits.percent)} to" if contrast.below else "0 to percentile"
    return f"{first} {exact(100 - looks.limits.percent)}"


def colours_of(levels: Bytes) -> Bytes:
    """Convert levels, grey ones too, to colours, shape (H, W, 3)."""
    return np.repeat(levels[:, :, None], 3, axis=2) if levels.ndim == 2 else levels


def _array(
    values: Floats, levels: Bytes, x: float, *, y: float, scale: float, padding: Mask | None = None
) -> list[Shape]:
    """Draw an array as cells with numbers, or as pixels if the cells would be too small."""
    h, w = values.shape
    if scale < LEAST_CELL:
        return [Bitmap(x, y, w * scale, h * scale, levels)]
    return cells(
        cell_words(values, padding), level_fills(colours_of(levels)), x, y=y, cell=scale, dashed=padding
    )
