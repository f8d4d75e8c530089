"""Write a document of headings, sentences and tables as Markdown, or as HTML to print."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Heading:
    """Hold a heading; level 1 begins a page."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """Hold a paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Steps:
    """Hold the lines of a calculation."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Grid:
    """Hold a matrix with its indices in the margins; empty words leave room for writing."""

    rows: Sequence[Sequence[str]]


Block = Heading | Text | Steps | Grid

_STYLE = """
body { font: 12pt/1.45 Helvetica, Arial, sans-serif; color: #1f2328; margin: 2em auto; max-width: 46em; }
h1 { font-size: 1.5em; break-before: page; } h1:first-of-type { break-before: auto; }
h2 { font-size: 1.1em; margin: 1.2em 0 0.4em; break-after: avoid; }
table { border-collapse: collapse; margin: 0.4em 0; break-inside: avoid; }
td { border: 1px solid #656d76; min-width: 2.4em; height: 2.2em; text-align: center; }
th { color: #656d76; font-weight: normal; font-size: 0.8em; padding: 0.2em 0.5em; }
pre { font: 10.5pt/1.4 monospace; white-space: pre-wrap; }
""".strip()


def to_markdown(blocks: Sequence[Block]) -> str:
    """Write a document as Markdown.

    Examples
    --------
    >>> print(to_markdown([Heading("Input"), Grid([["1", "2"]])]), end="")
    ## Input
    <BLANKLINE>
    |  | 0 | 1 |
    |--:|:-:|:-:|
    | **0** | 1 | 2 |
    """
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"{'#' * block.level} {block.text}")
        elif isinstance(block, Text):
            parts.append(block.text)
        elif isinstance(block, Steps):
            parts.append("```text\n" + "\n".join(block.lines) + "\n```")
        else:
            columns = range(len(block.rows[0]))
            lines = [f"|  | {' | '.join(map(str, columns))} |", f"|--:|{':-:|' * len(columns)}"]
            lines += [f"| **{index}** | {' | '.join(row)} |" for index, row in enumerate(block.rows)]
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def to_html(blocks: Sequence[Block], *, title: str) -> str:
    """Write a document as one HTML page without external files; each sheet is one printed page."""
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"<h{block.level}>{escape(block.text)}</h{block.level}>")
        elif isinstance(block, Text):
            parts.append(f"<p>{escape(block.text)}</p>")
        elif isinstance(block, Steps):
            parts.append(f"<pre>{escape(chr(10).join(block.lines))}</pre>")
        else:
            head = "".join(f'<th scope="col">{index}</th>' for index in range(len(block.rows[0])))
            body = "".join(
                f'<tr><th scope="row">{index}</th>{"".join(f"<td>{escape(word)}</td>" for word in row)}</tr>'
                for index, row in enumerate(block.rows)
            )
            parts.append(f"<table><tr><th></th>{head}</tr>{body}</table>")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
