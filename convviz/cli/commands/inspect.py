"""``convviz inspect``."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.app import COMMANDS, make_app
from convviz.cli.console import answer, answer_json
from convviz.cli.options import NOT_OFFERED, Json, settings_in


def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A picture, an animation or an archive that convviz wrote.")
    ],
    json: Json = False,
) -> None:
    """Print the settings that a file of convviz was made with.

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


# Options with another name than their setting.
_NAMES = {"layer-name": "layer"}


def _command(found: dict[str, Any]) -> str:
    """Write the command that makes such a file."""
    command = found.get("command")
    command = command if isinstance(command, str) and command in COMMANDS else "run"
    source = {"exercise": [], "filters": [str(found.get("weights", "FILE"))]}.get(command, ["INPUT"])
    if command == "animate" and "size" in found:
        source = []
    return shlex.join(["convviz", command, *source, *options_of(found, command)])


def options_of(found: Mapping[str, Any], command: str) -> list[str]:
    """Write the settings as they would be typed; what is no option tells more of the file."""
    group: Any = typer.main.get_command(make_app([command]))
    known = {
        option
        for parameter in group.commands[command].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    words: list[str] = []
    for key, value in found.items():
        name = _NAMES.get(key, key)
        if f"--{name}" not in known or key == "layer":  # as text, beside what it is made of
            continue
        # None describes a file of ours, and whoever pastes the line would write where a stranger chose.
        if name in NOT_OFFERED:
            continue
        for text in value if isinstance(value, list) else [value]:
            if text in ("true", "false"):
                words.append(f"--{'no-' if text == 'false' else ''}{name}")
            else:
                words += [f"--{name}={text}"] if str(text).startswith("-") else [f"--{name}", str(text)]
    return words
