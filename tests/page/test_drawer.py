"""The settings of the page in a browser: fields, limits, undo, weights to choose from, tabs."""

import npm
import numpy as np
import pytest

import convviz
from convviz.compute import weights
from convviz.page.presets import grouped_presets
from convviz.results import feature_maps
from convviz.spec.kernels import entries

pytest.importorskip("selenium.webdriver")
import test_explore_browser as basic
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_explore_browser import X, choose, maps, settle, shown, state, write

pytestmark = basic.pytestmark
browser, opened, opened_net = basic.browser, basic.opened, basic.opened_net


@pytest.fixture
def settings(opened):
    """Open the page of X with its settings, whose heights and widths are linked."""

    def show(place="", **more):
        page = opened(place, **more)
        page.find_element(By.ID, "openDrawer").click()
        return page

    return show


def click(browser, id):
    browser.find_element(By.ID, id).click()
    settle(browser)


def press(browser, id, *keys):
    browser.find_element(By.ID, id).send_keys(*keys)
    settle(browser)


def test_the_settings_are_closed_until_they_are_wanted(opened):
    browser = opened()
    drawer = browser.find_element(By.ID, "drawer")
    assert not drawer.is_displayed()
    click(browser, "openDrawer")
    assert drawer.is_displayed()
    press(browser, "strideH", Keys.ESCAPE)
    assert not drawer.is_displayed()
    assert browser.switch_to.active_element.get_attribute("id") == "openDrawer"


def test_a_field_has_plain_words_and_the_name_of_torch(settings):
    browser = settings()
    names = [" ".join(one.text.split()) for one in browser.find_elements(By.CSS_SELECTOR, "#choice .name")]
    for words in ("number of filters out_channels", "kernel size kernel_size", "step of the window stride"):
        assert [name for name in names if name.startswith(words)], names
    label = browser.find_element(By.ID, "kernelH").get_attribute("aria-label")
    assert label == "kernel size, height (kernel_size)"


def test_height_and_width_are_linked_until_they_are_not(settings):
    browser = settings()
    write(browser, "kernelH", "5")
    assert (state(browser)["kernelH"], state(browser)["kernelW"]) == (5, 5)
    assert not browser.find_element(By.ID, "kernelW").is_displayed()
    click(browser, "kernelLink")
    write(browser, "kernelW", "2")
    assert (state(browser)["kernelH"], state(browser)["kernelW"]) == (5, 2)
    click(browser, "kernelLink")
    assert (state(browser)["kernelH"], state(browser)["kernelW"]) == (5, 5)
    write(browser, "padTop", "1")
    assert [state(browser)[f"pad{side}"] for side in ("Top", "Bottom", "Left", "Right")] == [1] * 4


def test_a_slider_ends_at_the_last_legal_value_and_says_why(settings):
    """Of 9x8 pixels a square kernel covers 8x8 at most; padded by 1, 10x10."""
    browser = settings()
    press(browser, "kernelHSlider", Keys.END)
    assert (state(browser)["kernelH"], state(browser)["kernelW"]) == (8, 8)
    note = shown(browser, "kernelNote")
    assert note.startswith("8 is the most: the kernel spans 9 pixels of 8 along the width")
    assert browser.find_element(By.ID, "kernelH").get_attribute("max") == "8"
    write(browser, "padTop", "1")
    assert browser.find_element(By.ID, "kernelH").get_attribute("max") == "10"
    press(browser, "kernelH", Keys.UP, Keys.UP, Keys.UP)
    assert state(browser)["kernelH"] == 10
    # Mirrored padding has one pixel less than the picture.
    choose(browser, "preset", "identity")
    browser.find_element(By.CSS_SELECTOR, "#mode [value=reflect]").click()
    press(browser, "padTopSlider", Keys.END)
    assert state(browser)["padTop"] == 7
    assert "7 is the most: reflect padding of the width may be 7 at most" in shown(browser, "paddingNote")


def test_a_slider_stops_at_legal_values_alone(settings):
    """With three groups, the number of filters is a multiple of 3; three channels have 1 or 3 groups."""
    browser = settings()
    press(browser, "groupsSlider", Keys.RIGHT)
    assert state(browser)["groups"] == 3
    press(browser, "outChannelsSlider", Keys.RIGHT)
    assert state(browser)["outChannels"] == 9
    press(browser, "outChannels", Keys.DOWN, Keys.DOWN)
    assert state(browser)["outChannels"] == 3
    press(browser, "outChannels", Keys.DOWN)
    assert state(browser)["outChannels"] == 3


