"""Trivet's own plain contract: any command line with named inputs and outputs, in an image or on this machine.

It is what a program needs that follows none of the public contracts. A document is a JSON or YAML object::

    {"trivet": 1, "name": "blur", "command": ["python3", "blur.py", "{photo}", "{sigma}", "{blurred}"],
     "inputs": {"photo": "image", "sigma": {"type": "number", "default": 1.5}},
     "outputs": {"blurred": {"type": "image", "path": "blurred.png"}}}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trivet.contracts.source import Source
    from trivet.tasks.call import Call
    from trivet.tasks.document import Document
    from trivet.tasks.problem import Problem
    from trivet.tasks.task import Task
    from trivet.tasks.work import AttemptDirectory, Invocation, Outcome, RunResult, Unit, UnitResult


def detect(source: Source) -> bool:
    return isinstance(source.data, dict) and "trivet" in source.data


def read(source: Source) -> Document:
    from trivet.contracts.command import document

    return document.read(source)


def check(document: Document) -> Sequence[Problem]:
    return document.model.problems  # type: ignore[no-any-return]


def tasks(document: Document) -> Sequence[Task]:
    from trivet.contracts.command.document import task_of

    return (task_of(document),)


def plan(call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
    from trivet.contracts.folding import one_phase

    return one_phase(call, phase)


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    from trivet.contracts.command import running

    return running.stage(call, unit, where)


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    from trivet.contracts.command import running

    return running.collect(call, unit, where, outcome)


def conclude(call: Call, results: Sequence[UnitResult]) -> RunResult:
    from trivet.contracts.folding import fold

    return fold(call, results)
