"""The maps of a sheet in the terminal, each as large as it fits."""

import logging
import os
import sys
from typing import Any

from convviz.cli.console import answer, remark
from convviz.render import terminal
from convviz.render.sheets.layout import Sheet
from convviz.render.words import tables
from convviz.spec.geometry import HW
from convviz.typing import Bytes

# Maps that are shown: each takes a screen.
MOST = 16
# The protocol of Kitty counts no further.
_MOST_CELLS = 200


def show_maps(sheet: Sheet) -> None:
    """Show the maps of a sheet; if stdout is not a terminal, say so and do nothing."""
    if not sys.stdout.isatty():
        remark("--show needs a terminal; stdout is not one, so nothing is shown.")
        return
    screen = tables.console()
    # One line for the caption, and one for the next prompt.
    room = HW(max(screen.height - 2, 1), screen.width)
    in_colour = screen.color_system is not None and not screen.no_color and _encodes(terminal.HALF_BLOCK)
    picture = _pictures() if in_colour else None
    if not in_colour:
        answer()
        answer(f"black {terminal.DARKNESS[::-1].replace(' ', '')} white")
    for tile in sheet.maps[:MOST]:
        answer()
        answer("  ".join((tile.name, tile.note, *([tile.bar.words] if tile.bar else []))))
        levels = tile.levels[:]
        if picture is not None:
            picture(levels, room)
        elif in_colour:
            screen.print(terminal.in_half_blocks(levels, room), end="")
        else:
            for line in terminal.in_characters(levels, room):
                answer(line)
    if len(sheet.maps) > MOST:
        remark(f"--show: {MOST} of {len(sheet.maps)} maps are shown; choose fewer with --top or --layer.")


def _encodes(text: str) -> bool:
    """Return whether stdout can write a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _pictures() -> Any:
    """Ask the terminal whether it draws pictures; return a function that prints one, or None.

    The terminal answers through stdin, so stdin must be the terminal too. The size of its characters
    follows from the number of its rows and columns.
    """
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return None
    if not (sys.stdin.isatty() and columns and rows):
        return None
    # The library logs a warning about terminals that do not answer, which does not concern the user.
    logging.getLogger("textual_image").addHandler(logging.NullHandler())
    sys.stdout.flush()
    from textual_image._terminal import TerminalError, get_cell_size

    refused: tuple[type[Exception], ...] = (OSError, ValueError, TerminalError)
    if sys.platform != "win32":
        import termios

        refused += (termios.error,)
    try:
        # This import asks the terminal.
        from textual_image.renderable import Image, SixelImage, TGPImage

        cell = get_cell_size()
    except refused:
        return None
    if Image not in (SixelImage, TGPImage):
        return None

    from PIL import Image as Pixels
    from rich.console import Console

    screen = Console()

    def show(levels: Bytes, room: HW) -> None:
        room = HW(min(room.h, _MOST_CELLS), min(room.w, _MOST_CELLS))
        large = terminal.fitted(levels, HW(room.h * cell.height, room.w * cell.width))
        h, w = -(-large.shape[0] // cell.height), -(-large.shape[1] // cell.width)
        # The library stretches a picture to whole characters; white paper around it keeps its cells square.
        paper = Pixels.new("RGB", (w * cell.width, h * cell.height), (255, 255, 255))
        paper.paste(Pixels.fromarray(large).convert("RGB"), (0, 0))
        screen.print(Image(paper, width=w, height=h))

    return show
