"""What a unit of a task of version 1 has written: an update of the dataset's metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trivet.contracts.folding import failure
from trivet.contracts.fractal.manifest import entry_of
from trivet.contracts.fractal.outputs import read_output
from trivet.contracts.fractal.staging import OUTPUT
from trivet.contracts.fractal.v1.manifest import GATHER, METADATA, level_of
from trivet.datasets.images import TYPE
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptDirectory, Outcome, Unit, UnitResult


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    """Read the output file; a missing one and null are no output (Fractal version 1, output).

    The update is the output `metadata`. What parallel units say counts only where it is gathered: else a file that
    can't be read is no more than a warning.
    """
    failed = failure(unit, outcome)
    if failed is not None:
        return failed
    path = where.file(OUTPUT)
    problems: list[Problem] = []
    data = read_output(path, problems)
    if not problems and not isinstance(data, dict | None):
        problems.append(Problem(TYPE, f"the output must be an object of metadata, not {data!r:.40}"))
    if not problems:
        outputs: dict[str, Any] = {METADATA: data} if data else {}
        return UnitResult(unit.name, exit_code=0, outputs=outputs)
    ignored = level_of(entry_of(call.task.document, call.task.name)) is not None and not call.values.get(GATHER)
    told = tuple(replace(one.at(str(path)), severity="warning" if ignored else "error") for one in problems)
    if ignored:
        return UnitResult(unit.name, exit_code=0, problems=told)
    return UnitResult(unit.name, Reason.INVALID_OUTPUT, f"invalid output: {told[0].message}", 0, problems=told)
