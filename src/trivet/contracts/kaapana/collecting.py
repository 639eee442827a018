"""What a unit gave: its output channels, each with at least one item."""

from __future__ import annotations

import os
from collections.abc import Iterator

from trivet.contracts.folding import failure
from trivet.contracts.kaapana.channels import examine
from trivet.contracts.kaapana.ports import template_of
from trivet.contracts.kaapana.relations import departures
from trivet.contracts.kaapana.staging import expected_memory, input_directories, output_directories
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.values import FileRef, Value
from trivet.tasks.work import AttemptDirectory, Outcome, Unit, UnitResult


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    """The output channels of a unit that ended well; departures from the channel convention are warnings."""
    failed = failure(unit, outcome)
    if failed is not None:
        return failed
    outputs: dict[str, Value] = {}
    items: dict[str, frozenset[str]] = {}
    problems: list[Problem] = []
    empty: list[str] = []
    for port, directory in zip(call.task.outputs, output_directories(call.task), strict=True):
        path = str(where.root.absolute() / "outputs" / directory)
        try:
            with os.scandir(path) as entries:
                filled = next(entries, None) is not None
        except OSError:
            filled = False
        if filled:
            outputs[port.name] = FileRef(path)
            items[port.name], found = examine(path, port.name)
            problems += found
        else:
            empty.append(f"`{port.name}` ({port.location})")
    problems += departures(template_of(call.task).outputs, items, input_directories(call, unit))
    problems += _beyond_the_rules(where, outcome)
    if empty:
        message = f"nothing was written to output channel {', '.join(empty)}"
        return UnitResult(unit.name, Reason.MISSING_OUTPUT, message, outcome.exit_code, outputs, tuple(problems))
    return UnitResult(unit.name, exit_code=outcome.exit_code, outputs=outputs, problems=tuple(problems))


def _beyond_the_rules(where: AttemptDirectory, outcome: Outcome) -> Iterator[Problem]:
    """A word about a unit that lived on the headroom of its scale rules."""
    expected = expected_memory(where)
    peak = outcome.peak_memory
    if expected is not None and peak is not None and peak > expected:
        message = f"{peak:,} bytes of memory were used, more than the {expected:,} of the scale rules without headroom"
        hint = "`trivet kaapana suggest-scale-rule` fits a rule to past runs"
        yield Problem("K027", message, "warning", hint)
