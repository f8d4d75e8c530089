"""The page: what is in the file, and that its arithmetic is that of convviz."""

import base64
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import npm
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import convviz
from convviz.cli.app import status_of
from convviz.compute import conv, filters, weights
from convviz.compute.networks import stack
from convviz.compute.survey import survey
from convviz.errors import SpecError
from convviz.images.picture import Picture
from convviz.page import page
from convviz.page.page import NO_PROGRAM
from convviz.render.contrast import Drawn, contrasts
from convviz.render.words.program import network_lines
from convviz.results import feature_maps
from convviz.spec.geometry import HW
from convviz.spec.kernels import entries, find, preset_names
from convviz.spec.preparation import IMAGENET, Normalization
from convviz.spec.settings import InputSettings, LayerSettings, PageSettings
from convviz.spec.stacks import find_net, parse_layers

AS_IT_IS = InputSettings()
PAGE = Path(page.__file__).parent
NODE = shutil.which("node")
SCRIPTS = ("convolve", "layers", "paint", "settings", "png", "pictures", "words")

# The scripts see each other, as in the page.
RUN = """
const [vm, fs] = [require("vm"), require("fs")];
for (const path of process.argv.slice(1)) vm.runInThisContext(fs.readFileSync(path, "utf8"));
const answer = vm.runInThisContext(`(one) => {
  const unpacked = (channels) => channels.map((values) => Float32Array.from(values));
  if (one.state) {
    const { data } = one;
    const read = one.pixels && Pictures.read(Uint8ClampedArray.from(one.pixels), one.height, one.width, data);
    const picture = read ? read.picture
      : { height: one.height, width: one.width, channels: unpacked(one.channels) };
    const source = read ? { path: one.path, words: read.words } : { path: data.path, words: data.reading };
    const conv = Settings.layerOf(one.state);
    const reason = Settings.reason(one.state, data, picture);
    if (reason) return { reason };
    const own = one.own && { weight: Float32Array.from(one.own.weight) };
    if (own) own.bias = one.own.bias && Float32Array.from(one.own.bias);
    const weights = Settings.weightsOf(one.state, data, own || {}, picture.channels.length);
    const made = Convolve.correlate(picture, conv, weights);
    return {
      channels: picture.channels.map((values) => Array.from(values)),
      maps: made.maps.map((map) => Array.from(map)),
      size: [made.height, made.width],
      code: Words.code(one.state, data, weights, { picture, source }),
      command: Words.command(one.state, data, weights, source),
      kernels: Words.kernels(conv, weights, picture.channels.length),
      weight: Array.from(weights.weight),
      bias: weights.bias && Array.from(weights.bias),
    };
  }
  if (one.arrays)
    return Paint.tone(one.arrays.map((values) => Float32Array.from(values)), one.looks, one.cells);
  if (one.named) return Words.netCode(one.named, one.data, one.source || { path: one.data.path, words: [] });
  const channels = unpacked(one.channels);
  const picture = { height: one.height, width: one.width, channels };
  if (one.layers) {
    for (const { parameters } of one.layers)
      for (const [name, text] of Object.entries(parameters)) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        parameters[name] = new Float32Array(bytes.buffer);
      }
    const made = Layers.compute(picture, one.layers);
    return Object.fromEntries(
      Array.from(made, ([name, of]) => [name, of.channels.map((values) => Array.from(values))]));
  }
  const reason = Convolve.reason(picture.channels.length, one.height, one.width, one.layer);
  if (reason) return { reason };
  const weights = one.weight
    ? { weight: Float32Array.from(one.weight), bias: one.bias && Float32Array.from(one.bias) }
    : Convolve.seeded(picture.channels.length, one.layer, one.seed, one.withBias);
  const made = Convolve.correlate(picture, one.layer, weights, { partialOf: 0 });
  const last = one.layer.outChannels - 1;
  const place = [made.height - 1, Math.floor(made.width / 2)];
  return {
    size: [made.height, made.width],
    maps: made.maps.map((map) => Array.from(map)),
    partials: made.partials.map((map) => Array.from(map)),
    last: Array.from(Convolve.correlate(picture, one.layer, weights, { filters: [last] }).maps[0]),
    weight: Array.from(weights.weight),
    bias: weights.bias && Array.from(weights.bias),
    place,
    total: Convolve.products(picture, one.layer, weights, 0, ...place).total,
    fed: Convolve.fed(one.layer, one.height, one.width, Math.floor(one.height / 2), 0),
  };
}`);
let text = "";
process.stdin.on("data", (part) => (text += part)).on("end", () => {
  process.stdout.write(JSON.stringify(JSON.parse(text).map(answer)));
});
"""
needs_node = pytest.mark.skipif(
    NODE is None, reason="node, which runs the script of the page, is not installed"
)


