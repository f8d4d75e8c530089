"""How long an animation takes: which cells are made one by one, and which quickly."""

from dataclasses import dataclass
from typing import Literal

from convviz.spec.geometry import HW

# An animation of default settings takes at most so long.
MOST_MS = 15_000
# How long a cell is shown that is made by itself, and how short at least; a step within a cell; each frame
# in which several cells are made.
USUAL_MS, LEAST_MS, STEP_MS, QUICK_MS = 960, 240, 480, 80
# How long the last frame, the whole map, is shown before the loop begins again.
HOLD_MS = 1200
# Frames in which the cells are made that are not made by themselves.
_QUICK_FRAMES = 40


@dataclass(frozen=True, slots=True)
class Beat:
    """What one frame of an animation is about.

    Parameters
    ----------
    cell : int
        The cell that is worked on.
    before, made : int
        The number of finished cells before and after this frame.
    ms : int
        How long it is shown, in milliseconds.
    step : int, optional
        How much of the work on the cell is shown, counted from 1; None shows all of it.
    """

    cell: int
    before: int
    made: int
    ms: int
    step: int | None = None


def pace(
    size: HW, *, steps: int = 0, ms: int | None = None, cells: int | Literal["all"] | None = None
) -> tuple[Beat, ...]:
    """Spread the cells of an output over the frames.

    Parameters
    ----------
    size : HW
        Rows and columns of the output.
    steps : int
        Steps in which the first cell is made, before the frame that shows all of it.
    ms : int, optional
        How long a cell is shown that is made by itself, in milliseconds; chosen so that the whole takes at
        most `MOST_MS` by default.
    cells : int or "all", optional
        How many cells are made one by one, row after row from the top left; by default as many as fit.

    Returns
    -------
    tuple of Beat
        One per frame. The cells that are not made one by one follow several at a time. With `steps` the last
        frame shows the whole map.

    Examples
    --------
    >>> [beat.ms for beat in pace(HW(2, 2))], len(pace(HW(3, 5), cells="all"))
    ([960, 960, 960, 960], 15)
    >>> beats = pace(HW(62, 62))
    >>> sum(beat.ms for beat in beats) <= MOST_MS, beats[-1].made
    (True, 3844)
    """
    count = size.h * size.w
    room = MOST_MS - (steps * STEP_MS + HOLD_MS if steps else 0)
    # Frames of 80 ms, as video has, are also whole hundredths of a second, as GIF has.
    each = ms or max(min(USUAL_MS, room // count), LEAST_MS) // 80 * 80
    single = count if cells == "all" else min(cells, count) if cells else _alone(size, room, each)
    beats = [Beat(0, 0, 0, STEP_MS, step) for step in range(1, steps + 1)]
    beats += [Beat(cell, cell, cell + 1, each) for cell in range(single)]
    frames = min(count - single, _QUICK_FRAMES)
    for frame in range(1, frames + 1):
        made = single + (count - single) * frame // frames
        beats.append(Beat(made - 1, beats[-1].made, made, QUICK_MS))
    if steps:
        beats.append(Beat(count - 1, count, count, HOLD_MS))
    return tuple(beats)


def _alone(size: HW, room: int, each: int) -> int:
    """Count the cells that time allows to be made one by one: whole rows where more than one row fits."""
    count = size.h * size.w
    if count * each <= room:
        return count
    fits = max((room - _QUICK_FRAMES * QUICK_MS) // each, 1)
    return fits // size.w * size.w or fits
