"""Every command in the documents runs, every statement of a fact is read from the code."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import convviz
from convviz.cli.exits import Exit
from convviz.spec.kernels import preset_names
from convviz.spec.layers import KINDS
from convviz.spec.stacks import network_of

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def name_of(path):
    return path.relative_to(ROOT).with_suffix("").as_posix()


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def commands(path):
    for block in blocks(path, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            # What needs a trained network is run where its picture is compared.
            if line.startswith("convviz ") and " build/" not in line:
                yield line
    # A table of tasks has one in each row.
    yield from re.findall(r"^\|.*\| `(convviz [^`]*)` \|$", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """A folder with the samples, as a clone has them."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    return tmp_path


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if any(commands(path))], ids=name_of)
def test_the_commands_of_a_document_do_what_it_says_without_an_error(convviz, folder, path):
    """One after the other in one folder, for a command may read what an earlier one wrote.

    Text that follows a command without a word between them is what it prints.
    """
    pairs = re.findall(
        r"```sh\n([^\n]*)\n```\n\n```text\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL
    )
    shown = dict(pairs)
    for command in commands(path):
        words, _, source = command.partition(" < ")
        stdin = (folder / (source or "samples/classic.json")).read_bytes()
        done = convviz(*shlex.split(words)[1:], stdin=stdin)
        # Networks that differ have a status of their own.
        wanted = (Exit.OK, Exit.BACKEND) if command.startswith("convviz diff ") else (Exit.OK,)
        assert done.returncode in wanted, f"{command}\n{done.stderr}"
        assert done.stdout == shown.get(command, done.stdout) != "", command
        targets = words.split("--output ")[1] if "--output " in words else ""
        for target in re.findall(r"[^\s\"]+\.png", targets):
            assert (folder / target).is_file(), command


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if blocks(path, "python")], ids=name_of)
def test_documented_python_runs(program, folder, path):
    for block in blocks(path, "python"):
        program(block)


def test_the_command_of_the_tutorial_makes_the_maps_of_its_program(convviz, program, folder):
    text = (HOWTO / "maps.md").read_text(encoding="utf-8").split("## A program of a tutorial")[1]
    found = program(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    command = re.search(r"```sh\nconvviz (.*?)\n```", text, re.DOTALL)[1]
    done = convviz(*shlex.split(command), "--json")
    values = np.array(json.loads(done.stdout)["values"])
    assert values[0].tolist() == [[18]]
    np.testing.assert_allclose(values, found["maps"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs" / "start.md", HOWTO / "maps.md"], ids=str)
def test_the_output_that_is_shown_of_a_run_is_what_it_prints(convviz, folder, path):
    text = path.read_text(encoding="utf-8")
    command, shown = re.search(r"```sh\nconvviz (.*?)\n```.*?```text\n(.*?)```", text, re.DOTALL).groups()
    assert convviz(*shlex.split(command)).stdout == shown


def test_the_reference_of_the_commands_is_that_of_the_code():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_option_of_the_table_has_one_default():
    """A default in words stands in the column of defaults, and nowhere else."""
    table = (ROOT / "docs" / "reference" / "commands" / "run.md").read_text(encoding="utf-8")
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines() if line.startswith("| `-")]
    assert [row[0] for row in rows if len(row) != 4 or "default:" in row[2]] == []
    assert {row[3].strip() for row in rows if "--bias`" in row[0]} == {
        "yes for seeded filters, no with `--kernel`"
    }


def test_the_net_in_the_document_is_one():
    (text,) = blocks(HOWTO / "own.md", "toml")
    found = network_of(tomllib.loads(text), "own.md")
    assert [one.output_shape for one in found.sized((1, 28, 28))][-1] == (2,) == (len(found.classes),)
    said = (HOWTO / "own.md").read_text(encoding="utf-8").split("| `type` |")[1].split("\n")[0]
    assert [kind.__name__ for kind in KINDS if not re.search(rf"\b{kind.__name__}\b", said)] == []


def test_the_readme_is_read_in_one_go():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_links_between_documents_lead_somewhere():
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} -> {target}"


def test_the_changelog_counts_the_kernels():
    assert f"{len(preset_names())} presets" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_version_stands_in_one_place():
    assert re.fullmatch(r"\d+\.\d+\.\d+", convviz.__version__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"]
    assert "version" not in project
