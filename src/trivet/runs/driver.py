"""The driver of a run: performs what the machine asks for and turns what it sees into events."""

from __future__ import annotations

import shutil
import sys
import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty

from trivet import engines
from trivet.engines import Attempt, Engine, EngineError
from trivet.records import journal
from trivet.records.directory import HEARTBEAT, RunDirectory
from trivet.runs import record
from trivet.runs.events import (
    Accepted,
    Asked,
    Collected,
    Concluded,
    Ended,
    Event,
    Noted,
    Planned,
    Started,
    Stopped,
    Waiting,
    to_line,
)
from trivet.runs.machine import Cancel, Collect, Conclude, Instruction, Plan, Start
from trivet.runs.measuring import MeasuredInputs
from trivet.runs.progress import Progress
from trivet.runs.publish import listing, places, publish
from trivet.runs.record import NO_SECRETS
from trivet.runs.reporting import Reporter
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import AttemptDirectory, AttemptId, Invocation, Outcome, RunResult, UnitResult

TICK = 0.5
"""Seconds between two looks for requests of others."""

OWN_LOGS = 64
"""Up to so many units of a phase, each has a log file of its own name; beyond, units share a few."""


FULL = 256 * 1024
"""Bytes; a disk with less free space is as good as full."""


class Superseded(RuntimeError):
    """Another process drives the run by now."""


