"""Read numbers from files: nested lists, tables, and the formats of numpy and safetensors."""

import codecs
import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import InputError
from convviz.files import npy
from convviz.files.archives import one_of_npz
from convviz.files.paths import quoted, split_member
from convviz.files.reading import read_bytes
from convviz.machine import memory
from convviz.text import plural
from convviz.typing import Floats

if TYPE_CHECKING:
    from collections.abc import Callable

READABLE = (".json", ".csv", ".npy", ".npz")

# A picture has three axes and a weight has four.
_MOST_AXES = 4

# A text may hold any number of values; each one takes about 60 bytes at first.
_MOST_WRITTEN = 1 << 24

_INFINITE = re.compile("[+-]?inf(inity)?", re.IGNORECASE)
_LARGEST = float(np.finfo(np.float32).max)


def read_array(path: Path) -> Floats:
    """Read numbers from a file.

    Parameters
    ----------
    path : Path
        A ``.json`` file of nested lists, a ``.csv`` file, or a ``.npy`` file, where
        truth values count as 0 and 1; or one array of a ``.npz`` file, named after a
        colon if there are several.

    Returns
    -------
    ndarray, shape of the file, float32
        Finite numbers, at least one, on at most four axes.

    Raises
    ------
    InputError
        If the file cannot be read or holds anything else; the message names the place.
    """
    file, member = split_member(path)
    return parse_array(read_bytes(file), quoted(file), file.suffix.lower(), member=member)


