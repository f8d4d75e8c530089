"""Find the largest value of every map of a layer, by itself or in a network, and what it sees."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from convviz.analysis.peaks import Peaks, peaks
from convviz.compute import filters
from convviz.compute.filters import NamedFilters
from convviz.compute.networks.engine import Engine, NetworkStep, activations
from convviz.compute.networks.sources import NetworkSource, Opened, check_layer
from convviz.images.picture import Picture
from convviz.render.sheets import strips
from convviz.results import feature_maps
from convviz.results.context import chosen_layer
from convviz.results.network_runs import steps_of
from convviz.spec.geometry import HW
from convviz.spec.layers import Shape
from convviz.spec.reach import Box, Reach
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.typing import Floats

# The kernels of a filter that reads more channels say little.
MOST_CHANNELS = 4


class Made(NamedTuple):
    """Hold the largest values of the maps of one picture, with remarks for the user."""

    peaks: Peaks
    remarks: tuple[str, ...] = ()


class Described(NamedTuple):
    """Describe the maps that a layer makes of pictures of one shape.

    Parameters
    ----------
    layer : str
        The layer in words.
    names : tuple of str
        The names of the maps; empty if they have only numbers.
    height, width : Reach or None
        What a value sees along each axis; None where it is the whole picture or not defined.
    whole : bool
        Where they are None: whether a value sees the whole picture.
    kernels : ndarray, shape (O, I, kh, kw), float32, or None
        The kernels of a convolution that reads at most `MOST_CHANNELS` channels.
    """

    layer: str
    names: tuple[str, ...]
    height: Reach | None
    width: Reach | None
    whole: bool
    kernels: Floats | None = None

    @property
    def sees(self) -> str:
        """What a value sees, in one word: its receptive "field", the "whole" picture, or "undefined"."""
        if self.height is not None and self.width is not None:
            return "field"
        return "whole" if self.whole else "undefined"

    def box(self, at: HW) -> Box | None:
        """Return what a value sees; None if that is the whole picture or not defined."""
        if self.height is None or self.width is None:
            return None
        return Box.of(self.height, self.width, at)


class MapsOf(Protocol):
    """A layer before its input is known."""

    def check(self) -> None:
        """Refuse a layer that does not exist, before a picture is read."""
        ...

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Return the settings with which pictures are read, with remarks."""
        ...

    def peaks(self, picture: Picture) -> Made:
        """Find the largest value of every map of a picture."""
        ...

    def described(self, shape: Shape, channels: tuple[str, ...]) -> Described:
        """Describe the maps of pictures of a shape, whose channels have these names."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class OfLayer(MapsOf):
    """A layer by itself.

    Parameters
    ----------
    layer : LayerSettings
        Its settings.
    named : NamedFilters, optional
        Its kernels, as `convviz.compute.filters.prepare` returns them.
    """

    layer: LayerSettings
    named: NamedFilters | None

    def check(self) -> None:
        """Accept the layer: its kernels were checked when they were loaded."""

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Return the settings of the user."""
        return settings, ()

    def peaks(self, picture: Picture) -> Made:
        """Compute the maps in bands of rows."""
        layer, weights, remarks = filters.build(
            self.layer, picture.shape[0], named=self.named, channels=picture.channels
        )
        made = feature_maps.run(picture, layer, weights, keep=False)
        return Made(peaks(made.bands()), remarks)

    def described(self, shape: Shape, channels: tuple[str, ...]) -> Described:
        """Follow the windows of the layer."""
        layer, weights, _ = filters.build(self.layer, shape[0], named=self.named, channels=channels)
        height, width = (layer.reach(Reach(), shape, axis) for axis in (0, 1))
        assert isinstance(height, Reach)
        assert isinstance(width, Reach)
        kernels = weights.weight if weights.weight.shape[1] <= MOST_CHANNELS else None
        return Described(str(layer), weights.names, height, width, whole=False, kernels=kernels)


