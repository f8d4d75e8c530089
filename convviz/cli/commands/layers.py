"""``convviz layers``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import Json
from convviz.errors import InputError
from convviz.text import plural


def layers(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Weights: .safetensors, .npz, .pt, .pth or .onnx.")
    ],
    json: Json = False,
) -> None:
    """List the convolutions inside trained weights, with the names that --layer takes.

    Nothing in the file is run: of a file of PyTorch only the tensors of a state dict are read.

    For example:

        convviz layers samples/digits.safetensors
    """
    from convviz.files.checkpoints import read_checkpoint
    from convviz.render.words import layers as drawn
    from convviz.render.words.tables import console

    found = read_checkpoint(file)
    total = found.count
    inside = sum(layer.parameters for layer in found.convolutions)
    rows = [drawn.statistics_of(layer) for layer in found.convolutions]
    if json:
        document: dict[str, Any] = {
            "path": str(file),
            "layers": [
                drawn.stored_document(layer, row) for layer, row in zip(found.convolutions, rows, strict=True)
            ],
            "numbers": total,
            "left_out": dict(found.left_out),
        }
        answer_json(document)
    for text in found.remarks:
        remark(text)
    if json:
        return
    if found.convolutions:
        screen = console()
        screen.print(drawn.stored_table(found.convolutions, rows, width=screen.width))
        answer()
    count = len(found.convolutions)
    parts = f"{plural(inside, 'parameter')} of {plural(total, 'number')} in the file"
    answer(f"{plural(count, 'convolution')}: {parts}")
    if bad := drawn.not_finite(rows):
        answer(bad)
    if not count and not found.left_out:
        answer("no array in it has four axes; a network reads the others by their names (--net, --weights)")
    usable = [layer for layer in found.convolutions if _is_finite(found, layer)]
    if usable:
        answer(f"convviz filters {file} --layer {usable[0].name} draws one", whole=True)
    # A transposed one is applied with the network around it.
    if name := next((layer.name for layer in usable if not layer.transposed), None):
        answer(f"convviz run INPUT --weights {file} --layer {name} applies one", whole=True)


def _is_finite(file: Any, layer: Any) -> bool:
    """Return whether a layer of a checkpoint can be drawn and applied."""
    try:
        file.weights(layer)
    except InputError:
        return False
    return True
