"""The Typer application, and the one place that turns errors into messages and statuses."""

import contextlib
import gc
import importlib
import os
import re
import shutil
import sys
from collections.abc import Collection, Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from convviz.cli.exits import STATUS, Exit
from convviz.cli.signals import Ended, raise_when_ended
from convviz.cli.streams import NobodyReads, open_streams
from convviz.cli.synonyms import meant_by, module_meant
from convviz.cli.values import without_pydantic
from convviz.errors import ConvvizError, OutputError, TextError
from convviz.files.writing import delete_unfinished
from convviz.text import printable

# One module and one function of the same name for each, in the order of the help, with the first line of its
# text: so the help of the program loads none of them.
COMMANDS = {
    "run": "Convolve INPUT with the chosen filters and write the feature maps as one picture.",
    "explain": "Take one output value apart: what is multiplied by what, and how it adds up.",
    "pad": "Show the padding around the channels, as numbers and as a drawing.",
    "animate": "Let the window slide over the input and the output fill.",
    "explore": "Write a page on which a layer or network can be touched: point at a value, change a setting.",
    "code": "Print a short PyTorch program with the same layer, the same weights and the same maps.",
    "exercise": "Make worksheets for a class: an input, a kernel, an empty output, a shape question; "
    "and the answers.",
    "shape": "Calculate the output shape of a layer, step by step.",
    "kernels": "List the presets, or show one as numbers with its source.",
    "layers": "List the layers of a network, or the convolutions inside weights, by the names for --layer.",
    "filters": "Draw the filters of one layer of trained weights or of a network.",
    "maps": "Draw stored activations as feature maps, without the layer that made them.",
    "look": "Show where layers of a network respond: their activations laid over INPUT.",
    "best": "Show the pictures in FOLDER in which maps of a layer are largest, with what each value sees.",
    "diff": "Compare two networks layer by layer on INPUT, or two files of weights or of saved runs.",
    "inspect": "Print the settings that made a file of convviz.",
    "batch": "Run a layer on every picture in FOLDER, and write the results into OUT.",
    "bench": "Time a layer on INPUT with every backend, device and number of threads of this machine.",
}


# Shells ask for the words that can follow by this variable.
_COMPLETION = "_CONVVIZ_COMPLETE"

_LEAST_COLUMNS, _MOST_COLUMNS = 20, 100_000
_ENDING = re.compile(r"[^=]\.[A-Za-z][A-Za-z0-9]{1,11}$")  # of a name; 1.5 has none


# In fewer, the boxes of the help cut the names of options and what they take.
_BOXED_COLUMNS = 112


