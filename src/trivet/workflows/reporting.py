"""The only voice of a job: what it tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.runs.machine import Standing
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason, RunState


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended: ``state`` is final. When it did not end well: why, and at which step."""

    state: RunState
    reason: Reason | None = None
    message: str = ""
    step: int | None = None


class JobReporter:
    """Says nothing; the base of those that do. Steps are known by their order in the workflow, from 0."""

    def step_started(self, step: int, name: str, images: int) -> None:
        """The images of a step were chosen; a converter has none."""

    def standing(self, step: int, now: Standing) -> None:
        """What of the step's units goes on; called often, before `progress`."""

    def progress(self, step: int, done: int, failed: int, total: int) -> None:
        """So many of the step's units known by now are over (failed ones too); called often."""

    def note(self, step: int, unit: str, problem: Problem) -> None:
        """Staging a unit had something to say."""

    def step_ended(self, step: int, name: str, units: int, failed: int, images: int) -> None:
        """What the units gave is in the dataset, which has ``images`` images now; refused units count as failed."""

    def job_ended(self, result: JobResult) -> None:
        """The job is over and its record is written."""
