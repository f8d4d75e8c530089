"""An interactive page of a layer or a network: one HTML file that needs no other file."""

import base64
import dataclasses
import html
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from convviz.compute.weights import LayerWeights, Parameters
from convviz.errors import SpecError
from convviz.images.picture import Picture
from convviz.page.presets import grouped_presets
from convviz.render.palette import colours
from convviz.render.words.program import layer_lines, stored_input
from convviz.spec import layers
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.network import Network, SizedStep
from convviz.spec.settings import InputSettings, LayerSettings, PageSettings, as_text, typed
from convviz.text import printable

_AS_IT_IS = InputSettings()
_LOOKS = PageSettings()

# Beyond these limits a change takes too long, or the file is too large to send.
MOST_PIXELS, MOST_FILTERS = 1 << 22, 64
# Larger pictures are brought to this many pixels along a side, as by the scripts, unless the user chooses.
MOST_SIDE = 1024
MOST_MACS, MOST_PARAMETERS = 1 << 31, 1 << 22
# Several workers share a single layer, and no other layer follows it.
MOST_MACS_ALONE = 1 << 33

_SCRIPTS = (
    # Workers run these four.
    *("convolve", "layers", "paint", "work"),
    *("words", "settings", "png", "pictures", "dom", "plan", "cells", "lines", "panes", "looks"),
    *(
        "store",
        "compute",
        "archive",
        "inspector",
        "rows",
        "marks",
        "stage",
        "maps",
        "filters",
        "strip",
        "play",
        "tabs",
    ),
    *("chain", "sketch", "export"),
    # What surrounds the stage.
    *("limits", "presets", "drawer", "upload", "tour", "keys", "progress", "app"),
)
# A program whose input and weights come from elsewhere.
NO_PROGRAM: Mapping[str, Any] = {"imports": [], "read": [], "other": {}, "opened": "", "stored": {}}
_STYLES = ("page", "drawer", "tour")


class InNetwork(NamedTuple):
    """Where in a network a layer stands.

    Attributes
    ----------
    words : sequence of str
        The options of ``convviz run`` that choose the network and the layer.
    subject : str
        What the heading of the page calls them.
    """

    words: Sequence[str]
    subject: str


def page(
    path: str,
    picture: Picture,
    layer: Conv2d,
    *,
    weights: LayerWeights,
    settings: LayerSettings,
    reading: InputSettings = _AS_IT_IS,
    others: Sequence[str] = (),
    looks: PageSettings = _LOOKS,
    words: Sequence[str] = (),
    network: InNetwork | None = None,
    program: Mapping[str, Any] = NO_PROGRAM,
    tour: bool = False,
) -> str:
    """Write the page of a layer.

    Parameters
    ----------
    path : str
        The name of the picture.
    picture : Picture
        The input.
    layer : Conv2d
        The layer that the page shows at first.
    weights : LayerWeights
        Its weights.
    settings : LayerSettings
        The settings that the weights come from.
    reading : InputSettings
        The settings with which the picture was read.
    others : sequence of str
        Further inputs; their channels are in the picture too.
    looks : PageSettings
        The initial colours for the values of maps.
    words : sequence of str
        The options of ``convviz run`` that name the weights, if they do not come from `settings`.
    network : InNetwork, optional
        Where the layer stands, if `picture` is what arrives there: the layer then has the settings
        and the weights of the network.
    program : dict
        How the program on the page reads the picture, as
        `convviz.render.words.program.network_lines` returns it.
    tour : bool
        Whether the tour starts on this page.

    Returns
    -------
    str
        The HTML, with styles, scripts, picture and numbers in it.

    Raises
    ------
    SpecError
        If the picture or the layer is too large for a page.
    UnknownNameError
        If the colour scale does not exist.

    Examples
    --------
    >>> from convviz.compute.weights import seeded
    >>> picture = Picture(np.zeros((1, 4, 4), np.float32), ("gray",))
    >>> layer = Conv2d(1, 2, 3)
    >>> text = page("x.png", picture, layer, weights=seeded(layer), settings=LayerSettings())
    >>> text.startswith("<!doctype html>")
    True
    """
    if layer.out_channels > MOST_FILTERS:
        raise SpecError(f"a page has room for {MOST_FILTERS} filters, not {layer.out_channels}.")
    if layer.macs(picture.shape) > MOST_MACS_ALONE:
        raise SpecError(
            f"a page has room for a layer of {MOST_MACS_ALONE:,} MACs, not "
            f"{layer.macs(picture.shape):,}; bring the picture to fewer pixels with --resize."
        )
    edges = layer.edges(picture.size)
    given = bool(settings.files or settings.kernel or words or network)
    # The page rotates the kernels itself.
    own = weights.turned() if settings.flip else weights
    parameters = {"weight": own.weight} | ({} if own.bias is None else {"bias": own.bias})
    output = (layer.out_channels, *layer.output_size(picture.size))
    step = SizedStep("conv", layer, ("input",), (picture.shape,), output, 0, None, None)
    chosen = {
        "outChannels": layer.out_channels,
        "preset": "page" if given else "seed",
        "seed": settings.seed & 0xFFFFFFFF,
        "kernelH": layer.kernel_size.h,
        "kernelW": layer.kernel_size.w,
        "strideH": layer.stride.h,
        "strideW": layer.stride.w,
        "padTop": edges.top,
        "padBottom": edges.bottom,
        "padLeft": edges.left,
        "padRight": edges.right,
        "mode": layer.padding_mode,
        "dilationH": layer.dilation.h,
        "dilationW": layer.dilation.w,
        "groups": layer.groups,
        "bias": layer.bias,
        "flip": settings.flip,
    }
    more = {
        "single": True,
        "tour": tour,
        "given": given,
        "words": list(network.words if network else words) or _words(settings),
        "arrives": network is not None,
        "reading": [*map(shlex.quote, others), *options_of(reading)],
        "layers": [layer_data(step, parameters)],
        "program": stored_input() if network else dict(program),
    }
    subject = network.subject if network else ""
    return written(path, picture, reading, looks=looks, more=more, chosen=chosen, subject=subject)