def make_app(loaded: Collection[str] = tuple(COMMANDS)) -> typer.Typer:
    """Make the application.

    Parameters
    ----------
    loaded : collection of str
        The commands that can be used; the others are there by their names.

    Returns
    -------
    typer.Typer
        The application.
    """
    app = typer.Typer(
        name="convviz",
        cls=_Commands,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if shutil.get_terminal_size().columns >= _BOXED_COLUMNS else None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, summary in COMMANDS.items():
        if name in loaded:
            command = getattr(importlib.import_module(f"convviz.cli.commands.{name}"), name)
            # python -OO leaves out the texts of functions.
            text = None if command.__doc__ else summary
            app.command(cls=_Command, help=text, short_help=summary)(command)
        else:
            app.command(name, help=summary, short_help=summary)(_not_loaded)
    app.callback(invoke_without_command=True)(top)
    return app


class _Commands(TyperGroup):
    """The program with its commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """List the options."""
        return [_without_types(without_pydantic(one)) for one in super().get_params(ctx)]


class _Command(TyperCommand):
    """A command whose options may say [default: …] in words: rich would take that for a mark, and drop it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """List the options and arguments."""
        return [_without_types(without_pydantic(one)) for one in super().get_params(ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        if self.rich_markup_mode != "rich":
            super().format_help(ctx, formatter)
            return
        options = [one for one in self.params if getattr(one, "help", None)]
        texts = [one.help for one in options]  # type: ignore[attr-defined]
        try:
            for one, text in zip(options, texts, strict=True):
                one.help = _as_it_is(text)  # type: ignore[attr-defined]
            super().format_help(ctx, formatter)
        finally:
            for one, text in zip(options, texts, strict=True):
                one.help = text  # type: ignore[attr-defined]

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """List the options that can follow in a shell."""
        found = super().shell_complete(ctx, incomplete)
        for one in found:
            one.help = _as_it_is(one.help or "")
        return found


def _without_types(parameter: Any) -> Any:
    """Let an argument be called ``INPUT...`` in the help, without the braces and the types of Typer."""
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name) + ("" if parameter.nargs == 1 else "...")
        shown = name if parameter.required else f"[{name}]"
        parameter.get_usage_pieces = lambda ctx: [shown]
        parameter.display_type_rich = lambda ctx: None
    return parameter


def _as_it_is(text: str) -> str:
    """Escape what rich would take for a mark."""
    return re.sub(r"(\[[a-z#/@][^\[]*?\])", r"\\\1", text)


def _not_loaded() -> None:
    """Stand for a command that was not asked for."""


def _print_version(wanted: bool) -> None:
    """Print the version, and those of what computes, and stop."""
    if wanted:
        # Loaded as a command is: what reads the records of packages takes longer to load than shape takes.
        for line in importlib.import_module("convviz.cli.versions").versions():
            typer.echo(line)
        raise typer.Exit


def top(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the versions of convviz and of what computes.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Show what a convolution does to an image.

    Load a picture, choose a Conv2d, see its feature maps as a picture, as tables and as numbers.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def begin() -> None:
    """Bring the process into the state that commands are run in."""
    # Threads are ours to give (convviz.machine.parallel); without its
    # own, numpy's BLAS also loads a third sooner.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Loading modules makes many objects and no garbage: looking for some as often as usual took 6 % of a run.
    gc.set_threshold(100_000)
    open_streams()
    raise_when_ended()
    # A shell takes one word a line, with its help: rich would break it where a terminal ends.
    if _COMPLETION in os.environ:
        os.environ["COLUMNS"] = str(_MOST_COLUMNS)
    # Nothing can be laid out in fewer columns; rich would print nothing, and 0 is what no terminal has.
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns) < _LEAST_COLUMNS:
        os.environ["COLUMNS"] = str(_LEAST_COLUMNS if int(columns) else 80)
    # Who does not say what the terminal can do gets plain text; on Windows nobody says it.
    if not os.environ.get("TERM") and sys.platform != "win32":
        os.environ["TERM"] = "dumb"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``convviz``; those of the process by default.
    """
    begin()
    try:
        status = status_of(sys.argv[1:] if arguments is None else arguments)
    except (KeyboardInterrupt, Ended):  # another one, while the first was seen to
        delete_unfinished()
        status = Exit.INTERRUPTED
    # All files are closed and all is written. To take the process apart took another 18 % of a run.
    os._exit(status)


def status_of(arguments: Sequence[str]) -> int:
    """Run the command line and give its exit status; a bug leaves as a traceback."""
    stdout = sys.stdout  # a command that writes a file there prints to stderr
    try:
        status = _status_of(arguments)
        stdout.flush()
    except TextError as error:
        status = _failed(str(error), Exit.USAGE)
        _point(error.text, error.at)
    except ConvvizError as error:
        meant = module_meant(str(error), arguments)
        told = f"{error} (a torch module is given by --model: {meant})" if meant else str(error)
        status = _failed(told, STATUS[type(error)])
    except NobodyReads:
        status = Exit.OK
    except KeyboardInterrupt:
        status = _failed("interrupted.", Exit.INTERRUPTED)
    except Ended as end:
        status = _failed(f"ended by {end.number.name}.", Exit.SIGNAL + end.number)
    finally:
        sys.stdout = stdout
        # Whatever happened, and wherever: what is not whole goes away.
        delete_unfinished()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return status


def _status_of(arguments: Sequence[str]) -> int:
    """Run the command line; what Typer and the interpreter raise becomes a message."""
    # A command is named first; what completes a line for the shell gets the line in another way.
    app = make_app(COMMANDS if _COMPLETION in os.environ else arguments[:1])
    try:
        status = app(list(arguments), prog_name="convviz", standalone_mode=False)
    except typer.TyperException as error:
        message = _usage(error, arguments)
        if message.startswith("no such option") and (word := _dashed_name(arguments)):
            # Neither the nearest option nor the list of all is what is looked for.
            unknown = message.partition(" (convviz ")[0].partition("; did you")[0]
            message = f"{unknown}; write ./{word} for a file whose name begins with '-'"
        return _failed(message, Exit.USAGE)
    except MemoryError as error:
        return _failed(
            f"not enough memory ({error or 'none left'}); make the layer or the picture smaller.", Exit.USAGE
        )
    except typer.Abort:
        raise KeyboardInterrupt from None
    if status == Exit.INTERRUPTED:  # Typer makes a status of Ctrl-C
        raise KeyboardInterrupt
    return status if isinstance(status, int) else Exit.OK


def _dashed_name(arguments: Sequence[str]) -> str | None:
    """Find a word that is the name of a file, and was taken for an option."""
    return next((word for word in arguments if word.startswith("-") and _ENDING.search(word)), None)


def _failed(message: str, status: int) -> int:
    """Complain, after all that stands on stdout; gives the status."""
    with contextlib.suppress(NobodyReads, OutputError):
        sys.stdout.flush()
    _complain(message)
    return status


def _complain(message: str) -> None:
    """Write one line on stderr."""
    with contextlib.suppress(OSError):  # there is nobody else to tell
        print(f"convviz: {printable(message)}", file=sys.stderr)  # noqa: T201  # the one place that reports errors


def _point(text: str, at: int) -> None:
    """Show the culprit in what the user wrote; what cannot be printed takes more than its place."""
    before = printable(text[:at])
    with contextlib.suppress(OSError):
        sys.stderr.write(f"  {before}{printable(text[at:])}\n  {' ' * len(before)}^\n")


def _usage(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Describe what is wrong with a command line, the option that was meant, and where all are listed."""
    message = _lower(error.format_message())
    context, typed = getattr(error, "ctx", None), getattr(error, "option_name", None)
    if context is not None and typed is not None and hasattr(error, "possibilities"):
        near = meant_by(typed, _options(context.command))
        message = f"no such option: {typed}" + (f"; did you mean {near}?" if near else "")
    if arguments and arguments[0] in COMMANDS:
        return f"{message} (convviz {arguments[0]} --help lists the options)"
    return f"{message} (convviz --help lists the commands)"


def _options(command: typer.core.TyperCommand) -> list[str]:
    """List the options of a command, those that switch something off too."""
    return [name for one in command.params for name in (*one.opts, *one.secondary_opts)]


def _lower(message: str) -> str:
    """Bring a message of Typer into the form of our own."""
    return (message[:1].lower() + message[1:]).rstrip(".")
