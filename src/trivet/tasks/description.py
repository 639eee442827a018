"""A task as plain JSON data: the shape that `trivet show --json` promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields
from datetime import datetime
from typing import Any, cast

from trivet.tasks.task import MISSING, ContainerImage, Port, Program, Task
from trivet.tasks.types import ValueType
from trivet.tasks.values import Value, to_json


def task_data(task: Task) -> dict[str, Any]:
    """The task; memory in bytes, values as `to_json` writes them. Every key is always there."""
    return {
        "contract": task.contract,
        "kind": task.document.kind,
        "file": task.document.origin,
        "name": task.name,
        "namespace": task.namespace,
        "version": task.version,
        "title": task.title,
        "description": task.description,
        "program": _program(task.program),
        "command": list(task.command),
        "resources": {
            "cpus": task.resources.cpus,
            "memory": task.resources.memory,
            "gpus": task.resources.gpus,
        },
        "network": task.network,
        "repeats": task.repeats,
        "open_inputs": task.open_inputs,
        "inputs": [port_data(port) for port in task.inputs],
        "outputs": [port_data(port) for port in task.outputs],
    }


def port_data(port: Port) -> dict[str, Any]:
    """One port. ``default`` is only there where one is declared, since null is a value too."""
    data: dict[str, Any] = {
        "name": port.name,
        "type": type_data(port.type),
        "access": port.access,
        "title": port.title,
        "description": port.description,
        "required": port.required,
        "optional": port.optional,
        "adjustable": port.adjustable,
        "location": port.location,
    }
    if port.default is not MISSING:
        data["default"] = to_json(cast("Value", port.default))
    return data


def type_data(kind: ValueType) -> dict[str, Any]:
    """A type: its name and the constraints that differ from no constraint."""
    data: dict[str, Any] = {"name": kind.name}
    for field in fields(kind):
        value = getattr(kind, field.name)
        if field.default is NO_DEFAULT or value != field.default:
            data[field.name] = _constraint(value)
    return data


def _constraint(value: Any) -> Any:
    if isinstance(value, ValueType):
        return type_data(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else to_json(value)


def _program(program: Program) -> dict[str, Any]:
    if isinstance(program, ContainerImage):
        return {
            "kind": "image",
            "reference": program.reference,
            "archive": program.archive,
            "member": program.member,
            "digest": program.digest,
        }
    return {"kind": "environment", "prefix": program.prefix, "versions": dict(program.versions)}
