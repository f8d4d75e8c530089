"""Any picture or number file as planes of float32, with what was changed on the way."""

import codecs
import contextlib
import importlib.util
import io
import itertools
import logging
import math
import re
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from convviz import arrays, memory, parallel, profiles, tiff
from convviz.errors import InputError, SpecError
from convviz.files import read_bytes, shown, split_member
from convviz.geometry import HW
from convviz.preparation import Normalization, ShortSide, crop_corner, resized_size
from convviz.settings import MAX_PIXELS, Mode, ValueRange
from convviz.text import amount, because, number, plural, printable

Floats = NDArray[np.float32]

# A picture of more samples than the first stays as it was decoded, with a byte for each, and its rows become
# floats when they are asked for: that is quicker than memory which was not touched before. One of more than
# the second stays with Pillow, which already holds it.
_SMALL, _LARGE = 1 << 22, 1 << 26
# Samples that become floats together, and how many make a second thread worth starting.
_TOGETHER, _SAMPLES_TO_SHARE = 1 << 17, 1 << 20

# EPS would start Ghostscript; Pillow takes the signed samples of FITS for unsigned; the others it only names.
_NOT_READ = {"EPS", "WMF", "GRIB", "BUFR", "HDF5", "MPEG", "FITS"}

# What Pillow's readers raise on damaged files, beside OSError.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)

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

_ORIENTATION = 0x0112  # of EXIF and of TIFF

# Tags of TIFF, by their names in its specification.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 262, 338, 339
_SAMPLES_PER_PIXEL, _PLANAR_CONFIGURATION = 277, 284
_UNSIGNED, _SIGNED = 1, 2

# The libtiff decoder hands over native order, but Pillow goes on to unpack these as they were in the file.
_NATIVE = {"I;16BS": "I;16S", "I;32BS": "I;32S", "F;32BF": "F;32F", "F;64BF": "F;64F"}
_GRAY, _RGB, _RGBA = ("gray",), ("R", "G", "B"), ("R", "G", "B", "A")

# ITU-R BT.601, the weights that Pillow rounds in its mode L.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# Pillow's guard against decompression bombs is a global, ours an argument: the global rests while we read.
_pillow_guard = threading.Lock()
_pillow_log = logging.getLogger("PIL")


class Planes(Protocol):
    """Planes that become floats when some of their rows are asked for."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width."""
        ...

    def rows(self, top: int, bottom: int) -> Floats:
        """Make the rows from `top` to `bottom` of all planes, shape (C, bottom - top, W)."""
        ...

    def whole(self) -> Floats:
        """Make all rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An input, ready to be convolved.

    Parameters
    ----------
    planes : ndarray, shape (C, H, W), float32, or Planes
        The planes, or what makes their rows: a large picture stays as it was
        decoded, with a byte per sample.
    channels : tuple of str
        What to call each plane.
    low, high : float
        The values to be drawn as black and as white, as they were before `normalized`.
    remarks : tuple of str
        What was changed since the file, in a few words each.
    resized : HW, optional
        The size that it was brought to, before anything was cut off, in pixels.
    normalized : Normalization, optional
        What was done to the values of each plane.

    Raises
    ------
    InputError
        If the planes are not three-dimensional, not float32, empty or not finite.

    Examples
    --------
    >>> picture = Picture(np.zeros((3, 2, 5), np.float32), ("R", "G", "B"))
    >>> print(picture.size)
    2x5
    """

    planes: Floats | Planes
    channels: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0
    remarks: tuple[str, ...] = ()
    resized: HW | None = None
    normalized: Normalization | None = None
    _whole: list[Floats] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.planes, np.ndarray):
            return
        x = self.planes
        if x.ndim != 3 or x.dtype != np.float32 or not x.size:
            raise InputError(
                f"an input is a float32 array (channels, height, width), not {x.dtype} {x.shape}."
            )
        if len(self.channels) != x.shape[0]:
            raise InputError(f"{len(self.channels)} names for {x.shape[0]} planes; give one per plane.")
        if not _all_finite(x):
            raise InputError(f"the input has {_count_of_others(x)}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width."""
        planes, h, w = self.planes.shape
        return planes, h, w

    @property
    def size(self) -> HW:
        """Height and width, in pixels."""
        return HW(*self.shape[1:])

    @property
    def ends(self) -> tuple[tuple[float, float], ...]:
        """What to draw as black and as white in each plane, so that it looks as before `normalized`."""
        if self.normalized is None:
            return ((self.low, self.high),) * self.shape[0]
        return _ends_after(self.normalized, self.low, self.high)

    @property
    def x(self) -> Floats:
        """All planes, shape (C, H, W), float32; of a large picture they are made when first asked for."""
        if isinstance(self.planes, np.ndarray):
            return self.planes
        if not self._whole:
            self._whole.append(self.planes.whole())
        return self._whole[0]

    def rows(self, top: int, bottom: int) -> Floats:
        """Give the rows from `top` to `bottom` of all planes, shape (C, bottom - top, W)."""
        if isinstance(self.planes, np.ndarray):
            return self.planes[:, top:bottom]
        return self.planes.rows(top, bottom)


def _all_finite(x: NDArray[Any]) -> bool:
    """Tell whether there are only finite numbers; one sum is quicker than a look at each.

    The sum of finite float32 numbers is finite in float64; that of both infinities is not a number.
    """
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(x.sum(dtype=np.float64)))


