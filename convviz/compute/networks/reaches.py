"""Receptive fields in foreign networks: the axes of the picture in an array, and what its values see.

The rules here work on arrays and their shapes; they know neither ONNX nor torch. If no rule applies,
the receptive field of a value is not defined, and neither is that of any value computed from it.
"""

import enum
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypedDict

from convviz.spec.layers import Layer, Shape
from convviz.spec.network import as_reaches
from convviz.spec.reach import WHOLE, Reach, Whole, together


class Spread(enum.Enum):
    """The substitute for a `Reach` if the values do not follow the order of the picture.

    All positions lie along one axis of the array, perhaps mixed with channels, so that a sum over
    that axis sees the whole input.
    """

    SPREAD = "spread"


SPREAD: Final = Spread.SPREAD


class Unclear(Exception):
    """No rule applies to an operation, so the receptive field of its result is not defined."""


@dataclass(frozen=True, slots=True)
class Along:
    """The receptive fields of the values of an array along the height or the width of the picture.

    Parameters
    ----------
    seen : Reach, WHOLE, SPREAD or None
        What each value sees; None if that is not defined.
    axis : int or None
        The axis of the array that follows this axis of the picture, if it is known.
    """

    seen: Reach | Whole | Spread | None = None
    axis: int | None = None

    def at(self, axis: int | None) -> "Along":
        """Return the same field on another axis."""
        return replace(self, axis=axis)

    @property
    def lost(self) -> "Along":
        """Return the field after the order along the picture is lost; only a view of the whole remains."""
        return ALL if self.seen is WHOLE else Along()

    @property
    def summed(self) -> "Along":
        """Return the field of a value that is made of all values along the picture."""
        return self if self.seen is None else replace(self, seen=WHOLE)


ALL: Final = Along(WHOLE)
UNDEFINED: Final = Along()


class Field(NamedTuple):
    """The receptive fields of the values of an array along both axes of the picture."""

    height: Along
    width: Along

    def each(self, rule: Callable[[Along], Along]) -> "Field":
        """Apply a rule to both axes."""
        return Field(rule(self.height), rule(self.width))


class Operand(NamedTuple):
    """An array that depends on the picture, with its whole shape."""

    field: Field
    shape: Shape


NOWHERE: Final = Field(UNDEFINED, UNDEFINED)


class Told(TypedDict):
    """The facts about an array, under the names of the fields of `NetworkStep`."""

    height: Reach | None
    width: Reach | None
    whole: bool
    layout: str


def picture(height: int, width: int) -> Field:
    """Return the field of the picture itself: each value sees itself, on these axes of the array."""
    return Field(Along(Reach(), height), Along(Reach(), width))


def told(field: Field | None, dims: int, shape: Shape | None) -> Told:
    """Return the receptive field and the layout of an array.

    Parameters
    ----------
    field : Field or None
        The field of its values.
    dims : int
        The number of axes of the array.
    shape : tuple of int, or None
        The shape without the batch, if it is known.

    Examples
    --------
    >>> told(picture(2, 3), 4, (3, 8, 8))["layout"]
    'chw'
    >>> told(reshaped(Operand(picture(2, 3), (1, 3, 8, 8)), (1, 192)), 2, (192,))
    {'height': None, 'width': None, 'whole': True, 'layout': ''}
    """
    if field is None:
        return Told(height=None, width=None, whole=False, layout="")
    axes = (field.height.axis, field.width.axis)
    layouts = {"chw": (dims - 2, dims - 1), "hwc": (dims - 3, dims - 2)}
    lie = [name for name, where in layouts.items() if where == axes and shape is not None and len(shape) == 3]
    # A single row of values has neither height nor width.
    of_spread = WHOLE if shape is not None and math.prod(shape) == max(shape, default=1) else None
    sights = [of_spread if isinstance(one.seen, Spread) else one.seen for one in field]
    if axes[0] is not None and axes[1] is not None and axes[0] > axes[1]:
        sights = [WHOLE if one is WHOLE else None for one in sights]  # the picture was transposed
    height, width, whole = as_reaches(*sights)
    return Told(height=height, width=width, whole=whole, layout="".join(lie))


