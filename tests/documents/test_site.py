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
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = build(DOCS, folder)
    assert done.returncode == 0, done.stderr
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


@pytest.mark.skipif(None in (CHROMIUM, DRIVER), reason="Chromium and its driver are not installed")
def test_search_finds_a_page_that_is_opened_as_a_file(site):
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        browser.get(f"{(site / 'search.html').as_uri()}?q=worksheets")
        found = WebDriverWait(browser, 20).until(
            lambda one: one.find_elements("css selector", "#search-results li a")
        )
        assert any(
            one.get_attribute("href").partition("?")[0].endswith("howto/worksheets.html") for one in found
        )
        assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    finally:
        browser.quit()


def test_the_python_reference_has_every_public_name(site):
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    named = re.findall(r'<dt class="sig sig-object py" id="convviz\.(\w+)"', page)
    assert sorted(named) == sorted({*convviz.__all__} - {"__version__"})


def test_every_command_has_a_page_that_leads_to_its_task():
    for name in typer.main.get_command(make_app()).commands:
        text = (DOCS / "reference" / "commands" / f"{name}.md").read_text(encoding="utf-8")
        assert "](../../howto/" in text, name


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """What a build says of a site in which everything is wrong."""
    source = tmp_path_factory.mktemp("faulty") / "docs"
    (source / "_static").mkdir(parents=True)
    for name in ("conf.py", "_static/site.css", "pictures/run.png"):
        shutil.copy(DOCS / name, source / name.removeprefix("pictures/"))
    faults = ("[a](nowhere.md)", "[b](other.md#absent)", "![](run.png)", "![R, G and B](lost.png)")
    text = "\n\n".join(faults)
    (source / "index.md").write_text(f"# One\n\n{text}\n\n```{{toctree}}\nother\n```\n")
    (source / "other.md").write_text("# Other\n")
    (source / "alone.md").write_text("# Alone\n")
    return build(source, source.parent / "built")


@pytest.mark.parametrize(
    "fault",
    [
        "nowhere.md",
        "absent",
        "run.png has no alternative text",
        "lost.png",
        "alone.md: WARNING: document isn't",
    ],
    ids=["a page", "a heading", "no text", "a picture", "an orphan"],
)
def test_a_fault_of_a_page_fails_the_build(faulty, fault):
    assert faulty.returncode == 1
    assert len([line for line in faulty.stderr.splitlines() if fault in line]) == 1
