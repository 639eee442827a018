"""What a unit gave: its output channels, each with at least one item."""

from __future__ import annotations

import os

from trivet.contracts.folding import failure
from trivet.contracts.kaapana.channels import findings
from trivet.contracts.kaapana.staging import output_directories
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
            problems += findings(path, port.name)
        else:
            empty.append(f"`{port.name}` ({port.location})")
    if empty:
        message = f"nothing was written to output channel {', '.join(empty)}"
        return UnitResult(unit.name, Reason.MISSING_OUTPUT, message, outcome.exit_code, outputs, tuple(problems))
    return UnitResult(unit.name, exit_code=outcome.exit_code, outputs=outputs, problems=tuple(problems))
