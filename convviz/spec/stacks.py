"""Networks read from text, from TOML, or by name."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convviz.errors import SpecError, TextError, UnknownNameError
from convviz.files.paths import quoted
from convviz.files.toml_ import read_toml
from convviz.spec import layers
from convviz.spec.kernels import PROGRAMS
from convviz.spec.layers import Layer
from convviz.spec.network import INPUT, Network, Step, type_of
from convviz.text import in_quotes, printable

# The keys at the top of a TOML file.
_KEYS = ("layer", "classes", "input")

_NETS = Path(__file__).with_name("nets")

_NUMBER = r"-?([0-9]+\.?|[0-9]*\.[0-9]+)(e-?[0-9]{1,2})?"


def parse_layers(text: str) -> Network:
    """Read a stack that is written as text.

    Parameters
    ----------
    text : str
        Layers with bars between them, such as ``conv 10 k3 | relu | maxpool 2``:
        a word, the number that matters most, then letters with numbers (k kernel, s
        stride, p padding, d dilation, g groups, o output padding; ``k3x5`` is 3 high
        and 5 wide) and words (``nobias``, ``same``, ``ceil``, a padding mode).

    Returns
    -------
    Network
        The layers, called by word and number: conv1, relu1, conv2.

    Raises
    ------
    TextError
        If a word is not a layer or an argument; the error holds its position.

    Examples
    --------
    >>> [step.name for step in parse_layers("conv 10 | relu | conv 10 k3").steps]
    ['conv1', 'relu1', 'conv2']
    """
    steps: list[Step] = []
    counts: dict[str, int] = {}
    at = 0
    for part in text.split("|"):
        words = [(at + found.start(), found.group()) for found in re.finditer(r"\S+", part)]
        if not words:
            raise TextError("layers: a layer is missing here.", text, at + len(part) // 2)
        kind, arguments = _read_step(words, text)
        word = kind.spelling.words[0]
        counts[word] = counts.get(word, 0) + 1
        before = steps[-1].name if steps else INPUT
        steps.append(Step(f"{word}{counts[word]}", kind, arguments, (before,)))
        at += len(part) + 1
    return Network(tuple(steps))


def _read_step(words: Sequence[tuple[int, str]], text: str) -> tuple[type[Layer], dict[str, Any]]:
    """Read one layer from its words; each word holds its position."""
    (place, word), *rest = words
    kind = layers.BY_WORD.get(word.lower())
    # In text, every layer reads the one before it.
    if kind is None or kind.joins:
        error = UnknownNameError(
            "layer", word, [known for known, one in layers.BY_WORD.items() if not one.joins]
        )
        raise TextError(f"layers: {error}", text, place)
    spelling = kind.spelling
    arguments: dict[str, Any] = {}
    for index, (at, item) in enumerate(rest):
        name, value = _read_argument(kind, item, text, at=at, first=index == 0)
        if name in arguments:
            raise TextError(f"layers: {name} is given twice.", text, at)
        arguments[name] = value
    arguments = {**spelling.defaults, **arguments}
    if spelling.needed and spelling.first not in arguments:
        raise TextError(f"layers: {word} needs a number, its {spelling.first}.", text, place + len(word))
    return kind, arguments


def _read_argument(kind: type[Layer], item: str, text: str, *, at: int, first: bool) -> tuple[str, Any]:
    """Read one argument."""
    spelling = kind.spelling
    if item.lower() in spelling.flags:
        return spelling.flags[item.lower()]
    if found := re.fullmatch(r"([a-z]?)(-?[0-9]{1,9})(?:x([0-9]{1,9}))?", item, re.ASCII | re.IGNORECASE):
        letter, h, w = found[1].lower(), int(found[2]), found[3]
        name = spelling.letters.get(letter, "") if letter else spelling.first if first else ""
        if name and (w is None or type_of(kind, name) not in (int, float)):
            return name, (h, int(w)) if w is not None else h
    if first and type_of(kind, spelling.first) is float and re.fullmatch(_NUMBER, item, re.ASCII):
        return spelling.first, float(item)
    known = [f"{letter} for {name}" for letter, name in spelling.letters.items()] + list(spelling.flags)
    word = spelling.words[0]
    wrong = f"{word} does not take {item!r} here"
    allowed = f"; it takes {', '.join(known)}" if known else ""
    if spelling.first and first:
        must = "must be" if spelling.needed else "can be"
        wrong = f"the first word after {word} {must} a number, its {spelling.first}, not {item!r}"
        allowed = f"; after {word} may also come {', '.join(known)}" if known else ""
    raise TextError(f"layers: {wrong}{allowed}.", text, at)


def read_net(path: str | Path) -> Network:
    """Read a network from a TOML file.

    Parameters
    ----------
    path : str or Path
        A file with one ``[[layer]]`` per layer: ``type`` is the name of torch, ``name`` what
        it is called, ``from`` one or more layers that it reads (the one before by
        default; "input" is the input), and all else the arguments of torch. Before them may
        stand ``classes``, what the last values stand for, and ``[input]``, options of
        ``convviz run`` that say how a picture is read, such as ``resize = "28x28"``.

    Returns
    -------
    Network
        The layers.

    Raises
    ------
    InputError
        If the file cannot be read, or is not TOML with numbers of the usual size.
    SpecError
        If a layer is wrong; the message names it.
    """
    path = Path(path)
    return network_of(read_toml(path), quoted(path), name=printable(path.stem))


def network_of(document: Mapping[str, Any], where: str, *, name: str = "") -> Network:
    """Make a network from the contents of a TOML file."""
    for key in document:
        if key not in _KEYS:
            raise SpecError(f"{where}: {UnknownNameError('key', key, _KEYS)}")
    tables = document.get("layer")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise SpecError(f"{where}: there is no [[layer]].")
    steps: list[Step] = []
    known = {INPUT}
    for index, table in enumerate(tables):
        arguments = dict(table)
        kind_name = arguments.pop("type", None)
        if not isinstance(kind_name, str):
            raise SpecError(f'{where}: layer {index} has no type, such as type = "Conv2d".')
        kind = layers.BY_NAME.get(kind_name) or layers.BY_WORD.get(kind_name.lower())
        if kind is None:
            raise SpecError(f"{where}: layer {index}: {UnknownNameError('layer', kind_name, layers.BY_NAME)}")
        step_name = arguments.pop("name", f"{kind.spelling.words[0]}{index}")
        inputs = arguments.pop("from", [steps[-1].name if steps else INPUT])
        if not isinstance(step_name, str) or not step_name or step_name in known:
            raise SpecError(f"{where}: layer {index}: the name {step_name!r} is empty or already taken.")
        # Results are stored by these names, in archives whose members they become.
        if not step_name.isprintable() or {"..", "", "__metadata__"} & set(step_name.split("/")):
            raise SpecError(f"{where}: layer {index}: the name {step_name!r} cannot be that of a file.")
        if inputs == []:
            raise SpecError(f"{where}: layer {step_name!r} reads nothing; say what, such as from = 'input'.")
        for other in inputs if isinstance(inputs, list) else [inputs]:
            if not isinstance(other, str) or other not in known:
                raise SpecError(
                    f"{where}: layer {step_name!r} reads {other!r}, which does not come before it."
                )
        arguments = {
            key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()
        }
        chosen = tuple(inputs) if isinstance(inputs, list) else (inputs,)
        steps.append(Step(step_name, kind, arguments, chosen))
        known.add(step_name)
    return Network(tuple(steps), name, _classes(document, where), _reading(document, where))


def _classes(document: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Read the names of the classes."""
    names = document.get("classes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SpecError(f'{where}: classes is a list of names, such as ["cat", "dog"].')
    return tuple(names)


def _reading(document: Mapping[str, Any], where: str) -> dict[str, str]:
    """Read the options for the input."""
    table = document.get("input", {})
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise SpecError(f'{where}: [input] has options as text, such as resize = "28x28".')
    return table


def named_networks() -> tuple[str, ...]:
    """Names of the networks that ship with convviz, without weights.

    Examples
    --------
    >>> named_networks()
    ('alexnet', 'lenet5', 'mobilenet_v2', 'resnet18', 'unet', 'vgg16')
    """
    return tuple(sorted(path.stem for path in _NETS.glob("*.toml")))


def find_net(text: str) -> Network:
    """Find a network by its name, or read a .toml file.

    Raises
    ------
    UnknownNameError
        If there is no network of that name.
    SpecError
        If the file is of a kind that can run code.
    InputError, SpecError
        As for `read_net`.

    Examples
    --------
    >>> len(find_net("lenet5").steps)
    12
    """
    if text.lower().endswith(".toml"):
        return read_net(Path(text))
    if text.lower().endswith(PROGRAMS):
        raise SpecError(
            f"net: {in_quotes(text)} can run any code when it is loaded, so it is not loaded; "
            "give its module and a state dict (--model FILE.py:NAME --weights FILE), "
            "or export it (--net FILE.onnx)."
        )
    if text not in named_networks():
        raise UnknownNameError("network", text, ["FILE.onnx", "FILE.toml", *named_networks()])
    return read_net(_NETS / f"{text}.toml")
