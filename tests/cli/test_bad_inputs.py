"""What nobody can mean: one line that says what, what is allowed and what to do; the status of its kind."""

import contextlib
import io
import os
import pickle
import re
import shlex
import socket
import struct
import tomllib
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from convviz.cli.app import status_of

# What Python says to programmers.
PYTHONS = re.compile(
    r"NoneType|invalid literal|could not convert|set_int_max_str_digits|object has no|positional argument"
    r"|codec can't|to unpack|<class|<_io|not subscriptable|out of range|embedded null|[a-z]Error\b"
)
CASES = tomllib.loads(Path(__file__).with_name("bad_inputs.toml").read_text(encoding="utf-8"))["case"]


class Bomb:
    """What would run code if it was loaded."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


def npy(array, *, allow_pickle=False):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=allow_pickle)
    return file.getvalue()


def npz(allow_pickle=False, **arrays):
    file = io.BytesIO()
    np.savez(file, allow_pickle=allow_pickle, **arrays)
    return file.getvalue()


def picture(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def png_of(width, height):
    """A PNG that says it has that size, with not one of its pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def state():
    """What torch.save writes of one layer."""
    file = io.BytesIO()
    torch.save({"weight": torch.ones(2, 3, 3, 3)}, file)
    return file.getvalue()


