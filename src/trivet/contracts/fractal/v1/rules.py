"""What is wrong with a manifest of version 1, and advice beyond."""

from __future__ import annotations

from collections.abc import Sequence

from trivet.contracts.fields import Fields
from trivet.contracts.fractal import commands, rules, schemas
from trivet.contracts.fractal.manifest import is_registered
from trivet.contracts.fractal.v1.manifest import LEVELS
from trivet.contracts.parsing import duplicate_keys
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, closest


def check(document: Document) -> Sequence[Problem]:
    """Every problem of a manifest of version 1, in the order of the file."""
    if document.model.problem is not None:
        return [document.model.problem]
    problems = list(duplicate_keys(document.data))
    fields = Fields(document.data, problems, rules.CODES)
    fields.get("manifest_version", str)
    has_schemas = fields.get("has_args_schemas", bool, False)
    package = rules.Package(document)
    for task in rules.named_tasks(fields):
        _program(task, document, package)
        for key in ("input_type", "output_type"):
            task.get(key, str, required=True)
        task.get("source", str, null=True)
        _meta(task)
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


def _program(task: Fields, document: Document, package: rules.Package) -> None:
    """A script of the package, or the command of a single task that was registered (legacy guide, custom tasks)."""
    command = task.get("command", str, None, null=True) if is_registered(document) else None
    if command is None:
        task.get("executable", str, required=True)
        rules.check_executable(task, "executable", package)
    elif task.data.get("executable") is not None:
        task.note("F025", "a task has either an `executable` or a `command`", "command")
    else:
        for fault in commands.faults(command):
            task.note(fault.code, fault.message, "command", hint=fault.hint)


def _meta(task: Fields) -> None:
    meta = task.child("meta", null=True)
    if meta is None:
        return
    level = meta.get("parallelization_level", str, None, null=True)
    if level is not None and level not in LEVELS:
        message = f"{level!r} is no usual level of parallelization; units are made from that list of the metadata"
        meta.note("F022", message, "parallelization_level", severity="warning", hint=closest(level, LEVELS))
    meta.get("executor", str, None, null=True)
