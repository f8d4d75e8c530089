"""Receptive fields in a torch module, found from the operations that torch runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from convviz.compute.networks import reaches
from convviz.compute.networks.reaches import NOWHERE, Field, Operand, Unclear
from convviz.errors import ConvvizError
from convviz.spec.geometry import HW
from convviz.spec.layers import AdaptiveAvgPool2d, Conv2d, ConvTranspose2d, Layer, Upsample


class Fields:
    """The receptive fields of the tensors that a module makes while it runs.

    It does not hold tensors that do not depend on the picture.
    """

    def __init__(self) -> None:
        self._known: Any = WeakTensorKeyDictionary()
        # Tensors of which a part was overwritten, by memory address; kept so that no other tensor gets the
        # same address.
        self._torn: dict[int, torch.Tensor] = {}

    def begin(self, image: torch.Tensor) -> None:
        """Start from the picture, (1, C, H, W)."""
        self._known[image] = reaches.picture(2, 3)

    def of(self, tensor: torch.Tensor) -> Field | None:
        """Return the field of a tensor; None if the tensor does not depend on the picture."""
        found: Field | None = self._known.get(tensor)
        torn = found is None and self._torn and _address(tensor) in self._torn
        return NOWHERE if torn else found

    def follow(self, func: Any, given: tuple[Sequence[Any], Mapping[str, Any]], made: Any) -> None:
        """Follow one operation that torch ran, with its positional and named arguments."""
        call = _Call(self, func, given, made=made)
        written = [
            one
            for argument in func._schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
            for one in _tensors(call.given[argument.name])
        ]
        found: Field | Sequence[Field | None] | None = None
        if call.read and not call.name.startswith(_INDEPENDENT) and not call.name.endswith("_like"):
            found = _followed(call)
        outputs = _tensors(made)
        fields = [found] * len(outputs) if isinstance(found, Field | None) else found
        for tensor, field in zip(outputs, fields, strict=False):
            if any(tensor is one for one in written):
                self._overwrite(tensor, field)
            elif field is not None:
                self._known[tensor] = field
        for tensor in written:
            if not any(tensor is one for one in outputs):
                self._overwrite(tensor, NOWHERE if call.read else None)

    def _overwrite(self, tensor: torch.Tensor, field: Field | None) -> None:
        """Record the new field of a tensor, and that tensors in the same memory changed with it."""
        before, address = self.of(tensor), _address(tensor)
        if field == before:
            return
        for other in list(self._known):
            if other is not tensor and _address(other) == address:
                self._known[other] = NOWHERE
        self._known[tensor] = field
        # If the tensor saw the picture before, all its views are known already.
        if before is None and address:
            self._torn[address] = tensor


def _address(tensor: torch.Tensor) -> int:
    """Return the memory address of a tensor; 0 if it does not have a single one."""
    if tensor.layout != torch.strided:
        return 0
    try:
        return tensor.untyped_storage().data_ptr()
    except NotImplementedError:  # a tensor that represents several
        return 0


def _tensors(value: Any) -> list[torch.Tensor]:
    """List the tensors in an argument or a result of an operation."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [one for one in value if isinstance(one, torch.Tensor)] if isinstance(value, list | tuple) else []


