"""Tabulate the layers of a network."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.table import Table

from convviz.compute.networks.engine import NetworkStep
from convviz.compute.survey import summed_up
from convviz.files.checkpoints import StoredLayer
from convviz.render.words.tables import bare_table, leave_out
from convviz.spec.geometry import HW
from convviz.spec.layers import Shape, as_padding
from convviz.spec.network import SizedStep
from convviz.spec.settings import typed
from convviz.text import amount, number, plural, printable

if TYPE_CHECKING:
    from convviz.spec.reach import Reach

Row = Mapping[str, float]

# The columns to leave out, in this order, in a narrow terminal; a network keeps its names and shapes.
_LEFT_OUT = ("centre", "begins", "padding", "kernel", "stride", "every", "memory", "field", "MACs")
_STORED_LEFT_OUT = (
    *("mean", "dilation", "std", "groups", "max", "min", "padding", "stride", "bias"),
    *("parameters", "inf", "nan"),
)
_NAMES = ("min", "max", "mean", "std")
_NOT_FINITE = ("nan", "inf")
_GAP = 3  # characters between two columns


def network_table(steps: Sequence[SizedStep], *, width: int) -> Table:
    """Tabulate every layer: shape, windows, parameters, MACs, memory, and receptive field.

    Parameters
    ----------
    steps : sequence of SizedStep
        The layers.
    width : int
        Characters per line; columns that do not fit are left out whole.

    Returns
    -------
    rich.table.Table
        A row per layer.
    """
    columns = {
        "layer": [one.name for one in steps],
        "output": ["x".join(map(str, one.output_shape)) for one in steps],
        **{
            heading: [_argument(getattr(one.layer, name, None)) for one in steps]
            for heading, name in (("kernel", "kernel_size"), ("stride", "stride"), ("padding", "padding"))
        },
        "parameters": [f"{one.layer.parameters:,}" for one in steps],
        "MACs": [f"{one.macs:,}" for one in steps],
        "memory": [amount(4 * math.prod(one.output_shape)) for one in steps],
        "field": [_axes(one, lambda reach: str(reach.size)) for one in steps],
        "every": [_axes(one, lambda reach: number(float(reach.jump))) for one in steps],
        "begins": [_axes(one, lambda reach: str(-reach.padding)) for one in steps],
        "centre": [_axes(one, lambda reach: number(float(reach.centre))) for one in steps],
    }
    return _fitting(columns, _LEFT_OUT, width)


def steps_table(steps: Sequence[NetworkStep], *, width: int) -> Table:
    """Tabulate the steps of a network: name, kind, shapes, parameters, MACs, receptive field.

    Parameters
    ----------
    steps : sequence of NetworkStep
        The steps.
    width : int
        Characters per line; columns that do not fit are left out whole.

    Returns
    -------
    rich.table.Table
        A row per step.
    """
    columns = {
        "layer": [one.name for one in steps],
        "kind": [one.kind for one in steps],
        "input": [", ".join(_shape(shape) for shape in one.input_shapes) for one in steps],
        "output": [_shape(one.output_shape) for one in steps],
        "parameters": [f"{one.parameters:,}" for one in steps],
        "MACs": ["not defined" if one.macs is None else f"{one.macs:,}" for one in steps],
        "field": [_axes(one, lambda reach: str(reach.size)) for one in steps],
    }
    return _fitting(columns, ("input", "field", "MACs", "parameters"), width)


def _shape(shape: Shape | None) -> str:
    """Write a shape; the shape of a single number is empty."""
    return "?" if shape is None else "x".join(map(str, shape)) or "1"


def step_document(one: NetworkStep) -> dict[str, Any]:
    """Return one step of a network as plain values."""
    return {
        "name": one.name,
        "kind": one.kind,
        "layer": one.described,
        "convolution": one.convolution or None,
        "inputs": list(one.inputs),
        "input_shapes": [None if shape is None else list(shape) for shape in one.input_shapes],
        "output_shape": None if one.output_shape is None else list(one.output_shape),
        "parameters": one.parameters,
        "macs": one.macs,
        "receptive_field": _plain(one, "size"),
        "remark": one.remark or None,
    }


def step_lines(one: NetworkStep, arithmetic: Sequence[str] = ()) -> list[str]:
    r"""Write one step of a network as lines: shapes, parameters, MACs, and receptive field in the picture.

    Parameters
    ----------
    one : NetworkStep
        The step.
    arithmetic : sequence of str
        The lines of `shape_report`, if it is a convolution; they take the place of shapes and costs.

    Examples
    --------
    >>> step = NetworkStep("pool", "MaxPool2d", ((8, 6, 6),), (8, 3, 3), whole=True)
    >>> print(*step_lines(step), sep="\n")
    layer pool: MaxPool2d
    input   8x6x6
    output  8x3x3
    parameters: 0
    MACs: 0
    receptive field in the picture: all of it
    """
    costs = [
        f"input   {', '.join(map(_shape, one.input_shapes)) or 'not known'}",
        f"output  {_shape(one.output_shape)}",
        f"parameters: {one.parameters:,}",
        f"MACs: {'not defined' if one.macs is None else f'{one.macs:,}'}",
    ]
    if one.height is None or one.width is None:
        field = "all of it" if one.whole else "not defined"
    else:
        size = HW(one.height.size, one.width.size)
        field = f"{size} pixels, one every {_axes(one, lambda reach: number(float(reach.jump)))} pixels"
    remarks = [f"remark: {one.remark}"] if one.remark else []
    head = f"layer {one.name}" if arithmetic else f"layer {one.name}: {one.described}"
    return [head, *(arithmetic or costs), f"receptive field in the picture: {field}", *remarks]


def _fitting(columns: dict[str, list[str]], left_out: Sequence[str], width: int) -> Table:
    """Make a table without the columns that do not fit, and name these columns in it."""
    widths = {
        heading: max(cell_len(printable(word)) for word in (heading, *cells)) + _GAP
        for heading, cells in columns.items()
    }
    gone = []
    for heading in left_out:
        if heading in columns and sum(widths.values()) - _GAP > width:
            del columns[heading], widths[heading]
            gone.append(heading)
    found = bare_table(*columns)
    leave_out(found, gone)
    for row in zip(*columns.values(), strict=True):
        found.add_row(*row)
    return found


def stored_table(stored: Sequence[StoredLayer], rows: Sequence[Row], *, width: int) -> Table:
    """Tabulate the convolutions of a file of weights.

    Parameters
    ----------
    stored : sequence of StoredLayer
        The layers.
    rows : sequence of dict
        The result of `statistics_of` for each layer.
    width : int
        Characters per line; columns that do not fit are left out whole.

    Returns
    -------
    rich.table.Table
        A row per layer: name, its type if it is transposed, weight as stored (O x I/groups x kh x kw;
        transposed I x O/groups x kh x kw), stride and padding as far as the file gives
        them, parameters, and statistics of the weights. If some values are not finite, the row
        also counts these weights and biases, and the statistics cover the finite weights.
    """
    columns = {
        "layer": [layer.name for layer in stored],
        **({"type": [layer.type for layer in stored]} if any(one.transposed for one in stored) else {}),
        "weight": ["x".join(map(str, layer.weight.shape)) for layer in stored],
        "bias": ["no" if layer.bias is None else "yes" for layer in stored],
        **{
            heading: [_stored_argument(layer, heading) for layer in stored]
            for heading in ("stride", "padding", "dilation", "groups")
            if any(heading in layer.arguments for layer in stored)
        },
        "parameters": [f"{layer.parameters:,}" for layer in stored],
        **{name: [_cell(row[name]) for row in rows] for name in _NAMES},
        **{
            name: [f"{row[name]:,}" for row in rows] for name in _NOT_FINITE if any(row[name] for row in rows)
        },
    }
    return _fitting(columns, _STORED_LEFT_OUT, width)


def not_finite(rows: Sequence[Row]) -> str:
    """Count the values of the layers that are not finite, and describe what the statistics then cover."""
    nan, infinite = (sum(int(row[name]) for row in rows) for name in _NOT_FINITE)
    if not nan + infinite:
        return ""
    layers = sum(1 for row in rows if any(row[name] for name in _NOT_FINITE))
    return (
        f"not finite: {nan:,} NaN and {infinite:,} infinite in {plural(layers, 'layer')}; "
        "min, max, mean and std are those of the finite weights"
    )


def statistics_of(layer: StoredLayer) -> Row:
    """Summarize the weights of a layer, and count the weights and biases that are not finite."""
    weight = summed_up(layer.weight)
    both = [weight] if layer.bias is None else [weight, summed_up(layer.bias)]
    counts = sum(one.nan for one in both), sum(one.infinite for one in both)
    values = (weight.low, weight.high, weight.mean, weight.std, *counts)
    return dict(zip((*_NAMES, *_NOT_FINITE), values, strict=True))


def _cell(value: float) -> str:
    """Write a statistic; it is empty if there are no finite numbers."""
    return "-" if math.isnan(value) else number(value)


def _stored_argument(layer: StoredLayer, name: str) -> str:
    """Write one argument from a file, or its default."""
    value = layer.arguments.get(name, 0 if name == "padding" else 1)
    if name == "padding":
        return typed(as_padding(value))
    return typed(HW.of(value)) if isinstance(value, tuple) else str(value)


def stored_document(layer: StoredLayer, row: Row) -> dict[str, Any]:
    """Return one layer of a file as plain values."""
    # JSON cannot express infinity.
    values = {name: value if math.isfinite(value) else None for name, value in row.items()}
    return {
        "name": layer.name,
        "type": layer.type,
        "weight_shape": list(layer.weight.shape),
        "bias": layer.bias is not None,
        "parameters": layer.parameters,
        **values,
        "arguments": dict(layer.arguments),
    }


def network_lines(steps: Sequence[SizedStep]) -> list[str]:
    """Write the totals of all layers, and the meaning of the columns."""
    parameters = sum(one.layer.parameters for one in steps)
    outputs = [4 * math.prod(one.output_shape) for one in steps]
    return [
        f"{plural(len(steps), 'layer')}: {plural(parameters, 'parameter')}, {amount(4 * parameters)} "
        f"as float32; {sum(one.macs for one in steps):,} MACs",
        f"outputs: {amount(sum(outputs))} as float32 in all, the largest {amount(max(outputs))}",
        "field: input pixels that one value depends on; every: pixels between the fields of neighbours;",
        "begins, centre: first pixel of the field of the first value, and its centre; below 0 is padding",
    ]


def _axes(one: SizedStep | NetworkStep, write: Any) -> str:
    """Write a number for both axes, or once if they agree."""
    if one.height is None or one.width is None:
        return "all" if one.whole else "-"
    height, width = write(one.height), write(one.width)
    return height if height == width else f"{height}x{width}"


def _argument(value: Any) -> str:
    """Write an argument of a layer as a user would type it."""
    return "" if value is None else typed(value)


def document(steps: Sequence[SizedStep]) -> list[dict[str, Any]]:
    """Return every layer as plain values."""
    return [
        {
            "name": one.name,
            "layer": repr(one.layer),
            "inputs": list(one.inputs),
            "output_shape": list(one.output_shape),
            "parameters": one.layer.parameters,
            "macs": one.macs,
            "bytes": 4 * math.prod(one.output_shape),
            "receptive_field": _plain(one, "size"),
            "effective_stride": _plain(one, "jump"),
            "effective_padding": _plain(one, "padding"),
            "centre": _plain(one, "centre"),
        }
        for one in steps
    ]


def _plain(one: SizedStep | NetworkStep, name: str) -> list[float] | None:
    """Return a number for both axes."""
    reaches: list[Reach | None] = [one.height, one.width]
    return None if None in reaches else [float(getattr(reach, name)) for reach in reaches]
