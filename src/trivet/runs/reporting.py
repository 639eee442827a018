"""The only voice of a run: what it tells while it goes on."""

from __future__ import annotations

from trivet.runs.machine import Change, Standing
from trivet.tasks.problem import Problem
from trivet.tasks.work import RunResult


class Reporter:
    """Says nothing; the base of those that do."""

    def state(self, change: Change) -> None:
        """The run has entered a state."""

    def note(self, unit: str, problem: Problem) -> None:
        """Staging a unit had something to say."""

    def standing(self, now: Standing) -> None:
        """What of the units goes on; called often, before `progress`."""

    def progress(self, done: int, failed: int, total: int) -> None:
        """So many of the units known by now are over; called often."""

    def finished(self, result: RunResult) -> None:
        """The run is over and its record is written."""
