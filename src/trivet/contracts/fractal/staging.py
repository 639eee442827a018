"""What a unit of a Fractal task is given: its arguments in a file, the place of its output, its command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from trivet.contracts.folding import value_of
from trivet.contracts.fractal.commands import command_of, is_script
from trivet.contracts.fractal.description import PREFIXES, resources_of
from trivet.contracts.fractal.environment import surroundings
from trivet.contracts.fractal.manifest import PARTS, RESERVED, entry_of, type_of
from trivet.contracts.fractal.rules import supplied
from trivet.datasets.urls import normalize_url
from trivet.tasks.call import Call
from trivet.tasks.values import FileRef, Value
from trivet.tasks.work import AttemptDirectory, Invocation, Unit

ARGUMENTS, OUTPUT = "args.json", "metadiff.json"


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    """Write the arguments and say how to start the unit (Fractal, arguments file and command line).

    The output file is not made: a task refuses to start when it exists. The unit works in its own directory.
    Raises ProblemsError when the task's script or program is not there.
    """
    document = call.task.document
    entry = entry_of(document, call.task.name)
    part = part_of(call, unit)
    command = command_of(document, entry, f"_{part}")
    meta = entry.get(f"meta_{part}") or {}
    return invocation(call, where, command, meta, arguments_of(call, unit), ("--args-json", "--out-json"))


def invocation(
    call: Call,
    where: AttemptDirectory,
    command: tuple[str, ...],
    meta: Mapping[str, Any],
    arguments: Mapping[str, Any],
    options: tuple[str, str],
) -> Invocation:
    """Write the file of arguments, and say how to start the command with it; ``options`` name this file and that of
    the output on its command line."""
    root = where.make()
    given = where.file(ARGUMENTS)
    write_arguments(given, arguments)
    return Invocation(
        call.task.program,
        command,
        args=(options[0], str(given), options[1], str(where.file(OUTPUT))),
        environment=surroundings(meta, where.cache),
        workdir=str(root),
        resources=resources_of(meta),
        network=True,
        warm=is_script(command) and not meta.get("needs_gpu"),
        meta=meta,
        title=call.task.name,
    )


def write_arguments(path: Path, arguments: Mapping[str, Any]) -> None:
    """Write a file of arguments, unless it holds them already: when staging is repeated, the unit may be reading it."""
    text = json.dumps(arguments, indent=2, allow_nan=False) + "\n"
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        if not _holds(path, text):
            path.write_text(text, encoding="utf-8")


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except UnicodeDecodeError:
        return False


def part_of(call: Call, unit: Unit) -> str:
    """The part of the task that a unit runs."""
    kind = type_of(entry_of(call.task.document, call.task.name)) or ""
    return PARTS[kind][unit.phase]


def phases(call: Call) -> int:
    """How many phases a run of the task has: 2 for compound tasks."""
    return len(PARTS[type_of(entry_of(call.task.document, call.task.name)) or ""])


def arguments_of(call: Call, unit: Unit) -> dict[str, Any]:
    """The arguments of one unit: what the runner supplies, and the values of this part's own arguments.

    An argument without a value is left out: the function has a default of its own. Reserved names can't come from
    elsewhere: no task has an input of that name but where the runner's own value is given.
    """
    entry = entry_of(call.task.document, call.task.name)
    part = part_of(call, unit)
    arguments: dict[str, Any] = {}
    for name in supplied(type_of(entry) or "", part):
        value = value_of(call, unit, name)
        arguments[name] = _normalized(value) if name != "init_args" else value
    for name, port in _own_arguments(call, entry, part):
        if port in unit.values or port in call.values:
            arguments[name] = plain(value_of(call, unit, port))
    return arguments


def _own_arguments(call: Call, entry: Mapping[str, Any], part: str) -> Iterator[tuple[str, str]]:
    """The arguments of a part that the runner does not supply, each with the name of its input."""
    schema = entry.get(f"args_schema_{part}")
    if schema is not None:
        declared = {port.name for port in call.task.inputs}
        for name in schema.get("properties", {}):
            if name not in RESERVED:
                yield name, name if PREFIXES[part] + name not in declared else PREFIXES[part] + name
        return
    # Without a schema every name is accepted: with the part's prefix, or plain for the last part that has no schema.
    parts = PARTS[type_of(entry) or ""]
    last = [other for other in parts if entry.get(f"args_schema_{other}") is None][-1]
    for name in call.values:
        if call.task.input(name) is None:
            if name.startswith(PREFIXES[part]):
                yield name.removeprefix(PREFIXES[part]), name
            elif part == last and not name.startswith(tuple(PREFIXES.values())):
                yield name, name


def _normalized(value: Value) -> Value:
    if isinstance(value, str):
        return normalize_url(value)
    return list(dict.fromkeys(normalize_url(url) for url in cast("Sequence[str]", value)))


def plain(value: Value) -> Any:
    """A value as JSON data: a file by its path."""
    if isinstance(value, FileRef):
        return value.path
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value
