"""Networks as checked values: layers, each of which reads the input or layers before it."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from convviz.errors import ConvvizError, ShapeError, SpecError, UnknownNameError
from convviz.spec import modules
from convviz.spec.geometry import HW, Edges
from convviz.spec.layers import PADDING_MODES, Conv2d
from convviz.spec.modules import Shape, shape_text
from convviz.spec.reach import Reach

AnyLayer = Any  # a Conv2d or one of convviz.spec.modules


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of layer: how it is called, and which of its arguments the input decides.

    Parameters
    ----------
    layer : type
        The layer.
    words : tuple of str
        What it is called in a stack that is written as text.
    first : str
        The argument that a bare number gives; empty if there is none.
    needed : bool
        Whether that number must be there.
    letters : dict of str
        Letters before a number, and the arguments that those give.
    flags : dict
        Words by themselves, with the arguments that they give.
    inferred : str
        The argument that is the number of channels, or of values, of the input.
    """

    layer: Callable[..., AnyLayer]
    words: tuple[str, ...]
    first: str = ""
    needed: bool = False
    letters: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    inferred: str = ""

    @property
    def name(self) -> str:
        """The name of torch."""
        return str(getattr(self.layer, "__name__", self.layer))


_NO_BIAS: dict[str, tuple[str, Any]] = {"nobias": ("bias", False)}
_CONV_LETTERS = {"k": "kernel_size", "s": "stride", "p": "padding", "d": "dilation", "g": "groups"}
_MODES = {mode: ("padding_mode", mode) for mode in PADDING_MODES}

KINDS = (
    Kind(
        Conv2d,
        ("conv",),
        "out_channels",
        True,
        _CONV_LETTERS,
        _NO_BIAS | _MODES | {"same": ("padding", "same")},
        "in_channels",
    ),
    Kind(
        modules.ConvTranspose2d,
        ("convtranspose", "deconv"),
        "out_channels",
        True,
        _CONV_LETTERS | {"o": "output_padding"},
        _NO_BIAS,
        "in_channels",
    ),
    Kind(
        modules.MaxPool2d,
        ("maxpool",),
        "kernel_size",
        True,
        {"s": "stride", "p": "padding", "d": "dilation"},
        {"ceil": ("ceil_mode", True)},
    ),
    Kind(
        modules.AvgPool2d,
        ("avgpool",),
        "kernel_size",
        True,
        {"s": "stride", "p": "padding"},
        {"ceil": ("ceil_mode", True), "nopad": ("count_include_pad", False)},
    ),
    Kind(modules.AdaptiveAvgPool2d, ("adaptiveavgpool",), "output_size", True),
    Kind(modules.BatchNorm2d, ("batchnorm", "bn"), inferred="num_features"),
    Kind(modules.ReLU, ("relu",)),
    Kind(modules.LeakyReLU, ("leakyrelu",), "negative_slope"),
    Kind(modules.SiLU, ("silu",)),
    Kind(modules.Sigmoid, ("sigmoid",)),
    Kind(modules.Dropout, ("dropout",), "p"),
    Kind(modules.Flatten, ("flatten",)),
    Kind(modules.Linear, ("linear",), "out_features", True, {}, _NO_BIAS, "in_features"),
    Kind(modules.Softmax, ("softmax",)),
    Kind(modules.Add, ("add",)),
)
BY_WORD = {word: kind for kind in KINDS for word in kind.words}
BY_NAME = {kind.name: kind for kind in KINDS}

INPUT = "input"


