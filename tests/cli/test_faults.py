"""What a command meets outside of itself: streams, terminals, disks, names and signals."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from moments import Moments, reached_main
from PIL import Image

PROGRAM = [sys.executable, "-m", "convviz"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="made of the means of Linux")


@pytest.fixture
def place(tmp_path):
    """A folder with one small picture."""
    pixels = np.random.default_rng(1).integers(0, 256, (24, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path


def run(place, *arguments, env=None, **options):
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=place,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        check=False,
        timeout=60,
        **{"stdout": subprocess.PIPE, **options},
    )


def half_written(place):
    return [path for path in place.rglob("*") if path.name.startswith(".convviz-")]


ANSWERS = [
    pytest.param(["--help"], id="help"),
    pytest.param(["shape", "3x224x224"], id="lines"),
    pytest.param(["kernels"], id="a table"),
    pytest.param(["run", "photo.png", "--table"], id="many lines"),
    pytest.param(["run", "photo.png", "--quiet"], id="a path"),
    pytest.param(["run", "photo.png", "--json"], id="JSON"),
    pytest.param(["explain", "photo.png", "--at", "1,1"], id="numbers"),
    pytest.param(["batch", ".", "out", "--pattern", "photo.png"], id="a batch"),
]


@LINUX
@pytest.mark.parametrize("arguments", ANSWERS)
def test_an_answer_that_cannot_be_written_is_an_output_error_in_one_line(place, arguments):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = run(place, *arguments, stdout=full)
    assert done.returncode == 4
    assert done.stderr.decode().splitlines()[-1] == (
        "convviz: cannot write to stdout: the disk is full; free some space."
    )
    assert b"Traceback" not in done.stderr


@LINUX
@pytest.mark.parametrize("arguments", ANSWERS)
def test_whoever_reads_no_further_makes_no_error(place, arguments):
    """Whoever reads is gone before the first byte: the pipe has no other end."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = run(place, *arguments, stdout=pipe)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"pipe" not in done.stderr


@LINUX
@pytest.mark.parametrize(
    ("closed", "status"), [(0, 0), (1, 4), (2, 0)], ids=["closed stdin", "closed stdout", "closed stderr"]
)
@pytest.mark.parametrize("arguments", ANSWERS[1:4])
def test_a_closed_stream_harms_no_file(place, arguments, closed, status):
    """The next file that is opened would take the number of a closed stream, and what is printed."""
    command = " ".join([*PROGRAM, *arguments])
    redirected = ["<&-", ">&-", "2>&-"][closed]
    done = subprocess.run(
        ["sh", "-c", f"{command} {redirected}"], cwd=place, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    for path in place.glob("*-maps.png"):
        with Image.open(path) as picture:
            picture.load()


@LINUX
def test_closed_stdin_is_an_empty_input(place):
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(PROGRAM)} run - <&-"],
        cwd=place,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert done.stderr == b"convviz: cannot read stdin: it is empty.\n"


@LINUX
def test_remarks_that_cannot_be_written_are_left_out(place):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [*PROGRAM, "run", "photo.png"], cwd=place, stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[-1] == "photo-maps.png"


