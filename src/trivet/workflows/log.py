"""``workflow.log``: what happens to a job, in plain lines for people."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.records.codec import iso
from trivet.tasks.problem import Problem
from trivet.workflows.events import Selected
from trivet.workflows.reporting import JobResult
from trivet.workflows.workflow import Request

if TYPE_CHECKING:
    from trivet.workflows.stepping import Ended

SHOWN = 100
"""Failed units of a step that are named."""


class WorkflowLog:
    """Appends lines. After a crash, what is done once more is told once more."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, *lines: str) -> None:
        """Add lines, each with the time. Raises OSError."""
        now = iso(time.time())
        with self._path.open("a", encoding="utf-8", errors="replace") as stream:
            stream.writelines(f"{now} {line}\n" for line in lines)

    def begun(self, job: str, request: Request) -> None:
        steps = f"steps {request.first} to {request.last}"
        self.write(f"job {job}: {steps} of workflow {request.workflow.name} on {request.dataset}")

    def step_begun(self, step: int, name: str, selected: Selected) -> None:
        self.write(
            f"step {step} {name}: {selected.images} images, chosen from version {selected.version} of the dataset"
        )

    def note(self, step: int, unit: str, problem: Problem) -> None:
        self.write(f"step {step} unit {unit}: {problem}")

    def step_ended(self, step: int, name: str, units: int, ended: Ended) -> None:
        lines = [f"ERROR unit {result.unit}: {result.message}" for result in ended.failed[:SHOWN]]
        if len(ended.failed) > SHOWN:
            lines.append(f"ERROR {len(ended.failed) - SHOWN} more units failed")
        lines += (f"WARNING origin {url} is not in the image list: nothing is inherited" for url in ended.strangers)
        lines += (str(note) for note in ended.notes)
        if ended.version is None:
            lines.append(f"ERROR {ended.result.message}")
        where = "" if ended.version is None else f"; version {ended.version} of the dataset has {ended.images} images"
        lines.append(f"{units - len(ended.failed)} of {units} units ended well{where}")
        self.write(*(f"step {step} {name}: {line}" for line in lines))

    def ended(self, result: JobResult) -> None:
        self.write(f"job {result.state.value}" + (f": {result.message}" if result.message else ""))
