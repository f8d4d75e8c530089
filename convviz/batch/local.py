"""The engine for one machine: a pool of processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from convviz import parallel
from convviz.batch.plan import Job, Outcome

Work = Callable[[Job], Outcome]


def run_local(jobs: Sequence[Job], work: Work, *, workers: int) -> Iterator[Outcome]:
    """Do every job, and give the outcomes as they come.

    Parameters
    ----------
    jobs : sequence of Job
        What to do.
    work : callable
        A function of a module, or a partial of one, that does one job and
        reports what it cannot do in its outcome.
    workers : int
        Processes, with one thread each; with one, the work is done in this process.

    Yields
    ------
    Outcome
        One per job, in the order in which they end. Closing the iterator leaves
        out what has not begun.
    """
    if workers == 1:
        before = parallel.limited()
        parallel.limit(1)
        try:
            yield from map(work, jobs)
        finally:
            parallel.limit(before)
        return
    # A fresh interpreter per worker: forking a process whose libraries have threads may deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=context, initializer=parallel.limit, initargs=(1,)
    ) as pool:
        waiting = iter(jobs)
        running: set[Future[Outcome]] = set()
        try:
            while True:
                # A short queue, so that stopping early leaves little behind.
                while len(running) < 2 * workers and (job := next(waiting, None)) is not None:
                    running.add(pool.submit(work, job))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
