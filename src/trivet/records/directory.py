"""Directories of runs and jobs: what was asked, what happened, what came out. They can be copied and read by hand.

::

    run.json       what was asked, exactly; at the end also what came of it (of a job: job.json)
    journal/       every step, see `trivet.records.journal`
    logs/          what the programs printed, as far as it has no other place, and drivers in the background
    requests/      files by which others ask the owner for something (``cancel``)
    alive          there until it is over; touched by the owner now and then

Of a run::

    work/          one directory for each attempt that needed files; gone after a good end
    outputs/       one entry for each output, unless the caller wanted them elsewhere

Of a job::

    <order>_<task>/  arguments, log and output of every unit of a step, by the names of the public server
    workflow.log     what happened, in plain lines
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from trivet.records import files
from trivet.records.journal import Journal, NotOwnerError, last_owner
from trivet.records.owner import Owner

FORMAT = 1
TICKS = 1 << 16
"""Parts of a second that names of runs tell apart."""

HEARTBEAT = 10.0
"""Seconds between two signs of life of an owner."""

DEAD_AFTER = 60.0
"""Seconds without a sign of life after which an owner on another machine is taken for dead."""


D = TypeVar("D", bound="OwnedDirectory")


@dataclass(frozen=True, slots=True)
class OwnedDirectory:
    """A directory with a record and one owner; ``path`` is absolute, its name is the identifier.

    They lie together in the directory ``place`` of a home; ``record_name`` is the file with the record.
    """

    path: Path
    place: ClassVar[str]
    record_name: ClassVar[str]

    @classmethod
    def create(cls, home: Path, now: float, record: Callable[[str], dict[str, Any]]) -> Self:
        """A new one below ``home``, named by the time so that names sort by age; ``record`` makes its record.

        It appears as a whole: whoever sees the directory sees the record in it. Raises OSError.
        """
        runs = home / cls.place
        runs.mkdir(parents=True, exist_ok=True)
        hidden = cls(Path(tempfile.mkdtemp(prefix=".new-", dir=runs)))
        try:
            hidden.path.chmod(0o755)
            hidden.beat()
            tick = int(now * TICKS)
            while True:
                name = time.strftime("%Y%m%d-%H%M%S-", time.gmtime(tick // TICKS)) + f"{tick % TICKS:04x}"
                hidden.write(record(name))
                try:
                    hidden.path.rename(runs / name)
                except OSError as error:
                    if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                        raise
                    tick += 1
                    continue
                files.sync_directory(runs)
                return cls(runs / name)
        except BaseException:
            shutil.rmtree(hidden.path, ignore_errors=True)
            raise

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def record_file(self) -> Path:
        return self.path / self.record_name

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record. Raises OSError."""
        files.write_json(self.record_file, record)

    def read(self) -> dict[str, Any]:
        """The record. Raises FileNotFoundError or UnreadableError."""
        return files.read_record(self.record_file, FORMAT)

    def ask(self, request: str) -> None:
        """Leave a request for the owner. Raises OSError."""
        (self.path / "requests").mkdir(exist_ok=True)
        (self.path / "requests" / request).touch()

    def asked(self, request: str) -> bool:
        """True when somebody left that request."""
        return (self.path / "requests" / request).exists()

    def beat(self) -> None:
        """Give a sign of life."""
        (self.path / "alive").touch()

    def rest(self) -> None:
        """Say that it is over and nobody needs to look after it."""
        (self.path / "alive").unlink(missing_ok=True)

    @property
    def resting(self) -> bool:
        """True when nobody needs to look after it."""
        return not (self.path / "alive").exists()

    def owner_alive(self) -> bool:
        """Whether somebody drives it, or is about to.

        That is the process that wrote the journal last, before the first word of a journal the one that asked for it.
        On this machine it is known at once; for another one the last sign of life decides, measured by the clock
        of the file system that both share.
        """
        _, owner = last_owner(self.journal)
        if owner is None:
            owner = Owner.from_json(self.read()["asked_by"])
        alive = owner.alive
        return alive if alive is not None else self._age("alive") < DEAD_AFTER

    def claim(self) -> Journal:
        """Become the owner. Raises NotOwnerError when somebody is, OSError when the journal can't be written."""
        generation, owner = last_owner(self.journal)
        if owner is not None and self.owner_alive():
            raise NotOwnerError(f"{self.id} is driven by process {owner.pid} of {owner.host}")
        return Journal(self.journal, generation)

    def _age(self, name: str) -> float:
        """Seconds since a file was written, by the clock of the file system."""
        probe = self.path / f".clock-{os.getpid()}"
        try:
            probe.touch()
            return probe.stat().st_mtime - (self.path / name).stat().st_mtime
        except OSError:
            return DEAD_AFTER
        finally:
            probe.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RunDirectory(OwnedDirectory):
    """A run's directory."""

    place: ClassVar[str] = "runs"
    record_name: ClassVar[str] = "run.json"

    @property
    def outputs(self) -> Path:
        return self.path / "outputs"

    @property
    def work(self) -> Path:
        return self.path / "work"


@dataclass(frozen=True, slots=True)
class JobDirectory(OwnedDirectory):
    """A job's directory."""

    place: ClassVar[str] = "jobs"
    record_name: ClassVar[str] = "job.json"

    @property
    def workflow_log(self) -> Path:
        return self.path / "workflow.log"

    @property
    def carried(self) -> Path:
        """What goes from step to step beside the dataset, where there is something: one file for each."""
        return self.path / "carried"


def every(kind: type[D], home: Path) -> Iterator[D]:
    """Every directory of a kind below a home, oldest first."""
    place = home / kind.place
    if place.is_dir():
        found = (kind(path) for path in sorted(place.iterdir()))
        yield from (one for one in found if one.record_file.is_file())


def named(kind: type[D], home: Path, name: str) -> D:
    """The one of that identifier, or of an unambiguous beginning or end of one, or ``last``, or of a path.

    Raises LookupError with what is there instead.
    """
    word = kind.place.removesuffix("s")
    if "/" in name and (Path(name) / kind.record_name).is_file():
        return kind(Path(name).absolute())
    known = list(every(kind, home))
    if name == "last" and known:
        return known[-1]
    exact = [one for one in known if one.id == name]
    matches = exact or [one for one in known if one.id.startswith(name) or one.id.endswith(name)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        command = {"runs": "trivet runs", "jobs": "trivet job list"}[kind.place]
        raise LookupError(f"there is no {word} `{name}` below {home / kind.place}; `{command}` lists them")
    shown = ", ".join(one.id for one in matches[:5])
    raise LookupError(f"`{name}` may mean {len(matches)} {kind.place}: {shown}")
