"""One layer in which no two numbers agree, in every view of it.

Whatever exchanges height and width, before and after, one group and two, or a kernel and its mirror image
changes a number here. The input is 4 x 9 x 11 and says where it was read: the pixel of channel c in row y and
column x holds 1000 c + 100 y + x. The weight of filter o on its channel i in row r and column k is
o - i + 2 r - k. All sums are whole numbers below 2 ** 24, so float32 holds them exactly.

By hand, along each axis:

=======  ===================================  ==================================
         height                               width
=======  ===================================  ==================================
padded   1 + 9 + 0 = 10                       2 + 11 + 1 = 14
span     1 * (3 - 1) + 1 = 3                  2 * (5 - 1) + 1 = 9
windows  floor((10 - 3) / 2) + 1 = 4          floor((14 - 9) / 1) + 1 = 6
unread   10 - 3 - 3 * 2 = 1, the row 8        14 - 9 - 5 * 1 = 0
clean    all but window 0, which reads row    windows 2, 3 and 4: window 0 reads column -2,
         -1: 3                                window 1 column -1, window 5 column 11
met      3 * 4 - 1 = 11                       5 * 6 - 3 = 27
=======  ===================================  ==================================
"""

import base64
import json
import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import convviz
from convviz.analysis.trace import trace
from convviz.cli.app import status_of
from convviz.compute.feature_maps import LayerRun
from convviz.compute.weights import LayerWeights
from convviz.images.decode import as_picture
from convviz.page import page
from convviz.render import palette
from convviz.render.drawings import explanation, groups
from convviz.render.drawings.animation import Animation
from convviz.render.drawings.drawing import Bitmap, Lines, Polygon, Rectangle
from convviz.results.scene import direct
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d

LAYER = Conv2d(4, 6, (3, 5), (2, 1), ((1, 0), (2, 1)), (1, 2), 2)
GEOMETRY = ["-s", "2x1", "-d", "1x2", "-p", "1,0,2,1", "-g", "2"]
SEEDED = ["-O", "6", "-k", "3x5", *GEOMETRY]
GIVEN = ["-K", "w.json", "--bias-values=1,-2,3,-4,5,-6", *GEOMETRY]

channel, row, column = np.indices((4, 9, 11))
X = (1000 * channel + 100 * row + column).astype(np.float32)
o, i, r, k = np.indices((6, 2, 3, 5))
WEIGHT = (o - i + 2 * r - k).astype(np.float32)
BIAS = np.array([1, -2, 3, -4, 5, -6], np.float32)

PARAMETERS = 6 * 2 * 3 * 5 + 6
MACS = 180 * 4 * 6
# Of every one of the 12 kernels: pairs of a window and a value that meet the input, by rows times by columns.
INSIDE = 12 * 11 * 27
# Map 4 belongs to the second group, so it reads channels 2 and 3. Its value in row 0 and column 5 lies under
# rows -1, 0, 1 and columns 3, 5, 7, 9, 11, of which row -1 and column 11 are padding.
PATCHES = [
    [[0, 0, 0, 0, 0], [2003, 2005, 2007, 2009, 0], [2103, 2105, 2107, 2109, 0]],
    [[0, 0, 0, 0, 0], [3003, 3005, 3007, 3009, 0], [3103, 3105, 3107, 3109, 0]],
]
KERNELS = [
    [[4, 3, 2, 1, 0], [6, 5, 4, 3, 2], [8, 7, 6, 5, 4]],
    [[3, 2, 1, 0, -1], [5, 4, 3, 2, 1], [7, 6, 5, 4, 3]],
]
# 6*2003 + 5*2005 + 4*2007 + 3*2009 + 8*2103 + 7*2105 + 6*2107 + 5*2109, and so on the other channel.
SUMS = [36098 + 54746, 42074 + 68322]
VALUE = 90844 + 110396 + 5

NET = "".join(
    f"""[[layer]]
type = "Conv2d"
name = "{name}"
out_channels = 6
kernel_size = [3, 5]
stride = [2, 1]
padding = [[1, 0], [2, 1]]
dilation = [1, 2]
groups = 2
"""
    for name in ("first", "second")
)


