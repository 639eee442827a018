"""Which of the runner's own arguments a function must take, and which it must not (manifest tools, 2.4)."""

from __future__ import annotations

from collections.abc import Collection

from trivet.contracts.fractal.manifest import PARTS
from trivet.contracts.fractal.rules import supplied

_NEVER_TOGETHER = ("zarr_dir", "zarr_url", "zarr_urls")


def required(kind: str, part: str) -> tuple[str, ...]:
    """What is always supplied to that part of a task of that type, sorted. Raises ValueError for an unknown pair."""
    if part not in PARTS.get(kind, ()):
        raise ValueError(f"Invalid task_type={kind!r}, executable_kind={part!r}.")
    return tuple(sorted(supplied(kind, part)))


def forbidden(kind: str, part: str) -> tuple[str, ...]:
    """What is never supplied to that part of a task of that type, sorted. Raises ValueError for an unknown pair."""
    given = required(kind, part)
    return tuple(name for name in _NEVER_TOGETHER if name not in given)


def missing(names: Collection[str], kind: str, part: str) -> list[str]:
    """Arguments that a function must take but does not."""
    return [name for name in required(kind, part) if name not in names]


def excess(names: Collection[str], kind: str, part: str) -> list[str]:
    """Arguments that a function takes but must not."""
    return [name for name in forbidden(kind, part) if name in names]


def as_set(names: Collection[str]) -> str:
    """Names as Python shows a set, in order."""
    return "{" + ", ".join(repr(name) for name in sorted(names)) + "}"
