"""What ``convviz diff`` compares: A and B as a user writes them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from convviz.errors import SpecError
from convviz.spec.layers.base import check_count
from convviz.spec.settings import ContrastSettings, Look, Scale
from convviz.spec.wanted import NetworkSettings
from convviz.text import in_quotes

# The relative difference up to which outputs of a layer agree: two programs that add in different orders
# stay below it (the worst of the benchmark is 3.7e-5). Stored numbers have to be the same.
OF_LAYERS, OF_ARRAYS = 1e-4, 0.0

ARRAYS = (".safetensors", ".npz", ".npy", ".pt", ".pth", ".ckpt", ".bin")
# FILE.py:NAME or package.module:NAME; a path to an array in an archive has an ending before its colon.
_MODULE = re.compile(r"(.+\.py|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things that are compared.

    Parameters
    ----------
    text : str
        What the user wrote, for messages and headings.
    network : NetworkSettings, optional
        The network; None for a file of numbers alone.
    weights : Path, optional
        The file of numbers: the weights of the network, or what is compared itself.
    """

    text: str
    network: NetworkSettings | None = None
    weights: Path | None = None

    @property
    def files(self) -> list[Path]:
        """The files that are read, and never replaced."""
        return [*(self.network.files if self.network else []), *([self.weights] if self.weights else [])]


def side_of(text: str, network: NetworkSettings, *, exists: Callable[[str], bool]) -> Side:
    """Read A or B.

    Parameters
    ----------
    text : str
        A network: a name, FILE.toml, FILE.onnx, layers as text, FILE.py:NAME; with ``=FILE`` behind it,
        the file of its weights. Or a file of numbers alone.
    network : NetworkSettings
        The network of a file of weights alone, if there is one. Code is run only if it has a model.
    exists : callable
        Whether there is a file of this name: it is not divided at ``=``.

    Returns
    -------
    Side
        The network, and the file of numbers.

    Raises
    ------
    SpecError
        If a module of torch is named, but no model says that code may run.

    Examples
    --------
    >>> nothing = NetworkSettings()
    >>> side_of("lenet5=trained.npz", nothing, exists=lambda name: False).weights.name
    'trained.npz'
    >>> side_of("after.pt", NetworkSettings(model="net.py:Net"), exists=bool).network.model
    'net.py:Net'
    """
    head, sign, tail = ("", "", "") if exists(text) else text.rpartition("=")
    if sign and _ends_as_arrays(tail):
        return replace(_alone(head, network), text=text, weights=Path(tail))
    if _ends_as_arrays(text):
        return Side(text, network if network.given else None, Path(text))
    return _alone(text, network)


def _ends_as_arrays(text: str) -> bool:
    """Return whether a name is that of a file of numbers."""
    return text.lower().endswith(ARRAYS)


def _alone(text: str, network: NetworkSettings) -> Side:
    """Read a network without weights."""
    if _MODULE.fullmatch(text):
        if network.model is None:
            raise SpecError(
                f"model: {in_quotes(text)} is code, which runs only if model says so; add --model {text}"
            )
        return Side(text, NetworkSettings(model=text))
    if "|" in text or " " in text.strip():
        return Side(text, NetworkSettings(layers=text))
    return Side(text, NetworkSettings(net=text))


@dataclass(frozen=True, slots=True)
class CommonNetwork:
    """The network of A and B where they are files of weights; with the parameters of `NetworkSettings`."""

    layers: str | None = None
    net: str | None = None
    model: str | None = None

    @property
    def settings(self) -> NetworkSettings:
        """The settings of the network."""
        return NetworkSettings(self.layers, self.net, self.model)


@dataclass(frozen=True, slots=True)
class DiffSettings:
    """How two networks, or two files of numbers, are compared.

    Parameters
    ----------
    tolerance : float, optional
        The largest difference that is allowed, as a share of the largest magnitude of A: by default 1e-4
        for the outputs of layers, and 0 for stored numbers.

    Raises
    ------
    SpecError
        If it is negative.
    """

    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.tolerance is not None and not self.tolerance >= 0:
            raise SpecError(f"tolerance must be a number of at least 0, not {self.tolerance!r}.")


@dataclass(frozen=True, slots=True)
class PairSettings(Look):
    """What the sheet of ``convviz diff`` looks like; with the parameters of `Look`.

    Parameters
    ----------
    scale : {"map", "layer", "global"}
        By default the maps of A and of B share one scale.
    tile : int, optional
        Longest side of a map in the picture, in pixels; None keeps every pixel.

    Raises
    ------
    SpecError
        If `tile` is no whole number of at least 1.
    """

    scale: Scale = "layer"
    tile: int | None = 320

    @property
    def arguments(self) -> dict[str, Any]:
        """What methods that draw a sheet take, by its name there."""
        return {of.name: getattr(self, of.name) for of in fields(self)}

    def __post_init__(self) -> None:
        if self.tile is not None:
            check_count("tile", self.tile)
        ContrastSettings.__post_init__(self)
