"""The filters of one layer of trained weights, as a picture and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convviz import __version__
from convviz.compute.feature_maps import MapStatistics
from convviz.compute.survey import by_energy, summed_up
from convviz.errors import SpecError
from convviz.files.checkpoints import read_checkpoint
from convviz.render.sheets import filters as drawn
from convviz.render.sheets.layout import Sheet
from convviz.spec.settings import TileSettings, as_text
from convviz.typing import Floats

ORDERS = ("stored", "energy")
# Longest side of a filter on the picture, in pixels.
TILE = 96


@dataclass(frozen=True, slots=True, eq=False)
class StoredFilters:
    """Filters of one layer, some or all, in an order.

    Parameters
    ----------
    path : Path
        The file that they were read from.
    layer : str
        What the layer is called there.
    weight : ndarray, shape (O, I / groups, kh, kw), float32
        All filters of the layer.
    chosen : sequence of int
        Which of them, in which order.
    """

    path: Path
    layer: str
    weight: Floats
    chosen: Sequence[int]

    def sheet(self, picture: TileSettings | None = None, *, frequency: bool = False) -> Sheet:
        """Draw the filters.

        Parameters
        ----------
        picture : TileSettings, optional
            Size, columns, colours and scale.
        frequency : bool
            Draw the frequency response beside each.

        Returns
        -------
        Sheet
            Not painted yet; ``image()`` paints it.
        """
        default = TileSettings()
        picture = picture or default
        return drawn.draw(
            self.layer,
            self.weight,
            chosen=self.chosen,
            frequency=frequency,
            tile=TILE if picture.tile in (None, default.tile) else picture.tile,
            columns=picture.columns,
            look=picture,
        )

    def statistics(self) -> list[MapStatistics]:
        """Sum up the weights of every chosen filter."""
        sums = [(index, summed_up(self.weight[index])) for index in self.chosen]
        return [
            MapStatistics(index, f"filter {index}", of.low, of.high, of.mean, of.std) for index, of in sums
        ]

    def document(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return {
            "path": str(self.path),
            "layer": self.layer,
            "weight_shape": list(self.weight.shape),
            "filters": [
                {"index": row.index, "min": row.min, "max": row.max, "mean": row.mean, "std": row.std}
                for row in self.statistics()
            ],
        }

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the filters for the metadata of a file; `chosen` are settings to be told with it."""
        made = {"version": __version__, "command": "filters", "weights": str(self.path)}
        return made | {"layer-name": self.layer} | as_text(*chosen)


def read_filters(
    path: str | Path, layer: str | None = None, *, sort: str = "stored", top: int | None = None
) -> StoredFilters:
    """Read the filters of one layer of trained weights.

    Parameters
    ----------
    path : str or Path
        A file .safetensors, .npz, .pt, .pth or .onnx.
    layer : str, optional
        The layer, as `read_checkpoint` calls it; may be left out where there is one.
    sort : {"stored", "energy"}
        The order: as they are stored, or the greatest sum of squares first.
    top : int, optional
        Keep only so many.

    Returns
    -------
    StoredFilters
        With ``weight``, ``sheet()`` and ``statistics()``.

    Raises
    ------
    InputError, UnknownNameError
        If the file cannot be read, or has no such layer.
    SpecError
        If there is no such order.
    """
    if sort not in ORDERS:
        raise SpecError(f"sort is {' or '.join(ORDERS)}, not {sort!r}.")
    found = read_checkpoint(Path(path))
    one = found.find(layer)
    weight, _ = found.weights(one)
    order = by_energy(weight) if sort == "energy" else list(range(len(weight)))
    return StoredFilters(Path(path), one.name, weight, order[:top])
