"""The page: what is in the file, and that its arithmetic is that of convviz."""

import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import convviz
from convviz import explore, pipeline, weights
from convviz.errors import SpecError
from convviz.images import Picture
from convviz.settings import LayerSettings

SCRIPT = Path(explore.__file__).with_name("page") / "convolve.js"
NODE = shutil.which("node")

RUN = """
const C = require(process.argv[1]);
let text = "";
process.stdin.on("data", (part) => (text += part)).on("end", () => {
  const answers = JSON.parse(text).map((one) => {
    const planes = one.planes.map((plane) => Float32Array.from(plane));
    const picture = { height: one.height, width: one.width, planes };
    const reason = C.reason(picture.planes.length, one.height, one.width, one.layer);
    if (reason) return { reason };
    const bank = one.weight
      ? { weight: Float32Array.from(one.weight), bias: one.bias && Float32Array.from(one.bias) }
      : C.seeded(picture.planes.length, one.layer, one.seed, one.withBias);
    const made = C.correlate(picture, one.layer, bank, 0);
    const place = [made.height - 1, Math.floor(made.width / 2)];
    return {
      size: [made.height, made.width],
      maps: made.maps.map((map) => Array.from(map)),
      parts: made.parts.map((map) => Array.from(map)),
      weight: Array.from(bank.weight),
      bias: bank.bias && Array.from(bank.bias),
      place,
      total: C.products(picture, one.layer, bank, 0, ...place).total,
      fed: C.fed(one.layer, one.height, one.width, Math.floor(one.height / 2), 0),
    };
  });
  process.stdout.write(JSON.stringify(answers));
});
"""
needs_node = pytest.mark.skipif(
    NODE is None, reason="node, which runs the script of the page, is not installed"
)


def computed(*cases):
    done = subprocess.run(
        [NODE, "-e", RUN, SCRIPT], input=json.dumps(cases), capture_output=True, text=True, check=True
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
        planes, filters = groups * int(chance.integers(1, 3)), groups * int(chance.integers(1, 3))
        mode = str(chance.choice(["zeros", "reflect", "replicate", "circular"]))
        pads = [int(side) for side in chance.integers(0, 3, 4)]
        h, w = (int(side) for side in chance.integers(3, 14, 2))
        try:
            layer = convviz.Conv2d(
                planes,
                filters,
                tuple(int(taps) for taps in chance.integers(1, 5, 2)),
                tuple(int(step) for step in chance.integers(1, 4, 2)),
                ((pads[0], pads[1]), (pads[2], pads[3])),
                tuple(int(step) for step in chance.integers(1, 3, 2)),
                groups,
                bool(chance.integers(0, 2)),
                mode,
            )
            x = chance.normal(size=(planes, h, w)).astype(np.float32)
            bank = weights.seeded(layer, len(cases))
            result = pipeline.run(x, layer, bank, "numpy")
        except convviz.ConvvizError:
            continue
        expected.append(result)
        cases.append(
            {
                "height": h,
                "width": w,
                "planes": x.reshape(planes, -1).tolist(),
                "layer": plain(layer, convviz.HW(h, w)),
                "weight": bank.weight.ravel().tolist(),
                "bias": None if bank.bias is None else bank.bias.tolist(),
            }
        )
    for found, result in zip(computed(*cases), expected, strict=True):
        assert found["size"] == list(result.shape[1:])
        maps = np.array(found["maps"]).reshape(result.shape)
        np.testing.assert_allclose(maps, result.maps, rtol=1e-5, atol=1e-5)
        parts = np.array(found["parts"]).reshape(result.partial()[0].shape)
        np.testing.assert_allclose(parts, result.partial()[0], rtol=1e-4, atol=1e-5)
        y, x = found["place"]
        assert found["total"] == pytest.approx(float(result.maps[0, y, x]), abs=1e-5)


@needs_node
@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_the_weights_of_a_seed_are_those_of_torch(seed):
    layer = convviz.Conv2d(4, 6, (3, 5), groups=2)
    case = {"height": 6, "width": 6, "planes": [[0] * 36] * 4, "layer": plain(layer, convviz.HW(6, 6))}
    (found,) = computed(case | {"seed": seed, "withBias": True})
    bank = weights.seeded(layer, seed)
    np.testing.assert_array_equal(np.array(found["weight"], np.float32), bank.weight.ravel())
    np.testing.assert_array_equal(np.array(found["bias"], np.float32), bank.bias)


@needs_node
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": 2}, "legal here: 1, 3."),
        ({"kernel": [9, 3]}, "spans 9 pixels of 8 along the height; pad by 1 more"),
        ({"stride": [0, 1]}, "stride takes whole numbers from 1 on"),
        ({"padding": [8, 0, 0, 0], "mode": "reflect"}, "may be 7 at most"),
        ({"dilation": [1, 9]}, "along the width"),
        ({"padding": [0.5, 0, 0, 0]}, "padding takes whole numbers"),
    ],
)
def test_what_is_not_legal_is_told_with_what_would_be(change, words):
    layer = plain(convviz.Conv2d(3, 6, 3), convviz.HW(8, 8)) | change
    (found,) = computed({"height": 8, "width": 8, "planes": [[0] * 64] * 3, "layer": layer, "seed": 0})
    assert words in found["reason"]


