"""Read samples of more than 8 bits, which Pillow alone would truncate."""

import io
import math
import re
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

if TYPE_CHECKING:
    from collections.abc import Mapping

# What Pillow's readers raise on damaged files, besides OSError.
BROKEN = (
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

ORIENTATION = 0x0112  # of EXIF and of TIFF

# Tags of TIFF, by their names in its specification.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 262, 338, 339
SAMPLES_PER_PIXEL, PLANAR_CONFIGURATION = 277, 284
_UNSIGNED, _SIGNED = 1, 2

# The libtiff decoder returns native byte order, but Pillow unpacks these modes in the order of the file.
_NATIVE = {"I;16BS": "I;16S", "I;32BS": "I;32S", "F;32BF": "F;32F", "F;64BF": "F;64F"}


def samples_of(image: Image.Image, data: bytes | None) -> tuple[NDArray[Any] | Image.Image, float, str]:
    """Return the samples, decoded or held by Pillow, the largest value of the format, and a remark."""
    if data is not None:
        netpbm = _netpbm(image, data)
        if netpbm is not None:
            return *netpbm, ""
        deep = _separate_channels(image, data)
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
    """Decode 16-bit samples of several channels; Pillow alone keeps only their high bytes.

    Pillow unpacks such a picture with a raw mode for its byte order. A second read with
    the raw mode of the other byte order gives the low bytes.
    """
    raw_modes = _raw_modes(image)
    raw_mode = raw_modes.pop() if len(raw_modes) == 1 else ""
    if image.tell():  # Pillow composes the frames of an animation with 8 bits
        return None
    if not raw_mode.endswith((";16B", ";16L", ";16N")):
        return None
    kind, order = raw_mode[:-1].removesuffix(";16"), raw_mode[-1]
    if kind == "LA" and order == "B":
        # Each pixel has four bytes, and the plain mode of four channels returns them unchanged.
        packed = _decoded_by(image, data, "RGBA").astype(np.uint16)
        return packed[:, :, 0::2] << 8 | packed[:, :, 1::2]
    if kind not in ("RGB", "RGBX", "RGBA"):
        return None
    big = f"{kind};16B", f"{kind};16L"
    # The libtiff reader returns native order, and so do the other readers on little-endian machines.
    high, low = big if order == "B" else big[::-1]
    return _decoded_by(image, data, high).astype(np.uint16) << 8 | _decoded_by(image, data, low)


def _raw_modes(image: Image.Image) -> set[str]:
    """List how samples are packed in a picture that is not loaded yet; loading clears this list."""
    tiles = [tile.args for tile in getattr(image, "tile", []) if tile.args]
    return {str(args if isinstance(args, str) else args[0]) for args in tiles}


def _decoded_by(image: Image.Image, data: bytes, raw_mode: str) -> NDArray[np.uint8]:
    """Decode a picture again and unpack its samples with another raw mode."""
    with Image.open(io.BytesIO(data), formats=[image.format] if image.format else None) as again:
        again.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in again.tile
        ]
        return np.asarray(again)


def _netpbm(image: Image.Image, data: bytes) -> tuple[NDArray[Any], float] | None:
    """Read the samples of a PGM or PPM as stored; Pillow would scale them to 8 or 16 bits."""
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
        raise OSError(
            f"samples from {samples.min()} to {samples.max()}, but the file announces at most {largest}"
        )
    return samples.reshape(shape), float(largest)


