"""What ``convviz maps`` prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convviz.cli.console import answer, answer_json, answer_path
from convviz.files.writing import Stream
from convviz.render.words import tables
from convviz.results.stored_maps import StoredMaps


def show(
    found: StoredMaps,
    target: Path | Stream,
    *,
    stats: Sequence[str],
    scales: list[dict[str, Any]],
    json: bool,
    quiet: bool,
) -> None:
    """Print the numbers of the maps, and where they were drawn."""
    if json:
        answer_json(document(found, stats) | {"scales": scales, "files": [str(target)]})
        return
    if not quiet:
        screen, rows = tables.console(), found.rows(stats)
        answer(found.sentence)
        answer()
        screen.print(
            tables.statistics(
                [list(row.values()) for row in rows], width=screen.width, more=list(rows[0])[6:]
            )
        )
        answer()
    answer_path(target, quiet=quiet)


def document(found: StoredMaps, stats: Sequence[str]) -> dict[str, Any]:
    """Return the numbers as plain values."""
    return {
        "input": {"name": found.title, "shape": list(found.stored)},
        "output_shape": list(found.maps.shape),
        "maps": found.rows(stats),
    }
