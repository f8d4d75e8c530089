"""Choose the steps of a network that an overview shows, and which of them read each other."""

import itertools
import math
from collections.abc import Mapping, Sequence

from convviz.compute.networks.engine import NetworkStep
from convviz.spec.layers import Shape
from convviz.spec.network import INPUT


def overview_steps(steps: Sequence[NetworkStep], layouts: Sequence[str] = ("chw",)) -> list[NetworkStep]:
    """Choose the steps that show a network at a glance.

    Parameters
    ----------
    steps : sequence of NetworkStep
        All steps, in the order in which they are computed.
    layouts : sequence of str
        The layouts of maps to choose from.

    Returns
    -------
    list of NetworkStep
        For every size of map, the last step of that size, in order. If a size returns later, as
        in the decoder of a U-Net, it gets a row of its own, unless all of these maps are read by steps
        of the same size: branches that are computed in turns are no change of size. Padding before a layer
        does not count as a size, and single values for a whole picture, as in a gate, do not count as maps.
        Tokens of which there are as many as places in maps before them are maps of their own kind.
        The last step of the network follows if it makes a row of values.
    """
    inner = [one for one in steps if not one.outer and one.output_shape is not None]
    sizes = {one.name: _size(one) for one in inner if one.layout in layouts and _are_maps(one)}
    sizes |= steps_of_tokens(inner)
    read_on = _read_on(inner, sizes)
    found = []
    for _, run in itertools.groupby((one for one in inner if one.name in sizes), lambda one: sizes[one.name]):
        found += [one for one in run if one.name not in read_on][-1:]
    last = inner[-1:]
    return found + [one for one in last if one not in found and _is_row(one)]


def steps_of_tokens(steps: Sequence[NetworkStep]) -> dict[str, Shape]:
    """Find the steps that make one token for each position of earlier maps; count the positions of each.

    A class token may be among the tokens.
    """
    places: set[int] = set()
    found: dict[str, Shape] = {}
    for one in steps:
        shape = one.output_shape or ()
        if one.layout in ("chw", "hwc") and _are_maps(one):
            h, w = _size(one)
            places |= {h * w} if h == w > 1 else set()
        elif len(shape) == 2:
            found.update((one.name, (count,)) for count in (shape[0], shape[0] - 1) if count in places)
    return found


def _read_on(steps: Sequence[NetworkStep], sizes: Mapping[str, Shape]) -> set[str]:
    """Find the maps that only steps of the same size read; none if a network does not tell what is read."""
    if not all(one.inputs for one in steps):
        return set()
    readers: dict[str, list[str]] = {}
    for one in steps:
        for name in one.inputs:
            readers.setdefault(name, []).append(one.name)
    return {
        name
        for name, size in sizes.items()
        if name in readers and all(sizes.get(by) == size for by in readers[name])
    }


def output_steps(steps: Sequence[NetworkStep]) -> list[NetworkStep]:
    """List the outputs of a network: the steps that no other step reads.

    Parameters
    ----------
    steps : sequence of NetworkStep
        All steps, in the order in which they are computed.

    Returns
    -------
    list of NetworkStep
        Those with an array, in order; only the last step where a network does not tell what its steps read.

    Examples
    --------
    >>> steps = [NetworkStep(name, "", (), (5,), inputs=(read,)) for name, read in ("ai", "ba", "ca")]
    >>> [one.name for one in output_steps(steps)]
    ['b', 'c']
    """
    inner = [one for one in steps if not one.outer and one.output_shape is not None]
    if not all(one.inputs for one in inner):
        return inner[-1:]
    read = {name for one in steps if not one.outer for name in one.inputs}
    return [one for one in inner if one.name not in read]


def rows_read(steps: Sequence[NetworkStep], rows: Sequence[NetworkStep]) -> list[tuple[int, ...]]:
    """Find which rows of an overview each row reads, directly or through steps without a row.

    Parameters
    ----------
    steps : sequence of NetworkStep
        All steps, in the order in which they are computed.
    rows : sequence of NetworkStep
        Those with a row.

    Returns
    -------
    list of tuple of int
        For each row the numbers of the rows that it reads, counted from 1; 0 is the picture. Empty where
        a network does not tell what its steps read.

    Examples
    --------
    >>> chain = [("a", "input"), ("b", "a"), ("c", "b"), ("sum", "a", "c")]
    >>> steps = [NetworkStep(name, "", (), None, inputs=tuple(read)) for name, *read in chain]
    >>> rows_read(steps, [steps[0], steps[2], steps[3]])
    [(0,), (1,), (1, 2)]
    """
    places = {one.name: place for place, one in enumerate(rows, start=1)}
    behind: dict[str, set[int]] = {INPUT: {0}}
    read: dict[str, set[int]] = {}
    for one in steps:
        if one.outer:
            continue
        found = set().union(*(behind.get(name, set()) for name in one.inputs))
        read[one.name] = found
        behind[one.name] = {places[one.name]} if one.name in places else found
    return [tuple(sorted(read.get(one.name, ()))) for one in rows]


def _size(step: NetworkStep) -> Shape:
    """Return height and width of maps."""
    shape = step.output_shape or ()
    return shape[:2] if step.layout == "hwc" else shape[-2:]


def _are_maps(step: NetworkStep) -> bool:
    """Return whether a step makes maps, not padding or numbers about the whole picture."""
    return "Pad" not in step.kind and (_size(step) != (1, 1) or step.height is not None)


def can_be_row(step: NetworkStep) -> bool:
    """Return whether an overview can show a step: maps of the picture, or one row of values."""
    return step.layout in ("chw", "hwc") or _is_row(step)


def _is_row(step: NetworkStep) -> bool:
    """Return whether a step makes one row of values."""
    shape = step.output_shape or ()
    return math.prod(shape) == max(shape, default=1)
