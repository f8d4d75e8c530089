"""The version of the package is that of the changelog; --version names what computes, too."""

import importlib.metadata
import platform
import re
import subprocess
import sys
from pathlib import Path

import convviz as package
from convviz.cli.versions import COMPUTES, versions

ROOT = Path(__file__).parents[2]
HEADINGS = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_versions_of_what_computes_are_those_that_the_packages_state(convviz):
    import numpy
    import PIL
    import torch

    lines = convviz("--version").stdout.splitlines()
    assert lines[0] == f"convviz {package.__version__}"
    assert lines[1].startswith(f"Python {platform.python_version()} on ")
    assert {f"numpy {numpy.__version__}", f"Pillow {PIL.__version__}"} < set(lines)
    assert f"torch {torch.__version__}" in lines


def test_a_package_that_is_not_installed_has_no_line(monkeypatch):
    def version(name):
        if name != "numpy":
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.0"

    monkeypatch.setattr("convviz.cli.versions.version", version)
    assert [*versions()][2:] == ["numpy 2.0"]


def test_to_print_the_versions_imports_no_package_that_computes():
    code = "from convviz.cli.app import status_of; status_of(['--version']); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0].lower() for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {"pil", *(name.lower() for name in COMPUTES)}


def test_the_changelog_has_versions_with_dates_and_may_begin_with_what_is_not_released():
    """So that a release takes one edit here, and one of the version."""
    released = HEADINGS[1:] if HEADINGS[0] == "Unreleased" else HEADINGS
    assert [one for one in released if not re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", one)] == []


def test_the_version_is_that_of_the_newest_heading_unless_it_is_not_released():
    assert HEADINGS[0].split(" - ")[0] in {"Unreleased", package.__version__}
