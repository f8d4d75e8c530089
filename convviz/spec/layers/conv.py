"""Describe ``torch.nn.Conv2d`` as a checked value, and define what convolutions share."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from convviz.errors import ShapeError, SpecError, UnknownNameError
from convviz.spec.geometry import HW, Axis, Edges, same_padding, span
from convviz.spec.layers.base import (
    Layer,
    Shape,
    Spelling,
    as_pair,
    by_mode,
    channels_of,
    check_count,
    fill,
)
from convviz.spec.layers.padding import (
    PADDING_MODES,
    Padding,
    PaddingLike,
    PaddingMode,
    as_padding,
    check_padding,
)
from convviz.text import plural

if TYPE_CHECKING:
    from convviz.spec.reach import Reach, Sight

# torch has one padding module per mode; Conv2d itself pads opposite sides equally.
_TORCH_PADS = {
    "zeros": "ZeroPad2d",
    "reflect": "ReflectionPad2d",
    "replicate": "ReplicationPad2d",
    "circular": "CircularPad2d",
}

# Words and letters that convolutions share in a stack.
NO_BIAS: dict[str, tuple[str, Any]] = {"nobias": ("bias", False)}
LETTERS = {"k": "kernel_size", "s": "stride", "p": "padding", "d": "dilation", "g": "groups"}


@dataclass(frozen=True, slots=True, init=False)
class Conv2d(Layer):
    """A two-dimensional convolution layer, named and checked as ``torch.nn.Conv2d``.

    Parameters
    ----------
    in_channels : int
        Channels of the input; a multiple of `groups`.
    out_channels : int
        Number of filters and thus of feature maps; a multiple of `groups`.
    kernel_size, stride, dilation : int or (int, int)
        The kernel size; the step between neighbouring windows, in pixels; the step
        between neighbouring kernel values, in pixels. One number for both axes or (height,
        width); at least 1.
    padding : int, (int, int), ((int, int), (int, int)), Edges, "same", "same-lower" or "valid"
        Pixels added to each side: for all, for (height, width), or
        ``((top, bottom), (left, right))``. ``"same"`` gives ``ceil(size / stride)``
        windows at every stride (torch refuses strides above 1). If the number of added
        pixels is odd, ``"same"`` adds the extra pixel after the input, and
        ``"same-lower"`` adds it before the input (as SAME_LOWER of ONNX does).
    groups : int
        Number of parts that input and filters are split into; a filter reads the
        ``in_channels // groups`` channels of its own part.
    bias : bool
        Whether one number is added to every feature map.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        The values of the added pixels.

    Raises
    ------
    SpecError
        If an argument is invalid for every input.
    UnknownNameError
        If `padding_mode` is not one of the four.

    Examples
    --------
    >>> layer = Conv2d(3, 6, 3, padding=1)
    >>> layer
    Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    >>> print(layer.output_size(HW(32, 48)), layer.parameters)
    32x48 168
    """

    spelling: ClassVar = Spelling(
        ("conv",),
        "out_channels",
        needed=True,
        letters=LETTERS,
        flags=NO_BIAS
        | {mode: ("padding_mode", mode) for mode in PADDING_MODES}
        | {"same": ("padding", "same")},
        inferred="in_channels",
        defaults={"kernel_size": 3},
    )

    in_channels: int
    out_channels: int
    kernel_size: HW
    stride: HW
    padding: Padding
    dilation: HW
    groups: int
    bias: bool
    padding_mode: PaddingMode

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] | HW,
        stride: int | tuple[int, int] | HW = 1,
        padding: PaddingLike = 0,
        dilation: int | tuple[int, int] | HW = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        check_groups(groups, in_channels=in_channels, out_channels=out_channels)
        pairs = {
            "kernel_size": as_pair("kernel_size", kernel_size),
            "stride": as_pair("stride", stride),
            "dilation": as_pair("dilation", dilation),
        }
        if padding_mode not in PADDING_MODES:
            raise UnknownNameError("padding mode", str(padding_mode), PADDING_MODES)
        counts = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
        fill(self, **counts, **pairs, padding=as_padding(padding), bias=bool(bias), padding_mode=padding_mode)

    def __repr__(self) -> str:
        return self._torch_text(self.padding)

    def _torch_text(self, padding: Padding) -> str:
        """Format the layer as torch prints it, with `padding` in place of its own padding."""
        text = f"Conv2d({self.in_channels}, {self.out_channels}, kernel_size={tuple(self.kernel_size)}"
        text += f", stride={tuple(self.stride)}"
        if not isinstance(padding, Edges):
            text += f", padding={padding}"
        elif (padding.top, padding.left) != (padding.bottom, padding.right):
            text += f", padding=({padding.height}, {padding.width})"
        elif padding != Edges(0, 0, 0, 0):
            text += f", padding=({padding.top}, {padding.left})"
        if self.dilation != HW(1, 1):
            text += f", dilation={tuple(self.dilation)}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if not self.bias:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text + ")"

    def torch_repr(self, size: HW) -> str:
        """Format the layer, for an input of `size` pixels, as PyTorch would print it.

        If ``torch.nn.Conv2d`` does not support the padding (sides that differ, or
        ``"same"`` at a stride above 1), the result is a ``Sequential`` of a padding
        module and a layer without padding.

        Examples
        --------
        >>> print(Conv2d(1, 1, 3, padding=((1, 0), (2, 1))).torch_repr(HW(8, 8)))
        Sequential(
          (0): ZeroPad2d((2, 1, 1, 0))
          (1): Conv2d(1, 1, kernel_size=(3, 3), stride=(1, 1))
        )
        """
        edges = self.edges(size)
        if self.padding == "valid" or (self.padding == "same" and self.stride == HW(1, 1)):
            return repr(self)
        if (edges.top, edges.left) == (edges.bottom, edges.right):
            return self._torch_text(edges)
        pad = f"{_TORCH_PADS[self.padding_mode]}(({edges.left}, {edges.right}, {edges.top}, {edges.bottom}))"
        # The padding module fills the border, so the layer after it prints no padding mode.
        bare = Conv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size,
            self.stride,
            0,
            self.dilation,
            self.groups,
            self.bias,
        )
        return f"Sequential(\n  (0): {pad}\n  (1): {bare!r}\n)"

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape (out_channels, in_channels / groups, kernel height, kernel width)."""
        return self.out_channels, self.in_channels // self.groups, *self.kernel_size

    @property
    def fan_in(self) -> int:
        """Number of weights that contribute to one output value."""
        _, channels, kh, kw = self.weight_shape
        return channels * kh * kw

    @property
    def weight_parameters(self) -> int:
        """Number of weights."""
        return self.out_channels * self.fan_in

    @property
    def bias_parameters(self) -> int:
        """Number of biases, one per feature map, or none."""
        return self.out_channels if self.bias else 0

    @property
    def arrays(self) -> dict[str, Shape]:
        """Shapes of the weight and of the bias, if it has one."""
        return with_bias(self.weight_shape, self.out_channels, bias=self.bias)

    @property
    def kernels(self) -> int:
        """Number of two-dimensional kernels, which is filters times the channels that each filter reads."""
        return self.out_channels * self.weight_shape[1]

    @property
    def sentence(self) -> str:
        """The numbers of 2-D kernels and maps, as a sentence.

        Examples
        --------
        >>> Conv2d(3, 6, 3).sentence
        '6 filters x 3 channels = 18 two-dimensional kernels -> 6 feature maps'
        """
        channels = self.weight_shape[1]
        factors = f"{plural(self.out_channels, 'filter')} x {plural(channels, 'channel')}"
        text = f"{factors} = {plural(self.kernels, 'two-dimensional kernel')}"
        text += f" -> {plural(self.out_channels, 'feature map')}"
        if self.groups > 1:
            text += f" (in {self.groups} groups, each filter reads {channels} of {self.in_channels} channels)"
        return text

    def channels_of(self, index: int) -> range:
        """List the channels that one filter reads: those of its own group.

        Parameters
        ----------
        index : int
            The filter and thus the feature map; from 0 to ``out_channels - 1``.

        Returns
        -------
        range
            Indices of the ``in_channels // groups`` channels, counted from 0.

        Examples
        --------
        >>> layer = Conv2d(4, 6, 3, groups=2)
        >>> layer.channels_of(2), layer.channels_of(3)
        (range(0, 2), range(2, 4))
        """
        channels = self.weight_shape[1]
        first = index // (self.out_channels // self.groups) * channels
        return range(first, first + channels)

    def edges(self, size: HW) -> Edges:
        """Resolve the padding for an input of `size` pixels.

        Raises
        ------
        ShapeError
            If the padding mode needs more pixels than the input has.
        """
        if self.padding == "valid":
            return Edges(0, 0, 0, 0)
        if not isinstance(self.padding, Edges):
            h = same_padding(size.h, self.kernel_size.h, stride=self.stride.h, dilation=self.dilation.h)
            w = same_padding(size.w, self.kernel_size.w, stride=self.stride.w, dilation=self.dilation.w)
            edges = Edges(*h[::-1], *w[::-1]) if self.padding == "same-lower" else Edges(*h, *w)
        else:
            edges = self.padding
        check_padding(edges, size, self.padding_mode)
        return edges

    def axes(self, size: HW) -> tuple[Axis, Axis]:
        """Calculate the shape along the height and along the width.

        Parameters
        ----------
        size : HW
            Input size, in pixels.

        Returns
        -------
        height, width : Axis
            The numbers of the calculation along each axis.

        Raises
        ------
        ShapeError
            If a window is longer than the padded input; the message names the axis.

        Examples
        --------
        >>> height, width = Conv2d(3, 6, (3, 5)).axes(HW(32, 32))
        >>> height.output, width.output
        (30, 28)
        """
        edges = self.edges(size)
        found = []
        for name, sides, axis in (("height", edges.height, "h"), ("width", edges.width, "w")):
            try:
                found.append(
                    Axis(
                        getattr(size, axis),
                        getattr(self.kernel_size, axis),
                        getattr(self.stride, axis),
                        getattr(self.dilation, axis),
                        *sides,
                    )
                )
            except ShapeError as error:
                raise ShapeError(f"{name}: {error}") from None
        return found[0], found[1]

    def output_size(self, size: HW) -> HW:
        """Return the size of the feature maps for an input of `size` pixels."""
        height, width = self.axes(size)
        return HW(height.output, width.output)

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the feature maps."""
        _, size = channels_of(self, shape, self.in_channels)
        return self.out_channels, *self.output_size(size)

    def macs(self, shape: Shape, *others: Shape) -> int:
        """Count the multiply-accumulate operations.

        Notes
        -----
        The count is one per weight and output position, ``O * I / groups * kh * kw * H' * W'``.
        The bias adds none; operations that read padding are included.
        """
        _, h, w = self.output_shape(shape)
        return self.weight_parameters * h * w

    def macs_inside(self, shape: Shape, *others: Shape) -> int:
        """Count the operations that do not read padding."""
        height, width = self.axes(HW(*shape[1:]))
        return self.kernels * height.met * width.met

    def remedy(self, stored: Shape, *, first: bool) -> str:
        """Name the channels that the stored weight reads."""
        if not first or stored[2:] != self.weight_shape[2:]:
            return ""
        channels = stored[1] * self.groups
        mode = by_mode(channels)
        return f"; the network reads {plural(channels, 'channel')}, and the input has {self.in_channels}" + (
            f" ({mode})" if mode else ""
        )

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow the receptive field through the windows."""
        edges = self.edges(HW(*shape[1:]))
        return before.through(
            self.kernel_size[axis],
            self.stride[axis],
            self.dilation[axis],
            before=(edges.top, edges.left)[axis],
        )

    def receptive_field(self) -> HW:
        """Extent of the padded input that one output value depends on, in pixels."""
        return HW(
            span(self.kernel_size.h, dilation=self.dilation.h),
            span(self.kernel_size.w, dilation=self.dilation.w),
        )


