"""``convviz inspect``."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.app import COMMANDS
from convviz.cli.console import answer, answer_json
from convviz.cli.options import Json
from convviz.cli.retype import options_of
from convviz.cli.settings import settings_in


def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A picture, an animation or an archive that convviz wrote.")
    ],
    json: Json = False,
) -> None:
    """Print the settings that made a file of convviz.

    What is not named was left at its default. run, and every command with a layer, takes the
    settings over with --like.

    For example:

        convviz inspect harbour-maps.png

        convviz run another.jpg --like harbour-maps.png
    """
    found = settings_in(file)
    command = _command(found)
    if json:
        answer_json({**found, "path": str(file), "command": command})
        return
    width = max(map(len, found), default=0)
    for name, value in found.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        answer(f"{name:{width}}  {text}")
    answer()
    answer(command, whole=True)


def _command(found: dict[str, Any]) -> str:
    """Write the command that makes such a file."""
    command = found.get("command")
    command = command if isinstance(command, str) and command in COMMANDS else "run"
    source = {"exercise": [], "filters": [str(found.get("weights", "FILE"))]}.get(command, ["INPUT"])
    if command == "animate" and "size" in found:
        source = []
    return shlex.join(["convviz", command, *source, *options_of(found, command)])