def _both(operands: Sequence[Operand], rule: Callable[[Sequence[tuple[Along, Shape]]], Along]) -> Field:
    """Apply a rule for several arrays to both axes."""
    height = rule([(one.field.height, one.shape) for one in operands])
    return Field(height, rule([(one.field.width, one.shape) for one in operands]))


def _merged(alongs: Sequence[Along]) -> Along:
    """Return the union of several fields at the same place."""
    axes = {one.axis for one in alongs if one.axis is not None}
    axis = axes.pop() if len(axes) == 1 else None
    sights = [one.seen for one in alongs]
    if WHOLE in sights:
        return Along(WHOLE, axis)
    if axis is not None and all(isinstance(one, Spread) for one in sights):
        return Along(SPREAD, axis)
    reaches = [one for one in sights if isinstance(one, Reach)]
    found = together(reaches) if axis is not None and len(reaches) == len(sights) else None
    return Along(found, axis)


def unknown(operands: Sequence[Operand]) -> Field:
    """Follow an operation without a rule: only values that saw everything still see everything."""
    return _both(operands, lambda pairs: ALL if all(one.seen is WHOLE for one, _ in pairs) else UNDEFINED)


def _spread_out(along: Along, shape: Shape, made: Shape) -> Along:
    """Return the field after broadcasting, which repeats axes of length 1 and adds axes in front."""
    if along.axis is None:
        return along
    axis = along.axis + len(made) - len(shape)
    # A repeated value sees the same pixels everywhere; a Reach cannot express that.
    return along.at(axis) if shape[along.axis] == made[axis] else along.lost.at(axis)


def elementwise(operands: Sequence[Operand], made: Shape) -> Field:
    """Follow an operation on values at the same place; its result has the shape `made`.

    Examples
    --------
    >>> x = Operand(picture(2, 3), (1, 3, 8, 8))
    >>> gate = Operand(reduced(x, (2, 3), kept=True), (1, 3, 1, 1))
    >>> elementwise([x, gate], (1, 3, 8, 8)).height
    Along(seen=<Whole.WHOLE: 'the whole input'>, axis=2)
    """
    return _both(operands, lambda pairs: _merged([_spread_out(*pair, made) for pair in pairs]))


def windowed(x: Operand, layer: Layer, *, summed: bool = False) -> Field:
    """Follow a layer with windows on the last two axes.

    Parameters
    ----------
    x : Operand
        The array that it reads.
    layer : Layer
        A layer with these windows.
    summed : bool
        Whether every output is a sum over all channels.
    """
    first = len(x.shape) - 2
    if first not in (1, 2):
        raise Unclear

    def through(along: Along, axis: int) -> Along:
        if along.axis in (first, first + 1):
            if not isinstance(along.seen, Reach):
                return along.lost.at(along.axis)
            return replace(along, seen=layer.reach(along.seen, x.shape[-3:], along.axis - first))
        # A layer with windows treats the last two axes of an array as those of a picture.
        over_channels = summed and along.axis == first - 1
        return (along.summed if over_channels else along.lost).at(axis)

    return Field(through(x.field.height, first), through(x.field.width, first + 1))


def reduced(x: Operand, axes: Iterable[int], *, kept: bool) -> Field:
    """Follow a sum, mean or maximum over whole axes; they keep a length of 1 or are dropped."""
    gone = {axis % len(x.shape) for axis in axes}

    def through(along: Along) -> Along:
        if along.axis is None:
            return along
        made = along.summed if along.axis in gone else along
        if kept:
            return made
        return made.at(None if along.axis in gone else along.axis - sum(one < along.axis for one in gone))

    return x.field.each(through)


def mixed(x: Operand, axes: Iterable[int]) -> Field:
    """Follow an operation that combines all values along some axes, as a softmax does."""
    return reduced(x, axes, kept=True)


def product(first: Operand | None, second: Operand | None, made: Shape) -> Field:
    """Follow a matrix product; one of the matrices may not depend on the picture."""

    def placed(x: Operand, axis: int) -> Operand:
        if len(x.shape) < 2:
            raise Unclear
        summed = len(x.shape) + axis
        return Operand(x.field.each(lambda one: one.summed.at(None) if one.axis == summed else one), x.shape)

    parts = [placed(first, -1)] if first else []
    parts += [placed(second, -2)] if second else []
    return elementwise(parts, made)


