"""Drawings: one description, two renderings; and matrices as text."""

import base64
import io
import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import convviz
from convviz.analysis.trace import trace, trace_weight
from convviz.compute.weights import LayerWeights
from convviz.images import picture
from convviz.render import palette
from convviz.render.drawings import explanation, reach
from convviz.render.drawings.cells import ORANGE, PURPLE, cells, framed
from convviz.render.drawings.drawing import (
    Bitmap,
    Drawing,
    Label,
    Lines,
    Polygon,
    Rectangle,
    to_image,
    to_svg,
)
from convviz.render.fonts import font
from convviz.render.palette import INK, INPUT_BLUE, PAPER
from convviz.render.words import tables
from convviz.render.words.matrices import Block, elided, side_by_side, words_of
from convviz.results import padded, scene
from convviz.spec.geometry import HW

SVG = "{http://www.w3.org/2000/svg}"
RED, BLUE = (200, 0, 0), (0, 0, 200)


def some_drawing():
    return Drawing(
        100,
        60,
        (255, 255, 255),
        (
            Rectangle(10, 10, 20, 20, fill=RED),
            Bitmap(50, 10, 20, 20, np.array([[0, 255], [255, 0]], np.uint8)),
            Lines(((10, 50), (90, 50)), BLUE, 2),
            Polygon(((80, 10), (95, 10), (95, 30)), fill=BLUE),
            Label(10, 48, "a < b & [c]", BLUE, 12),
        ),
    )


def test_pixels_and_svg_show_the_same_shapes():
    pixels = np.asarray(to_image(some_drawing()))
    assert tuple(pixels[20, 20]) == RED
    assert tuple(pixels[50, 50]) == BLUE
    assert tuple(pixels[15, 92]) == BLUE
    assert [int(pixels[15, 55, 0]), int(pixels[15, 65, 0])] == [0, 255]
    root = ET.fromstring(to_svg(some_drawing()))
    kinds = [child.tag.removeprefix(SVG) for child in root]
    assert kinds == ["rect", "rect", "image", "polyline", "polygon", "text"]
    assert root[5].text == "a < b & [c]"
    assert root[1].attrib["fill"] == "#c80000"


def test_svg_needs_nothing_from_elsewhere():
    text = to_svg(some_drawing(), comment="convviz -- x")
    assert not re.search(r"(?:href|src)=\"(?!data:)", text)
    assert "<script" not in text
    assert "@font-face" not in text
    data = re.search(r"base64,([^\"]+)", text).group(1)
    stored = Image.open(io.BytesIO(base64.b64decode(data)))
    cells = np.asarray(stored)
    half = cells.shape[0] // 2
    for row, column in np.ndindex(2, 2):
        cell = cells[row * half : (row + 1) * half, column * half : (column + 1) * half]
        assert set(cell.ravel()) == {255 * ((row + column) % 2)}


def test_a_scale_of_two_doubles_both_sides():
    assert to_image(some_drawing(), scale=2).size == (200, 120)


@pytest.mark.parametrize(
    ("count", "room", "expected"),
    [
        pytest.param(3, 3, [0, 1, 2], id="all fit"),
        pytest.param(9, 4, [0, 1, None, 8], id="the middle is left out"),
        pytest.param(5, 1, [0, None, 4], id="the ends are always shown"),
    ],
)
def test_the_middle_is_elided_and_never_silently(count, room, expected):
    assert elided(count, room) == expected


def test_matrices_stand_beside_each_other_where_there_is_room_and_below_where_not():
    blocks = [Block("a", [["1", "2"]]), Block("b", [["3", "4"]], "x")]
    assert side_by_side(blocks, width=40) == ["a        b", "1  2  x  3  4"]
    assert side_by_side(blocks, width=8) == ["a", "1  2", "x b", "3  4"]


def test_a_wide_matrix_shows_an_ellipsis():
    lines = side_by_side([Block("a", [[str(n) for n in range(30)]] * 30)], width=30)
    assert max(map(len, lines)) <= 30
    assert any("…" in line for line in lines)


def test_padding_is_told_apart_without_colour():
    assert words_of(np.array([[0, 1.5]], np.float32), np.array([[True, False]])) == [["(0)", "1.5"]]


def explained(layer, x):
    result = convviz.run(x, layer)
    found = trace(result, at=HW(0, 1))
    return explanation.draw(found, result), found


def box_of(label):
    """Left, top, right and bottom of a word."""
    wide = explanation.font(label.size).getlength(label.text)
    left = label.x - {"start": 0, "middle": 0.5, "end": 1}[label.anchor] * wide
    return left, label.y - 0.7 * label.size, left + wide, label.y


