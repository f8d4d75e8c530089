"""The page by fingers, by a trackpad and by keys."""

import numpy as np
import pytest

pytest.importorskip("selenium.webdriver")
import test_explore_browser as basic
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_explore_browser import settle, shown

pytestmark = basic.pytestmark
browser, opened = basic.browser, basic.opened
# Its maps of 3x3 have 32 x 40 values.
LARGE = np.random.default_rng(2).random((3, 34, 42), np.float32)


@pytest.fixture
def picture(opened):
    """Open the page of a larger picture, the map in the middle of the screen."""
    browser = opened(x=LARGE)
    centred(browser)
    return browser


def centred(browser):
    browser.execute_script("document.getElementById('mapCanvas').scrollIntoView({block: 'center'})")


def box(browser):
    return browser.execute_script(
        "const { left, top, width, height } = document.getElementById('mapCanvas').getBoundingClientRect();"
        "return { left, top, width, height }"
    )


def seen(browser):
    return browser.execute_script("return convviz.seen()")


def pinned(browser):
    found = browser.execute_script("return convviz.store.now().pinned")
    return found and (found["kind"], *found["place"])


def touch(browser, kind, *points):
    places = [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})


def test_two_fingers_zoom_about_their_middle(picture):
    """Twice as far apart is twice as large; the value between the fingers stays there."""
    browser = picture
    place, before = box(browser), seen(browser)
    x, y = place["left"] + place["width"] * 0.6, place["top"] + place["height"] * 0.5
    value = before["left"] + (x - place["left"]) / before["scale"]
    touch(browser, "touchStart", (x - 30, y), (x + 30, y))
    for apart in (40, 50, 60):
        touch(browser, "touchMove", (x - apart, y), (x + apart, y))
    touch(browser, "touchEnd")
    after, place = seen(browser), box(browser)
    assert after["scale"] == pytest.approx(2 * before["scale"], rel=0.02)
    assert after["left"] + (x - place["left"]) / after["scale"] == pytest.approx(value, abs=0.5)
    # Nothing was tapped, and the browser itself did not zoom.
    assert pinned(browser) is None
    assert browser.execute_script("return window.visualViewport.scale") == 1


def test_a_finger_moves_what_is_zoomed_and_else_scrolls(picture):
    browser = picture
    action = "return getComputedStyle(document.getElementById('mapCanvas')).touchAction"
    assert browser.execute_script(action) == "pan-y"
    browser.execute_script(
        "convviz.store.pin({ kind: 'output', place: [16, 20] });document.getElementById('zoomIn').click()"
    )
    assert browser.execute_script(action) == "none"
    centred(browser)
    place, before = box(browser), seen(browser)
    x, y = place["left"] + place["width"] / 2, place["top"] + place["height"] / 2
    touch(browser, "touchStart", (x, y))
    for step in (20, 40, 60):
        touch(browser, "touchMove", (x - step, y - step))
    touch(browser, "touchEnd")
    after = seen(browser)
    cells = 60 / before["scale"]
    assert after["left"] - before["left"] == pytest.approx(cells, abs=0.6)
    assert after["top"] - before["top"] == pytest.approx(cells, abs=0.6)


def test_a_tap_pins(picture):
    browser = picture
    place, scale = box(browser), seen(browser)["scale"]
    x, y = place["left"] + 5.5 * scale, place["top"] + 3.5 * scale
    touch(browser, "touchStart", (x, y))
    touch(browser, "touchEnd")
    settle(browser)
    assert pinned(browser) == ("output", 3, 5)


def wheel(browser, delta, x, y):
    browser.execute_script(
        "const [deltaY, clientX, clientY] = arguments;"
        "const given = { deltaY, clientX, clientY, ctrlKey: true, cancelable: true };"
        "document.getElementById('mapCanvas').dispatchEvent(new WheelEvent('wheel', given))",
        delta,
        x,
        y,
    )


def test_a_pinch_on_a_trackpad_zooms_as_far_as_the_fingers_go(picture):
    """A trackpad sends many small steps: twenty of 2 pixels zoom by 2 to the power of 0.4."""
    browser = picture
    place = box(browser)
    x, y = place["left"] + place["width"] * 0.4, place["top"] + place["height"] * 0.5
    # First the picture fills its room.
    for _ in range(4):
        wheel(browser, -30, x, y)
    place, before = box(browser), seen(browser)
    value = before["left"] + (x - place["left"]) / before["scale"]
    for _ in range(20):
        wheel(browser, -2, x, y)
    after, place = seen(browser), box(browser)
    assert after["scale"] / before["scale"] == pytest.approx(2**0.4, rel=1e-6)
    assert after["left"] + (x - place["left"]) / after["scale"] == pytest.approx(value, abs=0.5)
    for _ in range(20):
        wheel(browser, 2, x, y)
    assert seen(browser)["scale"] == pytest.approx(before["scale"])
    # A notch of a mouse.
    wheel(browser, -120, x, y)
    assert 1.4 < seen(browser)["scale"] / before["scale"] < 1.6


