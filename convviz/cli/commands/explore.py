"""``convviz explore``."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer_path, remark
from convviz.cli.options import (
    OUTPUT,
    Force,
    InputFiles,
    LayersText,
    NetName,
    Quiet,
    Until,
    output_option,
    with_settings,
)
from convviz.cli.writing import stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files.paths import fitting
from convviz.files.writing import check_path
from convviz.spec.settings import InputSettings, LayerSettings, as_text


@with_settings
def explore(
    input: InputFiles,
    layer: LayerSettings,
    reading: InputSettings,
    *,
    output: Annotated[
        Path | None,
        output_option("The page (.html; - for stdout).", "NAME-explore.html"),
    ] = None,
    opened: Annotated[
        bool, typer.Option("--open", rich_help_panel=OUTPUT, help="Open the page in the browser.")
    ] = False,
    layers: LayersText = None,
    net: NetName = None,
    until: Until = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write an interactive page of a layer or a network: point at a value, change a setting.

    The page is one file that needs no network and no server. It computes in the browser, with the numbers
    of convviz; its address holds the settings, so that a copied link shows the same.

    For example:

        convviz explore cat.jpg --out-channels 6 --padding 1

        convviz explore numbers.csv -K sobel-x --open

        convviz explore digit.png --net digits.toml --weights digits.safetensors
    """
    target = stdout_for("output", output, ".html") or Path(fitting(stem_of(input[0]), "-explore.html"))
    if opened and not isinstance(target, Path):
        raise SpecError("open: goes with a file; leave out -o -.")
    if target.suffix.lower() != ".html":
        raise SpecError(f"output: a page ends in .html, not {target.suffix!r}.")

    from convviz import __version__
    from convviz.cli.reading import input_files, read_input
    from convviz.cli.retype import options_of
    from convviz.compute import filters
    from convviz.files import marks
    from convviz.page.page import network_page, page
    from convviz.results import outputs

    def typed(described: dict[str, Any]) -> list[str]:
        """Write options as words of a shell."""
        return [shlex.quote(word) for word in options_of(described, "run")]

    if layers is not None or net is not None or until is not None:
        from convviz.cli.nets import ChosenNet, Source

        chosen = ChosenNet.of(layers, net, until, layer=layer)
        if layer.layer_name is not None:
            raise SpecError("layer: the page has all layers; leave it out.")
        inputs = [*input_files(input), *chosen.files]
        check_path(target, force=force, is_ours=marks.is_ours, inputs=inputs)
        source = Source.of(chosen)
        read_as, asked = source.reading(reading)
        picture = read_input(input, read_as)
        found, steps, parameters, remarks = source.fill(picture.shape)
        remarks = (*asked, *remarks)
        described = chosen.described() | as_text(reading)
        text = network_page(
            input[0],
            picture,
            found,
            steps=steps,
            parameters=parameters,
            command=typed(chosen.described()),
            reading=reading,
            read_as=read_as,
            others=input[1:],
            origin=source.origin,
        )
    else:
        inputs = [*layer.files, *input_files(input)]
        check_path(target, force=force, is_ours=marks.is_ours, inputs=inputs)
        named = filters.prepare(layer)
        picture = read_input(input, reading)
        conv, weights, remarks = filters.build(
            layer, picture.shape[0], named=named, channels=picture.channels
        )
        conv.output_size(picture.size)
        described = as_text(layer, reading)
        text = page(
            input[0], picture, conv, weights=weights, settings=layer, reading=reading, others=input[1:]
        )
    description = {"version": __version__, "command": "explore", **described}
    tell_replaced(target, description, quiet=quiet)
    outputs.write_page(text, target, description, force=force)
    if not quiet:
        for note in (*picture.remarks, *remarks):
            remark(note)
    answer_path(target, quiet=quiet)
    if opened and isinstance(target, Path):
        import webbrowser

        webbrowser.open(target.resolve().as_uri())