def overlaps(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("kernel", [1, 3, 9, (2, 5)])
@pytest.mark.parametrize("channels", [1, 3, 12])
def test_no_text_of_an_explanation_overlaps_another_or_leaves_the_paper(kernel, channels):
    x = np.random.default_rng(0).standard_normal((channels, 12, 15)) * 1000
    drawing, _ = explained(convviz.Conv2d(channels, 2, kernel, padding=1), x)
    boxes = [box_of(shape) for shape in drawing.shapes if isinstance(shape, Label)]
    for index, box in enumerate(boxes):
        assert box[0] >= 0
        assert box[2] <= drawing.width
        assert box[3] <= drawing.height
        assert not any(overlaps(box, other) for other in boxes[:index])


def crosses(line, box):
    """Whether a straight line has points inside of a box: within its columns and its rows."""
    (x0, y0), (x1, y1) = line
    start, stop = 0.0, 1.0
    for a, b, low, high in ((x0, x1, box[0], box[2]), (y0, y1, box[1], box[3])):
        if a == b:
            if not low < a < high:
                return False
            continue
        one, two = sorted(((low - a) / (b - a), (high - a) / (b - a)))
        start, stop = max(start, one), min(stop, two)
    return start < stop


@pytest.mark.parametrize("size", [(3, 3), (5, 4), (12, 15), (60, 80)], ids=str)
@pytest.mark.parametrize("kernel", [1, 3, (2, 5), 8])
@pytest.mark.parametrize("channels", [1, 3, 12])
def test_no_line_of_an_explanation_runs_through_a_word(size, kernel, channels):
    x = np.random.default_rng(0).standard_normal((channels, *size)) * 1000
    drawing, _ = explained(convviz.Conv2d(channels, 2, kernel, padding=4), x)
    boxes = [box_of(shape) for shape in drawing.shapes if isinstance(shape, Label)]
    lines = [pair for shape in drawing.shapes if isinstance(shape, Lines) for pair in pairwise(shape.points)]
    assert [line for line in lines for box in boxes if crosses(line, box)] == []


def words_of_drawing(drawing):
    return [shape.text for shape in drawing.shapes if isinstance(shape, Label)]


def test_a_large_window_is_a_picture_with_its_largest_products_written_out():
    """Ones under the weights 1 to 36: the largest five are 36 to 32, the others 666 - 170 = 496."""
    weight = np.arange(1, 37).reshape(1, 1, 6, 6)
    layer = convviz.Conv2d(1, 1, 6, bias=False)
    found = convviz.explain(np.ones((6, 6)), layer, weight)
    words = words_of_drawing(found.drawing())
    start = words.index("largest products (row,column)")
    assert words[start + 1 : start + 13] == [
        "5,5", "1 x 36 = 36", "5,4", "1 x 35 = 35", "5,3", "1 x 34 = 34", "5,2", "1 x 33 = 33",
        "5,1", "1 x 32 = 32", "31 others", "496",
    ]  # fmt: skip
    # The map is one value, so it has no bar.
    pictures = [shape for shape in found.drawing().shapes if isinstance(shape, Bitmap)]
    assert [picture.levels.shape for picture in pictures] == [(6, 6, 3)] * 3
    assert "  5,5: 1 x 36 = 36" in found.lines()
    written = words_of_drawing(convviz.explain(np.ones((5, 5)), convviz.Conv2d(1, 1, 5)).drawing())
    assert "largest products (row,column)" not in written


def test_the_cells_of_the_padding_are_dashed_and_hold_what_the_mode_gives():
    """Reflected by two, 1 2 3 becomes 3 2 1 2 3 2 1; the window at 0 reads the first three."""
    layer = convviz.Conv2d(1, 1, (1, 3), padding=(0, 2), bias=False, padding_mode="reflect")
    drawing = convviz.explain([[1, 2, 3]], layer, [[[[1, 1, 1]]]], at=(0, 0)).drawing()
    assert words_of_drawing(drawing)[3:10] == ["(3)", "(2)", "1", "2", "3", "(2)", "(1)"]
    squares = [shape for shape in drawing.shapes if isinstance(shape, Rectangle)]
    assert [shape.dashed for shape in squares[:7]] == [True, True, False, False, False, True, True]
    patch = words_of_drawing(drawing)[11:14]
    assert patch == ["3", "2", "1"]


def test_every_frame_is_black_on_white_so_that_it_is_seen_on_any_value():
    for value in (0, 1):
        drawing = convviz.explain(np.full((40, 40), value), convviz.Conv2d(1, 1, 3), at=(20, 20)).drawing()
        shapes = drawing.shapes
        black = [
            index for index, shape in enumerate(shapes) if getattr(shape, "outline", None) == palette.INK
        ]
        assert len(black) == 3  # the window, the patch, the value
        for index in black:
            under, frame = shapes[index - 1], shapes[index]
            assert under.outline == palette.PAPER
            assert (under.x, under.y, under.w, under.h) == (frame.x, frame.y, frame.w, frame.h)
            assert under.line > frame.line
        window = shapes[black[0]]
        pixels = np.asarray(to_image(drawing, scale=2)).min(axis=2)
        row = pixels[round(2 * (window.y + window.h / 2)), round(2 * window.x) - 6 : round(2 * window.x) + 7]
        assert row.min() < 50
        assert row.max() > 240


def test_of_many_channels_those_of_the_largest_sums_are_drawn_and_the_others_added_up():
    """Ones under the weights 1, -2, 3, ... 8: the sums of channels 3 to 7 are largest, 1 - 2 + 3 is left."""
    weight = np.array([1, -2, 3, -4, 5, -6, 7, -8]).reshape(1, 8, 1, 1)
    drawing = convviz.explain(np.ones((8, 2, 2)), convviz.Conv2d(8, 1, 1, bias=False), weight).drawing()
    words = words_of_drawing(drawing)
    assert [word for word in words if re.fullmatch(r"channel \d", word)] == [
        f"channel {n}" for n in range(3, 8)
    ]
    assert words[words.index("3 other channels") + 1] == "2"
    assert "drawn are 5 of 8 channels: those of the largest sums" in words


@pytest.mark.parametrize(("channels", "maps", "groups"), [(4, 6, 2), (3, 1, 1), (64, 64, 64), (40, 20, 2)])
def test_the_group_map_has_a_line_for_every_kernel_drawn_and_none_through_a_word(channels, maps, groups):
    layer = convviz.Conv2d(channels, maps, 3, groups=groups)
    drawing = convviz.explain(np.zeros((channels, 9, 14)), layer, group_map=True).drawing()
    boxes = [box_of(shape) for shape in drawing.shapes if isinstance(shape, Label)]
    lines = [shape.points for shape in drawing.shapes if isinstance(shape, Lines)]
    assert [line for line in lines for box in boxes if crosses(line, box)] == []
    assert not any(overlaps(*pair) for pair in combinations(boxes, 2))
    # At most five groups of at most five channels and five maps, where the middle is left out.
    shown = [min(count, 5) if count > 6 else count for count in (groups, channels // groups, maps // groups)]
    assert len(lines) == shown[0] * shown[1] * shown[2]


def test_the_plane_of_a_weight_goes_from_black_to_white_however_little_it_spans():
    """At stride 2 the weight meets columns 0 and 2; the least and the largest value stay as they are."""
    layer = convviz.Conv2d(1, 1, 1, stride=2, bias=False)
    result = convviz.run(np.array([[[0, -1e-8, 0, 1e-8]]]), layer)
    found = trace_weight(result, indices=(0, 0, 0, 0))
    drawing = reach.draw_weight(found, result)
    fills = [shape.fill for shape in drawing.shapes if isinstance(shape, Rectangle)]
    assert (fills[1], fills[3]) == ((0, 0, 0), (255, 255, 255))


def frames_of(drawing):
    """The frames: corner and size of what is outlined in black on white."""
    outlined = [shape for shape in drawing.shapes if isinstance(shape, Rectangle)]
    return [(one.x, one.y, one.w, one.h) for one in outlined if (one.outline, one.line) == (INK, 2)]


def test_what_a_pixel_feeds_is_framed_and_enlarged_where_it_is_small():
    """Row 50, column 60 under 3 x 3 weights feeds rows 48 to 50, columns 58 to 60 of the map."""
    noise = np.random.default_rng(2).normal(size=(3, 100, 100))
    found = convviz.explain(noise, convviz.Conv2d(3, 2, 3), pixel=(50, 60), index=1)
    drawing = found.drawing()
    words = [shape.text for shape in drawing.shapes if isinstance(shape, Label)]
    at = words.index("fed, enlarged") + 1
    written = np.array([float(word) for word in words[at : at + 9]]).reshape(3, 3)
    np.testing.assert_allclose(written, found.run.maps[1, 48:51, 58:61], atol=0.005)
    # The pixel, all weights, the values in the map, and those that are enlarged: cells of 46 units.
    pixel, weights, fed, enlarged = frames_of(drawing)
    assert (weights[2:], enlarged[2:]) == ((138, 138), (138, 138))
    assert (pixel[2:], fed[2:]) == ((9, 9), (pytest.approx(3 * 300 / 98), pytest.approx(3 * 300 / 98)))
    assert not any(isinstance(shape, Lines) and shape.colour in (ORANGE, PURPLE) for shape in drawing.shapes)
    assert any("framed: the pixel, the weights that multiply it" in word for word in words)
    assert any("G channel and B channel feed the same values" in word for word in words)
    # Lines lead from the pixel to the weights, from these to the values, and to those that are enlarged.
    ends = {end for shape in drawing.shapes if isinstance(shape, Lines) for end in shape.points}
    for x, y, _, h in (weights, enlarged):
        assert {(x, y), (x, y + h)} <= ends
    assert {(pixel[0] + 9, pixel[1]), (fed[0], fed[1]), (fed[0] + fed[2], fed[1])} <= ends


def test_values_apart_that_a_pixel_feeds_have_frames_of_their_own():
    """At dilation 2 the middle of 5 x 5 feeds rows and columns 0 and 2 of 3 x 3, through 2 x 2 weights."""
    found = convviz.explain(np.ones((5, 5)), convviz.Conv2d(1, 1, 2, dilation=2), pixel=(2, 2))
    assert sorted(one[2:] for one in frames_of(found.drawing())) == [(46, 46)] * 5 + [(92, 92)]


@pytest.mark.parametrize(
    "question", [{}, {"pixel": (0, 0)}, {"weight": (0, 0, 0, 0)}, {"as_matrix": True}], ids=str
)
def test_a_drawing_says_what_the_sign_of_tiny_numbers_means(question):
    weight = np.array([[[[1, 1e-9]]]])
    found = convviz.explain([[1, 2, 3]], convviz.Conv2d(1, 1, (1, 2), bias=False), weight, **question)
    words = [shape.text for shape in found.drawing().shapes if isinstance(shape, Label)]
    assert "~0" in words
    assert any("~0 is not quite 0" in word for word in words)


def test_a_drawing_shows_every_product():
    drawing, found = explained(convviz.Conv2d(1, 1, 2, bias=False), np.arange(9).reshape(3, 3))
    words = {shape.text for shape in drawing.shapes if isinstance(shape, Label)}
    written = np.array([float(word) for word in words if re.fullmatch(r"-?\d+(\.\d+)?", word)])
    for product in found.channels[0].products.ravel():
        # Those up to 9.99 have two decimals, or one more where they would be 0.
        assert np.abs(written - product).min() <= 0.005


@pytest.mark.parametrize("width", [30, 40, 80, 100, 200])
def test_no_number_and_no_index_of_a_table_is_cut(width):
    """Every value of the map has four decimals, and there are three-digit indices."""
    values = np.linspace(-0.9, 0.9, 120 * 120, dtype=np.float32).reshape(120, 120)
    body, _ = tables.values(values, at=HW(110, 110), width=width)
    stream = io.StringIO()
    Console(file=stream, width=width).print(body)
    rows = [line.split() for line in stream.getvalue().splitlines()[2:]]
    assert "…" not in stream.getvalue()
    assert [row[0] for row in rows] == [str(index) for index in range(96, 120)]
    assert all(re.fullmatch(r"-?0\.\d{4}", number) for row in rows for number in row[1:])


@pytest.mark.parametrize(
    "asked", [{}, {"pixel": (0, 0)}, {"weight": (0, 0, 0, 0)}], ids=["value", "pixel", "weight"]
)
def test_the_map_of_an_explanation_has_the_limits_that_are_asked_for(asked):
    """Five times 1 to 4 is 5 to 20, the ends where numbers are drawn; -1 and 40 are the given ones."""
    layer = convviz.Conv2d(1, 1, 1, bias=False)
    arguments = ([[1, 2], [3, 4]], layer, [[[[5]]]])
    plain, given = (
        words_of_drawing(convviz.explain(*arguments, **asked, **looks).drawing())
        for looks in ({}, {"limits": "-1,40"})
    )
    assert ("-1" in plain, "-1" in given) == (False, True)
    assert "40" in given


@pytest.mark.parametrize("side", [18, 22, 30, 46])
def test_the_frame_of_a_cell_touches_no_number_beside_it(side):
    """A frame is a white line of five units along the edge, so 2.5 of them lie in the neighbour."""
    drawn = cells([["-5", "-56"]], [[PAPER, PAPER]], 0, y=0, cell=side)
    (frame,) = (shape for shape in framed(0, 0, side, h=side) if shape.outline == PAPER)
    for word in (shape for shape in drawn if isinstance(shape, Label)):
        half = font(word.size).getlength(word.text) / 2
        column = word.x // side
        assert column * side + frame.line / 2 < word.x - half
        assert word.x + half < (column + 1) * side - frame.line / 2


@pytest.mark.parametrize("of", ["explain", "pad", "animate"])
def test_each_activation_of_a_deep_layer_has_its_own_scale(of):
    """Channels up to 1 and up to 0.01 look alike, and the names give the ends; R, G and B share theirs."""
    ramp = np.minimum(np.linspace(0, 1.2, 2500, dtype=np.float32), 1).reshape(50, 50)
    x = np.stack([ramp, ramp / 100])
    weights = np.ones((1, 2, 1, 1), np.float32)

    def shapes(channels, **more):
        arriving = picture.Picture(x, channels, **more)
        if of == "pad":
            return padded.pad(arriving, 0).drawing().shapes
        layer = convviz.Conv2d(2, 1, 1, bias=False)
        if of == "explain":
            return convviz.explain(arriving, layer, weights).drawing().shapes
        own = LayerWeights.of(layer, weights, None, names=["sum"])
        shown = scene.direct(layer, arriving.size, picture=arriving, weights=own)
        return scene.film(shown, cells=1).ground.shapes

    deep = shapes(("0", "1"), activations=True)
    first, second = [one.levels for one in deep if isinstance(one, Bitmap)][:2]
    assert (first == second).all()
    words = [one.text for one in deep if isinstance(one, Label)]
    assert any("channel 0" in one and one.endswith(", 0 to 1") for one in words)
    assert any("channel 1" in one and one.endswith(", 0 to 0.01") for one in words)
    first, second = [one.levels for one in shapes(("R", "G")) if isinstance(one, Bitmap)][:2]
    assert second.max() == round(255 / 100)


def aspect(drawing):
    """Width by height."""
    return drawing.width / drawing.height


def test_groups_stand_side_by_side_until_a_drawing_is_about_as_wide_as_a_slide():
    """Three groups of four channels and eight maps were a column; two and one are nearest to 16:9."""
    found = convviz.explain(np.zeros((12, 9, 9)), convviz.Conv2d(12, 24, 3, groups=3), group_map=True)
    drawing = found.drawing()
    places = {shape.text: (shape.x, shape.y) for shape in drawing.shapes if isinstance(shape, Label)}
    first, second, third = (places[f"group {index}"] for index in range(3))
    assert (second[1], third[0]) == (first[1], first[0])
    assert second[0] > first[0]
    assert third[1] > first[1]
    assert 1 < aspect(drawing) < 2.5


def test_padding_modes_stand_side_by_side():
    """Four squares are a row; four rows of a colour picture and its channels are two and two."""
    modes = ("zeros", "reflect", "replicate", "circular")
    for channels, rows in ((1, 1), (3, 2)):
        drawing = padded.pad(np.zeros((channels, 5, 5)), ((2, 1), (0, 3)), modes=modes).drawing()
        places = [
            shape for shape in drawing.shapes if isinstance(shape, Label) and shape.text.endswith("padding")
        ]
        assert len({place.y for place in places if place.text.split()[0] in modes}) == rows
        assert 1 < aspect(drawing) < 3.5


def test_the_products_of_1x1_kernels_take_a_row_each():
    """Five rows of one product each were 1.5 times as high as wide, for the sake of their channels."""
    found = convviz.explain(np.random.default_rng(1).normal(size=(40, 20, 20)), convviz.Conv2d(40, 2, 1))
    drawing = found.drawing()
    assert aspect(drawing) > 1.25
    assert {shape.w for shape in drawing.shapes if isinstance(shape, Bitmap) and shape.levels.ndim == 2} >= {
        64
    }


def test_the_lines_around_narrow_padding_leave_most_of_it_visible():
    """20 of 2040 pixels are 2.5 of 260 units; the line around the input covers half of its thickness."""
    drawing = padded.pad(np.zeros((100, 2000)), 20, modes=("reflect",)).drawing()
    (line,) = (
        shape.line for shape in drawing.shapes if isinstance(shape, Rectangle) and shape.outline == INPUT_BLUE
    )
    assert 0 < line / 2 < 0.25 * 20 * 260 / 2040
