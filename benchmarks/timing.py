"""Two things timed in turn, so that what the machine does meanwhile meets both."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """Medians of two things that were timed in turn.

    Parameters
    ----------
    ours, theirs : float
        Median seconds of each.
    ratio : float
        Median of the ratios, pair by pair.
    spread : (float, float)
        The least and the greatest ratio.
    """

    ours: float
    theirs: float
    ratio: float
    spread: tuple[float, float]


def in_turn(
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    pairs: int,
    most_seconds: float = 60,
    warm_up: bool = True,
) -> Pair:
    """Time two things pair by pair.

    Parameters
    ----------
    ours, theirs : callable
        Do the work and give the seconds that it took.
    pairs : int
        How many pairs to take, at most.
    most_seconds : float
        No further pair is begun after so long; three are taken in any case, if so
        many are asked for.
    warm_up : bool
        Whether a first pair is taken that does not count.
    """
    if warm_up:
        ours(), theirs()
    taken: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(taken) < pairs and (len(taken) < 3 or time.perf_counter() - start < most_seconds):
        taken.append((ours(), theirs()))
    ratios = [first / second for first, second in taken]
    return Pair(
        statistics.median(first for first, _ in taken),
        statistics.median(second for _, second in taken),
        statistics.median(ratios),
        (min(ratios), max(ratios)),
    )


def seconds_of(call: Callable[[], object], repeat: int = 1) -> float:
    """Time a call, or the mean of several."""
    start = time.perf_counter()
    for _ in range(repeat):
        call()
    return (time.perf_counter() - start) / repeat


def process(command: Sequence[str | Path], **environment: str) -> tuple[float, int]:
    """Run a whole process; gives its seconds and its peak memory in bytes.

    Raises
    ------
    RuntimeError
        If it fails, with what it said.
    """
    # As for a user, modules are compiled once; some environments switch that off.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    child = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=kept | environment,
    )
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if child.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: {said.decode()}")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
