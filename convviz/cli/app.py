"""The Typer application, and the one place that turns errors into messages and statuses."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from convviz import __version__
from convviz.cli.commands import animate, batch, code, exercise, explain, kernels, pad, run, shape
from convviz.cli.exits import STATUS, Exit
from convviz.errors import ConvvizError
from convviz.text import printable

app = typer.Typer(
    name="convviz",
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run.run,
    explain.explain,
    pad.pad,
    animate.animate,
    code.code,
    exercise.exercise,
    shape.shape,
    kernels.kernels,
    batch.batch,
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"convviz {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
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
    sys.exit(status_of(sys.argv[1:] if arguments is None else arguments))


def status_of(arguments: Sequence[str]) -> int:
    """Run the command line and give its exit status; a bug leaves as a traceback."""
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
