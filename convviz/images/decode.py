"""Any picture or number file as channels of float32, with what was changed on the way."""

import codecs
import contextlib
import importlib.util
import io
import itertools
import logging
import math
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from convviz.errors import InputError, SpecError
from convviz.files import arrays
from convviz.files.writing import read_bytes, shown, split_member
from convviz.images import profiles, tiff
from convviz.images.deep import (
    BROKEN,
    ORIENTATION,
    PLANAR_CONFIGURATION,
    SAMPLES_PER_PIXEL,
    one_plane,
    samples_of,
)
from convviz.images.picture import (
    GRAY,
    LARGE,
    RGB,
    RGBA,
    SMALL,
    Picture,
    Planes,
    above,
    all_finite,
    count_of_others,
    from_numbers,
    made_whole,
)
from convviz.images.prepare import check_resize, cropped, normalized, resized
from convviz.machine import memory
from convviz.spec.geometry import HW
from convviz.spec.preparation import Normalization, ShortSide, resized_size
from convviz.spec.settings import MAX_PIXELS, Mode, ValueRange
from convviz.text import amount, because, number, plural
from convviz.typing import Floats

# EPS would start Ghostscript; Pillow takes the signed samples of FITS for unsigned; the others it only names.
_NOT_READ = {"EPS", "WMF", "GRIB", "BUFR", "HDF5", "MPEG", "FITS"}

# How they say that a file is whole, but of a sort that they do not know.
_UNSUPPORTED = re.compile(
    "un(supported|implemented|known|recogni[sz]ed)|not (supported|implemented|available)|cannot handle",
    re.IGNORECASE,
)

# What a file begins with that is a picture, whether or not Pillow can read it.
_SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

# And what is none that is read, with the remedy.
_OTHERS = {
    b"%!PS": "EPS would be drawn by another program, which is not run; export it as PNG",
    b"%PDF-": "PDF is a document; export the page as PNG, as with pdftoppm -png -r 150 FILE.pdf page",
    b"\xff\x0a": "JPEG XL is not read; convert it, as with djxl FILE.jxl picture.png",
    b"\0\0\0\x0cJXL ": "JPEG XL is not read; convert it, as with djxl FILE.jxl picture.png",
    b"\x76\x2f\x31\x01": "OpenEXR is not read; save its values as .npy, or as a TIFF of floats",
    b"#?RADIANCE": "Radiance HDR is not read; save its values as .npy, or as a TIFF of floats",
    b"\x89HDF": "HDF5 is not read; save the array as .npy",
    b"gimp xcf": "XCF is not read; export the picture as PNG",
    b"version https://git-lfs": "it is a pointer of Git LFS, not the file itself; get that by git lfs pull",
    b"\x1f\x8b": "it is compressed by gzip; unpack it first",
    b"PK\3\4": "it is a zip archive; unpack it first",
}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# A stream has no size that could be asked for before it is read.
_MOST_STREAMED, _PIECE_BYTES = 1 << 31, 1 << 24

# ITU-R BT.601, the weights that Pillow rounds in its mode L.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# Pillow's guard against decompression bombs is a global, ours an argument: the global rests while we read.
_pillow_guard = threading.Lock()
_pillow_log = logging.getLogger("PIL")


