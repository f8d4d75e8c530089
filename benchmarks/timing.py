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


# A process is charged with the memory of the one that starts it; so a small one starts what is measured.
_WATCH = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def process(command: Sequence[str | Path], **environment: str) -> float:
    """Run a whole process and give its seconds.

    Raises
    ------
    RuntimeError
        If it fails, with what it said.
    """
    start = time.perf_counter()
    _run(command, environment)
    return time.perf_counter() - start


def peak_memory(command: Sequence[str | Path]) -> int:
    """Run a whole process and give the most memory that it held, in bytes."""
    kilobytes = int(_run([sys.executable, "-S", "-c", _WATCH, *command], {}))
    return kilobytes * (1 if sys.platform == "darwin" else 1024)


# Such a small process, with the processor time of what it started.
_METER = """
import os, sys
sink = os.open(os.devnull, os.O_WRONLY)
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, sink, 1)])
_, status, used = os.wait4(child, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status != 0)
"""
# They hold numpy's BLAS to the kernels of another processor; a user does not have them.
HELD = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def spent(
    command: Sequence[str | Path], folder: Path | None = None, **environment: str
) -> tuple[float, float]:
    """Run a process; give its processor time in seconds, and the most memory that it held, in MB."""
    made = _run([sys.executable, "-S", "-c", _METER, *command], environment, folder=folder)
    seconds, kilobytes = map(float, made.split())
    return seconds, kilobytes / 1024


def _run(command: Sequence[str | Path], environment: dict[str, str], *, folder: Path | None = None) -> str:
    """Run a process; gives what it wrote to stdout."""
    # As for a user, modules are compiled once; some environments switch that off.
    kept = {
        name: value for name, value in os.environ.items() if name not in (*HELD, "PYTHONDONTWRITEBYTECODE")
    }
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, env=kept | environment, cwd=folder, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stderr}")
    return done.stdout
