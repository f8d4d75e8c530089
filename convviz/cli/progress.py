"""A progress bar on stderr, where that is a terminal."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

# What takes less time needs no bar, and does not load what draws it.
PATIENCE_SECONDS = 2.0


@contextlib.contextmanager
def progress(total: int | None, what: str, *, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` are done, how fast, and the time left, from two seconds on.

    Parameters
    ----------
    total : int or None
        Files, rows or whatever is counted; None where the number is unknown.
    what : str
        Their name, in the plural.
    wanted : bool
        Whether to show anything; nothing is shown where stderr is no terminal.

    Yields
    ------
    callable
        Takes the number of newly finished ones, from any thread.
    """
    if not wanted or not sys.stderr.isatty():
        yield lambda more: None
        return
    bar = _Bar(total, what)
    timer = threading.Timer(PATIENCE_SECONDS, bar.begin)
    timer.daemon = True
    timer.start()
    try:
        yield bar.advance
    finally:
        timer.cancel()
        bar.end()


class _Bar:
    """A bar that appears at the first call of `begin` and disappears at the end."""

    def __init__(self, total: int | None, what: str) -> None:
        self._total, self._what = total, what
        self._lock = threading.Lock()
        self._done, self._ended = 0, False
        self._show: Callable[[int], None] | None = None
        self._stack = contextlib.ExitStack()

    def begin(self) -> None:
        """Draw it."""
        with self._lock:
            if not self._ended:
                self._show = self._stack.enter_context(_drawn(self._total, self._what, self._done))

    def advance(self, more: int) -> None:
        """Move it on."""
        with self._lock:
            self._done += more
            if self._show is not None:
                self._show(self._done)

    def end(self) -> None:
        """Take it away."""
        with self._lock:
            self._ended = True
            self._stack.close()


@contextlib.contextmanager
def _drawn(total: int | None, what: str, begun: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar with rich."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate_column = TextColumn("{task.fields[rate]}")
    counts = (MofNCompleteColumn(), rate_column, TimeRemainingColumn())
    columns = (TextColumn(what), BarColumn(), *((rate_column,) if total is None else counts))
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, completed=begun, rate="")

        def show(done: int) -> None:
            seconds = time.monotonic() - start
            rate = f"{(done - begun) / seconds:.1f}/s" if seconds > 0.5 else ""
            if total is None:  # where nobody knows how many there are
                rate = f"{done:,} {rate}"
            bar.update(task, completed=done, rate=rate)

        yield show
