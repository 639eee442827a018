"""Workflow files, as the public server of Fractal exports and imports them: read, checked, and written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trivet.contracts.fields import Fields, name_of
from trivet.contracts.fractal.manifest import NON_PARALLEL, PARALLEL, RESERVED
from trivet.contracts.fractal.v1.workflows import read_source
from trivet.datasets.filters import read_type_filters
from trivet.tasks.problem import Problem, has_errors

if TYPE_CHECKING:
    from trivet.contracts.source import Source
    from trivet.tasks.document import Document

CODES = {"missing": "W001", "type": "W002", "unknown": "W003"}

_TASK_LIST = "task_list"
_IDENTITY = ("pkg_name", "version", "name")
_SUPPLIED_V1 = ("output_path", "metadata", "component")
"""What only the runner supplies to tasks of version 1; the input directories may be said."""

_OF_OTHERS = {"manifest_version": "the manifest of a package", "zarr_dir": "a dataset"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A task in a workflow file: which one, and what is said for it; ``args`` and ``meta`` by part.

    None stands for nothing said; of arguments, an empty object says nothing either. A task of version 1 is known by its
    ``source``; package, version and name are what that says of them.
    """

    pkg_name: str
    version: str | None
    name: str
    args: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    meta: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    type_filters: Mapping[str, bool] = field(default_factory=dict)
    description: str | None = None
    alias: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """What a file says of the template that its workflow is."""

    name: str
    version: int
    description: str | None = None


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """What a workflow file says; ``path`` leads to its workflow in the file (templates wrap it)."""

    name: str
    entries: tuple[Entry, ...]
    description: str | None = None
    template: Template | None = None

    @property
    def path(self) -> tuple[str, ...]:
        return () if self.template is None else ("data",)

    def entry_path(self, index: int) -> tuple[str | int, ...]:
        """Where an entry stands in the file."""
        return (*self.path, _TASK_LIST, index)


def check(document: Document) -> list[Problem]:
    """Every problem of a workflow file, in the order of the file."""
    return _read(document.data)[1]


def parse(source: Source) -> tuple[WorkflowFile | None, list[Problem]]:
    """A workflow file, None where it has errors, and its problems, placed in it (Fractal, workflow import)."""
    from trivet.contracts.parsing import duplicate_keys

    data, unparsed = source.parsed
    if unparsed is not None:
        return None, source.place([unparsed])
    other = next((what for key, what in _OF_OTHERS.items() if isinstance(data, dict) and key in data), None)
    if other is not None:
        hint = "a workflow has a `name` and a `task_list` of tasks by `pkg_name`, `version` and `name`"
        return None, source.place([Problem("W004", f"this is {other}, not a workflow", hint=hint)])
    workflow, problems = _read(data)
    return workflow, source.place([*problems, *duplicate_keys(data)])


def to_json(workflow: WorkflowFile) -> dict[str, Any]:
    """The plain data of a workflow file, with the keys of the public server in its order (Fractal, workflow export)."""
    inner = {
        "name": workflow.name,
        "description": workflow.description,
        _TASK_LIST: [_entry_to_json(entry) for entry in workflow.entries],
    }
    template = workflow.template
    if template is None:
        return inner
    return {"name": template.name, "version": template.version, "description": template.description, "data": inner}


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    if entry.source is not None:
        meta, args = (_plain(given.get(PARALLEL)) for given in (entry.meta, entry.args))
        return {"meta": meta, "args": args, "task": {"source": entry.source}}
    return {
        **{f"meta_{part}": _plain(entry.meta.get(part)) for part in (NON_PARALLEL, PARALLEL)},
        **{f"args_{part}": _plain(entry.args.get(part)) for part in (NON_PARALLEL, PARALLEL)},
        "type_filters": dict(entry.type_filters),
        "description": entry.description,
        "alias": entry.alias,
        "task": {key: getattr(entry, key) for key in _IDENTITY},
    }


