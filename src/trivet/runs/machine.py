"""The machine that moves a run: events in, instructions out, no I/O, no clock, no threads.

Each instruction stays pending until its event comes. After a crash, the events of the journal are fed again and what
is then pending is performed again; every instruction may be repeated (an engine adopts an attempt it knows).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trivet.runs.events import (
    Accepted,
    Again,
    Asked,
    Collected,
    Concluded,
    Ended,
    Event,
    Planned,
    Started,
    Stopped,
    Waiting,
)
from trivet.runs.retrying import NEVER, Retries
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import Outcome, RunResult, UnitResult


@dataclass(frozen=True, slots=True)
class Plan:
    """Find the units of a phase, given the results of the phase before; answer with Planned."""

    phase: int
    before: tuple[UnitResult, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Stage and submit units; answer with Started and Ended for each."""

    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Collect:
    """Read what a unit wrote; answer with Collected."""

    unit: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Wait:
    """Let some seconds pass before a unit is started again; answer with Again."""

    unit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """End units; each answers with Ended."""

    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Conclude:
    """Fold the results, in unit order, into the run's; ``stopped`` overrides what they say. Answer with Concluded."""

    results: tuple[UnitResult, ...]
    stopped: Stopped | None


Instruction = Plan | Start | Collect | Wait | Cancel | Conclude


@dataclass(frozen=True, slots=True)
class Change:
    """The run's state since a moment (seconds since the epoch), with a word about it."""

    state: RunState
    at: float
    message: str = ""


class Standing(NamedTuple):
    """Units of a run that goes on: those that run, those that wait, and why, or why nobody sees how they go (as far as
    an engine has said)."""

    running: int = 0
    waiting: int = 0
    why: str = ""

    @property
    def counts(self) -> str:
        """How many do what, in words; nothing where none does anything."""
        counts = ((self.running, "running"), (self.waiting, "waiting"))
        return ", ".join(f"{count} {word}" for count, word in counts if count)

    def __str__(self) -> str:
        return f"{self.counts}: {self.why}" if self.why else self.counts


_ORDER = {state: position for position, state in enumerate(RunState)}


