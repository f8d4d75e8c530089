"""Write a layer of a network as a short program of its own: its input there, and its output."""

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
    if read is None:
        raise SpecError(
            "reading this file takes more than a short program; save it as an 8-bit PNG, or as numbers "
            "(.npy), first."
        )
    if not network.foreign:
        raise SpecError(
            "code: a layer of --layers or of a .toml has no program of its own; `convviz explore` writes "
            "that of the whole network."
        )
    lines, imports = read
    size = " x ".join(map(str, shape))
    if network.model is not None:
        needed, body = _of_module(network.model, layer, name)
    else:
        needed, body = _of_onnx(str(network.net), values)
    picture = ["from PIL import Image, ImageOps"] if "Image." in lines or "ImageOps." in lines else []
    imports = [*imports, "import numpy as np", *needed, *picture]
    return "\n".join([*imports, "", *lines.splitlines(), "", *body, f"# maps: {size}", *_PRINTED])


def _of_module(model: str, layer: LayerSettings, name: str) -> tuple[list[str], list[str]]:
    """Write the lines that make and load a torch module, and call it with a hook."""
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
    body += [
        "module.eval()",
        "",
        "seen = {}",
        f"layer = module.get_submodule({name.partition(':')[0]!r})",
        "layer.register_forward_hook(lambda layer, inputs, made: seen.update(arriving=inputs[0], maps=made))",
        "with torch.no_grad():",
        "    module(torch.tensor(channels, dtype=torch.float32)[None])",
        'arriving, maps = seen["arriving"][0], seen["maps"][0]',
    ]
    return found, body


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
