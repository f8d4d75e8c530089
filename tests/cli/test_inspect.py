"""``convviz inspect`` and ``--like``: what a file was made with, once more."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SETTINGS = [
    pytest.param([], id="nothing"),
    pytest.param(
        ["-O", "3", "-s", "2x1", "-p", "1,0,2,1", "-d", "2", "--seed", "7"], id="numbers of a layer"
    ),
    pytest.param(["-O", "6", "-g", "3", "--no-bias", "--padding-mode", "circular", "-p", "same"], id="words"),
    pytest.param(["-K", "sobel-x@R", "-K", "1 2;\n3 4", "-K", "gaussian:sigma=2", "-p", "1"], id="kernels"),
    pytest.param(["-K", "-1 0 1", "--bias-values", "-0.5", "--flip"], id="what begins with a hyphen"),
    pytest.param(["--mode", "gray", "--range", "byte", "--resize", "20x11"], id="the input"),
    pytest.param(
        ["--resize", "short:12", "--crop", "10x11", "--normalize", "imagenet"], id="what a network expects"
    ),
    pytest.param(["--normalize", "-0.1,0.2,0.3,1,0.5,2.5"], id="numbers per channel"),
    pytest.param(
        ["--tile", "full", "--columns", "2", "--colormap", "signed", "--scale", "global"], id="looks"
    ),
    pytest.param(["--partial", "-O", "2"], id="parts"),
    pytest.param(["--backend", "torch"], id="a backend"),
]


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(4).integers(0, 256, (14, 18, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path


@pytest.mark.parametrize("arguments", SETTINGS)
def test_the_settings_of_a_picture_make_the_same_bytes_again(convviz, photo, arguments):
    assert convviz("run", "photo.png", *arguments, "-o", "first.png").returncode == 0
    assert convviz("run", "photo.png", "--like", "first.png", "-o", "second.png").returncode == 0
    assert (photo / "first.png").read_bytes() == (photo / "second.png").read_bytes()
    # And so does the command that is printed.
    command = json.loads(convviz("inspect", "first.png", "--json").stdout)["command"]
    words = [{"INPUT": "photo.png"}.get(word, word) for word in shlex.split(command)[1:]]
    assert convviz(*words, "-o", "third.png").returncode == 0
    assert (photo / "first.png").read_bytes() == (photo / "third.png").read_bytes()


def test_what_is_typed_wins(convviz, photo):
    convviz("run", "photo.png", "-O", "3", "-p", "1", "--flip", "--no-bias", "-o", "first.png")
    done = convviz("run", "photo.png", "--like", "first.png", "-O", "2", "--bias", "--json")
    document = json.loads(done.stdout)
    assert document["output_shape"] == [2, 14, 18]
    assert document["layer"]["bias"] is True
    assert document["layer"]["padding"] == [1, 1, 1, 1]


def test_the_settings_are_printed_as_typed(convviz, photo):
    convviz("run", "photo.png", "-K", "sobel", "-p", "1", "--tile", "100", "-o", "first.png")
    lines = convviz("inspect", "first.png").stdout.splitlines()
    assert [line.split() for line in lines if line.split()[:1] in (["kernel"], ["padding"], ["tile"])] == [
        ["padding", "1"],
        ["kernel", "sobel"],
        ["tile", "100"],
    ]
    assert lines[-1] == "convviz run INPUT --backend numpy --padding 1 --kernel sobel --tile 100"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        pytest.param(["run", "photo.png", "-s", "2", "--save", "x.npz"], "x.npz", id="arrays"),
        pytest.param(
            ["run", "photo.png", "-s", "2", "--save", "x.safetensors"], "x.safetensors", id="tensors"
        ),
        pytest.param(["run", "photo.png", "-s", "2", "--maps", "maps"], "maps/0-map-0.png", id="a map"),
        pytest.param(["batch", ".", "out", "-s", "2"], "out/photo.png.png", id="a batch"),
        pytest.param(["explain", "photo.png", "--at", "1,1", "-s", "2", "-o", "x.svg"], "x.svg", id="an SVG"),
        pytest.param(["animate", "--size", "5", "-s", "2", "-o", "x.gif"], "x.gif", id="a GIF"),
        pytest.param(["animate", "--size", "5", "-s", "2", "-o", "x.webp"], "x.webp", id="a WebP"),
        pytest.param(["exercise", "-s", "2", "-o", "x.html"], "x.html", id="a page"),
    ],
)
def test_every_file_of_ours_tells(convviz, photo, arguments, name):
    assert convviz(*arguments).returncode == 0
    document = json.loads(convviz("inspect", name, "--json").stdout)
    assert document["stride"] == "2"
    assert "--stride 2" in document["command"]


@pytest.mark.parametrize("command", [["explain", "photo.png", "--at", "1,1"], ["code", "photo.png"]])
def test_every_command_with_a_layer_takes_settings_over(convviz, photo, command):
    convviz("run", "photo.png", "-K", "sobel-x", "-p", "2", "-o", "first.png")
    plain, like = convviz(*command), convviz(*command, "--like", "first.png")
    assert like.returncode == 0, like.stderr
    assert like.stdout == convviz(*command, "-K", "sobel-x", "-p", "2").stdout != plain.stdout


def test_a_batch_takes_settings_over(convviz, photo):
    convviz("run", "photo.png", "-K", "sobel-x", "-p", "2", "-o", "first.png")
    for out, arguments in (("like", ["--like", "first.png"]), ("typed", ["-K", "sobel-x", "-p", "2"])):
        assert convviz("batch", ".", out, *arguments, "--pattern", "photo.png").returncode == 0
    made = [(photo / out / "photo.png.png").read_bytes() for out in ("like", "typed")]
    assert made == [(photo / "first.png").read_bytes()] * 2


def hostile(path, description):
    info = PngInfo()
    info.add_itxt("convviz", description if isinstance(description, str) else json.dumps(description))
    Image.new("RGB", (9, 9)).save(path, pnginfo=info)


def test_nothing_but_settings_is_taken_over(convviz, photo):
    """Whoever made the picture could say where to write, and over what."""
    (photo / "precious.png").write_bytes(b"precious")
    hostile(
        photo / "evil.png",
        {
            "output": "precious.png",
            "force": "true",
            "maps": "maps",
            "save": "x.npz",
            "json": "true",
            "stride": "2",
        },
    )
    done = convviz("run", "photo.png", "--like", "evil.png")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "photo-maps.png"
    assert (photo / "precious.png").read_bytes() == b"precious"
    assert not (photo / "maps").exists()


@pytest.mark.parametrize(
    ("description", "status"),
    [
        pytest.param({"stride": 2}, 0, id="a number where text belongs"),
        pytest.param({"stride": ["2"]}, 0, id="a list where one belongs"),
        pytest.param({"kernel": "sobel-x"}, 0, id="one where a list belongs"),
        pytest.param({"kernel": [1, None]}, 0, id="a list of something else"),
        pytest.param({"stride": {"a": []}}, 0, id="a table"),
        pytest.param({"stride": "0"}, 2, id="an illegal number"),
        pytest.param({"bias": "maybe"}, 2, id="neither true nor false"),
        pytest.param({"kernel": ["nosuch"]}, 2, id="an unknown kernel"),
        pytest.param({"kernel": ["/dev/zero.npy"]}, 3, id="a kernel file that is not there"),
        pytest.param({"tile": "1" * 100_000}, 2, id="many digits"),
        pytest.param("[]", 3, id="a list"),
        pytest.param("{", 3, id="half of it"),
        pytest.param('{"stride": NaN}', 0, id="no number"),
    ],
)
def test_a_stored_setting_is_checked_like_a_typed_one(convviz, photo, description, status):
    hostile(photo / "evil.png", description)
    done = convviz("run", "photo.png", "--like", "evil.png")
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert convviz("inspect", "evil.png").returncode == (
        3 if status == 3 and isinstance(description, str) else 0
    )


def test_nothing_that_a_terminal_acts_upon_is_printed(convviz, photo):
    hostile(
        photo / "evil.png", {"\x1b[31m": "\x1b]0;x\x07", "kernel": ["\x1b[2J", "[red]"], "stride": "a\nb"}
    )
    done = convviz("inspect", "evil.png")
    assert done.returncode == 0
    assert all(line.isprintable() for line in done.stdout.splitlines())
