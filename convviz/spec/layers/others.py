"""Define normalization, linear layers, and layers that join, flatten or enlarge."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from convviz.errors import ShapeError, SpecError, UnknownNameError
from convviz.spec.geometry import HW
from convviz.spec.layers.base import (
    IntPair,
    Layer,
    Shape,
    Spelling,
    as_pair,
    channels_of,
    check_count,
    fill,
    shape_text,
)
from convviz.spec.layers.conv import NO_BIAS, with_bias
from convviz.spec.reach import WHOLE
from convviz.text import plural

if TYPE_CHECKING:
    from convviz.spec.reach import Reach, Sight


@dataclass(frozen=True, slots=True)
class BatchNorm2d(Layer):
    """Every channel shifted and scaled by stored numbers, as ``torch.nn.BatchNorm2d`` in evaluation.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps : float
        The number added to the variance.
    affine : bool
        Whether a weight and a bias are applied afterwards.

    Examples
    --------
    >>> BatchNorm2d(64).parameters
    128
    """

    spelling: ClassVar = Spelling(("batchnorm", "bn"), inferred="num_features")

    num_features: int
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        check_count("num_features", self.num_features)
        if not 0 <= self.eps < math.inf:
            raise SpecError(f"eps must be a finite number of at least 0, not {self.eps}.")

    @property
    def arrays(self) -> dict[str, Shape]:
        """Shapes of weight and bias, if it has them, and of the stored mean and variance."""
        names = ("weight", "bias", "running_mean", "running_var")
        return dict.fromkeys(names if self.affine else names[2:], (self.num_features,))

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the input."""
        channels_of(self, shape, self.num_features)
        return shape


@dataclass(frozen=True, slots=True)
class Linear(Layer):
    """Every output a weighted sum of all inputs, as ``torch.nn.Linear``.

    Parameters
    ----------
    in_features, out_features : int
        Number of values of the input and of the output.
    bias : bool
        Whether one number is added to every output.

    Examples
    --------
    >>> Linear(400, 120).parameters
    48120
    """

    spelling: ClassVar = Spelling(
        ("linear",), "out_features", needed=True, flags=NO_BIAS, inferred="in_features"
    )

    in_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        check_count("in_features", self.in_features)
        check_count("out_features", self.out_features)

    def __repr__(self) -> str:
        return f"Linear(in_features={self.in_features}, out_features={self.out_features}, bias={self.bias})"

    @property
    def arrays(self) -> dict[str, Shape]:
        """Shapes of the weight and of the bias, if it has one."""
        return with_bias((self.out_features, self.in_features), self.out_features, bias=self.bias)

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the outputs."""
        if shape != (self.in_features,):
            raise ShapeError(
                f"{self} reads a row of {plural(self.in_features, 'value')}, not {shape_text(shape)}; "
                "put a Flatten before it, or set in_features."
            )
        return (self.out_features,)

    def macs(self, shape: Shape, *others: Shape) -> int:
        """Count one multiply-accumulate operation per weight."""
        self.output_shape(shape)
        return self.in_features * self.out_features

    def remedy(self, stored: Shape, *, first: bool) -> str:
        """Name the number of values that the stored weight reads."""
        if len(stored) != 2 or stored[0] != self.out_features:
            return ""
        return (
            f"; the network was made for inputs that come to {stored[1]} values there, and this one to "
            f"{self.in_features}: another size is needed (--resize, --crop)"
        )

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow nothing: every output depends on the whole input."""
        return WHOLE


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """All values in one row, channel by channel, as ``torch.nn.Flatten``.

    Examples
    --------
    >>> Flatten().output_shape((16, 5, 5))
    (400,)
    """

    spelling: ClassVar = Spelling(("flatten",))

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the row."""
        return (math.prod(shape),)

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow nothing: a row has no height and no width."""
        return WHOLE


