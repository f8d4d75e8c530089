"""How our files are known, and what they tell of themselves."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convviz.files import marks, png
from convviz.render.drawings.drawing import Drawing
from convviz.render.drawings.film import encode
from convviz.results import outputs

WORDS = {"kernel": ["a--b", "größer"], "stride": "2", "long": "x" * 1000}


def archive(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def tensors(header, body):
    """A safetensors file by hand: the length of the header, the header, the numbers."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PNG_START = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
PIXELS = chunk(b"IDAT", zlib.compress(b"\0\0"))


@pytest.mark.parametrize(
    ("name", "data", "ours"),
    [
        pytest.param("x.png", PNG_START + chunk(b"tEXt", b"convviz\0{}") + PIXELS, True, id="tEXt"),
        pytest.param("x.png", PNG_START + chunk(b"iTXt", b"convviz\0\0\0\0\0{}") + PIXELS, True, id="iTXt"),
        pytest.param(
            "x.png", PNG_START + chunk(b"tEXt", b"Title\0convviz\0") + PIXELS, False, id="another key"
        ),
        pytest.param("x.png", PNG_START + chunk(b"tEXt", b"convvizard\0") + PIXELS, False, id="a longer key"),
        pytest.param("x.png", PNG_START + PIXELS, False, id="png without text"),
        pytest.param("x.png", b"tEXtconvviz\0", False, id="no png"),
        pytest.param("x.npz", b"PK\5\6" + bytes(16) + b"\2\0hi", False, id="zip with another comment"),
        pytest.param("x.npz", b"PK", False, id="no zip"),
        pytest.param(
            "x.safetensors", tensors({"__metadata__": {"format": "pt"}}, b""), False, id="weights of torch"
        ),
        pytest.param("x.safetensors", tensors(b'{"__metadata__":null}', b""), False, id="no metadata"),
        pytest.param("x.safetensors", tensors(b"[" * 500_000, b""), False, id="header without end"),
        pytest.param("x.safetensors", b"", False, id="no bytes"),
        pytest.param("x.npy", b"\x93NUMPY\1\0convviz {}", False, id="npy has no place for a mark"),
        pytest.param("x.txt", b"convviz", False, id="other files"),
    ],
)
def test_a_file_is_ours_by_its_mark_alone(tmp_path, name, data, ours):
    assert marks.is_ours(archive(tmp_path, name, data)) is ours


def test_our_own_pictures_are_ours(tmp_path):
    path = tmp_path / "x.png"
    with path.open("wb") as file:
        png.write(file, np.zeros((2, 3), np.uint8), marks.signed_text(WORDS))
    assert marks.is_ours(path)


def test_a_missing_file_is_not_ours():
    assert marks.is_ours(Path("no", "such.png")) is False


@pytest.mark.parametrize(
    "name",
    [
        "x.png",
        "x.svg",
        "x.pdf",
        "x.jpg",
        "x.html",
        "x.md",
        "x.npz",
        "x.safetensors",
        "x.gif",
        "x.webp",
        "x.apng",
    ],
)
def test_what_is_stored_is_read_again(tmp_path, name):
    path = tmp_path / name
    if name in ("x.gif", "x.webp", "x.apng"):
        frames = [Image.new("RGB", (4, 4), (shade,) * 3) for shade in (0, 1)]
        text = marks.signed_text(WORDS)[marks.MARK]
        path.write_bytes(encode(frames, path.suffix, times=[100] * len(frames), mark=marks.MARK, text=text))
    elif name in ("x.html", "x.md"):
        outputs.write_page("<p>-- a page --</p>\n", path, WORDS)
    elif name in ("x.npz", "x.safetensors"):
        outputs.save_arrays({"maps": np.zeros((1, 2, 2), np.float32)}, path, WORDS)
    else:
        outputs.write_sheet(Drawing(4, 4, (255, 255, 255), []), path, WORDS)
    assert marks.description_of(path) == WORDS


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="no end"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"[" * 100_000, id="lists without end"),
        pytest.param(b'{"a": \xff}', id="no text"),
    ],
)
def test_a_mark_with_other_words_describes_nothing(tmp_path, text):
    path = archive(tmp_path, "x.png", PNG_START + chunk(b"tEXt", b"convviz\0" + text) + PIXELS)
    assert marks.description_of(path) is None
    assert marks.is_ours(path)


@pytest.mark.parametrize("name", ["missing.png", "folder.png"])
def test_what_is_no_file_describes_nothing(tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    assert marks.description_of(tmp_path / name) is None
