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

    from convviz.checkpoints import Checkpoint, read_checkpoint
    from convviz.errors import (
        BackendError,
        BatchError,
        ConvvizError,
        InputError,
        OutputError,
        ShapeError,
        SpecError,
        UnknownNameError,
    )
    from convviz.forward import conv_transpose2d, run_net
    from convviz.geometry import HW, Edges
    from convviz.images import Picture, read
    from convviz.kernels import Kernel
    from convviz.layers import Conv2d
    from convviz.net import Net, find_net, parse_layers, read_net
    from convviz.pipeline import FeatureMaps, conv2d, run
    from convviz.preparation import Normalization, ShortSide
    from convviz.weights import FilterBank, kernel_bank, seeded

_HOMES = {
    "checkpoints": ("Checkpoint", "read_checkpoint"),
    "errors": (
        "BackendError",
        "BatchError",
        "ConvvizError",
        "InputError",
        "OutputError",
        "ShapeError",
        "SpecError",
        "UnknownNameError",
    ),
    "geometry": ("HW", "Edges"),
    "images": ("Picture", "read"),
    "kernels": ("Kernel",),
    "layers": ("Conv2d",),
    "forward": ("conv_transpose2d", "run_net"),
    "net": ("Net", "find_net", "parse_layers", "read_net"),
    "pipeline": ("FeatureMaps", "conv2d", "run"),
    "preparation": ("Normalization", "ShortSide"),
    "weights": ("FilterBank", "kernel_bank", "seeded"),
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
    "FeatureMaps",
    "FilterBank",
    "InputError",
    "Kernel",
    "Net",
    "Normalization",
    "OutputError",
    "Picture",
    "ShapeError",
    "ShortSide",
    "SpecError",
    "UnknownNameError",
    "__version__",
    "conv2d",
    "conv_transpose2d",
    "find_net",
    "kernel_bank",
    "parse_layers",
    "read",
    "read_checkpoint",
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
