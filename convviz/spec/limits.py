"""The values between which a map is drawn, as a checked value."""

import math
from dataclasses import dataclass
from typing import Literal

from convviz.errors import SpecError

LimitKind = Literal["percentile", "minmax", "symmetric", "fixed"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The two values of a map that are drawn as the ends of the scale.

    Parameters
    ----------
    kind : {"percentile", "minmax", "symmetric", "fixed"}
        Percentiles of the map, its minimum and maximum, the same distance below and above 0, or two
        given values.
    percent : float
        Of "percentile": percent of the values that lie beyond each end, at least 0 and less than 50.
    low, high : float
        Of "fixed": the ends.

    Raises
    ------
    SpecError
        If a number is out of range.

    Examples
    --------
    >>> print(Limits(), Limits("percentile", percent=2.5), Limits("fixed", low=-1, high=0.5))
    percentile percentile:2.5 -1,0.5
    """

    kind: LimitKind = "percentile"
    percent: float = 1.0
    low: float = 0.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.percent < 50:
            raise SpecError(
                f"limits: the percentile must be at least 0 and less than 50, not {self.percent:g}."
            )
        if self.kind == "fixed" and not (
            math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high
        ):
            raise SpecError(
                f"limits: LOW must be below HIGH, and both finite, not {self.low:g} and {self.high:g}."
            )

    @property
    def centred(self) -> bool:
        """Whether the limits are centred on 0, as the signed colours need."""
        return self.kind != "fixed" or self.low == -self.high

    def __str__(self) -> str:
        if self.kind == "fixed":
            return f"{exact(self.low)},{exact(self.high)}"
        if self.kind == "percentile" and self.percent != 1:
            return f"percentile:{exact(self.percent)}"
        return self.kind


PERCENTILE = Limits()


def exact(value: float) -> str:
    """Write a number with all of its digits; a whole number has no decimal point.

    Examples
    --------
    >>> exact(-1.0), exact(0.1)
    ('-1', '0.1')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
