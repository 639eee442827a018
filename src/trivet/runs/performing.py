"""Performing what the machine of one run asks for, by its contract and an engine, and telling what was seen."""

from __future__ import annotations

import heapq
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from trivet import engines
from trivet.engines import Attempt, Engine, EngineError, Usual
from trivet.runs.events import (
    Accepted,
    Again,
    Collected,
    Demanded,
    Ended,
    Event,
    Noted,
    Planned,
    Started,
    Stopped,
    Waiting,
)
from trivet.runs.machine import Cancel, Collect, Conclude, Instruction, Plan, Start, Wait
from trivet.runs.progress import Progress
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import NOTHING_SAID, AttemptDirectory, AttemptId, Demand, Invocation, Outcome, UnitResult

OWN_LOGS = 64
"""Up to so many units of a phase, each has a log file of its own name; beyond, units share a few."""

FULL = 256 * 1024
"""Bytes; a disk with less free space is as good as full."""


class Layout(Protocol):
    """Where the attempts of a run find their files."""

    @property
    def root(self) -> Path:
        """The directory that holds them all."""

    def where(self, unit: str, nth: int, attempt: AttemptId) -> AttemptDirectory:
        """The directory of a unit's ``nth`` attempt (from 1)."""

    def log(self, unit: str, nth: int, units: int) -> str | None:
        """The file that takes what an attempt prints, in a run of so many units; None leaves it to the engine."""

    def warned(self, outcome: Outcome) -> bool:
        """Whether the log of an attempt speaks of a warning."""


