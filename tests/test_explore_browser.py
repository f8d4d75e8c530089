"""The page of ``convviz explore`` in a browser: pointed at, typed into, given pictures, by keys alone."""

import shutil
import subprocess
import tarfile
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import convviz
from convviz import explore, pipeline, weights
from convviz.images import Picture
from convviz.settings import LayerSettings

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="Chromium and its driver (Debian: chromium-driver) are not installed",
)

X = (np.random.default_rng(3).integers(0, 256, (3, 9, 8)) / np.float32(255)).astype(np.float32)


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of a layer on X; afterwards the console has no message, and nothing was asked for."""

    def show(place="", *, x=X, width=1200, **chosen):
        settings = LayerSettings(**chosen)
        layer, bank, _ = weights.build(settings, x.shape[0])
        path = tmp_path / "page.html"
        path.write_text(explore.page("x.png", Picture(x, tuple("RGB")), layer, bank, settings))
        browser.set_window_size(width, 900)
        browser.get("about:blank")
        browser.get(f"{path.as_uri()}#{place}")
        return browser

    yield show
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    asked = browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert [name for name in asked if not name.startswith(("data:", "blob:"))] == []


def shown(browser, id):
    return browser.find_element(By.ID, id).text


def maps(browser):
    found = browser.execute_script(
        "const made = window.convviz.values();"
        "return [made.height, made.width, made.maps.map((map) => Array.from(map))]"
    )
    return np.array(found[2]).reshape(-1, found[0], found[1])


def state(browser):
    return browser.execute_script("return window.convviz.state()")


def write(browser, id, text):
    box = browser.find_element(By.ID, id)
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(text, Keys.TAB)


def at(browser, id, y, x, size):
    """Move the pointer to the middle of a cell."""
    canvas = browser.find_element(By.ID, id)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    box = canvas.rect
    ActionChains(browser).move_to_element_with_offset(
        canvas,
        round((x + 0.5) / size[1] * box["width"] - box["width"] / 2),
        round((y + 0.5) / size[0] * box["height"] - box["height"] / 2),
    ).perform()


def test_pointing_shows_the_products_and_a_click_pins(opened):
    browser = opened()
    expected = pipeline.run(X, convviz.Conv2d(3, 6, 3)).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    at(browser, "mapCanvas", 2, 4, (7, 6))
    text = shown(browser, "value")
    assert "map 0 at 2,4" in text
    assert float(text.rpartition("= ")[2]) == pytest.approx(float(expected[0, 2, 4]), rel=1e-3, abs=1e-4)
    ActionChains(browser).click().perform()
    at(browser, "mapCanvas", 5, 1, (7, 6))
    assert "map 0 at 2,4" in shown(browser, "value")
    assert "pin=output%2C2%2C4" in browser.current_url


def test_a_weight_can_be_typed(opened):
    browser = opened()
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="1,0,2"]')
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("2.5", Keys.TAB)
    bank = weights.seeded(convviz.Conv2d(3, 6, 3))
    weight = bank.weight.copy()
    weight[0, 1, 0, 2] = 2.5
    expected = pipeline.run(X, convviz.Conv2d(3, 6, 3), (weight, bank.bias)).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="1,0,2"]')
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("two", Keys.TAB)
    assert "a weight is a number, not 'two'" in shown(browser, "why")
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)


def test_settings_are_taken_where_they_are_legal(opened):
    browser = opened()
    write(browser, "strideH", "2")
    write(browser, "padTop", "1")
    Select(browser.find_element(By.ID, "mode")).select_by_visible_text("reflect")
    layer = convviz.Conv2d(3, 6, 3, (2, 1), ((1, 0), (0, 0)), padding_mode="reflect")
    expected = pipeline.run(X, layer, weights.seeded(convviz.Conv2d(3, 6, 3))).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    assert "-s 2x1 -p 1,0,0,0 --padding-mode reflect" in shown(browser, "command")
    assert "floor((9 + 1 + 0 - 1*(3 - 1) - 1) / 2) + 1" in shown(browser, "shape")
    before = state(browser)
    for id, text, words in (
        ("groups", "2", "legal here: 1, 3."),
        ("kernelH", "30", "spans 30 pixels"),
        ("strideW", "0", "stride takes whole numbers from 1 on"),
        ("padTop", "9", "reflect padding of the height may be 8 at most"),
        ("outChannels", "", "out_channels takes whole numbers"),
    ):
        write(browser, id, text or Keys.DELETE)
        assert words in shown(browser, "why"), id
        assert state(browser) == before
        np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
        # As it was, for the next.
        write(browser, id, str(before[id]))


def test_a_copied_address_shows_the_same(opened):
    browser = opened()
    write(browser, "kernelW", "5")
    Select(browser.find_element(By.ID, "preset")).select_by_visible_text("sobel-x")
    write(browser, "strideW", "2")
    address, before, values = browser.current_url, state(browser), maps(browser)
    browser.get("about:blank")
    browser.get(address)
    assert state(browser) == before
    np.testing.assert_array_equal(maps(browser), values)


def test_another_picture_can_be_chosen(opened, tmp_path):
    browser = opened()
    levels = np.random.default_rng(5).integers(0, 256, (12, 10, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "other.png")
    browser.find_element(By.ID, "upload").send_keys(str(tmp_path / "other.png"))
    WebDriverWait(browser, 10).until(lambda _: "3x12x10" in shown(browser, "sentence"))
    x = (levels.transpose(2, 0, 1) / np.float32(255)).astype(np.float32)
    np.testing.assert_allclose(maps(browser), pipeline.run(x, convviz.Conv2d(3, 6, 3)).maps, atol=1e-6)
    browser.find_element(By.ID, "original").click()
    assert "3x9x8" in shown(browser, "sentence")


def test_keys_alone_are_enough(opened):
    """From the top of the page by Tab to the map; arrows move, Escape lets go."""
    browser = opened()
    body = browser.find_element(By.TAG_NAME, "body")
    body.click()
    for _ in range(80):
        if browser.switch_to.active_element.get_attribute("id") == "mapCanvas":
            break
        ActionChains(browser).send_keys(Keys.TAB).perform()
    focused = browser.switch_to.active_element
    assert focused.get_attribute("id") == "mapCanvas"
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_RIGHT):
        browser.switch_to.active_element.send_keys(key)
    assert "map 0 at 1,2" in shown(browser, "value")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert shown(browser, "value") == ""


def test_the_map_can_be_had_as_svg(opened):
    """A square with its number for every value, in the colour of the canvas."""
    browser = opened("preset=sobel-x&outChannels=1&bias=0")
    text = browser.execute_script("return window.convviz.svg()")
    document = ElementTree.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    assert len(document.findall(f"{name}rect")) == 7 * 6
    layer, bank = convviz.kernel_bank("sobel-x")
    values = pipeline.run(X, layer, bank).maps[0].ravel()
    numbers = [float(one.text) for one in document.findall(f"{name}text")]
    np.testing.assert_allclose(numbers, values, rtol=6e-3, atol=1e-6)


def test_a_zoomed_picture_can_be_dragged(opened):
    browser = opened()
    browser.find_element(By.ID, "zoomIn").click()
    canvas = browser.find_element(By.ID, "mapCanvas")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    before = browser.execute_script("return window.convviz.seen()")
    drag = ActionChains(browser).move_to_element(canvas).click_and_hold().move_by_offset(-60, -40)
    drag.release().perform()
    after = browser.execute_script("return window.convviz.seen()")
    assert after["left"] > before["left"]
    assert after["top"] > before["top"]
    assert "pin=" not in browser.current_url


def test_play_slides_the_window(opened):
    browser = opened()
    browser.find_element(By.ID, "play").click()
    WebDriverWait(browser, 10, 0.1).until(lambda _: "at 0,2" in shown(browser, "value"))
    browser.find_element(By.ID, "play").click()
    assert browser.find_element(By.ID, "play").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_no_width_needs_scrolling_sideways(opened, width):
    browser = opened(width=width)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
    )
    wide = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide[0] <= wide[1] == width


@pytest.fixture(scope="module")
def axe(request):
    """The rules of axe-core, fetched once from npm and kept."""
    kept = request.config.cache.mkdir("axe-core")
    script = kept / "package" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm, which fetches axe-core, is not installed")
        try:
            command = [npm, "pack", "--silent", "axe-core@4"]
            subprocess.run(command, cwd=kept, check=True, capture_output=True, timeout=120)
        except (subprocess.SubprocessError, OSError):
            pytest.skip("axe-core cannot be had here")
        (archive,) = kept.glob("axe-core-*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(kept, filter="data")
        archive.unlink()
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened, axe, scheme):
    browser = opened("pin=output,2,2")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    # By the debugger: the page lets no other script in.
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then((all) => done(all.violations), (why) => done(String(why)))"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == []
