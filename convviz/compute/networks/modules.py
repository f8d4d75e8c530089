"""Networks that are torch modules; a hook copies every activation."""

import contextlib
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakTensorKeyDictionary

from convviz.compute.backends.torch_ import limit_threads
from convviz.compute.networks.engine import (
    Activation,
    Convolution,
    Declared,
    Engine,
    Linear,
    NetworkStep,
    ScoreGradients,
    See,
    check_dependent,
    check_memory,
    no_convolution,
    of_last_shape,
    row_of_scores,
    unbatched,
    unbatched_shape,
)
from convviz.compute.networks.foreign import foreign
from convviz.compute.networks.module_reaches import Fields
from convviz.compute.networks.module_weights import as_in_torch, described, effective, layer_of, pooling_of
from convviz.compute.networks.reaches import Told, told
from convviz.errors import ConvvizError, ShapeError, SpecError, UnknownNameError
from convviz.spec.geometry import HW
from convviz.spec.layers import AvgPool2d, MaxPool2d, Shape, shape_text
from convviz.spec.network import INPUT
from convviz.text import listed, printable
from convviz.typing import Floats

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_SOFTMAX = (nn.Softmax, nn.LogSoftmax)
# The warnings of modules that were shown, as Python keeps them to show each only once.
_WARNED: dict[Any, Any] = {}
# The second array that attention makes: how much every token attends to every other one, (heads, T, T).
_WEIGHTS = "[weights]"
_WRAP = "if it reads a tuple or a dict, wrap it in a module that is called with one tensor (1, C, H, W)"


class _Enough(BaseException):  # no error, and no `except Exception` of a module may catch it
    """Everything that the caller wanted is computed."""


@dataclass(slots=True)
class _Call:
    """One call of a module."""

    name: str
    module: nn.Module
    inputs: tuple[Shape | None, ...] = ()
    outputs: dict[str, Shape] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    outer: bool = False
    macs: int = 0


