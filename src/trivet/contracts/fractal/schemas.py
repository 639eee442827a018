"""JSON Schemas of arguments, checked for being schemas at all, without loading a validator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trivet.tasks.problem import DocumentPath, Problem

INVALID = "F017"

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ONE = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "patternProperties", "properties")
_NUMBERS = ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf")
_COUNTS = ("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties")
_WITHIN = frozenset((*_ONE, *_MANY, *_NAMED))
_AMOUNTS = frozenset((*_NUMBERS, *_COUNTS))


def check(schema: Any, path: DocumentPath) -> list[Problem]:
    """What is wrong with a schema of arguments, as a schema (draft 2020-12)."""
    found: list[Problem] = []
    _check(schema, path, schema, found)
    return found


def target(schema: Mapping[str, Any], reference: str) -> Any:
    """What ``#/…`` points to within a schema, None where it leads nowhere."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    found: Any = schema
    for step in reference.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return found


def _check(schema: Any, path: DocumentPath, root: Any, found: list[Problem]) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        found.append(_problem(path, f"a schema must be an object, not {schema!r:.40}"))
        return
    found += _keywords(schema, path, root)
    if schema.keys().isdisjoint(_WITHIN):
        return
    for key in _ONE:
        # Before draft 2020-12, a list of items was written as `items` too; pydantic 1 did.
        if key in schema and not (key == "items" and isinstance(schema[key], list)):
            _check(schema[key], (*path, key), root, found)
    for key in (*_MANY, "items"):
        members = schema.get(key)
        if isinstance(members, list):
            for index, member in enumerate(members):
                _check(member, (*path, key, index), root, found)
        elif key in schema and key != "items":
            found.append(_problem((*path, key), f"`{key}` must be a list of schemas"))
    for key in _NAMED:
        members = schema.get(key, {})
        if not isinstance(members, dict):
            found.append(_problem((*path, key), f"`{key}` must be an object of schemas"))
            continue
        for name, member in members.items():
            _check(member, (*path, key, name), root, found)


def _keywords(schema: Mapping[str, Any], path: DocumentPath, root: Any) -> Iterator[Problem]:
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _TYPES:
            yield _problem((*path, "type"), f"{kind!r} is not a type of JSON Schema; known: {', '.join(_TYPES)}")
    reference = schema.get("$ref")
    if "$ref" in schema and not isinstance(reference, str):
        yield _problem((*path, "$ref"), "`$ref` must be text")
    elif isinstance(reference, str) and target(root, reference) is None:
        yield _problem((*path, "$ref"), f"`$ref` {reference!r} leads nowhere within this schema")
    if "enum" in schema and not isinstance(schema["enum"], list):
        yield _problem((*path, "enum"), "`enum` must be a list")
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield _problem((*path, "required"), "`required` must be a list of names")
    if "pattern" in schema and not _is_pattern(schema["pattern"]):
        yield _problem((*path, "pattern"), f"`pattern` {schema['pattern']!r:.40} is not a regular expression")
    if schema.keys().isdisjoint(_AMOUNTS):
        return
    for key in _NUMBERS:
        if key in schema and (isinstance(schema[key], bool) or not isinstance(schema[key], int | float)):
            yield _problem((*path, key), f"`{key}` must be a number")
    for key in _COUNTS:
        if key in schema and (isinstance(schema[key], bool) or not isinstance(schema[key], int) or schema[key] < 0):
            yield _problem((*path, key), f"`{key}` must be a whole number, 0 or more")


def _is_pattern(pattern: Any) -> bool:
    try:
        return isinstance(pattern, str) and re.compile(pattern) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _problem(path: DocumentPath, message: str) -> Problem:
    return Problem(INVALID, message, path=path)
