"""What a user chooses, as checked values that fit into the metadata of a picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from convviz.errors import SpecError, UnknownNameError
from convviz.spec import parsing, scales
from convviz.spec.geometry import HW, Edges
from convviz.spec.kernels import KernelRequest
from convviz.spec.layers import Conv2d, Padding, PaddingMode
from convviz.spec.layers.base import check_count
from convviz.spec.layers.conv import check_groups
from convviz.spec.limits import PERCENTILE, Limits, exact
from convviz.spec.preparation import PREPARATIONS, Normalization, ShortSide
from convviz.text import plural

Mode = Literal["rgb", "gray", "rgba"]
ValueRange = Literal["unit", "byte", "raw"]
Scale = Literal["map", "layer", "global"]
Style = Literal["flat", "iso"]
Layout = Literal["auto", "wide", "tall"]

# The endings that the name of a picture may have.
PICTURE_ENDINGS = (".png", ".svg", ".pdf", ".webp", ".jpg", ".jpeg")

# Settings whose options may be given more than once.
REPEATED = ("kernel",)

# Half a gigapixel of RGB is 6 GB as float32.
MAX_PIXELS = 500_000_000


@dataclass(frozen=True, slots=True)
class LayerSettings:
    """The layer and where its numbers come from.

    Parameters
    ----------
    out_channels : int, optional
        Number of filters; by default as many as the kernels make, or 6. Filters without a
        kernel are those of a new layer, at the same indices.
    kernel_size : HW, optional
        Kernel size; by default that of the largest kernel, or 3x3.
    stride, padding, dilation, groups, padding_mode
        As for `Conv2d`.
    bias : bool, optional
        Whether every map has a bias; by default seeded weights have one, and kernels the
        one that was stored with them or is given. True gives kernels, beside which there
        are seeded filters, the biases of that new layer.
    seed : int
        Seed of torch's generator, for filters without kernels.
    kernel : tuple of KernelRequest
        Presets, literal values and files, one after the other.
    bias_values : tuple of float, optional
        One bias per map, for layers with kernels.
    flip : bool
        Rotate every kernel by 180 degrees, which makes the layer a true convolution.
    weights : Path, optional
        A file of trained weights, in place of kernels and seeded weights.
    layer_name : str, optional
        The layer of that file; the only one by default.
    """

    out_channels: int | None = None
    kernel_size: HW | None = None
    stride: HW = HW(1, 1)
    padding: Padding = Edges(0, 0, 0, 0)
    dilation: HW = HW(1, 1)
    groups: int = 1
    bias: bool | None = None
    padding_mode: PaddingMode = "zeros"
    seed: int = 0
    kernel: tuple[KernelRequest, ...] = ()
    bias_values: tuple[float, ...] | None = None
    flip: bool = False
    weights: Path | None = None
    layer_name: str | None = None

    @property
    def files(self) -> list[Path]:
        """The files that weights are read from; like the input, they are never replaced."""
        kernels = [Path(request.what) for request in self.kernel if request.kind == "file"]
        return kernels if self.weights is None else [*kernels, self.weights]

    def conv2d(
        self, in_channels: int | None, *, sizes: Sequence[HW] = (), maps: int = 0, stored_bias: bool = False
    ) -> Conv2d:
        """Build the layer for an input of `in_channels` channels.

        Parameters
        ----------
        in_channels : int, optional
            Channels of the input; None if they are not known yet, which makes a layer that reads one
            channel per group.
        sizes : sequence of HW
            Sizes of the kernels that `kernel` names, in values; none for seeded weights.
        maps : int
            Feature maps that those kernels make.
        stored_bias : bool
            Whether a bias came with those kernels.

        Returns
        -------
        Conv2d
            The checked layer.

        Raises
        ------
        SpecError
            If the numbers asked for contradict the kernels.

        Examples
        --------
        >>> LayerSettings(padding=Edges(1, 1, 1, 1)).conv2d(3)
        Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
        """
        kernel_size, out_channels = self.kernel_size or HW(3, 3), self.out_channels or 6
        bias = self.bias is not False
        if sizes:
            largest = HW(max(size.h for size in sizes), max(size.w for size in sizes))
            kernel_size = self.kernel_size or largest
            if kernel_size.h < largest.h or kernel_size.w < largest.w:
                raise SpecError(
                    f"kernel_size {kernel_size} has no room for a kernel of {largest}; "
                    "leave out --kernel-size."
                )
            # More filters than kernels: the others are those of a new layer.
            out_channels = self.out_channels or maps
            if out_channels < maps:
                raise SpecError(
                    f"out_channels is {out_channels}, but the kernels make {plural(maps, 'map')}; "
                    "leave out --out-channels."
                )
            of_kernels = stored_bias or self.bias_values is not None
            if self.bias and not of_kernels and out_channels == maps:
                raise SpecError(
                    "bias: these kernels have none; leave out --bias, or give --bias-values with --kernel."
                )
            bias = of_kernels if self.bias is None else self.bias
        elif self.bias_values is not None:
            raise SpecError("bias-values can only be used with --kernel; seeded weights have a seeded bias.")
        if self.bias_values is not None and self.bias is False:
            raise SpecError("bias-values and --no-bias contradict each other; leave one out.")
        if self.bias_values is not None and len(self.bias_values) != out_channels:
            raise SpecError(
                f"bias-values gives {plural(len(self.bias_values), 'number')} "
                f"for {plural(out_channels, 'map')}; give one per map."
            )
        if in_channels is None:
            check_groups(self.groups, out_channels=out_channels)
            in_channels = self.groups
        return Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            bias,
            self.padding_mode,
        )


# How each of `InputSettings` is typed: on the command line, and in the file of a network.
INPUT_PARSERS: dict[str, Callable[[str], Any]] = {
    "mode": parsing.choice("mode", get_args(Mode)),
    "range": parsing.choice("range", get_args(ValueRange)),
    "resize": parsing.resize,
    "crop": parsing.pair("crop"),
    "normalize": parsing.normalization,
    "prepare": parsing.choice("prepare", tuple(PREPARATIONS)),
    "page": parsing.whole("page"),
}


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How a picture becomes numbers.

    Parameters
    ----------
    mode : {"rgb", "gray", "rgba"}, optional
        Channels to read; those that the picture has by default, without alpha.
    range : {"unit", "byte", "raw"}
        0 to 1, 0 to 255, or the stored numbers.
    resize : HW or ShortSide, optional
        Size to bring the picture to, in pixels.
    crop : HW, optional
        Size of the middle that is kept of it then, in pixels.
    normalize : Normalization, optional
        What is subtracted from the values in the end, and what they are divided by.
    prepare : {"imagenet"}, optional
        Resize, crop and normalisation of trained networks by one name, where they are not given; the
        settings hold them then, and not the name.
    page : int
        Which page of a TIFF, or frame of an animation, counted from 1.
    max_pixels : int
        Larger pictures are refused before they are decoded.

    Raises
    ------
    SpecError
        If the values that a normalisation by name is for are not those of `range`.
    UnknownNameError
        If there is no such preparation.

    Examples
    --------
    >>> chosen = InputSettings(prepare="imagenet", crop=HW(192, 192))
    >>> print(chosen.resize, chosen.crop, chosen.normalize)
    short:256 192x192 imagenet
    """

    mode: Mode | None = None
    range: ValueRange = "unit"
    resize: HW | ShortSide | None = None
    crop: HW | None = None
    normalize: Normalization | None = None
    prepare: str | None = None
    page: int = 1
    # Results do not depend on it, so their descriptions leave it out.
    max_pixels: int = field(default=MAX_PIXELS, metadata={"described": False})

    def __post_init__(self) -> None:
        if self.prepare is not None:
            self._take_apart(self.prepare)
        if self.normalize is not None and self.normalize.name and self.range != "unit":
            raise SpecError(
                f"normalize {self.normalize} is for values from 0 to 1, not for --range {self.range}; "
                "leave out --range, or give the numbers."
            )

    def _take_apart(self, prepare: str) -> None:
        """Put what a preparation stands for where nothing else was given."""
        if prepare not in PREPARATIONS:
            raise UnknownNameError("preparation", prepare, list(PREPARATIONS))
        for name, value in zip(("resize", "crop", "normalize"), PREPARATIONS[prepare], strict=True):
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        object.__setattr__(self, "prepare", None)

    def completed(self, texts: Mapping[str, str]) -> tuple["InputSettings", list[str]]:
        """Take settings, as a user would type them, where this value has the default.

        Parameters
        ----------
        texts : dict of str
            Such as ``{"mode": "gray", "resize": "28x28"}``.

        Returns
        -------
        settings : InputSettings
            With the settings that were taken.
        taken : list of str
            The settings that were taken, as text.

        Raises
        ------
        UnknownNameError
            If there is no such setting.
        SpecError
            If a text is not legal.

        Examples
        --------
        >>> InputSettings().completed({"mode": "gray"})[1]
        ['mode gray']
        """
        settings, default, taken = self, InputSettings(), []
        for name, text in texts.items():
            if name not in INPUT_PARSERS:
                raise UnknownNameError("option of [input]", name, list(INPUT_PARSERS))
            if getattr(settings, name) != getattr(default, name):
                continue
            try:
                settings = replace(settings, **{name: INPUT_PARSERS[name](text)})
            except (SpecError, UnknownNameError) as error:
                raise SpecError(f"[input]: {error}") from None
            taken.append(f"{name} {text}")
        return settings, taken

    @property
    def arguments(self) -> dict[str, Any]:
        """What `convviz.images.decode.read` and `convviz.images.decode.decode` take, by its name there."""
        return {
            "mode": self.mode,
            "value_range": self.range,
            "resize": self.resize,
            "crop": self.crop,
            "normalize": self.normalize,
            "page": self.page,
            "max_pixels": self.max_pixels,
        }


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """What computes the layer.

    Parameters
    ----------
    backend : str
        A name of `convviz.compute.backends`, or "auto".
    device : str
        "cpu", or an accelerator that torch knows.
    """

    backend: str = "auto"
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class ContrastSettings:
    """How the values of feature maps become brightness and colour.

    Parameters
    ----------
    colormap : str
        "gray", "signed", or the name of a published scale.
    limits : Limits
        The values at the ends of the scale.
    scale : {"map", "layer", "global"}
        Whether each map has ends of its own, all maps of a layer share theirs, or all maps of the
        picture.

    Raises
    ------
    SpecError
        If the colours are centred on 0, and the limits are not.
    UnknownNameError
        If there is no such `scale`.
    """

    colormap: str = "gray"
    limits: Limits = PERCENTILE
    scale: Scale = "map"

    def __post_init__(self) -> None:
        if self.scale not in get_args(Scale):
            raise UnknownNameError("scale", str(self.scale), get_args(Scale))
        if self.colormap == "signed" and not self.limits.centred:
            most = max(-self.limits.low, self.limits.high)
            raise SpecError(
                f"limits {self.limits} are not centred on 0, as the signed colours are; give "
                f"{exact(-most)},{exact(most)}, or another colormap."
            )

    @classmethod
    def of(cls, **chosen: Any) -> Self:
        """Take settings by their names; limits may be text, such as "minmax" or "-1,1".

        Examples
        --------
        >>> ContrastSettings.of(limits="-1,1").limits.low
        -1.0
        """
        limits = chosen.get("limits")
        return cls(**chosen | ({"limits": parsing.limits(limits)} if isinstance(limits, str) else {}))


