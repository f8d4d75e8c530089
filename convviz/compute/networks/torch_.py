"""Compute networks with functions of ``torch.nn.functional``, and gradients through them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from convviz.compute.backends.torch_ import check_device
from convviz.spec import layers
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.network import INPUT, SizedStep
from convviz.typing import Floats

NetworkParameters = Mapping[str, Mapping[str, Floats]]
_Given = Mapping[str, torch.Tensor]

_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def _conv(layer: Conv2d, x: torch.Tensor, given: _Given) -> torch.Tensor:
    """Pad each side separately, which torch's convolution cannot do, and cross-correlate."""
    edges = layer.edges(HW(*x.shape[2:]))
    if any(edges):
        x = functional.pad(
            x, (edges.left, edges.right, edges.top, edges.bottom), mode=_MODES[layer.padding_mode]
        )
    return functional.conv2d(
        x, given["weight"], given.get("bias"), tuple(layer.stride), 0, tuple(layer.dilation), layer.groups
    )


def _concat(layer: layers.Concat, xs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Concatenate channels, cropped to one size if the layer crops."""
    _, h, w = layer.output_shape(*(tuple(x.shape[1:]) for x in xs))
    parts = []
    for x in xs:
        top, left = layer.corner(tuple(x.shape[1:]), HW(h, w))
        parts.append(x[:, :, top : top + h, left : left + w])
    return torch.cat(parts, 1)


# One row per kind of layer: the torch function of its inputs and its parameters, all with a batch axis.
ROWS: dict[type[layers.Layer], Callable[[Any, Sequence[torch.Tensor], _Given], torch.Tensor]] = {
    layers.Conv2d: lambda layer, xs, given: _conv(layer, xs[0], given),
    layers.ConvTranspose2d: lambda layer, xs, given: functional.conv_transpose2d(
        xs[0],
        given["weight"],
        given.get("bias"),
        tuple(layer.stride),
        tuple(layer.padding),
        tuple(layer.output_padding),
        layer.groups,
        tuple(layer.dilation),
    ),
    layers.MaxPool2d: lambda layer, xs, given: functional.max_pool2d(
        xs[0],
        tuple(layer.kernel_size),
        tuple(layer.stride),
        tuple(layer.padding),
        tuple(layer.dilation),
        layer.ceil_mode,
    ),
    layers.AvgPool2d: lambda layer, xs, given: functional.avg_pool2d(
        xs[0],
        tuple(layer.kernel_size),
        tuple(layer.stride),
        tuple(layer.padding),
        layer.ceil_mode,
        layer.count_include_pad,
    ),
    layers.AdaptiveAvgPool2d: lambda layer, xs, given: functional.adaptive_avg_pool2d(
        xs[0], tuple(layer.output_size)
    ),
    layers.BatchNorm2d: lambda layer, xs, given: functional.batch_norm(
        xs[0],
        given["running_mean"],
        given["running_var"],
        given.get("weight"),
        given.get("bias"),
        eps=layer.eps,
    ),
    layers.ReLU: lambda layer, xs, given: functional.relu(xs[0]),
    layers.ReLU6: lambda layer, xs, given: functional.relu6(xs[0]),
    layers.LeakyReLU: lambda layer, xs, given: functional.leaky_relu(xs[0], layer.negative_slope),
    layers.SiLU: lambda layer, xs, given: functional.silu(xs[0]),
    layers.GELU: lambda layer, xs, given: functional.gelu(xs[0], approximate=layer.approximate),
    layers.Hardswish: lambda layer, xs, given: functional.hardswish(xs[0]),
    layers.Sigmoid: lambda layer, xs, given: torch.sigmoid(xs[0]),
    layers.Tanh: lambda layer, xs, given: torch.tanh(xs[0]),
    layers.Dropout: lambda layer, xs, given: xs[0],
    layers.Flatten: lambda layer, xs, given: xs[0].flatten(1),
    layers.Linear: lambda layer, xs, given: functional.linear(xs[0], given["weight"], given.get("bias")),
    layers.Softmax: lambda layer, xs, given: functional.softmax(xs[0], layer.dim),
    layers.Upsample: lambda layer, xs, given: functional.interpolate(
        xs[0],
        scale_factor=tuple(map(float, layer.scale_factor)),
        mode=layer.mode,
        align_corners=None if layer.mode == "nearest" else False,
    ),
    layers.Add: lambda layer, xs, given: sum(xs[1:], xs[0]),
    layers.Concat: lambda layer, xs, given: _concat(layer, xs),
}


def _forward(
    steps: Sequence[SizedStep], image: torch.Tensor, parameters: NetworkParameters, *, device: str
) -> dict[str, torch.Tensor]:
    """Compute every layer; each output has the shape (1, C, H, W) or (1, N)."""
    made = {INPUT: image}
    for one in steps:
        inputs = [made[name] for name in one.inputs]
        given = {
            key: torch.from_numpy(np.array(value, np.float32)).to(device)
            for key, value in parameters.get(one.name, {}).items()
        }
        made[one.name] = ROWS[type(one.layer)](one.layer, inputs, given)
    return made


def run(
    steps: Sequence[SizedStep], x: Floats, parameters: NetworkParameters, *, device: str = "cpu"
) -> dict[str, Floats]:
    """Compute a network on one image.

    Parameters
    ----------
    steps : sequence of SizedStep
        The layers.
    x : ndarray, shape (C, H, W), float32
        The input.
    parameters : dict of dict of ndarray
        The parameters of every layer, by torch's names.
    device : str
        "cpu", "cuda" or "mps".

    Returns
    -------
    dict of ndarray, float32
        The output of every layer, by its name, in order.

    Raises
    ------
    BackendError
        If torch does not have this device here.
    """
    check_device(device)
    # TensorFloat-32 keeps 10 bits of the products: too few to show them as the layer's numbers.
    exact = torch.backends.cudnn.flags(allow_tf32=False) if device == "cuda" else contextlib.nullcontext()
    with torch.inference_mode(), exact:
        made = _forward(steps, torch.from_numpy(x.copy())[None].to(device), parameters, device=device)
    return {one.name: made[one.name][0].cpu().numpy() for one in steps}


def gradient(
    steps: Sequence[SizedStep], x: Floats, parameters: NetworkParameters, *, name: str, at: HW
) -> Floats:
    """Return how strongly every input value changes a layer's output at one position.

    Parameters
    ----------
    placed, x, numbers
        As for `run`.
    name : str
        The layer.
    at : HW
        Row and column of its maps.

    Returns
    -------
    ndarray, shape (C, H, W), float32
        The derivative of the sum of all maps at that position with respect to every input value:
        the effective receptive field of Luo, Li, Urtasun and Zemel (2016), before its magnitude
        is taken.
    """
    image = torch.from_numpy(x.copy())[None].requires_grad_()
    upto = [one.name for one in steps].index(name) + 1
    made = _forward(steps[:upto], image, parameters, device="cpu")
    (found,) = torch.autograd.grad(made[name][0, :, at.h, at.w].sum(), image)
    return np.asarray(found[0].numpy())


def score_gradients(
    steps: Sequence[SizedStep],
    x: Floats,
    parameters: NetworkParameters,
    *,
    names: Sequence[str],
    choose: Callable[[Floats], int],
) -> tuple[dict[str, Floats], dict[str, Floats], Floats]:
    """Compute the gradients of one score with respect to the outputs of some layers.

    A score is an output value of the last layer, or, if that is a softmax, of the layer before it.

    Parameters
    ----------
    steps, x, parameters
        As for `run`.
    names : sequence of str
        The layers.
    choose : callable
        Returns the index of the score, when it is given all scores.

    Returns
    -------
    maps, gradients : dict of ndarray, float32
        The outputs of the layers, and the gradients; none for a layer on which the scores do not depend.
    scores : ndarray, float32
        All scores.
    """
    image = torch.from_numpy(x.copy())[None].requires_grad_()
    made = _forward(steps, image, parameters, device="cpu")
    last = steps[-1]
    # After a softmax the gradient of a certain class is nearly 0 everywhere.
    scores = made[last.inputs[0] if isinstance(last.layer, layers.Softmax) else last.name]
    row = scores[0].detach().numpy()
    found = torch.autograd.grad(
        scores.reshape(-1)[choose(row)], [made[name] for name in names], allow_unused=True
    )
    maps = {name: made[name][0].detach().numpy() for name in names}
    gradients = {name: of[0].numpy() for name, of in zip(names, found, strict=True) if of is not None}
    return maps, gradients, row
