"""The weights of the layers of a network: from torch's generator, or from a file."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convviz.compute.weights import drawn
from convviz.errors import InputError
from convviz.files.checkpoints import Checkpoint
from convviz.files.npy import finite
from convviz.machine import memory
from convviz.spec.network import INPUT, SizedStep
from convviz.text import plural, printable
from convviz.typing import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray


def seeded(steps: Sequence[SizedStep], seed: int = 0) -> dict[str, dict[str, Floats]]:
    """Draw the same weights for a network as torch, without importing torch.

    Parameters
    ----------
    steps : sequence of SizedStep
        The layers.
    seed : int
        From 0 to 2**64 - 1.

    Returns
    -------
    dict of dict of ndarray
        The arrays by the name of the layer and of the parameter. They equal, bit for bit, those
        of layers that torch makes in this order after ``torch.manual_seed(seed)``.

    Notes
    -----
    `convviz.compute.weights.drawn` draws one layer after the other.
    """
    words = np.random.RandomState(seed & 0xFFFFFFFF)
    found: dict[str, dict[str, Floats]] = {}
    for one in steps:
        count = sum(map(math.prod, one.layer.arrays.values()))
        memory.need(24 * count, f"the {plural(count, 'weight')} of layer {one.name!r}", "take a smaller net")
        found[one.name] = drawn(words, one.layer)
    return found


def stored(
    steps: Sequence[SizedStep], checkpoint: Checkpoint, *, names: Sequence[str] | None = None
) -> tuple[dict[str, dict[str, Floats]], tuple[str, ...]]:
    """Take the weights of a network from a file of trained weights.

    Parameters
    ----------
    steps : sequence of SizedStep
        The layers.
    checkpoint : Checkpoint
        The file. Its arrays are called ``LAYER.weight`` and so on; all names may share a prefix,
        such as ``module.`` or ``model._orig_mod.``. If the file has the name of no layer, the
        arrays are taken in order.
    names : sequence of str, optional
        Layers with weights in the whole network, if `steps` is only its beginning.

    Returns
    -------
    parameters : dict of dict of ndarray
        As for `run_net`.
    remarks : tuple of str
        Remarks on every array that was not taken by its name.

    Raises
    ------
    InputError
        If an array is missing, has another shape, or is not finite.
    """
    held: dict[str, dict[str, NDArray[Any]]] = {}
    for key, values in checkpoint.arrays.items():
        prefix, _, last = key.rpartition(".")
        held.setdefault(prefix, {})[last] = values
    wanting = [one for one in steps if one.layer.arrays]
    remarks: list[str] = []
    names = [one.name for one in wanting] if names is None else names
    if prefix := _prefix(names, held, checkpoint.name):
        held = {
            key.removeprefix(prefix) if key.startswith(prefix) else key: arrays
            for key, arrays in held.items()
        }
    if not any(name in held for name in names):
        rows = [prefix for prefix, arrays in held.items() if "weight" in arrays or "running_mean" in arrays]
        if len(rows) != len(names):
            own = "; ONNX is a network by itself, --net FILE.onnx" if checkpoint.graph is not None else ""
            raise InputError(
                f"{checkpoint.name} has no array called {names[0]}.weight, and holds "
                f"{plural(len(rows), 'layer')} with weights where the network has {len(names)}: "
                f"{', '.join(map(printable, rows[:6]))}{' …' if len(rows) > 6 else ''}{own}."
                if names
                else f"the network does not take any weights from {checkpoint.name}."
            )
        pairs = ", ".join(f"{name} = {row}" for name, row in zip(names, rows, strict=True))
        remarks.append(
            f"{checkpoint.name} has none of the network's names, so its layers are used in order: {pairs}"
        )
        held = {name: held[row] for name, row in zip(names, rows, strict=True)}
    found: dict[str, dict[str, Floats]] = {}
    for one in wanting:
        parameters: dict[str, Floats] = {}
        for key, shape in one.layer.arrays.items():
            what = f"{checkpoint.name}: {one.name}.{key}"
            if key not in held.get(one.name, {}):
                reason = checkpoint.left_out.get(f"{prefix}{one.name}.{key}", "")
                raise InputError(f"{what}, of {one.layer}, is not there{': ' * bool(reason)}{reason}.")
            values = held[one.name][key]
            if values.shape != shape:
                hint = one.layer.remedy(values.shape, first=one.inputs == (INPUT,)) if key == "weight" else ""
                raise InputError(f"{what} has the shape {values.shape}, but {one.layer} needs {shape}{hint}.")
            parameters[key] = finite(values, what)
        if extra := {"weight", "bias"} & held[one.name].keys() - parameters.keys():
            raise InputError(
                f"{checkpoint.name}: {one.name}.{extra.pop()} is stored, but {one.layer} does not have it."
            )
        found[one.name] = parameters
    left = [prefix for prefix in held if prefix not in found and prefix not in names]
    if left:
        some = ", ".join(map(printable, left[:6])) + (" …" if len(left) > 6 else "")
        remarks.append(f"no layer of the network uses these arrays of {checkpoint.name}: {some}")
    return found, tuple(remarks)


def places_of(
    weights: Mapping[str, Mapping[str, Floats]], checkpoint: Checkpoint
) -> dict[str, dict[str, tuple[Any, ...]]] | None:
    """Find where a file holds the weights of each layer.

    Parameters
    ----------
    weights : dict of dict of ndarray
        As `stored` returns them.
    checkpoint : Checkpoint
        The file.

    Returns
    -------
    dict of dict of tuple, or None
        For each array, its keys from the top of the dicts of the file. None if an array is
        computed from others, because no program can then load it as it is.
    """
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for layer, numbers in weights.items():
        for name, values in numbers.items():
            # An array with these values will do, whatever its name is; most have the name of the layer.
            keys = sorted(checkpoint.arrays, key=lambda key: not key.endswith(f"{layer}.{name}"))
            fits = (key for key in keys if np.array_equal(checkpoint.arrays[key], values))
            place = next((place for key in fits if (place := checkpoint.places.get(key))), None)
            if place is None:
                return None
            found.setdefault(layer, {})[name] = place
    return found


def _prefix(names: Sequence[str], held: Mapping[str, Any], where: str) -> str:
    """Return the prefix of the network's names in a file, such as ``module.``; empty without a prefix."""
    if not names or any(name in held for name in names):
        return ""
    behind = {key.removesuffix(names[0]) for key in held if key.endswith(f".{names[0]}")}
    found = [prefix for prefix in sorted(behind) if all(f"{prefix}{name}" in held for name in names)]
    if len(found) > 1:
        raise InputError(
            f"{where} holds the layers of the network {len(found)} times, behind "
            f"{', '.join(printable(repr(prefix)) for prefix in found[:6])}; store one of them alone."
        )
    if found:
        return found[0]
    # If a name is missing, take the prefix that all names of the file share.
    columns = zip(*(key.split(".") for key in held if key), strict=False)
    shared = itertools.takewhile(lambda column: len(set(column)) == 1, columns)
    prefix = "".join(f"{column[0]}." for column in shared)
    return prefix if any(f"{prefix}{name}" in held for name in names) else ""
