"""The tasks of a manifest of version 1 in neutral words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trivet.contracts.fractal.commands import shown
from trivet.contracts.fractal.description import program_of, resources_of
from trivet.contracts.fractal.ports import ports_of
from trivet.contracts.fractal.v1.manifest import GATHER, METADATA, RESERVED, level_of, meta_of
from trivet.tasks.document import Document
from trivet.tasks.task import Environment, Port, Task
from trivet.tasks.types import Array, Boolean, Json, String, Zarr


def tasks(document: Document) -> Sequence[Task]:
    """The tasks of a manifest without errors."""
    program, name = program_of(document)
    return tuple(_task(document, entry, program, name) for entry in document.data["task_list"])


def _task(document: Document, entry: Mapping[str, Any], program: Environment, package: str) -> Task:
    return Task(
        contract="fractal",
        name=entry["name"],
        inputs=(*_supplied(level_of(entry)), *ports_of(entry.get("args_schema") or {}, RESERVED)),
        outputs=(Port(METADATA, Json({"type": "object"}), "out", "What is known of the dataset now."),),
        program=program,
        document=document,
        resources=resources_of(meta_of(entry)),
        title=entry["name"],
        description=entry.get("docs_info") or "",
        namespace=package,
        version=program.versions.get(package, ""),
        command=shown(document, entry, [""]),
        network=True,
        open_inputs=entry.get("args_schema") is None,
    )


def _supplied(level: str | None) -> Iterator[Port]:
    yield Port("input_paths", Array(Zarr(), min_size=1), description="Directories of the input dataset.")
    yield Port("output_path", Zarr(), "inout", "Directory of the output dataset.")
    yield Port(METADATA, Json({"type": "object"}), description="What earlier tasks said of the dataset.", default={})
    if level is not None:
        yield Port(
            "component",
            Array(String(min_length=1), min_size=1),
            description=f"The parts to process, below output_path (default: the metadata's list `{level}`).",
            optional=True,
        )
        yield Port(
            GATHER,
            Boolean(),
            description="Gather what the units say in lists of the metadata, instead of ignoring it.",
            default=False,
        )
