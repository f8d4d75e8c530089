"""Read any picture or file of numbers as channels of float32, with remarks on every change."""

import codecs
import contextlib
import io
import itertools
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, get_args

import numpy as np
from PIL import Image

from convviz.errors import InputError, SpecError
from convviz.files import arrays, npy
from convviz.files.paths import quoted, split_member
from convviz.files.reading import read_bytes
from convviz.images import tiff
from convviz.images.deep import (
    BROKEN,
)
from convviz.images.formats import explained, identified, unidentified
from convviz.images.picture import (
    Picture,
    from_numbers,
)
from convviz.images.prepare import check_resize, cropped, normalized, resized
from convviz.images.samples import Decoded, decode_image, finished
from convviz.machine import memory
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.layers.base import IntPair, as_pair
from convviz.spec.preparation import Normalization, ShortSide, resized_size
from convviz.spec.settings import MAX_PIXELS, InputSettings, Mode, ValueRange
from convviz.text import amount, plural

# The size of a stream is not known before it is read.
_MOST_STREAMED, _PIECE_BYTES = 1 << 31, 1 << 24

# Pillow's limit against decompression bombs is global, ours is an argument: Pillow's is off while we read.
_pillow_guard = threading.Lock()
_pillow_log = logging.getLogger("PIL")
_SILENT = logging.NullHandler()


def as_picture(value: Any, *, channels: int | None = None) -> Picture:
    """Convert a file, a Pillow image or numbers to an input.

    Parameters
    ----------
    value : Picture, str, Path, PIL.Image.Image, or array_like, shape (H, W) or (C, H, W)
        A picture as it is, a file to read, or numbers as they are. `from_numbers`
        describes how the order of an array's axes is recognised; a torch tensor always
        has its channels first.
    channels : int, optional
        Channels of the layer that reads the input: an array whose first axis has this length
        has its channels first.

    Returns
    -------
    Picture
        The input.

    Raises
    ------
    InputError
        If the file cannot be read, or the numbers do not form channels.

    Examples
    --------
    >>> as_picture([[1, 2], [3, 4]]).size
    HW(h=2, w=2)
    """
    if isinstance(value, Picture):
        return value
    if isinstance(value, str | Path):
        return read(value)
    if isinstance(value, Image.Image):
        with _quiet(), explained("the image"):
            decoded = decode_image(value, None)
        return finished(decoded, "the image", mode=None, value_range="unit")
    if isinstance(value, list | tuple) and any(
        isinstance(one, str | Path | Picture | Image.Image) for one in value
    ):
        raise InputError(
            f"the input is a list of {plural(len(value), 'picture')}; expected one path, picture or array of "
            "numbers; call this for each, or join arrays with numpy.concatenate."
        )
    try:
        values = np.asarray(value)
    except ValueError:
        raise InputError(
            "the input is not an array of numbers; expected (height, width) or (channels, height, width)."
        ) from None
    if values.dtype.kind not in "biuf":
        raise InputError(f"the input holds {values.dtype} values; expected real numbers.")
    torch = sys.modules.get("torch")  # a caller who has a tensor has imported torch
    first = torch is not None and isinstance(value, torch.Tensor)
    first = first or (channels is not None and values.ndim > 2 and values.shape[-3] == channels)
    # Copied, so that later changes to the caller's array do not affect the result.
    return from_numbers(npy.converted(values.copy(), "the input"), "the input", channels_first=first)


