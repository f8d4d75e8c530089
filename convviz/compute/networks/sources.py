"""The sources of a network: layers from text, TOML or a name; an ONNX file; a torch module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from convviz.compute.networks import engines, filling
from convviz.compute.networks.engine import Engine
from convviz.compute.networks.stack import StackEngine
from convviz.compute.weights import Parameters
from convviz.errors import SpecError, UnknownNameError
from convviz.files.checkpoints import Checkpoint, read_checkpoint
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.spec import stacks
from convviz.spec.geometry import HW
from convviz.spec.layers import Shape
from convviz.spec.network import Network, SizedStep
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings
from convviz.text import in_quotes, listed

# The usual input of networks for photographs: channels, height and width.
_USUAL = (3, 224, 224)
_UNTRAINED = "no weights given: the network is untrained, with random weights"
# How a user gives the weights of a network to most commands.
_BY_OPTION = "--weights FILE"


class Filled(NamedTuple):
    """A network with its layers and weights for one input.

    Parameters
    ----------
    network : Network
        Its layers as the user wrote them.
    steps : sequence of SizedStep
        Its layers for the input.
    weights : dict of dict of ndarray
        Weights, biases and statistics, by the names of the layers and torch's parameter names.
    remarks : tuple of str
        Where the weights come from, if the user did not choose it.
    seeded : bool
        Whether the weights are random: such a network has learnt nothing, so it cannot predict a class.
    """

    network: Network
    steps: Sequence[SizedStep]
    weights: Mapping[str, Parameters]
    remarks: tuple[str, ...] = ()
    seeded: bool = False


class Opened(NamedTuple):
    """A network that is ready to compute.

    Parameters
    ----------
    engine : Engine
        The engine that computes the network.
    classes : tuple of str
        The class names of the values of its last step.
    remarks : tuple of str
        Where the weights come from, if the user did not choose it.
    filled : Filled, optional
        The layers and weights, for a network of convviz.
    until : str, optional
        The last step of an overview, for a network that another program runs.
    channels_last : bool
        Whether its activations are (H, W, C), where that is not known.
    """

    engine: Engine
    classes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    filled: Filled | None = None
    until: str | None = None
    channels_last: bool = False


class NetworkSource(Protocol):
    """A network before its input is known."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the layers, if they are known before the input is."""
        ...

    @property
    def usual_shape(self) -> tuple[int, int, int]:
        """The shape of an input that the network accepts, the declared one or that of a photograph."""
        ...

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Return the settings that the network needs, unless the user chose others, with remarks."""
        ...

    def open(self, shape: Shape) -> Opened:
        """Make the engine that computes the network for inputs of a shape (C, H, W).

        Raises
        ------
        SpecError, ShapeError
            If a layer does not fit its input.
        InputError
            If the file does not hold the weights of the network.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class StackSource(NetworkSource):
    """A network of our own layers, with the file of its weights, if any.

    Parameters
    ----------
    network : Network
        The layers to compute.
    checkpoint : Checkpoint, optional
        The file of its weights.
    whole : Network, optional
        The network before layers were left out: the file holds their weights too.
    seed : int
        Seed of the weights if there is no file.
    classes : tuple of str
        The class names of the values of the last layer, if the network does not hold them.
    given : dict of dict of ndarray, optional
        The weights themselves, in place of a file or a seed.
    by : str
        How a user gives a file of weights.

    Examples
    --------
    >>> source = source_of(NetworkSettings(layers="conv 2 k3 | relu"))
    >>> [one.output_shape for one in source.open((1, 5, 5)).engine.steps((1, 5, 5))]
    [(2, 3, 3), (2, 3, 3)]
    """

    network: Network
    checkpoint: Checkpoint | None = None
    whole: Network | None = None
    seed: int = 0
    classes: tuple[str, ...] = ()
    given: Mapping[str, Parameters] | None = None
    by: str = _BY_OPTION

    @property
    def origin(self) -> str:
        """The line of Python that says where the weights come from."""
        return f"torch.manual_seed({self.seed})" if self.checkpoint is None else ""

    def keys(self, weights: Mapping[str, Parameters]) -> Mapping[str, Mapping[str, tuple[Any, ...]]]:
        """Return the keys of each layer's weights in the file; empty if no program can load them."""
        return {} if self.checkpoint is None else filling.places_of(weights, self.checkpoint) or {}

    @property
    def names(self) -> Sequence[str]:
        """The names of the layers."""
        return [step.name for step in self.network.steps]

    @property
    def usual_shape(self) -> tuple[int, int, int]:
        """The shape of the input that the network asks for, or of a usual one that the layers accept."""
        reading, _ = self.reading(InputSettings())
        channels = 1 if reading.mode == "gray" else _USUAL[0]
        asked = reading.crop or reading.resize
        return channels, *(asked if isinstance(asked, HW) else self.network.usual_size(channels))

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Return the settings that the network needs, unless the user chose others, with remarks."""
        settings, taken = settings.completed(self.network.reading)
        return settings, (f"the network asks for {', '.join(taken)}",) if taken else ()

    def open(self, shape: Shape) -> Opened:
        """Make the engine that computes the layers."""
        filled = self.fill(shape)
        engine = StackEngine(filled.network, shape, filled.weights)
        return Opened(engine, filled.network.classes, filled.remarks, filled)

    def fill(self, shape: Shape) -> Filled:
        """Build every layer, with its weights, for an input of shape (C, H, W).

        Raises
        ------
        SpecError, ShapeError
            If a layer does not fit its input.
        InputError
            If the file does not hold the weights of the network.
        """
        steps = self.network.sized(shape)
        network = replace(self.network, classes=self.classes) if self.classes else self.network
        if self.given is not None:
            return Filled(network, steps, self.given)
        if self.checkpoint is None:
            weights = filling.seeded(steps, self.seed)
            remark = f"{_UNTRAINED} (seed {self.seed}); give {self.by}"
            return Filled(
                replace(network, classes=()), steps, weights, (remark,) if weights else (), seeded=True
            )
        names = None if self.whole is None else self.whole.with_parameters
        weights, remarks = filling.stored(steps, self.checkpoint, names=names)
        return Filled(network, steps, weights, remarks)


@dataclass(frozen=True, slots=True, eq=False)
class EngineSource(NetworkSource):
    """A network that onnxruntime or torch runs.

    Parameters
    ----------
    engine : Engine
        The engine that runs it.
    classes : tuple of str
        The class names of the values of its last step.
    remarks : tuple of str
        Remarks on weights that were not taken by their names.
    until : str, optional
        The last step of an overview.
    channels_last : bool
        Whether its activations are (H, W, C), where that is not known.
    """

    engine: Engine
    classes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    until: str | None = None
    channels_last: bool = False
    names: Sequence[str] = field(default=(), init=False)

    @property
    def usual_shape(self) -> tuple[int, int, int]:
        """The shape that the network declares, or that of a photograph."""
        told = self.engine.declared
        channels, height, width = (
            own or usual for own, usual in zip((told.channels, told.height, told.width), _USUAL, strict=True)
        )
        return channels, height, width

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Return the user's settings unchanged: a picture that does not fit is refused with a remedy."""
        return settings, ()

    def open(self, shape: Shape) -> Opened:
        """Return the engine; it checks the shape itself."""
        return Opened(
            self.engine, self.classes, self.remarks, until=self.until, channels_last=self.channels_last
        )


