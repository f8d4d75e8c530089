"""Pictures of every kind as channels, against files written here byte by byte."""

import importlib.util
import io
import json
import logging
import os
import struct
import sys
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from convviz.compute.survey import survey
from convviz.errors import InputError, ShapeError, SpecError
from convviz.files import png as png_file
from convviz.images import decode as decoding
from convviz.images import deep, formats
from convviz.images.decode import as_picture, read
from convviz.images.picture import Picture
from convviz.render.sheets import overview
from convviz.spec.geometry import HW
from convviz.spec.preparation import IMAGENET, Normalization, ShortSide

# --- writers that share nothing with Pillow


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png(samples, *, interlaced=False, colour=None, before=(), behind=()):
    """Write samples (H, W) or (H, W, C) of 8 or 16 bits as PNG, no row filtered."""
    h, w = samples.shape[:2]
    channels = samples.reshape(h, w, -1)
    bits = samples.dtype.itemsize * 8
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels.shape[2]] if colour is None else colour
    passes = [channels[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [channels]
    rows = [row for one in passes if one.size for row in one]
    body = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", w, h, bits, colour, 0, 0, int(interlaced))
    chunks = [
        chunk(b"IHDR", header),
        *before,
        chunk(b"IDAT", zlib.compress(body)),
        *behind,
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(samples, *, order="<", deflate=False, separate=False, rows=None, **tags):
    """Write samples as TIFF 6.0, in strips of `rows` rows, its tags by number."""
    h, w = samples.shape[:2]
    channels = samples.reshape(h, w, -1).astype(samples.dtype.newbyteorder(order))
    count, rows = channels.shape[2], rows or h
    parts = [channels[:, :, [index]] for index in range(count)] if separate else [channels]
    strips = [part[y : y + rows].tobytes() for part in parts for y in range(0, h, rows)]
    if "strip" in tags:
        strips = [tags.pop("strip")]
    strips = [zlib.compress(strip) if deflate else strip for strip in strips]
    fields = {256: [w], 257: [h], 258: [samples.dtype.itemsize * 8] * count, 259: [8 if deflate else 1]}
    fields |= {262: [2 if count > 2 else 1], 277: [count], 278: [rows], 284: [2 if separate else 1]}
    fields |= {339: [{"u": 1, "i": 2, "f": 3}[samples.dtype.kind]] * count}
    fields |= {338: [2]} if count == 4 and "tag262" not in tags else {}
    fields |= {int(tag.removeprefix("tag")): value for tag, value in tags.items()}
    fields |= {273: [0] * len(strips), 279: [len(strip) for strip in strips]}
    start = 8 + 2 + 12 * len(fields) + 4
    strip_at = start + sum(4 * len(value) for value in fields.values() if len(value) > 1)
    fields[273] = [strip_at + sum(map(len, strips[:index])) for index in range(len(strips))]
    directory, values = struct.pack(f"{order}H", len(fields)), b""
    for tag, value in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(value)}I", *value)
        place = packed if len(value) == 1 else struct.pack(f"{order}I", start + len(values))
        values += b"" if len(value) == 1 else packed
        directory += struct.pack(f"{order}HHI", tag, 4, len(value)) + place
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8) + directory + bytes(4) + values + b"".join(strips)


def exif(orientation):
    """Write EXIF of one entry: tag 0x0112, a 16-bit number, one of them."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data, **options):
    return read(io.BytesIO(data), **options)


def raw(data, **options):
    return opened(data, value_range="raw", **options)


def noise(*shape, dtype):
    """Samples over the whole range of the type."""
    limits = np.iinfo(dtype)
    return np.random.default_rng(0).integers(limits.min, limits.max, shape, dtype, endpoint=True)


def channels_first(samples):
    """Samples (H, W) or (H, W, C) as channels (C, H, W)."""
    return np.atleast_3d(samples).transpose(2, 0, 1).astype(np.float32)


# --- 8 bits


def test_eight_bits_are_divided_by_255_as_torchvision_divides_them():
    """Its to_tensor divides uint8 as float32 by 255, and so all 256 values are known bit for bit."""
    samples = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = opened(png(samples))
    expected = np.array([np.float32(value) / np.float32(255) for value in range(256)]).reshape(1, 16, 16)
    np.testing.assert_array_equal(picture.x, expected)
    assert picture.channels == ("gray",)
    assert (picture.low, picture.high, picture.remarks) == (0, 1, ())


def test_colours_become_planes_red_first():
    picture = raw(png(np.uint8([[[1, 2, 3], [4, 5, 6]]])))
    np.testing.assert_array_equal(picture.x, [[[1, 4]], [[2, 5]], [[3, 6]]])
    assert picture.channels == ("R", "G", "B")
    assert picture.size == HW(1, 2)


@pytest.mark.parametrize(
    ("value_range", "expected", "high"),
    [("unit", [0, 0.2, 1], 1), ("byte", [0, 51, 255], 255), ("raw", [0, 13107, 65535], 65535)],
)
def test_a_range_scales_values_and_what_is_drawn_as_white(value_range, expected, high):
    """13107 is a fifth of 65535, and 51 a fifth of 255."""
    picture = opened(png(np.uint16([[0, 13107, 65535]])), value_range=value_range)
    np.testing.assert_allclose(picture.x[0, 0], expected, rtol=1e-6)
    assert (picture.low, picture.high) == (0, high)


# --- more bits


@pytest.mark.parametrize("interlaced", [False, True], ids=["row by row", "interlaced"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_of_16_bits_keeps_them(channels, interlaced):
    samples = noise(9, 7, channels, dtype=np.uint16)
    mode = "rgba" if channels == 4 else None
    picture = raw(png(samples, interlaced=interlaced), mode=mode)
    expected = channels_first(samples)
    np.testing.assert_array_equal(picture.x, expected[:1] if channels == 2 else expected)
    assert picture.high == 65535


def test_gray_with_alpha_of_16_bits_keeps_the_alpha():
    samples = noise(3, 5, 2, dtype=np.uint16)
    gray, alpha = channels_first(samples)
    picture = raw(png(samples), mode="rgba")
    np.testing.assert_array_equal(picture.x, [gray, gray, gray, alpha])


@pytest.mark.parametrize("separate", [False, True], ids=["samples together", "channels apart"])
@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_tiff_of_16_bits_keeps_them(channels, order, deflate, separate):
    samples = noise(9, 7, channels, dtype=np.uint16)
    data = tiff(samples, order=order, deflate=deflate, separate=separate, rows=4)
    picture = raw(data, mode="rgba" if channels == 4 else None)
    np.testing.assert_array_equal(picture.x, channels_first(samples))
    assert (picture.high, picture.remarks) == (65535, ())


@pytest.mark.parametrize("separate", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize(
    ("samples", "full"),
    [
        pytest.param(np.int8([[-128, 64, 127]]), 127, id="int8"),
        pytest.param(np.int16([[-5, 700, 32767]]), 32767, id="int16"),
        pytest.param(np.int32([[-5, 70000, 2**31 - 1]]), 2**31 - 1, id="int32"),
        pytest.param(np.float32([[-1.5, 0, 3]]), 1, id="float32"),
    ],
)
def test_signed_samples_and_floats_keep_their_values(samples, full, order, deflate, separate):
    data = tiff(samples, order=order, deflate=deflate, separate=separate)
    np.testing.assert_array_equal(raw(data).x[0], samples.astype(np.float32))
    np.testing.assert_array_equal(opened(data).x[0], samples.astype(np.float32) / np.float32(full))


def test_unsigned_32_bits_do_not_become_negative():
    samples = np.uint32([[0, 3_000_000_000, 2**32 - 1]])
    np.testing.assert_array_equal(raw(tiff(samples)).x[0], samples.astype(np.float32))
    picture = opened(tiff(samples))
    assert picture.x.max() == 1
    assert picture.remarks == ("32-bit values divided by 4294967295, the largest; --range raw keeps them",)


def test_12_bits_reach_white_at_4095():
    """Two samples fill three bytes: FFF 001 is FF F0 01."""
    samples = np.uint16([[0xFFF, 0x001]])
    data = tiff(samples, strip=b"\xff\xf0\x01", tag258=[12])
    np.testing.assert_array_equal(raw(data).x[0], [[4095, 1]])
    np.testing.assert_array_equal(opened(data).x[0], [np.float32([4095, 1]) / np.float32(4095)])


def test_values_kept_as_stored_are_not_said_to_be_divided():
    assert raw(tiff(np.int32([[1, 2]]))).remarks == ()
    assert any("divided by 2147483647" in remark for remark in opened(tiff(np.int32([[1, 2]]))).remarks)


def test_floats_outside_of_0_to_1_are_kept_and_told():
    picture = opened(tiff(np.float32([[-0.5, 2]])))
    assert (picture.low, picture.high) == (-0.5, 2)
    assert picture.remarks == ("values from -0.5 to 2",)
    assert opened(tiff(np.float32([[0, 0.25]]))).remarks == ()


@pytest.mark.parametrize(
    ("value_range", "expected", "high"),
    [("unit", [0, 0.5], 1), ("byte", [0, 127.5], 255), ("raw", [0, 0.5], 1)],
)
def test_floats_are_units_and_only_bytes_scale_them(value_range, expected, high):
    picture = opened(tiff(np.float32([[0, 0.5]])), value_range=value_range)
    np.testing.assert_array_equal(picture.x[0, 0], expected)
    assert (picture.low, picture.high) == (0, high)


def test_a_float_that_bytes_cannot_hold_is_refused():
    """3e38 is a float32, and 255 times it is not; infinity is infinite in any unit."""
    with pytest.raises(InputError, match="values that are too large for float32 times 255; take --range raw"):
        opened(tiff(np.float32([[1, 3e38]])), value_range="byte")
    assert opened(tiff(np.float32([[1, np.inf]])), value_range="byte").x.tolist() == [[[255, np.inf]]]
    with pytest.raises(InputError, match="a value that is too large for float32"):
        opened(tiff(np.float64([[1, 1e300]])))


@pytest.mark.parametrize(
    "read_flat",
    [
        pytest.param(lambda value: opened(tiff(np.float32([[value, value]]))), id="picture"),
        pytest.param(lambda value: as_picture([[value, value]]), id="numbers"),
    ],
)
@pytest.mark.parametrize(
    "value", [-5, 5, -1e30, 1e30], ids=["negative", "positive", "far below", "far above"]
)
def test_a_flat_plane_has_a_black_below_its_white(read_flat, value):
    """Nothing can be drawn on a scale whose ends are one value."""
    picture = read_flat(value)
    assert picture.low < picture.high
    assert picture.low <= picture.x.min() <= picture.x.max() <= picture.high


def test_zero_as_white_is_told_where_samples_are_taken_as_stored():
    picture = raw(tiff(np.uint16([[0, 1000]]), tag262=[0]))
    np.testing.assert_array_equal(picture.x[0], [[0, 1000]])
    assert picture.remarks == ("0 is white in this file; samples are taken as stored",)


@pytest.mark.parametrize(
    ("header", "dtype", "largest", "channels"),
    [
        pytest.param("P5 4 3 255\n", ">u1", 255, 1, id="gray, 8 bits"),
        pytest.param("P5 4 3 100\n", ">u1", 100, 1, id="gray up to 100"),
        pytest.param("P5 4 3 200\n", ">u1", 200, 1, id="gray up to 200"),
        pytest.param("P5 4 3 1000\n", ">u2", 1000, 1, id="gray up to 1000"),
        pytest.param("P5 4 3 65535\n", ">u2", 65535, 1, id="gray, 16 bits"),
        pytest.param("P6 # colour\n4 3\n100\n", ">u1", 100, 3, id="colour up to 100, with a comment"),
        pytest.param("P6 4 3 65535\n", ">u2", 65535, 3, id="colour, 16 bits"),
    ],
)
def test_a_netpbm_file_keeps_its_samples_whatever_their_largest(header, dtype, largest, channels):
    samples = np.random.default_rng(0).integers(0, largest, (3, 4, channels), endpoint=True).astype(dtype)
    data = header.encode() + samples.tobytes()
    np.testing.assert_array_equal(raw(data).x, channels_first(samples))
    assert raw(data).high == largest
    np.testing.assert_array_equal(opened(data).x, channels_first(samples) / np.float32(largest))


def test_a_netpbm_file_of_words_keeps_its_samples():
    np.testing.assert_array_equal(raw(b"P2 2 2 9\n1 2 # a comment\n3 9\n").x, [[[1, 2], [3, 9]]])
    np.testing.assert_array_equal(raw(b"P3 1 1 300 1 2 300").x, [[[1]], [[2]], [[300]]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P6 4 3 100\n" + bytes(35), "damaged"),
        (b"P2 2 2 9\n1 2 3\n", "3 of 4 samples"),
        (b"P2 2 1 9\n1 10\n", "samples from 1 to 10, but the file announces at most 9"),
        (b"P2 2 1 9\n1 x\n", "damaged"),
    ],
    ids=["cut off", "a word missing", "a sample too large", "no number"],
)
def test_a_netpbm_file_that_breaks_its_word_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        opened(data)


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        pytest.param(tiff(noise(2, 2, 4, dtype=np.uint16), tag262=[5]), 16, id="CMYK of 16 bits"),
        pytest.param(tiff(noise(2, 2, 4, dtype=np.uint16), tag338=[1]), 16, id="alpha multiplied in"),
    ],
)
def test_bits_that_pillow_cannot_hand_over_are_told(data, bits):
    assert f"read with 8 of its {bits} bits per sample" in "; ".join(opened(data).remarks)


def test_a_jpeg_2000_of_8_bits_is_not_said_to_lose_any():
    """The depth that its marker SIZ tells is that of the samples."""
    data = saved(Image.new("RGB", (32, 32), (10, 20, 30)), "JPEG2000")
    assert opened(data).remarks == ()
    at = data.index(b"\xff\x4f\xff\x51")
    deeper = bytearray(data)
    deeper[at + 42] = 11  # one less than the bits
    with Image.open(io.BytesIO(data)) as image:
        assert deep._stored_bits(image, data) == 8
        assert deep._stored_bits(image, bytes(deeper)) == 12


def test_separate_planes_of_other_sorts_are_refused_rather_than_misread():
    with pytest.raises(InputError, match="separate channels of 16 bits that are not RGB"):
        opened(tiff(noise(2, 2, 4, dtype=np.uint16), separate=True, tag262=[5]))


# --- modes


def test_gray_is_the_luma_of_bt_601_not_rounded():
    """(299 R + 587 G + 114 B) / 1000 of pure red, green, blue, and of (10, 20, 30): 2.99 + 11.74 + 3.42."""
    samples = np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]])
    picture = opened(png(samples), mode="gray")
    np.testing.assert_allclose(picture.x[0, 0] * 255, [76.245, 149.685, 29.07, 18.15], rtol=1e-6)
    assert picture.channels == ("gray",)
    assert picture.remarks == ("colour converted to grey",)


def test_gray_as_rgb_is_repeated():
    picture = opened(png(np.uint8([[0, 51]])), mode="rgb")
    np.testing.assert_allclose(picture.x, [[[0, 0.2]]] * 3, rtol=1e-6)
    assert picture.remarks == ("grey repeated as R, G and B",)


def test_alpha_is_dropped_unless_asked_for():
    data = png(np.uint8([[[1, 2, 3, 4]]]))
    assert raw(data).channels == ("R", "G", "B")
    assert raw(data).remarks == ("alpha dropped; --mode rgba keeps it",)
    picture = raw(data, mode="rgba")
    assert picture.channels == ("R", "G", "B", "A")
    np.testing.assert_array_equal(picture.x.ravel(), [1, 2, 3, 4])
    assert picture.remarks == ()


@pytest.mark.parametrize(("value_range", "opaque"), [("unit", 1), ("byte", 255), ("raw", 255)])
def test_missing_alpha_is_opaque(value_range, opaque):
    picture = opened(png(np.uint8([[[1, 2, 3]]])), mode="rgba", value_range=value_range)
    assert picture.x[3, 0, 0] == opaque
    assert picture.remarks == ("alpha added, opaque",)


PALETTE = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))


@pytest.mark.parametrize(
    ("transparency", "alpha"),
    [
        pytest.param((), None, id="opaque"),
        pytest.param((chunk(b"tRNS", bytes([128])),), [128, 255], id="half clear"),
        pytest.param((chunk(b"tRNS", bytes([0, 255])),), [0, 255], id="one colour clear"),
    ],
)
def test_a_palette_is_expanded_with_its_transparency(transparency, alpha):
    data = png(np.uint8([[0, 1]]), colour=3, before=(PALETTE, *transparency))
    np.testing.assert_array_equal(raw(data).x[:, 0], [[10, 40], [20, 50], [30, 60]])
    assert "palette expanded to RGB" in raw(data).remarks
    assert ("alpha dropped; --mode rgba keeps it" in raw(data).remarks) == (alpha is not None)
    if alpha is not None:
        np.testing.assert_array_equal(raw(data, mode="rgba").x[3, 0], alpha)


def test_one_bit_is_black_and_white():
    data = b"P4 3 1\n" + bytes([0b01000000])  # in PBM, 1 is black
    picture = opened(data)
    np.testing.assert_array_equal(picture.x, [[[1, 0, 1]]])
    np.testing.assert_array_equal(raw(data).x, picture.x)
    assert raw(data).high == 1


def test_cmyk_is_converted_and_told():
    """No ink is white, and all black ink is black."""
    picture = opened(tiff(np.uint8([[[0, 0, 0, 0], [0, 0, 0, 255]]]), tag262=[5]))
    np.testing.assert_array_equal(picture.x, [[[1, 0]]] * 3)
    assert picture.remarks == ("CMYK converted to RGB",)


def test_lab_is_converted_and_told():
    """Red of sRGB has L 53.2, a 80.1, b 67.2; stored in 8 bits as 136, 80, 67."""
    picture = raw(tiff(np.uint8([[[136, 80, 67]]]), tag262=[8]))
    np.testing.assert_allclose(picture.x.ravel(), [255, 0, 0], atol=12)
    assert picture.remarks == ("LAB converted to RGB",)


@pytest.mark.parametrize(
    "mode", ["La", "RGBa", "YCbCr", "HSV", "PA", "RGBX", "LA", "1", "P", "I;16", "I", "F"]
)
def test_a_pillow_image_of_any_mode_is_taken(mode):
    picture = as_picture(Image.new(mode, (4, 3)))
    assert picture.size == HW(3, 4)
    assert picture.x.shape[0] in (1, 3)


@pytest.mark.parametrize(
    ("mode", "pixel", "alpha", "expected"),
    [
        pytest.param("LA", (200, 102), 102, [200], id="gray with alpha"),
        # 40% of 200 is 80, and 80 / 0.4 is 200.
        pytest.param("La", (80, 102), 102, [200], id="gray multiplied by alpha"),
        pytest.param("RGBa", (80, 40, 0, 102), 102, [200, 100, 0], id="colour multiplied by alpha"),
        # Without difference of blue and red from grey, luma is the grey.
        pytest.param("YCbCr", (90, 128, 128), 255, [90, 90, 90], id="luma without colour"),
        # A hue of 0 is red; without saturation it would be white.
        pytest.param("HSV", (0, 255, 250), 255, [250, 0, 0], id="hue of red"),
        pytest.param("CMYK", (255, 0, 255, 0), 255, [0, 255, 0], id="cyan and yellow ink"),
    ],
)
def test_a_mode_is_turned_into_gray_or_rgb(mode, pixel, alpha, expected):
    image = Image.new(mode, (1, 1), pixel)
    picture = as_picture(image)
    np.testing.assert_allclose(picture.x.ravel() * 255, expected, atol=0.51)
    assert ("alpha dropped; --mode rgba keeps it" in picture.remarks) == (alpha != 255)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)], ids=["one pixel", "one row", "one column"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_may_be_one_pixel_wide_or_high(shape, dtype):
    samples = noise(*shape, 3, dtype=dtype)
    for data in (png(samples), png(samples, interlaced=True), tiff(samples)):
        np.testing.assert_array_equal(raw(data).x, channels_first(samples))


def test_an_inked_jpeg_is_read_as_colours():
    """No ink is white; Adobe stores it upside down, which is undone."""
    picture = opened(saved(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"))
    np.testing.assert_array_equal(picture.x, np.ones((3, 8, 8), np.float32))
    assert picture.remarks == ("CMYK converted to RGB",)


PAGED = {"TIFF": {}, "GIF": {}, "WEBP": {"lossless": True}, "PNG": {}}


@pytest.mark.parametrize("kind", PAGED)
def test_a_page_is_chosen_by_its_number_from_1(kind):
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "lime", "blue")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **PAGED[kind])
    first = opened(data)
    np.testing.assert_array_equal(first.x[:, 0, 0], [1, 0, 0])
    assert "page 1 of several was taken; --page N takes another" in first.remarks
    second = opened(data, page=2)
    np.testing.assert_array_equal(second.x[:, 0, 0], [0, 1, 0])
    assert not any("page" in remark for remark in second.remarks)  # it was asked for
    np.testing.assert_array_equal(opened(data, page=3).x[:, 0, 0], [0, 0, 1])
    with pytest.raises(InputError, match="stdin has 3 pages, but page 4 is asked for"):
        opened(data, page=4)


def test_pages_of_16_bits_keep_them_whatever_their_number():
    """Pillow reads the high and the low bytes in two passes, and both must be of the same page."""
    pages = [noise(4, 3, 3, dtype=np.uint16), noise(5, 2, 3, dtype=np.uint16) // 2]
    first, second = (tiff(page) for page in pages)
    # The second directory and what it points to move behind the first file.
    shift, count = len(first), struct.unpack_from("<H", second, 8)[0]
    moved = bytearray(second)
    for at in range(10, 10 + 12 * count, 12):
        tag, _, length, value = struct.unpack_from("<HHII", second, at)
        if length > 1 or tag == 273:
            struct.pack_into("<I", moved, at + 8, value + shift)
    data = bytearray(first + moved)
    struct.pack_into("<I", data, 10 + 12 * struct.unpack_from("<H", first, 8)[0], shift + 8)
    for number, page in enumerate(pages, 1):
        np.testing.assert_array_equal(raw(bytes(data), page=number).x, channels_first(page))


def test_pages_are_not_counted():
    """Pillow would take hours to count 200,000 pages; each has an empty directory here."""
    plain = tiff(np.uint8([[7]]))
    at = 10 + 12 * struct.unpack_from("<H", plain, 8)[0]
    data = bytearray(
        plain
        + b"".join(struct.pack("<HI", 0, len(plain) + 6 * index) for index in range(1, 200_000))
        + bytes(6)
    )
    struct.pack_into("<I", data, at, len(plain))
    begun = time.process_time()
    picture = opened(bytes(data))
    assert time.process_time() - begun < 2
    assert picture.remarks == ("page 1 of several was taken; --page N takes another",)


def test_a_directory_that_leads_back_is_the_last():
    data = bytearray(tiff(np.uint8([[7]])))
    struct.pack_into("<I", data, 10 + 12 * struct.unpack_from("<H", data, 8)[0], 8)
    with pytest.raises(InputError, match="stdin has 1 page, but page 2 is asked for"):
        opened(bytes(data), page=2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_without_pages_has_one(kind):
    data = saved(Image.new("RGB", (2, 2)), kind)
    assert opened(data, page=1).remarks == ()
    with pytest.raises(InputError, match="stdin has 1 page, but page 2 is asked for"):
        opened(data, page=2)


def test_numbers_have_no_pages():
    with pytest.raises(SpecError, match="page: stdin holds numbers, which have no pages"):
        opened(b"[[1, 2]]", page=2)


# --- floats of TIFF that Pillow does not read


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_a_tiff_are_read_whatever_their_size(dtype, channels, order, deflate):
    samples = (np.arange(5 * 4 * channels).reshape(5, 4, channels) / 64).astype(dtype)
    picture = opened(
        tiff(samples, order=order, deflate=deflate, rows=2), mode="rgba" if channels == 4 else None
    )
    np.testing.assert_array_equal(picture.x, channels_first(samples))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        pytest.param({"tag259": [5]}, "floats in a TIFF are read where they stand in strips", id="LZW"),
        pytest.param(
            {"tag317": [3]}, "floats in a TIFF are read where they stand in strips", id="prediction"
        ),
        pytest.param({"strip": b"123"}, "it is damaged .*3 of", id="cut off"),
        pytest.param({"tag256": [0]}, "it is damaged .*no pixels", id="no columns"),
        pytest.param({"tag257": [0]}, "it is damaged .*no pixels", id="no rows"),
        pytest.param({"tag257": [1 << 30]}, "pixels; the limit is", id="announces more than the limit"),
        pytest.param(
            {"tag257": [50_000_000]}, "it is damaged .*too few strips", id="announces more than it has"
        ),
    ],
)
def test_floats_that_are_arranged_otherwise_are_refused_in_one_line(tags, message):
    with pytest.raises(InputError, match=message):
        opened(tiff(np.float16([[[1, 2, 3], [4, 5, 6]]]), **tags))


# --- what is said of the colours


def icc(name, *, version=4):
    """Write the least of an ICC profile: a header, and a description as ISO 15076-1 has it."""
    if version == 4:
        text = name.encode("utf-16-be")
        desc = (
            b"mluc"
            + bytes(4)
            + struct.pack(">II", 1, 12)
            + b"enUS"
            + struct.pack(">II", len(text), 28)
            + text
        )
    else:
        desc = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name.encode() + bytes(79)
    header = bytes(16) + b"RGB XYZ " + bytes(104)
    return header + struct.pack(">I4sII", 1, b"desc", 144, len(desc)) + desc


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_colour_profile_that_is_not_srgb_is_named(kind, version):
    data = saved(Image.new("RGB", (2, 2)), kind, icc_profile=icc("Display P3", version=version))
    assert opened(data).remarks == ("colour profile 'Display P3' not applied; the values are those stored",)
    data = saved(Image.new("RGB", (2, 2)), kind, icc_profile=icc("sRGB IEC61966-2.1", version=version))
    assert opened(data).remarks == ()


def test_a_damaged_profile_is_told_by_its_colour_space():
    data = saved(Image.new("RGB", (2, 2)), "PNG", icc_profile=icc("Display P3")[:140])
    assert opened(data).remarks == ("colour profile 'RGB' not applied; the values are those stored",)


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        pytest.param([(b"gAMA", struct.pack(">I", 45455))], None, id="the gamma of sRGB"),
        pytest.param([(b"gAMA", struct.pack(">I", 100_000))], "gamma of the gAMA chunk (1; ", id="linear"),
        pytest.param(
            [(b"gAMA", struct.pack(">I", 100_000)), (b"sRGB", b"\0")], None, id="sRGB goes before gAMA"
        ),
        pytest.param([(b"cICP", bytes([1, 13, 0, 1]))], None, id="sRGB by number"),
        pytest.param(
            [(b"cICP", bytes([9, 16, 0, 1]))], "colour space of the cICP chunk (BT.2020, PQ) not", id="HDR"
        ),
        pytest.param(
            [(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))],
            "primaries of the cHRM chunk (not those of sRGB) not",
            id="primaries of P3",
        ),
    ],
)
def test_chunks_of_a_png_that_change_its_colours_are_named(chunks, words):
    data = png(np.uint8([[1, 2]]), before=[chunk(kind, body) for kind, body in chunks])
    remarks = opened(data).remarks
    assert len(remarks) == (words is not None)
    assert not words or remarks[0].startswith(words)


# --- orientation

# What each code of EXIF does to [[1, 2, 3], [4, 5, 6]], from the table in its specification: the first row
# of the file is the top, top mirrored, bottom turned, bottom, left, right, right turned, left turned.
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}
STORED = np.array([[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
@pytest.mark.parametrize(
    "writer",
    [
        pytest.param(lambda o: png(STORED.astype("u1"), before=[chunk(b"eXIf", exif(o))]), id="png"),
        pytest.param(
            lambda o: png(STORED.astype("u1"), behind=[chunk(b"eXIf", exif(o))]), id="behind the pixels"
        ),
        pytest.param(
            lambda o: png(STORED.astype("u2"), before=[chunk(b"eXIf", exif(o))]), id="png of 16 bits"
        ),
        pytest.param(lambda o: tiff(STORED.astype("u1"), tag274=[o]), id="tiff"),
        pytest.param(lambda o: tiff(STORED.astype("u2"), tag274=[o], deflate=True), id="tiff of 16 bits"),
        pytest.param(lambda o: tiff(STORED.astype("i4"), tag274=[o], order=">"), id="tiff of 32 bits"),
        pytest.param(lambda o: tiff(STORED.astype("f4"), tag274=[o]), id="tiff of floats"),
        pytest.param(lambda o: tiff(np.dstack([STORED] * 3).astype("u1"), tag274=[o]), id="tiff in colour"),
        pytest.param(
            lambda o: tiff(np.dstack([STORED] * 3).astype("u2"), tag274=[o]), id="tiff in colour, 16 bits"
        ),
        pytest.param(
            lambda o: tiff(np.dstack([STORED] * 3).astype("u2"), tag274=[o], separate=True),
            id="tiff in channels, 16 bits",
        ),
        pytest.param(
            lambda o: png(np.dstack([STORED] * 3).astype("u2"), before=[chunk(b"eXIf", exif(o))]),
            id="png in colour, 16 bits",
        ),
    ],
)
def test_a_picture_is_turned_once_as_its_orientation_says(writer, orientation):
    picture = raw(writer(orientation))
    for channel in picture.x:
        np.testing.assert_array_equal(channel, UPRIGHT[orientation])
    told = "turned upright as its EXIF orientation says" in picture.remarks
    assert told == (orientation != 1)


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_a_jpeg_is_turned_as_pillow_turns_it(orientation):
    picture = Image.fromarray(noise(16, 24, dtype=np.uint8))
    data = saved(picture, "JPEG", exif=b"Exif\0\0" + exif(orientation))
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(raw(data).x[0], expected)


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_a_webp_is_turned_once_as_its_orientation_says(orientation):
    picture = Image.fromarray(np.dstack([STORED] * 3).astype("u1"))
    found = raw(saved(picture, "WEBP", lossless=True, exif=b"Exif\0\0" + exif(orientation)))
    np.testing.assert_array_equal(found.x, [UPRIGHT[orientation]] * 3)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"garbagegarbage", id="no EXIF at all"),
        pytest.param(b"MM\0*", id="cut off"),
        pytest.param(b"MM\0*" + struct.pack(">I", 5000), id="points behind its end"),
        pytest.param(exif(9), id="an orientation that there is not"),
    ],
)
def test_pixels_are_read_though_their_exif_is_damaged(damaged):
    picture = raw(png(STORED.astype("u1"), before=[chunk(b"eXIf", damaged)]))
    np.testing.assert_array_equal(picture.x, [STORED])
    assert picture.remarks == ()


# --- resizing


def test_shrinking_averages_over_all_pixels():
    """Columns of 0 and 1 by turns, halved: away from the border every pixel is their mean."""
    samples = np.tile(np.uint8([0, 255]), (8, 8))
    picture = opened(png(samples), resize=HW(4, 8))
    np.testing.assert_allclose(picture.x[0, :, 1:-1], 0.5, atol=0.13)
    assert picture.remarks == ("resized from 8x16 to 4x8",)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (
            HW(6, 3),
            "resized from 8x16 to 6x3, which changes its proportions "
            "(--resize short:6 --crop 6x3 keeps them)",
        ),
        (HW(5, 9), "resized from 8x16 to 5x9"),
    ],
    ids=["squashed", "the nearest pixel to 4.5 rows"],
)
def test_a_picture_that_is_squashed_is_said_to_be(size, words):
    assert opened(png(np.zeros((8, 16), np.uint8)), resize=size).remarks == (words,)


def test_resizing_keeps_a_flat_plane_and_does_not_round():
    samples = np.full((3, 5, 3), [13107, 1, 65535], np.uint16)
    picture = opened(png(samples), resize=HW(7, 2))
    for channel, value in zip(picture.x, (0.2, 1 / 65535, 1), strict=True):
        np.testing.assert_allclose(channel, np.full((7, 2), value), rtol=1e-5)


def test_growing_is_bilinear():
    """Centres of the new pixels lie at 1/4, 3/4, ... of the old ones: 0, a quarter, three quarters, 1."""
    picture = raw(tiff(np.float32([[0, 1]])), resize=HW(1, 4))
    np.testing.assert_allclose(picture.x[0, 0], [0, 0.25, 0.75, 1], atol=1e-6)


def test_the_size_that_a_picture_has_is_no_resizing():
    assert opened(png(np.uint8([[1, 2]])), resize=HW(1, 2)).remarks == ()


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (HW(0, 3), "resize must be at least 1 on both axes, not 0x3"),
        (HW(10**6, 10**6), "1,000,000,000,000 pixels; the limit"),
    ],
)
def test_a_size_that_nobody_can_make_is_refused_before_reading(size, message):
    with pytest.raises(SpecError, match=message):
        read("there is no such file.png", resize=size)


@pytest.mark.parametrize(
    ("shape", "short", "size"),
    [
        pytest.param((12, 17), 8, HW(8, 11), id="8 * 17 / 12 is 11 and a third"),
        pytest.param((17, 12), 8, HW(11, 8), id="upright"),
        pytest.param((5, 9), 10, HW(10, 18), id="larger"),
        pytest.param((4, 4), 3, HW(3, 3), id="a square"),
        pytest.param((12, 17), 12, HW(12, 17), id="as it is"),
    ],
)
def test_the_shorter_side_decides_and_the_longer_one_is_cut_to_whole_pixels(shape, short, size):
    data = png(noise(*shape, dtype=np.uint8))
    picture = opened(data, resize=ShortSide(short))
    assert (picture.size, picture.resized) == (size, size)
    np.testing.assert_array_equal(picture.x, opened(data, resize=size).x)


def test_a_shorter_side_whose_longer_one_is_beyond_the_limit_is_refused():
    with pytest.raises(SpecError, match="resize to 10x500 makes 5,000 pixels; the limit is 4,999"):
        opened(png(np.zeros((1, 50), np.uint8)), resize=ShortSide(10), max_pixels=4999)


# --- cropping


@pytest.mark.parametrize(
    ("length", "kept", "first"),
    [(5, 5, 0), (6, 4, 1), (5, 4, 0), (7, 4, 2), (9, 4, 2), (11, 4, 4)],
    ids=["all", "1", "0.5 is 0", "1.5 is 2", "2.5 is 2", "3.5 is 4"],
)
def test_the_middle_begins_at_half_of_the_rest_rounded_to_even(length, kept, first):
    """The offset of torchvision's CenterCrop: round((length - kept) / 2.0)."""
    ramp = np.arange(3 * length, dtype=np.uint8).reshape(3, length)
    across, down = raw(png(ramp), crop=HW(3, kept)), raw(png(ramp.T), crop=HW(kept, 3))
    np.testing.assert_array_equal(across.x[0], ramp[:, first : first + kept])
    np.testing.assert_array_equal(down.x[0], ramp.T[first : first + kept])
    assert across.x.flags.c_contiguous
    assert across.remarks == (
        () if kept == length else (f"cropped from 3x{length} to 3x{kept} (the centre)",)
    )


@pytest.mark.parametrize("size", [HW(300, 200), HW(40, 1900), HW(2000, 30)], ids=str)
def test_a_large_picture_is_resized_in_bands_to_what_pillow_makes_of_its_channels(size):
    """6 million samples stay bytes until they are needed. Pillow may resize along the columns first."""
    samples = np.random.default_rng(6).integers(0, 256, (1000, 2000, 3), np.uint8)
    picture = opened(png(samples), resize=size)
    for channel, found in zip(samples.transpose(2, 0, 1), picture.x, strict=True):
        whole = Image.fromarray((channel / np.float32(255)).astype(np.float32))
        expected = whole.resize((size.w, size.h), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(found, np.asarray(expected), rtol=0, atol=2**-23)


def test_what_is_cropped_is_the_resized_picture():
    data = png(noise(12, 18, dtype=np.uint8))
    picture = opened(data, resize=ShortSide(6), crop=HW(4, 4))
    np.testing.assert_array_equal(picture.x, opened(data, resize=HW(6, 9)).x[:, 1:5, 2:6])
    assert picture.remarks == ("resized from 12x18 to 6x9", "cropped from 6x9 to 4x4 (the centre)")


@pytest.mark.parametrize("count", [1, 2])
def test_a_list_of_paths_is_not_one_input(count):
    with pytest.raises(InputError, match=f"a list of {count} pictures?; expected one path"):
        as_picture(["photo.png", Path("other.png")][:count])


def test_numbers_are_cropped_as_pictures_are():
    np.testing.assert_array_equal(
        opened(b"[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", crop=HW(1, 3)).x, [[[4, 5, 6]]]
    )


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        (HW(3, 6), "crop 3x6 is larger than the picture of 4x5; .* --resize"),
        (HW(5, 5), "crop 5x5 is larger than the picture of 4x5"),
        (HW(0, 2), "crop must be at least 1 on both axes, not 0x2"),
    ],
)
def test_a_middle_that_is_not_there_is_refused(crop, message):
    with pytest.raises((ShapeError, SpecError), match=message):
        opened(png(np.zeros((4, 5), np.uint8)), crop=crop)


