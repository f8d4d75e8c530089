"""The weights that convolutions of torch compute with, and their settings as layers of convviz."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from convviz.compute.networks.foreign import foreign
from convviz.errors import InputError, SpecError
from convviz.spec import layers
from convviz.spec.geometry import HW, Edges
from convviz.spec.layers.base import as_pair
from convviz.typing import Floats


def effective(module: nn.Module) -> tuple[Floats, Floats | None]:
    """Return weight and bias as the module uses them: composed, if they are stored in parts."""
    training = module.training
    module.training = False  # so that the parts of spectral norm do not change
    try:
        with torch.no_grad():
            for hook in module._forward_pre_hooks.values():
                # Weight norm, spectral norm and pruning compose the weight before each call.
                if type(hook).__module__.startswith("torch.nn.utils."):
                    hook(module, ())
            given: Any = module
            return _numbers(given.weight), None if given.bias is None else _numbers(given.bias)
    finally:
        module.training = training


def as_in_torch(module: nn.Module) -> bool:
    """Return whether a module computes the same as its class in torch."""
    kind = nn.Conv2d if isinstance(module, nn.Conv2d) else nn.ConvTranspose2d
    names = ("forward", "_conv_forward", "_output_padding")
    return all(getattr(type(module), one, None) is getattr(kind, one, None) for one in names)


# The arguments of torch's convolution functions, in order.
_ARGUMENTS: dict[Any, tuple[str, ...]] = {
    functional.conv2d: ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    functional.conv_transpose2d: (
        *("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
    ),
}
# Padding that depends on the size of the input is told from fixed padding by several sizes.
_PROBES = 3
_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class Described(NamedTuple):
    """Hold the one convolution that a module computes.

    Parameters
    ----------
    layer : Conv2d or ConvTranspose2d
        Its settings.
    weight : ndarray, shape ``layer.weight_shape``, float32
        Its weight.
    bias : ndarray, shape (O,), float32, or None
        Its bias.
    """

    layer: layers.Conv2d | layers.ConvTranspose2d
    weight: Floats
    bias: Floats | None


class _Watch(TorchFunctionMode):
    """Keeps the arguments of calls of convolution functions, and what they return."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, dict[str, Any], torch.Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, *given: Any) -> Any:
        args, named = given[0], (given[1] if len(given) > 1 else None) or {}
        made = func(*args, **named)
        if func in _ARGUMENTS:
            self.calls.append((func, dict(zip(_ARGUMENTS[func], args, strict=False)) | named, made))
        return made


def described(module: nn.Module, *, like: torch.Tensor) -> Described | None:
    """Describe a module with a forward of its own by the call of torch's convolution that it makes.

    Parameters
    ----------
    module : torch.nn.Conv2d or torch.nn.ConvTranspose2d
        The module.
    like : torch.Tensor
        A tensor with the device and the type of its input.

    Returns
    -------
    Described or None
        None if the module does anything but pad its input and convolve it once, the same way for every input.
    """
    given: Any = module
    least = [2 * d * k + 8 for d, k in zip(given.dilation, given.kernel_size, strict=True)]
    sizes = [HW(least[0] + extra, least[1] + 2 * extra) for extra in range(_PROBES)]
    found = [_probed(module, size, like=like) for size in sizes]
    first = found[0]
    if first is None:
        return None
    settings, padded, weight, bias = first
    for other in found:
        if other is None or (other[0], other[1] is None) != (settings, padded is None):
            return None
        if not torch.equal(other[2], weight) or (bias is not None and not torch.equal(other[3], bias)):
            return None
    numbers = _numbers(weight), None if bias is None else _numbers(bias)
    if padded is None:
        return Described(layers.ConvTranspose2d(**settings), *numbers)
    around = [other[1] for other in found if other is not None]
    for padding in (around[0], "same", "same-lower"):
        layer = layers.Conv2d(**settings, padding=padding)
        if all(layer.edges(size) == edges for size, edges in zip(sizes, around, strict=True)):
            return Described(layer, *numbers)
    return None


