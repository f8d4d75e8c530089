"""Animations that show the arithmetic: the numbers in the frames are those of torch."""

import io
import re
import sys
import xml.etree.ElementTree as ET
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz.errors import BackendError
from convviz.files import video
from convviz.images.decode import as_picture
from convviz.images.picture import Picture
from convviz.render.drawings import pace
from convviz.render.drawings.drawing import Label
from convviz.render.drawings.lesson import WIDTH, Lesson, _box
from convviz.render.drawings.work import Line
from convviz.render.fonts import font
from convviz.results import films
from convviz.results.scene import direct, film, pooled
from convviz.spec.geometry import HW, Edges
from convviz.spec.layers import AvgPool2d, MaxPool2d

RANDOM = np.random.default_rng(5)


def asymmetric():
    """A layer whose arguments all differ, and what torch makes of it: the scene of map 4, and its numbers."""
    layer = convviz.Conv2d(4, 6, (3, 5), (2, 1), Edges(1, 0, 2, 1), (1, 2), 2)
    picture = as_picture(RANDOM.integers(-9, 10, (4, 9, 11)).astype(np.float32))
    weights = convviz.seeded(layer, 3)
    x = torch.nn.functional.pad(torch.from_numpy(picture.x), (2, 1, 1, 0))
    weight, bias = torch.from_numpy(weights.weight), torch.from_numpy(weights.bias)
    maps = torch.nn.functional.conv2d(x, weight, bias, (2, 1), 0, (1, 2), 2)
    # Map 4 is in the second group, which reads channels 2 and 3.
    parts = [
        torch.nn.functional.conv2d(
            x[None, 2 + at : 3 + at], weight[4:5, at : at + 1], None, (2, 1), 0, (1, 2)
        )
        for at in range(2)
    ]
    scene = direct(layer, picture.size, picture=picture, weights=weights, index=4)
    return scene, x.double().numpy(), maps[4].numpy(), [part[0, 0].numpy() for part in parts], weights


def photo(count=3, h=40, w=56):
    """A picture of smooth greys, from 0 to 1."""
    y, x = np.mgrid[:h, :w]
    channels = [(np.sin(y / (5 + at)) * np.cos(x / 7) + 1) / 2 for at in range(count)]
    return Picture(np.stack(channels).astype(np.float32), ("R", "G", "B")[:count])


def lessons():
    """One lesson of each sort."""
    layer = convviz.Conv2d(3, 2, 3, 2)
    strided = direct(layer, HW(40, 56), picture=photo(), weights=convviz.seeded(layer))
    layer = convviz.Conv2d(1, 1, 3, padding=1, bias=False, padding_mode="reflect")
    small = as_picture(RANDOM.integers(0, 9, (5, 5)).astype(np.float32))
    many = convviz.Conv2d(9, 1, 1)
    return {
        "asymmetric": asymmetric()[0],
        "photo": strided,
        "padded photo": pooled(AvgPool2d(3, 2, 1), HW(40, 56), picture=photo()),
        "numbers": direct(layer, small.size, picture=small, weights=convviz.seeded(layer)),
        "max": pooled(MaxPool2d(2), small.size, picture=small),
        "many channels": direct(
            many,
            HW(4, 4),
            picture=as_picture(RANDOM.standard_normal((9, 4, 4), np.float32)),
            weights=convviz.seeded(many),
        ),
        "large kernel": direct(
            (wide := convviz.Conv2d(3, 1, 11, padding=5)),
            HW(40, 56),
            picture=photo(),
            weights=convviz.seeded(wide),
        ),
    }


LESSONS = lessons()


def labels(shapes):
    return [shape for shape in shapes if isinstance(shape, Label)]


def words_in(grid, shapes):
    """Read the words that stand in a grid, row by row."""
    inside = [
        one
        for one in labels(shapes)
        if one.anchor == "middle" and grid.x < one.x < grid.right and grid.y < one.y < grid.y + grid.h
    ]
    return [one.text for one in sorted(inside, key=lambda one: (round(one.y), one.x))]


def whole_cells(scene):
    """Draw the frame of every cell in which all of its work is shown."""
    lesson = Lesson(scene)
    beats = pace.pace(scene.size, steps=lesson.steps, cells="all")
    made = [beat for beat in beats if beat.made > beat.before]
    return lesson, [lesson.film([beat]).draw(beat).above for beat in made]


def close(words, values, digits):
    """Compare words with numbers; a word is rounded to so many digits behind the point."""
    found = [0.0 if word == "~0" else float(word) for word in words]
    np.testing.assert_allclose(found, np.ravel(values), atol=0.5000001 * 10.0**-digits)


