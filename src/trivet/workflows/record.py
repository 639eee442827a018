"""``job.json``: what was asked of a job, with everything it takes to do it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivet.records import UnreadableError, directory
from trivet.records.codec import iso
from trivet.runs.record import asked_from, options_from_json, task_from_json, task_to_json
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import from_json, to_json
from trivet.workflows.machine import JobMachine
from trivet.workflows.reporting import JobResult
from trivet.workflows.workflow import Request, Step, Workflow

Record = dict[str, Any]


def asked(identifier: str, request: Request, now: float) -> Record:
    """The record of a job that was just asked for: a snapshot, whatever becomes of packages and files."""
    workflow = request.workflow
    return {
        "format": directory.FORMAT,
        "id": identifier,
        "created": iso(now),
        "workflow": {
            "name": workflow.name,
            "description": workflow.description,
            "steps": [_step_to_json(step) for step in workflow.steps],
        },
        "dataset": str(request.dataset),
        "first": request.first,
        "last": request.last,
        "type_filters": dict(request.type_filters),
        "attribute_filters": {name: list(values) for name, values in request.attribute_filters.items()},
        "only": list(request.only),
        "options": request.options.to_json(),
        **asked_from(),
    }


def restore(record: Record) -> Request:
    """What was asked. Raises UnreadableError when this version can't read it any more."""
    try:
        stored = record["workflow"]
        steps = tuple(_step_from_json(step) for step in stored["steps"])
        return Request(
            Workflow(stored["name"], steps, stored["description"]),
            Path(record["dataset"]),
            record["first"],
            record["last"],
            record["type_filters"],
            record["attribute_filters"],
            options_from_json(record["options"]),
            tuple(record["only"]),
        )
    except (KeyError, TypeError) as error:
        raise UnreadableError(f"the record of the job can't be read: {error!r}") from None


def concluded(record: Record, result: JobResult, machine: JobMachine, usage: Mapping[str, Any], now: float) -> Record:
    """The record completed by how the job went."""
    return {
        **record,
        "ended": iso(now),
        "result": _result_to_json(result),
        "steps": [
            {
                "order": order,
                "images": machine.selected[order].images,
                "units": end.units,
                "done": end.done,
                "failed": end.failed,
                "version": end.applied.version,
            }
            for order, end in machine.ended.items()
        ],
        "usage": dict(usage),
    }


def result_of(record: Record) -> JobResult | None:
    """How the job ended; None when it is not over."""
    if "result" not in record:
        return None
    stored = record["result"]
    reason = Reason(stored["reason"]) if "reason" in stored else None
    return JobResult(RunState(stored["state"]), reason, stored.get("message", ""), stored.get("step"))


def _result_to_json(result: JobResult) -> Record:
    data: Record = {"state": result.state.value}
    if result.reason is not None:
        data |= {"reason": result.reason.value, "message": result.message, "step": result.step}
        if result.reason.remedy:
            data["remedy"] = result.reason.remedy
    return data


def _step_to_json(step: Step) -> Record:
    return {
        "task": task_to_json(step.task),
        "values": to_json(step.values),
        "type_filters": dict(step.type_filters),
        "alias": step.alias,
        "description": step.description,
    }


def _step_from_json(stored: Record) -> Step:
    values = from_json(stored["values"])
    assert isinstance(values, Mapping)  # noqa: S101 - written by `_step_to_json`
    task = task_from_json(stored["task"])
    return Step(task, values, stored["type_filters"], stored["alias"], stored["description"])
