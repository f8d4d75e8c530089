"""The maps of the README and of the gallery use the scale: measured from the pixels of the pictures."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sheet_frames import frames, inside

from convviz.cli.app import status_of
from convviz.render.palette import OUTPUT_TEAL, signed_colours

ROOT = Path(__file__).parents[2]
TEXT = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/howto/gallery.md"))
# Parts that add up share a scale; what torch adds changes no map; a trained network is not there.
COMMANDS = sorted(
    line
    for line in re.findall(r"^convviz run .*$", TEXT, re.MULTILINE)
    if not re.search("--(like|effective|partial|save)| build/", line)
)


@pytest.fixture
def picture(tmp_path, monkeypatch, capfd):
    """Run a command among the samples; give the pixels of its picture and its metadata."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)

    def run(command):
        assert status_of([*shlex.split(command)[1:], "-q"]) == 0, capfd.readouterr().err
        with Image.open(capfd.readouterr().out.strip().splitlines()[-1]) as image:
            return np.asarray(image.convert("RGB")), json.loads(image.text["convviz"])

    return run


def levels_of(tile, *, signed):
    """Read the levels of the pixels back; a number in a cell is not one of them."""
    if not signed:
        return tile[:, :, 0].astype(int)
    table = {tuple(colour): level for level, colour in enumerate(signed_colours().tolist())}
    return np.array([[table[tuple(pixel)] for pixel in row] for row in tile.tolist()])


@pytest.mark.parametrize("command", COMMANDS)
def test_the_middle_of_the_values_uses_nine_tenths_of_the_scale(picture, command):
    """Every pixel of a map counts, so no map is reduced; a map of one value has nothing to spread."""
    pixels, described = picture(f"{command} --tile full")
    signed = "--colormap signed" in command
    found = frames(pixels, OUTPUT_TEAL)
    assert len(found) == len(described["ends"]) > 0
    for place, ends in zip(sorted(found), described["ends"], strict=True):
        low, high = (float(end) for end in ends.split(" to "))
        assert low < high
        levels = levels_of(inside(pixels, place), signed=signed)
        if signed:
            # Centred on 0: what is measured is the distance from neutral.
            assert np.percentile(np.abs(levels - 128), 99) >= 0.9 * 127
            continue
        # Of few pixels, one is more than 1 %.
        first, last = np.percentile(levels, 1, method="lower"), np.percentile(levels, 99, method="higher")
        # Where more than 98 of 100 pixels are one value, as in a map that ReLU leaves nearly nothing of, the
        # others are the scale; the scale of a map of at most 26x26 values is that of its extremes.
        if first == last or max(levels.shape) <= 26:
            first, last = levels.min(), levels.max()
        assert last - first >= 0.9 * 255 or first == last


def test_the_ends_of_a_map_are_the_same_wherever_it_is_drawn(picture, tmp_path, capfd):
    """On a sheet of any size, in a file of its own, by `explain` and by `batch`; at most 1 % lie beyond."""
    kernels = ["-K", "sobel-x", "-K", "laplacian"]
    asked = ["run", "samples/harbour.png", *kernels, "--maps", "maps", "--save", "x.npz", "--json"]
    assert status_of(asked) == 0
    scales = json.loads(capfd.readouterr().out)["scales"]
    for values, one in zip(np.load(tmp_path / "x.npz")["maps"], scales, strict=True):
        low, high = one["ends"]
        shares = (values < low).mean(), (values > high).mean()
        assert one["beyond"] == pytest.approx(shares, abs=1e-4)
        assert 0.005 < min(shares) < max(shares) <= 0.01
    ends = ["{!r} to {!r}".format(*one["ends"]) for one in scales]
    for tile in ("90", "full"):
        command = f"convviz run samples/harbour.png -K sobel-x -K laplacian --tile {tile}"
        assert picture(command)[1]["ends"] == ends
    for path, expected in zip(sorted((tmp_path / "maps").iterdir()), ends, strict=True):
        with Image.open(path) as image:
            text = json.loads(image.text["convviz"])
        assert f"{text['low']} to {text['high']}" == expected
    assert status_of(["explain", "samples/harbour.png", *kernels, "--map", "1", "-o", "explain.png"]) == 0
    with Image.open("explain.png") as image:
        assert json.loads(image.text["convviz"])["ends"] == ends[1:]
    assert status_of(["batch", "samples", "out", "-q", *kernels, "--pattern", "harbour.png"]) == 0
    (written,) = (tmp_path / "out").rglob("*.png")
    with Image.open(written) as image:
        assert json.loads(image.text["convviz"])["ends"] == ends


def test_maps_of_relu_start_at_black(picture):
    """A value of 0 is black, whether the scale starts there or above it."""
    pixels, described = picture('convviz run samples/harbour.png --layers "conv 4 k5 s2 | relu" -o relu.png')
    tiles = sorted(frames(pixels, OUTPUT_TEAL))[4:]
    assert [float(ends.split(" to ")[0]) >= 0 for ends in described["ends"][4:]] == [True] * 4
    assert all(inside(pixels, tile).min() == 0 for tile in tiles)


def test_a_value_of_0_is_neutral_in_signed_colours(picture, tmp_path):
    (tmp_path / "x.csv").write_text("-2,0,1\n")
    pixels, described = picture('convviz run x.csv -K "1" --colormap signed -o signed.png')
    (tile,) = frames(pixels, OUTPUT_TEAL)
    assert described["ends"] == ["-2.0 to 2.0"]
    cell = tile[3] // 3
    purple, neutral, half = (inside(pixels, tile)[3, column * cell + 3].tolist() for column in range(3))
    assert neutral == [247, 247, 247]
    assert purple == [0x5E, 0x3C, 0x99]
    # Half of the way from neutral to orange, level 192 of 128 to 255: 64 of 127 steps.
    assert half == [round(247 + (end - 247) * 64 / 127) for end in (0xE6, 0x61, 0x01)]


def test_the_json_of_a_run_has_the_ends_of_every_scale(picture, capfd):
    assert status_of(["run", "samples/gray-5x5.csv", "-K", "1", "--json", "-o", "one.png"]) == 0
    document = json.loads(capfd.readouterr().out)
    (found,) = document["scales"]
    (row,) = document["maps"]
    assert found == {"name": row["name"], "ends": [row["min"], row["max"]], "beyond": [0, 0]}
