"""Networks of torchvision at their full size: is every convolution reached, and what does that cost?

Each network is exported to ONNX, and its convolutions are computed by the engine of files, by that of
modules, and by a bare script that does the same and checks nothing:

    python benchmarks/networks.py [--dynamo] [--own] [NAME ...]

A column per engine says how many convolutions equal those of torch within 1e-5 of their greatest value, and
how far the worst is from the hook of torch; with `--own` those are counted that the convolution of convviz
makes alike of what arrives there. Times and memory are those of a process of its own, and the last columns
are ratios to the bare script.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

# Without inception_v3, whose batches must be of 299x299 to be calibrated.
NAMES = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet"),
    *("mnasnet1_0", "mobilenet_v2", "mobilenet_v3_large", "regnet_y_400mf", "resnet18"),
    *("resnet50", "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_0", "swin_t", "vgg16", "vit_b_16"),
    "wide_resnet50_2",
)


def picture():
    """An input of the usual size."""
    return np.random.default_rng(0).random((3, 224, 224), np.float32)


def made(name):
    """A network without trained weights, with statistics of batches."""
    import torch
    import zoo

    torch.manual_seed(0)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network = getattr(zoo.torchvision_models(), name)(weights=None, **options)
    return zoo.calibrated(network, torch.rand(4, 3, 224, 224))


def checked(engine, network, *, own):
    """Count the convolutions of torch, and those that an engine gives alike."""
    import torch
    from torch import nn

    from convviz.compute import conv
    from convviz.compute.networks.engine import activations

    x = picture()
    calls = []

    def hook(name):
        def keep(module, _, output):
            if isinstance(output, torch.Tensor):
                calls.append((name, module, output[0].clone().numpy()))

        return keep

    handles = [one.register_forward_hook(hook(name)) for name, one in network.named_modules() if name]
    with torch.no_grad():
        network(torch.from_numpy(x)[None])
    for handle in handles:
        handle.remove()
    remarks = {one.name: one.remark for one in engine.steps(x.shape)}
    convolutions = [(at, name) for at, (name, one, _) in enumerate(calls) if isinstance(one, nn.Conv2d)]
    names = [name for _, name in convolutions]
    good, worst = 0, 0.0
    found = activations(engine, x, names, reads=own)
    for at, name in convolutions:
        expected = calls[at + 1 if "folded" in remarks.get(name, "") else at][2]
        values = found[name].values
        most = np.abs(values).max()
        apart = np.abs(values - expected).max() / most
        worst = max(worst, float(apart))
        if own:
            described = engine.conv(name)
            ours = conv.apply(described.layer, found[name].read, described.weights, backend="torch")
            apart = np.abs(values - ours).max() / most
        good += bool(apart <= 1e-5)
    return f"{good} of {len(convolutions)}", worst


BARE = """
import sys, numpy, onnx, onnxruntime
model = onnx.load(sys.argv[1])
names = [node.output[0] for node in model.graph.node if node.op_type == "Conv"]
model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
x = numpy.random.default_rng(0).random((1, 3, 224, 224), numpy.float32)
made = session.run(names, {session.get_inputs()[0].name: x})
"""
ENGINE = """
import sys, numpy
from convviz.compute import networks
from convviz.compute.networks.engine import activations
engine = networks.open_onnx(sys.argv[1])
x = numpy.random.default_rng(0).random((3, 224, 224), numpy.float32)
made = activations(engine, x, sys.argv[2:])
"""


def measured(programs, times=3):
    """Median seconds and MiB of programs in processes of their own, which take turns."""
    # What getrusage tells of a child counts the memory of its parent.
    tail = "\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    rows = [[] for _ in programs]
    for _ in range(times):
        for found, (program, *arguments) in zip(rows, programs, strict=True):
            start = time.perf_counter()
            command = [sys.executable, "-c", program + tail, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append((time.perf_counter() - start, float(done.stdout.split()[-1]) / 1024))
    return [[statistics.median(column) for column in zip(*found, strict=True)] for found in rows]


def measure(name, *, dynamo, own):
    """One row of the table."""
    import zoo

    from convviz.compute import networks

    network = made(name)
    with tempfile.TemporaryDirectory() as folder:
        path = zoo.export(network, Path(folder) / "net.onnx", dynamo=dynamo, size=(224, 224))
        engine = networks.open_onnx(path)
        of_file = checked(engine, network, own=own)
        names = [one.name for one in engine.steps((3, 224, 224)) if one.convolution]
        del engine
        of_module = checked(networks.of_module(network), network, own=own)
        programs = [(BARE, str(path)), (ENGINE, str(path), *names)]
        (seconds, mib), (own_seconds, own_mib) = measured(programs)
    return {
        "network": name,
        "file": of_file[0],
        "file, hooks": f"{of_file[1]:.1e}",
        "module": of_module[0],
        "module, hooks": f"{of_module[1]:.1e}",
        "bare s": round(seconds, 2),
        "convviz s": round(own_seconds, 2),
        "bare MiB": round(mib),
        "convviz MiB": round(own_mib),
        "time": round(own_seconds / seconds, 2),
        "memory": round(own_mib / mib, 2),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks of torchvision")
    parser.add_argument("--dynamo", action="store_true", help="take the newer exporter")
    parser.add_argument("--own", action="store_true", help="compute the convolutions of convviz, too")
    chosen = parser.parse_args()
    rows = []
    for name in chosen.names or NAMES:
        rows.append(measure(name, dynamo=chosen.dynamo, own=chosen.own))
        print(json.dumps(rows[-1]), flush=True)
    for key in ("time", "memory"):
        print(f"median ratio of {key}: {statistics.median(row[key] for row in rows):.2f}")
    print(f"most memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
