"""Find the pictures in which the maps of a layer are largest, and cut the patches."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from convviz.analysis.peaks import Place, Ranking
from convviz.compute.weights import Parameters
from convviz.errors import InputError, ShapeError
from convviz.files.checkpoints import Checkpoint
from convviz.files.finding import find_files
from convviz.files.paths import quoted
from convviz.images import decode
from convviz.results.best import Best, BestOfMap, Patch, original
from convviz.results.map_peaks import Described, MapsOf, OfNetwork
from convviz.results.running import source_from
from convviz.spec.best import BestSettings, in_original, prepared_size
from convviz.spec.geometry import HW
from convviz.spec.reach import Box
from convviz.spec.settings import INPUT_PARSERS, InputSettings, typed
from convviz.text import plural

# The channels of a mode.
_CHANNELS = {"gray": ("gray",), "rgb": ("R", "G", "B"), "rgba": ("R", "G", "B", "A")}


def best(
    pictures: str | Path | Iterable[str | Path],
    network: Any,
    layer: str | None = None,
    *,
    maps: Iterable[int] | None = None,
    top: int | None = None,
    count: int = 9,
    weights: Mapping[str, Parameters] | Checkpoint | None = None,
    seed: int = 0,
    **reading: Any,
) -> Best:
    """Find the pictures in which the maps of a layer are largest, with the patch that each value sees.

    Parameters
    ----------
    pictures : str, Path, or iterable of str or Path
        A folder, at any depth, or files. They are read one after the other, in this process.
    network : torch.nn.Module, Network, NetworkSource, str or Path
        The network, in any form that `run_net` accepts.
    layer : str, optional
        The layer; by default the only convolution of the network.
    maps : iterable of int, optional
        The indices of the maps.
    top : int, optional
        In place of `maps`, the number of maps: those with the largest values over all pictures; 6 by default.
    count : int
        The number of pictures for each map. A picture counts with its largest value in the map.
    weights, seed
        As for `run_net`.
    **reading
        How pictures are read, with the names and values of the options of the command line: ``mode``,
        ``range``, ``resize``, ``crop``, ``normalize``, ``prepare``, ``page`` and ``max_pixels``.

    Returns
    -------
    Best
        A sequence with one item per map; it has ``patches``, ``sheet()`` and ``save(path)``.

    Raises
    ------
    InputError
        If a picture or the weights cannot be read, or there is none.
    UnknownNameError
        If the network does not have the layer.
    SpecError, ShapeError
        If a map does not exist, or the network does not fit a picture.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from convviz.spec.stacks import parse_layers
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for value in (1, 3, 2):
    ...         np.save(Path(folder, f"{value}.npy"), np.full((4, 4), value))
    ...     files = sorted(Path(folder).iterdir())
    ...     found = best(files, parse_layers("conv 2 k1"), "conv1", maps=[0], count=2)
    ...     names, shapes = [Path(one.name).name for one in found[0].patches], found.patches[0][0].shape
    >>> found, names, shapes
    (<Best: 1 of 2 maps of layer conv1 of the network in 3 pictures>, ['1.npy', '2.npy'], (1, 1, 1))
    """
    asked = BestSettings(None if maps is None else tuple(maps), top, count)
    layer_maps = OfNetwork(source_from(network, weights, seed), layer)
    chosen = InputSettings(**{name: _setting(name, value) for name, value in reading.items()})
    chosen, remarks = layer_maps.reading(chosen)
    ranking = Ranking(count)
    for path in _files(pictures):
        try:
            ranking.add(str(path), layer_maps.peaks(decode.read(path, **chosen.arguments)).peaks)
        except ShapeError as error:
            raise ShapeError(f"{quoted(path)}: {error}") from None
    if not ranking.pictures:
        raise InputError("pictures: there is none; give a folder of pictures, or files.")
    return cut(layer_maps, ranking, Path, reading=chosen, asked=asked, remarks=remarks)


def _setting(name: str, value: Any) -> Any:
    """Take a setting as a value or as it would be typed."""
    parser = INPUT_PARSERS.get(name)
    return parser(typed(value)) if parser is not None and isinstance(value, str | int | tuple) else value


def _files(pictures: str | Path | Iterable[str | Path]) -> Iterable[Path]:
    """List the files of a folder, or those that are given."""
    if not isinstance(pictures, str | Path):
        return map(Path, pictures)
    folder = Path(pictures)
    if not folder.is_dir():
        raise InputError(f"pictures: {quoted(folder)} is not a folder; give a folder, or a list of files.")
    return (folder / name for name in find_files(folder))


def cut(
    layer_maps: MapsOf,
    ranking: Ranking,
    path_of: Callable[[str], Path],
    *,
    reading: InputSettings,
    asked: BestSettings,
    remarks: tuple[str, ...] = (),
) -> Best:
    """Find what the largest values see.

    Parameters
    ----------
    layer_maps : MapsOf
        The layer.
    ranking : Ranking
        Its largest values.
    path_of : callable
        Returns the file of a picture of the ranking.
    reading, asked
        The settings.
    remarks : tuple of str
        Notes for the user.

    Raises
    ------
    SpecError
        If a map does not exist.
    ShapeError
        If pictures have different channels.
    InputError
        If a picture cannot be read any more.
    """
    asked.check(ranking.maps, "the layer")
    indices = ranking.top(asked.number) if asked.only is None else asked.only
    places = {index: ranking.best(index) for index in indices}
    used = {place.name for row in places.values() for place in row}
    fields = {name: _Fields.of_file(layer_maps, path_of(name), reading) for name in sorted(used)}
    _check_channels({name: of.channels for name, of in fields.items()})
    first = next(iter(fields.values()), None)
    names = first.of.names if first else ()
    kernels = first.of.kernels if first else None
    rows = [
        BestOfMap(
            index,
            names[index] if index < len(names) else str(index),
            tuple(fields[place.name].patch(place, path_of(place.name), reading) for place in places[index]),
            ranking.nan[index],
            kernels[index] if kernels is not None else None,
        )
        for index in indices
    ]
    sees = next(
        (one for one in ("undefined", "whole") if one in {of.of.sees for of in fields.values()}), "field"
    )
    layer = first.of.layer if first else "the layer"
    return Best(layer, ranking.maps, rows, ranking.pictures, asked, sees, remarks)


def _check_channels(counts: Mapping[str, int]) -> None:
    """Refuse pictures with different channels: a layer may have other weights for each number of them."""
    first = next(iter(counts), "")
    for name, count in counts.items():
        if count != counts[first]:
            raise ShapeError(
                f"{quoted(first)} has {plural(counts[first], 'channel')} and {quoted(name)} has {count}, so "
                "that their values do not compare; read all with the same channels (mode)."
            )


class _Fields(NamedTuple):
    """Hold what the values of a layer see of one picture, and the size of the picture."""

    of: Described
    size: HW
    channels: int

    @classmethod
    def of_file(cls, layer_maps: MapsOf, path: Path, reading: InputSettings) -> "_Fields":
        """Read a picture for its size and its channels."""
        picture = original(path, reading)
        channels = _CHANNELS[reading.mode] if reading.mode else picture.channels
        shape = (len(channels), *prepared_size(picture.size, reading))
        return cls(layer_maps.described(shape, channels), picture.size, len(channels))

    def patch(self, place: Place, path: Path, reading: InputSettings) -> Patch:
        """Find the part of the picture that a value sees."""
        at, prepared = HW(place.y, place.x), prepared_size(self.size, reading)
        field = self.of.box(at) or Box(0, prepared.h - 1, 0, prepared.w - 1)
        seen, around = (in_original(box, self.size, reading) for box in (field.inside(prepared), field))
        return Patch(place.name, path, place.value, at, seen, around, reading)