def test_escape_restores_the_value_of_a_field(settings):
    browser = settings()
    write(browser, "kernelH", "30")
    assert "spans 30 pixels" in shown(browser, "why")
    field = browser.find_element(By.ID, "kernelH")
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_property("value") == "30"
    field.send_keys(Keys.ESCAPE)
    assert field.get_property("value") == "3"
    assert shown(browser, "why") == ""
    assert field.get_attribute("aria-invalid") is None
    # Also while it is typed; and a weight.
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("77", Keys.ESCAPE, Keys.TAB)
    assert state(browser)["kernelH"] == 3
    weight = browser.find_element(By.CSS_SELECTOR, '[data-place="0,0,0"]')
    before = weight.get_property("value")
    weight.send_keys(Keys.CONTROL, "a")
    weight.send_keys("5", Keys.ESCAPE)
    assert weight.get_property("value") == before
    assert browser.find_element(By.ID, "drawer").is_displayed()


def test_same_padding_keeps_the_size_as_torch_does(settings):
    """Torch puts what is left over below and to the right: 4 x 4 weights are 3 more pixels, 1 and 2."""
    browser = settings()
    click(browser, "same")
    assert maps(browser).shape == (6, 9, 8)
    write(browser, "kernelH", "4")
    sides = [state(browser)[f"pad{side}"] for side in ("Top", "Bottom", "Left", "Right")]
    assert sides == [1, 2, 1, 2]
    assert maps(browser).shape == (6, 9, 8)
    assert browser.find_element(By.ID, "same").get_attribute("aria-pressed") == "true"
    write(browser, "padTop", "0")
    assert browser.find_element(By.ID, "same").get_attribute("aria-pressed") == "false"
    write(browser, "kernelH", "3")
    assert state(browser)["padBottom"] == 2


def test_changes_can_be_undone_made_again_and_reset(settings):
    browser = settings()
    first = state(browser)
    write(browser, "strideH", "2")
    choose(browser, "preset", "sobel-x")
    settle(browser)
    last = state(browser)
    click(browser, "undo")
    assert state(browser) == first | {"strideH": 2, "strideW": 2}
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    settle(browser)
    assert state(browser) == first
    expected = feature_maps.run(X, convviz.Conv2d(3, 6, 3)).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    assert browser.find_element(By.ID, "undo").get_attribute("aria-disabled") == "true"
    click(browser, "redo")
    click(browser, "redo")
    assert state(browser) == last
    assert browser.find_element(By.ID, "redo").get_attribute("aria-disabled") == "true"
    click(browser, "reset")
    assert state(browser) == first
    click(browser, "undo")
    assert state(browser) == last


def test_dragging_a_slider_is_one_change(settings):
    browser = settings()
    first = state(browser)
    browser.execute_script(
        """
        const slider = document.getElementById("padTopSlider");
        for (const value of [1, 2, 3]) {
          slider.value = value;
          slider.dispatchEvent(new Event("input"));
        }
        slider.dispatchEvent(new Event("change"));
        """
    )
    settle(browser)
    assert state(browser)["padTop"] == 3
    click(browser, "undo")
    assert state(browser) == first


def test_a_change_that_cannot_be_computed_leaves_the_history_as_it_was(settings):
    browser = settings()
    write(browser, "strideH", "2")
    browser.execute_script("Work.filters = () => Promise.reject(new Error('broken'))")
    write(browser, "strideH", "3")
    assert "Not computed: Error: broken" in shown(browser, "why")
    assert state(browser)["strideH"] == 2
    assert browser.execute_script("return [convviz.store.canUndo(), convviz.store.canRedo()]") == [
        True,
        False,
    ]


