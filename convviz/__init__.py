"""See what a convolution does to an image.

The public names are loaded on first use, so that importing the package costs
nothing: ``convviz.conv2d``, ``convviz.run`` and the values they take and give.
"""

import importlib

# Not that of typing, which would load re and more before `python -m convviz` can refuse a planted one.
TYPE_CHECKING = False

__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from convviz.compute.conv import conv2d, conv_transpose2d
    from convviz.compute.filters import layer_of_kernels
    from convviz.compute.networks.sources import NetworkSource, find_net
    from convviz.compute.weights import LayerWeights, seeded
    from convviz.errors import (
        BackendError,
        BatchError,
        ConvvizError,
        InputError,
        OutputError,
        ShapeError,
        SpecError,
        TextError,
        UnknownNameError,
    )
    from convviz.files.checkpoints import Checkpoint, read_checkpoint
    from convviz.images.decode import read
    from convviz.images.picture import Picture
    from convviz.results.explanations import Explanation, explain
    from convviz.results.feature_maps import FeatureMaps, run
    from convviz.results.network import LayerMaps, NetworkMaps, run_net
    from convviz.results.padded import Padded, pad
    from convviz.results.stored_filters import StoredFilters, read_filters
    from convviz.spec.geometry import HW, Edges
    from convviz.spec.kernels import Kernel, kernels
    from convviz.spec.layers import Conv2d
    from convviz.spec.network import Network
    from convviz.spec.preparation import Normalization, ShortSide
    from convviz.spec.stacks import parse_layers, read_net

_HOMES = {
    "compute.conv": ("conv2d", "conv_transpose2d"),
    "compute.filters": ("layer_of_kernels",),
    "compute.networks.sources": ("NetworkSource", "find_net"),
    "compute.weights": ("LayerWeights", "seeded"),
    "errors": (
        "BackendError",
        "BatchError",
        "ConvvizError",
        "InputError",
        "OutputError",
        "ShapeError",
        "TextError",
        "SpecError",
        "UnknownNameError",
    ),
    "files.checkpoints": ("Checkpoint", "read_checkpoint"),
    "images.decode": ("read",),
    "images.picture": ("Picture",),
    "results.explanations": ("Explanation", "explain"),
    "results.feature_maps": ("FeatureMaps", "run"),
    "results.network": ("LayerMaps", "NetworkMaps", "run_net"),
    "results.padded": ("Padded", "pad"),
    "results.stored_filters": ("StoredFilters", "read_filters"),
    "spec.geometry": ("HW", "Edges"),
    "spec.kernels": ("Kernel", "kernels"),
    "spec.layers": ("Conv2d",),
    "spec.network": ("Network",),
    "spec.preparation": ("Normalization", "ShortSide"),
    "spec.stacks": ("parse_layers", "read_net"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "HW",
    "BackendError",
    "BatchError",
    "Checkpoint",
    "Conv2d",
    "ConvvizError",
    "Edges",
    "Explanation",
    "FeatureMaps",
    "InputError",
    "Kernel",
    "LayerMaps",
    "LayerWeights",
    "Network",
    "NetworkMaps",
    "NetworkSource",
    "Normalization",
    "OutputError",
    "Padded",
    "Picture",
    "ShapeError",
    "ShortSide",
    "SpecError",
    "StoredFilters",
    "TextError",
    "UnknownNameError",
    "__version__",
    "conv2d",
    "conv_transpose2d",
    "explain",
    "find_net",
    "kernels",
    "layer_of_kernels",
    "pad",
    "parse_layers",
    "read",
    "read_checkpoint",
    "read_filters",
    "read_net",
    "run",
    "run_net",
    "seeded",
]


def __getattr__(name: str) -> "Any":
    """Load a public name when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'convviz' has no attribute {name!r}")
    return getattr(importlib.import_module(f"convviz.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