def _separate_channels(image: Image.Image, data: bytes) -> NDArray[Any] | None:
    """Decode 16-bit channels of a TIFF that stores each channel as a separate picture."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (1,))
    if tags.get(PLANAR_CONFIGURATION) != 2 or max(bits) <= 8:
        return None
    extra = tags.get(_EXTRA_SAMPLES, ())
    if tags.get(_PHOTOMETRIC) != 2 or set(bits) != {16} or extra not in ((), (0,), (2,)):
        # Pillow would read the bytes as samples.
        raise NotImplementedError(f"separate channels of {max(bits)} bits that are not RGB or RGBA")
    channels = []
    for channel in range(4 if extra == (2,) else 3):
        alone = one_channel(image, data, channel)
        with Image.open(io.BytesIO(alone), formats=["TIFF"]) as opened:
            channels.append(_deep_gray(opened)[0])
    return np.stack(channels, axis=2)


def one_channel(image: Image.Image, data: bytes, channel: int) -> bytes:
    """Return a TIFF of one channel: the same bytes with another directory at the end."""
    if data[2:4] not in (b"*\0", b"\0*"):
        raise NotImplementedError("separate channels in a BigTIFF")
    order = "<" if data.startswith(b"II") else ">"
    tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]  # only TiffImageFile has it
    channels = tags.get(SAMPLES_PER_PIXEL, 1)
    fields = {_BITS_PER_SAMPLE: (tags.get(_BITS_PER_SAMPLE, (1,))[0],), SAMPLES_PER_PIXEL: (1,)}
    fields[_PHOTOMETRIC] = (tags.get(_PHOTOMETRIC, 1) if channels == 1 else 1,)
    # Size, compression, order of bits, orientation, rows of a strip, prediction, size of a tile, format.
    for tag in (256, 257, 259, 266, ORIENTATION, 278, 317, 322, 323, _SAMPLE_FORMAT):
        if tag in tags:
            fields[tag] = tags[tag][:1] if isinstance(tags[tag], tuple) else (tags[tag],)
    # Offsets and lengths of the strips or tiles; those of one channel are consecutive.
    for tag in (273, 279, 324, 325):
        if tag in tags:
            share = len(tags[tag]) // channels
            fields[tag] = tags[tag][channel * share : (channel + 1) * share]
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
    """Return one decoded channel of more than 8 bits, the largest sample of the format, and a remark."""
    tags = getattr(image, "tag_v2", {})
    tiles = getattr(image, "tile", [])
    raw_modes = _raw_modes(image)
    bits, sample_format = tags.get(_BITS_PER_SAMPLE, (0,))[0], tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0]
    if sys.byteorder == "little" and tiles and tiles[0].codec_name == "libtiff":
        raw_mode, *rest = tiles[0].args
        image.tile = [  # type: ignore[attr-defined]  # it has tiles, so it is an ImageFile
            tiles[0]._replace(args=(_NATIVE.get(raw_mode, raw_mode), *rest))
        ]
    samples = np.asarray(image)
    remark = ""
    if tags.get(_PHOTOMETRIC) == 0 and sample_format == _UNSIGNED:
        remark = "0 is white in this file; samples are taken as stored"
    if image.mode == "F":
        return samples, 0.0, remark
    if bits == 32 and sample_format == _UNSIGNED:
        return samples.view(np.uint32), float(2**32 - 1), remark
    if bits == 16 and sample_format == _SIGNED:
        return samples, 32767.0, remark
    if bits in range(9, 16):
        return samples, float(2**bits - 1), remark
    # Some readers return 16-bit samples in a 32-bit mode.
    if image.mode.startswith("I;16") or image.format in ("PNG", "PPM"):
        return samples, 65535.0, remark
    return samples, 65535.0 if any("16" in mode for mode in raw_modes) else float(2**31 - 1), remark


def _stored_bits(image: Image.Image, data: bytes | None) -> int:
    """Return the bits per sample in the file, for formats that Pillow reduces to 8."""
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
        # Two markers, 36 bytes of lengths and sizes, a 2-byte count; one bit of the depth is for signs.
        return (head[at + 42 : at + 43] or b"\0")[0] % 128 + 1
    if image.format == "AVIF" and (at := head.find(b"av1C")) >= 0:
        flags = (head[at + 6 : at + 7] or b"\0")[0]
        return (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    return 8
