"""The tasks of a manifest in neutral words: ports, program, resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trivet.contracts.fractal import commands, environment
from trivet.contracts.fractal.manifest import (
    IDENTITY,
    METADATA,
    NON_PARALLEL,
    PARALLEL,
    PARTS,
    RESERVED,
    has_part,
    prefix_of,
    type_of,
)
from trivet.contracts.fractal.ports import ports_of
from trivet.contracts.fractal.rules import supplied
from trivet.tasks.document import Document
from trivet.tasks.task import UNLIMITED, Environment, Port, Resources, Task
from trivet.tasks.types import Array, Json, Zarr

PREFIXES = {NON_PARALLEL: "init.", PARALLEL: "compute."}
"""What stands before an argument's name when both parts of a compound task have one of that name."""

_DATA = {
    "zarr_url": Port("zarr_url", Zarr(), "inout", "The image to be processed, in place."),
    "zarr_urls": Port("zarr_urls", Array(Zarr(), min_size=1), "inout", "The images to be processed, in their order."),
    "zarr_dir": Port("zarr_dir", Zarr(), "inout", "The directory in which new OME-Zarr data are made."),
}
OUTPUTS = (
    Port("zarr_urls", Array(Zarr()), "out", "The images to go on with: those made or updated, in order."),
    Port("changes", Json(), "out", "Updates and removals for the image list, as merged from all units."),
)


def tasks(document: Document) -> Sequence[Task]:
    """The tasks of a manifest without errors. Those whose executables don't fit their type are left out."""
    program, name = program_of(document)
    found = (_task(document, entry, program, name) for entry in document.data["task_list"])
    return tuple(task for task in found if task is not None)


def program_of(document: Document) -> tuple[Environment, str]:
    """The environment the tasks of a manifest run in, and the name of their package."""
    prefix = prefix_of(document)
    registered = document.texts.get(IDENTITY)
    if registered is not None:
        name, versions = environment.registered(registered)
    else:
        name, versions = environment.identity(document.base, prefix, document.texts.get(METADATA, ""))
    return Environment(prefix, versions), name


def resources_of(meta: Mapping[str, Any] | None) -> Resources:
    """What the meta data of a part ask for (Fractal: ``cpus_per_task``, ``mem`` in MB, ``needs_gpu``)."""
    if not meta:
        return UNLIMITED
    cpus = meta.get("cpus_per_task")
    return Resources(
        cpus=cpus if isinstance(cpus, int | float) and not isinstance(cpus, bool) and cpus > 0 else None,
        memory=_memory(meta.get("mem")),
        gpus=1 if meta.get("needs_gpu") is True else None,
    )


def _memory(amount: Any) -> int | None:
    if isinstance(amount, bool):
        return None
    match = re.fullmatch(r"([0-9]+)([MGT]?)", str(amount), re.ASCII)
    if match is None or not int(match[1]):
        return None
    # SLURM, which the public server hands this number to, counts its megabytes in 2^20 bytes; G and T are of decimal.
    return int(match[1]) * {"": 1, "M": 1, "G": 1000, "T": 1000_000}[match[2]] * 2**20


def _task(document: Document, entry: Mapping[str, Any], program: Environment, package: str) -> Task | None:
    kind = type_of(entry) or ""
    parts = PARTS[kind]
    if not all(has_part(entry, part) for part in parts):
        return None
    schemas = {part: entry.get(f"args_schema_{part}") for part in parts}
    # Given from outside: all that the runner supplies, but not what the first part hands to the second.
    names = supplied(kind, parts[0])
    data = tuple(_DATA[name] for name in names)
    return Task(
        contract="fractal",
        name=entry["name"],
        inputs=(*data, *_arguments(schemas)),
        outputs=OUTPUTS,
        program=program,
        document=document,
        resources=resources_of(entry.get(f"meta_{parts[-1]}")),
        title=entry["name"],
        description=entry.get("docs_info") or "",
        namespace=package,
        version=program.versions.get(package, ""),
        command=commands.shown(document, entry, [f"_{part}" for part in parts]),
        network=True,
        repeats="zarr_url" if kind == "parallel" else None,
        open_inputs=any(schema is None for schema in schemas.values()),
    )


def _arguments(schemas: Mapping[str, Any]) -> Iterator[Port]:
    """Arguments of all parts by plain names; those that both parts have, by the part's name and theirs."""
    found = {part: list(ports_of(schema or {}, RESERVED)) for part, schema in schemas.items()}
    counts = [port.name for ports in found.values() for port in ports]
    for part, ports in found.items():
        for port in ports:
            yield port if counts.count(port.name) == 1 else replace(port, name=PREFIXES[part] + port.name)
