"""``convviz inspect``."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer, answer_json
from convviz.cli.options import OPTIONS, Json, settings_in
from convviz.text import printable


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
    command = shlex.join(["convviz", "run", "INPUT", *_options(found)])
    if json:
        answer_json({"path": str(file), **found, "command": command})
        return
    width = max(map(len, found), default=0)
    for name, value in found.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        answer(f"{printable(name):{width}}  {printable(text)}")
    answer()
    answer(printable(command))


def _options(found: dict[str, Any]) -> list[str]:
    """Write the settings as they would be typed."""
    words: list[str] = []
    for name, value in found.items():
        if name.replace("-", "_") not in (*OPTIONS, "partial"):
            continue
        for text in value if isinstance(value, list) else [value]:
            if text in ("true", "false"):
                words.append(f"--{'no-' if text == 'false' else ''}{name}")
            else:
                words += [f"--{name}={text}"] if str(text).startswith("-") else [f"--{name}", str(text)]
    return words
