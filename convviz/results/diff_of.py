"""Compare two networks layer by layer on inputs, or two sets of stored numbers."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.analysis.differing import Difference, difference
from convviz.compute.networks.engine import KEPT_APART, Engine, activations
from convviz.compute.networks.matching import Matching, Pair, match
from convviz.compute.networks.sources import NetworkSource
from convviz.errors import SpecError
from convviz.images.picture import Picture
from convviz.machine import memory
from convviz.results.diff import Both, Differences, LayerDifference, Unmatched
from convviz.results.running import picture_for, source_from
from convviz.results.stored_numbers import Numbers, as_numbers, paired
from convviz.spec.differing import OF_ARRAYS, OF_LAYERS, DiffSettings
from convviz.spec.network import Network
from convviz.text import in_quotes, plural

# The outputs of A that are kept at once take at most this share of the free memory.
_SHARE = 4


def diff(a: Any, b: Any, image: Any = None, *, tolerance: float | None = None) -> Differences:
    """Compare two networks layer by layer on pictures, or two sets of weights or other stored numbers.

    Parameters
    ----------
    a, b : torch.nn.Module, Network, NetworkSource, str, Path, dict of array_like, or array_like
        With `image`, two networks in any form that `run_net` accepts. Without it, two sets of numbers: files
        of weights or saved runs, state dicts, arrays, or networks, whose weights are compared.
    image : str, Path, Picture or array_like, or a list of these, optional
        The inputs; files are read as the networks require. Of several, every layer has the figures of the
        input with its largest difference.
    tolerance : float, optional
        The largest difference that is allowed, as a share of the largest magnitude of A: by default 1e-4
        for the outputs of layers, and 0 for stored numbers.

    Returns
    -------
    Differences
        A sequence with one item per pair of layers. ``first`` is the first layer in the order of computation
        at which the two part, ``within`` is whether there is none; it has ``sheet()``, ``save(path)`` and
        ``check()``, which raises an error if they differ.

    Raises
    ------
    InputError
        If a picture or a file cannot be read.
    SpecError, ShapeError
        If the networks do not accept the input, or have nothing in common to compare.

    Examples
    --------
    >>> from convviz.spec.stacks import parse_layers
    >>> zeros, ones = (parse_layers(f"conv 2 k3 p1 {mode} | relu") for mode in ("", "reflect"))
    >>> found = diff(zeros, ones, np.ones((4, 4)))
    >>> found.within, found.first.name, len(found.layers)
    (False, 'conv1', 2)
    >>> diff({"weight": [1, 2]}, {"weight": [1, 2]})
    <Differences: A and B are equal in 1 array>
    """
    settings = DiffSettings(tolerance)
    titles = titles_of(_title(a, "A"), _title(b, "B"))
    if image is None:
        first, second = (as_numbers(_plain(one)) for one in (a, b))
        return diff_numbers(first, second, titles=titles, settings=settings)
    sources = source_from(a, None, 0), source_from(b, None, 0)
    several = isinstance(image, list | tuple) and any(_is_input(one) for one in image)
    images = list(image) if several else [image]
    named = [str(one) if isinstance(one, str | Path) else f"input {at}" for at, one in enumerate(images)]

    def read(at: int) -> Picture:
        return picture_for(sources[0], images[at])

    return diff_networks(*sources, Inputs(named, read), titles=titles, settings=settings)


def titles_of(first: str, second: str) -> tuple[str, str]:
    """Name A and B; two things of one name are told apart.

    Examples
    --------
    >>> titles_of("old/net.onnx", "new/net.onnx"), titles_of("nets/a.toml=b.pt", "folder/b.pt")
    (('old/net.onnx', 'new/net.onnx'), ('a.toml=b.pt', 'b.pt'))
    >>> titles_of("conv 2 | relu", "a.toml"), titles_of("a.toml", "a.toml")
    (("'conv 2 | relu'", 'a.toml'), ('a.toml (A)', 'a.toml (B)'))
    """
    short = [_short(text) for text in (first, second)]
    if short[0] != short[1]:
        return short[0], short[1]
    return (first, second) if first != second else (f"{short[0]} (A)", f"{short[1]} (B)")


def _short(text: str) -> str:
    """Leave out the folders of files; layers as text are quoted."""
    if "|" in text or " " in text:
        return in_quotes(text)
    return "=".join(PurePath(part).name or part for part in text.split("="))


def _title(value: Any, letter: str) -> str:
    """Name one side."""
    return str(value) if isinstance(value, str | Path) else letter


def _plain(value: Any) -> Any:
    """Make a network of what is one."""
    if isinstance(value, Network) or (isinstance(value, str) and not Path(value).suffix):
        return source_from(value, None, 0)
    return value


def _is_input(value: Any) -> bool:
    """Return whether an item of a list is an input by itself, not a row of numbers."""
    return isinstance(value, str | Path | Picture) or getattr(value, "ndim", 0) > 1


@dataclass(frozen=True, slots=True)
class Inputs:
    """Hold inputs that are read one after the other.

    Parameters
    ----------
    names : sequence of str
        Their names.
    read : callable
        Reads an input by its index.
    """

    names: Sequence[str]
    read: Callable[[int], Picture]


@dataclass(slots=True)
class _Networks:
    """Two networks, opened for the inputs of one shape."""

    first: Engine
    second: Engine
    matching: Matching
    remarks: tuple[str, ...]

    @classmethod
    def opened(cls, first: NetworkSource, second: NetworkSource, shape: tuple[int, int, int]) -> "_Networks":
        """Open two networks, and match their layers."""
        a, b = first.open(shape), second.open(shape)
        matching = match(a.engine, b.engine, shape)
        if not matching.pairs:
            raise SpecError(
                f"{a.engine.name} and {b.engine.name} have no layer in common, neither by name nor by kind "
                "and shape of the output; there is nothing to compare."
            )
        return cls(a.engine, b.engine, matching, tuple(dict.fromkeys((*a.remarks, *b.remarks))))

    def values(self, x: Any, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Both]]:
        """Compute the outputs of pairs, in groups of which one fits into memory."""
        for group in _groups(pairs):
            one = activations(self.first, x, [pair.first.name for pair in group])
            other = activations(self.second, x, list({pair.second.name: None for pair in group}))
            for pair in group:
                yield pair, Both(one[pair.first.name].values, other[pair.second.name].values)


def _groups(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Split pairs into groups that fit into memory."""
    room = memory.share() / _SHARE
    group: list[Pair] = []
    held = 0
    for pair in pairs:
        size = 4 * math.prod(pair.first.output_shape or ()) + 4 * math.prod(pair.second.output_shape or ())
        if group and held + size > room:
            yield group
            group, held = [], 0
        group.append(pair)
        held += size
    if group:
        yield group


