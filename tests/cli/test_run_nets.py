"""``convviz run --layers`` and ``--net``: a strip per layer, the numbers of torch, and what cannot be."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from convviz.cli.app import status_of

STACK = "conv 9 k3 s2 | relu | maxpool 2 | flatten | linear 5 | softmax"


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(4).integers(0, 256, (24, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path


def test_what_is_saved_is_what_torch_makes_for_the_seed(convviz, photo):
    done = convviz("run", "photo.png", "--layers", STACK, "--seed", "3", "--save", "x.npz")
    assert done.returncode == 0, done.stderr
    torch.manual_seed(3)
    layers = [torch.nn.Conv2d(3, 9, 3, 2), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten()]
    layers += [torch.nn.Linear(9 * 5 * 7, 5), torch.nn.Softmax(1)]
    with np.load(photo / "x.npz") as stored, Image.open(photo / "photo.png") as image:
        value = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
        for name, layer in zip(
            ("conv1", "relu1", "maxpool1", "flatten1", "linear1", "softmax1"), layers, strict=True
        ):
            value = layer(value)
            np.testing.assert_allclose(stored[name], value[0].detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_network_of_many_layers_is_shown_by_its_sizes_and_the_sheet_says_so(convviz, photo):
    """Of 26 layers with two sizes of maps, 24x30 and 12x15: relu12, and behind the pooling relu13."""
    stack = f"{'conv 2 k1 | relu | ' * 12} maxpool 2 | relu"
    shown, told = [], "of 26 steps are on the sheet; --all shows every step, --layer NAME one"
    for text in (stack, "conv 2 k1 | relu"):
        done = convviz("run", "photo.png", "--layers", text, "-o", "net.svg")
        assert done.returncode == 0, done.stderr
        assert (f"2 {told}" in done.stderr) == (text == stack)
        lines = re.sub("<[^>]*>", "\n", (photo / "net.svg").read_text("utf-8"))
        shown.append(re.sub("\n+", "\n", lines))
    many, few = shown
    words = many.replace("\n", " ")  # a heading may be broken
    assert "rows: the last step before each change of map size, and the output" in words
    assert "maps: the strongest first (largest mean square)" in words
    assert re.findall(r"^(\w+): (?:Conv2d|ReLU|MaxPool2d) ", many, re.MULTILINE) == ["relu12", "relu13"]
    assert "rows:" not in few
    assert re.findall(r"^(\w+): (?:Conv2d|ReLU) ", few, re.MULTILINE) == ["conv1", "relu1"]


def test_every_layer_has_a_row_and_the_picture_is_named_last(convviz, photo):
    lines = convviz("run", "photo.png", "--layers", STACK).stdout.splitlines()
    names = [line.split()[1] for line in lines if line[:1].isdigit()]
    assert names == ["conv1", "relu1", "maxpool1", "flatten1", "linear1", "softmax1"]
    assert lines[-1] == "photo-maps.png"


def test_the_cost_of_a_network_is_printed_with_verbose(convviz, photo):
    """Nine filters of 3x3x3 weights at 11x14 positions, and five of 9x5x7 at one."""
    cost = ["parameters: 1,832", "MACs: 38,997"]
    assert [9 * 28 + 5 * 316, 243 * 154 + 5 * 315] == [1832, 38997]
    short, long = (convviz("run", "photo.png", "--layers", STACK, *flag).stdout for flag in ([], ["-v"]))
    assert [line in short.splitlines() for line in cost] == [False, False]
    assert [line in long.splitlines() for line in cost] == [True, True]


def test_json_has_the_layers(convviz, photo):
    document = json.loads(convviz("run", "photo.png", "--layers", STACK, "--json").stdout)
    assert document["output_shape"] == [5]
    assert [row["output_shape"] for row in document["layers"]][:2] == [[9, 11, 14]] * 2
    assert document["layers"][1]["min"] == 0
    assert document["parameters"] == 9 * 3 * 9 + 9 + 9 * 5 * 7 * 5 + 5


def test_a_strip_has_eight_maps_and_a_layer_in_full_has_all(convviz, photo):
    """Nine maps: the ninth is drawn in full alone, and the sheets differ in height and width."""
    convviz("run", "photo.png", "--layers", STACK, "-o", "strips.png")
    convviz("run", "photo.png", "--layers", STACK, "--layer", "relu1", "-o", "full.png")
    with Image.open(photo / "strips.png") as strips, Image.open(photo / "full.png") as full:
        assert strips.size != full.size
    narrow = convviz("run", "photo.png", "--layers", STACK, "--columns", "3", "-o", "three.png")
    assert narrow.returncode == 0
    with Image.open(photo / "three.png") as three, Image.open(photo / "strips.png") as strips:
        assert three.width < strips.width


def test_the_settings_are_taken_over(convviz, photo):
    convviz("run", "photo.png", "--layers", STACK, "--seed", "5", "--colormap", "signed", "-o", "first.png")
    convviz("run", "photo.png", "--like", "first.png", "-o", "second.png")
    assert (photo / "first.png").read_bytes() == (photo / "second.png").read_bytes()


def test_a_net_by_name(convviz, photo):
    done = convviz("run", "photo.png", "--net", "lenet5", "--mode", "gray", "--resize", "32x32", "--quiet")
    assert (done.returncode, done.stdout) == (0, "photo-maps.png\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--layers", "conv 2", "--net", "vgg16"], 2, "give only one of them"),
        (
            ["--layers", "conv 2", "--padding", "1"],
            2,
            "with layers; write it in the layer: conv 8 p1",
        ),
        (["--layers", "conv 2", "-p", "1,0,2,1"], 2, "padding cannot be used with layers; leave it out."),
        (
            ["--layers", "conv 2", "--no-bias"],
            2,
            "write it in the layer: conv 8 nobias",
        ),
        (
            ["--net", "lenet5", "-s", "2"],
            2,
            "stride cannot be used with a network, whose",
        ),
        (
            ["--net", "lenet5"],
            2,
            "reads inputs of 32x32 pixels, not 24x30: bring",
        ),
        (["--layers", "conv 2", "--table"], 2, "table: is for one layer; choose one of the network"),
        (["--layers", "conv 2", "--layer", "conv2"], 2, "no layer named 'conv2'; did you mean 'conv1'?"),
        (["--layer", "conv1"], 2, "can only be used with --weights or with a network"),
        (["--layers", "conv 2", "--save", "x.npy"], 2, "of a network are written to .npz, .safetensors"),
        (["--layers", "conv 2 k99"], 2, "layer 'conv1': height"),
        (["--layers", "conv 2 p999999999"], 2, "of memory, and"),
        (["--net", "missing.toml"], 3, "missing.toml"),
        (["--layers", "conv 2", "-o", "photo.png"], 4, "it is the input"),
    ],
)
def test_what_cannot_be_is_one_line(convviz, photo, arguments, status, message):
    done = convviz("run", "photo.png", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert not (photo / "photo-maps.png").exists()


def test_a_prediction_names_the_greatest_value_not_the_largest_without_its_sign(convviz, tmp_path):
    """A layer without weights makes the values that its bias says."""
    net = '[[layer]]\ntype = "Flatten"\n[[layer]]\ntype = "Linear"\nname = "last"\nout_features = 3\n'
    (tmp_path / "net.toml").write_text(f'classes = ["cat", "dog", "cow"]\n{net}')
    (tmp_path / "x.json").write_text("[[1, 2], [3, 4]]")
    bias = np.array([-5, 0.5, 2], np.float32)
    np.savez(tmp_path / "w.npz", **{"last.weight": np.zeros((3, 4), np.float32), "last.bias": bias})
    done = convviz("run", "x.json", "--net", "net.toml", "--weights", "w.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert [(row["class"], row["value"]) for row in json.loads(done.stdout)["prediction"]] == [
        ("cow", 2),
        ("dog", 0.5),
        ("cat", -5),
    ]


@pytest.fixture
def scores(tmp_path, monkeypatch):
    """A model whose last layer makes -5, 0.5 and 2 of any input, since only its bias counts; one of maps."""
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef scores():\n"
        "    last = nn.Linear(4, 3)\n"
        "    last.load_state_dict({'weight': torch.zeros(3, 4), 'bias': torch.tensor([-5, 0.5, 2])})\n"
        "    return nn.Sequential(nn.Flatten(), last)\n\n\n"
        "def maps():\n    return nn.Sequential(nn.Conv2d(1, 3, 1), nn.Flatten())\n"
    )
    (tmp_path / "x.json").write_text("[[1, 2], [3, 4]]")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("scores")
def test_a_prediction_names_classes_by_their_numbers_where_they_have_no_names(capsys):
    assert status_of(["run", "x.json", "--model", "net.py:scores"]) == 0
    assert "\nprediction: class 2 (score 2); then class 1 (0.5), class 0 (-5)\n" in capsys.readouterr().out
    assert status_of(["run", "x.json", "--model", "net.py:scores", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prediction"] == [
        {"class": "class 2", "value": 2},
        {"class": "class 1", "value": 0.5},
        {"class": "class 0", "value": -5},
    ]


@pytest.mark.usefixtures("scores")
def test_maps_in_a_row_are_no_scores_of_classes(capsys):
    assert status_of(["run", "x.json", "--model", "net.py:maps", "--json"]) == 0
    assert "prediction" not in json.loads(capsys.readouterr().out)


def test_a_remark_on_several_layers_is_printed_once(convviz, tmp_path):
    """The picture is resized once, and the weights are made once, for three layers."""
    Image.new("L", (8, 8), 90).save(tmp_path / "x.png")
    words = ("--layers", "conv 2 k3 | relu | conv 2 k3", "--resize", "9x9", "--layer", "conv1,relu1,conv2")
    done = convviz("run", "x.png", *words, "-o", "out.png")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("out-*.png"))) == 3
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("resized")] == ["resized from 8x8 to 9x9"]
    assert sum("untrained, with random weights (seed 0)" in line for line in lines) == 1
    assert [line.partition(":")[0] for line in lines if line.startswith("layer")] == [
        "layer conv1",
        "layer conv2",
    ]
