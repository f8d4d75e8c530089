"""``convviz exercise``."""

from pathlib import Path
from typing import Annotated

import typer

from convviz.cli.console import answer, answer_text
from convviz.cli.options import Force, output_option
from convviz.cli.settings import with_settings_told
from convviz.errors import SpecError
from convviz.files.paths import ending_of
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.settings import LayerSettings, as_text
from convviz.spec.wanted import NetworkSettings

SHEET = "Sheet"

Size = Annotated[
    HW,
    typer.Option(
        parser=parsing.pair("size"), metavar="HxW", rich_help_panel=SHEET, help="Size of the input."
    ),
]
Channels = Annotated[
    int,
    typer.Option(
        parser=parsing.whole("channels", most=16),
        metavar="N",
        rich_help_panel=SHEET,
        help="Channels of the input.",
    ),
]
Sheets = Annotated[
    int,
    typer.Option(
        parser=parsing.whole("sheets", most=1000),
        metavar="N",
        rich_help_panel=SHEET,
        help="Number of sheets, each with its own values.",
    ),
]


@with_settings_told(
    out_channels="Number of filters: by default as many as the kernels make, or 1. The filters without a "
    "kernel are the seeded ones.",
    seed="Chooses all numbers of the sheets; the same seed, the same sheets.",
)
def exercise(
    layer: LayerSettings,
    # Typer parses a default as it parses what is typed.
    size: Size = "5",  # type: ignore[assignment]
    channels: Channels = "1",  # type: ignore[assignment]
    *,
    sheets: Sheets = "1",  # type: ignore[assignment]
    network: NetworkSettings,
    output: Annotated[
        Path | None,
        output_option(
            "Where to write: .md, or .html to print. The answers go beside it, as NAME-answers. "
            "- prints both to stdout, as without it."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Make worksheets for a class: an input, a kernel, an empty output, a shape question; and the answers.

    --seed chooses the numbers: the same seed makes the same sheets and the same answers. One filter, unless
    --out-channels or --kernel say more. Without --output both are printed as Markdown. With a network the
    sheets have the kernel size, stride, padding and dilation of its layer, and small numbers all the same.

    For example:

        convviz exercise --size 4x4 --padding 1 --seed 3

        convviz exercise --sheets 30 --stride 2 -o class.html

        convviz exercise --net lenet5 --layer conv1 --size 8
    """
    if str(output) == "-":
        output = None
    if output is not None and output.suffix.lower() not in (".md", ".html"):
        raise SpecError(f"output: a worksheet ends in .md or .html, not {ending_of(output)}.")

    from convviz import __version__
    from convviz.results import outputs
    from convviz.results.exercise import make_sheets, pages

    if network.given:
        from convviz.compute import networks
        from convviz.results.context import settings_of

        layer = settings_of(networks.source_of(network, layer), layer)
    made = make_sheets(layer, size=size, channels=channels, sheets=sheets)
    if output is None:
        answer_text("\n".join(pages(made)).rstrip("\n"))
        return
    beside = output.with_name(f"{output.stem}-answers{output.suffix}")
    description = {"version": __version__, "command": "exercise", **as_text(network, layer)}
    description |= {"size": str(size), "channels": str(channels), "sheets": str(sheets)}
    texts = pages(made, html=output.suffix.lower() == ".html")
    for path, text in zip((output, beside), texts, strict=True):
        outputs.write_page(text, path, description, force=force)
        answer(str(path))