class Machine:
    """One run. Units are numbered through all phases, in the order in which they were planned.

    ``window`` is the most units that may be with the engine at once; ``done`` and ``failed`` count those that are over.
    ``limit`` is how many may run at once, where somebody wants it so; ``failures`` holds why each unit that was
    started again had failed, the first time first.
    """

    def __init__(self, window: int, retries: Retries = NEVER, limit: int | None = None) -> None:
        if min(window, window if limit is None else limit) < 1:
            raise ValueError("a window holds at least one unit")
        self.window = window if limit is None else min(window, limit)
        # Refilling by halves keeps messages to the engine few; a window is wider than what runs at once, a limit not.
        self._low = self.window // 2 if limit is None else self.window - 1
        self.retries = retries
        self.failures: dict[int, tuple[Reason, ...]] = {}
        self.phase = 0
        self.history: list[Change] = []
        self.stopped: Stopped | None = None
        self.result: RunResult | None = None
        self.results: list[UnitResult | None] = []
        self.done = 0
        self.failed = 0
        self._phase_begin = 0
        self._waiting: deque[int] = deque()
        self._flying: dict[int, None] = {}
        self._running: set[int] = set()
        self._why: tuple[int | None, str] = (None, "")
        self._collecting: dict[int, Outcome] = {}
        self._resting: dict[int, float] = {}
        self._planning = False
        self._concluding = False

    @property
    def state(self) -> RunState:
        return self.history[-1].state if self.history else RunState.CREATED

    @property
    def flying(self) -> tuple[int, ...]:
        """Units that were given to the engine and have not ended."""
        return tuple(self._flying)

    @property
    def standing(self) -> Standing:
        """How many units run and wait, and what the last said that it waits for."""
        running = len(self._running)
        waiting = len(self.results) - self.done - running - len(self._collecting)
        unit, why = self._why
        return Standing(running, waiting, why if waiting or unit in self._running else "")

    @property
    def unsettled(self) -> set[int]:
        """Units that have not ended for good."""
        return {*self._waiting, *self._flying, *self._collecting, *self._resting}

    def handle(self, event: Event) -> list[Instruction]:
        """Take an event; say what is to be done now. Events that come twice, or too late, change nothing."""
        if self.result is not None:
            return []
        match event:
            case Asked():
                return self._asked(event)
            case Planned():
                return self._planned(event)
            case Accepted(at):
                self._move(RunState.QUEUED, at)
            case Waiting(at, message, unit):
                self._why = (unit, message) if message else (None, "")
                if message:
                    self._move(RunState.PENDING, at, message)
            case Started(at, unit):
                if unit in self._flying:
                    self._running.add(unit)
                    self._waits_no_more(unit)
                    self._move(RunState.RUNNING, at)
            case Ended():
                return self._ended(event)
            case Collected():
                return self._collected(event)
            case Again(_, unit):
                return self._again(unit)
            case Stopped():
                return self._stopped(event)
            case Concluded(at, result):
                self.result = result
                self.history.append(Change(result.state, at, result.message))
        return []

    def pending(self) -> list[Instruction]:
        """Everything that was asked for and has not been answered: what to perform after a crash."""
        if self.result is not None or not self.history:
            return []
        instructions: list[Instruction] = []
        if self._planning:
            instructions.append(self._plan())
        if self._flying:
            instructions.append(Start(tuple(self._flying)))
            if self.stopped is not None:
                instructions.append(Cancel(tuple(self._flying)))
        instructions += (Collect(unit, outcome) for unit, outcome in self._collecting.items())
        instructions += (Wait(unit, seconds) for unit, seconds in self._resting.items())
        if self._concluding:
            instructions.append(self._conclude())
        return instructions

    def _asked(self, event: Asked) -> list[Instruction]:
        if self.history:
            return []
        self.history.append(Change(RunState.CREATED, event.at))
        self._planning = True
        return [self._plan()]

    def _planned(self, event: Planned) -> list[Instruction]:
        if not self._planning:
            return []
        self._planning = False
        self._move(RunState.PROVISIONED, event.at)
        if event.units is None:
            return self._begin_conclusion()
        self._phase_begin = len(self.results)
        self.results += [None] * event.units
        self._waiting.extend(range(self._phase_begin, len(self.results)))
        self.phase += 1
        if self._waiting:
            self._move(RunState.QUEUING, event.at)
        return self._go_on()

    def _ended(self, event: Ended) -> list[Instruction]:
        if event.unit in self._flying:
            del self._flying[event.unit]
        elif event.unit in self._waiting and self.results[event.unit] is None:
            self._waiting.remove(event.unit)  # a driver with a wider window than this one's had started it
        else:
            return []
        self._running.discard(event.unit)
        self._waits_no_more(event.unit)
        self._collecting[event.unit] = event.outcome
        if event.outcome.started is not None:
            self._move(RunState.RUNNING, event.outcome.started)
        return [Collect(event.unit, event.outcome), *self._refill()]

    def _waits_no_more(self, unit: int) -> None:
        if self._why[0] in (None, unit):
            self._why = None, ""

    def _collected(self, event: Collected) -> list[Instruction]:
        if event.unit not in self._collecting:
            return []
        del self._collecting[event.unit]
        self.results[event.unit] = event.result
        if event.result.reason is not None and self.stopped is None:
            failures = (*self.failures.get(event.unit, ()), event.result.reason)
            seconds = self.retries.delay(failures)
            if seconds is not None:
                self.failures[event.unit] = failures
                self._resting[event.unit] = seconds
                return [Wait(event.unit, seconds)]
        self._count(event.result)
        return self._go_on()

    def _again(self, unit: int) -> list[Instruction]:
        if unit not in self._resting:
            return []
        del self._resting[unit]
        self._waiting.appendleft(unit)
        return self._go_on()

    def _count(self, result: UnitResult) -> None:
        self.done += 1
        self.failed += not result.ok

    def _stopped(self, event: Stopped) -> list[Instruction]:
        if self.stopped is not None or self._concluding:
            return []
        self.stopped = event
        self._planning = False
        for unit in (*self._resting, *self._waiting):
            if (result := self.results[unit]) is not None:  # what it gave the last time is what counts now
                self._count(result)
        self._resting.clear()
        self._waiting.clear()
        if self._flying:
            return [Cancel(tuple(self._flying))]
        return self._go_on()

    def _go_on(self) -> list[Instruction]:
        """Start what may start; when nothing is left of a phase, plan the next or conclude."""
        refill = self._refill()
        busy = self._flying or self._collecting or self._resting or self._planning or self._concluding
        if refill or busy:
            return refill
        if self.stopped is not None or not all(result and result.ok for result in self._phase_results()):
            return self._begin_conclusion()
        self._planning = True
        return [self._plan()]

    def _refill(self) -> list[Instruction]:
        if not self._waiting or len(self._flying) > self._low:
            return []
        units = []
        while self._waiting and len(self._flying) < self.window:
            unit = self._waiting.popleft()
            self._flying[unit] = None
            units.append(unit)
        return [Start(tuple(units))]

    def _begin_conclusion(self) -> list[Instruction]:
        self._concluding = True
        return [self._conclude()]

    def _plan(self) -> Plan:
        return Plan(self.phase, tuple(result for result in self._phase_results() if result is not None))

    def _conclude(self) -> Conclude:
        return Conclude(tuple(result for result in self.results if result is not None), self.stopped)

    def _phase_results(self) -> Sequence[UnitResult | None]:
        return self.results[self._phase_begin :]

    def _move(self, state: RunState, at: float, message: str = "") -> None:
        """States only move forward; waiting may be said again in other words."""
        repeated = state is RunState.PENDING and self.state is state and self.history[-1].message != message
        if _ORDER[state] > _ORDER[self.state] or repeated:
            # Engine and driver look at their clocks one after the other; a history never goes backwards.
            self.history.append(Change(state, max(at, self.history[-1].at), message))


def replay(machine: Machine, events: Iterable[Event]) -> list[Instruction]:
    """Feed a machine the events of a journal; what is pending then."""
    for event in events:
        machine.handle(event)
    return machine.pending()
