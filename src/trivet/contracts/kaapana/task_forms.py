"""Every published form of a task.json, read object by object into one model; files mix the forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trivet.contracts.fields import Fields
from trivet.contracts.kaapana.config import FLAT, VOLUME_SOURCES, camel, read_config, volume_source
from trivet.contracts.kaapana.forms import (
    CODES,
    FLAT_TEMPLATE,
    api_version,
    command,
    named,
    resources,
    template,
    text,
)
from trivet.contracts.kaapana.model import Binding, Setting, TaskFile, Template
from trivet.contracts.kaapana.scale_rules import read_rule
from trivet.tasks.problem import Problem, closest


def task(data: Any, problems: list[Problem]) -> TaskFile | None:
    """A task in any form; what is wrong with its shape is added to ``problems``."""
    fields = Fields(data, problems, CODES)
    if not fields.valid:
        return None
    name = named(fields, "name")
    api_version(fields)
    image = named(fields, "image")
    inputs = tuple(_binding(item) for item in fields.objects("inputs"))
    outputs = tuple(_binding(item) for item in fields.objects("outputs"))
    settings = tuple(_setting(item) for item in fields.objects("env", null=True))
    given = command(fields)
    amounts = resources(fields)
    config = read_config(fields)
    meant = _template_of(fields)
    fields.unknown(("$schema",))
    return TaskFile(name, image, meant, inputs, outputs, settings, given, amounts, config)


def is_flat_task(data: Mapping[str, Any]) -> bool:
    """True for a task of the oldest form, which names no template: by its settings at the top, or ``local_path``."""
    bindings = [item for key in ("inputs", "outputs") for item in _items(data, key)]
    volumes = [item.get(key) for item in bindings for key in ("input", "volume_source")]
    return any(key in data for key in FLAT) or any("local_path" in item for item in volumes if isinstance(item, dict))


def _items(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = data.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _template_of(fields: Fields) -> str | Template:
    given = fields.data.get("taskTemplate")
    if isinstance(given, dict):
        inline = fields.child("taskTemplate")
        return template(inline) if inline is not None else ""
    if "taskTemplate" not in fields.data and is_flat_task(fields.data):
        message = f"this is the oldest form, without `taskTemplate`; template `{FLAT_TEMPLATE}` is meant"
        fields.note("K005", message, severity="warning", hint=f'add "taskTemplate": "{FLAT_TEMPLATE}"')
        return FLAT_TEMPLATE
    return named(fields, "taskTemplate")


def _binding(fields: Fields) -> Binding:
    name = named(fields, "name")
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
    if any(isinstance(value, dict) for value in fields.data.values()):
        return None, _kubernetes_volume(fields)
    fields.get("host_path", str, required=True)
    fields.unknown()
    return None, None


def _kubernetes_volume(fields: Fields) -> Mapping[str, Any]:
    volume: Mapping[str, Any] = camel(fields.data)
    sources = volume_source(volume)
    if len(sources) != 1:
        found = " and ".join(f"`{source}`" for source in sources) if sources else "none that Kubernetes knows"
        strange = next((key for key in volume if key != "name" and key not in sources), "")
        hint = closest(strange, VOLUME_SOURCES) if strange else "keep one of them"
        fields.note("K038", f"a volume must have one source, not {found}", hint=hint)
    return volume


def _setting(fields: Fields) -> Setting:
    name = named(fields, "name")
    value = text(fields, "value", convert=True)
    fields.unknown()
    return Setting(name, value, fields.path)
