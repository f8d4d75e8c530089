"""Write what the documents take from the code: the options of all commands, exit statuses, pictures.

python docs/make_docs.py             writes everything
python docs/make_docs.py NAME.png …  writes the reference and these pictures
python docs/make_docs.py --check     says whether the reference is up to date, and writes nothing
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main
from PIL import Image

from convviz.cli.app import COMMANDS, make_app, status_of
from convviz.cli.exits import STATUS, Exit

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WRITTEN = "<!-- Written by docs/make_docs.py; do not edit. -->\n\n"
# An option in running text, or what is code already.
IN_TEXT = re.compile(r"`[^`]*`|(?<![\w-])--?[A-Za-z][\w-]*")
DEFAULT = re.compile(r" +\[default: ([^\]]*)\]")

# The headings of the help, as the pages have them.
PANELS = ("What", "Scene", "Sheet", "Layer", "Input", "Compute", "Batch", "Output")
OTHER_STATUSES = {
    Exit.OK: "Done.",
    Exit.BUG: "A bug in convviz; a traceback is printed.",
    Exit.INTERRUPTED: "Interrupted by Ctrl-C.",
    Exit.SIGNAL: "128 plus the number of a signal: ended by that signal, such as 143 by SIGTERM.",
}

PICTURES = {
    "run.png": "run samples/harbour.png --out-channels 6 --padding 1 --tile 250 --quiet",
    "pad.png": "pad samples/harbour.png --padding 100 --all-modes",
    "explain.png": "explain samples/harbour.png --at 200,431 --map 2 --padding 1",
    "groups.png": "explain samples/harbour.png --group-map --groups 3 --out-channels 6",
    "animate-harbour.gif": "animate samples/harbour.png --out-channels 1 --stride 2 --resize 48x48",
    "animate-sobel.gif": "animate samples/gray-5x5.csv --kernel sobel-x --padding 1",
    "animate-flat.gif": "animate --size 7x5 -k 3x2 -s 2x1 -d 1x2 -p 1,0,2,1",
    "animate-iso.gif": "animate --size 5x5 -s 2 -p 1 --style iso",
    "animate-transposed.gif": "animate --size 3x3 --transposed -s 2 -p 1 --output-padding 1 --style iso",
    "digits.png": "run samples/digit.png --net samples/digits.toml --weights samples/digits.safetensors",
    "gallery/one.jpg": "run samples/harbour.png --kernel laplacian",
    "gallery/many.jpg": "run samples/harbour.png --out-channels 64 --kernel-size 7 --stride 2 --padding 3",
    "gallery/trained.jpg": "run samples/zone-plate.png --net build/open-nsfw.onnx --layer Conv__440 "
    "--mode rgb --crop 224 --range byte --normalize 104,117,123,1,1,1",
    "gallery/portrait.jpg": "run samples/portrait.png --kernel sobel-x --kernel gaussian:sigma=2",
    "gallery/text.jpg": "run samples/text.png --kernel sobel-x --kernel laplacian",
    "gallery/night.jpg": "run samples/night.png --out-channels 3 --padding 1",
    "gallery/ramp.jpg": "run samples/ramp-16bit.png --kernel sobel-y --kernel box:size=5",
    "gallery/numbers.jpg": "run samples/classic.json --kernel 'ones=1 1 1; 1 1 1; 1 1 1' --out-channels 6",
    "gallery/relu.jpg": "run samples/harbour.png --layers 'conv 4 k5 s2 | relu | maxpool 2'",
    "gallery/dead.jpg": "run samples/harbour.png --kernel 'dead=0 0 0; 0 0 0; 0 0 0' --kernel sobel-x",
    "gallery/outlier.jpg": "run samples/outlier.csv --kernel box:size=3 --kernel sobel-x",
    "gallery/groups.jpg": "run samples/harbour.png --out-channels 3 --groups 3 --padding 1",
    "look.png": "look samples/digit.png --net samples/digits.toml --weights samples/digits.safetensors "
    "--layer conv1,conv2",
    "best.png": "best samples --weights samples/digits.safetensors --layer conv1 --mode gray "
    "--resize short:120 --pattern '*.png' --maps 5,6,7 --count 6 --quiet",
    "diff.png": "diff 'conv 6 k3 p1 | relu' 'conv 6 k3 p2 d2 | relu' samples/harbour.png --resize 160",
    "layer.png": "run samples/harbour.png --resize 160 --model samples/residual_net.py:ResidualNet "
    "--layer block.2",
    "filters.png": "filters samples/digits.safetensors --layer conv1 --frequency",
    "concepts/partial.png": "run samples/harbour.png --out-channels 2 --padding 1 --partial --tile 180",
    "concepts/value.png": "explain samples/classic.json --kernel 'ones=1 1 1; 1 1 1; 1 1 1' --bias-values 2",
    "concepts/padding.png": "pad samples/gray-5x5.csv --padding 1 --padding-mode reflect",
    "concepts/stride.gif": "animate --size 6x6 --stride 2",
    "concepts/dilation.gif": "animate --size 7x7 --dilation 2",
    "concepts/bias.png": "run samples/gray-5x5.csv --kernel 'first=0 0 0; 0 1 0; 0 0 0' "
    "--kernel 'second=0 0 0; 0 1 0; 0 0 0' --bias-values 0,5 --scale layer",
    "concepts/field.png": "run samples/harbour.png --resize 128 --layer conv2 --seed 12 "
    "--layers 'conv 4 k5 s2 | relu | maxpool 2 | conv 2 k3' --field 20,14 --no-kernels",
    "concepts/weight.png": "explain samples/gray-5x5.csv --weight 0,0,0,1 --kernel sobel-y",
    "concepts/flip.png": "run samples/impulse.csv --kernel 'mine=1 2 3; 4 5 6; 7 8 9' --padding 1 --flip",
    "matrix.png": "explain samples/gray-5x5.csv --as-matrix --kernel sobel-x",
    "weight.png": "explain samples/gray-5x5.csv --weight 0,0,0,2 --kernel sobel-y --padding 1 --stride 1x2",
}

# The small pictures of the README, and what they are made from. page.png is a screenshot of the first
# command of docs/howto/explore.md in a window of 1366x768.
SMALL_SIZE = (240, 150)
SMALL = {
    "maps.png": "gallery/one.jpg",
    "value.png": "explain.png",
    "kernels.png": "gallery/numbers.jpg",
    "padding.png": "pad.png",
    "layer.png": "layer.png",
    "layers.png": "digits.png",
    "look.png": "look.png",
    "best.png": "best.png",
    "diff.png": "diff.png",
    "animate.png": "animate-harbour.gif",
    "explore.png": "page.png",
}


def options_table(options: Iterable[Any]) -> str:
    """Tabulate options as Markdown, in the order of the help."""
    rows = ["| option | value | what it does | default |", "|---|---|---|---|"]
    for option in options:
        names = "/".join(f"`{name}`" for name in sorted((*option.opts, *option.secondary_opts), key=len))
        value = "" if option.is_flag else f"`{option.metavar}`".replace("|", "\\|")
        text, default = without_default((option.help or "").replace("|", "\\|"))
        if not default and option.secondary_opts:
            default = (option.opts if option.default else option.secondary_opts)[0]
        elif not default and option.default not in (None, False):
            default = str(option.default)
        shown = f"`{default}`" if default and " " not in default else default
        rows.append(f"| {names} | {value} | {text} | {shown} |")
    return "\n".join(rows) + "\n"


def options_of(command: Any, panel: str) -> list[Any]:
    """List the options of a command that its help has under one heading."""
    return [one for one in command.params if one.param_type_name == "option" and one.rich_help_panel == panel]


def command_page(name: str, command: Any) -> str:
    """Write the page of a command."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    words = [one.metavar.strip("[]") + ("..." if one.nargs == -1 else "") for one in arguments]
    usage = [word if one.required else f"[{word}]" for one, word in zip(arguments, words, strict=True)]
    text, _, examples = (command.help or "").partition("For example:")
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    parts = [
        f"# `convviz {name}`\n",
        fenced(" ".join(["convviz", name, "[OPTIONS]", *usage])),
        marked(text.strip()) + "\n",
        "For example:\n",
        fenced("\n".join(lines)),
    ]
    if arguments:
        rows = [f"| `{word}` | {marked(one.help)} |\n" for word, one in zip(words, arguments, strict=True)]
        parts.append("| argument | what it is |\n|---|---|\n" + "".join(rows))
    for panel in PANELS:
        if options := options_of(command, panel):
            parts += [f"## {panel}\n", marked(options_table(options))]
    more = [f"[{title}](../../howto/{path.name})" for path, title in guides(name)]
    if any("--json" in one.opts for one in command.params):
        more.append(f"[the keys of `--json`](../json.md#{name})")
    return WRITTEN + "\n".join([*parts, "## See also\n", "".join(f"* {one}\n" for one in more)])