class _Call:
    """One operation that torch ran, with its arguments by name."""

    def __init__(
        self, fields: Fields, func: Any, given: tuple[Sequence[Any], Mapping[str, Any]], *, made: Any
    ) -> None:
        arguments = func._schema.arguments
        self.func = func
        self.name: str = func._schema.name.partition("::")[2]
        self.given: dict[str, Any] = {one.name: one.default_value for one in arguments}
        self.given |= dict(zip(self.given, given[0], strict=False)) | dict(given[1])
        self.made: list[torch.Tensor] = _tensors(made)
        self._fields = fields
        self.read = [one for value in self.given.values() for one in self._operands(value)]

    def _operands(self, value: Any) -> list[Operand]:
        """List the tensors of an argument that depend on the picture."""
        return [
            Operand(field, tuple(one.shape))
            for one in _tensors(value)
            if (field := self._fields.of(one)) is not None
        ]

    def operand(self, name: str) -> Operand | None:
        """Return an argument if it depends on the picture."""
        found = self._operands(self.given[name])
        return found[0] if found else None

    @property
    def first(self) -> Operand:
        """The first argument, which must be the only one that depends on the picture."""
        found = self._operands(next(iter(self.given.values())))
        if len(found) != 1 or len(self.read) > 1:
            raise Unclear
        return found[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first result."""
        return tuple(self.made[0].shape)


_Rule = Callable[[_Call], Field | list[Field | None]]


def _followed(call: _Call) -> Field | list[Field | None]:
    """Follow one operation by its rule; without a rule, its field is not defined."""
    default = _elementwise if torch.Tag.pointwise in call.func.tags else _unclear
    rule = _RULES.get(call.name, default) if call.func.namespace == "aten" else _unclear
    try:
        return rule(call)
    except (Unclear, ConvvizError):
        return reaches.unknown(call.read)


def _pair(value: Any) -> HW:
    """Take one or two numbers as height and width."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    if len(numbers) not in (1, 2):
        raise Unclear
    return HW(numbers[0], numbers[-1])


def _unclear(call: _Call) -> Field:
    raise Unclear


def _elementwise(call: _Call) -> Field:
    return reaches.elementwise(call.read, call.shape)


def _copy(call: _Call) -> Field | list[Field | None]:
    source = call.operand("src")
    return [None] if source is None else reaches.elementwise([source], call.shape)


def _fill(call: _Call) -> list[Field | None]:
    return [None]


def _conv(call: _Call) -> Field:
    kernel, transposed = call.given["weight"].shape[2:], call.given["transposed"]
    stride, padding, dilation = (_pair(call.given[name]) for name in ("stride", "padding", "dilation"))
    if len(kernel) != 2:
        raise Unclear
    kind = ConvTranspose2d if transposed else Conv2d
    layer: Layer = kind(1, 1, HW(*kernel), stride=stride, padding=padding, dilation=dilation)
    return reaches.windowed(call.first, layer, summed=call.given["groups"] == 1)


def _pool(call: _Call) -> Field:
    kernel = _pair(call.given["kernel_size"])
    stride = _pair(call.given["stride"]) if call.given["stride"] else kernel
    padding, dilation = _pair(call.given["padding"]), _pair(call.given.get("dilation", 1))
    return reaches.windowed(call.first, Conv2d(1, 1, kernel, stride, padding, dilation))


def _adaptive_pool(call: _Call) -> Field:
    return reaches.windowed(call.first, AdaptiveAvgPool2d(_pair(call.given["output_size"])))


def _axes(call: _Call) -> Sequence[int]:
    """Return the axes that an operation works on; all axes if it does not name them."""
    dim = call.given.get("dim")
    if dim is None or dim == []:
        return range(len(call.first.shape))
    return dim if isinstance(dim, list | tuple) else [dim]


def _reduce(call: _Call) -> Field:
    if "other" in call.given:  # the maximum of two arrays
        return _elementwise(call)
    return reaches.reduced(call.first, _axes(call), kept=bool(call.given.get("keepdim")))


def _mix(call: _Call) -> Field:
    return reaches.mixed(call.first, _axes(call))


def _layer_norm(call: _Call) -> Field:
    count = len(call.first.shape)
    return reaches.mixed(call.first, range(count - len(call.given["normalized_shape"]), count))


def _group_norm(call: _Call) -> Field:
    if 1 in (one.axis for one in call.first.field):
        raise Unclear
    return reaches.mixed(call.first, range(2, len(call.first.shape)))


def _batch_norm(call: _Call) -> Field:
    if call.given.get("training"):
        return reaches.mixed(call.first, [axis for axis in range(len(call.first.shape)) if axis != 1])
    return call.first.field


def _glu(call: _Call) -> Field:
    x = call.first
    if call.given["dim"] % len(x.shape) in (one.axis for one in x.field):
        raise Unclear
    return x.field


def _cat(call: _Call) -> Field:
    return reaches.concatenated(call.read, call.given["dim"])


def _split(call: _Call) -> list[Field | None]:
    axis, start, found = call.given["dim"], 0, []
    for part in call.made:
        found.append(reaches.sliced(call.first, axis, part.shape[axis], start=start))
        start += part.shape[axis]
    return [*found]


def _slice(call: _Call) -> Field:
    axis, start = call.given["dim"], call.given["start"] or 0
    n = call.first.shape[axis]
    begin = min(max(start + n if start < 0 else start, 0), n)
    return reaches.sliced(call.first, axis, call.shape[axis], start=begin, step=call.given["step"])


def _select(call: _Call) -> Field:
    return reaches.selected(call.first, call.given["dim"])


def _pad(call: _Call) -> Field:
    count = len(call.first.shape)
    pads = list(call.given["pad" if "pad" in call.given else "padding"])
    before, after = [0] * count, [0] * count
    for at in range(len(pads) // 2):  # from the last axis to the first
        before[count - 1 - at], after[count - 1 - at] = pads[2 * at], pads[2 * at + 1]
    return reaches.padded(call.first, before, after)


def _upsample(call: _Call) -> Field:
    sides = list(zip(call.first.shape[-2:], call.shape[-2:], strict=True))
    factors = [after // n for n, after in sides]
    if [n * factor for (n, _), factor in zip(sides, factors, strict=True)] != [after for _, after in sides]:
        raise Unclear
    given = call.given.get("scale_factors") or [call.given.get(name) for name in ("scales_h", "scales_w")]
    if call.given.get("align_corners") or any(
        scale not in (None, factor) for scale, factor in zip(given, factors, strict=True)
    ):
        raise Unclear
    mode = "bilinear" if "bilinear" in call.name else "nearest"
    return reaches.windowed(call.first, Upsample(HW(*factors), mode))


def _shuffle(call: _Call) -> Field:
    return reaches.windowed(call.first, Upsample(call.given["upscale_factor"]))


def _unshuffle(call: _Call) -> Field:
    factor = call.given["downscale_factor"]
    return reaches.windowed(call.first, Conv2d(1, 1, factor, factor))


def _view(call: _Call) -> Field:
    return reaches.reshaped(call.first, call.shape)


def _permute(call: _Call) -> Field:
    return reaches.permuted(call.first, call.given["dims"])


def _transpose(call: _Call) -> Field:
    order = list(range(len(call.first.shape)))
    first, second = (call.given[name] for name in ("dim0", "dim1")) if "dim0" in call.given else (-1, 0)
    if len(order) > 1:
        order[first], order[second] = order[second], order[first]
    return reaches.permuted(call.first, order)


def _product(call: _Call) -> Field:
    first, second = _FACTORS[call.name]
    made = reaches.product(call.operand(first), call.operand(second), call.shape)
    added = call.operand("self") if first != "self" else None
    parts = [Operand(made, call.shape)] if call.operand(first) or call.operand(second) else []
    return reaches.elementwise([*parts, *([added] if added else [])], call.shape)


def _linear(call: _Call) -> Field:
    if len(call.read) > 1:
        raise Unclear
    return reaches.product(call.first, None, call.shape)


# The arguments that are multiplied; all others are added.
_FACTORS = {
    "mm": ("self", "mat2"),
    "bmm": ("self", "mat2"),
    "matmul": ("self", "other"),
    "addmm": ("mat1", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}
# The results of these take their shape from the input, but none of its values.
_INDEPENDENT = ("new_", "empty")

_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(
        (
            *(
                "hardswish",
                "hardswish_",
                "_prelu_kernel",
                "masked_fill",
                "masked_fill_",
                "log_sigmoid_forward",
            ),
            *(
                "_to_copy",
                "alias",
                "clone",
                "contiguous",
                "detach",
                "dropout",
                "expand",
                "lift_fresh",
                "rsub",
            ),
            *("add", "add_", "where", "channel_shuffle", "native_channel_shuffle", "dequantize"),
        ),
        _elementwise,
    ),
    **dict.fromkeys(("fill_", "zero_"), _fill),
    **dict.fromkeys(("max_pool2d", "max_pool2d_with_indices", "avg_pool2d"), _pool),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"), _adaptive_pool),
    **dict.fromkeys(
        (
            *(
                "mean",
                "sum",
                "amax",
                "amin",
                "max",
                "min",
                "argmax",
                "argmin",
                "prod",
                "var",
                "std",
                "logsumexp",
            ),
            *("linalg_vector_norm", "norm"),
        ),
        _reduce,
    ),
    **dict.fromkeys(("_softmax", "_log_softmax", "_safe_softmax", "softmax"), _mix),
    **dict.fromkeys(
        (
            *("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"),
            *("cudnn_batch_norm", "_batch_norm_no_update"),
        ),
        _batch_norm,
    ),
    **dict.fromkeys(("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"), _split),
    **dict.fromkeys(("constant_pad_nd", "reflection_pad2d", "replication_pad2d"), _pad),
    **dict.fromkeys(("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d"), _upsample),
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "squeeze", "unsqueeze"), _view
    ),
    **dict.fromkeys(("transpose", "t"), _transpose),
    **dict.fromkeys(_FACTORS, _product),
    "cat": _cat,
    **dict.fromkeys(("_convolution", "convolution"), _conv),
    "copy_": _copy,
    "glu": _glu,
    "linear": _linear,
    "native_group_norm": _group_norm,
    "native_layer_norm": _layer_norm,
    "permute": _permute,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _unshuffle,
    "select": _select,
    "slice": _slice,
    "unbind": _select,
}
