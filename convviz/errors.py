"""Every error that convviz raises on purpose.

A message is one line in lower case: what was wrong, the numbers, the remedy.
The command line maps each class to an exit status in ``convviz.cli.exits``.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from convviz.text import plural, printable


class ConvvizError(Exception):
    """Base of all errors raised on purpose; anything else is a bug."""


class SpecError(ConvvizError):
    """An argument that no layer, kernel or option can take."""


class TextError(SpecError):
    """Something in a text that a user wrote, at one place in it.

    Parameters
    ----------
    message : str
        What is wrong.
    text : str
        The text.
    at : int
        The place, counted from 0.
    """

    def __init__(self, message: str, text: str, at: int) -> None:
        super().__init__(message)
        self.text, self.at = text, at


class ShapeError(ConvvizError):
    """A layer that does not fit the shape of its input."""


class UnknownNameError(ConvvizError):
    """A name that is not in the table it was looked up in.

    Parameters
    ----------
    kind : str
        What was looked up, such as ``"kernel"``.
    name : str
        The name as it was given.
    known : iterable of str
        The names in the table.
    also : iterable of str
        Other names that may have been meant; the message lists only `known`.

    Examples
    --------
    >>> str(UnknownNameError("kernel", "sobelx", ["box", "sobel-x"]))
    "no kernel named 'sobelx'; did you mean 'sobel-x'?"
    >>> str(UnknownNameError("layer", "conv1,conv2", ["conv1", "conv2"]))
    "'conv1,conv2' names 2 layers, but only one can be taken here; name one of them."
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, also: Iterable[str] = ()) -> None:
        import difflib

        names = sorted(known)
        parts = [part.strip() for part in name.split(",")]
        if len(parts) > 1 and set(parts) <= set(names):
            super().__init__(
                f"{name!r} names {plural(len(parts), kind)}, but only one can be taken here; "
                "name one of them."
            )
            return
        near = difflib.get_close_matches(name.lower(), sorted({*names, *also}), n=1, cutoff=0.6)
        some = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        remedy = f"did you mean {near[0]!r}?" if near else f"choose from {some}."
        super().__init__(f"no {kind} named {name!r}; {remedy}")


# The extra of convviz that brings a package, by the name under which the package is imported.
_EXTRAS = {
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "pillow_heif": "heif",
    "av": "mp4",
    "fpdf": "pdf",
    "distributed": "dask",
}


def to_install(package: str) -> str:
    """Return what ``pip install`` takes for a package: the extra of convviz that brings it, if there is one.

    The quotes are those that shells of every system take.

    Examples
    --------
    >>> print(to_install("onnxruntime"), to_install("torch"))
    "convviz[onnx]" torch
    """
    return f'"convviz[{_EXTRAS[package]}]"' if package in _EXTRAS else package


@contextlib.contextmanager
def importing(package: str | Sequence[str], what: str) -> Iterator[None]:
    """Describe in one line a package that is missing, or that cannot be imported.

    Parameters
    ----------
    package : str or sequence of str
        The package that is imported inside, or several, the most telling one first.
    what : str
        What needs it, as the subject of a sentence.

    Raises
    ------
    BackendError
        If the package, or something that it needs itself, cannot be imported.

    Examples
    --------
    >>> with importing("torhc", "the torch backend"):
    ...     import torhc
    Traceback (most recent call last):
    ...
    convviz.errors.BackendError: the torch backend needs torhc, which is not installed: pip install torhc
    """
    packages = [package] if isinstance(package, str) else list(package)
    try:
        yield
    except (ImportError, OSError, RuntimeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name in packages:
            raise BackendError(
                f"{what} needs {error.name}, which is not installed: pip install {to_install(error.name)}"
            ) from None
        reason = printable(str(error).strip().partition("\n")[0])[:120]
        raise BackendError(
            f"{what} needs {packages[0]}, which is installed but cannot be imported ({reason}); "
            f"install it anew: pip install --force-reinstall {to_install(packages[0])}"
        ) from None


class InputError(ConvvizError):
    """An input file that is missing, unreadable, too large, or of the wrong kind."""


class OutputError(ConvvizError):
    """A file that cannot be written, or that convviz may not replace."""


class BackendError(ConvvizError):
    """A backend that is not installed, lacks the device, or disagrees with another."""


class BatchError(ConvvizError):
    """Some files of a batch failed, after all others were done."""
