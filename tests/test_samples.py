"""The samples: what the script makes, and what is in it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convviz

SAMPLES = Path(__file__).parent.parent / "samples"
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.is_file() and path.suffix != ".py")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the script writes now."""
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([sys.executable, SAMPLES / "make_samples.py", folder], check=True, capture_output=True)
    return folder


def test_the_script_makes_the_samples_that_are_there(made):
    assert sorted(path.name for path in made.iterdir()) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith((".json", ".csv"))])
def test_a_picture_is_made_again_as_it_was(made, name):
    """Resizing, typefaces and JPEG may differ a little between versions of Pillow, and so may the scene."""
    then, now = convviz.read(SAMPLES / name), convviz.read(made / name)
    tolerance = 0 if name in ("checkerboard.png", "pixel.png", "ramp-16bit.png", "zone-plate.png") else 0.04
    assert np.abs(then.x - now.x).mean() <= tolerance
    assert then.x.shape == now.x.shape


@pytest.mark.parametrize("name", ["classic.json", "gray-5x5.csv"])
def test_numbers_are_made_again_to_the_letter(made, name):
    assert (made / name).read_bytes() == (SAMPLES / name).read_bytes()


def test_all_samples_together_are_small():
    assert sum((SAMPLES / name).stat().st_size for name in NAMES) < 2_000_000


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
    ramp = convviz.read(SAMPLES / "ramp-16bit.png", value_range="raw").x
    np.testing.assert_array_equal(ramp[0, 0], np.arange(256) * 257)
    assert convviz.read(SAMPLES / "pixel.png").x.shape == (3, 1, 1)


def test_a_rotated_picture_is_shown_upright():
    """It is a view of the scene, stored turned; upright it is that part of the scene again, but for JPEG."""
    scene = convviz.read(SAMPLES / "harbour.png").x[:, 100:220, 352:512]
    assert np.abs(convviz.read(SAMPLES / "rotated.jpg").x - scene).mean() < 0.03
