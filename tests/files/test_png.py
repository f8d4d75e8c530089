"""Our own PNG files, read by other people's readers."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convviz.files import png
from convviz.machine import parallel


def read(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image), image.text


@st.composite
def pictures(draw):
    """Noise above, runs below, so that both kinds of block are written."""
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 30)))
    channels = draw(st.sampled_from([None, 3, 4]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    pixels = rng.integers(0, 256, shape if channels is None else (*shape, channels)).astype(np.uint8)
    pixels[draw(st.integers(0, 40)) :] = 7
    return pixels


@settings(max_examples=150)
@given(pictures(), st.lists(st.integers(1, 9)), st.integers(1, 300), st.integers(1, 3))
def test_pixels_come_back_however_they_were_written(pixels, bands, piece, threads):
    file = io.BytesIO()
    height, width, *channels = pixels.shape
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png, "_PIECE_BYTES", piece)
        patch.setattr(parallel, "_limit", threads)
        writer = png.Writer(
            file, height, width, channels=channels[0] if channels else 1, text={"Title": "größer 大"}
        )
        top = 0
        for rows in [*bands, height]:
            writer.write(pixels[top : top + rows])
            top = min(top + rows, height)
        writer.close()
    made, text = read(file.getvalue())
    np.testing.assert_array_equal(made, pixels)
    assert text == {"Title": "größer 大"}


def test_the_bytes_do_not_depend_on_the_threads(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 9, (500, 700), np.uint8)
    monkeypatch.setattr(png, "_PIECE_BYTES", 10_000)
    made = []
    for threads in (1, 3):
        monkeypatch.setattr(parallel, "_limit", threads)
        file = io.BytesIO()
        png.write(file, pixels, {})
        made.append(file.getvalue())
    assert made[0] == made[1]


def test_the_chunks_are_those_of_the_specification():
    """Length, name, data and CRC of every chunk; the stream in IDAT is one that zlib alone takes whole."""
    file = io.BytesIO()
    png.write(file, np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8), {})
    data = file.getvalue()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert int.from_bytes(data[at + 8 + length : at + 12 + length], "big") == zlib.crc32(name + body)
        chunks.append((name, body))
        at += 12 + length
    assert [name for name, _ in chunks if name != b"IDAT"] == [b"IHDR", b"IEND"]
    # Width 2, height 1, 8 bits, colour type RGB, and the only compression, filtering and order there are.
    assert chunks[0][1] == bytes([0, 0, 0, 2, 0, 0, 0, 1, 8, 2, 0, 0, 0])
    stream = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    assert stream == bytes([2, 1, 2, 3, 4, 5, 6])  # the filter Up, whose row above the first is all zeros


def test_missing_rows_are_not_passed_over():
    writer = png.Writer(io.BytesIO(), 3, 2, channels=1, text={})
    writer.write(np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="the picture ends 1 row too early"):
        writer.close()
