"""Finding kernels by name, for computing, for display and for completion."""

import re
from dataclasses import replace
from typing import NamedTuple

from convviz.errors import SpecError, UnknownNameError
from convviz.spec.geometry import HW
from convviz.spec.kernels.kernel import Kernel, one_line, quoted
from convviz.spec.kernels.parse import FILE_SUFFIXES, KernelRequest, parse_literal, parse_request
from convviz.spec.kernels.presets import FORMULAS, PRESETS, SETS, Formula, Parameter
from convviz.text import plural

_FIXED = {kernel.name: kernel for kernel in PRESETS}
_FORMULAS = {formula.name: formula for formula in FORMULAS}


class Entry(NamedTuple):
    """One row of the list of kernels.

    Parameters
    ----------
    kernel : Kernel
        The kernel; for a formula, with the numbers asked for or its defaults.
    set_name : str
        The set it belongs to, or nothing.
    parameters : tuple of Parameter
        What a formula takes; nothing for fixed values.
    """

    kernel: Kernel
    set_name: str = ""
    parameters: tuple[Parameter, ...] = ()


class Filter(NamedTuple):
    """What one filter was asked to be.

    Parameters
    ----------
    name : str
        What to call it.
    kernels : tuple of Kernel
        One for all channels, or one per channel; all of one size.
    """

    name: str
    kernels: tuple[Kernel, ...]

    @property
    def size(self) -> HW:
        """Rows and columns."""
        return self.kernels[0].size

    def check(self, channels: int) -> None:
        """Refuse kernels for other channels than those that a filter of a layer reads.

        Raises
        ------
        SpecError
            If there are several kernels, and not `channels` of them.
        """
        if len(self.kernels) not in (1, channels):
            raise SpecError(
                f"{one_line(self.name)!r} has kernels for {plural(len(self.kernels), 'channel')}, "
                f"but a filter of this layer reads {channels}."
            )


def preset_names() -> list[str]:
    """List the presets, fixed values first, then formulas, each in table order.

    Examples
    --------
    >>> preset_names()[0], "gaussian" in preset_names()
    ('identity', True)
    """
    return [*_FIXED, *_FORMULAS]


def find(text: str) -> tuple[Kernel, ...]:
    """Look up a preset or a set.

    Parameters
    ----------
    text : str
        A name such as ``sobel-x``; a formula with its numbers, such as
        ``gaussian:sigma=1.5,size=7``; or a set such as ``kirsch``.

    Returns
    -------
    tuple of Kernel
        One kernel, or those of the set in table order. A kernel with numbers is
        named after those that were given.

    Raises
    ------
    UnknownNameError
        If there is no such name.
    SpecError
        If a parameter does not exist or cannot take its number.

    Examples
    --------
    >>> [kernel.name for kernel in find("sobel")]
    ['sobel-x', 'sobel-y']
    >>> find("box:size=2")[0].weights
    ((0.25, 0.25), (0.25, 0.25))
    """
    return tuple(entry.kernel for entry in entries(text))


def resolve(request: KernelRequest) -> tuple[Filter, ...]:
    """Look up names and parse literal values; files are read elsewhere.

    Parameters
    ----------
    request : KernelRequest
        Of any kind but "file".

    Returns
    -------
    tuple of Filter
        Literal values are one filter, and so is one kernel per channel; a preset is
        as for `find`.

    Raises
    ------
    UnknownNameError, SpecError
        As for `find` and `parse_literal`; and if the kernels of one filter differ in size,
        or the name is that of a preset.

    Examples
    --------
    >>> [one.size.w for one in resolve(KernelRequest("1 2 1", "literal"))]
    [3]
    >>> (mine,) = resolve(parse_request("mine=sobel-x | 0 1 0; 1 -4 1; 0 1 0 | box"))
    >>> mine.name, [kernel.name for kernel in mine.kernels]
    ('mine', ['sobel-x', '0,1,0;1,-4,1;0,1,0', 'box'])
    """
    name = request.name
    if name is not None and name in (*_FIXED, *_FORMULAS, *SETS):
        number = (
            f"write {name}:{_FORMULAS[name].parameters[0].name}=… for its numbers, or "
            if name in _FORMULAS
            else ""
        )
        raise SpecError(f"kernel: {name!r} is the name of a preset; {number}choose another name.")
    if request.kind == "channels":
        return (_per_channel(request.what, name),)
    found = (parse_literal(request.what),) if request.kind == "literal" else find(request.what)
    if name is None:
        return tuple(Filter(kernel.name, (kernel,)) for kernel in found)
    if len(found) == 1:
        return (Filter(name, (replace(found[0], name=name),)),)
    return tuple(Filter(f"{name} {index}", (kernel,)) for index, kernel in enumerate(found))


