"""``convviz run``."""

import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz import files, parsing
from convviz.cli.commands.code import program_of, refuse_stdin
from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import (
    OUTPUT,
    Force,
    InputFile,
    Json,
    LayersText,
    NetName,
    Quiet,
    with_settings,
)
from convviz.errors import SpecError, UnknownNameError
from convviz.geometry import HW, check_inside
from convviz.settings import ComputeSettings, InputSettings, LayerSettings, PictureSettings, as_text
from convviz.text import printable


@with_settings
def run(
    input: InputFile,
    layer: LayerSettings,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: PictureSettings,
    check: Annotated[
        bool,
        typer.Option("--check", rich_help_panel="Compute", help="Run both backends; fail on a difference."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help="The picture (.png).",
            show_default="NAME-maps.png",
        ),
    ] = None,
    maps: Annotated[
        Path | None, typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Write every map, full size.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=OUTPUT, help="Write exact numbers: .npz, .npy or .safetensors."
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", rich_help_panel=OUTPUT, help="Show what each plane adds to each map.")
    ] = False,
    table: Annotated[
        bool, typer.Option("--table", rich_help_panel=OUTPUT, help="Print the values of every map.")
    ] = False,
    code: Annotated[
        bool,
        typer.Option("--code", rich_help_panel=OUTPUT, help="Print the PyTorch program of this run too."),
    ] = False,
    at: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.position("at"),
            metavar="Y,X",
            rich_help_panel=OUTPUT,
            help="Centre the table of a large map here.",
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", rich_help_panel=OUTPUT, help="Show the picture in the terminal.")
    ] = False,
    layers: LayersText = None,
    net: NetName = None,
    layer_name: Annotated[
        str | None,
        typer.Option("--layer", metavar="NAME", rich_help_panel=OUTPUT, help="Of a net, this layer in full."),
    ] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Convolve INPUT with the chosen filters and write the feature maps as one picture.

    Without --kernel the filters are those of a new torch.nn.Conv2d. The picture keeps the sign of the
    output: where a value is negative, mid grey is 0. Captions give the minimum and the maximum.

    For example:

        convviz run cat.jpg --out-channels 6 --padding 1

        convviz run cat.jpg -K sobel -K gaussian:sigma=2 --stride 2 -o small.png
    """
    target = output if output is not None else default_output(input)
    if target.suffix.lower() != ".png":
        raise SpecError(f"output: the picture is a PNG, so its name ends in .png, not {target.suffix!r}.")

    if layers is not None or net is not None:
        if (layers is not None and net is not None) or replace(layer, seed=0) != LayerSettings():
            raise SpecError("layers, net: give one of them, and of the options of a layer --seed alone.")
        if maps is not None or partial or table or code or at is not None or check:
            raise SpecError(
                "layers, net: leave out --maps, --partial, --table, --at, --code and --check, "
                "which are for one layer."
            )
        _run_net(
            input,
            target,
            layers,
            net,
            layer_name,
            layer.seed,
            reading,
            compute,
            picture,
            save,
            json,
            force,
            quiet,
        )
        return
    if layer_name is not None:
        raise SpecError("layer: goes with --layers or --net.")
    if code:
        refuse_stdin(input)

    from convviz import arrays, marks, memory, outputs, pipeline, weights
    from convviz.cli.progress import progress
    from convviz.cli.reading import input_files, read_input
    from convviz.render.tone import colours

    colours(picture.colormap)
    if save is not None and save.suffix.lower() not in arrays.WRITABLE:
        raise SpecError(
            f"save: the name of exact numbers ends in {', '.join(arrays.WRITABLE)}, not {save.suffix!r}."
        )
    inputs = [*layer.files, *input_files(input)]
    for place in filter(None, (target, save)):
        files.check_place(place, force=force, is_ours=marks.is_ours, inputs=inputs)
    if maps is not None:
        files.check_folder(maps)
    tapset = weights.prepare(layer)

    start = time.perf_counter()
    with progress(None, "reading", wanted=not quiet):
        image = read_input(input, reading)
    read_seconds = time.perf_counter() - start
    conv, bank, remarks = weights.build(layer, image.shape[0], tapset=tapset, channels=image.channels)
    whole = save is not None or table or check or partial or layer.flip
    result = pipeline.run(image, conv, bank, compute.backend, device=compute.device, keep=whole)
    if at is not None:
        check_inside("at", at, HW(*result.shape[1:]), "the maps")
    agreement = pipeline.check(result, device=compute.device) if check else None
    text = program_of(input, image, conv, bank, layer, reading) if code else ""
    parts = result.partial() if partial else None
    # Where every kernel is symmetric there is nothing to draw.
    differences = result.flip_difference() if layer.flip and not all(bank.symmetric) else None
    changed = None if differences is None else result.largest(differences)
    start = time.perf_counter()
    with progress(result.shape[1], "rows", wanted=not quiet) as advance:
        found = result.summary(picture.tile, moments=not quiet or json, advance=advance)
    # Maps that are not kept are computed while they are looked through.
    compute_seconds = result.seconds or time.perf_counter() - start

    start = time.perf_counter()
    description = result.description(layer, reading, picture) | ({"partial": "true"} if partial else {})
    sheet = result.sheet(**asdict(picture), parts=parts, differences=differences)
    with progress(sheet.height, "rows of the sheet", wanted=not quiet) as advance:
        outputs.write_sheet(sheet, target, description, force=force, inputs=inputs, advance=advance)
    written = [target]
    if maps is not None:
        with progress(result.shape[0] * result.shape[1], "rows of maps", wanted=not quiet) as advance:
            written += outputs.write_maps(
                result.names,
                HW(*result.shape[1:]),
                [(of.low, of.high) for of in found.maps],
                result.bands,
                maps,
                description,
                colormap=picture.colormap,
                scale=picture.scale,
                force=force,
                inputs=inputs,
                advance=advance,
            )
    if save is not None:
        stored = result.arrays(parts=parts, differences=differences)
        outputs.save_arrays(stored, save, description, force=force, inputs=inputs)
        written.append(save)
    write_seconds = time.perf_counter() - start

    if not quiet:
        for text in (*image.remarks, *remarks):
            remark(text)
        if compute.backend == "auto":
            remark(f"backend: {result.backend} (auto)")
        if agreement is not None:
            first, second = agreement.backends
            remark(
                f"check: {first} and {second} agree within {agreement.difference:.2g} "
                f"({agreement.relative:.1e} of the largest possible value)"
            )
    if json:
        seconds = {"read": read_seconds, "compute": compute_seconds, "write": write_seconds}
        document = _document(result, input, reading, written, seconds)
        if parts is not None:
            document["partial"] = {"difference": result.apart(parts)}
        if layer.flip:
            document["flip"] = {
                "difference": changed[0] if changed else 0.0,
                "symmetric": list(bank.symmetric),
            }
        if table:
            count = math.prod(result.shape) * (1 if parts is None else 1 + parts.shape[1])
            memory.need_objects(count, "the values as JSON", "leave out --table, or take --save")
            document["values"] = result.maps.tolist()
            if parts is not None:
                document["partial"]["values"] = parts.tolist()
        answer_json(document)
    elif quiet:
        for path in written:
            answer(str(path))
    else:
        _report(result, written, parts=parts, flipped=layer.flip, changed=changed, table=table, at=at)
        if code:
            answer("\n" + text)
    if show:
        _show(sheet.image())


def _run_net(
    input: str,
    target: Path,
    layers: str | None,
    name: str | None,
    only: str | None,
    seed: int,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: PictureSettings,
    save: Path | None,
    json: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Compute several layers and draw a strip for each."""
    import numpy as np

    from convviz import __version__, arrays, forward, marks, outputs
    from convviz.cli.reading import input_files, read_input
    from convviz.net import find_net, parse_layers
    from convviz.render import strips, tables
    from convviz.render.tone import colours

    colours(picture.colormap)
    found = parse_layers(layers) if layers is not None else find_net(name or "")
    if only is not None and only not in {step.name for step in found.steps}:
        raise UnknownNameError("layer", only, [step.name for step in found.steps])
    if save is not None and save.suffix.lower() not in arrays.ARCHIVES:
        raise SpecError(
            f"save: of a net, the name ends in {', '.join(arrays.ARCHIVES)}, not {save.suffix!r}."
        )
    inputs = input_files(input)
    for place in filter(None, (target, save)):
        files.check_place(place, force=force, is_ours=marks.is_ours, inputs=inputs)
    image = read_input(input, reading)
    placed = found.place(image.shape)
    made = forward.run_net(found, image.x, seed=seed, backend=compute.backend)
    chosen = {"layers": layers, "net": name, "layer-name": only, "seed": str(seed) if seed else None}
    description = {
        "version": __version__,
        **{key: value for key, value in chosen.items() if value is not None},
        **as_text(reading, picture),
    }
    looks = asdict(picture)
    if only is None and picture.tile == PictureSettings().tile:
        looks["tile"] = strips.TILE
    title = layers or found.name
    sheet = strips.draw(image, title, placed, made, only=only, **looks)
    outputs.write_sheet(sheet, target, description, force=force, inputs=inputs)
    written = [target]
    if save is not None:
        outputs.save_arrays({"input": image.x, **made}, save, description, force=force, inputs=inputs)
        written.append(save)
    rows: list[tuple[int, str, float, float, float, float]] = []
    for index, one in enumerate(placed):
        low, high, mean, std = (float(of(made[one.name])) for of in (np.min, np.max, np.mean, np.std))
        rows.append((index, one.name, low, high, mean, std))
    if json:
        answer_json(
            {
                "input": _input_document(input, image, reading),
                "output_shape": list(placed[-1].output_shape),
                "parameters": sum(one.layer.parameters for one in placed),
                "macs": sum(one.macs for one in placed),
                "layers": [
                    {"name": one.name, "layer": repr(one.layer), "output_shape": list(one.output_shape)}
                    | dict(zip(("min", "max", "mean", "std"), row[2:], strict=True))
                    for one, row in zip(placed, rows, strict=True)
                ],
                "files": [str(path) for path in written],
            }
        )
        return
    if not quiet:
        for text in image.remarks:
            remark(text)
        screen = tables.console()
        screen.print(tables.statistics(rows, width=screen.width))
        answer()
    for path in written:
        answer(str(path) if quiet else printable(str(path)))


