"""Writing files whole or not at all, and finding files in a folder."""

import contextlib
import difflib
import errno
import hashlib
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import BinaryIO, cast

from convviz.errors import InputError, OutputError
from convviz.files import places
from convviz.machine import memory
from convviz.text import printable

if os.name == "posix":
    import fcntl

# What `find_files` takes for pictures: every ending of a format that `convviz.images.decode` reads.
PICTURE_SUFFIXES = frozenset(
    f".{ending}"
    for ending in [
        "apng",
        "avif",
        "avifs",
        "blp",
        "bmp",
        "bw",
        "cur",
        "dcx",
        "dds",
        "dib",
        "flc",
        "fli",
        "ftc",
        "ftu",
        "gbr",
        "gif",
        "heic",
        "heif",
        "icb",
        "icns",
        "ico",
        "iim",
        "im",
        "j2c",
        "j2k",
        "jfif",
        "jp2",
        "jpc",
        "jpe",
        "jpeg",
        "jpf",
        "jpg",
        "jpx",
        "mpo",
        "msp",
        "pbm",
        "pcd",
        "pcx",
        "pfm",
        "pgm",
        "png",
        "pnm",
        "ppm",
        "psd",
        "pxr",
        "qoi",
        "ras",
        "rgb",
        "rgba",
        "sgi",
        "tga",
        "tif",
        "tiff",
        "vda",
        "vst",
        "webp",
        "xbm",
        "xpm",
    ]
)


# To compare a name takes some 20 microseconds.
_NAMES_COMPARED = 1000

# In bytes, of the file systems in use today.
_LONGEST_NAME = 255

# Files that are being written have such names until they are whole.
# An address, of which a path keeps one stroke.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")

_UNFINISHED = re.compile(r"\.convviz-[0-9a-f]{16}")
_unfinished: set[Path] = set()


def shown(path: str | PurePath) -> str:
    """Write a path for a message: in quotes, with nothing that a terminal would act upon."""
    return f"'{printable(str(path))}'"


class Stream:
    """Stdout in the place of a file: takes its bytes, and counts them.

    Parameters
    ----------
    file : binary file
        What the bytes go to.
    suffix : str
        The kind of file, as the ending of a name.
    """

    def __init__(self, file: BinaryIO, suffix: str) -> None:
        self._file, self.suffix = file, suffix
        self._written = 0

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self._file.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """Count the bytes written."""
        return self._written

    def flush(self) -> None:
        """Pass on what is held."""
        self._file.flush()

    def __str__(self) -> str:
        return "-"


