"""The typeface of captions and drawings."""

import functools

from PIL import ImageFont

from convviz.errors import SpecError


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Load the typeface that comes with Pillow, `size` pixels high."""
    face = ImageFont.load_default(size)
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise SpecError(
            "captions need a Pillow with FreeType, as its wheels are: pip install --force-reinstall pillow"
        )
    return face
