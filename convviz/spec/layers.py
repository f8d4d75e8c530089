"""Layers as checked values: what ``torch.nn`` would build, without building it."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from convviz.errors import ShapeError, SpecError, UnknownNameError
from convviz.spec.geometry import HW, Axis, Edges, same_padding, span
from convviz.text import plural

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Padding = Literal["same", "same-lower", "valid"] | Edges
PaddingLike = int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] | str | HW | Edges

PADDING_MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)
# Padding that depends on the size of the input, and none.
PADDING_WORDS: tuple[str, ...] = ("same", "same-lower", "valid")

# torch has one padding module per mode; Conv2d itself cannot pad its sides differently.
_TORCH_PADS = {
    "zeros": "ZeroPad2d",
    "reflect": "ReflectionPad2d",
    "replicate": "ReplicationPad2d",
    "circular": "CircularPad2d",
}


@dataclass(frozen=True, slots=True, init=False)
class Conv2d:
    """A two-dimensional convolution layer, named and checked as ``torch.nn.Conv2d``.

    Parameters
    ----------
    in_channels : int
        Planes of the input; a multiple of `groups`.
    out_channels : int
        Filters, and so feature maps; a multiple of `groups`.
    kernel_size, stride, dilation : int or (int, int)
        Taps; pixels between neighbouring windows; pixels between neighbouring
        taps. One number for both axes or (height, width); at least 1.
    padding : int, (int, int), ((int, int), (int, int)), Edges, "same", "same-lower" or "valid"
        Pixels added to each side: for all, for (height, width), or
        ``((top, bottom), (left, right))``. ``"same"`` gives ``ceil(size / stride)``
        windows, at every stride (torch refuses it above 1); of an odd number of pixels
        the last comes after, with ``"same-lower"`` before (as SAME_LOWER of ONNX).
    groups : int
        Parts into which input and filters are split; a filter reads the
        ``in_channels // groups`` planes of its own part.
    bias : bool
        Whether one number is added to every feature map.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the added pixels hold.

    Raises
    ------
    SpecError
        If an argument is one that no input could make legal.
    UnknownNameError
        If `padding_mode` is none of the four.

    Examples
    --------
    >>> layer = Conv2d(3, 6, 3, padding=1)
    >>> layer
    Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    >>> print(layer.output_size(HW(32, 48)), layer.parameters)
    32x48 168
    """

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
        counts = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
        for name, count in counts.items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise SpecError(f"{name} must be a whole number of at least 1, not {count!r}.")
        for name, count in list(counts.items())[:2]:
            if count % groups:
                raise SpecError(
                    f"groups must divide {name}, but {count} / {groups} leaves {count % groups}; "
                    f"{_divisors(in_channels, out_channels)}."
                )
        pairs = {
            "kernel_size": as_pair("kernel_size", kernel_size),
            "stride": as_pair("stride", stride),
            "dilation": as_pair("dilation", dilation),
        }
        if padding_mode not in PADDING_MODES:
            raise UnknownNameError("padding mode", str(padding_mode), PADDING_MODES)
        values = {
            **counts,
            **pairs,
            "padding": as_padding(padding),
            "bias": bool(bias),
            "padding_mode": padding_mode,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return self._torch_text(self.padding)

    def _torch_text(self, padding: Padding) -> str:
        """Write the layer as torch prints it, with `padding` in the place of its own."""
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
        """Write the layer, for an input of `size` pixels, as PyTorch would print it.

        Where ``torch.nn.Conv2d`` has no such padding (sides that differ,
        ``"same"`` at a stride above 1), that is a padding module and a layer
        without padding in one ``Sequential``.

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
        # The pad module fills the border, so the layer after it has no padding mode to print.
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
        """Weights that go into one output value."""
        _, planes, kh, kw = self.weight_shape
        return planes * kh * kw

    @property
    def weight_parameters(self) -> int:
        """Number of weights."""
        return self.out_channels * self.fan_in

    @property
    def bias_parameters(self) -> int:
        """Number of biases: one per feature map, or none."""
        return self.out_channels if self.bias else 0

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return self.weight_parameters + self.bias_parameters

    @property
    def kernels(self) -> int:
        """Number of two-dimensional kernels: filters times the planes that each one reads."""
        return self.out_channels * self.weight_shape[1]

    @property
    def sentence(self) -> str:
        """Say how many 2-D kernels and maps there are.

        Examples
        --------
        >>> Conv2d(3, 6, 3).sentence
        '6 filters x 3 channels = 18 two-dimensional kernels -> 6 feature maps'
        """
        planes = self.weight_shape[1]
        factors = f"{plural(self.out_channels, 'filter')} x {plural(planes, 'channel')}"
        text = f"{factors} = {plural(self.kernels, 'two-dimensional kernel')}"
        text += f" -> {plural(self.out_channels, 'feature map')}"
        if self.groups > 1:
            text += f" (in {self.groups} groups, each filter reads {planes} of {self.in_channels} channels)"
        return text

    def planes_of(self, index: int) -> range:
        """List the planes that one filter reads: those of its own group.

        Parameters
        ----------
        index : int
            The filter, and so the feature map; from 0 to ``out_channels - 1``.

        Returns
        -------
        range
            Indices of the ``in_channels // groups`` planes, counted from 0.

        Examples
        --------
        >>> layer = Conv2d(4, 6, 3, groups=2)
        >>> layer.planes_of(2), layer.planes_of(3)
        (range(0, 2), range(2, 4))
        """
        planes = self.weight_shape[1]
        first = index // (self.out_channels // self.groups) * planes
        return range(first, first + planes)

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
            The numbers of the calculation on each axis.

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
        """Size of the feature maps for an input of `size` pixels."""
        height, width = self.axes(size)
        return HW(height.output, width.output)

    def macs(self, size: HW) -> int:
        """Count the multiply-adds for an input of `size` pixels.

        Notes
        -----
        One multiply-add per weight and output position, ``O * I / groups * kh *
        kw * H' * W'``; the bias adds none, and those that meet padding count.
        """
        h, w = self.output_size(size)
        return self.weight_parameters * h * w

    def receptive_field(self) -> HW:
        """Pixels of the padded input that one output value depends on, end to end."""
        return HW(
            span(self.kernel_size.h, dilation=self.dilation.h),
            span(self.kernel_size.w, dilation=self.dilation.w),
        )


