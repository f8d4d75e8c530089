"""Write the shape arithmetic in words and numbers."""

from collections.abc import Sequence

from convviz.spec.geometry import HW, Axis, padding_shares
from convviz.spec.layers import Conv2d
from convviz.text import amount, number, plural

# The most kernel values of all windows together to check one by one.
_MOST_LISTED = 1_000_000


def formula(name: str, axis: Axis) -> list[str]:
    r"""Write the shape calculation of one axis with its numbers.

    Examples
    --------
    >>> print(*formula("height", Axis(6, 3, 2, 1, 1, 1)), sep="\n")
    height: floor((i + 2p - d(k - 1) - 1) / s) + 1
          = floor((6 + 2*1 - 1*(3 - 1) - 1) / 2) + 1
          = floor(5 / 2) + 1 = 2 + 1 = 3
    """
    lead = " " * len(name)
    symbols, filled = (
        ("2p", f"2*{axis.before}")
        if axis.before == axis.after
        else (
            "p_before + p_after",
            f"{axis.before} + {axis.after}",
        )
    )
    room = axis.padded - axis.span
    return [
        f"{name}: floor((i + {symbols} - d(k - 1) - 1) / s) + 1",
        f"{lead}= floor(({axis.input} + {filled} - {axis.dilation}*({axis.kernel} - 1) - 1)"
        f" / {axis.stride}) + 1",
        f"{lead}= floor({room} / {axis.stride}) + 1 = {room // axis.stride} + 1 = {axis.output}",
    ]


def indices(found: Sequence[int]) -> str:
    """Write increasing indices; neighbours become a range, and the middle of many is left out.

    Examples
    --------
    >>> indices([4, 5, 6, 9]), indices([])
    ('4-6, 9', 'none')
    """
    runs: list[list[int]] = []
    for index in found:
        if runs and runs[-1][-1] == index - 1:
            runs[-1] = [runs[-1][0], index]
        else:
            runs.append([index, index])
    words = [str(low) if low == high else f"{low}-{high}" for low, high in runs]
    if len(words) > 8:
        words = [*words[:4], f"… ({len(words) - 6} more) …", *words[-2:]]
    return ", ".join(words) or "none"


def never_read(axis: Axis) -> tuple[int, ...] | None:
    """List the rows or columns of the input that no window reads; None if this would take minutes.

    Examples
    --------
    >>> never_read(Axis(input=7, kernel=1, stride=3, dilation=1, before=0, after=0))
    (1, 2, 4, 5)
    """
    leaps = axis.dilation > 1 or axis.stride > axis.kernel
    if leaps and max(axis.input, axis.output * axis.kernel) > _MOST_LISTED:
        return None
    return axis.skipped


def _skipped(axis: Axis) -> str:
    """List the pixels that no window reads."""
    found = never_read(axis)
    return "not listed: too many" if found is None else indices(found)


def short_formula(axis: Axis) -> str:
    """Write the shape calculation of one axis in one line, with its numbers.

    Examples
    --------
    >>> short_formula(Axis(6, 3, 2, 1, 1, 1)), short_formula(Axis(7, 3, 2, 2, 1, 0))
    ('floor((6 + 2*1 - 3) / 2) + 1 = 3', 'floor((7 + 1 + 0 - (2*(3 - 1) + 1)) / 2) + 1 = 2')
    """
    padding = f" + {axis.before} + {axis.after}" if axis.before or axis.after else ""
    if axis.before == axis.after != 0:
        padding = f" + 2*{axis.before}"
    window = f"{axis.kernel}" if axis.dilation == 1 else f"({axis.dilation}*({axis.kernel} - 1) + 1)"
    quotient = f"({axis.input}{padding} - {window}) / {axis.stride}"
    if (axis.padded - axis.span) % axis.stride:
        quotient = f"floor({quotient})"
    return f"{quotient} + 1 = {axis.output}"


def shape_line(layer: Conv2d, size: HW) -> str:
    """Write the shapes of input and output, and how height and width are calculated.

    Examples
    --------
    >>> shape_line(Conv2d(3, 6, 3, padding=1), HW(512, 512))
    'shape: 3x512x512 -> 6x512x512, height and width (512 + 2*1 - 3) / 1 + 1 = 512'
    """
    height, width = map(short_formula, layer.axes(size))
    told = f"height and width {height}" if height == width else f"height {height}, width {width}"
    shapes = f"{layer.in_channels}x{size} -> {layer.out_channels}x{layer.output_size(size)}"
    return f"shape: {shapes}, {told}"


def parameter_line(layer: Conv2d) -> str:
    """Write the number of parameters, and its calculation."""
    bias = f" + {plural(layer.bias_parameters, 'bias')}" if layer.bias else ", no bias"
    weights = "weight" if layer.weight_parameters == 1 else "weights"
    return f"parameters: {layer.parameters:,} = {' x '.join(map(str, layer.weight_shape))} {weights}{bias}"


def cost_lines(layer: Conv2d, size: HW) -> list[str]:
    """Write MACs and memory, each with its calculation."""
    output = layer.output_size(size)
    macs = layer.macs((layer.in_channels, *size))
    positions = "position" if output.h * output.w == 1 else "positions"
    values_count = layer.out_channels * output.h * output.w
    return [
        f"MACs: {macs:,} = {plural(layer.weight_parameters, 'weight')} x {output.h} x {output.w}"
        f" {positions} (the bias is not counted, products with padding are)",
        f"maps: {plural(values_count, 'value')}, {amount(4 * values_count)} as float32",
    ]


