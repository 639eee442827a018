"""Where the files of submissions are for the cluster: here, on a file system it shares, or in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from trivet.engines import Attempt
from trivet.engines.slurm.job import Job
from trivet.engines.slurm.submission import Submission
from trivet.tasks.work import AttemptId


class Place(Protocol):
    """What is done with files between this machine and the cluster's. Methods that reach for the cluster raise
    SlurmError: `passing` where it may work later."""

    looks: tuple[float, float]
    """Shortest and longest time between two looks at records, in seconds."""

    def there(self, path: Path) -> str:
        """A path as jobs see it."""

    def here(self, path: str) -> str:
        """A path that a job told, as it is here."""

    def exists(self, path: str) -> bool:
        """Whether a directory exists for jobs, as far as that can be known at once."""

    def moved(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Attempts with paths as jobs see them. Raises OSError for inputs that can't be read."""

    def note(self, found: Submission) -> None:
        """Write down which files belong to a submission whose attempts were moved. Raises OSError."""

    def send(self, found: Submission) -> None:
        """Have everything there that a submission needs."""

    def look(self, jobs: Iterable[Job]) -> None:
        """Bring what is new in the records of jobs, and in the logs of their units."""

    def bring(self, ended: Sequence[tuple[Job, AttemptId]]) -> None:
        """Bring the files that attempts have left."""

    def wish(self, found: Submission, element: int) -> None:
        """Hand on what the runner of an element is asked to end; tried again with every look."""

    def close(self) -> None:
        """Give up what is being done."""


class Shared:
    """A file system that this machine shares with the nodes: everything is where it should be."""

    looks = (0.1, 2.0)

    def there(self, path: Path) -> str:
        return str(path)

    def here(self, path: str) -> str:
        return path

    def exists(self, path: str) -> bool:
        return Path(path).is_dir()

    def moved(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        return list(attempts)

    def note(self, found: Submission) -> None:
        pass

    def send(self, found: Submission) -> None:
        pass

    def look(self, jobs: Iterable[Job]) -> None:
        pass

    def bring(self, ended: Sequence[tuple[Job, AttemptId]]) -> None:
        pass

    def wish(self, found: Submission, element: int) -> None:
        pass

    def close(self) -> None:
        pass
