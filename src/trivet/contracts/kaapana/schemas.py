"""JSON Schemas of the contract's documents, in every published form: what editors and other programs can check.

A document is valid against its schema exactly when the checker finds no error of a code in `STRUCTURAL` in it; what
names, paths, amounts and references mean is beyond a schema. Templates of a task.json count as filled.
"""

from __future__ import annotations

from typing import Any

from trivet.contracts.kaapana.config import FLAT, PULL_POLICIES
from trivet.contracts.kaapana.relations import KINDS
from trivet.contracts.kaapana.scale_rules import MODES

STRUCTURAL = frozenset({"K001", "K002", "K004", "K013", "K020", "K033"})
"""Codes of errors about the shape: missing, wrong type, unknown version, empty name, complexity, type of `config`."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_NAME: Schema = {"type": "string", "minLength": 1}
_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_OBJECT_OR_NULL: Schema = {"type": ["object", "null"]}
_TEXTS_OR_NULL: Schema = {"type": ["array", "null"], "items": _TEXT}
_NUMBER: Schema = {"type": "number", "exclusiveMinimum": -1e18, "exclusiveMaximum": 1e18}
_COMPLEXITY = r"^[-+]?[0-9]*(\.[0-9]+)?\*?n(\*\*[0-9]+)?$"


def container() -> Schema:
    """The schema of a processing-container.json."""
    flat = {
        "not": {"anyOf": _any_of("templates", "image")},
        "allOf": [{"anyOf": _any_of("command", "env")}, {"anyOf": _any_of("inputs", "outputs")}],
    }
    schema = _document(
        "Kaapana processing-container",
        "A container image's templates (processing-container.json), in every published form",
        {"name": _NAME, "description": _TEXT, "api_version": _ref("version")},
        ["name", "description"],
    )
    schema |= {
        "if": flat,
        "then": {**_template(), "$comment": "the oldest form: one template, without an identifier"},
        "else": {"properties": {"templates": _list("template")}, "required": ["templates"]},
    }
    named = _template()
    named["properties"] = {"identifier": {**_NAME, "description": "Selects the template"}, **named["properties"]}
    named["required"] = ["identifier", *named["required"]]
    schema["$defs"] = {"template": named, **_shared()}
    return schema


def task() -> Schema:
    """The schema of a task.json, its templates filled."""
    schema = _document(
        "Kaapana task",
        "An image with one of its templates and the directories and values to run it with (task.json)",
        {
            "name": _NAME,
            "image": {**_NAME, "description": "Reference of the container image"},
            "api_version": _ref("version"),
            "taskTemplate": {
                "description": "Identifier of a template in the image, or the template itself",
                "if": {"type": "object"},
                "then": _ref("template"),
                "else": _NAME,
            },
            "inputs": _list("binding"),
            "outputs": _list("binding"),
            "env": {"type": ["array", "null"], "items": _ref("setting")},
            "command": _ref("command"),
            "resources": _ref("resources"),
            "config": _ref("config"),
            **_credentials(),
        },
        ["name", "image"],
    )
    local = {"type": "array", "contains": {"type": "object", "anyOf": [_has_local(key) for key in _VOLUME]}}
    schema["if"] = {
        "$comment": "only the oldest form names no template",
        "not": {
            "anyOf": [
                *_any_of(*FLAT),
                *({"properties": {key: local}, "required": [key]} for key in ("inputs", "outputs")),
            ]
        },
    }
    schema["then"] = {"required": ["taskTemplate"]}
    named = _template()
    named["properties"] = {"identifier": _NAME, **named["properties"]}
    named["required"] = ["identifier", *named["required"]]
    schema["$defs"] = {"template": named, **_shared(), **_of_tasks()}
    return schema


_VOLUME = ("volume_source", "input")


def _document(title: str, description: str, properties: Schema, required: list[str]) -> Schema:
    return {
        "$schema": DIALECT,
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _template() -> Schema:
    return {
        "type": "object",
        "properties": {
            "description": _TEXT,
            "inputs": _list("channel"),
            "outputs": _list("channel"),
            "env": _list("variable"),
            "command": _ref("command"),
            "resources": _ref("resources"),
        },
        "required": ["description", "inputs", "outputs", "env"],
    }


def _shared() -> Schema:
    return {
        "version": {
            "description": "Version of the contract; only 1 is published",
            "anyOf": [{"const": 1}, {"const": True}, {"type": "string", "pattern": r"^\+?0{0,17}1$"}],
        },
        "command": {"description": "Replaces the image's entrypoint", **_TEXTS_OR_NULL},
        "channel": {
            "description": "A directory of items that the program reads or writes",
            "type": "object",
            "properties": {
                "name": _NAME,
                "mounted_path": {**_NAME, "description": "Absolute path in the container"},
                "description": _TEXT_OR_NULL,
                "scale_rule": _ref("scale_rule"),
                "items": _ref("relations"),
            },
            "required": ["name", "mounted_path"],
        },
        "relations": {
            "description": "How the items relate to those of other channels (an extension of Trivet)",
            "type": "object",
            "properties": {kind: {"type": ["string", "array"], "items": _TEXT} for kind in KINDS},
        },
        "variable": {
            "description": "An environment variable with its default",
            "type": "object",
            "properties": {
                "name": _NAME,
                "value": _TEXT,
                "type": {**_TEXT_OR_NULL, "examples": ["boolean", "string", "int"]},
                "choices": _TEXTS_OR_NULL,
                "adjustable": {"type": ["boolean", "null"]},
                "description": _TEXT_OR_NULL,
            },
            "required": ["name", "value"],
        },
        "scale_rule": {
            "description": "How memory grows with the size of the channel, in bytes",
            "type": ["object", "null"],
            "properties": {
                "scale_factor": {
                    "anyOf": [
                        {"type": ["boolean", "null"]},
                        _NUMBER,
                        {"type": "string", "pattern": "^[-+]?[0-9]{1,18}$"},
                    ]
                },
                "complexity": {**_TEXT_OR_NULL, "pattern": _COMPLEXITY, "maxLength": 100},
                "headroom": {"type": "number", "minimum": 1, "exclusiveMaximum": 1e18},
                "type": {"enum": ["limit", "request"]},
                "mode": {"enum": list(MODES)},
                "target_dir": _TEXT_OR_NULL,
                "target_regex": _TEXT_OR_NULL,
                "target_glob": _TEXT_OR_NULL,
            },
            "required": ["type", "mode"],
            "anyOf": [
                {"type": "null"},
                {"properties": {"scale_factor": {"not": {"type": "null"}}}, "required": ["scale_factor"]},
                {"properties": {"complexity": _TEXT}, "required": ["complexity"]},
            ],
        },
        "resources": {
            "type": ["object", "null"],
            "properties": {"limits": _OBJECT_OR_NULL, "requests": _OBJECT_OR_NULL},
        },
    }


def _of_tasks() -> Schema:
    chosen = {
        "if": {"required": ["volume_source"]},
        "then": {"properties": {"volume_source": _ref("volume")}},
        "else": {"properties": {"input": _ref("volume")}, "required": ["input"]},
    }
    return {
        "binding": {
            "description": "What is mounted as a channel",
            "type": "object",
            "properties": {"name": _NAME, "scale_rule": _ref("scale_rule")},
            "required": ["name"],
            **chosen,
        },
        "volume": {
            "description": "A directory of the host (relative to the task.json), or a volume of Kubernetes",
            "type": "object",
            "if": _has("host_path", "string"),
            "then": {"properties": {"host_path": {"$ref": "#/$defs/path"}}},
            "else": {
                "if": _has("local_path", "string"),
                "then": {"properties": {"local_path": {"$ref": "#/$defs/path"}}},
                "else": {
                    "$comment": "a volume of Kubernetes: at least one of its values is an object",
                    "not": {"additionalProperties": {"not": {"type": "object"}}},
                },
            },
        },
        "path": {"type": "string", "minLength": 1, "pattern": "^[^\\u0000]*$"},
        "setting": {
            "description": "The value of an environment variable",
            "type": "object",
            "properties": {"name": _NAME, "value": {"type": ["string", "number", "boolean"]}},
            "required": ["name", "value"],
        },
        "config": {
            "type": ["object", "null"],
            "properties": {
                "type": {"enum": ["docker", "k8s", None]},
                "labels": {
                    "type": ["object", "null"],
                    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
                },
            },
            "if": {"type": "object", "not": {"properties": {"type": {"const": "docker"}}, "required": ["type"]}},
            "then": _ref("k8s"),
        },
        "k8s": {
            "properties": {
                **_credentials(),
                "annotations": _OBJECT_OR_NULL,
                "imagePullPolicy": {"enum": [*PULL_POLICIES, "", None]},
                "env_vars": _objects({"name": _NAME, "value": _TEXT_OR_NULL}, ["name"], ("valueFrom", _OBJECT_OR_NULL)),
                "volumes": _objects({"name": _NAME}, ["name"]),
                "volume_mounts": _mounts(),
            }
        },
    }


def _mounts() -> Schema:
    made = _objects(
        {"name": _NAME},
        ["name"],
        ("mountPath", _TEXT),
        ("readOnly", {"type": ["boolean", "null"]}),
        ("subPath", _TEXT_OR_NULL),
    )
    made["items"]["anyOf"] = _any_of("mountPath", "mount_path")
    return made


def _objects(properties: Schema, required: list[str], *spelled: tuple[str, Schema]) -> Schema:
    """A list of objects, or null; what may be spelled in two ways counts in the client's where the other is absent."""
    either = []
    for name, schema in spelled:
        client = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        then, other = ({"properties": {key: schema}} for key in (name, client))
        either.append({"if": {"required": [name]}, "then": then, "else": other})
    items: Schema = {"type": "object", "properties": properties, "required": required}
    return {"type": ["array", "null"], "items": {**items, "allOf": either} if either else items}


def _credentials() -> Schema:
    return {**dict.fromkeys(FLAT[:-1], _TEXT_OR_NULL), FLAT[-1]: _TEXTS_OR_NULL}


def _has(key: str, kind: str) -> Schema:
    return {"properties": {key: {"type": kind}}, "required": [key]}


def _has_local(key: str) -> Schema:
    return {"properties": {key: {"type": "object", "required": ["local_path"]}}, "required": [key]}


def _any_of(*keys: str) -> list[Schema]:
    return [{"required": [key]} for key in keys]


def _list(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
