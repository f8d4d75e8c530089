"""``convviz animate``."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from convviz import __version__
from convviz.cli.console import answer, answer_path, remark
from convviz.cli.options import LAYER, OPTIONS, OUTPUT, Force, QuietPaths, map_option, offering, output_option
from convviz.cli.settings import with_settings
from convviz.cli.writing import refuse_stdout, stdout_for, stem_of, tell_replaced
from convviz.errors import SpecError
from convviz.files import paths
from convviz.files.writing import Stream
from convviz.spec import parsing
from convviz.spec.geometry import HW
from convviz.spec.layers import AvgPool2d, MaxPool2d
from convviz.spec.settings import InputSettings, LayerSettings, Style, as_text, typed
from convviz.spec.wanted import NetworkSettings
from convviz.text import plural

# Larger squares have cells too small to be read; a picture without --resize is brought to the second.
MOST_SIDE, USUAL_SIDE = 32, 16
# The same where pictures are shown as pictures.
MOST_PICTURE, USUAL_PICTURE = 512, 64

SUFFIXES = (".gif", ".webp", ".png", ".apng", ".svg", ".mp4")

_SCENE = "Scene"

Input = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="An image or numbers, or several of one size, whose channels are stacked; or a .toml of "
        "cases for --gallery. Abstract squares without it.",
    ),
]
Size = Annotated[
    HW | None,
    typer.Option(
        parser=parsing.pair("size"),
        metavar="HxW",
        rich_help_panel=_SCENE,
        help="Abstract squares instead of INPUT.",
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        parser=parsing.whole("channels", most=8),
        metavar="N",
        rich_help_panel=_SCENE,
        help="Channels of the abstract squares.",
    ),
]
ChosenStyle = Annotated[
    Style,
    typer.Option(
        parser=parsing.choice("style", get_args(Style)),
        metavar="|".join(get_args(Style)),
        autocompletion=offering(get_args(Style)),
        rich_help_panel=_SCENE,
        help="From above, with the arithmetic where there is INPUT; or squares, tilted.",
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        "--layers",
        metavar="TEXT",
        rich_help_panel=LAYER,
        help='A pooling layer instead of a convolution: "maxpool 2" or "avgpool 3 s2 p1".',
    ),
]
Transposed = Annotated[
    bool, typer.Option("--transposed", rich_help_panel=LAYER, help="Transposed convolution.")
]
OutputPadding = Annotated[
    HW | None,
    typer.Option(
        parser=parsing.pair("output_padding", least=0),
        metavar="HxW",
        rich_help_panel=LAYER,
        help="Rows and columns that a transposed convolution adds to its output.",
    ),
]
Cells = Annotated[
    Any,  # a number or a word
    typer.Option(
        parser=parsing.whole_or_all("cells"),
        metavar="N|all",
        rich_help_panel=_SCENE,
        help="How many output values are made one by one; the others follow quickly [default: as many as fit "
        "into 15 seconds].",
    ),
]
Milliseconds = Annotated[
    int | None,
    typer.Option(
        parser=parsing.whole("ms", least=20, most=60_000),
        metavar="N",
        rich_help_panel=_SCENE,
        help="How long a value that is made by itself is shown, in milliseconds [default: up to 960, less "
        "where there are many].",
    ),
]
AnimationFile = Annotated[
    Path | None, output_option(f"The animation: {', '.join(SUFFIXES)}; - for stdout.", "NAME-animation.gif")
]
FrameFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Write every frame as a numbered picture."),
]
AsSvg = Annotated[bool, typer.Option("--svg", rich_help_panel=OUTPUT, help="Write those as SVG, not PNG.")]
Gallery = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", rich_help_panel=OUTPUT, help="Make the classic cases, or those of a .toml, as GIFs."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What to animate, and how."""

    layer: LayerSettings
    reading: InputSettings
    input: tuple[str, ...]
    size: HW | None
    channels: int | None
    index: int | None
    style: Style
    pooling: str | None
    network: NetworkSettings
    transposed: bool
    output_padding: HW | None
    cells: Any
    ms: int | None
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.output_padding is not None and not self.transposed:
            raise SpecError("output-padding can only be used with --transposed.")
        if self.pooling is not None and (self.transposed or self.layer != LayerSettings()):
            raise SpecError("layers: a pooling layer has no other options of a layer; leave them out.")
        if self.network.given:
            self.network.check(self.layer)
            if not self.input or self.pooling is not None or self.transposed:
                raise SpecError("net, model: give INPUT, and leave out --layers, --size and --transposed.")

    @property
    def at_work(self) -> bool:
        """Whether pictures are shown as pictures, with the arithmetic."""
        return bool(self.input) and self.style == "flat" and not self.transposed

    @property
    def described(self) -> dict[str, Any]:
        """Return the options for the metadata of a file."""
        chosen = {
            "size": None if self.size is None else str(self.size),
            "channels": None if self.channels is None else str(self.channels),
            "map": None if self.index is None else str(self.index),
            "style": None if self.style == "flat" else self.style,
            "layers": self.pooling,
            "transposed": "true" if self.transposed else None,
            "output-padding": None if self.output_padding is None else typed(self.output_padding),
            "cells": None if self.cells is None else str(self.cells),
            "ms": None if self.ms is None else str(self.ms),
        }
        return {key: text for key, text in chosen.items() if text is not None}

    def remark(self, text: str) -> None:
        """Tell the user something besides the answer."""
        if not self.quiet:
            remark(text)

    def pool(self) -> MaxPool2d | AvgPool2d | None:
        """Read the pooling layer, if one is asked for."""
        from convviz.spec.stacks import parse_layers

        if self.pooling is None:
            return None
        steps = parse_layers(self.pooling).steps
        if len(steps) != 1 or steps[0].kind not in (MaxPool2d, AvgPool2d):
            raise SpecError(
                "layers: animate takes one pooling layer, such as 'maxpool 2' or 'avgpool 3 s2'; for a "
                "convolution give --kernel, --kernel-size and the like."
            )
        pool = steps[0].kind(**steps[0].arguments)
        assert isinstance(pool, MaxPool2d | AvgPool2d)
        return pool


