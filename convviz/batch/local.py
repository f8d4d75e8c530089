"""Run a batch on one machine: each process is given one file at a time."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from convviz.batch.plan import Job, Outcome
from convviz.errors import BatchError
from convviz.files import writing
from convviz.machine import memory, parallel
from convviz.text import number

Work = Callable[[Job], Outcome]

# How long files in progress may take after the batch is asked to stop.
GRACE_SECONDS = 2.0
# How often to check for a request to stop; a signal does not end every wait.
_GLANCE_SECONDS = 0.1
# The number of processes in a row that may end before they take a file.
_FALSE_STARTS = 3

# A fresh interpreter per worker: forking a process whose libraries have threads may deadlock.
_CONTEXT = multiprocessing.get_context("spawn")


class Stop:
    """Hold whether, and how often, a batch was asked to stop.

    Examples
    --------
    >>> stop = Stop()
    >>> stop.ask()
    >>> stop.asked
    1
    """

    def __init__(self) -> None:
        self.asked = 0

    def ask(self) -> None:
        """Ask the batch to stop; after a second request it does not wait for files in progress."""
        self.asked += 1


@dataclass(slots=True, eq=False)
class Worker:
    """Hold a process at the other end of a pipe, and the file that it works on."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    job: Job | None = None
    began: float = 0.0

    @classmethod
    def start(cls, work: Work, workers: int) -> "Worker":
        """Start a process that reports when it is ready."""
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_serve, args=(theirs, work, workers), daemon=True)
        with starting():
            process.start()
        # There is no other copy of that end, so the pipe shows when the process ends for any reason.
        theirs.close()
        return cls(process, ours)

    def give(self, job: Job) -> None:
        """Give the process a file."""
        self.job, self.began = job, time.monotonic()
        with contextlib.suppress(OSError):  # it has just ended, which the next look at the pipe shows
            self.pipe.send(job)

    def take(self) -> Outcome | None:
        """Receive the message of the process; raise EOFError or OSError if it has ended."""
        outcome: Outcome | None = self.pipe.recv()
        self.ready, self.job = True, None
        return outcome

    def kill(self) -> None:
        """End the process, and delete its unfinished file."""
        self.process.kill()
        self.ended()

    def ended(self) -> str:
        """Wait for the process to end, delete its unfinished file, and describe how it ended."""
        self.pipe.close()
        self.process.join()
        if self.job is not None:
            writing.sweep(self.job.target.parent)
        return _ending(self.process.exitcode or 0)


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Start processes that take no modules from the current folder, and that Ctrl-C does not end.

    Ctrl-C reaches every process of the terminal; it is held until the new processes ignore it.
    """
    with modules_kept_out():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        resource_tracker.ensure_running()  # if it began later, it would let the signals through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def modules_kept_out() -> Iterator[None]:
    """Keep processes that start meanwhile from taking modules from the current folder.

    Python runs them as ``python -c``, which looks there first: it would run a ``struct.py``
    that lies among pictures from elsewhere.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_SAFE_PATH, None)
        else:
            os.environ[_SAFE_PATH] = before


_SAFE_PATH = "PYTHONSAFEPATH"


