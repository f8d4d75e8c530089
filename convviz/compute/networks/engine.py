"""What every engine of networks offers, and the values that it gives."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.machine import memory
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d, ConvTranspose2d, Shape
from convviz.spec.reach import Reach
from convviz.text import printable
from convviz.typing import Floats


@dataclass(frozen=True, slots=True)
class Declared:
    """What a network says about its input.

    Parameters
    ----------
    channels, height, width : int or None
        As declared; None where any number fits, or nothing is said.
    channels_last : bool
        Whether the network itself reads (H, W, C); an engine takes (C, H, W) all the same.
    dtype : str
        Type of the numbers that it reads.
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    channels_last: bool = False
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class NetworkStep:
    """One operation of a network, for one shape of the input.

    Parameters
    ----------
    name : str
        What ``layer`` takes.
    kind : str
        What the engine calls the operation, such as ``"Conv"`` or ``"BatchNorm2d"``.
    input_shapes : tuple of (tuple of int or None)
        Shapes of the activations that it reads, without the axis of the batch; None
        where they are known only once they are computed.
    output_shape : tuple of int or None
        Likewise, of what it makes.
    parameters : int
        Number of parameters of its own, without those of the steps inside it.
    macs : int or None
        Multiply-accumulate operations of convolutions and products of matrices, none for
        activations, pooling and normalization; None where they are not defined.
    convolution : str
        ``"Conv2d"`` or ``"ConvTranspose2d"`` if `Engine.conv` describes it, else empty.
    outer : bool
        Whether it only contains other steps.
    remark : str
        In what it is not what its name says.
    inputs : tuple of str
        The steps that it reads, ``"input"`` for the picture; empty where that is not known.
    height, width : Reach or None
        What one value that it makes sees of the picture along each axis.
    whole : bool
        Where one of those is None: whether it sees all of that axis; else what it sees is not defined.
    layout : str
        How its three axes lie: ``"chw"`` for maps, ``"hwc"`` for channels last, empty where
        they are no rows and columns of the picture, or that is not known.
    layer : str
        The layer with its arguments, as torch writes it; empty where they are not known.
    """

    name: str
    kind: str
    input_shapes: tuple[Shape | None, ...]
    output_shape: Shape | None
    parameters: int = 0
    macs: int | None = 0
    convolution: str = ""
    outer: bool = False
    remark: str = ""
    inputs: tuple[str, ...] = ()
    height: Reach | None = None
    width: Reach | None = None
    whole: bool = False
    layout: str = ""
    layer: str = ""

    @property
    def described(self) -> str:
        """The layer with its arguments, where they are known."""
        return self.layer or self.kind


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """What one step of a network made.

    Parameters
    ----------
    name : str
        The step.
    values : ndarray, float32
        What it made, without the axis of the batch; NaN and infinity are kept.
    read : ndarray, float32, or None
        What it read, if that was asked for and is one array.
    """

    name: str
    values: Floats
    read: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution of a network: the layer and the numbers that it computes with.

    Parameters
    ----------
    name : str
        The step.
    layer : Conv2d or ConvTranspose2d
        Its settings.
    weight : ndarray, float32
        Of shape ``layer.weight_shape``.
    bias : ndarray, shape (O,), float32, or None
        One number per map.
    remark : str
        In what these are not what the network computes with.
    """

    name: str
    layer: Conv2d | ConvTranspose2d
    weight: Floats
    bias: Floats | None = None
    remark: str = ""

    @property
    def parameters(self) -> dict[str, Floats]:
        """Weight and bias by the names of torch."""
        return {"weight": self.weight} | ({} if self.bias is None else {"bias": self.bias})

    @property
    def weights(self) -> LayerWeights:
        """The numbers of a `Conv2d`.

        Raises
        ------
        SpecError
            If one of them is not finite.
        """
        assert isinstance(self.layer, Conv2d)
        return LayerWeights.of(self.layer, self.weight, self.bias)


See = Callable[[Activation], None]


class Engine(Protocol):
    """A network that somebody else's program (or ours) runs.

    Every engine takes an input (C, H, W) of float32 and gives activations by the
    names of its steps; a step that ran several times is called ``NAME``, ``NAME:2``, and so on.
    """

    @property
    def name(self) -> str:
        """What messages call the network."""
        ...

    @property
    def declared(self) -> Declared:
        """What the network says about its input."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """What the values of its last step stand for, where the network itself says it."""
        return ()

    @property
    def runner(self) -> str:
        """The program that computes, such as ``"onnxruntime"``."""
        ...

    def steps(self, shape: Shape) -> tuple[NetworkStep, ...]:
        """List the steps for an input of `shape`, in the order in which they are computed.

        Raises
        ------
        ShapeError
            If the network does not read such an input.
        """
        ...

    def visit(
        self, x: Floats, names: Sequence[str], see: See, *, reads: bool = False, kept: bool = False
    ) -> None:
        """Compute what the steps in `names` need, and call `see` with each of them as soon as it is there.

        Parameters
        ----------
        x : ndarray, shape (C, H, W), float32
            The input.
        names : sequence of str
            The steps. One that makes several arrays is seen once for each, as ``NAME[KEY]``.
        see : callable
            What is called with every `Activation`; what it does not keep is freed.
        reads : bool
            Whether to give what the steps read, too.
        kept : bool
            Whether `see` keeps all of them, so that they must fit into the memory together.

        Raises
        ------
        UnknownNameError
            If there is no such step.
        ShapeError
            If the network does not read such an input.
        SpecError
            If the memory of this machine is too small.
        """
        ...

    def gradient(self, x: Floats, name: str, at: HW) -> Floats:
        """Compute how much every input value moves what a step makes at one position.

        Returns
        -------
        ndarray, shape (C, H, W), float32
            The gradient of the sum of all maps at that row and column.

        Raises
        ------
        SpecError
            If what runs the network computes no gradients.
        """
        raise SpecError(f"effective: {self.runner} computes no gradients; leave it out.")

    def convolves(self, name: str) -> bool:
        """Return whether a step is a convolution that `conv` describes, before anything is computed.

        Raises
        ------
        UnknownNameError
            If there is no such step.
        """
        ...

    def value_names(self, name: str) -> tuple[str, str]:
        """Return what a file calls that which a step reads, and that which it makes; empty elsewhere."""
        return "", ""

    def conv(self, name: str) -> Convolution:
        """Describe a step that is a convolution.

        Raises
        ------
        UnknownNameError
            If there is no such step.
        SpecError
            If it is no convolution of two axes, or one that `Conv2d` cannot describe.
        """
        ...


def activations(
    engine: Engine, x: Any, names: Sequence[str], *, reads: bool = False
) -> dict[str, Activation]:
    """Compute some steps of a network, and keep them all.

    Parameters
    ----------
    engine : Engine
        The network.
    x : array_like, shape (C, H, W), float32
        The input.
    names : sequence of str
        The steps.
    reads : bool
        Whether to keep what they read, too.

    Returns
    -------
    dict of Activation
        By name, in the order of `names` where each makes one array.

    Raises
    ------
    UnknownNameError, ShapeError, SpecError
        As `Engine.visit` says.
    """
    found: dict[str, Activation] = {}

    def keep(one: Activation) -> None:
        found[one.name] = one

    engine.visit(np.asarray(x, np.float32), names, keep, reads=reads, kept=True)
    asked = {name: found[name] for name in names if name in found}
    return asked | found


def overview_steps(steps: Sequence[NetworkStep], layouts: Sequence[str] = ("chw",)) -> list[NetworkStep]:
    """Choose the steps that show a network at a glance.

    Parameters
    ----------
    steps : sequence of NetworkStep
        All steps, in the order in which they are computed.
    layouts : sequence of str
        How the maps may lie that are chosen.

    Returns
    -------
    list of NetworkStep
        The last step with maps of every size, in order: where a size comes back later, as on the
        way up of a U-Net, it has a row of its own. Padding before a layer is no size of its own,
        and single values for a whole picture, as in a gate, are no maps. At the end the last
        step of all, if that makes a row of values.
    """
    inner = [one for one in steps if not one.outer and one.output_shape is not None]
    maps = [one for one in inner if one.layout in layouts and _are_maps(one)]
    found = [list(run)[-1] for _, run in itertools.groupby(maps, _size)]
    last = inner[-1:]
    return found + [one for one in last if one not in found and _is_row(one)]


def _size(step: NetworkStep) -> Shape:
    """Return height and width of maps."""
    shape = step.output_shape or ()
    return shape[:2] if step.layout == "hwc" else shape[-2:]


def _are_maps(step: NetworkStep) -> bool:
    """Tell maps from padding, and from numbers about the whole picture."""
    return "Pad" not in step.kind and (_size(step) != (1, 1) or step.height is not None)


def _is_row(step: NetworkStep) -> bool:
    """Tell a row of values."""
    shape = step.output_shape or ()
    return math.prod(shape) == max(shape, default=1)


def check_memory(size: float, where: str) -> None:
    """Refuse activations that the memory of this machine cannot hold."""
    memory.need(
        size, f"the activations of {printable(where)}", "make the input smaller, or ask for fewer steps"
    )


def unbatched(values: Any) -> Floats:
    """Take the axis of a batch of one off, and give float32 numbers that nothing else changes.

    Examples
    --------
    >>> unbatched(np.ones((1, 2, 3))).shape
    (2, 3)
    """
    found = np.array(values, np.float32)
    return found[0] if found.ndim > 1 and found.shape[0] == 1 else found


def unbatched_shape(shape: Sequence[int]) -> Shape:
    """Return the shape that `unbatched` gives.

    Examples
    --------
    >>> unbatched_shape((1, 64, 7, 7)), unbatched_shape((1,))
    ((64, 7, 7), (1,))
    """
    return tuple(shape[1:]) if len(shape) > 1 and shape[0] == 1 else tuple(shape)
