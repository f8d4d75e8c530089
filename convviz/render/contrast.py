"""Choose which values of every map become black and white."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from convviz.compute.spread import Spread
from convviz.compute.survey import ArraySummary, survey
from convviz.images.finite import NONE, NotFinite
from convviz.images.picture import Picture
from convviz.render.palette import Tone
from convviz.spec import scales
from convviz.spec.geometry import HW
from convviz.spec.limits import exact
from convviz.spec.settings import ContrastSettings, Look
from convviz.text import channel_label, number
from convviz.typing import Floats

# Black is 0 if no value is negative, unless the other values would lose more than this share of the scale.
_MOST_FOR_ZERO = 0.1
# Beside the largest magnitude of a layer, a map of less than this share of it is almost 0.
_ALMOST_ZERO = 1e-6

# The settings of pictures for which nothing else was requested.
DEFAULT = Look()


@dataclass(frozen=True, slots=True)
class Contrast:
    """Describe how one map is drawn.

    Parameters
    ----------
    tone : Tone
        How its values become levels.
    below, above : float
        The share of all its finite values that lies beyond each end of the tone, from 0 to 1.
    said : bool
        Whether the shares are printed for this map by itself: maps differ in them.
    others : NotFinite
        How many of its values are not finite.
    only : float, optional
        The value of all its pixels if they have one, and the scale is its own: then the ends mean nothing.
    almost_zero : bool
        Whether the map is almost 0 beside others of its layer, as that of an unused filter is.
    """

    tone: Tone
    below: float = 0.0
    above: float = 0.0
    said: bool = True
    others: NotFinite = NONE
    only: float | None = None
    almost_zero: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The values at the ends of the scale."""
        return self.tone.low, self.tone.high

    @classmethod
    def between(cls, tone: Tone, one: "Drawn", *, said: bool = True) -> "Contrast":
        """Draw a map with a tone, however the tone was chosen."""
        return cls(tone, *one.spread.beyond(tone.low, tone.high), said, one.others)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Hold the values from which the scale of one map is chosen.

    Parameters
    ----------
    low, high : float
        Minimum and maximum of the finite values of the map; NaN if there are none.
    spread : Spread
        All finite values of the map, also if it is drawn reduced.
    whole : bool
        Whether the map is so small that its scale goes from its minimum to its maximum, as
        `convviz.spec.scales.is_whole` decides.
    layer : int
        Maps of one layer have the same number.
    others : NotFinite
        How many values of the map are not finite.
    adds : bool
        Whether its values are terms of a sum: then black is 0 if no value is negative.
    """

    low: float
    high: float
    spread: Spread
    whole: bool = False
    layer: int = 0
    others: NotFinite = NONE
    adds: bool = False

    @property
    def is_flat(self) -> bool:
        """Whether it holds one value everywhere, which is drawn beside 0."""
        return self.low == self.high != 0

    @property
    def magnitude(self) -> float:
        """The largest magnitude of its finite values; 0 if there are none."""
        return 0.0 if math.isnan(self.low) else max(-self.low, self.high)

    @classmethod
    def of(cls, field: ArraySummary, size: HW, *, layer: int = 0, adds: bool = False) -> "Drawn":
        """Take a map of the given size, which does not depend on how it is drawn."""
        assert field.spread is not None
        return cls(field.low, field.high, field.spread, scales.is_whole(size), layer, field.others, adds)

    @classmethod
    def joined(cls, maps: Sequence["Drawn"]) -> "Drawn":
        """Combine maps that share their ends."""
        if len(maps) == 1:
            return maps[0]
        known = [one for one in maps if not math.isnan(one.low)] or maps
        return cls(
            min(one.low for one in known),
            max(one.high for one in known),
            Spread.joined(one.spread for one in maps),
            all(one.whole for one in maps),
            maps[0].layer,
            sum((one.others for one in maps), NONE),
            maps[0].adds,
        )


def contrasts(maps: Sequence[Drawn], looks: ContrastSettings = DEFAULT) -> list[Contrast]:
    """Choose how every map is drawn.

    Parameters
    ----------
    maps : sequence of Drawn
        The maps of one picture.
    looks : ContrastSettings
        The requested settings.

    Returns
    -------
    list of Contrast
        One per map.

    Examples
    --------
    >>> import numpy as np
    >>> one = Drawn(-1, 100, Spread.of(np.arange(-1, 101, dtype=np.float32)))
    >>> [round(end, 2) for end in contrasts([one])[0].ends]
    [0.01, 98.99]
    """
    groups: dict[tuple[str, int], list[Drawn]] = {}
    by_layer: dict[int, list[Drawn]] = {}
    for one in maps:
        by_layer.setdefault(one.layer, []).append(one)
    # On a scale of its own, every map of one value would look like the others.
    own = looks.scale == "map" and looks.limits.kind != "fixed"
    level = {layer for layer, members in by_layer.items() if own and _are_level(members)}
    kinds = ["layer" if one.layer in level else looks.scale for one in maps]
    group_of = [
        (kind, {"map": index, "layer": one.layer, "global": 0}[kind])
        for index, (kind, one) in enumerate(zip(kinds, maps, strict=True))
    ]
    for group, one in zip(group_of, maps, strict=True):
        groups.setdefault(group, []).append(one)
    tones = {group: _tone(Drawn.joined(members), looks) for group, members in groups.items()}
    found = [
        Contrast.between(tones[group], one, said=differs(looks, whole=one.whole, shared=looks.scale != "map"))
        for group, one in zip(group_of, maps, strict=True)
    ]
    if not own:
        return found
    largest = {layer: max(one.magnitude for one in members) for layer, members in by_layer.items()}
    return [
        replace(
            drawn,
            only=one.low if one.low == one.high or math.isnan(one.low) else None,
            almost_zero=0 < one.magnitude < _ALMOST_ZERO * largest[one.layer],
        )
        for drawn, one in zip(found, maps, strict=True)
    ]


def _are_level(maps: Sequence[Drawn]) -> bool:
    """Return whether several maps hold one value each, which on scales of their own would look alike."""
    return len(maps) > 1 and all(one.low == one.high for one in maps)


def differs(looks: ContrastSettings, *, whole: bool, shared: bool) -> bool:
    """Return whether maps differ in the shares beyond their ends; maps with their own ends do not.

    `whole` is as for `Drawn`, `shared` says whether some maps share their ends.
    """
    return looks.limits.kind == "fixed" or (looks.limits.kind == "percentile" and shared and not whole)


def contrast_of(maps: Floats, index: int, *, looks: ContrastSettings = DEFAULT) -> Contrast:
    """Choose how one map of a layer is drawn in a drawing of its own.

    Parameters
    ----------
    maps : ndarray, shape (O, H, W), float32
        The maps of the layer.
    index : int
        The index of the map.
    looks : ContrastSettings
        The requested settings.

    Returns
    -------
    Contrast
        The contrast of the map.
    """
    chosen = maps[index : index + 1] if looks.scale == "map" else maps
    size = HW(*maps.shape[1:])
    drawn = [Drawn.of(one, size) for one in survey(chosen, moments=False, spread=True)]
    return contrasts(drawn, looks)[0 if looks.scale == "map" else index]


def channel_ends(picture: Picture, index: int) -> tuple[float, float]:
    """Choose the values drawn as black and as white in one channel of an input.

    Parameters
    ----------
    picture : Picture
        The input.
    index : int
        The index of the channel.

    Returns
    -------
    (float, float)
        Channels that are activations have a scale each, like maps; those of a picture share one.

    Examples
    --------
    >>> import numpy as np
    >>> arriving = Picture(np.array([[[0, 9]], [[0, 1]]], np.float32), ("0", "1"), high=9, activations=True)
    >>> channel_ends(arriving, 1), channel_ends(replace(arriving, activations=False), 1)
    ((0.0, 1.0), (0.0, 9))
    """
    if not picture.activations:
        return picture.ends[index]
    found = survey(picture.x[index : index + 1], moments=False, spread=True)
    return contrasts([Drawn.of(found[0], picture.size)])[0].ends


def channel_title(picture: Picture, index: int) -> str:
    """Name a channel of an input, with the ends of its scale if they are its own."""
    name = channel_label(picture.channels[index])
    if not picture.activations:
        return name
    low, high = (number(end, digits=3) for end in channel_ends(picture, index))
    return f"{name}, {low} to {high}"


def _tone(one: Drawn, looks: ContrastSettings) -> Tone:
    """Choose the ends of one scale; if no value is finite, as if all were 0."""
    if math.isnan(one.low):
        one = replace(one, low=0.0, high=0.0)
    limits = looks.limits
    signed = looks.colormap == "signed"
    if limits.kind == "fixed":
        return Tone(limits.low, limits.high, "signed" if signed else "unit")
    percent = limits.percent if limits.kind == "percentile" and not one.whole else 0.0
    if signed or limits.kind == "symmetric":
        return _centred(one, percent)
    low, high = _between(one, percent)
    near = not one.whole and low <= _MOST_FOR_ZERO * high
    if limits.kind == "percentile" and one.low >= 0 and (one.adds or near):
        low = 0.0
    return Tone(low, high, "unit")


def _centred(one: Drawn, percent: float) -> Tone:
    """End at a percentile of the magnitude, or at the largest magnitude if that percentile is 0."""
    peak = one.spread.magnitude(100 - percent) if percent else one.magnitude
    peak = peak or one.magnitude or 1.0
    return Tone(-peak, peak, "signed")


def _between(one: Drawn, percent: float) -> tuple[float, float]:
    """End at percentiles; if they are equal, at the extremes."""
    if percent:
        low, high = one.spread.least(percent), one.spread.most(100 - percent)
        # Percentiles in one bin are equal, as far as is known.
        if low < one.spread.least(100 - percent):
            return low, high
    if one.low < one.high:
        return one.low, one.high
    # A map of one value is black if the value is 0; otherwise it is drawn beside 0.
    return min(one.low, 0.0), max(one.high, 0.0) or float(one.low == 0)


def rule(
    looks: Look,
    *,
    whole: Sequence[bool],
    what: str = "map",
    adds: bool = False,
    maps: Sequence[Drawn] = (),
) -> str:
    """Describe in words how values became brightness, for the legend.

    Parameters
    ----------
    looks : Look
        The requested settings.
    whole : sequence of bool
        For every map, as for `Drawn`.
    what : str
        The thing that has a scale of its own, if they do not all share one.
    adds : bool
        Whether values are terms of a sum, as for `Drawn`.
    maps : sequence of Drawn
        The maps, where some may hold one value everywhere.

    Returns
    -------
    str
        A sentence without the final full stop.

    Examples
    --------
    >>> rule(DEFAULT, whole=[True]).partition("; ")[0]
    'The scale of each map goes from its minimum to its maximum'
    """
    limits = looks.limits
    own = looks.scale == "map" and limits.kind != "fixed"
    if own and _are_level(maps):
        return "Each map holds one value; their common scale goes from the least of these to the greatest"
    whose, its = {
        "map": (f"of each {what}", "its"),
        "layer": ("that the maps of a layer share", "their"),
        "global": ("that all maps share", "their"),
    }[looks.scale]
    centred = looks.colormap == "signed" or limits.kind == "symmetric"
    largest = f"is centred on 0 and ends at {its} largest magnitude"
    extremes = f"goes from {its} minimum to {its} maximum"
    if limits.kind == "fixed":
        words = f"The scale goes from {exact(limits.low)} to {exact(limits.high)}"
    elif limits.kind != "percentile" or all(whole):
        words = f"The scale {whose} {largest if centred else extremes}"
        if adds and limits.kind == "percentile" and not centred:
            words += ", or from 0 if no value is negative"
    else:
        least, most = exact(limits.percent), exact(100 - limits.percent)
        if centred:
            words = f"The scale {whose} is centred on 0 and ends at percentile {most} of {its} magnitude"
        else:
            words = f"The scale {whose} goes from percentile {least} to {most}"
            words += f", or from 0 if {'no value is negative' if adds else 'the minimum is 0 or little more'}"
        if any(whole):
            words += f"; maps of at most {scales.MOST_WHOLE}x{scales.MOST_WHOLE} values: "
            words += "to the largest magnitude" if centred else "from minimum to maximum"
    if own and not centred and any(one.is_flat for one in maps):
        words += "; a map of one value is white above 0, else black"
    if differs(looks, whole=all(whole), shared=(looks.scale, what) != ("map", "map")):
        bars = "bars show the ends, 0 and the share of pixels beyond"
    else:
        bars = "bars show the ends and 0"
    return f"{words}; {bars}" + (", captions the minimum and maximum" if looks.captions else "")
