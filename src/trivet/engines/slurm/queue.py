"""Where a job that waits stands in the queue of its partition, and when SLURM thinks it will start. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Queued(NamedTuple):
    """Elements of one array that wait: how many jobs, in which partitions, with which priority; ``start`` in seconds
    since the epoch, None where SLURM does not know it."""

    array: str
    jobs: int
    partitions: frozenset[str]
    priority: int
    start: float | None


class Outlook(NamedTuple):
    """``ahead``: jobs that wait in the same partition and come first; ``start`` as for `Queued`."""

    ahead: int
    start: float | None


def outlooks(arrays: Iterable[str], queue: Iterable[Queued]) -> Mapping[str, Outlook]:
    """What some arrays can expect that wait, the first element of each; those that are not in the queue are absent."""
    rows = sorted(queue, key=lambda row: (-row.priority, _number(row.array)))
    found: dict[str, Outlook] = {}
    wanted = set(arrays)
    for at, row in enumerate(rows):
        if row.array in wanted and row.array not in found:
            ahead = sum(other.jobs for other in rows[:at] if other.partitions & row.partitions)
            starts = [other.start for other in rows if other.array == row.array and other.start is not None]
            found[row.array] = Outlook(ahead, min(starts, default=None))
    return found


def words(outlook: Outlook, now: float) -> str:
    """An outlook as an addition to a sentence; nothing where nothing is known."""
    parts = []
    if outlook.ahead:
        jobs = "job of its partition comes" if outlook.ahead == 1 else "jobs of its partition come"
        parts.append(f"{outlook.ahead} {jobs} first")
    if outlook.start is not None and outlook.start > now:
        form = "%H:%M" if outlook.start - now < 12 * 3600 else "%Y-%m-%d %H:%M"
        parts.append(f"expected to start at {time.strftime(form, time.localtime(outlook.start))}")
    return "".join(f"; {part}" for part in parts)


def _number(array: str) -> int:
    return int(array) if array.isdigit() else 0
