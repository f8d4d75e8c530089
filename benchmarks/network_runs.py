"""`convviz run` on networks, paired with bare scripts that run the same outputs and draw nothing.

    python benchmarks/network_runs.py [--pairs N] [NAME ...]

For eleven networks of torchvision at 224x224: an overview of the ONNX file against onnxruntime giving the
same activations, and one layer of the module against a script with one hook. Times are user and system time
of processes, memory is the most that they held; of N pairs the median of the ratios is printed.

With ``--folder``, `convviz batch --net` on 60 photos against a loop that decodes, runs and encodes them with
as many processes: pictures per second of both, and their ratio.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pictures
from timing import in_turn, process, spent

from convviz.machine import parallel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

NAMES = (
    *("alexnet", "densenet121", "efficientnet_b0", "googlenet", "inception_v3"),
    *("mobilenet_v2", "resnet18", "resnet50", "shufflenet_v2_x1_0", "squeezenet1_0", "vgg16"),
)
PHOTOS = 60
SCRIPT_FILE = """
import sys, numpy as np, onnx, onnxruntime
from PIL import Image
path, picture, *names = sys.argv[1:]
x = np.asarray(Image.open(picture).convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
model = onnx.load(path)
known = {one.name for one in model.graph.output}
model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
for one in session.run(names, {model.graph.input[0].name: x}):
    one.max()
"""
SCRIPT_MODULE = """
import sys, numpy as np, torch
sys.path.insert(0, sys.argv[1])
import model
from PIL import Image
x = np.asarray(Image.open(sys.argv[2]).convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
torch.manual_seed(0)
network = model.make().eval()
found = []
network.get_submodule(sys.argv[3]).register_forward_hook(lambda layer, given, made: found.append(made))
with torch.no_grad():
    network(torch.from_numpy(x))
found[0].max()
"""
MODEL = """
import sys
sys.path.insert(0, {tests!r})
import zoo
def make():
    options = {{"init_weights": False}} if {name!r} in ("googlenet", "inception_v3") else {{}}
    return getattr(zoo.torchvision_models(), {name!r})(weights=None, **options)
"""


def ratios(ours, theirs, pairs):
    """The medians of time and memory of pairs of runs, ours divided by theirs."""
    found = []
    for _ in range(pairs):
        (time, memory), (bare_time, bare_memory) = spent(ours), spent(theirs)
        found.append((time / bare_time, memory / bare_memory))
    return tuple(statistics.median(column) for column in zip(*found, strict=True))


def in_folder(name, path, folder, pairs):
    """Print how many pictures per second `batch` does, and the loop."""
    photos = folder / "photos"
    if not photos.exists():
        pictures.folder(photos, PHOTOS)
    workers, sheet = str(parallel.cores()), folder / "sheet.png"
    convviz = [sys.executable, "-m", "convviz"]
    options = ["--net", str(path), "--resize", "224x224"]
    process([*convviz, "run", next(iter(sorted(photos.iterdir()))), *options, "-o", sheet, "--force", "-q"])

    def ours():
        out = tempfile.mkdtemp(dir=folder)
        return process([*convviz, "batch", photos, out, *options, "--workers", workers, "--quiet"])

    def theirs():
        out = tempfile.mkdtemp(dir=folder)
        rival = Path(__file__).parent / "rivals" / "folder.py"
        return process([sys.executable, rival, "network", photos, out, workers, f"{sheet}:{path}"])

    pair = in_turn(ours, theirs, pairs=pairs, warm_up=False)
    found = {"batch": PHOTOS / pair.ours, "loop": PHOTOS / pair.theirs, "ratio": 1 / pair.ratio}
    print(json.dumps({"name": name} | {key: round(value, 2) for key, value in found.items()}), flush=True)


def main():
    """Measure, and print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", action="store_true")
    parser.add_argument("names", nargs="*", default=NAMES)
    chosen = parser.parse_args()
    import torch
    import zoo
    from PIL import Image

    from convviz.compute import networks
    from convviz.compute.networks.overview import overview_steps

    rows = []
    convviz = [sys.executable, "-m", "convviz"]
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        pixels = np.random.default_rng(0).integers(0, 255, (224, 224, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "p.png")
        for name in chosen.names:
            options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
            torch.manual_seed(0)
            module = getattr(zoo.torchvision_models(), name)(weights=None, **options).eval()
            path = zoo.export(module, folder / f"{name}.onnx", dynamo=False, size=(224, 224))
            engine = networks.open_onnx(path)
            shown = overview_steps(engine.steps((3, 224, 224)))
            values = [engine.value_names(one.name)[1] for one in shown]
            (folder / "model.py").write_text(
                MODEL.format(tests=str(Path(__file__).resolve().parents[1] / "tests"), name=name)
            )
            inner = [key for key, one in module.named_modules() if isinstance(one, torch.nn.Conv2d)]
            layer = inner[len(inner) // 2]
            picture, written = str(folder / "p.png"), ["-o", str(folder / "o.png"), "-q"]
            if chosen.folder:
                in_folder(name, path, folder, chosen.pairs)
                continue
            file = ratios(
                [*convviz, "run", picture, "--net", str(path), *written],
                [sys.executable, "-c", SCRIPT_FILE, str(path), picture, *values],
                chosen.pairs,
            )
            one = ratios(
                [*convviz, "run", picture, "--model", f"{folder}/model.py:make", "--layer", layer, *written],
                [sys.executable, "-c", SCRIPT_MODULE, str(folder), picture, layer],
                chosen.pairs,
            )
            rows.append((*file, *one))
            print(json.dumps({"name": name, "layer": layer, "file": file, "module": one}), flush=True)
            path.unlink()
    if chosen.folder:
        return
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    print("median: file {:.2f} time, {:.2f} memory; module {:.2f} time, {:.2f} memory".format(*middle))


if __name__ == "__main__":
    main()
