"""Other words for our options, for people who know another tool."""

import difflib
from collections.abc import Collection

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
