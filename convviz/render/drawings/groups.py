"""Draw which channels feed which maps."""

from collections.abc import Mapping, Sequence

from convviz.compute.feature_maps import LayerRun
from convviz.compute.survey import reduce
from convviz.render.contrast import DEFAULT, channel_ends, contrast_of
from convviz.render.drawings.drawing import (
    Bitmap,
    Colour,
    Drawing,
    Label,
    Lines,
    Rectangle,
    Shape,
    side_by_side,
)
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, RULE, colours
from convviz.render.sheets.bar import Bar
from convviz.render.toned import Toned, picture_levels
from convviz.render.words.matrices import ELLIPSIS, elided
from convviz.spec.settings import ContrastSettings
from convviz.text import plural
from convviz.typing import Bytes

# In units: the margin, the side of a channel or a map, the distance of two, and from channels to maps.
_GAP, _TILE, _PITCH, _BETWEEN = 28.0, 64.0, 78.0, 220.0
# In units: the distance of two groups.
_APART = 16.0
# In units: the least length of a colour bar, and the size of its words.
_BAR, _WORDS = 90.0, 11
# The most groups, and the most channels or maps of one group, to draw; longer lists lose their middle.
_MOST_GROUPS, _MOST_TILES = 6, 6


def draw(run: LayerRun, looks: ContrastSettings = DEFAULT) -> Drawing:
    """Draw every group of a layer: its channels, its maps, and lines from the channels to the maps.

    Parameters
    ----------
    run : LayerRun
        The run of a layer on a picture.
    looks : ContrastSettings
        How the values of the maps become brightness.

    Returns
    -------
    Drawing
        One frame per group; if there are many groups, channels or maps, the middle is left out with a note.
    """
    layer = run.layer
    names = [f"channel {name}" if name.isdigit() else name for name in run.picture.channels]
    left = _GAP + 18 + max(font(14).getlength(name) for name in names) + 12
    right = left + 2 * _TILE + _BETWEEN
    bars = {
        index: _bar(run, index, looks)
        for group in elided(layer.groups, _MOST_GROUPS)
        if group is not None
        for index in _maps(run, group)
        if index is not None
    }
    beside = max(
        _BAR, *(max(font(14).getlength(run.names[index]), bars[index].least * _WORDS) for index in bars)
    )
    width = right + 12 + beside + 18
    heading = (
        f"{plural(layer.groups, 'group')}: {plural(layer.in_channels, 'channel')}, "
        f"{plural(layer.out_channels, 'map')}; every filter reads {plural(layer.weight_shape[1], 'channel')}"
    )
    shapes: list[Shape] = [Label(_GAP, 34, heading, INK, 18)]
    groups = elided(layer.groups, _MOST_GROUPS)
    high = _height(run)
    across = side_by_side(len(groups), width, high + _APART)
    for place, group in enumerate(groups):
        x, y = place % across * (width - _GAP + _APART), 58.0 + place // across * (high + _APART)
        if group is None:
            words = f"{ELLIPSIS} {plural(layer.groups - _MOST_GROUPS + 1, 'more group')}"
            shapes.append(Label(x + _GAP + 18, y + 18, words, FAINT, 14))
            continue
        shapes += [
            Rectangle(x + _GAP, y, width - _GAP, high, None, RULE, 1),
            *_group(
                run, group, y, bars=bars, names=names, start=x + _GAP + 18, left=x + left, right=x + right
            ),
        ]
    down = -(-len(groups) // across)
    width = max(across * (width - _GAP + _APART) - _APART, font(18).getlength(heading)) + 2 * _GAP
    return Drawing(width, 58 + down * (high + _APART) + 12, PAPER, tuple(shapes), title=heading)


def _height(run: LayerRun) -> float:
    """Return the height of a group."""
    layer = run.layer
    tallest = max(layer.weight_shape[1], layer.out_channels // layer.groups)
    return 46 + len(elided(tallest, _MOST_TILES)) * _PITCH


def _group(
    run: LayerRun,
    group: int,
    y: float,
    *,
    bars: Mapping[int, Bar],
    names: Sequence[str],
    start: float,
    left: float,
    right: float,
) -> list[Shape]:
    """Draw one group."""
    made = run.layer.out_channels // run.layer.groups
    read = run.layer.channels_of(group * made)
    channels = [slot if slot is None else read[slot] for slot in elided(len(read), _MOST_TILES)]
    maps = _maps(run, group)
    rows = max(len(channels), len(maps))
    shapes: list[Shape] = [Label(start, y + 24, f"group {group}", FAINT, 14)]
    top = y + 40
    starts = [(left + _TILE, row) for row in _middles(top, rows, channels)]
    ends = [(right - _TILE, row) for row in _middles(top, rows, maps)]
    shapes += [
        Lines(((x + 4, row), (end - 4, other)), OUTPUT_TEAL, 1.2)
        for (x, row), channel in zip(starts, channels, strict=True)
        for (end, other), index in zip(ends, maps, strict=True)
        if channel is not None and index is not None
    ]
    for (x, row), channel in zip(starts, channels, strict=True):
        if channel is None:
            shapes.append(_left_out(x - _TILE / 2, row, len(read)))
            continue
        small = reduce(run.picture.x[channel], min(1.0, 2 * _TILE / max(run.picture.size)))
        levels = picture_levels([small], [channel_ends(run.picture, channel)])[:]
        shapes += _tile(levels, x - _TILE, row, colour=INPUT_BLUE)
        shapes.append(Label(left - 10, row + 5, names[channel], INPUT_BLUE, 14, anchor="end"))
    for (x, row), index in zip(ends, maps, strict=True):
        if index is None:
            shapes.append(_left_out(x + _TILE / 2, row, made))
            continue
        bar = bars[index]
        small = reduce(run.maps[index], min(1.0, 2 * _scale(run)))
        levels = Toned([small], [bar.contrast.tone], bar.colours)[:]
        shapes += _tile(levels, x, row, colour=OUTPUT_TEAL)
        top = row - (20 + bar.height(_WORDS)) / 2
        shapes.append(Label(right + 12, top + 12, run.names[index], OUTPUT_TEAL, 14))
        shapes += bar.shapes(right + 12, top + 20, max(_BAR, bar.least * _WORDS), size=_WORDS)
    return shapes


def _maps(run: LayerRun, group: int) -> list[int | None]:
    """List the maps of a group that are drawn; None stands for maps that are left out."""
    made = run.layer.out_channels // run.layer.groups
    return [slot if slot is None else group * made + slot for slot in elided(made, _MOST_TILES)]


def _scale(run: LayerRun) -> float:
    """Return the side of one value of a map, in units."""
    return float(_TILE / max(run.maps.shape[1:]))


def _bar(run: LayerRun, index: int, looks: ContrastSettings) -> Bar:
    """Choose the scale of a map."""
    return Bar(contrast_of(run.maps, index, looks=looks), colours(looks.colormap))


def _middles(top: float, rows: int, slots: Sequence[int | None]) -> list[float]:
    """Return the heights of the tiles, centred if the other side has more tiles."""
    first = top + (rows - len(slots)) * _PITCH / 2
    return [first + place * _PITCH + _TILE / 2 for place in range(len(slots))]


def _tile(levels: Bytes, x: float, middle: float, *, colour: Colour) -> list[Shape]:
    """Draw an array in a square of fixed size, as large as fits."""
    scale = _TILE / max(levels.shape[:2])
    w, h = levels.shape[1] * scale, levels.shape[0] * scale
    left, top = x + (_TILE - w) / 2, middle - h / 2
    return [Bitmap(left, top, w, h, levels), Rectangle(left, top, w, h, None, colour, 2)]


def _left_out(x: float, middle: float, count: int) -> Label:
    """Write how many tiles are left out."""
    words = f"{ELLIPSIS} {count - _MOST_TILES + 1} more"
    return Label(x, middle + 5, words, FAINT, 13, anchor="middle")
