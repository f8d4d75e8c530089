"""Plan a batch: every input has an output of its own."""

import functools
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from convviz.errors import InputError, SpecError
from convviz.files import addresses
from convviz.files.addresses import Seen
from convviz.files.finding import find_files, is_wanted
from convviz.files.paths import fitting, quoted, unusable
from convviz.text import plural, printable


@dataclass(frozen=True, slots=True)
class Job:
    """Hold one file to process.

    Parameters
    ----------
    name : str
        The path of the input below the input folder, with forward slashes.
    source, target : Path
        The file to read and the file to write.
    seen : Seen or None
        The state of the input, if the listing gave it with the name.
    """

    name: str
    source: Path
    target: Path
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Describe an input file as it was when it was read.

    Parameters
    ----------
    size : int
        Bytes.
    modified, changed : int
        When its content was last changed, and when anything about it was last changed, in
        nanoseconds; nobody can set the second one.
    sha256 : str
        The digest of its content.
    """

    size: int
    modified: int
    changed: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold the outcome of one file.

    Parameters
    ----------
    name : str
        As in its `Job`.
    target : Path
        The file that was, or would have been, written.
    reason : str
        Why the file failed, in one line; empty if it did not fail.
    remarks : tuple of str
        What convviz changed while it read the file.
    input_shape, output_shape : tuple of int
        Shapes of the picture and of the maps; empty if the file failed.
    seconds : float
        How long the file took.
    source : Fingerprint, optional
        The file that was read; None if it failed.
    written : int
        Bytes of the output.
    unchanged : bool
        Whether an earlier run had already made the output.
    maps : tuple of dict
        Statistics of the maps of a layer of a network.
    """

    name: str
    target: Path
    reason: str = ""
    remarks: tuple[str, ...] = ()
    input_shape: tuple[int, ...] = ()
    output_shape: tuple[int, ...] = ()
    seconds: float = 0.0
    source: Fingerprint | None = None
    written: int = 0
    unchanged: bool = False
    maps: tuple[Mapping[str, Any], ...] = ()

    @property
    def status(self) -> str:
        """Status in one word: done, failed, or unchanged since an earlier run made it."""
        return "failed" if self.reason else "unchanged" if self.unchanged else "done"


