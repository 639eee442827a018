"""A task with checked values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trivet.tasks.problem import Problem, ProblemsError, closest, has_errors, nearest
from trivet.tasks.task import MISSING, Port, Task
from trivet.tasks.types import Array, String
from trivet.tasks.values import Value


@dataclass(frozen=True, slots=True)
class Call:
    """A task with a value for every input that needs one; made by `bind` only.

    ``values`` holds defaults too. ``each`` names the input whose value is a list, one unit for each element.
    """

    task: Task
    values: Mapping[str, Value]
    each: str | None = None
    notes: tuple[Problem, ...] = ()


def bind(task: Task, values: Mapping[str, Value], each: str | None = None) -> Call:
    """Check values against a task's inputs, all of them, and add the defaults.

    ``each`` names an input that is given a list to be repeated over; a task that repeats by nature needs no word. None
    unsets an input whose type knows no such value: an optional one is left out, even if it has a default; any other
    has its default. Raises ProblemsError with every problem: unknown names, missing values, wrong types, constraints.
    """
    values = {name: value for name, value in values.items() if not _is_unset(task.input(name), value)}
    repeated = each or task.repeats
    problems: list[Problem] = []
    if repeated is not None and repeated not in values:
        port = task.input(repeated)
        if port is None:
            problems.append(_unknown(task, repeated))
        elif not port.required:
            problems.append(_needs_list(port))
    for name, value in values.items():
        port = task.input(name) or (Port(name, String()) if task.open_inputs else None)
        if port is None:
            problems.append(_unknown(task, name))
            continue
        if task.input(name) is None:
            problems.append(_passed_on(task, name))
        problems += _faults(port, value, repeated=name == repeated)
    for port in task.inputs:
        if port.required and port.name not in values:
            problems.append(
                Problem(
                    "B002",
                    f"input `{port.name}` ({port.type.describe()}) has no value",
                    hint=_how_to_give(port),
                )
            )
    if has_errors(problems):
        raise ProblemsError(problems)
    complete = {port.name: port.default for port in task.inputs if port.default is not MISSING}
    return Call(task, {**complete, **values}, repeated, tuple(problems))  # type: ignore[dict-item]


def _is_unset(port: Port | None, value: Value) -> bool:
    return value is None and port is not None and not port.optional and any(port.type.faults(None))


def _faults(port: Port, value: Value, repeated: bool) -> list[Problem]:
    if not port.adjustable and value != port.default:
        return [
            Problem("B004", f"input `{port.name}` is not adjustable; its value is always {port.default!r}"),
        ]
    if value is None and port.optional:
        return []
    if repeated and isinstance(value, Sequence) and not isinstance(value, str):
        kind = Array(port.type, min_size=1)
        return [Problem("B003", f"input `{port.name}`: {fault}") for fault in kind.faults(value)]
    if repeated:
        return [_needs_list(port)]
    return [Problem("B003", f"input `{port.name}`: {fault}") for fault in port.type.faults(value)]


def _needs_list(port: Port) -> Problem:
    return Problem("B003", f"input `{port.name}` is repeated over and needs a list of {port.type.describe()}")


def _unknown(task: Task, name: str) -> Problem:
    return Problem(
        "B001", f"{task.name} has no input `{name}`", hint=closest(name, (port.name for port in task.inputs))
    )


def _passed_on(task: Task, name: str) -> Problem:
    message = f"`{name}` is not declared by {task.name}; it is passed on"
    near = nearest(name, (port.name for port in task.inputs))
    if near is None:
        return Problem("B005", message, "info")
    return Problem("B005", message, "warning", hint=f"did you mean `{near}`?")


def _how_to_give(port: Port) -> str:
    return f"give --input {port.name}=PATH" if port.type.is_file else f"give {port.name}=VALUE"
