"""Reading the contract's two documents: from text to the model, and to the text that a run's record keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from trivet.contracts.kaapana import CONTAINER_FILE, forms
from trivet.contracts.kaapana.detection import is_task
from trivet.contracts.kaapana.model import Container, Reading, TaskFile
from trivet.contracts.kaapana.template_options import ATTACHMENT, has_templates, options_of
from trivet.contracts.parsing import duplicate_keys
from trivet.contracts.source import Source
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem

MASK = "***"
"""What a record keeps in place of a password."""

_SECRET = re.compile(r"password|passwd|secret|token|credential", re.IGNORECASE)
_MARKER = re.compile(r"\{[{%#]")


def read(source: Source) -> Document:
    """The document. Templates in a task.json are filled from the environment of this process.

    What is wrong is in the model's problems; the texts kept are rendered, and hold no password.
    """
    data, problem = source.parsed
    attached = {name: other for name, other in source.attachments.items() if name != ATTACHMENT}
    if problem is not None:
        reading = Reading(None, (_explained(problem, source.text),), source.image)
        texts = {source.name: source.text, **attached}
        return Document("kaapana", "task", texts, str(source.base), source.name, None, reading)
    kind = "task" if is_task(data) else "container"
    problems: list[Problem] = list(duplicate_keys(data))
    if kind == "task":
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
        from trivet.contracts.kaapana import task_forms

        content = task_forms.task(data, problems)
    else:
        content = forms.container(data, problems)
    kept = without_secrets(data) if kind == "task" else data
    text = json.dumps(escaped(kept), indent=2) if templated or kept != data else source.text
    texts = {source.name: text, **attached}
    reading = Reading(content, tuple(problems), source.image, data)
    return Document("kaapana", kind, texts, str(source.base), source.name, kept, reading)


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


def without_secrets(data: Any) -> Any:
    """A task's data with ``***`` in place of every password in it (not of variables: a run can't go without them)."""
    if not isinstance(data, dict):
        return data
    kept = _masked(data)
    if isinstance(kept.get("config"), dict):
        kept["config"] = _masked(kept["config"])
        variables = kept["config"].get("env_vars")
        if isinstance(variables, list):
            kept["config"]["env_vars"] = [_masked_variable(item) for item in variables]
    return kept


def _written_passwords(data: dict[str, Any]) -> Iterator[Problem]:
    config = data.get("config")
    for section, path in ((data, ()), (config if isinstance(config, dict) else {}, ("config",))):
        password = section.get("registryPassword")
        if isinstance(password, str) and password not in ("", MASK) and not has_templates(password):
            message, hint = "a password is written into the file", 'write "{{ env.NAME }}" and set the variable'
            yield Problem("K039", message, "warning", hint, path=(*path, "registryPassword"))


def _masked(data: dict[str, Any]) -> dict[str, Any]:
    return {key: MASK if isinstance(value, str) and _SECRET.search(key) else value for key, value in data.items()}


def _masked_variable(item: Any) -> Any:
    if isinstance(item, dict) and _SECRET.search(str(item.get("name"))) and "value" in item:
        return {**item, "value": MASK}
    return item


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
