"""What the layers of a network make of a picture, as a value that shows and saves itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convviz import __version__
from convviz.compute import backends
from convviz.compute.feature_maps import MapStatistics
from convviz.compute.networks import stack
from convviz.compute.networks.sources import Filled, NetworkSource
from convviz.compute.survey import by_energy, summed_up
from convviz.compute.weights import LayerWeights, Parameters
from convviz.errors import SpecError
from convviz.files.checkpoints import Checkpoint
from convviz.images import decode
from convviz.images.picture import Picture
from convviz.render.sheets import strips
from convviz.render.sheets.layout import Sheet
from convviz.results import outputs
from convviz.results.feature_maps import FeatureMaps
from convviz.spec import settings
from convviz.spec.geometry import HW, check_inside
from convviz.spec.layers import Conv2d, Shape
from convviz.spec.network import INPUT, Network, SizedStep
from convviz.spec.reach import Box
from convviz.text import number, plural
from convviz.typing import Floats

# Of a prediction so many classes are named.
_BEST = 5


class Seen(NamedTuple):
    """The receptive field of one value.

    Parameters
    ----------
    layer : str
        The layer that makes the value.
    at : HW
        Row and column of the value in its maps.
    box : Box
        Rows and columns of the input that it depends on.
    """

    layer: str
    at: HW
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class LayerMaps:
    """What one layer of a network makes: the methods of `FeatureMaps`, for a layer of any kind.

    Parameters
    ----------
    run : NetworkMaps
        The network, its input, and what all of its layers make.
    name : str
        The layer.
    """

    run: "NetworkMaps"
    name: str

    def __repr__(self) -> str:
        return f"<LayerMaps: {'x'.join(map(str, self.shape))} values by {self.name}, {self.layer}>"

    @property
    def layer(self) -> Any:
        """The layer, such as `convviz.spec.layers.MaxPool2d`."""
        return self.run.step(self.name).layer

    @property
    def maps(self) -> Floats:
        """What it makes, shape (C, H, W) or (N,), float32."""
        return self.run.made[self.name]

    @property
    def channels(self) -> Floats:
        """The maps, each with rows and columns: a row of values is laid out in lines of equal length."""
        return strips.as_maps(self.maps)

    @property
    def shape(self) -> Shape:
        """Shape of the maps."""
        return self.maps.shape

    @property
    def names(self) -> tuple[str, ...]:
        """What each map is called."""
        return tuple(f"{self.name}: {index}" for index in range(len(self.channels)))

    def statistics(self) -> list[MapStatistics]:
        """Sum up every map; a row of values is one map."""
        found = map(summed_up, self.channels)
        return [
            MapStatistics(index, name, of.low, of.high, of.mean, of.std, of.nan, of.infinite)
            for index, (name, of) in enumerate(zip(self.names, found, strict=True))
        ]

    def sparsity(self) -> list[float]:
        """Return the share of zeros in every map."""
        return [float(np.mean(values == 0)) for values in self.channels]

    def strongest(self, count: int) -> list[int]:
        """List the maps of the most energy, the strongest first."""
        return [int(index) for index in by_energy(self.channels)[:count]]

    def sheet(self, **looks: Any) -> Sheet:
        """Lay out the maps; with the parameters of `NetworkMaps.sheet`."""
        return self.run.sheet(only=self.name, **looks)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the sheet or the exact numbers; with the parameters of `NetworkMaps.save`."""
        self.run.save(path, force=force, only=self.name)

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.sheet().image())


