"""A thousand files, watched from outside: neither memory nor open files grow with them."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FILES = 1000
COMMAND = [sys.executable, "-m", "convviz", "batch", "photos", "maps", "--tile", "16", "-O", "1"]

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="watched by what Linux tells")


@pytest.fixture
def place(tmp_path):
    """A folder of small pictures, no two of them the same."""
    (tmp_path / "photos").mkdir()
    levels = np.arange(96 * 96, dtype=np.uint32).reshape(96, 96)
    for index in range(FILES):
        shades = ((levels * (index + 1)) % 251).astype(np.uint8)
        Image.fromarray(shades).save(tmp_path / "photos" / f"{index:04d}.png", compress_level=0)
    return tmp_path


def watched(number):
    """Memory of a process that belongs to it alone, in kB, and its open files."""
    status = Path(f"/proc/{number}/status").read_text().split("RssAnon:")[1]
    return int(status.split()[0]), len(list(Path(f"/proc/{number}/fd").iterdir()))


def processes(number):
    """A process and those it started, but for that of Python which tracks resources."""
    below = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    return [
        number,
        *(int(word) for word in below if b"spawn_main" in Path(f"/proc/{word}/cmdline").read_bytes()),
    ]


def test_neither_memory_nor_open_files_grow_and_a_second_run_finds_nothing_to_do(place):
    process = subprocess.Popen(
        [*COMMAND, "--workers", "2", "--report", "report.jsonl"],
        cwd=place,
        stdout=subprocess.PIPE,
        text=True,
    )
    report = place / "report.jsonl"
    seen = {}
    while process.poll() is None:
        done = report.read_bytes().count(b"\n") if report.exists() else 0
        # Everything is loaded after a quarter; near the end processes come to theirs.
        if FILES // 4 <= done <= FILES - 100:
            for number in processes(process.pid):
                seen.setdefault(number, []).append(watched(number))
        time.sleep(0.05)
    assert process.returncode == 0
    assert f"{FILES:,} of {FILES:,} pictures done" in process.stdout.read()
    process.stdout.close()
    assert len(seen) == 3
    for found in seen.values():
        assert len(found) >= 10
        memory, files = zip(*found, strict=True)
        # Each has done 300 files or more meanwhile. A leak of the floats of one picture a file would be
        # 11 MB; the heap of a process settles within 2.
        assert max(memory[-5:]) - max(memory[:3]) <= 3000, memory
        # One more may be open while it is looked at.
        assert max(files[-5:]) <= max(files[:5]) + 1, files
    # In the same test, for another may be run by another process, whose folder is another.
    done = subprocess.run(COMMAND, cwd=place, capture_output=True, text=True, check=True)
    assert f"0 of {FILES:,} pictures done" in done.stdout
    assert f"{FILES:,} unchanged since an earlier run" in done.stdout
