"""What happened as plain JSON data, and back; defaults are left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import from_json, to_json
from trivet.tasks.work import LogPart, Outcome, RunResult, UnitResult

Json = dict[str, Any]


def outcome_to_json(outcome: Outcome) -> Json:
    """An outcome as data; absent means unknown."""
    data: Json = {}
    for name in _OUTCOME_FIELDS:
        value = getattr(outcome, name)
        if value is not None and value != "":
            data[name] = value
    if outcome.log is not None:
        data["log"] = [outcome.log.path, outcome.log.offset, outcome.log.length]
    return data


def outcome_from_json(data: Json) -> Outcome:
    """The inverse of `outcome_to_json`."""
    fields = {name: data[name] for name in _OUTCOME_FIELDS if name in data}
    if "reason" in fields:
        fields["reason"] = Reason(fields["reason"])
    fields.setdefault("exit_code", None)
    return Outcome(**fields, log=LogPart(*data["log"]) if "log" in data else None)


def problem_to_json(problem: Problem) -> Json:
    """A problem as data, as `trivet check --format json` shows it."""
    data: Json = {"code": problem.code, "severity": problem.severity, "message": problem.message}
    for name in ("hint", "file", "line", "column"):
        if getattr(problem, name):
            data[name] = getattr(problem, name)
    if problem.path:
        data["path"] = list(problem.path)
    return data


def problem_from_json(data: Json) -> Problem:
    """The inverse of `problem_to_json`."""
    return Problem(**{**data, "path": tuple(data.get("path", ()))})


def unit_result_to_json(result: UnitResult) -> Json:
    """The result of a unit as data, without its name."""
    data = _result_to_json(result)
    if result.note is not None:
        data["note"] = result.note
    return data


def unit_result_from_json(unit: str, data: Json) -> UnitResult:
    """The inverse of `unit_result_to_json`."""
    return UnitResult(unit, **_result_from_json(data), note=data.get("note"))


def run_result_to_json(result: RunResult) -> Json:
    """The result of a run as data."""
    return {"state": result.state.value, **_result_to_json(result)}


def run_result_from_json(data: Json) -> RunResult:
    """The inverse of `run_result_to_json`."""
    return RunResult(RunState(data["state"]), **_result_from_json(data))


_OUTCOME_FIELDS = (
    "exit_code", "signal", "reason", "message", "started", "ended", "cpu", "peak_memory", "measured_by",
    "image_digest", "host",
)  # fmt: skip


def _result_to_json(result: UnitResult | RunResult) -> Json:
    data: Json = {}
    if result.reason is not None:
        data["reason"] = result.reason.value
    if result.message:
        data["message"] = result.message
    if result.exit_code is not None:
        data["exit_code"] = result.exit_code
    if result.outputs:
        data["outputs"] = to_json(result.outputs)
    if result.problems:
        data["problems"] = [problem_to_json(problem) for problem in result.problems]
    return data


def _result_from_json(data: Json) -> Json:
    return {
        "reason": Reason(data["reason"]) if "reason" in data else None,
        "message": data.get("message", ""),
        "exit_code": data.get("exit_code"),
        "outputs": from_json(data.get("outputs", {})),
        "problems": tuple(problem_from_json(item) for item in data.get("problems", ())),
    }


def iso(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 text in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
