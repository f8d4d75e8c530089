"""Load torch modules by name, and weights into them; only this part runs other people's code."""

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import nn

from convviz.compute.networks.foreign import foreign
from convviz.errors import InputError, SpecError, UnknownNameError
from convviz.files.checkpoints import READABLE, Checkpoint
from convviz.files.paths import quoted
from convviz.spec.kernels import PROGRAMS
from convviz.text import plural, printable

Loaded = TypeVar("Loaded")

# Arguments that avoid a download of weights, for functions that have such parameters.
_WITHOUT_WEIGHTS = {"weights": None, "weights_backbone": None, "pretrained": False}
# The operators that torchvision registers a shape for, and the libraries that declare them here. An
# operator exists only as long as its library does.
_REGISTERED = re.compile(r'register_(?:meta|fake)\("(?:torchvision::)?(\w+)"')
_DECLARED: list[torch.library.Library] = []
# Counters that evaluation never reads.
_NOT_NEEDED = ("num_batches_tracked",)


def load_model(text: str, *, seed: int = 0) -> nn.Module:
    """Import a torch module, as `convviz.compute.networks.load_model` describes it."""
    where, colon, name = text.rpartition(":")
    if not colon or not where or not name:
        raise SpecError(
            f"model: expected FILE.py:NAME or package.module:NAME, such as model.py:Network, "
            f"not {printable(text)!r}."
        )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return _loaded(_imported(where), where, name)


def _loaded(found: Any, where: str, name: str) -> nn.Module:
    """Find the torch module in an imported file or package, or make it."""
    for part in name.split("."):
        if not hasattr(found, part):
            known = [one for one, value in vars(found).items() if callable(value) and one[:1] != "_"]
            raise UnknownNameError(f"model in {printable(where)}", name, known)
        found = getattr(found, part)
    return found if isinstance(found, nn.Module) else _called(found, f"{where}:{name}")


def _imported(where: str) -> ModuleType:
    """Import a file, or a module of a package; it can import its neighbours."""
    path = Path(where)
    what = f"model: {printable(where)!r} cannot be imported"
    if path.suffix in (*READABLE, *PROGRAMS):
        raise SpecError(
            f"model: {printable(where)!r} is not a Python file; give its class or function as model, "
            "and this file as weights."
        )
    if path.suffix != ".py":
        with _first_on_path(Path.cwd()), foreign(what):
            return _declaring(lambda: importlib.import_module(where))
    if not path.is_file():
        raise InputError(f"cannot read {quoted(path)}: there is no such file; check the path.")
    # The name is unique: two files may have the same name, and a package may have it too.
    name = f"{path.stem}_of_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _first_on_path(path.resolve().parent), foreign(what):
        sys.modules[name] = module  # dataclasses look for it there
        loader = spec.loader
        _declaring(lambda: loader.exec_module(module))
    return module


def _declaring(load: Callable[[], Loaded]) -> Loaded:
    """Import models of torchvision even if its compiled part does not fit this torch.

    The models are plain Python; the compiled part only computes boxes. If it does not fit, the
    import fails at the first missing operator. After the operators are declared, it succeeds.
    """
    try:
        return load()
    except RuntimeError as error:
        package = importlib.util.find_spec("torchvision")
        if "operator torchvision::" not in str(error) or package is None or package.origin is None:
            raise
    text = Path(package.origin).with_name("_meta_registrations.py").read_text(encoding="utf-8")
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # no types
    for name in sorted({"nms", *_REGISTERED.findall(text)}):
        library.define(f"{name}(Tensor a) -> Tensor")  # type: ignore[no-untyped-call]  # likewise
    _DECLARED.append(library)
    return load()


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """Let Python import modules from a folder, as it does for a program in that folder."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _called(make: Any, text: str) -> nn.Module:
    """Call the function or class that makes a module."""
    what = f"model: {printable(text)!r}"
    if not callable(make):
        raise SpecError(
            f"{what} is no torch.nn.Module, and nothing that makes one, but {type(make).__name__}."
        )
    try:
        parameters: Mapping[str, inspect.Parameter] = inspect.signature(make).parameters
    except (TypeError, ValueError):  # made by C
        parameters = {}
    given = {name: value for name, value in _WITHOUT_WEIGHTS.items() if name in parameters}
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [
        one.name
        for one in parameters.values()
        if one.default is one.empty and one.kind not in free and one.name not in given
    ]
    if needed:
        raise SpecError(
            f"{what} needs {plural(len(needed), 'argument')} ({', '.join(needed[:6])}); write a function "
            "that needs none and returns the module, such as def make(): return Network(10)."
        )
    with foreign(f"{what} cannot be made"):
        made = make(**given)
    if not isinstance(made, nn.Module):
        raise SpecError(f"{what} gives {type(made).__name__}; expected a torch.nn.Module.")
    return made


def load_weights(module: nn.Module, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Load weights into a torch module, as `convviz.compute.networks.load_weights` describes it."""
    wanted = {
        name: tensor
        for name, tensor in module.state_dict(keep_vars=True).items()
        if isinstance(tensor, torch.Tensor) and _is_needed(name)
    }
    held = {**checkpoint.arrays, **checkpoint.parts}
    pairs, remarks = _paired(wanted, held, checkpoint.name)
    for name, key in pairs.items():
        if tuple(held[key].shape) != tuple(wanted[name].shape):
            raise InputError(
                f"{checkpoint.name}: {printable(key)!r} has the shape {tuple(held[key].shape)}, "
                f"but {printable(name)!r} of the model has {tuple(wanted[name].shape)}."
            )
    with torch.no_grad():
        for name, key in pairs.items():
            wanted[name].copy_(torch.from_numpy(held[key].copy()))
    used = set(pairs.values())
    left = [
        one
        for one in checkpoint.arrays
        if one not in used and _is_needed(one) and not _is_whole_of(one, used)
    ]
    if left:
        remarks.append(f"the model does not use these arrays of {checkpoint.name}: {_some(left)}")
    return tuple(remarks)


