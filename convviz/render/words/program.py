"""Write a run as a short PyTorch program that stands on its own."""

import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convviz.compute.weights import LayerWeights, seeded
from convviz.errors import SpecError
from convviz.files.paths import split_member
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.settings import InputSettings, LayerSettings, Mode

# The content of the file: numbers by their file ending, or a picture by its channels and bits.
FileKind = Literal["json", "csv", "npy", "npz", "colour", "gray", "gray16"]

_PICTURES = ("colour", "gray", "gray16")

# A program with more numbers than this is not readable; they belong in a file.
MOST_WEIGHTS = 2000


def program(
    paths: Sequence[str],
    sources: Mapping[str, FileKind],
    layer: Conv2d,
    *,
    weights: LayerWeights,
    settings: LayerSettings,
    reading: InputSettings,
    size: HW,
    keys: Sequence[Sequence[Any]] = (),
    channels_last: bool = False,
) -> str:
    """Write a program that makes the same maps from the same input.

    Parameters
    ----------
    paths : sequence of str
        The inputs whose channels are stacked, under the names by which the program opens them.
    sources : dict of str
        The kind of file of each path.
    layer : Conv2d
        The layer.
    weights : LayerWeights
        Its weights and biases.
    settings : LayerSettings
        The origin of the numbers: torch's generator, kernels, or a file of trained weights.
    reading : InputSettings
        How the input becomes numbers; `resize` is a size.
    size : HW
        Size of the input after reading, in pixels.
    keys : sequence of sequence
        The keys of weight and bias in `settings.weights`, from `convviz.compute.filters.NamedFilters`.
    channels_last : bool
        Whether the file holds numbers as (H, W, C).

    Returns
    -------
    str
        Python with torch, numpy and Pillow; at its end the maps, shape (O, H', W'), are in ``maps``.

    Raises
    ------
    SpecError
        If there are too many weights for a program.
    """
    read, imports = _reading(paths, sources, reading, channels_last=channels_last)
    pictures = any(source in _PICTURES for source in sources.values())
    drawn = _drawn(layer, weights, settings)
    made = _layer(layer, settings, size, seed=bool(drawn))
    place = "layer[-1]" if made[-1] == ")" else "layer"
    if keys:
        filled, needed = _loaded(layer, settings, keys, place=place)
    else:
        filled, needed = _weights(layer, weights, settings, place=place, drawn=drawn), []
    lines = [
        *imports,
        "import numpy as np",
        "import torch",
        *(["from PIL import Image, ImageOps"] if pictures else []),
        *(["from PIL import Image"] if not pictures and reading.resize else []),
        *needed,
        "",
        *read.splitlines(),
        f"x = torch.tensor(channels, dtype=torch.float32)  # {layer.in_channels} x {size.h} x {size.w}",
        "",
        *made,
        *filled,
        "",
        "with torch.no_grad():",
        f"    maps = layer(x[None])[0]  # {layer.out_channels} x {layer.output_size(size).h} x "
        f"{layer.output_size(size).w}",
        "",
        "for index, values in enumerate(maps):",
        '    print(f"map {index}: {values.min():.4g} to {values.max():.4g}")',
    ]
    return "\n".join(lines) + "\n"


def reads_as(
    paths: Sequence[str],
    sources: Mapping[str, FileKind],
    reading: InputSettings,
    *,
    channels_last: bool = False,
) -> NDArray[np.float32] | None:
    """Run the lines that read the input, and return the result; None if they fail."""
    text, imports = _reading(paths, sources, reading, channels_last=channels_last)
    lines = [*imports, "import numpy as np", "from PIL import Image, ImageOps", text]
    found: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # a short program does not close its file
            exec("\n".join(lines), found)  # these are our own few lines, which the user will run too
    except (ValueError, OSError, KeyError, Image.DecompressionBombError):
        return None
    return np.asarray(found["channels"], np.float32)


def reading_lines(
    paths: Sequence[str], sources: Mapping[str, FileKind], reading: InputSettings, *, channels_last: bool
) -> tuple[str, list[str]]:
    """Write the lines that read the inputs into ``channels``, and their imports first."""
    return _reading(paths, sources, reading, channels_last=channels_last)


