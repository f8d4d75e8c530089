"""INPUT as the user typed it, opened."""

import sys
from pathlib import Path

from convviz import images
from convviz.images import Picture
from convviz.settings import InputSettings


def read_input(name: str, settings: InputSettings) -> Picture:
    """Read a file, or stdin where the name is ``-``."""
    source = sys.stdin.buffer if name == "-" else Path(name)
    return images.read(source, **settings.arguments)


def input_files(name: str | None) -> list[Path]:
    """List the file that INPUT is, which is never replaced: none for stdin or without INPUT."""
    return [] if name in (None, "-") else [Path(name)]
