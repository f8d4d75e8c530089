"""INPUT as the user typed it, opened."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from convviz.cli.console import remark
from convviz.cli.writing import stem_of
from convviz.compute import filters, networks
from convviz.compute.filters import NamedFilters
from convviz.errors import SpecError
from convviz.files.paths import split_member
from convviz.images import decode, prepare
from convviz.images.picture import Picture
from convviz.results import context
from convviz.results.context import LayerInContext
from convviz.spec.geometry import HW
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings
from convviz.text import printable

if TYPE_CHECKING:
    from convviz.compute.networks.engine import Engine
    from convviz.compute.networks.sources import Opened


def read_input(names: Sequence[str], settings: InputSettings) -> Picture:
    """Read files, or stdin where the name is ``-``; the channels of several are the channels of one input."""
    # To normalise is for the channels of the whole.
    apart = replace(settings, normalize=None)
    pictures = [decode.read(sys.stdin.buffer if name == "-" else name, **apart.arguments) for name in names]
    return prepare.stack(pictures, [stem_of(name) for name in names], settings.normalize)


def read_fitting(
    names: Sequence[str], settings: InputSettings, *, most: int, side: int
) -> tuple[Picture, InputSettings]:
    """Read files like `read_input`; bring pictures of more than `most` pixels to at most `side` along a side.

    A size that was asked for stays. The settings that are returned read the same picture.
    """
    picture = read_input(names, replace(settings, normalize=None))
    size = picture.size
    if size.h * size.w > most and settings.resize is None and settings.crop is None:
        scale = side / max(size)
        size = HW(max(1, round(size.h * scale)), max(1, round(size.w * scale)))
        remark = f"scaled from {picture.size} to {size} for the page; choose another size with --resize"
        remarks = (*picture.remarks, remark)
        picture = replace(prepare.resized(picture, size, settings.max_pixels), remarks=remarks)
        settings = replace(settings, resize=size)
    normalize = settings.normalize
    return (picture if normalize is None else prepare.normalized(picture, normalize)), settings


def read_layer(
    names: Sequence[str],
    layer: LayerSettings,
    reading: InputSettings,
    *,
    network: NetworkSettings,
    quiet: bool = False,
) -> LayerInContext:
    """Read INPUT and find the layer with what arrives at it; what is remarked on both goes to stderr.

    Parameters
    ----------
    names : sequence of str
        INPUT.
    layer : LayerSettings
        A layer on the channels of INPUT, or the name of one in `network`.
    reading : InputSettings
        How INPUT is read.
    network : NetworkSettings
        The network around the layer, if there is one.
    quiet : bool
        Whether to leave the remarks out.
    """
    found = find_layer(names, layer, reading, network=network)
    for text in () if quiet else (*found.picture.remarks, *found.remarks):
        remark(text)
    return found


def find_layer(
    names: Sequence[str], layer: LayerSettings, reading: InputSettings, *, network: NetworkSettings
) -> LayerInContext:
    """Do what `read_layer` does, without a remark."""
    if network.given:
        found = in_network(names, layer, reading, network=network)
        return replace(found.about, remarks=(*found.asked, *found.about.remarks))
    named = filters.prepare(layer)
    return on_picture(read_input(names, reading), layer, named)


def on_picture(picture: Picture, layer: LayerSettings, named: NamedFilters | None) -> LayerInContext:
    """Build a layer by itself on a picture; `named` is what `filters.prepare` made of it."""
    built = filters.build(layer, picture.shape[0], named=named, channels=picture.channels)
    return LayerInContext(picture, *built)


class Located(NamedTuple):
    """A layer of a network, found for an input.

    Parameters
    ----------
    about : LayerInContext
        The layer, with what arrives at it.
    picture : Picture
        What the network reads.
    reading : InputSettings
        How that was read.
    asked : tuple of str
        What of this the network asked for.
    """

    about: LayerInContext
    picture: Picture
    reading: InputSettings
    asked: tuple[str, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a user needs to know."""
        return (*self.picture.remarks, *self.asked, *self.about.remarks)


class Chosen(NamedTuple):
    """A layer of an open network, before anything is computed.

    Parameters
    ----------
    opened : Opened
        The network.
    name : str
        The layer.
    picture, reading, asked
        As of `Located`.
    """

    opened: "Opened"
    name: str
    picture: Picture
    reading: InputSettings
    asked: tuple[str, ...]


def in_network(
    names: Sequence[str], layer: LayerSettings, reading: InputSettings, *, network: NetworkSettings
) -> Located:
    """Find a layer of a network, and what arrives there; with the parameters of `read_layer`."""
    found = choose_layer(names, layer, reading, network=network)
    about = context.in_network(found.opened, found.picture, found.name)
    return Located(about, found.picture, found.reading, found.asked)


def choose_layer(
    names: Sequence[str], layer: LayerSettings, reading: InputSettings, *, network: NetworkSettings
) -> Chosen:
    """Read INPUT, open the network, and find the layer; with the parameters of `read_layer`."""
    source = networks.source_of(network, layer)
    reading, asked = source.reading(reading)
    picture = read_input(names, reading)
    opened = source.open(picture.shape)
    name = context.chosen_layer(opened, picture.shape, layer.layer_name)
    (name,), renamed = own_names(opened.engine, [layer.layer_name or name])
    return Chosen(opened, name, picture, reading, (*asked, *renamed))


def layer_names(text: str | None, known: Sequence[str]) -> list[str]:
    """List the layers that are named, separated by commas."""
    if text is None or text in known:
        return [] if text is None else [text]
    return [name.strip() for name in text.split(",") if name.strip()]


def own_names(engine: "Engine", names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names that `layers` lists for layers of a network, and remarks on those with other names."""
    own = [engine.step_name(name) for name in names]
    remarks = [
        f"{printable(given)} is the output of {found}"
        for given, found in zip(names, own, strict=True)
        if given != found
    ]
    return own, remarks


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
