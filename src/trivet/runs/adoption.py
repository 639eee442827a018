"""Finding runs whose driver died, and giving them a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from trivet.records import UnreadableError
from trivet.records.directory import RunDirectory, every, named
from trivet.runs.start import detach


def all_runs(home: Path) -> Iterator[RunDirectory]:
    """Every run below a home, oldest first."""
    return every(RunDirectory, home)


def find(home: Path, name: str) -> RunDirectory:
    """The run of that identifier, or of an unambiguous beginning of one, or ``last``, or of a path.

    Raises LookupError with what is there instead.
    """
    return named(RunDirectory, home, name)


def orphaned(run: RunDirectory) -> bool:
    """True for a run that is not over and that nobody drives (any more)."""
    if run.resting:
        return False
    try:
        return "result" not in run.read() and not run.owner_alive()
    except (OSError, UnreadableError):
        return False


def adopt(home: Path) -> list[RunDirectory]:
    """Give every orphaned run of a home a driver in the background; which ones. A home that can't be written is only
    looked at."""
    adopted = []
    for run in filter(orphaned, all_runs(home)):
        with suppress(OSError):
            detach(run)
            adopted.append(run)
    return adopted
