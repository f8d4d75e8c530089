"""Every command on a layer deep in a network: the same network as code of torch, and as a file of ONNX.

The layer is the asymmetric one (3x5 kernel, stride 2x1, dilation 1x2, padding 1,0,2,1, two groups, bias),
behind another convolution. What is right is what a hook of torch sees.
"""

import inspect
import json
import re
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
import zoo
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import convviz as library
from convviz.compute.networks import of_module, open_onnx
from convviz.compute.networks.sources import EngineSource, Opened
from convviz.errors import SpecError, UnknownNameError
from convviz.images.decode import as_picture
from convviz.results import scene
from convviz.results.context import in_network, pooling_in_network
from convviz.spec.layers import MaxPool2d

X = np.random.default_rng(11).normal(size=(3, 12, 14)).astype(np.float32)


def module():
    """The network that the file `net.py` makes, too."""
    torch.manual_seed(4)
    return zoo.Asymmetric().eval()


def seen(net, name):
    """What a layer reads and makes, as a hook sees it."""
    found = []
    handle = net.get_submodule(name).register_forward_hook(
        lambda layer, given, made: found.extend((given[0][0].detach().numpy(), made[0].detach().numpy()))
    )
    with torch.no_grad():
        net(torch.from_numpy(X)[None])
    handle.remove()
    return found


@pytest.fixture
def place(tmp_path):
    """A folder with the input, and the network in both ways."""
    np.save(tmp_path / "x.npy", X)
    text = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\n"
    text += inspect.getsource(zoo.Asymmetric)
    text += "\n\ndef make():\n    torch.manual_seed(4)\n    return Asymmetric()\n"
    (tmp_path / "net.py").write_text(text)
    zoo.export(module(), tmp_path / "net.onnx", dynamo=False, size=X.shape[1:])
    return tmp_path


@pytest.fixture(params=["model", "onnx"])
def network(request, place):
    """The options that name the network."""
    return {"model": ["--model", "net.py:make"], "onnx": ["--net", "net.onnx"]}[request.param]


def test_run_draws_the_maps_of_the_layer_and_compares_them(convviz, place, network):
    done = convviz("run", "x.npy", *network, "--layer", "odd", "--check", "--json", "--save", "o.npz")
    assert done.returncode == 0, done.stderr
    read, made = seen(module(), "odd")
    document = json.loads(done.stdout)
    assert document["network"]["layer"] == "odd"
    assert document["output_shape"] == list(made.shape)
    assert re.search(r"layer odd: numpy and (torch|onnxruntime) differ by at most", done.stderr)
    with np.load(place / "o.npz") as stored:
        np.testing.assert_allclose(stored["maps"], made, atol=1e-5)
        np.testing.assert_allclose(stored["input"], read, atol=1e-5)
        np.testing.assert_array_equal(stored["weight"], module().odd.weight.detach())
    assert [row["max"] for row in document["maps"]] == pytest.approx(list(made.max(axis=(1, 2))), abs=1e-5)


