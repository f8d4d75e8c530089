"""Run networks, and layers inside them, on pictures, in the form that Python users call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convviz.compute import networks
from convviz.compute.networks.sources import EngineSource, NetworkSource, StackSource, find_net
from convviz.compute.weights import Parameters
from convviz.errors import SpecError, UnknownNameError
from convviz.files.checkpoints import Checkpoint
from convviz.images import decode
from convviz.images.picture import Picture
from convviz.results import feature_maps
from convviz.results.feature_maps import FeatureMaps
from convviz.results.layer_maps import LayerMaps
from convviz.results.network import NetworkMaps
from convviz.results.network_runs import apply
from convviz.spec import settings
from convviz.spec.network import Network


def run_net(
    network: Any,
    image: Any,
    weights: Mapping[str, Parameters] | Checkpoint | None = None,
    *,
    layers: Sequence[str] = (),
    seed: int = 0,
    backend: str = "auto",
    device: str = "cpu",
    channels_last: bool = False,
) -> NetworkMaps:
    """Run a network on one picture.

    Parameters
    ----------
    network : Network, NetworkSource, torch.nn.Module, str or Path
        The layers, as `convviz.find_net` and `convviz.parse_layers` return them; a torch module, which
        does not change; or a name or file that `find_net` accepts.
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture that is already read, or numbers; a file is read as the network requires.
    weights : dict of dict of ndarray, or Checkpoint, optional
        The weights of every layer of a network of convviz by torch's names, such as ``{"conv1":
        {"weight": ..., "bias": ...}}``, or a file of weights from `convviz.read_checkpoint`; by default the
        weights that torch draws with `seed`. A module and an ONNX file have their own weights.
    layers : sequence of str
        Steps of a module or a file to compute; by default those of an overview. Others are computed
        when they are needed.
    seed : int
        Seed for the weights, if none are given.
    backend : {"auto", "numpy", "torch"}
        The library that computes layers of convviz.
    device : {"cpu", "cuda", "mps"}
        The device on which torch computes layers of convviz. A module computes on its own device.
    channels_last : bool
        Whether an ONNX file reads (H, W, C), and a layer of three axes returns it, where that is not known.

    Returns
    -------
    NetworkMaps
        The output of each layer, by its name: `FeatureMaps` for a convolution, `LayerMaps` for others.

    Raises
    ------
    InputError
        If the picture cannot be read, or a file does not hold the weights of the network.
    SpecError, ShapeError
        If layers, weights and picture do not fit each other.
    BackendError
        If the backend or the device is not available.

    Examples
    --------
    >>> import numpy as np
    >>> from convviz.spec.stacks import parse_layers
    >>> found = run_net(parse_layers("conv 2 k3 | relu | flatten"), np.zeros((1, 5, 5)))
    >>> {name: of.shape for name, of in found.items()}
    {'conv1': (2, 3, 3), 'relu1': (2, 3, 3), 'flatten1': (18,)}
    """
    source = source_from(network, weights, seed, channels_last=channels_last)
    picture = picture_for(source, image)
    return apply(source.open(picture.shape), picture, backend=backend, device=device, only=layers)


def picture_for(source: NetworkSource, image: Any) -> Picture:
    """Read a file as a network requires, or take a picture or numbers as they are."""
    if isinstance(image, str | Path):
        reading, _ = source.reading(settings.InputSettings())
        return decode.read(Path(image), **reading.arguments)
    return decode.as_picture(image)


def source_from(
    network: Any,
    weights: Mapping[str, Parameters] | Checkpoint | None,
    seed: int,
    *,
    channels_last: bool = False,
) -> NetworkSource:
    """Convert any form of network from Python to a source."""
    if isinstance(network, str | Path):
        network = find_net(str(network), channels_last=channels_last)
    if isinstance(network, Network):
        checkpoint, given = (weights, None) if isinstance(weights, Checkpoint) else (None, weights)
        return StackSource(network, checkpoint, network, seed, given=given)
    if weights is not None:
        raise SpecError("weights: this network has its own; leave them out.")
    if isinstance(network, StackSource | EngineSource):
        return network
    return EngineSource(networks.of_module(network), channels_last=channels_last)


def run(
    image: Any,
    layer_or_module: Any,
    weights: Any = None,
    *,
    layer: str | None = None,
    backend: str = "auto",
    device: str = "cpu",
    keep: bool = True,
) -> FeatureMaps | LayerMaps:
    """Run one layer on one picture: a layer by itself, or a layer inside a network on its input there.

    Parameters
    ----------
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture that is already read, or numbers; (H, W, C) if no other order is possible.
    layer_or_module : Conv2d, torch.nn.Conv2d, torch.nn.Module, Network, NetworkSource or str
        The layer, or with `layer` the network around it, in any form that `run_net` accepts.
    weights : LayerWeights, array_like or (array_like, array_like), optional
        The weights of a layer by itself: `LayerWeights`, a weight, or a weight and a bias. By
        default the weights that torch draws with seed 0. With `layer`, as for `run_net`.
    layer : str, optional
        The layer of the network, such as ``"layer1.0.conv1"``.
    backend : {"auto", "numpy", "torch"}
        The library that computes; "auto" uses torch if that makes up for the time to load it.
    device : {"cpu", "cuda", "mps"}
        The device on which torch computes.
    keep : bool
        Whether to compute the maps of a layer by itself now and keep them, if they are smaller
        than 1 GiB. Otherwise, if that is quicker than keeping them, they are computed in bands of
        rows when they are needed.

    Returns
    -------
    FeatureMaps or LayerMaps
        The maps with everything that they were made from; a notebook shows them as a picture. The input
        of a convolution is its `picture`. Other layers return `LayerMaps`.

    Raises
    ------
    InputError
        If the file cannot be read.
    SpecError, ShapeError
        If input, layer and weights do not fit each other.
    UnknownNameError
        If the layer does not exist in the network.
    BackendError
        If the backend or the device is not available.

    Examples
    --------
    >>> import numpy as np
    >>> from convviz.spec.layers import Conv2d
    >>> run(np.ones((3, 8, 8)), Conv2d(3, 6, 3, padding=1)).shape
    (6, 8, 8)
    >>> from convviz.spec.stacks import parse_layers
    >>> network = parse_layers("conv 4 k3 | relu | conv 2 k3 s2")
    >>> run(np.ones((3, 8, 8)), network, layer="conv2").picture.shape
    (4, 6, 6)
    """
    if layer is None:
        return feature_maps.run(image, layer_or_module, weights, backend=backend, device=device, keep=keep)
    made = run_net(layer_or_module, image, weights, layers=[layer], backend=backend, device=device)
    try:
        return made[layer]
    except KeyError:
        raise UnknownNameError("layer", layer, list(made)) from None
