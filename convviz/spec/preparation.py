"""How a picture is prepared for a layer, as checked values: sizes, crops, normalisation."""

import math
from dataclasses import dataclass

from convviz.errors import ShapeError, SpecError
from convviz.spec.geometry import HW
from convviz.text import plural


@dataclass(frozen=True, slots=True)
class ShortSide:
    """A target size for the shorter side of a picture; the proportions stay.

    Parameters
    ----------
    length : int
        Pixels of the shorter side, at least 1.

    Raises
    ------
    SpecError
        If `length` is less than 1.

    Notes
    -----
    The sizes are those of ``torchvision.transforms.Resize(length)``, which cuts
    the fraction of the longer side off.

    Examples
    --------
    >>> print(ShortSide(256), ShortSide(256).size_of(HW(375, 500)), ShortSide(256).size_of(HW(500, 375)))
    short:256 256x341 341x256
    """

    length: int

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SpecError(f"resize must be at least 1 pixel on the shorter side, not {self.length}.")

    def size_of(self, size: HW) -> HW:
        """Return the size of a picture of `size` after resizing."""
        longer = int(self.length * max(size) / min(size))
        return HW(longer, self.length) if size.h > size.w else HW(self.length, longer)

    def __str__(self) -> str:
        return f"short:{self.length}"


@dataclass(frozen=True, slots=True)
class Normalization:
    """The mean that is subtracted from each channel, and the deviation by which it is then divided.

    Parameters
    ----------
    mean, std : tuple of float
        One of each for all channels, or one per channel; deviations are above 0.
    name : str
        What a user types for these numbers, if not the numbers.

    Raises
    ------
    SpecError
        If there is not one deviation per mean, or a number is out of range.

    Examples
    --------
    >>> print(Normalization((0.5,), (0.25,)), IMAGENET)
    0.5,0.25 imagenet
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.mean or len(self.mean) != len(self.std):
            raise SpecError(
                f"normalize needs as many deviations as means, not "
                f"{plural(len(self.mean) + len(self.std), 'number')}; "
                "give MEAN,STD, or the means of all channels and then their deviations."
            )
        if not all(map(math.isfinite, self.mean + self.std)):
            raise SpecError("normalize needs finite numbers, without inf and nan.")
        if min(self.std) <= 0:
            raise SpecError(f"normalize divides by deviations, which must be above 0, not {min(self.std)!r}.")

    def of(self, channels: int) -> "Normalization":
        """Return the mean and the deviation of each of `channels` channels.

        Raises
        ------
        SpecError
            If they are for another number of channels.

        Examples
        --------
        >>> Normalization((0.5,), (0.25,)).of(3).mean
        (0.5, 0.5, 0.5)
        """
        if len(self.mean) == channels:
            return self
        if len(self.mean) == 1:
            return Normalization(self.mean * channels, self.std * channels)
        if self.name:
            raise SpecError(
                f"normalize {self.name} is for {plural(len(self.mean), 'channel')}, but the input has "
                f"{channels}; choose the channels by --mode, or give MEAN,STD."
            )
        raise SpecError(
            f"normalize gives {plural(2 * len(self.mean), 'number')} for {plural(channels, 'channel')}; "
            "give MEAN,STD" + (f" for all of them, or {2 * channels} numbers." if channels > 1 else ".")
        )

    @property
    def sentence(self) -> str:
        """The mean and the deviation, as text.

        Examples
        --------
        >>> Normalization((0.5,), (0.25,)).sentence
        'mean 0.5 and deviation 0.25'
        """
        return f"mean {_listed(self.mean)} and deviation {_listed(self.std)}"

    def __str__(self) -> str:
        return self.name or _listed(self.mean + self.std)


def _listed(values: tuple[float, ...]) -> str:
    """Write numbers with commas between them, as they are typed."""
    return ",".join(map(repr, values))


# Mean and deviation of the pictures of ImageNet, of values from 0 to 1, for red, green and blue:
# https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html
IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "imagenet")


# What trained networks expect, by the name of the pictures that they were trained on: the size of the shorter
# side, that of the crop, and the normalisation, in this order.
PREPARATIONS = {"imagenet": (ShortSide(256), HW(224, 224), IMAGENET)}


def resized_size(resize: HW | ShortSide, size: HW) -> HW:
    """Return the size of a picture after resizing.

    Parameters
    ----------
    resize : HW or ShortSide
        What was asked for.
    size : HW
        Size of the picture, in pixels.

    Returns
    -------
    HW
        The size made, in pixels.

    Examples
    --------
    >>> print(resized_size(HW(3, 4), HW(30, 60)), resized_size(ShortSide(3), HW(30, 60)))
    3x4 3x6
    """
    return resize if isinstance(resize, HW) else resize.size_of(size)


def crop_corner(size: HW, crop: HW) -> HW:
    """Return the first row and column of the middle of a picture.

    Parameters
    ----------
    size : HW
        Size of the picture, in pixels.
    crop : HW
        Size of what is kept, in pixels.

    Returns
    -------
    HW
        Row and column, counted from 0.

    Raises
    ------
    ShapeError
        If `crop` is empty or larger than the picture.

    Notes
    -----
    That of ``torchvision.transforms.CenterCrop``; a half is rounded to the even number.

    Examples
    --------
    >>> print(*crop_corner(HW(256, 341), HW(224, 224)))  # 32 / 2 and 117 / 2
    16 58
    """
    if min(crop) < 1:
        raise ShapeError(f"crop must be at least 1 pixel on both axes, not {crop}.")
    if crop.h > size.h or crop.w > size.w:
        raise ShapeError(
            f"crop {crop} is larger than the picture of {size}; crop less, or bring it to a larger size by "
            "--resize first."
        )
    return HW(round((size.h - crop.h) / 2), round((size.w - crop.w) / 2))
