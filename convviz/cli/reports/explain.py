"""What `convviz explain` prints."""

from pathlib import Path

from convviz.cli.console import answer, answer_json
from convviz.cli.reports import drawings
from convviz.files.writing import Stream
from convviz.render.words import tables
from convviz.results.explanations import Explanation


def show(found: Explanation, target: Path | Stream | None, *, json: bool, quiet: bool) -> None:
    """Print an explanation, and where it was drawn."""
    if json:
        answer_json(found.document())
        return
    if not quiet:
        screen = tables.console()
        for line in found.lines(width=screen.width):
            answer(line)
        table = found.table()
        if table is not None:
            screen.print(table)
    drawings.end(target, quiet=quiet)
