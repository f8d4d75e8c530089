"""Resize, crop and normalise pictures, as trained networks expect them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from convviz.errors import InputError, SpecError
from convviz.images.picture import SMALL, ChannelRows, Picture, ends_after, made_whole, subtracted_and_divided
from convviz.machine import memory, parallel
from convviz.spec.geometry import HW
from convviz.spec.preparation import Normalization, ShortSide, crop_corner
from convviz.text import number, plural, printable
from convviz.typing import Floats

# How many rows of a large picture become floats at once.
_ROWS = 64


def check_resize(size: HW, most: int) -> None:
    """Refuse a requested size that is empty or too large."""
    if min(size) < 1:
        raise SpecError(f"resize must be at least 1 pixel on both axes, not {size}.")
    if size.h * size.w > most:
        raise SpecError(
            f"resize to {size} makes {size.h * size.w:,} pixels; the limit is {most:,}, "
            "which --max-pixels raises."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """The channels of a large picture, whose rows are cropped and normalised on request."""

    values: ChannelRows
    corner: HW
    size: HW
    normalization: Normalization | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, height and width."""
        return self.values.shape[0], *self.size

    def rows(self, top: int, bottom: int) -> Floats:
        """Make some rows of all channels."""
        x = self.values.rows(self.corner.h + top, self.corner.h + bottom)
        x = x[:, :, self.corner.w : self.corner.w + self.size.w]
        return x if self.normalization is None else subtracted_and_divided(x, self.normalization)

    def whole(self) -> Floats:
        """Make all rows."""
        return made_whole(self)


def resized(picture: Picture, size: HW, max_pixels: int) -> Picture:
    """Resize every channel in float32; shrinking averages, so that no pixel is skipped."""
    if size == picture.size:
        return replace(picture, resized=size)
    check_resize(size, max_pixels)
    # The floats of a large picture as a whole would take four times the memory of its pixels.
    large = not isinstance(picture.values, np.ndarray) and size.w < picture.size.w
    channels = _narrowed(picture, size.w) if large else picture.x
    values = np.stack([_brought(channel, size) for channel in channels])
    remark = f"resized from {picture.size} to {size}" + _distortion(picture.size, size)
    return replace(picture, values=values, remarks=(*picture.remarks, remark), resized=size)


def _distortion(before: HW, after: HW) -> str:
    """Return that new proportions distort the picture, in words; empty if they are kept to the nearest pixel.

    Examples
    --------
    >>> _distortion(HW(512, 768), HW(43, 64)), _distortion(HW(120, 160), HW(20, 40))
    ('', ', which changes its proportions (--resize short:30 --crop 20x40 keeps them)')
    """
    if abs(before.h * after.w - before.w * after.h) <= max(before):
        return ""
    # The smallest picture of the old proportions that the new size can be cut out of.
    least = max(math.ceil(new * min(before) / old) for new, old in zip(after, before, strict=True))
    short = least if all(map(int.__ge__, ShortSide(least).size_of(before), after)) else least + 1
    return f", which changes its proportions (--resize short:{short} --crop {after} keeps them)"


def _narrowed(picture: Picture, width: int) -> Floats:
    """Resize along the rows, in bands; Pillow, too, does so before it resizes along the columns."""
    channels, height, _ = picture.shape
    found = np.empty((channels, height, width), np.float32)

    def work(mine: Iterator[int]) -> None:
        for top in mine:
            for channel, rows in enumerate(picture.rows(top, min(top + _ROWS, height))):
                found[channel, top : top + _ROWS] = _brought(rows, HW(len(rows), width))

    parallel.share(range(0, height, _ROWS), work)
    return found


def _brought(values: Floats, size: HW) -> Floats:
    """Bring one channel to a size, by means of the pixels that each new one covers."""
    made = Image.fromarray(values).resize((size.w, size.h), Image.Resampling.BILINEAR)
    return np.asarray(made, np.float32)


