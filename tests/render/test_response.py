"""The frequency response of a filter, by its definition."""

import numpy as np
import pytest

from convviz.render.sheets import layout
from convviz.render.sheets.filters import draw, response


@pytest.mark.parametrize("size", [(2, 3), (3, 70)], ids=["small", "longer than the response"])
def test_a_response_is_the_sum_of_waves_at_every_frequency(size):
    """Row 32 + v and column 32 + u are v/64 and u/64 cycles per pixel, down and to the right."""
    weight = np.random.default_rng(2).standard_normal((2, *size)).astype(np.float32)
    cycles = (np.arange(64) - 32) / 64
    down = np.exp(-2j * np.pi * np.outer(cycles, np.arange(size[0])))
    across = np.exp(-2j * np.pi * np.outer(cycles, np.arange(size[1])))
    sums = np.einsum("vy,pyx,ux->pvu", down, weight, across)
    found = response(weight)
    np.testing.assert_allclose(found, np.sqrt((np.abs(sums) ** 2).sum(axis=0)), rtol=1e-5, atol=1e-5)


def test_a_diagonal_kernel_answers_to_waves_along_its_diagonal():
    """The difference of a pixel and the one below it to the right: 2 |sin(pi (v + u))| at v and u cycles.

    Waves that are the same along that diagonal, v = -u, make nothing; v = u = 1/4 makes the most, 2.
    """
    found = response(np.array([[[1, 0], [0, -1]]], np.float32))
    assert found[32 - 16, 32 + 16] == pytest.approx(0, abs=1e-6)
    assert found[32 + 16, 32 - 16] == pytest.approx(0, abs=1e-6)
    assert found[32 + 16, 32 + 16] == pytest.approx(2)
    assert found[32 - 16, 32 - 16] == pytest.approx(2)


def test_the_caption_and_the_legend_of_a_response_say_what_its_brightness_means(monkeypatch):
    """A pixel minus half of the next one: 1 - 1/2 for no variation, 1 + 1/2 for the fastest."""
    monkeypatch.setattr(layout, "sheet", lambda heading, sections, note, *, look: (heading, sections, note))
    weight = np.array([[[[1, -0.5]]]], np.float32)
    heading, (section,), note = draw("edge", weight, chosen=[0], frequency=True)
    _, answer = section.tiles
    assert (answer.name, answer.note) == ("response", "0.5 to 1.5")
    assert "of a response, 0 is black" in note
    assert heading[0] == "edge: 1 filter x 1 channel of 1x2"
