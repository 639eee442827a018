"""Judging a manifest before it is written: the rules for schemas, what a server accepts, what JSON can hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.authoring.entries import LINTING
from trivet.contracts.fractal.manifest import FILE_NAME, NON_PARALLEL, PARALLEL, Origin
from trivet.tasks.document import Document
from trivet.tasks.problem import DocumentPath, Problem

if TYPE_CHECKING:
    from trivet.contracts.fractal.authoring.manifests import Built

AFTER_ALL_TASKS = (1 << 30,)
_ORIGIN = Origin(None, None, None)
_TOLD_ALREADY = ("F010", "F018")
"""What the rules for manifests say of reserved arguments and missing schemas: making them has said it better."""


def judge(built: Built, compatible: bool, older: bool) -> None:
    """Note what is wrong with a manifest that was made.

    What only a server refuses is but a warning in the compatible manner, since the public tool writes it.
    """
    if not (compatible and older):  # that tool had no rules for schemas
        _lint(built, compatible)
    try:
        text = json.dumps(built.manifest, allow_nan=compatible)
    except (TypeError, ValueError):
        for problem, said in _not_json(built.manifest, (), compatible):
            built.note(AFTER_ALL_TASKS, _named(built, problem), said)
        return
    from trivet.contracts.fractal import rules

    built.written = json.loads(text)
    document = Document("fractal", "manifest", {}, str(built.root), FILE_NAME, built.written, _ORIGIN)
    not_imported = {one.order[0] for one in built.found if one.problem.code == "F063"}
    for problem in rules.check(document):
        if problem.code == "F020" and problem.path[1] in not_imported:
            continue
        if problem.code not in _TOLD_ALREADY and not problem.code.startswith("E"):
            judged = replace(problem, severity="warning") if compatible else problem
            built.note(AFTER_ALL_TASKS, _named(built, judged))


def _lint(built: Built, compatible: bool) -> None:
    from trivet.contracts.fractal.lint import lint
    from trivet.contracts.fractal.lint.files import in_directory
    from trivet.contracts.fractal.lint.walk import violations

    found = lint(built.manifest, None if compatible else in_directory(str(built.root)))
    told: set[tuple[int, str]] = set()
    for problem in found:
        match problem.path:
            case ("task_list", int(number), str(key), *_):
                pass
            case _:
                continue
        entry = built.manifest["task_list"][number]
        said = ""
        if compatible and problem.severity == "error" and (number, key) not in told:
            told.add((number, key))
            said = f"ValueError: {violations(entry[key])[0].message(entry[key]['title'])}"
        both = f"executable_{NON_PARALLEL}" in entry
        position = 1 if both and key == f"args_schema_{PARALLEL}" else 0
        built.note((number, position, LINTING), _named(built, problem), said)


def _named(built: Built, problem: Problem) -> Problem:
    """The problem with the task and the executable that it is about."""
    match problem.path:
        case ("task_list", int(number), *rest):
            entry = built.manifest["task_list"][number]
        case _:
            return problem
    where = f"task `{entry['name']}`"
    executable = entry.get(f"executable_{str(rest[0]).removeprefix('args_schema_')}") if rest else None
    where += f", {executable}" if executable is not None else ""
    return replace(problem, message=f"{where}: {problem.message}")


def _not_json(value: Any, path: DocumentPath, compatible: bool) -> Iterator[tuple[Problem, str]]:
    """Values that JSON has no form for; numbers that are not finite are written by the public tool all the same."""
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str | int | float | bool | None):
                message = f"the key {key!r} has no form in JSON"
                said = f"TypeError: keys must be str, int, float, bool or None, not {type(key).__name__}"
                yield Problem("F077", message, path=path), said
            else:
                yield from _not_json(member, (*path, key if isinstance(key, str | int) else str(key)), compatible)
    elif isinstance(value, list | tuple):
        for number, member in enumerate(value):
            yield from _not_json(member, (*path, number), compatible)
    elif isinstance(value, float) and not math.isfinite(value):
        if not compatible:
            message = f"the number {value} at `{'.'.join(map(str, path[2:]))}` has no form in JSON"
            yield Problem("F077", message, path=path, hint="use null, or a number that is large enough"), ""
    elif value is not None and not isinstance(value, str | int | float | bool):
        message = f"a value of type {type(value).__name__} at `{'.'.join(map(str, path[2:]))}` has no form in JSON"
        said = f"TypeError: Object of type {type(value).__name__} is not JSON serializable"
        yield Problem("F077", message, path=path), said