def as_picture(value: Any, *, planes: int | None = None) -> Picture:
    """Take a file, a Pillow image or numbers as an input.

    Parameters
    ----------
    value : Picture, str, Path, PIL.Image.Image, or array_like, shape (H, W) or (C, H, W)
        A picture as it is, a file to be read, or numbers as they are. The order of
        the axes of an array is told as in `from_numbers`; a tensor of torch always
        has its channels first.
    planes : int, optional
        Planes of the layer that reads the input: an array whose first axis has as many
        has its channels first.

    Returns
    -------
    Picture
        The input.

    Raises
    ------
    InputError
        If the file cannot be read, or the numbers are no planes.

    Examples
    --------
    >>> as_picture([[1, 2], [3, 4]]).size
    HW(h=2, w=2)
    """
    if isinstance(value, Picture):
        return value
    if isinstance(value, str | Path):
        return read(Path(value))
    if isinstance(value, Image.Image):
        with _quiet(), _explained("the image"):
            decoded = _decode(value, None)
        return _finish(decoded, "the image", mode=None, value_range="unit")
    try:
        values = np.asarray(value)
    except ValueError:
        raise InputError(
            "the input is no array of numbers; expected (height, width) or (channels, height, width)."
        ) from None
    if values.dtype.kind not in "biuf":
        raise InputError(f"the input holds {values.dtype} values; expected real numbers.")
    torch = sys.modules.get("torch")  # whoever has a tensor has loaded it
    first = torch is not None and isinstance(value, torch.Tensor)
    first = first or (planes is not None and values.ndim > 2 and values.shape[-3] == planes)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and that is refused
        return from_numbers(values.astype(np.float32), "the input", channels_first=first)


