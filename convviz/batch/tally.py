"""What a batch counts while it runs: outcomes, failures, the remarks on its files."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from convviz.batch.plan import Outcome, PassedOver
from convviz.errors import ConvvizError
from convviz.text import plural

_DIGITS = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")


class Remarks:
    """The remarks of all files, each kind once: those that differ in nothing but numbers are one kind."""

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
        """Every kind as plain values, the most frequent first."""
        found = sorted(self._kinds.values(), key=lambda kind: (-kind[0], kind[1], kind[2]))
        return [
            {"text": text, "files": count, "first": name, "numbers_differ": differ}
            for count, name, text, differ in found
        ]

    @property
    def lines(self) -> list[str]:
        """Every kind in a line."""
        return [
            f"{kind['first']}: {kind['text']}"
            if kind["files"] == 1
            else f"{kind['files']:,} files: {kind['text']}"
            + (f" (in {kind['first']}; the numbers differ)" if kind["numbers_differ"] else "")
            for kind in self.documents
        ]


@dataclass(slots=True)
class Tally:
    """What a batch has done so far, and in the end.

    Parameters
    ----------
    most_named : int, optional
        Failures that are kept with their reasons; all by default.
    counts : Counter
        Files by their status: done, unchanged, failed.
    failed : list of (str, str)
        Names and reasons of files that failed.
    remarks : Remarks
        The remarks on all files.
    passed : PassedOver
        What was no picture.
    total : int
        Files in all, as far as they are known.
    stopped_listing : bool
        Whether the batch ended before all files were listed, so that their number is unknown.
    trouble : ConvvizError, optional
        What ended it.
    seconds : float
        How long it took.
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
        """Number of files that are left; None where it is unknown."""
        return None if self.stopped_listing else self.total - self.counts.total()

    @property
    def rest(self) -> str:
        """The number of files that are left, in words; empty if there are none."""
        return "" if self.left == 0 else "the rest" if self.left is None else plural(self.left, "file")

    @property
    def least(self) -> str:
        """What stands before a number of files that may be larger."""
        return "at least " if self.stopped_listing else ""
