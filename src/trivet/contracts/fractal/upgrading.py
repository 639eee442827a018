"""Manifests of version 1 written in version 2, as far as that is possible, and what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trivet.contracts import fractal
from trivet.contracts.fractal.manifest import FILE_NAME, RESERVED
from trivet.contracts.fractal.v1.manifest import RESERVED as RESERVED_V1
from trivet.contracts.written import Written
from trivet.tasks.document import Document
from trivet.tasks.problem import DocumentPath, Problem, ProblemsError, has_errors

if TYPE_CHECKING:
    from trivet.tasks.task import Task

FORM = "2"

_IN_PLACE_OF: Mapping[str, Mapping[str, Any]] = {
    "parallel": {"zarr_url": {"type": "string", "title": "Zarr Url", "description": "The image to be processed."}},
    "non_parallel": {
        "zarr_urls": {
            "type": "array",
            "items": {"type": "string"},
            "title": "Zarr Urls",
            "description": "The images to be processed.",
        },
        "zarr_dir": {"type": "string", "title": "Zarr Dir", "description": "Where new images are made."},
    },
    "converter_non_parallel": {
        "zarr_dir": {"type": "string", "title": "Zarr Dir", "description": "Where new images are made."}
    },
}
"""The arguments that a runner of version 2 supplies to the types of tasks that one of version 1 can become."""

_SUPPLIED = (*RESERVED, *RESERVED_V1)
"""Arguments that runners of either version supply."""

_SINGLE = ("additionalItems", "additionalProperties", "contains", "else", "if", "not", "propertyNames", "then")
_LISTS = ("allOf", "anyOf", "oneOf")
_NAMED = ("$defs", "patternProperties", "properties")
_KEPT = ("name", "executable", "input_type", "output_type", "meta", "args_schema", "docs_info", "docs_link")


def write(document: Document | Task, form: str = FORM) -> Written:
    """A manifest of either version as one of version 2.

    What can't be kept, and every script that has to be changed, is told. Raises ValueError for another form, and
    ProblemsError for a document of another contract, one with errors, and one of which no task can be kept.
    """
    if form != FORM:
        raise ValueError(f"a manifest is written in version {FORM}, not {form!r}")
    if not isinstance(document, Document) or document.contract != "fractal":
        message = f"a task of the contract {document.contract} can't be written in a manifest of a Fractal package"
        raise ProblemsError([Problem("F050", message)])
    problems = fractal.check(document)
    if has_errors(problems):
        raise ProblemsError(problem for problem in problems if problem.severity == "error")
    if document.kind == "manifest":
        return Written({FILE_NAME: _text(document.data)})
    upgrade = _Upgrade()
    manifest = upgrade.manifest(document.data)
    if document.data["task_list"] and not manifest["task_list"]:
        raise ProblemsError(problem for problem in upgrade.lost if problem.code == "F051")
    return Written({FILE_NAME: _text(manifest)}, tuple(upgrade.lost))


def modern(schema: Any) -> Any:
    """A schema as pydantic 1 wrote it (draft 7) in the words of draft 2020-12."""
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "definitions":
            key = "$defs"
        if key == "$ref" and isinstance(value, str):
            made[key] = value.replace("#/definitions/", "#/$defs/", 1)
        elif key == "items" and isinstance(value, list):
            made["prefixItems"] = [modern(item) for item in value]
        elif key == "additionalItems":
            if isinstance(schema.get("items"), list):
                made["items"] = modern(value)
        elif key in _SINGLE or key == "items":
            made[key] = modern(value)
        elif key in _LISTS and isinstance(value, list):
            made[key] = [modern(item) for item in value]
        elif key in _NAMED and isinstance(value, dict):
            made[key] = {name: modern(member) for name, member in value.items()}
        else:
            made[key] = value
    # pydantic 1 wrapped a reference that has a title or a default beside it.
    only = made.get("allOf")
    if isinstance(only, list) and len(only) == 1 and isinstance(only[0], dict) and only[0].keys() == {"$ref"}:
        del made["allOf"]
        made |= only[0]
    return made


class _Upgrade:
    """One manifest while it is written; what gets lost gathers in ``lost``."""

    def __init__(self) -> None:
        self.lost: list[Problem] = []

    def manifest(self, data: Mapping[str, Any]) -> dict[str, Any]:
        tasks = [self.task(entry, index) for index, entry in enumerate(data["task_list"])]
        has_schemas = bool(data.get("has_args_schemas"))
        for key in data.keys() - {"manifest_version", "task_list", "has_args_schemas", "args_schema_version"}:
            self._note("F053", f"`{key}` has no place in version 2 and is left out", (key,))
        return {
            "manifest_version": FORM,
            "task_list": [task for task in tasks if task is not None],
            "has_args_schemas": has_schemas,
            "args_schema_version": "pydantic_v2" if has_schemas else None,
            "authors": None,
        }

    def task(self, entry: Mapping[str, Any], index: int) -> dict[str, Any] | None:
        """One task, None where version 2 has nothing like it."""
        path: DocumentPath = ("task_list", index)
        name = entry["name"]
        meta = dict(entry.get("meta") or {})
        level = meta.pop("parallelization_level", None)
        if level not in (None, "image"):
            self._note(
                "F051",
                f"`{name}` is left out: it works on a whole {level}, and version 2 runs tasks on images or lists only",
                (*path, "meta", "parallelization_level"),
                f"make it a compound task, whose first part lists the images of every {level}",
            )
            return None
        kind, part = self._type(entry, level, path)
        if meta.pop("executor", None) is not None:
            self._note(
                "F053",
                f"`{name}`: the SLURM configuration it names has no place in version 2",
                (*path, "meta", "executor"),
                "say what it needs: `cpus_per_task`, `mem`, `needs_gpu`",
            )
        for key in entry.keys() - set(_KEPT):
            self._note("F053", f"`{name}`: `{key}` is unknown and left out", (*path, key))
        made = {"name": name, "type": kind, f"executable_{part}": entry["executable"]}
        if meta:
            made[f"meta_{part}"] = meta
        if entry.get("args_schema") is not None:
            made[f"args_schema_{part}"] = self._schema(entry["args_schema"], kind)
        made |= {key: entry[key] for key in ("docs_info", "docs_link") if entry.get(key) is not None}
        supplied = " and ".join(f"`{one}`" for one in _IN_PLACE_OF[kind])
        self._note(
            "F052",
            f"`{name}`: the script must be changed: it is given {supplied} instead of "
            f"{', '.join(f'`{one}`' for one in _old_arguments(level))}, and returns `image_list_updates` instead of "
            "metadata",
            (*path, "executable"),
        )
        return made

    def _type(self, entry: Mapping[str, Any], level: str | None, path: DocumentPath) -> tuple[str, str]:
        """Type and part of a task; the types of datasets are gone but for telling converters from other tasks."""
        name = entry["name"]
        if level is not None:
            found = "parallel", "parallel"
        elif entry["input_type"].lower() in ("zarr", "any"):
            found = "non_parallel", "non_parallel"
        else:
            found = "converter_non_parallel", "non_parallel"
            self._note(
                "F053",
                f"`{name}`: converters of version 2 are not told where their input is",
                (*path, "input_type"),
                "give the function an argument for it, and the schema a property",
            )
        for key in ("input_type", "output_type"):
            self._note(
                "F053",
                f"`{name}`: version 2 knows no types of datasets; {entry[key]!r} is left out",
                (*path, key),
                "say by `input_types` and `output_types` what images it takes and makes, if that matters",
            )
        return found

    def _schema(self, schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
        made: dict[str, Any] = modern(schema)
        supplied = _IN_PLACE_OF[kind]
        properties = made.get("properties") or {}
        own = {key: value for key, value in properties.items() if key not in _SUPPLIED}
        required = [key for key in made.get("required") or () if key not in _SUPPLIED]
        return {**made, "type": "object", "properties": {**supplied, **own}, "required": [*supplied, *required]}

    def _note(self, code: str, message: str, path: DocumentPath, hint: str = "") -> None:
        self.lost.append(Problem(code, message, "warning", hint, path=path))


def _old_arguments(level: str | None) -> Iterator[str]:
    yield from ("input_paths", "output_path", "metadata")
    if level is not None:
        yield "component"


def _text(manifest: Any) -> str:
    return json.dumps(manifest, indent=2) + "\n"
