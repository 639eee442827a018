"""The Fractal contract: a Python package with a manifest of tasks, one process per image, image lists as outputs.

This façade only says which room does what; each room is imported when it is asked. Manifests of version 1 have rooms of
their own, of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.manifest import V1, WORKFLOW

if TYPE_CHECKING:
    from trivet.contracts.fractal.applying import Applied
    from trivet.contracts.source import Source
    from trivet.contracts.written import Written
    from trivet.datasets import flow
    from trivet.datasets.filters import AttributeFilters, TypeFilters
    from trivet.datasets.imagelist import ImageList
    from trivet.tasks.call import Call
    from trivet.tasks.document import Document
    from trivet.tasks.problem import Problem
    from trivet.tasks.task import Task
    from trivet.tasks.values import Value
    from trivet.tasks.work import AttemptDirectory, Invocation, Outcome, RunResult, Unit, UnitResult


def detect(source: Source) -> bool:
    from trivet.contracts.fractal import manifest

    return manifest.detect(source)


def read(source: Source) -> Document:
    from trivet.contracts.fractal import manifest

    return manifest.read(source)


def check(document: Document) -> Sequence[Problem]:
    if document.kind == WORKFLOW:
        from trivet.contracts.fractal import workflows

        return workflows.check(document)
    return _room(document, "rules").check(document)  # type: ignore[no-any-return]


def tasks(document: Document) -> Sequence[Task]:
    if document.kind == WORKFLOW:  # it has only the names of tasks
        return ()
    return _room(document, "description").tasks(document)  # type: ignore[no-any-return]


def plan(call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
    return _room(call.task.document, "units").plan(call, phase, before)  # type: ignore[no-any-return]


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    return _room(call.task.document, "staging").stage(call, unit, where)  # type: ignore[no-any-return]


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    return _room(call.task.document, "outputs").collect(call, unit, where, outcome)  # type: ignore[no-any-return]


def conclude(call: Call, results: Sequence[UnitResult]) -> RunResult:
    return _room(call.task.document, "units").conclude(call, results)  # type: ignore[no-any-return]


def write(document: Document | Task, form: str = "2") -> Written:
    """A manifest of either version as one of version 2. Raises ProblemsError for what can't be one."""
    from trivet.contracts.fractal import upgrading

    return upgrading.write(document, form)


def verify(document: Document) -> Sequence[Problem]:
    from trivet.contracts.fractal import wheels

    return tuple(wheels.verify(document))


def refusals(call: Call) -> Sequence[Problem]:
    if call.task.document.kind != V1:
        return ()
    return _room(call.task.document, "refusing").refusals(call)  # type: ignore[no-any-return]


# What follows is a task as a step on a dataset.


def limit(task: Task) -> int | None:
    return _room(task.document, "applying").limit(task)  # type: ignore[no-any-return]


def flow_step(task: Task, type_filters: TypeFilters) -> flow.Step:
    return _room(task.document, "applying").flow_step(task, type_filters)  # type: ignore[no-any-return]


def takes_images(task: Task) -> bool:
    return _room(task.document, "applying").takes_images(task)  # type: ignore[no-any-return]


def select(task: Task, images: ImageList, types: TypeFilters, attributes: AttributeFilters) -> list[str]:
    return _room(task.document, "applying").select(task, images, types, attributes)  # type: ignore[no-any-return]


def given(
    task: Task, urls: Sequence[str], images: ImageList, zarr_dir: str, metadata: Mapping[str, Any]
) -> dict[str, Value]:
    return _room(task.document, "applying").given(task, urls, images, zarr_dir, metadata)  # type: ignore[no-any-return]


def shares(call: Call, urls: Sequence[str]) -> list[list[str]] | None:
    return _room(call.task.document, "applying").shares(call, urls)  # type: ignore[no-any-return]


def apply(call: Call, results: Sequence[UnitResult], images: ImageList, zarr_dir: str) -> Applied:
    return _room(call.task.document, "applying").apply(call, results, images, zarr_dir)  # type: ignore[no-any-return]


def _room(document: Document, name: str) -> Any:
    """The room of that name for the version of a manifest."""
    version = "v1." if document.kind == V1 else ""
    return import_module(f"trivet.contracts.fractal.{version}{name}")
