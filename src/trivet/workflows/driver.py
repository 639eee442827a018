"""The driver of a job: owns its directory, performs what its machine asks for, and writes down what happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from trivet.engines import Engine, EngineEvent
from trivet.records import journal
from trivet.records.directory import JobDirectory
from trivet.runs import events as runs
from trivet.runs.driving import Driving
from trivet.runs.events import Stopped
from trivet.runs.performing import Performer, told
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import AttemptId, RunResult, UnitResult
from trivet.workflows import record, stepping
from trivet.workflows.events import Applied, Asked, Event, Selected, Within, to_line
from trivet.workflows.layout import StepLayout
from trivet.workflows.log import WorkflowLog
from trivet.workflows.machine import Apply, Do, Instruction, Select
from trivet.workflows.progress import JobProgress, Selection
from trivet.workflows.reporting import JobReporter, JobResult


class JobDriver(Driving):
    """Drives one job to its end, from its beginning or from wherever a former driver left it."""

    def __init__(self, job: JobDirectory, engine: Engine, reporter: JobReporter) -> None:
        """Become the job's owner. Raises NotOwnerError, OSError, or ValueError for an unreadable record."""
        self.job = job
        self.reporter = reporter
        self._record = job.read()
        request = record.restore(self._record)
        super().__init__(job, engine, request.options.grace)
        self._progress = JobProgress(job, request, engine.capacity().queue)
        self._progress.replay(journal.read(job.journal))
        self._machine = self._progress.machine
        self._queue: deque[Instruction] = deque(self._machine.pending())
        self._log = WorkflowLog(job.workflow_log)
        self._performer = self._performing()

    def run(self) -> JobResult:
        """Drive until the job is over. Raises Superseded when somebody else took it over."""
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
        if not self._machine.begun:
            self._log.begun(self.job.id, self._progress.request)
            self._take(Asked(time.time()))
        elif self._machine.result is None:
            self._log.write("taken up again by another process")

    def perform(self) -> None:
        while self._queue:
            match self._queue.popleft():
                case Select(step):
                    self._select(step)
                case Do(_, instruction):
                    assert self._performer is not None  # noqa: S101 - there is one since the step's Selected
                    self._performer.perform(instruction)
                case Apply(step, results, stopped):
                    self._journal.sync()
                    self._apply(step, results, stopped)
        self._journal.write()
        run = self._progress.run
        if run is not None:
            self.reporter.standing(self._machine.step, run.machine.standing)
            self.reporter.progress(self._machine.step, run.machine.done, run.machine.failed, len(run.units))

    def see(self, batch: Sequence[EngineEvent]) -> None:
        if self._performer is not None:
            self._performer.see(batch)

    def due(self) -> float | None:
        return None if self._performer is None else self._performer.due

    def look(self) -> None:
        if self._performer is not None:
            self._performer.look()

    def flying(self) -> Sequence[AttemptId]:
        run = self._progress.run
        return [] if run is None else [run.attempt(unit) for unit in run.machine.flying]

    def end(self, message: str) -> None:
        self._log.write(f"stopped: {message}")
        self._take(Stopped(time.time(), Reason.CANCELLED, message))

    def abandon(self, message: str) -> None:
        """End the job, since nobody wants it any more."""
        self._log.write(f"given up: {message}")
        self._take(Stopped(time.time(), Reason.LOST, message))

    def fail(self, message: str) -> None:
        result = JobResult(RunState.FAILED, Reason.SUBMIT_ERROR, message, self._machine.step)
        self._machine.result = result
        with suppress(OSError):
            self.finish()

    def finish(self) -> None:
        result = self._machine.result
        assert result is not None  # noqa: S101 - it is over
        usage = self._progress.usage()
        self.job.write(record.concluded(self._record, result, self._machine, usage, time.time()))
        self.job.rest()
        self._log.ended(result)
        self.reporter.job_ended(result)

    def _take(self, event: Event, selection: Selection | None = None) -> None:
        """Note an event, then let the machine act on it; ``selection`` is what was chosen for a Selected."""
        self._journal.append(to_line(event))
        self._queue.extend(self._progress.take(event, selection))

    # Steps. As in `Performer`, a fault inside a contract must end the job with a word about it, never hang it.

    def _select(self, step: int) -> None:
        progress, name = self._progress, self._progress.request.workflow.steps[step].name
        try:
            version, selection = stepping.choose(progress, step)
        except Exception as error:
            message = f"step {step} {name} can't begin: {_said(error)}"
            self._take(Stopped(time.time(), Reason.SUBMIT_ERROR, message))
            return
        if not selection.urls and stepping.needs_images(progress, step):
            self._take(Stopped(time.time(), Reason.SUBMIT_ERROR, stepping.nothing_chosen(progress, step)))
            return
        event = Selected(time.time(), step, version, len(selection.urls))
        self._take(event, selection)
        self._performer = self._performing()
        self._log.step_begun(step, name, event)
        self.reporter.step_started(step, name, event.images)

    def _apply(self, step: int, results: Sequence[UnitResult], stopped: Stopped | None) -> None:
        name = self._progress.request.workflow.steps[step].name
        try:
            ended = stepping.conclude(self._progress, step, results, stopped)
        except Exception as error:
            message = f"the results of step {step} {name} can't be applied to the dataset: {_said(error)}"
            ended = stepping.Ended(RunResult(RunState.FAILED, Reason.INVALID_OUTPUT, message), None, 0, {}, (), ())
        self._log.step_ended(step, name, len(results), ended)
        self._take(Applied(time.time(), step, ended.version, ended.result, ended.refused))
        self._performer = None
        over = self._machine.ended[step]
        self.reporter.step_ended(step, name, over.units, over.failed, ended.images)

    def _performing(self) -> Performer | None:
        run = self._progress.run
        if run is None:
            return None
        step = self._machine.step

        def tell(event: runs.Event) -> None:
            self._take(Within(step, event))

        def note(unit: str, problem: Problem) -> None:
            self._log.note(step, unit, problem)
            self.reporter.note(step, unit, problem)

        layout = StepLayout.of(self.job, step, run.call.task.name)
        return Performer(run, self.engine, layout, tell, self._journal.write, note)


def _said(error: Exception) -> str:
    return "; ".join(problem.message for problem in error.problems) if isinstance(error, ProblemsError) else told(error)
