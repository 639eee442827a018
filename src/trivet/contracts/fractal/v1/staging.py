"""What a unit of a task of version 1 is given: its arguments in a file, the place of its output, its command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from trivet.contracts.folding import value_of
from trivet.contracts.fractal import commands
from trivet.contracts.fractal.manifest import entry_of
from trivet.contracts.fractal.staging import invocation, plain
from trivet.contracts.fractal.v1.manifest import METADATA, RESERVED, level_of, meta_of
from trivet.datasets.urls import normalize_url
from trivet.tasks.call import Call
from trivet.tasks.work import AttemptDirectory, Invocation, Unit

INCLUDE_IMAGE = ("Copy OME-Zarr structure", "Convert Metadata Components from 2D to 3D")
"""Parallel tasks that are told of all images; for others that list is left out of every unit's arguments."""


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    """Write the arguments and say how to start the unit (Fractal version 1, command line).

    The output file is not made. The unit works in its own directory. Raises ProblemsError when there is nothing that
    could be started.
    """
    document = call.task.document
    entry = entry_of(document, call.task.name)
    command = commands.command_of(document, entry, "")
    meta = meta_of(entry)
    return invocation(call, where, command, meta, arguments_of(call, unit), ("-j", "--metadata-out"))


def arguments_of(call: Call, unit: Unit) -> dict[str, Any]:
    """The arguments of one unit: what the runner supplies, and the task's own."""
    parallel = level_of(entry_of(call.task.document, call.task.name)) is not None
    metadata = dict(cast("Mapping[str, Any]", value_of(call, unit, METADATA) or {}))
    if parallel and call.task.name not in INCLUDE_IMAGE:
        metadata.pop("image", None)
    arguments: dict[str, Any] = {
        "input_paths": [normalize_url(one) for one in cast("Sequence[str]", value_of(call, unit, "input_paths"))],
        "output_path": normalize_url(value_of(call, unit, "output_path")),
        METADATA: metadata,
    }
    for name in _own(call):
        arguments[name] = plain(value_of(call, unit, name))
    if parallel:
        arguments["component"] = value_of(call, unit, "component")
    return arguments


def _own(call: Call) -> Iterator[str]:
    """The task's own arguments that have a value: those its schema declares, and without one all that were given."""
    declared = [port.name for port in call.task.inputs if port.location == "argument"]
    supplied = {port.name for port in call.task.inputs} - set(declared)
    yield from (name for name in declared if name in call.values)
    if call.task.open_inputs:
        yield from (name for name in call.values if name not in supplied and name not in RESERVED)