def padded(x):
    """Pad as torch does: left, right, top, bottom."""
    return torch.nn.functional.pad(torch.from_numpy(x).double()[None], (2, 1, 1, 0))


def maps_of(weight, bias):
    """What torch makes in double precision."""
    weight, bias = (torch.from_numpy(np.array(values)).double() for values in (weight, bias))
    return torch.nn.functional.conv2d(padded(X), weight, bias, (2, 1), 0, (1, 2), 2)[0].numpy()


def seeded_maps():
    """What a new layer of torch makes."""
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(4, 6, (3, 5), (2, 1), 0, (1, 2), 2)
    return maps_of(layer.weight.detach().numpy(), layer.bias.detach().numpy())


MAPS = maps_of(WEIGHT, BIAS)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with the input, the kernels, and the layer twice in a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("x.json").write_text(json.dumps(X.tolist()))
    Path("w.json").write_text(json.dumps(WEIGHT.tolist()))
    Path("net.toml").write_text(NET)
    return tmp_path


@pytest.fixture
def said(capfd):
    """Run a command in this process; give what it wrote to stdout."""

    def call(*words):
        capfd.readouterr()
        status = status_of(list(words))
        found = capfd.readouterr()
        assert status == 0, found.err
        return found.out

    return call


def test_the_value_by_hand_is_that_of_torch():
    assert MAPS.shape == (6, 4, 6)
    assert (np.array(PATCHES) * KERNELS).sum(axis=(1, 2)).tolist() == SUMS
    assert sum(SUMS) + 5 == VALUE == MAPS[4, 0, 5]


# --- the shape


def test_the_shape_in_words_puts_every_number_in_its_place(said):
    text = said("shape", "4x9x11", *SEEDED)
    assert "floor((9 + 1 + 0 - 1*(3 - 1) - 1) / 2) + 1" in text
    assert "floor(7 / 2) + 1 = 3 + 1 = 4" in text
    assert "floor((11 + 2 + 1 - 2*(5 - 1) - 1) / 1) + 1" in text
    assert "floor(5 / 1) + 1 = 5 + 1 = 6" in text
    (height,) = re.findall(r"^height: 10 rows.*\n.*", text, re.MULTILINE)
    assert "(1 + 9 + 0); one window spans 3 (kernel 3, dilation 1)" in height
    assert ": 1 row of" in height
    assert height.endswith(": 8")
    (width,) = re.findall(r"^width: 14 columns.*\n.*", text, re.MULTILINE)
    assert "(2 + 11 + 1); one window spans 9 (kernel 5, dilation 2)" in width
    assert ": 0 columns of" in width
    assert width.endswith(": none")
    # 3 of 4 rows and 3 of 6 columns of windows are clean; 11 of 12 by 27 of 30 products meet the input.
    assert "62.50% of the outputs" in text
    assert "17.50% of the products" in text
    assert "186 = 6 x 2 x 3 x 5 weights + 6 biases" in text
    assert "4,320 = 180 weights x 4 x 6 positions" in text
    assert "144 values, 576 bytes" in text
    assert "ZeroPad2d((2, 1, 1, 0))" in text


def test_the_shape_as_json(said):
    found = json.loads(said("shape", "4x9x11", *SEEDED, "--json"))
    assert (found["input_shape"], found["output_shape"]) == ([4, 9, 11], [6, 4, 6])
    assert found["parameters"] == {"weight": 180, "bias": 6, "total": PARAMETERS}
    assert found["macs"] == MACS
    assert found["receptive_field"] == [3, 9]
    assert found["axes"] == {
        "height": {"input": 9, "padded": 10, "span": 3, "output": 4, "unread": 1, "never_read": [8]},
        "width": {"input": 11, "padded": 14, "span": 9, "output": 6, "unread": 0, "never_read": []},
    }
    assert found["padding_shares"] == pytest.approx({"outputs": 1 - 9 / 24, "products": 1 - 297 / 360})


