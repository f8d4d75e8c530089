"""Read sets of named numbers to compare: weights, saved runs, the parameters of a network."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.compute import networks
from convviz.compute.networks.engine import Engine
from convviz.compute.networks.sources import EngineSource, NetworkSource, StackSource
from convviz.errors import InputError
from convviz.files import npy
from convviz.files.checkpoints import READABLE, read_checkpoint
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.spec.wanted import NetworkSettings

Numbers = Mapping[str, NDArray[Any]]

# Counters of training that no layer computes with.
_ASIDE = "num_batches_tracked"


def as_numbers(value: Any) -> Numbers:
    """Read named numbers of any kind.

    Parameters
    ----------
    value : str, Path, NetworkSource, torch.nn.Module, dict of array_like, or array_like
        A file of weights or of a saved run; a network, with its parameters; a state dict; an array.

    Returns
    -------
    dict of ndarray
        By name; a single array is called ``array``. Numbers that only count batches are left out.

    Raises
    ------
    InputError
        If a file cannot be read, or something is no array of real numbers.
    """
    if isinstance(value, str | Path):
        found = _from_file(Path(value))
    elif isinstance(value, StackSource | EngineSource):
        found = _of_network(value)
    elif callable(getattr(value, "state_dict", None)):
        found = _arrays(value.state_dict())
    else:
        found = _arrays(value if isinstance(value, Mapping) else {"array": value})
    return {name: of for name, of in found.items() if name.rpartition(".")[2] != _ASIDE}


def _from_file(path: Path) -> Numbers:
    """Read a file."""
    if path.suffix.lower() == ".onnx":
        return _of_network(networks.source_of(NetworkSettings(net=str(path))))
    if path.suffix.lower() == ".npy":
        return {"maps": npy.from_npy(read_bytes(path), quoted(path))}
    if path.suffix.lower() not in READABLE:
        raise InputError(f"cannot read numbers from {quoted(path)}; its name must end in {_ENDINGS}.")
    return read_checkpoint(path).arrays


_ENDINGS = ", ".join((*READABLE, ".npy"))


def _of_network(source: NetworkSource) -> Numbers:
    """List the parameters of a network."""
    if isinstance(source, EngineSource) and hasattr(source.engine, "module"):
        return _arrays(source.engine.module.state_dict())
    opened = source.open(source.usual_shape)
    if opened.filled is not None:
        weights = opened.filled.weights
        return {f"{name}.{key}": of for name, own in weights.items() for key, of in own.items()}
    return _of_engine(opened.engine, source.usual_shape)


def _of_engine(engine: Engine, shape: tuple[int, int, int]) -> Numbers:
    """List the weights and biases of the layers of a file, as real numbers and by the names of torch."""
    found: dict[str, NDArray[Any]] = {}
    for step in engine.steps(shape):
        layer = engine.conv(step.name) if engine.convolves(step.name) else engine.linear(step.name)
        if layer is not None:
            found[f"{step.name}.weight"] = layer.weight
            found |= {} if layer.bias is None else {f"{step.name}.bias": layer.bias}
    return found


def _arrays(given: Mapping[Any, Any]) -> Numbers:
    """Convert what a dict holds to arrays."""
    torch = sys.modules.get("torch")  # a user with a tensor has already loaded torch
    found: dict[str, NDArray[Any]] = {}
    for name, value in given.items():
        if torch is not None and isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            value = (value.float() if value.is_floating_point() else value).numpy()
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.asarray(None)
        if array.dtype.kind not in "biuf":
            raise InputError(f"{name}: expected an array of real numbers.")
        found[str(name)] = array
    return found


def paired(first: Numbers, second: Numbers) -> tuple[dict[str, str], str]:
    """Pair arrays by name; if no name is in both, behind a prefix; else by their order, if all shapes agree.

    Returns
    -------
    pairs : dict of str
        The names in B, by the names in A.
    how : {"name", "order"}
        What they were paired by.

    Examples
    --------
    >>> one, two = np.zeros(2), np.zeros((2, 2))
    >>> paired({"a": one, "b": two}, {"module.a": one, "module.b": two})
    ({'a': 'module.a', 'b': 'module.b'}, 'name')
    >>> paired({"a": one, "b": two}, {"x": one, "y": two})
    ({'a': 'x', 'b': 'y'}, 'order')
    """
    same = {name: name for name in first if name in second}
    if same:
        return same, "name"
    behind = {name: other for name in first for other in second if other.endswith(f".{name}")}
    beyond = {name: other for name in first for other in second if name.endswith(f".{other}")}
    for found in (behind, beyond):
        if found:
            return found, "name"
    if [of.shape for of in first.values()] == [of.shape for of in second.values()]:
        return dict(zip(first, second, strict=True)), "order"
    return {}, "name"