# --- normalising


def test_the_numbers_of_imagenet_take_white_and_black_where_torchvision_takes_them():
    """By hand: (1 - 0.485) / 0.229 = 2.2489, -0.485 / 0.229 = -2.1179, and so on."""
    picture = opened(png(np.uint8([[[255] * 3, [0] * 3]])), normalize=IMAGENET)
    expected = [[[2.2489, -2.1179]], [[2.4286, -2.0357]], [[2.6400, -1.8044]]]
    np.testing.assert_allclose(picture.x, expected, atol=5e-5)
    (remark,) = picture.remarks
    assert remark == "normalised with mean 0.485,0.456,0.406 and deviation 0.229,0.224,0.225"


def test_normalised_planes_are_bit_for_bit_those_of_torchvision():
    """Its Normalize is ``tensor.sub_(mean).div_(std)``, all of float32."""
    torch = pytest.importorskip("torch")
    samples = noise(9, 7, 3, dtype=np.uint8)
    x = torch.from_numpy(samples.transpose(2, 0, 1).copy()).float().div(255)
    mean, std = (torch.tensor(of)[:, None, None] for of in (IMAGENET.mean, IMAGENET.std))
    picture = opened(png(samples), normalize=IMAGENET)
    np.testing.assert_array_equal(picture.x, x.sub_(mean).div_(std).numpy())


