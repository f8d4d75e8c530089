"""What a command answers, Python answers too: lines, plain values, drawings, files."""

import json
from pathlib import Path

import numpy as np
import pytest

import convviz
from convviz.cli.app import status_of
from convviz.errors import SpecError, UnknownNameError

DIGITS = Path(__file__).parents[2] / "samples" / "digits.safetensors"
X = [[[1, 2, 4], [8, 16, 32]], [[0, 3, 0], [5, 0, 7]]]


@pytest.fixture
def said(tmp_path, monkeypatch, capfd):
    """Run a command in this process; give its JSON document."""
    monkeypatch.chdir(tmp_path)
    Path("x.json").write_text(json.dumps(X))

    def call(command, *words):
        capfd.readouterr()
        assert status_of([command, *words, "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    return call


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        pytest.param([], {}, id="the largest magnitude"),
        pytest.param(["--at", "1,2", "--map", "1"], {"at": (1, 2), "index": 1}, id="a value"),
        pytest.param(["--pixel", "0,1"], {"pixel": (0, 1)}, id="a pixel"),
        pytest.param(["--weight", "1,0,2,1"], {"weight": (1, 0, 2, 1)}, id="a weight"),
        pytest.param(["--as-matrix"], {"as_matrix": True}, id="the matrices"),
        pytest.param(["--group-map"], {"group_map": True}, id="the groups"),
    ],
)
def test_explain_in_python_is_the_command(said, words, asked):
    layer = convviz.Conv2d(2, 2, 3, padding=1, groups=2)
    found = convviz.explain(np.array(X), layer, **asked)
    assert found.document() == said("explain", "x.json", "-O", "2", "-p", "1", "-g", "2", *words)
    assert found.lines()[0] in repr(found)
    assert len(repr(found).splitlines()) == 1
    assert str(found).startswith(found.lines()[0])
    found.save("x.svg")
    assert found._repr_svg_().splitlines()[2:] == Path("x.svg").read_text().splitlines()[2:]


def test_two_questions_at_once_are_refused():
    with pytest.raises(SpecError, match="different questions; give one of them"):
        convviz.explain(np.array(X), convviz.Conv2d(2, 1, 1), at=(0, 0), pixel=(0, 0))


def test_pad_in_python_is_the_command(said):
    """One row above by reflection is row 1, two columns before are columns 2 and 1, one after is column 1."""
    found = convviz.pad(np.array(X), ((1, 0), (2, 1)), modes=["reflect"])
    assert found.channels["reflect"][0].tolist() == [
        [32, 16, 8, 16, 32, 16],
        [4, 2, 1, 2, 4, 2],
        [32, 16, 8, 16, 32, 16],
    ]
    assert found.document() == said("pad", "x.json", "-p", "1,0,2,1", "--padding-mode", "reflect")
    assert found.lines()[0] == "2x3 with padding 1,0,2,1 (top, bottom, left, right) is 3x6"


def test_stored_filters_come_in_the_order_of_their_energy(said):
    found = convviz.read_filters(DIGITS, "conv1", sort="energy", top=3)
    energies = np.square(found.weight.astype(np.float64)).sum(axis=(1, 2, 3))
    assert list(found.chosen) == np.argsort(-energies)[:3].tolist()
    document = said("filters", str(DIGITS), "--layer", "conv1", "--sort", "energy", "--top", "3")
    assert {**found.document(), "files": document["files"]} == document
    for row in found.statistics():
        assert (row.min, row.max) == (found.weight[row.index].min(), found.weight[row.index].max())
    with pytest.raises(SpecError, match="sort is stored or energy, not 'size'"):
        convviz.read_filters(DIGITS, "conv1", sort="size")


def test_kernels_are_found_by_name_by_their_values_and_by_a_word():
    assert len(convviz.kernels().entries) > 60
    assert [entry.kernel.name for entry in convviz.kernels("sobel").entries] == ["sobel-x", "sobel-y"]
    (typed,) = convviz.kernels("1 2; 3 4").entries
    assert typed.kernel.values == ((1, 2), (3, 4))
    found = convviz.kernels("diagonal")
    assert found.many
    with pytest.raises(UnknownNameError, match="no kernel named 'nosuch'"):
        convviz.kernels("nosuch")
