"""The memory of this machine, and a check before large allocations.

The system grants memory that it does not have, and kills the process that uses it.
"""

import contextlib
import math
import sys
from typing import TYPE_CHECKING

from convviz.errors import ConvvizError, SpecError
from convviz.text import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Every machine that runs Python has this much, and asking takes longer than using it.
_ALWAYS = 1 << 26

# A float of Python with its place in a list, and its digits in a text.
_NUMBER_BYTES = 24 + 8 + 20

_sharers = 1


def share_with(processes: int) -> None:
    """Share the memory with other processes; `processes` counts this one too."""
    global _sharers
    _sharers = processes


def need(size: float, what: str, remedy: str, *, error: type[ConvvizError] = SpecError) -> None:
    """Refuse what does not fit into the memory of this machine, before it is allocated.

    Parameters
    ----------
    size : float
        Bytes that will be held at once, at least.
    what : str
        What needs them, as the subject of a sentence in the plural.
    remedy : str
        What would need less.
    error : type
        What to raise.

    Raises
    ------
    SpecError
        Or what `error` says, if there are not as many.

    Examples
    --------
    >>> need(1e30, "a million filters", "ask for fewer")
    Traceback (most recent call last):
    ...
    convviz.errors.SpecError: a million filters need 9.09e+17 TiB of memory, ...; ask for fewer.
    """
    if not fits(size):
        raise error(f"{what} need {amount(size)} of memory, and {amount(share())} are free; {remedy}.")


def need_objects(count: int, what: str, remedy: str, *, error: type[ConvvizError] = SpecError) -> None:
    """Refuse this many Python numbers, with the list that holds them, as `need` does bytes."""
    need(_NUMBER_BYTES * count, what, remedy, error=error)


def fits(size: float) -> bool:
    """Return whether `need` would let so many bytes pass."""
    return size <= _ALWAYS or size <= share()


def share() -> float:
    """Return how many bytes this process may still take if the others that it shares with take as many."""
    return available() / _sharers


def available() -> float:
    """Return how many bytes this process may still allocate; infinite without a limit.

    That is the memory which the system can free without swapping, with the
    swap that is left, and no more than the limits on this process or its
    control group (as in a container) leave.
    """
    return max(0.0, min(_of_machine(), _of_groups(), _of_process()))


def _of_machine() -> float:
    """Ask the operating system."""
    import psutil

    return float(psutil.virtual_memory().available + psutil.swap_memory().free)


def _of_process() -> float:
    """Look at the limit on this process, as ``ulimit -v`` sets it."""
    if sys.platform == "win32":
        return math.inf
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return math.inf
    import psutil

    return float(limit - psutil.Process().memory_info().vms)


def _of_groups(root: "str | Path" = "/sys/fs/cgroup", of: "str | Path" = "/proc/self/cgroup") -> float:
    """Look at the limits on the control groups of Linux that this process is in."""
    from pathlib import Path

    root, free = Path(root), math.inf
    with contextlib.suppress(OSError):
        for line in Path(of).read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if not controllers:  # version 2 has one tree
                top, names = root, ("memory.max", "memory.current")
            elif "memory" in controllers.split(","):
                top, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
            else:
                continue
            # A container sees its own group as the root, under whatever name it has outside.
            for group in _upwards(top, place):
                limit, used = (_number(group / name) for name in names)
                if limit is not None and used is not None:
                    free = min(free, limit - used + _cached(group / "memory.stat"))
    return free


def _upwards(top: "Path", place: str) -> "Iterator[Path]":
    """List a group and all that it is part of."""
    group = top / place.strip("/")
    yield group
    while group != top:
        group = group.parent
        yield group


def _number(path: "Path") -> int | None:
    """Read a number of bytes; None means no limit."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # ValueError: "max"
        return None


def _cached(path: "Path") -> int:
    """Read how many bytes of a group are cached files that the system can drop."""
    try:
        words = path.read_text().split()
    except OSError:
        return 0
    found = dict(zip(words[::2], words[1::2], strict=False))
    return int(found.get("inactive_file", 0))
