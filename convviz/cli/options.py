"""Every option that commands share: one row each, by the field of the settings that it fills."""

import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from convviz.compute import backends
from convviz.errors import BackendError, SpecError, to_install
from convviz.files.paths import ending_of
from convviz.files.writing import Stream
from convviz.spec import looking, parsing, settings, wanted
from convviz.spec.kernels import complete, parse_request
from convviz.spec.layers import PADDING_MODES
from convviz.spec.stacks import named_networks

LAYER, INPUT, COMPUTE, OUTPUT, BATCH = "Layer", "Input", "Compute", "Output", "Batch"


def _option(
    *names: str, parser: Callable[[str], Any], metavar: str, panel: str, text: str, **more: Any
) -> Any:
    """Make one row."""
    return typer.Option(*names, parser=parser, metavar=metavar, rich_help_panel=panel, help=text, **more)


def _words(field: str, known: tuple[str, ...], panel: str, *, text: str, short: tuple[str, ...] = ()) -> Any:
    """Make a row for an option that takes one of a few words."""
    return _option(
        *short,
        "--" + field.replace(" ", "-"),
        parser=parsing.choice(field, known),
        metavar="|".join(known),
        panel=panel,
        text=text,
        autocompletion=offering(known),
    )


def offering(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Make what completes one of a few words in a shell."""
    return lambda incomplete: [word for word in known if word.startswith(incomplete)]


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
        metavar="N|HxW|t,b,l,r|same|same-lower|valid",
        panel=LAYER,
        text="Pixels added to all sides, to height and width, or to each side. Where same adds an odd "
        "number, the extra one is after the image; with same-lower it is before it.",
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
        text="A layer of the network, on the activations that reach it; or of the weights of --weights.",
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
        parser=settings.INPUT_PARSERS["resize"],
        metavar="HxW|short:N",
        panel=INPUT,
        text="Resize the picture to this size, in pixels; short:N makes the shorter side N.",
    ),
    "crop": _option(
        "--crop",
        parser=settings.INPUT_PARSERS["crop"],
        metavar="HxW",
        panel=INPUT,
        text="Then crop the centre to this size.",
    ),
    "normalize": _option(
        "--normalize",
        parser=settings.INPUT_PARSERS["normalize"],
        metavar="imagenet|MEAN,STD|m,…,s,…",
        panel=INPUT,
        text="Subtract a mean and divide by a standard deviation: one of each, or one of each per channel.",
    ),
    "prepare": _option(
        "--prepare",
        parser=settings.INPUT_PARSERS["prepare"],
        metavar="imagenet",
        panel=INPUT,
        text="What networks trained on ImageNet expect: --resize short:256 --crop 224 --normalize imagenet, "
        "where these are not given.",
    ),
    "page": _option(
        "--page",
        parser=settings.INPUT_PARSERS["page"],
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
        text="What computes. auto takes the one that finishes first, with the time to load it.",
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
    "limits": _option(
        "--limits",
        parser=parsing.limits,
        metavar="minmax|percentile[:P]|symmetric|L,H",
        panel=OUTPUT,
        text="The values drawn as black and white: the minimum and the maximum of each map; its percentiles "
        "P and 100-P (P is 1 if left out); minus and plus its largest magnitude; or two numbers.",
    ),
    "scale": _words(
        "scale",
        get_args(settings.Scale),
        OUTPUT,
        text="Whether each map has its own black and white, all maps of a layer share them, or all maps "
        "of the picture.",
    ),
    "title": _option("--title", parser=str, metavar="TEXT", panel=OUTPUT, text="A title above the heading."),
    "captions": typer.Option(
        "--captions/--no-captions",
        rich_help_panel=OUTPUT,
        help="Write the name, the minimum and the maximum below every map.",
    ),
    "kernels": typer.Option(
        "--kernels/--no-kernels",
        rich_help_panel=OUTPUT,
        help="Draw the kernels of its filter above every map.",
    ),
    "font_size": _option(
        "--font-size",
        parser=parsing.whole("font_size", least=6, most=400),
        metavar="N",
        panel=OUTPUT,
        text="Size of type, in pixels [default: legible when the sheet fills a slide].",
    ),
    "layout": _words(
        "layout",
        get_args(settings.Layout),
        OUTPUT,
        text="The shape of the sheet: as large as its maps, a slide (16:9), or a page (A4).",
    ),
    # what `run` shows and stores beside the maps
    "check": typer.Option(
        "--check", rich_help_panel=COMPUTE, help="Compute with another backend too; fail on a difference."
    ),
    "maps": _option("--maps", parser=Path, metavar="DIR", panel=OUTPUT, text="Write every map, full size."),
    "save": _option(
        "--save",
        parser=Path,
        metavar="FILE",
        panel=OUTPUT,
        text="Write exact numbers: .npz, .npy or .safetensors; - for .npz on stdout.",
    ),
    "partial": typer.Option(
        "--partial", rich_help_panel=OUTPUT, help="Show what each channel adds to each map."
    ),
    "table": typer.Option("--table", rich_help_panel=OUTPUT, help="Print the values of every map."),
    "code": typer.Option("--code", rich_help_panel=OUTPUT, help="Print the PyTorch program of this run too."),
    "at": _option(
        "--at",
        parser=parsing.position("at"),
        metavar="Y,X",
        panel=OUTPUT,
        text="Centre the table of a large map here.",
    ),
    "show": typer.Option("--show", rich_help_panel=OUTPUT, help="Show the maps in the terminal."),
    "verbose": typer.Option(
        "-v",
        "--verbose",
        rich_help_panel=OUTPUT,
        help="Print the kernels, the groups, the MACs, the memory and the backend too.",
    ),
    "field": _option(
        "--field",
        parser=parsing.position("field"),
        metavar="Y,X",
        panel=OUTPUT,
        text="Draw the receptive field of the output value at this position.",
    ),
    "effective": typer.Option(
        "--effective",
        rich_help_panel=OUTPUT,
        help="With --field, lay over the picture how much each pixel counts (torch).",
    ),
    "token": _option(
        "--token",
        parser=parsing.position("token"),
        metavar="Y,X",
        panel=OUTPUT,
        text="Of attention (heads, T, T), draw what the token at this row and column attends to.",
    ),
    "all": typer.Option(
        "--all",
        rich_help_panel=OUTPUT,
        help="Draw every layer of a network, on as many pictures as that takes: NAME-maps-1.png and so on.",
    ),
    "top": _option(
        "--top",
        parser=parsing.whole("top"),
        metavar="N",
        panel=OUTPUT,
        text="Draw the N maps of the most energy, the strongest first.",
    ),
    "stat": _option(
        "--stat",
        parser=parsing.choices("stat", ("sparsity", "energy")),
        metavar="sparsity,energy",
        panel=OUTPUT,
        text="Add columns to the table: the share of zeros, the mean square.",
    ),
    # where a layer responds
    "how": _words(
        "how",
        looking.HOW,
        OUTPUT,
        text="How the maps become one picture: the square root of the sum of squares, the mean, the maximum; "
        "three principal components as colours; Eigen-CAM; the map of a class, exact (cam) or by gradients "
        "(gradcam, torch).",
    ),
    "target": _option(
        "--class",
        parser=str,
        metavar="NAME|N",
        panel=OUTPUT,
        text="The class of cam and gradcam [default: that of the largest score].",
    ),
    "opacity": _option(
        "--opacity",
        parser=parsing.share("opacity"),
        metavar="0..1",
        panel=OUTPUT,
        text="Opacity of the colours over the picture.",
    ),
    # the pictures in which maps are largest
    "only": _option(
        "--maps",
        parser=parsing.indices("maps"),
        metavar="N,N,…",
        panel=OUTPUT,
        text="The maps of the rows, by their indices.",
    ),
    "count": _option(
        "--count", parser=parsing.whole("count"), metavar="N", panel=OUTPUT, text="Pictures for each map."
    ),
    "work": _option(
        "--work",
        parser=str,
        metavar="DIR",
        panel=BATCH,
        text="Where the largest values of each picture are kept for the next run: a path or an address "
        "[default: .convviz/NAME-best beside the sheet].",
    ),
    # what differs
    "tolerance": _option(
        "--tolerance",
        parser=parsing.tolerance,
        metavar="SHARE",
        panel=COMPUTE,
        text="The largest difference to allow, divided by the largest magnitude of A [default: 1e-4 for "
        "outputs of layers, 0 for stored numbers].",
    ),
    # a network
    "layers": _option(
        "--layers",
        parser=str,
        metavar="TEXT",
        panel=LAYER,
        text='Several layers: "conv 10 k3 | relu | maxpool 2".',
    ),
    "net": _option(
        "--net",
        parser=str,
        metavar="NAME|FILE",
        panel=LAYER,
        text="A whole network: alexnet, lenet5, mobilenet_v2, resnet18, unet, vgg16, or a file .toml or "
        ".onnx.",
        autocompletion=offering(named_networks()),
    ),
    "model": _option(
        "--model",
        parser=str,
        metavar="FILE.py:NAME|package.module:NAME",
        panel=LAYER,
        text="A torch module, such as model.py:Net or torchvision.models:resnet18. Runs the code of that "
        "file or package: the only option that runs code.",
    ),
    "until": _option(
        "--until", parser=str, metavar="NAME", panel=LAYER, text="The last layer of the network to compute."
    ),
    "classes": _option(
        "--classes",
        parser=Path,
        metavar="FILE",
        panel=LAYER,
        text="Names of the classes that the network predicts, one per line.",
    ),
    "channels_last": typer.Option(
        "--channels-last",
        rich_help_panel=LAYER,
        help="Read the output of the layer as height, width, channels, and the input of an ONNX file that "
        "does not say its order.",
    ),
    # a batch
    "workers": _option(
        "--workers",
        parser=parsing.whole("workers", most=1024),
        metavar="N",
        panel=BATCH,
        text="Number of processes [default: the number of cores].",
    ),
    "engine": _words(
        "engine",
        get_args(wanted.Engine),
        BATCH,
        text="Processes of this machine, or a cluster of Dask.",
    ),
    "scheduler": _option(
        "--scheduler",
        parser=str,
        metavar="tcp://HOST:PORT",
        panel=BATCH,
        text="The scheduler of --engine dask; by default a cluster is started here.",
    ),
    "pattern": _option(
        "--pattern", parser=str, metavar="GLOB", panel=BATCH, text="Names to take, such as '*.jpg'."
    ),
    "report": _option(
        "--report",
        parser=Path,
        metavar="FILE.jsonl|-",
        panel=BATCH,
        text="Write one JSON line per input, as it is done; - writes to stdout.",
    ),
    "redo": typer.Option("--redo", rich_help_panel=BATCH, help="Do again what an earlier run did."),
    "fail_fast": typer.Option(
        "--fail-fast", rich_help_panel=BATCH, help="Stop at the first file that fails."
    ),
    "timeout": _option(
        "--timeout",
        parser=parsing.seconds("timeout"),
        metavar="SECONDS",
        panel=BATCH,
        text="Give up on a file after this many seconds.",
    ),
}

InputFiles = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="An image, numbers (.json .csv .npy .npz), or - for stdin. Several of one size are stacked: "
        "their channels are those of one input.",
    ),
]
AnyInputFiles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="An image, numbers (.json .csv .npy .npz), or - for stdin. Several of one size are stacked.",
    ),
]
DrawingFile = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        rich_help_panel=OUTPUT,
        help="The drawing: .png, .svg, .pdf, .webp or .jpg; - for stdout.",
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
_PATHS_ALONE = "Print the paths written and nothing else"


def _quiet(text: str) -> Any:
    """Make the row of the option that leaves out what is not needed."""
    return typer.Option("-q", "--quiet", rich_help_panel=OUTPUT, help=f"{text}.")


Quiet = Annotated[bool, _quiet(f"{_PATHS_ALONE}, or the document of --json")]
# Of commands without --json.
QuietPaths = Annotated[bool, _quiet(_PATHS_ALONE)]


def output_option(text: str, default: str = "") -> Any:
    """Make the row of the option that says where to write; `default` is the name without the option."""
    # A default in words is put in brackets by typer, as if those belonged to it.
    words = f"{text}  [default: {default}]" if default else text
    return typer.Option("-o", "--output", metavar="FILE", rich_help_panel=OUTPUT, help=words)


def check_picture(path: Path | Stream | None) -> None:
    """Refuse a name whose ending is not that of a picture, or a format whose package is missing.

    Raises
    ------
    SpecError
        If `path` does not end in one of `settings.PICTURE_ENDINGS`.
    BackendError
        If nothing is installed that writes it.
    """
    if path is None:
        return
    suffix = path.suffix.lower()
    if suffix not in settings.PICTURE_ENDINGS:
        known = ", ".join(settings.PICTURE_ENDINGS[:-2])
        moving = "; animate makes animations" if path.suffix.lower() in (".gif", ".apng", ".mp4") else ""
        raise SpecError(f"output: a picture ends in {known} or .jpg, not {ending_of(path)}{moving}.")
    if suffix == ".pdf" and importlib.util.find_spec("fpdf") is None:
        raise BackendError(f"a PDF needs fpdf2, which is not installed: pip install {to_install('fpdf')}")


def map_option(panel: str, text: str, *, named: bool = False) -> Any:
    """Make the row of the option that chooses one map, by its number or, where maps are `named`, its name."""
    parser: Any = parsing.whole_or_name("map") if named else parsing.whole("map", least=0)
    metavar = "N|NAME" if named else "N"
    return _option("--map", parser=parser, metavar=metavar, panel=panel, text=text)
