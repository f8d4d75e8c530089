"""The window slides over the input and the output fills: one frame per output cell."""

import functools
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, PngImagePlugin

from convviz.errors import SpecError
from convviz.render.drawings.cells import ORANGE, centred, ink_on, mixed, type_size
from convviz.render.drawings.drawing import (
    Canvas,
    Colour,
    Drawing,
    Label,
    Lines,
    Point,
    Polygon,
    Shape,
    to_svg,
)
from convviz.render.fonts import font
from convviz.render.palette import FAINT, INK, INPUT_BLUE, OUTPUT_TEAL, PAPER, RULE
from convviz.render.words.matrices import cell_words
from convviz.spec.geometry import HW, Axis, source_of
from convviz.spec.settings import Style
from convviz.text import number, plural
from convviz.typing import Floats

MOST_FRAMES = 10_000
# One byte per pixel of every frame, before compression; that many are held while a file is written.
MOST_BYTES = 500_000_000

_INPUT, _READ = mixed(PAPER, INPUT_BLUE, 0.30), mixed(PAPER, INPUT_BLUE, 0.75)
_COPY, _PADDED_READ = mixed(PAPER, INPUT_BLUE, 0.10), mixed(PAPER, INPUT_BLUE, 0.45)
_DONE, _NOW = mixed(PAPER, OUTPUT_TEAL, 0.30), mixed(PAPER, OUTPUT_TEAL, 0.85)


