"""Several layers in a row, or with branches: read from text or TOML, and measured for an input."""

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from convviz import modules
from convviz.errors import ConvvizError, ShapeError, SourceError, SpecError, UnknownNameError
from convviz.files import shown
from convviz.geometry import HW, Edges
from convviz.layers import PADDING_MODES, Conv2d
from convviz.modules import Shape, shape_text
from convviz.text import printable
from convviz.tomlfile import read_toml

AnyLayer = Any  # a Conv2d or one of convviz.modules


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of layer: how it is called, and which of its arguments the input decides.

    Parameters
    ----------
    layer : type
        The layer.
    words : tuple of str
        What it is called in a stack that is written as text.
    first : str
        The argument that a bare number gives; empty if there is none.
    needed : bool
        Whether that number must be there.
    letters : dict of str
        Letters before a number, and the arguments that those give.
    flags : dict
        Words by themselves, with the arguments that they give.
    inferred : str
        The argument that is the number of channels, or of values, of the input.
    """

    layer: Callable[..., AnyLayer]
    words: tuple[str, ...]
    first: str = ""
    needed: bool = False
    letters: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    inferred: str = ""

    @property
    def name(self) -> str:
        """The name of torch."""
        return str(getattr(self.layer, "__name__", self.layer))


_NO_BIAS: dict[str, tuple[str, Any]] = {"nobias": ("bias", False)}
_CONV_LETTERS = {"k": "kernel_size", "s": "stride", "p": "padding", "d": "dilation", "g": "groups"}
_MODES = {mode: ("padding_mode", mode) for mode in PADDING_MODES}

KINDS = (
    Kind(
        Conv2d,
        ("conv",),
        "out_channels",
        True,
        _CONV_LETTERS,
        _NO_BIAS | _MODES | {"same": ("padding", "same")},
        "in_channels",
    ),
    Kind(
        modules.ConvTranspose2d,
        ("convtranspose", "deconv"),
        "out_channels",
        True,
        _CONV_LETTERS | {"o": "output_padding"},
        _NO_BIAS,
        "in_channels",
    ),
    Kind(
        modules.MaxPool2d,
        ("maxpool",),
        "kernel_size",
        True,
        {"s": "stride", "p": "padding", "d": "dilation"},
        {"ceil": ("ceil_mode", True)},
    ),
    Kind(
        modules.AvgPool2d,
        ("avgpool",),
        "kernel_size",
        True,
        {"s": "stride", "p": "padding"},
        {"ceil": ("ceil_mode", True), "nopad": ("count_include_pad", False)},
    ),
    Kind(modules.AdaptiveAvgPool2d, ("adaptiveavgpool",), "output_size", True),
    Kind(modules.BatchNorm2d, ("batchnorm", "bn"), inferred="num_features"),
    Kind(modules.ReLU, ("relu",)),
    Kind(modules.LeakyReLU, ("leakyrelu",), "negative_slope"),
    Kind(modules.SiLU, ("silu",)),
    Kind(modules.Sigmoid, ("sigmoid",)),
    Kind(modules.Dropout, ("dropout",), "p"),
    Kind(modules.Flatten, ("flatten",)),
    Kind(modules.Linear, ("linear",), "out_features", True, {}, _NO_BIAS, "in_features"),
    Kind(modules.Softmax, ("softmax",)),
    Kind(modules.Add, ("add",)),
)
_BY_WORD = {word: kind for kind in KINDS for word in kind.words}
_BY_NAME = {kind.name: kind for kind in KINDS}

INPUT = "input"

# Values that a transposed convolution makes see alike again after `stride` values; more than so many pairs of
# those with the ones before are not followed.
_LONGEST = 1 << 16

# What stands at the top of a TOML file.
_KEYS = ("layer", "classes", "input")

_NETS = Path(__file__).with_name("nets")


@dataclass(frozen=True, slots=True)
class Step:
    """One layer as it was written, before the input is known.

    Parameters
    ----------
    name : str
        What it is called; no two steps share a name.
    kind : Kind
        What it is.
    arguments : dict
        Those of torch that were written.
    inputs : tuple of str
        The steps that it reads; "input" is the input.
    """

    name: str
    kind: Kind
    arguments: Mapping[str, Any]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """One layer of a net for one input.

    Parameters
    ----------
    name : str
        As in its `Step`.
    layer : Conv2d or a layer of `convviz.modules`
        The layer.
    inputs : tuple of str
        The steps that it reads.
    input_shapes : tuple of tuple of int
        Their shapes.
    output_shape : tuple of int
        Shape of what it gives.
    macs : int
        Multiply-adds.
    height, width : Reach or None
        What one output value sees along each axis; None where it sees the whole input.
    """

    name: str
    layer: AnyLayer
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    macs: int
    height: "Reach | None"
    width: "Reach | None"


@dataclass(frozen=True, slots=True)
class Reach:
    """What output values see of the input along one axis.

    Behind a transposed convolution neighbours see differently much, and so they do again
    after every so many values: value ``period * q + r`` sees the pixels from
    ``firsts[r] + q * shift`` to ``lasts[r] + q * shift``, where the period is ``len(firsts)``.

    Parameters
    ----------
    firsts, lasts : tuple of int
        The first and the last input pixel that each value of one period sees; below
        0 lies padding. A value that sees nothing has its first after its last.
    shift : int
        Input pixels from one period to the next.
    """

    firsts: tuple[int, ...] = (0,)
    lasts: tuple[int, ...] = (0,)
    shift: int = 1

    def at(self, index: int) -> tuple[int, int]:
        """Tell the first and the last pixel that one value sees.

        Examples
        --------
        >>> Reach().through(3, 2, 1, 1).at(5)
        (9, 11)
        """
        turns, phase = divmod(index, len(self.firsts))
        return self.firsts[phase] + turns * self.shift, self.lasts[phase] + turns * self.shift

    @property
    def jump(self) -> Fraction:
        """Input pixels between the fields of neighbouring values, in the mean: the effective stride."""
        return Fraction(self.shift, len(self.firsts))

    @property
    def size(self) -> int:
        """Pixels from the first to the last, of the values that see most: the receptive field."""
        return max(last - first + 1 for first, last in zip(self.firsts, self.lasts, strict=True))

    @property
    def padding(self) -> int:
        """Pixels before the input that value 0 sees: the effective padding."""
        return -self.firsts[0]

    @property
    def centre(self) -> Fraction:
        """Middle of the field of value 0, in pixels; 0 is the middle of the first pixel."""
        return Fraction(self.firsts[0] + self.lasts[0], 2)

    def _union(self, indices: Iterable[int]) -> tuple[int, int]:
        """Tell what some values see together; nothing is one pixel after the last."""
        seen = [self.at(index) for index in indices]
        seen = [(first, last) for first, last in seen if first <= last] or [(0, -1)]
        return min(first for first, _ in seen), max(last for _, last in seen)

    def _ends(self, count: int) -> Iterable[int]:
        """Choose the taps that matter: what lies a whole period further inside sees no further."""
        period = len(self.firsts)
        return sorted({*range(min(count, period)), *range(max(0, count - period), count)})

    def through(self, kernel: int, stride: int, dilation: int, before: int) -> "Reach":
        """See through the windows of one more layer.

        Examples
        --------
        >>> Reach().through(3, 2, 1, 1).through(3, 1, 1, 1)
        Reach(firsts=(-3,), lasts=(3,), shift=2)
        """
        period = len(self.firsts) // math.gcd(len(self.firsts), stride)
        taps = self._ends(kernel)
        ends = [
            self._union(phase * stride - before + tap * dilation for tap in taps) for phase in range(period)
        ]
        firsts, lasts = zip(*ends, strict=True)
        return Reach(firsts, lasts, self.shift * stride * period // len(self.firsts))

    def through_transposed(self, kernel: int, stride: int, dilation: int, padding: int) -> "Reach | None":
        """See through a transposed convolution; None where the period would be longer than `_LONGEST`.

        Output o reads input i where ``o = i * stride - padding + tap * dilation``.

        Examples
        --------
        >>> Reach().through_transposed(3, 2, 1, 1)
        Reach(firsts=(0, 0), lasts=(0, 1), shift=1)
        """
        period = len(self.firsts) * stride
        if period * len(self.firsts) > _LONGEST:
            return None
        # Taps of the same residue are so far apart, and read inputs so far apart.
        step = stride // math.gcd(stride, dilation)
        first_tap = {tap * dilation % stride: tap for tap in range(min(kernel, step))}
        ends = []
        for phase in range(period):
            tap = first_tap.get((phase + padding) % stride)
            if tap is None:
                ends.append((0, -1))
                continue
            taps = (tap + step * turn for turn in self._ends((kernel - 1 - tap) // step + 1))
            ends.append(self._union((phase + padding - one * dilation) // stride for one in taps))
        firsts, lasts = zip(*ends, strict=True)
        return Reach(firsts, lasts, self.shift)

    def joined(self, other: "Reach") -> "Reach | None":
        """See what either sees; None where the two run apart along the axis."""
        if self.jump != other.jump:
            return None
        period = math.lcm(len(self.firsts), len(other.firsts))
        ends = []
        for index in range(period):
            both = [pair for pair in (self.at(index), other.at(index)) if pair[0] <= pair[1]] or [(0, -1)]
            ends.append((min(first for first, _ in both), max(last for _, last in both)))
        firsts, lasts = zip(*ends, strict=True)
        return Reach(firsts, lasts, self.shift * period // len(self.firsts))


@dataclass(frozen=True, slots=True)
class Net:
    """Layers, each of which reads the input or layers before it.

    Parameters
    ----------
    steps : tuple of Step
        In the order in which they are computed.
    name : str
        What the net is called.
    classes : tuple of str
        What the values of the last layer stand for.
    reading : dict of str
        How a picture becomes the input: options of ``convviz run`` with what a user would
        type for them, such as ``{"mode": "gray", "resize": "28x28"}``.
    """

    steps: tuple[Step, ...]
    name: str = ""
    classes: tuple[str, ...] = ()
    reading: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbered(self) -> tuple[str, ...]:
        """Names of the layers that have numbers: weights, biases, statistics."""
        return tuple(step.name for step in self.steps if step.kind.inferred)

    def until(self, name: str) -> "Net":
        """Leave out what comes after a layer, and what that does not depend on.

        Raises
        ------
        UnknownNameError
            If there is no such layer.

        Examples
        --------
        >>> [step.name for step in parse_layers("conv 6 | relu | maxpool 2").until("relu1").steps]
        ['conv1', 'relu1']
        """
        if name not in {step.name for step in self.steps}:
            raise UnknownNameError("layer", name, [step.name for step in self.steps])
        wanted = {name}
        kept = []
        for step in reversed(self.steps):
            if step.name in wanted:
                wanted.update(step.inputs)
                kept.append(step)
        last = kept[0].name == self.steps[-1].name
        return replace(self, steps=tuple(reversed(kept)), classes=self.classes if last else ())

    def place(self, shape: Shape) -> list[Placed]:
        """Build every layer for an input.

        Parameters
        ----------
        shape : tuple of int
            Channels, height and width of the input.

        Returns
        -------
        list of Placed
            One per step.

        Raises
        ------
        SpecError, ShapeError
            If a layer does not fit what it reads; the message names it.

        Examples
        --------
        >>> net = parse_layers("conv 6 k5 | relu | maxpool 2")
        >>> [placed.output_shape for placed in net.place((1, 32, 32))]
        [(6, 28, 28), (6, 28, 28), (6, 14, 14)]
        """
        shapes: dict[str, Shape] = {INPUT: shape}
        reaches: dict[str, tuple[Reach | None, Reach | None]] = {INPUT: (Reach(), Reach())}
        found = []
        for step in self.steps:
            inputs = tuple(shapes[name] for name in step.inputs)
            try:
                layer, output, macs = built(step, inputs)
            except ConvvizError as error:
                kind = ShapeError if isinstance(error, ShapeError) else SpecError
                raise kind(f"layer {step.name!r}: {error}") from None
            seen = [reaches[name] for name in step.inputs]
            height, width = (_reach(layer, [pair[axis] for pair in seen], inputs[0], axis) for axis in (0, 1))
            shapes[step.name], reaches[step.name] = output, (height, width)
            found.append(Placed(step.name, layer, step.inputs, inputs, output, macs, height, width))
        return found


def kind_of(name: str) -> Kind:
    """Find a kind of layer by the name of torch."""
    return _BY_NAME[name]


def built(step: Step, inputs: Sequence[Shape]) -> tuple[AnyLayer, Shape, int]:
    """Build the layer of one step for the shapes of what it reads.

    Returns
    -------
    layer : Conv2d or a layer of `convviz.modules`
        The layer.
    output : tuple of int
        Shape of what it gives.
    macs : int
        Multiply-adds.

    Raises
    ------
    SpecError, ShapeError
        If it does not fit.
    """
    layer = _layer(step, inputs[0])
    return layer, *_measured(layer, inputs)


def alone(layer: Conv2d, size: HW) -> Placed:
    """Place one convolution by itself.

    Examples
    --------
    >>> alone(Conv2d(3, 6, 3), HW(8, 8)).output_shape
    (6, 6, 6)
    """
    shape = (layer.in_channels, *size)
    output, macs = _measured(layer, [shape])
    height, width = (_reach(layer, [Reach()], shape, axis) for axis in (0, 1))
    return Placed("map", layer, (INPUT,), (shape,), output, macs, height, width)


def _layer(step: Step, shape: Shape) -> AnyLayer:
    """Build one layer, with what its input decides."""
    _check_arguments(step)
    arguments = dict(step.arguments)
    if step.kind.inferred:
        known = arguments.setdefault(step.kind.inferred, shape[0])
        if known != shape[0]:
            raise ShapeError(f"{step.kind.inferred} is {known}, but its input is {shape_text(shape)}.")
    return step.kind.layer(**arguments)


_NUMBER = r"-?([0-9]+\.?|[0-9]*\.[0-9]+)(e-?[0-9]{1,2})?"
_FLAGS = ("bias", "ceil_mode", "count_include_pad", "affine")
_NUMBERS = ("negative_slope", "eps", "p")
_COUNTS = ("in_channels", "out_channels", "groups", "num_features", "in_features", "out_features", "dim")


def _check_arguments(step: Step) -> None:
    """Refuse arguments that a layer does not have, that are missing, or of another type."""
    known = inspect.signature(step.kind.layer).parameters
    for name, value in step.arguments.items():
        if name not in known:
            raise SpecError(f"{step.kind.name}: {UnknownNameError('argument', name, known)}")
        if name in _FLAGS:
            wanted, fits = "true or false", isinstance(value, bool)
        elif name in _NUMBERS:
            wanted, fits = "a number", _is_number(value) and math.isfinite(value)
        elif name in _COUNTS:
            wanted, fits = "a whole number", isinstance(value, int) and not isinstance(value, bool)
        else:
            continue  # pairs and words are checked by the layer
        if not fits:
            raise SpecError(f"{step.kind.name}: {name} must be {wanted}, not {value!r}.")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in (*step.arguments, step.kind.inferred):
            raise SpecError(f"{step.kind.name} needs {name}; say what it is.")


def _is_number(value: Any) -> bool:
    """Tell a number from all else; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _measured(layer: AnyLayer, inputs: Sequence[Shape]) -> tuple[Shape, int]:
    """Tell what a layer gives, and what that costs."""
    if not isinstance(layer, modules.Add) and len(inputs) > 1:
        raise ShapeError(f"it reads one input, not {len(inputs)}.")
    if not isinstance(layer, Conv2d):
        return layer.output_shape(*inputs), layer.macs(inputs[0])
    (shape,) = inputs
    if len(shape) != 3:
        raise ShapeError(f"it reads planes, not a row of {shape_text(shape)} values; put it before Flatten.")
    if shape[0] != layer.in_channels:
        raise ShapeError(f"it reads {layer.in_channels} planes, not {shape_text(shape)}.")
    size = HW(*shape[1:])
    return (layer.out_channels, *layer.output_size(size)), layer.macs(size)