def _count_of_others(x: NDArray[Any]) -> str:
    """Word how many values are not finite numbers."""
    count = int((~np.isfinite(x)).sum())
    return f"{plural(count, 'value')} that {'is' if count == 1 else 'are'} infinite or not a number"


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


def from_numbers(values: Floats, name: str, *, channels_first: bool = False) -> Picture:
    """Take numbers as planes, as they are.

    Parameters
    ----------
    values : ndarray, float32
        One plane (H, W), planes (C, H, W) as torch has them, or (H, W, C) where that is
        clear; also one such input in a batch of 1.
    name : str
        What messages call it.
    channels_first : bool
        Whether the order of the axes is known, and not to be told from the shape.

    Returns
    -------
    Picture
        The planes; a remark says which axis was taken for the channels, where both
        could be meant.

    Raises
    ------
    InputError
        If the shape is another one.

    Examples
    --------
    >>> from_numbers(np.zeros((2, 3, 4), np.float32), "zeros").channels
    ('0', '1')
    >>> from_numbers(np.zeros((20, 30, 3), np.float32), "zeros").shape
    (3, 20, 30)
    """
    remarks = []
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    elif values.ndim == 4:
        raise InputError(
            f"{name} has shape {values.shape}, a batch of {values.shape[0]} inputs; give one of them, "
            "of shape (channels, height, width)."
        )
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise InputError(
            f"{name} has shape {values.shape}; expected (height, width) or (channels, height, width)."
        )
    order = None if channels_first else _order_of(values.shape)
    if order is not None:
        remarks.append(f"an array of shape {values.shape} is read as ({', '.join(order)})")
    if order == _CHANNELS_LAST:
        values = values.transpose(2, 0, 1)
    names = {1: _GRAY, 3: _RGB}.get(values.shape[0], tuple(str(index) for index in range(values.shape[0])))
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    # Numbers that lie between 0 and 1, or 0 and 255, are drawn as a picture of those would be.
    if low >= 0:
        low, high = 0.0, 1.0 if high <= 1 else 255.0 if 64 < high <= 255 else high
    x = np.ascontiguousarray(values, np.float32)
    return Picture(x, names, low, _above(low, high), tuple(remarks))


_CHANNELS_FIRST, _CHANNELS_LAST = ("channels", "height", "width"), ("height", "width", "channels")


def _order_of(shape: tuple[int, ...]) -> tuple[str, str, str] | None:
    """Tell the order of the axes of an array where it is not plainly that of torch.

    As many channels as a picture has, behind two longer axes, are those of a picture.
    Activations of a deep layer, such as (2048, 8, 4), have many more channels than rows.

    Examples
    --------
    >>> _order_of((20, 30, 3)), _order_of((3, 20, 3)), _order_of((3, 20, 30))
    (('height', 'width', 'channels'), ('channels', 'height', 'width'), None)
    """
    first, middle, last = shape
    if last not in (1, 3, 4):
        return None
    if first > 4 and middle > 4 and (first <= 4 * middle or middle >= 16):
        return _CHANNELS_LAST
    # Nobody takes a single plane, or a single column, for anything else.
    return _CHANNELS_FIRST if first > 1 and last > 1 else None


