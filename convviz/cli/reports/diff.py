"""What ``convviz diff`` prints."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convviz.cli.console import answer, answer_json, answer_path
from convviz.files.writing import Stream
from convviz.render.words import tables
from convviz.results.diff import Differences, LayerDifference
from convviz.spec.layers import shape_text
from convviz.text import number, plural

# A table has at most this many rows: the first layers that differ, and the worst ones.
_MOST = 24
_BEFORE, _AFTER = 3, 8


def show(found: Differences, written: Sequence[Path | Stream], *, json: bool, quiet: bool) -> None:
    """Print the answer, the figures of the layers, and where they were drawn."""
    if json:
        answer_json({**found.document(), "files": [str(path) for path in written]})
        return
    if not quiet:
        answer(found.sentence)
        for note in found.notes:
            answer(note)
        answer()
        rows = _rows(found)
        tables.console().print(_table(rows))
        if len(rows) < len(found):
            answer(f"{plural(len(found) - len(rows), 'row')} left out, which --json gives.")
        if written:
            answer()
    for path in written:
        answer_path(path, quiet=quiet)


def _rows(found: Differences) -> list[LayerDifference]:
    """Choose the rows of the table: those around the first layer that differs, and the worst ones."""
    if len(found) <= _MOST:
        return list(found.layers)
    first = found.first
    at = found.layers.index(first) if first is not None else 0
    near = list(found.layers[max(0, at - _BEFORE) : at + _AFTER])
    worst = sorted(found.layers, key=lambda one: -one.relative)
    chosen = list(dict.fromkeys([*near, found.layers[-1], *worst]))[:_MOST]
    return [one for one in found.layers if one in chosen]


def _table(rows: Sequence[LayerDifference]) -> Any:
    """Tabulate the figures of layers."""
    table = tables.bare_table(
        "layer", "largest", "relative", "mean", "cosine", "PSNR", "", left=(0, 6), folding=0
    )
    for one in rows:
        table.add_row(one.label, *_figures(one), _status(one))
    return table


def _figures(one: LayerDifference) -> list[str]:
    """Write the figures of a layer; those of two shapes do not exist."""
    of = one.found
    if of is None:
        return ["-"] * 5
    if of.largest == 0:
        return ["0", "0", "0", "1", "inf"]
    far = [number(value, digits=3) for value in (of.largest, one.relative)]
    if math.isnan(of.mean):  # no value is finite in both
        return [*far, "-", "-", "-"]
    psnr = "inf" if of.psnr == math.inf else f"{of.psnr:.1f}"
    return [*far, number(of.mean, digits=3), _cosine(of.cosine), psnr]


def _cosine(value: float) -> str:
    """Write a cosine; below 1 it is never written as 1."""
    text = f"{value:.6f}"
    return ">0.999999" if value < 1 and text == "1.000000" else text.rstrip("0").rstrip(".")


def _status(one: LayerDifference) -> str:
    """Say in a word how the two compare, and how they were matched if not by one name."""
    if one.found is None:
        return f"shape {shape_text(one.shape)}, {shape_text(one.other_shape)}"
    words: list[str] = [one.status]
    if one.how == "order" and one.name != one.other:
        words.append("by order")
    if one.how == "folded":
        words.append("folded")
    if one.found.lone:
        words.append(f"{one.found.lone:,} not finite in one")
    elif one.found.not_finite:
        words.append(f"{one.found.not_finite:,} not finite in both")
    return ", ".join(words)
