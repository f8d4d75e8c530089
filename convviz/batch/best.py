"""Find the pictures of a folder in which the maps of a layer are largest, by a batch that can be resumed."""

import functools
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convviz.analysis.peaks import PEAK, Peaks, Ranking
from convviz.batch.journal import Journal
from convviz.batch.local import Work
from convviz.batch.plan import Job, Outcome
from convviz.batch.report import Report
from convviz.batch.run import Batch, BatchRequest
from convviz.batch.work import maps_of, peaks_of
from convviz.compute.filters import NamedFilters
from convviz.errors import InputError, ShapeError
from convviz.files import addresses, writing
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.results.best import Best
from convviz.results.best_of import cut
from convviz.spec.best import BestSettings


@dataclass(frozen=True, slots=True)
class PeaksRequest(BatchRequest):
    """Describe a batch that writes the largest values of the maps of every picture.

    It has the parameters of `BatchRequest`; `compute` and `picture` are not used.
    """

    @property
    def ending(self) -> str:
        """The ending of the outputs."""
        return ".npy"

    @property
    def chosen(self) -> tuple[Any, ...]:
        """The settings that the outputs depend on."""
        return self.layer, self.network, self.reading

    def work(self, named: NamedFilters | None) -> Work:
        """Return what makes the output of one file."""
        return functools.partial(
            peaks_of, named=named, layer=self.layer, reading=self.reading, network=self.network
        )


class BestBatch(Batch):
    """Hold a batch that finds the largest values of the maps; it has the parameters of `Batch`.

    Raises
    ------
    UnknownNameError, SpecError
        Besides the errors of `Batch`, if the network does not have the layer.
    """

    def __init__(self, request: PeaksRequest, **more: Any) -> None:
        super().__init__(request, **more)
        self._maps = maps_of(request.layer, request.network, self.named)
        self._maps.check()

    def _note(self, outcome: Outcome, journal: Journal, lines: Report) -> None:
        """Record the outcome of one file; delete what a run with other settings wrote for it if it failed."""
        super()._note(outcome, journal, lines)
        if outcome.status == "failed" and not outcome.name.endswith("/"):  # which is a folder
            of = addresses if addresses.is_remote(outcome.target) else writing
            with of.reported(outcome.target):
                outcome.target.unlink(missing_ok=True)

    def best(self, asked: BestSettings) -> Best:
        """Rank the pictures whose largest values were written, in the order of the folder.

        Raises
        ------
        InputError
            If a picture cannot be read any more.
        SpecError, ShapeError
            If a map does not exist, or the numbers of maps differ.
        """
        reading, remarks = self._maps.reading(self.request.reading)
        ranking = Ranking(asked.count)
        for item in self.plan.items():
            if isinstance(item, Job) and (found := _stored(item.target)) is not None:
                try:
                    ranking.add(item.name, found)
                except ShapeError as error:
                    raise ShapeError(f"{quoted(item.source)}: {error}") from None
        return cut(self._maps, ranking, self.plan.source_of, reading=reading, asked=asked, remarks=remarks)


def _stored(path: Path) -> Peaks | None:
    """Read the largest values of one picture; None if there are none, because it could not be read."""
    try:
        found = np.lib.format.read_array(io.BytesIO(read_bytes(path)), allow_pickle=False)
    except InputError:
        return None
    return found if found.dtype == PEAK else None
