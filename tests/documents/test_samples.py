"""The samples: what the script makes, and what is in it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convviz

SAMPLES = Path(__file__).parents[2] / "samples"
# Scripts, the cases of the gallery and the network of digits are not made here.
OTHERS = (".py", ".toml", ".safetensors", ".onnx", "")
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix not in OTHERS)


def make(folder):
    """Run the script: what it prints."""
    words = [sys.executable, SAMPLES / "make_samples.py", folder]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the script writes now."""
    folder = tmp_path_factory.mktemp("samples")
    make(folder)
    return folder


def test_the_script_makes_the_samples_that_are_there(made):
    assert sorted(path.name for path in made.iterdir()) == NAMES


def levels(path):
    """Every frame's pixels as they are stored: colours where there is a palette, 16 bits where there are."""
    with Image.open(path) as image:
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            shown = image.convert("RGB") if path.suffix == ".gif" else image
            yield np.asarray(shown, int)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith((".json", ".csv"))])
def test_a_picture_is_made_again_as_it_was(made, name):
    """To the level, but for the scene and the JPEGs cut from it.

    The scene rounds sums of floats, which another build of numpy or another Pillow may round to a
    neighbouring level. That may push a cosine of the JPEG over to its next step: up to 24 levels at
    quality 90, of which a pixel gets a quarter at most, or 9 where colours are stored apart.
    """
    jpeg = name.endswith(".jpg")
    tolerance = 12 if jpeg else 2 if name == "harbour.png" else 0
    for then, now in zip(levels(SAMPLES / name), levels(made / name), strict=True):
        assert then.shape == now.shape
        assert np.abs(then - now).max() <= tolerance
        assert np.abs(then - now).mean() <= (0.5 if jpeg else tolerance)


@pytest.mark.parametrize("name", ["classic.json", "gray-5x5.csv", "impulse.csv"])
def test_numbers_are_made_again_to_the_letter(made, name):
    assert (made / name).read_bytes() == (SAMPLES / name).read_bytes()


def test_a_second_run_writes_the_same_bytes_and_says_what_it_wrote(made, tmp_path):
    said = make(tmp_path)
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()
    assert [line.split()[0] for line in said.splitlines()] == NAMES


@pytest.mark.parametrize("there", [True, False], ids=["those in the repository", "those made now"])
def test_all_samples_together_are_small(made, there):
    folder = SAMPLES if there else made
    assert sum((folder / name).stat().st_size for name in NAMES) < 2_000_000


def test_the_classic_numbers_are_ones_and_two_sorts_of_columns():
    red, green, blue = json.loads((SAMPLES / "classic.json").read_text(encoding="utf-8"))
    assert red == [[1, 1, 1]] * 3
    assert green == [[0, 1, 0]] * 3
    assert blue == [[1, 0, 1]] * 3


def test_the_scene_has_colour_texture_and_edges():
    """Saturated places, few flat ones, and strong steps in both directions."""
    x = convviz.read(SAMPLES / "harbour.png").x
    assert x.shape == (3, 512, 512)
    saturation = x.max(axis=0) - x.min(axis=0)
    assert (saturation > 0.5).mean() > 0.01
    for axis in (1, 2):
        steps = np.abs(np.diff(x, axis=axis)).max(axis=0)
        assert (steps > 0.3).mean() > 0.01
        assert (steps == 0).mean() < 0.4


def test_the_odd_pictures_are_odd():
    with Image.open(SAMPLES / "rotated.jpg") as image:
        assert image.getexif()[0x0112] == 6
        assert image.size == (120, 160)
    assert convviz.read(SAMPLES / "rotated.jpg").size == convviz.HW(120, 160)
    with Image.open(SAMPLES / "cmyk.jpg") as image:
        assert image.mode == "CMYK"
    with Image.open(SAMPLES / "palette.gif") as image:
        assert (image.mode, image.n_frames) == ("P", 2)
    assert convviz.read(SAMPLES / "pixel.png").x.shape == (3, 1, 1)


def test_a_rotated_picture_is_shown_upright():
    """It is a view of the scene, stored turned; upright it is that part of the scene again, but for JPEG."""
    scene = convviz.read(SAMPLES / "harbour.png").x[:, 100:220, 352:512]
    assert np.abs(convviz.read(SAMPLES / "rotated.jpg").x - scene).mean() < 0.03


def test_the_bars_of_the_chart_are_as_wide_as_they_say():
    """From the corner of each group: three pairs of a black and a white bar, across and down."""
    with Image.open(SAMPLES / "resolution-chart.png") as image:
        chart = np.asarray(image)
    for width, left in ((1, 8), (2, 54), (3, 100), (4, 146), (6, 192)):
        pairs = ([0] * width + [255] * width) * 3
        assert chart[20, left : left + 6 * width].tolist() == pairs
        assert chart[56 : 56 + 6 * width, left + 10].tolist() == pairs


def test_the_ramp_would_be_steps_in_eight_bits():
    """65535 levels over 16383 steps is 4 a step and 3 over in all: 64 neighbours share their high byte."""
    (ramp,) = convviz.read(SAMPLES / "ramp-16bit.png", value_range="raw").x
    assert ramp.shape == (64, 256)
    np.testing.assert_array_equal(ramp[0, :64], 4 * np.arange(64))
    steps = np.diff(ramp.ravel())
    assert set(steps) == {4, 5}
    assert (steps == 5).sum() == 3
    assert ramp[-1, -1] == 65535


def test_the_stripes_move_by_one_colour_from_frame_to_frame():
    """They are 8 pixels wide: each frame shows the other one 8 columns farther on."""
    first, second = levels(SAMPLES / "palette.gif")
    np.testing.assert_array_equal(second[:, :-8], first[:, 8:])
    assert len(np.unique(first.reshape(-1, 3), axis=0)) == 8


def test_the_zone_plate_alternates_where_its_waves_reach_the_limit():
    """Half a cycle a pixel at the edge: the phase pi * r**2 / 256 grows by pi from one pixel to the next.

    In the middle rows, r**2 is 127.5**2 + 0.25 in the last column and 126.5**2 + 0.25 in the one
    before: 254 / 256 of pi apart, so their cosines add up to nearly nothing.
    """
    (plate,) = levels(SAMPLES / "zone-plate.png")
    centred = plate - 127.5
    assert abs(centred[127, -1] + centred[127, -2]) < 0.025 * 127.5 + 1  # pi * 2 / 256, and two roundings
    np.testing.assert_array_equal(plate, plate[::-1, ::-1])
    assert plate[127, 127] == 255


def test_the_squares_of_the_checkerboard_are_eight_pixels_wide():
    (board,) = levels(SAMPLES / "checkerboard.png")
    assert board.shape == (64, 64)
    assert board[0].tolist() == ([0] * 8 + [255] * 8) * 4
    assert board[:, 8].tolist() == ([255] * 8 + [0] * 8) * 4
