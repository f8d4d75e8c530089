"""The table of engines: each is imported on demand, and a missing one gives a one-line error."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convviz.errors import importing

if TYPE_CHECKING:
    from convviz.compute.networks.engine import Engine


def open_onnx(path: str | Path, *, channels_last: bool = False) -> "Engine":
    """Open the network of an ONNX file; only operations that onnxruntime knows are run.

    `channels_last` tells that it reads (H, W, C), where the file does not say it.

    Raises
    ------
    BackendError
        If onnx or onnxruntime is not installed.
    InputError
        If the file cannot be read, reads no picture, or refers to a file outside its folder.
    """
    with importing(("onnxruntime", "onnx"), "a network of ONNX"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    from convviz.compute.networks.onnx import OnnxEngine

    return OnnxEngine(Path(path), channels_last=channels_last)


def of_module(module: Any, name: str = "") -> "Engine":
    """Make a network of a torch module.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is not changed.
    name : str
        The name of the network in messages.

    Raises
    ------
    BackendError
        If torch is not installed.
    SpecError
        If `module` is not a module, is TorchScript, or has no weights yet.
    """
    with importing("torch", "a network of torch"):
        from convviz.compute.networks.modules import ModuleEngine
    return ModuleEngine(module, name)


def load_model(text: str, *, seed: int = 0) -> Any:
    """Import a torch module; this runs the code of its file or package.

    Parameters
    ----------
    text : str
        ``FILE.py:NAME`` or ``package.module:NAME``. NAME is a module, or a callable that returns
        one. The callable gets no arguments, or ``weights=None`` if it takes weights.
    seed : int
        Seed of the weights that are drawn meanwhile; the state of torch's generator is restored.

    Returns
    -------
    torch.nn.Module
        The module.

    Raises
    ------
    BackendError
        If torch is not installed.
    SpecError
        If `text` has another form, or if NAME needs arguments or does not return a module.
    UnknownNameError
        If the file or the package has no such name.
    InputError
        If the file or the package cannot be imported, or the call fails; the message names the line.
    """
    with importing("torch", "a network of torch"):
        from convviz.compute.networks import loading
    return loading.load_model(text, seed=seed)


def load_weights(module: Any, checkpoint: Any) -> tuple[str, ...]:
    """Load the weights of a file into a module, by their names.

    Parameters
    ----------
    module : torch.nn.Module
        The module, which is changed.
    checkpoint : Checkpoint
        The file; it is read as data only.

    Returns
    -------
    tuple of str
        A remark on every array that was not matched by an equal name, and on every array that the
        module does not use.

    Raises
    ------
    InputError
        If an array is missing or has another shape, or if the names match in two ways.
    """
    from convviz.compute.networks import loading

    return loading.load_weights(module, checkpoint)
