"""``convviz shape --layers`` and ``--net``: a table per layer, as JSON, and errors with their place."""

import json
from pathlib import Path

import pytest

from convviz.spec.stacks import named_networks

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
STACK = "conv 10 k3 | relu | conv 10 k3 | relu | maxpool 2"


def test_a_stack_is_a_table_with_totals(convviz):
    """28 - 2 = 26, then 24, then 12; 1*10*9 + 10 and 10*10*9 + 10 parameters."""
    done = convviz("shape", "1x28x28", "--layers", STACK)
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows if row and row[0].endswith(("1", "2"))] == [
        ["conv1", "10x26x26"],
        ["relu1", "10x26x26"],
        ["conv2", "10x24x24"],
        ["relu2", "10x24x24"],
        ["maxpool1", "10x12x12"],
    ]
    assert "5 layers: 1,010 parameters" in done.stdout
    # 26 * 26 * 90 + 24 * 24 * 900
    assert "579,240 MACs" in done.stdout


def test_a_named_net_as_json(convviz):
    document = json.loads(convviz("shape", "3x224x224", "--net", "vgg16", "--json").stdout)
    assert document["parameters"]["total"] == 138_357_544
    assert document["output_shape"] == [1000]
    (last,) = [row for row in document["layers"] if row["name"] == "features.30"]
    # 212 and 32 are those of Araujo, Norris and Sim, Computing receptive fields of convolutional neural
    # networks, Distill 2019.
    assert (last["receptive_field"], last["effective_stride"]) == ([212, 212], [32, 32])
    assert document["layers"][-1]["receptive_field"] is None


def test_a_net_of_a_file(convviz, tmp_path):
    (tmp_path / "small.toml").write_text('[[layer]]\ntype = "Conv2d"\nout_channels = 4\nkernel_size = 5\n')
    document = json.loads(convviz("shape", "1x9x9", "--net", "small.toml", "--json").stdout)
    assert [row["output_shape"] for row in document["layers"]] == [[4, 5, 5]]


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 140])
def test_no_number_is_cut_on_a_narrow_terminal(convviz, columns):
    done = convviz("shape", "3x224x224", "--net", "alexnet", env={"COLUMNS": str(columns)})
    rows = [line.split() for line in done.stdout.splitlines()]
    if columns >= 40:
        assert ["classifier.1", "4096", "37,752,832"] in [row[:3] for row in rows]
        assert max(len(line) for line in done.stdout.splitlines()[:22]) <= columns


def test_an_error_points_at_its_place(convviz):
    done = convviz("shape", "1x28x28", "--layers", "conv 10 k3 | rleu | conv 10")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "convviz: layers: no layer named 'rleu'; did you mean 'relu'?",
        "  conv 10 k3 | rleu | conv 10",
        "               ^",
    ]


def test_what_a_terminal_acts_upon_is_escaped_and_the_place_still_right(convviz):
    done = convviz("shape", "1x28x28", "--layers", "\x1b[2J | x")
    assert done.stderr.splitlines()[1:] == [r"  \x1b[2J | x", "  ^"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layers", "conv 10", "--net", "vgg16"], "give only one of them"),
        (["--net", "vgg16", "--stride", "2"], "stride cannot be used with a network"),
        (["--net", "vgg16", "--target", "2x2"], "target and weights cannot be used with a network"),
        (["--net", "mine"], "no network named 'mine'; choose from FILE.onnx, FILE.toml, alexnet, "),
        (["--net", "vgg"], "no network named 'vgg'; did you mean 'vgg16'?"),
        (["--layers", "conv 10 k99"], "layer 'conv1': height: a kernel of size 99"),
    ],
)
def test_what_cannot_be_is_one_line(convviz, arguments, message):
    done = convviz("shape", "3x32x32", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("name", ["whole.pt", "whole.PTH", "traced.pt2", "whole.pkl"])
def test_a_network_that_can_run_code_is_refused_with_the_ways_that_do_not(convviz, name):
    done = convviz("shape", "3x32x32", "--net", name)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"{name!r} can run any code when it is loaded, so it is not loaded" in line
    assert "--model FILE.py:NAME --weights FILE" in line
    assert "--net FILE.onnx" in line


def test_a_missing_net_file_is_an_input_error(convviz):
    assert convviz("shape", "3x32x32", "--net", "missing.toml").returncode == 3


def test_counts_by_every_convention_with_its_tools(convviz):
    """6 filters of 27 weights at 64 positions, and 384 values with a bias."""
    done = convviz("shape", "3x8x8", "--padding", "1", "--counts")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "10,368  MACs, without bias" in lines[0]
    assert "fvcore" in lines[1]
    assert any(line.startswith("10,752  MACs, and one for") for line in lines)
    document = json.loads(convviz("shape", "3x8x8", "--layers", "conv 6 p1", "--counts", "--json").stdout)
    assert document["counts"]["flops"] == 20_736
    assert (
        document["counts"]
        == json.loads(convviz("shape", "3x8x8", "--padding", "1", "--counts", "--json").stdout)["counts"]
    )


def test_the_help_names_every_net_that_ships(convviz):
    text = " ".join(convviz("shape", "--help").stdout.split())
    assert f"A whole network: {', '.join(named_networks())}, or a file" in text


def test_one_convolution_of_a_network_has_the_arithmetic_of_a_layer_by_itself(convviz):
    """A quarter of 64 reaches layer1, an eighth layer2, where (8 + 2 - 3) / 2 + 1 = 4.

    Its field grows by (kernel - 1) * jump: 7 + 2*2 = 11 after the pooling, 11 + 4 * 8 = 43 after layer1,
    43 + 8 + 3 * 16 = 99 after layer2, and 99 + 16 = 115 here, one every 16 pixels.
    """
    done = convviz("shape", "3x64x64", "--net", "resnet18", "--layer", "layer3.0.conv1")
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0]) == (0, "layer layer3.0.conv1")
    assert "output  256 x 4 x 4" in lines
    assert "      = floor((8 + 2*1 - 1*(3 - 1) - 1) / 2) + 1" in lines
    assert lines[-1] == "receptive field in the picture: 115x115 pixels, one every 16 pixels"
    assert not [line for line in lines if "layer1" in line]
    document = json.loads(
        convviz("shape", "3x64x64", "--net", "resnet18", "--layer", "layer3.0.conv1", "--json").stdout
    )
    assert (document["input_shape"], document["receptive_field"]) == ([128, 8, 8], [115, 115])
    assert [row["name"] for row in document["layers"]] == ["layer3.0.conv1"]