EVERY_COMMAND = """
import json, sys
from convviz.cli.app import begin, status_of
begin()
for words in json.loads(sys.argv[1]):
    print(end="\\0", flush=True)
    if status := status_of(words):
        sys.exit(status)
"""


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"TERM": "dumb"}, id="a dumb terminal"),
        pytest.param({"NO_COLOR": "1"}, id="no colour"),
        pytest.param({"FORCE_COLOR": "1"}, id="colour by force"),
        pytest.param({"COLUMNS": "0"}, id="no columns"),
        pytest.param({"COLUMNS": "1"}, id="one column"),
        pytest.param({"COLUMNS": "40"}, id="narrow"),
        pytest.param({"COLUMNS": "wide"}, id="columns that are no number"),
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="ASCII alone"),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, id="Latin letters alone"),
        pytest.param(
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="a locale of ASCII alone"
        ),
        pytest.param({"HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere"}, id="no home"),
        pytest.param({"PYTHONOPTIMIZE": "2"}, id="python -OO"),
    ],
)
def test_every_terminal_shows_the_numbers(place, env):
    """One process does all the commands: what is about a terminal is set up before the first."""
    commands = [
        ["run", "photo.png", "-K", "box", "--table"],
        ["run", "photo.png", "--show"],
        ["explain", "photo.png", "--at", "1,1"],
        ["shape", "3x24x30", "--target", "12x15"],
        ["run", "--help"],
        ["run", "photo.png", "--json"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", EVERY_COMMAND, json.dumps(commands)],
        cwd=place,
        capture_output=True,
        env={**os.environ, **env},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    *answers, document = done.stdout.split(b"\0")[1:]
    assert len(answers) == len(commands) - 1
    for answer in answers:
        assert len(answer.split()) > 15
    assert json.loads(document)["output_shape"] == [6, 22, 28]


def test_help_says_what_a_command_does_even_where_texts_are_left_out(place):
    done = run(place, "run", "--help", env={"PYTHONOPTIMIZE": "2"})
    assert b"Convolve INPUT with the chosen filters" in done.stdout


# --- names

NAMES = [
    pytest.param(b"[red]x[/red].png", id="markup"),
    pytest.param(b"[/].png", id="an end of markup"),
    pytest.param(b":smile:.png", id="an emoji code"),
    pytest.param(b"\x1b[31mred\x1b]0;title\x07.png", id="escapes"),
    pytest.param(b"two\nlines.png", id="a line break"),
    pytest.param(b"back\rspace\x08.png", id="control characters"),
    pytest.param(b"-o.png", id="a hyphen in front"),
    pytest.param(b"--help.png", id="two hyphens in front"),
    pytest.param(b"@R.png", id="an at sign"),
    pytest.param(b"a b 'c' \"d\" $e `f` \\g.png", id="what shells act upon"),
    pytest.param("gr\u00f6\u00dfe \u202egnp.png".encode(), id="letters that run backwards"),
    pytest.param("e\u0301.png".encode(), id="a combined letter"),
    pytest.param(b"\xff\xfe.png", id="no UTF-8"),
    pytest.param(b"n" * 251 + b".png", id="255 bytes"),
    pytest.param("\u00e4".encode() * 125 + b"x.png", id="255 bytes of two-byte letters"),
    pytest.param(b"%s%n{0}.png", id="formats"),
]


def shows_nothing_else(text):
    """Return whether text of ours has nothing that a terminal acts upon."""
    return all(line.isprintable() for line in text.decode().split("\n"))


@pytest.fixture(scope="module")
def any_names(tmp_path_factory):
    """Two folders of files of those names, pictures and others; each is done by one batch."""
    place = tmp_path_factory.mktemp("names")
    Image.new("RGB", (9, 8), (20, 90, 200)).save(place / "photo.png")
    for folder, data in (("photos", (place / "photo.png").read_bytes()), ("broken", b"no picture")):
        for name in NAMES:
            source = place / folder / os.fsdecode(name.values[0])
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_bytes(data)
    done = run(place, "batch", "photos", "out", "--report", "report.jsonl", "--tile", "16")
    assert done.returncode == 0, done.stderr
    assert shows_nothing_else(done.stdout + done.stderr)
    again = run(place, "batch", "photos", "out", "--tile", "16")
    assert f"{len(NAMES)} unchanged".encode() in again.stdout
    failed = run(place, "batch", "broken", "none")
    assert failed.returncode == 6
    assert b"Traceback" not in failed.stderr
    assert failed.stderr.count(b"\n") >= len(NAMES)
    assert shows_nothing_else(failed.stdout + failed.stderr)
    return place


@LINUX
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_done_and_shown_without_what_a_terminal_acts_upon(convviz, any_names, name):
    path = f"photos/{os.fsdecode(name)}"
    lines = map(json.loads, (any_names / "report.jsonl").read_text().splitlines())
    (line,) = [line for line in lines if os.fsencode(line["path"]) == name]
    with Image.open(any_names / line["output"]) as picture:
        picture.load()
    alone = convviz("run", path, "--output", "alone.png", "--json", cwd=any_names)
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["input"]["path"] == path
    plain = convviz("run", path, cwd=any_names)
    assert plain.returncode == 0, plain.stderr
    assert shows_nothing_else(plain.stdout.encode())
    assert shows_nothing_else(plain.stderr.encode())


@LINUX
def test_a_name_that_is_no_utf_8_passes_through_the_streams_of_a_process(any_names):
    alone = run(any_names, "run", b"photos/\xff\xfe.png", "--output", "process.png", "--json")
    assert alone.returncode == 0, alone.stderr
    assert os.fsencode(json.loads(alone.stdout)["input"]["path"]) == b"photos/\xff\xfe.png"
    plain = run(any_names, "run", b"photos/\xff\xfe.png")
    assert plain.returncode == 0, plain.stderr
    assert shows_nothing_else(plain.stdout + plain.stderr)


@LINUX
@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_of_any_name_is_named_without_what_a_terminal_acts_upon(convviz, any_names, name):
    for command in ("run", "inspect"):
        done = convviz(command, f"broken/{os.fsdecode(name)}", cwd=any_names)
        assert done.returncode == 3
        assert shows_nothing_else(done.stderr.encode())


# --- disks


@contextlib.contextmanager
def mounted(folder, *options):
    """A small file system of its own, where that is allowed."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", *options, "none", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


WRITERS = [
    pytest.param(["run", "photo.png", "-o", "disk/x.png", "--tile", "full", "-O", "64"], id="a sheet"),
    pytest.param(["run", "photo.png", "--maps", "disk/maps", "-O", "99"], id="maps"),
    pytest.param(["run", "photo.png", "--save", "disk/x.npz", "-O", "64"], id="npz"),
    pytest.param(["run", "photo.png", "--save", "disk/x.npy", "-O", "64"], id="npy"),
    pytest.param(["run", "photo.png", "--save", "disk/x.safetensors", "-O", "64"], id="safetensors"),
    pytest.param(["animate", "--size", "12x12", "-o", "disk/x.gif"], id="an animation"),
    pytest.param(["animate", "--size", "12x12", "--frames", "disk/frames"], id="frames"),
    pytest.param(["explain", "photo.png", "--at", "1,1", "-o", "disk/x.png"], id="a drawing"),
    pytest.param(["pad", "photo.png", "-p", "3", "-o", "disk/x.svg"], id="an SVG"),
]


@LINUX
@pytest.mark.parametrize("arguments", WRITERS)
def test_a_full_disk_leaves_no_part_of_a_file(convviz, place, arguments):
    with mounted(place / "disk", "-o", "size=12k") as disk:
        done = convviz(*arguments)
        assert done.returncode == 4
        assert done.stderr.splitlines()[-1].endswith("the disk is full; free some space.")
        assert "Traceback" not in done.stderr
        assert not half_written(disk)
        for path in disk.rglob("*.png"):
            with Image.open(path) as picture:
                picture.load()


@LINUX
def test_a_batch_onto_a_full_disk_says_so_of_every_file_and_goes_on_when_there_is_room(place):
    (place / "photos").mkdir()
    for index in range(4):
        os.link(place / "photo.png", place / "photos" / f"{index}.png")
    with mounted(place / "disk", "-o", "size=200k") as disk:
        (disk / "fill").write_bytes(bytes(150_000))
        done = run(place, "batch", "photos", "disk/out")
        assert done.returncode == 6
        assert done.stderr.count(b"the disk is full") == 4
        assert not half_written(disk)
        (disk / "fill").unlink()
        subprocess.run(["mount", "-o", "remount,size=2m", disk], check=True)
        assert b"4 of 4 pictures done" in run(place, "batch", "photos", "disk/out").stdout


@LINUX
def test_a_folder_that_cannot_be_written_to_is_told(place):
    with mounted(place / "disk") as disk:
        (disk / "photo.png").write_bytes((place / "photo.png").read_bytes())
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for arguments in (
            ["run", "photo.png"],
            ["batch", ".", "out"],
            ["run", "photo.png", "-o", "../x.png", "--save", "x.npz"],
            ["batch", ".", "../out", "--report", "report.jsonl"],
        ):
            done = run(disk, *arguments)
            assert done.returncode == 4
            assert (
                done.stderr.decode()
                .splitlines()[-1]
                .endswith("the file system is read-only; choose another folder.")
            )
        assert run(disk, "run", "photo.png", "-o", "../x.png", env={"HOME": str(disk)}).returncode == 0


# --- signals


@LINUX
@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, b"interrupted."), (signal.SIGTERM, 143, b"ended by SIGTERM.")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_run_that_is_ended_at_any_moment_leaves_nothing_half_written(tmp_path, number, status, word):
    """Moments from the start to the end of a run that writes a sheet, maps and arrays."""
    pixels = np.random.default_rng(1).integers(0, 256, (450, 600, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png", compress_level=1)
    command = [*PROGRAM, "run", "photo.png", "--tile", "full", "--maps", "maps", "--save", "x.npz"]
    moments = Moments(number, wanted=6)
    for seconds in moments:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        time.sleep(seconds)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        if process.returncode == 0:
            moments.came_too_late()
        elif process.returncode in (1, -number):
            assert not reached_main(stderr.decode()), stderr
            moments.came_too_early()
        else:
            moments.met()
            assert process.returncode == status, stderr
            assert b"Traceback" not in stderr
            assert stderr.splitlines()[-1] == b"convviz: " + word
        assert not half_written(tmp_path)
        for path in tmp_path.rglob("*.png"):
            with Image.open(path) as picture:
                picture.load()
        if (tmp_path / "x.npz").exists():
            with np.load(tmp_path / "x.npz") as stored:
                assert stored["maps"].shape == (6, 448, 598)
