"""What `convviz filters` prints."""

from pathlib import Path

from convviz.cli.console import answer, answer_json, answer_path
from convviz.files.writing import Stream
from convviz.render.words import tables
from convviz.results.stored_filters import StoredFilters


def show(found: StoredFilters, target: Path | Stream, *, json: bool, quiet: bool) -> None:
    """Print the numbers of the filters, and where they were drawn."""
    if json:
        answer_json({**found.document(), "files": [str(target)]})
        return
    if not quiet:
        screen = tables.console()
        rows = [(of.index, of.name, of.min, of.max, of.mean, of.std) for of in found.statistics()]
        screen.print(tables.statistics(rows, width=screen.width))
        answer()
    answer_path(target, quiet=quiet)
