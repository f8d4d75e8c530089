"""Write the words below a tile: long names are shortened, lines are broken, and no number is ever cut."""

import functools
import math
import re
from collections.abc import Sequence
from itertools import islice

from convviz.render.fonts import font
from convviz.text import number

# Widths are measured at one type size; at others they differ by less than this share, as pixels are whole.
_MEASURED, _MARGIN = 64, 1.03
_NUMBER = re.compile(r"(\d+(?:[.,x:]\d+)*)")
_RANGE = re.compile(r"(\S*\d) to (\S*\d)")
_DOTS = "…"
# Words that say less than others beside them, and what takes their place in narrow columns.
_ABBREVIATED = (
    (re.compile(r"^channel "), "ch. "),
    (re.compile(" partial map$"), ""),
    (re.compile("^sum = "), ""),
)
# What stands between the ends of a range that are written at the left and at the right of a column.
APART = "\t"


@functools.lru_cache(maxsize=16384)
def _width(words: str) -> float:
    """Measure words, in multiples of the type size; ends that stand apart are at least a space apart."""
    return font(_MEASURED).getlength(words.replace(APART, " ")) * _MARGIN / _MEASURED


def measured(words: str, size: int) -> float:
    """Measure words in pixels, rounded up a little."""
    return _width(words) * size


@functools.lru_cache(maxsize=1024)
def wrapped(words: str, size: int, width: int) -> tuple[str, ...]:
    """Break a line between words, but not within a range of numbers or a count."""
    return tuple(_joined(_words(words), size, width))


@functools.lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """Split a text where a line may end: not within 0 to 1, min 0, or a count such as 3 NaN."""
    return tuple(re.split(r"(?<!\d to)(?<!\bmin)(?<!\bmax) (?!(?:to|NaN|-?inf)\b)", text))


def _joined(words: Sequence[str], size: int, width: int) -> list[str]:
    """Put as many words into each line as fit."""
    rows: list[str] = []
    # A space does not change the distance of letters: a line is as wide as its words and spaces together.
    filled, space = 0.0, measured(" ", size)
    for word in words:
        wide = measured(word, size)
        if rows and filled + space + wide <= width:
            rows[-1] += f" {word}"
            filled += space + wide
        else:
            rows.append(word)
            filled = wide
    return rows


def shortened(name: str, size: int, width: int) -> str:
    """Shorten a name in its middle until it fits, but no number in it.

    Parameters
    ----------
    name : str
        A name, such as that of a map.
    size : int
        Size of type, in pixels.
    width : int
        Room, in pixels.

    Returns
    -------
    str
        The name; if it is too long, dots replace the middle of its longest stretch without
        digits, then of the next longest if that is not enough. If it is still too
        long, it is returned in that form.

    Examples
    --------
    >>> shortened("gaussian:sigma=1.5 @R", 10, 80), shortened("sobel-x", 10, 80)
    ('gau…a=1.5 @R', 'sobel-x')
    """
    if measured(name, size) <= width:
        return name
    pieces = _NUMBER.split(name)
    # Numbers are at odd indices.
    for place in sorted(range(0, len(pieces), 2), key=lambda index: -len(pieces[index])):
        whole = pieces[place]
        for kept in range(len(whole) - 1, 1, -1):
            pieces[place] = _without_middle(whole, kept)
            if measured("".join(pieces), size) <= width:
                return "".join(pieces)
    return "".join(pieces)


def all_shortened(names: Sequence[str], size: int, width: int) -> list[str]:
    """Shorten the names of a section, all in the same way where there is an abbreviation.

    Examples
    --------
    >>> all_shortened(["channel 9", "channel 10"], 10, 80), all_shortened(["channel 9", "channel 10"], 10, 48)
    (['channel 9', 'channel 10'], ['ch. 9', 'ch. 10'])
    >>> all_shortened(["R partial map", "sum = map 13"], 10, 60)
    ['R', 'map 13']
    """
    if any(measured(name, size) > width for name in names):
        names = [_abbreviated(name) for name in names]
    return [shortened(name, size, width) for name in names]


def _abbreviated(name: str) -> str:
    """Abbreviate a name, if a word of it has an abbreviation."""
    for words, brief in _ABBREVIATED:
        name = words.sub(brief, name)
    return name


