"""Find pictures in folders."""

import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from convviz.files import addresses, marks

# `find_files` accepts every file ending of the formats that `convviz.images.decode` reads.
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
        "heics",
        "heif",
        "heifs",
        "hif",
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


def find_files(
    folder: Path,
    *,
    pattern: str | None = None,
    exclude: Path | None = None,
    unread: Callable[[OSError], None] = lambda error: None,
    passed: Callable[[Path], None] = lambda path: None,
    ours: Callable[[Path], None] = lambda path: None,
) -> Iterator[Path]:
    """List the pictures below a folder.

    Parameters
    ----------
    folder : Path
        Where to search, at any depth. Links to folders are not followed, and names
        that begin with a dot are skipped.
    pattern : str, optional
        Select the files whose name, or path below `folder`, matches it; by default
        those with one of `PICTURE_SUFFIXES`, in upper or lower case.
    exclude : Path, optional
        A folder to leave out with all its contents.
    unread : callable
        Called for every folder that cannot be listed.
    passed : callable
        Called for every file that is not selected and for every link to a folder, with
        the path relative to `folder`.
    ours : callable
        Called for every picture that convviz drew, with the path relative to `folder`. It is not
        selected, unless `pattern` is its name or its path.

    Yields
    ------
    Path
        Relative to `folder`, ordered by name; the files of a folder come before those
        of its subfolders. Everything that is not a folder is included, even pipes and
        broken links, so that the reader can report them.

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
    waiting = [folder]  # os.walk of Python 3.11 recurses for each level
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
            if addresses.is_link(here / name):
                passed((here / name).relative_to(folder))
            else:
                inner.append(here / name)
        waiting += reversed(inner)
        for name in sorted(names):
            relative = (here / name).relative_to(folder)
            if is_wanted(relative, pattern):
                named = pattern in (name, relative.as_posix())
                if not named and is_drawn(here / name):
                    ours(relative)
                else:
                    yield relative
            elif not name.startswith("."):
                passed(relative)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself
        return False


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Identify a folder by its device and number in the file system; None if it does not exist."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def is_drawn(path: Path) -> bool:
    """Return whether a file is a picture that convviz drew; its numbers are nobody's picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES and marks.is_ours(path)


def is_wanted(relative: PurePath, pattern: str | None) -> bool:
    """Return whether `find_files` selects a file."""
    if relative.name.startswith("."):
        return False
    if pattern is None:
        return relative.suffix.lower() in PICTURE_SUFFIXES
    return fnmatchcase(relative.name, pattern) or fnmatchcase(relative.as_posix(), pattern)
