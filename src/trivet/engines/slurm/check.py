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
        return [unreachable(error)]
    return objections(site, attempts, commands, cluster, slots)


def unreachable(error: SlurmError) -> Problem:
    """A cluster that can't be asked: a warning where it may answer later."""
    severity: Severity = "warning" if error.passing else "error"
    hint = "`sinfo` shows whether SLURM answers; a run waits until it does" if error.passing else ""
    return Problem(UNREACHABLE, f"SLURM can't be asked: {error}", severity, hint)


def objections(
    site: Site, attempts: Sequence[Attempt], commands: Commands, cluster: Cluster, slots: int | None
) -> list[Problem]:
    """The same for a cluster that has answered."""
    found: list[Problem] = []
    for members, group in groups(site, attempts, slots, cluster):
        if isinstance(group, ProblemsError):
            found += group.problems
            try:
                found += _against(wishes_of(site, members[0].invocation, "task"), cluster)
            except ProblemsError:
                continue
            continue
        more = [*(_against(group.array.wishes, cluster) or _too_large(group, cluster)), *_too_long(group, cluster)]
        found += more or _asked(group, site, commands)
    return list(dict.fromkeys(found))


def _against(wishes: Wishes, cluster: Cluster) -> list[Problem]:
    """What a unit asks for, and no node of its partitions has."""
    names = wishes.partition.split(",")
    partitions = _partitions(wishes, cluster)
    found: list[Problem] = []
    for name in names:
        if cluster.partition(name) is None:
            hint = closest(name, [one.name for one in cluster.partitions])
            found.append(Problem(PARTITION, f"there is no partition `{name}`", hint=hint, path=("partition",)))
    if not partitions:
        return found
    where = f"partition `{wishes.partition}`"
    largest = max(one.cpus for one in partitions)
    if wishes.cpus_per_task > largest:
        message = f"a unit asks for {wishes.cpus_per_task} CPUs, and no node of {where} has more than {largest}"
        found.append(Problem(TOO_MUCH, message, hint=_fitting(cluster, lambda one: one.cpus >= wishes.cpus_per_task)))
    memory = max(one.memory for one in partitions)
    if wishes.mem > memory:
        message = f"a unit asks for {wishes.mem} MB of memory, and no node of {where} has more than {memory}"
        found.append(Problem(TOO_MUCH, message, hint=_fitting(cluster, lambda one: one.memory >= wishes.mem)))
    if (wishes.gpus or "gpu" in (wishes.gres or "")) and not any(one.gpus for one in partitions):
        message = f"a unit asks for a GPU, and {where} has none"
        found.append(Problem(TOO_MUCH, message, hint=_fitting(cluster, lambda one: one.gpus > 0)))
    return found


def _too_large(group: Group, cluster: Cluster) -> list[Problem]:
    """A job that no node can hold, of units that fit by themselves."""
    wishes, parallel = group.array.wishes, group.array.batching.parallel
    partitions = _partitions(wishes, cluster)
    if wishes.nodes or not partitions:
        return []
    needs = ((parallel * wishes.cpus_per_task, "CPUs", "cpus"), (parallel * wishes.mem, "MB of memory", "memory"))
    hint = "lower target and maximum of batching_config to what a node has"
    return [
        Problem(
            TOO_MUCH,
            f"a job of {parallel} units at once asks for {asked} {what}, and no node has more than {most}",
            hint=hint,
        )
        for asked, what, name in needs
        if asked > (most := max(getattr(one, name) for one in partitions))
    ]


def _partitions(wishes: Wishes, cluster: Cluster) -> list[Partition]:
    return [found for name in wishes.partition.split(",") if (found := cluster.partition(name)) is not None]


def _too_long(group: Group, cluster: Cluster) -> Iterator[Problem]:
    """A time no job of the partitions may take: SLURM accepts such jobs, and lets them wait for ever."""
    wishes, text = group.array.wishes, job_time(group.array)
    longest = cluster.longest(wishes.partition)
    if text is None:
        return
    try:
        asked = seconds(text)
    except ValueError as error:
        yield Problem(VALUE, f"`time`: {error}", path=("time",))
        return
    if longest is not None and (asked is None or asked > longest):
        words = "no limit of its time" if asked is None else format_duration(asked)
        message = f"a job asks for {words}, and partition `{wishes.partition}` gives at most {format_duration(longest)}"
        hint = _fitting(cluster, lambda one: one.max_time is None or (asked is not None and one.max_time >= asked))
        yield Problem(TOO_MUCH, message, hint=hint)


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
