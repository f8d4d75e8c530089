"""Show the filters of one layer of trained weights, as a picture and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convviz import __version__
from convviz.compute.feature_maps import MapStatistics
from convviz.compute.networks.sources import Opened
from convviz.compute.survey import by_energy, summed_up
from convviz.errors import SpecError
from convviz.files.checkpoints import read_checkpoint
from convviz.render.sheets import filters as drawn
from convviz.render.sheets.layout import Sheet
from convviz.results.context import chosen_layer
from convviz.spec.layers import Shape
from convviz.spec.settings import TileSettings, as_text
from convviz.typing import Floats

ORDERS = ("stored", "energy")
# Longest side of a filter in the picture, in pixels.
TILE = 96


@dataclass(frozen=True, slots=True, eq=False)
class StoredFilters:
    """Hold filters of one layer, some or all, in an order.

    Parameters
    ----------
    path : Path or None
        The file of the filters; None if they are those of a network.
    layer : str
        The name of the layer in that file or network.
    weight : ndarray, shape (O, I / groups, kh, kw), float32
        All filters of the layer.
    chosen : sequence of int
        The indices of the chosen filters, in order.
    network : str
        The name of the network; empty for a file.
    """

    path: Path | None
    layer: str
    weight: Floats
    chosen: Sequence[int]
    network: str = ""

    def sheet(self, picture: TileSettings | None = None, *, frequency: bool = False) -> Sheet:
        """Draw the filters.

        Parameters
        ----------
        picture : TileSettings, optional
            Size, columns, colours and scale.
        frequency : bool
            Whether to draw the frequency response beside each filter.

        Returns
        -------
        Sheet
            It is not painted yet; ``image()`` paints it.
        """
        picture = picture or TileSettings()
        return drawn.draw(
            self.layer,
            self.weight,
            chosen=self.chosen,
            frequency=frequency,
            tile=picture.tile_or(TILE) or TILE,
            columns=picture.columns,
            look=picture,
        )

    def statistics(self) -> list[MapStatistics]:
        """Summarize the weights of every chosen filter."""
        sums = [(index, summed_up(self.weight[index])) for index in self.chosen]
        return [
            MapStatistics(index, f"filter {index}", of.low, of.high, of.mean, of.std) for index, of in sums
        ]

    def document(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return {
            **({"network": self.network} if self.path is None else {"path": str(self.path)}),
            "layer": self.layer,
            "weight_shape": list(self.weight.shape),
            "filters": [
                {"index": row.index, "min": row.min, "max": row.max, "mean": row.mean, "std": row.std}
                for row in self.statistics()
            ],
        }

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the filters for the metadata of a file; `chosen` are settings to include."""
        made = {"version": __version__, "command": "filters"}
        file = {} if self.path is None else {"weights": str(self.path)}
        return made | file | {"layer-name": self.layer} | as_text(*chosen)


def read_filters(
    path: str | Path, layer: str | None = None, *, sort: str = "stored", top: int | None = None
) -> StoredFilters:
    """Read the filters of one layer of trained weights.

    Parameters
    ----------
    path : str or Path
        A file .safetensors, .npz, .pt, .pth or .onnx.
    layer : str, optional
        The layer, by its name in `read_checkpoint`; it may be omitted if there is only one.
    sort : {"stored", "energy"}
        The order: as stored, or by decreasing sum of squares.
    top : int, optional
        The number of filters to keep.

    Returns
    -------
    StoredFilters
        It has ``weight``, ``sheet()`` and ``statistics()``.

    Raises
    ------
    InputError, UnknownNameError
        If the file cannot be read, or the layer does not exist in it.
    SpecError
        If the order does not exist.
    """
    if sort not in ORDERS:
        raise SpecError(f"sort is {' or '.join(ORDERS)}, not {sort!r}.")
    found = read_checkpoint(Path(path))
    one = found.find(layer)
    weight, _ = found.weights(one)
    return StoredFilters(Path(path), one.name, weight, _ordered(weight, sort)[:top])


def filters_of(
    opened: Opened, shape: Shape, layer: str | None = None, *, sort: str = "stored", top: int | None = None
) -> StoredFilters:
    """Take the filters of a convolution of a network, opened for an input of this shape.

    Raises
    ------
    UnknownNameError, SpecError
        If there is no such convolution.
    """
    name = chosen_layer(opened, shape, layer)
    weight = opened.engine.conv(name).weight
    return StoredFilters(None, name, weight, _ordered(weight, sort)[:top], opened.engine.name)


def _ordered(weight: Floats, sort: str) -> list[int]:
    """List filters as they are stored, or the greatest sum of squares first."""
    return by_energy(weight) if sort == "energy" else list(range(len(weight)))
