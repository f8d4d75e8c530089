"""Report any error that other people's code raises, in one line."""

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path

from convviz.errors import ConvvizError, InputError
from convviz.text import printable

_OWN = Path(__file__).resolve().parents[2]
# What Python raises where code unpacks or indexes a tensor as if it were a tuple or a dict; torch raises
# RuntimeError for a tensor of the wrong shape.
_MISREAD = (AttributeError, LookupError, TypeError, ValueError)


@contextlib.contextmanager
def foreign(what: str, *, misread: str = "") -> Iterator[None]:
    """Describe an error in other people's code, with its file and line.

    Parameters
    ----------
    what : str
        The action that failed, as the start of a sentence.
    misread : str
        The remedy, if the error may come from code that takes its input for something else.

    Raises
    ------
    InputError
        In place of any exception that the code raises.

    Examples
    --------
    >>> with foreign("the model cannot be computed"):
    ...     [][1]
    Traceback (most recent call last):
    ...
    convviz.errors.InputError: the model cannot be computed: IndexError: list index out of range.
    """
    try:
        yield
    except (ConvvizError, MemoryError):
        raise
    except SyntaxError as error:
        place = f" ({Path(error.filename or '').name}, line {error.lineno})"
        raise InputError(f"{what}: {type(error).__name__}: {printable(error.msg)}{place}.") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it may raise anything
        words = printable(str(error).strip().partition("\n")[0])[:200].rstrip(".")
        remedy = f"; {misread}" if misread and isinstance(error, _MISREAD) else ""
        raise InputError(
            f"{what}: {type(error).__name__}{': ' * bool(words)}{words}{_place(error)}{remedy}."
        ) from None


def _place(error: BaseException) -> str:
    """Return the line that a user can fix: the last one outside of packages."""
    frames = [
        one
        for one in traceback.extract_tb(error.__traceback__)
        if not Path(one.filename).resolve().is_relative_to(_OWN) and not one.filename.startswith("<")
    ]
    own = [one for one in frames if not {"site-packages", "dist-packages"} & {*Path(one.filename).parts}]
    place = (own or frames)[-1:]
    return f" ({Path(place[0].filename).name}, line {place[0].lineno})" if place else ""
