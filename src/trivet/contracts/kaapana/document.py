"""Reading the contract's two documents: from text to the model, and to the text that a run's record keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from trivet.contracts.kaapana import CONTAINER_FILE, forms, secrets
from trivet.contracts.kaapana.detection import is_task
from trivet.contracts.kaapana.model import Container, Reading, TaskFile
from trivet.contracts.kaapana.template_options import ATTACHMENT, has_templates, options_of
from trivet.contracts.parsing import duplicate_keys
from trivet.contracts.source import Source
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem

_MARKER = re.compile(r"\{[{%#]")


def read(source: Source, kind: str | None = None) -> Document:
    """The document. Templates in a task.json are filled from the environment of this process.

    ``kind`` (``task`` or ``container``) says what it is meant to be, where its content is not to decide that. What is
    wrong is in the model's problems; the texts kept are rendered, and hold no password.
    """
    data, problem = source.parsed
    attached = {
        name: other for name, other in source.attachments.items() if name not in (ATTACHMENT, secrets.ATTACHMENT)
    }
    archive = str(source.archive) if source.archive else None
    if problem is not None:
        reading = Reading(None, (_explained(problem, source.text),), source.image, None, archive)
        texts = {source.name: source.text, **attached}
        return Document("kaapana", kind or "task", texts, str(source.base), source.name, None, reading)
    kind = kind or ("task" if is_task(data) else "container")
    problems: list[Problem] = list(duplicate_keys(data))
    if kind == "task" and isinstance(data, dict):
        problems += _written_passwords(data)
    templated = kind == "task" and has_templates(source.text)
    if templated:
        options, faults = options_of(source)
        problems += faults
        if options.enabled:
            from trivet.contracts.kaapana import templating

            data = templating.rendered(data, options, problems)
    content: Container | TaskFile | None
    if kind == "task":
        data = secrets.filled(data, source.attachments)
        from trivet.contracts.kaapana import task_forms

        content = task_forms.task(data, problems)
    else:
        content = forms.container(data, problems)
    kept = secrets.without_secrets(data) if kind == "task" else data
    text = json.dumps(escaped(kept), indent=2) if templated or kept != data else source.text
    texts = {source.name: text, **attached}
    reading = Reading(content, tuple(problems), source.image, data, archive)
    hidden = secrets.secrets_of(data) if kept != data else {}
    return Document("kaapana", kind, texts, str(source.base), source.name, kept, reading, hidden)


def attached_container(document: Document) -> tuple[Container | None, Source | None, list[Problem]]:
    """The container file that came with a task.json, its source, and what is wrong with its shape."""
    text = document.texts.get(CONTAINER_FILE)
    if text is None or document.kind != "task" or next(iter(document.texts)) == CONTAINER_FILE:
        return None, None, []
    from pathlib import Path

    source = Source(CONTAINER_FILE, text, Path(document.base))
    data, problem = source.parsed
    if problem is not None:
        return None, source, [problem]
    problems: list[Problem] = list(duplicate_keys(data))
    return forms.container(data, problems), source, problems


def _written_passwords(data: dict[str, Any]) -> Iterator[Problem]:
    config = data.get("config")
    for section, path in ((data, ()), (config if isinstance(config, dict) else {}, ("config",))):
        password = section.get("registryPassword")
        if isinstance(password, str) and password not in ("", secrets.MASK) and not has_templates(password):
            hint = 'write "{{ env.NAME }}" and set the variable'
            where = (*path, "registryPassword")
            yield Problem("K039", "a password is written into the file", "warning", hint, path=where)


def escaped(data: Any) -> Any:
    """Rendered data as templates that render to it: what came from a variable must not be rendered twice."""
    if isinstance(data, str):
        return _MARKER.sub(lambda match: "{{ '" + match[0] + "' }}", data)
    if isinstance(data, dict):
        return {key: escaped(value) for key, value in data.items()}
    if isinstance(data, list):
        return [escaped(value) for value in data]
    return data


def _explained(problem: Problem, text: str) -> Problem:
    if problem.hint or problem.line is None or problem.column is None:
        return problem
    line = text.split("\n")[problem.line - 1]
    if "{{" not in line[max(problem.column - 3, 0) : problem.column + 2]:
        return problem
    from dataclasses import replace

    return replace(problem, hint='a template must stand inside a string: "{{ env.NAME }}"')