@dataclass(frozen=True, slots=True, eq=False)
class NetworkMaps(Mapping[str, FeatureMaps | LayerMaps]):
    """What the layers of a network make of a picture, by their names.

    Parameters
    ----------
    network : Network
        The network.
    steps : sequence of SizedStep
        Its layers for this input.
    weights : dict of dict of ndarray
        Their weights, by the names of the layers and of torch.
    picture : Picture
        The input.
    made : dict of ndarray, shape (C, H, W) or (N,), float32
        What each layer makes.
    backend : str
        What computed.
    device : str
        Where it computed.
    title : str
        What to call the network on a sheet.
    remarks : tuple of str
        What was done with the weights beyond taking each by its name.
    """

    network: Network
    steps: Sequence[SizedStep]
    weights: Mapping[str, Parameters]
    picture: Picture
    made: Mapping[str, Floats]
    backend: str = "numpy"
    device: str = "cpu"
    title: str = field(default="")
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        named = ", ".join([*list(self)[:3], *(["…"] if len(self) > 3 else [])])
        return f"<NetworkMaps: {plural(len(self), 'layer')}: {named}>"

    def __getitem__(self, name: str) -> FeatureMaps | LayerMaps:
        layer = self.step(name).layer
        if not isinstance(layer, Conv2d):
            return LayerMaps(self, name)
        held = self.weights.get(name, {})
        weights = LayerWeights.of(layer, held["weight"], held.get("bias"))
        return FeatureMaps(
            self.made[name], layer, weights, self._arriving(name), self.backend, device=self.device
        )

    def __iter__(self) -> Iterator[str]:
        return (one.name for one in self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def step(self, name: str) -> SizedStep:
        """Find a layer by its name; a `KeyError` if there is none."""
        return next((one for one in self.steps if one.name == name), None) or _missing(name)

    def _arriving(self, name: str) -> Picture:
        """Return what arrives at a convolution: the picture, or the maps of the layer before."""
        (before,) = self.step(name).inputs
        if before == INPUT:
            return self.picture
        values = self.made[before]
        return Picture(values, tuple(f"{before}: {index}" for index in range(len(values))))

    @property
    def output_shape(self) -> Shape:
        """Shape of what the last layer makes."""
        return self.steps[-1].output_shape

    @property
    def parameters(self) -> int:
        """Number of all weights, biases and learnt scales."""
        return sum(one.layer.parameters for one in self.steps)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of all layers."""
        return sum(one.macs for one in self.steps)

    def prediction(self) -> list[tuple[str, float]]:
        """Name the greatest values of the last layer, where the network says what they stand for.

        Returns
        -------
        list of (str, float)
            At most five classes with their values, the greatest first; none where there are no names.

        Raises
        ------
        SpecError
            If there is not one name per value.
        """
        classes = self.network.classes
        if not classes:
            return []
        values = self.made[self.steps[-1].name]
        if values.shape != (len(classes),):
            raise SpecError(
                f"classes gives {plural(len(classes), 'name')} for {plural(values.size, 'value')}; "
                "give one per value."
            )
        best = np.argsort(-values, kind="stable")[:_BEST]
        return [(classes[index], float(values[index])) for index in best]

    def prediction_sentence(self) -> str:
        """Return the prediction in words; nothing where there is none."""
        predicted = self.prediction()
        if not predicted:
            return ""
        (first, value), *others = predicted
        start = f"prediction: {first} ({number(value, digits=3)})"
        rest = ", ".join(f"{name} ({number(of, digits=3)})" for name, of in others)
        return f"{start}; then {rest}" if rest else f"prediction: {first}"

    def gradient(self, seen: Seen) -> Floats:
        """Compute with torch how much every input value moves the maps of a layer at one position.

        Returns
        -------
        ndarray, shape (C, H, W), float32
            The gradient of the sum of all maps there.
        """
        torch_net = backends.load_torch_networks()
        found: Floats = torch_net.gradient(
            self.steps, self.picture.x, self.weights, name=seen.layer, at=seen.at
        )
        return found

    def sheet(
        self,
        *,
        only: str | None = None,
        seen: Seen | None = None,
        effective: bool = False,
        top: int | None = None,
        **looks: Any,
    ) -> Sheet:
        """Lay out the input and a strip of maps per layer.

        Parameters
        ----------
        only : str, optional
            One layer, in full.
        seen : Seen, optional
            The receptive field to draw beside the input.
        effective : bool
            Whether its gradient is laid over that.
        top : int, optional
            Maps of each layer, those of the most energy first.
        **looks
            Fields of `SheetSettings`, as for `FeatureMaps.grid`; a tile of a strip has `strips.TILE`
            pixels by default.

        Returns
        -------
        Sheet
            Not painted yet.
        """
        panel = None if seen is None else (*seen, self.gradient(seen) if effective else None)
        look = settings.SheetSettings.of(**{"tile": strips.TILE} | looks)
        return strips.draw(
            self.picture,
            self.title or self.network.name,
            self.steps,
            made=self.made,
            only=only,
            seen=panel,
            top=top,
            said=self.prediction_sentence(),
            tile=look.tile,
            columns=look.columns,
            look=look,
        )

    def arrays(self) -> dict[str, Floats]:
        """Gather what `save` stores: the input, and what each layer makes."""
        return {"input": self.picture.x, **self.made}

    def save(self, path: str | Path, *, force: bool = False, only: str | None = None) -> None:
        """Write the sheet (.png, .svg, .pdf, .webp, .jpg) or the exact numbers (.npz, .safetensors).

        Parameters
        ----------
        path : str or Path
            The file to write; its ending says what.
        force : bool
            Replace a file that convviz did not write.
        only : str, optional
            One layer, on a sheet.

        Raises
        ------
        OutputError
            If the file cannot be written, or is not ours to replace.
        """
        path = Path(path)
        if path.suffix.lower() in settings.PICTURE_ENDINGS:
            outputs.write_sheet(self.sheet(only=only), path, self.description(), force=force)
        else:
            outputs.save_arrays(self.arrays(), path, self.description(), force=force)

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the run for the metadata of a file: version and settings."""
        return {"version": __version__, **settings.as_text(*chosen)}

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.sheet().image())


