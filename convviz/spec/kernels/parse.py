"""Parse kernels written as numbers, and the text after ``--kernel``."""

import re
from pathlib import Path
from typing import Literal, NamedTuple

from convviz.errors import SpecError
from convviz.spec.kernels.kernel import Kernel, one_line, quoted

Kind = Literal["preset", "literal", "file", "channels"]

FILE_SUFFIXES = (".json", ".csv", ".npy", ".npz", ".safetensors")

# Files that hold pickles or TorchScript, which can run code.
PROGRAMS = (".pt", ".pth", ".pt2", ".pkl", ".pickle", ".ckpt", ".ts", ".torchscript")

# A name before an equals sign; `gaussian:sigma=2` and `runs/lr=0.1/k.npy` do not have one.
_NAMED = re.compile(r"([^\W\d][^=:/\\|@;,\n]*?)\s*=\s*(.+)", re.DOTALL)

# A comma without spaces around it; ambiguous in a row that also has spaces, as in `1,2,3 4,5,6`.
_TIGHT_COMMA = re.compile(r"\S,\S")

# A text that could be a kernel size: `3`, `3x3` or `3,3`.
_SIZE = re.compile(r"([1-9][0-9]?)(?:[x,]([1-9][0-9]?))?", re.IGNORECASE)

_CHANNELS = {"R": 0, "G": 1, "B": 2, "A": 3}
_MINUS = "\N{MINUS SIGN}"  # used by web pages and word processors


class KernelRequest(NamedTuple):
    """The request of one ``--kernel``; nothing has been looked up or read yet.

    Parameters
    ----------
    what : str
        A preset or set name, literal values, the path of a file, or one preset or
        literal per channel.
    kind : {"preset", "literal", "file", "channels"}
        Which of the four it is.
    channel : int or None
        Index of the only channel the kernel reads; None for all channels.
    name : str or None
        The name of the filter; None for its default name.
    """

    what: str
    kind: Kind
    channel: int | None = None
    name: str | None = None


def parse_request(text: str) -> KernelRequest:
    """Recognise a preset, literal values or a file, and split off the name and the channel.

    Parameters
    ----------
    text : str
        ``WHAT``, ``WHAT@CHANNEL`` or ``NAME=WHAT``; a channel is R, G, B, A or an
        index from 0. WHAT is a file if it ends in one of `FILE_SUFFIXES`; an equals
        sign is part of the path if such a file exists. WHAT is a filter with one
        kernel per channel if it contains ``|``. It is literal values if it starts with a
        digit, a sign, a point or a bracket, or contains a semicolon or a line break.
        Otherwise it is a preset.

    Returns
    -------
    KernelRequest
        Its parts. Only the text after the last ``@`` can be a channel, so
        ``me@home.csv`` is a file and ``me@home.csv@R`` reads it for the first channel.

    Raises
    ------
    SpecError
        If there is no text, the text after ``@`` is not a channel, or the file is of a
        kind that can run code.

    Examples
    --------
    >>> parse_request("sobel-x@R")
    KernelRequest(what='sobel-x', kind='preset', channel=0, name=None)
    >>> parse_request("0 1 0; 1 -4 1; 0 1 0").kind, parse_request("learned.npz").kind
    ('literal', 'file')
    >>> parse_request("mine = 1 0 | 0 1")
    KernelRequest(what='1 0 | 0 1', kind='channels', channel=None, name='mine')
    """
    # Files written on Windows may start with a byte order mark, which is copied along with their text.
    what, channel, name = text.removeprefix("\ufeff").strip(), None, None
    head, at, tail = what.rpartition("@")
    if at:
        channel = _channel(tail.strip())
        if channel is not None:
            what = head.strip()
        elif not what.lower().endswith(FILE_SUFFIXES):
            raise SpecError(
                f"kernel {one_line(what)}: '@{one_line(tail)}' names no channel; "
                "write @R, @G, @B, @A or an index such as @0."
            )
    if what.lower().endswith(PROGRAMS):
        raise SpecError(
            f"kernel {one_line(what)}: such a file can run any code when it is loaded, so it is not read; "
            "store the weight as .safetensors or .npy, or take a state dict by --weights FILE --layer NAME."
        )
    if not what:
        raise SpecError(
            "a kernel needs a name, numbers or a file, such as sobel-x or '0 1 0; 1 -4 1; 0 1 0'."
        )
    named = _NAMED.fullmatch(what)
    if named and named[1].isprintable() and not _is_path(what, named[2]):
        name, what = named[1], named[2]
    kind = _kind(what)
    if kind == "preset" and "=" in what.partition(":")[0]:
        raise SpecError(
            f"kernel {one_line(what)}: a name in front of '=' must begin with a letter and must not contain "
            "any of : / | @ ; and ',', such as mine=sobel-x."
        )
    if kind == "channels" and channel is not None:
        raise SpecError(
            f"kernel {one_line(what)}: it has a kernel for every channel; leave out '@{one_line(tail)}'."
        )
    return KernelRequest(what, kind, channel, name)


