"""Receptive fields through networks of others: where the picture runs in an array, and what is seen of it.

The rules here know arrays and their shapes, and neither ONNX nor torch. Where none of them holds,
what a value sees is not defined, and so it is in all that follows.
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
    """What takes the place of a `Reach` where the order of values is not that of the picture.

    All positions lie along one axis of the array, perhaps with channels, so that what sums up
    over that axis sees the whole input.
    """

    SPREAD = "spread"


SPREAD: Final = Spread.SPREAD


class Unclear(Exception):
    """No rule holds for an operation; what its result sees is not defined."""


@dataclass(frozen=True, slots=True)
class Along:
    """What the values of an array see along the height, or the width, of the picture.

    Parameters
    ----------
    seen : Reach, WHOLE, SPREAD or None
        What each of them sees; None where that is not defined.
    axis : int or None
        The axis of the array along which the picture runs, if that is known.
    """

    seen: Reach | Whole | Spread | None = None
    axis: int | None = None

    def at(self, axis: int | None) -> "Along":
        """Put it on another axis."""
        return replace(self, axis=axis)

    @property
    def lost(self) -> "Along":
        """What is left where the order along the picture is: nothing but that all is seen."""
        return ALL if self.seen is WHOLE else Along()

    @property
    def summed(self) -> "Along":
        """What a value sees that is made of all those along the picture."""
        return self if self.seen is None else replace(self, seen=WHOLE)


ALL: Final = Along(WHOLE)
UNDEFINED: Final = Along()


class Field(NamedTuple):
    """What the values of an array see along both axes of the picture."""

    height: Along
    width: Along

    def each(self, rule: Callable[[Along], Along]) -> "Field":
        """Follow both axes."""
        return Field(rule(self.height), rule(self.width))


class Operand(NamedTuple):
    """An array that depends on the picture, with its whole shape."""

    field: Field
    shape: Shape


NOWHERE: Final = Field(UNDEFINED, UNDEFINED)


class Told(TypedDict):
    """What is said of an array, by the names that a `NetworkStep` has for it."""

    height: Reach | None
    width: Reach | None
    whole: bool
    layout: str


def picture(height: int, width: int) -> Field:
    """Begin: each value sees itself, on these axes of the array."""
    return Field(Along(Reach(), height), Along(Reach(), width))


def told(field: Field | None, dims: int, shape: Shape | None) -> Told:
    """Tell what values see, and how they lie.

    Parameters
    ----------
    field : Field or None
        What they see.
    dims : int
        How many axes the array has.
    shape : tuple of int, or None
        Its shape without the batch, if it is known.

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
    # One row of values has no height and no width.
    of_spread = WHOLE if shape is not None and math.prod(shape) == max(shape, default=1) else None
    sights = [of_spread if isinstance(one.seen, Spread) else one.seen for one in field]
    if axes[0] is not None and axes[1] is not None and axes[0] > axes[1]:
        sights = [WHOLE if one is WHOLE else None for one in sights]  # a picture that was turned
    height, width, whole = as_reaches(*sights)
    return Told(height=height, width=width, whole=whole, layout="".join(lie))


def _both(operands: Sequence[Operand], rule: Callable[[Sequence[tuple[Along, Shape]]], Along]) -> Field:
    """Follow several arrays along both axes."""
    height = rule([(one.field.height, one.shape) for one in operands])
    return Field(height, rule([(one.field.width, one.shape) for one in operands]))


def _merged(alongs: Sequence[Along]) -> Along:
    """See what any of several sees, at the same place."""
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
    """Follow an operation for which there is no rule: what sees all before it sees all."""
    return _both(operands, lambda pairs: ALL if all(one.seen is WHOLE for one, _ in pairs) else UNDEFINED)


def _spread_out(along: Along, shape: Shape, made: Shape) -> Along:
    """Place it in the result of an operation that repeats axes of length 1, and adds axes in front."""
    if along.axis is None:
        return along
    axis = along.axis + len(made) - len(shape)
    # A value that is repeated sees the same everywhere, which no Reach does.
    return along.at(axis) if shape[along.axis] == made[axis] else along.lost.at(axis)