def test_every_number_of_the_asymmetric_layer_is_that_of_torch():
    scene, x, values, parts, weights = asymmetric()
    lesson, frames = whole_cells(scene)
    assert len(frames) == values.size == 24
    for (i, j), shapes in zip(np.ndindex(values.shape), frames, strict=True):
        for at, row in enumerate(lesson._places.rows):
            patch = x[2 + at, 2 * i : 2 * i + 3, j : j + 9 : 2]
            close(words_in(row.window, shapes), patch, 0)
            close(words_in(row.products, shapes), patch * weights.weight[4, at], 2)
        sums = [one.text for one in labels(shapes) if one.anchor == "end"]
        expected = [parts[0][i, j], parts[1][i, j], weights.bias[4], values[i, j]]
        # At least four digits of the largest, the same decimals for all; what is shown can be added by hand.
        np.testing.assert_allclose([float(word) for word in sums], expected, rtol=0, atol=6e-4)
        *terms, total = (Decimal(word) for word in sums)
        assert len({word.as_tuple().exponent for word in (*terms, total)}) == 1
        said = next(one.text for one in labels(shapes) if "(bias)" in one.text)
        assert (sum(terms) == total) != said.endswith("(terms rounded)")
    ground = lesson.film(pace.pace(scene.size))
    for at, row in enumerate(lesson._places.rows):
        close(words_in(row.kernel, ground.ground.shapes), weights.weight[4, at], 2)


def test_the_steps_of_the_first_cell_add_up_one_after_the_other():
    """Nine products of one channel: after each the sum of those so far."""
    layer = convviz.Conv2d(1, 1, 3, bias=False)
    picture = as_picture(np.arange(1, 10).reshape(3, 3))
    weights = convviz.compute.weights.LayerWeights.of(layer, [[[[1, 0, -1], [2, 0, -2], [1, 0, -1]]]])
    made = film(direct(layer, HW(3, 3), picture=picture, weights=weights))
    said = [
        words
        for frame in made.frames()
        for one in labels(frame.above)
        for words in re.findall("running sum: (.*)", one.text)
    ]
    # 1 - 3 + 8 - 12 + 7 - 9
    assert said == [
        "1",
        "1 + 0 = 1",
        "1 - 3 = -2",
        "-2 + 8 = 6",
        "6 + 0 = 6",
        "6 - 12 = -6",
        "-6 + 7 = 1",
        "1 + 0 = 1",
        "1 - 9 = -8",
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (MaxPool2d((2, 3), (1, 2), (1, 1)), torch.nn.MaxPool2d((2, 3), (1, 2), (1, 1)), "max"),
        (MaxPool2d(3, 2, 1, ceil_mode=True), torch.nn.MaxPool2d(3, 2, 1, ceil_mode=True), "max"),
        (AvgPool2d((2, 3), (1, 2), (1, 1)), torch.nn.AvgPool2d((2, 3), (1, 2), (1, 1)), "mean"),
        (AvgPool2d(3, 2, 1, ceil_mode=True), torch.nn.AvgPool2d(3, 2, 1, ceil_mode=True), "mean"),
        (
            AvgPool2d(3, 2, 1, count_include_pad=False),
            torch.nn.AvgPool2d(3, 2, 1, count_include_pad=False),
            "mean",
        ),
    ],
    ids=["max", "max beyond the end", "mean", "mean beyond the end", "mean without padding"],
)
def test_pooling_shows_the_numbers_of_torch(ours, theirs, name):
    """Negative values alone, so that a padding of zeros would win a maximum."""
    x = -RANDOM.random((2, 6, 8)).astype(np.float32) - 1
    expected = theirs(torch.from_numpy(x)[None])[0, 1].numpy()
    scene = pooled(ours, HW(6, 8), picture=as_picture(x), index=1)
    lesson, frames = whole_cells(scene)
    assert scene.values.shape == expected.shape
    for value, shapes in zip(expected.ravel(), frames, strict=True):
        sums = [float(one.text) for one in labels(shapes) if one.anchor == "end"]
        assert sums[-1] == pytest.approx(float(value), rel=1e-3)
        under = [float(word) for word in words_in(lesson._places.rows[0].window, shapes)]
        if name == "max":
            assert max(under) == pytest.approx(float(value), abs=0.006)
        else:
            assert sum(under) == pytest.approx(sums[0], abs=0.006 * 9)
            assert sums[0] / sums[1] == pytest.approx(float(value), rel=2e-3)


