"""``convviz diff``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convviz.cli.console import remark
from convviz.cli.options import OPTIONS, OUTPUT, Force, Json, Quiet, check_picture, output_option
from convviz.cli.settings import with_settings_told
from convviz.cli.writing import announce, check_saved, stdout_for, tell_replaced
from convviz.errors import SpecError
from convviz.files.writing import check_path
from convviz.spec.differing import CommonNetwork, DiffSettings, PairSettings, Side, side_of
from convviz.spec.settings import InputSettings

if TYPE_CHECKING:
    from convviz.images.picture import Picture
    from convviz.results.diff import Differences

_WHAT = (
    "a network (a name, FILE.toml, FILE.onnx, layers as text, or with --model FILE.py:NAME; =WEIGHTS after "
    "it names the file of its weights), or a file of weights or of a run that was saved."
)


_Reference = Annotated[str, typer.Argument(metavar="A", help=f"The reference: {_WHAT}")]
_Compared = Annotated[str, typer.Argument(metavar="B", help="What is compared with it, likewise.")]
_Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Images or numbers (.json .csv .npy .npz), one after the other; without any, the weights are "
        "compared.",
    ),
]
_Layers = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME,…",
        rich_help_panel=OUTPUT,
        help="The layers to draw and to save, by their names in A [default: the first one that differs, and "
        "the worst ones].",
    ),
]
_Picture = Annotated[
    Path | None, output_option("Draw what differs: .png, .svg, .pdf, .webp or .jpg; - for stdout.")
]


@with_settings_told(
    model="The torch module of A and B where they are files of weights. Runs the code of that file or "
    "package, and of A and B where they are FILE.py:NAME: the only option that runs code.",
    net="The network of A and B where they are files of weights: a name, or a file .toml.",
    layers='The layers of A and B where they are files of weights: "conv 10 k3 | relu".',
)
def diff(
    a: _Reference,
    b: _Compared,
    input: _Inputs = None,
    *,
    network: CommonNetwork,
    reading: InputSettings,
    asked: DiffSettings,
    layer: _Layers = None,
    picture: PairSettings,
    save: Annotated[Any, OPTIONS["save"]] = None,
    output: _Picture = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Compare two networks layer by layer on INPUT, or two files of weights or of saved runs.

    The exit status is 5 if they differ beyond --tolerance; the answer is printed in any case. The first
    layer named is the first one, in the order of computation, at which the two part.

    For example:

        convviz diff float.onnx int8.onnx cat.jpg --tolerance 0.1

        convviz diff before.pt after.pt cat.jpg --model model.py:Net -o changed.png

        convviz diff before.safetensors after.safetensors
    """
    target = stdout_for("output", output, ".png", json=json)
    saved = stdout_for("save", save, ".npz", json=json)
    check_picture(target)
    from convviz.cli.reading import input_files, layer_names
    from convviz.cli.reports import diff as report
    from convviz.files import archives, marks
    from convviz.render.palette import colours
    from convviz.results import outputs

    colours(picture.colormap)
    sides = [side_of(text, network.settings, exists=lambda name: Path(name).exists()) for text in (a, b)]
    check_saved(saved, archives.ARCHIVES, of=" of layers")
    read = [*(path for side in sides for path in side.files), *input_files(input or [])]
    written = [path for path in (target, saved) if path is not None]
    for path in written:
        check_path(path, force=force, is_ours=marks.is_ours, inputs=read)
    found = _found(sides, input or [], reading=reading, asked=asked, quiet=quiet)
    names = layer_names(layer, [one.name for one in found.layers])
    description = found.description(network, reading, asked, picture)
    if target is not None:
        sheet = found.sheet(names, **picture.arguments)
        announce(sheet, force=force, quiet=quiet)
        tell_replaced(target, description, quiet=quiet)
        outputs.write_sheet(sheet, target, description, force=force, inputs=read)
    if saved is not None:
        outputs.save_arrays(found.arrays(names), saved, description, force=force, inputs=read)
    report.show(found, written, json=json, quiet=quiet)
    found.check()


def _found(
    sides: Sequence[Side], names: Sequence[str], *, reading: InputSettings, asked: DiffSettings, quiet: bool
) -> "Differences":
    """Read the networks, and compare them on every INPUT; without one, compare the numbers."""
    if not names:
        return _of_numbers(sides, asked)
    from convviz.cli.progress import progress
    from convviz.cli.reading import read_input
    from convviz.compute import networks
    from convviz.results.diff_of import Inputs, diff_networks, titles_of
    from convviz.spec.settings import LayerSettings

    for side in sides:
        if side.network is None:
            raise SpecError(f"{side.text} holds numbers alone; with INPUT say whose with --net or --model.")
    first, second = (
        networks.source_of(side.network, LayerSettings(weights=side.weights), by="NETWORK=FILE")
        for side in sides
    )
    read_as: list[str] = []
    for source in (first, second):
        reading, told = source.reading(reading)
        read_as += told

    def read(index: int) -> "Picture":
        return read_input([names[index]], reading)

    titles = titles_of(*(side.text for side in sides))
    with progress(len(names), "inputs", wanted=not quiet and len(names) > 1) as advance:
        found = diff_networks(
            first, second, Inputs(names, read), titles=titles, settings=asked, advance=advance
        )
    if not quiet:
        for text in dict.fromkeys((*read_as, *found.remarks)):
            remark(text)
    return found


def _of_numbers(sides: Sequence[Side], asked: DiffSettings) -> "Differences":
    """Read two sets of numbers, and compare them."""
    from convviz.compute import networks
    from convviz.results.diff_of import diff_numbers, titles_of
    from convviz.results.stored_numbers import as_numbers
    from convviz.spec.settings import LayerSettings

    first, second = (
        as_numbers(
            side.weights
            if side.network is None or side.weights == Path(side.text)
            else networks.source_of(side.network, LayerSettings(weights=side.weights))
        )
        for side in sides
    )
    return diff_numbers(first, second, titles=titles_of(*(side.text for side in sides)), settings=asked)
