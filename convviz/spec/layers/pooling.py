"""Define pooling layers, which compute one number for every window of a channel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from convviz.errors import ShapeError, SpecError
from convviz.spec.geometry import HW, span
from convviz.spec.layers.base import IntPair, Layer, Shape, Spelling, as_pair, channels_of, fill
from convviz.spec.reach import WHOLE

if TYPE_CHECKING:
    from convviz.spec.reach import Reach, Sight


def pooled_length(
    n: int, k: int, *, stride: int, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
) -> int:
    """Count the windows of a pooling layer along one axis.

    Parameters
    ----------
    n, k, stride, padding, dilation : int
        As for ``torch.nn.MaxPool2d``.
    ceil_mode : bool
        Whether a window may extend beyond the end; a window that would begin in the
        padding after the input is left out.

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
class _Pool(Layer):
    """The base of max and average pooling."""

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
        fill(
            self,
            kernel_size=kernel,
            stride=kernel if stride is None else as_pair("stride", stride),
            padding=edge,
            dilation=as_pair("dilation", dilation),
            ceil_mode=bool(ceil_mode),
        )

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the maps for an input of `shape`."""
        channels, size = channels_of(self, shape)
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

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow the receptive field through the windows."""
        return before.through(
            self.kernel_size[axis], self.stride[axis], self.dilation[axis], before=self.padding[axis]
        )

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
        As for `Conv2d`, but `stride` is the window size by default, and `padding`,
        filled with minus infinity, is at most half of the window size.
    ceil_mode : bool
        As for `pooled_length`.

    Examples
    --------
    >>> MaxPool2d(3, 2, 1).output_shape((64, 112, 112))
    (64, 56, 56)
    """

    spelling: ClassVar = Spelling(
        ("maxpool",),
        "kernel_size",
        needed=True,
        letters={"s": "stride", "p": "padding", "d": "dilation"},
        flags={"ceil": ("ceil_mode", True)},
    )

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
        Whether the mean includes the padding.

    Examples
    --------
    >>> AvgPool2d(2).output_shape((6, 28, 28))
    (6, 14, 14)
    """

    spelling: ClassVar = Spelling(
        ("avgpool",),
        "kernel_size",
        needed=True,
        letters={"s": "stride", "p": "padding"},
        flags={"ceil": ("ceil_mode", True), "nopad": ("count_include_pad", False)},
    )

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
        fill(self, count_include_pad=bool(count_include_pad))

    def __repr__(self) -> str:
        return self._text("AvgPool2d")


@dataclass(frozen=True, slots=True, init=False)
class AdaptiveAvgPool2d(Layer):
    """The means of a given number of windows, as ``torch.nn.AdaptiveAvgPool2d``.

    Parameters
    ----------
    output_size : int or (int, int)
        Rows and columns of the output.

    Examples
    --------
    >>> AdaptiveAvgPool2d(1).output_shape((512, 7, 7))
    (512, 1, 1)
    """

    spelling: ClassVar = Spelling(("adaptiveavgpool",), "output_size", needed=True)

    output_size: HW

    def __init__(self, output_size: IntPair) -> None:
        fill(self, output_size=as_pair("output_size", output_size))

    def __repr__(self) -> str:
        h, w = self.output_size
        return f"AdaptiveAvgPool2d(output_size={h if h == w else (h, w)})"

    def output_shape(self, shape: Shape, *others: Shape) -> Shape:
        """Return the shape of the maps for an input of `shape`."""
        channels, _ = channels_of(self, shape)
        return channels, *self.output_size

    def reach(self, before: "Reach", shape: Shape, axis: int) -> "Sight":
        """Follow the receptive field through the windows; a single window covers the whole input."""
        count = self.output_size[axis]
        return WHOLE if count == 1 else before.through_parts(shape[1 + axis], count)