def source_of(
    network: NetworkSettings, layer: LayerSettings | None = None, *, by: str = _BY_OPTION
) -> NetworkSource:
    """Read everything about a network that does not depend on its input.

    Parameters
    ----------
    network : NetworkSettings
        The choice of the network.
    layer : LayerSettings, optional
        The settings whose weight file and seed the network takes.
    by : str
        How a user gives a file of weights, for a remark on a network without one.

    Raises
    ------
    SpecError, TextError, UnknownNameError, InputError, BackendError
        If the network or its weights cannot be read.
    """
    layer = layer or LayerSettings()
    network.check(layer)
    if network.until is not None and network.alone and (layer.weights or Path()).suffix.lower() == ".onnx":
        network = replace(network, net=str(layer.weights))
    if network.model is not None:
        return _of_model(network, layer, by=by)
    if network.foreign:
        if layer.weights not in (None, Path(network.net or "")):
            raise SpecError("weights: a network in ONNX has its own; leave out --weights.")
        if layer.seed:
            raise SpecError("seed: a network in ONNX has its own weights; leave out --seed.")
        engine = engines.open_onnx(network.net or "", channels_last=network.channels_last)
        return EngineSource(
            engine, _classes_of(network), until=network.until, channels_last=network.channels_last
        )
    return stack_of(network, layer, by=by)


