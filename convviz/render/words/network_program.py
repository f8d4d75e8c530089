"""Write a network, or a layer inside it, as a short program of its own."""

from collections.abc import Sequence
from pathlib import Path

from convviz.errors import SpecError
from convviz.render.words.program import opened_weights
from convviz.spec.layers import Shape
from convviz.spec.settings import LayerSettings
from convviz.spec.wanted import NetworkSettings

_PRINTED = [
    "",
    "for index, values in enumerate(maps):",
    '    print(f"map {index}: {values.min():.4g} to {values.max():.4g}")',
]


def layer_program(
    read: tuple[str, list[str]] | None,
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    name: str,
    values: tuple[str, str],
    shape: Shape,
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
    lines, imports = _read(read)
    if not network.foreign:
        raise SpecError(
            "code: a layer of --layers or of a .toml has no program of its own; `convviz explore` writes "
            "that of the whole network."
        )
    size = " x ".join(map(str, shape))
    if network.model is not None:
        needed, body = _of_module(network.model, layer, name)
    else:
        needed, body = _of_onnx(str(network.net), values)
    return _joined(lines, [*imports, "import numpy as np", *needed], [*body, f"# maps: {size}", *_PRINTED])


def prediction_program(
    read: tuple[str, list[str]] | None,
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    dtype: str = "float32",
    channels_last: bool = False,
    until: tuple[str, str] = ("", ""),
    classes: Sequence[str] = (),
) -> str:
    """Write a program that runs a network of torch or ONNX on a picture, and prints its largest outputs.

    Parameters
    ----------
    read, network, layer
        As for `layer_program`.
    dtype : str
        The type of the numbers that an ONNX file reads.
    channels_last : bool
        Whether the ONNX file reads (H, W, C).
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
        needed, body = _session_outputs(str(network.net), until[1], dtype=dtype, channels_last=channels_last)
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
    call = "module(torch.tensor(channels, dtype=torch.float32)[None])"
    if not step:
        return needed, [*body, "with torch.no_grad():", f"    values = {call}[0].numpy()"]
    return needed, [
        *body,
        "seen = {}",
        f"layer = module.get_submodule({step.partition(':')[0]!r})",
        "layer.register_forward_hook(lambda layer, inputs, made: seen.update(values=made))",
        "with torch.no_grad():",
        f"    {call}",
        'values = seen["values"][0].numpy()',
    ]


def _session_outputs(
    path: str, value: str, *, dtype: str, channels_last: bool
) -> tuple[list[str], list[str]]:
    """Write the lines that compute the first output of an ONNX file, or one of its values, as ``values``."""
    needed, body = _session_lines(path, value)
    x = "channels.transpose(1, 2, 0)" if channels_last else "channels"
    if dtype.startswith(("int", "uint")):
        x = f"np.clip(np.rint({x}), np.iinfo({dtype!r}).min, np.iinfo({dtype!r}).max)"
    x = f"{x}[None].astype({dtype!r})"
    name = repr(value) if value else "session.get_outputs()[0].name"
    return needed, [
        *body,
        f"(made,) = session.run([{name}], {{session.get_inputs()[0].name: {x}}})",
        "values = made[0]",
    ]


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
    return found, [*body, "module.eval()", ""]


def _of_module(model: str, layer: LayerSettings, name: str) -> tuple[list[str], list[str]]:
    """Write the lines that make and load a torch module, and call it with a hook."""
    found, body = _module_lines(model, layer)
    body += [
        "seen = {}",
        f"layer = module.get_submodule({name.partition(':')[0]!r})",
        "layer.register_forward_hook(lambda layer, inputs, made: seen.update(arriving=inputs[0], maps=made))",
        "with torch.no_grad():",
        "    module(torch.tensor(channels, dtype=torch.float32)[None])",
        'arriving, maps = seen["arriving"][0], seen["maps"][0]',
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


def _of_onnx(path: str, values: tuple[str, str]) -> tuple[list[str], list[str]]:
    """Write the lines with which onnxruntime computes the input and the output of a layer."""
    names = list(dict.fromkeys(values))
    body = [
        f"model = onnx.load({path!r})",
        "given = model.graph.input[0].name",
        "known = {given, *(value.name for value in model.graph.output)}",
        f"names = {names!r}  # what the layer reads, and what it makes",
        "model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)",
        "session = onnxruntime.InferenceSession(model.SerializeToString())",
        "wanted = [name for name in names if name != given]",
        "made = dict(zip(wanted, session.run(wanted, {given: channels[None]})))",
        "made.setdefault(given, channels[None])",
        "arriving, maps = made[names[0]][0], made[names[-1]][0]",
    ]
    return ["import onnx", "import onnxruntime"], body
