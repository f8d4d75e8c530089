"""The page of one layer of a network that another engine runs: its weights, its numbers, its command."""

import re
import shlex

import numpy as np
import pytest
import torch
from PIL import Image
from test_explore_browser import CHROMIUM, DRIVER, By, browser, maps, shown, write  # noqa: F401

from convviz.cli.app import status_of

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="Chromium is not installed")

MODEL = """
import torch

def make():
    torch.manual_seed(3)
    inner = torch.nn.Conv2d(4, 6, (3, 5), (2, 1), 1, (1, 2), 2)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), inner, torch.nn.ReLU())
"""


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A page of a layer; what a hook of torch sees: the layer, its input and its output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    levels = np.random.default_rng(1).integers(0, 256, (12, 14, 3), np.uint8)
    Image.fromarray(levels).save("p.png")
    scope = {}
    exec(MODEL, scope)
    network, seen = scope["make"](), []
    network[2].register_forward_hook(lambda layer, given, made: seen.extend((layer, given[0], made)))
    with torch.no_grad():
        network(torch.from_numpy(levels.transpose(2, 0, 1)[None] / np.float32(255)))
    words = ["explore", "p.png", "--model", "model.py:make", "--layer", "2", "-o", "page.html", "--quiet"]
    assert status_of(words) == 0
    return (tmp_path / "page.html").as_uri(), *seen


def by_commands(text):
    """Run the lines of the page in this process; give the maps of the last."""
    for line in text.strip().splitlines():
        program, *words = shlex.split(line)
        assert program == "convviz"
        saved = [] if "--save" in words else ["--save", "maps.npz"]
        assert status_of([*words, *saved, "--quiet"]) == 0, line
    with np.load("maps.npz") as stored:
        return stored["maps"]


def test_the_weights_are_those_of_the_network(browser, case):  # noqa: F811
    """They were those of a new layer, for a network that another engine runs."""
    page, _, _, made = case
    browser.get(page)
    np.testing.assert_allclose(maps(browser), made[0], rtol=0, atol=1e-5)
    # What arrives are activations: they have the colours of maps, 0 neither dark nor bright.
    label = browser.find_element(By.CSS_SELECTOR, "#channelScaleBar .scale").get_attribute("aria-label")
    low, high = map(float, re.findall(r"-?[\d.]+(?:e-?\d+)?", label))
    assert low == -high < 0
    np.testing.assert_allclose(by_commands(shown(browser, "command")), made[0], rtol=0, atol=1e-5)


def test_with_other_settings_the_command_is_one_for_what_arrived(browser, case, tmp_path):  # noqa: F811
    page, layer, given, _ = case
    browser.get(page)
    write(browser, "strideW", "3")
    text = browser.execute_script("const s = convviz.shown(); return Words.kernels(s.conv, s.weights, 4)")
    (tmp_path / "kernels.json").write_text(text)
    with torch.no_grad():
        expected = torch.nn.functional.conv2d(
            given, layer.weight, layer.bias, (2, 3), layer.padding, layer.dilation, layer.groups
        )[0]
    np.testing.assert_allclose(maps(browser), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(by_commands(shown(browser, "command")), expected, rtol=0, atol=1e-5)
    # The program reads what the first command stored.
    scope = {}
    exec(shown(browser, "code"), scope)
    np.testing.assert_allclose(scope["maps"][0].detach(), expected, rtol=0, atol=1e-5)
