"""What a network is made of: its layers from text, TOML, a name or ONNX, and its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from convviz.compute.networks import filling
from convviz.compute.networks.graphs import network_of_graph
from convviz.compute.weights import Parameters
from convviz.errors import SpecError, UnknownNameError
from convviz.files import npy
from convviz.files.checkpoints import Checkpoint, read_checkpoint
from convviz.spec import stacks
from convviz.spec.layers import Shape
from convviz.spec.network import Network, SizedStep
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings


class Filled(NamedTuple):
    """A network for one input.

    Parameters
    ----------
    network : Network
        Its layers as they were written.
    steps : sequence of SizedStep
        Its layers for the input.
    weights : dict of dict of ndarray
        Weights, biases and statistics, by the names of the layers and of torch.
    remarks : tuple of str
        Where the weights come from, as far as nobody asked for it.
    """

    network: Network
    steps: Sequence[SizedStep]
    weights: Mapping[str, Parameters]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class NetworkSource:
    """A network before its input is known, with the file of its weights.

    Parameters
    ----------
    network : Network, optional
        The layers, as far as they are to be computed; None for a graph of ONNX, whose layers
        depend on the input.
    checkpoint : Checkpoint, optional
        The file of its weights.
    whole : Network, optional
        The network before layers were left out: the file has weights of those too.
    until : str, optional
        The last layer of a graph.
    seed : int
        Seed of the weights where there is no file.

    Examples
    --------
    >>> source = NetworkSource.of(NetworkSettings(layers="conv 2 k3 | relu"))
    >>> [one.output_shape for one in source.sized((1, 5, 5))]
    [(2, 3, 3), (2, 3, 3)]
    """

    network: Network | None
    checkpoint: Checkpoint | None = None
    whole: Network | None = None
    until: str | None = None
    seed: int = 0

    @classmethod
    def of(cls, network: NetworkSettings, layer: LayerSettings | None = None) -> "NetworkSource":
        """Read what can be read before the input is known.

        Parameters
        ----------
        network : NetworkSettings
            The layers.
        layer : LayerSettings, optional
            Its file of weights and its seed are those of the network.

        Raises
        ------
        SpecError, TextError, UnknownNameError, InputError
            If the network or its weights cannot be read.
        """
        layer = layer or LayerSettings()
        network.check(layer)
        weights, name = layer.weights, network.net
        if network.layers is None and name is None:
            if weights is None or weights.suffix.lower() != ".onnx":
                raise SpecError("until can only be used with --layers, --net or --weights FILE.onnx.")
            name = str(weights)
        if name is not None and name.lower().endswith(".onnx"):
            if weights not in (None, Path(name)):
                raise SpecError("weights: a network in ONNX has its own; leave out --weights.")
            return cls(None, read_checkpoint(Path(name)), until=network.until)
        found = stacks.find_net(name) if name is not None else stacks.parse_layers(network.layers or "")
        kept = found if network.until is None else found.until(network.until)
        checkpoint = None if weights is None else read_checkpoint(weights)
        return cls(kept, checkpoint, found, seed=layer.seed)

    @property
    def origin(self) -> str:
        """The line of Python that says where the weights come from."""
        return f"torch.manual_seed({self.seed})" if self.checkpoint is None else ""

    def keys(self, weights: Mapping[str, Parameters]) -> Mapping[str, Mapping[str, tuple[Any, ...]]]:
        """Tell where the file holds the weights of each layer; nothing where no program can load them."""
        return {} if self.checkpoint is None else filling.places_of(weights, self.checkpoint) or {}

    @property
    def names(self) -> Sequence[str]:
        """Names of the layers, where they are known before the input is."""
        return [] if self.network is None else [step.name for step in self.network.steps]

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Read the picture as the network asks for, where the user did not say otherwise; and say so."""
        if self.network is None:
            return settings, ()
        settings, taken = settings.completed(self.network.reading)
        return settings, (f"the network asks for {', '.join(taken)}",) if taken else ()

    def sized(self, shape: Shape) -> Sequence[SizedStep]:
        """Build every layer for an input of this shape, (C, H, W).

        Raises
        ------
        SpecError, ShapeError
            If a layer does not fit what it reads.
        """
        if self.network is not None:
            return self.network.sized(shape)
        return self._graph(shape)[0].sized(shape)

    def fill(self, shape: Shape) -> Filled:
        """Build every layer for an input of this shape, (C, H, W), with its weights.

        Raises
        ------
        SpecError, ShapeError
            If a layer does not fit what it reads.
        InputError
            If the file does not hold the weights of the network.
        """
        if self.network is None:
            return self._filled_graph(shape)
        steps = self.network.sized(shape)
        if self.checkpoint is None:
            weights = filling.seeded(steps, self.seed)
            remark = f"no --weights, so the weights are those of a new network (seed {self.seed})"
            # Such a network has learnt nothing that it could predict.
            return Filled(replace(self.network, classes=()), steps, weights, (remark,) if weights else ())
        names = None if self.whole is None else self.whole.with_parameters
        weights, remarks = filling.stored(steps, self.checkpoint, names=names)
        return Filled(self.network, steps, weights, remarks)

    def _graph(self, shape: Shape) -> tuple[Network, Mapping[str, Parameters]]:
        """Translate the graph of ONNX for an input."""
        assert self.checkpoint is not None
        return network_of_graph(self.checkpoint, shape, until=self.until)

    def _filled_graph(self, shape: Shape) -> Filled:
        """Build the layers of a graph, whose weights are checked here."""
        assert self.checkpoint is not None
        where = self.checkpoint.name
        network, stored = self._graph(shape)
        weights = {
            name: {key: npy.finite(value, f"{where}, the {key} of {name!r}") for key, value in arrays.items()}
            for name, arrays in stored.items()
        }
        return Filled(replace(network, name=where.strip("'")), network.sized(shape), weights)


def check_layer(name: str, known: Sequence[str]) -> None:
    """Refuse the name of a layer that a network does not have.

    Raises
    ------
    UnknownNameError
        If it is none of those known.
    """
    if name not in known:
        raise UnknownNameError("layer", name, known)


def find_net(text: str) -> Network | NetworkSource:
    """Find a network by its name, or read it from a file .toml or .onnx.

    Parameters
    ----------
    text : str
        A name of `convviz.spec.stacks.named_networks`, or a path.

    Returns
    -------
    Network or NetworkSource
        For `run_net`; `sized` gives the layers for an input.

    Raises
    ------
    UnknownNameError
        If there is no network of that name.
    InputError, SpecError
        If the file cannot be read, or is no network.

    Examples
    --------
    >>> find_net("lenet5").sized((1, 32, 32))[0].output_shape
    (6, 28, 28)
    """
    if text.lower().endswith(".onnx"):
        return NetworkSource.of(NetworkSettings(net=text))
    return stacks.find_net(text)