def network_page(
    path: str,
    picture: Picture,
    network: Network,
    *,
    steps: Sequence[SizedStep],
    parameters: Mapping[str, Parameters],
    command: Sequence[str] = (),
    reading: InputSettings = _AS_IT_IS,
    read_as: InputSettings | None = None,
    origin: str = "",
    program: Mapping[str, Any] = NO_PROGRAM,
    others: Sequence[str] = (),
    looks: PageSettings = _LOOKS,
) -> str:
    """Write the page of a network, with a panel for each of its layers.

    Parameters
    ----------
    path : str
        The name of the picture.
    picture : Picture
        The input.
    network : Network
        The network.
    steps : sequence of SizedStep
        Its layers for this input.
    parameters : dict of dict of ndarray
        Their parameters, by the names of the layers.
    command : sequence of str
        The options of ``convviz run`` that choose the network.
    reading : InputSettings
        The settings that the user chose to read the picture.
    read_as : InputSettings, optional
        The settings with which it was read, if the network needs others.
    others : sequence of str
        Further inputs; their channels are in the picture too.
    origin : str
        The line of Python before the layers: the seed of their weights, or a comment.
    program : dict
        The parts that the program needs besides its layers, as
        `convviz.render.words.program.network_lines` returns them.
    looks : PageSettings
        The initial colours for the values of maps.

    Returns
    -------
    str
        The HTML, with styles, scripts, picture and numbers in it.

    Raises
    ------
    SpecError
        If the picture or the network is too large for a page.
    UnknownNameError
        If the colour scale does not exist.

    Examples
    --------
    >>> from convviz.compute.networks.filling import seeded
    >>> from convviz.spec.stacks import parse_layers
    >>> picture = Picture(np.zeros((1, 8, 8), np.float32), ("gray",))
    >>> network = parse_layers("conv 2 k3 | relu | maxpool 2")
    >>> steps = network.sized(picture.shape)
    >>> text = network_page("x.png", picture, network, steps=steps, parameters=seeded(steps))
    >>> text.startswith("<!doctype html>")
    True
    """
    for what, count, most in _sizes(steps):
        if count > most:
            raise SpecError(
                f"a page has room for a network of {most:,} {what}, not {count:,}; take its first layers "
                f"with --until{', or a smaller picture with --resize' if what == 'MACs' else ''}."
            )
    more = {
        "single": False,
        "given": False,
        "words": list(command),
        "reading": [*map(shlex.quote, others), *options_of(reading)],
        "layers": [layer_data(one, parameters.get(one.name, {})) for one in steps],
        "classes": list(network.classes),
        "origin": origin,
        "program": dict(program),
    }
    return written(path, picture, read_as or reading, looks=looks, more=more, chosen={})


