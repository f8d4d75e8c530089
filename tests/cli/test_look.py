"""`convviz look`: where layers respond, as a sheet, numbers and JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from convviz.cli.app import status_of
from convviz.results import outputs

# A spot of light at row 6, column 9 of 12 x 16 pixels.
SPOT = np.zeros((12, 16), np.float32)
SPOT[6, 9] = 1


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("spot.npy", SPOT)
    return tmp_path


def said(capsys, *words):
    assert status_of(["look", "spot.npy", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_largest_value_is_told_in_pixels_of_the_picture(capsys):
    """Windows of 3 at stride 3 without padding have their middles at 1, 4, 7 …: the spot lies in 7, 10."""
    found = said(capsys, "--layers", "conv 4 k3 s3")
    (layer,) = found["layers"]
    assert layer["shape"] == [4, 4, 5]
    assert layer["largest_at"] == [7, 10]
    assert found["files"] == ["spot-look.png"]
    assert found["how"] == "l2"
    assert status_of(["look", "spot.npy", "--layers", "conv 4 k3 s3"]) == 0
    _, head, _, row = capsys.readouterr().out.splitlines()[1:5]
    assert head.endswith("largest at pixel")
    assert row.split()[-1] == "7,10"


def test_values_are_saved_and_sheets_say_what_they_show(capsys):
    found = said(
        capsys,
        "--layers",
        "conv 2 k1 | relu",
        "--layer",
        "conv1,relu1",
        "--how",
        "max",
        "--save",
        "x.npz",
        "-o",
        "x.svg",
    )
    with np.load("x.npz") as stored:
        assert stored["relu1"].shape == (12, 16)
        assert (stored["relu1"] >= stored["conv1"]).all()
        assert stored["relu1"].max() == pytest.approx(found["layers"][1]["max"])
    text = Path("x.svg").read_text()
    for words in ("the maximum over the maps", "conv1, alone", "centres of their receptive fields", "relu1"):
        assert words in text


MODEL = """
import torch
from torch import nn

def Net():
    last = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), *last)
"""


def test_a_class_is_found_by_its_name(capsys, folder):
    (folder / "names.txt").write_text("cat\ndog\nowl\n")
    (folder / "net.py").write_text(MODEL)
    given = ("--model", "net.py:Net", "--layer", "1", "--classes", "names.txt", "--class")
    for word in ("owl", "2"):
        found = said(capsys, *given, word, "--how", "cam")["class"]
        assert (found["index"], found["name"]) == (2, "owl")
    gradient = said(capsys, *given, "owl", "--how", "gradcam")["class"]
    assert gradient["score"] == pytest.approx(found["score"], rel=1e-5)
    assert status_of(["look", "spot.npy", *given, "owll", "--how", "cam"]) == 2
    assert "owl" in capsys.readouterr().err


def test_the_settings_are_stored_and_can_be_typed_again(capsys):
    said(
        capsys,
        "--layers",
        "conv 3 | adaptiveavgpool 1 | flatten | linear 3",
        "--how",
        "gradcam",
        "--class",
        "1",
        "-o",
        "a.png",
    )
    assert status_of(["inspect", "a.png"]) == 0
    assert "--class 1" in capsys.readouterr().out


def test_the_asymmetric_case_lies_where_its_windows_do(capsys):
    """3x5 windows at stride 2x1, dilation 1x2, padding 1,0,2,1: their middles are rows 2 i, columns 2 + j."""
    np.save("two.npy", np.random.default_rng(0).random((2, 9, 14)).astype(np.float32))
    text = """
[[layer]]
name = "conv"
type = "conv"
out_channels = 4
kernel_size = [3, 5]
stride = [2, 1]
dilation = [1, 2]
padding = [[1, 0], [2, 1]]
groups = 2
"""
    Path("net.toml").write_text(text)
    assert status_of(["look", "two.npy", "--net", "net.toml", "--save", "x.npz", "--json"]) == 0
    (layer,) = json.loads(capsys.readouterr().out)["layers"]
    values = np.load("x.npz")["conv"]
    # Height: (9 + 1 - 3) / 2 + 1 = 4 rows; width: (14 + 3 - 9) + 1 = 9 columns.
    assert values.shape == (4, 9)
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert layer["largest_at"] == [2 * y, x + 2]


def test_outputs_are_checked_before_anything_is_computed(capsys, monkeypatch):
    monkeypatch.setattr(outputs, "write_sheet", None)  # a run that got so far would fail otherwise
    Path("mine.png").write_text("not a picture of convviz")
    assert status_of(["look", "spot.npy", "--layers", "conv 2", "-o", "mine.png"]) == 4
    assert "--force" in capsys.readouterr().err
