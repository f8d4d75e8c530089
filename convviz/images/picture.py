"""The input of a convolution as a value."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from convviz.errors import InputError
from convviz.images.finite import NotFinite, finite_of
from convviz.machine import parallel
from convviz.spec.geometry import HW
from convviz.spec.preparation import Normalization
from convviz.text import plural
from convviz.typing import Floats

# A picture with more samples than SMALL stays as decoded, with one byte per sample, and its rows become
# floats on request: that is faster than filling fresh memory. A picture with more samples than LARGE stays
# in Pillow's memory.
SMALL, LARGE = 1 << 22, 1 << 26
# How many samples are converted to floats at once, and how many justify a second thread.
_TOGETHER, _SAMPLES_TO_SHARE = 1 << 17, 1 << 20

GRAY, RGB, RGBA = ("gray",), ("R", "G", "B"), ("R", "G", "B", "A")


class ChannelRows(Protocol):
    """Planes whose rows become floats on request."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width."""
        ...

    def rows(self, top: int, bottom: int) -> Floats:
        """Make the rows from `top` to `bottom` of all channels, shape (C, bottom - top, W)."""
        ...

    def whole(self) -> Floats:
        """Make all rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An input, ready to be convolved.

    Parameters
    ----------
    values : ndarray, shape (C, H, W), float32, or ChannelRows
        The channels, or an object that makes their rows: a large picture stays as
        decoded, with one byte per sample.
    channels : tuple of str
        The name of each channel.
    low, high : float
        The values drawn as black and as white, before `normalized`.
    remarks : tuple of str
        What was changed after reading the file, in a few words each.
    resized : HW, optional
        The size after resizing and before cropping, in pixels.
    normalized : Normalization, optional
        The normalisation applied to each channel.
    activations : bool
        Whether the channels are the output of another layer, so that each has a scale of its own on a sheet.

    Raises
    ------
    InputError
        If the channels are not three-dimensional, not float32 or empty.

    Examples
    --------
    >>> picture = Picture(np.zeros((3, 2, 5), np.float32), ("R", "G", "B"))
    >>> print(picture.size)
    2x5
    """

    values: Floats | ChannelRows
    channels: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0
    remarks: tuple[str, ...] = ()
    resized: HW | None = None
    normalized: Normalization | None = None
    activations: bool = False
    _whole: list[Floats] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.values, np.ndarray):
            return
        x = self.values
        if x.ndim != 3 or x.dtype != np.float32 or not x.size:
            raise InputError(
                f"an input is a float32 array (channels, height, width), not {x.dtype} {x.shape}."
            )
        if len(self.channels) != x.shape[0]:
            raise InputError(f"{len(self.channels)} names for {x.shape[0]} channels; give one per channel.")

    def __repr__(self) -> str:
        named = ", ".join(self.channels if len(self.channels) <= 4 else (*self.channels[:3], "…"))
        return f"<Picture: {'x'.join(map(str, self.shape))}, channels {named}>"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width."""
        values, h, w = self.values.shape
        return values, h, w

    @property
    def size(self) -> HW:
        """Height and width, in pixels."""
        return HW(*self.shape[1:])

    @property
    def ends(self) -> tuple[tuple[float, float], ...]:
        """The values drawn as black and as white in each channel, so that it looks as before `normalized`."""
        if self.normalized is None:
            return ((self.low, self.high),) * self.shape[0]
        return ends_after(self.normalized, self.low, self.high)

    @property
    def x(self) -> Floats:
        """All channels, shape (C, H, W), float32; those of a large picture are made on first use."""
        if isinstance(self.values, np.ndarray):
            return self.values
        if not self._whole:
            self._whole.append(self.values.whole())
        return self._whole[0]

    def strongest(self, count: int) -> list[int]:
        """List the channels of most energy (mean of the squares of the finite values), in their own order.

        Examples
        --------
        >>> Picture(np.array([[[1]], [[-3]], [[2]]], np.float32), ("0", "1", "2")).strongest(2)
        [1, 2]
        """
        energies = [-float(np.square(finite_of(one), dtype=np.float64).sum()) for one in self.x]
        return sorted(np.argsort(energies, kind="stable")[:count].tolist())

    def rows(self, top: int, bottom: int) -> Floats:
        """Return the rows from `top` to `bottom` of all channels, shape (C, bottom - top, W)."""
        if isinstance(self.values, np.ndarray):
            return self.values[:, top:bottom]
        return self.values.rows(top, bottom)


def extremes(x: Floats) -> tuple[float, float, list[str]]:
    """Return the minimum and maximum of the finite values, and a remark on any others.

    Without finite values, return 0 and 1.
    """
    low, high = float(x.min()), float(x.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high, []
    known = finite_of(x)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return low, high, [f"not finite: {NotFinite.of(x).words} of {plural(x.size, 'value')}"]


def from_numbers(values: Floats, name: str, *, channels_first: bool = False) -> Picture:
    """Use numbers as channels, without changing them.

    Parameters
    ----------
    values : ndarray, float32
        One channel (H, W), channels (C, H, W) as in torch, or (H, W, C) if the shape makes that
        clear; also one such input in a batch of 1.
    name : str
        What messages call it.
    channels_first : bool
        Whether the channels are known to come first; otherwise the shape determines the order.

    Returns
    -------
    Picture
        The channels; if the order is ambiguous, a remark says which axis was used for
        the channels.

    Raises
    ------
    InputError
        If the array has any other shape.

    Examples
    --------
    >>> from_numbers(np.zeros((2, 3, 4), np.float32), "zeros").channels
    ('0', '1')
    >>> from_numbers(np.zeros((20, 30, 3), np.float32), "zeros").shape
    (3, 20, 30)
    """
    remarks = []
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    elif values.ndim == 4:
        raise InputError(
            f"{name} has shape {values.shape}, a batch of {plural(values.shape[0], 'input')}; "
            "give one of them, such as array[0], of shape (channels, height, width)."
        )
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise InputError(
            f"{name} has shape {values.shape}; expected (height, width) or (channels, height, width)."
        )
    order = None if channels_first else _order_of(values.shape)
    if order is not None:
        remarks.append(f"an array of shape {values.shape} is read as ({', '.join(order)})")
    if order == _CHANNELS_LAST:
        values = values.transpose(2, 0, 1)
    names = {1: GRAY, 3: RGB}.get(values.shape[0], tuple(str(index) for index in range(values.shape[0])))
    low, high, others = extremes(values) if values.size else (0.0, 1.0, [])
    # Numbers between 0 and 1, or between 0 and 255, are drawn like a picture with that range.
    if low >= 0:
        low, high = 0.0, 1.0 if high <= 1 else 255.0 if 64 < high <= 255 else high
    x = np.ascontiguousarray(values, np.float32)
    return Picture(x, names, low, above(low, high), (*remarks, *others))


_CHANNELS_FIRST, _CHANNELS_LAST = ("channels", "height", "width"), ("height", "width", "channels")


def _order_of(shape: tuple[int, ...]) -> tuple[str, str, str] | None:
    """Return the order of the axes of an array, unless it is clearly that of torch.

    A last axis as long as the channels of a picture, after two longer axes, holds the channels.
    Activations of a deep layer, such as (2048, 8, 4), have many more channels than rows.

    Examples
    --------
    >>> _order_of((20, 30, 3)), _order_of((3, 20, 3)), _order_of((3, 20, 30))
    (('height', 'width', 'channels'), ('channels', 'height', 'width'), None)
    """
    first, middle, last = shape
    if last not in (1, 3, 4):
        return None
    if first > 4 and middle > 4 and (first <= 4 * middle or middle >= 16):
        return _CHANNELS_LAST
    # A single channel or a single column is not ambiguous.
    return _CHANNELS_FIRST if first > 1 and last > 1 else None


def above(low: float, high: float) -> float:
    """Return the value drawn as white, moved above the one drawn as black if both are the same."""
    # Adding 1 to a value such as 1e30 does not change it.
    return high if high > low else low + max(1.0, 1e-6 * abs(low))


def made_whole(values: ChannelRows) -> Floats:
    """Make all rows in several threads, in pieces that fit the second-level cache."""
    count, h, w = values.shape
    x = np.empty(values.shape, np.float32)
    step = max(1, _TOGETHER // (count * w))

    def work(mine: Iterator[int]) -> None:
        for top in mine:
            x[:, top : top + step] = values.rows(top, min(top + step, h))

    if x.size >= _SAMPLES_TO_SHARE:
        parallel.share(range(0, h, step), work)
    else:
        work(iter(range(0, h, step)))
    return x


def ends_after(normalization: Normalization, low: float, high: float) -> tuple[tuple[float, float], ...]:
    """Return two values after normalisation in each channel."""
    values = np.array([[[low, high]]], np.float32)
    return tuple((float(a), float(b)) for a, b in subtracted_and_divided(values, normalization)[:, 0])


def subtracted_and_divided(x: Floats, normalization: Normalization) -> Floats:
    """Subtract each channel's mean and divide by its standard deviation, in float32 as torchvision does."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # such a picture was refused earlier
        mean, std = (
            np.array(values, np.float32)[:, None, None] for values in (normalization.mean, normalization.std)
        )
        moved = x - mean
        moved /= std
    return moved