STATE = state()
PIXELS = np.random.default_rng(3).integers(0, 256, (12, 16, 3), np.uint8)
FIRST = picture(PIXELS)
OBJECTS = np.array([[Bomb()]], object)
HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000), }"
FILES = {
    "photo.png": picture(PIXELS),
    "gray.png": picture(PIXELS[:, :, 0]),
    "wide.png": picture(PIXELS[:1]),
    "truncated.png": picture(PIXELS)[:-200],
    "truncated.jpg": picture(PIXELS, "JPEG")[:-150],
    "empty.png": b"",
    "text.png": b"no picture",
    "drawing.eps": picture(PIXELS, "EPS"),
    "drawing.png": picture(PIXELS, "EPS"),
    "bomb.png": png_of(100_000, 100_000),
    "nan.json": b"[[1, NaN]]",
    "infinity.json": b"[[1], [Infinity]]",
    "huge.json": b"[[1e400]]",
    "true.json": b"[[1, true]]",
    "text.json": b'[[1, "1"]]',
    "null.json": b"[[null]]",
    "ragged.json": b"[[1, 2], [3]]",
    "object.json": b'{"weight": [[1]]}',
    "broken.json": b"[[1, 2]",
    "deep.json": b"[" * 2000 + b"1" + b"]" * 2000,
    "digits.json": b"[[" + b"9" * 5000 + b"]]",
    "empty.json": b"[]",
    "scalar.json": b"3",
    "five.json": b"[[[[[1]]]]]",
    "nan.csv": b"1,nan\n",
    "ragged.csv": b"1,2\n3\n",
    "text.csv": b"1,2\nx,3\n",
    "latin.csv": b"\xff1,2\n",
    "pickle.npy": npy(OBJECTS, allow_pickle=True),
    "pickle.npz": npz(weight=OBJECTS, allow_pickle=True),
    "truncated.npy": npy(np.ones((3, 3)))[:-1],
    "huge-header.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(HUGE)) + HUGE + bytes(8),
    "more.npy": npy(np.ones((3, 3))) + b"!",
    "complex.npy": npy(np.ones((3, 3), complex)),
    "words.npy": npy(np.array([["a"]])),
    "nan.npy": npy(np.array([[1, np.nan]])),
    "nothing.npy": npy(np.ones((0, 3))),
    "line.npy": npy(np.ones(3)),
    "four-planes.npy": npy(np.ones((4, 3, 3))),
    "planes.npy": npy(np.ones((4, 12, 16))),
    "four-axes.npy": npy(np.ones((2, 1, 2, 2))),
    "two.npz": npz(a=np.ones((3, 3)), b=np.ones((3, 3))),
    "nozip.npz": b"no zip",
    "bias.npz": npz(weight=np.ones((2, 3, 3, 3)), bias=np.ones(3)),
    "notensors.safetensors": b"\xff" * 20,
    "digits.toml": b"[[layer]]\ntype = " + b"9" * 5000,
    "deep.toml": b"a = " + b"[" * 5000 + b"]" * 5000,
    "latin.toml": b"[a]\nsize = '\xff'",
    "broken.toml": b"[a",
    "no-samples.ppm": b"P2 2 2 9 x y z 1",
    "no-size.ppm": b"P6 x 2 255 ",
    "no-chunk.png": FIRST[:40],
    "other-chunk.png": FIRST[:33] + b"\xff" * 30,
    "no-directory.tif": b"II*\0\xff\xff\xff\x7f",
    "odd-directory.tif": b"II*\0\x08\0\0\0\x02\0" + b"\x01\x01\x05\0\xff\xff\0\0" * 9,
    "cut.npz": npz(weight=np.ones((2, 3, 3, 3)))[:-30],
    "odd.npz": npz(weight=np.ones((2, 3, 3, 3))).replace(b"NUMPY", b"NUMQY"),
    "cut.pt": STATE[:-40],
    "odd.pt": STATE.replace(b"weight", b"w\xff\xff\xff\xff\xff"),
    "bytes.pt": bytes(200),
    "bytes.onnx": b"\xff" * 40,
    "words.onnx": b"no graph",
    "header.safetensors": struct.pack("<Q", 2) + b"{}" + bytes(9),
    "state.pt": pickle.dumps(Bomb()),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with all that goes wrong in it."""
    place = tmp_path_factory.mktemp("bad")
    for name, data in FILES.items():
        (place / name).write_bytes(data)
    for name in ("folder", "folder.npy", "folder.png"):
        (place / name).mkdir()
    (place / "folder" / "photo.png").write_bytes(FILES["photo.png"])
    for name in ("pipe.png", "pipe.npy"):
        os.mkfifo(place / name)
    (place / "device.png").symlink_to("/dev/zero")
    (place / "loop.png").symlink_to("loop.png")
    (place / "dangling.png").symlink_to("nowhere.png")
    (place / "link-to-photo.png").symlink_to("photo.png")
    os.link(place / "photo.png", place / "hard-link.png")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(place):
        listening.bind("socket.png")  # the whole path would be too long
    return place


def contents(folder):
    return {
        path.relative_to(folder): path.lstat().st_mtime_ns for path in folder.rglob("*") if not path.is_dir()
    }


def test_the_table_is_long_enough():
    assert len(CASES) >= 120
    assert len({case["command"] for case in CASES}) == len(CASES)


DAMAGED = sorted(name for name in FILES if name.split(".")[0].split("-")[0] in ("cut", "odd", "no", "bytes"))


@pytest.mark.parametrize("name", DAMAGED)
def test_no_damaged_file_is_explained_in_the_words_of_python(name, folder, monkeypatch, capsys):
    """Which words there are depends on the versions of the libraries; that they are for people does not."""
    monkeypatch.chdir(folder)
    command = ["layers", name] if name.endswith((".npz", ".pt", ".onnx")) else ["run", name]
    assert status_of(command) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot read" in line
    assert not PYTHONS.search(line), line


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["command"][:60])
def test_what_nobody_can_mean_is_one_line(case, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = contents(folder)
    status = status_of(shlex.split(case["command"]))
    stdout, stderr = capsys.readouterr()
    assert (status, stdout) == (case["status"], ""), stderr
    (line,) = stderr.splitlines()
    assert line.startswith("convviz: ")
    assert line.isprintable()
    for word in case["words"]:
        assert word in line
    assert not PYTHONS.search(line)
    # Nothing is written, not even in part; and what would run code did not.
    assert contents(folder) == before
    assert not (folder / "exploded").exists()