@dataclass(frozen=True, slots=True)
class Step:
    """One layer as it was written, before the input is known.

    Parameters
    ----------
    name : str
        What it is called; no two steps share a name.
    kind : Kind
        What it is.
    arguments : dict
        Those of torch that were written.
    inputs : tuple of str
        The steps that it reads; "input" is the input.
    """

    name: str
    kind: Kind
    arguments: Mapping[str, Any]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """One layer of a net for one input.

    Parameters
    ----------
    name : str
        As in its `Step`.
    layer : Conv2d or a layer of `convviz.spec.modules`
        The layer.
    inputs : tuple of str
        The steps that it reads.
    input_shapes : tuple of tuple of int
        Their shapes.
    output_shape : tuple of int
        Shape of what it gives.
    macs : int
        Multiply-adds.
    height, width : Reach or None
        What one output value sees along each axis; None where it sees the whole input.
    """

    name: str
    layer: AnyLayer
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    macs: int
    height: "Reach | None"
    width: "Reach | None"


@dataclass(frozen=True, slots=True)
class Net:
    """Layers, each of which reads the input or layers before it.

    Parameters
    ----------
    steps : tuple of Step
        In the order in which they are computed.
    name : str
        What the net is called.
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
    def numbered(self) -> tuple[str, ...]:
        """Names of the layers that have numbers: weights, biases, statistics."""
        return tuple(step.name for step in self.steps if step.kind.inferred)

    def until(self, name: str) -> "Net":
        """Leave out what comes after a layer, and what that does not depend on.

        Raises
        ------
        UnknownNameError
            If there is no such layer.

        Examples
        --------
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

    def place(self, shape: Shape) -> list[Placed]:
        """Build every layer for an input.

        Parameters
        ----------
        shape : tuple of int
            Channels, height and width of the input.

        Returns
        -------
        list of Placed
            One per step.

        Raises
        ------
        SpecError, ShapeError
            If a layer does not fit what it reads; the message names it.

        Examples
        --------
        >>> net = parse_layers("conv 6 k5 | relu | maxpool 2")
        >>> [placed.output_shape for placed in net.place((1, 32, 32))]
        [(6, 28, 28), (6, 28, 28), (6, 14, 14)]
        """
        shapes: dict[str, Shape] = {INPUT: shape}
        reaches: dict[str, tuple[Reach | None, Reach | None]] = {INPUT: (Reach(), Reach())}
        found = []
        for step in self.steps:
            inputs = tuple(shapes[name] for name in step.inputs)
            try:
                layer, output, macs = built(step, inputs)
            except ConvvizError as error:
                kind = ShapeError if isinstance(error, ShapeError) else SpecError
                raise kind(f"layer {step.name!r}: {error}") from None
            seen = [reaches[name] for name in step.inputs]
            height, width = (_reach(layer, [pair[axis] for pair in seen], inputs[0], axis) for axis in (0, 1))
            shapes[step.name], reaches[step.name] = output, (height, width)
            found.append(Placed(step.name, layer, step.inputs, inputs, output, macs, height, width))
        return found


def kind_of(name: str) -> Kind:
    """Find a kind of layer by the name of torch."""
    return BY_NAME[name]


def built(step: Step, inputs: Sequence[Shape]) -> tuple[AnyLayer, Shape, int]:
    """Build the layer of one step for the shapes of what it reads.

    Returns
    -------
    layer : Conv2d or a layer of `convviz.spec.modules`
        The layer.
    output : tuple of int
        Shape of what it gives.
    macs : int
        Multiply-adds.

    Raises
    ------
    SpecError, ShapeError
        If it does not fit.
    """
    layer = _layer(step, inputs[0])
    return layer, *_measured(layer, inputs)


def alone(layer: Conv2d, size: HW) -> Placed:
    """Place one convolution by itself.

    Examples
    --------
    >>> alone(Conv2d(3, 6, 3), HW(8, 8)).output_shape
    (6, 6, 6)
    """
    shape = (layer.in_channels, *size)
    output, macs = _measured(layer, [shape])
    height, width = (_reach(layer, [Reach()], shape, axis) for axis in (0, 1))
    return Placed("map", layer, (INPUT,), (shape,), output, macs, height, width)


