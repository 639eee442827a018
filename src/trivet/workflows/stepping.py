"""Between a job and its dataset: which images a step is given, and what becomes of the list when it is over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trivet.contracts import fractal
from trivet.contracts.folding import failed_run
from trivet.contracts.fractal.applying import Applied
from trivet.contracts.fractal.manifest import V1
from trivet.datasets.imagelist import ImageList
from trivet.datasets.images import Image
from trivet.datasets.statuses import UNSET, attached, statuses_of, without_statuses
from trivet.records.datasets import DatasetDirectory
from trivet.runs.events import Stopped
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import RunResult, UnitResult
from trivet.workflows import history, version1
from trivet.workflows.progress import Carried, JobProgress, Selection


@dataclass(frozen=True, slots=True)
class Ended:
    """What a step came to: how it ended, the version and size of the dataset, and what was not as it should be."""

    result: RunResult
    version: int | None
    images: int
    refused: Mapping[str, str]
    failed: Sequence[UnitResult]
    strangers: Sequence[str]
    notes: Sequence[Problem] = ()


def choose(progress: JobProgress, step: int) -> tuple[int, Selection]:
    """What a step is given of the newest version of the dataset, and that version's number.

    Raises ProblemsError for values that can't be bound, OSError, ValueError for a dataset that can't be read.
    """
    dataset = DatasetDirectory(progress.request.dataset)
    newest = dataset.read()
    if step == progress.request.first:
        progress.carry(step, _in_the_beginning(progress, dataset, newest.images))
    return newest.head.number, progress.select(step, newest.images, dataset.zarr_dir)


def needs_images(progress: JobProgress, step: int) -> bool:
    """Whether a step can't run without images."""
    return fractal.takes_images(progress.request.workflow.steps[step].task)


def nothing_chosen(progress: JobProgress, step: int) -> str:
    """Why a step whose selection is empty can't run (Fractal, one task of a job)."""
    types, attributes = progress.wanted(step)
    name = progress.request.workflow.steps[step].name
    filters = (
        f"type_filters={dict(types)} and attribute_filters={ {key: list(value) for key, value in attributes.items()} }"
    )
    return f"Cannot run task '{name}' for an empty image list (obtained after applying {filters})."


def conclude(progress: JobProgress, step: int, results: Sequence[UnitResult], stopped: Stopped | None) -> Ended:
    """Bring what the units of a step gave into the dataset, once. Raises OSError, ValueError."""
    dataset = DatasetDirectory(progress.request.dataset)
    zarr_dir = dataset.zarr_dir
    carried = progress.carried(step)
    call = progress.selections[step].call
    made: list[Applied] = []

    def work(images: ImageList) -> Mapping[str, Image]:
        before = attached(images, carried.statuses) if carried.statuses else images
        made.append(fractal.apply(call, results, before, zarr_dir))
        return without_statuses(made[-1].images) if carried.statuses else made[-1].images

    version = dataset.apply_once(work, progress.job.id, step, time.time())
    applied = made[-1]
    _go_on(progress, step, carried, applied, dataset)
    failed = [result for result in applied.results if not result.ok]
    result = RunResult(RunState.FINISHED)
    if stopped is not None:
        state = RunState.CANCELLED if stopped.reason is Reason.CANCELLED else RunState.FAILED
        result = RunResult(state, stopped.reason, stopped.message)
    elif failed:
        result = failed_run(failed, len(results), {}, ())
    if call.task.document.kind == V1:
        metadata = carried.metadata if applied.metadata is None else applied.metadata
        version1.tell(progress.job, step, progress.request.workflow.steps[step], call, metadata, result.state)
    return Ended(
        result, version.head.number, len(version.images), applied.refused, failed, applied.strangers, applied.notes
    )


def _in_the_beginning(progress: JobProgress, dataset: DatasetDirectory, images: ImageList) -> Carried:
    request = progress.request
    step = request.workflow.steps[request.first]
    statuses: dict[str, str] = {}
    if progress.by_status(request.first) and fractal.takes_images(step.task):
        known = history.statuses(dataset.path, request.workflow.name, request.first, step.task.name)
        statuses = {url: known.get(url, UNSET) for url in images}
    return Carried(statuses, version1.metadata_of(dataset))


def _go_on(progress: JobProgress, step: int, carried: Carried, applied: Applied, dataset: DatasetDirectory) -> None:
    """Keep what the next step finds. Statuses for one step only end with it."""
    metadata = carried.metadata if applied.metadata is None else applied.metadata
    if applied.metadata is not None:
        version1.keep(dataset, metadata)
    if step < progress.request.last:
        statuses = statuses_of(applied.images) if progress.by_status(step + 1) else {}
        progress.carry(step + 1, Carried(statuses, metadata))
