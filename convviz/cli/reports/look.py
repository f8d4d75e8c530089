"""What ``convviz look`` prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convviz.cli.console import answer, answer_json, answer_path
from convviz.files.writing import Stream
from convviz.render.words import tables
from convviz.results.look import Looks
from convviz.spec.layers import shape_text
from convviz.text import number


def show(
    found: Looks,
    written: Sequence[Path | Stream],
    *,
    input: dict[str, Any],
    scales: list[dict[str, Any]],
    json: bool,
    quiet: bool,
) -> None:
    """Print the statistics of the pictures, and where they were drawn."""
    if json:
        files = [str(path) for path in written]
        answer_json({"input": input, **found.document(), "scales": scales, "files": files})
        return
    if not quiet:
        screen = tables.console()
        answer(found.sentence)
        answer()
        screen.print(_table(found))
        answer()
    for path in written:
        answer_path(path, quiet=quiet)


def _table(found: Looks) -> Any:
    """Tabulate the layers: shape, extremes, and where the largest value lies in the picture."""
    last = "explained" if found.asked.how == "pca" else "largest at pixel"
    table = tables.bare_table("layer", "shape", "min", "max", "mean", last, left=(0,), folding=0)
    for one in found:
        of = one.document()
        last = one.explained or ",".join(str(round(place)) for place in of["largest_at"] or ()) or "-"
        table.add_row(
            one.layer,
            shape_text(one.shape),
            *(number(of[name], digits=4) for name in ("min", "max", "mean")),
            last,
        )
    return table
