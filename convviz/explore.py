"""One page on which a layer can be touched: one HTML file, which needs nothing from elsewhere."""

import base64
import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

from convviz.errors import SpecError
from convviz.images import Picture
from convviz.kernels import entries
from convviz.layers import Conv2d
from convviz.settings import LayerSettings, typed
from convviz.text import printable
from convviz.weights import FilterBank

# More would not be computed again while somebody waits.
MOST_PIXELS, MOST_FILTERS = 1 << 22, 64


def page(
    path: str,
    picture: Picture,
    layer: Conv2d,
    bank: FilterBank,
    settings: LayerSettings,
    *,
    reading: Sequence[str] = (),
) -> str:
    """Write the page of a run.

    Parameters
    ----------
    path : str
        What the picture is called.
    picture : Picture
        The input.
    layer : Conv2d
        The layer that the page begins with.
    bank : FilterBank
        Its numbers.
    settings : LayerSettings
        Where they come from.
    reading : sequence of str
        How the picture was read, as options of ``convviz run``.

    Returns
    -------
    str
        HTML with styles, scripts, picture and numbers in it.

    Raises
    ------
    SpecError
        If the picture or the layer is too large for a page.

    Examples
    --------
    >>> from convviz.weights import seeded
    >>> picture = Picture(np.zeros((1, 4, 4), np.float32), ("gray",))
    >>> layer = Conv2d(1, 2, 3)
    >>> page("x.png", picture, layer, seeded(layer), LayerSettings()).startswith("<!doctype html>")
    True
    """
    if picture.size.h * picture.size.w > MOST_PIXELS:
        raise SpecError(
            f"a page has room for {MOST_PIXELS:,} pixels, not {picture.size}; bring the picture to fewer "
            "with --resize."
        )
    if layer.out_channels > MOST_FILTERS:
        raise SpecError(f"a page has room for {MOST_FILTERS} filters, not {layer.out_channels}.")
    name = printable(path)
    parts = {
        "title": html.escape(f"{name}: convviz"),
        "heading": html.escape(name),
        "style": _part("page.css"),
        "convolve": _part("convolve.js"),
        "app": _part("app.js"),
        # A script of data ends at the first tag, wherever that stands.
        "data": json.dumps(_data(name, picture, layer, bank, settings, reading)).replace("<", "\\u003c"),
    }
    # In one pass: a name may look like one of the places.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html"))


def _part(name: str) -> str:
    """Read one part of the page."""
    return resources.files("convviz").joinpath("page", name).read_text(encoding="utf-8").rstrip("\n")


def _data(
    name: str,
    picture: Picture,
    layer: Conv2d,
    bank: FilterBank,
    settings: LayerSettings,
    reading: Sequence[str],
) -> dict[str, Any]:
    """Gather what the page begins with."""
    edges = layer.edges(picture.size)
    given = bool(settings.files or settings.kernel)
    # The page turns them itself.
    own = bank.turned() if settings.flip else bank
    low, high = picture.ends[0]
    return {
        "path": name,
        "shape": list(picture.shape),
        "channels": list(picture.channels),
        "low": low,
        "high": high,
        "planes": _planes(picture),
        "layer": {
            "outChannels": layer.out_channels,
            "kernel": list(layer.kernel_size),
            "groups": layer.groups,
        },
        "weight": _packed(own.weight),
        "bias": None if own.bias is None else _packed(own.bias),
        "given": given,
        "words": _words(settings),
        "reading": list(reading),
        "presets": [
            {"name": one.kernel.name, "taps": one.kernel.taps, "divisor": one.kernel.divisor}
            for one in entries()
        ],
        "state": {
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
            "map": 0,
            "own": None,
            "ownBias": None,
        },
    }


def _words(settings: LayerSettings) -> list[str]:
    """Write the options that name kernels or trained weights."""
    words = [f"-K '{typed(request)}'" for request in settings.kernel]
    if settings.weights is not None:
        words.append(f"--weights '{printable(str(settings.weights))}'")
    if settings.layer_name is not None:
        words.append(f"--layer '{printable(settings.layer_name)}'")
    if settings.bias_values is not None:
        words.append(f"--bias-values {typed(settings.bias_values)}")
    return words


def _planes(picture: Picture) -> dict[str, Any]:
    """Pack the planes: as bytes where that loses nothing, which is a quarter as long."""
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
    """Write float32 numbers in the order of bytes of all machines with browsers."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
