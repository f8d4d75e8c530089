"""Hold the pictures in which the maps of a layer are largest, as a value that shows and saves itself."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.images import decode
from convviz.images.picture import Picture
from convviz.render.sheets import patches
from convviz.render.sheets.layout import Sheet
from convviz.render.sheets.tile import Tile
from convviz.results.on_sheets import OnSheet
from convviz.spec.best import BestSettings, PatchSettings
from convviz.spec.geometry import HW
from convviz.spec.reach import Area, Box
from convviz.spec.settings import InputSettings
from convviz.text import number, plural
from convviz.typing import Floats


def original(path: Path, reading: InputSettings) -> Picture:
    """Read a picture with all its own channels and pixels: not resized, cropped or normalized."""
    reading = replace(reading, mode=None, resize=None, crop=None, normalize=None)
    return decode.decode(read_bytes(path), quoted(path), path.suffix.lower(), **reading.arguments)


@dataclass(frozen=True, slots=True)
class Patch:
    """Hold one of the largest values of a map, and the part of a picture that it sees.

    Parameters
    ----------
    name : str
        The name of the picture.
    path : Path
        Its file.
    value : float
        The value.
    at : HW
        Row and column of the value in the map.
    seen : Area
        The part of the original picture that it sees.
    around : Area
        The same with padding, which lies outside of the picture, or of what was cropped from it.
    reading : InputSettings
        How the picture was read.
    """

    name: str
    path: Path
    value: float
    at: HW
    seen: Area
    around: Area
    reading: InputSettings

    @property
    def box(self) -> Box:
        """The rows and columns of the original picture that it sees, at least in part."""
        return self.seen.pixels

    @property
    def field(self) -> Box:
        """The same with padding."""
        return self.around.pixels

    @property
    def pixels(self) -> Floats:
        """The pixels that it sees, shape (C, h, w), float32; the file is read again for them."""
        return patches.cut_from(original(self.path, self.reading), self.box)

    @property
    def padding(self) -> float:
        """The share of what the value sees that is padding, from 0 to 1."""
        return 1 - self.seen.height * self.seen.width / (self.around.height * self.around.width)

    @property
    def padding_words(self) -> str:
        """The share of padding in words; empty if there is none."""
        return f"{self.padding:.0%} padding" if self.padding else ""

    def document(self) -> dict[str, Any]:
        """Return plain values; a box is the first and last row, the first and last column."""
        return {
            "path": self.name,
            "value": self.value,
            "at": list(self.at),
            "box": list(self.box),
            "field": list(self.field),
        }


@dataclass(frozen=True, slots=True)
class BestOfMap:
    """Hold the pictures in which one map is largest.

    Parameters
    ----------
    index : int
        The index of the map.
    name : str
        Its name.
    patches : tuple of Patch
        The largest value first, at most one for each picture.
    nan : int
        The number of pictures in which the map holds NaN; none of them is among `patches`.
    kernels : ndarray, shape (I, kh, kw), float32, optional
        The kernels of the filter, if it reads few channels.
    """

    index: int
    name: str
    patches: tuple[Patch, ...]
    nan: int = 0
    kernels: Floats | None = field(default=None, repr=False, compare=False)

    @property
    def words(self) -> str:
        """The index, and the name if it says more."""
        return (
            str(self.index)
            if self.name.rpartition(": ")[2] in (str(self.index), f"map {self.index}")
            else f"{self.index}: {self.name}"
        )

    def document(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "index": self.index,
            "name": self.name,
            "nan": self.nan,
            "patches": [one.document() for one in self.patches],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Best(OnSheet[BestOfMap]):
    """Hold the pictures in which the maps of a layer are largest, as a value that shows and saves itself.

    Parameters
    ----------
    layer : str
        The layer in words.
    total : int
        The number of its maps.
    maps : sequence of BestOfMap
        One per row of the sheet.
    pictures : int
        The number of pictures.
    asked : BestSettings
        Which maps were asked for.
    sees : str
        What a value sees: ``"field"``, its receptive field; ``"whole"``, the whole picture; or
        ``"undefined"``, if its receptive field is not defined, so that the patches are whole pictures.
    remarks : tuple of str
        Notes for the user.
    """

    command: ClassVar[str] = "best"

    layer: str
    total: int
    maps: Sequence[BestOfMap]
    pictures: int
    asked: BestSettings
    sees: str = "field"
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Best: {len(self.maps)} of {self.words} in {plural(self.pictures, 'picture')}>"

    @property
    def _items(self) -> Sequence[BestOfMap]:
        """One per map."""
        return self.maps

    @property
    def words(self) -> str:
        """The maps of the layer, in words."""
        return f"{plural(self.total, 'map')} of {self.layer}"

    @property
    def patches(self) -> list[list[Floats]]:
        """The parts of the pictures, one list per map; the files are read again for them."""
        return [[one.pixels for one in row.patches] for row in self.maps]

    @property
    def rule(self) -> str:
        """How the maps were chosen, and what a patch is."""
        count = len(self.maps)
        chosen = "the map asked for" if count == 1 else "the maps asked for"
        if self.asked.only is None:
            chosen = f"the {plural(count, 'map')} with the largest values over all pictures"
            chosen = chosen if count > 1 else "the map with the largest value over all pictures"
        most = max((len(row.patches) for row in self.maps), default=0)
        where = "each in up to" if count > 1 else "in"
        few = f", {where} {most} of {self.pictures:,} pictures" if most < self.pictures else ""
        padded = any(one.padding for row in self.maps for one in row.patches)
        patch = {
            "field": "A patch is what the value sees of the original picture"
            + ("; hatching is padding" if padded else ""),
            "whole": "Every value sees the whole picture, which is drawn",
            "undefined": "The receptive field of a value is not defined, so that whole pictures are drawn",
        }[self.sees]
        rows = "Row" if count == 1 else "Rows"
        return f"{rows}: {chosen}{few}. Each picture counts with its largest value in the map. {patch}"

    def sheet(self, **looks: Any) -> Sheet:
        """Lay out one row of patches per map.

        Parameters
        ----------
        **looks
            Fields of `convviz.spec.best.PatchSettings`, such as ``tile=100``.

        Returns
        -------
        Sheet
            Not painted yet.

        Raises
        ------
        InputError
            If a picture cannot be read any more.
        """
        look = PatchSettings(**looks)
        drawn = self._drawn(look.tile)
        rows = [
            patches.Row(
                _title(row),
                [
                    Tile(patches.short_name(one.name), _value(one), drawn[one], brief=_value(one, 3))
                    for one in row.patches
                ],
                () if row.kernels is None else _kernels(row.kernels, look.tile),
            )
            for row in self.maps
        ]
        every = self.words.removeprefix("1 ")
        which = f"{len(self.maps)} of the {every}" if len(self.maps) < self.total else f"the {every}"
        verb = "is" if len(self.maps) == 1 else "are"
        heading = (f"Where {which} {verb} largest in {plural(self.pictures, 'picture')}",)
        return patches.draw(heading, rows, self.rule, columns=look.columns, look=look.look)

    def _drawn(self, tile: int | None) -> dict[Patch, Any]:
        """Draw all patches, and read every file once."""
        every = sorted((one for row in self.maps for one in row.patches), key=lambda one: one.name)
        found = {}
        for _, same in itertools.groupby(every, key=lambda one: one.name):
            picture = None
            for one in same:
                picture = picture or original(one.path, one.reading)
                found[one] = patches.levels_of(picture, one.around, one.seen, tile=tile)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Gather the numbers for `save`; empty places hold NaN, -1 and an empty name."""
        shape = len(self.maps), max((len(row.patches) for row in self.maps), default=0)
        values = np.full(shape, np.nan, np.float32)
        positions = np.full((*shape, 2), -1, np.int64)
        boxes = np.full((*shape, 4), -1, np.int64)
        files = [[""] * shape[1] for _ in self.maps]
        for at, row in enumerate(self.maps):
            for place, one in enumerate(row.patches):
                values[at, place], files[at][place] = one.value, one.name
                positions[at, place], boxes[at, place] = one.at, one.box
        return {
            "maps": np.array([row.index for row in self.maps], np.int64),
            "values": values,
            "positions": positions,
            "boxes": boxes,
            "files": np.array(files, np.str_).reshape(shape),
        }

    def document(self) -> dict[str, Any]:
        """Return what is known as plain values."""
        return {
            "layer": self.layer,
            "total": self.total,
            "rule": self.rule,
            "sees": self.sees,
            "pictures": self.pictures,
            "maps": [row.document() for row in self.maps],
        }


def _kernels(kernels: Floats, tile: int | None) -> list[Tile]:
    """Draw the kernels of a filter, each with the channel that it reads."""
    names = ["kernel"] if len(kernels) == 1 else [f"kernel {index}" for index in range(len(kernels))]
    return patches.kernel_tiles(kernels, names, tile=tile)


def _title(row: BestOfMap) -> str:
    """Name a map, with the number of pictures in which it is not a number."""
    return f"map {row.words}" + (f" (NaN in {plural(row.nan, 'picture')})" if row.nan else "")


def _value(one: Patch, digits: int = 4) -> str:
    """Write the value of a patch, and how much of what it sees is padding."""
    return ", ".join(filter(None, (number(one.value, digits=digits), one.padding_words)))
