"""Text from the command line or from metadata, parsed once into checked values.

Every parser is made for one field, and its messages name that field.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Literal

from convviz.errors import SpecError, UnknownNameError
from convviz.spec.geometry import HW, Edges
from convviz.spec.layers import PADDING_WORDS, Padding
from convviz.spec.limits import Limits
from convviz.spec.preparation import IMAGENET, Normalization, ShortSide

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)


# Channels of pictures: grey, red to blue, and with opacity.
_COLOURS = (1, 3, 4)


def _whole(text: str) -> int | None:
    """Read a whole number of at most 20 digits, the most that a seed has; return None for other texts."""
    return int(text) if _WHOLE.fullmatch(text.strip()) else None


def _wholes(text: str, separators: str = ",") -> list[int | None]:
    """Read whole numbers separated by `separator`, with or without the brackets of a tuple or a list."""
    text = text.strip()
    if text[:1] + text[-1:] in ("()", "[]"):
        text = text[1:-1]
    return [_whole(part) for part in re.split(f"[{separators}]", text)]


def whole(field: str, *, least: int = 1, most: int | None = None) -> Callable[[str], int]:
    """Make a parser of whole numbers from `least` to `most`.

    Examples
    --------
    >>> whole("seed", least=0)("7")
    7
    """

    def parse(text: str) -> int:
        value = _whole(text)
        if value is None:
            raise SpecError(f"{field}: expected a whole number, such as {max(least, 1)}, not {text!r}.")
        if value < least:
            raise SpecError(f"{field} must be at least {least}, not {value}.")
        if most is not None and value > most:
            raise SpecError(f"{field} must be at most {most}, not {value}.")
        return value

    return parse


def whole_or_name(field: str) -> Callable[[str], int | str]:
    """Make a parser of whole numbers of at least 0, or of names.

    Examples
    --------
    >>> whole_or_name("map")("7"), whole_or_name("map")("sobel-x")
    (7, 'sobel-x')
    """

    def parse(text: str) -> int | str:
        return text if _whole(text) is None else whole(field, least=0)(text)

    return parse


def whole_or_all(field: str) -> Callable[[str], int | Literal["all"]]:
    """Make a parser of whole numbers of at least 1, or of the word ``all``.

    Examples
    --------
    >>> whole_or_all("cells")("all"), whole_or_all("cells")("8")
    ('all', 8)
    """

    def parse(text: str) -> int | Literal["all"]:
        if text == "all":
            return "all"
        if _whole(text) is None:
            raise SpecError(f"{field}: expected a number or all, such as 8, not {text!r}.")
        return whole(field)(text)

    return parse


def pair(field: str, *, least: int = 1, expected: str = "N or HxW, such as 3 or 3x5") -> Callable[[str], HW]:
    """Make a parser of ``N``, ``HxW``, ``H,W`` or ``(H, W)``; messages say what was `expected`.

    Examples
    --------
    >>> print(pair("stride")("2"), pair("stride")("3x5"), pair("stride")("3,5"), pair("stride")("(3, 5)"))
    2x2 3x5 3x5 3x5
    """

    def parse(text: str) -> HW:
        numbers = _wholes(text.lower(), "x,")
        if len(numbers) not in (1, 2) or None in numbers:
            raise SpecError(f"{field}: expected {expected}, not {text!r}.")
        h, w = numbers * 2 if len(numbers) == 1 else numbers
        value = HW(h or 0, w or 0)
        if min(value) < least:
            raise SpecError(f"{field} must be at least {least} on both axes, not {text}.")
        return value

    return parse


def resize(text: str) -> HW | ShortSide:
    """Parse ``N``, ``HxW``, ``H,W`` or ``short:N``.

    Raises
    ------
    SpecError
        If `text` is none of these, or a side is less than 1.

    Examples
    --------
    >>> print(resize("64"), resize("48x64"), resize("short:256"))
    64x64 48x64 short:256
    """
    expected = "N, HxW or short:N, such as 224x224 or short:256"
    if not text.startswith("short:"):
        return pair("resize", expected=expected)(text)
    length = _whole(text.removeprefix("short:"))
    if length is None:
        raise SpecError(f"resize: expected {expected}, not {text!r}.")
    return ShortSide(length)


def padding(text: str) -> Padding:
    """Parse ``N``, ``HxW``, ``H,W``, ``top,bottom,left,right``, ``same``, ``same-lower`` or ``valid``.

    Several numbers may stand in the brackets of a tuple or a list.

    Raises
    ------
    SpecError
        If `text` is none of these, or a side is negative.

    Examples
    --------
    >>> print(padding("1"), padding("1x2"), padding("1,2"), padding("1,0,2,1"), padding("same"))
    1,1,1,1 1,1,2,2 1,1,2,2 1,0,2,1 same
    """
    if text in PADDING_WORDS:
        return text  # type: ignore[return-value]  # narrowed by the line above
    numbers = _wholes(text)
    if len(numbers) == 4 and None not in numbers:
        return Edges(*(n or 0 for n in numbers))
    try:
        h, w = pair("padding", least=-(10**18))(text)
    except SpecError:
        raise SpecError(
            "padding: expected N, HxW, top,bottom,left,right, same, same-lower or valid, "
            f"such as 1 or 1,0,2,1, not {text!r}."
        ) from None
    return Edges(h, h, w, w)


def position(field: str) -> Callable[[str], HW]:
    """Make a parser of ``Y,X``, row before column, both counted from 0.

    Examples
    --------
    >>> print(*position("at")("10,20"))
    10 20
    """

    def parse(text: str) -> HW:
        numbers = _wholes(text)
        if len(numbers) != 2 or None in numbers:
            raise SpecError(
                f"{field}: expected Y,X, row and column counted from 0, such as 10,20, not {text!r}."
            )
        value = HW(numbers[0] or 0, numbers[1] or 0)
        if min(value) < 0:
            raise SpecError(f"{field}: row and column are counted from 0, not {text}.")
        return value

    return parse


def indices(field: str) -> Callable[[str], tuple[int, ...]]:
    """Make a parser of whole numbers of at least 0, with commas between them; each is taken once.

    Examples
    --------
    >>> indices("maps")("7,0,7")
    (7, 0)
    """

    def parse(text: str) -> tuple[int, ...]:
        found = _wholes(text)
        if None in found:
            raise SpecError(f"{field} must be whole numbers from 0 up, such as 0,7,12, not {text!r}.")
        return tuple(dict.fromkeys(one for one in found if one is not None))

    return parse


def weight_index(field: str) -> Callable[[str], tuple[int, int, int, int]]:
    """Make a parser of ``O,I,Y,X``, the position of a weight; all four are counted from 0.

    Examples
    --------
    >>> weight_index("weight")("0,2,1,1")
    (0, 2, 1, 1)
    """

    def parse(text: str) -> tuple[int, int, int, int]:
        found = _wholes(text)
        indices = [index for index in found if index is not None and index >= 0]
        if len(found) != 4 or len(indices) != 4:
            raise SpecError(
                f"{field}: expected O,I,Y,X, such as 0,2,1,1: filter, channel that it reads, row and column "
                f"of the kernel, counted from 0; not {text!r}."
            )
        return indices[0], indices[1], indices[2], indices[3]

    return parse


def numbers(field: str) -> Callable[[str], tuple[float, ...]]:
    """Make a parser of finite numbers with commas between them.

    Examples
    --------
    >>> numbers("bias-values")("0.5,-1")
    (0.5, -1.0)
    """

    def parse(text: str) -> tuple[float, ...]:
        values = _floats(text)
        if values is None:
            raise SpecError(
                f"{field}: expected numbers with commas between them, such as 0.5,-1, not {text!r}."
            )
        return values

    return parse


def _floats(text: str) -> tuple[float, ...] | None:
    """Read finite numbers with commas between them; return None for other texts."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return values if all(math.isfinite(value) for value in values) else None


