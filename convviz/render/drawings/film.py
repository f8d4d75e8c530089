"""Describe a film: the still background and the content of each frame, once for every format."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from convviz.errors import SpecError
from convviz.render.drawings.drawing import Canvas, Drawing, Shape, element, to_svg
from convviz.render.drawings.pace import Beat
from convviz.text import plural

MOST_FRAMES = 10_000
# One byte per pixel of every frame, before compression; Pillow holds four, and four more of those it writes.
MOST_BYTES = 500_000_000

# The number of codes of colours, 24 bits each, and of colours that are compared with a palette at once.
_CODES, _AT_ONCE = 1 << 24, 1 << 14
# One colour of a GIF less than allowed, for pixels that do not change; most of these may be those of areas.
_COLOURS, _AREAS = 255, 175

Numbers = NDArray[np.int32]


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
    """Write frames as one animated picture that loops forever, in true colours unless it is a GIF.

    Parameters
    ----------
    frames : sequence of PIL.Image.Image
        All of one size, mode RGB.
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
    shared = {"save_all": True, "duration": list(times), "loop": 0}
    if suffix == ".gif":
        first, *rest = paletted(frames)
        # An optimized frame holds only the pixels that changed; this needs an unused colour.
        comment = f"{mark} {text}".encode()
        first.save(file, "GIF", append_images=rest, comment=comment, optimize=True, disposal=1, **shared)
    elif suffix == ".webp":
        # The least effort that finds repeated areas: without it, a file is three to eight times as large.
        effort = {"lossless": True, "method": 2, "quality": 20}
        xmp = f"{mark} {text}".encode()
        frames[0].save(file, "WEBP", append_images=frames[1:], xmp=xmp, **effort, **shared)
    else:
        info = PngImagePlugin.PngInfo()
        info.add_itxt(mark, text)
        over = PngImagePlugin.Blend.OP_OVER
        frames[0].convert("RGBA").save(
            file, "PNG", append_images=_Changes(frames), pnginfo=info, blend=over, **shared
        )
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class _Changes:
    """Make the changes from frame to frame whenever they are read: Pillow reads them twice, into copies."""

    frames: Sequence[Image.Image]

    def __iter__(self) -> Iterator[Image.Image]:
        return map(_changed, self.frames, self.frames[1:])


def _changed(before: Image.Image, image: Image.Image) -> Image.Image:
    """Leave only the pixels that changed, on transparent ground: files are a third to a half as large."""
    pixels = np.asarray(image)
    changed = (pixels != np.asarray(before)).any(axis=2, keepdims=True)
    return Image.fromarray(np.concatenate([pixels * changed, changed * np.uint8(255)], axis=2))


def paletted(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Give all frames one palette, so that the film does not flicker.

    Colours of cells come first, however few pixels they have; the smooth edges of shapes and the
    details of pictures share what is left.
    """
    # The number of frames in which each colour occurs, and in which it has an area, by its code.
    seen, flat = np.zeros(_CODES, np.uint16), np.zeros(_CODES, np.uint16)
    for frame in frames:
        codes = _codes(frame)
        corner = codes[:-1, :-1]
        same = (corner == codes[:-1, 1:]) & (corner == codes[1:, :-1]) & (corner == codes[1:, 1:])
        seen[codes] += 1
        flat[corner[same]] += 1
    known = np.flatnonzero(seen)
    chosen = _palette(known, seen[known], flat[known])
    nearest = np.zeros(_CODES, np.uint8)
    nearest[known] = _nearest(_colours(known), chosen)
    found = []
    for frame in frames:
        image = Image.fromarray(nearest[_codes(frame)])
        image.putpalette(chosen.astype(np.uint8).tobytes())
        found.append(image)
    return found


def _palette(codes: NDArray[np.intp], seen: NDArray[np.uint16], flat: NDArray[np.uint16]) -> Numbers:
    """Choose at most `_COLOURS` colours, shape (N, 3), of those that occur in a film."""
    order = np.argsort(flat, kind="stable")[::-1]
    areas = _colours(codes[order[: np.count_nonzero(flat)]])
    # The least distance, in levels, at which the colours that are kept stand for all colours of areas.
    apart = 0
    while (kept := _kept(areas, apart)) is None:
        apart += 1
    every = _colours(codes)
    far = np.abs(every - kept[_nearest(every, kept)]).max(axis=1) > apart
    if not far.any():
        return kept
    # Median cut divides pixels; rare colours have some weight too.
    weight = np.ceil(np.sqrt(seen[far])).astype(int)
    pixels = np.repeat(every[far], weight, axis=0).astype(np.uint8)
    found = Image.fromarray(pixels[None]).quantize(
        _COLOURS - len(kept), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    levels = np.array(found.getpalette(), np.int32).reshape(-1, 3)
    return np.concatenate([kept, levels[: np.asarray(found).max() + 1]])


def _kept(colours: Numbers, apart: int) -> Numbers | None:
    """Keep the first colours, and those farther than `apart` levels from the ones kept; None if too many."""
    kept: list[Numbers] = []
    while len(colours):
        if len(kept) == _AREAS:
            return None
        kept.append(colours[0])
        colours = colours[np.abs(colours - colours[0]).max(axis=1) > apart]
    return np.array(kept, np.int32).reshape(-1, 3)


def _nearest(colours: Numbers, palette: Numbers) -> NDArray[np.intp]:
    """Return the index of the nearest colour of a palette, for each colour."""
    # The squared distance, less the part that is equal for the whole palette.
    found = [
        np.argmin((palette**2).sum(axis=1) - 2 * colours[top : top + _AT_ONCE] @ palette.T, axis=1)
        for top in range(0, len(colours), _AT_ONCE)
    ]
    return np.concatenate(found)


def _codes(image: Image.Image) -> Numbers:
    """Write the colour of every pixel as one number, shape (H, W)."""
    pixels = np.asarray(image, np.int32)
    codes: Numbers = pixels[:, :, 0] << 16 | pixels[:, :, 1] << 8 | pixels[:, :, 2]
    return codes


def _colours(codes: NDArray[np.intp]) -> Numbers:
    """Return the red, green and blue of codes, shape (N, 3)."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.int32)
