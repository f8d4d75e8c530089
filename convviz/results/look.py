"""Show where layers of a network respond: their activations as one picture each, laid over the input."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convviz import __version__
from convviz.analysis import looking
from convviz.analysis.looking import Centres
from convviz.compute.networks.engine import Engine, Linear, NetworkStep, activations, row_of_scores
from convviz.compute.networks.sources import Opened, check_layer
from convviz.compute.survey import summed_up, survey
from convviz.compute.weights import Parameters
from convviz.errors import SpecError, UnknownNameError
from convviz.files.checkpoints import Checkpoint
from convviz.images import decode
from convviz.images.picture import Picture
from convviz.render.contrast import Drawn, contrasts
from convviz.render.palette import colours
from convviz.render.sheets import overlays, strips
from convviz.render.sheets.layout import Sheet
from convviz.results import outputs
from convviz.results.running import source_from
from convviz.spec import settings
from convviz.spec.geometry import HW
from convviz.spec.layers import shape_text
from convviz.spec.looking import LookSettings, OverlaySettings
from convviz.text import number
from convviz.typing import Bytes, Floats

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

    def document(self) -> dict[str, Any]:
        """Return what is known as plain values, without the numbers themselves."""
        found = summed_up(self.values)
        peak = np.unravel_index(int(np.argmax(np.nan_to_num(self.values))), self.values.shape)[-2:]
        of = {"min": found.low, "max": found.high, "mean": found.mean, "std": found.std}
        place = [of.first + int(index) * of.step for of, index in zip(self.centres, peak, strict=True)]
        more = {"explained": list(self.shares)} if self.shares else {"largest_at": place}
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
class Looks(Sequence[LayerLook]):
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

    picture: Picture
    title: str
    looks: Sequence[LayerLook]
    asked: LookSettings
    target: Target | None = None
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Looks: {', '.join(one.layer for one in self.looks)} of {self.title} by {self.asked.how}>"

    def __len__(self) -> int:
        return len(self.looks)

    def __getitem__(self, index: Any) -> Any:
        return self.looks[index]

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
    def notes(self) -> list[str]:
        """How the pictures were made, for the heading."""
        found = [self.sentence]
        if self.asked.how == "pca":
            shares = " and ".join(
                ", ".join(f"{number(100 * share, digits=2)} %" for share in one.shares) for one in self.looks
            )
            found.append(
                f"channels centred, not scaled; the largest weight of a component is positive; percentiles "
                f"{overlays.LOW} to {overlays.HIGH} become black to full colour; explained variance {shares}"
            )
        if self.asked.how == "cam" and self.target:
            found.append("exact: the mean of the map plus the bias is the score of the class")
        stretched = [one.layer for one in self.looks if not one.centred]
        where = "at the centres of their receptive fields"
        if stretched:
            where = "in equal parts of the picture (no receptive field is defined, or it is all of it)"
        found.append(f"positions are drawn {where}, with interpolation between them")
        return found

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
        named = ", ".join(f"{one.layer} {shape_text(one.shape)}" for one in self.looks[:3])
        more = f" and {len(self.looks) - 3} more" if len(self.looks) > 3 else ""
        return overlays.draw(
            self.picture,
            (f"{self.title}: where {named}{more} respond{'s' if len(self.looks) == 1 else ''}", *self.notes),
            [one.overlay for one in self.looks],
            opacity=self.asked.opacity,
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

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the sheet (.png, .svg, .pdf, .webp, .jpg) or the exact numbers (.npz, .safetensors).

        Raises
        ------
        OutputError
            If the file cannot be written, or exists and was not written by convviz.
        """
        path = Path(path)
        if path.suffix.lower() in settings.PICTURE_ENDINGS:
            outputs.write_sheet(self.sheet(), path, self.description(), force=force)
        else:
            outputs.save_arrays(self.arrays(), path, self.description(), force=force)

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the looks for the metadata of a file; `chosen` are settings to include."""
        return {"version": __version__, "command": "look", **settings.as_text(*chosen)}

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

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.sheet().image())


def look(
    image: Any,
    network: Any,
    layer: str | Sequence[str] = (),
    *,
    how: str = "l2",
    target: str | int | None = None,
    token: tuple[int, int] | None = None,
    opacity: float = 0.55,
    weights: Mapping[str, Parameters] | Checkpoint | None = None,
    seed: int = 0,
) -> Looks:
    """Show where layers of a network respond to a picture.

    Parameters
    ----------
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture that is already read, or numbers; a file is read as the network requires.
    network : torch.nn.Module, Network, NetworkSource, str or Path
        The network, in any form that `run_net` accepts.
    layer : str or sequence of str
        The layers; by default the last one that has more than one position.
    how : {"l2", "mean", "max", "pca", "eigencam", "cam", "gradcam"}
        How the maps of a layer become one picture: the square root of the sum of their squares, their mean
        or maximum, their first three principal components as colours, the positive part of the first
        component, the exact map of a class (for a layer before a global average pool and one linear
        layer), or the maps weighted by the gradient of the score of a class (for networks of torch).
    target : str or int, optional
        The class of "cam" and "gradcam": its name or its index; by default that of the largest score.
    token : (int, int), optional
        For attention (heads, T, T), the row and the column of the token whose attention is shown, one
        picture per head.
    opacity : float
        The opacity of the colours over the picture, from 0 to 1.
    weights, seed
        As for `run_net`.

    Returns
    -------
    Looks
        A sequence with one item per layer; it has ``sheet()``, ``overlay()`` and ``save(path)``.

    Raises
    ------
    InputError
        If the picture or the weights cannot be read.
    UnknownNameError
        If a layer, a class or `how` does not exist.
    SpecError, ShapeError
        If the layers have no maps, or `how` does not fit the network.

    Examples
    --------
    >>> from convviz.spec.stacks import parse_layers
    >>> found = look(np.eye(8), parse_layers("conv 4 k3 s2 p1 | relu"), how="mean")
    >>> found, found[0].values.shape, found.overlay().shape
    (<Looks: relu1 of the network by mean>, (4, 4), (8, 8, 3))
    """
    asked = LookSettings(
        how,  # type: ignore[arg-type]  # checked there
        None if target is None else str(target),
        None if token is None else HW(*token),
        opacity,
    )
    source = source_from(network, weights, seed)
    if isinstance(image, str | Path):
        reading, _ = source.reading(settings.InputSettings())
        picture = decode.read(Path(image), **reading.arguments)
    else:
        picture = decode.as_picture(image)
    names = [layer] if isinstance(layer, str) else list(layer)
    return look_at(source.open(picture.shape), picture, names, asked=asked)


def look_at(
    opened: Opened, picture: Picture, names: Sequence[str] = (), *, asked: LookSettings, title: str = ""
) -> Looks:
    """Do what `look` does, for a network that is already opened.

    Parameters
    ----------
    opened : Opened
        The network, for inputs of the shape of `picture`.
    picture : Picture
        The input.
    names : sequence of str
        The layers.
    asked : LookSettings
        How the activations are reduced.
    title : str
        The name of the network on the sheet.
    """
    engine = opened.engine
    steps = {one.name: one for one in engine.steps(picture.shape)}
    for name in names:
        check_layer(name, list(steps))
    linear = _last_linear(engine, list(steps.values())) if asked.how == "cam" else None
    names = names or [_usual(list(steps.values()), linear[1] if linear else None)]
    target = None
    if asked.how == "gradcam":
        looks, target = _by_gradient(opened, picture, [steps[name] for name in names], asked=asked)
    else:
        wanted = [*names, linear[0]] if linear else names
        made = {name: one.values for name, one in activations(engine, picture.x, wanted).items()}
        if linear:
            target = _target(opened, made[linear[0]], asked.target)
        looks = [
            one
            for name in names
            for one in _of_layer(picture, steps[name], made, asked=asked, linear=linear, target=target)
        ]
    return Looks(picture, title or engine.name, looks, asked, target, opened.remarks)


def _usual(steps: Sequence[NetworkStep], linear: Linear | None) -> str:
    """Choose the last layer with several positions; for a class activation map, with maps that it reads."""
    for one in reversed(steps):
        shape = one.output_shape
        if one.outer or shape is None or len(shape) != 3 or not one.layout:
            continue
        channels, *size = shape if one.layout == "chw" else (shape[2], *shape[:2])
        if max(size) > 1 and (linear is None or channels == linear.weight.shape[1]):
            return one.name
    raise SpecError("layer: this network has no layer with maps; name a layer.")


def _last_linear(engine: Engine, steps: Sequence[NetworkStep]) -> tuple[str, Linear]:
    """Find the last linear layer."""
    for one in reversed(steps):
        if not one.outer and (found := engine.linear(one.name)) is not None:
            return one.name, found
    raise SpecError(
        "how: cam needs a network that ends in a linear layer, and this one has none; take gradcam."
    )


def _target(opened: Opened, scores: Floats, wanted: str | None) -> Target:
    """Find the class that is asked for by its name or index, or that of the largest score."""
    scores = row_of_scores(scores, opened.engine.name)
    names = opened.classes or opened.engine.classes
    names = names if len(names) == len(scores) else ()
    if wanted is None:
        index = int(np.argmax(scores))
    elif wanted in names:
        index = names.index(wanted)
    elif wanted.isdecimal() and int(wanted) < len(scores):
        index = int(wanted)
    elif names and not wanted.lstrip("-").isdecimal():
        raise UnknownNameError("class", wanted, names)
    else:
        known = "" if names else "; names need the option classes"
        raise SpecError(f"class must be an index from 0 to {len(scores) - 1}, not {wanted!r}{known}.")
    return Target(index, names[index] if names else "", float(scores[index]))


def _by_gradient(
    opened: Opened, picture: Picture, steps: Sequence[NetworkStep], *, asked: LookSettings
) -> tuple[list[LayerLook], Target]:
    """Compute Grad-CAM of some layers."""
    looks: list[LayerLook] = []
    target: Target | None = None
    for step in steps:
        index = None if target is None else target.index
        if target is None and asked.target is not None:
            scores = opened.engine.score_gradient(picture.x, step.name, 0).scores
            index = _target(opened, scores, asked.target).index
        found = opened.engine.score_gradient(picture.x, step.name, index)
        target = target or _target(opened, found.scores, str(found.target))
        maps, gradient = (_maps(of, step) for of in (found.maps, found.gradient))
        looks.append(_placed(picture, step, looking.gradcam(maps, gradient), shape=found.maps.shape))
    assert target is not None
    return looks, target


def _of_layer(
    picture: Picture,
    step: NetworkStep,
    made: Mapping[str, Floats],
    *,
    asked: LookSettings,
    linear: tuple[str, Linear] | None,
    target: Target | None,
) -> Iterator[LayerLook]:
    """Reduce the activations of one layer."""
    values = made[step.name]
    if asked.token is not None:
        for head, one in enumerate(strips.as_maps(values, token=asked.token)):
            yield _placed(picture, step, one, shape=values.shape, more=f": head {head}")
        return
    maps = _maps(values, step)
    if asked.how == "pca":
        found = looking.components(maps, 3)
        three = np.zeros((3, *maps.shape[1:]), np.float32)
        three[: len(found.maps)] = found.maps
        yield _placed(picture, step, three, shape=values.shape, shares=found.shares)
    elif linear and target:
        name, numbers = linear
        one = looking.class_map(maps, numbers, made[name], target=target.index)
        yield _placed(picture, step, one, shape=values.shape)
    else:
        one = looking.eigencam(maps) if asked.how == "eigencam" else looking.reduced(maps, asked.how)
        yield _placed(picture, step, one, shape=values.shape)


def _maps(values: Floats, step: NetworkStep) -> Floats:
    """Return activations as maps with several positions."""
    maps = strips.as_maps(values, step.layout)
    if values.ndim not in (2, 3) or (values.ndim == 2 and len(maps) == 1) or max(maps.shape[1:]) == 1:
        raise SpecError(
            f"layer: {step.name!r} makes values of shape {shape_text(values.shape)}, which have no "
            "positions in the picture; choose a layer with maps."
        )
    return maps


def _placed(
    picture: Picture,
    step: NetworkStep,
    values: Floats,
    *,
    shape: tuple[int, ...],
    shares: tuple[float, ...] = (),
    more: str = "",
) -> LayerLook:
    """Find where the positions of a layer lie in the picture."""
    sides = zip(values.shape[-2:], picture.size, (step.height, step.width), strict=True)
    rows, columns = (Centres.of(count, pixels, reach) for count, pixels, reach in sides)
    known = step.height is not None and step.width is not None
    return LayerLook(step.name + more, shape, values, (rows, columns), known, shares)
