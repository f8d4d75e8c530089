"""``convviz pad``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, answer_text, remark
from convviz.cli.options import LAYER, OPTIONS, DrawingFile, Force, InputFiles, Json, check_drawing_file
from convviz.cli.settings import with_settings
from convviz.cli.writing import stdout_for, tell_replaced
from convviz.errors import SpecError
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.layers import PADDING_MODES, Conv2d
from convviz.spec.settings import InputSettings, as_text

# Planes up to this size are printed; nobody reads larger ones.
MOST_CELLS = 40


@with_settings
def pad(
    input: InputFiles,
    reading: InputSettings,
    padding: Annotated[str, OPTIONS["padding"]] = "1",
    *,
    padding_mode: Annotated[str, OPTIONS["padding_mode"]] = "zeros",
    kernel_size: Annotated[
        HW | None,
        typer.Option(
            "-k",
            "--kernel-size",
            parser=parsing.pair("kernel_size"),
            metavar="HxW",
            rich_help_panel=LAYER,
            help="Kernel size of the layer, which padding same depends on.  [default: 3]",
        ),
    ] = None,
    all_modes: Annotated[
        bool,
        typer.Option(
            "--all-modes", rich_help_panel=LAYER, help="Show all four padding modes below each other."
        ),
    ] = False,
    output: DrawingFile = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Show the border that padding puts round the planes, as numbers and as a drawing.

    Numbers of the border stand in brackets. In the drawing it is tinted, with a line round the input.

    For example:

        convviz pad numbers.csv --padding 1,0,2,1 --padding-mode reflect

        convviz pad cat.jpg --padding 40 --all-modes -o padding.png
    """
    if all_modes and padding_mode != "zeros":
        raise SpecError("all-modes: shows every mode; leave out --padding-mode.")
    target = stdout_for("output", output, ".png", json=json)
    check_drawing_file(target)

    from convviz import __version__
    from convviz.cli.reading import input_files, read_input
    from convviz.compute import conv
    from convviz.machine import memory
    from convviz.render.drawings import padding as rendering
    from convviz.render.words import tables
    from convviz.results import outputs

    picture = read_input(input, reading)
    modes = PADDING_MODES if all_modes else (padding_mode,)
    layers = [Conv2d(1, 1, kernel_size or 3, padding=padding, padding_mode=mode) for mode in modes]
    edges = layers[0].edges(picture.size)
    padded = {
        mode: conv.pad(picture.x, layer.edges(picture.size), mode)
        for mode, layer in zip(modes, layers, strict=True)
    }
    for text in picture.remarks:
        remark(text)
    if target is not None:
        description: dict[str, Any] = {"version": __version__, "command": "pad", "padding": str(edges)}
        if all_modes:
            description["all-modes"] = "true"
        elif padding_mode != "zeros":
            description["padding-mode"] = padding_mode
        description |= as_text(reading)
        drawing = rendering.draw(picture, padded, edges)
        tell_replaced(target, description)
        outputs.write_drawing(drawing, target, description, force=force, inputs=input_files(input))
    if json:
        values = sum(planes.size for planes in padded.values())
        memory.need_objects(
            values, "the padded planes as JSON", "leave out --json, or make the input smaller"
        )
        answer_json(
            {
                "input_shape": list(picture.x.shape),
                "padding": list(edges),
                "padded": {mode: planes.tolist() for mode, planes in padded.items()},
            }
        )
        return
    answer(f"{picture.size} with padding {edges} (top, bottom, left, right) is {edges.around(picture.size)}")
    if max(edges.around(picture.size)) > MOST_CELLS:
        if target is None:
            remark(f"more than {MOST_CELLS} rows or columns are too many to print; -o FILE.png draws them.")
        padded = {}
    for mode, planes in padded.items():
        answer_text(f"\n{mode} padding; values in brackets are the border\n")
        for line in rendering.lines(picture, planes, edges, width=tables.console().width):
            answer(line)
    if isinstance(target, Path):
        answer()
        answer(str(target))