@pytest.mark.parametrize(
    ("options", "channels"),
    [({}, 3), ({"mode": "gray"}, 1), ({"mode": "rgba"}, 4), ({"value_range": "byte"}, 3)],
    ids=["colour", "grey", "with alpha", "bytes"],
)
def test_one_mean_and_one_deviation_are_for_all_planes(options, channels):
    data = png(noise(4, 5, 3, dtype=np.uint8))
    plain = opened(data, **options)
    picture = opened(data, normalize=Normalization((0.5,), (0.25,)), **options)
    np.testing.assert_array_equal(picture.x, (plain.x - np.float32(0.5)) * 4)
    assert picture.normalized == Normalization((0.5,) * channels, (0.25,) * channels)
    assert picture.ends == (((plain.low - 0.5) * 4, (plain.high - 0.5) * 4),) * channels


def test_numbers_have_a_mean_and_a_deviation_per_plane():
    picture = opened(b"[[[1, 2]], [[3, 4]]]", normalize=Normalization((1, 2), (2, 4)))
    np.testing.assert_array_equal(picture.x, [[[0, 0.5]], [[0.25, 0.5]]])


@pytest.mark.parametrize(
    ("channels", "normalize", "message"),
    [
        (1, IMAGENET, "normalize imagenet is for 3 channels, but the input has 1; .*--mode"),
        (
            3,
            Normalization((1, 2), (3, 4)),
            "4 numbers for 3 channels; give MEAN,STD for all of them, or 6 num",
        ),
        (1, Normalization((1, 2), (3, 4)), "4 numbers for 1 channel; give MEAN,STD"),
        (
            1,
            Normalization((1e30,), (1.0,)),
            "mean 1e.30 and deviation 1.0, float32 cannot tell .* 0 to 1 apart",
        ),
        (1, Normalization((0.0,), (1e-46,)), "float32 cannot tell"),
        (1, Normalization((0.0,), (1e-39,)), "float32 cannot tell"),
        (1, Normalization((1e300,), (1.0,)), "float32 cannot tell"),
        (1, Normalization((0.0,), (1e300,)), "float32 cannot tell"),
    ],
)
def test_numbers_that_do_not_fit_the_planes_are_refused(channels, normalize, message):
    with pytest.raises(SpecError, match=message):
        opened(png(noise(2, 3, channels, dtype=np.uint8)), normalize=normalize)


