"""The site of the documents: its strict build, and what its pages load."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer.main
from filelock import FileLock
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

import convviz
from convviz.cli.app import make_app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# What a browser fetches without being asked to.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")}


def build(source, target):
    """Build a site as `make docs` does."""
    (line,) = re.findall(r"-m (sphinx .*) docs build/docs$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = [sys.executable, "-m", *line.split(), str(source), str(target)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory, worker_id):
    """The site, built once for all processes of a run of the tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            done = build(DOCS, folder.with_name("being-built"))
            assert done.returncode == 0, done.stderr
            folder.with_name("being-built").rename(folder)
    return folder


class Reader(HTMLParser):
    """Collects what a page loads, its links, its addresses, and pictures without text."""

    def __init__(self, path):
        super().__init__()
        self.loaded, self.links, self.ids, self.silent = [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.loaded += [found[name] for kind, name in LOADED if kind == tag and name in found]
        if tag == "link" and not {"canonical", "next", "prev", "index", "search"} & {*found["rel"].split()}:
            self.loaded.append(found["href"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if (tag == "img" and not found.get("alt")) or (tag == "iframe" and not found.get("title")):
            self.silent.append(found)


@pytest.fixture(scope="module")
def pages(site):
    return {path: Reader(path) for path in site.rglob("*.html") if "_static" not in path.parts}


def test_no_page_loads_anything_from_another_host(site, pages):
    """Scripts, styles, pictures and frames, and what the styles name."""
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert styles
    named = re.findall(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", "".join(styles))
    loaded = [
        *(first or second for first, second in named),
        *(one for page in pages.values() for one in page.loaded),
    ]
    assert len(loaded) > 100
    assert [one for one in loaded if urlsplit(one).scheme not in ("", "data") or one.startswith("//")] == []


def test_every_link_of_the_site_leads_to_a_place_in_it(pages):
    for path, page in pages.items():
        for link in {*page.links, *page.loaded}:
            parts = urlsplit(link)
            if not parts.scheme:
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert target.is_file(), (path.name, link)
                if parts.fragment and target in pages and not parts.fragment.startswith("tour"):
                    assert unquote(parts.fragment) in pages[target].ids, (path.name, link)


def test_every_picture_and_frame_says_what_it_shows(pages):
    assert [found for page in pages.values() for found in page.silent] == []


@pytest.fixture(scope="module")
def browser():
    if None in (CHROMIUM, DRIVER):
        pytest.skip("Chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def test_search_finds_a_page_that_is_opened_as_a_file(site, browser):
    browser.get(f"{(site / 'search.html').as_uri()}?q=worksheets")
    links = WebDriverWait(browser, 20).until(
        lambda one: one.find_elements("css selector", "#search-results li a")
    )
    found = [one.get_attribute("href").partition("?")[0] for one in links]
    assert (site / "howto" / "worksheets.html").as_uri() in [one.partition("#")[0] for one in found]
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("page", ["start", "concepts/channels", "howto/network", "reference/commands/run"])
def test_no_page_is_wider_than_the_screen(site, browser, page, width):
    """Wide tables, code and pictures have boxes of their own, or are made smaller."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((site / f"{page}.html").as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_python_reference_has_every_public_name(site):
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    named = re.findall(r'<dt class="sig sig-object py" id="convviz\.(\w+)"', page)
    assert sorted(named) == sorted({*convviz.__all__} - {"__version__"})


def test_every_command_has_a_page_that_leads_to_its_task():
    for name in typer.main.get_command(make_app()).commands:
        text = (DOCS / "reference" / "commands" / f"{name}.md").read_text(encoding="utf-8")
        assert "](../../howto/" in text, name


def test_each_fault_of_a_page_fails_the_build(tmp_path):
    """Links to no page, no heading, no picture; a picture without text; a page that no other lists."""
    source = tmp_path / "docs"
    (source / "_static").mkdir(parents=True)
    for name in ("conf.py", "_static/site.css", "pictures/run.png"):
        shutil.copy(DOCS / name, source / name.removeprefix("pictures/"))
    faults = ("[a](nowhere.md)", "[b](other.md#absent)", "![](run.png)", "![R, G and B](lost.png)")
    text = "\n\n".join(faults)
    (source / "index.md").write_text(f"# One\n\n{text}\n\n```{{toctree}}\nother\n```\n")
    (source / "other.md").write_text("# Other\n")
    (source / "alone.md").write_text("# Alone\n")
    done = build(source, tmp_path / "built")
    assert done.returncode == 1
    said = (
        "nowhere.md",
        "absent",
        "run.png has no alternative text",
        "lost.png",
        "alone.md: WARNING: document isn't",
    )
    lines = done.stderr.splitlines()
    assert [fault for fault in said if sum(fault in line for line in lines) != 1] == []
