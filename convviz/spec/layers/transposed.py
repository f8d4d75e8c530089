"""Describe ``torch.nn.ConvTranspose2d`` as a checked value."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from convviz.errors import SpecError
from convviz.spec.geometry import HW, transposed_axis
from convviz.spec.layers.base import IntPair, Layer, Shape, Spelling, as_pair, channels_of, fill
from convviz.spec.layers.conv import LETTERS, NO_BIAS, Conv2d, with_bias

if TYPE_CHECKING:
    from convviz.spec.reach import Reach, Sight


@dataclass(frozen=True, slots=True, init=False)
class ConvTranspose2d(Layer):
    """A transposed convolution, named and checked as ``torch.nn.ConvTranspose2d``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, groups, bias, dilation
        As for `Conv2d`.
    padding : int or (int, int)
        Rows and columns removed from each side of the output.
    output_padding : int or (int, int)
        Rows and columns added at the bottom and the right of the output; smaller than
        `stride` or `dilation`.

    Raises
    ------
    SpecError
        If an argument is invalid for every input.

    Examples
    --------
    >>> layer = ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1)
    >>> layer.output_shape((16, 7, 7)), layer.parameters
    ((8, 14, 14), 1160)
    """

    spelling: ClassVar = Spelling(
        ("convtranspose", "deconv"),
        "out_channels",
        needed=True,
        letters=LETTERS | {"o": "output_padding"},
        flags=NO_BIAS,
        inferred="in_channels",
    )

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
        # Channels and groups are checked as for a convolution.
        like = Conv2d(in_channels, out_channels, kernel_size, stride, 0, dilation, groups, bias)
        added = as_pair("output_padding", output_padding, least=0)
        for axis in ("h", "w"):
            most = max(getattr(like.stride, axis), getattr(like.dilation, axis))
            if getattr(added, axis) >= most:
                raise SpecError(
                    f"output_padding must be smaller than stride or dilation: below {most}, not {added}."
                )
        fill(
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
    def arrays(self) -> dict[str, Shape]:
        """Shapes of the weight and of the bias, if it has one."""
        return with_bias(self.weight_shape, self.out_channels, bias=self.bias)

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the maps for an input of `shape`."""
        _, size = channels_of(self, shape, self.in_channels)
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

    def making(self, shape: Shape, made: Shape) -> "ConvTranspose2d":
        """Return the layer with the output padding that makes maps of shape `made`, if there is one.

        A program may choose it for every call, as torch does for the argument ``output_size``.

        Examples
        --------
        >>> ConvTranspose2d(1, 1, 3, stride=2).making((1, 4, 4), (1, 10, 9)).output_padding
        HW(h=1, w=0)
        """
        _, h, w = replace(self, output_padding=HW(0, 0)).output_shape(shape)
        more = HW(made[1] - h, made[2] - w)
        fits = all(0 <= m < max(s, d) for m, s, d in zip(more, self.stride, self.dilation, strict=True))
        return replace(self, output_padding=more) if fits else self

    def macs(self, shape: Shape, *others: Shape) -> int:
        """Count one multiply-accumulate operation per weight and input pixel."""
        _, size = channels_of(self, shape, self.in_channels)
        return math.prod(self.weight_shape) * size.h * size.w

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow the receptive field through the zeros between the pixels."""
        return before.through_transposed(
            self.kernel_size[axis], self.stride[axis], self.dilation[axis], padding=self.padding[axis]
        )


@dataclass(frozen=True, slots=True)
class Transposed:
    """A transposed convolution that is computed as the equal convolution.

    Parameters
    ----------
    layer : ConvTranspose2d
        Its own settings.
    shape : (int, int, int)
        Shape of its input, before zeros are put between the values.
    """

    layer: ConvTranspose2d
    shape: Shape

    @property
    def sentence(self) -> str:
        """Name the layer, and say as what it is computed.

        Examples
        --------
        >>> print(Transposed(ConvTranspose2d(1, 1, 2), (1, 4, 4)).sentence.partition(")) ")[2])
        as the equal convolution: kernels rotated by 180 degrees
        """
        zeros = ", zeros between the values of its input" if self.spread != self.shape else ""
        return f"{self.layer} as the equal convolution: kernels rotated by 180 degrees{zeros}"

    @property
    def spread(self) -> Shape:
        """Shape of the input with the zeros."""
        (sh, sw), (c, h, w) = self.layer.stride, self.shape
        return c, (h - 1) * sh + 1, (w - 1) * sw + 1

    @property
    def document(self) -> dict[str, Any]:
        """Its settings, as plain values."""
        layer = self.layer
        pairs = ("kernel_size", "stride", "padding", "output_padding", "dilation")
        return {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            **{name: list(getattr(layer, name)) for name in pairs},
            "groups": layer.groups,
            "bias": layer.bias,
            "input_shape": list(self.shape),
            "macs": layer.macs(self.shape),
        }
