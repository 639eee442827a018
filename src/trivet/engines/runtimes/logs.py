"""The output of a container: from the daemon's frames to a log file of bounded size."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

LOG_CAP = 64 * 2**20
"""Bytes kept of one attempt's output: the first ones, and the last mebibyte."""
_TAIL = 2**20


def frames(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The payload of a multiplexed stream (8 bytes of header, the last four its length) in pieces, as they come.

    ``read(n)`` returns at most n bytes, nothing at the end. A header that is cut off ends the stream.
    """
    header, missing = b"", 0
    while chunk := read(65536):
        view = memoryview(chunk)
        while view:
            if missing:
                piece, view = view[:missing], view[missing:]
                missing -= len(piece)
                yield bytes(piece)
            else:
                needed = 8 - len(header)
                header, view = header + bytes(view[:needed]), view[needed:]
                if len(header) == 8:
                    missing, header = int.from_bytes(header[4:], "big"), b""


class LogFile:
    """A log that exists only once something was written to it, and keeps the head and the tail of too much.

    It begins at ``offset`` of its file; what the file has beyond is from an earlier try, and is overwritten. Nothing is
    raised when the file can't be written (a full disk must not stop a task): ``fault`` says why.
    """

    def __init__(self, path: Path, cap: int = LOG_CAP, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self.length = 0
        self.fault = ""
        self._cap = cap
        self._head = max(cap - _TAIL, 0)
        self._tail: deque[bytes] = deque()
        self._kept = self._cut = 0
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Take the next bytes of the output."""
        head = data[: max(self._head - self.length, 0)]
        if head:
            self._append(head)
        if len(head) < len(data):
            self._tail.append(data[len(head) :])
            self._kept += len(data) - len(head)
            while self._kept - len(self._tail[0]) >= _TAIL:
                dropped = len(self._tail.popleft())
                self._kept -= dropped
                self._cut += dropped

    def close(self) -> None:
        """Write what was held back, with a line that says what was cut."""
        if self._tail:
            tail = b"".join(self._tail)
            kept = tail[-_TAIL:]
            cut = self._cut + len(tail) - len(kept)
            self._tail.clear()
            if cut:
                self._append(f"\n… {cut} bytes cut: a log may have {self._cap} …\n".encode())
            self._append(kept)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, data: bytes) -> None:
        try:
            if self._file is None:
                self._file = self._open()
            view = memoryview(data)
            while view:
                written = self._file.write(view)
                view = view[written:]
                self.length += written
        except OSError as error:
            self.fault = f"the log is not complete: {self.path}: {error.strerror}"
            self._head = self._cut = 0
            self._tail.clear()

    def _open(self) -> BinaryIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)  # noqa: SIM115 (closed by `close`)
        file.truncate(self.offset)
        file.seek(self.offset)
        return file
