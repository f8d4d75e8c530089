"""Describe a layer in context: its input inside a network, its settings and its weights."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.images.finite import finite_of
from convviz.images.picture import Picture
from convviz.spec.geometry import HW, Edges, check_inside
from convviz.spec.layers import Conv2d, shape_text
from convviz.spec.reach import Box
from convviz.spec.settings import LayerSettings
from convviz.text import in_quotes, plural
from convviz.typing import Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convviz.compute.networks.engine import Activation, Fed, NetworkStep, Rounding
    from convviz.compute.networks.sources import NetworkSource, Opened
    from convviz.spec.layers import AvgPool2d, ConvTranspose2d, MaxPool2d, Transposed

# The number of candidate layers that a message names.
_NAMED = 8


class Seen(NamedTuple):
    """Hold the receptive field of one value.

    Parameters
    ----------
    layer : str
        The layer that makes the value.
    at : HW
        Row and column of the value in its maps.
    box : Box
        Rows and columns of the input that it depends on.
    """

    layer: str
    at: HW
    box: Box


class InNetwork(NamedTuple):
    """Describe the place of a layer in a network.

    Parameters
    ----------
    name : str
        The name of the layer in the network.
    network : str
        The name of the network.
    runner : str
        The program that runs the network, such as ``"onnxruntime"``.
    maps : ndarray, shape (O, H', W'), float32
        The output of the network at that layer.
    values : (str, str)
        The names in a file of the values that the layer reads and makes; empty if there is no file.
    fed : Fed
        The array that the network is called with.
    seen : Seen, optional
        The receptive field of one of its values.
    gradient : ndarray, shape (C, H, W), float32, optional
        How much every input value moves that value.
    picture : Picture, optional
        The input of the network, to which the receptive field refers.
    transposed : Transposed, optional
        The transposed convolution that the layer is equal to.
    rounding : Rounding, optional
        How the network rounds the maps, if it stores them as integers.
    """

    name: str
    network: str
    runner: str
    maps: Floats
    values: tuple[str, str]
    fed: "Fed"
    seen: Seen | None = None
    gradient: Floats | None = None
    picture: Picture | None = None
    transposed: "Transposed | None" = None
    rounding: "Rounding | None" = None

    @property
    def words(self) -> str:
        """Name the layer and its network."""
        words = f"layer {self.name} of {self.network}, on the activations that reach it"
        of = self.transposed
        if of is None or of.spread == of.shape:
            return words
        return (
            f"{words}: {shape_text(of.shape)}, with zeros between the values {shape_text(of.spread)}; "
            "minimum and maximum of the channels count these zeros"
        )

    @property
    def document(self) -> dict[str, str]:
        """Return plain values."""
        return {"name": self.network, "layer": self.name, "engine": self.runner}


@dataclass(frozen=True, slots=True, eq=False)
class LayerInContext:
    """Hold the input of every command: a picture, a convolution, its weights, and their origin.

    Parameters
    ----------
    picture : Picture
        The input of the layer: the picture, or the maps of the steps before it.
    layer : Conv2d
        Its settings.
    weights : LayerWeights
        Its weights.
    remarks : tuple of str
        Remarks on the weights for the user.
    network : InNetwork, optional
        The place of the layer in a network; None for a layer by itself.
    """

    picture: Picture
    layer: Conv2d
    weights: LayerWeights
    remarks: tuple[str, ...] = ()
    network: InNetwork | None = None


def in_network(
    opened: "Opened", picture: Picture, name: str, *, made: "Activation | None" = None
) -> LayerInContext:
    """Compute the input of a convolution in a network, and take its settings and weights.

    Parameters
    ----------
    opened : Opened
        The network.
    picture : Picture
        Its input.
    name : str
        The name of the step.
    made : Activation, optional
        Its input and output, if they are already computed.

    Returns
    -------
    LayerInContext
        A transposed convolution is returned as the equal convolution: with the kernels rotated by 180
        degrees, on its input with zeros between the values.

    Raises
    ------
    UnknownNameError
        If the step does not exist.
    SpecError, ShapeError
        If the step is not a convolution of two axes, or the network cannot read the picture.

    Examples
    --------
    >>> from convviz.compute.networks.sources import source_of
    >>> from convviz.images.decode import as_picture
    >>> from convviz.spec.wanted import NetworkSettings
    >>> picture = as_picture(np.ones((3, 8, 8), np.float32))
    >>> opened = source_of(NetworkSettings(layers="conv 4 k3 | relu | conv 2 k3")).open(picture.shape)
    >>> found = in_network(opened, picture, "conv2")
    >>> found.picture.shape, found.layer.weight_shape
    ((4, 6, 6), (2, 4, 3, 3))
    """
    from convviz.compute.networks.engine import activations
    from convviz.spec.layers import ConvTranspose2d, Transposed

    engine = opened.engine
    name = engine.step_name(name)
    convolution = engine.conv(name)
    made = made or activations(engine, picture.x, [name], reads=True)[name]
    if made.read is None:
        raise SpecError(
            f"layer: {in_quotes(name)} reads several arrays; choose a convolution that reads one."
        )
    arrives, maps, count = _first(made.read, made.values)
    arriving = _arriving(picture, arrives)
    layer, weight = convolution.layer, convolution.weight
    remarks = [f"{name}: {convolution.remark}"] if convolution.remark else []
    if count > 1:
        remarks.append(f"{name}: it reads {count} inputs at once; this is the first")
    transposed = None
    if isinstance(layer, ConvTranspose2d):
        layer = layer.making(arriving.shape, maps.shape)
    makes = layer.output_shape(arriving.shape)
    if makes != maps.shape:
        raise SpecError(
            f"layer: {in_quotes(name)} makes {shape_text(maps.shape)} of {shape_text(arriving.shape)}, "
            f"but {layer} makes {shape_text(makes)}; its settings do not explain it."
        )
    if isinstance(layer, ConvTranspose2d):
        transposed = Transposed(layer, arriving.shape)
        remarks.append(_transposed_remark(name, layer))
        layer, weight, values = as_convolution(layer, weight, arriving.x)
        arriving = replace(arriving, values=values, resized=None, normalized=None)
    weights = LayerWeights.of(
        layer, weight, convolution.bias, names=[f"{name}: {index}" for index in range(layer.out_channels)]
    )
    place = InNetwork(
        name,
        engine.title,
        engine.runner,
        maps,
        engine.value_names(name),
        engine.fed(picture.shape),
        transposed=transposed,
        rounding=convolution.rounding,
    )
    return LayerInContext(arriving, layer, weights, (*opened.remarks, *remarks), place)


def pooling_in_network(
    opened: "Opened", picture: Picture, name: str, *, layer: "MaxPool2d | AvgPool2d"
) -> tuple[Picture, tuple[str, ...]]:
    """Compute the input of a pooling layer in a network, and compare what it makes with the network.

    Parameters
    ----------
    opened, picture, name
        As for `in_network`.
    layer : MaxPool2d or AvgPool2d
        The settings of the step.

    Returns
    -------
    picture : Picture
        What arrives, as channels.
    remarks : tuple of str
        Remarks for the user.

    Raises
    ------
    SpecError
        If the settings of the layer do not explain what the network makes.
    """
    from convviz.compute.networks import stack
    from convviz.compute.networks.engine import activations

    made = activations(opened.engine, picture.x, [name], reads=True)[name]
    if made.read is None:
        raise SpecError(f"layer: {in_quotes(name)} reads several arrays.")
    arrives, maps, _ = _first(made.read, made.values)
    same = layer.output_shape(arrives.shape) == maps.shape and np.allclose(
        stack.compute(layer, [arrives], {}), maps, rtol=1e-2, atol=1e-6, equal_nan=True
    )
    if not same:
        raise SpecError(f"layer: {in_quotes(name)} makes something else than {layer}; run draws its maps.")
    return _arriving(picture, arrives), tuple(opened.remarks)


def _first(read: Floats, made: Floats) -> tuple[Floats, Floats, int]:
    """Return the first input of a convolution and its maps, with all axes, and the number of inputs."""
    if read.ndim == 4:
        return read[0], made[0], len(read)
    # An axis of one may have been left out as that of a batch of one.
    return np.reshape(read, (-1, *read.shape[-2:])), np.reshape(made, (-1, *made.shape[-2:])), 1


def _arriving(picture: Picture, values: Floats) -> Picture:
    """Return the input of a layer as channels: the picture itself, if that is the input."""
    if values.shape == picture.shape and np.array_equal(values, picture.x):
        return picture
    names = tuple(str(index) for index in range(len(values)))
    known = finite_of(values)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    ends = min(low, 0.0), high if high > low else low + 1
    return Picture(values, names, *ends, picture.remarks, activations=True)


def _transposed_remark(name: str, layer: "ConvTranspose2d") -> str:
    """Explain how a transposed convolution is shown."""
    between = " and ".join(
        f"{plural(stride - 1, 'zero')} between its {what}"
        for stride, what in zip(layer.stride, ("rows", "columns"), strict=True)
        if stride > 1
    )
    put = f" with {between}" if between else ""
    return (
        f"{name}: {layer} is shown as the convolution of its input{put}, its kernels rotated by 180 degrees"
    )


def as_convolution(layer: "ConvTranspose2d", weight: Floats, x: Floats) -> tuple[Conv2d, Floats, Floats]:
    """Write a transposed convolution as a convolution.

    Parameters
    ----------
    layer : ConvTranspose2d
        The layer.
    weight : ndarray, shape (I, O / groups, kh, kw)
        Its weight.
    x : ndarray, shape (I, H, W)
        Its input.

    Returns
    -------
    layer : Conv2d
        The convolution, of stride 1.
    weight : ndarray, shape (O, I / groups, kh, kw)
        Its weight: the kernels rotated by 180 degrees.
    x : ndarray, shape (I, (H - 1) * sh + 1, (W - 1) * sw + 1)
        Its input: zeros stand between the values.

    Raises
    ------
    SpecError
        If the padding cuts off more than a window.

    Examples
    --------
    >>> from convviz.spec.layers import ConvTranspose2d
    >>> layer = ConvTranspose2d(1, 1, 2, stride=2, bias=False)
    >>> found, weight, x = as_convolution(layer, np.float32([[[[1, 2], [3, 4]]]]), np.float32([[[1, 5]]]))
    >>> found.padding, weight.tolist(), x.tolist()
    (Edges(top=1, bottom=1, left=1, right=1), [[[[4.0, 3.0], [2.0, 1.0]]]], [[[1.0, 0.0, 5.0]]])
    """
    reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    before = [one - p for one, p in zip(reach, layer.padding, strict=True)]
    after = [one + more for one, more in zip(before, layer.output_padding, strict=True)]
    if min(before) < 0 or min(after) < 0:
        raise SpecError(f"{layer} cuts off more than a window; it cannot be shown as a convolution.")
    parts = weight.reshape(layer.groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    turned = parts.reshape(layer.out_channels, -1, *weight.shape[2:])[..., ::-1, ::-1]
    (sh, sw), (c, h, w) = layer.stride, x.shape
    spread = np.zeros((c, (h - 1) * sh + 1, (w - 1) * sw + 1), np.float32)
    spread[:, ::sh, ::sw] = x
    found = Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        padding=Edges(before[0], after[0], before[1], after[1]),
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias,
    )
    return found, np.ascontiguousarray(turned), spread


def chosen_layer(opened: "Opened", shape: tuple[int, ...], name: str | None) -> str:
    """Return the name of the chosen convolution: the given name, or the only one.

    Raises
    ------
    SpecError
        If no name is given and there are several.
    """
    if name is not None:
        return opened.engine.step_name(name)
    known = [one.name for one in convolutions(opened.engine.steps(shape))]
    if len(known) == 1:
        return known[0]
    listed = ", ".join(known[:_NAMED]) + (f" … ({len(known)} in all)" if len(known) > _NAMED else "")
    raise SpecError(f"layer: choose a convolution of {opened.engine.name}: {listed or 'it has none'}.")


def settings_of(source: "NetworkSource", layer: LayerSettings) -> LayerSettings:
    """Return the settings of a convolution of a network for one filter on one channel, without weights.

    Raises
    ------
    SpecError, UnknownNameError
        If the layer does not exist, or is not a Conv2d.
    """
    shape = source.usual_shape
    opened = source.open(shape)
    found = opened.engine.conv(chosen_layer(opened, shape, layer.layer_name)).layer
    if not isinstance(found, Conv2d):
        raise SpecError(f"layer: {layer.layer_name!r} is {found}; a worksheet is of a Conv2d.")
    return replace(
        layer,
        layer_name=None,
        weights=None,
        kernel_size=found.kernel_size,
        stride=found.stride,
        padding=found.padding,
        dilation=found.dilation,
        padding_mode=found.padding_mode,
        bias=found.bias,
    )


def convolutions(steps: "tuple[NetworkStep, ...]") -> "list[NetworkStep]":
    """List the steps that are convolutions of two axes."""
    return [one for one in steps if one.convolution]


def see(steps: "Sequence[NetworkStep]", at: HW, *, layer: str | None = None) -> Seen:
    """Find the receptive field of a value.

    Parameters
    ----------
    steps : sequence of NetworkStep
        The steps of a network.
    at : HW
        Row and column of the value in the maps of its layer.
    layer : str, optional
        The layer; by default the last one whose values do not depend on the whole input.

    Raises
    ------
    SpecError
        If every value of the layer depends on the whole input, or the value does not exist.

    Examples
    --------
    >>> from convviz.compute.networks.stack import StackEngine
    >>> from convviz.spec.stacks import parse_layers
    >>> steps = StackEngine(parse_layers("conv 2 k3 | maxpool 2"), (1, 8, 8)).steps((1, 8, 8))
    >>> print(see(steps, HW(0, 1)).box)
    rows 0 to 3, columns 2 to 5
    """
    having = [one for one in steps if one.height is not None and len(one.output_shape or ()) == 3]
    default = having[-1] if layer is None and having else None
    found = next((one for one in having if one.name == layer), default)
    if found is None or found.height is None or found.width is None or found.output_shape is None:
        one = next((one for one in steps if one.name == layer), None)
        if one is not None and not one.whole:
            raise SpecError(f"field: what a value of {layer!r} depends on is not defined; leave it out.")
        raise SpecError(
            f"field: every value of {layer!r} depends on the whole input; choose a layer before with --layer."
            if layer is not None
            else "field: every value of this network depends on the whole input."
        )
    check_inside("field", at, HW(*found.output_shape[1:]), what=f"the maps of {found.name}")
    return Seen(found.name, at, Box.of(found.height, found.width, at))
