"""Any picture or number file as planes of float32, with what was changed on the way."""

import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from convviz import arrays
from convviz.errors import InputError, SpecError
from convviz.files import shown
from convviz.geometry import HW
from convviz.settings import Mode, ValueRange
from convviz.text import number, plural

Floats = NDArray[np.float32]

# Half a gigapixel of RGB is 6 GB as float32.
MAX_PIXELS = 500_000_000

# Formats that Pillow names but leaves to programs or plug-ins from elsewhere: EPS would start Ghostscript.
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
    Image.DecompressionBombError,
)

_ORIENTATION = 0x0112  # of EXIF
_GRAY, _RGB, _RGBA = ("gray",), ("R", "G", "B"), ("R", "G", "B", "A")

# ITU-R BT.601, the weights that Pillow rounds in its mode L.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# Pillow's guard against decompression bombs is a global, ours an argument: the global rests while we read.
_pillow_guard = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An input, ready to be convolved.

    Parameters
    ----------
    x : ndarray, shape (C, H, W), float32
        The planes.
    channels : tuple of str
        What to call each plane.
    low, high : float
        The values to be drawn as black and as white.
    remarks : tuple of str
        What was changed since the file, in a few words each.

    Raises
    ------
    InputError
        If the planes are not three-dimensional, not float32, empty or not finite.
    """

    x: Floats
    channels: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.x.ndim != 3 or self.x.dtype != np.float32 or not self.x.size:
            raise InputError(
                f"an input is a float32 array (channels, height, width), not {self.x.dtype} {self.x.shape}."
            )
        if len(self.channels) != self.x.shape[0]:
            raise InputError(f"{len(self.channels)} names for {self.x.shape[0]} planes; give one per plane.")
        # The sum of finite float32 numbers is finite in float64, and one number is quick to look at.
        if not np.isfinite(self.x.sum(dtype=np.float64)):
            count = int((~np.isfinite(self.x)).sum())
            raise InputError(f"the input has {plural(count, 'value')} that are infinite or not numbers.")

    @property
    def size(self) -> HW:
        """Height and width, in pixels."""
        return HW(*self.x.shape[1:])


def as_picture(value: Any) -> Picture:
    """Take a file, a Pillow image or numbers as an input.

    Parameters
    ----------
    value : Picture, str, Path, PIL.Image.Image, or array_like, shape (H, W) or (C, H, W)
        A picture as it is, a file to be read, or numbers as they are.

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
        with _quiet():
            return _finish(_decode(value, None), mode=None, value_range="unit")
    return from_numbers(np.asarray(value, np.float32), "the input")


def from_numbers(values: Floats, name: str) -> Picture:
    """Take numbers as planes, as they are.

    Raises
    ------
    InputError
        If they are neither one plane (H, W) nor planes (C, H, W).
    """
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise InputError(
            f"{name} has shape {values.shape}; expected (height, width) or (channels, height, width)."
        )
    names = {1: _GRAY, 3: _RGB}.get(values.shape[0], tuple(str(index) for index in range(values.shape[0])))
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    # Numbers that lie between 0 and 1, or 0 and 255, are drawn as a picture of those would be.
    if low >= 0:
        low, high = 0.0, 1.0 if high <= 1 else 255.0 if 64 < high <= 255 else high
    return Picture(np.ascontiguousarray(values, np.float32), names, low, high if high > low else low + 1)


