"""Show a layer at work, cell by cell: pictures, kernels with their values, products, sums, the map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convviz.images.finite import NotFinite, finite_of, largest
from convviz.render.contrast import contrast_of
from convviz.render.drawings.drawing import Drawing, Label, Lines, Polygon, Rectangle, Shape
from convviz.render.drawings.film import Film, Frame
from convviz.render.drawings.grids import (
    LEAST_LINED,
    NOTE,
    TYPE,
    Grid,
    Parameters,
    are_whole,
    arrow,
    colours_of,
    fitted,
    fitting_words,
    short_words,
    sign,
    signed_grid,
)
from convviz.render.drawings.pace import Beat
from convviz.render.drawings.scene import Scene
from convviz.render.drawings.work import Cells, Line, Unit, Window, Work
from convviz.render.fonts import font
from convviz.render.palette import (
    EMPTY,
    FAINT,
    INK,
    INPUT_BLUE,
    OUTPUT_TEAL,
    PAPER,
    RULE,
    Tone,
    key,
    marked,
)
from convviz.render.words.matrices import TOO_SMALL
from convviz.spec.geometry import HW, Axis
from convviz.text import number
from convviz.typing import Bytes, Floats

WIDTH = 960.0
_MARGIN, _GAP, _ARROW, _SIGN, _BOX = 24.0, 18.0, 32.0, 24.0, HW(32, 112)
_TOP, _FOOT, _BETWEEN, _BETWEEN_BOXES = 98.0, 96.0, 30.0, 20.0
# The height of a channel row, by the number of channels; a row with the window above its kernel is higher.
_ROW, _HIGH_ROW = {1: 330.0, 2: 190.0, 3: 132.0, 4: 112.0}, {1: 400.0, 2: 290.0}
_MOST_CELL, _MOST_KERNEL_CELL, _STACK_GAP = 44.0, 42.0, 46.0
# The least width of input and map together; the cell of a kernel that has room for numbers.
_LEAST_ARRAYS, _READ_CELL = 260.0, 40.0
# The type of a name that stands above its value, for want of room beside it; the height of the boxes then;
# the number of values of the map, spread over it, that are looked at for this.
_SMALL, _HIGH_BOX, _SAMPLED = 14, 44, 64
# The share of paper in the colour of a pixel that no window reads.
_PALE = 0.72
# The thickness of the bars beside those pixels.


@dataclass(frozen=True, slots=True)
class _Row:
    """Place the arrays of one channel; a pooling layer has neither kernel nor products."""

    input: Grid
    window: Grid
    kernel: Grid | None
    products: Grid | None

    @property
    def blocks(self) -> list[Grid]:
        """The arrays of the same size as the kernel."""
        return [grid for grid in (self.window, self.kernel, self.products) if grid is not None]

    @property
    def last(self) -> Grid:
        """The array that is summed."""
        return self.products or self.window


@dataclass(frozen=True, slots=True)
class _Places:
    """Place everything."""

    height: float
    rows: list[_Row]
    box: int
    boxes: list[tuple[float, float]]
    output: Grid


class Lesson:
    """Make the frames of a layer on numbers: the products, the sums, and the map.

    Parameters
    ----------
    scene : Scene
        A convolution or a pooling layer, with numbers.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene, self.work = scene, Work(scene)
        inputs = [self.work.channel(row) for row in range(len(self.work.shown))]
        self._tones = [
            _tone(values, None if scene.ends is None else scene.ends[channel])
            for values, channel in zip(inputs, self.work.shown, strict=True)
        ]
        self._input_peak = max(largest(values.compressed()) for values in inputs) or 1.0
        kernels = self.work.kernels
        self._kernel_peak = 1.0 if kernels is None else float(np.abs(kernels).max()) or 1.0
        self._input_ends = _ends_of(self.work.padded[self.work.shown])
        if kernels is not None:
            products = [np.multiply.outer(kernels, end) for end in _ends_of(self.work.padded)[0][:2]]
            self._product_ends = _ends_of(np.array(products), kernels, self.work.padded)
        self._places = self._lay_out()

    @property
    def _sums(self) -> bool:
        """Whether there are kernels."""
        return self.work.kernels is not None

    @property
    def steps(self) -> int:
        """Number of steps that make the first cell, before a frame shows all of it."""
        return len(self.work.units)

    def film(self, beats: Sequence[Beat]) -> Film:
        """Return the frames."""
        return Film(self._ground(), tuple(beats), self._frame)

    # The positions

    def _lay_out(self) -> _Places:
        """Choose the cell size and the position of every array."""
        scene, count = self.scene, len(self.work.shown)
        kernel, padded = HW(scene.height.kernel, scene.width.kernel), HW(*self.work.padded.shape[1:])
        stacked, block = self._block(kernel, count)
        across = (2 if stacked else 3) if self._sums else 1
        row_h = max(_ROW[count], 2 * kernel.h * block + _STACK_GAP) if stacked else _ROW[count]
        area = count * row_h + (count - 1) * _BETWEEN
        room = _room(across) - across * block * kernel.w
        cell = min(_MOST_CELL, room / 2 / padded.w, row_h / padded.h)
        output = min(_MOST_CELL, (room - cell * padded.w) / scene.size.w, area / scene.size.h)
        # The input may take the room that the map leaves.
        cell = min(_MOST_CELL, (room - output * scene.size.w) / padded.w, row_h / padded.h)
        spare = (room - cell * padded.w - output * scene.size.w) / 4
        rows = []
        for top in (_TOP + row * (row_h + _BETWEEN) for row in range(count)):
            middle = top + row_h / 2
            array = Grid(_MARGIN + spare, middle - cell * padded.h / 2, padded, cell)
            x = array.right + spare + _ARROW
            rows.append(_Row(array, *self._blocks((x, middle), kernel, block, stacked=stacked)))
        x = rows[0].last.right + _GAP
        # The sums of the channels stand beside their products; the other terms stand below.
        lines, high = len(self.work.lines(self.work.window(0), 0)), self._box_height()
        tops = [row.last.middle - high / 2 for row in rows][:lines]
        tops += [tops[-1] + (high + _BETWEEN_BOXES) * (at + 1) for at in range(lines - len(tops))]
        grid = Grid(
            x + _BOX.w + _ARROW + spare, _TOP + (area - output * scene.size.h) / 2, scene.size, output
        )
        end = max(_TOP + area, tops[-1] + high)
        # A multiple of 6 is even, and stays even for a video of 4/3 pixels per unit.
        return _Places(6.0 * round((end + _FOOT) / 6), rows, high, [(x, top) for top in tops], grid)

    def _box_height(self) -> int:
        """Choose the height of the boxes: more if the name of a term has no room beside its value."""
        step = -(-self.scene.frames // _SAMPLED)
        lines = (
            line
            for cell in range(0, self.scene.frames, step)
            for line in self.work.lines(self.work.window(cell), cell)
        )
        return _BOX.h if all(map(_type_beside, lines)) else _HIGH_BOX

    def _block(self, kernel: HW, count: int) -> tuple[bool, float]:
        """Choose whether windows lie above their kernels, and the side of their cells."""
        if not self._sums:
            return False, min(_MOST_CELL, _ROW[count] / kernel.h, (_room(1) - _LEAST_ARRAYS) / kernel.w)
        beside = min(_MOST_KERNEL_CELL, _ROW[count] / kernel.h, (_room(3) - _LEAST_ARRAYS) / 3 / kernel.w)
        if count not in _HIGH_ROW or (count > 1 and beside >= _READ_CELL):
            return False, beside
        high = (_HIGH_ROW[count] - _STACK_GAP) / 2
        above = min(_MOST_KERNEL_CELL, high / kernel.h, (_room(2) - _LEAST_ARRAYS) / 2 / kernel.w)
        return (True, above) if above >= beside else (False, beside)

    def _blocks(
        self, at: tuple[float, float], kernel: HW, cell: float, *, stacked: bool
    ) -> tuple[Grid, Grid | None, Grid | None]:
        """Place window, kernel and products, from a point at the left edge and at half their height."""
        x, middle = at
        step, half = cell * kernel.w + _SIGN, cell * kernel.h / 2
        if not self._sums:
            return Grid(x, middle - half, kernel, cell), None, None
        if stacked:
            below = middle + _STACK_GAP / 2
            return (
                Grid(x, middle - _STACK_GAP / 2 - 2 * half, kernel, cell),
                Grid(x, below, kernel, cell),
                Grid(x + step, middle - half, kernel, cell),
            )
        window, weights, products = (Grid(x + i * step, middle - half, kernel, cell) for i in range(3))
        return window, weights, products

    # The still background

    def _ground(self) -> Drawing:
        """Draw the content of every frame: the input, the kernels, the whole map, names and signs."""
        scene, places, room = self.scene, self._places, WIDTH - 2 * _MARGIN
        title = f"{scene.name}: {scene.title}" if self._sums else scene.title
        shapes: list[Shape] = [fitted((_MARGIN, 40), title, INK, size=20, room=room)]
        for index, row in enumerate(places.rows):
            shapes += [*self._input(index, row.input), *self._signs(index, row)]
            if row.kernel is not None and self.work.kernels is not None:
                values = self.work.kernels[self.work.shown[index]]
                all_of = _ends_of(self.work.kernels)
                shapes += signed_grid(row.kernel, values, peak=self._kernel_peak, all_of=all_of)
        shapes += self._column_of_sums()
        values, out = self.work.values, places.output
        levels = _grey(values, contrast_of(values[None], 0).tone)
        (words,), size = fitting_words([values], out.cell, peak=largest(values))
        shapes += [*out.filled(levels), *out.labels(words, levels, size)]
        name = fitted((0, 0), f"{scene.name} {scene.size}", OUTPUT_TEAL, size=NOTE, room=max(out.w, 160)).text
        end = max(out.right, out.x + out.w / 2 + font(NOTE).getlength(name) / 2)
        x = out.x + out.w / 2 - max(0, end - (WIDTH - _MARGIN))
        shapes.append(Label(x, out.y - 10, name, OUTPUT_TEAL, NOTE, "middle"))
        shapes.append(fitted((_MARGIN, places.height - 20), self._legend(), FAINT, size=NOTE, room=room))
        return Drawing(WIDTH, places.height, PAPER, tuple(shapes), title=title)

    def _levels(self, index: int) -> Bytes:
        """Colour a channel with its padding; pixels that no window reads are pale."""
        scene, values = self.scene, self.work.channel(index)
        grey = _grey(values, self._tones[index])
        unread = np.zeros(values.shape, bool)
        unread[[at + scene.height.before for at in scene.height.skipped]] = True
        unread[:, [at + scene.width.before for at in scene.width.skipped]] = True
        return np.where(unread[:, :, None], grey * (1 - _PALE) + 255 * _PALE, grey).astype(np.uint8)

    def _input(self, index: int, grid: Grid) -> list[Shape]:
        """Draw a channel: dashed padding, pixels in a blue frame, bars beside pixels that no window reads."""
        scene, levels = self.scene, self._levels(index)
        values = self.work.channel(index)
        (words, _), size = fitting_words([values, self._input_ends], grid.cell, peak=self._input_peak)
        shapes: list[Shape] = [*grid.filled(levels), *grid.lines()]
        size_inside = HW(scene.height.input, scene.width.input)
        if grid.size != size_inside:
            shapes += [grid.frame(PAPER, 1.4), grid.frame(FAINT, 1.4, dashed=True)]
        x, y = grid.x + scene.width.before * grid.cell, grid.y + scene.height.before * grid.cell
        shapes += [Grid(x, y, size_inside, grid.cell).frame(INPUT_BLUE), *grid.labels(words, levels, size)]
        name = self.work.called(index)
        if len(self.work.shown) == 1:
            name = f"{name} {size_inside}"
        if scene.own_ends:
            low, high = (number(end, digits=2) for end in (self._tones[index].low, self._tones[index].high))
            name = f"{name}, {low} to {high}"
        where = (grid.x, grid.y - 10)
        return [*shapes, fitted(where, name, INPUT_BLUE, size=NOTE, room=max(grid.w, 160))]

    def _signs(self, index: int, row: _Row) -> list[Shape]:
        """Draw the signs between the arrays of a channel, and the names of the arrays."""
        window, kernel, products = row.window, row.kernel, row.products
        stacked = kernel is not None and kernel.x == window.x
        start, turn = row.input.right + 8, window.x - _ARROW / 2
        corners = ((start, row.input.middle), (turn, row.input.middle), (turn, window.middle))
        shapes: list[Shape] = [Lines(corners, FAINT, 1.4), *arrow(turn, window.x - 8, window.middle)]
        named = {"window": window}
        if kernel is not None and products is not None:
            if stacked:
                shapes += sign("x", window.x + 8, kernel.y - _STACK_GAP / 2)
                shapes += sign("=", products.x - _SIGN / 2, products.middle)
            else:
                shapes += sign("x", kernel.x - _SIGN / 2, kernel.middle)
                shapes += sign("=", products.x - _SIGN / 2, products.middle)
            named |= {"kernel": kernel, "products": products}
        if index and not stacked:
            return shapes
        for name, grid in named.items():
            wide = font(NOTE).getlength(name)
            if wide <= grid.w + _SIGN:
                middle = grid.x + grid.w / 2
                if stacked and name == "kernel":  # the sign stands to its left
                    middle = max(middle, window.x + 24 + wide / 2)
                shapes.append(Label(middle, grid.y - 10, name, FAINT, NOTE, "middle"))
        return shapes

    def _column_of_sums(self) -> list[Shape]:
        """Draw the lines from the products to the sums, and from the last sum to the map."""
        places = self._places
        shapes: list[Shape] = []
        for row, (x, y) in zip(places.rows, places.boxes, strict=False):
            middle = y + places.box / 2
            shapes.append(Lines(((row.last.right + 4, middle), (x - 4, middle)), FAINT, 1.4))
        between = ["+"] * (len(places.boxes) - 2) + ["="]
        if self.scene.rule == "mean":
            between = []
        for which, (x, y), (_, below) in zip(between, places.boxes, places.boxes[1:], strict=False):
            shapes += sign(which, x + _BOX.w / 2, (y + places.box + below) / 2)
        (x, y), out = places.boxes[-1], places.output
        middle, turn = y + places.box / 2, places.boxes[-1][0] + _BOX.w + 10
        # To the row of the map, or to the nearest row of it.
        to = min(max(middle, out.y + min(10, out.h / 2)), out.y + out.h - min(10, out.h / 2))
        shapes.append(Lines(((x + _BOX.w, middle), (turn, middle), (turn, to)), FAINT, 1.4))
        return [*shapes, *arrow(turn, out.x - 8, to)]

    def _legend(self) -> str:
        """Describe what the colours and marks mean."""
        scene = self.scene
        text = ["orange positive, purple negative"] if self._sums else []
        if any((scene.height.before, scene.height.after, scene.width.before, scene.width.after)):
            text.append("dashed: padding")
        unread = [
            f"{noun}{'s' if len(axis.skipped) > 1 else ''} {_listed(axis)}"
            for noun, axis in (("row", scene.height), ("column", scene.width))
            if axis.skipped
        ]
        if unread:
            text.append(f"pale: {' and '.join(unread)}, which no window reads")
        if len(self.work.shown) < len(scene.channels):
            text.append(f"the {len(self.work.shown)} channels with the largest kernels are shown")
        others = sum(
            (NotFinite.of(np.ma.compressed(self.work.channel(row))) for row in range(len(self.work.shown))),
            NotFinite.of(self.work.values),
        )
        if self._has_too_small:
            text.append(f"{TOO_SMALL}: rounds to 0")
        return "; ".join([*text, *key(others)])

    @property
    def _has_too_small(self) -> bool:
        """Return whether a weight is not 0, but written as if it were almost 0."""
        if self.work.kernels is None:
            return False
        words = short_words(self.work.kernels[self.work.shown].reshape(1, -1), peak=self._kernel_peak)
        return TOO_SMALL in words[0]

    # The content of a frame

    def _frame(self, beat: Beat) -> Frame:
        """Draw one frame."""
        return Frame(above=(*self._unmade(beat.made), *self._now(beat, beat.cell)))

    def _unmade(self, made: int) -> list[Shape]:
        """Cover the cells of the map that are not made yet."""
        grid = self._places.output
        rows, columns = grid.size
        row, column = divmod(made, columns)
        shapes: list[Shape] = []
        if made < rows * columns:
            corners = [(row, column), (row, columns), (rows, columns), (rows, 0)]
            corners += [(row + 1, 0), (row + 1, column)] if column else []
            points = tuple((grid.x + x * grid.cell, grid.y + y * grid.cell) for y, x in corners)
            shapes.append(Polygon(points, EMPTY))
        return [*shapes, *grid.lines(), grid.frame(OUTPUT_TEAL)]

    def _now(self, beat: Beat, cell: int) -> list[Shape]:
        """Draw the work on one cell."""
        work, places, window = self.work, self._places, self.work.window(cell)
        y, x = divmod(cell, self.scene.size.w)
        lines, products = work.lines(window, cell, beat.step), work.products(window, beat.step)
        shapes: list[Shape] = []
        for index, row in enumerate(places.rows):
            shapes += [*self._frame_on(row.input, y, x), *self._under(index, row.window, window)]
            if row.products is not None:
                peak = self._kernel_peak * self._input_peak
                shapes += signed_grid(row.products, products[index], peak=peak, all_of=self._product_ends)
        if beat.step is not None:
            shapes += self._current(work.units[beat.step - 1])
        elif self.scene.rule == "max":
            row_of, column_of = divmod(int(window.products[0].argmax()), window.inside.shape[1])
            shapes += places.rows[0].window.marked(row_of, column_of)
        for at, line in zip(places.boxes, lines, strict=True):
            shapes += _box(at, line, height=places.box, result=line is lines[-1])
        if beat.made > beat.before:
            shapes += places.output.marked(y, x)
        room = WIDTH - 2 * _MARGIN
        said = fitted(
            (_MARGIN, places.height - 68), work.equation(window, lines, beat), INK, size=TYPE, room=room
        )
        where = fitted((_MARGIN, places.height - 44), work.where(cell), FAINT, size=NOTE, room=room)
        return [*shapes, said, where]

    def _frame_on(self, grid: Grid, y: int, x: int) -> list[Shape]:
        """Frame the window on a channel and, if the kernel has gaps, each pixel that it reads."""
        scene = self.scene
        rows = [row + scene.height.before for row in scene.height.reads(y)]
        columns = [column + scene.width.before for column in scene.width.reads(x)]
        shapes = grid.marked(rows[0], columns[0], (scene.height.span, scene.width.span))
        if max(scene.height.dilation, scene.width.dilation) > 1 and grid.cell >= LEAST_LINED:
            for inner in (grid.inset(row, column, 3) for row in rows for column in columns):
                for colour, line in ((PAPER, 3.0), (INK, 1.4)):
                    shapes.append(Rectangle(inner.x, inner.y, inner.w, inner.h, None, colour, line))
        return shapes

    def _under(self, index: int, grid: Grid, window: Window) -> list[Shape]:
        """Draw the values under the window, with dashed padding."""
        values = self.work.under(index, window)
        levels = _grey(values, self._tones[index])
        (words, _), size = fitting_words([values, self._input_ends], grid.cell, peak=self._input_peak)
        shapes: list[Shape] = [*grid.filled(levels), *grid.lines(), grid.frame(INPUT_BLUE)]
        for row, column in np.argwhere(~window.inside).tolist() if grid.cell >= LEAST_LINED else []:
            at = grid.inset(row, column, 0)
            for colour, dashed in ((PAPER, False), (FAINT, True)):
                shapes.append(Rectangle(at.x, at.y, at.w, at.h, None, colour, 1.4, dashed=dashed))
        return [*shapes, *grid.labels(words, levels, size)]

    def _current(self, unit: Unit) -> list[Shape]:
        """Mark the subject of a step."""
        (top, left), (bottom, right) = unit.places[0], unit.places[-1]
        size = (bottom - top + 1, right - left + 1)
        return [
            shape for grid in self._places.rows[unit.row].blocks for shape in grid.marked(top, left, size)
        ]


def _room(across: int) -> float:
    """Return the units for input, map and kernel-sized arrays, of which `across` lie side by side."""
    return WIDTH - 2 * _MARGIN - 2 * _ARROW - _GAP - _BOX.w - (across - 1) * _SIGN


def _tone(values: Cells, ends: tuple[float, float] | None) -> Tone:
    """Choose which input values are black and white."""
    known = finite_of(values.compressed())
    low, high = ends or ((float(known.min()), float(known.max())) if known.size else (0.0, 1.0))
    return Tone(low, high if high > low else low + 1, "unit")


def _ends_of(values: Parameters, *others: Parameters) -> Parameters:
    """Return the least and the greatest value, and a fraction if some value, or another one, is not whole.

    Type that fits these fits the values of every frame, with the same decimals.
    """
    known = finite_of(values.ravel())
    ends = [known.min(), known.max()] if known.size else [0.0, 0.0]
    return np.array([[*ends, 0.0 if are_whole(known, *others) else 0.5]])


def _grey(values: Floats | Cells, tone: Tone) -> Bytes:
    """Colour values; padding without a value has the colour of paper."""
    held = np.ma.getdata(values)
    levels = marked(colours_of(tone.levels(held)), [held])
    levels[np.ma.getmaskarray(values)] = PAPER
    return levels


def _runs(axis: Axis) -> list[tuple[int, int]]:
    """Group neighbouring pixels that no window reads: return the first and the last of each run."""
    found: list[tuple[int, int]] = []
    for at in axis.skipped:
        if found and found[-1][1] == at - 1:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def _listed(axis: Axis) -> str:
    """Name the pixels along an axis that no window reads."""
    runs = [str(first) if first == last else f"{first} to {last}" for first, last in _runs(axis)]
    return ", ".join(runs if len(runs) <= 4 else [*runs[:3], "\N{HORIZONTAL ELLIPSIS}"])


def _type_beside(line: Line) -> int:
    """Choose the type size at which a value fits beside its name, or 0 if there is none."""
    room = _BOX.w - 22.0 - font(NOTE).getlength(line.name)
    return next((size for size in range(TYPE, NOTE - 1, -1) if font(size).getlength(line.word) <= room), 0)


def _box(at: tuple[float, float], line: Line, *, height: int, result: bool) -> list[Shape]:
    """Draw one line of the sum; the last one is the value of the map."""
    x, y = at
    fill, ink = (OUTPUT_TEAL, PAPER) if result else (PAPER, INK)
    base = y + height / 2 + 0.36 * TYPE
    above, of_name, size, room = base, NOTE, _type_beside(line), _BOX.w - 8.0
    if not size:  # the name stands above the value
        above, base, of_name, size, room = y + 0.43 * height, y + 0.88 * height, _SMALL, TYPE, _BOX.w - 16.0
    name = fitted((x + 8, above), line.name, PAPER if result else FAINT, size=of_name, room=room)
    return [
        Rectangle(x, y, _BOX.w, height, fill, OUTPUT_TEAL if result else RULE, 1.4),
        name,
        Label(x + _BOX.w - 8, base, line.word, ink, size, "end"),
    ]
