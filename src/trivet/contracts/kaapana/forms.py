"""Every published form of a container, read object by object into one model; files mix the forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trivet.contracts.fields import Fields, name_of
from trivet.contracts.kaapana.model import Amounts, Channel, Container, Relation, Template, Variable
from trivet.contracts.kaapana.scale_rules import plain_number, read_rule
from trivet.tasks.problem import Problem, closest

CODES = {"missing": "K001", "type": "K002", "unknown": "K003"}
FLAT_TEMPLATE = "default"
"""The identifier that the one template of a flat container gets."""

_KINDS = ("boolean", "string", "int")


def is_flat(data: Mapping[str, Any]) -> bool:
    """True for a container of the oldest form, which has no templates but is one."""
    return (
        "templates" not in data
        and "image" not in data
        and ("command" in data or "env" in data)
        and ("inputs" in data or "outputs" in data)
    )


def container(data: Any, problems: list[Problem]) -> Container | None:
    """A container in any form; what is wrong with its shape is added to ``problems``."""
    fields = Fields(data, problems, CODES)
    if not fields.valid:
        return None
    name = named(fields, "name")
    description = fields.get("description", str, "", required=True)
    api_version(fields)
    templates: list[Template] = []
    if is_flat(fields.data):
        message = f"this is the oldest form, without templates; it is read as one template `{FLAT_TEMPLATE}`"
        hint = "move inputs, outputs, env and command into an item of `templates`"
        fields.note("K005", message, severity="warning", hint=hint)
        templates.append(template(fields, flat=True))
    else:
        for item in fields.objects("templates", required=True):
            templates.append(template(item))
        if fields.data.get("templates") == []:
            fields.note("K008", "there are no templates, so nothing can be run", "templates", severity="warning")
    fields.unknown(("$schema",))
    return Container(name, description, tuple(templates))


def template(fields: Fields, flat: bool = False) -> Template:
    """A template; ``flat``: as the whole of a container of the oldest form."""
    identifier = FLAT_TEMPLATE if flat else named(fields, "identifier")
    description = fields.get("description", str, "", required=True)
    inputs = tuple(_channel(item) for item in fields.objects("inputs", required=True))
    outputs = tuple(_channel(item, output=True) for item in fields.objects("outputs", required=True))
    variables = tuple(_variable(item) for item in fields.objects("env", required=True))
    words = command(fields)
    amounts = resources(fields)
    if not flat:
        fields.unknown()
    return Template(identifier, description, inputs, outputs, variables, words, amounts, fields.path)


def _channel(fields: Fields, output: bool = False) -> Channel:
    name = named(fields, "name")
    mounted_path = named(fields, "mounted_path")
    description = fields.get("description", str, "", null=True)
    rule = read_rule(fields, output)
    relations: tuple[Relation, ...] = ()
    if fields.has("items"):
        from trivet.contracts.kaapana.relations import read_relations

        relations = read_relations(fields)
    fields.unknown()
    return Channel(name, mounted_path, description, rule, fields.path, relations)


def _variable(fields: Fields) -> Variable:
    name = named(fields, "name")
    value = text(fields, "value")
    kind = fields.get("type", str, "string", null=True)
    if kind not in _KINDS:
        message = f"unknown type `{kind}` of a variable; it is taken as a string"
        hint = closest(kind, _KINDS)
        fields.note("K007", message, "type", severity="warning", hint=hint)
        kind = "string"
    choices = fields.strings("choices", null=True) or ()
    adjustable = fields.get("adjustable", bool, True, null=True)
    description = fields.get("description", str, "", null=True)
    fields.unknown()
    return Variable(name, value, kind, choices, adjustable, description, fields.path)


def resources(fields: Fields) -> Amounts:
    """Limits and requests as they are written."""
    section = fields.child("resources", null=True)
    if section is None:
        return {}
    halves = {}
    for half in ("limits", "requests"):
        child = section.child(half, null=True)
        if child is not None:
            halves[half] = child.data
    section.unknown()
    return halves


def command(fields: Fields) -> tuple[str, ...] | None:
    """The command, None where the image has its own."""
    given = fields.data.get("command")
    if isinstance(given, str):
        fields.has("command")
        hint = 'write it as a list, for example ["/bin/sh", "-c", …]'
        fields.note("type", "`command` must be a list of texts, not one text", "command", hint=hint)
        return None
    return fields.strings("command", null=True)


def api_version(fields: Fields) -> None:
    """Note a version of the contract that nobody published."""
    if not fields.has("api_version"):
        return
    value = fields.data["api_version"]
    is_one = value == 1 or (isinstance(value, str) and value.lstrip("+0") == "1" and plain_number(value) is not None)
    if not is_one and plain_number(value) is None:
        fields.note("type", f"`api_version` must be 1, not {name_of(value)}", "api_version")
    elif not is_one:
        message = f"`api_version` {value} is not known; only version 1 of this contract is published"
        fields.note("K004", message, "api_version")
    elif isinstance(value, bool | str):
        message = f"`api_version` {json.dumps(value)} is read as 1"
        fields.note("type", message, "api_version", severity="warning", hint="write 1")


def named(fields: Fields, key: str) -> str:
    """A name that must be there and not be empty."""
    name: str = fields.get(key, str, "", required=True)
    if fields.data.get(key) == "":
        fields.note("K013", f"`{key}` is empty", key)
    return name


def text(fields: Fields, key: str, convert: bool = False) -> str:
    """A variable's value: text. In a task, numbers and booleans are turned into text, as the platform's forms send."""
    value = fields.data.get(key)
    if isinstance(value, bool | int | float):
        fields.has(key)
        text = json.dumps(value)
        message, hint = f"`{key}` must be text, not {name_of(value)}", f'write "{text}"'
        if convert:
            message = f"`{key}` is passed on as the text {text!r}; the public implementation refuses {name_of(value)}"
        fields.note("type", message, key, severity="info" if convert else "error", hint=hint)
        return text
    result: str = fields.get(key, str, "", required=True)
    return result
