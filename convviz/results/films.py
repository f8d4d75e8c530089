"""Write animations as files, each with its settings."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convviz.files import marks, video, writing
from convviz.render.drawings.film import Film, encode
from convviz.results.outputs import opened, write_sheet

if TYPE_CHECKING:
    from PIL import Image

# Pixels per unit of a video: a video of 960 units fills a slide of 1280 pixels.
_VIDEO_SCALE = 4 / 3


def write_animation(
    film: Film,
    path: Path | writing.Stream,
    description: dict[str, Any],
    *,
    force: bool = False,
    inputs: Sequence[Path] = (),
) -> None:
    """Write an animation as .gif, .webp, .png or .apng, .svg or .mp4.

    Parameters
    ----------
    film : Film
        The animation to write.
    path : Path
        The file to write; its ending sets the format.
    description, force, inputs
        As for `convviz.results.outputs.write_sheet`.

    Raises
    ------
    OutputError
        As for `convviz.results.outputs.write_sheet`.
    BackendError
        If .mp4 is requested and its package is not installed.
    """
    suffix = path.suffix.lower()
    text = marks.signed_text(description)[marks.MARK]
    with opened(path, force=force, inputs=inputs) as file:
        if suffix == ".svg":
            file.write(film.animated_svg(comment=marks.comment(description)).encode())
        elif suffix == ".mp4":
            images = film.images(scale=_VIDEO_SCALE)
            file.write(video.mp4(images, film.times, text=f"{marks.MARK} {text}"))
        else:
            file.write(encode(list(film.images()), suffix, times=film.times, mark=marks.MARK, text=text))


def write_frames(
    film: Film,
    folder: Path,
    description: dict[str, Any],
    *,
    svg: bool = False,
    force: bool = False,
    inputs: Sequence[Path] = (),
) -> list[Path]:
    """Write every frame of an animation as a numbered .png or .svg.

    Parameters
    ----------
    film : Film
        The animation to write.
    folder : Path
        The folder to write to; it is made if it does not exist.
    svg : bool
        Whether to write SVG documents instead of pixels.
    description, force, inputs
        As for `convviz.results.outputs.write_sheet`.

    Returns
    -------
    list of Path
        The files, in the order of the frames.

    Raises
    ------
    OutputError
        As for `convviz.results.outputs.write_sheet`.
    """
    digits = len(str(len(film.beats) - 1))
    paths = []
    drawn: Iterable[str | Image.Image] = (
        film.svgs(comment=marks.comment(description)) if svg else film.images()
    )
    for index, frame in enumerate(drawn):
        path = folder / f"frame-{index:0{digits}d}{'.svg' if svg else '.png'}"
        if isinstance(frame, str):
            with opened(path, force=force, inputs=inputs) as file:
                file.write(frame.encode())
        else:
            write_sheet(frame, path, description, force=force, inputs=inputs)
        paths.append(path)
    return paths
