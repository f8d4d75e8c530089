"""Describe the colour space of a picture in words; convviz uses the values as stored."""

import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any

# Names of small profiles, by Facebook and Google, that represent sRGB.
_SRGB_NAMES = {"c2", "ci", "uRGB"}

# The chromaticities (white, red, green, blue) and the gamma of sRGB, from the PNG specification.
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_SRGB_GAMMA = 1 / 2.2

# Code points of ITU-T H.273, used in the cICP chunk; those of sRGB are 1 and 13.
_PRIMARIES = {1: "BT.709", 5: "BT.601", 6: "BT.601", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_TRANSFERS = {1: "BT.709", 4: "gamma 2.2", 8: "linear", 13: "sRGB", 14: "BT.2020", 16: "PQ", 18: "HLG"}


def remarks_on(info: Mapping[Any, Any], data: bytes) -> list[str]:
    """Name the colour space of a picture if it is not sRGB, because nothing is converted.

    Parameters
    ----------
    info : mapping
        What Pillow read besides the pixels.
    data : bytes
        The file.

    Returns
    -------
    list of str
        One remark, or none.
    """
    space = _space(info, data)
    return [f"{space} not applied; the values are those stored"] if space else []


def _space(info: Mapping[Any, Any], data: bytes) -> str:
    """Name the colour space; empty for sRGB or if none is given. Earlier sources take precedence."""
    chunks = dict(_chunks(data))
    if len(cicp := chunks.get(b"cICP", b"")) == 4:
        if (cicp[0], cicp[1]) == (1, 13):
            return ""
        primaries = _PRIMARIES.get(cicp[0], f"primaries {cicp[0]}")
        transfer = _TRANSFERS.get(cicp[1], f"transfer {cicp[1]}")
        return f"colour space of the cICP chunk ({primaries}, {transfer})"
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        name = profile_name(profile)
        known = "srgb" in name.lower() and "linear" not in name.lower()
        return "" if known or name in _SRGB_NAMES else f"colour profile {name!r}"
    if b"sRGB" in chunks:
        return ""
    if len(gama := chunks.get(b"gAMA", b"")) == 4:
        gamma = int.from_bytes(gama, "big") / 100_000
        if not math.isclose(gamma, _SRGB_GAMMA, rel_tol=0.01):
            return f"gamma of the gAMA chunk ({gamma:g}; that of sRGB is {_SRGB_GAMMA:.3g})"
    if len(chrm := chunks.get(b"cHRM", b"")) == 32:
        places = [value / 100_000 for value in struct.unpack(">8I", chrm)]
        if any(abs(one - of) > 0.002 for one, of in zip(places, _SRGB_PRIMARIES, strict=True)):
            return "primaries of the cHRM chunk (not those of sRGB)"
    return ""


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the small chunks of a PNG before its pixels."""
    at = 8 if data.startswith(b"\x89PNG\r\n\x1a\n") else len(data)
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IDAT":
            return
        if length <= 32:
            yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def profile_name(profile: bytes) -> str:
    """Return the name of an ICC profile.

    Parameters
    ----------
    profile : bytes
        The profile, of version 2 or 4.

    Returns
    -------
    str
        Its description or, if none can be read, its colour space in four letters.

    Notes
    -----
    ISO 15076-1: a table of tags follows a header of 128 bytes; ``desc`` is ASCII text in
    version 2, and UTF-16 text in several languages in version 4.
    """
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for index in range(min(count, 100)):
            tag, at, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
            if tag != b"desc":
                continue
            if profile[at : at + 4] == b"mluc":
                length, offset = struct.unpack_from(">II", profile, at + 20)
                text = profile[at + offset : at + offset + min(length, 200)].decode("utf-16-be")
            else:
                text = profile[at + 12 : at + 12 + min(size, 100)].split(b"\0")[0].decode("latin-1")
            if text.strip("\0 "):
                return text.strip("\0 ")
    except (struct.error, UnicodeDecodeError):
        pass
    return profile[16:20].decode("latin-1").strip() or "unnamed"