def elementwise(operands: Sequence[Operand], made: Shape) -> Field:
    """Follow an operation on values at the same place, which gives an array of the shape `made`.

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
        What it reads.
    layer : Layer
        One that has these windows.
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
        # What reads windows of an array takes its last two axes for those of a picture.
        over_channels = summed and along.axis == first - 1
        return (along.summed if over_channels else along.lost).at(axis)

    return Field(through(x.field.height, first), through(x.field.width, first + 1))


def reduced(x: Operand, axes: Iterable[int], *, kept: bool) -> Field:
    """Follow a sum, a mean or a maximum over whole axes, which are kept with a length of 1 or dropped."""
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
    """Follow an operation that puts all values along some axes in relation, as a softmax does."""
    return reduced(x, axes, kept=True)


def product(first: Operand | None, second: Operand | None, made: Shape) -> Field:
    """Follow a product of matrices, of which one may not depend on the picture."""

    def placed(x: Operand, axis: int) -> Operand:
        if len(x.shape) < 2:
            raise Unclear
        summed = len(x.shape) + axis
        return Operand(x.field.each(lambda one: one.summed.at(None) if one.axis == summed else one), x.shape)

    parts = [placed(first, -1)] if first else []
    parts += [placed(second, -2)] if second else []
    return elementwise(parts, made)


def permuted(x: Operand, order: Sequence[int]) -> Field:
    """Follow axes that change places: axis i of the result is axis ``order[i]``."""
    axes = [axis % len(x.shape) for axis in order]
    return x.field.each(lambda along: along if along.axis is None else along.at(axes.index(along.axis)))


def reshaped(x: Operand, made: Shape) -> Field:
    """Follow values that are counted off in another shape; what keeps an axis of its own goes on.

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
    """Split two shapes of equally many values into the shortest runs of axes that have equally many."""
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
    # Ones at the end belong to what is before them.
    found[-1][0].extend(range(i, len(before)))
    found[-1][1].extend(range(j, len(after)))
    return found


def concatenated(operands: Sequence[Operand], axis: int) -> Field:
    """Follow arrays that are put one after the other along an axis."""
    at = axis % len(operands[0].shape)

    def through(pairs: Sequence[tuple[Along, Shape]]) -> Along:
        alongs = [one for one, _ in pairs]
        here = [one for one in alongs if one.axis == at]
        if not here or all(one.seen is WHOLE for one in alongs):
            return _merged(alongs)
        # All of several spread ones together see the picture, as does what is beside them.
        joins = Along(SPREAD, at) in here and all(one.seen in (WHOLE, SPREAD) for one in alongs)
        return Along(SPREAD if joins else None, at)

    return _both(operands, through)


def sliced(x: Operand, axis: int, made: int, *, start: int, step: int = 1) -> Field:
    """Follow `made` values along an axis, from `start` on, every `step` of them."""
    at = axis % len(x.shape)

    def through(along: Along) -> Along:
        if along.axis != at or (made == x.shape[at] and step == 1):
            return along
        if isinstance(along.seen, Reach) and step > 0:
            return replace(along, seen=along.seen.through(1, step, 1, before=-start))
        return along.lost.at(at)

    return x.field.each(through)


def selected(x: Operand, axis: int) -> Field:
    """Follow one index of an axis, which is dropped."""
    at = axis % len(x.shape)

    def through(along: Along) -> Along:
        if along.axis is None or along.axis == at:
            return along.lost
        return along.at(along.axis - (at < along.axis))

    return x.field.each(through)


def padded(x: Operand, before: Sequence[int], after: Sequence[int]) -> Field:
    """Follow an array with so many values more, or less, before and after it along each axis."""

    def through(along: Along) -> Along:
        if along.axis is None or not (before[along.axis] or after[along.axis]):
            return along
        if isinstance(along.seen, Reach):
            return replace(along, seen=along.seen.through(1, 1, 1, before=before[along.axis]))
        return along.lost.at(along.axis) if min(before[along.axis], after[along.axis]) < 0 else along

    return x.field.each(through)
