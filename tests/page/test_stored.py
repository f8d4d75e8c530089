"""The page of a network of torch or onnxruntime: what is stored in it, and what its scripts make of that."""

import base64
import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo
from PIL import Image

import convviz
from convviz.cli.app import status_of
from convviz.compute.networks import engines
from convviz.compute.networks.engine import NetworkStep, activations
from convviz.compute.networks.sources import Opened
from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.images.picture import Picture
from convviz.page import stored
from convviz.page.packing import Store, packed, unpacked
from convviz.results.network import NetworkMaps
from convviz.results.pages import Page
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.reach import Box

SAMPLES = Path(__file__).parents[2] / "samples"
PAGE = Path(stored.__file__).parent
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None, reason="node, which runs the scripts of the page, is not installed"
)

# Open a layer as the page does, and compute its maps.
RUN = """
const [vm, fs] = [require("vm"), require("fs")];
Object.assign(globalThis, { document: { getElementById: () => null } });
for (const name of ["convolve", "archive"])
  vm.runInThisContext(fs.readFileSync(`${process.argv[1]}/${name}.js`, "utf8"));
const answer = vm.runInThisContext(`(async ({ layer, blobs, picture, at }) => {
  const made = { ...picture, channels: picture.channels.map((channel) => Float32Array.from(channel)) };
  if (at) return Archive.field(layer, ...at, made);
  const { input, weights } = await Archive.layer(layer, made, (index) => blobs[index]);
  const { maps, height, width } = Convolve.correlate(input, layer.options, weights);
  return {
    input: input.channels.map((channel) => Array.from(channel)),
    maps: maps.map((map) => Array.from(map)), size: [height, width],
  };
})`);
let text = "";
process.stdin.on("data", (part) => (text += part)).on("end", async () => {
  const found = [];
  for (const one of JSON.parse(text)) found.push(await answer(one));
  process.stdout.write(JSON.stringify(found));
});
"""


def data_of(text):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def blobs_of(text):
    return re.findall(r'<script type="text/plain" id="stored-\d+">(.*?)</script>', text)


def opened_array(blobs, place):
    """Read a stored array by Python."""
    data = zlib.decompress(base64.b64decode(blobs[place["at"]]))
    return unpacked(data, place["kind"], tuple(place["shape"]))