def test_edited_weights_are_marked_and_counted_until_they_are_reset(settings):
    browser = settings()
    assert not browser.find_element(By.ID, "edited").is_displayed()
    for place in ("0,0,0", "2,1,1"):
        box = browser.find_element(By.CSS_SELECTOR, f'[data-place="{place}"]')
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys("2", Keys.TAB)
        settle(browser)
    write(browser, "biasValue", "0.5")
    assert shown(browser, "edited") == "3 weights edited · reset"
    marked = browser.find_elements(By.CSS_SELECTOR, ".typed")
    assert [one.get_attribute("data-place") for one in marked] == ["0,0,0", "2,1,1", None]
    assert {one.get_attribute("aria-description") for one in marked} == {"edited"}
    click(browser, "edited")
    assert state(browser)["edits"] == {}
    expected = feature_maps.run(X, convviz.Conv2d(3, 6, 3), weights.seeded(convviz.Conv2d(3, 6, 3))).maps
    np.testing.assert_allclose(maps(browser), expected, atol=1e-6)
    assert browser.find_elements(By.CSS_SELECTOR, ".typed") == []


def test_every_preset_has_a_group_and_a_line():
    found = grouped_presets()
    assert sorted(one["name"] for one in found) == sorted(entry.kernel.name for entry in entries())
    assert all(one["about"] for one in found)
    groups = [one["group"] for one in found]
    # Each group is shown once.
    assert len(set(groups)) == sum(
        one != before for one, before in zip(groups, [None, *groups], strict=False)
    )


def test_a_preset_is_chosen_by_its_picture(settings):
    """Left of the middle the Sobel kernel is negative, purple; right of it positive, orange."""
    browser = settings()
    browser.execute_script("document.getElementById('presetBox').open = true")
    label = browser.find_element(By.XPATH, "//label[.//strong[text()='sobel-x']]")
    assert "edges where brightness rises to the right" in label.text
    colours = browser.execute_script(
        "const ink = arguments[0].querySelector('canvas').getContext('2d');"
        "const { data } = ink.getImageData(0, 1, 3, 1);"
        "return [0, 1, 2].map((x) => Array.from(data.slice(4 * x, 4 * x + 3)))",
        label,
    )
    assert colours == [[94, 60, 153], [247, 247, 247], [213, 94, 0]]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", label)
    label.click()
    settle(browser)
    assert state(browser)["preset"] == "sobel-x"
    assert shown(browser, "preset").startswith("sobel-x")
    # One kernel, one map; a new layer has as many filters as before.
    assert maps(browser).shape == (1, 7, 6)
    choose(browser, "preset", "seed")
    assert maps(browser).shape == (6, 7, 6)
    choose(browser, "preset", "sobel-x")
    # The arrow keys move on.
    browser.switch_to.active_element.send_keys(Keys.DOWN)
    settle(browser)
    assert state(browser)["preset"] == "sobel-y"


def test_command_program_and_shape_are_tabs(opened):
    browser = opened()
    command, code, shape = (browser.find_element(By.ID, name) for name in ("command", "code", "shape"))
    assert [one.is_displayed() for one in (shape, command, code)] == [True, False, False]
    assert "floor((9 + 0 + 0 - 1*(3 - 1) - 1) / 1) + 1" in shape.text
    browser.find_element(By.ID, "shapeTab").send_keys(Keys.RIGHT)
    assert [one.is_displayed() for one in (shape, command, code)] == [False, True, False]
    assert command.text.startswith("convviz run x.png")
    browser.switch_to.active_element.send_keys(Keys.RIGHT)
    assert [one.is_displayed() for one in (shape, command, code)] == [False, False, True]


def narrow(browser, width, height=740):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


@pytest.mark.parametrize("width", [360, 1366])
def test_the_open_settings_need_no_scrolling_sideways(settings, width):
    browser = settings()
    narrow(browser, width)
    wide = browser.execute_script(
        "const drawer = document.getElementById('drawer');"
        "return [document.documentElement.scrollWidth, drawer.scrollWidth - drawer.clientWidth]"
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide[0] <= width
    assert wide[1] == 0


def axe(browser, config):
    """What axe-core finds; by the debugger, for the page lets no other script in."""
    browser.execute_script((npm.package(config, "axe-core@4") / "axe.min.js").read_text(encoding="utf-8"))
    return browser.execute_async_script(
        "const done = arguments[0]; axe.run().then((all) => done(all.violations), (why) => done(String(why)))"
    )


def coloured(browser, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}] if scheme else []
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_settings(settings, pytestconfig, scheme):
    browser = settings("edits=0:1:3&pin=output,2,2")
    browser.execute_script("document.getElementById('presetBox').open = true")
    write(browser, "kernelH", "30")
    coloured(browser, scheme)
    found = axe(browser, pytestconfig)
    coloured(browser, "")
    assert found == []