def guides(command: str) -> Iterator[tuple[Path, str]]:
    """Find the pages by task whose titles name a command."""
    for path in sorted((DOCS / "howto").glob("*.md")):
        title = path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")
        if re.search(rf"`{command}\b", title):
            yield path, title


def marked(text: str) -> str:
    """Set options in running text as code, as the pages have them elsewhere."""
    return IN_TEXT.sub(lambda one: one[0] if one[0].startswith("`") else f"`{one[0]}`", text)


def fenced(text: str) -> str:
    """Put text between fences."""
    return f"```text\n{text}\n```\n"


def commands_page(commands: Mapping[str, Any]) -> str:
    """Write the list of the commands."""
    return (
        WRITTEN
        + "# Commands\n\n`convviz COMMAND --help` prints the same in a terminal.\n\n"
        + "| command | what it does |\n|---|---|\n"
        + "".join(f"| [`{name}`]({name}.md) | {marked(COMMANDS[name])} |\n" for name in commands)
        + "\n```{toctree}\n:hidden:\n\n"
        + "".join(f"{name}\n" for name in commands)
        + "```\n"
    )


def statuses_page() -> str:
    """Write the table of exit statuses, with what the errors behind them say of themselves."""
    of_errors: dict[int, list[str]] = {}
    for error, status in STATUS.items():
        what = (error.__doc__ or "").split("\n", 1)[0]
        of_errors.setdefault(status, []).append(f"`{error.__name__}`: {what}")
    rows = [
        (status.value, " ".join(of_errors.get(status, [OTHER_STATUSES.get(status, "")]))) for status in Exit
    ]
    return (
        WRITTEN
        + "# Exit statuses\n\nIn Python each error is the class that is named here, a `ConvvizError`.\n\n"
        + "| status | what happened |\n|---|---|\n"
        + "".join(f"| {value} | {what} |\n" for value, what in sorted(rows))
    )


