"""Read and write files by address, such as ``s3://bucket/photos``, as well as by plain path.

An address becomes a path of universal-pathlib, which has the methods of `pathlib.Path` that are used
here and works on a file system of fsspec. Plain paths stay unchanged.
"""

import contextlib
import hashlib
import operator
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from convviz.errors import InputError, OutputError, SpecError
from convviz.text import amount, in_quotes, printable

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL = re.compile(r"(file|local)://")

# Which extra installs what an address needs; for some others, which packages are needed.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "http": "http", "https": "http"}
_PACKAGES = {
    "abfs": "adlfs",
    "adl": "adlfs",
    "az": "adlfs",
    "github": "requests",
    "hf": "huggingface_hub",
    "libarchive": "libarchive-c",
    "sftp": "paramiko",
    "smb": "smbprotocol",
    "ssh": "paramiko",
    "webdav": "webdav4",
}

# Where a file is not visible until it is completely written.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "oci", "oss", "memory"})
_ARCHIVES = ("zip", "tar", "libarchive")
_READ_ONLY = frozenset({*_ARCHIVES, "http", "https", "data", "github", "git"})

_S3, _WEB = ("s3", "s3a"), ("http", "https")
# How much a member of an archive may grow when it is unpacked: as a factor, and in bytes.
_MOST_TIMES, _SMALL = 100, 64 << 20
# Names in one response of an S3 server.
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file system reports about a file without reading it.

    Parameters
    ----------
    size : int
        Size in bytes.
    modified : int
        When its content was last changed, in nanoseconds.
    changed : int
        When anything about it was last changed; for an address, a digest of the version reported.
    certain : bool
        Whether a change of the content would be visible here.
    """

    size: int
    modified: int
    changed: int
    certain: bool = True


def path_of(text: str) -> Path:
    """Convert text to a path, from a path or an address.

    Parameters
    ----------
    text : str
        As the user typed it.

    Returns
    -------
    Path
        A plain path, or a path of universal-pathlib.

    Raises
    ------
    SpecError
        If a package is missing, or the kind of address is unknown; the message names it.

    Examples
    --------
    >>> path_of("photos/cat.jpg").name, is_remote(path_of("photos")), is_remote(path_of("memory://photos"))
    ('cat.jpg', False, True)
    """
    if _LOCAL.match(text):
        return Path(_LOCAL.sub("", text, count=1))
    if not _ADDRESS.match(text):
        return Path(text)
    scheme = text.partition("://")[0].lower()
    if scheme in _ARCHIVES and "::" not in text:
        archive = printable(text.partition("://")[2]) or "FILE"
        raise SpecError(
            f"the address {text!r} names no archive; write {scheme}://::{archive} for all that is in it, "
            f"or {scheme}://FOLDER::{archive}."
        )
    try:
        from upath import UPath

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package warns about file systems that it does not test
            place = UPath(text)
            _ = place.fs
    except ImportError as error:
        raise SpecError(
            f"an address {scheme}:// needs a package that is not installed ({printable(str(error))}): "
            f"pip install {_brought_by(scheme, error)}"
        ) from None
    except ValueError as error:
        raise SpecError(f"the address {text!r} cannot be used: {printable(str(error))}.") from None
    except Exception as error:  # noqa: BLE001  # file systems raise any kind of error when they connect
        raise SpecError(f"the address {text!r} cannot be used: {_reason(error)}.") from None
    return place  # type: ignore[return-value]  # it has the path methods that are used


def _brought_by(scheme: str, error: ImportError) -> str:
    """Return the name of the extra or the packages that an address needs."""
    if scheme in _EXTRAS:
        return f'"convviz[{_EXTRAS[scheme]}]"'
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    package = _PACKAGES.get(scheme, cause.name)
    return " ".join(["universal-pathlib", *([package] if package and package != "upath" else [])])


def is_remote(path: PurePath) -> bool:
    """Return whether a path belongs to universal-pathlib."""
    return not isinstance(path, PurePath)


def seen(path: Path) -> Seen:
    """Return what the file system reports about a file.

    Raises
    ------
    OSError
        If there is no such file.
    """
    found = path.stat()
    if not is_remote(path):
        return Seen(found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return _told({"size": found.st_size, **(getattr(found, "info", None) or {})})


def _told(info: dict[str, Any]) -> Seen:
    """Convert what a file system reports about a file; each file system has its own keys."""
    size = info.get("Size", info.get("size"))
    date = next((info[key] for key in ("LastModified", "mtime", "updated", "created") if info.get(key)), 0)
    told = [
        str(info[key]) for key in ("ETag", "etag", "md5Hash", "crc32c", "CRC", "generation") if info.get(key)
    ]
    if isinstance(date, datetime):
        date = date.timestamp()
    modified = int(1e9 * date) if isinstance(date, int | float) else _digest(str(date))
    return Seen(size or 0, modified, _digest(" ".join(told)), certain=bool(told or date))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest())


def size_of(path: Path) -> int | None:
    """Return the size of a file in bytes; None if it does not exist.

    Raises
    ------
    OSError
        If the size cannot be determined.
    """
    place: Any = path
    try:
        if is_remote(path) and _scheme(path) in _S3:
            # s3fs first checks whether it is a folder, which costs as much as writing it.
            bucket, _, key = place.path.partition("/")
            return int(place.fs.call_s3("head_object", Bucket=bucket, Key=key)["ContentLength"])
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def read(path: Path) -> bytes:
    """Read the whole file at an address.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        place: Any = path
        system = _system(path)
        _check_unpacked(path, system)
        return bytes(system.cat_file(place.path))  # without requesting its length first
    except InputError:
        raise
    except (FileNotFoundError, KeyError):  # a zip archive raises KeyError
        raise InputError(
            f"cannot read {in_quotes(path)}: there is no such file; check the address."
        ) from None
    except Exception as error:  # noqa: BLE001  # each package has errors of its own
        raise InputError(f"cannot read {in_quotes(path)}: {_reason(error)}.") from None


