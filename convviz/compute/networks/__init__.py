"""Compute networks: onnxruntime runs files, torch runs modules, numpy runs stacks of our own layers."""

from typing import TYPE_CHECKING, Any

from convviz.compute.networks.engines import load_model, load_weights, of_module, open_onnx

if TYPE_CHECKING:
    from convviz.compute.networks.sources import NetworkSource

__all__ = ["load_model", "load_weights", "of_module", "open_onnx", "source_of"]


def source_of(network: Any, layer: Any = None, **more: Any) -> "NetworkSource":
    """Read everything about a network that does not depend on its input.

    Parameters and errors are those of `convviz.compute.networks.sources.source_of`. This function imports
    that module late, because a single layer does not need it.
    """
    from convviz.compute.networks import sources

    return sources.source_of(network, layer, **more)