def computed(text, layers, at=None):
    """What the scripts of the page make of some of its layers, or see of the picture at a place."""
    data, blobs = data_of(text), blobs_of(text) if at is None else []
    channels, height, width = data["shape"]
    kind = data["pixels"]
    raw = base64.b64decode(kind["data"])
    flat = (
        np.frombuffer(raw, np.uint8) / kind["divisor"] if kind["kind"] == "u8" else np.frombuffer(raw, "<f4")
    )
    picture = {"height": height, "width": width, "channels": flat.reshape(channels, -1).tolist()}
    cases = [{"layer": layer, "blobs": blobs, "picture": picture, "at": at} for layer in layers]
    done = subprocess.run(
        [NODE, "-e", RUN, PAGE], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def maps_of(engine, x):
    picture = Picture(x, tuple("RGB"))
    return NetworkMaps(Opened(engine), engine.steps(x.shape), picture, {})


def page_of(name, x=None):
    engine = engines.of_module(zoo.network(name), name)
    return engine, maps_of(engine, zoo.picture() if x is None else x).explore("x.npy").text


# --- the arrays


@pytest.mark.parametrize("kind", ["f32", "f16", "u8"])
def test_a_stored_array_differs_by_no_more_than_its_error(kind):
    """8 bits: half of one of 255 steps. 16 bits: half of the last of 10 binary digits after the first."""
    values = np.random.default_rng(0).normal(size=(5, 7, 9)).astype(np.float32)
    store = Store()
    one = store.add(values, kind)
    found = unpacked(zlib.decompress(base64.b64decode(store.blobs[one.digest])), kind, values.shape)
    ranges = np.ptp(values, axis=(1, 2)) if kind == "u8" else np.abs(values).max(axis=(1, 2))
    error = float((np.abs(found - values).max(axis=(1, 2)) / ranges).max())
    most = {"f32": 0, "f16": 2**-11, "u8": 1 / 510}[kind]
    assert one.error <= error * 1.001
    assert error <= most * 1.001


def test_zeros_after_a_relu_stay_zeros_in_8_bits():
    values = np.maximum(np.random.default_rng(1).normal(size=(3, 8, 8)), 0).astype(np.float32)
    found = unpacked(packed(values, "u8"), "u8", values.shape)
    assert (found[values == 0] == 0).all()
    assert found.max(axis=(1, 2)) == pytest.approx(values.max(axis=(1, 2)))


@pytest.mark.parametrize(
    ("values", "kind"), [([[1, np.nan]], "u8"), ([[1, np.inf]], "f16"), ([[1, 1e5]], "f16")]
)
def test_values_that_a_kind_cannot_hold_are_stored_as_they_are(values, kind):
    store = Store()
    one = store.add(np.float32(values), kind)
    assert one.kind == "f32"
    found = unpacked(zlib.decompress(base64.b64decode(store.blobs[one.digest])), "f32", (1, 2))
    np.testing.assert_array_equal(found, np.float32(values))


def test_equal_arrays_are_stored_once():
    store = Store()
    ones = np.ones((2, 3), np.float32)
    assert (
        store.add(ones, "f16").digest == store.add(ones.copy(), "f16").digest != store.add(ones, "u8").digest
    )
    assert len(store.blobs) == 2


# --- the choice of how to store


def chain(*sizes):
    """Convolutions of so many input values and parameters."""
    return [
        NetworkStep(
            f"c{at}", "Conv", ((values,),), (1, 1, 1), count, convolution="Conv2d", inputs=(f"i{at}",)
        )
        for at, (values, count) in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("values", "parameters", "kinds"),
    [
        (1_000_000, 1_000_000, ("f32", "f32")),  # 2 million floats are 10.7 million characters
        (8_000_000, 1_000_000, ("f16", "f32")),  # 48 million as floats, 26.7 with half of them
        (10_000_000, 2_000_000, ("u8", "f32")),  # 37 million with halves, 24 with bytes
        (2_000_000, 11_000_000, ("u8", "f16")),
    ],
)
def test_numbers_are_rounded_only_where_the_page_would_be_too_large(values, parameters, kinds):
    assert stored.chosen_kinds(chain((values, parameters))) == kinds


def test_the_largest_convolutions_are_left_out_and_named_until_the_others_fit():
    chance = np.random.default_rng(2)
    kept = stored.NetworkStore(Picture(np.zeros((1, 9, 9), np.float32), ("gray",)), ("f32", "f32"))
    for step, filters in zip(chain((1, 1), (1, 1), (1, 1)), (4, 64, 8), strict=True):
        layer = Conv2d(2, filters, 3, bias=False)
        weights = LayerWeights.of(layer, chance.normal(size=layer.weight_shape).astype(np.float32))
        arriving = Picture(chance.normal(size=(2, 9, 9)).astype(np.float32), ("0", "1"))
        kept.add(step, arriving, layer, weights=weights)
    kept.fit(6000)
    assert [one.step.name for one in kept.layers] == ["c0", "c2"]
    assert kept.missing == ["not on this page: c1; see one of them with --layer NAME"]
    assert kept.size <= 6000


def test_a_network_with_too_many_parameters_is_refused_with_the_last_step_that_fits():
    with pytest.raises(SpecError, match=r"has 70,000,000 parameters, .*--until c1, or .*--layer"):
        stored.check_parameters(chain((1, 1_000_000), (1, 60_000_000), (1, 9_000_000)), "big")


def test_vgg16_is_refused_before_its_weights_are_read(tmp_path, capsys):
    """138 million parameters: torchvision's count is 138,357,544. The file of weights is none."""
    Image.new("RGB", (224, 224)).save(tmp_path / "x.png")
    (tmp_path / "vgg16.safetensors").write_bytes(b"not read")
    options = ["--net", "vgg16", "--weights", str(tmp_path / "vgg16.safetensors")]
    assert status_of(["explore", str(tmp_path / "x.png"), *options, "-o", str(tmp_path / "x.html")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "138,357,544 parameters" in line
    assert "--until" in line


def test_a_large_file_of_weights_of_a_model_is_refused_by_its_size(tmp_path, capsys):
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    with (tmp_path / "w.pt").open("wb") as file:
        file.truncate(300 << 20)  # takes no space
    model = f"{SAMPLES / 'residual_net.py'}:ResidualNet"
    options = ["--model", model, "--weights", str(tmp_path / "w.pt"), "-o", str(tmp_path / "x.html")]
    assert status_of(["explore", str(tmp_path / "x.png"), *options]) == 2
    assert "300 MiB, and a page reads weights of at most 256 MiB" in capsys.readouterr().err


# --- the layers


@needs_node
@pytest.mark.parametrize("name", ["asymmetric", "U-Net", "MobileNet", "DenseNet"])
def test_every_convolution_of_the_page_makes_what_the_network_made(name):
    """Small networks are stored exactly, so that only the order of sums differs."""
    engine, text = page_of(name)
    x = zoo.picture()
    data = data_of(text)
    names = [layer["name"] for layer in data["layers"]]
    steps = {one.name: one for one in engine.steps(x.shape)}
    assert names == [one.name for one in steps.values() if one.convolution]
    made = activations(engine, x, names, reads=True)
    for layer, found in zip(data["layers"], computed(text, data["layers"]), strict=True):
        assert layer["errors"] == [0, 0]
        expected = made[layer["name"]].values
        maps = np.array(found["maps"]).reshape(-1, *found["size"])
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@needs_node
def test_rounded_numbers_make_what_python_makes_of_them_and_are_off_by_no_more_than_is_said(monkeypatch):
    """The error of an activation is said relative to the range of its channel."""
    monkeypatch.setattr(stored, "_KINDS", (("u8", "f16"),))
    engine, text = page_of("MobileNet")
    data, blobs = data_of(text), blobs_of(text)
    names = [layer["name"] for layer in data["layers"]]
    made = activations(engine, zoo.picture(), names, reads=True)
    for layer, found in zip(data["layers"], computed(text, data["layers"]), strict=True):
        exact = made[layer["name"]].read
        values = np.array(found["input"], np.float32).reshape(exact.shape)
        ranges = np.ptp(exact, axis=(1, 2))
        off = np.abs(values - exact).max(axis=(1, 2)) / np.where(ranges > 0, ranges, 1)
        assert off.max() <= layer["errors"][0] * 1.001 + 1e-7 <= 1 / 510 * 1.002
        weight = opened_array(blobs, layer["parameters"]["weight"])
        own = engine.conv(layer["name"])
        np.testing.assert_allclose(weight, own.weight, rtol=2**-10, atol=1e-7)
        bias = None if own.bias is None else torch.from_numpy(own.bias)
        options = layer["options"]
        top, bottom, left, right = options["padding"]
        padded = torch.nn.functional.pad(torch.from_numpy(values)[None], (left, right, top, bottom))
        expected = torch.nn.functional.conv2d(
            padded,
            torch.from_numpy(weight),
            bias,
            options["stride"],
            0,
            options["dilation"],
            options["groups"],
        )[0].numpy()
        maps = np.array(found["maps"]).reshape(expected.shape)
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert re.fullmatch(r"numbers .* activations 0\.\d+%, weights 0\.\d+% at most", data["network"]["brief"])
    words = data["network"]["words"]
    assert any(
        re.search(r"8-bit levels, with an error of at most 0\.\d+% of the range", one) for one in words
    )


@needs_node
@pytest.mark.parametrize("name", ["ResNet", "U-Net"])
def test_the_receptive_field_on_the_page_is_that_of_the_network(name):
    engine, text = page_of(name)
    layers = data_of(text)["layers"]
    steps = {one.name: one for one in engine.steps((3, 32, 32))}
    for layer, found in zip(layers, computed(text, layers, at=(1, 2)), strict=True):
        step = steps[layer["name"]]
        box = Box.of(step.height, step.width, HW(1, 2))
        assert found == box._asdict()


def test_the_strip_names_every_step_in_order_and_says_which_can_be_chosen():
    engine, text = page_of("ResNet")
    data = data_of(text)
    inner = [one for one in engine.steps((3, 32, 32)) if not one.outer]
    strip = data["network"]["chain"]
    assert [(one["name"], one["kind"]) for one in strip] == [(one.name, one.kind) for one in inner]
    chosen = [one["name"] for one in strip if one["at"] is not None]
    assert chosen == [layer["name"] for layer in data["layers"]]
    assert [strip[0]["at"], strip[1]["at"]] == [0, None]


def test_the_prediction_is_that_of_the_network():
    _, text = page_of("ResNet")
    with torch.no_grad():
        values = zoo.network("ResNet")(torch.from_numpy(zoo.picture())[None])[0].numpy()
    order = np.argsort(-values)
    best = data_of(text)["network"]["prediction"]
    assert [name for name, _ in best] == [f"class {index}" for index in order]
    np.testing.assert_allclose([value for _, value in best], values[order], rtol=1e-5)


@needs_node
def test_a_transposed_convolution_is_shown_as_the_convolution_that_it_is():
    engine, text = page_of("U-Net")
    transposed = [one.name for one in engine.steps((3, 32, 32)) if one.convolution == "ConvTranspose2d"]
    layers = [layer for layer in data_of(text)["layers"] if layer["name"] in transposed]
    assert transposed
    assert all("is shown as the convolution of its input" in layer["remark"] for layer in layers)


# --- the command line


def explored(tmp_path, *words, expected=0):
    target = tmp_path / "page.html"
    assert status_of(["explore", *words, "-o", str(target), "--quiet"]) == expected
    return target.read_text(encoding="utf-8")


def printed_by(code, capsys):
    capsys.readouterr()
    names = {}
    exec(code, names)
    return names["values"], capsys.readouterr().out


def test_the_program_of_an_onnx_file_gives_the_prediction_of_the_page(tmp_path, capsys):
    digit = ["samples/digit.png", "--mode", "gray", "--resize", "28x28"]
    network = data_of(explored(tmp_path, *digit, "--net", "samples/digits.onnx"))["network"]
    values, out = printed_by(network["code"], capsys)
    assert network["runner"] == "onnxruntime"
    best = network["prediction"]
    assert best[0][0] == "class 7"
    assert [float(values.ravel()[int(name.split()[1])]) for name, _ in best] == pytest.approx(
        [value for _, value in best]
    )
    assert out.split(":")[0] == "7"


@pytest.mark.parametrize("until", [[], ["--until", "relu1"]])
def test_the_program_of_a_model_loads_its_weights_and_gives_the_prediction_of_the_page(
    until, tmp_path, capsys, monkeypatch
):
    file = tmp_path / "tiny_net.py"
    file.write_text(
        "from torch import nn\n\n\ndef net():\n    return nn.Sequential("
        "nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    torch.manual_seed(8)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )
    torch.save(module.state_dict(), tmp_path / "w.pt")
    words = ["--model", f"{file}:net", "--weights", str(tmp_path / "w.pt"), "--resize", "20x20"]
    stop = ["--until", "1"] if until else []
    network = data_of(explored(tmp_path, "samples/harbour.png", *words, *stop))["network"]
    values, _ = printed_by(network["code"], capsys)
    x = convviz.read(str(SAMPLES / "harbour.png"), resize=20).x
    with torch.no_grad():
        expected = (module[:2] if until else module)(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(values, expected, atol=1e-5)
    if not until:
        best = network["prediction"]
        assert [name for name, _ in best] == [f"class {at}" for at in np.argsort(-expected)]
        np.testing.assert_allclose([value for _, value in best], np.sort(expected)[::-1], rtol=1e-4)


def test_a_page_of_resnet18_has_all_its_convolutions_and_less_than_30_million_characters(tmp_path):
    """As torchvision makes it, on a photo of 224x224: 11 million weights fit as half floats alone."""
    options = ["--prepare", "imagenet", "--model", "torchvision.models:resnet18"]
    text = explored(tmp_path, "samples/harbour.png", *options)
    assert len(text.encode()) < 30_000_000
    data = data_of(text)
    assert len(data["layers"]) == 20
    assert {layer["parameters"]["weight"]["kind"] for layer in data["layers"]} == {"f16"}
    assert data["layers"][0]["arriving"] is None
    # A block and its shortcut read the same maps.
    named = {layer["name"]: layer for layer in data["layers"]}
    assert named["layer2.0.conv1"]["arriving"] == named["layer2.0.downsample.0"]["arriving"]
    assert len(text.split('id="stored-0"')[0]) < 2_000_000


def test_one_layer_with_many_filters_gets_a_page_of_its_own(tmp_path):
    """A page whose layer can be changed has room for 64 filters; this layer of ResNet-18 has 128."""
    words = ["--net", "resnet18", "--resize", "32x32", "--layer", "layer2.0.conv1"]
    data = data_of(explored(tmp_path, "samples/harbour.png", *words))
    assert [layer["name"] for layer in data["layers"]] == ["layer2.0.conv1"]
    assert data["layers"][0]["shape"][0] == 128


def test_a_network_of_our_own_that_no_browser_computes_is_stored(tmp_path):
    """ResNet-18 of convviz has 11 million parameters, and a page computes networks of 4 million."""
    data = data_of(explored(tmp_path, "samples/harbour.png", "--net", "resnet18", "--resize", "64x64"))
    assert len(data["layers"]) == 20
    assert len(data["network"]["steps"]) == len(data["network"]["chain"])


# --- without a picture, and with a large one


def test_without_input_a_page_of_the_classic_numbers_is_written(tmp_path, monkeypatch, capsys):
    """9 ones of R, 3 of G and 6 of B make 18 under a filter of ones."""
    monkeypatch.chdir(tmp_path)
    assert status_of(["explore"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == ["explore.html"]
    assert said.err == "open this file in a browser; --open does so\n"
    data = data_of(Path("explore.html").read_text(encoding="utf-8"))
    x = np.frombuffer(base64.b64decode(data["pixels"]["data"]), np.uint8).reshape(3, -1)
    weight = np.frombuffer(base64.b64decode(data["layers"][0]["parameters"]["weight"]), "<f4").reshape(
        6, 3, 9
    )
    assert data["tour"] is True
    assert (weight[0] * (x / data["pixels"]["divisor"])).sum(axis=1).tolist() == [9, 3, 6]
    assert len(data["layers"][0]["shape"]) == 3


@pytest.mark.parametrize("option", [["--padding", "1"], ["--mode", "gray"], ["--net", "lenet5"]])
def test_without_input_no_option_of_a_layer_or_picture_is_taken(option, tmp_path, capsys):
    assert status_of(["explore", *option, "-o", str(tmp_path / "x.html")]) == 2
    assert "leave out the options, or give INPUT" in capsys.readouterr().err


def test_a_large_picture_is_scaled_for_its_page_as_the_command_on_the_page_does(tmp_path, capsys):
    """4.4 million pixels; 1024 along the longer side leave 1024 * 2000 / 2200 = 931 along the other."""
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (2200, 2000), np.uint8)).save(
        tmp_path / "x.png"
    )
    assert status_of(["explore", str(tmp_path / "x.png"), "-o", str(tmp_path / "x.html")]) == 0
    assert "scaled from 2200x2000 to 1024x931 for the page; choose another size with --resize" in (
        capsys.readouterr().err
    )
    data = data_of((tmp_path / "x.html").read_text(encoding="utf-8"))
    assert data["reading"] == ["--resize 1024x931"]
    x = convviz.read(tmp_path / "x.png", resize=HW(1024, 931)).x
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(data["pixels"]["data"]), "<f4"), x.ravel())


def test_a_size_that_was_asked_for_stays(tmp_path):
    Image.new("L", (2200, 2000)).save(tmp_path / "x.png")
    data = data_of(explored(tmp_path, str(tmp_path / "x.png"), "--crop", "1500"))
    assert data["shape"] == [1, 1500, 1500]


# --- in Python


def test_a_result_makes_a_page_whose_command_names_its_weights():
    x = np.ones((2, 5, 5), np.float32)
    layer = Conv2d(2, 3, 3)
    new = data_of(convviz.run(x, layer).explore("x.npy").text)
    assert (new["words"], new["given"], new["path"]) == ([], False, "x.npy")
    own = data_of(convviz.run(x, layer, (np.ones((3, 2, 3, 3)), np.float32([1, 2, 3]))).explore().text)
    assert (own["words"], own["given"]) == (["-K kernels.json", "--bias-values=1.0,2.0,3.0"], True)


@needs_node
def test_a_result_with_more_filters_than_a_form_offers_makes_a_page_of_its_own():
    x = np.random.default_rng(3).random((3, 6, 6), np.float32)
    result = convviz.run(x, Conv2d(3, 80, 3))
    text = result.explore().text
    (found,) = computed(text, data_of(text)["layers"])
    maps = np.array(found["maps"]).reshape(-1, *found["size"])
    np.testing.assert_allclose(maps, result.maps, rtol=1e-5, atol=1e-6)


def test_networks_and_their_layers_make_pages():
    x = np.random.default_rng(3).random((1, 8, 8), np.float32)
    own = convviz.run_net(convviz.parse_layers("conv 2 k3 | relu"), x)
    assert [one["name"] for one in data_of(own.explore().text)["layers"]] == ["conv1", "relu1"]
    assert data_of(own["relu1"].explore().text)["shape"] == [1, 8, 8]
    foreign = convviz.run_net(zoo.network("ResNet"), zoo.picture())
    assert data_of(foreign.explore(colormap="gray").text)["state"]["colormap"] == "gray"


def test_a_page_saves_itself_under_the_name_of_a_page(tmp_path):
    page = convviz.run(np.ones((1, 4, 4)), Conv2d(1, 1, 3)).explore()
    page.save(tmp_path / "page.html")
    page.save(tmp_path / "page.html")  # a file of convviz is replaced
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith(page.text)
    with pytest.raises(SpecError, match=r"ends in \.html, not '\.txt'"):
        page.save(tmp_path / "page.txt")


def test_a_notebook_gets_one_line_in_place_of_a_page_that_is_too_large():
    shown = Page("x" * 17_000_000)._repr_html_()
    assert "16.2 MiB, and a notebook shows at most 15.3 MiB" in shown
    assert len(shown) < 300


def test_a_frame_in_a_notebook_holds_the_page_as_text_and_reaches_nothing():
    shown = Page('<p title="a">&</p>')._repr_html_()
    assert 'srcdoc="&lt;p title=&quot;a&quot;&gt;&amp;&lt;/p&gt;"' in shown
    assert "allow-same-origin" not in shown