def limits(text: str) -> Limits:
    """Parse ``minmax``, ``percentile``, ``percentile:P``, ``symmetric`` or ``LOW,HIGH``.

    Raises
    ------
    SpecError
        If `text` is none of these, or a number is out of range.

    Examples
    --------
    >>> print(limits("minmax"), limits("percentile:5"), limits("-1,1"))
    minmax percentile:5 -1,1
    """
    if text in ("percentile", "minmax", "symmetric"):
        return Limits(text)  # type: ignore[arg-type]  # narrowed by the line above
    values = _floats(text.removeprefix("percentile:"))
    if values is not None and len(values) == (1 if text.startswith("percentile:") else 2):
        if len(values) == 1:
            return Limits("percentile", percent=values[0])
        return Limits("fixed", low=values[0], high=values[1])
    raise SpecError(
        "limits: expected minmax, percentile, percentile:P, symmetric or LOW,HIGH, such as percentile:2 "
        f"or -1,1, not {text!r}."
    )


def normalization(text: str) -> Normalization:
    """Parse ``imagenet``, ``MEAN,STD``, or the means of all channels and then their deviations.

    Raises
    ------
    SpecError
        If `text` is none of these, or a deviation is not above 0.

    Examples
    --------
    >>> normalization("0.5,0.25"), normalization("1,2,3,4").std
    (Normalization(mean=(0.5,), std=(0.25,), name=''), (3.0, 4.0))
    """
    if text == IMAGENET.name:
        return IMAGENET
    values = _floats(text)
    if values is None:
        raise SpecError(
            f"normalize: expected {IMAGENET.name}, MEAN,STD, or the means of all channels and then their "
            f"deviations, such as 0.5,0.25, not {text!r}."
        )
    half = len(values) // 2
    return Normalization(values[:half], values[half:])


