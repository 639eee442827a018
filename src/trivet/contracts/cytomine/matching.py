"""Arrays that must match (App Engine tasks, dependencies): one size, and one inner size where both are nested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from trivet.contracts.cytomine.model import Member
from trivet.tasks.problem import Problem
from trivet.tasks.values import Value


def unmatched(groups: Iterable[Sequence[Member]], values: Mapping[Member, Value]) -> Iterator[Problem]:
    """A problem for every group whose arrays differ in size; groups with an absent member are passed over."""
    for group in groups:
        if any(values.get(member) is None for member in group):
            continue
        first = group[0]
        for other in group[1:]:
            for where, left, right in _differences(values[first], values[other], ""):
                message = f"{_name(first)}{where} has {left} items and {_name(other)}{where} {right}; they must match"
                yield Problem("C214", message, path=other)


def _differences(left: Value, right: Value, where: str) -> Iterator[tuple[str, int, int]]:
    if not _is_list(left) or not _is_list(right):
        return
    if len(left) != len(right):  # type: ignore[arg-type]
        yield where, len(left), len(right)  # type: ignore[arg-type]
        return
    for index, (one, other) in enumerate(zip(left, right, strict=True)):  # type: ignore[arg-type]
        yield from _differences(one, other, f"{where}[{index}]")


def _is_list(value: Value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _name(member: Member) -> str:
    return f"{member[0][:-1]} `{member[1]}`"