def _missing(name: str) -> SizedStep:
    """Refuse the name of a layer, as a mapping does."""
    raise KeyError(name)


def see(steps: Sequence[SizedStep], at: HW, *, layer: str | None = None) -> Seen:
    """Find the receptive field of a value.

    Parameters
    ----------
    steps : sequence of SizedStep
        The layers of a network.
    at : HW
        Row and column of the value in the maps of its layer.
    layer : str, optional
        The layer; by default the last one whose values do not depend on the whole input.

    Raises
    ------
    SpecError
        If every value of the layer depends on the whole input, or there is no such value.

    Examples
    --------
    >>> from convviz.spec.stacks import parse_layers
    >>> steps = parse_layers("conv 2 k3 | maxpool 2").sized((1, 8, 8))
    >>> print(see(steps, HW(0, 1)).box)
    rows 0 to 3, columns 2 to 5
    """
    having = [one for one in steps if one.height is not None and len(one.output_shape) == 3]
    default = having[-1] if layer is None and having else None
    found = next((one for one in having if one.name == layer), default)
    if found is None or found.height is None or found.width is None:
        raise SpecError(
            f"field: every value of {layer!r} depends on the whole input; choose a layer before with --layer."
            if layer is not None
            else "field: every value of this network depends on the whole input."
        )
    check_inside("field", at, HW(*found.output_shape[1:]), what=f"the maps of {found.name}")
    return Seen(found.name, at, Box.of(found.height, found.width, at))


def apply(
    filled: Filled, picture: Picture, *, backend: str = "auto", device: str = "cpu", title: str = ""
) -> NetworkMaps:
    """Compute all layers of a network that was built for this picture.

    Parameters
    ----------
    filled : Filled
        The layers with their weights.
    picture : Picture
        The input.
    backend, device, title
        As for `run_net`.

    Raises
    ------
    SpecError, ShapeError, BackendError
        As for `run_net`.
    """
    chosen = backends.choose(backend, macs=sum(one.macs for one in filled.steps), device=device)
    made = stack.run_net(filled.network, picture.x, filled.weights, backend=chosen, device=device)
    return NetworkMaps(
        filled.network,
        filled.steps,
        filled.weights,
        picture,
        made,
        chosen,
        device,
        title=title,
        remarks=filled.remarks,
    )


def run_net(
    network: Network | NetworkSource,
    image: Any,
    weights: Mapping[str, Parameters] | Checkpoint | None = None,
    *,
    seed: int = 0,
    backend: str = "auto",
    device: str = "cpu",
) -> NetworkMaps:
    """Run a network on one picture.

    Parameters
    ----------
    network : Network or NetworkSource
        The layers, as `convviz.find_net` and `convviz.parse_layers` give them.
    image : str, Path, Picture or array_like, shape (C, H, W) or (H, W)
        A file, a picture already read, or numbers; a file is read as the network asks for.
    weights : dict of dict of ndarray, or Checkpoint, optional
        The weights of every layer by torch's names, such as ``{"conv1": {"weight": ...,
        "bias": ...}}``, or a file of them as `convviz.read_checkpoint` gives it; those
        that torch draws with `seed` by default.
    seed : int
        Seed of those.
    backend : {"auto", "numpy", "torch"}
        What computes.
    device : {"cpu", "cuda", "mps"}
        Where torch computes.

    Returns
    -------
    NetworkMaps
        What every layer makes, by its name; a notebook shows it as a picture.

    Raises
    ------
    SpecError, ShapeError
        If a layer does not fit what it reads.
    InputError
        If a file cannot be read, or does not hold the weights of the network.
    BackendError
        If the backend or the device is not there.

    Examples
    --------
    >>> from convviz.spec.stacks import parse_layers
    >>> found = run_net(parse_layers("conv 2 k3 | relu | flatten"), np.zeros((1, 5, 5)))
    >>> {name: of.shape for name, of in found.items()}
    {'conv1': (2, 3, 3), 'relu1': (2, 3, 3), 'flatten1': (18,)}
    """
    checkpoint = weights if isinstance(weights, Checkpoint) else None
    source = (
        network
        if isinstance(network, NetworkSource)
        else NetworkSource(network, checkpoint, network, seed=seed)
    )
    if isinstance(image, str | Path):
        reading, _ = source.reading(settings.InputSettings())
        picture = decode.read(Path(image), **reading.arguments)
    else:
        picture = decode.as_picture(image)
    filled = source.fill(picture.shape)
    if weights is not None and checkpoint is None:
        assert isinstance(weights, Mapping)
        filled = filled._replace(weights=weights, network=source.network or filled.network, remarks=())
    return apply(filled, picture, backend=backend, device=device)
