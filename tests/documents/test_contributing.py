"""What CONTRIBUTING.md says of the code is so."""

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = ("A preset", "A backend", "A command", "A kind of layer")


def section(heading):
    return re.split(r"\n#{2,3} ", TEXT.split(f"# {heading}\n")[1])[0]


def in_tree():
    """List the paths of the tree, in its order; a folder ends with a slash."""
    (tree,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    folders, found = [], []
    for line in tree.splitlines():
        names = re.split(r"\s{2,}", line.strip())[0].split()
        del folders[(len(line) - len(line.lstrip())) // 2 :]
        found += ["".join(folders) + name for name in names]
        folders += names if names[-1].endswith("/") else []
    return found


def test_every_path_of_the_tree_is_there_and_says_what_it_holds():
    for path in in_tree():
        assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file(), path
    (tree,) = re.findall(r"```text\n.*?\n(.*?)```", TEXT, re.DOTALL)
    assert [line for line in tree.splitlines() if not re.search(r"\S {2,}\S", line)] == []


def test_the_tree_names_every_package_and_every_module_beside_them():
    package = ROOT / "convviz"
    packages = {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in package.rglob("__init__.py")}
    assert packages | {f"convviz/{path.name}" for path in package.glob("*.py")} <= set(in_tree())


def test_the_tree_has_the_order_of_the_imports():
    text = (ROOT / "tests" / "architecture" / "test_structure.py").read_text(encoding="utf-8")
    (found,) = re.findall(r"^PACKAGES = (\(\n.*?^\))", text, re.DOTALL | re.MULTILINE)
    floor = {name: index for index, names in enumerate(ast.literal_eval(found)) for name in names}
    rooms = [path.split("/")[1].removesuffix(".py") for path in in_tree() if path.strip("/").count("/") == 1]
    assert {*floor, "__init__"} == set(rooms)
    floors = [floor[room] for room in rooms if room != "__init__"]
    assert floors == sorted(floors)


def test_every_path_in_the_text_is_there():
    found = [
        word for word in re.findall(r"`([^`\s]+)`", TEXT) if "/" in word or word.endswith((".md", ".toml"))
    ]
    assert len(found) > 40
    for path in found:
        there = ROOT / path
        # NAME stands for the name of something new.
        assert there.parent.is_dir() if "NAME" in path else there.exists(), path


def test_what_is_said_to_be_in_a_file_is_defined_there():
    said = re.findall(r"`(\w+)`\s+(?:in|from)\s+`([^`\s]+)`", TEXT)
    assert len(said) > 12
    for name, path in said:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(?:class |def |const )?{name}\b", text, re.MULTILINE), (name, path)


def test_the_tests_have_a_folder_for_every_package():
    """And `tests/contracts`, `tests/documents`, `tests/architecture` and `tests/fuzz`, as the text says."""
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    packages = {path.parent.name for path in (ROOT / "convviz").glob("*/__init__.py")}
    said = set(re.findall(r"`tests/(\w+)/`", TEXT))
    assert folders - {"__pycache__"} == packages | said


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_numbered_steps_with_paths_and_ends_with_a_test(name):
    text = section(name)
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 3
    assert ".venv/bin/pytest tests/" in text
    for step in re.split(r"^\d+\. ", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"`[^`]*[/.][^`]*`", step), step


def command_lines():
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    inline = re.findall(r"`((?:\.venv/bin/|make )[^`]+)`", TEXT)
    return [shlex.split(line) for line in [*"".join(blocks).splitlines(), *inline]]


def test_the_tests_that_it_names_can_be_collected():
    """Every selection of pytest finds at least one test; status 5 would mean that it finds none."""
    runs = [words[1:] for words in command_lines() if words[0] == ".venv/bin/pytest"]
    assert len(runs) > 7
    # A folder needs no collection, which would read all of its tests.
    folders = {word for words in runs for word in words if (ROOT / word).is_dir()}
    assert {folder for folder in folders if not any((ROOT / folder).rglob("test_*.py"))} == set()
    runs = [[word for word in words if word not in folders or "-k" in words] for words in runs]
    # A name that no test has is passed over beside its whole file; a path that is not there never is.
    alone = [words for words in runs if "-k" in words or any("::" in word for word in words)]
    together = sorted({word for words in runs if words not in alone for word in words if word[0] != "-"})
    # One process, which loads torch once.
    collect = "import json, sys, pytest\nfor words in json.loads(sys.argv[1]):\n"
    collect += "    print('status', int(pytest.main(words)))"
    selections = [["--collect-only", "-p", "no:cacheprovider", *words] for words in (*alone, together)]
    done = subprocess.run(
        [sys.executable, "-c", collect, json.dumps(selections)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    found = re.findall(r"^status (.*)$", done.stdout, re.MULTILINE)
    assert found == ["0"] * len(selections), (selections, done.stdout[-2000:])


def test_its_other_commands_name_what_there_is():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tools = {
        re.match(r"[\w-]+", one)[0] for one in project["dependency-groups"]["dev"] if isinstance(one, str)
    }
    for program, *words in command_lines():
        if program == "make":
            assert words[0] in targets
        elif program == ".venv/bin/python":
            script = ROOT / words[0]
            compile(script.read_text(encoding="utf-8"), str(script), "exec")
            assert all(word in script.read_text(encoding="utf-8") for word in words[1:])
        else:
            assert program.removeprefix(".venv/bin/") in tools, program


def test_the_glossary_has_every_word_once_in_its_order():
    rows = [line.strip("|").split("|") for line in section("Glossary").splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {3}
    words = [word.strip() for row in rows[2:] for word in row[0].split(",")]
    assert len(words) == len(set(words)) > 15
    # A word that is explained is not one that is to be avoided.
    avoided = {word.strip() for row in rows[2:] for word in row[2].split(",")}
    assert not avoided & set(words)


def test_the_source_archive_holds_it_and_the_readme_links_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "CONTRIBUTING.md" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert "](CONTRIBUTING.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
