"""``convviz pad`` as a process, and its drawing."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from convviz.compute import conv
from convviz.images import decode
from convviz.render.drawings import padding
from convviz.render.drawings.drawing import Bitmap, Label
from convviz.results import padded
from convviz.spec.geometry import HW, Edges


@pytest.fixture
def row(tmp_path):
    path = tmp_path / "row.csv"
    path.write_text("1,2,3\n")
    return path


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zeros", "(0)  (0)  1  2  3  (0)"),
        ("reflect", "(3)  (2)  1  2  3  (2)"),
        ("replicate", "(1)  (1)  1  2  3  (3)"),
        ("circular", "(2)  (3)  1  2  3  (1)"),
    ],
)
def test_the_border_stands_in_brackets(convviz, row, mode, expected):
    done = convviz("pad", row.name, "--padding", "0,0,2,1", "--padding-mode", mode)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    assert "1x3 with padding 0,0,2,1 (top, bottom, left, right) is 1x6" in done.stdout


def test_all_modes_are_in_one_document(convviz, row):
    document = json.loads(convviz("pad", row.name, "-p", "0x1", "--all-modes", "--json").stdout)
    assert document["padding"] == [0, 0, 1, 1]
    assert document["padded"] == {
        "zeros": [[[0, 1, 2, 3, 0]]],
        "reflect": [[[2, 1, 2, 3, 2]]],
        "replicate": [[[1, 1, 2, 3, 3]]],
        "circular": [[[3, 1, 2, 3, 1]]],
    }


def test_same_depends_on_the_kernel(convviz, row):
    document = json.loads(convviz("pad", row.name, "-p", "same", "-k", "1x4", "--json").stdout)
    assert document["padding"] == [0, 0, 1, 2]


@pytest.mark.parametrize("name", ["out.png", "out.svg"])
def test_a_drawing_is_written(convviz, row, name):
    done = convviz("pad", row.name, "-p", "0x1", "-o", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == name
    if name.endswith(".png"):
        with Image.open(row.with_name(name)) as image:
            assert image.width > image.height / 2


def test_what_a_mode_cannot_fill_is_refused(convviz, row):
    done = convviz("pad", row.name, "-p", "0x3", "--padding-mode", "reflect")
    assert done.returncode == 2
    assert "reflect padding of 3 needs at least 4 pixels, but the input has 3" in done.stderr


def test_the_border_is_tinted_and_the_input_is_not():
    """On black channels only the border has a colour."""
    picture = decode.as_picture(np.zeros((20, 20)))
    edges = Edges(5, 5, 5, 5)
    drawing = padding.draw(picture, {"zeros": conv.pad(picture.x, edges)}, edges, side=60)
    (levels,) = (shape.levels for shape in drawing.shapes if isinstance(shape, Bitmap))
    assert (levels[5:25, 5:25] == 0).all()
    border = levels[padding.padding_mask(edges, HW(20, 20))]
    assert (border[:, 2] > border[:, 0]).all()


def test_of_many_channels_the_strongest_are_shown():
    """Channel 7 * index mod 32 holds plus or minus index: 24 to 31 are in 8, 15, 22, 29, 4, 11, 18 and 25."""
    x = np.zeros((32, 2, 3), np.float32)
    for index in range(32):
        x[7 * index % 32] = index * (-1) ** index
    found = padded.pad(x, 1)
    strong = [4, 8, 11, 15, 18, 22, 25, 29]
    lines = found.lines()
    assert lines[1] == "shown are the 8 of 32 channels of most energy (mean of the squares)"
    named = [word for line in lines for word in re.findall(r"channel (\d+)", line)]
    assert named == [str(one) for one in strong]
    drawing = found.drawing()
    labels = {one.text for one in drawing.shapes if isinstance(one, Label)}
    assert f"{lines[1]}; blue: padding" in labels
    assert {one for one in labels if one.startswith("channel")} == {f"channel {one}" for one in strong}
    assert drawing.width < 1200
    assert found.channels["zeros"].shape == (32, 4, 5)


def test_the_terminal_says_how_to_get_all_channels(convviz, tmp_path):
    np.save(tmp_path / "many.npy", np.ones((9, 2, 2), np.float32))
    assert "--json has the values of all channels" in convviz("pad", "many.npy").stderr
    assert len(json.loads(convviz("pad", "many.npy", "--json").stdout)["padded"]["zeros"]) == 9
    np.save(tmp_path / "few.npy", np.ones((8, 2, 2), np.float32))
    assert "--json" not in convviz("pad", "few.npy").stderr
