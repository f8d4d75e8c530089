"""Networks computed: by onnxruntime from files, by torch from modules, by numpy for stacks of our own."""

from typing import TYPE_CHECKING, Any

from convviz.compute.networks.engines import load_model, load_weights, of_module, open_onnx

if TYPE_CHECKING:
    from convviz.compute.networks.sources import NetworkSource

__all__ = ["load_model", "load_weights", "of_module", "open_onnx", "source_of"]


def source_of(network: Any, layer: Any = None) -> "NetworkSource":
    """Read what can be read of a network before its input is known.

    Parameters and errors are those of `convviz.compute.networks.sources.source_of`, which is loaded now:
    a layer by itself does not need it.
    """
    from convviz.compute.networks import sources

    return sources.source_of(network, layer)
