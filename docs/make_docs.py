"""Write what the documents take from the code: the table of options and the pictures.

python docs/make_docs.py             writes both
python docs/make_docs.py NAME.png …  writes the table and these pictures
python docs/make_docs.py --check     says whether the table is up to date, and writes nothing
"""

import os
import re
import shlex
import sys
from pathlib import Path

import typer.main
from PIL import Image

from convviz.cli.app import make_app, status_of
from convviz.cli.exits import Exit

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- options: written by docs/make_docs.py -->\n", "<!-- end of options -->"
DEFAULT = re.compile(r" +\[default: ([^\]]*)\]")

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
    "gallery/portrait.jpg": "run samples/portrait.png --kernel sobel-x --kernel gaussian:sigma=2",
    "gallery/text.jpg": "run samples/text.png --kernel sobel-x --kernel laplacian",
    "gallery/night.jpg": "run samples/night.png --out-channels 3 --padding 1",
    "gallery/ramp.jpg": "run samples/ramp-16bit.png --kernel sobel-x --kernel box:size=5",
    "gallery/numbers.jpg": "run samples/classic.json --kernel 'ones=1 1 1; 1 1 1; 1 1 1' --out-channels 6",
    "gallery/relu.jpg": "run samples/harbour.png --layers 'conv 4 k5 s2 | relu | maxpool 2'",
    "gallery/dead.jpg": "run samples/harbour.png --kernel 'dead=0 0 0; 0 0 0; 0 0 0' --kernel sobel-x",
    "gallery/outlier.jpg": "run samples/outlier.csv --kernel box:size=3 --kernel sobel-x",
    "gallery/groups.jpg": "run samples/harbour.png --out-channels 3 --groups 3 --padding 1",
    "look.png": "look samples/digit.png --net samples/digits.toml --weights samples/digits.safetensors "
    "--layer conv1,conv2",
    "diff.png": "diff 'conv 6 k7 p3 | relu | maxpool 2 | conv 4' "
    "'conv 6 k7 p3 reflect | relu | maxpool 2 | conv 4' samples/harbour.png --resize 96",
    "filters.png": "filters samples/digits.safetensors --layer conv1 --frequency",
    "matrix.png": "explain samples/gray-5x5.csv --as-matrix --kernel sobel-x",
    "weight.png": "explain samples/gray-5x5.csv --weight 0,0,0,2 --kernel sobel-y --padding 1 --stride 1x2",
}


def options_table(command: str) -> str:
    """Tabulate the options of a command as Markdown, in the order of its help."""
    params = [
        param
        for param in typer.main.get_command(make_app()).commands[command].params
        if param.param_type_name == "option"
    ]
    order = ("Layer", "Input", "Compute", "Output")
    rows = ["| option | value | what it does | default |", "|---|---|---|---|"]
    for panel in order:
        for param in params:
            if param.rich_help_panel != panel:
                continue
            names = "/".join(f"`{name}`" for name in sorted((*param.opts, *param.secondary_opts), key=len))
            value = "" if param.is_flag else f"`{param.metavar}`".replace("|", "\\|")
            text, default = without_default((param.help or "").replace("|", "\\|"))
            if not default and param.secondary_opts:
                default = (param.opts if param.default else param.secondary_opts)[0]
            elif not default and param.default not in (None, False):
                default = str(param.default)
            shown = f"`{default}`" if default and " " not in default else default
            rows.append(f"| {names} | {value} | {text} | {shown} |")
    return "\n".join(rows) + "\n"


def without_default(text: str) -> tuple[str, str]:
    """Split a help text into what it says and the default that it gives in words; empty if it gives none."""
    found = DEFAULT.search(text)
    return (DEFAULT.sub("", text), found[1]) if found else (text, "")


def with_table(text: str) -> str:
    """Put the table into the text of the README."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + options_table("run") + END + rest.split(END)[1]


def make(name: str, target: Path) -> None:
    """Run the command of a picture, among the samples."""
    os.chdir(ROOT)
    status = status_of([*shlex.split(PICTURES[name]), "--output", str(target), "--force"])
    # Networks that differ have a status of their own, after they are drawn.
    if status not in (0, Exit.BACKEND if name == "diff.png" else 0):
        sys.exit(f"{name}: status {status}")


def reduction(name: str, width: int) -> int:
    """Choose by how much a picture is reduced: drawings have two pixels per unit, pages are read at one.

    The pictures of the gallery are smaller.
    """
    return -(-width // 1200) if name.endswith(".jpg") else 2 if width > 1600 else 1


def main() -> None:
    """Write the table and the pictures, or check the table."""
    text = README.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        sys.exit(
            0 if with_table(text) == text else "README.md: the options are out of date; run docs/make_docs.py"
        )
    README.write_text(with_table(text), encoding="utf-8")
    for name in sys.argv[1:] or PICTURES:
        target = ROOT / "docs" / "pictures" / name
        make(name, target)
        if name.endswith(".gif"):
            continue
        with Image.open(target) as picture:
            small = picture.convert("RGB").reduce(reduction(name, picture.width))
        small.save(target, optimize=True)


if __name__ == "__main__":
    main()
