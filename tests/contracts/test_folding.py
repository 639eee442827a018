"""One unit a call or one for each element, and what the run makes of their results."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.contracts.folding import failure, fold, one_phase, value_of
from trivet.tasks.call import bind
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import Environment, Port, Task
from trivet.tasks.types import Integer
from trivet.tasks.work import Outcome, Unit, UnitResult

DOCUMENT = Document("command", "command", {}, str(Path("/")), "x")
TASK = Task("command", "t", (Port("n", Integer()), Port("m", Integer(), default=7)), (), Environment(), DOCUMENT)


def test_a_plain_call_is_one_unit_in_one_phase() -> None:
    call = bind(TASK, {"n": 1})
    assert one_phase(call, 0) == (Unit("0"),)
    assert one_phase(call, 1) is None


def test_a_repeated_call_is_one_unit_for_each_element() -> None:
    call = bind(TASK, {"n": [4, 5]}, each="n")
    units = one_phase(call, 0)
    assert units == [Unit("0", values={"n": 4}), Unit("1", values={"n": 5})]
    assert [value_of(call, unit, "n") for unit in units] == [4, 5]
    assert value_of(call, units[1], "m") == 7


@pytest.mark.parametrize(
    ("outcome", "reason", "message"),
    [
        (Outcome(3), Reason.EXIT_CODE, "exit code 3"),
        (Outcome(137, signal=9, reason=Reason.OOM), Reason.OOM, "ended by signal 9"),
        (Outcome(None, reason=Reason.IMAGE_PULL, message="no such image"), Reason.IMAGE_PULL, "no such image"),
        (Outcome(0, reason=Reason.CANCELLED), Reason.CANCELLED, "exit code 0"),
    ],
)
def test_what_the_engine_saw_fails_a_unit(outcome: Outcome, reason: Reason, message: str) -> None:
    result = failure(Unit("0"), outcome)
    assert result is not None
    assert (result.reason, result.message, result.exit_code) == (reason, message, outcome.exit_code)


def test_a_unit_that_exits_with_0_did_not_fail() -> None:
    assert failure(Unit("0"), Outcome(0)) is None


def test_outputs_of_a_repeated_call_are_lists_with_gaps_where_a_unit_failed() -> None:
    call = bind(TASK, {"n": [1, 2, 3]}, each="n")
    results = [
        UnitResult("0", outputs={"a": 1}),
        UnitResult("1", Reason.EXIT_CODE, "exit code 2", 2, problems=(Problem("X", "m"),)),
        UnitResult("2", outputs={"a": 3, "b": 4}),
    ]
    run = fold(call, results)
    assert run.state is RunState.FAILED
    assert (run.reason, run.exit_code) == (Reason.EXIT_CODE, 2)
    assert run.message == "1 of 3 units failed; unit 1: exit code 2"
    assert run.outputs == {"a": [1, None, 3], "b": [None, None, 4]}
    assert run.problems == (Problem("X", "m"),)


def test_all_well_is_finished_with_exit_code_0() -> None:
    run = fold(bind(TASK, {"n": 1}), [UnitResult("0", outputs={"a": 1})])
    assert (run.state, run.exit_code, run.outputs) == (RunState.FINISHED, 0, {"a": 1})


def test_a_cancelled_unit_cancels_the_run() -> None:
    run = fold(bind(TASK, {"n": 1}), [UnitResult("0", Reason.CANCELLED, "cancelled")])
    assert run.state is RunState.CANCELLED