@pytest.mark.parametrize("normalize", [IMAGENET, Normalization((-3.0,), (100.0,))])
def test_every_level_is_drawn_as_it_was(normalize):
    data = png(np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3))
    drawn = []
    for picture in (opened(data), opened(data, normalize=normalize)):
        section = overview.input_section(picture, survey(picture.x), 1)
        drawn.append([tile.levels[:] for tile in section.tiles])
    assert len(drawn[0]) == 4
    for plain, normalised in zip(*drawn, strict=True):
        np.testing.assert_array_equal(plain, normalised)


# --- numbers


def test_numbers_are_taken_as_they_are(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[[[1, 1], [2, 2]], [[-3, 0.5], [0, 0]]]")
    picture = read(path)
    np.testing.assert_array_equal(picture.x, [[[1, 1], [2, 2]], [[-3, 0.5], [0, 0]]])
    assert picture.channels == ("0", "1")
    assert (picture.low, picture.high) == (-3, 2)


def test_one_plane_of_numbers_is_gray_and_three_are_colours():
    assert opened(b"[[1, 2]]").channels == ("gray",)
    assert opened(b"[[[1]], [[2]], [[3]]]").channels == ("R", "G", "B")


def test_numbers_with_one_axis_are_refused_with_their_shape():
    with pytest.raises(InputError, match=r"has shape \(2,\); expected \(height, width\) or \(channels"):
        opened(b"[1, 2]")


def test_a_batch_of_one_is_one_input_and_one_of_two_is_refused():
    x = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7)
    np.testing.assert_array_equal(as_picture(x[:1]).x, x[0])
    with pytest.raises(InputError, match=r"has shape \(2, 3, 5, 7\), a batch of 2 inputs; give one of them"):
        as_picture(x)


