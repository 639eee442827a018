"""Which job a dataset belongs to: a file for each job, numbered, linked into place once; the last one counts.

::

    <dataset>/jobs/<n>.json   the directory of the n-th job

Whether the last job is over or its owner dead, its own directory tells: nothing here has to be taken away again.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from trivet.records import files
from trivet.records.directory import JobDirectory


class TakenError(RuntimeError):
    """Somebody else has just claimed the dataset."""


def claimed(dataset: Path) -> list[JobDirectory]:
    """The jobs that a dataset belonged to, the last one at the end; those whose directory is gone are left out."""
    jobs = (JobDirectory(_job(dataset, number)) for number in _numbers(dataset))
    return [job for job in dict.fromkeys(jobs) if job.record_file.exists()]


def holder(dataset: Path) -> tuple[int, JobDirectory | None]:
    """The number of the last claim, and whose it is: (0, None) for a dataset without jobs."""
    number = max(_numbers(dataset), default=0)
    return number, JobDirectory(_job(dataset, number)) if number else None


def claim(dataset: Path, job: JobDirectory, after: int) -> None:
    """Give a dataset to a job, following claim ``after``. Raises TakenError when somebody else was faster, OSError."""
    directory = dataset / "jobs"
    directory.mkdir(exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            json.dump({"job": str(job.path)}, stream)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        os.link(name, directory / f"{after + 1}.json")
    except FileExistsError:
        raise TakenError(f"{dataset.name} has just got another job") from None
    finally:
        os.unlink(name)  # noqa: PTH108
    files.sync_directory(directory)


def _numbers(dataset: Path) -> list[int]:
    try:
        entries = list((dataset / "jobs").iterdir())
    except FileNotFoundError:
        return []
    return sorted(int(entry.stem) for entry in entries if entry.suffix == ".json" and entry.stem.isdigit())


def _job(dataset: Path, number: int) -> Path:
    path = dataset / "jobs" / f"{number}.json"
    return Path(json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))["job"])
