"""A task of version 1 as a step on a dataset: which images it takes, what it is given, what becomes of the list. Pure.

The dataset's ``zarr_dir`` is the output directory of every task, and the input directory where the workflow names none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from trivet.contracts.fractal.applying import Applied
from trivet.contracts.fractal.manifest import entry_of
from trivet.contracts.fractal.v1 import images as listing
from trivet.contracts.fractal.v1.manifest import LEVELS, METADATA, level_of
from trivet.contracts.fractal.v1.units import conclude
from trivet.datasets import flow, imagelist
from trivet.datasets.filters import AttributeFilters, TypeFilters, matching
from trivet.datasets.imagelist import ImageList
from trivet.tasks.call import Call
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import Task
from trivet.tasks.values import Value
from trivet.tasks.work import UnitResult


def flow_step(task: Task, type_filters: TypeFilters) -> flow.Step:
    """The filters of a step; the task itself says nothing of types."""
    return flow.Step({}, {}, type_filters)


def takes_images(task: Task) -> bool:
    """True for tasks whose components are chosen by images: those that are repeated for images, wells or plates."""
    return level_of(entry_of(task.document, task.name)) in LEVELS


def select(task: Task, images: ImageList, types: TypeFilters, attributes: AttributeFilters) -> list[str]:
    """The images a task works on, in the order of the list: none that the metadata list no longer."""
    if not takes_images(task):
        return []
    return [image.zarr_url for image in matching(images.values(), types, attributes) if listing.is_current(image)]


def given(
    task: Task, urls: Sequence[str], images: ImageList, zarr_dir: str, metadata: Mapping[str, Any]
) -> dict[str, Value]:
    """The values of a call that the runner supplies where the workflow has none (Fractal version 1, arguments).

    A dataset on which no task of version 1 has worked has the metadata that its image list tells of.
    """
    level = level_of(entry_of(task.document, task.name))
    known = dict(metadata) or listing.metadata_of(images.values(), zarr_dir)
    supplied: dict[str, Value] = {"input_paths": [zarr_dir], "output_path": zarr_dir, METADATA: known}
    if level in LEVELS:
        supplied["component"] = list(listing.components(level, urls, zarr_dir))
    return supplied


def shares(call: Call, urls: Sequence[str]) -> list[list[str]] | None:
    """The images each unit works on, by unit, of those a task was given; None where there is but one unit."""
    level = level_of(entry_of(call.task.document, call.task.name))
    if level not in LEVELS:
        return None
    return list(listing.components(level, urls, str(call.values["output_path"])).values())


def limit(task: Task) -> int | None:
    """Version 1 has no word for how many units may run at once."""
    return None


def apply(call: Call, results: Sequence[UnitResult], images: ImageList, zarr_dir: str) -> Applied:
    """The list and the metadata after a task: nothing of a task that failed counts.

    Where the metadata can't be brought into the list, every unit that said something is refused.
    """
    before = cast("Mapping[str, Any]", call.values.get(METADATA) or {})
    result = conclude(call, results)
    after = cast("Mapping[str, Any]", result.outputs[METADATA])
    if result.state is not RunState.FINISHED:
        return Applied(dict(images), imagelist.default_update(()), tuple(results), {}, (), notes=result.problems)
    try:
        changes = listing.changes(before, after, images, zarr_dir)
        made = imagelist.apply(images, changes, zarr_dir)
    except ValueError as error:
        message = f"invalid output: {error}"
        refused = {one.unit: message for one in results if one.outputs}
        failed = (
            replace(one, reason=Reason.INVALID_OUTPUT, message=message, outputs={}) if one.outputs else one
            for one in results
        )
        return Applied(dict(images), imagelist.default_update(()), tuple(failed), refused, ())
    return Applied(made, changes, tuple(results), {}, imagelist.strangers(images, changes), after, result.problems)