def _above(low: float, high: float) -> float:
    """Move the value drawn as white off the one drawn as black, where all values are the same."""
    # To 1e30 and the like, adding 1 adds nothing.
    return high if high > low else low + max(1.0, 1e-6 * abs(low))


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
        _check_resize(resized_size(resize, HW(1, 1)), max_pixels)
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
        _check_resize(resized_size(resize, HW(1, 1)), max_pixels)
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
        picture = _resized(picture, resized_size(resize, picture.size), max_pixels)
    if crop is not None:
        picture = _cropped(picture, crop)
    return picture if normalize is None else _normalized(picture, normalize)


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
            with contextlib.suppress(*_BROKEN):  # the first page may be whole all the same
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
    except _BROKEN as error:
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


def _check_resize(size: HW, most: int) -> None:
    """Refuse a size to make that is empty or too large."""
    if min(size) < 1:
        raise SpecError(f"resize must be at least 1 pixel on both axes, not {size}.")
    if size.h * size.w > most:
        raise SpecError(
            f"resize to {size} makes {size.h * size.w:,} pixels; the limit is {most:,}, "
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
    if data is not None and tags.get(_PLANAR_CONFIGURATION) == 2 and tags.get(_SAMPLES_PER_PIXEL, 1) == 1:
        # One plane is the same in either arrangement, but Pillow reads the one by a shortened raw mode.
        data = _one_plane(image, data, 0)
        image = Image.open(io.BytesIO(data), formats=["TIFF"])
    # Pillow turns a TIFF while loading it, and forgets that it did.
    turned = _orientation(image) in range(2, 9) if image.format == "TIFF" else False
    stored, full, remark = _samples(image, data)
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


def _samples(image: Image.Image, data: bytes | None) -> tuple[NDArray[Any] | Image.Image, float, str]:
    """Decode the samples, or have Pillow hold them; with the largest of the format, and a remark."""
    if data is not None:
        netpbm = _netpbm(image, data)
        if netpbm is not None:
            return *netpbm, ""
        deep = _separate_planes(image, data)
        if deep is None:
            deep = _sixteen_bit(image, data)
        if deep is not None:
            return deep, 65535.0, ""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _deep_gray(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8), 1.0, ""
    tags = getattr(image, "tag_v2", {})
    if image.mode == "L" and tags.get(_SAMPLE_FORMAT) == (_SIGNED,):
        return np.asarray(image).view(np.int8), 127.0, ""
    bits = _stored_bits(image, data)
    image, remark = _eight_bit(image)
    lost = f"read with 8 of its {bits} bits per sample" if bits > 8 else ""
    image.load()
    return image, 255.0, "; ".join(filter(None, [lost, remark]))


def _eight_bit(image: Image.Image) -> tuple[Image.Image, str]:
    """Bring every 8-bit mode to L, LA, RGB or RGBA."""
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        if "transparency" in image.info and image.mode in ("L", "RGB"):
            return image, "transparent colour drawn as it is"
        return image, ""
    if image.mode in ("P", "PA"):
        has_alpha = image.mode == "PA" or "transparency" in image.info
        return image.convert("RGBA" if has_alpha else "RGB"), "palette expanded to RGB"
    if image.mode == "La":
        return image.convert("LA"), "alpha no longer multiplied in"
    if image.mode == "RGBa":
        return image.convert("RGBA"), "alpha no longer multiplied in"
    if image.mode == "RGBX":
        return image.convert("RGB"), ""
    return image.convert("RGB"), f"{image.mode} converted to RGB"


def _sixteen_bit(image: Image.Image, data: bytes) -> NDArray[Any] | None:
    """Decode 16-bit samples of several channels, of which Pillow by itself keeps the high bytes alone.

    Pillow unpacks such a picture by a raw mode for its byte order. Read a second
    time by the raw mode of the other order, it gives the low bytes.
    """
    raw_modes = _raw_modes(image)
    raw_mode = raw_modes.pop() if len(raw_modes) == 1 else ""
    if image.tell():  # of an animation, whose frames Pillow puts together with 8 bits
        return None
    if not raw_mode.endswith((";16B", ";16L", ";16N")):
        return None
    kind, order = raw_mode[:-1].removesuffix(";16"), raw_mode[-1]
    if kind == "LA" and order == "B":
        # Four bytes a pixel, which the plain mode of four channels hands over as they are.
        packed = _decoded_by(image, data, "RGBA").astype(np.uint16)
        return packed[:, :, 0::2] << 8 | packed[:, :, 1::2]
    if kind not in ("RGB", "RGBX", "RGBA"):
        return None
    big = f"{kind};16B", f"{kind};16L"
    # The libtiff reader hands over native order, and so do the others on the machines that are little-endian.
    high, low = big if order == "B" else big[::-1]
    return _decoded_by(image, data, high).astype(np.uint16) << 8 | _decoded_by(image, data, low)


def _raw_modes(image: Image.Image) -> set[str]:
    """List how samples are packed in a picture that is not loaded yet; loading empties this."""
    tiles = [tile.args for tile in getattr(image, "tile", []) if tile.args]
    return {str(args if isinstance(args, str) else args[0]) for args in tiles}


def _decoded_by(image: Image.Image, data: bytes, raw_mode: str) -> NDArray[np.uint8]:
    """Decode a picture again, its samples unpacked by another raw mode."""
    with Image.open(io.BytesIO(data), formats=[image.format] if image.format else None) as again:
        again.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in again.tile
        ]
        return np.asarray(again)


