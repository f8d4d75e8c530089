"""Find kernels by name, for computing, for display and for completion."""

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
        The kernel; that of a formula has the requested numbers or the defaults.
    set_name : str
        The set it belongs to; empty if none.
    parameters : tuple of Parameter
        The parameters of a formula; empty for fixed values.
    """

    kernel: Kernel
    set_name: str = ""
    parameters: tuple[Parameter, ...] = ()


class Filter(NamedTuple):
    """One filter as requested.

    Parameters
    ----------
    name : str
        The name of the filter.
    kernels : tuple of Kernel
        One for all channels, or one per channel; all have the same size.
    """

    name: str
    kernels: tuple[Kernel, ...]

    @property
    def size(self) -> HW:
        """Rows and columns."""
        return self.kernels[0].size

    def check(self, channels: int) -> None:
        """Refuse kernels if their number does not fit the channels that a filter of a layer reads.

        Raises
        ------
        SpecError
            If there are several kernels, but not exactly `channels` of them.
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
        One kernel, or those of the set in table order. The name of a kernel with
        parameters includes the numbers given.

    Raises
    ------
    UnknownNameError
        If the name does not exist.
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
        Literal values give one filter, and so does one kernel per channel; a preset gives
        what `find` returns.

    Raises
    ------
    UnknownNameError, SpecError
        As for `find` and `parse_literal`; also if the kernels of one filter differ in size,
        or the name given to a filter is that of a preset.

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
    """Read a filter with one kernel per channel, separated by vertical bars."""
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
    """List the presets where every given word begins a word of the name, set, description or source.

    Parameters
    ----------
    text : str
        Words, in upper or lower case.

    Returns
    -------
    tuple of Entry
        As `entries` lists them; empty if no preset has all words.

    Examples
    --------
    >>> [entry.kernel.name for entry in search("unsharp")]
    ['unsharp']
    """
    # Only at the start of a word: "all" must not find "actually".
    words = [re.compile(rf"(?<!\w){re.escape(word)}", re.IGNORECASE) for word in text.split()]

    def told(entry: Entry) -> str:
        about = SETS.get(entry.set_name, "")
        return " ".join((entry.kernel.name, entry.kernel.about, entry.kernel.source, about))

    return tuple(entry for entry in entries() if words and all(word.search(told(entry)) for word in words))


class Listed(NamedTuple):
    """The kernels found for a text.

    Parameters
    ----------
    entries : tuple of Entry
        The kernels.
    many : bool
        Whether they are a list to choose from: all presets, or those that match a word.
    """

    entries: tuple[Entry, ...]
    many: bool


def kernels(text: str | None = None) -> Listed:
    """List the presets, or find kernels by a name, by their values, or by a word.

    Parameters
    ----------
    text : str, optional
        A preset, a set or a formula, as for `find`; kernel values; or a word to search for in
        names, sets, descriptions and sources. All presets if left out.

    Returns
    -------
    Listed
        The kernels, and whether they are a list to choose from.

    Raises
    ------
    UnknownNameError
        If the text is not a name, and no preset has the word.
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
    """List possible completions of a kernel name, for shells.

    Parameters
    ----------
    incomplete : str
        The text typed so far.

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
    """Return the row of a kernel with fixed values."""
    return Entry(kernel, _set_of(kernel))


def _set_of(kernel: Kernel) -> str:
    """Return the set of a kernel: the text before the last hyphen, if that is a set."""
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
    if value - value != 0:  # NaN and both infinities
        raise SpecError(
            f"kernel {formula.name}: {one_line(name)} must be a finite number, not {quoted(text)}."
        )
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _unknown(name: str) -> SpecError | UnknownNameError:
    """Return an error for an unknown kernel, with a suggestion of what was probably meant."""
    if any(mark in name for mark in "./\\"):
        endings = f"{', '.join(FILE_SUFFIXES[:-1])} or {FILE_SUFFIXES[-1]}"
        return SpecError(
            f"no kernel named {quoted(name)}, and no file of numbers either: those end in {endings}."
        )
    about = [entry.kernel.name for entry in search(name)]
    return UnknownNameError("kernel", name[:40], about or preset_names(), also=[*SETS, *preset_names()])