def with_bias(weight: Shape, outputs: int, *, bias: bool) -> dict[str, Shape]:
    """List the shapes of a weight, and of one bias per output."""
    return {"weight": weight} | ({"bias": (outputs,)} if bias else {})


def check_groups(groups: int, *, out_channels: int, in_channels: int | None = None) -> None:
    """Refuse a number of groups that does not divide the channels, as far as these are known.

    Examples
    --------
    >>> check_groups(2, out_channels=9, in_channels=6)
    Traceback (most recent call last):
    ...
    convviz.errors.SpecError: groups must divide out_channels, but 9 / 2 leaves 1; valid values: 1, 3.
    """
    known = {} if in_channels is None else {"in_channels": in_channels}
    known["out_channels"] = out_channels
    for name, count in (known | {"groups": groups}).items():
        check_count(name, count)
    for name, count in known.items():
        if count % groups:
            common = math.gcd(*known.values())
            legal = [n for n in range(1, min(common, 4096) + 1) if common % n == 0]
            also = "" if in_channels is not None else ", where they divide the channels of the input too"
            raise SpecError(
                f"groups must divide {name}, but {count} / {groups} leaves {count % groups}; "
                f"valid values: {', '.join(map(str, legal[:12]))}{' …' if len(legal) > 12 else ''}{also}."
            )
