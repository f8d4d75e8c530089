"""Stdout and stderr, wherever they lead."""

import io
import os
import sys
from typing import TYPE_CHECKING

from convviz.errors import OutputError
from convviz.files.paths import reason_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class NobodyReads(BaseException):
    """The program that read our output, such as ``head``, has closed the pipe."""


class _Stdout(io.FileIO):
    """Stdout; its errors differ in type from those of other files."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise NobodyReads from None
        except OSError as error:
            raise OutputError(f"cannot write to stdout: {reason_of(error)}.") from None


def open_streams() -> None:
    """Bring the three standard streams of this process into a known state.

    One that was closed is joined to the null device, for otherwise the next file
    that is opened would take its place. What the encoding of a terminal lacks is
    written as an escape.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one. Writing to stdout then fails, as it should.
            os.open(os.devnull, mode)
    # Python has opened none that was closed.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    sys.stdin, sys.stdout, sys.stderr = (
        stream or open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as we run
        for number, (stream, mode) in enumerate(zip(streams, "rww", strict=True))
    )
    if sys.platform == "win32" and os.isatty(1):
        return  # a console there takes text by calls of its own, and is never full
    encoding = streams[1].encoding if streams[1] else "utf-8"
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Stdout(1, "wb", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=os.isatty(1),
    )
