"""Slide the window over the input while the output fills: one frame per output cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from convviz.render.drawings.cells import ORANGE, centred, ink_on, mixed, type_size
from convviz.render.drawings.drawing import (
    Colour,
    Drawing,
    Label,
    Lines,
    Point,
    Polygon,
    Shape,
)
from convviz.render.drawings.film import Film, Frame
from convviz.render.drawings.pace import Beat, pace
from convviz.render.drawings.scene import Scene
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, RULE
from convviz.spec.geometry import HW
from convviz.spec.settings import Style
from convviz.text import number

_INPUT, _READ = mixed(PAPER, INPUT_BLUE, 0.30), mixed(PAPER, INPUT_BLUE, 0.75)
_COPY, _PADDED_READ = mixed(PAPER, INPUT_BLUE, 0.10), mixed(PAPER, INPUT_BLUE, 0.45)
_DONE, _NOW = mixed(PAPER, OUTPUT_TEAL, 0.30), mixed(PAPER, OUTPUT_TEAL, 0.85)


@dataclass(frozen=True, slots=True)
class _Lattice:
    """Place an array on the paper: its first corner, and the steps of one column and one row."""

    corner: Point
    across: Point
    down: Point

    def at(self, row: float, column: float) -> Point:
        """Return the position of a corner of the grid."""
        return (
            self.corner[0] + column * self.across[0] + row * self.down[0],
            self.corner[1] + column * self.across[1] + row * self.down[1],
        )

    def box(self, row: float, column: float, size: tuple[float, float] = (1, 1)) -> tuple[Point, ...]:
        """Return the four corners of a part of the grid."""
        rows, columns = size
        ends = ((row, column), (row, column + columns), (row + rows, column + columns), (row + rows, column))
        return tuple(self.at(*end) for end in ends)

    def cell(
        self, row: int, column: int, fill: Colour, *, word: str, size: int, dashed: bool = False
    ) -> list[Shape]:
        """Draw one cell with its number."""
        shapes: list[Shape] = [Polygon(self.box(row, column), fill, RULE, 1, dashed=dashed)]
        if word and size:
            x, y = self.at(row + 0.5, column + 0.5)
            shapes.append(centred(word, x, y, ink=ink_on(fill), size=size))
        return shapes


class Animation:
    """Make the frames of a scene.

    Parameters
    ----------
    scene : Scene
        The scene to show.
    style : {"flat", "iso"}
        Seen from above, or tilted with lines from the window to the output cell.
    """

    def __init__(self, scene: Scene, style: Style = "flat") -> None:
        self.scene, self.style = scene, style
        height, width = scene.height, scene.width
        # All cells that windows or pixels cover; padding below 0 only leaves pixels unread.
        self._rows = range(min(-height.before, 0), max(height.input + height.after, height.input))
        self._columns = range(min(-width.before, 0), max(width.input + width.after, width.input))
        self._lay_out()

    def _lay_out(self) -> None:
        """Choose the size of the cells, and the positions of input and output."""
        scene = self.scene
        rows, columns, count = len(self._rows), len(self._columns), len(scene.channels)
        out_rows, out_columns = scene.height.output, scene.width.output
        margin, head, foot = 28.0, 62.0, 44.0
        tilted = self.style == "iso"
        across, down = ((1.0, 0.14), (-0.52, 0.46)) if tilted else ((1.0, 0.0), (0.0, 1.0))

        def extent(h: int, w: int, cell: float) -> tuple[float, float, float]:
            """Return width and height of an array on paper, and how far it extends left of its corner."""
            left = -down[0] * h * cell
            return across[0] * w * cell + left, (across[1] * w + down[1] * h) * cell, left

        def sizes(cell: float) -> tuple[float, float]:
            in_w, in_h, _ = extent(rows, columns, cell)
            out_w, out_h, _ = extent(out_rows, out_columns, cell)
            if tilted:
                lift = 0.55 * in_h + 1.2 * cell
                return max(in_w, out_w), out_h + lift + in_h + (count - 1) * (0.8 * in_h + 24)
            return in_w + 90 + out_w, max(count * in_h + (count - 1) * 34, out_h)

        cell = 44.0
        while cell > 9 and (sizes(cell)[0] > 900 or sizes(cell)[1] > 560):
            cell -= 1
        wide, high = sizes(cell)
        in_w, in_h, in_left = extent(rows, columns, cell)
        out_w, out_h, out_left = extent(out_rows, out_columns, cell)
        step_x, step_y = (
            (across[0] * cell, across[1] * cell),
            (down[0] * cell, down[1] * cell),
        )
        self._inputs, names = [], []
        if tilted:
            out_x, out_y = margin + (wide - out_w) / 2 + out_left, head + 22
            for index in range(count):
                x = margin + (wide - in_w) / 2 + in_left
                y = out_y + out_h + 0.55 * in_h + 1.2 * cell + index * (0.8 * in_h + 24)
                self._inputs.append(_Lattice((x, y), step_x, step_y))
                names.append((x + in_w - in_left + 10, y + across[1] * columns * cell + 4))
        else:
            out_x, out_y = margin + in_w + 90, head + 22 + (high - out_h) / 2
            for index in range(count):
                y = head + 22 + index * (in_h + 34) + (high - count * in_h - (count - 1) * 34) / 2
                self._inputs.append(_Lattice((margin, y), step_x, step_y))
                names.append((margin, y - 8))
        self._output = _Lattice((out_x, out_y), step_x, step_y)
        self._cell = cell * (0.86 if tilted else 1.0)
        self._names = names
        self._input_words, self._value_words = scene.input_words, scene.value_words
        words = [
            self.word(channel, row, column)
            for channel in range(count)
            for row in self._rows
            for column in self._columns
        ]
        made = [word for row in self._value_words for word in row]
        self._type, self._out_type = (type_size(all_of, self._cell, most=15) for all_of in (words, made))
        title_w = font(16).getlength(scene.title)
        note_w = max(font(14).getlength(self._note(frame)) for frame in range(scene.frames)) + 40
        # Even sides, which video encoders prefer.
        named = max(x + font(14).getlength(name) for (x, _), name in zip(names, scene.channels, strict=True))
        width = max(wide + margin, title_w + margin, note_w + margin, named) + margin
        self._size = (2 * round(width / 2), 2 * round((head + 22 + high + foot) / 2))

    def word(self, channel: int, row: int, column: int) -> str:
        """Return the number in a cell of the input; an empty string if the cells are empty."""
        if not self._input_words:
            return ""
        source = self.scene.source(row, column)
        return "0" if source is None else self._input_words[channel][source[0]][source[1]]

    def ground(self) -> Drawing:
        """Draw the paper before the first frame: the input, and the empty output."""
        scene = self.scene
        shapes: list[Shape] = [Label(28, 34, scene.title, INK, 16)]
        for channel, sheet in enumerate(self._inputs):
            for i, row in enumerate(self._rows):
                for j, column in enumerate(self._columns):
                    inside = scene.inside(row, column)
                    copied = not inside and scene.source(row, column) is not None
                    fill = _INPUT if inside else _COPY if copied else PAPER
                    word = self.word(channel, row, column)
                    shapes += sheet.cell(i, j, fill, word=word, size=self._type, dashed=not inside)
            if len(scene.channels) > 1 or scene.inputs is not None:
                shapes.append(Label(*self._names[channel], scene.channels[channel], INPUT_BLUE, 14))
        for row in range(scene.height.output):
            for column in range(scene.width.output):
                shapes.append(Polygon(self._output.box(row, column), PAPER, RULE, 1))
        w, h = self._size
        return Drawing(w, h, PAPER, tuple(shapes), title=scene.title)

    def filled(self, frame: int, fill: Colour = _DONE) -> list[Shape]:
        """Draw the output cell of a frame with its value."""
        row, column = divmod(frame, self.scene.width.output)
        word = "" if self.scene.values is None else self._value_words[row][column]
        return self._output.cell(row, column, fill, word=word, size=self._out_type)

    def above(self, frame: int) -> list[Shape]:
        """Draw the shapes of one frame only: the window, the cell that it makes, and a line of words."""
        scene = self.scene
        y, x = divmod(frame, scene.width.output)
        rows, columns = scene.height.reads(y), scene.width.reads(x)
        first_row, first_column = rows[0] - self._rows.start, columns[0] - self._columns.start
        box = (first_row, first_column, (scene.height.span, scene.width.span))
        shapes: list[Shape] = []
        for channel, sheet in enumerate(self._inputs):
            for row in rows:
                for column in columns:
                    inside = scene.inside(row, column)
                    shapes += sheet.cell(
                        row - self._rows.start,
                        column - self._columns.start,
                        _READ if inside else _PADDED_READ,
                        word=self.word(channel, row, column),
                        size=self._type,
                        dashed=not inside,
                    )
            shapes.append(Polygon(sheet.box(*box), None, ORANGE, 2.5))
        target = self._output.box(y, x)
        if self.style == "iso":
            corners = self._inputs[0].box(*box)
            shapes += [Lines((a, b), ORANGE, 1.2) for a, b in zip(corners, target, strict=True)]
        else:
            for sheet in self._inputs:
                corners = sheet.box(*box)
                shapes += [
                    Lines((corners[1], target[0]), ORANGE, 1.2),
                    Lines((corners[2], target[3]), ORANGE, 1.2),
                ]
        shapes += self.filled(frame, _NOW)
        shapes.append(Polygon(target, None, ORANGE, 2))
        return [*shapes, Label(28, self._size[1] - 20, self._note(frame), FAINT, 14)]

    def _note(self, frame: int) -> str:
        """Describe which cells the window reads and which it makes."""
        scene = self.scene
        y, x = divmod(frame, scene.width.output)
        rows, columns = scene.height.reads(y), scene.width.reads(x)
        value = "" if scene.values is None else f" = {number(float(scene.values[y, x]), digits=6)}"
        spread = " of the input with zeros between its values" if scene.zoom != HW(1, 1) else ""
        is_empty = all(scene.source(row, column) is None for row in rows for column in columns)
        only = "; the window reads only zeros" if is_empty and scene.rule != "max" else ""
        return (
            f"{frame + 1}/{scene.frames}: output {y},{x}{value} from rows {rows[0]} to {rows[-1]}, "
            f"columns {columns[0]} to {columns[-1]}{spread}{only}"
        )

    def film(self, beats: Sequence[Beat] | None = None) -> Film:
        """Return the frames: one per cell of the output by default, or as `pace` spreads them."""
        scene = self.scene
        chosen = beats or pace(HW(scene.height.output, scene.width.output), cells="all")
        return Film(self.ground(), tuple(chosen), self._frame)

    def _frame(self, beat: Beat) -> Frame:
        """Draw one frame."""
        done = [shape for cell in range(beat.before, beat.made) for shape in self.filled(cell)]
        return Frame(tuple(done), tuple(self.above(beat.cell)))
