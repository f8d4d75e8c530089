"""Compute the layers other than Conv2d by their definitions, on one image without a batch."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convviz.compute import backends, conv
from convviz.compute.conv import transposed
from convviz.compute.networks.engine import (
    Activation,
    Convolution,
    Declared,
    Engine,
    Linear,
    NetworkStep,
    ScoreGradients,
    See,
    check_dependent,
    no_convolution,
    row_of_scores,
)
from convviz.compute.networks.filling import seeded
from convviz.compute.weights import LayerWeights, Parameters, as_floats
from convviz.errors import UnknownNameError
from convviz.machine import memory
from convviz.spec import layers
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d, Shape
from convviz.spec.network import INPUT, Network, SizedStep
from convviz.text import plural
from convviz.typing import Floats


def _pooled(layer: Any, x: Floats, fill: float) -> tuple[NDArray[Any], tuple[int, int]]:
    """Lay out the windows of a pooling layer, (C, H', W', kh, kw); places outside the input hold `fill`."""
    _, h, w = layer.output_shape(x.shape)
    reach = [d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    spans = [(count - 1) * s + r for count, s, r in zip((h, w), layer.stride, reach, strict=True)]
    edge = layer.padding
    # With ceil_mode a window may reach beyond the padding too.
    padded = np.full(
        (x.shape[0], max(spans[0], x.shape[1] + 2 * edge.h), max(spans[1], x.shape[2] + 2 * edge.w)),
        fill,
        np.float32,
    )
    padded[:, edge.h : edge.h + x.shape[1], edge.w : edge.w + x.shape[2]] = x
    windows = sliding_window_view(padded, reach, axis=(1, 2))
    windows = windows[:, :: layer.stride.h, :: layer.stride.w][:, :h, :w]
    return windows[..., :: layer.dilation.h, :: layer.dilation.w], (h, w)


def _max_pool(layer: layers.MaxPool2d, x: Floats) -> Floats:
    """Take the greatest value of every window; padding is less than any value."""
    windows, _ = _pooled(layer, x, -math.inf)
    greatest: Floats = windows.max(axis=(3, 4))
    return greatest


def _avg_pool(layer: layers.AvgPool2d, x: Floats) -> Floats:
    """Take the mean of every window, with or without its padding, but never beyond the padding."""
    windows, _ = _pooled(layer, x, 0.0)
    total = windows.sum(axis=(3, 4), dtype=np.float32)
    return np.asarray(total / divisors(layer, HW(*x.shape[1:])), np.float32)


def divisors(layer: layers.AvgPool2d, size: HW) -> NDArray[Any]:
    """Return the divisor of every window's mean, shape (H', W'), for an input of `size` pixels."""
    counts = []
    for count, n, k, s, p in zip(
        layer.output_shape((1, *size))[1:], size, layer.kernel_size, layer.stride, layer.padding, strict=True
    ):
        edge = p if layer.count_include_pad else 0
        counts.append([min(i * s - p + k, n + edge) - max(i * s - p, -edge) for i in range(count)])
    return np.asarray(np.multiply.outer(*map(np.array, counts)))


