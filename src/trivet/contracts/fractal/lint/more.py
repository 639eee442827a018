"""What else the public form can't show: findings of our own, where the public tool does not look or can't see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from trivet.contracts.fractal.lint.walk import BOOLEAN, FORBIDDEN_NAMES, Steps, children, violations

if TYPE_CHECKING:
    from trivet.contracts.fractal.lint.sources import Sources

NAME, UNVISITED, KEY_HINT, KEY_PATTERN = "F040", "F041", "F042", "F043"

_SINGLE = ("additionalProperties", "contains", "not", "if", "then", "else")
_LISTS = ("prefixItems", "oneOf", "allOf")
_NAMED = ("patternProperties", "dependentSchemas")
_FOR_KEYS = ("patternProperties", "propertyNames")
_UNSEEN = frozenset((*_SINGLE, *_LISTS, *_NAMED, *_FOR_KEYS))


class Finding(NamedTuple):
    """A finding of our own; ``detail`` is what the sentence of its code needs: a rule, a hint, a keyword."""

    code: str
    steps: Steps
    detail: str


def names(schema: Mapping[str, Any]) -> Iterator[Finding]:
    """Arguments whose names the documentation of the public tool forbids, but which the tool lets pass."""
    properties = schema.get("properties")
    for name in properties if isinstance(properties, dict) else ():
        if name in FORBIDDEN_NAMES:
            yield Finding(NAME, ("properties", name), name)


def unvisited(schema: Any) -> list[Finding]:
    """The public tool's rules where it does not look (tuples, values of dictionaries, tagged unions, ``allOf``), and
    rules for the keys of dictionaries."""
    found: list[Finding] = []
    _walk(schema, schema, (), found)
    return found


def hints(schema: Mapping[str, Any], sources: Sources, executable: Any) -> Iterator[Finding]:
    """Type hints that leave no trace in a schema: dictionaries whose keys are no text."""
    properties = schema.get("properties")
    for name, hint in sources.keyed_arguments(executable):
        if isinstance(properties, dict) and name in properties:
            yield Finding(KEY_HINT, ("properties", name), hint)
    definitions = schema.get("$defs")
    for model, definition in definitions.items() if isinstance(definitions, dict) else ():
        declared = definition.get("properties") if isinstance(definition, dict) else None
        inner = declared if isinstance(declared, dict) else {}
        for name, hint in sources.keyed_attributes(executable, model) if inner else ():
            if name in inner:
                yield Finding(KEY_HINT, ("$defs", model, "properties", name), hint)


def _walk(schema: Any, root: Any, steps: Steps, found: list[Finding]) -> None:
    if not isinstance(schema, dict):
        return
    for below, member in children(schema):
        _walk(member, root, steps + below, found)
    if schema.keys().isdisjoint(_UNSEEN):
        return
    found += (Finding(KEY_PATTERN, steps, keyword) for keyword in _FOR_KEYS if schema.get(keyword))
    for below, member in _hidden(schema):
        # Plain booleans in these two places have rules of their own.
        if not (member == BOOLEAN and below[0] in ("prefixItems", "additionalProperties")):
            broken = (one for one in violations(member, root, steps + below) if one.code.startswith("E"))
            found += (Finding(UNVISITED, one.steps, one.code) for one in broken)
        _walk(member, root, steps + below, found)


def _hidden(schema: Mapping[str, Any]) -> Iterator[tuple[Steps, Any]]:
    """The schemas within a schema that the public tool does not visit; ``true`` and ``false`` are left out."""
    for key in _SINGLE:
        if isinstance(schema.get(key), dict):
            yield (key,), schema[key]
    for key in _LISTS:
        members = schema.get(key)
        for index, member in enumerate(members if isinstance(members, list) else ()):
            if isinstance(member, dict):
                yield (key, index), member
    for key in _NAMED:
        named = schema.get(key)
        for name, member in named.items() if isinstance(named, dict) else ():
            if isinstance(member, dict):
                yield (key, name), member