@dataclass(frozen=True, eq=False)
class Scene:
    """What slides over what.

    Parameters
    ----------
    title : str
        What stands above.
    height, width : Axis
        The windows on both axes; for a transposed convolution over the input with zeros put in.
    zoom : HW
        Distance between neighbouring pixels of the input on those axes: 1, or the stride of a
        transposed convolution.
    padding_mode : str
        What the padding holds.
    channels : tuple of str
        The channels that are read; shown one below the other.
    inputs : ndarray, shape (C, H, W), float32, optional
        Numbers for the cells of the input; without them the cells are empty.
    values : ndarray, shape (H', W'), float32, optional
        Numbers for the cells of the output.
    """

    title: str
    height: Axis
    width: Axis
    zoom: HW = HW(1, 1)
    padding_mode: str = "zeros"
    channels: tuple[str, ...] = ("input",)
    inputs: Floats | None = None
    values: Floats | None = None

    @property
    def frames(self) -> int:
        """Number of frames: one per output cell."""
        return self.height.output * self.width.output

    def source(self, row: int, column: int) -> tuple[int, int] | None:
        """Find the input pixel whose value a cell holds; None for a zero of the padding or between pixels."""
        places = []
        for index, axis, zoom in ((row, self.height, self.zoom.h), (column, self.width, self.zoom.w)):
            at = source_of(index, axis.input, self.padding_mode)
            if at is None or at % zoom:
                return None
            places.append(at // zoom)
        return places[0], places[1]

    def inside(self, row: int, column: int) -> bool:
        """Return whether a cell is a pixel of the input, not padding and not put in."""
        at_h, at_w = 0 <= row < self.height.input, 0 <= column < self.width.input
        return at_h and at_w and row % self.zoom.h == 0 and column % self.zoom.w == 0

    @functools.cached_property
    def input_words(self) -> list[list[list[str]]]:
        """The numbers of the input, written for its cells."""
        return [] if self.inputs is None else [cell_words(channel) for channel in self.inputs]

    @functools.cached_property
    def value_words(self) -> list[list[str]]:
        """The numbers of the output, written for its cells."""
        return [] if self.values is None else cell_words(self.values)

    def word(self, channel: int, row: int, column: int) -> str:
        """Return the number of a cell of the input."""
        if self.inputs is None:
            return ""
        source = self.source(row, column)
        return "0" if source is None else self.input_words[channel][source[0]][source[1]]


@dataclass(frozen=True, slots=True)
class _Lattice:
    """Where an array lies on the paper: its first corner, and the steps of one column and one row."""

    corner: Point
    across: Point
    down: Point

    def at(self, row: float, column: float) -> Point:
        """Find a corner of the grid."""
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
    """The frames of a scene.

    Parameters
    ----------
    scene : Scene
        What to show.
    style : {"flat", "iso"}
        Seen from above, or tilted with lines from the window to the output cell.

    Raises
    ------
    SpecError
        If there would be more than `MOST_FRAMES` frames or `MOST_BYTES`.
    """

    def __init__(self, scene: Scene, style: Style = "flat") -> None:
        self.scene, self.style = scene, style
        height, width = scene.height, scene.width
        # All that windows or pixels cover; padding below 0 only leaves pixels unread.
        self._rows = range(min(-height.before, 0), max(height.input + height.after, height.input))
        self._columns = range(min(-width.before, 0), max(width.input + width.after, width.input))
        self._lay_out()
        w, h = self._size
        if scene.frames > MOST_FRAMES:
            raise SpecError(
                f"the animation would have {plural(scene.frames, 'frame')}, more than {MOST_FRAMES:,}; "
                "make the input smaller (--size or --resize), or raise the stride."
            )
        if scene.frames * w * h > MOST_BYTES:
            raise SpecError(
                f"the animation would take {scene.frames * w * h / 1e6:,.0f} MB ({scene.frames:,} frames of "
                f"{w}x{h} pixels), more than {MOST_BYTES / 1e6:,.0f} MB; make the input smaller "
                "(--size or --resize), or raise the stride."
            )

    def _lay_out(self) -> None:
        """Choose the size of the cells and where input and output lie."""
        scene = self.scene
        rows, columns, count = len(self._rows), len(self._columns), len(scene.channels)
        out_rows, out_columns = scene.height.output, scene.width.output
        margin, head, foot = 28.0, 62.0, 44.0
        tilted = self.style == "iso"
        across, down = ((1.0, 0.14), (-0.52, 0.46)) if tilted else ((1.0, 0.0), (0.0, 1.0))

        def extent(h: int, w: int, cell: float) -> tuple[float, float, float]:
            """Width and height of an array on paper, and how far it reaches to the left of its corner."""
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
        words = [
            scene.word(channel, row, column)
            for channel in range(count)
            for row in self._rows
            for column in self._columns
        ]
        made = [word for row in scene.value_words for word in row]
        self._type, self._out_type = (type_size(all_of, self._cell, most=15) for all_of in (words, made))
        title_w = font(16).getlength(scene.title)
        note_w = font(14).getlength(self._note(scene.frames - 1)) + 40
        # Even sides, as encoders of video like them.
        named = max(x + font(14).getlength(name) for (x, _), name in zip(names, scene.channels, strict=True))
        width = max(wide + margin, title_w + margin, note_w + margin, named) + margin
        self._size = (2 * round(width / 2), 2 * round((head + 22 + high + foot) / 2))

    def ground(self) -> Drawing:
        """Draw what is there before the first frame: the input, and the empty output."""
        scene = self.scene
        shapes: list[Shape] = [Label(28, 34, scene.title, INK, 16)]
        for channel, sheet in enumerate(self._inputs):
            for i, row in enumerate(self._rows):
                for j, column in enumerate(self._columns):
                    inside = scene.inside(row, column)
                    copied = not inside and scene.source(row, column) is not None
                    fill = _INPUT if inside else _COPY if copied else PAPER
                    word = scene.word(channel, row, column)
                    shapes += sheet.cell(i, j, fill, word=word, size=self._type, dashed=not inside)
            if len(scene.channels) > 1 or scene.inputs is not None:
                shapes.append(Label(*self._names[channel], scene.channels[channel], INPUT_BLUE, 14))
        for row in range(scene.height.output):
            for column in range(scene.width.output):
                shapes.append(Polygon(self._output.box(row, column), PAPER, RULE, 1))
        w, h = self._size
        return Drawing(w, h, PAPER, tuple(shapes))

    def filled(self, frame: int, fill: Colour = _DONE) -> list[Shape]:
        """Draw the output cell of a frame with its value."""
        row, column = divmod(frame, self.scene.width.output)
        word = "" if self.scene.values is None else self.scene.value_words[row][column]
        return self._output.cell(row, column, fill, word=word, size=self._out_type)

    def above(self, frame: int) -> list[Shape]:
        """Draw what only one frame shows: the window, the cell that it makes, and a line of words."""
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
                        word=scene.word(channel, row, column),
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
        return (
            f"{frame + 1}/{scene.frames}: output {y},{x}{value} from rows {rows[0]} to {rows[-1]}, "
            f"columns {columns[0]} to {columns[-1]}"
        )

    def images(self) -> Iterator[Image.Image]:
        """Render the frames as pixels, mode RGB."""
        canvas = Canvas(self.ground())
        for frame in range(self.scene.frames):
            yield canvas.image(self.above(frame))
            canvas.paint(self.filled(frame))

    def svgs(self, *, comment: str = "") -> Iterator[str]:
        """Write the frames as SVG documents."""
        ground = self.ground()
        made: list[Shape] = []
        for frame in range(self.scene.frames):
            shapes = (*ground.shapes, *made, *self.above(frame))
            yield to_svg(Drawing(ground.width, ground.height, ground.paper, shapes), comment=comment)
            made += self.filled(frame)


def encode(frames: Sequence[Image.Image], suffix: str, *, ms: int, mark: str, text: str) -> bytes:
    """Write frames as one animated picture that loops for ever.

    Parameters
    ----------
    frames : sequence of PIL.Image.Image
        All of one size; shared colours, as `paletted` gives them.
    suffix : {".gif", ".webp", ".png", ".apng"}
        What to write.
    ms : int
        How long a frame is shown, in milliseconds.
    mark, text : str
        Keyword and text of the metadata.

    Returns
    -------
    bytes
        The file.
    """
    file = io.BytesIO()
    first, rest = frames[0], list(frames[1:])
    shared = {"save_all": True, "append_images": rest, "duration": ms, "loop": 0}
    if suffix == ".gif":
        first.save(file, "GIF", comment=f"{mark} {text}".encode(), optimize=False, disposal=1, **shared)
    elif suffix == ".webp":
        first.save(file, "WEBP", lossless=True, xmp=f"{mark} {text}".encode(), **shared)
    else:
        info = PngImagePlugin.PngInfo()
        info.add_itxt(mark, text)
        first.save(file, "PNG", pnginfo=info, **shared)
    return file.getvalue()


def paletted(animation: Animation) -> list[Image.Image]:
    """Render all frames with one palette of 256 colours, so that none flickers."""
    shared = Image.new("P", (1, 1))
    shared.putpalette([level for colour in _palette() for level in colour])
    return [image.quantize(palette=shared, dither=Image.Dither.NONE) for image in animation.images()]


def _palette() -> list[Colour]:
    """List the colours of every frame: those of the shapes, and the steps between them that smooth edges."""
    fills = (PAPER, _INPUT, _READ, _COPY, _PADDED_READ, _DONE, _NOW)
    strokes = (INK, FAINT, RULE, ORANGE, INPUT_BLUE)
    steps = [mixed(fill, stroke, part / 6) for fill in fills for stroke in strokes for part in range(1, 6)]
    white = [mixed(fill, PAPER, part / 4) for fill in (_READ, _NOW) for part in range(1, 4)]
    return list(dict.fromkeys((*fills, *strokes, *steps, *white)))[:256]
