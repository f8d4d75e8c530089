"""``convviz layers``, ``filters``, ``run --weights``, ``--field``, ``--top``, ``--stat`` by the command."""

import inspect
import json
import math

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
import zoo
from PIL import Image


def trained():
    torch.manual_seed(8)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(5, 4, 3, bias=False),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )


STACK = "conv 5 k3 s2 p1 | relu | conv 4 k3 nobias | adaptiveavgpool 1 | flatten | linear 3"


@pytest.fixture
def place(tmp_path):
    pixels = np.random.default_rng(6).integers(0, 256, (22, 26, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    torch.save(trained().state_dict(), tmp_path / "w.pt")
    safetensors.torch.save_file(trained().state_dict(), tmp_path / "w.safetensors")
    return tmp_path


def image(place):
    with Image.open(place / "photo.png") as picture:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255


def test_layers_lists_every_convolution_with_the_name_to_use(convviz, place):
    done = convviz("layers", "w.pt")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["layer", "weight", "bias", "parameters"]
    assert lines[2].split()[:4] == ["0", "5x3x3x3", "yes", "140"]
    assert lines[3].split()[:4] == ["2", "4x5x3x3", "no", "180"]
    assert "2 convolutions: 320 of 335 numbers in the file" in done.stdout
    document = json.loads(convviz("layers", "w.pt", "--json").stdout)
    weight = trained()[0].weight.detach().numpy().astype(np.float64)
    assert document["layers"][0]["weight_shape"] == [5, 3, 3, 3]
    assert document["layers"][0]["mean"] == pytest.approx(weight.mean())
    assert document["layers"][0]["std"] == pytest.approx(weight.std())


@pytest.mark.parametrize("columns", [40, 200])
def test_the_table_of_layers_fits(convviz, place, columns):
    done = convviz("layers", "w.safetensors", env={"COLUMNS": str(columns)})
    rows = [line for line in done.stdout.splitlines() if line[:1].isdigit()][:2]
    assert all("3x3" in row for row in rows)
    assert max(map(len, rows)) <= columns


def test_an_option_that_is_like_no_other_is_answered_without_a_guess(convviz):
    """Only the dashes and three letters of --filters and --tile are alike."""
    done = convviz("maps", "w.safetensors", "--filters", "1")
    assert done.stderr == "convviz: no such option: --filters (convviz maps --help lists the options)\n"


def test_layers_proposes_only_what_can_be_done(convviz, tmp_path):
    """A layer that is not finite is refused, and a transposed one is applied with its network alone."""
    whole = np.ones((2, 1, 3, 3), np.float32)
    broken = whole.copy()
    broken[0, 0, 0, 0] = np.nan
    up = {"up.weight": np.ones((2, 8, 3, 3), np.float32), "up.bias": np.zeros(8, np.float32)}
    safetensors.numpy.save_file({"a.weight": broken}, tmp_path / "diverged.safetensors")
    safetensors.numpy.save_file({"a.weight": broken, "b.weight": whole}, tmp_path / "partly.safetensors")
    safetensors.numpy.save_file({**up, "z.weight": whole}, tmp_path / "up.safetensors")
    (tmp_path / "x.csv").write_text("1,2,3\n4,5,6\n7,8,9\n")
    proposed = {}
    for name in ("diverged", "partly", "up"):
        lines = convviz("layers", f"{name}.safetensors").stdout.splitlines()
        commands = [
            line.rpartition(" ")[0].rpartition(" ")[0] for line in lines if line.startswith("convviz ")
        ]
        proposed[name] = [command.split()[-1] for command in commands]
        for command in commands:
            done = convviz(*command.replace("INPUT", "x.csv").split()[1:])
            assert done.returncode == 0, done.stderr
    assert proposed == {"diverged": [], "partly": ["b", "b"], "up": ["up", "z"]}


def as_npz(state, path):
    np.savez(path, **{key: value.double().numpy() for key, value in state.items()})


PACKED = {
    "state.pt": torch.save,
    "nested.pth": lambda state, path: torch.save({"epoch": 1, "model": {"net": state}}, path),
    "w.safetensors": safetensors.torch.save_file,
    "w.npz": as_npz,
}


@pytest.mark.parametrize("file", PACKED)
@pytest.mark.parametrize(
    "options", [[], ["--flip"], ["--no-bias", "-p", "1,0,2,1", "--padding-mode", "reflect"]]
)
def test_the_program_of_a_trained_layer_makes_the_same_maps(convviz, program, place, file, options):
    PACKED[file](trained().state_dict(), place / file)
    given = ["photo.png", "--weights", file, "--layer", "0", "-s", "2", *options]
    printed = convviz("code", *given)
    assert printed.returncode == 0, printed.stderr
    theirs = program(printed.stdout)["maps"].numpy()
    assert convviz("run", *given, "--save", "ours.npy").returncode == 0
    ours = np.load(place / "ours.npy")
    assert len(np.unique(ours)) > 100
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)


@pytest.mark.parametrize("file", ["w.pt", "w.safetensors"])
def test_one_trained_layer_makes_what_torch_makes(convviz, place, file):
    done = convviz(
        "run", "photo.png", "--weights", file, "--layer", "0", "-s", "2", "-p", "1", "--save", "y.npz"
    )
    assert done.returncode == 0, done.stderr
    with torch.no_grad(), np.load(place / "y.npz") as stored:
        np.testing.assert_allclose(stored["maps"], trained()[0](image(place))[0].numpy(), atol=1e-6)


def test_the_settings_are_in_the_picture_and_can_be_taken_over(convviz, place):
    convviz("run", "photo.png", "--weights", "w.safetensors", "--layer", "0", "-s", "2", "-o", "a.png")
    convviz("run", "photo.png", "--like", "a.png", "-o", "b.png")
    assert (place / "a.png").read_bytes() == (place / "b.png").read_bytes()


@pytest.mark.parametrize("file", ["w.pt", "w.safetensors"])
def test_a_stack_takes_trained_weights_in_order_where_no_name_fits(convviz, place, file):
    done = convviz("run", "photo.png", "--layers", STACK, "--weights", file, "--save", "y.npz")
    assert done.returncode == 0, done.stderr
    assert "used in order: conv1 = 0, conv2 = 2, linear1 = 5" in done.stderr
    with torch.no_grad(), np.load(place / "y.npz") as stored:
        np.testing.assert_allclose(stored["linear1"], trained()(image(place))[0].numpy(), atol=1e-6)


NET = """
classes = ["cat", "dog", "cow"]
[input]
resize = "11x13"
[[layer]]
type = "Conv2d"
name = "0"
out_channels = 5
kernel_size = 3
stride = 2
padding = 1
[[layer]]
type = "ReLU"
[[layer]]
type = "Conv2d"
name = "2"
out_channels = 4
kernel_size = 3
bias = false
[[layer]]
type = "AdaptiveAvgPool2d"
output_size = 1
[[layer]]
type = "Flatten"
[[layer]]
type = "Linear"
name = "5"
out_features = 3
"""


def test_a_net_says_how_the_picture_is_read_and_what_its_values_stand_for(convviz, place):
    (place / "net.toml").write_text(NET)
    done = convviz("run", "photo.png", "--net", "net.toml", "--weights", "w.safetensors", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["input"]["shape"] == [3, 11, 13]
    assert "the network asks for resize 11x13" in done.stderr
    values = {row["class"]: row["value"] for row in document["prediction"]}
    best = document["prediction"][0]["class"]
    assert values[best] == max(values.values())
    convviz("run", "photo.png", "--net", "net.toml", "--weights", "w.safetensors", "--save", "y.npz")
    with np.load(place / "y.npz") as stored:
        expected = trained()(torch.from_numpy(stored["input"])[None])[0].tolist()
    assert [values[name] for name in ("cat", "dog", "cow")] == pytest.approx(expected, abs=1e-6)
    text = convviz("run", "photo.png", "--net", "net.toml", "--weights", "w.safetensors").stdout
    assert f"prediction: {best} (score " in text


def test_until_computes_no_more(convviz, place):
    document = json.loads(convviz("run", "photo.png", "--layers", STACK, "--until", "conv2", "--json").stdout)
    assert [row["name"] for row in document["layers"]] == ["conv1", "relu1", "conv2"]
    shapes = json.loads(convviz("shape", "3x22x26", "--layers", STACK, "--until", "relu1", "--json").stdout)
    assert shapes["output_shape"] == [5, 11, 13]


def test_top_lists_the_maps_of_most_energy_first(convviz, place):
    document = json.loads(
        convviz(
            "run",
            "photo.png",
            "-O",
            "5",
            "--top",
            "3",
            "--stat",
            "energy,sparsity",
            "--json",
            "--save",
            "y.npz",
        ).stdout
    )
    with np.load(place / "y.npz") as stored:
        energy = np.square(stored["maps"].astype(np.float64)).mean(axis=(1, 2))
    assert [row["index"] for row in document["maps"]] == np.argsort(-energy)[:3].tolist()
    assert [row["energy"] for row in document["maps"]] == pytest.approx(sorted(energy)[::-1][:3], rel=1e-6)


def test_sparsity_is_the_share_of_zeros(convviz, place):
    """The maps of a layer and of its ReLU: a black picture has zeros alone."""
    document = json.loads(
        convviz(
            "run", "photo.png", "--layers", STACK, "--stat", "sparsity", "--json", "--save", "y.npz"
        ).stdout
    )
    with np.load(place / "y.npz") as stored:
        assert document["layers"][1]["sparsity"] == pytest.approx((stored["relu1"] == 0).mean())
        assert document["layers"][0]["sparsity"] == 0
    Image.new("L", (9, 9)).save(place / "black.png")
    one = json.loads(convviz("run", "black.png", "-K", "sobel", "--stat", "sparsity", "--json").stdout)
    assert [row["sparsity"] for row in one["maps"]] == [1, 1]


def test_field_says_and_draws_what_a_value_sees(convviz, place):
    """3x3 windows at stride 2 with padding 1, then 3x3: 7 pixels from 4y - 3 on."""
    document = json.loads(
        convviz("run", "photo.png", "--layers", STACK, "--layer", "conv2", "--field", "1,2", "--json").stdout
    )
    assert document["field"] == {
        "layer": "conv2",
        "at": [1, 2],
        "top": 1,
        "bottom": 7,
        "left": 3,
        "right": 9,
    }
    done = convviz("run", "photo.png", "-s", "2", "-p", "1", "--field", "0,3")
    assert (
        "the output at 0,3 sees rows -1 to 1, columns 5 to 7 of the input (3x3), padding among them"
        in done.stdout
    )
    convviz("run", "photo.png", "-s", "2", "-p", "1", "-o", "plain.png")
    with Image.open(place / "photo-maps.png") as marked, Image.open(place / "plain.png") as plain:
        # Two pictures more take room, in one direction or the other.
        assert math.prod(marked.size) > math.prod(plain.size)


def test_the_effective_field_changes_the_picture(convviz, place):
    for name, more in (("a.png", []), ("b.png", ["--effective"])):
        convviz(
            "run", "photo.png", "--layers", STACK, "--layer", "conv2", "--field", "1,2", "-o", name, *more
        )
    orange = {}
    for name in "ab":
        with Image.open(place / f"{name}.png") as picture:
            far = np.asarray(picture.convert("RGB"), int) - (213, 94, 0)
            orange[name] = int((np.abs(far).sum(axis=2) < 120).sum())
    assert orange["b"] > 1.2 * orange["a"] > 0


def test_padding_that_a_value_sees_is_drawn_as_stripes(convviz, place):
    """Of 5x5 values in the corner 2 rows and columns lie outside: stripes of two greys beside the pixels."""
    convviz("run", "photo.png", "-k", "5", "-p", "2", "--field", "0,0", "-o", "corner.png")
    convviz("run", "photo.png", "-k", "5", "-p", "2", "--field", "9,9", "-o", "middle.png")
    striped = {}
    for name in ("corner", "middle"):
        with Image.open(place / f"{name}.png") as picture:
            striped[name] = int((np.asarray(picture.convert("RGB")) == 238).all(axis=2).sum())
    assert striped["corner"] > striped["middle"] + 500


def test_one_layer_of_a_net_lists_its_maps(convviz, place):
    options = ["run", "photo.png", "--layers", STACK, "--layer", "conv1"]
    convviz(*options, "--save", "made.npz")
    with np.load(place / "made.npz") as stored:
        maps = stored["maps"].astype(np.float64)
    order = np.argsort(-(maps**2).mean(axis=(1, 2)))
    rows = [line.split() for line in convviz(*options, "--top", "2").stdout.splitlines()]
    assert [row[:3] for row in rows if row[:1] and row[0].isdigit() and row[1] == "conv1:"] == [
        [str(index), "conv1:", str(index)] for index in order[:2]
    ]
    document = json.loads(convviz(*options, "--json").stdout)
    assert [row["mean"] for row in document["maps"]] == pytest.approx(list(maps.mean(axis=(1, 2))), abs=1e-6)


def test_filters_in_colour_and_by_plane(convviz, place):
    """A layer of one filter that is red alone, and one of five channels."""
    weight = torch.zeros(1, 3, 2, 2)
    weight[0, 0, 0, 0] = 1
    safetensors.torch.save_file({"c.weight": weight}, place / "red.safetensors")
    done = convviz("filters", "red.safetensors", "-o", "red.png", "--tile", "40")
    assert done.returncode == 0, done.stderr
    with Image.open(place / "red.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(100_000)}
    assert (255, 128, 128) in colours  # red on mid grey
    assert (128, 128, 128) in colours
    assert (
        convviz("filters", "w.safetensors", "--layer", "2", "--frequency", "--sort", "energy").returncode == 0
    )
    assert (place / "w-filters.png").is_file()
    document = json.loads(
        convviz("filters", "w.safetensors", "--layer", "2", "--sort", "energy", "--top", "2", "--json").stdout
    )
    energy = trained()[2].weight.detach().square().sum(dim=(1, 2, 3))
    assert [row["index"] for row in document["filters"]] == energy.argsort(descending=True)[:2].tolist()


def test_filters_of_a_network_are_those_that_it_computes_with(convviz, place):
    """The same layers as text with a file of weights, as a module and as an ONNX file."""
    source = "import torch\n\n\n" + inspect.getsource(trained)
    (place / "net.py").write_text(source)
    zoo.export(trained(), place / "net.onnx", dynamo=False, size=(22, 26))
    weight = trained()[2].weight.detach()
    for words, layer in (
        (["--layers", STACK, "--weights", "w.pt"], "conv2"),
        (["--model", "net.py:trained"], "2"),
        (["--net", "net.onnx"], "2"),
    ):
        done = convviz("filters", *words, "--layer", layer, "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert (document["layer"], document["weight_shape"]) == (layer, [4, 5, 3, 3])
        assert [one["max"] for one in document["filters"]] == pytest.approx(
            weight.amax(dim=(1, 2, 3)).tolist(), abs=1e-6
        )
        assert "path" not in document
    assert (place / "net-filters.png").is_file()
    done = convviz("filters", "w.pt", "--layers", STACK)
    assert (done.returncode, done.stdout) == (2, "")
    assert "give FILE, or a network with --net, --model or --layers, and not both." in done.stderr
    done = convviz("filters", "--layers", STACK)
    assert "choose a convolution of the network: conv1, conv2." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "photo.png", "--weights", "w.safetensors"], 3, "2 convolutions; choose one with --layer"),
        (["run", "photo.png", "--weights", "w.safetensors", "--layer", "1"], 2, "no convolution named '1'"),
        (
            ["run", "photo.png", "--weights", "w.safetensors", "--layer", "2"],
            2,
            "'2' reads 5 channels, but the input has 3",
        ),
        (["run", "photo.png", "--weights", "no.pt", "--layer", "2"], 3, "there is no such file"),
        (["run", "photo.png", "--weights", "w.safetensors", "-K", "sobel"], 2, "leave out --kernel"),
        (["run", "photo.png", "--weights", "w.h5"], 3, "must end in"),
        (["run", "photo.png", "--layer", "x"], 2, "can only be used with --weights"),
        (["run", "photo.png", "--until", "x"], 2, "until can only be used with layers"),
        (["run", "photo.png", "--classes", "x"], 2, "classes can only be used with layers"),
        (
            ["run", "photo.png", "--until", "x", "--weights", "w.safetensors"],
            2,
            "can only be used with layers",
        ),
        (["run", "photo.png", "--layers", STACK, "--until", "x"], 2, "no layer named 'x'"),
        (
            ["run", "photo.png", "--layers", "conv 4 k3", "--weights", "w.safetensors"],
            3,
            "holds 3 layers with weights",
        ),
        (
            [
                "run",
                "photo.png",
                "--layers",
                "conv 5 k5|conv 4 k3|flatten|linear 3",
                "--weights",
                "w.safetensors",
            ],
            3,
            "shape",
        ),
        (["run", "photo.png", "--effective"], 2, "can only be used with --field"),
        (["run", "photo.png", "--field", "99,0"], 2, "field"),
        (
            ["run", "photo.png", "--layers", STACK, "--layer", "linear1", "--field", "0,0"],
            2,
            "depends on the whole",
        ),
        (["run", "photo.png", "--top", "0"], 2, "top must be at least 1"),
        (["run", "photo.png", "--stat", "median"], 2, "no statistic named 'median'"),
        (["filters", "w.safetensors"], 3, "choose one with --layer"),
        (["filters", "w.safetensors", "--layer", "0", "-o", "x.bmp"], 2, "ends in .png"),
        (
            ["filters", "w.safetensors", "--layer", "0", "-o", "w.safetensors.png/x.png", "--sort", "size"],
            2,
            "no order named",
        ),
        (["layers", "photo.png"], 3, "must end in"),
        (
            ["explain", "photo.png", "--at", "0,0", "--weights", "w.safetensors", "--layer", "3"],
            2,
            "no convolution named",
        ),
    ],
)
def test_what_cannot_be_is_one_line(convviz, place, arguments, status, words):
    done = convviz(*arguments)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr


def test_the_other_commands_take_trained_weights_too(convviz, place):
    weights = ["--weights", "w.safetensors", "--layer", "0"]
    assert convviz("explain", "photo.png", "--at", "2,3", *weights).returncode == 0
    assert "5 filters x 3 channels" in convviz("shape", "3x22x26", *weights).stdout
    (place / "in").mkdir()
    (place / "photo.png").rename(place / "in" / "photo.png")
    assert convviz("batch", "in", "out", *weights).returncode == 0
    again = convviz("batch", "in", "out", *weights)
    assert "1 unchanged" in again.stdout
    safetensors.torch.save_file({"0.weight": torch.ones(1, 3, 1, 1)}, place / "w.safetensors")
    assert "1 of 1 picture done" in convviz("batch", "in", "out", *weights).stdout
