"""The weights that convolutions of torch compute with, and their settings as layers of convviz."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from convviz.compute.networks.foreign import foreign
from convviz.spec import layers
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


class _Watch(TorchFunctionMode):
    """Keeps the arguments of calls of convolution functions."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __torch_function__(self, func: Any, types: Any, *given: Any) -> Any:
        args, named = given[0], (given[1] if len(given) > 1 else None) or {}
        if func in (nn.functional.conv2d, nn.functional.conv_transpose2d):
            self.calls.append((*args, *named.values()))
        return func(*args, **named)


def used_weight(module: nn.Module, *, like: torch.Tensor) -> Floats | None:
    """Return the weight that a convolution passes to torch; None if the module does more than convolve."""
    given: Any = module
    x = torch.zeros(1, given.in_channels, 64, 64, dtype=like.dtype, device=like.device)
    training, watch = module.training, _Watch()
    module.training = False
    try:
        with torch.no_grad(), watch, foreign(f"{type(module).__name__} cannot be computed by itself"):
            module(x)
    finally:
        module.training = training
    if len(watch.calls) != 1 or watch.calls[0][0].shape != x.shape:
        return None
    weight = watch.calls[0][1]
    return _numbers(weight) if weight.shape == given.weight.shape else None


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
