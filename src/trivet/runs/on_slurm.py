"""Runs on a cluster: which site, what can be known to be wrong before, the engine, and what a dry run shows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from trivet.contracts import contract
from trivet.engines import Attempt, Engine, EngineError
from trivet.engines.slurm.check import check
from trivet.engines.slurm.commands import Commands, SlurmError
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.grouping import groups
from trivet.engines.slurm.programs import ApptainerPrograms
from trivet.engines.slurm.script import script
from trivet.engines.slurm.site import Site
from trivet.engines.slurm.site_file import default_site, load_site, site_file
from trivet.records import home
from trivet.runs.options import Options
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptDirectory

SLURM = "slurm"
UNUSABLE = "S009"
"""Code of problems: SLURM can't be asked."""

LOOKED_AT = 100
"""So many units of a phase are looked at before a run: they hardly differ in what they ask for."""


def site(options: Options, commands: Commands | None = None) -> Site:
    """The configuration that a run uses: a file's, or what the cluster says of itself. Raises ProblemsError."""
    path = site_file(options.site, home())
    if path is not None:
        return load_site(path)
    try:
        return default_site((commands or Commands()).cluster())
    except SlurmError as error:
        hint = "name a configuration of the site with --site FILE, or run it on a login node of the cluster"
        raise ProblemsError([Problem(UNUSABLE, f"SLURM can't be asked: {error}", hint=hint)]) from None


def engine(options: Options, directory: Path, watched: bool = False) -> Engine:
    """The engine for a run or job that keeps what it has to remember in ``directory``; ``watched``: somebody wants to
    know when jobs may start. Raises EngineError."""
    try:
        programs = ApptainerPrograms(directory, home() / "sif")
        return SlurmEngine(directory, site(options), options.slots, programs, watched=watched)
    except ProblemsError as error:
        raise EngineError(str(error)) from None


def problems(call: Call, options: Options) -> list[Problem]:
    """What is wrong with running a call on the cluster, as far as its first phase tells."""
    if isinstance(call.task.program, ContainerImage):
        found = _without_apptainer(options.runtime)
        if found:
            return found
    commands = Commands()
    try:
        configured = site(options, commands)
        with tempfile.TemporaryDirectory(prefix="trivet-") as place:
            attempts = list(islice(_attempts(call, options, Path(place)), LOOKED_AT))
            return check(configured, attempts, commands, options.slots) if attempts else []
    except ProblemsError as error:
        return list(error.problems)
    except OSError as error:
        return [Problem(UNUSABLE, f"what a job would be can't be tried out: {error}")]


def rehearsed(attempts: Sequence[Attempt], options: Options, place: str) -> list[dict[str, Any]]:
    """The arrays of jobs that would be submitted: the script of each, and which units are in which job.

    Raises ProblemsError.
    """
    commands = Commands()
    configured = site(options, commands)
    try:
        cluster = commands.cluster()
        longest = {one.name: one.max_time for one in cluster.partitions}
        largest = cluster.largest_array
    except SlurmError:
        longest, largest = {}, 1000
    found: list[Problem] = []
    arrays: list[dict[str, Any]] = []
    for _, group in groups(configured, attempts, options.slots, largest, longest):
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


def _without_apptainer(runtime: str | None) -> list[Problem]:
    """A problem when images can't be run in jobs."""
    from trivet.engines.runtimes import APPTAINER, choose

    if runtime not in (None, APPTAINER):
        message = f"{runtime} can't run images in jobs: what its daemon starts is not the job's"
        return [Problem("B014", message, hint="SLURM would neither limit nor end it; use --runtime apptainer")]
    try:
        choose(APPTAINER)
    except EngineError as error:
        hint = "images run on SLURM by Apptainer, which is needed here and on the nodes"
        return [Problem("B014", str(error), hint=hint)]
    return []
