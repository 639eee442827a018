"""Manifests of version 1, of packages before 2024: read, checked and shown, but not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trivet.contracts.fields import Fields
from trivet.contracts.fractal import schemas
from trivet.contracts.fractal.manifest import RESERVED
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem

RESERVED_V1 = (*RESERVED, "input_paths", "output_path", "metadata", "component")
"""Arguments that a runner of version 1 supplies (and those of version 2, which no task of version 1 has)."""

_LEVELS = ("plate", "well", "image")


def check(document: Document, problems: list[Problem]) -> Sequence[Problem]:
    """Every problem of a manifest of version 1."""
    from trivet.contracts.fractal import rules

    fields = Fields(document.data, problems, rules.CODES)
    fields.get("manifest_version", str)
    fields.note(
        "F006",
        "this is a manifest of version 1: its tasks are shown, but can't be run yet",
        "manifest_version",
        severity="warning",
        hint="take a newer version of the package, or begin one of version 2 with trivet convert FILE --to fractal",
    )
    has_schemas = fields.get("has_args_schemas", bool, False)
    package = rules.Package(document)
    for task in rules.named_tasks(fields):
        task.get("executable", str, required=True)
        rules.check_executable(task, "executable", package)
        for key in ("input_type", "output_type"):
            task.get(key, str, required=True)
        meta = task.child("meta")
        level = meta.data.get("parallelization_level") if meta else None
        if level is not None and level not in _LEVELS:
            known = ", ".join(_LEVELS)
            task.note(
                "F022", f"{level!r} is no level of parallelization; known: {known}", "meta", "parallelization_level"
            )
        schema = task.get("args_schema", dict, None, null=True)
        if schema is not None:
            problems += schemas.check(schema, (*task.path, "args_schema"))
        elif has_schemas and task.data.get("args_schema") is None:
            task.note("F010", "`has_args_schemas` is true, but there is no `args_schema`")
        task.get("docs_info", str, null=True)
        rules.check_link(task)
        task.unknown()
    rules.check_schema_version(fields)
    fields.unknown()
    return problems


def is_parallel(entry: Mapping[str, Any]) -> bool:
    """A task of version 1 is parallel when its meta data name a level."""
    return bool((entry.get("meta") or {}).get("parallelization_level"))
