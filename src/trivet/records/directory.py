"""A run's directory: what was asked, what happened, what came out. It can be copied and read by hand.

::

    run.json       what was asked, exactly; at the end also what came of it
    journal/       every step, see `trivet.records.journal`
    work/          one directory for each attempt that needed files; gone after a good end
    outputs/       one entry for each output, unless the caller wanted them elsewhere
    logs/          what the programs printed
    requests/      files by which others ask the owner for something (``cancel``)
    alive          there until the run is over; touched by the owner now and then
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.records import UnreadableError, files
from trivet.records.journal import Journal, NotOwnerError, last_owner
from trivet.records.owner import Owner

FORMAT = 1
TICKS = 1 << 16
"""Parts of a second that names of runs tell apart."""

HEARTBEAT = 10.0
"""Seconds between two signs of life of an owner."""

DEAD_AFTER = 60.0
"""Seconds without a sign of life after which an owner on another machine is taken for dead."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A run's directory; ``path`` is absolute, its name is the run's identifier."""

    path: Path

    @classmethod
    def create(cls, home: Path, now: float, record: Callable[[str], dict[str, Any]]) -> RunDirectory:
        """A new run below ``home``, named by the time so that names sort by age; ``record`` makes its record.

        It appears as a whole: whoever sees the directory sees the record in it. Raises OSError.
        """
        runs = home / "runs"
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
    def outputs(self) -> Path:
        return self.path / "outputs"

    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def write(self, record: dict[str, Any]) -> None:
        """Replace ``run.json``. Raises OSError."""
        files.write_json(self.path / "run.json", record)

    def read(self) -> dict[str, Any]:
        """The content of ``run.json``. Raises FileNotFoundError or UnreadableError."""
        try:
            record = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise UnreadableError(f"{self.path / 'run.json'} is damaged: {error}") from None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            found = record.get("format") if isinstance(record, dict) else None
            raise UnreadableError(f"{self.path / 'run.json'} has format {found}; this version of Trivet reads {FORMAT}")
        return record

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
        """Say that the run is over and nobody needs to look after it."""
        (self.path / "alive").unlink(missing_ok=True)

    @property
    def resting(self) -> bool:
        """True when nobody needs to look after the run."""
        return not (self.path / "alive").exists()

    def owner_alive(self) -> bool:
        """Whether somebody drives the run, or is about to.

        That is the process that wrote the journal last, before the first word of a journal the one that asked for the
        run. On this machine it is known at once; for another one the last sign of life decides, measured by the clock
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
