"""Define activation functions, dropout and softmax."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from convviz.errors import ShapeError, SpecError, UnknownNameError
from convviz.spec.layers.base import Layer, Shape, Spelling, shape_text

if TYPE_CHECKING:
    from convviz.spec.reach import Reach


@dataclass(frozen=True, slots=True)
class ReLU(Layer):
    """``max(x, 0)``, as ``torch.nn.ReLU``.

    Examples
    --------
    >>> ReLU()
    ReLU()
    """

    spelling: ClassVar = Spelling(("relu",))


@dataclass(frozen=True, slots=True)
class ReLU6(Layer):
    """``min(max(x, 0), 6)``, as ``torch.nn.ReLU6``."""

    spelling: ClassVar = Spelling(("relu6",))


@dataclass(frozen=True, slots=True)
class LeakyReLU(Layer):
    """``x``, or ``negative_slope * x`` below 0, as ``torch.nn.LeakyReLU``.

    Parameters
    ----------
    negative_slope : float
        The slope below 0.
    """

    spelling: ClassVar = Spelling(("leakyrelu",), "negative_slope")

    negative_slope: float = 0.01


@dataclass(frozen=True, slots=True)
class SiLU(Layer):
    """``x / (1 + exp(-x))``, as ``torch.nn.SiLU``."""

    spelling: ClassVar = Spelling(("silu",))


@dataclass(frozen=True, slots=True)
class GELU(Layer):
    """``x`` times the fraction of a standard normal distribution below ``x``, as ``torch.nn.GELU``.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        Whether that fraction is computed with the error function or with a hyperbolic tangent.

    Raises
    ------
    UnknownNameError
        If `approximate` is neither.

    Notes
    -----
    Hendrycks and Gimpel (2016), `Gaussian error linear units <https://arxiv.org/abs/1606.08415>`_.
    """

    spelling: ClassVar = Spelling(("gelu",), flags={"tanh": ("approximate", "tanh")})

    approximate: str = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise UnknownNameError("approximation", str(self.approximate), ("none", "tanh"))


@dataclass(frozen=True, slots=True)
class Hardswish(Layer):
    """``x * min(max(x + 3, 0), 6) / 6``, as ``torch.nn.Hardswish``."""

    spelling: ClassVar = Spelling(("hardswish",))


@dataclass(frozen=True, slots=True)
class Sigmoid(Layer):
    """``1 / (1 + exp(-x))``, as ``torch.nn.Sigmoid``."""

    spelling: ClassVar = Spelling(("sigmoid",))


@dataclass(frozen=True, slots=True)
class Tanh(Layer):
    """The hyperbolic tangent, as ``torch.nn.Tanh``."""

    spelling: ClassVar = Spelling(("tanh",))


@dataclass(frozen=True, slots=True)
class Dropout(Layer):
    """``x`` itself, as ``torch.nn.Dropout`` in evaluation; it drops values only in training.

    Parameters
    ----------
    p : float
        The fraction of values that it drops in training, from 0 to 1.

    Raises
    ------
    SpecError
        If `p` is not from 0 to 1.
    """

    spelling: ClassVar = Spelling(("dropout",), "p")

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise SpecError(f"p is the share that is dropped, from 0 to 1, not {self.p}.")


@dataclass(frozen=True, slots=True)
class Softmax(Layer):
    """``exp(x)`` divided by its sum along one axis, as ``torch.nn.Softmax``.

    Parameters
    ----------
    dim : int
        The axis, counted with the batch axis as torch does; 1 is the axis of the channels.
    """

    spelling: ClassVar = Spelling(("softmax",))

    dim: int = 1

    def axis(self, shape: Shape) -> int:
        """Return the axis in an array without a batch."""
        axis = self.dim - 1 if self.dim >= 0 else self.dim + len(shape)
        if not 0 <= axis < len(shape):
            raise ShapeError(f"{self} has no such axis in {shape_text(shape)} with a batch before it.")
        return axis

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the input."""
        self.axis(shape)
        return shape

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Reach | None":
        """Follow the receptive field, if the sum is only over channels."""
        return before if self.axis(shape) == 0 else None