def _probed(module: nn.Module, size: HW, *, like: torch.Tensor) -> tuple[Any, Any, Any, Any] | None:
    """Call a module; return settings, padding (None if transposed), weight and bias of its convolution."""
    given: Any = module
    drawn = torch.randn(1, given.in_channels, *size, generator=torch.Generator().manual_seed(0))
    x = drawn.to(like.device, like.dtype)
    training, watch = module.training, _Watch()
    module.training = False
    try:
        with torch.no_grad(), watch, foreign("it cannot be computed by itself"):
            made = module(x)
    except InputError:  # it reads more than its input
        return None
    finally:
        module.training = training
    if len(watch.calls) != 1 or made is not watch.calls[0][2]:
        return None
    func, call, _ = watch.calls[0]
    weight, bias, groups = call["weight"], call.get("bias"), call.get("groups", 1)
    transposed = func is functional.conv_transpose2d
    settings = {
        "in_channels": given.in_channels,
        "out_channels": weight.shape[1] * groups if transposed else weight.shape[0],
        "kernel_size": tuple(weight.shape[2:]),
        "stride": as_pair("stride", call.get("stride", 1)),
        "dilation": as_pair("dilation", call.get("dilation", 1)),
        "groups": groups,
        "bias": bias is not None,
    }
    if transposed:
        if call["input"].shape != x.shape or not torch.equal(call["input"], x):
            return None
        pairs = {name: call.get(name, 0) for name in ("padding", "output_padding")}
        return settings | pairs, None, weight, bias
    around = _padding(x, call["input"])
    if around is None:
        return None
    edges, mode = around
    own = layers.Conv2d(**settings, padding=call.get("padding", 0)).edges(size)
    if any(own) and mode != "zeros":
        return None
    both = Edges(*(one + other for one, other in zip(edges, own, strict=True)))
    return settings | {"padding_mode": mode}, both, weight, bias


def _padding(x: torch.Tensor, read: torch.Tensor) -> tuple[Edges, str] | None:
    """Find how an input was padded; None if it was changed in another way."""
    (h, w), more = x.shape[2:], [b - a for a, b in zip(x.shape[2:], read.shape[2:], strict=True)]
    if read.shape[:2] != x.shape[:2] or min(more) < 0:
        return None
    for top, left in itertools.product(range(more[0] + 1), range(more[1] + 1)):
        if not torch.equal(read[:, :, top : top + h, left : left + w], x):
            continue
        edges = Edges(top, more[0] - top, left, more[1] - left)
        for mode, word in _MODES.items():
            if max(edges) >= min(h, w) and mode != "zeros":
                continue
            sides = (edges.left, edges.right, edges.top, edges.bottom)
            if torch.equal(functional.pad(x, sides, mode=word), read):
                return edges, mode
    return None


def _numbers(tensor: Any) -> Floats:
    """Copy the numbers of a parameter."""
    return np.array(tensor.detach().to("cpu", torch.float32).numpy())


def layer_of(module: nn.Module, *, bias: bool) -> layers.Conv2d | layers.ConvTranspose2d:
    """Return the settings of a convolution as a layer."""
    given: Any = module
    shared = {"stride": given.stride, "dilation": given.dilation, "groups": given.groups, "bias": bias}
    counts = (given.in_channels, given.out_channels, given.kernel_size)
    if isinstance(module, nn.ConvTranspose2d):
        return layers.ConvTranspose2d(
            *counts, padding=given.padding, output_padding=given.output_padding, **shared
        )
    return layers.Conv2d(*counts, padding=given.padding, padding_mode=given.padding_mode, **shared)


def pooling_of(module: nn.Module, what: str) -> layers.MaxPool2d | layers.AvgPool2d | None:
    """Describe a module that is a pooling of windows; return None for another one.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    what : str
        The name of the module in messages.

    Raises
    ------
    SpecError
        If its mean has a divisor of its own.

    Examples
    --------
    >>> pooling_of(nn.MaxPool2d(3, 2, 1), "pool")
    MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)
    """
    given: Any = module
    if type(module).forward is nn.MaxPool2d.forward:
        return layers.MaxPool2d(
            given.kernel_size, given.stride, given.padding, given.dilation, given.ceil_mode
        )
    if type(module).forward is not nn.AvgPool2d.forward:
        return None
    if given.divisor_override is not None:
        raise SpecError(f"{what} divides its sums by {given.divisor_override}, not by their number.")
    return layers.AvgPool2d(
        given.kernel_size, given.stride, given.padding, given.ceil_mode, given.count_include_pad
    )
