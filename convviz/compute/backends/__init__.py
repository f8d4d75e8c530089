"""The table of backends; each is a module with one function.

``cross_correlate(x, weight, *, stride, dilation, groups, device)`` computes the valid
cross-correlation of a padded input. A backend is imported at its first use.
"""

import importlib
from typing import Any, NamedTuple, Protocol, cast

from convviz.errors import BackendError, UnknownNameError, importing
from convviz.machine import parallel
from convviz.spec.geometry import HW


class CrossCorrelate(Protocol):
    """The function that every backend offers."""

    def __call__(
        self, x: Any, weight: Any, *, stride: HW, dilation: HW, groups: int, device: str = "cpu"
    ) -> Any:
        """Compute ``(O, H', W')`` from ``x (C, H, W)`` and ``weight (O, C/groups, kh, kw)``, all float32."""
        ...


class Backend(NamedTuple):
    """One row of the table.

    Parameters
    ----------
    name : str
        The value of the option ``--backend``.
    module : str
        The module with ``cross_correlate``.
    requires : tuple of str
        The packages that it computes with.
    devices : tuple of str
        The allowed values of ``--device``.
    seconds_to_import : float
        How long its packages take to import.
    macs_per_second : float
        How fast one thread then computes a dense layer.
    """

    name: str
    module: str
    requires: tuple[str, ...]
    devices: tuple[str, ...]
    seconds_to_import: float
    macs_per_second: float


# Seconds and speeds are the basis of `auto`, measured in 2026 on one core of a server (`convviz bench`
# measures any machine). numpy is imported in any case. With few channels and filters, all are close.
BACKENDS = (
    Backend("numpy", "convviz.compute.backends.numpy_", ("numpy",), ("cpu",), 0.0, 50e9),
    Backend("torch", "convviz.compute.backends.torch_", ("torch",), ("cpu", "cuda", "mps"), 1.5, 90e9),
    Backend(
        "onnxruntime", "convviz.compute.backends.onnxruntime_", ("onnxruntime", "onnx"), ("cpu",), 0.3, 90e9
    ),
)
DEVICES = tuple(dict.fromkeys(device for backend in BACKENDS for device in backend.devices))


def names() -> tuple[str, ...]:
    """Return the names of the backends, in the order of the table."""
    return tuple(backend.name for backend in BACKENDS)


def choose(name: str, *, macs: int, device: str = "cpu") -> str:
    """Resolve ``auto`` to the backend that will finish first.

    Parameters
    ----------
    name : str
        A name of the table, or "auto".
    macs : int
        The number of MACs to compute.
    device : str
        The device that computes.

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
    The choice is numpy unless a faster one that is installed makes up for the time of its import.

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
        return next(row.name for row in BACKENDS if device in row.devices)
    work = macs / parallel.threads()
    order = sorted(BACKENDS, key=lambda row: row.seconds_to_import + work / row.macs_per_second)
    return next(row.name for row in order if _installed(row))  # few layers need to look for a package


def devices(name: str) -> tuple[str, ...]:
    """List the devices that the backend `name` finds here; none if its package is not installed."""
    row = _row(name)
    if not _installed(row):
        return ()
    if len(row.devices) == 1:
        return row.devices
    with importing(row.requires, f"the {name} backend"):
        return cast("tuple[str, ...]", importlib.import_module(row.module).devices())


def load(name: str) -> CrossCorrelate:
    """Import the backend `name` and return its function.

    Raises
    ------
    UnknownNameError
        If the table has no such name.
    BackendError
        If its package is not installed, or cannot be imported.
    """
    row = _row(name)
    with importing(row.requires, f"the {name} backend"):
        module = importlib.import_module(row.module)
    return cast("CrossCorrelate", module.cross_correlate)


def load_torch_networks() -> Any:
    """Import the module that computes networks and their gradients with torch.

    Raises
    ------
    BackendError
        If torch is not installed.
    """
    load("torch")
    return importlib.import_module("convviz.compute.networks.torch_")


def _installed(row: Backend) -> bool:
    """Return whether the packages of a backend are installed, without importing them."""
    import importlib.util

    return all(importlib.util.find_spec(package) is not None for package in row.requires)


def _row(name: str) -> Backend:
    """Return the row of a backend in the table."""
    for backend in BACKENDS:
        if backend.name == name:
            return backend
    raise UnknownNameError("backend", name, (*names(), "auto"))