def _reading(
    paths: Sequence[str], sources: Mapping[str, FileKind], reading: InputSettings, *, channels_last: bool
) -> tuple[str, list[str]]:
    """Write the lines that read the inputs into ``channels``, and their imports first."""
    read = [_one(path, sources[path], reading, channels_last=channels_last) for path in paths]
    text = "\n".join(read)
    if len(paths) > 1:
        parts = [f"{one}\nstacked.append(channels)" for one in read]
        text = "\n".join(
            ["stacked = []", *parts, "channels = np.concatenate(stacked)  # the channels of one input"]
        )
    if reading.normalize is not None:
        for word, values in (("mean", reading.normalize.mean), ("std", reading.normalize.std)):
            text += f"\n{word} = np.float32({list(values)})[:, None, None]"
        text += "\nchannels = (channels - mean) / std"
    return text, ["import json", "from pathlib import Path", ""] if "json" in sources.values() else []


def _one(path: str, source: FileKind, reading: InputSettings, *, channels_last: bool) -> str:
    """Write the line that reads one input into ``channels``."""
    text = _opening(path, source, reading)
    if channels_last and source not in _PICTURES:
        text += "\nchannels = channels.reshape(channels.shape[-3:]).transpose(2, 0, 1)  # channels first"
    elif source != "colour":
        text += "\nchannels = channels.reshape(-1, *channels.shape[-2:])  # channels first"
    if source == "colour" and reading.mode == "gray":
        text += "\nchannels = np.tensordot(np.float32([0.299, 0.587, 0.114]), channels, axes=1)[None]"
    if source in ("gray", "gray16") and reading.mode == "rgb":
        text += "\nchannels = np.repeat(channels, 3, axis=0)"
    if isinstance(reading.resize, HW):
        size = (reading.resize.w, reading.resize.h)
        text += (
            "\nchannels = np.stack([\n"
            f"    Image.fromarray(channel).resize({size}, Image.Resampling.BILINEAR)\n"
            "    for channel in channels\n])"
        )
    if reading.crop is not None:
        h, w = reading.crop
        text += (
            f"\ntop, left = round((channels.shape[1] - {h}) / 2), round((channels.shape[2] - {w}) / 2)"
            f"\nchannels = channels[:, top : top + {h}, left : left + {w}]"
        )
    return text


def _opening(path: str, source: FileKind, reading: InputSettings) -> str:
    """Write the expression that opens a file."""
    name = repr(path)
    file, member = split_member(Path(path))
    key = "archive.files[0]" if member is None else repr(member)
    numbers = {
        "json": f"channels = np.array(json.loads(Path({name}).read_text()), np.float32)",
        "csv": f'channels = np.loadtxt({name}, delimiter=",", dtype=np.float32)',
        "npy": f"channels = np.load({name}).astype(np.float32)",
        "npz": f"archive = np.load({str(file)!r})\nchannels = archive[{key}].astype(np.float32)",
    }
    if source in numbers:
        return numbers[source]
    full = 65535 if source == "gray16" else 255
    mode = "" if source == "gray16" else f'.convert("{"L" if source == "gray" else "RGB"}")'
    text = f"image = Image.open({name})\n"
    if reading.page != 1:
        text += f"image.seek({reading.page - 1})\n"
    text += f"image = ImageOps.exif_transpose(image){mode}\n"
    text += "channels = np.asarray(image, np.float32)" + ("" if reading.range == "raw" else f" / {full}")
    if reading.range == "byte":
        text += " * 255"
    if source == "colour":
        text += "\nchannels = channels.transpose(2, 0, 1)  # channels first"
    return text


def _drawn(layer: Conv2d, weights: LayerWeights, settings: LayerSettings) -> list[int]:
    """List the filters whose weights torch draws: all, or those without a kernel."""
    if settings.weights is not None or (settings.kernel and settings.out_channels is None):
        return []
    if not settings.kernel:
        return list(range(layer.out_channels))
    new = seeded(layer, settings.seed)
    same = (weights.weight == (new.turned() if settings.flip else new).weight).all(axis=(1, 2, 3))
    return [int(index) for index in np.flatnonzero(same)]