def cropped(picture: Picture, size: HW) -> Picture:
    """Keep the central part of a picture."""
    corner = crop_corner(picture.size, size)
    if size == picture.size:
        return picture
    values: Floats | ChannelRows
    if isinstance(picture.values, np.ndarray):
        values = np.ascontiguousarray(
            picture.values[:, corner.h : corner.h + size.h, corner.w : corner.w + size.w]
        )
    else:
        values = _Prepared(picture.values, corner, size)
        # The remaining part of a large picture may be small, so the rest can be freed.
        if math.prod(values.shape) <= SMALL:
            values = values.whole()
    remark = f"cropped from {picture.size} to {size} (the centre)"
    return replace(picture, values=values, remarks=(*picture.remarks, remark))


def normalized(picture: Picture, normalization: Normalization) -> Picture:
    """Normalise the channels of a picture."""
    each = normalization.of(picture.shape[0])
    # All values lie between those drawn as black and as white, before and after normalisation.
    if not all(
        -math.inf < low < high < math.inf for low, high in ends_after(each, picture.low, picture.high)
    ):
        raise SpecError(
            f"normalize: with {normalization.sentence}, float32 cannot tell values from "
            f"{number(picture.low)} to {number(picture.high)} apart; give numbers that are nearer to them."
        )
    values: Floats | ChannelRows
    if isinstance(picture.values, np.ndarray):
        values = subtracted_and_divided(picture.values, each)
    else:
        values = _Prepared(picture.values, HW(0, 0), picture.size, each)
    remark = f"normalised with {normalization.sentence}"
    return replace(picture, values=values, remarks=(*picture.remarks, remark), normalized=each)


def stack(
    pictures: Sequence[Picture], names: Sequence[str], normalize: Normalization | None = None
) -> Picture:
    """Combine the channels of several inputs, one after the other, into one input.

    Parameters
    ----------
    pictures : sequence of Picture
        Inputs of one size, not normalised.
    names : sequence of str
        The name of each input; a channel takes the name of its input.
    normalize : Normalization, optional
        What is finally subtracted from all values, and what they are then divided by.

    Returns
    -------
    Picture
        One input. A single input is only normalised.

    Raises
    ------
    InputError
        If the sizes differ, or there is too little memory for all channels.
    SpecError
        If `normalize` is for another number of channels.

    Examples
    --------
    >>> dark, bright = (Picture(np.full((1, 2, 2), value, np.float32), ("gray",)) for value in (0, 1))
    >>> both = stack([dark, bright], ["dark", "bright"])
    >>> both.channels, both.x[:, 0, 0].tolist()
    (('dark', 'bright'), [0.0, 1.0])
    """
    first = pictures[0]
    if len(pictures) > 1:
        called = [name if names.count(name) == 1 else f"{name} {index}" for index, name in enumerate(names)]
        for name, picture in zip(called, pictures, strict=True):
            sizes = (first.resized or first.size, first.size), (picture.resized or picture.size, picture.size)
            if sizes[0] != sizes[1]:
                one, other = next((a, b) for a, b in zip(*sizes, strict=True) if a != b)
                raise InputError(
                    f"inputs whose channels are stacked must have the same size, but {called[0]!r} is {one} "
                    f"and {name!r} {other} pixels; give --resize HxW."
                )
        values = sum(picture.shape[0] for picture in pictures)
        memory.need(
            4 * values * math.prod(first.size),
            f"{plural(values, 'channel')} of {first.size}",
            "give fewer or smaller inputs",
            error=InputError,
        )
        channels = tuple(
            name if picture.shape[0] == 1 else f"{name} {channel}"
            for name, picture in zip(called, pictures, strict=True)
            for channel in picture.channels
        )
        listed = ", ".join(channels if len(channels) <= 8 else (*channels[:4], "…", *channels[-2:]))
        told = f"{len(pictures)} inputs are stacked: the {len(channels)} channels are {listed}"
        remarks = [
            f"{printable(name)}: {text}"
            for name, one in zip(called, pictures, strict=True)
            for text in one.remarks
        ]
        first = replace(
            first,
            values=np.concatenate([picture.x for picture in pictures]),
            channels=channels,
            low=min(picture.low for picture in pictures),
            high=max(picture.high for picture in pictures),
            remarks=(*remarks, printable(told)),
        )
    return first if normalize is None else normalized(first, normalize)
