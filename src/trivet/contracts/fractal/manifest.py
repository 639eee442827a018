"""The manifest of a task package: recognised, read, and the few things every room asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trivet.tasks.document import Document

if TYPE_CHECKING:
    from pathlib import Path

    from trivet.contracts.source import Source
    from trivet.tasks.problem import Problem

FILE_NAME = "__FRACTAL_MANIFEST__.json"
V1 = "manifest-v1"
"""The kind of a document that is a manifest of version 1."""

METADATA = "METADATA"
"""The attachment with the metadata of the distribution a manifest belongs to, where one is known."""

IDENTITY = "package.json"
"""The attachment that says of which registered package, and in which versions, the tasks of a document are."""

NON_PARALLEL, PARALLEL = "non_parallel", "parallel"
"""The two parts a task may have; also the endings of the names of their fields."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "non_parallel": (NON_PARALLEL,),
    "parallel": (PARALLEL,),
    "compound": (NON_PARALLEL, PARALLEL),
    "converter_non_parallel": (NON_PARALLEL,),
    "converter_compound": (NON_PARALLEL, PARALLEL),
}
"""The five types of tasks, each with the parts it runs, in order."""

WORKFLOW = "workflow"
"""The kind of the document that is no manifest, but names tasks of several packages."""

RESERVED = ("zarr_url", "zarr_urls", "zarr_dir", "init_args")
"""Arguments that the runner supplies; nobody else may."""

_OF_WORKFLOWS = {"task", "args_parallel", "args_non_parallel", "type_filters"}
"""Keys of a workflow's task that no task of a manifest has."""


class Origin:
    """How a manifest was read: the problem that prevents it (or None), the environment its package is installed in,
    the wheel it stands in."""

    def __init__(self, problem: Problem | None, prefix: Path | None, archive: Path | None) -> None:
        self.problem = problem
        self.prefix = prefix
        self.archive = archive


def detect(source: Source) -> bool:
    """True for any file of that name, any object that has a manifest's version or list of tasks, and workflows."""
    if source.name.endswith(FILE_NAME):
        return True
    if isinstance(source.data, dict) and ("manifest_version" in source.data or "task_list" in source.data):
        return True
    return is_workflow(source.data)


def is_workflow(data: Any) -> bool:
    """True for an object that is a workflow, good or bad, or a template that wraps one."""
    if not isinstance(data, dict) or "manifest_version" in data or "has_args_schemas" in data:
        return False
    inner = data.get("data")
    if "task_list" not in data and isinstance(inner, dict):
        data = inner
    tasks = data.get("task_list")
    if not isinstance(tasks, list):
        return False
    entries = [one for one in tasks if isinstance(one, dict)]
    return any(_OF_WORKFLOWS & one.keys() for one in entries) or (not tasks and "name" in data)


def read(source: Source) -> Document:
    """The document; the ``model`` of a manifest is an `Origin`."""
    data, problem = source.parsed
    if not source.name.endswith(FILE_NAME) and is_workflow(data):
        return Document("fractal", WORKFLOW, source.texts, str(source.base), source.name, data)
    origin = Origin(problem, source.prefix, source.archive)
    kind = V1 if isinstance(data, dict) and data.get("manifest_version") == "1" else "manifest"
    return Document("fractal", kind, source.texts, str(source.base), source.name, data, origin)


def prefix_of(document: Document) -> str | None:
    """The Python environment the package is installed in; None when nobody named one."""
    prefix = document.model.prefix
    return None if prefix is None else str(prefix)


def entry_of(document: Document, name: str) -> Mapping[str, Any]:
    """What the manifest says of one task. Raises KeyError for an unknown one."""
    for entry in document.data["task_list"]:
        if entry["name"] == name:
            return entry  # type: ignore[no-any-return]
    raise KeyError(name)


def type_of(entry: Mapping[str, Any]) -> str | None:
    """The type of a task: as declared, else by the executables it has; None when it has none."""
    declared = entry.get("type")
    if declared is not None:
        return str(declared)
    init, compute = (has_part(entry, part) for part in (NON_PARALLEL, PARALLEL))
    if init and compute:
        return "compound"
    if init:
        return "non_parallel"
    return "parallel" if compute else None


def has_part(entry: Mapping[str, Any], part: str) -> bool:
    """Whether a task says how that part of it is started: by an executable, or by a command if it was registered."""
    return entry.get(f"executable_{part}") is not None or entry.get(f"command_{part}") is not None


def is_registered(document: Document) -> bool:
    """Whether the document comes from Trivet's own packages: its tasks may have commands instead of executables."""
    return IDENTITY in document.texts


def is_converter(kind: str) -> bool:
    """Converters make images from something else; they are given none."""
    return kind.startswith("converter")
