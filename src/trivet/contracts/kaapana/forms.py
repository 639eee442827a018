"""Every published form of the two documents, read object by object into one model; files mix the forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trivet.contracts.fields import Fields, name_of
from trivet.contracts.kaapana.model import (
    Amounts,
    Binding,
    Channel,
    Container,
    Setting,
    TaskFile,
    Template,
    Variable,
)
from trivet.contracts.kaapana.scale_rules import plain_number, read_rule
from trivet.tasks.problem import Problem, closest, nearest

CODES = {"missing": "K001", "type": "K002", "unknown": "K003"}
FLAT_TEMPLATE = "default"
"""The identifier that the one template of a flat container gets."""

_KINDS = ("boolean", "string", "int")
_FLAT_CONFIG = ("namespace", "registryUrl", "registryUsername", "registryPassword", "imagePullSecrets")
_KUBERNETES = (
    *_FLAT_CONFIG,
    "env_vars",
    "volumes",
    "volume_mounts",
    "annotations",
    "imagePullPolicy",
)


def is_flat(data: Mapping[str, Any]) -> bool:
    """True for a container of the oldest form, which has no templates but is one."""
    return "templates" not in data and "command" in data and ("inputs" in data or "outputs" in data)


def container(data: Any, problems: list[Problem]) -> Container | None:
    """A container in any form; what is wrong with its shape is added to ``problems``."""
    fields = Fields(data, problems, CODES)
    if not fields.valid:
        return None
    name = _named(fields, "name")
    description = fields.get("description", str, "", required=True)
    _api_version(fields)
    templates: list[Template] = []
    if is_flat(fields.data):
        message = f"this is the oldest form, without templates; it is read as one template `{FLAT_TEMPLATE}`"
        hint = "move inputs, outputs, env and command into an item of `templates`"
        fields.note("K005", message, severity="warning", hint=hint)
        templates.append(_template(fields, flat=True))
    else:
        for item in fields.objects("templates", required=True):
            templates.append(_template(item))
    fields.unknown(("$schema",))
    return Container(name, description, tuple(templates))


def task(data: Any, problems: list[Problem]) -> TaskFile | None:
    """A task in any form; what is wrong with its shape is added to ``problems``."""
    fields = Fields(data, problems, CODES)
    if not fields.valid:
        return None
    name = _named(fields, "name")
    _api_version(fields)
    image = _named(fields, "image")
    inputs = tuple(_binding(item) for item in fields.objects("inputs"))
    outputs = tuple(_binding(item) for item in fields.objects("outputs"))
    settings = tuple(_setting(item) for item in fields.objects("env", null=True))
    command = _command(fields)
    resources = _resources(fields)
    config = _config(fields)
    template = _task_template(fields)
    fields.unknown(("$schema",))
    return TaskFile(name, image, template, inputs, outputs, settings, command, resources, config)


def _task_template(fields: Fields) -> str | Template:
    given = fields.data.get("taskTemplate")
    if isinstance(given, dict):
        inline = fields.child("taskTemplate")
        return _template(inline) if inline is not None else ""
    flat = any(key in fields.data for key in _FLAT_CONFIG) or '"local_path"' in json.dumps(
        [fields.data.get("inputs"), fields.data.get("outputs")]
    )
    if "taskTemplate" not in fields.data and flat:
        message = f"this is the oldest form, without `taskTemplate`; template `{FLAT_TEMPLATE}` is meant"
        fields.note("K005", message, severity="warning", hint=f'add "taskTemplate": "{FLAT_TEMPLATE}"')
        return FLAT_TEMPLATE
    return _named(fields, "taskTemplate")


def _template(fields: Fields, flat: bool = False) -> Template:
    identifier = FLAT_TEMPLATE if flat else _named(fields, "identifier")
    description = fields.get("description", str, "", required=True)
    inputs = tuple(_channel(item) for item in fields.objects("inputs", required=True))
    outputs = tuple(_channel(item, output=True) for item in fields.objects("outputs", required=True))
    variables = tuple(_variable(item) for item in fields.objects("env", required=True))
    command = _command(fields)
    resources = _resources(fields)
    if not flat:
        fields.unknown()
    return Template(identifier, description, inputs, outputs, variables, command, resources, fields.path)


def _channel(fields: Fields, output: bool = False) -> Channel:
    name = _named(fields, "name")
    mounted_path = _named(fields, "mounted_path")
    description = fields.get("description", str, "", null=True)
    rule = read_rule(fields, output)
    fields.unknown()
    return Channel(name, mounted_path, description, rule, fields.path)


def _variable(fields: Fields) -> Variable:
    name = _named(fields, "name")
    value = _text(fields, "value")
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


def _binding(fields: Fields) -> Binding:
    name = _named(fields, "name")
    forms = [key for key in ("volume_source", "input") if fields.has(key)]
    if len(forms) == 2:
        if fields.data["volume_source"] == fields.data["input"]:
            message = "`input` and `volume_source` are the same thing; one of them is enough"
            fields.note("K006", message, "input", severity="info")
        else:
            message = "`input` and `volume_source` are two names of the same thing, and contradict each other"
            fields.note("K006", message, "input", hint="keep one of them")
    host_path, volume = None, None
    if not forms:
        fields.get("volume_source", dict, required=True)
    else:
        source = fields.child(forms[0])
        if source is not None:
            host_path, volume = _volume(source)
    rule = read_rule(fields)
    fields.unknown()
    return Binding(name, host_path, volume, rule, fields.path)


def _volume(fields: Fields) -> tuple[str | None, Mapping[str, Any] | None]:
    """A path of the host, or else a volume of Kubernetes."""
    for key in ("host_path", "local_path"):
        if isinstance(fields.data.get(key), str):
            if key == "local_path":
                message = "`local_path` is the older name of `host_path`"
                fields.note("K005", message, key, severity="warning")
            path = fields.get(key, str)
            if not path:
                fields.note("K013", f"`{key}` is empty", key)
            fields.unknown()
            return path, None
    objects = {key: value for key, value in fields.data.items() if isinstance(value, dict)}
    if objects:
        return None, fields.data
    fields.get("host_path", str, required=True)
    fields.unknown()
    return None, None


def _setting(fields: Fields) -> Setting:
    name = _named(fields, "name")
    value = _text(fields, "value", convert=True)
    fields.unknown()
    return Setting(name, value, fields.path)


def _config(fields: Fields) -> Mapping[str, Any]:
    section = fields.child("config", null=True)
    moved = {key: fields.data[key] for key in _FLAT_CONFIG if fields.has(key)}
    if moved:
        message = f"{', '.join(f'`{key}`' for key in moved)} belong into `config`; current readers drop them"
        fields.note("K005", message, next(iter(moved)), severity="warning", hint="move them into `config`")
    if section is None:
        return {"type": "k8s", **moved} if moved else {}
    kind = section.get("type", str, "k8s", null=True)
    labels = section.child("labels", null=True)
    for key, value in labels.data.items() if labels is not None else ():
        if isinstance(value, dict | list):
            section.note("type", f"label `{key}` must be text, not {name_of(value)}", "labels", key)
    if kind == "docker":
        section.unknown()
    elif kind != "k8s":
        message = f"unknown type of configuration `{kind}`; the public implementation would drop all but its labels"
        section.note("K033", message, "type", hint=closest(kind, ("docker", "k8s")))
    else:
        _kubernetes(section)
    return {**moved, **section.data}


def _kubernetes(section: Fields) -> None:
    for key in ("namespace", "registryUrl", "registryUsername", "registryPassword", "imagePullPolicy"):
        section.get(key, str, null=True)
    section.strings("imagePullSecrets", null=True)
    for key in ("env_vars", "volumes", "volume_mounts"):
        list(section.objects(key, null=True))
    section.child("annotations", null=True)
    for key in section.data:
        near = "" if section.asked(key) else nearest(key, _KUBERNETES)
        if near:
            message = f"`{key}` means nothing here; it is kept as it is"
            section.note("unknown", message, key, severity="warning", hint=f"did you mean `{near}`?")


def _resources(fields: Fields) -> Amounts:
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


def _command(fields: Fields) -> tuple[str, ...] | None:
    given = fields.data.get("command")
    if isinstance(given, str):
        fields.has("command")
        hint = 'write it as a list, for example ["/bin/sh", "-c", …]'
        fields.note("type", "`command` must be a list of texts, not one text", "command", hint=hint)
        return None
    return fields.strings("command", null=True)


def _api_version(fields: Fields) -> None:
    if not fields.has("api_version"):
        return
    value = fields.data["api_version"]
    number = None if value is None else plain_number(value)
    if number is None:
        fields.note("type", f"`api_version` must be 1, not {name_of(value)}", "api_version")
    elif number != "1":
        message = f"`api_version` {number} is not known; only version 1 of this contract is published"
        fields.note("K004", message, "api_version")
    elif not isinstance(value, int | float) or isinstance(value, bool):
        message = f"`api_version` {json.dumps(value)} is read as 1"
        fields.note("type", message, "api_version", severity="warning", hint="write 1")


def _named(fields: Fields, key: str) -> str:
    name: str = fields.get(key, str, "", required=True)
    if fields.data.get(key) == "":
        fields.note("K013", f"`{key}` is empty", key)
    return name


def _text(fields: Fields, key: str, convert: bool = False) -> str:
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
