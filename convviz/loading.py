"""Names of a package that are loaded when they are first used."""

import importlib
import sys

# Not that of typing: see `convviz/__init__.py`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def on_first_use(
    package: str, homes: "Mapping[str, tuple[str, ...]]"
) -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Make the ``__getattr__`` and the ``__dir__`` of a package that loads its names one by one.

    Parameters
    ----------
    package : str
        The package, such as ``"convviz.spec.layers"``.
    homes : dict of str
        The modules in it, as they are called there, with the names that each of them defines.

    Returns
    -------
    tuple of two functions
        ``__getattr__``, which loads a name, and ``__dir__``, which lists the names.
    """
    home_of = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> "Any":
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)  # found without this function from now on
        return value

    def names() -> list[str]:
        return sorted(home_of)

    return load, names
