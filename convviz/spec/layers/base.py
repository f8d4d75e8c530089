"""Define what every kind of layer provides, and check the arguments of layers."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from convviz.errors import ShapeError, SpecError
from convviz.spec.geometry import HW
from convviz.text import plural

if TYPE_CHECKING:
    from convviz.spec.reach import Reach, Sight

Shape = tuple[int, ...]
IntPair = int | tuple[int, int] | HW


_NONE: Mapping[str, Any] = MappingProxyType({})


class Spelling(NamedTuple):
    """How a kind of layer is written in a stack, and which argument the input determines.

    Parameters
    ----------
    words : tuple of str
        The names of the kind of layer.
    first : str
        The argument that a bare number sets; empty if there is none.
    needed : bool
        Whether that number is required.
    letters : dict of str
        Letters before a number, and the arguments that they set.
    flags : dict
        Words without a number, and the arguments that they set.
    inferred : str
        The argument that equals the number of channels or values of the input.
    defaults : dict
        Arguments that torch requires and a stack may leave out.
    """

    words: tuple[str, ...]
    first: str = ""
    needed: bool = False
    letters: Mapping[str, str] = _NONE
    flags: Mapping[str, tuple[str, Any]] = _NONE
    inferred: str = ""
    defaults: Mapping[str, Any] = _NONE


class Layer:
    """One kind of layer: a checked value that provides shapes, parameters, cost and receptive field.

    Each kind is one class, with the name, the arguments and the defaults of ``torch.nn``.
    The methods here are correct for a kind that has no parameters, multiplies nothing and
    changes every value independently; the other kinds override what differs.
    """

    __slots__ = ()

    spelling: ClassVar[Spelling]
    # Whether it reads several inputs, like a sum.
    joins: ClassVar[bool] = False

    @property
    def arrays(self) -> dict[str, Shape]:
        """Shapes of the weights, biases and statistics that it holds, by their torch names."""
        return {}

    @property
    def parameters(self) -> int:
        """Number of parameters that training changes: weights and biases, but not statistics."""
        return sum(math.prod(shape) for name, shape in self.arrays.items() if name in ("weight", "bias"))

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the output, without the batch, for inputs of these shapes.

        Raises
        ------
        ShapeError
            If the layer cannot read such inputs.
        """
        return shape

    def macs(self, shape: Shape, *others: Shape) -> int:
        """Count the multiply-accumulate operations for inputs of these shapes.

        Notes
        -----
        Convolutions and linear layers count one operation per product of a weight and a value,
        as published figures do. Normalization, pooling and activations count 0, because tools do
        not agree on them.
        """
        return 0

    def macs_inside(self, shape: Shape, *others: Shape) -> int:
        """Count the operations of `macs` that do not read padding."""
        return self.macs(shape, *others)

    def remedy(self, stored: Shape, *, first: bool) -> str:
        """Suggest how an input could fit a stored weight of another shape; empty if it could not.

        Parameters
        ----------
        stored : tuple of int
            Shape of the stored weight.
        first : bool
            Whether the layer reads the input of the network.
        """
        return ""

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow the receptive field through the layer.

        Parameters
        ----------
        before : Reach
            What a value of its input depends on, along one axis.
        shape : tuple of int
            Shape of that input.
        axis : int
            0 for the height, 1 for the width.

        Returns
        -------
        Reach, WHOLE or None
            What a value of its output depends on; None if that is not defined.
        """
        return before


def fill(layer: object, **values: object) -> None:
    """Set the fields of a frozen layer."""
    for name, value in values.items():
        object.__setattr__(layer, name, value)


def check_count(name: str, value: int) -> None:
    """Refuse a value that is not a whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SpecError(f"{name} must be a whole number of at least 1, not {value!r}.")


def channels_of(layer: object, shape: Shape, channels: int | None = None) -> tuple[int, HW]:
    """Split a shape into channels and size; refuse other shapes and a wrong number of channels."""
    if len(shape) == 1:
        raise ShapeError(
            f"{layer} reads channels, not a row of {plural(shape[0], 'value')}; put it before Flatten."
        )
    if len(shape) != 3:
        raise ShapeError(f"{layer} reads channels (channels, height, width), not {shape_text(shape)}.")
    if channels is not None and shape[0] != channels:
        raise ShapeError(
            f"{layer} reads {plural(channels, 'channel')}, but its input {shape_text(shape)} has {shape[0]}."
        )
    return shape[0], HW(*shape[1:])


def by_mode(channels: int) -> str:
    """Return the option that reads a picture with so many channels; empty if there is none.

    Examples
    --------
    >>> by_mode(1), by_mode(2)
    ('--mode gray', '')
    """
    mode = {1: "gray", 3: "rgb", 4: "rgba"}.get(channels)
    return f"--mode {mode}" if mode else ""


def shape_text(shape: Shape) -> str:
    """Format a shape.

    Examples
    --------
    >>> shape_text((3, 224, 224)), shape_text((10,))
    ('3x224x224', '10')
    """
    return "x".join(map(str, shape))


def as_pair(name: str, value: int | tuple[int, int] | HW, *, least: int = 1) -> HW:
    """Convert one whole number, or a pair of them, for the argument `name`.

    Raises
    ------
    SpecError
        If the value is neither, or a number is below `least`.

    Examples
    --------
    >>> as_pair("stride", 2)
    HW(h=2, w=2)
    """
    try:
        pair = HW.of(value)
    except SpecError as error:
        raise SpecError(f"{name}: {error}") from None
    if min(pair) < least:
        raise SpecError(f"{name} must be at least {least} on both axes, not {pair}.")
    return pair
