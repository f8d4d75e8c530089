"""The site of the documents: `make docs` builds it into build/docs."""

import inspect
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon import NumpyDocstring
from sphinx.util import logging

import convviz
from convviz.cli.app import status_of

project = "convviz"
author = "the authors of convviz"
copyright = author
version = release = convviz.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["cluster", "pictures"]

# The links of the pages work in a checkout and on the site alike: headings have the addresses of GitHub.
myst_heading_anchors = 3
# Options are written with two hyphens; they stay two.
smartquotes = False

# The docstrings name types in words, such as "ndarray, shape (C, H, W)".
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_google_docstring = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"convviz {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
# A page that was opened as a file cannot fetch the pages that it finds, to show their words.
html_show_search_summary = False


def read_sentences(app: Sphinx, what: str, name: str, *described: Any) -> None:
    """Read the docstring of a property as that of a method: a colon in it ends no type."""
    one, options, lines = described
    if what == "property":
        text = inspect.getdoc(one) or ""
        lines[:] = NumpyDocstring(text, app.config, app, "method", name, one, options).lines()


def set_dashes(_: Sphinx, page: nodes.document) -> None:
    """Write a dash between a parameter and what it is, where Sphinx has two hyphens."""
    for text in [*page.findall(nodes.Text)]:
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))


def keep_whole(_: Sphinx, page: nodes.document) -> None:
    """Let no line end within an option, after one of its hyphens."""
    for code in page.findall(nodes.literal):
        if len(code.astext()) <= 24 and " " not in code.astext():
            code["classes"].append("whole")


def want_text(_: Sphinx, page: nodes.document) -> None:
    """Warn of a picture that says nothing to a reader who does not see it."""
    for picture in page.findall(nodes.image):
        if not picture.get("alt", "").strip():
            logging.getLogger(__name__).warning(
                "the picture %s has no alternative text", picture["uri"], location=picture
            )


def write_classic(app: Sphinx, error: Exception | None) -> None:
    """Write the page that the start and the first concept embed."""
    if error is None and status_of(["explore", "--output", str(Path(app.outdir, "classic.html")), "--force"]):
        sys.exit("the page of convviz explore was not written")


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the finer points of type, the check of pictures and the page of `convviz explore`."""
    # After napoleon, which is called at 500.
    app.connect("autodoc-process-docstring", read_sentences, priority=600)
    app.connect("doctree-read", set_dashes)
    app.connect("doctree-read", keep_whole)
    app.connect("doctree-read", want_text)
    app.connect("build-finished", write_classic)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
