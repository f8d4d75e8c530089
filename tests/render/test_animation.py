"""Frames of animations and the files they make."""

import io
import xml.etree.ElementTree as ET
from typing import get_args

import numpy as np
import pytest
from PIL import Image

import convviz
from convviz.errors import SpecError
from convviz.images.decode import as_picture
from convviz.render.drawings.animation import _NOW, Animation
from convviz.render.drawings.drawing import Label
from convviz.render.drawings.film import encode, paletted
from convviz.render.drawings.scene import Scene
from convviz.results.scene import direct
from convviz.spec.geometry import HW, Axis
from convviz.spec.settings import Style

TALL, WIDE = Axis(7, 3, 2, 1, 1, 0), Axis(5, 2, 1, 2, 2, 1)


def scene_of(count):
    """A row of `count` windows."""
    return Scene("", Axis(1, 1, 1, 1, 0, 0), Axis(count, 1, 1, 1, 0, 0))


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_a_file_has_one_frame_per_output_cell_and_loops(suffix, style):
    """(7 + 1 - 3) // 2 + 1 rows and 5 + 3 - 3 + 1 columns."""
    frames = paletted(Animation(Scene("title", TALL, WIDE), style).film())
    data = encode(frames, suffix, times=[500] * len(frames), mark="convviz", text="{}")
    image = Image.open(io.BytesIO(data))
    assert image.n_frames == 3 * 6
    assert image.info["loop"] == 0
    for index in range(image.n_frames):
        image.seek(index)
        image.load()
        assert image.info["duration"] == 500
        np.testing.assert_array_equal(
            np.asarray(image.convert("RGB")), np.asarray(frames[index].convert("RGB"))
        )


@pytest.mark.parametrize("style", get_args(Style))
def test_the_cell_that_is_made_moves_from_the_left_then_down(style):
    places = []
    for image in Animation(Scene("", TALL, WIDE), style).film().images():
        hit = np.argwhere((np.asarray(image) == _NOW).all(axis=-1))
        places.append(hit.mean(axis=0))
    rows = np.array(places).reshape(3, 6, 2)
    # In the tilted look a row leans, but goes to the right all the same; the next one lies below.
    assert (np.diff(rows[:, :, 1], axis=1) > 0).all()
    assert (np.diff(rows[:, :, 0], axis=0) > 0).all()


def test_the_last_frame_shows_every_number():
    layer = convviz.Conv2d(1, 1, 2, bias=False)
    picture = as_picture(np.arange(1, 10).reshape(3, 3))
    weights = convviz.seeded(layer)
    scene = direct(layer, picture.size, picture=picture, weights=weights)
    *_, last = Animation(scene).film().svgs()
    words = [element.text for element in ET.fromstring(last).iter("{http://www.w3.org/2000/svg}text")]
    assert {str(n) for n in range(1, 10)} <= set(words)
    for value in scene.values.ravel():
        assert f"{value:.2f}" in words


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("count", [1, 3])
def test_no_label_leaves_the_paper(style, count):
    scene = Scene("a title " * 6, TALL, WIDE, channels=("input channel",) * count)
    animation = Animation(scene, style)
    ground = animation.ground()
    for label in (shape for shape in (*ground.shapes, *animation.above(17)) if isinstance(shape, Label)):
        assert label.x >= 0
        assert label.x + convviz.render.fonts.font(label.size).getlength(label.text) <= ground.width
        assert 0 < label.y < ground.height


def test_too_many_frames_say_what_to_reduce():
    with pytest.raises(SpecError, match=r"10,001 frames, more than 10,000; leave out --cells"):
        Animation(scene_of(10_001)).film()
    assert len(Animation(Scene("", Axis(2, 1, 1, 1, 0, 0), Axis(2, 1, 1, 1, 0, 0))).film().beats) == 4


def test_too_much_memory_says_what_to_reduce():
    side = Axis(60, 1, 1, 1, 0, 0)
    with pytest.raises(
        SpecError, match=r"would take [\d,]+ MB \(3,600 frames of .*, more than 500 MB; leave"
    ):
        Animation(Scene("", side, side)).film()


def test_numbers_are_read_from_the_arrays_that_were_computed_with():
    layer = convviz.Conv2d(1, 1, 2, bias=False)
    picture = as_picture(np.ones((3, 3)))
    frames = []
    for weight in (1.0, 5.0):
        weights = convviz.compute.weights.LayerWeights.of(layer, np.full((1, 1, 2, 2), weight))
        scene = direct(layer, HW(3, 3), picture=picture, weights=weights)
        frames.append(next(Animation(scene).film().svgs()))
    assert ">4<" in frames[0]
    assert ">20<" in frames[1]
