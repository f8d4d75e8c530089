"""``inspect`` and ``--like`` for files of networks and of the other commands."""

import json
import os

import numpy as np
import pytest
from PIL import Image

STACK = "conv 4 k3 | relu"


@pytest.fixture
def place(tmp_path):
    pixels = np.random.default_rng(4).integers(0, 256, (12, 14, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path


def last_line(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_command_of_a_net_makes_the_same_file(convviz, place):
    convviz("run", "photo.png", "--layers", STACK, "--seed", "3", "--layer", "relu1", "-o", "a.png")
    command = last_line(convviz("inspect", "a.png"))
    assert command == "convviz run INPUT --layers 'conv 4 k3 | relu' --seed 3 --layer relu1"
    convviz("run", "photo.png", "--layers", STACK, "--seed", "3", "--layer", "relu1", "-o", "b.png")
    convviz("run", "photo.png", "--like", "a.png", "-o", "c.png")
    assert (place / "a.png").read_bytes() == (place / "b.png").read_bytes() == (place / "c.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "name", "command"),
    [
        (
            ["animate", "--size", "4x4", "--transposed", "--stride", "2", "--style", "iso", "-o", "x.gif"],
            "x.gif",
            "convviz animate --stride 2 --size 4x4 --style iso --transposed",
        ),
        (
            ["explain", "photo.png", "--at", "3,4", "--map", "2", "-o", "x.svg"],
            "x.svg",
            "convviz explain INPUT --backend numpy --at 3,4 --map 2",
        ),
        (
            ["exercise", "--sheets", "2", "--size", "4x5", "-o", "x.html"],
            "x.html",
            "convviz exercise --size 4x5 --channels 1 --sheets 2",
        ),
        (
            ["pad", "photo.png", "--padding", "2", "--padding-mode", "reflect", "-o", "x.svg"],
            "x.svg",
            "convviz pad INPUT --padding 2,2,2,2 --padding-mode reflect",
        ),
    ],
)
def test_the_command_is_that_of_the_file(convviz, place, arguments, name, command):
    done = convviz(*arguments)
    assert done.returncode == 0, done.stderr
    assert last_line(convviz("inspect", name)) == command


def test_what_is_typed_wins_over_the_net_of_a_picture(convviz, place):
    convviz("run", "photo.png", "--layers", STACK, "-o", "net.png")
    one = convviz("run", "photo.png", "--like", "net.png", "--kernel", "sobel-x", "--json", "-o", "one.png")
    assert [row["name"] for row in json.loads(one.stdout)["maps"]] == ["sobel-x"]
    other = convviz("run", "photo.png", "--like", "net.png", "--layers", "relu", "--json", "-o", "other.png")
    assert [row["name"] for row in json.loads(other.stdout)["layers"]] == ["relu1"]
    convviz("run", "photo.png", "--kernel", "sobel", "--stride", "2", "-o", "layer.png")
    net = convviz("run", "photo.png", "--like", "layer.png", "--layers", "relu", "--json", "-o", "third.png")
    assert [row["name"] for row in json.loads(net.stdout)["layers"]] == ["relu1"]


def test_a_command_without_nets_refuses_the_picture_of_one(convviz, place):
    convviz("run", "photo.png", "--layers", STACK, "-o", "net.png")
    done = convviz("animate", "photo.png", "--like", "net.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds a network (--layers), but this command takes one layer" in done.stderr


def test_no_picture_runs_code(convviz, place):
    """A stranger may have written what a picture holds; the file would say so where its code is run."""
    (place / "net.py").write_text(
        "import pathlib, torch\npathlib.Path('ran').touch()\nNet = torch.nn.Conv2d(3, 2, 1)\n"
    )
    done = convviz("run", "photo.png", "--model", "net.py:Net", "-o", "made.png")
    assert done.returncode == 0, done.stderr
    (place / "ran").unlink()
    done = convviz("run", "photo.png", "--like", "made.png")
    assert done.returncode == 2
    assert "whose code no picture may run; give --model yourself" in done.stderr
    assert "--model" not in convviz("inspect", "made.png").stdout.split("convviz ", 1)[-1]
    assert not (place / "ran").exists()


def test_a_pipe_is_not_waited_for(convviz, place):
    os.mkfifo(place / "pipe.png")
    for arguments in (["inspect", "pipe.png"], ["run", "photo.png", "--like", "pipe.png"]):
        done = convviz(*arguments)
        assert done.returncode == 3
        assert "holds no settings" in done.stderr


@pytest.mark.parametrize("text", ['{"x": NaN}', '{"x": 1e999}'])
def test_numbers_that_json_lacks_are_nothing(convviz, place, text):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("convviz", text)
    Image.new("L", (2, 2)).save(place / "odd.png", pnginfo=info)
    done = convviz("inspect", "odd.png", "--json")
    assert json.loads(done.stdout)["x"] is None


def test_the_path_is_that_of_the_file(convviz, place):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("convviz", '{"path": "elsewhere", "command": ["run"]}')
    Image.new("L", (2, 2)).save(place / "odd.png", pnginfo=info)
    found = json.loads(convviz("inspect", "odd.png", "--json").stdout)
    assert (found["path"], found["command"]) == ("odd.png", "convviz run INPUT")


def test_names_of_other_encodings_are_written_and_escaped(convviz, place):
    name = os.fsdecode(b"k\xff\x1b[31m.csv")
    (place / name).write_text("1,2\n3,4\n")
    done = convviz("run", "photo.png", "-K", name, "-o", "x.png")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    again = convviz("run", "photo.png", "--like", "x.png", "-o", "y.png")
    assert again.returncode == 0, again.stderr
    assert (place / "x.png").read_bytes() == (place / "y.png").read_bytes()
    drawn = convviz("explain", "photo.png", "--at", "0,0", "-K", name, "-o", "x.svg")
    assert drawn.returncode == 0, drawn.stderr
    assert "\x1b" not in drawn.stdout


def test_quiet_paths_are_the_bytes_of_the_name(convviz, place):
    name = os.fsdecode(b"d\xff.png")
    (place / "photo.png").rename(place / name)
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "convviz", "run", name, "-q"], cwd=place, capture_output=True, check=False
    )
    assert done.stdout == b"d\xff-maps.png\n"


def test_json_has_no_characters_that_a_terminal_acts_upon(convviz, place):
    (place / "photo.png").rename(place / "p\x9b.png")
    done = convviz("run", "p\x9b.png", "--json", "-o", "x.png")
    assert "\x9b" not in done.stdout
    assert json.loads(done.stdout)["input"]["path"] == "p\x9b.png"


@pytest.mark.parametrize("layers", [[], ["--layers", STACK]], ids=["one layer", "a net"])
def test_what_is_drawn_beside_the_maps_is_stored_too(convviz, place, layers):
    wanted = ["--field", "3,4", "--effective", "--top", "2"]
    convviz("run", "photo.png", *layers, *wanted, "-o", "a.png")
    assert "--field 3,4 --effective --top 2" in last_line(convviz("inspect", "a.png"))
    done = convviz("run", "photo.png", "--like", "a.png", "-o", "b.png")
    assert done.returncode == 0, done.stderr
    assert (place / "a.png").read_bytes() == (place / "b.png").read_bytes()
