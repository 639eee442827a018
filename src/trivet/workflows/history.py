"""What is known of jobs: how far each is, every unit of it, and the status of images for a step."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trivet.contracts import fractal
from trivet.datasets.changes import REMOVALS
from trivet.datasets.statuses import DONE, FAILED, SUBMITTED, UNSET
from trivet.records import claims, journal
from trivet.records.directory import JobDirectory, every, named
from trivet.runs.machine import Standing
from trivet.runs.progress import WIDEST
from trivet.tasks.states import Reason, RunState
from trivet.workflows import record
from trivet.workflows.layout import StepLayout
from trivet.workflows.machine import JobMachine
from trivet.workflows.progress import JobProgress
from trivet.workflows.reporting import JobResult
from trivet.workflows.workflow import Request

NOTHING = Standing()
"""What goes on where nothing does."""

RUNNING, LOST = "RUNNING", "LOST"
WAITING, STOPPED = "waiting", "stopped"

_UNSTARTED = "stopped before it was started"
_STEP_STATES = {RunState.FINISHED: DONE, RunState.FAILED: FAILED, RunState.CANCELLED: STOPPED}


@dataclass(frozen=True, slots=True)
class UnitHistory:
    """One unit: ``state`` is ``waiting``, ``submitted``, ``done`` or ``failed``. ``log`` is there only when something
    was written; ``warned``: it holds the word "warning"."""

    name: str
    state: str
    reason: str | None
    message: str
    log: Path | None
    zarr_url: str | None
    warned: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class StepHistory:
    """One step of the workflow: ``state`` is ``unset`` (not begun), ``submitted``, ``done``, ``failed`` or ``stopped``.
    ``images`` were chosen; ``units``, ``done`` (well), ``failed`` and ``warned`` count units. It began and
    ended at those seconds since the epoch. ``standing`` tells what goes on."""

    order: int
    name: str
    task: str
    state: str
    images: int
    units: int
    done: int
    failed: int
    warned: int
    began: float | None = None
    ended: float | None = None
    standing: Standing = NOTHING


@dataclass(frozen=True, slots=True)
class JobHistory:
    """A job: ``state`` is that of its result, ``RUNNING``, or ``LOST`` when its driver died and nobody goes on."""

    id: str
    state: str
    workflow: str
    dataset: Path
    created: str
    steps: tuple[StepHistory, ...]
    result: JobResult | None


def all_jobs(home: Path) -> Iterator[JobDirectory]:
    """Every job below a home, oldest first."""
    return every(JobDirectory, home)


def find(home: Path, name: str) -> JobDirectory:
    """The job of that identifier, or of an unambiguous beginning or end of one, or ``last``, or of a path.

    Raises LookupError with what is there instead.
    """
    return named(JobDirectory, home, name)


def read(job: JobDirectory) -> JobHistory:
    """How far a job is by now, whoever drives it. Raises OSError, or ValueError for what can't be read."""
    stored = job.read()
    request = record.restore(stored)
    progress = _progress(job, request, ())
    result = record.result_of(stored)
    steps = tuple(_step(progress, request, order, result) for order in range(len(request.workflow.steps)))
    state = result.state.value if result else RUNNING if job.owner_alive() else LOST
    return JobHistory(job.id, state, request.workflow.name, request.dataset, stored["created"], steps, result)


def units(job: JobDirectory, order: int) -> list[UnitHistory]:
    """Every unit of a step, in order. Raises as `read` does, and when the dataset is gone."""
    request = record.restore(job.read())
    progress = _progress(job, request, (order,))
    return list(_units(progress, order))


def statuses(dataset: Path, workflow: str, order: int, task: str) -> dict[str, str]:
    """The latest status (``done``, ``failed``, ``submitted``) of every image for a step, known by the workflow's name,
    its order and its task's name, from the journals of all jobs of the dataset; none means unset.

    Jobs that can't be read (any more) are passed over.
    """
    latest: dict[str, str] = {}
    for job in claims.claimed(dataset):
        with suppress(OSError, ValueError, KeyError):
            request = record.restore(job.read())
            steps = request.workflow.steps
            same = request.workflow.name == workflow and request.first <= order <= request.last
            if same and steps[order].task.name == task:
                of_job, removed = of_images(job, request, order)
                latest |= of_job
                for url in removed:
                    latest.pop(url, None)
    return latest


