"""The main paths need nothing that only POSIX has: stand-ins for Windows, which the tests do not run on."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from PIL import Image

import convviz as package
from convviz.files import paths

ROOT = Path(package.__file__).parent

# What Windows lacks: modules, and names of modules that it has.
MODULES = ("fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios", "tty")
NAMES = {
    "os": (
        *("fork", "getuid", "geteuid", "killpg", "O_NONBLOCK", "O_NOFOLLOW", "posix_spawn", "sysconf"),
        *("sched_getaffinity", "sched_setaffinity", "setsid", "mkfifo", "statvfs", "uname"),
    ),
    "signal": ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "alarm", "pthread_sigmask", "setitimer"),
    "time": ("tzset",),
}

# Packages are loaded before, since they would ask for parts of Windows that are not here; then only convviz
# sees another system. os itself stays, for pathlib asks it what kind of path to make.
STAND_IN = """
import sys, types
import numpy, PIL.Image, PIL.PngImagePlugin, filelock, psutil, rich.console, safetensors.numpy, typer, zlib_ng
import asyncio, multiprocessing, multiprocessing.resource_tracker, pathlib, platform, shutil, subprocess
import tempfile
import threadpoolctl, typer.rich_utils, rich.table
import os, signal, time

MODULES, NAMES = {modules!r}, {names!r}
for name in MODULES:
    sys.modules[name] = None  # to import it is an ImportError

class Less(types.ModuleType):
    def __init__(self, whole, absent, **other):
        super().__init__(whole.__name__)
        self.__dict__.update(other, _whole=whole, _absent=absent)

    def __getattr__(self, name):
        if name in self._absent:
            raise AttributeError(name)
        return getattr(self._whole, name)

for name in NAMES:
    other = dict(name="nt") if name == "os" else dict()
    sys.modules[name] = Less(sys.modules[name], NAMES[name], **other)
sys.platform = "win32"
from convviz.cli.app import begin, status_of
begin()
for line in {lines!r}:
    status = status_of(line.split(" "))
    if status:
        sys.exit(f"{{line}}: {{status}}")
sys.stdout.flush()
"""

LINES = (
    "--version",
    "shape 3x9x9 --out-channels 4",
    "kernels sobel",
    "run cat.png --out-channels 2 --maps maps --save x.npz --quiet",
    "run cat.png --out-channels 2 --quiet",  # what is there is ours
    "explain cat.png --at 1,1 --output one.svg",
    "pad cat.png --padding 1 --output pad.png",
    "explore cat.png",
    "animate cat.png --resize 6 --output film.gif",
    "exercise --output sheet.md",
    "run cat.png --net lenet5 --mode gray --resize 32 --layer conv1,conv2 --quiet",
    "inspect cat-maps.png",
)

# Of its documentation, "Naming Files, Paths, and Namespaces".
_NOT_ON_WINDOWS = re.compile(
    r"""^(con|prn|aux|nul|(com|lpt)\d)(\..*)?$|[<>:"/\\|?*]|[. ]$""", re.IGNORECASE | re.ASCII
)


@pytest.fixture
def cat(tmp_path):
    Image.fromarray(np.arange(9 * 9 * 3, dtype=np.uint8).reshape(9, 9, 3)).save(tmp_path / "cat.png")


def test_the_commands_work_without_what_windows_lacks(cat, tmp_path):
    script = STAND_IN.format(modules=MODULES, names=NAMES, lines=LINES)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONPATH": str(ROOT.parent)},
        capture_output=True,
        encoding="cp1252",
        check=False,
        timeout=120,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {
        *("cat.png", "cat-maps.png", "x.npz", "one.svg", "pad.png", "film.gif", "cat-explore.html"),
        *("maps/0-map-0.png", "maps/1-map-1.png", "cat-maps-conv1.png", "cat-maps-conv2.png"),
        *(name for name in written if name.startswith("sheet")),
    }


