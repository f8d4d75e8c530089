"""What ``convviz best`` is asked for, and where a patch lies in the original picture."""

from dataclasses import dataclass, fields
from typing import Any

from convviz.errors import SpecError
from convviz.spec.geometry import HW
from convviz.spec.layers.base import check_count
from convviz.spec.preparation import crop_corner, resized_size
from convviz.spec.reach import Area, Box
from convviz.spec.settings import InputSettings, Layout, Look

# The number of maps if none are chosen.
TOP = 6


@dataclass(frozen=True, slots=True)
class BestSettings:
    """Which maps are ranked, and how many pictures stand in each row.

    Parameters
    ----------
    only : tuple of int, optional
        The indices of the maps, in the order of the rows.
    top : int, optional
        In place of `only`, the number of maps: those whose largest value over all pictures is largest.
        `TOP` by default.
    count : int
        The number of pictures for each map.

    Raises
    ------
    SpecError
        If both `only` and `top` are given, or a number is not a whole number of at least 1.
    """

    only: tuple[int, ...] | None = None
    top: int | None = None
    count: int = 9

    def __post_init__(self) -> None:
        if self.only is not None and self.top is not None:
            raise SpecError("maps and top both choose the maps; give only one of them.")
        check_count("count", self.count)
        if self.top is not None:
            check_count("top", self.top)

    @property
    def number(self) -> int:
        """The number of maps if they are not chosen by their indices."""
        return self.top or TOP

    def check(self, maps: int, layer: str) -> None:
        """Refuse a map that a layer does not have.

        Raises
        ------
        SpecError
            If there is one.
        """
        missing = next((index for index in self.only or () if not 0 <= index < maps), None)
        if missing is not None:
            raise SpecError(f"maps: {layer} has the maps 0 to {maps - 1}, and none with the index {missing}.")


@dataclass(frozen=True, slots=True)
class PatchSettings:
    """What the sheet of ``convviz best`` looks like; the fields are those of `TileSettings`.

    Parameters
    ----------
    tile : int, optional
        Longest side of a patch on the sheet, in pixels; None keeps every pixel.
    columns : int, optional
        Patches in one row; by default all of a map.
    title, captions, font_size, layout
        As for `Look`.

    Raises
    ------
    SpecError
        If `tile` or `columns` is not a whole number of at least 1.
    """

    tile: int | None = 160
    columns: int | None = None
    title: str | None = None
    captions: bool = True
    font_size: int | None = None
    layout: Layout = "auto"

    def __post_init__(self) -> None:
        for name in ("tile", "columns"):
            if (value := getattr(self, name)) is not None:
                check_count(name, value)

    @property
    def arguments(self) -> dict[str, Any]:
        """What methods that draw a sheet take, by its name there."""
        return {of.name: getattr(self, of.name) for of in fields(self)}

    @property
    def look(self) -> Look:
        """What the layout of a sheet takes."""
        return Look(title=self.title, captions=self.captions, font_size=self.font_size, layout=self.layout)


def prepared_size(size: HW, reading: InputSettings) -> HW:
    """Return the size of a picture after it was resized and cropped.

    Examples
    --------
    >>> print(prepared_size(HW(375, 500), InputSettings(prepare="imagenet")))
    224x224
    """
    resized = size if reading.resize is None else resized_size(reading.resize, size)
    return resized if reading.crop is None else reading.crop


def in_original(box: Box, size: HW, reading: InputSettings) -> Area:
    """Find the part of the original picture that pixels of the prepared one are made of.

    Parameters
    ----------
    box : Box
        Rows and columns of the picture after resizing and cropping.
    size : HW
        The size of the original picture.
    reading : InputSettings
        How it was resized and cropped.

    Returns
    -------
    Area
        Its edges, in pixels of the original; what lies outside of the original picture is padding.

    Examples
    --------
    >>> reading = InputSettings(resize=HW(4, 6), crop=HW(2, 2))  # of 8x9: by 1/2 and 2/3; corner at 1, 2
    >>> in_original(Box(0, 0, 0, 1), HW(8, 9), reading)
    Area(top=2.0, bottom=4.0, left=3.0, right=6.0)
    """
    resized = size if reading.resize is None else resized_size(reading.resize, size)
    corner = HW(0, 0) if reading.crop is None else crop_corner(resized, reading.crop)
    top, bottom = ((row + corner.h) * size.h / resized.h for row in (box.top, box.bottom + 1))
    left, right = ((column + corner.w) * size.w / resized.w for column in (box.left, box.right + 1))
    return Area(top, bottom, left, right)
