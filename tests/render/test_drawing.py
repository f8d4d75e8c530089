"""Drawings: one description, two renderings; and matrices as text."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import convviz
from convviz.explain.trace import trace, trace_weight
from convviz.render.drawings import explanation, reach
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
from convviz.render.words import tables
from convviz.render.words.matrices import Block, elided, side_by_side, words_of
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
    found = trace(
        result.layer, result.picture, result.filters, maps=result.maps, at=HW(0, 1), backend=result.backend
    )
    return explanation.draw(found, result.picture, result.maps), found


def overlaps(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("kernel", [1, 3, 9, (2, 5)])
@pytest.mark.parametrize("channels", [1, 3, 12])
def test_no_text_of_an_explanation_overlaps_another_or_leaves_the_paper(kernel, channels):
    x = np.random.default_rng(0).standard_normal((channels, 12, 15)) * 1000
    drawing, _ = explained(convviz.Conv2d(channels, 2, kernel, padding=1), x)
    boxes = []
    for label in (shape for shape in drawing.shapes if isinstance(shape, Label)):
        wide = explanation.font(label.size).getlength(label.text)
        left = label.x - {"start": 0, "middle": 0.5, "end": 1}[label.anchor] * wide
        boxes.append((left, label.y - 0.7 * label.size, left + wide, label.y))
    for index, box in enumerate(boxes):
        assert box[0] >= 0
        assert box[2] <= drawing.width
        assert box[3] <= drawing.height
        assert not any(overlaps(box, other) for other in boxes[:index])


def test_the_plane_of_a_weight_goes_from_black_to_white_however_little_it_spans():
    """At stride 2 the weight meets columns 0 and 2; the least and the largest value stay as they are."""
    layer = convviz.Conv2d(1, 1, 1, stride=2, bias=False)
    result = convviz.run(np.array([[[0, -1e-8, 0, 1e-8]]]), layer)
    found = trace_weight(layer, result.picture, result.filters, indices=(0, 0, 0, 0))
    drawing = reach.draw_weight(found, layer, result.picture, filters=result.filters, maps=result.maps)
    fills = [shape.fill for shape in drawing.shapes if isinstance(shape, Rectangle)]
    assert (fills[1], fills[3]) == ((0, 0, 0), (255, 255, 255))


def test_a_drawing_shows_every_product():
    drawing, found = explained(convviz.Conv2d(1, 1, 2, bias=False), np.arange(9).reshape(3, 3))
    words = {shape.text for shape in drawing.shapes if isinstance(shape, Label)}
    for product in found.channels[0].products.ravel():
        assert explanation.number(float(product), digits=3) in words


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
