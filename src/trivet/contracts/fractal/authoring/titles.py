"""Titles of arguments, of attributes, and of a whole schema, as the public tool writes them (manifest tools, 3.6)."""

from __future__ import annotations

from typing import Any


def of_argument(name: str, _: object = None) -> str:
    """The title of an argument; pydantic's own before its version 2.12."""
    return name.title().replace("_", " ").strip()


def of_schema(function: str) -> str:
    """The title of the schema of a function's arguments."""
    return "".join(word.capitalize() for word in function.lower().split("_"))


def add_missing(properties: dict[str, Any]) -> None:
    """Give those properties a title that pydantic left without: references, mostly. Underscores stay."""
    for name, schema in properties.items():
        if isinstance(schema, dict) and "title" not in schema:
            schema["title"] = name.title()
