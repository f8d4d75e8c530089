"""Networks and layers of them on pictures, as Python users call them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convviz.compute import networks
from convviz.compute.networks.sources import EngineSource, NetworkSource, StackSource, find_net
from convviz.compute.weights import Parameters
from convviz.errors import SpecError, UnknownNameError
from convviz.files.checkpoints import Checkpoint
from convviz.images import decode
from convviz.results import feature_maps
from convviz.results.feature_maps import FeatureMaps
from convviz.results.network import LayerMaps, NetworkMaps, apply
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
) -> NetworkMaps:
    """Run a network on one picture.

    Parameters
    ----------
    network : Network, NetworkSource, torch.nn.Module, str or Path
        The layers, as `convviz.find_net` and `convviz.parse_layers` give them; a module of torch, which
        is not changed; or the name or file that `find_net` takes.
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture already read, or numbers; a file is read as the network asks for.
    weights : dict of dict of ndarray, or Checkpoint, optional
        The weights of every layer of a network of our own by torch's names, such as ``{"conv1":
        {"weight": ..., "bias": ...}}``, or a file of them as `convviz.read_checkpoint` gives it; those
        that torch draws with `seed` by default. A module and a file of ONNX have their own.
    layers : sequence of str
        Steps of a module or a file to compute; those of an overview by default. Others are computed
        when they are asked for.
    seed : int
        Seed of the weights where there are none.
    backend : {"auto", "numpy", "torch"}
        What computes layers of our own.
    device : {"cpu", "cuda", "mps"}
        Where torch computes layers of our own. A module computes where it is.

    Returns
    -------
    NetworkMaps
        What each layer makes, by its name: `FeatureMaps` of a convolution, `LayerMaps` of others.

    Raises
    ------
    InputError
        If the picture cannot be read, or a file does not hold the weights of the network.
    SpecError, ShapeError
        If layers, weights and picture do not fit each other.
    BackendError
        If the backend or the device is not there.

    Examples
    --------
    >>> from convviz.spec.stacks import parse_layers
    >>> found = run_net(parse_layers("conv 2 k3 | relu | flatten"), np.zeros((1, 5, 5)))
    >>> {name: of.shape for name, of in found.items()}
    {'conv1': (2, 3, 3), 'relu1': (2, 3, 3), 'flatten1': (18,)}
    """
    source = _source(network, weights, seed)
    if isinstance(image, str | Path):
        reading, _ = source.reading(settings.InputSettings())
        picture = decode.read(Path(image), **reading.arguments)
    else:
        picture = decode.as_picture(image)
    return apply(source, picture, backend=backend, device=device, only=layers)


def _source(network: Any, weights: Mapping[str, Parameters] | Checkpoint | None, seed: int) -> NetworkSource:
    """Take what Python users call a network."""
    if isinstance(network, str | Path):
        network = find_net(str(network))
    if isinstance(network, Network):
        checkpoint, given = (weights, None) if isinstance(weights, Checkpoint) else (None, weights)
        return StackSource(network, checkpoint, network, seed, given=given)
    if weights is not None:
        raise SpecError("weights: this network has its own; leave them out.")
    if isinstance(network, StackSource | EngineSource):
        return network
    return EngineSource(networks.of_module(network))


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
    """Run one layer on one picture: a layer by itself, or one deep in a network, on what arrives there.

    Parameters
    ----------
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture already read, or numbers; (H, W, C) where only that can be meant.
    layer_or_module : Conv2d, torch.nn.Conv2d, torch.nn.Module, Network, NetworkSource or str
        The layer, or with `layer` the network around it, as `run_net` takes it.
    weights : LayerWeights, array_like or (array_like, array_like), optional
        The weights of a layer by itself: `LayerWeights`, a weight, or a weight and a bias. By
        default those that torch draws with seed 0. With `layer`, as for `run_net`.
    layer : str, optional
        The layer of the network, such as ``"layer1.0.conv1"``.
    backend : {"auto", "numpy", "torch"}
        What computes; "auto" takes torch where that makes up for the time to load it.
    device : {"cpu", "cuda", "mps"}
        Where torch computes.
    keep : bool
        Whether to compute the maps of a layer by itself now and keep them, if they are smaller
        than 1 GiB. Otherwise they are computed in bands of rows, when they are asked for, where
        that is quicker than to keep them.

    Returns
    -------
    FeatureMaps or LayerMaps
        The maps with all they were made from; a notebook shows them as a picture. What a
        convolution reads is its `picture`. Other layers give `LayerMaps`.

    Raises
    ------
    InputError
        If the file cannot be read.
    SpecError, ShapeError
        If input, layer and weights do not fit each other.
    UnknownNameError
        If the network has no such layer.
    BackendError
        If the backend or the device is not there.

    Examples
    --------
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
