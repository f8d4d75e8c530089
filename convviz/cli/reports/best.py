"""What ``convviz best`` prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convviz.batch import Tally
from convviz.cli.console import answer, answer_json, answer_path, remark
from convviz.cli.reports import batch
from convviz.files.writing import Stream
from convviz.render.words import tables
from convviz.results.best import Best, Patch
from convviz.text import number, plural, printable

# The number of pictures of a map that the table names.
_NAMED = 3


def show(
    found: Best,
    written: Sequence[Path | Stream],
    tally: Tally,
    *,
    folder: str,
    json: bool,
    quiet: bool,
) -> None:
    """Print the pictures in which each map is largest, and what was written."""
    if json:
        files = [str(path) for path in written]
        answer_json({"folder": folder, **found.document(), "batch": batch.document(tally), "files": files})
        return
    if not quiet:
        done, unchanged = tally.counts["done"], tally.counts["unchanged"]
        before = f", {unchanged:,} unchanged since an earlier run" if unchanged else ""
        answer(f"{found.layer}: {plural(done, 'picture')} read in {tally.seconds:.1f} s{before}")
        answer()
        tables.console().print(_table(found))
        answer()
        answer(found.rule)
        for line in filter(None, (*found.remarks, *tally.remarks.lines, tally.passed.sentence)):
            remark(line)
    for path in written:
        answer_path(path, quiet=quiet)


def _table(found: Best) -> Any:
    """Tabulate the maps: the largest value, and the first pictures."""
    table = tables.bare_table("map", "largest", "pictures", left=(0, 2), folding=2)
    for row in found:
        largest = number(row.patches[0].value, digits=4) if row.patches else "NaN"
        more = f" and {len(row.patches) - _NAMED} more" if len(row.patches) > _NAMED else ""
        names = ", ".join(map(_named, row.patches[:_NAMED]))
        table.add_row(row.words, largest, names + more)
    return table


def _named(one: Patch) -> str:
    """Name the picture of a patch, and say how much of what the value sees is padding."""
    return printable(one.name) + (f" ({one.padding_words})" if one.padding_words else "")
