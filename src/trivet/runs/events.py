"""What can happen to a run, and each event as a line of the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trivet.records import codec
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.work import Demand, Outcome, RunResult, UnitResult


@dataclass(frozen=True, slots=True)
class Asked:
    """The run exists and everything it needs was checked."""

    at: float


@dataclass(frozen=True, slots=True)
class Planned:
    """A phase has that many units; None: there is no such phase."""

    at: float
    units: int | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The engine has taken units."""

    at: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A unit waits for something before its program can start, or can't be seen while it runs, and maybe others with
    it. Without a message that is over."""

    at: float
    message: str
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The program of a unit runs; left out where Ended says so at the same moment."""

    at: float
    unit: int


@dataclass(frozen=True, slots=True)
class Noted:
    """Staging a unit had something to say: how its limits came about, what its inputs look like."""

    at: float
    unit: int
    notes: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Demanded:
    """Units are about to be started that ask for the same; those that ask for nothing are not told of."""

    at: float
    units: tuple[int, ...]
    demand: Demand


@dataclass(frozen=True, slots=True)
class Ended:
    """A unit is over, by the engine's word."""

    at: float
    unit: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Collected:
    """What a unit gave is known; ``warned``: its log speaks of a warning (only jobs look)."""

    at: float
    unit: int
    result: UnitResult
    warned: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """A unit that failed for a reason that may pass has waited long enough to be started once more."""

    at: float
    unit: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run shall end: somebody asked for it (reason cancelled), or it can't go on."""

    at: float
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Concluded:
    """The run is over."""

    at: float
    result: RunResult


Event = (
    Asked | Planned | Accepted | Waiting | Noted | Demanded | Started | Ended | Collected | Again | Stopped | Concluded
)


def to_line(event: Event) -> dict[str, Any]:
    """An event as JSON data: ``e`` its kind, ``t`` the time, ``u`` the unit's number."""
    match event:
        case Asked(at):
            return {"e": "asked", "t": at}
        case Planned(at, units):
            return {"e": "planned", "t": at, "units": units}
        case Accepted(at):
            return {"e": "accepted", "t": at}
        case Waiting(at, message, unit):
            line = {"e": "waiting", "t": at, "m": message}
            return line if unit is None else {**line, "u": unit}
        case Noted(at, unit, notes):
            return {"e": "noted", "t": at, "u": unit, "n": [codec.problem_to_json(note) for note in notes]}
        case Demanded(at, units, demand):
            said = {name: value for name, value in asdict(demand).items() if value is not None}
            return {"e": "demanded", "t": at, "units": _spans(units), **said}
        case Started(at, unit):
            return {"e": "started", "t": at, "u": unit}
        case Ended(at, unit, outcome):
            return {"e": "ended", "t": at, "u": unit, "o": codec.outcome_to_json(outcome)}
        case Collected(at, unit, result, warned):
            line = {"e": "collected", "t": at, "u": unit, "r": codec.unit_result_to_json(result)}
            return {**line, "w": True} if warned else line
        case Again(at, unit):
            return {"e": "again", "t": at, "u": unit}
        case Stopped(at, reason, message):
            return {"e": "stopped", "t": at, "reason": reason.value, "m": message}
        case Concluded(at, result):
            return {"e": "concluded", "t": at, "r": codec.run_result_to_json(result)}


def from_line(line: dict[str, Any], unit_name: Callable[[int], str]) -> Event:
    """The inverse of `to_line`; ``unit_name`` gives the name of a unit by its number. Raises KeyError for a line this
    version does not know."""
    at = line["t"]
    match line["e"]:
        case "asked":
            return Asked(at)
        case "planned":
            return Planned(at, line["units"])
        case "accepted":
            return Accepted(at)
        case "waiting":
            return Waiting(at, line["m"], line.get("u"))
        case "noted":
            return Noted(at, line["u"], tuple(codec.problem_from_json(note) for note in line["n"]))
        case "demanded":
            units = tuple(unit for first, last in line["units"] for unit in range(first, last + 1))
            return Demanded(at, units, Demand(line.get("cpus"), line.get("memory"), line.get("time")))
        case "started":
            return Started(at, line["u"])
        case "ended":
            return Ended(at, line["u"], codec.outcome_from_json(line["o"]))
        case "collected":
            result = codec.unit_result_from_json(unit_name(line["u"]), line["r"])
            return Collected(at, line["u"], result, line.get("w", False))
        case "again":
            return Again(at, line["u"])
        case "stopped":
            return Stopped(at, Reason(line["reason"]), line["m"])
        case "concluded":
            return Concluded(at, codec.run_result_from_json(line["r"]))
        case unknown:
            raise KeyError(unknown)


def _spans(numbers: Sequence[int]) -> list[list[int]]:
    """First and last of each row of numbers that follow each other."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found
