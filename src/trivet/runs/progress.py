"""How far a run is: its units and what is known of each, from its record and journal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from trivet.contracts import Contract, contract
from trivet.records import journal
from trivet.records.directory import RunDirectory
from trivet.runs import record
from trivet.runs.events import Again, Demanded, Ended, Event, Noted, Planned, Started, from_line
from trivet.runs.machine import Instruction, Machine, Plan
from trivet.runs.options import Options
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.task import Task
from trivet.tasks.work import AttemptId, Demand, Outcome, Unit, UnitResult

WIDEST = sys.maxsize
"""The window of who only reads: any unit may have been started by now."""


class Progress:
    """A run's machine with the units it numbers, and what the engine saw of them.

    ``run`` begins the names of attempts. ``machine`` is the run's, where somebody made it already.
    """

    def __init__(self, run: str, call: Call, options: Options, window: int, machine: Machine | None = None) -> None:
        self.run = run
        self.call = call
        self.options = options
        self.contract: Contract = contract(call.task.contract)
        self.machine = machine or machine_for(call.task, options, window)
        self.units: list[Unit] = []
        self.starts: dict[int, float] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.notes: dict[int, tuple[Problem, ...]] = {}
        self.demands: dict[int, Demand] = {}
        self._numbers: dict[str, int] = {}

    def attempt(self, number: int) -> AttemptId:
        """The name under which an engine knows a unit as it was started last."""
        return f"{self.run}/{self.units[number].name}/{self.nth(number)}"

    def nth(self, number: int) -> int:
        """How often a unit was started, the next or present time counted."""
        return len(self.machine.failures.get(number, ())) + 1

    def number(self, attempt: AttemptId) -> int | None:
        """The number of the unit whose last attempt has this name; None when there is none."""
        run, name, _ = attempt.rsplit("/", 2)
        number = self._numbers.get(name) if run == self.run else None
        return None if number is None or self.attempt(number) != attempt else number

    def plan(self, phase: int, before: Sequence[UnitResult]) -> int | None:
        """Find the units of a phase and number them; how many."""
        units = self.contract.plan(self.call, phase, before)
        if units is None:
            return None
        for unit in units:
            self._numbers[unit.name] = len(self.units)
            self.units.append(unit)
        return len(units)

    def take(self, event: Event) -> list[Instruction]:
        """Let the machine act on an event, and remember what it says of a unit."""
        self.remember(event)
        return self.machine.handle(event)

    def remember(self, event: Event) -> None:
        """Remember what an event says of a unit, its last attempt."""
        if isinstance(event, Started):
            self.starts[event.unit] = event.at
        elif isinstance(event, Noted):
            self.notes[event.unit] = event.notes
        elif isinstance(event, Demanded):
            self.demands.update(dict.fromkeys(event.units, event.demand))
        elif isinstance(event, Ended):
            self.outcomes[event.unit] = event.outcome
        elif isinstance(event, Again):
            self.starts.pop(event.unit, None)
            self.outcomes.pop(event.unit, None)

    def replay(self, lines: Iterable[dict[str, Any]]) -> None:
        """Take the events of a journal. Planning is pure, so units are found again rather than read."""
        for line in lines:
            event = from_line(line, self.name)
            self.find_units(event)
            self.take(event)

    def find_units(self, event: Event) -> None:
        """Before the event that tells how many they are is taken again: find the units of a phase."""
        if isinstance(event, Planned):
            for instruction in self.machine.pending():
                if isinstance(instruction, Plan):
                    self.plan(instruction.phase, instruction.before)

    def name(self, number: int) -> str:
        """The name of a unit."""
        return self.units[number].name


def machine_for(task: Task, options: Options, window: int) -> Machine:
    """The machine of a run of a task: with retries as the options want them, and with a limit where the contract's
    word is for the engine of this machine."""
    room = contract(task.contract)
    limit = room.limit(task) if options.engine == "local" and hasattr(room, "limit") else None
    return Machine(window, options.retrying, limit)


def read(directory: RunDirectory) -> Progress:
    """How far a run is by now, whoever drives it. Raises OSError, or ValueError for what this version can't read."""
    call, options = record.restore(directory.read())
    progress = Progress(directory.id, call, options, WIDEST)
    progress.replay(journal.read(directory.journal))
    return progress
