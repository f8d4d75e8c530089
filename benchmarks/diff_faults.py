"""Plant faults in networks, and see whether `convviz.diff` names the right layer.

    python benchmarks/diff_faults.py [--seed N] [--quick]

Every fault changes one layer of a copy of a network with random weights: a weight, a bias, an epsilon, the
statistics of a normalization, a padding mode, a dilation of the same output, the order of filters, another
kind of layer, two layers exchanged. A fault counts if hooks of torch say that it changes the output of its
layer by more than the tolerance for this input; else another place is drawn. The changed copy is compared
with the module itself, and with the file of the unchanged module by one of torch's two exporters. It is found
if the first layer at which the two part is the changed one; beside a file, where a normalization is folded
into the convolution before it, if it is the pair with that normalization. The networks without a fault are
compared too, each with its two files and the files with each other: none may be reported.
"""

import argparse
import copy
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import zoo

import convviz
from convviz.spec.differing import OF_LAYERS

SIZE = 64
# Networks of torchvision, and small ones of the tests.
LARGE = ("resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5")
SMALL = ("U-Net", "ResNet", "MobileNet", "DenseNet")
FAULTS = 50
SWAPPED = "two layers swapped"


def network(name: str) -> nn.Module:
    """Make a network with statistics of its own, in evaluation mode."""
    if name in SMALL:
        return zoo.network(name)
    torch.manual_seed(0)
    batch = torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return zoo.calibrated(getattr(zoo.torchvision_models(), name)(), batch)


def picture(name: str) -> np.ndarray:
    """Make an input on which no two rows or columns agree."""
    side = 32 if name in SMALL else SIZE
    return np.random.default_rng(3).random((3, side, side), np.float32)


def change_weight(one, chance):
    with torch.no_grad():
        place = tuple(chance.randrange(side) for side in one.weight.shape)
        one.weight[place] += 0.5 * one.weight.abs().max()


def change_bias(one, chance):
    with torch.no_grad():
        one.bias[chance.randrange(len(one.bias))] += 0.5


def change_epsilon(one, chance):
    one.eps = 0.01


def change_mean(one, chance):
    with torch.no_grad():
        one.running_mean[chance.randrange(len(one.running_mean))] += 0.5 * one.running_var.max().sqrt()


def change_padding_mode(one, chance):
    modes = [mode for mode in ("reflect", "replicate", "circular") if mode != one.padding_mode]
    one.padding_mode = chance.choice(modes)
    one._reversed_padding_repeated_twice = [side for side in reversed(one.padding) for _ in (0, 1)]


