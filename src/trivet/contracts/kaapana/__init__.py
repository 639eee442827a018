"""The Kaapana Task API: a container with a ``processing-container.json``, and a ``task.json`` that instantiates it.

Channels are directories, parameters are environment variables, the unit of work is the whole channel.
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
    from trivet.tasks.work import AttemptDirectory, Invocation, Login, Outcome, RunResult, Unit, UnitResult

CONTAINER_FILE = "processing-container.json"
"""Where every image keeps its templates, at its root; also the name of the attachment that brings it to a task.json."""


def detect(source: Source) -> bool:
    from trivet.contracts.kaapana import detection

    return detection.detect(source)


def read(source: Source) -> Document:
    from trivet.contracts.kaapana import document

    return document.read(source)


def check(document: Document) -> Sequence[Problem]:
    from trivet.contracts.kaapana import rules

    return rules.check(document)


def tasks(document: Document) -> Sequence[Task]:
    """The tasks of a document without errors.

    Raises ProblemsError when a task.json names a template and its container file is not attached: `image_of` tells
    which image has it.
    """
    from trivet.contracts.kaapana import ports

    return ports.tasks(document)


def image_of(document: Document) -> str | None:
    """The image whose container file a task.json needs; None when nothing has to be fetched."""
    from trivet.contracts.kaapana import ports

    return ports.image_of(document)


def login_of(document: Document) -> Login | None:
    """The login that a task.json gives for the registry of its image, or of the one the caller chose."""
    from trivet.contracts.kaapana import secrets
    from trivet.contracts.kaapana.model import TaskFile

    content, image = document.model.content, document.model.image
    return secrets.login_for(content, image or content.image)[0] if isinstance(content, TaskFile) else None


def plan(call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
    from trivet.contracts.folding import one_phase

    return one_phase(call, phase)


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    from trivet.contracts.kaapana import staging

    return staging.stage(call, unit, where)


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    from trivet.contracts.kaapana import collecting

    return collecting.collect(call, unit, where, outcome)


def conclude(call: Call, results: Sequence[UnitResult]) -> RunResult:
    from trivet.contracts.folding import fold

    return fold(call, results)


def write(document: Document | Task, form: str = "current") -> Written:
    """A document of this contract in the ``current`` form or that of the ``guide``; read it with its templates left
    alone (`template_options.TemplateOptions`). Raises ProblemsError for one with errors."""
    from trivet.contracts.kaapana import writing

    return writing.write(document, form)
