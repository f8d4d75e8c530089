"""What ``convviz look`` is asked for: how the activations of a layer become one picture."""

from dataclasses import dataclass
from typing import Literal, get_args

from convviz.errors import SpecError, UnknownNameError
from convviz.spec.geometry import HW
from convviz.spec.settings import TileSettings

How = Literal["l2", "mean", "max", "pca", "eigencam", "cam", "gradcam"]
HOW: tuple[How, ...] = get_args(How)
OF_A_CLASS = ("cam", "gradcam")


@dataclass(frozen=True, slots=True)
class LookSettings:
    """How the activations of a layer become one picture.

    Parameters
    ----------
    how : {"l2", "mean", "max", "pca", "eigencam", "cam", "gradcam"}
        The reduction.
    target : str or int, optional
        The class of "cam" and "gradcam": its name or its index; by default the class of the largest value.
        Text is an index if no class has this name.
    token : HW, optional
        For attention (heads, T, T), the place of the token whose row becomes one map per head.
    opacity : float
        The opacity of the colours over the picture, from 0 to 1.

    Raises
    ------
    SpecError
        If a setting is out of range, or needs another one.
    UnknownNameError
        If there is no such reduction.
    """

    how: How = "l2"
    target: str | int | None = None
    token: HW | None = None
    opacity: float = 0.55

    def __post_init__(self) -> None:
        if self.how not in HOW:
            raise UnknownNameError("reduction", str(self.how), HOW)
        if not 0 <= self.opacity <= 1:
            raise SpecError(f"opacity must be from 0 to 1, not {self.opacity:g}.")
        if self.target is not None and self.how not in OF_A_CLASS:
            raise SpecError(f"class can only be used with how {' or '.join(OF_A_CLASS)}, not {self.how}.")
        if self.token is not None and self.how != "l2":
            raise SpecError(f"token shows attention, and {self.how} reduces maps; leave out one of the two.")


@dataclass(frozen=True, slots=True)
class OverlaySettings(TileSettings):
    """What the sheet of ``convviz look`` looks like; with the parameters of `TileSettings`."""

    colormap: str = "inferno"