def _plain(members: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if members is None else dict(members)


def _read(data: Any) -> tuple[WorkflowFile | None, list[Problem]]:
    problems: list[Problem] = []
    fields = Fields(data, problems, CODES)
    template = None
    if fields.valid and _TASK_LIST not in fields.data and "data" in fields.data:
        version = fields.get("version", int, 1, required=True)
        if version is not None and version < 1:
            fields.note("W006", "the `version` of a template counts from 1", "version")
        template = Template(_text(fields, "name", required=True) or "", version, _text(fields, "description"))
        inner = fields.child("data")
        fields.unknown(severity="error")
        if inner is None:
            return None, problems
        fields = inner
    name = _text(fields, "name", required=True)
    description = _text(fields, "description")
    entries = tuple(_entry(entry) for entry in fields.objects(_TASK_LIST, required=True))
    fields.unknown(severity="error")
    if has_errors(problems):
        return None, problems
    return WorkflowFile(name or "", entries, description, template), problems


def _entry(fields: Fields) -> Entry:
    task = fields.data.get("task")
    if isinstance(task, dict) and "source" in task and "pkg_name" not in task:
        return _old_entry(fields)
    meta = {part: fields.get(f"meta_{part}", dict, null=True) for part in (NON_PARALLEL, PARALLEL)}
    args = {part: _arguments(fields, f"args_{part}") for part in (NON_PARALLEL, PARALLEL)}
    filters = _type_filters(fields)
    description, alias = _text(fields, "description"), _text(fields, "alias")
    pkg_name, version, name = _identity(fields)
    for key in ("args", "meta"):  # before there were two parts
        if key in fields.data and not fields.asked(key):
            fields.has(key)
            hint = f"write `{key}_non_parallel` or `{key}_parallel`, by what the task has"
            fields.note("unknown", f"`{key}` is of workflows of version 1", key, hint=hint)
    fields.unknown(severity="error")
    return Entry(pkg_name, version, name, args, meta, filters, description, alias)


def _old_entry(fields: Fields) -> Entry:
    """A task of version 1, which has one part whatever it does (Fractal version 1, workflow export)."""
    meta, args = fields.get("meta", dict, null=True), _arguments(fields, "args", _SUPPLIED_V1)
    for key in ("order", "id", "task_id", "workflow_id"):  # of no meaning outside the server
        fields.has(key)
    task = fields.child("task", required=True)
    source = read_source((task and _text(task, "source", required=True)) or "")
    if task is not None:
        if source.package is None and source.text.startswith("pip_"):
            hint = "such as pip_remote:fractal_tasks_core:0.14.3::copy_ome-zarr_structure"
            task.note("W005", f"`{source.text}` does not name a package, a version and a task", "source", hint=hint)
        task.unknown()  # servers wrote a good deal more about it
    fields.unknown(severity="error")
    known_as = source.package or "", source.version, source.slug or source.text
    return Entry(*known_as, {PARALLEL: args}, {PARALLEL: meta}, source=source.text)


def _identity(fields: Fields) -> tuple[str, str | None, str]:
    task = fields.child("task", required=True)
    if task is None:
        return "", None, ""
    found = (_text(task, "pkg_name", required=True), _text(task, "version"), _text(task, "name", required=True))
    task.unknown(severity="error")
    return found[0] or "", found[1], found[2] or ""


def _arguments(fields: Fields, key: str, supplied: Sequence[str] = RESERVED) -> dict[str, Any] | None:
    """Arguments, their names without blanks around them; None where there are none (Fractal, arguments of tasks)."""
    given = fields.get(key, dict, null=True)
    arguments: dict[str, Any] = {}
    for name, value in (given or {}).items():
        bare = name.strip()
        if not bare:
            fields.note("W007", f"an argument in `{key}` has no name", key, name)
        elif bare in arguments:
            fields.note("W007", f"`{bare}` is given twice in `{key}`", key, name)
        elif bare in supplied:
            hint = "remove it: it is chosen for each unit when the task runs"
            fields.note(
                "W008", f"`{bare}` in `{key}` is supplied by the runner and can't be given", key, name, hint=hint
            )
        arguments[bare] = value
    return arguments or None


def _type_filters(fields: Fields) -> dict[str, bool]:
    """The filters of an entry, also in the form of files written before there were only those by type."""
    older = fields.child("input_filters", null=True)
    newer = fields.get("type_filters", dict, null=True)
    key: tuple[str, ...] = ("type_filters",)
    if older is not None:
        if "type_filters" in fields.data:
            fields.note(
                "W009", "`input_filters` is the older form of `type_filters`; give one of them", "input_filters"
            )
        if older.get("attributes", dict, {}, null=True):
            message = "a task of a workflow can't choose images by attributes"
            older.note(
                "W009", message, "attributes", hint="give them to the job: trivet job run … --attribute NAME=VALUE"
            )
        newer = older.get("types", dict, null=True)
        older.unknown(severity="error")
        key = ("input_filters", "types")
    return read_type_filters(newer or {}, fields.problems, (*fields.path, *key)) or {}


def _text(fields: Fields, key: str, required: bool = False) -> str | None:
    """A text that is not blank; where it is not required, it may be null or absent."""
    if required and key in fields.data and fields.data[key] is None:
        fields.note("type", f"`{key}` must be text, not {name_of(None)}", key)
        fields.has(key)
        return None
    text: str | None = fields.get(key, str, None, required, null=not required)
    if text is None:
        return None
    if not text.strip():
        hint = "" if required else "leave it out instead"
        fields.note("W006", f"`{key}` must not be blank", key, hint=hint)
    return text.strip()