def could_be_size(request: KernelRequest) -> str | None:
    """Return an explanation if the user may have meant a kernel of one or two numbers as a kernel size.

    Examples
    --------
    >>> print(could_be_size(parse_request("3")))
    the kernel '3' is one weight of value 3; for kernels of 3x3 give --kernel-size 3 ([3] is one weight)
    >>> could_be_size(parse_request("[3]")), could_be_size(parse_request("-1 1"))
    (None, None)
    """
    found = _SIZE.fullmatch(request.what) if request.kind == "literal" else None
    if found is None or request.name is not None or request.channel is not None:
        return None
    h, w = found[1], found[2]
    if w is None:
        what, size, again = f"one weight of value {h}", f"{h}x{h}", f"[{h}] is one weight"
    else:
        what, size, again = f"one row of {h} and {w}", f"{h}x{w}", f"[{h}, {w}] is one row"
    remedy = f"for kernels of {size} give --kernel-size {request.what} ({again})"
    return f"the kernel {request.what!r} is {what}; {remedy}"


def _is_path(text: str, behind: str) -> bool:
    """Return whether a whole text with an equals sign is the path of a file, not a name and a file."""
    if _kind(text) != "file":
        return False
    try:
        return Path(text).exists() or not Path(behind).exists()
    except (OSError, ValueError):  # no file can have this name
        return True


def _channel(text: str) -> int | None:
    """Read a channel's letter or index; None if it is neither."""
    if text.isascii() and text.isdigit() and len(text) <= 6:
        return int(text)
    return _CHANNELS.get(text.upper())


def _kind(what: str) -> Kind:
    """Return the kind of a text, from its end, its beginning and its separators."""
    if what.lower().endswith(FILE_SUFFIXES):
        return "file"
    if "|" in what:
        return "channels"
    begins_as_number = what[0].isdigit() or what[0] in "+-.[" + _MINUS
    return "literal" if begins_as_number or ";" in what or "\n" in what else "preset"


def parse_literal(text: str, name: str | None = None) -> Kernel:
    """Read a kernel from its numbers.

    Parameters
    ----------
    text : str
        Rows from top to bottom, separated by semicolons or line breaks; each row has
        numbers from left to right, separated by spaces, a comma or both. Nested brackets,
        as Python, JSON and numpy print them, are also accepted. ``1/9`` without spaces is
        one value. A slash between spaces before the last number divides the whole
        kernel: ``1 2 1; 2 4 2; 1 2 1 / 16``. A slash with a space on only one side is
        ambiguous and is refused.
    name : str, optional
        The name of the kernel; by default the text without its spaces.

    Returns
    -------
    Kernel
        The kernel values, applied as cross-correlation like all kernels; whole numbers stay whole.

    Raises
    ------
    SpecError
        If something is not a finite number, a row is empty, the rows differ in
        length, or a slash is ambiguous. The message counts rows and columns from 1.

    Examples
    --------
    >>> kernel = parse_literal("1 2 1; 2 4 2; 1 2 1 / 16")
    >>> kernel.values, kernel.divisor, kernel.name
    (((1, 2, 1), (2, 4, 2), (1, 2, 1)), 16, '1,2,1;2,4,2;1,2,1 / 16')
    >>> parse_literal("[[0, 1], [-1, 0]]").values
    ((0, 1), (-1, 0))
    """
    label = one_line(text if name is None else name) or "''"
    if "x" in text.lower() and _SIZE.fullmatch(text.strip()):
        raise SpecError(f"kernel {label}: this is a size, not kernel values; give --kernel-size {label}.")
    try:
        body, divided_by = _split_divisor(text.replace(_MINUS, "-").strip())
        tokens = [_tokens(line, row) for row, line in enumerate(_lines(body), 1)]
        values = tuple(
            tuple(_number(token, f"row {row}, column {column}") for column, token in enumerate(line, 1))
            for row, line in enumerate(tokens, 1)
        )
        divisor = 1 if divided_by is None else _plain(divided_by, "the divisor")
    except SpecError as error:
        raise SpecError(f"kernel {label}: {error}") from None
    if name is None:
        name = ";".join(",".join(line) for line in tokens)
        name += "" if divided_by is None else f" / {divided_by}"
    return Kernel(name, values, divisor)


