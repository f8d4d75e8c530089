"""The lines at the side of an overview: from a row to the rows that read it."""

import json

import numpy as np
import pytest
import torch
import zoo
from PIL import Image

from convviz.compute import networks
from convviz.compute.networks.overview import overview_steps, rows_read
from convviz.render.drawings.drawing import Rectangle
from convviz.render.palette import FAINT
from convviz.render.sheets import branches
from convviz.render.sheets.branches import Rung
from convviz.render.sheets.tile import Section
from convviz.results import running
from convviz.spec.geometry import HW


def drawn(rungs, lanes):
    """The vertical lines, as (top, bottom), and the heights at which horizontal ones begin."""
    shapes = list(branches.lines(rungs, lanes, HW(0, 100), bottom=500, text=16))
    assert all(isinstance(one, Rectangle) and one.fill == FAINT for one in shapes)
    upright = [(one.y, one.y + one.h) for one in shapes if one.w == 2 and one.h > 20]
    return upright, [one.y for one in shapes if one.h == 2 and one.w > 2]


def section(place, *reads):
    return Section((), 1, FAINT, place=place, reads=reads)


def test_a_shortcut_is_a_line_beside_the_rows_between():
    """Row 3 reads row 2 and row 1: both lines end at its title, and neither covers the other."""
    sections = [section(1), section(2), section(3, 1, 2)]
    rungs = [Rung(one, 10 + 100 * at, 50 + 100 * at) for at, one in enumerate(sections)]
    lanes = branches.lanes(sections)
    upright, across = drawn(rungs, lanes)
    assert upright == [(50, 212), (150, 212)]
    assert across == [50, 210, 150, 210]
    assert [lane.column for lane in lanes.values()] == [0, 1]


def test_a_line_goes_on_in_the_next_stack():
    sections = [section(1), section(2), section(3, 1)]
    lanes = branches.lanes(sections)
    left, _ = drawn([Rung(sections[0], 10, 50), Rung(sections[1], 110, 150)], lanes)
    right, across = drawn([Rung(sections[2], 10, 50)], lanes)
    assert left[0][0] == 50
    assert left[0][1] > 150
    assert (right, across) == ([], [10])  # from the top of the stack to its first title is a short way


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("U-Net", {"join": ("up", "down.2"), "head": ("join",)}),
        ("ResNet", {"layer1.1.relu:2": ("layer1.1.bn2", "layer1.0.relu:2"), "fc": ("avgpool",)}),
    ],
)
def test_a_step_of_a_module_names_what_it_reads(name, read):
    """The arguments of `torch.cat` in its code, and both addends of a block."""
    steps = {one.name: one for one in networks.of_module(zoo.network(name)).steps((3, 32, 32))}
    assert {one: steps[one].inputs for one in read} == read


def test_a_file_and_its_module_have_the_same_branches(tmp_path):
    """The decoder of a U-Net reads the row above and the maps from before."""
    net = zoo.network("U-Net")
    path = zoo.export(net, tmp_path / "net.onnx", dynamo=False)
    found = []
    for engine in (networks.of_module(net), networks.open_onnx(path)):
        steps = engine.steps((3, 32, 32))
        found.append(rows_read(steps, overview_steps(steps)))
    assert found[0] == found[1] == [(0,), (1,), (1, 2)]


def test_all_layers_are_on_the_sheets_and_in_the_documents(convviz, tmp_path):
    """Thirty layers are two sheets, of 24 and of 6; each has a picture and a document of its own."""
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(3, 8, 8)).astype(np.float32))
    text = "def net():\n    return nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(30)])\n"
    (tmp_path / "net.py").write_text(f"from torch import nn\n\n{text}")
    done = convviz("run", "x.npy", "--model", "net.py:net", "--all", "--tile", "16", "--json")
    runs = json.loads(done.stdout)["runs"]
    named = [[one["name"] for one in run["layers"] if "mean" in one] for run in runs]
    assert named == [[str(at) for at in range(24)], [str(at) for at in range(24, 30)]]
    assert [run["files"] for run in runs] == [["x-maps-1.png"], ["x-maps-2.png"]]
    for name in ("x-maps-1.png", "x-maps-2.png"):
        with Image.open(tmp_path / name) as picture:
            assert max(picture.size) <= 4000


def test_all_is_for_a_whole_network(convviz, classic):
    done = convviz("run", classic, "--all")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "all is for a whole network" in done.stderr


def test_a_network_without_branches_has_no_lines():
    with torch.no_grad():
        made = running.run_net(zoo.network("DenseNet"), np.zeros((3, 32, 32), np.float32))
    labels = [shape.text for shape in made.sheet().drawing.shapes if hasattr(shape, "text")]
    assert not any("Lines at the left" in text for text in labels)
