"""Find the layers of two networks that can be compared: by their names, then by their order."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal

from convviz.compute.networks.engine import Engine, NetworkStep
from convviz.spec.layers import Shape

How = Literal["name", "order", "folded"]

# Kinds of layers under one name: those of torch and ours, those of ONNX, and those of its integers.
_KINDS = {
    "gemm": "linear",
    "matmul": "linear",
    "batchnormalization": "batchnorm",
    "averagepool": "avgpool",
    "adaptiveavgpool": "globalaveragepool",
    "reducemean": "globalaveragepool",
    "convinteger": "conv",
}
# Operations that only move values: what one exporter does with two of them, another does with three.
_MOVES = ("reshape", "transpose", "slice", "split", "gather", "squeeze", "unsqueeze", "expand", "identity")
_CONVERSIONS = ("quantizelinear", "dequantizelinear")
# What an exporter folds into the layer before it, and what a quantizer does besides.
_NORMALIZATIONS, _ACTIVATIONS = ("batchnorm",), ("relu", "relu6", "clip")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers that are compared.

    Parameters
    ----------
    first, second : NetworkStep
        The step of A, and that of B.
    how : {"name", "order", "folded"}
        What they were matched by. A convolution into which an exporter or a quantizer folded the layer after
        it makes the output of that layer.
    """

    first: NetworkStep
    second: NetworkStep
    how: How = "name"


@dataclass(frozen=True, slots=True)
class Matching:
    """The layers of two networks that can be compared, and those without a partner.

    Parameters
    ----------
    pairs : sequence of Pair
        In the order in which A computes them.
    first_only, second_only : sequence of NetworkStep
        The layers that only A, and only B, has.
    order : sequence of str
        The names of all layers of A, in the order in which their outputs exist.
    """

    pairs: Sequence[Pair]
    first_only: Sequence[NetworkStep]
    second_only: Sequence[NetworkStep]
    order: Sequence[str] = field(default=())

    def split(self, first: str, second: str) -> bool:
        """Return whether A or B computes its layer in several steps, the last of which has its name."""
        sides = (
            (first, [*(pair.first.name for pair in self.pairs), *(step.name for step in self.first_only)]),
            (second, [*(pair.second.name for pair in self.pairs), *(step.name for step in self.second_only)]),
        )
        return any(one.startswith(f"{_path(name)}.") for name, steps in sides for one in steps)


