"""INPUT as the user typed it, opened."""

import sys
from pathlib import Path
from typing import Any

from convviz import images
from convviz.files import split_member
from convviz.images import Picture
from convviz.settings import InputSettings


def read_input(name: str, settings: InputSettings) -> Picture:
    """Read a file, or stdin where the name is ``-``."""
    source = sys.stdin.buffer if name == "-" else Path(name)
    return images.read(source, **settings.arguments)


def input_files(name: str | None) -> list[Path]:
    """List the file that INPUT is, which is never replaced: none for stdin or without INPUT."""
    return [] if name in (None, "-") else [split_member(Path(name))[0]]


def input_document(name: str, picture: Picture, reading: InputSettings) -> dict[str, Any]:
    """List the input as plain values, with what was done to it."""
    document: dict[str, Any] = {"path": name, "shape": list(picture.shape), "range": reading.range}
    if reading.page != 1:
        document["page"] = reading.page
    if picture.resized is not None:
        document["resize"] = list(picture.resized)
    if reading.crop is not None:
        document["crop"] = list(reading.crop)
    if picture.normalized is not None:
        document["normalize"] = {
            "mean": list(picture.normalized.mean),
            "std": list(picture.normalized.std),
        }
    return document