def computed(*cases):
    done = subprocess.run(
        [NODE, "-e", RUN, *(PAGE / f"{name}.js" for name in SCRIPTS)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def plain(layer, size):
    edges = layer.edges(size)
    return {
        "outChannels": layer.out_channels,
        "kernel": list(layer.kernel_size),
        "stride": list(layer.stride),
        "padding": list(edges),
        "mode": layer.padding_mode,
        "dilation": list(layer.dilation),
        "groups": layer.groups,
    }


@needs_node
def test_the_arithmetic_of_the_page_is_that_of_convviz():
    """Over many layers at once, for a process of node takes longer than all of them."""
    chance = np.random.default_rng(0)
    cases, expected = [], []
    while len(cases) < 150:
        groups = int(chance.integers(1, 4))
        channels, filters = groups * int(chance.integers(1, 3)), groups * int(chance.integers(1, 3))
        mode = str(chance.choice(["zeros", "reflect", "replicate", "circular"]))
        pads = [int(side) for side in chance.integers(0, 3, 4)]
        h, w = (int(side) for side in chance.integers(3, 14, 2))
        try:
            layer = convviz.Conv2d(
                channels,
                filters,
                tuple(int(taps) for taps in chance.integers(1, 5, 2)),
                tuple(int(step) for step in chance.integers(1, 4, 2)),
                ((pads[0], pads[1]), (pads[2], pads[3])),
                tuple(int(step) for step in chance.integers(1, 3, 2)),
                groups,
                bool(chance.integers(0, 2)),
                mode,
            )
            x = chance.normal(size=(channels, h, w)).astype(np.float32)
            layer_weights = weights.seeded(layer, len(cases))
            result = feature_maps.run(x, layer, layer_weights, backend="numpy")
        except convviz.ConvvizError:
            continue
        expected.append(result)
        cases.append(
            {
                "height": h,
                "width": w,
                "channels": x.reshape(channels, -1).tolist(),
                "layer": plain(layer, convviz.HW(h, w)),
                "weight": layer_weights.weight.ravel().tolist(),
                "bias": None if layer_weights.bias is None else layer_weights.bias.tolist(),
            }
        )
    for found, result in zip(computed(*cases), expected, strict=True):
        assert found["size"] == list(result.shape[1:])
        maps = np.array(found["maps"]).reshape(result.shape)
        np.testing.assert_allclose(maps, result.maps, rtol=1e-5, atol=1e-5)
        partials = np.array(found["partials"]).reshape(result.partial()[0].shape)
        np.testing.assert_allclose(partials, result.partial()[0], rtol=1e-4, atol=1e-5)
        y, x = found["place"]
        assert found["total"] == pytest.approx(float(result.maps[0, y, x]), abs=1e-5)
        assert found["last"] == found["maps"][-1]
        assert found["fed"] == feeds(result.layer, result.picture.size)


def feeds(layer, size):
    """Which outputs the pixel in the middle of the first column feeds, by a picture of pixel numbers."""
    numbered = np.arange(size.h * size.w, dtype=np.float32).reshape(1, *size) + 1
    padded = conv.pad(numbered, layer.edges(size), layer.padding_mode)[0]
    one = numbered[0, size.h // 2, 0]
    found = []
    for y, x in np.ndindex(*layer.output_size(size)):
        for ky, kx in np.ndindex(*layer.kernel_size):
            row, column = (
                y * layer.stride.h + ky * layer.dilation.h,
                x * layer.stride.w + kx * layer.dilation.w,
            )
            if padded[row, column] == one:
                found.append({"y": y, "x": x, "weight": [ky, kx]})
    return sorted(found, key=lambda one: (one["y"], one["weight"][0], one["x"], one["weight"][1]))


STACKS = [
    "conv 4 k3 p1 | relu | maxpool 2",
    "conv 4 k3 s2 p1 reflect | bn | leakyrelu 0.2 | avgpool 3 s2 p1 nopad ceil",
    "conv 4 k3 | avgpool 3x2 s1 p1 | maxpool 3 s2 p1 d2 ceil",
    "deconv 3 k4 s2 p1 o1 | silu | dropout 0.2 | maxpool 3 s2 p1 ceil",
    "conv 4 k1 | deconv 6 k3x2 s3 g2 d2 nobias | adaptiveavgpool 5x4",
    "conv 4 k2x3 d2 | sigmoid | adaptiveavgpool 3 | flatten | linear 5 | softmax",
    "conv 3 k1 g3 | softmax",
]


@needs_node
@pytest.mark.parametrize("text", [*STACKS, "resnet18"])
def test_every_layer_of_the_page_makes_what_convviz_makes(text):
    chance = np.random.default_rng(len(text))
    network = find_net(text).until("layer1.0.relu2") if text == "resnet18" else parse_layers(text)
    x = chance.normal(size=(3, 13, 11)).astype(np.float32)
    steps = network.sized(x.shape)
    # Random means and variances too: those that torch begins with change nothing.
    parameters = {
        one.name: {
            name: np.asarray(
                chance.uniform(0.5, 2, shape) if name == "running_var" else chance.normal(size=shape) / 4,
                np.float32,
            )
            for name, shape in one.layer.arrays.items()
        }
        for one in steps
    }
    layers = [page.layer_data(one, parameters[one.name]) for one in steps]
    (found,) = computed({"height": 13, "width": 11, "channels": x.reshape(3, -1).tolist(), "layers": layers})
    for name, expected in stack.run_net(network, x, parameters).items():
        values = np.array(found[name]).reshape(expected.shape)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("kind", ["batchnorm", "dropout 0.3"])
def test_a_layer_that_training_changes_is_written_as_it_is_when_nothing_is_trained(kind):
    """In torch a new module is in training, where dropout drops values and a batch has its own statistics."""
    (one,) = parse_layers(kind).sized((2, 5, 5))
    module = eval(page.layer_data(one, {})["text"], {"torch": torch})
    x = torch.linspace(-1, 1, 50).reshape(1, 2, 5, 5)
    torch.testing.assert_close(module(x), x, rtol=1e-4, atol=0)  # mean 0 and variance 1, but for its epsilon


@needs_node
def test_the_scripts_have_the_types_that_they_tell(pytestconfig):
    """By the compiler of TypeScript, which reads JSDoc."""
    compiler = npm.package(pytestconfig, "typescript@5") / "lib" / "tsc.js"
    done = subprocess.run([NODE, compiler, "-p", PAGE], capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0


@needs_node
@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_the_weights_of_a_seed_are_those_of_torch(seed):
    layer = convviz.Conv2d(4, 6, (3, 5), groups=2)
    case = {"height": 6, "width": 6, "channels": [[0] * 36] * 4, "layer": plain(layer, convviz.HW(6, 6))}
    (found,) = computed(case | {"seed": seed, "withBias": True})
    layer_weights = weights.seeded(layer, seed)
    np.testing.assert_array_equal(np.array(found["weight"], np.float32), layer_weights.weight.ravel())
    np.testing.assert_array_equal(np.array(found["bias"], np.float32), layer_weights.bias)


@needs_node
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": 2}, "valid values: 1, 3."),
        ({"kernel": [9, 3]}, "spans 9 pixels of 8 along the height; pad by 1 more"),
        ({"stride": [0, 1]}, "stride takes whole numbers from 1 on"),
        ({"padding": [8, 0, 0, 0], "mode": "reflect"}, "may be 7 at most"),
        ({"dilation": [1, 9]}, "along the width"),
        ({"padding": [0.5, 0, 0, 0]}, "padding takes whole numbers"),
    ],
)
def test_what_is_not_legal_is_told_with_what_would_be(change, words):
    layer = plain(convviz.Conv2d(3, 6, 3), convviz.HW(8, 8)) | change
    (found,) = computed({"height": 8, "width": 8, "channels": [[0] * 64] * 3, "layer": layer, "seed": 0})
    assert words in found["reason"]


# --- what the page offers to copy


def asked_of(x, reading=AS_IT_IS, **more):
    """Make a function that gives states of the page of a picture, as node takes them."""
    names = ("gray",) if len(x) == 1 else tuple("RGBABC"[: len(x)])
    # The numbers are not needed here.
    data = data_of(made(x, names, "x.npy", reading=reading, **more)) | {"pixels": None, "layers": []}
    picture = {"channels": x.reshape(len(x), -1).tolist(), "height": x.shape[1], "width": x.shape[2]}
    return lambda **state: picture | {"data": data, "state": data["state"] | state}


def of_preset(name, **state):
    (kernel,) = find(name)
    return {"preset": name, "kernelH": kernel.size.h, "kernelW": kernel.size.w} | state


def done_by_code(found, x):
    """Execute the copied program, beside the file that the page saves."""
    assert "reason" not in found, found
    Path("kernels.json").write_text(found["kernels"])
    names = {"x": torch.from_numpy(x)[None]}
    exec(found["code"], names)
    return names["maps"][0].detach().numpy()


def done_by_command(found):
    """Execute the copied command, beside the file that the page saves."""
    assert "reason" not in found, found
    Path("kernels.json").write_text(found["kernels"])
    program, *words = shlex.split(found["command"])
    assert program == "convviz"
    assert status_of([*words, "--quiet", "--save", "maps.npz", "--force"]) == 0
    with np.load("maps.npz") as stored:
        return stored["maps"]


def its_maps(found):
    return np.array(found["maps"]).reshape(-1, *found["size"])


@needs_node
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_copied_program_makes_the_maps_of_the_page_for_every_preset(
    groups, bias, dilation, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(4).random((4, 24, 23), np.float32)
    options = {"groups": groups, "bias": bias, "dilationH": dilation, "outChannels": 2 * groups}
    chosen = asked_of(x)
    cases = [chosen(**of_preset(name, padTop=1, padLeft=2, **options)) for name in preset_names()]
    assert len(cases) == len(entries())
    for case, found in zip(cases, computed(*cases), strict=True):
        np.testing.assert_allclose(
            done_by_code(found, x), its_maps(found), rtol=1e-4, atol=1e-4, err_msg=case["state"]["preset"]
        )


@needs_node
def test_the_copied_command_makes_the_maps_of_the_page(tmp_path, monkeypatch):
    """Every preset once, and every kind of weights with every group, bias and padding."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(4).random((4, 24, 32), np.float32)
    np.save("x.npy", x)
    chosen = asked_of(x)
    cases = [
        chosen(**of_preset(name, groups=1 + at % 2, outChannels=2, bias=at % 4 > 1, dilationW=1 + at % 3))
        for at, name in enumerate(preset_names())
    ]
    cases += [
        chosen(
            groups=groups,
            bias=bias,
            outChannels=4,
            padTop=top,
            mode=mode,
            flip=flip,
            edits=edits,
            **weights,
        )
        for weights in (of_preset("sobel-x"), {"preset": "seed", "seed": 3, "kernelH": 2})
        for groups in (1, 2, 4)
        for bias, flip in ((False, True), (True, False))
        for top, mode in ((0, "zeros"), (2, "reflect"))
        for edits in ({}, {"0:1": 0.3, "0:b0": 2})
    ]
    for found in computed(*cases):
        np.testing.assert_allclose(
            done_by_command(found), its_maps(found), rtol=1e-4, atol=1e-4, err_msg=found["command"]
        )


@needs_node
@pytest.mark.parametrize("size", [(20, 21), (40, 1500), (2060, 9)], ids=["small", "wide", "high"])
@pytest.mark.parametrize(
    ("channels", "reading"),
    [
        (3, InputSettings()),
        (1, InputSettings(mode="gray", resize=HW(9, 9))),
        (3, InputSettings(range="byte", normalize=Normalization((100.0, 90, 80), (50.0, 60, 70)))),
        (3, InputSettings(normalize=IMAGENET)),
        (1, InputSettings(range="raw")),
    ],
    ids=["as it is", "gray and resized", "bytes and normalised", "as imagenet", "raw"],
)
def test_the_command_and_the_program_of_another_picture_make_its_maps(
    tmp_path, monkeypatch, size, channels, reading
):
    """Read as the first was, and brought to the size that the page has room for."""
    monkeypatch.chdir(tmp_path)
    levels = np.random.default_rng(size).integers(0, 256, (*size, 4), np.uint8)
    levels[..., 3] = 255
    Image.fromarray(levels[..., :3]).save("a picture.png")
    first = np.random.default_rng(4).random((channels, 9, 9), np.float32)
    program = network_lines(("x = None", []), reading=reading, weights=None, places={})
    case = asked_of(first, reading, program=program)(**of_preset("laplacian"))
    case |= {"pixels": levels.ravel().tolist(), "height": size[0], "width": size[1], "path": "a picture.png"}
    (found,) = computed(case)
    tolerance = {"rtol": 1e-4, "atol": 1e-4 * np.abs(its_maps(found)).max()}
    np.testing.assert_allclose(done_by_command(found), its_maps(found), **tolerance)
    names = {}
    exec(found["code"], names)
    np.testing.assert_allclose(names["maps"][0].detach(), its_maps(found), **tolerance)


@needs_node
def test_the_program_reads_the_picture_and_makes_its_maps(tmp_path, monkeypatch):
    """As `explore` writes it: from the folder of the picture, nothing is to be added."""
    monkeypatch.chdir(tmp_path)
    levels = np.random.default_rng(6).integers(0, 256, (12, 14, 3), np.uint8)
    Image.fromarray(levels).save("p.png")
    Image.fromarray(np.arange(168, dtype=np.uint16).reshape(12, 14) * 300).save("deep.tiff")
    np.save("x.npy", np.moveaxis(levels, -1, 0).astype(np.float32))
    settings = ["-O", "4", "-k", "3x5", "-s", "2x1", "-d", "1x2", "-p", "1,0,2,1"]
    for names in (
        ["p.png"],
        ["p.png", "--mode", "gray"],
        ["p.png", "--mode", "rgba"],
        ["deep.tiff"],
        ["x.npy"],
        ["p.png", "x.npy"],
    ):
        assert status_of(["explore", *names, *settings, "-o", "p.html", "--force", "--quiet"]) == 0
        data = data_of(Path("p.html").read_text())
        channels, height, width = data["shape"]
        picture = {"channels": [[0] * height * width] * channels, "height": height, "width": width}
        (found,) = computed(picture | {"data": data, "state": data["state"]})
        scope = {}
        exec(found["code"], scope)
        assert status_of(["run", *names, *settings, "--save", "maps.npz", "--force", "--quiet"]) == 0
        with np.load("maps.npz") as stored:
            expected = stored["maps"]
        np.testing.assert_allclose(scope["maps"][0].detach(), expected, rtol=1e-4, atol=1e-4)


@needs_node
def test_what_no_browser_could_compute_or_draw_is_refused_with_the_numbers():
    chosen = asked_of(np.zeros((3, 64, 64), np.float32))
    cases = [
        (chosen(padTop=1_000_000), "1000062x62, but a browser draws at most 32767 pixels along a side"),
        (chosen(padTop=30_000, padLeft=30_000), "need 60.6 GB, but this page can use 4 GB"),
        (
            chosen(padTop=5_000, padLeft=5_000, kernelH=31, kernelW=31, outChannels=1),
            "these maps need 73,",
        ),
    ]
    for found, (_, words) in zip(computed(*(case for case, _ in cases)), cases, strict=True):
        assert words in found["reason"]
        assert "pad less" in found["reason"]


@needs_node
@pytest.mark.parametrize("file", ["digits.safetensors", "digits.npz", "digits.pt"])
@pytest.mark.parametrize("other", [False, True], ids=["its picture", "another picture"])
def test_the_program_of_a_network_runs_as_it_stands_and_predicts_what_the_page_does(
    tmp_path, monkeypatch, capsys, file, other
):
    """It reads the picture, loads the weights and prints the class; of another picture, its own."""
    samples = Path(__file__).parents[2] / "samples"
    monkeypatch.chdir(tmp_path)
    for name in ("digit.png", "digits.toml", "digits.safetensors"):
        (tmp_path / name).write_bytes((samples / name).read_bytes())
    state = load_file("digits.safetensors")
    np.savez("digits.npz", **{key: value.numpy() for key, value in state.items()})
    torch.save({"epoch": 3, "state_dict": state}, "digits.pt")
    options = ["--net", "digits.toml", "--weights", file, "-o", "page.html", "--quiet"]
    assert status_of(["explore", "digit.png", *options]) == 0
    data = data_of(Path("page.html").read_text(encoding="utf-8"))
    source = {"path": "digit.png", "words": []}
    if other:
        image = Image.open("digit.png").convert("RGB").rotate(90)
        image.resize((60, 50)).save("it's another.png")
        source = {"path": "it's another.png", "words": ["--mode gray", "--resize 28x28"]}
    (program,) = computed({"named": data["layers"], "data": data, "source": source})
    capsys.readouterr()
    names = {}
    exec(program, names)
    printed = capsys.readouterr().out
    image = convviz.read(source["path"], mode="gray", resize=28)
    weights = {}
    for key, value in state.items():
        layer, _, name = key.partition(".")
        weights.setdefault(layer, {})[name] = value.numpy()
    expected = convviz.run_net(convviz.read_net("digits.toml"), image.x, weights)["softmax"].maps
    np.testing.assert_allclose(names["softmax_out"].detach()[0], expected, atol=1e-5)
    assert printed.split()[0] == str(expected.argmax())


# Names that mean something to Python, to JavaScript, or to the program itself.
ODD = ["__proto__", "constructor", "toString", "class", "torch", "x", "a", "a_out", "a.out", "1", "é", "None"]


@needs_node
def test_a_layer_may_be_called_as_it_likes():
    """Every layer doubles what it reads: 2, 4, 8, in the page and in its program."""
    named = [
        {
            "name": name,
            "kind": "Conv2d",
            "text": "torch.nn.Conv2d(1, 1, 1, bias=False).requires_grad_(False)",
            "inputs": [before],
            "shape": [1, 2, 2],
            "options": plain(convviz.Conv2d(1, 1, 1), convviz.HW(2, 2)),
            "parameters": {"weight": base64.b64encode(np.float32([2]).tobytes()).decode()},
        }
        for before, name in zip(["input", *ODD], ODD, strict=False)
    ]
    case = {"height": 2, "width": 2, "channels": [[1, 1, 1, 1]], "layers": named}
    data = {"path": "x.csv", "shape": [1, 2, 2], "origin": "", "classes": [], "program": NO_PROGRAM}
    made, program = computed(case, {"named": named, "data": data})
    assert [made[name][0][0] for name in ODD] == [2.0 ** (1 + at) for at in range(len(ODD))]
    names = {"x": torch.ones(1, 1, 2, 2)}
    exec(re.sub(r"(\w+) = torch\.nn.*", r"\g<0>\n\1.weight.fill_(2)", program), names)
    last = program.split("\n")[-1].split(" = ")[0]
    assert names[last].max() == 2.0 ** len(ODD)


# --- the file


def data_of(text):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def made(x, channels="RGB", name="x.png", reading=AS_IT_IS, *, program=NO_PROGRAM, **options):
    normal = None if reading.normalize is None else reading.normalize.of(len(x))
    picture = Picture(x, tuple(channels), normalized=normal)
    layer, layer_weights, _ = filters.build(LayerSettings(**options), x.shape[0])
    settings = LayerSettings(**options)
    return page.page(
        name, picture, layer, weights=layer_weights, settings=settings, reading=reading, program=program
    )


def test_the_numbers_of_the_page_are_those_of_the_run():
    levels = np.random.default_rng(1).integers(0, 256, (3, 5, 4))
    x = (levels / 255).astype(np.float32)
    data = data_of(made(x))
    assert data["pixels"]["kind"] == "u8"
    found = np.frombuffer(base64.b64decode(data["pixels"]["data"]), np.uint8).reshape(3, 5, 4)
    np.testing.assert_array_equal(found, levels)
    weight = np.frombuffer(base64.b64decode(data["layers"][0]["parameters"]["weight"]), np.float32).reshape(
        6, 3, 3, 3
    )
    np.testing.assert_array_equal(weight, weights.seeded(convviz.Conv2d(3, 6, 3)).weight)
    other = data_of(made(x * np.float32(1.01)))
    assert other["pixels"]["kind"] == "f32"
    found = np.frombuffer(base64.b64decode(other["pixels"]["data"]), np.float32).reshape(3, 5, 4)
    np.testing.assert_array_equal(found, x * np.float32(1.01))


RISING = list(range(-1, 101))


@needs_node
def test_the_scale_of_a_map_has_the_ends_that_its_limits_say():
    """102 values from -1 to 100: percentile 1 lies at rank 1.01, so at 0.01, 99 at rank 99.99, so at 98.99.

    Their magnitudes are 0, 1, 1, 2, 3 and so on: at rank 99.99 as well 98.99.
    """
    cases = [
        ("gray", "percentile", [RISING], False, (0.01, 98.99)),
        ("signed", "percentile", [RISING], False, (-98.99, 98.99)),
        ("gray", "percentile", [RISING], True, (-1, 100)),
        ("gray", "minmax", [RISING], False, (-1, 100)),
        ("signed", "minmax", [RISING], False, (-100, 100)),
        ("gray", "symmetric", [RISING], False, (-100, 100)),
        ("gray", "-2,5", [RISING], False, (-2, 5)),
        # No value is negative: from 0, unless percentile 1 is more than a tenth of percentile 99.
        ("gray", "percentile", [RISING[1:]], False, (0, 99)),
        ("gray", "percentile:5", [range(50, 151)], False, (55, 145)),
        # Two maps that share a scale, a map of one value, a dead one.
        ("gray", "minmax", [[1, 2], [-3, 0]], False, (-3, 2)),
        ("gray", "percentile", [[3, 3, 3]], False, (0, 3)),
        ("signed", "percentile", [[0, 0]], False, (-1, 1)),
    ]
    asked = [
        {"arrays": [list(one) for one in arrays], "cells": cells}
        | {"looks": {"colormap": colours, "limits": limits, "scale": "map"}}
        for colours, limits, arrays, cells, _ in cases
    ]
    for found, (*case, ends) in zip(computed(*asked), cases, strict=True):
        assert (found["low"], found["high"]) == pytest.approx(ends, abs=1e-5), case


@needs_node
@pytest.mark.parametrize("offset", [0, 1000], ids=["around 0", "far from 0"])
def test_at_most_the_given_share_of_a_large_map_lies_beyond_its_ends(offset):
    """The scale is at most 1/128 longer than one between exact percentiles, as on a sheet."""
    values = (offset + np.random.default_rng(8).normal(size=90_000)).astype(np.float32)
    values[17] = 1e6
    looks = {"colormap": "gray", "limits": "percentile", "scale": "map"}
    (found,) = computed({"arrays": [values.tolist()], "looks": looks, "cells": False})
    exact = np.percentile(values, [1, 99])
    assert found["low"] <= exact[0] < exact[1] <= found["high"]
    assert found["high"] - found["low"] <= (1 + 1 / 128) * (exact[1] - exact[0]) + 1e-4
    (one,) = survey(values.reshape(1, 300, 300), spread=True)
    sheet = contrasts([Drawn.of(one, HW(300, 300))])[0].ends
    assert (found["low"], found["high"]) == pytest.approx(sheet, abs=2 / 128 * 2.4)


@needs_node
def test_the_scale_is_right_where_a_sample_of_the_map_misleads():
    """Every 509th value is a part of the sample: here those alone are large, or those alone are small.

    1 value in 509 is fewer than 1 %, so percentile 99 is that of the others; 3 in 100 are more.
    """
    rng = np.random.default_rng(4)
    seen = (np.arange(60_000) % 509 == 0).astype(np.float32)
    hidden = ((np.arange(60_000) % 100 < 3) & (seen == 0)).astype(np.float32)
    noise = rng.uniform(-1, 1, 60_000).astype(np.float32)
    looks = {"colormap": "gray", "limits": "percentile", "scale": "map"}
    for values in (noise + 100 * seen, noise + 100 * hidden, noise - 100 * hidden, noise + 100 * (1 - seen)):
        for colours in ("gray", "signed"):
            (found,) = computed(
                {"arrays": [values.tolist()], "looks": looks | {"colormap": colours}, "cells": False}
            )
            low, high = np.percentile(values, [1, 99])
            if colours == "signed":
                high = np.percentile(np.abs(values), 99)
                low = -high
            elif low >= 0 and low <= 0.1 * high:
                low = 0
            assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1.6)
            assert found["low"] <= low + 1e-6
            assert high - 1e-6 <= found["high"]


def test_the_page_begins_with_the_scale_that_was_asked_for():
    x = np.zeros((3, 4, 4), np.float32)
    layer, layer_weights, _ = filters.build(LayerSettings(), 3)
    looks = PageSettings.of(colormap="viridis", limits="percentile:5", scale="layer")
    text = page.page(
        "x.png", Picture(x, tuple("RGB")), layer, weights=layer_weights, settings=LayerSettings(), looks=looks
    )
    data = data_of(text)
    asked = {"colormap": "viridis", "limits": "percentile:5", "scale": "layer"}
    assert {name: data["state"][name] for name in asked} == asked
    # The first and the last colour of viridis, and those of grey.
    table = base64.b64decode(data["tables"]["viridis"])
    assert (tuple(table[:3]), tuple(table[-3:])) == ((68, 1, 84), (253, 231, 37))
    assert base64.b64decode(data["tables"]["gray"])[:6] == bytes([0, 0, 0, 1, 1, 1])


def test_a_page_of_512x512_is_small_and_asks_for_nothing():
    x = np.random.default_rng(1).integers(0, 256, (3, 512, 512)) / np.float32(255)
    text = made(x.astype(np.float32))
    assert len(text.encode()) < 1_500_000
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:|#|\$\{)", text)
    assert not re.findall(r"https?://|import\(|fetch\(|XMLHttpRequest", text.split('id="data"')[0])
    assert not re.findall(r"\{\{\w+\}\}", text)


def test_a_name_is_no_markup():
    name = "{{data}}</script><img src=x onerror=alert(1)>.png"
    text = made(np.zeros((3, 4, 4), np.float32), name=name)
    assert "<img" not in text
    assert data_of(text)["path"] == name


def test_what_is_too_large_for_a_page_is_refused():
    with pytest.raises(SpecError, match="--resize"):
        made(np.zeros((1, 2100, 2100), np.float32), "g")
    with pytest.raises(SpecError, match="64 filters"):
        made(np.zeros((3, 4, 4), np.float32), out_channels=65)
    for side, text, words in (
        (12, "conv 64 k3 | conv 999 k9", "parameters, not 5,"),
        (400, "conv 900 k5 p2", "MACs"),
    ):
        network = parse_layers(text)
        x = np.zeros((3, side, side), np.float32)
        steps = network.sized(x.shape)
        with pytest.raises(SpecError, match=words) as caught:
            page.network_page("x.png", Picture(x, tuple("RGB")), network, steps=steps, parameters={})
        assert "--until" in str(caught.value)
