"""What can happen to a job, and each event as a line of its journal. Steps are known by their order, from 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trivet.records import codec
from trivet.runs import events as runs
from trivet.runs.events import Stopped
from trivet.tasks.work import RunResult


@dataclass(frozen=True, slots=True)
class Asked:
    """The job exists and everything it needs was checked."""

    at: float


@dataclass(frozen=True, slots=True)
class Selected:
    """The images of a step were chosen, so many, from a version of the dataset: the same can be chosen again."""

    at: float
    step: int
    version: int
    images: int


@dataclass(frozen=True, slots=True)
class Within:
    """Something happened to the run of a step."""

    step: int
    event: runs.Event


@dataclass(frozen=True, slots=True)
class Applied:
    """What the units of a step gave is in the dataset, now of that version (None: it can't be applied at all).

    ``result`` is how the step ended, without outputs; ``refused`` says of which units the output was not taken, and
    why.
    """

    at: float
    step: int
    version: int | None
    result: RunResult
    refused: Mapping[str, str] = field(default_factory=dict)


Event = Asked | Selected | Within | Applied | Stopped


def to_line(event: Event) -> dict[str, Any]:
    """An event as JSON data: ``s`` the step, ``e`` its kind, ``t`` the time."""
    match event:
        case Asked(at):
            return {"e": "asked", "t": at}
        case Selected(at, step, version, images):
            return {"s": step, "e": "selected", "t": at, "version": version, "images": images}
        case Within(step, inner):
            return {"s": step, **runs.to_line(inner)}
        case Applied(at, step, version, result, refused):
            line = {"s": step, "e": "applied", "t": at, "version": version, "r": codec.run_result_to_json(result)}
            return {**line, "refused": dict(refused)} if refused else line
        case Stopped():
            return runs.to_line(event)


def from_line(line: dict[str, Any], unit_name: Callable[[int, int], str]) -> Event:
    """The inverse of `to_line`; ``unit_name`` gives the name of a unit by its step and number. Raises KeyError for a
    line this version does not know."""
    if "s" not in line:
        if line["e"] == "asked":
            return Asked(line["t"])
        event = runs.from_line(line, lambda number: "")
        if isinstance(event, Stopped):
            return event
        raise KeyError(line["e"])
    step, at = line["s"], line["t"]
    if line["e"] == "selected":
        return Selected(at, step, line["version"], line["images"])
    if line["e"] == "applied":
        result = codec.run_result_from_json(line["r"])
        return Applied(at, step, line["version"], result, line.get("refused", {}))
    return Within(step, runs.from_line(line, lambda number: unit_name(step, number)))
