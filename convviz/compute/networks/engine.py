"""The interface of every network engine, and the values that an engine returns."""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.machine import memory
from convviz.spec.geometry import HW
from convviz.spec.layers import AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d, Shape
from convviz.spec.reach import Reach
from convviz.text import printable
from convviz.typing import Floats

# Probabilities add up to 1 within this, for they are rounded.
_OF_ONE = 1e-3


# How torch exports batch normalizations by themselves.
KEPT_APART = (
    "torch.onnx.export(..., dynamo=False, training=torch.onnx.TrainingMode.PRESERVE) keeps the two apart"
)


@dataclass(frozen=True, slots=True)
class Declared:
    """The input that a network declares.

    Parameters
    ----------
    channels, height, width : int or None
        As declared; None where any number fits or the network does not say.
    channels_last : bool
        Whether the network itself reads (H, W, C); an engine always takes (C, H, W).
    dtype : str
        Type of the numbers that it reads.
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    channels_last: bool = False
    dtype: str = "float32"


class Fed(NamedTuple):
    """Describe the array that a network is called with.

    Parameters
    ----------
    name : str
        The name of the input in a file; empty for a network without a file.
    shape : tuple of int
        The shape of the array, with a batch axis if the network has one.
    dtype : str
        The type of its numbers.
    channels_last : bool
        Whether its axes are (H, W, C).
    """

    name: str = ""
    shape: Shape = ()
    dtype: str = "float32"
    channels_last: bool = False


@dataclass(frozen=True, slots=True)
class NetworkStep:
    """One operation of a network, for one shape of the input.

    Parameters
    ----------
    name : str
        The name that the option ``layer`` takes.
    kind : str
        The engine's name for the operation, such as ``"Conv"`` or ``"BatchNorm2d"``.
    input_shapes : tuple of (tuple of int or None)
        Shapes of the activations that it reads, without the batch axis; None
        where a shape is known only after the computation.
    output_shape : tuple of int or None
        The shape of its output, likewise.
    parameters : int
        Number of its own parameters, without those of the steps inside it.
    macs : int or None
        Multiply-accumulate operations of convolutions and matrix products; 0 for
        activations, pooling and normalization; None where the number is not defined.
    convolution : str
        ``"Conv2d"`` or ``"ConvTranspose2d"`` if `Engine.conv` describes it, else empty.
    outer : bool
        Whether it only contains other steps.
    remark : str
        How the step differs from what its name says; empty if it does not.
    inputs : tuple of str
        The steps that it reads, ``"input"`` for the picture; empty where they are not known.
    height, width : Reach or None
        The receptive field of one output value along each axis of the picture.
    whole : bool
        Where `height` or `width` is None: True if the value sees the whole axis, False if its
        receptive field is not defined.
    layout : str
        The order of its three axes: ``"chw"`` for maps, ``"hwc"`` for channels last; empty where
        they are not rows and columns of the picture, or where the order is not known.
    layer : str
        The layer with its arguments, as torch writes it; empty where the arguments are not known.
    classes : tuple of str
        The names of the classes, or their numbers, if it makes one value for each.
    folded : bool
        Whether the batch normalization after it is folded into its weights, so that it makes the output of
        both.
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
    folded: bool = False
    classes: tuple[str, ...] = ()

    @property
    def described(self) -> str:
        """The layer with its arguments if they are known, else the kind."""
        return self.layer or self.kind


def meaning(step: NetworkStep, values: Floats) -> str:
    """Return what the values of a step, one per class, are: each a "probability" or a "score".

    They are probabilities after a softmax, or if none is below 0 and they add up to 1.

    Examples
    --------
    >>> step = NetworkStep("fc", "Linear", (None,), (2,))
    >>> meaning(step, np.array([0.25, 0.75])), meaning(step, np.array([-0.25, 1.25]))
    ('probability', 'score')
    """
    shares = bool(np.all(values >= 0)) and abs(float(values.sum()) - 1) < _OF_ONE
    return "probability" if step.kind == "Softmax" or shares else "score"


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """The output of one step of a network.

    Parameters
    ----------
    name : str
        The step.
    values : ndarray, float32
        Its output, without the batch axis; NaN and infinity are kept.
    read : ndarray, float32, or None
        Its input, if the caller asked for it and it is one array.
    """

    name: str
    values: Floats
    read: Floats | None = None


