"""The cost of a layer, by each convention in use."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from convviz.spec.layers import Conv2d, ConvTranspose2d, Linear, Shape


@dataclass(frozen=True, slots=True)
class Convention:
    """A convention for counting.

    Parameters
    ----------
    key : str
        What it is called in JSON.
    about : str
        What is counted.
    tools : str
        The tools that count this way, and what they call it.
    """

    key: str
    about: str
    tools: str


# As each tool counts plain, grouped and transposed convolutions and linear layers; tests/test_counts.py asks
# them, but for DeepSpeed, whose `_conv_flops_compute` and `_conv_trans_flops_compute` were run by hand.
CONVENTIONS = (
    Convention(
        "macs",
        "MACs, without bias",
        'fvcore (called "flops"); thop ("MACs"), but transposed convolutions at every output',
    ),
    Convention(
        "macs_with_bias",
        "MACs, and one for every value with a bias",
        'ptflops ("MACs"); torchinfo ("mult-adds"), but transposed convolutions at every output',
    ),
    Convention("flops", "operations: two per MAC, without bias", "torch.utils.flop_counter"),
    Convention(
        "flops_with_bias",
        "operations, and one for every value with a bias",
        "the flops profiler of DeepSpeed (0.19.8), but linear layers without bias",
    ),
    Convention(
        "macs_inside", "MACs that do not meet padding", "none of these: the multiplications that are needed"
    ),
)


def counts(layers: Iterable[tuple[Any, Shape]]) -> dict[str, int]:
    """Count the work of convolutions and linear layers.

    Parameters
    ----------
    layers : iterable of (layer, tuple of int)
        Layers with the shapes of their inputs; others than `Conv2d`,
        `ConvTranspose2d` and `Linear` count nothing, for there the tools agree on
        nothing.

    Returns
    -------
    dict of int
        A number for the key of each of `CONVENTIONS`.

    Examples
    --------
    >>> counts([(Conv2d(1, 1, 3, padding=1), (1, 3, 3))])["macs_inside"]  # of 81
    49
    """
    macs = values = inside = 0
    for layer, shape in layers:
        if not isinstance(layer, Conv2d | ConvTranspose2d | Linear):
            continue
        here, met = layer.macs(shape), layer.macs_inside(shape)
        output = layer.output_shape(shape)
        macs, inside = macs + here, inside + met
        values += math.prod(output) if layer.bias else 0
    found = (macs, macs + values, 2 * macs, 2 * macs + values, inside)
    return dict(zip((convention.key for convention in CONVENTIONS), found, strict=True))
