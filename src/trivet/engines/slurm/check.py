"""What can be known to be wrong before anything is submitted: all of it at once, the last word is SLURM's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trivet.engines import Attempt
from trivet.engines.slurm.cluster import Cluster, Partition, seconds
from trivet.engines.slurm.commands import Commands, SlurmError
from trivet.engines.slurm.grouping import Group, groups, wishes_of
from trivet.engines.slurm.script import job_time, script
from trivet.engines.slurm.site import VALUE, Site
from trivet.engines.slurm.wishes import Wishes
from trivet.tasks.problem import Problem, ProblemsError, Severity, closest
from trivet.tasks.quantities import format_duration

PARTITION, TOO_MUCH, REFUSED, UNREACHABLE = "S006", "S007", "S008", "S009"
"""Codes of problems: no such partition; more than it has; SLURM refuses the job; SLURM can't be asked."""


def check(site: Site, attempts: Sequence[Attempt], commands: Commands, slots: int | None = None) -> list[Problem]:
    """What is wrong with submitting such attempts (those of a whole phase, or one that is like them)."""
    try:
        cluster = commands.cluster()
    except SlurmError as error:
        severity: Severity = "warning" if error.passing else "error"
        hint = "`sinfo` shows whether SLURM answers; a run waits until it does" if error.passing else ""
        return [Problem(UNREACHABLE, f"SLURM can't be asked: {error}", severity, hint)]
    found: list[Problem] = []
    longest = {one.name: one.max_time for one in cluster.partitions}
    for members, group in groups(site, attempts, slots, cluster.largest_array, longest):
        if isinstance(group, ProblemsError):
            found += group.problems
            try:
                found += _against(wishes_of(site, members[0].invocation, "task"), cluster)
            except ProblemsError:
                continue
            continue
        more = [*_against(group.array.wishes, cluster), *_too_long(group, cluster)]
        found += more or _asked(group, site, commands)
    return list(dict.fromkeys(found))


def _against(wishes: Wishes, cluster: Cluster) -> Iterator[Problem]:
    """What a unit asks for, and no node of its partition has."""
    names = wishes.partition.split(",")
    partitions = [found for name in names if (found := cluster.partition(name)) is not None]
    for name in names:
        if cluster.partition(name) is None:
            hint = closest(name, [one.name for one in cluster.partitions])
            yield Problem(PARTITION, f"there is no partition `{name}`", hint=hint, path=("partition",))
    if not partitions:
        return
    where = f"partition `{wishes.partition}`"
    largest = max(one.cpus for one in partitions)
    if wishes.cpus_per_task > largest:
        message = f"a unit asks for {wishes.cpus_per_task} CPUs, and no node of {where} has more than {largest}"
        yield Problem(TOO_MUCH, message, hint=_fitting(cluster, lambda one: one.cpus >= wishes.cpus_per_task))
    memory = max(one.memory for one in partitions)
    if wishes.mem > memory:
        message = f"a unit asks for {wishes.mem} MB of memory, and no node of {where} has more than {memory}"
        yield Problem(TOO_MUCH, message, hint=_fitting(cluster, lambda one: one.memory >= wishes.mem))
    if (wishes.gpus or "gpu" in (wishes.gres or "")) and not any(one.gpus for one in partitions):
        message = f"a unit asks for a GPU, and {where} has none"
        yield Problem(TOO_MUCH, message, hint=_fitting(cluster, lambda one: one.gpus > 0))


def _too_long(group: Group, cluster: Cluster) -> Iterator[Problem]:
    """A time no job of the partition may take: SLURM accepts such jobs, and lets them wait for ever."""
    partition = cluster.partition(group.array.wishes.partition)
    text = job_time(group.array)
    if text is None:
        return
    try:
        asked = seconds(text)
    except ValueError as error:
        yield Problem(VALUE, f"`time`: {error}", path=("time",))
        return
    if asked is not None and partition is not None and partition.max_time is not None and asked > partition.max_time:
        longest = format_duration(partition.max_time)
        message = f"a job asks for {format_duration(asked)}, and partition `{partition.name}` gives at most {longest}"
        yield Problem(TOO_MUCH, message, hint=_fitting(cluster, lambda one: (one.max_time or asked) >= asked))


def _asked(group: Group, site: Site, commands: Commands) -> Iterator[Problem]:
    """What `sbatch --test-only` says against it (accounts, quality of service, constraints)."""
    try:
        commands.test(script(group.array, site, "runner.pyz", "/"))
    except SlurmError as error:
        if not error.passing:
            yield Problem(REFUSED, f"SLURM refuses such a job: {error}", hint="see the site's configuration")


def _fitting(cluster: Cluster, fits: Callable[[Partition], bool]) -> str:
    names = [one.name for one in cluster.partitions if one.up and fits(one)]
    return f"partitions that do: {', '.join(names)}" if names else "no partition of this cluster does"
