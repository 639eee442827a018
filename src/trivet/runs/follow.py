"""Reading the logs of a run, while it goes on and afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from trivet.records.directory import OwnedDirectory, RunDirectory
from trivet.runs.progress import Progress

INTERVAL = 0.2
"""Seconds between two looks at a log that may still grow."""


class Tail:
    """A file read as it grows; it may not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def read(self) -> bytes:
        """What was added since the last time."""
        try:
            with self.path.open("rb") as stream:
                if stream.seek(0, 2) < self._offset:  # rewritten by a driver that adopted the unit
                    self._offset = 0
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return b""
        self._offset += len(data)
        return data


class LiveLogs:
    """A thread that hands on what the units of a run print, until it is closed; nothing is left out at the end."""

    def __init__(self, run: RunDirectory, write: Callable[[bytes], None]) -> None:
        self._tails: dict[Path, Tail] = {}
        self._run = run
        self._write = write
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._closing.wait(INTERVAL):
            self._look()
        self._look()

    def _look(self) -> None:
        for path in sorted(self._run.logs.glob("*.log")):
            if path.name == "driver.log":
                continue
            data = self._tails.setdefault(path, Tail(path)).read()
            if data:
                self._write(data)


def growing(run: OwnedDirectory, logs: Callable[[], Iterable[Path]]) -> Iterator[tuple[Path, bytes]]:
    """What is in some logs and comes to them, each piece with its log, until a run or job is over or lost its driver.

    Raises OSError, UnreadableError.
    """
    tails: dict[Path, Tail] = {}
    goes_on = True
    while goes_on:
        goes_on = "result" not in run.read() and run.owner_alive()
        for path in logs():  # after that question, so that the last words are not missed
            data = tails.setdefault(path, Tail(path)).read()
            if data:
                yield path, data
        if goes_on:
            time.sleep(INTERVAL)


def parts(run: RunDirectory, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """Name and log of every unit that printed something, in unit order. Raises OSError."""
    for number, unit in enumerate(progress.units):
        outcome = progress.outcomes.get(number)
        if outcome is None:
            path = run.logs / f"{unit.name}.log"
            if path.exists():
                yield unit.name, path.read_bytes()
        elif outcome.log is not None:
            with (run.path / outcome.log.path).open("rb") as stream:
                stream.seek(outcome.log.offset)
                yield unit.name, stream.read(outcome.log.length)


def wait_until_over(run: OwnedDirectory, timeout: float | None = None) -> bool:
    """Wait until the record of a run or job says how it ended; False when that took longer than ``timeout`` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while "result" not in run.read():
        if deadline is not None and time.monotonic() > deadline:
            return False
        time.sleep(INTERVAL)
    return True
