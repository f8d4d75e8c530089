"""The pages of networks and of notebooks in a browser."""

# ruff: noqa: F811 - the fixtures are those of the other tests in a browser

import npm
import numpy as np
import pytest
import torch
import zoo
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from test_explore_browser import (  # noqa: F401 - pytest finds fixtures and marks by their names
    SAMPLES,
    browser,
    digits,
    maps,
    opened,
    opened_net,
    outputs,
    pytestmark,
    settle,
    shown,
)

import convviz
from convviz.compute.networks import engines
from convviz.compute.networks.engine import activations
from convviz.compute.networks.sources import Opened
from convviz.images.picture import Picture
from convviz.results.network import NetworkMaps

RESNET = "layer2.0.conv1"


def page_of_resnet():
    engine = engines.of_module(zoo.network("ResNet"), "ResNet")
    x = zoo.picture()
    picture = Picture(x, tuple("RGB"))
    return engine, NetworkMaps(Opened(engine), engine.steps(x.shape), picture, {}).explore().text


def choose(browser, name):
    browser.find_element(By.XPATH, f"//*[@id='layers']//button[contains(., '{name}')]").click()
    settle(browser)


def test_a_layer_of_a_network_is_chosen_in_the_strip_and_explored_like_the_first(opened):
    engine, text = page_of_resnet()
    browser = opened(text=text)
    made = activations(engine, zoo.picture(), ["conv1", RESNET])
    np.testing.assert_allclose(maps(browser), made["conv1"].values, rtol=1e-4, atol=1e-4)
    choose(browser, RESNET)
    np.testing.assert_allclose(maps(browser), made[RESNET].values, rtol=1e-4, atol=1e-4)
    pressed = browser.find_elements(By.CSS_SELECTOR, "#layers [aria-pressed=true]")
    assert [one.text.split("\n")[0] for one in pressed] == [RESNET]
    assert shown(browser, "sentence").startswith(f"{RESNET}: ")
    # Every small map is there once it is opened.
    assert len(browser.find_elements(By.CSS_SELECTOR, "#layers button canvas")) > 20


def test_the_receptive_field_of_an_output_is_framed_in_the_picture(opened):
    """conv1 is 7x7 with stride 2 and padding 3: the output at 4,5 reads rows 5 to 11, columns 7 to 13."""
    _, text = page_of_resnet()
    browser = opened("pin=output,4,5", text=text)
    words = browser.find_element(By.ID, "field").text
    assert words == "The output at 4,5 sees 7x7 pixels: rows 5 to 11, columns 7 to 13."
    style = browser.execute_script("return {...document.querySelector('.field').style}")
    assert [float(style[side].strip("%")) for side in ("top", "left", "height", "width")] == [
        100 * 5 / 32,
        100 * 7 / 32,
        100 * 7 / 32,
        100 * 7 / 32,
    ]


def test_a_wide_picture_keeps_its_shape_beside_the_strip(opened):
    """It was pressed into a box as wide as it was high."""
    engine = engines.of_module(zoo.network("ResNet"), "ResNet")
    x = np.random.default_rng(0).random((3, 32, 64), np.float32)
    chain = engine.steps(x.shape)
    made = NetworkMaps(Opened(engine), chain, Picture(x, tuple("RGB")), {})
    browser = opened(text=made.explore().text)
    box = browser.find_element(By.CSS_SELECTOR, ".framed canvas").rect
    assert box["width"] / box["height"] == pytest.approx(2, rel=0.02)


