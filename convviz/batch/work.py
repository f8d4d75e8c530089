"""Process one file of a batch: a pure function of the job and the settings."""

import contextlib
import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convviz.batch.plan import Fingerprint, Job, Outcome
from convviz.compute import filters, networks
from convviz.compute.filters import NamedFilters
from convviz.compute.networks.sources import Opened
from convviz.errors import ConvvizError, InputError
from convviz.files import addresses, writing
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.images import decode
from convviz.images.picture import Picture
from convviz.render.sheets.layout import Sheet
from convviz.results import feature_maps, network_runs, outputs
from convviz.results.context import LayerInContext, in_network
from convviz.results.feature_maps import FeatureMaps
from convviz.results.layer_maps import LayerMaps
from convviz.results.map_peaks import MapsOf, OfLayer, OfNetwork
from convviz.results.network import NetworkMaps
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.spec.wanted import NetworkSettings

NO_NETWORK = NetworkSettings()


def picture_of(
    job: Job,
    *,
    named: NamedFilters | None,
    layer: LayerSettings,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: SheetSettings,
    network: NetworkSettings = NO_NETWORK,
    force: bool = False,
) -> Outcome:
    """Write the sheet of one file.

    Parameters
    ----------
    job : Job
        The file to read and the file to write.
    named : NamedFilters or None
        The result of `convviz.compute.filters.prepare` for the layer, if it has files.
    layer, reading, compute, picture, network
        The settings of the run. A network is opened once in each process.
    force : bool
        Replace files that convviz did not write.

    Returns
    -------
    Outcome
        With the reason in one line if the file could not be done.
    """

    def make(image: Picture, reading: InputSettings) -> "_Written":
        if network.given:
            opened = _network(layer, network).opened(image.shape)
            made = _in_network(opened, image, layer.layer_name, compute=compute, picture=picture)
        else:
            made = _of_layer(_alone(image, layer, named), compute, picture)
        description = made.result.description(network, layer, reading, picture)
        inputs = [job.source, *layer.files, *network.files]
        written = outputs.write_sheet(made.sheet, job.target, description, force=force, inputs=inputs)
        return _Written(made.shape, written, made.remarks, made.maps)

    return _tried(job, make, layer=layer, reading=reading, network=network)


def peaks_of(
    job: Job,
    *,
    named: NamedFilters | None,
    layer: LayerSettings,
    reading: InputSettings,
    network: NetworkSettings = NO_NETWORK,
) -> Outcome:
    """Write the largest value of every map of one file, with its position.

    Parameters
    ----------
    job, named, layer, reading, network
        As for `picture_of`.

    Returns
    -------
    Outcome
        With the reason in one line if the file could not be done.
    """

    def make(image: Picture, reading: InputSettings) -> "_Written":
        found, remarks = maps_of(layer, network, named).peaks(image)
        with writing.writing(job.target, force=True, inputs=[job.source]) as file:
            np.lib.format.write_array(file, found, allow_pickle=False)
            return _Written(found.shape, file.tell(), remarks)

    return _tried(job, make, layer=layer, reading=reading, network=network)


class _Written(NamedTuple):
    """Describe what was written for one picture."""

    shape: tuple[int, ...]
    size: int
    remarks: tuple[str, ...] = ()
    maps: tuple[dict[str, Any], ...] = ()


def _tried(
    job: Job,
    make: Callable[[Picture, InputSettings], _Written],
    *,
    layer: LayerSettings,
    reading: InputSettings,
    network: NetworkSettings,
) -> Outcome:
    """Read a file, and let `make` write what is made of it."""
    start = time.perf_counter()
    try:
        asked: tuple[str, ...] = ()
        if network.given:
            reading, asked = _network(layer, network).source.reading(reading)
        data, source = _read(job)
        with _libraries_silent():
            image = decode.decode(data, quoted(job.source), job.source.suffix.lower(), **reading.arguments)
        made = make(image, reading)
    except ConvvizError as error:
        return Outcome(job.name, job.target, reason=str(error), seconds=time.perf_counter() - start)
    except MemoryError as error:
        reason = f"not enough memory ({error or 'none left'}); make the layer or the picture smaller."
        return Outcome(job.name, job.target, reason=reason, seconds=time.perf_counter() - start)
    return Outcome(
        job.name,
        job.target,
        remarks=(*asked, *image.remarks, *made.remarks),
        input_shape=image.shape,
        output_shape=made.shape,
        seconds=time.perf_counter() - start,
        source=source,
        written=made.size,
        maps=made.maps,
    )


