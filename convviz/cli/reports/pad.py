"""What `convviz pad` prints."""

from pathlib import Path

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.reports import drawings
from convviz.files.writing import Stream
from convviz.render.drawings.padding import left_out
from convviz.render.words import tables
from convviz.results.padded import Padded

# Channels up to this size are printed; nobody reads larger ones.
MOST_CELLS = 40


def show(found: Padded, target: Path | Stream | None, *, json: bool, quiet: bool) -> None:
    """Print the padded channels, and where they were drawn."""
    if json:
        answer_json(found.document())
        return
    if not quiet:
        _tell(found, drawn=target is not None)
    drawings.end(target, quiet=quiet)


def _tell(found: Padded, *, drawn: bool) -> None:
    """Print the padded channels, or that they are too many."""
    is_large = max(found.edges.around(found.picture.size)) > MOST_CELLS
    lines = [found.sentence] if is_large else found.lines(width=tables.console().width)
    for line in lines:
        answer(line)
    if is_large and not drawn:
        remark(f"more than {MOST_CELLS} rows or columns are too many to print; -o FILE.png draws them.")
    if left_out(found.picture):
        remark("--json has the values of all channels.")
