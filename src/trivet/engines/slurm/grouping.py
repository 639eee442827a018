"""Attempts as arrays of jobs: those that ask for the same share an array, and as many as fit share a job."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from trivet.engines import Attempt
from trivet.engines.slurm.batching import Batching, BatchingError, batching
from trivet.engines.slurm.cluster import USUAL, Cluster
from trivet.engines.slurm.script import MARGIN, Array
from trivet.engines.slurm.site import Site
from trivet.engines.slurm.wishes import Wishes, wishes
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.quantities import format_duration
from trivet.tasks.work import Invocation

MIB = 1024 * 1024
BATCHING = "S005"
"""Code of problems: units can't be gathered into jobs."""

_GPUS = re.compile(r"gpu((?::[A-Za-z][^:,]*)?)(?::(\d+))?$", re.ASCII)


class Group(NamedTuple):
    """Attempts of one array, job by job."""

    array: Array
    elements: list[Sequence[Attempt]]


def wishes_of(site: Site, invocation: Invocation, name: str) -> Wishes:
    """What one unit asks for. Its resources count more than its meta data, from which they may come.

    Raises ProblemsError.
    """
    meta: dict[str, Any] = dict(invocation.meta)
    needs = invocation.resources
    if needs.cpus is not None:
        meta["cpus_per_task"] = max(1, math.ceil(needs.cpus))
    if needs.memory is not None:
        meta["mem"] = max(1, math.ceil(needs.memory / MIB))
    if needs.gpus is not None:
        meta["needs_gpu"] = needs.gpus > 0
    found = wishes(site, invocation.title or name, meta)
    if needs.gpus and gpus_of(found) < needs.gpus:
        found = _with_gpus(found, needs.gpus)
    return found


def gpus_of(found: Wishes) -> int:
    """How many GPUs a job gets: ``gpus`` is 2 or ``a100:2``, ``gres`` is ``gpu`` or ``gpu:a100:2,other:1``."""
    words = [f"gpu:{found.gpus}"] if found.gpus else (found.gres or "").split(",")
    counts = (_GPUS.match(word) for word in words)
    return sum(int(count[2] or 1) for count in counts if count)


def _with_gpus(found: Wishes, count: int) -> Wishes:
    """The same with so many GPUs, of the same kind."""
    if found.gpus:
        kind = str(found.gpus).rpartition(":")[0]
        return replace(found, gpus=f"{kind}:{count}" if kind else count)
    words = (found.gres or "gpu").split(",")
    if not any(map(_GPUS.match, words)):
        words.append("gpu")
    return replace(found, gres=",".join(_GPUS.sub(rf"gpu\1:{count}", word) for word in words))


def gathered(found: Wishes, invocation: Invocation, total: int, slots: int | None, longest: float | None) -> Batching:
    """How many of ``total`` such units share a job, at most ``slots`` at once. Raises ProblemsError.

    ``longest`` is the longest time (seconds) the partition gives a job: units with a time limit share one only as far
    as their turns fit.
    """
    problems: list[Problem] = []
    turns: int | None = None
    if longest is not None and invocation.time_limit is not None:
        turns = int((longest - MARGIN) // (invocation.time_limit + invocation.grace))
        if turns < 1:
            one, most = format_duration(invocation.time_limit), format_duration(longest)
            message = f"a unit may take {one}, and the partition `{found.partition}` ends jobs after {most}"
            problems.append(Problem(BATCHING, message, hint="give a shorter --time-limit, or another partition"))
    own = found.tasks_per_job, found.parallel_tasks_per_job
    chosen = Batching(1, 1)
    try:
        chosen = batching(total, found.cpus_per_task, found.mem, found.limits, *own)
    except BatchingError as error:
        problems.append(Problem(BATCHING, str(error), hint="see batching_config of the site"))
    if problems:
        raise ProblemsError(problems)
    parallel = min(chosen.parallel, total, slots or chosen.parallel)
    if invocation.resources.gpus and None in own:  # each has its own, unless somebody wants it otherwise
        parallel = min(parallel, max(1, gpus_of(found) // invocation.resources.gpus))
    return Batching(min(chosen.units, total, total if turns is None else turns * parallel), parallel)


def groups(
    site: Site, attempts: Sequence[Attempt], slots: int | None, cluster: Cluster = USUAL
) -> Iterator[tuple[list[Attempt], Group | ProblemsError]]:
    """Attempts by what they ask for, in arrays as large as the cluster allows; or why they can't be.

    The token of the arrays is still to be given.
    """
    alike: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        alike.setdefault(_key(attempt.invocation), []).append(attempt)
    for members in alike.values():
        first = members[0]
        try:
            found = wishes_of(site, first.invocation, first.id.rsplit("/", 2)[0].replace("/", "-"))
            how = gathered(found, first.invocation, len(members), slots, cluster.longest(found.partition))
        except ProblemsError as error:
            yield members, error
            continue
        throttle = None if slots is None else max(1, slots // how.parallel)
        limit, grace = first.invocation.time_limit, first.invocation.grace
        size = how.units * cluster.largest_array
        for begin in range(0, len(members), size):
            part = members[begin : begin + size]
            elements: list[Sequence[Attempt]] = [part[at : at + how.units] for at in range(0, len(part), how.units)]
            yield part, Group(Array(found, how, len(elements), "", throttle, limit, grace), elements)


def _key(invocation: Invocation) -> str:
    needs = invocation.resources
    wanted = [needs.cpus, needs.memory, needs.gpus, invocation.time_limit, invocation.grace, invocation.title]
    return json.dumps([wanted, dict(invocation.meta)], sort_keys=True, default=str)
