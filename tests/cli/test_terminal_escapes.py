"""No command hands a terminal what it would act upon, wherever names come from."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from convviz.cli.app import COMMANDS, status_of

# Red, the title of the window, a sequence begun by one byte, letters that run backwards, a line of its own.
ACTS = "\x1b[31m\x1b]0;x\x07\x9b2J\u202e\nnext"
LAYER = f"{ACTS}.conv"
NUMBERS, WEIGHTS, KERNEL, NET = f"{ACTS}.json", f"{ACTS}.safetensors", f"k{ACTS}.json", f"n{ACTS}.toml"
MAPS = f"m{ACTS}.safetensors"
TRAINED = ("--weights", WEIGHTS, "--layer", LAYER)

ANSWERS = [
    ("run", NUMBERS, *TRAINED, "--table", "--partial", "--flip", "--field", "1,1", "--code"),
    ("run", NUMBERS, *TRAINED, "--save", f"{ACTS}.npz"),
    ("run", NUMBERS, "-K", KERNEL, "--maps", f"m{ACTS}"),
    ("run", NUMBERS, "--json", *TRAINED),
    ("run", NUMBERS, "--net", NET, "--field", "1,1"),
    ("run", NUMBERS, "--net", NET, "--layer", "conv"),
    ("explain", NUMBERS, "--at", "1,1", "-o", f"e{ACTS}.svg", *TRAINED),
    ("explain", NUMBERS, "--pixel", "1,1", *TRAINED),
    ("explain", NUMBERS, "--weight", "0,0,1,1", *TRAINED),
    ("explain", NUMBERS, "--as-matrix", *TRAINED),
    ("pad", NUMBERS, "--padding", "1", "-o", f"p{ACTS}.png"),
    ("animate", NUMBERS, "-K", KERNEL, "-o", f"a{ACTS}.gif"),
    ("explore", NUMBERS, "-o", f"x{ACTS}.html", *TRAINED),
    ("code", NUMBERS, *TRAINED),
    ("code", NUMBERS, "-K", KERNEL),
    ("exercise", "-K", KERNEL),
    ("exercise", "-o", f"w{ACTS}.html"),
    ("shape", NUMBERS),
    ("shape", "1x6x6", "--net", NET),
    ("shape", "1x6x6", "--net", NET, "--counts"),
    ("kernels", "1 2 1"),
    ("layers", WEIGHTS),
    ("layers", WEIGHTS, "--json"),
    ("filters", WEIGHTS, "--layer", LAYER, "-o", f"f{ACTS}.png"),
    ("maps", MAPS, "-o", f"s{ACTS}.png"),
    ("look", NUMBERS, "--net", NET, "-o", f"l{ACTS}.png"),
    ("best", f"in{ACTS}", "-o", f"b{ACTS}.png", *TRAINED),
    ("diff", WEIGHTS, WEIGHTS),
    ("diff", NET, NET, NUMBERS, "-o", f"d{ACTS}.png"),
    ("inspect", "made.png"),
    ("batch", f"in{ACTS}", f"out{ACTS}", *TRAINED),
    ("bench", NUMBERS, "-K", KERNEL),
]  # fmt: skip
COMPLAINTS = [
    ("kernels", KERNEL),
    ("run", f"no{ACTS}.png"),
    ("run", NUMBERS, "-K", f"no{ACTS}"),
    ("layers", f"no{ACTS}.pt"),
    ("filters", WEIGHTS, "--layer", f"no{ACTS}"),
    ("maps", MAPS, "--array", f"no{ACTS}"),
    (f"no{ACTS}",),
    ("run", NUMBERS, f"--no{ACTS}"),
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which every name has what a terminal acts upon."""
    folder = tmp_path_factory.mktemp("names")
    (folder / NUMBERS).write_text(json.dumps([list(range(row, row + 6)) for row in range(6)]))
    (folder / KERNEL).write_text("[[0, 1], [2, 3]]")
    save_file({f"{LAYER}.weight": np.ones((2, 1, 3, 3), np.float32)}, folder / WEIGHTS)
    save_file({ACTS: np.ones((2, 3, 3), np.float32)}, folder / MAPS)
    (folder / NET).write_text("[[layer]]\nname = 'conv'\ntype = 'conv'\nout_channels = 2\nkernel_size = 3\n")
    (folder / f"in{ACTS}").mkdir()
    Image.new("L", (5, 4), 99).save(folder / f"in{ACTS}" / f"{ACTS}.png")
    return folder


def printed(words, capsys):
    """Run a command in this process; give its status and all that it prints."""
    status = status_of([*words, *(["--force"] if "-o" in words else [])])
    told = capsys.readouterr()
    return status, told.out + told.err


def without_escapes(words):
    return " ".join(words).replace(ACTS, "").strip()


@pytest.mark.parametrize("words", ANSWERS, ids=without_escapes)
def test_no_answer_holds_what_a_terminal_acts_upon(words, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    if words[0] == "inspect":
        printed(["run", NUMBERS, "-K", KERNEL, "-o", "made.png", "--quiet"], capsys)
    status, told = printed(words, capsys)
    assert status == 0, told
    assert told
    assert all(line.isprintable() for line in told.split("\n")), told


@pytest.mark.parametrize("words", COMPLAINTS, ids=without_escapes)
def test_no_complaint_holds_what_a_terminal_acts_upon(words, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    status, told = printed(words, capsys)
    assert status in (2, 3)
    (line,) = told.splitlines()
    assert line.isprintable()


def test_every_command_is_given_names_that_a_terminal_acts_upon():
    assert {words[0] for words in ANSWERS} == set(COMMANDS)


@pytest.mark.parametrize("command", ["animate", "explain"])
def test_a_name_in_a_complaint_is_escaped_once(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_text("[[1, 2], [3, 4]]")
    np.save(tmp_path / "three\x1b.npy", np.ones((1, 3, 1, 1)))
    np.save(tmp_path / "five\x1b.npy", np.ones((1, 1, 1, 1, 1)))
    words = ["--at", "0,0"] if command == "explain" else []
    for name in ("three", "five"):
        assert status_of([command, "x.json", *words, "-K", f"{name}\x1b.npy"]) in (2, 3)
        shown = capsys.readouterr().err
        assert f"'{name}\\x1b" in shown
