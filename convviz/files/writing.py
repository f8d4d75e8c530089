"""Write files whole or not at all, and delete unfinished ones."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from convviz.errors import OutputError
from convviz.files import addresses
from convviz.files.paths import quoted, reason_of

if os.name == "posix":
    import fcntl

_UNFINISHED = re.compile(r"\.convviz-[0-9a-f]{16}")
_unfinished: set[Path] = set()


class Stream:
    """Stdout in place of a file; it counts the bytes written.

    Parameters
    ----------
    file : binary file
        Where the bytes are written.
    suffix : str
        The kind of file, as a file ending.
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
        """Return the number of bytes written."""
        return self._written

    def flush(self) -> None:
        """Pass on buffered bytes."""
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
    """Write a temporary file next to a path, then move it there.

    Parameters
    ----------
    path : Path or Stream
        Where to write; a missing folder is made. A stream is written directly.
    force : bool
        Replace any file, not only ours, but never an input.
    is_ours : callable
        Returns whether convviz wrote a file.
    inputs : sequence of Path
        Files that are never replaced.

    Yields
    ------
    binary file
        The file, open for writing.

    Raises
    ------
    OutputError
        If a folder, an input or a file that is not ours is already there, or the file
        cannot be written there. In that case, no part of the file remains.

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
    check_path(path, force=force, is_ours=is_ours, inputs=inputs)
    if addresses.is_remote(path):
        with addresses.sending(path) as file:
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
                    # While the lock is held: after closing, another process may delete the file.
                    file.flush()
                    temporary.replace(path)
            if os.name != "posix":  # an open file cannot be renamed there
                temporary.replace(path)
        finally:
            _delete(temporary)


def make_folder(path: Path) -> None:
    """Make a folder and all missing folders above it, without recursion, unlike pathlib."""
    missing = []
    for place in (path, *path.parents):
        if place.is_dir():
            break
        missing.append(place)
    for place in reversed(missing):
        place.mkdir(exist_ok=True)


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Convert system errors while `path` is written into an `OutputError` of one line."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {quoted(path)}: {_dead_link(path) or reason_of(error)}.") from None


def _dead_link(path: Path) -> str:
    """Return the part of a path that is a broken link, if any; the system treats it as a file."""
    for part in (path, *path.parents):
        with contextlib.suppress(OSError):  # a name that is too long is not a link
            if part.is_symlink() and not part.exists():
                return f"{quoted(part)} is a link that leads nowhere; delete it"
    return ""


def _begin(folder: Path) -> BinaryIO:
    """Open a new file and lock it, so that no other process deletes it."""
    while True:
        # The name is short, so that it always fits, and unique, so that two runs do not collide.
        path = folder / f".convviz-{os.urandom(8).hex()}"
        _unfinished.add(path)
        # Not through tempfile: its files are private, but these need the permissions of any new file.
        file = path.open("xb")
        # Another process may delete it before it is locked.
        if _hold(file) and path.exists():
            return file
        file.close()
        _delete(path)


def _hold(file: BinaryIO) -> bool:
    """Lock a file until this process ends; return False if another process holds the lock."""
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
    """Delete an unfinished file; a finished one has been moved already."""
    with contextlib.suppress(OSError):
        unfinished.unlink(missing_ok=True)
    _unfinished.discard(unfinished)


def delete_unfinished() -> None:
    """Delete the unfinished files of this process; safe to call at any time."""
    for path in list(_unfinished):
        _delete(path)


def sweep(folder: Path) -> None:
    """Delete the unfinished files that killed processes left in a folder.

    Parameters
    ----------
    folder : Path
        Where to look; its subfolders are left out. Files that a process is still writing
        are kept.
    """
    if addresses.is_remote(folder):
        return
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):
                # Opened without waiting, because something else may have such a name.
                with contextlib.suppress(OSError), open(path, "rb", opener=_open_at_once) as file:
                    if _hold(file):
                        path.unlink()


def _open_at_once(path: str, flags: int) -> int:
    """Open a file that is not a link; do not wait for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def check_own(path: Path, *, folder: bool = False) -> None:
    """Refuse to change a file in place if it is a link to somebody else's file.

    Parameters
    ----------
    path : Path
        A file of ours, or the path of a future one.
    folder : bool
        Whether it is a folder instead.

    Raises
    ------
    OutputError
        If it is a link, or something of another kind.
    """
    with reported(path):
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return
    if addresses.is_link(path) or (not folder and stat.S_ISREG(found.st_mode) and found.st_nlink > 1):
        what = "a link"
    elif folder:
        what = "" if stat.S_ISDIR(found.st_mode) else "not a folder"
    elif stat.S_ISDIR(found.st_mode):
        what = "a folder"
    else:
        what = "" if stat.S_ISREG(found.st_mode) else "not an ordinary file"
    if what:
        raise OutputError(f"cannot write {quoted(path)}: it is {what}; delete it, or choose another folder.")


def check_path(
    path: Path | Stream, *, force: bool, is_ours: Callable[[Path], bool], inputs: Sequence[Path]
) -> None:
    """Refuse a path that must not be written; the parameters are those of `writing`."""
    if isinstance(path, Stream):
        return
    if addresses.is_remote(path):
        addresses.check_writable(path)
        with addresses.reported(path):
            taken = not force and addresses.size_of(path) is not None and not is_ours(path)
        if taken:
            raise OutputError(f"{quoted(path)} exists and convviz did not write it; --force replaces it.")
        return
    check_folder(path.parent, of=path)
    with reported(path):
        if path.is_dir():
            raise OutputError(f"cannot write {quoted(path)}: it is a folder; give the name of a file.")
        if not os.path.lexists(path):
            return
        for source in inputs:
            if source.exists() and path.exists() and path.samefile(source):
                raise OutputError(f"cannot write {quoted(path)}: it is the input; choose another name.")
        if path.exists() and not path.is_file():
            raise OutputError(
                f"cannot write {quoted(path)}: it is not an ordinary file; choose another name."
            )
        # The new file would replace a link; even a broken link belongs to somebody.
        if not force and not (path.exists() and is_ours(path)):
            what = "exists and convviz did not write it" if path.exists() else "is a link that leads nowhere"
            raise OutputError(f"{quoted(path)} {what}; --force replaces it.")


def check_folder(path: Path, *, of: Path | None = None) -> None:
    """Refuse a path if no folder exists or can be made there; `of` is what will be written there."""
    named = path if of is None else of
    if "\0" in str(named):
        raise OutputError(f"cannot write {quoted(named)}: a name has no null character; choose another name.")
    with reported(named):
        found = next((place for place in (path, *path.parents) if os.path.lexists(place)), None)
        if found is not None and not found.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "")
