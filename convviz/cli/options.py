"""Every option that commands share: one row each, by the field of the settings that it fills."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, get_args

import typer

from convviz.compute import backends
from convviz.errors import InputError, SpecError
from convviz.files import marks
from convviz.files.paths import quoted
from convviz.files.writing import Stream
from convviz.spec import parsing, settings
from convviz.spec.kernels import complete, parse_request
from convviz.spec.layers import PADDING_MODES

LAYER, INPUT, COMPUTE, OUTPUT = "Layer", "Input", "Compute", "Output"


def _option(
    *names: str, parser: Callable[[str], Any], metavar: str, panel: str, text: str, **more: Any
) -> Any:
    """Make one row."""
    return typer.Option(*names, parser=parser, metavar=metavar, rich_help_panel=panel, help=text, **more)


def _words(field: str, known: tuple[str, ...], panel: str, *, text: str, short: tuple[str, ...] = ()) -> Any:
    """Make a row for an option that takes one of a few words."""
    name = "--" + field.replace(" ", "-")
    return _option(
        *short, name, parser=parsing.choice(field, known), metavar="|".join(known), panel=panel, text=text
    )


OPTIONS: dict[str, Any] = {
    # the layer
    "out_channels": _option(
        "-O",
        "--out-channels",
        parser=parsing.whole("out_channels"),
        metavar="N",
        panel=LAYER,
        text="Number of filters, and so of feature maps [default: as many as the kernels make, or 6]. "
        "Filters without a kernel are those of a new layer.",
    ),
    "kernel_size": _option(
        "-k",
        "--kernel-size",
        parser=parsing.pair("kernel_size"),
        metavar="HxW",
        panel=LAYER,
        text="Kernel size [default: that of the largest kernel, or 3].",
    ),
    "stride": _option(
        "-s",
        "--stride",
        parser=parsing.pair("stride"),
        metavar="HxW",
        panel=LAYER,
        text="Step between windows, in pixels.",
    ),
    "padding": _option(
        "-p",
        "--padding",
        parser=parsing.padding,
        metavar="N|HxW|t,b,l,r|same|valid",
        panel=LAYER,
        text="Pixels added to all sides, to height and width, or to each side; of an odd number, same adds "
        "the last one after the image, same-lower before it.",
    ),
    "dilation": _option(
        "-d",
        "--dilation",
        parser=parsing.pair("dilation"),
        metavar="HxW",
        panel=LAYER,
        text="Step between the pixels that neighbouring kernel values read.",
    ),
    "groups": _option(
        "-g",
        "--groups",
        parser=parsing.whole("groups"),
        metavar="N",
        panel=LAYER,
        text="Number of groups into which channels and filters are split.",
    ),
    "bias": typer.Option(
        "--bias/--no-bias",
        rich_help_panel=LAYER,
        help="Add one number, the bias, to every map [default: yes for seeded filters, no with --kernel].",
    ),
    "padding_mode": _words("padding-mode", PADDING_MODES, LAYER, text="What the padding contains."),
    "seed": _option(
        "--seed",
        parser=parsing.whole("seed", least=0, most=2**64 - 1),
        metavar="N",
        panel=LAYER,
        text="Seed of the weights: those of a new layer after torch.manual_seed(N).",
    ),
    "kernel": _option(
        "-K",
        "--kernel",
        parser=parse_request,
        metavar="WHAT",
        panel=LAYER,
        text='A preset (sobel-x), kernel values ("0 1 0; 1 -4 1; 0 1 0"), one kernel per channel separated '
        'by "|", or a file; @R, @G or @B at the end reads one channel, NAME= in front names the filter. '
        "May be given more than once. A layer with kernels has no bias unless --bias-values gives one.",
        autocompletion=complete,
    ),
    "bias_values": _option(
        "--bias-values",
        parser=parsing.numbers("bias-values"),
        metavar="B,B,…",
        panel=LAYER,
        text="Biases of a layer with kernels, one per map.",
    ),
    "weights": _option(
        "--weights",
        parser=Path,
        metavar="FILE",
        panel=LAYER,
        text="Trained weights: .safetensors, .npz, .pt, .pth or .onnx.",
    ),
    "layer_name": _option(
        "--layer",
        parser=str,
        metavar="NAME",
        panel=LAYER,
        text="The layer of --weights to apply, or the layer of a network to draw in full.",
    ),
    "flip": typer.Option(
        "--flip", rich_help_panel=LAYER, help="Rotate the kernels by 180 degrees (true convolution)."
    ),
    # the input
    "mode": _words(
        "mode",
        get_args(settings.Mode),
        INPUT,
        text="Channels to read [default: those of the picture, without alpha].",
    ),
    "range": _words(
        "range",
        get_args(settings.ValueRange),
        INPUT,
        text="Values of a picture: 0 to 1, 0 to 255, or as stored.",
    ),
    "resize": _option(
        "--resize",
        parser=parsing.resize,
        metavar="HxW|short:N",
        panel=INPUT,
        text="Resize the picture to this size, in pixels; short:N makes the shorter side N.",
    ),
    "crop": _option(
        "--crop",
        parser=parsing.pair("crop"),
        metavar="HxW",
        panel=INPUT,
        text="Then crop the centre to this size.",
    ),
    "normalize": _option(
        "--normalize",
        parser=parsing.normalization,
        metavar="imagenet|MEAN,STD|m,…,s,…",
        panel=INPUT,
        text="Subtract a mean and divide by a standard deviation: one of each, or one of each per channel.",
    ),
    "page": _option(
        "--page",
        parser=parsing.whole("page"),
        metavar="N",
        panel=INPUT,
        text="Page of a TIFF, or frame of a GIF, WebP or PNG, counted from 1.",
    ),
    "max_pixels": _option(
        "--max-pixels",
        parser=parsing.whole("max_pixels"),
        metavar="N",
        panel=INPUT,
        text="Refuse larger pictures before they are decoded.",
    ),
    # the arithmetic
    "backend": _words(
        "backend",
        ("auto", *backends.names()),
        COMPUTE,
        text="What computes. auto uses torch where that saves more time than loading it takes.",
        short=("-b",),
    ),
    "device": _words("device", backends.DEVICES, COMPUTE, text="The device on which torch computes."),
    # the picture
    "tile": _option(
        "--tile",
        parser=parsing.tile,
        metavar="N|full",
        panel=OUTPUT,
        text="Longest side of a map on the sheet, in pixels.",
    ),
    "columns": _option(
        "--columns", parser=parsing.whole("columns"), metavar="N", panel=OUTPUT, text="Maps in one row."
    ),
    "colormap": _option(
        "--colormap",
        parser=str,
        metavar="NAME",
        panel=OUTPUT,
        text="gray, signed (purple, neutral, orange), viridis or another published scale.",
    ),
    "scale": _words(
        "scale",
        get_args(settings.Scale),
        OUTPUT,
        text="Whether each map has its own black and white, or all maps share them.",
    ),
}

LayersText = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", rich_help_panel=LAYER, help='Several layers: "conv 10 k3 | relu | maxpool 2".'
    ),
]
NetName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        rich_help_panel=LAYER,
        help="A whole network: alexnet, lenet5, mobilenet_v2, resnet18, unet, vgg16, or a file .toml or "
        ".onnx.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="NAME", rich_help_panel=LAYER, help="The last layer of the network to compute."),
]
InputFiles = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="An image, numbers (.json .csv .npy .npz), or - for stdin. Several of one size are stacked: "
        "their channels are those of one input.",
    ),
]
DrawingFile = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        rich_help_panel=OUTPUT,
        help="The drawing: .png or .svg; - for stdout.",
    ),
]
Json = Annotated[bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Print one JSON document.")]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        rich_help_panel=OUTPUT,
        help="Replace files that convviz did not write; write huge pictures.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("-q", "--quiet", rich_help_panel=OUTPUT, help="Print the paths written and nothing else."),
]


def output_option(text: str, default: str = "") -> Any:
    """Make the row of the option that says where to write; `default` tells the name without it."""
    return typer.Option(
        "-o", "--output", metavar="FILE", rich_help_panel=OUTPUT, help=text, show_default=default or True
    )


def check_png(path: Path | Stream) -> None:
    """Refuse a name that ends like no picture of maps.

    Raises
    ------
    SpecError
        If `path` does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise SpecError(f"output: the picture is a PNG, so its name ends in .png, not {path.suffix!r}.")


