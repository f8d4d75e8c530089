"""Answers on stdout, remarks on stderr."""

import json
import sys
from typing import Any

from convviz.text import printable


def answer(text: str = "") -> None:
    """Write one line on stdout."""
    sys.stdout.write(text + "\n")


def answer_json(document: Any) -> None:
    """Write one JSON document on stdout."""
    answer(json.dumps(document, ensure_ascii=False, allow_nan=False))


def remark(text: str) -> None:
    """Write one line on stderr; stdout comes first, so that the two stay in order on a terminal."""
    sys.stdout.flush()
    sys.stderr.write(f"{printable(text)}\n")
