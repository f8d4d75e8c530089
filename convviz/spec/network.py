"""Networks as checked values: layers, each of which reads the input or layers before it."""

import contextlib
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from convviz.errors import ConvvizError, ShapeError, SpecError, UnknownNameError
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d, Layer, Shape, shape_text
from convviz.spec.reach import WHOLE, Reach, Sight, together

INPUT = "input"


@dataclass(frozen=True, slots=True)
class Step:
    """One layer as it was written; the input is not known yet.

    Parameters
    ----------
    name : str
        What it is called; no two steps share a name.
    kind : type
        What it is.
    arguments : dict
        Those of torch that were written.
    inputs : tuple of str
        The steps that it reads; "input" is the input.
    """

    name: str
    kind: type[Layer]
    arguments: Mapping[str, Any]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SizedStep:
    """One layer of a network for one input.

    Parameters
    ----------
    name : str
        As in its `Step`.
    layer : Layer
        The layer.
    inputs : tuple of str
        The steps that it reads.
    input_shapes : tuple of tuple of int
        Their shapes.
    output_shape : tuple of int
        Shape of its output.
    macs : int
        MACs.
    height, width : Reach or None
        What one output value sees of the input along each axis.
    whole : bool
        Where one of those is None: whether it sees all of that axis; else what it sees is not defined.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    macs: int
    height: Reach | None
    width: Reach | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """Layers, each of which reads the input or layers before it.

    Parameters
    ----------
    steps : tuple of Step
        In the order in which they are computed.
    name : str
        What the network is called.
    classes : tuple of str
        What the values of the last layer stand for.
    reading : dict of str
        How a picture becomes the input: options of ``convviz run`` with what a user would
        type for them, such as ``{"mode": "gray", "resize": "28x28"}``.
    """

    steps: tuple[Step, ...]
    name: str = ""
    classes: tuple[str, ...] = ()
    reading: Mapping[str, str] = field(default_factory=dict)

    @property
    def with_parameters(self) -> tuple[str, ...]:
        """Names of the layers that have parameters or statistics."""
        return tuple(step.name for step in self.steps if step.kind.spelling.inferred)

    def until(self, name: str) -> "Network":
        """Keep a layer and the layers that it depends on.

        Raises
        ------
        UnknownNameError
            If there is no such layer.

        Examples
        --------
        >>> from convviz.spec.stacks import parse_layers
        >>> [step.name for step in parse_layers("conv 6 | relu | maxpool 2").until("relu1").steps]
        ['conv1', 'relu1']
        """
        if name not in {step.name for step in self.steps}:
            raise UnknownNameError("layer", name, [step.name for step in self.steps])
        wanted = {name}
        kept = []
        for step in reversed(self.steps):
            if step.name in wanted:
                wanted.update(step.inputs)
                kept.append(step)
        last = kept[0].name == self.steps[-1].name
        return replace(self, steps=tuple(reversed(kept)), classes=self.classes if last else ())

    def sized(self, shape: Shape) -> list[SizedStep]:
        """Build every layer for an input.

        Parameters
        ----------
        shape : tuple of int
            Channels, height and width of the input.

        Returns
        -------
        list of SizedStep
            One per step.

        Raises
        ------
        SpecError, ShapeError
            If a layer does not fit what it reads; the message names it.

        Examples
        --------
        >>> from convviz.spec.stacks import parse_layers
        >>> network = parse_layers("conv 6 k5 | relu | maxpool 2")
        >>> [step.output_shape for step in network.sized((1, 32, 32))]
        [(6, 28, 28), (6, 28, 28), (6, 14, 14)]
        """
        return self._sized(shape, hint=True)

    def _sized(self, shape: Shape, *, hint: bool) -> list[SizedStep]:
        """Build every layer; a message about a row of values may name a size of input that fits."""
        shapes: dict[str, Shape] = {INPUT: shape}
        sights: dict[str, tuple[Sight, Sight]] = {INPUT: (Reach(), Reach())}
        found = []
        for step in self.steps:
            inputs = tuple(shapes[name] for name in step.inputs)
            try:
                layer, output, macs = built_layer(step, inputs)
            except ConvvizError as error:
                kind = ShapeError if isinstance(error, ShapeError) else SpecError
                of_row = hint and kind is ShapeError and len(inputs[0]) == 1
                remedy = self._fitting(shape) if of_row else ""
                raise kind(f"layer {step.name!r}: {error}{remedy}") from None
            seen = [sights[name] for name in step.inputs]
            height, width = (
                _sight(layer, [pair[axis] for pair in seen], inputs[0], axis=axis) for axis in (0, 1)
            )
            shapes[step.name], sights[step.name] = output, (height, width)
            found.append(
                SizedStep(step.name, layer, step.inputs, inputs, output, macs, *as_reaches(height, width))
            )
        return found

    def _fitting(self, shape: Shape) -> str:
        """Name a usual size of input that this network can read; nothing if none of them fits."""
        side = next((side for side in USUAL_SIDES if self._reads(shape[0], side)), None)
        if side is None:
            return ""
        return (
            f" The network reads inputs of {side}x{side} pixels, not {shape_text(shape[1:])}: "
            f"bring the picture to that size with --resize {side}x{side}."
        )

    def usual_size(self, channels: int) -> HW:
        """Return a usual size of input that this network reads, that of photographs if it can be.

        Examples
        --------
        >>> from convviz.spec.stacks import find_net
        >>> find_net("lenet5").usual_size(1), find_net("resnet18").usual_size(3)
        (HW(h=32, w=32), HW(h=224, w=224))
        """
        sides = (_PHOTOGRAPH, *USUAL_SIDES)
        return HW(*2 * (next((side for side in sides if self._reads(channels, side)), _PHOTOGRAPH),))

    def _reads(self, channels: int, side: int) -> bool:
        """Return whether the layers fit an input of this size."""
        with contextlib.suppress(ConvvizError):
            self._sized((channels, side, side), hint=False)
            return True
        return False


# The side of the photographs that most published networks read, in pixels.
_PHOTOGRAPH = 224
# Sides of the inputs that published networks are made for, in pixels.
USUAL_SIDES = (28, 32, 64, 96, 128, 192, 224, 227, 256, 299, 384, 512)


def built_layer(step: Step, inputs: Sequence[Shape]) -> tuple[Layer, Shape, int]:
    """Build the layer of one step for the shapes of its inputs.

    Returns
    -------
    layer : Layer
        The layer.
    output : tuple of int
        Shape of its output.
    macs : int
        MACs.

    Raises
    ------
    SpecError, ShapeError
        If the layer does not fit its inputs.
    """
    layer = _layer(step, inputs[0])
    return layer, *_measured(layer, inputs)


def alone(layer: Conv2d, size: HW) -> SizedStep:
    """Make a step of one convolution.

    Examples
    --------
    >>> alone(Conv2d(3, 6, 3), HW(8, 8)).output_shape
    (6, 6, 6)
    """
    shape = (layer.in_channels, *size)
    output, macs = _measured(layer, [shape])
    height, width = (_sight(layer, [Reach()], shape, axis=axis) for axis in (0, 1))
    return SizedStep("map", layer, (INPUT,), (shape,), output, macs, *as_reaches(height, width))


def _layer(step: Step, shape: Shape) -> Layer:
    """Build one layer, with the arguments that its input decides."""
    _check_arguments(step)
    arguments = dict(step.arguments)
    if inferred := step.kind.spelling.inferred:
        known = arguments.setdefault(inferred, shape[0])
        if known != shape[0]:
            raise ShapeError(f"{inferred} is {known}, but its input is {shape_text(shape)}.")
    return step.kind(**arguments)


def _check_arguments(step: Step) -> None:
    """Refuse arguments that a layer does not have, that are missing, or of another type."""
    known = inspect.signature(step.kind).parameters
    for name, value in step.arguments.items():
        if name not in known:
            raise SpecError(f"{step.kind.__name__}: {UnknownNameError('argument', name, known)}")
        wanted = type_of(step.kind, name)
        if wanted is bool:
            words, fits = "true or false", isinstance(value, bool)
        elif wanted is float:
            words, fits = "a number", _is_number(value) and math.isfinite(value)
        elif wanted is int:
            words, fits = "a whole number", isinstance(value, int) and not isinstance(value, bool)
        else:
            continue  # pairs and words are checked by the layer
        if not fits:
            raise SpecError(f"{step.kind.__name__}: {name} must be {words}, not {value!r}.")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in (
            *step.arguments,
            step.kind.spelling.inferred,
        ):
            raise SpecError(f"{step.kind.__name__} needs {name}; say what it is.")


def type_of(kind: type[Layer], name: str) -> Any:
    """Return the type of an argument of a layer, such as bool, float, int or a pair.

    Examples
    --------
    >>> type_of(Conv2d, "groups"), type_of(Conv2d, "bias")
    (<class 'int'>, <class 'bool'>)
    """
    return next((of.type for of in fields(cast("Any", kind)) if of.name == name), None)


def _is_number(value: Any) -> bool:
    """Return whether a value is a number; a truth value is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _measured(layer: Layer, inputs: Sequence[Shape]) -> tuple[Shape, int]:
    """Return the output shape of a layer and its MACs."""
    if len(inputs) > 1 and not layer.joins:
        raise ShapeError(f"it reads one input, not {len(inputs)}.")
    return layer.output_shape(*inputs), layer.macs(*inputs)


def _sight(layer: Layer, seen: Sequence[Sight], shape: Shape, *, axis: int) -> Sight:
    """Return what a value sees along one axis through one more layer."""
    before = together(seen)
    after = layer.reach(before if isinstance(before, Reach) else Reach(), shape, axis)
    # What sees all of its input sees all, whatever that is.
    return after if isinstance(before, Reach) or after is WHOLE else before


def as_reaches(height: Sight, width: Sight) -> tuple[Reach | None, Reach | None, bool]:
    """Tell what a step sees as its fields `height`, `width` and `whole`.

    Examples
    --------
    >>> as_reaches(WHOLE, WHOLE), as_reaches(WHOLE, None)
    ((None, None, True), (None, None, False))
    """
    both = (height, width)
    first, second = (one if isinstance(one, Reach) else None for one in both)
    return first, second, WHOLE in both and None not in both