def _layer(step: Step, shape: Shape) -> AnyLayer:
    """Build one layer, with what its input decides."""
    _check_arguments(step)
    arguments = dict(step.arguments)
    if step.kind.inferred:
        known = arguments.setdefault(step.kind.inferred, shape[0])
        if known != shape[0]:
            raise ShapeError(f"{step.kind.inferred} is {known}, but its input is {shape_text(shape)}.")
    return step.kind.layer(**arguments)


_FLAGS = ("bias", "ceil_mode", "count_include_pad", "affine")
NUMBERS = ("negative_slope", "eps", "p")
COUNTS = ("in_channels", "out_channels", "groups", "num_features", "in_features", "out_features", "dim")


def _check_arguments(step: Step) -> None:
    """Refuse arguments that a layer does not have, that are missing, or of another type."""
    known = inspect.signature(step.kind.layer).parameters
    for name, value in step.arguments.items():
        if name not in known:
            raise SpecError(f"{step.kind.name}: {UnknownNameError('argument', name, known)}")
        if name in _FLAGS:
            wanted, fits = "true or false", isinstance(value, bool)
        elif name in NUMBERS:
            wanted, fits = "a number", _is_number(value) and math.isfinite(value)
        elif name in COUNTS:
            wanted, fits = "a whole number", isinstance(value, int) and not isinstance(value, bool)
        else:
            continue  # pairs and words are checked by the layer
        if not fits:
            raise SpecError(f"{step.kind.name}: {name} must be {wanted}, not {value!r}.")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in (*step.arguments, step.kind.inferred):
            raise SpecError(f"{step.kind.name} needs {name}; say what it is.")


def _is_number(value: Any) -> bool:
    """Tell a number from all else; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _measured(layer: AnyLayer, inputs: Sequence[Shape]) -> tuple[Shape, int]:
    """Tell what a layer gives, and what that costs."""
    if not isinstance(layer, modules.Add) and len(inputs) > 1:
        raise ShapeError(f"it reads one input, not {len(inputs)}.")
    if not isinstance(layer, Conv2d):
        return layer.output_shape(*inputs), layer.macs(inputs[0])
    (shape,) = inputs
    if len(shape) != 3:
        raise ShapeError(f"it reads planes, not a row of {shape_text(shape)} values; put it before Flatten.")
    if shape[0] != layer.in_channels:
        raise ShapeError(f"it reads {layer.in_channels} planes, not {shape_text(shape)}.")
    size = HW(*shape[1:])
    return (layer.out_channels, *layer.output_size(size)), layer.macs(size)


def _reach(layer: AnyLayer, seen: Sequence[Reach | None], shape: Shape, axis: int) -> Reach | None:
    """Tell what a value sees along one axis through one more layer."""
    before = seen[0]
    if before is None or isinstance(layer, modules.Flatten | modules.Linear):
        return None
    for other in seen[1:]:
        before = before.joined(other) if before is not None and other is not None else None
    name = "hw"[axis]
    if before is None or (isinstance(layer, modules.Softmax) and layer.axis(shape) != 0):
        return None
    if isinstance(layer, modules.AdaptiveAvgPool2d):
        windows = getattr(layer.output_size, name)
        step = shape[1 + axis] // windows
        return before.through(step, step, 1, 0) if step * windows == shape[1 + axis] and step > 0 else None
    if isinstance(layer, Conv2d):
        edges: Edges = layer.edges(HW(*shape[1:]))
        return before.through(
            getattr(layer.kernel_size, name),
            getattr(layer.stride, name),
            getattr(layer.dilation, name),
            (edges.top, edges.left)[axis],
        )
    if isinstance(layer, modules.ConvTranspose2d | modules.MaxPool2d | modules.AvgPool2d):
        through = before.through_transposed if isinstance(layer, modules.ConvTranspose2d) else before.through
        return through(
            *(getattr(getattr(layer, of), name) for of in ("kernel_size", "stride", "dilation", "padding"))
        )
    return before