class Rounding(NamedTuple):
    """Describe how a program rounds the maps of a layer to integers of a scale.

    Parameters
    ----------
    low, high : float
        The smallest and the largest number that it can store; it clips others to these.
    step : float
        The distance between two numbers that it can store.

    Examples
    --------
    >>> Rounding(0, 2, 0.5).clip(np.float32([-1, 0.3, 7])).tolist()
    [0.0, 0.30000001192092896, 2.0]
    """

    low: float
    high: float
    step: float

    def clip(self, maps: Floats) -> Floats:
        """Clip maps to the numbers that can be stored, without rounding; NaN is kept."""
        return np.clip(maps, np.float32(self.low), np.float32(self.high))

    def stored(self, value: float) -> float:
        """Return the number that is stored for a value; NaN is kept.

        Examples
        --------
        >>> [Rounding(0, 2, 0.5).stored(value) for value in (-1, 0.3, 7)]
        [0.0, 0.5, 2.0]
        """
        steps = np.rint(value / self.step) * self.step
        return float(np.clip(steps, self.low, self.high))

    @property
    def words(self) -> str:
        """Describe the numbers that can be stored."""
        return f"{self.low:.3g} to {self.high:.3g} in steps of {self.step:.2g}"


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution of a network: the layer, its weight and its bias.

    Parameters
    ----------
    name : str
        The step.
    layer : Conv2d or ConvTranspose2d
        Its settings.
    weight : ndarray, float32
        The weight, of shape ``layer.weight_shape``.
    bias : ndarray, shape (O,), float32, or None
        One number per feature map.
    remark : str
        How these numbers differ from those that the network computes with; empty if they do not.
    rounding : Rounding, optional
        How the network rounds its maps, if it stores them as integers.
    """

    name: str
    layer: Conv2d | ConvTranspose2d
    weight: Floats
    bias: Floats | None = None
    remark: str = ""
    rounding: Rounding | None = None

    @property
    def parameters(self) -> dict[str, Floats]:
        """Weight and bias, under the names that torch gives them."""
        return {"weight": self.weight} | ({} if self.bias is None else {"bias": self.bias})

    @property
    def weights(self) -> LayerWeights:
        """The weights of a `Conv2d`.

        Raises
        ------
        SpecError
            If one of the numbers is not finite.
        """
        assert isinstance(self.layer, Conv2d)
        return LayerWeights.of(self.layer, self.weight, self.bias)


# What steps with windows of which the maximum or the mean is taken are called in torch, and in ONNX.
POOLINGS = ("MaxPool2d", "AvgPool2d", "MaxPool", "AveragePool")


def no_convolution(what: str, kind: str) -> SpecError:
    """Refuse a step that is not a convolution, and name what shows it.

    Examples
    --------
    >>> print(no_convolution("layer: 'relu1'", "ReLU"))
    layer: 'relu1' is not a convolution but ReLU; run draws what it makes.
    >>> print(str(no_convolution("layer: 'pool1'", "MaxPool2d")).partition("; ")[2])
    run draws what it makes, and animate its windows.
    """
    shown = ", and animate its windows" if kind in POOLINGS else ""
    return SpecError(
        f"{what} is not a convolution{f' but {kind}' if kind else ''}; run draws what it makes{shown}."
    )


class Linear(NamedTuple):
    """Hold the numbers of a linear layer.

    Parameters
    ----------
    weight : ndarray, shape (N, C), float32
        One row per output.
    bias : ndarray, shape (N,), float32, or None
        One number per output.
    """

    weight: Floats
    bias: Floats | None = None


class ScoreGradients(NamedTuple):
    """Hold the gradients of a score.

    Parameters
    ----------
    maps, gradients : dict of ndarray, float32
        The outputs of steps by their names, and the gradients of the score with respect to them; without
        the batch axis.
    scores : ndarray, shape (N,), float32
        All scores.
    """

    maps: dict[str, Floats]
    gradients: dict[str, Floats]
    scores: Floats


See = Callable[[Activation], None]

Runner = TypeVar("Runner", bound="Engine")
Found = TypeVar("Found")


def of_last_shape(method: Callable[[Runner, Shape], Found]) -> Callable[[Runner, Shape], Found]:
    """Keep what a method found for the last shape: the files of a batch mostly have the same."""
    place = f"_{method.__name__}_of_last_shape"

    @functools.wraps(method)
    def found(engine: Runner, shape: Shape) -> Found:
        known: tuple[Shape, Found] | None = vars(engine).get(place)
        if known is None or known[0] != tuple(shape):
            known = vars(engine)[place] = (tuple(shape), method(engine, shape))
        return known[1]

    return found


class Engine(Protocol):
    """A network, and the program that runs it.

    Every engine takes a float32 input (C, H, W) and returns activations under the names of
    its steps. A step that runs several times is called ``NAME``, ``NAME:2``, and so on.
    """

    @property
    def name(self) -> str:
        """The name of the network in messages."""
        ...

    @property
    def title(self) -> str:
        """The name of the network on pictures."""
        return self.name

    @property
    def declared(self) -> Declared:
        """What the network says about its input."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the values of the last step, if the network itself holds them."""
        return ()

    @property
    def runner(self) -> str:
        """The program that runs the network, such as ``"onnxruntime"``."""
        ...

    @property
    def joint(self) -> Mapping[str, str]:
        """Modules of several steps that `steps` does not list: for each, the step whose output is its own."""
        return {}

    def step_name(self, name: str) -> str:
        """Return the name that `steps` has for a step; a file may have other names for it.

        Raises
        ------
        UnknownNameError
            If the network is known to have no such step.
        """
        return name

    def steps(self, shape: Shape) -> tuple[NetworkStep, ...]:
        """List the steps for an input of `shape`, in the order of computation.

        Raises
        ------
        ShapeError
            If the network does not accept such an input.
        """
        ...

    def visit(
        self, x: Floats, names: Sequence[str], see: See, *, reads: bool = False, kept: bool = False
    ) -> None:
        """Compute the steps in `names`, and call `see` with each as soon as its output exists.

        Parameters
        ----------
        x : ndarray, shape (C, H, W), float32
            The input.
        names : sequence of str
            The steps. If a step makes several arrays, `see` gets each of them, as ``NAME[KEY]``.
        see : callable
            The function that receives every `Activation`; an activation that it does not keep is freed.
        reads : bool
            Whether to pass the inputs of the steps, too.
        kept : bool
            Whether `see` keeps all activations, so that they must fit into memory together.

        Raises
        ------
        UnknownNameError
            If the network has no such step.
        ShapeError
            If the network does not accept such an input.
        SpecError
            If this machine does not have enough memory.
        """
        ...

    def gradient(self, x: Floats, name: str, at: HW) -> Floats:
        """Compute how strongly every input value changes the output of a step at one position.

        Returns
        -------
        ndarray, shape (C, H, W), float32
            The gradient of the sum of all maps at the row and column `at`.

        Raises
        ------
        SpecError
            If the program that runs the network computes no gradients.
        """
        raise SpecError(f"effective: {self.runner} computes no gradients; leave it out.")

    def score_gradients(
        self, x: Floats, names: Sequence[str], choose: Callable[[Floats], int]
    ) -> ScoreGradients:
        """Run the network once, and compute the gradients of one score with respect to outputs of steps.

        A score is an output value, or, if the network ends in a softmax, a value before it.

        Parameters
        ----------
        x : ndarray, shape (C, H, W), float32
            The input.
        names : sequence of str
            The steps.
        choose : callable
            Returns the index of the score, when it is given all scores, shape (N,).

        Raises
        ------
        UnknownNameError
            If the network has no such step.
        SpecError
            If the program that runs the network computes no gradients, the output is no row of values, or
            the scores do not depend on a step.
        """
        raise SpecError(
            f"how: gradcam needs gradients, which {self.runner} does not compute; give it as a model."
        )

    def linear(self, name: str) -> Linear | None:
        """Return the numbers of a step that is a linear layer; None for other steps."""
        return None

    def convolves(self, name: str) -> bool:
        """Return whether `conv` can describe a step as a convolution, without computing anything.

        Raises
        ------
        UnknownNameError
            If the network has no such step.
        """
        ...

    def pooling(self, name: str) -> MaxPool2d | AvgPool2d | None:
        """Describe a step that takes the maximum or the mean of windows; return None for other steps.

        Raises
        ------
        UnknownNameError
            If the network has no such step.
        SpecError
            If no layer of convviz has its settings.
        """
        ...

    def value_names(self, name: str) -> tuple[str, str]:
        """Return the names in the file of a step's input and output; empty where it has no such value."""
        return "", ""

    def fed(self, shape: Shape) -> Fed:
        """Describe the array that the network is called with for an input of `shape`."""
        return Fed(shape=(1, *shape), dtype=self.declared.dtype)

    def conv(self, name: str) -> Convolution:
        """Describe a step that is a convolution.

        Raises
        ------
        UnknownNameError
            If the network has no such step.
        SpecError
            If the step is not a 2-D convolution, or if `Conv2d` cannot describe it.
        """
        ...