def map_option(panel: str, text: str) -> Any:
    """Make the row of the option that chooses one map."""
    return _option("--map", parser=parsing.whole("map", least=0), metavar="N", panel=panel, text=text)


def check_drawing_file(path: Path | Stream | None) -> None:
    """Refuse a name that ends like no drawing.

    Raises
    ------
    SpecError
        If `path` ends neither in .png nor in .svg.
    """
    if path is not None and path.suffix.lower() not in (".png", ".svg"):
        raise SpecError(f"output: a drawing ends in .png or .svg, not {path.suffix!r}.")


def settings_in(path: Path) -> dict[str, Any]:
    """Read the settings that a file of ours was made with.

    Returns
    -------
    dict
        Option names without their hyphens in front, with what a user would type
        for them; and ``version``, ``layer`` and the like.

    Raises
    ------
    InputError
        If there is no such file, or it holds none.
    """
    found = marks.description_of(path)
    if found is None:
        what = "holds no settings" if path.exists() else "does not exist"
        raise InputError(f"{quoted(path)} {what}; give a file that convviz wrote, such as NAME-maps.png.")
    return found


# Options that write, open or connect to something: no settings of a file, and never offered for pasting.
NOT_OFFERED = frozenset(
    {"output", "maps", "save", "frames", "gallery", "report", "force", "redo", "open", "engine", "scheduler"}
)

# What makes a network, where a layer is given otherwise.
NET_OPTIONS = ("layers", "net", "until")


