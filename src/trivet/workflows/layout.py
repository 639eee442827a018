"""Where the units of a job find their files: by the names and in the folders of the public server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trivet.contracts.fractal.naming import task_folder
from trivet.records.directory import JobDirectory
from trivet.tasks.work import AttemptDirectory, AttemptId, Outcome

CHUNK = 1 << 20
WARNING = b"warning"


@dataclass(frozen=True, slots=True)
class StepLayout:
    """The folder of a step, which all its attempts share (Fractal, on disk): ``par-000000-0000012-log.txt``; of the
    second attempt of a unit ``par-000000-0000012-2-log.txt``."""

    job: JobDirectory
    root: Path

    @classmethod
    def of(cls, job: JobDirectory, order: int, task: str) -> StepLayout:
        """The layout of a step, by its order and the name of its task."""
        return cls(job, job.path / task_folder(order, task))

    def where(self, unit: str, nth: int, attempt: AttemptId) -> AttemptDirectory:
        cache = self.job.path.parent.parent / "cache"
        return AttemptDirectory(attempt, self.root, prefix_of(unit, nth), cache)

    def log(self, unit: str, nth: int, units: int) -> str:
        return str(self.root / f"{prefix_of(unit, nth)}log.txt")

    def warned(self, outcome: Outcome) -> bool:
        """Whether the word "warning" stands in a log, in any case of its letters (Fractal, history)."""
        if outcome.log is None:
            return False
        try:
            with (self.job.path / outcome.log.path).open("rb") as stream:
                stream.seek(outcome.log.offset)
                left, before = outcome.log.length, b""
                while left > 0 and (data := stream.read(min(CHUNK, left))):
                    left -= len(data)
                    text = before + data.lower()
                    if WARNING in text:
                        return True
                    before = text[-len(WARNING) :]
        except OSError:
            pass  # somebody has taken the log away; the unit's result counts all the same
        return False


def prefix_of(unit: str, nth: int) -> str:
    """What the names of an attempt's files begin with."""
    if nth > 1:
        return f"{unit}-{nth}-"
    return f"{unit}-" if unit.startswith("par-") else f"{unit}--"
