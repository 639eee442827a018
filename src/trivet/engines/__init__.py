"""Engines: where units are started. An engine knows invocations and outcomes, never a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

from trivet.tasks.task import Program
from trivet.tasks.work import AttemptId, Demand, Invocation, Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a unit: its name and what to start."""

    id: AttemptId
    invocation: Invocation


@dataclass(frozen=True, slots=True)
class Accepted:
    """The engine has taken the attempt; ``handle`` finds it again (a container's id, a job's number)."""

    id: AttemptId
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The attempt waits for something, in words (an image being pulled, a free node); or it runs, and nobody can see
    how it goes (a cluster out of reach). Without a message that is over."""

    id: AttemptId
    message: str


@dataclass(frozen=True, slots=True)
class Started:
    """The attempt's program runs since ``at`` (seconds since the epoch)."""

    id: AttemptId
    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over; everything about it was saved before this was said."""

    id: AttemptId
    outcome: Outcome


EngineEvent = Accepted | Waiting | Started | Ended


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many attempts run at once (``slots``) and how many may usefully be submitted ahead (``queue``)."""

    slots: int
    queue: int


@runtime_checkable
class Usual(Protocol):
    """An engine where units get something that do not say what they need."""

    def usual(self, invocation: Invocation) -> Demand:
        """What a unit gets."""


class EngineError(RuntimeError):
    """The engine can't be used at all; the message says what to install or start."""


class Engine(Protocol):
    """A place where attempts are started.

    Methods return at once; what happens arrives on ``events`` in lists, in order for each attempt: Accepted, then
    Started (unless it never ran), then Ended exactly once; any number of Waiting between. An attempt is started at most
    once however often it is submitted: a name that is known is adopted.
    """

    name: str
    events: SimpleQueue[Sequence[EngineEvent]]

    def prepare(self, programs: Sequence[Program]) -> None:
        """Make programs ready (load or pull images). Raises EngineError."""

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts, many at once."""

    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None:
        """Take over attempts of a driver that died, by name (and handle where one is known).

        Each is followed by the events that were missed, at least by Ended; with reason ``lost`` only when the engine
        could be asked and does not know the attempt.
        """

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        """End attempts: TERM, then KILL after ``grace`` seconds; queued ones never start."""

    def capacity(self) -> Capacity:
        """How much runs at once."""

    def close(self) -> None:
        """Let go. What still runs goes on, and can be adopted."""
