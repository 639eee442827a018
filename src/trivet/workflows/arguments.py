"""The arguments in a workflow file against the JSON Schemas of its tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs

from trivet.contracts.fractal.manifest import RESERVED, V1
from trivet.contracts.fractal.v1.manifest import RESERVED as RESERVED_V1
from trivet.tasks.problem import DocumentPath, Problem, closest
from trivet.workflows.resolving import Found, Part

MISSING, UNEXPECTED, INVALID, UNCHECKED, NO_FILE = "W030", "W031", "W032", "W033", "W035"
"""Codes of problems: an argument is missing, unknown, or not what the schema allows; a schema that is none; a file or
directory that must exist and does not."""

_EXISTING = {"file-path": ("file", os.path.isfile), "directory-path": ("directory", os.path.isdir)}
"""Formats of paths that lead to something: what it is, and whether it is there."""

REFUSED = (MISSING, UNEXPECTED, INVALID, NO_FILE)


def faults(found: Found) -> Iterator[Problem]:
    """Every argument that the schemas of a task refuse (Fractal, arguments), with its path in the workflow file.

    What the runner supplies is not asked for. A task without schemas takes anything.
    """
    for part in found.parts:
        if part.schema is not None:
            yield from _faults(found, part, part.schema)


def _faults(found: Found, part: Part, schema: Mapping[str, Any]) -> Iterator[Problem]:
    name, path = found.step.name, (*found.path, part.key)
    supplied = RESERVED_V1 if found.step.task.document.kind == V1 else RESERVED
    schema = _without_supplied(schema, supplied)
    draft = (
        jsonschema_rs.Draft7Validator if found.schema_version == "pydantic_v1" else jsonschema_rs.Draft202012Validator
    )
    try:
        errors = list(draft(schema, retriever=_no_retrieval).iter_errors(dict(part.args)))
    except ValueError as error:
        message = f"{name}: the arguments can't be checked, as their schema is none: {str(error).splitlines()[0]}"
        yield Problem(UNCHECKED, message, "warning", path=path)
        return
    for fault in errors:
        for meant in _meant(fault):
            yield from _told(name, meant, path, schema)
    for argument, value in part.args.items():
        message, hint = _path_fault(schema.get("properties", {}).get(argument), value)
        if message:
            yield Problem(NO_FILE, f"{name}: `{part.key}.{argument}`: {message}", hint=hint, path=(*path, argument))


def _path_fault(declared: Any, value: Any) -> tuple[str, str]:
    """Why a path that must lead somewhere does not, and what to do; empty when it does, or is none."""
    formats = {one.get("format") for one in _alternatives(declared)}
    if not isinstance(value, str) or not formats & _EXISTING.keys():
        return "", ""
    if not os.path.isabs(value):  # noqa: PTH117
        return f"{value!r} is a relative path, and units work in the job's own folder", "write it from / on"
    kinds = [what for name, (what, there) in _EXISTING.items() if name in formats and not there(value)]
    return (
        (f"there is no {' or '.join(kinds)} {value}", "") if len(kinds) == len(formats & _EXISTING.keys()) else ("", "")
    )


def _alternatives(declared: Any) -> list[Mapping[str, Any]]:
    members = [declared, *(declared.get("anyOf", ()) if isinstance(declared, dict) else ())]
    return [one for one in members if isinstance(one, dict)]


def _told(name: str, error: Any, path: DocumentPath, schema: Mapping[str, Any]) -> Iterator[Problem]:
    here: DocumentPath = (*path, *error.instance_path)
    where = _shown((*path[-1:], *error.instance_path))
    kind = error.kind.name
    if kind == "required":
        message = f"{name}: `{where}` lacks `{error.kind.property}`"
        hint = _described(schema, error.kind.property) if not error.instance_path else ""
        yield Problem(MISSING, message, hint=hint, path=here)
    elif kind == "falseSchema" and error.instance_path:
        yield Problem(UNEXPECTED, f"{name}: the task has no `{where}`", path=here)
    elif kind in ("additionalProperties", "unevaluatedProperties"):
        known = [one for one in schema.get("properties", {}) if not error.instance_path and one not in RESERVED]
        for word in error.kind.unexpected:
            hint = closest(word, known)
            yield Problem(UNEXPECTED, f"{name}: the task has no `{word}` in `{where}`", hint=hint, path=(*here, word))
    else:
        yield Problem(INVALID, f"{name}: `{where}`: {_message(error)}", path=here)


def _meant(error: Any) -> Iterator[Any]:
    """A complaint about a union, as those of the only member whose tag fits; any other as it is."""
    tagged = [member for member in _members(error) if _tag(member) is None]
    if len(tagged) != 1:
        yield error
        return
    for inner in tagged[0]:
        yield from _meant(inner)


def _message(error: Any) -> str:
    told = dict.fromkeys(str((_tag(member) or member[0]).message) for member in _members(error))
    return _cut("; or ".join(told) or str(error.message))


def _members(error: Any) -> list[Any]:
    """What is wrong with each member of a union; nothing where there is none."""
    return [member for member in getattr(error.kind, "context", None) or () if member]


def _tag(member: Any) -> Any:
    """The complaint that a value has the tag of another member, if there is one."""
    return next((one for one in member if one.kind.name == "const"), None)


def _cut(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:280]} …"


def _described(schema: Mapping[str, Any], name: str) -> str:
    declared = schema.get("properties", {}).get(name)
    text = declared.get("description", "") if isinstance(declared, dict) else ""
    return _cut(" ".join(text.split())) if text != "Missing description" else ""


def _without_supplied(schema: Mapping[str, Any], supplied: Sequence[str]) -> dict[str, Any]:
    """A schema that does not ask for what the runner supplies."""
    required = [name for name in schema.get("required", ()) if name not in supplied]
    return {**schema, "required": required}


def _shown(path: DocumentPath) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _no_retrieval(uri: str) -> Any:
    raise ValueError(f"it refers to {uri}, outside itself")