LAST, FIRST = "(height, width, channels)", "(channels, height, width)"


def as_bytes(x, kind):
    """Write an array as a file of each kind that keeps its axes."""
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, x)
    elif kind == "npz":
        np.savez(file, x=x)
    else:
        file.write(json.dumps(x.tolist()).encode())
    return file.getvalue()


@pytest.mark.parametrize("kind", ["npy", "npz", "json", "python"])
@pytest.mark.parametrize(
    ("shape", "order"),
    [
        pytest.param((20, 30, 3), LAST, id="colours"),
        pytest.param((1, 20, 30, 3), LAST, id="a batch of one of colours"),
        pytest.param((28, 28, 1), LAST, id="a grey picture of Keras"),
        pytest.param((5, 6, 4), LAST, id="small, with alpha"),
        pytest.param((90, 20, 3), LAST, id="tall"),
        pytest.param((3, 20, 3), FIRST, id="either could be meant"),
        pytest.param((3, 20, 4), FIRST, id="three channels and four columns"),
        pytest.param((64, 8, 4), FIRST, id="activations of a deep layer"),
        pytest.param((32, 1, 1), None, id="activations of one pixel"),
        pytest.param((3, 20, 30), None, id="channels first"),
        pytest.param((6, 5, 5), None, id="six maps"),
        pytest.param((1, 1, 5, 5), None, id="a batch of one"),
    ],
)
def test_the_axis_of_the_channels_is_told_from_the_shape_and_said(kind, shape, order):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    picture = as_picture(x) if kind == "python" else opened(as_bytes(x, kind))
    three = x.reshape(shape[-3:])
    np.testing.assert_array_equal(picture.x, three.transpose(2, 0, 1) if order == LAST else three)
    said = () if order is None else (f"an array of shape {shape[-3:]} is read as {order}",)
    assert picture.remarks == said


