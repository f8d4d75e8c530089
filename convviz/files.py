"""Writing files whole or not at all, and finding files in a folder."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import BinaryIO

from convviz.errors import OutputError
from convviz.text import printable

# What `find_files` takes for pictures; Pillow reads all of these.
PICTURE_SUFFIXES = frozenset(
    f".{ending}"
    for ending in [
        "apng",
        "avif",
        "bmp",
        "dds",
        "dib",
        "gif",
        "icns",
        "ico",
        "im",
        "j2k",
        "jfif",
        "jp2",
        "jpe",
        "jpeg",
        "jpg",
        "jpx",
        "pbm",
        "pcx",
        "pgm",
        "png",
        "pnm",
        "ppm",
        "psd",
        "qoi",
        "sgi",
        "tga",
        "tif",
        "tiff",
        "webp",
        "xbm",
        "xpm",
    ]
)


def shown(path: str | PurePath) -> str:
    """Write a path for a message: in quotes, with nothing that a terminal would act upon."""
    return f"'{printable(str(path))}'"


@contextlib.contextmanager
def writing(
    path: Path,
    *,
    force: bool = False,
    is_ours: Callable[[Path], bool] = lambda path: False,
    inputs: Sequence[Path] = (),
) -> Iterator[BinaryIO]:
    """Write a file beside its place, then put it there.

    Parameters
    ----------
    path : Path
        Where the file shall be; a missing folder is made.
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
    try:
        check_place(path, force=force, is_ours=is_ours, inputs=inputs)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Short, so that a name of the greatest length still has room; unique, so that two runs do not meet.
        temporary = path.parent / f".convviz-{os.urandom(8).hex()}"
        try:
            # Not through tempfile: its files are private, these have the permissions of any new file.
            with temporary.open("xb") as file:
                yield file
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {shown(path)}: {_reason(error)}.") from None


def check_place(path: Path, *, force: bool, is_ours: Callable[[Path], bool], inputs: Sequence[Path]) -> None:
    """Refuse a place that is not free to be taken."""
    if "\0" in str(path):
        raise OutputError(f"cannot write {shown(path)}: a name has no null character; choose another name.")
    if path.is_dir():
        raise OutputError(f"cannot write {shown(path)}: it is a folder; give the name of a file.")
    if not path.exists():
        return
    for source in inputs:
        if source.exists() and path.samefile(source):
            raise OutputError(f"cannot write {shown(path)}: it is the input; choose another name.")
    if not path.is_file():
        raise OutputError(f"cannot write {shown(path)}: it is not an ordinary file; choose another name.")
    if not force and not is_ours(path):
        raise OutputError(f"{shown(path)} exists and convviz did not write it; --force replaces it.")


def _reason(error: OSError) -> str:
    """Word the usual reasons with their remedy."""
    words = {
        errno.EACCES: "permission denied; choose another folder",
        errno.EPERM: "permission denied; choose another folder",
        errno.EROFS: "the file system is read-only; choose another folder",
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the quota is used up; free some space",
        errno.ENOTDIR: "part of the path is a file; choose another folder",
        errno.EEXIST: "part of the path is a file; choose another folder",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    }
    return words.get(error.errno or 0, printable(error.strerror or str(error)).lower())


def find_files(folder: Path, *, pattern: str | None = None, exclude: Path | None = None) -> Iterator[Path]:
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

    Yields
    ------
    Path
        Relative to `folder`, in the order of their names, those of a folder before
        those of the folders in it; ordinary files only. A folder that may not be
        read is passed over.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.png", "a.JPG", "notes.txt"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     [str(path) for path in find_files(Path(folder))]
    ['a.JPG', 'b.png']
    """
    left_out = exclude.resolve() if exclude is not None else None
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (here / name).resolve() != left_out
        )
        for name in sorted(names):
            relative = (here / name).relative_to(folder)
            if not name.startswith(".") and _wanted(relative, pattern) and _is_file(here / name):
                yield relative


def _is_file(path: Path) -> bool:
    """Tell whether there is an ordinary file that may be looked at."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _wanted(relative: Path, pattern: str | None) -> bool:
    """Tell whether a file is one to take."""
    if pattern is None:
        return relative.suffix.lower() in PICTURE_SUFFIXES
    return fnmatchcase(relative.name, pattern) or fnmatchcase(relative.as_posix(), pattern)
