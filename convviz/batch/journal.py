"""Record what earlier runs of a batch did, so that the next run does only the rest."""

import contextlib
import hashlib
import heapq
import itertools
import json
import re
import shutil
import tempfile
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import filelock
import numpy as np

from convviz import __version__
from convviz.batch.plan import Fingerprint, Job, Outcome
from convviz.errors import InputError, OutputError
from convviz.files import addresses, writing
from convviz.files.paths import quoted
from convviz.spec.settings import as_text

# The file is in the output folder; a name that begins with a dot is never taken for an input.
FOLDER = ".convviz"


@contextlib.contextmanager
def holding(out: Path) -> Iterator[None]:
    """Be the only batch that writes into a folder, until the process ends for any reason.

    Parameters
    ----------
    out : Path
        The output folder; it is made if it does not exist.

    Raises
    ------
    OutputError
        If another batch holds it, or nothing can be written there.
    """
    if addresses.is_remote(out):  # a lock there would outlive its process
        yield
        return
    place = out / FOLDER
    for path in (place, place / "lock"):
        writing.check_own(path, folder=path is place)
    with writing.reported(out):
        writing.make_folder(place)
        lock = filelock.FileLock(place / "lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise OutputError(
                f"another batch is writing into {quoted(out)}; wait for it, or choose another folder."
            ) from None
    writing.sweep(place)  # a run that was killed may have been writing its journal
    try:
        yield
    finally:
        lock.release()


def settings_digest(files: Sequence[Path], *settings: Any) -> str:
    """Write everything that an output depends on, except its input, in a few characters.

    Parameters
    ----------
    files : sequence of Path
        The files that kernels, weights and networks come from; their content counts.
    *settings
        The settings.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    InputError
        If one of those files cannot be read.
    """
    described: dict[str, Any] = {"version": __version__, **as_text(*settings)}
    described["files"] = [digest_of(path) for path in files]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def digest_of(path: Path) -> str:
    """Digest the content of a file."""
    if addresses.is_remote(path):
        return hashlib.sha256(addresses.read(path)).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {quoted(path)}: {(error.strerror or str(error)).lower()}.") from None


@dataclass(frozen=True, slots=True)
class Entry:
    """One output that an earlier run wrote.

    Parameters
    ----------
    path : str
        The name of the job.
    settings : str
        What `settings_digest` gave.
    source : Fingerprint
        The input as it was when it was read.
    written : int
        Bytes of the output.
    input_shape, output_shape : tuple of int
        Shapes of the picture and of its maps.
    remarks : tuple of str
        What convviz changed while it read the file.
    """

    path: str
    settings: str
    source: Fingerprint
    written: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    remarks: tuple[str, ...]


# The current version of a source and the size of a target; None if one of them does not exist.
_Look = tuple[addresses.Seen, int]
_Answer = Callable[[], _Look | None]

# The number of files behind an address that are looked up at once.
_QUESTIONS = 16


def _look(item: Job | Outcome) -> _Look | None:
    """Look up the current version of an input, and the size of its output."""
    if isinstance(item, Outcome):
        return None
    try:
        written = addresses.size_of(item.target)
        return None if written is None else (item.seen or addresses.seen(item.source), written)
    except OSError:
        return None


def _nothing() -> None:
    """Return the answer for files that need no request."""