def test_a_table_and_a_tensor_have_their_channels_first_and_so_has_what_a_layer_reads():
    x = np.arange(6 * 7 * 3, dtype=np.float32).reshape(6, 7, 3)
    table = "\n\n".join("\n".join(",".join(map(str, row)) for row in channel) for channel in x)
    for picture in (opened(table.encode()), as_picture(torch.from_numpy(x)), as_picture(x, channels=6)):
        np.testing.assert_array_equal(picture.x, x)
        assert picture.remarks == ()
    assert as_picture(x, channels=3).shape == (3, 6, 7)


def test_one_array_of_an_archive_is_read_by_its_name(tmp_path):
    path = tmp_path / "frames.npz"
    np.savez(path, one=np.ones((2, 3)), two=np.full((4, 5), 2))
    np.testing.assert_array_equal(read(f"{path}:two").x, np.full((1, 4, 5), 2))
    held = "name one behind a colon, as in FILE.npz:NAME; it holds one, two"
    with pytest.raises(InputError, match=f"holds 2 arrays; {held}"):
        read(path)
    with pytest.raises(InputError, match=f"has no array 'three'; {held}"):
        read(f"{path}:three")


def test_a_mode_must_fit_the_planes_of_numbers():
    assert opened(b"[[1, 2]]", mode="gray").x.shape == (1, 1, 2)
    with pytest.raises(
        SpecError, match=r"mode rgb .* needs 3 channels, but stdin has 1, and numbers are not converted"
    ):
        opened(b"[[1, 2]]", mode="rgb")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b" \n[[1, 2], [3, 4]]", id="json"),
        pytest.param(b"1,2\n3,4\n", id="csv"),
        pytest.param(b"1 2\n3 4\n", id="csv with blanks"),
        pytest.param("\ufeff1;2\n3;4".encode(), id="csv of a spreadsheet"),
        pytest.param("1,2\r\n3,4\r\n".encode("utf-16"), id="csv of PowerShell"),
        pytest.param("[[1, 2], [3, 4]]".encode("utf-16"), id="json of PowerShell"),
        pytest.param(b"P2 2 2 255 1 2 3 4", id="a picture"),
        pytest.param(png(np.uint8([[1, 2], [3, 4]])), id="another picture"),
    ],
)
def test_the_kind_of_a_stream_is_told_from_its_first_bytes(data):
    np.testing.assert_array_equal(raw(data).x[0], [[1, 2], [3, 4]])


