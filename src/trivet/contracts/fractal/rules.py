"""What is wrong with a manifest: every rule the public server applies to one of version 2, and advice beyond."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trivet.contracts.fields import Fields
from trivet.contracts.fractal import schemas
from trivet.contracts.fractal.manifest import (
    NON_PARALLEL,
    PARALLEL,
    PARTS,
    has_part,
    is_converter,
    is_registered,
    type_of,
)
from trivet.contracts.fractal.naming import forbidden_in
from trivet.contracts.parsing import duplicate_keys
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, closest

if TYPE_CHECKING:
    from pathlib import Path

CODES = {"missing": "F001", "type": "F002", "unknown": "F003"}

_SCHEMA_VERSIONS = ("pydantic_v1", "pydantic_v2", "fractal_schema_v1")
_SUPPLIED: dict[tuple[bool, bool, str], tuple[str, ...]] = {
    # (two parts, converter, part): what the runner supplies
    (False, False, PARALLEL): ("zarr_url",),
    (False, False, NON_PARALLEL): ("zarr_urls", "zarr_dir"),
    (False, True, NON_PARALLEL): ("zarr_dir",),
    (True, False, NON_PARALLEL): ("zarr_urls", "zarr_dir"),
    (True, True, NON_PARALLEL): ("zarr_dir",),
    (True, False, PARALLEL): ("zarr_url", "init_args"),
    (True, True, PARALLEL): ("zarr_url", "init_args"),
}


def supplied(kind: str, part: str) -> tuple[str, ...]:
    """The arguments the runner supplies to a part of a task of that type (Fractal, the five task types)."""
    return _SUPPLIED.get((len(PARTS.get(kind, ())) == 2, is_converter(kind), part), ())


class Package:
    """The directory or the wheel a manifest stands in."""

    def __init__(self, document: Document) -> None:
        self.base = document.base
        archive = document.model.archive
        self.members = _members(archive, document.origin) if archive else None
        self.complete = self.members is not None or os.path.exists(os.path.join(self.base, "__init__.py"))  # noqa: PTH110, PTH118

    def has(self, executable: str) -> bool:
        """True when the package has a file at that path."""
        if self.members is not None:
            return executable.removeprefix("./") in self.members
        return "\x00" not in executable and os.path.isfile(os.path.join(self.base, executable))  # noqa: PTH113, PTH118


def check(document: Document) -> Sequence[Problem]:
    """Every problem of a manifest of version 2, in the order of the file."""
    if document.model.problem is not None:
        return [document.model.problem]
    problems = list(duplicate_keys(document.data))
    fields = Fields(document.data, problems, CODES)
    _manifest(fields, Package(document), is_registered(document))
    return problems


def named_tasks(fields: Fields) -> Iterator[Fields]:
    """The tasks of a manifest of either version; their names are there, not blank, and unique."""
    seen = set()
    for task in fields.objects("task_list", required=True):
        name = task.get("name", str, required=True)
        if name is not None and not name.strip():
            task.note("F014", "`name` must not be blank", "name")
        elif name in seen:
            task.note("F007", f"an earlier task is called `{name}` too; names must be unique", "name")
        seen.add(name)
        yield task


def check_executable(fields: Fields, key: str, package: Package) -> None:
    """An executable is a path below the package, is there, and can stand in a command."""
    executable = fields.get(key, str, None, null=True)
    if executable is None:
        return
    if not executable.strip():
        fields.note("F016", f"`{key}` must name a file", key)
    elif executable.startswith("/") or ".." in executable.split("/"):
        fields.note("F016", f"`{executable}` must be a path below the package's directory", key)
    elif forbidden_in(executable):
        found = " ".join(forbidden_in(executable))
        fields.note("F019", f"`{executable}` can't be part of a command: it holds {found}", key)
    elif not package.has(executable):
        # A manifest on its own can be read; one in its package promises the files.
        message = f"`{executable}` does not exist beside the manifest"
        hint = (
            "" if package.complete else "this manifest does not stand in its package; its tasks can't be run from here"
        )
        fields.note("F020", message, key, severity="error" if package.complete else "warning", hint=hint)


def check_command(task: Fields, part: str, registered: bool) -> None:
    """A whole command in place of an executable, which only a task that was registered as one has."""
    key = f"command_{part}"
    if not registered:
        if task.data.get(key) is not None:
            hint = "register it with trivet fractal collect --command"
            task.note("F025", f"a manifest has executables; `{key}` is not known there", key, hint=hint)
        return
    command = task.get(key, str, None, null=True)
    if command is not None and task.data.get(f"executable_{part}") is not None:
        task.note("F025", f"a part has either `executable_{part}` or `{key}`", key)
    elif command is not None:
        from trivet.contracts.fractal.commands import faults

        for fault in faults(command):
            task.note(fault.code, fault.message, key, hint=fault.hint)


def check_text(fields: Fields, key: str) -> None:
    """A text that may be absent or null, but not blank."""
    text = fields.get(key, str, None, null=True)
    if text is not None and not text.strip():
        fields.note("F014", f"`{key}` must not be blank; leave it out instead", key)


def check_link(fields: Fields) -> None:
    """A link leads to a page on the web."""
    link = fields.get("docs_link", str, None, null=True)
    if link is not None and not (link.startswith(("http://", "https://")) and len(link.split("://", 1)[1]) > 0):
        fields.note("F013", f"`docs_link` must be an http:// or https:// address, not {link!r}", "docs_link")


def check_schema_version(fields: Fields) -> None:
    """The generation of the argument schemas is one that exists."""
    word = fields.get("args_schema_version", str, None, null=True)
    if word is not None and word not in _SCHEMA_VERSIONS:
        hint = closest(word, _SCHEMA_VERSIONS)
        fields.note(
            "F021",
            f"`{word}` is no known version of argument schemas",
            "args_schema_version",
            severity="warning",
            hint=hint,
        )


def _manifest(fields: Fields, package: Package, registered: bool) -> None:
    version = fields.get("manifest_version", str, required=True)
    if version not in ("2", None):
        fields.note("F005", f"version {version!r} of the manifest is not known; known: '2' and '1'", "manifest_version")
    has_schemas = fields.get("has_args_schemas", bool, False)
    for task in named_tasks(fields):
        _task(task, bool(has_schemas), package, registered)
    check_schema_version(fields)
    check_text(fields, "authors")
    fields.unknown()


def _task(task: Fields, has_schemas: bool, package: Package, registered: bool) -> None:
    declared = task.get("type", str, None, null=True)
    if declared is not None and declared not in PARTS:
        task.note("F011", f"`{declared}` is no type of task", "type", hint=closest(declared, PARTS))
    for part in (NON_PARALLEL, PARALLEL):
        check_executable(task, f"executable_{part}", package)
        check_command(task, part, registered)
    present = [part for part in (NON_PARALLEL, PARALLEL) if has_part(task.data, part)]
    kind = type_of(task.data)
    if not present:
        task.note("F008", "a task needs `executable_non_parallel`, `executable_parallel` or both")
    elif kind is not None and kind in PARTS and tuple(present) != PARTS[kind]:
        wanted = " and ".join(f"`executable_{part}`" for part in PARTS[kind])
        task.note(
            "F012", f"a task of type `{kind}` needs exactly {wanted}; it can't be run as it is", severity="warning"
        )
    for part in (NON_PARALLEL, PARALLEL):
        _part(task, part, part in present, has_schemas, kind or "")
    for key in ("input_types", "output_types"):
        _types(task, key)
    for key in ("category", "modality"):
        check_text(task, key)
    task.strings("tags")
    task.get("docs_info", str, null=True)
    check_link(task)
    task.unknown()


def _part(task: Fields, part: str, present: bool, has_schemas: bool, kind: str) -> None:
    meta = task.get(f"meta_{part}", dict, {})
    if meta and not present:
        task.note("F009", f"`meta_{part}` belongs to no executable", f"meta_{part}")
    key = f"args_schema_{part}"
    schema = task.get(key, dict, None, null=True)
    if schema is None:
        if has_schemas and present and task.data.get(key) is None:
            task.note("F010", f"`has_args_schemas` is true, but there is no `{key}`")
        return
    if not present:
        task.note("F009", f"`{key}` belongs to no executable", key)
    found = list(schemas.check(schema, (*task.path, key)))
    task.problems += found
    if not found:
        for message in _reserved(schema, supplied(kind, part)):
            task.note("F018", message, key, severity="warning")


def _members(archive: Path, manifest: str) -> set[str]:
    """Paths of a wheel's files below the directory of a manifest in it."""
    from zipfile import BadZipFile, ZipFile

    folder = manifest.removeprefix(f"{archive}/").rpartition("/")[0] + "/"
    try:
        with ZipFile(archive) as wheel:
            return {name.removeprefix(folder) for name in wheel.namelist() if name.startswith(folder)}
    except (OSError, BadZipFile):
        return set()


def _reserved(schema: dict[str, Any], given: tuple[str, ...]) -> Iterator[str]:
    """The runner's own arguments: all it supplies must be taken, and none required that it does not supply."""
    properties = schema.get("properties", {})
    if given and schema.get("additionalProperties") is False:
        for name in given:
            if name not in properties:
                yield f"the argument `{name}` is always supplied, but the function does not take it"
    for name in ("zarr_url", "zarr_urls", "zarr_dir"):
        if name in properties and name not in given and given:
            yield f"the argument `{name}` is never supplied to a task of this type"


def _types(task: Fields, key: str) -> None:
    from trivet.datasets.scalars import lax_boolean

    types = task.child(key)
    for name, value in types.data.items() if types else ():
        try:
            lax_boolean(value)
        except ValueError as error:
            task.note("F015", f"`{name}` of `{key}`: {error}", key, name)
