"""Compare `convviz best` with a plain loop over forward hooks, and with only running the network.

    python benchmarks/best_oracle.py [--pairs 3] [--pictures 2000]

ResNet-18 of torchvision with random weights, on generated pictures of 64 x 64 pixels in a temporary
folder, one working process with one thread. The comparison is on 200 pictures. Times are user plus
system seconds of all processes, start included; memory is the largest resident set of any of them.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
LAYERS = ("conv1", "layer1.0.conv1", "layer2.0.conv2", "layer4")
COUNT = 9
NET = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import torch, zoo

def Net():
    torch.manual_seed(0)
    return zoo.torchvision_models().resnet18(weights=None)
"""
READING = """
import sys
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from net import Net

torch.set_num_threads(1)
module = Net().eval()

def pictures(folder):
    for path in sorted(Path(folder).iterdir()):
        with Image.open(path) as image:
            pixels = np.asarray(image, np.float32) / 255
        yield path.name, torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
"""
ONLY = (
    READING
    + """
with torch.no_grad():
    for _, x in pictures(sys.argv[1]):
        module(x)
"""
)
HOOKS = (
    READING
    + """
import json
layer, count, kept, every = sys.argv[2], int(sys.argv[3]), [], []
dict(module.named_modules())[layer].register_forward_hook(lambda one, given, made: kept.append(made.clone()))
with torch.no_grad():
    for name, x in pictures(sys.argv[1]):
        kept.clear()
        module(x)
        maps = kept[0][0].numpy()
        flat = maps.reshape(len(maps), -1)
        at = flat.argmax(1)
        places = [divmod(int(i), maps.shape[2]) for i in at]
        every.append([(float(row[i]), name, *place) for row, i, place in zip(flat, at, places)])
print(json.dumps([sorted(rows, key=lambda one: -one[0])[:count] for rows in zip(*every)]))
"""
)


def draw(folder: Path, count: int) -> Path:
    """Make pictures: noise of several widths, with squares."""
    folder.mkdir()
    numbers = np.random.default_rng(0)
    for index in range(count):
        side = int(numbers.choice([4, 8, 16, 32, 64]))
        small = Image.fromarray(numbers.integers(0, 256, (side, side, 3), np.uint8))
        pixels = np.array(small.resize((64, 64), Image.Resampling.BICUBIC))
        y, x, size = numbers.integers(0, 48), numbers.integers(0, 48), numbers.integers(4, 16)
        pixels[y : y + size, x : x + size] = numbers.integers(0, 256, 3)
        Image.fromarray(pixels).save(folder / f"{index:06}.png")
    return folder


def environment() -> dict[str, str]:
    """The environment of a user, without the settings of this project's machines."""
    left = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in left}


def cost(command: list[str], place: Path) -> tuple[float, float]:
    """Run a program; give user plus system seconds, and MiB of the largest process."""
    process = subprocess.Popen(command, cwd=place, env=environment(), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def best(folder: Path, layer: str, kept: str, *more: str) -> list[str]:
    """Write the command that is measured."""
    words = ["best", str(folder), "--model", "net.py:Net", "--layer", layer, "--workers", "1", "--work", kept]
    return [sys.executable, "-m", "convviz", *words, "--output", f"{kept}.png", "--quiet", *more]


def compare(folder: Path, place: Path) -> None:
    """Count the maps whose pictures, positions or values differ from those of the loop over hooks."""
    for layer in LAYERS:
        loop = [sys.executable, "-c", HOOKS, str(folder), layer, str(COUNT)]
        told = subprocess.run(loop, cwd=place, env=environment(), capture_output=True, check=True)
        expected = json.loads(told.stdout)
        which = ",".join(map(str, range(len(expected))))
        command = best(folder, layer, f"oracle-{layer}", "--maps", which, "--tile", "16", "--json")
        told = subprocess.run(command, cwd=place, env=environment(), capture_output=True, check=True)
        sets = places = 0
        apart = 0.0
        for row, rows in zip(json.loads(told.stdout)["maps"], expected, strict=True):
            found = [(one["path"], *one["at"]) for one in row["patches"]]
            sets += {name for name, _, _ in found} == {one[1] for one in rows}
            places += found == [tuple(one[1:]) for one in rows]
            values = zip(row["patches"], rows, strict=True)
            apart = max(
                apart, *(abs(one["value"] - value[0]) / (abs(value[0]) or 1) for one, value in values)
            )
        print(
            f"{layer}: {len(expected)} maps; equal sets {sets}, equal order and positions {places}; "
            f"largest relative difference {apart:.1e}",
            flush=True,
        )


def interrupt(folder: Path, place: Path) -> None:
    """Press Ctrl-C in the middle, and run the command again."""
    command = best(folder, "layer4", "stopped", "--json")
    process = subprocess.Popen(command, cwd=place, env=environment(), stdout=subprocess.PIPE)
    while sum(1 for _ in (place / "stopped").glob("*.npy")) < 50:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    told = subprocess.run(command, cwd=place, env=environment(), capture_output=True, check=True)
    batch = json.loads(told.stdout)["batch"]
    print(f"after Ctrl-C: {batch['unchanged']} left as they were, {batch['done']} done", flush=True)


def main() -> None:
    """Print the comparison, the ratio of costs, and the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "net.py").write_text(NET)
        few, many = draw(place / "few", 200), draw(place / "many", given.pictures)
        compare(few, place)
        interrupt(few, place)
        _, small = cost(best(few, "layer4", "small"), place)
        ratios = []
        for pair in range(given.pairs):
            only, _ = cost([sys.executable, "-c", ONLY, str(many)], place)
            ours, large = cost(best(many, "layer4", f"large-{pair}"), place)
            ratios.append(ours / only)
            print(f"only the network {only:.1f} s, best {ours:.1f} s: {ratios[-1]:.3f}", flush=True)
        print(f"median ratio {statistics.median(ratios):.3f}")
        print(f"memory: {small:.0f} MiB of 200 pictures, {large:.0f} MiB of {given.pictures:,}")


if __name__ == "__main__":
    main()
