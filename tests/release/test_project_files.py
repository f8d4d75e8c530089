"""The files that hosts of repositories read have the form that those expect, and say what is so."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from convviz.cli.exits import Exit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_citation_has_the_keys_of_its_format():
    """Citation File Format 1.2.0: four keys are needed; an author is an entity with a name."""
    found = read("CITATION.cff")
    assert found["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} < found.keys()
    optional = {
        "abstract",
        "type",
        "license",
        "keywords",
        "version",
        "date-released",
        "url",
        "repository-code",
    }
    assert found.keys() <= {"cff-version", "message", "title", "authors"} | optional
    assert found["type"] in {"software", "dataset"}
    assert all(author.keys() == {"name"} for author in found["authors"])
    assert found["title"] == PROJECT["name"]
    assert (found["license"], found["keywords"]) == (PROJECT["license"], PROJECT["keywords"])
    holder = re.search(r"Copyright \(c\) \d+ (.*)", (ROOT / "LICENSE").read_text(encoding="utf-8"))[1]
    assert [author["name"] for author in found["authors"]] == [holder]


def test_the_form_for_bugs_asks_for_the_versions_and_the_settings():
    """A form has a name, a description and a body; what is typed has a label and an id of its own."""
    found = read(".github/ISSUE_TEMPLATE/bug.yml")
    assert found.keys() == {"name", "description", "body"}
    fields = [one for one in found["body"] if one["type"] != "markdown"]
    assert {one["type"] for one in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    ids = [one["id"] for one in fields]
    assert len(ids) == len({*ids}) == len(fields)
    labels = [one["attributes"]["label"] for one in fields]
    assert any("`convviz --version`" in label for label in labels)
    assert any("`convviz inspect FILE`" in label for label in labels)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("weights.pt2", b"PK\x03\x04", id="pt2"),
        pytest.param("weights.npy", None, id="objects of Python"),
    ],
)
def test_what_the_page_on_security_calls_refused_is_refused(convviz, tmp_path, name, content):
    path = tmp_path / name
    if content is None:
        import numpy as np

        np.save(path, np.array([{}], dtype=object), allow_pickle=True)
        done = convviz("run", name)
    else:
        path.write_bytes(content)
        done = convviz("layers", name)
    assert done.returncode in {Exit.INPUT, Exit.USAGE}, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_page_on_security_says_that_one_option_runs_code():
    rows = [line for line in SECURITY.splitlines() if line.startswith("| ") and "| **code" in line]
    assert len(rows) == 1
    assert "`--model " in rows[0]
