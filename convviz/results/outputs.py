"""Write results as files, each with its settings."""

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convviz.errors import OutputError, SpecError
from convviz.files import archives, marks, png, writing
from convviz.render import palette
from convviz.render.contrast import Contrast
from convviz.render.drawings.drawing import Drawing, to_image, to_svg
from convviz.render.palette import colours
from convviz.render.sheets.layout import Sheet
from convviz.render.toned import Toned
from convviz.spec.geometry import HW
from convviz.spec.settings import PICTURE_ENDINGS
from convviz.typing import Floats

# The number of maps to write at a time: a process may have 256 files open, or 1024.
_OPEN_FILES = 64


def write_sheet(
    image: Image.Image | Sheet | Drawing | NDArray[np.uint8],
    path: Path | writing.Stream,
    description: dict[str, Any],
    *,
    force: bool = False,
    inputs: Sequence[Path] = (),
    advance: Callable[[int], None] = lambda rows: None,
) -> int:
    """Write a picture as .png, .svg, .pdf, .webp or .jpg.

    Parameters
    ----------
    image : PIL.Image.Image, Sheet, Drawing or ndarray, shape (H, W) or (H, W, C), uint8
        The picture; pixels do not contain words and lines for .svg and .pdf. A
        drawing is written with two pixels per unit.
    path : Path or Stream
        The file to write; its ending sets the format.
    description : dict of str
        The metadata to store with it, besides the ends of the scales of its maps; it also shows
        that convviz wrote the file.
    force : bool
        Replace a file that convviz did not write.
    inputs : sequence of Path
        Files that are never replaced.
    advance : callable
        Called with the number of rows that were just written, for .png only; other formats are written whole.

    Returns
    -------
    int
        Number of bytes of the file.

    Raises
    ------
    OutputError
        If the file cannot be written, or exists and was not written by convviz.
    SpecError
        If the picture has too many pixels for the format.
    BackendError
        If the package that writes the format is not installed.
    """
    if isinstance(image, Sheet | Drawing) and image.ends:
        description = description | {"ends": [f"{low!r} to {high!r}" for low, high in image.ends]}
    suffix = path.suffix.lower()
    drawing = image.drawing if isinstance(image, Sheet) else image
    if suffix in (".svg", ".pdf") and isinstance(drawing, Drawing):
        text = _in_vectors(drawing, description, pdf=suffix == ".pdf")
        with opened(path, force=force, inputs=inputs) as file:
            file.write(text)
            return len(text)
    picture = to_image(image, scale=2) if isinstance(image, Drawing) else image
    if suffix in _MOST_PIXELS:
        _check_room(suffix, picture)
        pixels = picture.image() if isinstance(picture, Sheet) else picture
        encoded = _encoded(pixels, suffix, description)
        with opened(path, force=force, inputs=inputs) as file:
            file.write(encoded)
            return len(encoded)
    if isinstance(picture, Image.Image):
        picture = np.asarray(picture)
    with opened(path, force=force, inputs=inputs) as file:
        png.write(file, picture, marks.signed_text(description), advance=advance)
        return file.tell()


def _in_vectors(drawing: Drawing, description: dict[str, Any], *, pdf: bool) -> bytes:
    """Write a drawing with its words and lines."""
    if not pdf:
        return to_svg(drawing, comment=marks.comment(description)).encode()
    from convviz.render.drawings.pdf import to_pdf

    return to_pdf(drawing, keywords=marks.ascii_text(description))


# The longest side of a picture, in pixels, in formats that may be too small for a sheet.
_MOST_PIXELS = {".webp": 16_383, ".jpg": 65_535, ".jpeg": 65_535}


def _check_room(suffix: str, picture: Image.Image | Sheet | NDArray[np.uint8]) -> None:
    """Refuse a picture that is too large for a format, before it is painted."""
    h, w = picture.shape[:2] if isinstance(picture, np.ndarray) else (picture.height, picture.width)
    most = _MOST_PIXELS[suffix]
    if max(h, w) > most:
        raise SpecError(
            f"the picture would be {w}x{h} pixels, and {suffix} holds at most {most:,} on a side; "
            "write a .png, or make the tiles smaller."
        )


def _encoded(picture: Image.Image | NDArray[np.uint8], suffix: str, description: dict[str, Any]) -> bytes:
    """Encode pixels as lossless WebP, or as JPEG with little enough loss to keep words sharp."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    text = marks.ascii_text(description).encode()
    file = io.BytesIO()
    if suffix == ".webp":
        image.save(file, "WEBP", lossless=True, quality=50, method=2, xmp=text)
    else:
        # A comment has room for 65,533 bytes; half of a description would describe another run.
        text = text if len(text) < 65_000 else f"{marks.MARK} ".encode()
        image.save(file, "JPEG", quality=93, subsampling=0, comment=text)
    return file.getvalue()


def opened(
    path: Path | writing.Stream, *, force: bool, inputs: Sequence[Path] = ()
) -> contextlib.AbstractContextManager[BinaryIO]:
    """Open a path that is free, or that holds a file of convviz."""
    return writing.writing(path, force=force, is_ours=marks.is_ours, inputs=inputs)


def as_png(image: Image.Image) -> bytes:
    """Encode a picture for a notebook, without settings."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def write_page(
    text: str, path: Path | writing.Stream, description: dict[str, Any], *, force: bool = False
) -> None:
    """Write Markdown or HTML, with a comment that marks it as a file of convviz.

    Parameters
    ----------
    text : str
        The page.
    path : Path
        The file to write.
    description, force
        As for `write_sheet`.

    Raises
    ------
    OutputError
        As for `write_sheet`.
    """
    marked = f"{text}<!-- {marks.comment(description)} -->\n"
    with opened(path, force=force) as file:
        file.write(marked.encode())


