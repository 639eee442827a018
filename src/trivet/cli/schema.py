"""`trivet schema`: the JSON Schema of a document, for editors and other programs."""

from __future__ import annotations

import json
from importlib import import_module

import click

SCHEMAS = {
    "kaapana-container": ("trivet.contracts.kaapana.schemas", "container"),
    "kaapana-task": ("trivet.contracts.kaapana.schemas", "task"),
}
"""Every published schema: the module and function that make it."""


@click.command()
@click.argument("name", type=click.Choice(sorted(SCHEMAS)))
def command(name: str) -> None:
    """Print the JSON Schema of a document (draft 2020-12).

    It covers every published form of the document, and agrees with `trivet check` about the shape; what names, paths,
    amounts and references mean only the check knows.

    \b
    Example:
      trivet schema kaapana-task > task.schema.json
    """
    module, function = SCHEMAS[name]
    print(json.dumps(getattr(import_module(module), function)(), indent=2))
