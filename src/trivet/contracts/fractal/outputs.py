"""What a unit of a Fractal task has written: image-list changes, or the list of what the second part is to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from trivet.contracts.folding import failure
from trivet.contracts.fractal.staging import OUTPUT, phases
from trivet.contracts.parsing import parse_json
from trivet.datasets.changes import Changes, read_changes
from trivet.datasets.images import MISSING, TYPE, UNKNOWN, URL
from trivet.datasets.urls import is_within, normalize_url
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, closest, has_errors
from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptDirectory, Outcome, Unit, UnitResult

ITEMS = "parallelization_list"


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    """Read the output file; a missing one, null and an empty object are no output (Fractal, command line).

    The changes are the output `changes`; the first part of a compound task leaves its list in ``note``.
    """
    failed = failure(unit, outcome)
    if failed is not None:
        return failed
    problems: list[Problem] = []
    path = where.file(OUTPUT)
    data = read_output(path, problems)
    note: Any = None
    outputs: dict[str, Any] = {}
    if not has_errors(problems):
        if is_init(call, unit):
            note = read_parallelization(data, problems)
        else:
            changes = read_changes(data, problems)
            if changes:
                problems += outside(call, changes)
                outputs = {"changes": changes.to_json()}
    problems = [problem.at(str(path)) for problem in problems]
    errors = [problem.message for problem in problems if problem.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        message = f"invalid output: {errors[0]}{more}"
        return UnitResult(unit.name, Reason.INVALID_OUTPUT, message, 0, problems=tuple(problems))
    return UnitResult(unit.name, exit_code=0, outputs=outputs, problems=tuple(problems), note=note)


def is_init(call: Call, unit: Unit) -> bool:
    """True for the first part of a compound task."""
    return unit.phase == 0 and phases(call) == 2


def read_parallelization(data: Any, problems: list[Problem]) -> list[dict[str, Any]] | None:
    """The list the first part of a compound task returns, with equal items once; None stands for no output.

    Only that list may be there. Never raises: faults are noted, and the result is None where there was one.
    """
    if not isinstance(data, dict | None):
        problems.append(Problem(TYPE, f"the output must be an object with `{ITEMS}`, not {data!r:.40}"))
        return None
    data = data or {}
    before = len(problems)
    for name in data:
        if name != ITEMS:
            message = f"`{name}` is not allowed in the output of the first part of a compound task"
            problems.append(Problem(UNKNOWN, message, hint=closest(name, (ITEMS,)), path=(name,)))
    listed = data.get(ITEMS) or []
    if not isinstance(listed, list):
        problems.append(Problem(TYPE, f"`{ITEMS}` must be a list, not {listed!r:.40}", path=(ITEMS,)))
        listed = []
    items = [_item(item, index, problems) for index, item in enumerate(listed)]
    return deduplicated(items) if len(problems) == before else None


def deduplicated(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items in their order, equal ones once; true is not 1."""
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for item in items:
        first.setdefault((item["zarr_url"], json.dumps(item["init_args"], sort_keys=True)), item)
    return list(first.values())


def outside(call: Call, changes: Changes) -> list[Problem]:
    """New images must lie below the directory the task was given, where it was given one.

    Whether an image is new, only a dataset can tell; here it is when it is not among the images given to the run.
    """
    base = call.values.get("zarr_dir")
    if not isinstance(base, str):
        return []
    home = normalize_url(base)
    strangers = [
        (index, update.zarr_url)
        for index, update in enumerate(changes.updates)
        if update.zarr_url == home or not is_within(update.zarr_url, home)
    ]
    if not strangers:
        return []
    given = {normalize_url(url) for url in cast("Sequence[str]", call.values.get("zarr_urls") or ())}
    return [
        Problem(URL, f"new image {url} must be below zarr_dir {home}", path=("image_list_updates", index, "zarr_url"))
        for index, url in strangers
        if url not in given
    ]


def read_output(path: Path, problems: list[Problem]) -> Any:
    """The content of an output file, None where there is none. Never raises: faults are noted."""
    try:
        if not path.is_file():  # a named pipe would be waited at for ever
            if path.exists():
                problems.append(Problem(TYPE, "the output file can't be read: it is no regular file"))
            return None
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(TYPE, f"the output file can't be read: {error}"))
        return None
    data, problem = parse_json(text)
    if problem is not None:
        problems.append(problem)
    return data


def _item(item: Any, index: int, problems: list[Problem]) -> dict[str, Any]:
    path = (ITEMS, index)
    if not isinstance(item, dict):
        problems.append(Problem(TYPE, f"an item must be an object, not {item!r:.40}", path=path))
        return {}
    for name in item:
        if name not in ("zarr_url", "init_args"):
            problems.append(Problem(UNKNOWN, f"`{name}` is not allowed in an item", path=(*path, name)))
    init_args = item.get("init_args", {})
    if not isinstance(init_args, dict):
        problems.append(Problem(TYPE, "`init_args` must be an object", path=(*path, "init_args")))
    if "zarr_url" not in item:
        problems.append(Problem(MISSING, "an item lacks `zarr_url`", path=path))
        return {}
    try:
        return {"zarr_url": normalize_url(item["zarr_url"]), "init_args": init_args}
    except ValueError as error:
        problems.append(Problem(URL, str(error), path=(*path, "zarr_url")))
        return {}
