"""What `convviz kernels` prints."""

from typing import Any

from convviz.cli.console import answer, answer_json, answer_text
from convviz.render.words import tables
from convviz.spec.kernels import SETS, Entry, Listed
from convviz.spec.kernels.kernel import exact
from convviz.text import plural


def show(found: Listed, word: str | None, *, json: bool) -> None:
    """Print kernels: a list to choose from as a table, others in full."""
    if json:
        answer_json([_document(entry) for entry in found.entries])
    elif found.many:
        _list(found.entries, word)
    else:
        answer_text("\n\n".join("\n".join(_describe(entry)) for entry in found.entries))


def _document(entry: Entry) -> dict[str, Any]:
    """One preset as plain values."""
    kernel = entry.kernel
    low, high = kernel.range
    return {
        "name": kernel.name,
        "about": kernel.about,
        "size": list(kernel.size),
        "values": [list(row) for row in kernel.values],
        # Its old name.
        "taps": [list(row) for row in kernel.values],
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


def _list(found: tuple[Entry, ...], word: str | None) -> None:
    """Print one line per preset."""
    rows = []
    for entry in found:
        kernel = entry.kernel
        numbers = ",".join(parameter.name for parameter in entry.parameters)
        about = f"{kernel.about} ({numbers})" if numbers else kernel.about
        rows.append((kernel.name, str(kernel.size), *kernel.range, about))
    console = tables.console()
    console.print(tables.kernel_list(rows, width=console.width))
    answer()
    if word is None:
        answer(f"{len(found)} presets. Sets, which make one map for each member: {', '.join(SETS)}.")
    else:
        answer(f"{plural(len(found), 'preset')} with {word!r} in the name, set, description or source.")
    answer("convviz kernels NAME shows the numbers, the source and the parameters.")


def _describe(entry: Entry) -> list[str]:
    """Write one preset as lines."""
    kernel = entry.kernel
    words = [[exact(round(tap, 6)) for tap in row] for row in kernel.values]
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
        f"  {parameter.name:<9} {parameter.about} [default: {parameter.default_text}]"
        for parameter in entry.parameters
    ]
    return lines
