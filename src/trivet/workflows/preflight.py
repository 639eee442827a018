"""Everything that can be known to fail, or to surprise, before a job starts: all of it at once, and nothing started."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trivet.contracts.fractal import commands
from trivet.contracts.fractal.description import resources_of
from trivet.contracts.fractal.manifest import PARALLEL, type_of
from trivet.records import claims
from trivet.records.datasets import neighbours
from trivet.runs.options import Options
from trivet.runs.refusing import shortages
from trivet.runs.start import SLURM
from trivet.tasks.problem import Problem, ProblemsError, Severity
from trivet.tasks.quantities import format_memory
from trivet.tasks.work import Invocation
from trivet.workflows.arguments import REFUSED, faults
from trivet.workflows.resolving import Found, Part
from trivet.workflows.selection import Asked, Row, select

INACTIVE, STRICT, META, UNUSED, DISK, DIRECTORY = "W024", "W034", "W036", "W043", "W047", "W049"
SHARED, OCCUPIED = "D004", "W060"
"""Codes of problems: an inactive package, schemas that refused something, meta data that mean nothing, something given
that is not used, a full disk, a directory that can't be used, or that another dataset has its images in; a dataset with
a job already."""

LITTLE = 1024**3
"""Bytes of free space below which a warning is given; a thousandth of it is as good as nothing."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found: a row for each step, and the problems in the order of the steps; their paths lead into the
    workflow file."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def look(asked: Asked, home: Path, dataset: str) -> Preflight:
    """Look at everything (Fractal, checks before a run). ``dataset`` is the name of the job's own, existing or not."""
    chosen = asked.found[asked.first : asked.last + 1]
    problems = of_tasks(chosen, asked.options, asked.validate)
    if _elsewhere(asked.options):
        from trivet.runs.on_slurm import absent

        asked = replace(asked, absent=lambda urls: absent(urls, asked.options))
    rows, more = select(asked)
    problems += more
    problems += _engine(chosen, rows, asked.options)
    problems += _places(asked)
    if asked.dataset is not None:
        problems += _occupied(asked.dataset)
    for other in neighbours(home, asked.zarr_dir):
        if other.path.name != dataset:
            message = f"dataset {other.path.name} has its images in {other.zarr_dir}, too"
            hint = "tasks on one may change or overwrite the images of the other"
            problems.append(Problem(SHARED, message, "warning", hint=hint))
    return Preflight(rows, tuple(dict.fromkeys(problems)))


# Tasks


def of_tasks(chosen: Sequence[Found], options: Options, validate: bool) -> list[Problem]:
    """What is wrong with tasks themselves: their packages, programs, arguments (unless not ``validate``), needs."""
    problems = [problem for found in chosen for problem in _of_task(found, options, validate)]
    if any(problem.code in REFUSED for problem in problems):
        message = "arguments are checked against the schemas of the packages, some of which are stricter than the task"
        problems.append(Problem(STRICT, message, "info", "--no-validate-args passes them on as they are"))
    return problems


def _of_task(found: Found, options: Options, validate: bool) -> Iterator[Problem]:
    name, entry = found.step.name, found.entry
    if not found.active:
        package = f"{entry.pkg_name}=={entry.version}"
        hint = f"trivet fractal reactivate {package}"
        yield Problem(INACTIVE, f"{name}: package {package} is not active", hint=hint, path=(*found.path, "task"))
    else:
        yield from _programs(found)
    keys = {part.key for part in found.parts}
    for which, given in entry.args.items():
        if given and f"args_{which}" not in keys and found.parts[0].suffix:
            kind = type_of(found.declared)
            message = f"{name}: `args_{which}` is not used: a task of type `{kind}` has no such part"
            yield Problem(UNUSED, message, "warning", path=(*found.path, f"args_{which}"))
    if validate:
        yield from faults(found)
    for part in found.parts:
        where = (*found.path, f"meta{part.suffix}")
        for key, expected in _strange_meta(part.meta) if options.engine != SLURM else ():
            message = f"{name}: `meta{part.suffix}.{key}` is {part.meta[key]!r:.40}, and not {expected}: it is ignored"
            yield Problem(META, message, "warning", path=(*where, key))
        for problem in _needs(found, part.meta, options):
            yield replace(problem, message=f"{name}: {problem.message}", path=where)


def _programs(found: Found) -> Iterator[Problem]:
    document = found.step.task.document
    for part in found.parts:
        try:
            command = commands.command_of(document, found.declared, part.suffix)
        except ProblemsError as error:
            for problem in error.problems:
                yield replace(problem, message=f"{found.step.name}: {problem.message}", path=(*found.path, "task"))
            continue
        if shutil.which(command[0]) is None:
            message = f"{found.step.name}: the interpreter {command[0]} does not exist, or can't be executed"
            hint = "collect the package again, or name another environment with --python"
            yield Problem("F020", message, hint=hint, path=(*found.path, "task"))