def of_images(job: JobDirectory, request: Request, order: int) -> tuple[dict[str, str], list[str]]:
    """The status of every image that a job gave to a step, and the images that this step removed from the list.

    A parallel task has one for each image (that of its unit); otherwise all images have that of the task (Fractal,
    statuses).
    """
    progress = _progress(job, request, (order,))
    selection = progress.selections.get(order)
    if selection is None or not fractal.takes_images(request.workflow.steps[order].task):
        return {}, []
    found = list(_units(progress, order))
    end = progress.machine.ended.get(order)
    shares = fractal.shares(selection.call, selection.urls)
    if end is not None and end.applied.version is None:
        of_job = dict.fromkeys(selection.urls, FAILED)
    elif shares is not None:
        # Before the units are known, they are as good as submitted.
        states = [SUBMITTED if unit.state == WAITING else unit.state for unit in found] or [SUBMITTED] * len(shares)
        of_job = {url: state for urls, state in zip(shares, states, strict=True) for url in urls}
    else:
        well = end is not None and end.applied.result.state is RunState.FINISHED
        of_job = dict.fromkeys(selection.urls, SUBMITTED if end is None else DONE if well else FAILED)
    return of_job, _removed(progress, order) if end is not None else []


def _removed(progress: JobProgress, order: int) -> list[str]:
    refused = progress.machine.ended[order].applied.refused
    results = (result for result in progress.runs[order].machine.results if result is not None and result.ok)
    changes = [result.outputs.get("changes") for result in results if result.unit not in refused]
    return [url for one in changes if isinstance(one, dict) for url in one[REMOVALS]]


def _progress(job: JobDirectory, request: Request, detail: Container[int]) -> JobProgress:
    progress = JobProgress(job, request, WIDEST, detail=detail, keep=True)
    progress.replay(journal.read(job.journal))
    return progress


def _step(progress: JobProgress, request: Request, order: int, result: JobResult | None) -> StepHistory:
    machine, step = progress.machine, request.workflow.steps[order]
    selected = machine.selected.get(order)
    counts = (0, 0, 0)
    if order in machine.ended:
        end = machine.ended[order]
        counts = (end.units, end.done - end.failed, end.failed)
    elif machine.run is not None and order == machine.step:
        run = machine.run
        counts = (len(run.results), run.done - run.failed, run.failed)
    state = _state(machine, order, result)
    images = selected.images if selected else 0
    warned = len(progress.warned.get(order, ()))
    began = selected.at if selected else None
    ended = machine.ended[order].applied.at if order in machine.ended else None
    at_it = order == machine.step and order not in machine.ended and result is None
    standing = machine.run.standing if machine.run is not None and at_it else NOTHING
    return StepHistory(order, step.name, step.task.name, state, images, *counts, warned, began, ended, standing)


def _state(machine: JobMachine, order: int, result: JobResult | None) -> str:
    if order in machine.ended:
        return _STEP_STATES[machine.ended[order].applied.result.state]
    if result is not None:
        return _STEP_STATES[result.state] if order == result.step else UNSET
    return SUBMITTED if order == machine.step and machine.begun else UNSET


def _units(progress: JobProgress, order: int) -> Iterator[UnitHistory]:
    run = progress.runs.get(order)
    if run is None:
        return
    end = progress.machine.ended.get(order)
    refused = end.applied.refused if end is not None else {}
    warned = progress.warned.get(order, set())
    layout = StepLayout.of(progress.job, order, run.call.task.name)
    unsettled = run.machine.unsettled
    shares = fractal.shares(run.call, progress.selections[order].urls)
    for number, unit in enumerate(run.units):
        result, outcome = run.machine.results[number], run.outcomes.get(number)
        reason, message = None, ""
        if unit.name in refused:
            state, reason, message = FAILED, Reason.INVALID_OUTPUT, refused[unit.name]
        elif result is not None and number not in unsettled:
            state = DONE if result.ok else FAILED
            reason, message = result.reason, result.message
        elif end is not None:
            state, reason, message = FAILED, Reason.CANCELLED, _UNSTARTED
        else:
            state = SUBMITTED if number in run.starts else WAITING
        if outcome is not None:
            log = progress.job.path / outcome.log.path if outcome.log is not None else None
        else:
            written = Path(layout.log(unit.name, run.nth(number), len(run.units)))
            log = written if written.exists() else None
        url = shares[number][0] if shares and len(shares[number]) == 1 else unit.values.get("zarr_url")
        yield UnitHistory(
            unit.name,
            state,
            reason.value if reason else None,
            message,
            log,
            url if isinstance(url, str) else None,
            number in warned,
            run.nth(number) if outcome is not None or result is not None or state == SUBMITTED else 0,
        )
