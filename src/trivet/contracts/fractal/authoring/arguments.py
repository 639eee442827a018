"""The schema of a task's arguments, from its Python function and docstring (manifest tools, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trivet.contracts.fractal.authoring import docstrings, generating, titles
from trivet.contracts.fractal.authoring.attributes import AttributeTexts

MISSING = "Missing description"


class SignatureError(ValueError):
    """The signature of a function can't be arguments of a task."""


def argument_schema(
    function: Callable[..., Any],
    descriptions: Mapping[str, str],
    texts: AttributeTexts,
    compatible: bool = False,
    generator: type[generating.ArgumentSchemas] | None = None,
    told: list[str] | None = None,
) -> dict[str, Any]:
    """The schema of all arguments of a function; the runner's own stay in it. ``told`` gets what is odd, in sentences.

    Raises SignatureError for a signature with arguments that have no name to pass them by, NameError for annotations
    that can't be resolved, TypeError for types without a schema, and whatever a default factory raises.
    """
    schema = generating.raw_schema(function, texts, generator, told)
    if not isinstance(schema.get("properties"), dict):
        raise SignatureError("arguments of a task are passed by name: `*args` and positional-only ones can't be")
    _describe_definitions(schema.get("$defs", {}), compatible)
    properties = {name: without_single_all_of(one) for name, one in schema["properties"].items()}
    schema["properties"] = properties
    titles.add_missing(properties)
    for definition in schema.get("$defs", {}).values():
        titles.add_missing(definition.get("properties", {}))
    if schema.get("title") is None:
        schema["title"] = titles.of_schema(function.__name__)
    for name, one in properties.items():
        one.setdefault("description", descriptions.get(name, MISSING))
    return schema


def without_single_all_of(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose ``allOf`` holds nothing but one reference, as that reference."""
    members = schema.get("allOf")
    if isinstance(members, list) and len(members) == 1 and "$ref" not in schema:
        member = members[0]
        if isinstance(member, dict) and list(member) == ["$ref"]:
            return {**{key: value for key, value in schema.items() if key != "allOf"}, **member}
    return schema


def _describe_definitions(definitions: Mapping[str, dict[str, Any]], compatible: bool) -> None:
    """Cut descriptions of definitions down to their summaries; say where one is missing."""
    for definition in definitions.values():
        nothing = f"{MISSING} for {definition['title']}." if "title" in definition else MISSING
        if "description" not in definition:
            definition["description"] = nothing
            continue
        said = docstrings.summary(definition["description"], compatible)
        definition["description"] = said if said is not None or compatible else nothing
