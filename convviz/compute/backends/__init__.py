"""The table of backends, each one module with one function.

``cross_correlate(x, weight, *, stride, dilation, groups, device)`` computes the valid
cross-correlation of an input that is padded already. A backend is imported when
it is first asked for.
"""

import importlib
from typing import Any, NamedTuple, Protocol, cast

from convviz.errors import BackendError, UnknownNameError, importing
from convviz.machine import parallel
from convviz.spec.geometry import HW


class CrossCorrelate(Protocol):
    """What every backend offers."""

    def __call__(
        self, x: Any, weight: Any, *, stride: HW, dilation: HW, groups: int, device: str = "cpu"
    ) -> Any:
        """Make ``(O, H', W')`` of ``x (C, H, W)`` and ``weight (O, C/groups, kh, kw)``, all float32."""
        ...


class Backend(NamedTuple):
    """One row of the table.

    Parameters
    ----------
    name : str
        What ``--backend`` takes.
    module : str
        The module with ``cross_correlate``.
    requires : str
        The package it computes with.
    devices : tuple of str
        What ``--device`` may be.
    """

    name: str
    module: str
    requires: str
    devices: tuple[str, ...]


BACKENDS = (
    Backend("numpy", "convviz.compute.backends.numpy_", "numpy", ("cpu",)),
    Backend("torch", "convviz.compute.backends.torch_", "torch", ("cpu", "cuda", "mps")),
)
DEVICES = tuple(dict.fromkeys(device for backend in BACKENDS for device in backend.devices))

# What `auto` weighs, measured in 2026 on one core of a server (`convviz bench` measures it on any machine):
# torch takes 1.5 s to import, and then does dense layers, where it is at its best, at 90e9 MACs a
# second where numpy's OpenBLAS does 50e9. On layers of few channels and filters the two are close.
IMPORT_TORCH_SECONDS = 1.5
NUMPY_MACS_PER_SECOND, TORCH_MACS_PER_SECOND = 50e9, 90e9


def names() -> tuple[str, ...]:
    """Names of the backends, in the order of the table."""
    return tuple(backend.name for backend in BACKENDS)


def choose(name: str, *, macs: int, device: str = "cpu") -> str:
    """Resolve ``auto`` to the backend that will be done first.

    Parameters
    ----------
    name : str
        A name of the table, or "auto".
    macs : int
        MACs to do.
    device : str
        Where to do them.

    Returns
    -------
    str
        A name of the table.

    Raises
    ------
    UnknownNameError
        If the table has no such name.
    BackendError
        If the backend does not run on `device`.

    Notes
    -----
    numpy is taken where torch would not make up for the time to import it, and
    where torch is not installed.

    Examples
    --------
    >>> choose("auto", macs=42_000_000)
    'numpy'
    """
    if name != "auto":
        row = _row(name)
        if device not in row.devices:
            raise BackendError(f"the {name} backend does not run on {device}; take --backend torch.")
        return name
    if device != "cpu":
        return next(backend.name for backend in BACKENDS if device in backend.devices)
    saved = macs * (1 / NUMPY_MACS_PER_SECOND - 1 / TORCH_MACS_PER_SECOND) / parallel.threads()
    return "numpy" if saved < IMPORT_TORCH_SECONDS or not _installed("torch") else "torch"


def devices(name: str) -> tuple[str, ...]:
    """List the devices that the backend `name` finds here; none where its package is not installed."""
    row = _row(name)
    if not _installed(row.requires):
        return ()
    if len(row.devices) == 1:
        return row.devices
    with importing(row.requires, f"the {name} backend"):
        return cast("tuple[str, ...]", importlib.import_module(row.module).devices())


def load(name: str) -> CrossCorrelate:
    """Import the backend `name` and give its function.

    Raises
    ------
    UnknownNameError
        If the table has no such name.
    BackendError
        If the package it computes with is not installed, or cannot be imported.
    """
    row = _row(name)
    with importing(row.requires, f"the {name} backend"):
        module = importlib.import_module(row.module)
    return cast("CrossCorrelate", module.cross_correlate)


def load_torch_networks() -> Any:
    """Import what computes whole networks by torch, and gradients through them.

    Raises
    ------
    BackendError
        If torch is not installed.
    """
    load("torch")
    return importlib.import_module("convviz.compute.networks.torch_")


def _installed(package: str) -> bool:
    """Return whether a package is there, without importing it."""
    import importlib.util

    return importlib.util.find_spec(package) is not None


def _row(name: str) -> Backend:
    """Find the row of a backend."""
    for backend in BACKENDS:
        if backend.name == name:
            return backend
    raise UnknownNameError("backend", name, (*names(), "auto"))
