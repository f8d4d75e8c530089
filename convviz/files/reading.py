"""Read files as bytes."""

import contextlib
import difflib
import itertools
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from convviz.errors import InputError
from convviz.files import addresses
from convviz.files.paths import quoted, unusable
from convviz.machine import memory

# Comparing one name takes about 20 microseconds.
_NAMES_COMPARED = 1000

# An address; a path keeps only one of the two slashes.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")


Read = TypeVar("Read")


def read_bytes(path: Path, *, size: int = 0) -> bytes:
    """Read a whole ordinary file.

    Parameters
    ----------
    path : Path
        The path of the file.
    size : int
        Its size in bytes, if the caller knows it; for an address, requesting it again
        takes time.

    Raises
    ------
    InputError
        If it is missing, not an ordinary file, or not readable. A pipe or a
        device is never opened, because that could wait forever.
    """
    if addresses.is_remote(path):
        _make_room(path, size)
        return addresses.read(path)

    def whole(path: Path) -> bytes:
        _make_room(path, path.stat().st_size)
        return path.read_bytes()

    return read_by(path, whole)


def read_by(path: Path, read: Callable[[Path], Read]) -> Read:
    """Let a function read an ordinary file on this machine; if that fails, explain why.

    Raises
    ------
    InputError
        As for `read_bytes`.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a folder; use convviz batch for folders" if path.is_dir() else "not an ordinary file"
            raise InputError(f"cannot read {quoted(path)}: it is {what}.")
        return read(path)
    except FileNotFoundError:
        if path.is_symlink():
            what = "the link leads to no file"
        elif near := _nearest(path):
            what = f"there is no such file; did you mean {quoted(near)}?"
            raise InputError(f"cannot read {quoted(path)}: {what}") from None
        else:
            what = "there is no such file; check the path"
        if _ADDRESS.match(str(path)):
            what = "only convviz batch reads addresses; download the file first"
        raise InputError(f"cannot read {quoted(path)}: {what}.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise InputError(f"cannot read {quoted(path)}: {unusable(error)}.") from None


def _nearest(path: Path) -> Path | None:
    """Find the file with the name most similar to a missing one, among the first names of its folder."""
    with contextlib.suppress(OSError, ValueError):
        names = [entry.name for entry in itertools.islice(os.scandir(path.parent), _NAMES_COMPARED)]
        close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
        return path.with_name(close[0]) if close else None
    return None


def _make_room(path: Path, size: int) -> None:
    memory.need(size, f"the bytes of {quoted(path)}", "make the file smaller", error=InputError)
