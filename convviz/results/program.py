"""Write the program of a run on given files: trials find out how to read the files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convviz.compute.filters import NamedFilters
from convviz.compute.networks.sources import NetworkSource, StackSource
from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.files.paths import split_member
from convviz.images.finite import largest
from convviz.images.picture import Picture
from convviz.page.stored import OwnProgram
from convviz.render.words.network_program import layer_program, prediction_program
from convviz.render.words.program import FileKind, network_lines, program, reading_lines, reads_as
from convviz.results.context import LayerInContext
from convviz.results.network import NetworkMaps
from convviz.spec.layers import Conv2d
from convviz.spec.settings import InputSettings, LayerSettings, as_text
from convviz.spec.wanted import NetworkSettings


def program_of(
    names: Sequence[str],
    picture: Picture,
    layer: Conv2d,
    *,
    weights: LayerWeights,
    settings: LayerSettings,
    reading: InputSettings,
    named: NamedFilters | None,
) -> str:
    """Write the PyTorch program of a run, without a final line break.

    Parameters
    ----------
    names : sequence of str
        The files of the input, under the names by which the program opens them.
    picture : Picture
        The content of the files.
    layer : Conv2d
        The layer.
    weights : LayerWeights
        Its weights and biases.
    settings : LayerSettings
        The origin of the weights.
    reading : InputSettings
        How the files were read.
    named : NamedFilters or None
        The result of `convviz.compute.filters.prepare` for the settings.

    Returns
    -------
    str
        As `convviz.render.words.program.program` writes it.

    Raises
    ------
    SpecError
        If no short program reads these files as convviz does, or there are too many weights.
    """
    # The program is for this input, so the size after resizing is written as numbers.
    reading = replace(reading, resize=picture.resized)
    sources, last = _found(names, picture, reading)
    if last is None:
        raise SpecError(
            "reading this file takes more than a short program; save it as an 8-bit PNG, or as numbers "
            "(.npy), first."
        )
    keys = () if named is None else named.keys
    text = program(
        names,
        sources,
        layer,
        weights=weights,
        settings=settings,
        reading=reading,
        size=picture.size,
        keys=keys,
        channels_last=last,
    )
    return text.rstrip("\n")


def network_program(
    names: Sequence[str],
    about: LayerInContext,
    picture: Picture,
    *,
    reading: InputSettings,
    network: NetworkSettings,
    layer: LayerSettings,
) -> str:
    """Write the program of a layer of a network.

    Parameters
    ----------
    names : sequence of str
        The files of the input, under the names by which the program opens them.
    about : LayerInContext
        The layer.
    picture : Picture
        The input of the network.
    reading : InputSettings
        How the input was read.
    network : NetworkSettings
        The network.
    layer : LayerSettings
        The file of the network's weights, and the seed.

    Raises
    ------
    SpecError
        If no short program reads these files as convviz does, or computes the network.
    """
    place = about.network
    assert place is not None
    return layer_program(
        lines_that_read(names, picture, reading),
        network,
        layer,
        name=place.name,
        values=place.values,
        shape=place.maps.shape,
        fed=place.fed,
    )


def network_programs(
    names: Sequence[str],
    maps: NetworkMaps,
    source: NetworkSource,
    *,
    network: NetworkSettings,
    layer: LayerSettings,
    reading: InputSettings,
) -> dict[str, Any]:
    """Write the program of a whole network that predicts what it predicts here.

    Parameters
    ----------
    names : sequence of str
        The files of the input, under the names by which the program opens them.
    maps : NetworkMaps
        The network with its input.
    source : NetworkSource
        The source of the network.
    network, layer, reading
        As for `network_program`.

    Returns
    -------
    dict
        ``program``, what the program of layers of convviz needs besides them; or ``code``, the program
        of a network that torch or onnxruntime runs.
    """
    read = lines_that_read(names, maps.picture, reading)
    opened = maps.opened
    if not isinstance(source, StackSource) or opened.filled is None:
        last = opened.until or ""
        try:
            code = prediction_program(
                read,
                network,
                layer,
                fed=opened.engine.fed(maps.picture.shape),
                until=(last, opened.engine.value_names(last)[1] if last else ""),
                classes=opened.classes or opened.engine.classes,
            )
        except SpecError as error:
            code = f"# {error}"
        return {"code": code}
    weights = opened.filled.weights
    places = source.keys(weights)
    origin = source.origin
    if weights and not origin and not places:
        origin = "# no short program can load the weights: copy them into the layers below"
    parts = network_lines(read, reading=reading, weights=layer.weights, places=places)
    return {"program": OwnProgram(origin=origin, parts=parts)}


def reading_program(names: Sequence[str], picture: Picture, reading: InputSettings) -> dict[str, Any]:
    """Write how the program of one layer reads its input.

    Parameters
    ----------
    names, picture, reading
        As for `lines_that_read`.

    Returns
    -------
    dict
        As `convviz.render.words.program.network_lines` returns it.
    """
    reading = replace(reading, resize=picture.resized)
    if reading.mode != "rgba" and all(_mode(Path(name), reading) in _PLAIN for name in names):
        # No trial: a photo of 12 megapixels would be read once more, as floats.
        kinds: dict[str, FileKind] = {name: _source(Path(name), reading) for name in names}
        read = reading_lines(names, kinds, reading, channels_last=False)
    else:
        read = lines_that_read(names, picture, reading) or _by_convviz(names, reading)
    return network_lines(read, reading=reading, weights=None, places={})


def _by_convviz(names: Sequence[str], reading: InputSettings) -> tuple[str, list[str]]:
    """Write the lines that let convviz read files, where no short program can."""
    words: dict[str, Any] = {name.replace("-", "_"): text for name, text in as_text(reading).items()}
    if "range" in words:
        words["value_range"] = words.pop("range")
    # What `convviz.read` does not take as text.
    plain = {"crop": reading.crop and tuple(reading.crop), "page": reading.page}
    words |= {name: value for name, value in plain.items() if name in words}
    options = [f"{name}={value!r}" for name, value in words.items()]
    read = [f"convviz.read({', '.join([repr(name), *options])}).x" for name in names]
    together = read[0] if len(read) == 1 else f"np.concatenate([{', '.join(read)}])"
    return f"channels = {together}", ["import convviz"]


def lines_that_read(
    names: Sequence[str], picture: Picture, reading: InputSettings
) -> tuple[str, list[str]] | None:
    """Write the lines that read these files into ``channels``, and their imports.

    Parameters
    ----------
    names : sequence of str
        The files of the input, under the names by which the program opens them.
    picture : Picture
        The content of the files.
    reading : InputSettings
        How they were read.

    Returns
    -------
    (str, list of str) or None
        None if no short program reads them.
    """
    reading = replace(reading, resize=picture.resized)
    sources, last = _found(names, picture, reading)
    return None if last is None else reading_lines(names, sources, reading, channels_last=last)


def _found(
    names: Sequence[str], picture: Picture, reading: InputSettings
) -> tuple[dict[str, Any], bool | None]:
    """Find how to read the files: the kind of each, and whether channels are last; None if it fails."""
    sources = {name: _source(Path(name), reading) for name in names}
    close = 1e-5 * max(largest(picture.x), 1e-30)

    def same(channels: Any) -> bool:
        """Return whether the program reads the same values as convviz."""
        return (
            channels is not None
            and channels.shape == picture.x.shape
            and np.allclose(channels, picture.x, rtol=0, atol=close, equal_nan=True)
        )

    # Trials find the depths, separators, encodings and orders of axes that convviz knows.
    orders = () if None in sources.values() else (False, True)
    last = next(
        (order for order in orders if same(reads_as(names, sources, reading, channels_last=order))), None
    )
    return sources, last


_NUMBERS = ("json", "csv", "npy", "npz")


def _source(path: Path, reading: InputSettings) -> Any:
    """Return the content that the program has to read, or None if no short program can read it."""
    suffix = split_member(path)[0].suffix.lower().removeprefix(".")
    if suffix in _NUMBERS:
        return suffix
    kinds = {"L": "gray", "LA": "gray", "I;16": "gray16", "RGB": "colour", "RGBA": "colour", "P": "colour"}
    return None if reading.mode == "rgba" else kinds.get(_mode(path, reading))


# Pillow's modes whose levels convviz takes as they are.
_PLAIN = ("L", "RGB")


def _mode(path: Path, reading: InputSettings) -> str:
    """Return Pillow's mode of a picture; empty if Pillow does not know the file."""
    try:
        with Image.open(path) as image:
            if reading.page != 1:
                image.seek(reading.page - 1)
            return image.mode
    except (OSError, ValueError, EOFError, Image.DecompressionBombError):
        return ""