def _layer(layer: Conv2d, settings: LayerSettings, size: HW, *, seed: bool) -> list[str]:
    """Build the layer, with the seed if torch draws its weights."""
    first, *rest = layer_lines(layer, size)
    return [*([f"torch.manual_seed({settings.seed})"] if seed else []), f"layer = {first}", *rest]


def layer_lines(layer: Conv2d, size: HW) -> list[str]:
    """Write the lines of Python that build a layer for an input of `size`: torch's own text, with quotes.

    Examples
    --------
    >>> layer_lines(Conv2d(1, 2, 3, padding="same", padding_mode="reflect"), HW(5, 5))
    ['torch.nn.Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding="same", padding_mode="reflect")']
    """
    text = layer.torch_repr(size)
    for word in ("valid", "same"):
        text = text.replace(f"padding={word}", f'padding="{word}"')
    for word in ("reflect", "replicate", "circular"):
        text = text.replace(f"padding_mode={word}", f'padding_mode="{word}"')
    if not text.startswith("Sequential"):
        return [f"torch.nn.{text}"]
    _, pad, conv, _ = text.splitlines()
    parts = [f"    torch.nn.{line.split(': ', 1)[1]}," for line in (pad, conv)]
    return ["torch.nn.Sequential(", *parts, ")"]


def _weights(
    layer: Conv2d, weights: LayerWeights, settings: LayerSettings, *, place: str, drawn: Sequence[int]
) -> list[str]:
    """Write the numbers into the layer at `place`, except for the filters that torch has drawn."""
    turned = [_flipped(place)] if settings.flip and drawn else []
    if not settings.kernel and settings.weights is None:
        return ["", "with torch.no_grad():", *turned] if turned else []
    written = [index for index in range(layer.out_channels) if index not in set(drawn)]
    weight = weights.weight[written]
    if weight.size > MOST_WEIGHTS:
        raise SpecError(
            f"{weight.size:,} weights are too many for a program; store them with "
            "convviz run --save FILE.npz and load them in yours."
        )
    shared = bool((weight == weight[:, :1]).all())
    values = weight[:, 0] if shared else weight
    lines = ["", "# one kernel per map" + (", in every channel that it reads" if shared else " and channel")]
    lines += ["weight = torch.tensor(", textwrap.indent(_nested(values), "    "), ")"]
    if shared:
        lines.append(f"weight = weight[:, None].repeat(1, {layer.weight_shape[1]}, 1, 1)")
    if not drawn:
        filled = f"    {place}.weight.copy_(weight)"
    else:
        chosen = f":{len(written)}" if written == list(range(len(written))) else str(written)
        filled = f"    {place}.weight[{chosen}] = weight  # the others are those of the new layer"
    lines += ["with torch.no_grad():", *turned, filled]
    if weights.bias is not None:
        lines.append(f"    {place}.bias.copy_(torch.tensor({_row(weights.bias)}))")
    return lines


def _loaded(
    layer: Conv2d, settings: LayerSettings, places: Sequence[Sequence[Any]], *, place: str
) -> tuple[list[str], list[str]]:
    """Load the numbers of a file into the layer at `place`; return the imports too."""
    path = settings.weights
    assert path is not None
    opened, imports = opened_weights(path)
    lines = ["", opened, "with torch.no_grad():"]
    for name, keys in zip(("weight", "bias"), places, strict=False):
        if name == "bias" and not layer.bias:
            continue
        lines.append(f"    {place}.{name}.copy_({_taken(path, keys)})")
    if settings.flip:
        lines.append(_flipped(place))
    return lines, imports


def opened_weights(path: Path) -> tuple[str, list[str]]:
    """Write the line that opens a file of weights as ``stored``; return its imports too."""
    kind = path.suffix.lower()
    if kind == ".safetensors":
        return f"stored = load_file({str(path)!r})", ["from safetensors.torch import load_file"]
    if kind == ".npz":
        return f"stored = np.load({str(path)!r})", []
    return f'stored = torch.load({str(path)!r}, map_location="cpu", weights_only=True)', []