def permuted(x: Operand, order: Sequence[int]) -> Field:
    """Follow a permutation of axes: axis i of the result is axis ``order[i]`` of `x`."""
    axes = [axis % len(x.shape) for axis in order]
    return x.field.each(lambda along: along if along.axis is None else along.at(axes.index(along.axis)))


def reshaped(x: Operand, made: Shape) -> Field:
    """Follow values that take another shape; an axis of the picture that stays separate is kept.

    Examples
    --------
    >>> x = Operand(picture(2, 3), (1, 6, 8, 9))
    >>> reshaped(x, (1, 2, 3, 8, 9)) == picture(3, 4)
    True
    >>> reshaped(x, (1, 6, 72)).height
    Along(seen=<Spread.SPREAD: 'spread'>, axis=2)
    """
    groups = list(_groups(x.shape, made))

    def through(along: Along) -> Along:
        if along.axis is None:
            return along
        before, after = next(pair for pair in groups if along.axis in pair[0])
        if len(before) == len(after) == 1:
            return along.at(after[0])
        longer = [axis for axis in after if made[axis] > 1]
        if len(longer) == 1 and x.shape[along.axis] == made[longer[0]]:
            return along.at(longer[0])
        spread = len(longer) == 1 and isinstance(along.seen, Reach | Spread)
        return Along(SPREAD, longer[0]) if spread else along.lost

    return x.field.each(through)


def _groups(before: Shape, after: Shape) -> Iterable[tuple[list[int], list[int]]]:
    """Split two shapes of equal size into the shortest runs of axes of equal size."""
    if math.prod(before) != math.prod(after) or 0 in before:
        raise Unclear
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        olds, news = [i], [j]
        product_before, product_after = before[i], after[j]
        while product_before != product_after:
            if product_before < product_after:
                olds.append(olds[-1] + 1)
                product_before *= before[olds[-1]]
            else:
                news.append(news[-1] + 1)
                product_after *= after[news[-1]]
        found.append((olds, news))
        i, j = olds[-1] + 1, news[-1] + 1
    if not found:
        raise Unclear
    # Axes of length 1 at the end belong to the run before them.
    found[-1][0].extend(range(i, len(before)))
    found[-1][1].extend(range(j, len(after)))
    return found


def concatenated(operands: Sequence[Operand], axis: int) -> Field:
    """Follow a concatenation of arrays along an axis."""
    at = axis % len(operands[0].shape)

    def through(pairs: Sequence[tuple[Along, Shape]]) -> Along:
        alongs = [one for one, _ in pairs]
        here = [one for one in alongs if one.axis == at]
        if not here or all(one.seen is WHOLE for one in alongs):
            return _merged(alongs)
        # Several spread arrays together see the whole picture, and so do the arrays beside them.
        joins = Along(SPREAD, at) in here and all(one.seen in (WHOLE, SPREAD) for one in alongs)
        return Along(SPREAD if joins else None, at)

    return _both(operands, through)


def sliced(x: Operand, axis: int, made: int, *, start: int, step: int = 1) -> Field:
    """Follow a slice of `made` values along an axis, from `start`, in steps of `step`."""
    at = axis % len(x.shape)

    def through(along: Along) -> Along:
        if along.axis != at or (made == x.shape[at] and step == 1):
            return along
        if isinstance(along.seen, Reach) and step > 0:
            return replace(along, seen=along.seen.through(1, step, 1, before=-start))
        return along.lost.at(at)

    return x.field.each(through)


def selected(x: Operand, axis: int) -> Field:
    """Follow the selection of one index along an axis; the axis is dropped."""
    at = axis % len(x.shape)

    def through(along: Along) -> Along:
        if along.axis is None or along.axis == at:
            return along.lost
        return along.at(along.axis - (at < along.axis))

    return x.field.each(through)


def padded(x: Operand, before: Sequence[int], after: Sequence[int]) -> Field:
    """Follow padding, or cropping if it is negative, before and after each axis."""

    def through(along: Along) -> Along:
        if along.axis is None or not (before[along.axis] or after[along.axis]):
            return along
        if isinstance(along.seen, Reach):
            return replace(along, seen=along.seen.through(1, 1, 1, before=before[along.axis]))
        return along.lost.at(along.axis) if min(before[along.axis], after[along.axis]) < 0 else along

    return x.field.each(through)
