"""Exit statuses, and the one table from errors to them."""

from enum import IntEnum

from convviz.errors import (
    BackendError,
    BatchError,
    ConvvizError,
    InputError,
    OutputError,
    ShapeError,
    SpecError,
    TextError,
    UnknownNameError,
)


class Exit(IntEnum):
    """What a script may rely on."""

    OK = 0
    BUG = 1
    USAGE = 2
    INPUT = 3
    OUTPUT = 4
    BACKEND = 5
    BATCH = 6
    INTERRUPTED = 130
    SIGNAL = 128  # and the number of the signal that ended it


STATUS: dict[type[ConvvizError], Exit] = {
    SpecError: Exit.USAGE,
    TextError: Exit.USAGE,
    ShapeError: Exit.USAGE,
    UnknownNameError: Exit.USAGE,
    InputError: Exit.INPUT,
    OutputError: Exit.OUTPUT,
    BackendError: Exit.BACKEND,
    BatchError: Exit.BATCH,
}
