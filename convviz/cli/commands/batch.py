"""``convviz batch``."""

import contextlib
import functools
import json as json_text
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import Force, Json, Quiet
from convviz.cli.settings import with_settings
from convviz.cli.signals import Ended, asking
from convviz.errors import BatchError, ConvvizError, OutputError, SpecError
from convviz.files import paths, writing
from convviz.spec import parsing
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings
from convviz.text import plural

if TYPE_CHECKING:
    from convviz.batch import Outcome, PassedOver

BATCH = "Batch"

# Failures that are named at the end; of ten million files all may fail, and a report takes them.
MOST_NAMED = 1000


@with_settings
def batch(
    folder: Annotated[
        str,
        typer.Argument(metavar="FOLDER", help="Where the pictures are, at any depth: a path or an address."),
    ],
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="Where to write the same tree: a path or an address.")
    ],
    layer: LayerSettings,
    *,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: SheetSettings,
    workers: Annotated[
        int | None,
        typer.Option(
            parser=parsing.whole("workers", most=1024),
            metavar="N",
            rich_help_panel=BATCH,
            help="Number of processes [default: one per core].",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            parser=parsing.choice("engine", ("local", "dask")),
            metavar="local|dask",
            rich_help_panel=BATCH,
            help="Processes of this machine, or a cluster of Dask.",
        ),
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT",
            rich_help_panel=BATCH,
            help="The scheduler of --engine dask; by default a cluster is started here.",
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(metavar="GLOB", rich_help_panel=BATCH, help="Names to take, such as '*.jpg'."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl|-",
            rich_help_panel=BATCH,
            help="Write one JSON line per input, as it is done; - writes to stdout.",
        ),
    ] = None,
    redo: Annotated[
        bool, typer.Option("--redo", rich_help_panel=BATCH, help="Do again what an earlier run did.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", rich_help_panel=BATCH, help="Stop at the first file that fails.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            parser=parsing.seconds("timeout"),
            metavar="SECONDS",
            rich_help_panel=BATCH,
            help="Give up on a file after this many seconds.",
        ),
    ] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Run a layer on every picture in FOLDER, and write the results into OUT.

    OUT mirrors the tree of FOLDER: a/cat.jpg becomes a/cat.jpg.png. A file that cannot be read is named
    at the end and never stops the others. What an earlier run did is left as it is: done are the files
    that are missing or failed, those that changed, and all of them where the settings did.

    For example:

        convviz batch photos maps -K sobel-x

        convviz batch photos maps --out-channels 6 --padding 1 --pattern '*.jpg' --workers 2
    """
    piped = report is not None and str(report) == "-"
    if piped and json:
        raise SpecError("report: - and --json both write to stdout; choose one of them.")
    if scheduler is not None and (engine != "dask" or workers is not None):
        raise SpecError("scheduler can only be used with --engine dask, and has workers of its own.")

    from convviz.batch import (
        Job,
        Journal,
        Outcome,
        PassedOver,
        Stop,
        holding,
        make_plan,
        run_dask,
        run_local,
        settings_digest,
    )
    from convviz.batch.work import picture_of
    from convviz.cli.progress import progress
    from convviz.compute import filters
    from convviz.files import marks
    from convviz.files.addresses import path_of
    from convviz.render.palette import colours

    colours(picture.colormap)
    named = filters.prepare(layer)
    target = path_of(out)
    if out.startswith("memory://"):
        remark("memory:// is gone when its process ends; choose another output to keep it.")
    plan = make_plan(path_of(folder), target, pattern=pattern)
    if report is not None and not piped:
        if plan.uses(report):
            raise OutputError(
                f"cannot write {paths.quoted(report)}: this batch reads or writes a file of that name; "
                "choose another name for the report."
            )
        writing.check_path(report, force=force, is_ours=marks.is_ours, inputs=layer.files)
    work = functools.partial(
        picture_of, named=named, layer=layer, reading=reading, compute=compute, picture=picture, force=force
    )
    start = time.perf_counter()
    counts = {"done": 0, "unchanged": 0, "failed": 0}
    failed: list[tuple[str, str]] = []
    remarks, passed = _Remarks(), PassedOver()
    stop = Stop()
    digest = settings_digest(layer, reading, compute, picture)
    with (
        _held_back(counts) as trouble,
        holding(target),
        Journal(target, digest) as journal,
        _Report(report, piped=piped) as lines,
        asking(stop.ask) as signals,
    ):

        def note(outcome: Outcome) -> None:
            counts[outcome.status] += 1
            lines.write(outcome)
            journal.add(outcome)
            remarks.add(outcome)
            if outcome.status == "failed":
                if json or len(failed) < MOST_NAMED:
                    failed.append((outcome.name, outcome.reason))
                if fail_fast:
                    stop.ask()

        def due() -> Iterator[Job]:
            """Return what is left to do; folders come one after the other."""
            swept = None
            items = plan.items(passed)
            for item in items if redo else journal.compared(items, remote=plan.is_remote):
                if stop.asked:
                    return
                if isinstance(item, Outcome):
                    note(item)
                    advance(1)
                    continue
                if item.target.parent != swept:
                    swept = item.target.parent
                    writing.sweep(swept)
                yield item

        with progress(plan.total if plan.counted else None, "files", wanted=not quiet) as advance:
            processes = min(workers or os.cpu_count() or 1, plan.total)
            common: dict[str, Any] = {"workers": processes, "timeout": timeout, "stop": stop}
            if engine == "dask":
                tell = (lambda text: None) if quiet else remark
                outcomes = run_dask(due(), work, total=plan.total, scheduler=scheduler, tell=tell, **common)
            else:
                outcomes = run_local(due(), work, **common)
            for outcome in outcomes:
                note(outcome)
                advance(1)
        lines.write_passed(passed)
    seconds = time.perf_counter() - start
    failed.sort()
    total = max(plan.total, sum(counts.values()))
    # Where more were to be listed, nobody knows how many are left.
    unknown = not plan.counted and stop.asked
    left = None if unknown else total - sum(counts.values())
    least = "at least " if unknown else ""
    rest = "" if left == 0 else "the rest" if left is None else plural(left, "file")
    if json:
        answer_json(
            {
                "files": total,
                "done": counts["done"],
                "unchanged": counts["unchanged"],
                "failed": [{"path": name, "reason": reason} for name, reason in failed],
                "left": left,
                "remarks": remarks.documents,
                "passed_over": dict(passed.endings.most_common()),
                "links_not_followed": passed.links,
                "seconds": seconds,
            }
        )
    elif not quiet:
        rate = f" ({counts['done'] / max(seconds, 1e-9):.1f} per second)" if counts["done"] else ""
        speed = f"{seconds:.1f} s{rate}"
        before = f", {counts['unchanged']:,} unchanged since an earlier run" if counts["unchanged"] else ""
        say = remark if piped else answer
        say(
            f"{counts['done']:,} of {least}{plural(total, 'picture')} done in {speed}{before}, "
            f"written to {out}"
        )
        for line in filter(None, (*remarks.lines, passed.sentence)):
            remark(line)
    for name, reason in failed:
        remark(f"failed: {name}: {reason}")
    if more := counts["failed"] - len(failed):
        remark(f"and {more:,} more; --report FILE names all of them")
    if trouble:
        raise trouble[0]
    if signals:
        if rest:
            remark(f"{rest} left; run the same command again to continue.")
        raise KeyboardInterrupt if signals[0] == SIGINT else Ended(signals[0])
    if failed:
        stopped = f"; {rest} left, because of --fail-fast" if rest else ""
        raise BatchError(f"{plural(counts['failed'], 'file')} of {least}{total:,} failed{stopped}.")


@contextlib.contextmanager
def _held_back(counts: Mapping[str, int]) -> Iterator[list[ConvvizError]]:
    """Keep what ends a batch that is under way, so that what was done is told first."""
    trouble: list[ConvvizError] = []
    try:
        yield trouble
    except (OutputError, BatchError) as error:
        if not any(counts.values()):
            raise
        trouble.append(error)


_DIGITS = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")


class _Remarks:
    """The remarks of all files, each kind once: those that differ in nothing but numbers are one kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, str, str, bool]] = {}

    def add(self, outcome: "Outcome") -> None:
        """Count the remarks on one file; the first file by name stands for its kind."""
        for text in dict.fromkeys(outcome.remarks):
            kind = _DIGITS.sub("0", text)
            count, name, first, differ = self._kinds.get(kind, (0, outcome.name, text, False))
            differ = differ or text != first
            name, first = min((name, first), (outcome.name, text))
            self._kinds[kind] = count + 1, name, first, differ

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Every kind as plain values, the most frequent first."""
        found = sorted(self._kinds.values(), key=lambda kind: (-kind[0], kind[1], kind[2]))
        return [
            {"text": text, "files": count, "first": name, "numbers_differ": differ}
            for count, name, text, differ in found
        ]

    @property
    def lines(self) -> list[str]:
        """Every kind in a line."""
        return [
            f"{kind['first']}: {kind['text']}"
            if kind["files"] == 1
            else f"{kind['files']:,} files: {kind['text']}"
            + (f" (in {kind['first']}; the numbers differ)" if kind["numbers_differ"] else "")
            for kind in self.documents
        ]


class _Report:
    """The report of a batch, one line per input, written as it goes."""

    def __init__(self, path: Path | None, *, piped: bool) -> None:
        self._path, self._piped = path, piped
        self._file: Any = None

    def __enter__(self) -> "_Report":
        if self._path is not None and not self._piped:
            with writing.reported(self._path):
                writing.make_folder(self._path.parent)
                # In the place of a link, never through it.
                self._path.unlink(missing_ok=True)
                self._file = self._path.open("x", encoding="utf-8")
        return self

    def write(self, outcome: "Outcome") -> None:
        """Write one line."""
        line = {
            "path": outcome.name,
            "status": outcome.status,
            "output": None if outcome.reason else str(outcome.target),
            "input_shape": list(outcome.input_shape),
            "output_shape": list(outcome.output_shape),
            "seconds": round(outcome.seconds, 6),
            "reason": outcome.reason or None,
            "remarks": list(outcome.remarks),
        }
        self._write(line)

    def write_passed(self, passed: "PassedOver") -> None:
        """Write a line for each ending of files, and each link to a folder, that was passed over."""
        rest = {"status": "passed over", "output": None}
        for ending, count in passed.endings.most_common():
            self._write({"path": f"*{ending}", **rest, "files": count, "reason": "not an ending of pictures"})
        for name in passed.links:
            self._write({"path": f"{name}/", **rest, "reason": "a link to a folder, which is not followed"})

    def _write(self, line: dict[str, Any]) -> None:
        if self._path is None:
            return
        text = json_text.dumps(line)
        if self._piped:
            answer(text)
            sys.stdout.flush()
        else:
            with writing.reported(self._path):
                self._file.write(text + "\n")
                self._file.flush()

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # every line was flushed
                self._file.close()
