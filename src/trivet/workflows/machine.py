"""The machine that moves a job: the machines of its steps one after the other, with a dataset between them.

As that of a run it is pure: events in, instructions out. Each instruction stays pending until its event comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trivet.runs import events as runs
from trivet.runs import machine as run
from trivet.runs.events import Stopped
from trivet.runs.machine import Machine
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import UnitResult
from trivet.workflows.events import Applied, Asked, Event, Selected, Within
from trivet.workflows.reporting import JobResult


@dataclass(frozen=True, slots=True)
class Select:
    """Choose the images of a step; answer with Selected, or Stopped where it can't begin."""

    step: int


@dataclass(frozen=True, slots=True)
class Do:
    """Perform an instruction for the run of a step (any but Conclude); answer with Within."""

    step: int
    instruction: run.Instruction


@dataclass(frozen=True, slots=True)
class Apply:
    """Bring what the units of a step gave, in unit order, into the dataset; ``stopped`` overrides how it ended. Answer
    with Applied."""

    step: int
    results: tuple[UnitResult, ...]
    stopped: Stopped | None


Instruction = Select | Do | Apply


@dataclass(frozen=True, slots=True)
class StepEnd:
    """What remains of a step that is over: its end, and how many units it had, ended, and failed (refused ones too)."""

    applied: Applied
    units: int
    done: int
    failed: int


class JobMachine:
    """One job of the steps ``first`` to ``last``; ``make`` gives the machine for the run of a step.

    ``step`` is the one it is at, ``run`` its machine once its images were chosen, ``ended`` the steps that are over.
    """

    def __init__(self, first: int, last: int, make: Callable[[int], Machine]) -> None:
        self.first, self.last = first, last
        self.step = first
        self.run: Machine | None = None
        self.selected: dict[int, Selected] = {}
        self.ended: dict[int, StepEnd] = {}
        self.stopped: Stopped | None = None
        self.result: JobResult | None = None
        self._make = make
        self._begun = False

    @property
    def begun(self) -> bool:
        """True once the job was asked for."""
        return self._begun

    def handle(self, event: Event) -> list[Instruction]:
        """Take an event; say what is to be done now. Events that come twice, or too late, change nothing."""
        if self.result is not None:
            return []
        match event:
            case Asked():
                if not self._begun:
                    self._begun = True
                    return [Select(self.step)]
            case Selected(at, step):
                if step == self.step and self.run is None and self._begun:
                    self.selected[step] = event
                    self.run = self._make(step)
                    return self._within(runs.Asked(at))
            case Within(step, inner):
                if step == self.step:
                    return self._within(inner)
            case Stopped():
                return self._stopped(event)
            case Applied():
                return self._applied(event)
        return []

    def pending(self) -> list[Instruction]:
        """Everything that was asked for and has not been answered: what to perform after a crash."""
        if self.result is not None or not self._begun:
            return []
        return [Select(self.step)] if self.run is None else self._wrapped(self.run.pending())

    def _within(self, event: runs.Event) -> list[Instruction]:
        return [] if self.run is None else self._wrapped(self.run.handle(event))

    def _wrapped(self, instructions: Sequence[run.Instruction]) -> list[Instruction]:
        """A step's end is no business of its contract alone, as a run's is: the dataset comes in between."""
        return [
            Apply(self.step, one.results, one.stopped) if isinstance(one, run.Conclude) else Do(self.step, one)
            for one in instructions
        ]

    def _stopped(self, event: Stopped) -> list[Instruction]:
        if self.stopped is not None:
            return []
        self.stopped = event
        if self.run is not None:
            return self._wrapped(self.run.handle(event))
        state = RunState.CANCELLED if event.reason is Reason.CANCELLED else RunState.FAILED
        self.result = JobResult(state, event.reason, event.message, self.step)
        return []

    def _applied(self, event: Applied) -> list[Instruction]:
        if event.step != self.step or self.run is None:
            return []
        units = len(self.run.results)
        self.ended[self.step] = StepEnd(event, units, self.run.done, self.run.failed + len(event.refused))
        self.run = None
        result = event.result
        if result.state is not RunState.FINISHED:
            self.result = JobResult(result.state, result.reason, result.message, self.step)
        elif self.step == self.last:
            self.result = JobResult(RunState.FINISHED)
        elif self.stopped is not None:
            self.result = JobResult(RunState.CANCELLED, self.stopped.reason, self.stopped.message, self.step + 1)
        else:
            self.step += 1
            return [Select(self.step)]
        return []
