"""What the page does over time in a browser: what is shown first, and what stays after many changes."""

import numpy as np
import pytest
import torch

import convviz

pytest.importorskip("selenium.webdriver")
import test_explore_browser as basic
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

pytestmark = basic.pytestmark
browser, opened = basic.browser, basic.opened

# What is shown whenever something was computed: the map, the small maps, whether those are marked.
WATCH = """
window.seen = [];
convviz.store.subscribe((now, before) => {
  if (now.shown === before.shown && now.small === before.small) return;
  const { output, map } = now.shown;
  seen.push({
    caption: document.querySelector("#output figcaption").textContent,
    values: Array.from(output.channels[map]),
    there: output.channels.filter(Boolean).length,
    busy: ["thumbs", "filters"].map((id) => document.getElementById(id).getAttribute("aria-busy")),
    thumbs: [...document.querySelectorAll("#thumbs canvas")].map((one) => one.toDataURL()),
    total: document.querySelector("#ledger .total .amount").textContent,
  });
});
"""


def torch_map(x, seed, filter):
    torch.manual_seed(seed)
    return torch.nn.Conv2d(3, 6, 3)(torch.from_numpy(x)[None])[0, filter].detach().numpy()


def test_the_chosen_map_is_shown_before_the_others_which_are_marked_meanwhile(opened):
    browser = opened("map=2")
    browser.execute_script(WATCH)
    before = browser.execute_script("return document.querySelectorAll('#thumbs canvas').length")
    assert before == 6
    browser.execute_script("convviz.store.change({ seed: 7 })")
    basic.settle(browser)
    first, last = browser.execute_script("return window.seen")
    expected = torch_map(basic.X, 7, 2)
    peak = expected.ravel()[np.abs(expected).argmax()]
    for one in (first, last):
        np.testing.assert_allclose(np.array(one["values"]).reshape(7, 6), expected, atol=1e-6)
        assert float(one["total"]) == pytest.approx(float(peak), rel=1e-3)
        assert one["caption"] == f"map 2, 7x6: {expected.min():.3g} to {expected.max():.3g}"
    assert (first["there"], first["busy"]) == (1, ["true", "true"])
    assert (last["there"], last["busy"]) == (6, ["false", "false"])
    assert all(old != new for old, new in zip(first["thumbs"], last["thumbs"], strict=True))


def test_maps_that_share_a_scale_are_shown_together(opened):
    """The colours of the chosen map depend on the values of the others."""
    browser = opened("map=2&scale=layer")
    browser.execute_script(WATCH)
    browser.execute_script("convviz.store.change({ seed: 7 })")
    basic.settle(browser)
    seen = browser.execute_script("return window.seen")
    assert [one["there"] for one in seen] == [6, 6]


def test_a_large_map_whose_rows_are_shared_by_workers_is_that_of_torch(opened):
    """More than 65,536 values, and the two partial maps of its filter."""
    x = np.random.default_rng(5).random((4, 530, 301), dtype=np.float32)
    shape = {"stride": convviz.HW(2, 1), "dilation": convviz.HW(1, 2), "groups": 2}
    edges = convviz.Edges(1, 0, 2, 1)
    browser = opened(
        "map=2", x=x, out_channels=4, kernel_size=convviz.HW(3, 5), padding=edges, seed=3, **shape
    )
    assert browser.execute_script("return navigator.hardwareConcurrency") > 1
    seen = browser.execute_script(
        "const { output, partials } = convviz.store.now().shown;"
        "return [output.channels[2], ...partials].map((values) => Array.from(values))"
    )
    torch.manual_seed(3)
    layer = torch.nn.Conv2d(4, 4, (3, 5), **shape)
    padded = torch.nn.functional.pad(torch.from_numpy(x)[None], (2, 1, 1, 0))
    expected = [layer(padded)[0, 2]]
    for channel in (0, 1):
        kernel, read = layer.weight[2:3, channel, None], padded[:, 2 + channel, None]
        expected.append(torch.nn.functional.conv2d(read, kernel, None, (2, 1), 0, (1, 2))[0, 0])
    assert expected[0].numel() >= 1 << 16
    for values, one in zip(seen, expected, strict=True):
        np.testing.assert_allclose(np.reshape(values, one.shape), one.detach(), atol=1e-5)


