"""Removing from a cluster what a run has left there."""

from __future__ import annotations

from pathlib import Path

from trivet.engines.slurm.remote.login import Runner

# Tasks may have made directories that their owner can't change.
_REMOVE = 'cd -- "$1" && { rm -rf -- "./$2" 2>/dev/null || { chmod -R u+rwx "./$2"; rm -rf -- "./$2"; }; }'


def place_of(directory: Path) -> str | None:
    """Where a run or job has its image on a cluster, in words for people; None when it has none."""
    runner = Runner.remembered(directory)
    return None if runner is None else f"{runner.connection.host}:{runner.login.folder}/{directory.name}"


def remove(directory: Path) -> None:
    """Remove the image of a run or job that is over. Raises SlurmError."""
    runner = Runner.remembered(directory)
    if runner is not None:
        runner.say(["sh", "-c", _REMOVE, "sh", runner.login.folder, directory.name], patience=600.0)
