"""The filters that a user chooses, as presets, typed values or files, placed in a layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.compute.weights import LayerWeights, check_memory, map_names, seeded
from convviz.errors import InputError, ShapeError, SpecError
from convviz.files.archives import ARCHIVES, read_archive
from convviz.files.arrays import read_array
from convviz.images.picture import GRAY, RGB, RGBA
from convviz.spec.geometry import HW
from convviz.spec.kernels import Filter, KernelRequest, could_be_size, parse_request, resolve
from convviz.spec.layers import Conv2d, as_padding
from convviz.spec.layers.base import by_mode
from convviz.spec.settings import LayerSettings, typed
from convviz.text import in_quotes, listed, plural, printable
from convviz.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class NamedFilter:
    """The values of one filter as the user gave them, before they are placed in a layer.

    Parameters
    ----------
    name : str
        The name of the map.
    values : ndarray, shape (kh, kw) or (channels, kh, kw), float64
        One 2-D kernel that all channels share, or one kernel per channel.
    channel : int, optional
        The only channel that the filter reads; by default it reads all.
    bias : float, optional
        The bias that was stored with the filter.
    """

    name: str
    values: NDArray[np.float64]
    channel: int | None = None
    bias: float | None = None

    @property
    def size(self) -> HW:
        """The numbers of rows and columns."""
        return HW(*self.values.shape[-2:])


@dataclass(frozen=True, slots=True)
class NamedFilters:
    """All filters that a user chose.

    Parameters
    ----------
    filters : tuple of NamedFilter
        The filters.
    stored : dict
        The arguments of `Conv2d` that their file states besides the weights.
    keys : tuple of tuple
        Their keys in a file of trained weights, as in `StoredLayer.keys`.
    remark : str
        A remark on them for the user, as in `StoredLayer.remark`.
    """

    filters: tuple[NamedFilter, ...]
    stored: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[tuple[Any, ...], ...] = ()
    remark: str = ""

    @property
    def bias(self) -> tuple[float, ...] | None:
        """The biases stored in files, 0 for a filter without one; None if no filter has one."""
        if all(filters.bias is None for filters in self.filters):
            return None
        return tuple(filters.bias or 0.0 for filters in self.filters)

    @property
    def sizes(self) -> tuple[HW, ...]:
        """The size of each kernel."""
        return tuple(filters.size for filters in self.filters)

    def maps(self, groups: int) -> int:
        """Count the feature maps: a 2-D kernel makes one map in every group."""
        return sum(groups if filters.values.ndim == 2 else 1 for filters in self.filters)


def load(requests: Sequence[KernelRequest]) -> NamedFilters:
    """Read all requested kernels: named kernels, literal values or files.

    Parameters
    ----------
    requests : sequence of KernelRequest
        The requests, in order.

    Returns
    -------
    NamedFilters
        The filters. A 2-D array is one kernel, a 3-D array ``(depth, kh, kw)`` is one filter,
        and a 4-D array ``(O, I/groups, kh, kw)`` is O filters.

    Raises
    ------
    SpecError, UnknownNameError
        If a literal or a name cannot be used.
    InputError
        If a file cannot be used.

    Examples
    --------
    >>> from convviz.spec.kernels import parse_request
    >>> load([parse_request("sobel")]).sizes
    (HW(h=3, w=3), HW(h=3, w=3))
    """
    filters: list[NamedFilter] = []
    for request in requests:
        if request.kind == "file":
            found = _from_file(Path(request.what), request.name)
        else:
            found = [NamedFilter(one.name, _values(one)) for one in resolve(request)]
        for item in found:
            if request.channel is not None and item.values.ndim != 2:
                raise SpecError(
                    f"{in_quotes(item.name)} has a kernel of its own for every channel; "
                    "leave out the @ suffix."
                )
            filters.append(replace(item, channel=request.channel))
    return NamedFilters(tuple(filters))


def _trained(settings: LayerSettings) -> NamedFilters:
    """Read one layer from a file of trained weights."""
    from convviz.files.checkpoints import read_checkpoint  # which few layers need

    assert settings.weights is not None
    if settings.kernel or settings.out_channels or settings.kernel_size or settings.bias_values:
        raise SpecError(
            "weights: the file sets filters, kernel values and biases; leave out --kernel, --out-channels, "
            "--kernel-size and --bias-values."
        )
    checkpoint = read_checkpoint(settings.weights)
    layer = checkpoint.find(settings.layer_name)
    if layer.transposed:
        raise SpecError(
            f"layer: {in_quotes(layer.name)} is a transposed convolution, and --weights alone applies a "
            "Conv2d; give the whole network, by --net, --layers or --until."
        )
    weight, bias = checkpoint.weights(layer)
    return NamedFilters(
        tuple(
            NamedFilter(f"{layer.name}: {index}", one, bias=None if bias is None else float(bias[index]))
            for index, one in enumerate(weight.astype(np.float64))
        ),
        layer.arguments,
        layer.keys,
        f"{printable(layer.name)}: {layer.remark}" if layer.remark else "",
    )


def _values(one: Filter) -> NDArray[np.float64]:
    """Return the values divided once, in float64; shape (kh, kw) for all channels, or (channels, kh, kw)."""
    kernels = [np.array(kernel.values, np.float64) / kernel.divisor for kernel in one.kernels]
    return kernels[0] if len(kernels) == 1 else np.stack(kernels)


def _from_file(path: Path, name: str | None = None) -> list[NamedFilter]:
    """Read the filters of one file, with their bias, if any; `name` replaces the name of the file."""
    bias = None
    if path.suffix.lower() in ARCHIVES:
        arrays = read_archive(path)
        if "weight" not in arrays and len(arrays) != 1:
            held = ", ".join(printable(name) for name in arrays) or "none"
            raise InputError(f"{in_quotes(path)} has no array named 'weight'; it holds {held}.")
        weight = arrays["weight"] if "weight" in arrays else next(iter(arrays.values()))
        bias = arrays.get("bias")
    else:
        weight = read_array(path)
    name = name or printable(path.stem)
    values = weight.astype(np.float64)
    if values.ndim in (2, 3):
        return [NamedFilter(name, values)]
    if values.ndim != 4:
        raise InputError(
            f"{in_quotes(path)} holds an array of shape {values.shape}; expected one kernel (kh, kw), "
            "one filter (channels, kh, kw) or a weight (O, I/groups, kh, kw)."
        )
    if bias is not None and bias.shape != values.shape[:1]:
        raise InputError(f"{in_quotes(path)}: the bias has shape {bias.shape}, not {values.shape[:1]}.")
    return [
        NamedFilter(f"{name} {index}", one, bias=None if bias is None else float(bias[index]))
        for index, one in enumerate(values)
    ]


def prepare(settings: LayerSettings) -> NamedFilters | None:
    """Load the kernels of a layer, and refuse settings that fit no picture, before a picture is read.

    Parameters
    ----------
    settings : LayerSettings
        The settings that the user chose.

    Returns
    -------
    NamedFilters or None
        The kernels, for `build`; None for seeded weights.

    Raises
    ------
    SpecError, UnknownNameError, InputError
        As for `load` and `LayerSettings.conv2d`.

    Examples
    --------
    >>> prepare(LayerSettings()) is None
    True
    """
    if settings.layer_name is not None and settings.weights is None:
        raise SpecError("layer can only be used with --weights or with a network.")
    named = load(settings.kernel) if settings.kernel else None
    if settings.weights is not None:
        named = _trained(settings)
        _layer(settings, _channels_read(settings, named), named)
        return named
    # No layer has fewer channels than one per group.
    check_memory(_layer(settings, None, named))
    return named


def _layer(settings: LayerSettings, in_channels: int | None, named: NamedFilters | None) -> Conv2d:
    """Build the layer that fits the kernels, or a seeded layer without kernels."""
    if named is None:
        return settings.conv2d(in_channels)
    settings = _with_stored(settings, named)
    return settings.conv2d(
        in_channels,
        sizes=named.sizes,
        maps=named.maps(settings.groups),
        stored_bias=named.bias is not None,
    )


def _with_stored(settings: LayerSettings, named: NamedFilters) -> LayerSettings:
    """Take the settings that a file states for its layer, unless the user chose others."""
    default = LayerSettings()
    stored: dict[str, Any] = {
        name: as_padding(value) if name == "padding" else HW.of(value) if isinstance(value, tuple) else value
        for name, value in named.stored.items()
        if getattr(settings, name) == getattr(default, name)
    }
    return replace(settings, **stored)


def _channels_read(settings: LayerSettings, named: NamedFilters) -> int:
    """Count the channels that a layer from a file reads."""
    return len(named.filters[0].values) * _with_stored(settings, named).groups


def _fitting(
    settings: LayerSettings, named: NamedFilters, in_channels: int, *, channels: Sequence[str]
) -> str:
    """Say how a layer from a file, which reads another number of channels, can be used on an input."""
    depth, remedies = _channels_read(settings, named), []
    if tuple(channels) in (GRAY, RGB, RGBA) and (mode := by_mode(depth)):
        remedies.append(f"{mode} reads a picture as {plural(depth, 'channel')}")
    groups, left = divmod(in_channels, depth)
    if left == 0 and _with_stored(settings, named).groups == 1 and len(named.filters) % groups == 0:
        remedies.append(f"for a layer of {groups} groups add --groups {groups}")
    if not remedies:
        assert settings.weights is not None
        whole = "--until" if settings.weights.suffix.lower() == ".onnx" else "--net"
        remedies.append(f"what it reads is made by the layers before it: give the whole network, by {whole}")
    return "; ".join(remedies)


def build(
    settings: LayerSettings,
    in_channels: int,
    *,
    named: NamedFilters | None = None,
    channels: Sequence[str] = (),
) -> tuple[Conv2d, LayerWeights, tuple[str, ...]]:
    """Build the layer and its weights for an input of `in_channels` channels.

    Parameters
    ----------
    settings : LayerSettings
        The settings that the user chose.
    in_channels : int
        The number of channels of the input.
    named : NamedFilters, optional
        The kernels of `settings` if they are already loaded; by default they are loaded here.
    channels : sequence of str
        The names of the channels, for the names of the maps.

    Returns
    -------
    layer : Conv2d
        The checked layer.
    weights : LayerWeights
        Its numbers.
    remarks : tuple of str
        Remarks on changes to the kernels, such as kernels with zeros around them.

    Examples
    --------
    >>> from convviz.spec.kernels import parse_request
    >>> settings = LayerSettings(kernel=(parse_request("sobel-x"), parse_request("laplacian@G")))
    >>> layer, weights, remarks = build(settings, 3, channels="RGB")
    >>> weights.names, weights.weight[1, :, 1, 1].tolist()
    (('sobel-x', 'laplacian @G'), [0.0, -4.0, 0.0])
    """
    if not settings.kernel and settings.weights is None:
        layer = _layer(settings, in_channels, None)
        weights = seeded(layer, settings.seed)
        return layer, weights.turned() if settings.flip else weights, ()
    if named is None:
        named = _trained(settings) if settings.weights is not None else load(settings.kernel)
    if settings.weights is not None and in_channels != (depth := _channels_read(settings, named)):
        raise ShapeError(
            f"the layer {in_quotes(named.filters[0].name.rpartition(': ')[0])} reads "
            f"{plural(depth, 'channel')}, but the input has {in_channels}; "
            f"{_fitting(settings, named, in_channels, channels=channels)}."
        )
    layer = _layer(settings, in_channels, named)
    check_memory(layer)
    weight, names, given = _lay_out(named.filters, layer, channels, seed=settings.seed)
    with np.errstate(over="ignore"):  # LayerWeights refuses values that do not fit
        weights = LayerWeights(weight, _bias(settings, layer, named, given=given), names)
    remarks = [text for request in settings.kernel if (text := could_be_size(request))]
    if len(given) < layer.out_channels:
        remarks.append(_told_of_seeded(settings, layer, given))
    if len(set(named.sizes)) > 1 or named.sizes[0] != layer.kernel_size:
        smaller = dict.fromkeys(
            filters.name for filters in named.filters if filters.size != layer.kernel_size
        )
        remarks.append(f"{', '.join(smaller)}: enlarged to {layer.kernel_size} with zeros all around")
    if named.remark:
        remarks.append(named.remark)
    if settings.weights is not None and not named.stored and (assumed := _assumed(settings)):
        words = listed([f"{name} {text}" for name, text in assumed.items()])
        name = in_quotes(settings.weights.name)
        remarks.append(f"{name} does not store {listed(list(assumed))}; using {words}, as by default")
    if named.bias is not None and layer.bias and settings.bias_values is None and settings.weights is None:
        without = [filters.name for filters in named.filters if filters.bias is None]
        more = (
            f"; {', '.join(without)} {'has' if len(without) == 1 else 'have'} none, so 0" if without else ""
        )
        remarks.append(f"the bias is the one stored with the kernel{more}")
    return layer, weights.turned() if settings.flip else weights, tuple(remarks)


def _assumed(settings: LayerSettings) -> dict[str, str]:
    """Write the arguments that follow neither from the shape of a weight nor from the user."""
    default = LayerSettings()
    return {
        name: typed(getattr(default, name))
        for name in ("stride", "padding", "dilation")
        if getattr(settings, name) == getattr(default, name)
    }


def _bias(
    settings: LayerSettings, layer: Conv2d, named: NamedFilters, *, given: Sequence[int]
) -> Floats | None:
    """Return the bias that the user typed, the one stored with the kernels, or that of the new layer."""
    if not layer.bias:
        return None
    if settings.bias_values is not None:
        return np.array(settings.bias_values, np.float32)
    of_layer = seeded(layer, settings.seed).bias if settings.bias else None
    bias = np.zeros(layer.out_channels, np.float32) if of_layer is None else of_layer.copy()
    if named.bias is not None:
        bias[list(given)] = named.bias
    return bias


def _told_of_seeded(settings: LayerSettings, layer: Conv2d, given: Sequence[int]) -> str:
    """Describe the filters without a given kernel, and their bias."""
    others = layer.out_channels - len(given)
    which = "the other filter is that" if others == 1 else f"the other {others:,} filters are those"
    if settings.bias_values is not None:
        bias = ""
    elif not layer.bias:
        bias = ", without its bias" + ("" if settings.bias is False else " (--bias adds it)")
    else:
        bias = ", with its bias" if settings.bias else ", with bias 0"
    return f"{which} of a new layer (seed {settings.seed}){bias}"


def _lay_out(
    asked: Sequence[NamedFilter], layer: Conv2d, channels: Sequence[str], *, seed: int
) -> tuple[Floats, tuple[str, ...], list[int]]:
    """Place every kernel in the weight of `layer`, group by group as torch orders its filters.

    Returns the weight, the names of all filters, and the places of the filters with a kernel. If there are
    more filters than kernels, the filters with a kernel come first: first of all filters, or first in each
    group if the kernels apply to every group.
    """
    filters, depth, kh, kw = layer.weight_shape
    flat = [item.values.ndim == 2 for item in asked]
    if layer.groups > 1 and any(flat) and not all(flat):
        raise SpecError("with groups, 2-D kernels and kernels with channels of their own cannot be mixed.")
    groups = layer.groups if all(flat) else 1
    rows = {
        group * filters // groups + index: (group, item)
        for group in range(groups)
        for index, item in enumerate(asked)
    }
    if len(rows) == filters:
        weight = np.zeros(layer.weight_shape, np.float64)
    else:
        weight = seeded(layer, seed).weight.astype(np.float64)
    names = list(map_names(filters))
    for row, (group, item) in rows.items():
        weight[row] = 0
        top, left = (kh - item.size.h) // 2, (kw - item.size.w) // 2
        place = weight[row, :, top : top + item.size.h, left : left + item.size.w]
        name = item.name
        if item.channel is not None:
            if layer.groups > 1:
                raise SpecError(
                    "a kernel for one channel (@) needs groups to be 1; groups already part the channels."
                )
            if item.channel >= depth:
                raise SpecError(f"{item.name}: {_without(item.channel, depth, channels)}.")
            place = place[item.channel]
            name += f" @{channels[item.channel] if channels else item.channel}"
        elif item.values.ndim == 3 and item.values.shape[0] != depth:
            raise SpecError(
                f"{in_quotes(item.name)} has kernels for {plural(item.values.shape[0], 'channel')}, "
                f"but a filter of this layer reads {depth}."
            )
        elif layer.groups > 1 and all(flat):
            name += f" @{channels[group]}" if depth == 1 and channels else f" group {group}"
        place[...] = item.values
        names[row] = name
    with np.errstate(over="ignore"):  # LayerWeights refuses values that do not fit
        return weight.astype(np.float32), tuple(names), list(rows)


def _without(index: int, depth: int, channels: Sequence[str]) -> str:
    """Say that an input has no channel of this index, and which option reads one from a picture.

    Examples
    --------
    >>> _without(3, 3, RGB)
    'there is no alpha channel, only R, G and B; --mode rgba keeps that of a picture'
    >>> _without(1, 1, GRAY)
    'there is no channel G, only gray; --mode rgb reads a picture in colour'
    """
    if tuple(channels) not in (GRAY, RGB) or index >= len(RGBA):
        return f"there is no channel {index}; the input has {depth}"
    if RGBA[index] == "A":
        return f"there is no alpha channel, only {listed(channels)}; --mode rgba keeps that of a picture"
    return f"there is no channel {RGBA[index]}, only {listed(channels)}; --mode rgb reads a picture in colour"


def layer_of_kernels(*kernels: str, in_channels: int = 3, **options: Any) -> tuple[Conv2d, LayerWeights]:
    """Make a layer from named kernels, literal values or files.

    Parameters
    ----------
    *kernels : str
        Values of the option ``--kernel``, such as ``"sobel-x"`` or ``"1 2 1; 2 4 2; 1 2 1 / 16"``.
    in_channels : int
        The number of channels of the input.
    **options
        Fields of `LayerSettings`, such as ``padding`` or ``flip``.

    Returns
    -------
    layer : Conv2d
        The layer; it makes one map per kernel (and group).
    weights : LayerWeights
        Its numbers.

    Raises
    ------
    SpecError, UnknownNameError, InputError
        If a kernel cannot be used, or the options contradict the kernels.

    Examples
    --------
    >>> layer, weights = layer_of_kernels("sobel", padding=1)
    >>> layer, weights.names
    (Conv2d(3, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False), ('sobel-x', 'sobel-y'))
    """
    fields: dict[str, Any] = dict(options)
    for name in ("kernel_size", "stride", "dilation"):
        if name in fields:
            fields[name] = HW.of(fields[name])
    if "padding" in fields:
        fields["padding"] = as_padding(fields["padding"])
    requests = tuple(parse_request(text) for text in kernels)
    layer, weights, _ = build(LayerSettings(**fields, kernel=requests), in_channels)
    return layer, weights
