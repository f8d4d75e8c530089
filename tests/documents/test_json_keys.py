"""The tables of docs/reference/json.md have the keys that the commands print, and no others."""

import contextlib
import io
import json
import re
import shlex
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import typer.main
import zoo

from convviz.cli.app import make_app, status_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "json.md"
TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
DIGITS = "samples/digit.png --net samples/digits.toml --weights samples/digits.safetensors"
MODULE = "--model samples/residual_net.py:ResidualNet"
TRANSPOSED = "--layers 'conv 2 k3 | deconv 1 k2 s2' --layer convtranspose1"
# What together shows every key of a command.
COMMANDS = {
    "run": [
        f"samples/gray-5x5.csv {TRANSPOSED}",
        "nan.csv -K 1 --table --partial --flip --stat sparsity,energy --code",
        "samples/harbour.png --prepare imagenet --crop 20 --resize 32x32 -O 3",
        "samples/gray-5x5.csv samples/gray-5x5.csv -O 1",
        "samples/palette.gif --page 2 -O 1",
        "samples/gray-5x5.csv --layers 'conv 2 k3 | relu' --field 1,1",
        "samples/gray-5x5.csv --layers 'conv 2 k3 | relu' --layer conv1,relu1",
        DIGITS,
    ],
    "explain": [
        f"samples/gray-5x5.csv {TRANSPOSED}",
        "samples/gray-5x5.csv -K sobel-x -p 1",
        "samples/gray-5x5.csv -K sobel-x --pixel 0,0",
        "samples/gray-5x5.csv -K sobel-x --weight 0,0,0,2",
        "samples/gray-5x5.csv -O 1 --as-matrix",
        "samples/classic.json --group-map --groups 3 -O 3",
        "samples/gray-5x5.csv --net quantized.onnx --layer conv",
    ],
    "pad": ["samples/gray-5x5.csv -p 1 --all-modes", f"samples/gray-5x5.csv {TRANSPOSED}"],
    "shape": [
        "3x9x9 --counts",
        "3x9x9 --target 5x5",
        "1x28x28 --net samples/digits.toml",
        f"3x64x64 {MODULE} --layer block.2",
    ],
    "kernels": ["gaussian", "sobel"],
    "layers": ["samples/digits.safetensors", f"{MODULE} --input 3x64x64"],
    "filters": ["samples/digits.safetensors --layer conv1", "--net samples/digits.onnx --layer conv1"],
    "maps": ["maps.npy --stat sparsity,energy", "nan.npy"],
    "look": [f"{DIGITS} --how {how} --layer conv2" for how in ("gradcam", "pca")],
    "best": ["samples --weights samples/digits.safetensors --layer conv1 --mode gray --pattern 'digit*.png'"],
    "diff": [
        "'conv 2 k3 | relu' 'conv 2 k3 p1 reflect' samples/gray-5x5.csv",
        "'conv 2 k3 p1' 'conv 2 k3 p1 reflect | relu' samples/gray-5x5.csv",
        "samples/digits.safetensors samples/digits.onnx",
    ],
    "inspect": ["gray-5x5-maps.png"],
    "batch": ["samples out --pattern palette.gif -O 1", "samples out --pattern p*.png -O 1"],
    "bench": ["samples/gray-5x5.csv --seconds 1"],
}


def rows():
    """Every key of the page: its command, itself, its types, and whether every document has it."""
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        command = section.split()[0]
        for line in re.findall(r"^\| `.*$", section, re.MULTILINE):
            keys, types, _, when = (cell.strip() for cell in line.strip("| ").split(" | "))
            for key in re.findall("`([^`]+)`", keys):
                yield command, key, set(re.split(", | or ", types)), when == "always"


def keys_of(value, at=""):
    """Every key of a document, with the type of its value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{at}.{key}" if at else key
            yield here, "null" if inner is None else TYPES[type(inner)]
            yield from keys_of(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner, f"{at}[]")


@pytest.fixture
def documents(tmp_path, monkeypatch):
    """Run the examples of a command; of a document that holds several, give these too."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nan.csv").write_text("nan,1\n2,inf\n")
    np.save("nan.npy", np.array([[[np.nan, np.inf], [1, 2]]], np.float32))
    np.save("maps.npy", np.ones((2, 3, 3), np.float32))
    zoo.quantized("quantized.onnx")

    def run(command):
        if command == "inspect":
            printed(["run", "samples/gray-5x5.csv", "-O", "1", "--json"])
        for line in COMMANDS[command]:
            document = printed([command, *shlex.split(line), "--json"])
            several = document.get("runs", []) if isinstance(document, dict) else []
            yield from several
            yield {"runs": []} if several else document

    return run


def printed(words):
    """Run a command in this process; give the document that it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert status_of(words) in (0, 5, 6), words
    return json.loads(out.getvalue())


def matches(key, pattern):
    """Say whether a row is about a key; a star stands for one name."""
    return fnmatchcase(key, pattern.replace("[", "[[]")) and key.count(".") == pattern.count(".")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_has_the_keys_that_a_command_prints(documents, command):
    """With their types; an object that the rows take apart, and what is in one that is a row, need none."""
    said = {key: types for one, key, types, _ in rows() if one == command}
    apart = {
        re.sub(r"(\[\])?$", "", key.rsplit(".", up)[0]) for key in said for up in range(1, key.count(".") + 1)
    }
    whole = [f"{key}." for key, types in said.items() if "object" in types]
    printed_of = [list(keys_of(document)) for document in documents(command)]
    seen = [pair for pairs in printed_of for pair in pairs]
    for key, type_ in seen:
        about = [types for pattern, types in said.items() if matches(key, pattern)]
        assert about or any(matches(key, pattern) for pattern in apart) or key.startswith(tuple(whole)), key
        assert not about or any(type_ in types for types in about), (key, type_)
    printed_keys = {key for key, _ in seen}
    unseen = [pattern for pattern in said if not any(matches(key, pattern) for key in printed_keys)]
    assert unseen == []
    # An entry of a list is in no document whose list is empty.
    always = {key.partition("[")[0] or key for one, key, _, every in rows() if one == command and every}
    for pairs in printed_of:
        if pairs != [("runs", "list")]:
            assert [one for one in always if not any(matches(key, one) for key, _ in pairs)] == []


def test_every_command_with_documents_has_a_table():
    commands = typer.main.get_command(make_app()).commands
    with_json = {name for name, one in commands.items() if any("--json" in p.opts for p in one.params)}
    assert with_json == {command for command, *_ in rows()} == set(COMMANDS)
