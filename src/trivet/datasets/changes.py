"""What tasks want changed in a dataset: updates and removals, read from their outputs and merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trivet.datasets.images import TYPE, UNKNOWN, URL, ImageUpdate, read_update, to_json
from trivet.datasets.urls import normalize_url
from trivet.tasks.problem import Problem, closest

UPDATES, REMOVALS = "image_list_updates", "image_list_removals"

FILTERS = ("filters", "new_filters", "type_filters", "attribute_filters")
"""What tasks could set for the whole dataset on the first servers of version 2."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Updates in the order in which they are applied, and URLs to be removed afterwards; false when there is none."""

    updates: tuple[ImageUpdate, ...] = ()
    removals: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.updates or self.removals)

    def urls(self) -> Iterable[str]:
        """Every URL that is spoken of, as often as it is."""
        yield from (update.zarr_url for update in self.updates)
        yield from self.removals

    def to_json(self) -> dict[str, Any]:
        """The plain data a task would write."""
        return {UPDATES: [to_json(update) for update in self.updates], REMOVALS: list(self.removals)}


def read_changes(data: Any, problems: list[Problem]) -> Changes | None:
    """The output of a task, from plain data (Fractal, task output); None stands for no output.

    Only the two lists may be there. Never raises: faults are noted, and the result is None where there was one.
    """
    if data is None:
        return Changes()
    before = len(problems)
    if not isinstance(data, dict):
        problems.append(
            Problem(TYPE, f"the output must be an object with `{UPDATES}` or `{REMOVALS}`, not {data!r:.40}")
        )
        return None
    for name in data:
        if name in FILTERS:
            message = (
                f"`{name}` is not allowed in the output: datasets have no filters that a task could set, as in early "
                "version 2; give the images types, or the task `output_types` in its manifest"
            )
            problems.append(Problem(UNKNOWN, message, path=(name,)))
        elif name not in (UPDATES, REMOVALS):
            hint = closest(name, (UPDATES, REMOVALS))
            problems.append(Problem(UNKNOWN, f"`{name}` is not allowed in the output", hint=hint, path=(name,)))
    items = enumerate(_list(data, UPDATES, problems))
    updates = [read_update(item, problems, (UPDATES, index)) for index, item in items]
    removals = []
    for index, item in enumerate(_list(data, REMOVALS, problems)):
        try:
            removals.append(normalize_url(item))
        except ValueError as error:
            problems.append(Problem(URL, str(error), path=(REMOVALS, index)))
    if any(problem.severity == "error" for problem in problems[before:]):
        return None
    return Changes(_distinct(update for update in updates if update), tuple(dict.fromkeys(removals)))


def merge(outputs: Iterable[Changes]) -> Changes:
    """All outputs as one: equal updates and removals are kept once, at their first place."""
    outputs = tuple(outputs)
    updates = _distinct(update for output in outputs for update in output.updates)
    removals = dict.fromkeys(url for output in outputs for url in output.removals)
    return Changes(updates, tuple(removals))


def contradictions(changes: Changes) -> list[str]:
    """URLs of which merged changes say more than one thing: two different updates, or an update and a removal."""
    return [url for url, count in Counter(changes.urls()).items() if count > 1]


def settle(outputs: Sequence[Changes]) -> tuple[Changes, Mapping[int, Sequence[str]]]:
    """The merged outputs that agree, and the URLs for which the others (by position) can't be accepted.

    An output is taken as a whole or not at all; all that contradict each other are refused.
    """
    disputed = set(contradictions(merge(outputs)))
    refused = {}
    for position, output in enumerate(outputs):
        urls = list(dict.fromkeys(url for url in output.urls() if url in disputed))
        if urls:
            refused[position] = urls
    return merge(output for position, output in enumerate(outputs) if position not in refused), refused


def _list(data: Mapping[str, Any], name: str, problems: list[Problem]) -> list[Any]:
    items = data.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        problems.append(Problem(TYPE, f"`{name}` must be a list, not {items!r:.40}", path=(name,)))
        return []
    return items


def _distinct(updates: Iterable[ImageUpdate]) -> tuple[ImageUpdate, ...]:
    updates = tuple(updates)
    if len({update.zarr_url for update in updates}) == len(updates):
        return updates
    first: dict[tuple[Any, ...], ImageUpdate] = {}
    for update in updates:
        first.setdefault(update.key(), update)
    return tuple(first.values())
