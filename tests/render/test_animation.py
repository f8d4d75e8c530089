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
from convviz.results.scene import direct, film, transposed
from convviz.spec.geometry import HW, Axis
from convviz.spec.settings import Style

TALL, WIDE = Axis(7, 3, 2, 1, 1, 0), Axis(5, 2, 1, 2, 2, 1)


def scene_of(count):
    """A row of `count` windows."""
    return Scene("", Axis(1, 1, 1, 1, 0, 0), Axis(count, 1, 1, 1, 0, 0))


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_a_file_has_one_frame_per_output_cell_and_loops(suffix, style):
    """(7 + 1 - 3) // 2 + 1 rows and 5 + 3 - 3 + 1 columns; only a GIF has a palette."""
    frames = list(Animation(Scene("title", TALL, WIDE), style).film().images())
    data = encode(frames, suffix, times=[500] * len(frames), mark="convviz", text="{}")
    image = Image.open(io.BytesIO(data))
    assert image.n_frames == 3 * 6
    assert image.info["loop"] == 0
    for index in range(image.n_frames):
        image.seek(index)
        image.load()
        assert image.info["duration"] == 500
        expected = paletted(frames)[index].convert("RGB") if suffix == ".gif" else frames[index]
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.asarray(expected))


def areas(image):
    """Mark the pixels in the middle of 3x3 pixels of one colour."""
    pixels = np.pad(np.asarray(image).astype(int), ((1, 1), (1, 1), (0, 0)), mode="edge")
    h, w = image.height, image.width
    near = [pixels[y : y + h, x : x + w] for y in range(3) for x in range(3)]
    return np.logical_and.reduce([(one == near[4]).all(axis=-1) for one in near])


def at_work(pixels, kernels):
    """Frames of a convolution on numbers, shape (H, W) or (H, W, C)."""
    layer = convviz.Conv2d(kernels.shape[1], 1, 3, bias=False, padding=1)
    picture = as_picture(pixels)
    weights = convviz.compute.weights.LayerWeights.of(layer, kernels)
    return list(film(direct(layer, picture.size, picture=picture, weights=weights)).images())


COUNTED = np.array([-4.0, -3, -2, -1, 1, 2, 3, 4, 5]).reshape(1, 1, 3, 3)


def test_a_gif_has_the_colour_of_every_cell():
    """Orange and purple take few pixels of these frames, but only the colours tell how large a product is."""
    frames = at_work(np.arange(1, 10).reshape(3, 3), COUNTED)
    for frame, image in zip(frames, paletted(frames), strict=True):
        inside = areas(frame)
        np.testing.assert_array_equal(np.asarray(image.convert("RGB"))[inside], np.asarray(frame)[inside])


def test_a_gif_marks_values_that_are_not_finite():
    """NaN is magenta, infinity red, minus infinity cyan, each in a few cells of a film."""
    pixels = np.arange(25.0).reshape(5, 5)
    pixels[0, 0], pixels[2, 2], pixels[4, 4] = np.nan, np.inf, -np.inf
    image = paletted(at_work(pixels, COUNTED))[3].convert("RGB")
    for colour in ((255, 0, 255), (255, 0, 0), (0, 225, 255)):
        assert (np.asarray(image) == colour).all(axis=-1).sum() > 400


def test_a_gif_of_more_colours_than_it_can_hold_has_near_ones():
    """Three channels of noise have all greys, and their products hundreds of colours."""
    noise = np.random.default_rng(0)
    frames = at_work(noise.integers(0, 256, (20, 20, 3)), noise.normal(size=(1, 3, 3, 3)))
    assert len({colour for frame in frames for _, colour in frame.getcolors(1 << 24)}) > 1000
    for frame, image in zip(frames, paletted(frames), strict=True):
        apart = np.abs(np.asarray(image.convert("RGB")).astype(int) - np.asarray(frame).astype(int))
        assert apart[areas(frame)].max() <= 6


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


def test_a_transposed_convolution_says_that_its_windows_lie_on_spread_input():
    """3 pixels with a zero between each are rows 0, 2 and 4; the last window reads from row 5 on."""
    scene = transposed(convviz.Conv2d(1, 1, 3, stride=2), HW(3, 3), output_padding=HW(1, 1))
    notes = [
        next(shape.text for shape in frame.above if isinstance(shape, Label))
        for frame in Animation(scene).film().frames()
    ]
    spread = "of the input with zeros between its values"
    assert notes[-1] == (
        f"64/64: output 7,7 from rows 5 to 7, columns 5 to 7 {spread}; the window reads only zeros"
    )
    # Every other window of three rows and columns reads a pixel.
    assert [index for index, note in enumerate(notes) if "only" in note] == [
        row * 8 + column for row in range(8) for column in range(8) if 7 in (row, column)
    ]
    assert notes[0] == f"1/64: output 0,0 from rows -2 to 0, columns -2 to 0 {spread}"


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


def test_infinity_times_a_weight_of_zero_is_drawn_without_a_warning():
    """Warnings are errors in these tests: infinity times 0 is NaN, which is marked."""
    pixels = np.ones((3, 3))
    pixels[1, 1] = np.inf
    kernels = np.zeros((1, 1, 3, 3))
    frames = at_work(pixels, kernels)
    assert (np.asarray(frames[-1]) == (255, 0, 255)).all(axis=-1).sum() > 400
