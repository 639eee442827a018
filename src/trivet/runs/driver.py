"""The driver of a run: performs what the machine asks for and turns what it sees into events."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import Any

from trivet import engines
from trivet.contracts import Contract, contract
from trivet.engines import Attempt, Engine, EngineError
from trivet.records import files, journal
from trivet.records.directory import HEARTBEAT, RunDirectory
from trivet.runs import record
from trivet.runs.events import (
    Accepted,
    Asked,
    Collected,
    Concluded,
    Ended,
    Event,
    Planned,
    Started,
    Stopped,
    Waiting,
    from_line,
    to_line,
)
from trivet.runs.machine import Cancel, Collect, Conclude, Instruction, Machine, Plan, Start
from trivet.runs.publish import places, publish
from trivet.runs.reporting import Reporter
from trivet.tasks.call import Call
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import file_refs
from trivet.tasks.work import AttemptDirectory, Outcome, RunResult, Unit, UnitResult

TICK = 0.5
"""Seconds between two looks for requests of others."""

OWN_LOGS = 64
"""Up to so many units of a phase, each has a log file of its own name; beyond, units share a few."""


class Superseded(RuntimeError):
    """Another process drives the run by now."""


class Driver:
    """Drives one run to its end, from its beginning or from wherever a former driver left it."""

    def __init__(self, directory: RunDirectory, engine: Engine, reporter: Reporter) -> None:
        """Become the run's owner. Raises NotOwnerError, OSError, or ValueError for an unreadable record."""
        self.directory = directory
        self.engine = engine
        self.reporter = reporter
        self._record = directory.read()
        self.call, self.options = record.restore(self._record)
        self._contract: Contract = contract(self.call.task.contract)
        self._units: list[Unit] = []
        self._numbers: dict[str, int] = {}
        self._outcomes: list[Outcome] = []
        self._known: set[str] = set()
        self._queue: deque[Instruction] = deque()
        self._machine = Machine(engine.capacity().queue)
        story = journal.read(directory.journal)
        self._journal = journal.Journal(directory.journal)
        self._reported = 0
        self._replay(story.lines)
        self._inputs = _Inputs(self.call)
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
                self._look_around()
                self._wait()
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
                    self._take(Planned(time.time(), self._plan(phase, before)))
                case Start(units):
                    self._start(units)
                case Collect(unit, outcome):
                    self._take(Collected(time.time(), unit, self._collect(self._units[unit], outcome)))
                case Cancel(units):
                    self._journal.write()
                    self.engine.cancel([self._attempt(self._units[unit]) for unit in units], self.options.grace)
                case Conclude(results, stopped):
                    self._journal.sync()
                    self._take(Concluded(time.time(), self._conclude(results, stopped)))
        self._journal.write()
        self.reporter.progress(self._machine.done, self._machine.failed, len(self._units))

    def _plan(self, phase: int, before: Sequence[UnitResult]) -> int | None:
        units = self._contract.plan(self.call, phase, before)
        if units is None:
            return None
        begin = len(self._units)
        self._units += units
        self._numbers.update((self._attempt(unit), begin + index) for index, unit in enumerate(units))
        return len(units)

    def _start(self, numbers: Sequence[int]) -> None:
        attempts = []
        for number in numbers:
            unit = self._units[number]
            try:
                attempts.append(Attempt(self._attempt(unit), self._invocation(unit)))
            except (OSError, ProblemsError) as error:
                message = f"its inputs can't be laid out: {error}"
                self._take(Ended(time.time(), number, Outcome(None, reason=Reason.SUBMIT_ERROR, message=message)))
        self._journal.write()
        known = {attempt.id: None for attempt in attempts if attempt.id in self._known}
        try:
            if known:
                self.engine.adopt(known)
            new = [attempt for attempt in attempts if attempt.id not in known]
            if new:
                self.engine.prepare([self.call.task.program])
                self.engine.submit(new)
        except EngineError as error:
            for attempt in attempts:
                outcome = Outcome(None, reason=Reason.SUBMIT_ERROR, message=str(error))
                self._take(Ended(time.time(), self._numbers[attempt.id], outcome))

    def _invocation(self, unit: Unit) -> Any:
        invocation = self._contract.stage(self.call, unit, self._where(unit))
        changes: dict[str, Any] = {}
        if invocation.log is None and len(self._units) <= OWN_LOGS:
            changes["log"] = str(self.directory.logs / f"{unit.name}.log")
        if self.options.time_limit is not None:
            changes["time_limit"] = self.options.time_limit
        if self.options.grace != invocation.grace:
            changes["grace"] = self.options.grace
        return replace(invocation, **changes) if changes else invocation

    def _collect(self, unit: Unit, outcome: Outcome) -> UnitResult:
        self._outcomes.append(outcome)
        try:
            return self._contract.collect(self.call, unit, self._where(unit), outcome)
        except OSError as error:
            message = f"its outputs can't be read: {error}"
            return UnitResult(unit.name, Reason.INVALID_OUTPUT, message, outcome.exit_code)

    def _conclude(self, results: Sequence[UnitResult], stopped: Stopped | None) -> RunResult:
        nothing = RunResult(RunState.FINISHED, exit_code=0)
        result = self._contract.conclude(self.call, results) if results else nothing
        if stopped is not None:
            state = RunState.CANCELLED if stopped.reason is Reason.CANCELLED else RunState.FAILED
            result = replace(result, state=state, reason=stopped.reason, message=stopped.message, exit_code=None)
        try:
            targets = places(self.call.task, self.options, self.directory.outputs)
            outputs = publish(result.outputs, targets, self.directory.work, [item.unit for item in results])
        except OSError as error:
            message = f"the outputs can't be published: {error}"
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
            for event in batch:
                self._take_from_engine(event)
            if self.engine.events.empty():
                return
            batch = self.engine.events.get_nowait()

    def _take_from_engine(self, event: engines.EngineEvent) -> None:
        number = self._numbers.get(event.id)
        if number is None:
            return
        now = time.time()
        match event:
            case engines.Accepted():
                if self._machine.state in (RunState.PROVISIONED, RunState.QUEUING):
                    self._take(Accepted(now))
            case engines.Waiting(_, message):
                self._take(Waiting(now, message))
            case engines.Started(_, at):
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
            self.engine.cancel(list(self._numbers), 0.0)
        self._interrupts = 1 if self._interrupts else 0

    def _take(self, event: Event) -> None:
        """Note an event, then let the machine act on it."""
        self._journal.append(to_line(event))
        self._queue.extend(self._machine.handle(event))
        while self._reported < len(self._machine.history):
            self.reporter.state(self._machine.history[self._reported])
            self._reported += 1

    # Beginning and end

    def _replay(self, lines: Iterable[dict[str, Any]]) -> None:
        for line in lines:
            event = from_line(line, lambda number: self._units[number].name)
            if isinstance(event, Planned):
                for instruction in self._machine.pending():
                    if isinstance(instruction, Plan):
                        self._plan(instruction.phase, instruction.before)
            elif isinstance(event, Started):
                self._known.add(self._attempt(self._units[event.unit]))
            if isinstance(event, Ended):
                self._outcomes.append(event.outcome)
            self._machine.handle(event)
        self._queue.extend(self._machine.pending())
        self._reported = len(self._machine.history)

    def _give_up(self, error: OSError) -> RunResult:
        """Not even the journal can be written (a full disk): end what runs, and say it as well as possible."""
        result = RunResult(RunState.FAILED, Reason.SUBMIT_ERROR, f"the run's record can't be written: {error}")
        flying = {self._attempt(self._units[unit]) for unit in self._machine.flying}
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
        history = self._machine.history
        inputs = self._inputs.measured()
        self.directory.write(record.concluded(self._record, result, history, self._outcomes, inputs))
        if result.state is RunState.FINISHED and self.directory.work.exists():
            shutil.rmtree(self.directory.work, ignore_errors=True)
        self.reporter.finished(result)

    def _attempt(self, unit: Unit) -> str:
        return f"{self.directory.id}/{unit.name}/1"

    def _where(self, unit: Unit) -> AttemptDirectory:
        return AttemptDirectory(self._attempt(unit), self.directory.work / unit.name / "1")


class _Inputs:
    """Size and SHA-256 of every input file, measured beside the run."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._measured: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._measure, name="inputs", daemon=True)
        self._thread.start()

    def measured(self) -> dict[str, Any]:
        self._thread.join()
        return self._measured

    def _measure(self) -> None:
        for name, value in self._call.values.items():
            for ref in file_refs(value):
                try:
                    facts = files.measure(Path(ref.path))
                except OSError as error:
                    facts = {"problem": str(error)}
                self._measured.setdefault(name, []).append({"path": ref.path, **facts})
