"""The presets of the page: their kernels, in groups, each explained in a line."""

from typing import Any

from convviz.spec.kernels import entries
from convviz.spec.kernels.presets import SETS

# Presets that belong to no set, by what they do to a picture.
_PURPOSES = {
    "blur and move": ("identity", "gaussian-3", "gaussian-5", "box", "gaussian", "motion", "shift"),
    "sharpen": ("sharpen", "sharpen-8", "unsharp", "emboss"),
    "outlines, spots and stripes": ("outline", "laplacian", "laplacian-8", "log-5", "log", "dog", "gabor"),
}
_PURPOSE_OF = {name: purpose for purpose, names in _PURPOSES.items() for name in names}


def grouped_presets() -> list[dict[str, Any]]:
    """List all presets in the order of the page.

    Returns
    -------
    list of dict
        Of each preset ``name``, ``kernel`` (rows of numbers), ``divisor``, ``about`` (one line),
        and ``group``, the heading under which it is shown. Presets of a group follow each other.

    Examples
    --------
    >>> grouped_presets()[0]["name"], grouped_presets()[0]["group"]
    ('identity', 'blur and move')
    """
    found = [
        {
            "name": entry.kernel.name,
            "kernel": entry.kernel.values,
            "divisor": entry.kernel.divisor,
            "about": entry.kernel.about,
            "group": SETS[entry.set_name] if entry.set_name else _PURPOSE_OF[entry.kernel.name],
        }
        for entry in entries()
    ]
    order = [*_PURPOSES, *SETS.values()]
    return sorted(found, key=lambda one: order.index(one["group"]))