def write_maps(
    names: Sequence[str],
    size: HW,
    looks: Sequence[Contrast],
    *,
    bands: Callable[[slice], Iterable[Floats]],
    folder: Path,
    description: dict[str, Any],
    colormap: str = "gray",
    force: bool = False,
    inputs: Sequence[Path] = (),
    advance: Callable[[int], None] = lambda rows: None,
) -> list[Path]:
    """Write every map as a separate PNG, one pixel per value.

    Parameters
    ----------
    names : sequence of str
        The name of each map; the file name begins with its index.
    size : HW
        Rows and columns of every map.
    looks : sequence of Contrast
        How each map is drawn.
    bands : callable
        Returns the rows of the chosen maps from the top down, some at a time, as
        arrays of shape (maps, rows, W').
    folder : Path
        The folder to write to; it is made if it does not exist.
    description, force, inputs
        As for `write_sheet`.
    colormap : str
        As for `convviz.render.palette.colours`.
    advance : callable
        Called with the number of map rows that were just written; the total is
        the number of maps times the number of their rows.

    Returns
    -------
    list of Path
        The files, in the order of the maps.

    Raises
    ------
    OutputError
        As for `write_sheet`.
    """
    table = colours(colormap)
    # A grey map with values that are not finite needs colours for these values.
    tables = [palette.GREYS if table is None and look.others else table for look in looks]
    chosen = [look.tone for look in looks]
    digits = len(str(len(names) - 1))
    paths = [folder / f"{index:0{digits}d}-{file_name(name)}.png" for index, name in enumerate(names)]
    for first in range(0, len(names), _OPEN_FILES):
        some = slice(first, first + _OPEN_FILES)
        with contextlib.ExitStack() as stack:
            writers = []
            for name, tone, table, path in zip(
                names[some], chosen[some], tables[some], paths[some], strict=True
            ):
                described = {"map": name, "low": repr(tone.low), "high": repr(tone.high)}
                writers.append(
                    png.Writer(
                        stack.enter_context(opened(path, force=force, inputs=inputs)),
                        size.h,
                        size.w,
                        channels=1 if table is None else 3,
                        text=marks.signed_text(description | described),
                    )
                )
            for band in bands(some):
                for writer, tone, table, values in zip(
                    writers, chosen[some], tables[some], band, strict=True
                ):
                    writer.paint(len(values), Toned([values], [tone], table).rows, advance=advance)
            for writer in writers:
                writer.close()
    return paths


def older_maps(folder: Path, written: Sequence[Path | writing.Stream]) -> list[Path]:
    """List the maps in a folder that an earlier run wrote and this run did not."""
    found = sorted(path for path in folder.glob("[0-9]*-*.png") if path not in written)
    return [path for path in found if "map" in (marks.description_of(path) or {})]


def file_name(name: str) -> str:
    """Convert the name of a map to a part of a file name.

    Examples
    --------
    >>> file_name("gaussian:sigma=1.5 @R"), file_name("../x")
    ('gaussian-sigma=1.5-R', 'x')
    """
    return re.sub(r"[^\w.=+-]+", "-", name).strip("-.")[:80] or "map"


def save_arrays(
    stored: dict[str, NDArray[Any]],
    path: Path | writing.Stream,
    description: dict[str, Any],
    *,
    force: bool = False,
    inputs: Sequence[Path] = (),
) -> None:
    """Write exact numbers as .npz, .npy (only the maps) or .safetensors.

    Parameters
    ----------
    stored : dict of ndarray
        The arrays to write, by name.
    path : Path
        The file to write; its ending sets the format.
    description, force, inputs
        As for `write_sheet`.

    Raises
    ------
    OutputError
        As for `write_sheet`, and if the ending is not one of these.
    """
    suffix = path.suffix.lower()
    if suffix not in archives.WRITABLE:
        raise OutputError(
            f"cannot save numbers as {str(path)!r}; end the name with {', '.join(archives.WRITABLE)}."
        )
    with opened(path, force=force, inputs=inputs) as file:
        archives.write_arrays(file, suffix, stored, text=marks.signed_text(description))


def save_answer(
    path: Path,
    sheet: Callable[[], Sheet],
    arrays: Callable[[], dict[str, NDArray[Any]]],
    *,
    description: dict[str, Any],
    force: bool = False,
) -> None:
    """Write an answer as a picture or as numbers, by the ending of the path; only one of the two is made.

    Parameters
    ----------
    path : Path
        The file to write.
    sheet, arrays : callable
        Make the sheet of the answer, and its numbers.
    description, force
        As for `write_sheet`.

    Raises
    ------
    OutputError
        As for `write_sheet` and `save_arrays`.
    """
    if path.suffix.lower() in PICTURE_ENDINGS:
        write_sheet(sheet(), path, description, force=force)
    else:
        save_arrays(arrays(), path, description, force=force)
