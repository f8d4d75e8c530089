"""Typefaces of this computer, for scripts that the built-in typeface does not cover."""

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Where there is no fontconfig: what systems call the typefaces of the East, and those with most characters.
_FOLDERS = {
    "win32": ("C:/Windows/Fonts",),
    "darwin": ("/System/Library/Fonts", "/System/Library/Fonts/Supplemental", "/Library/Fonts"),
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts"),
}
_NAMES = (
    "NotoSansCJK*",
    "NotoSans*Regular*",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "msgothic.ttc",
    "malgun.ttf",
    "simsun.ttc",
    "seguisym.ttf",
    "wqy-*.ttc",
)
_SECONDS = 5


# Characters that were to be drawn and that no typeface has, in the order in which they were met.
undrawn: dict[str, None] = {}


def take_undrawn() -> str:
    """Return these characters, without those that were returned before."""
    found = "".join(undrawn)
    undrawn.clear()
    return found


class Typeface(NamedTuple):
    """A file, and the number of a typeface in it."""

    path: Path
    number: int = 0


def candidates(character: str) -> Iterator[Typeface]:
    """List typefaces of this computer that may have a character, the likeliest first.

    Parameters
    ----------
    character : str
        One character.

    Yields
    ------
    Typeface
        Whether the character is in it is for the caller to see: fontconfig answers
        with what is nearest.
    """
    found = _by_fontconfig(character)
    if found is not None:
        yield found
    else:
        yield from _by_name()


def _by_fontconfig(character: str) -> Typeface | None:
    """Ask fontconfig, which knows the characters of every typeface; None where it is not installed."""
    program = shutil.which("fc-match")
    if program is None:
        return None
    command = [program, "-f", "%{file}\n%{index}", f":charset={ord(character):x}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    name, _, index = done.stdout.partition("\n")
    # The upper half of the number says which instance of a variable typeface is meant.
    return Typeface(Path(name), int(index) & 0xFFFF if index.isdecimal() else 0)


@functools.cache
def _by_name() -> tuple[Typeface, ...]:
    """Look for the known names."""
    folders = [Path(folder) for folder in _FOLDERS.get(sys.platform, ()) if Path(folder).is_dir()]
    paths = [path for name in _NAMES for folder in folders for path in sorted(folder.rglob(name))]
    return tuple(map(Typeface, dict.fromkeys(paths)))
