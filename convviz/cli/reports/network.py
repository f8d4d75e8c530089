"""What ``convviz run`` says of a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from convviz.cli.console import answer, answer_path
from convviz.compute.networks.engine import NetworkStep
from convviz.compute.survey import share_of_zeros, summed_up
from convviz.files.writing import Stream
from convviz.render.sheets import receptive_field
from convviz.render.words import tables
from convviz.results.context import Seen
from convviz.results.layer_maps import LayerMaps
from convviz.results.network import NetworkMaps
from convviz.spec.geometry import HW
from convviz.spec.layers import shape_text
from convviz.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class NetworkReport:
    """The report of a network on a picture.

    Parameters
    ----------
    result : NetworkMaps
        What the layers make.
    only : str, optional
        The one layer that is drawn in full.
    seen : Seen, optional
        The receptive field that is drawn.
    top : int, optional
        Maps that are drawn of the layer.
    stats : sequence of str
        More columns of the table.
    token : HW, optional
        The token whose attention is drawn.
    """

    result: NetworkMaps
    only: str | None = None
    seen: Seen | None = None
    top: int | None = None
    stats: Sequence[str] = ()
    token: HW | None = None

    def show(self, *, written: Sequence[Path | Stream], verbose: bool = False) -> None:
        """Print the layers, or the maps of one, and what was written; with `verbose` what all layers cost."""
        screen = tables.console()
        if self.only is None:
            screen.print(self._table(screen.width))
        else:
            of = LayerMaps(self.result, self.only)
            answer(f"{self.only}: {of.layer}, {shape_text(of.shape)}")
            answer()
            found = self._map_rows()
            rows = [list(row.values()) for row in found]
            screen.print(tables.statistics(rows, width=screen.width, more=list(found[0])[6:]))
        answer()
        size = self.result.picture.size
        words = "" if self.seen is None else receptive_field.sentence(*self.seen, size=size)
        told = [line for line in (words, self.result.prediction_sentence()) if line]
        if verbose:
            told += [f"parameters: {self.result.parameters:,}", f"MACs: {self.result.macs:,}"]
        for line in told:
            answer(line)
        if told:
            answer()
        for path in written:
            answer_path(path)

    def document(self, **more: Any) -> dict[str, Any]:
        """Return everything as plain values; `more` holds what is known of input and files."""
        result = self.result
        rows = zip(self._computed, self._step_rows(), strict=True)
        numbers = {one.name: row for one, row in rows}
        found: dict[str, Any] = {
            "input": more.pop("input"),
            "output_shape": list(result.output_shape),
            "parameters": result.parameters,
            "macs": result.macs,
            "layers": [
                {"name": one.name, "layer": one.described, "output_shape": list(one.output_shape or ())}
                | numbers.get(one.name, {})
                for one in result.steps
            ],
            **more,
        }
        if self.only is not None:
            found["maps"] = self._map_rows()
        if predicted := result.prediction():
            found["prediction"] = [{"class": name, "value": value} for name, value in predicted]
        if self.seen is not None:
            name, at, box = self.seen
            found["field"] = {"layer": name, "at": list(at), **box._asdict()}
        return found

    def _map_rows(self) -> list[dict[str, Any]]:
        """Return the numbers of the maps of the layer, the strongest first where few are wanted."""
        layer = LayerMaps(self.result, self.only or "", self.token)
        maps, names = layer.channels, layer.names
        order = range(len(maps)) if self.top is None else layer.strongest(self.top)
        rows = [{"index": index, "name": names[index]} | _numbers(maps[index], self.stats) for index in order]
        return tables.without_zeros(rows)

    def _step_rows(self) -> list[dict[str, Any]]:
        """Return the numbers of what each layer makes."""
        made = self.result.made
        return tables.without_zeros([_numbers(made[one.name], self.stats) for one in self._computed])

    @property
    def _computed(self) -> list[NetworkStep]:
        """The steps that were computed."""
        return [one for one in self.result.steps if one.name in self.result.made]

    def _table(self, width: int) -> Table:
        """Tabulate what the layers make, with their types and shapes where there is room."""
        steps = self._computed
        cells = {
            "layer": [one.name for one in steps],
            "type": [one.kind for one in steps],
            "shape": [shape_text(one.output_shape or ()) for one in steps],
        }
        numbers = self._step_rows()
        words = [name for name, least in (("layer", 0), ("type", 100), ("shape", 80)) if width >= least]
        rows = [
            (
                index,
                *(cells[name][index] for name in words),
                *row.values(),
            )
            for index, row in enumerate(numbers)
        ]
        found = tables.statistics(rows, width=width, more=list(numbers[0])[4:], words=words)
        tables.leave_out(found, [name for name in cells if name not in words])
        return found


def _numbers(values: Floats, stats: Sequence[str]) -> dict[str, float]:
    """Sum up what one layer makes, or one map."""
    found = summed_up(values)
    known = {"min": found.low, "max": found.high, "mean": found.mean, "std": found.std}
    measures = {
        "sparsity": lambda: share_of_zeros(values),
        "energy": lambda: found.mean**2 + found.std**2,
    }
    return known | {"nan": found.nan, "inf": found.infinite} | {name: measures[name]() for name in stats}
