"""Rows and Columns of a DICOM file, from the elements before them; nothing else is read."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import IO

_IMPLICIT, _BIG, _DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_ROWS, _COLUMNS = (0x0028, 0x0010), (0x0028, 0x0011)
_UNDEFINED = 0xFFFFFFFF
_MAX_ELEMENTS = 100_000
_MAX_DEPTH = 30


class _UnreadableError(Exception):
    pass


def dimensions(stream: IO[bytes]) -> tuple[int, int] | None:
    """Width and height in pixels, None where the file does not say so or is damaged."""
    try:
        return _Reader(stream).dimensions()
    except (_UnreadableError, struct.error, zlib.error, OSError, ValueError):
        return None


class _Reader:
    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.order = "<"
        self.left = _MAX_ELEMENTS

    def dimensions(self) -> tuple[int, int] | None:
        self.stream.seek(132)
        syntax = self._syntax()
        if syntax == _DEFLATED:
            self.stream = BytesIO(zlib.decompressobj(-15).decompress(self.stream.read(2**20), 2**22))
        self.order = ">" if syntax == _BIG else "<"
        explicit = syntax != _IMPLICIT and self._has_representations()
        found: dict[tuple[int, int], int] = {}
        while len(found) < 2:
            tag = self._tag()
            if tag > _COLUMNS:
                return None
            vr, length = self._header(explicit)
            if tag in (_ROWS, _COLUMNS):
                found[tag] = self._number("H", self._read(length)[:2])
            else:
                self._skip(length, explicit and vr != b"UN")
        return found[_COLUMNS], found[_ROWS]

    def _syntax(self) -> str:
        """The transfer syntax of the file's meta information, which is always explicit and little-endian."""
        syntax = _IMPLICIT
        while True:
            start = self.stream.tell()
            tag = self._tag()
            if tag[0] != 2:
                self.stream.seek(start)
                return syntax
            _, length = self._header(explicit=True)
            value = self._read(length)
            if tag == (2, 0x10):
                syntax = value.rstrip(b"\x00 ").decode("ascii", "replace")

    def _has_representations(self) -> bool:
        """False where a file is written implicitly although its transfer syntax says otherwise, which happens."""
        start = self.stream.tell()
        head = self._read(6)
        self.stream.seek(start)
        return head[4:].isalpha() and head[4:].isupper()

    def _tag(self) -> tuple[int, int]:
        self.left -= 1
        if self.left < 0:
            raise _UnreadableError
        group, element = struct.unpack(self.order + "HH", self._read(4))
        return group, element

    def _header(self, explicit: bool) -> tuple[bytes, int]:
        if not explicit:
            return b"", self._number("I", self._read(4))
        head = self._read(4)
        if head[:2] in _LONG:
            return head[:2], self._number("I", self._read(4))
        return head[:2], self._number("H", head[2:])

    def _skip(self, length: int, explicit: bool, depth: int = 0) -> None:
        """Skip a value; of undefined length are sequences, whose items are skipped one by one."""
        if length != _UNDEFINED:
            self.stream.seek(length, 1)
            return
        if depth > _MAX_DEPTH:
            raise _UnreadableError
        while True:
            tag, length = self._tag(), self._number("I", self._read(4))
            if tag == (0xFFFE, 0xE0DD):
                return
            if length == _UNDEFINED:
                self._skip_item(explicit, depth)
            else:
                self.stream.seek(length, 1)

    def _skip_item(self, explicit: bool, depth: int) -> None:
        while True:
            tag = self._tag()
            if tag == (0xFFFE, 0xE00D):
                self._read(4)
                return
            vr, length = self._header(explicit)
            self._skip(length, explicit and vr != b"UN", depth + 1)

    def _number(self, code: str, raw: bytes) -> int:
        return int(struct.unpack(self.order + code, raw)[0])

    def _read(self, length: int) -> bytes:
        if length > 2**20:
            raise _UnreadableError
        raw = self.stream.read(length)
        if len(raw) < length:
            raise _UnreadableError
        return raw