def read(
    source: str | Path | BinaryIO,
    *,
    mode: str | None = None,
    value_range: str = "unit",
    resize: IntPair | ShortSide | str | None = None,
    crop: IntPair | None = None,
    normalize: Normalization | str | None = None,
    prepare: str | None = None,
    page: int = 1,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    r"""Read a picture or a file of numbers.

    Parameters
    ----------
    source : str, Path or binary file
        The path of a file: numbers if it ends in .json, .csv, .npy or .npz, else a
        picture; ``FILE.npz:NAME`` is one array of several. The kind of a stream is
        recognised by its first bytes; a stream may hold at most 2 GiB.
    mode : {"rgb", "gray", "rgba"}, optional
        Channels of a picture; by default those of the file, without alpha. Grey is
        0.299 R + 0.587 G + 0.114 B, not rounded.
    value_range : {"unit", "byte", "raw"}
        0 to 1, which divides by the largest value of the format (255, 65535,
        ...); 0 to 255; or as stored. Float pictures are already stored in units.
    resize : int, (int, int), HW, ShortSide or str, optional
        New size, in pixels; bilinear interpolation, with averaging when it shrinks. One
        number for both axes or (height, width); ``ShortSide(256)`` or ``"short:256"``
        keeps the proportions.
    crop : int, (int, int) or HW, optional
        Size of the central part to keep after resizing, in pixels.
    normalize : Normalization or str, optional
        What is finally subtracted from the values, and what they are then divided by:
        ``"imagenet"``, or as typed after ``--normalize``.
    prepare : {"imagenet"}, optional
        One name for ``"short:256"``, 224 and ``"imagenet"``; an argument given explicitly takes precedence.
    page : int
        Which page of a TIFF, or frame of an animation, counted from 1.
    max_pixels : int
        Limit in pixels. Larger pictures are refused before they are decoded, and larger
        sizes before they are made.

    Returns
    -------
    Picture
        The channels with their names, and remarks on what was changed.

    Raises
    ------
    InputError
        If the file is missing, damaged, not a picture, too large, or has finite values
        that are too large for float32.
    SpecError
        If `mode` requests channels that the numbers do not have, `resize` is less
        than one pixel or more than `max_pixels`, `normalize` is for other channels
        or for another range of values, or an argument is not one of those listed here.
    UnknownNameError
        If there is no such `mode`, `value_range` or `prepare`.
    ShapeError
        If `crop` is less than one pixel, or larger than the picture.

    Examples
    --------
    >>> read(io.BytesIO(b"1,2\n3,4")).x
    array([[[1., 2.],
            [3., 4.]]], dtype=float32)
    """
    checked: dict[str, Any] = {
        "mode": None if mode is None else parsing.choice("mode", get_args(Mode))(mode),
        "value_range": parsing.choice("value range", get_args(ValueRange))(value_range),
        "resize": _as_resize(resize),
        "crop": None if crop is None else as_pair("crop", crop),
        "normalize": parsing.normalization(normalize) if isinstance(normalize, str) else normalize,
    }
    if prepare is not None:
        known = InputSettings(
            resize=checked["resize"], crop=checked["crop"], normalize=checked["normalize"], prepare=prepare
        )
        checked |= {"resize": known.resize, "crop": known.crop, "normalize": known.normalize}
    if checked["resize"] is not None:
        check_resize(resized_size(checked["resize"], HW(1, 1)), max_pixels)
    if isinstance(source, str | Path):
        if not str(source):  # an empty path would mean the current folder
            raise InputError("the name of the input is empty; give a file, or - for stdin.")
        path, member = split_member(Path(source))
        name, data, suffix = quoted(path), read_bytes(path), path.suffix.lower()
    else:
        name, data, member = "stdin", _read_stream(source), None
        suffix = _kind_of(data)
    return decode(
        data,
        name,
        suffix,
        **checked,
        page=page,
        max_pixels=max_pixels,
        member=member,
    )


def _as_resize(value: IntPair | ShortSide | str | None) -> HW | ShortSide | None:
    """Convert a size, given as a value or as typed text."""
    if isinstance(value, str):
        return parsing.resize(value)
    return value if value is None or isinstance(value, ShortSide) else as_pair("resize", value)


def _read_stream(source: BinaryIO) -> bytes:
    """Read a stream to its end, up to a limit."""
    data = io.BytesIO()
    while piece := source.read(_PIECE_BYTES):
        size = data.tell() + len(piece)
        if size > _MOST_STREAMED:
            raise InputError(
                f"stdin has more than {amount(_MOST_STREAMED)}, the limit for a stream; name a file."
            )
        memory.need(size, "the bytes of stdin", "send less", error=InputError)
        data.write(piece)
    return data.getvalue()


def decode(
    data: bytes,
    name: str,
    suffix: str,
    *,
    member: str | None = None,
    mode: Mode | None = None,
    value_range: ValueRange = "unit",
    resize: HW | ShortSide | None = None,
    crop: HW | None = None,
    normalize: Normalization | None = None,
    page: int = 1,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    """Read a picture or numbers from the bytes of a file; the rest is as for `read`.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What messages call it.
    suffix : str
        One of ``.json``, ``.csv``, ``.npy`` and ``.npz`` for numbers; anything else for a
        picture.
    member : str, optional
        Which array of a .npz; by default its only one.
    mode, value_range, resize, crop, normalize, page, max_pixels
        As for `read`.

    Returns
    -------
    Picture
        As `read` returns it.

    Raises
    ------
    InputError, SpecError, ShapeError
        As for `read`.
    """
    if resize is not None:
        check_resize(resized_size(resize, HW(1, 1)), max_pixels)
    if not data:
        raise InputError(f"cannot read {name}: it is empty.")
    if suffix in arrays.READABLE:
        if page != 1:
            raise SpecError(f"page: {name} holds numbers, which have no pages; leave it out.")
        values = arrays.parse_array(data, name, suffix, member=member, finite=False)
        # In a table the channels are stacked vertically.
        picture = from_numbers(values, name, channels_first=suffix == ".csv")
        _check_count(picture.size.h, picture.size.w, name, most=max_pixels)
        wanted = {"gray": 1, "rgb": 3, "rgba": 4, None: picture.x.shape[0]}[mode]
        if wanted != picture.x.shape[0]:
            raise SpecError(
                f"mode {mode} (as given, or as the network asks) needs {plural(wanted, 'channel')}, but "
                f"{name} has {picture.x.shape[0]}, and numbers are not converted; give "
                f"{plural(wanted, 'channel')}, or another mode."
            )
    else:
        with _quiet(), explained(name):
            decoded = _decoded_page(data, name, page, max_pixels=max_pixels)
        picture = finished(decoded, name, mode=mode, value_range=value_range)
    if resize is not None:
        picture = resized(picture, resized_size(resize, picture.size), max_pixels)
    if crop is not None:
        picture = cropped(picture, crop)
    return picture if normalize is None else normalized(picture, normalize)


def _kind_of(data: bytes) -> str:
    """Recognise numbers by the first bytes; return their file ending, or an empty string for a picture."""
    if data.startswith(b"\x93NUMPY"):
        return ".npy"
    if data.startswith(b"PK\3\4"):
        return ".npz"
    head = data[:4096]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.replace(b"\0", b"")[2:]
    head = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"["):
        return ".json"
    head = re.sub(rb"(?i)\b(nan|inf(inity)?)\b", b"0", head)
    return ".csv" if head and all(byte in b"0123456789+-.eE,; \t\r\n" for byte in head) else ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Pillow's warnings about damaged metadata and its own size limit."""
    with _pillow_guard, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        # Pillow also logs the errors that it then raises. Setting its level would take two milliseconds with
        # torch, because all loggers of the process then forget which levels are enabled.
        propagates, _pillow_log.propagate = _pillow_log.propagate, False
        _pillow_log.addHandler(_SILENT)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            _pillow_log.propagate = propagates
            _pillow_log.removeHandler(_SILENT)


def _decoded_page(data: bytes, name: str, page: int, *, max_pixels: int) -> "Decoded":
    """Decode one page of a picture whose size is within the limit."""
    pages = list(itertools.islice(tiff.directories(data), page + 1 if page > 1 else 2))
    if pages and page > len(pages):
        raise InputError(f"{name} has {plural(len(pages), 'page')}, but page {page} is asked for.")
    if pages and page > 1:
        data = tiff.beginning_at(data, pages[page - 1])
    image = identified(data)
    if image is None:
        floats = tiff.float_page(data, name)
        if floats is None:
            raise InputError(f"cannot read {name}: {unidentified(data, name)}.")
        _check_count(floats.height, floats.width, name, most=max_pixels)
        memory.need(
            4 * floats.height * floats.width * floats.samples,
            f"the pixels of {name}",
            "make the picture smaller first",
            error=InputError,
        )
        decoded = Decoded(floats.read(data), 0.0, floats.alpha, ())
    else:
        with image:
            # The first page of a Photoshop file is the whole picture; the others are its layers.
            with contextlib.suppress(*BROKEN):  # the first page may still be intact
                if not pages and image.format != "PSD" and getattr(image, "is_animated", False):
                    pages = [0, 0]
            if page > 1 and image.format != "TIFF":
                _seek(image, page, name)
            _check_pixels(image, name, max_pixels)
            # An icon contains other pictures, and their headers are only read now.
            Image.MAX_IMAGE_PIXELS = max(max_pixels, 1)
            decoded = decode_image(image, data)
    if len(pages) < 2 or page > 1:  # another page than the first was asked for
        return decoded
    return replace(decoded, remarks=("page 1 of several was taken; --page N takes another", *decoded.remarks))


def _seek(image: Image.Image, page: int, name: str) -> None:
    """Go to a frame of an animation."""
    if image.format == "PSD":
        raise InputError(f"{name} has layers, which are not read one by one; only page 1 is the picture.")
    try:
        image.seek(page - 1)
    except EOFError:
        count = getattr(image, "n_frames", 1)
        raise InputError(f"{name} has {plural(count, 'page')}, but page {page} is asked for.") from None


def _check_pixels(image: Image.Image, name: str, most: int) -> None:
    """Refuse a picture by the size in its header."""
    _check_count(image.height, image.width, name, most=most)
    decoded = image.width * image.height * len(image.getbands())
    memory.need(decoded, f"the pixels of {name}", "make the picture smaller first", error=InputError)


def _check_count(height: int, width: int, name: str, *, most: int) -> None:
    """Refuse more pixels than the limit."""
    if height * width > most:
        raise InputError(
            f"{name} has {width} x {height} = {height * width:,} pixels; the limit is {most:,}, "
            "which --max-pixels raises."
        )
