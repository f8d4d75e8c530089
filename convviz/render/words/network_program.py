"""Write a network, or a layer inside it, as a short program of its own."""

from collections.abc import Sequence
from pathlib import Path

from convviz.compute.networks.engine import Fed
from convviz.errors import SpecError
from convviz.render.words.program import opened_weights
from convviz.spec.layers import Shape
from convviz.spec.settings import LayerSettings
from convviz.spec.wanted import NetworkSettings
from convviz.text import in_quotes

_PRINTED = [
    "",
    "for index, values in enumerate(maps):",
    '    print(f"map {index}: {values.min():.4g} to {values.max():.4g}")',
]


def check_has_program(network: NetworkSettings) -> None:
    """Refuse a network that convviz computes.

    Raises
    ------
    SpecError
        If it does.
    """
    if network.alone:
        raise SpecError("code: give the file of the network by --net, not by --weights.")
    if not network.foreign:
        given = "layers" if network.net is None else f"net {in_quotes(network.net)}"
        raise SpecError(
            f"code: a layer of {given} has no program of its own, as convviz computes it; `convviz explore` "
            "writes that of the whole network."
        )


def layer_program(
    read: tuple[str, list[str]] | None,
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    name: str,
    values: tuple[str, str],
    shape: Shape,
    fed: Fed,
) -> str:
    """Write a program that computes the input of a layer inside a network, and its maps.

    Parameters
    ----------
    read : (str, list of str), optional
        The lines that read the input into ``channels``, with their imports; None if no
        short program reads it.
    network : NetworkSettings
        The network.
    layer : LayerSettings
        The file of the network's weights, and the seed.
    name : str
        The name of the layer.
    values : (str, str)
        The names in an ONNX file of the values that the layer reads and makes.
    shape : tuple of int
        Shape of the maps.
    fed : Fed
        The array that an ONNX file is called with.

    Returns
    -------
    str
        Python with torch or onnxruntime, without a final line break; at its end the input of the layer
        is in ``arriving``, and the maps are in ``maps``.

    Raises
    ------
    SpecError
        If no short program reads the input, or the network has layers of convviz.
    """
    check_has_program(network)
    lines, imports = _read(read)
    size = " x ".join(map(str, shape))
    if network.model is not None:
        needed, body = _of_module(network.model, layer, name)
    elif not all(values):
        raise SpecError(
            f"code: {name!r} computes with whole numbers, and convviz shows what they stand for; no short "
            "program does that. run --save writes the numbers."
        )
    else:
        needed, body = _of_onnx(str(network.net), values, fed=fed)
    return _joined(lines, [*imports, "import numpy as np", *needed], [*body, f"# maps: {size}", *_PRINTED])


def prediction_program(
    read: tuple[str, list[str]] | None,
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    fed: Fed,
    until: tuple[str, str] = ("", ""),
    classes: Sequence[str] = (),
) -> str:
    """Write a program that runs a network of torch or ONNX on a picture, and prints its largest outputs.

    Parameters
    ----------
    read, network, layer, fed
        As for `layer_program`.
    until : (str, str)
        The last step of the network, and the name of its output in an ONNX file; empty for all steps.
    classes : sequence of str
        Names of the outputs.

    Returns
    -------
    str
        Python, without a final line break; at its end the outputs are in ``values``.

    Raises
    ------
    SpecError
        If no short program reads the input.
    """
    lines, imports = _read(read)
    if network.model is not None:
        needed, body = _module_outputs(network.model, layer, until[0])
    else:
        needed, body = _session_outputs(str(network.net), until[1], fed=fed)
    named = "names[index]" if classes else "index"
    printed = [f"names = {list(classes)!r}"] if classes else []
    printed += [
        "for index in values.ravel().argsort()[::-1][:5]:",
        f'    print(f"{{{named}}}: {{values.ravel()[index]:.4g}}")',
    ]
    return _joined(lines, [*imports, "import numpy as np", *needed], [*body, "", *printed])


def _module_outputs(model: str, layer: LayerSettings, step: str) -> tuple[list[str], list[str]]:
    """Write the lines that compute the outputs of a torch module, or of one of its steps, as ``values``."""
    needed, body = _module_lines(model, layer)
    call = "module(torch.tensor(channels)[None].to(dtype))"
    if not step:
        return needed, [*body, "with torch.no_grad():", f"    values = {call}[0].float().numpy()"]
    return needed, [
        *body,
        *_hooked(step, "made.clone()"),
        "with torch.no_grad():",
        f"    {call}",
        f"values = seen[{_count(step)}][0].float().numpy()",
    ]


def _hooked(step: str, kept: str) -> list[str]:
    """Write the lines that keep a copy at every call of a layer, before a later layer changes it in place."""
    return [
        "seen = []  # one entry for every call of the layer",
        f"layer = module.get_submodule({step.partition(':')[0]!r})",
        f"layer.register_forward_hook(lambda layer, inputs, made: seen.append({kept}))",
    ]


def _count(step: str) -> int:
    """Return the number of the call that a name ends in, from 0.

    Examples
    --------
    >>> _count("head.conv"), _count("head.conv:3")
    (0, 2)
    """
    return int(step.partition(":")[2] or 1) - 1


