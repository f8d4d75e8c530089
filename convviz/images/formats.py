"""Recognise a file by its first bytes, and explain why one cannot be read."""

import codecs
import contextlib
import importlib.util
import io
import re
from collections.abc import Iterator

from PIL import Image, UnidentifiedImageError

from convviz.errors import InputError, to_install
from convviz.images.deep import (
    BROKEN,
)
from convviz.text import because

# EPS would start Ghostscript; Pillow reads signed FITS samples as unsigned; it only identifies the others.
_NOT_READ = {"EPS", "WMF", "GRIB", "BUFR", "HDF5", "MPEG", "FITS"}

# How Pillow's readers report an intact file of a kind that they do not support.
_UNSUPPORTED = re.compile(
    "un(supported|implemented|known|recogni[sz]ed)|not (supported|implemented|available)|cannot handle",
    re.IGNORECASE,
)

# The first bytes of picture files, whether or not Pillow can read them.
_SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

# The endings of files that are given by an option beside a picture.
_NETWORKS = {
    ".onnx": "it is a network, not a picture; give it by --net FILE, after a picture",
    ".safetensors": "it holds weights, not a picture; give it by --weights FILE, after a picture",
    ".pt": "it holds weights, not a picture; give it by --weights FILE, after a picture",
    ".pth": "it holds weights, not a picture; give it by --weights FILE, after a picture",
}

# The first bytes of files that convviz does not read, with the remedy.
_OTHERS = {
    b"%!PS": "EPS would be drawn by another program, which is not run; export it as PNG",
    b"%PDF-": "PDF is a document; export the page as PNG, as with pdftoppm -png -r 150 FILE.pdf page",
    b"\xff\x0a": "JPEG XL is not read; convert it, as with djxl FILE.jxl picture.png",
    b"\0\0\0\x0cJXL ": "JPEG XL is not read; convert it, as with djxl FILE.jxl picture.png",
    b"\x76\x2f\x31\x01": "OpenEXR is not read; save its values as .npy, or as a TIFF of floats",
    b"#?RADIANCE": "Radiance HDR is not read; save its values as .npy, or as a TIFF of floats",
    b"\x89HDF": "HDF5 is not read; save the array as .npy",
    b"gimp xcf": "XCF is not read; export the picture as PNG",
    b"version https://git-lfs": "it is a pointer of Git LFS, not the file itself; get that by git lfs pull",
    b"\x1f\x8b": "it is compressed by gzip; unpack it first",
    b"PK\3\4": "it is a zip archive; unpack it first",
}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def identified(data: bytes) -> Image.Image | None:
    """Open a picture of any supported format."""
    # The most common formats come first: loading all readers takes about 20 ms.
    for prepare in (Image.preinit, Image.init):
        prepare()
        formats = [known for known in Image.ID if known not in _NOT_READ]
        with contextlib.suppress(UnidentifiedImageError):
            return Image.open(io.BytesIO(data), formats=formats)
    if _is_heic(data):
        with contextlib.suppress(ImportError, UnidentifiedImageError):
            importlib.import_module("pillow_heif").register_heif_opener()
            return Image.open(io.BytesIO(data), formats=["HEIF"])
    return None


def _is_heic(data: bytes) -> bool:
    """Recognise HEIC and HEIF by the brand in their first box."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def unidentified(data: bytes, name: str) -> str:
    """Describe a file that no reader accepts, and what to do about it."""
    if _is_heic(data):
        if importlib.util.find_spec("pillow_heif") is None:
            return f"HEIC needs pillow-heif, which is not installed: pip install {to_install('pillow_heif')}"
        return "it begins as HEIC does, but is damaged or of a sort that pillow-heif does not read"
    head = data[:1024].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if head.startswith(b"<svg") or (
        head.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in head
    ):
        return "SVG is a drawing, without pixels; export it as PNG in the size that you want"
    if head.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not a picture; download the picture itself"
    for suffix, words in _NETWORKS.items():
        if name.rstrip("'\"").lower().endswith(suffix):
            return words
    for signature, words in _OTHERS.items():
        if data.startswith(signature):
            return words
    if data[4:8] == b"ftyp":
        return "it is a film, or a picture in a container that is not read; export the picture as PNG"
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return f"it begins as {kind} does, but is damaged or of a sort that Pillow does not read"
    return "it is not a picture of a known format"


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Convert errors of Pillow's readers into one line."""
    try:
        yield
    except Image.DecompressionBombError:
        raise InputError(f"cannot read {name}: a picture inside it is larger than the limit.") from None
    except BROKEN as error:
        unread = isinstance(error, NotImplementedError) or _UNSUPPORTED.search(str(error))
        what = "it is a kind of picture that Pillow does not read" if unread else "it is damaged"
        raise InputError(f"cannot read {name}: {what}{because(error)}.") from None