def read(
    source: str | Path | BinaryIO,
    *,
    mode: Mode | None = None,
    value_range: ValueRange = "unit",
    resize: HW | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    """Read a picture or a file of numbers.

    Parameters
    ----------
    source : str, Path or binary file
        A file by its path: numbers if it ends in .json, .csv or .npy, else a
        picture. Of a stream the kind is told from its first bytes.
    mode : {"rgb", "gray", "rgba"}, optional
        Planes of a picture; by default those that it has, without alpha. Grey is
        0.299 R + 0.587 G + 0.114 B, not rounded.
    value_range : {"unit", "byte", "raw"}
        0 to 1, which divides by the largest value of the format (255, 65535,
        ...); 0 to 255; or as stored. Float pictures are stored in units already.
    resize : HW, optional
        Size to bring it to, in pixels: bilinear, and averaging where it shrinks.
    max_pixels : int
        Larger pictures are refused before they are decoded.

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
        If `mode` asks numbers for planes that they do not have.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        name, data, suffix = shown(path), arrays.read_bytes(path), path.suffix.lower()
    else:
        name, data = "stdin", source.read()
        suffix = _kind_of(data)
    if not data:
        raise InputError(f"cannot read {name}: it is empty.")
    if suffix in arrays.READABLE:
        picture = from_numbers(arrays.parse_array(data, name, suffix), name)
        wanted = {"gray": 1, "rgb": 3, "rgba": 4, None: picture.x.shape[0]}[mode]
        if wanted != picture.x.shape[0]:
            raise SpecError(
                f"mode {mode} needs {wanted} planes, but {name} has {picture.x.shape[0]}; "
                "numbers are taken as they are."
            )
    else:
        with _quiet(), _opened(data, name, max_pixels) as image:
            decoded = _decode(image, data)
        try:
            picture = _finish(decoded, mode=mode, value_range=value_range)
        except InputError as error:
            raise InputError(f"cannot read {name}: {error}") from None
    return picture if resize is None or resize == picture.size else _resized(picture, resize)


def _kind_of(data: bytes) -> str:
    """Tell numbers from pictures by the first bytes; an ending for numbers, nothing for pictures."""
    if data.startswith(b"\x93NUMPY"):
        return ".npy"
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"["):
        return ".json"
    return ".csv" if head and all(byte in b"0123456789+-.eE,; \t\r\n" for byte in head) else ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings about damaged metadata and its own limit of size to ourselves."""
    with _pillow_guard, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextlib.contextmanager
def _opened(data: bytes, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture, and turn what its reader raises into one line."""
    Image.init()
    formats = [known for known in Image.ID if known not in _NOT_READ]
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            _check_pixels(image, name, max_pixels)
            yield image
    except UnidentifiedImageError:
        what = (
            "EPS would be drawn by another program, which is not run"
            if data[:4] == b"%!PS"
            else ("it is not a picture of a known format")
        )
        raise InputError(f"cannot read {name}: {what}.") from None
    except InputError:
        raise
    except _BROKEN as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"cannot read {name}: it is damaged ({reason}).") from None


def _check_pixels(image: Image.Image, name: str, most: int) -> None:
    """Refuse a picture by the size in its header."""
    pixels = image.width * image.height
    if pixels > most:
        raise InputError(
            f"{name} has {image.width} x {image.height} = {pixels:,} pixels; the limit is {most:,}."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    """Samples as they are stored, (H, W, C), with what is needed to scale and to name them."""

    samples: NDArray[Any]
    full: float  # the largest sample of the format; 0 where samples are units already
    alpha: bool
    remarks: tuple[str, ...]


def _decode(image: Image.Image, data: bytes | None) -> _Decoded:
    """Decode the first frame of a picture, opened from `data`, at full precision."""
    remarks = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        remarks.append(f"frame 1 of {frames} taken")
    deep = _sixteen_bit(image, data) if data is not None else None
    full = 255.0
    if deep is not None:
        samples, full = deep, 65535.0
    elif image.mode in ("I", "F") or image.mode.startswith("I;"):
        samples = np.asarray(image)
        full = _full_scale(image)
        if full > 65535:
            remarks.append(f"32-bit values divided by {full:.0f}, the largest; --range raw keeps them")
    elif image.mode == "1":
        samples, full = np.asarray(image).astype(np.uint8), 1.0
    else:
        image, remark = _eight_bit(image)
        samples = np.asarray(image)
        if remark:
            remarks.append(remark)
    if samples.ndim == 2:
        samples = samples[:, :, None]
    # Metadata is read last: some formats hold it behind the pixels.
    turned = _upright(samples, image.getexif().get(_ORIENTATION, 1))
    if turned is not samples:
        remarks.append("turned upright as its EXIF orientation says")
    return _Decoded(turned, full, samples.shape[2] in (2, 4), tuple(remarks))


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
    """Decode 16-bit samples of several channels, of which Pillow keeps the high bytes alone.

    Pillow unpacks such a picture by a raw mode for its byte order. Read a second
    time by the raw mode of the other order, it gives the low bytes.
    """
    tiles = getattr(image, "tile", [])
    raw_modes = {tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles if tile.args}
    if len(raw_modes) != 1:
        return None
    raw_mode = raw_modes.pop()
    if not isinstance(raw_mode, str) or not raw_mode.endswith((";16B", ";16L", ";16N")):
        return None
    kind, order = raw_mode[:-1].removesuffix(";16"), raw_mode[-1]
    if kind == "LA" and order == "B":
        # Four bytes a pixel, which the plain mode of four channels hands over as they are.
        packed = _decoded_by(image, data, "RGBA").astype(np.uint16)
        return packed[:, :, 0::2] << 8 | packed[:, :, 1::2]
    if kind not in ("RGB", "RGBA"):
        return None
    big = f"{kind};16B", f"{kind};16L"
    # The libtiff reader hands over native order, and so do the others on the machines that are little-endian.
    high, low = big if order == "B" else big[::-1]
    return _decoded_by(image, data, high).astype(np.uint16) << 8 | _decoded_by(image, data, low)


def _decoded_by(image: Image.Image, data: bytes, raw_mode: str) -> NDArray[np.uint8]:
    """Decode a picture again, its samples unpacked by another raw mode."""
    with Image.open(io.BytesIO(data), formats=[image.format] if image.format else None) as again:
        again.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in again.tile
        ]
        return np.asarray(again)


def _full_scale(image: Image.Image) -> float:
    """Tell the largest value of a picture with one channel of more than 8 bits."""
    if image.mode == "F":
        return 0.0
    if image.mode.startswith("I;16"):
        return 65535.0
    # Some readers give 16-bit samples in a 32-bit mode.
    raw_modes = [str(tile.args) for tile in getattr(image, "tile", [])]
    if image.format == "PNG" or any("16" in raw_mode for raw_mode in raw_modes):
        return 32767.0 if any("16S" in mode or "16BS" in mode for mode in raw_modes) else 65535.0
    if image.format == "PPM":
        return 65535.0
    return float(2**31 - 1)


def _upright(samples: NDArray[Any], orientation: Any) -> NDArray[Any]:
    """Turn samples (H, W, C) as EXIF orientations 2 to 8 say."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _finish(decoded: _Decoded, *, mode: Mode | None, value_range: ValueRange) -> Picture:
    """Scale samples and choose planes."""
    remarks = list(decoded.remarks)
    x = np.ascontiguousarray(decoded.samples.transpose(2, 0, 1), np.float32)
    low, high = 0.0, 1.0
    if value_range == "raw":
        high = decoded.full or 1.0
    elif decoded.full:
        x /= np.float32(decoded.full)  # a division, not a product with the inverse: torchvision's numbers
    if value_range == "byte":
        x *= np.float32(255)
        high = 255.0
    if not np.isfinite(x.sum(dtype=np.float64)):
        raise InputError(
            f"{plural(int((~np.isfinite(x)).sum()), 'value')} in it are infinite or not numbers."
        )
    least, greatest = float(x.min()), float(x.max())
    if least < low or greatest > high:
        # Floats and signed integers go where they like.
        remarks.append(f"values from {number(least)} to {number(greatest)}")
        low, high = least, greatest
    colour, alpha = (x[:-1], x[-1:]) if decoded.alpha else (x, None)
    if alpha is not None and mode != "rgba":
        remarks.append("alpha dropped")
    if mode == "gray" and colour.shape[0] == 3:
        colour = np.tensordot(_LUMA, colour, axes=1)[None].astype(np.float32)
        remarks.append("colour converted to grey")
    if mode in ("rgb", "rgba") and colour.shape[0] == 1:
        colour = np.repeat(colour, 3, axis=0)
        remarks.append("grey repeated as R, G and B")
    if mode == "rgba":
        if alpha is None:
            alpha = np.full((1, *colour.shape[1:]), high, np.float32)
            remarks.append("alpha added, opaque")
        colour = np.concatenate([colour, alpha])
    names = {1: _GRAY, 3: _RGB, 4: _RGBA}[colour.shape[0]]
    return Picture(np.ascontiguousarray(colour), names, low, high, tuple(remarks))


def _resized(picture: Picture, size: HW) -> Picture:
    """Resize every plane in float32; shrinking averages, so that no pixel is passed over."""
    planes = [
        np.asarray(Image.fromarray(plane).resize((size.w, size.h), Image.Resampling.BILINEAR))
        for plane in picture.x
    ]
    remark = f"resized from {picture.size} to {size}"
    return replace(picture, x=np.stack(planes), remarks=(*picture.remarks, remark))


def write_png(file: BinaryIO, image: Image.Image, text: Mapping[str, str]) -> None:
    """Write a PNG with metadata.

    Parameters
    ----------
    file : binary file
        Where to write.
    image : PIL.Image.Image
        The picture.
    text : mapping of str
        Keywords and texts.

    Notes
    -----
    Run-length matching at level 1 took a quarter of the time of Pillow's default
    on sheets of feature maps, and made them smaller.
    """
    info = PngImagePlugin.PngInfo()
    for key, value in text.items():
        info.add_itxt(key, value)
    image.save(file, "PNG", pnginfo=info, compress_level=1, compress_type=3)
