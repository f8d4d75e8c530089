"""What ``convviz batch`` says in the end."""

from collections.abc import Sequence
from signal import SIGINT, Signals
from typing import Any

from convviz.batch import Tally
from convviz.cli.console import answer, remark
from convviz.cli.signals import Ended
from convviz.errors import BatchError
from convviz.text import plural

# Failures that are named at the end; of ten million files all may fail, and a report takes them.
MOST_NAMED = 1000


def document(tally: Tally) -> dict[str, Any]:
    """Return what was done as plain values."""
    return {
        "files": tally.total,
        "done": tally.counts["done"],
        "unchanged": tally.counts["unchanged"],
        "failed": [{"path": name, "reason": reason} for name, reason in tally.failed],
        "left": tally.left,
        "remarks": tally.remarks.documents,
        "passed_over": dict(tally.passed.endings.most_common()),
        "drawn_passed_over": tally.passed.drawn,
        "links_not_followed": tally.passed.links,
        "seconds": tally.seconds,
    }


def show(tally: Tally, out: str, *, piped: bool) -> None:
    """Print what was done; where stdout has the report, on stderr."""
    done, unchanged = tally.counts["done"], tally.counts["unchanged"]
    rate = f" ({done / max(tally.seconds, 1e-9):.1f} per second)" if done else ""
    before = f", {unchanged:,} unchanged since an earlier run" if unchanged else ""
    say = remark if piped else answer
    say(
        f"{done:,} of {tally.least}{plural(tally.total, 'picture')} done in "
        f"{tally.seconds:.1f} s{rate}{before}, written to {out}"
    )
    for line in filter(None, (*tally.remarks.lines, tally.passed.sentence)):
        remark(line)


def name_failures(tally: Tally) -> None:
    """Name the files that failed."""
    for name, reason in tally.failed:
        remark(f"failed: {name}: {reason}")
    if more := tally.counts["failed"] - len(tally.failed):
        remark(f"and {more:,} more; --report FILE names all of them")


def check_complete(tally: Tally, signals: Sequence[Signals]) -> None:
    """Exit with the status of what stopped the batch before all files were done."""
    if tally.trouble is not None:
        raise tally.trouble
    if signals:
        if tally.rest:
            remark(f"{tally.rest} left; run the same command again to continue.")
        raise KeyboardInterrupt if signals[0] == SIGINT else Ended(signals[0])


def check_failures(tally: Tally) -> None:
    """Exit with the status for failed files, if there are any."""
    if failed := tally.counts["failed"]:
        stopped = f"; {tally.rest} left, because of --fail-fast" if tally.rest else ""
        raise BatchError(f"{plural(failed, 'file')} of {tally.least}{tally.total:,} failed{stopped}.")
