"""``convviz explore``."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from convviz.cli.console import answer_path, remark
from convviz.cli.options import OUTPUT, AnyInputFiles, Force, QuietPaths, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files.paths import ending_of, fitting
from convviz.files.writing import check_path
from convviz.spec.settings import InputSettings, LayerSettings, PageSettings, as_text
from convviz.spec.wanted import NetworkSettings

if TYPE_CHECKING:
    from convviz.compute.networks.sources import NetworkSource
    from convviz.images.picture import Picture
    from convviz.results.context import LayerInContext


@with_settings
def explore(
    input: AnyInputFiles = None,
    *,
    layer: LayerSettings,
    reading: InputSettings,
    looks: PageSettings,
    output: Annotated[
        Path | None,
        output_option("The page (.html; - for stdout).", "NAME-explore.html"),
    ] = None,
    opened: Annotated[
        bool, typer.Option("--open", rich_help_panel=OUTPUT, help="Open the page in the browser.")
    ] = False,
    network: NetworkSettings,
    force: Force = False,
    quiet: QuietPaths = False,
) -> None:
    """Write a page on which a layer or network can be touched: point at a value, change a setting.

    The page is one file that needs no network and no server. It computes in the browser, with the numbers
    of convviz; its address holds the settings, so that a copied link shows the same. Without INPUT it shows
    three channels of nine numbers, whose products add up to 18.

    For example:

        convviz explore --open

        convviz explore cat.jpg --out-channels 6 --padding 1

        convviz explore digit.png --net digits.toml --weights digits.safetensors

        convviz explore cat.jpg --prepare imagenet --net resnet18.onnx
    """
    names = input or []
    default = fitting(stem_of(names[0]), "-explore.html") if names else "explore.html"
    target = stdout_for("output", output, ".html") or Path(default)
    if opened and not isinstance(target, Path):
        raise SpecError("open can only be used with a file; leave out -o -.")
    if target.suffix.lower() != ".html":
        raise SpecError(f"output: a page ends in .html, not {ending_of(target)}.")

    from convviz import __version__
    from convviz.cli.reading import input_files
    from convviz.files import marks
    from convviz.results import outputs

    inputs = [*layer.files, *network.files, *input_files(names)]
    check_path(target, force=force, is_ours=marks.is_ours, inputs=inputs)
    made = _made(names, network, layer, reading=reading, looks=looks)
    description = {"version": __version__, "command": "explore", **as_text(network, layer, reading, looks)}
    tell_replaced(target, description, quiet=quiet)
    outputs.write_page(made.text, target, description, force=force)
    if not quiet:
        for note in made.remarks:
            remark(note)
    answer_path(target, quiet=quiet)
    if opened and isinstance(target, Path):
        _open(target)
    elif isinstance(target, Path) and not quiet:
        remark("open this file in a browser; --open does so")


def _open(page: Path) -> None:
    """Open a page in the browser."""
    import webbrowser

    webbrowser.open(page.resolve().as_uri())


class _Made(NamedTuple):
    """A page, with the remarks for the user."""

    text: str
    remarks: tuple[str, ...]


def _made(
    names: Sequence[str],
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    reading: InputSettings,
    looks: PageSettings,
) -> _Made:
    """Write the page: of a network, of a layer, or of the classic numbers, on which the tour starts."""
    if names:
        if network.given:
            return _of_network(names, network, layer, reading=reading, looks=looks)
        return _of_layer(names, layer, reading, looks=looks)
    if layer != LayerSettings() or reading != InputSettings() or network.given:
        raise SpecError(
            "without INPUT the page shows numbers of its own; leave out the options, or give INPUT."
        )
    from convviz.page.classic import classic_page

    return _Made(classic_page(looks=looks), ())


def _of_layer(
    names: Sequence[str], layer: LayerSettings, reading: InputSettings, *, looks: PageSettings
) -> _Made:
    """Write the page of one layer by itself."""
    from convviz.cli.reading import on_picture, read_fitting
    from convviz.compute import filters
    from convviz.page import page
    from convviz.results.program import reading_program

    named = filters.prepare(layer)
    picture, reading = read_fitting(names, reading, most=page.MOST_PIXELS, side=page.MOST_SIDE)
    about = on_picture(picture, layer, named)
    about.layer.output_size(picture.size)
    program = reading_program(names, picture, reading)
    text = _single(names, about, layer, reading=reading, looks=looks, program=program)
    return _Made(text, (*picture.remarks, *about.remarks))


def _single(
    names: Sequence[str],
    about: "LayerInContext",
    layer: LayerSettings,
    *,
    reading: InputSettings,
    looks: PageSettings,
    **more: Any,
) -> str:
    """Write the page of one layer on its input; `more` says how it is read or where the layer stands."""
    from convviz.page.page import page

    return page(
        names[0],
        about.picture,
        about.layer,
        weights=about.weights,
        settings=layer,
        reading=reading,
        others=names[1:],
        looks=looks,
        **more,
    )


def _of_network(
    names: Sequence[str],
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    reading: InputSettings,
    looks: PageSettings,
) -> _Made:
    """Write the page of a network, or of one of its layers."""
    from convviz.page.page import MOST_FILTERS, InNetwork
    from convviz.results import context
    from convviz.results.network import NetworkMaps
    from convviz.results.network_runs import steps_of
    from convviz.results.program import network_programs

    source, picture, read_as, asked = _source(names, network, layer, reading=reading)
    opened = source.open(picture.shape)
    if layer.layer_name is not None:
        name = opened.engine.step_name(layer.layer_name)
        layer = replace(layer, layer_name=name)
        about = context.in_network(opened, picture, name)
        if about.layer.out_channels <= MOST_FILTERS:
            place = InNetwork(_command(network, layer), f"layer {name} of {opened.engine.name}")
            text = _single(names, about, layer, reading=reading, looks=looks, network=place)
            return _Made(text, (*about.picture.remarks, *asked, *about.remarks))
    maps = NetworkMaps(opened, steps_of(opened, picture.shape), picture, {})
    page = maps.page(
        names[0],
        only=layer.layer_name,
        command=_command(network, layer),
        reading=reading,
        read_as=read_as,
        others=names[1:],
        looks=looks,
        **network_programs(names, maps, source, network=network, layer=layer, reading=read_as),
    )
    return _Made(page.text, (*picture.remarks, *asked, *opened.remarks, *page.remarks))


def _source(
    names: Sequence[str], network: NetworkSettings, layer: LayerSettings, *, reading: InputSettings
) -> tuple["NetworkSource", "Picture", InputSettings, tuple[str, ...]]:
    """Open a network and read its input; refuse one that is too large before its weights are read."""
    from convviz.cli.reading import read_input
    from convviz.compute.networks.sources import source_of, stack_of
    from convviz.page.page import has_room
    from convviz.page.stored import check_file, check_parameters

    if network.foreign:
        # The steps of an ONNX file are known without its weights; those of a module are made with them.
        if network.model is not None and layer.weights is not None and layer.layer_name is None:
            check_file(layer.weights)
        source: NetworkSource = source_of(network, layer)
        read_as, asked = source.reading(reading)
        return source, read_input(names, read_as), read_as, asked
    bare = stack_of(network, replace(layer, weights=None))
    read_as, asked = bare.reading(reading)
    picture = read_input(names, read_as)
    steps = bare.network.sized(picture.shape)
    if layer.layer_name is None and not has_room(steps):
        check_parameters(steps, bare.network.name or "the network")
    return stack_of(network, layer), picture, read_as, asked


def _command(network: NetworkSettings, layer: LayerSettings) -> list[str]:
    """Write the options of ``convviz run`` that choose the network."""
    from convviz.cli.retype import options_of

    typed: dict[str, Any] = as_text(network, layer)
    # Nothing that a file holds may run code, but this model was typed just now.
    model = [] if network.model is None else ["--model", network.model]
    return [shlex.quote(word) for word in (*model, *options_of(typed, "run"))]
