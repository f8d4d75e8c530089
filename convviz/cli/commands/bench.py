"""``convviz bench``."""

from dataclasses import asdict
from typing import Annotated

import typer

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import OUTPUT, InputFiles, Json
from convviz.cli.settings import with_settings
from convviz.spec import parsing
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.text import plural


@with_settings
def bench(
    input: InputFiles,
    layer: LayerSettings,
    reading: InputSettings,
    *,
    seconds: Annotated[
        int,
        typer.Option(
            parser=parsing.whole("seconds", most=600),
            metavar="S",
            rich_help_panel=OUTPUT,
            help="How long to time each way.",
        ),
    ] = "1",  # type: ignore[assignment]  # Typer parses a default as it parses what is typed
    json: Json = False,
) -> None:
    """Time a layer on INPUT with every backend, device and number of threads of this machine.

    Padding, products and bias are timed; reading and drawing are not. The last line says what
    --backend auto takes.

    For example:

        convviz bench photo.jpg --out-channels 64 --kernel-size 7 --stride 2 --padding 3
    """
    from convviz.cli.reading import read_input
    from convviz.compute import backends, filters
    from convviz.explain import measure
    from convviz.machine import parallel
    from convviz.render.words import tables

    tapset = filters.prepare(layer)
    image = read_input(input, reading)
    conv, bank, remarks = filters.build(layer, image.shape[0], tapset=tapset, channels=image.channels)
    for text in (*image.remarks, *remarks):
        remark(text)
    macs = conv.macs(image.shape)
    found = list(measure.rates(conv, image, bank, seconds=seconds))
    taken = backends.choose("auto", macs=macs)
    if json:
        answer_json(
            {
                "input_shape": list(image.shape),
                "output_shape": [conv.out_channels, *conv.output_size(image.size)],
                "macs": macs,
                "rates": [asdict(rate) for rate in found],
                "auto": taken,
            }
        )
        return
    answer(repr(conv))
    answer(f"{image.shape[0]}x{image.size} -> {conv.out_channels}x{conv.output_size(image.size)}")
    answer(f"multiply-adds: {macs:,}")
    answer()
    rows = [(of.backend, of.device, of.threads, of.seconds, of.fastest, of.slowest, of.flops) for of in found]
    tables.console().print(tables.rates(rows))
    answer()
    count = parallel.threads()
    answer(
        f"--backend auto takes {taken} with {plural(count, 'thread')}: torch takes about "
        f"{backends.IMPORT_TORCH_SECONDS} s to load before it computes."
    )
