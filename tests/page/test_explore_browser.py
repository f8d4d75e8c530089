"""The page of ``convviz explore`` in a browser: pointed at, typed into, given pictures, by keys alone."""

import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import npm
import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz.cli.app import status_of
from convviz.compute import filters, weights
from convviz.compute.networks import filling, stack
from convviz.files.checkpoints import read_checkpoint
from convviz.images import decode, picture
from convviz.images.picture import Picture
from convviz.page import page
from convviz.results import feature_maps
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.settings import LayerSettings
from convviz.spec.stacks import find_net, network_of, parse_layers

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

SAMPLES = Path(__file__).parents[2] / "samples"
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


def names_of(x):
    return tuple("RGB"[: len(x)]) if len(x) <= 3 else tuple(map(str, range(len(x))))


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of a layer on X; afterwards the console has no message, and nothing was asked for."""

    def show(place="", *, text="", x=X, width=1200, **chosen):
        settings = LayerSettings(**chosen)
        layer, layer_weights, _ = filters.build(settings, x.shape[0])
        path = tmp_path / "page.html"
        path.write_text(
            text
            or page.page("x.png", Picture(x, names_of(x)), layer, weights=layer_weights, settings=settings)
        )
        browser.set_window_size(width, 900)
        browser.get("about:blank")
        browser.get(f"{path.as_uri()}#{place}")
        settle(browser)
        return browser

    yield show
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    asked = browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert [name for name in asked if not name.startswith(("data:", "blob:"))] == []


@pytest.fixture
def opened_net(opened):
    """Open the page of the net that reads digits."""

    def show(place="", until=None):
        network, steps, parameters = digits(until)
        picture = decode.read(SAMPLES / "digit.png", mode="gray", resize=parsing.resize("28x28"))
        return opened(
            place,
            text=page.network_page(
                "digit.png",
                picture,
                network,
                steps=steps,
                parameters=parameters,
                command=["--net digits.toml"],
            ),
        )

    return show


def digits(until=None):
    network = find_net(str(SAMPLES / "digits.toml"))
    network = network if until is None else network.until(until)
    steps = network.sized((1, 28, 28))
    parameters, _ = filling.stored(steps, read_checkpoint(SAMPLES / "digits.safetensors"))
    return network, steps, parameters


def settle(browser):
    """Wait until what was chosen is computed and shown."""
    browser.execute_async_script("window.convviz.settled().then(arguments[0])")


def address(browser, words):
    """The address once it has these words: the page writes it a moment after the picture."""
    WebDriverWait(browser, 10).until(lambda _: words in browser.current_url)
    return browser.current_url


def shown(browser, id):
    """The text of an element, in a closed tab too."""
    settle(browser)
    return browser.find_element(By.ID, id).get_property("textContent")


# A field for each side.
UNLINKED = """
for (const one of document.querySelectorAll('.link[aria-pressed="true"]')) one.click();
"""


def open_settings(browser):
    if not browser.find_element(By.ID, "drawer").is_displayed():
        browser.find_element(By.ID, "openDrawer").click()
        browser.execute_script(UNLINKED)


def maps(browser):
    settle(browser)
    found = browser.execute_script(
        "const made = window.convviz.shown().output;"
        "return [made.height, made.width, made.channels.map((map) => Array.from(map))]"
    )
    return np.array(found[2]).reshape(-1, found[0], found[1])


def state(browser):
    return browser.execute_script("return window.convviz.state()")


def choose(browser, id, value):
    open_settings(browser)
    if id == "preset":
        browser.execute_script("document.getElementById('presetBox').open = true")
        browser.find_element(By.CSS_SELECTOR, f'[name=preset][value="{value}"]').send_keys(Keys.SPACE)
    else:
        Select(browser.find_element(By.ID, id)).select_by_value(value)


def write(browser, id, text):
    open_settings(browser)
    box = browser.find_element(By.ID, id)
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(text, Keys.TAB)


def at(browser, id, y, x, size):
    """Move the pointer to the middle of a cell."""
    place = (By.CSS_SELECTOR, "figure.channel canvas") if id == "channel canvas" else (By.ID, id)
    canvas = browser.find_element(*place)
    box = canvas.rect
    ActionChains(browser).move_to_element_with_offset(
        canvas,
        round((x + 0.5) / size[1] * box["width"] - box["width"] / 2),
        round((y + 0.5) / size[0] * box["height"] - box["height"] / 2),
    ).perform()


def test_pointing_shows_the_products_and_a_click_pins(opened):
    browser = opened()
    expected = feature_maps.run(X, convviz.Conv2d(3, 6, 3)).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    at(browser, "mapCanvas", 2, 4, (7, 6))
    text = shown(browser, "told")
    assert "map 0 at 2,4" in text
    assert float(text.rpartition("= ")[2]) == pytest.approx(float(expected[0, 2, 4]), rel=1e-3, abs=1e-4)
    ActionChains(browser).click().perform()
    assert shown(browser, "told").endswith(" (pinned)")
    # Another output is a preview; the pinned one returns when the pointer leaves.
    at(browser, "mapCanvas", 5, 1, (7, 6))
    assert "map 0 at 5,1" in shown(browser, "told")
    ActionChains(browser).move_to_element(browser.find_element(By.ID, "told")).perform()
    assert "map 0 at 2,4" in shown(browser, "told")
    address(browser, "pin=output,2,4")


def test_an_input_pixel_tells_which_outputs_it_feeds(opened):
    """With a border that mirrors, the pixels beside the edge are read more than once."""
    browser = opened("padTop=1&padLeft=1&mode=reflect")
    # The picture is drawn with its padding, one row above and one column before.
    at(browser, "channel canvas", 2, 2, (10, 9))
    # Rows 0 to 2 and columns 0 to 2 have a window with the pixel; window 0 meets it as border too.
    told = shown(browser, "told")
    assert told.startswith(f"input at 1,1: R {float(X[0, 1, 1]):.4g}")
    assert "feeds 16 outputs: 0,0 by weight 0,0; 0,0 by weight 0,2" in told


def test_a_weight_tells_what_it_multiplies(opened):
    browser = opened()
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="1,2,0"]')
    ActionChains(browser).move_to_element(box).perform()
    weight = weights.seeded(convviz.Conv2d(3, 6, 3)).weight[0, 1, 2, 0]
    told = shown(browser, "told")
    assert told.startswith(f"weight {weight:.4g} at row 2, column 0: here ")
    assert told.endswith("it multiplies one pixel of every window, 42 in all")
    # The weight and its product.
    assert len(browser.find_elements(By.CSS_SELECTOR, "td.lit")) == 2


def test_a_weight_can_be_typed(opened):
    browser = opened()
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="1,0,2"]')
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("2.5", Keys.TAB)
    layer_weights = weights.seeded(convviz.Conv2d(3, 6, 3))
    weight = layer_weights.weight.copy()
    weight[0, 1, 0, 2] = 2.5
    expected = feature_maps.run(X, convviz.Conv2d(3, 6, 3), (weight, layer_weights.bias)).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="1,0,2"]')
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("two", Keys.TAB)
    assert "a weight is a number, not 'two'" in shown(browser, "why")
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)


@pytest.mark.parametrize("flip", [False, True])
def test_typed_kernels_can_be_saved_for_the_command(opened, tmp_path, flip):
    """The command of the page makes the maps of the page, with the file that the page saves."""
    browser = opened("preset=sobel-x&outChannels=2&padTop=1" + ("&flip=1" if flip else ""))
    browser.find_element(By.ID, "commandTab").click()
    assert not browser.find_element(By.ID, "saveKernels").is_displayed()
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="2,0,1"]')
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("0.3", Keys.TAB)
    settle(browser)
    address(browser, "edits=0:")
    command = shlex.split(shown(browser, "command"))
    assert browser.find_element(By.ID, "saveKernels").is_displayed()
    text = browser.execute_script("const s = convviz.shown(); return Words.kernels(s.conv, s.weights, 3)")
    (tmp_path / "kernels.json").write_text(text)
    np.save(tmp_path / "x.npy", X)
    command[2] = "x.npy"
    run = [sys.executable, "-m", *command, "--save", "maps.npz", "--quiet"]
    subprocess.run(run, cwd=tmp_path, check=True, timeout=120)
    with np.load(tmp_path / "maps.npz") as stored:
        assert stored["weight"][0, 2, 0, 1] == np.float32(0.3)
        np.testing.assert_allclose(maps(browser), stored["maps"], atol=1e-6)


def test_fast_typing_loses_nothing(opened):
    """What is typed in the next cell stays while the maps of the last one are computed."""
    browser = opened(x=np.zeros((3, 200, 200), np.float32))
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="0,0,0"]')
    box.send_keys(Keys.CONTROL, "a")
    keys = ActionChains(browser)
    for value in "12345":
        keys = keys.send_keys(value, Keys.TAB)
    keys.perform()
    settle(browser)
    assert sorted(state(browser)["edits"].values()) == [1, 2, 3, 4, 5]


def test_settings_are_taken_where_they_are_legal(opened):
    browser = opened()
    write(browser, "strideH", "2")
    write(browser, "padTop", "1")
    choose(browser, "mode", "reflect")
    layer = convviz.Conv2d(3, 6, 3, (2, 1), ((1, 0), (0, 0)), padding_mode="reflect")
    expected = feature_maps.run(X, layer, weights.seeded(convviz.Conv2d(3, 6, 3))).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    assert "-s 2x1 -p 1,0,0,0 --padding-mode reflect" in shown(browser, "command")
    assert "floor((9 + 1 + 0 - 1*(3 - 1) - 1) / 2) + 1" in shown(browser, "shape")
    before = state(browser)
    for id, text, words in (
        ("groups", "2", "valid values: 1, 3."),
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


def field_of_the_message(browser):
    """The field that is marked as wrong, below which the message stands."""
    settle(browser)
    return browser.execute_script(
        "return document.getElementById('why').previousElementSibling.querySelector('[aria-invalid]')?.id"
    )


def test_a_padding_that_no_machine_can_hold_is_refused_at_its_field(opened):
    browser = opened()
    before = maps(browser)
    write(browser, "padTop", "1000000")
    assert "1000007x6, but a browser draws at most 32767 pixels along a side" in shown(browser, "why")
    assert field_of_the_message(browser) == "padTop"
    np.testing.assert_array_equal(maps(browser), before)
    write(browser, "padTop", "1")
    assert shown(browser, "why") == ""
    assert maps(browser).shape == (6, 8, 6)


@pytest.mark.parametrize(
    ("thrown", "words"),
    [
        ("new Float32Array(-1)", "this browser does not have the memory for these maps"),
        ("null.channels", "Cannot read properties of null"),
    ],
    ids=["memory", "a fault of the page"],
)
def test_an_error_of_a_worker_is_told_and_the_page_goes_on(opened, thrown, words):
    """A stride of 3 is what the worker cannot do."""
    start = "const { height, width, channels } = picture;\n    const [h, w] = outputSize"
    layer, layer_weights, _ = filters.build(LayerSettings(), 3)
    text = page.page(
        "x.png", Picture(X, tuple("RGB")), layer, weights=layer_weights, settings=LayerSettings()
    )
    assert text.count(start) == 1
    text = text.replace(start, f"if (layer.stride[0] === 3) {thrown};\n    {start}")
    browser = opened(text=text)
    before = maps(browser)
    write(browser, "strideH", "3")
    assert shown(browser, "why").startswith("Not computed: ")
    assert words in shown(browser, "why")
    assert field_of_the_message(browser) == "strideH"
    assert state(browser)["strideH"] == 1
    np.testing.assert_array_equal(maps(browser), before)
    write(browser, "strideH", "2")
    assert shown(browser, "why") == ""
    expected = feature_maps.run(X, convviz.Conv2d(3, 6, 3, (2, 1)), weights.seeded(layer)).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)


def test_a_net_may_have_layers_with_the_names_of_every_object(opened):
    layers = [
        {"name": name, "type": "Conv2d", "out_channels": 1, "kernel_size": 1}
        for name in ("__proto__", "constructor", "toString")
    ]
    network = network_of({"layer": layers}, "here")
    steps = network.sized(X.shape)
    parameters = filling.seeded(steps, 1)
    browser = opened(
        text=page.network_page("x.png", Picture(X, tuple("RGB")), network, steps=steps, parameters=parameters)
    )
    expected = stack.run_net(network, X, parameters)
    for index, name in enumerate(expected):
        browser.find_elements(By.CSS_SELECTOR, "#layers button")[index].click()
        assert shown(browser, "sentence").startswith(f"{name}: ")
        np.testing.assert_allclose(maps(browser), expected[name], atol=1e-6)


def test_a_copied_address_shows_the_same(opened):
    browser = opened()
    write(browser, "kernelW", "5")
    choose(browser, "preset", "sobel-x")
    write(browser, "strideW", "2")
    settle(browser)
    link, before, values = address(browser, "strideW=2"), state(browser), maps(browser)
    browser.get("about:blank")
    browser.get(link)
    assert state(browser) == before
    np.testing.assert_array_equal(maps(browser), values)


def test_another_picture_can_be_chosen(opened, tmp_path, monkeypatch):
    """And the command of the page is one for that picture."""
    monkeypatch.chdir(tmp_path)
    browser = opened()
    levels = np.random.default_rng(5).integers(0, 256, (12, 10, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "other.png")
    browser.find_element(By.ID, "upload").send_keys(str(tmp_path / "other.png"))
    WebDriverWait(browser, 10).until(lambda _: "3x12x10" in shown(browser, "sentence"))
    x = (levels.transpose(2, 0, 1) / np.float32(255)).astype(np.float32)
    np.testing.assert_allclose(maps(browser), feature_maps.run(x, convviz.Conv2d(3, 6, 3)).maps, atol=1e-6)
    _, *words = shlex.split(shown(browser, "command"))
    assert words[:2] == ["run", "other.png"]
    assert status_of([*words, "--quiet", "--save", "maps.npz"]) == 0
    with np.load("maps.npz") as stored:
        np.testing.assert_allclose(maps(browser), stored["maps"], atol=1e-6)
    open_settings(browser)
    browser.find_element(By.ID, "original").click()
    assert "3x9x8" in shown(browser, "sentence")


def test_another_picture_can_be_pasted(opened):
    browser = opened()
    browser.execute_async_script(
        """
        const done = arguments[0];
        const canvas = Object.assign(document.createElement("canvas"), { width: 7, height: 5 });
        canvas.getContext("2d").fillRect(0, 0, 3, 5);
        canvas.toBlob((blob) => {
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([blob], "x.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
          done();
        });
        """
    )
    WebDriverWait(browser, 10).until(lambda _: "3x5x7" in shown(browser, "sentence"))


def test_what_is_no_picture_is_told(opened, tmp_path):
    browser = opened()
    (tmp_path / "no.png").write_text("nothing")
    browser.find_element(By.ID, "upload").send_keys(str(tmp_path / "no.png"))
    WebDriverWait(browser, 10).until(lambda _: "cannot read this picture" in shown(browser, "why"))
    assert "3x9x8" in shown(browser, "sentence")


def test_the_map_can_be_had_as_png(opened, browser, tmp_path):
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    opened("preset=sobel-x&outChannels=1&bias=0").find_element(By.ID, "png").click()
    target = tmp_path / "map-0.png"
    WebDriverWait(browser, 10).until(lambda _: target.is_file())
    layer, layer_weights = convviz.layer_of_kernels("sobel-x")
    values = feature_maps.run(X, layer, layer_weights).maps[0]
    pixels = np.array(Image.open(target).convert("RGB"))
    assert pixels.shape == (*values.shape, 3)
    peak = np.unravel_index(np.abs(values).argmax(), values.shape)
    assert tuple(pixels[peak]) == ((230, 97, 1) if values[peak] > 0 else (94, 60, 153))


def test_the_scale_of_maps_is_chosen_and_its_ends_are_told_while_numbers_stay(opened):
    """A map of 30 x 40 values from 0 to 1199: percentile 99 lies at rank 1187.01, told in three digits."""
    x = np.arange(1200, dtype=np.float32).reshape(1, 30, 40)
    browser = opened("preset=identity&outChannels=1&bias=0&padTop=1&padBottom=1&padLeft=1&padRight=1", x=x)

    def told():
        settle(browser)
        return browser.find_element(By.CSS_SELECTOR, "#output .scale").get_attribute("aria-label")

    before = browser.execute_script("return Array.from(window.convviz.shown().output.channels[0])")
    assert told() == "scale from -1190 to 1190"
    choose(browser, "colormap", "gray")
    assert told() == "scale from 0 to 1190"
    choose(browser, "limits", "minmax")
    assert told() == "scale from 0 to 1199"
    choose(browser, "limits", "symmetric")
    assert told() == "scale from -1199 to 1199"
    assert browser.execute_script("return Array.from(window.convviz.shown().output.channels[0])") == before
    assert "map 0, 30x40: 0 to 1199" in shown(browser, "output")
    assert shown(browser, "command").endswith("--limits symmetric")
    address(browser, "limits=symmetric")


def test_maps_of_a_layer_share_their_scale_where_that_is_chosen(opened):
    """Two biases are typed: 100 and -100 lie far from the sums of a few products of at most 1."""
    place = "outChannels=2&preset=seed&edits=0:b0:100,0:b1:-100&limits=minmax&colormap=gray"
    ends = {}
    for scale in ("map", "layer"):
        browser = opened(f"{place}&scale={scale}")
        words = browser.find_element(By.CSS_SELECTOR, "#output .scale").get_attribute("aria-label").split()
        ends[scale] = (float(words[2]), float(words[4]))
    assert 90 < ends["map"][0] < ends["map"][1] < 110
    assert -110 < ends["layer"][0] < -90
    assert 90 < ends["layer"][1] < 110


def test_limits_that_signed_colours_cannot_have_are_refused(opened):
    browser = opened("limits=0,5")
    assert "limits 0,5 are not centred on 0, as the signed colours are" in shown(browser, "why")
    browser = opened("limits=0,5&colormap=gray")
    assert (
        browser.find_element(By.CSS_SELECTOR, "#output .scale").get_attribute("aria-label")
        == "scale from 0 to 5"
    )


def test_keys_alone_are_enough(opened):
    """From the top of the page by Tab to the map; arrows move from the first output, Escape lets go."""
    browser = opened()
    body = browser.find_element(By.TAG_NAME, "body")
    body.click()
    for _ in range(80):
        if browser.switch_to.active_element.get_attribute("id") == "mapCanvas":
            break
        ActionChains(browser).send_keys(Keys.TAB).perform()
    focused = browser.switch_to.active_element
    assert focused.get_attribute("id") == "mapCanvas"
    values = feature_maps.run(X, convviz.Conv2d(3, 6, 3)).maps[0]
    y, x = (int(one) for one in np.unravel_index(np.abs(values).argmax(), values.shape))
    assert f"map 0 at {y},{x}:" in shown(browser, "told")
    for key in (Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.ARROW_RIGHT):
        browser.switch_to.active_element.send_keys(key)
    to = min(y + 1, 6), max(max(x - 1, 0) - 1, 0) + 1
    assert f"map 0 at {to[0]},{to[1]}:" in shown(browser, "told")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    told = shown(browser, "told")
    assert f"map 0 at {y},{x}:" in told
    assert "pinned" not in told


def test_the_map_can_be_had_as_svg(opened):
    """A square with its number for every value, in the colour of the canvas."""
    browser = opened("preset=sobel-x&outChannels=1&bias=0")
    text = browser.execute_script("return window.convviz.svg()")
    document = ElementTree.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    assert len(document.findall(f"{name}rect")) == 7 * 6
    layer, layer_weights = convviz.layer_of_kernels("sobel-x")
    values = feature_maps.run(X, layer, layer_weights).maps[0].ravel()
    texts = [float(one.text) for one in document.findall(f"{name}text")]
    np.testing.assert_allclose(texts, values, rtol=6e-3, atol=1e-6)


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


def filled(browser):
    return browser.execute_script("return window.convviz.store.now().filled")


def test_play_slides_the_window_and_fills_the_map(opened):
    browser = opened()
    play = browser.find_element(By.ID, "play")
    play.click()
    WebDriverWait(browser, 20, 0.1).until(lambda _: filled(browser) >= 2)
    play.click()
    assert play.get_attribute("aria-pressed") == "false"
    last = filled(browser)
    assert int(browser.find_element(By.ID, "scrubber").get_property("value")) == last
    assert f"map 0 at {last // 6},{last % 6}:" in shown(browser, "told")
    # What the window has not reached is covered: the last cell has one colour, the grey of the cover.
    corner = (
        "const canvas = document.getElementById('mapCanvas');"
        "const [x, y] = [canvas.width - 3, canvas.height - 3];"
        "return Array.from(canvas.getContext('2d').getImageData(x, y, 1, 1).data)"
    )
    assert browser.execute_script(corner) == [140, 140, 140, 255]
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert filled(browser) is None
    assert browser.execute_script("return Panes.map().cover") is None


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_no_width_needs_scrolling_sideways(opened, width):
    browser = opened(width=width)
    with screen(browser, width, 800):
        wide = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1] == width


def outputs(browser):
    settle(browser)
    found = browser.execute_script(
        "return Object.fromEntries(Array.from(convviz.net().outputs,"
        " ([name, of]) => [name, of.channels.map((channel) => Array.from(channel))]))"
    )
    return {name: np.array(values) for name, values in found.items()}


def test_a_net_has_a_panel_for_each_layer(opened_net):
    browser = opened_net()
    network, steps, parameters = digits()
    picture = decode.read(SAMPLES / "digit.png", mode="gray", resize=parsing.resize("28x28"))
    expected = stack.run_net(network, picture.x, parameters)
    found = outputs(browser)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].reshape(values.shape), values, atol=1e-4)
    buttons = browser.find_elements(By.CSS_SELECTOR, "#layers button")
    assert [one.text.split()[0] for one in buttons] == [one.name for one in steps]
    for index, one in enumerate(steps):
        browser.find_elements(By.CSS_SELECTOR, "#layers button")[index].click()
        assert shown(browser, "sentence").startswith(f"{one.name}: ")
        values = expected[one.name].reshape(len(maps(browser)), -1)
        np.testing.assert_allclose(maps(browser).reshape(values.shape), values, atol=1e-4)
        # Every kind of layer says how its largest value comes about.
        told = shown(browser, "told")
        largest = float(values[0].flat[np.abs(values[0]).argmax()])
        assert float(told.rpartition("= ")[2]) == pytest.approx(largest, rel=6e-2, abs=1e-3)
    assert browser.find_element(By.CSS_SELECTOR, ".bars span").text == "7"
    # Seen whichever layer is chosen: what the net takes the picture for.
    assert buttons_text(browser)[-1].split("\n")[-1].startswith("7 (0.99")


def buttons_text(browser):
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, "#layers button")]


def test_the_program_of_a_net_makes_what_the_page_does(opened):
    network = parse_layers(
        "conv 6 k3 p1 reflect | bn | relu | dropout | conv 4 k3 same | flatten | linear 3 | softmax"
    )
    x = np.random.default_rng(2).random((3, 7, 6), np.float32)
    steps = network.sized(x.shape)
    parameters = filling.seeded(steps, 5)
    image = picture.Picture(x, ("R", "G", "B"))
    text = page.network_page(
        "x.npy", image, network, steps=steps, parameters=parameters, origin="torch.manual_seed(5)"
    )
    browser = opened(text=text)
    program = shown(browser, "code")
    found = {"x": torch.from_numpy(x)[None]}
    exec(program, found)
    made = stack.run_net(network, x, parameters)
    for name in ("conv1", "dropout1", "conv2", "softmax1"):
        np.testing.assert_allclose(found[f"{name}_out"].detach()[0], made[name], atol=1e-5)


def test_a_weight_of_a_net_can_be_typed(opened_net):
    """What follows is computed again, to the prediction."""
    browser = opened_net("at=3&map=5")
    box = browser.find_element(By.CSS_SELECTOR, '[data-place="2,1,3"]')
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("1.5", Keys.TAB)
    network, _, parameters = digits()
    parameters["conv2"]["weight"][5, 2, 1, 3] = 1.5
    picture = decode.read(SAMPLES / "digit.png", mode="gray", resize=parsing.resize("28x28"))
    expected = stack.run_net(network, picture.x, parameters)
    np.testing.assert_allclose(outputs(browser)["softmax"][0], expected["softmax"], atol=1e-4)
    address = browser.current_url
    browser.get("about:blank")
    browser.get(address)
    np.testing.assert_allclose(outputs(browser)["softmax"][0], expected["softmax"], atol=1e-4)


def test_a_net_reads_another_picture_as_it_reads_its_own(opened_net, tmp_path):
    browser = opened_net()
    levels = np.random.default_rng(5).integers(0, 256, (28, 28, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "other.png")
    open_settings(browser)
    browser.find_element(By.ID, "upload").send_keys(str(tmp_path / "other.png"))
    WebDriverWait(browser, 10).until(lambda _: browser.find_element(By.ID, "original").is_displayed())
    network, _, parameters = digits()
    picture = decode.read(tmp_path / "other.png", mode="gray")
    expected = stack.run_net(network, picture.x, parameters)
    np.testing.assert_allclose(outputs(browser)["conv2"].reshape(16, 8, 8), expected["conv2"], atol=1e-3)
    assert shown(browser, "command") == (
        "convviz run other.png --net digits.toml --mode gray --colormap signed"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("shows", ["a layer", "a net", "large kernels of many channels, and the settings"])
def test_axe_finds_nothing(opened, opened_net, pytestconfig, scheme, shows):
    if shows == "a layer":
        browser = opened("pin=output,2,2&padTop=1")
    elif shows == "a net":
        browser = opened_net("at=2&pin=output,2,2")
    else:
        x = np.random.default_rng(3).random((20, 9, 9), np.float32)
        browser = opened("pin=weight,1,2,2&channelScale=own", x=x, kernel_size=HW(7, 7))
        open_settings(browser)
    browser.execute_script("document.getElementById('filtersSection').scrollIntoView()")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    # By the debugger: the page lets no other script in.
    browser.execute_script(
        (npm.package(pytestconfig, "axe-core@4") / "axe.min.js").read_text(encoding="utf-8")
    )
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then((all) => done(all.violations), (why) => done(String(why)))"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == []


CUT = """
const inside = (one, other) => {
  const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
  return a.left >= b.left - 1 && a.right <= b.right + 1 && a.bottom <= b.bottom + 1;
};
const all = (selector) => [...document.querySelectorAll(selector)];
const cut = all("#layers .strip:not(.vector)")
  .flatMap((strip) => [...strip.children].filter((one) => !inside(one, strip)).map(() => "map"));
for (const one of all(".row td, .row td input, .row .amount, #ledger > *, .head, #biasValue"))
  if (one.scrollWidth > one.clientWidth + 1)
    cut.push(`${one.className || one.tagName} ${one.textContent || one.value}`);
for (const one of all(".row > *"))
  if (!inside(one, document.getElementById("stage"))) cut.push(`beyond the stage: ${one.className}`);
for (const row of all(".row"))
  for (const [at, one] of [...row.children].entries()) {
    const next = row.children[at + 1];
    if (!next) continue;
    const [a, b] = [one.getBoundingClientRect(), next.getBoundingClientRect()];
    const beside = a.right <= b.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
    if (a.width && b.width && !beside) cut.push(`${one.className} lies on ${next.className}`);
  }
return cut;
"""


@pytest.mark.parametrize("width", [1366, 1000, 700, 360])
def test_nothing_is_cut_and_nothing_lies_on_another(browser, opened_net, width):
    """Sixteen maps of a layer are all seen, and every number of three 5x5 kernels."""
    with screen(browser, width, 768):
        opened_net("at=3&map=5&pin=output,3,2")
        settle(browser)
        assert len(browser.find_elements(By.CSS_SELECTOR, ".products td")) == 75
        assert browser.execute_script(CUT) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width


# --- the stage


@contextmanager
def screen(browser, width, height):
    """A screen of a size, which a window of headless Chromium may not have."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


IN_VIEW = """
return ["canvas.lens", ".kernel", ".products", "figure.partial", "#mapCanvas", "#ledger .total", "#ledger"]
  .flatMap((name) => [...document.querySelectorAll(name)].map((one) => [name, one.getBoundingClientRect()]))
  .filter(([, { width, left, top, right, bottom }]) =>
    !(width > 0 && left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight))
  .map(([name, { left, top, right, bottom }]) => `${name}: ${left},${top} to ${right},${bottom}`);
"""


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)], ids=["small", "large"])
@pytest.mark.parametrize(("channels", "kernel"), [(3, 3), (3, 7), (1, 3), (64, 3), (4, 5)])
def test_window_products_and_output_are_in_view_together(browser, opened, channels, kernel, size):
    x = np.random.default_rng(1).random((channels, 40, 60), np.float32)
    with screen(browser, *size):
        opened(x=x, out_channels=channels, kernel_size=HW(kernel, kernel), padding=parsing.padding("1"))
        assert browser.execute_script(IN_VIEW) == []
        assert browser.execute_script(CUT) == []
        rows = browser.find_elements(By.CSS_SELECTOR, ".row")
        assert len(rows) == (channels if channels <= 4 else 3)


