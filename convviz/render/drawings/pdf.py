"""Write a drawing as PDF: words and lines as such, pictures without smoothing."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from convviz.errors import importing
from convviz.render.drawings.drawing import Bitmap, Colour, Drawing, Label, Lines, Point, Polygon, Rectangle
from convviz.render.fonts import drawable, font, runs

# PDF points per unit, with 96 units to the inch as in SVG; and the longest side that readers accept.
_POINTS, _LONGEST = 0.75, 14_400

# A fixed date instead of the time of writing, so that the same run makes the same file.
_DATE = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


def to_pdf(drawing: Drawing, *, keywords: str = "") -> bytes:
    """Write a drawing as a PDF of one page, with its typefaces.

    Parameters
    ----------
    drawing : Drawing
        The drawing to write.
    keywords : str
        The text to store with it, among the properties of the document.

    Returns
    -------
    bytes
        A document; the same for the same drawing.

    Raises
    ------
    BackendError
        If the package fpdf2 is not installed.
    """
    with importing("fpdf", "a PDF"):
        import fpdf
    by = min(_POINTS, _LONGEST / max(drawing.width, drawing.height))
    pdf = fpdf.FPDF(unit="pt", format=(drawing.width * by, drawing.height * by))
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(_DATE)
    pdf.set_producer("")
    pdf.set_creator("convviz")
    pdf.set_title(drawable(drawing.title))
    pdf.set_subject(drawable(drawing.alternative))
    pdf.set_keywords(keywords)
    pdf.set_lang("en")
    pdf.set_image_filter("FlateDecode")
    pdf.add_page()
    _Page(pdf, by).draw(drawing)
    return bytes(pdf.output())


class _Page:
    """Draw shapes on the page of a PDF; `by` is the number of points per unit."""

    def __init__(self, pdf: Any, by: float) -> None:
        self._pdf, self._by = pdf, by

    def draw(self, drawing: Drawing) -> None:
        """Draw the paper and every shape."""
        self._pdf.set_fill_color(*drawing.paper)
        self._pdf.rect(0, 0, drawing.width * self._by, drawing.height * self._by, style="F")
        for shape in drawing.shapes:
            if isinstance(shape, Rectangle):
                x, y, w, h = (value * self._by for value in (shape.x, shape.y, shape.w, shape.h))
                if style := self._paint(shape.fill, shape.outline, shape.line, dashed=shape.dashed):
                    self._pdf.rect(x, y, w, h, style=style)
            elif isinstance(shape, Polygon):
                if style := self._paint(shape.fill, shape.outline, shape.line, dashed=shape.dashed):
                    self._pdf.polygon(self._points(shape.points), style=style)
            elif isinstance(shape, Lines):
                self._paint(None, shape.colour, shape.line, dashed=shape.dashed)
                self._pdf.polyline(self._points(shape.points))
            elif isinstance(shape, Label):
                self._write(shape)
            else:
                self._show(shape)

    def _points(self, points: Sequence[Point]) -> list[Point]:
        """Convert points to the units of the page."""
        return [(x * self._by, y * self._by) for x, y in points]

    def _paint(self, fill: Colour | None, outline: Colour | None, line: float, *, dashed: bool) -> str:
        """Set the colours and the line; return whether to fill, to outline, or both."""
        if fill is not None:
            self._pdf.set_fill_color(*fill)
        if outline is not None:
            self._pdf.set_draw_color(*outline)
            self._pdf.set_line_width(line * self._by)
            dash = 4 * line * self._by if dashed else 0
            self._pdf.set_dash_pattern(dash=dash, gap=dash)
        return ("" if outline is None else "D") + ("" if fill is None else "F")

    def _write(self, shape: Label) -> None:
        """Write a text, each piece in its typeface, at its position in the other formats."""
        x = (
            shape.x
            - {"start": 0, "middle": 0.5, "end": 1}[shape.anchor]
            * font(shape.size * 4).getlength(shape.text)
            / 4
        )
        self._pdf.set_text_color(*shape.colour)
        for typeface, part in runs(drawable(shape.text)):
            family = f"{typeface.path}#{typeface.number}".lower()
            if family not in self._pdf.fonts:
                self._pdf.add_font(family, "", typeface.path, collection_font_number=typeface.number)
            self._pdf.set_font(family, size=shape.size * self._by)
            self._pdf.text(x * self._by, shape.y * self._by, part)
            x += font(shape.size * 4).getlength(part) / 4

    def _show(self, shape: Bitmap) -> None:
        """Embed a picture unchanged; readers enlarge it without smoothing, because nothing requests it."""
        image = Image.fromarray(np.ascontiguousarray(shape.levels[:]))
        x, y, w, h = (value * self._by for value in (shape.x, shape.y, shape.w, shape.h))
        self._pdf.image(image, x, y, w, h, alt_text=drawable(shape.alt) or None)
