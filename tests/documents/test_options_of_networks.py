"""The table of docs/howto/network.md: what `run` does with each of its options for a layer of a network."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import typer
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from convviz.cli.app import make_app

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "howto" / "network.md"
NET = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.deep = nn.Conv2d(4, 5, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
"""
# The layers that the columns of the table are about.
CONVOLUTION, OTHER = "deep", "relu"


def rows():
    """The options of every row, with its cells; the last is empty where a file does the same."""
    table = DOCUMENT.read_text().partition("| option | convolution | another layer | file |\n")[2]
    for line in table.partition("\n\n")[0].splitlines()[1:]:
        options, convolution, other, file = (cell.strip() for cell in line.strip("|").split("|"))
        for option in re.findall("`([^`]+)`", options):
            yield option, convolution, other, file


def test_every_option_of_run_has_a_row():
    run = typer.main.get_command(make_app(["run"])).commands["run"]
    every = {
        name
        for one in run.params
        for name in (*one.opts, *one.secondary_opts)
        if name.startswith("--") and name != "--help"
    }
    assert every == {word for option, *_ in rows() for word in option.split() if word.startswith("--")}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A picture, a module with its weights, and an ONNX file of the same layers."""
    folder = tmp_path_factory.mktemp("options")
    pixels = np.random.default_rng(3).integers(0, 255, (10, 9, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    for name in ("net.py", "other.py"):
        (folder / name).write_text(NET)
    names = {}
    exec(NET, names)
    state = {name: value.numpy() for name, value in names["Net"]().state_dict().items()}
    np.savez(folder / "weights.npz", **state)
    (folder / "classes.txt").write_text("".join(f"class {at}\n" for at in range(5)))
    nodes = [
        helper.make_node("Conv", ["x", "first.weight", "first.bias"], ["a"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "deep.weight", "deep.bias"], ["y"], "deep"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    stored = [numpy_helper.from_array(value, name) for name, value in state.items()]
    model = helper.make_model(helper.make_graph(nodes, "net", [x], [y], stored), ir_version=8)
    model.opset_import[0].version = 17
    for name in ("net.onnx", "other.onnx"):
        onnx.save(model, folder / name)
    return folder


@pytest.fixture
def asked(convviz, place):
    """Run convviz as the table says, the option in front so that what follows counts where it is repeated."""

    def ask(option, network, layer):
        words = option.replace("NAME", layer).split()
        return convviz("run", "photo.png", *words, *network, "--layer", layer, cwd=place)

    return ask


def check(done, cell):
    """Compare what happened with a cell of the table."""
    if cell == "yes":
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
        return
    reason = cell.removeprefix("no: ")
    assert reason != cell, f"a cell says yes or no: REASON, not {cell!r}"
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("option", "convolution", "other", "file"), list(rows()), ids=lambda one: one)
def test_an_option_does_what_the_table_says(asked, convviz, place, option, convolution, other, file):
    module, onnx_file = ["--model", "net.py:Net"], ["--net", "net.onnx"]
    if "--like" in option:
        convviz("run", "photo.png", *module, "--layer", "deep", "-o", "picture.png", cwd=place)
    check(asked(option, module, CONVOLUTION), convolution)
    check(asked(option, module, OTHER), other)
    if file:
        check(asked(option, onnx_file, CONVOLUTION), file)