def test_the_output_of_the_largest_magnitude_is_shown_at_first(opened):
    browser = opened("map=2")
    values = feature_maps.run(X, convviz.Conv2d(3, 6, 3)).maps[2]
    assert tuple(browser.execute_script("return window.convviz.focus()")) == np.unravel_index(
        np.abs(values).argmax(), values.shape
    )
    assert f"map 2 at {','.join(map(str, browser.execute_script('return window.convviz.focus()')))}" in shown(
        browser, "ledger"
    )


def numbers(browser, selector):
    """The numbers of each row of the stage."""
    settle(browser)
    return browser.execute_script(
        "return [...document.querySelectorAll('.row')].map((row) =>"
        " [...row.querySelectorAll(arguments[0])]"
        ".map((one) => Number(one.dataset.value || one.title || one.textContent)))",
        selector,
    )


def test_the_products_of_the_asymmetric_layer_add_up_to_the_value_of_torch(opened):
    """Kernel 3x5, stride 2x1, dilation 1x2, padding 1,0,2,1, two groups: filter 4 reads channels 2 and 3."""
    x = np.random.default_rng(4).integers(-9, 9, (4, 9, 11)).astype(np.float32)
    browser = opened(
        "map=4&pin=output,0,5",
        x=x,
        out_channels=6,
        kernel_size=HW(3, 5),
        stride=HW(2, 1),
        dilation=HW(1, 2),
        padding=parsing.padding("1,0,2,1"),
        groups=2,
    )
    torch.manual_seed(0)
    module = torch.nn.Conv2d(4, 6, (3, 5), (2, 1), 0, (1, 2), groups=2)
    padded = torch.nn.functional.pad(torch.from_numpy(x)[None], (2, 1, 1, 0))
    expected = float(module(padded)[0, 4, 0, 5].detach())
    weight, bias = module.weight.detach().numpy()[4], float(module.bias.detach()[4])
    products = numbers(browser, ".products td")
    for at, channel in enumerate((2, 3)):
        # The window begins at row 0 * 2 - 1 and column 5 * 1 - 2 of the input: 0 and 5 of the padded one.
        window = padded.numpy()[0, channel, 0:3, 5:14:2]
        np.testing.assert_allclose(
            np.array(products[at]).reshape(3, 5), window * weight[at], rtol=1e-5, atol=1e-7
        )
        np.testing.assert_allclose(
            np.array(numbers(browser, ".kernel input")[at]), weight[at].ravel(), rtol=1e-6
        )
        (partial,) = numbers(browser, ".partial .amount")[at]
        assert partial == pytest.approx(float((window * weight[at]).sum()), rel=1e-3, abs=1e-3)
    total = float(browser.find_element(By.CSS_SELECTOR, "#ledger .total .amount").text)
    assert total == pytest.approx(expected, rel=1e-3)
    # All terms have four digits, the bias in its field too.
    written = browser.find_element(By.ID, "biasValue").get_property("value")
    assert float(written) == float(f"{bias:.4g}")
    assert total == pytest.approx(
        sum(one for (one,) in numbers(browser, ".partial .amount")) + bias, rel=2e-3
    )