def _split_divisor(text: str) -> tuple[str, str | None]:
    """Split off the divisor of the whole kernel: the last number, after a slash between spaces."""
    words = text.split()
    for word in words:
        if word != "/" and (word.startswith("/") or word.endswith("/")):
            raise SpecError(
                f"{quoted(word)} has a space on one side of the slash; "
                "write 1/9 for one value, or ' / 9' at the end to divide them all."
            )
    if "/" not in words:
        return text, None
    if len(words) < 3 or words.index("/") != len(words) - 2:
        raise SpecError(
            "a slash with a space on each side divides the whole kernel, so it may appear only once, before "
            "the last number; write 1/9 without spaces for one value."
        )
    return text.rsplit(None, 2)[0], words[-1]


def _lines(body: str) -> list[str]:
    """Split the text of a kernel into rows."""
    if not body:
        raise SpecError("there are no numbers; write rows such as '0 1 0; 1 -4 1; 0 1 0'.")
    if body.startswith("["):
        body = _without_brackets(body)
    lines = []
    for part in body.split(";"):
        filled = [line for line in part.splitlines() if line.strip()]
        lines += filled or [""]
    return lines


def _without_brackets(body: str) -> str:
    """Rewrite ``[[1, 2], [3, 4]]`` or ``[1 2; 3 4]`` with semicolons only."""
    unbalanced = SpecError("the brackets do not match; write [[1, 2], [3, 4]] or 1 2; 3 4.")
    inside = body[1:-1].strip()
    if not body.endswith("]") or len(body) < 2:
        raise unbalanced
    rows = [inside]
    if inside.startswith("["):
        if not inside.endswith("]"):
            raise unbalanced
        first, *others = inside[1:-1].split("]")
        rows = [" ".join(first.split())]
        for other in others:
            gap, bracket, row = other.partition("[")
            if not bracket or gap.strip() not in ("", ","):
                raise unbalanced
            rows.append(" ".join(row.split()))
        if any(";" in row for row in rows):
            raise unbalanced
    if any(bracket in row for row in rows for bracket in "[]"):
        raise unbalanced
    return ";".join(rows)


def _tokens(line: str, row: int) -> list[str]:
    """Split a row into the texts of its numbers."""
    if not line.strip():
        raise SpecError(f"row {row} is empty; leave out the separator, or write its numbers.")
    tokens: list[str] = []
    cells = [cell.split() for cell in line.split(",")]
    if _TIGHT_COMMA.search(line) and any(len(words) > 1 for words in cells):
        rows = "; ".join(line.split())
        raise SpecError(
            f"row {row} has commas without spaces and spaces without commas, so {quoted(line)} could be one "
            f"row or several; write {quoted(rows)} for several, or one separator alone for one row."
        )
    for words in cells:
        if not words:
            raise SpecError(
                f"row {row}, column {len(tokens) + 1} is empty; write a number before and after every comma."
            )
        tokens += words
    return tokens


def _number(token: str, where: str) -> float:
    """Read one value: a plain number or a fraction of two numbers."""
    over, slash, under = token.partition("/")
    if not slash:
        return _plain(token, where)
    numerator, denominator = _plain(over, where, of=token), _plain(under, where, of=token)
    if denominator == 0:
        raise SpecError(f"{where} divides by 0 in {quoted(token)}.")
    return numerator / denominator


def _plain(token: str, where: str, *, of: str | None = None) -> float:
    """Read one finite decimal number; `of` is the longer text it is part of."""
    wrong = SpecError(f"{where} must be a finite number, such as 2, -0.5 or 1e-3, not {quoted(of or token)}.")
    if not token.isascii() or "_" in token:
        raise wrong
    try:
        value = float(token)
    except ValueError:
        raise wrong from None
    if value - value != 0:  # NaN and both infinities
        raise wrong
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