@dataclass(frozen=True, slots=True)
class PageSettings(ContrastSettings):
    """How the values of feature maps become colours on a page; with the parameters of `ContrastSettings`.

    On a page the partial maps of a filter stand beside each other, and their signs are to be seen.
    """

    colormap: str = "signed"


@dataclass(frozen=True, slots=True)
class Look(ContrastSettings):
    """What a sheet looks like, whatever is on it; with the parameters of `ContrastSettings`.

    Parameters
    ----------
    title : str, optional
        A line above the heading.
    captions : bool
        Whether every tile has its name and its numbers below.
    font_size : int, optional
        Size of type, in pixels; by default at least 1/60 of the height of a slide that
        the sheet fills.
    layout : {"auto", "wide", "tall"}
        "wide" has the shape of a slide, 16:9, "tall" that of a page of A4; with "auto" the
        sheet is as large as what is on it, its tiles as large as they can be on a slide.
    """

    title: str | None = None
    captions: bool = True
    font_size: int | None = None
    layout: Layout = "auto"


@dataclass(frozen=True, slots=True)
class TileSettings(Look):
    """How many pictures become one; with the parameters of `Look`.

    Parameters
    ----------
    tile : int, optional
        Longest side of a map in the picture, in pixels; None keeps every pixel.
    columns : int, optional
        Maps in one row.

    Raises
    ------
    SpecError
        If `tile` or `columns` is no whole number of at least 1.
    """

    tile: int | None = scales.USUAL
    columns: int | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What methods that draw a sheet take, by its name there."""
        return {of.name: getattr(self, of.name) for of in fields(self)}

    def tile_or(self, usual: int) -> int | None:
        """Return the side of a tile, or that which is usual for a kind of sheet if none was chosen."""
        return usual if self.tile == TileSettings().tile else self.tile

    def __post_init__(self) -> None:
        for name in ("tile", "columns"):
            if (value := getattr(self, name)) is not None:
                check_count(name, value)
        # A class with slots has no super() of its own.
        ContrastSettings.__post_init__(self)


@dataclass(frozen=True, slots=True)
class SheetSettings(TileSettings):
    """How feature maps become one picture; with the parameters of `TileSettings`.

    Parameters
    ----------
    kernels : bool
        Whether the kernels of its filter stand above every map.
    """

    kernels: bool = True


def typed(value: Any) -> str:
    """Write one value as a user would type it after its option.

    Examples
    --------
    >>> typed(HW(2, 2)), typed(HW(3, 5)), typed(Edges(1, 1, 1, 1)), typed(Edges(1, 0, 2, 1)), typed(True)
    ('2', '3x5', '1', '1,0,2,1', 'true')
    """
    if value is None:
        return "full"  # only a tile has a default that is not None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, HW):
        return str(value.h) if value.h == value.w else str(value)
    if isinstance(value, Edges):
        return str(value.top) if len(set(value)) == 1 else str(value)
    if isinstance(value, KernelRequest):  # a named tuple, so it comes before the other tuples
        name = "" if value.name is None else f"{value.name}="
        return f"{name}{value.what}" + ("" if value.channel is None else f"@{value.channel}")
    if isinstance(value, tuple):
        return ",".join(map(repr, value))
    return str(value)


def as_text(*groups: Any) -> dict[str, str | list[str]]:
    """Write settings as option names with the text that a user would type for them.

    An option that may be given more than once has a list. Only what differs from
    the default is written, so that a later version may add settings without
    making older pictures unreadable.

    Examples
    --------
    >>> as_text(LayerSettings(stride=HW(2, 2), flip=True), SheetSettings(tile=None))
    {'stride': '2', 'flip': 'true', 'tile': 'full'}
    """
    return {
        of.name.replace("_", "-"): [typed(item) for item in value]
        if of.name in REPEATED
        else of.metadata.get("typed", typed)(value)
        for group in groups
        for of in fields(group)
        if (value := getattr(group, of.name)) != of.default and of.metadata.get("described", True)
    }