@contextlib.contextmanager
def writing(
    path: Path | Stream,
    *,
    force: bool = False,
    is_ours: Callable[[Path], bool] = lambda path: False,
    inputs: Sequence[Path] = (),
) -> Iterator[BinaryIO]:
    """Write a file beside its place, then put it there.

    Parameters
    ----------
    path : Path or Stream
        Where the file shall be; a missing folder is made. A stream is written to.
    force : bool
        Replace any file, not only ours; an input never.
    is_ours : callable
        Tells whether a file was written by convviz.
    inputs : sequence of Path
        Files that are never replaced.

    Yields
    ------
    binary file
        The file, open for writing.

    Raises
    ------
    OutputError
        If the place is taken by a folder, an input or a file that is not ours,
        or the file cannot be written there. No part of the file is left then.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "new", "two.bin")
    ...     with writing(path) as file:
    ...         _ = file.write(b"12")
    ...     path.read_bytes()
    b'12'
    """
    if isinstance(path, Stream):
        yield cast("BinaryIO", path)
        path.flush()
        return
    check_place(path, force=force, is_ours=is_ours, inputs=inputs)
    if places.is_remote(path):
        with places.sending(path) as file:
            yield file
        return
    with reported(path):
        make_folder(path.parent)
        file = _begin(path.parent)
        temporary = Path(file.name)
        try:
            with file:
                yield file
                if os.name == "posix":
                    # While it is held: once it is closed, another process may sweep it away.
                    file.flush()
                    temporary.replace(path)
            if os.name != "posix":  # no open file can be given another name
                temporary.replace(path)
        finally:
            _delete(temporary)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, however many: pathlib calls itself for each."""
    missing = []
    for place in (path, *path.parents):
        if place.is_dir():
            break
        missing.append(place)
    for place in reversed(missing):
        place.mkdir(exist_ok=True)


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a place is written to into an `OutputError` of one line."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {shown(path)}: {reason_of(error)}.") from None


def _begin(folder: Path) -> BinaryIO:
    """Open a new file that no other process takes for one that nobody writes any more."""
    while True:
        # Short, so that a name of the greatest length still has room; unique, so that two runs do not meet.
        path = folder / f".convviz-{os.urandom(8).hex()}"
        _unfinished.add(path)
        # Not through tempfile: its files are private, these have the permissions of any new file.
        file = path.open("xb")
        # Another process may sweep it away before it is held.
        if _hold(file) and path.exists():
            return file
        file.close()
        _delete(path)


def _hold(file: BinaryIO) -> bool:
    """Lock a file, which its process does until it ends in whatever way; tells whether nobody else does."""
    if os.name != "posix":
        return True  # an open file cannot be deleted there
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _delete(unfinished: Path) -> None:
    """Delete a file that is not whole; if it became whole, it is gone from here."""
    with contextlib.suppress(OSError):
        unfinished.unlink(missing_ok=True)
    _unfinished.discard(unfinished)


def delete_unfinished() -> None:
    """Delete what this process has begun to write; for its end, which may come at any moment."""
    for path in list(_unfinished):
        _delete(path)


def sweep(folder: Path) -> None:
    """Delete what processes that were killed left half written in a folder.

    Parameters
    ----------
    folder : Path
        Where to look; not in the folders in it. What a living process is writing
        stays.
    """
    if places.is_remote(folder):
        return
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):
                # Without waiting: something else may have such a name.
                with contextlib.suppress(OSError), open(path, "rb", opener=_open_at_once) as file:
                    if _hold(file):
                        path.unlink()


def _open_at_once(path: str, flags: int) -> int:
    """Open a file that is no link, and do not wait for whom a pipe would wait for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def check_own(path: Path, *, folder: bool = False) -> None:
    """Refuse a file that is changed where it is, if it may be somebody else's by another name.

    Parameters
    ----------
    path : Path
        A file of ours, or the place of one to come.
    folder : bool
        Whether it is a folder instead.

    Raises
    ------
    OutputError
        If there is a link, or something that is no such thing.
    """
    with reported(path):
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return
    if places.is_link(path) or (not folder and stat.S_ISREG(found.st_mode) and found.st_nlink > 1):
        what = "a link"
    elif folder:
        what = "" if stat.S_ISDIR(found.st_mode) else "not a folder"
    elif stat.S_ISDIR(found.st_mode):
        what = "a folder"
    else:
        what = "" if stat.S_ISREG(found.st_mode) else "not an ordinary file"
    if what:
        raise OutputError(f"cannot write {shown(path)}: it is {what}; delete it, or choose another folder.")


def check_place(
    path: Path | Stream, *, force: bool, is_ours: Callable[[Path], bool], inputs: Sequence[Path]
) -> None:
    """Refuse a place that is not free to be taken, with the parameters of `writing`."""
    if isinstance(path, Stream):
        return
    if places.is_remote(path):
        places.check_writable(path)
        with places.reported(path):
            taken = not force and places.size_of(path) is not None and not is_ours(path)
        if taken:
            raise OutputError(f"{shown(path)} exists and convviz did not write it; --force replaces it.")
        return
    check_folder(path.parent, of=path)
    with reported(path):
        if path.is_dir():
            raise OutputError(f"cannot write {shown(path)}: it is a folder; give the name of a file.")
        if not os.path.lexists(path):
            return
        for source in inputs:
            if source.exists() and path.exists() and path.samefile(source):
                raise OutputError(f"cannot write {shown(path)}: it is the input; choose another name.")
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {shown(path)}: it is not an ordinary file; choose another name.")
        # What is put there takes the place of a link; a link that leads nowhere is somebody's too.
        if not force and not (path.exists() and is_ours(path)):
            raise OutputError(f"{shown(path)} exists and convviz did not write it; --force replaces it.")


