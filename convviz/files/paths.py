"""Show, make, split and explain the names of files."""

import contextlib
import errno
import hashlib
import os
import re
from pathlib import Path, PurePath
from typing import Any

from convviz.text import in_quotes, printable

# In bytes, for current file systems.
_LONGEST_NAME = 255


def quoted(path: str | PurePath) -> str:
    """Quote a path for a message, and escape control characters that a terminal would obey."""
    return in_quotes(path)


def ending_of(path: Any) -> str:
    """Quote the ending of a path, or of a stream, for a message; the whole path where it has no ending.

    Examples
    --------
    >>> print(ending_of(Path("x.TXT")), ending_of(Path("full")))
    '.TXT' 'full'
    """
    return in_quotes(path.suffix or path)


def reason_of(error: OSError) -> str:
    """Describe why a file cannot be written, with a remedy for the usual reasons."""
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
    """Describe why a path cannot be used."""
    if isinstance(error, OSError):
        return printable(error.strerror or str(error)).lower()
    return "no path holds a null character; check it"  # the cause of Python's ValueError


# Characters that a name cannot hold, here and on Windows, where some names also denote devices.
_NEVER = re.compile(r"[/\0]")
_NEVER_ON_WINDOWS = re.compile(r'[<>:"/\\|?*\0-\x1f]|[. ]\Z')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ .]*(\..*)?", re.IGNORECASE)
# Names that no file can have, our own names, and names made with a digest.
_NOT_FREE = re.compile(r"\A\.{0,2}\Z|\A\.convviz|~[0-9a-f]{64}", re.IGNORECASE)


def fitting(name: str, ending: str, *, unlike: str = "", windows: bool = os.name == "nt") -> str:
    """Make a valid file or folder name from another name.

    Parameters
    ----------
    name : str
        The name to begin with.
    ending : str
        What to append.
    unlike : str
        A longer text that distinguishes it from others with this name.
    windows : bool
        Whether the name must be valid on Windows.

    Returns
    -------
    str
        Name and ending together. If that is too long for file systems or not a valid file
        name, the name is cut, invalid characters are replaced, and a digest of the whole
        name is inserted, so that different names stay different.

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
        with contextlib.suppress(UnicodeEncodeError):  # the system's encoding cannot express the name
            if len(os.fsencode(whole)) <= _LONGEST_NAME:
                return whole
    digest = hashlib.sha256((unlike or name).encode("utf-8", "surrogatepass")).hexdigest()
    ending = f"~{digest}{ending}"
    kept = never.sub("_", name.encode("utf-8", "ignore").decode())
    # What remains of a name that is not text may also be the name of a device.
    if windows and (device or _DEVICE.fullmatch(kept + ending)):
        kept = f"_{kept}"
    if _NOT_FREE.search(name):
        kept = "_" + kept.lstrip(".")
    # A cut within a character of several bytes removes that character.
    return kept.encode()[: _LONGEST_NAME - len(ending)].decode("utf-8", "ignore") + ending


def split_member(path: Path) -> tuple[Path, str | None]:
    """Split the path of an archive from the name of an array in it.

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