def match(first: Engine, second: Engine, shape: Shape) -> Matching:
    """Match the layers of two networks for an input of `shape`.

    Layers of one name are a pair. What is left over is matched in the order of computation, where kind and
    output shape agree; modules that only contain others are matched by their names alone.
    """
    one, other = _Side.of(first, shape), _Side.of(second, shape)
    pairs = _by_name(one, other)
    taken = {pair.second.name for pair in pairs.values()}
    for a, b in _by_order(one, other, pairs):
        if a.name not in pairs and b.name not in taken:
            pair = _paired(a, b, one, other=other, how="order")
            pairs.setdefault(pair.first.name, pair)
    taken |= {pair.second.name for pair in pairs.values()}
    last, end = one.steps[-1], other.steps[-1]
    if last.name not in pairs and last.output_shape == end.output_shape:
        pairs[last.name] = Pair(last, end, "order")
        taken.add(end.name)
    return Matching(
        [pairs[step.name] for step in one.steps if step.name in pairs],
        [step for step in one.steps if step.name not in pairs and not step.outer],
        [step for step in other.steps if step.name not in taken and not step.outer],
        [step.name for step in one.steps],
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """The steps of one network, in the order in which their outputs exist."""

    steps: Sequence[NetworkStep]
    known: Mapping[str, NetworkStep]
    joint: Mapping[str, str]

    @classmethod
    def of(cls, engine: Engine, shape: Shape) -> "_Side":
        """List the steps that make arrays."""
        steps = [step for step in _as_completed(engine.steps(shape)) if step.output_shape]
        return cls(steps, {step.name: step for step in steps}, engine.joint)

    def find(self, name: str) -> NetworkStep | None:
        """Find a step by its name, by that of the older exporter, or by the module whose output it makes."""
        for one in _spellings(name):
            found = self.known.get(one) or self.known.get(self.joint.get(one, ""))
            if found is not None:
                return found
        return None

    def after(self, step: NetworkStep, other: "_Side", partner: NetworkStep) -> NetworkStep:
        """Find the last of the layers after `step` that `other` folded into the partner of `step`."""
        quantized = partner.kind.startswith("QLinear")
        kinds = (*_NORMALIZATIONS, *_ACTIVATIONS) if quantized else _NORMALIZATIONS
        if not quantized and not partner.folded:
            return step
        for one in self.steps:
            read = one.inputs == (step.name,) and not one.outer and _kind(one) in kinds
            found = other.find(one.name) if read else None
            if read and (found in (None, partner) or _kind(found or step) in _CONVERSIONS):
                return self.after(one, other, partner)
        return step


def _as_completed(steps: Sequence[NetworkStep]) -> Iterator[NetworkStep]:
    """Order steps by the time at which their outputs exist: modules come after what they contain."""
    open_: list[NetworkStep] = []
    for step in steps:
        while open_ and not _inside(step, open_[-1], whole=steps[0]):
            yield open_.pop()
        if step.outer:
            open_.append(step)
        else:
            yield step
    yield from reversed(open_)


def _inside(step: NetworkStep, outer: NetworkStep, *, whole: NetworkStep) -> bool:
    """Return whether a step is a part of a module, or another array that it makes."""
    path, module = (_path(one.name) for one in (step, outer))
    return outer is whole or path == module or path.startswith(f"{module}.")


def _path(name: str) -> str:
    """Return the path of a module, without the number of the call and the key of the array."""
    return name.partition("[")[0].partition(":")[0]


def _within(name: str) -> Iterator[str]:
    """List the path of a step, and those of the modules around it.

    Examples
    --------
    >>> list(_within("block.conv:2"))
    ['block.conv', 'block']
    """
    path = _path(name)
    while path:
        yield path
        path = path.rpartition(".")[0]


def _spellings(name: str) -> Iterator[str]:
    """Write the name of a later call as the exporters of torch do.

    Examples
    --------
    >>> list(_spellings("block.relu:2")), list(_spellings("block.relu_1"))
    (['block.relu:2', 'block.relu_1'], ['block.relu_1', 'block.relu:2'])
    """
    yield name
    if found := re.fullmatch(r"(.+):([0-9]{1,6})", name):
        yield f"{found[1]}_{int(found[2]) - 1}"
    elif found := re.fullmatch(r"(.+)_([0-9]{1,6})", name):
        yield f"{found[1]}:{int(found[2]) + 1}"


def _kind(step: NetworkStep) -> str:
    """Return the kind of a layer under the name that all engines share.

    Examples
    --------
    >>> [_kind(NetworkStep("", kind, (), None)) for kind in ("BatchNorm2d", "QLinearConv", "Gemm", "Conv2d")]
    ['batchnorm', 'conv', 'linear', 'conv']
    """
    kind = re.sub(r"[123]d$", "", step.kind).lower().removeprefix("qlinear")
    return _KINDS.get(kind, kind)


def _is_label(step: NetworkStep) -> bool:
    """Return whether an exporter made up the name, of the kind and a number, which others do not."""
    return re.sub(r"(_|:)[0-9]+$", "", step.name.rpartition(".")[2]) == step.kind


def _by_name(one: _Side, other: _Side) -> dict[str, Pair]:
    """Match the layers that have one name, or the name of one module; return pairs by the names of A."""
    modules: dict[str, list[str]] = {}
    for module, name in one.joint.items():
        modules.setdefault(name, []).append(module)
    found: dict[str, Pair] = {}
    folded: dict[str, Pair] = {}
    for a in one.steps:
        names = [*([] if _is_label(a) else [a.name]), *modules.get(a.name, ())]
        b = next((step for name in names if (step := other.find(name)) is not None), None)
        if _kind(a) == "conv" and (b is None or _kind(b) != "conv"):
            # A quantizer writes a new operation, beside what is left of the module.
            b = next(
                (step for step in other.steps if _path(step.name) == a.name and _kind(step) == "conv"), None
            )
        if b is not None and a.name not in _spellings(b.name) and one.joint and other.joint:
            # Of two files, one may have lost layers at the end of a module to a quantizer.
            b = b if _kind(a) == _kind(b) else None
        if b is None:
            continue
        pair = _paired(a, b, one, other=other, how="name")
        (found if pair.first is a else folded)[pair.first.name] = pair
    return found | folded


def _paired(a: NetworkStep, b: NetworkStep, one: _Side, *, other: _Side, how: How) -> Pair:
    """Pair two steps, or what one of them makes with the layers after it that are folded into it."""
    first, second = one.after(a, other, b), other.after(b, one, a)
    if first is not a:
        return Pair(first, b, "folded")
    return Pair(a, second, how if second is b else "folded")


def _by_order(
    one: _Side, other: _Side, pairs: Mapping[str, Pair]
) -> Iterator[tuple[NetworkStep, NetworkStep]]:
    """Match what has no name in common, between the layers that have."""
    names = {pair.second.name: name for name, pair in pairs.items()}
    steps = (step for pair in pairs.values() for step in (pair.first, pair.second))
    paths = {_path(step.name) for step in steps if not step.outer}
    firsts, seconds = (
        [
            step
            for step in side.steps
            if not step.outer
            and _kind(step) not in _MOVES
            # More of a layer that is matched, such as the bias that a quantizer adds by itself.
            and (step.name in known or paths.isdisjoint(_within(step.name)))
        ]
        for side, known in ((one, pairs), (other, names))
    )
    keys_a = [(step.name,) if step.name in pairs else (_kind(step), step.output_shape) for step in firsts]
    keys_b = [
        (names[step.name],) if step.name in names else (_kind(step), step.output_shape) for step in seconds
    ]
    for block in SequenceMatcher(None, keys_a, keys_b, autojunk=False).get_matching_blocks():
        for at in range(block.size):
            yield firsts[block.a + at], seconds[block.b + at]