def seconds(field: str) -> Callable[[str], float]:
    """Make a parser of a time above 0, in seconds.

    Examples
    --------
    >>> seconds("timeout")("2.5")
    2.5
    """

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise SpecError(f"{field}: expected a number of seconds above 0, such as 30, not {text!r}.")
        return value

    return parse


def share(field: str) -> Callable[[str], float]:
    """Make a parser of a number from 0 to 1.

    Examples
    --------
    >>> share("opacity")("0.25")
    0.25
    """

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            raise SpecError(f"{field}: expected a number from 0 to 1, such as 0.5, not {text!r}.")
        return value

    return parse


def tolerance(text: str) -> float:
    """Read a number of at least 0.

    Examples
    --------
    >>> tolerance("1e-4")
    0.0001
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SpecError(f"tolerance: expected a number of at least 0, such as 1e-4, not {text!r}.")
    return value


# What a word is, if the name of its field is not a noun or not a word.
_NOUNS = {
    "how": "reduction",
    "padding-mode": "padding mode",
    "prepare": "preparation",
    "range": "value range",
    "sort": "order",
    "stat": "statistic",
}


def choice(field: str, known: Iterable[str]) -> Callable[[str], str]:
    """Make a parser that takes one of the `known` words; both gray and grey are accepted.

    Examples
    --------
    >>> choice("scale", ("map", "global"))("map"), choice("mode", ("rgb", "gray"))("grey")
    ('map', 'gray')
    """
    words = tuple(known)

    def parse(text: str) -> str:
        if text == "grey" and "gray" in words:
            return "gray"
        if text not in words:
            raise UnknownNameError(_NOUNS.get(field, field), text, words)
        return text

    return parse


def choices(field: str, known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Make a parser that takes some of the `known` words, with commas between them.

    Examples
    --------
    >>> choices("stat", ("sparsity", "energy"))("energy")
    ('energy',)
    """
    one = choice(field, known)

    def parse(text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one(word.strip()) for word in text.split(",")))

    return parse


def chw(text: str) -> tuple[int, int, int] | None:
    """Parse an input shape ``CxHxW``; return None if `text` does not have that form.

    Raises
    ------
    SpecError
        If it is of that form but a number is 0.

    Examples
    --------
    >>> chw("3x224x224"), chw("cat.jpg")
    ((3, 224, 224), None)
    """
    if not re.fullmatch(r"[0-9]{1,9}(x[0-9]{1,9}){1,3}", text, re.ASCII):
        if re.fullmatch(r"[0-9]+([^0-9.][0-9]+)*", text):
            raise SpecError(f"shape: expected channels x height x width, such as 3x224x224, not {text!r}.")
        return None
    sizes = tuple(int(part) for part in text.split("x"))
    if len(sizes) != 3:
        raise SpecError(f"shape: expected channels x height x width, such as 3x224x224, not {text!r}.")
    if min(sizes) < 1:
        raise SpecError(f"shape: channels, height and width must be at least 1, not {text}.")
    return sizes[0], sizes[1], sizes[2]


def channels_last(shape: tuple[int, int, int]) -> str:
    """Ask whether a shape has its channels last, as those of arrays of pictures have; empty if it has not.

    Examples
    --------
    >>> channels_last((224, 224, 3)), channels_last((3, 224, 224))
    ('224x224x3 is taken as 224 channels of 224x3; did you mean 3x224x224?', '')
    """
    c, h, w = shape
    if w not in _COLOURS or min(c, h) <= max(_COLOURS):
        return ""
    return f"{c}x{h}x{w} is taken as {c} channels of {h}x{w}; did you mean {w}x{c}x{h}?"


def input_shape(text: str) -> tuple[int, int, int]:
    """Parse an input shape ``CxHxW``.

    Raises
    ------
    SpecError
        If it is not of that form, or a number is 0.

    Examples
    --------
    >>> input_shape("3x224x224")
    (3, 224, 224)
    """
    found = chw(text)
    if found is None:
        raise SpecError(f"input: expected channels x height x width, such as 3x224x224, not {text!r}.")
    return found


def tile(text: str) -> int | None:
    """Parse the size of a tile: a number of pixels, or ``full`` for every pixel (None).

    Examples
    --------
    >>> tile("320"), tile("full")
    (320, None)
    """
    if text == "full":
        return None
    if _whole(text) is None:
        raise SpecError(f"tile: expected a number of pixels or full, such as 320, not {text!r}.")
    return whole("tile", least=16, most=65_500)(text)
