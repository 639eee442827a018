"""What tests of engines wait for: events of an engine, and named pipes that units hold. Nothing here sleeps."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty

from trivet.engines import Accepted, Ended, Engine, EngineEvent, Started, Waiting
from trivet.tasks.work import AttemptId, Outcome

PATIENCE = 60.0
"""Seconds after which something that should have happened is missing."""


class Watch:
    """Takes an engine's events, and insists on their order."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seen: dict[AttemptId, list[EngineEvent]] = {}

    def until(self, reached: Callable[[], bool]) -> None:
        """Take events until ``reached()``."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            try:
                events = self.engine.events.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"nothing more happened; seen so far: {self.seen}") from None
            for event in events:
                self._take(event)

    def _take(self, event: EngineEvent) -> None:
        before = self.seen.setdefault(event.id, [])
        kinds = [type(one) for one in before]
        assert Ended not in kinds, f"{event} after the end"
        if isinstance(event, Accepted):
            assert kinds == [], f"{event} after {before}"
        elif isinstance(event, Waiting):
            assert Accepted in kinds, f"{event} before it was accepted"
        elif isinstance(event, Started):
            assert Accepted in kinds, f"{event} before it was accepted"
            assert Started not in kinds, f"{event} twice"
        before.append(event)

    def accepted(self, *ids: AttemptId) -> dict[AttemptId, str | None]:
        """The handles of attempts, once all are accepted."""
        self.until(lambda: all(self._find(id, Accepted) for id in ids))
        return {id: event.handle for id in ids if isinstance(event := self._find(id, Accepted), Accepted)}

    def started(self, *ids: AttemptId) -> None:
        """Return once all run."""
        self.until(lambda: all(self._find(id, Started) for id in ids))

    def ended(self, *ids: AttemptId) -> list[Outcome]:
        """The outcomes of attempts, once all have ended."""
        self.until(lambda: all(self._find(id, Ended) for id in ids))
        return [event.outcome for id in ids if isinstance(event := self._find(id, Ended), Ended)]

    def _find(self, id: AttemptId, kind: type[EngineEvent]) -> EngineEvent | None:
        return next((event for event in self.seen.get(id, ()) if isinstance(event, kind)), None)


class Sign:
    """A named pipe units write to. While one of their processes has it open, that process lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path, 0o666)
        path.chmod(0o666)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._data = b""

    def line(self) -> str:
        """The next line that is written."""
        while b"\n" not in self._data:
            self._data += self._read("a line")
        line, _, self._data = self._data.partition(b"\n")
        return line.decode()

    def gone(self) -> None:
        """Return once no process has the pipe open any more (at least one must have written a line before)."""
        while self._read("its end"):
            pass

    def _read(self, wanted: str) -> bytes:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN | select.POLLHUP)
        deadline = time.monotonic() + PATIENCE
        while True:
            events = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            assert events, f"{self.path.name}: {wanted} did not come"
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:  # one writer had gone, and another one has come
                continue
            if data or wanted == "its end":
                return data

    def close(self) -> None:
        os.close(self._fd)


class Gate:
    """A named pipe units wait at: ``read x < PATH`` in a shell returns once for each `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path, 0o666)
        path.chmod(0o666)
        self._fd = os.open(path, os.O_RDWR)

    def open(self, count: int = 1) -> None:
        """Let ``count`` units through."""
        os.write(self._fd, b"\n" * count)

    def close(self) -> None:
        os.close(self._fd)
