"""The weights and biases of a layer: as arrays, from torch's generator, from a module of torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convviz.errors import SpecError
from convviz.machine import memory
from convviz.spec.layers import Conv2d, Layer
from convviz.text import plural
from convviz.typing import Floats

# The parameters of one layer, by torch's names: weight, bias, running_mean, running_var.
Parameters = Mapping[str, Floats]

# Follows the name of a filter whose kernels are rotated, and of its map.
_FLIPPED = " flipped"


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """The weights of one layer.

    Parameters
    ----------
    weight : ndarray, shape (O, I / groups, kh, kw), float32
        One 2-D kernel for each filter and each channel that it reads.
    bias : ndarray, shape (O,), float32, or None
        One number per feature map.
    names : tuple of str
        The name of each filter and its map.

    Raises
    ------
    SpecError
        If a shape or a type is wrong, or a number is not finite.
    """

    weight: Floats
    bias: Floats | None
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.weight.dtype != np.float32 or self.weight.ndim != 4:
            raise SpecError(
                "a weight is a float32 array (O, I/groups, kh, kw), "
                f"not {self.weight.dtype} {self.weight.shape}."
            )
        maps = self.weight.shape[0]
        if self.bias is not None and (self.bias.dtype != np.float32 or self.bias.shape != (maps,)):
            raise SpecError(
                f"a bias is a float32 array ({maps},), one number per map, "
                f"not {self.bias.dtype} {self.bias.shape}."
            )
        if len(self.names) != maps:
            raise SpecError(
                f"{plural(len(self.names), 'name')} for {plural(maps, 'filter')}; give one per filter."
            )
        for what, array in (("weight", self.weight), ("bias", self.bias)):
            if array is not None and not np.isfinite(array).all():
                place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise SpecError(f"{what}{list(place)} is not a finite float32 number.")

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.weight.shape))
        return f"<LayerWeights: weights {shape}, {'no bias' if self.bias is None else 'with bias'}>"

    @classmethod
    def of(
        cls, layer: Conv2d, weight: Any, bias: Any = None, *, names: Sequence[str] | None = None
    ) -> "LayerWeights":
        """Take arrays (or tensors) as the weights of `layer`.

        Raises
        ------
        SpecError
            If the shapes are not those of the layer.
        """
        weight = np.ascontiguousarray(as_floats("weight", weight))
        if weight.shape != layer.weight_shape:
            raise SpecError(f"{layer} has a weight of shape {layer.weight_shape}, not {weight.shape}.")
        if (bias is not None) != layer.bias:
            has, do = ("a", "give") if layer.bias else ("no", "leave out")
            raise SpecError(f"{layer} has {has} bias; {do} one.")
        return cls(
            weight,
            None if bias is None else np.ascontiguousarray(as_floats("bias", bias)),
            tuple(names) if names is not None else map_names(layer.out_channels),
        )

    def turned(self) -> "LayerWeights":
        """Rotate every 2-D kernel by 180 degrees, so that cross-correlation convolves with the original.

        Examples
        --------
        >>> layer = seeded(Conv2d(1, 1, 3))
        >>> layer.turned().names, layer.turned().turned().names
        (('map 0 flipped',), ('map 0',))
        """
        names = [
            name.removesuffix(_FLIPPED) if name.endswith(_FLIPPED) else name + _FLIPPED for name in self.names
        ]
        return LayerWeights(np.ascontiguousarray(self.weight[:, :, ::-1, ::-1]), self.bias, tuple(names))

    def chosen(self, filters: slice | Sequence[int]) -> "LayerWeights":
        """Take some of the filters."""
        places = range(len(self.names))[filters] if isinstance(filters, slice) else filters
        bias = None if self.bias is None else self.bias[filters]
        return LayerWeights(self.weight[filters], bias, tuple(self.names[place] for place in places))

    @property
    def symmetric(self) -> tuple[bool, ...]:
        """Return for every filter whether a rotation by 180 degrees leaves it unchanged."""
        turned = self.weight[:, :, ::-1, ::-1]
        return tuple(bool(equal) for equal in (turned == self.weight).all(axis=(1, 2, 3)))


def as_floats(name: str, value: Any) -> Floats:
    """Convert an array, a tensor or nested lists to float32; messages call it `name`.

    Raises
    ------
    SpecError
        If it holds anything but real numbers, or rows of different lengths.

    Examples
    --------
    >>> as_floats("bias", [1, 0.5])
    array([1. , 0.5], dtype=float32)
    """
    try:
        if not np.iscomplexobj(value):
            return np.asarray(value, np.float32)
    except (TypeError, ValueError):
        pass
    raise SpecError(f"{name}: expected an array of real numbers, with rows of one length.")


def map_names(count: int) -> tuple[str, ...]:
    """Return names for maps without names: their indices."""
    return tuple(f"map {index}" for index in range(count))


def seeded(layer: Conv2d, seed: int = 0) -> LayerWeights:
    """Draw the same weights as torch, without importing torch.

    Parameters
    ----------
    layer : Conv2d
        The layer to fill.
    seed : int
        From 0 to 2**64 - 1.

    Returns
    -------
    LayerWeights
        The weights. They equal, bit for bit, the parameters of
        ``torch.manual_seed(seed); torch.nn.Conv2d(...)`` on the CPU.

    Notes
    -----
    ``Conv2d.reset_parameters`` draws the weight from U(-b, b) with the bound
    of Kaiming initialisation for ``a = sqrt(5)``, then the bias from U(-c, c)
    with ``c = 1 / sqrt(fan_in)``. torch's generator is MT19937 with the lowest 32 bits of
    the seed; a float32 takes the low 24 bits of one word.

    Examples
    --------
    >>> weights = seeded(Conv2d(1, 1, 2), seed=0)
    >>> [round(float(w), 4) for w in weights.weight.ravel()]
    [-0.0037, 0.2682, -0.4115, -0.368]
    """
    check_memory(layer)
    numbers = drawn(np.random.RandomState(seed & 0xFFFFFFFF), layer)
    return LayerWeights(numbers["weight"], numbers.get("bias"), map_names(layer.out_channels))


def drawn(words: "np.random.RandomState", layer: Layer) -> dict[str, Floats]:
    """Draw the parameters of a new torch layer, by torch's names.

    Convolutions and linear layers draw weight and bias from U(-b, b) with ``b = 1 /
    sqrt(fan_in)``; torch takes the fan-in of a transposed convolution from the axes of its
    weight, (C, O / groups, kh, kw). Batch normalization starts as the identity.
    """
    shapes = layer.arrays
    if "running_var" in shapes:
        starts = {"weight": np.ones, "bias": np.zeros, "running_mean": np.zeros, "running_var": np.ones}
        return {name: starts[name](shape, np.float32) for name, shape in shapes.items()}
    if not shapes:
        return {}
    shape = shapes["weight"]
    fan_in = math.prod(shape[1:])
    # The gain of a leaky ReLU of slope sqrt(5), as `Conv2d.reset_parameters` asks.
    gain = math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))
    bounds = {"weight": math.sqrt(3.0) * (gain / math.sqrt(fan_in)), "bias": 1 / math.sqrt(fan_in)}
    return {
        name: uniform(words, math.prod(shape), bounds[name]).reshape(shape) for name, shape in shapes.items()
    }


def check_memory(layer: Conv2d) -> None:
    """Refuse a layer whose weights do not fit into memory."""
    # While weights are drawn or divided, the float64 values and their float32 copies are both in memory; a
    # map also has a name.
    size = 24 * layer.weight_parameters + 100 * layer.out_channels
    weights, filters = plural(layer.weight_parameters, "weight"), plural(layer.out_channels, "filter")
    memory.need(size, f"the {weights} of {filters}", "ask for fewer, or for smaller kernels")


def uniform(words: "np.random.RandomState", count: int, bound: float) -> Floats:
    """Draw float32 numbers from U(-bound, bound) as torch does."""
    raw = words.randint(0, 2**32, size=count, dtype=np.uint32)
    low, high = np.float32(-bound), np.float32(bound)
    # torch scales with one fused MAC in float32. The product of two 24-bit numbers is exact in
    # float64, so that rounding the float64 result once gives the same.
    unit = (raw & 0xFFFFFF).astype(np.float64) * 2.0**-24
    return (unit * float(high - low) + float(low)).astype(np.float32)


def of_module(module: Any) -> tuple[Conv2d, LayerWeights]:
    """Convert a ``torch.nn.Conv2d`` to a layer with its weights.

    Parameters
    ----------
    module : torch.nn.Conv2d
        The module, on any device.

    Returns
    -------
    layer : Conv2d
        The same layer.
    weights : LayerWeights
        Copies of its weight and its bias.

    Raises
    ------
    SpecError
        If `module` is not a ``torch.nn.Conv2d``.

    Examples
    --------
    >>> import torch
    >>> layer, weights = of_module(torch.nn.Conv2d(3, 6, 3, padding=1, bias=False))
    >>> layer, weights.weight.shape
    (Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False), (6, 3, 3, 3))
    """
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    if type(module).__name__ != "Conv2d" or not all(hasattr(module, name) for name in (*names, "weight")):
        raise SpecError(
            f"a layer is a Conv2d of convviz or of torch.nn, not {type(module).__name__}; "
            "of a network choose one with layer, or see all with run_net."
        )
    bias = module.bias
    arguments = {name: getattr(module, name) for name in names}
    layer = Conv2d(**arguments, bias=bias is not None, padding_mode=module.padding_mode)
    weight, bias = (
        None if tensor is None else tensor.detach().cpu().float().numpy().copy()
        for tensor in (module.weight, bias)
    )
    return layer, LayerWeights.of(layer, weight, bias)
