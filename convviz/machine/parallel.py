"""Threads for one computation: one per core, or fewer where a limit is set."""

import contextlib
import contextvars
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Item = TypeVar("Item")

_limit = 0
# Whether the current thread already works for `share`.
_sharing = contextvars.ContextVar("sharing", default=False)


def limit(threads: int) -> None:
    """Use at most this many threads from now on; 0 for one per core.

    Parameters
    ----------
    threads : int
        Of every computation in this process. A pool of processes asks for one
        in each, so that together they take no more than there are cores.
    """
    global _limit
    _limit = threads


def limited() -> int:
    """Return the limit that `limit` set; 0 if there is none."""
    return _limit


def threads() -> int:
    """Return how many threads a computation may take.

    Examples
    --------
    >>> threads() >= 1
    True
    """
    return _limit or cores()


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(items: Iterable[Item], work: Callable[[Iterator[Item]], object]) -> None:
    """Work through items in several threads.

    Parameters
    ----------
    items : iterable
        What to do. BLAS is held to one thread meanwhile, so that it does not take
        the cores a second time.
    work : callable
        Takes an iterator, and works through its items. It is called once per thread, and
        all of its iterators draw from the same items. Nested calls run in the calling
        thread.

    Examples
    --------
    >>> done = []
    >>> share(range(5), lambda mine: done.extend(mine))
    >>> sorted(done)
    [0, 1, 2, 3, 4]
    """
    count = threads()
    if count == 1 or _sharing.get():
        work(iter(items))
        return
    # The iterators of tuples and ranges are advanced in one step: no two threads are given the same item.
    shared: Iterator[Any] = iter(items if isinstance(items, range) else tuple(items))
    ended = False

    def mine() -> Iterator[Item]:
        for item in shared:
            yield item
            if ended:  # by an error, so the rest is not needed
                return

    def work_here(place: int) -> None:
        nonlocal ended
        _sharing.set(True)
        try:
            _spread(place)
            work(mine())
        except BaseException:
            ended = True
            raise
        finally:
            _sharing.set(False)

    with _one_blas_thread():
        others = [_pool(count - 1).submit(work_here, place) for place in range(1, count)]
        try:
            work_here(0)
        finally:
            for other in others:
                other.result()


def _spread(place: int) -> None:
    """Move this thread to a core of its own; the system may move it again."""
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)  # of this thread
        if place < len(allowed):
            os.sched_setaffinity(0, {sorted(allowed)[place]})
            os.sched_setaffinity(0, allowed)


@functools.cache
def _pool(count: int) -> "ThreadPoolExecutor":
    """Keep the threads for the next computation; starting one takes as long as a small layer."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(count, thread_name_prefix="convviz")


def _one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    """Hold BLAS to one thread where it is not held already, as on the command line."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return contextlib.nullcontext()
    return _blas().limit(limits=1, user_api="blas")  # type: ignore[no-any-return]  # threadpoolctl has no types


@functools.cache
def _blas() -> Any:
    """Find the BLAS libraries of this process, once: looking takes milliseconds."""
    import threadpoolctl  # type: ignore[import-untyped]  # it has no types

    return threadpoolctl.ThreadpoolController()
