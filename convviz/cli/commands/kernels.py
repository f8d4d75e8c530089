"""``convviz kernels``."""

from typing import Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, answer_text
from convviz.cli.options import Json
from convviz.kernels import Entry, complete, entries, parse_request, parse_taps
from convviz.kernels.kernel import exact


def kernels(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help='A preset, a set, a formula, or literal taps ("1 2 1; 2 4 2; 1 2 1 / 16").',
            autocompletion=complete,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the presets, or show one as numbers with its source.

    The range is that of the output for inputs from 0 to 1.

    For example:

        convviz kernels

        convviz kernels gaussian:sigma=1.5,size=7
    """
    if name is None:
        found = entries()
    else:
        request = parse_request(name)
        found = (Entry(parse_taps(name)),) if request.kind == "taps" else entries(name)
    if json:
        answer_json([_document(entry) for entry in found])
    elif name is None:
        _list(found)
    else:
        answer_text("\n\n".join("\n".join(_describe(entry)) for entry in found))


def _document(entry: Entry) -> dict[str, Any]:
    """One preset as plain values."""
    kernel = entry.kernel
    low, high = kernel.range
    return {
        "name": kernel.name,
        "about": kernel.about,
        "size": list(kernel.size),
        "taps": [list(row) for row in kernel.taps],
        "divisor": kernel.divisor,
        "range": [low, high],
        "source": kernel.source,
        "equals": kernel.equals,
        "set": entry.set_name,
        "parameters": [
            {"name": parameter.name, "about": parameter.about, "default": parameter.default}
            for parameter in entry.parameters
        ],
    }


def _list(found: tuple[Entry, ...]) -> None:
    """Print one line per preset."""
    from convviz.kernels import SETS
    from convviz.render import tables

    rows = []
    for entry in found:
        kernel = entry.kernel
        numbers = ",".join(parameter.name for parameter in entry.parameters)
        about = f"{kernel.about} ({numbers})" if numbers else kernel.about
        rows.append((kernel.name, str(kernel.size), *kernel.range, about))
    console = tables.console()
    console.print(tables.kernel_list(rows, width=console.width))
    answer()
    answer(f"{len(found)} presets. Sets, which make one map for each member: {', '.join(SETS)}.")
    answer("convviz kernels NAME shows the numbers, the source and the parameters.")


def _describe(entry: Entry) -> list[str]:
    """Write one preset as lines."""
    kernel = entry.kernel
    words = [[exact(round(tap, 6)) for tap in row] for row in kernel.taps]
    widths = [max(len(row[column]) for row in words) for column in range(kernel.size.w)]
    lines = [kernel.name + (f": {kernel.about}" if kernel.about else "")]
    lines += [
        "  " + "  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)) for row in words
    ]
    if kernel.divisor != 1:
        lines.append(f"  divided by {exact(kernel.divisor)}")
    low, high = kernel.range
    lines.append(f"  output    {low:.6g} to {high:.6g} for inputs from 0 to 1")
    facts = (("source", kernel.source), ("equals", kernel.equals), ("set", entry.set_name))
    lines += [f"  {name:<9} {text}" for name, text in facts if text]
    lines += [
        f"  {parameter.name:<9} {parameter.about} [default: {parameter.shown_default}]"
        for parameter in entry.parameters
    ]
    return lines
