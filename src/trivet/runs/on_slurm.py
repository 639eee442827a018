"""Runs on a cluster: which site, what can be known to be wrong before, the engine, and what a dry run shows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from trivet.contracts import contract
from trivet.contracts.folding import value_of
from trivet.engines import Attempt, Engine, EngineError
from trivet.engines.slurm import check as checks
from trivet.engines.slurm.check import check, unreachable
from trivet.engines.slurm.cluster import USUAL, Cluster
from trivet.engines.slurm.commands import SlurmError
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.grouping import groups
from trivet.engines.slurm.script import script
from trivet.engines.slurm.site import Site
from trivet.runs.options import Options
from trivet.runs.reaching import ABSENT, UNUSABLE, Reach, connected, reach, unusable
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import ContainerImage
from trivet.tasks.types import Zarr
from trivet.tasks.work import AttemptDirectory, Invocation

SLURM = "slurm"
MADE = "zarr_dir"
"""The input that names a directory in which data are made: it need not exist."""

LOOKED_AT = 100
"""So many units of a phase are looked at before a run: they hardly differ in what they ask for."""


def engine(options: Options, directory: Path, watched: bool = False) -> Engine:
    """The engine for a run or job that keeps what it has to remember in ``directory``; ``watched``: somebody wants to
    know when jobs may start. Raises EngineError."""
    try:
        cluster = reach(options, directory)
        place, programs = cluster.place(directory)
        return SlurmEngine(
            *(directory, cluster.site, options.slots, programs),
            watched=watched,
            commands=cluster.commands,
            place=place,
        )
    except ProblemsError as error:
        raise EngineError(str(error)) from None


def problems(call: Call, options: Options) -> list[Problem]:
    """What is wrong with running a call on the cluster, as far as its first phase tells."""
    try:
        cluster = connected(options)
        if isinstance(call.task.program, ContainerImage):
            found = _without_apptainer(options.runtime, cluster)
            if found:
                return found
        with tempfile.TemporaryDirectory(prefix="trivet-") as place:
            attempts = list(islice(_attempts(call, options, Path(place)), LOOKED_AT))
            found = check(cluster.site, attempts, cluster.commands, options.slots) if attempts else []
            return found if cluster.runner is None else [*found, *_not_there(call, attempts, cluster)]
    except ProblemsError as error:
        return list(error.problems)
    except SlurmError as error:
        return [unusable(error)]
    except OSError as error:
        return [Problem(UNUSABLE, f"what a job would be can't be tried out: {error}")]


def objections(
    wanted: Sequence[tuple[Invocation, int]], options: Options, programs: Sequence[Sequence[str]] = ()
) -> list[list[Problem]]:
    """What is wrong with kinds of units on the cluster, so many of each, before a job has any of them; ``programs`` are
    the absolute paths of what each kind starts.

    Raises ProblemsError where the cluster can't be asked.
    """
    reached = connected(options)
    try:
        cluster = reached.commands.cluster()
    except SlurmError as error:
        raise ProblemsError([unreachable(error)]) from None
    found = []
    for attempts in _kinds(wanted, options):
        found.append(checks.objections(reached.site, attempts, reached.commands, cluster, options.slots))
    if reached.runner is not None:
        try:
            absent = reached.absent(path for paths in programs for path in paths)
        except SlurmError as error:
            raise ProblemsError([unusable(error)]) from None
        for problems, paths in zip(found, programs, strict=True):
            problems += (_no_program(absent[path], reached) for path in paths if path in absent)
    return found


def absent(paths: Sequence[str], options: Options) -> list[str]:
    """Which of some absolute paths a cluster that is elsewhere does not have; none where it can't be asked, which is
    for others to tell."""
    try:
        return list(connected(options).absent(paths))
    except (ProblemsError, SlurmError):
        return []


def rehearsed(attempts: Sequence[Attempt], options: Options, place: str) -> list[dict[str, Any]]:
    """The arrays of jobs that would be submitted: the script of each, and which units are in which job.

    Raises ProblemsError.
    """
    reached = reach(options)
    return _arrays(attempts, reached.site, _known(reached), options, place)


def rehearsed_kinds(
    wanted: Sequence[tuple[Invocation, int]], options: Options, place: str
) -> list[list[dict[str, Any]]]:
    """The same for kinds of units, so many of each. Raises ProblemsError."""
    reached = reach(options)
    cluster = _known(reached)
    return [_arrays(attempts, reached.site, cluster, options, place) for attempts in _kinds(wanted, options)]


def _kinds(wanted: Sequence[tuple[Invocation, int]], options: Options) -> Iterator[list[Attempt]]:
    for invocation, count in wanted:
        yield [Attempt(f"dry-run/{n}/1", options.applied(invocation)) for n in range(count)]


def _known(reached: Reach) -> Cluster:
    try:
        return reached.commands.cluster()
    except SlurmError:
        return USUAL


def _arrays(
    attempts: Sequence[Attempt], configured: Site, cluster: Cluster, options: Options, place: str
) -> list[dict[str, Any]]:
    found: list[Problem] = []
    arrays: list[dict[str, Any]] = []
    for _, group in groups(configured, attempts, options.slots, cluster):
        if isinstance(group, ProblemsError):
            found += group.problems
            continue
        array = replace(group.array, token="TOKEN")  # noqa: S106 (stands for what comes into being with it)
        number = len(arrays) + 1
        text = script(array, configured, f"{place}/slurm/runner.pyz", f"{place}/slurm/{number:04d}")
        units = [[one.id.split("/")[-2] for one in members] for members in group.elements]
        arrays.append({"kind": "Array", "script": text, "jobs": units})
    if has_errors(found):
        raise ProblemsError(list(dict.fromkeys(found)))
    return arrays


def _attempts(call: Call, options: Options, place: Path) -> Iterator[Attempt]:
    """The attempts of the first phase, staged into a temporary place."""
    room = contract(call.task.contract)
    for unit in room.plan(call, 0, ()) or ():
        where = AttemptDirectory(f"dry-run/{unit.name}/1", place / "work" / unit.name / "1", cache=place / "cache")
        yield Attempt(where.attempt, options.applied(room.stage(call, unit, where)))


def _not_there(call: Call, attempts: Sequence[Attempt], cluster: Reach) -> Iterator[Problem]:
    """What units name, and a cluster that is elsewhere does not have: their programs, and OME-Zarr data, whose paths
    are the cluster's own. Raises SlurmError."""
    host = cluster.site.host
    programs = [] if isinstance(call.task.program, ContainerImage) else list(_programs(attempts))
    data = list(_data(call))
    absent = cluster.absent([*programs, *data])
    for path in dict.fromkeys(programs):
        if path in absent:
            yield _no_program(absent[path], cluster)
    for path in dict.fromkeys(data):
        if path in absent:
            message = f"there are no data at {absent[path]} on {host}"
            yield Problem(ABSENT, message, hint="paths of OME-Zarr data are the cluster's")


