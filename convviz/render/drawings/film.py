"""Describe a film: the still background and the content of each frame, once for every format."""

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image, PngImagePlugin

from convviz.errors import SpecError
from convviz.render.drawings.drawing import Canvas, Drawing, Shape, element, to_svg
from convviz.render.drawings.pace import Beat
from convviz.render.palette import EMPTY, FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, RULE, SIGNED_STOPS
from convviz.text import plural

MOST_FRAMES = 10_000
# One byte per pixel of every frame, before compression; this many are held while a file is written.
MOST_BYTES = 500_000_000

# The number of frames, spread over the film, from which the shared palette is made.
_SAMPLED = 6
# One colour less than allowed, for pixels that do not change. Large areas and thin lines keep their own.
_COLOURS = 255
_NEAR = 6
_EXACT = (PAPER, EMPTY, INK, FAINT, RULE, INPUT_BLUE, OUTPUT_TEAL, *SIGNED_STOPS)


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold what one frame adds to the drawing.

    Parameters
    ----------
    stays : tuple of Shape
        Shapes that every later frame shows too.
    above : tuple of Shape
        Shapes on top that only this frame shows.
    """

    stays: tuple[Shape, ...] = ()
    above: tuple[Shape, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """Hold an animation that has no format yet.

    Parameters
    ----------
    ground : Drawing
        The drawing that does not change.
    beats : sequence of Beat
        One per frame: its duration and its cells.
    draw : callable
        Draws the frame of a beat.

    Raises
    ------
    SpecError
        If there would be more than `MOST_FRAMES` frames or `MOST_BYTES`.
    """

    ground: Drawing
    beats: tuple[Beat, ...]
    draw: Callable[[Beat], Frame]

    def __post_init__(self) -> None:
        count, w, h = len(self.beats), round(self.ground.width), round(self.ground.height)
        remedy = "leave out --cells, make the input smaller (--size or --resize), or raise the stride"
        if count > MOST_FRAMES:
            raise SpecError(
                f"the animation would have {plural(count, 'frame')}, more than {MOST_FRAMES:,}; {remedy}."
            )
        if count * w * h > MOST_BYTES:
            raise SpecError(
                f"the animation would take {count * w * h / 1e6:,.0f} MB ({count:,} frames of "
                f"{w}x{h} pixels), more than {MOST_BYTES / 1e6:,.0f} MB; {remedy}."
            )

    @property
    def times(self) -> list[int]:
        """Duration of each frame, in milliseconds."""
        return [beat.ms for beat in self.beats]

    def frames(self) -> Iterator[Frame]:
        """Draw the frames, one after another."""
        return map(self.draw, self.beats)

    def images(self, *, scale: float = 1.0) -> Iterator[Image.Image]:
        """Render the frames as pixels, mode RGB, `scale` pixels per unit."""
        canvas = Canvas(self.ground, scale=scale)
        for frame in self.frames():
            canvas.paint(frame.stays)
            yield canvas.image(frame.above)

    def svgs(self, *, comment: str = "") -> Iterator[str]:
        """Write every frame as an SVG document."""
        shapes = list(self.ground.shapes)
        for frame in self.frames():
            shapes += frame.stays
            yield to_svg(replace(self.ground, shapes=(*shapes, *frame.above)), comment=comment)

    def animated_svg(self, *, comment: str = "") -> str:
        """Write one SVG document that moves without a script.

        Parameters
        ----------
        comment : str
            The comment to store with it.

        Returns
        -------
        str
            A document that loops forever; a reader that does not animate shows the last frame.
        """
        whole = sum(self.times)
        stays: list[str] = []
        above: list[str] = []
        start = 0
        for frame, ms in zip(self.frames(), self.times, strict=True):
            stays += _group(frame.stays, start, whole, whole=whole)
            above += _group(frame.above, start, start + ms, whole=whole)
            start += ms
        text = to_svg(self.ground, comment=comment)
        return text.removesuffix("</svg>\n") + "\n".join([*stays, *above, "</svg>\n"])


def _group(shapes: Sequence[Shape], start: int, end: int, *, whole: int) -> list[str]:
    """Write shapes that are visible from `start` to `end` of a film of `whole` milliseconds."""
    if not shapes:
        return []
    inside = "".join(element(shape) for shape in shapes)
    times, values = [0.0], ["visible" if start == 0 else "hidden"]
    for at, value in ((start, "visible"), (end, "hidden")):
        if 0 < at < whole:
            times.append(at / whole)
            values.append(value)
    moving = (
        f'<animate attributeName="visibility" calcMode="discrete" dur="{whole}ms" repeatCount="indefinite" '
        f'values="{";".join(values)}" keyTimes="{";".join(f"{time:.6g}" for time in times)}"/>'
    )
    seen = "" if end == whole else ' visibility="hidden"'
    return [f"<g{seen}>{moving if len(times) > 1 else ''}{inside}</g>"]


def encode(
    frames: Sequence[Image.Image],
    suffix: str,
    *,
    times: Sequence[int],
    mark: str,
    text: str,
) -> bytes:
    """Write frames as one animated picture that loops forever.

    Parameters
    ----------
    frames : sequence of PIL.Image.Image
        All of one size, with shared colours, as `paletted` returns them.
    suffix : {".gif", ".webp", ".png", ".apng"}
        The format to write.
    times : sequence of int
        Duration of each frame, in milliseconds.
    mark, text : str
        Keyword and text of the metadata.

    Returns
    -------
    bytes
        The file.
    """
    file = io.BytesIO()
    first, rest = frames[0], list(frames[1:])
    shared = {"save_all": True, "append_images": rest, "duration": list(times), "loop": 0}
    if suffix == ".gif":
        # An optimized frame holds only the pixels that changed; this needs an unused colour.
        first.save(file, "GIF", comment=f"{mark} {text}".encode(), optimize=True, disposal=1, **shared)
    elif suffix == ".webp":
        first.save(file, "WEBP", lossless=True, xmp=f"{mark} {text}".encode(), **shared)
    else:
        info = PngImagePlugin.PngInfo()
        info.add_itxt(mark, text)
        first.save(file, "PNG", pnginfo=info, **shared)
    return file.getvalue()


def paletted(film: Film) -> list[Image.Image]:
    """Render all frames with one palette, so that the film does not flicker."""
    images = list(film.images())
    step = max(1, len(images) // _SAMPLED)
    chosen = images[step - 1 :: step]
    w, h = images[0].size
    sheet = Image.new("RGB", (w, h * len(chosen)))
    for index, image in enumerate(chosen):
        sheet.paste(image, (0, index * h))
    found = sheet.quantize(_COLOURS - len(_EXACT), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    levels = found.getpalette() or []
    mixed = [tuple(levels[at : at + 3]) for at in range(0, len(levels), 3)]
    # Pillow looks colours up in steps of 4 levels: a near colour would replace an exact one.
    apart = [one for one in mixed if all(_distance(one, exact) > _NEAR for exact in _EXACT)]
    shared = Image.new("P", (1, 1))
    shared.putpalette([*itertools.chain(*_EXACT, *apart)])
    return [image.quantize(palette=shared, dither=Image.Dither.NONE) for image in images]


def _distance(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the distance of two colours: the largest difference in any channel, in levels."""
    return max(abs(a - b) for a, b in zip(first, second, strict=True))
