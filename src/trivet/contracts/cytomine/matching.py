"""Arrays that must match (App Engine tasks, dependencies): one size, and one inner size where both are nested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from trivet.contracts.cytomine.model import Link, Member
from trivet.tasks.problem import Problem
from trivet.tasks.values import Value


def groups(links: Iterable[Link]) -> tuple[tuple[Member, ...], ...]:
    """Arrays that match, directly or through others, each group in the order of the declarations."""
    parent: dict[Member, Member] = {}

    def root(member: Member) -> Member:
        while parent.setdefault(member, member) != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    for owner, target in links:
        parent[root(target)] = root(owner)
    grouped: dict[Member, list[Member]] = {}
    for member in parent:
        grouped.setdefault(root(member), []).append(member)
    return tuple(tuple(group) for group in grouped.values() if len(group) > 1)


def unmatched(links: Iterable[Link], values: Mapping[Member, Value]) -> Iterator[Problem]:
    """A problem for every array that differs in size from another of its group.

    A member that is None was left out, and links nothing; one without a value, such as an output before the program
    has run, is not known and still links others.
    """
    left_out = {member for member, value in values.items() if value is None}
    for group in groups(link for link in links if left_out.isdisjoint(link)):
        known = [member for member in group if member in values]
        for other in known[1:]:
            first = known[0]
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
