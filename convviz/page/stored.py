"""The page of a network that another program ran: what arrives at its convolutions is stored in the page."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from convviz.compute.networks.engine import NetworkStep
from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.files import addresses
from convviz.files.paths import quoted
from convviz.images.picture import Picture
from convviz.page.packing import Kind, Store, Stored, text_bytes
from convviz.page.page import NO_PROGRAM, layer_data, options_of, written
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.network import INPUT, SizedStep
from convviz.spec.reach import Reach
from convviz.spec.settings import InputSettings, PageSettings
from convviz.text import amount, printable
from convviz.typing import Floats

# The whole page, in characters.
MOST_CHARACTERS = 30_000_000
# Left for the scripts, the picture and the names.
_ASIDE = 1_500_000
# Networks with more parameters are refused before their weights are read.
MOST_PARAMETERS = 1 << 26
# How activations and weights are stored, in the order of their errors: the first that fits is taken.
_KINDS: tuple[tuple[Kind, Kind], ...] = (("f32", "f32"), ("f16", "f32"), ("u8", "f32"), ("u8", "f16"))
_WORDS: dict[Kind, str] = {"f32": "32-bit floats", "f16": "16-bit floats", "u8": "8-bit levels"}


def chosen_kinds(steps: Sequence[NetworkStep]) -> tuple[Kind, Kind]:
    """Choose how to store activations and weights, from the shapes alone.

    Examples
    --------
    >>> step = NetworkStep("conv", "Conv", ((3, 224, 224),), (8, 222, 222), 224, convolution="Conv2d")
    >>> chosen_kinds([step])
    ('f32', 'f32')
    """
    convolutions = [one for one in steps if one.convolution]
    # Convolutions that read the same activation share it.
    read = {one.inputs or one.name: math.prod(known(one.input_shapes[0])) for one in convolutions}
    parameters = sum(one.parameters for one in convolutions)
    for activations, weights in _KINDS:
        if (
            text_bytes(sum(read.values()), activations) + text_bytes(parameters, weights)
            <= MOST_CHARACTERS - _ASIDE
        ):
            return activations, weights
    return _KINDS[-1]


def known(shape: Sequence[int] | None) -> tuple[int, ...]:
    """Return a shape that may not be known before the computation; no values then."""
    return (0,) if shape is None or None in shape else tuple(shape)


def check_parameters(steps: Sequence[NetworkStep | SizedStep], name: str) -> None:
    """Refuse a network with too many parameters, before they are read.

    Raises
    ------
    SpecError
        If there are more than `MOST_PARAMETERS`; the message names the last step that fits.
    """
    total, last = 0, ""
    for one in steps:
        total += one.parameters if isinstance(one, NetworkStep) else one.layer.parameters
        if total <= MOST_PARAMETERS:
            last = one.name
    if total > MOST_PARAMETERS:
        remedy = f"stop at a step with --until {printable(last)}, or " if last else ""
        raise SpecError(
            f"{printable(name)} has {total:,} parameters, {amount(4 * total)}, and a page reads networks of "
            f"at most {MOST_PARAMETERS:,}; {remedy}choose one convolution with --layer."
        )


def check_file(path: Path) -> None:
    """Refuse a file of weights that holds more than `MOST_PARAMETERS`, before it is read.

    Raises
    ------
    SpecError
        If it is larger than so many floats.
    """
    size = addresses.size_of(path) or 0
    if size > 4 * MOST_PARAMETERS:
        raise SpecError(
            f"{quoted(path)} has {amount(size)}, and a page reads weights of at most "
            f"{amount(4 * MOST_PARAMETERS)}; choose one convolution with --layer."
        )


class StoredLayer(NamedTuple):
    """A convolution in the page.

    Parameters
    ----------
    step : NetworkStep
        Its step in the network.
    layer : Conv2d
        The layer.
    arriving : Stored, optional
        Its input; None if that is the picture itself.
    shape : tuple of int
        Shape of its input.
    parameters : dict of Stored
        Weight and bias.
    thumbs : Stored, optional
        Its first maps, small.
    remark : str
        How it differs from the step; empty if it does not.
    """

    step: NetworkStep
    layer: Conv2d
    arriving: Stored | None
    shape: tuple[int, int, int]
    parameters: Mapping[str, Stored]
    thumbs: Stored | None = None
    remark: str = ""

    @property
    def stored(self) -> list[Stored]:
        """All its arrays."""
        found = [self.arriving, self.thumbs, *self.parameters.values()]
        return [one for one in found if one is not None]


@dataclass(slots=True)
class NetworkStore:
    """The convolutions of a network, stored one after the other.

    Parameters
    ----------
    picture : Picture
        The input of the network.
    kinds : (str, str)
        How activations and weights are stored.
    layers : list of StoredLayer
        The convolutions.
    left : list of str
        The convolutions that are not in the page.
    """

    picture: Picture
    kinds: tuple[Kind, Kind]
    store: Store = field(default_factory=Store)
    layers: list[StoredLayer] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def add(
        self,
        step: NetworkStep,
        arriving: Picture,
        layer: Conv2d,
        *,
        weights: LayerWeights,
        thumbs: Floats | None = None,
        remark: str = "",
    ) -> None:
        """Store a convolution with what arrives there."""
        activations, kind = self.kinds
        parameters = {"weight": self.store.add(weights.weight, kind)}
        if weights.bias is not None:
            parameters["bias"] = self.store.add(weights.bias, "f32")
        self.layers.append(
            StoredLayer(
                step,
                layer,
                None if arriving is self.picture else self.store.add(arriving.x, activations),
                arriving.shape,
                parameters,
                None if thumbs is None else self.store.add(thumbs, "u8"),
                remark,
            )
        )

    def fit(self, room: int) -> None:
        """Leave out the largest convolutions until the others fit into so many characters."""
        while self.size > room and self.layers:
            largest = max(self.layers, key=lambda one: sum(map(self.store.size, one.stored)))
            self.layers.remove(largest)
            self.left.append(largest.step.name)

    @property
    def size(self) -> int:
        """Count the characters of everything that is still used."""
        used = {one.digest: one for layer in self.layers for one in layer.stored}
        return sum(map(self.store.size, used.values()))

    @property
    def errors(self) -> tuple[float, float]:
        """The largest errors of a stored activation and of a stored weight, relative to their ranges."""
        read = [one.arriving.error for one in self.layers if one.arriving is not None]
        weights = [one.error for layer in self.layers for one in layer.parameters.values()]
        return max(read, default=0.0), max(weights, default=0.0)

    @property
    def words(self) -> list[str]:
        """Say how the numbers are stored, with the errors of rounding, and what is left out."""
        activations = {one.arriving.kind for one in self.layers if one.arriving is not None}
        weights = {one.parameters["weight"].kind for one in self.layers}
        ranges = ("of the range of the channel", "of the largest weight of the filter")
        found = [
            f"{what} are stored as {' and '.join(_WORDS[kind] for kind in sorted(kinds))}, "
            + (f"with an error of at most {100 * error:.2g}% {of}" if error else "which are exact")
            for what, kinds, error, of in zip(
                ("activations", "weights"), (activations, weights), self.errors, ranges, strict=True
            )
            if kinds
        ]
        if any(self.errors):
            found.append("the page computes from these numbers without further rounding")
        return found + self.missing

    @property
    def brief(self) -> str:
        """State the errors of rounding in one phrase."""
        activations, weights = (f"{100 * error:.2g}%" for error in self.errors)
        if not any(self.errors):
            return "the page stores all numbers exactly"
        return f"numbers are stored with errors: activations {activations}, weights {weights} at most"

    @property
    def missing(self) -> list[str]:
        """Say which convolutions are left out."""
        names = ", ".join(map(printable, self.left))
        return [f"not on this page: {names}; see one of them with --layer NAME"] if names else []


class Told(NamedTuple):
    """What the page says about the network.

    Parameters
    ----------
    name, runner : str
        The name of the network, and the program that ran it.
    prediction : sequence of (str, float)
        Classes with their values, the greatest first.
    code : str
        The Python program that gives this prediction; empty for layers of convviz.
    """

    name: str
    runner: str
    prediction: Sequence[tuple[str, float]] = ()
    code: str = ""


class OwnProgram(NamedTuple):
    """The program of a network of convviz's own layers.

    Parameters
    ----------
    steps : sequence of SizedStep
        The layers.
    origin : str
        The line of Python before the layers.
    parts : dict
        As `convviz.render.words.program.network_lines` returns them.
    classes : sequence of str
        Names of the values of the last layer.
    """

    steps: Sequence[SizedStep] = ()
    origin: str = ""
    parts: Mapping[str, Any] = NO_PROGRAM
    classes: Sequence[str] = ()


NO_LAYERS = OwnProgram()
_AS_IT_IS = InputSettings()
_LOOKS = PageSettings()


def stored_page(
    path: str,
    stored: NetworkStore,
    chain: Sequence[NetworkStep],
    *,
    told: Told,
    program: OwnProgram = NO_LAYERS,
    command: Sequence[str] = (),
    reading: InputSettings = _AS_IT_IS,
    read_as: InputSettings | None = None,
    others: Sequence[str] = (),
    looks: PageSettings = _LOOKS,
) -> str:
    """Write the page of a network from what arrives at its convolutions.

    Parameters
    ----------
    path : str
        The name of the picture.
    stored : NetworkStore
        The convolutions with their numbers; those that do not fit are left out.
    chain : sequence of NetworkStep
        All steps of the network, in order.
    told : Told
        What the page says about the network.
    program : OwnProgram
        The program of a network of convviz's own layers.
    command, reading, read_as, others, looks
        As for `convviz.page.page.network_page`.

    Returns
    -------
    str
        The HTML, of at most 30 million characters.

    Raises
    ------
    SpecError
        If the picture is too large for a page, or no convolution fits.
    """
    picture = stored.picture
    stored.fit(MOST_CHARACTERS - _ASIDE - max(0, 16 * picture.x.size // 3 - _ASIDE // 2))
    if not stored.layers:
        raise SpecError(
            f"no convolution of {printable(told.name)} fits on a page of {MOST_CHARACTERS:,} characters; "
            "bring the picture to fewer pixels with --resize, or choose one with --layer."
            if stored.left
            else f"{printable(told.name)} does not have a Conv2d to explore."
        )
    places: dict[bytes, int] = {}
    layers = [_layer_data(one, places) for one in stored.layers]
    index = {one.step.name: at for at, one in enumerate(stored.layers)}
    more = {
        "single": False,
        "given": False,
        "words": list(command),
        "reading": [*map(shlex.quote, others), *options_of(reading)],
        "layers": layers,
        "classes": list(program.classes),
        "origin": program.origin,
        "program": dict(program.parts),
        "network": {
            "name": printable(told.name).strip("'"),
            "runner": told.runner,
            "brief": stored.brief,
            "words": stored.words,
            "prediction": [[printable(name), value] for name, value in told.prediction],
            "code": told.code,
            "chain": [
                {
                    "name": printable(one.name),
                    "kind": one.kind,
                    "shape": list(known(one.output_shape)),
                    "at": index.get(one.name),
                }
                for one in chain
                if not one.outer
            ],
            "steps": [layer_data(one, {}) for one in program.steps],
        },
    }
    blobs = [stored.store.blobs[digest] for digest in places]
    return written(path, picture, read_as or reading, looks=looks, more=more, chosen={}, blobs=blobs)


def _layer_data(one: StoredLayer, places: dict[bytes, int]) -> dict[str, Any]:
    """Return one convolution as plain values; `places` numbers the stored arrays."""

    def place(stored: Stored) -> dict[str, Any]:
        """Name a stored array."""
        at = places.setdefault(stored.digest, len(places))
        return {"kind": stored.kind, "shape": list(stored.shape), "at": at}

    step, size = one.step, HW(*one.shape[1:])
    made = SizedStep(
        step.name,
        one.layer,
        (INPUT,) if one.arriving is None else step.inputs[:1] or ("",),
        (one.shape,),
        (one.layer.out_channels, *one.layer.output_size(size)),
        0,
        None,
        None,
    )
    return layer_data(made, {}) | {
        "parameters": {name: place(stored) for name, stored in one.parameters.items()},
        "arriving": None if one.arriving is None else place(one.arriving),
        "arrivingShape": list(one.shape),
        "thumbs": None if one.thumbs is None else place(one.thumbs),
        "remark": printable(one.remark),
        "errors": [0 if one.arriving is None else one.arriving.error, one.parameters["weight"].error],
        "reach": None
        if step.height is None or step.width is None
        else [_reach_data(step.height), _reach_data(step.width)],
        "whole": step.whole,
    }


def _reach_data(reach: Reach) -> dict[str, Any]:
    """Return a receptive field along one axis as plain values."""
    return {"firsts": list(reach.firsts), "lasts": list(reach.lasts), "shift": reach.shift}