def _is_needed(name: str) -> bool:
    """Return whether evaluation reads an array."""
    return name.rpartition(".")[2] not in _NOT_NEEDED


def _is_whole_of(name: str, used: set[str]) -> bool:
    """Return whether a weight is composed of parts that were loaded themselves."""
    before, dot, last = name.rpartition(".")
    return any(one.startswith((f"{name}_", f"{before}{dot}parametrizations.{last}.")) for one in used)


def _paired(
    wanted: Mapping[str, torch.Tensor], held: Mapping[str, NDArray[Any]], where: str
) -> tuple[dict[str, str], list[str]]:
    """Find the array for every name of a module, with remarks if the names differ."""
    if all(name in held for name in wanted):
        return {name: name for name in wanted}, []
    # Prefixes of the module's names in the file, and of the file's names in the module.
    before = Counter(head for key in held for head, tail in _splits(key) if tail in wanted)
    beyond = Counter(head for name in wanted for head, tail in _splits(name) if tail in held)
    fitting = [head for head, count in before.items() if count == len(wanted)]
    if len(fitting) > 1:
        raise InputError(
            f"{where} holds the model {len(fitting)} times, behind "
            f"{', '.join(printable(repr(one)) for one in fitting[:6])}; store one of them alone."
        )
    if fitting:
        head = fitting[0]
        return {name: f"{head}{name}" for name in wanted}, [
            f"the names of {where} are those of the model behind {printable(head)!r}"
        ]
    for head, count in beyond.items():
        if count == len(wanted):
            return {name: name.removeprefix(head) for name in wanted}, [
                f"the names of the model are those of {where} behind {printable(head)!r}"
            ]
    if before or beyond:
        head = before.most_common(1)[0][0] if before else ""
        missing = [name for name in wanted if f"{head}{name}" not in held]
        raise InputError(
            f"{where} lacks {plural(len(missing), 'array')} of the model: {_some(missing)}; "
            "use the model that the weights were saved from."
        )
    return _in_order(wanted, held, where)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Split a name before each of its parts.

    Examples
    --------
    >>> list(_splits("module.conv.weight"))
    [('', 'module.conv.weight'), ('module.', 'conv.weight'), ('module.conv.', 'weight')]
    """
    parts = name.split(".")
    for at in range(len(parts)):
        head = "".join(f"{part}." for part in parts[:at])
        yield head, name[len(head) :]


def _in_order(
    wanted: Mapping[str, torch.Tensor], held: Mapping[str, NDArray[Any]], where: str
) -> tuple[dict[str, str], list[str]]:
    """Pair arrays by their order if no name matches and every shape does."""
    keys = [one for one in held if _is_needed(one)]
    shapes = [tuple(held[one].shape) for one in keys]
    if shapes != [tuple(one.shape) for one in wanted.values()]:
        raise InputError(
            f"{where} holds no array with a name of the model, and its arrays cannot be taken in order, "
            "because their number or their shapes differ: "
            f"the file has {plural(len(keys), 'array')} ({_some(keys)}), the model {len(wanted)} "
            f"({_some(list(wanted))}); use the model that the weights were saved from."
        )
    pairs = dict(zip(wanted, keys, strict=True))
    told = ", ".join(f"{printable(name)} = {printable(key)}" for name, key in pairs.items())
    return pairs, [f"no name of the model is in {where}, so its arrays are taken in order: {told}"]


def _some(names: list[str]) -> str:
    """List names; only the first ones if there are many."""
    return ", ".join(map(printable, names[:6])) + (f" … ({len(names)} in all)" if len(names) > 6 else "")
