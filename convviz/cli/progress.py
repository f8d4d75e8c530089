"""A progress bar on stderr, where that is a terminal."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

# What takes less time needs no bar, and does not load what draws it.
PATIENCE_SECONDS = 2.0


@contextlib.contextmanager
def progress(total: int, what: str, *, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` are done, how fast, and the time left, from two seconds on.

    Parameters
    ----------
    total : int
        Files, rows or whatever is counted.
    what : str
        Their name, in the plural.
    wanted : bool
        Whether to show anything; nothing is shown where stderr is no terminal.

    Yields
    ------
    callable
        To be told how many more are done.
    """
    if not wanted or not sys.stderr.isatty():
        yield lambda more: None
        return
    start, done = time.monotonic(), 0
    with contextlib.ExitStack() as stack:
        move: Callable[[int], None] | None = None

        def advance(more: int) -> None:
            nonlocal done, move
            done += more
            if move is None and time.monotonic() - start > PATIENCE_SECONDS:
                move = stack.enter_context(_bar(total, what, done))
            if move is not None:
                move(done)

        yield advance


@contextlib.contextmanager
def _bar(total: int, what: str, begun: int) -> Iterator[Callable[[int], None]]:
    """Draw the bar; it goes away when it is left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")

        def move(done: int) -> None:
            seconds = time.monotonic() - start
            rate = f"{(done - begun) / seconds:.1f}/s" if seconds > 0.5 else ""
            bar.update(task, completed=done, rate=rate)

        yield move
