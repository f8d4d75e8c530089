"""The arithmetic of windows on one axis, and the two-dimensional sizes built from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

from convviz.errors import ShapeError, SpecError
from convviz.text import plural


class HW(NamedTuple):
    """A pair of whole numbers for the two image axes, height first.

    Parameters
    ----------
    h, w : int
        Values along the height and the width.

    Examples
    --------
    >>> print(HW(3, 5))
    3x5
    >>> h, w = HW(3, 5)
    """

    h: int
    w: int

    @classmethod
    def of(cls, value: "int | tuple[int, int] | HW") -> Self:
        """Make a pair from one number for both axes, or from a pair with the height first.

        Raises
        ------
        SpecError
            If `value` is neither.

        Examples
        --------
        >>> HW.of(3) == HW.of((3, 3))
        True
        """
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(value, value)
        if isinstance(value, tuple | list):
            pair = tuple(value)
            if len(pair) == 2 and all(isinstance(n, int) and not isinstance(n, bool) for n in pair):
                return cls(*pair)
        raise SpecError(f"expected a whole number or a pair (height, width), not {value!r}.")

    def __str__(self) -> str:
        return f"{self.h}x{self.w}"


@dataclass(frozen=True, slots=True)
class Edges:
    """Widths of the padding around an image.

    Parameters
    ----------
    top, bottom, left, right : int
        Rows and columns to add on each side, in pixels; at least 0.

    Raises
    ------
    SpecError
        If a side is negative.

    Examples
    --------
    >>> print(Edges(1, 0, 2, 1))
    1,0,2,1
    """

    top: int
    bottom: int
    left: int
    right: int

    def __post_init__(self) -> None:
        for side in ("top", "bottom", "left", "right"):
            if getattr(self, side) < 0:
                raise SpecError(
                    f"padding must be at least 0 on every side, but {side} is {getattr(self, side)}."
                )

    def __iter__(self) -> Iterator[int]:
        return iter((self.top, self.bottom, self.left, self.right))

    def __str__(self) -> str:
        return ",".join(str(side) for side in self)

    @property
    def height(self) -> tuple[int, int]:
        """Rows added before and after."""
        return self.top, self.bottom

    @property
    def width(self) -> tuple[int, int]:
        """Columns added before and after."""
        return self.left, self.right

    def around(self, size: HW) -> HW:
        """Size of an image of `size` pixels with this padding."""
        return HW(size.h + self.top + self.bottom, size.w + self.left + self.right)


def span(k: int, *, dilation: int = 1) -> int:
    """Count the pixels that one window covers along one axis.

    Parameters
    ----------
    k : int
        Kernel size along the axis; at least 1.
    dilation : int
        Distance between neighbouring kernel values, in pixels; at least 1.

    Returns
    -------
    int
        ``dilation * (k - 1) + 1``, in pixels.

    Examples
    --------
    >>> span(3), span(3, dilation=2)
    (3, 5)
    """
    return dilation * (k - 1) + 1


def output_length(
    n: int, k: int, *, stride: int = 1, before: int = 0, after: int = 0, dilation: int = 1
) -> int:
    """Count the windows of a kernel along one axis.

    Parameters
    ----------
    n : int
        Input length, in pixels; at least 1.
    k : int
        Kernel size along the axis; at least 1.
    stride : int
        Distance between neighbouring windows, in padded-input pixels.
    before, after : int
        Padding on the low and the high side, in pixels.
    dilation : int
        Distance between neighbouring kernel values, in padded-input pixels.

    Returns
    -------
    int
        Number of windows, at least 1: ``(n + before + after - span) // stride + 1``
        with ``span = dilation * (k - 1) + 1``, the pixels one window covers.

    Raises
    ------
    ShapeError
        If one window is longer than the padded input.

    Notes
    -----
    Relationship 15 of Dumoulin and Visin (2016), `A guide to convolution
    arithmetic for deep learning <https://arxiv.org/abs/1603.07285>`_, with
    padding that may differ between the sides; equal to ``torch.nn.Conv2d``.
    Pixels past the last window are never read.

    Examples
    --------
    >>> output_length(6, 3, stride=2, before=1, after=1)  # one column is left over
    3
    """
    covered = span(k, dilation=dilation)
    padded = n + before + after
    if covered > padded:
        dilated = f" with dilation {dilation}" if dilation > 1 else ""
        fits = (padded - 1) // (k - 1) if k > 1 else 0  # the largest dilation at which this kernel fits
        remedy = f"a kernel size of at most {(padded - 1) // dilation + 1}"
        if dilation > 1 and fits:
            remedy = f"a dilation of at most {fits}"
        raise ShapeError(
            f"a kernel of size {k}{dilated} spans {plural(covered, 'pixel')}, but the padded input has only "
            f"{padded} ({before} + {n} + {after}); use a padding of at least {-(-(covered - n) // 2)} on "
            f"each side, or {remedy}."
        )
    return (padded - covered) // stride + 1


def same_padding(n: int, k: int, *, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Pad one axis so that there are ``ceil(n / stride)`` windows.

    Parameters
    ----------
    n, k, stride, dilation : int
        As for `output_length`.

    Returns
    -------
    before, after : int
        Padding in pixels; an odd total puts the extra pixel after.

    Notes
    -----
    At stride 1 this is ``padding="same"`` of ``torch.nn.Conv2d``, which refuses
    larger strides. There it is SAME of TensorFlow and SAME_UPPER of ONNX.

    Examples
    --------
    >>> same_padding(5, 3), same_padding(6, 3, stride=2)
    ((1, 1), (0, 1))
    """
    windows = -(-n // stride)
    total = max((windows - 1) * stride + span(k, dilation=dilation) - n, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True, slots=True)
class Axis:
    """The shape calculation along one axis, with all of its numbers.

    Parameters
    ----------
    input : int
        Input length, in pixels.
    kernel : int
        Kernel size along the axis.
    stride, dilation : int
        Distances between windows and between kernel values, in padded-input pixels.
    before, after : int
        Padding on the low and the high side, in pixels.

    Raises
    ------
    ShapeError
        If one window is longer than the padded input.

    Examples
    --------
    >>> axis = Axis(input=6, kernel=3, stride=2, dilation=1, before=1, after=1)
    >>> axis.output, axis.unread
    (3, 1)
    """

    input: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    def __post_init__(self) -> None:
        _ = self.output

    @property
    def padded(self) -> int:
        """Length of the padded input, in pixels."""
        return self.input + self.before + self.after

    @property
    def span(self) -> int:
        """Pixels that one window covers."""
        return span(self.kernel, dilation=self.dilation)

    @property
    def output(self) -> int:
        """Number of windows."""
        return output_length(
            self.input,
            self.kernel,
            stride=self.stride,
            before=self.before,
            after=self.after,
            dilation=self.dilation,
        )

    @property
    def unread(self) -> int:
        """Padded-input pixels past the last window, which the stride never reaches."""
        return self.padded - self.span - (self.output - 1) * self.stride

    @property
    def skipped(self) -> tuple[int, ...]:
        """Indices of the input pixels that no kernel value of any window reads, in increasing order.

        Notes
        -----
        Besides those past the last window these are the pixels between kernel values or
        windows, when the stride or the dilation leaps over them.
        """
        if self.dilation == 1 and self.stride <= self.kernel:
            # Windows that touch each other leave nothing out; the last one may end before the input.
            return tuple(range(max(0, self.padded - self.unread - self.before), self.input))
        read = {
            window * self.stride + tap * self.dilation - self.before
            for window in range(self.output)
            for tap in range(self.kernel)
        }
        return tuple(pixel for pixel in range(self.input) if pixel not in read)

    def reads(self, window: int) -> tuple[int, ...]:
        """Input index under every kernel value of a window; below 0 or past the end where it meets padding.

        Parameters
        ----------
        window : int
            Index of the window, from 0 to ``output - 1``.

        Returns
        -------
        tuple of int
            One per kernel value, in increasing order.

        Examples
        --------
        >>> Axis(input=5, kernel=3, stride=2, dilation=1, before=1, after=1).reads(0)
        (-1, 0, 1)
        """
        first = window * self.stride - self.before
        return tuple(first + tap * self.dilation for tap in range(self.kernel))

    def read_by(self, pixel: int) -> tuple[tuple[int, int], ...]:
        """List the windows that read a pixel or a cell of the padding, each with the index in the kernel.

        Parameters
        ----------
        pixel : int
            Index of the pixel, from 0 to ``input - 1``; other values lie in the padding.

        Returns
        -------
        tuple of (int, int)
            Window and index in the kernel, in the order of the windows.

        Examples
        --------
        >>> Axis(input=5, kernel=3, stride=2, dilation=1, before=1, after=1).read_by(1)
        ((0, 2), (1, 0))
        """
        found = []
        for tap in reversed(range(self.kernel)):
            window, rest = divmod(pixel + self.before - tap * self.dilation, self.stride)
            if rest == 0 and 0 <= window < self.output:
                found.append((window, tap))
        return tuple(found)

    @property
    def clean(self) -> int:
        """Number of windows that meet no padding."""
        first, last = -(-self.before // self.stride), (self.input - self.span + self.before) // self.stride
        return max(min(last, self.output - 1) - first + 1, 0)

    @property
    def met(self) -> int:
        """Number of pairs of a window and a kernel value that meet an input pixel, not padding."""
        total = 0
        for tap in range(self.kernel):
            offset = tap * self.dilation - self.before  # the pixel that it meets in the first window
            first, last = -(offset // self.stride), (self.input - 1 - offset) // self.stride
            total += max(min(last, self.output - 1) - max(first, 0) + 1, 0)
        return total


def transposed_axis(
    n: int, k: int, *, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> Axis:
    """Write one axis of a transposed convolution as the windows of an equivalent convolution.

    Parameters
    ----------
    n, k, stride, padding, output_padding, dilation : int
        As for ``torch.nn.ConvTranspose2d``.

    Returns
    -------
    Axis
        The input with ``stride - 1`` zeros between neighbouring pixels, under a rotated kernel
        at stride 1; padding below 0 leaves out pixels.

    Raises
    ------
    ShapeError
        If nothing is left, or `output_padding` is not smaller than stride or dilation, as torch asks.

    Notes
    -----
    Relationship 14 of Dumoulin and Visin (2016), with dilation:
    ``o = (n - 1) * stride - 2 * padding + dilation * (k - 1) + output_padding + 1``.

    Examples
    --------
    >>> transposed_axis(3, 3, stride=2, padding=1).output
    5
    """
    if output_padding >= max(stride, dilation):
        raise ShapeError(
            f"output_padding must be smaller than stride or dilation, but {output_padding} is not below "
            f"{max(stride, dilation)}."
        )
    left = (n - 1) * stride - 2 * padding + span(k, dilation=dilation) + output_padding
    if left < 1:
        raise ShapeError(
            f"the padding leaves nothing: ({n} - 1) * {stride} - 2 * {padding} + {dilation} * ({k} - 1) + "
            f"{output_padding} + 1 = {left}; pad by at most {padding - (2 - left) // 2}."
        )
    around = span(k, dilation=dilation) - 1 - padding
    return Axis((n - 1) * stride + 1, k, 1, dilation, around, around + output_padding)


def source_of(index: int, n: int, padding_mode: str) -> int | None:
    """Find the input pixel that a padding cell copies.

    Parameters
    ----------
    index : int
        Position along the axis, in input pixels; outside of ``0 .. n - 1`` in the padding.
    n : int
        Input length, in pixels.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding holds.

    Returns
    -------
    int or None
        Index of the pixel; None for a zero.

    Examples
    --------
    >>> [source_of(-1, 5, mode) for mode in ("zeros", "reflect", "replicate", "circular")]
    [None, 1, 0, 4]
    """
    if 0 <= index < n:
        return index
    if padding_mode == "zeros":
        return None
    if padding_mode == "replicate":
        return min(max(index, 0), n - 1)
    if padding_mode == "circular":
        return index % n
    return -index if index < 0 else 2 * (n - 1) - index


def check_inside(field: str, at: HW, size: HW, *, what: str) -> None:
    """Refuse a position outside of an array.

    Parameters
    ----------
    field : str
        What messages call the position.
    at : HW
        Row and column, counted from 0.
    size : HW
        Rows and columns of the array.
    what : str
        What messages call the array, such as "the maps".

    Raises
    ------
    SpecError
        With the last row and the last column.

    Examples
    --------
    >>> check_inside("at", HW(0, 4), HW(5, 5), what="the maps")
    """
    if not (0 <= at.h < size.h and 0 <= at.w < size.w):
        raise SpecError(
            f"{field}: {at.h},{at.w} is outside of {what}; rows go to {size.h - 1}, columns to {size.w - 1}."
        )


def padding_shares(height: Axis, width: Axis) -> tuple[float, float]:
    """Return how much of a layer's work meets padding.

    Parameters
    ----------
    height, width : Axis
        The shape calculation on both axes.

    Returns
    -------
    outputs : float
        Share of the output positions whose window meets padding, from 0 to 1.
    products : float
        Share of the multiplications that have a padding cell as a factor.

    Examples
    --------
    >>> axis = Axis(input=3, kernel=3, stride=1, dilation=1, before=1, after=1)
    >>> outputs, products = padding_shares(axis, axis)  # 8 of 9 windows; 81 - 49 of 81 products
    >>> round(outputs * 9), round(products * 81)
    (8, 32)
    """
    outputs = 1 - height.clean * width.clean / (height.output * width.output)
    return outputs, 1 - height.met * width.met / (height.output * height.kernel * width.output * width.kernel)