class Performer:
    """Performs the instructions for one run.

    What happens is told by ``tell``, at once or when `see` or `look` is called; ``write`` is called before anything is
    acted upon, and ``note`` with what staging has to say about a unit.
    """

    def __init__(
        self,
        progress: Progress,
        engine: Engine,
        layout: Layout,
        tell: Callable[[Event], None],
        write: Callable[[], None],
        note: Callable[[str, Problem], None],
    ) -> None:
        self._progress, self._engine, self._layout = progress, engine, layout
        self._tell, self._write, self._say = tell, write, note
        self._taken_over = set(progress.machine.flying)
        self._alarms: list[tuple[float, int]] = []

    # What the machine asks for. A fault inside a contract must end the run with a word about it, never hang it: hence
    # `except Exception`.

    def perform(self, instruction: Instruction) -> None:
        """Perform anything but Conclude, which is the owner's affair."""
        match instruction:
            case Plan(phase, before):
                self._plan(phase, before)
            case Start(units):
                self._start(units)
            case Collect(unit, outcome):
                result = self._collect(unit, outcome)
                self._tell(Collected(time.time(), unit, result, self._layout.warned(outcome)))
            case Wait(unit, seconds):
                heapq.heappush(self._alarms, (time.monotonic() + seconds, unit))
            case Cancel(units):
                self._write()
                self.cancel(units, self._progress.options.grace)
            case Conclude():
                raise TypeError(instruction)

    def cancel(self, units: Sequence[int], grace: float) -> None:
        """End units, now or after ``grace`` seconds."""
        self._engine.cancel([self._progress.attempt(unit) for unit in units], grace)

    def _plan(self, phase: int, before: Sequence[UnitResult]) -> None:
        try:
            units = self._progress.plan(phase, before)
        except Exception as error:
            message = f"the units of phase {phase} can't be planned: {told(error)}"
            self._tell(Stopped(time.time(), Reason.SUBMIT_ERROR, message))
        else:
            self._tell(Planned(time.time(), units))

    def _start(self, numbers: Sequence[int]) -> None:
        attempts: dict[int, Attempt] = {}
        known: dict[int, AttemptId] = {}
        demands: dict[Demand, list[int]] = {}
        for number in numbers:
            name = self._progress.attempt(number)
            taken_over, stopped = number in self._taken_over, self._progress.machine.stopped is not None
            self._taken_over.discard(number)
            if taken_over and (stopped or number in self._progress.starts):
                known[number] = name
                continue
            if stopped:  # it was told to start when it was not yet told to stop
                self._never_ran(number, Reason.CANCELLED)
                continue
            try:
                invocation = self._invocation(number)
            except Exception as error:
                self._never_ran(number, Reason.SUBMIT_ERROR, f"its inputs can't be laid out: {told(error)}")
                continue
            if invocation.notes:
                self._note(number, invocation.notes)
            attempts[number] = Attempt(name, invocation)
            needs = invocation.resources
            demands.setdefault(Demand(needs.cpus, needs.memory, invocation.time_limit), []).append(number)
        for demand, units in demands.items():
            if demand != NOTHING_SAID:
                self._tell(Demanded(time.time(), tuple(units), demand))
        self._write()
        try:
            if known:
                self._engine.adopt(dict.fromkeys(known.values()))
            if attempts:
                self._engine.submit(list(attempts.values()))
        except EngineError as error:
            for number in (*known, *attempts):
                self._never_ran(number, Reason.SUBMIT_ERROR, str(error))

    def _note(self, number: int, notes: tuple[Problem, ...]) -> None:
        self._tell(Noted(time.time(), number, notes))
        for note in notes:
            self._say(self._progress.name(number), note)

    def _never_ran(self, number: int, reason: Reason, message: str = "") -> None:
        self._tell(Ended(time.time(), number, Outcome(None, reason=reason, message=message)))

    def _invocation(self, number: int) -> Invocation:
        progress = self._progress
        unit = progress.units[number]
        invocation = progress.contract.stage(progress.call, unit, self._where(number))
        if invocation.log is None:
            log = self._layout.log(unit.name, progress.nth(number), len(progress.units))
            invocation = replace(invocation, log=log) if log else invocation
        failures = progress.machine.failures.get(number, ())
        usual = self._engine.usual(invocation) if failures and isinstance(self._engine, Usual) else NOTHING_SAID
        return progress.options.applied(invocation, failures, usual)

    def _collect(self, number: int, outcome: Outcome) -> UnitResult:
        unit = self._progress.units[number]
        try:
            result = self._progress.contract.collect(self._progress.call, unit, self._where(number), outcome)
        except Exception as error:
            message = f"its outputs can't be read: {told(error)}"
            result = UnitResult(unit.name, Reason.INVALID_OUTPUT, message, outcome.exit_code)
        root = self._layout.root
        if not result.ok and shutil.disk_usage(root).free < FULL:
            # The program's own complaint was probably lost with the rest.
            result = replace(result, message=f"{result.message}; no space is left on the disk of {root}")
        return result

    def _where(self, number: int) -> AttemptDirectory:
        progress = self._progress
        return self._layout.where(progress.name(number), progress.nth(number), progress.attempt(number))

    # What is seen

    @property
    def due(self) -> float | None:
        """Seconds until `look` should be called; None when nothing waits for its time."""
        return max(0.0, self._alarms[0][0] - time.monotonic()) if self._alarms else None

    def look(self) -> None:
        """Tell of the units whose time has come to be started again."""
        if self._progress.machine.stopped is not None:
            self._alarms.clear()  # what such units gave is what counts
        while self._alarms and self._alarms[0][0] <= time.monotonic():
            self._tell(Again(time.time(), heapq.heappop(self._alarms)[1]))

    def see(self, batch: Sequence[engines.EngineEvent]) -> None:
        """Tell what an engine said, as far as it is about units of this run."""
        now = time.time()
        progress = self._progress
        ended = {event.id for event in batch if isinstance(event, engines.Ended)}
        for event in batch:
            number = progress.number(event.id)
            if number is None:
                continue
            match event:
                case engines.Accepted():
                    if progress.machine.state in (RunState.PROVISIONED, RunState.QUEUING):
                        self._tell(Accepted(now))
                case engines.Waiting(_, message):
                    self._tell(Waiting(now, message, number))
                case engines.Started(id, at):
                    if id not in ended:  # an end says when its unit started: no line for both
                        self._tell(Started(at, number))
                case engines.Ended(_, outcome):
                    self._tell(Ended(now, number, outcome))


def told(error: Exception) -> str:
    """An exception in one line; a fault of ours (nothing a user can cause) names its kind."""
    if isinstance(error, OSError) and error.strerror:
        path = error.filename2 or error.filename
        return f"{path}: {error.strerror}" if path else error.strerror
    if isinstance(error, OSError | ProblemsError):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {error}"
