"""What ``convviz run`` says of one layer."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convviz.cli.console import answer, answer_path
from convviz.files.writing import Stream
from convviz.machine import memory
from convviz.render.sheets import filters
from convviz.render.words import shapes, tables
from convviz.results.outcome import LayerOutcome
from convviz.spec.geometry import HW
from convviz.spec.wanted import RunSettings
from convviz.typing import Floats


def report(
    outcome: LayerOutcome, wanted: RunSettings, *, auto: bool, written: Sequence[Path | Stream]
) -> None:
    """Print the layer, the maps and what was written; `auto` says that convviz chose the backend."""
    screen = tables.console()
    for line in _layer_lines(outcome):
        answer(line)
    if wanted.verbose:
        for line in _cost_lines(outcome, auto=auto):
            answer(line)
    if wanted.verbose or wanted.table:
        _print_kernels(outcome)
    answer()
    stats = wanted.stat or ()
    found = map_rows(outcome, stats)
    rows = [list(row.values()) for row in found]
    screen.print(tables.statistics(rows, width=screen.width, more=list(found[0])[6:]))
    for line in outcome.seen.words:
        answer()
        answer(line)
    if wanted.table:
        for name, values in outcome.result.named(outcome.parts, chosen=outcome.chosen):
            _print_values(name, values, at=wanted.at)
    answer()
    for path in written:
        answer_path(path)


def _layer_lines(outcome: LayerOutcome) -> list[str]:
    """Describe the layer: as torch writes it, its shapes, its parameters, and the checks of its maps."""
    result, size = outcome.result, outcome.result.picture.size
    layer = result.layer
    lines = [
        *([result.transposed.sentence] if result.transposed else []),
        *layer.torch_repr(size).split("\n"),
        layer.sentence,
        shapes.shape_line(layer, size),
        shapes.parameter_line(layer),
    ]
    if outcome.parts is not None:
        lines.append(f"partial maps + bias = map (largest difference {result.apart(outcome.parts):.2g})")
    if outcome.flipped:
        lines += shapes.flip_lines(result.names, result.filters.symmetric, outcome.changed)
    return lines


def _cost_lines(outcome: LayerOutcome, *, auto: bool) -> list[str]:
    """Describe what the layer costs, who computed it, and its groups."""
    result, size = outcome.result, outcome.result.picture.size
    layer = result.layer
    lines = [*shapes.cost_lines(layer, size), f"backend: {result.backend}{' (auto)' if auto else ''}"]
    if layer.groups > 1:
        lines += shapes.group_map(layer, size, result.picture.channels, names=result.names)
    return lines


def _print_kernels(outcome: LayerOutcome) -> None:
    """Print the kernels of a small layer."""
    result = outcome.result
    width = tables.console().width
    kernels = filters.lines(result.layer, result.filters, result.picture.channels, width=width)
    if kernels:
        answer()
        answer("kernels" + (", rotated by 180 degrees" if outcome.flipped else ""))
    for line in kernels:
        answer(line, whole=True)


def _print_values(name: str, values: Floats, *, at: HW | None) -> None:
    """Print as many values of one map as fit."""
    screen = tables.console()
    answer()
    answer(f"{name}  {HW(*values.shape)}")
    body, left_out = tables.values(values, at=at, width=screen.width)
    screen.print(body)
    if left_out:
        answer(left_out)


def map_rows(outcome: LayerOutcome, stats: Sequence[str]) -> list[dict[str, Any]]:
    """Return the numbers of the maps that are shown, in their order; with those that `stats` names."""
    result = outcome.result
    more: dict[str, list[float]] = {
        "sparsity": result.sparsity() if "sparsity" in stats else [],
        "energy": [row.energy for row in result.statistics()],
    }
    rows = [asdict(row) | {name: more[name][row.index] for name in stats} for row in result.statistics()]
    return tables.without_zeros(rows if outcome.chosen is None else [rows[index] for index in outcome.chosen])


def document(outcome: LayerOutcome, wanted: RunSettings, **more: Any) -> dict[str, Any]:
    """Return everything as plain values; `more` holds what is known of input, files and times."""
    result = outcome.result
    layer, size = result.layer, result.picture.size
    found: dict[str, Any] = {
        "input": more.pop("input"),
        "layer": {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel_size": list(layer.kernel_size),
            "stride": list(layer.stride),
            "padding": list(layer.edges(size)),
            "padding_mode": layer.padding_mode,
            "dilation": list(layer.dilation),
            "groups": layer.groups,
            "bias": layer.bias,
        },
        **({} if result.transposed is None else {"transposed": result.transposed.document}),
        "output_shape": list(result.shape),
        "parameters": layer.parameters,
        "macs": layer.macs(result.picture.shape),
        "backend": result.backend,
        "maps": map_rows(outcome, wanted.stat or ()),
        **more,
    }
    if wanted.field is not None:
        seen = None if outcome.place is None else outcome.place.seen
        box = result.receptive_field(wanted.field) if seen is None else seen.box
        named = {} if seen is None else {"layer": seen.layer}
        found["field"] = {**named, "at": list(wanted.field), **box._asdict()}
    if outcome.parts is not None:
        found["partial"] = {"difference": result.apart(outcome.parts)}
    if outcome.flipped:
        changed = outcome.changed
        found["flip"] = {
            "difference": changed[0] if changed else 0.0,
            "symmetric": list(result.filters.symmetric),
        }
    return found | (_values(outcome, found.get("partial", {})) if wanted.table else {})


def _values(outcome: LayerOutcome, partial: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the maps that are shown, if they fit into memory as Python objects."""
    maps, parts = outcome.result.maps, outcome.parts
    order = range(len(maps)) if outcome.chosen is None else outcome.chosen
    count = len(order) * math.prod(maps.shape[1:]) * (1 if parts is None else 1 + parts.shape[1])
    memory.need_objects(count, "the values as JSON", "leave out --table, or take --save")
    found: dict[str, Any] = {"values": [maps[index].tolist() for index in order]}
    if parts is None:
        return found
    return found | {"partial": partial | {"values": [parts[index].tolist() for index in order]}}