def parse_array(
    data: bytes, name: str, suffix: str, *, member: str | None = None, finite: bool = True
) -> Floats:
    r"""Read numbers from the bytes of a file.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What messages call it.
    suffix : str
        One of `READABLE`. In a CSV, numbers are separated by commas, semicolons
        or blanks; an empty line begins the next channel.
    member : str, optional
        Which array of a .npz; by default its only one.
    finite : bool
        Whether NaN and infinity are refused.

    Returns
    -------
    ndarray, shape of the file, float32
        A CSV gives (H, W), with more than one channel (C, H, W).

    Raises
    ------
    InputError
        As for `read_array`.

    Examples
    --------
    >>> parse_array(b"1,2\n3,4\n", "numbers", ".csv")
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    parsers: dict[str, Callable[[bytes, str], Any]] = {
        ".json": _from_json,
        ".csv": _from_csv,
        ".npy": npy.from_npy,
        ".npz": partial(one_of_npz, member=member),
    }
    if suffix not in parsers:
        raise InputError(f"cannot read numbers from {name}; its name must end in {', '.join(READABLE)}.")
    array = (npy.finite if finite else npy.floats)(parsers[suffix](data, name), name)
    if array.ndim > _MOST_AXES:
        raise InputError(
            f"{name} has {array.ndim} axes; expected at most {_MOST_AXES}: store one part of it, such as "
            "array[0]."
        )
    return array


# Editors and spreadsheets on Windows write such texts and mark them with these first bytes.
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # it starts like UTF-16, so it comes first
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def text_of(data: bytes, name: str) -> str:
    """Decode a text file: as UTF-8, or as its byte order mark specifies.

    Raises
    ------
    InputError
        If the bytes are not text in that encoding.

    Examples
    --------
    >>> text_of("1 2".encode("utf-16"), "numbers")
    '1 2'
    """
    encoding = next((known for mark, known in _ENCODINGS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        word = encoding.removesuffix("-sig").upper()
        raise InputError(f"{name} is not text in {word} (byte {error.start}).") from None


class _Constant(float):
    """A value written as NaN, Infinity or -Infinity in JSON, as opposed to a number with too many digits."""


def _from_json(data: bytes, name: str) -> NDArray[np.float64]:
    """Read nested lists of numbers."""
    text = text_of(data, name)
    _check_count(data.count(b",") + 1, name)
    try:
        document = json.loads(text, parse_constant=_Constant)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} is not JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise InputError(
            f"{name} has lists that are nested too deeply; expected at most {_MOST_AXES} levels."
        ) from None
    except ValueError:  # Python does not convert numbers of thousands of digits
        raise InputError(
            f"{name} has a whole number of thousands of digits, too large for float32."
        ) from None
    if not isinstance(document, list):
        raise InputError(f"{name}: expected nested lists of numbers, not {type(document).__name__}.")
    _check_lists(document, name)
    return np.array(document, np.float64)  # including whole numbers of any length


def _check_count(numbers: int, name: str) -> None:
    """Refuse a text with more numbers than fit into memory or than any text needs."""
    if numbers > _MOST_WRITTEN:
        raise InputError(
            f"{name} has up to {plural(numbers, 'number')}; the limit for text is {_MOST_WRITTEN:,}: "
            "store them as .npy."
        )
    what = f"the {plural(numbers, 'number')} of {name}"
    memory.need_objects(numbers, what, "store them as .npy", error=InputError)


def _check_lists(document: list[Any], name: str) -> None:
    """Refuse lists of different lengths, and items that are not numbers."""
    level: list[tuple[str, list[Any]]] = [("", document)]
    depth = 1
    while True:
        first, length = level[0][0], len(level[0][1])
        for place, one in level:
            if len(one) != length:
                raise InputError(
                    f"{name}: the list at {place} has {plural(len(one), 'item')}, "
                    f"but the one at {first} has {length}."
                )
        if not any(isinstance(item, list) for _, one in level for item in one):
            break
        depth += 1
        if depth > _MOST_AXES:
            raise InputError(
                f"{name}: at {first}[0] begins a list on axis {depth}; expected at most {_MOST_AXES}."
            )
        below = []
        for place, one in level:
            for index, item in enumerate(one):
                if not isinstance(item, list):
                    raise InputError(
                        f"{name}: {_json_word(item)} stands at {place}[{index}], but others are lists."
                    )
                below.append((f"{place}[{index}]", item))
        level = below
    # The place of a number is built only when needed: there may be millions.
    for place, one in level:
        for index, item in enumerate(one):
            if wrong := _wrong_number(item):
                raise InputError(f"{name}: {wrong[0]} at {place}[{index}] {wrong[1]}.")


def _wrong_number(item: Any) -> tuple[str, str] | None:
    """Return the name of a JSON item that is not a valid number, and the reason; None if it is valid."""
    if isinstance(item, bool) or not isinstance(item, int | float):
        return _json_word(item), "is not a number"
    # Whole numbers of any length compare with floats exactly.
    fits = isinstance(item, _Constant) or abs(item) <= _LARGEST
    return None if fits else ("the number", "is too large for float32")


def _json_word(item: Any) -> str:
    """Format a JSON item, shortened."""
    word = json.dumps(item)
    return word if len(word) <= 40 else word[:37] + "..."


def _from_csv(data: bytes, name: str) -> list[Any]:
    """Read channels of numbers with an empty line between them."""
    channels: list[list[list[float]]] = [[]]
    text = text_of(data, name)
    _check_count(sum(map(data.count, (b",", b";", b" ", b"\t", b"\n"))) + 1, name)
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if "," in line and ";" in line:
            raise InputError(
                f"{name}: line {number} has commas and semicolons; write decimals with points, and use only "
                "one of the two as the separator."
            )
        if not line.strip():
            if channels[-1]:
                channels.append([])
            continue
        row = []
        for column, word in enumerate(
            re.split(r"\s*[,;]\s*|\s+", re.sub(r"\s*[,;]?\s*$", "", line).lstrip()), 1
        ):
            row.append(_csv_number(word, f"{name}, line {number}, number {column}", first=number == 1))
        first = channels[0][0] if channels[0] else row
        if len(row) != len(first):
            raise InputError(
                f"{name}: line {number} has {plural(len(row), 'number')}, "
                f"but the first line has {len(first)}."
            )
        channels[-1].append(row)
    if not channels[-1] and len(channels) > 1:
        channels.pop()
    for index, channel in enumerate(channels[1:], 2):
        if len(channel) != len(channels[0]):
            raise InputError(
                f"{name}: channel {index} has {plural(len(channel), 'line')}, "
                f"but the first has {len(channels[0])}."
            )
    return channels if len(channels) > 1 else channels[0]


def _csv_number(word: str, place: str, *, first: bool) -> float:
    """Read one number of a table; words in the first line may be a header."""
    if not word:
        raise InputError(f"{place}: the cell is empty; write a number into it, such as 0, or nan.")
    try:
        value = float(word) if "_" not in word and word.isascii() else None
    except ValueError:
        value = None
    if value is None:
        remedy = "if this line is a header, delete it" if first else "write one in its place"
        raise InputError(f"{place}: {_json_word(word)} is not a number; {remedy}.")
    if abs(value) > _LARGEST and not _INFINITE.fullmatch(word):
        raise InputError(f"{place}: {_json_word(word)} is too large for float32; write a smaller number.")
    return value
