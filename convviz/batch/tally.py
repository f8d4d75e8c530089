"""Count outcomes, failures and remarks while a batch runs."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from convviz.batch.plan import Outcome, PassedOver
from convviz.errors import ConvvizError
from convviz.text import plural

_DIGITS = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")


class Remarks:
    """Collect the remarks of all files, each kind once: remarks that differ only in numbers are one kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, str, str, bool]] = {}

    def add(self, outcome: Outcome) -> None:
        """Count the remarks on one file; the first file by name stands for its kind."""
        for text in dict.fromkeys(outcome.remarks):
            kind = _DIGITS.sub("0", text)
            count, name, first, differ = self._kinds.get(kind, (0, outcome.name, text, False))
            differ = differ or text != first
            name, first = min((name, first), (outcome.name, text))
            self._kinds[kind] = count + 1, name, first, differ

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Return every kind as plain values, the most frequent first."""
        found = sorted(self._kinds.values(), key=lambda kind: (-kind[0], kind[1], kind[2]))
        return [
            {"text": text, "files": count, "first": name, "numbers_differ": differ}
            for count, name, text, differ in found
        ]

    @property
    def lines(self) -> list[str]:
        """Return every kind as a line."""
        return [
            f"{kind['first']}: {kind['text']}"
            if kind["files"] == 1
            else f"{kind['files']:,} files"
            + (f", each with its own numbers, such as {kind['first']}" if kind["numbers_differ"] else "")
            + f": {kind['text']}"
            for kind in self.documents
        ]


@dataclass(slots=True)
class Tally:
    """Count what a batch has done.

    Parameters
    ----------
    most_named : int, optional
        The number of failures to keep with their reasons; all by default.
    counts : Counter
        Files by their status: done, unchanged, failed.
    failed : list of (str, str)
        Names and reasons of files that failed.
    remarks : Remarks
        The remarks on all files.
    passed : PassedOver
        The files that are not pictures.
    total : int
        Number of all files, if known.
    stopped_listing : bool
        Whether the batch ended before all files were listed, so that their number is unknown.
    trouble : ConvvizError, optional
        The error that ended the batch.
    seconds : float
        How long the batch took.
    """

    most_named: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)
    remarks: Remarks = field(default_factory=Remarks)
    passed: PassedOver = field(default_factory=PassedOver)
    total: int = 0
    stopped_listing: bool = False
    trouble: ConvvizError | None = None
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        self.counts[outcome.status] += 1
        self.remarks.add(outcome)
        if outcome.status == "failed" and (self.most_named is None or len(self.failed) < self.most_named):
            self.failed.append((outcome.name, outcome.reason))

    @property
    def left(self) -> int | None:
        """Number of remaining files; None if it is unknown."""
        return None if self.stopped_listing else self.total - self.counts.total()

    @property
    def rest(self) -> str:
        """Number of remaining files, in words; empty if there are none."""
        return "" if self.left == 0 else "the rest" if self.left is None else plural(self.left, "file")

    @property
    def least(self) -> str:
        """Words that precede a number of files that may be too small."""
        return "at least " if self.stopped_listing else ""
