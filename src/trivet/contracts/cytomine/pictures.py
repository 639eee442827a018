"""Format and size of an image from its first bytes; pixels are never decoded and large files never read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MAX_TAGS = 65_535
_MAX_SEGMENTS = 100_000
_EXTENSIONS = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
    (b"II+\x00", ".tif"),
    (b"MM\x00+", ".tif"),
    (b"PK\x03\x04", ".zip"),
    (b"\x1f\x8b", ".gz"),
    (b"%PDF-", ".pdf"),
)
_FORMATS = {".png": "png", ".jpg": "jpeg", ".tif": "tiff", ".dcm": "dicom", ".zip": "zip"}


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image says of itself: format (``png jpeg tiff dicom zip`` or empty), width and height in pixels."""

    format: str
    width: int | None = None
    height: int | None = None


def extension(head: bytes) -> str:
    """The usual extension of a file by its first 132 bytes, empty where they say nothing."""
    if head[128:132] == b"DICM":
        return ".dcm"
    return next((extension for magic, extension in _EXTENSIONS if head.startswith(magic)), "")


def inspect(stream: IO[bytes]) -> Picture:
    """Look at an open file. Sizes are None where the format is not known or the file is damaged."""
    head = stream.read(132)
    name = _FORMATS.get(extension(head), "")
    try:
        size = _size(name, head, stream)
    except (struct.error, OSError, ValueError, OverflowError):
        size = None
    return Picture(name, *(size or (None, None)))


def _size(name: str, head: bytes, stream: IO[bytes]) -> tuple[int, int] | None:
    if name == "png":
        return struct.unpack(">II", head[16:24]) if head[12:16] == b"IHDR" else None
    if name == "jpeg":
        return _jpeg(stream)
    if name == "tiff":
        return _tiff(head, stream)
    if name == "dicom":
        from trivet.contracts.cytomine import dicom

        return dicom.dimensions(stream)
    return None


def _jpeg(stream: IO[bytes]) -> tuple[int, int] | None:
    """Walk the segments up to the first start of frame."""
    stream.seek(2)
    for _ in range(_MAX_SEGMENTS):
        start, marker = stream.read(2)
        if start != 0xFF:
            return None
        if marker == 0xFF:  # a fill byte: the marker starts one later
            stream.seek(-1, 1)
            continue
        if marker in _SOF:
            height, width = struct.unpack(">3xHH", stream.read(7)[:7])
            return width, height
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        if marker in (0xD9, 0xDA):
            return None
        (length,) = struct.unpack(">H", stream.read(2))
        stream.seek(length - 2, 1)
    return None


def _tiff(head: bytes, stream: IO[bytes]) -> tuple[int, int] | None:
    """Width and length in the first directory; classic TIFF and BigTIFF."""
    order = "<" if head[:2] == b"II" else ">"
    big = 0x2B in head[2:4]
    if big:
        offset, count_format, entry_format = struct.unpack(order + "Q", head[8:16])[0], order + "Q", order + "HHQ8s"
    else:
        offset, count_format, entry_format = struct.unpack(order + "I", head[4:8])[0], order + "H", order + "HHI4s"
    stream.seek(offset)
    (count,) = struct.unpack(count_format, stream.read(struct.calcsize(count_format)))
    size = struct.calcsize(entry_format)
    table = stream.read(min(count, _MAX_TAGS) * size)
    found: dict[int, int] = {}
    for start in range(0, len(table) - size + 1, size):
        tag, kind, _, value = struct.unpack_from(entry_format, table, start)
        if tag in (256, 257) and kind in (3, 4, 16):
            code = {3: "H", 4: "I", 16: "Q"}[kind]
            found[tag] = struct.unpack_from(order + code, value)[0]
    return (found[256], found[257]) if len(found) == 2 else None
