"""The Typer application, and the one place that turns errors into messages and statuses."""

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Collection, Sequence
from typing import Annotated, NoReturn

import typer

from convviz import __version__
from convviz.cli.exits import STATUS, Exit
from convviz.errors import ConvvizError
from convviz.text import printable

# One module and one function of the same name for each, in the order of the help, with the first line of its
# text: so the help of the program loads none of them.
COMMANDS = {
    "run": "Convolve INPUT with the chosen filters and write the feature maps as one picture.",
    "explain": "Take one output value apart: what is multiplied by what, and how it adds up.",
    "pad": "Show the border that padding puts round the planes, as numbers and as a drawing.",
    "animate": "Let the window slide over the input and the output fill, one frame per output value.",
    "code": "Print a short PyTorch program with the same layer, the same weights and the same maps.",
    "exercise": "Make worksheets for a class: an input, a kernel, an empty output, a shape question; "
    "and the answers.",
    "shape": "Calculate the shape that a layer gives, with every number put in.",
    "kernels": "List the presets, or show one as numbers with its source.",
    "batch": "Do what run does for every picture in FOLDER, and write into OUT.",
    "bench": "Time a layer on INPUT with every backend, device and number of threads of this machine.",
}


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
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, summary in COMMANDS.items():
        if name in loaded:
            app.command()(getattr(importlib.import_module(f"convviz.cli.commands.{name}"), name))
        else:
            app.command(name, help=summary)(_not_loaded)
    app.callback(invoke_without_command=True)(top)
    return app


def _not_loaded() -> None:
    """Stand for a command that was not asked for."""


def _print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"convviz {__version__}")
        raise typer.Exit


def top(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Show what a convolution does to an image.

    Load a picture, choose a Conv2d, see its feature maps as a picture, as tables and as numbers.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``convviz``; those of the process by default.
    """
    # Threads are ours to give (convviz.parallel); without its own, numpy's BLAS also loads a third sooner.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Loading modules makes many objects and no garbage: looking for some as often as usual took 6 % of a run.
    gc.set_threshold(100_000)
    status = status_of(sys.argv[1:] if arguments is None else arguments)
    # All files are closed and all is written. To take the process apart took another 18 % of a run.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it is gone
            if stream is not None:
                stream.flush()
    os._exit(status)


def status_of(arguments: Sequence[str]) -> int:
    """Run the command line and give its exit status; a bug leaves as a traceback."""
    # A command is named first; what completes a line for the shell gets the line in another way.
    app = make_app(COMMANDS if "_CONVVIZ_COMPLETE" in os.environ else arguments[:1])
    try:
        status = app(list(arguments), prog_name="convviz", standalone_mode=False)
        sys.stdout.flush()
        if status == Exit.INTERRUPTED:  # Typer makes a status of Ctrl-C
            _complain("interrupted.")
    except ConvvizError as error:
        _complain(str(error))
        return STATUS[type(error)]
    except typer.TyperException as error:
        _complain(_lower(error.format_message()) + " (convviz --help lists what there is)")
        return Exit.USAGE
    except MemoryError as error:
        _complain(f"not enough memory ({error or 'none left'}); make the layer or the picture smaller.")
        return Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted.")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    return status if isinstance(status, int) else Exit.OK


def _complain(message: str) -> None:
    """Write one line on stderr."""
    print(f"convviz: {printable(message)}", file=sys.stderr)  # noqa: T201  # the one place that reports errors


def _lower(message: str) -> str:
    """Bring a message of Typer into the form of our own."""
    return (message[:1].lower() + message[1:]).rstrip(".")