def _reach(layer: AnyLayer, seen: Sequence[Reach | None], shape: Shape, axis: int) -> Reach | None:
    """Tell what a value sees along one axis through one more layer."""
    before = seen[0]
    if before is None or isinstance(layer, modules.Flatten | modules.Linear):
        return None
    for other in seen[1:]:
        before = before.joined(other) if before is not None and other is not None else None
    name = "hw"[axis]
    if before is None or (isinstance(layer, modules.Softmax) and layer.axis(shape) != 0):
        return None
    if isinstance(layer, modules.AdaptiveAvgPool2d):
        windows = getattr(layer.output_size, name)
        step = shape[1 + axis] // windows
        return before.through(step, step, 1, 0) if step * windows == shape[1 + axis] and step > 0 else None
    if isinstance(layer, Conv2d):
        edges: Edges = layer.edges(HW(*shape[1:]))
        return before.through(
            getattr(layer.kernel_size, name),
            getattr(layer.stride, name),
            getattr(layer.dilation, name),
            (edges.top, edges.left)[axis],
        )
    if isinstance(layer, modules.ConvTranspose2d | modules.MaxPool2d | modules.AvgPool2d):
        through = before.through_transposed if isinstance(layer, modules.ConvTranspose2d) else before.through
        return through(
            *(getattr(getattr(layer, of), name) for of in ("kernel_size", "stride", "dilation", "padding"))
        )
    return before


