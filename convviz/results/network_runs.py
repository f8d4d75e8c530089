"""Run networks on pictures: which of their steps are computed, and which are shown."""

from collections.abc import Sequence
from dataclasses import replace

from convviz.compute import backends
from convviz.compute.networks import stack
from convviz.compute.networks.engine import NetworkStep, activations
from convviz.compute.networks.overview import can_be_row, output_steps, overview_steps
from convviz.compute.networks.sources import Opened, check_layer
from convviz.errors import SpecError
from convviz.images.picture import Picture
from convviz.results.network import NetworkMaps
from convviz.spec.layers import Shape
from convviz.text import in_quotes, plural

# A network of our own with more steps is shown by an overview, as every other network is; and the number of
# steps on each of the pictures of all steps.
_WHOLE, _MOST_STEPS = 12, 24


def _of_unknown_order(step: NetworkStep) -> bool:
    """Return whether a step has three axes in an order that its network does not tell."""
    return not step.layout and len(step.output_shape or ()) == 3


def check_order(opened: Opened, steps: Sequence[NetworkStep], names: Sequence[str]) -> None:
    """Refuse channels last for a layer that is known to have channels first.

    Raises
    ------
    SpecError
        If one of the layers in `names` has, and the input of the network is not channels last.
    """
    for one in steps:
        if one.name in names and one.layout == "chw" and not opened.engine.declared.channels_last:
            raise SpecError(
                f"channels-last: the maps of {in_quotes(one.name)} have channels first, as the layers around "
                "it show; leave it out."
            )


def parts(opened: Opened, shape: Shape) -> list[list[NetworkStep]]:
    """Divide the steps of a network into parts, each for one sheet.

    Parameters
    ----------
    opened : Opened
        The network.
    shape : (C, H, W)
        The shape of its input.

    Returns
    -------
    list of list of NetworkStep
        All steps that make arrays, without those that only contain others.
    """
    rows = _rows_of(steps_of(opened, shape))
    return [rows[at : at + _MOST_STEPS] for at in range(0, len(rows), _MOST_STEPS)]


def left_out(result: NetworkMaps) -> str:
    """Say how many steps an overview leaves out, and what shows them; empty if there are none."""
    rows, shown = _rows_of(result.steps), {one.name for one in result.shown}
    drawn = sum(one.name in shown for one in rows)
    if not shown or result.rows or drawn == len(rows):
        return ""
    return (
        f"{drawn} of {plural(len(rows), 'step')} are on the sheet; --all shows every step, --layer NAME one"
    )


def _rows_of(steps: Sequence[NetworkStep]) -> list[NetworkStep]:
    """List the steps that can have a row."""
    return [one for one in steps if not one.outer and one.output_shape]


def steps_of(opened: Opened, shape: Shape, only: Sequence[str] = ()) -> Sequence[NetworkStep]:
    """List the steps of a network up to the last one of an overview, their axes in the declared order."""
    steps = opened.engine.steps(shape)
    if opened.channels_last:
        check_order(opened, steps, only)
        steps = tuple(replace(one, layout="hwc") if _of_unknown_order(one) else one for one in steps)
    if opened.until is None:
        return steps
    known, until = [one.name for one in steps], opened.engine.step_name(opened.until)
    check_layer(until, known)
    end = known.index(until) + 1
    if after := next((name for name in only if name in known[end:]), None):
        raise SpecError(
            f"layer: {in_quotes(after)} comes after {in_quotes(opened.until)}, where the network ends by "
            "until; leave one of them out."
        )
    return steps[:end]


def apply(
    opened: Opened,
    picture: Picture,
    *,
    backend: str = "auto",
    device: str = "cpu",
    title: str = "",
    only: Sequence[str] = (),
    part: Sequence[NetworkStep] = (),
) -> NetworkMaps:
    """Run a network on a picture: all layers of a network of convviz, else those of an overview.

    Parameters
    ----------
    opened : Opened
        The network, for inputs of the shape of `picture`.
    picture : Picture
        The input.
    backend, device, title
        As for `run_net`.
    only : sequence of str
        The steps to compute, if it is not an overview.
    part : sequence of NetworkStep
        One of the `parts` of all steps, to show in place of an overview.

    Raises
    ------
    SpecError, ShapeError, BackendError, UnknownNameError
        As for `run_net`.
    """
    only = [opened.engine.step_name(name) for name in only]
    steps = steps_of(opened, picture.shape, only)
    for name in only:
        check_layer(name, [one.name for one in steps])
    rows = _rows_of(steps) if part else []
    if filled := opened.filled:
        chosen = backends.choose(backend, macs=sum(one.macs for one in filled.steps), device=device)
        made = stack.run_net(filled.network, picture.x, filled.weights, backend=chosen, device=device)
        shown = part or (_overview(steps) if len(steps) > _WHOLE else [])
        return NetworkMaps(opened, steps, picture, made, chosen, device, title, shown, rows)
    shown = list(part) or _overview(steps)
    if opened.until is None and not part:
        shown = _with_outputs(shown, steps)
    elif not part and shown[-1] is not steps[-1]:
        shown.append(steps[-1])
    names = list(only) or [one.name for one in shown]
    if opened.classes and not only:
        names.append(steps[-1].name)
    found = activations(opened.engine, picture.x, names)
    values = {name: one.values for name, one in found.items()}
    return NetworkMaps(opened, steps, picture, values, opened.engine.runner, device, title, shown, rows)


def _with_outputs(shown: Sequence[NetworkStep], steps: Sequence[NetworkStep]) -> list[NetworkStep]:
    """Add the outputs of a network that can be drawn to the steps of its overview."""
    wanted = {one.name for one in shown} | {one.name for one in output_steps(steps) if can_be_row(one)}
    return [one for one in steps if one.name in wanted]


def _overview(steps: Sequence[NetworkStep]) -> list[NetworkStep]:
    """Choose the steps of an overview: at least the last one."""
    return overview_steps(steps, ("chw", "hwc")) or [steps[-1]]