def _per_channel(text: str, name: str | None) -> Filter:
    """Read a filter of one kernel per channel, divided by vertical bars."""
    label = one_line(text if name is None else name)
    kernels: list[Kernel] = []
    for channel, part in enumerate(text.split("|")):
        if not part.strip():
            raise SpecError(
                f"kernel {label}: there is nothing for channel {channel}; write a kernel of zeros there."
            )
        one = parse_request(part)
        if one.kind == "file" or one.channel is not None or one.name is not None:
            raise SpecError(
                f"kernel {label}: put numbers or presets between bars, without @ and =, not {quoted(part)}."
            )
        (found, *others) = resolve(one)
        if others:
            raise SpecError(
                f"kernel {label}: {quoted(part)} is a set of {plural(len(others) + 1, 'kernel')}; "
                "give one kernel per channel."
            )
        kernels += found.kernels
    sizes = [kernel.size for kernel in kernels]
    if len(set(sizes)) > 1:
        raise SpecError(
            f"kernel {label}: the kernels of one filter must have the same size, not "
            f"{', '.join(map(str, sizes))}; surround the smaller ones with zeros."
        )
    return Filter(name or "|".join(kernel.name for kernel in kernels), tuple(kernels))


def entries(text: str | None = None) -> tuple[Entry, ...]:
    """List presets for display.

    Parameters
    ----------
    text : str, optional
        As for `find`; all presets if left out.

    Returns
    -------
    tuple of Entry
        The kernels, in table order, with their sets and parameters.

    Raises
    ------
    UnknownNameError, SpecError
        As for `find`.

    Examples
    --------
    >>> [parameter.name for parameter in entries("gaussian")[0].parameters]
    ['sigma', 'size']
    """
    if text is None:
        fixed = [_fixed_entry(kernel) for kernel in PRESETS]
        return (*fixed, *(Entry(formula.kernel({}), "", formula.parameters) for formula in FORMULAS))
    name, colon, numbers = text.strip().partition(":")
    name = name.strip()
    if name in _FORMULAS:
        formula = _FORMULAS[name]
        given = _read_numbers(formula, numbers) if colon else {}
        return (Entry(formula.kernel(given), "", formula.parameters),)
    found = [_FIXED[name]] if name in _FIXED else [k for k in PRESETS if name in SETS and _set_of(k) == name]
    if not found:
        raise _unknown(name)
    if colon:
        takers = ", ".join(_FORMULAS)
        raise SpecError(
            f"kernel {name} takes no parameters, unlike {takers}; leave out ':{one_line(numbers)}'."
        )
    return tuple(_fixed_entry(kernel) for kernel in found)


def search(text: str) -> tuple[Entry, ...]:
    """List the presets in whose name, set, description or source every word of a text begins a word.

    Parameters
    ----------
    text : str
        Words, in capitals or small letters.

    Returns
    -------
    tuple of Entry
        As `entries` lists them; nothing where no preset has all of the words.

    Examples
    --------
    >>> [entry.kernel.name for entry in search("unsharp")]
    ['unsharp']
    """
    # Not in the middle of a word: "all" is not meant to find "nearly".
    words = [re.compile(rf"(?<!\w){re.escape(word)}", re.IGNORECASE) for word in text.split()]

    def told(entry: Entry) -> str:
        about = SETS.get(entry.set_name, "")
        return " ".join((entry.kernel.name, entry.kernel.about, entry.kernel.source, about))

    return tuple(entry for entry in entries() if words and all(word.search(told(entry)) for word in words))


class Listed(NamedTuple):
    """What was found for a text.

    Parameters
    ----------
    entries : tuple of Entry
        The kernels.
    many : bool
        Whether they are a list to choose from: all presets, or those with a word.
    """

    entries: tuple[Entry, ...]
    many: bool