# --- the file


def data_of(text):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def made(x, channels="RGB", name="x.png", **options):
    picture = Picture(x, tuple(channels))
    layer, bank, _ = weights.build(LayerSettings(**options), x.shape[0])
    return explore.page(name, picture, layer, bank, LayerSettings(**options))


def test_the_numbers_of_the_page_are_those_of_the_run():
    levels = np.random.default_rng(1).integers(0, 256, (3, 5, 4))
    x = (levels / 255).astype(np.float32)
    data = data_of(made(x))
    assert data["planes"]["kind"] == "u8"
    found = np.frombuffer(base64.b64decode(data["planes"]["data"]), np.uint8).reshape(3, 5, 4)
    np.testing.assert_array_equal(found, levels)
    weight = np.frombuffer(base64.b64decode(data["weight"]), np.float32).reshape(6, 3, 3, 3)
    np.testing.assert_array_equal(weight, weights.seeded(convviz.Conv2d(3, 6, 3)).weight)
    other = data_of(made(x * np.float32(1.01)))
    assert other["planes"]["kind"] == "f32"
    found = np.frombuffer(base64.b64decode(other["planes"]["data"]), np.float32).reshape(3, 5, 4)
    np.testing.assert_array_equal(found, x * np.float32(1.01))


def test_a_page_of_512x512_is_small_and_asks_for_nothing():
    x = np.random.default_rng(1).integers(0, 256, (3, 512, 512)) / np.float32(255)
    text = made(x.astype(np.float32))
    assert len(text.encode()) < 3_000_000
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


# --- in a browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def shown(tmp_path):
    """Open a page in a browser without a network: its document once the script has run, and complaints."""

    def show(text, place=""):
        (tmp_path / "page.html").write_text(text)
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--enable-logging=stderr", "--dump-dom", f"{(tmp_path / 'page.html').as_uri()}#{place}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return html.unescape(done.stdout), complaints

    return show


def text_of(document, id):
    found = re.search(rf'<(\w+) id="{id}"[^>]*>(.*?)</\1>', document, re.DOTALL)
    return re.sub(r"</?p>", "\n", found[2])


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@needs_browser
@pytest.mark.parametrize(
    "place",
    ["", "strideH=2&strideW=2&padTop=1&mode=reflect&preset=sobel-x&outChannels=2&map=1"],
)
def test_a_browser_shows_the_value_of_the_backend(shown, place):
    x = np.random.default_rng(3).integers(0, 256, (3, 9, 8)) / np.float32(255)
    x = x.astype(np.float32)
    document, complaints = shown(made(x), f"{place}&pin=output,1,2")
    assert complaints == []
    if place:
        layer, bank = convviz.kernel_bank(
            "sobel-x", "sobel-x", stride=2, padding=((1, 0), (0, 0)), padding_mode="reflect"
        )
        value = pipeline.run(x, layer, bank).maps[1, 1, 2]
        assert "3x9x8 -> 2x4x3" in document
        assert "-K sobel-x -K sobel-x -s 2 -p 1,0,0,0 --padding-mode reflect" in text_of(document, "command")
    else:
        value = pipeline.run(x, convviz.Conv2d(3, 6, 3)).maps[0, 1, 2]
        assert "3x9x8 -> 6x7x6" in document
        assert text_of(document, "command") == "convviz run x.png -O 6"
    told = re.findall(r"at 1,2: .* = (-?[\d.e-]+)", text_of(document, "value"))
    assert float(told[0]) == pytest.approx(float(value), rel=2e-3, abs=2e-4)


@needs_browser
def test_an_address_that_is_not_legal_leaves_the_page_as_it_was(shown):
    document, complaints = shown(made(np.zeros((3, 6, 6), np.float32)), "kernelH=9")
    assert complaints == []
    assert "6 filters x 3 channels" in document
