"""Write the report of a batch: one JSON line per input, as the batch runs."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convviz.batch.plan import Outcome, PassedOver
from convviz.files import writing


class Report:
    """Write the report of a batch, one line per input, as the batch runs.

    Parameters
    ----------
    path : Path, optional
        The file to write; without it no file is written.
    say : callable, optional
        Writes a line in place of the file.
    """

    def __init__(self, path: Path | None, say: Callable[[str], None] | None = None) -> None:
        self._path, self._say = path, say
        self._file: Any = None

    def __enter__(self) -> "Report":
        if self._path is not None and self._say is None:
            with writing.reported(self._path):
                writing.make_folder(self._path.parent)
                # Replace a link; never write through it.
                self._path.unlink(missing_ok=True)
                self._file = self._path.open("x", encoding="utf-8")
        return self

    def write(self, outcome: Outcome) -> None:
        """Write one line."""
        line = {
            "path": outcome.name,
            "status": outcome.status,
            "output": None if outcome.reason else str(outcome.target),
            "input_shape": list(outcome.input_shape),
            "output_shape": list(outcome.output_shape),
            "seconds": round(outcome.seconds, 6),
            "reason": outcome.reason or None,
            "remarks": list(outcome.remarks),
        } | ({"maps": list(outcome.maps)} if outcome.maps else {})
        self._write(line)

    def write_passed(self, passed: PassedOver) -> None:
        """Write a line for each ending of the files that were passed over, and for each link to a folder."""
        rest = {"status": "passed over", "output": None}
        for ending, count in passed.endings.most_common():
            self._write({"path": f"*{ending}", **rest, "files": count, "reason": "not an ending of pictures"})
        if passed.drawn:
            reason = "pictures that convviz drew"
            self._write({"path": "*", **rest, "files": passed.drawn, "reason": reason})
        for name in passed.links:
            self._write({"path": f"{name}/", **rest, "reason": "a link to a folder, which is not followed"})

    def _write(self, line: dict[str, Any]) -> None:
        if self._path is None:
            return
        text = json.dumps(line)
        if self._say is not None:
            self._say(text)
        else:
            with writing.reported(self._path):
                self._file.write(text + "\n")
                self._file.flush()

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # every line was already flushed
                self._file.close()
