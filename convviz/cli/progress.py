"""A progress bar on stderr, where that is a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """Files per second."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "")


@contextlib.contextmanager
def progress(total: int, *, wanted: bool = True) -> Iterator[Callable[[], None]]:
    """Show how many of `total` files are done, how fast, and the time left.

    Parameters
    ----------
    total : int
        Files to do.
    wanted : bool
        Whether to show anything; nothing is shown where stderr is no terminal.

    Yields
    ------
    callable
        To be called after each file.
    """
    if not wanted or not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (TextColumn("files"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("files", total=total)
        yield lambda: bar.advance(task)
