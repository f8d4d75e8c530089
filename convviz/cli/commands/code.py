"""``convviz code``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer_text, remark
from convviz.cli.options import with_settings
from convviz.errors import SpecError
from convviz.settings import InputSettings, LayerSettings


@with_settings
def code(
    input: Annotated[str, typer.Argument(metavar="INPUT", help="An image, or numbers (.json .csv .npy).")],
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


def refuse_stdin(name: str) -> None:
    """Refuse an input that a program could not open again."""
    if name == "-":
        raise SpecError("a program cannot open stdin; give a file.")


def program_of(
    name: str, picture: Any, conv: Any, bank: Any, layer: LayerSettings, reading: InputSettings, tapset: Any
) -> str:
    """Write the program of a run, without the line break at its end."""
    import numpy as np

    from convviz.render.program import program, reads_as

    # The program is for this input, so the size that it is brought to is written as numbers.
    reading = replace(reading, resize=picture.resized)
    source = _source(Path(name), reading)
    planes = None if source is None else reads_as(name, source, reading)
    # Depths, separators and encodings that convviz knows and a short program does not are found by trying.
    close = 1e-5 * max(float(abs(picture.x).max()), 1e-30)
    if (
        planes is None
        or planes.shape != picture.x.shape
        or not np.allclose(planes, picture.x, rtol=0, atol=close)
    ):
        raise SpecError(
            "reading this file takes more than a short program; save it as an 8-bit PNG, or as numbers "
            "(.npy), first."
        )
    keys = () if tapset is None else tapset.keys
    return program(name, source, conv, bank, layer, reading, picture.size, keys).rstrip("\n")


def _source(path: Path, reading: InputSettings) -> Any:
    """Tell what the program has to read, or nothing where no short program could."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix in ("json", "csv", "npy"):
        return suffix
    from PIL import Image

    try:
        with Image.open(path) as image:
            mode = image.mode
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    kinds = {"L": "gray", "LA": "gray", "I;16": "gray16", "RGB": "colour", "RGBA": "colour", "P": "colour"}
    return None if reading.mode == "rgba" else kinds.get(mode)
