"""Tell whether one commit is slower than another: `python benchmarks/compare.py OLD NEW`.

    python benchmarks/compare.py v0.1.0 HEAD [--pairs N] [--limit 1.1] [NAME ...]

Each commit is unpacked beside the other and compiled; the same commands are run in turn, in processes of
their own, with the packages of this environment. Printed are, for each command, the median and the quartiles
of the ratios of user and system time, new to old, and of the most memory. The status is 1 if a lower
quartile of time is above the limit.
"""

import argparse
import compileall
import statistics
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import timing

ROOT = Path(__file__).resolve().parents[1]
MODULE = ["-m", "convviz"]
COMMANDS = {
    "import": ["-c", "import convviz; convviz.conv2d"],
    "version": [*MODULE, "--version"],
    "shape": [*MODULE, "shape", "3x224x224", "-O", "64", "-k", "7", "-s", "2", "-p", "3"],
    "run": [*MODULE, "run", "samples/harbour.png", "-O", "6", "-p", "1", "-o", "{out}/a.png"],
    "run 64": [*MODULE, "run", "samples/harbour.png", "-O", "64", "-k", "7", "-s", "2", "-o", "{out}/b.png"],
    "explain": [*MODULE, "explain", "samples/harbour.png", "-O", "6", "-p", "1", "-o", "{out}/c.png"],
    "explore": [*MODULE, "explore", "samples/harbour.png", "-p", "1", "-o", "{out}/d.html"],
    "net": [
        *MODULE,
        "run",
        "samples/harbour.png",
        "--net",
        "resnet18",
        "--resize",
        "128",
        "-o",
        "{out}/e.png",
    ],
    "batch": [*MODULE, "batch", "samples", "{out}/batch", "--pattern", "*.png", "-p", "1", "--force"],
}


def unpacked(commit, folder):
    """Put the files of a commit into a folder, compiled."""
    made = folder / "tree"
    data = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        archive.extractall(made, filter="data")
    compileall.compile_dir(made / "convviz", quiet=2)
    return made


def spent(tree, words):
    """Run a command with the convviz of a tree; give its processor time in seconds and its memory in MB."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, *(word.format(out=out) for word in words)]
        return timing.spent(command, folder=tree, PYTHONPATH=str(tree))


def main():
    """Measure, print a row for each command, and tell by the status whether one is slower."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("names", nargs="*", default=list(COMMANDS))
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--limit", type=float, default=1.1)
    chosen = parser.parse_intermixed_args()
    slower = []
    with tempfile.TemporaryDirectory() as name:
        trees = []
        for at, commit in enumerate((chosen.old, chosen.new)):
            (Path(name) / str(at)).mkdir()
            trees.append(unpacked(commit, Path(name) / str(at)))
        print(
            "| command | old, s | new, s | time, new to old | quartiles | memory |\n|---|---|---|---|---|---|"
        )
        for what in chosen.names:
            try:
                pairs = [[spent(tree, COMMANDS[what]) for tree in trees] for _ in range(chosen.pairs + 1)][1:]
            except RuntimeError as error:
                print(f"| {what} | {error} | | | | |")
                continue
            old, new = (statistics.median(pair[at][0] for pair in pairs) for at in (0, 1))
            ratios = [pair[1][0] / pair[0][0] for pair in pairs]
            low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
            held = statistics.median(pair[1][1] / pair[0][1] for pair in pairs)
            slower += [what] if low > chosen.limit else []
            print(
                f"| {what} | {old:.2f} | {new:.2f} | {middle:.2f} | {low:.2f} to {high:.2f} | {held:.2f} |",
                flush=True,
            )
    print(f"slower: {', '.join(slower) or 'none'}")
    sys.exit(bool(slower))


if __name__ == "__main__":
    main()
