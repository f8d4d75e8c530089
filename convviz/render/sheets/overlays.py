"""Draw activations over the picture that they respond to: the overlay, and the bare map beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.looking import Centres, placed
from convviz.compute.survey import ArraySummary, reduce, survey
from convviz.images.picture import Picture
from convviz.render import palette, toned
from convviz.render.contrast import DEFAULT, Contrast, Drawn, contrasts, rule
from convviz.render.palette import GREYS, colours
from convviz.render.sheets import layout, overview
from convviz.render.sheets.tile import Section, Tile, map_tile
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.settings import Look
from convviz.text import number
from convviz.typing import Bytes, Floats

# The percentiles of a component that become 0 and 255 of its colour.
LOW, HIGH = 1, 99
_IN_COLOUR = "RGB: components 1 to 3"


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """Hold one picture of a layer, and where its positions lie in the input.

    Parameters
    ----------
    name : str
        The caption.
    values : ndarray, shape (H, W) or (3, H, W), float32
        One value per position, or three for red, green and blue.
    rows, columns : Centres
        Where the positions lie.
    label : str
        The caption in place of the name, if the heading says the rest.
    """

    name: str
    values: Floats
    rows: Centres
    columns: Centres
    label: str = ""

    @property
    def coloured(self) -> bool:
        """Whether the values are red, green and blue."""
        return self.values.ndim == 3

    def over(self, size: HW, shape: HW) -> Floats:
        """Interpolate the values between positions, for a picture of `size` drawn with `shape` pixels."""
        at, known = _pixels(size, shape), self._known(size, shape)
        channels = self.values if self.coloured else self.values[None]
        finite = np.where(np.isfinite(channels), channels, 0)
        sums = np.stack([placed(one, self.rows, self.columns, at=at) for one in finite])
        found: Floats = np.divide(sums, known, out=np.zeros_like(sums), where=known > 0)
        return found if self.coloured else found[0]

    def _known(self, size: HW, shape: HW) -> Floats:
        """Return the share of finite values in the interpolation at every pixel, shape (H, W)."""
        channels = np.isfinite(self.values).reshape(-1, *self.values.shape[-2:])
        known: Floats = np.min(channels, axis=0).astype(np.float32)
        return placed(known, self.rows, self.columns, at=_pixels(size, shape))

    def covers(self, size: HW, shape: HW) -> Floats:
        """Return 1 where a position lies near, less beyond the last ones and near NaN: shape (H, W, 1)."""
        sides = zip(_pixels(size, shape), (self.rows, self.columns), self.values.shape[-2:], strict=True)
        down, across = (of.covers(at, count) for at, of, count in sides)
        covered: Floats = np.multiply.outer(down, across) * self._known(size, shape)
        return covered[..., None].astype(np.float32)


def _pixels(size: HW, shape: HW) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the rows and the columns of a picture of `size` lie if it is drawn with `shape` pixels."""
    rows, columns = (
        (np.arange(drawn) + 0.5) * pixels / drawn - 0.5 for pixels, drawn in zip(size, shape, strict=True)
    )
    return rows, columns


def draw(
    picture: Picture,
    heading: Sequence[str],
    overlays: Sequence[Overlay],
    *,
    opacity: float,
    framed: HW | None = None,
    tile: int | None = 320,
    columns: int | None = None,
    look: Look = DEFAULT,
) -> layout.Sheet:
    """Draw the input, and for each layer the overlay and the bare map.

    Parameters
    ----------
    picture : Picture
        The input.
    heading : sequence of str
        Lines above the pictures; the first one is larger.
    overlays : sequence of Overlay
        The pictures of the layers.
    opacity : float
        The opacity of the colours over the input, from 0 to 1.
    framed : HW, optional
        A token, a position of the first overlay, that gets a frame in the input.
    tile : int or None
        Longest side of a picture, in pixels; None keeps every pixel.
    columns : int, optional
        Pictures in one row.
    look : Look
        How values become colours; its other fields are as for `convviz.render.sheets.layout.sheet`.

    Returns
    -------
    Sheet
        Not painted yet.
    """
    scale = scales.fit(picture.size, tile)
    channels = survey(picture.x, min(scale, 1), moments=False)
    cell = max(1, int(scale))
    base = levels_of(picture, channels, cell)
    shape = HW(*base.shape[:2])
    table = colours(look.colormap)
    scalar = [one for one in overlays if not one.coloured]
    # A map is as large as the picture beside it, as far as its positions are whole squares.
    side = None if tile is None else max(shape)
    fits = [scales.fit(HW(*one.values.shape), side) for one in scalar]
    found = [
        survey(one.values[None], min(of, 1), moments=False, spread=True)[0]
        for one, of in zip(scalar, fits, strict=True)
    ]
    drawn = [Drawn.of(of, HW(*one.values.shape)) for one, of in zip(scalar, found, strict=True)]
    drawing = iter(zip(found, fits, contrasts(drawn, look), strict=True))
    over: list[Tile] = []
    bare: list[Tile] = []
    for one in overlays:
        values, opaque = one.over(picture.size, shape), opacity * one.covers(picture.size, shape)
        if one.coloured:
            laid = blended(base, _rgb(values, one.values), opaque)
            over.append(Tile(one.name, _IN_COLOUR, laid, label=one.label))
            bare.append(_in_colour(one, side))
            continue
        summary, fit, contrast = next(drawing)
        alone = map_tile(_alone(one.name), summary, contrast, scale=fit, colours=table)
        bare.append(replace(alone, label=_alone(one.label)))
        # Mixed with the picture, colours are not those of a bar: the map alone has one.
        laid = blended(base, heat(values, contrast, table), opaque)
        over.append(Tile(one.name, f"opacity {number(opacity)}", laid, label=one.label))
    shown = overview.input_section(picture, channels[:3] if len(channels) >= 3 else channels[:1], scale)
    first = replace(shown.tiles[0], frame=shown.frame)
    if framed is not None:
        marked = _marked(base, overlays[0], framed, size=picture.size)
        first = replace(first, levels=marked, cell=1, numbers=None, label="input, the token framed")
    # Of several layers, each map stands below its overlay.
    rows = [[first, *over, *bare]] if len(over) == 1 else [[first, *over], bare]
    sections = [Section(tiles, columns, palette.OUTPUT_TEAL, skipped=at) for at, tiles in enumerate(rows)]
    lines = [*heading, *overview.normalization_lines(picture)]
    note = rule(look, whole=[one.whole for one in drawn]) if drawn else ""
    return layout.sheet(lines, sections, note, look=look)


