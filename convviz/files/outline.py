"""Read ONNX files without their large arrays, which stay in the file until they are needed."""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from convviz.errors import InputError
from convviz.files.paths import quoted
from convviz.files.reading import read_by

# Arrays of fewer bytes stay in the graph, because shapes are computed from some of them.
LARGE = 1024

# The numbers of the fields of ModelProto, GraphProto and TensorProto, which never change.
_GRAPH, _INITIALIZER, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 7, 5, 9, 13, 14
_EXTERNAL = 1
_LENGTH_GIVEN = 2  # the wire type of texts, bytes and messages


class _Damaged(Exception):
    """The file ends within a field, or a field is invalid."""


class _Field(NamedTuple):
    """One field of a message: its number, its start, and the start and end of its contents."""

    number: int
    wire: int
    at: int
    start: int
    end: int


def outline(path: Path) -> bytes:
    """Read an ONNX model, with references in place of its large arrays.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes
        A model in which every array of `LARGE` bytes or more is external data that refers to
        the file itself. Reading it needs only the memory of the graph.

    Raises
    ------
    InputError
        If the file cannot be read, or is damaged.
    """
    try:
        return read_by(path, _outlined)
    except _Damaged:
        raise InputError(f"cannot read {quoted(path)}: it is damaged, or not ONNX.") from None


def _outlined(path: Path) -> bytes:
    """Read a model without loading what is left out."""
    with path.open("rb") as file:
        if not path.stat().st_size:  # an empty file cannot be mapped
            raise _Damaged
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return b"".join(_model(data, path.name))


def _model(data: mmap.mmap, name: str) -> Iterator[bytes]:
    """Yield a model in pieces."""
    for field in _fields(data, 0, len(data)):
        if (field.number, field.wire) == (_GRAPH, _LENGTH_GIVEN):
            yield from _message(_GRAPH, b"".join(_graph(data, field, name)))
        else:
            yield data[field.at : field.end]


def _graph(data: mmap.mmap, graph: _Field, name: str) -> Iterator[bytes]:
    """Yield a graph in pieces."""
    kept = graph.start
    for field in _fields(data, graph.start, graph.end):
        if (field.number, field.wire) == (_INITIALIZER, _LENGTH_GIVEN) and field.end - field.start >= LARGE:
            yield data[kept : field.at]
            yield from _message(_INITIALIZER, b"".join(_tensor(data, field, name)))
            kept = field.end
    yield data[kept : graph.end]


def _tensor(data: mmap.mmap, tensor: _Field, name: str) -> Iterator[bytes]:
    """Yield an array in pieces; many raw bytes are replaced by their place in the file."""
    replaced = False
    for field in _fields(data, tensor.start, tensor.end):
        size = field.end - field.start
        if (field.number, field.wire) == (_RAW_DATA, _LENGTH_GIVEN) and size >= LARGE:
            for key, value in (("location", name), ("offset", str(field.start)), ("length", str(size))):
                words = b"".join((*_message(1, key.encode()), *_message(2, value.encode())))
                yield from _message(_EXTERNAL_DATA, words)
            replaced = True
        else:
            yield data[field.at : field.end]
    if replaced:  # last: a quantizer writes the usual location behind the bytes, and the last one counts
        yield bytes([_DATA_LOCATION << 3, _EXTERNAL])


def _message(number: int, contents: bytes) -> tuple[bytes, bytes, bytes]:
    """Return one encoded field, in pieces."""
    return _varint(number << 3 | _LENGTH_GIVEN), _varint(len(contents)), contents


def _varint(value: int) -> bytes:
    """Encode a whole number seven bits at a time, lowest bits first."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[_Field]:
    """List the fields of a message."""
    while at < end:
        tag, start = _read(data, at, end)
        wire = tag & 7
        if wire == 0:
            _, after = _read(data, start, end)
        elif wire == _LENGTH_GIVEN:
            size, start = _read(data, start, end)
            after = start + size
        elif wire in (1, 5):
            after = start + (8 if wire == 1 else 4)
        else:
            raise _Damaged
        if after > end:
            raise _Damaged
        yield _Field(tag >> 3, wire, at, start, after)
        at = after


def _read(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """Read a whole number; return it and the position after it."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value, at
    raise _Damaged
