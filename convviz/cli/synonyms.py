"""What somebody meant who took another word for an option, or another option for a torch module."""

import difflib
import importlib.util
import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from convviz.text import in_quotes

# What other tools, or the fields of a layer, call our options; the first that a command has is suggested.
SYNONYMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("filters", "num-filters", "n-filters", "features", "channels"), ("out-channels",)),
    **dict.fromkeys(("ksize", "kernel-shape", "filter-size", "taps"), ("kernel-size",)),
    "size": ("kernel-size", "resize"),
    "filter": ("kernel",),
    **dict.fromkeys(("strides", "step"), ("stride",)),
    **dict.fromkeys(("pad", "pads", "border"), ("padding",)),
    **dict.fromkeys(("pad-mode", "border-mode"), ("padding-mode",)),
    **dict.fromkeys(("dilations", "dilation-rate", "atrous", "rate"), ("dilation",)),
    "group": ("groups",),
    **dict.fromkeys(("use-bias", "biases"), ("bias",)),
    "bias-value": ("bias-values",),
    "random-seed": ("seed",),
    **dict.fromkeys(("model", "network"), ("net",)),
    **dict.fromkeys(("state-dict", "checkpoint"), ("weights",)),
    **dict.fromkeys(("rotate", "convolution"), ("flip",)),
    **dict.fromkeys(("width", "height", "image-size", "input-size"), ("resize",)),
    **dict.fromkeys(("norm", "mean", "std"), ("normalize",)),
    **dict.fromkeys(("cmap", "palette"), ("colormap",)),
    "cols": ("columns",),
    **dict.fromkeys(("engine", "framework"), ("backend",)),
    **dict.fromkeys(("gpu", "cuda"), ("device",)),
    **dict.fromkeys(("out", "outfile", "output-file", "save-as"), ("output",)),
    **dict.fromkeys(("overwrite", "yes"), ("force",)),
    "silent": ("quiet",),
}


def meant_by(typed: str, known: Collection[str]) -> str | None:
    """Find the option that somebody meant, among those that are `known`: by its meaning, else by its letters.

    Examples
    --------
    >>> meant_by("--pad", ["--padding", "--at"]), meant_by("--kernel_size", ["--kernel-size"])
    ('--padding', '--kernel-size')
    >>> meant_by("--straid", ["--stride", "--at"])
    '--stride'
    >>> print(meant_by("--zoom", ["--padding"]))
    None
    """
    word = typed.lstrip("-").replace("_", "-").lower()
    names = [option.removeprefix("--") for option in known if option.startswith("--")]
    # The dashes, which all options have in common, are no likeness.
    near = (*SYNONYMS.get(word, ()), *difflib.get_close_matches(word, names, n=1))
    return next((f"--{name}" for name in (word, *near) if name in names), None)


# FILE.py, FILE.py:NAME and package.module:NAME, but no address such as s3://photos.
_FILE = re.compile(r"(?P<where>.+\.py)(:(?P<name>[A-Za-z_][\w.]*)?)?")
_PACKAGE = re.compile(r"(?P<where>[A-Za-z_]\w*(\.\w+)+):(?P<name>[A-Za-z_][\w.]*)")


def module_meant(message: str, arguments: Sequence[str]) -> str:
    """Find a torch module that was not given by --model among the words that a message quotes.

    Parameters
    ----------
    message : str
        What was wrong.
    arguments : sequence of str
        The words of the command line.

    Returns
    -------
    str
        A command that takes the module as one; empty if there is none.

    Examples
    --------
    >>> module_meant("cannot read 'net.py:Net'.", ["shape", "net.py:Net"])
    'convviz layers --model net.py:Net'
    >>> module_meant("no network named 'resnet'.", ["run", "x.png", "--net", "resnet"])
    ''
    """
    for before, word in pairwise(["", *arguments]):
        typed = word.partition("=")[2] if word.startswith("--") else word
        found = _FILE.fullmatch(typed) or _PACKAGE.fullmatch(typed)
        if before == "--model" or found is None or in_quotes(typed) not in message:
            continue
        # A file of arrays may have a name behind a colon too, as in FILE.npz:NAME.
        package = found["where"].partition(".")[0]
        if found.re is _FILE or importlib.util.find_spec(package) is not None:
            return f"convviz layers --model {found['where']}:{found['name'] or 'NAME'}"
    return ""
