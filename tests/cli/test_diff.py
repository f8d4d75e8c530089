"""`convviz diff`: statuses, tables, JSON and files."""

import json
from pathlib import Path

import numpy as np
import pytest

from convviz.cli.app import status_of

ROOT = Path(__file__).parents[2]
TEXT = "conv 2 k3 p1 | relu | conv 3 k3"
MIRRORED = "conv 2 k3 p1 reflect | relu | conv 3 k3"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(1).random((3, 12, 16)).astype(np.float32)
    np.save("x.npy", values)
    np.save("y.npy", 3 * values)
    return tmp_path


def test_networks_that_agree_have_the_status_0(capsys):
    assert status_of(["diff", TEXT, TEXT, "x.npy", "y.npy"]) == 0
    out = capsys.readouterr().out
    assert "are equal in 3 layers" in out
    assert len([line for line in out.splitlines() if line.endswith("equal")]) == 3


def test_weights_of_an_untrained_network_are_given_in_the_form_that_the_command_has(capsys):
    for command, form in (("diff", "NETWORK=FILE"), ("run", "--weights FILE")):
        given = ["x.npy", "--layers", TEXT] if command == "run" else [TEXT, MIRRORED, "x.npy"]
        status_of([command, *given])
        told = f"no weights given: the network is untrained, with random weights (seed 0); give {form}\n"
        assert told in capsys.readouterr().err
        status_of([command, "--help"])
        assert ("--weights" in capsys.readouterr().out) == (form == "--weights FILE")


def test_networks_that_part_have_the_status_5_and_the_answer_is_printed(capsys):
    assert status_of(["diff", TEXT, MIRRORED, "x.npy", "y.npy", "--json"]) == 5
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["first"], found["within"], found["inputs"]) == ("conv1", False, ["x.npy", "y.npy"])
    assert [one["status"] for one in found["layers"]] == ["differs"] * 3
    (error,) = [line for line in said.err.splitlines() if line.startswith("convviz: ")]
    assert error == "convviz: 3 of 3 layers beyond the tolerance 0.0001; the first is conv1."
    relative = found["layers"][0]["relative"]
    words = ("diff", TEXT, MIRRORED, "x.npy", "y.npy", "--tolerance")
    worst = max(one["relative"] for one in found["layers"])
    assert status_of([*words, str(1.01 * worst)]) == 0
    assert status_of([*words, str(0.99 * relative)]) == 5


def test_the_answer_is_printed_once(capsys):
    assert status_of(["diff", TEXT, MIRRORED, "x.npy"]) == 5
    said = capsys.readouterr()
    assert "first differ at conv1" in said.out
    assert "first differ" not in said.err


def test_the_sheet_and_the_numbers_are_written_before_the_status(capsys):
    assert (
        status_of(["diff", TEXT, MIRRORED, "x.npy", "--layer", "relu1", "-o", "d.svg", "--save", "d.npz"])
        == 5
    )
    text = Path("d.svg").read_text()
    for words in ("relu1, map", "B - A", "first differ at conv1"):
        assert words in text
    with np.load("d.npz") as stored:
        np.testing.assert_array_equal(stored["difference.relu1"], stored["b.relu1"] - stored["a.relu1"])
    assert capsys.readouterr().out.splitlines()[-2:] == ["d.svg", "d.npz"]
    assert status_of(["diff", TEXT, MIRRORED, "x.npy", "-o", "d.svg", "-q"]) == 5
    assert capsys.readouterr().out == "d.svg\n"
    assert status_of(["inspect", "d.svg"]) == 0
    assert "diff" in capsys.readouterr().out


def test_two_runs_that_were_saved_are_compared_array_by_array(capsys):
    for name, mode in (("a", "zeros"), ("b", "reflect")):
        words = ["run", "x.npy", "-O", "2", "-p", "1", "--padding-mode", mode, "--save", f"{name}.npz", "-q"]
        assert status_of(words) == 0
    capsys.readouterr()
    assert status_of(["diff", "a.npz", "b.npz", "--json"]) == 5
    found = {one["layer"]: one["status"] for one in json.loads(capsys.readouterr().out)["layers"]}
    assert found["maps"] == "differs"
    assert {status for name, status in found.items() if name != "maps"} == {"equal"}
    assert status_of(["diff", "a.npz", "a.npz"]) == 0


def test_weights_of_a_network_before_and_after(capsys):
    """The network is given once for both files, or in front of a file with =."""
    chance = np.random.default_rng(2)
    shapes = {
        "conv1.weight": (2, 3, 3, 3),
        "conv1.bias": (2,),
        "conv2.weight": (3, 2, 3, 3),
        "conv2.bias": (3,),
    }
    before = {name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    np.savez("before.npz", **before)
    np.savez("after.npz", **(before | {"conv2.bias": before["conv2.bias"] + 1}))
    for words in (
        ["before.npz", "after.npz", "x.npy", "--layers", TEXT],
        [f"{TEXT}=before.npz", f"{TEXT}=after.npz", "x.npy"],
    ):
        assert status_of(["diff", *words, "--json"]) == 5
        found = json.loads(capsys.readouterr().out)
        assert found["first"] == "conv2"
        assert found["layers"][2]["largest"] == pytest.approx(1, rel=1e-5)
    assert status_of(["diff", "before.npz", "after.npz", "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["first"] == "conv2.bias"
    assert status_of(["diff", "before.npz", "after.npz", "x.npy"]) == 2
    assert "--net or --model" in capsys.readouterr().err


MODEL = """
from torch import nn

def Net():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())

def Other():
    return nn.Sequential(nn.Conv2d(3, 2, 3, dilation=2), nn.ReLU())
"""


def test_code_runs_only_with_model(capsys, folder):
    (folder / "net.py").write_text(MODEL)
    assert status_of(["diff", "net.py:Net", "net.py:Other", "x.npy"]) == 2
    assert "--model net.py:Net" in capsys.readouterr().err
    words = ["diff", "net.py:Net", "net.py:Other", "x.npy", "--model", "net.py:Net", "--json"]
    assert status_of(words) == 5
    found = json.loads(capsys.readouterr().out)
    assert (found["first"], found["layers"][0]["status"]) == ("0", "shape differs")


@pytest.mark.parametrize("columns", ["36", "60", "100"])
def test_the_table_fits_a_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert status_of(["diff", TEXT, MIRRORED, "x.npy"]) == 5
    rows = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert max(map(len, rows)) <= int(columns)
    assert "conv2" in "".join(rows)


def test_outputs_are_checked_before_anything_is_computed(capsys):
    Path("mine.png").write_text("not a picture of convviz")
    assert status_of(["diff", TEXT, "no such network", "x.npy", "-o", "mine.png"]) == 4
    assert "--force" in capsys.readouterr().err