def _session_outputs(path: str, value: str, *, fed: Fed) -> tuple[list[str], list[str]]:
    """Write the lines that compute the first output of an ONNX file, or one of its values, as ``values``."""
    needed, body = _session_lines(path, value)
    name = repr(value) if value else "session.get_outputs()[0].name"
    return needed, [
        *body,
        f"(made,) = session.run([{name}], {{{fed.name!r}: {_fed(fed)}}})",
        "values = made[0]",
    ]


def _fed(fed: Fed) -> str:
    """Write the array that an ONNX file is called with."""
    x = "channels.transpose(1, 2, 0)" if fed.channels_last else "channels"
    if fed.dtype.startswith(("int", "uint")):
        x = f"np.clip(np.rint({x}), np.iinfo({fed.dtype!r}).min, np.iinfo({fed.dtype!r}).max)"
    if len(fed.shape) == 4 and fed.shape[0] == 1:
        x += "[None]"
    elif len(fed.shape) == 4:  # a batch of several copies
        x = f"np.broadcast_to({x}, {tuple(fed.shape)})"
    return f"{x}.astype({fed.dtype!r})"


def _read(read: tuple[str, list[str]] | None) -> tuple[str, list[str]]:
    """Return the lines that read the input, and their imports; refuse an input that no program reads."""
    if read is None:
        raise SpecError(
            "reading this file takes more than a short program; save it as an 8-bit PNG, or as numbers "
            "(.npy), first."
        )
    return read


def _joined(lines: str, imports: Sequence[str], body: Sequence[str]) -> str:
    """Join the parts of a program."""
    picture = ["from PIL import Image, ImageOps"] if "Image." in lines or "ImageOps." in lines else []
    return "\n".join([*imports, *picture, "", *lines.splitlines(), "", *body])


def _module_lines(model: str, layer: LayerSettings) -> tuple[list[str], list[str]]:
    """Write the lines that make and load a torch module: imports, and what follows them."""
    where, _, called = model.rpartition(":")
    path = Path(where)
    found = ["import torch"]
    if path.suffix == ".py":
        found += ["import sys", "", f"sys.path.insert(0, {str(path.parent)!r})"]
        where = path.stem
    found.append(f"from {where} import {called.partition('.')[0]}")
    body = [
        f"torch.manual_seed({layer.seed})",
        f"module = {called}",
        "if not isinstance(module, torch.nn.Module):",
        "    module = module()",
    ]
    if layer.weights is not None:
        opened, more = opened_weights(layer.weights)
        found += more
        body += [opened, "module.load_state_dict(stored)"]
    # The type of the first parameter is that of the input; channels may be float64.
    kind = "dtype = next((one.dtype for one in module.parameters()), torch.float32)"
    return found, [*body, "module.eval()", kind, ""]


def _of_module(model: str, layer: LayerSettings, name: str) -> tuple[list[str], list[str]]:
    """Write the lines that make and load a torch module, and call it with a hook."""
    found, body = _module_lines(model, layer)
    body += [
        *_hooked(name, "(inputs[0].clone(), made.clone())"),
        "with torch.no_grad():",
        "    module(torch.tensor(channels)[None].to(dtype))",
        "# the first input of the batch, if there is one",
        f"arriving, maps = (one.float().reshape(-1, *one.shape[-3:])[0] for one in seen[{_count(name)}])",
    ]
    return found, body


def _session_lines(path: str, value: str) -> tuple[list[str], list[str]]:
    """Write the lines that open an ONNX file, with one more output if it is named."""
    if not value:
        return ["import onnxruntime"], [f"session = onnxruntime.InferenceSession({path!r})"]
    return ["import onnx", "import onnxruntime"], [
        f"model = onnx.load({path!r})",
        f"if {value!r} not in [one.name for one in model.graph.output]:",
        f"    model.graph.output.append(onnx.ValueInfoProto(name={value!r}))",
        "session = onnxruntime.InferenceSession(model.SerializeToString())",
    ]


def _of_onnx(path: str, values: tuple[str, str], *, fed: Fed) -> tuple[list[str], list[str]]:
    """Write the lines with which onnxruntime computes the input and the output of a layer."""
    names = list(dict.fromkeys(values))
    body = [
        f"model = onnx.load({path!r})",
        f"given = {fed.name!r}",
        "known = {given, *(value.name for value in model.graph.output)}",
        f"names = {names!r}  # what the layer reads, and what it makes",
        "model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)",
        "session = onnxruntime.InferenceSession(model.SerializeToString())",
        "wanted = [name for name in names if name != given]",
        f"x = {_fed(fed)}",
        "made = dict(zip(wanted, session.run(wanted, {given: x})))",
        "made.setdefault(given, x)",
        "# the first input of the batch, if there is one",
        "arriving, maps = (",
        "    values.reshape(-1, *values.shape[-3:])[0] for values in (made[names[0]], made[names[-1]])",
        ")",
    ]
    return ["import onnx", "import onnxruntime"], body