def _taking_over(names: Iterable[str]) -> Callable[[typer.Context, Path | None], Path | None]:
    """Make what turns the settings of a file into the defaults of the options called `names`."""
    known = {*names, "partial", "field", "effective", "top", *NET_OPTIONS}

    def take_over(context: typer.Context, path: Path | None) -> Path | None:
        if path is not None:
            found = {name.replace("-", "_"): text for name, text in settings_in(path).items()}
            taken = {parameter.name for parameter in context.command.params}
            if net := next((name for name in NET_OPTIONS if name in found and name not in taken), None):
                raise SpecError(
                    f"like: {quoted(path)} is of a whole network (--{net}), which no layer can stand for."
                )
            context.default_map = {
                name: text for name, text in found.items() if name in known and _as_typed(name, text)
            }
        return path

    return take_over


def _as_typed(name: str, value: Any) -> bool:
    """Return whether a value from a file could have been typed: files may hold anything."""
    if name in settings.REPEATED:
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    return isinstance(value, str)


def _let_typed_win(context: typer.Context, values: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Forget the network of `--like` where another or a layer is typed, and its layer where a network is."""
    sources = {name: context.get_parameter_source(name) for name in values}
    typed = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    of_layer = {field.name for field in fields(settings.LayerSettings)} - {"seed", "weights", "layer_name"}
    if typed & {"layers", "net"}:
        left = ({*NET_OPTIONS, "layer_name"} | of_layer) - typed
    elif typed & of_layer:
        left = {*NET_OPTIONS} - typed
    else:
        return
    for name in left & values.keys():
        default = defaults[name]
        # A default is written as it would be typed, and the parsers have run already.
        parser = getattr(OPTIONS.get(name), "parser", None)
        values[name] = parser(default) if parser is not None and isinstance(default, str) else default


def _told(option: Any, text: str | None) -> Any:
    """Give an option other words."""
    if text is None:
        return option
    option = copy.copy(option)
    option.help = text
    return option


class Typed(frozenset[str]):
    """The names of the options that were given, or taken over from a picture, not left at their defaults."""


def _given(context: typer.Context, names: Iterable[str]) -> Typed:
    """List the options that were given."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return Typed(name for name, source in sources.items() if source is not None and source.name != "DEFAULT")


def with_settings_told(**texts: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Do what `with_settings` does, with other words for the options named."""
    return functools.partial(with_settings, texts=texts)


def with_settings(
    command: Callable[..., None], texts: Mapping[str, str] = MappingProxyType({})
) -> Callable[..., None]:
    """Give a command one option per field of every settings group among its parameters.

    A parameter whose annotation is a dataclass of `convviz.spec.settings` becomes the
    options of its fields, with their defaults; the command gets the checked value.
    With a layer among them, the command takes the settings of a picture by ``--like``,
    and a parameter of the type `Typed` gets the names of the options that were given.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        name: p.annotation for name, p in signature.parameters.items() if is_dataclass(p.annotation)
    }
    parameters = []
    of_given = [name for name, parameter in signature.parameters.items() if parameter.annotation is Typed]
    for name, parameter in signature.parameters.items():
        if name in of_given:
            continue
        if name not in groups:
            parameters.append(parameter)
            continue
        for field in fields(groups[name]):
            # Typer parses a default as it parses what is typed, so defaults are given as text.
            many = field.name in settings.REPEATED
            default = None if many or field.default is None else settings.typed(field.default)
            flag = field.type in (bool, bool | None)
            kind: Any = field.type if flag else list[str] | None if many else str if default else str | None
            parameters.append(
                inspect.Parameter(
                    field.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=field.default if flag else default,
                    annotation=Annotated[kind, _told(OPTIONS[field.name], texts.get(field.name))],
                )
            )

    if settings.LayerSettings in groups.values():
        names = [field.name for group in groups.values() for field in fields(group)]
        like = typer.Option(
            "--like",
            metavar="PICTURE",
            rich_help_panel=LAYER,
            is_eager=True,
            callback=_taking_over(names),
            help="Take over the settings that convviz stored in a picture; options given here win.",
        )
        parameters.append(
            inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        )
        parameters.append(
            inspect.Parameter(
                "like", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Path | None, like]
            )
        )

    defaults = {parameter.name: parameter.default for parameter in parameters}

    @functools.wraps(command)
    def call(**values: Any) -> None:
        context = values.pop("context", None)
        if values.pop("like", None) is not None:
            _let_typed_win(context, values, defaults)
        given = {name: _given(context, values) for name in of_given}
        for name, group in groups.items():
            chosen = {field.name: values.pop(field.name) for field in fields(group)}
            if "kernel" in chosen:
                chosen["kernel"] = tuple(chosen["kernel"] or ())
            values[name] = group(**chosen)
        command(**values, **given)

    plain = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    call.__signature__ = signature.replace(parameters=plain)  # type: ignore[attr-defined]  # read by Typer
    call.__annotations__ = {p.name: p.annotation for p in plain} | {"return": None}
    return call
