"""Logs of the worker's units: a file only for who wrote something, and never larger than its cap.

A unit without a log of its own writes to its slot's scratch file, which is appended to ``logs/slot-K.log`` when it has
ended: a program that opens /dev/stderr anew truncates what is behind it, and must not truncate what others wrote.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Optional

CHUNK = 1 << 20


class Log:
    """Where one running unit writes."""

    __slots__ = ("begin", "dropped", "failed", "fd", "own", "punched", "slot")

    def __init__(self, fd: int, slot: int, own: Optional[str] = None, begin: int = 0) -> None:
        self.fd, self.slot, self.own, self.begin = fd, slot, own, begin
        self.punched = self.dropped = 0
        self.failed = ""


class Logs:
    """All logs of one worker. ``cap`` is in bytes, for each unit."""

    def __init__(self, directory: str, scratch: str, cap: int) -> None:
        self.directory, self.scratch, self.cap = directory, scratch, cap
        self.slots: dict[int, Log] = {}
        self.punch: Any = None

    def slot(self, number: int) -> Log:
        """The log of a unit that has no own."""
        log = self.slots.get(number)
        if log is None:
            path = os.path.join(self.scratch, f"slot-{number}.log")
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o644)
            log = self.slots[number] = Log(fd, number)
        return log

    def own(self, path: str) -> Log:
        """A log of that path; directories above it are made."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        try:
            fd = os.open(path, flags, 0o644)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fd = os.open(path, flags, 0o644)
        return Log(fd, -1, path, os.fstat(fd).st_size)

    def finish(self, log: Log) -> Optional[list[Any]]:
        """The unit has ended: [path, offset, length] of what it wrote, None for nothing."""
        try:
            return self._finish_slot(log) if log.own is None else self._finish_own(log)
        except OSError as error:
            log.failed = f"its log could not be kept: {error.strerror}"
            return None

    def _finish_slot(self, log: Log) -> Optional[list[Any]]:
        size = os.fstat(log.fd).st_size
        if size == 0:
            return None
        name = f"logs/slot-{log.slot}.log"
        path = os.path.join(self.directory, name)
        try:
            kept = self.own(path)
            try:
                length = self._copy(log, size, kept.fd)
            except OSError:
                os.ftruncate(kept.fd, kept.begin)
                raise
            finally:
                os.close(kept.fd)
        finally:
            os.ftruncate(log.fd, 0)
            log.punched = log.dropped = 0
        return [name, kept.begin, length]

    def _finish_own(self, log: Log) -> Optional[list[Any]]:
        path, size = log.own or "", os.fstat(log.fd).st_size
        try:
            begin = min(log.begin, size)
            if size == 0:
                os.unlink(path)
            elif size - begin + log.dropped > self.cap:
                temporary = path + ".cut"
                with open(temporary, "wb", buffering=0) as file:
                    copy_range(log.fd, 0, begin, file.fileno())
                    size = begin + self._copy(log, size, file.fileno())
                os.replace(temporary, path)
        finally:
            os.close(log.fd)
        if size == begin:
            return None
        prefix = self.directory + "/"
        return [path[len(prefix) :] if path.startswith(prefix) else path, begin, size - begin]

    def _copy(self, log: Log, size: int, target: int) -> int:
        """Append what the unit wrote, with what is too much cut out of its middle; the length."""
        begin = min(log.begin, size)
        cut = size - begin + log.dropped - self.cap
        if cut <= 0:
            return copy_range(log.fd, begin, size, target)
        head = min(self.cap // 2, size - begin)
        tail = min(self.cap - self.cap // 2, size - begin - head)
        text = f"\n… {size - begin + log.dropped - head - tail} bytes cut: a log may have {self.cap} …\n".encode()
        length = copy_range(log.fd, begin, begin + head, target)
        write_all(target, text)
        return length + len(text) + copy_range(log.fd, size - tail, size, target)

    def trim(self, log: Log) -> None:
        """Give the disk back the middle of a log that is too large while its unit still writes."""
        size = os.fstat(log.fd).st_size
        begin = min(log.begin, size)
        start = max(log.punched, begin + self.cap // 2)
        end = size - (self.cap - self.cap // 2)
        if end <= start:
            return
        if self.punch is None:
            self.punch = hole_puncher()
        if self.punch(log.fd, start, end - start):
            log.punched = end
        else:  # a file system without holes: the newest is dropped, and counted
            log.dropped += size - begin - self.cap // 2
            os.ftruncate(log.fd, begin + self.cap // 2)

    def remove(self) -> None:
        """Leave no scratch file behind."""
        for log in self.slots.values():
            os.close(log.fd)
            os.unlink(os.path.join(self.scratch, f"slot-{log.slot}.log"))
        self.slots.clear()


def copy_range(source: int, begin: int, end: int, target: int) -> int:
    """Append bytes ``begin`` to ``end`` of a file to another; how many there were."""
    position = begin
    while position < end:
        data = os.pread(source, min(CHUNK, end - position), position)
        if not data:
            break
        write_all(target, data)
        position += len(data)
    return position - begin


def write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def hole_puncher() -> Any:
    """A function of (descriptor, offset, length) that frees a range of a file; it returns False where it can't."""
    if not sys.platform.startswith("linux"):
        return lambda *_: False
    import ctypes

    library = ctypes.CDLL(None)
    call = getattr(library, "fallocate64", None) or library.fallocate
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    keep_size_punch_hole = 0x01 | 0x02
    return lambda fd, offset, length: call(fd, keep_size_punch_hole, offset, length) == 0