def default_output(name: str) -> Path:
    """Name the picture after its input, in the current folder."""
    return Path(files.fitting("stdin" if name == "-" else Path(name).stem, "-maps.png"))


def _report(
    result: Any,
    written: list[Path],
    *,
    parts: Any,
    flipped: bool,
    changed: tuple[float, str, HW] | None,
    table: bool,
    at: HW | None,
) -> None:
    """Print the layer, the maps and what was written."""
    from convviz.render import shapes, tables

    size = result.picture.size
    for line in result.layer.torch_repr(size).split("\n"):
        answer(line)
    answer(result.layer.sentence)
    answer(f"shapes: {result.picture.shape[0]}x{size} -> {'x'.join(map(str, result.shape))}")
    for line in shapes.counting(result.layer, size):
        answer(line)
    if result.layer.groups > 1:
        for line in shapes.group_map(result.layer, size, result.picture.channels, result.names):
            answer(printable(line))
    if parts is not None:
        apart = result.apart(parts)
        answer(f"parts: the sums of the columns and the bias differ from the maps by {apart:.2g} at most")
    if flipped:
        for line in shapes.flip_lines(result.names, result.filters.symmetric, changed):
            answer(printable(line))
    answer()
    console = tables.console()
    rows = [(row.index, row.name, row.min, row.max, row.mean, row.std) for row in result.statistics()]
    console.print(tables.statistics(rows, width=console.width))
    if table:
        for name, values in result.named(parts):
            answer(f"\n{printable(name)}  {HW(*values.shape)}")
            body, left_out = tables.values(values, at=at, width=console.width)
            console.print(body)
            if left_out:
                answer(left_out)
    answer()
    for path in written:
        console.print(tables.plain(str(path)), soft_wrap=True)


