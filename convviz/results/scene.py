"""Set up scenes for an animation: convolution, its transpose, or pooling, on squares or on numbers."""

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convviz.analysis.trace import check_index
from convviz.compute import conv
from convviz.compute.networks import stack
from convviz.compute.weights import LayerWeights, seeded
from convviz.errors import InputError, ShapeError, SpecError
from convviz.files.paths import quoted
from convviz.files.toml_ import read_toml
from convviz.images.picture import Picture
from convviz.render.contrast import channel_ends
from convviz.render.drawings.animation import Animation
from convviz.render.drawings.film import Film
from convviz.render.drawings.lesson import Lesson
from convviz.render.drawings.pace import pace
from convviz.render.drawings.scene import Scene
from convviz.results import feature_maps
from convviz.spec import parsing
from convviz.spec.geometry import HW, Axis, Edges, transposed_axis
from convviz.spec.layers import AvgPool2d, Conv2d, MaxPool2d, Padding, Transposed
from convviz.spec.settings import LayerSettings, Style, typed
from convviz.text import channel_label
from convviz.typing import Floats


def direct(
    layer: Conv2d,
    size: HW,
    *,
    picture: Picture | None = None,
    weights: LayerWeights | None = None,
    index: int = 0,
) -> Scene:
    """Set up the scene of a convolution.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    size : HW
        Size of the input, in pixels.
    picture : Picture, optional
        Numbers for the input; without it, abstract squares.
    weights : LayerWeights, optional
        The weights of the layer, with `picture`.
    index : int
        The index of the map to show.

    Returns
    -------
    Scene
        One frame per value of the map.

    Examples
    --------
    >>> direct(Conv2d(1, 1, 3, stride=2, padding=1), HW(6, 6)).frames
    9
    """
    check_index("map", index, layer.out_channels)
    height, width = layer.axes(size)
    scene = Scene(_title(layer, size, height, width=width), height, width, padding_mode=layer.padding_mode)
    inputs = layer.channels_of(index)
    scene = replace(scene, channels=_names(picture, inputs))
    if picture is None or weights is None:
        return scene
    maps = feature_maps.run(picture, layer, weights).maps
    return replace(
        scene,
        inputs=picture.x[inputs],
        values=maps[index],
        kernels=weights.weight[index],
        bias=None if weights.bias is None else float(weights.bias[index]),
        name=weights.names[index],
        ends=_ends(picture, inputs),
        own_ends=picture.activations,
    )


def pooled(
    layer: MaxPool2d | AvgPool2d, size: HW, *, picture: Picture | None = None, index: int = 0
) -> Scene:
    """Set up the scene of a pooling layer, which makes every map from one channel.

    Parameters
    ----------
    layer : MaxPool2d or AvgPool2d
        The layer.
    size : HW
        Size of the input, in pixels.
    picture : Picture, optional
        Numbers for the input; without it, abstract squares.
    index : int
        The index of the channel to show.

    Returns
    -------
    Scene
        One value per window.

    Examples
    --------
    >>> pooled(MaxPool2d(2), HW(6, 4)).size
    HW(h=3, w=2)
    """
    check_index("map", index, 1 if picture is None else picture.x.shape[0])
    _, *output = layer.output_shape((1, *size))
    axes = []
    for n, count, k, stride, dilation, padding in zip(
        size, output, layer.kernel_size, layer.stride, layer.dilation, layer.padding, strict=True
    ):
        # With ceil_mode the last window may extend beyond the padding.
        after = max(padding, (count - 1) * stride + dilation * (k - 1) + 1 - n - padding)
        axes.append(Axis(n, k, stride, dilation, padding, after))
    height, width = axes
    biggest = isinstance(layer, MaxPool2d)
    words = [f"{'max' if biggest else 'average'} pooling {layer.kernel_size}"]
    words += [f"stride {typed(layer.stride)}"] if layer.stride != layer.kernel_size else []
    words += [f"dilation {typed(layer.dilation)}"] if layer.dilation != HW(1, 1) else []
    words += [f"padding {typed(layer.padding)}"] if any(layer.padding) else []
    words += ["ceil mode"] if layer.ceil_mode else []
    title = f"{', '.join(words)}: {size} -> {HW(height.output, width.output)}"
    scene = Scene(title, height, width, rule="max" if biggest else "mean", name="map")
    if picture is None:
        return scene
    x = picture.x[index : index + 1]
    return replace(
        scene,
        channels=_names(picture, range(index, index + 1)),
        inputs=x,
        values=stack.compute(layer, [x], {})[0],
        counts=None if isinstance(layer, MaxPool2d) else stack.divisors(layer, size),
        ends=_ends(picture, range(index, index + 1)),
        own_ends=picture.activations,
    )


