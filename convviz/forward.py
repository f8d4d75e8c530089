"""What the layers beside Conv2d compute, by their definitions, on one image without a batch."""

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convviz import backends, memory, modules, pipeline
from convviz.arrays import finite
from convviz.checkpoints import Checkpoint
from convviz.errors import InputError, ShapeError, SpecError
from convviz.geometry import HW, Edges, transposed_axis
from convviz.layers import Conv2d
from convviz.net import Net, Placed
from convviz.text import plural, printable
from convviz.weights import FilterBank, uniform

Floats = NDArray[np.float32]
# The numbers of one layer, by the names of torch: weight, bias, running_mean, running_var.
Numbers = Mapping[str, Floats]


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: modules.IntPair = 1,
    padding: modules.IntPair = 0,
    output_padding: modules.IntPair = 0,
    groups: int = 1,
    dilation: modules.IntPair = 1,
    backend: str = "numpy",
) -> Floats:
    """Do what ``torch.nn.functional.conv_transpose2d`` does.

    Parameters
    ----------
    x : array_like, shape (C, H, W) or (N, C, H, W), float32
        The input, or N of them.
    weight : array_like, shape (C, O / groups, kh, kw), float32
        The filters.
    bias : array_like, shape (O,), float32, optional
        Added to every map.
    stride, padding, output_padding, groups, dilation
        As for `convviz.modules.ConvTranspose2d`.
    backend : {"numpy", "torch", "auto"}
        What computes.

    Returns
    -------
    ndarray, shape (O, H', W') or (N, O, H', W'), float32
        The maps.

    Raises
    ------
    SpecError, ShapeError
        If the arguments do not fit each other.

    Examples
    --------
    >>> conv_transpose2d([[[1, 2]]], [[[[1, 1]]]], stride=2)
    array([[[1., 1., 2., 2.]]], dtype=float32)
    """
    x, weight = np.asarray(x, np.float32), np.asarray(weight, np.float32)
    if x.ndim not in (3, 4):
        raise ShapeError(f"an input is (C, H, W) or (N, C, H, W), not {x.shape}.")
    if weight.ndim != 4 or 0 in weight.shape:
        raise ShapeError(f"a weight is (C, O/groups, kh, kw), not {weight.shape}.")
    layer = modules.ConvTranspose2d(
        weight.shape[0],
        weight.shape[1] * groups,
        HW(*weight.shape[2:]),
        stride,
        padding,
        output_padding,
        groups,
        bias is not None,
        dilation,
    )
    numbers = {"weight": weight} | ({} if bias is None else {"bias": np.asarray(bias, np.float32)})
    if x.ndim == 3:
        return _transposed(layer, x, numbers, backend)
    return np.stack([_transposed(layer, one, numbers, backend) for one in x])