@dataclass(slots=True)
class _Worst:
    """The figures of a pair for the input with the largest difference."""

    pair: Pair
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    found: Difference | None
    input: int

    @property
    def size(self) -> tuple[float, float]:
        """The largest difference of all has the largest size."""
        return (math.inf, 0) if self.found is None else (self.found.relative, self.found.mean)


@dataclass(slots=True)
class _Comparison:
    """Compares two networks, input by input."""

    sources: tuple[NetworkSource, NetworkSource]
    inputs: Inputs
    tolerance: float
    opened: dict[tuple[int, int, int], _Networks] = field(default_factory=dict)
    worst: dict[tuple[str, str], _Worst] = field(default_factory=dict)

    def on(self, picture: Picture) -> _Networks:
        """Open the networks for a picture; the last ones are kept."""
        if picture.shape not in self.opened:
            self.opened.clear()
            self.opened[picture.shape] = _Networks.opened(*self.sources, picture.shape)
        return self.opened[picture.shape]

    def add(self, index: int) -> _Networks:
        """Compare all layers for one input."""
        picture = self.inputs.read(index)
        two = self.on(picture)
        for pair, both in two.values(picture.x, two.matching.pairs):
            shapes = both.first.shape, both.second.shape
            found = difference(*both) if shapes[0] == shapes[1] else None
            new = _Worst(pair, shapes, found, index)
            key = pair.first.name, pair.second.name
            if key not in self.worst or new.size > self.worst[key].size:
                self.worst[key] = new
        return two

    def layers(self) -> list[LayerDifference]:
        """List the figures of all layers."""
        return [
            LayerDifference(
                one.pair.first.name,
                one.pair.second.name,
                one.pair.how,
                *one.shapes,
                one.found,
                self.tolerance,
                one.input,
                one.pair.first.layout or "chw",
                one.pair.first.outer,
            )
            for one in self.worst.values()
        ]

    def fetch(self, wanted: Sequence[LayerDifference]) -> dict[str, Both]:
        """Compute the outputs of some layers again, each for its input."""
        found: dict[str, Both] = {}
        for index in dict.fromkeys(one.input for one in wanted):
            picture = self.inputs.read(index)
            two = self.on(picture)
            names = {one.name for one in wanted if one.input == index}
            pairs = [pair for pair in two.matching.pairs if pair.first.name in names]
            found |= {pair.first.name: both for pair, both in two.values(picture.x, pairs)}
        return found

    def origin(self, first: LayerDifference | None) -> str:
        """Say whether what arrives at the first layer that differs is different already."""
        if first is None or first.outer or first.how == "folded":
            return ""
        picture = self.inputs.read(first.input)
        two = self.on(picture)
        if two.matching.split(first.name, first.other):
            return ""  # what is read is an array inside of the layer
        read = [
            activations(engine, picture.x, [name], reads=True)[name].read
            for engine, name in ((two.first, first.name), (two.second, first.other))
        ]
        if read[0] is None or read[1] is None:
            return ""
        if read[0].shape == read[1].shape and difference(read[0], read[1]).relative <= self.tolerance:
            return ""
        if read[0].shape != read[1].shape and two.first.runner != two.second.runner:
            return ""  # one of the two pads in a step of its own
        before = self._before(first, two)
        return f"what arrives at {first.name} differs already: the change lies {before}"

    def _before(self, first: LayerDifference, two: _Networks) -> str:
        """Name what lies between the last layers that agree and the first that does not."""
        order = list(two.matching.order)
        agreed = [one.name for one in self.layers() if one.within and one.name in order]
        at = order.index(first.name)
        last = max((order.index(name) for name in agreed if order.index(name) < at), default=-1)
        skipped = order[last + 1 : at]
        alone = [one.name for one in two.matching.first_only if one.name in skipped]
        if alone:
            return f"in or near {', '.join(alone[:3])}, which only A has"
        named = f"between {order[last]} and {first.name}" if last >= 0 else f"before {first.name}"
        return f"{named}, in what is no layer of both"