def transposed(
    layer: Conv2d,
    size: HW,
    *,
    output_padding: HW = HW(0, 0),
    picture: Picture | None = None,
    weight: Floats | None = None,
    index: int = 0,
) -> Scene:
    """Set up the scene of a transposed convolution, as ``torch.nn.ConvTranspose2d`` without bias computes it.

    Parameters
    ----------
    layer : Conv2d
        Its arguments; zero padding, equal on opposite sides, and one group.
    size : HW
        Size of the input, in pixels.
    output_padding : HW
        Additional rows and columns at the bottom and on the right.
    picture : Picture, optional
        Numbers for the input.
    weight : ndarray, shape (I, O, kh, kw), float32, optional
        The weights, with `picture`.
    index : int
        The index of the map to show.

    Returns
    -------
    Scene
        The input with inserted zeros, under the rotated kernel at stride 1.

    Raises
    ------
    SpecError, ShapeError
        If torch does not have such a layer, or the output is empty.

    Examples
    --------
    >>> transposed(Conv2d(1, 1, 3, stride=2, padding=1), HW(3, 3), output_padding=HW(1, 1)).frames
    36
    """
    check_index("map", index, layer.out_channels)
    edges = layer.padding
    if not isinstance(edges, Edges) or (edges.top, edges.left) != (edges.bottom, edges.right):
        raise SpecError("padding of a transposed convolution is a number, or one for each axis.")
    if layer.padding_mode != "zeros" or layer.groups != 1:
        raise SpecError("a transposed convolution is animated with zero padding and one group.")
    axes = []
    for name, axis, padding in (("height", "h", edges.top), ("width", "w", edges.left)):
        n, k, stride, dilation, more = (
            getattr(pair, axis)
            for pair in (size, layer.kernel_size, layer.stride, layer.dilation, output_padding)
        )
        try:
            found = transposed_axis(
                n, k, stride=stride, padding=padding, output_padding=more, dilation=dilation
            )
        except ShapeError as error:
            raise ShapeError(f"{name}: {error}") from None
        axes.append(found)
    height, width = axes
    title = "transposed " + _title(layer, size, height, width=width, output_padding=output_padding)
    scene = Scene(title, height, width, layer.stride, channels=_names(picture, range(layer.in_channels)))
    if picture is None or weight is None:
        return scene
    values = _correlate(picture.x, weight, scene, dilation=layer.dilation)
    return replace(scene, inputs=picture.x, values=values[index])


def _correlate(x: Floats, weight: Floats, scene: Scene, *, dilation: HW) -> Floats:
    """Put zeros between the pixels, then slide the rotated kernels over them."""
    height, width = scene.height, scene.width
    spread = np.zeros((x.shape[0], height.padded, width.padded), np.float32)
    # Padding below 0 removes pixels, so that only the pixels inside are inserted.
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            y, z = row * scene.zoom.h + height.before, column * scene.zoom.w + width.before
            if 0 <= y < height.padded and 0 <= z < width.padded:
                spread[:, y, z] = x[:, row, column]
    turned = np.ascontiguousarray(weight.swapaxes(0, 1)[:, :, ::-1, ::-1])
    return conv.conv2d(spread, turned, dilation=(dilation.h, dilation.w))


def transposed_weight(layer: Conv2d, settings: LayerSettings, weights: LayerWeights) -> Floats:
    """Return the weight (I, O, kh, kw) of a transposed layer: drawn by torch, or from the named kernels."""
    if settings.kernel:
        return np.ascontiguousarray(weights.weight.swapaxes(0, 1))
    swapped = Conv2d(layer.out_channels, layer.in_channels, layer.kernel_size, bias=False)
    return seeded(swapped, settings.seed).weight


def film(
    scene: Scene, *, style: Style = "flat", ms: int | None = None, cells: int | Literal["all"] | None = None
) -> Film:
    """Animate a scene.

    Parameters
    ----------
    scene : Scene
        The scene to show. A convolution or a pooling layer on numbers, seen from above, shows its work:
        pictures, kernels, products and sums; all other scenes show squares.
    style : {"flat", "iso"}
        Seen from above, or tilted.
    ms, cells
        As for `convviz.render.drawings.pace.pace`.

    Returns
    -------
    Film
        Frames for any format, at most 15 seconds long by default.

    Examples
    --------
    >>> len(film(direct(Conv2d(1, 1, 3), HW(5, 5))).beats)
    9
    """
    if explained(scene, style):
        lesson = Lesson(scene)
        return lesson.film(pace(scene.size, steps=lesson.steps, ms=ms, cells=cells))
    return Animation(scene, style).film(pace(scene.size, ms=ms, cells=cells))