def activations(
    engine: Engine, x: Any, names: Sequence[str], *, reads: bool = False
) -> dict[str, Activation]:
    """Compute some steps of a network, and keep all their outputs.

    Parameters
    ----------
    engine : Engine
        The network.
    x : array_like, shape (C, H, W), float32
        The input.
    names : sequence of str
        The steps.
    reads : bool
        Whether to keep their inputs, too.

    Returns
    -------
    dict of Activation
        The activations by name, in the order of `names` if each step makes one array.

    Raises
    ------
    UnknownNameError, ShapeError, SpecError
        As for `Engine.visit`.
    """
    found: dict[str, Activation] = {}

    def keep(one: Activation) -> None:
        found[one.name] = one

    engine.visit(np.asarray(x, np.float32), names, keep, reads=reads, kept=True)
    asked = {name: found[name] for name in names if name in found}
    return asked | found


def check_memory(size: float, where: str) -> None:
    """Refuse activations that do not fit into the memory of this machine."""
    memory.need(
        size, f"the activations of {printable(where)}", "make the input smaller, or ask for fewer steps"
    )


def row_of_scores(values: Floats, where: str) -> Floats:
    """Refuse the output of a network that is not one row of values, one per class.

    Raises
    ------
    SpecError
        If `values` have more than one axis, or fewer than two values.
    """
    if values.ndim != 1 or values.size < 2:
        raise SpecError(
            f"how: {printable(where)} ends in an output of shape {values.shape}, not in one row of scores; "
            "choose how l2, pca or eigencam."
        )
    return values


def check_dependent(names: Sequence[str], gradients: Collection[str], where: str) -> None:
    """Refuse steps for which there is no gradient.

    Raises
    ------
    SpecError
        If the scores do not depend on one of them.
    """
    for name in names:
        if name not in gradients:
            raise SpecError(
                f"layer: the scores of {printable(where)} do not depend on {printable(name)!r}; choose a "
                "layer before them."
            )


def unbatched(values: Any) -> Floats:
    """Remove the axis of a batch of one, and return a float32 copy.

    Examples
    --------
    >>> unbatched(np.ones((1, 2, 3))).shape
    (2, 3)
    """
    found = np.array(values, np.float32)
    return found[0] if found.ndim > 1 and found.shape[0] == 1 else found


def unbatched_shape(shape: Sequence[int]) -> Shape:
    """Return the shape of the result of `unbatched`.

    Examples
    --------
    >>> unbatched_shape((1, 64, 7, 7)), unbatched_shape((1,))
    ((64, 7, 7), (1,))
    """
    return tuple(shape[1:]) if len(shape) > 1 and shape[0] == 1 else tuple(shape)
