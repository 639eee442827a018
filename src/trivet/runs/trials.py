"""Trying out a container project: its image is built, and its tasks are run on their test data."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from trivet.contracts.kaapana import CONTAINER_FILE
from trivet.records import files
from trivet.runs import inputs, start
from trivet.runs.choosing import tasks
from trivet.runs.options import Options
from trivet.runs.reporting import Reporter
from trivet.runs.sources import search
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import Task
from trivet.tasks.work import RunResult


@dataclass(frozen=True, slots=True)
class Case:
    """One template with something to run it on: a task.json, or nothing where it needs no input.

    ``name`` is its own among the cases of a project. ``expected`` is a directory whose files the outputs must hold,
    byte for byte.
    """

    name: str
    template: str
    target: str
    expected: Path | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a case: the run's result, and what is wrong with it, warnings too."""

    case: Case
    problems: tuple[Problem, ...]
    result: RunResult | None = None
    run: str = ""

    @property
    def ok(self) -> bool:
        return not has_errors(self.problems)


def container_name(project: Path) -> str:
    """The name of the container a project makes. Raises ProblemsError when its container file is missing or bad."""
    found, problems = tasks(str(project / CONTAINER_FILE))
    if has_errors(problems):
        raise ProblemsError(problems)
    return found[0].namespace


def cases(project: Path) -> tuple[list[Case], list[str]]:
    """Every task.json of a project, and the templates that need no task; then the templates that nothing tries out.

    The outputs of ``NAME.json`` must be those in the directory ``NAME.expected`` beside it, if there is one.
    Raises ProblemsError when its documents are bad.
    """
    container = project / CONTAINER_FILE
    templates, problems = tasks(str(container))
    found: list[Case] = []
    for source in search(str(project))[0]:
        if not isinstance(source.data, dict) or not isinstance(source.data.get("taskTemplate"), str):
            continue
        path = Path(source.name)
        expected = path.with_name(f"{path.stem}.expected")
        template, name = source.data["taskTemplate"], _free(path.stem, found)
        found.append(Case(name, template, source.name, expected if expected.is_dir() else None))
    tried = {case.template for case in found}
    for task in templates:
        if task.name not in tried and not any(port.required for port in task.inputs):
            found.append(Case(_free(task.name, found), task.name, f"{container}#{task.name}"))
            tried.add(task.name)
    if has_errors(problems):
        raise ProblemsError(problems)
    return found, [task.name for task in templates if task.name not in tried]


def _free(name: str, found: Sequence[Case]) -> str:
    """The name, or where a case has it already, the name with a number."""
    taken = {case.name for case in found}
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def attempt(case: Case, image: str, output: Path, home: Path, runtime: str | None, reporter: Reporter) -> Tried:
    """Run a case in an image; its outputs go to a directory that is new or empty."""
    try:
        [task], problems = tasks(case.target, image=image)
        if has_errors(problems):
            raise ProblemsError(problems)
        call = inputs.bound(task, (), home)
        directory = start.create(call, Options(runtime=runtime, output=str(output)), home)
    except ProblemsError as error:
        return Tried(case, error.problems)
    result = start.drive(directory, reporter)
    if result.reason is not None:
        message = f"{result.reason}: {result.message}"
        return Tried(case, (*result.problems, Problem("K081", message)), result, directory.id)
    differences = _differences(task, output, case.expected) if case.expected is not None else ()
    return Tried(case, (*result.problems, *differences), result, directory.id)


def _differences(task: Task, output: Path, expected: Path) -> Iterator[Problem]:
    channels = {port.name for port in task.outputs}
    for path in files.files_below(expected):
        name = path.relative_to(expected)
        made = output / name
        if name.parts[0] not in channels:
            yield Problem("K082", f"the task has no output channel `{name.parts[0]}`", file=str(path))
        elif not made.is_file():
            yield Problem("K082", f"{name} was not made", file=str(path))
        elif not filecmp.cmp(path, made, shallow=False):
            yield Problem("K082", f"{name} is not what was expected", file=str(path), hint=f"made: {made}")


def untried(templates: Sequence[str]) -> Iterator[Problem]:
    """An error for every template that no task.json of the project instantiates."""
    for name in templates:
        hint = f'add a task.json with "taskTemplate": "{name}" and test data for its inputs'
        yield Problem("K083", f"template `{name}` is not tried out", hint=hint)
