"""Settings as a user would type them: what `inspect` prints, and the page offers."""

from collections.abc import Mapping
from typing import Any

import typer

from convviz.cli.app import make_app
from convviz.cli.settings import NOT_OFFERED

# Options with another name than their setting.
_NAMES = {"layer-name": "layer", "target": "class", "only": "maps"}


def options_of(found: Mapping[str, Any], command: str) -> list[str]:
    """Write the settings as a user would type them; leave out entries that are not options."""
    group: Any = typer.main.get_command(make_app([command]))
    known = {
        option: parameter.name
        for parameter in group.commands[command].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    words: list[str] = []
    for key, value in found.items():
        name = _NAMES.get(key, key)
        if f"--{name}" not in known or key == "layer":  # as text, beside what it is made of
            continue
        # A stranger may have written them into the file, and a user who pastes the line would write there.
        if known[f"--{name}"] in NOT_OFFERED:
            continue
        for text in value if isinstance(value, list) else [value]:
            if text in ("true", "false"):
                words.append(f"--{'no-' if text == 'false' else ''}{name}")
            else:
                words += [f"--{name}={text}"] if str(text).startswith("-") else [f"--{name}", str(text)]
    return words
