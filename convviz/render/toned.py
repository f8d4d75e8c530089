"""Compute brightness and colour of values, only for the requested rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convviz.compute.survey import Reduced, Rows
from convviz.render.palette import Tone, marked
from convviz.spec.geometry import HW
from convviz.typing import Bytes


@dataclass(frozen=True, slots=True, eq=False)
class Toned:
    """Compute brightness or colour of values, only when rows are requested and only for these rows.

    Rows with values that are not finite are in colour, as `marked` draws them.

    Parameters
    ----------
    channels : sequence of Rows, shape (H, W), float32
        One channel, or the three channels of a colour picture.
    tones : sequence of Tone
        How the values of each channel become levels.
    colours : ndarray, shape (256, 3), uint8, optional
        The colour of each level of one channel.
    finite : bool
        Whether all values are known to be finite; otherwise those of the requested rows are checked.

    Examples
    --------
    >>> Toned([np.array([[0, 1], [2, 3]], np.float32)], [Tone(0, 3, "unit")])[1:]
    array([[170, 255]], dtype=uint8)
    """

    channels: Sequence[Rows]
    tones: Sequence[Tone]
    colours: Bytes | None = None
    finite: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.channels[0].shape

    def at(self, scale: float) -> "Toned":
        """Return the same for values that are reduced to a fraction; a `scale` from 1 on leaves them."""
        if scale >= 1:
            return self
        return replace(self, channels=[Reduced(channel, scale) for channel in self.channels])

    def rows(self, top: int, bottom: int) -> Bytes:
        """Return the rows from `top` to `bottom`."""
        return self[top:bottom]

    def __getitem__(self, rows: slice) -> Bytes:
        values = [channel[rows] for channel in self.channels]
        levels = [tone.levels(channel) for channel, tone in zip(values, self.tones, strict=True)]
        if len(levels) > 1:
            drawn = np.stack(levels, axis=-1)
        else:
            drawn = levels[0] if self.colours is None else self.colours[levels[0]]
        return drawn if self.finite else marked(drawn, values, self.colours)


def hatched(size: HW) -> Bytes:
    """Draw an absent map: stripes of light grey, shape (H, W)."""
    stripes = np.add.outer(np.arange(size.h), np.arange(size.w)) // 6 % 2 == 0
    return np.where(stripes, 238, 255).astype(np.uint8)


def picture_levels(
    channels: Sequence[Rows], ends: Sequence[tuple[float, float]], *, finite: bool = False
) -> Toned:
    """Convert channels (H, W) to grey, or the first three of several to colour.

    `ends` are the values of each channel to draw as black and as white; `finite` is as for `Toned`.
    """
    count = 3 if len(channels) >= 3 else 1
    return Toned(channels[:count], [Tone(low, high, "unit") for low, high in ends[:count]], finite=finite)