@dataclass(frozen=True, slots=True)
class Add(Layer):
    """The sum of two or more inputs, value by value: where a residual connection ends.

    Examples
    --------
    >>> Add().output_shape((64, 56, 56), (64, 56, 56))
    (64, 56, 56)
    """

    spelling: ClassVar = Spelling(("add",))
    joins: ClassVar = True

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of every input; refuse inputs of different shapes."""
        for other in others:
            if other != shape:
                raise ShapeError(
                    f"Add needs inputs of the same shape, not {shape_text(shape)} and {shape_text(other)}."
                )
        return shape


@dataclass(frozen=True, slots=True)
class Concat(Layer):
    """The channels of two or more inputs, one after the other, as ``torch.cat`` along the channels.

    Parameters
    ----------
    crop : bool
        Cut larger inputs to the size of the smallest, around their centre, as the U-Net does.

    Examples
    --------
    >>> Concat().output_shape((64, 56, 56), (32, 56, 56))
    (96, 56, 56)
    >>> Concat(crop=True).output_shape((64, 64, 64), (64, 56, 56))
    (128, 56, 56)
    """

    spelling: ClassVar = Spelling(("concat",))
    joins: ClassVar = True

    crop: bool = False

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of all channels together; without `crop`, refuse inputs of different sizes."""
        sizes = [channels_of(self, one)[1] for one in (shape, *others)]
        if not self.crop and len(set(sizes)) > 1:
            raise ShapeError(
                f"Concat needs inputs of the same size, not {sizes[0]} and "
                f"{next(size for size in sizes if size != sizes[0])}; set crop to cut the larger ones."
            )
        channels = sum(one[0] for one in (shape, *others))
        return channels, min(size.h for size in sizes), min(size.w for size in sizes)

    def corner(self, shape: Shape, size: HW) -> HW:
        """Return the first row and column of an input that are kept for an output of `size`."""
        return HW((shape[1] - size.h) // 2, (shape[2] - size.w) // 2)


@dataclass(frozen=True, slots=True, init=False)
class Upsample(Layer):
    """More pixels between the pixels, as ``torch.nn.Upsample`` with a whole factor.

    Parameters
    ----------
    scale_factor : int or (int, int)
        The factor by which height and width grow.
    mode : {"nearest", "bilinear"}
        Whether a new pixel is a copy, or a mean weighted by distance, as torch computes
        it without ``align_corners``.

    Raises
    ------
    SpecError, UnknownNameError
        If the factor is not whole, or the mode is neither.

    Examples
    --------
    >>> Upsample(2, "bilinear").output_shape((64, 28, 28))
    (64, 56, 56)
    """

    spelling: ClassVar = Spelling(
        ("upsample",), "scale_factor", needed=True, flags={"bilinear": ("mode", "bilinear")}
    )

    scale_factor: HW
    mode: str

    def __init__(self, scale_factor: IntPair, mode: str = "nearest") -> None:
        if mode not in ("nearest", "bilinear"):
            raise UnknownNameError("mode", str(mode), ("nearest", "bilinear"))
        fill(self, scale_factor=as_pair("scale_factor", scale_factor), mode=mode)

    def __repr__(self) -> str:
        h, w = self.scale_factor
        # torch keeps the factor as a float and prints it as one.
        return f"Upsample(scale_factor={float(h) if h == w else (float(h), float(w))}, mode='{self.mode}')"

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the enlarged channels."""
        channels, size = channels_of(self, shape)
        return channels, size.h * self.scale_factor.h, size.w * self.scale_factor.w

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow the receptive field: enlarging is a transposed convolution with fixed weights."""
        factor = self.scale_factor[axis]
        if self.mode == "nearest":
            return before.through_transposed(factor, factor, 1, padding=0)
        # The bilinear kernel is a triangle of 2 * factor pixels, or one pixel less if the factor is odd.
        return before.through_transposed(2 * factor - factor % 2, factor, 1, padding=factor // 2)
