"""How long the page of ``convviz explore`` takes to follow a change, and to follow the pointer.

In a real Chromium. Run it with ``python benchmarks/page.py``; it needs Chromium and its driver, and
selenium of the group ``dev``. The layer: 512x512, 3 channels to 6 maps, 3x3. Every change draws other
weights by a new seed, so that nothing is kept; it is over when maps, partial maps and small maps are
in their canvases. Every move of the pointer over the map shows another output in lens, products and
sums; it is over when the page has its layout.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium import webdriver

CHANGES = 40
MOVES = 120
WARM = 8

CHANGE = """
const [seed, done] = arguments;
const box = document.getElementById("seed");
box.value = seed;
const start = performance.now();
box.dispatchEvent(new Event("change"));
window.convviz.settled().then(() => done(performance.now() - start));
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
        page = Path(folder) / "page.html"
        command = [sys.executable, "-m", "convviz", "explore", str(picture), "-O", "6", "-p", "1", "-q"]
        subprocess.run([*command, "-o", str(page)], check=True, stdout=subprocess.DEVNULL)
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu"):
            options.add_argument(word)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        with webdriver.Chrome(options=options, service=service) as browser:
            browser.get(page.as_uri())
            browser.set_window_size(1366, 900)
            times = [browser.execute_async_script(CHANGE, seed) for seed in range(1, CHANGES + 1)]
            moves = browser.execute_script(HOVER, MOVES)[WARM:]
    first, later = times[0], times[WARM:]
    print(
        f"{len(later)} changes, after {WARM} to warm up: median {statistics.median(later):.0f} ms, "
        f"from {min(later):.0f} to {max(later):.0f} ms; the very first {first:.0f} ms"
    )
    median = statistics.median(moves)
    print(f"{len(moves)} moves of the pointer: median {median:.1f} ms, at most {max(moves):.1f} ms")


if __name__ == "__main__":
    main()
