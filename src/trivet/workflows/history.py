"""What is known of jobs: how far each is, every unit of it, and the status of images for a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trivet.records.directory import JobDirectory
from trivet.workflows.reporting import JobResult


@dataclass(frozen=True, slots=True)
class UnitHistory:
    """One unit: ``state`` is ``waiting``, ``submitted``, ``done`` or ``failed``. ``log`` is there only when something
    was written; ``warned``: it holds the word "warning"."""

    name: str
    state: str
    reason: str | None
    message: str
    log: Path | None
    zarr_url: str | None
    warned: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class StepHistory:
    """One step: ``state`` is ``unset`` (not begun), ``submitted``, ``done``, ``failed`` or ``stopped``. ``images``
    were chosen; ``units``, ``done`` (well), ``failed`` and ``warned`` count units."""

    order: int
    name: str
    state: str
    images: int
    units: int
    done: int
    failed: int
    warned: int


@dataclass(frozen=True, slots=True)
class JobHistory:
    """A job: ``state`` is that of its result, ``RUNNING``, or ``LOST`` when its driver died and nobody goes on."""

    id: str
    state: str
    workflow: str
    dataset: Path
    created: str
    steps: tuple[StepHistory, ...]
    result: JobResult | None


def all_jobs(home: Path) -> Iterator[JobDirectory]:
    """Every job below a home, oldest first."""
    raise NotImplementedError


def find(home: Path, name: str) -> JobDirectory:
    """The job of that identifier, or of an unambiguous beginning or end of one, or ``last``, or of a path.

    Raises LookupError with what is there instead.
    """
    raise NotImplementedError


def read(job: JobDirectory) -> JobHistory:
    """How far a job is by now, whoever drives it. Raises OSError, or ValueError for what can't be read."""
    raise NotImplementedError


def units(job: JobDirectory, order: int) -> list[UnitHistory]:
    """Every unit of a step, in order. Raises as `read` does, and when the dataset is gone."""
    raise NotImplementedError


def statuses(home: Path, dataset: Path, workflow: str, order: int, task: str) -> dict[str, str]:
    """The latest status (``done``, ``failed``, ``submitted``) of every image for a step, known by the workflow's name,
    its order and its task's name, from the journals of all jobs of the dataset; none means unset."""
    raise NotImplementedError
