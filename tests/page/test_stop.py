"""Long computations of the page in a browser: how far they are, and how they end."""

import numpy as np
import pytest

import convviz
from convviz.page import page
from convviz.results import feature_maps

pytest.importorskip("selenium.webdriver")
import test_explore_browser as basic
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from test_explore_browser import maps, settle, shown, state

pytestmark = basic.pytestmark
browser, opened = basic.browser, basic.opened
# Longer than any test waits, and than a page allows: 64 maps, each of 340x340 sums of 3x61x61 products.
LARGE = np.zeros((3, 400, 400), np.float32)
LONG = "convviz.store.change({ outChannels: 64, kernelH: 61, kernelW: 61 })"
# One map is shown, nothing is asked of the workers, and the others are not computed yet.
STOP_BETWEEN = """
convviz.store.subscribe((now, before) => {
  if (now.shown !== before.shown && !now.small) document.getElementById("stop").click();
});
"""
COVERED = """
const box = document.getElementById("progress").getBoundingClientRect();
return [...document.querySelectorAll("header button, header h1, header select")].filter((one) => {
  const place = one.getBoundingClientRect();
  const across = place.right > box.left && place.left < box.right;
  return place.width && across && place.bottom > box.top && place.top < box.bottom;
}).map((one) => one.textContent);
"""
# Timers of the bar, which do not run, so that a busy machine shows none.
TIMERS = """
window.waits = [];
const [begin, end] = [window.setTimeout, window.clearTimeout];
window.setTimeout = (call, after) => (after === 300 ? -waits.push({ ended: false }) : begin(call, after));
window.clearTimeout = (timer) => (timer < 0 ? (waits[-timer - 1].ended = true) : end(timer));
"""


def test_a_long_computation_tells_how_far_it_is_and_can_be_stopped(opened, monkeypatch):
    monkeypatch.setattr(page, "MOST_MACS_ALONE", 1 << 40)
    browser = opened(x=LARGE)
    before = state(browser)
    browser.execute_script(LONG)
    progress = browser.find_element(By.ID, "progress")
    WebDriverWait(browser, 20, 0.05).until(lambda _: progress.is_displayed())
    bar = progress.find_element(By.TAG_NAME, "progress")
    WebDriverWait(browser, 20, 0.05).until(lambda _: 0 < bar.get_property("value") < 1)
    # Neither at this width nor on a telephone does it cover the buttons of the page.
    for width in (1200, 500):
        browser.set_window_size(width, 900)
        assert browser.execute_script(COVERED) == []
    browser.find_element(By.ID, "stop").click()
    assert shown(browser, "why") == "Not computed: it was stopped."
    assert not progress.is_displayed()
    assert state(browser) == before
    # The page goes on.
    browser.execute_script("convviz.store.change({ strideH: 2 })")
    assert maps(browser).shape == (6, 199, 398)
    assert shown(browser, "why") == ""


def test_a_computation_can_be_stopped_between_its_first_map_and_the_others(opened):
    browser = opened()
    before = state(browser)
    browser.execute_script(STOP_BETWEEN)
    browser.execute_script("convviz.store.change({ strideH: 2, scale: 'map' })")
    assert shown(browser, "why") == "Not computed: it was stopped."
    assert state(browser) == before


def test_a_short_computation_shows_no_bar(opened):
    """The bar waits for 300 ms, and what is done by then ends its waiting."""
    browser = opened()
    browser.execute_script(TIMERS)
    browser.execute_script("convviz.store.change({ strideH: 2 })")
    layer = convviz.Conv2d(3, 6, 3, (2, 1))
    np.testing.assert_allclose(maps(browser), feature_maps.run(basic.X, layer).maps, atol=1e-6)
    settle(browser)
    assert browser.execute_script("return window.waits") == [{"ended": True}]
    assert not browser.find_element(By.ID, "progress").is_displayed()