def test_a_stream_may_be_an_array_of_numpy():
    file = io.BytesIO()
    np.save(file, np.arange(4).reshape(2, 2))
    np.testing.assert_array_equal(opened(file.getvalue()).x[0], [[0, 1], [2, 3]])


# --- refusals


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.png", "there is no such file; check the path"),
        ("folder.png", "it is a folder"),
        ("pipe.png", "it is not an ordinary file"),
        ("empty.png", "it is empty"),
        ("text.png", "it is not a picture of a known format"),
        ("net.onnx", "it is a network, not a picture; give it by --net FILE"),
        ("weights.pt", "it holds weights, not a picture; give it by --weights FILE"),
        ("drawing.eps", "EPS would be drawn by another program, which is not run"),
        ("start.png", "it begins as PNG does, but is damaged"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(tmp_path, name, message):
    """A pipe that nobody writes to would block for ever if it were opened."""
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for file, data in {
        "empty.png": b"",
        "text.png": b"hello",
        "net.onnx": b"\x08\x07",
        "weights.pt": b"PK\3\4",
        "drawing.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
        "start.png": b"\x89PNG\r\n\x1a\n",
    }.items():
        (tmp_path / file).write_bytes(data)
    with pytest.raises(InputError, match=rf"^cannot read '.*{name}': {message}[^\n]*\.$"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\0\x20ftypheic" + bytes(20), "it begins as HEIC does, but is damaged"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL is not read; convert it, as with djxl"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL is not read; convert it, as with djxl"),
        (b'<?xml version="1.0"?>\n<svg xmlns="">', "SVG is a drawing, without pixels; export it as PNG"),
        (b"%PDF-1.7", "PDF is a document; export the page as PNG"),
        (b"<!DOCTYPE html><html>", "it is a web page, not a picture; download the picture itself"),
        (b"version https://git-lfs.github.com/spec/v1", "it is a pointer of Git LFS"),
        (b"\0\0\0\x20ftypisom" + bytes(20), "it is a film"),
    ],
)
def test_a_format_that_is_not_read_is_named_by_its_first_bytes_with_the_remedy(tmp_path, data, message):
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "x.jpg")


def test_without_its_reader_heic_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'HEIC needs pillow-heif, .*: pip install "convviz\[heif\]"'):
        opened(b"\0\0\0\x20ftypheic" + bytes(20))


def test_heic_is_read_by_its_plug_in():
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (64, 48), (200, 100, 50))).save(file, quality=90)
    picture = opened(file.getvalue(), value_range="byte")
    assert picture.shape == (3, 48, 64)
    np.testing.assert_allclose(picture.x.mean((1, 2)), [200, 100, 50], atol=4)  # it loses some


def test_a_stream_without_end_is_refused_at_the_limit(monkeypatch):
    monkeypatch.setattr(decoding, "_MOST_STREAMED", 1 << 20)
    monkeypatch.setattr(decoding, "_PIECE_BYTES", 1 << 18)
    read_so_far = []

    class Zeros:
        def read(self, count):
            read_so_far.append(count)
            return bytes(count)

    with pytest.raises(InputError, match="stdin has more than 1 MiB, the limit for a stream; name a file"):
        read(Zeros())
    assert sum(read_so_far) == (1 << 20) + (1 << 18)


def test_numbers_have_the_limit_of_pictures():
    assert opened(b"[[1, 2], [3, 4]]", max_pixels=4).size == HW(2, 2)
    with pytest.raises(InputError, match="stdin has 2 x 2 = 4 pixels; the limit is 3"):
        opened(b"[[1, 2], [3, 4]]", max_pixels=3)


def test_a_name_reaches_no_terminal_unescaped(tmp_path):
    (tmp_path / "a\x1b[31m\nb.png").write_bytes(b"hello")
    with pytest.raises(InputError, match=r"a\\x1b\[31m\\nb\.png': it is not a picture") as caught:
        read(tmp_path / "a\x1b[31m\nb.png")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_cut_in_the_middle_is_never_half_read(kind):
    data = saved(Image.fromarray(noise(60, 60, 3, dtype=np.uint8)), kind)
    with pytest.raises(InputError, match="it is damaged"):
        opened(data[: len(data) // 2])


def test_a_device_is_not_read():
    with pytest.raises(InputError, match="it is not an ordinary file"):
        read(Path(os.devnull))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"%!PS\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", id="EPS"),
        pytest.param(b"\xd7\xcd\xc6\x9a" + bytes(14) + b"\1\0\x09\0" + bytes(40), id="WMF"),
        pytest.param(b"GRIB\0\0\0\1", id="GRIB"),
        pytest.param(b"BUFR\0\0\0\1", id="BUFR"),
        pytest.param(b"\x89HDF\r\n\x1a\n", id="HDF5"),
    ],
)
def test_formats_that_pillow_only_names_are_not_opened(data):
    with pytest.raises(
        InputError, match=r"cannot read stdin: (EPS would be|it is not a picture|HDF5 is not)"
    ):
        opened(data)


