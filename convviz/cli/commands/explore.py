"""``convviz explore``."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from convviz.cli.console import answer_path, remark
from convviz.cli.options import OUTPUT, Force, InputFiles, Quiet, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files.paths import fitting
from convviz.files.writing import check_path
from convviz.spec.settings import InputSettings, LayerSettings, PageSettings, as_text
from convviz.spec.wanted import NetworkSettings


@with_settings
def explore(
    input: InputFiles,
    layer: LayerSettings,
    reading: InputSettings,
    *,
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
    quiet: Quiet = False,
) -> None:
    """Write a page on which a layer or network can be touched: point at a value, change a setting.

    The page is one file that needs no network and no server. It computes in the browser, with the numbers
    of convviz; its address holds the settings, so that a copied link shows the same.

    For example:

        convviz explore cat.jpg --out-channels 6 --padding 1

        convviz explore numbers.csv -K sobel-x --open

        convviz explore digit.png --net digits.toml --weights digits.safetensors
    """
    target = stdout_for("output", output, ".html") or Path(fitting(stem_of(input[0]), "-explore.html"))
    if opened and not isinstance(target, Path):
        raise SpecError("open can only be used with a file; leave out -o -.")
    if target.suffix.lower() != ".html":
        raise SpecError(f"output: a page ends in .html, not {target.suffix!r}.")

    from convviz import __version__
    from convviz.cli.reading import input_files
    from convviz.files import marks
    from convviz.results import outputs

    inputs = [*layer.files, *network.files, *input_files(input)]
    check_path(target, force=force, is_ours=marks.is_ours, inputs=inputs)
    made = (
        _of_network(input, network, layer, reading=reading, looks=looks)
        if network.given and not network.foreign and layer.layer_name is None
        else _of_layer(input, layer, reading, network=network, looks=looks)
    )
    description = {"version": __version__, "command": "explore", **as_text(network, layer, reading, looks)}
    tell_replaced(target, description, quiet=quiet)
    outputs.write_page(made.text, target, description, force=force)
    if not quiet:
        for note in made.remarks:
            remark(note)
    answer_path(target, quiet=quiet)
    if opened and isinstance(target, Path):
        import webbrowser

        webbrowser.open(target.resolve().as_uri())


class _Made(NamedTuple):
    """A page, with the remarks for the user."""

    text: str
    remarks: tuple[str, ...]


def _of_layer(
    names: Sequence[str],
    layer: LayerSettings,
    reading: InputSettings,
    *,
    network: NetworkSettings,
    looks: PageSettings,
) -> _Made:
    """Write the page of one layer, by itself or in a network."""
    from convviz.cli.reading import find_layer
    from convviz.page.page import page

    about = find_layer(names, layer, reading, network=network)
    picture, conv = about.picture, about.layer
    conv.output_size(picture.size)
    text = page(
        names[0],
        picture,
        conv,
        weights=about.weights,
        settings=layer,
        reading=reading,
        others=names[1:],
        looks=looks,
    )
    return _Made(text, (*picture.remarks, *about.remarks))


def _of_network(
    names: Sequence[str],
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    reading: InputSettings,
    looks: PageSettings,
) -> _Made:
    """Write the page of a network."""
    from convviz.cli.reading import read_input
    from convviz.cli.retype import options_of
    from convviz.compute.networks.sources import stack_of
    from convviz.page.page import network_page
    from convviz.render.words.program import network_lines
    from convviz.results.program import lines_that_read

    source = stack_of(network, layer)
    read_as, asked = source.reading(reading)
    picture = read_input(names, read_as)
    filled = source.fill(picture.shape)
    places = source.keys(filled.weights)
    origin = source.origin
    if filled.weights and not origin and not places:
        origin = "# no short program can load the weights: copy them into the layers below"
    typed: dict[str, Any] = as_text(network, layer)
    text = network_page(
        names[0],
        picture,
        filled.network,
        steps=filled.steps,
        parameters=filled.weights,
        command=[shlex.quote(word) for word in options_of(typed, "run")],
        reading=reading,
        read_as=read_as,
        others=names[1:],
        looks=looks,
        origin=origin,
        program=network_lines(
            lines_that_read(names, picture, read_as),
            picture.size,
            picture.shape[0],
            reading=read_as,
            weights=layer.weights,
            places=places,
        ),
    )
    return _Made(text, (*picture.remarks, *asked, *filled.remarks))
