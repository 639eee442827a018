"""The driver of a run: owns its directory, performs what its machine asks for, and writes down what happens."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from trivet.engines import Engine, EngineEvent
from trivet.records import journal
from trivet.records.directory import RunDirectory
from trivet.runs import record
from trivet.runs.driving import Driving, Superseded
from trivet.runs.events import Asked, Concluded, Event, Stopped, to_line
from trivet.runs.machine import Conclude, Instruction
from trivet.runs.measuring import MeasuredInputs
from trivet.runs.performing import OWN_LOGS, Performer, told
from trivet.runs.progress import Progress
from trivet.runs.publish import listing, places, publish
from trivet.runs.record import NO_SECRETS
from trivet.runs.reporting import Reporter
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import AttemptDirectory, AttemptId, Outcome, RunResult, UnitResult

__all__ = ["Driver", "Superseded"]


class Driver(Driving):
    """Drives one run to its end, from its beginning or from wherever a former driver left it."""

    def __init__(
        self, directory: RunDirectory, engine: Engine, reporter: Reporter, secrets: Mapping[str, str] = NO_SECRETS
    ) -> None:
        """Become the run's owner; ``secrets`` are those of the call's document. Raises NotOwnerError, OSError, or
        ValueError for an unreadable record."""
        self.directory = directory
        self.reporter = reporter
        self._record = directory.read()
        call, self.options = record.restore(self._record, secrets)
        super().__init__(directory, engine, self.options.grace)
        self._progress = Progress(directory.id, call, self.options, engine.capacity().queue)
        self._machine = self._progress.machine
        self._progress.replay(journal.read(directory.journal))
        self._queue: deque[Instruction] = deque(self._machine.pending())
        self._performer = Performer(
            self._progress, engine, RunLayout(directory), self._take, self._journal.write, reporter.note
        )
        self._reported = len(self._machine.history)
        self._inputs = MeasuredInputs(call)

    def run(self) -> RunResult:
        """Drive until the run is over. Raises Superseded when somebody else took it over."""
        self.drive()
        assert self._machine.result is not None  # noqa: S101 - the drive is over
        return self._machine.result

    # What is driven

    @property
    def over(self) -> bool:
        return self._machine.result is not None

    @property
    def stopping(self) -> bool:
        return self._machine.stopped is not None

    def begin(self) -> None:
        if not self._machine.history:
            self._take(Asked(time.time()))

    def perform(self) -> None:
        while self._queue:
            instruction = self._queue.popleft()
            if isinstance(instruction, Conclude):
                self._journal.sync()
                result = self._conclude(instruction.results, instruction.stopped)
                self._take(Concluded(time.time(), result))
            else:
                self._performer.perform(instruction)
        self._journal.write()
        self.reporter.standing(self._machine.standing)
        self.reporter.progress(self._machine.done, self._machine.failed, len(self._progress.units))

    def see(self, batch: Sequence[EngineEvent]) -> None:
        self._performer.see(batch)

    def due(self) -> float | None:
        return self._performer.due

    def look(self) -> None:
        self._performer.look()

    def flying(self) -> Sequence[AttemptId]:
        return [self._progress.attempt(unit) for unit in self._machine.flying]

    def end(self, message: str) -> None:
        self._take(Stopped(time.time(), Reason.CANCELLED, message))

    def fail(self, message: str) -> None:
        result = RunResult(RunState.FAILED, Reason.SUBMIT_ERROR, message)
        with suppress(OSError):
            self._take(Concluded(time.time(), result))
            self._journal.close()
            self.finish()
        self._machine.result = result

    def finish(self) -> None:
        result = self._machine.result
        assert result is not None  # noqa: S101 - it is over
        progress = self._progress
        notes = {progress.name(number): progress.notes[number] for number in sorted(progress.notes)}
        outcomes = list(progress.outcomes.values())
        inputs = self._inputs.facts()
        self.directory.write(record.concluded(self._record, result, self._machine, outcomes, inputs, notes))
        self.directory.rest()
        if result.state is RunState.FINISHED and self.directory.work.exists():
            shutil.rmtree(self.directory.work, ignore_errors=True)
        self.reporter.finished(result)

    def _take(self, event: Event) -> None:
        """Note an event, then let the machine act on it."""
        self._journal.append(to_line(event))
        self._queue.extend(self._progress.take(event))
        while self._reported < len(self._machine.history):
            self.reporter.state(self._machine.history[self._reported])
            self._reported += 1

    # As in `Performer`, a fault inside a contract must end the run with a word about it.

    def _conclude(self, results: Sequence[UnitResult], stopped: Stopped | None) -> RunResult:
        result = RunResult(RunState.FINISHED, exit_code=0)
        try:
            if results:
                result = self._progress.contract.conclude(self._progress.call, results)
        except Exception as error:
            message = f"the results can't be put together: {told(error)}"
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
            message = f"the outputs can't be put in their place: {told(error)}"
            return replace(result, state=RunState.FAILED, reason=Reason.INVALID_OUTPUT, message=message)
        return replace(result, outputs=outputs)


@dataclass(frozen=True, slots=True)
class RunLayout:
    """Each attempt of a run has a directory below its ``work``, and the logs of few units names of their own."""

    directory: RunDirectory

    @property
    def root(self) -> Path:
        return self.directory.path

    def where(self, unit: str, nth: int, attempt: AttemptId) -> AttemptDirectory:
        cache = self.directory.path.parent.parent / "cache"
        return AttemptDirectory(attempt, self.directory.work / unit / str(nth), cache=cache)

    def log(self, unit: str, nth: int, units: int) -> str | None:
        return str(self.directory.logs / f"{unit}.log") if units <= OWN_LOGS else None

    def warned(self, outcome: Outcome) -> bool:
        return False
