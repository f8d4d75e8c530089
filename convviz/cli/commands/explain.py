"""``convviz explain``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import DrawingFile, Force, InputFiles, Json, check_drawing_file, map_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import stdout_for, tell_replaced
from convviz.errors import SpecError
from convviz.spec import parsing
from convviz.spec.geometry import HW, padding_shares
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings
from convviz.text import number, plural


@with_settings
def explain(
    input: InputFiles,
    layer: LayerSettings,
    reading: InputSettings,
    *,
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
    map: Annotated[int | None, map_option("What", "The map it stands in.")] = None,
    pixel: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.position("pixel"),
            metavar="Y,X",
            rich_help_panel="What",
            help="The other direction: every output that this input pixel feeds.",
        ),
    ] = None,
    weight: Annotated[
        Any,  # Typer would take a tuple for four words
        typer.Option(
            parser=parsing.place("weight"),
            metavar="O,I,Y,X",
            rich_help_panel="What",
            help="One weight: every input that it multiplies, every output that it feeds.",
        ),
    ] = None,
    as_matrix: Annotated[
        bool,
        typer.Option(
            "--as-matrix",
            rich_help_panel="What",
            help="The layer as matrix products: im2col, and one matrix for a map.",
        ),
    ] = False,
    output: DrawingFile = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Take one output value apart: what is multiplied by what, and how it adds up.

    For every plane the patch under the window, the kernel, the products and their sum; then the sums and
    the bias, beside the value that the backend computed. Padding stands in brackets.

    For example:

        convviz explain cat.jpg --at 10,20 -K sobel-x -p 1

        convviz explain cat.jpg --pixel 0,0 --padding 1

        convviz explain cat.jpg --weight 0,2,1,1 --padding 1 -o weight.png

        convviz explain cat.jpg --as-matrix --resize 6 --out-channels 2
    """
    if sum(value is not None for value in (at, pixel, weight)) + as_matrix != 1:
        raise SpecError(
            "give one of --at Y,X for an output value, --pixel Y,X for an input pixel, --weight O,I,Y,X "
            "for a weight, --as-matrix for the whole layer."
        )
    if weight is not None and map is not None:
        raise SpecError("map: a weight belongs to one filter, the first number of --weight; leave out --map.")
    target = stdout_for("output", output, ".png", json=json)
    check_drawing_file(target)

    from convviz.cli.reading import input_files, read_input
    from convviz.compute import filters
    from convviz.results import feature_maps, outputs

    tapset = filters.prepare(layer)
    picture = read_input(input, reading)
    conv, bank, remarks = filters.build(layer, picture.x.shape[0], tapset=tapset, channels=picture.channels)
    for text in (*picture.remarks, *remarks):
        remark(text)
    result = feature_maps.run(picture, conv, bank, backend=compute.backend, device=compute.device)
    if at is not None:
        explained = _value(result, at, map or 0)
    elif pixel is not None:
        explained = _pixel(result, pixel, map or 0)
    elif weight is not None:
        explained = _weight(result, weight)
    else:
        explained = _matrix(result, map or 0)

    if target is not None:
        inputs = [*layer.files, *input_files(input)]
        places = {"at": at, "pixel": pixel, "weight": weight}
        description = {
            **result.description(layer, reading),
            "command": "explain",
            **{
                key: ",".join(str(part) for part in place)
                for key, place in places.items()
                if place is not None
            },
            **({"as-matrix": "true"} if as_matrix else {}),
            **({"map": str(map)} if map is not None else {}),
        }
        tell_replaced(target, description)
        outputs.write_drawing(explained.draw(), target, description, force=force, inputs=inputs)
    if json:
        answer_json(explained.document())
        return
    explained.show()
    if isinstance(target, Path):
        answer()
        answer(str(target))


@dataclass(frozen=True, slots=True)
class _Explained:
    """The three ways to give an answer, each made when it is asked for."""

    show: Callable[[], None]
    document: Callable[[], dict[str, Any]]
    draw: Callable[[], Any]


def _value(result: Any, at: HW, index: int) -> _Explained:
    """Explain one output value."""
    from convviz.explain.trace import trace
    from convviz.render.drawings import explanation
    from convviz.render.words import shapes, tables

    axes = result.layer.axes(result.picture.size)
    found = trace(
        result.layer,
        result.picture,
        result.filters,
        maps=result.maps,
        at=at,
        index=index,
        backend=result.backend,
    )

    def show() -> None:
        for line in explanation.lines(found, result.picture.size, width=tables.console().width):
            answer(line)
        if any(result.layer.edges(result.picture.size)):
            answer(shapes.padding_line(*axes))

    def document() -> dict[str, Any]:
        outputs, products = padding_shares(*axes)
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

    return _Explained(show, document, lambda: explanation.draw(found, result.picture, result.maps))


