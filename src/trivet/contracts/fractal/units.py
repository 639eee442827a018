"""The units of a Fractal task, and what their results mean together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from trivet.contracts.folding import failed_run
from trivet.contracts.fractal.manifest import entry_of, is_converter, type_of
from trivet.contracts.fractal.staging import phases
from trivet.datasets.changes import Changes, read_changes, settle
from trivet.datasets.imagelist import default_update
from trivet.datasets.urls import normalize_url
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import Value
from trivet.tasks.work import RunResult, Unit, UnitResult

SINGLE = "non_par"
"""The name of the one unit of a non-parallel part."""


def plan(call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
    """One unit, or one for each image; of a compound task first the list is made, then each item of it is a unit.

    Raises ProblemsError for what can't be run: a compound task repeated over an argument, a URL that is none.
    """
    if phase >= phases(call):
        return None
    compound = phases(call) == 2
    if compound and call.each is not None:
        message = f"`{call.task.name}` is a compound task; it can't be repeated over `{call.each}`"
        raise ProblemsError([Problem("F023", message)])
    if phase == 1:
        items = before[0].note or []
        names = unit_names(len(items), _batch_size(call))
        return [Unit(name, 1, item) for name, item in zip(names, items, strict=True)]
    if call.each is None:
        return (Unit(SINGLE),)
    elements = cast("Sequence[Value]", call.values[call.each])
    if call.each == "zarr_url":
        elements = selected(call)
    names = unit_names(len(elements), _batch_size(call))
    return [Unit(name, values={call.each: element}) for name, element in zip(names, elements, strict=True)]


def unit_names(total: int, batch_size: int = 0) -> list[str]:
    """Names of parallel units, as the public server begins the names of their files; 0 is one batch of all."""
    return [f"par-{index // batch_size if batch_size else 0:06d}-{index:07d}" for index in range(total)]


def conclude(call: Call, results: Sequence[UnitResult]) -> RunResult:
    """Merge what the units said (Fractal, merging outputs).

    A failed unit does not hold back what the others said. When nobody said anything, the images of the units that
    ended well count as updated; of a compound task, the images it was given, if every unit ended well.
    """
    results = list(results)
    said = [position for position, result in enumerate(results) if result.ok and "changes" in result.outputs]
    outputs = [read_changes(results[position].outputs["changes"], []) or Changes() for position in said]
    changes, refused = settle(outputs)
    for index, urls in refused.items():
        position = said[index]
        results[position] = _contradicted(results[position], urls)
    if not said:
        changes = default_update(processed(call, results))
    gone = set(changes.removals)
    go_on = [update.zarr_url for update in changes.updates] or [url for url in selected(call) if url not in gone]
    failed = [result for result in results if not result.ok]
    values: Mapping[str, Any] = {
        "zarr_urls": go_on if changes or not failed else [],
        "changes": changes.to_json(),
    }
    problems = tuple(problem for result in results for problem in result.problems)
    if failed:
        return failed_run(failed, len(results), values, problems)
    return RunResult(RunState.FINISHED, exit_code=0, outputs=values, problems=problems)


def selected(call: Call) -> list[str]:
    """The images a run was given, in normal form, each once; none for a converter."""
    if is_converter(type_of(entry_of(call.task.document, call.task.name)) or ""):
        return []
    given = call.values.get("zarr_urls" if call.task.input("zarr_urls") else "zarr_url")
    urls = [given] if isinstance(given, str) else cast("Sequence[str]", given or ())
    try:
        return list(dict.fromkeys(normalize_url(url) for url in urls))
    except ValueError as error:
        raise ProblemsError([Problem("F104", str(error))]) from None


def processed(call: Call, results: Sequence[UnitResult]) -> Sequence[str]:
    """The images whose units ended well; of several units for all images, only when every one ended well."""
    images = selected(call)
    if call.each == "zarr_url":
        return [images[int(result.unit.rsplit("-", 1)[1])] for result in results if result.ok]
    if phases(call) == 2:
        # A run that was stopped has results of the units that were started only.
        total = 1 + len(results[0].note or ()) if results else 0
    else:
        total = 1 if call.each is None else len(cast("Sequence[Value]", call.values[call.each]))
    return images if sum(result.ok for result in results) == total else []


def _contradicted(result: UnitResult, urls: Sequence[str]) -> UnitResult:
    shown = ", ".join(urls[:5]) + (f" and {len(urls) - 5} more" if len(urls) > 5 else "")
    message = f"invalid output: another unit says something else of {shown}"
    return replace(result, reason=Reason.INVALID_OUTPUT, message=message)


def _batch_size(call: Call) -> int:
    meta = entry_of(call.task.document, call.task.name).get("meta_parallel") or {}
    size = meta.get("parallel_tasks_per_job")
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else 0