def _taken(path: Path, keys: Sequence[Any]) -> str:
    """Write the expression of one tensor of ``stored``."""
    values = "stored" + "".join(f"[{key!r}]" for key in keys)
    return f"torch.from_numpy({values})" if path.suffix.lower() == ".npz" else values


def network_lines(
    read: tuple[str, list[str]] | None,
    *,
    reading: InputSettings,
    weights: Path | None,
    places: Mapping[str, Mapping[str, Sequence[Any]]],
) -> dict[str, Any]:
    """Write what a program of a network needs besides its layers.

    Parameters
    ----------
    read : (str, list of str), optional
        The lines that read the input into ``channels``, with their imports; None if no
        short program reads it.
    reading : InputSettings
        How it was read.
    weights : Path, optional
        The file of the weights.
    places : dict of dict of tuple
        The keys to each array of that file, by layer and name.

    Returns
    -------
    dict
        Plain values: ``imports``; ``read``, the lines that make ``x``; ``other``, the same lines for a
        picture called ``PICTURE``, as grey or colours, resized to ``SIZE`` or not; ``opened`` and
        ``stored``, how weights are loaded.
    """
    imports = [*(read[1] if read else []), "import numpy as np", "from PIL import Image, ImageOps"]
    opened = ""
    if weights is not None and places:
        opened, more = opened_weights(weights)
        imports += more
    as_tensor = "x = torch.tensor(channels, dtype=torch.float32)[None]"
    modes: tuple[Mode, ...] = ("gray", "rgb")
    other = {
        f"{mode}{' resized' if size else ''}": _other(
            replace(reading, mode=mode, resize=size, crop=None, page=1)
        )
        for mode in modes
        for size in (None, _ANY)
    }
    return {
        "imports": imports,
        "read": [*read[0].splitlines(), as_tensor] if read else [],
        "other": {form: [*lines, as_tensor] for form, lines in other.items()},
        "opened": opened,
        "stored": {
            layer: {name: _taken(weights, keys) for name, keys in arrays.items()}
            for layer, arrays in places.items()
        }
        if weights is not None
        else {},
    }


# Any size, to be replaced.
_ANY = HW(1, 2)


def _other(reading: InputSettings) -> list[str]:
    """Write the lines that read a picture called ``PICTURE``, resized to ``SIZE`` if at all."""
    text, _ = _reading(["PICTURE"], {"PICTURE": "colour"}, reading, channels_last=False)
    return text.replace(f"resize({(_ANY.w, _ANY.h)},", "resize(SIZE,").splitlines()


def stored_input(path: str = "arrived.npz") -> dict[str, Any]:
    """Write what `network_lines` does, for an input that ``convviz run --save`` has stored.

    Examples
    --------
    >>> stored_input()["read"][1]
    'x = torch.tensor(np.load("arrived.npz")["input"])[None]'
    """
    lines = [
        f"# what arrives at the layer: convviz run ... --save {path} stores it",
        f'x = torch.tensor(np.load("{path}")["input"])[None]',
    ]
    return {"imports": ["import numpy as np"], "read": lines, "other": {}, "opened": "", "stored": {}}


def _flipped(place: str) -> str:
    """Rotate the kernels of the layer at `place`."""
    return f"    {place}.weight.copy_({place}.weight.flip(2, 3))  # rotated by 180 degrees: true convolution"


def _nested(values: np.ndarray) -> str:
    """Write an array as nested lists, one row of a kernel per line."""
    if values.ndim == 1:
        return _row(values)
    inner = ",\n".join(textwrap.indent(_nested(part), " ") for part in values)
    return f"[{inner[1:]}]"


def _row(values: Sequence[np.float32] | np.ndarray) -> str:
    """Write numbers with the fewest digits that restore the same float32."""
    return "[" + ", ".join(str(np.float32(value)) for value in values) + "]"
