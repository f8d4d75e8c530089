"""What happens when a process is asked to end."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

# What ends a process politely: kill, and the closing of its terminal.
_ENDINGS = [signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Ended(BaseException):
    """The process was asked to end; half-finished work is removed on the way out.

    Parameters
    ----------
    number : int
        The signal that asked.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Leave as Ctrl-C does."""
    raise Ended(number)


def raise_when_ended() -> None:
    """Let the signals that end a process raise `Ended`, so that no file is left half written."""
    for number in _ENDINGS:
        # Whoever starts a process with nohup wants it to go on.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


@contextlib.contextmanager
def asking(stop: Callable[[], None]) -> Iterator[list[signal.Signals]]:
    """Let Ctrl-C and the signals that end a process ask a batch to stop.

    Parameters
    ----------
    stop : callable
        Called for every such signal.

    Yields
    ------
    list of Signals
        The signals that came, in their order.
    """
    came: list[signal.Signals] = []

    def ask(number: int, frame: FrameType | None) -> None:
        came.append(signal.Signals(number))
        stop()

    if threading.current_thread() is not threading.main_thread():  # which alone is given signals
        yield came
        return
    before = {
        number: signal.signal(number, ask)
        for number in (signal.SIGINT, *_ENDINGS)
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
