"""Two manifests compared: what differs and where, as the public tool says it and as we do (manifest tools, 2.6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

DEEPEST = 20


class Difference(NamedTuple):
    """One place where two manifests differ, and what is there; in the words of the public tool."""

    old: Any
    new: Any
    message: str


def differences(old: Any, new: Any, ignore_order: bool, path: str = "manifest", level: int = 1) -> Iterator[Difference]:
    """Every difference, compared strictly: 3 and 3.0 are two things, as are other orders of keys unless ignored.

    Where keys or lengths differ, nothing below is compared. Raises ValueError for what is nested deeper than 20 levels.
    """
    if type(old) is not type(new):
        yield Difference(old, new, f"[{path}] Type difference:\n\tOld: {type(old)}\n\tNew: {type(new)}")
        return
    if type(old) not in (list, dict, str, int, float, bool, type(None)):
        raise ValueError(f"[{path}] Invalid type {type(old)}, exit.")
    if level > DEEPEST:
        raise ValueError(f"Reached MAX_RECURSION_LEVEL={DEEPEST}. Exit.")
    if isinstance(old, dict):
        keys, others = (sorted(old), sorted(new)) if ignore_order else (list(old), list(new))
        if keys != others:
            message = f"[{path}] Dictionaries have different keys:\n\tOld: {keys}\n\tNew: {others}"
            yield Difference(old, new, message)
            return
        for key, value in old.items():
            yield from differences(value, new[key], ignore_order, f"{path}['{key}']", level + 1)
    elif isinstance(old, list):
        if len(old) != len(new):
            message = f"[{path}] Lists have different lengths:\n\tOld:{len(old)}\n\tNew: {len(new)}"
            yield Difference(old, new, message)
            return
        for number, value in enumerate(old):
            yield from differences(value, new[number], ignore_order, f"{path}[{number}]", level + 1)
    elif old != new:
        yield Difference(old, new, f"[{path}] Values are different:\n\tOld: '{old}'\n\tNew: '{new}'")


def changes(old: Any, new: Any) -> tuple[list[str], list[str]]:
    """What differs, for people, to the last value; and where only the order of keys does.

    Tasks are matched by their names. Values are shown as JSON, cut to a line.
    """
    order: list[str] = []
    return list(_changes(old, new, "", order)), order


def _changes(old: Any, new: Any, path: str, order: list[str]) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                yield f"- {_at(path, key)}: {_shown(old[key])}"
            else:
                yield from _changes(old[key], new[key], _at(path, key), order)
        for key in new:
            if key not in old:
                yield f"+ {_at(path, key)}: {_shown(new[key])}"
        common = [key for key in old if key in new]
        if common != [key for key in new if key in old]:
            order.append(path or "manifest")
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_changes(old, new, path, order)
    elif type(old) is not type(new) or (old != new and not (old != old and new != new)):  # noqa: PLR0124 - NaN
        yield f"~ {path}: {_shown(old)} -> {_shown(new)}"


def _list_changes(old: list[Any], new: list[Any], path: str, order: list[str]) -> Iterator[str]:
    if path == "task_list" and _have_names(old) and _have_names(new):
        before, after = ({task["name"]: task for task in tasks} for tasks in (old, new))
        for name in before:
            if name not in after:
                yield f"- task `{name}`"
            else:
                yield from _changes(before[name], after[name], f"task `{name}`", order)
        yield from (f"+ task `{name}`" for name in after if name not in before)
        if [name for name in before if name in after] != [name for name in after if name in before]:
            order.append(path)
        return
    for number in range(max(len(old), len(new))):
        if number >= len(new):
            yield f"- {path}[{number}]: {_shown(old[number])}"
        elif number >= len(old):
            yield f"+ {path}[{number}]: {_shown(new[number])}"
        else:
            yield from _changes(old[number], new[number], f"{path}[{number}]", order)


def _have_names(tasks: list[Any]) -> bool:
    names = [task.get("name") if isinstance(task, dict) else None for task in tasks]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _at(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}..."
