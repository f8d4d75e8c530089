"""Choose how long an animation takes: which cells are made one by one, and which quickly."""

from dataclasses import dataclass
from typing import Literal

from convviz.spec.geometry import HW

# The longest duration of an animation with default settings.
MOST_MS = 15_000
# The duration of a cell that is made by itself, its least duration, and the durations of a step within
# a cell and of a frame in which several cells are made.
USUAL_MS, LEAST_MS, STEP_MS, QUICK_MS = 960, 240, 480, 80
# The duration of the last frame, the whole map, before the loop begins again.
HOLD_MS = 1200
# The number of frames for the cells that are not made one by one.
_QUICK_FRAMES = 40


@dataclass(frozen=True, slots=True)
class Beat:
    """Describe the subject of one frame of an animation.

    Parameters
    ----------
    cell : int
        The current cell.
    before, made : int
        The number of finished cells before and after this frame.
    ms : int
        Duration of the frame, in milliseconds.
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
        Number of steps that make the first cell, before the frame that shows all of it.
    ms : int, optional
        Duration of a cell that is made by itself, in milliseconds; by default the whole animation takes at
        most `MOST_MS`.
    cells : int or "all", optional
        The number of cells to make one by one, row after row from the top left; by default as many as fit.

    Returns
    -------
    tuple of Beat
        One per frame. The other cells follow, several at a time. With `steps` the last
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
    # Frames last 80 ms, as in video; this is also a whole number of hundredths of a second, as in GIF.
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
    """Count the cells that there is time to make one by one: whole rows if more than one row fits."""
    count = size.h * size.w
    if count * each <= room:
        return count
    fits = max((room - _QUICK_FRAMES * QUICK_MS) // each, 1)
    return fits // size.w * size.w or fits
