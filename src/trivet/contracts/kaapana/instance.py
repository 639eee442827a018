"""The task instance: what template and task.json are together, as plain data (Kaapana Task API, TaskInstance)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trivet.contracts.kaapana.model import Binding, Channel, Reading, TaskFile, Variable
from trivet.contracts.kaapana.ports import template_of
from trivet.contracts.kaapana.secrets import without_secrets
from trivet.contracts.kaapana.writing import rule_data
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.task import ContainerImage, Task


def instance(task: Task) -> dict[str, Any]:
    """The merged instance of a task that was read from a task.json; passwords are masked.

    Raises ProblemsError for any other task.
    """
    reading: Reading | None = task.document.model if task.contract == "kaapana" else None
    content = reading.content if reading is not None else None
    if not isinstance(content, TaskFile):
        hint = "a template alone has nothing to be merged with"
        raise ProblemsError([Problem("K092", f"{task.name} is not a task.json of Kaapana", hint=hint)])
    template = template_of(task)
    program = task.program
    return {
        "name": content.name,
        "image": program.reference if isinstance(program, ContainerImage) else content.image,
        "taskTemplate": template.identifier,
        "identifier": template.identifier,
        "description": template.description,
        "inputs": _channels(template.inputs, content.inputs),
        "outputs": _channels(template.outputs, content.outputs),
        "env": [_variable(variable) for variable in template.variables],
        "command": None if template.command is None else list(template.command),
        "resources": {half: dict(amounts) for half, amounts in template.resources.items()} or None,
        "config": without_secrets({"config": dict(content.config)})["config"],
    }


def _channels(channels: Sequence[Channel], bindings: Sequence[Binding]) -> list[dict[str, Any]]:
    bound = {binding.name: binding for binding in bindings}
    return [_channel(channel, bound.get(channel.name)) for channel in channels]


def _channel(channel: Channel, binding: Binding | None) -> dict[str, Any]:
    volume: Mapping[str, Any] | None = None
    if binding is not None:
        volume = binding.volume if binding.volume is not None else {"host_path": binding.host_path}
    made = {
        "name": channel.name,
        "mounted_path": channel.mounted_path,
        "description": channel.description or None,
        "scale_rule": None if channel.scale_rule is None else rule_data(channel.scale_rule),
        "volume_source": volume,
    }
    items: dict[str, list[str]] = {}
    for kind, other in channel.relations:
        items.setdefault(kind, []).append(other)
    return made | ({"items": items} if items else {})


def _variable(variable: Variable) -> dict[str, Any]:
    data: dict[str, Any] = {"name": variable.name, "value": variable.value}
    if variable.declared:
        data |= {"type": variable.kind, "choices": list(variable.choices), "adjustable": variable.adjustable}
    return data | ({"description": variable.description} if variable.description else {})
