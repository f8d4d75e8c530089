"""``convviz batch``."""

import functools
import json as json_text
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from convviz import parsing
from convviz.cli.console import answer, answer_json, remark
from convviz.cli.options import Force, Json, Quiet, with_settings
from convviz.errors import BatchError, OutputError
from convviz.settings import ComputeSettings, InputSettings, LayerSettings, PictureSettings
from convviz.text import plural, printable

BATCH = "Batch"


@with_settings
def batch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the pictures are, at any depth.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the same tree is made.")],
    layer: LayerSettings,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: PictureSettings,
    workers: Annotated[
        int | None,
        typer.Option(
            parser=parsing.whole("workers", most=1024),
            metavar="N",
            rich_help_panel=BATCH,
            help="Processes; as many as there are cores.",
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(metavar="GLOB", rich_help_panel=BATCH, help="Names to take, such as '*.jpg'."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", rich_help_panel=BATCH, help="Write one JSON line per input, as it is done."
        ),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", rich_help_panel=BATCH, help="Stop at the first file that fails.")
    ] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Do what run does for every picture in FOLDER, and write into OUT.

    OUT mirrors the tree of FOLDER: a/cat.jpg becomes a/cat.jpg.png. A file that cannot be read is named
    at the end and never stops the others.

    For example:

        convviz batch photos maps -K sobel-x

        convviz batch photos maps --out-channels 6 --padding 1 --pattern '*.jpg' --workers 2
    """
    from convviz import arrays, files, weights
    from convviz.batch import make_plan, run_local
    from convviz.batch.work import picture_of
    from convviz.cli.progress import progress
    from convviz.render.tone import colours

    colours(picture.colormap)
    weights.prepare(layer)
    jobs = make_plan(folder, out, pattern=pattern)
    if report is not None:
        taken = [*layer.files, *(path for job in jobs for path in (job.source, job.target))]
        files.check_place(report, force=force, is_ours=arrays.is_ours, inputs=taken)
    work = functools.partial(
        picture_of, layer=layer, reading=reading, compute=compute, picture=picture, force=force
    )
    count = workers or os.cpu_count() or 1
    start = time.perf_counter()
    done, failed = 0, []
    with progress(len(jobs), "files", wanted=not quiet) as advance, _Report(report) as lines:
        outcomes = run_local(jobs, work, workers=count)
        for outcome in outcomes:
            lines.write(outcome)
            advance(1)
            if outcome.ok:
                done += 1
                continue
            failed.append(outcome)
            if fail_fast:
                outcomes.close()  # type: ignore[attr-defined]  # an iterator that is a generator
                break
    seconds = time.perf_counter() - start
    if json:
        answer_json(
            {
                "files": len(jobs),
                "done": done,
                "failed": [{"path": outcome.name, "reason": outcome.reason} for outcome in failed],
                "seconds": seconds,
            }
        )
    elif not quiet:
        speed = f"{seconds:.1f} s ({done / max(seconds, 1e-9):.1f} per second)"
        answer(f"{done} of {plural(len(jobs), 'picture')} done in {speed}, written to {printable(str(out))}")
    for outcome in sorted(failed, key=lambda outcome: outcome.name):
        remark(f"failed: {outcome.name}: {outcome.reason}")
    if failed:
        left = len(jobs) - done - len(failed)
        stopped = f"; {plural(left, 'file')} not begun or not waited for, as --fail-fast says" if left else ""
        raise BatchError(f"{plural(len(failed), 'file')} of {len(jobs)} failed{stopped}.")


class _Report:
    """The report of a batch, one line per input, written as it goes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> "_Report":
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                where = printable(str(self._path))
                raise OutputError(
                    f"cannot write the report {where!r}: {error.strerror}; choose another place."
                ) from None
        return self

    def write(self, outcome: Any) -> None:
        """Write one line."""
        if self._file is None:
            return
        line = {
            "path": outcome.name,
            "status": "done" if outcome.ok else "failed",
            "output": str(outcome.target) if outcome.ok else None,
            "input_shape": list(outcome.input_shape),
            "output_shape": list(outcome.output_shape),
            "seconds": round(outcome.seconds, 6),
            "reason": outcome.reason or None,
            "remarks": list(outcome.remarks),
        }
        self._file.write(json_text.dumps(line) + "\n")
        self._file.flush()

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
