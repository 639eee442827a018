"""A run's journal: JSON lines, one file for each owner, appended before anything is done.

``journal/<g>.jsonl`` is created exclusively by generation ``g``. Its first line says who owns it and how many bytes of
each earlier generation count: what a former owner wrote later, not knowing that it was replaced, does not.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from trivet.records import UnreadableError
from trivet.records.files import LONE
from trivet.records.owner import Owner

FORMAT = 1
SYNC_INTERVAL = 0.05
"""Seconds within which what was appended reaches the disk."""

RESERVE = 64 * 1024
"""Bytes kept aside, so that a full disk can still be recorded."""

Line = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class NotOwnerError(RuntimeError):
    """Somebody else owns the journal by now."""


class Journal:
    """The writing end of a journal; there is one for each run at a time.

    Lines are gathered by `append` and written by `write`; `sync` makes them durable.
    """

    def __init__(self, directory: Path, after: int) -> None:
        """Become the owner of the journal in ``directory`` (created when absent), following generation ``after``: the
        last one when the caller looked whether its owner still lives (0: there was none).

        Raises NotOwnerError when somebody else followed it first, OSError when it can't be written.
        """
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.generation = after + 1
        counted = {str(generation): len(data) for generation, data in _contents(directory).items()}
        self.path = directory / f"{self.generation}.jsonl"
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise NotOwnerError(f"{directory} has just got another owner") from None
        self._pending: list[str] = []
        self._synced = time.monotonic()
        self._dirty = False
        self._reserve = directory / ".reserve"
        self._set_aside()
        self.append({"format": FORMAT, "owner": Owner.this_process().to_json(), "t": time.time(), "read": counted})
        self.sync()

    def append(self, line: Line) -> None:
        """Add a line; it is kept in memory until `write`."""
        self._pending.append(_encode(line))

    def write(self) -> None:
        """Hand all lines to the operating system, and to the disk when the last time was long enough ago."""
        if self._pending:
            data = ("\n".join(self._pending) + "\n").encode("utf-8", LONE)
            self._pending.clear()
            self._write(data)
            self._dirty = True
        if self._dirty and time.monotonic() - self._synced >= SYNC_INTERVAL:
            self._sync()

    def sync(self) -> None:
        """Write all lines and wait until they are on the disk."""
        self.write()
        if self._dirty:
            self._sync()

    @property
    def due(self) -> float | None:
        """Seconds until `write` should be called for the disk's sake; None when everything is there."""
        if not self._dirty:
            return None
        return max(0.0, self._synced + SYNC_INTERVAL - time.monotonic())

    @property
    def superseded(self) -> bool:
        """True when another owner took over."""
        return (self.directory / f"{self.generation + 1}.jsonl").exists()

    def close(self) -> None:
        """Write what is left and let go."""
        self.sync()
        os.close(self._file)
        self._reserve.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._file, view) :]
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._reserve.exists():
                    raise
                self._reserve.unlink()

    def _sync(self) -> None:
        getattr(os, "fdatasync", os.fsync)(self._file)
        self._dirty = False
        self._synced = time.monotonic()

    def _set_aside(self) -> None:
        """Take up real blocks (a hole would not help on a full disk)."""
        with self._reserve.open("wb") as stream:
            stream.write(b"\0" * RESERVE)


def read(directory: Path) -> Iterator[Line]:
    """Every event in a journal that counts by now, in order; parsed one by one, for there may be very many.

    A torn last line of a generation is left out; an absent journal is empty. Raises OSError, or UnreadableError.
    """
    return (line for data in _contents(directory).values() for line in islice(_lines(data, directory), 1, None))


def last_owner(directory: Path) -> tuple[int, Owner | None]:
    """The last generation and who wrote it, without reading the whole journal; (0, None) when nobody did.

    The owner is None, too, when it died before it could write its name.
    """
    generation = max(_generations(directory), default=0)
    if generation:
        with (directory / f"{generation}.jsonl").open("rb") as stream:
            for first in _lines(stream.readline(), directory):
                return generation, Owner.from_json(first["owner"])
    return generation, None


def _generations(directory: Path) -> list[int]:
    try:
        files = list(directory.iterdir())
    except FileNotFoundError:
        return []
    return [int(file.stem) for file in files if file.suffix == ".jsonl" and file.stem.isdigit()]


def _contents(directory: Path) -> dict[int, bytes]:
    """The bytes of each generation that count: complete lines, and no more than the next generation had read."""
    contents: dict[int, bytes] = {}
    for generation in sorted(_generations(directory)):
        data = (directory / f"{generation}.jsonl").read_bytes()
        for first in _lines(data[: data.find(b"\n") + 1], directory):
            for earlier, count in first.get("read", {}).items():
                contents[int(earlier)] = contents[int(earlier)][:count]
        contents[generation] = data[: data.rfind(b"\n") + 1]
    return contents


def _lines(data: bytes, journal: Path) -> Iterator[Line]:
    """The complete lines, each parsed when it is taken."""
    for line in BytesIO(data):
        if line.endswith(b"\n") and line != b"\n":
            try:
                yield json.loads(line.decode("utf-8", "surrogateescape"))
            except ValueError as error:
                raise UnreadableError(f"{journal} is damaged: {error}") from None
