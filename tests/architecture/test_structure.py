"""The rules of the source: who may import whom, and what is loaded when."""

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
from convviz.spec import layers

ROOT = Path(convviz.__file__).parent
HEAVY = {"numpy", "PIL", "torch", "rich", "pydantic"}

# From the ground up: a package imports only from those before it.
PACKAGES = (
    ("errors", "loading", "text", "typing"),
    ("machine",),
    ("files",),
    ("spec",),
    ("images",),
    ("compute",),
    ("analysis",),
    ("render",),
    ("page",),
    ("results",),
    ("batch",),
    ("cli", "__main__"),
)
FLOOR = {name: floor for floor, names in enumerate(PACKAGES) for name in names}
MOST_ROOMS = 17

# Imports inside of functions: the bodies of commands, the look-up of backends and engines, the public names;
# the command line, which Ctrl-C may interrupt; packages for colour scales and PDF that few pictures need,
# readers of weights and engines, which a single new layer does not need, a package for threads that the
# command line does without, one that not every machine has, one that is asked how much memory there is, a
# progress bar that is drawn only after a while, and what folders by address, clusters and videos need; what
# finds the name that was meant, in an error; and the page, which few results become.
LAZY = (
    "errors.py",
    "cli/commands/",
    "cli/progress.py",
    "cli/show.py",
    "__main__.py",
    "compute/backends/__init__.py",
    "compute/filters.py",
    "compute/networks/__init__.py",
    "compute/networks/engines.py",
    "__init__.py",
    "render/palette.py",
    "render/drawings/pdf.py",
    "machine/",
    "files/checkpoints.py",
    "files/onnx_.py",
    "files/addresses.py",
    "files/video.py",
    "batch/remote/",
    "results/context.py",
    "results/feature_maps.py",
    "results/network.py",
    "results/outputs.py",
)
# Behind an address are packages that are not imported here, with errors of their own; a model of a user is
# code that raises what it likes.
CATCHES_ALL = {"files/addresses.py", "compute/networks/foreign.py"}

MODULES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}


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
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in top


def dotted(place):
    """Name the module of a file, such as convviz.spec.geometry."""
    return ".".join(["convviz", *Path(place).with_suffix("").parts]).removesuffix(".__init__")


NAMES = {dotted(place): place for place in MODULES}


def own_imports(place):
    """List the modules of convviz that a file imports, each by its dotted name."""
    for name, _ in imports(MODULES[place]):
        while name.startswith("convviz") and name not in NAMES:
            name = name.rpartition(".")[0]
        if name in NAMES and name != "convviz":
            yield name


def test_no_package_imports_from_one_above_it():
    up = [
        f"{place} imports {name}"
        for place in MODULES
        if place != "__init__.py"  # names only: the functions are loaded on first use
        for name in own_imports(place)
        if FLOOR[name.split(".")[1]] > FLOOR[place.split("/")[0].removesuffix(".py")]
    ]
    assert up == []


def test_no_modules_import_each_other_in_a_circle():
    wanted = {dotted(place): set(own_imports(place)) - {dotted(place)} for place in MODULES}
    del wanted["convviz"]
    while free := [name for name, others in wanted.items() if not others & wanted.keys()]:
        for name in free:
            del wanted[name]
    assert wanted == {}


def test_no_command_imports_a_command():
    found = [
        f"{place} imports {name}"
        for place in MODULES
        if place.startswith("cli/commands/")
        for name in own_imports(place)
        if name.startswith("convviz.cli.commands.") and name != dotted(place)
    ]
    assert found == []


def test_every_room_has_its_floor_and_there_are_few():
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__"} == FLOOR.keys()
    assert len(rooms) <= MOST_ROOMS


def test_only_commands_and_the_look_up_of_backends_import_late():
    late = [
        f"{place} imports {name}"
        for place, tree in MODULES.items()
        if not place.startswith(LAZY)
        for name, at_top in imports(tree)
        if not at_top
    ]
    assert late == []


def test_no_module_catches_every_exception():
    for place in MODULES.keys() - CATCHES_ALL:
        for node in ast.walk(MODULES[place]):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, place
                caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
                assert "Exception" not in caught, place


OURS = {"ConvvizError", "SpecError", "ShapeError", "TextError", "UnknownNameError", "InputError", "_No"}
# Of these the words are for people: of the system, of numpy (how much it wanted), and of missing packages.
FOR_PEOPLE = {"OSError", "MemoryError", "ImportError", "ModuleNotFoundError"}
# File systems behind addresses, by the errors of their packages; what an import of another package raises;
# code of a user, who wants to read what it raised; the function that gives the words.
OF_OTHERS = {"files/addresses.py", "errors.py", "text.py", "files/writing.py", "compute/networks/foreign.py"}


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


def test_the_words_of_foreign_errors_are_shown_by_one_function():
    """Python's own, such as "invalid literal", help nobody: `convviz.text.because` leaves them out."""
    for place in MODULES.keys() - OF_OTHERS:
        for node in ast.walk(MODULES[place]):
            if isinstance(node, ast.ExceptHandler) and node.name and node.type is not None:
                caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
                assert caught <= OURS | FOR_PEOPLE or not shows(node), f"{place}:{node.lineno}"


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


def test_a_run_on_numpy_loads_neither_torch_nor_pydantic_nor_other_layers(tmp_path):
    picture = tmp_path / "x.json"
    picture.write_text("[[1, 2], [3, 4]]")
    arguments = ["run", str(picture), "-k", "2", "-o", str(tmp_path / "out.png")]
    script = f"from convviz.cli.app import status_of\nassert status_of({arguments!r}) == 0\n"
    script += "assert 'convviz.spec.layers.activations' not in sys.modules"
    assert not {"torch", "pydantic"} & set(loaded_by(script))


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


def test_a_convolution_of_arrays_loads_nothing_that_draws_or_writes():
    code = "import sys, convviz; convviz.conv2d([[[1, 2]]], [[[[1]]]]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"PIL", "zlib_ng", "torch", "rich", "safetensors"}
    above = ("render", "results", "files", "analysis", "page", "batch", "cli")
    assert not [name for name in loaded if name.startswith(tuple(f"convviz.{package}" for package in above))]
    assert "convviz.compute.conv" in loaded
    # What a convolution does without took as long to load as a third of numpy.
    assert not loaded & {"concurrent.futures", "difflib", "numpy.random", "numpy.typing"}
    assert {name for name in loaded if name.startswith("convviz.spec.layers.")} == {
        f"convviz.spec.layers.{module}" for module in ("base", "conv", "padding")
    }


@pytest.mark.parametrize("package", [convviz, layers], ids=lambda package: package.__name__)
def test_what_a_package_loads_on_first_use_is_what_type_checkers_see(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for node in block.body for alias in node.names}
    script = f"import {package.__name__} as it; print(*dir(it))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert seen == {name for name in done.stdout.split() if not name.startswith("__")}
    for name in seen:
        assert getattr(package, name) is not None


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import convviz") == []


def test_every_public_name_is_there_and_documented():
    for name in convviz.__all__:
        value = getattr(convviz, name)
        if name != "__version__":
            assert value.__doc__, name
            assert importlib.import_module(value.__module__).__name__.startswith("convviz")


def test_no_function_of_the_command_line_is_longer_than_a_screen():
    """Decisions that need more lines belong into the library."""
    for path in (ROOT / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path.name}: {node.name}"
