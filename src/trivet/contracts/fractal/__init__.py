"""The Fractal contract: a Python package with a manifest of tasks, one process per image, image lists as outputs.

This façade only says which room does what; each room is imported when it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trivet.contracts.source import Source
    from trivet.contracts.written import Written
    from trivet.tasks.call import Call
    from trivet.tasks.document import Document
    from trivet.tasks.problem import Problem
    from trivet.tasks.task import Task
    from trivet.tasks.work import AttemptDirectory, Invocation, Outcome, RunResult, Unit, UnitResult


def detect(source: Source) -> bool:
    from trivet.contracts.fractal import manifest

    return manifest.detect(source)


def read(source: Source) -> Document:
    from trivet.contracts.fractal import manifest

    return manifest.read(source)


def check(document: Document) -> Sequence[Problem]:
    from trivet.contracts.fractal import rules

    return rules.check(document)


def tasks(document: Document) -> Sequence[Task]:
    from trivet.contracts.fractal import description

    return description.tasks(document)


def plan(call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
    from trivet.contracts.fractal import units

    return units.plan(call, phase, before)


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    from trivet.contracts.fractal import staging

    return staging.stage(call, unit, where)


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    from trivet.contracts.fractal import outputs

    return outputs.collect(call, unit, where, outcome)


def conclude(call: Call, results: Sequence[UnitResult]) -> RunResult:
    from trivet.contracts.fractal import units

    return units.conclude(call, results)


def write(document: Document | Task, form: str = "2") -> Written:
    """A manifest of either version as one of version 2. Raises ProblemsError for what can't be one."""
    from trivet.contracts.fractal import upgrading

    return upgrading.write(document, form)


def verify(document: Document) -> Sequence[Problem]:
    from trivet.contracts.fractal import wheels

    return tuple(wheels.verify(document))
