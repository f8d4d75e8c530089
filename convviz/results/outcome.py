"""Run one layer on one picture, and compute everything that was requested besides the maps."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from convviz.analysis import compare
from convviz.analysis.compare import Agreement
from convviz.compute.survey import survey
from convviz.images.finite import NONE
from convviz.render.sheets import receptive_field
from convviz.render.sheets.layout import Sheet
from convviz.render.sheets.receptive_field import NOTHING, Panel
from convviz.results import feature_maps
from convviz.results.context import InNetwork, LayerInContext
from convviz.results.feature_maps import FeatureMaps
from convviz.spec import scales
from convviz.spec.geometry import HW, check_inside
from convviz.spec.layers import Conv2d
from convviz.spec.settings import ComputeSettings, SheetSettings
from convviz.spec.wanted import RunSettings
from convviz.text import plural
from convviz.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutcome:
    """Hold the results of ``convviz run`` for one layer.

    Parameters
    ----------
    result : FeatureMaps
        The maps.
    flipped : bool
        Whether the kernels were rotated.
    remarks : tuple of str
        Remarks on the filters for the user.
    agreement : Agreement, optional
        The difference from another backend.
    agreement_with_network : Agreement, optional
        The difference from the program that ran the network around the layer.
    parts : ndarray, shape (O, I / groups, H', W'), float32, optional
        The partial maps.
    differences : ndarray, shape (O, H', W'), float32, optional
        The changes that the rotation makes; None if it changes nothing.
    chosen : sequence of int, optional
        The maps to show, all by default.
    seen : Panel
        The receptive field to draw.
    seconds : float
        The time to compute the maps.
    place : InNetwork, optional
        The place of the layer in a network.
    """

    result: FeatureMaps
    flipped: bool = False
    remarks: tuple[str, ...] = ()
    agreement: Agreement | None = None
    agreement_with_network: Agreement | None = None
    parts: Floats | None = None
    differences: Floats | None = None
    chosen: Sequence[int] | None = None
    seen: Panel = NOTHING
    seconds: float = field(default=0.0)
    place: InNetwork | None = None

    @property
    def changed(self) -> tuple[float, str, HW] | None:
        """Largest change that the rotation makes, its map and its position; None if there is no change."""
        return None if self.differences is None else self.result.largest(self.differences)

    def sheet(self, picture: SheetSettings) -> Sheet:
        """Lay out the input and the maps."""
        return self.result.sheet(
            **picture.arguments,
            parts=self.parts,
            differences=self.differences,
            chosen=self.chosen,
            seen=self.seen,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Gather the arrays to store as exact numbers."""
        return self.result.arrays(parts=self.parts, differences=self.differences)


def run_layer(
    about: LayerInContext,
    wanted: RunSettings,
    *,
    flipped: bool = False,
    compute: ComputeSettings | None = None,
    picture: SheetSettings | None = None,
    moments: bool = True,
    advance: Callable[[int], None] = lambda rows: None,
) -> LayerOutcome:
    """Run a layer on a picture, and compute the other requested results.

    Parameters
    ----------
    about : LayerInContext
        The input, the layer, its weights, and remarks on them.
    wanted : RunSettings
        The requested results.
    flipped : bool
        Whether the kernels were rotated; if so, the changes are computed too.
    compute : ComputeSettings, optional
        The settings of the computation.
    picture : SheetSettings, optional
        The look of the sheet: its tiles are prepared while the maps are computed.
    moments : bool
        Whether to compute mean and standard deviation too.
    advance : callable
        Called with the number of output rows that were just finished.

    Raises
    ------
    SpecError, ShapeError
        If layer and picture do not fit each other, or a position does not exist in the maps.
    BackendError
        If the backends disagree, or one is not available.

    Examples
    --------
    >>> from convviz.images.decode import as_picture
    >>> from convviz.compute.filters import build
    >>> from convviz.spec.settings import LayerSettings
    >>> built = build(LayerSettings(kernel_size=HW(1, 1)), 1)
    >>> about = LayerInContext(as_picture([[1.0, 2.0]]), *built)
    >>> run_layer(about, RunSettings()).result.shape
    (6, 1, 2)
    """
    compute, picture = compute or ComputeSettings(), picture or SheetSettings()
    weights, remarks, place = about.weights, about.remarks, about.network
    feature_maps.check_room(about.layer, about.picture.size, picture, count=drawn(about.layer, wanted))
    whole = wanted.save is not None or wanted.table or wanted.check or wanted.partial or flipped
    result = feature_maps.run(
        about.picture,
        about.layer,
        weights,
        backend=compute.backend,
        device=compute.device,
        keep=whole or place is not None,
    )
    for name, at in (("at", wanted.at), ("field", wanted.field)):
        if at is not None:
            check_inside(name, at, HW(*result.shape[1:]), what="the maps")
    agreement = compare.check(result, device=compute.device) if wanted.check else None
    if place is not None:
        result = replace(result.clipped(place.rounding), origin=place.words, transposed=place.transposed)
    outcome = LayerOutcome(
        result,
        flipped,
        remarks,
        place=place,
        agreement=agreement,
        agreement_with_network=None
        if place is None
        else compare.between(result, place.maps, place.runner, dtype=place.fed.dtype),
        parts=result.partial() if wanted.partial else None,
        # If every kernel is symmetric, there is nothing to draw.
        differences=result.flip_difference() if flipped and not all(weights.symmetric) else None,
    )
    if wanted.check and outcome.agreement_with_network is not None:
        outcome.agreement_with_network.check()
    start = time.perf_counter()
    result.summary(picture.tile, moments=moments, advance=advance)
    # Maps that are not kept are computed while they are summarized.
    seconds = result.seconds or time.perf_counter() - start
    chosen = None if wanted.top is None else result.strongest(wanted.top)
    told = list(remarks)
    if result.rounding is not None:
        told.append("the maps here are clipped likewise, but not rounded")
    if wanted.top is not None and wanted.top > len(result.names):
        told.append(f"{plural(len(result.names), 'map')}, so all are drawn, not {wanted.top}")
    summary = result.summary(picture.tile, moments=False)
    others = sum((one.others for one in summary.maps), NONE)
    if others and not any(one.others for one in summary.channels):
        told.append(
            f"sums overflow float32: {others.words} in the maps of a finite input; "
            "scale the input or the weights"
        )
    outcome = replace(outcome, remarks=tuple(told))
    seen = NOTHING
    if wanted.field is not None:
        seen = _panel(result, place, wanted, tile=picture.tile)
    return replace(outcome, chosen=chosen, seen=seen, seconds=seconds)


def drawn(layer: Conv2d, wanted: RunSettings) -> int:
    """Count the maps on the sheet of a run."""
    return min(layer.out_channels, wanted.top or layer.out_channels)


def _panel(result: FeatureMaps, place: InNetwork | None, wanted: RunSettings, *, tile: int | None) -> Panel:
    """Draw the receptive field of a value, in the input of the layer or of the network."""
    assert wanted.field is not None
    if place is None or place.seen is None or place.picture is None:
        return result.seen(wanted.field, tile=tile, effective=wanted.effective)
    factor = scales.fit(place.picture.size, tile)
    channels = survey(place.picture.x, min(factor, 1), moments=False)
    cell = max(1, int(factor))
    return receptive_field.panel(
        place.picture,
        channels,
        place.name,
        at=wanted.field,
        box=place.seen.box,
        cell=cell,
        gradient=place.gradient,
    )