def _netpbm(image: Image.Image, data: bytes) -> tuple[NDArray[Any], float] | None:
    """Take the samples of a PGM or PPM as stored, where Pillow would scale them to 8 or 16 bits."""
    tile = image.tile[0] if image.format == "PPM" and isinstance(image, ImageFile.ImageFile) else None
    if tile is None or tile.codec_name not in ("ppm", "ppm_plain") or not isinstance(tile.args, tuple):
        return None
    mode, largest = tile.args
    shape = (image.height, image.width, len(str(mode)))
    count, stored = math.prod(shape), data[tile.offset :]
    if tile.codec_name == "ppm":
        samples = np.frombuffer(stored, ">u2" if largest > 255 else "u1", count)
    else:
        words = re.sub(rb"#[^\r\n]*", b"", stored).split(maxsplit=count)[:count]
        samples = np.array([int(word) for word in words], np.int64)
    if len(samples) < count:
        raise OSError(f"{len(samples):,} of {count:,} samples")
    if samples.max() > largest or samples.min() < 0:
        raise OSError(f"samples from {samples.min()} to {samples.max()}, but at most {largest} announced")
    return samples.reshape(shape), float(largest)


def _separate_planes(image: Image.Image, data: bytes) -> NDArray[Any] | None:
    """Decode 16-bit planes of a TIFF that stores them one after the other, each as a picture of its own."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (1,))
    if tags.get(_PLANAR_CONFIGURATION) != 2 or max(bits) <= 8:
        return None
    extra = tags.get(_EXTRA_SAMPLES, ())
    if tags.get(_PHOTOMETRIC) != 2 or set(bits) != {16} or extra not in ((), (0,), (2,)):
        # Pillow would take its bytes for samples.
        raise NotImplementedError(f"separate planes of {max(bits)} bits that are not RGB or RGBA")
    planes = []
    for plane in range(4 if extra == (2,) else 3):
        alone = _one_plane(image, data, plane)
        with Image.open(io.BytesIO(alone), formats=["TIFF"]) as opened:
            planes.append(_deep_gray(opened)[0])
    return np.stack(planes, axis=2)


def _one_plane(image: Image.Image, data: bytes, plane: int) -> bytes:
    """Write a TIFF of one of the planes: the same bytes with another directory at the end."""
    if data[2:4] not in (b"*\0", b"\0*"):
        raise NotImplementedError("separate planes in a BigTIFF")
    order = "<" if data.startswith(b"II") else ">"
    tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]  # of TiffImageFile alone
    planes = tags.get(_SAMPLES_PER_PIXEL, 1)
    fields = {_BITS_PER_SAMPLE: (tags.get(_BITS_PER_SAMPLE, (1,))[0],), _SAMPLES_PER_PIXEL: (1,)}
    fields[_PHOTOMETRIC] = (tags.get(_PHOTOMETRIC, 1) if planes == 1 else 1,)
    # Size, compression, order of bits, orientation, rows of a strip, prediction, size of a tile, format.
    for tag in (256, 257, 259, 266, _ORIENTATION, 278, 317, 322, 323, _SAMPLE_FORMAT):
        if tag in tags:
            fields[tag] = tags[tag][:1] if isinstance(tags[tag], tuple) else (tags[tag],)
    # Where the strips or tiles are, and how long; those of a plane follow each other.
    for tag in (273, 279, 324, 325):
        if tag in tags:
            share = len(tags[tag]) // planes
            fields[tag] = tags[tag][plane * share : (plane + 1) * share]
    start = len(data) + len(data) % 2
    behind = start + 2 + 12 * len(fields) + 4
    entries, values = b"", b""
    for tag, numbers in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(numbers)}L", *numbers)
        place = packed if len(numbers) == 1 else struct.pack(f"{order}L", behind + len(values))
        values += b"" if len(numbers) == 1 else packed
        entries += struct.pack(f"{order}HHL", tag, 4, len(numbers)) + place  # type 4: unsigned, 32 bits
    directory = struct.pack(f"{order}H", len(fields)) + entries + bytes(4)
    header = data[:4] + struct.pack(f"{order}L", start)
    return header + data[8:].ljust(start - 8, b"\0") + directory + values


def _deep_gray(image: Image.Image) -> tuple[NDArray[Any], float, str]:
    """Decode one channel of more than 8 bits; with the largest sample of the format, and a remark."""
    tags = getattr(image, "tag_v2", {})
    tiles = getattr(image, "tile", [])
    raw_modes = _raw_modes(image)
    bits, sample_format = tags.get(_BITS_PER_SAMPLE, (0,))[0], tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0]
    if sys.byteorder == "little" and tiles and tiles[0].codec_name == "libtiff":
        raw_mode, *rest = tiles[0].args
        image.tile = [  # type: ignore[attr-defined]  # of ImageFile, as it has tiles
            tiles[0]._replace(args=(_NATIVE.get(raw_mode, raw_mode), *rest))
        ]
    samples = np.asarray(image)
    remark = ""
    if tags.get(_PHOTOMETRIC) == 0 and sample_format == _UNSIGNED:
        remark = "0 is white in this file; samples taken as stored"
    if image.mode == "F":
        return samples, 0.0, remark
    if bits == 32 and sample_format == _UNSIGNED:
        return samples.view(np.uint32), float(2**32 - 1), remark
    if bits == 16 and sample_format == _SIGNED:
        return samples, 32767.0, remark
    if bits in range(9, 16):
        return samples, float(2**bits - 1), remark
    # Some readers give 16-bit samples in a 32-bit mode.
    if image.mode.startswith("I;16") or image.format in ("PNG", "PPM"):
        return samples, 65535.0, remark
    return samples, 65535.0 if any("16" in mode for mode in raw_modes) else float(2**31 - 1), remark


def _stored_bits(image: Image.Image, data: bytes | None) -> int:
    """Tell the bits per sample in the file, of formats that Pillow brings down to 8."""
    head = (data or b"")[:65536]
    if image.format == "TIFF":
        return int(max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))))
    if image.format == "PNG" and image.tell():
        return head[24]
    if image.format == "HEIF" and (at := head.find(b"hvcC")) >= 0:
        return (head[at + 21 : at + 22] or b"\0")[0] % 8 + 8
    if image.format == "SGI" and any(tile.codec_name == "SGI16" for tile in getattr(image, "tile", [])):
        return 16
    if image.format == "JPEG2000" and (at := head.find(b"\xff\x4f\xff\x51")) >= 0:
        # Two markers, then 36 bytes of lengths and sizes and two of a count; the depth has a bit for signs.
        return (head[at + 42 : at + 43] or b"\0")[0] % 128 + 1
    if image.format == "AVIF" and (at := head.find(b"av1C")) >= 0:
        flags = (head[at + 6 : at + 7] or b"\0")[0]
        return (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    return 8


def _orientation(image: Image.Image) -> Any:
    """Read the EXIF orientation; damaged EXIF has none, and the pixels are read all the same."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
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
    if anywhere or count <= _SMALL:
        x = planes.whole()
    elif count <= _LARGE:
        # Rows out of an array are had much sooner than out of a picture of Pillow.
        x = _Floats(replace(decoded, samples=decoded.samples[:]), mode, value_range)
    if anywhere:
        assert isinstance(x, np.ndarray)
        if not _all_finite(x):
            raise InputError(f"cannot read {name}: it has {_count_of_others(x)}.")
        least, greatest = float(x.min()), float(x.max())
        if least < low or greatest > high:
            remarks.append(f"values from {number(least)} to {number(greatest)}")
            low, high = least, _above(least, greatest)
    names = {1: _GRAY, 3: _RGB, 4: _RGBA}[planes.shape[0]]
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
        return _whole(self)