def test_every_convention_counts_groups_padding_and_bias_once(said):
    """Each of the 6 * 4 * 6 = 144 output values has one bias."""
    found = json.loads(said("shape", "4x9x11", *SEEDED, "--counts", "--json"))["counts"]
    assert found == {
        "macs": MACS,
        "macs_with_bias": MACS + 144,
        "flops": 2 * MACS,
        "flops_with_bias": 2 * MACS + 144,
        "macs_inside": INSIDE,
    }


# --- the maps


def test_a_run_as_json(said):
    found = json.loads(said("run", "x.json", *GIVEN, "--json", "--table"))
    assert found["input"]["shape"] == [4, 9, 11]
    assert found["layer"] == {
        "in_channels": 4,
        "out_channels": 6,
        "kernel_size": [3, 5],
        "stride": [2, 1],
        "padding": [1, 0, 2, 1],
        "padding_mode": "zeros",
        "dilation": [1, 2],
        "groups": 2,
        "bias": True,
    }
    assert found["output_shape"] == [6, 4, 6]
    assert (found["parameters"], found["macs"]) == (PARAMETERS, MACS)
    np.testing.assert_array_equal(found["values"], MAPS)
    for one, values in zip(found["maps"], MAPS, strict=True):
        assert (one["min"], one["max"]) == (values.min(), values.max())
        assert one["mean"] == pytest.approx(values.mean())


