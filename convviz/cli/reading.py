"""INPUT as the user typed it, opened."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convviz.cli.console import remark
from convviz.cli.writing import stem_of
from convviz.compute import filters
from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.files.paths import split_member
from convviz.images import decode, prepare
from convviz.images.picture import Picture
from convviz.spec.layers import Conv2d
from convviz.spec.settings import InputSettings, LayerSettings


def read_input(names: Sequence[str], settings: InputSettings) -> Picture:
    """Read files, or stdin where the name is ``-``; the channels of several are the channels of one input."""
    # To normalise is for the channels of the whole.
    apart = replace(settings, normalize=None)
    pictures = [decode.read(sys.stdin.buffer if name == "-" else name, **apart.arguments) for name in names]
    return prepare.stack(pictures, [stem_of(name) for name in names], settings.normalize)


def read_layer(
    names: Sequence[str], layer: LayerSettings, reading: InputSettings
) -> tuple[Picture, Conv2d, LayerWeights]:
    """Read INPUT and build the layer on its channels; what is remarked on both goes to stderr."""
    named = filters.prepare(layer)
    picture = read_input(names, reading)
    conv, weights, remarks = filters.build(layer, picture.shape[0], named=named, channels=picture.channels)
    for text in (*picture.remarks, *remarks):
        remark(text)
    return picture, conv, weights


def input_files(names: Sequence[str]) -> list[Path]:
    """List the files that INPUT is, which are never replaced: none for stdin or without INPUT."""
    return [split_member(Path(name))[0] for name in names if name != "-"]


def input_document(names: Sequence[str], picture: Picture, reading: InputSettings) -> dict[str, Any]:
    """List the input as plain values, with what was done to it; of several, `path` is the first."""
    document: dict[str, Any] = {"path": names[0], "shape": list(picture.shape), "range": reading.range}
    if len(names) > 1:
        document["paths"] = list(names)
    if reading.page != 1:
        document["page"] = reading.page
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


def refuse_stdin(names: Sequence[str]) -> None:
    """Refuse an input that a program could not open again."""
    if "-" in names:
        raise SpecError("a program cannot open stdin; give a file.")
