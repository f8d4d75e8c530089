"""See what a convolution does to an image.

The public names are loaded on first use, so that importing the package costs
nothing: ``convviz.conv2d``, ``convviz.run`` and the values they take and give.
"""

from convviz.loading import on_first_use

# Not that of typing, which would load re and more before `python -m convviz` can refuse a planted one.
TYPE_CHECKING = False

__version__ = "0.2.0"

# The same as below, for type checkers; an alias says that the name is public here.
if TYPE_CHECKING:
    from convviz.compute.conv import conv2d as conv2d
    from convviz.compute.conv import conv_transpose2d as conv_transpose2d
    from convviz.compute.filters import layer_of_kernels as layer_of_kernels
    from convviz.compute.networks.sources import NetworkSource as NetworkSource
    from convviz.compute.networks.sources import find_net as find_net
    from convviz.compute.weights import LayerWeights as LayerWeights
    from convviz.compute.weights import seeded as seeded
    from convviz.errors import BackendError as BackendError
    from convviz.errors import BatchError as BatchError
    from convviz.errors import ConvvizError as ConvvizError
    from convviz.errors import InputError as InputError
    from convviz.errors import OutputError as OutputError
    from convviz.errors import ShapeError as ShapeError
    from convviz.errors import SpecError as SpecError
    from convviz.errors import TextError as TextError
    from convviz.errors import UnknownNameError as UnknownNameError
    from convviz.files.checkpoints import Checkpoint as Checkpoint
    from convviz.files.checkpoints import read_checkpoint as read_checkpoint
    from convviz.images.decode import read as read
    from convviz.images.picture import Picture as Picture
    from convviz.results.best import Best as Best
    from convviz.results.best_of import best as best
    from convviz.results.diff import Differences as Differences
    from convviz.results.diff_of import diff as diff
    from convviz.results.explanations import Explanation as Explanation
    from convviz.results.explanations import explain as explain
    from convviz.results.feature_maps import FeatureMaps as FeatureMaps
    from convviz.results.layer_maps import LayerMaps as LayerMaps
    from convviz.results.look import Looks as Looks
    from convviz.results.look_at import look as look
    from convviz.results.network import NetworkMaps as NetworkMaps
    from convviz.results.padded import Padded as Padded
    from convviz.results.padded import pad as pad
    from convviz.results.running import run as run
    from convviz.results.running import run_net as run_net
    from convviz.results.stored_filters import StoredFilters as StoredFilters
    from convviz.results.stored_filters import read_filters as read_filters
    from convviz.results.stored_maps import StoredMaps as StoredMaps
    from convviz.results.stored_maps import maps as maps
    from convviz.spec.geometry import HW as HW
    from convviz.spec.geometry import Edges as Edges
    from convviz.spec.kernels import Kernel as Kernel
    from convviz.spec.kernels import kernels as kernels
    from convviz.spec.layers import Conv2d as Conv2d
    from convviz.spec.network import Network as Network
    from convviz.spec.preparation import Normalization as Normalization
    from convviz.spec.preparation import ShortSide as ShortSide
    from convviz.spec.stacks import parse_layers as parse_layers
    from convviz.spec.stacks import read_net as read_net

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
    "results.best": ("Best",),
    "results.best_of": ("best",),
    "results.diff": ("Differences",),
    "results.diff_of": ("diff",),
    "results.explanations": ("Explanation", "explain"),
    "results.feature_maps": ("FeatureMaps",),
    "results.look": ("Looks",),
    "results.look_at": ("look",),
    "results.layer_maps": ("LayerMaps",),
    "results.network": ("NetworkMaps",),
    "results.padded": ("Padded", "pad"),
    "results.running": ("run", "run_net"),
    "results.stored_filters": ("StoredFilters", "read_filters"),
    "results.stored_maps": ("StoredMaps", "maps"),
    "spec.geometry": ("HW", "Edges"),
    "spec.kernels": ("Kernel", "kernels"),
    "spec.layers": ("Conv2d",),
    "spec.network": ("Network",),
    "spec.preparation": ("Normalization", "ShortSide"),
    "spec.stacks": ("parse_layers", "read_net"),
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)

__all__ = ["__version__", *__dir__()]
