"""``run.json``: what was asked, exactly, and what came of it; a run can be repeated from it alone."""

from __future__ import annotations

import getpass
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import trivet
from trivet.contracts import contract
from trivet.contracts.source import Source
from trivet.records import UnreadableError, codec, directory
from trivet.records.codec import iso
from trivet.records.owner import Owner
from trivet.runs.machine import Change, Machine
from trivet.runs.options import Options
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.task import ContainerImage, Environment, Program, Task
from trivet.tasks.values import from_json, to_json
from trivet.tasks.work import Outcome, RunResult

Record = dict[str, Any]

NO_SECRETS: Mapping[str, str] = MappingProxyType({})


def asked(identifier: str, call: Call, options: Options, now: float) -> Record:
    """The record of a run that was just asked for."""
    return {
        "format": directory.FORMAT,
        "id": identifier,
        "created": iso(now),
        "task": task_to_json(call.task),
        "values": to_json(call.values),
        "each": call.each,
        "notes": [codec.problem_to_json(problem) for problem in call.notes],
        "options": options.to_json(),
        **asked_from(),
    }


def asked_from() -> Record:
    """The process and the machine that ask."""
    return {
        "asked_by": Owner.this_process().to_json(),
        "host": {
            "name": platform.node(),
            "system": platform.platform(),
            "python": sys.version.split()[0],
            "trivet": trivet.__version__,
            "user": _user(),
        },
    }


def task_to_json(task: Task) -> Record:
    """A task as data: what it is, with the texts of its document."""
    document = task.document
    return {
        "contract": task.contract,
        "name": task.name,
        "title": task.title,
        "namespace": task.namespace,
        "version": task.version,
        "program": _program_to_json(task.program),
        "document": {
            "kind": document.kind,
            "origin": document.origin,
            "base": document.base,
            "texts": dict(document.texts),
        },
    }


def restore(record: Record, secrets: Mapping[str, str] = NO_SECRETS) -> tuple[Call, Options]:
    """The call and options of a record; ``secrets`` are those of its document, which it does not hold.

    Raises UnreadableError when this version can't read its document any more.
    """
    task = task_from_json(record["task"], secrets)
    values = from_json(record["values"])
    assert isinstance(values, dict)  # noqa: S101 - written by `asked`
    notes = tuple(codec.problem_from_json(note) for note in record["notes"])
    return Call(task, values, record["each"], notes), options_from_json(record["options"])


def options_from_json(data: Record) -> Options:
    """Options of a record. Raises UnreadableError for those of a later version."""
    try:
        return Options.from_json(data)
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"the recorded options can't be read: {error}") from None


def task_from_json(stored: Record, secrets: Mapping[str, str] = NO_SECRETS) -> Task:
    """The inverse of `task_to_json`: with the program that was recorded. Raises UnreadableError as `restore` does."""
    task = _read_again(stored, secrets)
    return replace(task, program=_program_from_json(stored["program"]))


def task_of(record: Record, secrets: Mapping[str, str] = NO_SECRETS) -> Task:
    """The task of a record as it would be read today, for example with other versions of packages.

    Raises UnreadableError as `restore` does.
    """
    return _read_again(record["task"], secrets)


def _read_again(stored: Record, secrets: Mapping[str, str]) -> Task:
    texts: dict[str, str] = dict(stored["document"]["texts"])
    name = next(iter(texts))
    program = _program_from_json(stored["program"])
    image = program if isinstance(program, ContainerImage) else None
    prefix = program.prefix if isinstance(program, Environment) else None
    source = Source(
        name,
        texts.pop(name),
        Path(stored["document"]["base"]),
        {**texts, **secrets},
        image=image.reference if image else None,
        archive=Path(image.archive) if image and image.archive else None,
        prefix=Path(prefix) if prefix else None,
    )
    try:
        room = contract(stored["contract"])
    except KeyError as error:
        raise UnreadableError(f"the recorded contract {error} is not known") from None
    task: Task | None = next((task for task in room.tasks(room.read(source)) if task.name == stored["name"]), None)
    if task is None:
        raise UnreadableError(f"the recorded document has no task `{stored['name']}` any more")
    return task


def concluded(
    record: Record,
    result: RunResult,
    machine: Machine,
    outcomes: Sequence[Outcome],
    inputs: dict[str, Any],
    notes: Mapping[str, Sequence[Problem]],
) -> Record:
    """The record completed by how the run went.

    ``outcomes`` are those of all units that were started; ``notes`` what staging had to say, by the unit's name.
    """
    answer = codec.run_result_to_json(result)
    if result.reason is not None and result.reason.remedy:
        answer["remedy"] = result.reason.remedy
    return {
        **record,
        "inputs": inputs,
        "unit_notes": [{"unit": unit, **codec.problem_to_json(note)} for unit in notes for note in notes[unit]],
        "result": answer,
        "history": [_change_to_json(change) for change in machine.history],
        "usage": {"units": len(machine.results), "done": machine.done, "failed": machine.failed, **usage(outcomes)},
    }


def _change_to_json(change: Change) -> Record:
    data = {"state": change.state.value, "at": iso(change.at)}
    return {**data, "message": change.message} if change.message else data


def usage(outcomes: Iterable[Outcome]) -> Record:
    """What attempts used together: CPU seconds, the peak memory of the largest in bytes, first start and last end."""
    outcomes = list(outcomes)
    starts = [outcome.started for outcome in outcomes if outcome.started is not None]
    ends = [outcome.ended for outcome in outcomes if outcome.ended is not None]
    peaks = [(outcome.peak_memory, outcome.measured_by) for outcome in outcomes if outcome.peak_memory is not None]
    used: Record = {"cpu": round(sum(outcome.cpu or 0.0 for outcome in outcomes), 6)}
    if starts and ends:
        used |= {"started": iso(min(starts)), "ended": iso(max(ends))}
    if peaks:
        peak, how = max(peaks)
        used |= {"peak_memory": peak, "measured_by": how}
    digests = sorted({outcome.image_digest for outcome in outcomes if outcome.image_digest})
    if digests:
        used["image_digests"] = digests
    return used


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _program_to_json(program: Program) -> Record:
    if isinstance(program, ContainerImage):
        image = {"image": program.reference, "archive": program.archive, "digest": program.digest}
        return image | ({"member": program.member} if program.member is not None else {})
    return {"environment": program.prefix, "versions": dict(program.versions)}


def _program_from_json(data: Record) -> Program:
    if "image" in data:
        return ContainerImage(data["image"], data["archive"], data["digest"], data.get("member"))
    return Environment(data["environment"], data["versions"])
