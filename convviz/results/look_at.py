"""Find where layers of a network respond: run it, and reduce the activations to one picture each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from convviz.analysis import looking
from convviz.analysis.looking import Centres
from convviz.compute.networks.engine import Engine, Linear, NetworkStep, activations, row_of_scores
from convviz.compute.networks.overview import steps_of_tokens
from convviz.compute.networks.sources import Opened, check_layer
from convviz.compute.weights import Parameters
from convviz.errors import SpecError, UnknownNameError
from convviz.files.checkpoints import Checkpoint
from convviz.images.picture import Picture
from convviz.render.sheets import strips
from convviz.results.look import HEAD, LayerLook, Looks, Target
from convviz.results.running import picture_for, source_from
from convviz.spec.geometry import HW
from convviz.spec.layers import shape_text
from convviz.spec.looking import OF_A_CLASS, LookSettings
from convviz.text import plural
from convviz.typing import Floats


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
        target,
        None if token is None else HW(*token),
        opacity,
    )
    source = source_from(network, weights, seed)
    picture = picture_for(source, image)
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
    names = [engine.step_name(name) for name in names]
    for name in names:
        check_layer(name, list(steps))
    linear = _last_linear(engine, list(steps.values())) if asked.how == "cam" else None
    tokens = asked.how not in OF_A_CLASS
    names = names or [_usual(list(steps.values()), linear[1] if linear else None, tokens=tokens)]
    target = None
    if asked.how == "gradcam":
        looks, target = _by_gradient(opened, picture, [steps[name] for name in names], wanted=asked.target)
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
    return Looks(picture, title or engine.title, looks, asked, target, opened.remarks)


def _usual(steps: Sequence[NetworkStep], linear: Linear | None, *, tokens: bool) -> str:
    """Choose the last layer with several positions; for a class activation map, with maps that it reads.

    Tokens have positions if as many come from a layer with maps. They are no choice for the map of a class:
    in the last layer its score may depend on the class token alone.
    """
    inner = [one for one in steps if not one.outer and one.output_shape]
    with_tokens = steps_of_tokens(inner) if tokens else {}
    for one in reversed(inner):
        channels, size = _channels_and_size(one)
        if channels and max(size) > 1 and (linear is None or channels == linear.weight.shape[1]):
            return one.name
        if one.name in with_tokens:
            return one.name
    if linear is not None:
        raise looking.no_class_map(
            "this network does not have these: its last linear layer reads "
            f"{plural(linear.weight.shape[1], 'value')}, and no layer makes that many maps"
        )
    raise SpecError("layer: no layer of this network has maps with several positions here; name a layer.")


def _channels_and_size(step: NetworkStep) -> tuple[int, HW]:
    """Return the channels of maps, and their size; 0 if a step does not make maps."""
    shape = step.output_shape or ()
    if len(shape) == 3 and step.layout:
        return (shape[0], HW(*shape[1:])) if step.layout == "chw" else (shape[2], HW(*shape[:2]))
    return 0, HW(0, 0)


def _last_linear(engine: Engine, steps: Sequence[NetworkStep]) -> tuple[str, Linear]:
    """Find the last linear layer."""
    for one in reversed(steps):
        if not one.outer and (found := engine.linear(one.name)) is not None:
            return one.name, found
    raise looking.no_class_map("this network has no linear layer")


def _target(opened: Opened, scores: Floats, wanted: str | int | None) -> Target:
    """Find the class that is asked for by its name or index, or that of the largest score."""
    scores = row_of_scores(scores, opened.engine.name)
    names = opened.classes or opened.engine.classes
    names = names if len(names) == len(scores) else ()
    if wanted is None:
        index = int(np.argmax(scores))
    elif isinstance(wanted, str) and wanted in names:
        index = names.index(wanted)
    elif str(wanted).isdecimal() and int(wanted) < len(scores):
        index = int(wanted)
    elif names and not str(wanted).lstrip("-").isdecimal():
        raise UnknownNameError("class", str(wanted), names)
    else:
        known = "" if names else "; names need the option classes"
        raise SpecError(f"class must be an index from 0 to {len(scores) - 1}, not {wanted!r}{known}.")
    return Target(index, names[index] if names else "", float(scores[index]))


def _by_gradient(
    opened: Opened, picture: Picture, steps: Sequence[NetworkStep], *, wanted: str | int | None
) -> tuple[list[LayerLook], Target]:
    """Compute Grad-CAM of some layers in one run of the network."""

    def choose(scores: Floats) -> int:
        return _target(opened, scores, wanted).index

    found = opened.engine.score_gradients(picture.x, [one.name for one in steps], choose)
    looks = []
    for step in steps:
        values = found.maps[step.name]
        maps, gradient = (_maps(of, step) for of in (values, found.gradients[step.name]))
        looks.append(_placed(picture, step, looking.gradcam(maps, gradient), shape=values.shape))
    return looks, _target(opened, found.scores, wanted)


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
            yield _placed(picture, step, one, shape=values.shape, more=f"{HEAD}{head}")
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
