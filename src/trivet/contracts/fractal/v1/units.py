"""The units of a task of version 1, and what their results mean together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from trivet.contracts.folding import failed_run
from trivet.contracts.fractal.manifest import entry_of
from trivet.contracts.fractal.units import SINGLE, unit_names
from trivet.contracts.fractal.v1.manifest import GATHER, METADATA, level_of
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, closest
from trivet.tasks.states import RunState
from trivet.tasks.values import Value
from trivet.tasks.work import RunResult, Unit, UnitResult

T = TypeVar("T")


def plan(call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
    """One unit, or one for each component (Fractal version 1, parallel tasks).

    Raises ProblemsError where it is not known which components there are, and for a parallel task that is to be
    repeated over an argument as well.
    """
    if phase > 0:
        return None
    if level_of(entry_of(call.task.document, call.task.name)) is not None:
        listed = components(call)
        return [Unit(name, values={"component": one}) for name, one in _named(listed)]
    if call.each is not None:
        elements = cast("Sequence[Value]", call.values[call.each])
        return [Unit(name, values={call.each: element}) for name, element in _named(elements)]
    return (Unit(SINGLE),)


def components(call: Call) -> list[str]:
    """What a parallel task is repeated for, each once: as given, else as the metadata list it. Raises ProblemsError."""
    name = call.task.name
    if call.each is not None:
        message = f"`{name}` is a parallel task; it can't be repeated over `{call.each}` as well"
        raise ProblemsError([Problem("F023", message)])
    given = call.values.get("component")
    if given is not None:
        return list(dict.fromkeys(cast("Sequence[str]", given)))
    level = level_of(entry_of(call.task.document, name)) or ""
    metadata = cast("Mapping[str, Any]", call.values.get(METADATA) or {})
    listed = metadata.get(level)
    if listed is None:
        message = f"`{name}` is run for every {level}, and the metadata have no list `{level}`"
        near = closest(level, [key for key, value in metadata.items() if isinstance(value, list)])
        hint = f"give metadata=run:RUN/metadata of the task that made them, or component=PATH ({near or 'no list yet'})"
        raise ProblemsError([Problem("F030", message, hint=hint)])
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not all(isinstance(one, str) for one in listed):
        raise ProblemsError([Problem("F031", f"`{level}` of the metadata must be a list of texts: {listed!r:.60}")])
    if not listed:
        raise ProblemsError([Problem("F031", f"`{level}` of the metadata is empty: there is nothing to do")])
    return list(dict.fromkeys(listed))


def conclude(call: Call, results: Sequence[UnitResult]) -> RunResult:
    """The metadata of the dataset after the task (Fractal version 1, output).

    What a task that is run once says replaces keys of the metadata. What parallel units say is ignored, or gathered:
    each key becomes the list of what the units that named it said, in unit order. Nothing counts of a run that failed.
    """
    metadata: dict[str, Any] = dict(cast("Mapping[str, Any]", call.values.get(METADATA) or {}))
    failed = [result for result in results if not result.ok]
    problems = [problem for result in results for problem in result.problems]
    said = [cast("Mapping[str, Any]", result.outputs.get(METADATA) or {}) for result in results]
    if failed:
        return failed_run(failed, len(results), {METADATA: metadata}, problems)
    if level_of(entry_of(call.task.document, call.task.name)) is None:
        for one in said:
            metadata |= one
    elif call.values.get(GATHER):
        metadata |= gathered(said)
    elif names := sorted({name for one in said for name in one}):
        shown = ", ".join(f"`{name}`" for name in names)
        hint = "--gather-parallel-output gathers it in lists, as later servers did"
        problems.append(Problem("F032", f"what the units say of {shown} is ignored, as version 1 has it", "info", hint))
    return RunResult(RunState.FINISHED, exit_code=0, outputs={METADATA: metadata}, problems=tuple(problems))


def gathered(said: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """For each key that units named, the list of what they said of it, in unit order."""
    lists: dict[str, list[Any]] = {}
    for one in said:
        for name, value in one.items():
            lists.setdefault(name, []).append(value)
    return lists


def _named(elements: Sequence[T]) -> list[tuple[str, T]]:
    return list(zip(unit_names(len(elements)), elements, strict=True))