def _show(grid: Any) -> None:
    """Show the picture in the terminal; nothing is asked of it when stdout is not one."""
    import sys

    if not sys.stdout.isatty():
        remark("--show needs a terminal; stdout is not one, so nothing is shown.")
        return
    from textual_image.renderable import Image as TerminalImage

    from convviz.render import tables

    tables.console().print(TerminalImage(grid, width="auto"))


def _input_document(name: str, picture: Any, reading: InputSettings) -> dict[str, Any]:
    """List the input as plain values, with what was done to it."""
    document: dict[str, Any] = {"path": name, "shape": list(picture.shape), "range": reading.range}
    if picture.resized is not None:
        document["resize"] = list(picture.resized)
    if reading.crop is not None:
        document["crop"] = list(reading.crop)
    if picture.normalized is not None:
        document["normalize"] = {
            "mean": list(picture.normalized.mean),
            "std": list(picture.normalized.std),
        }
    return document


def _document(
    result: Any,
    name: str,
    reading: InputSettings,
    written: list[Path],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Everything as plain values."""
    layer, size = result.layer, result.picture.size
    return {
        "input": _input_document(name, result.picture, reading),
        "layer": {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel_size": list(layer.kernel_size),
            "stride": list(layer.stride),
            "padding": list(layer.edges(size)),
            "padding_mode": layer.padding_mode,
            "dilation": list(layer.dilation),
            "groups": layer.groups,
            "bias": layer.bias,
        },
        "output_shape": list(result.shape),
        "parameters": layer.parameters,
        "macs": layer.macs(size),
        "backend": result.backend,
        "maps": [
            {
                "index": row.index,
                "name": row.name,
                "min": row.min,
                "max": row.max,
                "mean": row.mean,
                "std": row.std,
            }
            for row in result.statistics()
        ],
        "files": [str(path) for path in written],
        "seconds": seconds,
    }