def test_channels_without_a_row_add_up_with_those_that_have_one(opened):
    x = np.random.default_rng(6).normal(size=(64, 7, 7)).astype(np.float32)
    browser = opened(x=x, out_channels=2)
    tiles = browser.find_elements(By.CSS_SELECTOR, "#tiles button")
    assert len(tiles) == 61
    amounts = [
        one.text or one.get_property("value")
        for one in browser.find_elements(By.CSS_SELECTOR, "#ledger .amount, #ledger input")
    ]
    *terms, total = map(float, amounts)
    assert sum(terms) == pytest.approx(total, abs=2e-3)
    value = float(
        feature_maps.run(x, convviz.Conv2d(64, 2, 3)).maps[0][
            tuple(browser.execute_script("return window.convviz.focus()"))
        ]
    )
    assert total == pytest.approx(value, rel=1e-3)
    name = tiles[7].get_attribute("aria-label").removeprefix("show the ").removesuffix(" in full")
    tiles[7].click()
    names = [one.get_attribute("aria-label") for one in browser.find_elements(By.CSS_SELECTOR, ".row")]
    assert name in names


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_the_padding_is_drawn_with_the_values_of_its_mode(opened, mode):
    browser = opened(
        "padTop=2&padBottom=1&padLeft=1&padRight=2&mode=" + ("zeros" if mode == "constant" else mode)
    )
    padded = browser.execute_script(
        "const { conv, inputs: [{ channels, height, width }] } = window.convviz.shown();"
        "return Array.from(Convolve.padded(channels[1], height, width, conv.padding, conv.mode).values)"
    )
    expected = torch.nn.functional.pad(torch.from_numpy(X)[None], (1, 2, 2, 1), mode=mode)[0, 1]
    np.testing.assert_allclose(np.array(padded).reshape(12, 11), expected)
    canvas = browser.find_element(By.CSS_SELECTOR, "figure.channel canvas")
    assert canvas.size["height"] * 11 == pytest.approx(canvas.size["width"] * 12, abs=12)


