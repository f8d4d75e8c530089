"""``convviz kernels``."""

from typing import Annotated

import typer

from convviz.cli.options import Json
from convviz.spec.kernels import complete


def kernels(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|WORD",
            help='A preset, a set, a formula, kernel values ("1 2 1; 2 4 2; 1 2 1 / 16"), or a word to find.',
            autocompletion=complete,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the presets, or show one as numbers with its source.

    A word that is not a name is searched for in names, sets, descriptions and sources. The range is that
    of the output for inputs from 0 to 1.

    For example:

        convviz kernels

        convviz kernels blur

        convviz kernels gaussian:sigma=1.5,size=7
    """
    from convviz.cli.reports import kernels as report
    from convviz.spec.kernels import lookup

    report.show(lookup.kernels(name), name, json=json)
