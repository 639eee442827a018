"""The Cytomine App Engine's contract: a YAML descriptor, an image, typed values as files in two folders.

This façade only says which room does what; each room is imported when it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from trivet.contracts.source import Source
    from trivet.tasks.call import Call
    from trivet.tasks.document import Document
    from trivet.tasks.problem import Problem
    from trivet.tasks.task import Task
    from trivet.tasks.values import Value
    from trivet.tasks.work import AttemptDirectory, Invocation, Outcome, RunResult, Unit, UnitResult


def detect(source: Source) -> bool:
    from trivet.contracts.cytomine import detection

    return detection.detect(source)


def read(source: Source) -> Document:
    from trivet.contracts.cytomine import document

    return document.read(source)


def check(document: Document) -> Sequence[Problem]:
    return document.model.problems  # type: ignore[no-any-return]


def verify(document: Document) -> Sequence[Problem]:
    from trivet.contracts.cytomine.bundle import verify
    from trivet.contracts.cytomine.document import bundle_of

    model = document.model
    if model.archive is None or model.archive_image is None:
        return ()
    return verify(model.archive, model.archive_image, bundle_of(document.origin))


def tasks(document: Document) -> Sequence[Task]:
    from trivet.contracts.cytomine.document import task_of

    return (task_of(document),)


def plan(call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
    from trivet.contracts.folding import one_phase

    return one_phase(call, phase)


def refusals(call: Call) -> Sequence[Problem]:
    from trivet.contracts.cytomine import refusing

    return refusing.refusals(call)


def read_inputs(task: Task, folder: Path) -> tuple[dict[str, Value], Sequence[Problem]]:
    from trivet.contracts.cytomine import laid_out

    return laid_out.read_inputs(task, folder)


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    from trivet.contracts.cytomine import staging

    return staging.stage(call, unit, where)


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    from trivet.contracts.cytomine import collecting

    return collecting.collect(call, unit, where, outcome)


def conclude(call: Call, results: Sequence[UnitResult]) -> RunResult:
    from trivet.contracts.folding import fold

    return fold(call, results)
