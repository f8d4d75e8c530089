"""Compute one run with two backends, and measure their difference."""

from dataclasses import dataclass

import numpy as np

from convviz.compute import backends
from convviz.compute.conv import apply
from convviz.compute.feature_maps import LayerRun
from convviz.errors import BackendError
from convviz.images import finite
from convviz.typing import Floats

# Two backends add in different orders. This is their largest allowed difference, as a fraction of the
# largest sum of products that a map could have. float32 has a precision of 6e-8.
AGREEMENT = 1e-5
# A program that rounds its maps to one of these types has at most this precision, as a fraction of a value.
_ROUNDED = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


@dataclass(frozen=True, slots=True)
class Agreement:
    """The difference between two backends on one run.

    Parameters
    ----------
    backends : (str, str)
        The backends that were compared.
    difference : float
        The largest absolute difference between two values.
    relative : float
        The largest difference as a fraction of the largest sum of products that the map could
        have.
    worst : str
        The map with the largest difference.
    allowed : float
        The largest difference that `check` allows, as a fraction too.
    step : float
        The distance between two numbers to which the second backend rounds maps; 0 if it does not.
    """

    backends: tuple[str, str]
    difference: float
    relative: float
    worst: str = ""
    allowed: float = AGREEMENT
    step: float = 0.0

    def __str__(self) -> str:
        first, second = self.backends
        share = f"{self.relative:.1e} of the largest possible value"
        steps = f"; {second} rounds to steps of {self.step:.2g}" if self.step else ""
        if self.difference == 0:
            return f"{first} and {second} are equal{steps}"
        return f"{first} and {second} differ by at most {self.difference:.2g} ({share}){steps}"

    def check(self) -> None:
        """Raise a `BackendError` if the two differ by more than is allowed."""
        if not self.relative <= self.allowed:
            first, second = self.backends
            raise BackendError(
                f"{first} and {second} disagree on {self.worst!r} by {self.difference:.3g}, "
                f"{self.relative:.1e} of its largest possible value; {self.allowed:.2g} is allowed."
            )


def check(result: LayerRun, *, device: str = "cpu") -> Agreement:
    """Compute the run again with the other backend, and compare.

    Parameters
    ----------
    result : LayerRun
        The run of one backend.
    device : str
        The device on which torch computes.

    Returns
    -------
    Agreement
        The largest differences.

    Raises
    ------
    BackendError
        If a difference is larger than `AGREEMENT`, or if the other backend is not installed.
    """
    other = next(name for name in backends.names() if name != result.backend)
    maps = apply(
        result.layer,
        result.picture.x,
        result.filters,
        backend=other,
        device=device if other == "torch" else "cpu",
    )
    agreement = between(result, maps, other)
    agreement.check()
    return agreement


def between(result: LayerRun, maps: Floats, other: str, *, dtype: str = "float32") -> Agreement:
    """Compare the maps of a run with the maps of another program.

    Parameters
    ----------
    result : LayerRun
        The run of one backend.
    maps : ndarray, shape (O, H', W'), float32
        The maps of the other program.
    other : str
        The name of the other program.
    dtype : str
        The type to which it rounds the maps.
    """
    apart = finite.apart(maps, result.maps).max(axis=(1, 2))
    weight = np.abs(result.filters.weight.astype(np.float64)).sum(axis=(1, 2, 3))
    largest = weight * finite.largest(result.picture.x)
    if result.filters.bias is not None:
        largest += np.abs(result.filters.bias)
    largest = np.maximum(largest, np.finfo(np.float32).tiny)
    relative = apart / largest
    step = 0.0 if result.rounding is None else result.rounding.step
    allowed = _ROUNDED.get(dtype, AGREEMENT) + step / 2 / largest
    worst = int((relative - allowed).argmax())
    return Agreement(
        (result.backend, other),
        float(apart.max()),
        float(relative[worst]),
        result.names[worst],
        float(allowed[worst]),
        step,
    )