# The number of names behind an address to count before work begins: a million take minutes to list.
COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold the files of a batch, and list them again on each pass, so that memory never holds all names.

    Parameters
    ----------
    folder : Path
        The folder of the pictures.
    out : Path
        The folder in which the same tree is made.
    pattern : str or None
        The pattern of names to take.
    total : int
        Number of pictures and unreadable folders when the plan was made.
    counted : bool
        Whether all files are counted; behind an address the count ends at `COUNTED`.
    folds : bool
        Whether names that differ only in case would share one output.
    ending : str
        The ending of the outputs.

    Notes
    -----
    Pictures that convviz drew are passed over, as `find_files` does; behind an address they are taken,
    because each would have to be read to know it.
    """

    folder: Path
    out: Path
    pattern: str | None
    total: int = 0
    counted: bool = True
    folds: bool = False
    ending: str = ".png"

    def items(self, passed: "PassedOver | None" = None) -> Iterator[Job | Outcome]:
        """List the jobs folder by folder, and report each folder that cannot be read as a failure.

        Count in `passed` the files that are not taken.
        """
        taken: set[int] = set()
        linked = functools.lru_cache(maxsize=1)(self._link_above)  # files of one folder follow one another
        for found in self._found(PassedOver() if passed is None else passed):
            if isinstance(found, Outcome):
                yield found
                continue
            name, seen = found
            target = output_path(self.out, name, ending=self.ending)
            if self.folds:
                folded = _folded(target)
                if folded in taken:
                    target = output_path(self.out, name, ending=self.ending, apart=True)
                taken.add(folded)
            if link := linked(target.parent):
                reason = (
                    f"cannot write {quoted(target)}: {quoted(link)} is a link; delete it, or choose another "
                    "output folder."
                )
                yield Outcome(name, target, reason=reason)
            else:
                yield Job(name, self.source_of(name), target, seen)

    def source_of(self, name: str) -> Path:
        """Return the path of an input."""
        remote = addresses.is_remote(self.folder)
        return addresses.below(self.folder, name) if remote else self.folder / name

    def _found(self, passed: "PassedOver") -> Iterator[tuple[str, Seen | None] | Outcome]:
        """List the names of the pictures, and each folder that cannot be read."""
        if addresses.is_remote(self.folder):
            below = _below(self.out, self.folder)
            for name, seen in addresses.listed(self.folder):
                path = PurePosixPath(name)
                hidden = any(part.startswith(".") for part in path.parts)
                inside = below is not None and path.is_relative_to(below)
                if hidden or inside:
                    continue
                if is_wanted(path, self.pattern):
                    yield name, seen
                elif self.pattern is None:
                    passed.file(path)
            return
        unread: list[Outcome] = []

        def note(error: OSError) -> None:
            name = Path(error.filename or self.folder).relative_to(self.folder).as_posix()
            reason = f"{(error.strerror or str(error)).lower()}."
            unread.append(Outcome(f"{name}/", self.out / name, reason=reason))

        def leave(path: Path) -> None:
            if (self.folder / path).is_dir():
                passed.link(path)
            elif self.pattern is None:
                passed.file(path)

        for found in find_files(
            self.folder,
            pattern=self.pattern,
            exclude=self.out,
            unread=note,
            passed=leave,
            ours=passed.ours,
        ):
            yield from unread
            unread.clear()
            yield found.as_posix(), None
        yield from unread

    def _link_above(self, folder: Path) -> Path | None:
        """Find a link on the way from the output folder to one in it."""
        if addresses.is_remote(self.out):
            return None
        above = [folder, *folder.parents][: len(folder.parts) - len(self.out.parts)]
        return next((place for place in above if addresses.is_link(place)), None)

    @property
    def is_remote(self) -> bool:
        """Whether the files are behind addresses."""
        return addresses.is_remote(self.folder) or addresses.is_remote(self.out)

    def uses(self, path: Path) -> bool:
        """Return whether a file is, or could become, an input or output of the plan, or is kept for it."""
        place = path.parent.resolve() / path.name
        if not addresses.is_remote(self.out) and place.is_relative_to(self.out.resolve()):
            below = place.relative_to(self.out.resolve())
            return below.suffix.lower() == self.ending or below.as_posix().lower().startswith(".convviz")
        if not addresses.is_remote(self.folder) and place.is_relative_to(self.folder.resolve()):
            return is_wanted(place.relative_to(self.folder.resolve()), self.pattern)
        return False


# The number of links, and of endings, that are named one by one.
_MOST_NAMED = 1000


class PassedOver:
    """Count the files beside the pictures of a batch that are not taken.

    Examples
    --------
    >>> passed = PassedOver()
    >>> for name in ("a.txt", "b/c.TXT", "Makefile"):
    ...     passed.file(PurePosixPath(name))
    >>> passed.sentence
    '3 files passed over (2 .txt, 1 without an ending); --pattern takes files by their names'
    """

    def __init__(self) -> None:
        self.endings: Counter[str] = Counter()
        self.links: list[str] = []
        self.linked = 0
        self.drawn = 0

    def file(self, path: PurePath) -> None:
        """Count a file by its ending."""
        ending = path.suffix.lower()
        self.endings[ending if ending in self.endings or len(self.endings) < _MOST_NAMED else ".*"] += 1

    def ours(self, path: PurePath) -> None:
        """Count a picture that convviz drew."""
        self.drawn += 1

    def link(self, path: PurePath) -> None:
        """Note a link to a folder."""
        self.linked += 1
        if len(self.links) < _MOST_NAMED:
            self.links.append(path.as_posix())

    @property
    def sentence(self) -> str:
        """Summary in one line; empty if nothing was passed over."""
        said = []
        if self.endings:
            first = self.endings.most_common(5)
            named = [f"{count:,} {ending or 'without an ending'}" for ending, count in first]
            if rest := self.endings.total() - sum(count for _, count in first):
                named.append(plural(rest, "other"))
            files = plural(self.endings.total(), "file")
            said.append(f"{files} passed over ({', '.join(named)}); --pattern takes files by their names")
        if self.drawn:
            said.append(f"{plural(self.drawn, 'picture')} drawn by convviz passed over")
        if self.linked:
            more = f" and {plural(self.linked - 3, 'other')}" if self.linked > 3 else ""
            links = plural(self.linked, "link")
            folders = "a folder" if self.linked == 1 else "folders"
            said.append(f"{links} to {folders} not followed: {', '.join(self.links[:3])}{more}")
        return "; ".join(said)


def _below(path: Path, folder: Path) -> PurePosixPath | None:
    """Return the part of a path below a folder; None if the path lies elsewhere."""
    if addresses.is_remote(path) != addresses.is_remote(folder):
        return None
    if addresses.is_remote(path):
        whole, root = PurePosixPath(str(path)), PurePosixPath(str(folder))
    else:
        whole, root = PurePosixPath(path.resolve().as_posix()), PurePosixPath(folder.resolve().as_posix())
    return whole.relative_to(root) if whole.is_relative_to(root) else None


def output_path(out: Path, name: str, *, ending: str = ".png", apart: bool = False) -> Path:
    """Return the path of the output of an input: always in `out`, whatever the name.

    Parameters
    ----------
    out : Path
        The output folder.
    name : str
        The name of the input below its folder, as a file system, a bucket or an
        archive gives it: it may hold any characters.
    ending : str
        The ending that the name gets.
    apart : bool
        Put a digest into the name, if another input has the same name.

    Returns
    -------
    Path
        The same folders, and the whole name of the input with the ending after it: it
        depends on nothing else, and no two inputs share it. Parts that no name can hold
        are replaced, as `convviz.files.paths.fitting` describes.

    Examples
    --------
    >>> [output_path(Path("maps"), name).as_posix() for name in ("a/cat.jpg", "a/cat.png")]
    ['maps/a/cat.jpg.png', 'maps/a/cat.png.png']
    >>> output_path(Path("maps"), "/../x.png").parts[0]
    'maps'
    """
    *folders, last = name.split("/")
    parts = [fitting(part, "") for part in folders]
    return out.joinpath(*parts, fitting(last, ending, unlike=name if apart else ""))


def _folded(path: Path) -> int:
    """Digest a path as it looks to a file system that ignores case and the composition of accents."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFD", path.as_posix()).casefold())
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def make_plan(folder: Path, out: Path, *, pattern: str | None = None, ending: str = ".png") -> Plan:
    """Pair every picture below a folder with its output.

    Parameters
    ----------
    folder : Path
        The folder to search, at any depth; files in `out` are left out.
    out : Path
        The folder in which the same tree is made.
    pattern : str, optional
        The pattern of names to take, such as ``*.jpg``; every picture by default.
    ending : str
        The ending of the outputs.

    Returns
    -------
    Plan
        The work to do.

    Raises
    ------
    InputError
        If the folder does not exist, or holds no picture.
    SpecError
        If both folders are the same, or an output would replace an input.
    """
    remote = addresses.is_remote(folder)
    addresses.check_writable(out)
    if not remote:
        if _found(folder, "the folder") is None:
            raise InputError(f"the folder {quoted(folder)} does not exist; check the path.")
        if not folder.is_dir():
            raise InputError(f"{quoted(folder)} is not a folder; use convviz run for one file.")
    if remote or addresses.is_remote(out):
        same = str(folder).rstrip("/") == str(out).rstrip("/")
    else:
        same = _found(out, "the output folder") == _found(folder, "the folder")
    if same:
        raise SpecError("the output folder is the input folder; choose another, which may lie inside it.")
    folds = addresses.folds_case(out) and (remote or not addresses.folds_case(folder))
    plan = Plan(folder, out, pattern, folds=folds, ending=ending)
    inside = _below(folder, out) is not None
    total = 0
    passed = PassedOver()
    for item in plan.items(passed):
        total += 1
        if remote and not inside and total == COUNTED:
            return replace(plan, total=total, counted=False)
        # If the input does not lie in the output, no output can be an input.
        if inside and isinstance(item, Job):
            _check_target(item, plan)
    if not total:
        wanted = f"file like {pattern!r}" if pattern else "picture"
        rest = f"; {printable(passed.sentence)}" if passed.sentence else ""
        raise InputError(f"there is no {wanted} in {quoted(folder)}{rest}.")
    return replace(plan, total=total)


def _found(path: Path, what: str) -> tuple[int, int] | None:
    """Identify a folder by its device and number in the file system; None if it does not exist."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise InputError(f"{what} {quoted(path)} cannot be used: {unusable(error)}.") from None
    return found.st_dev, found.st_ino


def _check_target(job: Job, plan: Plan) -> None:
    """Refuse an output that would replace an input."""
    name = _below(job.target, plan.folder)
    if name is not None and is_wanted(name, plan.pattern) and job.target.is_file():
        raise SpecError(
            f"the output of {quoted(job.name)} would take the place of {quoted(name.as_posix())}; "
            "choose another folder for the output."
        )
