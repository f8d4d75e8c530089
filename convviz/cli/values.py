"""What Typer does to the values of options, without pydantic: to load that took a fifth of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

# The words that convviz stores for a flag. Typer reads, or refuses, what else a picture may hold for it.
_FLAGS = {"true": True, "false": False}


class _Reader:
    """Reads the value of one parameter, where Typer would make a validator of pydantic."""

    def __init__(self, parameter: Any) -> None:
        """Find what reads one text."""
        described = parameter.type_descriptor
        kind = next(iter(get_args(described.annotation)), described.annotation)
        self._flag = kind is bool
        self._read: Callable[[Any], Any] | None = described.parameter_info.parser
        if self._read is None and kind in (str, Path):
            self._read = kind
        self._of_typer = type(parameter).get_runtime_param

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read what was typed, or the default."""
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if self._flag and value in _FLAGS:
            return _FLAGS[value]
        if self._read is None:
            return self._of_typer(param).coerce(value, param=param, ctx=ctx)
        return [self._read(text) for text in value] if many else self._read(value)


def without_pydantic(parameter: Any) -> Any:
    """Let a parameter of Typer read its values without pydantic.

    Where a release of Typer names its parts otherwise, the parameter stays as it is: slower, and right.
    """
    if not (hasattr(parameter, "type_descriptor") and hasattr(type(parameter), "get_runtime_param")):
        return parameter
    reader = _Reader(parameter)
    parameter.get_runtime_param = lambda: reader
    return parameter
