"""A Typer program with as many commands and options as convviz, of which none does anything."""

import inspect
import json
import os
from typing import Annotated

import typer

app = typer.Typer(
    name="empty", pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


def add(name, options):
    """Add a command that takes words and so many options, and says how many."""

    def command(**given):
        typer.echo(f"{name}: {len(given)}")

    parameters = [
        inspect.Parameter(
            "words",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[list[str] | None, typer.Argument()],
        )
    ]
    for index in range(options):
        parameters.append(
            inspect.Parameter(
                f"option_{index}",
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[
                    str | None,
                    typer.Option(f"--option-{index}", help="What it does.", rich_help_panel="Panel"),
                ],
            )
        )
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    app.command(name)(command)


for name, options in json.loads(os.environ["COMMANDS"]).items():
    add(name, options)
app()