def test_a_strided_photo_and_a_padded_one_show_the_numbers_of_torch():
    picture = photo()
    layer = convviz.Conv2d(3, 2, 3, 2, padding=1)
    weights = convviz.seeded(layer)
    x, weight, bias = (torch.from_numpy(array) for array in (picture.x, weights.weight, weights.bias))
    expected = torch.nn.functional.conv2d(x, weight, bias, 2, 1)[1].numpy()
    made = film(direct(layer, picture.size, picture=picture, weights=weights, index=1))
    for beat, frame in zip(made.beats, made.frames(), strict=True):
        if beat.step is None:
            sums = [float(one.text) for one in labels(frame.above) if one.anchor == "end"]
            assert sums[-1] == pytest.approx(float(expected.ravel()[beat.cell]), rel=2e-3, abs=1e-5)
            assert sum(sums[:-1]) == pytest.approx(sums[-1], abs=2e-3)


@pytest.mark.parametrize("scene", LESSONS.values(), ids=LESSONS)
def test_an_animation_takes_at_most_15_seconds_and_makes_every_cell_once(scene):
    beats = film(scene).beats
    assert sum(beat.ms for beat in beats) <= 15_000
    assert [a.made for a, b in pairwise(beats)] == [b.before for a, b in pairwise(beats)]
    assert (beats[0].before, beats[-1].made) == (0, scene.frames)


def test_cells_and_milliseconds_are_those_asked_for():
    scene = LESSONS["photo"]
    every = film(scene, cells="all", ms=40).beats
    assert [beat.cell for beat in every if beat.made > beat.before] == list(range(scene.frames))
    assert {beat.ms for beat in every if beat.made > beat.before} == {40}
    # The other 19 * 27 - 5 = 508 values follow in 40 frames, 12 or 13 in each.
    few = [beat.made - beat.before for beat in film(scene, cells=5).beats if beat.made > beat.before]
    assert few[:5] == [1] * 5
    assert (set(few[5:]), len(few[5:])) == ({12, 13}, 40)


def test_the_first_rows_are_whole_where_time_ends():
    alone = [beat.cell for beat in pace.pace(HW(20, 9)) if beat.ms > pace.QUICK_MS]
    assert alone == list(range(len(alone)))
    assert len(alone) % 9 == 0
    assert alone


@pytest.mark.parametrize("scene", LESSONS.values(), ids=LESSONS)
def test_text_is_legible_at_640_pixels_lies_on_the_paper_and_does_not_overlap(scene):
    """14 of 960 units are more than 9 pixels of 640."""
    made = film(scene)
    for frame in [*made.frames()][:: max(1, len(made.beats) // 4)]:
        boxes = []
        for one in labels([*made.ground.shapes, *frame.above]):
            wide = font(one.size).getlength(one.text)
            left = one.x - {"start": 0, "middle": wide / 2, "end": wide}[one.anchor]
            assert one.size * 640 / made.ground.width > 9
            assert left >= 0
            assert left + wide <= WIDTH
            assert 0 < one.y < made.ground.height
            boxes.append((left, one.y - 0.7 * one.size, left + wide, one.y, one.text))
        for at, (a, b, c, d, text) in enumerate(boxes):
            for e, f, g, h, other in boxes[at + 1 :]:
                assert c <= e + 0.5 or g <= a + 0.5 or d <= f or h <= b, (text, other)


def test_what_no_window_reads_is_pale_and_named():
    """A 3x3 window at stride 2 over 6x6 leaves out row 5 and column 5."""
    layer = convviz.Conv2d(1, 1, 3, 2, bias=False)
    picture = as_picture(np.zeros((6, 6), np.float32))
    scene = direct(layer, picture.size, picture=picture, weights=convviz.seeded(layer))
    lesson = Lesson(scene)
    levels = lesson._levels(0)[:, :, 0]
    assert (levels[:5, :5] == 0).all()
    assert (levels[5] > 150).all()
    assert (levels[:, 5] > 150).all()
    ground = lesson.film(pace.pace(scene.size)).ground.shapes
    assert any("pale: row 5 and column 5, which no window reads" in one.text for one in labels(ground))


def test_the_animated_svg_shows_what_each_frame_shows_without_a_script():
    made = film(LESSONS["numbers"])
    root = ET.fromstring(made.animated_svg(comment="convviz --"))
    space = "{http://www.w3.org/2000/svg}"
    assert {one.tag.removeprefix(space) for one in root.iter()} <= {
        "svg", "title", "rect", "g", "animate", "polygon", "polyline", "text", "image",
    }  # fmt: skip
    assert not [name for one in root.iter() for name in one.attrib if name.startswith("on")]
    groups = root.findall(f"{space}g")
    assert len(groups) == len(made.beats)
    start, whole = 0, sum(made.times)
    for group, frame, beat in zip(groups, made.frames(), made.beats, strict=True):
        texts = [one.text for one in group.iter(f"{space}text")]
        assert texts == [one.text for one in labels(frame.above)]
        moves = group.find(f"{space}animate")
        times = dict(
            zip(map(float, moves.get("keyTimes").split(";")), moves.get("values").split(";"), strict=True)
        )
        assert times[min(times, key=lambda at: abs(at - start / whole))] == "visible"
        start += beat.ms
        if start < whole:
            assert times[min(times, key=lambda at: abs(at - start / whole))] == "hidden"
    # Readers that do not animate show the last frame alone.
    assert [group.get("visibility") for group in groups] == ["hidden"] * (len(groups) - 1) + [None]


def test_a_video_has_every_frame_for_its_time():
    av = pytest.importorskip("av")
    images = [Image.new("RGB", (97, 64), colour) for colour in ((230, 97, 1), (94, 60, 153), (255, 255, 255))]
    data = video.mp4(images, [480, 80, 960], text="convviz {}")
    assert data == video.mp4(images, [480, 80, 960], text="convviz {}")
    with av.open(io.BytesIO(data)) as container:
        frames = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)]
    # 6, 1 and 12 frames of 80 ms; an odd column is left out.
    assert len(frames) == 6 + 1 + 12
    assert frames[0].shape == (64, 96, 3)
    for index, colour in ((0, 0), (5, 0), (6, 1), (7, 2), (18, 2)):
        expected = images[colour].getpixel((0, 0))
        assert np.abs(frames[index][32, 48].astype(int) - expected).max() < 24