def _pixel(result: Any, at: HW, index: int) -> _Explained:
    """List every output that an input pixel feeds."""
    from convviz.explain.trace import check_index, trace_pixel
    from convviz.render.drawings import reach
    from convviz.render.words import tables

    check_index("map", index, result.layer.out_channels)
    picture = result.picture
    feeds = trace_pixel(result.layer, picture, result.filters, at=at)
    values = picture.x[:, at.h, at.w]

    def show() -> None:
        words = ", ".join(
            f"{name} {number(float(value), digits=6)}"
            for name, value in zip(picture.channels, values, strict=True)
        )
        count = len({feed.output for feed in feeds})
        answer(f"pixel {at.h},{at.w} ({words}) feeds {plural(count, 'position')} of every map that reads it")
        copied = any(feed.cell != at for feed in feeds)
        if copied:
            answer("cells in brackets are copies of it in the padding")
        if not feeds:
            answer("no window holds it: the stride passes it by, or it lies past the last window")
            return
        tables.console().print(
            tables.feeds(
                (
                    (
                        result.names[feed.index],
                        picture.channels[feed.channel],
                        f"{feed.output.h},{feed.output.w}",
                        f"{feed.tap.h},{feed.tap.w}",
                        number(feed.weight, digits=6),
                        f"{feed.cell.h},{feed.cell.w}"
                        if feed.cell == at
                        else f"({feed.cell.h},{feed.cell.w})",
                    )
                    for feed in feeds
                ),
                cells=copied,
            )
        )

    def document() -> dict[str, Any]:
        return {
            "pixel": list(at),
            "values": values.tolist(),
            "feeds": [
                {
                    "map": feed.index,
                    "name": result.names[feed.index],
                    "channel": feed.channel,
                    "output": list(feed.output),
                    "tap": list(feed.tap),
                    "weight": feed.weight,
                    "cell": list(feed.cell),
                }
                for feed in feeds
            ],
        }

    def draw() -> Any:
        return reach.draw_pixel(
            at, feeds, result.layer, picture=picture, filters=result.filters, maps=result.maps, index=index
        )

    return _Explained(show, document, draw)


def _weight(result: Any, place: tuple[int, int, int, int]) -> _Explained:
    """Show what one weight multiplies and what it feeds."""
    from convviz.explain.trace import trace_weight
    from convviz.render.drawings import reach
    from convviz.render.words import tables

    found = trace_weight(result.layer, result.picture, result.filters, place=place)

    def show() -> None:
        for line in reach.lines(found, result.picture.size):
            answer(line)
        answer()
        tables.console().print(tables.products(reach.rows_of(found)))

    def document() -> dict[str, Any]:
        return {
            "weight": {"index": list(place), "value": found.weight},
            "map": {"index": place[0], "name": found.name},
            "channel": {"index": found.channel, "name": found.channel_name},
            "rows": list(found.rows),
            "columns": list(found.columns),
            "values": found.values.tolist(),
            "inside": found.inside.tolist(),
            "products": found.products.tolist(),
        }

    def draw() -> Any:
        return reach.draw_weight(
            found, result.layer, result.picture, filters=result.filters, maps=result.maps
        )

    return _Explained(show, document, draw)


def _matrix(result: Any, index: int) -> _Explained:
    """Write the layer as matrix products."""
    from convviz.explain.unfold import unfold
    from convviz.render.drawings import product
    from convviz.render.words import tables

    found = unfold(
        result.layer, result.picture, result.filters, maps=result.maps, index=index, backend=result.backend
    )

    def show() -> None:
        for line in product.lines(found, width=tables.console().width):
            answer(line)

    def document() -> dict[str, Any]:
        return {
            "map": {"index": found.index, "name": found.name},
            "im2col": {
                "filters": found.filters.tolist(),
                "windows": found.windows.tolist(),
                "maps": found.maps.tolist(),
            },
            "matrix": found.matrix.tolist(),
            "input": found.inputs.tolist(),
            "bias": found.bias.tolist(),
            "values": found.values.tolist(),
            "difference": found.difference,
        }

    return _Explained(show, document, lambda: product.draw(found))
