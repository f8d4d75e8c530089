"""Show where layers of a network respond: their activations as one picture each, laid over the input."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from convviz.analysis.looking import Centres
from convviz.compute.survey import summed_up, survey
from convviz.images.picture import Picture
from convviz.render.contrast import Drawn, contrasts
from convviz.render.palette import colours
from convviz.render.sheets import overlays
from convviz.render.sheets.bar import percent
from convviz.render.sheets.layout import Sheet
from convviz.results.on_sheets import OnSheet
from convviz.spec.geometry import HW
from convviz.spec.layers import shape_text
from convviz.spec.looking import LookSettings, OverlaySettings
from convviz.text import number
from convviz.typing import Bytes, Floats

# What stands between the name of a layer of attention and the number of a head.
HEAD = ": head "
# What each reduction shows, for the heading.
_WORDS = {
    "l2": "the square root of the sum of squares over the maps",
    "mean": "the mean over the maps",
    "max": "the maximum over the maps",
    "pca": "principal components 1, 2 and 3 as red, green and blue",
    "eigencam": "Eigen-CAM: the positive part of principal component 1",
    "cam": "the class activation map",
    "gradcam": "Grad-CAM: the positive part of the maps weighted by their mean gradients",
}


@dataclass(frozen=True, slots=True, eq=False)
class LayerLook:
    """Hold the activations of one layer as one picture.

    Parameters
    ----------
    layer : str
        The name of the layer; for attention with the head.
    shape : tuple of int
        The shape of its output.
    values : ndarray, shape (H, W) or (3, H, W), float32
        One value per position, or the first three principal components.
    centres : (Centres, Centres)
        Where the positions lie in the input: rows and columns.
    centred : bool
        Whether these are the centres of receptive fields, not of equal parts of the input.
    shares : tuple of float
        For principal components, the share of the variance that each explains.
    """

    layer: str
    shape: tuple[int, ...]
    values: Floats
    centres: tuple[Centres, Centres]
    centred: bool
    shares: tuple[float, ...] = ()

    @property
    def overlay(self) -> overlays.Overlay:
        """The picture for a sheet."""
        return overlays.Overlay(self.layer, self.values, *self.centres)

    @property
    def explained(self) -> str:
        """The shares of the variance in words."""
        return ", ".join(percent(share) for share in self.shares)

    def document(self) -> dict[str, Any]:
        """Return what is known as plain values, without the numbers themselves."""
        found = summed_up(self.values)
        peak = np.unravel_index(int(np.argmax(np.nan_to_num(self.values))), self.values.shape)[-2:]
        of = {"min": found.low, "max": found.high, "mean": found.mean, "std": found.std}
        place = [of.first + int(index) * of.step for of, index in zip(self.centres, peak, strict=True)]
        known = place if not np.isnan(self.values).all() else None
        more = {"explained": list(self.shares)} if self.shares else {"largest_at": known}
        return {
            "layer": self.layer,
            "shape": list(self.shape),
            "size": list(self.values.shape[-2:]),
            **of,
            **more,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """A class of a network, and its score.

    Parameters
    ----------
    index : int
        The index of the score.
    name : str
        The name of the class; empty if it is not known.
    score : float
        The value of the last linear layer, or of the output of the network.
    """

    index: int
    name: str
    score: float

    @property
    def words(self) -> str:
        """The class and its score in words."""
        named = f"class {self.index}" + (f" ({self.name})" if self.name else "")
        return f"{named}, score {number(self.score)}"


@dataclass(frozen=True, slots=True, eq=False)
class Looks(OnSheet[LayerLook]):
    """Hold where layers of a network respond to a picture, as a value that shows and saves itself.

    Parameters
    ----------
    picture : Picture
        The input.
    title : str
        The name of the network.
    looks : sequence of LayerLook
        One per layer, or one per head of attention.
    asked : LookSettings
        How the activations were reduced.
    target : Target, optional
        The class, for reductions that need one.
    remarks : tuple of str
        Notes for the user.
    """

    command: ClassVar[str] = "look"

    picture: Picture
    title: str
    looks: Sequence[LayerLook]
    asked: LookSettings
    target: Target | None = None
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Looks: {', '.join(one.layer for one in self.looks)} of {self.title} by {self.asked.how}>"

    @property
    def _items(self) -> Sequence[LayerLook]:
        """One per layer."""
        return self.looks

    @property
    def sentence(self) -> str:
        """What the pictures show."""
        if self.asked.token is not None:
            return (
                f"attention of the token at {self.asked.token.h},{self.asked.token.w}, one picture per head"
            )
        of = f" of {self.target.words}" if self.target else ""
        return _WORDS[self.asked.how] + of

    @property
    def _labels(self) -> list[str]:
        """The head alone, where all pictures are heads of one layer; else nothing."""
        parts = [one.layer.rpartition(HEAD) for one in self.looks]
        if self.asked.token is None or len({layer for layer, _, _ in parts}) > 1:
            return [""] * len(parts)
        return [f"head {head}" for _, _, head in parts]

    @property
    def _subject(self) -> str:
        """The layers, for the title."""
        if any(self._labels):
            layer, _, _ = self.looks[0].layer.rpartition(HEAD)
            return f"attention of {layer} ({shape_text(self.looks[0].shape)})"
        named = ", ".join(f"{one.layer} ({shape_text(one.shape)})" for one in self.looks[:3])
        more = f" and {len(self.looks) - 3} more" if len(self.looks) > 3 else ""
        return f"where {named}{more} respond{'s' if len(self.looks) == 1 else ''}"

    @property
    def notes(self) -> list[str]:
        """How the pictures were made, for the heading."""
        found = [self.sentence]
        if self.asked.how == "pca":
            found += [
                f"channels centred, not scaled; the largest weight of a component is positive; percentiles "
                f"{overlays.LOW} to {overlays.HIGH} become black to full colour",
                f"explained variance: {'; '.join(f'{one.layer} {one.explained}' for one in self.looks)}",
            ]
        if self.asked.how == "cam" and self.target:
            found.append("exact: the mean of the map plus the bias is the score of the class")
        found.append(f"{self._places}, with interpolation between them")
        return found

    @property
    def _places(self) -> str:
        """Where positions are drawn."""
        fields = "at the centres of their receptive fields"
        parts = "in equal parts of the picture (no receptive field is defined, or it is all of it)"
        centred = [one.layer for one in self.looks if one.centred]
        if not 0 < len(centred) < len(self.looks):
            return f"positions are drawn {fields if centred else parts}"
        return f"positions of {', '.join(centred)} are drawn {fields}, those of other layers {parts}"

    def sheet(self, **looks: Any) -> Sheet:
        """Lay out the input, and for each layer the overlay and the bare map.

        Parameters
        ----------
        **looks
            Fields of `convviz.spec.looking.OverlaySettings`, such as ``colormap="viridis"``.

        Returns
        -------
        Sheet
            Not painted yet.
        """
        look = OverlaySettings.of(**looks)
        return overlays.draw(
            self.picture,
            (f"{self.title}: {self._subject}", *self.notes),
            [replace(one.overlay, label=label) for one, label in zip(self.looks, self._labels, strict=True)],
            opacity=self.asked.opacity,
            framed=self.asked.token,
            tile=look.tile,
            columns=look.columns,
            look=look,
        )

    def overlay(self, index: int = 0, **looks: Any) -> Bytes:
        """Lay one picture over the input, pixel by pixel.

        Parameters
        ----------
        index : int
            The index of the layer.
        **looks
            As for `sheet`; only colours and their limits matter.

        Returns
        -------
        ndarray, shape (H, W, 3), uint8
            A picture of the size of the input.
        """
        look, one = OverlaySettings.of(**looks), self.looks[index].overlay
        base = overlays.levels_of(self.picture, survey(self.picture.x, 1, moments=False))
        values = one.over(self.picture.size, self.picture.size)
        if one.coloured:
            over = overlays.rgb(values, overlays.component_ends(one.values))
        else:
            found = survey(one.values[None], 1, moments=False, spread=True)[0]
            contrast = contrasts([Drawn.of(found, HW(*one.values.shape))], look)[0]
            over = overlays.heat(values, contrast, colours(look.colormap))
        opaque = self.asked.opacity * one.covers(self.picture.size, self.picture.size)
        return overlays.blended(base, over, opaque)

    def arrays(self) -> dict[str, Floats]:
        """Gather the numbers for `save`: the input, and the values of every layer by its name."""
        return {"input": self.picture.x, **{one.layer: one.values for one in self.looks}}

    def document(self) -> dict[str, Any]:
        """Return what is known as plain values, without the numbers themselves."""
        found: dict[str, Any] = {"how": self.asked.how, "layers": [one.document() for one in self.looks]}
        if self.target is not None:
            found["class"] = {
                "index": self.target.index,
                "name": self.target.name,
                "score": self.target.score,
            }
        return found
