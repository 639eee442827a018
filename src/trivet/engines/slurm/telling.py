"""What the driver is told of attempts: in order, each thing once, and only of those it has asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import NamedTuple

from trivet.engines import Accepted, Ended, EngineEvent, Started, Waiting
from trivet.engines.slurm.pace import Pace
from trivet.engines.slurm.submission import Submission
from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptId, Outcome

_TAKEN, _ACCEPTED, _STARTED, _ENDED = range(4)

NEWS = (20.0, 600.0)
"""Shortest and longest time between two words about when a job may start, in seconds: each is kept in the journal."""


class _Said(NamedTuple):
    by: AttemptId
    message: str
    outlook: str
    pace: Pace


class Telling:
    """Puts events on the queue of an engine; ``meaning`` says what an outcome means, once for each."""

    def __init__(
        self, events: SimpleQueue[Sequence[EngineEvent]], meaning: Callable[[AttemptId, Outcome], Outcome]
    ) -> None:
        self._events, self._meaning = events, meaning
        self._stages: dict[AttemptId, int] = {}
        self._said: dict[str, _Said] = {}
        self._unseen: tuple[AttemptId, str] | None = None

    def take(self, id: AttemptId) -> bool:
        """From now on the driver is told of this attempt; False if it was before."""
        if id in self._stages:
            return False
        self._stages[id] = _TAKEN
        return True

    def knows(self, id: AttemptId) -> bool:
        """Whether the driver is told of it."""
        return id in self._stages

    def lives(self, id: AttemptId) -> bool:
        """Whether the driver has asked for it and was not told of its end."""
        return self._stages.get(id, _ENDED) < _ENDED

    def living(self) -> list[AttemptId]:
        """All whose end is still to be told."""
        return [id for id, stage in self._stages.items() if stage < _ENDED]

    def accepted(self, ids: Iterable[AttemptId], handle: str) -> None:
        """SLURM has them, in the job of that name."""
        self.tell([Accepted(id, handle) for id in ids])

    def waits(self, id: AttemptId, message: str) -> None:
        """It waits, whether SLURM has it already or not."""
        self.tell([Accepted(id), Waiting(id, message)])

    def all_wait(self, found: Submission, message: str, outlook: str = "") -> None:
        """What a submission waits for, once, by the first of its attempts that has not started; ``outlook`` is an
        addition that may change often, and is told anew now and then only."""
        waiting = (id for ids in found.elements for id in ids if self._stages.get(id, _ENDED) < _STARTED)
        first = next(waiting, None)
        if first is None:
            return
        said, pace = self._said.get(found.token), Pace(*NEWS)
        if said is not None and said.by == first and said.message == message:
            if said.outlook == outlook or said.pace.due > time.monotonic():
                return
            pace = said.pace
        pace.looked(time.monotonic())
        self._said[found.token] = _Said(first, message, outlook, pace)
        self.waits(first, f"{message}{outlook}")

    def out_of_sight(self, message: str) -> None:
        """Nobody sees how those go that run: told once, by the first of them."""
        if self._unseen is not None and self.lives(self._unseen[0]) and self._unseen[1] == message:
            return
        first = next((id for id, stage in self._stages.items() if stage == _STARTED), None)
        if first is not None:
            self._unseen = first, message
            self._events.put([Waiting(first, message)])

    def in_sight(self) -> None:
        """The news is over that `out_of_sight` has told."""
        if self._unseen is not None:
            if self.lives(self._unseen[0]):
                self._events.put([Waiting(self._unseen[0], "")])
            self._unseen = None

    def refused(self, ids: Iterable[AttemptId], message: str) -> None:
        """They never start."""
        outcome = Outcome(None, reason=Reason.SUBMIT_ERROR, message=message)
        self.tell([Ended(id, outcome) for id in ids])

    def tell(self, news: Iterable[EngineEvent]) -> None:
        """Put on the queue what is new."""
        told: list[EngineEvent] = []
        for event in news:
            stage = self._stages.get(event.id, _ENDED)
            if stage == _ENDED:
                continue
            if isinstance(event, Waiting):
                if stage < _STARTED:
                    told.append(event)
                continue
            reached = _ENDED if isinstance(event, Ended) else _STARTED if isinstance(event, Started) else _ACCEPTED
            if reached > stage:
                if stage == _TAKEN and reached == _STARTED:
                    told.append(Accepted(event.id))
                self._stages[event.id] = reached
                if isinstance(event, Ended):
                    event = Ended(event.id, self._meaning(event.id, event.outcome))
                told.append(event)
        if told:
            self._events.put(told)