@pytest.mark.parametrize("options", [GIVEN, SEEDED], ids=["kernels", "seed"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_every_backend_makes_the_maps(said, options, backend):
    said("run", "x.json", *options, "--backend", backend, "--save", "maps.npz", "--quiet")
    with np.load("maps.npz") as stored:
        found = stored["maps"]
    np.testing.assert_allclose(found, MAPS if options is GIVEN else seeded_maps(), rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("options", [GIVEN, SEEDED], ids=["kernels", "seed"])
def test_the_program_makes_the_maps(said, options):
    names = {}
    exec(said("code", "x.json", *options), names)
    wanted = MAPS if options is GIVEN else seeded_maps()
    np.testing.assert_allclose(names["maps"].numpy(), wanted, rtol=1e-4, atol=2e-3)


# --- one value, one pixel, one weight


def test_one_value_is_taken_apart(said):
    found = json.loads(said("explain", "x.json", *GIVEN, "--at", "0,5", "--map", "4", "--json"))
    assert found["window"] == {"rows": [-1, 0, 1], "columns": [3, 5, 7, 9, 11]}
    assert [one["index"] for one in found["channels"]] == [2, 3]
    assert [one["patch"] for one in found["channels"]] == PATCHES
    assert [one["kernel"] for one in found["channels"]] == KERNELS
    assert [one["sum"] for one in found["channels"]] == SUMS
    assert found["inside"] == [[False] * 5, [True] * 4 + [False], [True] * 4 + [False]]
    assert (found["bias"], found["value"], found["backend"]["value"]) == (5, VALUE, VALUE)
    text = said("explain", "x.json", *GIVEN, "--at", "0,5", "--map", "4")
    assert "90844 + 110396 + 5 (bias) = 201245" in text
    assert "62.50% of the outputs" in text


def test_a_pixel_feeds_what_its_gradient_reaches(said):
    """Row 1 lies under value 2 of window 0 and value 0 of window 1; column 4 under 3, 2, 1 of 0, 2, 4."""
    found = json.loads(said("explain", "x.json", *GIVEN, "--pixel", "1,4", "--json"))
    assert found["values"] == [104, 1104, 2104, 3104]
    taps = {(y, x): (a, b) for y, a in ((0, 2), (1, 0)) for x, b in ((0, 3), (2, 2), (4, 1))}
    wanted = {
        (m, c, *at): (*tap, int(WEIGHT[m, c % 2][tap]))
        for m in range(6)
        for c in ((0, 1) if m < 3 else (2, 3))
        for at, tap in taps.items()
    }
    assert len(found["feeds"]) == len(wanted) == 6 * 2 * 6
    assert {
        (one["map"], one["channel"], *one["output"]): (*one["tap"], one["weight"]) for one in found["feeds"]
    } == wanted


def test_a_weight_multiplies_what_lies_under_it(said):
    """Tap 2,3 lies on rows -1 + 2 = 1, 3, 5, 7 and columns -2 + 6 = 4 to 9; filter 4 reads channel 2."""
    found = json.loads(said("explain", "x.json", *GIVEN, "--weight", "4,0,2,3", "--json"))
    assert found["weight"]["value"] == 4 - 0 + 2 * 2 - 3
    assert found["channel"]["index"] == 2
    assert (found["rows"], found["columns"]) == ([1, 3, 5, 7], [4, 5, 6, 7, 8, 9])
    np.testing.assert_array_equal(found["values"], X[2, 1:8:2, 4:10])
    np.testing.assert_array_equal(found["products"], 5 * X[2, 1:8:2, 4:10])


def test_the_matrix_product_makes_the_maps(said):
    found = json.loads(said("explain", "x.json", *GIVEN, "--as-matrix", "--map", "4", "--json"))
    matrix, inputs = np.array(found["matrix"]), np.array(found["input"])
    made = (matrix @ inputs.ravel()).reshape(4, 6) + 5
    np.testing.assert_array_equal(made, MAPS[4])


def test_the_group_map_leads_from_every_channel_to_the_maps_of_its_group(said):
    found = json.loads(said("explain", "x.json", *GIVEN, "--group-map", "--json"))
    assert found["groups"] == [
        {"channels": [0, 1], "maps": [0, 1, 2]},
        {"channels": [2, 3], "maps": [3, 4, 5]},
    ]
    assert (found["weights"], found["macs"]) == (180, MACS)
    assert found["in_one_group"] == {"weights": 360, "macs": 2 * MACS}
    run = LayerRun(
        MAPS.astype(np.float32), LAYER, LayerWeights.of(LAYER, WEIGHT, BIAS), as_picture(X), "numpy"
    )
    drawing = groups.draw(run)
    middles = {
        colour: [
            shape.y + shape.h / 2 for shape in drawing.shapes if getattr(shape, "outline", None) == colour
        ]
        for colour in (palette.INPUT_BLUE, palette.OUTPUT_TEAL)
    }
    joined = {
        tuple(
            ends.index(pytest.approx(y)) for (_, y), ends in zip(shape.points, middles.values(), strict=True)
        )
        for shape in drawing.shapes
        if isinstance(shape, Lines)
    }
    assert joined == {(c, m) for c in range(4) for m in range(6) if (c < 2) == (m < 3)}


# --- drawings


def test_the_drawing_of_a_value_frames_its_window_and_its_place():
    """Rows -1 to 1 and columns 3 to 11 of the channel; row 0 and column 5 of the map."""
    picture, weights = as_picture(X), LayerWeights.of(LAYER, WEIGHT, BIAS, names=tuple("abcdef"))
    run = LayerRun(MAPS.astype(np.float32), LAYER, weights, picture, "numpy")
    drawing = explanation.draw(trace(run, at=HW(0, 5), index=4), run)
    channel, *_ = (shape for shape in drawing.shapes if isinstance(shape, Bitmap))
    (made,) = (shape for shape in drawing.shapes if getattr(shape, "outline", None) == palette.OUTPUT_TEAL)
    frames = [
        shape for shape in drawing.shapes if isinstance(shape, Rectangle) and shape.outline == palette.INK
    ]
    # The window on each channel, and each patch; then the value.
    assert len(frames) == 5
    first, last = frames[0], frames[-1]
    # The channel is drawn with its padding: 10 rows and 14 columns, from row -1 and column -2.
    cell = channel.w / 14
    assert channel.h == pytest.approx(10 * cell)
    assert (first.x - channel.x, first.y - channel.y) == pytest.approx((5 * cell, 0))
    assert (first.w, first.h) == pytest.approx((9 * cell, 3 * cell))
    cell = made.w / 6
    assert made.h == pytest.approx(4 * cell)
    assert (last.x + last.w / 2 - made.x, last.y + last.h / 2 - made.y) == pytest.approx(
        (5.5 * cell, cell / 2)
    )


def test_the_numbers_of_the_drawing_are_those_by_hand(said):
    said("explain", "x.json", *GIVEN, "--at", "0,5", "--map", "4", "-o", "value.svg")
    words = [text for one in ElementTree.parse("value.svg").getroot() if (text := "".join(one.itertext()))]
    numbers = [
        str(value) for channel in (*PATCHES, *KERNELS) for line in channel for value in line if value > 1000
    ]
    assert [word for word in words if re.fullmatch("[23][01]0[0-9]", word)] == numbers
    assert {"90844", "110396", "5", "201245"} <= set(words)


def test_the_animation_has_a_dashed_cell_for_every_cell_of_the_padding(said):
    """One row above and none below, two columns before and one after, on both planes of the group."""
    title = "kernel 3x5, stride 2x1, dilation 1x2, padding 1,0,2,1: 9x11 -> 4x6; 24 frames"
    assert title in said("animate", "--size", "9x11", "--channels", "4", *SEEDED, "-o", "a.gif")
    scene = direct(LAYER, HW(9, 11), index=4)
    assert scene.channels == ("channel 2", "channel 3")
    cells = [shape for shape in Animation(scene).ground().shapes if isinstance(shape, Polygon)]
    dashed = np.array([cell.dashed for cell in cells[: 2 * 10 * 14]]).reshape(2, 10, 14)
    wanted = np.ones((2, 10, 14), bool)
    wanted[:, 1:, 2:13] = False
    np.testing.assert_array_equal(dashed, wanted)


# --- fields, of the layer twice


def test_the_table_of_a_network_says_what_a_value_sees(said):
    """Behind two: 3 + 2 * (3 - 1) = 7 rows from -1 - 2 * 1 on, 9 + 1 * (9 - 1) = 17 columns from -2 - 2 on.

    The second layer makes floor((4 + 1 - 3) / 2) + 1 = 2 rows and floor((6 + 3 - 9) / 1) + 1 = 1 column.
    """
    text = said("shape", "4x9x11", "--net", "net.toml")
    heads, _, first, second = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[:4])
    one, two = (dict(zip(heads, row, strict=True)) for row in (first, second))
    names = ("output", "kernel", "stride", "padding", "field", "every", "begins", "centre")
    assert [one[name] for name in names] == ["6x4x6", "3x5", "2x1", "1,0,2,1", "3x9", "2x1", "-1x-2", "0x2"]
    assert [two[name] for name in names] == ["6x2x1", "3x5", "2x1", "1,0,2,1", "7x17", "4x1", "-3x-4", "0x4"]


def test_a_network_as_json_counts_both_layers(said):
    """The second has 6 * 3 * 15 weights at 2 positions; 5 of 6 rows by 3 of 5 columns meet its input."""
    found = json.loads(said("shape", "4x9x11", "--net", "net.toml", "--json", "--counts"))
    second = found["layers"][1]
    assert (second["receptive_field"], second["effective_stride"]) == ([7, 17], [4, 1])
    assert (second["effective_padding"], second["centre"]) == ([3, 4], [0, 4])
    assert found["macs"] == found["counts"]["macs"] == MACS + 270 * 2
    assert found["receptive_field"] == [7, 17]
    assert found["counts"]["macs_inside"] == INSIDE + 6 * 3 * 5 * 3


def test_the_field_of_a_value_deep_in_a_network(said):
    """Row 1 of the second layer sees rows 1 to 3 of the first, and those rows 1 to 7 of the input."""
    found = json.loads(
        said("run", "x.json", "--net", "net.toml", "--layer", "second", "--field", "1,0", "--json")
    )
    box = {"top": 1, "bottom": 7, "left": -4, "right": 12}
    assert found["field"] == {"layer": "second", "at": [1, 0], **box}


# --- the page

NODE = shutil.which("node")
SCRIPT = """
const [vm, fs] = [require("vm"), require("fs")];
for (const path of process.argv.slice(1)) vm.runInThisContext(fs.readFileSync(path, "utf8"));
const answer = vm.runInThisContext(`({ data, channels, own }) => {
  const [, height, width] = data.shape;
  const picture = { height, width, channels: channels.map((channel) => Float32Array.from(channel)) };
  const numbers = { weight: Float32Array.from(own.weight), bias: own.bias && Float32Array.from(own.bias) };
  const source = { path: data.path, words: data.reading };
  const layer = Settings.layerOf(data.state);
  const weights = Settings.weightsOf(data.state, data, numbers, channels.length);
  return {
    maps: Convolve.correlate(picture, layer, weights).maps.map((map) => Array.from(map)),
    value: Convolve.products(picture, layer, weights, 4, 0, 5).total,
    shape: Words.shape(layer, height, width),
    code: Words.code(data.state, data, weights, { picture, source }),
    command: Words.command(data.state, data, weights, source),
    kernels: JSON.parse(Words.kernels(layer, weights, channels.length)),
  };
}`);
process.stdout.write(JSON.stringify(answer(JSON.parse(fs.readFileSync(0, "utf8")))));
"""


@pytest.fixture(params=[GIVEN, SEEDED], ids=["kernels", "seed"])
def on_page(said, request):
    """Write the page of the layer, run its scripts, and give what they say with the maps to expect."""
    if NODE is None:
        pytest.skip("node, which runs the script of the page, is not installed")
    said("explore", "x.json", *request.param, "-o", "page.html")
    text = Path("page.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    data = json.loads(data)
    (layer,) = data["layers"]
    own = {
        name: np.frombuffer(base64.b64decode(packed), "<f4").tolist()
        for name, packed in layer["parameters"].items()
    }
    scripts = ("convolve", "layers", "settings", "pictures", "words")
    done = subprocess.run(
        [NODE, "-e", SCRIPT, *(Path(page.__file__).with_name(f"{name}.js") for name in scripts)],
        input=json.dumps({"data": data, "channels": X.reshape(4, -1).tolist(), "own": own}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout), MAPS if request.param is GIVEN else seeded_maps()


def test_the_page_computes_explains_and_words_the_layer(on_page):
    found, maps = on_page
    np.testing.assert_allclose(np.array(found["maps"]).reshape(6, 4, 6), maps, rtol=1e-4, atol=2e-3)
    assert found["value"] == pytest.approx(maps[4, 0, 5], rel=1e-5)
    assert np.array(found["kernels"]).shape == (6, 2, 3, 5)
    assert "floor((9 + 1 + 0 - 1*(3 - 1) - 1) / 2) + 1" in found["shape"]
    assert "floor((11 + 2 + 1 - 2*(5 - 1) - 1) / 1) + 1" in found["shape"]


def test_the_command_and_the_program_of_the_page_make_the_maps(said, on_page):
    found, maps = on_page
    program, *words = shlex.split(found["command"])
    assert (program, words[:2]) == ("convviz", ["run", "x.json"])
    # Top, bottom, left, right; height before width.
    given = dict(pairwise(words))
    assert [given[name] for name in ("-p", "-s", "-d", "-g")] == ["1,0,2,1", "2x1", "1x2", "2"]
    said(*words, "--quiet", "--save", "maps.npz")
    with np.load("maps.npz") as stored:
        np.testing.assert_allclose(stored["maps"], maps, rtol=1e-4, atol=2e-3)
    names = {}
    exec(found["code"], names)
    np.testing.assert_allclose(names["maps"][0].detach().numpy(), maps, rtol=1e-4, atol=2e-3)


# --- answers of the library


def test_the_largest_magnitude_of_a_map_is_found(said):
    found = json.loads(said("explain", "x.json", *GIVEN, "--map", "4", "--json"))
    assert found["at"] == [int(place) for place in np.unravel_index(np.abs(MAPS[4]).argmax(), (4, 6))]
    assert found["value"] == MAPS[4][tuple(found["at"])]


def test_a_flip_is_compared_with_the_maps_of_the_kernels_as_they_are(said):
    said("run", "x.json", *GIVEN, "--flip", "--save", "maps.npz", "--quiet")
    turned = maps_of(WEIGHT[:, :, ::-1, ::-1], BIAS)
    with np.load("maps.npz") as stored:
        np.testing.assert_array_equal(stored["maps"], turned)
        np.testing.assert_array_equal(stored["flip_difference"], turned - MAPS)


def test_the_padding_is_that_of_torch():
    found = convviz.pad(X, ((1, 0), (2, 1)))
    np.testing.assert_array_equal(found.channels["zeros"], padded(X)[0].numpy())
