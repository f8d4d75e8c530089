"""Measure convviz against other ways to do the same, and write RESULTS.md: `make bench`."""

import argparse
import inspect
import json
import math
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

# As on the command line of convviz, before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pictures
import PIL
import torch
from timing import HELD, Pair, in_turn, peak_memory, process, seconds_of

import convviz
from convviz.compute import backends, conv
from convviz.machine import parallel
from convviz.spec.geometry import HW

HERE = Path(__file__).parent
PYTHON = sys.executable
CONVVIZ = [Path(PYTHON).with_name("convviz")]

# What, channels, filters, kernel, stride, dilation, groups; first layers of known networks by name.
LAYERS = (
    ("3 to 6, 3x3", 3, 6, 3, 1, 1, 1),
    ("1 to 1, 3x3", 1, 1, 3, 1, 1, 1),
    ("3 to 6, 5x5", 3, 6, 5, 1, 1, 1),
    ("3 to 6, 1x1", 3, 6, 1, 1, 1, 1),
    ("3 to 6, 3x3, stride 2", 3, 6, 3, 2, 1, 1),
    ("3 to 6, 3x3, dilation 2", 3, 6, 3, 1, 2, 1),
    ("3 to 6, 11x11", 3, 6, 11, 1, 1, 1),
    ("3 to 6, 31x31", 3, 6, 31, 1, 1, 1),
    ("3 to 64, 3x3 (VGG-16)", 3, 64, 3, 1, 1, 1),
    ("3 to 64, 7x7, stride 2 (ResNet)", 3, 64, 7, 2, 1, 1),
    ("3 to 64, 11x11, stride 4 (AlexNet)", 3, 64, 11, 4, 1, 1),
    ("3 to 32, 3x3, stride 2 (MobileNet)", 3, 32, 3, 2, 1, 1),
    ("64 to 64, 3x3", 64, 64, 3, 1, 1, 1),
    ("64 to 64, 1x1", 64, 64, 1, 1, 1, 1),
    ("64 channels, 3x3, depthwise", 64, 64, 3, 1, 1, 64),
    ("3 channels, 7x7, depthwise", 3, 3, 7, 1, 1, 3),
    ("16 to 16, 3x3, 4 groups", 16, 16, 3, 1, 1, 4),
)
SIZES = (HW(224, 224), HW(512, 512), HW(1024, 1024), HW(3000, 4000))
# Larger cases would take minutes, or more memory than many machines have.
MOST_MACS, MOST_VALUES = 3e10, 4e8


