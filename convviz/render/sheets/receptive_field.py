"""Draw what one output value sees of the input: a box on the picture, and how much each pixel counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.compute.survey import ArraySummary
from convviz.images.picture import Picture
from convviz.render import toned
from convviz.render.sheets.tile import Tile
from convviz.spec.geometry import HW
from convviz.spec.reach import Box
from convviz.typing import Bytes, Floats

_BOX = (213, 94, 0)  # orange, like positive values everywhere
_DIM = 0.45  # the share of brightness that remains outside the box


@dataclass(frozen=True, slots=True)
class Panel:
    """Hold the pictures of a receptive field for a sheet; empty by default.

    Parameters
    ----------
    tiles : tuple of Tile
        Pictures to put beside the input.
    words : tuple of str
        The description of the pictures, for the heading.
    first : tuple of str
        The first lines of the heading, where the layer on the sheet stands for another one.
    """

    tiles: tuple[Tile, ...] = ()
    words: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


NOTHING = Panel()


def panel(
    picture: Picture,
    channels: Sequence[ArraySummary],
    name: str,
    *,
    at: HW,
    box: Box,
    cell: int = 1,
    gradient: Floats | None = None,
) -> Panel:
    """Draw the position of the box on the picture, and the content of the box.

    Parameters
    ----------
    picture : Picture
        The input.
    channels : sequence of ArraySummary
        Its channels, which may be reduced.
    name : str
        The name of the layer.
    at : HW
        Row and column of the value.
    box : Box
        The receptive field of the value.
    cell : int
        Side of the square that each pixel of `channels` is drawn as.
    gradient : ndarray, shape (C, H, W), float32, optional
        How much each input value moves the output value: its magnitude is drawn over the content of the box.

    Returns
    -------
    Panel
        Two tiles, or none if the value sees only padding.
    """
    size, seen = picture.size, box.inside(picture.size)
    words = [sentence(name, at, box, size=size)]
    if seen.top > seen.bottom or seen.left > seen.right:
        return Panel((), tuple(words))
    whole = _coloured(toned.picture_levels([of.small for of in channels], picture.ends)[:], cell)
    side = max(whole.shape[:2])
    rows, columns = whole.shape[0] / size.h, whole.shape[1] / size.w
    place = (
        slice(math.floor(seen.top * rows), math.ceil((seen.bottom + 1) * rows)),
        slice(math.floor(seen.left * columns), math.ceil((seen.right + 1) * columns)),
    )
    dimmed = whole * _DIM + 255 * (1 - _DIM) * 0.5
    # The frame is outside the box, so that a small box is visible too.
    line = max(1, min(round(side / 160), 4))
    around = tuple(slice(max(one.start - line, 0), one.stop + line) for one in place)
    dimmed[around] = _BOX
    dimmed[place] = whole[place]
    inside = picture.rows(seen.top, seen.bottom + 1)[:, :, seen.left : seen.right + 1]
    # Padding is drawn at most as large as the picture: a deep layer sees far beyond it.
    before = HW(min(seen.top - box.top, size.h), min(seen.left - box.left, size.w))
    after = HW(min(box.bottom - seen.bottom, size.h), min(box.right - seen.right, size.w))
    drawn = HW(before.h + inside.shape[1] + after.h, before.w + inside.shape[2] + after.w)
    enlarged = max(1, side // max(drawn))
    shown = _coloured(toned.picture_levels(list(inside), picture.ends)[:], enlarged)
    if gradient is not None:
        part = np.abs(gradient[:, seen.top : seen.bottom + 1, seen.left : seen.right + 1]).sum(axis=0)
        share = part / max(float(part.max()), np.finfo(np.float32).tiny)
        weight = _repeated(share.astype(np.float32), enlarged)[..., None]
        shown = shown * _DIM * (1 - weight) + np.array(_BOX, np.float32) * weight
        words.append("the more orange, the more a pixel counts: the gradient of the sum of all maps there")
    padded = _coloured(toned.hatched(HW(drawn.h * enlarged, drawn.w * enlarged)), 1)
    top, left = before.h * enlarged, before.w * enlarged
    padded[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return Panel(
        (
            Tile(
                "where it looks",
                f"a box in {size}" if seen.size != size else f"all of {size}",
                _bytes(dimmed),
            ),
            Tile("what it sees", str(box.size) + ("" if box == seen else " with padding"), _bytes(padded)),
        ),
        tuple(words),
    )


def _repeated(values: NDArray[Any], cell: int) -> NDArray[Any]:
    """Draw every element as a square."""
    return np.repeat(np.repeat(values, cell, axis=0), cell, axis=1)


def _coloured(levels: Bytes, cell: int) -> Floats:
    """Convert grey or colour levels to three channels of floats."""
    drawn = _repeated(levels, cell).astype(np.float32)
    return np.stack([drawn] * 3, axis=-1) if drawn.ndim == 2 else drawn


def _bytes(drawn: Floats) -> Bytes:
    """Convert numbers back to levels."""
    return np.clip(drawn.round(), 0, 255).astype(np.uint8)


def sentence(name: str, at: HW, box: Box, *, size: HW) -> str:
    """Describe the drawing in words.

    Examples
    --------
    >>> sentence("conv1", HW(0, 0), Box(-1, 1, 0, 2), size=HW(8, 8))
    'conv1 at 0,0 sees rows -1 to 1, columns 0 to 2 of the input (3x3), padding among them'
    """
    seen = box.inside(size)
    more = "" if seen == box else ", padding among them"
    return f"{name} at {at.h},{at.w} sees {box} of the input ({box.size}){more}"