def _whole(planes: Planes) -> Floats:
    """Make all rows, in several threads and while they are in a second-level cache."""
    count, h, w = planes.shape
    x = np.empty(planes.shape, np.float32)
    step = max(1, _TOGETHER // (count * w))

    def work(mine: Iterator[int]) -> None:
        for top in mine:
            x[:, top : top + step] = planes.rows(top, min(top + step, h))

    if x.size >= _SAMPLES_TO_SHARE:
        parallel.share(range(0, h, step), work)
    else:
        work(iter(range(0, h, step)))
    return x


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """The planes of a large picture, cut and normalised when their rows are asked for."""

    planes: Planes
    corner: HW
    size: HW
    normalization: Normalization | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width."""
        return self.planes.shape[0], *self.size

    def rows(self, top: int, bottom: int) -> Floats:
        """Make some rows of all planes."""
        x = self.planes.rows(self.corner.h + top, self.corner.h + bottom)
        x = x[:, :, self.corner.w : self.corner.w + self.size.w]
        return x if self.normalization is None else _subtracted_and_divided(x, self.normalization)

    def whole(self) -> Floats:
        """Make all rows."""
        return _whole(self)


def _resized(picture: Picture, size: HW, max_pixels: int) -> Picture:
    """Resize every plane in float32; shrinking averages, so that no pixel is passed over."""
    if size == picture.size:
        return replace(picture, resized=size)
    _check_resize(size, max_pixels)
    planes = [
        np.asarray(Image.fromarray(plane).resize((size.w, size.h), Image.Resampling.BILINEAR))
        for plane in picture.x
    ]
    remark = f"resized from {picture.size} to {size}"
    return replace(picture, planes=np.stack(planes), remarks=(*picture.remarks, remark), resized=size)


def _cropped(picture: Picture, size: HW) -> Picture:
    """Keep the middle of a picture."""
    corner = crop_corner(picture.size, size)
    if size == picture.size:
        return picture
    planes: Floats | Planes
    if isinstance(picture.planes, np.ndarray):
        planes = np.ascontiguousarray(
            picture.planes[:, corner.h : corner.h + size.h, corner.w : corner.w + size.w]
        )
    else:
        planes = _Prepared(picture.planes, corner, size)
        # What is left of a large picture may be small, and the rest need not be held.
        if math.prod(planes.shape) <= _SMALL:
            planes = planes.whole()
    remark = f"cropped from {picture.size} to {size}, the middle"
    return replace(picture, planes=planes, remarks=(*picture.remarks, remark))


def _normalized(picture: Picture, normalization: Normalization) -> Picture:
    """Normalise the planes of a picture."""
    each = normalization.of(picture.shape[0])
    # All values lie between those drawn as black and as white, and so they do afterwards.
    if not all(
        -math.inf < low < high < math.inf for low, high in _ends_after(each, picture.low, picture.high)
    ):
        raise SpecError(
            f"normalize: with {normalization.sentence}, float32 cannot tell values from "
            f"{number(picture.low)} to {number(picture.high)} apart; give numbers that are nearer to them."
        )
    planes: Floats | Planes
    if isinstance(picture.planes, np.ndarray):
        planes = _subtracted_and_divided(picture.planes, each)
    else:
        planes = _Prepared(picture.planes, HW(0, 0), picture.size, each)
    remark = f"normalised with {normalization.sentence}"
    return replace(picture, planes=planes, remarks=(*picture.remarks, remark), normalized=each)


def _ends_after(normalization: Normalization, low: float, high: float) -> tuple[tuple[float, float], ...]:
    """Tell what becomes of two values in each plane."""
    values = np.array([[[low, high]]], np.float32)
    return tuple((float(a), float(b)) for a, b in _subtracted_and_divided(values, normalization)[:, 0])


def _subtracted_and_divided(x: Floats, normalization: Normalization) -> Floats:
    """Subtract the mean of each plane and divide by its deviation, in float32 as torchvision does."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # the picture is refused before
        mean, std = (
            np.array(values, np.float32)[:, None, None] for values in (normalization.mean, normalization.std)
        )
        moved = x - mean
        moved /= std
    return moved


def stack(
    pictures: Sequence[Picture], names: Sequence[str], normalize: Normalization | None = None
) -> Picture:
    """Take the planes of several inputs, one after the other, as the channels of one.

    Parameters
    ----------
    pictures : sequence of Picture
        Inputs of one size, not normalised.
    names : sequence of str
        What to call each; a plane is called after its input.
    normalize : Normalization, optional
        What is subtracted from all values in the end, and what they are divided by.

    Returns
    -------
    Picture
        One input. A single one is what it was, normalised.

    Raises
    ------
    InputError
        If the sizes differ, or there is too little memory for all planes.
    SpecError
        If `normalize` is for another number of planes.

    Examples
    --------
    >>> dark, bright = (Picture(np.full((1, 2, 2), value, np.float32), ("gray",)) for value in (0, 1))
    >>> both = stack([dark, bright], ["dark", "bright"])
    >>> both.channels, both.x[:, 0, 0].tolist()
    (('dark', 'bright'), [0.0, 1.0])
    """
    first = pictures[0]
    if len(pictures) > 1:
        called = [name if names.count(name) == 1 else f"{name} {index}" for index, name in enumerate(names)]
        for name, picture in zip(called, pictures, strict=True):
            sizes = (first.resized or first.size, first.size), (picture.resized or picture.size, picture.size)
            if sizes[0] != sizes[1]:
                one, other = next((a, b) for a, b in zip(*sizes, strict=True) if a != b)
                raise InputError(
                    f"inputs whose channels are stacked have one size, but {called[0]!r} is {one} and "
                    f"{name!r} {other} pixels; give --resize HxW."
                )
        planes = sum(picture.shape[0] for picture in pictures)
        memory.need(
            4 * planes * math.prod(first.size),
            f"{plural(planes, 'channel')} of {first.size}",
            "give fewer or smaller inputs",
            error=InputError,
        )
        channels = tuple(
            name if picture.shape[0] == 1 else f"{name} {channel}"
            for name, picture in zip(called, pictures, strict=True)
            for channel in picture.channels
        )
        listed = ", ".join(channels if len(channels) <= 8 else (*channels[:4], "…", *channels[-2:]))
        told = f"{len(pictures)} inputs are stacked: the {len(channels)} channels are {listed}"
        remarks = [
            f"{printable(name)}: {text}"
            for name, one in zip(called, pictures, strict=True)
            for text in one.remarks
        ]
        first = replace(
            first,
            planes=np.concatenate([picture.x for picture in pictures]),
            channels=channels,
            low=min(picture.low for picture in pictures),
            high=max(picture.high for picture in pictures),
            remarks=(*remarks, printable(told)),
        )
    return first if normalize is None else _normalized(first, normalize)