def header() -> Iterator[str]:
    """Say what the machine is and what is compared."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next(
            line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line
        )
    yield "# Results"
    yield ""
    yield (
        "Written by `make bench`; every ratio is the median of the ratios of two things timed in turn, and "
        "the range is that of all pairs. Below 1, convviz is the quicker one."
    )
    yield ""
    yield (
        f"{time.strftime('%Y-%m-%d')}, {cpu}, {parallel.cores()} cores; Python {platform.python_version()}, "
        f"numpy {np.__version__}, torch {torch.__version__}, Pillow {PIL.__version__}, "
        f"convviz {convviz.__version__}. {blas()}"
    )


def blas() -> str:
    """Name the library that numpy multiplies with."""
    import threadpoolctl

    found = [row for row in threadpoolctl.threadpool_info() if row["user_api"] == "blas"]
    return "; ".join(f"{row['internal_api']} {row['version']} ({row.get('architecture')})" for row in found)


def shown(pair: Pair) -> str:
    """Write a ratio with its range."""
    return f"{pair.ratio:.2f} ({pair.spread[0]:.2f} to {pair.spread[1]:.2f})"


def by_layers(quick: bool) -> Iterator[str]:
    """Time the numpy backend against torch and onnxruntime in this process."""
    threads = parallel.cores()
    torch.set_num_threads(threads)
    ours, theirs, third = backends.load("numpy"), _plain_torch, backends.load("onnxruntime")
    yield "## The numpy backend against torch and onnxruntime"
    yield ""
    yield (
        f"In one process, {threads} threads each, input padded already; milliseconds of numpy, the ratio "
        "to one call of torch, and the ratio to one call of onnxruntime."
    )
    yield ""
    yield "| layer | " + " | ".join(f"{size}" for size in SIZES) + " |"
    yield "|---|" + "---|" * len(SIZES)
    ratios: list[float] = []
    worst: list[tuple[float, str]] = []
    for name, channels, filters, kernel, stride, dilation, groups in LAYERS:
        cells = []
        for size in SIZES:
            layer = convviz.Conv2d(
                channels, filters, kernel, stride, kernel // 2 * dilation, dilation, groups, bias=False
            )
            out = layer.output_size(size)
            values = channels * size.h * size.w + filters * out.h * out.w
            if (
                layer.macs((layer.in_channels, *size)) > MOST_MACS
                or values > MOST_VALUES
                or (quick and size.h > 512)
            ):
                cells.append("")
                continue
            rng = np.random.default_rng(0)
            x = rng.standard_normal((channels, *size), np.float32)
            x = conv.pad(x, layer.edges(size))
            weight = rng.standard_normal(layer.weight_shape, np.float32)
            options = {"stride": layer.stride, "dilation": layer.dilation, "groups": groups}
            our_call, their_call = (partial(way, x, weight, **options) for way in (ours, theirs))
            repeat = max(1, int(0.01 / max(seconds_of(our_call), 1e-9)))
            pair = in_turn(
                partial(seconds_of, our_call, repeat),
                partial(seconds_of, their_call, repeat),
                pairs=9,
                most_seconds=3,
            )
            beside = in_turn(
                partial(seconds_of, our_call, repeat),
                partial(seconds_of, partial(third, x, weight, **options), repeat),
                pairs=9,
                most_seconds=3,
            )
            ratios.append(pair.ratio)
            worst.append((max(pair.ratio, beside.ratio), f"{name} at {size}"))
            cells.append(f"{pair.ours * 1e3:.2f}, {pair.ratio:.2f}, {beside.ratio:.2f}")
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    slow = sorted((one for one in worst if one[0] > 1.5), reverse=True)
    rows = "; ".join(f"{where} ({ratio:.2f})" for ratio, where in slow)
    yield (
        f"Geometric mean of the ratios to torch **{mean:.2f}** (wanted: at most 1.0). Above 1.5 times the "
        f"faster of torch and onnxruntime (wanted: none): {len(slow)} of {len(worst)}"
        + (f": {rows}." if rows else ".")
    )


def _plain_torch(x, weight, *, stride, dilation, groups):
    """One call of torch, as a person would write it; the backend of convviz feeds it in bands."""
    with torch.inference_mode():
        return torch.nn.functional.conv2d(
            torch.from_numpy(x)[None],
            torch.from_numpy(weight),
            None,
            tuple(stride),
            0,
            tuple(dilation),
            groups,
        )


def stored_weights(work: Path) -> Path:
    """Write the filters of all comparisons for the programs that cannot draw them."""
    weights = convviz.seeded(convviz.Conv2d(3, 6, 3, padding=1))
    path = work / "weights.npz"
    np.savez(path, weight=weights.weight, bias=weights.bias)
    return path


def whole_processes(work: Path, quick: bool) -> Iterator[str]:
    """Time `convviz run` against scripts that make the same sheet."""
    pictures.single(work / "512.jpg")
    pictures.mosaic(work / "12mp.jpg", (4000, 3000))
    weights = stored_weights(work)
    yield "## `convviz run` against scripts"
    yield ""
    yield (
        "Whole processes that write the same content: the input, its channels and six maps of "
        "`Conv2d(3, 6, 3, padding=1)` on one sheet; convviz adds captions and a legend. "
        "The scripts are in `benchmarks/rivals`."
    )
    yield ""
    yield "| picture, tile | against | convviz, s | other, s | ratio | wanted |"
    yield "|---|---|---|---|---|---|"
    cases = [
        ("512.jpg", "320", "torch_pillow.py", "<= 0.2"),
        ("512.jpg", "320", "torch_matplotlib.py", ""),
        ("512.jpg", "320", "opencv.py", ""),
        ("512.jpg", "full", "torch_pillow.py", ""),
        ("12mp.jpg", "320", "torch_pillow.py", ""),
        ("12mp.jpg", "full", "torch_pillow.py", "<= 0.15"),
        ("12mp.jpg", "full", "opencv.py", "<= 0.8"),
    ]
    for name, tile, script, wanted in cases:
        source = work / name
        ours = [*CONVVIZ, "run", source, "-O", "6", "-p", "1", "--tile", tile, "-o", work / "ours.png"]
        theirs = [PYTHON, HERE / "rivals" / script, source, tile, work / "theirs.png", weights]
        pair = in_turn(
            lambda ours=ours: process(ours),
            lambda theirs=theirs: process(theirs),
            pairs=3 if quick else 7,
            most_seconds=25,
        )
        yield (
            f"| {name}, {tile} | {script} | {pair.ours:.2f} | {pair.theirs:.2f} | {shown(pair)} | {wanted} |"
        )


def start_up(quick: bool) -> Iterator[str]:
    """Time commands that do next to nothing against an empty Typer program."""
    from convviz.cli.app import make_app

    commands = {
        command.callback.__name__: len(inspect.signature(command.callback).parameters) - 1
        for command in make_app().registered_commands
    }
    environment = {"COMMANDS": json.dumps(commands)}
    yield "## Start-up"
    yield ""
    yield (
        f"Against a Typer program with {len(commands)} empty commands of as many options "
        f"({sum(commands.values())} in all)."
    )
    yield ""
    yield "| command | convviz, s | empty, s | ratio | wanted |"
    yield "|---|---|---|---|---|"
    for arguments in (["shape", "3x224x224"], ["--help"], ["run", "--help"]):
        pair = in_turn(
            lambda arguments=arguments: process([*CONVVIZ, *arguments]),
            lambda arguments=arguments: process(
                [PYTHON, HERE / "rivals" / "empty_typer.py", *arguments], **environment
            ),
            pairs=9 if quick else 31,
        )
        words = " ".join(arguments)
        yield f"| `convviz {words}` | {pair.ours:.3f} | {pair.theirs:.3f} | {shown(pair)} | <= 1.15 |"


def folders(work: Path, quick: bool) -> Iterator[str]:
    """Time `convviz batch` on a folder."""
    count, cores = (40 if quick else 200), parallel.cores()
    source = work / "photos"
    pictures.folder(source, count)
    first = next(iter(sorted(source.iterdir())))
    sheet = work / "sheet.png"
    process([*CONVVIZ, "run", first, "-O", "6", "-p", "1", "--tile", "full", "-o", sheet])
    weights = stored_weights(work)

    def ours(workers: int) -> float:
        out = Path(tempfile.mkdtemp(dir=work))
        words = [source, out, "-O", "6", "-p", "1", "--tile", "full", "--workers", workers, "--quiet"]
        return process([*CONVVIZ, "batch", *words])

    def other(way: str, *rest: object) -> float:
        out = Path(tempfile.mkdtemp(dir=work))
        return process([PYTHON, HERE / "rivals" / "folder.py", way, source, out, *rest])

    def few_by_torch() -> float:
        few = work / "few"
        few.mkdir(exist_ok=True)
        for file in sorted(source.iterdir())[: count // 5]:
            shutil.copy(file, few)
        out = Path(tempfile.mkdtemp(dir=work))
        return 5 * process([PYTHON, HERE / "rivals" / "folder.py", "torch", few, out])

    yield "## `convviz batch` on a folder"
    yield ""
    yield (
        f"{count} JPEG files of 1024x768 with `--tile full`; images per second, whole processes. The "
        "floor decodes each file and encodes a sheet that is there already, with the same codecs and as many "
        "processes."
    )
    yield ""
    yield "| against | convviz, images/s | other, images/s | ratio of images/s | wanted |"
    yield "|---|---|---|---|---|"
    cases = [
        (f"the floor, {cores} processes", lambda: other("floor", cores, sheet), ">= 0.85", 3),
        (f"OpenCV, {cores} processes", lambda: other("opencv", cores, weights), ">= 1.3", 3),
        ("torch and Pillow, one by one (a fifth of the files)", few_by_torch, ">= 4.5", 1),
        ("convviz, 1 worker", lambda: ours(1), ">= 1.8", 3),
    ]
    for name, theirs, wanted, pairs in cases:
        pair = in_turn(lambda: ours(cores), theirs, pairs=pairs, warm_up=False)
        yield (
            f"| {name} | {count / pair.ours:.1f} | {count / pair.theirs:.1f} "
            f"| {1 / pair.ratio:.2f} ({1 / pair.spread[1]:.2f} to {1 / pair.spread[0]:.2f}) | {wanted} |"
        )


def stages(work: Path, quick: bool) -> Iterator[str]:
    """Time what one file of a batch goes through, one thread, in this process."""
    from convviz.files import png

    source = work / "one.jpg"
    pictures.mosaic(source, (1024, 768))
    layer = convviz.Conv2d(3, 6, 3, padding=1)
    weights = convviz.seeded(layer)
    spent: dict[str, list[float]] = {}

    def timed(what, call):
        start = time.perf_counter()
        made = call()
        spent.setdefault(what, []).append(time.perf_counter() - start)
        return made

    def pack(array):
        with (work / "packed.png").open("wb") as file:
            png.write(file, array, {})

    def paint(sheet):
        for height, rows in sheet.strips():
            for top in range(0, height, 128):  # as the packer asks for them
                rows(top, min(top + 128, height))

    parallel.limit(1)
    for _ in range(5 if quick else 15):
        picture = timed("decode", lambda: convviz.read(source))
        x = timed("to floats", lambda picture=picture: np.array(picture.x))
        maps = timed("convolve", lambda x=x: conv.apply(layer, x, weights, backend="numpy"))
        result = convviz.run(picture, layer, weights)
        sheet = timed("convolve, find the scales, plan", lambda result=result: result.sheet(tile=None))
        timed("paint", lambda sheet=sheet: paint(sheet))
        painted = np.asarray(sheet.image())
        timed("pack", lambda painted=painted: pack(painted))
    parallel.limit(0)
    yield "## One file of a batch"
    yield ""
    yield (
        "A JPEG of 1024x768, `Conv2d(3, 6, 3, padding=1)`, `--tile full`, one thread; medians in "
        f"milliseconds of steps, each by itself ({maps.nbytes >> 20} MiB of maps, "
        f"{painted.nbytes >> 20} MiB of sheet)."
    )
    yield ""
    yield "| step | ms |"
    yield "|---|---|"
    for what, seconds in spent.items():
        yield f"| {what} | {1e3 * statistics.median(seconds):.1f} |"


def memory(work: Path, quick: bool) -> Iterator[str]:
    """Measure the peak memory of whole processes."""
    decode = (
        "import sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None; Image.open(sys.argv[1]).load()"
    )

    def peak(*words: object) -> float:
        return peak_memory([*CONVVIZ, "run", *words, "-O", "6", "-p", "1", "-o", work / "ours.png"])

    def decoded(path: Path) -> float:
        return peak_memory([PYTHON, "-c", decode, path])

    yield "## Memory"
    yield ""
    yield (
        "Peak memory of the process, in MiB; that of the decoded picture is that of a process which only "
        "loads it with Pillow."
    )
    yield ""
    yield "| what | convviz | against | ratio | wanted |"
    yield "|---|---|---|---|---|"
    middle = work / "12mp.jpg"
    if not middle.exists():
        pictures.mosaic(middle, (4000, 3000))
    ours = peak(middle, "--tile", "full")
    PIL.Image.MAX_IMAGE_PIXELS = None
    with PIL.Image.open(work / "ours.png") as sheet:
        other = decoded(middle) + 3 * sheet.width * sheet.height
    yield (
        f"| 12 megapixels, `--tile full`, 6 filters | {ours / 2**20:.0f} | decoded input and uncompressed "
        f"picture, {other / 2**20:.0f} | {ours / other:.2f} | <= 2.0 |"
    )
    if quick:
        return
    commands = {
        "`run`": ["run", "-O", "6", "-p", "1"],
        "`run --maps`": ["run", "-O", "6", "-p", "1", "--maps", work / "maps"],
        "`explain`": ["explain", "-O", "6", "-p", "1"],
        "`explore`": ["explore", "-O", "6", "-p", "1"],
        "`batch`": ["batch"],
        "`run --layers`": ["run", "--layers", "conv 6 k3 p1 | relu | maxpool 2 | conv 6 k3"],
    }
    yield ""
    yield ("Ratio to the decoded picture, whose MiB stand in the first row; what is refused has none.")
    yield ""
    sizes = [(1, (1250, 800)), (12, (4000, 3000)), (100, (12500, 8000)), (400, (20000, 20000))]
    found = {name: [] for name in ("decoded picture, MiB", *commands)}
    for megapixels, size in sizes:
        folder = work / f"mp{megapixels}"
        folder.mkdir()
        picture = folder / "picture.jpg"
        pictures.mosaic(picture, size)
        base = decoded(picture)
        found["decoded picture, MiB"].append(f"{base / 2**20:.0f}")
        for name, (command, *rest) in commands.items():
            ends = {"explore": ".html", "batch": ""}
            target = work / f"out{megapixels}{ends.get(command, '.png')}"
            words = (
                [folder, target, "-O", "6", "-p", "1"]
                if command == "batch"
                else [picture, *rest, "-o", target]
            )
            try:
                found[name].append(f"{peak_memory([*CONVVIZ, command, *words, '--force']) / base:.2f}")
            except RuntimeError:
                found[name].append("refused")
    yield "| | " + " | ".join(f"{megapixels} megapixels" for megapixels, _ in sizes) + " |"
    yield "|---|" + "---|" * len(sizes)
    for name, cells in found.items():
        yield f"| {name} | " + " | ".join(cells) + " |"


def merged(old: str, new: str) -> str:
    """Replace the sections that were measured now; keep those that other programs wrote, in their order."""
    (_, *before), (head, *made) = (re.split(r"^(?=## )", text, flags=re.MULTILINE) for text in (old, new))

    def title(part: str) -> str:
        return part.split("\n", 1)[0]

    now = {title(part): part for part in made}
    known = [title(part) for part in before]
    parts = [now.get(title(part), part) for part in before]
    parts += [part for name, part in now.items() if name not in known]
    return head.rstrip() + "\n\n" + "\n\n".join(part.strip() for part in parts) + "\n"


def main() -> None:
    """Run the chosen parts."""
    if any(name in os.environ for name in HELD):  # numpy's BLAS reads them when it is loaded
        kept = {name: value for name, value in os.environ.items() if name not in HELD}
        os.execve(sys.executable, [sys.executable, *sys.argv], kept)
    parts = ("layers", "run", "start", "batch", "stages", "memory")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *parts], help="which to run; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer pairs and smaller pictures")
    parser.add_argument("-o", "--output", type=Path, help="the file to write; stdout by default")
    chosen = parser.parse_args()
    wanted = chosen.parts or parts
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sections = {
            "layers": lambda: by_layers(chosen.quick),
            "run": lambda: whole_processes(work, chosen.quick),
            "start": lambda: start_up(chosen.quick),
            "batch": lambda: folders(work, chosen.quick),
            "stages": lambda: stages(work, chosen.quick),
            "memory": lambda: memory(work, chosen.quick),
        }
        lines = list(header())
        for name in parts:
            if name in wanted:
                lines.append("")
                for line in sections[name]():
                    print(line, flush=True)
                    lines.append(line)
    if chosen.output:
        old = chosen.output.read_text() if chosen.output.exists() else ""
        chosen.output.write_text(merged(old, "\n".join(lines) + "\n"))


if __name__ == "__main__":
    main()