def fetch(path: Path, file: BinaryIO) -> None:
    """Copy the file at an address to the end of `file`, one block at a time.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    place: Any = path
    try:
        with place.fs.open(place.path, "rb") as remote:
            shutil.copyfileobj(remote, file)
    except Exception as error:  # noqa: BLE001  # each package has errors of its own
        raise InputError(f"cannot read {in_quotes(path)}: {_reason(error)}.") from None


def check_writable(path: Path) -> None:
    """Refuse an address that does not allow writing."""
    if is_remote(path) and _scheme(path) in _READ_ONLY:
        raise OutputError(
            f"cannot write {in_quotes(path)}: {_scheme(path)}:// is for reading; choose another output."
        )


def is_link(path: Path) -> bool:
    """Return whether a path is a link, of any kind that a system supports for folders."""
    return path.is_symlink() or bool(getattr(os.path, "isjunction", lambda path: False)(path))


def folds_case(path: Path) -> bool:
    """Return whether the file system of a path treats names that differ only in case as equal."""
    if is_remote(path):
        return False
    for place in (path.absolute(), *path.absolute().parents):
        other = place.name.swapcase()
        if other != place.name and place.exists():
            turned = place.with_name(other)
            return turned.exists() and turned.samefile(place)
    return False


@contextlib.contextmanager
def sending(path: Path) -> Iterator[BinaryIO]:
    """Write a file at an address: whole, or not at all.

    Raises
    ------
    OutputError
        If it cannot be written there.
    """
    check_writable(path)
    # File systems derive the type of the content from the file ending.
    with tempfile.NamedTemporaryFile(prefix="convviz-", suffix=path.suffix) as file:
        yield file  # type: ignore[misc]  # the wrapper has all binary file methods
        file.flush()
        place: Any = path
        with reported(path):
            if _scheme(path) in _WHOLE:
                place.fs.put_file(file.name, place.path)
            else:
                unfinished = place.parent / f".convviz-{place.name}"
                place.fs.makedirs(place.parent.path, exist_ok=True)
                place.fs.put_file(file.name, unfinished.path)
                place.fs.mv(unfinished.path, place.path)


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Convert errors at an address into an `OutputError` of one line."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # each package has errors of its own
        raise OutputError(f"cannot write {in_quotes(path)}: {_reason(error)}.") from None


def listed(folder: Path) -> Iterator[tuple[str, Seen | None]]:
    """Yield all files below the folder at an address, one page or one folder at a time.

    Parameters
    ----------
    folder : Path
        A path of universal-pathlib.

    Yields
    ------
    name : str
        The exact text after the folder and a slash. An object's key may hold anything, so
        ``/etc/x`` and ``..`` are possible names, and ``a//b`` differs from ``a/b``.
    found : Seen or None
        What the listing reports about the file, if anything.

    Raises
    ------
    InputError
        If the folder cannot be listed.
    """
    try:
        yield from _pages(folder) if _scheme(folder) in _S3 else _folders(folder)
    except FileNotFoundError:
        raise InputError(f"the folder {in_quotes(folder)} does not exist; check the address.") from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  # each package has errors of its own
        raise InputError(f"the folder {in_quotes(folder)} cannot be listed: {_reason(error)}.") from None


def below(folder: Path, name: str) -> Path:
    """Return the path of a name that `listed` found in a folder; never a path outside the folder."""
    # A name with a leading slash must not be resolved from the root.
    rooted = name.startswith("/") and _scheme(folder) not in (*_S3, *_WEB)
    return folder / (f"./{name}" if rooted else name)


def _pages(folder: Any) -> Iterator[tuple[str, Seen | None]]:
    """List what an S3 server holds below a name, page by page; s3fs would collect everything first."""
    bucket, _, prefix = folder.path.rstrip("/").partition("/")
    prefix = f"{prefix}/" if prefix else ""
    more: dict[str, str] = {}
    while True:
        page = folder.fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=_PAGE, **more)
        for one in page.get("Contents", []):
            if not one["Key"].endswith("/"):
                yield one["Key"][len(prefix) :], _told(one)
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _folders(folder: Any) -> Iterator[tuple[str, Seen | None]]:
    """List one folder after another; an archive, which is a single list, at once."""
    root = folder.path.rstrip("/")
    system = _system(folder)
    system.invalidate_cache()
    if _is_archive(system):  # otherwise it scans all members for each folder
        system.ls(folder.path)
        members = sorted(system.dir_cache.values(), key=operator.itemgetter("name"))
        start = f"{root}/" if root else ""
        files = (info for info in members if info["type"] == "file" and info["name"].startswith(start))
        yield from ((info["name"][len(start) :], _known(info)) for info in files)
        return
    waiting = [folder.path]
    while waiting:
        here, inner = waiting.pop(), []
        try:
            found = system.ls(here, detail=True)
        except FileNotFoundError:
            if here == folder.path:
                raise
            continue  # it has just disappeared
        for info in sorted(found, key=operator.itemgetter("name")):
            path = info["name"].rstrip("/")
            if info["type"] != "directory":
                if name := path[len(root) :].removeprefix("/"):
                    yield name, _known(info)
            elif path != here.rstrip("/") and not path.rpartition("/")[2].startswith("."):
                inner.append(path)
        waiting += reversed(inner)


def _known(info: dict[str, Any]) -> Seen | None:
    """Convert what a listing reports about a file, if a change would be visible there."""
    found = _told(info)
    return found if found.certain else None


# File systems of the archives that are open in this process.
_systems: dict[str, Any] = {}


def _system(path: Any) -> Any:
    """Return the file system of a path; paths into one archive from other processes share one.

    A path sent from another process brings its own file system. For an archive, this
    would read the names of all members again.
    """
    if _scheme(path) not in _ARCHIVES:
        return path.fs
    key = f"{_scheme(path)} {dict(path.storage_options)}"
    if key not in _systems:
        _systems[key] = path.fs
    return _systems[key]


def _is_archive(system: Any) -> bool:
    return hasattr(system, "dir_cache")


def _check_unpacked(path: Any, system: Any) -> None:
    """Refuse an archive member that would grow too much when unpacked."""
    if not _is_archive(system):
        return
    found = system.info(path.path)
    # The members of a tar are not compressed, but the whole tar may be.
    packed = found.get("compress_size") or system.of.fs.size(system.of.path)
    if found["size"] > max(_SMALL, _MOST_TIMES * packed):
        raise InputError(
            f"cannot read {in_quotes(path)}: it would grow from {amount(packed)} to {amount(found['size'])}, "
            f"more than {_MOST_TIMES} times; if that is intended, unpack the archive first."
        )


def _scheme(path: Any) -> str:
    return str(path.protocol)


def _reason(error: Exception) -> str:
    """Describe a package's error in one line."""
    if isinstance(error, RecursionError):
        return "its folders lie too deep in one another"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    # Python's own errors describe programs, not addresses.
    if isinstance(error, TypeError | AttributeError | LookupError | NotImplementedError | AssertionError):
        return "its package cannot use it"
    text = printable(" ".join(str(error).split())) or "its package does not say why"
    return text.rstrip(".")[:300]
