"""Worksheets and their answers."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import torch

from convviz.errors import SpecError
from convviz.render.words.worksheet import Grid, Heading, Steps, Text, to_html, to_markdown
from convviz.results.exercise import make_sheets
from convviz.spec.geometry import HW, Edges
from convviz.spec.kernels import parse_request
from convviz.spec.settings import LayerSettings


def test_the_answers_are_those_of_torch_and_every_step_adds_up():
    settings = LayerSettings(
        out_channels=2, kernel_size=HW(2, 3), stride=HW(2, 1), padding=Edges(1, 1, 0, 0), groups=2, seed=5
    )
    for sheet in make_sheets(settings, size=HW(5, 6), channels=4, sheets=3):
        layer = torch.nn.Conv2d(4, 2, (2, 3), (2, 1), (1, 0), groups=2)
        layer.weight.data, layer.bias.data = (
            torch.tensor(sheet.run.filters.weight),
            torch.tensor(sheet.run.filters.bias),
        )
        expected = layer(torch.tensor(sheet.run.picture.x)[None])[0].detach().numpy()
        np.testing.assert_array_equal(sheet.run.maps, expected)
        lines = [line for block in sheet.answers() if isinstance(block, Steps) for line in block.lines]
        sums = [line.split(": ")[1].split(" = ") for line in lines if line.startswith("(")]
        # Only digits, signs, brackets and stars: safe to evaluate.
        assert all(re.fullmatch(r"[-+*() 0-9]+", terms) for terms, _ in sums)
        assert [eval(terms) for terms, _ in sums] == expected.ravel().tolist()
        assert [float(value) for _, value in sums] == expected.ravel().tolist()


def test_the_same_seed_makes_the_same_sheets_however_many_there_are():
    first, second = (make_sheets(LayerSettings(seed=4), sheets=count)[1] for count in (2, 5))
    assert first.questions() == second.questions()
    assert first.answers() == second.answers()
    other = make_sheets(LayerSettings(seed=5), sheets=2)[1]
    assert not np.array_equal(other.run.picture.x, first.run.picture.x)


def test_the_sheet_does_not_show_the_answer():
    (sheet,) = make_sheets(LayerSettings(out_channels=1), size=HW(4, 4))
    *_, empty = (block for block in sheet.questions() if isinstance(block, Grid))
    assert empty.rows == [["", ""], ["", ""]]


def test_the_shape_question_has_the_answer_of_the_formula():
    (sheet,) = make_sheets(LayerSettings(out_channels=1, stride=HW(2, 2)))
    asked = sheet.asked
    expected = (
        f"The output is 1 x {(asked.h - 3) // 2 + 1} x {(asked.w - 3) // 2 + 1}. The layer has 10 parameters"
    )
    assert any(isinstance(block, Text) and block.text.startswith(expected) for block in sheet.answers())


def test_more_than_a_class_can_work_out_is_refused():
    with pytest.raises(SpecError, match="5,400 products to work out, more than 5,000"):
        make_sheets(LayerSettings(out_channels=6), size=HW(12, 12))


def test_html_is_well_formed_and_needs_nothing_from_elsewhere():
    blocks = [Heading("a < b", 1), Text("x & y"), Steps(["1 < 2"]), Grid([["", "1"]])]
    text = to_html(blocks, title="T")
    root = ET.fromstring(text.removeprefix("<!DOCTYPE html>").replace('<meta charset="utf-8">', ""))
    assert root.find(".//h1").text == "a < b"
    assert [cell.text for cell in root.iter("td")] == [None, "1"]
    assert "http" not in text


def test_markdown_leaves_room_in_empty_cells():
    assert to_markdown([Grid([["", ""]])]) == "|  | 0 | 1 |\n|--:|:-:|:-:|\n| **0** |  |  |\n"


@pytest.mark.parametrize("kernel", [(), ("1 2; 3 4",)], ids=["drawn", "named"])
def test_a_flipped_sheet_has_the_kernels_turned_and_their_maps(kernel):
    """The same seed, and so the same input; every kernel is turned by 180 degrees before it is applied."""
    settings = LayerSettings(seed=3, kernel=tuple(parse_request(text) for text in kernel))
    (plain,), (flipped,) = (
        make_sheets(replace(settings, flip=flip), size=HW(4, 5), channels=2) for flip in (False, True)
    )
    np.testing.assert_array_equal(flipped.run.picture.x, plain.run.picture.x)
    turned = plain.run.filters.weight[:, :, ::-1, ::-1]
    assert not np.array_equal(turned, plain.run.filters.weight)
    np.testing.assert_array_equal(flipped.run.filters.weight, turned)
    bias = None if plain.run.filters.bias is None else torch.tensor(plain.run.filters.bias)
    expected = torch.conv2d(torch.tensor(plain.run.picture.x)[None], torch.tensor(turned.copy()), bias)
    np.testing.assert_array_equal(flipped.run.maps, expected[0].numpy())
    asked = [block.rows for block in flipped.questions() if isinstance(block, Grid)]
    assert [[f"{value:.0f}" for value in row] for row in turned[0, 0]] in asked