@with_settings
def animate(
    layer: LayerSettings,
    reading: InputSettings,
    input: Input = None,
    *,
    size: Size = None,
    channels: Channels = None,
    map: Annotated[int | None, map_option(_SCENE, "The map to fill.")] = None,
    style: ChosenStyle = "flat",
    layers: Pooling = None,
    net: Annotated[str | None, OPTIONS["net"]] = None,
    model: Annotated[str | None, OPTIONS["model"]] = None,
    transposed: Transposed = False,
    output_padding: OutputPadding = None,
    cells: Cells = None,
    ms: Milliseconds = None,
    output: Annotated[
        Path | None,
        output_option(f"The animation: {', '.join(SUFFIXES)}; - for stdout.", "NAME-animation.gif"),
    ] = None,
    frames: FrameFolder = None,
    svg: AsSvg = False,
    gallery: Gallery = None,
    force: Force = False,
    quiet: QuietPaths = False,
) -> None:
    """Let the window slide over the input and the output fill.

    With INPUT every step of the arithmetic is shown: the window, the kernel, the products, the sums of the
    channels, the map. Without it the cells are plain squares, and padding is dashed.

    For example:

        convviz animate cat.jpg -K sobel-x --stride 2 -o cat.mp4

        convviz animate numbers.csv --layers "maxpool 2" -o pooling.svg

        convviz animate cat.jpg --net resnet18 --layer layer1.0.conv1 -o layer.gif

        convviz animate --size 3x3 --transposed --stride 2 --output-padding 1 -o up.gif
    """
    refuse_stdout(frames=frames, gallery=gallery)
    target = stdout_for("output", output, ".gif")
    _check_files(target, frames, svg=svg)
    request = _Request(
        layer=layer, reading=reading, input=tuple(input or ()), size=size, channels=channels, index=map,
        style=style, pooling=layers, network=NetworkSettings(net=net, model=model), transposed=transposed,
        output_padding=output_padding, cells=cells, ms=ms, quiet=quiet,
    )  # fmt: skip
    if gallery is not None:
        if frames is not None or output is not None:
            raise SpecError("gallery has cases of its own; leave out --size, --frames and --output.")
        _make_gallery(request, gallery, force=force)
        return
    _make_one(request, target, frames, svg=svg, force=force)