@pytest.mark.parametrize("width", [1366, 360])
def test_the_map_stays_where_it_is_while_the_pointer_moves_over_it(opened, width):
    """Numbers of one to many digits never make a line above it wrap."""
    ramp = np.linspace(-1, 300, 24, dtype=np.float32)
    x = np.random.default_rng(0).random((3, 20, 24), dtype=np.float32) * ramp
    browser = opened(x=x, width=width, out_channels=4, kernel_size=3, padding=1)
    field = browser.find_element(By.CSS_SELECTOR, "#output canvas")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
    where = field.rect
    for share in np.linspace(-0.45, 0.45, 5):
        moves = ActionChains(browser, duration=0)
        moves.move_to_element_with_offset(field, share * where["width"], share * where["height"]).perform()
        basic.settle(browser)
        assert field.rect == where


# Change after change, as a user would make them; nothing is left of the ones before but the history.
CHANGES = """
const [first, count, done] = arguments;
const { store } = convviz;
// The next change does not wait for the screen.
window.requestAnimationFrame = queueMicrotask;
const turns = [
  (at) => ({ seed: at }), (at) => ({ padTop: at % 3 }), (at) => ({ map: at % 6 }),
  (at) => ({ strideW: 1 + at % 2 }), (at) => ({ kernelH: 1 + at % 4 }), (at) => ({ outChannels: 6 + at % 3 }),
  (at) => ({ colormap: at % 4 ? "gray" : "signed" }), (at) => ({ channelScale: at % 4 ? "own" : "shared" }),
  (at) => ({ scale: at % 4 ? "layer" : "map" }), () => null,
];
(async () => {
  for (let at = first; at < first + count; at++) {
    const change = turns[at % turns.length](at);
    if (change) store.change(change);
    else store.undo();
    await store.settled();
    if (at % 7 === 0) store.point({ kind: "output", place: [at % 4, at % 3] });
    if (at % 7 === 1) store.pin(at % 2 ? null : { kind: "output", place: [1, 1] });
  }
  store.reset();
  await store.settled();
  done(true);
})();
"""
# Bytes. The history keeps up to 200 states; one map of each change is 25,000 in all.
MOST_GROWTH = 500_000
MOST_ARRAYS = 10_000


def kept(browser):
    """Count what the page holds after garbage is collected.

    Elements of the page, all nodes, listeners, bytes of objects, and bytes of arrays, which are stored
    elsewhere. The workers collect their own garbage, and are not counted.
    """
    browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    found = {one["name"]: one["value"] for one in metrics}
    heap = browser.execute_cdp_cmd("Runtime.getHeapUsage", {})
    return {
        "elements": browser.execute_script("return document.getElementsByTagName('*').length"),
        "nodes": found["Nodes"],
        "listeners": found["JSEventListeners"],
        "objects": heap["usedSize"],
        "arrays": heap["backingStorageSize"],
    }


def test_hundreds_of_changes_leave_nothing_behind(opened):
    browser = opened()
    browser.set_script_timeout(400)
    browser.execute_cdp_cmd("Performance.enable", {})
    browser.execute_async_script(CHANGES, 0, 40)
    before = kept(browser)
    browser.execute_async_script(CHANGES, 40, 250)
    after = kept(browser)
    assert after["elements"] == before["elements"]
    assert after["nodes"] <= before["nodes"] + 50
    assert after["listeners"] <= before["listeners"] + 20
    assert after["arrays"] <= before["arrays"] + MOST_ARRAYS
    assert after["objects"] <= before["objects"] + MOST_GROWTH
