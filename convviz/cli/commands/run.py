"""``convviz run``."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from convviz.cli.console import answer_json, answer_path, answer_text, remark
from convviz.cli.options import Force, InputFiles, Json, Quiet, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import announce, refuse_huge, refuse_stdout, stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files import paths, writing
from convviz.spec.geometry import HW
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.spec.wanted import NetworkSettings, RunSettings
from convviz.text import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convviz.cli.run_request import RunRequest
    from convviz.compute.networks.engine import NetworkStep
    from convviz.compute.networks.sources import Opened
    from convviz.images.picture import Picture
    from convviz.render.sheets.layout import Sheet
    from convviz.results.context import LayerInContext
    from convviz.results.feature_maps import FeatureMaps
    from convviz.results.outcome import LayerOutcome


@with_settings
def run(
    input: InputFiles,
    layer: LayerSettings,
    *,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: SheetSettings,
    output: Annotated[
        Path | None,
        output_option("The picture: .png, .svg, .pdf, .webp or .jpg; - for stdout.", "NAME-maps.png"),
    ] = None,
    wanted: RunSettings,
    network: NetworkSettings,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Convolve INPUT with the chosen filters and write the feature maps as one picture.

    Without --kernel the filters are those of a new torch.nn.Conv2d. The bar below each map says which
    values are black and white, and where 0 is. Captions give the minimum and the maximum.

    For example:

        convviz run cat.jpg --out-channels 6 --padding 1

        convviz run cat.jpg -K sobel -K gaussian:sigma=2 --stride 2 -o small.png
    """
    from convviz.cli.run_request import RunRequest

    refuse_stdout(maps=wanted.maps)
    request = RunRequest(
        tuple(input),
        layer,
        reading,
        compute,
        picture,
        wanted,
        network,
        target=stdout_for("output", output, ".png", json=json) or default_output(input),
        saved=stdout_for("save", wanted.save, ".npz", json=json),
        json=json,
        force=force,
        quiet=quiet,
    )
    done = _run_network(request) if network.given else [_run_layer(request)]
    if json:
        answer_json(done[0].document if len(done) == 1 else {"runs": [one.document for one in done]})
    if wanted.show:
        from convviz.cli.show import show_maps

        for one in done:
            show_maps(one.sheet)


def default_output(names: Sequence[str]) -> Path:
    """Name the picture after its first input, in the current folder."""
    return Path(paths.fitting(stem_of(names[0]), "-maps.png"))


class _Done(NamedTuple):
    """A sheet that was written, and what --json prints of it."""

    sheet: "Sheet"
    document: dict[str, Any]


def _run_layer(request: "RunRequest") -> _Done:
    """Run one layer on the channels of INPUT."""
    from convviz.cli.reading import refuse_stdin
    from convviz.compute import filters
    from convviz.files import archives
    from convviz.results.context import LayerInContext

    layer = request.layer
    if request.wanted.code:
        refuse_stdin(request.names)
    request.check_outputs(archives.WRITABLE)
    named = filters.prepare(layer)
    start = time.perf_counter()
    image = request.read(request.reading)
    seconds = time.perf_counter() - start
    built = filters.build(layer, image.shape[0], named=named, channels=image.channels)
    return _run_in_context(request, LayerInContext(image, *built), image, named=named, seconds=seconds)


def _run_in_context(
    request: "RunRequest", about: "LayerInContext", image: "Picture", *, named: Any = None, seconds: float
) -> _Done:
    """Run one layer on what arrives at it, write what is wanted and report it."""
    from convviz.cli.progress import progress
    from convviz.cli.reading import input_document
    from convviz.results.feature_maps import check_room
    from convviz.results.outcome import drawn, run_layer

    layer, wanted = request.layer, request.wanted
    if wanted.token is not None:
        raise SpecError(f"token: is for attention, and {layer.layer_name!r} is a convolution; leave it out.")
    if request.network.classes is not None:
        raise SpecError(
            f"classes: {layer.layer_name!r} predicts no class; leave it out, or leave out --layer."
        )
    size = about.picture.size
    pixels = check_room(about.layer, size, request.picture, count=drawn(about.layer, wanted))
    refuse_huge(pixels, force=request.force)
    rows = about.layer.output_size(size).h
    with progress(rows, "rows", wanted=not request.quiet) as advance:
        outcome = run_layer(
            about,
            wanted,
            flipped=layer.flip,
            compute=request.compute,
            picture=request.picture,
            moments=not request.quiet or request.json,
            advance=advance,
        )
    program = _program(request, about, outcome, image=image, named=named) if wanted.code else ""
    start = time.perf_counter()
    sheet = outcome.sheet(request.picture)
    description = outcome.result.description(request.network, layer, request.reading, request.picture, wanted)
    _write_sheet(request, sheet, description)
    written = [request.target, *_write_maps(request, outcome.result, description)]
    written += _write_arrays(request, outcome.arrays, description)
    times = {"read": seconds, "compute": outcome.seconds, "write": time.perf_counter() - start}
    _remark_layer(request, outcome, written)
    if request.quiet and not request.json:
        _answer_paths(written)
        return _Done(sheet, {})
    from convviz.cli.reports import run as reports

    if request.json:
        of = input_document(request.names, image, request.reading)
        more: dict[str, Any] = {"code": program} if wanted.code else {}
        if about.network is not None:
            more["network"] = about.network.document
        files = [str(path) for path in written]
        return _Done(
            sheet,
            reports.document(
                outcome, wanted, input=of, scales=sheet.scales, files=files, seconds=times, **more
            ),
        )
    reports.report(outcome, wanted, auto=request.compute.backend == "auto", written=written)
    if wanted.code:
        answer_text("\n" + program)
    return _Done(sheet, {})