def _check_files(target: Path | Stream | None, frames: Path | None, *, svg: bool) -> None:
    """Refuse files that cannot be written, before anything is read."""
    suffix = ".gif" if target is None else target.suffix.lower()
    if target is not None and suffix not in SUFFIXES:
        raise SpecError(f"output: an animation ends in {', '.join(SUFFIXES)}, not {paths.ending_of(target)}.")
    if suffix == ".mp4":
        from convviz.files import video

        video.load()
    if svg and frames is None:
        raise SpecError(
            "svg can only be used with --frames DIR; for one animated SVG give --output FILE.svg."
        )
    if (
        frames is not None
        and isinstance(target, Path)
        and os.path.realpath(target.parent) == os.path.realpath(frames)
    ):
        raise SpecError("output: --frames writes into the same folder; choose another one.")


def _make_gallery(request: _Request, folder: Path, *, force: bool) -> None:
    """Animate every case of a gallery."""
    from convviz.cli.reading import input_files
    from convviz.results import films, scene

    given = request.input
    if request.size is not None:
        raise SpecError("gallery has cases of its own; leave out --size, --frames and --output.")
    layer = (request.pooling, request.transposed, request.channels, request.index, request.layer)
    if layer != (None, False, None, None, LayerSettings()):
        raise SpecError(
            "gallery has cases of its own; leave out --channels, --map and all options of the layer."
        )
    if len(given) > 1:
        raise SpecError(f"gallery reads one file of cases, not {len(given)}.")
    for name, case in scene.gallery(Path(given[0]) if given else None).items():
        film = scene.film(case, style=request.style, ms=request.ms, cells=request.cells)
        target = folder / f"{name}.gif"
        films.write_animation(film, target, _described(case), force=force, inputs=input_files(given))
        if request.quiet:
            answer_path(target, quiet=True)
        else:
            answer(f"{plural(len(film.beats), 'frame'):>10}  {target}")


def _make_one(
    request: _Request, target: Path | Stream | None, frames: Path | None, *, svg: bool, force: bool
) -> None:
    """Animate one layer."""
    from convviz.cli.reading import input_files
    from convviz.results import films, scene

    given = request.input
    if bool(given) == (request.size is not None):
        raise SpecError("give INPUT, or --size HxW for abstract squares, and not both.")
    if request.channels is not None and given:
        raise SpecError("channels can only be used with --size; INPUT has its own.")
    found = _scene(request)
    film = scene.film(found, style=request.style, ms=request.ms, cells=request.cells)
    inputs = [*request.layer.files, *request.network.files, *input_files(given)]
    described = _described(found, request.network, request.layer, request.reading) | request.described
    if not request.quiet:
        answer(f"{found.title}; {plural(len(film.beats), 'frame')}, {sum(film.times) / 1000:.1f} s")
        if told := _shared(film):
            answer(told)
    if frames is not None:
        films.write_frames(film, frames, described, svg=svg, force=force, inputs=inputs)
        answer_path(frames, quiet=request.quiet)
    if target is not None or frames is None:
        called = stem_of(given[0]) if given else "squares"
        target = target or Path(paths.fitting(called, "-animation.gif"))
        tell_replaced(target, described, quiet=request.quiet)
        films.write_animation(film, target, described, force=force, inputs=inputs)
        answer_path(target, quiet=request.quiet)


def _shared(film: Any) -> str:
    """Return how many values have no frame of their own, in words; empty if there are none."""
    single = sum(beat.made - beat.before == 1 for beat in film.beats)
    shared = sum(beat.made - beat.before > 1 for beat in film.beats)
    if not shared:
        return ""
    return (
        f"{single:,} of {film.beats[-1].made:,} values have a frame each; the others share "
        f"{plural(shared, 'frame')} (--cells sets how many)"
    )


def _scene(request: _Request) -> Any:
    """Set up what was asked for."""
    from convviz.compute import filters
    from convviz.results import scene

    layer, size, index = request.layer, request.size, request.index or 0
    if request.network.given:
        return _scene_in_network(request)
    pool = request.pool()
    named = None if pool else filters.prepare(layer)
    picture = _small(request) if request.input else None
    if picture is not None:
        size = picture.size
    elif size is None or max(size) > MOST_SIDE:
        raise SpecError(f"size: at most {MOST_SIDE}x{MOST_SIDE} cells can be read, not {size}.")
    assert size is not None
    if pool is not None:
        for text in picture.remarks if picture else ():
            request.remark(text)
        return scene.pooled(pool, size, picture=picture, index=index)
    if request.transposed and layer.bias_values is not None:
        raise SpecError("bias-values: a transposed convolution is animated without a bias; leave it out.")
    asked = replace(layer, bias=False) if request.transposed else layer
    count, names = (picture.x.shape[0], picture.channels) if picture else (request.channels or 1, ())
    conv, weights, remarks = filters.build(asked, count, named=named, channels=names)
    if request.transposed and named is not None and conv.out_channels > named.maps(conv.groups):
        raise SpecError("out_channels: a transposed convolution has as many maps as its kernels make.")
    for text in (*(picture.remarks if picture else ()), *remarks):
        request.remark(text)
    _check_grid(request, _grid(request, conv, size))
    if not request.transposed:
        return scene.direct(conv, size, picture=picture, weights=weights, index=index)
    weight, more = scene.transposed_weight(conv, layer, weights), request.output_padding or HW(0, 0)
    return scene.transposed(conv, size, output_padding=more, picture=picture, weight=weight, index=index)