def kernels(text: str | None = None) -> Listed:
    """List the presets, or find kernels by a name, by their values, or by a word.

    Parameters
    ----------
    text : str, optional
        A preset, a set or a formula, as for `find`; kernel values; or a word that names, sets,
        descriptions and sources are searched for. All presets if left out.

    Returns
    -------
    Listed
        The kernels, and whether they are a list to choose from.

    Raises
    ------
    UnknownNameError
        If the text is no name, and no preset has the word.
    SpecError
        If a parameter does not exist or cannot take its number.

    Examples
    --------
    >>> [entry.kernel.name for entry in kernels("sobel").entries]
    ['sobel-x', 'sobel-y']
    >>> kernels("unsharp mask").many
    True
    """
    if text is None:
        return Listed(entries(), many=True)
    request = parse_request(text)
    try:
        if request.kind == "literal":
            return Listed((Entry(parse_literal(text)),), many=False)
        if request.kind == "preset" and request.name is None:
            return Listed(entries(text), many=False)
        return Listed(tuple(Entry(one) for found in resolve(request) for one in found.kernels), many=False)
    except UnknownNameError:
        if found := search(text):
            return Listed(found, many=True)
        raise


def complete(incomplete: str) -> list[tuple[str, str]]:
    """Offer the ways in which the name of a kernel can go on, for shells.

    Parameters
    ----------
    incomplete : str
        What has been typed.

    Returns
    -------
    list of (str, str)
        Texts that begin with it, each with one line of help: names of presets and
        sets or, after a formula and its colon, the parameters not yet given.

    Examples
    --------
    >>> complete("scharr-x")
    [('scharr-x', 'edges where brightness rises to the right, nearly alike in all directions')]
    >>> [text for text, _ in complete("gaussian:sigma=2,")]
    ['gaussian:sigma=2,size=']
    """
    name, colon, numbers = incomplete.partition(":")
    if colon:
        if name not in _FORMULAS:
            return []
        done, comma, begun = numbers.rpartition(",")
        given = {part.partition("=")[0] for part in done.split(",")}
        return [
            (f"{name}:{done}{comma}{parameter.name}=", f"{parameter.about} [{parameter.default_text}]")
            for parameter in _FORMULAS[name].parameters
            if parameter.name not in given and f"{parameter.name}=".startswith(begun)
        ]
    rows = [(name, about) for name, about in SETS.items()]
    rows += [(kernel.name, kernel.about) for kernel in PRESETS]
    rows += [(formula.name, formula.about) for formula in FORMULAS]
    return [row for row in rows if row[0].startswith(incomplete)]


def _fixed_entry(kernel: Kernel) -> Entry:
    """Make the row of a kernel with fixed values."""
    return Entry(kernel, _set_of(kernel))


def _set_of(kernel: Kernel) -> str:
    """Name the set of a kernel: what stands before the last hyphen, if that is one."""
    prefix = kernel.name.rpartition("-")[0]
    return prefix if prefix in SETS else ""


def _read_numbers(formula: Formula, text: str) -> dict[str, float]:
    """Read ``sigma=1.5,size=7``."""
    given: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not number:
            example = formula.parameters[0].name
            raise SpecError(
                f"kernel {formula.name}: expected parameter=number, such as {example}=3, not {quoted(part)}."
            )
        if name in given:
            raise SpecError(f"kernel {formula.name}: {one_line(name)} is given twice; give it once.")
        given[name] = _read_number(formula, name, number)
    return given


def _read_number(formula: Formula, name: str, text: str) -> float:
    """Read one finite number."""
    try:
        value = float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        value = float("nan")
    if value - value != 0:  # nan and both infinities
        raise SpecError(
            f"kernel {formula.name}: {one_line(name)} must be a finite number, not {quoted(text)}."
        )
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _unknown(name: str) -> SpecError | UnknownNameError:
    """Describe a missing kernel, and suggest what was probably meant."""
    if any(mark in name for mark in "./\\"):
        endings = f"{', '.join(FILE_SUFFIXES[:-1])} or {FILE_SUFFIXES[-1]}"
        return SpecError(
            f"no kernel named {quoted(name)}, and no file of numbers either: those end in {endings}."
        )
    about = [entry.kernel.name for entry in search(name)]
    return UnknownNameError("kernel", name[:40], about or preset_names(), also=[*SETS, *preset_names()])
