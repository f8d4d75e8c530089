"""Answer questions about a run: one value, one pixel, one weight, the matrices, the groups."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table

from convviz.analysis.trace import Feed, Trace, WeightTrace, check_index, trace, trace_pixel, trace_weight
from convviz.analysis.unfold import Unfolded, unfold
from convviz.errors import SpecError, UnknownNameError
from convviz.render.contrast import DEFAULT
from convviz.render.drawings import explanation, groups, product, reach
from convviz.render.drawings.drawing import Drawing
from convviz.render.words import shapes, tables
from convviz.results import feature_maps
from convviz.results.drawn import Drawn
from convviz.results.feature_maps import FeatureMaps
from convviz.spec.geometry import HW, padding_shares
from convviz.spec.settings import ContrastSettings
from convviz.text import number, plural


@dataclass(frozen=True, slots=True)
class Question:
    """Ask about a run: one of `at`, `pixel`, `weight`, `as_matrix` and `group_map`; `at` by default.

    Parameters
    ----------
    at : HW, optional
        Row and column of an output value; by default the value of the largest magnitude in the map.
    index : int or str, optional
        The map of the value, by its number or its name; the first by default.
    pixel : HW, optional
        Row and column of an input pixel.
    weight : (int, int, int, int), optional
        Indices of a weight in the array (O, I / groups, kh, kw).
    as_matrix : bool
        Whether to show the layer as matrix products.
    group_map : bool
        Whether to show which channels feed which maps.

    Raises
    ------
    SpecError
        If several questions are asked, or a map is chosen for a weight, which belongs to only one.
    """

    at: HW | None = None
    index: int | str | None = None
    pixel: HW | None = None
    weight: tuple[int, int, int, int] | None = None
    as_matrix: bool = False
    group_map: bool = False

    def __post_init__(self) -> None:
        asked = sum(value is not None for value in (self.at, self.pixel, self.weight))
        if asked + self.as_matrix + self.group_map > 1:
            raise SpecError(
                "at, pixel, weight, as_matrix and group_map are different questions; give one of them."
            )
        if self.group_map and self.index is not None:
            raise SpecError("map: the group map shows every map; leave out the map.")
        if self.weight is not None and self.index is not None:
            raise SpecError(
                "map: a weight belongs to one filter, the first of its numbers; leave out the map."
            )

    @property
    def number(self) -> int:
        """The number of the map; the first as long as only its name is known."""
        return self.index if isinstance(self.index, int) else 0

    def about(self, run: FeatureMaps, looks: ContrastSettings = DEFAULT) -> "Explanation":
        """Answer the question for a run; `looks` sets how values of maps become brightness in a drawing.

        Raises
        ------
        SpecError, UnknownNameError
            If the map, position, pixel or weight does not exist.
        BackendError
            If the parts do not add up to the result of the backend.
        """
        if isinstance(self.index, str):
            if self.index not in run.names:
                raise UnknownNameError("map", self.index, run.names)
            return replace(self, index=run.names.index(self.index)).about(run, looks)
        index = self.number
        if self.pixel is not None:
            check_index("map", index, run.layer.out_channels)
            return PixelExplanation(run, self, looks, trace_pixel(run, at=self.pixel))
        if self.weight is not None:
            return WeightExplanation(run, self, looks, trace_weight(run, indices=self.weight))
        if self.as_matrix:
            return MatrixExplanation(run, self, looks, unfold(run, index=index))
        if self.group_map:
            return GroupMap(run, self, looks)
        return ValueExplanation(run, self, looks, trace(run, at=self.at, index=index))

    def as_text(self) -> dict[str, str]:
        """Return the question as a user would type it."""
        places = {"at": self.at, "pixel": self.pixel, "weight": self.weight}
        text = {key: ",".join(map(str, place)) for key, place in places.items() if place is not None}
        flags = {"as-matrix": self.as_matrix, "group-map": self.group_map}
        text |= {key: "true" for key, is_asked in flags.items() if is_asked}
        return text | ({"map": str(self.index)} if self.index is not None else {})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Explanation(Drawn):
    """Hold the answer to a question about a run.

    Parameters
    ----------
    run : FeatureMaps
        The run.
    question : Question
        The question.
    looks : ContrastSettings
        How the values of maps become brightness in the drawing.
    """

    run: FeatureMaps
    question: Question
    looks: ContrastSettings

    def lines(self, *, width: int = 100) -> list[str]:
        """Write the answer, below the name of a transposed convolution, if it is about one."""
        named = [] if self.run.transposed is None else [self.run.transposed.sentence, ""]
        return [*named, *self._lines(width=width)]

    def document(self) -> dict[str, Any]:
        """Return the answer as plain values, with the settings of a transposed convolution."""
        named = {} if self.run.transposed is None else {"transposed": self.run.transposed.document}
        return {**named, **self._document()}

    @abstractmethod
    def _lines(self, *, width: int) -> list[str]:
        """Write the answer."""

    @abstractmethod
    def _document(self) -> dict[str, Any]:
        """Return the answer as plain values."""

    def table(self) -> Table | None:
        """Tabulate the rows that follow the lines, if any."""
        return None

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the answer for the metadata of a file; `chosen` are settings to include."""
        return {**self.run.description(*chosen), "command": "explain", **self.question.as_text()}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ValueExplanation(Explanation):
    """Explain one output value; its trace is in `found`."""

    found: Trace

    def _lines(self, *, width: int) -> list[str]:
        """Write the arithmetic of the value, and how much of the work of the layer meets padding."""
        text = explanation.lines(self.found, self.run, width=width)
        size = self.run.picture.size
        if any(self.run.layer.edges(size)):
            text.append(shapes.padding_line(*self.run.layer.axes(size)))
        return text

    def _document(self) -> dict[str, Any]:
        """Return every number as plain values."""
        found = self.found
        outputs, products = padding_shares(*self.run.layer.axes(self.run.picture.size))
        return {
            "at": list(found.at),
            **({"chosen": "largest magnitude"} if found.largest else {}),
            "map": {"index": found.index, "name": found.name},
            "window": {"rows": list(found.rows), "columns": list(found.columns)},
            "channels": [
                {
                    "index": channel.channel,
                    "name": channel.name,
                    "patch": channel.patch.tolist(),
                    "kernel": channel.kernel.tolist(),
                    "products": channel.products.tolist(),
                    "sum": channel.total,
                }
                for channel in found.channels
            ],
            "inside": found.inside.tolist(),
            "bias": found.bias,
            "value": found.total,
            **({} if found.stored is None else {"stored": found.stored}),
            "backend": {"name": found.backend, "value": found.computed, "difference": found.difference},
            "padding_shares": {"outputs": outputs, "products": products},
        }

    def drawing(self) -> Drawing:
        """Draw the window, the products and the value."""
        return explanation.draw(self.found, self.run, self.looks)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PixelExplanation(Explanation):
    """Explain one input pixel; the outputs that it feeds are in `feeds`."""

    feeds: list[Feed]

    @property
    def at(self) -> HW:
        """The pixel."""
        assert self.question.pixel is not None
        return self.question.pixel

    @property
    def copied(self) -> bool:
        """Whether the padding holds copies of the pixel that windows read."""
        return any(feed.cell != self.at for feed in self.feeds)

    def _lines(self, *, width: int) -> list[str]:
        """Describe how many values the pixel feeds."""
        at, picture = self.at, self.run.picture
        values = picture.x[:, at.h, at.w].tolist()
        words = ", ".join(
            f"{name} {number(value, digits=6)}" for name, value in zip(picture.channels, values, strict=True)
        )
        count = len({feed.output for feed in self.feeds})
        text = [f"pixel {at.h},{at.w} ({words}) feeds {plural(count, 'position')} of every map that reads it"]
        if self.copied:
            text.append("cells in brackets are copies of it in the padding")
        if not self.feeds:
            text.append("no window holds it: the stride passes it by, or it lies past the last window")
        return text

    def table(self) -> Table | None:
        """Tabulate the products of the pixel."""
        if not self.feeds:
            return None
        rows = reach.rows_of_feeds(self.feeds, self.run, at=self.at)
        return tables.feeds(rows, cells=self.copied)

    def _document(self) -> dict[str, Any]:
        """Return every product as plain values."""
        return {
            "pixel": list(self.at),
            "values": self.run.picture.x[:, self.at.h, self.at.w].tolist(),
            "feeds": [
                {
                    "map": feed.index,
                    "name": self.run.names[feed.index],
                    "channel": feed.channel,
                    "output": list(feed.output),
                    "tap": list(feed.tap),
                    "weight": feed.weight,
                    "cell": list(feed.cell),
                }
                for feed in self.feeds
            ],
        }

    def drawing(self) -> Drawing:
        """Draw the pixel and its outputs in one map."""
        return reach.draw_pixel(self.at, self.feeds, self.run, index=self.question.number, looks=self.looks)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WeightExplanation(Explanation):
    """Explain what one weight multiplies and feeds; its trace is in `found`."""

    found: WeightTrace

    def _lines(self, *, width: int) -> list[str]:
        """Describe what the weight multiplies and feeds."""
        return [*reach.lines(self.found, self.run), ""]

    def table(self) -> Table:
        """Tabulate the products of the weight."""
        return tables.products(reach.rows_of(self.found))

    def _document(self) -> dict[str, Any]:
        """Return every product as plain values."""
        found = self.found
        return {
            "weight": {"index": list(found.indices), "value": found.weight},
            "map": {"index": found.indices[0], "name": found.name},
            "channel": {"index": found.channel, "name": found.channel_name},
            "rows": list(found.rows),
            "columns": list(found.columns),
            "values": found.values.tolist(),
            "inside": found.inside.tolist(),
            "products": found.products.tolist(),
        }

    def drawing(self) -> Drawing:
        """Draw the channel, the kernel and the map that the weight connects."""
        return reach.draw_weight(self.found, self.run, self.looks)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatrixExplanation(Explanation):
    """Show the layer as matrix products, which are in `found`."""

    found: Unfolded

    def _lines(self, *, width: int) -> list[str]:
        """Write both matrix products."""
        return product.lines(self.found, width=width)

    def _document(self) -> dict[str, Any]:
        """Return every matrix as plain values."""
        found = self.found
        return {
            "map": {"index": found.index, "name": found.name},
            "im2col": {
                "filters": found.filters.tolist(),
                "windows": found.windows.tolist(),
                "maps": found.maps.tolist(),
            },
            "matrix": found.matrix.tolist(),
            "input": found.inputs.tolist(),
            "bias": found.bias.tolist(),
            "values": found.values.tolist(),
            "difference": found.difference,
        }

    def drawing(self) -> Drawing:
        """Draw both matrix products."""
        return product.draw(self.found)