def _no_program(path: str, cluster: Reach) -> Problem:
    hint = "say in `paths` of the site's configuration where the cluster has it"
    return Problem(ABSENT, f"there is no {path} on {cluster.site.host}", hint=hint)


def _programs(attempts: Sequence[Attempt]) -> Iterator[str]:
    for attempt in attempts:
        words = attempt.invocation.command or ()
        yield from (word for word in (words if attempt.invocation.warm else words[:1]) if word.startswith("/"))


def _data(call: Call) -> Iterator[str]:
    ports = [port for port in call.task.inputs if isinstance(port.type, Zarr) and port.name != MADE]
    for unit in islice(contract(call.task.contract).plan(call, 0, ()) or (), LOOKED_AT):
        for port in ports:
            value = value_of(call, unit, port.name)
            for path in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else ():
                if isinstance(path, str) and path.startswith("/"):
                    yield path


def _without_apptainer(runtime: str | None, cluster: Reach) -> list[Problem]:
    """A problem when images can't be run in jobs."""
    from trivet.engines.runtimes import APPTAINER, choose

    if runtime not in (None, APPTAINER):
        message = f"{runtime} can't run images in jobs: what its daemon starts is not the job's"
        return [Problem("B014", message, hint="SLURM would neither limit nor end it; use --runtime apptainer")]
    if cluster.runner is not None:
        try:
            cluster.runner.say(cluster.runner.login.words(["apptainer", "--version"]))
        except SlurmError as error:
            hint = "images run on SLURM by Apptainer, which the cluster needs on its login node and on the others"
            return [Problem("B014", str(error), hint=hint)]
        return []
    try:
        choose(APPTAINER)
    except EngineError as error:
        hint = "images run on SLURM by Apptainer, which is needed here and on the nodes"
        return [Problem("B014", str(error), hint=hint)]
    return []
