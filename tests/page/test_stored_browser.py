"""The pages of networks and of notebooks in a browser."""

# ruff: noqa: F811 - the fixtures are those of the other tests in a browser

import numpy as np
import torch
import zoo
from selenium.webdriver.common.by import By
from test_explore_browser import SAMPLES, at, browser, maps, opened, pytestmark, settle, shown  # noqa: F401

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
    words = browser.find_element(By.CSS_SELECTOR, ".photo figcaption").text
    assert words == "This output sees 7x7 pixels: rows 5 to 11, columns 7 to 13."
    style = browser.execute_script("return {...document.querySelector('.field').style}")
    assert [float(style[side].strip("%")) for side in ("top", "left", "height", "width")] == [
        100 * 5 / 32,
        100 * 7 / 32,
        100 * 7 / 32,
        100 * 7 / 32,
    ]


def test_another_picture_is_refused_where_activations_are_stored(opened, tmp_path):
    _, text = page_of_resnet()
    browser = opened(text=text)
    browser.execute_script("document.getElementById('settings').open = true")
    browser.find_element(By.ID, "upload").send_keys(str(SAMPLES / "pixel.png"))
    settle(browser)
    assert "convviz explore makes a page of another one" in browser.find_element(By.ID, "why").text


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
    finally:
        browser.switch_to.default_content()
    assert [entry["message"] for entry in browser.get_log("browser")] == []
