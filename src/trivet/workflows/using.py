"""How well what the units of a job asked for fits what they used, step by step, from its journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trivet.records import journal
from trivet.records.directory import JobDirectory
from trivet.runs import using
from trivet.runs.efficiency import Efficiency
from trivet.runs.progress import WIDEST
from trivet.workflows import record
from trivet.workflows.progress import JobProgress


@dataclass(frozen=True, slots=True)
class StepEfficiency:
    """One phase of a step: ``part`` is 0, or 1 for what follows the first part of a compound task."""

    order: int
    name: str
    part: int
    efficiency: Efficiency


def steps(job: JobDirectory) -> Iterator[StepEfficiency]:
    """Every step in which units ran. Raises OSError, or ValueError for what can't be read (any more)."""
    request = record.restore(job.read())
    progress = JobProgress(job, request, WIDEST, keep=True)
    progress.replay(journal.read(job.journal))
    for order, run in sorted(progress.runs.items()):
        for part, found in using.phases(run, job.path):
            yield StepEfficiency(order, request.workflow.steps[order].name, part, found)