def _transposed(layer: modules.ConvTranspose2d, x: Floats, numbers: Numbers, backend: str) -> Floats:
    """Convolve the input, with zeros between its pixels, by the turned kernels: Dumoulin and Visin (2016)."""
    layer.output_shape(x.shape)
    channels, h, w = x.shape
    axes = [
        transposed_axis(length, k, stride=s, padding=p, output_padding=o, dilation=d)
        for length, k, s, p, o, d in zip(
            (h, w),
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.output_padding,
            layer.dilation,
            strict=True,
        )
    ]
    rows, columns = ((max(axis.before, 0), max(axis.after, 0)) for axis in axes)
    size = 4 * channels * (axes[0].input + sum(rows)) * (axes[1].input + sum(columns))
    memory.need(size, "the stretched planes", "make the stride smaller")
    stretched = np.zeros((channels, axes[0].input, axes[1].input), np.float32)
    stretched[:, :: layer.stride.h, :: layer.stride.w] = x
    padded = pipeline.pad(stretched, Edges(*rows, *columns))
    # A border below 0 leaves out pixels.
    cut = [slice(-min(axis.before, 0), min(axis.after, 0) or None) for axis in axes]
    padded = np.ascontiguousarray(padded[:, cut[0], cut[1]])
    planes, filters, kh, kw = layer.weight_shape
    grouped = numbers["weight"].reshape(layer.groups, planes // layer.groups, filters, kh, kw)
    turned = np.ascontiguousarray(grouped.swapaxes(1, 2)[..., ::-1, ::-1])
    bare = Conv2d(
        planes, layer.out_channels, layer.kernel_size, 1, 0, layer.dilation, layer.groups, layer.bias
    )
    bank = FilterBank.of(bare, turned.reshape(bare.weight_shape), numbers.get("bias"))
    chosen = backends.choose(backend, macs=bare.macs(HW(*padded.shape[1:])))
    return pipeline.apply(bare, padded, bank, backend=chosen)


def _pooled(layer: Any, x: Floats, fill: float) -> tuple[NDArray[Any], tuple[int, int]]:
    """Lay the windows of a pooling layer out, (C, H', W', kh, kw); what lies outside holds `fill`."""
    _, h, w = layer.output_shape(x.shape)
    reach = [d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    spans = [(count - 1) * s + r for count, s, r in zip((h, w), layer.stride, reach, strict=True)]
    edge = layer.padding
    # With ceil_mode a window may go beyond the padding too.
    padded = np.full(
        (x.shape[0], max(spans[0], x.shape[1] + 2 * edge.h), max(spans[1], x.shape[2] + 2 * edge.w)),
        fill,
        np.float32,
    )
    padded[:, edge.h : edge.h + x.shape[1], edge.w : edge.w + x.shape[2]] = x
    windows = sliding_window_view(padded, reach, axis=(1, 2))
    windows = windows[:, :: layer.stride.h, :: layer.stride.w][:, :h, :w]
    return windows[..., :: layer.dilation.h, :: layer.dilation.w], (h, w)


def _max_pool(layer: modules.MaxPool2d, x: Floats) -> Floats:
    """Take the greatest value of every window; padding is less than all."""
    windows, _ = _pooled(layer, x, -math.inf)
    greatest: Floats = windows.max(axis=(3, 4))
    return greatest


def _avg_pool(layer: modules.AvgPool2d, x: Floats) -> Floats:
    """Take the mean of every window: over the padding too, or without it, but never over what lies beyond."""
    windows, (h, w) = _pooled(layer, x, 0.0)
    total = windows.sum(axis=(3, 4), dtype=np.float32)
    counts = []
    for count, n, k, s, p in zip(
        (h, w), x.shape[1:], layer.kernel_size, layer.stride, layer.padding, strict=True
    ):
        edge = p if layer.count_include_pad else 0
        counts.append([min(i * s - p + k, n + edge) - max(i * s - p, -edge) for i in range(count)])
    return np.asarray(total / np.multiply.outer(*map(np.array, counts)), np.float32)


def _adaptive_avg_pool(layer: modules.AdaptiveAvgPool2d, x: Floats) -> Floats:
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


def _batch_norm(layer: modules.BatchNorm2d, x: Floats, numbers: Numbers) -> Floats:
    """Shift and scale every plane by its stored numbers."""
    scale = 1 / np.sqrt(numbers["running_var"].astype(np.float64) + layer.eps)
    if layer.affine:
        scale = scale * numbers["weight"]
    shift = -numbers["running_mean"] * scale + (numbers["bias"] if layer.affine else 0)
    return np.asarray(x * scale[:, None, None] + shift[:, None, None], np.float32)


def _sigmoid(x: Floats) -> Floats:
    """Compute 1 / (1 + exp(-x)) without an overflow on either side."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def _softmax(layer: modules.Softmax, x: Floats) -> Floats:
    """Divide exponentials by their sum; the greatest is taken off first, which changes nothing."""
    axis = layer.axis(x.shape)
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True), np.float32)


def _linear(layer: modules.Linear, x: Floats, numbers: Numbers) -> Floats:
    """Sum up weighted inputs."""
    layer.output_shape(x.shape)
    found: Floats = numbers["weight"] @ x
    return found + numbers["bias"] if layer.bias else found


# One row per layer: what it makes of its inputs and its numbers.
_COMPUTE: dict[type, Callable[..., Floats]] = {
    modules.MaxPool2d: lambda layer, x, numbers: _max_pool(layer, x),
    modules.AvgPool2d: lambda layer, x, numbers: _avg_pool(layer, x),
    modules.AdaptiveAvgPool2d: lambda layer, x, numbers: _adaptive_avg_pool(layer, x),
    modules.BatchNorm2d: _batch_norm,
    modules.ReLU: lambda layer, x, numbers: np.maximum(x, 0),
    modules.LeakyReLU: lambda layer, x, numbers: np.where(x >= 0, x, np.float32(layer.negative_slope) * x),
    modules.Dropout: lambda layer, x, numbers: x,
    modules.SiLU: lambda layer, x, numbers: x * _sigmoid(x),
    modules.Sigmoid: lambda layer, x, numbers: _sigmoid(x),
    modules.Softmax: lambda layer, x, numbers: _softmax(layer, x),
    modules.Flatten: lambda layer, x, numbers: x.ravel(),
    modules.Linear: _linear,
}


def compute(layer: Any, inputs: Sequence[Floats], numbers: Numbers) -> Floats:
    """Compute one layer with numpy.

    Parameters
    ----------
    layer : Conv2d or a layer of `convviz.modules`
        The layer.
    inputs : sequence of ndarray, float32
        What it reads: one array, or several for `Add`.
    numbers : dict of ndarray
        Its numbers, by the names of torch.

    Returns
    -------
    ndarray, float32
        Of the shape that the layer tells.

    Examples
    --------
    >>> compute(modules.ReLU(), [np.array([-1, 2], np.float32)], {})
    array([0., 2.], dtype=float32)
    """
    x = inputs[0]
    if isinstance(layer, modules.Add):
        layer.output_shape(*(one.shape for one in inputs))
        return np.asarray(sum(inputs[1:], x), np.float32)
    if isinstance(layer, Conv2d):
        bank = FilterBank.of(layer, numbers["weight"], numbers.get("bias"))
        return pipeline.apply(layer, x, bank, backend="numpy")
    if isinstance(layer, modules.ConvTranspose2d):
        return _transposed(layer, x, numbers, "numpy")
    return _COMPUTE[type(layer)](layer, x, numbers)


def needed(layer: Any) -> dict[str, tuple[int, ...]]:
    """Tell the shapes of the numbers that a layer has, by the names of torch.

    Examples
    --------
    >>> needed(modules.Linear(400, 120))
    {'weight': (120, 400), 'bias': (120,)}
    """
    if isinstance(layer, modules.BatchNorm2d):
        names = ("weight", "bias", "running_mean", "running_var")
        return dict.fromkeys(names if layer.affine else names[2:], (layer.num_features,))
    if isinstance(layer, modules.Linear):
        shape: tuple[int, ...] = (layer.out_features, layer.in_features)
        outputs = layer.out_features
    elif isinstance(layer, Conv2d | modules.ConvTranspose2d):
        shape, outputs = layer.weight_shape, layer.out_channels
    else:
        return {}
    return {"weight": shape} | ({"bias": (outputs,)} if layer.bias else {})


def seeded(placed: Sequence[Placed], seed: int = 0) -> dict[str, dict[str, Floats]]:
    """Draw the numbers of a net that torch would, without importing torch.

    Parameters
    ----------
    placed : sequence of Placed
        The layers.
    seed : int
        From 0 to 2**64 - 1.

    Returns
    -------
    dict of dict of ndarray
        By the name of the layer and of the number: bit for bit the state of
        ``torch.manual_seed(seed)`` and the layers made in this order.

    Notes
    -----
    Convolutions and linear layers draw weight and bias from U(-b, b) with
    ``b = 1 / sqrt(fan_in)``; torch takes the fan-in of a transposed convolution from the
    axes of its weight, (C, O / groups, kh, kw). Batch normalisation begins as the
    identity.
    """
    words = np.random.RandomState(seed & 0xFFFFFFFF)
    found: dict[str, dict[str, Floats]] = {}
    for one in placed:
        layer = one.layer
        shapes = needed(layer)
        numbers: dict[str, Floats] = {}
        if isinstance(layer, modules.BatchNorm2d):
            begins = {"weight": np.ones, "bias": np.zeros, "running_mean": np.zeros, "running_var": np.ones}
            numbers = {name: begins[name](shape, np.float32) for name, shape in shapes.items()}
        elif shapes:
            shape = shapes["weight"]
            count, fan_in = math.prod(shape), math.prod(shape[1:])
            memory.need(
                24 * count, f"the {plural(count, 'weight')} of layer {one.name!r}", "take a smaller net"
            )
            # The gain of a leaky ReLU of slope sqrt(5), as `Conv2d.reset_parameters` asks.
            gain = math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))
            numbers["weight"] = uniform(words, count, math.sqrt(3.0) * (gain / math.sqrt(fan_in))).reshape(
                shape
            )
            if "bias" in shapes:
                numbers["bias"] = uniform(words, math.prod(shapes["bias"]), 1 / math.sqrt(fan_in))
        found[one.name] = numbers
    return found


def stored(
    placed: Sequence[Placed], checkpoint: Checkpoint, *, names: Sequence[str] | None = None
) -> tuple[dict[str, dict[str, Floats]], tuple[str, ...]]:
    """Take the numbers of a net from a file of trained weights.

    Parameters
    ----------
    placed : sequence of Placed
        The layers.
    checkpoint : Checkpoint
        The file. Its arrays are called ``LAYER.weight`` and so on, perhaps with the same before
        all, such as ``module.`` or ``model._orig_mod.``; or, if no layer has a name of the
        file, they are taken in order.
    names : sequence of str, optional
        Layers with numbers in the whole net, where `placed` is but its beginning.

    Returns
    -------
    numbers : dict of dict of ndarray
        As for `run_net`.
    remarks : tuple of str
        What was done beyond taking each by its name.

    Raises
    ------
    InputError
        If an array is missing, has another shape, or is not finite.
    """
    held: dict[str, dict[str, NDArray[Any]]] = {}
    for key, values in checkpoint.arrays.items():
        prefix, _, last = key.rpartition(".")
        held.setdefault(prefix, {})[last] = values
    wanting = [one for one in placed if needed(one.layer)]
    remarks: list[str] = []
    names = [one.name for one in wanting] if names is None else names
    if prefix := _prefix(names, held, checkpoint.name):
        held = {
            key.removeprefix(prefix) if key.startswith(prefix) else key: arrays
            for key, arrays in held.items()
        }
    if not any(name in held for name in names):
        rows = [prefix for prefix, arrays in held.items() if "weight" in arrays or "running_mean" in arrays]
        if len(rows) != len(names):
            own = "; ONNX is a net by itself, --net FILE.onnx" if checkpoint.graph is not None else ""
            raise InputError(
                f"{checkpoint.name} has no array called {names[0]}.weight, and holds "
                f"{plural(len(rows), 'layer')} with weights where the net has {len(names)}: "
                f"{', '.join(map(printable, rows[:6]))}{' …' if len(rows) > 6 else ''}{own}."
                if names
                else f"the net has no weights that {checkpoint.name} could give."
            )
        pairs = ", ".join(f"{name} = {row}" for name, row in zip(names, rows, strict=True))
        remarks.append(
            f"no name of the net is in {checkpoint.name}, so its layers are taken in order: {pairs}"
        )
        held = {name: held[row] for name, row in zip(names, rows, strict=True)}
    found: dict[str, dict[str, Floats]] = {}
    for one in wanting:
        numbers: dict[str, Floats] = {}
        for key, shape in needed(one.layer).items():
            what = f"{checkpoint.name}: {one.name}.{key}"
            if key not in held.get(one.name, {}):
                reason = checkpoint.left_out.get(f"{prefix}{one.name}.{key}", "")
                raise InputError(f"{what}, of {one.layer}, is not there{': ' * bool(reason)}{reason}.")
            values = held[one.name][key]
            if values.shape != shape:
                hint = _remedy(one, values.shape) if key == "weight" else ""
                raise InputError(f"{what} has the shape {values.shape}, but {one.layer} needs {shape}{hint}.")
            numbers[key] = finite(values, what)
        if extra := {"weight", "bias"} & held[one.name].keys() - numbers.keys():
            raise InputError(
                f"{checkpoint.name}: {one.name}.{extra.pop()} is there, but {one.layer} has none."
            )
        found[one.name] = numbers
    left = [prefix for prefix in held if prefix not in found and prefix not in names]
    if left:
        some = ", ".join(map(printable, left[:6])) + (" …" if len(left) > 6 else "")
        remarks.append(f"of {checkpoint.name} these are in no layer of the net: {some}")
    return found, tuple(remarks)


def _prefix(names: Sequence[str], held: Mapping[str, Any], where: str) -> str:
    """Find what stands before the names of a net in a file, such as ``module.``; nothing if nothing does."""
    if not names or any(name in held for name in names):
        return ""
    behind = {key.removesuffix(names[0]) for key in held if key.endswith(f".{names[0]}")}
    found = [prefix for prefix in sorted(behind) if all(f"{prefix}{name}" in held for name in names)]
    if len(found) > 1:
        raise InputError(
            f"{where} holds the layers of the net {len(found)} times, behind "
            f"{', '.join(printable(repr(prefix)) for prefix in found[:6])}; store one of them alone."
        )
    if found:
        return found[0]
    # Where not every name is there, what all names of the file have before them.
    columns = zip(*(key.split(".") for key in held if key), strict=False)
    shared = itertools.takewhile(lambda column: len(set(column)) == 1, columns)
    prefix = "".join(f"{column[0]}." for column in shared)
    return prefix if any(f"{prefix}{name}" in held for name in names) else ""


def _remedy(one: Placed, stored: tuple[int, ...]) -> str:
    """Say how the input could be what the weight of a layer is for; nothing if it could not."""
    layer = one.layer
    if isinstance(layer, Conv2d) and one.inputs == ("input",) and stored[2:] == layer.weight_shape[2:]:
        planes = stored[1] * layer.groups
        mode = {1: " (--mode gray)", 3: " (--mode rgb)"}.get(planes, "")
        return f"; the net reads {plural(planes, 'plane')}, and the input has {layer.in_channels}{mode}"
    if isinstance(layer, modules.Linear) and len(stored) == 2 and stored[0] == layer.out_features:
        return (
            f"; the net was made for inputs that come to {stored[1]} values there, and this one to "
            f"{layer.in_features}: another size is needed (--resize, --crop)"
        )
    return ""


def _check_finite(name: str, values: Floats) -> None:
    """Refuse what float32 could not hold."""
    if not np.isfinite(values).all():
        raise SpecError(f"layer {name!r} overflows float32; scale the input or the weights.")


def run_net(
    net: Net,
    x: Any,
    numbers: Mapping[str, Numbers] | Checkpoint | None = None,
    *,
    seed: int = 0,
    backend: str = "numpy",
    device: str = "cpu",
) -> dict[str, Floats]:
    """Compute a net on one image.

    Parameters
    ----------
    net : Net
        The layers.
    x : array_like, shape (C, H, W), float32
        The input.
    numbers : dict of dict of ndarray, or Checkpoint, optional
        The numbers of every layer by torch's names, such as ``{"conv1": {"weight": ...,
        "bias": ...}}``, or a file of them as `read_checkpoint` gives it; those of
        `seeded` by default.
    seed : int
        Seed of those.
    backend : {"numpy", "torch", "auto"}
        What computes.
    device : {"cpu", "cuda", "mps"}
        Where torch computes.

    Returns
    -------
    dict of ndarray, float32
        What every layer makes, by its name, in order.

    Raises
    ------
    SpecError, ShapeError
        If a layer does not fit what it reads.
    InputError
        If the file does not hold what the net needs.

    Warns
    -----
    UserWarning
        If not every array of the file was taken by its name.

    Examples
    --------
    >>> from convviz.net import parse_layers
    >>> found = run_net(parse_layers("conv 2 k3 | relu | flatten"), np.zeros((1, 5, 5)))
    >>> {name: array.shape for name, array in found.items()}
    {'conv1': (2, 3, 3), 'relu1': (2, 3, 3), 'flatten1': (18,)}
    """
    image = np.asarray(x, np.float32)
    placed = net.place(image.shape)
    outputs = sum(4 * math.prod(one.output_shape) for one in placed)
    memory.need(outputs, f"the outputs of {plural(len(placed), 'layer')}", "make the input smaller")
    known: Mapping[str, Numbers]
    if isinstance(numbers, Checkpoint):
        known, remarks = stored(placed, numbers)
        for remark in remarks:
            warnings.warn(remark, stacklevel=2)
    else:
        known = seeded(placed, seed) if numbers is None else numbers
    chosen = backends.choose(backend, macs=sum(one.macs for one in placed), device=device)
    if chosen == "torch":
        made_by_torch: dict[str, Floats] = backends.load_torch_net().run(placed, image, known, device=device)
        for name, values in made_by_torch.items():
            _check_finite(name, values)
        return made_by_torch
    made: dict[str, Floats] = {"input": image}
    for one in placed:
        inputs = [made[name] for name in one.inputs]
        with np.errstate(over="ignore", invalid="ignore"):
            made[one.name] = compute(one.layer, inputs, known.get(one.name, {}))
        _check_finite(one.name, made[one.name])
    del made["input"]
    return made