def _program(
    request: "RunRequest", about: "LayerInContext", outcome: "LayerOutcome", *, image: "Picture", named: Any
) -> str:
    """Write the PyTorch program of the run."""
    from convviz.results.program import network_program, program_of

    if about.network is not None:
        return network_program(
            request.names,
            about,
            image,
            reading=request.reading,
            network=request.network,
            layer=request.layer,
        )
    result = outcome.result
    return program_of(
        request.names,
        result.picture,
        result.layer,
        weights=result.filters,
        settings=request.layer,
        reading=request.reading,
        named=named,
    )


def _run_network(request: "RunRequest") -> list[_Done]:
    """Run a network, or a layer of it; write what is wanted and report it."""
    from convviz.cli.reading import layer_names, own_names
    from convviz.compute import networks
    from convviz.compute.networks.sources import check_layer
    from convviz.files import archives
    from convviz.render.words.network_program import check_has_program

    if request.wanted.code:
        check_has_program(request.network)
    request.check_outputs(archives.WRITABLE if request.layer.layer_name else archives.ARCHIVES)
    source = networks.source_of(request.network, request.layer)
    names = layer_names(request.layer.layer_name, source.names)
    for name in names if source.names else ():
        check_layer(name, source.names)
    reading, asked = source.reading(request.reading)
    request = replace(request, reading=reading)
    start = time.perf_counter()
    image = request.read(reading)
    seconds = time.perf_counter() - start
    opened = source.open(image.shape)
    names, renamed = own_names(opened.engine, names)
    if not request.quiet:
        for text in (*asked, *renamed):
            remark(text)
    about = _contexts(opened, image, names, at=request.wanted.field, effective=request.wanted.effective)
    done = [
        _run_in_context(one, about[name], image, seconds=seconds)
        if name in about
        else _run_overview(one, opened, image, only=name)
        for name, one in zip(names, request.for_layers(names), strict=True)
    ]
    return done or _run_overviews(request, opened, image)


def _contexts(
    opened: "Opened", image: "Picture", names: Sequence[str], *, at: HW | None, effective: bool
) -> dict[str, "LayerInContext"]:
    """Compute at once what arrives at the convolutions among the layers that are named."""
    from convviz.compute.networks.engine import activations
    from convviz.results.context import in_network, see
    from convviz.results.network_runs import check_order

    if not names:
        return {}
    wanted = [name for name in names if opened.engine.convolves(name)]
    if wanted and opened.channels_last:
        check_order(opened, opened.engine.steps(image.shape), wanted)
    made = activations(opened.engine, image.x, wanted, reads=True) if wanted else {}
    found = {name: in_network(opened, image, name, made=made[name]) for name in wanted}
    if at is None:
        return found
    steps = opened.engine.steps(image.shape)
    for name, one in found.items():
        assert one.network is not None
        seen = see(steps, at, layer=name)
        gradient = opened.engine.gradient(image.x, name, at) if effective else None
        place = one.network._replace(seen=seen, picture=image, gradient=gradient)
        found[name] = replace(one, network=place)
    return found


def _run_overviews(request: "RunRequest", opened: "Opened", image: "Picture") -> list[_Done]:
    """Show a network on one sheet, or all of its steps on as many as they take."""
    from convviz.results import network_runs

    if not request.wanted.all:
        return [_run_overview(request, opened, image)]
    parts = network_runs.parts(opened, image.shape)
    return [
        _run_overview(request if len(parts) == 1 else request.for_part(str(number)), opened, image, part=part)
        for number, part in enumerate(parts, start=1)
    ]


