"""The script of a batch job, as text. Pure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from trivet.engines.slurm.batching import Batching
from trivet.engines.slurm.cluster import seconds
from trivet.engines.slurm.site import Site
from trivet.engines.slurm.wishes import Wishes
from trivet.tasks.work import Demand

MARGIN = 60.0
"""Seconds a job gets beyond what its units may take: to start, to read what it is to do, to write its record."""

_CACHE = '"${XDG_CACHE_HOME:-$HOME/.cache}"/'


@dataclass(frozen=True, slots=True)
class Array:
    """What one submission asks for: ``elements`` jobs of one array, each with ``batching.units`` units.

    ``throttle`` is how many jobs may run at once (None: as many as SLURM likes). ``time_limit`` and ``grace`` of one
    unit in seconds (None: no limit). ``token`` is the submission's own word, by which SLURM's lists tell whose a job
    is.
    """

    wishes: Wishes
    batching: Batching
    elements: int
    token: str
    throttle: int | None = None
    time_limit: float | None = None
    grace: float = 0.0


def script(array: Array, site: Site, worker: str, place: str) -> str:
    """The script that starts the runner ``worker`` for the submission in directory ``place``.

    Lines in the order of the public server: shebang, SLURM's options, what else the site and the task want, the
    command (public server, SLURM runners). The units of a job are children of one process on one node, and not steps
    of their own.
    """
    wishes = array.wishes
    extra = [line.strip() for line in wishes.extra_lines]
    head = [line for line in extra if line.startswith("#SBATCH")]
    body = [line for line in extra if not line.startswith("#SBATCH")]
    lines = [
        wishes.shebang_line,
        *(f"#SBATCH {option}" for option in options(array)),
        *head,
        *(f"export {name}={_CACHE}{shlex.quote(path)}" for name, path in (wishes.exports or {}).items()),
    ]
    if site.modules:
        lines.append("command -v module >/dev/null 2>&1 || . /etc/profile")
        lines += (f"module load {shlex.quote(name)} || exit 1" for name in site.modules)
    command = [*shlex.split(site.python), "-I", "-S", "-X", "utf8", worker, place]
    return "\n".join([*lines, *site.setup, *body, f'exec {shlex.join(command)} "$SLURM_ARRAY_TASK_ID"', ""])


def options(array: Array) -> Iterator[str]:
    """SLURM's options of the array, without extra lines."""
    wishes, parallel = array.wishes, array.batching.parallel
    throttle = "" if array.throttle is None else f"%{array.throttle}"
    yield f"--job-name={wishes.job_name}"
    yield f"--comment=trivet:{array.token}"
    yield f"--array=0-{array.elements - 1}{throttle}"
    yield "--no-requeue"
    yield "--open-mode=append"
    yield "--output=%a.out"
    yield f"--partition={wishes.partition}"
    yield f"--nodes={wishes.nodes or 1}"
    yield f"--ntasks={parallel}"
    yield f"--cpus-per-task={wishes.cpus_per_task}"
    if wishes.use_mem_per_cpu:
        yield f"--mem-per-cpu={max(1, wishes.mem // wishes.cpus_per_task)}M"
    else:
        yield f"--mem={wishes.mem * parallel}M"
    time = job_time(array)
    if time is not None:
        yield f"--time={time}"
    for name in ("account", "constraint", "gres", "gpus", "exclude", "nodelist"):
        value = getattr(wishes, name)
        if value is not None:
            yield f"--{name}={value}"


def demand_of(array: Array) -> Demand:
    """What one unit gets of an array; units that take turns share the time of their job."""
    limit = array.time_limit
    if limit is None and array.wishes.time is not None:
        with suppress(ValueError):
            of_job = seconds(array.wishes.time)
            limit = None if of_job is None else of_job / turns(array.batching)
    return Demand(array.wishes.cpus_per_task, array.wishes.mem * 2**20, limit)


def turns(batching: Batching) -> int:
    """How many units of a job run one after the other."""
    return -(-batching.units // batching.parallel)


def job_time(array: Array) -> str | None:
    """The time limit of a job as SLURM takes it: whole minutes for all its units one after the other in their slots;
    what site and task say counts only where units have no limit."""
    if array.time_limit is None:
        return array.wishes.time
    return str(math.ceil((turns(array.batching) * (array.time_limit + array.grace) + MARGIN) / 60))