def test_one_layer_that_is_no_convolution_has_its_shapes_and_field(convviz):
    done = convviz(
        "shape", "1x9x9", "--layers", "conv 4 k3 | maxpool 2 | flatten | linear 5", "--layer", "maxpool1"
    )
    assert done.stdout.splitlines()[1:] == [
        "input   4x7x7",
        "output  4x3x3",
        "parameters: 0",
        "MACs: 0",
        "receptive field in the picture: 4x4 pixels, one every 2 pixels",
    ]
    last = convviz("shape", "1x9x9", "--layers", "conv 4 k3 | flatten | linear 5", "--layer", "linear1")
    # 4 * 7 * 7 = 196 values, 5 rows of them and 5 biases.
    assert last.stdout.splitlines()[1:] == [
        "input   196",
        "output  5",
        "parameters: 985",
        "MACs: 980",
        "receptive field in the picture: all of it",
    ]


def test_one_layer_of_an_onnx_file_and_of_a_module(convviz, tmp_path):
    """28 - 5 + 1 = 24."""
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef make():\n    return nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU())\n"
    )
    done = convviz("shape", "1x28x28", "--model", "net.py:make", "--layer", "0")
    assert "output  6 x 24 x 24" in done.stdout
    wrong = convviz("shape", "1x28x28", "--model", "net.py:make", "--layer", "nosuch")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    digits = SAMPLES / "digits.onnx"
    (name, shape), *_ = [
        (row["name"], row["output_shape"])
        for row in json.loads(convviz("shape", "1x28x28", "--net", digits, "--json").stdout)["layers"]
        if row["convolution"]
    ]
    alone = json.loads(convviz("shape", "1x28x28", "--net", digits, "--layer", name, "--json").stdout)
    assert alone["output_shape"] == shape
    assert set(alone["axes"]) == {"height", "width"}


def test_a_network_has_a_shape_of_its_own(convviz):
    """The files of digits declare 1x28x28; a layer by itself has none."""
    for digits in (SAMPLES / "digits.onnx", SAMPLES / "digits.toml"):
        named = convviz("shape", "1x28x28", "--net", digits).stdout
        assert convviz("shape", "--net", digits).stdout == named
    assert "64x112x112" in convviz("shape", "--net", "resnet18").stdout  # half of 224
    alone = convviz("shape", "--kernel-size", "3")
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "give a shape, such as 3x224x224, or a picture" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--net", "lenet5", "--layer", "c11"], "no layer named 'c11'; "),
        (
            ["--net", "resnet18", "--layer", "layer3.0.conv7"],
            "no layer named 'layer3.0.conv7'; did you mean 'layer3.0.",
        ),
        (["--layer", "conv1"], "layer can only be used with --weights or with a network"),
    ],
)
def test_a_layer_that_does_not_exist_is_refused(convviz, arguments, message):
    done = convviz("shape", "3x32x32", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