def maps_of(layer: LayerSettings, network: NetworkSettings, named: NamedFilters | None) -> MapsOf:
    """Find the layer whose maps are ranked; a network is opened once for all pictures of this process."""
    return _network(layer, network) if network.given else OfLayer(layer, named)


def check_network(layer: LayerSettings, network: NetworkSettings) -> None:
    """Refuse a network that cannot be read, or does not have the layer, before any picture is read.

    Raises
    ------
    InputError, SpecError, UnknownNameError
        If that is so.
    """
    found = _network(layer, network)
    if layer.layer_name is not None:
        found.check()


def _network(layer: LayerSettings, network: NetworkSettings) -> OfNetwork:
    """Open the network, once in this process while its files stay as they are."""
    files = [path.absolute() for path in (*layer.files, *network.files) if not addresses.is_remote(path)]
    states = tuple((path, addresses.seen(path)) for path in files if path.exists())
    return _opened(network, layer.weights, layer.seed, name=layer.layer_name, states=states)


@functools.lru_cache(maxsize=1)
def _opened(
    network: NetworkSettings,
    weights: Path | None,
    seed: int,
    *,
    name: str | None,
    states: tuple[tuple[Path, addresses.Seen], ...],
) -> OfNetwork:
    """Keep the last network; `states` describes its files, which may be others in the next batch."""
    return OfNetwork(networks.source_of(network, LayerSettings(weights=weights, seed=seed)), name)


def _alone(image: Picture, layer: LayerSettings, named: NamedFilters | None) -> LayerInContext:
    """Build a layer by itself on a picture."""
    return LayerInContext(image, *filters.build(layer, image.shape[0], named=named, channels=image.channels))


class _Made(NamedTuple):
    """Hold the results for one picture."""

    result: FeatureMaps | NetworkMaps
    sheet: Sheet
    shape: tuple[int, ...]
    remarks: tuple[str, ...]
    maps: tuple[dict[str, Any], ...] = ()


def _of_layer(about: LayerInContext, compute: ComputeSettings, picture: SheetSettings) -> _Made:
    """Run one layer."""
    feature_maps.check_room(about.layer, about.picture.size, picture)
    result = feature_maps.run(
        about.picture,
        about.layer,
        about.weights,
        backend=compute.backend,
        device=compute.device,
        keep=about.network is not None,
    )
    if about.network is not None:
        result = result.clipped(about.network.rounding)
    return _Made(result, result.sheet(**picture.arguments), result.shape, about.remarks)


def _in_network(
    opened: Opened,
    image: Picture,
    name: str | None,
    *,
    compute: ComputeSettings,
    picture: SheetSettings,
) -> _Made:
    """Run a network up to one layer, with the statistics of its maps, or make an overview of the network."""
    name = None if name is None else opened.engine.step_name(name)
    if name is not None and opened.engine.convolves(name):
        made = _of_layer(in_network(opened, image, name), compute, picture)
        assert isinstance(made.result, FeatureMaps)
        return made._replace(maps=_numbers(made.result))
    only = [] if name is None else [name]
    result = network_runs.apply(opened, image, backend=compute.backend, device=compute.device, only=only)
    sheet = result.sheet(only=name, **picture.arguments)
    if name is None:
        return _Made(result, sheet, result.output_shape, result.remarks)
    layer = result.layer(name)
    return _Made(result, sheet, layer.shape, result.remarks, _numbers(layer))


def _numbers(layer: FeatureMaps | LayerMaps) -> tuple[dict[str, Any], ...]:
    """Summarize every map for the report."""
    return tuple(
        {
            "name": one.name,
            "min": one.min,
            "max": one.max,
            "mean": one.mean,
            "std": one.std,
            "sparsity": sparsity,
        }
        for one, sparsity in zip(layer.statistics(), layer.sparsity(), strict=True)
    )


@contextlib.contextmanager
def _libraries_silent() -> Iterator[None]:
    """Suppress what C libraries write to stderr: libtiff complains there without naming the file."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _read(job: Job) -> tuple[bytes, Fingerprint]:
    """Read a file, and note its state before it is read: if it changes meanwhile, a later run notices."""
    try:
        found = job.seen or addresses.seen(job.source)
    except OSError:
        found = None  # reading the file reports the reason
    data = read_bytes(job.source, size=found.size if found else 0)
    if found is None:
        raise InputError(f"{quoted(job.source)} was created by another program just now; try again.")
    digest = hashlib.sha256(data).hexdigest()
    return data, Fingerprint(found.size, found.modified, found.changed, digest)
