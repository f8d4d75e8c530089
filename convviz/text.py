"""Small pieces of text that more than one part shows."""

import math
import textwrap
from collections.abc import Sequence

# Of a sum with more decimals every term is written by itself.
_MOST_DECIMALS = 12


def printable(text: str) -> str:
    r"""Escape what a terminal would act upon: control, format and surrogate characters.

    Parameters
    ----------
    text : str
        Text from outside: a file name, metadata, a message of another library.

    Returns
    -------
    str
        The text on one line, each such character written as an escape.

    Examples
    --------
    >>> print(printable("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def in_quotes(text: object) -> str:
    r"""Quote and escape a name from outside for a message.

    Examples
    --------
    >>> print(in_quotes("conv\x1b"))
    'conv\x1b'
    """
    return f"'{printable(str(text))}'"


# Where Python's own exceptions are defined; the words of a library's own say what is wrong with a file.
_OF_PYTHON = ("binascii", "builtins", "struct", "tokenize")


def because(error: BaseException, *, most: int = 100) -> str:
    """Return the words of another library's error in brackets, if they are meant for people.

    Parameters
    ----------
    error : BaseException
        What was caught.
    most : int
        Characters to show at most.

    Returns
    -------
    str
        A space and the words in brackets, escaped; nothing for what Python raises
        itself, which speaks of programs and not of files.

    Examples
    --------
    >>> because(OSError("image file is truncated")), because(ValueError("invalid literal for int()"))
    (' (image file is truncated)', '')
    """
    if isinstance(error, OSError) and error.strerror:
        words = error.strerror.lower()
    elif isinstance(error, OSError | SyntaxError | NotImplementedError):  # as Pillow uses them
        words = str(error)
    else:
        words = "" if type(error).__module__ in _OF_PYTHON else str(error)
    return f" ({words})" if (words := printable(words)[:most].rstrip(". ")) else ""


def wrapped(line: str, width: int) -> list[str]:
    """Break a line between words, as a narrow terminal would not; what is longer than a line stays whole.

    Examples
    --------
    >>> wrapped("sum -0.01333  0.004857", 16)
    ['sum -0.01333', '    0.004857']
    """
    if len(line) <= width:
        return [line]
    return textwrap.wrap(
        line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def number(value: float, *, digits: int = 4) -> str:
    """Write a number in few characters: whole ones whole, others with `digits` significant digits.

    What is infinite or no number is written as ``inf`` and ``nan``.

    Examples
    --------
    >>> number(18.0), number(-0.123456), number(-0.0)
    ('18', '-0.1235', '0')
    """
    if value == 0:
        return "0"
    if math.isfinite(value) and value == int(value) and abs(value) < 1e7:
        return str(int(value))
    return f"{value:.{digits}g}"


def sum_words(
    terms: Sequence[float], total: float, *, digits: int = 4, largest: float = 0.0
) -> tuple[list[str], str, bool]:
    """Write the terms of a sum and the sum with equally many decimals, to be added by hand.

    Parameters
    ----------
    terms : sequence of float
        The terms.
    total : float
        Their sum.
    digits : int
        The least number of significant digits of the largest number, unless fewer say all of it; up to two
        more are written where the rounded terms would not add up to the rounded sum.
    largest : float
        The largest number of other sums that have the same decimals.

    Returns
    -------
    (list of str, str, bool)
        The terms, the sum, and whether what is written adds up.

    Examples
    --------
    >>> sum_words([-0.04719, 0.1, -0.193976], -0.141166)
    (['-0.0472', '0.1000', '-0.1940'], '-0.1412', True)
    >>> sum_words([0.5, 2], 2.5), sum_words([1 / 3] * 3, 1)
    ((['0.5', '2.0'], '2.5', True), (['0.333', '0.333', '0.333'], '1.000', False))
    """
    values = [*terms, total]
    peak = max(largest, *map(abs, values))
    decimals = digits - 1 - math.floor(math.log10(peak)) if 0 < peak < math.inf else 0
    if not all(map(math.isfinite, values)) or decimals > _MOST_DECIMALS:
        words = [number(value, digits=digits) for value in values]
        return words[:-1], words[-1], False
    least = max(decimals, 0)
    # What is left over is the rounding of float64.
    whole = (
        of for of in range(least) if all(abs(round(value, of) - value) <= 1e-12 * peak for value in values)
    )
    found = [_with_decimals(values, of) for of in (next(whole, least), least, least + 1, least + 2)]
    *parts, result = next((words for words in found if _adds_up(words)), found[1])
    return parts, result, _adds_up([*parts, result])


def _with_decimals(values: Sequence[float], decimals: int) -> list[str]:
    """Write numbers with a number of decimals, and no minus before zero."""
    return [f"{round(value, decimals) + 0.0:.{decimals}f}" for value in values]


def _adds_up(words: Sequence[str]) -> bool:
    """Add up all but the last number, as they are written, and compare with the last one."""
    *parts, result = (int(word.replace(".", "")) for word in words)
    return sum(parts) == result


def equation(terms: Sequence[str], total: str, *, exact: bool) -> str:
    """Write a sum; a single term is named as the sum, not as equal to itself.

    Examples
    --------
    >>> equation(["0.5"], "0.5", exact=True)
    'the sum is 0.5'
    >>> equation(["1", "-0.5 (bias)"], "0.5", exact=True)
    '1 - 0.5 (bias) = 0.5'
    """
    if list(terms) == [total]:
        return f"the sum is {total}"
    return f"{' + '.join(terms).replace('+ -', '- ')} = {total}" + ("" if exact else " (terms rounded)")


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "map"), plural(1920, "map"), plural(6, "bias")
    ('1 map', '1,920 maps', '6 biases')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def listed(words: Sequence[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> listed(["stride"]), listed(["stride", "padding"]), listed(["stride", "padding", "dilation"])
    ('stride', 'stride and padding', 'stride, padding and dilation')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def channel_label(name: str) -> str:
    """Write what a channel is called in a caption; one without a name of its own has a number.

    Examples
    --------
    >>> channel_label("R"), channel_label("0")
    ('R channel', 'channel 0')
    """
    return f"channel {name}" if name.isdecimal() else f"{name} channel"


def amount(size: float) -> str:
    """Write a number of bytes in binary units.

    Examples
    --------
    >>> amount(1536), amount(6 * 2**20), amount(1020 * 2**10)
    ('1.5 KiB', '6 MiB', '0.996 MiB')
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 999.5:  # more would be written with an exponent
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB"