def stack_of(
    network: NetworkSettings, layer: LayerSettings | None = None, *, by: str = _BY_OPTION
) -> StackSource:
    """Read a network of our own layers; parameters and errors are those of `source_of`."""
    layer = layer or LayerSettings()
    network.check(layer)
    network.check_order()
    if network.layers is None and network.net is None:
        given = [name for name in ("until", "classes") if getattr(network, name) is not None]
        fitting = "layers, net or model"
        if given == ["until"]:
            fitting = "layers, net, model or the weights of an .onnx file"
        raise SpecError(f"{listed(given)} can only be used with {fitting}.")
    found = (
        stacks.find_net(network.net) if network.net is not None else stacks.parse_layers(network.layers or "")
    )
    kept = found if network.until is None else found.until(network.until)
    checkpoint = None if layer.weights is None else read_checkpoint(layer.weights)
    return StackSource(kept, checkpoint, found, layer.seed, _classes_of(network), by=by)


def _of_model(network: NetworkSettings, layer: LayerSettings, *, by: str) -> EngineSource:
    """Import a torch module, and load its weights."""
    module = engines.load_model(network.model or "", seed=layer.seed)
    remarks: tuple[str, ...] = ()
    if layer.weights is not None:
        remarks = engines.load_weights(module, read_checkpoint(layer.weights))
    elif any(True for _ in module.parameters()):
        remarks = (f"{_UNTRAINED} (seed {layer.seed}), unless its code loads others; give {by}",)
    engine = engines.of_module(module, network.model or "")
    return EngineSource(engine, _classes_of(network), remarks, network.until, network.channels_last)


def _classes_of(network: NetworkSettings) -> tuple[str, ...]:
    """Read the class names from a file, one per line."""
    if network.classes is None:
        return ()
    try:
        lines = read_bytes(network.classes).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise SpecError(f"classes: {quoted(network.classes)} is not text; give one name per line.") from None
    return tuple(line.strip() for line in lines if line.strip())


def check_layer(name: str, known: Sequence[str]) -> None:
    """Refuse the name of a layer that a network does not have.

    Raises
    ------
    SpecError
        If the layer makes several arrays, which have names of their own.
    UnknownNameError
        If `name` is not among `known`.
    """
    if name in known:
        return
    if parts := [one for one in known if one.startswith(f"{name}[")]:
        raise SpecError(f"layer: {in_quotes(name)} makes several arrays; choose from {', '.join(parts)}.")
    raise UnknownNameError("layer", name, known)


def find_net(text: str, *, channels_last: bool = False) -> Network | NetworkSource:
    """Find a network by its name, or read it from a .toml or .onnx file.

    Parameters
    ----------
    text : str
        A name of `convviz.spec.stacks.named_networks`, or a path.
    channels_last : bool
        Whether an ONNX file reads (H, W, C), and its layers return it, where that is not known.

    Returns
    -------
    Network or NetworkSource
        The network, for `run_net`.

    Raises
    ------
    UnknownNameError
        If no network has that name.
    InputError, SpecError
        If the file cannot be read, or does not describe a network.
    BackendError
        If the path is an ONNX file and onnx or onnxruntime is not installed.

    Examples
    --------
    >>> find_net("lenet5").sized((1, 32, 32))[0].output_shape
    (6, 28, 28)
    """
    if text.lower().endswith(".onnx"):
        return source_of(NetworkSettings(net=text, channels_last=channels_last))
    return stacks.find_net(text)