class Journal:
    """Hold the outputs in a folder, one line each, written as they are made.

    It holds 16 bytes for each output of earlier runs, and looks up the rest when it is needed.

    Parameters
    ----------
    out : Path
        The output folder.
    settings : str
        What `settings_digest` gives for this run.
    """

    def __init__(self, out: Path, settings: str) -> None:
        self._mirror = _Mirror(out / FOLDER) if addresses.is_remote(out) else None
        self._path = out / FOLDER / "journal.jsonl" if self._mirror is None else self._mirror.path
        self._settings = settings
        self._file: Any = None
        writing.check_own(self._path)
        self._index = _Index(self._path)

    def compared(self, items: Iterable[Job | Outcome], *, remote: bool = False) -> Iterator[Job | Outcome]:
        """Replace a job by its earlier outcome, if that output is still up to date.

        Parameters
        ----------
        items : iterable of Job and Outcome
            The work to do; outcomes are passed through.
        remote : bool
            Whether files are behind addresses, which take a while to answer: many files
            are looked up at once.

        Yields
        ------
        Job or Outcome
            In the same order.
        """
        for item, entry, answer in self._asked(items, remote):
            look = answer() if entry is not None else None
            if isinstance(item, Job) and entry is not None and look is not None:
                yield self._compared(item, entry, look)
            else:
                yield item

    def _asked(
        self, items: Iterable[Job | Outcome], remote: bool
    ) -> Iterator[tuple[Job | Outcome, Entry | None, _Answer]]:
        """Return each item with its entry from an earlier run, and with a look at its current files."""
        if not remote:
            for item in items:
                yield item, self._known(item), partial(_look, item)
            return
        with ThreadPoolExecutor(_QUESTIONS) as pool:
            waiting: deque[tuple[Job | Outcome, Entry | None, _Answer]] = deque()
            try:
                for item in items:
                    entry = self._known(item)
                    waiting.append((item, entry, pool.submit(_look, item).result if entry else _nothing))
                    if len(waiting) >= 4 * _QUESTIONS:
                        yield waiting.popleft()
                while waiting:
                    yield waiting.popleft()
            finally:
                pool.shutdown(cancel_futures=True)

    def _known(self, item: Job | Outcome) -> Entry | None:
        entry = self._index.entry(item.name) if isinstance(item, Job) else None
        return entry if entry is not None and entry.settings == self._settings else None

    def _compared(self, job: Job, entry: Entry, look: _Look) -> Job | Outcome:
        (found, written), was = look, entry.source
        if (found.size, found.modified, written) != (was.size, was.modified, entry.written):
            return job
        # The date of change is new, but the date of content is not: the file was copied, its owner
        # changed, or it was altered and its date was set back.
        if found.changed != was.changed or not found.certain:
            with contextlib.suppress(InputError):
                if digest_of(job.source) == was.sha256:
                    self._write(replace(entry, source=replace(was, changed=found.changed)))
                    return self._outcome(entry, job)
            return job
        return self._outcome(entry, job)

    def _outcome(self, entry: Entry, job: Job) -> Outcome:
        return Outcome(
            job.name,
            job.target,
            remarks=entry.remarks,
            input_shape=entry.input_shape,
            output_shape=entry.output_shape,
            source=entry.source,
            written=entry.written,
            unchanged=True,
        )

    def add(self, outcome: Outcome) -> None:
        """Note an output that was made."""
        if outcome.status != "done" or outcome.source is None:
            return
        entry = Entry(
            outcome.name,
            self._settings,
            outcome.source,
            outcome.written,
            outcome.input_shape,
            outcome.output_shape,
            outcome.remarks,
        )
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        with writing.reported(self._path):
            self._file.write(_line(entry))
            self._file.flush()
        if self._mirror is not None:
            self._mirror.add(_line(entry))

    def __enter__(self) -> "Journal":
        with writing.reported(self._path):
            writing.make_folder(self._path.parent)
            self._file = self._path.open("a+b")
            # The last line that a killed run wrote may be incomplete.
            self._file.write(b"\n")
        return self

    def __exit__(self, *error: object) -> None:
        """Rewrite the journal in the order of the names.

        Two folders with the same outputs then have the same journal, however often
        a run was interrupted.
        """
        self._index.close()
        with writing.writing(self._path, force=True) as file, self._file:
            # Read from the open file: the journal may have been deleted with its folder meanwhile.
            file.writelines(_tidied(self._file))
        if self._mirror is not None:
            self._mirror.end()