def check_folder(path: Path, *, of: Path | None = None) -> None:
    """Refuse a place where no folder is and none can be made; `of` is what shall be written there."""
    named = path if of is None else of
    if "\0" in str(named):
        raise OutputError(f"cannot write {shown(named)}: a name has no null character; choose another name.")
    with reported(named):
        found = next((place for place in (path, *path.parents) if place.exists()), None)
        if found is not None and not found.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "")


def reason_of(error: OSError) -> str:
    """Word the usual reasons for which nothing can be written, with their remedy."""
    words = {
        errno.EACCES: "permission denied; choose another folder",
        errno.EPERM: "permission denied; choose another folder",
        errno.EROFS: "the file system is read-only; choose another folder",
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the quota is used up; free some space",
        errno.ENOTDIR: "part of the path is a file; choose another folder",
        errno.EEXIST: "part of the path is a file; choose another folder",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
        errno.EMFILE: "too many files are open; raise ulimit -n",
        errno.EBADF: "it is closed",
    }
    return words.get(error.errno or 0, printable(error.strerror or str(error)).lower())


def unusable(error: OSError | ValueError) -> str:
    """Word why a path cannot be used."""
    if isinstance(error, OSError):
        return printable(error.strerror or str(error)).lower()
    return "no path holds a null character; check it"  # what Python raises a ValueError for


# What a name cannot hold: here, and on Windows, where some names also are those of devices.
_NEVER = re.compile(r"[/\0]")
_NEVER_ON_WINDOWS = re.compile(r'[<>:"/\\|?*\0-\x1f]|[. ]\Z')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ .]*(\..*)?", re.IGNORECASE)
# Names of no file, names of ours, and those that a digest makes.
_NOT_FREE = re.compile(r"\A\.{0,2}\Z|\A\.convviz|~[0-9a-f]{64}", re.IGNORECASE)


def fitting(name: str, ending: str, *, unlike: str = "", windows: bool = os.name == "nt") -> str:
    """Name a file or a folder after another one, whatever that is called.

    Parameters
    ----------
    name : str
        The name to begin with.
    ending : str
        What to put behind it.
    unlike : str
        A longer text that tells it from others of this name.
    windows : bool
        Whether it shall be a name on Windows.

    Returns
    -------
    str
        Both together. Where that is longer than file systems take, or no name of a
        file, the name is cut, what no name can hold is replaced, and a digest of the
        whole name stands in for the rest, so that no two names become one.

    Examples
    --------
    >>> fitting("cat.jpg", ".png")
    'cat.jpg.png'
    >>> len(fitting("x" * 255, ".png"))
    255
    >>> fitting("..", "")[:10]
    '_~5ec1f7e7'
    """
    whole = name + ending
    never = _NEVER_ON_WINDOWS if windows else _NEVER
    device = windows and _DEVICE.fullmatch(whole)
    if not (unlike or device or never.search(whole) or _NOT_FREE.search(name)):
        with contextlib.suppress(UnicodeEncodeError):  # no name in the encoding of this system
            if len(os.fsencode(whole)) <= _LONGEST_NAME:
                return whole
    digest = hashlib.sha256((unlike or name).encode("utf-8", "surrogatepass")).hexdigest()
    ending = f"~{digest}{ending}"
    kept = ("_" if device else "") + never.sub("_", name.encode("utf-8", "ignore").decode())
    if _NOT_FREE.search(name):
        kept = "_" + kept.lstrip(".")
    # What is cut in the middle of a character of several bytes loses that character.
    return kept.encode()[: _LONGEST_NAME - len(ending)].decode("utf-8", "ignore") + ending