class Driver:
    """Drives one run to its end, from its beginning or from wherever a former driver left it."""

    def __init__(
        self, directory: RunDirectory, engine: Engine, reporter: Reporter, secrets: Mapping[str, str] = NO_SECRETS
    ) -> None:
        """Become the run's owner; ``secrets`` are those of the call's document. Raises NotOwnerError, OSError, or
        ValueError for an unreadable record."""
        self.directory = directory
        self.engine = engine
        self.reporter = reporter
        self._record = directory.read()
        call, self.options = record.restore(self._record, secrets)
        self._progress = Progress(directory.id, call, self.options, engine.capacity().queue)
        self._machine = self._progress.machine
        self._queue: deque[Instruction] = deque()
        self._journal = directory.claim()
        self._progress.replay(journal.read(directory.journal))
        self._adopted = set(self._progress.starts)
        self._queue.extend(self._machine.pending())
        self._reported = len(self._machine.history)
        self._inputs = MeasuredInputs(call)
        self._work = directory.work
        self._next_tick = self._next_beat = 0.0
        self._interrupts = 0

    def run(self) -> RunResult:
        """Drive until the run is over. Raises Superseded when somebody else took it over."""
        machine = self._machine
        try:
            if not machine.history:
                self._take(Asked(time.time()))
            self._perform()
            while machine.result is None:
                self._wait()
                self._look_around()
                self._perform()
            self._journal.close()
            self._finish(machine.result)
        except OSError as error:
            return self._give_up(error)
        finally:
            self.engine.close()
        return machine.result

    def stop(self) -> None:
        """End the run as cancelled; the second time, at once and without grace. Safe in a signal handler."""
        self._interrupts += 1
        self.engine.events.put(())

    # What the machine asks for

    def _perform(self) -> None:
        while self._queue:
            instruction = self._queue.popleft()
            match instruction:
                case Plan(phase, before):
                    self._plan(phase, before)
                case Start(units):
                    self._start(units)
                case Collect(unit, outcome):
                    self._take(Collected(time.time(), unit, self._collect(unit, outcome)))
                case Cancel(units):
                    self._journal.write()
                    self.engine.cancel([self._progress.attempt(unit) for unit in units], self.options.grace)
                case Conclude(results, stopped):
                    self._journal.sync()
                    self._take(Concluded(time.time(), self._conclude(results, stopped)))
        self._journal.write()
        self.reporter.progress(self._machine.done, self._machine.failed, len(self._progress.units))

    # A fault inside a contract must end the run with a word about it, never hang it: hence `except Exception`.

    def _plan(self, phase: int, before: Sequence[UnitResult]) -> None:
        try:
            units = self._progress.plan(phase, before)
        except Exception as error:
            message = f"the units of phase {phase} can't be planned: {_told(error)}"
            self._take(Stopped(time.time(), Reason.SUBMIT_ERROR, message))
        else:
            self._take(Planned(time.time(), units))

    def _start(self, numbers: Sequence[int]) -> None:
        attempts = []
        known: dict[AttemptId, str | None] = {}
        for number in numbers:
            if number in self._adopted:
                known[self._progress.attempt(number)] = None
                continue
            try:
                invocation = self._invocation(number)
            except Exception as error:
                self._never_ran(number, f"its inputs can't be laid out: {_told(error)}")
                continue
            if invocation.notes:
                self._note(number, invocation.notes)
            attempts.append(Attempt(self._progress.attempt(number), invocation))
        self._journal.write()
        try:
            if known:
                self.engine.adopt(known)
            if attempts:
                self.engine.submit(attempts)
        except EngineError as error:
            for name in (*known, *(attempt.id for attempt in attempts)):
                self._never_ran(self._progress.numbers[name], str(error))

    def _note(self, number: int, notes: tuple[Problem, ...]) -> None:
        self._take(Noted(time.time(), number, notes))
        for note in notes:
            self.reporter.note(self._progress.units[number].name, note)

    def _never_ran(self, number: int, message: str) -> None:
        outcome = Outcome(None, reason=Reason.SUBMIT_ERROR, message=message)
        self._take(Ended(time.time(), number, outcome))

    def _invocation(self, number: int) -> Invocation:
        unit = self._progress.units[number]
        invocation = self._progress.contract.stage(self._progress.call, unit, self._where(number))
        if invocation.log is None and len(self._progress.units) <= OWN_LOGS:
            invocation = replace(invocation, log=str(self.directory.logs / f"{unit.name}.log"))
        return self.options.applied(invocation)

    def _collect(self, number: int, outcome: Outcome) -> UnitResult:
        unit = self._progress.units[number]
        try:
            result = self._progress.contract.collect(self._progress.call, unit, self._where(number), outcome)
        except Exception as error:
            message = f"its outputs can't be read: {_told(error)}"
            result = UnitResult(unit.name, Reason.INVALID_OUTPUT, message, outcome.exit_code)
        if not result.ok and shutil.disk_usage(self.directory.path).free < FULL:
            # The program's own complaint was probably lost with the rest.
            result = replace(result, message=f"{result.message}; no space is left on the disk of {self.directory.path}")
        return result

    def _conclude(self, results: Sequence[UnitResult], stopped: Stopped | None) -> RunResult:
        result = RunResult(RunState.FINISHED, exit_code=0)
        try:
            if results:
                result = self._progress.contract.conclude(self._progress.call, results)
        except Exception as error:
            message = f"the results can't be put together: {_told(error)}"
            result = RunResult(RunState.FAILED, Reason.INVALID_OUTPUT, message)
        if stopped is not None:
            state = RunState.CANCELLED if stopped.reason is Reason.CANCELLED else RunState.FAILED
            result = replace(result, state=state, reason=stopped.reason, message=stopped.message, exit_code=None)
        try:
            targets = places(self._progress.call.task, self.options, self.directory.outputs)
            values = listing(self.options, self.directory.outputs)
            names = [item.unit for item in results]
            into = self.options.into_existing
            outputs = publish(result.outputs, targets, values, self.directory.work, names, into)
        except OSError as error:
            message = f"the outputs can't be put in their place: {_told(error)}"
            return replace(result, state=RunState.FAILED, reason=Reason.INVALID_OUTPUT, message=message)
        return replace(result, outputs=outputs)

    # What is seen

    def _wait(self) -> None:
        timeout = min(TICK, self._journal.due or TICK)
        try:
            batch = self.engine.events.get(timeout=timeout)
        except Empty:
            return
        for _ in range(64):
            self._take_from_engine(batch)
            if self.engine.events.empty():
                return
            batch = self.engine.events.get_nowait()

    def _take_from_engine(self, batch: Sequence[engines.EngineEvent]) -> None:
        now = time.time()
        ended = {event.id for event in batch if isinstance(event, engines.Ended)}
        for event in batch:
            number = self._progress.numbers.get(event.id)
            if number is None:
                continue
            match event:
                case engines.Accepted():
                    if self._machine.state in (RunState.PROVISIONED, RunState.QUEUING):
                        self._take(Accepted(now))
                case engines.Waiting(_, message):
                    self._take(Waiting(now, message))
                case engines.Started(id, at):
                    if id not in ended:  # an end says when its unit started: no line for both
                        self._take(Started(at, number))
                case engines.Ended(_, outcome):
                    self._take(Ended(now, number, outcome))

    def _look_around(self) -> None:
        """Requests of others, the signs of life of this owner, and interrupts."""
        if self._interrupts:
            self._stop_now("interrupted")
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + TICK
        if self._machine.stopped is None and self.directory.asked("cancel"):
            self._take(Stopped(time.time(), Reason.CANCELLED, "cancelled on request"))
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT
            self.directory.beat()
            if self._journal.superseded:
                raise Superseded(f"another process drives {self.directory.id} now")

    def _stop_now(self, message: str) -> None:
        if self._machine.stopped is None:
            self._take(Stopped(time.time(), Reason.CANCELLED, message))
        elif self._interrupts > 1:
            self.engine.cancel([self._progress.attempt(unit) for unit in self._machine.flying], 0.0)
        self._interrupts = 1 if self._interrupts else 0

    def _take(self, event: Event) -> None:
        """Note an event, then let the machine act on it."""
        self._journal.append(to_line(event))
        self._queue.extend(self._progress.take(event))
        while self._reported < len(self._machine.history):
            self.reporter.state(self._machine.history[self._reported])
            self._reported += 1

    # Beginning and end

    def _give_up(self, error: OSError) -> RunResult:
        """Not even the journal can be written (a full disk): end what runs, and say it as well as possible."""
        result = RunResult(RunState.FAILED, Reason.SUBMIT_ERROR, f"the run's record can't be written: {error}")
        flying = {self._progress.attempt(unit) for unit in self._machine.flying}
        self.engine.cancel(list(flying), self.options.grace)
        deadline = time.monotonic() + self.options.grace + 2 * TICK
        while flying and time.monotonic() < deadline:
            with suppress(Empty):
                events = self.engine.events.get(timeout=TICK)
                flying -= {event.id for event in events if isinstance(event, engines.Ended)}
        with suppress(OSError):
            self._take(Concluded(time.time(), result))
            self._journal.close()
            self._finish(result)
        return result

    def _finish(self, result: RunResult) -> None:
        inputs = self._inputs.facts()
        progress = self._progress
        notes = {progress.units[number].name: progress.notes[number] for number in sorted(progress.notes)}
        outcomes = list(progress.outcomes.values())
        self.directory.write(record.concluded(self._record, result, self._machine, outcomes, inputs, notes))
        self.directory.rest()
        if result.state is RunState.FINISHED and self.directory.work.exists():
            shutil.rmtree(self.directory.work, ignore_errors=True)
        self.reporter.finished(result)

    def _where(self, number: int) -> AttemptDirectory:
        name = self._progress.units[number].name
        cache = self.directory.path.parent.parent / "cache"
        return AttemptDirectory(self._progress.attempt(number), self._work / f"{name}/1", cache=cache)


def _told(error: Exception) -> str:
    """An exception in one line; a fault of ours (nothing a user can cause) names its kind."""
    if isinstance(error, OSError) and error.strerror:
        path = error.filename2 or error.filename
        return f"{path}: {error.strerror}" if path else error.strerror
    if isinstance(error, OSError | ProblemsError):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {error}"
