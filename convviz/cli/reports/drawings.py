"""Answers that can be drawn: the file, then text or JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convviz.cli.console import answer, answer_path
from convviz.cli.writing import tell_replaced
from convviz.files.writing import Stream
from convviz.results import outputs
from convviz.results.drawn import Drawn


def write(
    drawn: Drawn,
    target: Path | Stream | None,
    description: dict[str, Any],
    *,
    force: bool,
    inputs: Sequence[Path],
    quiet: bool,
) -> None:
    """Write the drawing, where one is asked for."""
    if target is not None:
        drawing = drawn.drawing()
        tell_replaced(target, description, quiet=quiet)
        outputs.write_sheet(drawing, target, description, force=force, inputs=inputs)


def end(target: Path | Stream | None, *, quiet: bool) -> None:
    """Name the file that was written."""
    if isinstance(target, Path):
        if not quiet:
            answer()
        answer_path(target, quiet=quiet)
