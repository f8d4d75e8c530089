"""Draw lines at the side of sections: from each one that another reads to those that read it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from convviz.render.drawings.drawing import Rectangle, Shape
from convviz.render.palette import FAINT
from convviz.render.sheets.tile import Section
from convviz.spec.geometry import HW

# The sentence of the legend.
SENTENCE = (
    "Lines at the left lead from a row to the rows that read it, and go on at the top of the next column; a "
    "row without an arrow reads the row above"
)


class Rung(NamedTuple):
    """Describe where lines meet a section.

    Parameters
    ----------
    section : Section
        The section.
    end, start : int
        The heights at which lines arrive at it, and leave it.
    """

    section: Section
    end: int
    start: int


class Lane(NamedTuple):
    """Describe the line that leads from a section to those that read it.

    Parameters
    ----------
    column : int
        Its place among lines side by side, 0 for the one farthest from the tiles.
    end : int
        The place of the last section that it leads to.
    """

    column: int
    end: int


Lanes = Mapping[int, Lane]


def lanes(sections: Sequence[Section]) -> dict[int, Lane]:
    """Give each section from which lines lead a lane by its place, so that lines do not cover each other.

    Examples
    --------
    >>> joined = [Section((), 1, FAINT, place=3, reads=(1, 2)), Section((), 1, FAINT, place=5, reads=(1, 3))]
    >>> [(source, lane.column) for source, lane in lanes(joined).items()]
    [(1, 0), (2, 1), (3, 1)]
    """
    last: dict[int, int] = {}
    for one in sections:
        last |= {source: max(one.place, last.get(source, 0)) for source in one.reads}
    busy: list[int] = []
    found: dict[int, Lane] = {}
    for source in sorted(last):
        lane = next((lane for lane, end in enumerate(busy) if end <= source), len(busy))
        busy[lane : lane + 1] = [last[source]]
        found[source] = Lane(lane, last[source])
    return found


def width(lanes: Lanes, text: int) -> int:
    """Measure the room for lines at the left of a stack, in pixels."""
    return (max(lane.column for lane in lanes.values()) + 2) * _step(text) if lanes else 0


def _step(text: int) -> int:
    """Return the distance between lines for a type size."""
    return max(8, text // 2)


def lines(rungs: Sequence[Rung], lanes: Lanes, corner: HW, *, bottom: int, text: int) -> Iterator[Shape]:
    """Draw the lines of one stack; one that does not end in it leaves at the bottom of the stack.

    Parameters
    ----------
    rungs : sequence of Rung
        The sections of the stack, from the top down.
    lanes : dict of Lane
        The lane of every place from which lines lead.
    corner : HW
        The top of the stack, and the left edge of its tiles.
    bottom : int
        The bottom of the stack.
    text : int
        Size of type, in pixels.
    """
    thick, step = max(2, text // 8), _step(text)
    edge = corner.w - step // 2
    first, last = rungs[0].section.place, rungs[-1].section.place
    for source, lane in lanes.items():
        if source > last or lane.end < first:
            continue
        x = corner.w - width(lanes, text) + lane.column * step + step // 2
        ends = [one for one in rungs if source in one.section.reads]
        start = next((one.start for one in rungs if one.section.place == source), None)
        top, until = start or corner.h, bottom - step if lane.end > last else ends[-1].end
        yield Rectangle(x, top, thick, until - top + thick, fill=FAINT)
        if start is not None:
            yield Rectangle(x, start, edge - x, thick, fill=FAINT)
        for one in ends:
            yield Rectangle(x, one.end, edge - x, thick, fill=FAINT)
            for at in range(step // 2):
                yield Rectangle(edge + step // 2 - at - 2, one.end - at, 1, thick + 2 * at, fill=FAINT)
