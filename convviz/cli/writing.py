"""Where a command writes, and the remarks before it writes."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from convviz.cli.console import remark
from convviz.errors import OutputError, SpecError
from convviz.files import addresses, marks
from convviz.files.paths import ending_of, quoted, split_member
from convviz.files.writing import Stream
from convviz.machine.typefaces import take_undrawn
from convviz.text import amount

# Bytes of the pixels, before they are packed: a picture of the first is announced, one of the second refused.
LARGE, TOO_LARGE = 100 << 20, 2 << 30

# Entries that follow from the settings, or do not change the result.
_NO_SETTINGS = {"version", "layer", "backend", "device", "animation", "ends"}

# The most settings that are named, and the most characters of each.
_NAMED, _LETTERS = 4, 40


class Sized(Protocol):
    """A picture that knows its size."""

    @property
    def height(self) -> int:
        """Rows."""
        ...

    @property
    def width(self) -> int:
        """Columns."""
        ...

    @property
    def channels(self) -> int:
        """Bytes of a pixel."""
        ...


def refuse_stdout(**folders: Path | None) -> None:
    """Refuse ``-`` for options that write folders, by their names.

    Raises
    ------
    SpecError
        If one of them is ``-``, which is stdout for every option that writes one file.
    """
    for option, path in folders.items():
        if str(path) == "-":
            raise SpecError(
                f"{option}: - is stdout, which takes one file; give a folder, such as ./{option}."
            )


def stdout_for(option: str, path: Path | None, suffix: str, *, json: bool = False) -> Path | Stream | None:
    """Return stdout where an option says ``-``; all that the command prints then goes to stderr.

    Parameters
    ----------
    option : str
        What messages call it.
    path : Path, optional
        What was typed.
    suffix : str
        The kind of file that stdout gets, as the ending of a name.
    json : bool
        Whether a document is asked for, which would be printed there too.

    Returns
    -------
    Path, Stream or None
        `path`, or stdout.

    Raises
    ------
    SpecError
        If stdout is a terminal, or something else is written there.
    """
    if path is None or str(path) != "-":
        return path
    if sys.stdout is sys.stderr:
        raise SpecError(f"{option}: another option writes to stdout already; give one of them a file.")
    if json:
        raise SpecError(f"{option}: --json prints to stdout; leave it out, or give a file in place of -.")
    if sys.stdout.isatty():
        raise SpecError(
            f"{option}: - writes a file of type {suffix} to stdout, which is a terminal; send it on to a "
            "program or a file, or give a name."
        )
    sys.stdout.flush()
    stream = Stream(sys.stdout.buffer, suffix)
    sys.stdout = sys.stderr
    return stream


def stem_of(name: str) -> str:
    """Return the stem for the names of the files made from an input."""
    return "stdin" if name == "-" else split_member(Path(name))[0].stem


def announce(sheet: Sized, *, force: bool, quiet: bool = False) -> None:
    """Remark on the size of a large picture before it is written.

    Raises
    ------
    OutputError
        If it is too large to be meant, and `force` does not say that it is.
    """
    size = sheet.height * sheet.width * sheet.channels
    words = f"{sheet.width:,} x {sheet.height:,} pixels, {amount(size)} before compression"
    if not force:
        _refuse_huge(size, words)
    if quiet:
        return
    if size > LARGE:
        remark(f"the picture has {words}; a smaller --tile makes it smaller")
    if missing := take_undrawn():
        shown = ", ".join(missing[:_NAMED]) + (" and others" if len(missing) > _NAMED else "")
        remark(f"no font on this computer has {shown}; the picture shows escape codes instead")


def refuse_huge(pixels: int, *, force: bool) -> None:
    """Refuse what makes a picture of at least so many pixels before it is computed, as `announce` does."""
    if not force:
        _refuse_huge(3 * pixels, f"at least {pixels:,} pixels, {amount(3 * pixels)} before compression")


def _refuse_huge(size: int, words: str) -> None:
    """Refuse a picture of so many bytes if it is too large to be meant."""
    if size > TOO_LARGE:
        raise OutputError(
            f"the picture would have {words}; the limit is {amount(TOO_LARGE)}: a smaller --tile makes it "
            "smaller, --force writes it."
        )


def tell_replaced(path: Path | Stream, description: Mapping[str, Any], *, quiet: bool = False) -> None:
    """Remark that a file made with other settings is replaced."""
    if quiet or isinstance(path, Stream) or addresses.is_remote(path):
        return
    found = marks.description_of(path)
    if found is None:
        return
    new = json.loads(marks.signed_text(dict(description))[marks.MARK])
    changed = [
        f"{'layer' if key == 'layer-name' else key} was {_short(found.get(key))}, now {_short(new.get(key))}"
        for key in {**found, **new}
        if key not in _NO_SETTINGS and found.get(key) != new.get(key)
    ]
    if changed:
        more = f"; and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        remark(f"{quoted(path)} is replaced: {'; '.join(changed[:_NAMED])}{more}")


def _short(value: Any) -> str:
    """Write the value of a setting in few characters."""
    if value is None:
        return "not given"
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"


def check_saved(path: Path | Stream | None, endings: Sequence[str], *, of: str = "") -> None:
    """Refuse a file for exact numbers whose ending is none of `endings`."""
    if path is not None and path.suffix.lower() not in endings:
        known = ", ".join(endings)
        raise SpecError(f"save: exact numbers{of} are written to {known}, not {ending_of(path)}.")