def parse_layers(text: str) -> Net:
    """Read a stack that is written as text.

    Parameters
    ----------
    text : str
        Layers with bars between them, such as ``conv 10 k3 | relu | maxpool 2``:
        a word, the number that matters most, then letters with numbers (k kernel, s
        stride, p padding, d dilation, g groups, o output padding; ``k3x5`` is 3 high
        and 5 wide) and words (``nobias``, ``same``, ``ceil``, a padding mode).

    Returns
    -------
    Net
        The layers, called by word and number: conv1, relu1, conv2.

    Raises
    ------
    SourceError
        If something is no layer or no argument; it knows the place.

    Examples
    --------
    >>> [step.name for step in parse_layers("conv 10 | relu | conv 10 k3").steps]
    ['conv1', 'relu1', 'conv2']
    """
    steps: list[Step] = []
    counts: dict[str, int] = {}
    at = 0
    for part in text.split("|"):
        words = [(at + found.start(), found.group()) for found in re.finditer(r"\S+", part)]
        if not words:
            raise SourceError("layers: a layer is missing here", text, at + len(part) // 2)
        kind, arguments = _read_step(words, text)
        word = kind.words[0]
        counts[word] = counts.get(word, 0) + 1
        before = steps[-1].name if steps else INPUT
        steps.append(Step(f"{word}{counts[word]}", kind, arguments, (before,)))
        at += len(part) + 1
    return Net(tuple(steps))


def _read_step(words: Sequence[tuple[int, str]], text: str) -> tuple[Kind, dict[str, Any]]:
    """Read one layer from its words, which know their places."""
    (place, word), *rest = words
    kind = _BY_WORD.get(word.lower())
    if kind is None or kind.layer is modules.Add:
        error = UnknownNameError("layer", word, [known for known in _BY_WORD if known != "add"])
        raise SourceError(f"layers: {error}", text, place)
    arguments: dict[str, Any] = {}
    for index, (at, item) in enumerate(rest):
        name, value = _read_argument(kind, item, text, at, first=index == 0)
        if name in arguments:
            raise SourceError(f"layers: {name} is given twice", text, at)
        arguments[name] = value
    if kind.layer is Conv2d:
        arguments.setdefault("kernel_size", 3)
    if kind.needed and kind.first not in arguments:
        raise SourceError(f"layers: {word} needs a number, its {kind.first}", text, place + len(word))
    return kind, arguments


def _read_argument(kind: Kind, item: str, text: str, at: int, *, first: bool) -> tuple[str, Any]:
    """Read one argument."""
    if item.lower() in kind.flags:
        return kind.flags[item.lower()]
    if found := re.fullmatch(r"([a-z]?)(-?[0-9]{1,9})(?:x([0-9]{1,9}))?", item, re.ASCII | re.IGNORECASE):
        letter, h, w = found[1].lower(), int(found[2]), found[3]
        name = kind.letters.get(letter, "") if letter else kind.first if first else ""
        if name and (w is None or name not in (*_COUNTS, *_NUMBERS)):
            return name, (h, int(w)) if w is not None else h
    if first and kind.first in _NUMBERS and re.fullmatch(_NUMBER, item, re.ASCII):
        return kind.first, float(item)
    known = [f"{letter} for {name}" for letter, name in kind.letters.items()] + list(kind.flags)
    allowed = f"; it takes {', '.join(known)}" if known else ""
    number = f" a number first, its {kind.first}," if kind.first and first else ""
    raise SourceError(f"layers: {kind.words[0]} takes{number or ' no'} {item!r} here{allowed}", text, at)


def read_net(path: str | Path) -> Net:
    """Read a net from a TOML file.

    Parameters
    ----------
    path : str or Path
        A file with one ``[[layer]]`` per layer: ``type`` is the name of torch, ``name`` what
        it is called, ``from`` one or more layers that it reads (the one before by
        default; "input" is the input), and all else the arguments of torch. Before them may
        stand ``classes``, what the last values stand for, and ``[input]``, options of
        ``convviz run`` that say how a picture is read, such as ``resize = "28x28"``.

    Returns
    -------
    Net
        The layers.

    Raises
    ------
    InputError
        If the file cannot be read, or is no TOML with numbers of the usual size.
    SpecError
        If a layer cannot be; the message names it.
    """
    path = Path(path)
    return net_of(read_toml(path), shown(path), name=printable(path.stem))


def net_of(document: Mapping[str, Any], where: str, *, name: str = "") -> Net:
    """Make a net of what a TOML file holds."""
    for key in document:
        if key not in _KEYS:
            raise SpecError(f"{where}: {UnknownNameError('key', key, _KEYS)}")
    tables = document.get("layer")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise SpecError(f"{where}: there is no [[layer]].")
    steps: list[Step] = []
    known = {INPUT}
    for index, table in enumerate(tables):
        arguments = dict(table)
        kind_name = arguments.pop("type", None)
        if not isinstance(kind_name, str):
            raise SpecError(f'{where}: layer {index} has no type, such as type = "Conv2d".')
        kind = _BY_NAME.get(kind_name) or _BY_WORD.get(kind_name.lower())
        if kind is None:
            raise SpecError(f"{where}: layer {index}: {UnknownNameError('layer', kind_name, _BY_NAME)}")
        step_name = arguments.pop("name", f"{kind.words[0]}{index}")
        inputs = arguments.pop("from", [steps[-1].name if steps else INPUT])
        if not isinstance(step_name, str) or not step_name or step_name in known:
            raise SpecError(f"{where}: layer {index}: the name {step_name!r} is taken, or none.")
        # Results are stored by these names, in archives whose members they become.
        if not step_name.isprintable() or {"..", "", "__metadata__"} & set(step_name.split("/")):
            raise SpecError(f"{where}: layer {index}: the name {step_name!r} cannot be that of a file.")
        if inputs == []:
            raise SpecError(f"{where}: layer {step_name!r} reads nothing; say what, such as from = 'input'.")
        for other in inputs if isinstance(inputs, list) else [inputs]:
            if not isinstance(other, str) or other not in known:
                raise SpecError(
                    f"{where}: layer {step_name!r} reads {other!r}, which does not come before it."
                )
        arguments = {
            key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()
        }
        chosen = tuple(inputs) if isinstance(inputs, list) else (inputs,)
        steps.append(Step(step_name, kind, arguments, chosen))
        known.add(step_name)
    return Net(tuple(steps), name, _classes(document, where), _reading(document, where))


def _classes(document: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Take what the last values stand for."""
    names = document.get("classes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SpecError(f'{where}: classes is a list of names, such as ["cat", "dog"].')
    return tuple(names)


def _reading(document: Mapping[str, Any], where: str) -> dict[str, str]:
    """Take how the input is read."""
    table = document.get("input", {})
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise SpecError(f'{where}: [input] has options as text, such as resize = "28x28".')
    return table


def named_nets() -> tuple[str, ...]:
    """Names of the nets that ship with convviz, as shapes alone.

    Examples
    --------
    >>> named_nets()
    ('alexnet', 'lenet5', 'resnet18', 'vgg16')
    """
    return tuple(sorted(path.stem for path in _NETS.glob("*.toml")))


def find_net(text: str) -> Net:
    """Find a net by its name, or read it from a .toml file.

    Raises
    ------
    UnknownNameError
        If there is no net of that name.
    InputError, SpecError
        As for `read_net`.

    Examples
    --------
    >>> len(find_net("lenet5").steps)
    12
    """
    if text.lower().endswith(".toml"):
        return read_net(Path(text))
    if text not in named_nets():
        raise UnknownNameError("net", text, [*named_nets(), "FILE.toml"])
    return read_net(_NETS / f"{text}.toml")
