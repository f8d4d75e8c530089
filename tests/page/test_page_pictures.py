"""Other pictures on the page: read as convviz reads them, named, and missed by links."""

import base64
import json
import shlex
import struct
import subprocess
import zlib

import numpy as np
import pytest
from PIL import Image
from test_explore import NODE, PAGE, asked_of, needs_node

import convviz
from convviz.cli.app import status_of
from convviz.results import feature_maps

RUN = """
const [vm, fs] = [require("vm"), require("fs")];
for (const path of process.argv.slice(1)) vm.runInThisContext(fs.readFileSync(path, "utf8"));
const answer = vm.runInThisContext(`async ({ bytes, data }) => {
  const found = await Png.read(Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0)));
  if (!found) return null;
  const { samples, height, width, ...form } = found;
  const { picture, names, words } = Pictures.read(samples, height, width, data, form);
  return { ...picture, channels: picture.channels.map((values) => Array.from(values)), names, words };
}`);
let text = "";
process.stdin.on("data", (part) => (text += part)).on("end", async () => {
  process.stdout.write(JSON.stringify(await Promise.all(JSON.parse(text).map(answer))));
});
"""


def read_by_the_page(*paths, data=None):
    """Read PNG files with the scripts of the page."""
    data = data or asked_of(np.zeros((3, 4, 4), np.float32))()["data"]
    cases = [{"bytes": base64.b64encode(path.read_bytes()).decode(), "data": data} for path in paths]
    done = subprocess.run(
        [NODE, "-e", RUN, *(PAGE / f"{name}.js" for name in ("png", "pictures"))],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def png(*, width, height, bits, kind, rows, interlaced=0):
    """Write the bytes of a PNG whose packed rows are given, each without a filter."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def files(folder):
    """Write a PNG of every kind; photos use every filter of rows."""
    chance = np.random.default_rng(6)
    y, x = np.mgrid[0:23, 0:17]
    smooth = (8 * y + 5 * x)[..., None] + chance.integers(0, 9, (23, 17, 4))
    levels = smooth.clip(0, 255).astype(np.uint8)
    for mode, count in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
        Image.fromarray(levels[..., :count].squeeze()).save(folder / f"{mode}.png")
    Image.fromarray(levels[..., :3]).quantize(9).save(folder / "palette.png")
    Image.fromarray(levels[..., 0]).convert("1").save(folder / "bit.png")
    Image.fromarray(levels[..., 0].astype(np.uint16) * 201).save(folder / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(levels[..., :3]).save(folder / "turned.png", exif=exif)
    # Two bits, 0 to 3: four pixels in a byte.
    rows = [bytes([0b00011011, 0b11000000]), bytes([0b10010011, 0b01000000])]
    (folder / "two.png").write_bytes(png(width=5, height=2, bits=2, kind=0, rows=rows))
    deep = [struct.pack(">6H", *row) for row in chance.integers(0, 65536, (3, 6)).tolist()]
    (folder / "deeprgb.png").write_bytes(png(width=2, height=3, bits=16, kind=2, rows=deep))
    # Interlaced: a pixel every 8 columns and rows first, in the end every second row.
    whole = chance.integers(0, 256, (9, 11)).astype(np.uint8)
    passes = [whole[0::8, 0::8], whole[0::8, 4::8], whole[4::8, 0::4], whole[0::4, 2::4]]
    passes += [whole[2::4, 0::2], whole[0::2, 1::2], whole[1::2, :]]
    rows = [row.tobytes() for part in passes for row in part if row.size]
    (folder / "passes.png").write_bytes(png(width=11, height=9, bits=8, kind=0, rows=rows, interlaced=1))
    return sorted(folder.glob("*.png"))


@needs_node
def test_every_png_is_read_as_convviz_reads_it(tmp_path):
    paths = files(tmp_path)
    assert len(paths) == 11
    for path, found in zip(paths, read_by_the_page(*paths), strict=True):
        expected = convviz.read(path)
        assert (found["height"], found["width"]) == tuple(expected.size), path.name
        values = np.array(found["channels"], np.float32).reshape(expected.x.shape)
        np.testing.assert_allclose(values, expected.x, atol=1e-7, err_msg=path.name)
        assert tuple(found["names"]) == expected.channels
        # The options of the command choose these channels.
        mode = found["words"][0].split()[1]
        np.testing.assert_allclose(values, convviz.read(path, mode=mode).x, atol=1e-7, err_msg=path.name)


@needs_node
def test_what_is_no_png_is_left_to_the_browser(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert read_by_the_page(tmp_path / "x.jpg") == [None]


# --- in a browser

pytest.importorskip("selenium.webdriver")
import test_explore_browser as basic  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402
from test_explore_browser import maps, open_settings, shown, write  # noqa: E402

in_browser = basic.pytestmark
browser, opened, opened_net = basic.browser, basic.opened, basic.opened_net


def choose(browser, path):
    open_settings(browser)
    browser.find_element(By.ID, "upload").send_keys(str(path))
    WebDriverWait(browser, 10, 0.05).until(lambda _: shown(browser, "pictureAbout").startswith(path.name))


def made_by_the_command(browser):
    _, *words = shlex.split(shown(browser, "command"))
    assert status_of([*words, "--quiet", "--save", "maps.npz", "--force"]) == 0
    with np.load("maps.npz") as stored:
        return stored["maps"]


@in_browser
@pytest.mark.parametrize("name", ["gray.png", "clear.png", "rotated.jpg", "gray.jpg"])
def test_the_command_makes_the_maps_of_a_picture(opened, tmp_path, monkeypatch, name):
    """Grey stays one channel, opacity changes no colour, EXIF turns, and the command agrees."""
    monkeypatch.chdir(tmp_path)
    levels = np.random.default_rng(5).integers(0, 256, (14, 10, 4), np.uint8)
    smooth = np.linspace(0, 255, 140, dtype=np.uint8).reshape(14, 10)
    if name == "gray.png":
        Image.fromarray(levels[..., 0]).save(name)
    elif name == "clear.png":
        Image.fromarray(levels).save(name)
    elif name == "gray.jpg":
        Image.fromarray(smooth).save(name, quality=95)
    else:
        (tmp_path / name).write_bytes((basic.SAMPLES / name).read_bytes())
    browser = opened()
    choose(browser, tmp_path / name)
    count = 1 if name.startswith("gray") else 3
    made = maps(browser)
    expected = feature_maps.run(convviz.read(tmp_path / name).x, convviz.Conv2d(count, 6, 3)).maps
    # The browser's decoder of JPEG may round another way.
    tolerance = 1e-2 if name.endswith("jpg") else 1e-6
    np.testing.assert_allclose(made, expected, atol=tolerance)
    np.testing.assert_allclose(made, made_by_the_command(browser), atol=tolerance)
    assert browser.find_element(By.TAG_NAME, "h1").text == name
    assert browser.title == f"{name}: convviz"
    assert shown(browser, "code").rstrip().endswith(f"(1, {count}, {made.shape[1] + 2}, {made.shape[2] + 2})")


@in_browser
def test_a_large_picture_is_scaled_with_a_word(opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (1500, 40), (90, 140, 20)).save("wide.png")
    browser = opened()
    choose(browser, tmp_path / "wide.png")
    about = shown(browser, "pictureAbout")
    assert "27x1024 pixels, 3 channels (R, G, B); scaled from 40x1500" in about
    assert "at most 1,024 pixels along a side" in about
    assert "--resize 27x1024" in shown(browser, "command")


@in_browser
def test_a_link_says_which_picture_it_does_not_hold(opened, tmp_path):
    browser = opened()
    Image.new("RGB", (9, 8)).save(tmp_path / "mine & yours.png")
    choose(browser, tmp_path / "mine & yours.png")
    write(browser, "padTop", "1")
    assert "a link to this page holds the settings, not the picture" in shown(browser, "pictureAbout")
    address = basic.address(browser, "padTop=1")
    browser.get("about:blank")
    browser.get(address)
    assert "This link was made with mine & yours.png, which it does not hold" in shown(browser, "why")
    assert browser.execute_script("return convviz.state().padTop") == 1
    assert browser.find_element(By.TAG_NAME, "h1").text == "x.png"
    assert not browser.find_element(By.ID, "picture").is_displayed()


DROP = """
const [name, type, done] = arguments;
const canvas = Object.assign(document.createElement("canvas"), { width: 7, height: 5 });
canvas.getContext("2d").fillRect(0, 0, 3, 5);
canvas.toBlob((blob) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([blob], name, { type }));
  for (const kind of ["dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  done();
});
"""


@in_browser
def test_a_picture_can_be_dropped(opened):
    browser = opened()
    browser.execute_async_script(DROP, "notes.txt", "text/plain")
    assert "what was dropped is not a picture" in shown(browser, "why")
    browser.execute_async_script(DROP, "dropped.png", "image/png")
    WebDriverWait(browser, 10).until(lambda _: "3x5x7" in shown(browser, "sentence"))
    assert shown(browser, "pictureAbout").startswith("dropped.png: 5x7 pixels, 3 channels (R, G, B).")
    browser.find_element(By.ID, "original").click()
    assert "3x9x8" in shown(browser, "sentence")
    assert browser.find_element(By.TAG_NAME, "h1").text == "x.png"
