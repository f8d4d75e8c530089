"""Answers on stdout, remarks on stderr."""

import contextlib
import json
import sys
from typing import Any

from convviz.text import printable


def answer(text: str = "") -> None:
    """Write one line on stdout."""
    sys.stdout.write(text + "\n")


def answer_json(document: Any) -> None:
    """Write one JSON document on stdout; what its encoding lacks stands there as JSON writes it in ASCII."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False)
    answer(text)


def remark(text: str) -> None:
    """Write one line on stderr; stdout comes first, so that the two stay in order on a terminal."""
    sys.stdout.flush()
    with contextlib.suppress(OSError):  # there is nobody else to tell
        sys.stderr.write(f"{printable(text)}\n")