def test_partial_maps_of_a_deep_layer_add_up(convviz, network):
    done = convviz("run", "x.npy", *network, "--layer", "odd", "--partial", "--table", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["partial"]["difference"] < 1e-5


def test_several_layers_have_a_sheet_each(convviz, place, network):
    done = convviz("run", "x.npy", *network, "--layer", "first,odd", "--json", "-o", "o.png")
    assert done.returncode == 0, done.stderr
    assert [one["network"]["layer"] for one in json.loads(done.stdout)["runs"]] == ["first", "odd"]
    assert sorted(path.name for path in place.glob("*.png")) == ["o-first.png", "o-odd.png"]


@pytest.mark.parametrize(
    "command",
    [
        ("explain", "x.npy"),
        ("pad", "x.npy"),
        ("animate", "x.npy"),
        ("code", "x.npy"),
        ("explore", "x.npy"),
        ("exercise",),
        ("bench", "x.npy"),
        ("batch", ".", "out", "--pattern", "*.npy", "--workers", "1"),
        ("best", ".", "--pattern", "*.npy"),
        ("shape", "3x12x14"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_that_takes_one_layer_says_so(convviz, network, command):
    done = convviz(*command, *network, "--layer", "first,odd")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'first,odd' names 2 layers, but only one can be taken here; name one of them." in done.stderr


class Pools(torch.nn.Module):
    """A convolution and two poolings, no two of whose settings are alike."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 3)
        self.greatest = torch.nn.MaxPool2d((3, 5), (2, 1), (1, 2), (1, 2), ceil_mode=True)
        self.mean = torch.nn.AvgPool2d((2, 3), (1, 2), (1, 0), count_include_pad=False)

    def forward(self, x):
        return self.mean(self.greatest(self.conv(x)))


@pytest.fixture(params=["module", "dynamo", "script"])
def pools(request, tmp_path):
    """An engine of these, the module, and the file if there is one."""
    torch.manual_seed(2)
    net, path = Pools().eval(), tmp_path / "pools.onnx"
    if request.param == "module":
        return of_module(net), net
    zoo.export(net, path, dynamo=request.param == "dynamo", size=X.shape[1:])
    return open_onnx(path), net


@pytest.mark.parametrize("name", ["greatest", "mean"])
def test_a_pooling_of_a_network_is_animated_on_what_reaches_it(pools, name):
    engine, net = pools
    layer = engine.pooling(name)
    read, made = seen(net, name)
    picture, _ = pooling_in_network(Opened(engine), as_picture(X), name, layer=layer)
    np.testing.assert_allclose(picture.x, read, atol=1e-5)
    for index, own in enumerate(made):
        found = scene.pooled(layer, picture.size, picture=picture, index=index)
        np.testing.assert_allclose(found.values, own, atol=1e-5)
        assert found.rule == ("max" if name == "greatest" else "mean")
    assert engine.pooling("conv") is None
    other = MaxPool2d(2)
    with pytest.raises(SpecError, match="makes something else than"):
        pooling_in_network(Opened(engine), as_picture(X), name, layer=other)


def test_a_pooling_that_no_layer_describes_is_refused_in_one_line(convviz, tmp_path):
    """Of a file a padding on two sides alone; of a module a divisor; and a layer without windows."""
    np.save(tmp_path / "x.npy", X)
    node = helper.make_node("MaxPool", ["x"], ["y"], "pool", kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    ends[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *X.shape))
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    sets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=9), tmp_path / "pool.onnx")
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\n"
        "def make():\n    return nn.Sequential(nn.AvgPool2d(2, divisor_override=3), nn.ReLU())\n"
    )
    for words, message in (
        (["--net", "pool.onnx", "--layer", "pool"], "a padding that differs between opposite sides"),
        (["--model", "net.py:make", "--layer", "0"], "divides its sums by 3"),
        (["--model", "net.py:make", "--layer", "1"], "is not a convolution but ReLU; run draws"),
    ):
        done = convviz("animate", "x.npy", *words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr


def test_animate_takes_a_pooling_of_a_network_and_other_commands_name_it(convviz, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((1, 32, 32), np.float32))
    layer = ("x.npy", "--net", "lenet5", "--layer", "pool1")
    done = convviz("animate", *layer, "--cells", "2", "-o", "pool.svg")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("max pooling 2x2: 28x28 -> 14x14; ")
    assert (tmp_path / "pool.svg").exists()
    done = convviz("explain", *layer)
    assert done.returncode == 2
    assert "run draws what it makes, and animate its windows." in done.stderr


def test_a_layer_with_a_comma_in_its_name_is_one_layer():
    """The name is looked up as a whole first."""
    net = torch.nn.Sequential()
    net.add_module("first,odd", torch.nn.Conv2d(3, 1, 1))
    net.add_module("first", torch.nn.Conv2d(1, 1, 1))
    assert library.run(X, net, layer="first,odd").shape == (1, 12, 14)


def test_explain_takes_a_value_of_a_deep_layer_apart(convviz, network):
    done = convviz("explain", "x.npy", *network, "--layer", "odd", "--at", "2,3", "--map", "4", "--json")
    assert done.returncode == 0, done.stderr
    _, made = seen(module(), "odd")
    assert json.loads(done.stdout)["value"] == pytest.approx(float(made[4, 2, 3]), abs=1e-5)


def test_pad_shows_what_arrives_with_the_padding_of_the_layer(convviz, place):
    """Of torch the padding is an operation of its own; so it is the layer of a net of our own."""
    (place / "net.toml").write_text(
        '[[layer]]\nname = "first"\ntype = "Conv2d"\nout_channels = 4\nkernel_size = 1\n\n'
        '[[layer]]\nname = "odd"\ntype = "Conv2d"\nout_channels = 6\nkernel_size = [3, 5]\n'
        'padding = [[1, 0], [2, 1]]\npadding_mode = "replicate"\n'
    )
    done = convviz("pad", "x.npy", "--net", "net.toml", "--layer", "odd", "--json")
    assert done.returncode == 0, done.stderr
    values = np.array(json.loads(done.stdout)["padded"]["replicate"])
    assert values.shape == (4, 13, 17)
    np.testing.assert_array_equal(values[:, 0, 2:-1], values[:, 1, 2:-1])


def test_the_program_of_a_deep_layer_makes_its_maps(convviz, program, network):
    done = convviz("code", "x.npy", *network, "--layer", "odd")
    assert done.returncode == 0, done.stderr
    names = program(done.stdout)
    read, made = seen(module(), "odd")
    np.testing.assert_allclose(np.asarray(names["maps"]), made, atol=1e-5)
    np.testing.assert_allclose(np.asarray(names["arriving"]), read, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["explore", "-o", "o.html"], "o.html"),
        (["animate", "-o", "o.gif", "--cells", "2"], "o.gif"),
        (["bench", "--seconds", "1"], None),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_other_commands_take_a_deep_layer(convviz, place, network, words, made):
    done = convviz(words[0], "x.npy", *network, "--layer", "odd", *words[1:])
    assert done.returncode == 0, done.stderr
    assert made is None or (place / made).stat().st_size > 1000


def test_an_exercise_has_the_settings_of_the_layer(convviz, network):
    done = convviz("exercise", *network, "--layer", "odd", "--size", "9x12")
    assert done.returncode == 0, done.stderr
    assert "kernel_size=(3, 5), stride=(2, 1), dilation=(1, 2)" in done.stdout


def test_a_batch_reports_every_map(convviz, place, network):
    (place / "in").mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (12, 14, 3), np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(place / "in" / name)
    done = convviz("batch", "in", "out", *network, "--layer", "odd", "--report", "r.jsonl", "--workers", "1")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (place / "r.jsonl").read_text().splitlines()]
    with torch.no_grad():
        found = module()(torch.from_numpy(pixels / np.float32(255)).permute(2, 0, 1)[None])[0].numpy()
    assert len(lines) == 2
    for line in lines:
        assert [one["min"] for one in line["maps"]] == pytest.approx(list(found.min(axis=(1, 2))), abs=1e-5)
        assert {one["sparsity"] for one in line["maps"]} == {0}


def test_layers_lists_the_names_with_shapes_and_costs(convviz, network):
    """By hand: 6 * 2 * 15 weights and 6 biases; the maps are 6x10 as of 13x17 windows of 3x9."""
    done = convviz("layers", *network, "--input", "3x12x14", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["layers"]}
    assert rows["odd"]["convolution"] == "Conv2d"
    assert rows["odd"]["output_shape"] == [6, 6, 9]
    assert rows["odd"]["parameters"] == 6 * 2 * 15 + 6
    assert rows["odd"]["macs"] == 6 * 2 * 15 * 6 * 9
    assert rows["odd"]["receptive_field"] == [3, 9]
    done = convviz("shape", "3x12x14", *network, "--json")
    assert json.loads(done.stdout)["output_shape"] == [6, 6, 9]


def test_the_receptive_field_is_drawn_in_what_the_network_reads(convviz, network):
    """Row 1 of stride 2 behind one row of padding begins at row 1; column 0 behind two columns at -2."""
    done = convviz("run", "x.npy", *network, "--layer", "odd", "--field", "1,0", "--json")
    assert done.returncode == 0, done.stderr
    box = {"top": 1, "bottom": 3, "left": -2, "right": 6}
    assert json.loads(done.stdout)["field"] == {"layer": "odd", "at": [1, 0], **box}


def test_an_overview_is_small_and_names_its_steps(convviz, place, network):
    done = convviz("run", "x.npy", *network, "-o", "o.png")
    assert done.returncode == 0, done.stderr
    assert "odd" in done.stdout
    with Image.open(place / "o.png") as picture:
        assert max(picture.size) <= 2000
    convviz("run", "x.npy", *network, "-o", "o.svg")
    words = re.sub("(<[^>]*>|\n)+", " ", (place / "o.svg").read_text("utf-8"))
    assert "rows: the last step before each change of map size" in words


@pytest.mark.parametrize("layer", [["--layer", "odd"], []])
def test_the_heading_names_a_file_without_its_folder(convviz, place, layer):
    (place / "deep").mkdir()
    (place / "net.onnx").rename(place / "deep" / "net.onnx")
    done = convviz("run", "x.npy", "--net", "deep/net.onnx", *layer, "-o", "o.svg")
    assert done.returncode == 0, done.stderr
    words = re.sub("(<[^>]*>|\n)+", " ", (place / "o.svg").read_text("utf-8"))
    assert ("layer odd of net.onnx, on" if layer else "net.onnx: ") in words
    assert "deep" not in words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "x.npy", "--layer", "od"], "no layer named 'od'; did you mean 'odd'?"),
        (["explain", "x.npy"], "layer: choose a convolution of"),
        (["run", "x.npy", "--table"], "table: is for one layer; choose one"),
        (["run", "x.npy", "--layer", "odd", "-K", "sobel-x"], "kernel cannot be used with a network"),
        (["run", "x.npy", "--layer", "odd", "--flip"], "flip cannot be used with a network"),
        (["run", "x.npy", "--until", "od"], "no layer named 'od'; did you mean 'odd'?"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_cannot_be_is_one_line(convviz, network, words, message):
    done = convviz(words[0], words[1], *network, *words[2:])
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_weights_of_a_file_go_into_the_model(convviz, place):
    torch.manual_seed(5)
    other = zoo.Asymmetric().eval()
    state = {f"module.{name}": tensor for name, tensor in other.state_dict().items()}
    safetensors.torch.save_file(state, place / "w.safetensors")
    done = convviz(
        "run", "x.npy", "--model", "net.py:make", "--weights", "w.safetensors", "--layer", "odd",
        "--save", "o.npz",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "behind 'module.'" in done.stderr
    with np.load(place / "o.npz") as stored:
        np.testing.assert_allclose(stored["maps"], seen(other, "odd")[1], atol=1e-5)


def test_python_takes_modules_and_files(place):
    _, made = seen(module(), "odd")
    for network in (module(), library.find_net(str(place / "net.onnx"))):
        np.testing.assert_allclose(library.run(X, network, layer="odd").maps, made, atol=1e-5)
        assert library.run_net(network, X, layers=["first"])["first"].maps.shape == (4, 12, 14)
        with pytest.raises(UnknownNameError, match="did you mean 'odd'"):
            library.run(X, network, layer="odf")
    with pytest.raises(SpecError, match="this network has its own"):
        library.run_net(module(), X, {"odd": {}})


def test_a_transposed_convolution_is_shown_as_the_convolution_that_it_is():
    torch.manual_seed(6)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1),
        torch.nn.ConvTranspose2d(4, 6, (3, 5), (2, 1), (1, 2), (1, 0), 2, True, (1, 2)),
    )

    found = in_network(EngineSource(of_module(net)).open(X.shape), as_picture(X), "1")
    own = library.run(found.picture, found.layer, found.weights)
    np.testing.assert_allclose(own.maps, found.network.maps, atol=1e-5)
    assert found.layer.stride == (1, 1)
    assert "ConvTranspose2d(4, 6" in found.remarks[-1]


def test_a_transposed_convolution_is_named_on_its_sheet(convviz, tmp_path):
    """A stride of 2 puts 13 zeros between 14 values: 27; with padding 4 - 1 - 1 = 2 the maps are 28 again."""
    (tmp_path / "up.py").write_text(
        "from torch import nn\n\n\ndef make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 2, 4, 2, 1))\n"
    )
    np.save(tmp_path / "x.npy", np.ones((3, 14, 14), np.float32))
    done = convviz("run", "x.npy", "--model", "up.py:make", "--layer", "1", "-o", "x.svg")
    assert done.returncode == 0, done.stderr
    named = (
        "ConvTranspose2d(4, 2, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1)) as the equal convolution: "
        "kernels rotated by 180 degrees, zeros between the values of its input"
    )
    assert done.stdout.splitlines()[0] == named
    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    texts = " ".join(" ".join(root.itertext()).split())
    assert texts.index("ConvTranspose2d(4, 2") < texts.index("Conv2d(4, 2, kernel_size=(4, 4), stride=(1, 1)")
    assert named in texts
    assert "4x27x27 -> 2x28x28" in texts
    assert "on the activations that reach it: 4x14x14, with zeros between the values 4x27x27" in texts


@pytest.mark.parametrize("command", ["explain", "pad", "run", "animate"])
def test_a_transposed_convolution_is_named_with_its_own_settings(convviz, tmp_path, command):
    """Each of the 8 * 2 weights meets each of the 3 x 4 values: 4 * 2 * 4 * 4 * 12 = 1536 products."""
    (tmp_path / "up.py").write_text(
        "from torch import nn\n\n\ndef make():\n"
        "    up = nn.ConvTranspose2d(4, 2, 4, 2, (1, 0), output_padding=1)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 1), up)\n"
    )
    np.save(tmp_path / "x.npy", np.ones((3, 3, 4), np.float32))
    words = ("x.npy", "--model", "up.py:make", "--layer", "1", "-o")
    done = convviz(command, *words, "x.gif" if command == "animate" else "x.svg")
    assert done.returncode == 0, done.stderr
    if command == "animate":
        own = "transposed kernel 4x4, stride 2, padding 1,1,0,0, output padding 1: 3x4 -> 7x11"
        assert done.stdout.startswith(f"{own}, as the equal convolution of 5x7; ")
        return
    named = (
        "ConvTranspose2d(4, 2, kernel_size=(4, 4), stride=(2, 2), padding=(1, 0), output_padding=(1, 1)) "
        "as the equal convolution: kernels rotated by 180 degrees, zeros between the values of its input"
    )
    assert done.stdout.startswith(named)
    if command != "pad":
        root = ElementTree.parse(tmp_path / "x.svg").getroot()
        assert named in " ".join(" ".join(root.itertext()).split())
    told = json.loads(convviz(command, *words, "x.svg", "--json").stdout)["transposed"]
    assert told == {
        **{"in_channels": 4, "out_channels": 2, "kernel_size": [4, 4], "stride": [2, 2], "padding": [1, 0]},
        **{"output_padding": [1, 1], "dilation": [1, 1], "groups": 1, "bias": True},
        **{"input_shape": [4, 3, 4], "macs": 1536},
    }


def test_a_program_of_whole_numbers_is_refused(convviz, tmp_path):
    """Its file has no values that are those of the sheet, which have the scale of the picture."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("ConvInteger", ["q", "w", "z"], ["y"], name="conv"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 5, 5))],
        [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
        [numpy_helper.from_array(np.ones((2, 3, 3, 3), np.uint8), "w")],
    )
    sets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), tmp_path / "q.onnx")
    np.save(tmp_path / "x.npy", np.ones((3, 5, 5), np.float32))
    done = convviz("code", "x.npy", "--net", "q.onnx", "--layer", "conv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'conv' computes with whole numbers" in done.stderr


@pytest.mark.parametrize(
    ("command", "remedy", "repaired"),
    [
        (["layers"], "--input CxHxW", ["--input", "3x8x8"]),
        (["run", "x.npy"], "--resize HxW", []),
    ],
    ids=["layers", "run"],
)
def test_a_size_for_which_a_network_fails_is_answered_with_the_option_that_sets_it(
    convviz, tmp_path, command, remedy, repaired
):
    """What is reshaped to two maps of 8x8, for the sum, is an input of 8x8."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Add", ["c", "a"], ["s"], name="add"),
        helper.make_node("Reshape", ["s", "sizes"], ["y"], name="out"),
    ]
    stored = {"w": np.ones((2, 3, 1, 1), np.float32), "a": np.ones((1, 2, 8, 8), np.float32)}
    stored["sizes"] = np.array([1, -1])
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, "h", "w"))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in stored.items()],
    )
    sets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), tmp_path / "n.onnx")
    np.save(tmp_path / "x.npy", np.ones((3, 5, 5), np.float32))
    done = convviz(*command, "--net", "n.onnx")
    assert done.returncode == 3
    assert remedy in done.stderr
    np.save(tmp_path / "x.npy", np.ones((3, 8, 8), np.float32))
    assert convviz(*command, *repaired, "--net", "n.onnx").returncode == 0


def test_attention_of_one_token_is_a_map_per_head(convviz, place):
    """A ViT of 32x32 in patches of 8: 16 tokens behind a class token, two heads."""
    path = zoo.export(zoo.network("ViT"), place / "vit.onnx", dynamo=False)
    np.save(place / "y.npy", zoo.picture())
    engine = library.find_net(str(path)).open((3, 32, 32)).engine
    name = next(one.name for one in engine.steps((3, 32, 32)) if one.kind == "Softmax")
    done = convviz("run", "y.npy", "--net", "vit.onnx", "--layer", name, "--token", "1,2", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["maps"]
    block = zoo.network("ViT").encoder.layers[0]
    seen_by = {}
    block.self_attention.register_forward_pre_hook(
        lambda module, given: seen_by.update(x=given[0].detach()), with_kwargs=False
    )
    with torch.no_grad():
        zoo.network("ViT")(torch.from_numpy(zoo.picture())[None])
        x = seen_by["x"]
        _, weights = block.self_attention(x, x, x, need_weights=True, average_attn_weights=False)
    expected = weights[0, :, 1 + 1 * 4 + 2, 1:].numpy()
    assert [row["max"] for row in rows] == pytest.approx(list(expected.max(axis=1)), abs=1e-6)
    assert convviz("run", "x.npy", "--out-channels", "1", "--token", "1,2").returncode == 2
    done = convviz("run", "y.npy", "--net", "vit.onnx", "--layer", "conv_proj", "--token", "1,2")
    assert "token: is for attention" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["layers", "net.py:Net"],
        ["filters", "net.py:Net"],
        ["shape", "net.py:Net"],
        ["run", "x.npy", "--net", "net.py:Net"],
        ["run", "x.npy", "--net=torchvision.models:resnet18"],
        ["run", "x.npy", "--weights", "net.py"],
    ],
    ids=" ".join,
)
def test_a_module_that_is_given_in_another_place_is_answered_with_the_option_for_it(convviz, place, words):
    (place / "net.py").write_text("raise SystemError('was run')")
    done = convviz(*words)
    assert done.returncode in (2, 3)
    typed = words[-1].removeprefix("--net=")
    module = typed if ":" in typed else f"{typed}:NAME"
    assert done.stderr.endswith(f" (a torch module is given by --model: convviz layers --model {module})\n")


@pytest.mark.parametrize("name", ["maps.npz:first", "s3://net/x", "layer1.0.relu:2"])
def test_what_is_no_module_is_not_taken_for_one(convviz, place, name):
    assert "torch module" not in convviz("run", "x.npy", "--net", name).stderr


def test_an_overview_may_end_earlier(convviz, place, network):
    done = convviz("run", "x.npy", *network, "--until", "first", "--save", "o.npz", "--json")
    assert done.returncode == 0, done.stderr
    with np.load(place / "o.npz") as stored:
        np.testing.assert_allclose(stored["first"], seen(module(), "first")[1], atol=1e-5)
        assert "odd" not in stored
    assert json.loads(done.stdout)["layers"][-1]["name"] == "first"


def test_what_is_no_map_for_certain_is_shown_all_the_same(convviz, place):
    """Of a transposed convolution whose padding the file leaves to the size, the field is not defined."""
    weight = np.ones((3, 2, 3, 3), np.float32)
    up = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", auto_pad="SAME_UPPER", strides=[2, 2])
    made = helper.make_graph(
        [up],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 12, 14])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(made, opset_imports=opset, ir_version=8), place / "up.onnx")
    done = convviz("run", "x.npy", "--net", "up.onnx", "--json", "--save", "o.npz")
    assert done.returncode == 0, done.stderr
    with np.load(place / "o.npz") as stored:
        assert stored["up"].shape == (2, 24, 28)


class Stages(torch.nn.Module):
    """Two modules of several operations, called one after the other."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(6)
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
        self.stage = torch.nn.Sequential(torch.nn.Conv2d(4, 5, 3, stride=2), torch.nn.ReLU())

    def forward(self, x):
        return self.stage(self.stem(x))


@pytest.mark.parametrize("dynamo", [False, True], ids=["older exporter", "newer exporter"])
def test_a_module_of_several_operations_is_asked_for_by_its_name_in_torch(convviz, tmp_path, dynamo):
    """Also what the file itself calls an operation; its maps and its receptive field are those of torch."""
    net = Stages().eval()
    np.save(tmp_path / "x.npy", X)
    zoo.export(net, tmp_path / "net.onnx", dynamo=dynamo, size=X.shape[1:])
    made = seen(net, "stage")[1]
    done = convviz(
        *(
            "run",
            "x.npy",
            "--net",
            "net.onnx",
            "--layer",
            "stage",
            "--field",
            "1,2",
            "--json",
            "--save",
            "o.npz",
        )
    )
    assert done.returncode == 0, done.stderr
    assert "stage is the output of stage.1" in done.stderr.splitlines()
    with np.load(tmp_path / "o.npz") as stored:
        (maps,) = (stored[name] for name in stored.files if stored[name].shape == made.shape)
        np.testing.assert_allclose(maps, made, atol=1e-5)
    # The value reads rows 2 to 4 of the stem's output, which reads rows 2 to 6 of the input.
    box = json.loads(done.stdout)["field"]
    assert [box[side] for side in ("top", "bottom", "left", "right")] == [2, 6, 4, 8]
    done = convviz(
        "look", "x.npy", "--net", "net.onnx", "--layer", "stage,stem", "--how", "mean", "--save", "m.npz"
    )
    assert done.returncode == 0, done.stderr
    node = onnx.load(tmp_path / "net.onnx").graph.node[0]
    for name in (node.name, node.output[0]):
        done = convviz("explain", "x.npy", "--net", "net.onnx", "--layer", name, "--at", "0,0", "--json")
        assert done.returncode == 0, done.stderr
        value = net.stem[0](torch.from_numpy(X)[None])[0, 0, 0, 0].item()
        assert json.loads(done.stdout)["value"] == pytest.approx(value, abs=1e-5)
    found = library.run_net(library.find_net(str(tmp_path / "net.onnx")), X)["stage"]
    np.testing.assert_allclose(found.maps, made, atol=1e-5)
    for command in ("run", "look"):
        assert (
            "no layer named 'stages'"
            in convviz(command, "x.npy", "--net", "net.onnx", "--layer", "stages").stderr
        )


def test_a_step_that_makes_several_arrays_names_them(convviz, tmp_path):
    weight = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Split", ["a"], ["p", "q"], "cut", axis=1),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *X.shape])
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("p", "q")]
    graph = helper.make_graph(nodes, "g", [given], made, [weight])
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", X)
    for command in ("run", "look"):
        done = convviz(command, "x.npy", "--net", "net.onnx", "--layer", "cut")
        assert done.returncode == 2
        assert done.stderr == "convviz: layer: 'cut' makes several arrays; choose from cut[0], cut[1].\n"
        done = convviz(command, "x.npy", "--net", "net.onnx", "--layer", "cut[1]", "--json")
        assert done.returncode == 0, done.stderr


def test_the_shape_of_what_is_drawn_of_a_layer_stands_on_the_sheet_and_above_the_table(convviz, place):
    """A 3x3 kernel makes 10x12 of 12x14 pixels, and windows of 2x3 make 5x4 of these."""
    layers = "conv 4 k3 | maxpool 2x3 | flatten"
    done = convviz("run", "x.npy", "--layers", layers, "--layer", "maxpool1", "-o", "o.svg")
    assert done.returncode == 0, done.stderr
    assert re.match(r"maxpool1: MaxPool2d\(.*\), 4x5x4\n\n", done.stdout)
    assert "here maxpool1, 4x5x4" in (place / "o.svg").read_text()
