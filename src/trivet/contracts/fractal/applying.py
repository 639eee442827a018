"""A Fractal task as a step on a dataset: which images it takes, what it is given, what becomes of the list. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trivet.contracts.fractal.manifest import entry_of, is_converter, type_of
from trivet.contracts.fractal.units import processed
from trivet.datasets import flow, imagelist
from trivet.datasets.changes import Changes, read_changes
from trivet.datasets.filters import AttributeFilters, TypeFilters, matching
from trivet.datasets.imagelist import ImageList
from trivet.datasets.images import Image
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.task import Task
from trivet.tasks.values import Value
from trivet.tasks.work import UnitResult


@dataclass(frozen=True, slots=True)
class Applied:
    """What a step makes of a dataset: its ``images`` afterwards, and ``changes``, which led there.

    ``results`` are those of the units, now failed ones for the outputs that were refused; ``refused`` says why, by
    unit. ``strangers`` are origins from which nothing was inherited, as they are not in the list.
    ``metadata`` are those of version 1 afterwards, None where they stay as they are; ``notes`` are what else is to be
    said of version 1.
    """

    images: dict[str, Image]
    changes: Changes
    results: tuple[UnitResult, ...]
    refused: Mapping[str, str]
    strangers: Sequence[str]
    metadata: Mapping[str, Any] | None = None
    notes: tuple[Problem, ...] = ()


def flow_step(task: Task, type_filters: TypeFilters) -> flow.Step:
    """What a task with filters of its own says of types."""
    entry = entry_of(task.document, task.name)
    return flow.Step(_types(entry, "input_types"), _types(entry, "output_types"), type_filters)


def takes_images(task: Task) -> bool:
    """False for converters, which are given none whatever the filters."""
    return not is_converter(type_of(entry_of(task.document, task.name)) or "")


def select(task: Task, images: ImageList, types: TypeFilters, attributes: AttributeFilters) -> list[str]:
    """The images a task is given, in the order of the list (Fractal, filters)."""
    if not takes_images(task):
        return []
    return [image.zarr_url for image in matching(images.values(), types, attributes)]


def given(
    task: Task, urls: Sequence[str], images: ImageList, zarr_dir: str, metadata: Mapping[str, Any]
) -> dict[str, Value]:
    """The values of a call that the runner supplies (Fractal, the five types); the list of all ``images`` and
    ``metadata`` are for version 1."""
    supplied: dict[str, Value] = {"zarr_url": urls, "zarr_urls": urls, "zarr_dir": zarr_dir}
    return {name: value for name, value in supplied.items() if task.input(name) is not None}


def shares(call: Call, urls: Sequence[str]) -> list[list[str]] | None:
    """The images each unit works on, by unit, of those a task was given; None where every unit works for all."""
    return [[url] for url in urls] if call.each == "zarr_url" else None


def limit(task: Task) -> int | None:
    """How many units of the parallel part may run at once on one machine (Fractal, ``parallel_tasks_per_job``)."""
    meta = entry_of(task.document, task.name).get("meta_parallel") or {}
    number = meta.get("parallel_tasks_per_job")
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None


def apply(call: Call, results: Sequence[UnitResult], images: ImageList, zarr_dir: str) -> Applied:
    """The list after a task (Fractal, merging and applying outputs).

    Each unit's output is applied as a whole or not at all; a failed unit does not hold back what the others said. When
    none said anything, the images of units that ended well are taken for updated, and those of a compound task if all
    units ended well.
    """
    results = list(results)
    said = [position for position, result in enumerate(results) if result.ok and "changes" in result.outputs]
    outputs = [read_changes(results[position].outputs["changes"], []) or Changes() for position in said]
    changes, reasons = imagelist.judge(images, outputs, zarr_dir)
    refused = {}
    for index, faults in reasons.items():
        result = results[said[index]]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        refused[result.unit] = f"invalid output: {faults[0]}{more}"
        results[said[index]] = replace(result, reason=Reason.INVALID_OUTPUT, message=refused[result.unit], outputs={})
    if not said:
        # An image that somebody has taken out of the list meanwhile must not come back.
        changes = imagelist.default_update(url for url in processed(call, results) if url in images)
    types = _types(entry_of(call.task.document, call.task.name), "output_types")
    after = imagelist.apply(images, changes, zarr_dir, types)
    return Applied(after, changes, tuple(results), refused, imagelist.strangers(images, changes))


def _types(entry: Mapping[str, Any], key: str) -> dict[str, bool]:
    return {name: bool(value) for name, value in (entry.get(key) or {}).items()}
