"""The look-up of engines: each is imported when it is asked for, and its absence is one line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convviz.errors import importing

if TYPE_CHECKING:
    from convviz.compute.networks.engine import Engine


def open_onnx(path: str | Path) -> "Engine":
    """Open the network of an ONNX file; nothing in it is run but operations that onnxruntime knows.

    Raises
    ------
    BackendError
        If onnx or onnxruntime is not installed.
    InputError
        If the file cannot be read, reads no picture, or refers to a file outside its folder.
    """
    what = "a network of ONNX"
    with importing("onnx", what, install="'convviz[onnx]'"):
        import onnx  # noqa: F401
    with importing("onnxruntime", what, install="'convviz[onnx]'"):
        import onnxruntime  # noqa: F401
    from convviz.compute.networks.onnx import OnnxEngine

    return OnnxEngine(Path(path))


def of_module(module: Any, name: str = "") -> "Engine":
    """Take a module of torch as a network.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is not changed.
    name : str
        What messages call it.

    Raises
    ------
    BackendError
        If torch is not installed.
    SpecError
        If it is no module, is TorchScript, or has no numbers yet.
    """
    with importing("torch", "a network of torch"):
        from convviz.compute.networks.modules import ModuleEngine
    return ModuleEngine(module, name)


def load_model(text: str, *, seed: int = 0) -> Any:
    """Import a module of torch by ``FILE.py:NAME`` or ``package.module:NAME``; this runs its code.

    `seed` is what torch draws weights with that are new.

    Raises
    ------
    BackendError, SpecError, UnknownNameError, InputError
        As `convviz.compute.networks.loading.load_model` says, or if torch is not installed.
    """
    with importing("torch", "a network of torch"):
        from convviz.compute.networks import loading
    return loading.load_model(text, seed=seed)


def load_weights(module: Any, checkpoint: Any) -> tuple[str, ...]:
    """Put the weights of a file into a module of torch, by their names.

    Parameters
    ----------
    module : torch.nn.Module
        The module, which is changed.
    checkpoint : Checkpoint
        The file, read as data.

    Returns
    -------
    tuple of str
        Every pairing that is not by equal name, and what the file holds beyond the module.

    Raises
    ------
    InputError
        If an array is missing, has another shape, or the names fit in two ways.
    """
    from convviz.compute.networks import loading

    return loading.load_weights(module, checkpoint)
