"""``convviz look``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from convviz.cli.console import remark
from convviz.cli.options import OPTIONS, Force, InputFiles, Json, Quiet, check_picture, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import announce, check_saved, stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files.paths import fitting
from convviz.files.writing import check_path
from convviz.spec.looking import LookSettings, OverlaySettings
from convviz.spec.settings import InputSettings, LayerSettings
from convviz.spec.wanted import NetworkSettings

if TYPE_CHECKING:
    from convviz.results.look import Looks


@with_settings
def look(
    input: InputFiles,
    network: NetworkSettings,
    reading: InputSettings,
    *,
    weights: Annotated[Path | None, OPTIONS["weights"]] = None,
    layer: Annotated[str | None, OPTIONS["layer_name"]] = None,
    asked: LookSettings,
    picture: OverlaySettings,
    save: Annotated[Any, OPTIONS["save"]] = None,
    output: Annotated[
        Path | None,
        output_option("The picture: .png, .svg, .pdf, .webp or .jpg; - for stdout.", "NAME-look.png"),
    ] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show where layers of a network respond: their activations laid over INPUT.

    The maps of a layer are reduced to one picture. The sheet shows the input, this picture over it, and
    the picture alone. Without --layer it is the last layer that has more than one position.

    For example:

        convviz look digit.png --net digits.onnx --layer conv2

        convviz look cat.jpg --model torchvision.models:resnet18 --layer layer2,layer4 --how pca

        convviz look cat.jpg --model torchvision.models:resnet18 --how cam --class 281
    """
    if not network.given:
        raise SpecError("look needs a network: give --net, --model or --layers.")
    target = stdout_for("output", output, ".png", json=json) or Path(fitting(stem_of(input[0]), "-look.png"))
    saved = stdout_for("save", save, ".npz", json=json)
    check_picture(target)
    from convviz.cli.reading import input_document, input_files
    from convviz.cli.reports import look as report
    from convviz.files import archives, marks
    from convviz.render.palette import colours
    from convviz.results import outputs

    colours(picture.colormap)
    inputs = [*network.files, *([weights] if weights else []), *input_files(input)]
    check_saved(saved, archives.ARCHIVES, of=" of layers")
    written = [target, *([saved] if saved else [])]
    for path in written:
        check_path(path, force=force, is_ours=marks.is_ours, inputs=inputs)
    chosen = LayerSettings(weights=weights, layer_name=layer)
    found, reading = _find(input, network, chosen, reading=reading, asked=asked, quiet=quiet)
    sheet = found.sheet(**picture.arguments)
    description = found.description(network, chosen, reading, asked, picture)
    announce(sheet, force=force, quiet=quiet)
    tell_replaced(target, description, quiet=quiet)
    outputs.write_sheet(sheet, target, description, force=force, inputs=inputs)
    if saved is not None:
        outputs.save_arrays(found.arrays(), saved, description, force=force, inputs=inputs)
    of = input_document(input, found.picture, reading)
    report.show(found, written, input=of, scales=sheet.scales, json=json, quiet=quiet)


def _find(
    names: Sequence[str],
    network: NetworkSettings,
    layer: LayerSettings,
    *,
    reading: InputSettings,
    asked: LookSettings,
    quiet: bool,
) -> "tuple[Looks, InputSettings]":
    """Read INPUT as the network asks for, and run the network."""
    from convviz.cli.reading import layer_names, own_names, read_input
    from convviz.compute import networks
    from convviz.results.look_at import look_at

    source = networks.source_of(network, replace(layer, layer_name=None))
    reading, read_as = source.reading(reading)
    image = read_input(names, reading)
    wanted = layer_names(layer.layer_name, source.names)
    opened = source.open(image.shape)
    wanted, renamed = own_names(opened.engine, wanted)
    found = look_at(opened, image, wanted, asked=asked)
    if not quiet:
        for text in (*read_as, *renamed, *image.remarks, *found.remarks):
            remark(text)
    return found, reading
