"""What people are shown of a job: its steps, their units, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trivet.cli.reporting import printable
from trivet.cli.tables import table
from trivet.records.datasets import DamagedError, DatasetDirectory
from trivet.records.directory import JobDirectory
from trivet.tasks.quantities import format_duration, format_memory
from trivet.workflows import history
from trivet.workflows.history import JobHistory, StepHistory, UnitHistory

LAST_LINES = 10
"""So many lines of the log of a failed unit are shown."""

_ROOM = 64 * 1024


def job_data(read: JobHistory) -> dict[str, Any]:
    """A job as JSON data."""
    steps = [{**asdict(step), "standing": step.standing._asdict()} for step in read.steps]
    return {**asdict(read), "dataset": str(read.dataset), "steps": steps}


def unit_data(unit: UnitHistory) -> dict[str, Any]:
    """A unit as JSON data."""
    return {**asdict(unit), "log": None if unit.log is None else str(unit.log)}


def headline(read: JobHistory) -> str:
    """A job in one line."""
    reason = f" ({read.result.reason.value})" if read.result and read.result.reason else ""
    text = f"{read.id}  {read.state}{reason}  {read.workflow} on {read.dataset.name}"
    now = current(read)
    if now is None or read.result is not None:
        return text
    counts = f", {now.done} of {now.units} units" if now.units else ""
    failed = f", {now.failed} failed" if now.failed else ""
    going = f", {now.standing}" if str(now.standing) else ""
    return printable(f"{text}, step {now.order} {now.name}{counts}{failed}{going}")


def job_lines(job: JobDirectory, read: JobHistory) -> Iterator[str]:
    """A job for people: its state, its steps, and what failed."""
    yield headline(read)
    if read.result is not None and read.result.message:
        yield f"  {printable(read.result.message)}"
    yield ""
    paths = [("directory", str(job.path)), ("dataset", str(read.dataset)), ("created", read.created)]
    yield from table(None, [*paths, *facts(job, read)])
    yield ""
    yield from step_lines(read.steps)
    if read.result is not None and read.result.step is not None:
        failed = list(failure_lines(job, read.result.step))
        if failed:
            yield from ("", f"Failed at step {read.result.step}", *(f"  {line}" for line in failed))


def current(read: JobHistory) -> StepHistory | None:
    """The step that a job is at, the last one begun; None before the first."""
    begun = [step for step in read.steps if step.state != "unset"]
    return begun[-1] if begun else None


def step_lines(steps: Sequence[StepHistory], indent: str = "  ") -> Iterator[str]:
    """A table of steps."""
    rows = [
        (
            str(step.order),
            step.name,
            "" if step.state == "unset" else step.state,
            *(_count(number, step) for number in (step.images, step.units, step.done)),
            str(step.failed or ""),
            str(step.warned or ""),
            _took(step),
        )
        for step in steps
    ]
    yield from table(("STEP", "NAME", "STATE", "IMAGES", "UNITS", "DONE", "FAILED", "WARNINGS", "TIME"), rows, indent)


def _count(number: int, step: StepHistory) -> str:
    return "" if step.state == "unset" else str(number)


def _took(step: StepHistory) -> str:
    if step.began is None:
        return ""
    return format_duration((step.ended or time.time()) - step.began) if step.ended or step.state == "submitted" else ""


def facts(job: JobDirectory, read: JobHistory) -> Iterator[tuple[str, str]]:
    """What a job took, and what came of it: times, and images of the dataset that are new or changed."""
    record = job.read()
    begun = [step.began for step in read.steps if step.began is not None]
    ends = [step.ended for step in read.steps if step.ended is not None]
    if begun and ends:
        yield "time", format_duration(max(ends) - min(begun))
    usage = record.get("usage", {})
    if usage.get("cpu"):
        yield "CPU time", format_duration(usage["cpu"])
    if usage.get("peak_memory"):
        yield "peak memory", f"{format_memory(usage['peak_memory'])} by {usage['measured_by']}"
    changed = _changed_images(job, read)
    if changed:
        yield "images", changed


def _changed_images(job: JobDirectory, read: JobHistory) -> str:
    """How many images the versions made by a job added, changed and removed."""
    try:
        dataset = DatasetDirectory(read.dataset)
        mine = [head.number for head in dataset.heads() if head.by.get("job") == job.id]
        if not mine:
            return ""
        before, after = (dataset.read(number).images for number in (mine[0] - 1, mine[-1]))
    except (OSError, ValueError, KeyError):
        return ""
    counts = (
        (sum(url not in before for url in after), "new"),
        (sum(url in before and before[url] != image for url, image in after.items()), "changed"),
        (sum(url not in after for url in before), "removed"),
    )
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{told or 'none changed'}; {len(after)} in the dataset"


def unit_lines(units: Sequence[UnitHistory]) -> Iterator[str]:
    """A table of units."""
    rows = [
        (
            unit.name,
            f"{unit.state} ({unit.reason})" if unit.reason else unit.state,
            "" if unit.attempts < 2 else str(unit.attempts),
            "yes" if unit.warned else "",
            unit.zarr_url or "",
            "" if unit.log is None else str(unit.log),
        )
        for unit in units
    ]
    yield from table(("UNIT", "STATE", "STARTS", "WARNINGS", "IMAGE", "LOG"), rows, indent="")


def failure_lines(job: JobDirectory, step: int, limit: int = 5) -> Iterator[str]:
    """The failed units of a step: what was said of each, where its log is, and how that ends."""
    try:
        failed = [unit for unit in history.units(job, step) if unit.state == "failed"]
    except (OSError, DamagedError) as error:
        yield f"the units can't be told without the dataset: {error}"
        return
    for unit in failed[:limit]:
        reason = f" ({unit.reason})" if unit.reason else ""
        image = f" for {unit.zarr_url}" if unit.zarr_url else ""
        yield f"{unit.name}{printable(image)}: failed{reason}"
        first = unit.message.strip().splitlines()[:1]
        yield from (f"  {printable(line)}" for line in first)
        if unit.log is not None:
            yield f"  log: {unit.log}"
            yield from (f"  | {printable(line)}" for line in last_lines(unit.log))
    if len(failed) > limit:
        yield f"… {len(failed)} units failed; trivet job show {job.id} --units {step} --failed lists them"


def last_lines(log: Path, count: int = LAST_LINES) -> list[str]:
    """The last lines of a log, decoded with replacement; none where it can't be read."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _ROOM))
            return stream.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []
