"""Print answers in the terminal: tables and derivations of values that are already computed."""

import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from convviz.images.finite import finite_of, largest
from convviz.render.words.matrices import TOO_SMALL
from convviz.spec.geometry import HW
from convviz.text import number, printable
from convviz.typing import Floats

# A column that folds does not break words of this many characters or fewer.
_MOST_FOLDED = 24
# The most rows and columns of a map to show: still readable, even if a line has no width limit.
_MOST_VALUES = 24
# Where the mean and the standard deviation stand among the numbers of a map, and the share of its largest
# magnitude that one step of float32 is: what is smaller cannot be told from the rounding of the values.
_MOMENTS = (2, 3)
_LEAST_SHARE = float(np.finfo(np.float32).eps)
# Characters per line of a file or a pipe: more than any line needs.
NO_WIDTH = 1_000_000


class _Table(Table):
    """Hold a table of literal words: no markup, no terminal control characters, and no cut numbers.

    If even the numbers do not fit side by side, every row becomes a line of headings with their
    values, which is broken between these pairs.
    """

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; escaped text is measured as it will be shown."""
        super().add_row(
            *(Text(printable(cell)) if isinstance(cell, str) else cell for cell in cells), **options
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table, or its rows as lines."""
        least = 0
        for column in self.columns:
            if not column.no_wrap:
                column.min_width = min(_widest(column, words=True), _MOST_FOLDED)
            least += column.min_width or _widest(column)
        for padding in ((0, 1, 0, 1), (0, 0, 0, 0)):
            if least + (len(self.columns) - 1) * (1 + padding[1] + padding[3]) <= options.max_width:
                self.padding, self.collapse_padding = padding, not any(padding)
                yield from super().__rich_console__(console, options)
                return
        for row in zip(*(column.cells for column in self.columns), strict=True):
            words = [
                f"{column.header} {cell}".strip() for column, cell in zip(self.columns, row, strict=True)
            ]
            yield Text("\n".join(_lines_of(words, options.max_width)), overflow="fold")
        if self.caption:
            yield Text(f"{self.caption}")


def _widest(column: Column, *, words: bool = False) -> int:
    """Measure the widest cell of a column, or its heading; or the widest word of them."""
    texts = [str(cell) for cell in (column.header, *column.cells)]
    return max(cell_len(word) for text in texts for word in (text.split() if words else [text]) or [""])


def _lines_of(words: Iterable[str], width: int) -> list[str]:
    """Put as many words as fit into each line; lines after the first are indented."""
    lines: list[str] = []
    for word in words:
        if lines and cell_len(f"{lines[-1]}  {word}") <= width:
            lines[-1] += f"  {word}"
        else:
            lines.append(f"  {word}" if lines else word)
    return lines


class _Screen(Console):
    """Escape every character that would control the terminal, wherever it comes from."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render the output."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                text = "\n".join(map(printable, segment.text.split("\n")))
                yield Segment(text, segment.style)


def bare_table(*headings: str, left: Iterable[int] = (0,), folding: int | None = None) -> Table:
    """Make a table in the style of all tables.

    Columns are flush right, except those in `left`. In a narrow terminal
    the column `folding` breaks its lines between words; numbers are never cut.
    """
    table = _Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    flush = set(left)
    for index, heading in enumerate(headings):
        table.add_column(
            heading,
            justify="left" if index in flush else "right",
            no_wrap=index != folding,
            overflow="fold",
        )
    return table


def leave_out(table: Table, headings: Sequence[str]) -> None:
    """Name the columns that do not fit below a table."""
    if headings:
        table.caption = Text(f"left out, as the terminal is too narrow: {', '.join(headings)}", style="dim")
        table.caption_justify = "left"


def statistics(
    rows: Iterable[Sequence[Any]], *, width: int, more: Sequence[str] = (), words: Sequence[str] = ("map",)
) -> Table:
    """Tabulate maps: index, `words`, minimum, maximum, mean, standard deviation, and the columns in `more`.

    Below 60 characters the numbers have one digit less; they are empty if no value is finite. A mean or a
    standard deviation that the rounding of float32 hides is ``~0``.
    """
    left = range(1, 1 + len(words))
    table = bare_table("", *words, "min", "max", "mean", "std", *more, left=tuple(left), folding=1)
    digits = 4 if width >= 60 else 3
    for index, *cells in rows:
        texts, values = cells[: len(words)], cells[len(words) :]
        least = _LEAST_SHARE * max(map(abs, values[:2]))
        shown = [
            TOO_SMALL if at in _MOMENTS and 0 < abs(value) < least else _or_dash(value, digits)
            for at, value in enumerate(values)
        ]
        table.add_row(str(index), *texts, *shown)
    return table


def _or_dash(value: float, digits: int) -> str:
    """Write a number; a dash where there is none."""
    return "-" if math.isnan(value) else number(value, digits=digits)


def without_zeros(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the counts of NaN or infinite values if they are 0 in every row.

    Examples
    --------
    >>> without_zeros([{"min": 1.0, "nan": 0, "inf": 0}, {"min": 2.0, "nan": 3, "inf": 0}])
    [{'min': 1.0, 'nan': 0}, {'min': 2.0, 'nan': 3}]
    """
    empty = [name for name in ("nan", "inf") if not any(row[name] for row in rows)]
    return [{name: value for name, value in row.items() if name not in empty} for row in rows]


