"""The odd pictures by which Pillow tests itself: all that Pillow reads is done, all else is named."""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import PIL
import pytest

from convviz.files.finding import PICTURE_SUFFIXES
from convviz.images.formats import _NOT_READ

# What Pillow reads and convviz refuses, with words of the reason.
REFUSED = {
    "limit": "larger than what --max-pixels allows",
    "memory": "more than the memory",
    "separate channels of 16 bits that are not RGB or RGBA": "Pillow takes the bytes of those for samples",
}


@pytest.fixture(scope="module")
def corpus(request):
    """The pictures in the source distribution of the Pillow that is installed; fetched once, and kept."""
    kept = request.config.cache.mkdir("pillow-corpus")
    folder = kept / f"pillow-{PIL.__version__}"
    if folder.is_dir():
        return folder / "Tests" / "images"
    # Another process of the tests may be at it too.
    with tempfile.TemporaryDirectory(dir=kept) as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        try:
            subprocess.run(
                [*command, "--dest", place, f"pillow=={PIL.__version__}"],
                check=True,
                capture_output=True,
                timeout=240,
            )
        except (subprocess.SubprocessError, OSError):
            pytest.skip("the source distribution of Pillow cannot be had here")
        (archive,) = Path(place).glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(place, filter="data")
        try:
            (Path(place) / folder.name).rename(folder)
        except OSError:
            assert folder.is_dir()
    return folder / "Tests" / "images"


READ = """
from pillow_heif import register_heif_opener
register_heif_opener()
import sys, warnings
from PIL import Image
warnings.simplefilter("ignore")
for path in sys.stdin.read().splitlines():
    try:
        image = Image.open(path)
        image.load()
    except Exception:
        continue
    print(image.format, path)
"""


def read_by_pillow(paths):
    """List what Pillow itself reads, in a process of its own, where nothing has changed its settings."""
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found = [line.split(" ", 1) for line in done.stdout.splitlines()]
    return {path for kind, path in found if kind not in _NOT_READ}


def test_all_that_pillow_reads_is_done_and_all_else_is_named(corpus, tmp_path):
    by_ending = {}
    for path in sorted(corpus.rglob("*")):
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir():
            by_ending.setdefault(path.suffix.lower(), []).append(path)
    assert sum(map(len, by_ending.values())) > 500
    # Every ending, and of those with many files every third.
    chosen = [path for found in by_ending.values() for path in found[:: 1 if len(found) < 9 else 3]]
    files = {
        path.relative_to(corpus).as_posix(): tmp_path / "photos" / path.relative_to(corpus) for path in chosen
    }
    for name, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(corpus / name, path)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "convviz", "batch", tmp_path / "photos", tmp_path / "maps"),
            *("--kernel-size", "1"),
            *("-O", "1", "--tile", "32", "--timeout", "60", "--workers", "2"),
            *("--report", tmp_path / "report.jsonl", "--max-pixels", "20000000"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    lines = [line for line in lines if line["status"] != "passed over"]
    assert {line["path"] for line in lines} == files.keys()
    wrong, read = [], read_by_pillow(files.values())
    for line in lines:
        reason = line["reason"] or ""
        assert reason.isprintable()
        assert line["path"] in done.stderr or not reason
        allowed = any(words in reason for words in REFUSED)
        if (str(files[line["path"]]) in read) != (line["status"] == "done") and not allowed:
            wrong.append((line["path"], line["status"], reason))
    assert not wrong, "\n".join(map(str, wrong))