def _marked(base: Bytes, of: Overlay, at: HW, *, size: HW) -> Bytes:
    """Frame the part of the input that belongs to one position, in black and white, which any colour shows.

    Examples
    --------
    >>> over = Overlay("a", np.zeros((2, 2), np.float32), Centres(1.5, 4), Centres(1.5, 4))
    >>> _marked(np.full((8, 8, 3), 9, np.uint8), over, HW(0, 1), size=HW(8, 8))[..., 0].tolist()[0]
    [9, 9, 9, 0, 255, 255, 255, 255]
    """
    found = base.copy()
    line = max(1, max(base.shape[:2]) // 160)
    edges = [
        tuple(
            max(0, min(round((axis.first + (place + more) * axis.step + 0.5) * drawn / pixels), drawn))
            for more in (-0.5, 0.5)
        )
        for axis, place, pixels, drawn in zip((of.rows, of.columns), at, size, base.shape[:2], strict=True)
    ]
    for colour, out in ((0, line), (255, 0), (None, -line)):
        inside = tuple(slice(max(0, low - out), max(0, high + out)) for low, high in edges)
        found[inside] = base[inside] if colour is None else colour
    return found


def levels_of(picture: Picture, channels: Sequence[ArraySummary], cell: int = 1) -> Bytes:
    """Return the input in colour, shape (H, W, 3), each pixel as a square of `cell`."""
    levels = toned.picture_levels([of.small for of in channels], picture.ends)[:]
    levels = np.repeat(np.repeat(levels, cell, axis=0), cell, axis=1)
    return np.stack([levels] * 3, axis=-1) if levels.ndim == 2 else levels


def heat(values: Floats, contrast: Contrast, table: Bytes | None) -> Bytes:
    """Return the colour of each value, shape (H, W, 3)."""
    return np.asarray((GREYS if table is None else table)[contrast.tone.levels(values)])


def blended(base: Bytes, over: NDArray[np.uint8], opacity: Floats | float) -> Bytes:
    """Lay colours over a picture.

    Examples
    --------
    >>> blended(np.full((1, 1, 3), 100, np.uint8), np.full((1, 1, 3), 200, np.uint8), 0.25).tolist()
    [[[125, 125, 125]]]
    """
    mixed = base.astype(np.float32) * (1 - opacity) + over.astype(np.float32) * opacity
    return mixed.round().astype(np.uint8)


def rgb(values: Floats, ends: Sequence[tuple[float, float]]) -> Bytes:
    """Scale three components to red, green and blue, shape (H, W, 3).

    Examples
    --------
    >>> rgb(np.array([[[0, 1]], [[2, 4]], [[-1, 3]]], np.float32), [(0, 1), (0, 4), (-1, 3)]).tolist()
    [[[0, 128, 0], [255, 255, 255]]]
    """
    scaled = [
        np.clip((one - low) / ((high - low) or 1), 0, 1)
        for one, (low, high) in zip(values, ends, strict=True)
    ]
    return np.asarray((np.stack(scaled, axis=-1) * 255).round(), np.uint8)


def component_ends(values: Floats) -> list[tuple[float, float]]:
    """Return the percentiles `LOW` and `HIGH` of each component."""
    return [(float(np.percentile(one, LOW)), float(np.percentile(one, HIGH))) for one in values]


def _alone(name: str) -> str:
    """Name the picture of a layer without the input below it."""
    return f"{name}, alone" if name else ""


def _rgb(values: Floats, of: Floats) -> Bytes:
    """Scale components to red, green and blue, by the ends of the components of a layer."""
    return rgb(values, component_ends(of))


def _in_colour(one: Overlay, tile: int | None) -> Tile:
    """Draw three components as red, green and blue, without the input below them."""
    scale = scales.fit(HW(*one.values.shape[1:]), tile)
    values = np.stack([reduce(channel, min(scale, 1)) for channel in one.values])
    levels = _rgb(values, one.values)
    return Tile(_alone(one.name), _IN_COLOUR, levels, max(1, int(scale)), label=_alone(one.label))
