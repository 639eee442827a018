"""From the words of `trivet job run` to a job: its workflow, its dataset, its filters, and how it is to be run."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from trivet.cli.dataset_files import content_of, images_in
from trivet.cli.dataset_words import EXISTS, filters, guarded, opened, pair, strange, tell, url_of
from trivet.cli.job_words import step_of
from trivet.contracts.fractal.v1.manifest import GATHER
from trivet.contracts.fractal.workflows import WorkflowFile, parse
from trivet.contracts.source import Source, load
from trivet.datasets.exchange import Content, name_fault
from trivet.datasets.imagelist import ImageList, added, indexed
from trivet.datasets.images import Image
from trivet.datasets.statuses import STATUS
from trivet.records import home
from trivet.records.datasets import DatasetDirectory, find
from trivet.runs.options import Options
from trivet.runs.start import ENGINES, KUBERNETES
from trivet.tasks.problem import Problem, ProblemsError, closest
from trivet.workflows import history, preflight, resolving
from trivet.workflows.resolving import Found
from trivet.workflows.selection import Asked, Row, filters_before
from trivet.workflows.workflow import Request

ANY = "any"
"""The word by which a type filter that the steps before would leave is dropped."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The dataset that is meant: one that exists (``directory``), or one that is to be made. ``more`` images come at
    the end of its list."""

    name: str
    zarr_dir: str
    images: ImageList
    directory: DatasetDirectory | None = None
    more: tuple[Image, ...] = ()

    def whole(self) -> ImageList:
        """The list with what is to be added."""
        return {**self.images, **indexed(self.more)}

    def make(self) -> DatasetDirectory:
        """Make or complete it. Raises ProblemsError."""
        by = {"command": "job run"}
        if self.directory is None:
            content = Content(self.name, self.zarr_dir, self.whole())
            return guarded(lambda: DatasetDirectory.create(home(), content, time.time(), by))
        directory, zarr_dir = self.directory, self.zarr_dir
        if self.more:
            guarded(lambda: directory.edit(lambda known: added(known, self.more, zarr_dir), time.time(), by))
        return directory


@dataclass(frozen=True, slots=True)
class Plan:
    """A job as it was asked for, looked at from all sides."""

    file: WorkflowFile
    asked: Asked
    dataset: Chosen
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]

    def request(self) -> Request:
        """The request; a dataset that is to be made is made now. Raises ProblemsError."""
        asked = self.asked
        workflow = resolving.workflow(self.file, asked.found)
        path = self.dataset.make().path
        filters = dict(asked.type_filters), dict(asked.attribute_filters)
        return Request(workflow, path, asked.first, asked.last, *filters, asked.options)


def plan(path: str, given: dict[str, Any]) -> Plan:
    """What the words of the command line mean, and all that is known to be wrong with it.

    Raises ProblemsError when there is no workflow or dataset to look at, and usage errors.
    """
    if (given["dataset"] is None) is (given["zarr_dir"] is None):
        both = "" if given["dataset"] is None else "; not both"
        message = f"Name the images' dataset with --dataset, or a directory for a new one with --zarr-dir{both}."
        raise click.UsageError(message)
    if given["images"] is not None and given["zarr_dir"] is None:
        raise click.UsageError("--images goes with --zarr-dir; a dataset has its own.")
    source = load(Path(path))
    file, problems = parse(source)
    if file is None:
        raise ProblemsError(problems)
    if not file.entries:
        raise ProblemsError([Problem("W010", "the workflow has no tasks", file=path)])
    found, missing = resolving.resolve(file, home(), given["python"])
    if given["gather"]:
        found = _gathering(found)
    dataset = _dataset(file, given)
    if missing:
        others = preflight.of_tasks(found, _options(given), given["validate"])
        raise ProblemsError([*problems, *source.place(missing), *_placed(source, others)])
    asked = _asked(found, file, dataset, given)
    looked = preflight.look(asked, home(), dataset.name)
    return Plan(file, asked, dataset, looked.rows, (*problems, *_placed(source, looked.problems)))


def _placed(source: Source, problems: Sequence[Problem]) -> list[Problem]:
    """The problems, those that are about the workflow with their places in its file."""
    placed = iter(source.place(problem for problem in problems if problem.path))
    return [next(placed) if problem.path else problem for problem in problems]


def _gathering(found: Sequence[Found]) -> list[Found]:
    """The steps, of which the parallel ones of version 1 gather what their units say."""
    if all(one.step.task.input(GATHER) is None for one in found):
        raise click.UsageError("--gather-parallel-output: the workflow has no parallel task of version 1")
    return [
        one
        if one.step.task.input(GATHER) is None
        else replace(one, step=replace(one.step, values={**one.step.values, GATHER: True}))
        for one in found
    ]


def _asked(found: Sequence[Found], file: WorkflowFile, dataset: Chosen, given: dict[str, Any]) -> Asked:
    names, tasks = [one.step.name for one in found], [one.entry.name for one in found]
    first = 0 if given["first"] is None else step_of(given["first"], names, tasks)
    last = len(found) - 1 if given["last"] is None else step_of(given["last"], names, tasks)
    if first > last:
        raise click.UsageError(f"--first {first} comes after --last {last}")
    images = dataset.whole()
    dropped = [word for word in given["types"] if pair(word)[1].lower() == ANY]
    types, attributes = filters(images, [word for word in given["types"] if word not in dropped], given["attributes"])
    left = filters_before(found, first)
    types = {**left, **types}
    for word in dropped:
        types.pop(pair(word)[0], None)
    if left:
        told = ", ".join(f"{name}={str(value).lower()}" for name, value in left.items() if types.get(name) is value)
        if told:
            hint = f"--type NAME={ANY} drops it"
            tell(
                [Problem("W050", f"as the steps before {names[first]} leave it, images have {told}", "info", hint=hint)]
            )
    if images:
        tell(strange(images, (), attributes))
    if given["only"]:
        attributes[STATUS] = given["only"]
    return Asked(
        found,
        first,
        last,
        images,
        dataset.zarr_dir,
        types,
        attributes,
        _options(given),
        given["validate"],
        _statuses(dataset, file.name, first, tasks) if given["only"] else {},
        _statuses(dataset, file.name, first - 1, tasks) if first > 0 else None,
        None if dataset.directory is None else dataset.directory.path,
    )


def _statuses(dataset: Chosen, workflow: str, order: int, tasks: Sequence[str]) -> dict[str, str]:
    if dataset.directory is None:
        return {}
    return history.statuses(dataset.directory.path, workflow, order, tasks[order])


def _options(given: dict[str, Any]) -> Options:
    names = ("engine", "slots", "cpus", "memory", "gpus", "time_limit", "grace", "retries", "cold")
    engines = [name for name in ENGINES if name != KUBERNETES]
    if given["engine"] not in engines:
        raise click.UsageError(f"jobs have no engine `{given['engine']}`; {closest(given['engine'], engines)}")
    site = given["site"] and str(Path(given["site"]).absolute())
    try:
        return Options(site=site, **{name: given[name] for name in names})
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _dataset(file: WorkflowFile, given: dict[str, Any]) -> Chosen:
    word = given["dataset"]
    if word is None:
        return _by_directory(file, url_of(given["zarr_dir"]), given["images"])
    if word == "-" or word.lower().endswith(".json") or os.path.isfile(word):  # noqa: PTH113 (never raises)
        content, problems = content_of(word)
        tell(problems)
        _must_be_free(content.name, word)
        return Chosen(content.name, content.zarr_dir, content.images)
    directory, version = opened(word)
    return Chosen(directory.path.name, directory.zarr_dir, version.images, directory)


def _must_be_free(name: str, file: str) -> None:
    try:
        find(home(), name)
    except LookupError:
        return
    hint = f"--dataset {_quoted(name)} takes it as it is now; for a new one, write another name into the file"
    raise ProblemsError([Problem(EXISTS, f"there is a dataset {name} already", hint=hint, file=file)])


def _by_directory(file: WorkflowFile, zarr_dir: str, images: str | None) -> Chosen:
    """The dataset of the workflow's name, with images below that directory: the one there is, else a new one."""
    name = re.sub(r"[^a-zA-Z0-9_.-]+", "_", file.name).strip("_.-") or "workflow"
    if name_fault(name):
        name = name[:100]
    listed: ImageList = {}
    if images is not None:
        listed, problems = images_in(images, zarr_dir)
        tell(problems)
    try:
        find(home(), name)
    except LookupError:
        return Chosen(name, zarr_dir, listed)
    directory, version = opened(name)
    if directory.zarr_dir != zarr_dir:
        message = f"dataset {name}, named as the workflow, has its images in {directory.zarr_dir}"
        hint = f"trivet dataset create OTHER --zarr-dir {_quoted(zarr_dir)}, and --dataset OTHER"
        raise ProblemsError([Problem(EXISTS, message, hint=hint)])
    more = tuple(image for url, image in listed.items() if url not in version.images)
    return Chosen(name, zarr_dir, version.images, directory, more)


def _quoted(word: str) -> str:
    return f"'{word}'" if " " in word else word
