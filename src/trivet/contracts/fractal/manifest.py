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
METADATA = "METADATA"
"""The attachment with the metadata of the distribution a manifest belongs to, where one is known."""

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

RESERVED = ("zarr_url", "zarr_urls", "zarr_dir", "init_args")
"""Arguments that the runner supplies; nobody else may."""


class Origin:
    """How a manifest was read: the problem that prevents it (or None), the environment its package is installed in,
    the wheel it stands in."""

    def __init__(self, problem: Problem | None, prefix: Path | None, archive: Path | None) -> None:
        self.problem = problem
        self.prefix = prefix
        self.archive = archive


def detect(source: Source) -> bool:
    """True for any file of that name, and for any object that has a manifest's version or list of tasks."""
    if source.name.endswith(FILE_NAME):
        return True
    return isinstance(source.data, dict) and ("manifest_version" in source.data or "task_list" in source.data)


def read(source: Source) -> Document:
    """The document; its ``model`` is an `Origin`."""
    data, problem = source.parsed
    origin = Origin(problem, source.prefix, source.archive)
    kind = "manifest-v1" if isinstance(data, dict) and data.get("manifest_version") == "1" else "manifest"
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
    init, compute = entry.get("executable_non_parallel"), entry.get("executable_parallel")
    if init is not None and compute is not None:
        return "compound"
    if init is not None:
        return "non_parallel"
    return "parallel" if compute is not None else None


def is_converter(kind: str) -> bool:
    """Converters make images from something else; they are given none."""
    return kind.startswith("converter")