def _scene_in_network(request: _Request) -> Any:
    """Set up a layer of a network, on the activations that reach it."""
    from convviz.cli.reading import choose_layer
    from convviz.results import context, scene

    chosen = choose_layer(request.input, request.layer, request.reading, network=request.network)
    pool = chosen.opened.engine.pooling(chosen.name)
    if pool is not None:
        picture, remarks = context.pooling_in_network(chosen.opened, chosen.picture, chosen.name, layer=pool)
        for text in (*chosen.picture.remarks, *chosen.asked, *remarks):
            request.remark(text)
        _check_grid(request, HW(*(n + 2 * p for n, p in zip(picture.size, pool.padding, strict=True))))
        return scene.pooled(pool, picture.size, picture=picture, index=request.index or 0)
    about = context.in_network(chosen.opened, chosen.picture, chosen.name)
    for text in (*about.picture.remarks, *chosen.asked, *about.remarks):
        request.remark(text)
    picture, layer = about.picture, about.layer
    _check_grid(request, _grid(request, layer, picture.size))
    found = scene.direct(
        layer, picture.size, picture=picture, weights=about.weights, index=request.index or 0
    )
    of = None if about.network is None else about.network.transposed
    return found if of is None else replace(found, title=scene.transposed_title(of))


def _grid(request: _Request, conv: Any, size: HW) -> HW:
    """Count the cells with the padding, or with the zeros that a transposed layer puts in."""
    stretch = conv.stride if request.transposed else HW(1, 1)
    around: HW = conv.edges(size).around(HW((size.h - 1) * stretch.h + 1, (size.w - 1) * stretch.w + 1))
    return around


def _check_grid(request: _Request, grid: HW) -> None:
    """Refuse more cells than can be drawn."""
    most = 2 * (MOST_PICTURE if request.at_work else MOST_SIDE)
    if max(grid) > most:
        raise SpecError(f"at most {most}x{most} cells can be read, not {grid} with padding and stride.")


def _small(request: _Request) -> Any:
    """Read the input, a large picture in a size that can be followed."""
    from convviz.cli.reading import read_input

    names, reading = request.input, request.reading
    most, usual = (MOST_PICTURE, USUAL_PICTURE) if request.at_work else (MOST_SIDE, USUAL_SIDE)
    field, asked = ("crop", reading.crop) if reading.crop else ("resize", reading.resize)
    if isinstance(asked, HW) and max(asked) > most:
        raise SpecError(f"{field}: at most {most}x{most} cells can be read, not {asked}.")
    picture = read_input(names, reading)
    # A picture larger than usual is kept where its size was asked for, or where it cannot be read again.
    kept = most if asked or "-" in names or not request.at_work else usual
    if max(picture.size) <= kept:
        return picture
    if "-" in names or reading.resize is not None:
        raise SpecError(
            f"an input of {picture.size} has more than {most}x{most} cells; "
            "give a smaller one, or --resize or --crop for a picture."
        )
    part = usual / max(picture.size)
    small = HW(*(max(1, round(side * part)) for side in picture.size))
    found = read_input(names, replace(reading, resize=small))
    if max(found.size) > most:
        raise SpecError(f"{picture.size} numbers are more than {most}x{most} cells; give fewer.")
    if found.size != picture.size:
        request.remark(
            "the picture is made small, so that its cells can be read; --resize chooses another size"
        )
    return found


def _described(scene: Any, *chosen: Any) -> dict[str, Any]:
    """Describe an animation for the metadata of its files."""
    return {"version": __version__, "command": "animate", "animation": scene.title, **as_text(*chosen)}
