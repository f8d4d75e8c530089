"""Show stored activations, or activations in an array: maps without the layer that made them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz import __version__
from convviz.compute.feature_maps import MapStatistics
from convviz.compute.survey import by_energy, share_of_zeros, summed_up
from convviz.errors import InputError
from convviz.files import archives, npy
from convviz.files.paths import quoted, split_member
from convviz.files.reading import read_bytes
from convviz.images.finite import NotFinite
from convviz.render.sheets import activations
from convviz.render.sheets.layout import Sheet
from convviz.render.words import tables
from convviz.results import outputs
from convviz.spec import settings
from convviz.spec.geometry import HW
from convviz.text import plural, printable
from convviz.typing import Floats

READABLE = (".npy", *archives.ARCHIVES)
# The number of arrays of a file that a message names.
_NAMED = 12


@dataclass(frozen=True, slots=True, eq=False)
class StoredMaps:
    """Hold maps that show and save themselves.

    Parameters
    ----------
    maps : ndarray, shape (C, H, W), float32
        All maps.
    title : str
        The title of the maps: the file and the array.
    chosen : sequence of int
        The indices of the shown maps, in order.
    stored : tuple of int
        Shape of the array that holds the maps.
    remarks : tuple of str
        Remarks on the array for the user.
    """

    maps: Floats
    title: str
    chosen: Sequence[int]
    stored: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<StoredMaps: {self.sentence}>"

    @property
    def sentence(self) -> str:
        """Description of the maps."""
        return f"{self.title}: {plural(len(self.maps), 'map')} of {HW(*self.maps.shape[1:])}"

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each map."""
        return tuple(f"map {index}" for index in range(len(self.maps)))

    def statistics(self) -> list[MapStatistics]:
        """Summarize every map that is shown."""
        found = ((index, summed_up(self.maps[index])) for index in self.chosen)
        return [
            MapStatistics(index, self.names[index], of.low, of.high, of.mean, of.std, of.nan, of.infinite)
            for index, of in found
        ]

    def rows(self, stats: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the numbers of the maps that are shown; `stats` may name "sparsity" and "energy" too."""
        measures: dict[str, Callable[[MapStatistics], float]] = {
            "sparsity": lambda row: share_of_zeros(self.maps[row.index]),
            "energy": lambda row: row.energy,
        }
        rows = [asdict(row) | {name: measures[name](row) for name in stats} for row in self.statistics()]
        return tables.without_zeros(rows)

    def strongest(self, count: int) -> list[int]:
        """List the maps with the most energy, the strongest first."""
        return by_energy(self.maps)[:count]

    def sheet(self, **looks: Any) -> Sheet:
        """Lay out the maps.

        Parameters
        ----------
        **looks
            Fields of `convviz.spec.settings.SheetSettings`, as for `FeatureMaps.grid`.
        """
        look = settings.SheetSettings.of(**looks)
        words = f"array {'x'.join(map(str, self.stored))}"
        if len(self.chosen) < len(self.maps):
            words += f"; the {len(self.chosen)} of most energy"
        chosen = list(self.chosen)
        return activations.draw(
            (self.sentence, words),
            self.maps[chosen],
            [self.names[index] for index in chosen],
            tile=look.tile,
            columns=look.columns,
            look=look,
        )

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the sheet: .png, .svg, .pdf, .webp or .jpg.

        Raises
        ------
        OutputError
            If the file cannot be written, or exists and was not written by convviz.
        """
        outputs.write_sheet(self.sheet(), Path(path), self.description(), force=force)

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the maps for the metadata of a file; `chosen` are settings to include."""
        return {"version": __version__, "command": "maps", "source": self.title} | settings.as_text(*chosen)

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.sheet().image())


def maps(
    activations: Any, *, array: str | None = None, channels_last: bool = False, top: int | None = None
) -> StoredMaps:
    """Read stored activations as maps.

    Parameters
    ----------
    activations : str, Path or array_like, shape (C, H, W), (1, C, H, W) or (H, W)
        A file .npy, .npz or .safetensors, or numbers; torch tensors too.
    array : str, optional
        The name of an array in a file; by default the only array that can be maps.
    channels_last : bool
        Whether the axes are (H, W, C) or (1, H, W, C).
    top : int, optional
        The number of maps to show, those with the most energy first.

    Returns
    -------
    StoredMaps
        It has ``maps``, ``statistics()``, ``sheet()`` and ``save(path)``; a notebook shows the sheet.

    Raises
    ------
    InputError
        If the file cannot be read, or an array cannot be maps.

    Examples
    --------
    >>> maps(np.zeros((1, 4, 5, 6)))
    <StoredMaps: array: 4 maps of 5x6>
    """
    if isinstance(activations, str | Path):
        title, values = _from_file(Path(activations), array)
    else:
        title, values = "array", _as_array(activations)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{title} holds {values.dtype} values; expected real numbers.")
    if values.ndim not in (2, 3, 4) or 0 in values.shape or (values.ndim == 4 and values.shape[0] != 1):
        raise InputError(
            f"{title} has shape {values.shape}; maps are (channels, height, width), such as one of a batch: "
            "array[0]."
        )
    found = values[0] if values.ndim == 4 else values
    remarks = []
    if found.ndim == 2:
        found = found[None]
    elif channels_last:
        found = found.transpose(2, 0, 1)
    elif found.shape[0] == found.shape[1] != found.shape[2]:
        remarks.append(
            f"{title} of shape {values.shape} is read as (channels, height, width); "
            "channels last is the other order"
        )
    numbers = npy.floats(found, title)
    if others := NotFinite.of(numbers):
        remarks.append(f"not finite: {others.words} of {plural(numbers.size, 'value')}")
    made = StoredMaps(numbers, title, range(len(numbers)), values.shape, tuple(remarks))
    return made if top is None else replace(made, chosen=made.strongest(top))


def _as_array(value: Any) -> NDArray[Any]:
    """Convert numbers to an array; a torch tensor may have gradients, another device, or its own type."""
    torch = sys.modules.get("torch")  # a user with a tensor has already loaded torch
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().float().numpy()
    try:
        return np.asarray(value)
    except ValueError:
        raise InputError("array: expected real numbers (channels, height, width).") from None


def _from_file(path: Path, array: str | None) -> tuple[str, NDArray[Any]]:
    """Read one array of a file; return its name too."""
    file, member = split_member(path)
    array, name, suffix = array or member, quoted(file), file.suffix.lower()
    if suffix not in READABLE:
        raise InputError(f"cannot read maps from {name}; its name must end in {', '.join(READABLE)}.")
    data = read_bytes(file)
    if suffix == ".npy":
        if array is not None:
            raise InputError(f"{name} holds one array without a name; leave out the name of the array.")
        return printable(file.name), npy.from_npy(data, name)
    found = {
        key: value
        for key, value in archives.stored_arrays(data, name, suffix)
        if key == array or (array is None and not isinstance(value, str) and _may_be_maps(value))
    }
    if len(found) != 1:
        raise InputError(_not_one(name, array, list(found) or _all_names(data, name, suffix)))
    ((key, values),) = found.items()
    if isinstance(values, str):
        raise InputError(f"{name}, array {key!r} {values}.")
    return printable(f"{file.name}, {key}"), values


def _may_be_maps(values: NDArray[Any]) -> bool:
    """Return whether an array has the axes of maps."""
    return values.dtype.kind in "biuf" and values.ndim in (2, 3, 4) and (values.ndim < 4 or len(values) == 1)


def _all_names(data: bytes, name: str, suffix: str) -> list[str]:
    """List the arrays of a file."""
    return [key for key, _ in archives.stored_arrays(data, name, suffix)]


def _not_one(name: str, array: str | None, names: Sequence[str]) -> str:
    """Describe which arrays exist, if the choice is not clear."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    listed = ", ".join(map(printable, names[:_NAMED])) or "none"
    if array is not None:
        return f"{name} has no array {array!r}; it holds {listed}{more}."
    return f"{name} holds {plural(len(names), 'array')}; name one with array: {listed}{more}."
