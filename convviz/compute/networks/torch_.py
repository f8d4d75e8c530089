"""Nets by torch: every layer by the function of ``torch.nn.functional``, and gradients through them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from convviz.compute.backends.torch_ import check_device
from convviz.spec import modules
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.network import INPUT, Placed
from convviz.typing import Floats

Numbers = Mapping[str, Mapping[str, Floats]]
_Given = Mapping[str, torch.Tensor]

_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def _conv(layer: Conv2d, x: torch.Tensor, given: _Given) -> torch.Tensor:
    """Pad, which torch does not by itself on four different sides, and cross-correlate."""
    edges = layer.edges(HW(*x.shape[2:]))
    if any(edges):
        x = functional.pad(
            x, (edges.left, edges.right, edges.top, edges.bottom), mode=_MODES[layer.padding_mode]
        )
    return functional.conv2d(
        x, given["weight"], given.get("bias"), tuple(layer.stride), 0, tuple(layer.dilation), layer.groups
    )


# One row per layer: what torch makes of its input and its numbers; both with the axis of the batch.
_COMPUTE: dict[type, Callable[[Any, torch.Tensor, _Given], torch.Tensor]] = {
    Conv2d: _conv,
    modules.ConvTranspose2d: lambda layer, x, given: functional.conv_transpose2d(
        x,
        given["weight"],
        given.get("bias"),
        tuple(layer.stride),
        tuple(layer.padding),
        tuple(layer.output_padding),
        layer.groups,
        tuple(layer.dilation),
    ),
    modules.MaxPool2d: lambda layer, x, given: functional.max_pool2d(
        x,
        tuple(layer.kernel_size),
        tuple(layer.stride),
        tuple(layer.padding),
        tuple(layer.dilation),
        layer.ceil_mode,
    ),
    modules.AvgPool2d: lambda layer, x, given: functional.avg_pool2d(
        x,
        tuple(layer.kernel_size),
        tuple(layer.stride),
        tuple(layer.padding),
        layer.ceil_mode,
        layer.count_include_pad,
    ),
    modules.AdaptiveAvgPool2d: lambda layer, x, given: functional.adaptive_avg_pool2d(
        x, tuple(layer.output_size)
    ),
    modules.BatchNorm2d: lambda layer, x, given: functional.batch_norm(
        x,
        given["running_mean"],
        given["running_var"],
        given.get("weight"),
        given.get("bias"),
        eps=layer.eps,
    ),
    modules.ReLU: lambda layer, x, given: functional.relu(x),
    modules.LeakyReLU: lambda layer, x, given: functional.leaky_relu(x, layer.negative_slope),
    modules.Dropout: lambda layer, x, given: x,
    modules.SiLU: lambda layer, x, given: functional.silu(x),
    modules.Sigmoid: lambda layer, x, given: torch.sigmoid(x),
    modules.Softmax: lambda layer, x, given: functional.softmax(x, layer.dim),
    modules.Flatten: lambda layer, x, given: x.flatten(1),
    modules.Linear: lambda layer, x, given: functional.linear(x, given["weight"], given.get("bias")),
}


def _forward(
    placed: Sequence[Placed], image: torch.Tensor, numbers: Numbers, device: str
) -> dict[str, torch.Tensor]:
    """Compute every layer, (1, C, H, W) or (1, N) each."""
    made = {INPUT: image}
    for one in placed:
        inputs = [made[name] for name in one.inputs]
        if isinstance(one.layer, modules.Add):
            made[one.name] = sum(inputs[1:], inputs[0])
            continue
        given = {
            key: torch.from_numpy(np.array(value, np.float32)).to(device)
            for key, value in numbers.get(one.name, {}).items()
        }
        made[one.name] = _COMPUTE[type(one.layer)](one.layer, inputs[0], given)
    return made


def run(placed: Sequence[Placed], x: Floats, numbers: Numbers, *, device: str = "cpu") -> dict[str, Floats]:
    """Compute a net on one image.

    Parameters
    ----------
    placed : sequence of Placed
        The layers.
    x : ndarray, shape (C, H, W), float32
        The input.
    numbers : dict of dict of ndarray
        The numbers of every layer, by the names of torch.
    device : str
        "cpu", "cuda" or "mps".

    Returns
    -------
    dict of ndarray, float32
        What every layer makes, by its name, in order.

    Raises
    ------
    BackendError
        If torch has no such device here.
    """
    check_device(device)
    # TensorFloat-32 keeps 10 bits of the products, too few to be shown as the layer's numbers.
    exact = torch.backends.cudnn.flags(allow_tf32=False) if device == "cuda" else contextlib.nullcontext()
    with torch.inference_mode(), exact:
        made = _forward(placed, torch.from_numpy(x.copy())[None].to(device), numbers, device)
    return {one.name: made[one.name][0].cpu().numpy() for one in placed}


def gradient(placed: Sequence[Placed], x: Floats, numbers: Numbers, name: str, at: HW) -> Floats:
    """Tell how much every input value moves what a layer makes at one position.

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
        Derivative of the sum over all maps at that position by every input value: the
        effective receptive field of Luo, Li, Urtasun and Zemel (2016), before its
        magnitude is taken.
    """
    image = torch.from_numpy(x.copy())[None].requires_grad_()
    upto = [one.name for one in placed].index(name) + 1
    made = _forward(placed[:upto], image, numbers, "cpu")
    (found,) = torch.autograd.grad(made[name][0, :, at.h, at.w].sum(), image)
    return np.asarray(found[0].numpy())
