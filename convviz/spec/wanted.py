"""Settings of a run, a network and a batch that are not settings of a layer, an input or a picture."""

import dataclasses
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from convviz.errors import SpecError
from convviz.spec.geometry import HW
from convviz.spec.layers import Conv2d
from convviz.spec.settings import LayerSettings, typed

Engine = Literal["local", "dask"]

# Results do not depend on these, so their descriptions leave them out.
_ASIDE: Any = {"described": False}


def _as_position(at: HW) -> str:
    """Write a row and a column as a user would type them."""
    return f"{at.h},{at.w}"


def _in_text(name: str, value: Any) -> str:
    """Write a convolution with one argument as text for ``--layers``; empty where it has no such form.

    Examples
    --------
    >>> from convviz.spec.geometry import Edges
    >>> _in_text("padding", Edges(1, 1, 1, 1)), _in_text("bias", False), _in_text("flip", True)
    ('conv 8 p1', 'conv 8 nobias', '')
    """
    spelling = Conv2d.spelling
    letter = next((one for one, known in spelling.letters.items() if known == name), "")
    flag = next((word for word, known in spelling.flags.items() if known == (name, value)), "")
    if name == spelling.first:
        return f"conv {value}"
    if flag or (letter and re.fullmatch("[0-9]+(x[0-9]+)?", typed(value))):
        return f"conv 8 {flag or letter + typed(value)}"
    return ""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """A network in place of a single layer; its weights are those of `LayerSettings`.

    Parameters
    ----------
    layers : str, optional
        Layers as text, for `convviz.spec.stacks.parse_layers`.
    net : str, optional
        Name of a network that ships with convviz, or a file .toml or .onnx.
    model : str, optional
        A module of torch, ``FILE.py:NAME`` or ``package.module:NAME``, whose code is run.
    until : str, optional
        The last layer to compute.
    classes : Path, optional
        A file with the names of the classes, one per line.
    channels_last : bool
        Whether the input of a file and the chosen layer are height, width, channels, where that is
        not known.
    """

    layers: str | None = None
    net: str | None = None
    model: str | None = None
    until: str | None = None
    classes: Path | None = None
    channels_last: bool = False

    @property
    def given(self) -> bool:
        """Whether a network is given."""
        return self != NetworkSettings()

    @property
    def alone(self) -> bool:
        """Whether it says nothing of which network it is."""
        return self.layers is None and self.net is None and self.model is None

    def check_order(self) -> None:
        """Refuse a declared order of axes for layers of convviz.

        Raises
        ------
        SpecError
            If there is one.
        """
        if self.channels_last and not self.foreign:
            raise SpecError(
                "channels-last is for networks of torch and ONNX; those of convviz have channels first; "
                "leave it out."
            )

    @property
    def foreign(self) -> bool:
        """Whether onnxruntime or torch runs it, not we."""
        return self.model is not None or (self.net is not None and self.net.lower().endswith(".onnx"))

    @property
    def files(self) -> list[Path]:
        """The files that the network is read from; like the input they are never replaced."""
        named = [] if self.net is None else [Path(self.net)]
        named += [] if self.model is None else [Path(self.model.rpartition(":")[0])]
        kept = [path for path in named if path.suffix.lower() in (".toml", ".onnx", ".py")]
        return kept + ([] if self.classes is None else [self.classes])

    def check(self, layer: LayerSettings) -> None:
        """Refuse a network beside another one, or beside the settings of a single layer.

        Raises
        ------
        SpecError
            If both are given.
        """
        given = [name for name in ("layers", "net", "model") if getattr(self, name) is not None]
        if len(given) > 1:
            raise SpecError(f"{' and '.join(given)} are {len(given)} networks; give only one of them.")
        for of in fields(layer):
            value = getattr(layer, of.name)
            if of.name in ("seed", "weights", "layer_name") or value == of.default:
                continue
            name = of.name.replace("_", "-")
            if self.layers is None:
                raise SpecError(
                    f"{name} cannot be used with a network, whose layers have their own; leave it out."
                )
            written = _in_text(of.name, value)
            remedy = f"write it in the layer: {written}" if written else "leave it out."
            raise SpecError(f"{name} cannot be used with layers; {remedy}")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What ``convviz run`` shows and stores beside the maps.

    Parameters
    ----------
    check : bool
        Whether another backend computes the maps too, and a difference is an error.
    maps : Path, optional
        A folder for every map as a picture of its own.
    save : Path, optional
        A file for the exact numbers.
    partial : bool
        Whether the partial maps are drawn.
    table, code, show : bool
        Whether the values, the PyTorch program, the maps themselves are printed.
    verbose : bool
        Whether the kernels, the groups, the MACs, the memory and the backend are printed.
    at : HW, optional
        Centre of the table of a large map.
    field : HW, optional
        Position of an output value whose receptive field is drawn.
    effective : bool
        Whether its gradient is laid over that.
    all : bool
        Whether every step of a network is drawn, on as many sheets as that takes.
    token : HW, optional
        Place of the token whose attention is drawn, a map for each head.
    top : int, optional
        Number of maps to draw, those of the most energy first.
    stat : tuple of str, optional
        More columns of the table of maps.

    Raises
    ------
    SpecError
        If a setting needs one that is missing, or two contradict each other.
    """

    check: bool = field(default=False, metadata=_ASIDE)
    maps: Path | None = field(default=None, metadata=_ASIDE)
    save: Path | None = field(default=None, metadata=_ASIDE)
    partial: bool = False
    table: bool = field(default=False, metadata=_ASIDE)
    code: bool = field(default=False, metadata=_ASIDE)
    at: HW | None = field(default=None, metadata=_ASIDE)
    show: bool = field(default=False, metadata=_ASIDE)
    verbose: bool = field(default=False, metadata=_ASIDE)
    field: HW | None = dataclasses.field(default=None, metadata={"typed": _as_position})
    effective: bool = False
    all: bool = False
    top: int | None = None
    token: HW | None = dataclasses.field(default=None, metadata={"typed": _as_position})
    stat: tuple[str, ...] | None = dataclasses.field(default=None, metadata=_ASIDE)

    def __post_init__(self) -> None:
        if self.effective and self.field is None:
            raise SpecError("effective can only be used with --field Y,X.")
        if self.at is not None and not self.table:
            raise SpecError("at can only be used with --table.")


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How ``convviz batch`` runs.

    Parameters
    ----------
    workers : int, optional
        Processes; as many as there are cores by default.
    engine : {"local", "dask"}
        Processes of this machine, or a cluster.
    scheduler : str, optional
        Address of the scheduler of a cluster.
    pattern : str, optional
        Names of files to take, such as ``*.jpg``.
    report : Path, optional
        A file for one JSON line per input.
    redo : bool
        Whether to repeat work that an earlier run finished.
    fail_fast : bool
        Whether the first file that fails stops the batch.
    timeout : float, optional
        Seconds after which to give up on a file.

    Raises
    ------
    SpecError
        If a scheduler is given without the engine that uses it.
    """

    workers: int | None = field(default=None, metadata=_ASIDE)
    engine: Engine = field(default="local", metadata=_ASIDE)
    scheduler: str | None = field(default=None, metadata=_ASIDE)
    pattern: str | None = field(default=None, metadata=_ASIDE)
    report: Path | None = field(default=None, metadata=_ASIDE)
    redo: bool = field(default=False, metadata=_ASIDE)
    fail_fast: bool = field(default=False, metadata=_ASIDE)
    timeout: float | None = field(default=None, metadata=_ASIDE)

    def __post_init__(self) -> None:
        if self.scheduler is not None and (self.engine != "dask" or self.workers is not None):
            raise SpecError("scheduler can only be used with --engine dask, and has workers of its own.")
