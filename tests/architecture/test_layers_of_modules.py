"""The rules of the source: who may import whom, what is loaded when."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import convviz
from convviz.cli.app import COMMANDS, make_app
from convviz.cli.synonyms import SYNONYMS

ROOT = Path(convviz.__file__).parent
HEAVY = {"numpy", "PIL", "torch", "rich"}

LEVELS = {
    "errors": 0,
    "geometry": 0,
    "text": 0,
    "files": 0,
    "memory": 0,
    "parallel": 0,
    "places": 0,
    "layers": 1,
    "marks": 1,
    "modules": 2,
    "parsing": 1,
    "preparation": 1,
    "suggest": 1,
    "tomlfile": 1,
    "kernels": 2,
    "settings": 3,
    "net": 4,
    "counts": 3,
    "arrays": 3,
    "weights": 3,
    "checkpoints": 3,
    "onnxfile": 3,
    "parametrized": 3,
    "graphs": 5,
    "images": 3,
    "png": 3,
    "profiles": 3,
    "tiff": 3,
    "survey": 4,
    "backends": 4,
    "trace": 4,
    "unfold": 4,
    "render": 5,
    "outputs": 5,
    "pipeline": 6,
    "exercise": 7,
    "explore": 7,
    "forward": 7,
    "scene": 7,
    "measure": 7,
    "batch": 7,
    "cli": 8,
    "__main__": 8,
}
# Imports inside of functions: the bodies of commands, the look-up of backends, the public names; the
# command line, which Ctrl-C may interrupt; one colour scale package that few pictures need, one for threads
# that the command line does without, one that not every machine has, one that is asked how much memory there
# is, a progress bar that is drawn only after a while, and what folders by address and clusters need.
LAZY = {
    "cli/commands",
    "cli/progress.py",
    "cli/show.py",
    "__main__.py",
    "backends/__init__.py",
    "__init__.py",
    "render/tone.py",
    "memory.py",
    "parallel.py",
    "checkpoints.py",
    "onnxfile.py",
    "places.py",
    "batch/cluster.py",
}
# Behind an address are packages that are not imported here, with errors of their own.
CATCHES_ALL = {"places.py"}


def modules():
    return sorted(path for path in ROOT.rglob("*.py"))


def part_of(path):
    name = path.relative_to(ROOT).parts[0]
    return name.removesuffix(".py")


def imports(tree):
    """List (module, whether at the top) of every import."""
    # What depends on the system stands under a condition at the top.
    conditional = [node for branch in tree.body if isinstance(branch, ast.If) for node in branch.body]
    top = {id(node) for node in tree.body + conditional}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names if node.module == "convviz" else [node.module]:
                yield name, id(node) in top


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_from_its_own_level_or_a_lower_one(path):
    part = part_of(path)
    if part == "__init__":
        return  # names only: the functions are loaded on first use
    for name, _ in imports(ast.parse(path.read_text())):
        if name.startswith("convviz."):
            other = name.split(".")[1]
            if other == "__version__":
                continue
            assert LEVELS[other] <= LEVELS[part], f"{part} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_commands_and_the_look_up_of_backends_import_late(path):
    place = path.relative_to(ROOT).as_posix()
    if any(place.startswith(lazy) for lazy in LAZY):
        return
    late = [name for name, at_top in imports(ast.parse(path.read_text())) if not at_top]
    assert late == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_catches_every_exception(path):
    if path.name in CATCHES_ALL:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            assert "Exception" not in {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}


OURS = {"ConvvizError", "SpecError", "ShapeError", "SourceError", "UnknownNameError", "InputError", "_No"}
# Of these the words are for people: of the system, of numpy (how much it wanted), and of missing packages.
FOR_PEOPLE = {"OSError", "MemoryError", "ImportError", "ModuleNotFoundError"}
# File systems behind addresses, by the errors of their packages; what an import of another package raises;
# the function that gives the words.
OF_OTHERS = {"places.py", "errors.py", "text.py", "files.py"}


def shows(handler):
    """Whether an error that was caught is put into a text; to look into its words is another thing."""
    looked_into = {
        id(inner)
        for node in ast.walk(handler)
        if isinstance(node, ast.Compare)
        or (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "search")
        for inner in ast.walk(node)
    }
    for node in ast.walk(handler):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("str", "repr"):
            found = node.args
        elif isinstance(node, ast.FormattedValue):
            found = [node.value]
        else:
            continue
        if id(node) not in looked_into and any(getattr(one, "id", "") == handler.name for one in found):
            return True
    return False


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_words_of_foreign_errors_are_shown_by_one_function(path):
    """Python's own, such as "invalid literal", help nobody: `convviz.text.because` leaves them out."""
    if path.name in OF_OTHERS:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler) and node.name and node.type is not None:
            caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
            assert caught <= OURS | FOR_PEOPLE or not shows(node), f"{path.name}:{node.lineno}"


def loaded_by(code):
    """Run code in a fresh interpreter and list the heavy packages that it loaded."""
    script = f"import sys\n{code}\nprint(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stderr.split()


def test_the_command_line_loads_nothing_heavy():
    assert loaded_by("import convviz.cli") == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--version"], id="version"),
        pytest.param(["shape", "3x224x224", "--out-channels", "64"], id="shape"),
        pytest.param(["shape", "3x224x224", "--kernel", "sobel"], id="shape with kernels by name"),
        pytest.param(["shape", "3x224x224", "--json"], id="shape as JSON"),
    ],
)
def test_what_needs_no_arrays_loads_no_arrays(arguments):
    assert loaded_by(f"from convviz.cli.app import status_of\nassert status_of({arguments!r}) == 0") == []


def test_a_run_on_numpy_does_not_load_torch(tmp_path):
    picture = tmp_path / "x.json"
    picture.write_text("[[1, 2], [3, 4]]")
    arguments = ["run", str(picture), "-k", "2", "-o", str(tmp_path / "out.png")]
    assert "torch" not in loaded_by(
        f"from convviz.cli.app import status_of\nassert status_of({arguments!r}) == 0"
    )


def test_every_option_has_a_long_name_and_every_synonym_leads_to_one():
    group = typer.main.get_command(make_app())
    options = [
        param
        for command in group.commands.values()
        for param in command.params
        if param.param_type_name == "option"
    ]
    names = {name for param in options for name in param.opts}
    assert all(any(name.startswith("--") for name in param.opts) for param in options)
    assert {f"--{name}" for found in SYNONYMS.values() for name in found} <= names


def test_the_summary_of_a_command_is_the_first_line_of_its_text():
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"convviz.cli.commands.{name}")
        assert getattr(module, name).__doc__.splitlines()[0] == summary


def test_one_command_loads_no_other():
    script = "from convviz.cli.app import status_of\nimport sys\nstatus_of(['shape', '3x9x9'])\n"
    script += "print(*[name for name in sys.modules if name.startswith('convviz.cli.commands.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "convviz.cli.commands.shape"


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import convviz") == []


def test_every_public_name_is_there_and_documented():
    for name in convviz.__all__:
        value = getattr(convviz, name)
        if name != "__version__":
            assert value.__doc__, name
            assert importlib.import_module(value.__module__).__name__.startswith("convviz")
