"""The versions of convviz and of what computes, for a report of a bug."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from convviz import __version__

# By the names under which they are installed; onnxruntime has one for each kind of device.
COMPUTES = ("numpy", "Pillow", "torch", "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")


def versions() -> Iterator[str]:
    """List the versions, one line each, without importing any package: torch alone takes a second.

    Yields
    ------
    str
        A name and a version. A package that is not installed has no line.
    """
    yield f"convviz {__version__}"
    yield f"Python {platform.python_version()} on {platform.platform()}"
    for name in COMPUTES:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        yield f"{name} {found}"