def _run_overview(
    request: "RunRequest",
    opened: "Opened",
    image: "Picture",
    *,
    only: str | None = None,
    part: "Sequence[NetworkStep]" = (),
) -> _Done:
    """Show a network, a part of its steps, or what a layer makes that is no convolution."""
    from convviz.results import network_runs
    from convviz.results.context import see

    wanted, picture = request.wanted, request.picture
    if told := request.for_one_layer:
        raise SpecError(f"{told}: is for a convolution, which {only!r} is not; leave it out.")
    result = network_runs.apply(
        opened,
        image,
        backend=request.compute.backend,
        device=request.compute.device,
        title=request.network.layers or "",
        only=[] if only is None else [only],
        part=part,
    )
    seen = None if wanted.field is None else see(result.steps, wanted.field, layer=only)
    sheet = result.sheet(
        only=only,
        seen=seen,
        effective=wanted.effective,
        top=wanted.top,
        token=wanted.token,
        **picture.arguments,
    )
    description = result.description(request.network, request.layer, request.reading, request.picture, wanted)
    _write_sheet(request, sheet, description)
    written = [request.target, *_write_arrays(request, result.arrays, description)]
    if request.quiet and not request.json:
        _answer_paths(written)
        return _Done(sheet, {})
    if not request.quiet:
        of_order = network_runs.left_out(result) if only is None else result.order_sentence(only)
        for text in (*image.remarks, *result.remarks, *filter(None, [of_order])):
            request.remark(text)
    from convviz.cli.reading import input_document
    from convviz.cli.reports.network import NetworkReport

    report = NetworkReport(result, only, seen, wanted.top, wanted.stat or (), wanted.token)
    if request.json:
        of, files = input_document(request.names, image, request.reading), [str(path) for path in written]
        return _Done(sheet, report.document(input=of, scales=sheet.scales, files=files))
    report.show(written=written, verbose=wanted.verbose)
    return _Done(sheet, {})


def _write_sheet(request: "RunRequest", sheet: "Sheet", description: dict[str, Any]) -> None:
    """Write the sheet."""
    from convviz.cli.progress import progress
    from convviz.results import outputs

    announce(sheet, force=request.force, quiet=request.quiet)
    tell_replaced(request.target, description, quiet=request.quiet)
    with progress(sheet.height, "rows of the sheet", wanted=not request.quiet) as advance:
        outputs.write_sheet(
            sheet, request.target, description, force=request.force, inputs=request.files, advance=advance
        )


def _write_maps(request: "RunRequest", result: "FeatureMaps", description: dict[str, Any]) -> list[Path]:
    """Write every map as a picture of its own, where that is wanted."""
    from convviz.cli.progress import progress

    folder = request.wanted.maps
    if folder is None:
        return []
    total = result.shape[0] * result.shape[1]
    with progress(total, "rows of maps", wanted=not request.quiet) as advance:
        return result.save_maps(
            folder,
            description,
            picture=request.picture,
            force=request.force,
            inputs=request.files,
            advance=advance,
        )


def _write_arrays(
    request: "RunRequest", arrays: Callable[[], dict[str, "NDArray[Any]"]], description: dict[str, Any]
) -> list[Path | writing.Stream]:
    """Write the exact numbers, where that is wanted."""
    from convviz.results import outputs

    if request.saved is None:
        return []
    outputs.save_arrays(arrays(), request.saved, description, force=request.force, inputs=request.files)
    return [request.saved]


def _answer_paths(written: Sequence[Path | writing.Stream]) -> None:
    """Print what was written, and nothing else."""
    for path in written:
        answer_path(path, quiet=True)


def _remark_layer(
    request: "RunRequest", outcome: "LayerOutcome", written: Sequence[Path | writing.Stream]
) -> None:
    """Print the remarks on the input, the filters and the files."""
    from convviz.results import outputs

    if request.quiet:
        return
    result, folder = outcome.result, request.wanted.maps
    for text in (*result.picture.remarks, *outcome.remarks):
        request.remark(text)
    if folder is not None and (older := outputs.older_maps(folder, written)):
        first = ", ".join(path.name for path in older[:3]) + (", …" if len(older) > 3 else "")
        remark(
            f"{paths.quoted(folder)} also has {plural(len(older), 'map')} of an earlier run ({first}); "
            "delete them, or choose another folder."
        )
    if outcome.agreement is not None:
        remark(f"check: {outcome.agreement}")
    if outcome.agreement_with_network is not None:
        remark(f"layer {request.layer.layer_name}: {outcome.agreement_with_network}")