class _Watcher(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types for it
    """Counts the MACs of every torch operation for the innermost running module, follows fields and steps."""

    def __init__(self, running: Sequence[_Call]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self._running = running
        self.fields = Fields()
        # The last steps that each tensor is made of, in order.
        self._steps: Any = WeakTensorKeyDictionary()

    def reads(self, tensors: Sequence[torch.Tensor]) -> tuple[str, ...]:
        """List the steps that tensors are made of."""
        return tuple(dict.fromkeys(name for one in tensors for name in self._steps.get(one, ())))

    def made_by(self, tensor: torch.Tensor, step: str) -> None:
        """Note the step that a tensor is the output of."""
        self._steps[tensor] = (step,)

    def __torch_dispatch__(self, func: Any, types: Any, *given: Any) -> Any:
        args, named = given[0], (given[1] if len(given) > 1 else None) or {}
        made = func(*args, **named)
        count = flop_registry.get(func.overloadpacket)
        if count is not None and self._running:
            # It counts a product and its sum as two operations.
            self._running[-1].macs += int(count(*args, **named, out_val=made)) // 2
        self.fields.follow(func, (args, named), made)
        if steps := self.reads([one for _, one in _tensors((args, named))]):
            self._steps |= {one: steps for _, one in _tensors(made)}
        return made


@contextlib.contextmanager
def _warnings_of_success() -> Iterator[None]:
    """Keep warnings back until the end: if the module fails, an error in one line describes that."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, registry=_WARNED)


class ModuleEngine(Engine):
    """A torch module as a network; `convviz.compute.networks.of_module` describes it."""

    runner = "torch"

    def __init__(self, module: Any, name: str = "") -> None:
        if not isinstance(module, nn.Module):
            raise SpecError(f"a network is a torch.nn.Module, not {type(module).__name__}.")
        if isinstance(module, torch.jit.ScriptModule):
            raise SpecError("a network is a torch.nn.Module, not TorchScript; give the module before that.")
        # A module from torch.compile calls the original module inside it; the compiled code does not call
        # the parts of the original.
        module = getattr(module, "_orig_mod", module)
        self.module: nn.Module = module
        self._name = name or type(module).__name__
        if any(map(is_lazy, itertools.chain(module.parameters(), module.buffers()))):
            raise SpecError(
                f"{self._name} has lazy layers, which draw their weights when they are called first; call it "
                "once with a tensor where it is made."
            )
        # torch has no name for the whole network: take the name of its class.
        self._modules = {inner or type(module).__name__: one for inner, one in module.named_modules()}

    @property
    def name(self) -> str:
        """The name of the network in messages."""
        return self._name

    @property
    def declared(self) -> Declared:
        """The channels that the first convolution reads, if it is the first module with a weight."""
        weighted = (one for one in self._modules.values() if getattr(one, "weight", None) is not None)
        first = next(weighted, None)
        channels = first.in_channels if isinstance(first, nn.Conv2d) else None
        return Declared(channels, dtype=str(self._like.dtype).removeprefix("torch."))

    @property
    def _like(self) -> torch.Tensor:
        """A tensor with the device and the type of the module."""
        for one in itertools.chain(self.module.parameters(), self.module.buffers()):
            if one.is_floating_point():
                if one.is_meta:
                    raise SpecError(
                        f"{self._name} is on the device 'meta', without numbers; load its weights."
                    )
                return one
        return torch.zeros(())

    # --- the steps

    @of_last_shape
    def steps(self, shape: Shape) -> tuple[NetworkStep, ...]:
        """Run the module on zeros, and list every module that it calls, in the order of the calls."""
        calls: list[_Call] = []
        open_: list[_Call] = []
        watcher = _Watcher(open_)

        def before(name: str, module: nn.Module, inputs: Any) -> None:
            if not calls:  # the whole network, which reads the picture
                watcher.fields.begin(_tensors(inputs)[0][1])
                watcher.made_by(_tensors(inputs)[0][1], INPUT)
            for outer in open_:
                outer.outer = True
            given = [one for _, one in _tensors(inputs)]
            shapes = tuple(unbatched_shape(tuple(one.shape)) for one in given)
            open_.append(_Call(name, module, shapes, reads=watcher.reads(given)))
            calls.append(open_[-1])

        def after(name: str, output: Any) -> None:
            call = open_.pop()
            for key, one in self._outputs(name, output):
                shape = call.outputs[key] = unbatched_shape(tuple(one.shape))
                call.told[key] = told(watcher.fields.of(one), one.ndim, shape)
                if not call.outer:
                    watcher.made_by(one, f"{name}{key}")

        # Attention then consists of products that can be counted.
        with sdpa_kernel(SDPBackend.MATH), watcher:
            zeros = np.zeros(shape, np.float32)
            self._run(zeros, list(self._modules), before=before, after=after, attending=True)
        called = {call.module for call in calls}
        counted: set[torch.Tensor] = set()
        convolve = {module for module in called if self._convolves(module)}
        return tuple(one for call in calls for one in _steps_of(call, called, counted, convolve=convolve))

    # --- activations

    def visit(
        self, x: Floats, names: Sequence[str], see: See, *, reads: bool = False, kept: bool = False
    ) -> None:
        """Run the module up to the last wanted step, and copy the outputs of the wanted steps."""
        waiting = dict.fromkeys(names)
        wanted: dict[str, set[str]] = {}
        for name in waiting:
            call = name.partition("[")[0]
            wanted.setdefault(call, set()).add(name)
            if _module_of(call) not in self._modules:
                raise UnknownNameError("layer", name, self._modules)
        read: dict[str, Floats | None] = {}

        def before(name: str, module: nn.Module, inputs: Any) -> None:
            if reads and name in wanted:
                given = _tensors(inputs)
                read[name] = self._copy(given[0][1]) if len(given) == 1 else None

        def after(name: str, output: Any) -> None:
            if name not in wanted:
                return
            for key, tensor in self._outputs(name, output):
                one = f"{name}{key}"
                if name in wanted[name] or one in wanted[name]:
                    see(Activation(one, self._copy(tensor), read.get(name)))
                    waiting.pop(one, None)
            waiting.pop(name, None)
            read.pop(name, None)
            if not waiting:
                raise _Enough

        if waiting:
            modules = sorted({_module_of(one) for one in wanted})
            attending = any(one.endswith(_WEIGHTS) for one in names)
            self._run(x, modules, before=before, after=after, attending=attending)
        for name in waiting:
            raise SpecError(
                f"{self._name} does not compute {printable(name)!r} for an input of {shape_text(x.shape)}; "
                "choose a layer that it calls."
            )

    def _copy(self, tensor: torch.Tensor) -> Floats:
        """Copy an activation before anything changes it in place."""
        check_memory(4 * tensor.numel(), self._name)
        found = tensor.detach()
        found = found.dequantize() if found.is_quantized else found
        if found.is_complex():
            raise SpecError(f"{self._name} gives complex numbers there; choose another layer.")
        return unbatched(found.to_dense().to("cpu", torch.float32).numpy())

    def _run(
        self,
        x: Floats,
        names: Sequence[str],
        *,
        before: Callable[[str, nn.Module, Any], None],
        after: Callable[[str, Any], None],
        attending: bool = False,
    ) -> None:
        """Call the module with hooks on some of its parts, and restore its state afterwards."""
        self._call(self._image(x), names, before=before, after=after, attending=attending)

    def _outputs(self, name: str, output: Any) -> list[tuple[str, torch.Tensor]]:
        """List the arrays that a module returns; of attention, the second one has a name of its own."""
        found = _tensors(output)
        if len(found) == 2 and _is_attention(self._modules[_module_of(name)]):
            return [("", found[0][1]), (_WEIGHTS, found[1][1])]
        return found

    def _image(self, x: Floats) -> torch.Tensor:
        """Turn an input into a batch of one with the type and the device of the module."""
        if x.ndim != 3:
            raise ShapeError(f"a network reads channels (C, H, W), not {shape_text(x.shape)}.")
        like = self._like
        return torch.from_numpy(np.array(x, np.float32))[None].to(like.device, like.dtype)

    def _call(
        self,
        image: torch.Tensor,
        names: Sequence[str],
        *,
        before: Callable[[str, nn.Module, Any], None],
        after: Callable[[str, Any], None],
        derive: bool = False,
        attending: bool = False,
    ) -> None:
        """Do what `_run` does, with gradients, and with the weights of attention, if they are wanted."""
        counts: dict[str, int] = {}
        running: list[str] = []
        unasked: set[str] = set()
        by_module: dict[nn.Module, str] = {}
        for name in names:
            by_module.setdefault(self._modules[name], name)

        def entered(module: nn.Module, inputs: Any, named: Any) -> None:
            name = by_module[module]
            counts[name] = counts.get(name, 0) + 1
            running.append(name if counts[name] == 1 else f"{name}:{counts[name]}")
            before(running[-1], module, (*inputs, *named.values()))

        def weighing(module: nn.Module, given: Any, named: Any) -> Any:
            if named.get("need_weights", True):
                return None
            unasked.add(running[-1])
            return given, {**named, "need_weights": True, "average_attn_weights": False}

        def left(module: nn.Module, inputs: Any, output: Any) -> Any:
            name = running.pop()
            after(name, output)
            # A caller that asks attention for no weights gets none.
            return (output[0], None) if name in unasked else None

        limit_threads()
        with contextlib.ExitStack() as undo:
            for module in by_module:
                undo.callback(module.register_forward_pre_hook(entered, with_kwargs=True).remove)
                undo.callback(module.register_forward_hook(left).remove)
                if attending and _is_attention(module):
                    undo.callback(module.register_forward_pre_hook(weighing, with_kwargs=True).remove)
            for module in self.module.modules():
                undo.callback(setattr, module, "training", module.training)
            self.module.eval()
            undo.enter_context(torch.set_grad_enabled(derive))
            undo.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
            torch.backends.mha.set_fastpath_enabled(False)  # it calls no module inside an encoder
            what = f"{self._name} cannot be computed for one tensor of {shape_text(tuple(image.shape))}"
            self._check_inputs()
            with foreign(what, misread=_WRAP), _warnings_of_success(), contextlib.suppress(_Enough):
                self.module(image)

    def _check_inputs(self) -> None:
        """Refuse a module that needs more than the picture."""
        try:
            known = inspect.signature(self.module.forward).parameters.values()
        except (TypeError, ValueError):  # it is not written in Python
            return
        places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        needed = [one.name for one in known if one.default is one.empty and one.kind in places]
        if len(needed) > 1:
            raise SpecError(
                f"{self._name} reads {listed([printable(one) for one in needed])}, but there is one picture; "
                "wrap it in a module that is called with one tensor (1, C, H, W)."
            )

    def convolves(self, name: str) -> bool:
        """Return whether a module is a convolution."""
        if _module_of(name) not in self._modules:
            raise UnknownNameError("layer", name, self._modules)
        return self._convolves(self._modules[_module_of(name)])

    def _convolves(self, module: nn.Module) -> bool:
        """Return whether a module is one convolution of its input."""
        return isinstance(module, _CONVOLUTIONS) and (
            as_in_torch(module) or described(module, like=self._like) is not None
        )

    def pooling(self, name: str) -> MaxPool2d | AvgPool2d | None:
        """Describe a module that is a pooling of windows."""
        module = self._modules.get(_module_of(name))
        if module is None:
            raise UnknownNameError("layer", name, self._modules)
        return pooling_of(module, f"{self._name}: the layer {printable(name)!r}")

    def gradient(self, x: Floats, name: str, at: HW) -> Floats:
        """Let torch differentiate the sum of all maps of a step at one position."""
        if _module_of(name) not in self._modules:
            raise UnknownNameError("layer", name, self._modules)
        derived: list[Floats] = []
        image = self._image(x).requires_grad_()

        def after(called: str, output: Any) -> None:
            if called != name:
                return
            with foreign(f"{self._name} cannot be derived"):
                _, tensor = _tensors(output)[0]
                (found,) = torch.autograd.grad(tensor[0, :, at.h, at.w].sum(), image)
            derived.append(unbatched(found.to("cpu", torch.float32).numpy()))
            raise _Enough

        self._call(image, [_module_of(name)], before=lambda *given: None, after=after, derive=True)
        if not derived:
            raise SpecError(f"{self._name} does not compute {printable(name)!r} for such an input.")
        return derived[0]

    def score_gradients(
        self, x: Floats, names: Sequence[str], choose: Callable[[Floats], int]
    ) -> ScoreGradients:
        """Let torch differentiate one output value of the network, or of the layer before a softmax."""
        for name in names:
            if _module_of(name) not in self._modules:
                raise UnknownNameError("layer", name, self._modules)
        whole = next(iter(self._modules))
        maps: dict[str, Floats] = {}
        gradients: dict[str, Floats] = {}
        output: list[torch.Tensor] = []
        softmax = [one for one, module in self._modules.items() if isinstance(module, _SOFTMAX)]
        read: dict[str, torch.Tensor] = {}
        before_softmax: list[tuple[Any, torch.Tensor]] = []

        def before(called: str, module: nn.Module, inputs: Any) -> None:
            if isinstance(module, _SOFTMAX):
                read[called] = inputs[0]

        def after(called: str, found: Any) -> None:
            if called in read:
                before_softmax.append((found, read.pop(called)))
            if called in names:
                tensor: Any = _tensors(found)[0][1]
                maps[called] = self._copy(tensor)
                # `grad` of the tensor would be wrong where a later step changes it in place; a hook is not.
                tensor.register_hook(lambda of: gradients.update({called: self._copy(of)}))
            if called == whole:
                output.append(_tensors(found)[0][1])

        image = self._image(x).requires_grad_()
        parts = [*map(_module_of, names), whole, *softmax]
        self._call(image, parts, before=before, after=after, derive=True)
        for name in names:
            if name not in maps:
                raise SpecError(f"{self._name} does not compute {printable(name)!r} for such an input.")
        # After a softmax the gradient of a certain class is nearly 0 everywhere.
        made = next((given for found, given in before_softmax if found is output[0]), output[0])
        scores = row_of_scores(self._copy(made), self._name)
        with foreign(f"{self._name} cannot be derived"):
            torch.autograd.grad(made.reshape(-1)[choose(scores)], image, allow_unused=True)
        check_dependent(names, gradients, self._name)
        return ScoreGradients(maps, gradients, scores)

    # --- convolutions

    def linear(self, name: str) -> Linear | None:
        """Return the numbers of a linear layer."""
        module = self._modules.get(_module_of(name))
        return Linear(*effective(module)) if isinstance(module, nn.Linear) else None

    def conv(self, name: str) -> Convolution:
        """Describe a convolution with the weight that it computes with."""
        module = self._modules.get(_module_of(name))
        if module is None:
            raise UnknownNameError("layer", name, self._modules)
        what = f"{self._name}: the layer {printable(name)!r}"
        if not isinstance(module, _CONVOLUTIONS):
            raise no_convolution(what, type(module).__name__)
        if not as_in_torch(module):
            own = f"{type(module).__name__} has a forward of its own"
            found = described(module, like=self._like)
            if found is None:
                raise SpecError(
                    f"{what} cannot be explained: {own}, which is not one convolution of its input; "
                    "run draws its maps."
                )
            remark = f"{own}; its settings and numbers are those that it computes with"
            return Convolution(name, *found, remark)
        weight, bias = effective(module)
        try:
            layer = layer_of(module, bias=bias is not None)
        except ConvvizError as error:
            raise SpecError(f"{what} cannot be explained: {error}") from None
        return Convolution(name, layer, weight, bias)


def _module_of(name: str) -> str:
    """Remove the number of the call and the key of the array from a name.

    Examples
    --------
    >>> _module_of("head.conv:2"), _module_of("backbone[out]")
    ('head.conv', 'backbone')
    """
    return name.partition("[")[0].partition(":")[0]


def _is_attention(module: nn.Module) -> bool:
    """Return whether a module computes the attention of torch."""
    return type(module).forward is nn.MultiheadAttention.forward


def _tensors(value: Any, key: str = "") -> list[tuple[str, torch.Tensor]]:
    """List the tensors in an input or an output of a module, with their keys if there are several."""
    found = list(_all_tensors(value, key))
    return [("", found[0][1])] if len(found) == 1 else found


def _all_tensors(value: Any, key: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Find tensors in tuples, lists, dicts, and classes that are dicts."""
    if isinstance(value, torch.Tensor):
        yield key, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _all_tensors(one, f"{key}[{name}]")
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from _all_tensors(one, f"{key}[{index}]")


def _steps_of(
    call: _Call, called: set[nn.Module], counted: set[torch.Tensor], *, convolve: set[nn.Module]
) -> Iterator[NetworkStep]:
    """Describe one call as steps: one for every array that it returns."""
    new = set(_own_parameters(call.module, called)) - counted
    counted |= new
    own = sum(one.numel() for one in new)
    kind = ""
    if call.module in convolve:
        kind = "Conv2d" if isinstance(call.module, nn.Conv2d) else "ConvTranspose2d"
    outputs: Mapping[str, Shape | None] = call.outputs or {"": None}
    for index, (key, shape) in enumerate(outputs.items()):
        yield NetworkStep(
            f"{call.name}{key}",
            type(call.module).__name__,
            call.inputs,
            shape,
            0 if index else own,
            0 if index else call.macs,
            kind,
            outer=call.outer,
            inputs=call.reads,
            **call.told.get(key, told(None, 0, None)),
        )


def _own_parameters(module: nn.Module, called: set[nn.Module]) -> Iterator[torch.Tensor]:
    """List the parameters of a module, and those of inner modules that it reads but does not call."""
    yield from module.parameters(recurse=False)
    for inner in module.children():
        if inner not in called:
            yield from _own_parameters(inner, called)
