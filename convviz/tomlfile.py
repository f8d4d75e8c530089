"""Files in TOML, with one line for whatever is wrong with them."""

import tomllib
from pathlib import Path
from typing import Any

from convviz.errors import InputError
from convviz.files import read_bytes, shown
from convviz.text import because


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    InputError
        If it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(read_bytes(path).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is not text in UTF-8 (byte {error.start}).") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"cannot read {shown(path)}: it is not TOML{because(error)}.") from None
    except RecursionError:
        raise InputError(f"cannot read {shown(path)}: its lists lie too deep in each other.") from None
    except ValueError:  # Python converts no number of thousands of digits
        raise InputError(f"cannot read {shown(path)}: it has a number of thousands of digits.") from None
