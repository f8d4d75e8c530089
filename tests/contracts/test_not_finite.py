"""NaN and infinity in an input: shown as torch computes them, counted, and drawn in colours of their own."""

import json
import shlex
import shutil
import subprocess
from importlib import resources

import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz.analysis import compare
from convviz.cli.app import status_of
from convviz.compute import backends
from convviz.compute.conv import conv2d
from convviz.render import palette
from convviz.render.drawings.drawing import Rectangle
from convviz.render.drawings.grids import Grid, short_words, signed_grid
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d

# No two numbers agree: kernel 3x5, stride 2x1, dilation 1x2, padding 1,0,2,1, two groups.
LAYER = Conv2d(4, 6, (3, 5), (2, 1), ((1, 0), (2, 1)), (1, 2), 2)
NAN, INFINITE = (0, 4, 6), (3, 5, 2)


@pytest.fixture(scope="module")
def case():
    """An input with one NaN in the first group and one infinity in the second, and weights."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, 9, 11)).astype(np.float32)
    x[NAN], x[INFINITE] = np.nan, np.inf
    weight = rng.normal(size=LAYER.weight_shape).astype(np.float32)
    weight[2, 0, 1, 3] = 0  # zero times NaN is NaN
    return x, weight, rng.normal(size=6).astype(np.float32)


def by_torch(x, weight, bias):
    padded = torch.nn.functional.pad(torch.from_numpy(x), (2, 1, 1, 0))
    made = torch.nn.functional.conv2d(
        padded, torch.from_numpy(weight), torch.from_numpy(bias), stride=(2, 1), dilation=(1, 2), groups=2
    )
    return made.numpy()


def met(places, pixel):
    """Mark the outputs whose window has a kernel value on a pixel, by the definition of a window."""
    marked = np.zeros(places, bool)
    for y, x in np.ndindex(places):
        rows = [2 * y - 1 + tap for tap in range(3)]
        columns = [x - 2 + 2 * tap for tap in range(5)]
        marked[y, x] = pixel[0] in rows and pixel[1] in columns
    return marked


@pytest.mark.parametrize("name", list(backends.names()))
def test_nan_is_in_exactly_the_windows_that_meet_it(case, name):
    maps = conv2d(*case, stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(1, 2), groups=2, backend=name)
    expected = by_torch(*case)
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.isnan(maps[:3]), [met((4, 6), NAN[1:])] * 3)
    np.testing.assert_array_equal(np.isinf(maps[3:]), [met((4, 6), INFINITE[1:])] * 3)


@pytest.mark.parametrize("rows", [1, 2, 4, 8])
def test_nan_stays_local_however_many_rows_one_product_makes(monkeypatch, rows):
    """A 1 x 1 hole of NaN under 3 x 3 ones: 9 NaN, whatever the method."""
    from convviz.compute.backends import numpy_

    monkeypatch.setattr(numpy_, "_rows_at_once", lambda *_, **__: rows)
    x = np.arange(400, dtype=np.float32).reshape(1, 20, 20)
    x[0, 5, 6] = np.nan
    maps = conv2d(x, np.ones((1, 1, 3, 3)), padding=1)
    np.testing.assert_array_equal(
        np.argwhere(np.isnan(maps[0])), [(y, x) for y in (4, 5, 6) for x in (5, 6, 7)]
    )


def test_two_backends_agree_on_nan_and_infinity(case):
    x, weight, bias = case
    agreement = compare.check(convviz.run(x, LAYER, (weight, bias), backend="numpy"))
    assert agreement.relative < 1e-6


def test_partial_maps_add_up_to_maps_with_nan(case):
    x, weight, bias = case
    result = convviz.run(x, LAYER, (weight, bias), backend="numpy")
    parts = result.partial()
    assert result.apart(parts) < 1e-5
    # Map 0 reads channels 0 and 1, of which the second is finite.
    np.testing.assert_array_equal(np.isnan(parts[0, 0]), met((4, 6), NAN[1:]))
    assert np.isfinite(parts[0, 1]).all()


def test_statistics_are_those_of_the_finite_values(case):
    x, weight, bias = case
    expected = by_torch(*case)
    for row, values in zip(convviz.run(x, LAYER, (weight, bias)).statistics(), expected, strict=True):
        known = values[np.isfinite(values)].astype(np.float64)
        np.testing.assert_allclose(
            [row.min, row.max, row.mean, row.std],
            [known.min(), known.max(), known.mean(), known.std()],
            rtol=1e-4,
            atol=1e-5,
        )
        assert (row.nan, row.inf) == (np.isnan(values).sum(), np.isinf(values).sum())


def test_what_is_not_finite_has_colours_of_its_own():
    """An identity kernel on 2 x 3 values at 96 pixels a cell: input and map show what stands in each cell."""
    x = np.array([[np.nan, 1, np.inf], [0, -np.inf, 2]], np.float32)
    result = convviz.run(x, Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1)))
    sheet = result.sheet()
    (tile,) = sheet.maps
    np.testing.assert_array_equal(
        tile.levels[:],
        [
            [(255, 0, 255), (128, 128, 128), (255, 0, 0)],
            [(0, 0, 0), (0, 225, 255), (255, 255, 255)],
        ],
    )
    assert tile.note == "0 to 2, 1 NaN, 1 inf, 1 -inf"
    assert tile.bar.contrast.ends == (0, 2)
    words = [shape.text for shape in sheet.drawing.shapes if hasattr(shape, "text")]
    assert {"1 NaN", "1 inf", "1 -inf", "nan", "inf", "-inf"} <= set(words)
    assert "Not finite: NaN is magenta, inf is red and -inf is cyan" in " ".join(words)
    colours = {tuple(int(level) for level in pixel) for pixel in np.asarray(sheet.image()).reshape(-1, 3)}
    assert {(255, 0, 255), (255, 0, 0), (0, 225, 255)} <= colours


@pytest.mark.parametrize("name", ["signed", "viridis", "turbo", "spring", "hsv", "coolwarm"])
def test_the_colours_are_none_of_the_scale(name):
    """More than 60 of 255 from the nearest colour of the scale, and from each other."""
    table = palette.colours(name).astype(int)
    chosen = [mark.colour for mark in palette.marks(palette.colours(name))]
    for index, colour in enumerate(chosen):
        others = np.array([*table, *(chosen[:index] + chosen[index + 1 :])])
        assert np.sqrt(np.square(others - colour).sum(axis=1)).min() > 60


def test_one_nan_is_seen_on_a_reduced_map():
    """Of 100 x 100 values 10 x 10 are drawn, and the one with the NaN in it is no grey."""
    x = np.zeros((100, 100), np.float32)
    x[37, 92] = np.nan
    result = convviz.run(x, Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1)))
    (tile,) = result.sheet(tile=10).maps
    np.testing.assert_array_equal(np.argwhere((tile.levels[:] == (255, 0, 255)).all(axis=2)), [[3, 9]])


@pytest.mark.parametrize("looks", [{"limits": "minmax"}, {"limits": "symmetric"}, {"colormap": "signed"}, {}])
@pytest.mark.parametrize("scale", ["map", "layer", "global"])
def test_a_map_without_finite_values_is_drawn(looks, scale):
    x = np.array([[np.nan, np.nan], [0, 4]], np.float32)
    weights = np.array([1, 0], np.float32).reshape(2, 1, 1, 1)
    result = convviz.run(x[:1], Conv2d(1, 2, 1, bias=False), weights)
    sheet = result.sheet(scale=scale, **looks)
    assert [tile.note for tile in sheet.maps] == ["2 NaN", "2 NaN"]
    sheet.image()


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A folder with an input that has one NaN and one infinity."""
    monkeypatch.chdir(tmp_path)
    x = np.arange(400, dtype=np.float32).reshape(20, 20)
    x[5, 6], x[15, 15] = np.nan, -np.inf
    np.save("x.npy", x)
    return x


