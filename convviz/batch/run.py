"""Run a batch from its folder to its tally, for ``convviz batch`` and for Python."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convviz.batch.journal import Journal, holding, settings_digest
from convviz.batch.local import Stop, Work, run_local
from convviz.batch.plan import Job, Outcome, Plan, make_plan
from convviz.batch.remote.cluster import run_dask
from convviz.batch.report import Report
from convviz.batch.tally import Tally
from convviz.batch.work import check_network, picture_of
from convviz.compute import filters
from convviz.compute.filters import NamedFilters
from convviz.errors import BatchError, OutputError
from convviz.files import marks, paths, writing
from convviz.files.addresses import path_of
from convviz.render.palette import colours
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.spec.wanted import BatchSettings, NetworkSettings


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Describe how to process the pictures of a folder.

    Parameters
    ----------
    folder, out : str
        The folder of the pictures, and the folder in which the same tree is made: paths or addresses.
    layer, reading, compute, picture, network
        The settings, as for a single run.
    batch : BatchSettings
        The settings of the batch.
    force : bool
        Whether files that convviz did not write are replaced.
    """

    folder: str
    out: str
    layer: LayerSettings = field(default_factory=LayerSettings)
    reading: InputSettings = field(default_factory=InputSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    picture: SheetSettings = field(default_factory=SheetSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    force: bool = False

    def __post_init__(self) -> None:
        if self.network.given:
            self.network.check(self.layer)

    @property
    def ending(self) -> str:
        """The ending of the outputs."""
        return ".png"

    @property
    def chosen(self) -> tuple[Any, ...]:
        """The settings that the outputs depend on."""
        return self.layer, self.network, self.reading, self.compute, self.picture

    def work(self, named: NamedFilters | None) -> Work:
        """Return the function that makes one output; `named` is the result of `filters.prepare`."""
        return functools.partial(
            picture_of,
            named=named,
            layer=self.layer,
            reading=self.reading,
            compute=self.compute,
            picture=self.picture,
            network=self.network,
            force=self.force,
        )

    @property
    def files(self) -> list[Path]:
        """The files that the layer and the network are read from."""
        return [*self.layer.files, *self.network.files]


class Batch:
    """Hold a batch that can run: its files are listed, its kernels read, its report can be written.

    Parameters
    ----------
    request : BatchRequest
        The request.
    most_named : int, optional
        The number of failures to keep with their reasons; all by default.
    say : callable, optional
        Writes the lines of the report, in place of a file.

    Raises
    ------
    SpecError, InputError, OutputError, BatchError
        If a kernel, the folder or the report cannot be used.
    """

    def __init__(
        self,
        request: BatchRequest,
        *,
        most_named: int | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.request, self.tally, self.stop = request, Tally(most_named), Stop()
        colours(request.picture.colormap)
        self.named = None if request.network.given else filters.prepare(request.layer)
        if request.network.given:
            check_network(request.layer, request.network)
        self._target = path_of(request.out)
        self.plan: Plan = make_plan(
            path_of(request.folder),
            self._target,
            pattern=request.batch.pattern,
            ending=request.ending,
        )
        report = request.batch.report
        if report is not None and say is None:
            self._check_report(report)
        self._report = Report(report, say)

    def _check_report(self, report: Path) -> None:
        """Refuse a report that would replace a file of the batch, or a file that convviz did not write."""
        if self.plan.uses(report):
            raise OutputError(
                f"cannot write {paths.quoted(report)}: this batch reads or writes a file of that name; "
                "choose another name for the report."
            )
        force, files = self.request.force, self.request.files
        writing.check_path(report, force=force, is_ours=marks.is_ours, inputs=files)

    def run(
        self,
        *,
        advance: Callable[[int], None] = lambda files: None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> Tally:
        """Do the remaining work, and leave finished outputs as they are.

        Parameters
        ----------
        advance : callable
            Called with the number of files that were just finished.
        tell : callable
            Called with the messages of a cluster.

        Returns
        -------
        Tally
            The results. An error that ends a running batch is stored in it, so that no result is lost.

        Raises
        ------
        OutputError, BatchError
            If nothing could be done.
        """
        request, tally = self.request, self.tally
        start = time.perf_counter()
        digest = settings_digest(request.files, *request.chosen)
        with (
            self._held_back(),
            holding(self._target),
            Journal(self._target, digest) as journal,
            self._report as lines,
        ):
            for outcome in self._outcomes(journal, lines=lines, advance=advance, tell=tell):
                self._note(outcome, journal, lines)
                advance(1)
            lines.write_passed(tally.passed)
        tally.seconds = time.perf_counter() - start
        tally.failed.sort()
        tally.total = max(self.plan.total, tally.counts.total())
        # If more files were to be listed, the number of remaining files is unknown.
        tally.stopped_listing = not self.plan.counted and bool(self.stop.asked)
        return tally

    @contextlib.contextmanager
    def _held_back(self) -> Iterator[None]:
        """Keep the error that ends a running batch, so that the summary is printed first."""
        try:
            yield
        except (OutputError, BatchError) as error:
            if not self.tally.counts.total():
                raise
            self.tally.trouble = error

    def _note(self, outcome: Outcome, journal: Journal, lines: Report) -> None:
        """Record the outcome of one file."""
        lines.write(outcome)
        journal.add(outcome)
        self.tally.add(outcome)
        if outcome.status == "failed" and self.request.batch.fail_fast:
            self.stop.ask()

    def _due(self, journal: Journal, *, lines: Report, advance: Callable[[int], None]) -> Iterator[Job]:
        """List the remaining jobs, folder by folder."""
        swept = None
        items = self.plan.items(self.tally.passed)
        redo = self.request.batch.redo
        for item in items if redo else journal.compared(items, remote=self.plan.is_remote):
            if self.stop.asked:
                return
            if isinstance(item, Outcome):
                self._note(item, journal, lines)
                advance(1)
                continue
            if item.target.parent != swept:
                swept = item.target.parent
                writing.sweep(swept)
            yield item

    def _outcomes(
        self,
        journal: Journal,
        *,
        lines: Report,
        advance: Callable[[int], None],
        tell: Callable[[str], None],
    ) -> Iterator[Outcome]:
        """Let the engine do the remaining jobs."""
        request, chosen = self.request, self.request.batch
        work = request.work(self.named)
        jobs = self._due(journal, lines=lines, advance=advance)
        processes = min(chosen.workers or os.cpu_count() or 1, self.plan.total)
        common: dict[str, Any] = {"workers": processes, "timeout": chosen.timeout, "stop": self.stop}
        if chosen.engine == "dask":
            total, scheduler = self.plan.total, chosen.scheduler
            return run_dask(jobs, work, total=total, scheduler=scheduler, tell=tell, **common)
        return run_local(jobs, work, **common)