def diff_networks(
    first: NetworkSource,
    second: NetworkSource,
    inputs: Inputs,
    *,
    titles: tuple[str, str],
    settings: DiffSettings,
    advance: Callable[[int], None] = lambda done: None,
) -> Differences:
    """Compare two networks layer by layer, input after input.

    Parameters
    ----------
    first, second : NetworkSource
        A and B.
    inputs : Inputs
        At least one.
    titles : (str, str)
        What A and B are called.
    settings : DiffSettings
        The tolerance.
    advance : callable
        Called with the number of inputs that were just compared.
    """
    tolerance = OF_LAYERS if settings.tolerance is None else settings.tolerance
    compared = _Comparison((first, second), inputs, tolerance)
    remarks: tuple[str, ...] = ()
    two = None
    for index in range(len(inputs.names)):
        two = compared.add(index)
        remarks = tuple(dict.fromkeys((*remarks, *two.remarks)))
        advance(1)
    assert two is not None
    layers = compared.layers()
    origin = compared.origin(next((one for one in layers if not one.within), None))
    first_only, second_only = (
        [Unmatched(step.name, step.kind, step.output_shape or ()) for step in steps]
        for steps in (two.matching.first_only, two.matching.second_only)
    )
    return Differences(
        titles,
        layers,
        first_only,
        second_only,
        tolerance,
        compared.fetch,
        inputs=inputs.names,
        note=origin,
        remarks=remarks,
    )


def diff_numbers(
    first: Numbers, second: Numbers, *, titles: tuple[str, str], settings: DiffSettings
) -> Differences:
    """Compare two sets of stored numbers, array by array."""
    tolerance = OF_ARRAYS if settings.tolerance is None else settings.tolerance
    pairs, how = paired(first, second)
    layers, kept = [], {}
    for name, other in pairs.items():
        one, two = first[name], second[other]
        found = difference(one, two) if one.shape == two.shape else None
        layers.append(LayerDifference(name, other, how, one.shape, two.shape, found, tolerance))
        kept[name] = one, two

    def fetch(wanted: Sequence[LayerDifference]) -> dict[str, Both]:
        return {one.name: Both(*map(_floats, kept[one.name])) for one in wanted}

    first_only, second_only = (
        [Unmatched(name, "", of[name].shape) for name in of if name not in taken]
        for of, taken in ((first, set(pairs)), (second, set(pairs.values())))
    )
    if not layers:
        raise SpecError(
            f"{titles[0]} holds {plural(len(first), 'array')} and {titles[1]} {len(second)}, but none of one "
            "name; there is nothing to compare."
        )
    note = _folding(layers, titles, (first_only, second_only))
    return Differences(titles, layers, first_only, second_only, tolerance, fetch, note=note, stored=True)


def _folding(
    layers: Sequence[LayerDifference], titles: tuple[str, str], only: tuple[Sequence[Unmatched], ...]
) -> str:
    """Explain weights of convolutions that differ where only one side has batch normalizations."""
    with_norms = [title for title, alone in zip(titles, only, strict=True) if any(map(_is_norm, alone))]
    convolved = any(len(one.shape) == 4 and not one.within for one in layers)
    if len(with_norms) != 1 or not convolved:
        return ""
    return (
        f"only {with_norms[0]} has batch normalizations: an exporter may have folded them into the "
        f"convolutions before them, whose weights then differ; {KEPT_APART}"
    )


def _is_norm(one: Unmatched) -> bool:
    """Return whether an array is of a batch normalization, which alone has a mean of what it read."""
    return one.name.rpartition(".")[2] == "running_mean"


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    """Convert stored numbers to those that are drawn and saved."""
    return np.asarray(values, np.float32)