def read_bytes(path: Path, *, size: int = 0) -> bytes:
    """Read an ordinary file whole.

    Parameters
    ----------
    path : Path
        Where it is.
    size : int
        Its bytes as far as they are known; here they are asked for, which behind
        an address would take a while.

    Raises
    ------
    InputError
        If it is missing, not an ordinary file, or may not be read. A pipe or a
        device is never opened, for that could wait for ever.
    """
    if places.is_remote(path):
        _make_room(path, size)
        return places.read(path)
    if str(path) == ".":  # what an empty name becomes
        raise InputError("the name of the input is empty or '.'; give a file, or - for stdin.")
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a folder; use convviz batch for folders" if path.is_dir() else "not an ordinary file"
            raise InputError(f"cannot read {shown(path)}: it is {what}.")
        _make_room(path, found.st_size)
        return path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            what = "the link leads to no file"
        elif near := _nearest(path):
            what = f"there is no such file; did you mean {shown(near)}?"
            raise InputError(f"cannot read {shown(path)}: {what}") from None
        else:
            what = "there is no such file; check the path"
        if _ADDRESS.match(str(path)):
            what = "addresses are for convviz batch; get the file first"
        raise InputError(f"cannot read {shown(path)}: {what}.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise InputError(f"cannot read {shown(path)}: {unusable(error)}.") from None


def split_member(path: Path) -> tuple[Path, str | None]:
    """Split the name of an array off the path of its archive.

    Parameters
    ----------
    path : Path
        ``FILE.npz:NAME``, or any other path.

    Returns
    -------
    path : Path
        The file.
    member : str or None
        The name of the array.

    Examples
    --------
    >>> split_member(Path("frames.npz:conv1.weight"))[1], split_member(Path("frames.npz"))[1]
    ('conv1.weight', None)
    """
    found = re.fullmatch(r"(.*\.npz):([^:]+)", str(path), re.IGNORECASE | re.DOTALL)
    return (path, None) if found is None else (Path(found[1]), found[2])


def _nearest(path: Path) -> Path | None:
    """Find the file whose name is most like one that is not there; looked for among the first names alone."""
    with contextlib.suppress(OSError, ValueError):
        names = [entry.name for entry in itertools.islice(os.scandir(path.parent), _NAMES_COMPARED)]
        close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
        return path.with_name(close[0]) if close else None
    return None


def _make_room(path: Path, size: int) -> None:
    memory.need(size, f"the bytes of {shown(path)}", "make the file smaller", error=InputError)


def find_files(
    folder: Path,
    *,
    pattern: str | None = None,
    exclude: Path | None = None,
    unread: Callable[[OSError], None] = lambda error: None,
    passed: Callable[[Path], None] = lambda path: None,
) -> Iterator[Path]:
    """List the pictures below a folder.

    Parameters
    ----------
    folder : Path
        Where to look, at any depth. Links to folders are not followed, and names
        that begin with a dot are passed over.
    pattern : str, optional
        Take the files whose name, or path below `folder`, matches it; by default
        those with one of `PICTURE_SUFFIXES`, in upper or lower case.
    exclude : Path, optional
        A folder to leave out with all that is in it.
    unread : callable
        Told of every folder that cannot be looked into.
    passed : callable
        Told of every file that is not taken and of every link to a folder, relative
        to `folder`.

    Yields
    ------
    Path
        Relative to `folder`, in the order of their names, those of a folder before
        those of the folders in it: all that is no folder, with pipes and links
        that lead nowhere, so that whoever reads can name them.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.png", "a.JPG", "notes.txt"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     [str(path) for path in find_files(Path(folder))]
    ['a.JPG', 'b.png']
    """
    left_out = _identity(exclude)
    waiting = [folder]  # os.walk of Python 3.11 calls itself for each level
    while waiting:
        here = waiting.pop()
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(here) as found:
                for entry in found:
                    (folders if _is_folder(entry) else names).append(entry.name)
        except OSError as error:
            unread(error)
        inner = []
        for name in sorted(folders):
            if name.startswith(".") or (left_out is not None and _identity(here / name) == left_out):
                continue
            if places.is_link(here / name):
                passed((here / name).relative_to(folder))
            else:
                inner.append(here / name)
        waiting += reversed(inner)
        for name in sorted(names):
            relative = (here / name).relative_to(folder)
            if is_wanted(relative, pattern):
                yield relative
            elif not name.startswith("."):
                passed(relative)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Tell one folder from all others by what the file system knows; nothing if there is none."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def is_wanted(relative: PurePath, pattern: str | None) -> bool:
    """Tell whether `find_files` takes a file."""
    if relative.name.startswith("."):
        return False
    if pattern is None:
        return relative.suffix.lower() in PICTURE_SUFFIXES
    return fnmatchcase(relative.name, pattern) or fnmatchcase(relative.as_posix(), pattern)
