"""Starting jobs: here and now, or by a process in the background."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from trivet.datasets.statuses import DONE, FAILED, STATUS, SUBMITTED
from trivet.engines import EngineError
from trivet.packages import registered
from trivet.records import claims
from trivet.records import home as default_home
from trivet.records.claims import TakenError
from trivet.records.datasets import DatasetDirectory
from trivet.records.directory import JobDirectory
from trivet.records.journal import NotOwnerError, last_owner
from trivet.runs.detaching import detached
from trivet.runs.driving import stopped_by_signals
from trivet.runs.start import ENGINES, KUBERNETES, engine_for
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.states import RunState
from trivet.workflows import history, record
from trivet.workflows.driver import JobDriver
from trivet.workflows.progress import flows
from trivet.workflows.reporting import JobReporter, JobResult
from trivet.workflows.workflow import Request

TAKEN, UNREADABLE, IMPOSSIBLE, NOTHING_LEFT = "W060", "W061", "W062", "W063"
"""Codes of problems: another job is on the dataset; there is no dataset; steps that can't be run; nothing to go on
with."""

NOT_DONE = (FAILED, SUBMITTED)
"""The statuses of images that a job gave to a step which did not come to its end with them. One that has none was made
since then, maybe by this very step, and is not its to process."""

FIRST_WORD = 10.0
"""Seconds that a process in the background has to take a job over, before it is left to itself."""


def create(request: Request, home: Path | None = None) -> JobDirectory:
    """A new job that nobody drives yet. A job of the dataset whose driver died is ended first.

    Raises ProblemsError (another job is on the dataset, which is named; there is no dataset), and OSError when the
    directory can't be written.
    """
    home = home or default_home()
    problems = faults(request)
    if has_errors(problems):
        raise ProblemsError(problems)
    last = _freed(request.dataset)
    now = time.time()
    for step in request.workflow.steps[request.first : request.last + 1]:
        registered.used(home, step.task)
    job = JobDirectory.create(home, now, lambda identifier: record.asked(identifier, request, now))
    try:
        claims.claim(request.dataset, job, last)
    except BaseException as error:
        shutil.rmtree(job.path, ignore_errors=True)
        if isinstance(error, TakenError):
            raise _taken(request.dataset, claims.holder(request.dataset)[1]) from None
        raise
    return job


def faults(request: Request) -> list[Problem]:
    """What can be known to be wrong with what is asked of a job."""
    problems: list[Problem] = []
    try:
        DatasetDirectory(request.dataset).header()
    except (OSError, ValueError) as error:
        problems.append(Problem(UNREADABLE, f"the dataset can't be read: {error}"))
    if request.options.engine not in ENGINES or request.options.engine == KUBERNETES:
        problems.append(Problem("B011", f"a job can't be run by the engine `{request.options.engine}`"))
    strange = [step.name for step in request.workflow.steps if step.task.contract != "fractal"]
    problems += (Problem(IMPOSSIBLE, f"step {name} is no Fractal task; jobs have no others") for name in strange)
    if not strange:
        try:
            flows(request)
        except ValueError as error:
            problems.append(Problem(IMPOSSIBLE, f"the filters contradict each other: {error}"))
    return problems


def drive(job: JobDirectory, reporter: JobReporter | None = None) -> JobResult:
    """Drive a job to its end in this process, also one whose driver died; Ctrl-C and SIGTERM stop it.

    Raises NotOwnerError or Superseded when another process drives it or another job has its dataset, EngineError when
    the engine can't be used, OSError and ValueError when the record can't be read or written.
    """
    stored = job.read()
    result = record.result_of(stored)
    if result is not None:
        return result
    request = record.restore(stored)
    _hold(request.dataset, job)
    engine = engine_for(request.options, job.path, watched=reporter is not None)
    driver = JobDriver(job, engine, reporter or JobReporter())
    with stopped_by_signals(driver):
        return driver.run()


def detach(job: JobDirectory) -> subprocess.Popen[bytes]:
    """Let a process of its own drive a job; it outlives this one and the terminal. Waits until it has taken over, so
    that nobody takes the job for abandoned when this process ends."""
    before, _ = last_owner(job.journal)
    process = detached("trivet.workflows.background", job, subprocess.DEVNULL)
    deadline = time.monotonic() + FIRST_WORD
    while last_owner(job.journal)[0] == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


def continued(job: JobDirectory) -> Request:
    """What is asked of a job that goes on where another one failed or was stopped: from its snapshot, at that step
    with the images that are not done, and with the type filters that the steps before left behind.

    Raises ProblemsError when there is nothing to go on with, OSError or ValueError when it can't be read.
    """
    stored = job.read()
    request, result = record.restore(stored), record.result_of(stored)
    if result is None or result.state is RunState.FINISHED or result.step is None:
        message = "is not over; it can be taken up" if result is None else "ended well"
        raise ProblemsError([Problem(NOTHING_LEFT, f"job {job.id} {message}: there is nothing to begin again")])
    step, only = result.step, request.only if result.step == request.first else ()
    states, _ = history.of_images(job, request, step)
    if states:
        only = NOT_DONE
        if all(state == DONE for state in states.values()):  # it was stopped when this step had nothing left to do
            step, only = step + 1, ()
    if step > request.last:
        message = f"job {job.id} has done everything: there is nothing to begin again"
        raise ProblemsError([Problem(NOTHING_LEFT, message)])
    types = dict(flows(request)[step].current)
    attributes = {
        name: values for name, values in request.attribute_filters.items() if name != STATUS or step == request.first
    }
    return replace(request, first=step, type_filters=types, attribute_filters=attributes, only=only)


def abandon(job: JobDirectory, why: str) -> JobResult:
    """End a job whose driver died: what runs on is ended, what units gave is kept.

    Raises as `drive` does.
    """
    request = record.restore(job.read())
    driver = JobDriver(job, engine_for(request.options, job.path), JobReporter())
    driver.abandon(f"its driver died, and {why}")
    return driver.run()


def _freed(dataset: Path) -> int:
    """The number of a dataset's last claim, once that job is over. Raises ProblemsError while somebody drives it."""
    number, job = claims.holder(dataset)
    if job is None or not job.record_file.exists():
        return number
    try:
        if "result" in job.read():
            return number
        if job.owner_alive():
            raise _taken(dataset, job)
        abandon(job, "another job was asked for")
    except NotOwnerError:
        raise _taken(dataset, job) from None
    except (EngineError, OSError, ValueError) as error:
        if isinstance(error, ProblemsError):
            raise
        # What is left of that job can't even be ended; the dataset is not lost with it.
    return number


def _hold(dataset: Path, job: JobDirectory) -> None:
    """Make sure that a dataset belongs to a job. Raises NotOwnerError when it belongs to another one."""
    number, holder = claims.holder(dataset)
    if holder is not None and holder.path.resolve() == job.path.resolve():  # a home may be reached by several ways
        return
    if holder is not None and holder.record_file.exists() and "result" not in holder.read():
        raise NotOwnerError(f"job {holder.id} is on dataset {dataset.name}")
    try:  # the process that asked for this job died before it could claim the dataset
        claims.claim(dataset, job, number)
    except TakenError as error:
        raise NotOwnerError(str(error)) from None


def _taken(dataset: Path, job: JobDirectory | None) -> ProblemsError:
    name = job.id if job is not None else "another one"
    hint = f"wait for it, or `trivet job stop {name}`"
    return ProblemsError(
        [Problem(TAKEN, f"job {name} is on dataset {dataset.name}; it takes one at a time", hint=hint)]
    )
