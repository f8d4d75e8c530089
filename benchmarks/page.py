"""How long the page of ``convviz explore`` takes to follow a change, and to follow the pointer.

In a real Chromium. Run it with ``python benchmarks/page.py``; it needs Chromium and its driver, and
selenium of the group ``dev``. The layer: 512x512, 3 channels to 6 maps, 3x3. Every change draws other
weights by a new seed, so that nothing is kept. Two times are taken from the event that changes the
setting: until the frame with the chosen map, its partial maps and the numbers of the stage is on the
screen, and until the frame with all small maps is. Every move of the pointer over the map shows another
output in lens, products and sums; it is over when the page has its layout. An opening is timed from the
start of the navigation to the frame with the first map, and until all of the layer is computed. With other
pages as arguments, made by other versions, all are measured in turns: ``python benchmarks/page.py old.html
new.html``. Of the page of a network only openings are timed.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from selenium import webdriver

CHANGES = 40
MOVES = 120
OPENINGS = 7
WARM = 8

CHANGE = """
const [seed, done] = arguments;
const { store, settled } = window.convviz;
const framed = () => new Promise((go) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = go;
  port2.postMessage(0);
}));
if (!window.watched) store.subscribe((now, before) => now.shown !== before.shown && window.watched());
const box = document.getElementById("seed");
box.value = seed;
const start = performance.now();
const since = () => performance.now() - start;
const picture = new Promise((go) => (window.watched = () => {
  window.watched = () => {};
  framed().then(() => go(since()));
}));
box.dispatchEvent(new Event("change"));
const whole = settled().then(framed).then(since);
Promise.all([picture, whole]).then(done);
"""

OPENED = """
const [done] = arguments;
const { store, settled } = window.convviz;
const framed = () => new Promise((go) => requestAnimationFrame(() => go(performance.now())));
const seen = new Promise((go) => store.subscribe((now) => now.shown && go(framed())));
const first = store.now().shown ? framed() : seen;
Promise.all([first, settled().then(() => performance.now())]).then(done);
"""

HOVER = """
const canvas = document.getElementById("mapCanvas");
const box = canvas.getBoundingClientRect();
const times = [];
for (let at = 0; at < arguments[0]; at++) {
  const x = box.left + 5 + ((at * 37) % (box.width - 10));
  const y = box.top + 5 + ((at * 53) % (box.height - 10));
  const start = performance.now();
  canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }));
  document.body.getBoundingClientRect();
  times.push(performance.now() - start);
}
return times;
"""


def main() -> None:
    picture = Path(__file__).parent.parent / "samples" / "harbour.png"
    with tempfile.TemporaryDirectory() as folder:
        pages = [Path(name).resolve() for name in sys.argv[1:]] or [Path(folder) / "page.html"]
        if not sys.argv[1:]:
            command = [sys.executable, "-m", "convviz", "explore", str(picture), "-O", "6", "-p", "1", "-q"]
            subprocess.run([*command, "-o", str(pages[0])], check=True, stdout=subprocess.DEVNULL)
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu"):
            options.add_argument(word)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        with webdriver.Chrome(options=options, service=service) as browser:
            browser.set_window_size(1366, 900)
            changes: dict[Path, list[list[float]]] = {page: [] for page in pages}
            moves: dict[Path, list[float]] = {page: [] for page in pages}
            tabs = [browser.current_window_handle]
            for page in pages:
                if page is not pages[0]:
                    browser.switch_to.new_window("window")
                    tabs.append(browser.current_window_handle)
                    browser.set_window_size(1366, 900)
                browser.get(page.as_uri())
                browser.execute_async_script("convviz.settled().then(arguments[0])")
            single = "return document.getElementById('layersSection').hidden"
            alone = []
            for page, tab in zip(pages, tabs, strict=True):
                browser.switch_to.window(tab)
                if browser.execute_script(single):
                    alone.append((page, tab))
            for seed in range(1, CHANGES + 1):
                for page, tab in alone:
                    browser.switch_to.window(tab)
                    changes[page].append(browser.execute_async_script(CHANGE, seed))
                    moves[page] += browser.execute_script(HOVER, MOVES // CHANGES)
            openings: dict[Path, list[list[float]]] = {page: [] for page in pages}
            for _ in range(OPENINGS):
                for page in pages:
                    browser.get("about:blank")
                    browser.get(page.as_uri())
                    openings[page].append(browser.execute_async_script(OPENED))
    for page in pages:
        print(page.name)
        first, whole = (statistics.median(times) for times in zip(*openings[page], strict=True))
        print(f"  opening: median of {OPENINGS} {first:.0f} ms to the first map, {whole:.0f} ms to all")
        if not changes[page]:
            continue
        for name, times in zip(("the chosen map", "all maps"), zip(*changes[page], strict=True), strict=True):
            show(f"from a change to {name}", times)
        show("a move of the pointer", moves[page])


def show(what: str, times: Sequence[float]) -> None:
    """Print the median of some times, without the first ones: the browser compiles the scripts then."""
    later = times[WARM:]
    print(
        f"  {what}: median of {len(later)} {statistics.median(later):.1f} ms, "
        f"from {min(later):.1f} to {max(later):.1f} ms; the very first {times[0]:.1f} ms"
    )


if __name__ == "__main__":
    main()