def read(
    source: str | Path | BinaryIO,
    *,
    mode: Mode | None = None,
    value_range: ValueRange = "unit",
    resize: HW | ShortSide | None = None,
    crop: HW | None = None,
    normalize: Normalization | None = None,
    page: int = 1,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    r"""Read a picture or a file of numbers.

    Parameters
    ----------
    source : str, Path or binary file
        A file by its path: numbers if it ends in .json, .csv, .npy or .npz, else a
        picture; ``FILE.npz:NAME`` is one array of several. Of a stream, of at most
        2 GiB, the kind is told from its first bytes.
    mode : {"rgb", "gray", "rgba"}, optional
        Planes of a picture; by default those that it has, without alpha. Grey is
        0.299 R + 0.587 G + 0.114 B, not rounded.
    value_range : {"unit", "byte", "raw"}
        0 to 1, which divides by the largest value of the format (255, 65535,
        ...); 0 to 255; or as stored. Float pictures are stored in units already.
    resize : HW or ShortSide, optional
        Size to bring it to, in pixels: bilinear, and averaging where it shrinks.
    crop : HW, optional
        Size of the middle that is kept of it then, in pixels.
    normalize : Normalization, optional
        What is subtracted from the values in the end, and what they are divided by.
    page : int
        Which page of a TIFF, or frame of an animation, counted from 1.
    max_pixels : int
        Larger pictures are refused before they are decoded, and larger sizes
        before they are made.

    Returns
    -------
    Picture
        The planes with their names, and remarks on what was changed.

    Raises
    ------
    InputError
        If the file is missing, damaged, no picture, too large, or has values that
        are not finite.
    SpecError
        If `mode` asks numbers for planes that they do not have, `resize` is less
        than one pixel or more than `max_pixels`, or `normalize` is for other planes
        or for values of another order.
    ShapeError
        If `crop` is less than one pixel, or larger than the picture.

    Examples
    --------
    >>> read(io.BytesIO(b"1,2\n3,4")).x
    array([[[1., 2.],
            [3., 4.]]], dtype=float32)
    """
    if resize is not None:
        check_resize(resized_size(resize, HW(1, 1)), max_pixels)
    if isinstance(source, str | Path):
        path, member = split_member(Path(source))
        name, data, suffix = shown(path), read_bytes(path), path.suffix.lower()
    else:
        name, data, member = "stdin", _read_stream(source), None
        suffix = _kind_of(data)
    return decode(
        data,
        name,
        suffix,
        mode=mode,
        value_range=value_range,
        resize=resize,
        crop=crop,
        normalize=normalize,
        page=page,
        max_pixels=max_pixels,
        member=member,
    )


def _read_stream(source: BinaryIO) -> bytes:
    """Read a stream to its end, if that comes before the limit."""
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
        As `read` gives it.

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
        values = arrays.parse_array(data, name, suffix, member=member)
        # In a table the channels stand below each other.
        picture = from_numbers(values, name, channels_first=suffix == ".csv")
        _check_count(picture.size.h, picture.size.w, name, max_pixels)
        wanted = {"gray": 1, "rgb": 3, "rgba": 4, None: picture.x.shape[0]}[mode]
        if wanted != picture.x.shape[0]:
            raise SpecError(
                f"mode {mode} needs {wanted} planes, but {name} has {picture.x.shape[0]}; "
                "numbers are taken as they are."
            )
    else:
        with _quiet(), _explained(name):
            decoded = _decoded_page(data, name, page, max_pixels)
        picture = _finish(decoded, name, mode=mode, value_range=value_range)
    if resize is not None:
        picture = resized(picture, resized_size(resize, picture.size), max_pixels)
    if crop is not None:
        picture = cropped(picture, crop)
    return picture if normalize is None else normalized(picture, normalize)


def _kind_of(data: bytes) -> str:
    """Tell numbers from pictures by the first bytes; an ending for numbers, nothing for pictures."""
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
    return ".csv" if head and all(byte in b"0123456789+-.eE,; \t\r\n" for byte in head) else ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings about damaged metadata and its own limit of size to ourselves."""
    with _pillow_guard, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        # It reports what it then raises too.
        level = _pillow_log.level
        _pillow_log.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            _pillow_log.setLevel(level)


def _decoded_page(data: bytes, name: str, page: int, max_pixels: int) -> "_Decoded":
    """Decode one page of a picture whose size is within the limit."""
    pages = list(itertools.islice(tiff.directories(data), page + 1 if page > 1 else 2))
    if pages and page > len(pages):
        raise InputError(f"{name} has {plural(len(pages), 'page')}, but page {page} is asked for.")
    if pages and page > 1:
        data = tiff.beginning_at(data, pages[page - 1])
    image = _identified(data)
    if image is None:
        floats = tiff.float_page(data, name)
        if floats is None:
            raise InputError(f"cannot read {name}: {_unidentified(data)}.")
        _check_count(floats.height, floats.width, name, max_pixels)
        memory.need(
            4 * floats.height * floats.width * floats.samples,
            f"the pixels of {name}",
            "make the picture smaller first",
            error=InputError,
        )
        decoded = _Decoded(floats.read(data), 0.0, floats.alpha, ())
    else:
        with image:
            # Of a Photoshop file the first is the whole picture, and the others are its layers.
            with contextlib.suppress(*BROKEN):  # the first page may be whole all the same
                if not pages and image.format != "PSD" and getattr(image, "is_animated", False):
                    pages = [0, 0]
            if page > 1 and image.format != "TIFF":
                _seek(image, page, name)
            _check_pixels(image, name, max_pixels)
            # An icon holds other pictures, whose own headers are read only now.
            Image.MAX_IMAGE_PIXELS = max(max_pixels, 1)
            decoded = _decode(image, data)
    if len(pages) < 2:
        return decoded
    return replace(
        decoded, remarks=(f"page {page} of several taken; --page N takes another", *decoded.remarks)
    )


def _seek(image: Image.Image, page: int, name: str) -> None:
    """Go to a frame of an animation."""
    if image.format == "PSD":
        raise InputError(f"{name} has layers, which are not read one by one; only page 1 is the picture.")
    try:
        image.seek(page - 1)
    except EOFError:
        count = getattr(image, "n_frames", 1)
        raise InputError(f"{name} has {plural(count, 'page')}, but page {page} is asked for.") from None


def _identified(data: bytes) -> Image.Image | None:
    """Open a picture of any format that is read."""
    # The most usual formats first: to load the readers of all of them takes some 20 ms.
    for prepare in (Image.preinit, Image.init):
        prepare()
        formats = [known for known in Image.ID if known not in _NOT_READ]
        with contextlib.suppress(UnidentifiedImageError):
            return Image.open(io.BytesIO(data), formats=formats)
    if _is_heic(data):
        with contextlib.suppress(ImportError, UnidentifiedImageError):
            importlib.import_module("pillow_heif").register_heif_opener()
            return Image.open(io.BytesIO(data), formats=["HEIF"])
    return None


def _is_heic(data: bytes) -> bool:
    """Know HEIC and HEIF by the brand in their first box."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def _unidentified(data: bytes) -> str:
    """Say what is known of a file that no reader takes, and what to do."""
    if _is_heic(data):
        if importlib.util.find_spec("pillow_heif") is None:
            return "HEIC needs pillow-heif, which is not installed: pip install 'convviz[heif]'"
        return "it begins as HEIC does, but is damaged or of a sort that pillow-heif does not read"
    head = data[:1024].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if head.startswith(b"<svg") or (
        head.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in head
    ):
        return "SVG is a drawing, without pixels; export it as PNG in the size that you want"
    if head.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not a picture; download the picture itself"
    for signature, words in _OTHERS.items():
        if data.startswith(signature):
            return words
    if data[4:8] == b"ftyp":
        return "it is a film, or a picture in a container that is not read; export the picture as PNG"
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return f"it begins as {kind} does, but is damaged or of a sort that Pillow does not read"
    return "it is not a picture of a known format"


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what Pillow's readers raise into one line."""
    try:
        yield
    except Image.DecompressionBombError:
        raise InputError(f"cannot read {name}: a picture inside it is larger than the limit.") from None
    except BROKEN as error:
        unread = isinstance(error, NotImplementedError) or _UNSUPPORTED.search(str(error))
        what = "it is of a sort that Pillow does not read" if unread else "it is damaged"
        raise InputError(f"cannot read {name}: {what}{because(error)}.") from None


def _check_pixels(image: Image.Image, name: str, most: int) -> None:
    """Refuse a picture by the size in its header."""
    _check_count(image.height, image.width, name, most)
    decoded = image.width * image.height * len(image.getbands())
    memory.need(decoded, f"the pixels of {name}", "make the picture smaller first", error=InputError)


def _check_count(height: int, width: int, name: str, most: int) -> None:
    """Refuse more pixels than the limit."""
    if height * width > most:
        raise InputError(
            f"{name} has {width} x {height} = {height * width:,} pixels; the limit is {most:,}, "
            "which --max-pixels raises."
        )


class _Samples(Protocol):
    """Samples (H, W, C) of which slices of rows can be taken: an array, or a picture that Pillow holds."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A picture of 8 bits in Pillow's memory; an array of all of its samples would be another copy."""

    image: Image.Image
    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.image.height, self.image.width, len(self.image.getbands())

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        top, bottom, _ = rows.indices(self.image.height)
        band = np.asarray(self.image.crop((0, top, self.image.width, bottom)))
        return band.reshape(bottom - top, *self.shape[1:])


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    """Samples as they are stored, (H, W, C), with what is needed to scale and to name them."""

    samples: _Samples
    full: float  # the largest sample of the format; 0 where samples are units already
    alpha: bool
    remarks: tuple[str, ...]


def _decode(image: Image.Image, data: bytes | None) -> _Decoded:
    """Decode the current frame of a picture, opened from `data`, at full precision."""
    remarks = []
    tags = getattr(image, "tag_v2", {})
    if data is not None and tags.get(PLANAR_CONFIGURATION) == 2 and tags.get(SAMPLES_PER_PIXEL, 1) == 1:
        # One plane is the same in either arrangement, but Pillow reads the one by a shortened raw mode.
        data = one_plane(image, data, 0)
        image = Image.open(io.BytesIO(data), formats=["TIFF"])
    # Pillow turns a TIFF while loading it, and forgets that it did.
    turned = _orientation(image) in range(2, 9) if image.format == "TIFF" else False
    stored, full, remark = samples_of(image, data)
    if remark:
        remarks.append(remark)
    # Metadata is read last: some formats hold it behind the pixels.
    orientation = _orientation(image) if image.format != "TIFF" else 1
    samples: _Samples
    if isinstance(stored, Image.Image) and orientation not in range(2, 9):
        samples = _Held(stored)
    else:
        array = np.asarray(stored)
        samples = _upright(array if array.ndim == 3 else array[:, :, None], orientation)
    if turned or orientation in range(2, 9):
        remarks.append("turned upright as its EXIF orientation says")
    remarks += profiles.remarks_on(image.info, data or b"")
    return _Decoded(samples, full, samples.shape[2] in (2, 4), tuple(remarks))


def _orientation(image: Image.Image) -> Any:
    """Read the EXIF orientation; damaged EXIF has none, and the pixels are read all the same."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except BROKEN:
        return 1


def _upright(samples: NDArray[Any], orientation: Any) -> NDArray[Any]:
    """Turn samples (H, W, C) as EXIF orientations 2 to 8 say."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _finish(decoded: _Decoded, name: str, *, mode: Mode | None, value_range: ValueRange) -> Picture:
    """Scale samples and choose planes."""
    remarks = list(decoded.remarks)
    if decoded.full > 65535 and value_range != "raw":
        remarks.append(f"32-bit values divided by {decoded.full:.0f}, the largest; --range raw keeps them")
    planes = _Floats(decoded, mode, value_range)
    x: Floats | Planes = planes
    low, high = planes.ends
    # Floats and signed integers go where they like; they are looked at, so they are made at once.
    anywhere = decoded.samples.dtype.kind != "u"
    count = math.prod(planes.shape)
    if anywhere or count <= SMALL:
        x = planes.whole()
    elif count <= LARGE:
        # Rows out of an array are had much sooner than out of a picture of Pillow.
        x = _Floats(replace(decoded, samples=decoded.samples[:]), mode, value_range)
    if anywhere:
        assert isinstance(x, np.ndarray)
        if not all_finite(x):
            raise InputError(f"cannot read {name}: it has {count_of_others(x)}.")
        least, greatest = float(x.min()), float(x.max())
        if least < low or greatest > high:
            remarks.append(f"values from {number(least)} to {number(greatest)}")
            low, high = least, above(least, greatest)
    names = {1: GRAY, 3: RGB, 4: RGBA}[planes.shape[0]]
    return Picture(x, names, low, high, (*remarks, *planes.remarks))


class _Floats:
    """The planes of a decoded picture: rows of samples become rows of floats, as mode and range say."""

    def __init__(self, decoded: _Decoded, mode: Mode | None, value_range: ValueRange) -> None:
        self._decoded, self._mode, self._range = decoded, mode, value_range
        h, w, stored = decoded.samples.shape
        colours = stored - decoded.alpha
        planes, remarks = colours, []
        if decoded.alpha and mode != "rgba":
            remarks.append("alpha dropped")
        if mode == "gray" and colours == 3:
            planes = 1
            remarks.append("colour converted to grey")
        if mode in ("rgb", "rgba") and colours == 1:
            planes = 3
            remarks.append("grey repeated as R, G and B")
        if mode == "rgba":
            planes += 1
            if not decoded.alpha:
                remarks.append("alpha added, opaque")
        self.shape = (planes, h, w)
        self.remarks = tuple(remarks)
        top = {"unit": 1.0, "byte": 255.0, "raw": decoded.full or 1.0}[value_range]
        self.ends = (0.0, top)

    def rows(self, top: int, bottom: int) -> Floats:
        """Make some rows of all planes."""
        decoded = self._decoded
        # A copy always, for Pillow's own memory is read-only.
        x = np.array(decoded.samples[top:bottom].transpose(2, 0, 1), np.float32, order="C")
        if self._range != "raw" and decoded.full:
            x /= np.float32(decoded.full)  # a division, not a product with the inverse: torchvision's numbers
        if self._range == "byte":
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
                x *= np.float32(255)
        colour, alpha = (x[:-1], x[-1:]) if decoded.alpha else (x, None)
        if self._mode == "gray" and colour.shape[0] == 3:
            colour = np.tensordot(_LUMA, colour, axes=1)[None].astype(np.float32)
        if self._mode in ("rgb", "rgba") and colour.shape[0] == 1:
            colour = np.repeat(colour, 3, axis=0)
        if self._mode == "rgba":
            if alpha is None:
                alpha = np.full((1, *colour.shape[1:]), self.ends[1], np.float32)
            colour = np.concatenate([colour, alpha])
        return colour

    def whole(self) -> Floats:
        """Make all rows."""
        return made_whole(self)