class _Mirror:
    """Keep the journal of a folder behind an address here, and send it in parts: files there cannot grow."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._folder = tempfile.TemporaryDirectory(prefix="convviz-")
        self.path = Path(self._folder.name) / "journal.jsonl"
        self._pending: list[bytes] = []
        self._begun = self._sent = time.monotonic()
        with contextlib.ExitStack() as failed:
            failed.callback(self._folder.cleanup)
            with self.path.open("wb") as file:
                for part in self._parts():
                    addresses.fetch(part, file)
            failed.pop_all()

    def _parts(self) -> list[Path]:
        """List the part that was sent as a whole, then the parts that were sent since."""
        try:
            names = [name for name, _ in addresses.listed(self._place) if re.fullmatch(_PART, name)]
        except InputError:  # no folder yet
            return []
        return [
            self._place / name for name in sorted(names, key=lambda name: (name != "journal.jsonl", name))
        ]

    def add(self, line: bytes) -> None:
        """Keep a line, and send waiting lines from time to time, so that a killed run loses no others."""
        self._pending.append(line)
        now = time.monotonic()
        # A long run sends them less often, so that there are hundreds of parts, not tens of thousands.
        if now - self._sent >= max(_SEND_SECONDS, _SEND_SHARE * (now - self._begun)):
            with writing.writing(self._place / f"journal-{time.time_ns():020}.jsonl", force=True) as file:
                file.writelines(self._pending)
            self._pending.clear()
            self._sent = now

    def end(self) -> None:
        """Send the whole journal, and delete the parts."""
        with self._folder:
            before = self._parts()
            with (
                writing.writing(self._place / "journal.jsonl", force=True) as file,
                self.path.open("rb") as whole,
            ):
                shutil.copyfileobj(whole, file)
            for part in before:
                if part.name != "journal.jsonl":
                    with addresses.reported(part):
                        part.unlink()


# The names of a journal behind an address, and of a part of one.
_PART = r"journal(-\d+)?\.jsonl"

# How often lines are sent to a folder behind an address: in seconds, or as a share of the time so far.
_SEND_SECONDS, _SEND_SHARE = 1.0, 0.01

# How a line begins; a backslash stands before a quotation mark in a name.
_NAME = re.compile(rb'{"path": "((?:[^"\\]|\\.)*)", "settings": ')

# The number of lines that are sorted at once: about 20 MB.
_LINES = 50_000


class _Index:
    """Find the last line of each name in a journal."""

    def __init__(self, path: Path) -> None:
        digests, places = array("Q"), array("q")
        try:
            self._file: Any = path.open("rb")
        except FileNotFoundError:
            self._file = None
        else:
            place = 0
            for line in self._file:
                if found := _NAME.match(line):
                    digests.append(_digest(found[1]))
                    places.append(place)
                place += len(line)
        found_digests = np.frombuffer(digests, np.uint64) if digests else np.empty(0, np.uint64)
        order = np.argsort(found_digests, kind="stable")
        self._digests = found_digests[order]
        self._places = np.frombuffer(places, np.int64)[order] if places else np.empty(0, np.int64)

    def entry(self, name: str) -> Entry | None:
        """Read the entry of a name; skip an invalid line, so that its output is made again."""
        digest = _digest(json.dumps(name)[1:-1].encode())
        last = int(np.searchsorted(self._digests, np.uint64(digest), side="right")) - 1
        while last >= 0 and self._digests[last] == digest:
            self._file.seek(int(self._places[last]))
            entry = _entry(self._file.readline())
            if entry is not None and entry.path == name:
                return entry
            last -= 1
        return None

    def close(self) -> None:
        """Close the journal."""
        if self._file is not None:
            self._file.close()


def _digest(name: bytes) -> int:
    """Digest a name as the journal holds it."""
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())


def _line(entry: Entry) -> bytes:
    """Write one entry."""
    return json.dumps(asdict(entry)).encode() + b"\n"


def _entry(line: bytes) -> Entry | None:
    """Read one line; None if it is not an entry."""
    try:
        found = json.loads(line)
        found["source"] = Fingerprint(**found["source"])
        for name in ("input_shape", "output_shape", "remarks"):
            found[name] = tuple(found[name])
        return Entry(**found)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _tidied(file: BinaryIO) -> Iterator[bytes]:
    """Return the last line of each name, in the order of the names, without holding all of them in memory."""

    def name_of(line: bytes) -> bytes:
        found = _NAME.match(line)
        assert found is not None
        return found[1]

    with contextlib.ExitStack() as stack:
        file.seek(0)
        lines = (line for line in file if _NAME.match(line) and line.endswith(b"}\n"))
        runs: list[Iterable[bytes]] = []
        while block := sorted(itertools.islice(lines, _LINES), key=name_of):
            if len(block) < _LINES and not runs:
                runs.append(block)
                break
            run = stack.enter_context(tempfile.TemporaryFile())
            run.writelines(block)
            run.seek(0)
            runs.append(run)
        # Both sorts keep the order of equal names: the last line is the latest.
        for _, same in itertools.groupby(heapq.merge(*runs, key=name_of), name_of):
            *_, last = same
            yield last
