"""``convviz code``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer_text, remark
from convviz.cli.options import with_settings
from convviz.errors import SpecError
from convviz.files import split_member
from convviz.settings import InputSettings, LayerSettings


@with_settings
def code(
    input: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="An image, or numbers (.json .csv .npy .npz). Several of one size are stacked: their "
            "channels are those of one input.",
        ),
    ],
    layer: LayerSettings,
    reading: InputSettings,
) -> None:
    """Print a short PyTorch program with the same layer, the same weights and the same maps.

    For example:

        convviz code cat.jpg --out-channels 6 --padding 1

        convviz code cat.jpg -K sobel --stride 2 > edges.py
    """
    refuse_stdin(input)

    from convviz import weights
    from convviz.cli.reading import read_input

    tapset = weights.prepare(layer)
    picture = read_input(input, reading)
    conv, bank, remarks = weights.build(layer, picture.x.shape[0], tapset=tapset, channels=picture.channels)
    for text in (*picture.remarks, *remarks):
        remark(text)
    answer_text(program_of(input, picture, conv, bank, layer, reading, tapset))


def refuse_stdin(names: Sequence[str]) -> None:
    """Refuse an input that a program could not open again."""
    if "-" in names:
        raise SpecError("a program cannot open stdin; give a file.")


def program_of(
    names: Sequence[str],
    picture: Any,
    conv: Any,
    bank: Any,
    layer: LayerSettings,
    reading: InputSettings,
    tapset: Any,
) -> str:
    """Write the program of a run, without the line break at its end."""
    import numpy as np

    from convviz.render.program import program, reads_as

    # The program is for this input, so the size that it is brought to is written as numbers.
    reading = replace(reading, resize=picture.resized)
    sources = {name: _source(Path(name), reading) for name in names}
    close = 1e-5 * max(float(abs(picture.x).max()), 1e-30)

    def same(planes: Any) -> bool:
        """Tell whether the program reads what convviz did."""
        return (
            planes is not None
            and planes.shape == picture.x.shape
            and np.allclose(planes, picture.x, rtol=0, atol=close)
        )

    # Depths, separators, encodings and orders of axes that convviz knows are found by trying.
    orders = () if None in sources.values() else (False, True)
    last = next(
        (order for order in orders if same(reads_as(names, sources, reading, channels_last=order))), None
    )
    if last is None:
        raise SpecError(
            "reading this file takes more than a short program; save it as an 8-bit PNG, or as numbers "
            "(.npy), first."
        )
    keys = () if tapset is None else tapset.keys
    return program(names, sources, conv, bank, layer, reading, picture.size, keys, channels_last=last).rstrip(
        "\n"
    )


_NUMBERS = ("json", "csv", "npy", "npz")


def _source(path: Path, reading: InputSettings) -> Any:
    """Tell what the program has to read, or nothing where no short program could."""
    suffix = split_member(path)[0].suffix.lower().removeprefix(".")
    if suffix in _NUMBERS:
        return suffix
    from PIL import Image

    try:
        with Image.open(path) as image:
            if reading.page != 1:
                image.seek(reading.page - 1)
            mode = image.mode
    except (OSError, ValueError, EOFError, Image.DecompressionBombError):
        return None
    kinds = {"L": "gray", "LA": "gray", "I;16": "gray16", "RGB": "colour", "RGBA": "colour", "P": "colour"}
    return None if reading.mode == "rgba" else kinds.get(mode)