def reference() -> dict[Path, str]:
    """Write everything that is text: the files, and what should be in them."""
    commands = typer.main.get_command(make_app()).commands
    folder = DOCS / "reference"
    pages = {folder / "commands" / f"{name}.md": command_page(name, one) for name, one in commands.items()}
    pages[folder / "commands" / "index.md"] = commands_page(commands)
    pages[folder / "statuses.md"] = statuses_page()
    return pages


def without_default(text: str) -> tuple[str, str]:
    """Split a help text into what it says and the default that it gives in words; empty if it gives none."""
    found = DEFAULT.search(text)
    return (DEFAULT.sub("", text), found[1]) if found else (text, "")


def small(source: Path) -> Image.Image:
    """Make the small picture of the README from a picture of the documents, or from its first frame."""
    with Image.open(source) as picture:
        found = picture.convert("RGB")
    found.thumbnail(SMALL_SIZE, Image.Resampling.LANCZOS)
    return found


def make(name: str, target: Path) -> None:
    """Run the command of a picture, among the samples."""
    os.chdir(ROOT)
    status = status_of([*shlex.split(PICTURES[name]), "--output", str(target), "--force"])
    # Networks that differ have a status of their own, after they are drawn.
    if status not in (0, Exit.BACKEND if name == "diff.png" else 0):
        sys.exit(f"{name}: status {status}")


def networks_of(name: str) -> list[str]:
    """List the trained networks that a picture is made of: `samples/fetch_trained.py` fetches them."""
    return re.findall(r"build/(\S+)\.onnx", PICTURES[name])


def reduction(name: str, width: int) -> int:
    """Choose by how much a picture is reduced: drawings have two pixels per unit, pages are read at one.

    The pictures of the gallery are smaller.
    """
    return -(-width // 1300) if name.endswith(".jpg") else 2 if width > 1600 else 1


def main() -> None:
    """Write the reference and the pictures, or check the reference."""
    pages = reference()
    if "--check" in sys.argv:
        stale = [
            path
            for path, text in pages.items()
            if not path.exists() or path.read_text(encoding="utf-8") != text
        ]
        stale += {*(DOCS / "reference" / "commands").iterdir()} - {*pages}
        names = ", ".join(path.relative_to(ROOT).as_posix() for path in stale)
        sys.exit(f"{names}: out of date; run docs/make_docs.py" if stale else 0)
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    for name in sys.argv[1:] or PICTURES:
        target = DOCS / "pictures" / name
        if networks := networks_of(name):
            fetch = ROOT / "samples" / "fetch_trained.py"
            subprocess.run([sys.executable, fetch, *networks], check=True)
        make(name, target)
        if name.endswith(".gif"):
            continue
        with Image.open(target) as picture:
            reduced = picture.convert("RGB").reduce(reduction(name, picture.width))
        reduced.save(target, optimize=True)
    for name, source in SMALL.items():
        small(DOCS / "pictures" / source).save(DOCS / "pictures" / "small" / name, optimize=True)


if __name__ == "__main__":
    main()
