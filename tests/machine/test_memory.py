"""How much memory there is, by what the system and its control groups tell."""

import math
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from convviz.errors import InputError, SpecError
from convviz.files import arrays
from convviz.machine import memory


@pytest.fixture
def two_gibibytes(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: float(2 << 30))


def test_what_fits_is_let_through(two_gibibytes):
    memory.need(2 << 30, "the maps", "ask for fewer")


def test_what_does_not_fit_is_refused_with_both_numbers_and_the_remedy(two_gibibytes):
    with pytest.raises(
        SpecError, match=r"^the maps need 3 GiB of memory, and 2 GiB are free; ask for fewer\.$"
    ):
        memory.need(3 << 30, "the maps", "ask for fewer")
    with pytest.raises(InputError):
        memory.need(3 << 30, "the pixels", "make it smaller", error=InputError)


def test_processes_that_work_at_once_share_it(two_gibibytes, monkeypatch):
    monkeypatch.setattr(memory, "_sharers", 4)
    memory.need(512 << 20, "the maps", "ask for fewer")
    with pytest.raises(SpecError, match="512 MiB are free"):
        memory.need(513 << 20, "the maps", "ask for fewer")


def test_nobody_is_asked_about_a_little(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: pytest.fail("asked"))
    memory.need(60 << 20, "the maps", "ask for fewer")


def write(folder, **numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in numbers.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_the_narrowest_group_of_version_2_counts(tmp_path):
    """The group itself has 900 of 1000 in use, of which 300 can be dropped; the one above has 150 left."""
    root, of = tmp_path / "cgroup", tmp_path / "self"
    of.write_text("0::/user/job\n")
    write(
        root / "user" / "job",
        memory__max=1000,
        memory__current=900,
        memory__stat="anon 600\ninactive_file 300",
    )
    write(root / "user", memory__max=2000, memory__current=1850, memory__stat="inactive_file 0")
    assert memory._of_groups(root, of) == 150
    write(root / "user", memory__max="max", memory__current=1850)
    assert memory._of_groups(root, of) == 400


def test_version_1_has_other_names(tmp_path):
    root, of = tmp_path / "cgroup", tmp_path / "self"
    of.write_text("7:cpu,cpuacct:/box\n4:memory:/box\n")
    write(root / "memory", memory__limit_in_bytes=500, memory__usage_in_bytes=100)
    assert memory._of_groups(root, of) == 400


def test_without_groups_nothing_is_limited(tmp_path):
    assert memory._of_groups(tmp_path, tmp_path / "missing") == math.inf


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux tells it in /proc/meminfo")
def test_the_machine_has_what_the_kernel_says():
    """To within a gibibyte, in one of a few tries: others take and give meanwhile."""
    assert any(abs(memory._of_machine() - free_of_the_kernel()) < 1 << 30 for _ in range(5))


def free_of_the_kernel():
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))


def test_a_limit_on_the_process_counts():
    """What is left of 3 GiB for an interpreter with this module loaded, which takes a few hundred MiB."""
    code = "from convviz.machine import memory; print(memory.available())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
    )
    assert 1 << 30 < float(done.stdout) < 3 << 30


@pytest.mark.parametrize(
    ("suffix", "text"), [(".json", b"[" + b"1," * 99_999 + b"1]"), (".csv", b"1," * 100_000)]
)
def test_a_text_of_more_numbers_than_fit_is_refused_before_it_is_read(monkeypatch, suffix, text):
    """A hundred thousand numbers of 52 bytes, where there are five million bytes."""
    monkeypatch.setattr(memory, "_ALWAYS", 0)
    monkeypatch.setattr(memory, "available", lambda: 5e6)
    with pytest.raises(InputError, match=r"^the 100,00[01] numbers of 'x' need 4\.96 MiB of memory"):
        arrays.parse_array(text, "'x'", suffix)
