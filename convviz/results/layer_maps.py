"""Hold the output of one layer of a network, as a value that shows and saves itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from convviz.compute.feature_maps import MapStatistics
from convviz.compute.networks.engine import NetworkStep
from convviz.compute.survey import by_energy, share_of_zeros, summed_up
from convviz.render.sheets import strips
from convviz.render.sheets.layout import Sheet
from convviz.results import outputs
from convviz.spec.geometry import HW
from convviz.spec.layers import Shape
from convviz.typing import Floats

if TYPE_CHECKING:
    from convviz.results.pages import Page


class Outputs(Protocol):
    """What the output of a layer needs of the outputs of its network, a `NetworkMaps`."""

    def step(self, name: str) -> NetworkStep:
        """Find a step by its name."""
        ...

    def activation(self, name: str) -> Floats:
        """Return the output of a step."""
        ...

    def explore(self, path: str = "input.npy", **looks: Any) -> "Page":
        """Make an interactive page of the network."""
        ...

    def sheet(self, *, only: str | None = None, token: HW | None = None, **looks: Any) -> Sheet:
        """Lay out the maps of one layer, or of all."""
        ...

    def save(self, path: str | Path, *, force: bool = False, only: str | None = None) -> None:
        """Write the sheet or the exact numbers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LayerMaps:
    """Hold the output of one layer of a network: the methods of `FeatureMaps`, for a layer of any kind.

    Parameters
    ----------
    run : NetworkMaps
        The network, its input, and the outputs of all its layers.
    name : str
        The name of the layer.
    token : HW, optional
        For attention (heads, T, T), the place of the token whose row becomes a map for each head.
    """

    run: Outputs
    name: str
    token: HW | None = None

    def __repr__(self) -> str:
        return f"<LayerMaps: {'x'.join(map(str, self.shape))} values by {self.name}, {self.layer}>"

    @property
    def layer(self) -> str:
        """Layer in words, such as ``"MaxPool2d(kernel_size=(2, 2), stride=(2, 2))"``."""
        return self.run.step(self.name).described

    @property
    def maps(self) -> Floats:
        """Output of the layer as float32, of shape (C, H, W), (N,) or another that the network has there."""
        return self.run.activation(self.name)

    @property
    def channels(self) -> Floats:
        """Maps with rows and columns, as `convviz.render.sheets.strips.as_maps` lays them out."""
        return strips.as_maps(self.maps, self.run.step(self.name).layout, token=self.token)

    @property
    def shape(self) -> Shape:
        """Shape of the maps."""
        return self.maps.shape

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each map."""
        return tuple(f"{self.name}: {index}" for index in range(len(self.channels)))

    def statistics(self) -> list[MapStatistics]:
        """Summarize every map; a row of values is one map."""
        found = map(summed_up, self.channels)
        return [
            MapStatistics(index, name, of.low, of.high, of.mean, of.std, of.nan, of.infinite)
            for index, (name, of) in enumerate(zip(self.names, found, strict=True))
        ]

    def sparsity(self) -> list[float]:
        """Return the share of zeros in every map."""
        return [share_of_zeros(values) for values in self.channels]

    def strongest(self, count: int) -> list[int]:
        """List the maps with the most energy, the strongest first."""
        return [int(index) for index in by_energy(self.channels)[:count]]

    def explore(self, path: str = "input.npy", **looks: Any) -> "Page":
        """Make an interactive page of the network; this takes the parameters of `NetworkMaps.explore`."""
        return self.run.explore(path, **looks)

    def sheet(self, **looks: Any) -> Sheet:
        """Lay out the maps; this takes the parameters of `NetworkMaps.sheet`."""
        return self.run.sheet(only=self.name, token=self.token, **looks)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the sheet or the exact numbers; this takes the parameters of `NetworkMaps.save`."""
        self.run.save(path, force=force, only=self.name)

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.sheet().image())