def as_padding(value: PaddingLike) -> Padding:
    """Bring every way to write padding to `Edges`, "same", "same-lower" or "valid".

    Raises
    ------
    SpecError
        If `value` is none of those that `Conv2d` lists.

    Examples
    --------
    >>> print(as_padding((1, 2)), as_padding(((1, 0), (2, 1))), as_padding("same"))
    1,1,2,2 1,0,2,1 same
    """
    if isinstance(value, Edges):
        return value
    if value in PADDING_WORDS:
        return cast("Padding", value)
    try:
        if (
            isinstance(value, tuple | list)
            and len(value) == 2
            and all(isinstance(v, tuple | list) for v in value)
        ):
            top, bottom = HW.of(cast("tuple[int, int]", value[0]))
            left, right = HW.of(cast("tuple[int, int]", value[1]))
            return Edges(top, bottom, left, right)
        h, w = HW.of(cast("int | tuple[int, int] | HW", value))
    except SpecError as error:
        if "padding" in str(error):
            raise
        raise SpecError(
            "padding: expected a whole number, (height, width), ((top, bottom), (left, right)), "
            f"'same', 'same-lower' or 'valid', not {value!r}."
        ) from None
    return Edges(h, h, w, w)


def check_padding(edges: Edges, size: HW, padding_mode: str) -> None:
    """Refuse padding that copies more pixels than an input of `size` pixels has.

    Raises
    ------
    ShapeError
        If a reflected side is not smaller than the input, or a circular one
        is larger; torch refuses both.
    """
    spare = {"reflect": 1, "circular": 0}.get(padding_mode)
    if spare is None:
        return
    for axis, sides, length in (("height", edges.height, size.h), ("width", edges.width, size.w)):
        if max(sides) > length - spare:
            raise ShapeError(
                f"{axis}: {padding_mode} padding of {max(sides)} needs at least {max(sides) + spare} pixels, "
                f"but the input has {length}; pad by at most {length - spare}, or use replicate."
            )


def as_pair(name: str, value: int | tuple[int, int] | HW, *, least: int = 1) -> HW:
    """Take one whole number or a pair of them for the argument `name`.

    Raises
    ------
    SpecError
        If it is neither, or one is below `least`.

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


def _divisors(a: int, b: int) -> str:
    """Say which numbers of groups are legal."""
    legal = [n for n in range(1, min(a, b, 4096) + 1) if a % n == 0 and b % n == 0]
    return f"legal here: {', '.join(map(str, legal[:12]))}{' …' if len(legal) > 12 else ''}"