def group_map(layer: Conv2d, size: HW, channels: Sequence[str], *, names: Sequence[str]) -> list[str]:
    r"""Write which channels feed which maps, and how much this saves compared with one group.

    Parameters
    ----------
    layer : Conv2d
        The layer.
    size : HW
        Size of the input, in pixels.
    channels, names : sequence of str
        The names of the channels and of the maps.

    Returns
    -------
    list of str
        One line per group, and one for the savings.

    Examples
    --------
    >>> print(*group_map(Conv2d(2, 2, 3, groups=2), HW(4, 4), "RG", names=("a", "b")), sep="\n")
    group 0: channel R -> map a
    group 1: channel G -> map b
    saved: 18 weights instead of 36, 72 MACs instead of 144
    """
    maps = layer.out_channels // layer.groups
    lines = []
    for group in range(layer.groups):
        read = [channels[channel] for channel in layer.channels_of(group * maps)]
        made = names[group * maps : (group + 1) * maps]
        lines.append(f"group {group}: {_some('channel', read)} -> {_some('map', made)}")
    if layer.groups == 1:
        return [*lines, "one group: every map is made of every channel"]
    weights, macs = layer.weight_parameters, layer.macs((layer.in_channels, *size))
    saved = f"{plural(weights, 'weight')} instead of {weights * layer.groups:,}"
    return [*lines, f"saved: {saved}, {plural(macs, 'MAC')} instead of {macs * layer.groups:,}"]


def _some(noun: str, names: Sequence[str]) -> str:
    """List names after their noun, with the middle of a long list left out."""
    shown = list(names) if len(names) <= 8 else [*names[:4], "…", *names[-2:]]
    # Maps without their own name already use their index.
    words = ", ".join(shown).replace(f"{noun} ", "")
    return f"{noun}{'' if len(names) == 1 else 's'} {words}"


def flip_lines(
    names: Sequence[str], symmetric: Sequence[bool], largest: tuple[float, str, HW] | None
) -> list[str]:
    r"""Write what true convolution changes, and which kernels it cannot change.

    Parameters
    ----------
    names : sequence of str
        The names of the maps.
    symmetric : sequence of bool
        Whether rotation by 180 degrees leaves each filter unchanged.
    largest : (float, str, HW) or None
        The largest difference from cross-correlation, with its map and its position;
        None if every filter is symmetric.

    Examples
    --------
    >>> print(*flip_lines(["box", "ramp"], [True, False], (0.5, "ramp", HW(1, 2))), sep="\n")
    flip: true convolution differs from cross-correlation by 0.5 at most (ramp, row 1, column 2)
    flip: map box stays as it is: its kernels are symmetric under the half turn
    """
    if largest is None:
        return ["flip: every kernel is symmetric under the half turn, so nothing changes"]
    same = [name for name, equal in zip(names, symmetric, strict=True) if equal]
    value, name, at = largest
    lines = [
        f"flip: true convolution differs from cross-correlation by {number(value)} at most "
        f"({name}, row {at.h}, column {at.w})"
    ]
    if same:
        verb, whose = ("stays as it is", "its") if len(same) == 1 else ("stay as they are", "their")
        lines.append(f"flip: {_some('map', same)} {verb}: {whose} kernels are symmetric under the half turn")
    return lines


def padding_line(height: Axis, width: Axis) -> str:
    """Write how much of the work of a layer meets padding."""
    outputs, products = padding_shares(height, width)
    return f"padding: {outputs:.2%} of the outputs touch it, {products:.2%} of the products meet it"


def shape_report(layer: Conv2d, size: HW) -> list[str]:
    """Write all results of the shape arithmetic for a layer, as lines."""
    axes = dict(zip(("height", "width"), layer.axes(size), strict=True))
    output = layer.output_size(size)
    lines = [
        *layer.torch_repr(size).split("\n"),
        layer.sentence,
        "",
        f"input   {layer.in_channels} x {size.h} x {size.w}  (channels x height x width)",
        f"output  {layer.out_channels} x {output.h} x {output.w}",
        "",
    ]
    for name, axis in axes.items():
        lines += formula(name, axis)
    lines.append("")
    for name, axis in axes.items():
        what = "rows" if name == "height" else "columns"
        lines += [
            f"{name}: {axis.padded} {what} with padding ({axis.before} + {axis.input} + {axis.after}); "
            f"one window spans {axis.span} (kernel {axis.kernel}, dilation {axis.dilation})",
            f"{' ' * len(name)}  past the last window: {plural(axis.unread, what[:-1])} of the padded input; "
            f"input {what} never read: {_skipped(axis)}",
        ]
    if any(layer.edges(size)):
        lines += ["", padding_line(*axes.values())]
    filters, channels, kh, kw = layer.weight_shape
    lines += [
        "",
        f"weight  {filters} x {channels} x {kh} x {kw}"
        "  (out_channels x in_channels/groups x kernel height x kernel width)",
        f"bias    {layer.bias_parameters}  (out_channels)" if layer.bias else "bias    none",
        "",
        parameter_line(layer),
        *cost_lines(layer, size),
    ]
    return lines
