"""Combine weights stored in parts: weight norm, spectral norm and pruning of ``torch.nn.utils``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import InputError
from convviz.machine import memory
from convviz.text import in_quotes

Array = NDArray[Any]

# How torch names the parts: with a suffix to the name of the whole, or in a module in between.
_BEHIND = re.compile(r"(.+)_(orig|mask|u|v|g)", re.DOTALL)
_BETWEEN = re.compile(r"(.*\.)?parametrizations\.(\w+)\.(original\d*|\d+\..+)", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Arrays of a file, with whole weights in place of their parts.

    Parameters
    ----------
    arrays : dict of ndarray
        The arrays by name, in the order of the file.
    made_of : dict of str
        How each combined array was stored.
    left_out : dict of str
        Why others could not be combined, by the name of the whole.
    """

    arrays: dict[str, Array]
    made_of: dict[str, str]
    left_out: dict[str, str]


def joined(found: Mapping[str, Array], name: str) -> Joined:
    """Combine the weights that a file stores in parts.

    Parameters
    ----------
    found : dict of ndarray
        Every array of the file.
    name : str
        What messages call the file.

    Returns
    -------
    Joined
        The arrays; according to their names, none is a part of another.

    Notes
    -----
    The result is what a layer in evaluation mode uses: ``g v / |v|`` with the norm over all
    axes along which g has one value; ``W / sigma`` with ``sigma = u (W v)``; or the mask times
    the original.

    Examples
    --------
    >>> parts = {"c.weight_orig": np.float32([1, 2, 3]), "c.weight_mask": np.float32([1, 0, 1])}
    >>> whole = joined(parts, "x")
    >>> whole.arrays["c.weight"].tolist(), whole.made_of
    ([1.0, 0.0, 3.0], {'c.weight': 'pruning'})
    """
    arrays, made_of, left_out = dict(found), dict[str, str](), dict[str, str]()
    # A part may itself be stored in parts: the v of a layer with weight norm can be pruned.
    for wanted in (_PRUNED, None):
        wholes = {
            whole: parts
            for whole, parts in _parts(arrays).items()
            if wanted is None or parts.keys() == wanted
        }
        owner = {key: whole for whole, parts in wholes.items() for key in parts.values()}
        kept: dict[str, Array] = {}
        for key, value in arrays.items():
            whole = owner.get(key)
            if whole is None:
                kept[key] = value
            elif whole not in kept and whole not in left_out:
                parts = {role: arrays[one] for role, one in wholes[whole].items()}
                how, made = _whole(parts, f"{name}, {in_quotes(whole)}")
                if made is None:
                    left_out[whole] = f"it is stored in parts ({', '.join(parts)}) that do not give it"
                else:
                    kept[whole], made_of[whole] = made, how
        arrays = kept
    return Joined(arrays, made_of, left_out)


def _parts(found: Mapping[str, Array]) -> dict[str, dict[str, str]]:
    """Find what is stored in parts: for the name of each whole, the names of its arrays by part."""
    behind: dict[str, dict[str, str]] = {}
    between: dict[str, dict[str, str]] = {}
    for key in found:
        if part := _BETWEEN.fullmatch(key):
            between.setdefault((part[1] or "") + part[2], {})[part[3]] = key
        elif part := _BEHIND.fullmatch(key):
            behind.setdefault(part[1], {})[part[2]] = key
    # A single array may have such a name by chance.
    known = {
        whole: parts
        for whole, parts in behind.items()
        if parts.keys() in _KNOWN or whole.rpartition(".")[2] in ("weight", "bias")
    }
    return known | between


def _whole(parts: Mapping[str, Array], what: str) -> tuple[str, Array | None]:
    """Return how an array was stored, and the combined array; None if the parts do not fit."""
    memory.need(
        32 * max(one.size for one in parts.values()),
        f"the parts of {what}",
        "store it whole",
        error=InputError,
    )
    for roles, (how, compute) in _HOW.items():
        if parts.keys() == set(roles):
            with np.errstate(all="ignore"):  # weights that became NaN are shown as such
                made = compute(*(parts[role] for role in roles))
            return how, None if made is None else made.astype(np.float32)
    return "", None


def _masked(original: Array, mask: Array) -> Array | None:
    """Set pruned weights to 0."""
    return original * mask if original.shape == mask.shape else None


def _normed(g: Array, v: Array) -> Array | None:
    """Scale every part of v, along the axis of g, to the length given by g."""
    if g.size != 1 and (
        g.ndim != v.ndim or any(n not in (1, m) for n, m in zip(g.shape, v.shape, strict=True))
    ):
        return None
    axes = (
        tuple(range(v.ndim)) if g.size == 1 else tuple(axis for axis in range(v.ndim) if g.shape[axis] == 1)
    )
    wide = v.astype(np.float64)
    length = np.sqrt(np.square(wide).sum(axis=axes, keepdims=True))
    made: Array = wide * (g.reshape(length.shape) / length)
    return made


def _divided(original: Array, u: Array, v: Array) -> Array | None:
    """Divide by the largest singular value, as approximated by u and v."""
    wide, best = original.astype(np.float64), (-1.0, 0.0)
    # The matrix has one row per filter; filters are on axis 0, or on axis 1 for a transposed convolution.
    for axis in range(min(2, wide.ndim)):
        matrix = np.moveaxis(wide, axis, 0).reshape(wide.shape[axis], -1)
        if (u.shape, v.shape) == ((len(matrix),), (matrix.shape[1],)):
            made = matrix @ v.astype(np.float64)
            sigma = float(u.astype(np.float64) @ made)
            # If both axes fit, use the one for which u was computed: u points in the direction of W v.
            agreement = abs(sigma) / max(float(np.linalg.norm(made)), 1e-300)
            best = max(best, (agreement, sigma), key=lambda pair: pair[0])
    return None if best[0] < 0 else wide / best[1]


_HOW: dict[tuple[str, ...], tuple[str, Callable[..., Array | None]]] = {
    ("orig", "mask"): ("pruning", _masked),
    ("g", "v"): ("weight norm", _normed),
    ("orig", "u", "v"): ("spectral norm", _divided),
    ("original0", "original1"): ("weight norm", _normed),
    ("original", "0._u", "0._v"): ("spectral norm", _divided),
}
_PRUNED = {"orig", "mask"}
_KNOWN = [set(roles) for roles in _HOW]
