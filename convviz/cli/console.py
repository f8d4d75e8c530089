"""Answers on stdout, remarks on stderr; what a terminal would act upon is escaped here, not by callers."""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from convviz.text import printable


def answer(line: str = "") -> None:
    """Write one line on stdout."""
    sys.stdout.write(printable(line) + "\n")


def answer_text(text: str) -> None:
    """Write several lines on stdout, such as a program."""
    for line in text.split("\n"):
        answer(line)


def answer_json(document: Any) -> None:
    """Write one JSON document on stdout; what its encoding lacks stands there as JSON writes it in ASCII."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    # JSON lets these stand, but a terminal acts upon them.
    if not text.isprintable():
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False)
    answer(text)


def answer_path(path: Path, *, quiet: bool = False) -> None:
    """Write the path of a file; for a program that reads it, in the bytes of its name."""
    if quiet and not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    else:
        answer(str(path))


def remark(text: str) -> None:
    """Write one line on stderr; stdout comes first, so that the two stay in order on a terminal."""
    sys.stdout.flush()
    with contextlib.suppress(OSError):  # there is nobody else to tell
        sys.stderr.write(f"{printable(text)}\n")
