"""``convviz filters``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from convviz import __version__
from convviz.cli.console import answer, answer_json, answer_path
from convviz.cli.options import OUTPUT, Force, Json, Quiet, check_png, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import announce, stdout_for, tell_replaced
from convviz.files.paths import fitting
from convviz.files.writing import check_place
from convviz.spec import parsing
from convviz.spec.settings import PictureSettings, as_text


@with_settings
def filters(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Weights: .safetensors, .npz, .pt, .pth or .onnx.")
    ],
    picture: PictureSettings,
    layer_name: Annotated[
        str | None,
        typer.Option(
            "--layer", metavar="NAME", rich_help_panel=OUTPUT, help="As convviz layers FILE lists them."
        ),
    ] = None,
    *,
    sort: Annotated[
        str,
        typer.Option(
            parser=parsing.choice("sort", ("stored", "energy")),
            metavar="stored|energy",
            rich_help_panel=OUTPUT,
            help="As they are stored, or the greatest sum of squares first.",
        ),
    ] = "stored",
    top: Annotated[
        int | None,
        typer.Option(
            parser=parsing.whole("top"), metavar="N", rich_help_panel=OUTPUT, help="Only the first N."
        ),
    ] = None,
    frequency: Annotated[
        bool,
        typer.Option(
            "--frequency", rich_help_panel=OUTPUT, help="Beside each, its answer to every frequency."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        output_option("The picture (.png; - for stdout).", "NAME-filters.png"),
    ] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Draw the filters of one layer of trained weights.

    Filters that read three planes are drawn in colour, of others every 2-D kernel by itself.

    For example:

        convviz filters samples/digits.safetensors --layer conv1 --frequency
    """
    target = stdout_for("output", output, ".png", json=json) or Path(fitting(file.stem, "-filters.png"))
    check_png(target)
    from convviz.compute.survey import by_energy, summed_up
    from convviz.files import marks
    from convviz.files.checkpoints import read_checkpoint
    from convviz.render.sheets import filters as drawn
    from convviz.render.words.tables import console, statistics
    from convviz.results import outputs

    check_place(target, force=force, is_ours=marks.is_ours, inputs=[file])
    found = read_checkpoint(file)
    layer = found.find(layer_name)
    weight, _ = found.numbers(layer)
    chosen = (by_energy(weight) if sort == "energy" else list(range(len(weight))))[:top]
    looks = asdict(picture)
    if picture.tile is None or picture.tile == PictureSettings().tile:
        looks["tile"] = 96
    sheet = drawn.draw(layer.name, weight, chosen=chosen, frequency=frequency, **looks)
    more = {"sort": sort, "top": str(top) if top else "", "frequency": "true" if frequency else ""}
    description = {
        "version": __version__,
        "command": "filters",
        "weights": str(file),
        "layer-name": layer.name,
        **{key: text for key, text in more.items() if text not in ("", "stored")},
        **as_text(picture),
    }
    announce(sheet, force=force, quiet=quiet)
    tell_replaced(target, description, quiet=quiet)
    outputs.write_sheet(sheet, target, description, force=force, inputs=[file])
    sums = [(index, summed_up(weight[index])) for index in chosen]
    rows = [(index, f"filter {index}", of.low, of.high, of.mean, of.std) for index, of in sums]
    if json:
        answer_json(
            {
                "path": str(file),
                "layer": layer.name,
                "weight_shape": list(weight.shape),
                "filters": [
                    dict(zip(("index", "min", "max", "mean", "std"), (row[0], *row[2:]), strict=True))
                    for row in rows
                ],
                "files": [str(target)],
            }
        )
        return
    if not quiet:
        screen = console()
        screen.print(statistics(rows, width=screen.width))
        answer()
    answer_path(target, quiet=quiet)