def test_every_value_of_a_map_is_a_few_keys_away(picture):
    browser = picture
    canvas = browser.find_element(By.ID, "mapCanvas")
    shift, control = (
        lambda key: ActionChains(browser).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform(),
        lambda key: (
            ActionChains(browser).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()
        ),
    )
    canvas.send_keys(Keys.CONTROL, Keys.HOME)
    assert pinned(browser) == ("output", 0, 0)
    for press, key, place in (
        (canvas.send_keys, Keys.ARROW_DOWN, (1, 0)),
        (shift, Keys.ARROW_RIGHT, (1, 10)),
        (shift, Keys.ARROW_DOWN, (11, 10)),
        (canvas.send_keys, Keys.END, (11, 39)),
        (canvas.send_keys, Keys.PAGE_DOWN, (31, 39)),
        (canvas.send_keys, Keys.HOME, (31, 0)),
        (shift, Keys.ARROW_UP, (21, 0)),
        (control, Keys.END, (31, 39)),
        (canvas.send_keys, Keys.PAGE_UP, (0, 39)),
    ):
        press(key)
        assert pinned(browser) == ("output", *place), place
    canvas.send_keys("g")
    field = browser.switch_to.active_element
    assert field.get_attribute("id") == "goTo"
    field.send_keys("17, 23", Keys.ENTER)
    assert pinned(browser) == ("output", 17, 23)
    assert browser.switch_to.active_element.get_attribute("id") == "mapCanvas"
    browser.switch_to.active_element.send_keys("g")
    field.send_keys("32, 0", Keys.ENTER)
    assert "a row from 0 to 31 and a column from 0 to 39" in shown(browser, "why")
    assert pinned(browser) == ("output", 17, 23)
    field.send_keys(Keys.ESCAPE)
    assert shown(browser, "why") == ""


def test_every_pixel_is_a_few_keys_away(picture):
    browser = picture
    canvas = browser.find_element(By.ID, "inputCanvas")
    canvas.send_keys(Keys.ARROW_RIGHT)
    assert pinned(browser) == ("input", 0, 0)
    canvas.send_keys(Keys.END)
    assert pinned(browser) == ("input", 0, 41)
    canvas.send_keys("g")
    browser.switch_to.active_element.send_keys("33 7", Keys.ENTER)
    assert pinned(browser) == ("input", 33, 7)
    assert browser.switch_to.active_element.get_attribute("id") == "inputCanvas"


def test_every_weight_is_a_few_keys_away(picture):
    browser = picture

    def place():
        return browser.switch_to.active_element.get_attribute("data-place")

    browser.find_element(By.CSS_SELECTOR, '[data-place="0,0,0"]').click()
    for key, expected in (
        (Keys.ARROW_DOWN, "0,1,0"),
        (Keys.ARROW_RIGHT, "0,1,1"),
        (Keys.PAGE_DOWN, "1,1,1"),
        (Keys.PAGE_DOWN, "2,1,1"),
        (Keys.END, "2,1,2"),
        (Keys.ARROW_LEFT, "2,1,1"),
        (Keys.PAGE_UP, "1,1,1"),
    ):
        browser.switch_to.active_element.send_keys(key)
        assert place() == expected
    # In a text that is written, the arrows move the cursor.
    browser.switch_to.active_element.send_keys("25", Keys.ARROW_LEFT, "1", Keys.ENTER)
    assert place() == "1,1,1"
    settle(browser)
    assert list(browser.execute_script("return convviz.state().edits").values()) == [215]


@pytest.mark.parametrize("focus", ["body", "mapCanvas", "openDrawer"])
def test_escape_lets_go_wherever_the_focus_is(opened, focus):
    browser = opened("pin=output,2,3")
    assert pinned(browser) == ("output", 2, 3)
    element = (
        browser.find_element(By.TAG_NAME, "body") if focus == "body" else browser.find_element(By.ID, focus)
    )
    element.send_keys(Keys.ESCAPE)
    assert pinned(browser) is None


def test_less_motion_is_respected(opened):
    browser = opened()
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    moving = browser.execute_script(
        "document.body.style.transition = 'opacity 1s';"
        "const { transitionProperty, animationName } = getComputedStyle(document.body);"
        "return [transitionProperty, animationName]"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert moving == ["none", "none"]
