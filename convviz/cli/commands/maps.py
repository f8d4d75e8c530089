"""``convviz maps``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import remark
from convviz.cli.options import INPUT, OPTIONS, Force, Json, Quiet, check_picture, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import announce, stdout_for, stem_of, tell_replaced
from convviz.files.paths import fitting, split_member
from convviz.files.writing import check_path
from convviz.spec.settings import SheetSettings

Activations = Annotated[
    Path, typer.Argument(metavar="FILE", help="Stored activations: .npy, .npz or .safetensors.")
]
ArrayName = Annotated[
    str | None,
    typer.Option(
        "--array",
        metavar="NAME",
        rich_help_panel=INPUT,
        help="The array of a file that holds several; FILE.npz:NAME says the same.",
    ),
]
ChannelsLast = Annotated[
    bool,
    typer.Option(
        "--channels-last",
        rich_help_panel=INPUT,
        help="Read the axes as height, width, channels; by default the channels are first.",
    ),
]


@with_settings
def maps(
    file: Activations,
    picture: SheetSettings,
    array: ArrayName = None,
    *,
    channels_last: ChannelsLast = False,
    top: Annotated[Any, OPTIONS["top"]] = None,
    stat: Annotated[Any, OPTIONS["stat"]] = None,
    output: Annotated[
        Path | None,
        output_option("The picture: .png, .svg, .pdf, .webp or .jpg; - for stdout.", "NAME-maps.png"),
    ] = None,
    show: Annotated[bool, OPTIONS["show"]] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Draw stored activations as feature maps, without the layer that made them.

    FILE holds an array (channels, height, width), a batch of one such array, or one map (height, width).

    For example:

        convviz run cat.jpg --out-channels 16 --save activations.npz

        convviz maps activations.npz --array maps --top 9 --colormap viridis
    """
    path, _ = split_member(file)
    default = Path(fitting(stem_of(str(file)), "-maps.png"))
    target = stdout_for("output", output, ".png", json=json) or default
    check_picture(target)
    from convviz.cli.reports import maps as report
    from convviz.files import marks
    from convviz.render.palette import colours
    from convviz.results import outputs, stored_maps

    colours(picture.colormap)
    check_path(target, force=force, is_ours=marks.is_ours, inputs=[path])
    found = stored_maps.maps(file, array=array, channels_last=channels_last, top=top)
    if not quiet:
        for text in found.remarks:
            remark(text)
    sheet = found.sheet(**picture.arguments)
    more = {"array": array or "", "channels-last": "true" if channels_last else "", "top": str(top or "")}
    description = found.description(picture) | {key: text for key, text in more.items() if text}
    announce(sheet, force=force, quiet=quiet)
    tell_replaced(target, description, quiet=quiet)
    outputs.write_sheet(sheet, target, description, force=force, inputs=[path])
    report.show(found, target, stats=stat or (), scales=sheet.scales, json=json, quiet=quiet)
    if show:
        from convviz.cli.show import show_maps

        show_maps(sheet)
