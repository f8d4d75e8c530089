"""Answers on stdout, remarks on stderr; what a terminal would act upon is escaped here, not by callers."""

import contextlib
import json
import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any, TextIO

from convviz.files.writing import Stream
from convviz.text import printable, wrapped


def answer(line: str = "", *, whole: bool = False) -> None:
    """Write one line on stdout; a terminal does not break its words, nor a line that is copied (`whole`)."""
    for row in [printable(line)] if whole else _fitted(line, sys.stdout):
        sys.stdout.write(f"{row}\n")


def answer_text(text: str) -> None:
    """Write several lines on stdout, each whole, such as a program."""
    for line in text.split("\n"):
        answer(line, whole=True)


def _fitted(line: str, stream: TextIO) -> list[str]:
    """Escape a line, and break it where a terminal is narrower."""
    text = printable(line)
    return wrapped(text, shutil.get_terminal_size().columns) if stream.isatty() else [text]


def answer_json(document: Any) -> None:
    """Write one JSON document on stdout; characters that its encoding lacks are escaped as JSON does."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    except ValueError:
        document = _without_others(document)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    # JSON lets these stand, but a terminal acts upon them.
    if not text.isprintable():
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False)
    answer_text(text)


def _without_others(value: Any) -> Any:
    """Put null in the place of NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _without_others(of) for name, of in value.items()}
    if isinstance(value, list | tuple):
        return [_without_others(of) for of in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def answer_path(path: Path | Stream, *, quiet: bool = False) -> None:
    """Write the path of a file; for a program that reads it, in the bytes of its name."""
    if isinstance(path, Stream):
        return  # the reader of stdout has the file
    if quiet and not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    else:
        answer(str(path), whole=True)


def remark(text: str) -> None:
    """Write one line on stderr; stdout comes first, so that the two stay in order on a terminal."""
    sys.stdout.flush()
    with contextlib.suppress(OSError):  # there is nobody else to tell
        for row in _fitted(text, sys.stderr):
            sys.stderr.write(f"{row}\n")
