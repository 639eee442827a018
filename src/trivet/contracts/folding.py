"""Planning and folding that most contracts share: one unit a call, or one for each element of the repeated input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import Value
from trivet.tasks.work import Outcome, RunResult, Unit, UnitResult


def one_phase(call: Call, phase: int) -> Sequence[Unit] | None:
    """One unit, or one for each element of the repeated input, in a single phase."""
    if phase > 0:
        return None
    if call.each is None:
        return (Unit("0"),)
    elements = cast("Sequence[Value]", call.values[call.each])
    return [Unit(str(index), values={call.each: element}) for index, element in enumerate(elements)]


def failure(unit: Unit, outcome: Outcome) -> UnitResult | None:
    """The result of a unit that did not end well by the engine's word; None when it exited with 0."""
    if outcome.reason is None and outcome.exit_code == 0:
        return None
    reason = outcome.reason or Reason.EXIT_CODE
    if outcome.message:
        message = outcome.message
    elif outcome.signal is not None:
        message = f"ended by signal {outcome.signal}"
    elif outcome.exit_code is None:
        message = "it was never started"
    else:
        message = f"exit code {outcome.exit_code}"
    return UnitResult(unit.name, reason, message, outcome.exit_code)


def fold(call: Call, results: Sequence[UnitResult]) -> RunResult:
    """Finished when every unit is; otherwise the first failure in unit order gives reason and message.

    Outputs of one unit are the run's outputs; those of a repeated call become lists in unit order (None for a unit
    that failed).
    """
    failed = [result for result in results if not result.ok]
    problems = tuple(problem for result in results for problem in result.problems)
    if call.each is None:
        outputs = dict(results[-1].outputs) if results else {}
    else:
        names = dict.fromkeys(name for result in results for name in result.outputs)
        outputs = {name: [result.outputs.get(name) for result in results] for name in names}
    if not failed:
        return RunResult(RunState.FINISHED, exit_code=0, outputs=outputs, problems=problems)
    return failed_run(failed, len(results), outputs, problems)


def failed_run(
    failed: Sequence[UnitResult], total: int, outputs: Mapping[str, Value], problems: Sequence[Problem]
) -> RunResult:
    """A run of ``total`` units of which ``failed`` (at least one, in unit order) did not end well."""
    first = failed[0]
    where = "" if total == 1 else f"{len(failed)} of {total} units failed; unit {first.unit}: "
    return RunResult(
        RunState.CANCELLED if first.reason is Reason.CANCELLED else RunState.FAILED,
        first.reason,
        where + first.message,
        first.exit_code,
        outputs,
        tuple(problems),
    )


def value_of(call: Call, unit: Unit, name: str) -> Value:
    """The value an input has for one unit."""
    return unit.values[name] if name in unit.values else call.values.get(name)