def test_a_large_kernel_is_a_picture_and_names_its_largest_products(opened):
    x = np.random.default_rng(8).random((1, 12, 12), np.float32)
    browser = opened(x=x, out_channels=1, kernel_size=HW(7, 7))
    assert browser.find_elements(By.CSS_SELECTOR, ".products td") == []
    y, x0 = browser.execute_script("return window.convviz.focus()")
    products = x[0, y : y + 7, x0 : x0 + 7] * weights.seeded(convviz.Conv2d(1, 1, 7)).weight[0, 0]
    largest = np.unravel_index(np.abs(products).argmax(), products.shape)
    text = browser.find_element(By.CSS_SELECTOR, ".named div").text
    assert text == f"{products[largest]:.3g} at {largest[0]},{largest[1]}"
    # One field for the weight that is looked at: typed, it is one of the kernel.
    box = browser.find_element(By.CSS_SELECTOR, ".one input")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("3", Keys.TAB)
    settle(browser)
    assert list(state(browser)["edits"].values()) == [3]


def test_a_pass_over_a_map_of_any_size_takes_at_most_15_seconds(opened):
    browser = opened()
    for count in (1, 42, 300, 262_144):
        pace = browser.execute_script(f"return Play.pace({count}, 1)")
        assert pace["tick"] >= 50
        steps = -(-count // pace["outputs"])
        assert steps * pace["tick"] <= 15_000 * 1.02 + 50


def test_the_window_steps_for_those_who_asked_for_less_motion(browser, opened):
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        opened()
        play = browser.find_element(By.ID, "play")
        assert play.text == "Step"
        for at in (0, 1, 2):
            play.click()
            assert filled(browser) == at
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_matrix_has_a_kernel_for_each_filter_and_channel_and_moves_the_stage(opened):
    """Two groups of two channels: each of the four filters reads two, and the other cells are blank."""
    x = np.random.default_rng(2).random((4, 6, 6), np.float32)
    browser = opened(x=x, out_channels=4, groups=2)
    section = browser.find_element(By.ID, "filtersSection")
    browser.execute_script("arguments[0].scrollIntoView()", section)
    WebDriverWait(browser, 10).until(lambda _: section.find_elements(By.CSS_SELECTOR, "tbody tr"))
    rows = browser.find_elements(By.CSS_SELECTOR, "#filters tbody tr")
    assert (
        shown(browser, "filtersHead")
        == "4 filters x 2 channels = 8 kernels -> 4 maps (each filter reads 2 channels of its group)"
    )
    blank = [
        ["none" in cell.get_attribute("class") for cell in row.find_elements(By.TAG_NAME, "td")[:4]]
        for row in rows
    ]
    assert blank == [[False, False, True, True]] * 2 + [[True, True, False, False]] * 2
    rows[3].click()
    settle(browser)
    assert state(browser)["map"] == 3
    assert "map 3 at" in shown(browser, "told")


def test_the_page_says_that_it_computes_until_it_has():
    """What stands there before any script has run."""
    text = page.page(
        "x.png",
        Picture(X, ("R", "G", "B")),
        convviz.Conv2d(3, 1, 3),
        weights=convviz.seeded(convviz.Conv2d(3, 1, 3)),
        settings=LayerSettings(),
    )
    assert '<p id="sentence" role="status" aria-live="polite">computing…</p>' in text
