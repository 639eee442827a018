"""Arguments as ports: each property of a JSON Schema becomes a port of the neutral type that says the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from trivet.contracts.fractal.schemas import target
from trivet.tasks.task import MISSING, Port
from trivet.tasks.types import Boolean, Directory, Enumeration, File, Integer, Json, Number, String, ValueType
from trivet.tasks.values import Value

_TEXT_KEYS = {"type", "minLength", "maxLength", "pattern", "format"}
_NUMBER_KEYS = {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_NOTES = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_NULL = {"type": "null"}


def ports_of(schema: Mapping[str, Any], supplied: Sequence[str]) -> Iterator[Port]:
    """A port for each property of a schema of arguments, but those the runner supplies.

    A default of null, and one that its own schema refuses, is left to the function: such a port is optional.
    """
    required = schema.get("required", [])
    for name, declared in schema.get("properties", {}).items():
        if name in supplied:
            continue
        member = declared if isinstance(declared, dict) else {}
        kind, nullable = _type(member, schema)
        default = member.get("default", MISSING)
        given = default is MISSING or default is None or any(kind.faults(cast("Value", default)))
        description = member.get("description", "")
        yield Port(
            name,
            kind,
            description=description if description != "Missing description" else "",
            title=member.get("title", ""),
            default=MISSING if given else default,
            optional=nullable or name not in required,
            location="argument",
        )


def _type(declared: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[ValueType, bool]:
    """The neutral type, and whether null is allowed as well."""
    schema = _resolved(declared, root)
    members = schema.get("anyOf")
    if isinstance(members, list) and _NULL in members and len(members) == 2:
        member = members[1 - members.index(_NULL)]
        simple = _simple(_resolved(member, root)) if isinstance(member, dict) else None
        if simple is not None:
            return simple, True
    return _simple(schema) or Json(_whole(declared, root)), False


def _simple(schema: Mapping[str, Any]) -> ValueType | None:
    """The neutral type that says exactly the same as a schema; None when there is none."""
    keys = schema.keys() - _NOTES
    if "enum" in keys and keys <= {"type", "enum"} and all(_scalar(value) for value in schema["enum"]):
        return Enumeration(tuple(schema["enum"]))
    if "const" in keys and keys <= {"type", "const"} and _scalar(schema["const"]):
        return Enumeration((schema["const"],))
    match schema.get("type"):
        case "boolean" if keys == {"type"}:
            return Boolean()
        case "integer" if keys <= _NUMBER_KEYS:
            return Integer(*_bounds(schema))
        case "number" if keys <= _NUMBER_KEYS:
            return Number(*_bounds(schema))
        case "string" if keys <= _TEXT_KEYS:
            return _text(schema)
    return None


def _text(schema: Mapping[str, Any]) -> ValueType:
    # `path` alone may be a file to be written, or a pattern; only what must exist is a file by reference.
    if schema.get("format") == "file-path":
        return File()
    if schema.get("format") == "directory-path":
        return Directory()
    return String(schema.get("minLength", 0), schema.get("maxLength"), schema.get("pattern"))


def _bounds(schema: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(schema.get(key) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))


def _scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with a reference at its top replaced by what it points to; chains that end nowhere stay."""
    for _ in range(8):
        reference = schema.get("$ref")
        found = target(root, reference) if isinstance(reference, str) else None
        if not isinstance(found, dict):
            break
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _whole(declared: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A property's schema that stands on its own: with the definitions it may point to."""
    definitions = {key: root[key] for key in ("$defs", "definitions") if key in root}
    return {**definitions, **declared} if '"$ref"' in _dumped(declared) else declared


def _dumped(schema: Mapping[str, Any]) -> str:
    import json

    return json.dumps(schema)