@dataclass(slots=True, eq=False)
class OfNetwork(MapsOf):
    """A layer of a network, which is opened once.

    Parameters
    ----------
    source : NetworkSource
        The network.
    name : str, optional
        The layer; by default its only convolution.
    """

    source: NetworkSource
    name: str | None = None
    _opened: tuple[Shape, Opened] | None = field(default=None, init=False)
    _steps: dict[Shape, NetworkStep] = field(default_factory=dict, init=False)
    _layout: str | None = field(default=None, init=False)

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Return the settings that the network needs, unless the user chose others."""
        return self.source.reading(settings)

    def opened(self, shape: Shape) -> Opened:
        """Open the network, once for all pictures of one shape that follow each other."""
        if self._opened is None or self._opened[0] != shape:
            self._opened = shape, self.source.open(shape)
        return self._opened[1]

    def step(self, shape: Shape) -> NetworkStep:
        """Describe the layer for an input of a shape.

        Raises
        ------
        UnknownNameError, SpecError
            If the network does not have this layer, or none is named and there are several convolutions.
        """
        if shape not in self._steps:
            opened = self.opened(shape)
            self.name = chosen_layer(opened, shape, self.name)
            steps = {one.name: one for one in steps_of(opened, shape, [self.name])}
            check_layer(self.name, list(steps))
            self._steps[shape] = steps[self.name]
        return self._steps[shape]

    def check(self) -> None:
        """Refuse a layer that the network does not have, before a picture is read.

        Raises
        ------
        UnknownNameError, SpecError
            As for `step`.
        """
        shape = self.source.usual_shape
        if self.name is None:
            self.step(shape)
        elif self.source.names:
            check_layer(self.name, self.source.names)
        else:
            self.opened(shape).engine.convolves(self.name)

    def peaks(self, picture: Picture) -> Made:
        """Run the network up to the layer."""
        if self._layout is None:  # to follow the axes of every shape of picture would take as long as the run
            self._layout = self.step(picture.shape).layout
        assert self.name is not None
        opened = self.opened(picture.shape)
        made = activations(opened.engine, picture.x, [self.name])[self.name]
        return Made(peaks([as_units(made.values, self._layout)]), opened.remarks)

    def described(self, shape: Shape, channels: tuple[str, ...]) -> Described:
        """Ask the network what a value of the layer sees."""
        step = self.step(shape)
        known = step.layout and step.height is not None and step.width is not None
        height, width = (step.height, step.width) if known else (None, None)
        engine = self.opened(shape).engine
        return Described(
            f"layer {step.name} of {engine.title}",
            (),
            height,
            width,
            whole=step.whole,
            kernels=_kernels(engine, step),
        )


def _kernels(engine: Engine, step: NetworkStep) -> Floats | None:
    """Return the kernels of a convolution that reads few channels."""
    channels = (step.input_shapes[0] or (0,))[0] if step.input_shapes else 0
    if step.convolution != "Conv2d" or channels > MOST_CHANNELS:
        return None
    return np.asarray(engine.conv(step.name).weight, np.float32)


def as_units(values: Floats, layout: str) -> Floats:
    """Convert the output of a layer to one map per unit.

    Parameters
    ----------
    values : ndarray
        Maps; a row of values, each of which is a unit; or tokens (T, D), of which every feature is a unit.
    layout : str
        ``"hwc"`` if channels are the last of three axes.

    Returns
    -------
    ndarray, shape (units, H, W)
        The tokens of a square lie in its rows and columns, without a class token; others in one column.

    Examples
    --------
    >>> import numpy as np
    >>> [as_units(np.zeros(shape), "").shape for shape in ((7,), (17, 5), (6, 5))]
    [(7, 1, 1), (5, 4, 4), (5, 6, 1)]
    """
    if values.ndim == 1:
        return values[:, None, None]
    if values.ndim == 2:
        maps = strips.as_maps(values)
        return values.T[:, :, None] if maps.shape[1:] == values.shape else maps
    return strips.as_maps(values, layout)
