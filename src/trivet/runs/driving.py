"""The loop of the one process that drives a run or a job: it waits for its engine, its alarms and what others ask."""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty
from typing import Any

from trivet.engines import Ended, Engine, EngineEvent
from trivet.records.directory import HEARTBEAT, OwnedDirectory
from trivet.records.journal import NotOwnerError
from trivet.tasks.work import AttemptId

TICK = 0.5
"""Seconds between two looks for requests of others."""

BATCHES = 64
"""Lists of events that are taken at once, before anything is done about them."""


class Superseded(NotOwnerError):
    """Another process drives it by now."""


class Driving(ABC):
    """Owns a directory from its creation on; those who inherit say what is driven."""

    def __init__(self, directory: OwnedDirectory, engine: Engine, grace: float) -> None:
        """``grace`` in seconds. Raises NotOwnerError, OSError."""
        self.engine = engine
        self.grace = grace
        self._owned = directory
        self._journal = directory.claim()
        self._next_tick = self._next_beat = 0.0
        self._interrupts = 0

    @property
    @abstractmethod
    def over(self) -> bool:
        """True when there is a result."""

    @abstractmethod
    def begin(self) -> None:
        """Tell that it was asked for, unless somebody did already."""

    @abstractmethod
    def perform(self) -> None:
        """Perform all that is to be done by now, and write it down."""

    @abstractmethod
    def see(self, batch: Sequence[EngineEvent]) -> None:
        """Take what the engine says."""

    @abstractmethod
    def flying(self) -> Sequence[AttemptId]:
        """The attempts that the engine was given and that have not ended."""

    @property
    @abstractmethod
    def stopping(self) -> bool:
        """True when it was told to stop."""

    @abstractmethod
    def end(self, message: str) -> None:
        """End it as cancelled."""

    @abstractmethod
    def finish(self) -> None:
        """Write the record of what is over."""

    @abstractmethod
    def fail(self, message: str) -> None:
        """Make a failure of it that is as well recorded as possible, since the disk does not take more."""

    @abstractmethod
    def due(self) -> float | None:
        """Seconds until `look` should be called; None when nothing waits for its time."""

    @abstractmethod
    def look(self) -> None:
        """Take what happens because time has passed."""

    def drive(self) -> None:
        """Drive until it is over. Raises Superseded when somebody else took it over."""
        try:
            self.begin()
            self.perform()
            while not self.over:
                self._wait()
                self._look_around()
                self.perform()
            self._make_sure()
            self._journal.close()
            self.finish()
        except OSError as error:
            self._give_up(error)
        finally:
            self.engine.close()

    def stop(self) -> None:
        """End it as cancelled; the second time, at once and without grace. Safe in a signal handler."""
        self._interrupts += 1
        self.engine.events.put(())

    def _wait(self) -> None:
        timeout = min(TICK if due is None else due for due in (TICK, self._journal.due, self.due()))
        for _ in range(BATCHES):
            try:
                batch = self.engine.events.get(timeout=timeout)
            except Empty:
                return
            self.see(batch)
            timeout = 0.0

    def _look_around(self) -> None:
        """Alarms, requests of others, the signs of life of this owner, and interrupts."""
        self.look()
        if self._interrupts:
            self._interrupted()
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + TICK
        if not self.stopping and self._owned.asked("cancel"):
            self.end("cancelled on request")
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT
            self._owned.beat()
            self._make_sure()

    def _make_sure(self) -> None:
        """That nobody has taken this process for dead. Raises Superseded."""
        if self._journal.superseded:
            raise Superseded(f"another process drives {self._owned.id} now")

    def _interrupted(self) -> None:
        if not self.stopping:
            self.end("interrupted")
        elif self._interrupts > 1:
            self.engine.cancel(self.flying(), 0.0)
        self._interrupts = 1

    def _give_up(self, error: OSError) -> None:
        """Not even the journal can be written (a full disk): end what runs, and say it as well as possible."""
        flying = set(self.flying())
        self.engine.cancel(list(flying), self.grace)
        deadline = time.monotonic() + self.grace + 2 * TICK
        while flying and time.monotonic() < deadline:
            with suppress(Empty):
                events = self.engine.events.get(timeout=TICK)
                flying -= {event.id for event in events if isinstance(event, Ended)}
        self.fail(f"the record can't be written: {error}")


@contextmanager
def stopped_by_signals(driver: Driving) -> Iterator[None]:
    """Within this, Ctrl-C and SIGTERM stop a driver."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        driver.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
