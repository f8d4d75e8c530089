"""Settings of the command line: those of a command become its options, those of a file its defaults."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from convviz.cli.options import LAYER, OPTIONS
from convviz.errors import InputError, SpecError
from convviz.files import marks
from convviz.files.paths import quoted
from convviz.spec import settings


def settings_in(path: Path) -> dict[str, Any]:
    """Read the settings of a file that convviz wrote.

    Returns
    -------
    dict
        Option names without their hyphens in front, with what a user would type
        for them; and ``version``, ``layer`` and the like.

    Raises
    ------
    InputError
        If there is no such file, or it holds none.
    """
    found = marks.description_of(path)
    if found is None:
        what = "holds no settings" if path.exists() else "does not exist"
        raise InputError(f"{quoted(path)} {what}; give a file that convviz wrote, such as NAME-maps.png.")
    return found


# Options that write, open, connect to or run something: no settings of a file, and never offered for pasting.
NOT_OFFERED = frozenset(
    {"output", "maps", "save", "frames", "gallery", "report", "force", "redo", "open", "engine", "scheduler"}
    | {"model", "work"}
)

# The options that give a network instead of a layer.
NET_OPTIONS = ("layers", "net", "model", "until", "classes", "channels_last")

# Where the context keeps the path of a picture that was made with --model.
_OF_MODEL = "convviz.of_model"


def _taking_over(names: Iterable[str]) -> Callable[[typer.Context, Path | None], Path | None]:
    """Make what turns the settings of a file into the defaults of the options called `names`."""
    known = set(names)

    def take_over(context: typer.Context, path: Path | None) -> Path | None:
        if path is not None:
            found = {name.replace("-", "_"): text for name, text in settings_in(path).items()}
            if found.pop("model", None) is not None:
                context.meta[_OF_MODEL] = path
            if net := next((name for name in NET_OPTIONS if name in found and name not in known), None):
                raise SpecError(
                    f"like: {quoted(path)} holds a network (--{net}), but this command takes one layer."
                )
            context.default_map = {
                name: text for name, text in found.items() if name in known and _as_typed(name, text)
            }
        return path

    return take_over


def _check_model(context: typer.Context, values: Mapping[str, Any]) -> None:
    """Refuse the settings of a picture of a model, unless a network is typed."""
    path = context.meta.get(_OF_MODEL)
    if path is not None and all(values.get(name) is None for name in ("layers", "net", "model")):
        raise SpecError(
            f"like: {quoted(path)} is of a --model, whose code no picture may run; give --model yourself."
        )


def _as_typed(name: str, value: Any) -> bool:
    """Return whether a value from a file could have been typed: files may hold anything."""
    if name in settings.REPEATED:
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    return isinstance(value, str)


def _let_typed_win(context: typer.Context, values: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Forget the network of a picture where a layer or another network is typed, and the other way round."""
    sources = {name: context.get_parameter_source(name) for name in values}
    typed = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    of_layer = {field.name for field in fields(settings.LayerSettings)} - {"seed", "weights", "layer_name"}
    if typed & {"layers", "net", "model"}:
        left = ({*NET_OPTIONS, "layer_name"} | of_layer) - typed
    elif typed & of_layer:
        left = {*NET_OPTIONS} - typed
    else:
        return
    for name in left & values.keys():
        default = defaults[name]
        # A default is written as it would be typed, and the parsers have run already.
        parser = getattr(OPTIONS.get(name), "parser", None)
        values[name] = parser(default) if parser is not None and isinstance(default, str) else default


def _told(option: Any, text: str | None) -> Any:
    """Copy an option with another help text."""
    if text is None:
        return option
    option = copy.copy(option)
    option.help = text
    return option


class Typed(frozenset[str]):
    """The names of the options that were given, or taken over from a picture, not left at their defaults."""


def _given(context: typer.Context, names: Iterable[str]) -> Typed:
    """List the options that were given."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return Typed(name for name, source in sources.items() if source is not None and source.name != "DEFAULT")


def with_settings_told(**texts: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Do what `with_settings` does, with other words for the options named."""
    return functools.partial(with_settings, texts=texts)


def with_settings(
    command: Callable[..., None], texts: Mapping[str, str] = MappingProxyType({})
) -> Callable[..., None]:
    """Give a command one option per field of every settings group among its parameters.

    A parameter whose annotation is a dataclass of `convviz.spec.settings` becomes the
    options of its fields, with their defaults; the command gets the checked value.
    With a layer among them, the command takes the settings of a picture by ``--like``,
    and a parameter of the type `Typed` gets the names of the options that were given.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        name: p.annotation for name, p in signature.parameters.items() if is_dataclass(p.annotation)
    }
    of_given = [name for name, parameter in signature.parameters.items() if parameter.annotation is Typed]
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name in groups:
            parameters += [_parameter(of, texts) for of in fields(groups[name])]
        elif name not in of_given:
            parameters.append(parameter)
    if settings.LayerSettings in groups.values():
        parameters += _parameters_of_like(groups.values())
    defaults = {parameter.name: parameter.default for parameter in parameters}

    @functools.wraps(command)
    def call(**values: Any) -> None:
        context = values.pop("context", None)
        if values.pop("like", None) is not None:
            _check_model(context, values)
            _let_typed_win(context, values, defaults)
        given = {name: _given(context, values) for name in of_given}
        for name, group in groups.items():
            chosen = {of.name: values.pop(of.name) for of in fields(group)}
            if "kernel" in chosen:
                chosen["kernel"] = tuple(chosen["kernel"] or ())
            values[name] = group(**chosen)
        command(**values, **given)

    plain = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    call.__signature__ = signature.replace(parameters=plain)  # type: ignore[attr-defined]  # read by Typer
    call.__annotations__ = {p.name: p.annotation for p in plain} | {"return": None}
    return call


def _parameter(of: Field[Any], texts: Mapping[str, str]) -> inspect.Parameter:
    """Make the parameter of one field of a settings group."""
    # Typer parses a default as it parses what is typed, so defaults are given as text.
    many = of.name in settings.REPEATED
    default = None if many or of.default is None else settings.typed(of.default)
    flag = of.type in (bool, bool | None)
    kind: Any = of.type if flag else list[str] | None if many else str if default else str | None
    return inspect.Parameter(
        of.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=of.default if flag else default,
        annotation=Annotated[kind, _told(OPTIONS[of.name], texts.get(of.name))],
    )


def _parameters_of_like(groups: Iterable[Any]) -> list[inspect.Parameter]:
    """Make the parameters of ``--like`` for a command with these settings."""
    names = [of.name for group in groups for of in fields(group) if of.metadata.get("described", True)]
    like = typer.Option(
        "--like",
        metavar="PICTURE",
        rich_help_panel=LAYER,
        is_eager=True,
        callback=_taking_over(names),
        help="Take over the settings that convviz stored in a picture; options given here win.",
    )
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter("context", keyword, annotation=typer.Context),
        inspect.Parameter("like", keyword, default=None, annotation=Annotated[Path | None, like]),
    ]
