"""Answers on stdout, remarks on stderr."""

import contextlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from convviz.files import Stream
from convviz.text import printable


def answer(text: str = "") -> None:
    """Write one line on stdout."""
    sys.stdout.write(text + "\n")


def answer_json(document: Any) -> None:
    """Write one JSON document on stdout; what its encoding lacks stands there as JSON writes it in ASCII."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    # JSON lets these stand, but a terminal acts upon them.
    text = re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False)
    answer(text)


def answer_path(path: Path | Stream, *, quiet: bool = False) -> None:
    """Write the path of a file; for a program that reads it, in the bytes of its name."""
    if isinstance(path, Stream):
        return  # whoever reads stdout has the file
    if quiet and not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    else:
        answer(printable(str(path)))


def remark(text: str) -> None:
    """Write one line on stderr; stdout comes first, so that the two stay in order on a terminal."""
    sys.stdout.flush()
    with contextlib.suppress(OSError):  # there is nobody else to tell
        sys.stderr.write(f"{printable(text)}\n")