def change_dilation(one, chance):
    """Another dilation, with the padding that keeps the size of the output."""
    one.padding = tuple(side + (k - 1) // 2 for side, k in zip(one.padding, one.kernel_size, strict=True))
    one.dilation = (2, 2)


def swap_filters(one, chance):
    order = list(range(one.weight.shape[0]))
    first, second = chance.sample(order, 2)
    order[first], order[second] = order[second], order[first]
    with torch.no_grad():
        one.weight.copy_(one.weight[order])


def flip_kernels(one, chance):
    with torch.no_grad():
        one.weight.copy_(one.weight.flip(2, 3))


def to_bfloat16(one, chance):
    with torch.no_grad():
        one.weight.copy_(one.weight.bfloat16().float())


def average(one, chance):
    """An average pool in place of a maximum pool: returned, since the layer itself is replaced."""
    return nn.AvgPool2d(one.kernel_size, one.stride, one.padding, ceil_mode=one.ceil_mode)


def leaky(one, chance):
    return nn.LeakyReLU(0.1)


# A fault: what it is called, the kind of layer, the change, and what the layer needs for it to be one.
Change = Callable[[nn.Module, random.Random], nn.Module | None]
CHANGES: tuple[tuple[str, type, Change, Callable[[nn.Module], bool]], ...] = (
    ("a weight", nn.Conv2d, change_weight, lambda one: True),
    ("a bias", nn.Conv2d, change_bias, lambda one: one.bias is not None),
    ("an epsilon", nn.BatchNorm2d, change_epsilon, lambda one: True),
    ("a mean", nn.BatchNorm2d, change_mean, lambda one: True),
    (
        "a padding mode",
        nn.Conv2d,
        change_padding_mode,
        lambda one: one.padding == (1, 1) and one.kernel_size == (3, 3),
    ),
    (
        "a dilation",
        nn.Conv2d,
        change_dilation,
        lambda one: one.kernel_size == (3, 3) and one.padding == (1, 1) and one.dilation == (1, 1),
    ),
    ("filters swapped", nn.Conv2d, swap_filters, lambda one: one.weight.shape[0] > 1),
    ("kernels flipped", nn.Conv2d, flip_kernels, lambda one: min(one.kernel_size) > 1),
    ("weights of bfloat16", nn.Conv2d, to_bfloat16, lambda one: True),
    ("average for maximum", nn.MaxPool2d, average, lambda one: True),
    ("leaky ReLU", nn.ReLU, leaky, lambda one: True),
    ("a weight", nn.Linear, change_weight, lambda one: True),
)


def swapped(other: nn.Module, chance: random.Random) -> str | None:
    """Exchange two convolutions of one shape; return the name of the first one."""
    known: dict[tuple, list[str]] = {}
    for name, one in other.named_modules():
        if isinstance(one, nn.Conv2d):
            key = (one.weight.shape, one.stride, one.padding, one.dilation, one.groups, one.bias is None)
            known.setdefault(key, []).append(name)
    several = [names for names in known.values() if len(names) > 1]
    if not several:
        return None
    names = chance.choice(several)
    first, second = sorted(chance.sample(range(len(names)), 2))
    modules = [other.get_submodule(names[at]) for at in (first, second)]
    for at, one in zip((second, first), modules, strict=True):
        parent, _, last = names[at].rpartition(".")
        setattr(other.get_submodule(parent), last, one)
    return names[first]


def effect(whole: nn.Module, other: nn.Module, where: str, x: np.ndarray) -> float:
    """Measure with hooks of torch how much the output of a layer changes, as a share of the largest."""
    made = []
    for module in (whole, other):
        kept: list[torch.Tensor] = []
        hook = module.get_submodule(where).register_forward_hook(
            lambda one, read, output, kept=kept: kept.append(output.clone())
        )
        with torch.no_grad():
            module(torch.from_numpy(x)[None])
        hook.remove()
        made.append(kept[0])
    if made[0].shape != made[1].shape:
        return float("inf")
    largest = float((made[0] - made[1]).abs().max())
    return largest / float(made[0].abs().max()) if largest else 0.0


def planted(whole: nn.Module, label: str, chance: random.Random) -> tuple[nn.Module, str] | None:
    """Plant one fault into a copy of a network; return it with the name of the layer."""
    if label == SWAPPED:
        other = copy.deepcopy(whole)
        where = swapped(other, chance)
        return None if where is None else (other, where)
    kinds = [one for one in CHANGES if one[0] == label]
    other = copy.deepcopy(whole)
    places = [
        (name, one, change)
        for _, kind, change, fits in kinds
        for name, one in other.named_modules()
        if isinstance(one, kind) and fits(one)
    ]
    if not places:
        return None
    name, one, change = chance.choice(places)
    new = change(one, chance)
    if new is not None:
        parent, _, last = name.rpartition(".")
        setattr(other.get_submodule(parent), last, new.eval())
    return other, name


def faults(seed: int, names: tuple[str, ...]) -> Iterator[tuple[str, nn.Module, nn.Module, str, str]]:
    """Yield networks with one fault each: every kind in turn, over the networks in turn."""
    chance = random.Random(seed)
    networks = {name: network(name) for name in names}
    labels = [*dict.fromkeys(label for label, *_ in CHANGES), SWAPPED]
    made = turn = without = 0
    while made < FAULTS:
        name, label = names[turn % len(names)], labels[(turn + turn // len(names)) % len(labels)]
        turn += 1
        found = planted(networks[name], label, chance)
        while found and effect(networks[name], *found, picture(name)) <= OF_LAYERS:
            # Such as a weight that only ever meets padding, or a channel that is 0.
            without += 1
            found = planted(networks[name], label, chance)
        if found is not None:
            made += 1
            yield name, networks[name], found[0], label, found[1]
    print(f"{without} faults drawn besides had no effect beyond the tolerance on the output of their layer")


def is_right(found: convviz.Differences, where: str) -> bool:
    """Return whether the first layer at which the two part is the changed one, by its name on either side."""
    first = found.first
    if first is None or found.note:
        return False
    return where in (one.partition(":")[0] for one in (first.name, first.other))


def main() -> None:
    """Print a row per fault, and the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="only the small networks")
    chosen = parser.parse_args()
    names = SMALL if chosen.quick else (*SMALL, *LARGE)
    start, counts, worst = time.perf_counter(), {"module": 0, "file": 0}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, list[Path]] = {}
        clean = total = 0
        for name in names:
            x, module = picture(name), network(name)
            files[name] = [
                zoo.export(module, Path(folder) / f"{name}-{at}.onnx", dynamo=bool(at), size=x.shape[1:])
                for at in (0, 1)
            ]
            for a, b in ((module, module), (module, files[name][0]), (module, files[name][1]), files[name]):
                found = convviz.diff(a, b, x)
                total += 1
                clean += found.within
                worst = max(worst, found.largest.relative)
                if not found.within:
                    print(f"FALSE ALARM {name}: {found}")
        print(f"no fault: {clean} of {total} comparisons agree, largest relative difference {worst:.1e}")
        for at, (name, module, other, label, where) in enumerate(faults(chosen.seed, names)):
            x = picture(name)
            of_module = convviz.diff(module, other, x)
            of_file = convviz.diff(files[name][at % 2], other, x)
            right = {"module": is_right(of_module, where), "file": is_right(of_file, where)}
            for kind, one in right.items():
                counts[kind] += one
            told = "" if all(right.values()) else f"  MISSED: {of_module.sentence} / {of_file.sentence}"
            print(f"{at + 1:2} {name:20} {label:22} {where:40} {right}{told}", flush=True)
    for kind, count in counts.items():
        print(f"beside the {kind}: {count} of {FAULTS} found in the right layer")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
