"""Where commands write: stdout in the place of a file, large pictures, and what is replaced."""

import io
import json
import sys
import warnings

import numpy as np
import pytest
import typer
from PIL import Image, PngImagePlugin

from convviz.cli import writing
from convviz.cli.app import COMMANDS, make_app, status_of
from convviz.cli.settings import NOT_OFFERED
from convviz.errors import OutputError
from convviz.files import marks


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a small picture and a file of numbers, which is the current one."""
    pixels = np.random.default_rng(4).integers(0, 256, (12, 14, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    (tmp_path / "numbers.csv").write_text("1,2,3,4\n5,6,7,8\n9,8,7,6\n5,4,3,2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(monkeypatch):
    """Run a command in this process; give its status, its bytes on stdout and its text on stderr."""

    def run(*arguments, terminal=False):
        out, err = io.BytesIO(), io.StringIO()
        stdout = io.TextIOWrapper(out, encoding="utf-8")
        stdout.isatty = lambda: terminal
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", err)
        status = status_of([str(argument) for argument in arguments])
        assert sys.stdout is stdout
        return status, out.getvalue(), err.getvalue()

    return run


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (["run", "numbers.csv"], b"\x89PNG"),
        (["run", "numbers.csv", "-q"], b"\x89PNG"),
        (["run", "photo.png", "--layers", "conv 2 k3 | relu"], b"\x89PNG"),
        (["explain", "numbers.csv", "--at", "0,0"], b"\x89PNG"),
        (["pad", "numbers.csv"], b"\x89PNG"),
        (["animate", "numbers.csv", "-K", "box"], b"GIF89a"),
        (["explore", "numbers.csv"], b"<!doctype html>"),
    ],
    ids=lambda value: "-".join(value[:1]) if isinstance(value, list) else "",
)
def test_a_dash_writes_the_bytes_of_the_file_to_stdout_and_nothing_else(place, call, arguments, begins):
    before = sorted(place.iterdir())
    status, out, err = call(*arguments, "-o", "-")
    assert status == 0, err
    assert out.startswith(begins)
    assert sorted(place.iterdir()) == before
    suffix = {b"GIF89a": "gif", b"<!doctype html>": "html"}.get(begins, "png")
    call(*arguments, "-o", f"file.{suffix}")
    assert out == (place / f"file.{suffix}").read_bytes()


def test_exact_numbers_go_to_stdout_as_an_archive_of_numpy(place, call):
    status, out, err = call("run", "numbers.csv", "-k", "2", "-K", "1 0; 0 0", "--save", "-")
    assert status == 0, err
    # The kernel takes the pixel at the top left of each window.
    np.testing.assert_array_equal(np.load(io.BytesIO(out))["maps"], [[[1, 2, 3], [5, 6, 7], [9, 8, 7]]])
    assert "sobel" not in err
    assert "1 two-dimensional kernel" in err  # the report


@pytest.mark.parametrize(
    ("options", "terminal", "message"),
    [
        (["-o", "-", "--save", "-"], False, "save: another option writes to stdout already"),
        (["-o", "-", "--json"], False, "output: --json prints to stdout"),
        (["-o", "-"], True, "output: - writes a file of type .png to stdout, which is a terminal"),
        (["--save", "-"], True, "save: - writes a file of type .npz to stdout, which is a terminal"),
    ],
)
def test_stdout_takes_one_file_and_no_terminal_takes_any(place, call, options, terminal, message):
    status, out, err = call("run", "numbers.csv", *options, terminal=terminal)
    assert (status, out) == (2, b"")
    assert message in err


@pytest.mark.parametrize(
    ("command", "option"), [("run photo.png", "maps"), ("animate", "frames"), ("animate", "gallery")]
)
def test_a_dash_is_no_folder(place, call, command, option):
    status, _, err = call(*command.split(), f"--{option}", "-")
    assert status == 2
    assert f"{option}: - is stdout, which takes one file; give a folder, such as ./{option}." in err
    assert not (place / "-").exists()


def test_a_picture_made_with_other_settings_is_said_to_be_replaced(place, call):
    said = "'numbers-maps.png' is replaced: stride was 2, now not given; kernel was not given, now sobel-x\n"
    for options, expected in (
        (["-s", "2"], False),
        (["-K", "sobel-x"], True),
        (["-K", "sobel-x"], False),
        (["-q", "-s", "2"], False),
        (["-q", "-K", "sobel-x"], False),
    ):
        status, _, err = call("run", "numbers.csv", *options)
        assert status == 0
        assert (said in err) is expected
        assert ("is replaced" in err) is expected


class Huge:
    """A sheet of three bytes a pixel."""

    def __init__(self, height, width):
        self.height, self.width, self.channels = height, width, 3


def test_a_large_picture_is_announced_and_a_huge_one_refused(capsys):
    writing.announce(Huge(5000, 5000), force=False)
    assert capsys.readouterr().err == ""
    writing.announce(Huge(10_000, 10_000), force=False)
    assert capsys.readouterr().err == (
        "the picture has 10,000 x 10,000 pixels, 286 MiB before compression; "
        "a smaller --tile makes it smaller\n"
    )
    with pytest.raises(OutputError, match=r"would have 50,000 x 20,000 pixels, 2\.79 GiB .*--force"):
        writing.announce(Huge(20_000, 50_000), force=False)
    writing.announce(Huge(20_000, 50_000), force=True)


def test_no_option_that_writes_is_offered_for_pasting(place, call):
    """Whoever made a picture could put anything into it."""
    found = {"command": "run", "stride": "2", "output": "/home/me/.bashrc", "maps": "/x", "save": "y.npz"}
    info = PngImagePlugin.PngInfo()
    info.add_itxt(marks.MARK, json.dumps(found | {"force": "true"}))
    Image.new("L", (2, 2)).save(place / "theirs.png", pnginfo=info)
    status, out, _ = call("inspect", "theirs.png")
    assert status == 0
    assert out.decode().splitlines()[-1] == "convviz run INPUT --stride 2"


def test_every_option_that_names_a_file_to_write_is_known():
    group = typer.main.get_command(make_app())
    named = {
        (option.removeprefix("--"), parameter.help)
        for command in COMMANDS
        for parameter in group.commands[command].params
        for option in parameter.opts
        if (parameter.metavar or "").startswith(("FILE", "DIR")) and option.startswith("--")
    }
    assert {name for name, _ in named if name not in ("weights", "classes")} <= NOT_OFFERED


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("foto.png", "there is no such file; did you mean 'photo.png'?"),
        ("sunset.png", "there is no such file; check the path."),
        ("", "the name of the input is empty; give a file, or - for stdin."),
    ],
)
def test_a_name_that_is_not_there_is_helped(place, call, name, message):
    status, _, err = call("run", name)
    assert status == 3
    assert err.endswith(f"{message}\n")


def test_a_name_that_begins_with_a_dash_is_helped(place, call):
    status, _, err = call("run", "-x.png")
    assert status == 2
    assert err == "convviz: no such option: -x; write ./-x.png for a file whose name begins with '-'\n"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "numbers.csv", "-k", "1", "-o", "0-x.png", "--maps", "link"],
        ["animate", "numbers.csv", "-k", "1", "-o", "x.gif", "--frames", "link"],
    ],
    ids=["run", "animate"],
)
def test_a_folder_that_is_a_link_to_itself_is_said_to_be_one(place, call, words):
    (place / "link").symlink_to("link")
    status, _, err = call(*words)
    assert status == 4
    assert "'link' is a link that leads nowhere" in err


def test_a_page_is_kept_among_the_settings(place, call):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    frames[0].save(place / "two.tif", save_all=True, append_images=frames[1:])
    call("run", "two.tif", "-K", "identity", "--page", "2", "-o", "a.png")
    call("run", "two.tif", "--like", "a.png", "--save", "b.npz")
    green = np.zeros((3, 8, 8), np.float32)
    green[1] = 1
    np.testing.assert_array_equal(np.load(place / "b.npz")["input"], green)
    assert call("inspect", "a.png")[1].decode().splitlines()[-1] == (
        "convviz run INPUT --backend numpy --kernel identity --page 2"
    )
    assert json.loads(call("run", "two.tif", "--page", "2", "--json")[1])["input"]["page"] == 2
    program = call("code", "two.tif", "--page", "2", "-O", "1")[1].decode()
    assert "image.seek(1)\n" in program


@pytest.mark.parametrize("shape", [(6, 7, 3), (1, 3, 6, 7)], ids=["channels last", "a batch of one"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz:two"])
def test_a_program_reads_arrays_as_convviz_does(place, call, name, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(place / "x.npy", x)
    np.savez(place / "x.npz", one=x[0], two=x)
    status, out, err = call("code", name, "-O", "1")
    assert status == 0, err
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # that np.load leaves an archive open
        exec(out.decode(), found)
    expected = x.transpose(2, 0, 1) if x.ndim == 3 else x[0]
    np.testing.assert_array_equal(found["x"].numpy(), expected)
