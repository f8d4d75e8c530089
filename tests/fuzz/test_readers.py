"""Files from strangers: whatever the bytes, finite numbers or one line."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from readers import KINDS, read
from safetensors.numpy import save

from convviz.errors import InputError
from convviz.files import archives
from convviz.machine import memory

WEIGHT = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)


def saved(function, *arguments, **named):
    file = io.BytesIO()
    function(file, *arguments, **named)
    return file.getvalue()


def picture(kind):
    return saved(Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save, kind)


SEEDS = {
    ".json": [json.dumps(WEIGHT.tolist()).encode(), b"[[1e5, -2.5], [true, null]]"],
    ".csv": [b"1,2;3\n4 5 6\n\n7,8,9\n1,2,3\n"],
    ".npy": [saved(np.save, WEIGHT), saved(np.save, WEIGHT.astype(">f8").T)],
    ".npz": [saved(np.savez, weight=WEIGHT, bias=WEIGHT[:, 0, 0, 0]), saved(np.savez_compressed, a=WEIGHT)],
    ".safetensors": [save({"weight": WEIGHT}), save({"a": WEIGHT.astype(np.float16)})],
    ".png": [picture("PNG")[:33] + b'\0\0\0\x0btEXtconvviz\0{"a": "b"}' + picture("PNG")[33:]],
    ".svg": [b'<?xml version="1.0"?>\n<!-- convviz {"a": ["b"]} -->'],
    ".gif": [b'GIF89a!\xfe\x14convviz {"a": "bcd"}\0'],
    ".webp": [b'RIFFconvviz {"a": "b"}'],
    ".html": [b'<p></p><!-- convviz {"a": "b"} -->'],
    "picture": [picture(kind) for kind in ("PNG", "GIF", "BMP", "TIFF", "JPEG", "PPM", "TGA", "WEBP")],
    "taps": [
        b"1 2 1; 2 4 2; 1 2 1 / 16",
        b"[[1, 1/9], [-1e3, 0]]",
        b"gaussian:sigma=1.5,size=7",
        b"sobel-x@R",
    ],
}


@st.composite
def damaged(draw):
    """A good file with some bytes changed, left out or put in; or any bytes at all."""
    kind = draw(st.sampled_from(KINDS))
    data = bytearray(draw(st.sampled_from(SEEDS[kind])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        data[at : at + length] = draw(st.binary(max_size=8))
    return kind, draw(st.one_of(st.just(bytes(data)), st.just(bytes(data)), st.binary(max_size=200)))


@settings(max_examples=1500, suppress_health_check=list(HealthCheck))
@given(damaged())
def test_whatever_the_bytes_there_are_finite_numbers_or_one_line(case):
    read(*case)


def test_the_seeds_are_good_files():
    """Otherwise only the refusals would be tried."""
    for kind in (".npy", ".npz", ".safetensors", "picture", ".csv"):
        for data in SEEDS[kind]:
            read(kind, data)
    assert set(SEEDS) == set(KINDS)


def test_a_zip_that_unpacks_to_more_than_the_memory_is_refused(monkeypatch):
    """A hundred megabytes of zeros pack into a hundredth of that; here the machine has fifty."""
    monkeypatch.setattr(memory, "_ALWAYS", 0)
    monkeypatch.setattr(memory, "available", lambda: 50e6)
    data = saved(np.savez_compressed, weight=np.zeros((5000, 5000), np.float32))
    assert len(data) < 1e6
    with pytest.raises(InputError, match=r"'x', array 'weight' need 95\.4 MiB of memory, and 47\.7 MiB are"):
        archives.parse_archive(data, "'x'", ".npz")


def test_a_coverage_guided_fuzzer_finds_nothing_in_a_few_seconds(tmp_path):
    pytest.importorskip("atheris", reason="no wheel for this machine")
    for number, (kind, seeds) in enumerate(SEEDS.items()):
        for index, data in enumerate(seeds):
            (tmp_path / f"{number}-{index}").write_bytes(bytes([KINDS.index(kind)]) + data)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("readers.py")), "-runs=4000", "-seed=1", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 4000 runs" in done.stderr
