"""How many units go into one SLURM job, and how many of them run at once (public server, batching heuristic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["incomplete", "cpus", "mem", "jobs"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a site wants of its jobs (``target``) and what it allows at most; memory in SLURM's megabytes."""

    target_cpus: int
    max_cpus: int
    target_mem: int
    max_mem: int
    target_jobs: int
    max_jobs: int


@dataclass(frozen=True, slots=True)
class Batching:
    """``units`` go into one job (the last may have fewer), at most ``parallel`` of them at once."""

    units: int
    parallel: int


class BatchingError(ValueError):
    """Units that can't be gathered into jobs; ``kind`` says which limit is in the way."""

    def __init__(self, kind: Kind, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def batching(
    total: int, cpus: int, mem: int, limits: Limits, units: int | None = None, parallel: int | None = None
) -> Batching:
    """Gather ``total`` units, each of ``cpus`` and ``mem`` megabytes, into jobs.

    ``units`` and ``parallel`` are a user's own choice, both or neither. Raises BatchingError.
    """
    if (units is None) is not (parallel is None):
        missing = "tasks_per_job" if units is None else "parallel_tasks_per_job"
        raise BatchingError("incomplete", f"`{missing}` is missing: give both it and its counterpart, or neither")
    _demand("cpus", "CPUs for one unit", cpus, limits.max_cpus)
    _demand("mem", "MB of memory for one unit", mem, limits.max_mem)
    if units is not None and parallel is not None:
        chosen = Batching(units, min(parallel, units))
        _demand("cpus", f"CPUs for {chosen.parallel} units at once", chosen.parallel * cpus, limits.max_cpus)
        _demand("mem", f"MB of memory for {chosen.parallel} units at once", chosen.parallel * mem, limits.max_mem)
        _demand("jobs", f"jobs for {total} units", _jobs(total, units), limits.max_jobs)
        return chosen
    for limit_cpus, limit_mem, limit_jobs in (
        (limits.target_cpus, limits.target_mem, limits.target_jobs),
        (limits.max_cpus, limits.max_mem, limits.max_jobs),
    ):
        fitting = _fitting(cpus, mem, limit_cpus, limit_mem)
        if _jobs(total, fitting) <= limit_jobs:
            return Batching(fitting, fitting)
    # More units than all jobs can run at once: the others wait within their jobs.
    return Batching(_jobs(total, limits.max_jobs), fitting)


def _jobs(total: int, units: int) -> int:
    return -(-total // units)


def _fitting(cpus: int, mem: int, limit_cpus: int, limit_mem: int) -> int:
    """How many units fit side by side; one even where it is larger than what is wanted."""
    return max(1, min(limit_cpus // cpus, limit_mem // mem))


def _demand(kind: Kind, what: str, wanted: int, limit: int) -> None:
    if wanted > limit:
        raise BatchingError(kind, f"{wanted} {what}; the site allows {limit}")
