"""The layers beside Conv2d: what ``torch.nn`` would build, with its names, arguments, defaults and shapes.

Every layer is a checked value that tells, for the shape of an input, the shape that it gives, its
parameters and its multiply-adds; `convviz.compute.backends` computes it.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from convviz.errors import ShapeError, SpecError
from convviz.spec.geometry import HW, span, transposed_axis
from convviz.spec.layers import Conv2d, as_pair

Shape = tuple[int, ...]
IntPair = int | tuple[int, int] | HW


class Layer(Protocol):
    """What every layer tells, `Conv2d` by `convviz.spec.modules.output_shape` and the like."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape that the layer gives for an input of `shape`, without the batch."""
        ...

    def macs(self, shape: Shape) -> int:
        """Count the multiply-adds for an input of `shape`."""
        ...

    @property
    def parameters(self) -> int:
        """Number of parameters that training changes."""
        ...


def _set(layer: object, **values: object) -> None:
    """Fill the fields of a frozen layer."""
    for name, value in values.items():
        object.__setattr__(layer, name, value)


def _count(name: str, value: int) -> int:
    """Take a whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SpecError(f"{name} must be a whole number of at least 1, not {value!r}.")
    return value


def _planes(layer: object, shape: Shape, channels: int | None = None) -> tuple[int, HW]:
    """Take the shape of planes apart; refuse what is none, or has another number of channels."""
    if len(shape) != 3:
        raise ShapeError(f"{layer} reads planes (channels, height, width), not {shape_text(shape)}.")
    if channels is not None and shape[0] != channels:
        raise ShapeError(
            f"{layer} reads {channels} channels, but its input {shape_text(shape)} has {shape[0]}."
        )
    return shape[0], HW(*shape[1:])


def shape_text(shape: Shape) -> str:
    """Write a shape.

    Examples
    --------
    >>> shape_text((3, 224, 224)), shape_text((10,))
    ('3x224x224', '10')
    """
    return "x".join(map(str, shape))


@dataclass(frozen=True, slots=True, init=False)
class ConvTranspose2d:
    """A transposed convolution, named and checked as ``torch.nn.ConvTranspose2d``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, groups, bias, dilation
        As for `Conv2d`.
    padding : int or (int, int)
        Rows and columns left out at each side of the output.
    output_padding : int or (int, int)
        Rows and columns added at the lower and the right side of the output;
        smaller than stride or dilation.

    Raises
    ------
    SpecError
        If an argument is one that no input could make legal.

    Examples
    --------
    >>> layer = ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1)
    >>> layer.output_shape((16, 7, 7)), layer.parameters
    ((8, 14, 14), 1160)
    """

    in_channels: int
    out_channels: int
    kernel_size: HW
    stride: HW
    padding: HW
    output_padding: HW
    groups: int
    bias: bool
    dilation: HW

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntPair,
        stride: IntPair = 1,
        padding: IntPair = 0,
        output_padding: IntPair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntPair = 1,
    ) -> None:
        # The checks of channels and groups are those of a convolution.
        like = Conv2d(in_channels, out_channels, kernel_size, stride, 0, dilation, groups, bias)
        added = as_pair("output_padding", output_padding, least=0)
        for axis in ("h", "w"):
            most = max(getattr(like.stride, axis), getattr(like.dilation, axis))
            if getattr(added, axis) >= most:
                raise SpecError(
                    f"output_padding must be smaller than stride or dilation: below {most}, not {added}."
                )
        _set(
            self,
            in_channels=like.in_channels,
            out_channels=like.out_channels,
            kernel_size=like.kernel_size,
            stride=like.stride,
            padding=as_pair("padding", padding, least=0),
            output_padding=added,
            groups=like.groups,
            bias=like.bias,
            dilation=like.dilation,
        )

    def __repr__(self) -> str:
        text = (
            f"ConvTranspose2d({self.in_channels}, {self.out_channels}, kernel_size={tuple(self.kernel_size)}"
        )
        text += f", stride={tuple(self.stride)}"
        for name, default in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            if getattr(self, name) != HW(default, default):
                text += f", {name}={tuple(getattr(self, name))}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text + ("" if self.bias else ", bias=False") + ")"

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape (in_channels, out_channels / groups, kernel height, kernel width)."""
        return self.in_channels, self.out_channels // self.groups, *self.kernel_size

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return math.prod(self.weight_shape) + (self.out_channels if self.bias else 0)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the maps for an input of `shape`."""
        _, size = _planes(self, shape, self.in_channels)
        return self.out_channels, *(
            transposed_axis(
                getattr(size, axis),
                getattr(self.kernel_size, axis),
                stride=getattr(self.stride, axis),
                padding=getattr(self.padding, axis),
                output_padding=getattr(self.output_padding, axis),
                dilation=getattr(self.dilation, axis),
            ).output
            for axis in ("h", "w")
        )

    def macs(self, shape: Shape) -> int:
        """Count one multiply-add per weight and input pixel."""
        _, size = _planes(self, shape, self.in_channels)
        return math.prod(self.weight_shape) * size.h * size.w


def pooled_length(
    n: int, k: int, *, stride: int, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
) -> int:
    """Count the windows of a pooling layer along one axis.

    Parameters
    ----------
    n, k, stride, padding, dilation : int
        As for ``torch.nn.MaxPool2d``.
    ceil_mode : bool
        Whether a window may begin before the end and go beyond it; one that would
        begin in the padding behind the input is left out.

    Returns
    -------
    int
        Number of windows.

    Raises
    ------
    ShapeError
        If a window is longer than the padded input.

    Examples
    --------
    >>> pooled_length(6, 3, stride=2), pooled_length(6, 3, stride=2, ceil_mode=True)
    (2, 3)
    """
    room = n + 2 * padding - span(k, dilation=dilation)
    windows = (-(-room // stride) if ceil_mode else room // stride) + 1
    if ceil_mode and (windows - 1) * stride >= n + padding:
        windows -= 1
    if windows < 1:
        raise ShapeError(
            f"a window of {k} spans {span(k, dilation=dilation)} pixels, but the padded input has only "
            f"{n + 2 * padding}; make the window smaller."
        )
    return windows


@dataclass(frozen=True, slots=True, init=False, repr=False)
class _Pool:
    """What both kinds of pooling share."""

    kernel_size: HW
    stride: HW
    padding: HW
    dilation: HW
    ceil_mode: bool

    def _fill(
        self,
        kernel_size: IntPair,
        stride: IntPair | None,
        padding: IntPair,
        dilation: IntPair,
        ceil_mode: bool,
    ) -> None:
        kernel = as_pair("kernel_size", kernel_size)
        edge = as_pair("padding", padding, least=0)
        if 2 * edge.h > kernel.h or 2 * edge.w > kernel.w:
            raise SpecError(f"padding must be at most half of the window {kernel}, not {edge}.")
        _set(
            self,
            kernel_size=kernel,
            stride=kernel if stride is None else as_pair("stride", stride),
            padding=edge,
            dilation=as_pair("dilation", dilation),
            ceil_mode=bool(ceil_mode),
        )

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the maps for an input of `shape`."""
        channels, size = _planes(self, shape)
        found = []
        for name, axis in (("height", "h"), ("width", "w")):
            try:
                found.append(
                    pooled_length(
                        getattr(size, axis),
                        getattr(self.kernel_size, axis),
                        stride=getattr(self.stride, axis),
                        padding=getattr(self.padding, axis),
                        dilation=getattr(self.dilation, axis),
                        ceil_mode=self.ceil_mode,
                    )
                )
            except ShapeError as error:
                raise ShapeError(f"{name}: {error}") from None
        return channels, *found

    def macs(self, shape: Shape) -> int:
        """Count no multiply-adds: a maximum multiplies nothing, and of means only the division is left."""
        return 0

    def _text(self, name: str, more: str = "") -> str:
        def one(pair: HW) -> object:
            return pair.h if pair.h == pair.w else tuple(pair)

        text = f"{name}(kernel_size={one(self.kernel_size)}, stride={one(self.stride)}"
        return f"{text}, padding={one(self.padding)}{more}, ceil_mode={self.ceil_mode})"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class MaxPool2d(_Pool):
    """The greatest value of every window, as ``torch.nn.MaxPool2d``.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or (int, int)
        As for `Conv2d`, but `stride` is the window by default, and `padding`, of
        minus infinity, is at most half of it.
    ceil_mode : bool
        As for `pooled_length`.

    Examples
    --------
    >>> MaxPool2d(3, 2, 1).output_shape((64, 112, 112))
    (64, 56, 56)
    """

    def __init__(
        self,
        kernel_size: IntPair,
        stride: IntPair | None = None,
        padding: IntPair = 0,
        dilation: IntPair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self._fill(kernel_size, stride, padding, dilation, ceil_mode)

    def __repr__(self) -> str:
        dilation = self.dilation.h if self.dilation.h == self.dilation.w else tuple(self.dilation)
        return self._text("MaxPool2d", f", dilation={dilation}")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AvgPool2d(_Pool):
    """The mean of every window, as ``torch.nn.AvgPool2d``.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode
        As for `MaxPool2d`; the padding holds zeros.
    count_include_pad : bool
        Whether the mean is over the padding too.

    Examples
    --------
    >>> AvgPool2d(2).output_shape((6, 28, 28))
    (6, 14, 14)
    """

    count_include_pad: bool

    def __init__(
        self,
        kernel_size: IntPair,
        stride: IntPair | None = None,
        padding: IntPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self._fill(kernel_size, stride, padding, 1, ceil_mode)
        _set(self, count_include_pad=bool(count_include_pad))

    def __repr__(self) -> str:
        return self._text("AvgPool2d")


@dataclass(frozen=True, slots=True, init=False)
class AdaptiveAvgPool2d:
    """The means of as many windows as are asked for, as ``torch.nn.AdaptiveAvgPool2d``.

    Parameters
    ----------
    output_size : int or (int, int)
        Rows and columns to make.

    Examples
    --------
    >>> AdaptiveAvgPool2d(1).output_shape((512, 7, 7))
    (512, 1, 1)
    """

    output_size: HW

    def __init__(self, output_size: IntPair) -> None:
        _set(self, output_size=as_pair("output_size", output_size))

    def __repr__(self) -> str:
        h, w = self.output_size
        return f"AdaptiveAvgPool2d(output_size={h if h == w else (h, w)})"

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the maps for an input of `shape`."""
        channels, _ = _planes(self, shape)
        return channels, *self.output_size

    def macs(self, shape: Shape) -> int:
        """Count no multiply-adds."""
        return 0


@dataclass(frozen=True, slots=True)
class BatchNorm2d:
    """Every plane shifted and scaled by stored numbers, as ``torch.nn.BatchNorm2d`` when it is not trained.

    Parameters
    ----------
    num_features : int
        Planes.
    eps : float
        Added to the variance.
    affine : bool
        Whether a weight and a bias follow.

    Examples
    --------
    >>> BatchNorm2d(64).parameters
    128
    """

    num_features: int
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        _count("num_features", self.num_features)
        if not 0 <= self.eps < math.inf:
            raise SpecError(f"eps must be a finite number of at least 0, not {self.eps}.")

    @property
    def parameters(self) -> int:
        """A weight and a bias per plane; the stored mean and variance are not trained."""
        return 2 * self.num_features if self.affine else 0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the input."""
        _planes(self, shape, self.num_features)
        return shape

    def macs(self, shape: Shape) -> int:
        """Count one multiply-add per value: the four numbers of a plane become one factor and one summand."""
        return math.prod(self.output_shape(shape))


@dataclass(frozen=True, slots=True)
class _Pointwise:
    """What is done to every value by itself."""

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the input."""
        return shape

    def macs(self, shape: Shape) -> int:
        """Count no multiply-adds."""
        return 0


@dataclass(frozen=True, slots=True)
class ReLU(_Pointwise):
    """``max(x, 0)``, as ``torch.nn.ReLU``.

    Examples
    --------
    >>> ReLU()
    ReLU()
    """


@dataclass(frozen=True, slots=True)
class LeakyReLU(_Pointwise):
    """``x``, or ``negative_slope * x`` below 0, as ``torch.nn.LeakyReLU``.

    Parameters
    ----------
    negative_slope : float
        The slope below 0.
    """

    negative_slope: float = 0.01


@dataclass(frozen=True, slots=True)
class Dropout(_Pointwise):
    """``x`` itself, as ``torch.nn.Dropout`` in evaluation; it drops values in training alone.

    Parameters
    ----------
    p : float
        The share that it drops in training, from 0 to 1.

    Raises
    ------
    SpecError
        If `p` is no share.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise SpecError(f"p is the share that is dropped, from 0 to 1, not {self.p}.")


@dataclass(frozen=True, slots=True)
class SiLU(_Pointwise):
    """``x / (1 + exp(-x))``, as ``torch.nn.SiLU``."""


@dataclass(frozen=True, slots=True)
class Sigmoid(_Pointwise):
    """``1 / (1 + exp(-x))``, as ``torch.nn.Sigmoid``."""


@dataclass(frozen=True, slots=True)
class Softmax(_Pointwise):
    """``exp(x)`` over the sum of all of them along one axis, as ``torch.nn.Softmax``.

    Parameters
    ----------
    dim : int
        The axis, counted with that of the batch as torch does; 1 is that of the channels.
    """

    dim: int = 1

    def axis(self, shape: Shape) -> int:
        """Find the axis in an array without a batch."""
        axis = self.dim - 1 if self.dim >= 0 else self.dim + len(shape)
        if not 0 <= axis < len(shape):
            raise ShapeError(f"{self} has no such axis in {shape_text(shape)} with a batch before it.")
        return axis

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the input."""
        self.axis(shape)
        return shape


@dataclass(frozen=True, slots=True)
class Flatten(_Pointwise):
    """All values in one row, channel by channel, as ``torch.nn.Flatten``.

    Examples
    --------
    >>> Flatten().output_shape((16, 5, 5))
    (400,)
    """

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the row."""
        return (math.prod(shape),)


@dataclass(frozen=True, slots=True)
class Linear:
    """Every output a weighted sum of all inputs, as ``torch.nn.Linear``.

    Parameters
    ----------
    in_features, out_features : int
        Values of the input and of the output.
    bias : bool
        Whether one number is added to every output.

    Examples
    --------
    >>> Linear(400, 120).parameters
    48120
    """

    in_features: int
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        _count("in_features", self.in_features)
        _count("out_features", self.out_features)

    def __repr__(self) -> str:
        return f"Linear(in_features={self.in_features}, out_features={self.out_features}, bias={self.bias})"

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return self.in_features * self.out_features + (self.out_features if self.bias else 0)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the outputs."""
        if shape != (self.in_features,):
            raise ShapeError(
                f"{self} reads a row of {self.in_features} values, not {shape_text(shape)}; "
                "put a Flatten before it, or set in_features."
            )
        return (self.out_features,)

    def macs(self, shape: Shape) -> int:
        """Count one multiply-add per weight."""
        self.output_shape(shape)
        return self.in_features * self.out_features


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two or more inputs, value by value: where a residual connection ends.

    Examples
    --------
    >>> Add().output_shape((64, 56, 56), (64, 56, 56))
    (64, 56, 56)
    """

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Shape of every input; refuses inputs that differ."""
        for other in others:
            if other != shape:
                raise ShapeError(
                    f"Add needs inputs of one shape, not {shape_text(shape)} and {shape_text(other)}."
                )
        return shape

    def macs(self, shape: Shape) -> int:
        """Count no multiply-adds."""
        return 0
