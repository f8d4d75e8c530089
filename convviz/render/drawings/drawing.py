"""Describe a drawing as a list of shapes: one description of sheets and drawings, for every format."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
from PIL import Image, ImageDraw

from convviz.render.fonts import drawable, font
from convviz.typing import Bytes

Colour = tuple[int, int, int]
Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Hold a rectangle: left, top, width and height in units; filled, outlined, or both."""

    x: float
    y: float
    w: float
    h: float
    fill: Colour | None = None
    outline: Colour | None = None
    line: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Polygon:
    """Hold a closed shape."""

    points: tuple[Point, ...]
    fill: Colour | None = None
    outline: Colour | None = None
    line: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Hold a line through points."""

    points: tuple[Point, ...]
    colour: Colour
    line: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """Hold text; `y` is its baseline, `size` its height in units."""

    x: float
    y: float
    text: str
    colour: Colour
    size: int
    anchor: Anchor = "start"


class Levels(Protocol):
    """Behave like an array (H, W) or (H, W, 3) of uint8; its rows may be made when they are requested."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns, and colours if any."""
        ...

    def __getitem__(self, rows: slice, /) -> Bytes:
        """Return some rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """Hold levels; each element is a rectangle of one colour.

    `alt` describes the picture in words; for the colour bar of a map, `ends` are the values at its ends.
    """

    x: float
    y: float
    w: float
    h: float
    levels: Levels
    alt: str = ""
    ends: tuple[float, float] | None = None


Shape = Rectangle | Polygon | Lines | Label | Bitmap


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """Hold shapes on paper, the first one at the bottom.

    Parameters
    ----------
    width, height : float
        Size of the paper, in units; one unit is one pixel at scale 1.
    paper : (int, int, int)
        Colour of the paper.
    shapes : tuple
        The shapes that are drawn on the paper.
    title : str
        Title, for programs that show it or read it aloud.
    """

    width: float
    height: float
    paper: Colour
    shapes: tuple[Shape, ...]
    title: str = ""

    @property
    def alternative(self) -> str:
        """Description for people who cannot see the drawing: the title, and the content of every picture."""
        told = [shape.alt for shape in self.shapes if isinstance(shape, Bitmap) and shape.alt]
        return "; ".join(filter(None, [self.title, *told]))

    @property
    def ends(self) -> list[tuple[float, float]]:
        """The values at the ends of every colour bar, in the order of the bars."""
        return [shape.ends for shape in self.shapes if isinstance(shape, Bitmap) and shape.ends is not None]


# Our typeface if a reader has it, else typefaces of the same width, which nearly every reader has.
_FAMILY = "'DejaVu Sans Condensed', Helvetica, Arial, sans-serif"

# Some SVG readers smooth the pictures that they enlarge, so arrays are first enlarged to about this size.
_ENLARGED = 600

# Width of a slide by its height.
SLIDE = 16 / 9

# Pixels per unit while drawing; the picture is averaged down, which smooths its lines.
_OVERSAMPLING = 3


def side_by_side(count: int, width: float, height: float) -> int:
    """Choose how many of `count` equal parts to put side by side, so that all are about as wide as a slide.

    Examples
    --------
    >>> side_by_side(4, 100, 100), side_by_side(4, 100, 400), side_by_side(3, 900, 250)
    (2, 4, 1)
    """

    def apart(columns: int) -> float:
        return abs(math.log(columns * width / (-(-count // columns) * height) / SLIDE))

    # Columns of which the last row may lack a few, but no whole column.
    return min((-(-count // rows) for rows in range(1, count + 1)), key=apart)


def to_image(drawing: Drawing, *, scale: float = 1.0) -> Image.Image:
    """Render a drawing as pixels.

    Parameters
    ----------
    drawing : Drawing
        The drawing to render.
    scale : float
        Pixels per unit.

    Returns
    -------
    PIL.Image.Image
        Mode RGB.
    """
    canvas = Canvas(drawing, scale=scale)
    return canvas.image()


class Canvas:
    """Build a drawing: shapes that stay, and pictures of them with other shapes on top.

    Parameters
    ----------
    drawing : Drawing
        The drawing to paint first.
    scale : float
        Pixels per unit.
    """

    def __init__(self, drawing: Drawing, *, scale: float = 1.0) -> None:
        self._by = scale * _OVERSAMPLING
        sides = (round(drawing.width * scale) * _OVERSAMPLING, round(drawing.height * scale) * _OVERSAMPLING)
        self._image = Image.new("RGB", sides, drawing.paper)
        self.paint(drawing.shapes)

    def paint(self, shapes: Sequence[Shape]) -> None:
        """Add shapes permanently."""
        _paint_on(self._image, shapes, self._by)

    def image(self, above: Sequence[Shape] = ()) -> Image.Image:
        """Return the picture, with temporary shapes on top."""
        image = self._image
        if above:
            image = image.copy()
            _paint_on(image, above, self._by)
        return image.reduce(_OVERSAMPLING)


def _paint_on(image: Image.Image, shapes: Sequence[Shape], by: float) -> None:
    """Paint shapes, `by` pixels per unit."""
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        if isinstance(shape, Rectangle):
            corners = [(shape.x, shape.y), (shape.x + shape.w, shape.y + shape.h)]
            (x0, y0), (x1, y1) = [(x * by, y * by) for x, y in corners]
            if shape.fill is not None:
                draw.rectangle((x0, y0, x1, y1), fill=shape.fill)
            if shape.outline is not None:
                around = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
                _stroke(draw, around, shape.outline, width=shape.line * by, dashed=shape.dashed)
        elif isinstance(shape, Polygon):
            points = [(x * by, y * by) for x, y in shape.points]
            if shape.fill is not None:
                draw.polygon(points, fill=shape.fill)
            if shape.outline is not None:
                _stroke(draw, [*points, points[0]], shape.outline, width=shape.line * by, dashed=shape.dashed)
        elif isinstance(shape, Lines):
            points = [(x * by, y * by) for x, y in shape.points]
            _stroke(draw, points, shape.colour, width=shape.line * by, dashed=shape.dashed)
        elif isinstance(shape, Label):
            at = (shape.x * by, shape.y * by)
            face = font(round(shape.size * by))
            face.draw(draw, at, shape.text, colour=shape.colour, anchor=shape.anchor)
        else:
            # Both ends are rounded, so that neighbours leave no gap.
            left, top = round(shape.x * by), round(shape.y * by)
            wide = max(1, round((shape.x + shape.w) * by) - left)
            high = max(1, round((shape.y + shape.h) * by) - top)
            # Cells stay square when they are enlarged; large pictures are averaged.
            larger = wide >= shape.levels.shape[1]
            how = Image.Resampling.NEAREST if larger else Image.Resampling.BOX
            pixels = Image.fromarray(np.ascontiguousarray(shape.levels[:])).resize((wide, high), how)
            image.paste(pixels, (left, top))


def _stroke(
    draw: ImageDraw.ImageDraw, points: Sequence[Point], colour: Colour, *, width: float, dashed: bool
) -> None:
    """Draw a line through points; if requested, in dashes of four line widths."""
    thick = max(1, round(width))
    for (x0, y0), (x1, y1) in pairwise(points):
        length = float(np.hypot(x1 - x0, y1 - y0))
        if not dashed or not length:
            draw.line((x0, y0, x1, y1), fill=colour, width=thick)
            continue
        step = 4 * width
        for start in np.arange(0, length, 2 * step):
            a, b = start / length, min(start + step, length) / length
            ends = (x0 + (x1 - x0) * a, y0 + (y1 - y0) * a, x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)
            draw.line(ends, fill=colour, width=thick)


def to_svg(drawing: Drawing, *, comment: str = "") -> str:
    """Write a drawing as an SVG document without external files.

    Parameters
    ----------
    drawing : Drawing
        The drawing to write.
    comment : str
        The comment to store with it.

    Returns
    -------
    str
        A document. Text keeps its width from the pixel rendering, whichever
        sans-serif typeface a reader has.
    """
    w, h = _n(drawing.width), _n(drawing.height)
    told = drawing.alternative
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<!-- {comment.replace('--', '- -')} -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
        f'font-family="{_FAMILY}" style="white-space:pre" role="img">',
        *([f"<title>{escape(drawable(drawing.title))}</title>"] if drawing.title else []),
        *([f"<desc>{escape(drawable(told))}</desc>"] if told != drawing.title else []),
        f'<rect width="{w}" height="{h}" fill="{_hex(drawing.paper)}"/>',
        *(element(shape) for shape in drawing.shapes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def element(shape: Shape) -> str:
    """Write one shape as SVG."""
    if isinstance(shape, Rectangle):
        place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.w)}" height="{_n(shape.h)}"'
        return f"<rect {place} {_paint(shape.fill, shape.outline, shape.line, dashed=shape.dashed)}/>"
    if isinstance(shape, Polygon):
        paint = _paint(shape.fill, shape.outline, shape.line, dashed=shape.dashed)
        return f'<polygon points="{_points(shape.points)}" {paint}/>'
    if isinstance(shape, Lines):
        paint = _paint(None, shape.colour, shape.line, dashed=shape.dashed)
        return f'<polyline points="{_points(shape.points)}" {paint}/>'
    if isinstance(shape, Label):
        length = font(shape.size * 4).getlength(shape.text) / 4
        return (
            f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{shape.size}" fill="{_hex(shape.colour)}" '
            f'text-anchor="{shape.anchor}" textLength="{_n(length)}" lengthAdjust="spacingAndGlyphs">'
            f"{escape(drawable(shape.text))}</text>"
        )
    # Some SVG readers do not know image-rendering; enlarged cells stay sharp in readers that smooth.
    levels = shape.levels[:]
    cells = max(levels.shape[:2])
    if shape.w / levels.shape[1] > 1 and cells < _ENLARGED:
        levels = levels.repeat(_ENLARGED // cells, axis=0).repeat(_ENLARGED // cells, axis=1)
    told = f'aria-label="{escape(drawable(shape.alt))}" ' if shape.alt else ""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(file, "PNG", optimize=True)
    return (
        f'<image x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.w)}" height="{_n(shape.h)}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" {told}'
        f'href="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"/>'
    )


def _paint(fill: Colour | None, outline: Colour | None, line: float, *, dashed: bool = False) -> str:
    """Write the attributes for fill and outline."""
    text = f'fill="{"none" if fill is None else _hex(fill)}"'
    if outline is not None:
        text += f' stroke="{_hex(outline)}" stroke-width="{_n(line)}"'
        text += f' stroke-dasharray="{_n(4 * line)} {_n(4 * line)}"' if dashed else ""
    return text


def _points(points: Sequence[Point]) -> str:
    """Write points."""
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _hex(colour: Colour) -> str:
    """Write a colour."""
    return f"#{colour[0]:02x}{colour[1]:02x}{colour[2]:02x}"


def _n(value: float) -> str:
    """Write a length with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
