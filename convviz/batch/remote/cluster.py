"""Run a batch on many machines: Dask hands out the files, and each worker has a process for them."""

import contextlib
import multiprocessing
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from multiprocessing.connection import wait
from typing import Any

from convviz import __version__
from convviz.batch.local import GRACE_SECONDS, Stop, Work, Worker, modules_kept_out, starting
from convviz.batch.plan import Job, Outcome
from convviz.errors import BatchError, SpecError, to_install
from convviz.files import addresses
from convviz.text import because, number, printable

# The size of a chunk: large enough that sending it is cheap, small enough that nobody waits for the last.
CHUNK_BYTES, CHUNK_FILES = 16 << 20, 64
# The number of chunks that wait at each thread, so that no thread waits for the next chunk.
_AHEAD = 2
# A file that ends its process this many times is reported and not tried again.
_ENDINGS = 2
# How often to check whether the batch was asked to stop.
_GLANCE_SECONDS = 0.1
_CONNECT_SECONDS = 10
# How often to ask for the number of threads.
_COUNT_SECONDS = 1.0

_LOST = "the scheduler was lost; the same command goes on with the rest."


def run_dask(
    jobs: Iterable[Job],
    work: Work,
    *,
    total: int,
    scheduler: str | None = None,
    workers: int = 1,
    timeout: float | None = None,
    stop: Stop | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[Outcome]:
    """Do every job on a Dask cluster, and yield the outcomes as they arrive.

    Parameters
    ----------
    jobs : iterable of Job
        The jobs to do; more are taken when there is room.
    work : callable
        As for `convviz.batch.run_local`; it is sent to the workers once.
    total : int
        The approximate number of jobs.
    scheduler : str, optional
        Address of a scheduler, such as ``tcp://10.0.0.1:8786``; by default a cluster
        of `workers` processes is started on this machine.
    workers : int
        Number of processes of that cluster.
    timeout : float, optional
        Seconds after which a file fails.
    stop : Stop, optional
        As for `convviz.batch.run_local`.
    tell : callable
        Called with the address of the dashboard.

    Yields
    ------
    Outcome
        One per job, in the order in which they come back. If a worker is lost, others
        process its files; a file that ends its process twice
        fails.

    Raises
    ------
    SpecError
        If distributed is not installed.
    BatchError
        If the scheduler cannot be reached, is lost or has no workers, or if
        a worker has another version of convviz.
    """
    try:
        import distributed
    except ImportError:
        install = to_install("distributed")
        raise SpecError(
            f"the engine dask needs distributed, which is not installed: pip install {install}"
        ) from None
    stop = stop or Stop()
    with contextlib.ExitStack() as stack:
        client = _connect(stack, distributed, scheduler, workers=workers)
        _check_workers(client)
        if client.dashboard_link:
            tell(f"dashboard: {client.dashboard_link}")
        yield from _Driver(client, distributed, work, timeout=timeout, stop=stop).run(jobs, total)


def _connect(stack: contextlib.ExitStack, distributed: Any, scheduler: str | None, *, workers: int) -> Any:
    """Connect to a scheduler, or start one with its workers."""
    import logging

    # The report names lost and killed files.
    for name in ("distributed", "distributed.client", "distributed.nanny", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address: Any = scheduler
    if scheduler is None:
        stack.enter_context(modules_kept_out())  # by replacement workers too
        with starting():
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
        address = stack.enter_context(cluster)
    try:
        client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        return stack.enter_context(client)
    except (OSError, TimeoutError, ValueError) as error:
        raise BatchError(
            f"the scheduler {printable(str(scheduler))} cannot be reached{because(error)}; check its address."
        ) from None


def _check_workers(client: Any) -> None:
    """Refuse workers that could not do the work, or would do it differently."""
    try:
        client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        versions = client.get_versions(packages=["convviz"])
    except TimeoutError:
        address = client.scheduler.address
        raise BatchError(
            f"the scheduler {address} has no workers; start one, such as: dask worker {address}"
        ) from None
    for address, found in versions["workers"].items():
        theirs = found["packages"].get("convviz")
        if theirs != __version__:
            have = f"convviz {theirs}" if theirs else "no convviz"
            raise BatchError(
                f"the worker at {address} has {have}, but this machine has {__version__}; install that "
                "version there."
            )


@contextlib.contextmanager
def _needed() -> Iterator[None]:
    """Describe the errors that a client raises when nobody answers."""
    try:
        yield
    except (OSError, TimeoutError, CancelledError):
        raise BatchError(_LOST) from None


class _Driver:
    """Track the chunks that were sent to a cluster, and the ones that came back."""

    def __init__(
        self, client: Any, distributed: Any, work: Work, *, timeout: float | None, stop: Stop
    ) -> None:
        self._client, self._distributed, self._timeout, self._stop = client, distributed, timeout, stop
        with _needed():
            self._work = client.scatter(work, broadcast=True, hash=False)
        self._threads, self._counted = 1, -float("inf")
        self._out: dict[Any, list[Job]] = {}
        self._back: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._again: deque[list[Job]] = deque()

    def run(self, jobs: Iterable[Job], total: int) -> Iterator[Outcome]:
        """Send chunks while there is room, and take the results."""
        self._count()
        chunks = _chunks(jobs, max(1, min(CHUNK_FILES, total // (4 * self._threads))))
        more, last = True, float("inf")
        try:
            while True:
                if self._stop.asked:
                    more = False
                    self._again.clear()
                    last = min(last, time.monotonic() + (GRACE_SECONDS if self._stop.asked == 1 else 0))
                self._count()
                while (more or self._again) and len(self._out) < _AHEAD * self._threads:
                    chunk = self._again.popleft() if self._again else next(chunks, None)
                    if chunk is None:
                        more = False
                    else:
                        self._send(chunk)
                if not self._out or time.monotonic() >= last or self._stop.asked > 1:
                    return
                try:
                    future = self._back.get(timeout=_GLANCE_SECONDS)
                except queue.Empty:
                    self._check()
                else:
                    yield from self._take(future)
        finally:
            with contextlib.suppress(OSError, RuntimeError, CancelledError):  # the scheduler was lost
                self._client.cancel(list(self._out))

    def _count(self) -> None:
        """Count the threads now and then, because workers come and go."""
        if time.monotonic() >= self._counted + _COUNT_SECONDS:
            with _needed():
                self._threads = max(1, sum(map(int, self._client.nthreads().values())))
            self._counted = time.monotonic()

    def _send(self, chunk: list[Job]) -> None:
        with _needed():
            future = self._client.submit(do_chunk, chunk, self._work, self._timeout, pure=False)
        self._out[future] = chunk
        future.add_done_callback(self._back.put)

    def _check(self) -> None:
        """Raise an error if nobody will answer."""
        if self._client.status not in ("running", "connecting"):
            raise BatchError(_LOST)

    def _take(self, future: Any) -> Iterator[Outcome]:
        """Return the outcomes of a chunk, or send its files again one by one."""
        chunk = self._out.pop(future)
        with _needed():
            error = future.exception() if future.status == "error" else None
            outcomes = future.result() if future.status == "finished" else None
        if outcomes is not None:
            yield from outcomes
        elif self._stop.asked:
            return
        elif future.status == "cancelled" or error is None:
            raise BatchError(_LOST)
        elif isinstance(error, self._distributed.KilledWorker) and len(chunk) > 1:
            # One of the files may be to blame, but it is not known which.
            self._again.extend([job] for job in chunk)
        else:
            lost = isinstance(error, self._distributed.KilledWorker)
            why = "the workers that had it were lost" if lost else printable(" ".join(str(error).split()))
            for job in chunk:
                yield Outcome(job.name, job.target, reason=f"{why}.")
        future.release()


def _chunks(jobs: Iterable[Job], most: int) -> Iterator[list[Job]]:
    """Group files by their number of bytes."""
    chunk: list[Job] = []
    room = CHUNK_BYTES
    for job in jobs:
        with contextlib.suppress(OSError):  # the job itself reports the reason
            room -= job.seen.size if job.seen else addresses.seen(job.source).size
        chunk.append(job)
        if room <= 0 or len(chunk) >= most:
            yield chunk
            chunk, room = [], CHUNK_BYTES
    if chunk:
        yield chunk


# --- on the workers

_here = threading.local()


def do_chunk(jobs: list[Job], work: Work, timeout: float | None) -> list[Outcome]:
    """Process some files, one after another, in a process beside the Dask worker.

    A file that ends its process, or takes too long, then does not end the worker.
    """
    return [_done(job, work, timeout) for job in jobs]


def _done(job: Job, work: Work, timeout: float | None) -> Outcome:
    """Process one file; if its process ends, try once more in another."""
    start = time.monotonic()
    ending = ""
    for _ in range(_ENDINGS):
        worker = _worker(work)
        worker.give(job)
        try:
            if not wait([worker.pipe], timeout):
                _here.worker = None
                worker.kill()
                reason = f"it took longer than {number(timeout or 0)} s, the --timeout."
                return Outcome(job.name, job.target, reason=reason, seconds=time.monotonic() - start)
            outcome = worker.take()
        except (EOFError, OSError):
            _here.worker = None
            ending = worker.ended()
        else:
            assert outcome is not None
            return outcome
    reason = f"it ended {_ENDINGS} processes that worked on it ({ending})."
    return Outcome(job.name, job.target, reason=reason, seconds=time.monotonic() - start)


def _worker(work: Work) -> Worker:
    """Keep a process for this thread, and start another one for different work."""
    worker: Worker | None = getattr(_here, "worker", None)
    if worker is not None and _here.work is work and worker.process.is_alive():
        return worker
    if worker is not None:
        worker.kill()
    with _children_allowed(), _own_allocation():
        worker = Worker.start(work, os.cpu_count() or 1)
    try:
        worker.take()
    except (EOFError, OSError):
        raise BatchError(f"no process can be started for the work ({worker.ended()}).") from None
    _here.worker, _here.work = worker, work
    return worker


@contextlib.contextmanager
def _own_allocation() -> Iterator[None]:
    """Remove the settings with which Dask makes its workers return memory at once.

    Arrays of some hundred kilobytes come and go with every file: when their memory was
    returned and requested again each time, a small file took 20 ms instead of 14.
    """
    taken = os.environ.pop(_TRIM, None)
    try:
        yield
    finally:
        if taken is not None:
            os.environ[_TRIM] = taken


_TRIM = "MALLOC_TRIM_THRESHOLD_"


@contextlib.contextmanager
def _children_allowed() -> Iterator[None]:
    """Let a Dask worker start a process, which Dask forbids so that no process is left behind.

    Our process ends when its pipe is closed, and so it ends with its worker, however that ends.
    """
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    before = config.get("daemon")
    config["daemon"] = False
    try:
        yield
    finally:
        config["daemon"] = before
