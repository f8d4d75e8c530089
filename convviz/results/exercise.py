"""Make worksheets for a class: numbers that can be computed by hand, and the answers with their steps."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.trace import Trace, trace
from convviz.compute import filters
from convviz.compute.feature_maps import LayerRun
from convviz.compute.filters import NamedFilters
from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.images.decode import as_picture
from convviz.render.words.shapes import formula
from convviz.render.words.worksheet import Block, Grid, Heading, Steps, Text, to_html, to_markdown
from convviz.results import feature_maps
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.settings import LayerSettings
from convviz.text import number, plural

# The most products that a class computes on one sheet.
MOST_PRODUCTS = 5000


@dataclass(frozen=True, slots=True, eq=False)
class Worksheet:
    """Hold one exercise with its solution.

    Parameters
    ----------
    name : str
        The title of the exercise.
    run : LayerRun
        The layer, its numbers, the input, and the solution.
    asked : HW
        The input size of the shape question.
    """

    name: str
    run: LayerRun
    asked: HW

    def questions(self) -> list[Block]:
        """Write the sheet, with empty grids for the output."""
        layer, size = self.run.layer, self.run.picture.size
        blocks: list[Block] = [
            Heading(self.name, 1),
            Text("Name:"),
            Heading("The layer"),
            Steps([repr(layer)]),
        ]
        for index, channel in enumerate(self.run.picture.x):
            blocks += [Heading(f"Input, channel {index}"), _grid(channel)]
        blocks += self._kernels()
        how = "Place the kernel on the window, multiply the overlapping values, add up all channels"
        how += " and the bias" if layer.bias else ""
        how += "; do not turn the kernel."
        if any(layer.edges(size)):
            mode = layer.padding_mode
            how += " Padding holds zeros." if mode == "zeros" else f" The padding mode is {mode}."
        blocks += [Heading("1. What comes out?"), Text(how)]
        for index, values in enumerate(self.run.maps):
            blocks += [Heading(f"Output, map {index}", 3), _grid(np.zeros_like(values), empty=True)]
        return [
            *blocks,
            Heading("2. Which shape?"),
            Text(
                f"An input of {layer.in_channels} x {self.asked.h} x {self.asked.w} (channels x height x "
                "width) goes through the same layer. What shape does the output have, and how many "
                "parameters does the layer have?"
            ),
        ]

    def answers(self) -> list[Block]:
        """Write the answer key, with every sum."""
        layer = self.run.layer
        blocks: list[Block] = [Heading(f"{self.name}: answers", 1), Heading("1. What comes out?")]
        for index, values in enumerate(self.run.maps):
            steps = [
                _sum(trace(self.run, at=HW(int(y), int(x)), index=index))
                for y, x in np.ndindex(*values.shape)
            ]
            blocks += [Heading(f"Output, map {index}", 3), _grid(values), Steps(steps)]
        axes = layer.axes(self.asked)
        out = layer.output_size(self.asked)
        _, channels, kh, kw = layer.weight_shape
        bias = f" + {layer.out_channels} for the bias" if layer.bias else ""
        return [
            *blocks,
            Heading("2. Which shape?"),
            Steps([*formula("height", axes[0]), *formula("width", axes[1])]),
            Text(
                f"The output is {layer.out_channels} x {out.h} x {out.w}. The layer has "
                f"{layer.parameters:,} parameters: {layer.out_channels} x {channels} x {kh} x {kw} weights"
                f"{bias}."
            ),
        ]

    def _kernels(self) -> list[Block]:
        """Write the weights and the biases."""
        layer = self.run.layer
        blocks: list[Block] = []
        for index, one in enumerate(self.run.filters.weight):
            for channel, kernel in zip(layer.channels_of(index), one, strict=True):
                blocks += [Heading(f"Kernel of map {index} on channel {channel}"), _grid(kernel)]
            if self.run.filters.bias is not None:
                blocks.append(
                    Text(f"Bias of map {index}: {number(float(self.run.filters.bias[index]), digits=9)}")
                )
        return blocks


def _grid(values: NDArray[np.float32], *, empty: bool = False) -> Grid:
    """Write a matrix, or leave room for its numbers."""
    return Grid([["" if empty else number(float(value), digits=6) for value in row] for row in values])


def _sum(found: Trace) -> str:
    """Write one value as its sum."""
    words, written = [], Decimal(0)
    for channel in found.channels:
        for x, w in zip(channel.patch.ravel(), channel.kernel.ravel(), strict=True):
            factors = [number(float(value), digits=6) for value in (x, w)]
            words.append(f"{factors[0]}*{_in_brackets(factors[1])}")
            written += Decimal(factors[0]) * Decimal(factors[1])
    if found.bias is not None:
        bias = number(found.bias, digits=6)
        words.append(_in_brackets(bias))
        written += Decimal(bias)
    total = number(found.total, digits=6)
    rounded = "" if written == Decimal(total) else " (rounded)"
    return f"({found.at.h},{found.at.w}): {' + '.join(words)} = {total}{rounded}"


def _in_brackets(text: str) -> str:
    """Put a number in brackets if it is negative."""
    return f"({text})" if text.startswith("-") else text


def make_sheets(
    settings: LayerSettings, *, size: HW = HW(5, 5), channels: int = 1, sheets: int = 1
) -> list[Worksheet]:
    """Make worksheets.

    Parameters
    ----------
    settings : LayerSettings
        The layer; one filter by default. Its seed chooses the numbers: the same seed makes the same sheets.
    size : HW
        Size of the input, in pixels.
    channels : int
        Channels of the input.
    sheets : int
        Number of worksheets.

    Returns
    -------
    list of Worksheet
        They have small whole numbers: inputs from 0 to 9, drawn weights and biases from -2 to 2.

    Raises
    ------
    SpecError, ShapeError
        If the layer is not valid, or needs more products than `MOST_PRODUCTS`.

    Examples
    --------
    >>> (sheet,) = make_sheets(LayerSettings(), size=HW(4, 4))
    >>> sheet.run.maps.shape
    (1, 2, 2)
    """
    if not settings.kernel and settings.out_channels is None:
        settings = replace(settings, out_channels=1)
    named = filters.prepare(settings)
    made = []
    for index in range(sheets):
        # Each sheet has its own generator, so that sheet 2 does not depend on the number of sheets.
        draw = random.Random(f"{settings.seed} {index}")
        layer, weights = _layer(settings, channels, named, draw=draw)
        products = layer.macs((layer.in_channels, *size))
        if products > MOST_PRODUCTS:
            raise SpecError(
                f"a sheet would have {plural(products, 'product')} to work out, more than "
                f"{MOST_PRODUCTS:,}; make --size or --kernel-size smaller."
            )
        x = np.array([draw.randint(0, 9) for _ in range(channels * size.h * size.w)], np.float32)
        picture = as_picture(x.reshape(channels, *size))
        run = feature_maps.run(picture, layer, weights, backend="numpy")
        least = layer.receptive_field()
        asked = HW(least.h + draw.randint(20, 200), least.w + draw.randint(20, 200))
        made.append(Worksheet(f"Convolution, sheet {index + 1}", run, asked))
    return made


def pages(sheets: Sequence[Worksheet], *, html: bool = False) -> tuple[str, str]:
    """Write worksheets and their answers as two pages.

    Parameters
    ----------
    sheets : sequence of Worksheet
        The result of `make_sheets`.
    html : bool
        Whether to write HTML instead of Markdown.

    Returns
    -------
    (str, str)
        The worksheets, and the answers.
    """
    questions = [block for sheet in sheets for block in sheet.questions()]
    answers = [block for sheet in sheets for block in sheet.answers()]
    if html:
        return to_html(questions, title="Worksheet"), to_html(answers, title="Answers")
    return to_markdown(questions), to_markdown(answers)


def _layer(
    settings: LayerSettings, channels: int, named: NamedFilters | None, *, draw: random.Random
) -> tuple[Conv2d, LayerWeights]:
    """Build the layer with the named kernels, or with random ones."""
    if named is not None:
        layer, weights, _ = filters.build(settings, channels, named=named)
        if layer.out_channels > (maps := named.maps(layer.groups)):
            # The weights of a new layer have too many digits for work by hand.
            raise SpecError(
                f"out_channels is {layer.out_channels}, but the kernels make {plural(maps, 'map')}; "
                "on a worksheet give a kernel for every map."
            )
        return layer, weights
    layer = settings.conv2d(channels)
    weight = np.array([draw.randint(-2, 2) for _ in range(layer.weight_parameters)], np.float32)
    bias = [draw.randint(-2, 2) for _ in range(layer.bias_parameters)]
    weights = LayerWeights.of(layer, weight.reshape(layer.weight_shape), bias or None)
    return layer, weights.turned() if settings.flip else weights
