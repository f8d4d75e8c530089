"""Draw the sheet of a network: the input, and a strip of maps for every layer."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from convviz.compute.networks.engine import NetworkStep, meaning
from convviz.compute.survey import ArraySummary, reduced_copies, share_of_zeros, survey
from convviz.errors import SpecError
from convviz.images.picture import Picture
from convviz.render import palette
from convviz.render.contrast import DEFAULT, Contrast, Drawn, contrasts, rule
from convviz.render.palette import colours
from convviz.render.sheets import branches, layout, overview, receptive_field
from convviz.render.sheets.bar import percent
from convviz.render.sheets.tile import Section, Tile, Words, map_tile
from convviz.spec import scales
from convviz.spec.geometry import HW, check_inside
from convviz.spec.layers import shape_text
from convviz.spec.reach import Box
from convviz.spec.settings import Look
from convviz.text import listed, plural
from convviz.typing import Bytes, Floats

# The number of tiles in one strip, and their longest side by default.
MOST, TILE = 8, 160
# The sides to try for a sheet of at most this many pixels in each direction.
TILES, MOST_SIDE = (TILE, 128, 112, 96, 80, 64, 48, 32), 2000
# If words need more room than that, the largest tiles are taken whose sheet is at most so many times as
# large as the smallest.
_AS_SMALL = 1.1
# The number of inputs that the title of a row names.
_NAMED = 3
# A row of values is drawn as cells, at most this many side by side, each with its value if it fits.
_CELLS = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Strip:
    """The maps of one step that are drawn, whatever their size on the sheet."""

    step: NetworkStep
    values: Floats  # its output, as the step made it
    order: Sequence[int]  # the indices of its maps that are drawn
    count: int  # of all its maps
    size: HW
    found: list[ArraySummary]

    @classmethod
    def of(
        cls,
        step: NetworkStep,
        values: Floats,
        order: Sequence[int] | None,
        *,
        most: int | None,
        token: HW | None,
    ) -> "_Strip":
        """Summarize the maps in `order`, or else the first `most` of them."""
        maps = as_maps(values, step.layout, token=token)
        if order is None:
            order = range(len(maps) if most is None else min(most, len(maps)))
        found = survey(maps[list(order)], moments=False, spread=True)
        return cls(step, values, order, len(maps), HW(*maps.shape[1:]), found)

    def scale(self, tile: int | None, *, alone: bool) -> float:
        """Choose the scale for tiles of a side; `alone` says whether no other layer is drawn."""
        if tile is not None and _is_row(self.step):
            # The cells have room for their numbers; a single row is as long as a row of maps.
            tile *= (MOST // 2 if alone else MOST) if self.size.h == 1 else 2
        return scales.fit(self.size, tile)

    def tiles(self, contrasts: Iterable[Contrast], *, alone: bool, colours: Bytes | None) -> list[Tile]:
        """Draw the whole maps."""
        row = _is_row(self.step)
        keys = (self.step.classes or [str(at) for at in range(self.values.size)]) if row else ()
        label = functools.partial(_label, self.step, values=self.values)
        return [
            replace(
                map_tile(_caption(self.step, index), of, contrast, scale=1, colours=colours),
                # The heading, or the title of the row, names the layer.
                label=label(index),
                keys=keys,
            )
            for index, of, contrast in zip(self.order, self.found, contrasts, strict=True)
        ]

    def title(self, *, strongest: bool) -> str:
        """Describe the step, and which of its maps are drawn, in one line."""
        shown = f"the {'strongest' if strongest else 'first'} {len(self.found)} maps"
        return _title(self.step, self.values, "" if len(self.found) == self.count else shown)


def draw(
    picture: Picture,
    heading: Sequence[str],
    steps: Sequence[NetworkStep],
    *,
    made: Mapping[str, Floats],
    only: str | None = None,
    tiles: Sequence[int | None] = (TILE,),
    columns: int | None = None,
    look: Look = DEFAULT,
    seen: tuple[str, HW, Box, Floats | None] | None = None,
    chosen: Mapping[str, Sequence[int]] | None = None,
    token: HW | None = None,
    rows: Sequence[tuple[int, Sequence[int]]] = (),
) -> layout.Sheet:
    """Draw the maps that the layers of a network make of a picture.

    Parameters
    ----------
    picture : Picture
        The input.
    heading : sequence of str
        The description of the network.
    steps : sequence of NetworkStep
        The steps to draw.
    made : dict of ndarray, float32
        The output of each step, by its name.
    only : str, optional
        One layer to draw in full.
    tiles : sequence of (int or None)
        Longest side of a map, in pixels; None keeps every pixel. Of several, the first is taken that makes
        a sheet of at most `MOST_SIDE` pixels in each direction, or nearly the smallest if none does.
    columns : int, optional
        Maps in one row; for a strip `MOST` by default, and then no more are drawn.
    look : Look
        How values become brightness; its other fields are as for `convviz.render.sheets.layout.sheet`.
    seen : (str, HW, Box, ndarray or None), optional
        The layer, the position and the receptive field of a value, with the gradient if it is to be drawn, as
        for `convviz.render.sheets.receptive_field.panel`.
    chosen : dict of sequence of int, optional
        The maps to draw of each layer, the strongest first.
    token : HW, optional
        As for `as_maps`.
    rows : sequence of (int, sequence of int), optional
        For each step its number among all rows of the network, counted from 1, and the numbers of those
        that it reads, as `convviz.compute.networks.overview.rows_read` returns them.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    most = (columns or MOST) if only is None else None
    strips = [
        _Strip.of(one, made[one.name], chosen[one.name] if chosen else None, most=most, token=token)
        for one in steps
    ]
    drawn = [Drawn.of(of, one.size, layer=layer) for layer, one in enumerate(strips) for of in one.found]
    tones = iter(contrasts(drawn, look))
    places = [
        (place, () if tuple(reads) == (place - 1,) else reads)
        for place, reads in rows or [(0, ())] * len(strips)
    ]
    note = rule(look, whole=[one.whole for one in drawn], maps=drawn)
    if any(reads for _, reads in places):
        note = f"{branches.SENTENCE}. {note}"
    channels = survey(picture.x, moments=False)
    alone, wide = only is not None, columns or (MOST if only is None else None)
    # What is written on them does not depend on the size of the tiles.
    whole = [
        Section(maps, wide, palette.OUTPUT_TEAL, title=title, place=place, reads=reads, words=Words.of(maps))
        for one, (place, reads) in zip(strips, places, strict=True)
        for maps in [one.tiles(islice(tones, len(one.found)), alone=alone, colours=colours(look.colormap))]
        for title in ["" if alone else one.title(strongest=chosen is not None)]
    ]

    def sheet(tile: int | None) -> layout.Sheet:
        # The values of a row are what is to be seen; the input need not be larger than they are.
        values = alone and all(_is_row(one) for one in steps)
        factor = scales.fit(picture.size, tile // 2 if values and tile is not None else tile)
        small = reduced_copies(channels, factor)
        panel = receptive_field.NOTHING
        if seen is not None:
            name, at, box, gradient = seen
            panel = receptive_field.panel(
                picture, small, name, at=at, box=box, cell=max(1, int(factor)), gradient=gradient
            )
        sections = [overview.input_section(picture, small, factor, seen=panel)]
        sections += [of.at(one.scale(tile, alone=alone)) for one, of in zip(strips, whole, strict=True)]
        if values:
            sections.append(sections.pop(0))
        return layout.sheet(
            (*heading, *overview.normalization_lines(picture), *panel.words), sections, note, look=look
        )

    return _fitting(sheet, tiles)


def _fitting(sheet: Callable[[int | None], layout.Sheet], tiles: Sequence[int | None]) -> layout.Sheet:
    """Lay out a sheet with the first tiles that make it small enough, or nearly as small as words allow."""
    made = functools.cache(sheet)
    least: float = 0  # a sheet shrinks at most in proportion to its tiles
    for tile in tiles:
        if tile is not None and tile * least > MOST_SIDE:
            continue
        longest = max(made(tile).size)
        if longest <= MOST_SIDE:
            return made(tile)
        least = longest / tile if tile else 0
    smallest = max(made(tiles[-1]).size)
    return made(next(tile for tile in tiles if max(made(tile).size) <= _AS_SMALL * smallest))


def as_maps(values: Floats, layout: str = "chw", *, token: HW | None = None) -> Floats:
    """Convert values of any shape to maps.

    Parameters
    ----------
    values : ndarray
        Maps (C, H, W); tokens (T, D), where every feature becomes a square map if T, or T without a
        class token, is a square; or a row of values, which becomes one map with lines of equal length.
    layout : str
        ``"hwc"`` if channels are the last of three axes.
    token : HW, optional
        For attention (heads, T, T), the place of the query whose row becomes a square map per head.

    Returns
    -------
    ndarray, shape (C, H, W)
        The maps.

    Examples
    --------
    >>> as_maps(np.zeros((17, 5))).shape, as_maps(np.zeros((6, 5))).shape, as_maps(np.zeros(130)).shape
    ((5, 4, 4), (1, 6, 5), (1, 5, 26))
    """
    if token is not None:
        return _attended(values, token)
    if values.ndim == 3:
        return values.transpose(2, 0, 1) if layout == "hwc" else values
    if values.ndim > 3:
        return values.reshape(-1, *values.shape[-2:])
    if values.ndim == 2:
        extra, side = square(len(values))
        return values[extra:].T.reshape(-1, side, side) if side else values[None]
    count = values.size
    wide = max(side for side in range(1, _CELLS + 1) if count % side == 0) if count > _CELLS else count
    return values.reshape(1, count // wide, wide)


def square(tokens: int) -> tuple[int, int]:
    """Find the number of tokens before those of a square, and its side; 0 if they fill no square.

    Examples
    --------
    >>> square(16), square(17), square(18)
    ((0, 4), (1, 4), (0, 0))
    """
    for extra in (0, 1):
        side = math.isqrt(tokens - extra)
        if side > 1 and side * side == tokens - extra:
            return extra, side
    return 0, 0


def _attended(values: Floats, token: HW) -> Floats:
    """Convert the row of one query to a square map per head.

    Raises
    ------
    SpecError
        If the values are not attention between the tokens of a square, or the token does not exist.

    Examples
    --------
    >>> values = np.zeros((2, 5, 5), np.float32)
    >>> values[1, 1 + 2, 1:] = [1, 2, 3, 4]  # of the token in row 1, column 0, behind a class token
    >>> _attended(values, HW(1, 0))[1].tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    extra, side = square(values.shape[-1]) if values.ndim == 3 else (0, 0)
    if not side or values.shape[1] != values.shape[2]:
        raise SpecError(
            f"token: values of shape {shape_text(values.shape)} are not attention (heads, T, T) between the "
            "tokens of a square; leave it out."
        )
    check_inside("token", token, HW(side, side), what="the tokens")
    query = extra + token.h * side + token.w
    return np.ascontiguousarray(values[:, query, extra:]).reshape(-1, side, side)


def _caption(one: NetworkStep, index: int) -> str:
    """Name a map by its layer and its number."""
    return f"{one.name}: {_label(one, index)}"


def _is_row(one: NetworkStep) -> bool:
    """Return whether a step makes a row of values."""
    return len(one.output_shape or ()) == 1


def _label(one: NetworkStep, index: int, values: Floats | None = None) -> str:
    """Name a map within its layer; a row of values, one per class, says what these are."""
    if not _is_row(one):
        return f"map {index}"
    count = math.prod(one.output_shape or ())
    if one.classes and values is not None and meaning(one, values) == "probability":
        return f"{count:,} probabilities"
    return plural(count, "score" if one.classes else "value")


def _listed(names: Sequence[str]) -> str:
    """List names: all, or the first ones with the number of the others.

    Examples
    --------
    >>> _listed(["a", "b"]), _listed(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b and 3 others')
    """
    shown = names if len(names) <= _NAMED else [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} others"]
    return listed(shown)


def _title(one: NetworkStep, values: Floats, shown: str) -> str:
    """Describe a step in one line: its name, kind, shape, share of zeros and receptive field."""
    zeros = share_of_zeros(values)
    parts = [f"{one.name}: {one.kind} {shape_text(values.shape)}", shown]
    if one.layout == "hwc":
        parts.append("channels last")
    if len(one.inputs) > 1:
        parts.append(f"reads {_listed(one.inputs)}")
    if zeros:
        parts.append(f"{percent(zeros)} zeros")
    if one.height is not None and one.width is not None:
        parts.append(f"receptive field {one.height.size}x{one.width.size}")
    elif one.whole:
        parts.append("each value sees the whole input")
    return ", ".join(filter(None, parts))
