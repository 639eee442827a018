"""`processing-container`: the container description that an image holds, with every default written out."""

from __future__ import annotations

import json
from typing import Any

from task_api.reading import refusal, tell
from trivet.contracts.kaapana import document, rules
from trivet.contracts.kaapana.model import Channel, Container, Reading, Template, Variable
from trivet.contracts.kaapana.writing import rule_data
from trivet.runs.sources import in_image
from trivet.tasks.problem import ProblemsError, has_errors


def show(image: str) -> int:
    """Print the description as JSON in the current form; problems go to stderr. Raises ProblemsError for a bad one."""
    source = in_image(image)
    found = document.read(source, "container")
    problems = source.place(rules.check(found))
    reading: Reading = found.model
    if has_errors(problems):
        raise ProblemsError(problems)
    if not isinstance(reading.content, Container):
        raise refusal("A002", "this is no container description", file=source.name)
    tell(problems, "warning")
    print(json.dumps(data(reading.content), indent=2, ensure_ascii=False))
    return 0


def data(container: Container) -> dict[str, Any]:
    """A container in the current form (Kaapana Task API, ProcessingContainer), `type` and `adjustable` kept."""
    return {
        "name": container.name,
        "description": container.description,
        "api_version": 1,
        "templates": [_template(template) for template in container.templates],
    }


def _template(template: Template) -> dict[str, Any]:
    return {
        "identifier": template.identifier,
        "description": template.description,
        "inputs": [_channel(channel) for channel in template.inputs],
        "outputs": [_channel(channel) for channel in template.outputs],
        "env": [_variable(variable) for variable in template.variables],
        "command": None if template.command is None else list(template.command),
        "resources": {half: dict(amounts) for half, amounts in template.resources.items()} or None,
    }


def _channel(channel: Channel) -> dict[str, Any]:
    rule = channel.scale_rule
    targets = {} if rule is None else {key: getattr(rule, f"target_{key}") for key in ("dir", "regex", "glob")}
    return {
        "name": channel.name,
        "mounted_path": channel.mounted_path,
        "description": channel.description or None,
        "scale_rule": rule and {**rule_data(rule), **{f"target_{key}": value for key, value in targets.items()}},
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "value": variable.value,
        "type": variable.kind,
        "choices": list(variable.choices) or None,
        "adjustable": variable.adjustable,
        "description": variable.description or None,
    }
