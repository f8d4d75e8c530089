"""``convviz explain``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convviz import parsing
from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import OUTPUT, Force, Json, with_settings
from convviz.errors import SpecError
from convviz.geometry import HW, check_inside, padding_shares
from convviz.settings import ComputeSettings, InputSettings, LayerSettings
from convviz.text import number, printable


@with_settings
def explain(
    input: Annotated[
        str, typer.Argument(metavar="INPUT", help="An image, numbers (.json .csv .npy), or - for stdin.")
    ],
    layer: LayerSettings,
    reading: InputSettings,
    compute: ComputeSettings,
    at: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.position("at"),
            metavar="Y,X",
            rich_help_panel="What",
            help="The output value to take apart.",
        ),
    ] = None,
    map: Annotated[
        int | None,
        typer.Option(
            parser=parsing.whole("map", least=0),
            metavar="N",
            rich_help_panel="What",
            help="The map it stands in.",
        ),
    ] = None,
    pixel: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.position("pixel"),
            metavar="Y,X",
            rich_help_panel="What",
            help="The other direction: every output that this input pixel feeds.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help="Draw the arithmetic of --at: .png or .svg.",
        ),
    ] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Take one output value apart: what is multiplied by what, and how it adds up.

    For every plane the patch under the window, the kernel, the products and their sum; then the sums and
    the bias, beside the value that the backend computed. Padding stands in brackets.

    For example:

        convviz explain cat.jpg --at 10,20 -K sobel-x -p 1

        convviz explain cat.jpg --pixel 0,0 --padding 1
    """
    if (at is None) == (pixel is None):
        raise SpecError("give --at Y,X for an output value, or --pixel Y,X for an input pixel, and not both.")
    if output is not None and (at is None or output.suffix.lower() not in (".png", ".svg")):
        raise SpecError("output: a drawing goes with --at, and its name ends in .png or .svg.")

    from convviz import pipeline, weights
    from convviz.cli.reading import read_input

    tapset = weights.prepare(layer)
    picture = read_input(input, reading)
    conv, bank, remarks = weights.build(layer, picture.x.shape[0], tapset=tapset, channels=picture.channels)
    for text in (*picture.remarks, *remarks):
        remark(text)
    if pixel is not None:
        _pixel(conv, picture, bank, pixel, json=json)
    elif at is not None:
        result = pipeline.run(picture, conv, bank, compute.backend, device=compute.device)
        inputs = [] if input == "-" else [Path(input)]
        _value(result, at, map or 0, output, inputs=inputs, json=json, force=force)


def _value(
    result: Any, at: HW, index: int, output: Path | None, *, inputs: list[Path], json: bool, force: bool
) -> None:
    """Explain one output value."""
    from convviz import outputs
    from convviz.render import explanation, shapes, tables
    from convviz.trace import trace

    found = trace(
        result.layer, result.picture, result.filters, result.maps, at, index, backend=result.backend
    )
    if output is not None:
        drawing = explanation.draw(found, result.picture, result.maps)
        outputs.write_drawing(drawing, output, result.description(), force=force, inputs=inputs)
    if json:
        answer_json(_document(found, result))
        return
    for line in explanation.lines(found, result.picture.size, width=tables.console().width):
        answer(line)
    if any(result.layer.edges(result.picture.size)):
        answer(shapes.padding_line(*result.layer.axes(result.picture.size)))
    if output is not None:
        answer(f"\n{printable(str(output))}")


def _document(found: Any, result: Any) -> dict[str, Any]:
    """Everything as plain values."""
    outputs, products = padding_shares(*result.layer.axes(result.picture.size))
    return {
        "at": list(found.at),
        "map": {"index": found.index, "name": found.name},
        "window": {"rows": list(found.rows), "columns": list(found.columns)},
        "channels": [
            {
                "index": channel.channel,
                "name": channel.name,
                "patch": channel.patch.tolist(),
                "kernel": channel.kernel.tolist(),
                "products": channel.products.tolist(),
                "sum": channel.total,
            }
            for channel in found.channels
        ],
        "inside": found.inside.tolist(),
        "bias": found.bias,
        "value": found.total,
        "backend": {"name": found.backend, "value": found.computed, "difference": found.difference},
        "padding_shares": {"outputs": outputs, "products": products},
    }


def _pixel(layer: Any, picture: Any, bank: Any, at: HW, *, json: bool) -> None:
    """List every output that an input pixel feeds."""
    size = picture.size
    check_inside("pixel", at, size, "the input")
    height, width = layer.axes(size)
    feeds = [
        {"output": [y, x], "tap": [row, column]}
        for y, row in height.read_by(at.h)
        for x, column in width.read_by(at.w)
    ]
    planes = layer.weight_shape[1]
    per_group = layer.out_channels // layer.groups
    rows = [
        {
            "map": index,
            "name": bank.names[index],
            "channel": channel,
            **feed,
            "weight": float(bank.weight[index, channel % planes, feed["tap"][0], feed["tap"][1]]),
        }
        for index in range(layer.out_channels)
        for channel in range(index // per_group * planes, (index // per_group + 1) * planes)
        for feed in feeds
    ]
    if json:
        answer_json({"pixel": list(at), "values": picture.x[:, at.h, at.w].tolist(), "feeds": rows})
        return
    from convviz.render import tables

    values = ", ".join(
        f"{name} {number(float(value), digits=6)}"
        for name, value in zip(picture.channels, picture.x[:, at.h, at.w], strict=True)
    )
    answer(f"pixel {at.h},{at.w} ({values}) feeds {len(feeds)} positions of every map that reads it")
    console = tables.console()
    console.print(
        tables.feeds(
            (
                row["name"],
                picture.channels[row["channel"]],
                f"{row['output'][0]},{row['output'][1]}",
                f"{row['tap'][0]},{row['tap'][1]}",
                number(row["weight"], digits=6),
            )
            for row in rows
        )
    )
