"""Convolve arrays: padding, backend and bias, nothing else."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from convviz.compute import backends, conv
from convviz.compute.weights import LayerWeights, Parameters, as_floats, map_names
from convviz.errors import ShapeError
from convviz.machine import memory, parallel
from convviz.spec import layers
from convviz.spec.geometry import HW, Edges, source_of, span, transposed_axis
from convviz.spec.layers import Conv2d, PaddingLike
from convviz.text import plural
from convviz.typing import Floats

if TYPE_CHECKING:
    from convviz.images.picture import Picture


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: layers.IntPair = 1,
    padding: layers.IntPair = 0,
    output_padding: layers.IntPair = 0,
    groups: int = 1,
    dilation: layers.IntPair = 1,
    backend: str = "numpy",
) -> Floats:
    """Convolve as ``torch.nn.functional.conv_transpose2d`` does.

    Parameters
    ----------
    x : array_like, shape (C, H, W) or (N, C, H, W), float32
        The input, or N inputs.
    weight : array_like, shape (C, O / groups, kh, kw), float32
        The filters.
    bias : array_like, shape (O,), float32, optional
        The bias; each value is added to its map.
    stride, padding, output_padding, groups, dilation
        As for `convviz.spec.layers.ConvTranspose2d`.
    backend : {"numpy", "torch", "auto"}
        The backend that computes.

    Returns
    -------
    ndarray, shape (O, H', W') or (N, O, H', W'), float32
        The maps.

    Raises
    ------
    SpecError, ShapeError
        If the arguments do not fit together.

    Examples
    --------
    >>> conv_transpose2d([[[1, 2]]], [[[[1, 1]]]], stride=2)
    array([[[1., 1., 2., 2.]]], dtype=float32)
    """
    x, weight = as_floats("x", x), as_floats("weight", weight)
    if x.ndim not in (3, 4):
        raise ShapeError(f"an input is (C, H, W) or (N, C, H, W), not {x.shape}.")
    if weight.ndim != 4 or 0 in weight.shape:
        raise ShapeError(f"a weight is (C, O/groups, kh, kw), not {weight.shape}.")
    layer = layers.ConvTranspose2d(
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
    parameters = {"weight": weight} | ({} if bias is None else {"bias": as_floats("bias", bias)})
    if x.ndim == 3:
        return transposed(layer, x, parameters, backend=backend)
    return np.stack([transposed(layer, one, parameters, backend=backend) for one in x])


def transposed(
    layer: "layers.ConvTranspose2d", x: Floats, parameters: Parameters, *, backend: str = "numpy"
) -> Floats:
    """Convolve the input, with zeros between pixels, with rotated kernels: Dumoulin and Visin (2016)."""
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
    memory.need(size, "the stretched channels", "make the stride smaller")
    stretched = np.zeros((channels, axes[0].input, axes[1].input), np.float32)
    stretched[:, :: layer.stride.h, :: layer.stride.w] = x
    padded = conv.pad(stretched, Edges(*rows, *columns))
    # Negative padding crops pixels.
    cut = [slice(-min(axis.before, 0), min(axis.after, 0) or None) for axis in axes]
    padded = np.ascontiguousarray(padded[:, cut[0], cut[1]])
    depth, filters, kh, kw = layer.weight_shape
    grouped = parameters["weight"].reshape(layer.groups, depth // layer.groups, filters, kh, kw)
    turned = np.ascontiguousarray(grouped.swapaxes(1, 2)[..., ::-1, ::-1])
    bare = Conv2d(
        depth, layer.out_channels, layer.kernel_size, 1, 0, layer.dilation, layer.groups, layer.bias
    )
    weights = LayerWeights.of(bare, turned.reshape(bare.weight_shape), parameters.get("bias"))
    chosen = backends.choose(backend, macs=bare.macs(padded.shape))
    return conv.apply(bare, padded, weights, backend=chosen)


_NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}

SMALLER = "ask for fewer or smaller maps: less padding, a larger stride"
# A second thread pays off from this number of values.
_VALUES_TO_SHARE = 1 << 19


def pad(x: Floats, edges: Edges, padding_mode: str = "zeros") -> Floats:
    """Add padding around the last two axes.

    Parameters
    ----------
    x : ndarray, shape (..., H, W), float32
        The input.
    edges : Edges
        The widths of the padding, in pixels.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        The rule for the values of the padding.

    Returns
    -------
    ndarray, shape (..., H + top + bottom, W + left + right), float32
        The padded array; `x` itself if there is no padding.

    Examples
    --------
    >>> pad(np.array([[1, 2, 3]], np.float32), Edges(0, 0, 1, 2), "circular")
    array([[3., 1., 2., 3., 1., 2.]], dtype=float32)
    """
    if not any(edges):
        return x
    *others, h, w = x.shape
    size = math.prod(others) * (h + sum(edges.height)) * (w + sum(edges.width)) * x.itemsize
    memory.need(size, "the padded channels", "make the padding smaller")
    widths = [(0, 0)] * (x.ndim - 2) + [edges.height, edges.width]
    return cast("Floats", np.pad(x, widths, mode=cast("Any", _NUMPY_MODES[padding_mode])))


def apply(layer: Conv2d, x: Floats, weights: LayerWeights, *, backend: str, device: str = "cpu") -> Floats:
    """Compute the feature maps of one layer with a given backend.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    x : ndarray, shape (C, H, W), float32
        The input.
    weights : LayerWeights
        The weights of `layer`.
    backend : str
        A name of `convviz.compute.backends`; not "auto".
    device : str
        The device that computes.

    Returns
    -------
    ndarray, shape (O, H', W'), float32
        The feature maps, with the bias added.
    """
    size = HW(*x.shape[1:])
    h, w = layer.output_size(size)
    memory.need(4 * layer.out_channels * h * w, f"{plural(layer.out_channels, 'map')} of {h}x{w}", SMALLER)
    padded = pad(x, layer.edges(size), layer.padding_mode)
    return convolved(layer, padded, weights, backend=backend, device=device)


def convolved(layer: Conv2d, padded: Floats, weights: LayerWeights, *, backend: str, device: str) -> Floats:
    """Cross-correlate a padded input, and add the bias."""
    # A step longer than the input leaves one window or one value, as a step of the input's length does. The
    # step is limited because a user may give a number that overflows machine integers.
    stride, dilation = (
        HW(*(min(step, length) for step, length in zip(steps, padded.shape[1:], strict=True)))
        for steps in (layer.stride, layer.dilation)
    )
    maps: Floats = backends.load(backend)(
        padded,
        weights.weight,
        stride=stride,
        dilation=dilation,
        groups=layer.groups,
        device=device,
    )
    bias = weights.bias
    if bias is None:
        return maps

    def work(mine: Iterator[int]) -> None:
        # As in torch, a value too large for float32 becomes infinite silently; FeatureMaps refuses it.
        with np.errstate(over="ignore", invalid="ignore"):
            for index in mine:
                maps[index] += bias[index]

    if maps.size >= _VALUES_TO_SHARE:
        parallel.share(range(len(maps)), work)
    else:
        work(iter(range(len(maps))))
    return maps


def padded_rows(layer: Conv2d, picture: "Picture", *, top: int, bottom: int) -> Floats:
    """Read the rows of a padded picture that the output rows from `top` to `bottom` see."""
    edges, h = layer.edges(picture.size), picture.size.h
    first = top * layer.stride.h - edges.top
    last = (bottom - 1) * layer.stride.h + span(layer.kernel_size.h, dilation=layer.dilation.h) - edges.top

    def line(row: int) -> Floats:
        source = source_of(row, h, layer.padding_mode)
        if source is None:
            return np.zeros((picture.shape[0], 1, picture.size.w), np.float32)
        return picture.rows(source, source + 1)

    rows = [line(row) for row in range(first, min(last, 0))]
    if max(first, 0) < min(last, h):
        rows.append(picture.rows(max(first, 0), min(last, h)))
    rows += [line(row) for row in range(max(first, h), last)]
    x = rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)
    return pad(x, Edges(0, 0, edges.left, edges.right), layer.padding_mode)


def partial_maps(
    layer: Conv2d, x: Floats, weights: LayerWeights, *, backend: str = "numpy", device: str = "cpu"
) -> Floats:
    """Compute the map of every 2-D kernel on its channel, before the sum over channels and the bias.

    Returns
    -------
    ndarray, shape (O, I / groups, H', W'), float32
        Partial maps; their sum over channels plus the bias is the feature maps.
    """
    filters, depth, kh, kw = layer.weight_shape
    per_group = filters // layer.groups
    # One group per input channel, with every filter that reads it: then no two channels are added.
    apart = Conv2d(
        layer.in_channels,
        layer.in_channels * per_group,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        groups=layer.in_channels,
        bias=False,
        padding_mode=layer.padding_mode,
    )
    by_group = weights.weight.reshape(layer.groups, per_group, depth, kh, kw)
    weight = np.ascontiguousarray(by_group.swapaxes(1, 2)).reshape(apart.weight_shape)
    parts = apply(
        apart, x, LayerWeights(weight, None, map_names(apart.out_channels)), backend=backend, device=device
    )
    h, w = parts.shape[1:]
    return parts.reshape(layer.groups, depth, per_group, h, w).swapaxes(1, 2).reshape(filters, depth, h, w)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: PaddingLike = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    backend: str = "numpy",
) -> Floats:
    """Convolve as ``torch.nn.functional.conv2d`` does, with any padding.

    Parameters
    ----------
    x : array_like, shape (C, H, W) or (N, C, H, W), float32
        The input, or N inputs.
    weight : array_like, shape (O, C / groups, kh, kw), float32
        The filters.
    bias : array_like, shape (O,), float32, optional
        The bias; each value is added to its map.
    stride, dilation : int or (int, int)
        Pixels between neighbouring windows; pixels between neighbouring kernel values.
    padding : int, (int, int), ((int, int), (int, int)), "same", "same-lower" or "valid"
        Pixels on all sides; for (height, width); or ``((top, bottom), (left, right))``.
    groups : int
        The number of groups into which channels and filters are split.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        The rule for the values of the padding.
    backend : {"numpy", "torch", "auto"}
        The backend that computes.

    Returns
    -------
    ndarray, shape (O, H', W') or (N, O, H', W'), float32
        The feature maps.

    Raises
    ------
    SpecError, ShapeError
        If the arguments do not fit together.

    Examples
    --------
    >>> conv2d([[[1, 2], [3, 4]]], [[[[1, 1]]]], padding="same")
    array([[[3., 2.],
            [7., 4.]]], dtype=float32)
    """
    x, weight = as_floats("x", x), as_floats("weight", weight)
    if x.ndim not in (3, 4):
        raise ShapeError(f"an input is (C, H, W) or (N, C, H, W), not {x.shape}.")
    if weight.ndim != 4:
        raise ShapeError(f"a weight is (O, C/groups, kh, kw), not {weight.shape}.")
    if x.shape[-3] != weight.shape[1] * groups:
        raise ShapeError(
            f"the weight {weight.shape} with groups={groups} reads "
            f"{plural(weight.shape[1] * groups, 'channel')}, but the input {x.shape} has {x.shape[-3]}."
        )
    layer = Conv2d(
        x.shape[-3],
        weight.shape[0],
        HW(*weight.shape[2:]),
        stride,
        padding,
        dilation,
        groups,
        bias is not None,
        padding_mode,
    )
    size = HW(*x.shape[-2:])
    weights = LayerWeights.of(layer, weight, bias)
    chosen = backends.choose(backend, macs=layer.macs(x.shape[-3:]))
    if x.ndim == 3:
        return apply(layer, x, weights, backend=chosen)
    out = np.empty((x.shape[0], layer.out_channels, *layer.output_size(size)), np.float32)
    for index, one in enumerate(x):
        out[index] = apply(layer, one, weights, backend=chosen)
    return out
