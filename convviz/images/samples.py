"""Convert the samples of a picture that Pillow opened to channels."""

import io
import math
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convviz.errors import InputError
from convviz.images import profiles
from convviz.images.deep import (
    BROKEN,
    ORIENTATION,
    PLANAR_CONFIGURATION,
    SAMPLES_PER_PIXEL,
    one_channel,
    samples_of,
)
from convviz.images.picture import (
    GRAY,
    LARGE,
    RGB,
    RGBA,
    SMALL,
    ChannelRows,
    Picture,
    above,
    extremes,
    made_whole,
)
from convviz.spec.settings import Mode, ValueRange
from convviz.text import number
from convviz.typing import Floats

# The weights of ITU-R BT.601; Pillow's mode L rounds them.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class _Samples(Protocol):
    """Samples (H, W, C) that can be sliced by rows: an array, or a picture in Pillow's memory."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """An 8-bit picture in Pillow's memory; an array of all samples would be another copy."""

    image: Image.Image
    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.image.height, self.image.width, len(self.image.getbands())

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        top, bottom, _ = rows.indices(self.image.height)
        band = np.asarray(self.image.crop((0, top, self.image.width, bottom)))
        return band.reshape(bottom - top, *self.shape[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Samples as stored, (H, W, C), with the information needed to scale and name them."""

    samples: _Samples
    full: float  # the largest sample of the format; 0 if samples are already in units
    alpha: bool
    remarks: tuple[str, ...]


def decode_image(image: Image.Image, data: bytes | None) -> Decoded:
    """Decode the current frame of a picture, opened from `data`, at full precision."""
    remarks = []
    tags = getattr(image, "tag_v2", {})
    if data is not None and tags.get(PLANAR_CONFIGURATION) == 2 and tags.get(SAMPLES_PER_PIXEL, 1) == 1:
        # One channel is the same in both arrangements, but Pillow truncates the samples of one of them.
        data = one_channel(image, data, 0)
        image = Image.open(io.BytesIO(data), formats=["TIFF"])
    # Pillow rotates a TIFF while loading it, but does not record that.
    turned = _orientation(image) in range(2, 9) if image.format == "TIFF" else False
    stored, full, remark = samples_of(image, data)
    if remark:
        remarks.append(remark)
    # Metadata is read last: some formats store it after the pixels.
    orientation = _orientation(image) if image.format != "TIFF" else 1
    samples: _Samples
    if isinstance(stored, Image.Image) and orientation not in range(2, 9):
        samples = _Held(stored)
    else:
        array = np.asarray(stored)
        samples = _upright(array if array.ndim == 3 else array[:, :, None], orientation)
    if turned or orientation in range(2, 9):
        remarks.append("turned upright as its EXIF orientation says")
    remarks += profiles.remarks_on(image.info, data or b"")
    return Decoded(samples, full, samples.shape[2] in (2, 4), tuple(remarks))


def _orientation(image: Image.Image) -> Any:
    """Read the EXIF orientation; damaged EXIF has none, but the pixels are still read."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except BROKEN:
        return 1


def _upright(samples: NDArray[Any], orientation: Any) -> NDArray[Any]:
    """Rotate or mirror samples (H, W, C) according to EXIF orientations 2 to 8."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def finished(decoded: Decoded, name: str, *, mode: Mode | None, value_range: ValueRange) -> Picture:
    """Scale samples and choose channels."""
    remarks = list(decoded.remarks)
    if decoded.full > 65535 and value_range != "raw":
        remarks.append(f"32-bit values divided by {decoded.full:.0f}, the largest; --range raw keeps them")
    channels = _Floats(decoded, mode, value_range)
    x: Floats | ChannelRows = channels
    low, high = channels.ends
    # Floats and signed integers have no fixed range; finding it needs all values, so they are made at once.
    anywhere = decoded.samples.dtype.kind != "u"
    count = math.prod(channels.shape)
    if anywhere or count <= SMALL:
        x = channels.whole()
    elif count <= LARGE:
        # Reading rows from an array is much faster than from a Pillow picture.
        x = _Floats(replace(decoded, samples=decoded.samples[:]), mode, value_range)
    if anywhere:
        assert isinstance(x, np.ndarray)
        if value_range == "byte":
            _check_range(x, decoded, name, mode=mode)
        least, greatest, others = extremes(x)
        remarks += others
        if least < low or greatest > high:
            remarks.append(f"values from {number(least)} to {number(greatest)}")
            low, high = least, above(least, greatest)
    names = {1: GRAY, 3: RGB, 4: RGBA}[channels.shape[0]]
    return Picture(x, names, low, high, (*remarks, *channels.remarks))


def _check_range(x: Floats, decoded: Decoded, name: str, *, mode: Mode | None) -> None:
    """Refuse values that are finite as stored, but too large for float32 after scaling by 255."""
    if np.isinf(x).any() and (np.isinf(x) & np.isfinite(_Floats(decoded, mode, "raw").whole())).any():
        raise InputError(
            f"cannot read {name}: it has values that are too large for float32 times 255; take --range raw."
        )


class _Floats:
    """The channels of a decoded picture, whose rows become floats according to mode and range."""

    def __init__(self, decoded: Decoded, mode: Mode | None, value_range: ValueRange) -> None:
        self._decoded, self._mode, self._range = decoded, mode, value_range
        h, w, stored = decoded.samples.shape
        colours = stored - decoded.alpha
        channels, remarks = colours, []
        if decoded.alpha and mode != "rgba":
            remarks.append("alpha dropped; --mode rgba keeps it")
        if mode == "gray" and colours == 3:
            channels = 1
            remarks.append("colour converted to grey")
        if mode in ("rgb", "rgba") and colours == 1:
            channels = 3
            remarks.append("grey repeated as R, G and B")
        if mode == "rgba":
            channels += 1
            if not decoded.alpha:
                remarks.append("alpha added, opaque")
        self.shape = (channels, h, w)
        self.remarks = tuple(remarks)
        top = {"unit": 1.0, "byte": 255.0, "raw": decoded.full or 1.0}[value_range]
        self.ends = (0.0, top)

    def rows(self, top: int, bottom: int) -> Floats:
        """Make some rows of all channels."""
        decoded = self._decoded
        # Always copied, because Pillow's own memory is read-only.
        x = np.array(decoded.samples[top:bottom].transpose(2, 0, 1), np.float32, order="C")
        if self._range != "raw" and decoded.full:
            x /= np.float32(decoded.full)  # division gives torchvision's numbers; the inverse does not
        if self._range == "byte":
            with np.errstate(over="ignore"):  # values that are too large become infinite and are refused
                x *= np.float32(255)
        colour, alpha = (x[:-1], x[-1:]) if decoded.alpha else (x, None)
        if self._mode == "gray" and colour.shape[0] == 3:
            colour = np.tensordot(_LUMA, colour, axes=1)[None].astype(np.float32)
        if self._mode in ("rgb", "rgba") and colour.shape[0] == 1:
            colour = np.repeat(colour, 3, axis=0)
        if self._mode == "rgba":
            if alpha is None:
                alpha = np.full((1, *colour.shape[1:]), self.ends[1], np.float32)
            colour = np.concatenate([colour, alpha])
        return colour

    def whole(self) -> Floats:
        """Make all rows."""
        return made_whole(self)