def test_without_the_package_a_video_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(BackendError, match=r'\.mp4 needs av, .*: pip install "convviz\[mp4\]"'):
        video.mp4([], [], text="")


def test_the_same_film_gives_the_same_bytes(tmp_path):
    for suffix in ("gif", "svg"):
        for name in ("a", "b"):
            films.write_animation(film(LESSONS["numbers"]), tmp_path / f"{name}.{suffix}", {"x": "1"})
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize(
    "name", ["R", "253 more", "2045 more", "a name of many letters"], ids=lambda name: name.split()[0]
)
def test_the_name_of_a_term_and_its_value_share_a_box_without_overlap(name):
    """A long value leaves no room beside the name; a letter is about 0.75 of the type size high."""
    box, title, value = _box((0, 0), Line(name, -0.247454, "-0.247454"), height=44, result=False)
    end = title.x + font(title.size).getlength(title.text)
    start = value.x - font(value.size).getlength(value.text)
    assert end < start or title.y < value.y - 0.75 * value.size
    assert end < box.w
    assert start > 0
    assert 0.75 * title.size <= title.y <= value.y < box.h


def test_a_name_above_its_value_has_room_of_its_own():
    """Letters and digits of a line are at most 1.2 times as high as its type; two lines do not touch."""
    picture = as_picture(0.1 * np.random.default_rng(1).normal(size=(12, 6, 6)).astype(np.float32))
    layer = convviz.Conv2d(12, 1, 3)
    weights = convviz.seeded(layer)
    *_, last = film(direct(layer, picture.size, picture=picture, weights=weights)).frames()
    at = next(i for i, shape in enumerate(last.above) if isinstance(shape, Label) and shape.text == "9 more")
    box, name, value = last.above[at - 1 : at + 2]
    assert name.y - box.y >= name.size
    assert value.y - name.y >= 1.2 * value.size
    assert box.y + box.h - value.y >= 0.2 * value.size


def test_numbers_have_the_same_decimals_in_every_frame():
    """0.25 needs two decimals, so that 1 and 0.5 have them too, in windows of whole numbers as well."""
    x = np.array([[1, 1, 1, 0.25], [1, 1, 1, 0.75], [1, 1, 1, 0.5]], np.float32)
    weight = np.array([[[[0.5, 1], [-1, 2]]]], np.float32)
    layer = convviz.Conv2d(1, 1, 2, bias=False)
    result = convviz.run(x, layer, weight)
    scene = direct(layer, HW(3, 4), picture=result.picture, weights=result.filters)
    lesson, frames = whole_cells(scene)
    row = lesson._places.rows[0]
    assert words_in(row.window, frames[0]) == ["1.00"] * 4
    for frame in frames:
        words = [*words_in(row.window, frame), *words_in(row.products, frame)]
        assert len(words) == 8
        assert all(re.fullmatch(r"-?\d\.\d\d", word) for word in words)


def test_a_map_of_three_small_channels_has_cells_with_room_for_its_numbers():
    """Channels of 7x7 leave room for 5x5 values in type of 14 units, which 0.0 fills to 86 % of 24."""
    layer = convviz.Conv2d(3, 1, 3)
    x = RANDOM.random((3, 7, 7), np.float32)
    lesson = Lesson(direct(layer, HW(7, 7), picture=as_picture(x), weights=convviz.seeded(layer)))
    output, row = lesson._places.output, lesson._places.rows[0]
    assert output.cell > row.input.cell
    assert len(words_in(output, lesson.film([]).ground.shapes)) == 25
    assert output.right <= WIDTH
