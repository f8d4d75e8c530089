"""Read TOML files, and describe any error in one line."""

import math
import re
import tomllib
from pathlib import Path
from typing import Any

from convviz.errors import InputError
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.text import because, printable

# Keys joined by dots are nested tables: for a chain of 50,000 keys, Python's reader takes 10 GB.
_CHAIN = re.compile(
    r"""(?<![\w-])(?:(?:"(?:[^"\\\n]|\\.){0,99}"|'[^'\n]{0,99}'|[\w-]+)[ \t]*\.[ \t]*){100}"""
)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, with or without a byte order mark.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its tables; no number in them is infinite, and whole numbers have at most 64 bits.

    Raises
    ------
    InputError
        If the file cannot be read, or is not such TOML.
    """
    where = f"cannot read {quoted(path)}"
    try:
        text = read_bytes(path).decode("utf-8-sig")
        if _CHAIN.search(text):
            raise InputError(f"{where}: it has a key of more than 100 parts.")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(f"{quoted(path)} is not text in UTF-8 (byte {error.start}).") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: it is not TOML{because(error)}.") from None
    except RecursionError:
        raise InputError(f"{where}: its lists lie too deep in each other.") from None
    except ValueError:  # Python does not convert numbers of thousands of digits
        raise InputError(f"{where}: it has a number of thousands of digits.") from None
    level: list[tuple[str, Any]] = list(document.items())
    while level:
        place, value = level.pop()
        if isinstance(value, dict):
            level += [(f"{place}.{key}", one) for key, one in value.items()]
        elif isinstance(value, list):
            level += [(f"{place}[{index}]", one) for index, one in enumerate(value)]
        elif (isinstance(value, int) and value.bit_length() > 63) or value in (math.inf, -math.inf):
            raise InputError(f"{where}: the number at {printable(place)} is too large.")
    return document
