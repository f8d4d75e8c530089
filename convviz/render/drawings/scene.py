"""Describe what an animation shows: the windows of a layer, and the numbers if any."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from convviz.render.words.matrices import cell_words
from convviz.spec.geometry import HW, Axis, source_of
from convviz.typing import Floats

Rule = Literal["sum", "max", "mean"]


@dataclass(frozen=True, eq=False)
class Scene:
    """Describe which window slides over which input.

    Parameters
    ----------
    title : str
        The title above the animation.
    height, width : Axis
        The windows on both axes; for a transposed convolution, over the input with inserted zeros.
    zoom : HW
        Distance between neighbouring pixels of the input on those axes: 1, or the stride of a
        transposed convolution.
    padding_mode : str
        The content of the padding.
    channels : tuple of str
        The channels that are read; they are shown one below another.
    inputs : ndarray, shape (C, H, W), float32, optional
        Numbers for the cells of the input; without them the cells are empty.
    values : ndarray, shape (H', W'), float32, optional
        Numbers for the cells of the output.
    rule : {"sum", "max", "mean"}
        How a value is made: the sum of products and the bias, or the maximum or the mean of a window.
    kernels : ndarray, shape (C, kh, kw), float32, optional
        The kernels that multiply the channels, for a sum.
    bias : float, optional
        The bias of a sum.
    counts : ndarray, shape (H', W'), optional
        The number of values that a mean divides by.
    name : str
        The name of the output.
    ends : sequence of (float, float), optional
        The values of each channel to draw as black and as white; the least and the greatest by default.
    own_ends : bool
        Whether channels differ in these, so that each states its own.
    """

    title: str
    height: Axis
    width: Axis
    zoom: HW = HW(1, 1)
    padding_mode: str = "zeros"
    channels: tuple[str, ...] = ("input",)
    inputs: Floats | None = None
    values: Floats | None = None
    rule: Rule = "sum"
    kernels: Floats | None = None
    bias: float | None = None
    counts: Floats | None = None
    name: str = "output"
    ends: Sequence[tuple[float, float]] | None = None
    own_ends: bool = False

    @property
    def size(self) -> HW:
        """Rows and columns of the output."""
        return HW(self.height.output, self.width.output)

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
        """Return whether a cell is a pixel of the input, not padding or an inserted zero."""
        at_h, at_w = 0 <= row < self.height.input, 0 <= column < self.width.input
        return at_h and at_w and row % self.zoom.h == 0 and column % self.zoom.w == 0

    @property
    def input_words(self) -> list[list[list[str]]]:
        """Numbers of the input, written for its cells."""
        return [] if self.inputs is None else [cell_words(channel) for channel in self.inputs]

    @property
    def value_words(self) -> list[list[str]]:
        """Numbers of the output, written for its cells."""
        return [] if self.values is None else cell_words(self.values)

    def padded(self) -> Floats:
        """Add the padding around the channels, shape (C, H + top + bottom, W + left + right).

        A cell that holds no copy of a pixel holds a value that does not change the result: 0, or minus
        infinity for a maximum.
        """
        assert self.inputs is not None
        sources = [
            [source_of(at, axis.input, self.padding_mode) for at in range(-axis.before, end)]
            for axis in (self.height, self.width)
            for end in (axis.input + axis.after,)
        ]
        rows, columns = ([source or 0 for source in of_axis] for of_axis in sources)
        found: Floats = self.inputs[:, rows][:, :, columns]
        empty = np.float32(-np.inf if self.rule == "max" else 0)
        for axis, of_axis in enumerate(sources, start=1):
            gaps = [at for at, source in enumerate(of_axis) if source is None]
            found[(slice(None),) * axis + (gaps,)] = empty
        return found
