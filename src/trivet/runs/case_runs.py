"""Running the test cases of a Cytomine task, each as a run like any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.contracts.cytomine.cases import Case, differences
from trivet.records import codec
from trivet.runs import inputs, start
from trivet.runs.options import Options
from trivet.runs.reporting import Reporter
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.states import Reason
from trivet.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a case: what is wrong, warnings too; ``run`` is empty when nothing was started."""

    case: Case
    problems: tuple[Problem, ...]
    run: str = ""

    @property
    def ok(self) -> bool:
        return not has_errors(self.problems)

    def to_json(self) -> dict[str, Any]:
        problems = [codec.problem_to_json(problem) for problem in self.problems]
        return {"name": self.case.name, "file": self.case.file, "ok": self.ok, "run": self.run, "problems": problems}


def attempt(task: Task, case: Case, options: Options, home: Path, reporter: Reporter) -> Tried:
    """Run a case and compare what it gives. Raises EngineError and OSError when nothing can be run at all."""
    if has_errors(case.problems):
        return Tried(case, case.problems)
    try:
        call = inputs.bound(task, (), home, given=inputs.in_data(task, case.inputs, case.base))
        directory = start.create(call, options, home)
    except ProblemsError as error:
        placed = (problem if problem.file else problem.at(case.file) for problem in error.problems)
        return Tried(case, (*case.problems, *placed))
    result = start.drive(directory, reporter)
    problems = [*case.problems, *result.problems]
    ended = result.exit_code if result.reason in (None, Reason.EXIT_CODE) else None
    if ended == case.exit_code and result.reason is None:
        problems += differences(task, case, result.outputs)
    elif ended != case.exit_code:
        expected = f"exit code {case.exit_code}"
        message = f"{result.reason}: {result.message}" if result.reason else "the task ended well"
        problems.append(Problem("C304", f"{message}; {expected} was expected", file=case.file))
    return Tried(case, tuple(problems), directory.id)
