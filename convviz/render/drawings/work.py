"""Compute the arithmetic of a layer, cell by cell, as values: windows, products, sums."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.images.finite import largest, total
from convviz.render.drawings.pace import Beat
from convviz.render.drawings.scene import Scene
from convviz.spec.geometry import HW
from convviz.text import equation, number, plural, sum_words
from convviz.typing import Floats

# Numbers of which some are missing: not computed yet, or no pixel.
Cells = np.ma.MaskedArray[Any, np.dtype[np.floating]]

# The most channels to show, and the most steps that make the first cell.
_MOST_CHANNELS, _MOST_STEPS = 4, 9


@dataclass(frozen=True, slots=True)
class Unit:
    """Hold a step of the first cell: some of the products of one of the shown channels."""

    row: int
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one line of a sum.

    Parameters
    ----------
    name : str
        The name of the term: a channel or the bias; or the name of the result.
    value : float or None
        None until it is known.
    word : str
        The value as it is written.
    """

    name: str
    value: float | None
    word: str = ""

    @classmethod
    def of(cls, name: str, value: float | None) -> "Line":
        """Write a value that is not part of a sum."""
        return cls(name, value, "" if value is None else number(value))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Hold the values under the window of a cell.

    Parameters
    ----------
    values : ndarray, shape (C, kh, kw), float32
        Minus infinity for padding, which a maximum ignores.
    inside : ndarray, shape (kh, kw), bool
        Whether each is a pixel of the input, not padding.
    products : ndarray, shape (C, kh, kw), float64
        The exact values times the kernels; the values themselves if there are no kernels.
    """

    values: Floats
    inside: NDArray[np.bool_]
    products: NDArray[np.float64]


class Work:
    """Compute the work on every cell of an output.

    Parameters
    ----------
    scene : Scene
        A convolution or a pooling layer, with numbers.
    """

    def __init__(self, scene: Scene) -> None:
        assert scene.inputs is not None
        assert scene.values is not None
        self.scene, self.padded, self.values = scene, scene.padded(), scene.values
        kernel = HW(scene.height.kernel, scene.width.kernel)
        self.kernels = None if scene.kernels is None else scene.kernels.astype(np.float64)
        self.shown = _chosen(scene)
        self.units = _units(len(self.shown), kernel)
        self._peak = largest(scene.values)

    def channel(self, row: int) -> Cells:
        """Return one of the shown channels, with its padding; cells without a value are masked."""
        values = self.padded[self.shown[row]]
        height, width = self.scene.height, self.scene.width
        rows, columns = (
            (axis.before <= np.arange(length)) & (np.arange(length) < axis.before + axis.input)
            for axis, length in zip((height, width), values.shape, strict=True)
        )
        return self._masked(values, np.outer(rows, columns))

    def under(self, row: int, window: "Window") -> Cells:
        """Return the values under the window on one of the channels; cells without a value are masked."""
        return self._masked(window.values[self.shown[row]], window.inside)

    def _masked(self, values: Floats, inside: NDArray[np.bool_]) -> Cells:
        """Mask the padding that a maximum ignores."""
        return np.ma.array(values, mask=~inside & (self.scene.rule == "max"))

    def called(self, row: int) -> str:
        """Return the name of one of the shown channels."""
        name = _short(self.scene.channels[self.shown[row]])
        return f"channel {name}" if name.isdecimal() else name

    def window(self, cell: int) -> Window:
        """Read the window of a cell, and multiply it."""
        scene = self.scene
        y, x = divmod(cell, scene.size.w)
        rows, columns = scene.height.reads(y), scene.width.reads(x)
        values = self.padded[:, [row + scene.height.before for row in rows]]
        values = values[:, :, [column + scene.width.before for column in columns]]
        inside = np.outer(
            [0 <= row < scene.height.input for row in rows], [0 <= at < scene.width.input for at in columns]
        )
        exact = values.astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinity times 0
            products = exact if self.kernels is None else exact * self.kernels
        return Window(values, inside, products)

    def products(self, window: Window, step: int | None) -> Cells:
        """Return the products of the shown channels after a step; later products are masked."""
        found = window.products[self.shown]
        to_come = np.full(found.shape, step is not None)
        for unit in self.units[:step]:
            for y, x in unit.places:
                to_come[unit.row, y, x] = False
        return np.ma.array(found, mask=to_come)

    def lines(self, window: Window, cell: int, step: int | None = None) -> list[Line]:
        """List the terms of a cell after a step, or after all of the work; the result is the last line."""
        scene, made = self.scene, self.products(window, step)
        value = None if step is not None else float(self.values[divmod(cell, scene.size.w)])
        if scene.rule == "max":
            met = self._masked(made[0].data, window.inside & ~made[0].mask).compressed()
            so_far = float(met.max()) if met.size else None
            return [Line.of("max", so_far if value is None else value)]
        parts = [total(products.compressed()) if products.count() else None for products in made]
        if scene.counts is not None:
            return [
                Line.of("sum", parts[0]),
                Line.of("divided by", float(scene.counts[divmod(cell, scene.size.w)])),
                Line.of("mean", value),
            ]
        lines = [
            Line(_short(scene.channels[channel]), part)
            for channel, part in zip(self.shown, parts, strict=True)
        ]
        others = [channel for channel in range(len(scene.channels)) if channel not in self.shown]
        if others:
            rest = None if value is None else total(window.products[others].ravel())
            lines.append(Line(f"{len(others)} more", rest))
        if scene.bias is not None:
            lines.append(Line("bias", None if value is None else scene.bias))
        if value is None:
            value = total(part for part in parts if part is not None)
        # For one channel without a bias, the partial sum is the whole sum.
        known = [line for line in lines if line.value is not None]
        words, result, _ = self._sum_words([line.value or 0.0 for line in known], value)
        by_name = dict(zip((line.name for line in known), words, strict=True))
        lines = [replace(line, word=by_name.get(line.name, "")) for line in lines]
        return [*(lines if len(lines) > 1 else []), Line("sum", value, result)]

    def _sum_words(self, terms: Sequence[float], total: float) -> tuple[list[str], str, bool]:
        """Write a sum with the decimals that the largest value of the map has."""
        return sum_words(terms, total, largest=self._peak)

    def equation(self, window: Window, lines: Sequence[Line], beat: Beat) -> str:
        """Write the sum that is being added, or that was added."""
        if beat.step is not None:
            return self._running(window, beat.cell, beat.step)
        *parts, result = lines
        value = number(result.value or 0.0, digits=6)
        if self.scene.rule == "max":
            return f"the greatest of {plural(int(window.inside.sum()), 'value')} is {value}"
        if self.scene.rule == "mean":
            total, count = (number(part.value or 0.0, digits=6) for part in parts)
            return f"{total} / {count} = {value}"
        if not parts:
            return f"the {plural(window.products.size, 'product')} add up to {value}"
        _, _, exact = self._sum_words([part.value or 0.0 for part in parts], result.value or 0.0)
        words = [part.word + (" (bias)" if part.name == "bias" else "") for part in parts]
        return equation(words, result.word, exact=exact)

    def _running(self, window: Window, cell: int, step: int) -> str:
        """Write a step of the first cell, with the sum so far."""
        unit = self.units[step - 1]
        channel = self.shown[unit.row]
        at = (channel, *unit.places[0])
        if len(unit.places) > 1:
            what = "value" if self.kernels is None else "product"
            text = f"{self.called(unit.row)}: {plural(len(unit.places), what)}"
        elif self.kernels is None:
            text = number(float(window.values[at])) if window.inside[unit.places[0]] else "padding"
        else:
            factors = (window.values[at], self.kernels[at], window.products[at])
            text = "{} x {} = {}".format(*(number(float(factor)) for factor in factors))
        line = 0 if self.scene.rule == "mean" else -1
        before, so_far = (self.lines(window, cell, of)[line].value for of in (step - 1, step))
        if self.scene.rule == "max":
            return f"{text}; greatest so far: {'none' if so_far is None else number(so_far)}"
        before, so_far = before or 0.0, so_far or 0.0
        (*terms,), total, exact = self._sum_words([before, so_far - before], so_far)
        return f"{text}; running sum: {equation(terms, total, exact=exact) if step > 1 else total}"

    def where(self, cell: int) -> str:
        """Describe which pixels make which value."""
        scene = self.scene
        y, x = divmod(cell, scene.size.w)
        rows, columns = scene.height.reads(y), scene.width.reads(x)
        return (
            f"framed: value {cell + 1} of {scene.frames}, in row {y}, column {x} of the map, and its window, "
            f"rows {rows[0]} to {rows[-1]}, columns {columns[0]} to {columns[-1]}"
        )


def _short(name: str) -> str:
    """Shorten the name of a channel to leave room for numbers: R for R channel, 0 for channel 0."""
    return name.removesuffix(" channel").removeprefix("channel ")


def _chosen(scene: Scene) -> list[int]:
    """Choose the channels to show: all, or those with the largest kernels."""
    count = len(scene.channels)
    if count <= _MOST_CHANNELS or scene.kernels is None:
        return list(range(count))
    weights = np.abs(scene.kernels).sum(axis=(1, 2))
    return sorted(np.argsort(-weights, kind="stable")[: _MOST_CHANNELS - 1].tolist())


def _units(rows: int, kernel: HW) -> tuple[Unit, ...]:
    """Divide the work on a cell into steps: single products, rows of kernels, or channels."""
    every = [tuple((y, x) for x in range(kernel.w)) for y in range(kernel.h)]
    parts: list[tuple[tuple[int, int], ...]] = [sum(every, ())]
    if rows * kernel.h <= _MOST_STEPS:
        parts = every
    if rows * kernel.h * kernel.w <= _MOST_STEPS:
        parts = [(place,) for line in every for place in line]
    return tuple(Unit(row, part) for row in range(rows) for part in parts)
