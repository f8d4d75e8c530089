"""Hold an interactive page as a value that shows itself in a notebook and saves itself."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convviz import __version__
from convviz.compute.networks.engine import Activation, NetworkStep
from convviz.compute.networks.sources import Opened
from convviz.compute.survey import survey
from convviz.compute.weights import LayerWeights
from convviz.errors import SpecError
from convviz.files import writing
from convviz.files.paths import ending_of
from convviz.images.picture import Picture
from convviz.page.stored import NetworkStore, check_parameters, chosen_kinds
from convviz.results import outputs
from convviz.results.context import in_network
from convviz.spec.layers import Conv2d
from convviz.spec.network import INPUT
from convviz.text import amount
from convviz.typing import Floats

# A notebook keeps what it shows, and sends it to every browser that opens it.
MOST_SHOWN = 16_000_000
_HEIGHT = 720

# Small maps of a layer for the strip: how many, and their longest side in pixels.
_THUMBS, _THUMB_SIDE = 8, 32
_BEST = 5


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Hold an interactive page: one HTML file that needs no other file and no network.

    Parameters
    ----------
    text : str
        The HTML.
    settings : dict
        The settings of the run, for the metadata of the file.
    remarks : tuple of str
        Notes for the user.
    """

    text: str
    settings: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Page: {amount(len(self.text))} of HTML; a notebook shows it, save('page.html') writes it>"

    def save(self, path: str | Path | writing.Stream, *, force: bool = False) -> None:
        """Write the page.

        Parameters
        ----------
        path : str or Path
            The file to write; its name ends in ``.html``.
        force : bool
            Replace a file that convviz did not write.

        Raises
        ------
        SpecError
            If the name has another ending.
        OutputError
            If the file cannot be written, or exists and was not written by convviz.
        """
        target = Path(path) if isinstance(path, str) else path
        if isinstance(target, Path) and target.suffix.lower() != ".html":
            raise SpecError(f"path: a page ends in .html, not {ending_of(target)}.")
        description = {"version": __version__, "command": "explore", **self.settings}
        outputs.write_page(self.text, target, description, force=force)

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame that can reach neither the notebook nor the network."""
        if len(self.text) > MOST_SHOWN:
            return (
                f"<p>This page has {amount(len(self.text))}, and a notebook shows at most "
                f"{amount(MOST_SHOWN)}; write it with <code>.save('page.html')</code>, or run the layer on a "
                "smaller picture.</p>"
            )
        # Without allow-same-origin the frame has an origin of its own.
        return (
            f'<iframe title="convviz" sandbox="allow-scripts allow-downloads" loading="lazy" '
            f'style="width: 100%; height: {_HEIGHT}px; border: 0" srcdoc="{html.escape(self.text)}"></iframe>'
        )


class StoredNetwork(NamedTuple):
    """The convolutions of a network with what arrives there, ready for a page.

    Parameters
    ----------
    stored : NetworkStore
        The convolutions.
    chain : sequence of NetworkStep
        All steps.
    last : ndarray or None
        The output of the last step, if it is one array.
    """

    stored: NetworkStore
    chain: Sequence[NetworkStep]
    last: Floats | None


def stored_network(
    opened: Opened, picture: Picture, chain: Sequence[NetworkStep], *, only: str | None = None
) -> StoredNetwork:
    """Run a network, and store what arrives at its convolutions.

    Parameters
    ----------
    opened : Opened
        The network.
    picture : Picture
        Its input.
    chain : sequence of NetworkStep
        Its steps.
    only : str, optional
        The only convolution to store.

    Raises
    ------
    SpecError
        If the network has too many parameters.
    """
    engine = opened.engine
    check_parameters(chain, engine.name)
    by_name = {one.name: one for one in chain if one.convolution and only in (None, one.name)}
    found = NetworkStore(picture, chosen_kinds(list(by_name.values())))
    last = chain[-1].name
    row: list[Floats] = []

    def see(made: Activation) -> None:
        """Store an activation as soon as it is there."""
        if made.name == last:
            row.append(made.values)
        step = by_name.get(made.name)
        if step is None:
            return
        try:
            about = in_network(opened, picture, made.name, made=made)
        except SpecError:  # such as a weight that depends on the picture: only the strip names it
            return
        found.add(
            step,
            about.picture,
            about.layer,
            weights=about.weights,
            thumbs=_thumbs(made.values),
            remark="; ".join(about.remarks[len(opened.remarks) :]),
        )

    engine.visit(picture.x, list(dict.fromkeys([*by_name, last])), see, reads=True)
    order = list(by_name)
    found.layers.sort(key=lambda one: order.index(one.step.name))
    return StoredNetwork(found, chain, row[0] if row else None)


def of_layer(picture: Picture, layer: Conv2d, *, weights: LayerWeights, maps: Floats) -> StoredNetwork:
    """Store a layer by itself like a network of one step."""
    step = NetworkStep(
        "conv",
        "Conv2d",
        (picture.shape,),
        maps.shape,
        layer.parameters,
        layer.macs(picture.shape),
        "Conv2d",
        inputs=(INPUT,),
        layout="chw",
        layer=repr(layer),
    )
    found = NetworkStore(picture, chosen_kinds([step]))
    found.add(step, picture, layer, weights=weights, thumbs=_thumbs(maps))
    return StoredNetwork(found, [step], None)


def _thumbs(values: Floats) -> Floats | None:
    """Reduce the first maps of a layer, for the strip of layers."""
    if values.ndim != 3:
        return None
    scale = min(1.0, _THUMB_SIDE / max(values.shape[1:]))
    return np.stack([one.small[:] for one in survey(values[:_THUMBS], scale, moments=False)])


def largest(values: Floats) -> list[tuple[str, float]]:
    """Name the largest of a row of values by their numbers; empty if it is no row."""
    if values.size < 2 or values.size != max(values.shape):
        return []
    flat = values.ravel()
    best = np.argsort(-flat, kind="stable")[:_BEST]
    return [(f"output {index}", float(flat[index])) for index in best]
