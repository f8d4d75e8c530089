"""The tour of the page in a browser: six steps on the numbers that sum to 18."""

import numpy as np
import pytest

import convviz
from convviz.results import feature_maps

pytest.importorskip("selenium.webdriver")
import test_explore_browser as basic
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_drawer import axe, coloured, narrow
from test_explore_browser import X, maps, settle, state

pytestmark = basic.pytestmark
browser, opened, opened_net = basic.browser, basic.opened, basic.opened_net
STEPS = range(1, 7)


def said(browser):
    settle(browser)
    return browser.find_element(By.ID, "tourTitle").text


@pytest.mark.parametrize(
    ("step", "map_", "expected"),
    [
        *((step, 0, [[18]]) for step in (1, 2, 3, 4)),
        # The middle column: 3 of R, 3 of G, none of B.
        (5, 1, [[6]]),
        # A corner has 4 ones of R, 2 of G (its column), 2 of B.
        (6, 0, [[8, 8], [8, 8]]),
    ],
)
def test_every_step_is_a_link_to_its_numbers(opened, step, map_, expected):
    browser = opened(f"tour={step}")
    assert said(browser).startswith(f"{step} of 6: ")
    np.testing.assert_array_equal(maps(browser)[map_], expected)
    assert state(browser)["map"] == map_
    basic.address(browser, f"#tour={step}")
    (current,) = browser.find_elements(By.CSS_SELECTOR, "#tourSteps [aria-current]")
    assert current.text == str(step)


def test_the_tour_goes_on_and_back_and_ends_where_it_began(opened):
    browser = opened("preset=sobel-x&padTop=1")
    before, address = state(browser), browser.current_url
    browser.find_element(By.ID, "openTour").click()
    for step in STEPS:
        assert said(browser).startswith(f"{step} of 6: ")
        browser.find_element(By.ID, "tourNext").click()
    settle(browser)
    assert not browser.find_element(By.ID, "tour").is_displayed()
    assert state(browser) == before
    assert basic.address(browser, address) == address
    layer, weights = convviz.layer_of_kernels("sobel-x")
    assert maps(browser).shape == (6, 8, 6)
    np.testing.assert_allclose(maps(browser)[0][1:], feature_maps.run(X, layer, weights).maps[0], atol=1e-5)
    browser.find_element(By.ID, "openTour").click()
    browser.find_element(By.CSS_SELECTOR, '#tourSteps [href="#tour=4"]').click()
    assert said(browser).startswith("4 of 6: ")
    browser.back()
    assert said(browser).startswith("1 of 6: ")


@pytest.mark.parametrize("how", ["button", "escape", "address"])
def test_the_tour_can_be_left_at_any_time(opened, how):
    browser = opened("tour=3")
    if how == "button":
        browser.find_element(By.ID, "leaveTour").click()
    elif how == "escape":
        browser.find_element(By.ID, "tourNext").send_keys(Keys.ESCAPE)
    else:
        browser.execute_script("location.hash = 'strideH=2'")
    settle(browser)
    assert not browser.find_element(By.ID, "tour").is_displayed()
    assert browser.find_elements(By.CSS_SELECTOR, ".toured") == []
    assert maps(browser).shape == ((6, 4, 6) if how == "address" else (6, 7, 6))


def test_what_is_changed_in_the_tour_has_an_address_of_its_own(opened):
    browser = opened("tour=1")
    browser.execute_script("convviz.store.change({ padTop: 1 })")
    settle(browser)
    address = basic.address(browser, "padTop=1")
    # Without the numbers, which the address cannot hold, but with the settings.
    browser.get("about:blank")
    browser.get(address)
    settle(browser)
    assert state(browser)["padTop"] == 1


def test_a_page_that_is_made_for_the_tour_begins_with_it(opened):
    x = np.array([[[1, 1, 1]] * 3, [[0, 1, 0]] * 3, [[1, 0, 1]] * 3], np.float32)
    layer, weights, _ = basic.filters.build(basic.LayerSettings(), 3)
    text = basic.page.page(
        "classic.json",
        basic.Picture(x, tuple("RGB")),
        layer,
        weights=weights,
        settings=basic.LayerSettings(),
        tour=True,
    )
    browser = opened(text=text)
    assert said(browser).startswith("1 of 6: ")
    basic.address(browser, "#tour=1")
    browser.find_element(By.ID, "leaveTour").click()
    assert maps(browser).shape == (6, 1, 1)


def test_a_network_has_no_tour(opened_net):
    browser = opened_net("tour=2")
    assert not browser.find_element(By.ID, "openTour").is_displayed()
    assert not browser.find_element(By.ID, "tour").is_displayed()


IN_VIEW = """
const upper = document.getElementById("tour").getBoundingClientRect().bottom;
return [...document.querySelectorAll(".toured")].map((one) => {
  const { top, bottom } = one.getBoundingClientRect();
  return [Math.ceil(top), Math.floor(bottom), Math.floor(upper)];
});
"""


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (360, 740)])
def test_what_a_step_is_about_is_framed_and_in_view(opened, width, height):
    """Nothing of it is behind the text, or below the screen."""
    browser = opened("tour=1")
    narrow(browser, width, height)
    for step in STEPS:
        browser.execute_script(f"location.hash = 'tour={step}'")
        assert said(browser).startswith(str(step))
        found = browser.execute_script(IN_VIEW)
        assert found, step
        top, text = min(one[0] for one in found), found[0][2]
        assert text <= top < height, (step, found)
        if width > 1000:
            assert max(one[1] for one in found) <= height, (step, found)
        sideways = browser.execute_script("return document.documentElement.scrollWidth")
        assert sideways <= width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_tour(opened, pytestconfig, scheme):
    browser = opened("tour=5")
    coloured(browser, scheme)
    found = axe(browser, pytestconfig)
    coloured(browser, "")
    assert found == []