def test_another_picture_is_refused_where_activations_are_stored(opened, tmp_path):
    _, text = page_of_resnet()
    browser = opened(text=text)
    browser.find_element(By.ID, "upload").send_keys(str(SAMPLES / "pixel.png"))
    settle(browser)
    assert "convviz explore makes a page of another one" in browser.find_element(By.ID, "why").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page_of_a_network(opened, pytestconfig, scheme):
    browser = opened("pin=output,4,5", text=page_of_resnet()[1])
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    script = npm.package(pytestconfig, "axe-core@4") / "axe.min.js"
    browser.execute_script(script.read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then((all) => done(all.violations), (why) => done(String(why)))"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == []


# --- notebooks


def test_a_notebook_shows_a_result_in_a_frame_that_computes_by_itself(browser, tmp_path):
    """Jupyter puts what `_repr_html_` returns into its page: here into a page of our own."""
    torch.manual_seed(0)
    x = torch.rand(3, 9, 8)
    result = convviz.run(x, convviz.Conv2d(3, 2, 3))
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><title>notebook</title><div>{result.explore()._repr_html_()}</div>")
    browser.get(page.as_uri())
    frame = browser.find_element(By.TAG_NAME, "iframe")
    browser.execute_script("arguments[0].scrollIntoView()", frame)
    browser.switch_to.frame(frame)
    try:
        np.testing.assert_allclose(maps(browser), result.maps, rtol=1e-5, atol=1e-5)
        browser.execute_script("convviz.store.change({strideH: 2})")
        assert maps(browser).shape == (2, 4, 6)
        assert browser.find_element(By.ID, "why").text == ""
    finally:
        browser.switch_to.default_content()
    assert [entry["message"] for entry in browser.get_log("browser")] == []


# --- drawing

PIXELS = "return Array.from(convviz.store.now().input.picture.channels[0])"


def drawn(browser, strokes):
    """Draw lines between places given as shares of the field, which stays where it is."""
    field = browser.find_element(By.ID, "sketch")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
    box = field.rect
    for first, *others in strokes:
        moves = ActionChains(browser, duration=30)
        moves.move_to_element_with_offset(field, *((share - 0.5) * box["width"] for share in first))
        moves.click_and_hold()
        before = first
        for place in others:
            x, y = (round((to - at) * box["width"]) for to, at in zip(place, before, strict=True))
            moves.move_by_offset(x, y)
            before = place
        moves.release().perform()
    settle(browser)
    assert field.rect == box


def test_what_is_drawn_is_predicted_at_once_and_by_convviz_from_the_file(opened_net, tmp_path):
    """A one: a vertical line. convviz reads the saved drawing, and predicts what the page does."""
    browser = opened_net()
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    drawn(browser, [[(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)]])
    assert browser.find_element(By.ID, "sketched").text.startswith("1 (")
    values = outputs(browser)["softmax"].ravel()
    browser.find_element(By.ID, "saveSketch").click()
    WebDriverWait(browser, 10).until(lambda _: (tmp_path / "drawing.png").exists())
    image = convviz.read(tmp_path / "drawing.png", mode="gray")
    network, _, parameters = digits()
    expected = convviz.run_net(network, image, parameters)["softmax"].maps
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert expected.argmax() == 1
    command = browser.find_element(By.ID, "command").get_attribute("textContent")
    assert command.startswith("convviz run drawing.png --net digits.toml")


def test_a_stroke_is_one_step_to_undo_and_a_field_can_be_cleared(opened_net):
    browser = opened_net()
    first = browser.execute_script(PIXELS)
    drawn(browser, [[(0.3, 0.3), (0.5, 0.5), (0.7, 0.7)]])
    assert browser.execute_script(PIXELS) != first
    browser.execute_script("convviz.store.undo()")
    settle(browser)
    assert browser.execute_script(PIXELS) == first
    browser.find_element(By.ID, "clearSketch").click()
    settle(browser)
    assert set(browser.execute_script(PIXELS)) == {0}


def test_keys_draw_too(opened_net):
    browser = opened_net()
    browser.find_element(By.ID, "clearSketch").click()
    field = browser.find_element(By.ID, "sketch")
    field.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.SPACE)
    settle(browser)
    values = np.array(
        browser.execute_script("return Array.from(convviz.store.now().input.picture.channels[0])")
    )
    assert values.reshape(28, 28)[2, 0] == 1
    assert values.reshape(28, 28)[10:].max() == 0


def test_only_a_network_of_one_small_square_channel_has_a_field_to_draw_on(opened):
    browser = opened()
    assert not browser.find_elements(By.ID, "sketch")
