"""Look up kernels by name, by formula and by their numbers.

A new preset only needs a table row in ``presets.py``. Kernel values are applied as
cross-correlation, top left first, as ``torch.nn.Conv2d`` applies its weights.
"""

from convviz.spec.kernels.kernel import Kernel, KernelValues
from convviz.spec.kernels.lookup import (
    Entry,
    Filter,
    Listed,
    complete,
    entries,
    find,
    kernels,
    preset_names,
    resolve,
    search,
)
from convviz.spec.kernels.parse import (
    FILE_SUFFIXES,
    PROGRAMS,
    KernelRequest,
    Kind,
    could_be_size,
    parse_literal,
    parse_request,
)
from convviz.spec.kernels.presets import FORMULAS, PRESETS, SETS, Formula, Parameter

__all__ = [
    "FILE_SUFFIXES",
    "FORMULAS",
    "PRESETS",
    "PROGRAMS",
    "SETS",
    "Entry",
    "Filter",
    "Formula",
    "Kernel",
    "KernelRequest",
    "KernelValues",
    "Kind",
    "Listed",
    "Parameter",
    "complete",
    "could_be_size",
    "entries",
    "find",
    "kernels",
    "parse_literal",
    "parse_request",
    "preset_names",
    "resolve",
    "search",
]
