"""Hold how far two networks, or two sets of stored numbers, are apart, layer by layer."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from convviz.analysis.differing import Difference
from convviz.errors import BackendError, SpecError, UnknownNameError
from convviz.images.finite import apart
from convviz.render.sheets import differences, strips
from convviz.render.sheets.layout import Sheet
from convviz.results import outputs
from convviz.results.on_sheets import OnSheet
from convviz.spec.differing import PairSettings
from convviz.spec.layers import Shape, shape_text
from convviz.text import in_quotes, number, plural
from convviz.typing import Floats

Status = Literal["equal", "within", "differs", "shape differs"]
# Rows of a sheet: layers that are chosen for it, or kernels of one convolution.
_ROWS = 4
# The number of layers without a partner that a sentence names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """How far the outputs of one layer, or two stored arrays, are apart.

    Parameters
    ----------
    name, other : str
        What A calls it, and what B calls it.
    how : {"name", "order", "folded"}
        What the two were matched by: their names; their order, kind and shape; or because an exporter folded
        a batch normalization, or a quantizer an activation, into the layer before it.
    shape, other_shape : tuple of int
        The two shapes.
    found : Difference or None
        The figures, if the shapes agree; of several inputs those of the one with the largest difference.
    tolerance : float
        The largest relative difference that is allowed.
    input : int
        The index of the input with these figures.
    layout : str
        The order of three axes, as in `NetworkStep`.
    outer : bool
        Whether it is a module that only contains other layers.
    """

    name: str
    other: str
    how: str
    shape: Shape
    other_shape: Shape
    found: Difference | None
    tolerance: float
    input: int = 0
    layout: str = "chw"
    outer: bool = False

    @property
    def status(self) -> Status:
        """Whether the two are equal, agree within the tolerance, or differ."""
        if self.found is None:
            return "shape differs"
        if self.found.largest == 0:
            return "equal"
        return "within" if self.found.relative <= self.tolerance else "differs"

    @property
    def within(self) -> bool:
        """Whether the two agree within the tolerance."""
        return self.status in ("equal", "within")

    @property
    def relative(self) -> float:
        """The largest difference, as a share of the largest magnitude of A; infinite if the shapes differ."""
        return math.inf if self.found is None else self.found.relative

    @property
    def label(self) -> str:
        """The name, or both names."""
        return self.name if self.name == self.other else f"{self.name} = {self.other}"

    def document(self) -> dict[str, Any]:
        """Return everything as plain values."""
        found: dict[str, Any] = {
            "layer": self.name,
            "other": self.other,
            "matched_by": self.how,
            "shape": list(self.shape),
            "other_shape": list(self.other_shape),
            "status": self.status,
        }
        if self.found is not None:
            figures = asdict(self.found)
            del figures["count"]
            found |= {"relative": self.relative, **figures, "input": self.input}
        return found


class Unmatched(NamedTuple):
    """A layer, or a stored array, without a partner.

    Parameters
    ----------
    name, kind : str
        Its name, and the kind of layer; for an array the kind is empty.
    shape : tuple of int
        The shape of its output.
    """

    name: str
    kind: str
    shape: Shape


class Both(NamedTuple):
    """The values of a layer in A and in B."""

    first: Floats
    second: Floats


Fetch = Callable[[Sequence[LayerDifference]], Mapping[str, Both]]


@dataclass(frozen=True, slots=True, eq=False)
class Differences(OnSheet[LayerDifference]):
    """Hold how far A and B are apart, as a value that prints, shows and saves itself.

    Parameters
    ----------
    titles : (str, str)
        What A and B are called.
    layers : sequence of LayerDifference
        In the order in which A computes them, or stores them.
    first_only, second_only : sequence of Unmatched
        What only A has, and only B.
    tolerance : float
        The largest relative difference that is allowed.
    fetch : callable
        Computes the values of some layers, for the input with the largest difference of each.
    stored : bool
        Whether these are stored numbers: there what has no partner is a difference.
    inputs : sequence of str
        The names of the inputs.
    note : str
        Where the difference arises, if not in the layer itself.
    remarks : tuple of str
        Notes for the user.
    """

    command: ClassVar[str] = "diff"

    titles: tuple[str, str]
    layers: Sequence[LayerDifference]
    first_only: Sequence[Unmatched]
    second_only: Sequence[Unmatched]
    tolerance: float
    fetch: Fetch = field(repr=False)
    stored: bool = False
    inputs: Sequence[str] = ()
    note: str = ""
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Differences: {self.sentence}>"

    @property
    def _items(self) -> Sequence[LayerDifference]:
        """One per layer."""
        return self.layers

    @property
    def first(self) -> LayerDifference | None:
        """The first layer at which the two part beyond the tolerance; None if there is none."""
        return next((one for one in self.layers if not one.within), None)

    @property
    def within(self) -> bool:
        """Whether all agree within the tolerance; stored numbers without a partner do not."""
        return self.first is None and not (self.stored and (self.first_only or self.second_only))

    @property
    def largest(self) -> LayerDifference:
        """The layer with the largest relative difference."""
        return max(self.layers, key=lambda one: one.relative)

    @property
    def _noun(self) -> str:
        """What is compared."""
        return "array" if self.stored else "layer"

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self._sentence(*self.titles)

    def _sentence(self, a: str, b: str) -> str:
        """Write the answer, with names for A and B."""
        first, count = self.first, plural(len(self.layers), self._noun)
        if first is None and not self.within:
            alone = len(self.first_only) + len(self.second_only)
            without = plural(alone, self._noun)
            return f"{a} and {b} differ: {without} without a partner; the {count} in both agree"
        if first is None:
            if all(one.status == "equal" for one in self.layers):
                return f"{a} and {b} are equal in {count}"
            worst = self.largest
            share = number(worst.relative, digits=2)
            return (
                f"{a} and {b} are within the tolerance {self.tolerance:g} in {count}; the largest "
                f"difference, in {worst.label}, is {share} of the largest magnitude"
            )
        several = sum(not one.within for one in self.layers)
        if self.stored:
            return f"{a} and {b} differ in {several} of {count}, the first is {first.label}: {_words(first)}"
        verb = "differs" if several == 1 else "differ"
        return f"{a} and {b} first differ at {first.label}: {_words(first)}; {several} of {count} {verb}"

    @property
    def notes(self) -> list[str]:
        """What a user needs to know besides: where the difference arises, and what has no partner."""
        found = [self.note] if self.note else []
        for title, alone in zip(self.titles, (self.first_only, self.second_only), strict=True):
            if alone:
                named = ", ".join(one.name for one in alone[:_NAMED])
                more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
                found.append(f"only in {title}: {named}{more}")
        return found

    def check(self) -> None:
        """Raise a `BackendError` if the two differ beyond the tolerance.

        Raises
        ------
        BackendError
            With the number of layers that do, and the tolerance; `sentence` says the rest.
        """
        if not self.within:
            alone = plural(len(self.first_only) + len(self.second_only), self._noun)
            if self.first is None:
                raise BackendError(f"{alone} without a partner.")
            several = sum(not one.within for one in self.layers)
            raise BackendError(
                f"{several} of {plural(len(self.layers), self._noun)} beyond the tolerance "
                f"{self.tolerance:g}; the first is {self.first.label}."
            )

    # --- pictures

    def _chosen(self, names: Sequence[str]) -> list[LayerDifference]:
        """Choose what is drawn: the named layers, else the first one that differs and the worst ones."""
        if names:
            known = {one.name: one for one in self.layers}
            for name in names:
                if name not in known:
                    raise UnknownNameError(self._noun, name, known)
                if known[name].found is None:
                    raise SpecError(f"layer: {in_quotes(name)} has two shapes, and so no difference to draw.")
            return [known[name] for name in names]
        usable = [one for one in self.layers if one.found is not None and one.found.count]
        if self.stored and (kernels := [one for one in usable if len(one.shape) == 4]):
            return [max(kernels, key=lambda one: one.relative)]
        # A map of one value shows less than its number in the table.
        worst = sorted(
            usable, key=lambda one: (one.outer, max(one.shape[-2:], default=1) == 1, -one.relative)
        )
        first = [one for one in usable if one is self.first]
        chosen = list(dict.fromkeys([*first, *worst]))[:_ROWS]
        if not chosen:
            raise SpecError("output: no layer has one shape in both; there is no difference to draw.")
        return [one for one in usable if one in chosen]

    def sheet(self, layers: Sequence[str] = (), **looks: Any) -> Sheet:
        """Draw for some layers the map that differs most: in A, in B, and the difference.

        Parameters
        ----------
        layers : sequence of str
            The layers, by their names in A; by default the first one that differs, and the worst ones. Of
            stored weights it is the worst convolution, with the kernels that differ most.
        **looks
            Fields of `convviz.spec.differing.PairSettings`, such as ``colormap="viridis"``.

        Returns
        -------
        Sheet
            Not painted yet.

        Raises
        ------
        UnknownNameError, SpecError
            If a layer does not exist, or has two shapes.
        """
        look = PairSettings.of(**looks)
        chosen = self._chosen(layers)
        values = self.fetch(chosen)
        count = _ROWS if self.stored and len(chosen) == 1 else 1
        rows = [row for one in chosen for row in _rows(one, values[one.name], count)]
        a, b = self.titles
        named = () if self.titles == ("A", "B") else (f"A: {a}; B: {b}",)
        heading = (
            self._sentence("A", "B"),
            *named,
            *filter(None, (self.note, self._drawn(len(chosen), layers))),
        )
        return differences.draw(heading, rows, tile=look.tile, look=look)

    def _drawn(self, count: int, named: Sequence[str]) -> str:
        """Say which layers are drawn; empty if all are, or if they are named."""
        if named or self.stored or count == len(self.layers):
            return ""
        chosen = (
            "the first that differs, and those that differ most" if self.first else "those that differ most"
        )
        return f"drawn: {count} of {plural(len(self.layers), self._noun)}: {chosen}; of each, its worst map"

    def arrays(self, layers: Sequence[str] = ()) -> dict[str, Floats]:
        """Gather the numbers for `save`: the drawn layers in A and in B, and their differences."""
        found: dict[str, Floats] = {}
        for name, both in self.fetch(self._chosen(layers)).items():
            with np.errstate(invalid="ignore", over="ignore"):
                found |= {f"a.{name}": both.first, f"b.{name}": both.second}
                found[f"difference.{name}"] = both.second - both.first
        return found

    def save(self, path: str | Path, *, layers: Sequence[str] = (), force: bool = False) -> None:
        """Write the sheet, or the exact numbers, of some layers; see `sheet`."""
        outputs.save_answer(
            Path(path),
            lambda: self.sheet(layers),
            lambda: self.arrays(layers),
            description=self.description(),
            force=force,
        )

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the comparison for the metadata of a file; `chosen` are settings to include."""
        a, b = self.titles
        return OnSheet.description(self, *chosen) | {"a": a, "b": b}

    def document(self) -> dict[str, Any]:
        """Return everything as plain values, without the numbers themselves."""
        first = self.first
        return {
            "a": self.titles[0],
            "b": self.titles[1],
            "inputs": list(self.inputs),
            "tolerance": self.tolerance,
            "within": self.within,
            "first": None if first is None else first.name,
            "note": self.note,
            "layers": [one.document() for one in self.layers],
            "only_in_a": [one._asdict() for one in self.first_only],
            "only_in_b": [one._asdict() for one in self.second_only],
        }


def _words(one: LayerDifference) -> str:
    """Say how far a layer is apart."""
    if one.found is None:
        return f"its shape is {shape_text(one.shape)} in A and {shape_text(one.other_shape)} in B"
    if one.found.lone:
        return f"{plural(one.found.lone, 'value')} NaN or infinite in only one of the two"
    share = number(one.relative, digits=3)
    return f"the largest difference is {number(one.found.largest)}, {share} times the largest magnitude in A"


def _rows(one: LayerDifference, both: Both, count: int) -> list[differences.Row]:
    """Choose the maps of a layer, or the kernels of a convolution, that differ most."""
    first, second = (strips.as_maps(np.asarray(values, np.float32), one.layout) for values in both)
    distances = apart(first, second).reshape(len(first), -1).max(axis=1)
    order = np.argsort(-distances, kind="stable")[:count]
    found = []
    for index in [int(at) for at in order if distances[at] > 0] or [int(order[0])]:
        where = f", map {index}" if len(first) > 1 else ""
        if len(one.shape) == 4:
            filter_, channel = divmod(index, one.shape[1])
            where = f", filter {filter_}, channel {channel}"
        found.append(differences.Row(f"{one.label}{where}", first[index], second[index], len(one.shape) == 1))
    return found