def rates(rows: Iterable[tuple[str, str, int | None, float, float, float, float]]) -> Table:
    """Tabulate timings: backend, device, threads, seconds with their extremes, operations per second."""
    table = bare_table("backend", "device", "threads", "ms", "range", "GFLOP/s", left=(0, 1))
    for backend, device, threads, *seconds, flops in rows:
        median, least, greatest = (number(1e3 * of, digits=3) for of in seconds)
        table.add_row(
            backend,
            device,
            str(threads or ""),
            median,
            f"{least} to {greatest}",
            number(flops / 1e9, digits=3),
        )
    return table


def decimals(values: Floats) -> int | None:
    """Choose the decimals that show 4 significant digits of the largest value.

    Returns
    -------
    int or None
        Decimals from 0 to 6; None if the numbers need an exponent.

    Examples
    --------
    >>> decimals(np.array([18, 4], np.float32)), decimals(np.array([0.25, -2], np.float32))
    (0, 3)
    """
    known = finite_of(values)
    most = largest(known)
    if bool((known == np.round(known)).all()) and most < 1e7:
        return 0
    digits = max(3 - math.floor(math.log10(most)), 0)
    return digits if digits <= 6 and most < 1e7 else None


def _windowed(length: int, room: int, at: int | None) -> range:
    """Choose at most `room` indices, with `at` in the middle."""
    room = max(1, min(room, length))
    start = 0 if at is None else min(max(at - room // 2, 0), length - room)
    return range(start, start + room)


def values(numbers: Floats, *, at: HW | None = None, width: int = 80) -> tuple[Table, str]:
    """Tabulate one map, or the part around `at` that fits.

    Parameters
    ----------
    numbers : ndarray, shape (H, W), float32
        The map.
    at : HW, optional
        The position to show, marked; the top left corner by default.
    width : int
        Characters per line; at most 24 rows and 24 columns are shown.

    Returns
    -------
    table : rich.table.Table
        The table, with the indices in the margins.
    left_out : str
        A sentence about the part that is not shown; empty if all is shown.
    """
    h, w = numbers.shape
    places = decimals(numbers)

    def write(value: float) -> str:
        if places is None:
            return f"{value:.3e}"
        word = f"{value + 0.0:.{places}f}"
        return TOO_SMALL if value and not float(word) else word

    # The widest number decides; only the extremes can be the widest.
    known = finite_of(numbers)
    ends = [known.min(), known.max()] if known.size else []
    others = [number for number in (math.nan, -math.inf) if known.size < numbers.size]
    cell = max(len(write(float(v))) for v in (*ends, *others))
    cell = max(cell, len(str(w - 1)))
    rows = _windowed(h, _MOST_VALUES, at.h if at else None)
    room = min((width - len(str(h - 1))) // (cell + 3), _MOST_VALUES)
    columns = _windowed(w, room, at.w if at else None)
    table = _Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    for column in columns:
        table.add_column(str(column), justify="right", header_style="dim", no_wrap=True, min_width=cell)
    for row in rows:
        cells = [
            Text(write(float(numbers[row, column])), style="reverse" if at == HW(row, column) else "")
            for column in columns
        ]
        table.add_row(str(row), *cells)
    if len(rows) == h and len(columns) == w:
        return table, ""
    shown = f"rows {rows[0]} to {rows[-1]} of {h}, columns {columns[0]} to {columns[-1]} of {w}"
    return table, f"shown: {shown}; --at Y,X moves the window"


def targets(rows: Iterable[tuple[str, str, str, str, str]]) -> Table:
    """Tabulate settings near a wanted output: kernel, stride, padding, output, options to type."""
    table = bare_table("kernel", "stride", "padding", "output", "options", left=(4,))
    for row in rows:
        table.add_row(*row)
    return table


def feeds(rows: Iterable[tuple[str, ...]], *, cells: bool) -> Table:
    """Tabulate what a pixel feeds: a row per output and kernel value, with the cell if wanted."""
    headings = ("map", "channel", "output", "kernel at", "weight", *(["cell"] if cells else []))
    table = bare_table(*headings, left=(0, 1), folding=0)
    for name, channel, *rest in rows:
        table.add_row(name, channel, *rest[: len(headings) - 2])
    return table


def products(rows: Iterable[tuple[str, str, str, str]]) -> Table:
    """Tabulate the products of one weight: output position, input position, value there, product."""
    table = bare_table("output", "input", "value", "product", left=())
    for row in rows:
        table.add_row(*row)
    return table


def kernel_list(rows: Iterable[tuple[str, str, float, float, str]], *, width: int) -> Table:
    """Tabulate presets: name, size, output range for inputs in [0, 1], and what they show.

    Below 64 characters the range is left out, to make room for words.
    """
    wide = width >= 64
    headings = ("kernel", "size", "min", "max", "shows") if wide else ("kernel", "size", "shows")
    last = len(headings) - 1
    table = bare_table(*headings, left=(0, last), folding=last)
    for name, size, low, high, about in rows:
        table.add_row(name, size, *((number(low), number(high)) if wide else ()), about)
    leave_out(table, () if wide else ("min", "max"))
    return table


def console(*, width: int | None = None) -> Console:
    """Make the console of stdout.

    Parameters
    ----------
    width : int, optional
        Characters per line; by default the value of COLUMNS, else the width of the terminal. Output that is
        not a terminal has no width limit, so that nothing is left out.

    Returns
    -------
    rich.console.Console
        It also knows the number of lines of the terminal.
    """
    size = shutil.get_terminal_size()  # if a terminal reports 0, this returns 80x24
    if width is None:
        set_by_hand = os.environ.get("COLUMNS", "").isdigit()
        width = size.columns if set_by_hand or sys.stdout.isatty() else NO_WIDTH
    return _Screen(width=width, height=size.lines, highlight=False, emoji=False, soft_wrap=False)
