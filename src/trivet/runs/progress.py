"""How far a run is: its units and what is known of each, from its record and journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trivet.contracts import Contract, contract
from trivet.records import journal
from trivet.records.directory import RunDirectory
from trivet.runs import record
from trivet.runs.events import Ended, Event, Noted, Planned, Started, from_line
from trivet.runs.machine import Instruction, Machine, Plan
from trivet.runs.options import Options
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.work import AttemptId, Outcome, Unit, UnitResult


class Progress:
    """A run's machine with the units it numbers, and what the engine saw of them."""

    def __init__(self, run: str, call: Call, options: Options, window: int) -> None:
        self.run = run
        self.call = call
        self.options = options
        self.contract: Contract = contract(call.task.contract)
        self.machine = Machine(window)
        self.units: list[Unit] = []
        self.numbers: dict[AttemptId, int] = {}
        self.starts: dict[int, float] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.notes: dict[int, tuple[Problem, ...]] = {}

    def attempt(self, number: int) -> AttemptId:
        """The name under which an engine knows a unit."""
        return f"{self.run}/{self.units[number].name}/1"

    def plan(self, phase: int, before: Sequence[UnitResult]) -> int | None:
        """Find the units of a phase and number them; how many."""
        units = self.contract.plan(self.call, phase, before)
        if units is None:
            return None
        for unit in units:
            self.units.append(unit)
            self.numbers[self.attempt(len(self.units) - 1)] = len(self.units) - 1
        return len(units)

    def take(self, event: Event) -> list[Instruction]:
        """Let the machine act on an event, and remember what it says of a unit."""
        if isinstance(event, Started):
            self.starts.setdefault(event.unit, event.at)
        elif isinstance(event, Noted):
            self.notes[event.unit] = event.notes
        elif isinstance(event, Ended):
            self.outcomes.setdefault(event.unit, event.outcome)
        return self.machine.handle(event)

    def replay(self, lines: Iterable[dict[str, Any]]) -> None:
        """Take the events of a journal. Planning is pure, so units are found again rather than read."""
        for line in lines:
            event = from_line(line, lambda number: self.units[number].name)
            if isinstance(event, Planned):
                for instruction in self.machine.pending():
                    if isinstance(instruction, Plan):
                        self.plan(instruction.phase, instruction.before)
            self.take(event)


def read(directory: RunDirectory) -> Progress:
    """How far a run is by now, whoever drives it. Raises OSError, or ValueError for what this version can't read."""
    call, options = record.restore(directory.read())
    progress = Progress(directory.id, call, options, window=1)
    progress.replay(journal.read(directory.journal))
    return progress