def _adaptive_avg_pool(layer: layers.AdaptiveAvgPool2d, x: Floats) -> Floats:
    """Take means over parts that begin at floor(i * n / windows) and end at ceil((i + 1) * n / windows)."""
    for axis, count in ((1, layer.output_size.h), (2, layer.output_size.w)):
        n = x.shape[axis]
        parts = [
            x.take(range(i * n // count, -(-(i + 1) * n // count)), axis=axis).mean(
                axis=axis, dtype=np.float32
            )
            for i in range(count)
        ]
        x = np.stack(parts, axis=axis)
    return x


def _batch_norm(layer: layers.BatchNorm2d, x: Floats, parameters: Parameters) -> Floats:
    """Shift and scale every channel by its stored statistics and weights."""
    scale = 1 / np.sqrt(parameters["running_var"].astype(np.float64) + layer.eps)
    if layer.affine:
        scale = scale * parameters["weight"]
    shift = -parameters["running_mean"] * scale + (parameters["bias"] if layer.affine else 0)
    return np.asarray(x * scale[:, None, None] + shift[:, None, None], np.float32)


def _sigmoid(x: Floats) -> Floats:
    """Compute 1 / (1 + exp(-x)) without overflow for large positive or negative values."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def _softmax(layer: layers.Softmax, x: Floats) -> Floats:
    """Divide exponentials by their sum; the greatest value is subtracted first, which changes nothing."""
    axis = layer.axis(x.shape)
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True), np.float32)


def _linear(layer: layers.Linear, x: Floats, parameters: Parameters) -> Floats:
    """Compute the weighted sums of the inputs."""
    layer.output_shape(x.shape)
    found: Floats = parameters["weight"] @ x
    return found + parameters["bias"] if layer.bias else found


def _conv(layer: layers.Conv2d, x: Floats, parameters: Parameters) -> Floats:
    """Convolve as for a single layer."""
    weights = LayerWeights.of(layer, parameters["weight"], parameters.get("bias"))
    return conv.apply(layer, x, weights, backend="numpy")


def _gelu(layer: layers.GELU, x: Floats) -> Floats:
    """Multiply each value by the share of a normal distribution below it: Hendrycks and Gimpel (2016)."""
    if layer.approximate == "tanh":
        bent = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        return np.asarray(0.5 * x * (1 + bent), np.float32)
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return np.asarray(x * (0.5 + 0.5 * erf(x.astype(np.float64) / math.sqrt(2))), np.float32)


def _concat(layer: layers.Concat, xs: Sequence[Floats]) -> Floats:
    """Concatenate channels, cropped to one size if the layer crops."""
    _, h, w = layer.output_shape(*(x.shape for x in xs))
    parts = []
    for x in xs:
        top, left = layer.corner(x.shape, HW(h, w))
        parts.append(x[:, top : top + h, left : left + w])
    return np.concatenate(parts)


def _upsample(layer: layers.Upsample, x: Floats) -> Floats:
    """Repeat pixels, or interpolate the two nearest on each axis; the edge pixel continues outside."""
    for axis, factor in ((1, layer.scale_factor.h), (2, layer.scale_factor.w)):
        if layer.mode == "nearest":
            x = x.repeat(factor, axis=axis)
            continue
        n = x.shape[axis]
        at = np.maximum((np.arange(n * factor) + 0.5) / factor - 0.5, 0)
        first = at.astype(int)
        second = np.minimum(first + 1, n - 1)
        share = (at - first).astype(np.float32).reshape(-1, *[1] * (2 - axis))
        x = x.take(first, axis=axis) * (1 - share) + x.take(second, axis=axis) * share
    return x


# One row per kind of layer: the function of its inputs and its parameters.
ROWS: dict[type[layers.Layer], Callable[..., Floats]] = {
    layers.Conv2d: lambda layer, xs, parameters: _conv(layer, xs[0], parameters),
    layers.ConvTranspose2d: lambda layer, xs, parameters: transposed(layer, xs[0], parameters),
    layers.MaxPool2d: lambda layer, xs, parameters: _max_pool(layer, xs[0]),
    layers.AvgPool2d: lambda layer, xs, parameters: _avg_pool(layer, xs[0]),
    layers.AdaptiveAvgPool2d: lambda layer, xs, parameters: _adaptive_avg_pool(layer, xs[0]),
    layers.BatchNorm2d: lambda layer, xs, parameters: _batch_norm(layer, xs[0], parameters),
    layers.ReLU: lambda layer, xs, parameters: np.maximum(xs[0], 0),
    layers.ReLU6: lambda layer, xs, parameters: np.clip(xs[0], 0, 6),
    layers.LeakyReLU: lambda layer, xs, parameters: np.where(
        xs[0] >= 0, xs[0], np.float32(layer.negative_slope) * xs[0]
    ),
    layers.SiLU: lambda layer, xs, parameters: xs[0] * _sigmoid(xs[0]),
    layers.GELU: lambda layer, xs, parameters: _gelu(layer, xs[0]),
    layers.Hardswish: lambda layer, xs, parameters: xs[0] * np.clip(xs[0] + 3, 0, 6) / 6,
    layers.Sigmoid: lambda layer, xs, parameters: _sigmoid(xs[0]),
    layers.Tanh: lambda layer, xs, parameters: np.tanh(xs[0]),
    layers.Dropout: lambda layer, xs, parameters: xs[0],
    layers.Flatten: lambda layer, xs, parameters: xs[0].ravel(),
    layers.Linear: lambda layer, xs, parameters: _linear(layer, xs[0], parameters),
    layers.Softmax: lambda layer, xs, parameters: _softmax(layer, xs[0]),
    layers.Upsample: lambda layer, xs, parameters: _upsample(layer, xs[0]),
    layers.Add: lambda layer, xs, parameters: sum(xs[1:], xs[0]),
    layers.Concat: lambda layer, xs, parameters: _concat(layer, xs),
}


def compute(layer: layers.Layer, inputs: Sequence[Floats], parameters: Parameters) -> Floats:
    """Compute one layer with numpy.

    Parameters
    ----------
    layer : Layer
        The layer.
    inputs : sequence of ndarray, float32
        Its inputs: one array, or several for a layer that joins arrays.
    parameters : dict of ndarray
        Its parameters, by torch's names.

    Returns
    -------
    ndarray, float32
        The output, with the shape that the layer states.

    Examples
    --------
    >>> compute(layers.ReLU(), [np.array([-1, 2], np.float32)], {})
    array([0., 2.], dtype=float32)
    """
    layer.output_shape(*(x.shape for x in inputs))
    return np.asarray(ROWS[type(layer)](layer, inputs, parameters), np.float32)


def run_net(
    network: Network,
    x: Any,
    parameters: Mapping[str, Parameters] | None = None,
    *,
    seed: int = 0,
    backend: str = "numpy",
    device: str = "cpu",
) -> dict[str, Floats]:
    """Compute a network on one image.

    Parameters
    ----------
    network : Network
        The layers.
    x : array_like, shape (C, H, W), float32
        The input.
    parameters : dict of dict of ndarray, optional
        The weights of every layer by torch's names, such as ``{"conv1": {"weight": ...,
        "bias": ...}}``; those of `seeded` by default.
    seed : int
        Seed of the default weights.
    backend : {"numpy", "torch", "auto"}
        The program that computes.
    device : {"cpu", "cuda", "mps"}
        The device on which torch computes.

    Returns
    -------
    dict of ndarray, float32
        The output of every layer, by its name, in order.

    Raises
    ------
    SpecError, ShapeError
        If a layer does not fit its input.

    Examples
    --------
    >>> from convviz.spec.stacks import parse_layers
    >>> found = run_net(parse_layers("conv 2 k3 | relu | flatten"), np.zeros((1, 5, 5)))
    >>> {name: array.shape for name, array in found.items()}
    {'conv1': (2, 3, 3), 'relu1': (2, 3, 3), 'flatten1': (18,)}
    """
    image = as_floats("x", x)
    steps = network.sized(image.shape)
    outputs = sum(4 * math.prod(one.output_shape) for one in steps)
    memory.need(outputs, f"the outputs of {plural(len(steps), 'layer')}", "make the input smaller")
    known = seeded(steps, seed) if parameters is None else parameters
    chosen = backends.choose(backend, macs=sum(one.macs for one in steps), device=device)
    if chosen == "torch":
        made_by_torch: dict[str, Floats] = backends.load_torch_networks().run(
            steps, image, known, device=device
        )
        return made_by_torch
    return {one.name: values for one, values, _ in _each(steps, image, known)}


def _each(
    steps: Sequence[SizedStep], image: Floats, parameters: Mapping[str, Parameters]
) -> Iterator[tuple[SizedStep, Floats, list[Floats]]]:
    """Compute layers one after the other; yield each with its output and its inputs."""
    made: dict[str, Floats] = {INPUT: image}
    last = {name: at for at, one in enumerate(steps) for name in one.inputs}
    for at, one in enumerate(steps):
        inputs = [made[name] for name in one.inputs]
        with np.errstate(over="ignore", invalid="ignore"):
            made[one.name] = compute(one.layer, inputs, parameters.get(one.name, {}))
        yield one, made[one.name], inputs
        for name in (*one.inputs, one.name):
            if last.get(name, at) <= at:
                made.pop(name, None)


class StackEngine(Engine):
    """A network of our own layers, computed by numpy.

    Parameters
    ----------
    network : Network
        The layers.
    shape : tuple of int
        Channels, height and width of an input; the channels determine the shapes of the weights.
    parameters : dict of dict of ndarray, optional
        Weights of every layer, as `run_net` takes them; those of `seeded` by default.
    seed : int
        Seed of the default weights.

    Examples
    --------
    >>> from convviz.spec.stacks import parse_layers
    >>> engine = StackEngine(parse_layers("conv 2 k3 | relu"), (1, 5, 5))
    >>> [(step.name, step.output_shape) for step in engine.steps((1, 5, 5))]
    [('conv1', (2, 3, 3)), ('relu1', (2, 3, 3))]
    """

    runner = "numpy"

    def __init__(
        self,
        network: Network,
        shape: Shape,
        parameters: Mapping[str, Parameters] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self._net = network
        self._placed = {one.name: one for one in network.sized(shape)}
        self._channels = shape[0]
        self._numbers = seeded(list(self._placed.values()), seed) if parameters is None else parameters

    @property
    def name(self) -> str:
        """The name of the network."""
        return self._net.name or "the network"

    @property
    def declared(self) -> Declared:
        """The number of channels for which the network has weights."""
        return Declared(self._channels)

    def steps(self, shape: Shape) -> tuple[NetworkStep, ...]:
        """List the layers."""
        return tuple(
            NetworkStep(
                one.name,
                type(one.layer).__name__,
                one.input_shapes,
                one.output_shape,
                one.layer.parameters,
                one.macs,
                _convolution(one.layer),
                inputs=one.inputs,
                height=one.height,
                width=one.width,
                whole=one.whole,
                layout="chw" if len(one.output_shape) == 3 else "",
                layer=repr(one.layer),
            )
            for one in self._net.sized(shape)
        )

    def visit(
        self, x: Floats, names: Sequence[str], see: See, *, reads: bool = False, kept: bool = False
    ) -> None:
        """Compute up to the last wanted layer; an output is freed when no later layer reads it."""
        for name in names:
            self._find(name)
        steps = self._net.sized(x.shape)
        wanted = set(names)
        while steps and steps[-1].name not in wanted:
            del steps[-1]
        sizes = [4 * math.prod(one.output_shape) for one in steps]
        memory_of_all = sum(sizes) if kept else max(sizes, default=0)
        memory.need(memory_of_all, f"the outputs of {plural(len(steps), 'layer')}", "make the input smaller")
        for one, values, inputs in _each(steps, np.asarray(x, np.float32), self._numbers):
            if one.name in wanted:
                read = inputs[0].copy() if reads and len(inputs) == 1 else None
                see(Activation(one.name, values.copy(), read))

    def convolves(self, name: str) -> bool:
        """Return whether a layer is a convolution."""
        return bool(_convolution(self._find(name).layer))

    def gradient(self, x: Floats, name: str, at: HW) -> Floats:
        """Compute with torch how strongly every input value changes a layer's output at one position."""
        self._find(name)
        computing = backends.load_torch_networks()
        found: Floats = computing.gradient(self._net.sized(x.shape), x, self._numbers, name=name, at=at)
        return found

    def score_gradients(
        self, x: Floats, names: Sequence[str], choose: Callable[[Floats], int]
    ) -> ScoreGradients:
        """Let torch differentiate one output value of the last layer."""
        for name in names:
            self._find(name)

        def chosen(scores: Floats) -> int:
            return choose(row_of_scores(scores, self.name))

        steps = self._net.sized(x.shape)
        computing = backends.load_torch_networks()
        found = ScoreGradients(
            *computing.score_gradients(steps, x, self._numbers, names=names, choose=chosen)
        )
        check_dependent(names, found.gradients, self.name)
        return found

    def linear(self, name: str) -> Linear | None:
        """Return the numbers of a linear layer."""
        if not isinstance(self._find(name).layer, layers.Linear):
            return None
        numbers = self._numbers[name]
        return Linear(numbers["weight"], numbers.get("bias"))

    def conv(self, name: str) -> Convolution:
        """Describe a layer that is a convolution."""
        layer = self._find(name).layer
        if not isinstance(layer, Conv2d | layers.ConvTranspose2d):
            raise no_convolution(f"layer: {name!r}", type(layer).__name__)
        parameters = self._numbers[name]
        return Convolution(name, layer, parameters["weight"], parameters.get("bias"))

    def pooling(self, name: str) -> layers.MaxPool2d | layers.AvgPool2d | None:
        """Return a layer that is a pooling of windows."""
        layer = self._find(name).layer
        return layer if isinstance(layer, layers.MaxPool2d | layers.AvgPool2d) else None

    def _find(self, name: str) -> SizedStep:
        """Find a layer by its name."""
        if name not in self._placed:
            raise UnknownNameError("layer", name, self._placed)
        return self._placed[name]


def _convolution(layer: layers.Layer) -> str:
    """Return the kind of convolution of a layer; empty for other layers."""
    return type(layer).__name__ if isinstance(layer, Conv2d | layers.ConvTranspose2d) else ""