def has_room(steps: Sequence[SizedStep]) -> bool:
    """Return whether the browser can compute all these layers."""
    return all(count <= most for _, count, most in _sizes(steps))


def _sizes(steps: Sequence[SizedStep]) -> tuple[tuple[str, int, int], ...]:
    """Count what limits a network on a page: a word, the number, and the limit."""
    return (
        ("MACs", sum(one.macs for one in steps), MOST_MACS),
        ("parameters", sum(one.layer.parameters for one in steps), MOST_PARAMETERS),
    )


def written(
    path: str,
    picture: Picture,
    reading: InputSettings,
    *,
    looks: PageSettings,
    more: Mapping[str, Any],
    chosen: Mapping[str, Any],
    blobs: Sequence[str] = (),
    subject: str = "",
) -> str:
    """Put styles, scripts and data into the page; `blobs` are arrays that its layers refer to by number."""
    if picture.size.h * picture.size.w > MOST_PIXELS:
        raise SpecError(
            f"a page has room for {MOST_PIXELS:,} pixels, not {picture.size}; bring the picture to fewer "
            "with --resize."
        )
    name = printable(path)
    low, high = picture.ends[0]
    normal = picture.normalized
    data = {
        "path": name,
        "shape": list(picture.shape),
        "channels": list(picture.channels),
        "activations": picture.activations,
        "low": low,
        "high": high,
        "pixels": _channels(picture),
        # The settings to read another picture; the page determines its channels and its size.
        "prepared": options_of(dataclasses.replace(reading, mode=None, resize=None, crop=None)),
        "most": 1 if reading.range == "unit" else 255,
        "mostMacs": MOST_MACS_ALONE,
        "normalize": None if normal is None else {"mean": list(normal.mean), "std": list(normal.std)},
        "presets": grouped_presets(),
        "tables": {name: _table(name) for name in dict.fromkeys(("signed", "gray", looks.colormap))},
        "classes": [],
        "origin": "",
        "program": dict(NO_PROGRAM),
        "state": {"at": 0, "map": 0, "edits": {}, "channelScale": "shared"}
        | _painted(looks)
        | _NO_LAYER
        | dict(chosen),
    } | dict(more)
    # Only the command contains the folder of the picture.
    heading = ", ".join(filter(None, (Path(name).name, printable(subject))))
    parts = {
        "title": html.escape(f"{heading}: convviz"),
        "heading": html.escape(heading),
        "style": "\n".join(_part(f"{style}.css") for style in _STYLES),
        **{script: _part(f"{script}.js") for script in _SCRIPTS},
        # A data script ends at the first tag, even inside a string.
        "data": json.dumps(data).replace("<", "\\u003c"),
        # Not in the data, which the browser reads whole at the start.
        "storedArrays": "".join(
            f'<script type="text/plain" id="stored-{at}">{blob}</script>\n' for at, blob in enumerate(blobs)
        ),
    }
    # Fill all placeholders in one pass: a name may look like a placeholder.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html"))


def _table(name: str) -> str:
    """Pack the colours of a scale: red, green and blue of every level."""
    table = colours(name)
    levels = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1) if table is None else table
    return base64.b64encode(np.ascontiguousarray(levels).tobytes()).decode("ascii")


def _painted(looks: PageSettings) -> dict[str, str]:
    """Return the colour settings of the maps in the terms of the page."""
    return {"colormap": looks.colormap, "limits": str(looks.limits), "scale": looks.scale}


# The settings of a layer on the page of a network; the user cannot change them there.
_NO_LAYER = dict.fromkeys(
    (
        *("outChannels", "kernelH", "kernelW", "strideH", "strideW", "dilationH", "dilationW", "groups"),
        *("seed", "padTop", "padBottom", "padLeft", "padRight"),
    ),
    0,
) | {"preset": "seed", "mode": "zeros", "bias": True, "flip": False}


def _module(layer: layers.Layer, shape: layers.Shape) -> str:
    """Write the torch call that makes a layer."""
    return f"torch.nn.{layer}"