def _strange_meta(meta: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys of meta data whose values can't be understood, and what was expected: they count as not there."""
    resources = resources_of(meta)
    if meta.get("cpus_per_task") is not None and resources.cpus is None:
        yield "cpus_per_task", "a number of CPUs"
    if meta.get("mem") is not None and resources.memory is None:
        yield "mem", "a number of MB, or text such as 4G"
    if not isinstance(meta.get("needs_gpu"), bool | None):
        yield "needs_gpu", "true or false"


def _needs(found: Found, meta: Mapping[str, Any], options: Options) -> list[Problem]:
    if options.engine != "local":
        return []
    return shortages(found.step.task.program, options.needs(resources_of(meta)))


def _engine(chosen: Sequence[Found], rows: Sequence[Row], options: Options) -> Iterator[Problem]:
    """What is wrong with the cluster that units are to run on, and with what each part of a task asks it for."""
    if options.engine != SLURM:
        return
    from trivet.runs.on_slurm import objections

    kinds = [(found, part) for found in chosen for part in found.parts]
    try:
        answers = objections(_wanted(chosen, rows), options, [_paths(found, part) for found, part in kinds])
    except ProblemsError as error:
        yield from error.problems
        return
    for (found, part), problems in zip(kinds, answers, strict=True):
        for problem in problems:
            path = (*found.path, f"meta{part.suffix}", *problem.path)
            yield replace(problem, message=f"{found.step.name}: {problem.message}", path=path)


def arrays(asked: Asked, rows: Sequence[Row], place: str) -> Iterator[dict[str, Any]]:
    """The arrays of jobs that a cluster would be given for each part of each step, as plain data; ``place`` stands for
    the job's directory. Later steps may turn out to have more units. Raises ProblemsError."""
    from trivet.runs.on_slurm import rehearsed_kinds

    chosen = asked.found[asked.first : asked.last + 1]
    wanted = _wanted(chosen, rows)
    kinds = [(order, found, part) for order, found in enumerate(chosen, asked.first) for part in found.parts]
    for (order, found, part), (_, units), made in zip(
        kinds, wanted, rehearsed_kinds(wanted, asked.options, place), strict=True
    ):
        for one in made:
            yield {
                "kind": "Array",
                "step": order,
                "name": found.step.name,
                "part": part.suffix.removeprefix("_") or None,
                "units": units,
                "jobs": len(one["jobs"]),
                "script": one["script"],
            }


def _wanted(chosen: Sequence[Found], rows: Sequence[Row]) -> list[tuple[Invocation, int]]:
    """What is like the units of each part of each step, and how many there are at least."""
    first = rows[0].images if rows and rows[0].exact and rows[0].kind == PARALLEL else None
    counts = [first or 1, *(1 for _ in chosen[1:])]  # who knows how many units later steps have
    return [
        (_like(found, part.meta), count) for found, count in zip(chosen, counts, strict=True) for part in found.parts
    ]


def _paths(found: Found, part: Part) -> list[str]:
    """The programs and scripts of a part, as this machine calls them; what is wrong with them is told elsewhere."""
    try:
        command = commands.command_of(found.step.task.document, found.declared, part.suffix)
    except ProblemsError:
        return []
    return [word for word in command if word.startswith("/")]


def _like(found: Found, meta: Mapping[str, Any]) -> Invocation:
    """A unit of a part, as far as a cluster is concerned."""
    resources, title = resources_of(meta), found.step.task.name
    return Invocation(found.step.task.program, ("true",), resources=resources, meta=meta, title=title)


# Places


def _occupied(dataset: Path) -> Iterator[Problem]:
    """The job that is on a dataset: it takes one at a time."""
    try:
        _, job = claims.holder(dataset)
        goes_on = job is not None and "result" not in job.read() and job.owner_alive()
    except (OSError, ValueError):  # gone, or damaged: it holds nothing
        return
    if job is not None and goes_on:
        message = f"job {job.id} is on dataset {dataset.name}; it takes one at a time"
        yield Problem(OCCUPIED, message, hint=f"wait for it, or `trivet job stop {job.id}`")


def _elsewhere(options: Options) -> bool:
    if options.engine != SLURM:
        return False
    from trivet.runs.reaching import elsewhere

    return elsewhere(options)


def _places(asked: Asked) -> Iterator[Problem]:
    if not asked.zarr_dir.startswith("/") or _elsewhere(asked.options):
        return
    place = Path(asked.zarr_dir)
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        yield Problem(DIRECTORY, f"the dataset's directory {asked.zarr_dir} can't be made: {place} is no directory")
        return
    if not os.access(place, os.W_OK | os.X_OK):
        message = f"the dataset's directory {asked.zarr_dir} can't be written"
        yield Problem(DIRECTORY, message, "warning", "tasks that make or change images will fail")
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return
    if free < LITTLE:
        message = f"{format_memory(free)} is free on the disk of {asked.zarr_dir}"
        severity: Severity = "error" if free < LITTLE // 1000 else "warning"
        yield Problem(DISK, message, severity, "make room for what the tasks write")