def _without_middle(text: str, kept: int) -> str:
    """Keep `kept` characters of a text, half from the start and half from the end, with dots between."""
    tail = kept // 2
    return text[: kept - tail] + _DOTS + text[len(text) - tail :]


@functools.lru_cache(maxsize=4096)
def shortest(name: str) -> str:
    """Shorten a name as far as possible while it still differs from others.

    Examples
    --------
    >>> shortest("gaussian:sigma=1.5 @R"), shortest("R")
    ('gau…ma=1.5 @R', 'R')
    >>> shortest("channel 12"), shortest("encoder.layer_1.attention.output: 3")
    ('ch. 12', 'enc…er_1.at…t: 3')
    """
    pieces = _NUMBER.split(_abbreviated(name))
    for place in range(0, len(pieces), 2):
        if len(pieces[place]) > 7:
            pieces[place] = _without_middle(pieces[place], 6)
    return "".join(pieces)


def widest_words(notes: Sequence[str]) -> list[str]:
    """Return the widest of the first words of all notes, the widest of the second words, and so on."""
    split = [_words(note) for note in notes]
    longest = max(map(len, split), default=0)
    return [max((words[at] for words in split if at < len(words)), key=_width) for at in range(longest)]


def words_in_lines(words: Sequence[str], size: int, width: int) -> list[int]:
    """Count the words in each line when they are broken to a width; `words` comes from `widest_words`."""
    return [len(_words(row)) for row in _joined(words, size, width)]


def in_lines(note: str, counts: Sequence[int]) -> list[str]:
    """Break a note after the given numbers of items, and leave out commas at the ends of lines.

    Examples
    --------
    >>> in_lines("-0.25 to 0.5, 3 NaN", [1, 1])
    ['-0.25 to 0.5', '3 NaN']
    """
    words = iter(_words(note))
    return [row.removesuffix(",") for count in counts if (row := " ".join(islice(words, count)))]


def spread(note: str) -> str:
    r"""Write the ends of a range at the two sides of a column, where they take the least room.

    Examples
    --------
    >>> spread("-0.25 to 0.5, 3 NaN"), spread("in another group")
    ('-0.25\t0.5, 3 NaN', 'in another group')
    """
    return _RANGE.sub(rf"\1{APART}\2", note)


def parted(note: str) -> str:
    """Write the ends of a range apart, so that they can stand in two lines.

    Examples
    --------
    >>> parted("-0.25 to 0.5, 3 NaN"), parted("in another group")
    ('min -0.25, max 0.5, 3 NaN', 'in another group')
    """
    return _RANGE.sub(r"min \1, max \2", note)


def rounded(value: float, *, digits: int) -> str:
    """Round a number to `digits` significant digits, but never beyond whole numbers.

    Examples
    --------
    >>> rounded(-0.123456, digits=2), rounded(1234.5, digits=3), rounded(0.5, digits=3)
    ('-0.12', '1234', '0.5')
    """
    small = abs(value) < 10.0 ** (digits - 1) or abs(value) >= 1e7 or not math.isfinite(value)
    return number(value, digits=digits) if small else f"{value:.0f}"


def told_apart(low: float, high: float, *, digits: int) -> tuple[str, str]:
    """Write the ends of a range with as few digits as distinguish them, but at least `digits`.

    The end nearer to 0 is no wider than the other one, but for its first digit.

    Examples
    --------
    >>> told_apart(-0.12345, 0.5, digits=2), told_apart(100.1, 100.2, digits=2)
    (('-0.12', '0.5'), ('100.1', '100.2'))
    >>> told_apart(-0.437, 0.00685, digits=3), told_apart(-9.4, 0.0011, digits=2)
    (('-0.437', '0.007'), ('-9.4', '0.001'))
    """
    for more in range(digits, 10):
        words = _near(low, high, more), _near(high, low, more)
        if words[0] != words[1] or low == high:
            break
    return words


def _near(value: float, other: float, digits: int) -> str:
    """Round a number as `rounded` does, but with no more decimals than beside a larger one make sense."""
    if 0 < abs(value) < abs(other) < math.inf:
        exponent = math.floor(math.log10(abs(other)))
        decimals = max(digits - exponent - (exponent < 0), 0)
        if abs(value) < 10.0 ** (digits - 1 - decimals):
            # Fewer digits are left, so none is rounded twice.
            value = round(value, decimals) or float(f"{value:.0e}")
    return rounded(value, digits=digits)