def explained(scene: Scene, style: Style) -> bool:
    """Return whether a scene shows its work, not squares."""
    return scene.inputs is not None and style == "flat" and (scene.kernels is not None or scene.rule != "sum")


def transposed_title(of: Transposed) -> str:
    """Describe a transposed convolution that is shown as the equal convolution.

    Examples
    --------
    >>> from convviz.spec.layers import ConvTranspose2d
    >>> transposed_title(Transposed(ConvTranspose2d(1, 1, 3, stride=2, padding=1), (1, 4, 4)))
    'transposed kernel 3x3, stride 2, padding 1: 4x4 -> 7x7, as the equal convolution of 7x7'
    """
    layer = of.layer
    like = Conv2d(1, 1, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    _, *made = layer.output_shape(of.shape)
    words = _words(like, HW(*of.shape[1:]), HW(*made), output_padding=layer.output_padding)
    return f"transposed {words}, as the equal convolution of {HW(*of.spread[1:])}"


def _ends(picture: Picture, inputs: range) -> list[tuple[float, float]] | None:
    """Return the values of black and white; they are no longer known after a picture is normalized."""
    return None if picture.normalized is not None else [channel_ends(picture, index) for index in inputs]


def _names(picture: Picture | None, inputs: range) -> tuple[str, ...]:
    """Name the channels that are shown."""
    if picture is not None:
        return tuple(channel_label(name) for name in picture.channels[inputs.start : inputs.stop])
    return tuple(f"channel {channel}" for channel in inputs)


def _title(layer: Conv2d, size: HW, height: Axis, *, width: Axis, output_padding: HW = HW(0, 0)) -> str:
    """Describe the operation in one line."""
    return _words(layer, size, HW(height.output, width.output), output_padding=output_padding)


def _words(layer: Conv2d, size: HW, made: HW, *, output_padding: HW) -> str:
    """Describe settings, the size of the input and that of the output."""
    words = [f"kernel {layer.kernel_size}"]
    for name, pair in (("stride", layer.stride), ("dilation", layer.dilation)):
        words += [f"{name} {typed(pair)}"] if pair != HW(1, 1) else []
    edges: Padding = layer.padding
    if edges in ("same", "same-lower"):
        words.append(f"padding {edges}")
    elif isinstance(edges, Edges) and any(edges):
        mode = "" if layer.padding_mode == "zeros" else f" ({layer.padding_mode})"
        words.append(f"padding {typed(edges)}{mode}")
    words += [f"output padding {typed(output_padding)}"] if any(output_padding) else []
    return f"{', '.join(words)}: {size} -> {made}"


# The keys that a case of a gallery may have, each with the parser of the option of that name.
_KEYS = {
    "kernel-size": parsing.pair("kernel_size"),
    "stride": parsing.pair("stride"),
    "padding": parsing.padding,
    "dilation": parsing.pair("dilation"),
}


def gallery(path: Path | None = None) -> dict[str, Scene]:
    """Read the cases of a gallery.

    Parameters
    ----------
    path : Path, optional
        A TOML file with one table per case; by default the classic cases of Dumoulin and Visin.

    Returns
    -------
    dict of Scene
        By name, in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read, or a key of a case is not one of the options.
    SpecError, ShapeError
        If a case is not valid.

    Examples
    --------
    >>> len(gallery()), gallery()["dilation"].frames
    (15, 9)
    """
    where = path if path is not None else _classic()
    return {name: _case(name, case, where) for name, case in read_toml(where).items()}


def _classic() -> Path:
    """Find the gallery: beside the modules of an installed package, or among the samples of a checkout."""
    installed = Path(str(resources.files("convviz"))) / "gallery.toml"
    return installed if installed.exists() else installed.parents[1] / "samples" / "gallery.toml"


def _case(name: str, case: Any, where: Path) -> Scene:
    """Check one case and set it up."""
    known = {"size", "transposed", "output-padding", *_KEYS}
    if not isinstance(case, dict) or not isinstance(case.get("size"), str) or case.keys() - known:
        raise InputError(
            f'{quoted(where)}: [{name}] needs a size such as "5x5" and knows {", ".join(sorted(known))}.'
        )
    chosen: dict[str, Any] = {
        key.replace("-", "_"): parse(str(case[key])) for key, parse in _KEYS.items() if key in case
    }
    settings = LayerSettings(out_channels=1, **chosen)
    size, layer = parsing.pair("size")(case["size"]), settings.conv2d(1)
    if not case.get("transposed", False):
        return direct(layer, size)
    more = parsing.pair("output_padding", least=0)(str(case.get("output-padding", "0")))
    return transposed(layer, size, output_padding=more)
