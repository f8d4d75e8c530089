"""Write and read the mark that identifies files of convviz and stores their settings."""

import json
import math
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

# It precedes the description, where each format stores text; a .npy file has no place for it.
MARK = "convviz"

# How many bytes are searched for the mark, from the end of the file where the format stores it.
_LENGTH = 1 << 20


def signed_text(description: dict[str, Any]) -> dict[str, str]:
    """Return the metadata that identifies a file of convviz and describes its run."""
    text = json.dumps(description, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name outside this encoding
        text = json.dumps(description)
    return {MARK: text}


def ascii_text(description: dict[str, Any]) -> str:
    """Return the mark with the description of the run in ASCII, for formats without an encoding."""
    return f"{MARK} {json.dumps(description)}"


def comment(description: dict[str, Any]) -> str:
    """Return the mark as a comment for XML and HTML, which must not contain two hyphens in a row."""
    return f"{MARK} {signed_text(description)[MARK]}".replace("--", "-\\u002d")


def description_of(path: Path) -> dict[str, Any] | None:
    """Read the settings that are stored in a file.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    dict or None
        The description that `signed_text` was given; None if convviz did not write the
        file, or it cannot be read. Do not trust it: anyone can write such a file.
    """
    try:
        # What follows, such as the end of a comment, is not part of it.
        found, _ = json.JSONDecoder(parse_constant=_finite, parse_float=_finite).raw_decode(
            _text_of(path) or ""
        )
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _finite(text: str) -> float | None:
    """Read a number; None for NaN and infinity, which other programs write although JSON lacks them."""
    value = float(text)
    return value if math.isfinite(value) else None


def is_ours(path: Path) -> bool:
    """Return whether convviz wrote a file, according to its mark; .npy has no place for one.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    bool
        Whether it carries our mark, or is the report of a batch.
    """
    if path.suffix.lower() == ".jsonl":
        return _is_report(path)
    return _text_of(path) is not None


def _is_report(path: Path) -> bool:
    """Recognise the report of a batch by its first line."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LENGTH)
            # A batch that ended before its first file leaves an empty report.
            first = json.loads(line) if line else {"path": "", "status": "", "output": ""}
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and {"path", "status", "output"} <= first.keys()


def _text_of(path: Path) -> str | None:
    """Find the text behind the mark of a file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would block
            return None
        with path.open("rb") as file:
            head = file.read(_LENGTH)
            file.seek(max(path.stat().st_size - _LENGTH, 0))
            return _words(path, head, file.read(_LENGTH))
    except (OSError, ValueError, LookupError, AttributeError, RecursionError, zipfile.BadZipFile, zlib.error):
        return None


def _words(path: Path, head: bytes, tail: bytes) -> str | None:
    """Find the text behind the mark, for each format."""
    mark = f"{MARK} ".encode()
    match path.suffix.lower():
        case ".png" | ".apng":
            return _chunk(head)
        case ".gif":
            return _gif_comment(head, mark)
        case ".svg":
            return _after(b"<!-- " + mark, head[:200], head)
        case ".md" | ".html":
            return _after(b"<!-- " + mark, tail, tail)
        case ".webp":
            return _after(mark, tail, tail)
        case ".mp4":
            return _comment_of_mp4(tail, mark)
        case ".jpg" | ".jpeg":
            return _jpeg_comment(head, mark)
        case ".pdf":
            return _pdf_keywords(tail, mark)
        case ".npz":
            with zipfile.ZipFile(path) as archive:
                return _after(mark, archive.comment[: len(mark)], archive.comment)
        case ".safetensors":
            header = json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])
            found = (header.get("__metadata__") or {}).get(MARK)
            return found if isinstance(found, str) else None
    return None


def _after(mark: bytes, where: bytes, data: bytes) -> str | None:
    """Return what follows the last mark, which must be in `where`."""
    at = where.rfind(mark)
    return None if at < 0 else data[at + len(mark) :].decode("utf-8", "replace")


def _chunk(head: bytes) -> str | None:
    """Find our text before the pixels of a PNG."""
    at = 8 if head.startswith(b"\x89PNG\r\n\x1a\n") else len(head)
    while at + 8 <= len(head):
        length, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        key, _, rest = head[at + 8 : at + 8 + length].partition(b"\0")
        if key == MARK.encode() and kind == b"tEXt":
            return rest.decode("latin-1")
        if key == MARK.encode() and kind == b"iTXt" and rest[:1] == b"\0":  # not compressed
            return rest[2:].split(b"\0", 2)[2].decode("utf-8", "replace")
        if kind == b"IDAT":
            return None
        at += 12 + length
    return None


def _gif_comment(head: bytes, mark: bytes) -> str | None:
    """Join the pieces of our comment in a GIF, of at most 255 bytes each."""
    at = head.find(mark, 3) if head.startswith(b"GIF8") else -1
    if at < 3 or head[at - 3 : at - 1] != b"!\xfe":
        return None
    text, at = b"", at - 1
    while at < len(head) and head[at]:
        text += head[at + 1 : at + 1 + head[at]]
        at += 1 + head[at]
    return text[len(mark) :].decode("utf-8", "replace")


def _comment_of_mp4(tail: bytes, mark: bytes) -> str | None:
    """Find our comment in an MP4: a data box after its kind, whose length includes a 16-byte header."""
    at = tail.rfind(b"\xa9cmt")
    length = int.from_bytes(tail[at + 4 : at + 8], "big")
    text = tail[at + 20 : at + 4 + length]
    return None if at < 0 or not text.startswith(mark) else text[len(mark) :].decode("utf-8", "replace")


def _jpeg_comment(head: bytes, mark: bytes) -> str | None:
    """Find our comment before the pixels of a JPEG."""
    at = 2 if head.startswith(b"\xff\xd8") else len(head)
    while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
        if head[at + 1] == 0xFE and head.startswith(mark, at + 4):
            return head[at + 4 + len(mark) : end].decode("utf-8", "replace")
        at = end
    return None


def _pdf_keywords(tail: bytes, mark: bytes) -> str | None:
    """Find our keywords among the properties of a PDF, as ``convviz.render`` writes them: ASCII, escaped."""
    found = re.search(rb"/Keywords \(%s((?:[^\\()]|\\.)*)\)" % re.escape(mark), tail)
    return None if found is None else re.sub(rb"\\(.)", rb"\1", found[1]).decode("ascii", "replace")
