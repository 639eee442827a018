"""What a machine is too small for, and what the contracts say before a run starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet.engines import hardware
from trivet.runs import start
from trivet.runs.options import Options
from trivet.runs.refusing import shortages
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import ContainerImage, Environment, Resources

GIB = 1024**3


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "cpus", lambda: 2)
    monkeypatch.setattr(hardware, "memory", lambda: {"total": 8 * GIB})
    monkeypatch.setattr(hardware, "gpus", lambda: ["A GPU"])


@pytest.mark.usefixtures("small_machine")
@pytest.mark.parametrize(
    ("needs", "found"),
    [
        (Resources(), []),
        (Resources(2, 8 * GIB, 1), []),
        (Resources(cpus=3), [("B015", "warning")]),
        (Resources(memory=8 * GIB + 1), [("B016", "error")]),
        (Resources(gpus=2), [("B016", "error")]),
        (Resources(16, 64 * GIB, 4), [("B015", "warning"), ("B016", "error"), ("B016", "error")]),
    ],
)
def test_what_this_machine_does_not_have(needs: Resources, found: list[tuple[str, str]]) -> None:
    assert [(problem.code, problem.severity) for problem in shortages(ContainerImage("x"), needs)] == found
    processes = shortages(Environment(), needs)
    assert [(problem.code, problem.severity) for problem in processes] == [(code, "warning") for code, _ in found]


@pytest.mark.usefixtures("small_machine")
def test_the_caller_may_say_what_is_needed_instead() -> None:
    needs = Options(memory=GIB, gpus=0).needs(Resources(3, 64 * GIB, 4))
    assert needs == Resources(3, GIB, 0)
    assert Options().needs(needs) == needs


@pytest.mark.usefixtures("small_machine")
def test_what_is_only_slow_is_kept_with_the_run(tmp_path: Path) -> None:
    task = trivet.command(["true"], resources={"cpus": 5})
    run = start.create(trivet.call(task), Options(), tmp_path)
    assert [note["code"] for note in run.read()["notes"]] == ["B015"]


def test_a_contract_is_asked_before_the_run_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trivet.contracts import command
    from trivet.tasks.problem import Problem

    def refuse(call: Any) -> list[Problem]:
        return [Problem("X001", f"not {call.values['a']}")]

    monkeypatch.setattr(command, "refusals", refuse, raising=False)
    task = trivet.command(["true"], inputs={"a": "integer"})
    with pytest.raises(ProblemsError, match="X001 not 3"):
        start.create(trivet.call(task, {"a": 3}), Options(), tmp_path / "home")
    assert not (tmp_path / "home").exists()
