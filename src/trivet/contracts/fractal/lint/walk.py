"""The public tool's restrictions on schemas of arguments: the same codes in the same order, and all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Steps = tuple[str | int, ...]

CRASH = "crash"
"""In place of a code: the public tool ends with an error of its own here."""

FORBIDDEN_NAMES = ("args", "kwargs", "v__args", "v__kwargs", "v__duplicate_kwargs", "v__positional_only")
BOOLEAN, NULL = {"type": "boolean"}, {"type": "null"}

_PRIMITIVES = ("boolean", "string", "integer", "number")
_DRAWN = ("anyOf", "oneOf", "items", "$ref")
_MISSING = object()


class Violation(NamedTuple):
    """One place of a schema that breaks one rule: ``steps`` lead there, ``told`` is what the public tool says."""

    code: str
    steps: Steps
    told: str

    def message(self, root: str) -> str:
        """The public tool's own message; ``root`` is what it calls the whole schema, its title."""
        if self.code == CRASH:
            return self.told
        if self.code.startswith("I"):
            return f"[{self.code}] Internal error at {place(root, self.steps)}: {self.told}"
        return f"[{self.code}] {self.told} at {place(root, self.steps)}"


def place(root: str, steps: Steps) -> str:
    """A place in a schema as the public tool writes it."""
    return "/".join([root, *map(str, steps)])


def violations(schema: Any, root: Any = _MISSING, steps: Steps = ()) -> list[Violation]:
    """Everything in a schema that the public tool refuses, in the order in which it looks (Fractal, lint).

    ``root`` is the schema whose ``$defs`` references mean, by default the schema itself; ``steps`` is where it stands.
    The public tool stops at the first.
    """
    found: list[Violation] = []
    _walk(schema, steps, None, schema if root is _MISSING else root, found)
    return found


def children(schema: Mapping[str, Any]) -> Iterator[tuple[Steps, Any]]:
    """The schemas within a schema that the public tool visits, those of unions last."""
    for key in ("$defs", "properties"):
        members = schema.get(key)
        if isinstance(members, dict):
            for name, member in members.items():
                yield (key, name), member
    if "items" in schema:
        yield ("items",), schema["items"]
    for index, member in enumerate(_list(schema, "anyOf")):
        yield ("anyOf", index), member


def _walk(schema: Any, steps: Steps, parent: Mapping[str, Any] | None, root: Any, found: list[Violation]) -> None:
    if not isinstance(schema, dict):
        found.append(Violation(CRASH, steps, f"'{type(schema).__name__}' object has no attribute 'get'"))
        return
    for below, member in children(schema):
        _walk(member, steps + below, schema if below[0] == "anyOf" else None, root, found)
    found += (Violation(code, steps, told) for code, told in _node(schema, parent))
    if "anyOf" in schema:
        found += (Violation(code, steps, told) for code, told in _any_of(schema, root))
    if "oneOf" in schema:
        found += (Violation(code, steps, told) for code, told in _one_of(schema))


def _node(schema: Mapping[str, Any], parent: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    kind = schema.get("type")
    if "name" in schema and schema["name"] in FORBIDDEN_NAMES:
        yield "E01", "Forbidden name"
    if "definitions" in schema:
        yield "E02", 'Unsupported keyword "definitions"'
    if "enum" in schema and len({type(value) for value in _list(schema, "enum")}) > 1:
        yield "E03", "Non-homogeneous enum"
    if "type" not in schema and not any(key in schema for key in _DRAWN):
        yield "E04", "Unsupported schema"
    if kind == "boolean" and "default" not in schema and "default" not in (parent or ()):
        yield "E05", "Boolean with no default"
    if kind == "object" and schema.get("additionalProperties") == BOOLEAN:
        yield "E06", "Object of booleans"
    if "default" in schema and _has_blank(schema["default"]):
        yield "E07", "Empty string default"
    if "prefixItems" in schema and BOOLEAN in _list(schema, "prefixItems"):
        yield "E08", "Unsupported boolean in 'tuple'"


def _any_of(schema: Mapping[str, Any], root: Any) -> Iterator[tuple[str, str]]:
    members = _list(schema, "anyOf")
    objects = [member for member in members if isinstance(member, dict)]
    references = [member["$ref"] for member in objects if "$ref" in member]
    if members in ([BOOLEAN, NULL], [NULL, BOOLEAN]):
        yield "E10", "Nullable boolean"
    if NULL in members:
        if any("enum" in member for member in objects):
            yield "E11", "Nullable enum"
        yield from _nullable_definitions(references, root)
    if sum(member.get("type") in _PRIMITIVES for member in objects) > 1:
        yield "E13", "Unsupported anyOf of primitive types"
    if len(references) > 1:
        yield "E14", "Unsupported anyOf with more than one $ref"
    if len(members) > 2:
        yield "E15", "Unsupported anyOf with more than two items"


def _nullable_definitions(references: Sequence[Any], root: Any) -> Iterator[tuple[str, str]]:
    """E12, once; or how the public tool fails to look for it."""
    for reference in references:
        if root is None:
            yield "I90", "`root_schema` not set."
            return
        parts = reference.split("/") if isinstance(reference, str) else ()
        if len(parts) != 3:
            few = f"not enough values to unpack (expected 3, got {len(parts)})"
            yield CRASH, "too many values to unpack (expected 3)" if len(parts) > 3 else few
            return
        if parts[:2] != ["#", "$defs"]:
            yield "I91", f"Invalid $ref string {reference}"
            return
        found = root
        for key in parts[1:]:
            if not isinstance(found, dict) or key not in found:
                yield "I92", f"KeyError '{key}'"
                return
            found = found[key]
        if isinstance(found, dict) and "enum" in found:
            yield "E12", "Nullable enum"
            return


def _one_of(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    carrier = schema.get("items", schema)
    if not isinstance(carrier, dict) or "discriminator" not in carrier:
        yield "E20" if "items" in schema else "E21", "oneOf with no discriminator"
    if any(not isinstance(member, dict) or "$ref" not in member for member in _list(schema, "oneOf")):
        yield "E22", "Unsupported non-$ref item in oneOf"


def _has_blank(default: Any) -> bool:
    """A text without letters, also as an item, a key or a value of the default itself, but no deeper."""
    if isinstance(default, dict):
        inner = [*default, *default.values()]
    else:
        inner = default if isinstance(default, list) else [default]
    return any(isinstance(value, str) and not value.strip() for value in inner)


def _list(schema: Mapping[str, Any], key: str) -> list[Any]:
    found = schema.get(key)
    return found if isinstance(found, list) else []
