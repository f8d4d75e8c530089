"""``convviz animate``."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from convviz import __version__
from convviz.cli.console import answer, answer_path, remark
from convviz.cli.options import LAYER, OUTPUT, Force, map_option, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import refuse_stdout, stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files import paths
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.settings import InputSettings, LayerSettings, Style, as_text, typed
from convviz.text import plural

# Larger inputs have cells too small to be read; a picture without --resize is brought to the second.
MOST_SIDE, USUAL_SIDE = 32, 16

SUFFIXES = (".gif", ".webp", ".png", ".apng")


@with_settings
def animate(
    layer: LayerSettings,
    reading: InputSettings,
    input: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="An image or numbers, or several of one size, whose channels are stacked; or a .toml of "
            "cases for --gallery. Abstract squares without it.",
        ),
    ] = None,
    *,
    size: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.pair("size"),
            metavar="HxW",
            rich_help_panel="Scene",
            help="Abstract squares instead of INPUT.",
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(
            parser=parsing.whole("channels", most=8),
            metavar="N",
            rich_help_panel="Scene",
            help="Channels of the abstract squares.",
        ),
    ] = None,
    map: Annotated[int | None, map_option("Scene", "The map to fill.")] = None,
    style: Annotated[
        Style,
        typer.Option(
            parser=parsing.choice("style", get_args(Style)),
            metavar="|".join(get_args(Style)),
            rich_help_panel="Scene",
            help="From above, or tilted.",
        ),
    ] = "flat",
    transposed: Annotated[
        bool, typer.Option("--transposed", rich_help_panel=LAYER, help="Transposed convolution.")
    ] = False,
    output_padding: Annotated[
        HW | None,
        typer.Option(
            parser=parsing.pair("output_padding", least=0),
            metavar="HxW",
            rich_help_panel=LAYER,
            help="Rows and columns that a transposed convolution adds to its output.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        output_option("Where to write: .gif, .webp, .png or .apng; - for stdout.", "NAME-animation.gif"),
    ] = None,
    frames: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Write every frame as a numbered picture."),
    ] = None,
    svg: Annotated[
        bool, typer.Option("--svg", rich_help_panel=OUTPUT, help="Write those as SVG, not PNG.")
    ] = False,
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help="Make the classic cases, or those of a .toml, as GIFs.",
        ),
    ] = None,
    ms: Annotated[
        int,
        typer.Option(
            parser=parsing.whole("ms", least=20, most=60_000),
            metavar="N",
            rich_help_panel=OUTPUT,
            help="How long a frame is shown, in milliseconds.",
        ),
    ] = "1000",  # type: ignore[assignment]  # Typer parses a default as it parses what is typed
    force: Force = False,
) -> None:
    """Let the window slide over the input and the output fill, one frame per output value.

    Padding is dashed, taps are shaded. INPUT puts its numbers into the cells; a picture is made small first.

    For example:

        convviz animate --size 5x5 --stride 2 --padding 1 --style iso

        convviz animate numbers.csv -K sobel-x -o sobel.webp

        convviz animate --size 3x3 --transposed --stride 2 --output-padding 1 -o up.gif
    """
    given = input or []
    refuse_stdout(frames=frames, gallery=gallery)
    written_to = stdout_for("output", output, ".gif")
    suffix = ".gif" if written_to is None else written_to.suffix.lower()
    if suffix not in SUFFIXES:
        raise SpecError(f"output: an animation ends in {', '.join(SUFFIXES)}, not {suffix!r}.")
    if output_padding is not None and not transposed:
        raise SpecError("output-padding can only be used with --transposed.")
    if svg and frames is None:
        raise SpecError("svg can only be used with --frames DIR.")

    from convviz.cli.reading import input_files
    from convviz.render.drawings.animation import Animation
    from convviz.results import outputs

    if gallery is not None:
        if size is not None or frames is not None or output is not None:
            raise SpecError("gallery has cases of its own; leave out --size, --frames and --output.")
        if transposed or channels is not None or map is not None or layer != LayerSettings():
            raise SpecError("gallery has cases of its own; leave out --channels, --map and all of the layer.")
        if len(given) > 1:
            raise SpecError(f"gallery: one file of cases is read, not {len(given)}.")
        from convviz.results.scene import gallery as cases

        for name, scene in cases(Path(given[0]) if given else None).items():
            target = gallery / f"{name}.gif"
            outputs.write_animation(
                Animation(scene, style),
                target,
                _described(scene),
                ms=ms,
                force=force,
                inputs=input_files(given),
            )
            answer(f"{plural(scene.frames, 'frame'):>10}  {target}")
        return
    if bool(given) == (size is not None):
        raise SpecError("give INPUT, or --size HxW for abstract squares, and not both.")
    if channels is not None and given:
        raise SpecError("channels can only be used with --size; INPUT has its own.")

    if (
        frames is not None
        and isinstance(written_to, Path)
        and os.path.realpath(written_to.parent) == os.path.realpath(frames)
    ):
        raise SpecError("output: lies where --frames writes; choose another folder.")
    scene = _scene(
        layer,
        reading,
        given,
        size=size,
        channels=channels or 1,
        index=map or 0,
        transposed=transposed,
        output_padding=output_padding or HW(0, 0),
    )
    animation = Animation(scene, style)
    inputs = [*layer.files, *input_files(given)]
    chosen = {
        "size": None if size is None else str(size),
        "channels": None if channels is None else str(channels),
        "map": None if map is None else str(map),
        "style": None if style == "flat" else style,
        "transposed": "true" if transposed else None,
        "output-padding": None if output_padding is None else typed(output_padding),
    }
    described = _described(scene, layer, reading) | {
        key: text for key, text in chosen.items() if text is not None
    }
    answer(f"{scene.title}; {plural(scene.frames, 'frame')}")
    if frames is not None:
        outputs.write_frames(animation, frames, described, svg=svg, force=force, inputs=inputs)
        answer(str(frames))
    if output is not None or frames is None:
        called = stem_of(given[0]) if given else "squares"
        written_to = written_to or Path(paths.fitting(called, "-animation.gif"))
        tell_replaced(written_to, described)
        outputs.write_animation(animation, written_to, described, ms=ms, force=force, inputs=inputs)
        answer_path(written_to)


# Cells a side with the border, or with the zeros that stretch the input of a transposed convolution.
_MOST_GRID = 2 * MOST_SIDE


def _scene(
    layer: LayerSettings,
    reading: InputSettings,
    input: Sequence[str],
    *,
    size: HW | None,
    channels: int,
    index: int,
    transposed: bool,
    output_padding: HW,
) -> Any:
    """Set up what was asked for."""
    from convviz.compute import filters
    from convviz.results import scene

    named = filters.prepare(layer)
    picture = _small(input, reading) if input else None
    if picture is not None:
        channels, size, names = picture.x.shape[0], picture.size, picture.channels
    else:
        names = None
    if size is None or max(size) > MOST_SIDE:
        raise SpecError(f"size: at most {MOST_SIDE}x{MOST_SIDE} cells can be read, not {size}.")
    if transposed and layer.bias_values is not None:
        raise SpecError("bias-values: transposed convolutions are animated without a bias.")
    asked = replace(layer, bias=False) if transposed else layer
    conv, weights, remarks = filters.build(asked, channels, named=named, channels=names)
    if transposed and named is not None and conv.out_channels > named.maps(conv.groups):
        raise SpecError("out_channels: a transposed convolution has as many maps as its kernels make.")
    for text in (*(picture.remarks if picture else ()), *remarks):
        remark(text)
    stretch = conv.stride if transposed else HW(1, 1)
    grid = conv.edges(size).around(HW((size.h - 1) * stretch.h + 1, (size.w - 1) * stretch.w + 1))
    if max(grid) > _MOST_GRID:
        raise SpecError(
            f"at most {_MOST_GRID}x{_MOST_GRID} cells can be read, not {grid} with padding and stride."
        )
    if not transposed:
        return scene.direct(conv, size, picture=picture, weights=weights, index=index)
    weight = scene.transposed_weight(conv, layer, weights)
    return scene.transposed(
        conv, size, output_padding=output_padding, picture=picture, weight=weight, index=index
    )


def _small(names: Sequence[str], reading: InputSettings) -> Any:
    """Read the input, a large picture in a size whose cells can be read."""
    from convviz.cli.reading import read_input

    field, asked = ("crop", reading.crop) if reading.crop else ("resize", reading.resize)
    if isinstance(asked, HW) and max(asked) > MOST_SIDE:
        raise SpecError(f"{field}: at most {MOST_SIDE}x{MOST_SIDE} cells can be read, not {asked}.")
    picture = read_input(names, reading)
    if max(picture.size) <= MOST_SIDE:
        return picture
    if "-" in names or reading.resize is not None:
        raise SpecError(
            f"an input of {picture.size} has more than {MOST_SIDE}x{MOST_SIDE} cells; "
            "give a smaller one, or --resize or --crop for a picture."
        )
    part = USUAL_SIDE / max(picture.size)
    small = HW(*(max(1, round(side * part)) for side in picture.size))
    found = read_input(names, replace(reading, resize=small))
    if max(found.size) > MOST_SIDE:
        raise SpecError(f"{picture.size} numbers are more than {MOST_SIDE}x{MOST_SIDE} cells; give fewer.")
    remark("large cells can be read; --resize chooses another size")
    return found


def _described(scene: Any, *chosen: Any) -> dict[str, Any]:
    """Describe an animation for the metadata of its files."""
    return {"version": __version__, "command": "animate", "animation": scene.title, **as_text(*chosen)}
