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


def show(found: Padded, target: Path | Stream | None, *, json: bool) -> None:
    """Print the padded channels, and where they were drawn."""
    if json:
        answer_json(found.document())
        return
    is_large = max(found.edges.around(found.picture.size)) > MOST_CELLS
    lines = [found.sentence] if is_large else found.lines(width=tables.console().width)
    for line in lines:
        answer(line)
    if is_large and target is None:
        remark(f"more than {MOST_CELLS} rows or columns are too many to print; -o FILE.png draws them.")
    if left_out(found.picture):
        remark("--json has the values of all channels.")
    drawings.end(target)