def _arguments(layer: layers.Layer, shape: layers.Shape) -> dict[str, Any]:
    """Return the arguments of a layer as plain values."""
    of = {field.name: getattr(layer, field.name) for field in dataclasses.fields(cast("Any", layer))}
    return {name: list(value) if isinstance(value, HW) else value for name, value in of.items()}


def _conv_arguments(layer: layers.Conv2d, shape: layers.Shape) -> dict[str, Any]:
    """Return the settings of a convolution, with the padding of each side in pixels."""
    return {
        "outChannels": layer.out_channels,
        "kernel": list(layer.kernel_size),
        "stride": list(layer.stride),
        "padding": list(layer.edges(HW(*shape[1:]))),
        "mode": layer.padding_mode,
        "dilation": list(layer.dilation),
        "groups": layer.groups,
    }


class _Row(NamedTuple):
    """The form of a kind of layer on the page: its text, and the options of its script."""

    text: Callable[[Any, layers.Shape], str] = _module
    options: Callable[[Any, layers.Shape], dict[str, Any]] = _arguments


_AS_ALL = _Row()
# One row for each kind that differs from the default.
_ROWS: dict[type[layers.Layer], _Row] = {
    layers.Conv2d: _Row(
        lambda layer, shape: " ".join(line.strip() for line in layer_lines(layer, HW(*shape[1:]))),
        _conv_arguments,
    ),
    # These layers compute something else during training.
    layers.BatchNorm2d: _Row(lambda layer, shape: f"{_module(layer, shape)}.eval()"),
    layers.Dropout: _Row(lambda layer, shape: f"{_module(layer, shape)}.eval()"),
    layers.Softmax: _Row(options=lambda layer, shape: {"axis": layer.axis(shape)}),
}


def layer_data(one: SizedStep, parameters: Parameters) -> dict[str, Any]:
    """Return one layer as plain values."""
    layer, shape = one.layer, one.input_shapes[0]
    row = _ROWS.get(type(layer), _AS_ALL)
    return {
        "name": printable(one.name),
        "kind": type(layer).__name__,
        "text": row.text(layer, shape),
        "inputs": [printable(name) for name in one.inputs],
        "shape": list(one.output_shape),
        "options": row.options(layer, shape),
        "parameters": {name: _packed(values) for name, values in parameters.items()},
    }


def _part(name: str) -> str:
    """Read one source file of the page."""
    return resources.files("convviz").joinpath("page", name).read_text(encoding="utf-8").rstrip("\n")


def options_of(reading: InputSettings) -> list[str]:
    """Return the input settings as options of ``convviz run``."""
    return [
        f"--{name}{'=' if text.startswith('-') else ' '}{shlex.quote(text)}"
        for name, text in as_text(reading).items()
        if isinstance(text, str)
    ]


def _words(settings: LayerSettings) -> list[str]:
    """Return the options that name kernels or trained weights."""
    words = [f"-K {shlex.quote(typed(request))}" for request in settings.kernel]
    if settings.kernel:
        # The other options that choose weights besides kernels; the page writes those of seeded weights.
        words += [f"-O {settings.out_channels}"] if settings.out_channels is not None else []
        words += [f"-k {typed(settings.kernel_size)}"] if settings.kernel_size is not None else []
        words += [f"--seed {settings.seed}"] if settings.seed else []
        words += ["--bias"] if settings.bias else []
    if settings.weights is not None:
        words.append(f"--weights {shlex.quote(printable(str(settings.weights)))}")
    if settings.layer_name is not None:
        words.append(f"--layer {shlex.quote(printable(settings.layer_name))}")
    if settings.bias_values is not None:
        words.append(f"--bias-values {typed(settings.bias_values)}")
    return words


def _channels(picture: Picture) -> dict[str, Any]:
    """Pack the channels; as bytes if that loses nothing, because bytes take a quarter of the space."""
    x = picture.x
    for divisor in (255, 1):
        levels = np.rint(x * np.float32(divisor))
        if levels.min() >= 0 and levels.max() <= 255:
            levels = levels.astype(np.uint8)
            if np.array_equal((levels / divisor).astype(np.float32), x):
                data = base64.b64encode(levels.tobytes()).decode("ascii")
                return {"kind": "u8", "divisor": divisor, "data": data}
    return {"kind": "f32", "data": _packed(x)}


def _packed(values: Any) -> str:
    """Pack float32 numbers in little-endian order, as on all machines with browsers."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