def seeds():
    """Small files of many formats, by Pillow and by hand."""
    scene = Image.fromarray(noise(13, 11, 3, dtype=np.uint8))
    yield "16-bit PNG", png(noise(5, 4, 3, dtype=np.uint16))
    yield "16-bit TIFF", tiff(noise(5, 4, 3, dtype=np.uint16))
    yield "planar TIFF", tiff(noise(5, 4, 3, dtype=np.uint16), separate=True)
    yield "PPM of words", b"P3 1 2 300 1 2 3 4 5 300"
    for kind in (
        "PNG",
        "JPEG",
        "GIF",
        "WEBP",
        "JPEG2000",
        "BMP",
        "TGA",
        "SGI",
        "PCX",
        "ICO",
        "DDS",
        "QOI",
        "PPM",
    ):
        yield kind, saved(scene.quantize(16) if kind == "GIF" else scene, kind)


@pytest.mark.parametrize(("kind", "whole"), [pytest.param(*seed, id=seed[0]) for seed in seeds()])
def test_a_damaged_file_is_read_or_refused_in_one_line(kind, whole):
    """Cut at many lengths, and with bytes changed at random; nothing else may be raised, nor warned of."""
    rng = np.random.default_rng(0)
    damaged = [whole[:length] for length in range(1, len(whole), max(1, len(whole) // 40))]
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        damaged.append(bytes(data))
    messages = []
    for data in damaged:
        try:
            opened(data, max_pixels=100_000)
        except InputError as error:
            messages.append(str(error))
    assert messages
    assert all(message.isprintable() for message in messages)


def test_what_a_reader_says_reaches_no_terminal_unescaped():
    """Readers quote the file in their messages."""
    with (
        pytest.raises(InputError, match=r"^cannot read x: it is damaged \(a\\x1bb\\nc\)\.$"),
        formats.explained("x"),
    ):
        raise SyntaxError("a\x1bb\nc")


def test_values_that_are_not_finite_are_counted():
    """Both infinities at once have no sum, and numpy would warn."""
    picture = opened(tiff(np.float32([[np.inf, -np.inf, np.nan, 1.5]])))
    np.testing.assert_array_equal(picture.x, [[[np.inf, -np.inf, np.nan, 1.5]]])
    assert (picture.low, picture.high) == (1.5, 2.5)
    assert picture.remarks == ("not finite: 1 NaN, 1 inf, 1 -inf of 4 values", "values from 1.5 to 1.5")


def test_a_picture_that_is_too_large_is_refused_by_its_header():
    """It announces 2.5 thousand million pixels and has none."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(InputError, match="50000 x 50000 = 2,500,000,000 pixels; the limit is 500,000,000"):
        opened(data)
    with pytest.raises(InputError, match=r"2 x 1 = 2 pixels; the limit is 1, which --max-pixels raises"):
        opened(png(np.uint8([[1, 2]])), max_pixels=1)


def test_a_large_picture_inside_a_small_icon_is_refused():
    """The directory of the icon says 16 x 16, the PNG in it 300 x 300."""
    inner = png(np.zeros((300, 300, 3), np.uint8))
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 24, len(inner), 22) + inner
    with pytest.raises(InputError, match="the limit"):
        opened(icon, max_pixels=1000)


def test_the_limit_of_pillow_is_neither_obeyed_nor_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3)
    assert opened(png(np.zeros((4, 4), np.uint8))).size == HW(4, 4)
    with pytest.raises(InputError, match="the limit"):
        opened(png(np.zeros((4, 4), np.uint8)), max_pixels=5)
    assert Image.MAX_IMAGE_PIXELS == 3


def test_warnings_about_metadata_are_not_passed_on_and_others_are():
    """The EXIF announces more than it has, of which Pillow warns."""
    broken = struct.pack(">2sHIHHHII", b"MM", 42, 8, 1, 0x010F, 2, 100, 5000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert opened(png(np.uint8([[1]]), before=[chunk(b"eXIf", broken)])).size == HW(1, 1)
        with pytest.raises(UserWarning, match="still heard"):
            warnings.warn("still heard", stacklevel=1)


# --- the value itself


@pytest.mark.parametrize(
    ("x", "channels", "message"),
    [
        pytest.param(np.zeros((2, 2), np.float32), ("gray",), r"not float32 \(2, 2\)", id="two axes"),
        pytest.param(np.zeros((1, 2, 2)), ("gray",), "not float64", id="float64"),
        pytest.param(np.zeros((1, 0, 2), np.float32), ("gray",), r"\(1, 0, 2\)", id="no pixels"),
        pytest.param(
            np.zeros((2, 1, 1), np.float32), ("gray",), "1 names for 2 channels", id="a name missing"
        ),
    ],
)
def test_a_picture_is_checked_when_it_is_made(x, channels, message):
    with pytest.raises(InputError, match=message):
        Picture(x, channels)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param([[1, 2], [3]], "not an array of numbers", id="ragged"),
        pytest.param([["a"]], "holds <U1 values", id="text"),
        pytest.param([[1j]], "holds complex128 values", id="complex"),
        pytest.param([[1e300]], r"1e\+300 is too large for float32, at \[0\]\[0\]", id="beyond float32"),
        pytest.param([1, 2], "expected .height, width.", id="one axis"),
    ],
)
def test_numbers_in_python_that_are_no_planes_are_refused(value, message):
    with pytest.raises(InputError, match=message):
        as_picture(value)


def test_a_pillow_image_cut_off_is_told():
    data = png(noise(50, 50, 3, dtype=np.uint8))
    with (
        Image.open(io.BytesIO(data[: len(data) // 2])) as image,
        pytest.raises(InputError, match="the image"),
    ):
        as_picture(image)


def test_planes_lie_one_after_the_other_in_memory():
    assert raw(png(noise(5, 4, 3, dtype=np.uint8))).x.flags.c_contiguous


# --- writing


def test_a_written_png_has_its_pixels_and_its_words():
    samples = noise(5, 4, 3, dtype=np.uint8)
    file = io.BytesIO()
    png_file.write(file, samples, {"convviz": '{"a": "größer 大"}', "Title": "x"})
    np.testing.assert_array_equal(raw(file.getvalue()).x, channels_first(samples))
    with Image.open(io.BytesIO(file.getvalue())) as image:
        assert image.text == {"convviz": '{"a": "größer 大"}', "Title": "x"}


def test_a_sort_that_is_not_read_is_not_called_damaged():
    """A whole BMP whose header names a compression, in the bytes 30 to 33, that does not exist."""
    data = io.BytesIO()
    Image.new("RGB", (4, 4)).save(data, "BMP")
    changed = bytearray(data.getvalue())
    changed[30] = 99
    with pytest.raises(InputError, match=r"it is a kind of picture that Pillow does not read \(.*99.*\)\.$"):
        read(io.BytesIO(changed))


def test_a_preparation_is_what_torchvision_does(tmp_path):
    """300 x 600 becomes 256 x 512 and then its middle of 224; a picture of 0.485 in red is 0 there."""
    samples = np.zeros((300, 600, 3), np.float32) + np.float32([0.485, 0.456, 0.406])
    np.save(tmp_path / "x.npy", samples.transpose(2, 0, 1))
    picture = read(tmp_path / "x.npy", prepare="imagenet")
    assert picture.shape == (3, 224, 224)
    assert picture.remarks[0] == "resized from 300x600 to 256x512"
    np.testing.assert_allclose(picture.x, 0, atol=1e-6)
    assert read(tmp_path / "x.npy", prepare="imagenet", crop=200).shape == (3, 200, 200)


def test_what_pillow_logs_while_a_picture_is_read_reaches_nobody(caplog):
    log = logging.getLogger("PIL.PngImagePlugin")
    with decoding._quiet():
        log.error("while it is read")
    log.error("after that")
    assert caplog.messages == ["after that"]
