"""``convviz run``."""

import math
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, answer_path, answer_text, remark
from convviz.cli.options import (
    OUTPUT,
    Force,
    InputFiles,
    Json,
    LayersText,
    NetName,
    Quiet,
    Until,
    check_png,
    output_option,
    with_settings,
)
from convviz.cli.writing import announce, refuse_stdout, stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files import paths, writing
from convviz.spec import parsing
from convviz.spec.geometry import HW, check_inside
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.text import plural


@with_settings
def run(
    input: InputFiles,
    layer: LayerSettings,
    reading: InputSettings,
    *,
    compute: ComputeSettings,
    picture: SheetSettings,
    check: Annotated[
        bool,
        typer.Option("--check", rich_help_panel="Compute", help="Run both backends; fail on a difference."),
    ] = False,
    output: Annotated[
        Path | None,
        output_option("The picture (.png; - for stdout).", "NAME-maps.png"),
    ] = None,
    maps: Annotated[
        Path | None, typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Write every map, full size.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help="Write exact numbers: .npz, .npy or .safetensors; - for .npz on stdout.",
        ),
    ] = None,
    partial: Annotated[
        bool,
        typer.Option("--partial", rich_help_panel=OUTPUT, help="Show what each channel adds to each map."),
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
        bool, typer.Option("--show", rich_help_panel=OUTPUT, help="Show the maps in the terminal.")
    ] = False,
    layers: LayersText = None,
    net: NetName = None,
    until: Until = None,
    field: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.position("field"),
            metavar="Y,X",
            rich_help_panel=OUTPUT,
            help="Draw the receptive field of the output value at this position.",
        ),
    ] = None,
    effective: Annotated[
        bool,
        typer.Option(
            "--effective",
            rich_help_panel=OUTPUT,
            help="With --field, lay over the picture how much each pixel counts (torch).",
        ),
    ] = False,
    top: Annotated[
        int | None,
        typer.Option(
            parser=parsing.whole("top"),
            metavar="N",
            rich_help_panel=OUTPUT,
            help="Of a layer, draw the N maps with the most energy, strongest first.",
        ),
    ] = None,
    stat: Annotated[
        Any,
        typer.Option(
            parser=parsing.choices("stat", ("sparsity", "energy")),
            metavar="sparsity,energy",
            rich_help_panel=OUTPUT,
            help="Add columns to the table: the share of zeros, the mean square.",
        ),
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
    refuse_stdout(maps=maps)
    target = stdout_for("output", output, ".png", json=json) or default_output(input)
    saved = stdout_for("save", save, ".npz", json=json)
    check_png(target)

    if effective and field is None:
        raise SpecError("effective: goes with --field Y,X.")
    drawn = {
        **({"partial": "true"} if partial else {}),
        **({} if field is None else {"field": f"{field.h},{field.w}"}),
        **({"effective": "true"} if effective else {}),
        **({} if top is None else {"top": str(top)}),
    }
    if layers is not None or net is not None or until is not None:
        from convviz.cli.nets import ChosenNet, run_network
        from convviz.cli.show import show_maps

        chosen_net = ChosenNet.of(layers, net, until, layer=layer)
        if maps is not None or partial or table or code or at is not None or check:
            raise SpecError(
                "layers, net: leave out --maps, --partial, --table, --at, --code and --check, "
                "which are for one layer."
            )
        sheet = run_network(
            input,
            target,
            chosen_net,
            only=layer.layer_name,
            at=field,
            effective=effective,
            top=top,
            drawn=drawn,
            stats=stat or (),
            reading=reading,
            compute=compute,
            picture=picture,
            save=saved,
            json=json,
            force=force,
            quiet=quiet,
        )
        if show:
            show_maps(sheet)
        return
    if at is not None and not table:
        raise SpecError("at: goes with --table.")
    if partial and picture.columns is not None:
        raise SpecError("columns: with --partial every filter has a row of its own; leave one of them out.")
    if (
        maps is not None
        and isinstance(target, Path)
        and target.parent.resolve() == maps.resolve()
        and re.match("[0-9]+-", target.name)
    ):
        raise SpecError(
            f"output: --maps writes files with such names into {paths.quoted(maps)}; choose another."
        )
    if top is not None and (partial or layer.flip):
        raise SpecError("top: leave out --partial and --flip, which are drawn for every map.")

    from convviz.cli.progress import progress
    from convviz.cli.reading import input_document, input_files, read_input, refuse_stdin
    from convviz.cli.show import show_maps
    from convviz.compute import filters
    from convviz.explain import compare
    from convviz.files import archives, marks
    from convviz.machine import memory
    from convviz.render.palette import colours
    from convviz.render.sheets.receptive_field import NOTHING
    from convviz.results import feature_maps, outputs
    from convviz.results.program import program_of

    if code:
        refuse_stdin(input)
    colours(picture.colormap)
    if saved is not None and saved.suffix.lower() not in archives.WRITABLE:
        raise SpecError(
            f"save: the name of exact numbers ends in {', '.join(archives.WRITABLE)}, not {saved.suffix!r}."
        )
    inputs = [*layer.files, *input_files(input)]
    for place in (target, *([saved] if saved else [])):
        writing.check_path(place, force=force, is_ours=marks.is_ours, inputs=inputs)
    if maps is not None:
        writing.check_folder(maps)
    named = filters.prepare(layer)

    start = time.perf_counter()
    with progress(None, "reading", wanted=not quiet):
        image = read_input(input, reading)
    read_seconds = time.perf_counter() - start
    conv, weights, remarks = filters.build(layer, image.shape[0], named=named, channels=image.channels)
    whole = saved is not None or table or check or partial or layer.flip
    result = feature_maps.run(
        image, conv, weights, backend=compute.backend, device=compute.device, keep=whole
    )
    for option, position in (("at", at), ("field", field)):
        if position is not None:
            check_inside(option, position, HW(*result.shape[1:]), what="the maps")
    agreement = compare.check(result, device=compute.device) if check else None
    program = (
        program_of(input, image, conv, weights=weights, settings=layer, reading=reading, named=named)
        if code
        else ""
    )
    parts = result.partial() if partial else None
    # Where every kernel is symmetric there is nothing to draw.
    differences = result.flip_difference() if layer.flip and not all(weights.symmetric) else None
    changed = None if differences is None else result.largest(differences)
    start = time.perf_counter()
    with progress(result.shape[1], "rows", wanted=not quiet) as advance:
        found = result.summary(picture.tile, moments=not quiet or json, advance=advance)
    # Maps that are not kept are computed while they are looked through.
    compute_seconds = result.seconds or time.perf_counter() - start

    start = time.perf_counter()
    description = result.description(layer, reading, picture) | drawn
    chosen = None if top is None else result.strongest(top)
    seen, box = NOTHING, {}
    if field is not None:
        seen, box = _field(result, found, field, tile=picture.tile, effective=effective)
    sheet = result.sheet(**asdict(picture), parts=parts, differences=differences, chosen=chosen, seen=seen)
    announce(sheet, force=force, quiet=quiet)
    tell_replaced(target, description, quiet=quiet)
    with progress(sheet.height, "rows of the sheet", wanted=not quiet) as advance:
        outputs.write_sheet(sheet, target, description, force=force, inputs=inputs, advance=advance)
    written: list[Path | writing.Stream] = [target]
    if maps is not None:
        with progress(result.shape[0] * result.shape[1], "rows of maps", wanted=not quiet) as advance:
            written += outputs.write_maps(
                result.names,
                HW(*result.shape[1:]),
                [(of.low, of.high) for of in found.maps],
                bands=result.bands,
                folder=maps,
                description=description,
                colormap=picture.colormap,
                scale=picture.scale,
                force=force,
                inputs=inputs,
                advance=advance,
            )
    if saved is not None:
        stored = result.arrays(parts=parts, differences=differences)
        outputs.save_arrays(stored, saved, description, force=force, inputs=inputs)
        written.append(saved)
    write_seconds = time.perf_counter() - start

    if not quiet:
        for text in (*image.remarks, *remarks):
            remark(text)
        if maps is not None and (older := outputs.older_maps(maps, written)):
            first = ", ".join(path.name for path in older[:3]) + (", …" if len(older) > 3 else "")
            remark(
                f"{paths.quoted(maps)} also has {plural(len(older), 'map')} of an earlier run ({first}); "
                "delete them, or choose another folder."
            )
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
        source = input_document(input, result.picture, reading)
        document = _document(result, source, written, seconds=seconds, chosen=chosen, stats=stat or ())
        if field is not None:
            document["field"] = {"at": list(field), **box}
        if parts is not None:
            document["partial"] = {"difference": result.apart(parts)}
        if layer.flip:
            document["flip"] = {
                "difference": changed[0] if changed else 0.0,
                "symmetric": list(weights.symmetric),
            }
        if code:
            document["code"] = program
        if table:
            count = math.prod(result.shape) * (1 if parts is None else 1 + parts.shape[1])
            memory.need_objects(count, "the values as JSON", "leave out --table, or take --save")
            document["values"] = result.maps.tolist()
            if parts is not None:
                document["partial"]["values"] = parts.tolist()
        answer_json(document)
    elif quiet:
        for path in written:
            answer_path(path, quiet=True)
    else:
        _report(
            result,
            written,
            parts=parts,
            flipped=layer.flip,
            changed=changed,
            table=table,
            at=at,
            words=seen.words,
            rows=_rows(result, chosen, stat or ()),
            stats=stat or (),
        )
        if code:
            answer_text("\n" + program)
    if show:
        show_maps(sheet)


def default_output(names: Sequence[str]) -> Path:
    """Name the picture after its first input, in the current folder."""
    return Path(paths.fitting(stem_of(names[0]), "-maps.png"))


def _report(
    result: Any,
    written: Sequence[Path | writing.Stream],
    *,
    parts: Any,
    flipped: bool,
    changed: tuple[float, str, HW] | None,
    table: bool,
    at: HW | None,
    words: Sequence[str],
    rows: Sequence[Sequence[Any]],
    stats: Sequence[str],
) -> None:
    """Print the layer, the maps and what was written."""
    from convviz.render.sheets import filters
    from convviz.render.words import shapes, tables

    size = result.picture.size
    for line in result.layer.torch_repr(size).split("\n"):
        answer(line)
    answer(result.layer.sentence)
    answer(f"shapes: {result.picture.shape[0]}x{size} -> {'x'.join(map(str, result.shape))}")
    for line in shapes.counting(result.layer, size):
        answer(line)
    if result.layer.groups > 1:
        for line in shapes.group_map(result.layer, size, result.picture.channels, names=result.names):
            answer(line)
    if parts is not None:
        apart = result.apart(parts)
        answer(f"partial maps + bias = map (largest difference {apart:.2g})")
    if flipped:
        for line in shapes.flip_lines(result.names, result.filters.symmetric, changed):
            answer(line)
    console = tables.console()
    kernels = filters.lines(result.layer, result.filters, result.picture.channels, width=console.width)
    if kernels:
        answer()
        answer("kernels" + (", rotated by 180 degrees" if flipped else ""))
    for line in kernels:
        answer(line, whole=True)
    answer()
    console.print(tables.statistics(rows, width=console.width, more=stats))
    for line in words:
        answer()
        answer(line)
    if table:
        for name, values in result.named(parts):
            answer()
            answer(f"{name}  {HW(*values.shape)}")
            body, left_out = tables.values(values, at=at, width=console.width)
            console.print(body)
            if left_out:
                answer(left_out)
    answer()
    for path in written:
        answer_path(path)


def _rows(result: Any, chosen: Sequence[int] | None, stats: Sequence[str]) -> list[Sequence[Any]]:
    """Return the statistics of all maps, or of the chosen ones in their order."""
    more: dict[str, list[float]] = {
        "sparsity": result.sparsity() if "sparsity" in stats else [],
        "energy": [row.energy for row in result.statistics()],
    }
    rows: list[Sequence[Any]] = [
        (row.index, row.name, row.min, row.max, row.mean, row.std, *(more[name][row.index] for name in stats))
        for row in result.statistics()
    ]
    return rows if chosen is None else [rows[index] for index in chosen]


def _field(result: Any, found: Any, at: HW, *, tile: int | None, effective: bool) -> Any:
    """Draw what one output value sees of the input, and tell where that is."""
    from convviz.compute import backends
    from convviz.render.sheets import receptive_field
    from convviz.spec.network import alone
    from convviz.spec.reach import Box
    from convviz.spec.scales import fit_both

    step = alone(result.layer, result.picture.size)
    assert step.height is not None
    assert step.width is not None
    box = Box.of(step.height, step.width, at)
    before, _ = fit_both(result.picture.size, HW(*result.shape[1:]), tile)
    gradient = None
    if effective:
        weights = result.filters
        parameters = {
            "map": {"weight": weights.weight} | ({} if weights.bias is None else {"bias": weights.bias})
        }
        gradient = backends.load_torch_networks().gradient(
            [step], result.picture.x, parameters, name="map", at=at
        )
    panel = receptive_field.panel(
        result.picture,
        found.channels,
        "the output",
        at=at,
        box=box,
        cell=max(1, int(before)),
        gradient=gradient,
    )
    return panel, asdict(box)


def _document(
    result: Any,
    source: dict[str, Any],
    written: Sequence[Path | writing.Stream],
    *,
    seconds: dict[str, float],
    chosen: Sequence[int] | None,
    stats: Sequence[str],
) -> dict[str, Any]:
    """Everything as plain values."""
    layer, size = result.layer, result.picture.size
    return {
        "input": source,
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
        "macs": layer.macs(result.picture.shape),
        "backend": result.backend,
        "maps": [
            dict(zip(("index", "name", "min", "max", "mean", "std", *stats), row, strict=True))
            for row in _rows(result, chosen, stats)
        ],
        "files": [str(path) for path in written],
        "seconds": seconds,
    }