def test_what_only_posix_has_is_used_only_where_it_is_asked_for():
    """Every use stands below an `if` that asks for the system, or for the name."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        asked = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.If | ast.FunctionDef)
            and re.search(r"os\.name|sys\.platform|hasattr\((os|signal), ", ast.unparse(node))
        ]
        guarded = {id(inner) for node in asked for inner in ast.walk(node)}
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            uses = [name for name in names if name in MODULES]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                uses += [node.attr] if node.attr in NAMES.get(node.value.id, ()) else []
            found += [f"{path.name}:{node.lineno} {use}" for use in uses if id(node) not in guarded]
    assert found == []


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "gbk"])
def test_what_stdout_cannot_encode_is_escaped_and_ends_nothing(tmp_path, encoding):
    """A name in letters of three scripts; a console of Windows has one of them, or none."""
    Image.new("RGB", (8, 8), (9, 99, 200)).save(tmp_path / "Käse-奶酪-✓.png")
    done = subprocess.run(
        [sys.executable, "-m", "convviz", "run", "Käse-奶酪-✓.png", "-O", "1", "--table"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "100"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "Käse-奶酪-✓-maps.png").is_file()
    name = "Käse-奶酪-✓-maps.png".encode(encoding, "backslashreplace").decode(encoding)
    assert name in done.stdout.decode(encoding).splitlines()[-1]


def test_layers_whose_names_differ_only_in_case_or_in_signs_get_files_of_their_own(
    convviz, cat, tmp_path, monkeypatch
):
    """`run` made one name of a/b and a_b, and lost the first picture; Windows sees one in Conv and conv."""
    monkeypatch.setitem(paths.fitting.__kwdefaults__, "windows", True)
    names = ("a/b", "a_b", "Conv", "conv", "aux", "x" * 200 + "1", "x" * 200 + "2")
    layer = "[[layer]]\nname = {}\ntype = 'Conv2d'\nin_channels = {}\nout_channels = 2\nkernel_size = 1\n"
    text = "".join(layer.format(json.dumps(name), 2 if at else 3) for at, name in enumerate(names))
    (tmp_path / "net.toml").write_text(text, encoding="utf-8")
    asked = ("--layer", ",".join(names), "--maps", "maps", "--save", "x.npz")
    done = convviz("run", "cat.png", "--net", "net.toml", *asked)
    assert done.returncode == 0, done.stderr
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    # A sheet, an archive and two maps for each.
    assert len({path.as_posix().casefold() for path in written}) == 2 + 4 * len(names)
    assert "earlier run" not in done.stderr
    assert [path for path in written if any(map(_NOT_ON_WINDOWS.search, path.parts))] == []


@pytest.mark.parametrize(
    "name", ["CON", "aux", "nul.png", "com1.x", "LPT9", "a:b", "a ", "a.", "a?", 'a"b', "a|b"]
)
def test_names_that_windows_reserves_are_changed_and_stay_apart(name):
    made = paths.fitting(name, "", windows=True)
    assert _NOT_ON_WINDOWS.search(name)
    assert not _NOT_ON_WINDOWS.search(made)
    assert paths.fitting(f"{name}x", "", windows=True) != made


def test_paths_of_windows_are_split_as_windows_does(monkeypatch):
    monkeypatch.setattr(paths, "Path", PureWindowsPath)
    found = paths.split_member(PureWindowsPath(r"C:\maps\frames.npz:conv1"))
    assert found == (PureWindowsPath(r"C:\maps\frames.npz"), "conv1")
    assert paths.split_member(PureWindowsPath(r"C:\maps\cat.png"))[1] is None


def test_a_drive_is_not_taken_for_an_address_or_a_name():
    from convviz.files import addresses
    from convviz.spec.kernels import parse_request

    assert addresses.path_of(r"C:\photos\cat.jpg") == Path(r"C:\photos\cat.jpg")
    assert addresses.path_of("C:/photos/cat.jpg") == Path("C:/photos/cat.jpg")
    asked = parse_request(r"C:\kernels\edge.json@R")
    assert (asked.what, asked.kind, asked.channel) == (r"C:\kernels\edge.json", "file", 0)