def _ending(status: int) -> str:
    """Describe the exit status of a process."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{name}, as when memory runs out" if name == "SIGKILL" else name


def _serve(pipe: Connection, work: Work, workers: int) -> None:
    """Work on one file after another, in a separate process, until the other end is closed."""
    # Ctrl-C reaches every process of the terminal; the process that hands out the files decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parallel.limit(1)
    memory.share_with(workers)
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(work(pipe.recv()))


def run_local(
    jobs: Iterable[Job],
    work: Work,
    *,
    workers: int,
    timeout: float | None = None,
    stop: Stop | None = None,
) -> Iterator[Outcome]:
    """Do every job, and yield the outcomes as they arrive.

    Parameters
    ----------
    jobs : iterable of Job
        The jobs to do; the next one is taken when a process is free.
    work : callable
        A function of a module, or a partial of one, that does one job and
        reports a failure in its outcome.
    workers : int
        Number of processes, with one thread each. If a process ends before its file is done,
        the file fails, and another process takes its place.
    timeout : float, optional
        Seconds after which a file fails.
    stop : Stop, optional
        Holds requests to stop. After one, files in progress have `GRACE_SECONDS`,
        and unfinished files have no outcome.

    Yields
    ------
    Outcome
        One per job, in the order in which the jobs end.

    Raises
    ------
    BatchError
        If the processes end before they begin.
    """
    crew = _Crew(work, workers, timeout=timeout, stop=stop or Stop())
    waiting = iter(jobs)
    following = next(waiting, None)
    try:
        while True:
            if crew.stop.asked:
                following = None
            if following is not None:
                crew.fill()
            for worker in crew.idle():
                if following is not None:
                    worker.give(following)
                    following = next(waiting, None)
            if crew.is_done(more=following is not None):
                return
            yield from crew.outcomes()
    finally:
        crew.kill()


class _Crew:
    """Hold the processes of a batch, and their files."""

    def __init__(self, work: Work, workers: int, *, timeout: float | None, stop: Stop) -> None:
        self._work, self._most, self._timeout, self.stop = work, workers, timeout, stop
        self._workers: list[Worker] = []
        self._false_starts, self._last = 0, float("inf")

    def fill(self) -> None:
        """Start as many processes as are allowed."""
        while len(self._workers) < self._most:
            self._workers.append(Worker.start(self._work, self._most))

    def idle(self) -> list[Worker]:
        """List the processes that wait for a file."""
        return [worker for worker in self._workers if worker.ready and worker.job is None]

    def _busy(self) -> list[Worker]:
        """List the processes that work on a file."""
        return [worker for worker in self._workers if worker.job is not None]

    def is_done(self, *, more: bool) -> bool:
        """Return whether there is nothing left to wait for, or no time left to wait."""
        now = time.monotonic()
        if self.stop.asked:
            self._last = min(self._last, now + (GRACE_SECONDS if self.stop.asked == 1 else 0))
        return (not self._busy() and not more) or now >= self._last or self.stop.asked > 1

    def outcomes(self) -> Iterator[Outcome]:
        """Wait a moment, and return the outcomes that arrived.

        Raises
        ------
        BatchError
            If the processes end before they begin.
        """
        patience, busy = _GLANCE_SECONDS, self._busy()
        if self._timeout is not None and busy:
            earliest = min(worker.began for worker in busy)
            patience = min(patience, max(0, earliest + self._timeout - time.monotonic()))
        ready = set(wait([worker.pipe for worker in self._workers], patience))
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.pipe in ready:
                outcome = self._taken(worker)
                if outcome is not None:
                    yield outcome
            elif self._timeout is not None and worker.job is not None and now - worker.began >= self._timeout:
                self._workers.remove(worker)
                worker.kill()
                yield _failed(worker, f"it took longer than {number(self._timeout)} s, the --timeout.")

    def _taken(self, worker: Worker) -> Outcome | None:
        """Take the message of a process; if it has ended, remove it and report that its file failed."""
        job = worker.job
        try:
            outcome = worker.take()
        except (EOFError, OSError):
            self._workers.remove(worker)
            ending = worker.ended()
            if job is not None:
                reason = f"the process that worked on it ended ({ending})."
                return None if self.stop.asked else _failed(worker, reason)
            self._false_starts += 1
            if self._false_starts == _FALSE_STARTS:
                raise BatchError(f"no process can be started for the work ({ending}).") from None
            return None
        self._false_starts = 0
        return outcome

    def kill(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.kill()


def _failed(worker: Worker, reason: str) -> Outcome:
    """Report that the file of a process failed."""
    assert worker.job is not None
    return Outcome(worker.job.name, worker.job.target, reason=reason, seconds=time.monotonic() - worker.began)