class GroupMap(Explanation):
    """Show which channels feed which maps, and how much groups save."""

    __slots__ = ()

    def _lines(self, *, width: int) -> list[str]:
        """Write one line per group, and one for the savings."""
        run = self.run
        return shapes.group_map(run.layer, run.picture.size, run.picture.channels, names=run.names)

    def _document(self) -> dict[str, Any]:
        """Return the indices of the channels and the maps of every group."""
        layer = self.run.layer
        made = layer.out_channels // layer.groups
        weights, macs = layer.weight_parameters, layer.macs(self.run.picture.shape)
        return {
            "groups": [
                {
                    "channels": list(layer.channels_of(group * made)),
                    "maps": list(range(group * made, (group + 1) * made)),
                }
                for group in range(layer.groups)
            ],
            "weights": weights,
            "macs": macs,
            "in_one_group": {"weights": weights * layer.groups, "macs": macs * layer.groups},
        }

    def drawing(self) -> Drawing:
        """Draw every group with lines from its channels to its maps."""
        return groups.draw(self.run, self.looks)


def explain(
    image: Any,
    layer: Any,
    weights: Any = None,
    *,
    at: tuple[int, int] | None = None,
    index: int | str | None = None,
    pixel: tuple[int, int] | None = None,
    weight: tuple[int, int, int, int] | None = None,
    as_matrix: bool = False,
    group_map: bool = False,
    backend: str = "auto",
    device: str = "cpu",
    **looks: Any,
) -> Explanation:
    """Explain one output value of a layer, or answer another question about the layer.

    Parameters
    ----------
    image, layer, weights, backend, device
        As for `convviz.run`.
    at : (int, int), optional
        Row and column of an output value, to show its products and their sum. By default
        the value of the largest magnitude in the map.
    index : int or str, optional
        The map of the value, by its number or its name; the first by default.
    pixel : (int, int), optional
        Row and column of an input pixel, to show every output that it feeds.
    weight : (int, int, int, int), optional
        Indices of a weight in the array (O, I / groups, kh, kw), to show what it multiplies and feeds.
    as_matrix : bool
        Whether to show the layer as matrix products.
    group_map : bool
        Whether to show which channels feed which maps.
    **looks
        How the values of maps become brightness in the drawing: `colormap`, `limits` and `scale`
        as for `FeatureMaps.grid`.

    Returns
    -------
    Explanation
        With ``lines()``, ``document()``, ``drawing()``, ``save(path)``, and the numbers; a notebook
        shows the drawing.

    Raises
    ------
    SpecError
        If several questions are asked, or the map, position, pixel or weight does not exist.
    BackendError
        If the parts do not add up to the result of the backend.

    Examples
    --------
    >>> from convviz.spec.layers import Conv2d
    >>> layer = Conv2d(1, 1, 2, bias=False)
    >>> found = explain([[1, 2], [3, 4]], layer, [[[[1, 0], [0, 10]]]], at=(0, 0))
    >>> found.found.channels[0].products.tolist(), found.document()["value"]
    ([[1.0, 0.0], [0.0, 40.0]], 41.0)
    """
    places = [None if place is None else HW(*place) for place in (at, pixel)]
    question = Question(places[0], index, places[1], weight, as_matrix, group_map)
    run = feature_maps.run(image, layer, weights, backend=backend, device=device)
    return question.about(run, ContrastSettings.of(**looks))