def test_run_counts_them_in_the_table_and_writes_what_it_computed(broken, capsys):
    assert status_of(["run", "x.npy", "-K", "box", "--maps", "m", "--save", "x.npz", "--check"]) == 0
    out, err = capsys.readouterr()
    assert "not finite: 1 NaN, 1 -inf of 400 values" in err
    header, row = (line.split() for line in out.splitlines() if " std " in line or line.startswith("0 "))
    assert header[-2:] == ["nan", "inf"]
    assert row[-2:] == ["9", "9"]
    maps = np.load("x.npz")["maps"]
    assert (np.isnan(maps).sum(), np.isneginf(maps).sum()) == (9, 9)
    with Image.open("m/0-box.png") as image:
        assert image.mode == "RGB"
        pixels = np.asarray(image)
    np.testing.assert_array_equal((pixels == (255, 0, 255)).all(axis=2), np.isnan(maps[0]))
    np.testing.assert_array_equal((pixels == (0, 225, 255)).all(axis=2), np.isneginf(maps[0]))


def test_json_has_null_where_there_is_no_number(broken, capsys):
    assert status_of(["run", "x.npy", "-K", "box", "--table", "--json"]) == 0
    document = json.loads(capsys.readouterr().out, parse_constant=lambda text: pytest.fail(text))
    assert [document["maps"][0][key] for key in ("nan", "inf")] == [9, 9]
    assert document["values"][0][4][5] is None
    np.save("x.npy", np.full((3, 3), np.nan))
    assert status_of(["run", "x.npy", "-K", "identity", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["maps"][0]
    assert [row[key] for key in ("min", "max", "mean", "std", "nan")] == [None, None, None, None, 1]


def test_a_finite_input_has_no_column_for_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.ones((4, 4)))
    assert status_of(["run", "x.npy", "-K", "box", "--json"]) == 0
    assert {"nan", "inf"}.isdisjoint(json.loads(capsys.readouterr().out)["maps"][0])


def test_an_overflow_is_told(tmp_path, monkeypatch, capsys):
    """2 x 3e38 is beyond float32, as torch finds too."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.array([[3e38, 3e38, 0]], np.float32))
    assert status_of(["run", "x.npy", "-K", "1 1"]) == 0
    assert "sums overflow float32: 1 inf in the maps of a finite input" in capsys.readouterr().err
    np.save("x.npy", np.array([[1e300]]))
    assert status_of(["run", "x.npy", "-K", "1"]) == 3
    assert "1e+300 is too large for float32" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["1,nan\n-inf,4", "[[1, NaN], [-Infinity, 4]]"])
def test_text_may_hold_them(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    name = "x.json" if text.startswith("[") else "x.csv"
    (tmp_path / name).write_text(text)
    np.testing.assert_array_equal(convviz.read(name).x, [[[1, np.nan], [-np.inf, 4]]])


def test_a_network_of_our_own_passes_them_on(broken, capsys):
    assert status_of(["run", "x.npy", "--layers", "conv 2 k3 | relu | maxpool 2", "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    # 9 of 18 x 18 positions in each of two maps meet the NaN; the pool halves 3 x 3 of them to 2 x 2.
    assert [layer["nan"] for layer in layers] == [18, 18, 8]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "words",
    [
        "explain x.npy -K sobel-x --at 5,6 -o e.svg",
        "explain x.npy -K sobel-x --as-matrix --resize 6 -o m.png",
        "explain x.npy --pixel 5,6 -o p.png",
        "explain x.npy --weight 0,0,1,1 -o w.png",
        "explain x.npy --group-map -o g.png",
        "pad x.npy --padding 2 -o d.png",
        "animate x.npy -K box -o a.gif",
        "animate x.npy --style iso --frames f",
        "explore x.npy -o x.html",
        "code x.npy",
        "run x.npy -K sobel --flip --partial --table --field 2,2",
        "run x.npy --layers 'conv 2 k3 | softmax | maxpool 2 p1 | avgpool 2 | flatten | linear 3' -o n.png",
        "run x.npy --resize 9 --normalize 1,2 --crop 8 --show",
    ],
)
def test_every_command_takes_them(broken, capsys, words):
    assert status_of(shlex.split(words)) == 0
    if words.startswith(("explain", "pad", "run")) and "-o p.png" not in words:
        assert status_of([*shlex.split(words), "--json", "--force"]) == 0
        document = capsys.readouterr().out.splitlines()[-1]
        json.loads(document, parse_constant=lambda text: pytest.fail(text))


def test_a_value_with_nan_is_explained_by_its_products(case):
    x, weight, bias = case
    found = convviz.explain(x, LAYER, (weight, bias), at=(2, 2), index=0)
    rows, columns = [3, 4, 5], [0, 2, 4, 6, 8]
    expected = x[0][np.ix_(rows, columns)].astype(np.float64) * weight[0, 0]
    np.testing.assert_array_equal(found.found.channels[0].products, expected)
    assert np.isnan(found.found.total)
    assert found.found.difference == 0
    assert any("nan" in line for line in found.lines())
    fills = {shape.fill for shape in found.drawing().shapes if isinstance(shape, Rectangle)}
    assert (255, 0, 255) in fills


def test_the_matrix_makes_nan_where_a_weight_stands_alone(case):
    """An entry of the matrix without a weight is no product: only windows that meet the NaN are NaN."""
    x, weight, bias = case
    found = convviz.explain(x, LAYER, (weight, bias), index=1, as_matrix=True).found
    np.testing.assert_array_equal(np.isnan(found.values.reshape(4, 6)), met((4, 6), NAN[1:]))
    assert found.difference < 1e-5


def test_without_a_position_the_largest_finite_value_is_explained(broken):
    found = convviz.explain(broken, Conv2d(1, 1, 1, bias=False), np.ones((1, 1, 1, 1))).found
    assert (tuple(found.at), found.total) == ((19, 19), 399)


def test_an_animation_draws_nan_as_nan_and_not_as_a_cell_to_come():
    """Cells that are masked are still to be computed."""
    cells = np.ma.array([[np.nan, 1.0, np.inf]], mask=[[False, True, False]])
    assert short_words(cells, peak=1.0) == [["nan", "", "inf"]]
    drawn = signed_grid(Grid(0, 0, HW(1, 3), 20), cells, peak=1.0)
    fills = [shape.fill for shape in drawn if isinstance(shape, Rectangle) and shape.fill]
    assert fills[:3] == [(255, 0, 255), palette.EMPTY, (255, 0, 0)]


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the script of the page")
def test_the_page_paints_them_as_the_sheet_does():
    """NaN, 1, infinity, minus infinity and -1: marks, and orange and purple of 1 as the largest magnitude."""
    script = resources.files("convviz").joinpath("page", "paint.js").read_text(encoding="utf-8")
    script += """
    const values = Float32Array.of(NaN, 1, Infinity, -Infinity, -1);
    const looks = { limits: "minmax", colormap: "signed", scale: "map" };
    const table = Uint8Array.from(TABLE.flat());
    const found = Paint.toned(values, 1, 5, Paint.tone([values], looks, false), table);
    console.log(JSON.stringify([found.low, found.high, Array.from(found.pixels),
      Array.from(Paint.grey(values, 1, 5, -1, 1).pixels), Paint.colour(NaN, 1)]));
    """
    script = script.replace("TABLE", json.dumps(palette.signed_colours().tolist()))
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    low, high, signed, grey, one = json.loads(done.stdout)
    assert (low, high, one) == (-1, 1, [255, 0, 255])
    marks = [[255, 0, 255, 255], [255, 0, 0, 255], [0, 225, 255, 255]]
    for pixels, ends in (
        (signed, [[*palette.SIGNED_STOPS[-1], 255], [*palette.SIGNED_STOPS[0], 255]]),
        (grey, [[255] * 4, [0, 0, 0, 255]]),
    ):
        cells = np.reshape(pixels, (5, 4)).tolist()
        assert [cells[0], cells[2], cells[3]] == marks
        assert [cells[1], cells[4]] == ends
