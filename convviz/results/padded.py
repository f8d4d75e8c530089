"""Show the padding that a layer puts round a picture, as numbers and as a drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convviz import __version__
from convviz.compute import conv
from convviz.images.decode import as_picture
from convviz.images.picture import Picture
from convviz.machine import memory
from convviz.render.drawings import padding as rendering
from convviz.render.drawings.drawing import Drawing
from convviz.results.drawn import Drawn
from convviz.spec import settings
from convviz.spec.geometry import Edges
from convviz.spec.layers import PADDING_MODES, Conv2d, Transposed
from convviz.typing import Floats


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Padded(Drawn):
    """Hold a picture with its padding.

    Parameters
    ----------
    picture : Picture
        The input.
    edges : Edges
        Widths of the padding, in pixels.
    channels : dict of str to ndarray, shape (C, H + top + bottom, W + left + right), float32
        The padded channels, by padding mode.
    transposed : Transposed, optional
        The transposed convolution that the layer which pads is equal to.
    """

    picture: Picture
    edges: Edges
    channels: dict[str, Floats]
    transposed: Transposed | None = None

    def lines(self, *, width: int = 100) -> list[str]:
        """Write padded channels as numbers, or the strongest of more than eight, with padding in brackets."""
        heading = [self.sentence, *filter(None, [rendering.left_out(self.picture)])]
        return [*heading, *(line for mode in self.channels for line in self.of_mode(mode, width=width))]

    @property
    def sentence(self) -> str:
        """Describe the size before and after padding."""
        size, edges = self.picture.size, self.edges
        words = f"{size} with padding {edges} (top, bottom, left, right) is {edges.around(size)}"
        return words if self.transposed is None else f"{self.transposed.sentence}: {words}"

    def of_mode(self, mode: str, *, width: int = 100) -> list[str]:
        """Write the channels that one mode pads, below a heading."""
        heading = ["", f"{mode} padding; values in brackets are padding", ""]
        return [*heading, *rendering.lines(self.picture, self.channels[mode], self.edges, width=width)]

    def document(self) -> dict[str, Any]:
        """Return every padded channel as plain values."""
        values = sum(channels.size for channels in self.channels.values())
        memory.need_objects(
            values, "the padded channels as JSON", "leave out --json, or make the input smaller"
        )
        return {
            **({} if self.transposed is None else {"transposed": self.transposed.document}),
            "input_shape": list(self.picture.x.shape),
            "padding": list(self.edges),
            "padded": {mode: channels.tolist() for mode, channels in self.channels.items()},
        }

    def drawing(self) -> Drawing:
        """Draw the channels, or the strongest of more than eight, mode below mode."""
        return rendering.draw(self.picture, self.channels, self.edges)

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the answer for the metadata of a file; `chosen` are settings to include."""
        made = {"version": __version__, "command": "pad", "padding": str(self.edges)}
        modes = tuple(self.channels)
        if modes == PADDING_MODES:
            made["all-modes"] = "true"
        elif modes != ("zeros",):
            made["padding-mode"] = modes[0]
        return made | settings.as_text(*chosen)


def pad(image: Any, padding: Any = 1, *, modes: Sequence[str] = ("zeros",), kernel_size: Any = 3) -> Padded:
    """Pad a picture as a layer does.

    Parameters
    ----------
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        As for `convviz.run`.
    padding : int, (int, int), ((int, int), (int, int)) or str
        As for `convviz.Conv2d`.
    modes : sequence of {"zeros", "reflect", "replicate", "circular"}
        How to fill the padding.
    kernel_size : int or (int, int)
        The kernel size of the layer, which padding "same" depends on.

    Returns
    -------
    Padded
        It has ``channels``, ``lines()``, ``drawing()`` and ``save(path)``; a notebook shows the drawing.

    Raises
    ------
    SpecError, ShapeError
        If the picture is too small for a mode to fill the padding.

    Examples
    --------
    >>> pad([[1, 2, 3]], (0, 1), modes=["reflect"]).channels["reflect"].tolist()
    [[[2.0, 1.0, 2.0, 3.0, 2.0]]]
    """
    picture = as_picture(image)
    layers = {mode: Conv2d(1, 1, kernel_size, padding=padding, padding_mode=mode) for mode in modes}
    edges = next(layer.edges(picture.size) for layer in layers.values())
    return Padded(picture, edges, {mode: conv.pad(picture.x, edges, mode) for mode in layers})
